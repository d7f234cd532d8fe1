"""Running sums of exponentials, kept as logarithms: they neither overflow nor vanish."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from pellucid.base.dtypes import float64
from pellucid.base.shapes import normalize_axis
from pellucid.graph.node import Sample, Spec
from pellucid.ops import elementwise
from pellucid.ops.registry import Value, apply, define, ramp, require_float, scalar
from pellucid.ops.structure import flip, reshape


def _infer(x: Spec, *, axis: int) -> Spec:
    require_float("logcumsumexp", x)
    return x


def _evaluate(x: np.ndarray, *, axis: int) -> np.ndarray:
    return np.asarray(np.logaddexp.accumulate(x, axis) if x.size else x.copy(), x.dtype)


def _later(x: Value, axis: int) -> Value:
    """ln Σ_{i≥j} e^{x_i}."""
    return flip(apply(LOGCUMSUMEXP, flip(x, (axis,)), axis=axis), (axis,))


def _gradient(g: Value, y: Value, x: Value, *, axis: int) -> tuple[Value]:
    """Σ_{i≥j} g_i e^{x_j − y_i}: sums of logarithms, those of positive and negative g apart."""
    if 0 in x.shape:
        return (g,)
    zero, one, low = scalar(x, 0.0), scalar(x, 1.0), scalar(x, -math.inf)
    shift = elementwise.where(elementwise.eq(y, low), zero, y)
    parts = []
    for signed in (g, elementwise.neg(g)):
        counts = elementwise.gt(signed, zero)
        size = elementwise.log(elementwise.where(counts, signed, one))
        term = elementwise.where(counts, elementwise.sub(size, shift), low)
        parts.append(elementwise.exp(elementwise.add(_later(term, axis), x)))
    return (elementwise.sub(*parts),)


def _tangent(tangents: Sequence[Value | None], y: Value, x: Value, *, axis: int) -> Value | None:
    """Σ_{j≤i} t_j e^{x_j − y_i}, as the gradient: positive and negative t apart."""
    t = tangents[0]
    if t is None or 0 in x.shape:
        return t
    zero, one, low = scalar(x, 0.0), scalar(x, 1.0), scalar(x, -math.inf)
    shift = elementwise.where(elementwise.eq(y, low), zero, y)
    parts = []
    for signed in (t, elementwise.neg(t)):
        counts = elementwise.gt(signed, zero)
        size = elementwise.log(elementwise.where(counts, signed, one))
        term = elementwise.where(counts, elementwise.add(size, x), low)
        total = apply(LOGCUMSUMEXP, term, axis=axis)
        parts.append(elementwise.exp(elementwise.sub(total, shift)))
    return elementwise.sub(*parts)


def _samples() -> Iterable[Sample]:
    yield Sample((ramp(3, 5),), {"axis": 1})
    yield Sample((ramp(3, 5),), {"axis": 0})
    yield Sample((ramp(2, 0),), {"axis": 1})


LOGCUMSUMEXP = define(
    "logcumsumexp",
    "scan",
    "ln of the running sum of e^x along an axis",
    infer=_infer,
    evaluate=_evaluate,
    gradient=_gradient,
    samples=_samples,
    reason="each element needs the one before",
    tangent=_tangent,
    batch="leading",
)


def logcumsumexp(x: Value, axis: int) -> Value:
    """y_i = ln(e^{x_0} + … + e^{x_i}) along ``axis``, added up in float64."""
    if not x.shape:
        return x
    place = normalize_axis(axis, len(x.shape))
    found = apply(LOGCUMSUMEXP, elementwise.cast(x, float64), axis=place)
    return elementwise.cast(reshape(found, x.shape), x.dtype)
