"""``summary``, ``evaluate``, ``predict`` and ``report`` for runs that learned from texts."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid.base.errors import FileError, RunFolderError
from pellucid.base.language import Shown, translated
from pellucid.cli.reporting import fact, figure_text, say, say_json
from pellucid.cli.text import page_of, part_text
from pellucid.insight.report.system_page import compared
from pellucid.text.language_run import KIND as LANGUAGE
from pellucid.text.language_run import load_language_model, read_text
from pellucid.text.sequence_run import EXACT, load_sequences, read_pairs, read_sources
from pellucid.training.files import write_file
from pellucid.training.run_folder import REPORT
from pellucid.training.run_list import facts_of
from pellucid.training.saved_system import SavedSystem
from pellucid.training.summary import text_table


def summary(run: Path, saved: SavedSystem, as_json: bool) -> None:
    """Prints what the folder holds."""
    if as_json:
        shapes = {name: list(shape) for name, shape in saved.shapes.items()}
        say_json({**facts_of(run).to_json(), "versions": saved.versions, "parameters": shapes})
        return
    fact("Run", Shown(f"{saved.name}, {saved.created}, {translated(saved.status)}"))
    fact("Kind", f"{saved.kind}, {saved.target}")
    parts = " / ".join(f"{count:,}" for count in saved.rows.values())
    fact("Data", f"training / validation / test {parts}; SHA-256 {saved.fingerprint[:16]}…")
    settings = ", ".join(f"{name} {value}" for name, value in saved.settings.items())
    fact("Settings", Shown(settings))
    say()
    rows = [tuple(map(translated, ("layer", "shape", "parameters")))]
    rows += [(n, "×".join(map(str, s)), f"{math.prod(s):,}") for n, s in saved.shapes.items()]
    total = sum(math.prod(shape) for shape in saved.shapes.values())
    rows.append((translated("all"), "", f"{total:,}"))
    say(text_table(rows))
    if saved.figures:
        say()
        say(_figures(saved.figures))
    found = compared(saved)
    if found is not None:
        say()
        say(f"{found[1]}.", fg="green" if found[0] else "yellow", bold=True)


def evaluate(run: Path, saved: SavedSystem, file: str, encoding: str, as_json: bool) -> None:
    """Prints perplexity and bits per character of a text, or the share of exact matches of pairs,
    beside the figures of the run's own test part."""
    if saved.kind == LANGUAGE:
        measured = _text_figures(run, file, encoding)
    else:
        measured = {EXACT: load_sequences(run).exact_match(read_pairs(Path(file), encoding))}
    own = saved.figures.get("test")
    if as_json:
        say_json({"run": str(run), "file": file, "metrics": measured, "test_part_of_training": own})
        return
    fact("Run", Shown(f"{saved.name}, {saved.created}, {translated(saved.status)}"))
    say()
    columns: dict[str, Mapping[str, float]] = {Path(file).name: measured}
    if own is not None:
        columns["test part of training"] = own
    say(_figures(columns))


def _text_figures(run: Path, file: str, encoding: str) -> dict[str, float]:
    from pellucid.text.language_model import measure

    model, text = load_language_model(run), read_text(Path(file), encoding)
    texts = [line for line in text.splitlines() if line.strip()] if model.config.lines else [text]
    return measure(model, texts)


def predict(
    run: Path,
    saved: SavedSystem,
    file: str,
    output: Path | None,
    encoding: str,
    as_json: bool,
    others: Mapping[str, Any],
) -> None:
    """Writes what a network from sequence to sequence makes of each line of a file.

    A language model has no answers: that is an error which says what to use.
    """
    if saved.kind == LANGUAGE:
        raise RunFolderError(
            f"{run} holds a {saved.kind}, which continues texts and has no answer for rows",
            f'Use: pellucid generate {run} --prompt "…"; pellucid evaluate {run} FILE measures it.',
        )
    for name, value in others.items():
        if value:
            raise RunFolderError(
                f"--{name} is for rows of data, {run} holds a {saved.kind}", "Leave it out."
            )
    if output is not None and output.suffix.lower() != ".csv":
        raise FileError(f"--output {output} is no .csv", "Choose this ending.")
    sources = read_sources(Path(file), encoding)
    written = load_sequences(run).translate(sources)
    if as_json and output is None:
        for source, text in zip(sources, written, strict=True):
            line = {"source": source, "text": text}
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        return
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(("row", "source", "text"))
    table.writerows((row, *pair) for row, pair in enumerate(zip(sources, written, strict=True)))
    if output is None:
        sys.stdout.write(stream.getvalue())
        return
    write_file(Path(os.path.abspath(output)), stream.getvalue().encode())
    if as_json:
        say_json({"rows": len(written), "written": str(output)})
    else:
        fact("Written", Shown(f"{output}"))


def report(run: Path, saved: SavedSystem, output: Path | None, as_json: bool) -> None:
    """Writes the page of a run, with texts that its network writes now."""
    model = load_language_model(run) if saved.kind == LANGUAGE else None
    target = output or run / REPORT
    write_file(Path(os.path.abspath(target)), page_of(run, model).encode())
    if as_json:
        say_json({"written": str(target), "notes": []})
    else:
        fact("Written", Shown(target))


def _figures(columns: Mapping[str, Mapping[str, float]]) -> str:
    """A table of figures by part."""
    names = dict.fromkeys(name for values in columns.values() for name in values)
    rows = [["", *map(part_text, columns)]]
    for name in names:
        known = (values.get(name) for values in columns.values())
        shown = ("–" if value is None else figure_text(name, value) for value in known)
        rows.append([translated(name), *shown])
    return text_table(rows)
