"""Matrix products that add to something, and other products of vectors and matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base.errors import DTypeError, ScalarError, ShapeError
from pellucid.base.shapes import broadcast_shapes, size_of
from pellucid.ops import contraction, elementwise, structure
from pellucid.tensor import linalg
from pellucid.tensor.arithmetic import ArithmeticMethods, constant_like
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

    def mm(self, mat2: Tensor) -> Tensor:
        """The product of two matrices: (M, K) · (K, N) → (M, N); nothing broadcasts."""
        _need_ranks("mm", (self, 2), (mat2, 2))
        return self.matmul(mat2)

    def bmm(self, mat2: Tensor) -> Tensor:
        """The products of two batches of matrices: (B, M, K) · (B, K, N) → (B, M, N)."""
        _need_ranks("bmm", (self, 3), (mat2, 3))
        if self.shape[0] != mat2.shape[0]:
            raise ShapeError(
                f"bmm got batches of {self.shape[0]} and {mat2.shape[0]} matrices",
                "give equally many; matmul broadcasts",
            )
        return self.matmul(mat2)

    def mv(self, vec: Tensor) -> Tensor:
        """The product of a matrix and a vector: (M, K) · (K,) → (M,)."""
        _need_ranks("mv", (self, 2), (vec, 1))
        return self.matmul(vec)

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
        if self.dtype is not other.dtype:
            raise DTypeError(
                f"dot got {self.dtype.name} and {other.dtype.name}: expected both vectors to have "
                "same dtype",
                "convert one of them with .to()",
            )
        return elementwise.cast(structure.sum(self * other), self.dtype)

    def vdot(self, other: Tensor) -> Tensor:
        """Sum of the products of two vectors of equal length, the first one conjugated."""
        return self.conj().dot(other)

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
        _need_ranks("outer", (self, 1), (other, 1))
        return structure.reshape(self, (-1, 1)) * structure.reshape(other, (1, -1))

    ger = outer

    def addmm(
        self, mat1: Tensor, mat2: Tensor, *older: Tensor, beta: float = 1, alpha: float = 1
    ) -> Tensor:
        """beta · self + alpha · (mat1 @ mat2); ``self`` broadcasts."""
        if older:
            return weighted_first("addmm", self, (mat1, mat2, *older))
        _need_ranks("addmm", (mat1, 2), (mat2, 2))
        return _weighted_sum(self, beta, mat1.matmul(mat2), alpha)

    def addmv(
        self, mat: Tensor, vec: Tensor, *older: Tensor, beta: float = 1, alpha: float = 1
    ) -> Tensor:
        """beta · self + alpha · (mat @ vec): (n) or broadcast to it, (n, m), (m) → (n)."""
        if older:
            return weighted_first("addmv", self, (mat, vec, *older))
        _need_ranks("addmv", (mat, 2), (vec, 1))
        return _weighted_sum(self, beta, mat.matmul(vec), alpha)

    def addr(
        self, vec1: Tensor, vec2: Tensor, *older: Tensor, beta: float = 1, alpha: float = 1
    ) -> Tensor:
        """beta · self + alpha · outer(vec1, vec2)."""
        if older:
            return weighted_first("addr", self, (vec1, vec2, *older))
        _need_ranks("addr", (vec1, 1), (vec2, 1))
        return _weighted_sum(self, beta, vec1.outer(vec2), alpha)

    def baddbmm(
        self, batch1: Tensor, batch2: Tensor, *older: Tensor, beta: float = 1, alpha: float = 1
    ) -> Tensor:
        """beta · self + alpha · (batch1 @ batch2), matrix by matrix."""
        if older:
            return weighted_first("baddbmm", self, (batch1, batch2, *older))
        _need_ranks("baddbmm", (batch1, 3), (batch2, 3))
        return _weighted_sum(self, beta, batch1.bmm(batch2), alpha)

    def addbmm(
        self, batch1: Tensor, batch2: Tensor, *older: Tensor, beta: float = 1, alpha: float = 1
    ) -> Tensor:
        """beta · self + alpha · Σ over the batch of batch1 @ batch2."""
        if older:
            return weighted_first("addbmm", self, (batch1, batch2, *older))
        _need_ranks("addbmm", (batch1, 3), (batch2, 3))
        total = elementwise.cast(structure.sum(batch1.bmm(batch2), 0), batch1.dtype)
        return _weighted_sum(self, beta, total, alpha)

    def cross(self, other: Tensor, dim: int | None = None) -> Tensor:
        """The vector product along ``dim``, by default the first axis of extent 3."""
        if len(self.shape) != len(other.shape):
            raise ShapeError(
                f"cross got shapes {tuple(self.shape)} and {tuple(other.shape)}: inputs must have "
                "the same number of dimensions",
                "add axes with unsqueeze",
            )
        axis = list(self.shape).index(3) if dim is None and 3 in self.shape else dim or 0
        return linalg.cross(self, other, dim=axis)

    def kron(self, other: Tensor) -> Tensor:
        """Every element times the whole of ``other``, as blocks."""
        return linalg.kron(self, other)

    def matrix_power(self, n: int) -> Tensor:
        """Square matrices (…, n, n) multiplied ``n`` times with themselves."""
        return linalg.matrix_power(self, n)


def _need_ranks(name: str, *operands: tuple[Any, int]) -> None:
    """Raise unless each operand is a tensor with so many axes."""
    for place, (given, rank) in enumerate(operands, 1):
        operand = as_operand(given)
        if len(operand.shape) != rank:
            kind = {1: "a vector", 2: "a matrix", 3: "a batch of matrices (3D)"}[rank]
            raise ShapeError(
                f"{name} got an argument of shape {tuple(operand.shape)}: argument {place} of the "
                f"product must be {kind}",
                "use matmul, which takes vectors, matrices and batches",
            )


def _weighted_sum(start: Any, beta: float, product: Any, alpha: float) -> Any:
    """beta · start + alpha · product.  With beta = 0 what ``start`` holds does not matter.

    Of integers only the whole part of the factors counts, as in PyTorch.
    """
    shape = tuple(product.shape)
    if broadcast_shapes(tuple(start.shape), shape) != shape:
        raise ShapeError(
            f"a tensor of shape {tuple(start.shape)} was to be added to a product of shape {shape}",
            "it must broadcast to the shape of the product",
        )
    if product.dtype.kind == "bool":
        beta, alpha = bool(beta), bool(alpha)
    elif product.dtype.kind == "int":
        beta, alpha = int(beta), int(alpha)
    weighted = product if alpha == 1 else product * alpha
    if beta == 0:
        start = constant_like(start, 0) if start.requires_grad else as_operand(0, start.dtype)
    elif beta != 1:
        start = start * beta
    return weighted + start
