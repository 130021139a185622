"""Training steps of ResNet-50 in PyTorch on the first GPU, the fastest that PyTorch offers: channels_last, autocast or TF32, fused SGD,
eager and torch.compile(mode='max-autotune'), which uses CUDA graphs. Images are on the device already. Prints one JSON object a line.

Usage: peer.py BATCH_SIZE float32|tf32|bfloat16 eager|compile [STEPS]
"""

import json
import sys
import time

import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width),
        )
        project = stride != 1 or channels != 4 * width
        self.skip = (
            nn.Sequential(nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)) if project else nn.Identity()
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.body(x) + self.skip(x))


def resnet50() -> nn.Module:
    """v1.5: the stride sits in the 3 x 3. Written down here because torchvision may not be there."""
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, count in enumerate((3, 4, 6, 3)):
        for block in range(count):
            layers.append(Bottleneck(channels, 64 << stage, 2 if stage > 0 and block == 0 else 1))
            channels = 4 * (64 << stage)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def main(batch: int, precision: str, mode: str, steps: int) -> None:
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    allow_tf32 = precision != 'float32'
    torch.backends.cuda.matmul.allow_tf32 = allow_tf32
    torch.backends.cudnn.allow_tf32 = allow_tf32
    model = resnet50().cuda().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)
    loss_of = nn.CrossEntropyLoss()
    images = torch.randn(batch, 3, 224, 224, device='cuda').to(memory_format=torch.channels_last)
    labels = torch.randint(1000, (batch,), device='cuda')

    def forward(images, labels):
        with torch.autocast('cuda', torch.bfloat16, enabled=precision == 'bfloat16'):
            return loss_of(model(images), labels)

    if mode == 'compile':
        forward = torch.compile(forward, mode='max-autotune')

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(images, labels)
        loss.backward()
        optimizer.step()
        return loss

    began = time.perf_counter()
    for _ in range(10):
        step()
    torch.cuda.synchronize()
    prepare = time.perf_counter() - began
    times = []
    for _ in range(steps):
        start = torch.cuda.Event(enable_timing=True)
        end = torch.cuda.Event(enable_timing=True)
        start.record()
        loss = step()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    times.sort()
    milliseconds = times[len(times) // 2]
    print(json.dumps({
        'side': f'pytorch {mode}', 'network': 'resnet50', 'batch': batch, 'precision': precision, 'gpu': torch.cuda.get_device_name(),
        'torch': torch.__version__, 'cudnn': torch.backends.cudnn.version(), 'prepare_s': round(prepare, 1),
        'device_ms': round(milliseconds, 3), 'device_images_per_s': round(1000 * batch / milliseconds, 1),
        'memory_bytes': torch.cuda.max_memory_allocated(), 'loss': float(loss),
    }))


if __name__ == '__main__':
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 30)
