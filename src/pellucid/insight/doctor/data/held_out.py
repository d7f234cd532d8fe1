"""What a row's label ought to be by the other rows: predictions that have not seen the row.

Three models answer for each row without its own target: its neighbours, kernel ridge regression
and linear ridge regression, whose left-out answers are exact and closed (Allen's PRESS, 1974), so
that nothing is trained once more.  With many rows the kernel is that of a few hundred landmarks
(Nyström; Williams and Seeger, 2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor.data.neighbours import nearest

Numbers: TypeAlias = npt.NDArray[np.float64]
Floats: TypeAlias = npt.NDArray[np.float32]
Codes: TypeAlias = npt.NDArray[np.int64]

LANDMARKS = 400
NEIGHBOURS = 10
_PENALTIES = tuple(10.0**e for e in range(-4, 4))
_WIDTHS = (0.25, 1.0, 4.0)
_TUNED_ROWS = 2000
_LEAST_OF_OTHERS = 0.02


@dataclass(frozen=True, eq=False)
class Ridge:
    """Ridge regression on given columns, ready for any targets: ``basis`` (rows, columns) is
    orthogonal, with the squares of its singular values."""

    basis: Floats
    values: Numbers

    @classmethod
    def of(cls, columns: Floats) -> Ridge:
        """Of columns (rows, columns), to which an intercept is added."""
        with_one = np.concatenate([columns, np.ones((len(columns), 1), np.float32)], axis=1)
        squares, vectors = np.linalg.eigh((with_one.T @ with_one).astype(np.float64))
        kept = squares > max(squares[-1], 1e-12) * 1e-7
        scaled = vectors[:, kept] / np.sqrt(squares[kept])
        return cls(np.asarray(with_one @ scaled.astype(np.float32), np.float32), squares[kept])

    def left_out(self, targets: Floats, penalty: float) -> Floats:
        """What the other rows say of each row: (rows, targets); of rows that nothing but they
        themselves decide (a leverage near 1) the mean."""
        shrunk = (self.values / (self.values + penalty)).astype(np.float32)
        fitted = self.basis @ (shrunk[:, None] * (self.basis.T @ targets))
        leverage = (np.square(self.basis) @ shrunk)[:, None]
        others = np.maximum(1 - leverage, _LEAST_OF_OTHERS)
        answers = np.where(
            1 - leverage > _LEAST_OF_OTHERS,
            (fitted - leverage * targets) / others,
            targets.mean(axis=0),
        )
        return np.asarray(answers, np.float32)

    def best(self, targets: Floats) -> tuple[float, float, Floats]:
        """The least left-out squared error, its penalty and its answers."""
        scale = float(self.values.sum()) / len(self.basis)
        tried = [(p * scale, self.left_out(targets, p * scale)) for p in _PENALTIES]
        errors = [float(np.square(answers - targets).mean()) for _, answers in tried]
        least = int(np.argmin(errors))
        return errors[least], *tried[least]


def kernel_columns(rows: Floats, targets: Floats, seed: int = 0) -> Floats:
    """Columns whose linear functions are those of a Gaussian kernel; its width is the one with
    the least left-out error on at most 2,000 rows."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(rows))
    sample, landmarks = rows[order[:_TUNED_ROWS]], rows[order[:LANDMARKS]]
    middle = float(np.median(_squares(sample[:500], landmarks[:500]))) or 1.0
    best, chosen = np.inf, 1.0
    for width in _WIDTHS:
        error = Ridge.of(_nystrom(sample, landmarks, middle * width)).best(
            targets[order[:_TUNED_ROWS]]
        )[0]
        if error < best:
            best, chosen = error, width
    return _nystrom(rows, landmarks, middle * chosen)


def _squares(rows: Floats, others: Floats) -> Floats:
    distances = np.einsum("ij,ij->i", rows, rows)[:, None] - 2.0 * (rows @ others.T)
    distances += np.einsum("ij,ij->i", others, others)
    return np.asarray(np.maximum(distances, 0), np.float32)


def _nystrom(rows: Floats, landmarks: Floats, width: float) -> Floats:
    among = np.exp(-_squares(landmarks, landmarks).astype(np.float64) / width)
    values, vectors = np.linalg.eigh(among)
    kept = values > 1e-6 * values[-1]
    root = (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
    return np.asarray(np.exp(-_squares(rows, landmarks) / np.float32(width)) @ root, np.float32)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Left-out answers: ``probabilities`` (rows, classes) for classes, ``predictions``
    (rows, targets) for numbers; the models to answer for other labels of the same rows."""

    models: tuple[Ridge, ...]
    near: Codes
    probabilities: Numbers

    def again(self, labels: Codes, classes: int) -> Numbers:
        """The probabilities for other labels of these rows."""
        return _blend(self.models, self.near, labels, np.eye(classes, dtype=np.float32)[labels])


def held_out_classes(rows: Floats, labels: Codes, classes: int, seed: int = 0) -> HeldOut:
    """Left-out probabilities of the classes: ``rows`` (rows, columns) of like scale, ``labels``
    (rows,) from 0.

    A second round answers with the labels that the first round doubts replaced by its answers, so
    that wrong labels spoil each other's judgement less.
    """
    truth = np.eye(classes, dtype=np.float32)[labels]
    models = (Ridge.of(kernel_columns(rows, truth, seed)), Ridge.of(rows))
    near = nearest(rows, rows, NEIGHBOURS, own=True)[1]
    first = _blend(models, near, labels, truth)
    doubted = first[np.arange(len(labels)), labels] < 0.5 * first.max(axis=1)
    mended = np.where(doubted[:, None], first.astype(np.float32), truth)
    second = _blend(models, near, labels, mended)
    return HeldOut(models, near, second)


def _blend(models: tuple[Ridge, ...], near: Codes, labels: Codes, truth: Floats) -> Numbers:
    """The mean of the models' probabilities, each weighted by how well it does."""
    found, weights = [], []
    for answers in [model.best(truth)[2] for model in models]:
        found.append(_calibrated(answers, labels))
    votes = truth[np.maximum(near, 0)].mean(axis=1).astype(np.float64)
    found.append((votes + 0.02 / votes.shape[1]) / 1.02)
    places = np.arange(len(labels))
    for probabilities in found:
        hits = probabilities[places, labels]
        weights.append(np.exp(-4 * float(-np.log(np.maximum(hits, 1e-3)).mean())))
    total = sum(w * p for w, p in zip(weights, found, strict=True))
    return np.asarray(total / sum(weights), np.float64)


def _calibrated(scores: Floats, labels: Codes) -> Numbers:
    """Scores as probabilities: a softmax at the temperature under which the labels are likeliest
    (Guo et al., 2017)."""
    best, found = np.inf, np.zeros_like(scores, np.float64)
    places = np.arange(len(labels))
    for factor in (1, 2, 3, 4, 6, 8, 12, 16, 24):
        raised = scores.astype(np.float64) * factor
        raised -= raised.max(axis=1, keepdims=True)
        powers = np.exp(raised)
        powers /= powers.sum(axis=1, keepdims=True)
        loss = float(-np.log(np.maximum(powers[places, labels], 1e-9)).mean())
        if loss < best:
            best, found = loss, powers
    return found


def held_out_numbers(rows: Floats, targets: Numbers, seed: int = 0) -> tuple[Ridge, Numbers]:
    """Left-out predictions (rows, targets) of numbers (rows, targets), and the model that gave
    them: the better of kernel and linear ridge regression."""
    scaled = _standard(targets)
    models = (Ridge.of(rows), Ridge.of(kernel_columns(rows, scaled, seed)))
    answers = [model.best(scaled) for model in models]
    best = int(np.argmin([error for error, _, _ in answers]))
    middle, spread = targets.mean(axis=0), targets.std(axis=0)
    return models[best], answers[best][2] * spread + middle


def _standard(targets: Numbers) -> Floats:
    spread = targets.std(axis=0)
    spread[spread == 0] = 1.0
    return np.asarray((targets - targets.mean(axis=0)) / spread, np.float32)
