"""torchvision's networks: what the project's graphs of the same names must be equal to."""

from torch import library

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def import_torchvision():
    """torchvision's compiled operators (boxes, video) belong to one build of PyTorch and may not load beside another; the networks do without them."""
    try:
        import torchvision
    except RuntimeError:
        for operator in ("nms", "qnms"):
            library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    return torchvision


torchvision = import_torchvision()


def normalised(images):
    """Images (N, 3, height, width) in -127..128 as torchvision's weights expect them."""
    mean = images.new_tensor(MEAN).view(1, 3, 1, 1)
    std = images.new_tensor(STD).view(1, 3, 1, 1)
    return ((images + 127) / 255 - mean) / std


def make_torchvision_network(name, classes):
    """The network without dropout, whose random numbers are nobody else's; it takes what {@link normalised} gives."""
    options = {"dropout": 0.0} if name in ("alexnet", "mobilenet_v2") else {}
    return torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
