"""3×3 convolutions, forward and backward: one compiled program here, eager calls in PyTorch.

    python benchmarks/convolution.py [rounds]

Interleaved rounds, medians, two threads, float32; PyTorch plain and with channels_last, of which
the faster counts.  A step computes relu(conv(x)) and the gradients of the weights and the input.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch

import pellucid
from pellucid import nn

CASES = (
    (64, 1, 32, 28),
    (64, 32, 64, 28),
    (64, 64, 64, 32),
    (64, 128, 128, 16),
    (64, 256, 256, 8),
    (64, 512, 512, 4),
)
"""(images, channels, filters, side)."""


def ours(n: int, c: int, o: int, side: int) -> Callable[[], object]:
    """A step here."""
    layer = nn.Conv2d(c, o, 3, padding=1)
    x = pellucid.randn(n, c, side, side, requires_grad=True)

    def step(image: pellucid.Tensor) -> tuple[pellucid.Tensor, ...]:
        out = layer(image).relu()
        grads = pellucid.autograd.grad((out * out).sum(), [layer.weight, layer.bias, image])
        return tuple(grads)

    compiled = pellucid.compile(step)
    return lambda: compiled(x)


def theirs(n: int, c: int, o: int, side: int, last: bool) -> Callable[[], object]:
    """A step in PyTorch."""
    layout = torch.channels_last if last else torch.contiguous_format
    layer = torch.nn.Conv2d(c, o, 3, padding=1).to(memory_format=layout)
    x = torch.randn(n, c, side, side).to(memory_format=layout).requires_grad_()

    def step() -> object:
        out = layer(x).relu()
        return torch.autograd.grad((out * out).sum(), [layer.weight, layer.bias, x])

    return step


def main(rounds: int = 15) -> None:
    """Print a table."""
    torch.set_num_threads(2)
    print("images channels filters side |  ours ms  GFLOP/s | torch ms  (channels_last) | ratio")
    for n, c, o, side in CASES:
        steps = [ours(n, c, o, side), *(theirs(n, c, o, side, last) for last in (False, True))]
        times: list[list[float]] = [[] for _ in steps]
        for turn in range(rounds + 2):
            for step, spent in zip(steps, times, strict=True):
                start = time.perf_counter()
                step()
                if turn >= 2:
                    spent.append(time.perf_counter() - start)
        mine, plain, last = (1e3 * statistics.median(t) for t in times)
        flop = 3 * 2 * n * side * side * c * o * 9
        print(
            f"{n:6} {c:8} {o:7} {side:4} | {mine:8.2f} {flop / mine / 1e6:8.0f} | "
            f"{plain:8.2f} {last:15.2f} | {min(plain, last) / mine:5.2f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
