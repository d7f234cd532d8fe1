"""How good answers are: one figure for many rows, or one for each row, higher is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, NonFiniteError, ShapeError
from pellucid.insight.effects.subject import Subject
from pellucid.training.metrics import roc_auc

Floats = npt.NDArray[np.float64]
Targets = npt.NDArray[Any]
Score = str | Callable[[Any, Any], float] | None
"""A name of :data:`SCORES`, a function ``(targets, answers) → float`` (higher is better), or None:
accuracy for classes, R² for numbers."""


@dataclass(frozen=True)
class Measured:
    """A way to measure answers (rows, outputs) against targets, on weighted rows.

    ``of(targets, answers, weights)``: weights float64 (draws, rows), how often each row counts →
    (draws,).
    """

    name: str
    of: Callable[[Targets, Floats, Floats], Floats]

    def once(self, targets: Targets, answers: Floats) -> float:
        """The figure of all rows."""
        return self.with_draws(targets, answers, np.empty((0, len(answers))))[0]

    def with_draws(self, targets: Targets, answers: Floats, draws: Floats) -> tuple[float, Floats]:
        """The figure of all rows, and those of the draws (draws,)."""
        weights = np.concatenate([np.ones((1, len(answers))), draws])
        figures = self.of(targets, answers, weights)
        found = float(figures[0])
        if not np.isfinite(found):
            raise NonFiniteError(
                f"The score of the model is {found}",
                "Look at the predictions and the targets: np.isfinite(...).",
            )
        return found, figures[1:]


def summed(weights: Floats, values: Floats) -> Floats:
    """Σ_r weights[w, r] · values[r, …].  Not @: a library of matrix products may wait for the
    threads that ran the model."""
    return np.asarray(np.einsum("wr,r...->w...", weights, values))


def _mean_of(rowwise: Callable[[Targets, Floats], Floats]) -> Callable[..., Floats]:
    def mean(targets: Targets, answers: Floats, weights: Floats) -> Floats:
        return np.asarray(summed(weights, rowwise(targets, answers)) / weights.sum(axis=1))

    return mean


def _right(targets: Targets, answers: Floats) -> Floats:
    if answers.shape[1] == 1:
        return np.asarray((answers[:, 0] > 0.5) == (targets.reshape(-1) > 0.5), np.float64)
    return np.asarray(answers.argmax(axis=1) == targets.reshape(-1), np.float64)


def _log_likelihood(targets: Targets, answers: Floats) -> Floats:
    """Of probabilities (rows, classes), or (rows, 1) of class 1."""
    p = np.concatenate([1 - answers, answers], axis=1) if answers.shape[1] == 1 else answers
    if p.min() < -1e-6 or p.max() > 1 + 1e-6:
        raise ArgumentError(
            "score='log_loss' got answers that are no probabilities",
            "Give a model that ends with its softmax, or score='accuracy'.",
        )
    own = p[np.arange(len(p)), targets.reshape(-1).astype(np.int64)]
    return np.asarray(np.log(np.maximum(own / p.sum(axis=1), np.finfo(np.float64).eps)))


def _squares(targets: Targets, answers: Floats) -> Floats:
    return np.asarray(-((answers - _shaped(targets, answers)) ** 2).mean(axis=1))


def _distances(targets: Targets, answers: Floats) -> Floats:
    return np.asarray(-np.abs(answers - _shaped(targets, answers)).mean(axis=1))


def _shaped(targets: Targets, answers: Floats) -> Floats:
    if targets.size != answers.size:
        raise ShapeError(
            f"Answers of shape {answers.shape} for targets of shape {targets.shape}",
            "Give a number for each output, or score='accuracy' for class numbers.",
        )
    return np.asarray(targets, np.float64).reshape(answers.shape)


def _rooted(targets: Targets, answers: Floats, weights: Floats) -> Floats:
    return -np.sqrt(-_mean_of(_squares)(targets, answers, weights))


def _r2(targets: Targets, answers: Floats, weights: Floats) -> Floats:
    """R² of each output, their mean."""
    wanted = _shaped(targets, answers)
    sizes = weights.sum(axis=1)[:, None]
    errors = summed(weights, (answers - wanted) ** 2)
    spread = summed(weights, wanted**2) - summed(weights, wanted) ** 2 / sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((1 - errors / spread).mean(axis=1))


def _area(targets: Targets, answers: Floats, weights: Floats) -> Floats:
    wanted, score = targets.reshape(-1) > 0.5, answers[:, -1]
    found = []
    for line in weights:
        rows = np.repeat(np.arange(len(score)), line.astype(np.int64))
        both = 0 < wanted[rows].sum() < len(rows)
        found.append(roc_auc(wanted[rows].astype(int), score[rows]) if both else np.nan)
    return np.array(found)


SCORES: dict[str, Callable[[Targets, Floats, Floats], Floats]] = {
    "accuracy": _mean_of(_right),
    "log_loss": _mean_of(_log_likelihood),
    "r2": _r2,
    "rmse": _rooted,
    "mse": _mean_of(_squares),
    "mae": _mean_of(_distances),
    "roc_auc": _area,
}
"""Scores by name; losses are negative, so that higher is better."""


def measured_by(score: Score, subject: Subject, targets: Targets, answers: Floats) -> Measured:
    """The measure that ``score`` names; for None the one that suits the targets: accuracy for
    classes, R² for numbers."""
    if score is None:
        classes = subject.task == "classes" or (
            subject.task != "regression"
            and targets.dtype.kind in "iub"
            and (answers.shape[1] > 1 or set(np.unique(targets).tolist()) <= {0, 1})
        )
        score = "accuracy" if classes else "r2"
    if isinstance(score, str):
        if score not in SCORES:
            raise ArgumentError(f"score={score!r}", f"Use one of {', '.join(SCORES)}.")
        measure = SCORES[score]
        if score == "accuracy" and subject.module is not None and not subject.task:
            measure = _accuracy_of_scores if answers.shape[1] == 1 else measure
        return Measured(score, measure)
    function = score

    def of(targets: Targets, answers: Floats, weights: Floats) -> Floats:
        found = []
        for line in weights:
            rows = np.repeat(np.arange(len(answers)), line.astype(np.int64))
            found.append(float(function(targets[rows], _as_given(answers[rows]))))
        return np.array(found)

    return Measured(getattr(score, "__name__", "score"), of)


def _accuracy_of_scores(targets: Targets, answers: Floats, weights: Floats) -> Floats:
    """Of one score a row, positive for class 1."""
    return _mean_of(_right)(targets, answers + 0.5, weights)


def _as_given(answers: Floats) -> Floats:
    """Answers as a function of the user's expects them: one number a row without an axis."""
    return answers[:, 0] if answers.shape[1] == 1 else answers


def class_numbers(subject: Subject, targets: Any) -> Targets:
    """Targets as an array; names of classes as their positions among the model's outputs."""
    wanted = np.asarray(targets.detach().numpy() if hasattr(targets, "detach") else targets)
    if subject.saved_task is not None and wanted.dtype.kind in "iufb":
        return wanted
    if subject.task != "classes" or not subject.outputs:
        return wanted
    place = {name: i for i, name in enumerate(subject.outputs)}
    texts = [str(v) for v in wanted.reshape(-1).tolist()]
    if wanted.dtype.kind in "iub" and not all(text in place for text in texts):
        return wanted
    unknown = next((text for text in texts if text not in place), None)
    if unknown is not None:
        raise ArgumentError(
            f"The target {unknown!r} is none of the model's classes",
            f"They are {', '.join(subject.outputs[:20])}.",
        )
    return np.array([place[text] for text in texts], np.int64)
