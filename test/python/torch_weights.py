"""
ResNet-18's weights between PyTorch and files.

  torch_weights.py, {"make": FILE, "seed": N, "classes": N}   writes random weights as PyTorch users do: save_file(state_dict())
  torch_weights.py, {"load": FILE, "classes": N}              loads a stored classifier, its momentum aside, with strict = True;
                                                              prints {name: SHA-256 of the float32 values} of the loaded module

The request is JSON on standard input; "make" prints the same digests of what it wrote.
"""

import hashlib
import json
import sys

import torch
from safetensors.torch import load_file, save_file

from torch_reference import randomise
from torch_resnet18 import ResNet18


def digests(network):
    values = {name: value for name, value in network.state_dict().items() if value.dtype == torch.float32}
    return {name: hashlib.sha256(value.numpy().tobytes()).hexdigest() for name, value in values.items()}


def main():
    request = json.load(sys.stdin)
    network = ResNet18(request["classes"])
    if "make" in request:
        torch.manual_seed(request["seed"])
        network = ResNet18(request["classes"])
        randomise(network)
        save_file(network.state_dict(), request["make"])
    else:
        stored = load_file(request["load"])
        network.load_state_dict({name: value for name, value in stored.items() if "/" not in name}, strict=True)
    print(json.dumps(digests(network)))


if __name__ == "__main__":
    main()
