"""
Weights as users of torchvision and timm have them, and back.

  {"make": [{"library": "torchvision" | "timm", "network", "classes", "type": "float32" | "float16" | "bfloat16" | "float64",
             "wrapped": whether by DataParallel, "file"}]}
      writes random weights as users do, with save_file(state_dict())

  {"load": [{"library", "network", "classes", "file"}]}
      loads each file into torchvision's network with strict=True, and where it came from timm into timm's, as docs/weights.md has it

The request is JSON on standard input; both print an array of {torchvision's name: SHA-256 of the values as float32}, one for each file.
"""

import hashlib
import json
import sys

import torch
from safetensors.torch import load_file, save_file

from torch_reference import randomise
from torchvision_networks import make_torchvision_network  # before timm, which imports torchvision, too

TIMM_NAMES = {"mobilenet_v2": "mobilenetv2_100"}


def digests(state):
    values = {name: value.float().contiguous() for name, value in state.items() if value.is_floating_point()}
    return {name: hashlib.sha256(value.numpy().tobytes()).hexdigest() for name, value in values.items()}


def make(library, network, classes, type, wrapped, file):
    theirs = make_torchvision_network(network, classes)
    if library == "timm":
        import timm

        made = timm.create_model(TIMM_NAMES.get(network, network), num_classes=classes)
    else:
        made = theirs
    randomise(made)
    made = made.to(getattr(torch, type))
    # Both libraries register the same layers in the same order, whatever their names.
    assert [value.shape for value in theirs.state_dict().values()] == [value.shape for value in made.state_dict().values()]
    state = torch.nn.DataParallel(made).state_dict() if wrapped else made.state_dict()
    save_file(state, file)
    return digests(dict(zip(theirs.state_dict(), made.state_dict().values())))


def load(library, network, classes, file):
    theirs = make_torchvision_network(network, classes)
    theirs.load_state_dict(load_file(file), strict=True)
    if library == "timm":
        import timm

        made = timm.create_model(TIMM_NAMES.get(network, network), num_classes=classes)
        state = load_file(file)
        names = zip(made.state_dict(), theirs.state_dict())
        made.load_state_dict({name: state[ours] for name, ours in names}, strict=True)
        return digests(dict(zip(theirs.state_dict(), made.state_dict().values())))
    return digests(theirs.state_dict())


def main():
    torch.manual_seed(3)
    (action, requests), *_ = json.load(sys.stdin).items()
    print(json.dumps([{"make": make, "load": load}[action](**request) for request in requests]))


if __name__ == "__main__":
    main()
