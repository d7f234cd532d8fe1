"""``pellucid runs``: the runs that there are, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from pellucid.base.errors import ArgumentError
from pellucid.base.language import translated
from pellucid.cli.agents import agent_json, agents_table
from pellucid.cli.reporting import complain, fact, figure_text, say, say_json, told
from pellucid.rl.runs import AGENT, delete_agent, list_agents
from pellucid.training.metrics import LOWER_IS_BETTER
from pellucid.training.run_list import (
    RunFacts,
    delete_run,
    differing_settings,
    facts_of,
    list_runs,
    setting_text,
)
from pellucid.training.saved_model import PARTS, SavedModel
from pellucid.training.saved_system import SavedSystem
from pellucid.training.summary import text_table


def show(place: Path, as_json: bool) -> None:
    """Prints the runs in a folder."""
    found, agents = list_runs(place), list_agents(place)
    if as_json:
        say_json([*(run.to_json() for run in found), *map(agent_json, agents)])
        return
    if not found and not agents:
        say(f"There are no runs in {place}.")
        return
    if agents:
        say(agents_table(agents))
        if not found:
            return
        say()
    heads = ("run", "target", "metric", *PARTS, "epochs at most", "status")
    rows: list[Sequence[str]] = [[*map(translated, heads)]]
    for run in found:
        if run.saved is None:
            complain(f"{run.folder} cannot be read: {run.problem}", fg="yellow")
            continue
        figures = [figure_text(run.headline, run.figures.get(part)) for part in PARTS]
        target = _target(run.saved)
        epochs = str(run.saved.settings.get("epochs") or "–")
        headline, status = translated(run.headline), translated(run.saved.status)
        rows.append((run.folder.name, target, headline, *figures, epochs, status))
    say(text_table(rows))


def compare(folders: Sequence[Path], as_json: bool) -> None:
    """Prints metrics of several runs, the best first, and the settings in which they differ."""
    runs = _read(folders, 2)
    different = differing_settings(runs)
    part = next((p for p in PARTS[::-1] if all(p in run.figures for run in runs)), "")
    sign = -1 if runs[0].headline not in LOWER_IS_BETTER else 1
    if part and len({run.headline for run in runs}) == 1:
        runs = sorted(runs, key=lambda run: sign * run.figures[part])
    if as_json:
        say_json({"runs": [run.to_json() for run in runs], "differing": different})
        return
    names = dict.fromkeys(
        name for run in runs if run.saved for name in run.saved.figures.get(part or "test", {})
    )
    rows: list[Sequence[str]] = [("", *(run.folder.name for run in runs))]
    for name in names:
        values = [
            run.saved.figures.get(part or "test", {}).get(name) if run.saved else None
            for run in runs
        ]
        rows.append((translated(name), *(figure_text(name, value) for value in values)))
    if len(rows) > 1:
        say(f"On the {part or 'test'} part:")
        say(text_table(rows))
        say()
    diff([run.folder for run in runs], False)


def diff(folders: Sequence[Path], as_json: bool) -> None:
    """Prints the settings in which runs differ."""
    runs = _read(folders, 2)
    different = differing_settings(runs)
    if as_json:
        say_json(different)
        return
    if not different:
        say("The settings, the data and the versions are equal.")
        return
    rows: list[Sequence[str]] = [(translated("setting"), *(run.folder.name for run in runs))]
    for name, values in different.items():
        # Options keep their names; what else differs is told in words.
        told_name = translated(name) if " " in name else name
        rows.append((told_name, *(_shown(value) for value in values)))
    say(text_table(rows))


def delete(folders: Sequence[Path], yes: bool) -> None:
    """Deletes run folders, after a question unless ``yes``."""
    for folder in folders:
        if not yes and not typer.confirm(told(f"Delete {folder}?")):
            fact("Kept", str(folder))
            continue
        (delete_agent if (folder / AGENT).is_file() else delete_run)(folder)
        fact("Deleted", str(folder))


def _target(saved: SavedModel | SavedSystem) -> str:
    """What is predicted: columns by their names, anything else in words."""
    if isinstance(saved, SavedSystem):
        return translated(saved.target)
    return ", ".join(saved.targets)


def _read(folders: Sequence[Path], least: int) -> list[RunFacts]:
    if len(folders) < least:
        raise ArgumentError(
            f"{len(folders)} run was given", f"Give at least {least} run folders to compare."
        )
    return [facts_of(folder) for folder in folders]


def _shown(value: Any) -> str:
    text = setting_text(value, ",")
    return text if isinstance(value, list) or len(text) <= 24 else text[:23] + "…"
