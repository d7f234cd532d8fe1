"""Norms of vectors and matrices, conditions, distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from pellucid.base.dtypes import DTypeLike, as_dtype
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.base.shapes import normalize_axis
from pellucid.ops import elementwise
from pellucid.tensor.arguments import Axes
from pellucid.tensor.factoring import svdvals
from pellucid.tensor.interface import Tensor
from pellucid.tensor.matrices import as_matrices
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_float, as_operand, together
from pellucid.tensor.solving import inv_ex


def _prepared(name: str, value: Any, dtype: DTypeLike | None) -> Any:
    """The tensor in the dtype in which to compute; of floating point, narrow types too."""
    x = as_operand(value)
    if not x.dtype.is_floating_point:
        raise DTypeError(
            f"linalg.{name} expected a floating point tensor and got {x.dtype.name}",
            "convert it with .float() or .double()",
        )
    if dtype is None:
        return x
    wanted = as_dtype(dtype)
    if not wanted.is_floating_point or wanted.itemsize < x.dtype.itemsize:
        raise DTypeError(
            f"linalg.{name} got dtype={wanted.name} for a tensor of {x.dtype.name}",
            "give a floating point type that is not narrower",
        )
    return elementwise.cast(x, wanted)


@takes_out
def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: Axes = None,
    keepdim: bool = False,
    *,
    dtype: DTypeLike | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """(Σ|x|^ord)^(1/ord) over ``dim`` (all axes by default); ±inf: largest, smallest |x|; 0: how
    many are not 0.

    The gradient where the norm is 0 is 0.  ``dtype`` is what x is converted to first.
    """
    if isinstance(ord, str) or isinstance(ord, bool):
        raise ArgumentError(f"linalg.vector_norm got ord={ord!r}", "use a number, inf or -inf")
    found = _prepared("vector_norm", x, dtype).norm(ord, dim, keepdim)
    return cast(Tensor, found)


@takes_out
def matrix_norm(
    A: Tensor,  # noqa: N803  (PyTorch's name)
    ord: float | str = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DTypeLike | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Norm of the matrices in axes ``dim``.

    "fro": √Σ|a|²; "nuc", 2, −2: sum of the singular values, the largest, the smallest; ±1, ±inf:
    largest or smallest sum of |a| over a column, or over a row.
    """
    x = _prepared("matrix_norm", A, dtype)
    if len(x.shape) < 2 or isinstance(dim, int) or len(dim) != 2:
        raise ShapeError(
            f"linalg.matrix_norm got a tensor of shape {tuple(x.shape)} and dim={dim!r}",
            "it needs matrices, and dim is a pair of axes: a 2-tuple",
        )
    rows, columns = (normalize_axis(d, len(x.shape)) for d in dim)
    if rows == columns:
        raise ArgumentError(f"linalg.matrix_norm got dim={dim!r}", "dims must be different")
    if ord == "fro":
        return cast(Tensor, x.norm(2, (rows, columns), keepdim))
    if ord in ("nuc", 2, -2):
        return _spectral(x, ord, (rows, columns), keepdim)
    if ord not in (1, -1, math.inf, -math.inf):
        raise ArgumentError(
            f"linalg.matrix_norm: order {ord!r} is not supported",
            'use "fro", "nuc", 1, -1, 2, -2, inf or -inf',
        )
    inner, outer = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = x.abs().sum(inner, keepdim=True)
    if ord < 0:
        found = sums.amin(outer, True)
    else:  # of nothing it is 0
        found = sums.amax(outer, True) if sums.shape[outer] else sums.sum(outer, keepdim=True)
    return cast(Tensor, found if keepdim else found.squeeze((rows, columns)))


def _spectral(x: Any, ord: float | str, axes: tuple[int, int], keepdim: bool) -> Tensor:
    """Norms that singular values say."""
    sizes = svdvals(as_matrices("matrix_norm", x).movedim(axes, (-2, -1)))
    if ord == "nuc" or (ord == 2 and not sizes.shape[-1]):
        found = sizes.sum(-1)
    else:
        found = sizes.amax(-1) if ord == 2 else sizes.amin(-1)
    if keepdim:
        for axis in sorted(axes):
            found = found.unsqueeze(axis)
    return found


@takes_out
def norm(
    A: Tensor,  # noqa: N803
    ord: float | str | None = None,
    dim: Axes = None,
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
    dtype: DTypeLike | None = None,
) -> Tensor:
    """A vector norm, or, for a pair of axes (or a matrix with ``ord``), a matrix norm.

    Without ``ord`` it is √Σ|a|² over ``dim``, by default over all axes.
    """
    rank = len(as_operand(A).shape)
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and rank not in (1, 2):
        raise ShapeError(
            f"linalg.norm got ord={ord!r} and a tensor of shape {tuple(A.shape)}",
            "without dim the input must be 1D or 2D",
        )
    axes = tuple(range(rank)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if len(axes) == 2:
        return matrix_norm(A, ord, axes, keepdim, dtype=dtype)
    if isinstance(ord, str):
        raise ArgumentError(
            f"linalg.norm got ord={ord!r} and dim={dim!r}: a vector has no such norm",
            "use a number, inf or -inf, or a pair of axes",
        )
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


@takes_out
def cond(
    A: Tensor,  # noqa: N803
    p: float | str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """‖A‖ · ‖A⁻¹‖ of matrices (…, m, n) → (…): how much a solution multiplies errors.

    ``p`` is the ``ord`` of ``matrix_norm``.  2 (the default) and −2 are the quotients of the
    largest and the smallest singular value; all others are for square matrices, ∞ for singular
    ones.
    """
    a = as_matrices("cond", A)
    if p in (None, 2, -2):
        sizes = svdvals(a)
        if not sizes.shape[-1]:
            return sizes.sum(-1)
        largest, smallest = sizes.amax(-1), sizes.amin(-1)
        return smallest / largest if p == -2 else largest / smallest
    as_matrices(f"cond(ord={p})", a, square=True)
    if not a.shape[-1]:
        return a.sum((-2, -1))
    inverse, info = inv_ex(a)
    found = matrix_norm(a, cast(float, p)) * matrix_norm(_finite(inverse, info), cast(float, p))
    return found.masked_fill(info.ne(0), math.inf)


def _finite(inverse: Any, info: Any) -> Any:
    return inverse.masked_fill(info.ne(0).unsqueeze(-1).unsqueeze(-1), 0.0)


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


def nuclear_norm(input: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """The sum of the singular values of the matrices in two axes, by default of a matrix."""
    if dim is None and len(input.shape) != 2:
        raise ShapeError(
            f"nuclear_norm got a tensor of shape {tuple(input.shape)}", "name a pair of axes: dim"
        )
    return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim)


__all__ = [
    "cdist",
    "cond",
    "distances",
    "matrix_norm",
    "norm",
    "nuclear_norm",
    "vector_norm",
]
