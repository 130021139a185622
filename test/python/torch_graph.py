"""Any network graph of this project (native/graph.ts, as JSON) as a PyTorch module with the same tensor names."""

import torch
from torch import nn
from torch.nn import functional as F


class Affine(nn.Module):
    """The input layer: v * scale[c] + shift[c]. The constants belong to the graph, not to the state."""

    def __init__(self, scale, shift):
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float64).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", torch.tensor(shift, dtype=torch.float64).view(1, -1, 1, 1), persistent=False)

    def forward(self, x):
        return x * self.scale.to(x.dtype) + self.shift.to(x.dtype)


class Relu(nn.Module):
    def __init__(self, maximum, inplace):
        super().__init__()
        self.maximum = maximum
        self.inplace = inplace

    def forward(self, x):
        if self.maximum is None:
            return F.relu(x, inplace=self.inplace)
        return F.hardtanh(x, 0.0, self.maximum, inplace=self.inplace)


class Add(nn.Module):
    def forward(self, a, b):
        return a + b


class Concat(nn.Module):
    def forward(self, *inputs):
        return torch.cat(inputs, dim=1)


class FullyConnected(nn.Linear):
    """(N, channels, height, width), flattened in this order -> (N, features, 1, 1)."""

    def forward(self, x):
        return super().forward(x.flatten(1))[:, :, None, None]


def window(layer):
    return {
        "kernel_size": tuple(layer["kernel"]),
        "stride": tuple(layer["stride"]),
        "padding": tuple(layer["padding"]),
    }


def make_layer(layer, shape, inplace):
    """The module of one layer, which reads (channels, height, width) = shape; an input layer reads nothing: shape None."""
    match layer["kind"]:
        case "input":
            return Affine(layer["scale"], layer["shift"])
        case "convolution":
            return nn.Conv2d(shape[0], layer["outChannels"], groups=layer["groups"], bias=layer["bias"], **window(layer))
        case "batch_norm":
            return nn.BatchNorm2d(shape[0], eps=layer["epsilon"], momentum=layer["momentum"])
        case "relu":
            return Relu(layer["max"], inplace)
        case "add":
            return Add()
        case "concat":
            return Concat()
        case "max_pool":
            return nn.MaxPool2d(ceil_mode=layer["ceilMode"], **window(layer))
        case "average_pool":
            return nn.AvgPool2d(ceil_mode=layer["ceilMode"], count_include_pad=layer["countIncludePad"], **window(layer))
        case "global_average_pool":
            return nn.AdaptiveAvgPool2d(1)
        case "dropout":
            return nn.Dropout(layer["probability"])
        case "fully_connected":
            return FullyConnected(shape.numel(), layer["outFeatures"], bias=layer["bias"])
        case "softmax":
            return nn.Flatten()  # logits: PyTorch's cross entropy contains the softmax
    raise ValueError(f"layer {layer['name']}: unknown kind {layer['kind']}")


def inputs_of(layer):
    return layer.get("inputs") or ([layer["input"]] if "input" in layer else [])


class GraphNetwork(nn.Module):
    """Takes (N, channels, height, width) in -127..128 and returns logits (N, classes)."""

    def __init__(self, graph, channels, height, width):
        super().__init__()
        layers = graph["layers"]
        kinds = {layer["name"]: layer["kind"] for layer in layers}
        reads = [name for layer in layers for name in inputs_of(layer)]
        self.steps = []  # (name, module, names of inputs), in the order of computation
        images = {}  # one image through the layers: PyTorch itself says what shape each one has
        for layer in layers:
            name, inputs = layer["name"], inputs_of(layer)
            # A ReLU may overwrite what nobody else reads and no gradient needs, as torchvision's networks do.
            inplace = bool(inputs) and reads.count(inputs[0]) == 1 and kinds[inputs[0]] in ("batch_norm", "convolution", "add")
            module = make_layer(layer, images[inputs[0]].shape[1:] if inputs else None, inplace)
            self._place(name, module)
            self.steps.append((name, module, inputs))
            with torch.no_grad():
                read = [images[i] for i in inputs] or [torch.zeros(1, channels, height, width)]
                images[name] = module.eval()(*read)
        self.train()

    def _place(self, name, module):
        """`layer1.0.conv1` becomes a module in a module in a module, so that state_dict() has the graph's names."""
        *path, last = name.split(".")
        parent = self
        for part in path:
            if part not in parent._modules:
                parent.add_module(part, nn.Module())
            parent = parent._modules[part]
        parent.add_module(last, module)

    def forward(self, x):
        values = {}
        for name, module, inputs in self.steps:
            values[name] = module(*[values[i] for i in inputs]) if inputs else module(x)
        return values[name]
