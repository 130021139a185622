"""
Compares a graph of the project with ResNet-18 written by hand.

Reads {"graph"} on standard input; prints the names and shapes of both state dictionaries, and how far the logits of the two are from
each other, relative to their size, when both have the same weights (float64, training and evaluation mode).
"""

import json
import sys

import torch

from photographs import photographs
from torch_graph import GraphNetwork
from torch_reference import randomise
from torch_resnet18 import ResNet18

CLASSES = 10


def shapes(network):
    return {name: list(value.shape) for name, value in network.state_dict().items()}


def main():
    request = json.load(sys.stdin)
    torch.manual_seed(1)
    by_hand = ResNet18(CLASSES).double()
    graph = GraphNetwork(request["graph"], 3, 64, 64).double()
    randomise(by_hand)
    graph.load_state_dict(by_hand.state_dict(), strict=True)
    pixels, _ = photographs(1, 4, 64, 64, 3)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).double() - 127
    differences = {}
    for mode in (False, True):
        wanted, got = by_hand.train(mode)(images), graph.train(mode)(images)
        differences["training" if mode else "evaluation"] = ((got - wanted).norm() / wanted.norm()).item()
    print(json.dumps({"by_hand": shapes(by_hand), "graph": shapes(graph), "differences": differences}))


if __name__ == "__main__":
    main()
