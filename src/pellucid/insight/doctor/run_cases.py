"""A finished run under the doctor: its network, its curves, its settings, and its data where they
still are where they were."""

from __future__ import annotations

import inspect
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.data.prepared import PreparedData
from pellucid.data.sources import load_source
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case, Rows
from pellucid.insight.doctor.causes import CAUSES
from pellucid.insight.doctor.data.examination import examine_data
from pellucid.insight.doctor.findings import Evidence, Finding, Place
from pellucid.insight.doctor.judging import judged
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.report import Report
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.training.capture import named_tensors
from pellucid.training.files import read_limited
from pellucid.training.job import part_rows, run_trainer, untrained_network
from pellucid.training.network import build_loss, build_optimizer, kept_tensors
from pellucid.training.run_folder import SETTINGS, load_description, read_records
from pellucid.training.saved_model import SavedModel
from pellucid.training.stored_run import StoredRun, read_run

_ROWS = 2048
_BATCHES = 4
_NAMES = {
    "text_column": "text_columns",
    "missing_value": "missing_values",
    "keep_text": "keep_texts",
    "date_format": "date_formats",
    "target": "targets",
}
_OF_DATA = ("targets", "task", "split", "validation", "test", "ignore", "text_columns",
            "image_size", "separator", "encoding")  # fmt: skip


def examine_run(folder: str | os.PathLike[str], *, seconds: float = 10.0) -> Report:
    """Examines a run that ``pellucid train`` (or ``TrainingRun``) has written.

    The network is built again as its settings say, once with its first weights and once with those
    it was left with; its epochs are in its records.  Where the data are still where they were and
    still the same, they are examined as well (``examine_data``) and experiments on them may take
    ``seconds``.  What the doctor said when the run ended stays where nothing newer contradicts it.
    A run of a language model or of sequences is judged by its curves.

    Raises as ``read_run`` where there is no run, or where it is damaged.
    """
    root = Path(folder)
    if not isinstance(load_description(root), SavedModel):
        return _by_curves(root)
    run = read_run(root)
    prepared = _data_of(run)
    case = _case(run, prepared)
    report = judged(case, seconds)
    if prepared is not None:
        _add(report, _of_source(root))
    _add(report, stored_findings(run.examination))
    report.facts["data at hand"] = prepared is not None
    return report


def _by_curves(root: Path) -> Report:
    """What the curves of a run of another kind say."""
    records = [r for r in read_records(root) if r.get("event") in ("epoch", "progress")]
    history = [{k: v for k, v in r.items() if isinstance(v, (int, float))} for r in records]
    losses = [float(r["loss"]) for r in history if "loss" in r]
    case = Case(phase="after", history=history, losses=losses, step=len(losses))
    report = judged(case, 0.0)
    report.case = None
    return report


def _case(run: StoredRun, prepared: PreparedData | None) -> Case:
    """What is known of the training: all that the Trainer knew, where the data are at hand."""
    saved, config = run.saved, run.saved.config
    case = Case(phase="after", step=run.history.steps, model=run.model)
    case.loss = build_loss(config.loss_for(saved.task.kind, saved.task.loss))
    case.history = [record.to_json() for record in run.history.epochs]
    case.settings = {name: getattr(config, name) for name in _KNOWN if hasattr(config, name)}
    case.notes["status"] = run.history.status
    if run.model is None:
        return case
    if prepared is None:
        case.optimizer = build_optimizer(run.model, config)
        return case
    fresh, _ = untrained_network(prepared, config)
    case.notes["first weights"] = {
        name: np.array(tensor.detach().numpy()) for name, tensor in named_tensors(fresh)
    }
    _take_weights(fresh, run.model)
    trainer = run_trainer(prepared, config, fresh)
    case.model, case.loss, case.optimizer = fresh, trainer.loss, trainer.optimizer
    case.metric = trainer.metric
    case.train = _rows(prepared, "train")
    case.validation = _rows(prepared, "validation") if len(prepared.validation) else None
    case.bench = ModelBench(
        fresh, trainer.loss, trainer.optimizer, _batches(case.train, config.batch_size),
        augment=trainer.augment, clip_norm=trainer.clip_norm,
        class_weights=trainer.class_weights, compile=trainer.compile,
    )  # fmt: skip
    return case


_KNOWN = ("batch_size", "epochs", "clip_norm", "accumulate", "ema_decay", "class_weight",
          "schedule", "patience")  # fmt: skip


def _take_weights(model: Module, trained: Module) -> None:
    """Gives a network the weights of another of the same form."""
    own = kept_tensors(model)
    with no_grad():
        for name, tensor in kept_tensors(trained).items():
            np.copyto(own[name].detach().numpy(), tensor.detach().numpy())


def _rows(prepared: PreparedData, part: str) -> Rows:
    features, targets = part_rows(prepared, getattr(prepared, part))[:2]
    number = len(features)
    chosen = np.random.default_rng(0).permutation(number)[:_ROWS]
    return Rows(as_tensor(features[chosen]), as_tensor(targets[chosen]), number)


def _batches(rows: Rows, size: int) -> list[tuple[Any, Any]]:
    count = max(1, min(_BATCHES, len(rows.features) // max(size, 1)))
    return [
        (rows.features[n * size : (n + 1) * size], rows.targets[n * size : (n + 1) * size])
        for n in range(count)
    ]


# ---- data ------------------------------------------------------------------------------------


def _options(root: Path) -> dict[str, Any]:
    """The options that began the run, by the names of ``load_source``."""
    try:
        found = tomllib.loads(read_limited(root / SETTINGS, 1 << 20).decode("utf-8"))
    except (OSError, PellucidError, ValueError):
        return {}
    made = {}
    for name, value in found.items():
        plain = name.replace("-", "_")
        made[_NAMES.get(plain, plain)] = value
    if isinstance(made.get("date_formats"), list):
        pairs = [str(entry).partition("=") for entry in made["date_formats"]]
        made["date_formats"] = {column: form for column, _, form in pairs}
    return made


def _data_of(run: StoredRun) -> PreparedData | None:
    """The data that the run learned from, where they are still there and still the same."""
    options = _options(run.folder)
    source = options.get("source")
    if not isinstance(source, str) or not (source == "digits" or Path(source).exists()):
        return None
    known = inspect.signature(load_source).parameters
    asked: Mapping[str, Any] = {n: v for n, v in options.items() if n in known and n != "source"}
    try:
        prepared = load_source(source, **{"seed": run.saved.config.seed, **asked})
    except PellucidError:
        return None
    same = prepared.fingerprint == run.saved.fingerprint and prepared.stream is None
    return prepared if same and prepared.row_shape == run.saved.row_shape else None


def _of_source(root: Path) -> list[Finding]:
    """What the data say by themselves."""
    options = _options(root)
    asked = {n: v for n, v in options.items() if n in _OF_DATA and n != "targets"}
    try:
        return list(examine_data(options["source"], options.get("targets", ()), **asked))
    except PellucidError:
        return []


def _add(report: Report, more: list[Finding]) -> None:
    """Puts findings behind those there are, each cause once."""
    known = {finding.cause for finding in report}
    known |= {symptom.cause for finding in report for symptom in finding.symptoms}
    report.findings.extend(finding for finding in more if finding.cause not in known)


def stored_findings(examination: Mapping[str, Any] | None) -> list[Finding]:
    """Findings from the JSON values that a run holds; remedies can be read, not tried."""
    found = []
    for entry in (examination or {}).get("findings", ()):
        if entry["cause"] not in CAUSES:
            continue  # of another version
        evidence = [
            Evidence(str(e.get("text", "")), e.get("value"), str(e.get("expected", "")))
            for e in entry["evidence"]
        ]
        remedies = [
            Patch(str(r.get("kind", "code")), str(r.get("text", "")), str(r.get("name", "")),
                  r.get("old"), r.get("new"))
            for r in entry["remedies"]
        ]  # fmt: skip
        found.append(
            Finding(
                entry["cause"], _place(entry.get("place")),
                tuple(evidence), float(entry["confidence"]), remedies=tuple(remedies),
            )
        )  # fmt: skip
    return found


def _place(value: object) -> Place:
    """Where a stored finding lies: its names; of rows, those that are whole numbers."""
    known = value if isinstance(value, dict) else {}
    layer, setting, column, line, part = (
        str(known.get(name, "")) for name in ("layer", "setting", "column", "line", "part")
    )
    rows = tuple(row for row in known.get("rows") or () if type(row) is int)
    return Place(layer, setting, column, line, rows, part)
