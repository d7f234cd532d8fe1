"""In which order a loop nest visits rows, where what it reads lies turned around.

A transpose reads neighbours that lie far apart in memory.  Visited row by row, each element of
the result costs a cache line of which only one element is used before it is pushed out again.
Visited in strips of some rows (or columns), all of a line is used while it is near.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.base.shapes import Shape, contiguous_strides
from pellucid.compiler.clusters import cone
from pellucid.compiler.index import linear, loop, operand_indices
from pellucid.graph.node import Node

ROWS_OF_STRIP = (32, 16, 8)
"""Rows that are visited together; the first that divides their number."""
STRIP = 8
"""Columns that are visited together."""
CONFLICT_BYTES = 1024
"""Lines that lie a multiple of this apart push each other out of the nearest cache."""
LEAST = 1 << 14
"""Values of fewer elements stay in the nearest caches in any order."""


@dataclass(frozen=True)
class Visit:
    """How rows are visited: ``axes`` as (extent, step in rows), the outermost first.

    ``inner`` is the number of elements in a row.
    """

    axes: tuple[tuple[int, int], ...]
    inner: int


def unreshaped(node: Node) -> Node:
    """What a reshape only gives another shape: the same elements in the same order."""
    while node.op.name == "reshape" and node.inputs[0].op.family in ("movement", "elementwise"):
        node = node.inputs[0]
    return node


def plan_visit(anchors: Sequence[Node], inner: int, stored: set[Node]) -> Visit | None:
    """An order for rows of ``inner`` elements of all ``anchors``; None where the usual one will do.

    ``stored`` are the values that are read from memory.
    """
    anchors = [unreshaped(a) for a in anchors] if len(anchors) == 1 else anchors
    shape = anchors[0].shape
    if anchors[0].size < LEAST or any(a.shape != shape for a in anchors):
        return None
    axis = len(shape)
    while axis > 0 and math.prod(shape[axis:]) < inner:
        axis -= 1
    if math.prod(shape[axis:]) != inner:
        return None
    steps = _turned_read(anchors, axis, stored)
    if steps is None:
        return None
    unit = next(i for i, step in enumerate(steps) if step == 1 and shape[i] > 1)
    strides = contiguous_strides(shape[:axis])
    first: list[tuple[int, int]] = []
    last: list[tuple[int, int]] = []
    rest = [(steps[i], (shape[i], strides[i])) for i in range(axis) if i != unit]
    if axis == len(shape) - 1 and inner > max(ROWS_OF_STRIP):
        if inner % STRIP or steps[axis] * anchors[0].dtype.itemsize % CONFLICT_BYTES:
            return None
        # The columns become strips, which are rows of their own.
        strips = inner // STRIP
        first = [(strips, 1)]
        rest = [(step, (n, s * strips)) for step, (n, s) in rest]
        last = [(shape[unit], strides[unit] * strips)]
        inner = STRIP
    else:
        strip = next((n for n in ROWS_OF_STRIP if shape[unit] % n == 0 and shape[unit] > n), 0)
        if not strip:
            return None
        first = [(shape[unit] // strip, strides[unit] * strip)]
        last = [(strip, strides[unit])]
    middle = [pair for _, pair in sorted(rest, key=lambda item: -item[0])]
    return Visit((*first, *middle, *last), inner)


def _turned_read(anchors: Sequence[Node], axis: int, stored: set[Node]) -> Shape | None:
    """Steps of a large read whose neighbours belong to different rows, if there is one."""
    shape = anchors[0].shape
    index = tuple(loop(f"x{i}", n) for i, n in enumerate(shape))
    names = [f"x{i}" for i in range(len(shape))]
    for anchor in anchors:
        start = zip(anchor.inputs, operand_indices(anchor, index), strict=True)
        for node, where in cone(start, stored):
            if 2 * node.size < anchor.size:
                continue
            offset = linear(where, node.shape)
            if any(atom.kind != "loop" for atom, _ in offset.terms):
                continue
            steps = tuple(offset.coefficient(name) for name in names)
            units = [i for i, step in enumerate(steps) if step == 1 and shape[i] > 1]
            if units and units[0] < axis:
                return steps
    return None
