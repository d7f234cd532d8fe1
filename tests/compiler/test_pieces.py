"""Programs as long as unrolled loops are: no depth of calls, few kernels, time in proportion."""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np
import pytest

from helpers import assert_close
from native_graphs import run
from pellucid import autograd, cat, compile, ones, stack, tensor
from pellucid.backends.cpu.analysis import Analysis
from pellucid.backends.cpu.target import host_target
from pellucid.base.dtypes import float32, float64
from pellucid.compiler.clusters import LARGEST_CLUSTER, fuse
from pellucid.compiler.passes import prepare
from pellucid.compiler.pieces import MOST_DEPTH, MOST_OPERATIONS
from pellucid.graph.node import Graph, Node, Spec, new_input
from pellucid.graph.show import format_graph, to_dot
from pellucid.graph.verify import verify
from pellucid.ops import PRIMITIVES, elementwise, structure
from pellucid.ops.registry import scalar
from pellucid.tensor.tensor import Tensor
from pellucid.transforms.differentiate import differentiate


def additions(x: Tensor) -> Tensor:
    for _ in range(1000):
        x = x + 0.125
    return x


def iteration(x: Tensor) -> Tensor:
    for _ in range(350):
        x = (x * 1.0001).sin() + 0.1
    return x


def multiplications(x: Tensor) -> Tensor:
    for _ in range(600):
        x = x * 1.001
    return x.sum()


def products(x: Tensor) -> Tensor:
    for number in range(80):
        x = x @ tensor([[0.8, 0.6], [-0.6, 0.8]], dtype=x.dtype) + 0.01 * number
    return x


def normalizations(x: Tensor) -> Tensor:
    for _ in range(150):
        x = x * 1.1 - x.mean(-1, keepdim=True) * 0.5
    return x


def shrinking(x: Tensor) -> Tensor:
    wide = x.repeat(1, 90)
    for _ in range(150):
        wide = wide[:, 1:]
    return wide


def wide_sum(x: Tensor) -> Tensor:
    total = x
    for number in range(150):
        total = total + (x * float(number)).sin()
    return total


def side_by_side(x: Tensor) -> Tensor:
    return cat([x * float(number) for number in range(300)], 1)


def on_top_of_each_other(x: Tensor) -> Tensor:
    return stack([x + float(number) for number in range(300)]).sum(0)


def oscillator(x: Tensor) -> Tensor:
    place, speed = x, x * 0
    for _ in range(100):
        speed = speed - 0.01 * place.sin()
        place = place + 0.01 * speed
    return place + speed


def rotations(x: Tensor) -> Tensor:
    for _ in range(200):
        x = cat([x[:, 1:], x[:, :1] * 1.01], 1)
    return x


def shifted_sums(x: Tensor) -> Tensor:
    """Each turn reads the one before at two places: 2⁴⁰ ways from the result to the input."""
    for _ in range(40):
        x = (x + x.roll(1, 1) + x.T.flip(0)) / 3
    return x


def shifted_copies(x: Tensor) -> Tensor:
    """The same where what is read is smaller than half of what is computed."""
    for _ in range(40):
        x = cat([x, x * 0.5, x[:, 1:], x], 1)[:, :2]
    return x


LONG = (
    additions,
    iteration,
    multiplications,
    products,
    normalizations,
    shrinking,
    wide_sum,
    side_by_side,
    on_top_of_each_other,
    oscillator,
    rotations,
    shifted_sums,
    shifted_copies,
)


@pytest.mark.parametrize("function", LONG, ids=lambda f: f.__name__)
def test_a_long_program_compiled_is_the_eager_one(function: Callable[[Tensor], Tensor]) -> None:
    x = tensor([[0.3, -0.2], [0.9, 0.1]], dtype=float64)
    assert_close(compile(function)(x), function(x), 1e-10, 1e-10)


@pytest.mark.parametrize(
    "function",
    (iteration, wide_sum, side_by_side, oscillator, rotations, shifted_sums, shifted_copies),
)
def test_the_gradient_of_a_long_program(function: Callable[[Tensor], Tensor]) -> None:
    def slope(x: Tensor) -> Tensor:
        return autograd.grad(function(x).sum(), [x])[0]

    x = tensor([[0.3, -0.2], [0.9, 0.1]], dtype=float64, requires_grad=True)
    assert_close(compile(slope)(x), slope(x), 1e-9, 1e-9)


def test_the_second_derivative_of_a_long_program() -> None:
    def curvature(x: Tensor) -> Tensor:
        y = x
        for _ in range(60):
            y = (y * 1.01).sin() + 0.1
        (slope,) = autograd.grad(y.sum(), [x], create_graph=True)
        return autograd.grad(slope.sum(), [x])[0]

    x = tensor([0.3, -0.2], dtype=float64, requires_grad=True)
    assert_close(compile(curvature)(x), curvature(x), 1e-9, 1e-9)


def chain(length: int) -> Graph:
    """x ↦ sin(x · 1.5) + 0.25, again and again: three operations for each turn."""
    x = node = new_input(Spec((4,), float32))
    for _ in range(length // 3):
        node = elementwise.mul(node, scalar(node, 1.5))
        node = elementwise.add(elementwise.sin(node), scalar(node, 0.25))
    return Graph((x,), (node,))


def test_ten_thousand_operations_are_few_kernels() -> None:
    few, many = (Analysis(chain(length), host_target()) for length in (1_000, 10_000))
    assert len(many.texts()) <= len(few.texts()) + 1 <= 5
    runs = [sum(len(uses) for uses in a.region_uses) for a in (few, many)]
    assert runs[1] <= 11 * runs[0]


def test_pieces_that_differ_in_constants_share_a_kernel() -> None:
    x = node = new_input(Spec((4,), float32))
    for number in range(500):
        node = elementwise.sin(elementwise.mul(node, scalar(node, 1 + number / 1000)))
    graph = Graph((x,), (node,))
    texts = Analysis(graph, host_target()).texts()
    assert len(texts) <= 4
    start = np.linspace(-1, 1, 4, dtype=np.float32)
    value = start
    for number in range(500):
        value = np.sin(value * np.float32(1 + number / 1000))
    (found,) = run(graph, [start])
    np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ("deep", "broad", "doubling"))
def test_pieces_are_of_bounded_size(kind: str) -> None:
    x = node = new_input(Spec((5,), float32))
    if kind == "deep":
        node = chain(2_000).outputs[0]
        x = chain(2_000).inputs[0]
        graph = chain(2_000)
    else:
        row: list[Node] = [elementwise.mul(x, scalar(x, float(i))) for i in range(1024)]
        while len(row) > 1:
            row = [elementwise.add(a, b) for a, b in zip(row[::2], row[1::2], strict=True)]
        node = row[0]
        if kind == "doubling":
            node = x
            for _ in range(200):  # 2²⁰⁰ ways from the result to the input
                node = elementwise.add(node, elementwise.sin(node))
        graph = Graph((x,), (node,))
    fusion = fuse(prepare(graph))
    assert fusion.ends
    for cluster in fusion.clusters:
        assert cluster.operations <= max(LARGEST_CLUSTER, 3 * MOST_OPERATIONS)


def test_what_is_short_is_not_cut() -> None:
    x = node = new_input(Spec((5,), float32))
    for _ in range(MOST_DEPTH):
        node = elementwise.sin(node)
    assert not fuse(prepare(Graph((x,), (node,)))).ends
    longer = elementwise.sin(elementwise.sin(node))
    assert fuse(prepare(Graph((x,), (longer,)))).ends


def test_concatenations_of_many_parts_choose_from_few() -> None:
    inputs = [
        new_input(
            Spec(
                (2, 1 + i % 3),
                float32,
            )
        )
        for i in range(300)
    ]
    joined = structure.concatenate(inputs, 1)
    graph = prepare(Graph(tuple(inputs), (joined,)))
    widest = max(len(n.inputs) for n in graph.nodes() if n.op.name == "concatenate")
    assert widest <= 16
    arrays = [np.random.default_rng(i).normal(size=n.shape) for i, n in enumerate(inputs)]
    found = compile(lambda *xs: cat(xs, 1))(*(tensor(a, dtype=float32) for a in arrays))
    np.testing.assert_array_equal(found.numpy(), np.concatenate(arrays, 1).astype(np.float32))


def test_tools_of_graphs_have_no_depth() -> None:
    x = node = new_input(Spec((), float32))
    for _ in range(20_000):
        node = elementwise.sin(node)
    graph = Graph((x,), (node,))
    verify(graph, PRIMITIVES)
    assert format_graph(graph).count("sin(") == 20_000
    assert to_dot(graph).count("sin") == 20_000
    assert len(differentiate(graph).nodes()) == 60_001
    del node, graph
    gc.collect()  # a chain of nodes is freed without a call inside of a call


def test_eager_mode_has_no_depth() -> None:
    x = ones(2, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y * 1.0
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
