"""Inverses, determinants and Cholesky factors.

NumPy (LAPACK) computes the value at A₀, in compiled functions a loop of :mod:`.eliminating`.  What
is returned is its Taylor polynomial of second order in Δ = A − A₀, which is 0 but carries the
gradient: first and second derivatives are exact, higher ones are not.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from pellucid.base.errors import ShapeError
from pellucid.base.shapes import size_of
from pellucid.ops import elementwise, factoring, structure
from pellucid.ops.elimination import factored, substituted
from pellucid.tensor import eliminating
from pellucid.tensor.core import lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.matrices import (
    as_matrices,
    as_real,
    batches_together,
    count_from_one,
    required,
    same_types,
    symmetric,
)
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_operand, rounded_once
from pellucid.tensor.results import CheckedFactor, CheckedInverse, CheckedSolution, SignLog
from pellucid.tensor.state import is_tracing

SINGULAR_HINT = "add a small multiple of the identity, or look for equal rows and columns"


def _singular(order: int) -> str:
    which = f": pivot {order} of its elimination is 0" if order else ""
    return f"the input matrix is singular{which}"


def _not_positive(order: int) -> str:
    which = f" (the leading minor of order {order} is not)" if order else ""
    return f"the input matrix is not positive definite{which}"


def _inverse(name: str, a: Any, may_fail: bool = False) -> tuple[Any, Any]:
    """A₀⁻¹ as a constant to gradients, and the first pivot that is 0 (0: none).

    Where there is one it raises, or with ``may_fail`` the inverse is NaN.
    """
    if not math.prod(a.shape):
        return a.detach(), _no_info(a)
    if is_tracing():
        found, pivots = eliminating.inverse(a.detach())
        info = count_from_one(pivots.movedim(0, -1).eq(0))
        if may_fail:
            found = found.masked_fill(info.ne(0).unsqueeze(-1).unsqueeze(-1), math.nan)
    else:
        try:
            found, info = lift(np.linalg.inv(a.array())), _no_info(a)
        except np.linalg.LinAlgError:
            info = lift(_zero_pivots(a.array()))
            found = lift(_by_matrix(np.linalg.inv, a.array()))
    if not may_fail:
        again = (a.detach(), _zero_pivots)
        found = required(name, found, info, _singular, SINGULAR_HINT, again)
    return found, info


def _no_info(a: Any) -> Any:
    return lift(np.zeros(tuple(a.shape[:-2]), np.int32))


def _zero_pivots(a: np.ndarray) -> np.ndarray:
    """The first pivot that is 0, from 1 on, for each matrix; 0 if none is."""
    zero = np.diagonal(factored(a)[0], 0, -2, -1) == 0
    return np.asarray(np.where(zero.any(-1), zero.argmax(-1) + 1, 0), np.int32)


def _by_matrix(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """``function`` of each matrix of a stack (the last array's shape), NaN where it fails."""
    result = np.full_like(arrays[-1], math.nan)
    for place in np.ndindex(result.shape[:-2]):
        with contextlib.suppress(np.linalg.LinAlgError):
            result[place] = function(*(array[place] for array in arrays))
    return result


def _change(name: str, a: Any) -> tuple[Any, Any]:
    """A₀⁻¹ and E = A₀⁻¹ Δ."""
    inverse, _ = _inverse(name, a)
    return inverse, inverse.matmul(a - a.detach())


def _trace(a: Any) -> Any:
    return a.diagonal(0, -2, -1).sum(-1)


@takes_out
def inv(
    A: Tensor,  # noqa: N803  (PyTorch's name)
    *,
    out: Tensor | None = None,
) -> Tensor:
    """A⁻¹ of square matrices (…, n, n): (A₀ + Δ)⁻¹ = (1 − E + E² − …) A₀⁻¹.

    Raises ``LinAlgError`` for a singular matrix.
    """
    a = as_matrices("inv", A, square=True)
    inverse, e = _change("inv", a)
    return _moved(a, inverse, e)


def _moved(a: Any, inverse: Any, e: Any) -> Any:
    return inverse if not a.requires_grad else inverse - e.matmul(inverse - e.matmul(inverse))


@takes_out
def inv_ex(
    A: Tensor,  # noqa: N803
    *,
    check_errors: bool = False,
    out: tuple[Tensor, ...] | None = None,
) -> CheckedInverse:
    """The inverse of square matrices (…, n, n), and ``info`` (int32, (…)): 0, or the first pivot,
    from 1 on, that is 0.

    The inverse of a singular matrix is NaN, or with ``check_errors`` a ``LinAlgError``.
    """
    a = as_matrices("inv_ex", A, square=True)
    inverse, info = _inverse("inv_ex", a, may_fail=not check_errors)
    return CheckedInverse(_moved(a, inverse, inverse.matmul(a - a.detach())), info)


@takes_out
def slogdet(
    A: Tensor,  # noqa: N803
    *,
    out: tuple[Tensor, ...] | None = None,
) -> SignLog:
    """(sign, ln |det A|) of square matrices (…, n, n) → (…); (0, −∞) for a singular one.

    ln det (A₀ + Δ) = ln det A₀ + tr E − ½ tr E² + …
    """
    a = as_matrices("slogdet", A, square=True)
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
            left, right, first, _ = _by_factors(a.array())
            adjugate = lift((left * first[..., None, :]) @ right)
            change = (adjugate * (a - a.detach())).sum((-2, -1))
            change = elementwise.where(lost, change, as_operand(1.0, a.dtype))
            logarithm = elementwise.where(lost, change.log(), logarithm)
    return SignLog(sign, logarithm)


@takes_out
def det(
    A: Tensor,  # noqa: N803
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The determinant of square matrices (…, n, n) → (…).

    With A₀ = U S Vᵀ and W = Uᵀ Δ V, det (A₀ + Δ) = det (U Vᵀ) · (Π s + Σᵢ pᵢ Wᵢᵢ +
    ½ Σᵢⱼ pᵢⱼ (Wᵢᵢ Wⱼⱼ − Wᵢⱼ Wⱼᵢ) + …), pᵢ and pᵢⱼ being the products of all other singular
    values.  So the gradient, the transposed adjugate, exists where the determinant is 0, too.
    """
    a = as_matrices("det", A, square=True)
    if not math.prod(a.shape):
        return _trace(a) * 0 + 1
    if is_tracing():
        sign, pivots = eliminating.pivots(a)
        return sign.detach() * pivots.prod(0)
    value = lift(np.asarray(np.linalg.det(a.array()), a.dtype.numpy))
    if not a.requires_grad:
        return value
    left, right, first, second = (lift(part) for part in _by_factors(a.array()))
    w = left.mH.matmul(a - a.detach()).matmul(right.mH)
    own = w.diagonal(0, -2, -1)
    pairs = own.unsqueeze(-1) * own.unsqueeze(-2) - w * w.mT
    return value + (first * own).sum(-1) + (second * pairs).sum((-2, -1)) / 2


def _by_factors(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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


def _columns(name: str, a: Any, b: Any, left: bool) -> tuple[Any, Any, bool]:
    """Matrices and right sides as columns, for A X = B; whether B was a batch of vectors."""
    vectors = len(b.shape) == 1 or (len(b.shape) == len(a.shape) - 1 and b.shape == a.shape[:-1])
    if vectors and not left:
        raise ShapeError(
            f"linalg.{name} got left=False and vectors of shape {tuple(b.shape)}",
            "vectors stand on the right: leave out left=False",
        )
    columns = b.unsqueeze(-1) if vectors else b
    if not left:
        a, columns = a.mT, columns.mT
    if len(columns.shape) < 2 or columns.shape[-2] != a.shape[-1]:
        raise ShapeError(
            f"linalg.{name} got matrices {tuple(a.shape)} and right sides {tuple(b.shape)}",
            "the right sides have as many rows as the matrices (columns, if not left)",
        )
    return (*batches_together(name, a, columns), vectors)


def _solved(name: str, a: Any, b: Any, left: bool, may_fail: bool) -> tuple[Any, Any]:
    """The solution, and the first pivot that is 0 (0: none)."""
    same_types(name, a, b)
    a, columns, vectors = _columns(name, a, b, left)
    if is_tracing() or a.requires_grad or columns.requires_grad:
        inverse, info = _inverse(name, a, may_fail)
        found = _moved(a, inverse, inverse.matmul(a - a.detach())).matmul(columns)
    else:
        found = info = None
    if not is_tracing():
        value, info = _plain_solution(name, a, columns, may_fail)
        found = value if found is None else value + (found - found.detach())
    found = found if left else found.mT
    return (found.squeeze(-1) if vectors else found), info


def _plain_solution(name: str, a: Any, b: Any, may_fail: bool) -> tuple[Any, Any]:
    """The solution by LAPACK, without a gradient."""
    try:
        return lift(np.linalg.solve(a.array(), b.array())), _no_info(a)
    except np.linalg.LinAlgError:
        info = lift(_zero_pivots(a.array()))
        value = lift(_by_matrix(np.linalg.solve, a.array(), b.array()))
        return (value if may_fail else required(name, value, info, _singular, SINGULAR_HINT)), info


@takes_out
def solve(
    A: Tensor,  # noqa: N803
    B: Tensor,  # noqa: N803
    *,
    left: bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """X with A X = B, or X A = B if not ``left``.

    A is (…, n, n) and B (…, n, k), or (…, k, n) if not ``left``; the leading axes broadcast.  B may
    be one vector (n,), or a vector for each matrix: (…, n) with the leading axes of A.  X has the
    shape of B, broadcast.  Raises ``LinAlgError`` for a singular matrix.
    """
    a, b = as_matrices("solve", A, square=True), as_real("solve", B)
    return cast(Tensor, _solved("solve", a, b, left, False)[0])


@takes_out
def solve_ex(
    A: Tensor,  # noqa: N803
    B: Tensor,  # noqa: N803
    *,
    left: bool = True,
    check_errors: bool = False,
    out: tuple[Tensor, ...] | None = None,
) -> CheckedSolution:
    """The solution that ``solve`` gives, and ``info`` (int32): 0, or the first pivot that is 0.

    The solution of a singular system is NaN, or with ``check_errors`` a ``LinAlgError``.
    """
    a, b = as_matrices("solve_ex", A, square=True), as_real("solve_ex", B)
    return CheckedSolution(*_solved("solve_ex", a, b, left, not check_errors))


@takes_out
def solve_triangular(
    A: Tensor,  # noqa: N803
    B: Tensor,  # noqa: N803
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """X with A X = B, or X A = B if not ``left``, for triangular A (…, n, n), B (…, n, k).

    Only the ``upper`` or the lower triangle of A is read, and with ``unitriangular`` not its
    diagonal, which counts as 1.  The leading axes broadcast.  A zero on the diagonal gives
    infinities and NaN.
    """
    a, b = as_matrices("solve_triangular", A, square=True), as_matrices("solve_triangular", B)
    same_types("solve_triangular", a, b)
    a, b = (a, b) if left else (a.mT, b.mT)
    if b.shape[-2] != a.shape[-1]:
        raise ShapeError(
            f"linalg.solve_triangular got A {tuple(A.shape)} and B {tuple(B.shape)}",
            "B has as many rows as A (columns, if not left)",
        )
    a, b = batches_together("solve_triangular", a, b)
    found = factoring.solve_triangular(a, b, upper if left else not upper, unitriangular)
    return cast(Tensor, found if left else found.mT)


@takes_out
def cholesky(
    A: Tensor,  # noqa: N803
    *,
    upper: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The lower L with L Lᵀ = A for symmetric positive definite A (…, n, n), or Lᵀ with ``upper``.

    L = L₀ (1 + F₁ + F₂ + …) with F₁ = Φ(L₀⁻¹ Δ L₀⁻ᵀ), F₂ = −Φ(F₁ F₁ᵀ), Φ the lower half with half
    of the diagonal.  Only the lower (``upper``: the upper) triangle of A is read; the gradient is
    that of (A + Aᵀ)/2.  Raises ``LinAlgError`` where A is not positive definite.
    """
    return cast(Tensor, _factor("cholesky", A, upper, False)[0])


@takes_out
def cholesky_ex(
    A: Tensor,  # noqa: N803
    *,
    upper: bool = False,
    check_errors: bool = False,
    out: tuple[Tensor, ...] | None = None,
) -> CheckedFactor:
    """The factor that ``cholesky`` gives, and ``info`` (int32, (…)): 0, or the order of the first
    leading minor that is not positive.

    The factor of such a matrix is NaN, or with ``check_errors`` a ``LinAlgError``.
    """
    return CheckedFactor(*_factor("cholesky_ex", A, upper, not check_errors))


def _factor(name: str, matrices: Any, upper: bool, may_fail: bool) -> tuple[Any, Any]:
    """Cholesky's factor, and the order of the first minor that is not positive (0: none)."""
    a = symmetric(name, matrices, "U" if upper else "L")
    if not math.prod(a.shape):
        return a * 1, _no_info(a)
    hint = SINGULAR_HINT
    if is_tracing():
        lower, pivots = eliminating.lower_factor((a + a.mH) / 2)
        info = count_from_one(pivots.gt(0).logical_not().movedim(0, -1))
        if may_fail:
            lower = lower.masked_fill(info.ne(0).unsqueeze(-1).unsqueeze(-1), math.nan)
        else:
            again = (a.detach(), _minors)
            lower = required(name, lower, info, _not_positive, hint, again)
        return (lower.mH if upper else lower), info
    try:
        lower, info = lift(np.linalg.cholesky(a.array())), _no_info(a)
    except np.linalg.LinAlgError:
        array = a.array()
        lower, info = lift(_by_matrix(np.linalg.cholesky, array)), lift(_minors(array))
    if not may_fail:
        lower = required(name, lower, info, _not_positive, hint)
    if a.requires_grad:
        unit = np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype.numpy), a.shape)
        half = lift(substituted(lower.array(), unit, upper=False, unit=False))
        change = a - a.detach()
        moved = half.matmul((change + change.mH) / 2).matmul(half.mH)
        first = _lower_half(moved)
        lower = lower + lower.matmul(first - _lower_half(first.matmul(first.mH)))
    return (lower.mH if upper else lower), info


def _minors(a: np.ndarray) -> np.ndarray:
    """The order of the first leading minor that is not positive, for each matrix; 0 if all are."""
    orders = np.zeros(a.shape[:-2], np.int32)
    for place in np.ndindex(orders.shape):
        for order in range(1, a.shape[-1] + 1):
            try:
                np.linalg.cholesky(a[place][:order, :order])
            except np.linalg.LinAlgError:
                orders[place] = order
                break
    return orders


def _lower_half(a: Any) -> Any:
    return (a.tril() + a.tril(-1)) / 2


@rounded_once
def matrix_exp(A: Tensor) -> Tensor:
    """e^A = Σ Aᵏ / k! of square matrices: halved until small, summed, and squared again.

    (Higham, 2005, with a Taylor polynomial of degree 18 of matrices with norm at most ½.)
    """
    a = as_matrices("matrix_exp", A, square=True)
    if is_tracing() and size_of(a.shape):
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
