"""Updates of state that change a few rows of it.

The gradient of an embedding is zero but for the rows that were looked up.  Where nobody else needs
it, a plain gradient step adds to those rows and leaves the others alone: no array of zeros is
filled, and the table is not read and written as a whole.
"""

from __future__ import annotations

from pellucid.graph.node import (
    CONSTANT,
    Graph,
    Node,
    constant_value,
    consumers,
    inheriting,
    make_node,
)
from pellucid.ops import elementwise, structure

LEAST_SAVED = 2
"""Rows are written in place where the state has at least so many times as many elements."""


def write_rows_alone(graph: Graph) -> Graph:
    """x − c · (rows put into zeros) → x with −c · rows added in their places.

    before: an array of zeros as large as the table, rows added to it, the whole subtracted;
    after: the rows.  Roundings differ where a row is met twice: x − c·a − c·b, not x − c·(a + b).
    """
    nodes = graph.nodes()
    users = consumers(nodes)
    kept = set(graph.outputs)

    def only(node: Node, user: Node) -> bool:
        return node not in kept and all(u is user for u in users[node])

    chosen = set()
    for node in nodes:
        parts = _parts(node)
        if parts is not None:
            rows, _ = parts
            small = LEAST_SAVED * rows.inputs[2].size <= node.size
            if small and only(node.inputs[1], node) and only(rows, node.inputs[1]):
                chosen.add(node)
    return _rewritten(graph, nodes, chosen) if chosen else graph


def _rewritten(graph: Graph, nodes: list[Node], chosen: set[Node]) -> Graph:
    replaced: dict[Node, Node] = {}
    with inheriting() as inherit:
        for node in nodes:
            inherit(node)
            operands = [replaced[n] for n in node.inputs]
            same = all(a is b for a, b in zip(operands, node.inputs, strict=True))
            current = node if same else make_node(node.op, operands, node.settings)
            parts = _parts(current) if node in chosen else None
            if parts is not None:
                rows, factor = parts
                scale = structure.reshape(factor, ())
                if node.op.name == "sub":
                    scale = elementwise.neg(scale)
                written = elementwise.mul(rows.inputs[2], scale)
                places = [current.inputs[0], rows.inputs[1], written]
                current = make_node(rows.op, places, rows.settings)
            replaced[node] = current
    return Graph(graph.inputs, tuple(replaced[n] for n in graph.outputs), graph.aliases)


def _parts(node: Node) -> tuple[Node, Node] | None:
    """(rows put into zeros, number) whose product is added to, or taken from, a value."""
    if node.op.name not in ("add", "sub") or node.dtype.kind != "float":
        return None
    x, change = node.inputs
    if change.op.name != "mul" or not x.shape == change.shape == node.shape:
        return None
    for rows, factor in (change.inputs, change.inputs[::-1]):
        into_zeros = rows.op.name == "put" and rows.settings["mode"] == "add"
        if into_zeros and factor.size == 1 and is_zero(rows.inputs[0]):
            return rows, factor
    return None


def is_zero(node: Node) -> bool:
    """Whether all elements are 0, as far as the graph shows."""
    while node.op.name in ("broadcast_to", "reshape"):
        node = node.inputs[0]
    return (
        node.op is CONSTANT
        and node.size == 1
        and not node.dtype.numbers(constant_value(node)).any()
    )
