"""Primitives that read or write where an integer tensor says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import float32, int64
from pellucid.base.errors import DTypeError, OutOfRangeError, ShapeError
from pellucid.base.shapes import Shape, normalize_axis
from pellucid.graph.node import Sample, Spec
from pellucid.ops import elementwise, structure
from pellucid.ops.registry import Value, apply, define, ramp, same_dtype, scalar
from pellucid.ops.rows import Rows, all_batched, moved

_WHERE_DATA_SAY = "the position that is read or written is itself a value"


def _require_index(name: str, index: Spec) -> None:
    if index.dtype.kind != "int":
        raise DTypeError(
            f"{name} needs integer positions and got {index.dtype.name}", "convert with .long()"
        )


def check_positions(name: str, index: np.ndarray, extent: int) -> None:
    """Raise unless every position lies in [0, extent); used where the values are at hand."""
    if index.size and not (0 <= int(index.min()) and int(index.max()) < extent):
        bad = int(index.min()) if int(index.min()) < 0 else int(index.max())
        raise OutOfRangeError(
            f"{name} got position {bad} along an axis of extent {extent}",
            f"positions run from 0 to {extent - 1}",
        )


# ---- take: whole slices along one axis ------------------------------------------------------


def _infer_take(x: Spec, index: Spec, *, axis: int) -> Spec:
    _require_index("take", index)
    return Spec((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]), x.dtype)


def _evaluate_take(x: np.ndarray, index: np.ndarray, *, axis: int) -> np.ndarray:
    check_positions("take", index, x.shape[axis])
    return np.take(x, index, axis)


def _take_gradient(g: Value, y: Value, x: Value, index: Value, *, axis: int) -> tuple[Value, None]:
    zeros = structure.broadcast_to(scalar(g, 0.0), x.shape)
    return put(zeros, index, g, axis, "add"), None


def _take_samples() -> Iterable[Sample]:
    yield Sample((ramp(5, 3), np.asarray([0, 4, 4, 1])), {"axis": 0})
    yield Sample((ramp(2, 4, 3), np.asarray([[1, 0], [3, 1]])), {"axis": 1})
    yield Sample((ramp(4), np.asarray(2)), {"axis": 0})
    yield Sample((ramp(4, 2), np.zeros((0,), np.int64)), {"axis": 0})


def _batch_take(
    inputs: Sequence[Value], batched: Sequence[bool], rows: Rows, *, axis: int
) -> Value:
    """With other positions in each row: one axis of elements to take from each row's own."""
    x, index = inputs
    if not batched[1]:
        return take(x, index, axis + 1)
    if not batched[0]:
        return moved(take(x, index, axis), axis, 0)
    rest = (*x.shape[1 : axis + 1], *x.shape[axis + 2 :])
    width = int(np.prod(rest, dtype=int))
    lines = structure.reshape(moved(x, axis + 1, 1), (rows.count, x.shape[axis + 1], width))
    found = gather(lines, _spread(index, rows, width), 1)
    found = structure.reshape(found, (rows.count, *index.shape[1:], *rest))
    return _behind(found, len(index.shape) - 1, axis)


def _spread(index: Value, rows: Rows, width: int) -> Value:
    """Positions (B, I...) as (B, I, width), the same for all elements side by side."""
    count = int(np.prod(index.shape[1:], dtype=int))
    line = structure.reshape(index, (rows.count, count, 1))
    return structure.broadcast_to(line, (rows.count, count, width))


def _behind(x: Value, count: int, axis: int) -> Value:
    """(B, I..., A..., R...) → (B, A..., I..., R...), with ``count`` axes I and ``axis`` axes A."""
    rank = len(x.shape)
    first, second = range(1, 1 + count), range(1 + count, 1 + count + axis)
    return structure.transpose(x, (0, *second, *first, *range(1 + count + axis, rank)))


TAKE = define(
    "take",
    "indexing",
    "the slices of x at the given positions along an axis",
    infer=_infer_take,
    evaluate=_evaluate_take,
    gradient=_take_gradient,
    samples=_take_samples,
    reason=_WHERE_DATA_SAY,
    tangent="linear",
    batch=_batch_take,
)


def take(x: Value, index: Value, axis: int) -> Value:
    """Slices of ``x`` along ``axis`` at integer positions; the index's shape replaces the axis.

    Shapes: (A..., N, B...) and index (I...) give (A..., I..., B...).  Positions in [0, N).
    """
    return apply(TAKE, x, index, axis=normalize_axis(axis, len(x.shape)))


# ---- put: the reverse of take ---------------------------------------------------------------


def _infer_put(x: Spec, index: Spec, values: Spec, *, axis: int, mode: str) -> Spec:
    _require_index("put", index)
    same_dtype("put", x, values)
    expected = (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])
    if values.shape != expected:
        raise ShapeError(
            f"put needs values of shape {expected} and got {values.shape}", "broadcast them first"
        )
    return x


def _evaluate_put(
    x: np.ndarray, index: np.ndarray, values: np.ndarray, *, axis: int, mode: str
) -> np.ndarray:
    check_positions("put", index, x.shape[axis])
    moved = np.moveaxis(x, axis, 0).copy()
    spread = np.moveaxis(values, range(axis, axis + index.ndim), range(index.ndim))
    if mode == "add":
        np.add.at(moved, index, spread)
    else:
        flat = spread.reshape(index.size, *moved.shape[1:])  # (I..., rest) -> (count, rest)
        for position, value in zip(index.reshape(-1), flat, strict=True):
            moved[position] = value
    return np.moveaxis(moved, 0, axis)


def _put_gradient(
    g: Value, y: Value, x: Value, index: Value, values: Value, *, axis: int, mode: str
) -> tuple[Value, None, Value]:
    if mode == "add":
        return g, None, take(g, index, axis)
    zeros = structure.broadcast_to(scalar(g, 0.0), values.shape)
    return put(g, index, zeros, axis, "set"), None, _of_winners(g, x, index, values, axis)


def _of_winners(g: Value, x: Value, index: Value, values: Value, axis: int) -> Value:
    """Cotangent of values that were written; of several to one place only the last one counts."""
    count = int(np.prod(index.shape, dtype=int))
    serial = structure.reshape(index.lift(np.arange(count, dtype=np.int64)), index.shape)
    extent = x.shape[axis]
    blank = structure.broadcast_to(index.lift(np.asarray(-1, np.int64)), (extent,))
    winner = put(blank, index, serial, 0, "set")
    won = elementwise.eq(take(winner, index, 0), serial)  # (I...)
    shaped = structure.reshape(won, (*index.shape, *([1] * (len(x.shape) - axis - 1))))
    return elementwise.where(shaped, take(g, index, axis), scalar(g, 0.0))


def _put_samples() -> Iterable[Sample]:
    yield Sample((ramp(5, 3), np.asarray([0, 4, 4, 1]), ramp(4, 3)), {"axis": 0, "mode": "add"})
    yield Sample((ramp(5, 3), np.asarray([0, 4, 4, 1]), ramp(4, 3)), {"axis": 0, "mode": "set"})
    yield Sample((ramp(2, 4), np.asarray([[3], [1]]), ramp(2, 2, 1)), {"axis": 1, "mode": "add"})


def _batch_put(
    inputs: Sequence[Value], batched: Sequence[bool], rows: Rows, *, axis: int, mode: str
) -> Value:
    """With other positions in each row: one element each, as :func:`scatter` writes them."""
    if not batched[1]:
        x, values = all_batched(inputs[::2], batched[::2], rows)
        return put(x, inputs[1], values, axis + 1, mode)
    x, index, values = all_batched(inputs, batched, rows)
    rest = (*x.shape[1 : axis + 1], *x.shape[axis + 2 :])
    width, count = int(np.prod(rest, dtype=int)), len(index.shape) - 1
    front = moved(x, axis + 1, 1)
    lines = structure.reshape(front, (rows.count, x.shape[axis + 1], width))
    rank = len(values.shape)
    first, second = range(1 + axis, 1 + axis + count), range(1, 1 + axis)
    order = (0, *first, *second, *range(1 + axis + count, rank))
    positions = _spread(index, rows, width)
    written = structure.reshape(structure.transpose(values, order), positions.shape)
    found = scatter(lines, positions, written, 1, mode)
    return moved(structure.reshape(found, front.shape), 1, axis + 1)


PUT = define(
    "put",
    "indexing",
    "x with values added to (or set at) positions along an axis, in order",
    infer=_infer_put,
    evaluate=_evaluate_put,
    gradient=_put_gradient,
    samples=_put_samples,
    reason=_WHERE_DATA_SAY,
    tangent="linear",
    batch=_batch_put,
)


def put(x: Value, index: Value, values: Value, axis: int, mode: str) -> Value:
    """``x`` with ``values`` added (``mode="add"``) or written (``"set"``) along ``axis``.

    Shapes: x (A..., N, B...), index (I...), values (A..., I..., B...).  Where a position comes
    more than once, additions add up and of several writes the last one stays.
    """
    return apply(PUT, x, index, values, axis=normalize_axis(axis, len(x.shape)), mode=mode)


# ---- gather / scatter: one element per position ---------------------------------------------


def _check_along(name: str, x: Spec, index: Spec, axis: int) -> None:
    _require_index(name, index)
    fits = len(x.shape) == len(index.shape) and all(
        i <= n for d, (i, n) in enumerate(zip(index.shape, x.shape, strict=True)) if d != axis
    )
    if not fits:
        raise ShapeError(
            f"{name} along axis {axis} got a tensor of shape {x.shape} "
            f"and an index of shape {index.shape}",
            "both need the same number of axes, and the index no larger extent off the axis",
        )


def _grid(index: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
    """Index arrays that address one element per entry of ``index``."""
    places: list[np.ndarray] = list(np.indices(index.shape, sparse=True))
    places[axis] = index
    return tuple(places)


def _infer_gather(x: Spec, index: Spec, *, axis: int) -> Spec:
    _check_along("gather", x, index, axis)
    return Spec(index.shape, x.dtype)


def _evaluate_gather(x: np.ndarray, index: np.ndarray, *, axis: int) -> np.ndarray:
    check_positions("gather", index, x.shape[axis])
    return np.asarray(x[_grid(index, axis)])


GATHER = define(
    "gather",
    "indexing",
    "y[i, j] = x[index[i, j], j] for axis 0, and likewise for other axes",
    infer=_infer_gather,
    evaluate=_evaluate_gather,
    gradient=lambda g, y, x, index, *, axis: (
        scatter(structure.broadcast_to(scalar(g, 0.0), x.shape), index, g, axis, "add"),
        None,
    ),
    samples=lambda: [
        Sample((ramp(4, 3), np.asarray([[0, 3, 1], [2, 2, 0]])), {"axis": 0}),
        Sample((ramp(3, 5), np.asarray([[4], [0], [4]])), {"axis": 1}),
    ],
    reason=_WHERE_DATA_SAY,
    tangent="linear",
    batch="leading",
)


def gather(x: Value, index: Value, axis: int) -> Value:
    """One element of ``x`` per entry of ``index``, taken along ``axis``; the index's shape."""
    return apply(GATHER, x, index, axis=normalize_axis(axis, len(x.shape)))


def _infer_scatter(x: Spec, index: Spec, values: Spec, *, axis: int, mode: str) -> Spec:
    _check_along("scatter", x, index, axis)
    same_dtype("scatter", x, values)
    if values.shape != index.shape:
        raise ShapeError(
            f"scatter got an index of shape {index.shape} and values of shape {values.shape}",
            "both need the same shape",
        )
    return x


def _evaluate_scatter(
    x: np.ndarray, index: np.ndarray, values: np.ndarray, *, axis: int, mode: str
) -> np.ndarray:
    check_positions("scatter", index, x.shape[axis])
    result = x.copy()
    if mode == "add":
        np.add.at(result, _grid(index, axis), values)
    else:
        result[_grid(index, axis)] = values
    return result


def _scatter_gradient(
    g: Value, y: Value, x: Value, index: Value, values: Value, *, axis: int, mode: str
) -> tuple[Value, None, Value]:
    if mode == "add":
        return g, None, gather(g, index, axis)
    zeros = structure.broadcast_to(scalar(g, 0.0), values.shape)
    count = int(np.prod(index.shape, dtype=int))
    serial = structure.reshape(index.lift(np.arange(count, dtype=np.int64)), index.shape)
    blank = structure.broadcast_to(index.lift(np.asarray(-1, np.int64)), x.shape)
    winner = scatter(blank, index, serial, axis, "set")
    won = elementwise.eq(gather(winner, index, axis), serial)
    return (
        scatter(g, index, zeros, axis, "set"),
        None,
        elementwise.where(won, gather(g, index, axis), scalar(g, 0.0)),
    )


def _scatter_samples() -> Iterable[Sample]:
    index: Any = np.asarray([[0, 3, 1], [2, 2, 0]])
    yield Sample((ramp(4, 3), index, ramp(2, 3)), {"axis": 0, "mode": "add"})
    yield Sample((ramp(4, 3), index, ramp(2, 3)), {"axis": 0, "mode": "set"})
    yield Sample((ramp(2, 4), np.asarray([[1, 1], [3, 0]]), ramp(2, 2)), {"axis": 1, "mode": "add"})


SCATTER = define(
    "scatter",
    "indexing",
    "x with values added to (or set at) one position each along an axis, in order",
    infer=_infer_scatter,
    evaluate=_evaluate_scatter,
    gradient=_scatter_gradient,
    samples=_scatter_samples,
    reason=_WHERE_DATA_SAY,
    tangent="linear",
    batch="leading",
)


def scatter(x: Value, index: Value, values: Value, axis: int, mode: str) -> Value:
    """``x`` with ``values`` added or written at ``index`` along ``axis``; see :func:`gather`."""
    return apply(SCATTER, x, index, values, axis=normalize_axis(axis, len(x.shape)), mode=mode)


# ---- positions themselves -------------------------------------------------------------------


def _infer_iota(*, shape: Shape, axis: int, dtype: Any) -> Spec:
    return Spec(shape, dtype)


def _evaluate_iota(*, shape: Shape, axis: int, dtype: Any) -> np.ndarray:
    view = [1] * len(shape)
    view[axis] = shape[axis]
    line = np.arange(shape[axis], dtype=dtype.numpy).reshape(view)  # (N,) -> (1, .., N, .., 1)
    return np.broadcast_to(line, shape)


def _iota_samples() -> Iterable[Sample]:
    yield Sample((), {"shape": (3, 4), "axis": 1, "dtype": int64})
    yield Sample((), {"shape": (5,), "axis": 0, "dtype": float32})


IOTA = define(
    "iota",
    "leaf",
    "each element is its own position along an axis",
    infer=_infer_iota,
    evaluate=_evaluate_iota,
    gradient=None,
    samples=_iota_samples,
    reason="a table of positions would cost memory traffic",
    tangent="zero",
    batch="leading",
)
