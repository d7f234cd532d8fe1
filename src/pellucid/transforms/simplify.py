"""Rewriting a graph into a smaller one with the same values.

Only rules that keep every bit (or every NaN) are here; what may round differently is left to
the backend.  Each rule takes a node whose operands are already simplified.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import numpy as np

from pellucid.base.dtypes import float32
from pellucid.base.shapes import broadcast_shapes
from pellucid.graph.node import (
    CONSTANT,
    INPUT,
    Graph,
    Node,
    constant,
    constant_value,
    inheriting,
    make_node,
    with_operands,
)
from pellucid.ops.structure import RESHAPE
from pellucid.ops.views import VIEWS

FOLD_LIMIT = 4096
"""Constants of up to so many elements are computed while compiling."""

Rule = Callable[[Node], Node | None]


def _is_constant(node: Node, value: float) -> bool:
    """Whether the node is a constant with ``value`` everywhere."""
    while node.op.name in ("broadcast_to", "reshape"):
        node = node.inputs[0]
    if node.op is not CONSTANT or not node.size:
        return False
    return bool(np.all(node.dtype.numbers(constant_value(node)) == value))


def drop_copies(node: Node) -> Node | None:
    """copy(x), detach(x) → x; cast to the same dtype, or from a narrow one and back → x."""
    if node.op.name in ("copy", "detach"):
        return node.inputs[0]
    if node.op.name != "cast":
        return None
    source = node.inputs[0]
    if source.dtype is node.dtype:
        return source
    back = node.dtype.is_narrow and source.op.name == "cast" and source.dtype is float32
    return source.inputs[0] if back and source.inputs[0].dtype is node.dtype else None


def fold_constants(node: Node) -> Node | None:
    """An operation on small constants only → its value.

    Not where a number is subnormal: whether it counts as 0 is decided when the program runs.
    """
    if not node.inputs or node.size > FOLD_LIMIT or node.op.family == "random" or node.op.host:
        return None  # (What the host computes may raise, which is for the step to say.)
    if any(n.op is not CONSTANT for n in node.inputs) or node.op.name == "broadcast_to":
        return None
    values = [constant_value(n) for n in node.inputs]
    result = np.asarray(node.op.evaluate(*values, **node.settings), node.dtype.numpy)
    if node.op.family != "movement" and any(map(_has_subnormal, (*values, result))):
        return None
    return constant(result)


def _has_subnormal(array: np.ndarray) -> bool:
    """Whether a number is smaller than the smallest normal one of its type, and not 0."""
    if array.dtype.kind != "f":
        return False
    size = np.abs(array)
    return bool(((size > 0) & (size < np.finfo(array.dtype).tiny)).any())


def drop_neutral(node: Node) -> Node | None:
    """x · 1, x / 1, x + 0 (integers), x − 0 → x, where the shape stays."""
    if len(node.inputs) != 2:
        return None
    x, y = node.inputs
    name = node.op.name
    if name in ("mul", "div") and _is_constant(y, 1) and x.shape == node.shape:
        return x
    if name == "mul" and _is_constant(x, 1) and y.shape == node.shape:
        return y
    if name == "sub" and _is_constant(y, 0) and x.shape == node.shape:
        return x
    # x + 0 turns -0 into +0, so it only goes for integers.
    if name == "add" and node.dtype.kind == "int":
        if _is_constant(y, 0) and x.shape == node.shape:
            return x
        if _is_constant(x, 0) and y.shape == node.shape:
            return y
    return None


def merge_moves(node: Node) -> Node | None:
    """Two reshapes, transposes, broadcasts or negations in a row → one or none."""
    if len(node.inputs) != 1 or node.inputs[0].op is not node.op or not node.inputs[0].inputs:
        return None
    inner = node.inputs[0]
    source = inner.inputs[0]
    name = node.op.name
    if name == "neg":
        return source
    if name == "reshape" or (name == "broadcast_to" and len(source.shape) == len(inner.shape)):
        return source if source.shape == node.shape else make_node(node.op, [source], node.settings)
    if name == "transpose":
        before, after = inner.settings["axes"], node.settings["axes"]
        axes = tuple(before[a] for a in after)
        return (
            source
            if axes == tuple(range(len(axes)))
            else make_node(node.op, [source], {"axes": axes})
        )
    return None


def drop_trivial_moves(node: Node) -> Node | None:
    """reshape, broadcast, slice or transpose to what it already is → its operand."""
    if node.op.name in ("reshape", "broadcast_to") and node.inputs[0].shape == node.shape:
        return node.inputs[0]
    if node.op.name == "slice" and node.inputs[0].shape == node.shape:
        settings = node.settings
        ends = zip(node.shape, settings["start"], settings["step"], strict=True)
        if all(n == 1 or (start == 0 and step == 1) for n, start, step in ends):
            return node.inputs[0]
    if node.op.name == "transpose":
        moved = [a for a in node.settings["axes"] if node.inputs[0].shape[a] != 1]
        if moved == sorted(moved):
            # Only axes of extent 1 change places: the order of elements stays.
            return make_node(RESHAPE, node.inputs, {"shape": node.shape})
    return None


def drop_broadcasts(node: Node) -> Node | None:
    """Element-wise operations broadcast by themselves: f(x, broadcast(y)) → f(x, y)."""
    if node.op.family != "elementwise" or len(node.inputs) < 2:
        return None
    changed = list(node.inputs)
    for position, operand in enumerate(node.inputs):
        if operand.op.name != "broadcast_to":
            continue
        trial = list(changed)
        trial[position] = operand.inputs[0]
        if broadcast_shapes(*(n.shape for n in trial)) == node.shape:
            changed = trial
    return None if changed == list(node.inputs) else make_node(node.op, changed, node.settings)


def views_after(node: Node) -> Node | None:
    """after(view(x), g) → view(after(x, g)), so that views on both sides of it meet."""
    rule = VIEWS.get(node.inputs[0].op.name) if node.op.name == "after" else None
    if rule is None or not rule.shows_all:
        return None
    view, awaited = node.inputs
    return make_node(view.op, [make_node(node.op, [view.inputs[0], awaited], {})], view.settings)


RULES: tuple[Rule, ...] = (
    drop_copies,
    fold_constants,
    drop_neutral,
    merge_moves,
    drop_trivial_moves,
    drop_broadcasts,
    views_after,
)
"""The rules, tried in this order until none applies."""


_memory = threading.local()


@contextlib.contextmanager
def settling_once() -> Iterator[None]:
    """Inside, :func:`simplify` does not try its rules again on nodes that none of them changes."""
    before = getattr(_memory, "settled", None)
    _memory.settled = set() if before is None else before
    try:
        yield
    finally:
        _memory.settled = before


def simplify(graph: Graph, rules: tuple[Rule, ...] = RULES) -> Graph:
    """The graph with every rule applied to every node until nothing changes."""
    replaced: dict[Node, Node] = {}
    settled: set[Node] | None = getattr(_memory, "settled", None) if rules is RULES else None
    with inheriting() as inherit:
        for node in graph.nodes():
            if node.op in (INPUT, CONSTANT):
                replaced[node] = node
                continue
            inherit(node)
            operands = [replaced[n] for n in node.inputs]
            same = tuple(operands) == node.inputs
            current = node if same else with_operands(node, operands)
            if settled is None:
                replaced[node] = _settle(current, rules)
            elif current in settled:
                replaced[node] = current
            else:
                replaced[node] = final = _settle(current, rules)
                settled.add(final)
    if all(replaced[n] is n for n in graph.outputs):
        return graph
    return Graph(graph.inputs, tuple(replaced[n] for n in graph.outputs), graph.aliases)


def _settle(node: Node, rules: tuple[Rule, ...]) -> Node:
    """Apply rules at one node until none fits."""
    for _ in range(100):
        for rule in rules:
            better = rule(node) if node.inputs else None
            if better is not None and better is not node:
                node = better
                break
        else:
            return node
    return node
