"""
Checks ONNX models with onnx's own checker and runs them with ONNX Runtime.

Reads a JSON array of {"model": file, "images": file of raw pixels, "type": "uint8" | "float32", "shape": of the images,
"torchvision": null or {"network", "classes", "weights": safetensors file}} on standard input; prints an array of {"confidences",
"torchvision": null or the confidences of torchvision's network with these weights in float64, "metadata", "opset",
"inputs": [{"name", "type", "shape"}], "outputs"}.
"""

import json
import sys

import numpy
import onnx
import onnxruntime


def describe(value):
    return {"name": value.name, "type": value.type, "shape": value.shape}


def torchvision_confidences(pixels, network, classes, weights):
    import torch
    from safetensors.torch import load_file

    from torchvision_networks import make_torchvision_network, normalised

    made = make_torchvision_network(network, classes)
    made.load_state_dict(load_file(weights), strict=True)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).double() - 127
    with torch.no_grad():
        return made.double().eval()(normalised(images)).softmax(1).tolist()


def run(model, images, type, shape, torchvision):
    checked = onnx.load(model)
    onnx.checker.check_model(checked, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    pixels = numpy.fromfile(images, dtype=type).reshape(shape)
    (confidences,) = session.run(None, {session.get_inputs()[0].name: pixels})
    return {
        "confidences": confidences.tolist(),
        "torchvision": torchvision and torchvision_confidences(pixels, **torchvision),
        "metadata": session.get_modelmeta().custom_metadata_map,
        "opset": [{"domain": o.domain, "version": o.version} for o in checked.opset_import],
        "inputs": [describe(value) for value in session.get_inputs()],
        "outputs": [describe(value) for value in session.get_outputs()],
    }


if __name__ == "__main__":
    print(json.dumps([run(**request) for request in json.load(sys.stdin)]))
