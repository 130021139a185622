"""
Checks ONNX models with onnx's own checker and runs them with ONNX Runtime.

Reads a JSON array of {"model": file, "images": file of raw pixels, "type": "uint8" | "float32", "shape": of the images} on standard input;
prints an array of {"confidences", "metadata", "opset", "inputs": [{"name", "type", "shape"}], "outputs"}.
"""

import json
import sys

import numpy
import onnx
import onnxruntime


def describe(value):
    return {"name": value.name, "type": value.type, "shape": value.shape}


def run(model, images, type, shape):
    checked = onnx.load(model)
    onnx.checker.check_model(checked, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    pixels = numpy.fromfile(images, dtype=type).reshape(shape)
    (confidences,) = session.run(None, {session.get_inputs()[0].name: pixels})
    return {
        "confidences": confidences.tolist(),
        "metadata": session.get_modelmeta().custom_metadata_map,
        "opset": [{"domain": o.domain, "version": o.version} for o in checked.opset_import],
        "inputs": [describe(value) for value in session.get_inputs()],
        "outputs": [describe(value) for value in session.get_outputs()],
    }


if __name__ == "__main__":
    print(json.dumps([run(**request) for request in json.load(sys.stdin)]))
