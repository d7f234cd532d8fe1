"""Convolutions as products over strided views.

A convolution is a matrix product whose left factor is never written down: its element (row,
depth) lies in the framed input at a place that is a sum of strides, of image and position for
the row, of kernel position and channel for the depth.  With channels last, all channels of a
place (and of its neighbours along the last axis) lie side by side, and the weights are a plain
matrix.  The gradient for the weights is the same with the roles exchanged: rows are kernel
positions and channels, the sum runs over images and positions.

Moves to and from the channel-last order are pushed through element-wise work, so that between
two convolutions they meet and cancel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.base.errors import CompilationError
from pellucid.base.shapes import Shape
from pellucid.compiler import winograd
from pellucid.compiler.machine import DEFAULT, Machine
from pellucid.compiler.views import view_of
from pellucid.graph.node import CONSTANT, Node, Primitive, Spec, constant_value, make_node
from pellucid.ops import elementwise, structure
from pellucid.ops.contraction import matmul
from pellucid.ops.registry import scalar

Strided = tuple[tuple[int, int], ...]
"""Axes as (extent, step in elements), the outermost first."""

MOST_SLICES = 64
"""A depthwise convolution with so many kernel positions is written as a sum of slices."""
MOST_PARTS = 8
"""Parts that a sum over images is cut into, so that threads can share it."""
MOST_PARTIAL_ELEMENTS = 1 << 18
"""Largest result of which partial sums are kept."""


def _infer(
    a: Spec,
    b: Spec,
    *,
    batch: tuple[tuple[int, ...], ...],
    rows: Strided,
    depth: Strided,
    columns: int,
    offset: int = 0,
) -> Spec:
    lead = tuple(axis[0] for axis in batch)
    return Spec((*lead, math.prod(n for n, _ in rows), columns), a.dtype)


def _places(axes: Sequence[tuple[int, int]]) -> np.ndarray:
    """Offset of every element of strided axes, in order."""
    total = np.zeros(1, np.int64)
    for extent, step in axes:
        total = (total[:, None] + np.arange(extent) * step).reshape(-1)
    return total


def _evaluate(
    a: np.ndarray,
    b: np.ndarray,
    *,
    batch: tuple[tuple[int, ...], ...],
    rows: Strided,
    depth: Strided,
    columns: int,
    offset: int = 0,
) -> np.ndarray:
    count = math.prod(n for n, _ in depth)
    first = _places([(n, s) for n, s, _ in batch])[:, None, None]
    left = a.reshape(-1)[offset + first + _places(rows)[:, None] + _places(depth)]
    start = _places([(n, s) for n, _, s in batch])[:, None, None]
    right = b.reshape(-1)[start + np.arange(count * columns).reshape(count, columns)]
    lead = tuple(axis[0] for axis in batch)
    return np.asarray((left @ right).reshape(*lead, -1, columns))


STRIDED_PRODUCT = Primitive(
    "strided_product",
    "contraction",
    "c[i, m, n] = sum over k of a.flat[o + i * sa + row(m) + depth(k)] * b.flat[i * sb + k N + n]",
    _infer,
    _evaluate,
    None,
    lambda: (),
    "what convolutions become; it is made by the compiler alone, after differentiation",
)


def merged(axes: Sequence[tuple[int, int]]) -> Strided:
    """The same places in the same order with as few axes as possible."""
    result: list[tuple[int, int]] = []
    for extent, step in axes:
        if extent == 1:
            continue
        if result and result[-1][1] == extent * step:
            result[-1] = (result[-1][0] * extent, step)
        else:
            result.append((extent, step))
    return tuple(result) or ((1, 0),)


def strided_product(
    a: Node,
    b: Node,
    batch: Sequence[tuple[int, int, int]],
    rows: Strided,
    depth: Strided,
    columns: int,
    offset: int = 0,
) -> Node:
    """The product; a plain matrix product where one stride for rows and for depth will do."""
    rows, depth = merged(rows), merged(depth)
    count = math.prod(n for n, _ in depth)
    plain = not batch and not offset and len(rows) == len(depth) == 1
    if plain and a.size == rows[0][0] * count:
        right = structure.reshape(b, (count, columns))
        if depth[0][1] == 1 or count == 1:
            return _node(matmul(structure.reshape(a, (rows[0][0], count)), right))
        if rows[0][1] == 1:
            turned = structure.reshape(a, (count, rows[0][0]))
            return _node(matmul(structure.transpose(turned, (1, 0)), right))
    settings = {
        "batch": tuple(batch),
        "rows": rows,
        "depth": depth,
        "columns": columns,
        "offset": offset,
    }
    return make_node(STRIDED_PRODUCT, (a, b), settings)


def _node(value: object) -> Node:
    if not isinstance(value, Node):
        raise CompilationError(f"a graph holds a {type(value).__name__}", "report this")
    return value


def _steps(shape: Sequence[int]) -> list[int]:
    """Elements from one place to the next along each axis of a contiguous array."""
    return [math.prod(shape[i + 1 :]) for i in range(len(shape))]


def _zeros(node: Node) -> Node:
    return _node(structure.broadcast_to(scalar(node, 0.0), node.shape))


def _divided(node: Node, axis: int, parts: int) -> Node:
    """An axis split in two: (parts, rest)."""
    shape = (*node.shape[:axis], parts, node.shape[axis] // parts, *node.shape[axis + 1 :])
    return _node(structure.reshape(node, shape))


def lower_convolution(node: Node, machine: Machine = DEFAULT) -> Node | None:
    """A convolution as one product (grouped ones as a batch of them), else None."""
    if node.op.name != "convolution":
        return None
    x, w = node.inputs
    settings = node.settings
    if not node.size or not x.size or not w.size:
        return _zeros(node)
    groups = settings["groups"]
    kernel, out = w.shape[2:], node.shape[2:]
    if groups > 1 and w.shape[:2] == (groups, 1) and math.prod(kernel) <= MOST_SLICES:
        return _depthwise(node)
    if groups > 1 and w.shape[0] == groups and math.prod(out) <= MOST_SLICES and x.shape[0] == 1:
        return _depthwise_weights(node)
    frame = _frame(node)
    if winograd.fits(node, kernel, out, w.shape[1], w.shape[0], x.shape[0], machine):
        return _by_patches(node, frame, x, w, machine)
    if winograd.fits(node, out, kernel, x.shape[0], w.shape[0], w.shape[1], machine):
        return _weights_by_patches(node, frame, x, w, machine)
    if math.prod(kernel) > math.prod(out):
        return _batch_last(node, frame.with_batch_last(x), w)
    return _channels_last(node, frame.with_channels_last(x), w)


@dataclass(frozen=True)
class _Frame:
    """Zeros around the spatial axes, and where what is read begins: crops cost no copy."""

    low: Shape
    high: Shape
    start: Shape

    def with_channels_last(self, x: Node) -> tuple[Node, int]:
        """x as (N, framed…, C), and the offset of what is read first."""
        return self._around(x, (0, *range(2, len(x.shape)), 1))

    def with_batch_last(self, x: Node) -> tuple[Node, int]:
        """x as (C, framed…, N), and the offset of what is read first."""
        return self._around(x, (1, *range(2, len(x.shape)), 0))

    def reaching(self, extents: Shape, out: Shape) -> _Frame:
        """With as much more behind the axes as patches of whole squares of results read."""
        sides = zip(extents, self.low, self.high, self.start, out, strict=True)
        high = (max(b, winograd.reach(s, m) - n - a) for n, a, b, s, m in sides)
        return _Frame(self.low, tuple(high), self.start)

    def _around(self, x: Node, order: Shape) -> tuple[Node, int]:
        low, high = self.low, self.high
        if _is_zero_frame(x):
            # The frame becomes one with zeros that stand there already.
            low = tuple(a + b for a, b in zip(low, x.settings["low"][2:], strict=True))
            high = tuple(a + b for a, b in zip(high, x.settings["high"][2:], strict=True))
            x = x.inputs[0]
        a = structure.transpose(x, order)
        if any(low) or any(high):
            a = structure.pad(a, (0, *low, 0), (0, *high, 0))
        steps = _steps(a.shape)[1:-1]
        return _node(a), sum(p * t for p, t in zip(self.start, steps, strict=True))


def _is_zero_frame(x: Node) -> bool:
    """Whether a node only puts zeros around the spatial axes of another."""
    if x.op.name != "pad" or any(x.settings["interior"]):
        return False
    amounts = (*x.settings["low"], *x.settings["high"])
    outside = any((*x.settings["low"][:2], *x.settings["high"][:2]))
    fill = x.inputs[1]
    return min(amounts) >= 0 and not outside and fill.op is CONSTANT and not constant_value(fill)


def _frame(node: Node) -> _Frame:
    """What a convolution needs around its input: no more than its windows reach."""
    x, w = node.inputs
    settings = node.settings
    axes = zip(
        x.shape[2:],
        w.shape[2:],
        node.shape[2:],
        settings["stride"],
        settings["dilation"],
        settings["low"],
        strict=True,
    )
    reach = tuple(s * (m - 1) + d * (k - 1) + 1 - n - low for n, k, m, s, d, low in axes)
    low = settings["low"]
    return _Frame(
        tuple(max(0, a) for a in low),
        tuple(max(0, a) for a in reach),
        tuple(max(0, -a) for a in low),
    )


def _channels_last(node: Node, framed: tuple[Node, int], w: Node) -> Node:
    """a (N, framed…, C): rows are (image, position), depth is (kernel position, channel)."""
    a, offset = framed
    settings = node.settings
    groups, rank = settings["groups"], len(a.shape) - 2
    steps, kernel, out = _steps(a.shape), w.shape[2:], node.shape[2:]
    channels, filters = w.shape[1], w.shape[0] // groups
    rows = [(a.shape[0], steps[0])]
    rows += [(n, s * t) for n, s, t in zip(out, settings["stride"], steps[1:-1], strict=True)]
    depth = [(n, d * t) for n, d, t in zip(kernel, settings["dilation"], steps[1:-1], strict=True)]
    depth.append((channels, 1))
    if groups == 1:
        weights = structure.transpose(w, (*range(2, 2 + rank), 1, 0))  # (kernel…, C, O)
    else:
        parts = _divided(w, 0, groups)  # (G, O, C, kernel…) -> (G, kernel…, C, O)
        weights = structure.transpose(parts, (0, *range(3, 3 + rank), 2, 1))
    batch = [(groups, channels, math.prod(kernel) * channels * filters)] if groups > 1 else []
    product = strided_product(a, _node(weights), batch, tuple(rows), tuple(depth), filters, offset)
    shaped = structure.reshape(product, (groups, a.shape[0], *out, filters))
    back = structure.transpose(shaped, (1, 0, rank + 2, *range(2, rank + 2)))
    if groups == 1:
        flat = structure.reshape(product, (a.shape[0], *out, filters))
        return _node(structure.transpose(flat, (0, rank + 1, *range(1, rank + 1))))
    return _node(structure.reshape(back, node.shape))


def _batch_last(node: Node, framed: tuple[Node, int], w: Node) -> Node:
    """a (C, framed…, N): rows are (position, N), depth is (C, kernel position).

    This is the gradient for weights, whose "kernel" is a picture and whose "channels" are images.
    """
    a, offset = framed
    settings = node.settings
    groups, rank = settings["groups"], len(a.shape) - 2
    steps, kernel, out = _steps(a.shape), w.shape[2:], node.shape[2:]
    channels, filters, images = w.shape[1], w.shape[0] // groups, a.shape[-1]
    rows = [(n, s * t) for n, s, t in zip(out, settings["stride"], steps[1:-1], strict=True)]
    rows.append((images, 1))
    depth = [(n, d * t) for n, d, t in zip(kernel, settings["dilation"], steps[1:-1], strict=True)]
    area = math.prod(kernel) * filters
    splits = 1
    plain = len(merged(rows)) == len(merged([(channels, steps[0]), *depth])) == 1
    if groups == 1 and not plain and node.size <= MOST_PARTIAL_ELEMENTS:
        splits = max(p for p in range(1, MOST_PARTS + 1) if channels % p == 0)
    each = channels // splits
    batch = []
    if groups * splits > 1:
        batch = [(groups * splits, each * steps[0], each * area)]
    if groups == 1:
        weights = structure.transpose(w, (*range(1, 2 + rank), 0))  # (C, kernel…, O)
    else:
        split = _divided(w, 0, groups)  # (G, O, C, kernel…) -> (G, C, kernel…, O)
        weights = structure.transpose(split, (0, 2, *range(3, 3 + rank), 1))
    all_depth = ((each, steps[0]), *depth)
    product = strided_product(a, _node(weights), batch, tuple(rows), all_depth, filters, offset)
    if splits > 1:
        product = _node(structure.sum(product, (0,)))
    if groups == 1:
        flat = structure.reshape(product, (*out, images, filters))
        return _node(structure.transpose(flat, (rank, rank + 1, *range(rank))))
    shaped = structure.reshape(product, (groups, *out, images, filters))
    back = structure.transpose(shaped, (rank + 1, 0, rank + 2, *range(1, rank + 1)))
    return _node(structure.reshape(back, node.shape))


def _by_patches(node: Node, frame: _Frame, x: Node, w: Node, machine: Machine) -> Node:
    """A convolution of 3 × 3 as 36 products for each square of 4 × 4 results."""
    out = (node.shape[2], node.shape[3])
    a, offset = frame.reaching(x.shape[2:], out).with_channels_last(x)
    weights = structure.transpose(w, (2, 3, 1, 0))  # (3, 3, C, O)
    made = winograd.convolve(a, offset, _node(weights), out, machine)
    return _node(structure.transpose(made, (0, 3, 1, 2)))


def _weights_by_patches(node: Node, frame: _Frame, x: Node, w: Node, machine: Machine) -> Node:
    """The gradient of 3 × 3 weights in the same way; images stand where channels do."""
    out = (w.shape[2], w.shape[3])
    a, offset = frame.reaching(x.shape[2:], out).with_batch_last(x)
    gradient = structure.transpose(w, (1, 2, 3, 0))  # (N, h, w, O)
    made = winograd.weights_gradient(a, offset, _node(gradient), machine)
    return _node(structure.transpose(made, (2, 3, 0, 1)))


def _window(a: Node, lead: Shape, place: Shape, out: Shape, step: Shape) -> Node:
    """The elements of a (N, framed…, C) that meet one kernel position."""
    start = (0, *place, 0)
    stop = (
        lead[0],
        *(p + s * (n - 1) + 1 for p, s, n in zip(place, step, out, strict=True)),
        lead[1],
    )
    return _node(structure.slice_(a, start, stop, (1, *step, 1)))


def _depthwise(node: Node) -> Node:
    """A kernel for each channel: a sum over kernel positions of slices times weights."""
    x, w = node.inputs
    settings, rank = node.settings, len(node.shape) - 2
    frame = _frame(node)
    a = frame.with_channels_last(x)[0]
    kernel = structure.reshape(w, (w.shape[0], *w.shape[2:]))
    weights = structure.transpose(kernel, (*range(1, rank + 1), 0))  # (kernel…, C)
    total = None
    for place in np.ndindex(*w.shape[2:]):
        where = tuple(
            f + p * d for f, p, d in zip(frame.start, place, settings["dilation"], strict=True)
        )
        window = _window(a, (x.shape[0], x.shape[1]), where, node.shape[2:], settings["stride"])
        one = structure.slice_(
            weights, (*place, 0), (*(p + 1 for p in place), x.shape[1]), (1,) * (rank + 1)
        )
        term = elementwise.mul(window, structure.reshape(one, (x.shape[1],)))
        total = term if total is None else elementwise.add(total, term)
    return _node(structure.transpose(total, (0, rank + 1, *range(1, rank + 1))))


def _depthwise_weights(node: Node) -> Node:
    """The gradient for depthwise weights: at each kernel position a sum over all places.

    x (1, G·N, spatial…), w (G, N, out…) → (1, G, kernel…), images standing where channels do.
    """
    x, w = node.inputs
    settings, rank, groups = node.settings, len(node.shape) - 2, node.settings["groups"]
    images = w.shape[1]
    parts = structure.reshape(x, (groups, images, *x.shape[2:]))
    frame = _frame(node)
    a = frame.with_batch_last(_node(parts))[0]  # (N, framed…, G)
    g = structure.transpose(w, (*range(1, rank + 2), 0))
    sums = []
    for place in np.ndindex(*node.shape[2:]):
        where = tuple(
            f + p * s for f, p, s in zip(frame.start, place, settings["stride"], strict=True)
        )
        window = _window(a, (images, groups), where, w.shape[2:], settings["dilation"])
        total = structure.sum(elementwise.mul(window, g), tuple(range(rank + 1)))
        sums.append(structure.reshape(total, (groups, 1)))
    together = structure.concatenate(sums, 1)
    return _node(structure.reshape(together, node.shape))


# ---- moves pushed through element-wise work ---------------------------------------------------


def _is_channel_move(node: Node) -> bool:
    """Whether a node brings a channel-last value back: (N, spatial…, C) → (N, C, spatial…)."""
    if node.op.name != "transpose":
        return False
    axes = node.settings["axes"]
    rank = len(axes) - 2
    return rank >= 1 and axes == (0, rank + 1, *range(1, rank + 1))


def drop_round_trip(node: Node) -> Node | None:
    """Transposes and reshapes after which the elements stand in the old order → one reshape."""
    if node.op.name not in ("transpose", "reshape") or node.inputs[0].op.name not in (
        "transpose",
        "reshape",
    ):
        return None
    base = node
    while base.op.name in ("transpose", "reshape"):
        base = base.inputs[0]
    found = view_of(node)
    if found is None or found.base is not base:
        return None
    axes = [(n, s) for n, s in zip(node.shape, found.strides, strict=True) if n != 1]
    if merged(axes) not in (((node.size, 1),), ((1, 0),)):
        return None
    return base if base.shape == node.shape else _node(structure.reshape(base, node.shape))


def sink_channel_move(node: Node) -> Node | None:
    """f(move(a), b) → move(f(a, unmove(b))) for element-wise f."""
    if node.op.family != "elementwise" or len(node.shape) < 3:
        return None
    moves = [n for n in node.inputs if _is_channel_move(n) and n.shape == node.shape]
    if not moves:
        return None
    rank = len(node.shape)
    back = (0, *range(2, rank), 1)
    operands = []
    for operand in node.inputs:
        if operand.op.name == "transpose" and operand in moves:
            operands.append(operand.inputs[0])
        elif operand.size == 1:
            operands.append(structure.reshape(operand, ()))
        else:
            full = structure.reshape(operand, (*(1,) * (rank - len(operand.shape)), *operand.shape))
            operands.append(structure.transpose(full, back))
    inner = make_node(node.op, operands, node.settings)
    return make_node(moves[0].op, (inner,), moves[0].settings)


def sink_through_moves(node: Node) -> Node | None:
    """slice, pad or concatenate of channel moves → the move of that, channels last.

    So do reshapes and broadcasts that leave images and channels as they are.
    """
    if node.op.name in ("reshape", "broadcast_to") and _is_channel_move(node.inputs[0]):
        move, shape = node.inputs[0], node.shape
        if shape[:2] != move.shape[:2] or len(shape) < 3:
            return None
        inner = make_node(node.op, (move.inputs[0],), {"shape": (shape[0], *shape[2:], shape[1])})
        rank = len(shape) - 1
        return _node(structure.transpose(inner, (0, rank, *range(1, rank))))
    if node.op.name not in ("slice", "pad", "concatenate"):
        return None
    parts = node.inputs[:1] if node.op.name == "pad" else node.inputs
    if not all(_is_channel_move(n) for n in parts):
        return None
    axes = parts[0].settings["axes"]

    def last(values: Sequence[int]) -> tuple[int, ...]:
        return (values[0], *values[2:], values[1])

    settings = {
        name: last(value) if isinstance(value, tuple) else value
        for name, value in node.settings.items()
    }
    if "axis" in settings:
        settings["axis"] = axes[settings["axis"]]
    operands = (*(n.inputs[0] for n in parts), *node.inputs[len(parts) :])
    inner = make_node(node.op, operands, settings)
    return make_node(parts[0].op, (inner,), parts[0].settings)


def sink_into_sum(node: Node) -> Node | None:
    """sum(move(a)) over axes → sum(a) over where they were, if the order of the others stays."""
    if node.op.name != "sum" or not _is_channel_move(node.inputs[0]):
        return None
    move = node.inputs[0]
    axes = move.settings["axes"]
    gone = tuple(sorted(axes[a] for a in node.settings["axes"]))
    kept = [axes[a] for a in range(len(axes)) if a not in node.settings["axes"]]
    if kept != sorted(kept):
        return None
    return _node(structure.sum(move.inputs[0], gone))
