"""Norms, products and inverses of vectors and matrices (``pellucid.linalg``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.base.shapes import normalize_axis
from pellucid.ops import elementwise, structure
from pellucid.tensor.arguments import Axes
from pellucid.tensor.arithmetic import constant_like
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import as_float, as_operand, together
from pellucid.tensor.solving import cholesky as cholesky
from pellucid.tensor.solving import det as det
from pellucid.tensor.solving import inv as inv
from pellucid.tensor.solving import matrix_exp as matrix_exp
from pellucid.tensor.solving import pinv as pinv
from pellucid.tensor.solving import slogdet as slogdet
from pellucid.tensor.solving import solve as solve


def vector_norm(x: Tensor, ord: float = 2, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """(Σ|x|^ord)^(1/ord) over ``dim`` (all axes by default); ±inf: largest, smallest |x|."""
    return as_float(x).norm(ord, dim, keepdim)


def matrix_norm(
    A: Tensor,  # noqa: N803  (PyTorch's name)
    ord: float | str = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
) -> Tensor:
    """Norm of the matrices in axes ``dim``: "fro", ±1 (column sums), ±inf (row sums)."""
    x = as_float(A)
    rows, columns = (normalize_axis(d, len(x.shape)) for d in dim)
    if ord == "fro":
        return x.norm(2, (rows, columns), keepdim)
    if ord not in (1, -1, math.inf, -math.inf):
        raise ArgumentError(
            f"matrix_norm got ord={ord!r}", 'use "fro", 1, -1, inf or -inf: sums need no factors'
        )
    inner, outer = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = x.abs().sum(inner, keepdim=True)
    found = sums.amax(outer, True) if ord > 0 else sums.amin(outer, True)
    return found if keepdim else found.squeeze((rows, columns))


def norm(
    A: Tensor, ord: float | str | None = None, dim: Axes = None, keepdim: bool = False
) -> Tensor:  # noqa: N803
    """A vector norm, or, for a pair of axes (or a matrix with ``ord``), a matrix norm."""
    pair = dim is not None and not isinstance(dim, int) and len(dim) == 2
    if ord is not None and (pair or (dim is None and len(A.shape) == 2)):
        axes = (-2, -1) if dim is None or isinstance(dim, int) else dim
        return matrix_norm(A, ord, axes, keepdim)
    if isinstance(ord, str):
        raise ArgumentError(f"a vector has no norm {ord!r}", "use a number, inf or -inf")
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The vector product along an axis of extent 3; the other axes broadcast."""
    a, b = together(input, other)
    if a.shape[dim] != 3 or b.shape[dim] != 3:
        raise ShapeError(
            f"cross got extents {a.shape[dim]} and {b.shape[dim]} along axis {dim}",
            "the vector product exists for vectors of 3 components",
        )
    axis = dim if dim < 0 else dim - max(len(a.shape), len(b.shape))
    first = a.roll(-1, axis) * b.roll(-2, axis)
    return first - a.roll(-2, axis) * b.roll(-1, axis)


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
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


def matrix_power(A: Tensor, n: int) -> Tensor:  # noqa: N803
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


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Σ x · y along ``dim``."""
    return (x * y).sum(dim)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """p-norm distances of all pairs of rows: (..., M, D), (..., N, D) → (..., M, N).

    ``compute_mode`` is accepted and changes nothing: differences are always taken.
    """
    if p < 0:
        raise ArgumentError(f"cdist got p={p}", "use 0 or more")
    a, b = (as_float(t) for t in together(x1, x2))
    return distances(a.unsqueeze(-2) - b.unsqueeze(-3), p)


def distances(difference: Any, p: float) -> Any:
    """p-norms over the last axis; for p = ∞ each of several largest |x| gets the whole gradient."""
    if p != math.inf:
        return difference.norm(p, -1)
    size = difference.abs()
    largest = size.detach().amax(-1, True)
    hit = size.eq(largest).logical_and(largest.isfinite())
    carried = elementwise.where(hit, size - size.detach(), as_operand(0.0, size.dtype)).sum(-1)
    return largest.squeeze(-1) + carried


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


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:  # noqa: N803
    """Powers of a vector as columns: x^(N−1) … x⁰, or x⁰ … x^(N−1) if ``increasing``."""
    if len(x.shape) != 1:
        raise ShapeError(f"vander got shape {tuple(x.shape)}", "it needs a vector")
    count = x.shape[0] if N is None else N
    powers = range(count) if increasing else range(count - 1, -1, -1)
    columns = [x.pow(k).unsqueeze(1) for k in powers]
    return structure.concatenate(columns, 1)


__all__ = [
    "cdist",
    "cholesky",
    "cross",
    "det",
    "distances",
    "inv",
    "kron",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "multi_dot",
    "norm",
    "pinv",
    "slogdet",
    "solve",
    "vander",
    "vecdot",
    "vector_norm",
]


def __dir__() -> list[str]:
    return sorted(__all__)
