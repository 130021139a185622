"""
PyTorch's side of `npm run bench -- accuracy`: torchvision's resnet18, trained by the recipe with the optimiser that PyTorch has for it.

Reads one JSON request on standard input:
  data      safetensors file: `pixels`, `test_pixels` uint8 (images, height, width, 3), `labels`, `test_labels` int64
  weights   safetensors file to begin with
  classes, momentum, weight_prior, threads
  learning_rates, indices, mirrored   of each step; the latter two have one value an image
and prints {"top1_error"} on the test images, 0..1.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "python"))
from torch_training import groups  # noqa: E402
from torchvision_networks import make_torchvision_network, normalised  # noqa: E402

APPLY_BATCH = 100


def images_of(pixels):
    """(images, 3, height, width), normalised"""
    return normalised(pixels.permute(0, 3, 1, 2).float() - 127)


def top1_error(network, pixels, labels):
    network.eval()
    with torch.no_grad():
        found = torch.cat([network(images_of(part)).argmax(1) for part in pixels.split(APPLY_BATCH)])
    return (found != labels).double().mean().item()


def main():
    request = json.load(sys.stdin)
    torch.set_num_threads(request["threads"])
    data = load_file(request["data"])
    network = make_torchvision_network("resnet18", request["classes"])
    weights = load_file(request["weights"])
    counts = {name: torch.zeros((), dtype=torch.int64) for name in network.state_dict() if name.endswith("num_batches_tracked")}
    network.load_state_dict(weights | counts, strict=True)
    network.train()
    optimiser = torch.optim.SGD(groups(network, request["weight_prior"]), momentum=request["momentum"])
    steps = zip(request["learning_rates"], request["indices"], request["mirrored"])
    for learning_rate, indices, mirrored in steps:
        images = images_of(data["pixels"][indices])
        chosen = torch.tensor(mirrored, dtype=torch.bool)
        images[chosen] = images[chosen].flip(3)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(network(images), data["labels"][indices]).backward()
        optimiser.step()
    print(json.dumps({"top1_error": top1_error(network, data["test_pixels"], data["test_labels"])}))


if __name__ == "__main__":
    main()
