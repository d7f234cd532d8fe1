"""A run that was killed or interrupted, found again, so that a job goes on in it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pellucid.base.errors import ArgumentError, FileError, PellucidError, RunFolderError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.json_checks import json_list, json_object, json_text
from pellucid.data.sources import load_source
from pellucid.training.config import TrainingConfig
from pellucid.training.leftovers import NAME, leftovers
from pellucid.training.run_folder import (
    CHECKPOINTS,
    MODEL,
    RECORDS,
    UNFINISHED,
    load_description,
    read_records,
)

FREE = ("epochs", "patience", "threads", "max_minutes")
"""Settings that may be others than those with which the run was begun."""
_ANY_LENGTH = ("constant", "plateau")
_UNKNOWN: Mapping[str, Any] = {"source": None, "targets": [], "loading": {}, "settings": ""}
_AGAIN = "Train it again from the beginning, with pellucid train."


@dataclass(frozen=True, eq=False)
class Unfinished:
    """A run to go on with.

    ``folder`` is where it is, ``target`` where it should be in the end.  ``source``, ``targets``
    and ``loading`` are what its data were loaded from; ``source`` is None where that was no file.
    ``settings_text`` are the options that began it.
    """

    folder: Path
    target: Path
    config: TrainingConfig
    source: str | None
    targets: tuple[str, ...]
    loading: Mapping[str, Any]
    settings_text: str
    records: tuple[dict[str, Any], ...]

    @property
    def checkpoints(self) -> Path:
        """The folder of its states."""
        return self.folder / CHECKPOINTS

    def settings(self, given: Mapping[str, Any]) -> TrainingConfig:
        """Its settings, with those of ``given`` that may change; ``ArgumentError`` for others."""
        for name, value in given.items():
            was = getattr(self.config, name)
            if name not in FREE and value != was:
                raise ArgumentError(
                    phrase(Setting(name, value), " differs from the run's ", Setting(name, was)),
                    "A run goes on with the settings with which it was begun; only epochs, "
                    "patience, threads and max_minutes may change.",
                )
        epochs = given.get("epochs", self.config.epochs)
        if epochs != self.config.epochs and self.config.schedule not in _ANY_LENGTH:
            raise ArgumentError(
                phrase(
                    Setting("epochs", epochs), " differs from the run's ",
                    Setting("epochs", self.config.epochs), ", after which its ",
                    Setting("schedule", self.config.schedule), " ends",
                ),
                "Go on with the epochs of then.",
            )  # fmt: skip
        return replace(self.config, **given)

    def kept_records(self, epochs: int) -> list[dict[str, Any]]:
        """The records of the first so many epochs: what came later is done once more."""
        return first_records(self.records, epochs)


def find_unfinished(place: str | os.PathLike[str]) -> Unfinished:
    """The run at ``place``: the folder of an interrupted run, the one that a killed run left
    behind, or the name that the killed run was to have.

    Raises ``FileError`` where there is none, ``ArgumentError`` where it is finished or goes on, and
    ``RunFolderError`` where it is damaged.
    """
    return _read(*unfinished_folder(place))


def unfinished_folder(place: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The folder of the run at ``place``, and where it is to be in the end; raises as
    :func:`find_unfinished`."""
    root = Path(os.path.abspath(place))
    hidden = NAME.fullmatch(root.name)
    behind = [] if hidden else [one.folder for one in leftovers(root.parent)]
    behind = [folder for folder in behind if _name(folder) == root.name and _begun(folder)]
    if hidden and _begun(root):
        if root not in [one.folder for one in leftovers(root.parent)]:
            raise ArgumentError(f"{root} is being trained now", "Wait for it, or stop it.")
        return root, root.with_name(hidden["name"])
    if _begun(root) and (root / CHECKPOINTS).is_dir():
        return root, root
    if behind:
        return max(behind, key=lambda folder: folder.stat().st_mtime), root
    if not root.exists():
        raise FileError(f"{root} does not exist", "Give a run that was killed or interrupted.")
    if _begun(root) and _status(root) == "interrupted":
        return root, root
    raise ArgumentError(
        f"{root} holds no run that was killed or interrupted",
        "There is nothing to go on with: a finished run is trained again with more --epochs.",
    )


def start_record(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How a run was begun, and all its records; ``RunFolderError`` where it does not say."""
    records = read_records(folder)
    start = next((record for record in records if record.get("event") == "start"), None)
    if start is None or "config" not in start:
        raise RunFolderError(f"{folder} does not say how the run was begun", _AGAIN)
    return start, records


def first_records(records: Iterable[dict[str, Any]], epochs: int) -> list[dict[str, Any]]:
    """The records of the first so many epochs: what came later is done once more."""
    return [
        record
        for record in records
        if record.get("event") in ("start", "resume")
        or (record.get("event") == "epoch" and record.get("epoch", 0) <= epochs)
    ]


def _name(folder: Path) -> str:
    found = NAME.fullmatch(folder.name)
    return found["name"] if found else folder.name


def _begun(folder: Path) -> bool:
    return (folder / RECORDS).is_file() or (folder / UNFINISHED).is_file()


def _status(folder: Path) -> str:
    try:
        return load_description(folder).status if (folder / MODEL).exists() else ""
    except PellucidError:
        return ""


def _read(folder: Path, target: Path) -> Unfinished:
    start, records = start_record(folder)
    job = start.get("job", _UNKNOWN)
    given = json_object(job, "job", tuple(_UNKNOWN))
    source = None if given["source"] is None else json_text(given["source"], "source")
    targets = tuple(json_text(name, "target") for name in json_list(given["targets"], "targets"))
    names = inspect.signature(load_source).parameters
    loading = given["loading"]
    if not isinstance(loading, dict) or not set(loading) <= set(names) - {"source", "targets"}:
        raise RunFolderError(f"{folder} does not say how the data were loaded", _AGAIN)
    config = TrainingConfig.from_json(start["config"])
    text = json_text(given["settings"], "settings")
    return Unfinished(folder, target, config, source, targets, loading, text, tuple(records))
