"""Inverses, determinants and Cholesky factors.

NumPy (LAPACK) computes the value at A₀, in compiled functions a loop of :mod:`.eliminating`.  What
is returned is its Taylor polynomial of second order in Δ = A − A₀, which is 0 but carries the
gradient: first and second derivatives are exact, higher ones are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.ops import elementwise, structure
from pellucid.tensor import eliminating
from pellucid.tensor.core import lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.late import demanded
from pellucid.tensor.promotion import as_float, as_operand, rounded_once, together
from pellucid.tensor.results import SignLog
from pellucid.tensor.state import is_tracing

SINGULAR_HINT = "add a small multiple of the identity, or look for equal rows and columns"


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
            SINGULAR_HINT,
        ) from error


def _inverse(name: str, a: Any) -> Any:
    """A₀⁻¹ as a constant to gradients."""
    if not math.prod(a.shape):
        return a.detach()
    if not is_tracing():
        return lift(_computed(name, np.linalg.inv, a.array()))
    found, pivots = eliminating.inverse(a.detach())
    return demanded(
        found,
        lambda: pivots.ne(0),
        lambda array: _computed(name, np.linalg.inv, array),
        a.detach(),
        otherwise=ArgumentError(f"{name} got a singular matrix", SINGULAR_HINT),
    )


def _change(name: str, a: Any) -> tuple[Any, Any]:
    """A₀⁻¹ and E = A₀⁻¹ Δ."""
    inverse = _inverse(name, a)
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
    if not math.prod(a.shape):
        nothing = _trace(a) * 0
        return SignLog(nothing.detach() + 1, nothing)
    if is_tracing():
        sign, pivots = eliminating.pivots(a)
        size = elementwise.where(pivots.lt(0), -pivots, pivots)  # with a slope at 0
        return SignLog(sign.detach() * pivots.detach().sign().prod(0), size.log().sum(0))
    signs, size = (np.asarray(part) for part in np.linalg.slogdet(a.array()))
    logarithm, sign = (lift(part.astype(a.dtype.numpy)) for part in (size, signs))
    if a.requires_grad:
        lost = lift(signs == 0)
        wide = lost.unsqueeze(-1).unsqueeze(-1)
        unit = structure.broadcast_to(lift(np.eye(a.shape[-1], dtype=a.dtype.numpy)), a.shape)
        _, e = _change("slogdet", elementwise.where(wide, unit, a))
        logarithm = logarithm + (_trace(e) - _trace(e.matmul(e)) / 2)
        if not signs.all():  # −∞ with the slope of ln det
            left, right, first, _ = _singular(a.array())
            adjugate = lift((left * first[..., None, :]) @ right)
            change = (adjugate * (a - a.detach())).sum((-2, -1))
            change = elementwise.where(lost, change, as_operand(1.0, a.dtype))
            logarithm = elementwise.where(lost, change.log(), logarithm)
    return SignLog(sign, logarithm)


@rounded_once
def det(A: Tensor) -> Tensor:  # noqa: N803
    """The determinant of square matrices (…, n, n) → (…).

    With A₀ = U S Vᵀ and W = Uᵀ Δ V, det (A₀ + Δ) = det (U Vᵀ) · (Π s + Σᵢ pᵢ Wᵢᵢ +
    ½ Σᵢⱼ pᵢⱼ (Wᵢᵢ Wⱼⱼ − Wᵢⱼ Wⱼᵢ) + …), pᵢ and pᵢⱼ being the products of all other singular
    values.  So the gradient, the transposed adjugate, exists where the determinant is 0, too.
    """
    a = _square("det", A)
    if not math.prod(a.shape):
        return _trace(a) * 0 + 1
    if is_tracing():
        sign, pivots = eliminating.pivots(a)
        return sign.detach() * pivots.prod(0)
    value = lift(np.asarray(np.linalg.det(a.array()), a.dtype.numpy))
    if not a.requires_grad:
        return value
    left, right, first, second = (lift(part) for part in _singular(a.array()))
    w = left.mT.matmul(a - a.detach()).matmul(right.mT)
    own = w.diagonal(0, -2, -1)
    pairs = own.unsqueeze(-1) * own.unsqueeze(-2) - w * w.mT
    return value + (first * own).sum(-1) + (second * pairs).sum((-2, -1)) / 2


def _singular(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """U, Vᵀ, and det (U Vᵀ) times the products of all but one and all but two singular values."""
    left, sizes, right = np.linalg.svd(a)
    handed = np.asarray(np.linalg.det(left) * np.linalg.det(right)).round()
    first, second = (np.asarray((p.T * handed.T).T, a.dtype) for p in _others(sizes))
    return left, right, first, second


def _others(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Products of all but the i-th, and of all but the i-th and j-th (0 for i = j): (…, n, n)."""

    def without(x: np.ndarray) -> np.ndarray:
        ones = np.ones_like(x[..., :1])
        before = np.cumprod(np.concatenate([ones, x[..., :-1]], -1), -1)
        after = np.cumprod(np.concatenate([ones, x[..., :0:-1]], -1), -1)[..., ::-1]
        return np.asarray(before * after)

    unit = np.eye(sizes.shape[-1], dtype=bool)
    pairs = without(np.where(unit, 1, sizes[..., None, :]))  # row i: all but i and j
    return without(sizes), np.where(unit, 0, pairs)


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
    if is_tracing():
        value = inv(a).matmul(columns)
    else:
        value = lift(_computed("solve", np.linalg.solve, a.array(), columns.array()))
    if not is_tracing() and (a.requires_grad or b.requires_grad):
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
    if not math.prod(a.shape):
        return a * 1
    if is_tracing():
        lower, pivots = eliminating.lower_factor((a + a.mT) / 2)
        lower = demanded(
            lower,
            lambda: pivots.gt(0),
            lambda array: _computed("cholesky", np.linalg.cholesky, array),
            a.detach(),
            otherwise=ArgumentError("cholesky got a matrix that is not positive definite"),
        )
        return lower.mT if upper else lower
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

    Singular values up to ``rcond`` of the largest count as 0.  The gradient is that of
    (AᵀA)⁻¹Aᵀ, or of Aᵀ(AAᵀ)⁻¹, which compiled functions compute: they need full rank.  For less
    the first derivative is that of Golub and Pereyra (1973).  (Penrose, 1955.)
    """
    a = as_float(A)
    if len(a.shape) < 2:
        raise ShapeError(f"pinv got a tensor of shape {tuple(a.shape)}", "it needs (…, m, n)")
    tall = a.shape[-2] >= a.shape[-1]
    if is_tracing():
        return inv(a.mT.matmul(a)).matmul(a.mT) if tall else a.mT.matmul(inv(a.matmul(a.mT)))
    value = lift(_computed("pinv", lambda x: np.linalg.pinv(x, rcond), a.array()))
    if not a.requires_grad or not math.prod(a.shape):
        return value
    if (np.linalg.matrix_rank(a.array()) < min(a.shape[-2:])).any():
        change = a - a.detach()
        rest = lift(np.eye(a.shape[-2], dtype=a.dtype.numpy)) - a.detach().matmul(value)
        other = lift(np.eye(a.shape[-1], dtype=a.dtype.numpy)) - value.matmul(a.detach())
        moved = value.matmul(value.mT).matmul(change.mT).matmul(rest)
        moved = moved + other.matmul(change.mT).matmul(value.mT).matmul(value)
        return value + moved - value.matmul(change).matmul(value)
    found = inv(a.mT.matmul(a)).matmul(a.mT) if tall else a.mT.matmul(inv(a.matmul(a.mT)))
    return value + (found - found.detach())


@rounded_once
def matrix_exp(A: Tensor) -> Tensor:  # noqa: N803
    """e^A = Σ Aᵏ / k! of square matrices: halved until small, summed, and squared again.

    (Higham, 2005, with a Taylor polynomial of degree 18 of matrices with norm at most ½.)
    """
    a = _square("matrix_exp", A)
    if is_tracing() and math.prod(a.shape):
        return _traced_exp(a)
    norm = float(np.abs(a.array()).sum(-2).max()) if math.prod(a.shape) else 0.0
    if not math.isfinite(norm):
        return a * math.nan
    times = max(0, math.ceil(math.log2(norm)) + 1) if norm else 0
    result = _taylor(a * 0.5**times)
    for _ in range(times):
        result = result.matmul(result)
    return result


MOST_SQUARINGS = 16
"""Of matrices that are not known: enough for norms up to 2¹⁵."""


def _traced_exp(a: Any) -> Any:
    """e^A, where each matrix is squared as often as its norm asks for."""
    norm = a.detach().abs().sum(-2).amax(-1)
    times = (norm.clamp(min=0.25).log2().ceil() + 1).clamp(0, MOST_SQUARINGS)
    times = times.unsqueeze(-1).unsqueeze(-1)
    result = _taylor(a * (-times).exp2())
    for k in range(MOST_SQUARINGS):
        result = elementwise.where(times.gt(k), result.matmul(result), result)
    return result


def _taylor(small: Any) -> Any:
    """1 + A + A²/2 + … up to A¹⁸ for matrices of norm at most ½."""
    a = small
    one = structure.broadcast_to(lift(np.eye(a.shape[-1], dtype=a.dtype.numpy)), a.shape)
    result = one
    for k in range(18, 0, -1):  # Horner: 1 + A (1 + A/2 (1 + A/3 (…)))
        result = one + small.matmul(result) / k
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
