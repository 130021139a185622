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
and prints {"losses": {"float64": [L of each step], PRECISION: ...}, "logits": {PRECISION: error},
"gradients": {PRECISION: [{tensor: error} for each batch]}}, where an error is ||x - truth|| / ||truth||.
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
def log_confidences(network, images, precision):
    with arithmetic(precision):
        logits = network.eval()(images)
    return logits.double().log_softmax(1)


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

    def fresh(precision):
        return copy.deepcopy(network).to(torch.float64 if precision == "float64" else torch.float32)

    def inputs(step, precision):
        return images_of(pixels[step], torch.float64 if precision == "float64" else torch.float32)

    def gradient(precision, step):
        model = fresh(precision).train()
        gradients(model, inputs(step, precision), labels[step], precision, 1)
        return {name: p.grad for name, p in model.named_parameters()}

    def losses(precision):
        model = fresh(precision).train()
        rule = DlRule(model, {"momentum": request["momentum"], "weight_decay": 0})
        found = []
        for step in range(len(pixels)):
            data = gradients(model, inputs(step, precision), labels[step], precision, 1)
            found.append(data + prior_energy(model, request["weight_prior"]))
            add_prior(model, request["weight_prior"])
            rule.step(request["learning_rate"])
        return found

    precisions = request["precisions"]
    truth = log_confidences(fresh("float64"), inputs(0, "float64"), "float64")
    save_file({"logits": truth}, folder / "logits.safetensors")
    answer = {
        "logits": {p: error(log_confidences(fresh(p), inputs(0, p), p), truth) for p in precisions},
        "gradients": {p: [] for p in precisions},
    }
    for step in range(count):
        truth = gradient("float64", step)
        save_file({name: value.contiguous() for name, value in truth.items()}, folder / f"gradient.{step}.safetensors")
        for p in precisions:
            answer["gradients"][p].append({name: error(value, truth[name]) for name, value in gradient(p, step).items()})
    answer["losses"] = {p: losses(p) for p in ["float64", *precisions]}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
