"""Which operations make views, and how a value goes back through one.

A view shows elements of its operand, in the operand's own memory.  :data:`VIEWS` is the only
place that says which operations do; eager mode, the tape, tracing and simplification read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.base.errors import InPlaceError
from pellucid.base.shapes import Shape, contiguous_strides, size_of
from pellucid.graph.node import Primitive, Spec
from pellucid.ops import indexing, structure
from pellucid.ops.registry import Value, scalar

Strides = tuple[int, ...]
"""Elements of memory between neighbours along each axis."""


@dataclass(frozen=True)
class ViewRule:
    """What a view does: ``put_back(base, value, **params)`` is the base with ``value`` in it."""

    put_back: Callable[..., Value]
    shows_all: bool = False
    """Whether each element of the operand is in the view."""
    compose: Callable[..., Value] | None = None
    """For a view that is no primitive of a graph: ``compose(operand, **params)`` in primitives."""


# ---- primitives -----------------------------------------------------------------------------


def _reshape_back(base: Value, value: Value, *, shape: Shape) -> Value:
    return structure.reshape(value, base.shape)


def _transpose_back(base: Value, value: Value, *, axes: Shape) -> Value:
    return structure.transpose(value, tuple(int(a) for a in np.argsort(axes)))


def _broadcast_back(base: Value, value: Value, *, shape: Shape) -> Value:
    if size_of(tuple(base.shape)) != size_of(tuple(shape)):
        raise stretched(tuple(shape))
    return structure.reshape(value, base.shape)


def stretched(shape: Shape) -> InPlaceError:
    """The error for a change of elements that are one in memory."""
    return InPlaceError(
        f"a tensor stretched to {shape} was changed in place: more than one of its elements "
        "refers to a single memory location",
        "make a copy first: x.clone()",
    )


# ---- diagonals and windows: views of memory that a graph knows as compositions ----------------


def _flat_diagonal(shape: Shape, offset: int) -> tuple[list[int], list[int], list[int]]:
    """Start, stop and step of a diagonal of the last two axes, which are taken as one."""
    rows, columns = shape[-2:]
    row0, column0 = max(-offset, 0), max(offset, 0)
    count = max(0, min(rows - row0, columns - column0))
    start = row0 * columns + column0
    stop = start + (count - 1) * (columns + 1) + 1 if count else start
    lead = list(shape[:-2])
    return [0] * len(lead) + [start], [*lead, stop], [1] * len(lead) + [columns + 1]


def _axes_last(rank: int, axes: tuple[int, int]) -> list[int]:
    return [i for i in range(rank) if i not in axes] + list(axes)


def _diagonal(x: Value, *, offset: int, axes: tuple[int, int]) -> Value:
    moved = structure.transpose(x, _axes_last(len(x.shape), axes))
    lines = structure.reshape(moved, (*moved.shape[:-2], moved.shape[-2] * moved.shape[-1]))
    return structure.slice_(lines, *_flat_diagonal(tuple(moved.shape), offset))


def _diagonal_back(base: Value, value: Value, *, offset: int, axes: tuple[int, int]) -> Value:
    order = _axes_last(len(base.shape), axes)
    moved = structure.transpose(base, order)
    lines = structure.reshape(moved, (*moved.shape[:-2], moved.shape[-2] * moved.shape[-1]))
    start, stop, step = _flat_diagonal(tuple(moved.shape), offset)
    changed = structure.put_slice(lines, value, tuple(start), tuple(stop), tuple(step))
    return _transpose_back(base, structure.reshape(changed, moved.shape), axes=tuple(order))


def _evaluate_diagonal(x: np.ndarray, *, offset: int, axes: tuple[int, int]) -> np.ndarray:
    shown = np.diagonal(x, offset, *axes)
    shown.flags.writeable = x.flags.writeable  # NumPy gives it for reading only
    return shown


def _positions(extent: int, size: int, step: int) -> np.ndarray:
    """Where windows along an axis begin and what they show: (windows, size)."""
    found: np.ndarray = np.arange(0, extent - size + 1, step)[:, None] + np.arange(size)
    return found


def _window_next_to_axis(value: Value, axis: int) -> Value:
    """(A..., windows, B..., size) → (A..., windows, size, B...)."""
    rank = len(value.shape)
    return structure.transpose(value, [*range(axis + 1), rank - 1, *range(axis + 1, rank - 1)])


def _unfold(x: Value, *, axis: int, size: int, step: int) -> Value:
    found = indexing.take(x, x.lift(_positions(x.shape[axis], size, step)), axis)
    order = [i for i in range(len(found.shape)) if i != axis + 1]
    return structure.transpose(found, (*order, axis + 1))


def _unfold_back(base: Value, value: Value, *, axis: int, size: int, step: int) -> Value:
    if step < size and value.shape[axis] > 1:
        raise stretched(tuple(value.shape))
    places = base.lift(_positions(base.shape[axis], size, step))
    return indexing.put(base, places, _window_next_to_axis(value, axis), axis, "set")


def _evaluate_unfold(x: np.ndarray, *, axis: int, size: int, step: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis, writeable=x.flags.writeable)
    return windows[(slice(None),) * axis + (slice(None, None, step),)]


def _spread_diagonal(g: Value, x: Value, **params: Any) -> Value:
    zeros = structure.broadcast_to(scalar(g, 0.0), x.shape)
    return _diagonal_back(zeros, g, **params)


def _sum_windows(g: Value, x: Value, *, axis: int, size: int, step: int) -> Value:
    zeros = structure.broadcast_to(scalar(g, 0.0), x.shape)
    places = x.lift(_positions(x.shape[axis], size, step))
    return indexing.put(zeros, places, _window_next_to_axis(g, axis), axis, "add")


def _composed(
    name: str,
    formula: str,
    evaluate: Callable[..., np.ndarray],
    pull: Callable[..., Value],
) -> Primitive:
    """A view that NumPy has and graphs compose; ``pull(cotangent, operand)`` is its gradient."""

    def infer(x: Spec, **params: Any) -> Spec:
        return Spec(evaluate(np.broadcast_to(np.False_, x.shape), **params).shape, x.dtype)

    def gradient(g: Value, y: Value, x: Value, **params: Any) -> tuple[Value]:
        return (pull(g, x, **params),)

    return Primitive(name, "movement", formula, infer, evaluate, gradient, tuple, tangent="linear")


DIAGONAL = _composed(
    "diagonal",
    "elements on a diagonal of two axes, as a last axis",
    _evaluate_diagonal,
    _spread_diagonal,
)
UNFOLD = _composed(
    "unfold", "windows along an axis, as a last axis", _evaluate_unfold, _sum_windows
)


# ---- the table ------------------------------------------------------------------------------

VIEWS: Mapping[str, ViewRule] = {
    "reshape": ViewRule(_reshape_back, shows_all=True),
    "transpose": ViewRule(_transpose_back, shows_all=True),
    "broadcast_to": ViewRule(_broadcast_back, shows_all=True),
    "slice": ViewRule(structure.put_slice),
    "diagonal": ViewRule(_diagonal_back, compose=_diagonal),
    "unfold": ViewRule(_unfold_back, compose=_unfold),
}
"""Name of each operation whose result shows the memory of its operand → its rule."""


def put_back(view: str, params: Mapping[str, Any], base: Value, value: Value) -> Value:
    """``base`` with ``value`` where a view of it, made by ``view``, shows those elements.

    Raises :class:`~pellucid.base.errors.InPlaceError` where several elements of the view are one
    of the base.
    """
    return VIEWS[view].put_back(base, value, **params)


def _put_view_gradient(
    g: Value, y: Value, base: Value, value: Value, *, view: Primitive, params: Mapping[str, Any]
) -> tuple[Value, Value]:
    zeros = structure.broadcast_to(scalar(g, 0.0), value.shape)
    shown = g.apply_primitive(view, (g,), params)
    return put_back(view.name, params, g, zeros), shown


def _put_view_tangent(
    tangents: Sequence[Value | None],
    y: Value,
    base: Value,
    value: Value,
    *,
    view: Primitive,
    params: Mapping[str, Any],
) -> Value:
    whole, part = (
        structure.broadcast_to(scalar(x, 0.0), x.shape) if t is None else t
        for t, x in zip(tangents, (base, value), strict=True)
    )
    return put_back(view.name, params, whole, part)


def _only_recorded(*operands: Any, **params: Any) -> Any:
    raise InPlaceError("put_view has no definition as a primitive", "use put_back")


PUT_VIEW = Primitive(
    "put_view",
    "movement",
    "a base, a view of which was overwritten",
    _only_recorded,
    _only_recorded,
    _put_view_gradient,
    tuple,
    tangent=_put_view_tangent,
)
"""Stands on the tape for :func:`put_back`: what happens to a base when its view is written."""


# ---- memory ---------------------------------------------------------------------------------


def strides_of_view(
    view: Primitive, shape: Shape, strides: Strides, params: Mapping[str, Any]
) -> Strides | None:
    """Strides of a view of an operand with these; None where the operation has to copy."""
    if view.name == "reshape":
        return reshaped_strides(shape, strides, params["shape"])
    # Views look at no element, so one byte can stand for all of them.
    shown = np.lib.stride_tricks.as_strided(np.zeros(1, np.int8), shape, strides)
    return view.evaluate(shown, **params).strides


def reshaped_strides(shape: Shape, strides: Strides, target: Shape) -> Strides | None:
    """Strides under which the same memory has the shape ``target``; None if there are none.

    Axes that follow each other without a gap are one run; the target may cut runs, not join them.
    """
    if 0 in shape:
        return contiguous_strides(target)
    left = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    result = [1] * len(target)
    axis = len(target) - 1
    while left:
        count, step = left.pop()
        while left and left[-1][1] == step * count:
            count *= left.pop()[0]
        while count > 1:
            if axis < 0 or count % target[axis]:
                return None
            result[axis] = step
            step *= target[axis]
            count //= target[axis]
            axis -= 1
    return tuple(result)


def is_stretched(shape: Shape, strides: Strides, unit: int = 1) -> bool:
    """Whether two elements may be one in memory; ``unit`` is an element in the unit of strides.

    So they are where an axis is stretched, and in windows that overlap.
    """
    if 0 in shape:
        return False
    reach = unit
    for stride, extent in sorted((abs(s), n) for n, s in zip(shape, strides, strict=True) if n > 1):
        if stride < reach:
            return True
        reach += stride * (extent - 1)
    return False


def is_stretched_view(base: object, array: np.ndarray) -> bool:
    """Whether an array that shows elements of ``base`` (None: of nobody) cannot be written."""
    if base is None or array.flags.c_contiguous:
        return False
    return is_stretched(array.shape, array.strides, array.itemsize)
