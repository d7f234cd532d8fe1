"""Weights from files of any kind, in one file or in shards.

| what | read as |
| --- | --- |
| ``NAME.safetensors`` | the safetensors format |
| ``NAME.pt``, ``.pth``, ``.bin``, ``.ckpt`` and whatever begins like them | PyTorch's files |
| ``NAME.npz``, ``NAME.npy`` | NumPy's arrays |
| ``NAME.index.json`` | a list that says which shard, beside it, holds which tensor |
| a folder | the file in it that is called as weights usually are |
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from pellucid.base.dtypes import as_dtype
from pellucid.base.errors import ArgumentError, DataError, DTypeError
from pellucid.interop.files import replacing
from pellucid.interop.pytorch.names import find, set_state
from pellucid.interop.pytorch.pickles import Global
from pellucid.interop.pytorch.reading import read
from pellucid.interop.safetensors import load_file, save_file
from pellucid.tensor.creation import from_numpy
from pellucid.tensor.tensor import Tensor

_USUAL = (
    "model.safetensors.index.json",
    "model.safetensors",
    "weights.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
)
_AGAIN = "Fetch or write it again."
_MOST_INDEX_BYTES = 1 << 26
_MEMBERS = ("_parameters", "_buffers", "_modules")  # of a module; no part of a tensor's name
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def load_weights(path: str | os.PathLike[str], *, mmap: bool = False) -> dict[str, Tensor]:
    """All tensors of a file, of shards or of a folder, by name.

    Tensors within containers get the keys on the way to them, joined by points: those of
    ``{"model": state_dict}`` are called ``"model.0.weight"`` and so on; those of a whole model, of
    whatever class, have the names that its state dict gives them.  ``mmap=True`` leaves bytes
    in files until they are used, where the format allows it.  Nothing is executed.

    Raises :class:`DataError` for files that are damaged or of another kind, and the operating
    system's errors as they are.
    """
    place = Path(path)
    if place.is_dir():
        found = next((place / name for name in _USUAL if (place / name).is_file()), None)
        if found is None:
            raise DataError(
                f"{place} holds no weights under a usual name", f"One of: {', '.join(_USUAL)}."
            )
        place = found
    if place.name.endswith(".json"):
        return _sharded(place, mmap)
    return _of_file(place, mmap)


def _of_file(place: Path, mmap: bool) -> dict[str, Tensor]:
    suffix = place.suffix.lower()
    if suffix == ".safetensors":
        return load_file(place, mmap=mmap)
    if suffix in (".npz", ".npy"):
        return _of_numpy(place)
    with place.open("rb") as stream:
        mapped = place if mmap and stream.read(2) == b"PK" else None
        stream.seek(0)
        found = read(stream, os.fspath(place), names=_find, build=_build, mapped=mapped)
        return dict(_tensors(found, ""))


class _Unknown(dict[str, Any]):
    """An object of a class that is not known, with its attributes: a whole model, its settings.
    Its tensors are found without the class being looked for."""


def _find(module: str, name: str) -> Global:
    try:
        return find(module, name)
    except DataError:
        return Global(_Unknown, _unknown, _unknown)


def _unknown(*arguments: Any, **keywords: Any) -> _Unknown:
    return _Unknown(
        {str(number): argument for number, argument in enumerate(arguments)}, **keywords
    )


def _build(made: Any, state: Any) -> None:
    if isinstance(made, _Unknown):
        made.update(state if isinstance(state, dict) else {"state": state})
    else:
        set_state(made, state)


def _tensors(value: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors in nested containers.  One container in many places is walked through once, so
    that a few of them inside one another do not become many."""
    seen: set[int] = set()
    waiting = [(prefix, value)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Tensor):
            yield name or "tensor", value
            continue
        if isinstance(value, np.ndarray):
            try:
                as_dtype(value.dtype)
            except DTypeError:
                continue
            yield name or "array", from_numpy(np.ascontiguousarray(value))
            continue
        if id(value) in seen or not isinstance(value, Mapping | list | tuple):
            continue
        seen.add(id(value))
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        hidden = _MEMBERS if isinstance(value, _Unknown) else ()
        waiting += [
            (name if key in hidden else f"{name}.{key}" if name else str(key), part)
            for key, part in items
        ][::-1]


def _of_numpy(place: Path) -> dict[str, Tensor]:
    """NumPy's own reader, which checks an array's size against the file; no pickled objects."""
    try:
        with place.open("rb") as stream:
            if stream.read(2) == b"PK":
                stream.seek(0)
                return dict(_tensors(_of_archive(stream, place.stat().st_size), ""))
            stream.seek(0)
            return dict(_tensors(_numpy_array(stream, place.stat().st_size), ""))
    except OSError:
        raise
    except Exception as error:  # of many kinds, from zipfile, zlib and NumPy
        said = error.message if isinstance(error, DataError) else error
        raise DataError(f"{place} cannot be read: {said}", _AGAIN) from None


def _of_archive(stream: IO[bytes], length: int) -> dict[str, np.ndarray]:
    """The arrays of an archive.  It must not claim to become far larger than it is: compression
    by deflate reaches a factor of about 1000."""
    found = {}
    with zipfile.ZipFile(stream) as archive:
        claimed = sum(entry.file_size for entry in archive.infolist())
        if claimed > 1100 * length:
            raise DataError(f"it claims {claimed} bytes", _AGAIN)
        for entry in archive.infolist():
            with archive.open(entry) as part:
                found[entry.filename.removesuffix(".npy")] = _numpy_array(part, entry.file_size)
    return found


def _numpy_array(stream: IO[bytes], length: int) -> np.ndarray:
    """An array whose header says no more than the ``length`` bytes can hold."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > length:
        raise DataError(f"it claims an array of shape {shape} of {dtype}", _AGAIN)
    stream.seek(0)
    array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
    return array


# ---- shards --------------------------------------------------------------------------------------


def _sharded(index: Path, mmap: bool) -> dict[str, Tensor]:
    names = _index(index)
    loaded = {shard: _of_file(index.parent / shard, mmap) for shard in sorted(set(names.values()))}
    found = {}
    for name, shard in names.items():
        if name not in loaded[shard]:
            raise DataError(
                f"{index} says that {shard} holds {name!r}, which it does not",
                "Fetch all shards of one version.",
            )
        found[name] = loaded[shard][name]
    return found


def _index(index: Path) -> dict[str, str]:
    """Tensor → shard; shards are files beside the index."""
    if index.stat().st_size > _MOST_INDEX_BYTES:
        raise DataError(f"{index} is too long for a list of shards", "Fetch it again.")
    try:
        names = json.loads(index.read_bytes())["weight_map"]
    except (ValueError, KeyError, TypeError, RecursionError):
        names = None
    if not isinstance(names, dict) or not all(isinstance(s, str) for s in names.values()):
        raise DataError(
            f"{index} is no list of shards", 'It needs {"weight_map": {"NAME": "FILE", …}}.'
        )
    for shard in set(names.values()):
        if Path(shard).name != shard or shard in ("", ".", "..") or "\\" in shard:
            raise DataError(
                f"{index} names the shard {shard!r}", "Shards are files beside the list."
            )
        if not (index.parent / shard).is_file():
            raise DataError(f"{index} names {shard}, which is not there", "Fetch all shards.")
    return names


def save_sharded(
    tensors: Mapping[str, Tensor],
    folder: str | os.PathLike[str],
    max_shard_size: int | str = "5GB",
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write named tensors as safetensors files of at most ``max_shard_size`` bytes (a number, or a
    text such as ``"200MB"``), and the list of them; returns the path of the list.

    The names are the usual ones, ``model-00001-of-00003.safetensors`` and
    ``model.safetensors.index.json``.  A tensor that is larger gets a file of its own.
    """
    limit = _bytes(max_shard_size)
    shards: list[dict[str, Tensor]] = [{}]
    filled = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.dtype.itemsize
        if shards[-1] and filled + size > limit:
            shards.append({})
            filled = 0
        shards[-1][name] = tensor
        filled += size
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    names = {}
    for number, shard in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        save_file(shard, place / file, metadata)
        names.update(dict.fromkeys(shard, file))
    total = sum(tensor.numel() * tensor.dtype.itemsize for tensor in tensors.values())
    text = json.dumps({"metadata": {"total_size": total}, "weight_map": names}, indent=2)
    index = place / "model.safetensors.index.json"
    with replacing(index) as stream:
        stream.write(text.encode())
    return index


def _bytes(size: int | str) -> int:
    """A number of bytes, or a text with a unit."""
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return size
    text = str(size).strip().upper()
    for unit, factor in _UNITS.items():
        number = text.removesuffix(unit)
        if number != text and number.strip().isdigit() and int(number) > 0:
            return int(number) * factor
    raise ArgumentError(
        f"max_shard_size is {size!r}", 'give a number of bytes, or a text such as "200MB" or "5GB"'
    )
