"""
Compares graphs of the project with torchvision's networks of the same names.

Reads an array of {"name", "classes", "part": "all" or "features", "graph", "height", "width"} on standard input. For each it prints the
names and shapes of both state dictionaries, the number of parameters, and how far the outputs of the two are from each other, relative to
their size, when both have the same weights (float64, training and evaluation). The outputs are the logits, or the means of the features.
"""

import json
import sys

import torch

from photographs import photographs
from torch_graph import GraphNetwork
from torch_reference import randomise
from torchvision_networks import make_torchvision_network, normalised

IMAGES = 2


def shapes(network):
    return {name: list(value.shape) for name, value in network.state_dict().items()}


@torch.no_grad()
def compare(request):
    torch.manual_seed(1)
    height, width = request["height"], request["width"]
    theirs = make_torchvision_network(request["name"], request["classes"])
    randomise(theirs)
    if request["part"] == "features":
        theirs = FeatureMeans(theirs)
    theirs = theirs.double()
    graph = GraphNetwork(request["graph"], 3, height, width).double()
    graph.load_state_dict(theirs.state_dict(), strict=True)
    pixels, _ = photographs(1, IMAGES, height, width, 3)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).double() - 127
    differences = {}
    for mode in ("training", "evaluation"):
        wanted = theirs.train(mode == "training")(normalised(images))
        got = graph.train(mode == "training")(images)
        differences[mode] = ((got - wanted).norm() / wanted.norm()).item()
    parameters = sum(p.numel() for p in theirs.parameters())
    return {"theirs": shapes(theirs), "graph": shapes(graph), "parameters": parameters, "differences": differences}


class FeatureMeans(torch.nn.Module):
    """The convolutional part of a network and the mean of each of its channels."""

    def __init__(self, network):
        super().__init__()
        self.features = network.features

    def forward(self, images):
        return self.features(images).mean((2, 3))


if __name__ == "__main__":
    torch.set_num_threads(1)  # other tests run beside
    print(json.dumps([compare(request) for request in json.load(sys.stdin)]))
