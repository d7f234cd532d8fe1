"""``pellucid search``: a search for settings at the command line."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pellucid.backends.cpu.threads import available_cpus
from pellucid.base.errors import ArgumentError, FileError, PellucidError
from pellucid.base.language import Shown
from pellucid.base.phrases import option_words, worded
from pellucid.cli.config_file import toml_text
from pellucid.cli.options import option_name
from pellucid.cli.reporting import clean, complain, fact, say, say_json, told
from pellucid.cli.train import say_data
from pellucid.data.sources import load_source
from pellucid.insight.pictures import draw_importances, draw_parallel_coordinates
from pellucid.interop.files import replacing
from pellucid.training.config import TrainingConfig
from pellucid.training.run_folder import folder_name
from pellucid.training.search import SearchResult, shown
from pellucid.training.tuning import default_space, tune

JOURNAL, PURPOSE = "trials.journal", "search.json"
LEADERBOARD, BEST = "leaderboard.csv", "best.toml"
IMPORTANCE, SETTINGS = "importance.png", "settings.png"


def search(
    source: str,
    targets: Sequence[str],
    settings: dict[str, Any],
    *,
    trials: int,
    minutes: float | None,
    processes: int,
    sampler: str,
    prune: bool,
    output: Path | None,
    storage: str | None,
    loading: dict[str, Any],
    given: dict[str, Any],
    quiet: bool,
    as_json: bool = False,
) -> None:
    """Searches, and prints (``as_json`` as one value) and writes what was found."""
    config = TrainingConfig(**settings)  # before the data are read: what is wrong is told at once
    if sampler == "grid":
        raise ArgumentError("--sampler grid needs lists of values", "Use tpe or random here.")
    prepared = load_source(
        source,
        targets,
        seed=config.seed,
        fractions=config.fractions,
        text=config.text,
        **loading,
    )
    if not as_json:
        say_data(prepared)
    config = TrainingConfig.suited_to(prepared.row_shape, **settings)
    space = default_space(prepared, config, settings)
    folder = output or Path("searches") / (folder_name(prepared.name) or "data")
    goes_on = _claim(folder, source, given, space)
    if not as_json:
        if goes_on:
            fact("Note", f"the search in {folder} goes on")
        fact("Searched", Shown(", ".join(option_name(name) for name in space)))
    lines = _Lines(trials, quiet or as_json)
    count = processes or available_cpus()
    try:
        found = tune(
            prepared,
            config,
            space,
            trials=trials,
            minutes=minutes,
            processes=min(count, trials),
            sampler=sampler,
            prune=prune,
            storage=storage or folder / JOURNAL,
            told=lines,
        )
    except KeyboardInterrupt as error:
        if lines.last is not None:
            _finish(folder, lines.last, given, as_json)
        error.add_note(f"the trials are kept: the same command goes on with them ({folder}).")
        raise
    _finish(folder, found, given, as_json)


def _claim(folder: Path, source: str, given: dict[str, Any], space: dict[str, Any]) -> bool:
    """Makes the folder, or finds out that its search is the one that is asked for, and goes on."""
    purpose = {"source": source, "options": given, "space": {n: str(k) for n, k in space.items()}}
    text = json.dumps(purpose, indent=1, default=str)
    file = folder / PURPOSE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            if any(folder.iterdir()):
                raise FileError(
                    f"{folder} holds other files; nothing was changed",
                    "Choose another folder with --output.",
                )
            file.write_text(text)
        elif file.read_text() != text:
            raise ArgumentError(
                f"The search in {folder} was begun with other data or settings",
                "Choose another folder with --output, or give the same options to go on.",
            )
        else:
            return True
    except PellucidError:
        raise
    except OSError as error:
        raise FileError(
            f"{folder}: {error.strerror}", "Choose another one with --output."
        ) from None
    return False


class _Lines:
    """Prints a line for each trial that has ended."""

    def __init__(self, trials: int, quiet: bool) -> None:
        self.trials, self.quiet = trials, quiet
        self.last: SearchResult | None = None
        self.start = time.perf_counter()

    def __call__(self, found: SearchResult) -> None:
        before, self.last = self.last, found
        if self.quiet:
            return
        best = found.best
        better = before is None or best != before.best
        text = f"{len(found.trials):>4} / {self.trials}  {time.perf_counter() - self.start:6.0f} s"
        reached = f"best validation loss {best.loss:.4g}"
        if best.metric is not None:
            reached += f" (metric {best.metric:.4g})"
        text += f"  {told(reached)}"
        if better:
            listed = (f"{option_name(n)} {shown(v)}" for n, v in best.settings.items())
            text += ": " + ", ".join(listed)
        say(Shown(text))


def _finish(folder: Path, found: SearchResult, given: dict[str, Any], as_json: bool) -> None:
    """Leaderboard, pictures, the best settings, and how to train with them."""
    shares = found.importances()
    if not as_json:
        say()
        say(found)
        say()
    if shares and not as_json:
        listed = ", ".join(f"{option_name(name)} {share:.0%}" for name, share in shares.items())
        fact("Mattered", Shown(listed))
    written = [LEADERBOARD, BEST]
    _write(folder / LEADERBOARD, _leaderboard(found))
    best = {option_name(name).removeprefix("--"): v for name, v in found.best.settings.items()}
    _write(folder / BEST, toml_text({**given, **best}))
    for file, draw in ((IMPORTANCE, draw_importances), (SETTINGS, draw_parallel_coordinates)):
        try:
            draw(found, folder / file)
            written.append(file)
        except ArgumentError:
            continue  # too few trials
        except PellucidError as error:
            complain(worded(f"{file} was not drawn: {error.message}", option_words), fg="yellow")
    if as_json:
        trials = [dataclasses.asdict(trial) for trial in found.trials]
        say_json({"folder": str(folder), "trials": trials, "importances": shares})
        return
    fact("Written", Shown(f"{folder}  ({', '.join(written)})"))
    command = f"pellucid train --config {shlex.quote(str(folder / BEST))}"
    fact("Next", f"{clean(command)}   trains with the best settings and measures the test part")


def _write(file: Path, text: str) -> None:
    with replacing(file) as made:
        made.write(text.encode())


def _leaderboard(found: SearchResult) -> str:
    """All trials as CSV, the best first."""
    names = list(found.best.settings)
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["rank", "validation loss", "metric", "epoch", "seed", "ended early", *names])
    for rank, trial in enumerate(found.trials, 1):
        values = [shown(trial.settings[n]) for n in names]
        metric = "" if trial.metric is None else repr(trial.metric)
        facts = [rank, repr(trial.loss), metric, trial.epoch, trial.seed, trial.pruned]
        writer.writerow([*facts, *values])
    return lines.getvalue()
