"""
PyTorch's side of `npm run bench -- agreement`: the truth in float64, and PyTorch's own float32 and bfloat16 (autocast) beside it.

Reads one JSON request on standard input:
  graph, channels, height, width   the network, without dropout
  seed                             of the initial weights
  batches                          safetensors file: `pixels` uint8 (steps, images, height, width, channels), `labels` int64 (steps, images)
  start_batches                    the first so many batches are met at the initial weights: logits, gradient, the loss of the next batch after a step
  steps                            of a training over the batches; 0 for none
  precisions                       of "float32", "bfloat16"
  learning_rate, momentum, weight_prior   of all steps
  threads
  folder                           where `initial.safetensors` (weights) and, in float64 for each batch K, `logits.K.safetensors` (log of the
                                   confidences) and `gradient.K.safetensors` are written
and prints {"losses": LOSSES in float64, "runs": {PRECISION: {LAYOUT: {"logits": [error for each batch], "gradients": [{tensor: error} for
each batch], "losses": LOSSES}}}}, where an error is ||x - truth|| / ||truth||, LAYOUT is "contiguous" or "channels_last" and LOSSES is
{"after_one_step": [L of the next batch for each batch], "training": [L of each step, and of the one after them]}.
"""

import copy
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

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


def data_loss(logits, labels):
    return F.cross_entropy(logits if logits.dtype == torch.float64 else logits.float(), labels).item()


def start(network, pixels, labels, how, request):
    """The gradient of L_mn on the first of two batches at the initial weights, and L of the second after a step on the first."""
    model = how.network(network).train()
    gradients(model, how.images(pixels[0]), labels[0], how.precision, 1)
    gradient = {name: p.grad.clone() for name, p in model.named_parameters()}
    add_prior(model, request["weight_prior"])
    DlRule(model, {"momentum": request["momentum"], "weight_decay": 0}).step(request["learning_rate"])
    with torch.no_grad(), arithmetic(how.precision):
        logits = model(how.images(pixels[1]))
    return gradient, data_loss(logits, labels[1]) + prior_energy(model, request["weight_prior"])


def training(network, pixels, labels, how, request):
    """L of each batch before the step on it."""
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
    count = request["start_batches"]

    network = GraphNetwork(request["graph"], request["channels"], request["height"], request["width"])
    randomise(network)
    measure_statistics(network, pixels[:count])
    save_file({name: value for name, value in network.state_dict().items() if value.dtype == torch.float32}, folder / "initial.safetensors")

    # The loss after 50 steps is that of the 51st.
    trained = request["steps"] + 1 if request["steps"] > 0 else 0

    def losses(how, starts):
        return {
            "after_one_step": [loss for _, loss in starts],
            "training": training(network, pixels[:trained], labels[:trained], how, request),
        }

    def starts(how):
        return [start(network, pixels[k : k + 2], labels[k : k + 2], how, request) for k in range(count)]

    exact = Arithmetic("float64")
    runs = [(precision, layout) for precision in request["precisions"] for layout in ("contiguous", "channels_last")]
    logits = [log_confidences(network, pixels[k], exact) for k in range(count)]
    truths = starts(exact)
    for k, (gradient, _) in enumerate(truths):
        save_file({"logits": logits[k]}, folder / f"logits.{k}.safetensors")
        save_file({name: value.contiguous() for name, value in gradient.items()}, folder / f"gradient.{k}.safetensors")
    answer = {"losses": losses(exact, truths), "runs": {precision: {} for precision, _ in runs}}
    for precision, layout in runs:
        how = Arithmetic(precision, layout)
        found = starts(how)
        answer["runs"][precision][layout] = {
            "logits": [error(log_confidences(network, pixels[k], how), logits[k]) for k in range(count)],
            "gradients": [
                {name: error(value, truth[name]) for name, value in gradient.items()} for (gradient, _), (truth, _) in zip(found, truths)
            ],
            "losses": losses(how, found),
        }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
