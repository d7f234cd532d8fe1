"""In-place updates, aliases and repeated outputs: whoever reads the old value reads it in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from native_graphs import assert_native_is_reference
from pellucid.base.dtypes import float32, float64
from pellucid.compiler.clusters import fuse
from pellucid.compiler.passes import prepare
from pellucid.compiler.schedule import schedule, stored_values
from pellucid.graph.node import Graph, Node, Spec, constant, new_input
from pellucid.ops import elementwise as e
from pellucid.ops import structure
from pellucid.ops.contraction import matmul, swap
from pellucid.ops.registry import scalar


def inputs(*shapes: tuple[int, ...], dtype: Any = float64) -> list[Node]:
    return [new_input(Spec(shape, dtype), f"in{i}") for i, shape in enumerate(shapes)]


def arrays(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.standard_normal(n.shape).astype(n.dtype.numpy) for n in graph.inputs]


def check(graph: Graph) -> None:
    assert_native_is_reference(graph, arrays(graph))


SHAPES = [(1,), (7,), (40, 40), (70, 33), (300, 130)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_parameter_read_by_several_consumers_changes_after_all_of_them(shape: Any) -> None:
    p, g = inputs(shape, shape)
    new = e.sub(p, e.mul(g, scalar(g, 0.1)))
    row_sums = structure.sum(p, len(shape) - 1)
    check(
        Graph(
            (p, g), (new, row_sums, e.mul(p, p), structure.sum(e.exp(e.neg(e.mul(p, p))))), {0: 0}
        )
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_two_states_change_places(shape: Any) -> None:
    a, b = inputs(shape, shape)
    check(Graph((a, b), (b, a), {0: 0, 1: 1}))
    check(Graph((a, b), (e.neg(b), e.exp(e.neg(a))), {0: 0, 1: 1}))


def test_three_states_go_round() -> None:
    a, b, c = inputs((9, 5), (9, 5), (9, 5))
    check(Graph((a, b, c), (b, c, a), {0: 0, 1: 1, 2: 2}))
    check(Graph((a, b, c), (e.add(b, c), e.add(c, a), e.add(a, b)), {0: 0, 1: 1, 2: 2}))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_new_state_is_a_result_as_well(shape: Any) -> None:
    p, g = inputs(shape, shape)
    new = e.add(p, g)
    check(Graph((p, g), (new, new, e.neg(new)), {0: 0}))
    check(Graph((p, g), (new, p, p), {0: 0}))


@pytest.mark.parametrize("shape", [(5,), (6, 6), (33, 33), (130, 130)])
@pytest.mark.parametrize("flexible", [False, True])
def test_an_update_that_reads_other_elements_of_the_old_value(shape: Any, flexible: bool) -> None:
    (p,) = inputs(shape)
    reads: list[Callable[[Node], Node]] = [
        lambda x: structure.flip(x, [0]),
        lambda x: structure.transpose(x, tuple(reversed(range(len(shape))))),
        lambda x: structure.concatenate(
            [
                structure.slice_(x, [1, *[0] * (len(shape) - 1)], list(shape), [1] * len(shape)),
                structure.slice_(x, [0] * len(shape), [1, *shape[1:]], [1] * len(shape)),
            ],
            0,
        ),
        lambda x: structure.cumsum(x, 0),
        lambda x: e.sub(x, structure.max_(x, len(shape) - 1, True)),
        lambda x: e.sub(x, structure.max_(x, 0, True)),
        lambda x: e.div(e.exp(x), structure.sum(e.exp(x), len(shape) - 1, True)),
    ]
    for read in reads:
        moved = read(p)
        check(Graph((p,), (e.add(p, moved) if flexible else moved,), {0: 0}))


def test_an_update_by_a_product_of_the_old_value() -> None:
    p, x = inputs((24, 24), (24, 24))
    check(Graph((p, x), (matmul(p, x),), {0: 0}))
    check(Graph((p, x), (e.sub(p, matmul(swap(p), x)), matmul(x, p)), {0: 0}))


def test_an_output_is_an_input_or_a_constant_or_comes_twice() -> None:
    x, y = inputs((3, 4), (3, 4))
    table = constant(np.arange(12.0).reshape(3, 4))
    total = e.add(x, y)
    check(
        Graph(
            (x, y),
            (
                x,
                x,
                table,
                total,
                total,
                structure.reshape(x, (12,)),
                structure.transpose(x, (1, 0)),
            ),
        )
    )
    check(Graph((x, y), (scalar(x, 3.0), structure.broadcast_to(scalar(x, 2.0), (3, 4)))))


def test_a_state_becomes_a_constant_or_stays() -> None:
    x, y = inputs((3, 4), (3, 4))
    table = constant(np.arange(12.0).reshape(3, 4))
    zeros = structure.broadcast_to(scalar(x, 0.0), (3, 4))
    check(Graph((x, y), (table, zeros, e.add(x, y)), {0: 0, 1: 1}))
    check(Graph((x, y), (x, e.neg(x)), {0: 0, 1: 1}))
    check(Graph((x, y), (structure.transpose(structure.reshape(x, (4, 3)), (1, 0)),), {0: 0}))


def test_one_value_becomes_two_states() -> None:
    x, y, z = inputs((30,), (30,), (30,))
    both = e.mul(x, z)
    check(Graph((x, y, z), (both, both), {0: 0, 1: 1}))
    check(Graph((x, y, z), (both, both, e.add(x, y)), {0: 0, 1: 1}))


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
def test_adam_in_place(dtype: Any) -> None:
    p, g, m, v, t = inputs((70, 33), (70, 33), (70, 33), (70, 33), (), dtype=dtype)
    step = e.add(t, scalar(t, 1.0))
    first = e.add(e.mul(m, scalar(m, 0.9)), e.mul(g, scalar(g, 0.1)))
    second = e.add(e.mul(v, scalar(v, 0.99)), e.mul(e.mul(g, g), scalar(g, 0.01)))
    scale = e.div(scalar(t, 0.1), e.sub(scalar(t, 1.0), e.pow(scalar(t, 0.9), step)))
    new = e.sub(p, e.div(e.mul(scale, first), e.add(e.sqrt(e.abs(second)), scalar(p, 1e-3))))
    graph = Graph(
        (p, g, m, v, t), (new, first, second, step, structure.sum(new)), {0: 0, 1: 2, 2: 3, 3: 4}
    )
    given = [np.abs(a) for a in arrays(graph)]
    assert_native_is_reference(graph, given)


def test_steps_of_the_schedule_respect_readers_of_what_is_overwritten() -> None:
    x, w = inputs((64, 64), (64, 64))
    hidden = matmul(x, w)
    loss_gradient = matmul(swap(x), e.tanh(hidden))
    back = matmul(e.tanh(hidden), swap(w))
    new = e.sub(w, e.mul(loss_gradient, scalar(w, 0.1)))
    graph = prepare(Graph((x, w), (new, back), {0: 1}))
    fusion = fuse(graph)
    plan = schedule(fusion, stored_values(fusion, set()))
    level = {id(c): i for i, step in enumerate(plan.steps) for c in step}
    writer = fusion.owner[graph.outputs[0]]
    if plan.places[graph.outputs[0]].kind == "input":
        for anchor, reads in fusion.reads.items():
            home = fusion.owner[anchor]
            if graph.inputs[1] in reads and home is not writer:
                assert level[id(home)] < level[id(writer)], anchor
    check(Graph((x, w), (new, back), {0: 1}))


def test_a_state_that_must_be_copied_at_the_end_and_is_a_result_as_well() -> None:
    (x,) = inputs((1, 1, 2))
    flipped = structure.flip(x, [2])
    check(Graph((x,), (flipped, flipped, structure.flip(e.tanh(flipped), [2])), {0: 0}))
    check(Graph((x,), (flipped, flipped, flipped, e.copy(flipped)), {0: 0}))
    p, q = inputs((), ())
    total = e.add(p, q)
    check(Graph((p, q), (total, total, total, total, e.mul(total, p)), {0: 0, 1: 1}))


def test_large_values_are_computed_right_before_they_are_read() -> None:
    """What is made of weights alone waits for its layer."""
    width, layers = 640, 4
    x = inputs((8, width))[0]
    weights = inputs(*[(width, width)] * layers)
    y = x
    for w in weights:
        # A running sum is stored, and as large as what it reads.
        y = e.tanh(matmul(y, structure.cumsum(w, 0)))
    graph = Graph((x, *weights), (y,))
    fusion = fuse(graph)
    result = schedule(fusion, stored_values(fusion, set()))
    lives = [last - first for n, (first, last) in result.lifetimes.items() if n.op.name == "cumsum"]
    assert lives == [1] * layers
    assert result.arena_bytes < 3 * width * width * 8


def test_parts_of_an_assembly_are_done_before_it_is_read() -> None:
    """The first part has time, is large, and made of little; its reader must not run beside it."""
    rows, width = 2048, 256
    x, small = inputs((rows, width), (rows, 4), dtype=float32)
    w1, w2, w3, w4 = inputs(
        (4, width), (width, width), (width, width), (2 * width, 8), dtype=float32
    )
    first = matmul(small, w1)
    second = matmul(e.tanh(matmul(e.tanh(matmul(x, w2)), w3)), w3)
    both = structure.concatenate([first, second], 1)
    graph = prepare(Graph((x, small, w1, w2, w3, w4), (matmul(both, w4),)))
    fusion = fuse(graph)
    assert any(c.kind == "assembly" for c in fusion.clusters)
    result = schedule(fusion, stored_values(fusion, set()))
    step_of = {id(c): n for n, step in enumerate(result.steps) for c in step}
    for cluster in fusion.clusters:
        for anchor in cluster.anchors:
            for read in fusion.reads[anchor]:
                owner = fusion.owner.get(read)
                if owner is not None and owner is not cluster:
                    apart = int(owner.kind != "assembly")
                    assert step_of[id(owner)] + apart <= step_of[id(cluster)]
