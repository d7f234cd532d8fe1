"""How far predictions can be trusted: calibrated probabilities, sets and intervals that hold what
they promise, and intervals around every figure that was measured.

>>> import numpy as np
>>> scores = np.array([[4.0, 0.0], [3.0, 0.0], [0.0, 4.0], [2.0, 0.0]])
>>> fit_temperature(scores, np.array([0, 1, 1, 0])) > 1    # too sure of itself
True
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.data.tasks import Task
from pellucid.training.metrics import metrics

Floats: TypeAlias = npt.NDArray[np.float64]

RESAMPLES = 1000
_SEED = 20
_LOWEST, _HIGHEST = 0.02, 50.0


# ---- calibration --------------------------------------------------------------------------------


def fit_temperature(scores: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """The temperature T for which softmax(scores / T), or sigmoid(scores / T) of a single score,
    gives the rows' truth the highest likelihood (Guo and others, "On calibration of modern neural
    networks", 2017).

    ``scores`` (rows, classes), or (rows,) and (rows, 1) for two classes: of rows that the network
    was not trained on.  ``targets`` (rows,) class numbers.  T above 1 means that the network is too
    sure; between 0.02 and 50.  The order of the classes, and so the accuracy, stays.

    Raises ``ArgumentError`` for no rows, scores that are not finite and targets that are no classes
    of theirs.
    """
    s, wanted = _checked(scores, targets)
    chosen = s[np.arange(len(s)), wanted]

    def loss(log_temperature: float) -> float:
        scaled = s / math.exp(log_temperature)
        highest = scaled.max(axis=1)
        total = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
        return float((total - chosen / math.exp(log_temperature)).mean())

    return math.exp(_least(loss, math.log(_LOWEST), math.log(_HIGHEST)))


def _checked(scores: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Scores (rows, classes) and class numbers (rows,)."""
    s, wanted = np.asarray(scores, np.float64), np.asarray(targets).astype(np.int64).reshape(-1)
    if s.ndim == 1 or s.shape[-1] == 1:
        s = np.stack([np.zeros(s.size), s.reshape(-1)], axis=1)
    if s.ndim != 2 or not len(s) or len(s) != len(wanted):
        raise ArgumentError(
            f"Scores of shape {np.shape(scores)} and {len(wanted)} targets",
            "Give a row of scores and a class number for each row.",
        )
    if not np.isfinite(s).all() or wanted.min() < 0 or wanted.max() >= s.shape[1]:
        raise ArgumentError(
            "Scores are not finite, or targets are no numbers of their classes",
            f"Give finite scores and class numbers from 0 to {s.shape[1] - 1}.",
        )
    return s, wanted


def _least(function: Any, low: float, high: float, steps: int = 80) -> float:
    """Where a function with one valley is least, by the golden section (Kiefer, 1953)."""
    share = (math.sqrt(5) - 1) / 2
    left, right = high - share * (high - low), low + share * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(steps):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - share * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + share * (high - low)
            at_right = function(right)
    return (low + high) / 2


@dataclass(frozen=True)
class Reliability:
    """How often predictions of some confidence are right, for a reliability diagram.

    ``confidence``, ``accuracy`` and ``rows`` are those of each bin that has rows.  ``error`` is the
    expected calibration error: the mean over rows of |confidence − accuracy| of their bin.
    """

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    rows: tuple[int, ...]
    error: float


def reliability(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = 10
) -> Reliability:
    """Confidence against accuracy, in bins with equal numbers of rows.

    ``probabilities`` (rows, classes), or (rows,) and (rows, 1) of class 1; the confidence is that
    of the most probable class.  ``targets`` (rows,).
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim == 1 or p.shape[-1] == 1:
        p = np.stack([1 - p.reshape(-1), p.reshape(-1)], axis=1)
    if not len(p) or bins < 1:
        raise ArgumentError(f"{len(p)} rows in {bins} bins", "Give rows, and at least one bin.")
    sure, right = p.max(axis=1), p.argmax(axis=1) == np.asarray(targets).reshape(-1)
    parts = np.array_split(np.argsort(sure, kind="stable"), min(bins, len(p)))
    confidence = tuple(float(sure[part].mean()) for part in parts)
    accuracy = tuple(float(right[part].mean()) for part in parts)
    rows = tuple(len(part) for part in parts)
    gaps = zip(confidence, accuracy, rows, strict=True)
    return Reliability(confidence, accuracy, rows, sum(abs(c - a) * n for c, a, n in gaps) / len(p))


# ---- sets and intervals -------------------------------------------------------------------------


def conformal_radius(errors: npt.ArrayLike, level: float = 0.9) -> float:
    """The r for which prediction ± r holds the truth of a new row with a chance of at least
    ``level``, whatever the network and the data (split conformal prediction: Vovk, Gammerman and
    Shafer, "Algorithmic learning in a random world", 2005).

    ``errors`` (rows,) are |truth − prediction| of rows that took no part in training.  Infinite
    where there are too few of them for the level.  It is the ⌈(n + 1)·level⌉-th smallest.
    """
    known = np.sort(np.abs(np.asarray(errors, np.float64).reshape(-1)))
    if not 0 < level < 1 or not known.size:
        raise ArgumentError(
            f"level={level!r} with {known.size} errors", "Use a level between 0 and 1, and rows."
        )
    rank = math.ceil((known.size + 1) * level)
    return float(known[rank - 1]) if rank <= known.size else math.inf


def conformal_sets(
    probabilities: npt.ArrayLike,
    held_out: npt.ArrayLike,
    held_out_targets: npt.ArrayLike,
    level: float = 0.9,
) -> npt.NDArray[np.bool_]:
    """For each row the classes that together hold its true one with a chance of at least ``level``:
    bool (rows, classes), never empty.

    Classes join in the order of their probability until the sum reaches what the rows held out
    needed (adaptive prediction sets: Romano, Sesia and Candès, "Classification with valid and
    adaptive coverage", 2020, without the random choice at the edge, so that sets are a little
    larger).  ``probabilities`` (rows, classes) of new rows, ``held_out`` and ``held_out_targets``
    of rows that took no part in training.
    """
    new, old = np.asarray(probabilities, np.float64), np.asarray(held_out, np.float64)
    wanted = np.asarray(held_out_targets).astype(np.int64).reshape(-1)
    needed = conformal_radius(_mass_until(old)[np.arange(len(old)), wanted], level)
    chosen = _mass_until(new) <= needed + 1e-12
    chosen[np.arange(len(new)), new.argmax(axis=1)] = True
    return chosen


def _mass_until(probabilities: Floats) -> Floats:
    """The probability of each class together with all that are more probable."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    sums = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1)
    result = np.empty_like(sums)
    np.put_along_axis(result, order, sums, axis=1)
    return result


# ---- figures ------------------------------------------------------------------------------------


def figure_intervals(
    task: Task, targets: npt.ArrayLike, predictions: npt.ArrayLike, *, level: float = 0.95
) -> Mapping[str, tuple[float, float]]:
    """For each of ``metrics``' figures the interval that holds ``level`` of its values on samples
    of the rows, drawn with replacement (percentile bootstrap: Efron and Tibshirani, "An
    introduction to the bootstrap", 1993, chapter 13).

    Arguments are those of ``metrics``.  Figures that some samples do not have, such as ROC AUC
    where only one class is drawn, are those of the other samples.  Equal arguments give equal
    intervals.  Large tables are drawn less often: 200 times at least.
    """
    wanted, given = np.asarray(targets), np.asarray(predictions, np.float64)
    if not 0 < level < 1:
        raise ArgumentError(f"level={level!r}", "Use a level between 0 and 1.")
    rows = len(wanted)
    generator = np.random.Generator(np.random.PCG64(_SEED))
    found: dict[str, list[float]] = {name: [] for name in metrics(task, wanted, given).values}
    for _ in range(int(min(RESAMPLES, max(200, 4_000_000 // max(rows, 1))))):
        drawn = generator.integers(0, rows, rows)
        for name, value in metrics(task, wanted[drawn], given[drawn]).values.items():
            if name in found:
                found[name].append(value)
    ends = [(1 - level) / 2, (1 + level) / 2]
    return {
        name: (float(low), float(high))
        for name, values in found.items()
        if values
        for low, high in [np.quantile(values, ends)]
    }
