"""Products that read views in place and write where their results are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from native_graphs import run
from pellucid.backends.cpu.runtime import get_num_threads, set_num_threads
from pellucid.backends.reference.evaluate import evaluate
from pellucid.base.dtypes import float64
from pellucid.compiler.passes import prepare
from pellucid.compiler.placement import ASSEMBLY
from pellucid.graph.node import Graph, Node, Spec, new_input
from pellucid.ops import elementwise as e
from pellucid.ops.contraction import matmul, swap
from pellucid.ops.registry import scalar
from pellucid.ops.structure import concatenate, pad, reshape, slice_, transpose

MOVES = {"slice", "reshape", "transpose", "pad", "concatenate", "copy", "broadcast_to", "add"}


def narrowed(packed: Any, heads: int) -> list[Any]:
    n, t, width = packed.shape
    e = width // 3
    return [
        packed.narrow(2, i * e, e).reshape(n, t, heads, e // heads).transpose(1, 2)
        for i in range(3)
    ]


def permuted(packed: Any, heads: int) -> list[Any]:
    n, t, width = packed.shape
    parts = packed.reshape(n, t, 3, heads, width // 3 // heads).permute(2, 0, 3, 1, 4)
    return [parts[0], parts[1], parts[2]]


def chunked(packed: Any, heads: int) -> list[Any]:
    n, t, width = packed.shape
    return [
        p.reshape(n, t, heads, width // 3 // heads).permute(0, 2, 1, 3)
        for p in packed.chunk(3, dim=-1)
    ]


@pytest.mark.parametrize("split", [narrowed, permuted, chunked])
@pytest.mark.parametrize("shape", [(2, 6, 2, 4), (3, 1, 1, 5), (1, 7, 3, 3), (2, 16, 4, 8)])
def test_a_block_of_attention_copies_nothing_and_is_right(
    split: Callable[[Any, int], list[Any]], shape: tuple[int, int, int, int]
) -> None:
    n, t, heads, e = shape
    width = heads * e
    pellucid.manual_seed(3)
    weights = [pellucid.randn(width, 3 * width), pellucid.randn(3 * width)]
    weights.append(pellucid.randn(width, width))
    weights = [w / width**0.5 for w in weights]
    x = pellucid.randn(n, t, width)

    def block(x: Any, w: Any, b: Any, out: Any) -> Any:
        q, k, v = split((x.reshape(n * t, width) @ w + b).reshape(n, t, 3 * width), heads)
        weights = (q @ k.transpose(-2, -1) / e**0.5).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(n * t, width)
        return (mixed @ out).square().mean()

    def gradients(x: Any, *weights: Any) -> Any:
        leaves = [x.detach().requires_grad_(), *(w.detach().requires_grad_() for w in weights)]
        loss = block(*leaves)
        return (loss.detach(), *pellucid.grad(loss, leaves))

    compiled = pellucid.compile(gradients)
    found, wanted = compiled(x, *weights), gradients(x, *weights)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-4, atol=2e-5)
    for kernel in compiled.explain().kernels:
        assert not set(kernel.operations) <= MOVES, kernel.operations
    before = get_num_threads()
    try:
        set_num_threads(1)
        alone = [a.numpy().tobytes() for a in compiled(x, *weights)]
        set_num_threads(2)
        assert alone == [a.numpy().tobytes() for a in compiled(x, *weights)]
    finally:
        set_num_threads(before)


def node(*shape: int) -> Node:
    return new_input(Spec(shape, float64))


def read(*parts: Node) -> Graph:
    """A graph in which products read the sum, or what else the parts are."""
    found = []
    stack, seen = list(parts), set()
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        if current.op.name == "input":
            found.append(current)
        stack.extend(current.inputs)
    return Graph(tuple(sorted(found, key=lambda n: n.settings["serial"])), tuple(parts))


def checked(graph: Graph) -> list[Node]:
    """Its assemblies, after comparing the rewritten graph and the native program with NumPy."""
    rng = np.random.default_rng(8)
    arrays = [rng.standard_normal(n.shape) for n in graph.inputs]
    wanted = evaluate(graph, arrays)
    rewritten = prepare(graph)
    for found in (evaluate(rewritten, arrays), run(graph, arrays)):
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    return [n for n in rewritten.nodes() if n.op is ASSEMBLY]


def heads(x: Node) -> Node:
    """(N, H, T, E) -> (N, T, H * E)."""
    n, h, t, width = x.shape
    return reshape(transpose(x, (0, 2, 1, 3)), (n, t, h * width))


def test_heads_are_written_side_by_side() -> None:
    a, b, w = node(2, 3, 4, 5), node(2, 3, 5, 6), node(18, 7)
    (assembly,) = checked(read(matmul(heads(matmul(a, b)), w)))
    assert assembly.shape == (2, 4, 18)


def test_three_products_share_one_array_by_sum_of_pads_or_by_concatenation() -> None:
    parts = [heads(matmul(node(2, 2, 4, 5), node(2, 2, 5, k))) for k in (3, 1, 2)]
    w = node(12, 5)
    low, padded = 0, []
    for part in parts:
        rest = 12 - low - part.shape[2]
        zeros = (0, 0, 0)
        padded.append(pad(part, (0, 0, low), (0, 0, rest), zeros, scalar(part, 0.0)))
        low += part.shape[2]
    total = e.add(e.add(padded[1], padded[0]), padded[2])
    for whole in (total, concatenate(parts, 2)):
        (assembly,) = checked(read(matmul(whole, w)))
        assert len(assembly.inputs) == 3


def test_transposed_results_come_out_transposed() -> None:
    a, b, w = node(2, 3, 4, 5), node(2, 3, 5, 6), node(12, 7)
    moved = reshape(transpose(matmul(a, b), (0, 3, 1, 2)), (2, 6, 12))
    assert len(checked(read(matmul(moved, w)))) == 1


@pytest.mark.parametrize("case", ["overlap", "gap", "fill", "used twice", "an output"])
def test_what_cannot_be_placed_stays_as_it_is(case: str) -> None:
    first, second, w = matmul(node(4, 5), node(5, 3)), matmul(node(4, 2), node(2, 3)), node(6, 7)
    fill = scalar(first, 1.0 if case == "fill" else 0.0)
    at = {"overlap": 2, "gap": 4}.get(case, 3)
    left = pad(first, (0, 0), (0, 3 + (case == "gap")), (0, 0), fill)
    right = pad(second, (0, at), (0, 3 - at + (case == "gap")), (0, 0), fill)
    total = e.add(left, right)
    if case == "gap":
        total = slice_(total, (0, 0), (4, 6), (1, 1))
    outputs = [matmul(total, w)]
    outputs += {"used twice": [e.exp(first)], "an output": [total]}.get(case, [])
    assert not checked(read(*outputs))


def test_products_read_slices_of_what_is_stored() -> None:
    x, w = node(3, 4, 10), node(10, 9)
    packed = e.exp(matmul(x, w))  # (3, 4, 9)
    first = slice_(packed, (0, 0, 0), (3, 4, 4), (1, 1, 1))
    second = slice_(packed, (0, 1, 1), (3, 4, 9), (1, 2, 2))
    flipped = slice_(packed, (2, 0, 4), (-1, 4, 8), (-1, 1, 1))
    graph = read(matmul(first, swap(flipped)), matmul(swap(second), second))
    assert not checked(graph)


def test_long_sums_over_slices_are_split() -> None:
    x, w = node(2, 3, 9, 6010), node(2, 6010, 3, 7)
    inner = slice_(x, (0, 0, 1, 4), (2, 3, 9, 6004), (1, 1, 1, 1))
    other = slice_(transpose(w, (0, 2, 1, 3)), (0, 0, 4, 0), (2, 3, 6004, 7), (1, 1, 1, 1))
    checked(read(matmul(inner, other), heads(matmul(inner, other))))


def test_a_kernel_is_shared_only_by_equal_views() -> None:
    x, w = node(2, 8, 6), node(3, 4)
    parts = [slice_(x, (0, 0, i), (2, 8, i + 3), (1, 1, 1)) for i in (0, 1, 3)]
    # An output that lies between the product and what it reads.
    checked(read(*(matmul(part, w) for part in parts), parts[1], e.exp(parts[2])))
