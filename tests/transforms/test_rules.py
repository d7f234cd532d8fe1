"""The rules of forward mode and of batching: every primitive has both, and both are right."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from helpers import assert_close
from pellucid.backends.reference.evaluate import evaluate
from pellucid.base.dtypes import float64
from pellucid.base.errors import ArgumentError
from pellucid.graph.node import Graph, Node, Primitive, Sample, Spec, make_node, new_input
from pellucid.ops import PRIMITIVES, elementwise, structure
from pellucid.ops.random import UNIFORM
from pellucid.ops.registry import apply
from pellucid.tensor.core import lift
from pellucid.transforms.batch import batch_graph
from pellucid.transforms.forward import GENERAL as TANGENTS
from pellucid.transforms.forward import push_forward

CASES = [
    pytest.param(primitive, sample, id=f"{name}-{number}")
    for name, primitive in PRIMITIVES.items()
    for number, sample in enumerate(primitive.samples())
    if sample.inputs
]


def graph_of(primitive: Primitive, sample: Sample) -> tuple[Graph, list[np.ndarray]]:
    arrays = [np.asarray(a) for a in sample.inputs]
    inputs = [new_input(Spec(a.shape, lift(a).dtype)) for a in arrays]
    return Graph(tuple(inputs), (make_node(primitive, inputs, sample.params),)), arrays


def is_continuous(array: np.ndarray) -> bool:
    return array.dtype.kind in "fc"


def directions(arrays: list[np.ndarray], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(a.shape).astype(a.dtype) for a in arrays if is_continuous(a)]


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_has_both_rules(name: str) -> None:
    primitive = PRIMITIVES[name]
    assert primitive.tangent is not None, f"{name} has no tangent rule"
    assert primitive.batch is not None, f"{name} has no batch rule"
    if primitive.tangent == "zero":
        assert primitive.gradient is None or primitive.family == "random"


def differentiable(primitive: Primitive, sample: Sample) -> bool:
    graph, arrays = graph_of(primitive, sample)
    finite = all(np.isfinite(a).all() for a in arrays if is_continuous(a))
    real = graph.outputs[0].dtype.kind in ("float", "complex")
    return finite and real and any(map(is_continuous, arrays)) and primitive.gradient is not None


DIFFERENTIABLE = [case for case in CASES if differentiable(*case.values)]


@pytest.mark.parametrize(("primitive", "sample"), DIFFERENTIABLE)
def test_tangents_are_the_transpose_of_the_gradient(primitive: Primitive, sample: Sample) -> None:
    """⟨u, J t⟩ = ⟨Jᵀ u, t⟩, with a gradient rule that is checked numerically elsewhere."""
    graph, arrays = graph_of(primitive, sample)
    tangents = directions(arrays, 1)
    value, pushed = evaluate(push_forward(graph), [*arrays, *tangents])
    assert_close(value, primitive.evaluate(*arrays, **sample.params), 1e-12, 1e-12)
    cotangent = np.random.default_rng(2).standard_normal(value.shape).astype(value.dtype)
    leaves = [lift(np.array(a)) for a in arrays]
    wanted = [t.requires_grad_() for t in leaves if t.dtype.is_floating_point]
    result = apply(primitive, *leaves, **sample.params)
    result.backward(lift(cotangent)) if result.requires_grad else None
    pulled = sum(
        float(np.vdot(leaf.grad.array(), t)) if leaf.grad is not None else 0.0
        for leaf, t in zip(wanted, tangents, strict=True)
    )
    # What the rules of attention's gradient take for functions of the others has no tangent.
    assert_close(np.vdot(pushed, cotangent), np.asarray(pulled), 1e-9, 1e-10)


@pytest.mark.parametrize(("primitive", "sample"), DIFFERENTIABLE)
def test_tangents_are_directional_derivatives(primitive: Primitive, sample: Sample) -> None:
    graph, arrays = graph_of(primitive, sample)
    if primitive.name in ("attention_gradient", "sign", "detach") or not sample.second_order:
        pytest.skip("the rule takes inputs for functions of others, or the value is a step")
    tangents = directions(arrays, 3)
    pushed = evaluate(push_forward(graph), [*arrays, *tangents])[1]
    step = 1e-6
    along = iter(tangents)
    steps = [step * next(along) if is_continuous(a) else np.zeros_like(a) for a in arrays]
    ahead, behind = (
        primitive.evaluate(
            *(a + s * d if is_continuous(a) else a for a, d in zip(arrays, steps, strict=True)),
            **sample.params,
        )
        for s in (1, -1)
    )
    assert_close(pushed, (ahead - behind) / (2 * step), 2e-5, 2e-6)


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_the_transpose_of_several_results_is_their_tangent(number: int) -> None:
    """The general rule of operations with several results, on a loop, which has one of its own."""
    samples = [s for s in PRIMITIVES["scan"].samples() if s.params["output"] == number]
    scan = PRIMITIVES["scan"]
    general = dataclasses.replace(scan, tangent="reverse")
    for sample in samples:
        graph, arrays = graph_of(scan, sample)
        twin = make_node(general, graph.inputs, sample.params)
        pushed = push_forward(Graph(graph.inputs, (twin,)))
        given = [*arrays, *directions(arrays, 5)]
        assert_close(
            evaluate(pushed, given)[1], evaluate(push_forward(graph), given)[1], 1e-9, 1e-12
        )


def rows_of(
    primitive: Primitive, sample: Sample, arrays: list[np.ndarray], count: int
) -> list[np.ndarray]:
    """Operands of ``count`` rows: other numbers, where the operation allows them."""

    def turned(whole: bool) -> list[np.ndarray]:
        return [
            np.stack([np.roll(a, r * (whole or is_continuous(a))) for r in range(count)])
            for a in arrays
        ]

    found = turned(True)
    try:
        for r in range(count):
            primitive.evaluate(*(a[r] for a in found), **sample.params)
    except (IndexError, ValueError):  # positions that belong to their numbers
        return turned(False)
    return found


@pytest.mark.parametrize(("primitive", "sample"), CASES)
def test_batches_are_rows_one_after_the_other(primitive: Primitive, sample: Sample) -> None:
    graph, arrays = graph_of(primitive, sample)
    count = 3
    subsets = [w for w in itertools.product((False, True), repeat=len(arrays)) if any(w)]
    if len(subsets) > 15:  # one alone, all but one, all
        subsets = [w for w in subsets if sum(w) in (1, len(w) - 1, len(w))]
    many = rows_of(primitive, sample, arrays, count)
    for which in subsets:
        given = [m if flag else a for m, a, flag in zip(many, arrays, which, strict=True)]
        batched = batch_graph(graph, count, which, randomness="same")
        found = evaluate(batched, given)[0]
        for r in range(count):
            row = [a[r] if flag else a for a, flag in zip(given, which, strict=True)]
            expected = primitive.evaluate(*row, **sample.params)
            assert_close(found[r], expected, 1e-9, 1e-10, what=f"row {r} of {which}")


def test_a_row_has_random_numbers_only_as_it_is_said() -> None:
    state = new_input(Spec((2,), lift(np.asarray([1, 2])).dtype))
    params = {"shape": (4,), "dtype": float64, "lane": 0}
    graph = Graph((state,), (make_node(UNIFORM, [state], params),))
    given = [np.asarray([7, 3])]
    with pytest.raises(ArgumentError, match="randomness"):
        batch_graph(graph, 3, [False])
    same = evaluate(batch_graph(graph, 3, [False], "same"), given)[0]
    assert (same == same[:1]).all()
    other = evaluate(batch_graph(graph, 3, [False], "different"), given)[0]
    assert len(np.unique(other)) == 12


def test_a_graph_is_pushed_forward_and_batched_in_any_order() -> None:
    x, w = (new_input(Spec(s, float64)) for s in ((3,), (3, 2)))
    row = structure.reshape(x, (1, 3))
    hidden = elementwise.tanh(apply(PRIMITIVES["matmul"], row, w))
    graph = Graph((x, w), (structure.sum(hidden, None), hidden))
    rng = np.random.default_rng(4)
    xs, ts = rng.standard_normal((2, 5, 3))
    weight, tw = rng.standard_normal((2, 3, 2))
    first = batch_graph(push_forward(graph), 5, [True, False, True, False])
    second = push_forward(batch_graph(graph, 5, [True, False]))
    one = evaluate(first, [xs, weight, ts, tw])
    two = evaluate(second, [xs, weight, ts, tw])
    slopes = 1 - np.tanh(xs @ weight) ** 2
    expected = slopes * (ts @ weight + xs @ tw)
    for found in (one, two):
        assert_close(found[3][:, 0], expected, 1e-12, 1e-12)
        assert_close(found[2], expected.sum(1), 1e-12, 1e-12)


def test_general_rules_are_named_in_the_table() -> None:
    named = {p.tangent for p in PRIMITIVES.values() if isinstance(p.tangent, str)}
    assert named == set(TANGENTS)


def test_no_node_is_batched_that_no_row_changes() -> None:
    x, w = (new_input(Spec((3,), float64)) for _ in range(2))
    shared = elementwise.exp(w)
    graph = Graph((x, w), (elementwise.mul(x, shared),))
    batched = batch_graph(graph, 4, [True, False])
    assert shared in batched.nodes()
    assert isinstance(batched.outputs[0], Node)
    assert batched.outputs[0].shape == (4, 3)
