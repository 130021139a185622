"""
The peer of `npm run bench -- apply`: ONNX Runtime on the CPU with the model that the daemon exports.

A worker: one JSON request a line on standard input, one JSON answer a line on standard output; between two requests it sleeps.
  {"prepare": CASE}   loads FOLDER/model.onnx and FOLDER/images; answers {"confidences": [of all images]}
  {"steps": N}        applies it; answers {"seconds": [each call]}
  {"memory": true}    answers {"peak_bytes": VmHWM of this process}
CASE: {size, batch, threads, folder}. The images are uint8 (batch, size, size, 3); preprocessing is part of the model.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime


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


def peak_bytes():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM")


def main():
    application = None
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            application = Application(request["prepare"])
            answer = {"confidences": application.apply().ravel().tolist()}
        elif "steps" in request:
            answer = {"seconds": [application.step() for _ in range(request["steps"])]}
        elif "memory" in request:
            answer = {"peak_bytes": peak_bytes()}
        else:
            raise ValueError(f"unknown request {line}")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
