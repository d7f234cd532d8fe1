"""Metrics of predictions, computed with NumPy alone.

Definitions follow scikit-learn's (Pedregosa and others, 2011), against which the tests hold
them: a ratio with a zero divisor is 0, and averages over classes take the classes that occur
among targets or predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.base.language import Shown
from pellucid.data.json_checks import (
    json_error,
    json_integer,
    json_list,
    json_number,
    json_object,
    json_text,
)
from pellucid.data.tasks import Task
from pellucid.training.showing import figures_html, table_html

# The metric by which models of a task are compared.
HEADLINES: Mapping[str, str] = {
    "binary": "accuracy",
    "multiclass": "accuracy",
    "multilabel": "micro_f1",
    "regression": "rmse",
}
LOWER_IS_BETTER = frozenset({"log_loss", "mae", "rmse"})


@dataclass(frozen=True)
class ClassFigures:
    """Metrics of one class (or label): ``support`` is the number of rows that have it."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Metrics:
    """The metrics of one set of predictions.

    ``values`` holds them by name, ``headline`` names the one to compare models by.
    ``per_class`` is empty for regression.  ``confusion[true][predicted]`` holds counts and is
    empty except for binary and multi-class.  ``rows`` is the number of rows.
    """

    values: Mapping[str, float]
    headline: str
    rows: int
    per_class: tuple[ClassFigures, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def _repr_html_(self) -> str:
        """The metrics in a notebook; with classes, how often each was taken for which."""
        shown = figures_html({f"{self.rows:,} rows": self.values})
        if not self.confusion:
            return shown
        names = [Shown(figures.name) for figures in self.per_class]
        rows = zip(names, self.confusion, strict=True)
        return shown + table_html(["true \\ predicted", *names], [[n, *row] for n, row in rows])

    def better_than(self, other: Metrics) -> bool:
        """True where the headline metric is strictly better than the other's."""
        mine, theirs = self.values[self.headline], other.values[other.headline]
        return mine < theirs if self.headline in LOWER_IS_BETTER else mine > theirs

    def to_json(self) -> dict[str, Any]:
        """The metrics as JSON values."""
        return {
            "values": dict(self.values),
            "headline": self.headline,
            "rows": self.rows,
            "per_class": [vars(figures).copy() for figures in self.per_class],
            "confusion": [list(row) for row in self.confusion],
        }

    @classmethod
    def from_json(cls, value: object) -> Metrics:
        """From ``to_json``'s values; ``RunFolderError`` for anything else."""
        given = json_object(
            value, "metrics", ("values", "headline", "rows", "per_class", "confusion")
        )
        if not isinstance(given["values"], dict):
            raise json_error("metrics", "an object of numbers", given["values"])
        values = {json_text(n, "metric"): json_number(v, n) for n, v in given["values"].items()}
        classes = [_class_from_json(c) for c in json_list(given["per_class"], "per_class")]
        lines = [
            json_list(line, "confusion") for line in json_list(given["confusion"], "confusion")
        ]
        if any(len(line) != len(lines) for line in lines):
            raise json_error("confusion", "a square", [len(line) for line in lines[:4]])
        return cls(
            values,
            json_text(given["headline"], "headline", tuple(values)),
            json_integer(given["rows"], "rows", 0, 2**53),
            tuple(classes),
            tuple(tuple(json_integer(n, "confusion", 0, 2**53) for n in line) for line in lines),
        )


def _class_from_json(value: object) -> ClassFigures:
    given = json_object(value, "per_class", ("name", "precision", "recall", "f1", "support"))
    return ClassFigures(
        json_text(given["name"], "name"),
        json_number(given["precision"], "precision"),
        json_number(given["recall"], "recall"),
        json_number(given["f1"], "f1"),
        json_integer(given["support"], "support", 0, 2**53),
    )


def metrics(task: Task, targets: npt.ArrayLike, predictions: npt.ArrayLike) -> Metrics:
    """The metrics of predictions for a task.

    ===========  =========================  ===========================================
    task         targets                    predictions
    ===========  =========================  ===========================================
    binary       class numbers (n,)         probability of class 1, (n,) or (n, 1)
    multiclass   class numbers (n,)         probabilities (n, classes)
    multilabel   0/1 (n, labels)            probability of each label (n, labels)
    regression   numbers (n, targets)       numbers (n, targets), in the units of the data
    ===========  =========================  ===========================================

    Classes: accuracy, log_loss (natural logarithm, mean over rows), macro_f1, and roc_auc for
    binary (left out where only one class occurs).  Labels: subset_accuracy (all labels right),
    micro_f1, macro_f1, log_loss (mean over rows and labels).  Regression: mae, rmse, r2 (mean
    over targets for the last, left out where a target is constant).

    Raises ``ArgumentError`` for no rows, shapes that do not fit, values that are not finite, and
    probabilities outside 0 … 1.
    """
    wanted = np.asarray(targets)
    given = np.asarray(predictions, dtype=np.float64)
    if task.kind == "binary" and given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if task.kind == "regression" and wanted.ndim == 1:
        wanted, given = wanted[:, None], given.reshape(len(given), -1)
    _check(task, wanted, given)
    if task.kind == "regression":
        return _regression(wanted.astype(np.float64), given)
    if task.kind == "multilabel":
        return _multilabel(task, wanted > 0.5, given)
    probabilities = np.stack([1 - given, given], axis=1) if task.kind == "binary" else given
    return _classes(task, wanted.astype(np.int64), probabilities)


def _check(task: Task, targets: npt.NDArray[Any], predictions: npt.NDArray[np.float64]) -> None:
    rows = len(targets) if targets.ndim else 0
    if not rows:
        raise ArgumentError("There are no rows to compute metrics of", "Give at least one row.")
    expected: tuple[int, ...] = (rows,) if task.kind == "binary" else (rows, task.output_units)
    own = (rows,) if task.kind in ("binary", "multiclass") else (rows, task.output_units)
    if predictions.shape != expected or targets.shape != own:
        raise ArgumentError(
            f"A {task.kind} task takes targets of shape {own} and predictions of shape "
            f"{expected}; received {targets.shape} and {predictions.shape}",
            "Give one row of predictions for each row of targets.",
        )
    if not bool(np.isfinite(predictions).all()):
        raise ArgumentError(
            "The predictions hold NaN or infinity", "Look for the step where they first appeared."
        )
    if task.kind == "regression":
        return
    if predictions.min() < -1e-6 or predictions.max() > 1 + 1e-6:
        raise ArgumentError(
            f"Probabilities lie between 0 and 1; received {predictions.min():.4g} to "
            f"{predictions.max():.4g}",
            f"Apply {task.output_layer} to the network's output first.",
        )
    if task.kind == "multilabel":
        return
    if targets.min() < 0 or targets.max() >= len(task.classes):
        raise ArgumentError(
            f"Class numbers lie between 0 and {len(task.classes) - 1}; received "
            f"{targets.min()} to {targets.max()}",
            "Use the numbers that encode_targets gives.",
        )


def row_losses(
    task: Task, targets: npt.NDArray[Any], predictions: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The loss of each row (rows,): squared error, mean over targets, for regression; negative
    log-likelihood of the truth for classes, its mean over labels for several."""
    given = np.asarray(predictions, np.float64)
    if task.kind == "regression":
        wanted = np.asarray(targets, np.float64).reshape(len(given), -1)
        return np.asarray(np.square(given.reshape(wanted.shape) - wanted).mean(axis=1))
    if task.kind == "multiclass":
        return -_log(given[np.arange(len(given)), np.asarray(targets, np.int64)])
    truth = np.asarray(targets).reshape(len(given), -1) > 0.5
    given = given.reshape(truth.shape)
    return np.asarray(-_log(np.where(truth, given, 1 - given)).mean(axis=1))


def _log(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Natural logarithm, kept finite where a probability is 0 in float64."""
    return np.log(np.clip(probabilities, np.finfo(np.float64).eps, 1.0))


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """``part / whole`` for each entry, 0 where ``whole`` is 0."""
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0))


def _figures(
    names: tuple[str, ...],
    hits: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    support: npt.NDArray[np.int64],
) -> tuple[ClassFigures, ...]:
    precision, recall = _ratio(hits, predicted), _ratio(hits, support)
    f1 = _ratio(2 * hits, predicted + support)
    rows = zip(names, precision, recall, f1, support, strict=True)
    return tuple(ClassFigures(n, float(p), float(r), float(f), int(s)) for n, p, r, f, s in rows)


def counted_pairs(
    targets: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], classes: int
) -> npt.NDArray[np.int64]:
    """Rows of each true class (line) by the class that was predicted (column), (classes, classes);
    both given as numbers from 0 below ``classes``."""
    found = np.bincount(targets * classes + predicted, minlength=classes * classes)
    return found.reshape(classes, classes)


def _classes(
    task: Task, targets: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]
) -> Metrics:
    count = len(task.classes)
    # For two classes a probability of exactly one half counts as class 0, as argmax has it.
    predicted = probabilities.argmax(axis=1)
    confusion = counted_pairs(targets, predicted, count)
    hits, support = np.diagonal(confusion), confusion.sum(axis=1)
    guessed = confusion.sum(axis=0)
    figures = _figures(task.class_names, hits, guessed, support)
    occurring = np.flatnonzero(support + guessed)
    own = probabilities[np.arange(len(targets)), targets]
    values = {
        "accuracy": float(hits.sum() / len(targets)),
        "log_loss": float(-_log(own / probabilities.sum(axis=1)).mean()),
        "macro_f1": float(np.mean([figures[c].f1 for c in occurring])),
    }
    if task.kind == "binary" and 0 < targets.sum() < len(targets):
        values["roc_auc"] = roc_auc(targets, probabilities[:, 1])
    table = tuple(tuple(int(n) for n in row) for row in confusion)
    return Metrics(values, HEADLINES[task.kind], len(targets), figures, table)


def roc_auc(targets: npt.NDArray[Any], scores: npt.NDArray[np.float64]) -> float:
    """Area under the ROC curve: the chance that a row of class 1 scores above one of class 0.

    Ties count one half (Mann and Whitney, 1947).  ``targets`` 0/1 (n,) with both values,
    ``scores`` (n,).
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = targets == 1
    ones = int(positive.sum())
    zeros = len(targets) - ones
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _multilabel(
    task: Task, targets: npt.NDArray[np.bool_], probabilities: npt.NDArray[np.float64]
) -> Metrics:
    predicted = probabilities > 0.5
    hits = (targets & predicted).sum(axis=0)
    guessed, support = predicted.sum(axis=0), targets.sum(axis=0)
    figures = _figures(task.class_names, hits, guessed, support)
    total = int(guessed.sum() + support.sum())
    own = np.where(targets, probabilities, 1 - probabilities)
    values = {
        "subset_accuracy": float((targets == predicted).all(axis=1).mean()),
        "micro_f1": float(2 * hits.sum() / total) if total else 0.0,
        "macro_f1": float(np.mean([label.f1 for label in figures])),
        "log_loss": float(-_log(own).mean()),
    }
    return Metrics(values, HEADLINES["multilabel"], len(targets), figures)


def _regression(targets: npt.NDArray[np.float64], predictions: npt.NDArray[np.float64]) -> Metrics:
    errors = predictions - targets
    values = {
        "mae": float(np.abs(errors).mean()),
        "rmse": float(np.sqrt(np.square(errors).mean())),
    }
    spread = np.square(targets - targets.mean(axis=0)).sum(axis=0)
    if bool((spread > 0).all()):
        values["r2"] = float((1 - np.square(errors).sum(axis=0) / spread).mean())
    return Metrics(values, HEADLINES["regression"], len(targets))
