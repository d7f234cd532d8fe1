"""Reading idx files, the format in which MNIST and its relatives are published.

An idx file begins with two zero bytes, a byte for the type, a byte for the number of dimensions,
and the dimensions as big-endian 32-bit numbers; then come the values, row by row, big-endian
(LeCun, Cortes, Burges, "The MNIST database of handwritten digits", 1998).
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError, FileError
from pellucid.data.columns import nearest_names
from pellucid.data.tables import read_bytes

IDX_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
MAX_DIMENSIONS = 8
# Deflate packs at most 1032 to 1, so a gzip file cannot hold more than this times its size.
_MAX_GZIP_RATIO = 1040
_CHUNK = 1 << 20
_NAME = re.compile(
    r"(?:.*[-_.])?(train|t10k|test)[-_.](images|labels)[-_.]idx\d[-_.]ubyte(\.gz)?", re.IGNORECASE
)


@dataclass(frozen=True, eq=False)
class IdxFolder:
    """The arrays of a folder of idx files.

    ``train_images`` has shape (n, height, width), dtype as stored; ``train_labels`` (n,) int64.
    The test arrays have the same form, or are None when the folder holds no test files.
    """

    train_images: npt.NDArray[Any]
    train_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[Any] | None
    test_labels: npt.NDArray[np.int64] | None


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """The array in an idx file, gzipped or not, in the machine's byte order.

    The size that the header declares is compared with the file before anything of that size is
    allocated.  Raises ``FileError`` when the file cannot be read and ``DataError`` when it is no
    idx file, is truncated, or its header lies about its size.
    """
    file = Path(path)
    data = read_bytes(file)
    packed = data[:2] == b"\x1f\x8b"
    stream = gzip.GzipFile(fileobj=io.BytesIO(data)) if packed else io.BytesIO(data)
    head = _read(stream, 4, file, len(data))
    dtype = _check_magic(head, file)
    dimensions = head[3]
    sizes = _read(stream, 4 * dimensions, file, len(data))
    if len(sizes) < 4 * dimensions:
        raise DataError(
            f"{file} ends inside its idx header ({len(data)} bytes)", "Download the file again."
        )
    shape = tuple(int(size) for size in np.frombuffer(sizes, dtype=">u4"))
    declared = math.prod(shape) * dtype.itemsize
    most = len(data) * _MAX_GZIP_RATIO if packed else len(data)
    if declared > most:
        at_most = "at most " if packed else ""
        held = most if packed else len(data) - 4 - 4 * dimensions
        raise _size_error(file, shape, declared, f"{at_most}{held}")
    values = _read(stream, declared + 1, file, len(data))
    if len(values) != declared:
        held_text = str(len(values)) if len(values) < declared else "more"
        raise _size_error(file, shape, declared, held_text)
    array = np.frombuffer(values, dtype=dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _check_magic(head: bytes, file: Path) -> np.dtype[Any]:
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES:
        raise DataError(
            f"{file} is not an idx file: it begins with {head.hex(' ') or 'nothing'}",
            "An idx file begins with 00 00, a type (08, 09, 0b, 0c, 0d, 0e) and a rank.",
        )
    if not 1 <= head[3] <= MAX_DIMENSIONS:
        raise DataError(
            f"{file} declares {head[3]} dimensions",
            f"An idx file has between 1 and {MAX_DIMENSIONS}; download the file again.",
        )
    return IDX_TYPES[head[2]]


def _size_error(file: Path, shape: tuple[int, ...], declared: int, held: str) -> DataError:
    return DataError(
        f"The idx header of {file} declares shape {shape}, {declared} bytes of values; "
        f"the file holds {held}",
        "The file is truncated or damaged: download it again.",
    )


def _read(stream: Any, count: int, file: Path, size: int) -> bytes:
    """Up to ``count`` bytes; memory grows with what is there, not with what is asked for."""
    pieces: list[bytes] = []
    left = count
    try:
        while left > 0 and (piece := stream.read(min(left, _CHUNK))):
            pieces.append(piece)
            left -= len(piece)
    except EOFError:
        raise DataError(
            f"{file} is a truncated gzip file: it ends after {size} bytes, before its end marker",
            "Download or copy the file again.",
        ) from None
    except (OSError, zlib.error) as error:
        raise DataError(
            f"{file} is a damaged gzip file: {error}", "Download or copy the file again."
        ) from None
    return b"".join(pieces)


def read_mnist_folder(folder: str | os.PathLike[str]) -> IdxFolder:
    """The training and test arrays of a folder with files named as MNIST's.

    Names are ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same with ``t10k``
    (or ``test``); a dot may stand for a dash, ``.gz`` may follow, and a name of the data set may
    come first.  Test files are optional.

    Raises ``FileError`` when the folder or a file is missing, and ``DataError`` when images and
    labels do not fit each other.
    """
    root = Path(folder)
    files = _find_files(root)
    train_images, train_labels = _read_pair(root, files, "train")
    test_images: npt.NDArray[Any] | None = None
    test_labels: npt.NDArray[np.int64] | None = None
    if ("test", "images") in files or ("test", "labels") in files:
        test_images, test_labels = _read_pair(root, files, "test")
        if test_images.shape[1:] != train_images.shape[1:]:
            raise DataError(
                f"In {root} the training images have shape {train_images.shape[1:]}, "
                f"the test images {test_images.shape[1:]}",
                "Use files of one data set.",
            )
    return IdxFolder(train_images, train_labels, test_images, test_labels)


def holds_idx(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a file named as MNIST's are."""
    with contextlib.suppress(OSError):
        return any(_NAME.fullmatch(entry.name) for entry in Path(folder).iterdir())
    return False


def _find_files(root: Path) -> dict[tuple[str, str], Path]:
    try:
        names = sorted(entry.name for entry in root.iterdir())
    except FileNotFoundError:
        raise FileError(f"There is no folder {root}", _siblings(root)) from None
    except OSError as error:
        raise FileError(
            f"The folder {root} cannot be read: {error.strerror}", "Check its permissions."
        ) from None
    files: dict[tuple[str, str], Path] = {}
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        part = "train" if match[1].lower() == "train" else "test"
        key = (part, match[2].lower())
        if key in files and files[key].name.lower() + ".gz" != name.lower():
            raise DataError(
                f"{root} holds two files of {part} {key[1]}: {files[key].name} and {name}",
                "Put each data set into a folder of its own.",
            )
        files.setdefault(key, root / name)
    return files


def _siblings(root: Path) -> str:
    try:
        names = sorted(entry.name for entry in root.parent.iterdir())
    except OSError:
        return "Check the path."
    return f"In {root.parent}: " + nearest_names(root.name, names)


def _read_pair(
    root: Path, files: dict[tuple[str, str], Path], part: str
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    for what, rank in (("images", 3), ("labels", 1)):
        if (part, what) not in files:
            name = f"{'train' if part == 'train' else 't10k'}-{what}-idx{rank}-ubyte"
            raise FileError(
                f"{root} holds no file of {part} {what}",
                f"A file named {name}, or {name}.gz, was expected.",
            )
    images_file, labels_file = files[part, "images"], files[part, "labels"]
    images, labels = read_idx(images_file), read_idx(labels_file)
    if images.ndim < 2 or 0 in images.shape:
        raise DataError(
            f"{images_file} holds an array of shape {images.shape}, images were expected",
            "Images have shape (n, height, width).",
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"{labels_file} holds {labels.dtype} values of shape {labels.shape}",
            "Labels are whole numbers, one for each image.",
        )
    if len(images) != len(labels):
        raise DataError(
            f"{images_file.name} holds {len(images)} images, "
            f"{labels_file.name} {len(labels)} labels",
            "Use the two files that belong together.",
        )
    return images, labels.astype(np.int64)
