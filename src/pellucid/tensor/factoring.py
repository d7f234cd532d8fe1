"""Factors of matrices: singular values, eigenvalues of symmetric ones, QR, LU, LDL."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from pellucid.base.errors import ArgumentError, DTypeError, ShapeError, UnsupportedError
from pellucid.ops import elementwise, factoring, indexing, structure
from pellucid.ops.factoring import results_of
from pellucid.ops.registry import apply
from pellucid.tensor.core import lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.matrices import (
    as_matrices,
    batches_together,
    count_from_one,
    required,
    same_types,
    symmetric,
    unit_matrices,
)
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.results import (
    CheckedLowerUpper,
    CheckedSymmetric,
    Eigen,
    LowerUpper,
    OrthogonalTriangular,
    PackedLowerUpper,
    PackedSymmetric,
    Reflectors,
    SingularValues,
)

# ---- singular values -----------------------------------------------------------------------------


def _refuse_driver(name: str, driver: str | None) -> None:
    if driver is not None:
        raise ArgumentError(
            f"linalg.{name} got driver={driver!r}", "drivers are a matter of GPUs: leave it out"
        )


@takes_out
def svd(
    A: Tensor,  # noqa: N803  (PyTorch's name)
    full_matrices: bool = True,
    *,
    driver: str | None = None,
    out: tuple[Tensor, ...] | None = None,
) -> SingularValues:
    """A = U diag(S) Vh of matrices (…, m, n), real or complex; with k = min(m, n) the singular
    values S (…, k) descend, and U (…, m, m) and Vh (…, n, n) are unitary.

    Without ``full_matrices`` U is (…, m, k) and Vh is (…, k, n).  Signs of the columns of U, and of
    the rows of Vh with them, are LAPACK's.  Gradients of U and Vh are finite where the singular
    values differ from each other and, for matrices that are not square, from 0; that of the columns
    beyond k is none.  Raises ``LinAlgError`` for a matrix with infinities or NaN.  (Golub and
    Reinsch, 1970.)
    """
    _refuse_driver("svd", driver)
    a = as_matrices("svd", A)
    return SingularValues(*results_of(factoring.SVD, a, 3, full=bool(full_matrices)))


@takes_out
def svdvals(
    A: Tensor,  # noqa: N803
    *,
    driver: str | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The singular values of matrices (…, m, n), descending: (…, min(m, n)); see ``svd``."""
    _refuse_driver("svdvals", driver)
    a = as_matrices("svdvals", A)
    return cast(Tensor, a.apply_results(factoring.SVD, (a,), {"full": False}, (1,))[0])


# ---- eigenvalues of symmetric matrices -----------------------------------------------------------


@takes_out
def eigh(
    A: Tensor,  # noqa: N803
    UPLO: str = "L",  # noqa: N803
    *,
    out: tuple[Tensor, ...] | None = None,
) -> Eigen:
    """A = V diag(L) Vᴴ of symmetric or Hermitian matrices (…, n, n): eigenvalues L (…, n),
    ascending, and orthogonal (unitary) V (…, n, n), whose columns are the eigenvectors.

    Only the lower triangle is read, or the upper one with ``UPLO="U"``; the gradient is that of
    (A + Aᴴ)/2.  Gradients of V are finite where the eigenvalues differ.  Signs of eigenvectors are
    LAPACK's.  A matrix with infinities or NaN has NaN for results.
    """
    a = symmetric("eigh", A, UPLO)
    return Eigen(*results_of(factoring.EIGH, a, 2, upper=UPLO.upper() == "U"))


@takes_out
def eigvalsh(
    A: Tensor,  # noqa: N803
    UPLO: str = "L",  # noqa: N803
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The eigenvalues of symmetric matrices (…, n, n), ascending: (…, n); see ``eigh``."""
    a = symmetric("eigvalsh", A, UPLO)
    return cast(
        Tensor, a.apply_results(factoring.EIGH, (a,), {"upper": UPLO.upper() == "U"}, (0,))[0]
    )


# ---- eigenvalues of any matrices -----------------------------------------------------------------


@takes_out
def eig(
    A: Tensor,  # noqa: N803
    *,
    out: tuple[Tensor, ...] | None = None,
) -> Eigen:
    """A = V diag(L) V⁻¹ of square matrices (…, n, n), real or complex: eigenvalues L (…, n) and
    V (…, n, n), whose columns are eigenvectors of length 1; both complex, in no order.

    The gradient exists where the eigenvalues differ; it is that of functions which do not depend
    on the phases of the eigenvectors.  Raises ``LinAlgError`` for a matrix with infinities or NaN.
    """
    return Eigen(*results_of(factoring.EIG, as_matrices("eig", A, square=True), 2))


@takes_out
def eigvals(
    A: Tensor,  # noqa: N803
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The complex eigenvalues of square matrices (…, n, n), in no order: (…, n); see ``eig``."""
    a = as_matrices("eigvals", A, square=True)
    return cast(Tensor, a.apply_results(factoring.EIG, (a,), {}, (0,))[0])


# ---- orthogonal and triangular -------------------------------------------------------------------


@takes_out
def qr(
    A: Tensor,  # noqa: N803
    mode: str = "reduced",
    *,
    out: tuple[Tensor, ...] | None = None,
) -> OrthogonalTriangular:
    """A = Q R of matrices (…, m, n), Q with orthonormal columns, R upper triangular.

    ``mode``: "reduced" gives Q (…, m, k) and R (…, k, n) with k = min(m, n); "complete" gives Q
    (…, m, m) and R (…, m, n); "r" gives R (…, k, n) and an empty Q.  Signs are LAPACK's, by
    Householder's reflections.  The gradient needs the first k columns of A to be independent; for
    "complete" with m > n there is none, and asking for it is an error.
    """
    a = as_matrices("qr", A)
    if mode == "r":
        (r,) = a.apply_results(factoring.QR, (a,), {"complete": False}, (1,))
        return OrthogonalTriangular(structure.broadcast_to(as_operand(0.0, a.dtype), (0,)), r)
    if mode not in ("reduced", "complete"):
        raise ArgumentError(
            f"linalg.qr got mode={mode!r}", 'use one of "reduced", "complete" and "r"'
        )
    return OrthogonalTriangular(*results_of(factoring.QR, a, 2, complete=mode == "complete"))


@takes_out
def geqrf(input: Tensor, *, out: tuple[Tensor, ...] | None = None) -> Reflectors:
    """QR of matrices (…, m, n) as LAPACK keeps it: R in the upper triangle of ``a`` (…, m, n),
    below it the vectors of the reflections whose product is Q, and their factors ``tau``
    (…, min(m, n)).

    ``householder_product`` makes Q of it and ``ormqr`` multiplies by Q.  It has no gradient.
    """
    return Reflectors(*results_of(factoring.REFLECTORS, as_matrices("geqrf", input), 2))


@takes_out
def householder_product(
    A: Tensor,  # noqa: N803
    tau: Tensor,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The first n columns of H₁ H₂ … H_k with Hᵢ = 1 − tauᵢ vᵢ vᵢᵀ: (…, m, n), (…, k) → (…, m, n).

    vᵢ is column i of A below the diagonal, with 1 on it and 0 above.  The product is
    1 − V T Vᵀ with T = (1 + D striu(VᵀV))⁻¹ D, D = diag(tau).  (Schreiber and Van Loan, 1989.)
    """
    a = as_matrices("householder_product", A)
    t = as_operand(tau)
    same_types("householder_product", a, t)
    m, n = a.shape[-2:]
    if n > m or not t.shape or tuple(t.shape[:-1]) != tuple(a.shape[:-2]) or t.shape[-1] > n:
        raise ShapeError(
            f"linalg.householder_product got A {tuple(a.shape)} and tau {tuple(t.shape)}",
            "A is (…, m, n) with m ≥ n and tau (…, k) with k ≤ n and the same leading axes",
        )
    vectors, middle = _compact(a, t)
    return unit_matrices((*a.shape[:-2], m, m), a).narrow(-1, 0, n) - vectors.matmul(
        middle.matmul(vectors.narrow(-2, 0, n).mH)
    )


def _compact(a: Any, tau: Any) -> tuple[Any, Any]:
    """V and T of a product of reflections 1 − V T Vᵀ."""
    k = tau.shape[-1]
    columns = a.narrow(-1, 0, k)
    diagonal = unit_matrices((*a.shape[:-2], a.shape[-2], a.shape[-2]), a).narrow(-1, 0, k)
    vectors = columns.tril(-1) + diagonal
    inner = vectors.mH.matmul(vectors).triu(1) * tau.unsqueeze(-1)
    middle = factoring.solve_triangular(inner, tau.diag_embed(), upper=True, unit=True)
    return vectors, middle


@takes_out
def ormqr(
    input: Tensor,
    tau: Tensor,
    other: Tensor,
    left: bool = True,
    transpose: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Q · other, or other · Q if not ``left``, Qᵀ in place of Q with ``transpose``.

    Q (…, p, p) is the product of the reflections that ``input`` (…, p, k) and ``tau`` (…, k) hold,
    as ``geqrf`` gives them; see ``householder_product``.
    """
    a, t, b = as_matrices("ormqr", input), as_operand(tau), as_matrices("ormqr", other)
    same_types("ormqr", a, t, b)
    fits = tuple(a.shape[:-2]) == tuple(b.shape[:-2]) == tuple(t.shape[:-1])
    rows = b.shape[-2 if left else -1]
    if not t.shape or not fits or rows != a.shape[-2] or t.shape[-1] > a.shape[-1]:
        raise ShapeError(
            f"ormqr got reflections {tuple(a.shape)}, tau {tuple(t.shape)} and a matrix "
            f"{tuple(b.shape)}",
            "the matrix has as many rows (columns, if not left) as the reflections have, tau no "
            "more elements than they have columns, and the leading axes are the same",
        )
    vectors, middle = _compact(a, t)
    middle = middle.mH if transpose else middle
    if left:
        return b - vectors.matmul(middle.matmul(vectors.mH.matmul(b)))
    return b - b.matmul(vectors).matmul(middle).matmul(vectors.mH)


# ---- lower and upper triangular ------------------------------------------------------------------


def _refuse_no_pivot(name: str, pivot: bool) -> None:
    if not pivot:
        raise UnsupportedError(
            f"linalg.{name} got pivot=False: LU without pivoting is not implemented on the CPU",
            "leave it out: exchanging rows keeps the factors small",
        )


def _zero_of_u(lu: Any) -> Any:
    return count_from_one(lu.detach().diagonal(0, -2, -1).eq(0))


def _singular_u(k: int) -> str:
    which = f"[{k},{k}] " if k else " has an element on its diagonal that "
    return f"U{which}is zero, so that solving with it would divide by zero"


@takes_out
def lu_factor_ex(
    A: Tensor,  # noqa: N803
    *,
    pivot: bool = True,
    check_errors: bool = False,
    out: tuple[Tensor, ...] | None = None,
) -> CheckedLowerUpper:
    """A = P L U of matrices (…, m, n) as LAPACK keeps it: ``LU`` (…, m, n) holds U in its upper
    triangle and L, whose diagonal is 1, below; step i exchanged row i and row ``pivots``ᵢ − 1
    (int32, (…, min(m, n))); ``info`` (int32, (…)) is the first i, from 1 on, for which Uᵢᵢ is 0.

    With ``check_errors`` such a matrix raises ``LinAlgError``.
    """
    _refuse_no_pivot("lu_factor_ex", pivot)
    a = as_matrices("lu_factor_ex", A)
    lu, pivots, _ = results_of(factoring.LU, a, 3)
    info = _zero_of_u(lu)
    if check_errors:
        lu = required("lu_factor_ex", lu, info, _singular_u, "use linalg.lu, or check_errors=False")
    return CheckedLowerUpper(lu, pivots, info)


@takes_out
def lu_factor(
    A: Tensor,  # noqa: N803
    *,
    pivot: bool = True,
    out: tuple[Tensor, ...] | None = None,
) -> PackedLowerUpper:
    """``LU`` and ``pivots`` for ``lu_solve``; see ``lu_factor_ex``.

    Raises ``LinAlgError`` for a matrix whose U has a 0 on its diagonal.
    """
    _refuse_no_pivot("lu_factor", pivot)
    lu, pivots, _ = results_of(factoring.LU, as_matrices("lu_factor", A), 3)
    hint = "use linalg.lu_factor_ex or linalg.lu if the factors are wanted all the same"
    lu = required("lu_factor", lu, _zero_of_u(lu), _singular_u, hint)
    return PackedLowerUpper(lu, pivots)


@takes_out
def lu(
    A: Tensor,  # noqa: N803
    *,
    pivot: bool = True,
    out: tuple[Tensor, ...] | None = None,
) -> LowerUpper:
    """A = P L U of matrices (…, m, n): a permutation P (…, m, m), L (…, m, k) with ones on its
    diagonal, U (…, k, n), k = min(m, n), by partial pivoting.

    The gradient needs the leading k × k part of L U to be invertible.
    """
    _refuse_no_pivot("lu", pivot)
    packed, _, rows = results_of(factoring.LU, as_matrices("lu", A), 3)
    return LowerUpper(_permutation(rows, packed), *_triangles(packed))


def _triangles(packed: Any) -> tuple[Any, Any]:
    m, n = packed.shape[-2:]
    k = min(m, n)
    unit = unit_matrices((*packed.shape[:-2], m, m), packed).narrow(-1, 0, k)
    return packed.narrow(-1, 0, k).tril(-1) + unit, packed.narrow(-2, 0, k).triu()


def _permutation(rows: Any, like: Any) -> Any:
    """P with ones at P[rows[j], j]."""
    places = lift(np.arange(rows.shape[-1], dtype=np.int64)).unsqueeze(-1)
    return elementwise.cast(places.eq(rows.unsqueeze(-2)), like.dtype)


@takes_out
def lu_unpack(
    LU_data: Tensor,  # noqa: N803
    LU_pivots: Tensor,  # noqa: N803
    unpack_data: bool = True,
    unpack_pivots: bool = True,
    *,
    out: tuple[Tensor, ...] | None = None,
) -> LowerUpper:
    """P, L and U of what ``lu_factor`` returns; those that are not asked for are empty."""
    packed, pivots = as_matrices("lu_unpack", LU_data), as_operand(LU_pivots)
    empty = structure.broadcast_to(as_operand(0.0, packed.dtype), (0,))
    lower, upper = _triangles(packed) if unpack_data else (empty, empty)
    if not unpack_pivots:
        return LowerUpper(empty, lower, upper)
    if pivots.dtype.name != "int32":
        raise DTypeError(
            f"lu_unpack got pivots of {pivots.dtype.name}", "they are int32, as those of lu_factor"
        )
    rows = apply(factoring.PIVOT_ROWS, pivots, extent=packed.shape[-2])
    return LowerUpper(_permutation(rows, packed), lower, upper)


@takes_out
def lu_solve(
    LU: Tensor,  # noqa: N803
    pivots: Tensor,
    B: Tensor,  # noqa: N803
    *,
    left: bool = True,
    adjoint: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """X with A X = B, or X A = B if not ``left``, Aᴴ in place of A with ``adjoint``.

    A is (…, n, n), given by what ``lu_factor`` returns of it; B is (…, n, k), or (…, k, n) if not
    ``left``; the leading axes broadcast.
    """
    packed, b = as_matrices("lu_solve", LU, square=True), as_matrices("lu_solve", B)
    same_types("lu_solve", packed, b)
    columns = b if left else b.mT
    if columns.shape[-2] != packed.shape[-1]:
        raise ShapeError(
            f"linalg.lu_solve got LU {tuple(packed.shape)} and B {tuple(b.shape)}",
            "B has as many rows (columns, if not left) as LU",
        )
    rows = apply(factoring.PIVOT_ROWS, as_operand(pivots), extent=packed.shape[-1])
    packed, columns, places = batches_together("lu_solve", packed, columns, rows.unsqueeze(-1))
    solve = factoring.solve_triangular
    packed = packed.conj() if adjoint else packed
    if left != adjoint:
        columns = _rows_taken(columns, places)
        found = solve(packed, solve(packed, columns, upper=False, unit=True), upper=True)
    else:
        turned = packed.mT
        found = solve(turned, solve(turned, columns, upper=False), upper=True, unit=True)
        found = _rows_taken(found, structure.argsort(places, len(places.shape) - 2))
    return cast(Tensor, found if left else found.mT)


def _rows_taken(x: Any, places: Any) -> Any:
    """Rows of each matrix in the order ``places`` (…, n, 1)."""
    if not x.shape[-1]:
        return x
    return indexing.gather(x, structure.broadcast_to(places, tuple(x.shape)), len(x.shape) - 2)


# ---- symmetric, indefinite -----------------------------------------------------------------------


def _zero_block(k: int) -> str:
    which = f"[{k},{k}] " if k else " has a block that "
    return f"D{which}is zero, so that solving with it would divide by zero"


@takes_out
def ldl_factor_ex(
    A: Tensor,  # noqa: N803
    *,
    hermitian: bool = False,
    check_errors: bool = False,
    out: tuple[Tensor, ...] | None = None,
) -> CheckedSymmetric:
    """A = L D Lᵀ of symmetric matrices (…, n, n), which need not be positive definite.

    Complex matrices are symmetric, too; if ``hermitian``, they equal their adjoint, A = L D Lᴴ.
    D has blocks of extent 1 and 2 and is stored with L in the lower triangle of ``LD``; ``pivots``
    (int32) are LAPACK's: positive for a block of extent 1, two equal negative ones for one of
    extent 2.  ``info`` is the first block that is 0, from 1 on.  It has no gradient.  (Bunch and
    Kaufman, 1977.)
    """
    a = as_matrices("ldl_factor_ex", A, square=True)
    mirrored = hermitian and a.dtype.is_complex
    ld, pivots, info = results_of(factoring.LDL, a, 3, hermitian=mirrored)
    if check_errors:
        hint = "add a small multiple of the identity, or leave out check_errors"
        ld = required("ldl_factor_ex", ld, info, _zero_block, hint)
    return CheckedSymmetric(ld, pivots, info)


@takes_out
def ldl_factor(
    A: Tensor,  # noqa: N803
    *,
    hermitian: bool = False,
    out: tuple[Tensor, ...] | None = None,
) -> PackedSymmetric:
    """``LD`` and ``pivots`` for ``ldl_solve``; see ``ldl_factor_ex``."""
    a = as_matrices("ldl_factor", A, square=True)
    mirrored = hermitian and a.dtype.is_complex
    ld, pivots, _ = results_of(factoring.LDL, a, 3, hermitian=mirrored)
    return PackedSymmetric(ld, pivots)


@takes_out
def ldl_solve(
    LD: Tensor,  # noqa: N803
    pivots: Tensor,
    B: Tensor,  # noqa: N803
    *,
    hermitian: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """X with A X = B, A (…, n, n) given by what ``ldl_factor`` returns, B (…, n, k).

    The leading axes broadcast; ``hermitian`` is what it was there.  It has no gradient.
    """
    ld, b = as_matrices("ldl_solve", LD, square=True), as_matrices("ldl_solve", B)
    same_types("ldl_solve", ld, b)
    if b.shape[-2] != ld.shape[-1]:
        raise ShapeError(
            f"linalg.ldl_solve got LD {tuple(ld.shape)} and B {tuple(b.shape)}",
            "B has as many rows as LD",
        )
    ld, places, b = batches_together("ldl_solve", ld, as_operand(pivots).unsqueeze(-1), b)
    mirrored = hermitian and ld.dtype.is_complex
    found = apply(factoring.LDL_SOLVE, ld, places.squeeze(-1), b, hermitian=mirrored)
    return cast(Tensor, found)
