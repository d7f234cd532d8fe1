"""What follows from where the line between yes and no is drawn: ROC, precision and recall, gains.

All take ``true`` (rows,), of 0 and 1, and ``scores`` (rows,), which are higher for what looks more
like 1, and raise ``ArgumentError`` where one of the two classes has no row.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError

Floats: TypeAlias = npt.NDArray[np.float64]

_Z95 = 1.959963984540054


class Counts(NamedTuple):
    """At each ``threshold``, highest first, how many rows with a score of at least it are 1
    (``hits``) and 0 (``false_alarms``), of ``positives`` and ``negatives``."""

    threshold: Floats
    hits: Floats
    false_alarms: Floats
    positives: int
    negatives: int


def counts_by_threshold(true: npt.ArrayLike, scores: npt.ArrayLike) -> Counts:
    """Hits and false alarms at every score that occurs."""
    wanted, s = np.asarray(true).reshape(-1) > 0.5, np.asarray(scores, np.float64).reshape(-1)
    if wanted.shape != s.shape or not np.isfinite(s).all():
        raise ArgumentError(
            f"{len(wanted)} answers and {len(s)} scores, or scores that are not finite",
            "Give one finite score for each row.",
        )
    positives = int(wanted.sum())
    if not 0 < positives < len(wanted):
        raise ArgumentError(
            "All rows are of one class", "A curve over thresholds needs rows of both."
        )
    order = np.argsort(-s, kind="stable")
    ordered, found = s[order], wanted[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    hits = np.cumsum(found)[last].astype(np.float64)
    return Counts(ordered[last], hits, last + 1.0 - hits, positives, len(wanted) - positives)


def roc_curve(true: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """False and true positive rates from (0, 0) to (1, 1): the area under them is the probability
    that a row of class 1 has a higher score than one of class 0 (Hanley and McNeil, 1982).

    >>> roc_curve([0, 1, 1], [0.1, 0.4, 0.8])
    (array([0., 0., 0., 1.]), array([0. , 0.5, 1. , 1. ]))
    """
    found = counts_by_threshold(true, scores)
    false_rate = np.append(0.0, found.false_alarms / found.negatives)
    return false_rate, np.append(0.0, found.hits / found.positives)


def area(x: Floats, y: Floats) -> float:
    """The area under a curve, by trapezoids."""
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1])).sum() / 2)


def precision_recall_curve(
    true: npt.ArrayLike, scores: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Recall, precision and threshold, from the highest score down."""
    found = counts_by_threshold(true, scores)
    precision = found.hits / (found.hits + found.false_alarms)
    return found.hits / found.positives, precision, found.threshold


def average_precision(recall: Floats, precision: Floats) -> float:
    """The mean precision over the recall: Σ (rᵢ − rᵢ₋₁) pᵢ."""
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def gain_curve(true: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The share of rows that are looked at, highest score first, and the share of class 1 that is
    found among them."""
    found = counts_by_threshold(true, scores)
    looked = (found.hits + found.false_alarms) / (found.positives + found.negatives)
    return np.append(0.0, looked), np.append(0.0, found.hits / found.positives)


def f1_by_threshold(true: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Thresholds, highest first, and the F1 score 2·hits / (positives + answered) at each."""
    found = counts_by_threshold(true, scores)
    return found.threshold, 2 * found.hits / (found.positives + found.hits + found.false_alarms)


def wilson(hits: float, rows: float) -> tuple[float, float]:
    """Between which shares 95 % of the draws lie that could have given ``hits`` of ``rows``
    (Wilson, 1927); 0 and 1 for no rows.

    >>> [round(end, 3) for end in wilson(10, 10)]
    [0.722, 1.0]
    """
    if rows <= 0:
        return 0.0, 1.0
    share, z = hits / rows, _Z95 * _Z95 / rows
    middle = share + z / 2
    reach = math.sqrt(max(0.0, z * (share * (1 - share) + z / 4)))
    low, high = (middle - reach) / (1 + z), (middle + reach) / (1 + z)
    return max(0.0, low), min(1.0, high)
