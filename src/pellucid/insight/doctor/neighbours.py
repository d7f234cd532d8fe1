"""Whether rows that are alike have like labels.

Where they do not, no model can learn from these features what holds for others: the labels belong
to other rows, or say nothing that the features know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor.views import views

Array = npt.NDArray[Any]

ROWS = 1000
"""Rows that are compared with each other."""
COLUMNS = 200
"""Columns that are kept, by random projection where there are more."""
NEIGHBOURS = 5
SURE = 6.0
"""Standard deviations above chance from which on nothing else is asked."""


@dataclass(frozen=True)
class Agreement:
    """How well neighbours agree: ``value`` beside ``chance``, ``z`` standard deviations apart.

    ``separable`` says whether one can expect neighbours to agree: few columns, or columns of which
    few directions hold most of the spread.
    """

    what: str
    value: float
    chance: float
    z: float
    rows: int
    separable: bool


def agreement(features: Array, labels: Array, classes: bool) -> Agreement | None:
    """How often the nearest neighbours of a row have its label (``classes``), or how well the
    label is correlated with the mean of theirs; and what labels in random order would give.

    The better of neighbours and a linear model counts, in whichever of the :func:`.views.views` of
    the features.
    """
    count = len(features)
    chosen = np.unique(np.linspace(0, count - 1, min(count, ROWS)).astype(np.int64))
    y, best = labels[chosen], Agreement("", 0.0, 0.0, -np.inf, 0, False)
    for number, view in enumerate(views(features[chosen])):
        x = columns_of(view)
        if x is None or len(x) < 60:
            continue
        found = _agreement(x, y, classes)
        if found.z > SURE:
            return found
        # Series and pictures may be alike value by value in no way, and yet where nothing moves.
        best = max(best, found, key=lambda a: a.z)
        best = replace(best, separable=bool(number) or found.separable)
    return best if best.rows else None


def _agreement(x: Array, y: Array, classes: bool) -> Agreement:
    near = _nearest(x)
    rng = np.random.default_rng(0)
    ways = [(_by_neighbours, classes), (_linear, classes)]
    if classes and len(np.unique(y)) > 2:  # class numbers may be amounts
        ways += [(_by_neighbours, False), (_linear, False)]
    best: tuple[str, float, float, float] = ("", 0.0, 0.0, -np.inf)
    for way, as_classes in ways:
        best = max(best, way(x, y, near, as_classes, rng), key=lambda f: f[3])
        if best[3] > SURE:
            return Agreement(*best, rows=len(x), separable=True)
    return Agreement(*best, rows=len(x), separable=_separable(x))


def _by_neighbours(
    x: Array, y: Array, near: Array, classes: bool, rng: np.random.Generator
) -> tuple[str, float, float, float]:
    """What neighbours know of a row's label: words, value, chance, z."""
    score = _shared if classes else _correlated
    value = score(y, y[near])
    chance = [score(p, p[near]) for p in (rng.permutation(y) for _ in range(40))]
    what = (
        f"share of {NEIGHBOURS} neighbours with the same label"
        if classes
        else f"correlation of the targets with those of {NEIGHBOURS} neighbours"
    )
    return what, value, float(np.mean(chance)), _z(value, chance)


def _z(value: float, chance: list[float]) -> float:
    return (value - float(np.mean(chance))) / max(float(np.std(chance)), 1e-6)


def shifted_agreement(features: Array, labels: Array, classes: bool) -> tuple[str, float] | None:
    """Another order of the labels in which neighbours agree: moved by a few rows, or reversed."""
    n = min(len(features), 3 * ROWS)
    y = labels[:n]
    chosen = np.arange(0, n, max(1, n // ROWS))
    for view in views(features[:n][chosen]):
        x = columns_of(view)
        found = None if x is None else _shifted(x, y, chosen, classes)
        if found is not None:
            return found
    return None


def _shifted(x: Array, y: Array, chosen: Array, classes: bool) -> tuple[str, float] | None:
    near = _nearest(x)
    score = _shared if classes else _correlated
    rng = np.random.default_rng(1)
    chance = [score(p, p[near]) for p in (rng.permutation(y)[chosen] for _ in range(30))]
    least = float(np.mean(chance)) + 6 * max(float(np.std(chance)), 1e-6)
    orders = [(f"moved by {k} rows" if abs(k) > 1 else f"moved by {k} row", np.roll(y, k))
              for k in (1, -1, 2, -2, 3, -3)]  # fmt: skip
    orders.append(("in reverse order", y[::-1]))
    found = [(score(order[chosen], order[chosen][near]), name) for name, order in orders]
    value, name = max(found)
    margin = 0.1 if classes else 0.2
    return (name, value) if value > least and value > float(np.mean(chance)) + margin else None


def columns_of(features: Array) -> Array | None:
    """Standardized columns, at most ``COLUMNS``; None where they cannot be compared."""
    x = features.reshape(len(features), -1).astype(np.float64)
    if not np.isfinite(x).all() or not x.shape[1]:
        return None
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0))[:, deviation > 0] / deviation[deviation > 0]
    if not x.shape[1]:
        return None
    if features.ndim > 2 and x.shape[1] > COLUMNS:
        x = features.reshape(len(features), -1).astype(np.float64)
        x -= x.mean(axis=0)
    if x.shape[1] > COLUMNS:
        rng = np.random.default_rng(0)
        x = x @ rng.normal(size=(x.shape[1], COLUMNS)) / np.sqrt(COLUMNS)
    return x


def contradicted(x: Array, labels: Array) -> float:
    """The share of rows of whose neighbours most have another label."""
    near = labels[_nearest(x)]
    votes = np.stack([(near == c).sum(axis=1) for c in range(int(labels.max()) + 1)], axis=1)
    return float((votes.argmax(axis=1) != labels).mean())


def misses_by(x: Array, y: Array) -> float | None:
    """By how much neighbours with other numbers differ, as a share of what any two rows with other
    numbers do; None where too few differ to tell."""
    apart = np.abs(y[_nearest(x)] - y[:, None])
    others = apart[apart > 0]
    every = np.abs(y[:, None] - y)
    return float(others.mean() / every[every > 0].mean()) if len(others) >= 30 else None


def _nearest(x: Array) -> Array:
    """The nearest other rows of each (n, NEIGHBOURS)."""
    squares = (x**2).sum(axis=1)
    distance = squares[:, None] + squares[None, :] - 2 * x @ x.T
    np.fill_diagonal(distance, np.inf)
    return np.asarray(np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS])


def _shared(y: Array, near: Array) -> float:
    return float((near == y[:, None]).mean())


def _correlated(y: Array, near: Array) -> float:
    mean = near.mean(axis=1)
    if y.std() == 0 or mean.std() == 0:
        return 0.0
    return float(np.corrcoef(y, mean)[0, 1])


def _linear(
    x: Array, y: Array, near: Array, classes: bool, rng: np.random.Generator
) -> tuple[str, float, float, float]:
    """What a ridge regression on half of the rows knows of the others: words, value, chance, z."""
    order = rng.permutation(len(x))
    half = len(x) // 2
    fit, held = order[:half], order[half:]
    design = np.c_[x, np.ones(len(x))]
    gram = design[fit].T @ design[fit] + 0.1 * len(fit) * np.eye(design.shape[1])

    hat = design[held] @ np.linalg.solve(gram, design[fit].T)
    known = np.unique(y)

    def score(labels: Array) -> float:
        wanted = (labels[:, None] == known).astype(float) if classes else labels[:, None]
        mean = wanted[fit].mean(axis=0)
        said = hat @ (wanted[fit] - mean) + mean
        if classes:
            return float((known[said.argmax(axis=1)] == labels[held]).mean())
        if said.std() == 0 or labels[held].std() == 0:
            return 0.0
        return float(np.corrcoef(said[:, 0], labels[held])[0, 1])

    chance = [score(rng.permutation(y)) for _ in range(40)]
    what = (
        "share of rows that a linear model gets right"
        if classes
        else "correlation of the targets with a linear model's answers"
    )
    value = score(y)
    return what, value, float(np.mean(chance)), _z(value, chance)


def _separable(x: Array) -> bool:
    """Whether distances mean something: few directions with most of the spread."""
    if x.shape[1] <= 12:
        return True
    centred = x - x.mean(axis=0)
    spread = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    share = np.cumsum(spread) / spread.sum()
    directions = int(np.searchsorted(share, 0.7)) + 1
    return directions <= max(12, int(x.shape[1]) // 4)
