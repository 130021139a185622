"""
The peer of `npm run bench -- step`: a training step in PyTorch, as quick as plain PyTorch gets without a compiler.

A worker (worker.py): the answer to "prepare" is {}, that to "steps" has "phases": {"forward", "backward", "update": seconds of all steps}.
CASE: {network, graph, classes, width, height, batch, precision, threads, variant: {channels_last, optimizer: "foreach" | "fused"}}.

A step is what the engine's step is: uint8 images (N, height, width, channels) in memory -> float and normalised -> forward -> loss ->
backward -> SGD with momentum and weight decay on the weights of convolutions and fully connected layers. bfloat16 is autocast over float32
weights. resnet18 is the network as people write it, any other one comes from the project's graph.
"""

import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "python"))
from torch_graph import GraphNetwork  # noqa: E402
from torch_resnet18 import ResNet18  # noqa: E402
from torch_training import arithmetic, regularised  # noqa: E402
from worker import serve  # noqa: E402

LEARNING_RATE = 0.001
MOMENTUM = 0.9
WEIGHT_PRIOR = 0.0001


class Training:
    def __init__(self, case):
        variant = case["variant"]
        torch.set_num_threads(case["threads"])
        torch.manual_seed(1)
        self.precision = case["precision"]
        self.layout = torch.channels_last if variant["channels_last"] else torch.contiguous_format
        if case["network"] == "resnet18":
            network = ResNet18(case["classes"])
        else:
            network = GraphNetwork(case["graph"], 3, case["height"], case["width"])
        self.network = network.to(memory_format=self.layout).train()
        chosen = regularised(network)
        groups = [
            {"params": [p for p in network.parameters() if id(p) in chosen], "weight_decay": WEIGHT_PRIOR},
            {"params": [p for p in network.parameters() if id(p) not in chosen], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.SGD(groups, lr=LEARNING_RATE, momentum=MOMENTUM, **{variant["optimizer"]: True})
        self.pixels = torch.randint(0, 256, (case["batch"], case["height"], case["width"], 3), dtype=torch.uint8)
        self.labels = torch.randint(0, case["classes"], (case["batch"],))

    def step(self, phases):
        begin = time.perf_counter()
        # The permuted tensor is channels_last in memory already: its conversion costs one pass, as does the other layout's.
        images = self.pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=self.layout).sub_(127)
        with arithmetic(self.precision):
            logits = self.network(images)
        loss = F.cross_entropy(logits.float(), self.labels)
        forward = time.perf_counter()
        loss.backward()
        backward = time.perf_counter()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if not loss.isfinite():
            raise ArithmeticError(f"loss {loss.item()}")
        end = time.perf_counter()
        phases["forward"] += forward - begin
        phases["backward"] += backward - forward
        phases["update"] += end - backward
        return end - begin

    def steps(self, count):
        phases = {"forward": 0.0, "backward": 0.0, "update": 0.0}
        return {"seconds": [self.step(phases) for _ in range(count)], "phases": phases}


if __name__ == "__main__":
    serve(lambda case: (Training(case), {}))
