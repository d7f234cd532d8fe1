"""Inverses, determinants and Cholesky factors: for matrices whose values are known.

NumPy (LAPACK) computes the value at A₀.  What is returned is its Taylor polynomial of second order
in Δ = A − A₀, which is 0 but carries the gradient: first and second derivatives are exact, higher
ones are not.  Not for compiled functions, where A₀ is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.ops import structure
from pellucid.tensor.core import lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import as_float, rounded_once, together
from pellucid.tensor.results import SignLog


def _square(name: str, matrices: Any) -> Any:
    """The matrices as floating-point numbers."""
    a = as_float(matrices)
    if len(a.shape) < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(
            f"{name} got a tensor of shape {tuple(a.shape)}", "it needs square matrices (…, n, n)"
        )
    return a


def _computed(name: str, function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """A value by NumPy, where it exists."""
    try:
        return np.asarray(function(*arrays))
    except np.linalg.LinAlgError as error:
        raise ArgumentError(
            f"{name} got a matrix for which there is no result: {error}",
            "add a small multiple of the identity, or look for equal rows and columns",
        ) from error


def _change(name: str, a: Any) -> tuple[Any, Any]:
    """A₀⁻¹ and E = A₀⁻¹ Δ."""
    inverse = lift(_computed(name, np.linalg.inv, a.array()))
    return inverse, inverse.matmul(a - a.detach())


def _trace(a: Any) -> Any:
    return a.diagonal(0, -2, -1).sum(-1)


@rounded_once
def inv(A: Tensor) -> Tensor:  # noqa: N803  (PyTorch's name)
    """A⁻¹ of square matrices (…, n, n): (A₀ + Δ)⁻¹ = (1 − E + E² − …) A₀⁻¹.

    Raises ``ArgumentError`` for a singular matrix.
    """
    a = _square("inv", A)
    inverse, e = _change("inv", a)
    return inverse if not a.requires_grad else inverse - e.matmul(inverse - e.matmul(inverse))


@rounded_once
def slogdet(A: Tensor) -> SignLog:  # noqa: N803
    """(sign, ln |det A|) of square matrices (…, n, n) → (…); (0, −∞) for a singular one.

    ln det (A₀ + Δ) = ln det A₀ + tr E − ½ tr E² + …
    """
    a = _square("slogdet", A)
    sign, size = (np.asarray(part) for part in np.linalg.slogdet(a.array()))
    logarithm = lift(size.astype(a.dtype.numpy))
    if a.requires_grad:
        _, e = _change("slogdet", a)
        logarithm = logarithm + (_trace(e) - _trace(e.matmul(e)) / 2)
    return SignLog(lift(sign.astype(a.dtype.numpy)), logarithm)


@rounded_once
def det(A: Tensor) -> Tensor:  # noqa: N803
    """The determinant of square matrices (…, n, n) → (…).

    det (A₀ + Δ) = det A₀ (1 + tr E + ½ ((tr E)² − tr E²) + …); so no gradient where it is 0.
    """
    a = _square("det", A)
    value = lift(np.asarray(np.linalg.det(a.array()), a.dtype.numpy))
    if not a.requires_grad:
        return value
    _, e = _change("det", a)
    first = _trace(e)
    return value * (1 + first + (first * first - _trace(e.matmul(e))) / 2)


@rounded_once
def solve(A: Tensor, B: Tensor) -> Tensor:  # noqa: N803
    """X with A X = B: (…, n, n) and (…, n, k), or (n,), → the shape of B.

    Raises ``ArgumentError`` for a singular matrix.
    """
    a, b = (as_float(t) for t in together(A, B))
    a = _square("solve", a)
    if not b.shape or b.shape[-2 if len(b.shape) > 1 else -1] != a.shape[-1]:
        raise ShapeError(
            f"solve got matrices {tuple(a.shape)} and right sides {tuple(b.shape)}",
            "the right sides have as many rows as the matrices",
        )
    columns = b.unsqueeze(-1) if len(b.shape) == 1 else b
    value = lift(_computed("solve", np.linalg.solve, a.array(), columns.array()))
    if a.requires_grad or b.requires_grad:
        found = inv(a).matmul(columns)
        value = value + (found - found.detach())
    return value.squeeze(-1) if len(b.shape) == 1 else value


@rounded_once
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:  # noqa: N803
    """The lower L with L Lᵀ = A for symmetric positive definite A (…, n, n), or Lᵀ with ``upper``.

    L = L₀ (1 + F₁ + F₂ + …) with F₁ = Φ(L₀⁻¹ Δ L₀⁻ᵀ), F₂ = −Φ(F₁ F₁ᵀ), Φ the lower half with half
    of the diagonal.  Raises ``ArgumentError`` where A is not positive definite.
    """
    a = _square("cholesky", A)
    lower = lift(_computed("cholesky", np.linalg.cholesky, a.array()))
    if a.requires_grad:
        half = lift(_computed("cholesky", np.linalg.inv, lower.array()))
        change = a - a.detach()
        moved = half.matmul((change + change.mT) / 2).matmul(half.mT)
        first = _lower_half(moved)
        lower = lower + lower.matmul(first - _lower_half(first.matmul(first.mT)))
    return lower.mT if upper else lower


def _lower_half(a: Any) -> Any:
    return (a.tril() + a.tril(-1)) / 2


@rounded_once
def pinv(A: Tensor, rcond: float = 1e-15) -> Tensor:  # noqa: N803
    """The pseudoinverse of matrices (…, m, n) → (…, n, m): the smallest X for which A X is as
    close to 1 as can be.

    Singular values up to ``rcond`` of the largest count as 0.  The gradient needs full rank:
    it is that of (AᵀA)⁻¹Aᵀ, or of Aᵀ(AAᵀ)⁻¹.  (Penrose, 1955.)
    """
    a = as_float(A)
    if len(a.shape) < 2:
        raise ShapeError(f"pinv got a tensor of shape {tuple(a.shape)}", "it needs (…, m, n)")
    value = lift(_computed("pinv", lambda x: np.linalg.pinv(x, rcond), a.array()))
    if not a.requires_grad:
        return value
    tall = a.shape[-2] >= a.shape[-1]
    found = inv(a.mT.matmul(a)).matmul(a.mT) if tall else a.mT.matmul(inv(a.matmul(a.mT)))
    return value + (found - found.detach())


@rounded_once
def matrix_exp(A: Tensor) -> Tensor:  # noqa: N803
    """e^A = Σ Aᵏ / k! of square matrices: halved until small, summed, and squared again.

    (Higham, 2005, with a Taylor polynomial of degree 18 of matrices with norm at most ½.)
    """
    a = _square("matrix_exp", A)
    norm = float(np.abs(a.array()).sum(-2).max()) if math.prod(a.shape) else 0.0
    if not math.isfinite(norm):
        return a * math.nan
    times = max(0, math.ceil(math.log2(norm)) + 1) if norm else 0
    small = a * 0.5**times
    one = structure.broadcast_to(lift(np.eye(a.shape[-1], dtype=a.dtype.numpy)), a.shape)
    result = one
    for k in range(18, 0, -1):  # Horner: 1 + A (1 + A/2 (1 + A/3 (…)))
        result = one + small.matmul(result) / k
    for _ in range(times):
        result = result.matmul(result)
    return result


class SolvingMethods(Tensor):
    """Mixed into :class:`pellucid.Tensor`: the functions of this file as methods."""

    __slots__ = ()

    def inverse(self) -> Tensor:
        """The inverse of square matrices (…, n, n); see ``linalg.inv``."""
        return inv(self)

    def pinverse(self, rcond: float = 1e-15) -> Tensor:
        """The pseudoinverse: (…, m, n) → (…, n, m); see ``linalg.pinv``."""
        return pinv(self, rcond)

    def det(self) -> Tensor:
        """The determinant of square matrices: (…, n, n) → (…)."""
        return det(self)

    def slogdet(self) -> SignLog:
        """(sign, ln |det|) of square matrices: (…, n, n) → (…)."""
        return slogdet(self)

    def logdet(self) -> Tensor:
        """ln det of square matrices, NaN where that is negative: (…, n, n) → (…)."""
        sign, size = slogdet(self)
        return size.masked_fill(sign.lt(0), math.nan)

    def matrix_exp(self) -> Tensor:
        """e^A = Σ Aᵏ / k! of square matrices (…, n, n)."""
        return matrix_exp(self)

    def cholesky(self, upper: bool = False) -> Tensor:
        """The factor L of a symmetric positive definite matrix L Lᵀ, or Lᵀ with ``upper``."""
        return cholesky(self, upper=upper)

    def cholesky_inverse(self, upper: bool = False) -> Tensor:
        """The inverse of the matrix whose Cholesky factor this is."""
        return inv(_from_factor(self, upper))

    def cholesky_solve(self, input2: Tensor, upper: bool = False) -> Tensor:
        """X with A X = self, A the matrix whose Cholesky factor ``input2`` is."""
        return solve(_from_factor(input2, upper), self)

    def triangular_solve(
        self,
        A: Tensor,  # noqa: N803
        upper: bool = True,
        transpose: bool = False,
        unitriangular: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """(X, A) with A X = self, of A only the ``upper`` or lower triangle being read.

        ``transpose`` takes Aᵀ, ``unitriangular`` ones on the diagonal.
        """
        a = A.triu() if upper else A.tril()
        if unitriangular:
            a = a - a.tril().triu() + lift(np.eye(a.shape[-1], dtype=a.dtype.numpy))
        return solve(a.mT if transpose else a, self), A


def _from_factor(factor: Any, upper: bool) -> Any:
    """L Lᵀ; of the factor only its triangle is read."""
    lower = factor.triu().mT if upper else factor.tril()
    return lower.matmul(lower.mT)
