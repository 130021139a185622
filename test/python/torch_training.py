"""The training step in PyTorch: the project's rule written out, and PyTorch's own rule to compare it with."""

import contextlib

import torch
from torch import nn
from torch.nn import functional as F


def regularised(network):
    """The tensors that the weight prior counts: weights of convolutions and fully connected layers, nothing else."""
    return {id(m.weight) for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))}


def arithmetic(precision):
    """float64 and float32 are the tensors' own; bfloat16 is PyTorch's autocast over float32 tensors."""
    return torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bfloat16" else contextlib.nullcontext()


def gradients(network, images, labels, precision, sub_batches):
    """Mean data loss L_mn over all images, its gradient left in .grad; batch norm sees each sub-batch by itself."""
    for p in network.parameters():
        p.grad = None
    loss = 0.0
    for x, y in zip(images.chunk(sub_batches), labels.chunk(sub_batches)):
        with arithmetic(precision):
            logits = network(x)
        part = F.cross_entropy(logits if logits.dtype == torch.float64 else logits.float(), y, reduction="sum") / len(labels)
        part.backward()
        loss += part.item()
    return loss


def prior_energy(network, weight_prior):
    """E = weight_prior / 2 * sum w^2."""
    chosen = regularised(network)
    squares = sum(p.detach().double().square().sum().item() for p in network.parameters() if id(p) in chosen)
    return weight_prior / 2 * squares


class DlRule:
    """v = momentum * v - learning_rate * g;  w = w + v.  The rate that a gradient met stays with it in v."""

    def __init__(self, network, momentum, weight_prior):
        self.momentum = momentum
        self.weight_prior = weight_prior
        self.regularised = regularised(network)
        self.tensors = [(p, torch.zeros_like(p)) for p in network.parameters()]

    @torch.no_grad()
    def step(self, learning_rate):
        for p, v in self.tensors:
            g = p.grad + self.weight_prior * p if id(p) in self.regularised else p.grad
            v.mul_(self.momentum).sub_(learning_rate * g)
            p.add_(v)


class TorchRule:
    """torch.optim.SGD: v = momentum * v + g;  w = w - learning_rate * v.  A new rate counts for old gradients, too."""

    def __init__(self, network, momentum, weight_prior):
        chosen = regularised(network)
        groups = [
            {"params": [p for p in network.parameters() if id(p) in chosen], "weight_decay": weight_prior},
            {"params": [p for p in network.parameters() if id(p) not in chosen], "weight_decay": 0.0},
        ]
        self.sgd = torch.optim.SGD(groups, lr=1.0, momentum=momentum)

    def step(self, learning_rate):
        for group in self.sgd.param_groups:
            group["lr"] = learning_rate
        self.sgd.step()


RULES = {"dl": DlRule, "torch": TorchRule}
