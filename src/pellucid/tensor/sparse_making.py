"""How sparse tensors are made: from places and values, from dense tensors, by older names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from pellucid.base import dtypes
from pellucid.base.boundary import clear
from pellucid.base.dtypes import DType, DTypeLike, int64
from pellucid.base.errors import ArgumentError, ArgumentTypeError, ShapeError, UnsupportedError
from pellucid.base.shapes import size_of
from pellucid.tensor.creation import as_tensor, from_numpy, zeros
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.layout import Layout, sparse_coo, sparse_csc, sparse_csr
from pellucid.tensor.sparse import SparseTensor
from pellucid.tensor.state import is_tracing


@clear
def sparse_coo_tensor(
    indices: Any,
    values: Any = None,
    size: Sequence[int] | None = None,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> SparseTensor:
    """A sparse tensor of ``values`` (entries, ...) at ``indices`` (sparse axes, entries).

    Without ``size`` it is as large as the indices need; ``sparse_coo_tensor(size)`` has no
    entries.  Gradients flow into ``values`` unless ``requires_grad``, which makes a leaf.  Raises
    :class:`~pellucid.base.errors.ShapeError` where the two do not fit each other or the size, and
    ``ArgumentError`` for places outside of it.
    """
    check_device(device)
    if values is None or not _is_data(values):
        return _empty(indices if values is None else (indices, values), dtype, requires_grad)
    places = as_tensor(indices)
    if places.dtype.kind != "int" and places.numel():
        raise ArgumentTypeError(
            f"indices must be an int64 tensor, got {places.dtype.name}", "convert: indices.long()"
        )
    entries = as_tensor(values)
    entries = entries if dtype is None else entries.to(dtype)
    places = places.to(int64)
    if places.dim() == 1:
        places = places.unsqueeze(0)
    if entries.dim() == 0:
        entries = entries.expand(places.shape[1])
    if places.dim() != 2 or entries.shape[0] != places.shape[1]:
        raise ShapeError(
            f"indices of shape {tuple(places.shape)} have values of shape {tuple(entries.shape)}",
            "indices are (axes, entries), values (entries, ...)",
        )
    extents = _extents(places, entries, size)
    return SparseTensor(
        places,
        entries if requires_grad else _branch(entries),
        extents,
        coalesced=bool(is_coalesced),
        leaf=requires_grad,
    )


def _is_data(values: Any) -> bool:
    return not isinstance(values, (int, np.integer)) or isinstance(values, bool)


def _branch(entries: Any) -> Any:
    """The values as a result of the constructor: what is done to the tensor is no leaf's."""
    return entries.view_as(entries) if entries.requires_grad else entries


def _empty(size: Any, dtype: DTypeLike | None, requires_grad: bool) -> SparseTensor:
    """A sparse tensor of a size, without entries."""
    extents = tuple(int(n) for n in size)
    places = from_numpy(np.zeros((len(extents), 0), np.int64))
    return SparseTensor(
        places, zeros(0, dtype=dtype), extents, coalesced=True, leaf=bool(requires_grad)
    )


def _extents(places: Any, entries: Any, size: Any) -> tuple[int, ...]:
    """The size of the whole, checked against the places where these are known."""
    count, dense = int(places.shape[0]), tuple(entries.shape[1:])
    largest = None
    if not is_tracing():
        array = places.numpy()
        largest = array.max(axis=1, initial=-1)
        if array.size and array.min() < 0:
            raise ArgumentError(
                f"found negative index {array.min()} among the indices", "places begin at 0"
            )
    if size is None:
        if largest is None:
            raise ArgumentError("sparse_coo_tensor got no size in a compiled function", "pass one")
        return (*(int(n) + 1 for n in largest), *dense)
    extents = tuple(int(n) for n in size)
    if len(extents) != count + len(dense) or extents[count:] != dense:
        raise ShapeError(
            f"number of dimensions must be sparse_dim ({count}) + dense_dim ({len(dense)}), but "
            f"got the size {extents} for values of shape {tuple(entries.shape)}",
            "let the size be that of the dense tensor",
        )
    for axis, extent in enumerate(extents[:count]):
        if largest is not None and largest[axis] >= extent:
            raise ArgumentError(
                f"size is inconsistent with indices: for dim {axis}, size is {extent} but found "
                f"index {largest[axis]}",
                "places begin at 0",
            )
    return extents


@clear
def sparse_compressed_tensor(
    compressed_indices: Any,
    plain_indices: Any,
    values: Any,
    size: Sequence[int] | None = None,
    *,
    dtype: DTypeLike | None = None,
    layout: Layout | None = None,
    device: DeviceLike | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> SparseTensor:
    """A sparse matrix by rows (``sparse_csr``) or by columns (``sparse_csc``).

    ``compressed_indices`` say where each row's (column's) entries begin and the last one's end,
    ``plain_indices`` the other place of each entry.  Raises ``ArgumentError`` where they do not fit
    each other; there are no layouts of blocks (``UnsupportedError``).
    """
    check_device(device)
    if layout not in (sparse_csr, sparse_csc):
        raise UnsupportedError(
            f"there are no tensors of layout {layout!r}", "use sparse_csr or sparse_csc"
        )
    bounds, plain = (np.asarray(as_tensor(i).numpy()) for i in (compressed_indices, plain_indices))
    entries = as_tensor(values)
    entries = entries if dtype is None else entries.to(dtype)
    counts = np.diff(bounds)
    if bounds.ndim != 1 or plain.ndim != 1 or not len(bounds) or bounds[0] or (counts < 0).any():
        raise ArgumentError(
            "the bounds of a compressed matrix must be a vector that begins at 0 and does not fall",
            "batches of matrices are not stored",
        )
    if bounds[-1] != len(plain) or entries.shape[0] != len(plain):
        raise ArgumentError(
            f"the bounds end at {bounds[-1]}, and there are {len(plain)} places and "
            f"{entries.shape[0]} values",
            "these three are equal",
        )
    rows = np.repeat(np.arange(len(counts)), counts)
    places = np.stack([rows, plain] if layout is sparse_csr else [plain, rows]).astype(np.int64)
    if size is None:
        other = int(plain.max(initial=-1)) + 1
        size = (len(counts), other) if layout is sparse_csr else (other, len(counts))
    held = from_numpy(places)
    extents = _extents(held, entries, size)
    return SparseTensor(
        held,
        entries if requires_grad else _branch(entries),
        extents,
        coalesced=True,
        leaf=requires_grad,
        format=layout,
    )


def sparse_csr_tensor(
    crow_indices: Any,
    col_indices: Any,
    values: Any,
    size: Sequence[int] | None = None,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> SparseTensor:
    """A sparse matrix by its rows; see :func:`sparse_compressed_tensor`."""
    return sparse_compressed_tensor(
        crow_indices,
        col_indices,
        values,
        size,
        dtype=dtype,
        layout=sparse_csr,
        device=device,
        requires_grad=requires_grad,
    )


def sparse_csc_tensor(
    ccol_indices: Any,
    row_indices: Any,
    values: Any,
    size: Sequence[int] | None = None,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> SparseTensor:
    """A sparse matrix by its columns; see :func:`sparse_compressed_tensor`."""
    return sparse_compressed_tensor(
        ccol_indices,
        row_indices,
        values,
        size,
        dtype=dtype,
        layout=sparse_csc,
        device=device,
        requires_grad=requires_grad,
    )


def from_dense(
    dense: Any, layout: Layout | None = None, sparse_dim: int | None = None
) -> SparseTensor:
    """The sparse tensor of a dense one's elements that are not zero; gradients flow back.

    ``sparse_dim`` axes get indices (default: all), the others belong to the values.  Which
    elements these are depends on the values: in a compiled function it raises ``TraceError``.
    """
    count = dense.dim() if sparse_dim is None else sparse_dim
    if not 0 <= count <= dense.dim():
        raise ArgumentError(
            f"to_sparse({sparse_dim}) of a tensor with {dense.dim()} axes", "see x.dim()"
        )
    array = dense.detach().numpy() != 0
    inside = array.reshape(*array.shape[:count], -1).any(-1)
    places = np.stack(np.nonzero(inside)) if count else np.zeros((0, int(inside)), np.int64)
    held = from_numpy(places.astype(np.int64))
    flat = dense.reshape(size_of(dense.shape[:count]), *dense.shape[count:])
    at = from_numpy(np.flatnonzero(inside.reshape(-1)))
    made = SparseTensor(held, flat.index_select(0, at), dense.shape, coalesced=True)
    return made.to_sparse(layout=layout or sparse_coo)


class SparseType(type):
    """The class of the older types: ``sparse.FloatTensor(indices, values, size)``."""

    dtype: ClassVar[DType]
    is_cuda = False
    is_sparse = True

    def __call__(cls, *given: Any, device: DeviceLike | None = None) -> Any:
        """A sparse tensor of this type from indices, values and a size, or of a size alone."""
        if len(given) >= 2 and _is_data(given[0]) and _is_data(given[1]):
            return sparse_coo_tensor(*given, dtype=cls.dtype, device=device)
        extents = given[0] if len(given) == 1 and _is_data(given[0]) else given
        return _empty(extents or (0,), cls.dtype, False)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, SparseTensor) and instance.dtype is cls.dtype


OLDER = {
    name: SparseType(name, (), {"dtype": dtype, "__doc__": f"Sparse tensors of {dtype.name}."})
    for name, dtype in {
        "FloatTensor": dtypes.float32,
        "DoubleTensor": dtypes.float64,
        "HalfTensor": dtypes.float16,
        "BFloat16Tensor": dtypes.bfloat16,
        "LongTensor": dtypes.int64,
        "IntTensor": dtypes.int32,
        "ShortTensor": dtypes.int16,
        "CharTensor": dtypes.int8,
        "ByteTensor": dtypes.uint8,
    }.items()
}
"""The older types by name."""

SparseTensor.from_dense = staticmethod(from_dense)  # type: ignore[attr-defined]
