"""
Trains a network in PyTorch and tells what came out, for the tests that compare the engine with it.

Reads a JSON array of requests on standard input, each
  network    {"graph", "channels", "height", "width"} or {"resnet18": number of classes}
  weights    safetensors file to begin with; null: random values made from `seed`, batch norms and their statistics, too
  seed
  kinks      {"on"}: moves biases so that the first step's images keep away from kinks (torch_kinks.py), but for one value where
             "on" is {"layer", "distance"}, not null; left out: nothing is moved
  images     {"seeds": one a step, "count": images a step, "height", "width", "channels"}
  classes    number of classes
  runs       {name: {"precision": "float64" | "float32" | "bfloat16", "channels_last", "threads", "device", "rule": "dl" | "torch" | "adam",
             "momentum", "weight_prior", "weight_decay", "betas", "epsilon", "max_gradient_norm": 0 for none, "class_weights": one a
             class or none, "frozen_layers": names, "sub_batches", "learning_rates": one a step, "keep": what of this run goes to the
             output}}; each begins with the same weights
  output     safetensors file to write
and prints one JSON array with an answer for each: {name of run: {"losses": [L of each step], "losses_multinomial_logistic": [L_mn],
"gradient_norms": [of L, before clipping]}}.

The output holds `pixels` (steps, images, height, width, channels) uint8, `labels` (steps, images), `initial/<tensor>` and, for each run,
of what `keep` names: `<run>/confidences` of the first step's images when applied with the initial weights,
`<run>/gradient/<step>/<tensor>` of L, `<run>/final/<tensor>`. With `kinks`, `margin/relu` and `margin/max_pool`: how far the first step's
images are from a kink at the least, in root mean squares of the layer.
"""

import copy
import json
import sys

import numpy
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from photographs import photographs
from torch_graph import GraphNetwork
from torch_kinks import avoid_kinks, margins
from torch_resnet18 import ResNet18
from torch_training import RULES, add_prior, arithmetic, freeze, gradients, prior_energy


def randomise(network):
    """PyTorch's initial values, and batch norms as if they had been trained: nothing is left at 0 or 1, where a mistake would not show."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


def make_network(request):
    torch.manual_seed(request["seed"])
    if "resnet18" in request["network"]:
        network = ResNet18(request["network"]["resnet18"])
    else:
        network = GraphNetwork(**request["network"])
    if request["weights"] is None:
        randomise(network)
    else:
        network.load_state_dict(load_file(request["weights"]), strict=True)
    return network


def make_batches(request):
    """pixels uint8 (steps, images, height, width, channels), labels int64 (steps, images)"""
    size = request["images"]
    batches = [photographs(seed, size["count"], size["height"], size["width"], size["channels"]) for seed in size["seeds"]]
    pixels = torch.from_numpy(numpy.stack([pixels for pixels, _ in batches]))
    labels = torch.from_numpy(numpy.stack([labels for _, labels in batches])) % request["classes"]
    return pixels, labels


def images_of(batch, dtype):
    """uint8 (images, height, width, channels) as networks read them: (images, channels, height, width) in -127..128"""
    return batch.permute(0, 3, 1, 2).to(dtype) - 127


def kink_margins(network, kinks, images):
    """Moves the network's biases as asked, and returns the margins that this leaves."""
    if kinks is None:
        return {}
    moved = copy.deepcopy(network).double()
    avoid_kinks(moved, images, kinks["on"])
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), moved.parameters()):
            parameter.copy_(value)
    return {f"margin/{kind}": margin for kind, margin in margins(moved, images).items()}


def run(network, options, pixels, labels):
    """Returns (figures by name, one a step; tensors)."""
    torch.set_num_threads(options["threads"])
    dtype = torch.float64 if options["precision"] == "float64" else torch.float32
    layout = torch.channels_last if options["channels_last"] else torch.contiguous_format
    device = torch.device(options["device"])
    network = copy.deepcopy(network).to(device, dtype).to(memory_format=layout)
    batches = [images_of(batch.to(device), dtype).contiguous(memory_format=layout) for batch in pixels]
    labels = labels.to(device)
    tensors = {}
    if "confidences" in options["keep"]:
        with torch.no_grad(), arithmetic(options["precision"], device.type):
            tensors["confidences"] = network.eval()(batches[0]).to(dtype).softmax(1)
    network.train()
    freeze(network, options["frozen_layers"])
    rule = RULES[options["rule"]](network, options)
    figures = {"losses": [], "losses_multinomial_logistic": [], "gradient_norms": []}
    for step, learning_rate in enumerate(options["learning_rates"]):
        data_loss = gradients(
            network, batches[step], labels[step], options["precision"], options["sub_batches"], options["class_weights"]
        )
        figures["losses_multinomial_logistic"].append(data_loss)
        figures["losses"].append(data_loss + prior_energy(network, options["weight_prior"]))
        figures["gradient_norms"].append(add_prior(network, options["weight_prior"]))
        if "gradient" in options["keep"]:
            tensors |= {f"gradient/{step}/{name}": p.grad.clone() for name, p in network.named_parameters() if p.requires_grad}
        if options["max_gradient_norm"] > 0:
            torch.nn.utils.clip_grad_norm_(network.parameters(), options["max_gradient_norm"])
        rule.step(learning_rate)
    if "final" in options["keep"]:
        tensors |= {f"final/{name}": value for name, value in network.state_dict().items()}
    return figures, tensors


def answer(request):
    network = make_network(request)
    pixels, labels = make_batches(request)
    losses = {}
    distances = kink_margins(network, request.get("kinks"), images_of(pixels[0], torch.float64))
    tensors = distances | {"pixels": pixels, "labels": labels} | {f"initial/{name}": value for name, value in network.state_dict().items()}
    for name, options in request["runs"].items():
        losses[name], results = run(network, options, pixels, labels)
        tensors |= {f"{name}/{key}": value for key, value in results.items()}
    save_file({key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}, request["output"])
    return losses


if __name__ == "__main__":
    print(json.dumps([answer(request) for request in json.load(sys.stdin)]))
