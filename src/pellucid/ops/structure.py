"""Primitives that move elements (reshape, transpose, …), reduce over axes, or sort.

Moves and reductions stand in one file because each is the other's gradient: the gradient of a
broadcast is a sum, that of a sum a broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import bool_, float64, int64
from pellucid.base.errors import ArgumentError, AxisError, DTypeError, ShapeError
from pellucid.base.shapes import (
    Shape,
    broadcast_shapes,
    normalize_axes,
    normalize_axis,
    resolve_reshape,
)
from pellucid.graph.node import Primitive, Sample, Spec
from pellucid.ops import elementwise
from pellucid.ops.registry import Value, apply, define, ramp, same_dtype, scalar, sum_to
from pellucid.ops.rows import Rows, aligned

_MOVES = "moves elements without arithmetic; the compiler turns it into index arithmetic"

# ---- reshape, transpose, broadcast ----------------------------------------------------------


def _infer_reshape(x: Spec, *, shape: Shape) -> Spec:
    return Spec(resolve_reshape(x.shape, shape), x.dtype)


RESHAPE = define(
    "reshape",
    "movement",
    "the elements in the same order under another shape",
    infer=_infer_reshape,
    evaluate=lambda x, *, shape: x.reshape(shape),
    gradient=lambda g, y, x, *, shape: (reshape(g, x.shape),),
    samples=lambda: [
        Sample((ramp(3, 4),), {"shape": (2, 6)}),
        Sample((ramp(6),), {"shape": (1, 2, 3)}),
        Sample((ramp(1),), {"shape": ()}),
        Sample((ramp(0, 3),), {"shape": (3, 0)}),
    ],
    reason=_MOVES,
    tangent="linear",
    batch="leading",
)


def _infer_transpose(x: Spec, *, axes: tuple[int, ...]) -> Spec:
    if sorted(axes) != list(range(len(x.shape))):
        raise ShapeError(
            f"{axes} does not name each axis of {x.shape} once", "give a permutation of all axes"
        )
    return Spec(tuple(x.shape[a] for a in axes), x.dtype)


def _batch_transpose(
    inputs: Sequence[Value], batched: Sequence[bool], rows: Rows, *, axes: tuple[int, ...]
) -> Value:
    return transpose(inputs[0], (0, *(a + 1 for a in axes)))


TRANSPOSE = define(
    "transpose",
    "movement",
    "axes in another order",
    infer=_infer_transpose,
    evaluate=lambda x, *, axes: np.transpose(x, axes),
    gradient=lambda g, y, x, *, axes: (transpose(g, tuple(int(a) for a in np.argsort(axes))),),
    samples=lambda: [
        Sample((ramp(3, 4),), {"axes": (1, 0)}),
        Sample((ramp(2, 3, 4),), {"axes": (2, 0, 1)}),
        Sample((ramp(2, 1, 3, 4),), {"axes": (0, 2, 1, 3)}),
    ],
    reason=_MOVES,
    tangent="linear",
    batch=_batch_transpose,
)


def _infer_broadcast(x: Spec, *, shape: Shape) -> Spec:
    if broadcast_shapes(x.shape, shape) != shape:
        raise ShapeError(f"{x.shape} does not broadcast to {shape}", "extents must be equal or 1")
    return Spec(shape, x.dtype)


def _evaluate_broadcast(x: np.ndarray, *, shape: Shape) -> np.ndarray:
    shown = np.broadcast_to(x, shape)
    if isinstance(x, np.ndarray) and x.flags.writeable:
        shown.flags.writeable = True  # NumPy gives it, and so all views of it, for reading only
    return shown


def _batch_broadcast(
    inputs: Sequence[Value], batched: Sequence[bool], rows: Rows, *, shape: Shape
) -> Value:
    (x,) = inputs
    ahead = (1,) * (len(shape) + 1 - len(x.shape))
    return broadcast_to(reshape(x, (rows.count, *ahead, *x.shape[1:])), (rows.count, *shape))


BROADCAST = define(
    "broadcast_to",
    "movement",
    "repeated along axes of extent 1 and along new axes in front",
    infer=_infer_broadcast,
    evaluate=_evaluate_broadcast,
    gradient=lambda g, y, x, *, shape: (sum_to(g, x.shape),),
    samples=lambda: [
        Sample((ramp(3, 1),), {"shape": (3, 4)}),
        Sample((ramp(4),), {"shape": (2, 3, 4)}),
        Sample((ramp(1).reshape(()),), {"shape": (2, 2)}),
    ],
    reason=_MOVES,
    tangent="linear",
    batch=_batch_broadcast,
)


def reshape(x: Value, shape: Sequence[int]) -> Value:
    """``x`` under another shape of equally many elements; one extent may be -1."""
    target = resolve_reshape(tuple(x.shape), tuple(shape))
    return x if target == tuple(x.shape) else apply(RESHAPE, x, shape=target)


def transpose(x: Value, axes: Sequence[int]) -> Value:
    """Axis i of the result is axis ``axes[i]`` of ``x``."""
    order = tuple(normalize_axis(a, len(x.shape)) for a in axes)
    return x if order == tuple(range(len(x.shape))) else apply(TRANSPOSE, x, axes=order)


def broadcast_to(x: Value, shape: Sequence[int]) -> Value:
    """``x`` stretched to ``shape``."""
    target = tuple(shape)
    return x if target == tuple(x.shape) else apply(BROADCAST, x, shape=target)


# ---- slice, pad, concatenate ----------------------------------------------------------------


def _infer_slice(x: Spec, *, start: Shape, stop: Shape, step: Shape) -> Spec:
    return Spec(
        tuple(len(range(a, b, c)) for a, b, c in zip(start, stop, step, strict=True)), x.dtype
    )


def _evaluate_slice(x: np.ndarray, *, start: Shape, stop: Shape, step: Shape) -> np.ndarray:
    index = tuple(
        slice(a, None if b < 0 else b, c) for a, b, c in zip(start, stop, step, strict=True)
    )
    return x[index]


def _slice_gradient(
    g: Value, y: Value, x: Value, *, start: Shape, stop: Shape, step: Shape
) -> tuple[Value]:
    return (_unslice(g, x.shape, start, step, scalar(g, 0.0)),)


def put_slice(x: Value, value: Value, start: Shape, stop: Shape, step: Shape) -> Value:
    """``x`` with ``value`` in place of ``x[start:stop:step]``."""
    spread = _unslice(value, x.shape, start, step, scalar(value, 0))
    inside = broadcast_to(x.lift(np.asarray(True)), value.shape)
    mask = _unslice(inside, x.shape, start, step, x.lift(np.asarray(False)))
    return elementwise.where(mask, spread, x)


def _unslice(value: Value, shape: Shape, start: Shape, step: Shape, fill: Value) -> Value:
    """``value`` at the places that a slice of an array of ``shape`` reads, ``fill`` elsewhere."""
    flipped = tuple(i for i, c in enumerate(step) if c < 0)
    g = flip(value, flipped) if flipped else value
    low, high, interior = [], [], []
    for extent, a, c, count in zip(shape, start, step, value.shape, strict=True):
        first = a if c > 0 else a + (count - 1) * c
        stride = max(c, -c)
        reach = first + max(count - 1, 0) * stride + 1 if count else first
        low.append(first)
        high.append(extent - reach)
        interior.append(stride - 1)
    return pad(g, tuple(low), tuple(high), tuple(interior), fill)


SLICE = define(
    "slice",
    "movement",
    "every step-th element from start to stop, along each axis",
    infer=_infer_slice,
    evaluate=_evaluate_slice,
    gradient=_slice_gradient,
    samples=lambda: [
        Sample((ramp(5, 6),), {"start": (1, 0), "stop": (4, 6), "step": (1, 2)}),
        Sample((ramp(7),), {"start": (6,), "stop": (-1,), "step": (-1,)}),
        Sample((ramp(7),), {"start": (5,), "stop": (0,), "step": (-2,)}),
        Sample((ramp(4, 3),), {"start": (2, 0), "stop": (2, 3), "step": (1, 1)}),
    ],
    reason=_MOVES,
    tangent="linear",
    batch="leading",
)


def slice_(x: Value, start: Sequence[int], stop: Sequence[int], step: Sequence[int]) -> Value:
    """``x[start:stop:step]`` along each axis; a negative step walks back and may stop at -1."""
    whole = all(
        a == 0 and b == n and c == 1 for a, b, c, n in zip(start, stop, step, x.shape, strict=True)
    )
    return x if whole else apply(SLICE, x, start=tuple(start), stop=tuple(stop), step=tuple(step))


def flip(x: Value, axes: Sequence[int]) -> Value:
    """``x`` read backwards along ``axes``."""
    chosen = normalize_axes(tuple(axes), len(x.shape))
    start = [n - 1 if i in chosen else 0 for i, n in enumerate(x.shape)]
    stop = [-1 if i in chosen else n for i, n in enumerate(x.shape)]
    step = [-1 if i in chosen else 1 for i in range(len(x.shape))]
    return slice_(x, start, stop, step)


def _infer_pad(x: Spec, fill: Spec, *, low: Shape, high: Shape, interior: Shape) -> Spec:
    same_dtype("pad", x, fill)
    if fill.shape != ():
        raise ShapeError(
            f"pad needs one number to fill with and got shape {fill.shape}", "pass a scalar"
        )
    shape = tuple(
        a + b + n + max(n - 1, 0) * i
        for n, a, b, i in zip(x.shape, low, high, interior, strict=True)
    )
    if min(shape, default=0) < 0:
        raise ShapeError(f"padding {low}, {high} takes more than {x.shape} has", "crop less")
    return Spec(shape, x.dtype)


def _evaluate_pad(
    x: np.ndarray, fill: np.ndarray, *, low: Shape, high: Shape, interior: Shape
) -> np.ndarray:
    shape = tuple(
        a + b + n + max(n - 1, 0) * i
        for n, a, b, i in zip(x.shape, low, high, interior, strict=True)
    )
    result = np.full(shape, fill, x.dtype)
    source, target = [], []
    for n, a, i, extent in zip(x.shape, low, interior, shape, strict=True):
        stride = i + 1
        first = max(0, math.ceil(-a / stride))
        last = min(n, (extent - a - 1) // stride + 1)
        source.append(slice(first, max(last, first)))
        begin = a + first * stride
        target.append(slice(begin, begin + max(last - first, 0) * stride, stride))
    if 0 not in x.shape:
        result[tuple(target)] = x[tuple(source)]
    return result


def _pad_gradient(
    g: Value, y: Value, x: Value, fill: Value, *, low: Shape, high: Shape, interior: Shape
) -> tuple[Value, Value]:
    gx = unpad(g, x.shape, low, interior)
    return gx, sub_total(g, gx)


def sub_total(g: Value, part: Value) -> Value:
    """Sum of ``g`` minus the sum of ``part``: what flowed to the filled positions."""
    axes, part_axes = tuple(range(len(g.shape))), tuple(range(len(part.shape)))
    return elementwise.sub(sum(g, axes), sum(part, part_axes))


def unpad(g: Value, shape: Shape, low: Shape, interior: Shape) -> Value:
    """The elements of ``g`` at which ``pad`` put those of an array of ``shape``."""
    start, stop, step = [], [], []
    negative_low = [max(0, -a) for a in low]
    high_needed = []
    for n, a, i, extent in zip(shape, low, interior, g.shape, strict=True):
        reach = a + max(n - 1, 0) * (i + 1) + 1 if n else a
        high_needed.append(max(0, reach - extent))
    if any(negative_low) or any(high_needed):
        g = pad(g, tuple(negative_low), tuple(high_needed), (0,) * len(shape))
    for n, a, i in zip(shape, low, interior, strict=True):
        first = max(a, 0) if a >= 0 else 0
        start.append(first)
        stop.append(first + max(n - 1, 0) * (i + 1) + 1 if n else first)
        step.append(i + 1)
    return slice_(g, start, stop, step)


def _batch_pad(
    inputs: Sequence[Value],
    batched: Sequence[bool],
    rows: Rows,
    *,
    low: Shape,
    high: Shape,
    interior: Shape,
) -> Value:
    """Rows that are filled with another number each are filled with 0, which is replaced."""
    x, fill = inputs
    if not batched[1]:
        return apply(PAD, x, fill, low=(0, *low), high=(0, *high), interior=(0, *interior))
    ahead = 1 if batched[0] else 0
    amounts = {"low": low, "high": high, "interior": interior}
    wide = {name: (0,) * ahead + tuple(value) for name, value in amounts.items()}
    spread = apply(PAD, x, scalar(x, 0), **wide)
    inside = broadcast_to(x.lift(np.asarray(True)), x.shape[ahead:])
    inside = apply(PAD, inside, x.lift(np.asarray(False)), **amounts)
    operands = aligned([inside, spread, fill], [False, batched[0], True])
    return elementwise.where(*operands)


PAD = define(
    "pad",
    "movement",
    "framed by a number; negative amounts crop, interior ones spread the elements apart",
    infer=_infer_pad,
    evaluate=_evaluate_pad,
    gradient=_pad_gradient,
    samples=lambda: [
        Sample((ramp(3, 4), np.asarray(0.5)), {"low": (1, 0), "high": (2, 3), "interior": (0, 0)}),
        Sample((ramp(4), np.asarray(0.0)), {"low": (1,), "high": (0,), "interior": (2,)}),
        Sample((ramp(5), np.asarray(1.5)), {"low": (-1,), "high": (2,), "interior": (0,)}),
    ],
    reason=_MOVES,
    tangent="linear",
    batch=_batch_pad,
)


def pad(
    x: Value,
    low: Sequence[int],
    high: Sequence[int],
    interior: Sequence[int] | None = None,
    fill: Any = 0.0,
) -> Value:
    """``x`` framed: ``low``/``high`` elements before/after along each axis, ``interior`` between.

    ``fill`` is a number or a 0-dimensional value of x's dtype.
    """
    between = tuple(interior) if interior is not None else (0,) * len(x.shape)
    if not any(low) and not any(high) and not any(between):
        return x
    number = fill if hasattr(fill, "apply_primitive") else scalar(x, fill)
    return apply(PAD, x, number, low=tuple(low), high=tuple(high), interior=between)


def _infer_concatenate(*specs: Spec, axis: int) -> Spec:
    dtype = same_dtype("cat", *specs)
    first = specs[0].shape
    for position, spec in enumerate(specs):
        fits = len(spec.shape) == len(first) and all(
            a == b for i, (a, b) in enumerate(zip(spec.shape, first, strict=True)) if i != axis
        )
        if not fits:
            raise ShapeError(
                f"cat along axis {axis}: tensor {position} has shape {spec.shape}, "
                f"tensor 0 has {first}",
                "all extents but the one along the axis must be equal",
            )
    total = math.fsum(s.shape[axis] for s in specs)
    return Spec((*first[:axis], int(total), *first[axis + 1 :]), dtype)


def _concatenate_gradient(g: Value, y: Value, *inputs: Value, axis: int) -> list[Value]:
    pieces, position = [], 0
    for x in inputs:
        start = [position if i == axis else 0 for i in range(len(g.shape))]
        stop = [position + x.shape[axis] if i == axis else n for i, n in enumerate(g.shape)]
        pieces.append(slice_(g, start, stop, [1] * len(g.shape)))
        position += x.shape[axis]
    return pieces


CONCATENATE = define(
    "concatenate",
    "movement",
    "one after the other along an axis",
    infer=_infer_concatenate,
    evaluate=lambda *xs, axis: np.concatenate(xs, axis),
    gradient=_concatenate_gradient,
    samples=lambda: [
        Sample((ramp(2, 3), ramp(4, 3) + 1), {"axis": 0}),
        Sample((ramp(2, 1), ramp(2, 3), ramp(2, 0)), {"axis": 1}),
    ],
    reason=_MOVES,
    tangent="linear",
    batch="leading",
)


def concatenate(values: Sequence[Value], axis: int) -> Value:
    """``values`` joined along ``axis``."""
    if not values:
        raise ArgumentError("cat got no tensors", "pass at least one")
    place = normalize_axis(axis, len(values[0].shape))
    return values[0] if len(values) == 1 else apply(CONCATENATE, *values, axis=place)


# ---- reductions -----------------------------------------------------------------------------


def _reduced(shape: Shape, axes: tuple[int, ...]) -> Shape:
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def _restored(g: Value, shape: Shape, axes: tuple[int, ...]) -> Value:
    """A reduced value with its reduced axes back, of extent 1."""
    return reshape(g, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _infer_sum(name: str) -> Callable[..., Spec]:
    def infer(x: Spec, *, axes: tuple[int, ...]) -> Spec:
        dtype = int64 if x.dtype.kind != "float" else x.dtype
        return Spec(_reduced(x.shape, axes), dtype)

    return infer


def _infer_extreme(name: str) -> Callable[..., Spec]:
    def infer(x: Spec, *, axes: tuple[int, ...]) -> Spec:
        for axis in axes:
            if x.shape[axis] == 0:
                raise AxisError(
                    f"{name} over axis {axis} of {x.shape}: there is no element to choose from",
                    "reduce only axes with at least one element",
                )
        return Spec(_reduced(x.shape, axes), x.dtype)

    return infer


def _reduction_samples() -> Iterable[Sample]:
    yield Sample((ramp(3, 5),), {"axes": (1,)})
    yield Sample((ramp(3, 5),), {"axes": (0,)})
    yield Sample((ramp(2, 3, 4),), {"axes": (0, 2)})
    yield Sample((ramp(2, 3, 4),), {"axes": (0, 1, 2)})
    yield Sample((ramp(67),), {"axes": (0,)})
    yield Sample((ramp(0, 3),), {"axes": (1,)})


def _prod_gradient(g: Value, y: Value, x: Value, *, axes: tuple[int, ...]) -> tuple[Value]:
    """Product of all others: exclusive products from both sides, right also where x is 0."""
    keep = tuple(i for i in range(len(x.shape)) if i not in axes)
    count = math.prod(x.shape[a] for a in axes)
    moved = transpose(x, (*keep, *axes))
    flat = reshape(moved, (*(x.shape[i] for i in keep), count))  # (kept..., count)
    place = len(keep)
    ones = broadcast_to(scalar(x, 1.0), (*flat.shape[:-1], 1))
    head = [0] * place
    body = slice_(flat, [*head, 0], [*flat.shape[:-1], max(count - 1, 0)], [1] * (place + 1))
    before = cumprod(concatenate([ones, body], place), place) if count else flat
    tail = slice_(flat, [*head, 1], list(flat.shape), [1] * (place + 1)) if count else flat
    after = (
        flip(cumprod(flip(concatenate([tail, ones], place), (place,)), place), (place,))
        if count
        else flat
    )
    others = reshape(elementwise.mul(before, after), moved.shape)
    back = transpose(others, tuple(int(a) for a in np.argsort((*keep, *axes))))
    return (elementwise.mul(_restored(g, x.shape, axes), back),)


def _extreme_gradient(g: Value, y: Value, x: Value, *, axes: tuple[int, ...]) -> tuple[Value]:
    """Shared evenly among the elements that reach the extreme (as PyTorch's amax)."""
    hit = elementwise.cast(elementwise.eq(x, _restored(y, x.shape, axes)), x.dtype)
    count = _restored(sum(hit, axes), x.shape, axes)
    return (elementwise.mul(hit, elementwise.div(_restored(g, x.shape, axes), count)),)


def _extreme_tangent(
    tangents: Sequence[Value | None], y: Value, x: Value, *, axes: tuple[int, ...]
) -> Value | None:
    """The mean tangent of the elements that reach the extreme."""
    if tangents[0] is None:
        return None
    hit = elementwise.cast(elementwise.eq(x, _restored(y, x.shape, axes)), x.dtype)
    return elementwise.div(sum(elementwise.mul(hit, tangents[0]), axes), sum(hit, axes))


def _accumulator(x: np.ndarray) -> Any:
    return None if x.dtype.kind == "f" else np.int64


def _sum(x: np.ndarray, *, axes: tuple[int, ...]) -> np.ndarray:
    """NumPy adds neighbours in pairs, but rows one after the other: many rows are added in float64.

    The sums are then about as exact as those of pairs (Higham, 1993).
    """
    if x.dtype.kind != "f":
        return np.asarray(np.sum(x, axis=axes, dtype=np.int64))
    if x.size > 4096 and x.dtype.itemsize == 4 and _rows_added(x, axes) > 128:
        return np.asarray(np.sum(x, axis=axes, dtype=np.float64).astype(x.dtype))
    return np.asarray(np.sum(x, axis=axes))


def _rows_added(x: np.ndarray, axes: tuple[int, ...]) -> int:
    """How many additions NumPy makes one after the other for an element of a sum."""
    count, neighbours = 1, True
    for axis in sorted(range(x.ndim), key=lambda a: x.strides[a]):
        if axis not in axes:
            neighbours = neighbours and x.shape[axis] == 1
        elif not neighbours:
            count *= x.shape[axis]
    return count


_REDUCES = "a loop that carries a value"
SUM = define(
    "sum",
    "reduction",
    "sum over axes",
    infer=_infer_sum("sum"),
    evaluate=_sum,
    gradient=lambda g, y, x, *, axes: (broadcast_to(_restored(g, x.shape, axes), x.shape),),
    samples=_reduction_samples,
    reason=_REDUCES,
    tangent="linear",
    batch="leading",
)
PRODUCT = define(
    "prod",
    "reduction",
    "product over axes",
    infer=_infer_sum("prod"),
    evaluate=lambda x, *, axes: np.asarray(np.prod(x, axis=axes, dtype=_accumulator(x))),
    gradient=_prod_gradient,
    samples=_reduction_samples,
    reason=_REDUCES,
    tangent="reverse",
    batch="leading",
)
MAX = define(
    "max",
    "reduction",
    "largest element over axes; NaN if there is one",
    infer=_infer_extreme("max"),
    evaluate=lambda x, *, axes: np.asarray(np.max(x, axis=axes)),
    gradient=_extreme_gradient,
    samples=lambda: list(_reduction_samples())[:5],
    reason=_REDUCES,
    tangent=_extreme_tangent,
    batch="leading",
)
MIN = define(
    "min",
    "reduction",
    "smallest element over axes; NaN if there is one",
    infer=_infer_extreme("min"),
    evaluate=lambda x, *, axes: np.asarray(np.min(x, axis=axes)),
    gradient=_extreme_gradient,
    samples=lambda: list(_reduction_samples())[:5],
    reason=_REDUCES,
    tangent=_extreme_tangent,
    batch="leading",
)


def _infer_arg(name: str) -> Callable[..., Spec]:
    extreme = _infer_extreme(name)

    def infer(x: Spec, *, axis: int) -> Spec:
        return Spec(extreme(x, axes=(axis,)).shape, int64)

    return infer


def _arg_samples() -> Iterable[Sample]:
    yield Sample((ramp(4, 5),), {"axis": 1})
    yield Sample((ramp(4, 5),), {"axis": 0})
    yield Sample((np.asarray([[2.0, 7.0, 7.0], [1.0, 1.0, 0.0]]),), {"axis": 1})
    yield Sample((np.asarray([1.0, np.nan, 3.0, np.nan]),), {"axis": 0})


ARGMAX = define(
    "argmax",
    "reduction",
    "position of the first largest element along an axis",
    infer=_infer_arg("argmax"),
    evaluate=lambda x, *, axis: np.asarray(np.argmax(x, axis)),
    gradient=None,
    samples=_arg_samples,
    reason=_REDUCES,
    tangent="zero",
    batch="leading",
)
ARGMIN = define(
    "argmin",
    "reduction",
    "position of the first smallest element along an axis",
    infer=_infer_arg("argmin"),
    evaluate=lambda x, *, axis: np.asarray(np.argmin(x, axis)),
    gradient=None,
    samples=_arg_samples,
    reason=_REDUCES,
    tangent="zero",
    batch="leading",
)


def _reduce(primitive: Any) -> Callable[..., Value]:
    def call(x: Value, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Value:
        chosen = normalize_axes(
            axes if axes is None or isinstance(axes, int) else tuple(axes), len(x.shape)
        )
        identity = not chosen and (x.dtype.kind == "float" or primitive in (MAX, MIN))
        result = x if identity else apply(primitive, x, axes=chosen)
        return _restored(result, x.shape, chosen) if keepdims else result

    call.__name__ = call.__qualname__ = primitive.name
    call.__doc__ = (
        f"{primitive.formula} (all axes by default); ``keepdims`` keeps them with extent 1."
    )
    return call


sum, product, max_, min_ = map(_reduce, (SUM, PRODUCT, MAX, MIN))


def prod(x: Value, axes: int | Sequence[int] | None = None, keepdims: bool = False) -> Value:
    """Product over axes (all by default), of float32 in float64; ``keepdims`` keeps the axes."""
    if x.dtype.kind != "float":
        return product(x, axes, keepdims)
    return elementwise.cast(product(elementwise.cast(x, float64), axes, keepdims), x.dtype)


def _at_least_a_line(x: Value) -> Value:
    """``x``, a single number as a line of one: what has an axis knows no numbers without."""
    return x if x.shape else reshape(x, (1,))


def argmax(x: Value, axis: int) -> Value:
    """Position (int64) of the first largest element along ``axis``; a NaN counts as largest."""
    place = normalize_axis(axis, len(x.shape))
    return apply(ARGMAX, _at_least_a_line(x), axis=place)


def argmin(x: Value, axis: int) -> Value:
    """Position (int64) of the first smallest element along ``axis``; a NaN counts as smallest."""
    place = normalize_axis(axis, len(x.shape))
    return apply(ARGMIN, _at_least_a_line(x), axis=place)


# ---- running sums and products, sorting -----------------------------------------------------


def _infer_cumulative(x: Spec, *, axis: int) -> Spec:
    return Spec(x.shape, int64 if x.dtype.kind != "float" else x.dtype)


def _cumulative_samples() -> Iterable[Sample]:
    yield Sample((ramp(3, 5),), {"axis": 1})
    yield Sample((ramp(3, 5),), {"axis": 0})
    yield Sample((ramp(2, 0),), {"axis": 1})


def _cumprod_gradient(g: Value, y: Value, x: Value, *, axis: int) -> tuple[Value]:
    """dL/dx_j = Σ_{i≥j} g_i · Π_{k≤i, k≠j} x_k = (Π_{k<j} x_k) · r_j; right also where x is 0.

    ``r_j = g_j + x_{j+1} · r_{j+1}`` is a linear recurrence, solved by doubling (Blelloch, "Prefix
    Sums and Their Applications", 1990): r_j = rest_j + factor_j · r_{j+step} holds for steps of 1,
    2, 4, ….
    """
    n = x.shape[axis]
    if n == 0:
        return (g,)

    none, whole, ones = [0] * len(x.shape), list(x.shape), [1] * len(x.shape)

    def along(step: int) -> list[int]:
        return [step if i == axis else 0 for i in range(len(x.shape))]

    def later(value: Value, step: int) -> Value:
        """The value ``step`` places further on, and 0 beyond the end."""
        return pad(slice_(value, along(step), whole, ones), none, along(step))

    factor, rest, step = later(x, 1), g, 1
    while step < n:
        rest = elementwise.add(rest, elementwise.mul(factor, later(rest, step)))
        factor = elementwise.mul(factor, later(factor, step))
        step *= 2
    end = [n - 1 if i == axis else extent for i, extent in enumerate(x.shape)]
    before = pad(slice_(y, none, end, ones), along(1), none, fill=1.0)
    return (elementwise.mul(before, rest),)


CUMSUM = define(
    "cumsum",
    "scan",
    "running sum along an axis",
    infer=_infer_cumulative,
    evaluate=lambda x, *, axis: np.cumsum(x, axis, dtype=_accumulator(x)),
    gradient=lambda g, y, x, *, axis: (flip(cumsum(flip(g, (axis,)), axis), (axis,)),),
    samples=_cumulative_samples,
    reason="each element needs the one before",
    tangent="linear",
    batch="leading",
)
CUMPROD = define(
    "cumprod",
    "scan",
    "running product along an axis",
    infer=_infer_cumulative,
    evaluate=lambda x, *, axis: np.cumprod(x, axis, dtype=_accumulator(x)),
    gradient=_cumprod_gradient,
    samples=_cumulative_samples,
    reason="each element needs the one before",
    tangent="reverse",
    batch="leading",
)


def _running(primitive: Primitive, x: Value, axis: int) -> Value:
    """A running sum or product, which adds up the rounding of all before: float32 in float64."""
    place = normalize_axis(axis, len(x.shape))
    wide = elementwise.cast(x, float64) if x.dtype.kind == "float" else x
    found = apply(primitive, _at_least_a_line(wide), axis=place)
    found = reshape(found, x.shape)
    return elementwise.cast(found, x.dtype) if x.dtype.kind == "float" else found


def cumsum(x: Value, axis: int) -> Value:
    """y_i = x_0 + … + x_i along ``axis``."""
    return _running(CUMSUM, x, axis)


def cumprod(x: Value, axis: int) -> Value:
    """y_i = x_0 · … · x_i along ``axis``."""
    return _running(CUMPROD, x, axis)


def _evaluate_argsort(x: np.ndarray, *, axis: int, descending: bool) -> np.ndarray:
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    # Stable in descending order: sort the reversed array and turn positions around. NaN first.
    back = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return np.flip(x.shape[axis] - 1 - back, axis)


def _infer_argsort(x: Spec, *, axis: int, descending: bool) -> Spec:
    return Spec(x.shape, int64)


ARGSORT = define(
    "argsort",
    "sort",
    "the order that sorts along an axis; equal elements keep theirs, NaN counts as largest",
    infer=_infer_argsort,
    evaluate=_evaluate_argsort,
    gradient=None,
    samples=lambda: [
        Sample((ramp(4, 6),), {"axis": 1, "descending": False}),
        Sample((ramp(5, 3),), {"axis": 0, "descending": True}),
        Sample((np.asarray([2.0, 1.0, 2.0, 1.0, np.nan, 0.0]),), {"axis": 0, "descending": True}),
        Sample((np.asarray([2.0, 1.0, 2.0, 1.0, np.nan, 0.0]),), {"axis": 0, "descending": False}),
    ],
    reason="no loop over positions expresses it",
    tangent="zero",
    batch="leading",
)


def argsort(x: Value, axis: int, descending: bool = False) -> Value:
    """Positions (int64) that sort ``x`` along ``axis``; stable."""
    if x.dtype is bool_ and descending:
        raise DTypeError("argsort in descending order got bool", "convert with .int()")
    place = normalize_axis(axis, len(x.shape))
    order = apply(ARGSORT, _at_least_a_line(x), axis=place, descending=bool(descending))
    return reshape(order, x.shape)
