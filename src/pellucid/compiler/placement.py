"""Results written where they are needed, instead of being copied there.

The heads' results of an attention are wanted side by side, (N, T, H·E), and the gradients of
queries, keys and values in one packed array.  In the graph these are transposes, reshapes and
sums of padded parts: passes over memory that compute nothing.  Here such a chain becomes an
*assembly*, an array whose parts are written in place, through strides, by the kernels that
compute them.

before: product → transpose → reshape → pad, three times, and two sums; after: three products
that write into one array.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pellucid.base.shapes import Shape, contiguous_strides
from pellucid.compiler.views import MatrixView, View, attention_views, matrix_view, reshape_strides
from pellucid.graph.node import (
    CONSTANT,
    Graph,
    Node,
    Primitive,
    Spec,
    constant_value,
    consumers,
    inheriting,
    make_node,
)

Part = tuple[Node, int, tuple[int, ...]]
"""A value, the offset of its first element in the assembly, and the step of each of its axes."""

PLACING = frozenset(("matmul", "attention", "attention_gradient"))
"""Operations whose kernels can write their result through strides, the last axis contiguous."""

MOST_PARTS = 64
"""A sum of more parts than this is added up: each pair would have to be compared."""

MOVES = frozenset(("transpose", "reshape", "concatenate", "add"))


def _infer(*parts: Spec, shape: Shape, places: tuple[tuple[int, tuple[int, ...]], ...]) -> Spec:
    return Spec(shape, parts[0].dtype)


def _evaluate(
    *parts: np.ndarray, shape: Shape, places: tuple[tuple[int, tuple[int, ...]], ...]
) -> np.ndarray:
    flat = np.empty(math.prod(shape), parts[0].dtype)
    for part, (offset, strides) in zip(parts, places, strict=True):
        steps = [s * flat.itemsize for s in strides]
        np.lib.stride_tricks.as_strided(flat[offset:], part.shape, steps)[...] = part
    return flat.reshape(shape)  # all elements -> shape


ASSEMBLY = Primitive(
    "assembly",
    "assembly",
    "y.flat[offset_i + index * strides_i] = x_i[index] for each part i",
    _infer,
    _evaluate,
    None,
    lambda: (),
    "says that its parts are written in place; made by the compiler, after differentiation",
)


def assemble_in_place(graph: Graph) -> Graph:
    """Moves of results that only serve to put them where a product reads them → assemblies."""
    nodes = graph.nodes()
    users = consumers(nodes)
    wanted = {view.base for node in nodes for view in views_read(node)}
    found: dict[Node, list[Part]] = {}
    kept = set(graph.outputs)
    for node in nodes:
        if node in wanted and node.op.name in MOVES and node not in kept:
            parts = _placed(node, users, kept)
            if parts is not None and not _as_it_is(node, parts):
                found[node] = parts
    return _rebuilt(graph, found) if found else graph


def views_read(node: Node) -> Sequence[MatrixView | View]:
    """The views that a product or an attention reads through."""
    if node.op.family == "attention":
        return attention_views(node)
    return [matrix_view(node, i) for i in (0, 1)] if node.op.name == "matmul" else ()


def _placed(root: Node, users: dict[Node, list[Node]], kept: set[Node]) -> list[Part] | None:
    """The values that ``root`` is put together from, all of them of kinds that can be placed."""
    parts: list[Part] = []
    stack: list[Part] = [(root, 0, contiguous_strides(root.shape))]
    while stack:
        node, offset, strides = stack.pop()
        # An attention reads the result of another (its gradient does) wherever that was placed.
        other = [
            u for u in users[node] if u.op.family != "attention" or node.op.name != "attention"
        ]
        if node is not root and (len(other) != 1 or node in kept):
            return None
        if node.op.name in PLACING:
            if node.shape[-1] > 1 and strides[-1] != 1:
                return None
            parts.append((node, offset, strides))
            continue
        below = _below(node, offset, strides, users)
        if below is None:
            return None
        stack.extend(reversed(below))
    return parts


def _below(
    node: Node, offset: int, strides: tuple[int, ...], users: dict[Node, list[Node]]
) -> list[Part] | None:
    """Where the operands of a move stand, when the move itself stands at these strides."""
    name = node.op.name
    if not node.size:
        return None
    if name == "transpose":
        moved = [0] * len(strides)
        for axis, stride in zip(node.settings["axes"], strides, strict=True):
            moved[axis] = stride
        return [(node.inputs[0], offset, tuple(moved))]
    if name == "reshape":
        found = reshape_strides(node.shape, strides, node.inputs[0].shape)
        return None if found is None else [(node.inputs[0], offset, found)]
    if name == "concatenate":
        step, result = strides[node.settings["axis"]], []
        for operand in node.inputs:
            result.append((operand, offset, strides))
            offset += step * operand.shape[node.settings["axis"]]
        return result
    if name == "add":
        return [
            (part, offset + sum(a * s for a, s in zip(low, strides, strict=True)), strides)
            for part, low in padded_parts(node, users)
        ] or None
    return None


def padded_parts(
    total: Node, users: dict[Node, list[Node]] | None = None, through_casts: bool = False
) -> list[tuple[Node, Shape]]:
    """A sum of parts padded with zeros that together fill it once: each part and its corner.

    Empty where it is something else, or where others use what is in between (``users``, if given).
    ``through_casts`` passes conversions between floats.
    """
    boxes: list[tuple[Node, Shape]] = []
    stack = [total]
    while stack:
        node = stack.pop()
        if node is not total and users is not None and len(users[node]) != 1:
            return []
        if node.op.name == "add" and all(n.shape == node.shape for n in node.inputs):
            stack.extend(node.inputs)
            continue
        if through_casts and node.op.name == "cast" and node.inputs[0].dtype.kind == "float":
            stack.append(node.inputs[0])
            continue
        if node.op.name != "pad" or any(node.settings["interior"]):
            return []
        fill, low = node.inputs[1], node.settings["low"]
        if fill.op is not CONSTANT or constant_value(fill).any():
            return []
        if min((*low, *node.settings["high"])) < 0:
            return []
        boxes.append((node.inputs[0], low))
        if len(boxes) > MOST_PARTS:
            return []
    disjoint = all(_apart(a, b) for i, a in enumerate(boxes) for b in boxes[:i])
    return boxes if disjoint and sum(part.size for part, _ in boxes) == total.size else []


def _apart(a: tuple[Node, Shape], b: tuple[Node, Shape]) -> bool:
    """Whether two boxes have no element in common."""
    return any(
        i + n <= j or j + m <= i
        for i, n, j, m in zip(a[1], a[0].shape, b[1], b[0].shape, strict=True)
    )


def _as_it_is(root: Node, parts: Sequence[Part]) -> bool:
    """Whether the only part already lies as the root wants it: nothing was moved."""
    node, _, strides = parts[0]
    return len(parts) == 1 and all(
        n == 1 or s == own
        for n, s, own in zip(node.shape, strides, contiguous_strides(node.shape), strict=True)
    )


def _rebuilt(graph: Graph, found: dict[Node, list[Part]]) -> Graph:
    """The graph with an assembly in place of each of the roots."""
    replaced: dict[Node, Node] = {}
    with inheriting() as inherit:
        for node in graph.nodes():
            inherit(node)
            if node in found:
                parts = found[node]
                places = tuple((offset, strides) for _, offset, strides in parts)
                operands = [replaced[part] for part, _, _ in parts]
                settings = {"shape": node.shape, "places": places}
                replaced[node] = make_node(ASSEMBLY, operands, settings)
                continue
            operands = [replaced[n] for n in node.inputs]
            same = all(a is b for a, b in zip(operands, node.inputs, strict=True))
            replaced[node] = node if same else make_node(node.op, operands, node.settings)
    return Graph(graph.inputs, tuple(replaced[n] for n in graph.outputs), graph.aliases)
