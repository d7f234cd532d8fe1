"""What singular values say: pseudoinverse, rank, least squares, the largest parts of a matrix."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import int64
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.ops import elementwise, factoring, pseudoinverse, structure
from pellucid.ops.registry import apply
from pellucid.tensor.factoring import eigh, eigvalsh, qr, svd, svdvals
from pellucid.tensor.interface import Tensor
from pellucid.tensor.matrices import as_matrices, as_real, batches_together, same_types
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.random import randn
from pellucid.tensor.results import Eigen, LeastSquares, SingularFactors
from pellucid.tensor.solving import cholesky
from pellucid.tensor.state import is_tracing

Tolerance = Tensor | float | None


def _tolerances(a: Any, atol: Tolerance, rtol: Tolerance) -> tuple[Any, Any]:
    """Both as tensors of a's dtype, or that of its parts.

    rtol is by default ε · max(m, n), or 0 if there is an atol.
    """
    kind = a.dtype.to_real()
    default = float(np.finfo(kind.numpy).eps) * max(a.shape[-2:], default=0)
    if atol is None:
        atol = 0.0
        rtol = default if rtol is None else rtol
    elif rtol is None:
        given = as_operand(atol, kind)
        if isinstance(atol, Tensor):
            rtol = elementwise.where(
                given.gt(0), as_operand(0.0, given.dtype), as_operand(default, given.dtype)
            )
        else:
            rtol = 0.0 if atol > 0 else default
    found = (elementwise.cast(as_operand(t, kind), kind).detach() for t in (atol, rtol))
    first, second = found
    return first, second


@takes_out
def pinv(
    A: Tensor,  # noqa: N803  (PyTorch's name)
    rcond: Tolerance = None,
    hermitian: bool = False,
    *,
    atol: Tolerance = None,
    rtol: Tolerance = None,
    out: Tensor | None = None,
) -> Tensor:
    """The pseudoinverse V diag(1/S) Uᵀ of matrices (…, m, n) → (…, n, m), A = U diag(S) Vᵀ: the
    smallest X for which A X is as close to 1 as can be.

    Singular values up to max(``atol``, ``rtol`` · largest) count as 0; ``rtol`` is by default
    ε · max(m, n), or 0 if ``atol`` is given and positive.  Both may be tensors (…).  ``rcond`` is
    an old name of ``rtol``.  With ``hermitian`` A is symmetric, and its lower triangle is read.
    The gradient is that for a constant rank.  Raises ``LinAlgError`` for a matrix with infinities
    or NaN.  (Penrose, 1955; Golub and Pereyra, 1973.)
    """
    a = as_matrices("pinv", A, square=hermitian)
    tolerances = [
        structure.broadcast_to(t, tuple(a.shape[:-2]))
        for t in _tolerances(a, atol, rcond if rtol is None else rtol)
    ]
    return cast(Tensor, apply(pseudoinverse.PINV, a, *tolerances, hermitian=bool(hermitian)))


@takes_out
def matrix_rank(
    A: Tensor,  # noqa: N803
    tol: Tolerance = None,
    hermitian: bool = False,
    *,
    atol: Tolerance = None,
    rtol: Tolerance = None,
    out: Tensor | None = None,
) -> Tensor:
    """How many singular values of matrices (…, m, n) count: (…) of int64.

    Those up to max(``atol``, ``rtol`` · largest) do not; see ``pinv`` for the defaults.  ``tol`` is
    an old name of ``atol`` with ``rtol`` 0.  With ``hermitian`` A is symmetric, and its lower
    triangle is read.
    """
    a = as_matrices("matrix_rank", A, square=hermitian).detach()
    if tol is not None:
        atol, rtol = tol, 0.0
    first, second = _tolerances(a, atol, rtol)
    if not a.shape[-1] or not a.shape[-2]:
        return structure.broadcast_to(as_operand(0, int64), tuple(a.shape[:-2]))
    sizes = eigvalsh(a).abs() if hermitian else svdvals(a)
    least = first.maximum(second * sizes.amax(-1))
    return sizes.gt(least.unsqueeze(-1)).sum(-1)


def _least_columns(a: Any, b: Any) -> tuple[Any, Any, bool]:
    """Matrices and right sides with their leading axes broadcast; whether B held vectors."""
    vectors = len(b.shape) == len(a.shape) - 1
    columns = b.unsqueeze(-1) if vectors else b
    if len(columns.shape) < 2 or columns.shape[-2] != a.shape[-2]:
        raise ShapeError(
            f"linalg.lstsq got matrices {tuple(a.shape)} and right sides {tuple(b.shape)}",
            "the right sides have as many rows as the matrices",
        )
    return (*batches_together("lstsq", a, columns), vectors)


@takes_out
def lstsq(
    A: Tensor,  # noqa: N803
    B: Tensor,  # noqa: N803
    rcond: float | None = None,
    *,
    driver: str | None = None,
    out: tuple[Tensor, ...] | None = None,
) -> LeastSquares:
    """The X that makes ‖A X − B‖ least, the smallest of those: (…, m, n) and (…, m, k) → (…, n, k).

    B may hold a vector for each matrix, (…, m).  Singular values up to ``rcond`` · largest (by
    default ε · max(m, n)) count as 0.  The result is a tuple (solution, residuals, rank,
    singular_values), as the LAPACK ``driver`` of that name returns it:

    ==================  ======================  =============  =============================
    driver              residuals               rank           singular_values
    ==================  ======================  =============  =============================
    "gelsy" (default)   empty                   (…) of int64   empty
    "gelsd", "gelss"    ‖A X − B‖², see below   (…) of int64   (…, min(m, n)), descending
    "gels"              ‖A X − B‖², see below   empty          empty
    ==================  ======================  =============  =============================

    The sums of squares, (…, k), exist for m > n where all matrices have rank n (which a compiled
    function assumes), and are empty otherwise.  The solution is the pseudoinverse times B, for all
    drivers; so is its gradient.
    """
    a, b = as_matrices("lstsq", A), as_real("lstsq", B)
    same_types("lstsq", a, b)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise ArgumentError(
            f"linalg.lstsq got driver={driver!r}", "use gels, gelsy, gelsd or gelss"
        )
    tolerance = None if rcond is None or rcond < 0 else float(rcond)
    matrices, columns, vectors = _least_columns(a, b)
    solution = pinv(matrices, rtol=tolerance).matmul(columns)
    empty = structure.broadcast_to(as_operand(0.0, a.dtype.to_real()), (0,))
    rank, sizes = structure.broadcast_to(as_operand(0, int64), (0,)), empty
    m, n = a.shape[-2:]
    full = m > n
    if driver != "gels":
        rank = matrix_rank(a, rtol=tolerance)
        if full and not is_tracing():
            full = bool((rank.array() == n).all())
    if driver in ("gelsd", "gelss"):
        sizes = svdvals(a.detach())
    residuals = empty
    if full and driver in ("gels", "gelsd", "gelss"):
        residuals = (matrices.matmul(solution) - columns).abs().square().sum(-2)
    return LeastSquares(solution.squeeze(-1) if vectors else solution, residuals, rank, sizes)


# ---- few parts of a matrix -----------------------------------------------------------------------


def _range(a: Any, q: int, niter: int, mean: Any) -> Any:
    """Orthonormal columns that span nearly what the q largest singular values do."""

    def forward(x: Any) -> Any:
        found = a.matmul(x)
        return found if mean is None else found - mean.matmul(x)

    def backward(x: Any) -> Any:
        found = a.mH.matmul(x)
        return found if mean is None else found - mean.mH.matmul(x)

    found = qr(forward(randn(*a.shape[:-2], a.shape[-1], q, dtype=a.dtype))).Q
    for _ in range(niter):
        found = qr(backward(found)).Q
        found = qr(forward(found)).Q
    return found


@clear
def svd_lowrank(
    A: Tensor,  # noqa: N803
    q: int = 6,
    niter: int = 2,
    M: Tensor | None = None,  # noqa: N803
) -> SingularFactors:
    """Nearly the ``q`` largest parts of A ≈ U diag(S) Vᵀ: (…, m, n) → (…, m, q), (…, q), (…, n, q).

    A random range is multiplied ``niter`` times by A and Aᴴ, and A is taken apart within it; with
    ``M``, broadcast to A's shape, A − M is.  (Halko, Martinsson and Tropp, 2009, algorithm 5.1.)
    """
    a = as_matrices("svd_lowrank", A)
    if not 0 <= q <= min(a.shape[-2:]):
        raise ArgumentError(
            f"svd_lowrank got q={q} for matrices {tuple(a.shape)}", "use 0 to min(m, n)"
        )
    if not 0 <= niter <= 1 << 20:
        raise ArgumentError(f"svd_lowrank got niter={niter}", "use 0 or more, up to 2^20")
    mean = None if M is None else structure.broadcast_to(as_matrices("svd_lowrank", M), a.shape)
    wide = a.shape[-2] < a.shape[-1]
    if wide:
        a, mean = a.mH, None if mean is None else mean.mH
    span = _range(a, q, niter, mean)
    inner = span.mH.matmul(a if mean is None else a - mean)
    u, s, vh = svd(inner, full_matrices=False)
    u, v = span.matmul(u), vh.mH
    return SingularFactors(v, s, u) if wide else SingularFactors(u, s, v)


@clear
def pca_lowrank(
    A: Tensor,  # noqa: N803
    q: int | None = None,
    center: bool = True,
    niter: int = 2,
) -> SingularFactors:
    """Nearly the ``q`` main components of rows A (…, m, n): U (…, m, q), S (…, q), V (…, n, q).

    The columns of V are the components, S² / (m − 1) the variances along them; ``q`` is by default
    min(6, m, n).  With ``center`` the mean row is taken away first.  See ``svd_lowrank``.
    """
    a = as_matrices("pca_lowrank", A)
    m, n = a.shape[-2:]
    count = min(6, m, n) if q is None else q
    if not 0 <= count <= min(m, n):
        raise ArgumentError(
            f"pca_lowrank got q={q} for matrices {tuple(a.shape)}", "use 0 to min(m, n)"
        )
    return svd_lowrank(a - a.mean(-2, True) if center else a, count, niter)


def lobpcg(
    A: Tensor,  # noqa: N803
    k: int | None = None,
    B: Tensor | None = None,  # noqa: N803
    X: Tensor | None = None,  # noqa: N803
    n: int | None = None,
    iK: Tensor | None = None,  # noqa: N803
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
) -> Eigen:
    """The ``k`` largest (or smallest) eigenvalues of A x = λ B x, and their vectors as columns.

    A (…, m, m) is symmetric, B symmetric positive definite (by default 1); with B = L Lᵀ they are
    those of L⁻¹ A L⁻ᵀ, which ``eigh`` takes apart as a whole: what only guides an iteration
    (``n``, ``iK``, ``niter``, ``tol``, ``method``, and the values of ``X``, whose number of columns
    is the default of ``k``) has no effect.  Raises as PyTorch where m < 3 k.
    """
    a = as_matrices("lobpcg", A, square=True)
    count = k if k is not None else 1 if X is None else X.shape[-1]
    if count < 1 or a.shape[-1] < 3 * count:
        raise ArgumentError(
            f"lobpcg got k={count} for matrices {tuple(a.shape)}",
            "it needs at least three times as many rows as eigenvalues; use linalg.eigh",
        )
    lower = None if B is None else cholesky(B)
    if lower is not None:
        half = factoring.solve_triangular
        a, lower = batches_together("lobpcg", a, lower)
        a = half(lower, half(lower, a, False).mH, False)
    values, vectors = eigh((a + a.mH) / 2)
    if lower is not None:
        vectors = factoring.solve_triangular(lower.mH, vectors, True)
    if largest is None or largest:
        values, vectors = values.flip(-1), vectors.flip(-1)
    return Eigen(values.narrow(-1, 0, count), vectors.narrow(-1, 0, count))


__all__ = ["lobpcg", "lstsq", "matrix_rank", "pca_lowrank", "pinv", "svd_lowrank"]
