"""Attention alone, forward and backward, against PyTorch's fused kernel, over the positions.

Run it as ``python benchmarks/attention.py [--rounds 7] [--causal]``.  8 heads of 64 features in
texts of T positions, float32, read from (N, T, heads, features) as models have them.  Besides
the times: bytes of the intermediate values of our program, and of the scores if they were stored.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

HEADS, WIDTH = 8, 64
LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096)


def arrays(length: int) -> list[np.ndarray]:
    """Queries, keys, values and the cotangent of the result."""
    rng = np.random.default_rng(0)
    shape = (max(1, 256 // length), length, HEADS, WIDTH)
    return [rng.standard_normal(shape, dtype=np.float32) for _ in range(4)]


def ours(given: list[np.ndarray], causal: bool) -> tuple[Callable[[], Any], Callable[[], Any], Any]:
    """Forward, forward and backward, and the second as a program."""
    import pellucid
    from pellucid.nn.functional import scaled_dot_product_attention

    tensors = [pellucid.tensor(a) for a in given]

    def attend(q: Any, k: Any, v: Any) -> Any:
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        return scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2)

    @pellucid.compile
    def forward(q: Any, k: Any, v: Any) -> Any:
        return attend(q, k, v).reshape(*q.shape[:2], -1)

    @pellucid.compile
    def both(q: Any, k: Any, v: Any, g: Any) -> Any:
        leaves = [x.detach().requires_grad_() for x in (q, k, v)]
        return pellucid.grad((attend(*leaves) * g).sum(), leaves)

    def quiet() -> Any:
        with pellucid.no_grad():
            return forward(*tensors[:3])

    return quiet, lambda: both(*tensors), both


def theirs(given: list[np.ndarray], causal: bool) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The same two in PyTorch."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    leaves = [torch.tensor(a).requires_grad_() for a in given[:3]]
    cotangent = torch.tensor(given[3])

    def attend() -> Any:
        q, k, v = (x.transpose(1, 2) for x in leaves)
        return scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2)

    def forward() -> Any:
        with torch.inference_mode():
            return attend().reshape(*given[0].shape[:2], -1)

    def both() -> Any:
        return torch.autograd.grad((attend() * cotangent).sum(), leaves)

    return forward, both


def main() -> None:
    """Print a line for each number of positions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--causal", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    import torch

    import pellucid

    torch.set_num_threads(options.threads)
    pellucid.set_num_threads(options.threads)
    print("    T  forward ms  PyTorch  both ms  PyTorch  ours MiB  scores MiB")
    for length in LENGTHS:
        given = arrays(length)
        *own, program = ours(given, options.causal)
        jobs = [own[0], theirs(given, options.causal)[0], own[1], theirs(given, options.causal)[1]]
        best = [float("inf")] * len(jobs)
        for job in jobs:
            job()
        for _ in range(options.rounds if length < 2048 else 3):
            for i, job in enumerate(jobs):
                start = time.perf_counter()
                job()
                best[i] = min(best[i], time.perf_counter() - start)
        used = program.explain(calls=1).arena_bytes / 2**20
        scores = given[0].shape[0] * HEADS * length**2 * 4 / 2**20
        times = "  ".join(f"{1e3 * t:9.2f}" for t in best)
        print(f"{length:5}  {times}  {used:8.1f}  {scores:8.1f}")


if __name__ == "__main__":
    main()
