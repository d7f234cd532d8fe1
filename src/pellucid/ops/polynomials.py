"""Orthogonal polynomials by their recurrences, of degrees that are values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.base.shapes import broadcast_shapes
from pellucid.graph.node import Sample, Spec
from pellucid.ops.registry import define, ramp, require_float, same_dtype

First = Callable[[Any], Any]
"""x → p₁(x)."""
Step = Callable[[int, Any, Any, Any], Any]
"""(k, x, p_k, p_{k−1}) → p_{k+1}."""


def _chebyshev(k: int, x: Any, now: Any, before: Any) -> Any:
    return 2 * x * now - before


def _shifted(k: int, x: Any, now: Any, before: Any) -> Any:
    return (4 * x - 2) * now - before


FAMILIES: dict[str, tuple[First, Step]] = {
    "chebyshev_polynomial_t": (lambda x: x, _chebyshev),
    "chebyshev_polynomial_u": (lambda x: 2 * x, _chebyshev),
    "chebyshev_polynomial_v": (lambda x: 2 * x - 1, _chebyshev),
    "chebyshev_polynomial_w": (lambda x: 2 * x + 1, _chebyshev),
    "shifted_chebyshev_polynomial_t": (lambda x: 2 * x - 1, _shifted),
    "shifted_chebyshev_polynomial_u": (lambda x: 4 * x - 2, _shifted),
    "shifted_chebyshev_polynomial_v": (lambda x: 4 * x - 3, _shifted),
    "shifted_chebyshev_polynomial_w": (lambda x: 4 * x - 1, _shifted),
    "hermite_polynomial_h": (lambda x: 2 * x, lambda k, x, p, q: 2 * x * p - 2 * k * q),
    "hermite_polynomial_he": (lambda x: x, lambda k, x, p, q: x * p - k * q),
    "laguerre_polynomial_l": (
        lambda x: 1 - x,
        lambda k, x, p, q: ((2 * k + 1 - x) * p - k * q) / (k + 1),
    ),
    "legendre_polynomial_p": (
        lambda x: x,
        lambda k, x, p, q: ((2 * k + 1) * x * p - k * q) / (k + 1),
    ),
}
"""Families by the names of their functions; p₀ is 1.  (Abramowitz and Stegun, 1964, 22.7.)"""


def _infer(x: Spec, n: Spec, *, family: str) -> Spec:
    require_float("orthogonal_polynomial", x)
    return Spec(broadcast_shapes(x.shape, n.shape), same_dtype("orthogonal_polynomial", x, n))


def _evaluate(x: np.ndarray, n: np.ndarray, *, family: str) -> np.ndarray:
    first, step = FAMILIES[family]
    x, degrees = np.broadcast_arrays(x, np.trunc(n))
    found = np.where(np.isnan(x), x, 0).astype(x.dtype)
    before, now = np.ones_like(x), np.asarray(first(x))
    most = int(degrees.max()) if degrees.size else -1
    for degree in range(most + 1):
        places = degrees == degree
        found[places] = (now if degree else before)[places]
        if 0 < degree < most:
            before, now = now, np.asarray(step(degree, x, now, before))
    return found


POLYNOMIAL = define(
    "orthogonal_polynomial",
    "host",
    "p_n(x) by p_0 = 1, p_1 and the recurrence of the family",
    infer=_infer,
    evaluate=_evaluate,
    gradient=None,
    samples=lambda: [
        Sample((ramp(3, 4), np.array([0.0, 1.0, 3.0, -1.0])), {"family": name})
        for name in ("chebyshev_polynomial_t", "laguerre_polynomial_l")
    ],
    reason="as many steps as the largest degree, which is a value",
    host=True,
    tangent="zero",
    batch="elementwise",
)
