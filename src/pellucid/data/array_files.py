"""Arrays in files: NumPy's ``.npy`` and ``.npz``, without pickled objects.

An array (rows, columns) is a table with columns ``column 1``, ``column 2``, …; a structured array
one with the names of its fields; several arrays of one length in an ``.npz`` are columns side by
side.  An array of more axes holds images, (rows, height, width) or (rows, height, width, channels).
"""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError
from pellucid.data.columns import Column, array_column
from pellucid.data.files import FREE_BYTES, MAX_RATIO, available_memory

Array = npt.NDArray[Any]
_LABELS = ("y", "label", "labels", "target", "targets")
_IMAGES = ("x", "image", "images", "features", "data")
_AGAIN = "Write the file again: numpy.save, or numpy.savez with named arrays."


def is_array_file(data: bytes) -> bool:
    """Whether the bytes of a file are ``.npy`` or ``.npz``."""
    if data[:6] == b"\x93NUMPY":
        return True
    return data[:4] == b"PK\x03\x04" and b".npy" in data[30 : 30 + 300]


def read_arrays(file: Path, data: bytes) -> dict[str, Array]:
    """The arrays of an ``.npy`` (under the name ``""``) or ``.npz`` file.

    Raises ``DataError`` for damaged files, for arrays of Python objects, whose reading would run
    code, and for more than the memory available.
    """
    if data[:6] == b"\x93NUMPY":
        return {"": _read(file, "the array", io.BytesIO(data), len(data))}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = {}
            left = min(max(FREE_BYTES, MAX_RATIO * len(data)), available_memory() // 2)
            for entry in archive.infolist():
                if not entry.filename.endswith(".npy"):
                    continue
                if entry.file_size > left:
                    raise DataError(
                        f"{file} unpacks to more than {left / 2**20:,.0f} MiB", "Give fewer rows."
                    )
                left -= entry.file_size
                name = entry.filename.removesuffix(".npy")
                with archive.open(entry) as stream:
                    found[name] = _read(file, f"array {name!r}", stream, entry.file_size)
            return found
    except DataError:
        raise
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
        OSError, struct.error,
    ) as error:  # fmt: skip
        raise DataError(f"{file} is a damaged .npz file: {error}", _AGAIN) from None


def _read(file: Path, what: str, stream: IO[bytes], size: int) -> Array:
    """One array; the size that its header declares is compared before anything is allocated."""
    formats = np.lib.format
    try:
        version = formats.read_magic(stream)
        read = formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        if dtype.hasobject:
            raise DataError(
                f"{what} of {file} holds Python objects, which are not read",
                "Write numbers, truth values, dates or texts: array.astype(float).",
            )
        count = math.prod(shape)
        if count * dtype.itemsize > size:
            raise DataError(
                f"{what} of {file} declares shape {shape} of {dtype}, more than the file holds",
                "The file is truncated or damaged: write it again.",
            )
        content = stream.read(count * dtype.itemsize)
        array = np.frombuffer(content, dtype, count)
        return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
    except DataError:
        raise
    except (ValueError, SyntaxError, TypeError, OverflowError, tokenize.TokenError) as error:
        raise DataError(f"{what} of {file} cannot be read: {error}", _AGAIN) from None


def columns_of_arrays(arrays: Mapping[str, Array], source: str) -> list[Column]:
    """Columns from arrays side by side: one for each column of an array (rows, columns)."""
    columns: list[Column] = []
    for name, array in arrays.items():
        if array.dtype.names:
            columns += [array_column(field, array[field]) for field in array.dtype.names]
        elif array.ndim == 1:
            columns.append(array_column(name or "column 1", array))
        elif array.ndim == 2:
            word = name or "column"
            single = array.shape[1] == 1 and name
            columns += [
                array_column(name if single else f"{word} {place + 1}", array[:, place])
                for place in range(array.shape[1])
            ]
        else:
            raise DataError(
                f"Array {name!r} of {source} has shape {array.shape}, no table",
                "A table has (rows, columns); images need labels beside them, as arrays x and y.",
            )
    return columns


def image_arrays(arrays: Mapping[str, Array]) -> dict[str, Array] | None:
    """``images`` and, where there are some, ``labels``, ``test_images`` and ``test_labels`` of
    arrays that hold images; None where they hold a table."""
    plain = {name.lower().replace("-", "_"): array for name, array in arrays.items()}
    if list(plain) == [""] and plain[""].ndim in (3, 4):
        return {"images": plain[""]}
    found: dict[str, Array] = {}
    for kind, words in (("images", _IMAGES), ("labels", _LABELS)):
        for word in words:
            for key, names in (
                (kind, (word, f"{word}_train", f"train_{word}")),
                (f"test_{kind}", (f"{word}_test", f"test_{word}")),
            ):
                match = next((plain[name] for name in names if name in plain), None)
                if match is not None:
                    found.setdefault(key, match)
    return found if found.get("images", np.empty(0)).ndim in (3, 4) else None
