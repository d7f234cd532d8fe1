"""Small data sets in the plane on which one sees what a network can separate.

The six data sets and their controls are those of "A Neural Network Playground" (Smilkov, Carter,
Sculley, Viégas and Wattenberg, 2017): points within about ±6, noise 0 to 50 percent, and a share
of 10 to 90 percent for training.

>>> data = playground("circle", noise=10, seed=1)
>>> data.train[0].shape, data.train[1].shape
((250, 2), (250,))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError

Points = npt.NDArray[np.float64]
Pair = tuple[npt.NDArray[np.float32], npt.NDArray[Any]]

RADIUS = 5.0
MAX_NOISE = 50
LEAST_SHARE, MOST_SHARE = 10, 90


@dataclass(frozen=True, eq=False)
class PlaygroundData:
    """Points with their targets, in two parts.

    ``train`` and ``test`` are pairs (features, targets): features float32 (rows, 2); targets int64
    class numbers 0/1 (rows,) or, for regression, float32 (rows, 1) in −1 … 1.
    """

    name: str
    task: str
    train: Pair
    test: Pair


def playground(
    name: str, samples: int = 500, noise: float = 0, train_percent: float = 50, seed: int = 0
) -> PlaygroundData:
    """One of the data sets ``circle``, ``xor``, ``gauss``, ``spiral`` (two classes), ``plane`` and
    ``gauss-regression``.

    ``noise`` is a percentage 0 … 50: how far points stray (in ``gauss``, how wide the clouds are).
    ``train_percent`` 10 … 90 of the ``samples`` points are for training.  Equal arguments give
    equal points.  Raises ``ArgumentError`` for other names and values.
    """
    if name not in GENERATORS:
        raise ArgumentError(
            f"There is no playground data set {name!r}", "Use one of: " + ", ".join(GENERATORS)
        )
    _check("noise", noise, 0, MAX_NOISE)
    _check("train_percent", train_percent, LEAST_SHARE, MOST_SHARE)
    _check("samples", samples, 10, 1_000_000)
    random = np.random.default_rng(seed)
    points, values = GENERATORS[name](int(samples), noise / 100, random)
    order = random.permutation(len(points))
    features = points[order].astype(np.float32)
    regression = name in REGRESSION
    targets = (
        values[order, None].astype(np.float32)
        if regression
        else (values[order] > 0).astype(np.int64)
    )
    cut = round(len(features) * train_percent / 100)
    return PlaygroundData(
        name,
        "regression" if regression else "binary",
        (features[:cut], targets[:cut]),
        (features[cut:], targets[cut:]),
    )


def derived(features: npt.NDArray[Any], names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Inputs computed from points (rows, 2), as float32 (rows, len(names)).

    Names: ``x1``, ``x2``, ``x1²``, ``x2²``, ``x1x2``, ``sin x1``, ``sin x2``.
    """
    unknown = [name for name in names if name not in INPUTS]
    if unknown or not names:
        raise ArgumentError(f"There are no inputs {unknown}", "Use some of: " + ", ".join(INPUTS))
    columns = [INPUTS[name](features[:, 0], features[:, 1]) for name in names]
    return np.stack(columns, axis=1).astype(np.float32)


INPUTS: Mapping[str, Callable[[Any, Any], Any]] = {
    "x1": lambda x1, x2: x1,
    "x2": lambda x1, x2: x2,
    "x1²": lambda x1, x2: x1 * x1,
    "x2²": lambda x1, x2: x2 * x2,
    "x1x2": lambda x1, x2: x1 * x2,
    "sin x1": lambda x1, x2: np.sin(x1),
    "sin x2": lambda x1, x2: np.sin(x2),
}
"""Name of an input → its function of the two coordinates."""


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ArgumentError(f"{name}={value!r} is not allowed", f"Use {low:g} to {high:g}.")


# ---- the generators: (samples, noise as a share, random) → points (n, 2), values (n,) -----------


def _circle(n: int, noise: float, random: np.random.Generator) -> tuple[Points, Points]:
    """A disc inside a ring; noise moves points before they get their class."""
    inner = n // 2
    radii = (
        np.concatenate([random.uniform(0, 0.5, inner), random.uniform(0.7, 1, n - inner)]) * RADIUS
    )
    angles = random.uniform(0, 2 * math.pi, n)
    points = radii[:, None] * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    moved = points + random.uniform(-RADIUS, RADIUS, (n, 2)) * noise
    return points, np.where(np.hypot(moved[:, 0], moved[:, 1]) < RADIUS / 2, 1.0, -1.0)


def _xor(n: int, noise: float, random: np.random.Generator) -> tuple[Points, Points]:
    """Four squares with a gap between them; the class is the sign of the product."""
    points = random.uniform(-RADIUS, RADIUS, (n, 2))
    points += np.where(points > 0, 0.3, -0.3)
    moved = points + random.uniform(-RADIUS, RADIUS, (n, 2)) * noise
    return points, np.where(moved[:, 0] * moved[:, 1] >= 0, 1.0, -1.0)


def _gauss(n: int, noise: float, random: np.random.Generator) -> tuple[Points, Points]:
    """Two clouds around (2, 2) and (−2, −2); noise 0 … 0.5 makes their variance 0.5 … 4."""
    values = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    deviation = math.sqrt(0.5 + noise / 0.5 * 3.5)
    return 2 * values[:, None] + random.normal(0, deviation, (n, 2)), values


def _spiral(n: int, noise: float, random: np.random.Generator) -> tuple[Points, Points]:
    """Two arms of 1¾ turns."""
    values = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    along = np.concatenate([np.arange(n // 2) / (n // 2), np.arange(n - n // 2) / (n - n // 2)])
    angles = 1.75 * along * 2 * math.pi + np.where(values > 0, 0, math.pi)
    points = RADIUS * along[:, None] * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    return points + random.uniform(-1, 1, (n, 2)) * noise, values


def _plane(n: int, noise: float, random: np.random.Generator) -> tuple[Points, Points]:
    """(x1 + x2)/10, held to −1 … 1."""
    points = random.uniform(-6, 6, (n, 2))
    moved = points + random.uniform(-6, 6, (n, 2)) * noise
    return points, np.clip(moved.sum(axis=1) / 10, -1, 1)


_HILLS = np.array(
    [[-4, 2.5, 1], [0, 2.5, -1], [4, 2.5, 1], [-4, -2.5, -1], [0, -2.5, 1], [4, -2.5, -1]]
)


def _hills(n: int, noise: float, random: np.random.Generator) -> tuple[Points, Points]:
    """Six cones of height ±1 and radius 2; where they meet, the one that is further from 0."""
    points = random.uniform(-6, 6, (n, 2))
    moved = points + random.uniform(-6, 6, (n, 2)) * noise
    distance = np.hypot(*(moved[:, None, axis] - _HILLS[:, axis] for axis in (0, 1)))
    heights = _HILLS[:, 2] * np.clip(1 - distance / 2, 0, 1)
    return points, heights[np.arange(n), np.abs(heights).argmax(axis=1)]


GENERATORS: Mapping[str, Callable[[int, float, np.random.Generator], tuple[Points, Points]]] = {
    "circle": _circle,
    "xor": _xor,
    "gauss": _gauss,
    "spiral": _spiral,
    "plane": _plane,
    "gauss-regression": _hills,
}
"""Name of a data set → its generator."""

REGRESSION = frozenset({"plane", "gauss-regression"})
