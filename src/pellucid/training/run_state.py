"""The state of a training run as one object: saved, loaded, copied, gone on from.

It holds everything that the next step depends on, and everything that the run remembers: weights
and buffers, the optimizer's slots and groups, the schedule, random numbers, the position in the
data, the average of weights, the best weights so far, the history, and what callbacks remember.

A file of a state is a safetensors file: arrays under readable names (``model/0.weight``), and
everything else as JSON in its header.  Reading it executes nothing.  ``FORMAT`` is the number of
the layout; files of every layout from 1 on are read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError, DTypeError, FileError
from pellucid.base.version import __version__
from pellucid.interop.safetensors import Entry, header, load_file, load_metadata, name_of
from pellucid.training.files import write_file
from pellucid.training.packing import pack, unpack

FORMAT = 1
_KEY = "pellucid.run_state"
_MOST_JSON = 256 * 2**20

Array = npt.NDArray[Any]


class RunState:
    """A training run at one moment; see the module.

    ``state["model"]`` gives a part as it was; :mod:`pellucid.training.capture` lists the parts.
    """

    def __init__(self, facts: dict[str, Any], arrays: dict[str, Array]) -> None:
        self.facts = facts
        """Part → its values as JSON; see :mod:`pellucid.training.packing`."""
        self.arrays = arrays
        """Name → array."""

    @classmethod
    def of(cls, parts: Mapping[str, Any], into: RunState | None = None) -> RunState:
        """A copy of ``parts``; the memory of ``into``, which is given up, is used again."""
        shown: dict[str, Array] = {}
        facts = {name: pack(value, shown, name) for name, value in parts.items()}
        spare = {} if into is None else into.arrays
        return cls(facts, {name: _copied(a, spare.get(name)) for name, a in shown.items()})

    @classmethod
    def room_for(cls, parts: Mapping[str, Any]) -> RunState:
        """Memory for a copy of ``parts``, for ``of`` to use.  Nothing is copied."""
        shown: dict[str, Array] = {}
        for name, value in parts.items():
            pack(value, shown, name)
        return cls({}, {name: np.empty(array.shape, array.dtype) for name, array in shown.items()})

    def touch(self) -> None:
        """Has the system find the pages of the memory, which takes longer than a copy into it."""
        for array in self.arrays.values():
            array.fill(0)

    def __repr__(self) -> str:
        size = self.nbytes
        return f"RunState({', '.join(self.facts)}; {len(self.arrays)} arrays, {size:,} bytes)"

    def __getitem__(self, part: str) -> Any:
        if part not in self.facts:
            raise DataError(
                f"The state has no part {part!r}", "It was made for something else: use another."
            )
        return unpack(self.facts[part], self.arrays, f"the part {part!r} of the state")

    def __contains__(self, part: object) -> bool:
        return part in self.facts

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    def copy(self) -> RunState:
        """Another one with arrays of its own: two runs can go on from one moment."""
        facts = json.loads(json.dumps(self.facts))
        return RunState(facts, {name: array.copy() for name, array in self.arrays.items()})

    def __eq__(self, other: object) -> bool:
        """Whether both are of one moment, bit by bit."""
        if not isinstance(other, RunState):
            return NotImplemented
        return self.facts == other.facts and _digest(self.arrays) == _digest(other.arrays)

    __hash__ = None  # type: ignore[assignment]

    # ---- files -----------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the state; the file appears when it is complete, and what stood there before stays
        until then.  ``FileError`` where it cannot be written."""
        raw = {
            name: [array.dtype.str, list(array.shape)]
            for name, array in self.arrays.items()
            if name_of(array.dtype) is None
        }
        facts = {
            "format": FORMAT,
            "version": __version__,
            "sha256": _digest(self.arrays),
            "raw": raw,
            "parts": self.facts,
        }
        arrays = {n: _bytes(a) if n in raw else a for n, a in self.arrays.items()}
        write_arrays(Path(path), arrays, {_KEY: json.dumps(facts, separators=(",", ":"))})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RunState:
        """Reads a state.  ``FileError`` where there is no file, ``DataError`` where it is damaged,
        of a later version, or something else."""
        place = os.fspath(path)
        try:
            facts = _facts(load_metadata(path), place)
            arrays = {name: tensor.array() for name, tensor in load_file(path).items()}
        except OSError as error:
            raise FileError(
                f"{place} cannot be read: {error.strerror or error}", "Check the path."
            ) from error
        if _digest(arrays) != facts["sha256"]:
            raise _damaged(place, "its content is not what was written")
        for name, kind in facts["raw"].items():
            arrays[name] = _restored(arrays.get(name), kind, place)
        return cls(facts["parts"], arrays)


def _copied(array: Array, spare: Array | None) -> Array:
    fits = spare is not None and spare.shape == array.shape and spare.dtype == array.dtype
    if spare is None or not fits or not spare.flags.writeable:
        return np.array(array, order="C")
    np.copyto(spare, array)
    return spare


def write_arrays(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Writes arrays and texts as a safetensors file that appears when it is complete."""
    entries: dict[str, Entry] = {}
    at = 0
    for name, array in arrays.items():
        kind = name_of(array.dtype)
        if kind is None:
            raise DTypeError(
                f"{name} is of {array.dtype}, which a safetensors file cannot hold", "Convert it."
            )
        entries[name] = Entry(kind, array.shape, at, at + array.nbytes)
        at += array.nbytes
    write_file(path, header(entries, metadata), *(_bytes(a).data for a in arrays.values()))


def _bytes(array: Array) -> Array:
    """The bytes of an array, in C order, without a copy where it is so."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _digest(arrays: Mapping[str, Array]) -> str:
    """SHA-256 over all bytes, in the order of the names in the file."""
    found = hashlib.sha256()
    for array in arrays.values():
        found.update(_bytes(array).data)
    return found.hexdigest()


def _facts(metadata: Mapping[str, str], place: str) -> dict[str, Any]:
    text = metadata.get(_KEY)
    if text is None:
        raise DataError(f"{place} holds no state of a run", "Give a file that a Trainer has saved.")
    try:
        facts = json.loads(text) if len(text) <= _MOST_JSON else None
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), int):
        raise _damaged(place, "its header is none of ours")
    if facts["format"] > FORMAT:
        raise DataError(
            f"{place} was written by Pellucid {facts.get('version')}, in layout "
            f"{facts['format']}; this version knows layouts up to {FORMAT}",
            "Use that version, or a later one.",
        )
    kinds = {"sha256": str, "raw": dict, "parts": dict}
    if not all(isinstance(facts.get(name), kind) for name, kind in kinds.items()):
        raise _damaged(place, "its header lacks something")
    return facts


def _restored(content: Array | None, kind: Any, place: str) -> Array:
    """An array of a dtype that the format has not, from its bytes."""
    try:
        name, shape = kind
        dtype = np.dtype(str(name))
        if content is not None and dtype.kind in "biufc" and content.dtype == np.uint8:
            return content.view(dtype).reshape([int(extent) for extent in shape])
    except (TypeError, ValueError):
        pass
    raise _damaged(place, "an array in it cannot be read")


def _damaged(place: str, what: str) -> DataError:
    return DataError(f"{place} is damaged: {what}", "Use another checkpoint.")
