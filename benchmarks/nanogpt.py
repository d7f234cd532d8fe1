"""One training step of a small GPT, ours compiled against PyTorch eager, measured in turns.

Run it as ``python benchmarks/nanogpt.py [--size gpt256] [--rounds 15] [--explain]``.  The size
nanogpt has 4 layers, 4 heads, 128 features, contexts of 64 and batches of 12; gpt256 has 6 layers,
8 heads, 256 features, contexts of 256 and batches of 8.  65 tokens, AdamW, float32.  Both start
from the same weights and see the same batches, and the losses are compared before any time is
taken.  ``--compiled`` lets torch.compile take part.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZES = {"nanogpt": (4, 4, 128, 64, 65, 12), "gpt256": (6, 8, 256, 256, 65, 8)}
LAYERS, HEADS, WIDTH, CONTEXT, TOKENS, BATCH = SIZES["nanogpt"]
LEARNING_RATE = 1e-3


def flop() -> int:
    """Multiplications and additions of the matrix products of one step: forward times three."""
    rows = BATCH * CONTEXT
    block = 2 * rows * WIDTH * (3 + 1 + 4 + 4) * WIDTH + 2 * 2 * rows * CONTEXT * WIDTH
    return 3 * (LAYERS * block + 2 * rows * WIDTH * TOKENS)


def batches() -> tuple[np.ndarray, np.ndarray]:
    """Token ids (8, batch, context) and the ids after them."""
    ids = np.random.default_rng(1).integers(0, TOKENS, (8, BATCH, CONTEXT + 1))
    return np.ascontiguousarray(ids[..., :-1]), np.ascontiguousarray(ids[..., 1:])


def our_model() -> Any:
    """The model of ``pellucid.models.gpt``."""
    import pellucid
    from pellucid.models.gpt import GPT, GPTConfig

    pellucid.manual_seed(0)
    return GPT(GPTConfig(TOKENS, CONTEXT, LAYERS, HEADS, WIDTH))


def ours(threads: int) -> tuple[Callable[[int], Any], Any]:
    """A step by number, and the compiled function behind it."""
    import pellucid
    from pellucid import optim

    pellucid.set_num_threads(threads)
    model = our_model()
    optimizer = optim.AdamW(model.parameters(), lr=LEARNING_RATE)

    @pellucid.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = model.loss(x, y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    x, y = (pellucid.tensor(a) for a in batches())
    pairs = [(x[i], y[i]) for i in range(8)]
    return lambda i: step(*pairs[i % 8]), (step, pairs[0])


def theirs(threads: int, compiled: bool = False) -> Callable[[int], Any]:
    """The same network in PyTorch, with its fused optimizer."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(threads)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c_attn, self.c_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            n, t, e = x.shape
            q, k, v = (p.view(n, t, HEADS, -1).transpose(1, 2) for p in self.c_attn(x).split(e, 2))
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.c_proj(y.transpose(1, 2).reshape(n, t, e))

    class MLP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c_fc, self.c_proj = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            return self.c_proj(functional.gelu(self.c_fc(x)))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.attn = nn.LayerNorm(WIDTH), Attention()
            self.ln_2, self.mlp = nn.LayerNorm(WIDTH), MLP()

        def forward(self, x: Any) -> Any:
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = nn.ModuleDict(
                {
                    "wte": nn.Embedding(TOKENS, WIDTH),
                    "wpe": nn.Embedding(CONTEXT, WIDTH),
                    "h": nn.ModuleList([Block() for _ in range(LAYERS)]),
                    "ln_f": nn.LayerNorm(WIDTH),
                }
            )
            self.lm_head = nn.Linear(WIDTH, TOKENS, bias=False)
            self.lm_head.weight = self.transformer["wte"].weight

        def forward(self, x: Any) -> Any:
            parts = self.transformer
            x = parts["wte"](x) + parts["wpe"].weight
            for block in parts["h"]:
                x = block(x)
            return self.lm_head(parts["ln_f"](x))

    model = Net()
    state = {k: torch.tensor(v.detach().numpy()) for k, v in our_model().state_dict().items()}
    model.load_state_dict(state)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
    x, y = map(torch.tensor, batches())
    run = torch.compile(model) if compiled else model

    def step(i: int) -> Any:
        optimizer.zero_grad()
        scores = run(x[i % 8])
        loss = functional.cross_entropy(scores.view(-1, TOKENS), y[i % 8].view(-1))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--explain", action="store_true", help="what our program became")
    parser.add_argument("--size", choices=list(SIZES), default="nanogpt")
    parser.add_argument("--compiled", action="store_true", help="measure torch.compile as well")
    options = parser.parse_args()
    global LAYERS, HEADS, WIDTH, CONTEXT, TOKENS, BATCH
    LAYERS, HEADS, WIDTH, CONTEXT, TOKENS, BATCH = SIZES[options.size]
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    from pellucid.backends.cpu.target import measure_peak

    start = time.perf_counter()
    own, (program, pair) = ours(options.threads)
    contestants = {"ours": own}
    float(own(0))
    first = time.perf_counter() - start
    contestants["PyTorch eager"] = theirs(options.threads)
    contestants["PyTorch eager"](0)
    if options.compiled:
        contestants["torch.compile"] = theirs(options.threads, compiled=True)
        contestants["torch.compile"](0)
    losses = [[float(step(i)) for i in range(1, 9)] for step in contestants.values()]
    for other in losses[1:]:
        for a, b in zip(losses[0], other, strict=True):
            if not math.isclose(a, b, rel_tol=2e-3):
                raise SystemExit(f"PyTorch trains to loss {b:.6f} where ours has {a:.6f}")
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, step in contestants.items():
            step(0)
            start = time.perf_counter()
            for i in range(4):
                last = step(i)
            float(last)
            times[name].append((time.perf_counter() - start) / 4 * 1e3)
    peak = measure_peak(options.threads)
    limit = flop() / peak / 1e6
    print(f"{flop() / 1e9:.2f} GFLOP a step, measured peak {peak:.0f} GFLOP/s: {limit:.1f} ms")
    print(f"first step of ours {first:.2f} s")
    for name, found in times.items():
        middle = statistics.median(found)
        print(f"{name:14} median {middle:6.1f} ms, best {min(found):6.1f} ms, ", end="")
        print(f"{limit / middle:.0%} of the peak")
    if options.explain:
        print(program.explain())


if __name__ == "__main__":
    main()
