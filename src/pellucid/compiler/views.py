"""Views: how a kernel reads a value through transposes, slices and broadcasts, without a copy.

A chain of movements over a stored value is an offset and a stride for each axis, wherever strides
can say it.  Matrix products and attention read their operands so: heads straight out of a packed
projection, a transposed weight, a repeated head.
"""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.base.dtypes import bfloat16, float32
from pellucid.base.shapes import contiguous_strides
from pellucid.compiler.index import is_inline
from pellucid.graph.node import CONSTANT, INPUT, Node

ATTENTION_READS = {
    "attention": ("q", "k", "v"),
    "attention_log_sum": ("q", "k"),
    "attention_gradient": ("g", "q", "k", "v", "out", "log_sum"),
}
"""Operands of each operation; a mask and the state of dropout may follow."""

MOVES = ("transpose", "reshape", "broadcast_to", "slice", "after")

SLICE_SHARE = 4
"""A slice is read in place if it is at least this part (one in so many) of a value that would not
be stored otherwise; smaller slices are computed by themselves."""


@dataclass(frozen=True)
class View:
    """A stored value, where the view begins in it, and the step of each axis, in elements."""

    base: Node
    offset: int
    strides: tuple[int, ...]


def contiguous(node: Node) -> View:
    """The node as it lies in memory."""
    return View(node, 0, contiguous_strides(node.shape))


def view_of(node: Node, narrow: bool = False) -> View | None:
    """A chain of views as base, offset and strides; None where strides cannot say it.

    ``narrow`` looks through conversions of bfloat16: the base holds bfloat16 numbers, or float32
    that are to be rounded.
    """
    shape, name = node.shape, node.op.name
    if name == "after" or (narrow and _is_passed(node)):
        return view_of(node.inputs[0], narrow)
    if name not in ("transpose", "reshape", "broadcast_to", "slice") or not node.size:
        return contiguous(node)
    source = node.inputs[0].shape
    below = view_of(node.inputs[0], narrow)
    if below is None:
        # What lies below has to be stored as it is: a view of that.
        below = contiguous(node.inputs[0])
    base, offset, strides = below.base, below.offset, below.strides
    if name == "transpose":
        return View(base, offset, tuple(strides[a] for a in node.settings["axes"]))
    if name == "broadcast_to":
        lead = len(shape) - len(source)
        stretched = tuple(
            0 if i < lead or (source[i - lead] == 1 and shape[i] != 1) else strides[i - lead]
            for i in range(len(shape))
        )
        return View(base, offset, stretched)
    if name == "slice":
        start, step = node.settings["start"], node.settings["step"]
        computed = is_inline(base) and base.op is not CONSTANT
        if min(step, default=1) < 1 or (computed and node.size * SLICE_SHARE < base.size):
            return contiguous(node)
        first = offset + sum(a * s for a, s in zip(start, strides, strict=True))
        return View(base, first, tuple(s * c for s, c in zip(strides, step, strict=True)))
    reshaped = reshape_strides(source, strides, shape)
    return None if reshaped is None else View(base, offset, reshaped)


def _is_passed(node: Node) -> bool:
    """Whether a product of bfloat16 numbers reads what a conversion converts.

    That is so for bfloat16 → float32, and for the rounding of what is stored in float32 anyway.
    """
    if node.op.name != "cast":
        return False
    below = node.inputs[0]
    if (node.dtype, below.dtype) == (float32, bfloat16):
        return True
    if (node.dtype, below.dtype) != (bfloat16, float32):
        return False
    while below.op.name in MOVES:
        below = below.inputs[0]
    return below.op is INPUT or not is_inline(below)


def is_narrow_product(node: Node) -> bool:
    """Whether a node is a matrix product of bfloat16 numbers with a float32 result."""
    return node.op.name == "matmul" and all(map(_is_widened, node.inputs))


def _is_widened(node: Node) -> bool:
    """Whether a value is float32 of bfloat16, moved perhaps."""
    while node.op.name in MOVES:
        node = node.inputs[0]
    return node.op.name == "cast" and node.dtype is float32 and node.inputs[0].dtype is bfloat16


def reshape_strides(
    source: tuple[int, ...], strides: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Strides after a reshape, if every new axis lies inside a run of old ones."""
    old = [(n, s) for n, s in zip(source, strides, strict=True) if n != 1]
    result: list[int] = []
    runs: list[list[int]] = []
    for extent, stride in old:
        if runs and runs[-1][1] == extent * stride:
            runs[-1] = [runs[-1][0] * extent, stride]
        else:
            runs.append([extent, stride])
    queue = list(runs)
    left, stride = 1, 0
    for extent in reversed(shape):
        if extent == 1:
            result.append(0)
            continue
        if left == 1:
            if not queue:
                return None
            left, stride = queue.pop()
        if left % extent:
            return None
        result.append(stride)
        left //= extent
        stride *= extent
    return tuple(reversed(result)) if left == 1 and not queue else None


@dataclass(frozen=True)
class MatrixView:
    """How a matrix product reads an operand: the stored value, and its strides in elements.

    ``batch`` has a stride for each batch axis of the product, 0 where the operand is repeated.
    A product of bfloat16 numbers reads them as such, or in float32 to be rounded.
    """

    base: Node
    offset: int
    batch: tuple[int, ...]
    row: int
    column: int


def matrix_view(product: Node, position: int) -> MatrixView:
    """The operand's view, through all movements that strides can express."""
    operand = product.inputs[position]
    view = view_of(operand, is_narrow_product(product)) or contiguous(operand)
    own, lead = operand.shape[:-2], len(product.shape) - len(operand.shape)
    batch = [0 if n == 1 else s for n, s in zip(own, view.strides, strict=False)]
    return MatrixView(view.base, view.offset, (*[0] * lead, *batch), *view.strides[-2:])


def rows_view(operand: Node, steps: tuple[int, ...] = (1,)) -> View:
    """The view of a value whose rows a kernel reads with one of these steps between elements.

    A kernel that loads vectors of a row needs neighbours in memory: the default.  One that can
    also repeat a single element says so with ``(0, 1)``.
    """
    view = view_of(operand)
    if view is None or (operand.shape[-1] > 1 and view.strides[-1] not in steps):
        return contiguous(operand)
    return view


def attention_views(node: Node) -> list[View]:
    """How an attention, or its gradient, reads its operands.

    Queries, keys, values and cotangents are loaded in vectors; only a mask may repeat one element
    for all keys.  A cotangent that is one number spread over its shape is therefore stored.
    """
    rank, dense = len(node.inputs[0].shape), len(ATTENTION_READS[node.op.name])
    return [
        rows_view(x, (1,) if i < dense else (0, 1)) if len(x.shape) == rank else contiguous(x)
        for i, x in enumerate(node.inputs)
    ]


def merge_axes(
    extents: tuple[int, ...], *strides: tuple[int, ...]
) -> list[tuple[int, tuple[int, ...]]]:
    """Axes as (extent, the stride of each operand), as few as possible.

    Neighbours are one axis where every operand steps through both evenly; axes of extent 1 are
    left out.
    """
    merged: list[tuple[int, tuple[int, ...]]] = []
    for extent, *steps in zip(extents, *strides, strict=True):
        if extent == 1:
            continue
        if merged and all(
            before == extent * step for before, step in zip(merged[-1][1], steps, strict=True)
        ):
            merged[-1] = (merged[-1][0] * extent, tuple(steps))
        else:
            merged.append((extent, tuple(steps)))
    return merged


def flat_base(node: Node) -> Node:
    """The value whose elements, in order, are those of a chain of reshapes."""
    while node.op.name in ("reshape", "after"):
        node = node.inputs[0]
    return node


def awaited(node: Node) -> list[Node]:
    """Values that a kernel must wait for although it reads through to what they hold up."""
    found = []
    for operand in node.inputs:
        while operand.op.name in MOVES or operand.op.name == "cast":
            if operand.op.name == "after":
                found.append(operand.inputs[1])
            operand = operand.inputs[0]
    return found
