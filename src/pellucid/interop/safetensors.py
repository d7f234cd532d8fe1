"""The safetensors format: named arrays in a file, without code in it.

A file is the length of its header (8 bytes, little-endian), the header (JSON: for each tensor its
dtype, shape, and first and last byte), then the bytes of all tensors, each in C order.
(Hugging Face, 2022: https://github.com/huggingface/safetensors.)

Whether a file is valid is decided by the format's own library, which is imported when a file is
read.  Two things are stricter here: a name that stands twice is refused, and so is a shape that
NumPy cannot hold.
"""

from __future__ import annotations

import contextlib
import json
import math
import mmap as memory_maps
import os
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from pellucid.base.dtypes import (
    DType,
    bfloat16,
    bool_,
    complex64,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.extras import needs
from pellucid.interop.files import replacing
from pellucid.tensor.core import lift
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor

_NAMES: dict[DType, str] = {
    bool_: "BOOL",
    uint8: "U8",
    int8: "I8",
    int16: "I16",
    int32: "I32",
    int64: "I64",
    float16: "F16",
    bfloat16: "BF16",
    float32: "F32",
    float64: "F64",
    complex64: "C64",
}
_TYPES = {name: dtype for dtype, name in _NAMES.items()}
_BY_ARRAY = {dtype.numpy: name for dtype, name in _NAMES.items()}
_METADATA = "__metadata__"

Array = npt.NDArray[np.generic]
Default = TypeVar("Default")


class Entry(NamedTuple):
    """What the header says of a tensor: the format's name of its dtype, its shape, and where its
    bytes begin and end, counted from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


# ---- writing -------------------------------------------------------------------------------------


def header(entries: Mapping[str, Entry], metadata: Mapping[str, str] | None = None) -> bytes:
    """The beginning of a file, up to the bytes of the tensors."""
    listed: dict[str, object] = {} if metadata is None else {_METADATA: _texts(metadata)}
    for name, entry in entries.items():
        if not isinstance(name, str) or name == _METADATA:
            raise ArgumentError(
                f"{name!r} cannot be the name of a tensor in a safetensors file",
                f"Names are texts other than {_METADATA}.",
            )
        offsets = [entry.start, entry.stop]
        listed[name] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": offsets}
    text = json.dumps(listed, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text


def name_of(dtype: np.dtype[Any]) -> str | None:
    """The format's name for the elements of an array, None where it has none."""
    return _BY_ARRAY.get(dtype)


def _texts(metadata: Mapping[str, str]) -> dict[str, str]:
    for name, text in metadata.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise ArgumentError(
                f"metadata holds {name!r}: {text!r}",
                "The format keeps texts by texts: give str(value), or json.dumps(value).",
            )
    return dict(metadata)


def save_file(
    tensors: Mapping[str, Tensor],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named tensors (such as ``model.state_dict()``) and texts to a file.

    The file appears under its name once it is complete.  Raises :class:`ArgumentError` for values
    that are no tensors, for complex128, which the format has not, and for metadata that are no
    texts.
    """
    arrays: list[Array] = []
    entries: dict[str, Entry] = {}
    offset = 0
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ArgumentError(
                f"save_file got a {type(tensor).__name__} as {name!r}", "pass tensors"
            )
        if tensor.dtype not in _NAMES:
            raise ArgumentError(
                f"{name!r} is of {tensor.dtype.name}, which a safetensors file cannot hold",
                "convert it: complex64 it can hold, or the parts by pellucid.view_as_real(x)",
            )
        array = np.ascontiguousarray(tensor.array())
        end = offset + array.nbytes
        entries[name] = Entry(_NAMES[tensor.dtype], tuple(tensor.shape), offset, end)
        arrays.append(array)
        offset = end
    text = header(entries, metadata)
    with replacing(Path(filename)) as file:
        file.write(text)
        for array in arrays:
            file.write(array.tobytes())


# ---- reading -------------------------------------------------------------------------------------


class PartlyReadable(dict[str, Tensor]):
    """Tensors by name, some of which have a dtype that Pellucid has not.

    Those are refused, by name, when they are asked for: ``tensors["name"]``, ``items()``,
    ``values()`` and everything else that would hand them out raise :class:`DataError`.  The others
    are tensors like any.  ``unreadable`` tells the dtypes; ``del tensors["name"]`` leaves one out.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], unreadable: Mapping[str, str], place: str
    ) -> None:
        super().__init__(tensors)
        self._unreadable = dict(unreadable)
        self._place = place

    @property
    def unreadable(self) -> dict[str, str]:
        """Names and dtypes (as the format calls them) of the tensors that cannot be read."""
        return dict(self._unreadable)

    def _refuse(self, name: str) -> NoReturn:
        others = f'del tensors["{name}"] leaves it out; the other tensors can be read by name.'
        raise DataError(
            f"The tensor {name!r} of {self._place} has the dtype {self._unreadable[name]}, which "
            "Pellucid has not",
            f"Convert it before it is written, to one of {', '.join(_TYPES)}. {others}",
        )

    def _check(self) -> None:
        for name in self._unreadable:
            self._refuse(name)

    def __missing__(self, name: str) -> Tensor:
        if name in self._unreadable:
            self._refuse(name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._unreadable

    def __len__(self) -> int:
        return super().__len__() + len(self._unreadable)

    def __iter__(self) -> Iterator[str]:
        yield from list(super().__iter__())
        yield from list(self._unreadable)

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """All names, those of unreadable tensors last."""
        return KeysView(self)

    def items(self) -> ItemsView[str, Tensor]:  # type: ignore[override]
        """Names and tensors; :class:`DataError` while there are unreadable ones."""
        self._check()
        return ItemsView(self)

    def values(self) -> ValuesView[Tensor]:  # type: ignore[override]
        """All tensors; :class:`DataError` while there are unreadable ones."""
        self._check()
        return ValuesView(self)

    def get(self, name: str, default: Default = None) -> Tensor | Default:  # type: ignore
        """The tensor ``name``, or ``default`` where the file has none."""
        return self[name] if name in self else default

    def pop(self, name: str, *default: Default) -> Tensor | Default:
        """Take the tensor ``name`` out."""
        if name in self._unreadable:
            self._refuse(name)
        return super().pop(name, *default)

    def __delitem__(self, name: str) -> None:
        if self._unreadable.pop(name, None) is None:
            super().__delitem__(name)

    def __repr__(self) -> str:
        readable = ", ".join(super().__iter__())
        return f"PartlyReadable(tensors: {readable}; unreadable: {self._unreadable})"


def load_file(
    filename: str | os.PathLike[str], device: DeviceLike = "cpu", *, mmap: bool = False
) -> dict[str, Tensor]:
    """The tensors of a file by name, in the order of its header.

    ``mmap=True`` leaves the bytes in the file until they are used; what is written to such tensors
    stays in memory.

    A tensor of a dtype that Pellucid has not (float8, uint16, uint32, uint64, …) is
    refused by name when it is asked for (:class:`PartlyReadable`); the others can be read.

    Raises :class:`DataError` for a file that the format does not allow, and for shapes that NumPy
    cannot hold; memory is taken for the header and for the bytes that are there.  Errors of the
    operating system (no such file) are raised as they are.
    """
    check_device(device)
    readable: dict[str, Tensor] = {}
    unreadable: dict[str, str] = {}
    with _opened(filename) as opened:
        mapped = _mapped(opened) if mmap else None
        for name, entry in opened.entries.items():
            if entry.dtype not in _TYPES:
                unreadable[name] = entry.dtype
                continue
            begin, length = opened.begin + entry.start, entry.stop - entry.start
            if mapped is not None and begin % _TYPES[entry.dtype].itemsize == 0:
                readable[name] = lift(_array(entry, mapped[begin : begin + length]))
                continue
            opened.file.seek(begin)
            content = bytearray(length)
            if opened.file.readinto(content) != len(content):
                raise _damaged(filename, f"it ended while {name!r} was read")
            readable[name] = lift(_array(entry, content))
    if unreadable:
        return PartlyReadable(readable, unreadable, os.fspath(filename))
    return readable


def _mapped(opened: _Opened) -> memoryview:
    """The file in memory, page by page as it is read; changes are not written to it."""
    return memoryview(memory_maps.mmap(opened.file.fileno(), 0, access=memory_maps.ACCESS_COPY))


def load_metadata(filename: str | os.PathLike[str]) -> dict[str, str]:
    """The texts that were saved with the tensors.  Raises as :func:`load_file`."""
    with _opened(filename) as opened:
        return opened.metadata


def load_arrays(content: bytes, where: str) -> dict[str, tuple[str, Array | None]]:
    """The tensors of a file's content: by name the dtype as the format calls it, and the array,
    which is None for a dtype that Pellucid has not.

    Raises :class:`DataError` as :func:`load_file`; ``where`` names the content in it.
    """
    with needs("weights", "Reading and writing weights"):
        from safetensors import SafetensorError, deserialize

    try:
        data = dict(deserialize(content))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise _damaged(where, str(error)) from None
    size = int.from_bytes(content[:8], "little")
    entries = _entries(_parsed(content[8 : 8 + size], where), where)
    return {
        name: (entry.dtype, _array(entry, data[name]["data"]) if entry.dtype in _TYPES else None)
        for name, entry in entries.items()
    }


class _Opened(NamedTuple):
    """A file that the format's library has accepted: its tensors and texts, and where the bytes of
    the tensors begin."""

    file: BufferedReader
    entries: dict[str, Entry]
    metadata: dict[str, str]
    begin: int


@contextlib.contextmanager
def _opened(filename: str | os.PathLike[str]) -> Iterator[_Opened]:
    """The file, while it is read."""
    with needs("weights", "Reading and writing weights"):
        from safetensors import SafetensorError, safe_open

    if os.path.exists(filename) and not os.path.isfile(filename):
        raise _damaged(filename, "it is a folder or a device")
    try:
        with safe_open(os.fspath(filename), framework="numpy"):
            pass  # the library reads and checks the header when it opens a file
    except SafetensorError as error:
        raise _damaged(filename, str(error)) from None
    with open(filename, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        length = os.fstat(file.fileno()).st_size
        if size > length - 8:
            raise _damaged(filename, "it changed while it was read")
        fields = _parsed(file.read(size), filename)
        metadata = fields.get(_METADATA)
        texts = metadata if isinstance(metadata, dict) else {}
        entries = _entries(fields, filename)
        if any(8 + size + entry.stop > length for entry in entries.values()):
            raise _damaged(filename, "it changed while it was read")
        yield _Opened(file, entries, texts, 8 + size)


def _parsed(text: bytes, where: str | os.PathLike[str]) -> dict[str, object]:
    """The header of a file that the library has accepted; a name must not stand twice in it."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise _damaged(where, "its header has a name twice")
        return made

    try:
        found = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise _damaged(where, f"its header is no JSON ({error})") from None
    if not isinstance(found, dict):
        raise _damaged(where, "its header is no object")
    return found


def _entries(fields: Mapping[str, object], where: str | os.PathLike[str]) -> dict[str, Entry]:
    """What an accepted header says of the tensors."""
    found = {}
    for name, value in fields.items():
        if name == _METADATA:
            continue
        try:
            shape = tuple(value["shape"])  # type: ignore[index]
            start, stop = value["data_offsets"]  # type: ignore[index]
            entry = Entry(value["dtype"], shape, start, stop)  # type: ignore[index]
            _check_shape(entry)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _damaged(where, f"its entry {name!r} cannot be used: {error}") from None
        if entry.dtype in _TYPES and _bytes(entry) != entry.stop - entry.start:
            raise _damaged(where, f"{name!r} does not fill its bytes")
        found[name] = entry
    return found


def _check_shape(entry: Entry) -> None:
    """``ValueError`` for a shape that NumPy cannot hold, without memory for its elements."""
    dtype = _TYPES[entry.dtype].numpy if entry.dtype in _TYPES else np.dtype(np.uint8)
    if 0 in entry.shape:
        np.empty(entry.shape, dtype)  # no elements, but extents whose product may be too large
    else:
        np.broadcast_to(np.empty((), dtype), entry.shape)


def _bytes(entry: Entry) -> int:
    return math.prod(entry.shape) * _TYPES[entry.dtype].itemsize


def _array(entry: Entry, content: bytearray | memoryview) -> Array:
    """The array of an entry; it owns the bytes, or shows those of the file."""
    dtype = _TYPES[entry.dtype]
    array: Array = np.frombuffer(content, np.uint8 if dtype is bool_ else dtype.numpy)
    if dtype is bool_:
        array = array != 0  # any byte but zero is true; NumPy wants 0 and 1
    return array.reshape(entry.shape)


def _damaged(filename: str | os.PathLike[str], what: str) -> DataError:
    return DataError(
        f"{os.fspath(filename)} is no safetensors file: {what}", "Fetch or write it again."
    )
