"""Is the network better than a simple model?  Answered by the rows that both predicted.

The two are compared row by row, so that rows that are hard for both do not count.  The interval
of the difference comes from the paired bootstrap (Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993, chapter 13), for accuracy beside the exact test of McNemar (1947), which counts
the rows that only one of them has right.  There are three answers: better, worse, and no
difference seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid.data.tasks import Task
from pellucid.training.metrics import HEADLINES, LOWER_IS_BETTER

Answer: TypeAlias = Literal["better", "worse", "no difference seen"]
Floats: TypeAlias = npt.NDArray[np.float64]

LEVEL = 0.95
MIN_ROWS = 20
ROUNDING = 1e-5
"""Relative to the metric, differences that small are rounding of float32, not a better model."""
RESAMPLES = 2000
_SEED = 20


@dataclass(frozen=True)
class Comparison:
    """The difference of a metric between two models on the same rows.

    ``difference`` is positive where the first model is better; ``low`` and ``high`` bound it at
    95 %, and hold 0 where McNemar's test sees no difference.  ``answer`` is ``no difference
    seen`` where the interval holds 0, where the difference is rounding (1e-5 of the metric) or
    there are fewer than 20 rows.
    """

    metric: str
    rows: int
    difference: float
    low: float
    high: float
    answer: Answer


def compare(task: Task, targets: npt.NDArray[Any], first: Floats, second: Floats) -> Comparison:
    """Compares two models' predictions of the same rows by the task's headline metric.

    ``targets``, ``first`` and ``second`` are what ``metrics`` takes.  Equal arguments give equal
    answers: the resamples are seeded.
    """
    name = HEADLINES[task.kind]
    sign = -1.0 if name in LOWER_IS_BETTER else 1.0
    rows = len(targets)
    one, two = (_shares(task, targets, predictions) for predictions in (first, second))
    own, other = int((one > two).sum()), int((two > one).sum())
    whole = [_metric(task, part.mean(axis=0)[None])[0] for part in (one, two)]
    difference = sign * float(whole[0] - whole[1])
    generator = np.random.Generator(np.random.PCG64(_SEED))
    if name == "accuracy":
        # Only the rows count that one model alone has right.
        cells = [own / rows, other / rows, 1 - (own + other) / rows]
        drawn = generator.multinomial(rows, cells, size=RESAMPLES)
        samples = (drawn[:, 0] - drawn[:, 1]) / rows
    else:
        samples = sign * _resampled(task, one, two, generator)
    low, high = (float(x) for x in np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    low, high = min(low, difference), max(high, difference)
    seen = rows >= MIN_ROWS and (low > 0 or high < 0)
    seen &= abs(difference) > ROUNDING * max(abs(float(value)) for value in whole)
    if name == "accuracy" and mcnemar(own, other) >= 1 - LEVEL:
        # The exact test has the last word; the interval says the same.
        seen, low, high = False, min(low, 0.0), max(high, 0.0)
    answer: Answer = "no difference seen"
    if seen:
        answer = "better" if difference > 0 else "worse"
    return Comparison(name, rows, difference, low, high, answer)


def _resampled(task: Task, one: Floats, two: Floats, generator: np.random.Generator) -> Floats:
    """The difference of the metric on samples of the rows, drawn with replacement."""
    rows = len(one)
    most = int(min(RESAMPLES, max(400, 20_000_000 // rows)))
    found = []
    block = max(1, min(most, 2_000_000 // rows))
    for start in range(0, most, block):
        drawn = generator.integers(0, rows, size=(min(block, most - start), rows))
        found.append(
            _metric(task, one[drawn].mean(axis=1)) - _metric(task, two[drawn].mean(axis=1))
        )
    return np.concatenate(found)


def describe(comparison: Comparison, simple: str, own: float, other: float, part: str) -> str:
    """The comparison as a sentence: ``own`` and ``other`` are the metric of the network and of
    the simple model, ``part`` names the rows."""
    rows = "1 row" if comparison.rows == 1 else f"{comparison.rows:,} rows"
    measured = (
        f"{comparison.metric} {own:.4g} against {other:.4g} on the {part} part of {rows}; the "
        f"difference lies between {comparison.low:+.2g} and {comparison.high:+.2g}"
    )
    if comparison.rows < MIN_ROWS:
        return (
            f"No difference between the network and {simple} can be told on so few rows "
            f"({comparison.metric} {own:.4g} against {other:.4g} on the {part} part of {rows}, at "
            f"least {MIN_ROWS} are needed): give more rows."
        )
    if comparison.answer == "better":
        return f"The network is better than {simple}: {measured}, at 95 % confidence."
    if comparison.answer == "worse":
        return (
            f"The network is worse than {simple} ({measured}, at 95 % confidence): use {simple}, "
            "or change the network or the data."
        )
    return (
        f"No difference between the network and {simple} is seen ({measured}, at 95 % "
        f"confidence): {simple} is simpler, and more test rows would show a smaller difference."
    )


def mcnemar(first_only: int, second_only: int) -> float:
    """The exact two-sided p-value of McNemar's test: the chance of counts so unequal when each
    row that only one model has right is as likely to be the one's as the other's."""
    n = first_only + second_only
    ways = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        for k in range(min(first_only, second_only) + 1)
    ]
    return min(1.0, 2.0 * math.fsum(math.exp(way - n * math.log(2.0)) for way in ways))


def _shares(task: Task, targets: npt.NDArray[Any], predictions: Floats) -> Floats:
    """What each row adds to the sums that the metric is made of: (rows, sums)."""
    given = np.asarray(predictions, np.float64)
    if task.kind == "regression":
        wanted = np.asarray(targets, np.float64).reshape(len(given), -1)
        return np.asarray(np.square(given.reshape(wanted.shape) - wanted).mean(axis=1)[:, None])
    if task.kind == "multilabel":
        true, guessed = np.asarray(targets) > 0.5, given > 0.5
        hits = (true & guessed).sum(axis=1)
        return np.stack([2.0 * hits, true.sum(axis=1) + guessed.sum(axis=1)], axis=1)
    right = (given.reshape(len(given)) > 0.5) if task.kind == "binary" else given.argmax(axis=1)
    return np.asarray(right == np.asarray(targets), np.float64)[:, None]


def _metric(task: Task, sums: Floats) -> Floats:
    """The metric of each sample from its means over rows (samples, sums)."""
    if task.kind == "multilabel":
        return np.divide(sums[:, 0], sums[:, 1], out=np.zeros(len(sums)), where=sums[:, 1] > 0)
    return np.sqrt(sums[:, 0]) if task.kind == "regression" else np.asarray(sums[:, 0])
