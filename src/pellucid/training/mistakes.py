"""Which predictions are worst: the mistakes that a network was most certain of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.data.tasks import TaskKind


def worst_predictions(
    kind: TaskKind,
    predicted: npt.NDArray[np.float64],
    true: npt.NDArray[Any],
    spread: npt.NDArray[np.float64] | None,
    most: int,
) -> npt.NDArray[np.int64]:
    """Positions of the worst predictions, worst first; only wrong ones, except for regression.

    Classes: by the probability given to the wrong class.  Labels: by the distance from the truth.
    Regression: the largest errors, in deviations of each target (``spread``, 1 unless given).
    ``predicted`` (rows, units) and ``true`` are what ``metrics`` takes.
    """
    if kind == "regression":
        errors = np.abs(predicted - true.reshape(predicted.shape))
        badness = (errors / (1.0 if spread is None else spread)).max(axis=1)
        return np.argsort(-badness, kind="stable")[:most]
    if kind == "multilabel":
        distance = np.abs(predicted - true.reshape(predicted.shape)).max(axis=1)
        wrong = ((predicted > 0.5) != (true.reshape(predicted.shape) > 0.5)).any(axis=1)
        badness = np.where(wrong, distance, -1.0)
    else:
        both = class_probabilities(predicted)
        guessed = both.argmax(axis=1)
        badness = np.where(guessed != true, both[np.arange(len(both)), guessed], -1.0)
    order = np.argsort(-badness, kind="stable")
    return order[badness[order] >= 0][:most]


def class_probabilities(predicted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probabilities of all classes, also for binary tasks, which have one column."""
    if predicted.shape[1] > 1:
        return predicted
    return np.concatenate([1 - predicted, predicted], axis=1)
