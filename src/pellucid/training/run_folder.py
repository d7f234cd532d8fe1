"""The folder that a training run leaves behind, written so that it is whole or absent, and read
so that a damaged or hostile one is refused.

====================  ======================================================================
weights.safetensors   the parameters, by their state-dict names
model.json            everything needed to predict again: architecture, preprocessing, classes,
                      settings, versions, seed, fingerprint of the data; and the metrics
records.jsonl         one JSON object a line: what happened, epoch by epoch, and all that the
                      report shows (see ``stored_run``)
report.html           the report, which can be made again from the other three
report.json           its numbers
checkpoints/          while the run is not complete: states to go on from (see ``checkpoints``)
====================  ======================================================================
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError, FileError, RunFolderError
from pellucid.data.json_checks import json_error
from pellucid.interop.safetensors import Entry, header, load_arrays
from pellucid.training.files import (
    exchange,
    explained,
    flush_folder,
    hold,
    no_space,
    read_limited,
    write_file,
)
from pellucid.training.saved_model import FILE, SavedModel, parse_json
from pellucid.training.saved_system import FORMAT as SYSTEM
from pellucid.training.saved_system import SavedSystem

WEIGHTS, MODEL, RECORDS, REPORT, REPORT_DATA, SETTINGS = FILES = (
    "weights.safetensors",
    FILE,
    "records.jsonl",
    "report.html",
    "report.json",
    "settings.toml",
)
UNFINISHED = f".{RECORDS}.partial"
"""The records while the run goes on."""
CHECKPOINTS = "checkpoints"
"""The folder in a run folder for states of a run that is not complete."""
_SPARE_BYTES = 2**13
_MAX_MODEL_BYTES = 64 * 2**20
_MAX_RECORD_BYTES = 256 * 2**20
_MAX_HEADER_BYTES = 16 * 2**20
_MAX_WEIGHT_BYTES = 16 * 2**30
_DAMAGED = "The file is damaged or was changed by hand: train again, or restore it."

Weights = Mapping[str, npt.NDArray[np.float32]]


# --- Weights -----------------------------------------------------------------------------------


def weights_to_bytes(weights: Weights) -> bytes:
    """The weights in the safetensors format (float32, little-endian)."""
    entries: dict[str, Entry] = {}
    at = 0
    for name, array in weights.items():
        entries[name] = Entry("F32", tuple(array.shape), at, at + array.size * 4)
        at += array.size * 4
    parts = [np.ascontiguousarray(array, "<f4").tobytes() for array in weights.values()]
    return b"".join([header(entries, {"format": "pt", "producer": "pellucid"}), *parts])


def weights_from_bytes(
    content: bytes, shapes: Mapping[str, tuple[int, ...]], where: str = WEIGHTS
) -> dict[str, npt.NDArray[np.float32]]:
    """The weights from a safetensors file that must hold exactly ``shapes``, all finite.

    Raises ``RunFolderError`` for anything else; nothing is allocated by what the file declares.
    """
    try:
        arrays = load_arrays(content, where)
    except DataError as error:
        raise RunFolderError(error.message, _DAMAGED) from None
    if set(arrays) != set(shapes):
        raise json_error(where, "the tensors " + ", ".join(shapes), list(arrays))
    found: dict[str, npt.NDArray[np.float32]] = {}
    for name, shape in shapes.items():
        dtype, array = arrays[name]
        if dtype != "F32" or array is None or array.shape != shape:
            received = f"{dtype} of shape {None if array is None else list(array.shape)}"
            raise json_error(f"{where}: {name}", f"F32 of shape {list(shape)}", received)
        values = array.astype(np.float32, copy=False)
        if not bool(np.isfinite(values).all()):
            raise RunFolderError(f"{where}: {name} holds NaN or infinite weights", _DAMAGED)
        found[name] = values
    return found


# --- Reading -----------------------------------------------------------------------------------


def load_description(folder: str | os.PathLike[str]) -> SavedModel | SavedSystem:
    """What model.json of a run folder of any kind holds.  Raises as :func:`load_run`."""
    root = Path(folder)
    if not root.is_dir():
        what = "is a file, not a run folder" if root.exists() else "does not exist"
        raise FileError(f"{root} {what}", "Give a folder that pellucid train has written.")
    data = parse_json(read_limited(root / MODEL, _MAX_MODEL_BYTES), MODEL)
    if isinstance(data, dict) and data.get("format") == SYSTEM:
        return SavedSystem.from_json(data)
    return SavedModel.from_json(data)


def load_model(folder: str | os.PathLike[str]) -> SavedModel:
    """What model.json of a run folder holds.  Raises as :func:`load_run`."""
    found = load_description(folder)
    if isinstance(found, SavedSystem):
        raise RunFolderError(
            f"{folder} holds a {found.kind}, not a network for rows of data",
            "Use it by the command pellucid generate.",
        )
    return found


def load_run(folder: str | os.PathLike[str]) -> tuple[SavedModel, dict[str, npt.NDArray[Any]]]:
    """A run folder's model and weights.

    No code in it is executed and no path in it is followed.  Raises ``FileError`` when there is
    no such folder and ``RunFolderError`` when it is damaged, of another version or hostile.
    """
    model = load_model(folder)
    return model, load_weights(folder, model)


def load_weights(
    folder: str | os.PathLike[str], model: SavedModel | SavedSystem
) -> dict[str, npt.NDArray[Any]]:
    """The weights of a run folder, which ``model`` describes.  Raises as :func:`load_run`."""
    expected = sum(4 * math.prod(shape) for shape in model.shapes.values())
    if expected > _MAX_WEIGHT_BYTES:
        raise RunFolderError(f"{MODEL} declares {expected:,} bytes of weights", _DAMAGED)
    weights = read_limited(Path(folder) / WEIGHTS, expected + 8 + _MAX_HEADER_BYTES)
    return weights_from_bytes(weights, model.shapes)


def read_records(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The run's records, one dictionary for each line; of a run that goes on or was killed those
    that are complete."""
    path, whole = Path(folder) / RECORDS, True
    if not os.path.lexists(path) and os.path.lexists(Path(folder) / UNFINISHED):
        path, whole = Path(folder) / UNFINISHED, False
    content = read_limited(path, _MAX_RECORD_BYTES)
    lines = content.splitlines() if whole else content.split(b"\n")[:-1]
    records = [parse_json(line, RECORDS) for line in lines if line.strip()]
    if not all(isinstance(record, dict) for record in records):
        raise RunFolderError(f"{RECORDS} holds a line that is no object", _DAMAGED)
    return records


# --- Writing -----------------------------------------------------------------------------------


class RunWriter:
    """Writes a run folder: beside its place first, renamed into it by ``finish``.

    Nothing appears at ``target`` before ``finish``.  Where an error or Ctrl-C ends the block
    before, a folder that holds a model is finished, as one that is not complete, and others are
    removed.  After SIGKILL a hidden folder ``.NAME.….partial`` stays, with whole files in it; see
    ``leftovers``.

    ``adopt`` is the folder of a run that is not finished: it is moved and goes on to be written;
    ``records`` are those that stay.  It is never removed.

    Raises ``FileError`` where ``target`` exists, unless ``overwrite`` and it is a run folder, and
    where the place cannot be written.
    """

    def __init__(
        self,
        target: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        adopt: Path | None = None,
        records: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        self.target = Path(os.path.abspath(target))
        if adopt != self.target:
            check_target(self.target, overwrite)
        self.overwrite, self.adopted = overwrite, adopt is not None
        name = f".{self.target.name}.{os.getpid()}-{secrets.token_hex(3)}.partial"
        self.folder = self.target.parent / name
        parents = [self.target.parent, *self.target.parent.parents]
        self._made = [folder for folder in parents if not folder.exists()]
        self._written: dict[str, bytes] = {}
        with explained(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._records: IO[bytes] | None
            if adopt is None:
                self.folder.mkdir()
                self._records = open(self.folder / UNFINISHED, "xb", buffering=0)
            else:
                self._records = self._take_over(adopt, records)
            hold(self._records.fileno())

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._records is None:
            return
        if not self.usable:
            if self.adopted:
                self._records.close()  # left where it is, to be found again
                self._records = None
                return
            self.discard()
            return
        place = self.finish(complete=False)
        if error is not None:
            error.add_note(f"What was learned is kept in {place}")

    def _take_over(self, adopt: Path, records: Iterable[Mapping[str, Any]]) -> IO[bytes]:
        """Moves a folder here; what the run is going to make again is taken out of it."""
        lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        os.rename(adopt, self.folder)
        write_file(self.folder / UNFINISHED, lines)
        for name in (RECORDS, REPORT, REPORT_DATA):
            (self.folder / name).unlink(missing_ok=True)
        for name in (WEIGHTS, MODEL):
            if (self.folder / name).is_file():
                self._written[name] = b""
        file = open(self.folder / UNFINISHED, "r+b", buffering=0)
        file.seek(0, os.SEEK_END)
        return file

    @property
    def usable(self) -> bool:
        """Whether weights and all that is needed to predict with them are on the disk."""
        return WEIGHTS in self._written and MODEL in self._written

    def write(self, name: str, content: bytes | str) -> None:
        """Puts one of the run's files in place, whole; what is there already is not written
        again.  Where the disk is full, states of the run and then an older version of the file make
        room."""
        if name not in FILES:
            raise ArgumentError(f"{name!r} is no file of a run", f"Use one of {FILES}.")
        data = content.encode() if isinstance(content, str) else content
        digest = hashlib.sha256(data).digest()
        if self._written.get(name) == digest:
            return
        path = self.folder / name
        try:
            self._write(path, data)
        except FileError as error:
            if name not in self._written or not no_space(error) or not _makes_room(path, data):
                raise
            del self._written[name]
            with contextlib.suppress(OSError):
                path.unlink()
            write_file(path, data)
        self._written[name] = digest

    def _write(self, path: Path, data: bytes) -> None:
        try:
            write_file(path, data)
        except FileError as error:
            states = self.folder / CHECKPOINTS
            if not no_space(error) or not states.is_dir():
                raise
            remove_folder(states)
            write_file(path, data)

    def record(self, event: str, **fields: Any) -> None:
        """Adds a line to the run's records: what happened, when (seconds since 1970), and more."""
        if self._records is None:
            raise ArgumentError("The run folder is closed", "Record before finish().")
        line = json.dumps({"event": event, "time": round(time.time(), 3), **plain(fields)})
        content = line.encode() + b"\n"
        start = self._records.tell()
        with explained(self.folder / RECORDS):
            try:
                while content:
                    content = content[self._records.write(content) or 0 :]
            except BaseException:
                with contextlib.suppress(OSError):
                    self._records.seek(start)
                    self._records.truncate()  # no half line stays
                raise

    def copy_records(self, other: RunWriter) -> None:
        """Takes over what another writer has recorded so far."""
        with contextlib.suppress(OSError):
            lines = (other.folder / UNFINISHED).read_bytes()
            if self._records is not None:
                self._records.write(lines[: lines.rfind(b"\n") + 1])

    def finish(self, *, complete: bool = True) -> Path:
        """Moves the folder to its place in one step and returns the place.

        A run that is not ``complete`` replaces nothing: where ``target`` is taken, it is put beside
        it, as ``NAME-interrupted``.  The same happens where ``target`` was taken meanwhile.  If it
        cannot be moved at all, it stays where it was written.
        """
        if self._records is None:
            raise ArgumentError("The run folder is closed", "Call finish() once.")
        with contextlib.suppress(OSError):  # the records are the least of a run
            os.fsync(self._records.fileno())
        self._records.close()
        self._records = None
        place = self.folder
        if complete:
            remove_folder(self.folder / CHECKPOINTS)
        with contextlib.suppress(OSError):
            os.replace(self.folder / UNFINISHED, self.folder / RECORDS)
            flush_folder(self.folder)
            place = self._move(complete)
            flush_folder(place.parent)
        return place

    def _move(self, complete: bool) -> Path:
        if not os.path.lexists(self.target):
            # Renaming onto a folder that appeared meanwhile fails unless it is empty.
            os.rename(self.folder, self.target)
            return self.target
        try:
            check_target(self.target, self.overwrite)
        except FileError:
            complete = False
        if not complete:
            place = free_place(self.target, "interrupted")
            os.rename(self.folder, place)
            return place
        if exchange(self.folder, self.target):
            remove_folder(self.folder)
            return self.target
        old = self.folder.with_suffix(".old")
        os.rename(self.target, old)
        os.rename(self.folder, self.target)
        remove_folder(old)
        return self.target

    def discard(self) -> None:
        """Removes what was written."""
        if self._records is not None:
            with contextlib.suppress(OSError):
                self._records.close()
        self._records = None
        remove_folder(self.folder)
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()  # only where it is empty


def _makes_room(path: Path, data: bytes) -> bool:
    """Whether ``data`` will fit on the disk when the older version is gone, with some to spare."""
    try:
        room = shutil.disk_usage(path.parent).free + path.stat().st_size
    except OSError:
        return False
    return room >= len(data) + _SPARE_BYTES


def check_target(target: Path, overwrite: bool) -> None:
    """Raises ``FileError`` where a run must not be written to ``target``."""
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise FileError(
            f"{target} exists already; nothing was changed",
            "Choose another folder with --output, or replace this one with --overwrite.",
        )
    names = {entry.name for entry in target.iterdir()} if target.is_dir() else set()
    extra = sorted(names - {*FILES, CHECKPOINTS})[:3]
    if target.is_symlink() or not target.is_dir() or MODEL not in names or extra:
        raise FileError(
            f"{target} is not a run folder"
            + (f": it holds {', '.join(extra)}" if extra else "")
            + "; nothing was changed",
            "Only run folders are replaced. Choose another folder with --output.",
        )


def free_place(target: Path, what: str) -> Path:
    """``NAME-WHAT`` beside ``target``, with a number where that is taken."""
    stem = target.with_name(f"{target.name}-{what}")
    candidates = [stem, *(stem.with_name(f"{stem.name}-{n}") for n in range(2, 10_000))]
    return next(path for path in candidates if not os.path.lexists(path))


def folder_name(name: str) -> str:
    """A name of data as one of a folder, without signs that systems or shells read otherwise;
    empty where nothing is left."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".-")[:60]


def default_target(name: str, root: str | os.PathLike[str] = "runs") -> Path:
    """``runs/NAME-DATE-TIME``, with a number where that is taken."""
    stem = f"{folder_name(name) or 'run'}-{time.strftime('%Y%m%d-%H%M%S')}"
    candidates = [Path(root) / stem, *(Path(root) / f"{stem}-{n}" for n in range(2, 1000))]
    return next(path for path in candidates if not os.path.lexists(path))


def plain(value: Any) -> Any:
    """``value`` as JSON: NumPy numbers become Python's, numbers that are not finite texts."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def remove_folder(folder: Path) -> None:
    """Deletes a folder of ours: the plain files in it, and the states of a run."""
    with contextlib.suppress(OSError):
        states = folder / CHECKPOINTS
        if states.is_dir() and not states.is_symlink():
            remove_folder(states)
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):
                entry.unlink()
        folder.rmdir()
