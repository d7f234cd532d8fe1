"""Reverse-mode differentiation of graphs, against the tape, difference quotients and itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from helpers import assert_close
from pellucid import grad as tape_grad
from pellucid.backends.reference.evaluate import evaluate
from pellucid.base.dtypes import as_dtype, float64
from pellucid.base.errors import AutogradError
from pellucid.graph.node import INPUT, Graph, Node, consumers, make_node, topological
from pellucid.graph.verify import verify
from pellucid.ops import PRIMITIVES, contraction, elementwise, structure
from pellucid.ops.registry import apply, scalar
from pellucid.tensor.core import lift
from pellucid.tensor.gradcheck import numerical_grad
from pellucid.transforms.differentiate import differentiate, gradients, reverse

add, mul, sub = elementwise.add, elementwise.mul, elementwise.sub


def input_node(name: str, shape: tuple[int, ...] = (), dtype: Any = float64) -> Node:
    return make_node(INPUT, (), {"name": name, "shape": shape, "dtype": dtype})


def run(outputs: list[Node], values: dict[Node, np.ndarray]) -> list[np.ndarray]:
    graph = Graph(tuple(values), tuple(outputs))
    verify(graph, PRIMITIVES)
    return evaluate(graph, list(values.values()))


def leaf(values: Any) -> Any:
    return lift(np.array(values, np.float64)).requires_grad_()


CASES = [
    pytest.param(primitive, sample, id=f"{name}-{number}")
    for name, primitive in PRIMITIVES.items()
    if primitive.gradient is not None
    for number, sample in enumerate(primitive.samples())
    if any(np.asarray(a).dtype.kind == "f" for a in sample.inputs)
]


@pytest.mark.parametrize(("primitive", "sample"), CASES)
def test_a_graph_and_the_tape_give_the_same_gradients(primitive: Any, sample: Any) -> None:
    arrays = [np.asarray(a) for a in sample.inputs]
    nodes = [input_node(f"x{i}", a.shape, as_dtype(a.dtype)) for i, a in enumerate(arrays)]
    output = apply(primitive, *nodes, **sample.params)
    if output.dtype is not float64:
        pytest.skip("no real output")
    weights = np.cos(np.arange(output.size)).reshape(output.shape)
    total = structure.sum(mul(output, output.lift(weights)))
    real = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    found = run(gradients([total], [nodes[i] for i in real]), dict(zip(nodes, arrays, strict=True)))
    tensors = [leaf(a) if i in real else lift(a) for i, a in enumerate(arrays)]
    (apply(primitive, *tensors, **sample.params) * lift(weights)).sum().backward()
    for position, array in zip(real, found, strict=True):
        grad = tensors[position].grad  # None where the output does not depend on the input
        expected = np.zeros_like(array) if grad is None else grad
        assert_close(array, expected, rtol=1e-12, atol=1e-14)


def small_network(w1: Any, b1: Any, w2: Any, x: Any) -> Any:
    """tanh(x·W1 + b1)·W2, squared and summed."""
    hidden = elementwise.tanh(add(contraction.matmul(x, w1), b1))
    out = contraction.matmul(hidden, w2)
    return structure.sum(mul(out, out))


def test_differentiate_makes_a_graph_of_gradients_that_verifies(rng: np.random.Generator) -> None:
    shapes = {"w1": (3, 4), "b1": (4,), "w2": (4, 2), "x": (5, 3)}
    nodes = {name: input_node(name, shape) for name, shape in shapes.items()}
    arrays = [rng.standard_normal(s) for s in shapes.values()]
    graph = Graph(tuple(nodes.values()), (small_network(*nodes.values()),))
    backward = differentiate(graph, [0, 1, 2])
    verify(backward, PRIMITIVES)
    assert [o.shape for o in backward.outputs] == [(3, 4), (4,), (4, 2)]
    tensors = [leaf(a) for a in arrays]
    expected = tape_grad(small_network(*tensors), tensors[:3])
    for found, wanted in zip(evaluate(backward, arrays), expected, strict=True):
        assert_close(found, wanted, rtol=1e-12)


def test_one_backward_sweep_equals_two_forward_passes_per_parameter(
    rng: np.random.Generator,
) -> None:
    """All P partial derivatives from one sweep agree with 2·P evaluations to 1e-6."""
    arrays = [rng.standard_normal(s) * 0.5 for s in ((3, 4), (4,), (4, 2), (5, 3))]
    evaluations = 0

    def counted(*inputs: Any) -> Any:
        nonlocal evaluations
        evaluations += 1
        return small_network(*inputs)

    tensors = [leaf(a) for a in arrays[:3]]
    counted(*tensors, lift(arrays[3])).backward()
    assert evaluations == 1
    parameters = sum(a.size for a in arrays[:3])
    evaluations = 0
    for place, tensor in enumerate(tensors):
        fixed = [t.detach() for t in tensors] + [lift(arrays[3])]

        def moved(x: Any, place: int = place, fixed: list[Any] = fixed) -> Any:
            return counted(*fixed[:place], x, *fixed[place + 1 :])

        assert_close(tensor.grad, numerical_grad(moved, tensor.detach()), rtol=1e-6, atol=1e-8)
    assert evaluations == 2 * parameters


def test_a_diamond_adds_up_what_comes_back_along_both_paths() -> None:
    """x feeds both sides; the gradient is complete before x's own history is entered."""
    x = input_node("x")
    shared = mul(x, x)
    left, right = elementwise.sin(shared), elementwise.exp(shared)
    top = mul(left, right)
    value = np.asarray(0.7)
    (found,) = run(gradients([top], [x]), {x: value})
    inner = value**2
    assert_close(found, np.exp(inner) * (np.cos(inner) + np.sin(inner)) * 2 * value, rtol=1e-12)


def test_the_walk_goes_from_the_output_back_and_visits_each_value_once() -> None:
    x = input_node("x")
    a = elementwise.exp(x)
    b, c = elementwise.sin(a), elementwise.cos(a)
    top = add(mul(b, c), a)
    seen: list[Node] = []

    def visit(value: Node, cotangent: Node) -> Node:
        seen.append(value)
        return cotangent

    reverse([top], [scalar(top, 1.0)], lambda n: n if n.inputs else None, visit=visit)
    assert len(seen) == len(set(seen)) == 6
    place = {node: i for i, node in enumerate(seen)}
    assert seen[0] is top and seen[-1] is x
    for node, users in consumers(topological([top])).items():
        for user in users:
            assert place[user] < place[node], f"{node} came before its user {user}"


def test_a_ladder_of_diamonds_costs_linear_time() -> None:
    """2^60 paths, 120 operations: every path counted, none walked alone."""
    x = leaf(1.0)
    value = x
    for _ in range(60):
        value = value + value
    value.backward()
    assert x.grad.item() == 2.0**60


def test_a_chain_of_ten_thousand_operations_needs_no_recursion() -> None:
    assert sys.getrecursionlimit() < 10_000
    node = start = input_node("x")
    for step in range(10_000):
        node = add(node, scalar(node, float(step % 7)))
    assert len(topological([node])) == 10_001 + 7
    (found,) = run(gradients([node], [start]), {start: np.asarray(2.0)})
    assert found == 1.0
    x = leaf(2.0)
    value: Any = x
    for _ in range(10_000):
        value = value * 1.0001
    value.backward()
    assert_close(x.grad, 1.0001**10_000, rtol=1e-9)
    del value


def test_an_input_without_influence_gets_zeros() -> None:
    x, y = input_node("x", (2, 3)), input_node("y", (2,))
    found = run(gradients([structure.sum(x)], [x, y]), {x: np.ones((2, 3)), y: np.ones(2)})
    assert_close(found[0], np.ones((2, 3)))
    assert_close(found[1], np.zeros(2))


def test_a_value_with_axes_needs_a_cotangent() -> None:
    x = input_node("x", (3,))
    with pytest.raises(AutogradError, match=r"value of shape \(3,\) needs a cotangent\n.*sum it"):
        gradients([mul(x, x)], [x])
    (found,) = run(
        gradients([mul(x, x)], [x], [x.lift(np.array([1.0, 10.0, 100.0]))]),
        {x: np.array([1.0, 2.0, 3.0])},
    )
    assert_close(found, [2.0, 40.0, 600.0])


# ---- one derivative, many ways ----------------------------------------------------------------

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[float], list[float]]]] = {
    # name: (function, its value and first three derivatives by hand)
    "sin": (elementwise.sin, lambda x: [np.sin(x), np.cos(x), -np.sin(x), -np.cos(x)]),
    "cube": (lambda x: mul(x, mul(x, x)), lambda x: [x**3, 3 * x**2, 6 * x, 6.0]),
    "exp of square": (
        lambda x: elementwise.exp(mul(x, x)),
        lambda x: list(np.exp(x * x) * np.array([1, 2 * x, 4 * x * x + 2, 8 * x**3 + 12 * x])),
    ),
    "x to the x": (
        lambda x: elementwise.pow(x, x),
        lambda x: list(
            x**x
            * np.array(
                [
                    1,
                    np.log(x) + 1,
                    (np.log(x) + 1) ** 2 + 1 / x,
                    (np.log(x) + 1) ** 3 + 3 * (np.log(x) + 1) / x - 1 / x**2,
                ]
            )
        ),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("point", [0.3, 1.7])
def test_higher_derivatives_agree_along_every_path(name: str, point: float) -> None:
    """By hand, by graph of graph, by tape of tape, and the quotient of the order before."""
    function, by_hand = FUNCTIONS[name]
    wanted = by_hand(point)
    x, graph_values = input_node("x"), []
    node = function(x)
    tensor, tape_values = leaf(point), []
    value = function(tensor)
    for order in range(4):
        graph_values.append(float(run([node], {x: np.asarray(point)})[0]))
        tape_values.append(value.item())
        if order < 3:
            (node,) = gradients([node], [x])
            (value,) = tape_grad(value, tensor, create_graph=True)
    assert_close(graph_values, wanted, rtol=1e-11, atol=1e-12)
    assert_close(tape_values, graph_values, rtol=1e-14)
    for order in range(3):
        step = 1e-5
        quotient = (by_hand(point + step)[order] - by_hand(point - step)[order]) / (2 * step)
        assert_close(graph_values[order + 1], quotient, rtol=1e-6, atol=1e-6)


def test_hessians_agree_row_by_row_and_as_products(rng: np.random.Generator) -> None:
    """Rows of the Hessian, its products with vectors, quotients of gradients; it is symmetric."""
    start = rng.standard_normal(4)

    def function(x: Any) -> Any:
        return (x.sin() * x.flip(0) + (x.roll(1) * x).exp()).sum()

    x = leaf(start)
    (slope,) = tape_grad(function(x), x, create_graph=True)
    rows = [tape_grad(slope[i], x, retain_graph=True)[0].array() for i in range(4)]
    hessian = np.stack(rows)
    assert_close(hessian, hessian.T, rtol=1e-12, atol=1e-14)
    vector = rng.standard_normal(4)
    (product,) = tape_grad((slope * lift(vector)).sum(), x, retain_graph=True)
    assert_close(product, hessian @ vector, rtol=1e-12)

    def slope_of(values: np.ndarray) -> np.ndarray:
        point = leaf(values)
        return np.array(tape_grad(function(point), point)[0].array())

    step = 1e-6
    quotient = (slope_of(start + step * vector) - slope_of(start - step * vector)) / (2 * step)
    assert_close(product, quotient, rtol=1e-6, atol=1e-7)


def test_the_gradient_is_the_direction_of_steepest_rise(rng: np.random.Generator) -> None:
    """Along any unit vector the slope is at most ‖∇L‖, and equals it along ∇L itself."""
    x = leaf(rng.standard_normal(5))
    ((x * x).sin() + x.prod()).sum().backward()
    gradient = x.grad.array()
    length = np.linalg.norm(gradient)
    for _ in range(100):
        direction = rng.standard_normal(5)
        assert gradient @ (direction / np.linalg.norm(direction)) <= length + 1e-12
    assert_close(gradient @ (gradient / length), length, rtol=1e-12)


def test_gradient_descent_reaches_the_bottom_of_a_bowl() -> None:
    """f(x) = x0² + x1² from (−3, 4) with step 0.1: each step shrinks x by 0.8."""
    x = leaf([-3.0, 4.0])
    for step in range(1, 101):
        (slope,) = tape_grad((x * x).sum(), x)
        x = (x - slope * 0.1).detach().requires_grad_()
        assert_close(x, np.array([-3.0, 4.0]) * 0.8**step, rtol=1e-9)
    assert np.abs(x.detach().array()).max() < 1e-8
