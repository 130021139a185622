"""
How a peer is driven: one JSON request a line on standard input, one JSON answer a line on standard output; between two requests it sleeps.
  {"prepare": CASE}   makes what is to be measured; answers what `prepare` returns
  {"steps": N}        measures; answers what the prepared one's steps(N) returns, {"seconds": [each step], ...}
  {"memory": true}    answers {"peak_bytes": VmHWM of this process}
"""

import json
import sys
from pathlib import Path


def serve(prepare):
    """`prepare` takes the case and returns what is to be measured, with a method steps(count), and its answer."""
    prepared = None
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            prepared, answer = prepare(request["prepare"])
        elif "steps" in request:
            answer = prepared.steps(request["steps"])
        elif "memory" in request:
            answer = {"peak_bytes": peak_bytes()}
        else:
            raise ValueError(f"unknown request {line}")
        print(json.dumps(answer), flush=True)


def peak_bytes():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM")
