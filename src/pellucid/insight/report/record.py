"""The report's numbers as JSON values: everything that the page draws, for programs."""

from __future__ import annotations

import json
import math
import os
from dataclasses import fields
from typing import Any

import numpy as np

from pellucid.insight.report.classes import one_against_rest
from pellucid.insight.report.effects import effects_data
from pellucid.insight.report.page import render_report
from pellucid.insight.report.rows import column_groups, row_errors, segments
from pellucid.insight.report.sections import metric_intervals
from pellucid.insight.report.trust import coverage, run_reliability
from pellucid.insight.runs import run_findings
from pellucid.insight.thresholds import area, average_precision, precision_recall_curve, roc_curve
from pellucid.training.config import TrainingConfig
from pellucid.training.saved_model import PARTS
from pellucid.training.stored_run import StoredRun, read_run

FORMAT = 1
PAGE, DATA = "report.html", "report.json"
_MOST_POINTS = 1000


def report_files(folder: str | os.PathLike[str]) -> dict[str, str]:
    """What is written beside a run: name → text of the page and of its numbers."""
    run = read_run(folder)
    return {PAGE: render_report(run), DATA: report_json(run)}


def report_json(run: StoredRun) -> str:
    """:func:`report_data` as text."""
    return json.dumps(report_data(run), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def report_data(run: StoredRun) -> dict[str, Any]:
    """Every number of the report as JSON values; what the run does not hold is left out.

    ``metrics`` by part with per-class figures and confusion, ``intervals`` (95 %) by metric,
    ``baselines``, ``verdict``, ``history`` by epoch, ``roc`` and ``precision_recall`` by class,
    ``reliability``, ``coverage``, ``segments`` (worst groups), ``errors_by_column``,
    ``importance``, ``effects``, ``errors``, ``doctor`` (its report), ``remarks`` on network and
    curves, ``inside`` (distributions before and after training), ``seconds``, ``rows``,
    ``settings``, ``notes``.  Numbers that are not finite are null.
    """
    saved = run.saved
    found = {
        "format": FORMAT,
        "name": saved.name,
        "task": {
            "kind": saved.task.kind,
            "targets": list(saved.task.targets),
            "classes": list(saved.task.class_names),
        },
        "status": saved.status,
        "failure": run.training.failure,
        "verdict": None if run.verdict is None else vars(run.verdict),
        "doctor": run.examination,
        "remarks": [vars(finding) for finding in run_findings(run)],
        "metrics": {part: run.metrics[part].to_json() for part in PARTS if part in run.metrics},
        "intervals": {name: list(ends) for name, ends in metric_intervals(run).items()},
        "baselines": [_baseline(model) for model in run.baselines],
        "loss": run.training.loss,
        "history": [record.to_json() for record in run.history],
        "best_epoch": run.history.best_epoch,
        **_from_predictions(run),
        "inside": _inside(run),
        "parameters": run.parameters(),
        "seconds": run.seconds,
        "rows": dict(saved.rows),
        "fingerprint": saved.fingerprint,
        "versions": dict(saved.versions),
        "settings": {f.name: getattr(saved.config, f.name) for f in fields(TrainingConfig)},
        "notes": [*run.data_notes, *run.notes],
        "problems": [list(problem) for problem in run.problems],
    }
    kept = {name: _plain(value) for name, value in found.items()}
    return {name: value for name, value in kept.items() if value not in (None, {}, [])}


def _baseline(model: Any) -> dict[str, Any]:
    measured = {part: m.to_json() for part, m in model.metrics.items()}
    return {"name": model.name, "description": model.description, "metrics": measured}


def _inside(run: StoredRun) -> dict[str, Any]:
    if run.before is None or run.after is None:
        return {}
    return {"before": run.before.to_json(), "after": run.after.to_json()}


def _from_predictions(run: StoredRun) -> dict[str, Any]:
    """What follows from the predictions of the part that is shown."""
    if run.predictions is None:
        return {}
    found: dict[str, Any] = {"part": run.part, "roc": {}, "precision_recall": {}}
    for name, true, scores in one_against_rest(run):
        x, y = roc_curve(true, scores)
        found["roc"][name] = {
            "area": area(x, y),
            "false_positive_rate": _thin(x),
            "true_positive_rate": _thin(y),
        }
        recall, precision, thresholds = precision_recall_curve(true, scores)
        found["precision_recall"][name] = {
            "average_precision": average_precision(recall, precision),
            "recall": _thin(recall),
            "precision": _thin(precision),
            "threshold": _thin(thresholds),
        }
    reliable = run_reliability(run)
    if reliable is not None:
        found["reliability"] = {
            "error": reliable.error,
            "confidence": reliable.confidence,
            "accuracy": reliable.accuracy,
        }
    found["coverage"] = coverage(run)
    if run.saved.task.kind == "regression":
        found["errors"] = _errors(run)
    return found | _by_rows(run) | effects_data(run)


def _errors(run: StoredRun) -> dict[str, Any]:
    """The errors (predicted - true) of each target: mean, deviation and quantiles."""
    kept = run.predictions
    if kept is None:
        return {}
    errors = kept.predicted - kept.true.reshape(kept.predicted.shape)
    shares = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
    return {
        name: {
            "mean": errors[:, i].mean(),
            "deviation": errors[:, i].std(),
            "quantiles": {f"{s:g}": np.quantile(errors[:, i], s) for s in shares},
        }
        for i, name in enumerate(run.saved.task.targets)
    }


def _by_rows(run: StoredRun) -> dict[str, Any]:
    errors = row_errors(run)
    if errors is None or run.rows is None:
        return {}
    worst = [
        {
            "conditions": list(one.conditions),
            "rows": one.rows,
            "error": one.error,
            "elsewhere": one.others,
            "p": one.p,
        }
        for one in segments(run)
    ]
    columns = {
        name: [
            {"level": label, "rows": mask.sum(), "error": errors.signed[mask].mean()}
            for label, mask in column_groups(column)
        ]
        for name, column in run.rows.table.columns.items()
    }
    return {"error": errors.name, "segments": worst, "errors_by_column": columns}


def _thin(values: np.ndarray) -> list[float]:
    """At most a thousand of the values, evenly spaced."""
    places = np.linspace(0, len(values) - 1, min(len(values), _MOST_POINTS)).round()
    return [float(v) for v in values[places.astype(np.int64)]]


def _plain(value: Any) -> Any:
    """JSON values: arrays as lists, numbers that are not finite as None."""
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
