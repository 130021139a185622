"""
PyTorch's side of `npm run bench -- agreement`: the truth in float64, and PyTorch's own float32 and bfloat16 (autocast) beside it.

Reads one JSON request on standard input:
  graph, channels, height, width   the network, without dropout
  seed                             of the initial weights
  batches                          safetensors file: `pixels` uint8 (steps, images, height, width, channels), `labels` int64 (steps, images)
  gradient_batches                 the first so many batches give gradients at the initial weights
  precisions                       of "float32", "bfloat16"
  learning_rate, momentum, weight_prior   of the training over all batches
  threads
  folder                           where `initial.safetensors` (weights), `logits.safetensors` (log of the confidences of batch 0, float64) and
                                   `gradient.K.safetensors` (float64, of batch K) are written
and prints {"losses": L of each step in float64, "runs": {PRECISION: {LAYOUT: {"logits": error, "gradients": [{tensor: error} for each
batch], "losses": [L of each step]}}}}, where an error is ||x - truth|| / ||truth|| and LAYOUT is "contiguous" or "channels_last".
"""

import copy
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "python"))
from torch_graph import GraphNetwork  # noqa: E402
from torch_reference import randomise  # noqa: E402
from torch_training import DlRule, add_prior, arithmetic, gradients, prior_energy  # noqa: E402


def error(value, truth):
    return ((value.double() - truth).norm() / truth.norm()).item()


def images_of(pixels, dtype):
    """(images, channels, height, width) in -127..128"""
    return (pixels.permute(0, 3, 1, 2).to(dtype) - 127).contiguous()


class Arithmetic:
    """How PyTorch computes: in which type, and with which order of activations, which decides in what order it sums."""

    def __init__(self, precision, layout="contiguous"):
        self.precision = precision
        self.dtype = torch.float64 if precision == "float64" else torch.float32
        self.memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format

    def network(self, network):
        return copy.deepcopy(network).to(self.dtype).to(memory_format=self.memory_format)

    def images(self, pixels):
        return images_of(pixels, self.dtype).contiguous(memory_format=self.memory_format)


@torch.no_grad()
def measure_statistics(network, pixels):
    """Running statistics as training leaves them: the means over these batches."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    kept = [module.momentum for module in norms]
    for module in norms:
        module.reset_running_stats()
        module.momentum = None  # the mean of all batches
    network.train()
    for batch in pixels:
        network(images_of(batch, torch.float32))
    for module, momentum in zip(norms, kept):
        module.momentum = momentum


@torch.no_grad()
def log_confidences(network, pixels, how):
    with arithmetic(how.precision):
        logits = how.network(network).eval()(how.images(pixels))
    logits = logits if how.precision == "float64" else logits.float()
    return logits.softmax(1).double().log()


def gradient(network, pixels, labels, how):
    model = how.network(network).train()
    gradients(model, how.images(pixels), labels, how.precision, 1)
    return {name: p.grad for name, p in model.named_parameters()}


def losses(network, pixels, labels, how, request):
    model = how.network(network).train()
    rule = DlRule(model, {"momentum": request["momentum"], "weight_decay": 0})
    found = []
    for batch, batch_labels in zip(pixels, labels):
        data = gradients(model, how.images(batch), batch_labels, how.precision, 1)
        found.append(data + prior_energy(model, request["weight_prior"]))
        add_prior(model, request["weight_prior"])
        rule.step(request["learning_rate"])
    return found


def main():
    request = json.load(sys.stdin)
    torch.set_num_threads(request["threads"])
    torch.manual_seed(request["seed"])
    folder = Path(request["folder"])
    batches = load_file(request["batches"])
    pixels, labels = batches["pixels"], batches["labels"]
    count = request["gradient_batches"]

    network = GraphNetwork(request["graph"], request["channels"], request["height"], request["width"])
    randomise(network)
    measure_statistics(network, pixels[:count])
    save_file({name: value for name, value in network.state_dict().items() if value.dtype == torch.float32}, folder / "initial.safetensors")

    exact = Arithmetic("float64")
    runs = [(precision, layout) for precision in request["precisions"] for layout in ("contiguous", "channels_last")]
    answer = {"losses": losses(network, pixels, labels, exact, request), "runs": {precision: {} for precision, _ in runs}}
    logits = log_confidences(network, pixels[0], exact)
    save_file({"logits": logits}, folder / "logits.safetensors")
    truths = [gradient(network, pixels[step], labels[step], exact) for step in range(count)]
    for step, truth in enumerate(truths):
        save_file({name: value.contiguous() for name, value in truth.items()}, folder / f"gradient.{step}.safetensors")
    for precision, layout in runs:
        how = Arithmetic(precision, layout)
        answer["runs"][precision][layout] = {
            "logits": error(log_confidences(network, pixels[0], how), logits),
            "gradients": [
                {name: error(value, truth[name]) for name, value in gradient(network, pixels[step], labels[step], how).items()}
                for step, truth in enumerate(truths)
            ],
            "losses": losses(network, pixels, labels, how, request),
        }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
