"""What a start costs: importing, the first step, and compiling deep networks.

    python benchmarks/startup.py [--repeats 5] [--markdown]

Everything is measured in fresh processes, medians over the repeats: ``import pellucid``; from the
start of Python to the end of the first training step of the mnist network (784-256-128-10, batch
64, Adam) with an empty and with a full code cache; and the first step of networks of 25, 50 and
100 layers of width 64 with an empty cache, which is compilation almost alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import table, use_cores

IMPORT = "import pellucid"

FIRST_STEP = """
from contestants import WORKLOADS, Ours
Ours(WORKLOADS["mnist"], {threads}).run(1)
"""

DEPTH = """
import time
import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim
pellucid.set_num_threads({threads})
layers = [m for _ in range({depth} - 1) for m in (nn.Linear(64, 64), nn.ReLU())]
model = nn.Sequential(*layers, nn.Linear(64, 10))
optimizer = optim.Adam(model.parameters())
@pellucid.compile
def step(x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.detach()
x, y = pellucid.zeros(32, 64), pellucid.zeros(32, dtype=pellucid.int64)
pellucid.compile(lambda a: a + 1)(pellucid.zeros(3))  # LLVM is loaded
start = time.perf_counter()
step(x, y).item()
print(time.perf_counter() - start)
"""


def seconds(program: str, cache: str) -> float:
    """What the program prints last, or else its time from start to end."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        env=os.environ | {"PELLUCID_CACHE": cache},
    )
    spent = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.split()[-1]) if done.stdout.strip() else spent


def median(program: str, repeats: int, cache: str | None = None) -> float:
    """Median over fresh processes; each with an empty cache unless one is given."""
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as empty:
            found.append(seconds(program, cache or empty))
    return statistics.median(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    threads, repeats = use_cores(options.threads), options.repeats
    first = FIRST_STEP.format(threads=threads)
    python = median("pass", repeats)
    numpy = median("import numpy", repeats)
    rows = [["start Python alone", python, "-"], ["Python and import numpy", numpy, "-"]]
    rows += [["import pellucid, numpy included", median(IMPORT, repeats) - python, "≤ 0.25"]]
    rows += [["mnist, Python start to first step, empty cache", median(first, repeats), "≤ 1.0"]]
    with tempfile.TemporaryDirectory() as cache:
        seconds(first, cache)
        full = median(first, repeats, cache)
    rows += [["mnist, Python start to first step, full cache", full, "≤ 0.35"]]
    for depth, goal in ((25, "-"), (50, "-"), (100, "≤ 2.0")):
        program = DEPTH.format(threads=threads, depth=depth)
        rows += [[f"first step, {depth} layers, empty cache", median(program, repeats), goal]]
    text = [[str(name), f"{float(value):.3f}", str(goal)] for name, value, goal in rows]
    print(table(["start", "s", "goal, s"], text, options.markdown))


if __name__ == "__main__":
    main()
