"""The safetensors format: named arrays in a file, without code in it.

A file is the length of its header (8 bytes, little-endian), the header (JSON: for each tensor its
dtype, shape, and first and last byte), then the bytes of all tensors, each in C order.
(Hugging Face, 2022: https://github.com/huggingface/safetensors.)
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.base.dtypes import (
    DType,
    bfloat16,
    bool_,
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
from pellucid.tensor.core import lift
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
}
_TYPES = {name: dtype for dtype, name in _NAMES.items()}
_LONGEST_HEADER = 100_000_000
"""Bytes; the limit that the format's own reader sets."""


def save_file(
    tensors: Mapping[str, Any],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named tensors (such as ``model.state_dict()``) and texts to a file.

    The file appears under its name once it is complete.
    """
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    arrays: list[np.ndarray] = []
    offset = 0
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ArgumentError(
                f"save_file got a {type(tensor).__name__} as {name!r}", "pass tensors"
            )
        array = np.ascontiguousarray(tensor.array())
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
        arrays.append(array)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    path = Path(filename)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(len(text).to_bytes(8, "little"))
            file.write(text)
            for array in arrays:
                file.write(array.tobytes())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load_file(filename: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a file by name.  Raises :class:`DataError` for a file that is damaged."""
    data = Path(filename).read_bytes()
    header, start = _header(data, filename)
    result = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape = _TYPES[entry["dtype"]], tuple(int(n) for n in entry["shape"])
            first, last = (int(n) for n in entry["data_offsets"])
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(filename, f"its entry {name!r} says {entry!r}") from error
        wrong = first < 0 or min(shape, default=0) < 0 or start + last > len(data)
        if wrong or last - first != math.prod(shape) * dtype.itemsize:
            raise _damaged(filename, f"{name!r} does not fill the bytes {first} to {last}")
        array = np.frombuffer(data, dtype.numpy, math.prod(shape), start + first)
        result[name] = lift(array.reshape(shape).copy())  # (n,) -> shape
    return result


def load_metadata(filename: str | os.PathLike[str]) -> dict[str, str]:
    """The texts that were saved with the tensors."""
    found = _header(Path(filename).read_bytes(), filename)[0].get("__metadata__", {})
    return {str(name): str(text) for name, text in found.items()}


def _header(data: bytes, filename: Any) -> tuple[dict[str, Any], int]:
    """The header, and where the tensors begin."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(_LONGEST_HEADER, len(data) - 8):
        raise _damaged(filename, f"it has {len(data)} bytes")
    try:
        header = json.loads(data[8 : 8 + length])
    except ValueError as error:
        raise _damaged(filename, "its header is no JSON") from error
    if not isinstance(header, dict):
        raise _damaged(filename, "its header is no object")
    return header, 8 + length


def _damaged(filename: Any, what: str) -> DataError:
    return DataError(
        f"{os.fspath(filename)} is no safetensors file: {what}", "Fetch or write it again."
    )
