"""Storages: the memory of tensors as PyTorch's files keep it, and tensors over it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np

from pellucid.base.dtypes import DType, as_dtype
from pellucid.base.errors import DataError, DTypeError, PellucidError
from pellucid.interop.pytorch.pickles import refuse
from pellucid.nn.parameter import Parameter
from pellucid.tensor.core import lift
from pellucid.tensor.layout import sparse_csc, sparse_csr
from pellucid.tensor.sparse_making import sparse_compressed_tensor, sparse_coo_tensor
from pellucid.tensor.tensor import Tensor

MOST_AXES = 64
"""As many as an array of NumPy can have."""

_STORAGES = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
}
"""PyTorch's names of typed storages, and of their elements."""


class StorageKind(NamedTuple):
    """The class of a storage: the name of its elements' dtype; empty for plain bytes."""

    dtype: str


def storage_kind(name: str) -> StorageKind | None:
    """What a class such as ``FloatStorage`` holds; None for other names."""
    if name in ("UntypedStorage", "_UntypedStorage"):
        return StorageKind("")
    found = _STORAGES.get(name.removesuffix("Storage")) if name.endswith("Storage") else None
    return None if found is None else StorageKind(found)


def storage_name(dtype: DType) -> str:
    """The class in which PyTorch keeps elements of ``dtype``: ``FloatStorage`` for float32."""
    for name, held in _STORAGES.items():
        if held == dtype.name:
            return name + "Storage"
    raise DTypeError(
        f"PyTorch's files have no storage for {dtype.name}", "convert the tensor before saving"
    )


def known_dtype(name: str) -> DType:
    """The dtype of that name; :class:`DataError` for one that does not exist here."""
    try:
        return as_dtype(name)
    except DTypeError:
        raise DataError(
            f"The file holds a tensor of dtype {name}, which Pellucid has not",
            "Convert it, where the file was written, to a dtype such as float32.",
        ) from None


class Storage:
    """The bytes of one or several tensors, read when the first of them is made.

    ``read`` gives the bytes as a writable array of uint8; ``size`` is their number.
    """

    def __init__(self, kind: StorageKind, size: int, location: str, read: Callable[[], Any]):
        self.kind = kind
        self.size = size
        self.location = location
        self._read: Callable[[], Any] | None = read
        self._bytes: np.ndarray | None = None

    def bytes(self) -> np.ndarray:
        """The content, shared by all tensors over this storage."""
        if self._bytes is None and self._read is not None:
            self._bytes, self._read = self._read(), None
        return self._bytes  # type: ignore[return-value]

    def elements(self, dtype: DType) -> np.ndarray:
        """The content as elements; a copy only where they do not lie at multiples of their size."""
        whole = self.bytes()
        whole = whole[: whole.size // dtype.itemsize * dtype.itemsize]
        if whole.ctypes.data % min(dtype.itemsize, 8):
            self._bytes = whole = whole.copy()
        return truths(whole) if dtype.name == "bool" else whole.view(dtype.numpy)


def truths(content: np.ndarray) -> np.ndarray:
    """Bytes as truth values, in place: any but zero is true, where NumPy wants 0 and 1."""
    if content.size and content.max() > 1:
        np.minimum(content, 1, out=content)
    return content.view(np.bool_)


def part(storage: Storage, begin: int, size: int) -> Storage:
    """``size`` bytes of a storage from ``begin`` on: a storage that shows another's memory."""
    if begin < 0 or size < 0 or begin + size > storage.size:
        refuse("a view of a storage lies outside of it")
    return Storage(
        storage.kind, size, storage.location, lambda: storage.bytes()[begin : begin + size]
    )


def tensor_over(
    storage: Storage, dtype: DType, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> Tensor:
    """The tensor of ``size`` whose element at an index i is that of the storage at
    ``offset + Σ iₖ·strideₖ``.  It shares the memory of all tensors over this storage.

    Raises :class:`DataError` for one that does not lie within the storage; checked before any
    byte is read.
    """
    _check(storage, dtype, offset, size, stride)
    if 0 in size:
        try:
            empty = np.empty(size, dtype.numpy)
        except ValueError as error:
            refuse(f"no array can have the shape {size} ({error})")
        return cast(Tensor, lift(empty))
    elements = storage.elements(dtype)[offset:]
    steps = [count * dtype.itemsize for count in stride]
    try:
        array = np.lib.stride_tricks.as_strided(elements, size, steps)
    except ValueError as error:
        refuse(f"no array can have the shape {size} ({error})")
    return cast(Tensor, lift(array))


def _check(
    storage: Storage, dtype: DType, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    numbers = (offset, *size, *stride)
    if any(type(number) is not int or number < 0 for number in numbers):
        refuse(f"offset {offset}, shape {size} and strides {stride} are no numbers from 0 on")
    if len(size) != len(stride) or len(size) > MOST_AXES:
        refuse(f"shape {size} and strides {stride} do not fit each other")
    if math.prod(size) == 0:
        return
    last = offset + sum((extent - 1) * step for extent, step in zip(size, stride, strict=True))
    if (last + 1) * dtype.itemsize > storage.size:
        refuse(
            f"a tensor of shape {size} and strides {stride} from {offset} on needs "
            f"{(last + 1) * dtype.itemsize} bytes of a storage that has {storage.size}"
        )


# ---- what PyTorch's pickles call -----------------------------------------------------------------


def rebuild_tensor(
    storage: Any,
    storage_offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    backward_hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    """``torch._utils._rebuild_tensor_v2``: a tensor of the dtype of its storage."""
    dtype = known_dtype(_storage(storage).kind.dtype or "uint8")
    made = tensor_over(storage, dtype, storage_offset, tuple(size), tuple(stride))
    return _requiring(_resolved(made, metadata), requires_grad)


def _resolved(made: Tensor, metadata: Any) -> Tensor:
    """The numbers of a tensor whose conjugation or change of sign was still pending."""
    pending = metadata if isinstance(metadata, dict) else {}
    made = made.conj() if pending.get("conj") else made
    return made.neg() if pending.get("neg") else made


def rebuild_tensor_with_dtype(
    storage: Any,
    storage_offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    backward_hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Tensor:
    """``torch._utils._rebuild_tensor_v3``: a tensor of a dtype over plain bytes."""
    if not isinstance(dtype, DType):
        refuse("a tensor's dtype is none")
    made = tensor_over(_storage(storage), dtype, storage_offset, tuple(size), tuple(stride))
    return _requiring(made, requires_grad)


def rebuild_parameter(
    data: Any, requires_grad: Any = True, backward_hooks: Any = None, state: Any = None
) -> Parameter:
    """``torch._utils._rebuild_parameter``: a parameter over the memory of a tensor."""
    if not isinstance(data, Tensor):
        refuse(f"a parameter is made of a {type(data).__name__}")
    return Parameter(data, requires_grad=bool(requires_grad) and data.dtype.is_floating_point)


def rebuild_sparse(layout: Any, data: Any) -> Tensor:
    """``torch._utils._rebuild_sparse_tensor``: places, values and size, or bounds of rows."""
    parts = data if isinstance(data, tuple) else ()
    count = 2 if layout == "torch.sparse_coo" else 3
    tensors: Any = parts[:count]
    rest = parts[count:]
    if len(tensors) != count or not rest or not all(isinstance(t, Tensor) for t in tensors):
        refuse("a sparse tensor is not made of tensors and a size")
    try:
        if count == 2:
            known = bool(rest[1]) if len(rest) > 1 else None
            return sparse_coo_tensor(parts[0], parts[1], tuple(rest[0]), is_coalesced=known)
        kind = {"torch.sparse_csr": sparse_csr, "torch.sparse_csc": sparse_csc}.get(layout)
        return sparse_compressed_tensor(parts[0], parts[1], parts[2], tuple(rest[0]), layout=kind)
    except (PellucidError, TypeError) as error:
        refuse(f"a sparse tensor does not fit together: {error}")


def _requiring(tensor: Tensor, requires_grad: Any) -> Tensor:
    return tensor.requires_grad_(True) if requires_grad is True else tensor


def _storage(value: Any) -> Storage:
    if not isinstance(value, Storage):
        refuse(f"a tensor is made of a {type(value).__name__}")
    return value
