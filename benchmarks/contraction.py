"""Matrix products: our generated kernels against PyTorch, NumPy and the machine's peak.

    python benchmarks/contraction.py [--threads 2] [--repeats 15] [--dtype float32]

For each shape and each of the three forms of a linear layer (NN: C = A·B, NT: B given transposed,
TN: A given transposed) prints GFLOP/s of all contestants, measured in turns in one run (medians),
and our share of the multiply-add peak measured on the same number of threads.  PyTorch is left
out if it is not installed.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import threading
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
Kernel = Callable[[int, int, int, int], None]


def contraction(rows: int, columns: int, depth: int, form: str, dtype: str) -> Contraction:
    """One product whose operands are contiguous in the given form."""
    a = (0, depth, 1) if form[0] == "N" else (0, 1, rows)
    b = (0, columns, 1) if form[1] == "N" else (0, 1, depth)
    return Contraction(dtype, 1, rows, columns, depth, a, b, (0, columns))


class Threads:
    """Two or more Python threads that run a kernel's chunks, spinning on a counter between runs."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.work: Callable[[int], None] = lambda index: None
        self.gates = [threading.Semaphore(0) for _ in range(count - 1)]
        self.done = threading.Semaphore(0)
        for index in range(1, count):
            threading.Thread(target=self._serve, args=(index,), daemon=True).start()

    def _serve(self, index: int) -> None:
        while True:
            self.gates[index - 1].acquire()
            self.work(index)
            self.done.release()

    def run(self, work: Callable[[int], None]) -> None:
        """``work(0) … work(count − 1)``, the first on this thread."""
        self.work = work
        for gate in self.gates:
            gate.release()
        work(0)
        for _ in self.gates:
            self.done.acquire()


def ours(
    spec: Contraction, a: np.ndarray, b: np.ndarray, threads: Threads
) -> tuple[Callable[[], None], np.ndarray, ContractionPlan, float]:
    """A call that computes C, C itself, the plan, and milliseconds to compile."""
    target = host_target()
    plan = plan_contraction(spec, target)
    texts = {f.name: module_text([f]) for f in emit_contraction("product", spec, target)}
    start = time.perf_counter()
    for name, text in texts.items():
        compile_kernel(name, text, target)
    compile_ms = (time.perf_counter() - start) * 1e3 / len(texts)
    addresses = load_kernels(texts, target)
    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2)
    kernels: list[Kernel] = [signature(addresses[name]) for name in texts]
    c = np.zeros((spec.rows, spec.columns), spec.dtype)
    scratch = np.zeros(plan.scratch_bytes + 64, np.uint8)
    operands = [a, b, c, scratch]
    table = (ctypes.c_void_p * 4)(*(o.ctypes.data for o in operands))
    slots = (ctypes.c_int32 * 4)(*range(4))
    places = ctypes.addressof(table), ctypes.addressof(slots)

    def call() -> None:
        assert operands and table and slots  # keep the memory alive as long as the call is
        for kernel, part in zip(kernels, plan.kernels, strict=True):
            if part.chunks == 1 or threads.count == 1:
                kernel(*places, 0, part.chunks)
                continue
            cuts = [part.chunks * i // threads.count for i in range(threads.count + 1)]
            threads.run(lambda i, k=kernel, cuts=cuts: k(*places, cuts[i], cuts[i + 1]))

    return call, c, plan, compile_ms


def medians(
    contestants: dict[str, Callable[[], object]], flop: int, repeats: int
) -> dict[str, float]:
    """GFLOP/s of each, from the median of runs taken in turns; tiny calls are timed in batches."""
    turns = max(1, min(300, int(2e8 // max(1, flop))))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(repeats + 2):
        for name, call in contestants.items():
            time.sleep(0.04)  # the others' worker threads spin on the cores for a while
            call()  # and have had the caches since our last turn
            start = time.perf_counter()
            for _ in range(turns):
                call()
            if repeat >= 2:
                times[name].append((time.perf_counter() - start) / turns)
    return {name: flop / statistics.median(t) / 1e9 for name, t in times.items()}


def measure(
    shape: tuple[int, int, int], form: str, dtype: str, threads: Threads, repeats: int
) -> tuple[dict[str, float], ContractionPlan, float]:
    """GFLOP/s of all contestants for one product, our plan and our compile time."""
    rows, columns, depth = shape
    random = np.random.default_rng(7)
    a = random.standard_normal((rows, depth) if form[0] == "N" else (depth, rows)).astype(dtype)
    b = random.standard_normal((depth, columns) if form[1] == "N" else (columns, depth))
    b = b.astype(dtype)
    spec = contraction(rows, columns, depth, form, dtype)
    call, c, plan, compile_ms = ours(spec, a, b, threads)
    left, right = (a if form[0] == "N" else a.T), (b if form[1] == "N" else b.T)
    call()
    np.testing.assert_allclose(c, left @ right, rtol=1e-3, atol=1e-3 * depth**0.5)
    out = np.empty_like(c)
    contestants: dict[str, Callable[[], object]] = {
        "ours": call,
        "numpy": lambda: np.matmul(left, right, out=out),
    }
    try:
        import torch
    except ImportError:
        pass
    else:
        torch.set_num_threads(threads.count)
        ta, tb, tc = torch.from_numpy(left), torch.from_numpy(right), torch.from_numpy(out)
        contestants["torch"] = lambda: torch.mm(ta, tb, out=tc)
    return medians(contestants, spec.flop, repeats), plan, compile_ms


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--only", default="", help="one shape, as 64x256x784")
    options = parser.parse_args()
    threads = Threads(options.threads)
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
            rates, plan, compile_ms = measure(shape, form, options.dtype, threads, options.repeats)
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
