"""Functions of linear algebra as methods of a tensor, some under older names of PyTorch."""

from __future__ import annotations

import math
from typing import Any, cast

from pellucid.ops import factoring, structure
from pellucid.tensor import linalg
from pellucid.tensor.factoring import geqrf, ormqr
from pellucid.tensor.interface import Tensor
from pellucid.tensor.matrices import as_matrices, batches_together, same_types, unit_matrices
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.results import (
    OrthogonalTriangular,
    Reflectors,
    SignLog,
    SingularFactors,
    TriangularSolution,
)


class MatrixMethods(Tensor):
    """Mixed into :class:`pellucid.Tensor`: inverses, factors, systems of equations."""

    __slots__ = ()

    def inverse(self) -> Tensor:
        """The inverse of square matrices (…, n, n); see ``linalg.inv``."""
        return linalg.inv(self)

    def pinverse(self, rcond: float = 1e-15) -> Tensor:
        """The pseudoinverse: (…, m, n) → (…, n, m); see ``linalg.pinv``."""
        return linalg.pinv(self, rcond)

    def det(self) -> Tensor:
        """The determinant of square matrices: (…, n, n) → (…)."""
        return linalg.det(self)

    def slogdet(self) -> SignLog:
        """(sign, ln |det|) of square matrices: (…, n, n) → (…)."""
        return linalg.slogdet(self)

    def logdet(self) -> Tensor:
        """ln det of square matrices, NaN where that is negative: (…, n, n) → (…)."""
        sign, size = linalg.slogdet(self)
        if sign.dtype.is_complex:
            return size + sign.log()
        return size.masked_fill(sign.lt(0), math.nan)

    def matrix_exp(self) -> Tensor:
        """e^A = Σ Aᵏ / k! of square matrices (…, n, n)."""
        return linalg.matrix_exp(self)

    def svd(self, some: bool = True, compute_uv: bool = True) -> SingularFactors:
        """A = U diag(S) Vᴴ of matrices (…, m, n) as (U, S, V); see ``linalg.svd``.

        ``some`` leaves out the columns beyond min(m, n); without ``compute_uv`` U and V are 0.
        """
        if not compute_uv:
            a = as_matrices("svd", self)
            (m, n), zero = a.shape[-2:], as_operand(0.0, a.dtype)
            empty = [structure.broadcast_to(zero, (*a.shape[:-2], k, k)) for k in (m, n)]
            return SingularFactors(empty[0], linalg.svdvals(a), empty[1])
        u, s, vh = linalg.svd(self, full_matrices=not some)
        return SingularFactors(u, s, vh.mH)

    def qr(self, some: bool = True) -> OrthogonalTriangular:
        """A = Q R of matrices (…, m, n); see ``linalg.qr``, whose mode is "reduced" with ``some``
        and otherwise "complete"."""
        return linalg.qr(self, "reduced" if some else "complete")

    def geqrf(self) -> Reflectors:
        """QR as LAPACK keeps it: (a, tau); see ``geqrf``."""
        return geqrf(self)

    def orgqr(self, input2: Tensor) -> Tensor:
        """Q of what ``geqrf`` gives, ``input2`` being tau; see ``linalg.householder_product``."""
        return linalg.householder_product(self, input2)

    def ormqr(
        self, input2: Tensor, input3: Tensor, left: bool = True, transpose: bool = False
    ) -> Tensor:
        """Q · input3 (or input3 · Q) for the Q of what ``geqrf`` gives; see ``ormqr``."""
        return ormqr(self, input2, input3, left, transpose)

    def lu(self, pivot: bool = True, get_infos: bool = False) -> tuple[Tensor, ...]:
        """(LU, pivots), and with ``get_infos`` info; see ``linalg.lu_factor_ex``."""
        packed, pivots, info = linalg.lu_factor_ex(self, pivot=pivot)
        return (packed, pivots, info) if get_infos else (packed, pivots)

    def lu_solve(self, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:  # noqa: N803
        """X with A X = self, A given by what ``linalg.lu_factor`` returns of it."""
        return linalg.lu_solve(LU_data, LU_pivots, self)

    def cholesky(self, upper: bool = False) -> Tensor:
        """The factor L of a symmetric positive definite matrix L Lᵀ, or Lᵀ with ``upper``."""
        return linalg.cholesky(self, upper=upper)

    def cholesky_inverse(self, upper: bool = False) -> Tensor:
        """The inverse of the matrix whose Cholesky factor this is."""
        a = as_matrices("cholesky_inverse", self, square=True)
        return cast(Tensor, _by_factor(a, unit_matrices(a.shape, a), upper))

    def cholesky_solve(self, input2: Tensor, upper: bool = False) -> Tensor:
        """X with A X = self, A the matrix whose Cholesky factor ``input2`` is."""
        a = as_matrices("cholesky_solve", input2, square=True)
        b = as_matrices("cholesky_solve", self)
        same_types("cholesky_solve", a, b)
        a, b = batches_together("cholesky_solve", a, b)
        return cast(Tensor, _by_factor(a, b, upper))

    def triangular_solve(
        self,
        A: Tensor,  # noqa: N803
        upper: bool = True,
        transpose: bool = False,
        unitriangular: bool = False,
    ) -> TriangularSolution:
        """(X, A) with A X = self, of A only the ``upper`` or lower triangle being read.

        ``transpose`` takes Aᵀ, ``unitriangular`` ones on the diagonal.  The leading axes broadcast.
        """
        a, b = (
            as_matrices("triangular_solve", A, square=True),
            as_matrices("triangular_solve", self),
        )
        a, b = batches_together("triangular_solve", a, b)
        turned = a.mT if transpose else a
        found = linalg.solve_triangular(
            turned, b, upper=upper != transpose, unitriangular=unitriangular
        )
        return TriangularSolution(found, a.clone())


def _by_factor(factor: Any, b: Any, upper: bool) -> Any:
    """X with L Lᵀ X = B, of L only its triangle being read.

    The gradient is that of the product L Lᵀ to all elements of L, as PyTorch has it.  With
    L Lᵀ = A₀ + Δ the solution is X₀ − A₀⁻¹ Δ (X₀ − A₀⁻¹ Δ X₀), up to second order.
    """
    lower = factor.mH if upper else factor
    still = lower.detach().tril()

    def solved(columns: Any) -> Any:
        half = factoring.solve_triangular(still, columns, upper=False)
        return factoring.solve_triangular(still.mH, half, upper=True)

    found = solved(b)
    if lower.requires_grad:
        moved = still + (lower - lower.detach())
        product = moved.matmul(moved.mH)
        change = product - product.detach()
        found = found - solved(change.matmul(found - solved(change.matmul(found))))
    return found
