"""Structure without answers: groups of points (k-means) and the directions in which they differ
most (principal components)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clusters:
    """``centres`` (clusters, features), the cluster of each point ``labels`` (points,), the sum of
    squared distances to the own centre, and the number of rounds."""

    centres: Array
    labels: npt.NDArray[np.int64]
    spread: float
    rounds: int

    def predict(self, points: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The nearest centre's number for each of the points (points, features)."""
        nearest: npt.NDArray[np.int64] = _squared_distances(_points(points), self.centres).argmin(1)
        return nearest


def kmeans(
    points: npt.ArrayLike, clusters: int, *, starts: int = 8, rounds: int = 300, seed: int = 0
) -> Clusters:
    """Groups of points (points, features), each around the mean of its members.

    Assign every point to the nearest centre, move every centre to the mean of its points, until
    nothing changes (Lloyd, 1957), which never makes ``spread`` larger.  It ends in one of several
    minima, so the best of ``starts`` trials is taken; each begins with points drawn far from each
    other (k-means++, Arthur and Vassilvitskii, 2007).
    """
    x = _points(points)
    if not 1 <= clusters <= len(x) or starts < 1 or rounds < 1:
        raise ArgumentError(
            f"kmeans got {len(x)} points, clusters={clusters}, starts={starts}, rounds={rounds}",
            "Use from 1 to as many clusters as there are points, and at least 1 start and round.",
        )
    random = np.random.default_rng(seed)
    trials = [_lloyd(x, _far_apart(x, clusters, random), rounds) for _ in range(starts)]
    return min(trials, key=lambda trial: trial.spread)


def _lloyd(x: Array, centres: Array, rounds: int) -> Clusters:
    labels = np.full(len(x), -1)
    done = 0
    while done < rounds:
        done += 1
        nearest = _squared_distances(x, centres).argmin(axis=1)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        for number in range(len(centres)):
            own = x[labels == number]
            if len(own):  # a centre without points stays where it is
                centres[number] = own.mean(axis=0)
    spread = float(((x - centres[labels]) ** 2).sum())
    return Clusters(centres, labels.astype(np.int64), spread, done)


def _far_apart(x: Array, clusters: int, random: np.random.Generator) -> Array:
    """Points to begin with: each drawn with a chance that grows with its squared distance from
    those before it."""
    chosen = [int(random.integers(len(x)))]
    for _ in range(clusters - 1):
        distance = _squared_distances(x, x[chosen]).min(axis=1)
        total = distance.sum()
        chances = distance / total if total > 0 else None
        chosen.append(int(random.choice(len(x), p=chances)))
    return x[chosen]


def _squared_distances(x: Array, centres: Array) -> Array:
    """(points, centres); ‖x − c‖² = ‖x‖² − 2 x·c + ‖c‖², of points moved to their mean."""
    middle = centres.mean(axis=0)
    x, centres = x - middle, centres - middle
    squares = (x**2).sum(1)[:, None] - 2 * (x @ centres.T) + (centres**2).sum(1)
    return np.asarray(squares.clip(0))


@dataclass(frozen=True, eq=False)
class Components:
    """``directions`` (components, features), orthogonal and of length 1, the ``mean`` (features,),
    and each direction's share of the whole variance."""

    directions: Array
    mean: Array
    shares: Array

    def transform(self, points: npt.ArrayLike) -> Array:
        """Coordinates along the directions: (points, features) → (points, components)."""
        return np.asarray((_points(points) - self.mean) @ self.directions.T)

    def inverse(self, coordinates: npt.ArrayLike) -> Array:
        """The points that have these coordinates and nothing beside."""
        return np.asarray(coordinates, np.float64) @ self.directions + self.mean


def principal_components(points: npt.ArrayLike, components: int) -> Components:
    """The directions of largest variance of points (points, features), by the singular value
    decomposition of the centred points.  (Pearson, 1901.)

    No other linear map to ``components`` numbers loses less in squared error.  A direction's
    largest entry is positive, so that the result is unique.
    """
    x = _points(points)
    if not 1 <= components <= min(x.shape):
        raise ArgumentError(
            f"principal_components got points {x.shape}, components={components}",
            "Use from 1 to as many components as there are features, and points.",
        )
    mean = x.mean(axis=0)
    _, sizes, rows = np.linalg.svd(x - mean, full_matrices=False)
    whole = float((sizes**2).sum())
    directions = rows[:components]
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(components), largest])[:, None]
    shares = sizes[:components] ** 2 / whole if whole else np.zeros(components)
    return Components(directions, mean, shares)


def _points(points: npt.ArrayLike) -> Array:
    x = np.asarray(points, np.float64)
    if x.ndim != 2 or not len(x):
        raise ShapeError(f"points have shape {x.shape}", "Give (points, features).")
    if not np.isfinite(x).all():
        raise ArgumentError("points hold NaN or infinity", "Leave such rows out.")
    return x
