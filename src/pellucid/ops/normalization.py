"""Standardizing: mean 0 and variance 1 over some axes, the core of the normalization layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from pellucid.graph.node import Sample, Spec
from pellucid.ops import elementwise
from pellucid.ops.registry import Value, apply, define, ramp, require_float, scalar
from pellucid.ops.structure import sum as sum_over


def _infer(x: Spec, *, axes: tuple[int, ...], eps: float) -> Spec:
    require_float("standardize", x)
    return x


def _evaluate(x: np.ndarray, *, axes: tuple[int, ...], eps: float) -> np.ndarray:
    if not x.size:
        return x.copy()
    count = math.prod(x.shape[a] for a in axes)
    share = x.dtype.type(1.0 / count)
    centred = x - x.sum(axes, keepdims=True) * share
    variance = (centred * centred).sum(axes, keepdims=True) * share
    return np.asarray(centred * (1 / np.sqrt(variance + x.dtype.type(eps))), x.dtype)


def mean_over(x: Value, axes: tuple[int, ...]) -> Value:
    """The mean over ``axes``, which stay with extent 1; NaN where there is nothing."""
    count = math.prod(x.shape[a] for a in axes)
    share = scalar(x, 1.0 / count if count else math.nan)
    return elementwise.mul(sum_over(x, axes, True), share)


def variance_over(x: Value, axes: tuple[int, ...]) -> Value:
    """The mean of (x − mean)² over ``axes``, which stay with extent 1."""
    centred = elementwise.sub(x, mean_over(x, axes))
    return mean_over(elementwise.mul(centred, centred), axes)


def _reciprocal_deviation(x: Value, axes: tuple[int, ...], eps: float) -> Value:
    deviation = elementwise.sqrt(elementwise.add(variance_over(x, axes), scalar(x, eps)))
    return elementwise.div(scalar(x, 1.0), deviation)


def standardize_formula(x: Value, axes: tuple[int, ...], eps: float) -> Value:
    """:func:`standardize` written with other operations, as compilers compute it."""
    centred = elementwise.sub(x, mean_over(x, axes))
    return elementwise.mul(centred, _reciprocal_deviation(x, axes, eps))


def _gradient(g: Value, y: Value, x: Value, *, axes: tuple[int, ...], eps: float) -> tuple[Value]:
    """r · (g − mean(g) − y · mean(g · y)) with r = 1 / √(var + ε) (Ioffe and Szegedy, 2015)."""
    if not all(x.shape):
        return (g,)
    shared = elementwise.add(
        mean_over(g, axes), elementwise.mul(y, mean_over(elementwise.mul(g, y), axes))
    )
    return (elementwise.mul(elementwise.sub(g, shared), _reciprocal_deviation(x, axes, eps)),)


def _tangent(
    tangents: Sequence[Value | None], y: Value, x: Value, *, axes: tuple[int, ...], eps: float
) -> Value | None:
    """The gradient rule: its matrix, r · (1 − 1/n − y yᵀ/n), is symmetric."""
    return None if tangents[0] is None else _gradient(tangents[0], y, x, axes=axes, eps=eps)[0]


def _samples() -> Iterable[Sample]:
    yield Sample((ramp(3, 5),), {"axes": (1,), "eps": 1e-5})
    yield Sample((ramp(4, 3, 2),), {"axes": (0, 2), "eps": 1e-3})
    yield Sample((ramp(2, 3, 1, 4),), {"axes": (0, 2, 3), "eps": 0.5})
    yield Sample((ramp(3, 1),), {"axes": (1,), "eps": 1e-2})
    yield Sample((ramp(0, 4),), {"axes": (0,), "eps": 1e-5})


STANDARDIZE = define(
    "standardize",
    "normalization",
    "y = (x - mean) / sqrt(var + eps), mean and var = mean((x - mean)**2) over the given axes",
    infer=_infer,
    evaluate=_evaluate,
    gradient=_gradient,
    samples=_samples,
    reason="its gradient needs two sums in one pass; that of its formula needs four in two",
    tangent=_tangent,
    batch="leading",
)


def standardize(x: Value, axes: tuple[int, ...], eps: float) -> Value:
    """(x − mean) / √(var + ε) over ``axes``, with var = mean of (x − mean)², of the shape of x."""
    return apply(STANDARDIZE, x, axes=tuple(axes), eps=float(eps))
