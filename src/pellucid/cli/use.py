"""``pellucid predict``, ``evaluate`` and ``summary``: using a run folder."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, DataError, FileError, RunFolderError
from pellucid.base.extras import needs
from pellucid.base.language import Shown, translated
from pellucid.cli.reporting import (
    about,
    complain,
    fact,
    figure_text,
    figures_table,
    say,
    say_json,
    told,
)
from pellucid.data.large_files import is_large, predict_large
from pellucid.data.preprocessing import Preprocessor
from pellucid.data.sources import PredictionData, load_for_prediction
from pellucid.insight.report import render_comparison, render_report, report_json
from pellucid.interop.files import replacing
from pellucid.training.averaging import spread
from pellucid.training.calibration import both_classes
from pellucid.training.files import write_file
from pellucid.training.inference import Scorer
from pellucid.training.leftovers import leftovers, remove
from pellucid.training.leftovers import recover as recover_run
from pellucid.training.metrics import HEADLINES, Metrics, metrics
from pellucid.training.network import describe_layers, predictions_of
from pellucid.training.run_folder import REPORT, load_description, load_model, plain
from pellucid.training.run_list import facts_of
from pellucid.training.saved_model import SavedModel
from pellucid.training.saved_system import SavedSystem
from pellucid.training.stored_run import read_run, restore
from pellucid.training.summary import summary as summarize
from pellucid.training.summary import text_table

_MOST_CLASS_COLUMNS = 50


def _system_of(run: Path) -> SavedSystem | None:
    """What a run folder says of itself where it learned from texts; raises as ``load_run``."""
    saved = load_description(run)
    return saved if isinstance(saved, SavedSystem) else None


def predictions(
    run: Path, file: str, encoding: str, *, with_targets: bool, ids: Sequence[str] = ()
) -> tuple[SavedModel, PredictionData, np.ndarray]:
    """The run, the new data, and predictions (rows, units)."""
    saved, network = restore(run)
    task = saved.task if with_targets else None
    data = load_for_prediction(saved.preprocessor, file, task, encoding=encoding, ids=ids)
    for note in data.notes:
        complain(about(translated("Note"), note), fg="yellow")
    if not len(data.features):
        raise DataError(f"{file} has no rows", "Give at least one row.")
    scorer = Scorer(network, compile=saved.config.compile)
    return saved, data, _values(run, saved, scorer, data)


def _values(
    run: Path, saved: SavedModel, scorer: Scorer, data: PredictionData, before: int = 0
) -> np.ndarray:
    """Predictions (rows, units), of rows that come after ``before`` others."""
    temperature = 1.0 if saved.calibration is None else saved.calibration.temperature
    values = predictions_of(saved.task, scorer(data.features), saved.target_scaler, temperature)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise RunFolderError(
            f"The network of {run} gives NaN or infinity for row {row + before}",
            "Its weights or the values of this row are too large: train again, or correct the row.",
        )
    return values


def predict(
    run: Path,
    file: str,
    output: Path | None,
    overwrite: bool,
    encoding: str,
    ids: Sequence[str] = (),
    as_json: bool = False,
    memory: float | None = None,
    interval: float | None = None,
) -> None:
    """Writes a table with one line for each row of ``file``, with its columns ``ids`` as they are
    written there; ``as_json`` prints lines of JSON.  A file that takes more than ``memory`` MiB is
    read and answered in pieces.  ``interval`` is the share of rows whose truth is to be in the
    interval, or the set of classes, that is written beside the prediction."""
    if output is not None and os.path.lexists(output) and not overwrite:
        raise FileError(
            f"{output} exists already; nothing was changed",
            "Choose another file, or replace this one with --overwrite.",
        )
    if output is not None and output.suffix.lower() not in (".csv", ".parquet"):
        raise ArgumentError(
            f"--output {output} is neither .csv nor .parquet", "Choose one of these endings."
        )
    system = _system_of(run)
    if system is not None:
        others = {"id": ids, "interval": interval}
        from pellucid.cli import text_use

        text_use.predict(run, system, file, output, encoding, as_json, others)
        return
    _check_interval(run, interval)
    if is_large(Path(file), memory):
        _predict_large(run, Path(file), output, encoding, ids, as_json, memory, interval)
        return
    saved, data, values = predictions(run, file, encoding, with_targets=False, ids=ids)
    network = restore(run)[1] if saved.config.ensemble > 1 else None
    columns = _columns(saved, data, values, interval) | _spread(saved, network, data)
    if output is None:
        sys.stdout.write(_json_lines(columns) if as_json else _csv(columns))
        return
    if output.suffix.lower() == ".parquet":
        with needs("train", "Writing predictions"):
            import polars

        buffer = io.BytesIO()
        polars.DataFrame(columns).write_parquet(buffer)
        content = buffer.getvalue()
    else:
        content = _csv(columns).encode()
    write_file(Path(os.path.abspath(output)), content)
    if as_json:
        say_json({"rows": len(values), "written": str(output)})
        return
    fact("Predicted", f"{len(values):,} rows of {file}")
    fact("Written", Shown(output))


def _check_interval(run: Path, interval: float | None) -> None:
    """Raises, before anything is read, where an interval is asked for that cannot be given."""
    if interval is None:
        return
    if not 0 < interval < 1:
        raise ArgumentError(
            f"--interval {interval:g}", "Give a share between 0 and 1, such as 0.9."
        )
    calibration = load_model(run).calibration
    if calibration is None:
        raise RunFolderError(
            f"{run} does not know how far off it was on rows that it did not learn from",
            "It was trained without validation rows, not to the end, or by an earlier version: "
            "train it again.",
        )
    calibration.limits(interval)


def _columns(
    saved: SavedModel,
    data: PredictionData,
    values: np.ndarray,
    interval: float | None = None,
    before: int = 0,
) -> dict[str, list[Any]]:
    """What is written of some rows: their numbers, their identifiers, predictions."""
    made = prediction_columns(saved, values, interval)
    numbers = [before + row for row in made.pop("row")]
    return {"row": numbers, **data.ids} | made


def _spread(saved: SavedModel, network: Any, data: PredictionData) -> dict[str, list[Any]]:
    """How far the networks of an ensemble lie apart on each row; nothing for a single network."""
    temperature = 1.0 if saved.calibration is None else saved.calibration.temperature
    scaler, task = saved.target_scaler, saved.task
    found = spread(network, task, data.features, scaler, temperature)
    if found is None:
        return {}
    if task.kind in ("binary", "multiclass"):
        return {"spread": found[:, 0].tolist()}
    return {f"spread of {n}": found[:, i].tolist() for i, n in enumerate(task.targets)}


def _predict_large(
    run: Path,
    file: Path,
    output: Path | None,
    encoding: str,
    ids: Sequence[str],
    as_json: bool,
    memory: float | None,
    interval: float | None,
) -> None:
    """Predictions for a file that is read in pieces, written as they are made."""
    if output is not None and output.suffix.lower() != ".csv":
        raise ArgumentError(
            f"{file} is read in pieces, and so are its predictions written",
            "Write them as .csv, or allow more memory with --memory.",
        )
    saved, network = restore(run)
    if not isinstance(saved.preprocessor, Preprocessor):
        raise DataError(f"{file} is a table, the network was trained on images", "Give images.")
    scorer = Scorer(network, compile=saved.config.compile)
    rows, seen = 0, set()
    pieces = predict_large(saved.preprocessor, file, encoding=encoding, ids=ids, memory=memory)
    place = contextlib.nullcontext(None) if output is None else replacing(output)
    with place as stream:
        for data in pieces:
            for note in data.notes:
                if (kind := re.sub(r"[\d,.]+", "", note)) not in seen:  # once, not in every piece
                    seen.add(kind)
                    head = translated(f"Note (rows from {rows:,} on)")
                    complain(about(head, note), fg="yellow")
            values = _values(run, saved, scorer, data, rows)
            columns = _columns(saved, data, values, interval, rows)
            columns |= _spread(saved, network, data)
            as_lines = as_json and output is None
            text = _json_lines(columns) if as_lines else _csv(columns, names=not rows)
            rows += len(data.features)
            if stream is None:
                sys.stdout.write(text)
            else:
                stream.write(text.encode())
    if output is not None and as_json:
        say_json({"rows": rows, "written": str(output)})
    elif output is not None:
        fact("Predicted", f"{rows:,} rows of {file}")
        fact("Written", Shown(output))


def prediction_columns(
    saved: SavedModel, values: np.ndarray, interval: float | None = None
) -> dict[str, list[Any]]:
    """Predictions by column: ``row`` from 0, then classes with their probabilities, labels, or
    numbers; with ``interval`` also the ends of intervals, or sets of classes as lists."""
    task, rows = saved.task, len(values)
    columns: dict[str, list[Any]] = {"row": list(range(rows))}
    known = saved.calibration if interval is not None else None
    if task.kind == "regression":
        ends = () if known is None else known.intervals(values, interval or 0.0)
        for position, name in enumerate(task.targets):
            columns[f"predicted {name}"] = values[:, position].tolist()
            for end, numbers in zip(("low", "high"), ends, strict=False):
                columns[f"{end} {name}"] = numbers[:, position].tolist()
        return columns
    sets = None if known is None else known.sets(task, values, interval or 0.0)
    if task.kind == "multilabel":
        for position, name in enumerate(task.targets):
            columns[f"predicted {name}"] = (values[:, position] > 0.5).astype(int).tolist()
            columns[f"probability of {name}"] = values[:, position].tolist()
            if sets is not None:
                columns[f"set of {name}"] = _listed(sets[:, position], (0, 1))
        return columns
    both = both_classes(task, values)
    names = task.class_names
    columns[f"predicted {task.targets[0]}"] = [names[i] for i in both.argmax(axis=1)]
    columns["probability"] = [float(v) for v in both.max(axis=1)]
    if sets is not None:
        columns[f"set of {task.targets[0]}"] = _listed(sets, names)
    if len(names) <= _MOST_CLASS_COLUMNS:
        for position, name in enumerate(names):
            columns[f"probability of {name}"] = [float(v) for v in both[:, position]]
    return columns


def _listed(sets: np.ndarray, names: Sequence[Any]) -> list[list[Any]]:
    """The names in each row's set."""
    return [[names[i] for i in np.flatnonzero(line).tolist()] for line in sets]


def _cell(value: Any) -> Any:
    """A value as it stands in CSV: numbers to six digits, sets with | between their members."""
    if isinstance(value, list):
        return "|".join(str(one).replace("|", "\\|") for one in value)
    return f"{value:.6g}" if isinstance(value, float) else value


def _csv(columns: dict[str, list[Any]], names: bool = True) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if names:
        writer.writerow(columns)
    for line in zip(*columns.values(), strict=True):
        writer.writerow(map(_cell, line))
    return text.getvalue()


def _json_lines(columns: dict[str, list[Any]]) -> str:
    """An object for each row, one a line."""
    rows = zip(*columns.values(), strict=True)
    objects = (dict(zip(columns, row, strict=True)) for row in rows)
    return "".join(json.dumps(plain(one), ensure_ascii=False) + "\n" for one in objects)


def evaluate(run: Path, file: str, encoding: str, as_json: bool = False) -> None:
    """Prints the metrics of the network on data with targets."""
    system = _system_of(run)
    if system is not None:
        from pellucid.cli import text_use

        text_use.evaluate(run, system, file, encoding, as_json)
        return
    saved, data, values = predictions(run, file, encoding, with_targets=True)
    if data.targets is None or not data.present.any():
        raise DataError(
            f"{file} has no values of the target {', '.join(map(repr, saved.task.targets))}",
            "Evaluating needs the right answers; without them use: pellucid predict",
        )
    measured = metrics(saved.task, data.targets[data.present], values[data.present])
    if as_json:
        say_json(
            {
                "run": str(run),
                "file": file,
                "rows": measured.rows,
                "rows_without_target": int((~data.present).sum()),
                "training_data": data.fingerprint == saved.fingerprint,
                "metrics": measured.values,
                "classes": [vars(one) for one in measured.per_class],
                "test_part_of_training": saved.figures.get("test"),
            }
        )
        return
    fact("Run", Shown(f"{saved.name}, {saved.created}, {translated(saved.status)}"))
    if data.fingerprint == saved.fingerprint:
        fact("Note", "these are the data of the training: the metrics include training rows")
    left_out = int((~data.present).sum())
    if left_out:
        fact("Note", f"{left_out:,} rows without a target were left out")
    say()
    columns = {f"{measured.rows:,} rows": measured.values}
    if "test" in saved.figures:
        columns["test part of training"] = saved.figures["test"]
    say(figures_table(columns, measured.headline))
    if measured.per_class:
        say()
        say(class_table(measured))


def class_table(measured: Metrics) -> str:
    """Precision, recall and F1 of each class as text."""
    rows = [tuple(map(translated, ("class", "precision", "recall", "f1", "rows")))]
    for one in measured.per_class[:100]:
        shown = [figure_text("", value) for value in (one.precision, one.recall, one.f1)]
        rows.append((one.name, *shown, f"{one.support:,}"))
    return text_table(rows)


def summary(run: Path, as_json: bool = False) -> None:
    """Prints what a run folder holds."""
    system = _system_of(run)
    if system is not None:
        from pellucid.cli import text_use

        text_use.summary(run, system, as_json)
        return
    saved, network = restore(run)
    if as_json:
        shapes = {n: list(p.shape) for n, p in network.named_parameters()}
        say_json({**facts_of(run).to_json(), "versions": saved.versions, "parameters": shapes})
        return
    fact("Run", Shown(f"{saved.name}, {saved.created}, {translated(saved.status)}"))
    fact("Task", about(", ".join(saved.task.targets), saved.task.reason))
    rows = saved.rows
    fact(
        "Data",
        f"{rows['all']:,} rows; training / validation / test "
        f"{rows['train']:,} / {rows['validation']:,} / {rows['test']:,}; "
        f"SHA-256 {saved.fingerprint[:16]}…",
    )
    fact("Network", describe_layers(saved.row_shape, saved.config, saved.task))
    versions = (f"{name} {translated(text)}" for name, text in saved.versions.items())
    fact("Versions", Shown(", ".join(versions)))
    say()
    say(summarize(network, (1, saved.inputs)))
    if saved.figures:
        say()
        parts = {k: v for k, v in saved.figures.items() if "validation" not in k or "," not in k}
        shown = {name.removesuffix(", test"): values for name, values in parts.items()}
        say(figures_table(shown, HEADLINES[saved.task.kind]))


def report(runs: Sequence[Path], output: Path | None, as_json: bool = False) -> None:
    """Makes the report of a run from its folder, or a page that compares several."""
    system = _system_of(runs[0]) if len(runs) == 1 else None
    if system is not None:
        from pellucid.cli import text_use

        text_use.report(runs[0], system, output, as_json)
        return
    if len(runs) > 1:
        found = [read_run(run) for run in runs]
        page, target = render_comparison(found), output or Path("comparison.html")
    else:
        found = [read_run(runs[0])]
        page, target = render_report(found[0]), output or runs[0] / REPORT
        numbers = target.with_suffix(".json")
        write_file(Path(os.path.abspath(numbers)), report_json(found[0]).encode())
    write_file(Path(os.path.abspath(target)), page.encode())
    notes = [note for run in found for note in run.notes]
    if as_json:
        say_json({"written": str(target), "notes": notes})
        return
    for note in notes:
        fact("Note", note)
    fact("Written", Shown(target))


def recover(place: Path | None, discard: bool, as_json: bool = False) -> None:
    """Finds what killed runs left behind and makes run folders of it, or deletes it."""
    if place is not None and not place.is_dir():
        raise FileError(f"{place} is no folder", "Give the folder in which the run was written.")
    found = [one for at in ([place] if place else [Path(), Path("runs")]) for one in leftovers(at)]
    listed: list[dict[str, str]] = []

    def tell(what: str, folder: Path, note: str = "") -> None:
        listed.append({"what": what.lower(), "folder": str(folder), "note": note})
        if not as_json:
            fact(what, Shown(f"{folder}{told(note)}"))

    for one in found:
        if discard:
            remove(one)
            tell("Deleted", one.folder)
        elif one.usable:
            try:
                target = recover_run(one)
            except RunFolderError as error:
                tell("Damaged", one.folder, f": {error.message}; --discard deletes it")
            else:
                tell("Recovered", target, "  (predict, evaluate, summary and report work on it)")
        else:
            tell("Of no use", one.folder, f": {one.problem}; --discard deletes it")
    if as_json:
        say_json(listed)
    elif not found:
        say("There is nothing that a killed run left behind.")
