"""How long the first call of an unrolled loop takes, by its length: tracing, planning, LLVM.

    python benchmarks/unrolled.py [--lengths 1000,4000,10000] [--only softmax,products] [--markdown]

Each loop is a Python loop inside of a compiled function on an 8 × 8 float32 tensor, with an empty
cache; with its gradient as a second row.  Time in proportion to length is the aim: the last column
is the time of the longest over that of the shortest, over the ratio of their lengths.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable

import numpy as np
from measuring import table

import pellucid
from pellucid import Tensor

Step = Callable[[Tensor], Tensor]

STEPS: dict[str, Step] = {
    "elementwise": lambda x: pellucid.sin(x) * 1.01,
    "products": lambda x: x @ pellucid.eye(8),
    "concatenations": lambda x: pellucid.cat([x[:, 1:], x[:, :1]], 1),
    "means": lambda x: x - x.mean(1, keepdim=True),
    "softmax": lambda x: pellucid.softmax(x, 1),
    "choices": lambda x: pellucid.where(x > 0, x, -x * 0.5) + 0.1,
}


def seconds(step: Step, length: int, gradient: bool) -> float:
    """The first call of ``length`` steps, nothing being cached."""

    def unrolled(x: Tensor) -> Tensor:
        for _ in range(length):
            x = step(x)
        return x

    def slope(x: Tensor) -> Tensor:
        leaf = x.detach().requires_grad_()
        return pellucid.grad(unrolled(leaf).sum(), [leaf])[0]

    x = pellucid.tensor(np.random.default_rng(0).normal(size=(8, 8)), dtype=pellucid.float32)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PELLUCID_CACHE"] = folder
        pellucid.clear_caches()
        begin = time.perf_counter()
        pellucid.compile(slope if gradient else unrolled)(x)
        return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", default="1000,4000,10000")
    parser.add_argument("--only", default=",".join(STEPS), help="loops, with commas")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    lengths = [int(n) for n in options.lengths.split(",")]
    seconds(STEPS["elementwise"], 10, False)  # imports
    head = ["first call, s", *(f"{n:,} steps" for n in lengths), "growth / length"]
    rows = []
    for name in options.only.split(","):
        for gradient in (False, True):
            found = [seconds(STEPS[name], n, gradient) for n in lengths]
            growth = found[-1] / found[0] / (lengths[-1] / lengths[0])
            title = f"{name} and their gradient" if gradient else name
            rows.append([title, *(f"{s:.2f}" for s in found), f"{growth:.2f}"])
    print(table(head, rows, options.markdown))


if __name__ == "__main__":
    main()
