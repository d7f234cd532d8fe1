"""Files that PyTorch's ``save`` wrote, read without PyTorch and without executing anything.

Since version 1.6 such a file is a zip archive, uncompressed: ``NAME/data.pkl`` is a pickle in which
tensors refer to storages by number, ``NAME/data/0``, ``NAME/data/1``, … are the storages' bytes,
``NAME/byteorder`` says how numbers are written.  Before, it was a row of pickles (a magic number, a
version, the writer's number formats, the object, the storages' keys) with the storages behind them.
Both are still written today.
"""

from __future__ import annotations

import errno
import io
import mmap as memory_maps
import os
import struct
import zipfile
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from pellucid.base.errors import DataError
from pellucid.interop.pytorch.names import find, set_state
from pellucid.interop.pytorch.pickles import MOST_BYTES, Bounded, Find, Reader, refuse
from pellucid.interop.pytorch.storages import Storage, StorageKind, known_dtype, part, truths

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
Place = Callable[[Storage, str], object]
"""Told of each storage and of the device that it was on."""


def read(
    stream: IO[bytes],
    where: str,
    *,
    names: Find = find,
    build: Callable[[Any, Any], None] = set_state,
    place: Place = lambda storage, location: None,
    encoding: str = "utf-8",
    mapped: str | os.PathLike[str] | None = None,
) -> object:
    """The object in a file, whose tensors share memory where they did when it was written.

    ``where`` names the file in errors; ``mapped`` is its path where its storages shall stay in the
    file until they are used (zip format only).  Raises :class:`DataError`.
    """
    begin = stream.tell()
    start = stream.read(8)
    stream.seek(begin)
    try:
        if start.startswith(b"PK"):
            return _read_archive(stream, names, build, place, encoding, mapped)
        if mapped is not None:
            refuse("only files in the zip format can be mapped into memory (mmap=True)")
        if b"ustar" in stream.read(512):
            refuse("it is a tar archive, as PyTorch wrote them before 2017")
        stream.seek(begin)
        return _read_row_of_pickles(stream, names, build, place, encoding)
    except DataError as error:
        message = f"{where} cannot be read: {error.message}"
        raise DataError(message, error.hint) from error.__cause__
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # a seek to a place before the beginning
            raise
        raise _broken(where, error) from None
    except Exception as error:  # what zipfile raises for damaged files, of many kinds
        raise _broken(where, error) from None


def _broken(where: str, error: Exception) -> DataError:
    return DataError(f"{where} cannot be read: it is damaged ({error})", "Fetch or write it again.")


# ---- the zip format ------------------------------------------------------------------------------


class Archive:
    """A zip archive of which nothing is believed: every entry is stored as it is, lies within the
    file, has a name of its own, and all together are no longer than the file."""

    def __init__(self, stream: IO[bytes], mapped: str | os.PathLike[str] | None) -> None:
        self._zip = zipfile.ZipFile(stream)
        self._stream = stream
        self._mapped = mapped
        self._map: memory_maps.mmap | None = None
        entries = self._zip.infolist()
        stream.seek(0, io.SEEK_END)
        length = stream.tell()
        if len({entry.filename for entry in entries}) != len(entries):
            refuse("two entries of the archive have one name")
        if sum(entry.file_size for entry in entries) > length:
            refuse("its entries claim more bytes than the file has")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                refuse(f"its entry {entry.filename!r} is compressed or encrypted")
            if entry.file_size != entry.compress_size:
                refuse(f"its entry {entry.filename!r} has two sizes")
        self._entries = {entry.filename: entry for entry in entries}
        found = [name for name in self._entries if name.split("/", 1)[-1] == "data.pkl"]
        if len(found) != 1:
            refuse("it is a zip archive, but none that PyTorch's save writes (no data.pkl)")
        self._root = found[0].removesuffix("data.pkl")

    def has(self, name: str) -> bool:
        """Whether there is such an entry."""
        return self._root + name in self._entries

    def size(self, name: str) -> int:
        """Bytes of an entry."""
        entry = self._entries.get(self._root + name)
        if entry is None:
            refuse(f"its entry {name!r} is missing")
        return entry.file_size

    def bytes(self, name: str) -> bytes:
        """The content of an entry; its check sum is compared."""
        self.size(name)
        return self._zip.read(self._root + name)

    def array(self, name: str) -> np.ndarray:
        """The content of an entry as a writable array of uint8."""
        size = self.size(name)
        if self._mapped is not None:
            return self._mapping(self._entries[self._root + name])
        content = np.empty(size, np.uint8)
        with self._zip.open(self._root + name) as entry:
            if entry.readinto(content.data) != size:  # type: ignore[attr-defined]
                refuse(f"its entry {name!r} ended early")
        return content

    def _mapping(self, entry: zipfile.ZipInfo) -> np.ndarray:
        """An entry's bytes where they lie in the file; what is written to them stays in memory."""
        self._stream.seek(entry.header_offset)
        header = _LOCAL_HEADER.unpack(self._stream.read(_LOCAL_HEADER.size))
        begin = entry.header_offset + _LOCAL_HEADER.size + header[-2] + header[-1]
        if header[0] != b"PK\x03\x04" or not entry.file_size:
            return np.empty(0, np.uint8)
        if self._map is None:
            with open(self._mapped, "rb") as file:  # type: ignore[arg-type]
                self._map = memory_maps.mmap(file.fileno(), 0, access=memory_maps.ACCESS_COPY)
        if begin + entry.file_size > len(self._map):
            refuse(f"its entry {entry.filename!r} lies outside of the file")
        return np.frombuffer(self._map, np.uint8, entry.file_size, begin)


def _read_archive(
    stream: IO[bytes],
    names: Find,
    build: Callable[[Any, Any], None],
    place: Place,
    encoding: str,
    mapped: str | os.PathLike[str] | None,
) -> object:
    archive = Archive(stream, mapped)
    if archive.has("constants.pkl"):
        refuse("it is a TorchScript program, which holds code; save the model's state_dict()")
    order = archive.bytes("byteorder").decode("ascii") if archive.has("byteorder") else "little"
    if order not in ("little", "big"):
        refuse(f"its numbers have the byte order {order!r}")
    storages: dict[str, Storage] = {}

    def refer(reference: Any) -> Storage:
        kind, key, location, count = _reference(reference, 5)
        if key not in storages:
            entry = f"data/{key}"
            size = archive.size(entry)
            if count * _itemsize(kind) > size:
                refuse(f"storage {key} has {size} bytes for {count} elements")

            def content() -> np.ndarray:
                return _ordered(archive.array(entry), kind, order)

            storages[key] = Storage(kind, size, location, content)
            place(storages[key], location)
        return storages[key]

    if archive.size("data.pkl") > MOST_BYTES:
        refuse(f"its pickle has {archive.size('data.pkl')} bytes; {MOST_BYTES} are read at most")
    reader = Reader(io.BytesIO(archive.bytes("data.pkl")), names, refer, build, encoding)
    return reader.load()


def _reference(value: Any, length: int) -> tuple[StorageKind, str, str, int]:
    """What a tensor's reference to its storage says."""
    if not isinstance(value, tuple) or len(value) < length or value[0] != "storage":
        refuse("it refers to something that is no storage")
    _, kind, key, location, count, *_ = value
    if not isinstance(kind, StorageKind) or type(count) is not int or count < 0:
        refuse("a storage has no kind or no size")
    if not isinstance(key, str) or not key.isalnum():
        refuse(f"a storage has the key {key!r}")
    return kind, key, str(location), count


def _itemsize(kind: StorageKind) -> int:
    return known_dtype(kind.dtype or "uint8").itemsize


def _ordered(content: np.ndarray, kind: StorageKind, order: str) -> np.ndarray:
    """The bytes with numbers as this machine writes them."""
    size = _itemsize(kind)
    if order == "little" or size == 1:
        return content
    number = size // 2 if kind.dtype.startswith("complex") else size
    rows = content[: content.size // number * number].reshape(-1, number)
    return np.ascontiguousarray(rows[:, ::-1]).reshape(-1)


# ---- the format before ---------------------------------------------------------------------------


def _read_row_of_pickles(
    stream: IO[bytes],
    names: Find,
    build: Callable[[Any, Any], None],
    place: Place,
    encoding: str,
) -> object:
    """Tensors are made before their bytes are read, which come behind all pickles."""
    begin = stream.tell()
    left = stream.seek(0, io.SEEK_END) - begin
    stream.seek(begin)
    storages: dict[str, Storage] = {}

    def refer(reference: Any) -> Storage:
        nonlocal left
        if isinstance(reference, tuple) and reference[:1] == ("module",):
            refuse("it holds a whole model with its source code; save the model's state_dict()")
        kind, key, location, count = _reference(reference, 5)
        item = _itemsize(kind)
        if key not in storages:
            left -= count * item
            if left < 0:
                refuse("its storages claim more bytes than the file has")
            content = np.zeros(count * item, np.uint8)
            storages[key] = Storage(kind, content.size, location, lambda: content)
            place(storages[key], location)
        view = reference[5] if len(reference) > 5 else None
        if view is None:
            return storages[key]
        _, offset, length = view
        return part(storages[key], offset * item, length * item)

    reader = Reader(Bounded(stream), names, refer, build, encoding)
    _check_start(reader)
    found = reader.load()
    keys = reader.load()
    if not isinstance(keys, list) or set(keys) != set(storages) or len(keys) != len(storages):
        refuse("its storages are not those that its tensors name")
    for key in keys:
        _fill(storages[key], key, stream)
    return found


def _check_start(reader: Reader) -> None:
    if reader.load() != MAGIC:
        refuse("it is neither a zip archive nor a file of PyTorch's format before 1.6")
    version = reader.load()
    if version != PROTOCOL:
        refuse(f"it has version {version!r} of PyTorch's old format; {PROTOCOL} is known")
    machine = reader.load()
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        refuse("its numbers are written with the highest byte first")


def _fill(storage: Storage, key: str, stream: IO[bytes]) -> None:
    """Read a storage's bytes into the memory that its tensors show."""
    (count,) = struct.unpack("<q", stream.read(8))
    content = storage.bytes()
    if count * _itemsize(storage.kind) != content.size:
        refuse(f"storage {key} has {count} elements where its tensors name another number")
    if stream.readinto(content.data) != content.size:  # type: ignore[attr-defined]
        refuse(f"it ends within storage {key}")
    if storage.kind.dtype == "bool":
        truths(content)
