"""Native programs for other processors: run with fewer features, and written for other ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from native_graphs import assert_native_is_reference, forget_plans
from pellucid.backends.cpu import executable as cpu
from pellucid.backends.cpu.engine import compile_kernel
from pellucid.backends.cpu.target import Target, named_target
from pellucid.base.dtypes import float32, float64, int64, uint8
from pellucid.graph.node import Graph, Node, Spec, new_input
from pellucid.ops import elementwise as e
from pellucid.ops import indexing, structure
from pellucid.ops.attention import attention
from pellucid.ops.contraction import matmul, swap
from pellucid.ops.convolution import convolution
from pellucid.ops.random import random_uniform
from pellucid.ops.registry import scalar
from pellucid.transforms.differentiate import gradients

Made = tuple[Graph, list[np.ndarray]]


def with_values(inputs: list[Node], outputs: list[Node], aliases: Mapping[int, int]) -> Made:
    rng = np.random.default_rng(4)
    arrays = [
        rng.standard_normal(n.shape).astype(n.dtype.numpy)
        if n.dtype.is_floating_point
        else rng.integers(0, 5, n.shape).astype(n.dtype.numpy)
        for n in inputs
    ]
    return Graph(tuple(inputs), tuple(outputs), aliases), arrays


def training_step() -> Made:
    """A two-layer network with dropout and cross-entropy, and momentum updates in place."""
    x, target = new_input(Spec((37, 19), float32)), new_input(Spec((37, 1), int64))
    state = new_input(Spec((2,), int64))
    weights = [new_input(Spec(s, float32)) for s in ((23, 19), (23,), (5, 23), (5,))]
    slots = [new_input(w.spec) for w in weights]
    hidden = e.add(matmul(x, swap(weights[0])), weights[1])
    hidden = e.mul(hidden, e.sigmoid(hidden))
    kept = e.lt(random_uniform(state, hidden.shape, float32), scalar(hidden, 0.8))
    hidden = e.where(kept, e.mul(hidden, scalar(hidden, 1.25)), scalar(hidden, 0.0))
    scores = e.add(matmul(hidden, swap(weights[2])), weights[3])
    shifted = e.sub(scores, structure.max_(scores, 1, True))
    logs = e.sub(shifted, e.log(structure.sum(e.exp(shifted), 1, True)))
    loss = e.neg(structure.sum(indexing.gather(logs, target, 1)))
    outputs, aliases = [loss], {}
    for i, (w, slot, g) in enumerate(zip(weights, slots, gradients([loss], weights), strict=True)):
        velocity = e.add(e.mul(slot, scalar(slot, 0.9)), g)
        aliases[len(outputs)] = 3 + i
        outputs.append(e.sub(w, e.mul(velocity, scalar(w, 0.01))))
        aliases[len(outputs)] = 7 + i
        outputs.append(velocity)
    return with_values([x, target, state, *weights, *slots], outputs, aliases)


def everything_else() -> Made:
    """Sorting, running sums, positions, special functions, conversions, both float types."""
    x, y = new_input(Spec((9, 33), float64)), new_input(Spec((4, 6, 20), float32))
    index, small = new_input(Spec((7,), int64)), new_input(Spec((9, 33), uint8))
    places = new_input(Spec((4, 6, 20), int64))
    narrow = e.cast(x, float32)
    inside = e.mul(e.tanh(x), scalar(x, 0.9))
    outputs = [
        structure.argsort(x, 1, True),
        structure.argsort(y, 0),
        structure.cumsum(x, 0),
        structure.cumprod(e.add(inside, scalar(x, 1.0)), 1),
        structure.argmax(y, 2),
        structure.max_(small, 1),
        structure.sum(small, 0),
        indexing.take(x, index, 0),
        indexing.put(x, index, indexing.take(x, index, 0), 0, "add"),
        indexing.scatter(y, e.remainder(places, scalar(places, 4)), y, 0, "add"),
        e.cast(e.mul(x, scalar(x, 10.0)), int64),
        e.floor_divide(e.cast(small, float32), e.add(e.abs(narrow), scalar(narrow, 0.5))),
        structure.pad(y, (1, 0, 2), (0, 1, 1), (0, 1, 0), 0.5),
        structure.concatenate([structure.flip(x, [1]), x], 0),
        matmul(x, swap(x)),
        matmul(y, swap(y)),
    ]
    functions = (e.exp, e.expm1, e.sin, e.cos, e.tan, e.asin, e.acos, e.atan, e.sinh, e.atanh)
    outputs += [f(inside) for f in (*functions, e.erf, e.erfinv, e.erfc)]
    positive = e.add(e.abs(narrow), scalar(narrow, 0.2))
    outputs += [f(positive) for f in (e.log, e.log2, e.log1p, e.lgamma, e.digamma, e.sqrt)]
    outputs.append(e.pow(positive, narrow))
    return with_values([x, y, index, small, places], outputs, {})


def attention_step() -> Made:
    """Attention and its gradients: causal in one float type, masked and with dropout in both."""
    inputs, outputs = [new_input(Spec((2,), int64))], []
    seen = e.gt(e.sin(new_input(Spec((50, 61), float64))), new_input(Spec((), float64)))
    inputs += [seen.inputs[0].inputs[0], seen.inputs[1]]
    for dtype in (float32, float64):
        q, k, v = (new_input(Spec((2, n, w), dtype)) for n, w in ((50, 17), (61, 17), (61, 9)))
        inputs += [q, k, v]
        mask = structure.reshape(seen, (1, 50, 61))
        found = [attention(q, k, v, mask, scale=0.3, dropout=0.2, state=inputs[0])]
        if dtype is float32:
            found.append(attention(q, k, v, scale=0.3, causal=True))
        loss = structure.sum(e.mul(found[0], found[-1]))
        outputs += [*found, *gradients([loss], [q, k, v])]
    return with_values(inputs, outputs, {})


def convolution_step() -> Made:
    """Convolutions by patches, of shares of images, and directly, with their gradients."""
    x, ones = new_input(Spec((8, 20, 22, 21), float32)), (1, 1)
    weights = [new_input(Spec(s, float32)) for s in ((21, 20, 3, 3), (12, 21, 3, 2))]
    by_patches = convolution(
        x, weights[0], stride=ones, low=ones, high=ones, dilation=ones, groups=1
    )
    low = (0, 1)
    y = convolution(
        by_patches, weights[1], stride=(2, 1), low=low, high=low, dilation=ones, groups=1
    )
    loss = structure.sum(e.mul(y, y))
    return with_values([x, *weights], [y, *gradients([loss], [x, *weights])], {})


GRAPHS = [training_step, everything_else, attention_step, convolution_step]


@pytest.mark.parametrize("make", GRAPHS, ids=lambda f: f.__name__)
def test_on_this_processor(make: type) -> None:
    graph, arrays = make()
    assert_native_is_reference(graph, arrays)


@pytest.mark.parametrize("limit", ["sse2", "avx"])
def test_with_fewer_features(limit: str) -> None:
    """In a process of its own, because a process settles on one target."""
    if _machine() != "x86_64":
        pytest.skip("these are features of x86-64")
    tests = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(tests), *sys.path])
    program = (
        "from backends.test_native_targets import GRAPHS, assert_native_is_reference\n"
        "from pellucid.backends.cpu.target import host_target\n"
        "for make in GRAPHS: assert_native_is_reference(*make())\n"
        "print(host_target().vector_bytes)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "PELLUCID_CPU": limit, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == (16 if limit == "sse2" else 32)


def _machine() -> str:
    import platform

    return {"AMD64": "x86_64"}.get(platform.machine(), platform.machine())


@pytest.mark.parametrize("name", ["x86-64-sse2", "x86-64-avx512", "aarch64-neon"])
@pytest.mark.parametrize("make", GRAPHS, ids=lambda f: f.__name__)
def test_written_for_another_processor(
    make: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: dict[str, int] = {}

    def only_compile(kernels: Mapping[str, str], target: Target) -> dict[str, int]:
        for kernel, text in kernels.items():
            sizes[kernel] = len(compile_kernel(kernel, text, target))
        return dict.fromkeys(kernels, 1)

    forget_plans(monkeypatch)
    monkeypatch.setattr(cpu, "load_kernels", only_compile)
    graph, _ = make()
    cpu.CpuExecutable(graph, named_target(name))
    assert len(sizes) > 5 and min(sizes.values()) > 200
