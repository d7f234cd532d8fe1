"""Element-wise parts written side by side, each by its own loop.

The gradient of a gate layer's packed pre-activation is a sum of padded parts: computed element by
element, every element would ask each part whether it lies inside.  Here the parts become stores
through strides into one array (an assembly, see :mod:`pellucid.compiler.placement`); parts of one
size are computed together, in one pass over what they read.

before: for each of B × 4H elements four comparisons and all four derivatives; after: one loop
over B × H elements with four stores.
"""

from __future__ import annotations

from itertools import pairwise

from pellucid.base.dtypes import bfloat16
from pellucid.base.shapes import Shape, contiguous_strides
from pellucid.compiler.placement import ASSEMBLY, padded_parts, views_read
from pellucid.compiler.repeat import is_loop, operand_view
from pellucid.graph.node import Graph, Node, inheriting, make_node, unshared
from pellucid.graph.replay import order_above
from pellucid.ops import elementwise, structure
from pellucid.ops.elementwise import COPY
from pellucid.ops.registry import apply

SHORTEST_PART = 8
"""Parts shorter than this along the last axis are not worth a loop of their own."""


def join_in_place(graph: Graph) -> Graph:
    """Stored values that are put together from element-wise parts → assemblies of the parts."""
    nodes = graph.nodes()
    wanted = {view.base for node in nodes for view in views_read(node)}
    for loop in filter(is_loop, nodes):
        wanted |= {operand_view(loop, i).base for i in range(len(loop.inputs))}
    aliased = {graph.outputs[position] for position in graph.aliases}
    wanted |= set(graph.outputs) - aliased
    found = {}
    for node in nodes:
        if node in wanted and node not in aliased:
            parts = _parts(node)
            if parts:
                found[node] = parts
    return _rebuilt(graph, found) if found else graph


def narrow_parts(node: Node) -> Node | None:
    """A sum of padded parts in bfloat16, rounded after each addition → the parts, joined."""
    if node.op.name != "cast" or node.dtype is not bfloat16:
        return None
    parts = padded_parts(node, through_casts=True)
    axes = [a for a, n in enumerate(node.shape) if any(part.shape[a] != n for part, _ in parts)]
    if len(parts) < 2 or len(axes) != 1:
        return None
    ordered = sorted(parts, key=lambda part: part[1][axes[0]])
    rounded = [elementwise.cast(part, bfloat16) for part, _ in ordered]
    joined: Node = structure.concatenate(rounded, axes[0])
    return joined


def _parts(node: Node) -> list[tuple[Node, int]]:
    """Parts and their offsets, where they are worth loops of their own."""
    strides = contiguous_strides(node.shape)
    parts: list[tuple[Node, int]] = []
    for part, corner in _joined(node):
        offset = sum(a * s for a, s in zip(corner, strides, strict=True))
        for start, stop in pairwise(sorted({0, *_seams(part), part.shape[-1]})):
            parts.append((_piece(part, start, stop), offset + start))
    long = all(part.size and part.shape[-1] >= SHORTEST_PART for part, _ in parts)
    return parts if len(parts) > 1 and long else []


def _joined(node: Node) -> list[tuple[Node, Shape]]:
    """The parts that a value is put together from, and their corners; none if it is not."""
    if node.op.name == "add":
        return padded_parts(node)
    if node.op.name != "concatenate":
        return []
    axis, start, parts = node.settings["axis"], 0, []
    for part in node.inputs:
        parts.append((part, tuple(start * (i == axis) for i in range(len(part.shape)))))
        start += part.shape[axis]
    return parts


def _seams(node: Node) -> set[int]:
    """Places along the last axis where element-wise work meets another part of a joined value."""
    found: set[int] = set()
    stack, seen = [node], {node}
    while stack:
        current = stack.pop()
        parts = _joined(current)
        if parts and _only_last_axis(parts):
            found |= {corner[-1] for _, corner in parts}
        elif current.op.family == "elementwise":
            inner = [i for i in current.inputs if i.shape[-1:] == node.shape[-1:]]
            stack.extend(i for i in inner if i not in seen)
            seen.update(inner)
    return found


def _only_last_axis(parts: list[tuple[Node, Shape]]) -> bool:
    return not any(any(corner[:-1]) for _, corner in parts)


def _piece(node: Node, start: int, stop: int) -> Node:
    """``node[..., start:stop]``, computed from the parts that lie there."""
    if not node.shape or node.shape[-1] == 1 or (start, stop) == (0, node.shape[-1]):
        return node
    parts = _joined(node)
    if parts and _only_last_axis(parts):
        for part, corner in parts:
            if corner[-1] <= start and stop <= corner[-1] + part.shape[-1]:
                return _piece(part, start - corner[-1], stop - corner[-1])
    if node.op.family == "elementwise":
        return make_node(node.op, [_piece(i, start, stop) for i in node.inputs], node.settings)
    lead = (0,) * (len(node.shape) - 1)
    steps = (1,) * len(node.shape)
    piece: Node = structure.slice_(node, (*lead, start), (*node.shape[:-1], stop), steps)
    return piece


def _rebuilt(graph: Graph, found: dict[Node, list[tuple[Node, int]]]) -> Graph:
    """The graph with assemblies of copies of the parts, which are new expressions."""
    replaced: dict[Node, Node] = {}
    with inheriting() as inherit:
        for root in graph.nodes():
            parts = found.get(root)
            for node in order_above([root] if parts is None else [p for p, _ in parts], replaced):
                inherit(node)
                operands = [replaced[n] for n in node.inputs]
                same = all(a is b for a, b in zip(operands, node.inputs, strict=True))
                replaced[node] = node if same else make_node(node.op, operands, node.settings)
            if parts is not None:
                inherit(root)
                strides = contiguous_strides(root.shape)
                places = tuple((offset, strides) for _, offset in parts)
                # One value may be a part of two assemblies, and is then written twice.
                copies = [unshared(apply(COPY, replaced[part])) for part, _ in parts]
                settings = {"shape": root.shape, "places": places}
                replaced[root] = make_node(ASSEMBLY, copies, settings)
    return Graph(graph.inputs, tuple(replaced[n] for n in graph.outputs), graph.aliases)
