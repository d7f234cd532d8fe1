"""A run as its folder tells it: the schema of records.jsonl, written and read in one place.

============  ===========================================================================
event         fields
============  ===========================================================================
start         name, config
epoch         the fields of ``EpochRecord``
stop          status, steps
data          notes; features (their number)
training      loss, metric, epochs, steps, best_epoch, seconds, compile_seconds, threads,
              failure (message and hint, or null)
inside        before, after: distributions of weights and outputs (``Observation``)
metrics       parts: the metrics of each part
baselines     models: name, description, and metrics by part, of the simple models
verdict       better, text
predictions   part, rows, true, predicted: of the part that the report shows
shown         part, positions, and columns with cells (tables) or features (images): the
              worst predictions as they stand in the data; first: features of the first row
rows          positions, columns: the columns of predicted rows, of tables
confused      positions, features: pictures of rows that were taken for another class
time          seconds: where the time went
profile       profile: where the time of a step went, layer by layer (``LayerProfile``)
findings      report: what the doctor says of the training (``Report.to_json``)
problem       message, hint: what went wrong beside the training
============  ===========================================================================

Arrays are written as ``{"dtype", "shape", "data"}`` with little-endian bytes in base64.  Every
part may be missing (older versions, killed runs); what is missing or damaged is told by ``notes``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import PellucidError, RunFolderError
from pellucid.data.json_checks import (
    json_bool,
    json_error,
    json_integer,
    json_list,
    json_number,
    json_text,
)
from pellucid.data.sources import PreparedData
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.training.arrays_json import array_from_json, array_to_json
from pellucid.training.baselines import Baseline, Baselines
from pellucid.training.history import EpochRecord, History
from pellucid.training.job import RunResult
from pellucid.training.metrics import HEADLINES, Metrics
from pellucid.training.mistakes import worst_predictions
from pellucid.training.network import build_network, kept_tensors
from pellucid.training.observe import Observation
from pellucid.training.profiling import LayerProfile
from pellucid.training.run_folder import load_model, load_run, read_records
from pellucid.training.saved_model import PARTS, SavedModel
from pellucid.training.showing import run_html
from pellucid.training.stored_rows import (
    Confused,
    StoredRows,
    confused_from_json,
    confused_record,
    rows_from_json,
    rows_record,
)

Numbers = npt.NDArray[Any]
T = TypeVar("T")

SHOWN_ROWS, SHOWN_COLUMNS = 16, 40
"""So many of the worst predictions are kept, with so many columns of a table."""
MOST_NUMBERS = 1_000_000
"""Of a part with more predictions only a share of the rows is kept, evenly spread."""
_MOST = 2**31
_TEXT = 2000


@dataclass(frozen=True)
class SimpleModel:
    """A simple model beside the network: its metrics by part."""

    name: str
    description: str
    metrics: Mapping[str, Metrics]


@dataclass(frozen=True)
class Verdict:
    """Whether the network is better than the simple models, in a sentence."""

    better: bool
    text: str


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the network said of a part: ``rows`` (n,) are positions in the source, ``true`` (n,) or
    (n, targets) what stands there, ``predicted`` (n, units) probabilities, or numbers in the
    data's units."""

    part: str
    rows: npt.NDArray[np.int64]
    true: Numbers
    predicted: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shown:
    """The worst predictions of a part, worst first: ``positions`` in ``Predictions``, and how these
    rows look in the data.

    ``columns`` and ``cells`` are those of a table's rows; ``features`` (k, pixels) those of images
    and ``first`` (pixels,) those of the part's first row.
    """

    part: str
    positions: npt.NDArray[np.int64]
    columns: tuple[str, ...] = ()
    cells: tuple[tuple[str | None, ...], ...] = ()
    features: npt.NDArray[np.float32] | None = None
    first: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Training:
    """How the training went, beside its epochs; ``failure`` is (message, hint)."""

    loss: str
    threads: int
    epochs: int
    failure: tuple[str, str] | None = None


@dataclass(eq=False)
class StoredRun:
    """A run as its folder tells it.  ``notes`` says what is missing or could not be read."""

    folder: Path
    saved: SavedModel
    model: Module | None
    history: History
    training: Training
    metrics: dict[str, Metrics] = field(default_factory=dict)
    baselines: tuple[SimpleModel, ...] = ()
    verdict: Verdict | None = None
    before: Observation | None = None
    after: Observation | None = None
    predictions: Predictions | None = None
    shown: Shown | None = None
    rows: StoredRows | None = None
    confused: Confused | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    data_notes: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    profile: LayerProfile | None = None
    examination: dict[str, Any] | None = None
    """What the doctor said of the training, as ``Report.to_json`` gives it; None without."""

    @property
    def part(self) -> str:
        """The part that is shown in detail; empty where there are no predictions."""
        return self.predictions.part if self.predictions is not None else ""

    def _repr_html_(self) -> str:
        """Verdict, metrics and curves in a notebook; ``pellucid.report`` shows all."""
        title = f"{self.saved.name}: {', '.join(self.saved.task.targets)}"
        text = "" if self.verdict is None else self.verdict.text
        notes = [str(self.folder), *self.notes]
        return run_html(title, text, self.saved.figures, self.history, notes)

    def parameters(self) -> int:
        """Number of trainable numbers."""
        return sum(math.prod(shape) for shape in self.saved.shapes.values())


def shown_part(parts: Mapping[str, object]) -> str:
    """The part whose predictions are shown: test, or validation without one, or training."""
    return next((part for part in ("test", "validation", "train") if part in parts), "")


# ---- writing -----------------------------------------------------------------------------------


def training_records(result: RunResult) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is known when the training is over: events and their fields."""
    history, failure = result.history, result.failure
    told = None
    if failure is not None:
        told = (repr(failure), "")
        if isinstance(failure, PellucidError):
            told = (str(failure.message), str(failure.hint))
    yield "data", {"notes": result.prepared.notes, "features": len(result.prepared.feature_names)}
    yield (
        "training",
        {
            "loss": result.loss_name,
            "metric": history.metric_name,
            "epochs": len(history),
            "steps": history.steps,
            "best_epoch": history.best_epoch,
            "seconds": history.seconds,
            "compile_seconds": history.compile_seconds,
            "threads": result.threads,
            "failure": told,
        },
    )
    if result.profile is not None:
        yield "profile", {"profile": result.profile.to_json()}
    if result.examination is not None:
        yield "findings", {"report": result.examination.to_json()}
    if result.before is not None and result.after is not None:
        yield "inside", {"before": result.before.to_json(), "after": result.after.to_json()}


def metric_records(result: RunResult) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is known when the network has been measured: events and their fields."""
    yield "metrics", {"parts": {part: m.to_json() for part, m in result.figures.items()}}
    if result.baselines is not None:
        yield "baselines", {"models": [_simple(b) for b in _simple_models(result.baselines)]}
        better, text = result.verdict()
        yield "verdict", {"better": better, "text": text}
    part = shown_part(result.predictions)
    if part:
        yield from _prediction_records(result, part)
    yield "time", {"seconds": result.seconds}


def _simple_models(found: Baselines) -> tuple[Baseline, ...]:
    return found.constant, found.linear


def _simple(simple: Baseline) -> dict[str, Any]:
    measured = {part: getattr(simple, part) for part in ("validation", "test")}
    return {
        "name": simple.name,
        "description": simple.description,
        "metrics": {part: m.to_json() for part, m in measured.items() if m is not None},
    }


def _prediction_records(result: RunResult, part: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The predictions of a part (of very many rows a share), and the worst of them."""
    data, predicted = getattr(result.prepared, part), result.predictions[part]
    true = data.raw_targets
    scaler = result.prepared.target_scaler
    spread = None if scaler is None else np.array(scaler.std)
    worst = worst_predictions(result.prepared.task.kind, predicted, true, spread, SHOWN_ROWS)
    kept = np.arange(len(predicted))
    if predicted.size > MOST_NUMBERS:
        count = max(1, MOST_NUMBERS // predicted.shape[1])
        kept = np.union1d(np.linspace(0, len(predicted) - 1, count).astype(np.int64), worst)
    yield (
        "predictions",
        {
            "part": part,
            "rows": array_to_json(np.asarray(data.indices[kept], np.int64)),
            "true": array_to_json(true[kept]),
            "predicted": array_to_json(np.asarray(predicted[kept], np.float64)),
        },
    )
    columns, cells = (), ()
    features = first = None
    if result.prepared.image_shape is not None:
        features, first = array_to_json(data.features[worst]), array_to_json(data.features[0])
    else:
        columns, cells = _cells(result.prepared, part, worst)
    yield (
        "shown",
        {
            "part": part,
            "positions": array_to_json(np.searchsorted(kept, worst).astype(np.int64)),
            "columns": columns,
            "cells": cells,
            "features": features,
            "first": first,
        },
    )
    rows = rows_record(result.prepared, kept)
    if rows is not None and part == shown_part(_filled(result.prepared)):
        yield "rows", rows
    confused = confused_record(result.prepared, part, kept, predicted)
    if confused is not None:
        yield "confused", confused


def _cells(prepared: PreparedData, part: str, rows: Numbers) -> tuple[Any, Any]:
    """Names of columns and the cells of rows of a part as they stand in the source, or as the
    network sees them where the source is not at hand."""
    table = prepared.shown_rows if part == shown_part(_filled(prepared)) else None
    if table is None:
        names = prepared.feature_names[:SHOWN_COLUMNS]
        values = getattr(prepared, part).features[rows][:, : len(names)]
        return names, [[f"{v:.4g}" for v in line] for line in values.tolist()]
    chosen = table.take(rows)
    kept = [n for n in chosen.columns if n not in prepared.task.targets][:SHOWN_COLUMNS]
    return kept, [[_short(chosen[n].text(i)) for n in kept] for i in range(len(chosen))]


def _filled(prepared: PreparedData) -> dict[str, int]:
    counts = {part: len(getattr(prepared, part)) for part in PARTS}
    return {part: count for part, count in counts.items() if count}


def _short(cell: str | None) -> str | None:
    return None if cell is None else cell[:_TEXT]


# ---- reading -----------------------------------------------------------------------------------


def restore(folder: str | os.PathLike[str]) -> tuple[SavedModel, Module]:
    """The saved description of a run folder and the network with its weights, in evaluation mode.

    Raises as ``load_run``.
    """
    saved, weights = load_run(folder)
    network: Module = build_network(
        saved.row_shape, saved.config, saved.task.output_units, saved.task.kind
    )
    with no_grad():
        for name, tensor in kept_tensors(network).items():
            np.copyto(tensor.detach().numpy(), weights[name])
    return saved, network.eval()


def read_run(folder: str | os.PathLike[str]) -> StoredRun:
    """Everything that a run folder tells.

    Raises as ``load_run`` where there is no model.json or where it is damaged; anything else that
    is missing or damaged leaves a gap and a sentence in ``notes``.
    """
    root, notes = Path(folder), []
    saved, model = load_model(root), None
    try:
        _, model = restore(root)
    except PellucidError as error:
        notes.append(f"The weights could not be read: {error.message}.")
    try:
        records = read_records(root)
    except PellucidError as error:
        records = []
        notes.append(f"The records could not be read: {error.message}.")
    reader = _Reader(records, saved, notes)
    history = reader.history()
    run = StoredRun(root, saved, model, history, reader.training(history))
    reader.fill(run)
    run.notes = tuple(notes)
    return run


class _Reader:
    """Takes the records apart; what cannot be used becomes a note."""

    def __init__(
        self, records: Sequence[Mapping[str, Any]], saved: SavedModel, notes: list[str]
    ) -> None:
        self.saved = saved
        self.notes = notes
        self.epochs = [r for r in records if r.get("event") == "epoch"]
        self.problems = [r for r in records if r.get("event") == "problem"]
        self.last = {str(r.get("event")): r for r in records}

    def take(self, event: str, read: Callable[[Mapping[str, Any]], T], what: str) -> T | None:
        """``read`` of the last record of a kind."""
        record = self.last.get(event)
        if record is None:
            self.notes.append(f"The folder does not hold {what}.")
            return None
        try:
            return read(record)
        except (PellucidError, KeyError, TypeError, ValueError, OverflowError) as error:
            text = error.message if isinstance(error, PellucidError) else repr(error)
            self.notes.append(f"{what[:1].upper()}{what[1:]} could not be read: {text}.")
            return None

    def history(self) -> History:
        """The epochs, and what is known of the whole training."""
        history = History(status=self.saved.status)
        history.metric_name = HEADLINES[self.saved.task.kind]
        try:
            epochs = [_epoch(record) for record in self.epochs]
            if len({e.validation_loss is None for e in epochs}) > 1:
                raise json_error("validation_loss", "one in each epoch, or in none", "gaps")
            history.epochs = epochs
        except (RunFolderError, KeyError, TypeError) as error:
            self.notes.append(f"The epochs could not be read: {error}.")
        if history.epochs:
            last = history.epochs[-1]
            history.steps, history.seconds = last.steps, last.seconds
            losses = [e.validation_loss for e in history.epochs]
            known = [loss for loss in losses if loss is not None]
            history.best_epoch = (
                history.epochs[losses.index(min(known))].epoch if known else last.epoch
            )
        return history

    def training(self, history: History) -> Training:
        """How the training went; the history's totals are set."""
        saved = self.saved
        loss = saved.config.loss_for(saved.task.kind, saved.task.loss)
        guessed = Training(loss, saved.config.threads, len(history))

        def read(record: Mapping[str, Any]) -> Training:
            failure = record["failure"]
            if failure is not None:
                message, hint = json_list(failure, "failure", 2)
                failure = (_text(message), _text(hint))
            found = Training(
                loss=_text(record["loss"]),
                threads=json_integer(record["threads"], "threads", 0, _MOST),
                epochs=json_integer(record["epochs"], "epochs", 0, _MOST),
                failure=failure,
            )
            history.best_epoch = json_integer(record["best_epoch"], "best_epoch", 0, _MOST)
            history.steps = json_integer(record["steps"], "steps", 0, 2**53)
            history.seconds = json_number(record["seconds"], "seconds")
            history.compile_seconds = json_number(record["compile_seconds"], "compile_seconds")
            return found

        return self.take("training", read, "how the training ended") or guessed

    def fill(self, run: StoredRun) -> None:
        """Everything else."""
        found = self.take("metrics", lambda r: _parts(r["parts"]), "the metrics in detail")
        run.metrics = found if found is not None else _plain_metrics(self.saved)
        run.baselines = self.take("baselines", _baselines, "the simple models") or ()
        run.verdict = self.take("verdict", _verdict, "the verdict")
        inside = self.take("inside", _inside, "the distributions inside the network")
        run.before, run.after = inside if inside is not None else (None, None)
        run.predictions = self.take("predictions", self._predictions, "the predictions")
        if run.predictions is not None:
            rows = len(run.predictions.rows)
            run.shown = self.take("shown", lambda r: _shown(r, rows), "the worst predictions")
            self._further(run, rows)
        if "profile" in self.last:
            run.profile = self.take("profile", _profile, "the time of the layers")
        if "findings" in self.last:
            run.examination = self.take("findings", _examination, "what the doctor said")
        run.seconds = self.take("time", _seconds, "where the time went") or {}
        run.data_notes = (
            self.take("data", lambda r: _texts(r["notes"]), "the notes on the data") or ()
        )
        with_text = [(r.get("message"), r.get("hint")) for r in self.problems]
        run.problems = tuple((str(message), str(hint)) for message, hint in with_text)

    def _further(self, run: StoredRun, count: int) -> None:
        """What only some folders hold about ``count`` predictions."""
        if "rows" in self.last:
            name = self.saved.name
            run.rows = self.take(
                "rows", lambda r: rows_from_json(r, name, count), "the columns of predicted rows"
            )
        if "confused" in self.last:
            run.confused = self.take(
                "confused", lambda r: confused_from_json(r, count), "pictures of confused classes"
            )

    def _predictions(self, record: Mapping[str, Any]) -> Predictions:
        found = Predictions(
            part=json_text(record["part"], "part", PARTS),
            rows=array_from_json(record["rows"], "rows", "<i8"),
            true=array_from_json(record["true"], "true", "<i8 <f8 <f4"),
            predicted=array_from_json(record["predicted"], "predicted", "<f8"),
        )
        count, task = len(found.rows), self.saved.task
        several = task.kind in ("regression", "multilabel")
        units = task.output_units
        if found.rows.ndim != 1 or found.predicted.shape != (count, units):
            raise json_error("predictions", f"{count} rows of {units}", found.predicted.shape)
        if found.true.shape not in ([(count, units), (count,)] if several else [(count,)]):
            raise json_error("true values", f"{count} rows", found.true.shape)
        if several and found.true.size != count * units:
            raise json_error("true values", f"{units} in a row", found.true.shape)
        if (
            not several
            and count
            and not 0 <= found.true.min() <= found.true.max() < len(task.classes)
        ):
            raise json_error("true values", "class numbers", found.true.max())
        return found


def _text(value: object) -> str:
    return json_text(value, "a text")[:_TEXT]


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(entry) for entry in json_list(value, "texts", 10_000))


def _epoch(record: Mapping[str, Any]) -> EpochRecord:
    def optional(name: str) -> float | None:
        value = record.get(name) if name == "train_loss" else record[name]
        return None if value is None else json_number(value, name)

    return EpochRecord(
        epoch=json_integer(record["epoch"], "epoch", 1, _MOST),
        loss=json_number(record["loss"], "loss"),
        validation_loss=optional("validation_loss"),
        metric=optional("metric"),
        learning_rate=json_number(record["learning_rate"], "learning_rate"),
        steps=json_integer(record["steps"], "steps", 0, 2**53),
        rows_per_second=json_number(record["rows_per_second"], "rows_per_second"),
        seconds=json_number(record["seconds"], "seconds"),
        train_loss=optional("train_loss"),
    )


def _parts(value: object) -> dict[str, Metrics]:
    if not isinstance(value, dict):
        raise json_error("metrics", "an object", value)
    return {
        json_text(part, "part", PARTS): Metrics.from_json(given) for part, given in value.items()
    }


def _plain_metrics(saved: SavedModel) -> dict[str, Metrics]:
    """The metrics that model.json holds: values without details."""
    return {
        part: Metrics(dict(saved.figures[part]), HEADLINES[saved.task.kind], saved.rows[part])
        for part in PARTS
        if saved.figures.get(part) and HEADLINES[saved.task.kind] in saved.figures[part]
    }


def _baselines(record: Mapping[str, Any]) -> tuple[SimpleModel, ...]:
    return tuple(
        SimpleModel(_text(m["name"]), _text(m["description"]), _parts(m["metrics"]))
        for m in json_list(record["models"], "models", 20)
    )


def _verdict(record: Mapping[str, Any]) -> Verdict:
    return Verdict(json_bool(record["better"], "better"), _text(record["text"]))


def _inside(record: Mapping[str, Any]) -> tuple[Observation, Observation]:
    return Observation.from_json(record["before"]), Observation.from_json(record["after"])


def _examination(record: Mapping[str, Any]) -> dict[str, Any]:
    """The doctor's report: findings with their cause, evidence and remedies."""
    report = record["report"]
    if not isinstance(report, dict) or not isinstance(report.get("findings"), list):
        raise json_error("report", "an object with findings", report)
    for finding in report["findings"]:
        if not isinstance(finding, dict):
            raise json_error("findings", "objects", finding)
        json_text(finding["cause"], "cause")
        json_text(finding["title"], "title")
        json_number(finding["confidence"], "confidence")
        for name in ("evidence", "probes", "remedies", "symptoms"):
            listed = finding[name]
            if not isinstance(listed, list) or not all(isinstance(o, dict) for o in listed):
                raise json_error(name, "a list of objects", listed)
    return report


def _profile(record: Mapping[str, Any]) -> LayerProfile:
    return LayerProfile.from_json(record["profile"])


def _seconds(record: Mapping[str, Any]) -> dict[str, float]:
    found = record["seconds"]
    if not isinstance(found, dict):
        raise json_error("seconds", "an object", found)
    return {_text(name): json_number(value, "seconds") for name, value in found.items()}


def _shown(record: Mapping[str, Any], rows: int) -> Shown:
    positions = array_from_json(record["positions"], "positions", "<i8")
    if positions.ndim != 1 or len(positions) and not 0 <= positions.min() <= positions.max() < rows:
        raise json_error("positions", f"numbers below {rows}", positions.shape)
    columns = _texts(record["columns"])
    cells = tuple(
        tuple(None if cell is None else _text(cell) for cell in json_list(line, "cells", 1000))
        for line in json_list(record["cells"], "cells", 1000)
    )
    if any(len(line) != len(columns) for line in cells):
        raise json_error("cells", f"{len(columns)} in a row", cells[:1])
    features, first = record["features"], record["first"]
    return Shown(
        part=json_text(record["part"], "part", PARTS),
        positions=positions,
        columns=columns,
        cells=cells,
        features=None if features is None else array_from_json(features, "features", "<f4"),
        first=None if first is None else array_from_json(first, "first", "<f4"),
    )
