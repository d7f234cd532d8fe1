"""The runs in a folder: what each is, how they differ, and deleting them.

>>> for run in list_runs("runs"):                                              # doctest: +SKIP
...     print(run.folder, run.headline, run.figures)
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.base.errors import FileError, PellucidError, RunFolderError
from pellucid.base.language import translated
from pellucid.training.run_folder import FILES, MODEL, load_description, remove_folder
from pellucid.training.saved_model import PARTS, SavedModel
from pellucid.training.saved_system import SavedSystem
from pellucid.training.showing import figure, metric_name, table_html


@dataclass(frozen=True)
class RunFacts:
    """A run as its model.json tells it; ``problem`` says why it cannot be read, if so."""

    folder: Path
    saved: SavedModel | SavedSystem | None
    problem: str = ""

    @property
    def headline(self) -> str:
        """The name of the metric that counts first for the task."""
        return "" if self.saved is None else self.saved.headline

    @property
    def figures(self) -> dict[str, float]:
        """The headline metric by part."""
        if self.saved is None:
            return {}
        measured = ((part, self.saved.figures.get(part, {})) for part in PARTS)
        return {p: values[self.headline] for p, values in measured if self.headline in values}

    @property
    def bytes(self) -> int:
        """Size of the files."""
        return sum(p.stat().st_size for p in self.folder.iterdir() if p.is_file())

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values."""
        found: dict[str, Any] = {"folder": str(self.folder)}
        if self.saved is None:
            return {**found, "problem": self.problem}
        saved = self.saved
        return {
            **found,
            "name": saved.name,
            "created": saved.created,
            "status": saved.status,
            "targets": list(saved.targets),
            "task": saved.kind,
            "rows": dict(saved.rows),
            "figures": {part: dict(saved.figures[part]) for part in PARTS if part in saved.figures},
            "config": dict(saved.settings),
            "bytes": self.bytes,
        }


class RunList(list[RunFacts]):
    """A list of runs, shown in a notebook as a table."""

    def _repr_html_(self) -> str:
        heads = [translated("run"), translated("data"), translated("target"), translated("metric")]
        heads += [translated("test"), translated("validation")]
        heads += [translated("created"), translated("status")]
        rows = []
        for run in self:
            if run.saved is None:
                rows.append([run.folder.name, run.problem, *[""] * (len(heads) - 2)])
                continue
            saved, figures = run.saved, run.figures
            shown = (figure(figures.get(part)) for part in ("test", "validation"))
            data = [saved.name, ", ".join(saved.targets), metric_name(run.headline)]
            rows.append([run.folder.name, *data, *shown, saved.created, translated(saved.status)])
        return table_html(heads, rows)


def list_runs(place: str | os.PathLike[str] = "runs") -> RunList:
    """The run folders in ``place``, the oldest first; those that cannot be read come last.

    Raises ``FileError`` where ``place`` is no folder.
    """
    folder = Path(place)
    if not folder.is_dir():
        raise FileError(
            f"{folder} is no folder", "Give the folder in which runs were written, or train first."
        )
    found = [
        facts_of(entry)
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and not entry.name.startswith(".") and (entry / MODEL).exists()
    ]
    found.sort(key=lambda r: (r.saved is None, r.saved.created if r.saved else ""))
    return RunList(found)


def facts_of(folder: str | os.PathLike[str]) -> RunFacts:
    """What a run folder says of itself; never raises for what stands in it."""
    place = Path(folder)
    try:
        return RunFacts(place, load_description(place))
    except PellucidError as error:
        return RunFacts(place, None, error.message)


def differing_settings(runs: Sequence[RunFacts]) -> dict[str, list[Any]]:
    """The settings that are not equal in all runs, and data, target and versions that differ:
    name → a value for each run."""
    rows = [_comparable(run) for run in runs]
    names = dict.fromkeys(name for row in rows for name in row)
    found = {name: [row.get(name) for row in rows] for name in names}
    return {n: values for n, values in found.items() if any(v != values[0] for v in values)}


def _comparable(run: RunFacts) -> Mapping[str, Any]:
    if run.saved is None:
        raise RunFolderError(f"{run.folder}: {run.problem}", "Leave this run out.")
    saved = run.saved
    versions = {f"version of {name}": text for name, text in saved.versions.items()}
    return {
        "data": saved.name,
        "fingerprint of the data": saved.fingerprint,
        "targets": list(saved.targets),
        **saved.settings,
        **versions,
    }


def setting_text(value: object, between: str = ", ") -> str:
    """A value of :func:`differing_settings` in a table, entries of lists with ``between``."""
    if isinstance(value, list):
        return between.join(map(str, value)) or translated("none")
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def delete_run(folder: str | os.PathLike[str]) -> None:
    """Deletes a run folder; anything else is refused and stays as it is.

    Raises ``RunFolderError`` for a folder that is no run or holds other files, ``FileError``
    where it cannot be deleted.
    """
    place = Path(folder)
    hint = "Only run folders are deleted. Look at what is in it, and delete it yourself."
    if place.is_symlink() or not place.is_dir() or not (place / MODEL).is_file():
        raise RunFolderError(f"{place} is not a run folder; nothing was deleted", hint)
    others = sorted({p.name for p in place.iterdir()} - set(FILES))
    if others:
        raise RunFolderError(
            f"{place} also holds {', '.join(others[:3])}; nothing was deleted", hint
        )
    try:
        remove_folder(place)
    except OSError as error:
        raise FileError(f"{place}: {error.strerror}", "Check the folder's permissions.") from None
