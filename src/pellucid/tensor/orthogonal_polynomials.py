"""Orthogonal polynomials by their recurrences (``pellucid.special``).

``n`` is a number or a tensor; shapes broadcast, degrees below 0 give 0.  There is a gradient unless
the degrees are arguments of a compiled function.
Integers and bool become float32.  (Abramowitz and Stegun, 1964, 22.7.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base.dtypes import float64
from pellucid.base.errors import NumberRangeError
from pellucid.ops import elementwise, polynomials, structure
from pellucid.ops.registry import apply
from pellucid.tensor.arguments import Operand
from pellucid.tensor.core import TensorCore
from pellucid.tensor.interface import Tensor
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_float, as_operand, common_dtype

MOST_STEPS = 1 << 20
"""So many steps of a recurrence are taken for a known degree."""


def _polynomial(input: Operand, n: Operand, family: str) -> Tensor:
    """p_n(x) of a family of :data:`FAMILIES`."""
    first, step = polynomials.FAMILIES[family]
    kind = as_float(as_operand(0, common_dtype([input, n]))).dtype
    x: Any = elementwise.cast(as_operand(input), float64)
    if isinstance(n, TensorCore) and n._cell.array is None:  # as many steps as the values ask for
        degree = elementwise.cast(n, float64)
        value = apply(polynomials.POLYNOMIAL, x.detach(), degree.detach(), family=family)
        return elementwise.cast(value, kind)
    wanted: Any = n.array() if isinstance(n, TensorCore) else np.asarray(n)
    degrees = np.trunc(np.asarray(wanted, np.float64))
    shape = np.broadcast_shapes(tuple(x.shape), degrees.shape)
    x = structure.broadcast_to(x, shape)
    degrees = np.broadcast_to(degrees, shape)
    found = elementwise.where(x.isnan(), x, as_operand(0.0, float64))
    before, now = as_operand(1.0, float64), first(x)
    most = int(degrees.max()) if degrees.size else -1
    if most > MOST_STEPS:
        raise NumberRangeError(
            f"{family} got the degree {most}", f"a degree is a number of steps: up to {MOST_STEPS}"
        )
    for degree in range(most + 1):
        if degree == 0:
            value = structure.broadcast_to(before, shape)
        else:
            value = now
        places = degrees == degree
        if places.all():
            found = value
        elif places.any():
            found = elementwise.where(x.lift(places), value, found)
        if 0 < degree < most:
            before, now = now, step(degree, x, now, before)
    made: Tensor = elementwise.cast(found, kind)
    return made


@takes_out
def chebyshev_polynomial_t(input: Operand, n: Operand, *, out: Tensor | None = None) -> Tensor:
    """T_n(x) = cos(n arccos x), Chebyshev's polynomial of the first kind: T₁ = x."""
    return _polynomial(input, n, "chebyshev_polynomial_t")


@takes_out
def chebyshev_polynomial_u(input: Operand, n: Operand, *, out: Tensor | None = None) -> Tensor:
    """U_n(x), Chebyshev's polynomial of the second kind: U₁ = 2x."""
    return _polynomial(input, n, "chebyshev_polynomial_u")


@takes_out
def chebyshev_polynomial_v(input: Operand, n: Operand, *, out: Tensor | None = None) -> Tensor:
    """V_n(x), Chebyshev's polynomial of the third kind: V₁ = 2x − 1."""
    return _polynomial(input, n, "chebyshev_polynomial_v")


@takes_out
def chebyshev_polynomial_w(input: Operand, n: Operand, *, out: Tensor | None = None) -> Tensor:
    """W_n(x), Chebyshev's polynomial of the fourth kind: W₁ = 2x + 1."""
    return _polynomial(input, n, "chebyshev_polynomial_w")


@takes_out
def shifted_chebyshev_polynomial_t(
    input: Operand, n: Operand, *, out: Tensor | None = None
) -> Tensor:
    """T_n(2x − 1), on [0, 1]."""
    return _polynomial(input, n, "shifted_chebyshev_polynomial_t")


@takes_out
def shifted_chebyshev_polynomial_u(
    input: Operand, n: Operand, *, out: Tensor | None = None
) -> Tensor:
    """U_n(2x − 1), on [0, 1]."""
    return _polynomial(input, n, "shifted_chebyshev_polynomial_u")


@takes_out
def shifted_chebyshev_polynomial_v(
    input: Operand, n: Operand, *, out: Tensor | None = None
) -> Tensor:
    """V_n(2x − 1), on [0, 1]."""
    return _polynomial(input, n, "shifted_chebyshev_polynomial_v")


@takes_out
def shifted_chebyshev_polynomial_w(
    input: Operand, n: Operand, *, out: Tensor | None = None
) -> Tensor:
    """W_n(2x − 1), on [0, 1]."""
    return _polynomial(input, n, "shifted_chebyshev_polynomial_w")


@takes_out
def hermite_polynomial_h(input: Operand, n: Operand, *, out: Tensor | None = None) -> Tensor:
    """H_n(x), the physicists' Hermite polynomial: H_{k+1} = 2x H_k − 2k H_{k−1}."""
    return _polynomial(input, n, "hermite_polynomial_h")


@takes_out
def hermite_polynomial_he(input: Operand, n: Operand, *, out: Tensor | None = None) -> Tensor:
    """He_n(x), the probabilists' Hermite polynomial: He_{k+1} = x He_k − k He_{k−1}."""
    return _polynomial(input, n, "hermite_polynomial_he")


@takes_out
def laguerre_polynomial_l(input: Operand, n: Operand, *, out: Tensor | None = None) -> Tensor:
    """L_n(x), Laguerre's polynomial: (k + 1) L_{k+1} = (2k + 1 − x) L_k − k L_{k−1}."""
    return _polynomial(input, n, "laguerre_polynomial_l")


@takes_out
def legendre_polynomial_p(input: Operand, n: Operand, *, out: Tensor | None = None) -> Tensor:
    """P_n(x), Legendre's polynomial: (k + 1) P_{k+1} = (2k + 1) x P_k − k P_{k−1}."""
    return _polynomial(input, n, "legendre_polynomial_p")
