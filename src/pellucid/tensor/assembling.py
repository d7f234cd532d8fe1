"""Functions that put tensors together, take them apart, or make positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from pellucid.base.dtypes import DTypeLike, as_dtype, int64
from pellucid.base.errors import ArgumentError
from pellucid.base.shapes import normalize_axis
from pellucid.ops import indexing, structure
from pellucid.ops.registry import apply
from pellucid.ops.views import UNFOLD
from pellucid.tensor.arguments import Extents
from pellucid.tensor.core import TensorCore, lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_operand, together
from pellucid.tensor.shaping import (
    ShapingMethods,
    _extents,
    as_copy,
    as_view,
    cat,
    meshgrid,
)


class AssemblingMethods(ShapingMethods):
    """Rearrangements composed of the basic ones."""

    __slots__ = ()

    def ravel(self) -> Tensor:
        """All elements in one line, in the order of their indices."""
        return as_view(structure.reshape(self, (-1,)), self)

    swapdims = ShapingMethods.transpose
    moveaxis = ShapingMethods.movedim

    def fliplr(self) -> Tensor:
        """Axis 1 read backwards: the columns of a matrix in reverse order."""
        return as_copy(structure.flip(self, (1,)), self)

    def flipud(self) -> Tensor:
        """Axis 0 read backwards: the rows of a matrix in reverse order."""
        return as_copy(structure.flip(self, (0,)), self)

    def rot90(self, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
        """Turned by k quarter turns from axis ``dims[0]`` towards ``dims[1]``."""
        a, b = dims
        turns = k % 4
        turned = self
        if turns == 1:
            turned = structure.flip(self, (b,)).transpose(a, b)
        elif turns == 2:
            turned = structure.flip(self, (a, b))
        elif turns == 3:
            turned = structure.flip(self.transpose(a, b), (b,))
        return as_copy(turned, self)

    def tensor_split(
        self, indices_or_sections: int | Sequence[int], dim: int = 0
    ) -> tuple[Tensor, ...]:
        """In n parts whose sizes differ by at most one, or cut at the given positions."""
        axis = normalize_axis(dim, len(self.shape))
        extent = self.shape[axis]
        if isinstance(indices_or_sections, int):
            n = indices_or_sections
            sizes = [extent // n + (1 if i < extent % n else 0) for i in range(n)]
            edges = [sum(sizes[:i]) for i in range(n + 1)]
        else:
            cuts = [min(max(c + extent if c < 0 else c, 0), extent) for c in indices_or_sections]
            edges = [0, *cuts, extent]
        pairs = zip(edges[:-1], edges[1:], strict=True)
        return tuple(self.narrow(axis, a, max(b - a, 0)) for a, b in pairs)

    def diag_embed(self, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
        """The last axis as a diagonal of new axes ``dim1`` and ``dim2``, zeros around it."""
        n = self.shape[-1]
        size = n + abs(offset)
        rows = np.arange(n) + max(-offset, 0)
        flat = structure.broadcast_to(as_operand(0, self.dtype), (*self.shape[:-1], size * size))
        place = lift(rows * size + np.arange(n) + max(offset, 0))
        axis = len(self.shape) - 1
        filled = indexing.put(flat, place, self, axis, "set")
        square = structure.reshape(filled, (*self.shape[:-1], size, size))
        rank = len(square.shape)
        a, b = normalize_axis(dim1, rank), normalize_axis(dim2, rank)
        if a == b:
            raise ArgumentError(
                f"diag_embed got dim1={dim1} and dim2={dim2}, one axis", "give two axes"
            )
        order = list(range(rank - 2))
        for where, source in sorted(((a, rank - 2), (b, rank - 1))):
            order.insert(where, source)
        return structure.transpose(square, order)

    def diagflat(self, offset: int = 0) -> Tensor:
        """All elements as the diagonal of a square matrix."""
        return structure.reshape(self, (-1,)).diag(offset)

    def unfold(self, dimension: int, size: int, step: int) -> Tensor:
        """Windows of ``size`` elements every ``step`` along an axis; the window is the last axis.

        Shape: (A..., N, B...) → (A..., (N − size) // step + 1, B..., size).
        """
        axis = normalize_axis(dimension, len(self.shape))
        extent = self.shape[axis]
        if not 0 <= size <= extent or step < 1:
            raise ArgumentError(
                f"unfold(size={size}, step={step}) on an axis of extent {extent}",
                "windows must fit and the step be positive",
            )
        return apply(UNFOLD, self, axis=axis, size=size, step=step)

    def sum_to_size(self, *size: Extents) -> Tensor:
        """Summed over the axes along which ``size`` would be stretched to this shape."""
        shape = _extents(size)
        lead = len(self.shape) - len(shape)
        axes = [i for i, n in enumerate(self.shape) if i < lead or shape[i - lead] != n]
        return structure.reshape(structure.sum(self, axes) if axes else self, shape)


@overload
def atleast_1d(tensor: Tensor, /) -> Tensor: ...
@overload
def atleast_1d(tensors: Sequence[Tensor], /) -> tuple[Tensor, ...]: ...
@overload
def atleast_1d(*tensors: Tensor) -> tuple[Tensor, ...]: ...
def atleast_1d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Tensors with at least one axis."""
    return _each(tensors, lambda t: t if t.shape else t.reshape(1))


@overload
def atleast_2d(tensor: Tensor, /) -> Tensor: ...
@overload
def atleast_2d(tensors: Sequence[Tensor], /) -> tuple[Tensor, ...]: ...
@overload
def atleast_2d(*tensors: Tensor) -> tuple[Tensor, ...]: ...
def atleast_2d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Tensors with at least two axes; a vector becomes a row."""
    return _each(tensors, lambda t: t if len(t.shape) > 1 else t.reshape(1, -1))


@overload
def atleast_3d(tensor: Tensor, /) -> Tensor: ...
@overload
def atleast_3d(tensors: Sequence[Tensor], /) -> tuple[Tensor, ...]: ...
@overload
def atleast_3d(*tensors: Tensor) -> tuple[Tensor, ...]: ...
def atleast_3d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Tensors with at least three axes: (N,) → (1, N, 1), (M, N) → (M, N, 1)."""

    def grown(t: Any) -> Any:
        if len(t.shape) > 2:
            return t
        return t.unsqueeze(-1) if len(t.shape) == 2 else t.reshape(1, -1, 1)

    return _each(tensors, grown)


def _each(tensors: Sequence[Any], change: Any) -> Any:
    listed = list(tensors[0]) if len(tensors) == 1 and not _tensor(tensors[0]) else list(tensors)
    changed = tuple(change(t) for t in listed)
    return changed[0] if len(tensors) == 1 and _tensor(tensors[0]) else changed


def _tensor(value: object) -> bool:
    return isinstance(value, TensorCore)


@takes_out
def hstack(
    tensors: Sequence[Tensor],
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Joined side by side: along axis 1, vectors along axis 0."""
    grown = atleast_1d(list(tensors))
    return cat(grown, 0 if len(grown[0].shape) == 1 else 1)


@takes_out
def vstack(
    tensors: Sequence[Tensor],
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Joined one below the other: along axis 0; vectors are rows."""
    return cat(atleast_2d(list(tensors)), 0)


@takes_out
def dstack(
    tensors: Sequence[Tensor],
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Joined along axis 2."""
    return cat(atleast_3d(list(tensors)), 2)


@takes_out
def column_stack(
    tensors: Sequence[Tensor],
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Vectors as the columns of a matrix; matrices side by side."""
    return cat([t if len(t.shape) > 1 else t.reshape(-1, 1) for t in tensors], 1)


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices along the diagonal of a large one, zeros elsewhere."""
    blocks = list(atleast_2d(list(together(*tensors))))
    total = sum(b.shape[1] for b in blocks)
    rows, before = [], 0
    for block in blocks:
        after = total - before - block.shape[1]
        rows.append(structure.pad(block, (0, before), (0, after), fill=_zero(block)))
        before += block.shape[1]
    return cat(rows, 0)


def _zero(tensor: Any) -> Any:
    return as_operand(0, tensor.dtype)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of the elements of several vectors, one a row."""
    if len(tensors) == 1:
        return tensors[0]
    return column_stack([g.reshape(-1) for g in meshgrid(*tensors)])


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of ``r`` elements of a vector in its order, one a row."""
    if r < 0:
        raise ArgumentError(f"combinations got r={r}", "use 0 or more")
    n = input.shape[0]
    grid = np.indices((n,) * r).reshape(r, -1).T  # (r, n, …) -> (n^r, r)
    steps = np.diff(grid, axis=1)
    kept = grid[(steps >= (0 if with_replacement else 1)).all(1)]
    return indexing.take(input, lift(kept.astype(np.int64)), 0)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: DTypeLike | None = None) -> Tensor:
    """Positions (2, count) of the lower triangle of a (row, col) matrix, row by row."""
    found = np.stack(np.tril_indices(row, offset, col))
    return lift(found.astype(as_dtype(dtype or int64).numpy))


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: DTypeLike | None = None) -> Tensor:
    """Positions (2, count) of the upper triangle of a (row, col) matrix, row by row."""
    found = np.stack(np.triu_indices(row, offset, col))
    return lift(found.astype(as_dtype(dtype or int64).numpy))
