"""Tokens a second of a GPT that writes one text: ours against PyTorch and JAX, alternately.

Run it as ``python benchmarks/generate.py [--size gpt256] [--rounds 5] [--explain]``.  Batch 1,
greedy choice, keys and values kept: ours by ``GPT.generate``; PyTorch by a loop over its modules
with preallocated arrays, under ``inference_mode``; JAX by a jitted step with donated arrays.  All
have the same weights and must write the same text.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZES = {"nanogpt": (4, 4, 128, 64, 65), "gpt256": (6, 8, 256, 256, 65)}


def our_model(size: str) -> Any:
    """The model of ``pellucid.models.gpt``, with scores that differ clearly."""
    import pellucid
    from pellucid.models.gpt import GPT, GPTConfig

    layers, heads, width, context, tokens = SIZES[size]
    pellucid.manual_seed(0)
    model = GPT(GPTConfig(tokens, context, layers, heads, width))
    with pellucid.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4.0)
    return model


def ours(size: str, threads: int) -> Callable[[int], list[int]]:
    """Writes so many tokens after token 1."""
    import pellucid

    pellucid.set_num_threads(threads)
    model = our_model(size)
    start = pellucid.tensor(np.asarray([[1]]))
    return lambda count: model.generate(start, count, temperature=0).numpy()[0].tolist()


def weights(size: str) -> dict[str, np.ndarray]:
    """The parameters by name."""
    return {k: v.detach().numpy() for k, v in our_model(size).state_dict().items()}


def theirs(size: str, threads: int) -> Callable[[int], list[int]]:
    """The same in PyTorch."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    layers, heads, width, context, _ = SIZES[size]
    w = {k: torch.tensor(v) for k, v in weights(size).items()}
    keys, values = (torch.zeros(layers, 1, heads, context, width // heads) for _ in range(2))

    def norm(x: Any, name: str) -> Any:
        return functional.layer_norm(x, (width,), w[f"{name}.weight"], w[f"{name}.bias"])

    def linear(x: Any, name: str) -> Any:
        return functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def step(token: Any, place: int) -> Any:
        x = w["transformer.wte.weight"][token] + w["transformer.wpe.weight"][place]  # (1, 1, E)
        for i in range(layers):
            name = f"transformer.h.{i}"
            packed = linear(norm(x, f"{name}.ln_1"), f"{name}.attn.c_attn")
            q, k, v = (p.view(1, 1, heads, -1).transpose(1, 2) for p in packed.split(width, 2))
            keys[i, :, :, place : place + 1], values[i, :, :, place : place + 1] = k, v
            y = functional.scaled_dot_product_attention(
                q, keys[i, :, :, : place + 1], values[i, :, :, : place + 1]
            )
            x = x + linear(y.transpose(1, 2).reshape(1, 1, width), f"{name}.attn.c_proj")
            h = functional.gelu(linear(norm(x, f"{name}.ln_2"), f"{name}.mlp.c_fc"))
            x = x + linear(h, f"{name}.mlp.c_proj")
        return norm(x, "transformer.ln_f") @ w["transformer.wte.weight"].T

    def write(count: int) -> list[int]:
        text = [1]
        with torch.inference_mode():
            for place in range(count):
                scores = step(torch.tensor([[text[-1]]]), place)
                text.append(int(scores[0, 0].argmax()))
        return text

    return write


def jax_contestant(size: str) -> Callable[[int], list[int]]:
    """The same in JAX, one jitted step a token."""
    import jax
    from jax import numpy as jnp

    layers, heads, width, context, _ = SIZES[size]
    w = {k: jnp.asarray(v) for k, v in weights(size).items()}

    def norm(w: Any, x: Any, name: str) -> Any:
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) / jnp.sqrt(var + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(w: Any, x: Any, name: str) -> Any:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def step(w: Any, keys: Any, values: Any, token: Any, place: Any) -> Any:
        x = w["transformer.wte.weight"][token] + w["transformer.wpe.weight"][place]  # (E,)
        seen = jnp.arange(context) <= place
        for i in range(layers):
            name = f"transformer.h.{i}"
            packed = linear(w, norm(w, x, f"{name}.ln_1"), f"{name}.attn.c_attn")
            q, k, v = packed.reshape(3, heads, -1)
            keys, values = keys.at[i, :, place].set(k), values.at[i, :, place].set(v)
            scores = jnp.einsum("he,hse->hs", q, keys[i]) / (width // heads) ** 0.5
            mixed = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf))[:, None] @ values[i]
            x = x + linear(w, mixed.reshape(width), f"{name}.attn.c_proj")
            h = jax.nn.gelu(linear(w, norm(w, x, f"{name}.ln_2"), f"{name}.mlp.c_fc"), False)
            x = x + linear(w, h, f"{name}.mlp.c_proj")
        scores = w["transformer.wte.weight"] @ norm(w, x, "transformer.ln_f")
        return keys, values, scores.argmax()

    run = jax.jit(step, donate_argnums=(1, 2))

    def write(count: int) -> list[int]:
        keys, values = (jnp.zeros((layers, heads, context, width // heads)) for _ in range(2))
        text = [1]
        for place in range(count):
            keys, values, token = run(w, keys, values, text[-1], place)
            text.append(int(token))
        return text

    return write


def main() -> None:
    """Print tokens a second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=list(SIZES), default="gpt256")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-jax", action="store_true", help="leave JAX out")
    parser.add_argument("--explain", action="store_true", help="what our step became")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    contestants = {"ours": ours(options.size, options.threads)}
    contestants["PyTorch"] = theirs(options.size, options.threads)
    if not options.no_jax:
        contestants["JAX"] = jax_contestant(options.size)
    count = SIZES[options.size][3] - 1
    texts = {name: write(count) for name, write in contestants.items()}
    for name, text in texts.items():
        if text != texts["ours"]:
            raise SystemExit(f"{name} writes another text than ours")
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(options.rounds):
        for name, write in contestants.items():
            start = time.perf_counter()
            write(count)
            best[name] = min(best[name], time.perf_counter() - start)
    for name, seconds in best.items():
        print(f"{name:8} {count / seconds:8.0f} tokens a second, {1e3 * seconds / count:.3f} ms")
    if options.explain:
        from pellucid.models.gpt import _decoders

        print(next(iter(next(iter(_decoders.values())).values()))._advance.explain())


if __name__ == "__main__":
    main()
