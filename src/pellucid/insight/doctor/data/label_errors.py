"""Rows whose label is probably another: confident learning on left-out probabilities.

C. G. Northcutt, L. Jiang and I. L. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
Labels", Journal of Artificial Intelligence Research 70 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor.data.held_out import (
    Codes,
    Floats,
    Numbers,
    held_out_classes,
    held_out_numbers,
)

FEWEST_ROWS = 40
_FEWEST_ERRORS = 3
_SURE = (0.25, 0.5)
_PLATEAU = 0.55
_FAR = 4.5


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """What left-out probabilities say of labels.

    ``order`` holds the rows, those first whose label is least probable, ``margins`` (rows,) by how
    much another class is likelier, ``count`` how many labels are estimated to be wrong,
    ``suggested`` (rows,) the likeliest class.  ``wrong`` is the share of rows whose likeliest class
    is another, ``sure`` the same share among the rows that the models are surest of.
    """

    order: Codes
    margins: Numbers
    suggested: Codes
    count: int
    joint: npt.NDArray[np.int64]
    wrong: float
    sure: float

    @property
    def is_noise(self) -> bool:
        """Whether wrong labels explain it better than classes that overlap: rows far from all
        borders are then as often of another class as the others."""
        return self.count >= _FEWEST_ERRORS and self.sure > _PLATEAU * self.wrong


def confident_joint(probabilities: Numbers, labels: Codes) -> npt.NDArray[np.int64]:
    """How many rows with a label are confidently of a class: (labels, classes).

    A row counts for the likeliest class j among those whose probability reaches the mean
    probability of j in the rows labelled j.
    """
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=classes)
    limits = np.bincount(labels, own, minlength=classes) / np.maximum(counts, 1)
    limits[counts == 0] = np.inf
    above = np.where(probabilities >= limits - 1e-12, probabilities, -1.0)
    confident = above.max(axis=1) >= 0
    joint = np.zeros((classes, classes), np.int64)
    np.add.at(joint, (labels[confident], above.argmax(axis=1)[confident]), 1)
    return joint


def estimated_errors(joint: npt.NDArray[np.int64], labels: Codes) -> int:
    """How many labels are wrong by a confident joint whose rows are scaled to the labels'
    counts."""
    counts = np.bincount(labels, minlength=len(joint))
    confident = joint.sum(axis=1)
    share = np.divide(
        confident - np.diagonal(joint), confident, out=np.zeros(len(joint)), where=confident > 0
    )
    return int(round(float((share * counts).sum())))


def label_errors(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> LabelErrors:
    """What left-out ``probabilities`` (rows, classes) say of ``labels`` (rows,), from 0."""
    chances = np.asarray(probabilities, np.float64)
    given = np.asarray(labels, np.int64)
    places = np.arange(len(given))
    own = chances[places, given]
    others = chances.copy()
    others[places, given] = -1.0
    margins = others.max(axis=1) - own
    joint = confident_joint(chances, given)
    missed = chances.argmax(axis=1) != given
    certain = np.argsort(-chances.max(axis=1), kind="stable")
    shares = [float(missed[certain[: max(10, int(len(given) * q))]].mean()) for q in _SURE]
    count = min(estimated_errors(joint, given), int((margins > 0).sum()))
    half = missed[certain[: max(10, len(given) // 2)]]
    if half.sum() < 2:  # too few to tell from chance
        shares = [0.0]
    return LabelErrors(
        np.argsort(own, kind="stable"), margins, chances.argmax(axis=1), count, joint,
        float(missed.mean()), float(np.mean(shares)),
    )  # fmt: skip


def find_label_errors(
    rows: npt.ArrayLike, labels: npt.ArrayLike, classes: int = 0, seed: int = 0
) -> LabelErrors:
    """Label errors of ``rows`` (rows, columns), whose columns are of like scale, by the doctor's
    own left-out models; ``labels`` (rows,) from 0."""
    given = np.asarray(labels, np.int64)
    found = held_out_classes(
        np.asarray(rows, np.float32), given, classes or int(given.max()) + 1, seed
    )
    return label_errors(found.probabilities, given)


def far_targets(rows: Floats, targets: Numbers, seed: int = 0) -> tuple[Codes, Numbers]:
    """Rows whose number is far from what the other rows say, the farthest first, and all left-out
    residuals (rows,) in units of nine tenths of them.

    Far is 4.5 times what nine in ten rows stay below (7 standard deviations of normal errors), and
    half of the targets' own deviation.
    """
    _, predictions = held_out_numbers(rows, targets, seed)
    residuals = np.abs(predictions - targets)
    usual = np.quantile(residuals, 0.9, axis=0)
    usual[usual == 0] = np.inf
    residuals[residuals < 0.5 * targets.std(axis=0)] = 0.0
    sizes = (residuals / usual).max(axis=1)
    order = np.argsort(-sizes, kind="stable")
    return order[sizes[order] > _FAR], sizes
