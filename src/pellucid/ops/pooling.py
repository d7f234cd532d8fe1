"""The largest element of small windows, whose gradient belongs to the first of equal ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from pellucid.base.errors import ShapeError
from pellucid.base.shapes import Shape
from pellucid.graph.node import Sample, Spec
from pellucid.ops import elementwise
from pellucid.ops.registry import Value, apply, define, ramp, require_float, scalar
from pellucid.ops.structure import broadcast_to, reshape, slice_


def _infer(x: Spec, *, axes: tuple[int, ...]) -> Spec:
    require_float("window_max", x)
    if any(x.shape[a] == 0 for a in axes):
        raise ShapeError(
            f"window_max over the axes {axes} of {x.shape}: there is no element to choose from",
            "windows must not be empty",
        )
    return Spec(tuple(n for a, n in enumerate(x.shape) if a not in axes), x.dtype)


def _elements(x: Value, axes: tuple[int, ...]) -> Iterator[Value]:
    """The elements of the windows, the last axis running fastest, with extents 1 along ``axes``."""
    for place in np.ndindex(*(x.shape[a] for a in axes)):
        where = dict(zip(axes, place, strict=True))
        start = [where.get(a, 0) for a in range(len(x.shape))]
        stop = [where[a] + 1 if a in where else n for a, n in enumerate(x.shape)]
        yield slice_(x, start, stop, [1] * len(x.shape))


def window_max_formula(x: Value, axes: tuple[int, ...]) -> Value:
    """:func:`window_max` written with element-wise operations, as compilers compute it."""
    best: Value | None = None
    for element in _elements(x, axes):
        if best is None:
            best = element
            continue
        larger = elementwise.logical_or_(
            elementwise.gt(element, best), elementwise.ne(element, element)
        )
        best = elementwise.where(larger, element, best)
    kept = tuple(n for a, n in enumerate(x.shape) if a not in axes)
    return reshape(best, kept)


def _gradient(g: Value, y: Value, x: Value, *, axes: tuple[int, ...]) -> tuple[Value]:
    """g where x equals y and no element before it does."""
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    best = reshape(y, kept)

    def is_best(value: Value) -> Value:
        same = elementwise.eq(value, best)
        return elementwise.logical_or_(same, elementwise.ne(value, value))

    chosen, rank = is_best(x), len(x.shape)
    extents: Shape = tuple(x.shape[a] if a in axes else 1 for a in range(rank))
    count = math.prod(extents)
    places = x.lift(np.arange(count, dtype=np.int32).reshape(extents))
    for number, element in enumerate(_elements(x, axes)):
        if number == count - 1:
            break
        behind = elementwise.gt(places, x.lift(np.asarray(number, np.int32)))
        taken = elementwise.logical_and_(is_best(element), behind)
        chosen = elementwise.logical_and_(chosen, elementwise.logical_not_(taken))
    upwards = broadcast_to(reshape(g, kept), tuple(x.shape))
    return (elementwise.where(chosen, upwards, scalar(g, 0.0)),)


def _samples() -> Iterable[Sample]:
    yield Sample((ramp(2, 3, 2, 2, 2),), {"axes": (2, 4)})
    yield Sample((ramp(3, 4),), {"axes": (1,)})
    yield Sample((ramp(0, 2),), {"axes": (1,)})


WINDOW_MAX = define(
    "window_max",
    "pooling",
    "y = the largest element over the given axes; the gradient goes to the first of equal ones",
    infer=_infer,
    evaluate=lambda x, *, axes: x.max(axes),
    gradient=_gradient,
    samples=_samples,
    reason="from its formula, the gradient compares each window once for each of its elements",
    tangent="reverse",
    batch="leading",
)


def window_max(x: Value, axes: tuple[int, ...]) -> Value:
    """The maximum over small axes, which go away; NaN wins.  The first of equal ones counts."""
    return apply(WINDOW_MAX, x, axes=tuple(axes))
