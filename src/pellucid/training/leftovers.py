"""What a killed run left behind: found, told, made a run folder again, or removed.

A run is written into a hidden folder ``.NAME.PROCESS-….partial`` and renamed at its end.  SIGKILL,
a crash or a power cut leaves that folder.  The files in it are whole; the weights are the best ones
that were saved (at most every few seconds).
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from pellucid.base.errors import PellucidError, RunFolderError
from pellucid.training.checkpoints import states_in
from pellucid.training.files import explained, held, read_limited, write_file
from pellucid.training.run_folder import (
    CHECKPOINTS,
    FILES,
    MODEL,
    RECORDS,
    UNFINISHED,
    WEIGHTS,
    free_place,
    load_description,
    load_weights,
    remove_folder,
)
from pellucid.training.saved_model import json_text_of

NAME = re.compile(r"\.(?P<name>.+)\.(?P<process>\d{1,10})-[0-9a-f]{6}\.(partial|old)")
"""Of the folder of a run that goes on or was killed."""
_MAX_RECORD_BYTES = 2**31


@dataclass(frozen=True)
class Leftover:
    """A folder that a killed run left behind: ``name`` is that of the run, ``problem`` says why
    nothing can be predicted with it, and is empty where something can; ``resumable`` says that it
    holds a checkpoint to go on from."""

    folder: Path
    name: str
    problem: str
    resumable: bool = False

    @property
    def usable(self) -> bool:
        """Whether it holds a model with weights."""
        return not self.problem


def leftovers(place: str | os.PathLike[str]) -> list[Leftover]:
    """The folders that killed runs left in ``place``, by name; those of runs that go on are not
    among them."""
    found = []
    try:
        entries = sorted(Path(place).iterdir())
    except OSError:
        return []
    for folder in entries:
        match = NAME.fullmatch(folder.name)
        if match is None or folder.is_symlink() or not folder.is_dir() or not _is_ours(folder):
            continue
        if not _is_alive(folder, int(match["process"])):
            states = bool(states_in(folder / CHECKPOINTS))
            found.append(Leftover(folder, match["name"], _problem(folder), states))
    return found


def recover(leftover: Leftover) -> Path:
    """Makes a run folder of what was left behind, and returns its place: the run's name, or
    ``NAME-recovered`` where that is taken.

    Raises ``RunFolderError`` where there is no model to predict with; nothing is changed then.
    """
    folder = leftover.folder
    saved = load_description(folder)
    load_weights(folder, saved)  # checked in full: sizes, shapes, finite values
    with explained(folder):
        unfinished = folder / UNFINISHED
        if unfinished.exists() and not (folder / RECORDS).exists():
            if saved.status != "interrupted":  # killed while it was measured or reported
                values = replace(saved, status="interrupted").to_json()
                write_file(folder / MODEL, json_text_of(values).encode())
            content = read_limited(unfinished, _MAX_RECORD_BYTES)
            write_file(folder / RECORDS, content[: content.rfind(b"\n") + 1])
        for entry in folder.iterdir():
            if entry.name not in (*FILES, CHECKPOINTS):
                entry.unlink()
        target = folder.with_name(leftover.name)
        if os.path.lexists(target):
            target = free_place(target, "recovered")
        os.rename(folder, target)
    return target


def remove(leftover: Leftover) -> None:
    """Deletes what was left behind."""
    remove_folder(leftover.folder)
    if leftover.folder.exists():
        raise RunFolderError(
            f"{leftover.folder} could not be removed",
            "Check its permissions, and remove it by hand.",
        )


def _is_ours(folder: Path) -> bool:
    """Whether the folder holds what a run writes and nothing else."""
    with contextlib.suppress(OSError):
        names = [entry.name for entry in folder.iterdir()]
        return all(name in (*FILES, CHECKPOINTS) or name.endswith(".partial") for name in names)
    return False


def _is_alive(folder: Path, process: int) -> bool:
    """Whether the run goes on: its records are locked, or, where that cannot be told, there is a
    process of its number."""
    locked = held(folder / UNFINISHED)
    if locked is not None:
        return locked
    if os.name != "posix":
        return False  # a folder that is in use cannot be renamed or removed there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return process != os.getpid() or (folder / RECORDS).exists()


def _problem(folder: Path) -> str:
    """Why the folder is of no use, without reading the weights."""
    for name in (WEIGHTS, MODEL):
        if not (folder / name).exists():
            return "it was killed before weights were saved"
    try:
        load_description(folder)
    except PellucidError as error:
        return error.message
    return ""
