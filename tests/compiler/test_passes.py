"""Each rewrite by itself keeps the values; so do all together, and fusion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from native_graphs import assert_equal_outputs, forget_plans, run, run_executable
from pellucid.backends.cpu import analysis
from pellucid.backends.cpu import load as cpu
from pellucid.base.dtypes import float32, float64, int32, int64
from pellucid.compiler.clusters import fuse
from pellucid.compiler.passes import PASSES, prepare
from pellucid.graph.node import Graph, Node, Spec, new_input
from pellucid.graph.verify import verify
from pellucid.ops import PRIMITIVES, indexing, structure
from pellucid.ops import elementwise as e
from pellucid.ops.contraction import matmul, swap
from pellucid.ops.registry import scalar
from pellucid.transforms.differentiate import gradients
from random_graphs import Case, graphs

Made = tuple[Graph, list[np.ndarray]]


def node(shape: tuple[int, ...], dtype: Any = float64) -> Node:
    return new_input(Spec(shape, dtype))


def made(inputs: list[Node], *outputs: Node, extent: int = 3) -> Made:
    rng = np.random.default_rng(2)
    arrays = [
        rng.standard_normal(n.shape).astype(n.dtype.numpy)
        if n.dtype.is_floating_point
        else rng.integers(0, extent, n.shape).astype(n.dtype.numpy)
        for n in inputs
    ]
    return Graph(tuple(inputs), outputs), arrays


def weight_gradient() -> Made:
    x, w, b, t = node((16, 7)), node((5, 7)), node((5,)), node((16, 5))
    out = e.sub(e.add(matmul(x, swap(w)), b), t)
    return made([x, w, b, t], *gradients([structure.sum(e.mul(out, out))], [w, b, x]))


def cross_entropy() -> Made:
    x, target = node((12, 9), float32), node((12, 1), int64)
    shifted = e.sub(x, structure.max_(x, 1, True))
    logs = e.sub(shifted, e.log(structure.sum(e.exp(shifted), 1, True)))
    loss = e.neg(structure.sum(indexing.gather(logs, target, 1)))
    return made([x, target], loss, *gradients([loss], [x]), extent=9)


def integer_product() -> Made:
    a, b = node((2, 3, 4), int32), node((4, 5), int32)
    return made([a, b], matmul(a, b))


def stretched_batches() -> Made:
    a, b, c = node((2, 1, 3, 4)), node((5, 4, 2)), node((2, 5, 2, 3))
    left = e.mul(a, a)
    return made([a, b, c], matmul(matmul(left, b), c), matmul(a, b), matmul(c, swap(c)))


def long_reductions() -> Made:
    x, y = node((60_000,)), node((12_000, 6))
    return made(
        [x, y],
        structure.sum(x),
        structure.max_(x, 0),
        structure.sum(y, 0),
        structure.min_(y, 0),
        structure.sum(y),
        structure.sum(e.exp(e.neg(e.mul(y, y))), (0, 1)),
    )


def neutral_numbers() -> Made:
    x = node((4, 3))
    one, zero = scalar(x, 1.0), scalar(x, 0.0)
    wide = structure.broadcast_to(x, (2, 4, 3))
    return made(
        [x],
        e.mul(x, one),
        e.div(x, one),
        e.sub(x, zero),
        e.neg(e.neg(x)),
        structure.sum(wide, 0),
        structure.reshape(structure.reshape(x, (12,)), (3, 4)),
    )


def sums_of_nothing() -> Made:
    x, index = node((1,)), node((0,), int64)
    taken = indexing.take(x, index, 0)
    wide = structure.broadcast_to(taken, (5, 0))
    return made(
        [x, index],
        structure.sum(taken),
        structure.prod(taken),
        structure.sum(wide, 1),
        structure.sum(e.cast(wide, int32), 1),
        e.add(structure.sum(taken), structure.sum(x)),
        structure.sum(wide, 0),
    )


def embedding_updates() -> Made:
    """Two steps on a table, one after the other, and one whose gradient is wanted itself."""
    table, other, rate = node((9, 4)), node((9, 4)), node(())
    index, more = node((3,), int64), node((3,), int64)
    zeros = structure.broadcast_to(scalar(table, 0.0), (9, 4))
    values = indexing.take(table, index, 0)
    first = e.sub(table, e.mul(rate, indexing.put(zeros, index, e.sin(values), 0, "add")))
    again = indexing.take(first, more, 0)
    second = e.add(first, e.mul(indexing.put(zeros, more, again, 0, "add"), rate))
    gradient = indexing.put(zeros, more, values, 0, "add")
    return made(
        [table, other, rate, index, more],
        second,
        gradient,
        e.sub(other, e.mul(rate, gradient)),
        extent=9,
    )


EXAMPLES: list[Callable[[], Made]] = [
    sums_of_nothing,
    weight_gradient,
    cross_entropy,
    integer_product,
    stretched_batches,
    long_reductions,
    neutral_numbers,
    embedding_updates,
]
NAMES = sorted({step.__name__ for step in PASSES})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.__name__)
def test_a_pass_alone_keeps_values(name: str, example: Callable[[], Made]) -> None:
    graph, arrays = example()
    step = next(s for s in PASSES if s.__name__ == name)
    changed = step(graph)
    verify(changed, PRIMITIVES)
    assert [n.spec for n in changed.outputs] == [n.spec for n in graph.outputs]
    expected = run(graph, arrays, "reference")
    assert_equal_outputs(run(changed, arrays, "reference"), expected, changed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.__name__)
def test_native_code_without_one_pass(
    name: str, example: Callable[[], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in ("plain_products", "fill_empty_reductions"):
        pytest.skip("the kernels need it")
    graph, arrays = example()
    forget_plans(monkeypatch)
    monkeypatch.setattr(analysis, "prepare", lambda g, m: prepare(g, m, without={name}))
    expected = run(graph, arrays, "reference")
    assert_equal_outputs(run(graph, arrays, "cpu"), expected, graph)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.__name__)
def test_native_code_without_fusion(
    example: Callable[[], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, arrays = example()
    forget_plans(monkeypatch)
    expected = run(graph, arrays, "cpu")
    monkeypatch.setattr(analysis, "fuse", lambda g, m: fuse(g, m, enabled=False))
    plain = cpu.load(graph)
    fused_kernels = len(fuse(prepare(graph)).clusters)
    assert len(plain.analysis.fusion.clusters) >= fused_kernels
    assert_equal_outputs(run_executable(plain, graph, arrays), expected, graph)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(case=graphs(most_steps=10))
def test_passes_on_random_graphs(case: Case) -> None:
    expected = run(case.graph, case.arrays, "reference")
    for step in PASSES:
        changed = step(case.graph)
        verify(changed, PRIMITIVES)
        for left, right in zip(run(changed, case.arrays, "reference"), expected, strict=True):
            largest = float(np.abs(right).max(initial=0.0))
            bound = 1e-4 if right.dtype == np.float32 else 1e-10
            np.testing.assert_allclose(
                left, right, bound, bound * (largest + 1e-3), err_msg=step.__name__
            )


# ---- values computed in several places -------------------------------------------------------


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
@pytest.mark.parametrize(("shape", "axis"), [((64, 130), 1), ((64, 130), 0), ((4, 1000), 1)])
def test_a_value_has_the_same_bits_wherever_it_is_computed_again(
    shape: tuple[int, int], axis: int, dtype: Any
) -> None:
    """The gradient of a maximum compares the elements with the maximum computed elsewhere."""
    inputs = [node(shape, dtype) for _ in range(3)]
    a, b, c = inputs
    product = e.mul(a, b)
    x = e.add(product, c)
    largest = structure.max_(x, axis, True)
    hits = structure.sum(e.cast(e.eq(x, largest), dtype), axis)
    flat_gradients = gradients([structure.sum(largest)], inputs)
    for outputs in (
        [structure.sum(e.mul(product, c), axis), hits],
        [structure.sum(x, axis), structure.sum(e.mul(e.cast(e.eq(x, largest), dtype), product))],
        [structure.sum(e.tanh(product), axis), *flat_gradients],
        [structure.max_(product, axis), *flat_gradients],
    ):
        graph, arrays = made(inputs, *outputs)
        expected = run(graph, arrays, "reference")
        assert_equal_outputs(run(graph, arrays, "cpu"), expected, graph)


def test_long_rows_are_reduced_in_one_piece_where_there_are_many() -> None:
    def sums(rows: int, columns: int) -> int:
        x = node((rows, columns), float32)
        shifted = e.exp(e.sub(x, structure.max_(x, 1, True)))
        graph = Graph((x,), (structure.sum(shifted, 1),))
        return sum(n.op.name in ("sum", "max") for n in prepare(graph).nodes())

    assert sums(700, 10_000) == 2  # softmax over a vocabulary: one pass over each row
    assert sums(4, 10_000) == 4  # few rows: parts that threads share
    assert sums(64, 1 << 20) == 4  # very long rows: sums of sums


def test_rows_of_a_table_are_updated_without_an_array_of_zeros() -> None:
    def puts(graph: Graph) -> list[str]:
        return [n.inputs[0].op.name for n in prepare(graph).nodes() if n.op.name == "put"]

    graph, _ = embedding_updates()
    assert puts(graph) == ["input", "put", "broadcast_to"]
    x, index, values = node((4, 2)), node((3,), int64), node((3, 2))
    zeros = structure.broadcast_to(scalar(x, 0.0), (4, 2))
    many = indexing.put(zeros, index, values, 0, "add")
    half = Graph((x, index, values), (e.sub(x, e.mul(many, scalar(x, 0.1))),))
    assert puts(half) == ["broadcast_to"]  # nearly all rows: nothing to save
