"""``save`` and ``load``: files that PyTorch reads and that PyTorch wrote.

Nothing that a file holds is executed.  What it may name is a list; the rest is refused by name.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.interop.files import replacing
from pellucid.interop.pytorch.modules import build_module, find_with_modules
from pellucid.interop.pytorch.names import (
    add_safe_globals,
    clear_safe_globals,
    find,
    get_safe_globals,
    safe_globals,
    set_state,
)
from pellucid.interop.pytorch.reading import read
from pellucid.interop.pytorch.storages import Storage
from pellucid.interop.pytorch.writing import write_archive, write_row_of_pickles
from pellucid.tensor.device import Device, check_device

FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
"""A path, or an open binary file."""
MapLocation: TypeAlias = (
    Callable[[Storage, str], object] | Device | str | Mapping[str, str | Device] | None
)
"""Where tensors go: a device, a table from device to device, or a function that is told of each
storage and the device it was on."""


def save(
    obj: object,
    f: FileLike,
    pickle_module: object = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write an object, such as ``model.state_dict()`` or a dict of them, to a file.

    PyTorch's ``load`` reads the file, also with ``weights_only=True``, as long as it holds tensors,
    numbers, texts and containers of them.  A path gets its file when it is complete; what stood
    there before stays until then.  Tensors that show the same memory still do so after loading.
    Other objects, whole modules included, are written as Python's pickle writes them.

    Raises :class:`ArgumentTypeError` for what cannot be written.  ``pickle_module`` is accepted and
    has no effect.
    """
    if not isinstance(pickle_protocol, int) or not 2 <= pickle_protocol <= 5:
        raise ArgumentError(
            f"save got pickle_protocol={pickle_protocol!r}", "PyTorch reads 2, which is the default"
        )
    if isinstance(f, str | os.PathLike):
        with replacing(Path(f)) as stream:
            _write(obj, stream, Path(f).stem, pickle_protocol, _use_new_zipfile_serialization)
    elif hasattr(f, "write"):
        content = io.BytesIO()  # at first, for whoever cannot seek, and to be complete or absent
        _write(obj, content, "archive", pickle_protocol, _use_new_zipfile_serialization)
        f.write(content.getbuffer())
    else:
        raise ArgumentTypeError(
            f"save got a {type(f).__name__} as the file", "give a path or a file opened with 'wb'"
        )


def _write(obj: object, stream: IO[bytes], root: str, protocol: int, as_archive: bool) -> None:
    if as_archive:
        write_archive(obj, stream, root or "archive", protocol)
    else:
        write_row_of_pickles(obj, stream, protocol)


def load(
    f: FileLike,
    map_location: MapLocation = None,
    pickle_module: object = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    encoding: str = "utf-8",
) -> Any:
    """The object in a file that :func:`save` or PyTorch's ``save`` wrote.

    Nothing is executed, whoever wrote the file: it may hold tensors, numbers, texts, containers,
    arrays of NumPy and what :func:`add_safe_globals` allows.  Everything else is refused by name.
    With ``weights_only=False`` whole modules are read as well, if their classes are Pellucid's or
    belong to modules that the program has imported; they are put together from their attributes,
    without calling ``__init__`` or any function of theirs.

    Tensors come to the CPU, wherever they were.  ``map_location`` is checked: a device that is not
    there is refused; a function is called with each storage and its old device.  ``mmap=True``
    leaves the bytes in the file until they are used (a path is needed); what is written to such
    tensors stays in memory.  ``encoding`` is that of texts written by Python 2.

    Raises :class:`DataError` for files that are damaged, hostile or of another kind, and the
    operating system's errors (``FileNotFoundError``) as they are.
    """
    place = _placing(map_location)
    whole = weights_only is False
    find_name = find_with_modules if whole else find
    build = build_module if whole else set_state

    def reading(stream: IO[bytes], where: str, mapped: str | os.PathLike[str] | None) -> Any:
        return read(
            stream,
            where,
            names=find_name,
            build=build,
            place=place,
            encoding=encoding,
            mapped=mapped,
        )

    if isinstance(f, str | os.PathLike):
        with open(f, "rb") as stream:
            return reading(stream, os.fspath(f), f if mmap else None)
    if mmap:
        raise ArgumentError("load got mmap=True and an open file", "give the path of the file")
    if not all(hasattr(f, name) for name in ("read", "seek", "tell")):
        raise ArgumentTypeError(
            f"load got a {type(f).__name__} as the file",
            "give a path, or a file opened with 'rb'; wrap other streams in io.BytesIO",
        )
    return reading(f, str(getattr(f, "name", "the file")), None)


def _placing(map_location: MapLocation) -> Callable[[Storage, str], object]:
    """What is done for each storage; the devices that ``map_location`` names are looked up."""
    if callable(map_location) and not isinstance(map_location, Device):
        return map_location
    if isinstance(map_location, Mapping):
        for device in map_location.values():
            check_device(device)
    else:
        check_device(map_location)
    return lambda storage, location: None


__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "safe_globals",
    "save",
]


def __dir__() -> list[str]:
    return sorted(__all__)
