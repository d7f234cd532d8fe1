"""Functions on sparse tensors, the contents of :mod:`pellucid.sparse`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import DTypeLike, int64
from pellucid.base.errors import ArgumentError, ArgumentTypeError, ShapeError
from pellucid.base.shapes import normalize_axis
from pellucid.tensor.creation import as_tensor, from_numpy, full, zeros
from pellucid.tensor.layout import Layout
from pellucid.tensor.sparse import SparseTensor
from pellucid.tensor.sparse_making import OLDER
from pellucid.tensor.tensor import Tensor

FloatTensor = OLDER["FloatTensor"]
DoubleTensor = OLDER["DoubleTensor"]
HalfTensor = OLDER["HalfTensor"]
BFloat16Tensor = OLDER["BFloat16Tensor"]
LongTensor = OLDER["LongTensor"]
IntTensor = OLDER["IntTensor"]
ShortTensor = OLDER["ShortTensor"]
CharTensor = OLDER["CharTensor"]
ByteTensor = OLDER["ByteTensor"]


def _of_either(value: Any, name: str) -> Any:
    if not isinstance(value, Tensor):
        raise ArgumentTypeError(f"{name} got a {type(value).__name__}", "pass a tensor")
    return value


@clear
def mm(mat1: Any, mat2: Any, reduce: str | None = None) -> Tensor:
    """The product of two matrices, of which the first, the second or both are sparse.

    (M, K) · (K, N) → (M, N), dense unless both are sparse.  Gradients flow into the values and
    into the dense matrix.  ``reduce`` "sum", "mean", "amax" or "amin" says how the products of a
    row are put together.
    """
    first, second = _of_either(mat1, "mm"), _of_either(mat2, "mm")
    if reduce is not None and reduce != "sum":
        return _reduced(first, second, reduce)
    product: Tensor = first @ second
    return product


def _reduced(a: Any, b: Any, reduce: str) -> Tensor:
    """The products of each row put together by another reduction than the sum."""
    if reduce not in ("mean", "amax", "amin") or not isinstance(a, SparseTensor):
        raise ArgumentError(f"mm got reduce={reduce!r}", 'use "sum", "mean", "amax" or "amin"')
    products = b.index_select(0, a._indices()[1]) * a._values().unsqueeze(1)
    into = a._indices()[0].unsqueeze(1).expand(products.shape)
    start = zeros(a.shape[0], b.shape[1], dtype=products.dtype)
    reduced: Tensor = start.scatter_reduce(0, into, products, reduce, include_self=False)
    return reduced


spmm = smm = mm


@clear
def addmm(mat: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · mat + alpha · (mat1 @ mat2), ``mat1`` sparse."""
    product = mm(mat1, mat2) * alpha
    total: Tensor = product if beta == 0 else mat * beta + product
    return total


@clear
def sampled_addmm(
    input: SparseTensor, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta · input + alpha · (mat1 @ mat2) at the places of the sparse ``input`` alone."""
    if mat1.shape[0] != input.shape[0] or mat2.shape[1] != input.shape[1]:
        raise ShapeError(
            f"sampled_addmm got {tuple(input.shape)} for a product of {tuple(mat1.shape)} and "
            f"{tuple(mat2.shape)}",
            "the sparse matrix has the shape of the product",
        )
    rows, columns = input._indices()
    products = (mat1.index_select(0, rows) * mat2.t().index_select(0, columns)).sum(1)
    sampled: Tensor = input._like(input._values() * beta + products * alpha)
    return sampled


@clear
def sum(input: Any, dim: Any = None, dtype: DTypeLike | None = None) -> Tensor:
    """The sum of all elements, or over axes: sparse while an axis with indices is left."""
    total: Tensor = input.sum(dim, dtype=dtype)
    return total


@clear
def softmax(input: Any, dim: int, *, dtype: DTypeLike | None = None) -> Tensor:
    """The softmax along an axis over the entries alone: places without entry count as −∞."""
    one, exponentials, totals = _exponentials(input, dim, dtype)
    shares: Tensor = one._like(exponentials / totals)
    return shares


@clear
def log_softmax(input: Any, dim: int, *, dtype: DTypeLike | None = None) -> Tensor:
    """The logarithm of :func:`softmax`."""
    one, exponentials, totals = _exponentials(input, dim, dtype)
    logarithms: Tensor = one._like(exponentials.log() - totals.log())
    return logarithms


def _exponentials(input: Any, dim: int, dtype: DTypeLike | None) -> tuple[Any, Any, Any]:
    """The tensor, exp of its values less the largest of their line, and the lines' sums."""
    one = _of_either(input, "softmax").to_sparse_coo().coalesce()
    one = one if dtype is None else one.to(dtype)
    axis = normalize_axis(dim, one.dim())
    values, count = one._values(), one.sparse_dim()
    if axis >= count:
        inner = axis - count + 1
        shifted = (values - values.detach().amax(inner, keepdim=True)).exp()
        return one, shifted, shifted.sum(inner, keepdim=True)
    line, lines = zeros(values.shape[0], dtype=int64), 1
    for d in range(count):
        if d != axis:
            line, lines = line * one.shape[d] + one._indices()[d], lines * one.shape[d]
    start = full((lines, *values.shape[1:]), -float("inf"), dtype=values.dtype)
    into = line.reshape(-1, *[1] * (values.dim() - 1)).expand(values.shape)
    largest = start.scatter_reduce(0, into, values.detach(), "amax")
    shifted = (values - largest[line]).exp()
    totals = zeros(*largest.shape, dtype=values.dtype).index_add(0, line, shifted)
    return one, shifted, totals[line]


@clear
def spdiags(
    diagonals: Any, offsets: Any, shape: tuple[int, int], layout: Layout | None = None
) -> Tensor:
    """A sparse matrix with the rows of ``diagonals`` on the diagonals that ``offsets`` name.

    The element in column j of a row lies in column j of the matrix.
    """
    lines, places = as_tensor(diagonals), np.atleast_1d(np.asarray(as_tensor(offsets).numpy()))
    lines = lines.unsqueeze(0) if lines.dim() == 1 else lines
    if len(np.unique(places)) != len(places) or len(places) != lines.shape[0]:
        raise ArgumentError(
            f"spdiags got {lines.shape[0]} diagonals and the offsets {places.tolist()}",
            "give one offset for each, all different",
        )
    number, column = np.indices(tuple(lines.shape))
    row = column - places[:, None]
    inside = (row >= 0) & (row < shape[0]) & (column < shape[1])
    held = from_numpy(np.stack([row[inside], column[inside]]).astype(np.int64))
    values = lines[from_numpy(number[inside]), from_numpy(column[inside])]
    made = SparseTensor(held, values, shape)
    return made if layout is None else made.coalesce().to_sparse(layout=layout)


class check_sparse_tensor_invariants:
    """A context manager and decorator; the parts of sparse tensors are always checked here."""

    def __init__(self, enable: bool = True) -> None:
        self.enabled = enable

    @staticmethod
    def is_enabled() -> bool:
        """True: parts are checked whenever a sparse tensor is made."""
        return True

    @staticmethod
    def enable() -> None:
        """Nothing changes: the parts are checked already."""

    @staticmethod
    def disable() -> None:
        """Nothing changes: the parts are checked all the same."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *raised: object) -> None:
        return None

    def __call__(self, function: Any) -> Any:
        """``function`` itself."""
        return function


__all__ = [
    "BFloat16Tensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "addmm",
    "check_sparse_tensor_invariants",
    "log_softmax",
    "mm",
    "sampled_addmm",
    "smm",
    "softmax",
    "spdiags",
    "spmm",
    "sum",
]
