"""How far predictions can be trusted: calibrated probabilities, sets and intervals that hold what
they promise, and intervals around every figure that was measured.

>>> import numpy as np
>>> scores = np.array([[4.0, 0.0], [3.0, 0.0], [0.0, 4.0], [2.0, 0.0]])
>>> fit_temperature(scores, np.array([0, 1, 1, 0])) > 1    # too sure of itself
True
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

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


def fit_temperature(
    scores: npt.ArrayLike,
    targets: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    smoothing: float = 0.0,
) -> float:
    """The temperature T for which softmax(scores / T), or sigmoid(scores / T) of a single score,
    gives the rows' truth the highest likelihood (Guo and others, "On calibration of modern neural
    networks", 2017).

    ``scores`` (rows, classes), or (rows,) and (rows, 1) for two classes: of rows that the network
    was not trained on.  ``targets`` (rows,) class numbers, ``weights`` (rows,) how much each
    counts.  T above 1 means that the network is too sure; between 0.02 and 50.  The order of the
    classes, and so the accuracy, stays.

    A share ``smoothing`` of each row counts for all classes alike.  A few rows that are all right
    would otherwise ask for certainty (Platt, "Probabilistic outputs for support vector machines",
    1999, section 2.2).

    Raises ``ArgumentError`` for no rows, scores that are not finite and targets that are no classes
    of theirs.
    """
    s, wanted = checked_scores(scores, targets)
    w = row_weights(weights, len(s))
    shares = w / w.sum()
    losses = losses_by_temperature(s, wanted, smoothing)
    return math.exp(
        _least(
            lambda log_temperature: float(losses(math.exp(log_temperature)) @ shares),
            math.log(_LOWEST),
            math.log(_HIGHEST),
        )
    )


def losses_by_temperature(
    s: Floats, wanted: npt.NDArray[np.int64], smoothing: float = 0.0
) -> Callable[[float], Floats]:
    """The log losses of rows (rows,) as a function of the temperature; see ``fit_temperature``."""
    chosen = s[np.arange(len(s)), wanted]
    if smoothing:
        chosen = (1 - smoothing) * chosen + smoothing * s.mean(axis=1)

    def losses(temperature: float) -> Floats:
        scaled = s / temperature
        highest = scaled.max(axis=1)
        total = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
        return np.asarray(total - chosen / temperature)

    return losses


def row_weights(weights: npt.ArrayLike | None, rows: int) -> Floats:
    """The weights (rows,), or ones."""
    return np.ones(rows) if weights is None else np.asarray(weights, np.float64)


def checked_scores(
    scores: npt.ArrayLike, targets: npt.ArrayLike
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Scores (rows, classes), of two classes too, and class numbers (rows,)."""
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


def _least(function: Callable[[float], float], low: float, high: float, steps: int = 50) -> float:
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


@dataclass(frozen=True, eq=False)
class ConformalScores:
    """How far off the network was on rows that took no part in training, to say how far off it may
    be on new ones (split conformal prediction: Vovk, Gammerman and Shafer, "Algorithmic learning in
    a random world", 2005).

    ``values`` ascend, and ``shares`` says which share of the rows lies up to each.  ``rows`` is how
    many rows of equal weight they are worth: (Σw)² / Σw² (Kish, "Survey sampling", 1965).
    """

    values: Floats
    shares: Floats
    rows: float

    @classmethod
    def of(
        cls, values: npt.ArrayLike, weights: npt.ArrayLike | None = None, most: int = 0
    ) -> ConformalScores:
        """Those of ``values`` (rows,), where rows may have weights.  Of more than ``most`` of them
        so many are kept, evenly spread, each of which stands for those below it."""
        found = np.asarray(values, np.float64).reshape(-1)
        w = row_weights(weights, len(found))
        order = np.argsort(found, kind="stable")
        found, w = found[order], w[order]
        shares = np.cumsum(w) / w.sum()
        rows = float(w.sum() ** 2 / np.square(w).sum())
        if most and len(found) > most:
            kept = np.ceil(np.arange(1, most + 1) * len(found) / most).astype(np.int64) - 1
            found, shares = found[kept], shares[kept]
        return cls(found, shares, rows)

    def limit(self, level: float) -> float:
        """What the score of a new row does not exceed with a chance of at least ``level``: of n
        rows that count alike the ⌈(n + 1)·level⌉-th smallest; infinite where there are too few."""
        if not 0 < level < 1:
            raise ArgumentError(f"level={level!r}", "Use a level between 0 and 1.")
        needed = level * (1 + 1 / self.rows) * (1 - 1e-12)
        at = int(np.searchsorted(self.shares, needed))
        return float(self.values[at]) if at < len(self.values) and needed <= 1 else math.inf


def conformal_radius(errors: npt.ArrayLike, level: float = 0.9) -> float:
    """The r for which prediction ± r holds the truth of a new row with a chance of at least
    ``level``, whatever the network and the data.

    ``errors`` (rows,) are |truth − prediction| of rows that took no part in training.  Infinite
    where there are too few of them for the level.
    """
    known = np.abs(np.asarray(errors, np.float64).reshape(-1))
    if not 0 < level < 1 or not known.size:
        raise ArgumentError(
            f"level={level!r} with {known.size} errors", "Use a level between 0 and 1, and rows."
        )
    return ConformalScores.of(known).limit(level)


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
    adaptive coverage", 2020, with u = 0: a class is judged by those that are more probable).
    ``probabilities`` (rows, classes) of new rows, ``held_out`` and ``held_out_targets`` of rows
    that took no part in training.
    """
    new, old = np.asarray(probabilities, np.float64), np.asarray(held_out, np.float64)
    wanted = np.asarray(held_out_targets).astype(np.int64).reshape(-1)
    known = ConformalScores.of(mass_before(old)[np.arange(len(old)), wanted])
    return np.asarray(mass_before(new) <= known.limit(level) + 1e-12)


def mass_before(probabilities: Floats) -> Floats:
    """The probability of all classes that are more probable than each: (…, classes), 0 for the most
    probable one."""
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    ordered = np.take_along_axis(probabilities, order, axis=-1)
    result = np.empty_like(ordered)
    np.put_along_axis(result, order, np.cumsum(ordered, axis=-1) - ordered, axis=-1)
    result[result < 1e-12] = 0.0  # rounding of sums
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
