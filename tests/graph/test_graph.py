"""The graph language: interning, order, the verifier, text and drawings."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from pellucid.backends.reference.evaluate import evaluate
from pellucid.base.dtypes import float32, float64, int64
from pellucid.base.errors import GraphError, ShapeError
from pellucid.graph.node import (
    INPUT,
    Graph,
    Node,
    Primitive,
    Spec,
    constant,
    constant_value,
    consumers,
    current_layer,
    layer_scope,
    make_node,
    topological,
)
from pellucid.graph.show import format_graph, to_dot
from pellucid.graph.verify import verify
from pellucid.ops import PRIMITIVES, contraction, elementwise, structure
from pellucid.transforms.differentiate import differentiate


def input_node(name: str, shape: tuple[int, ...] = (2, 3), dtype: Any = float32) -> Node:
    return make_node(INPUT, (), {"name": name, "shape": shape, "dtype": dtype})


def small_graph() -> Graph:
    x, w = input_node("x", (2, 3)), input_node("w", (3, 4))
    with layer_scope("encoder.0"):
        hidden = elementwise.tanh(contraction.matmul(x, w))
    return Graph((x, w), (structure.sum(hidden),))


def test_equal_structure_is_the_same_object() -> None:
    x, y = input_node("x"), input_node("y")
    assert elementwise.add(x, y) is elementwise.add(x, y)
    assert structure.reshape(x, (3, 2)) is structure.reshape(x, (3, -1))
    assert constant(np.float32([1, 2])) is constant(np.array([1, 2], np.float32))
    assert input_node("x") is x


def test_different_structure_is_not() -> None:
    x, y = input_node("x"), input_node("y")
    assert elementwise.add(x, y) is not elementwise.add(y, x)
    assert elementwise.add(x, y) is not elementwise.sub(x, y)
    assert structure.sum(x, 0) is not structure.sum(x, 1)
    assert constant(np.float32(1)) is not constant(np.float64(1))
    assert constant(np.zeros((1, 2), np.float32)) is not constant(np.zeros((2, 1), np.float32))
    assert constant(np.float32(0.0)) is not constant(np.float32(-0.0))


def test_nodes_nobody_holds_are_forgotten() -> None:
    x = input_node("forgotten", (7, 11))
    node = elementwise.exp(x)
    address, key = id(node), node._key
    del node
    gc.collect()
    from pellucid.graph import node as module

    assert key not in module._interned, address


def test_bad_input_fails_when_the_node_is_built() -> None:
    with pytest.raises(ShapeError, match=r"matmul got shapes \(2, 3\) and \(2, 3\)"):
        contraction.matmul(input_node("x"), input_node("y"))


def test_constants_hold_their_values() -> None:
    for array in (np.arange(6).reshape(2, 3), np.float64(2.5), np.zeros((0, 4), np.float32)):
        np.testing.assert_array_equal(constant_value(constant(np.asarray(array))), array)


def test_operands_come_before_users_and_each_once() -> None:
    x = input_node("x")
    a = elementwise.exp(x)
    b = elementwise.mul(a, a)
    order = topological([elementwise.add(b, a), a])
    assert order == [x, a, b, elementwise.add(b, a)]
    assert consumers(order)[a] == [b, b, elementwise.add(b, a)]


def test_the_layer_that_made_a_node_is_remembered() -> None:
    with layer_scope("net"):
        with layer_scope("net.inner"):
            node = elementwise.sin(input_node("of a layer", (5,)))
        assert current_layer() == "net"
    assert node.origin.layer == "net.inner"
    assert current_layer() == ""


def test_a_layer_is_left_also_by_an_error() -> None:
    with pytest.raises(KeyError), layer_scope("broken"):
        raise KeyError
    assert current_layer() == ""


# ---- the verifier -------------------------------------------------------------------------------


def test_a_good_graph_passes() -> None:
    graph = small_graph()
    verify(graph, PRIMITIVES)
    verify(differentiate(graph), PRIMITIVES)


def test_an_input_declared_twice() -> None:
    x = input_node("x")
    with pytest.raises(GraphError, match="an input is declared twice"):
        verify(Graph((x, x), (elementwise.exp(x),)), PRIMITIVES)


def test_an_input_not_declared() -> None:
    x, y = input_node("x"), input_node("y")
    with pytest.raises(GraphError, match=r"<input float32\[2, 3\]> is used but not declared"):
        verify(Graph((x,), (elementwise.add(x, y),)), PRIMITIVES)


def test_an_unknown_operation() -> None:
    stranger = Primitive("strange", "test", "?", lambda x: x, np.array, None, lambda: ())
    x = input_node("x")
    with pytest.raises(GraphError, match="there is no operation 'strange'\n.*pellucid/ops"):
        verify(Graph((x,), (make_node(stranger, (x,), {}),)), PRIMITIVES)


def test_an_operation_that_only_has_a_known_name() -> None:
    stranger = Primitive("exp", "test", "?", lambda x: x, np.array, None, lambda: ())
    x = input_node("an unusual input", (13, 17))
    with pytest.raises(GraphError, match="there is no operation 'exp'"):
        verify(Graph((x,), (make_node(stranger, (x,), {}),)), PRIMITIVES)


def test_a_node_whose_shape_is_not_what_the_rule_says() -> None:
    x = input_node("x with a wrong user", (2, 3))
    wrong = make_node(PRIMITIVES["exp"], (x,), {}, Spec((3, 2), float32))
    with pytest.raises(GraphError, match=r"<exp float32\[3, 2\]> should be float32\[2, 3\]"):
        verify(Graph((x,), (wrong,)), PRIMITIVES)


def test_an_output_that_cannot_replace_its_input() -> None:
    x = input_node("x")
    graph = Graph((x,), (structure.sum(x),), {0: 0})
    with pytest.raises(
        GraphError, match=r"output 0 \(float32\[\]\) cannot replace input 0 \(float32\[2, 3\]\)"
    ):
        verify(graph, PRIMITIVES)
    verify(Graph((x,), (elementwise.exp(x),), {0: 0}), PRIMITIVES)


def test_the_evaluator_checks_what_it_gets() -> None:
    graph = small_graph()
    with pytest.raises(GraphError, match="the graph has 2 inputs and got 1 arrays"):
        evaluate(graph, [np.zeros((2, 3), np.float32)])
    with pytest.raises(GraphError, match=r"input float32\[2, 3\] got an array float64\[2, 3\]"):
        evaluate(graph, [np.zeros((2, 3)), np.zeros((3, 4), np.float32)])


def test_the_evaluator_keeps_an_output_that_is_also_an_operand() -> None:
    x = input_node("x", (2,), float64)
    a = elementwise.exp(x)
    b = elementwise.mul(a, a)
    found = evaluate(Graph((x,), (a, b, a, x)), [np.array([0.0, 1.0])])
    np.testing.assert_allclose(found[1], found[0] ** 2)
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[3], [0.0, 1.0])


# ---- text and drawings --------------------------------------------------------------------------


def test_a_graph_as_text() -> None:
    assert format_graph(small_graph()).splitlines() == [
        "%2 : float32[2, 4] = matmul(x, w)  # encoder.0",
        "%3 : float32[2, 4] = tanh(%2)  # encoder.0",
        "%4 : float32[] = sum(%3; axes=(0, 1))",
        "return %4",
    ]


def test_constants_in_text() -> None:
    x = input_node("x", (2,))
    node = elementwise.add(
        elementwise.mul(x, constant(np.float32(2.0))), constant(np.ones(2, np.float32))
    )
    text = format_graph(Graph((x,), (node,)))
    assert "mul(x, 2.0)" in text and "constant float32[2]" in text


def test_the_drawing_shows_both_directions() -> None:
    """Data flows from input to output in black, gradients back in red."""
    graph = small_graph()
    text = to_dot(graph, differentiate(graph, [1]))
    assert text.startswith("digraph {") and text.endswith("}")
    assert text.count("{") == text.count("}")
    black = [line for line in text.splitlines() if "->" in line and "black" in line]
    red = [line for line in text.splitlines() if "->" in line and "red" in line]
    assert len(black) == sum(len(n.inputs) for n in graph.nodes())
    assert len(red) == sum(
        len(n.inputs) for n in differentiate(graph, [1]).nodes() if n not in set(graph.nodes())
    )
    names = {line.split(" [")[0].strip() for line in text.splitlines() if "label=" in line}
    for line in black + red:
        source, target = line.split("[")[0].split("->")
        assert source.strip() in names and target.strip() in names
    assert "x\\nfloat32[2, 3]" in text and "matmul\\nfloat32[2, 4]" in text


def test_nodes_show_what_they_are() -> None:
    assert repr(elementwise.exp(input_node("x"))) == "<exp float32[2, 3]>"
    assert str(Spec((), int64)) == "int64[]"
