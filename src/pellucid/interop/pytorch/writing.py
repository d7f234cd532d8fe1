"""Files that PyTorch's ``load`` reads, also with ``weights_only=True``.

Tensors are written as PyTorch writes its own: the pickle holds the names of PyTorch's classes and
functions, the storages stand beside it.  What shows the same memory is written once and shows the
same memory when it is read.
"""

from __future__ import annotations

import bisect
import collections
import ctypes
import functools
import hashlib
import io
import pickle
import struct
import zipfile
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from pellucid.base.dtypes import DType
from pellucid.base.errors import ArgumentTypeError, PellucidError
from pellucid.base.shapes import Size
from pellucid.interop.pytorch.reading import MAGIC, PROTOCOL
from pellucid.interop.pytorch.storages import storage_name
from pellucid.nn.parameter import Buffer, Parameter
from pellucid.tensor.layout import Layout, sparse_coo, sparse_csr
from pellucid.tensor.sparse import SparseTensor
from pellucid.tensor.tensor import Tensor

ALIGNMENT = 64
"""Storages begin at multiples of this many bytes, so that files can be mapped into memory."""

_LOCAL_HEADER = 30  # bytes before the name of an entry
_ZIP64_EXTRA = 20  # what zipfile adds for entries of more than 2 GiB


@dataclass(frozen=True)
class _TorchName:
    """A name of PyTorch, which need not be installed for it to be written."""

    module: str
    name: str

    def __call__(self) -> None:
        """Never called here; pickle asks that what makes an object could be."""


_torch_name = functools.cache(_TorchName)
_TENSOR = _torch_name("torch._utils", "_rebuild_tensor_v2")
_PARAMETER = _torch_name("torch._utils", "_rebuild_parameter")
_SPARSE = _torch_name("torch._utils", "_rebuild_sparse_tensor")
_LAYOUT = _torch_name("torch.serialization", "_get_layout")


# ---- which memory belongs to the file ------------------------------------------------------------


@dataclass(eq=False)
class _Memory:
    """A stretch of memory, by addresses, that becomes a storage."""

    low: int
    high: int
    dtype: DType
    key: str = ""

    @property
    def count(self) -> int:
        """Number of elements."""
        return (self.high - self.low) // self.dtype.itemsize

    def content(self) -> Any:
        """Its bytes, without a copy; whoever asks keeps the tensors alive."""
        return memoryview((ctypes.c_char * (self.high - self.low)).from_address(self.low)).cast("B")


class _Storages:
    """The memory of all tensors in a file.

    The object is pickled twice.  The first time it is learnt which addresses its tensors show;
    those that overlap become one storage.  The second time each tensor gets its place in one.
    """

    def __init__(self) -> None:
        self.used: list[_Memory] = []
        self._seen: dict[tuple[str, int], list[_Memory]] = collections.defaultdict(list)
        self._joined: dict[tuple[str, int], list[_Memory]] = {}
        self._kept: list[np.ndarray] = []
        self.parts: dict[int, tuple[Any, ...]] = {}
        """What sparse tensors are made of, the same both times."""
        self._copies: dict[tuple[object, ...], np.ndarray] = {}

    def place(self, tensor: Tensor) -> tuple[_Memory, int, tuple[int, ...]]:
        """The storage of a tensor, its first element's position there, and its strides."""
        array = self._array(tensor)
        self._kept.append(array)
        item = array.itemsize
        low = array.__array_interface__["data"][0]
        steps = zip(array.shape, array.strides, strict=True)
        high = low + item + sum((n - 1) * step for n, step in steps) if array.size else low
        memory = self._memory(low, high, tensor.dtype)
        return memory, (low - memory.low) // item, tuple(step // item for step in array.strides)

    def _memory(self, low: int, high: int, dtype: DType) -> _Memory:
        kind = (dtype.name, low % dtype.itemsize)
        joined = self._joined.get(kind, [])
        at = bisect.bisect_right(joined, low, key=lambda memory: memory.low) - 1
        if at >= 0 and low < high <= joined[at].high:
            return joined[at]
        made = _Memory(low, high, dtype)
        self._seen[kind].append(made)
        return made

    def join(self) -> None:
        """Make one storage of those that overlap."""
        for kind, seen in self._seen.items():
            joined = self._joined[kind] = []
            for memory in sorted(seen, key=lambda memory: memory.low):
                if joined and memory.low < joined[-1].high:
                    joined[-1].high = max(joined[-1].high, memory.high)
                elif memory.low < memory.high:
                    joined.append(_Memory(memory.low, memory.high, memory.dtype))

    def use(self, memory: _Memory) -> str:
        """The storage's name in the file."""
        if not memory.key:
            memory.key = str(len(self.used))
            self.used.append(memory)
        return memory.key

    def _array(self, tensor: Tensor) -> np.ndarray:
        """The tensor's array; a copy, always the same one, where PyTorch has no such strides."""
        array: np.ndarray = tensor.array()
        if all(step >= 0 and step % array.itemsize == 0 for step in array.strides):
            return array
        key = (array.__array_interface__["data"][0], array.shape, array.strides, tensor.dtype.name)
        if key not in self._copies:
            self._copies[key] = np.array(array, order="C")
        return self._copies[key]


# ---- the pickle ----------------------------------------------------------------------------------


_Base: Any = pickle._Pickler  # the one written in Python, where any name can be written


class _Pickler(_Base):  # type: ignore[misc]
    """Writes tensors by the names under which PyTorch makes them again."""

    def __init__(self, stream: IO[bytes], protocol: int, storages: _Storages, old: bool) -> None:
        super().__init__(stream, protocol)
        self._storages = storages
        self._old = old

    def reducer_override(self, value: Any) -> Any:
        """How tensors are written; everything else as usual."""
        if isinstance(value, Size):
            return _torch_name("torch", "Size"), (tuple(value),)
        if isinstance(value, Parameter):
            return _PARAMETER, (value.detach(), value.requires_grad, collections.OrderedDict())
        if isinstance(value, SparseTensor):
            parts = self._storages.parts.setdefault(id(value), _parts_of(value))
            return _SPARSE, (value.layout, parts)
        if isinstance(value, Layout):
            return _LAYOUT, (str(value).replace("pellucid.", "torch."),)
        if isinstance(value, Tensor) and not isinstance(value, Buffer):
            memory, begin, strides = self._storages.place(value)
            hooks: dict[int, Any] = collections.OrderedDict()
            shape = tuple(value.shape)
            return _TENSOR, (memory, begin, shape, strides, value.requires_grad, hooks)
        return NotImplemented

    def persistent_id(self, value: Any) -> Any:
        """Storages stand outside of the pickle."""
        if not isinstance(value, _Memory):
            return None
        kind = _torch_name("torch", storage_name(value.dtype))
        reference = ("storage", kind, self._storages.use(value), "cpu", value.count)
        return (*reference, None) if self._old else reference

    def save_name(self, name: _TorchName) -> None:
        """A name of PyTorch, written without looking it up."""
        self.write(pickle.GLOBAL + f"{name.module}\n{name.name}\n".encode())
        self.memoize(name)

    def save_dtype(self, dtype: DType) -> None:
        """A dtype under its name in PyTorch."""
        self.save(_torch_name("torch", dtype.name))

    dispatch = {**_Base.dispatch, _TorchName: save_name, DType: save_dtype}


def _parts_of(value: SparseTensor) -> tuple[Any, ...]:
    """What PyTorch makes a sparse tensor of, its layout left aside."""
    entries = value._values().detach()
    if value.layout is sparse_coo:
        return value._indices(), entries, value.shape, value.is_coalesced()
    if value.layout is sparse_csr:
        return value.crow_indices(), value.col_indices(), entries, value.shape
    return value.ccol_indices(), value.row_indices(), entries, value.shape


def _pickled(value: Any, protocol: int, old: bool) -> tuple[bytes, _Storages]:
    """The pickle of an object, and the storages that stand beside it."""
    storages = _Storages()
    for _ in range(2):
        storages.used.clear()
        stream = io.BytesIO()
        try:
            _Pickler(stream, protocol, storages, old).dump(value)
        except PellucidError:
            raise
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise ArgumentTypeError(
                f"save got something that cannot be written to a file: {error}",
                "save tensors, numbers, texts and containers of them, such as model.state_dict()",
            ) from error
        storages.join()
    return stream.getvalue(), storages


# ---- the files -----------------------------------------------------------------------------------


def write_archive(value: Any, stream: IO[bytes], root: str, protocol: int = 2) -> None:
    """Write ``value`` in the zip format, whose entries stand under the folder ``root``."""
    content, storages = _pickled(value, protocol, old=False)
    digest = hashlib.sha256(content)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, stream, f"{root}/data.pkl", content)
        _add(archive, stream, f"{root}/.format_version", b"1")
        _add(archive, stream, f"{root}/.storage_alignment", str(ALIGNMENT).encode())
        _add(archive, stream, f"{root}/byteorder", b"little")
        for memory in storages.used:
            _add(archive, stream, f"{root}/data/{memory.key}", memory.content())
        _add(archive, stream, f"{root}/version", b"3\n")
        identity = f"{int(digest.hexdigest(), 16) % 10**40:040}"
        _add(archive, stream, f"{root}/.data/serialization_id", identity.encode())


def _add(archive: zipfile.ZipFile, stream: IO[bytes], name: str, content: Any) -> None:
    """Write an entry whose bytes begin at a multiple of :data:`ALIGNMENT`."""
    entry = zipfile.ZipInfo(name)
    entry.file_size = len(content)
    before = stream.tell() + _LOCAL_HEADER + len(name.encode()) + 4
    if entry.file_size * 1.05 > zipfile.ZIP64_LIMIT:
        before += _ZIP64_EXTRA
    padding = -before % ALIGNMENT
    entry.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
    with archive.open(entry, "w") as file:
        file.write(content)


def write_row_of_pickles(value: Any, stream: IO[bytes], protocol: int = 2) -> None:
    """Write ``value`` in the format of PyTorch before 1.6."""
    content, storages = _pickled(value, protocol, old=True)
    sizes = {"short": 2, "int": 4, "long": 4}
    machine = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": sizes}
    for part in (MAGIC, PROTOCOL, machine):
        stream.write(pickle.dumps(part, protocol))
    stream.write(content)
    stream.write(pickle.dumps([memory.key for memory in storages.used], protocol))
    for memory in storages.used:
        stream.write(struct.pack("<q", memory.count))
        stream.write(memory.content())
