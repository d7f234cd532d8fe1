"""Element-wise parts written side by side, each by its own loop.

The gradient of a gate layer's packed pre-activation is a sum of padded parts: computed element by
element, every element would ask each part whether it lies inside.  Here the parts become stores
through strides into one array (an assembly, see :mod:`pellucid.compiler.placement`); parts of one
size are computed together, in one pass over what they read.

before: for each of B × 4H elements four comparisons and all four derivatives; after: one loop
over B × H elements with four stores.
"""

from __future__ import annotations

from pellucid.base.shapes import contiguous_strides
from pellucid.compiler.placement import ASSEMBLY, padded_parts, views_read
from pellucid.compiler.repeat import is_loop, operand_view
from pellucid.graph.node import Graph, Node, consumers, inheriting, make_node, unshared
from pellucid.ops.elementwise import COPY
from pellucid.ops.registry import apply

SHORTEST_PART = 8
"""Parts shorter than this along the last axis are not worth a loop of their own."""


def join_in_place(graph: Graph) -> Graph:
    """Stored values that are put together from element-wise parts → assemblies of the parts."""
    nodes = graph.nodes()
    users = consumers(nodes)
    wanted = {view.base for node in nodes for view in views_read(node)}
    for loop in filter(is_loop, nodes):
        wanted |= {operand_view(loop, i).base for i in range(len(loop.inputs))}
    aliased = {graph.outputs[position] for position in graph.aliases}
    wanted |= set(graph.outputs) - aliased
    found = {}
    for node in nodes:
        if node in wanted and node not in aliased:
            parts = _parts(node, users)
            if parts:
                found[node] = parts
    return _rebuilt(graph, found) if found else graph


def _parts(node: Node, users: dict[Node, list[Node]]) -> list[tuple[Node, int]]:
    """Parts and their offsets, where they are worth loops of their own."""
    strides = contiguous_strides(node.shape)
    parts: list[tuple[Node, int]] = []
    if node.op.name == "concatenate":
        axis, offset = node.settings["axis"], 0
        for part in node.inputs:
            parts.append((part, offset))
            offset += part.shape[axis] * strides[axis]
    elif node.op.name == "add":
        corners = padded_parts(node, users)
        parts = [
            (part, sum(a * s for a, s in zip(low, strides, strict=True))) for part, low in corners
        ]
    long = all(part.size and part.shape[-1] >= SHORTEST_PART for part, _ in parts)
    return parts if len(parts) > 1 and long else []


def _rebuilt(graph: Graph, found: dict[Node, list[tuple[Node, int]]]) -> Graph:
    replaced: dict[Node, Node] = {}
    with inheriting() as inherit:
        for node in graph.nodes():
            inherit(node)
            if node in found:
                strides = contiguous_strides(node.shape)
                places = tuple((offset, strides) for _, offset in found[node])
                # One value may be a part of two assemblies, and is then written twice.
                copies = [unshared(apply(COPY, replaced[part])) for part, _ in found[node]]
                settings = {"shape": node.shape, "places": places}
                replaced[node] = make_node(ASSEMBLY, copies, settings)
                continue
            operands = [replaced[n] for n in node.inputs]
            same = all(a is b for a, b in zip(operands, node.inputs, strict=True))
            replaced[node] = node if same else make_node(node.op, operands, node.settings)
    return Graph(graph.inputs, tuple(replaced[n] for n in graph.outputs), graph.aliases)
