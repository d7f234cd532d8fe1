"""What operations with several results return: named tuples, as in PyTorch."""

from __future__ import annotations

from typing import NamedTuple

from pellucid.tensor.interface import Tensor


class ValuesIndices(NamedTuple):
    """Elements and their positions along the axis (int64)."""

    values: Tensor
    indices: Tensor


class Extremes(NamedTuple):
    """Smallest and largest elements."""

    min: Tensor
    max: Tensor


class Histogram(NamedTuple):
    """Counts of the parts, and the edges between them."""

    hist: Tensor
    bin_edges: Tensor


class Fraction(NamedTuple):
    """A floating-point number in two parts: mantissa · 2^exponent."""

    mantissa: Tensor
    exponent: Tensor


class SignLog(NamedTuple):
    """A determinant as its sign and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


class SingularValues(NamedTuple):
    """A = U diag(S) Vh, as ``linalg.svd`` returns it."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class SingularFactors(NamedTuple):
    """A = U diag(S) Vᵀ, as ``svd`` returns it."""

    U: Tensor
    S: Tensor
    V: Tensor


class Eigen(NamedTuple):
    """Eigenvalues and, as columns, eigenvectors."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class OrthogonalTriangular(NamedTuple):
    """A = Q R, Q orthogonal and R upper triangular."""

    Q: Tensor
    R: Tensor


class Reflectors(NamedTuple):
    """Q as reflections, below the diagonal of R, and their factors."""

    a: Tensor
    tau: Tensor


class LowerUpper(NamedTuple):
    """A = P L U."""

    P: Tensor
    L: Tensor
    U: Tensor


class PackedLowerUpper(NamedTuple):
    """L and U in one array, and the exchanges of rows (int32, from 1 on)."""

    LU: Tensor
    pivots: Tensor


class CheckedLowerUpper(NamedTuple):
    """L and U in one array, the exchanges of rows, and where U has a zero (0: nowhere)."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


class PackedSymmetric(NamedTuple):
    """A = L D Lᵀ in one array, and the exchanges of rows and columns (int32, from 1 on)."""

    LD: Tensor
    pivots: Tensor


class CheckedSymmetric(NamedTuple):
    """A = L D Lᵀ in one array, the exchanges, and where D has a zero (0: nowhere)."""

    LD: Tensor
    pivots: Tensor
    info: Tensor


class CheckedFactor(NamedTuple):
    """A factor of Cholesky, and the order of the first minor that is not positive (0: none)."""

    L: Tensor
    info: Tensor


class CheckedInverse(NamedTuple):
    """An inverse, and the first pivot that is 0 (0: none)."""

    inverse: Tensor
    info: Tensor


class CheckedSolution(NamedTuple):
    """A solution, and the first pivot that is 0 (0: none)."""

    result: Tensor
    info: Tensor


class LeastSquares(NamedTuple):
    """Solution, sums of squares of what is left, ranks and singular values."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


class TriangularSolution(NamedTuple):
    """Solution, and a copy of the matrix."""

    solution: Tensor
    cloned_coefficient: Tensor
