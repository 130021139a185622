"""
The peer of `npm run bench -- apply`: ONNX Runtime on the CPU with the model that the daemon exports.

A worker (worker.py) that loads FOLDER/model.onnx and FOLDER/images; the answer to "prepare" is {"confidences": [of all images]}.
CASE: {size, batch, threads, folder}. The images are uint8 (batch, size, size, 3); preprocessing is part of the model.
"""

import time
from pathlib import Path

import numpy as np
import onnxruntime
from worker import serve


class Application:
    def __init__(self, case):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = case["threads"]
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        folder = Path(case["folder"])
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
        pixels = np.frombuffer((folder / "images").read_bytes(), dtype=np.uint8)
        self.images = {self.session.get_inputs()[0].name: pixels.reshape(case["batch"], case["size"], case["size"], 3)}

    def apply(self):
        return self.session.run(None, self.images)[0]

    def step(self):
        begin = time.perf_counter()
        self.apply()
        return time.perf_counter() - begin

    def steps(self, count):
        return {"seconds": [self.step() for _ in range(count)]}


def prepare(case):
    application = Application(case)
    return application, {"confidences": application.apply().ravel().tolist()}


if __name__ == "__main__":
    serve(prepare)
