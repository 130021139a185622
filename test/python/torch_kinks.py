"""
Where the gradient of a network jumps: ReLU at 0 (and at its maximum), max pooling at a tie.

Among the millions of values of a batch one nearly always lies so close to such a kink that float32's rounding decides on which side it
is, and that one value changes whole gradient tensors. Every bias in front of a ReLU is free, so it can be chosen such that no value of the
batch is near a kink: then gradients of float32 can be compared with those of float64, tensor for tensor.
"""

import torch
from torch import nn
from torch.nn import functional as F

from torch_graph import Relu

REACH = 0.05  # a bias is moved by no more than this; the values that it is added to have a deviation of about 1
STEPS = 101


def kinks_of(relu):
    maximum = relu.maximum if isinstance(relu, Relu) else None
    return [0.0] if maximum is None else [0.0, maximum]


def distances(values, relu):
    """Of each value (N, C, H, W) to the next kink."""
    return torch.stack([(values - kink).abs() for kink in kinks_of(relu)]).amin(0)


def watch(network, images, on_relu, on_max_pool=None):
    """
    One forward pass of training without gradients. Before each ReLU calls on_relu(name of the layer whose bias was added last, that layer,
    relu, values); what it returns takes the values' place. Before each max pooling calls on_max_pool(pool, values).
    """
    last = []
    handles = []
    for name, module in network.named_modules():
        if isinstance(module, (nn.BatchNorm2d, nn.Conv2d, nn.Linear)) and module.bias is not None:
            handles.append(module.register_forward_hook(lambda m, _inputs, _output, name=name: last.__setitem__(slice(None), [name, m])))
        elif isinstance(module, (nn.ReLU, Relu)):
            handles.append(module.register_forward_pre_hook(lambda m, inputs: on_relu(*last, m, inputs[0])))
        elif isinstance(module, nn.MaxPool2d) and on_max_pool:
            handles.append(module.register_forward_pre_hook(lambda m, inputs: on_max_pool(m, inputs[0])))
    with torch.no_grad():
        network.train()(images)
    for handle in handles:
        handle.remove()


def move_bias(layer, values, shift):
    """Adds shift (C) to a bias, rounded so that float32 holds it, and to the values that it was added to."""
    moved = (layer.bias + shift).float().double()
    difference = moved - layer.bias
    layer.bias.copy_(moved)
    return values + difference.view(1, -1, *[1] * (values.dim() - 2))


def avoid_kinks(network, images, on_kink=None):
    """
    Moves the biases of a float64 network so that each channel's values keep as far from the kinks of ReLU as REACH allows. With
    `on_kink`, {"layer", "distance"}, the one value of this layer that is nearest to 0 is brought to this distance above it.
    """

    def on_relu(name, layer, relu, values):
        channels = values.shape[1]
        best, shift = torch.full((channels,), -1.0, dtype=values.dtype), torch.zeros(channels, dtype=values.dtype)
        for candidate in torch.linspace(-REACH, REACH, STEPS, dtype=values.dtype):
            nearest = distances(values + candidate, relu).transpose(0, 1).flatten(1).amin(1)
            shift = torch.where(nearest > best, candidate, shift)
            best = torch.maximum(nearest, best)
        values = move_bias(layer, values, shift)
        if on_kink and on_kink["layer"] == name:
            nearest = values.abs().argmin()
            channel = nearest // values[0, 0].numel() % channels
            shift = torch.zeros_like(shift)
            shift[channel] = on_kink["distance"] - values.flatten()[nearest]
            values = move_bias(layer, values, shift)
        return (values,)

    watch(network, images, on_relu)


def margins(network, images):
    """
    The smallest distance to a kink of a float64 network, each beside the root mean square of its layer: {"relu", "max_pool"}.
    A window whose largest value is 0 counts for nothing: behind a ReLU its gradient goes nowhere.
    """
    found = {"relu": [torch.inf], "max_pool": [torch.inf]}
    scale = lambda values: values.square().mean().sqrt()

    def on_relu(_name, _layer, relu, values):
        found["relu"].append((distances(values, relu).min() / scale(values)).item())

    def on_max_pool(pool, values):
        ph, pw = pool.padding if isinstance(pool.padding, tuple) else (pool.padding, pool.padding)
        padded = F.pad(values, (pw, pw, ph, ph), value=-torch.inf)
        windows = F.unfold(padded.flatten(0, 1)[:, None], pool.kernel_size, stride=pool.stride)  # (N C, window, positions)
        first, second = windows.topk(2, dim=1).values.unbind(1)
        found["max_pool"].append(((first - second)[first > 0].min() / scale(values)).item())

    watch(network, images, on_relu, on_max_pool)
    return {kind: torch.tensor(min(values), dtype=torch.float64) for kind, values in found.items()}
