"""Matrix products: our generated kernels against PyTorch, NumPy and the machine's peak.

    python benchmarks/contraction.py [--threads 2] [--repeats 15] [--dtype float32]

For each shape and each of the three forms of a linear layer (NN: C = A·B, NT: B given transposed,
TN: A given transposed) prints GFLOP/s of all contestants, measured alternately in one run
(medians), and our share of the multiply-add peak on the same number of threads.  PyTorch is left
out if it is not installed.  Ours runs as it does inside a compiled step: the thread pool, and for
short products many runs in one native call.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from pellucid.backends.cpu.contraction import (
    Contraction,
    ContractionPlan,
    emit_contraction,
    plan_contraction,
)
from pellucid.backends.cpu.engine import compile_kernel, load_kernels
from pellucid.backends.cpu.ir import module_text
from pellucid.backends.cpu.runtime import NativeProgram, Region, Task, set_num_threads
from pellucid.backends.cpu.target import host_target, measure_peak

SHAPES = [  # rows, columns, depth
    (256, 2048, 1024),
    (1024, 1024, 1024),
    (64, 256, 784),
    (768, 384, 128),
    (700, 10000, 200),
    (63, 255, 783),
    (256, 1000, 2048),
    (64, 784, 256),
    (10, 128, 60000),
    (64, 10, 128),
    (32, 8, 2),
    (1, 1024, 1024),
]
FORMS = ("NN", "NT", "TN")


def contraction(rows: int, columns: int, depth: int, form: str, dtype: str) -> Contraction:
    """One product whose operands are contiguous in the given form."""
    a = (0, depth, 1) if form[0] == "N" else (0, 1, rows)
    b = (0, columns, 1) if form[1] == "N" else (0, 1, depth)
    return Contraction(dtype, 1, rows, columns, depth, a, b, (0, columns))


def ours(
    spec: Contraction, a: np.ndarray, b: np.ndarray
) -> tuple[NativeProgram, np.ndarray, ContractionPlan, float, list[np.ndarray]]:
    """A program that computes C, C itself, the plan, milliseconds to compile, its buffers."""
    target = host_target()
    plan = plan_contraction(spec, target)
    texts = {f.name: module_text([f]) for f in emit_contraction("product", spec, target)}
    start = time.perf_counter()
    for name, text in texts.items():
        compile_kernel(name, text, target)
    compile_ms = (time.perf_counter() - start) * 1e3 / len(texts)
    addresses = load_kernels(texts, target)
    c = np.zeros((spec.rows, spec.columns), spec.dtype)
    buffers = [a, b, c, np.zeros(plan.scratch_bytes + 64, np.uint8)]
    regions = [
        Region([Task(addresses[name], range(4), kernel.chunks)], parallel=True)
        for name, kernel in zip(texts, plan.kernels, strict=True)
    ]
    program = NativeProgram(len(buffers), regions)
    program.table[:] = [buffer.ctypes.data for buffer in buffers]
    return program, c, plan, compile_ms, buffers


def medians(
    contestants: dict[str, Callable[[int], object]], flop: int, repeats: int
) -> dict[str, float]:
    """GFLOP/s of each, from the median of alternating runs; short ones are timed in batches."""
    turns = max(3, min(300, int(2e8 // max(1, flop))))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(repeats + 2):
        for name, call in contestants.items():
            time.sleep(0.04)  # the others' worker threads spin on the cores for a while
            warm = time.perf_counter() + 0.1  # until its own are awake on cores of their own
            while time.perf_counter() < warm:
                call(turns)
            start = time.perf_counter()
            call(turns)
            if repeat >= 2:
                times[name].append((time.perf_counter() - start) / turns)
    return {name: flop / statistics.median(t) / 1e9 for name, t in times.items()}


def measure(
    shape: tuple[int, int, int], form: str, dtype: str, threads: int, repeats: int
) -> tuple[dict[str, float], ContractionPlan, float]:
    """GFLOP/s of all contestants for one product, our plan and our compile time."""
    rows, columns, depth = shape
    random = np.random.default_rng(7)
    a = random.standard_normal((rows, depth) if form[0] == "N" else (depth, rows)).astype(dtype)
    b = random.standard_normal((depth, columns) if form[1] == "N" else (columns, depth))
    b = b.astype(dtype)
    spec = contraction(rows, columns, depth, form, dtype)
    program, c, plan, compile_ms, _buffers = ours(spec, a, b)
    left, right = (a if form[0] == "N" else a.T), (b if form[1] == "N" else b.T)
    program.run()
    np.testing.assert_allclose(c, left @ right, rtol=1e-3, atol=1e-3 * depth**0.5)
    out = np.empty_like(c)
    contestants: dict[str, Callable[[int], object]] = {
        "ours": program.run,
        "numpy": lambda turns: [np.matmul(left, right, out=out) for _ in range(turns)],
    }
    try:
        import torch
    except ImportError:
        pass
    else:
        torch.set_num_threads(threads)
        ta, tb, tc = torch.from_numpy(left), torch.from_numpy(right), torch.from_numpy(out)
        contestants["torch"] = lambda turns: [torch.mm(ta, tb, out=tc) for _ in range(turns)]
    return medians(contestants, spec.flop, repeats), plan, compile_ms


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--only", default="", help="one shape, as 64x256x784")
    options = parser.parse_args()
    set_num_threads(options.threads)
    peak = measure_peak(options.threads) / (1 if options.dtype == "float32" else 2)
    print(f"peak {peak:.0f} GFLOP/s on {options.threads} threads, {options.dtype}")
    print(
        f"{'M x N x K':>18} form {'ours':>7} {'share':>6} {'torch':>7} {'numpy':>7} "
        f"{'chunks':>6} {'compile ms':>10}  plan"
    )
    shapes = SHAPES
    if options.only:
        m, n, k = map(int, options.only.split("x"))
        shapes = [(m, n, k)]
    for shape in shapes:
        for form in FORMS:
            rates, plan, compile_ms = measure(
                shape, form, options.dtype, options.threads, options.repeats
            )
            text = "x".join(map(str, shape))
            print(
                f"{text:>18} {form:>4} {rates['ours']:7.1f} {rates['ours'] / peak:6.0%} "
                f"{rates.get('torch', float('nan')):7.1f} {rates['numpy']:7.1f} "
                f"{plan.kernels[0].chunks:6d} {compile_ms:10.1f}  {describe(plan)}"
            )


def describe(plan: ContractionPlan) -> str:
    """The main choices of a plan in a few words."""
    return (
        f"{plan.kind} {plan.rows.tile}x{plan.columns.tile} chunk {plan.rows.chunk}x"
        f"{plan.columns.chunk} block {plan.depth_block} A:{plan.pack_a} B:{plan.pack_b}"
        + (f" split {plan.splits}" if plan.splits > 1 else "")
    )


if __name__ == "__main__":
    main()
