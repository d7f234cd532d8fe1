"""Matrix products that add to something, and other products of vectors and matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base.errors import ScalarError, ShapeError
from pellucid.base.shapes import size_of
from pellucid.ops import contraction, structure
from pellucid.tensor import linalg
from pellucid.tensor.arithmetic import ArithmeticMethods
from pellucid.tensor.interface import Tensor
from pellucid.tensor.older import weighted_first
from pellucid.tensor.promotion import as_operand, together


class ProductMethods(ArithmeticMethods):
    """The matrix product and its relatives."""

    __slots__ = ()

    def matmul(self, other: Tensor | np.ndarray) -> Tensor:
        """Matrix product; vectors count as a row on the left and a column on the right.

        Shapes: (..., M, K) · (..., K, N) → (..., M, N); (K,) · (K,) → (); leading axes broadcast.
        """
        a, b = together(self, other)
        if not a.shape or not b.shape:
            raise ScalarError(
                f"matmul got shapes {tuple(a.shape)} and {tuple(b.shape)}",
                "use * for products with a scalar",
            )
        left = structure.reshape(a, (1, *a.shape)) if len(a.shape) == 1 else a
        right = structure.reshape(b, (*b.shape, 1)) if len(b.shape) == 1 else b
        if left.shape[-1] != right.shape[-2]:
            raise contraction.mismatch(a.shape, b.shape, vectors=True)
        if len(right.shape) == 2 and len(left.shape) > 2:
            # One product of a tall matrix instead of a batch of small ones.
            height = size_of(left.shape[:-1])
            rows = structure.reshape(left, (height, left.shape[-1]))  # (..., M, K) -> (...·M, K)
            tall = contraction.matmul(rows, right)
            product = structure.reshape(tall, (*left.shape[:-1], right.shape[-1]))
        else:
            product = contraction.matmul(left, right)
        if len(a.shape) == 1:
            product = structure.reshape(product, (*product.shape[:-2], product.shape[-1]))
        if len(b.shape) == 1:
            product = structure.reshape(product, product.shape[:-1])
        return product

    mm = bmm = mv = matmul

    def __matmul__(self, other: Tensor | np.ndarray) -> Tensor:
        return self.matmul(other)

    def __rmatmul__(self, other: Tensor | np.ndarray) -> Tensor:
        return as_operand(other).matmul(self)

    def dot(self, other: Tensor) -> Tensor:
        """Sum of the products of two vectors of equal length."""
        other = as_operand(other)
        if len(self.shape) != 1 or tuple(self.shape) != tuple(other.shape):
            raise ShapeError(
                f"dot got shapes {tuple(self.shape)} and {tuple(other.shape)}",
                "both must be vectors of equal length; use matmul for matrices",
            )
        return structure.sum(self * other)

    vdot = dot

    def inner(self, other: Tensor) -> Tensor:
        """Sums of products over the last axis of both: (..., K), (..., K) → (..., ...)."""
        other = as_operand(other)
        if not self.shape or not other.shape:
            return self * other
        rows = structure.reshape(self, (-1, self.shape[-1]))
        columns = structure.reshape(other, (-1, other.shape[-1]))
        product = rows.matmul(columns.T)
        return structure.reshape(product, (*self.shape[:-1], *other.shape[:-1]))

    def outer(self, other: Tensor) -> Tensor:
        """All products of two vectors' elements: (N,), (M,) → (N, M)."""
        return structure.reshape(self, (-1, 1)) * structure.reshape(other, (1, -1))

    ger = outer

    def addmm(
        self, mat1: Tensor, mat2: Tensor, *older: Tensor, beta: float = 1, alpha: float = 1
    ) -> Tensor:
        """beta · self + alpha · (mat1 @ mat2); ``self`` broadcasts."""
        if older:
            return weighted_first("addmm", self, (mat1, mat2, *older))
        return _weighted(self, beta) + _weighted(mat1.matmul(mat2), alpha)

    def addmv(
        self, mat: Tensor, vec: Tensor, *older: Tensor, beta: float = 1, alpha: float = 1
    ) -> Tensor:
        """beta · self + alpha · (mat @ vec): (n) or broadcast to it, (n, m), (m) → (n)."""
        if older:
            return weighted_first("addmv", self, (mat, vec, *older))
        return _weighted(self, beta) + _weighted(mat.matmul(vec), alpha)

    def addr(
        self, vec1: Tensor, vec2: Tensor, *older: Tensor, beta: float = 1, alpha: float = 1
    ) -> Tensor:
        """beta · self + alpha · outer(vec1, vec2)."""
        if older:
            return weighted_first("addr", self, (vec1, vec2, *older))
        return _weighted(self, beta) + _weighted(vec1.outer(vec2), alpha)

    def baddbmm(
        self, batch1: Tensor, batch2: Tensor, *older: Tensor, beta: float = 1, alpha: float = 1
    ) -> Tensor:
        """beta · self + alpha · (batch1 @ batch2), matrix by matrix."""
        if older:
            return weighted_first("baddbmm", self, (batch1, batch2, *older))
        return _weighted(self, beta) + _weighted(batch1.matmul(batch2), alpha)

    def addbmm(
        self, batch1: Tensor, batch2: Tensor, *older: Tensor, beta: float = 1, alpha: float = 1
    ) -> Tensor:
        """beta · self + alpha · Σ over the batch of batch1 @ batch2."""
        if older:
            return weighted_first("addbmm", self, (batch1, batch2, *older))
        return _weighted(self, beta) + _weighted(structure.sum(batch1.matmul(batch2), 0), alpha)

    def cross(self, other: Tensor, dim: int | None = None) -> Tensor:
        """The vector product along ``dim``, by default the first axis of extent 3."""
        axis = list(self.shape).index(3) if dim is None and 3 in self.shape else dim or 0
        return linalg.cross(self, other, dim=axis)

    def kron(self, other: Tensor) -> Tensor:
        """Every element times the whole of ``other``, as blocks."""
        return linalg.kron(self, other)

    def matrix_power(self, n: int) -> Tensor:
        """Square matrices (…, n, n) multiplied ``n`` times with themselves."""
        return linalg.matrix_power(self, n)


def _weighted(value: Any, factor: float) -> Any:
    return value if factor == 1 else value * factor
