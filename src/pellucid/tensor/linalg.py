"""Norms, products, factors and inverses of vectors and matrices (``pellucid.linalg``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from pellucid.base.boundary import clear
from pellucid.base.errors import ArgumentError, LinAlgError, ShapeError
from pellucid.base.shapes import normalize_axis
from pellucid.ops import structure
from pellucid.tensor.arithmetic import constant_like
from pellucid.tensor.factoring import (
    eig,
    eigh,
    eigvals,
    eigvalsh,
    householder_product,
    ldl_factor,
    ldl_factor_ex,
    ldl_solve,
    lu,
    lu_factor,
    lu_factor_ex,
    lu_solve,
    qr,
    svd,
    svdvals,
)
from pellucid.tensor.interface import Tensor
from pellucid.tensor.least_squares import lstsq, matrix_rank, pinv
from pellucid.tensor.norms import cond, matrix_norm, norm, vector_norm
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_number, as_operand, together
from pellucid.tensor.solving import (
    cholesky,
    cholesky_ex,
    det,
    inv,
    inv_ex,
    matrix_exp,
    slogdet,
    solve,
    solve_ex,
    solve_triangular,
)


@takes_out
def cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """The vector product along an axis of extent 3; the other axes broadcast."""
    a, b = together(input, other)
    if len(a.shape) != len(b.shape):
        raise ShapeError(
            f"linalg.cross got shapes {tuple(a.shape)} and {tuple(b.shape)}",
            "inputs must have the same number of dimensions",
        )
    if a.shape[dim] != 3 or b.shape[dim] != 3:
        raise ShapeError(
            f"linalg.cross got extents {a.shape[dim]} and {b.shape[dim]} along axis {dim}",
            "the vector product exists for vectors of 3 components: inputs of length 3",
        )
    axis = normalize_axis(dim, len(a.shape))
    first = a.roll(-1, axis) * b.roll(-2, axis)
    return first - a.roll(-2, axis) * b.roll(-1, axis)


@takes_out
def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """The product of several matrices, multiplied in the order that needs the least work."""
    if len(tensors) < 2:
        raise ArgumentError(f"multi_dot got {len(tensors)} tensors", "give at least two")
    sizes = [t.shape[0] if len(t.shape) == 2 else 1 for t in tensors]
    sizes.append(tensors[-1].shape[-1] if len(tensors[-1].shape) == 2 else 1)
    count = len(tensors)
    cost = [[0.0] * count for _ in range(count)]
    split = [[0] * count for _ in range(count)]
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = [
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            cost[i][j], split[i][j] = min(options)

    def product(i: int, j: int) -> Any:
        if i == j:
            return tensors[i]
        return product(i, split[i][j]).matmul(product(split[i][j] + 1, j))

    return product(0, count - 1)


@takes_out
def matrix_power(
    A: Tensor,  # noqa: N803
    n: int,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """A · A · … (n times) by repeated squaring; for n < 0 of the inverse."""
    if len(A.shape) < 2 or A.shape[-1] != A.shape[-2]:
        raise ShapeError(
            f"matrix_power got a tensor of shape {tuple(A.shape)}", "it needs square matrices"
        )
    if n < 0:
        return matrix_power(inv(A), -n)
    if n == 0:
        return constant_like(A, 1).tril().triu()
    result, square = None, A
    while n:
        if n & 1:
            result = square if result is None else result.matmul(square)
        n >>= 1
        square = square.matmul(square) if n else square
    return A if result is None else result


@takes_out
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Σ x̄ · y along ``dim``; the other axes broadcast.

    Complex numbers of the first are conjugated.
    """
    a, b = together(x, y)
    if not a.shape or not b.shape or a.shape[dim] != b.shape[dim]:
        raise ShapeError(
            f"linalg.vecdot got shapes {tuple(a.shape)} and {tuple(b.shape)}",
            f"the extents along axis {dim} must be equal",
        )
    return (a.conj() * b).sum(dim, dtype=a.dtype)


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Every element of ``input`` times the whole of ``other``, as blocks (Kronecker)."""
    a, b = together(input, other)
    rank = max(len(a.shape), len(b.shape))
    left = structure.reshape(a, (1,) * (rank - len(a.shape)) + tuple(a.shape))
    right = structure.reshape(b, (1,) * (rank - len(b.shape)) + tuple(b.shape))
    wide = structure.reshape(left, [e for n in left.shape for e in (n, 1)])
    narrow = structure.reshape(right, [e for n in right.shape for e in (1, n)])
    shape = [m * n for m, n in zip(left.shape, right.shape, strict=True)]
    return structure.reshape(wide * narrow, shape)


@clear
def vander(x: Tensor, N: int | None = None) -> Tensor:  # noqa: N803
    """Powers x⁰, x¹ … x^(N−1) of the elements of vectors as columns: (…, n) → (…, n, N).

    N is by default n.  (``pellucid.vander`` has them in descending order.)
    """
    numbers = as_number(x)
    numbers = numbers if numbers.shape else numbers.unsqueeze(0)
    count = numbers.shape[-1] if N is None else N
    if count <= 1:
        raise ArgumentError(
            f"linalg.vander got a tensor of shape {tuple(numbers.shape)} and N={N}",
            "N, by default the length of the vectors, must be greater than 1",
        )
    return _powers(numbers, count)


def _powers(x: Any, count: int) -> Any:
    """x⁰ … x^(count − 1) along a new last axis."""
    one = constant_like(x, 1).unsqueeze(-1)
    if count < 2:
        return one.narrow(-1, 0, count)
    factors = structure.broadcast_to(x.unsqueeze(-1), (*x.shape, count - 1))
    return structure.concatenate([one, factors], len(x.shape)).cumprod(-1)


@clear
def descending_vander(
    x: Tensor,
    N: int | None = None,  # noqa: N803
    increasing: bool = False,
) -> Tensor:
    """Powers of a vector as columns: x^(N−1) … x⁰, or x⁰ … x^(N−1) if ``increasing``."""
    numbers = as_number(x)
    if len(numbers.shape) != 1:
        raise ShapeError(f"vander got shape {tuple(numbers.shape)}", "it needs a vector: 1-D")
    count = numbers.shape[0] if N is None else N
    if count < 0:
        raise ArgumentError(f"vander got N={N}", "N must be non-negative")
    found = _powers(numbers, count)
    return cast(Tensor, found if increasing else found.flip(-1))


@clear
def diagonal(
    A: Tensor,  # noqa: N803
    *,
    offset: int = 0,
    dim1: int = -2,
    dim2: int = -1,
) -> Tensor:
    """The diagonals of the matrices in two axes, as a view with the diagonal as last axis."""
    return A.diagonal(offset, dim1, dim2)


@takes_out
def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The matrix product; see :meth:`Tensor.matmul`."""
    return as_operand(input).matmul(other)


@takes_out
def tensorinv(
    A: Tensor,  # noqa: N803
    ind: int = 2,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The inverse of A as a map from its last axes to its first ``ind``: for every T of the shape
    of the first, ``tensordot(tensorinv(A), T, ind)`` solves ``tensordot(A, X, X.ndim) = T``.

    Both groups of axes have the same number of elements.
    """
    if ind <= 0:
        raise ArgumentError(f"linalg.tensorinv got ind={ind}", "use a strictly positive integer")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if math.prod(first) != math.prod(last):
        raise ShapeError(
            f"linalg.tensorinv got a tensor of shape {tuple(A.shape)} and ind={ind}",
            f"the first {ind} axes and the others must have as many elements",
        )
    size = math.prod(first)
    return cast(Tensor, structure.reshape(inv(A.reshape(size, size)), (*last, *first)))


@takes_out
def tensorsolve(
    A: Tensor,  # noqa: N803
    B: Tensor,  # noqa: N803
    dims: Sequence[int] | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """X with ``tensordot(A, X, X.ndim) = B``, after the axes ``dims`` of A were moved to its end.

    With A of shape (*B.shape, *X.shape), both of as many elements.
    """
    a, b = as_operand(A), as_operand(B)
    if dims is not None:
        axes = [normalize_axis(d, len(a.shape)) for d in dims]
        a = a.movedim(axes, list(range(len(a.shape) - len(axes), len(a.shape))))
    shape = tuple(a.shape[len(b.shape) :])
    size = math.prod(shape)
    if math.prod(a.shape) != size * size or math.prod(b.shape) != size:
        raise ShapeError(
            f"linalg.tensorsolve got A {tuple(a.shape)} and B {tuple(b.shape)}",
            "the axes of A are those of B and then those of the result, with as many elements",
        )
    return cast(Tensor, structure.reshape(solve(a.reshape(size, size), b.reshape(size)), shape))


@takes_out
def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """The product of matrices in the order that needs the least work; see ``linalg.multi_dot``."""
    if len(matrices) == 1 and isinstance(matrices[0], Tensor):
        return matrices[0]
    return multi_dot(matrices)


__all__ = [
    "LinAlgError",
    "cholesky",
    "cholesky_ex",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "householder_product",
    "inv",
    "inv_ex",
    "kron",
    "ldl_factor",
    "ldl_factor_ex",
    "ldl_solve",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_ex",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]


def __dir__() -> list[str]:
    return sorted(__all__)
