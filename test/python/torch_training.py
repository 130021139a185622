"""The training step in PyTorch: the project's rule written out, and PyTorch's own rule to compare it with."""

import contextlib

import torch
from torch import nn
from torch.nn import functional as F


def regularised(network):
    """The tensors that the weight prior counts: weights of convolutions and fully connected layers, nothing else."""
    return {id(m.weight) for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))}


def arithmetic(precision, device="cpu"):
    """float64 and float32 are the tensors' own; bfloat16 is PyTorch's autocast over float32 tensors."""
    return torch.autocast(device, dtype=torch.bfloat16) if precision == "bfloat16" else contextlib.nullcontext()


def freeze(network, layers):
    """As fine-tuning in PyTorch does it: no gradient for the layers' parameters, their batch norms in eval mode."""
    for name in layers:
        network.get_submodule(name).eval().requires_grad_(False)


def gradients(network, images, labels, precision, sub_batches, class_weights=()):
    """Mean data loss L_mn over all images, its gradient left in .grad; batch norm sees each sub-batch by itself."""
    for p in network.parameters():
        p.grad = None
    loss = 0.0
    weight = torch.tensor(class_weights, dtype=torch.float64).to(next(network.parameters())) if class_weights else None
    for x, y in zip(images.chunk(sub_batches), labels.chunk(sub_batches)):
        with arithmetic(precision, x.device.type):
            logits = network(x)
        logits = logits if logits.dtype == torch.float64 else logits.float()
        part = F.cross_entropy(logits, y, weight=weight, reduction="sum") / len(labels)
        part.backward()
        loss += part.item()
    return loss


def prior_energy(network, weight_prior):
    """E = weight_prior / 2 * sum w^2."""
    chosen = regularised(network)
    squares = sum(p.detach().double().square().sum().item() for p in network.parameters() if id(p) in chosen)
    return weight_prior / 2 * squares


@torch.no_grad()
def add_prior(network, weight_prior):
    """Makes .grad the gradient of L = L_mn + E, and returns its norm."""
    chosen = regularised(network)
    for p in network.parameters():
        if p.grad is not None and id(p) in chosen:
            p.grad.add_(weight_prior * p)
    return torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None]).item()


def groups(network, weight_decay):
    """Parameters as PyTorch's optimisers take them: `weight_decay` for weights, 0 for biases and batch norms."""
    chosen = regularised(network)
    return [
        {"params": [p for p in network.parameters() if id(p) in chosen], "weight_decay": weight_decay},
        {"params": [p for p in network.parameters() if id(p) not in chosen], "weight_decay": 0.0},
    ]


class DlRule:
    """v = momentum * v - learning_rate * g;  w = w - learning_rate * weight_decay * w + v.  The rate that a gradient met stays with it in v."""

    def __init__(self, network, options):
        self.momentum = options["momentum"]
        self.weight_decay = options["weight_decay"]
        self.regularised = regularised(network)
        self.tensors = [(p, torch.zeros_like(p)) for p in network.parameters() if p.requires_grad]

    @torch.no_grad()
    def step(self, learning_rate):
        for p, v in self.tensors:
            v.mul_(self.momentum).sub_(learning_rate * p.grad)
            if id(p) in self.regularised:
                p.mul_(1 - learning_rate * self.weight_decay)
            p.add_(v)


class TorchRule:
    """torch.optim.SGD: v = momentum * v + g;  w = w - learning_rate * v.  A new rate counts for old gradients, too."""

    def __init__(self, network, options):
        self.optimiser = torch.optim.SGD(groups(network, 0.0), lr=1.0, momentum=options["momentum"])

    def step(self, learning_rate):
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.step()


class AdamRule(TorchRule):
    """torch.optim.AdamW, which is torch.optim.Adam where weight_decay is 0."""

    def __init__(self, network, options):
        groups_ = groups(network, options["weight_decay"])
        self.optimiser = torch.optim.AdamW(groups_, lr=1.0, betas=tuple(options["betas"]), eps=options["epsilon"])


RULES = {"dl": DlRule, "torch": TorchRule, "adam": AdamRule}
