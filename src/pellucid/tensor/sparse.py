"""Sparse tensors: the places that are not zero, and their values.

A :class:`SparseTensor` holds two dense tensors, ``indices`` (axes, entries) and ``values``
(entries, ...).  Whatever it computes is made of operations on these two, so gradients of every
order flow through the values, and a compiled step reads them as any others.  Several entries of
one place count as their sum.  What has no sparse form says so and names ``to_dense()``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from pellucid.base.dtypes import DType, int64
from pellucid.base.errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    ShapeError,
    UnsupportedError,
)
from pellucid.base.shapes import Size, normalize_axis, size_of
from pellucid.tensor.conversion import destination
from pellucid.tensor.core import Record, TensorCore
from pellucid.tensor.creation import from_numpy, zeros
from pellucid.tensor.layout import Layout, sparse_coo, sparse_csc, sparse_csr
from pellucid.tensor.promotion import NUMBERS, as_operand
from pellucid.tensor.shaping import cat
from pellucid.tensor.tensor import Tensor


class SparseTensor(Tensor):
    """A tensor of which most elements are zero; see :func:`sparse_coo_tensor`.

    ``indices()`` has shape (sparse axes, entries), ``values()`` (entries, *dense axes); with the
    layouts ``sparse_csr`` and ``sparse_csc`` the entries of a matrix are in the order of its rows
    or columns.  There are products with dense matrices and vectors, sums, products element by
    element, functions that keep zero, conversions and copies; every other operation raises
    :class:`~pellucid.base.errors.UnsupportedError` and asks for ``to_dense()``.
    """

    __slots__ = ("_places", "_entries", "_extents", "_coalesced", "_leaf", "_format")

    answers_functions = True
    is_sparse = True

    _places: Tensor
    _entries: Tensor

    def __init__(
        self,
        indices: Any,
        values: Any,
        size: Any,
        *,
        coalesced: bool = False,
        leaf: bool = False,
        format: Layout = sparse_coo,
    ) -> None:
        self._places, self._extents = indices, Size(size)
        self._entries = values.detach().requires_grad_() if leaf else values
        self._coalesced, self._leaf, self._format = coalesced, leaf, format
        self._requires_grad = False
        self._grad = self._record = self._hooks = self._view = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """An object without a cell: what it holds are the two tensors that __init__ gets."""
        return object.__new__(cls)

    def _like(
        self, values: Any, indices: Any = None, size: Any = None, **more: Any
    ) -> SparseTensor:
        """The same places with other values."""
        options = {"coalesced": self._coalesced, "format": self._format, **more}
        return SparseTensor(
            self._places if indices is None else indices,
            values,
            self._extents if size is None else size,
            **options,
        )

    @property
    def identity(self) -> object:
        """What tells these places and values in memory from others."""
        return self._places.identity, self._entries.identity

    def parts(self) -> tuple[Tensor, Tensor]:
        """The two dense tensors that it is made of: places and values."""
        return self._places, self._entries

    def with_parts(self, places: Any, entries: Any) -> SparseTensor:
        """The same tensor made of these."""
        made = self._like(entries, places)
        made._leaf = self._leaf
        return made

    # ---- facts -----------------------------------------------------------------------------

    @property
    def _cell(self) -> Any:  # type: ignore[override]
        raise UnsupportedError(
            f"this operation has no form for sparse tensors, and got one of size "
            f"{tuple(self._extents)} with {self._nnz()} entries",
            "call x.to_dense() first",
        )

    @property
    def shape(self) -> Size:
        """The extents, a tuple."""
        return self._extents

    def size(self, dim: Any = None) -> Size | int:  # type: ignore[override]
        """The shape, or with ``dim`` the extent of that axis."""
        if dim is None:
            return self._extents
        return self._extents[normalize_axis(dim, len(self._extents))]

    def dim(self) -> int:
        """Number of axes."""
        return len(self._extents)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._extents)

    ndimension = dim

    def numel(self) -> int:
        """Number of elements, zeros included."""
        return size_of(self._extents)

    nelement = numel

    def __len__(self) -> int:
        if not self._extents:
            raise ShapeError("len() of a sparse tensor without axes", "use x.numel()")
        return int(self._extents[0])

    @property
    def dtype(self) -> DType:
        """The type of the values."""
        found: DType = self._entries.dtype
        return found

    @property
    def layout(self) -> Layout:
        """:data:`pellucid.sparse_coo`, ``sparse_csr`` or ``sparse_csc``."""
        return self._format

    @property
    def is_sparse_csr(self) -> bool:  # type: ignore[override]
        """Whether the entries are in the order of the rows, given by their bounds."""
        return self._format is sparse_csr

    def element_size(self) -> int:
        """Bytes of one value."""
        return self.dtype.itemsize

    def is_floating_point(self) -> bool:
        """Whether the values are floating point."""
        return self.dtype.is_floating_point

    def sparse_dim(self) -> int:
        """Number of axes that have indices."""
        return int(self._places.shape[0])

    def dense_dim(self) -> int:
        """Number of axes that each value has itself."""
        return len(self._extents) - self.sparse_dim()

    def _nnz(self) -> int:
        return int(self._places.shape[1])

    def is_coalesced(self) -> bool:
        """Whether each place has one entry, in the order of the places."""
        return bool(self._coalesced)

    def _indices(self) -> Tensor:
        return self._places

    def _values(self) -> Tensor:
        return self._entries

    def indices(self) -> Tensor:
        """The places, int64 of shape (sparse axes, entries); the tensor must be coalesced."""
        self._need(sparse_coo, "indices")
        self._need_coalesced("indices")
        return self._places

    def values(self) -> Tensor:
        """The values, of shape (entries, *dense axes); the tensor must be coalesced."""
        if self._format is sparse_coo:
            self._need_coalesced("values")
        return self._entries

    def crow_indices(self) -> Tensor:
        """Where each row's entries begin, and where the last one's end: (rows + 1)."""
        self._need(sparse_csr, "crow_indices")
        return self._bounds(0)

    def col_indices(self) -> Tensor:
        """The column of each entry."""
        self._need(sparse_csr, "col_indices")
        return self._places[1]

    def ccol_indices(self) -> Tensor:
        """Where each column's entries begin, and where the last one's end: (columns + 1)."""
        self._need(sparse_csc, "ccol_indices")
        return self._bounds(1)

    def row_indices(self) -> Tensor:
        """The row of each entry."""
        self._need(sparse_csc, "row_indices")
        return self._places[0]

    def _bounds(self, axis: int) -> Tensor:
        counts = np.bincount(self._places[axis].numpy(), minlength=self._extents[axis])
        return from_numpy(np.concatenate([[0], counts.cumsum()]).astype(np.int64))

    def _need(self, format: Layout, name: str) -> None:
        if self._format is not format:
            raise ArgumentError(
                f"{name} expected sparse layout {format!r} but got {self._format!r}",
                "convert it: to_sparse(), to_sparse_csr() or to_sparse_csc()",
            )

    def _need_coalesced(self, name: str) -> None:
        if not self._coalesced:
            raise ArgumentError(
                f"Cannot get {name} on an uncoalesced tensor",
                f"call x.coalesce() first, or read x._{name}()",
            )

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        parts = [
            f"indices={self._places!r}",
            f"values={self._entries.detach()!r}",
            f"size={tuple(self._extents)}",
            f"nnz={self._nnz()}",
            f"layout={self._format!r}",
        ]
        if self.requires_grad:
            parts.append("requires_grad=True")
        return f"tensor({', '.join(parts)})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    # ---- history ---------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether the values require gradients."""
        return bool(self._entries.requires_grad)

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> SparseTensor:
        """Collect gradients for the values, or no longer; returns the tensor."""
        if requires_grad and not self.requires_grad:
            self._entries, self._leaf = self._entries.detach().requires_grad_(), True
        elif not requires_grad:
            self._entries, self._leaf = self._entries.detach(), False
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no operation made it."""
        return self._leaf or not self.requires_grad

    @property
    def grad_fn(self) -> Record | None:
        """The operation that made the values; None for a leaf."""
        return None if self._leaf else self._entries.grad_fn

    @property  # type: ignore[override]
    def grad(self) -> Tensor | None:
        """The gradient at the places that have entries, a sparse tensor, or None."""
        found = self._entries.grad if self._leaf else None
        if found is None or self._coalesced:
            return None if found is None else self._like(found)
        keys = _keys(self._places.numpy(), self._extents[: self.sparse_dim()])
        first = from_numpy(np.unique(keys, return_index=True)[1].astype(np.int64))
        return self._like(found[first], self._places[:, first], coalesced=True)

    @grad.setter
    def grad(self, value: Any) -> None:
        self._entries.grad = value._values() if isinstance(value, SparseTensor) else value

    def detach(self) -> SparseTensor:
        """The same places and values without history."""
        return self._like(self._entries.detach())

    @property
    def data(self) -> SparseTensor:
        """The same places and values without history."""
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        self._become(value)

    def copy_(self, source: Any, non_blocking: bool = False) -> Tensor:
        """Take over the places and values of another sparse tensor of this size."""
        if not isinstance(source, SparseTensor) or source._extents != self._extents:
            raise ArgumentError(
                f"copy_ of a sparse tensor of size {tuple(self._extents)} got another kind or size",
                "pass a sparse tensor of the same size",
            )
        return self._become(source.to(self.dtype).detach())

    def _become(self, other: Any) -> SparseTensor:
        entries = other._entries.detach()
        self._entries = entries.requires_grad_() if self._leaf else entries
        self._places, self._coalesced = other._places, other._coalesced
        self._extents, self._format = other._extents, other._format
        return self

    def clone(self, *, memory_format: object = None) -> SparseTensor:
        """A copy with memory of its own; gradients flow through."""
        return self._like(self._entries.clone(), self._places.clone())

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        made = self._like(copy.deepcopy(self._entries, memo), self._places.clone())
        made._leaf = self._leaf
        memo[id(self)] = made
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        parts = (self._places, self._entries, tuple(self._extents))
        return _rebuild, (*parts, self._coalesced, self._leaf, self._format)

    # ---- conversions -----------------------------------------------------------------------

    def to(self, *target: Any, **options: Any) -> Tensor:
        """The tensor with values of another dtype; the CPU is the only device."""
        options.pop("non_blocking", None)
        options.pop("memory_format", None)
        other = options.pop("other", None)
        given = target if other is None else (*target, other)
        given = tuple(t.dtype if isinstance(t, TensorCore) else t for t in given)
        wanted = destination(
            given, options.get("dtype"), options.get("device"), options.get("copy", False)
        )
        if wanted.dtype is None or wanted.dtype is self.dtype:
            return self.clone() if wanted.copy else self
        return self._like(self._entries.to(wanted.dtype))

    def type(  # type: ignore[override]
        self, dtype: Any = None, non_blocking: bool = False
    ) -> Tensor | str:
        """The tensor with values of another dtype, or PyTorch's name of its type."""
        if dtype is None:
            return self._entries.type().replace("torch.", "torch.sparse.")
        return self._like(self._entries.type(dtype))

    def type_as(self, other: Any) -> Tensor:
        """With values of the dtype of ``other``."""
        return self.to(other.dtype)

    def coalesce(self) -> SparseTensor:
        """One entry for each place, the sum of all, in the order of the places.

        In a compiled function it needs indices that are known outside of it.
        """
        self._need(sparse_coo, "coalesce")
        if self._coalesced:
            return self
        extents = self._extents[: self.sparse_dim()]
        keys, group = np.unique(_keys(self._places.numpy(), extents), return_inverse=True)
        places = np.stack(np.unravel_index(keys, extents)) if extents else self._places.numpy()
        count = len(keys) if extents else 1
        values = zeros(count, *self._entries.shape[1:], dtype=self.dtype)
        values = values.index_add(0, from_numpy(group.reshape(-1).astype(np.int64)), self._entries)
        return self._like(values, from_numpy(places[:, :count].astype(np.int64)), coalesced=True)

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """The dense tensor of the same elements; gradients flow back to the values."""
        sparse = self._extents[: self.sparse_dim()]
        flat = zeros(size_of(sparse), *self._extents[len(sparse) :], dtype=self.dtype)
        place = zeros(self._nnz(), dtype=int64)
        for axis, extent in enumerate(sparse):
            place = place * extent + self._places[axis]
        dense = flat.index_add(0, place, self._entries).reshape(self._extents)
        return dense if dtype is None else dense.to(dtype)

    def to_sparse(self, *args: Any, layout: Layout | None = None, **options: Any) -> SparseTensor:
        """The tensor in another sparse layout; by default by indices of all axes."""
        return self._in(layout or sparse_coo)

    def to_sparse_coo(self) -> SparseTensor:
        """The tensor by indices of all axes."""
        return self._in(sparse_coo)

    def to_sparse_csr(self, dense_dim: int | None = None) -> SparseTensor:
        """The matrix row by row."""
        return self._in(sparse_csr)

    def to_sparse_csc(self, dense_dim: int | None = None) -> SparseTensor:
        """The matrix column by column."""
        return self._in(sparse_csc)

    def _in(self, format: Layout) -> SparseTensor:
        if format is self._format:
            return self
        if format not in (sparse_coo, sparse_csr, sparse_csc):
            raise UnsupportedError(
                f"there are no tensors of layout {format!r}", "use sparse_coo, _csr or _csc"
            )
        one = self if self._format is sparse_coo else self._like(self._entries, format=sparse_coo)
        if self._format is sparse_csc:
            one._coalesced = False
        one = one.coalesce()
        if format is sparse_coo:
            return one
        _need_matrix(one, "a compressed layout")
        if format is sparse_csr:
            return one._like(one._entries, format=format)
        order = from_numpy(np.lexsort(one._places.numpy()))
        return one._like(one._entries[order], one._places[:, order], format=format)

    def sparse_resize_(self, size: Any, sparse_dim: int, dense_dim: int) -> Tensor:
        """Change the extents in place; entries stay where they are."""
        old = self._extents
        if len(size) != len(old) or any(new < had for new, had in zip(size, old, strict=True)):
            raise UnsupportedError(
                f"sparse_resize_ got {tuple(size)} for a tensor of size {tuple(old)}",
                "it can grow and keeps its number of axes",
            )
        self._extents = Size(size)
        return self

    def numpy(self, *, force: bool = False) -> NoReturn:
        """Raises ``ArgumentTypeError``: arrays are dense."""
        raise ArgumentTypeError(
            "can't convert a sparse tensor to an array", "use x.to_dense().numpy()"
        )

    def item(self) -> bool | int | float:
        """The number in a tensor of one element."""
        return self.to_dense().item()

    def tolist(self) -> list[Any]:
        """Nested lists of all elements, zeros included."""
        return self.to_dense().tolist()

    # ---- products --------------------------------------------------------------------------

    def matmul(self, other: Any) -> Tensor:
        """The product with a dense matrix (K, N), a vector (K,) or a sparse matrix."""
        _need_matrix(self, "matmul")
        if isinstance(other, SparseTensor):
            return _times_sparse(self, other)
        other = as_operand(other)
        if other.dim() not in (1, 2) or other.shape[0] != self._extents[1]:
            raise ShapeError(
                f"the shapes {tuple(self._extents)} and {tuple(other.shape)} cannot be multiplied",
                "the columns of the first are the rows of the second",
            )
        if other.dtype is not self.dtype:
            raise DTypeError(
                f"a sparse matrix of {self.dtype.name} was to be multiplied by {other.dtype.name}: "
                "expected both to have the same dtype",
                "convert one of them with .to()",
            )
        values = self._entries if other.dim() == 1 else self._entries.unsqueeze(1)
        rows = other.index_select(0, self._places[1]) * values  # (entries, N)
        start = zeros(self._extents[0], *other.shape[1:], dtype=rows.dtype)
        return start.index_add(0, self._places[0], rows)

    def mm(self, mat2: Any) -> Tensor:
        """The product of two matrices, this one sparse."""
        _need_matrix(mat2, "mm")
        return self.matmul(mat2)

    def mv(self, vec: Any) -> Tensor:
        """The product with a vector."""
        return self.matmul(vec)

    smm = spmm = mm

    def __matmul__(self, other: Any) -> Tensor:
        return self.matmul(other)

    def __rmatmul__(self, other: Any) -> Tensor:
        other = as_operand(other)
        return (self.t().matmul(other.t() if other.dim() == 2 else other)).t()

    def mul(self, other: Any) -> Tensor:
        """The product element by element: with a number, a dense or a sparse tensor."""
        if isinstance(other, SparseTensor):
            return _shared(self, other, lambda a, b: a * b)
        if isinstance(other, NUMBERS) or as_operand(other).dim() == 0:
            return self._like(self._entries * other)
        dense = as_operand(other).expand(self._extents)
        one = self._in(sparse_coo)
        return one._like(one._entries * dense[tuple(one._places)])

    __mul__ = __rmul__ = multiply = mul

    def div(self, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """The quotient with a number or a tensor without axes."""
        if not isinstance(other, NUMBERS) and as_operand(other).dim():
            raise UnsupportedError(
                "a sparse tensor can be divided by a number only", "divide x.to_dense()"
            )
        return self._like(self._entries.div(other, rounding_mode=rounding_mode))

    __truediv__ = divide = true_divide = div

    def pow(self, exponent: Any) -> Tensor:
        """Each element to the power of a positive number, of which zero stays zero."""
        if not isinstance(exponent, (int, float)) or exponent <= 0:
            raise UnsupportedError(
                f"pow of a sparse tensor got {exponent!r}", "pass a positive number"
            )
        one = self._in(sparse_coo).coalesce()
        return one._like(one._entries.pow(exponent))

    __pow__ = pow

    # ---- sums ------------------------------------------------------------------------------

    def add(self, other: Any, *older: Any, alpha: Any = 1) -> Tensor:
        """self + alpha · other; with a dense tensor the sum is dense."""
        if older:
            alpha, other = other, older[0]
        if not isinstance(other, SparseTensor):
            if isinstance(other, NUMBERS):
                raise UnsupportedError(
                    "a number was to be added to a sparse tensor", "add it to x.to_dense()"
                )
            return self.to_dense() + other * alpha
        if self._extents != other._extents:
            raise ShapeError(
                f"sparse tensors of sizes {tuple(self._extents)} and {tuple(other._extents)} "
                "were to be added",
                "they must have equal sizes",
            )
        a, b = self._in(sparse_coo), other._in(sparse_coo)
        total = a._like(
            cat([a._entries, b._entries * alpha]), cat([a._places, b._places], 1), coalesced=False
        )
        return total if self._format is sparse_coo else total._in(self._format)

    __add__ = __radd__ = add

    def sub(self, other: Any, *older: Any, alpha: Any = 1) -> Tensor:
        """self − alpha · other; with a dense tensor the difference is dense."""
        if older:
            alpha, other = other, older[0]
        return self.add(other, alpha=-alpha)

    __sub__ = subtract = sub

    def __rsub__(self, other: Any) -> Tensor:
        return self.neg().add(other)

    def neg(self) -> SparseTensor:
        """The negated elements."""
        return self._like(-self._entries)

    __neg__ = negative = neg

    def sum(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
        """The sum of all elements, or a sparse tensor of sums over axes.

        Over all axes that have indices the result is dense.
        """
        values = self._entries if dtype is None else self._entries.to(dtype)
        if dim is None:
            return values.sum()
        count, rank = self.sparse_dim(), len(self._extents)
        axes = {normalize_axis(d, rank) for d in ([dim] if isinstance(dim, int) else dim)}
        inner = [d - count + 1 for d in axes if d >= count]
        values = values.sum(inner, keepdim=keepdim) if inner else values
        kept = [d for d in range(count) if d not in axes]
        size = [1 if d in axes else n for d, n in enumerate(self._extents)]
        left = size if keepdim else [n for d, n in enumerate(size) if d not in axes]
        if not kept:
            total = values.sum(0)
            return total.reshape(left)
        places = self._places * 1
        if keepdim:
            rows = [places[d] * 0 if d in axes else places[d] for d in range(count)]
        else:
            rows = [places[d] for d in kept]
        stacked = cat([row.unsqueeze(0) for row in rows])
        unchanged = not [d for d in axes if d < count]
        made = SparseTensor(stacked, values, left, coalesced=self._coalesced and unchanged)
        return made if unchanged else made.coalesce()

    # ---- shapes ----------------------------------------------------------------------------

    def transpose(self, dim0: Any, dim1: Any = None) -> SparseTensor:
        """Two axes that have indices exchanged."""
        count = self.sparse_dim()
        a, b = (normalize_axis(d, len(self._extents)) for d in (dim0, dim1))
        if max(a, b) >= count:
            raise UnsupportedError(
                f"transpose({dim0}, {dim1}) of a tensor with {count} sparse axes",
                "exchange axes that have indices",
            )
        order = list(range(count))
        order[a], order[b] = b, a
        size = list(self._extents)
        size[a], size[b] = size[b], size[a]
        turned = {sparse_csr: sparse_csc, sparse_csc: sparse_csr}.get(self._format, self._format)
        coalesced = self._coalesced and (a == b or self._format is not sparse_coo)
        return self._like(
            self._entries, self._places[order], size, coalesced=coalesced, format=turned
        )

    def t(self) -> SparseTensor:
        """The transposed matrix."""
        _need_matrix(self, "t")
        return self.transpose(0, 1)

    @property
    def T(self) -> SparseTensor:
        """The transposed matrix."""
        return self.t()

    mT = T

    def index_select(self, dim: int, index: Any) -> Tensor:
        """The slices of an axis that ``index`` names, in its order."""
        axis = normalize_axis(dim, len(self._extents))
        one = self._in(sparse_coo)
        size = list(one._extents)
        size[axis] = int(index.shape[0])
        if axis >= one.sparse_dim():
            values = one._entries.index_select(axis - one.sparse_dim() + 1, index)
            return one._like(values, None, size)
        held = one._places[axis].numpy()
        order = np.argsort(held, kind="stable")
        wanted = np.asarray(index.numpy())
        first = np.searchsorted(held[order], wanted, "left")
        counts = np.searchsorted(held[order], wanted, "right") - first
        slot = np.repeat(np.arange(len(wanted)), counts)
        offset = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
        picked = order[np.repeat(first, counts) + offset]
        places = one._places.numpy()[:, picked]
        places[axis] = slot
        values = one._entries[from_numpy(picked.astype(np.int64))]
        return one._like(values, from_numpy(places), size, coalesced=False)

    def select(self, dim: int, index: int) -> Tensor:
        """The slice at one place of an axis, without that axis: dense if no other has indices."""
        axis = normalize_axis(dim, len(self._extents))
        extent = self._extents[axis]
        if not -extent <= index < extent:
            raise ArgumentError(f"index {index} is out of range for {extent}", "see x.shape")
        picked = self.index_select(axis, from_numpy(np.asarray([index % extent])))
        return picked.sum(axis)

    def __getitem__(self, index: Any) -> Tensor:
        found: Any = self
        for one in index if isinstance(index, tuple) else (index,):
            if not isinstance(one, (int, np.integer)) or isinstance(one, bool):
                raise UnsupportedError(
                    "a sparse tensor is indexed by whole numbers", "use index_select or to_dense()"
                )
            found = found[one] if not isinstance(found, SparseTensor) else found.select(0, int(one))
        return found

    def sparse_mask(self, mask: Any) -> Tensor:
        """The elements at the places of a sparse ``mask``."""
        return _shared(mask._like(mask._entries * 0), self, lambda zero, own: own, outer=True)


def _linear(name: str) -> Callable[[Any], Any]:
    """A method that applies a function with f(0) = 0 to the values."""

    def method(self: Any) -> Tensor:
        one = self if self._coalesced else self.coalesce()
        return one._like(getattr(one._entries, name)())

    method.__name__ = name
    method.__qualname__ = f"SparseTensor.{name}"
    method.__doc__ = f"{name} of each element; of zero it is zero."
    return method


for _name in (
    "abs asin asinh atan atanh ceil deg2rad erf expm1 floor log1p rad2deg relu round sgn sign sin "
    "sinh sqrt square tan tanh trunc isnan isinf"
).split():
    setattr(SparseTensor, _name, _linear(_name))
for _name in "float double half bfloat16 long int short char byte bool".split():

    def _convert(self: Any, memory_format: object = None, *, _name: str = _name) -> Tensor:
        """With values of that dtype."""
        return self._like(getattr(self._entries, _name)())

    setattr(SparseTensor, _name, _convert)


def _need_matrix(tensor: Any, name: str) -> None:
    if tensor.dim() != 2 or (isinstance(tensor, SparseTensor) and tensor.sparse_dim() != 2):
        raise ShapeError(
            f"{name} got a tensor of shape {tuple(tensor.shape)}", "it takes matrices: two axes"
        )


def _keys(places: np.ndarray, extents: Any) -> np.ndarray:
    """One number for each place, in the order of the places."""
    key = np.zeros(places.shape[1], np.int64)
    for axis, extent in enumerate(extents):
        key = key * extent + places[axis]
    return key


def _shared(
    first: Any, second: Any, combine: Callable[[Any, Any], Any], outer: bool = False
) -> Any:
    """``combine`` of the values at places that both have; all of the first with ``outer``."""
    if first.shape != second.shape:
        raise ShapeError(
            f"sparse tensors of sizes {tuple(first.shape)} and {tuple(second.shape)} meet",
            "they must have equal sizes",
        )
    a, b = (x._in(sparse_coo).coalesce() for x in (first, second))
    extents = a._extents[: a.sparse_dim()]
    keys_a, keys_b = (_keys(x._places.numpy(), extents) for x in (a, b))
    _, at, to = np.intersect1d(keys_a, keys_b, assume_unique=True, return_indices=True)
    in_a, in_b = from_numpy(at.astype(np.int64)), from_numpy(to.astype(np.int64))
    both = combine(a._entries[in_a], b._entries[in_b])
    if outer:
        return a._like(zeros(*a._entries.shape, dtype=both.dtype).index_add(0, in_a, both))
    return a._like(both, a._places[:, in_a])


def _times_sparse(a: Any, b: Any) -> Any:
    """The product of two sparse matrices: every entry of ``a`` meets a row of ``b``."""
    _need_matrix(b, "matmul")
    if a.shape[1] != b.shape[0]:
        raise ShapeError(
            f"the shapes {tuple(a.shape)} and {tuple(b.shape)} cannot be multiplied",
            "the columns of the first are the rows of the second",
        )
    format, a, b = a._format, a._in(sparse_coo), b._in(sparse_coo).coalesce()
    columns, rows = a._places[1].numpy(), b._places[0].numpy()
    first = np.searchsorted(rows, columns, "left")
    counts = np.searchsorted(rows, columns, "right") - first
    left = np.repeat(np.arange(len(columns)), counts)
    offset = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    right = np.repeat(first, counts) + offset
    one, two = from_numpy(left.astype(np.int64)), from_numpy(right.astype(np.int64))
    places = np.stack([a._places[0].numpy()[left], b._places[1].numpy()[right]])
    values = a._entries[one] * b._entries[two]
    made = SparseTensor(from_numpy(places), values, (a.shape[0], b.shape[1])).coalesce()
    return made._in(format)


def _rebuild(
    places: Any, values: Any, size: Any, coalesced: bool, leaf: bool, format: Layout
) -> Any:
    return SparseTensor(places, values, size, coalesced=coalesced, leaf=leaf, format=format)


TensorCore.sparse_class = SparseTensor
