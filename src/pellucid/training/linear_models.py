"""Linear and logistic regression in NumPy: what a network is compared with.

The objectives are scikit-learn's (``Ridge``, ``LogisticRegression``), whose solutions the tests
hold these against; importing that library would take longer than most trainings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Objective: TypeAlias = Callable[[Floats], tuple[float, Floats]]

_MEMORY = 10
_STREAM_ROWS = 256
_STREAM_RATE = 1e-2
_STREAM_STEPS = 1500
_ENOUGH_DECREASE = 1e-4


def ridge(
    features: npt.NDArray[np.floating],
    targets: npt.NDArray[np.floating],
    alpha: float = 1.0,
    *,
    row_weights: npt.NDArray[Any] | None = None,
) -> tuple[Floats, Floats]:
    """Weights (features, targets) and intercepts (targets,) with the least
    ‖y − X·w − b‖² + alpha·‖w‖² (Hoerl and Kennard, 1970), by the normal equations of the smaller
    of the two sides.

    ``features`` (rows, features), ``targets`` (rows, targets).  A row of ``row_weights`` (rows,) 2
    counts as two rows.
    """
    x: Floats = np.asarray(features, np.float64)
    y: Floats = np.asarray(targets, np.float64)
    x_mean: Floats = np.asarray(np.average(x, axis=0, weights=row_weights), np.float64)
    y_mean: Floats = np.asarray(np.average(y, axis=0, weights=row_weights), np.float64)
    x, y = x - x_mean, y - y_mean
    if row_weights is not None:
        roots: Floats = np.sqrt(np.asarray(row_weights, np.float64))[:, None]
        x, y = x * roots, y * roots
    if x.shape[1] <= x.shape[0]:
        gram = x.T @ x + alpha * np.eye(x.shape[1])
        weights = np.asarray(np.linalg.solve(gram, x.T @ y), np.float64)
    else:
        weights = x.T @ np.linalg.solve(x @ x.T + alpha * np.eye(x.shape[0]), y)
    return weights, y_mean - x_mean @ weights


def logistic_regression(
    features: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    classes: int,
    *,
    c: float = 1.0,
    iterations: int = 100,
    tolerance: float = 1e-4,
    row_weights: npt.NDArray[Any] | None = None,
) -> tuple[Floats, Floats]:
    """Weights (features, classes) and intercepts (classes,) with the least mean cross-entropy of
    softmax(X·w + b) plus ‖w‖²/(2·c·rows).

    ``features`` (rows, features), ``labels`` (rows,) from 0 to classes − 1.  For two classes the
    weights are those of the log-odds: the first column is 0.  L-BFGS stops when no derivative is
    larger than ``tolerance``, or after so many iterations.  A row of ``row_weights`` (rows,) 2
    counts as two rows.
    """
    x = np.asarray(features, np.float64)
    width = x.shape[1]
    shares = np.ones(len(x)) if row_weights is None else np.asarray(row_weights, np.float64)
    rows, column = float(shares.sum()), shares[:, None]
    units = 1 if classes == 2 else classes
    # One-hot truth (rows, classes); for two classes the truth of class 1 (rows, 1).
    truth = (labels[:, None] == np.arange(classes)[None, :]).astype(np.float64)[
        :, classes - units :
    ]

    def objective(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(width + 1, units)
        scores = x @ weights[:-1] + weights[-1]
        if units == 1:
            loss = float(((np.logaddexp(0, scores) - truth * scores) * column).sum())
            error = (_sigmoid(scores) - truth) * column
        else:
            shifted = scores - scores.max(axis=1, keepdims=True)
            powers = np.exp(shifted)
            total = powers.sum(axis=1, keepdims=True)
            loss = float((np.log(total) * column).sum() - (truth * shifted * column).sum())
            error = (powers / total - truth) * column
        gradient = np.concatenate([x.T @ error, error.sum(axis=0, keepdims=True)]) / rows
        gradient[:-1] += weights[:-1] / (c * rows)
        penalty = float((weights[:-1] ** 2).sum()) / (2 * c * rows)
        return loss / rows + penalty, gradient.reshape(-1)

    start = np.zeros((width + 1) * units)
    found = minimize(objective, start, iterations, tolerance).reshape(width + 1, units)
    if units == 1:
        found = np.concatenate([np.zeros_like(found), found], axis=1)
    return found[:-1], found[-1]


def streamed_logistic_regression(
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.integer],
    classes: int,
    *,
    c: float = 1.0,
    passes: int | None = None,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """The minimum of ``logistic_regression``'s objective, approached by so many passes over the
    rows in random order (unless given 6, or as many as have 1,500 steps): for tables on which an
    iteration over all rows is dear.

    Steps are Adam's (Kingma and Ba, 2015) on 256 rows with a rate that falls from 0.01 to 0, in
    float32.  Equal arguments give equal results.
    """
    rows, width = features.shape
    size = min(_STREAM_ROWS, rows)
    if passes is None:
        passes = max(6, -(-_STREAM_STEPS // (rows // size)))
    steps = passes * (rows // size)
    weights = np.zeros((width + 1, classes), np.float32)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    gradient = np.empty_like(weights)
    generator = np.random.Generator(np.random.PCG64(seed))
    step = 0
    for _ in range(passes):
        order = generator.permutation(rows)
        for at in range(0, rows - size + 1, size):
            step += 1
            chosen = order[at : at + size]
            block = features[chosen]
            scores = block @ weights[:-1] + weights[-1]
            error = np.exp(scores - scores.max(axis=1, keepdims=True))
            error /= error.sum(axis=1, keepdims=True)
            error[np.arange(size), labels[chosen]] -= 1.0
            np.matmul(block.T, error, out=gradient[:-1])
            gradient[-1] = error.sum(axis=0)
            gradient /= size
            gradient[:-1] += weights[:-1] / np.float32(c * rows)
            first += np.float32(0.1) * (gradient - first)
            second += np.float32(0.001) * (gradient * gradient - second)
            rate = _STREAM_RATE * (1 - (step - 1) / steps)
            ahead = first / np.float32(1 - 0.9**step)
            behind = np.sqrt(second / np.float32(1 - 0.999**step)) + np.float32(1e-8)
            weights -= np.float32(rate) * ahead / behind
    found = weights.astype(np.float64)
    return found[:-1], found[-1]


def class_probabilities(
    features: npt.NDArray[np.floating], weights: Floats, bias: Floats
) -> Floats:
    """softmax(X·w + b): (rows, classes)."""
    scores = np.asarray(features, np.float64) @ weights + bias
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _sigmoid(scores: Floats) -> Floats:
    small = np.exp(-np.abs(scores))
    return np.asarray(np.where(scores >= 0, 1.0, small) / (1.0 + small))


def minimize(objective: Objective, start: Floats, iterations: int, tolerance: float) -> Floats:
    """The place where a smooth convex function is least, by L-BFGS (Nocedal and Wright, "Numerical
    Optimization", 2006, algorithm 7.5) with backtracking.

    ``objective(place)`` returns value and gradient (n,).  Stops when no entry of the gradient is
    larger than ``tolerance``, when no step makes the value smaller, or after ``iterations``.
    """
    place = start
    value, gradient = objective(place)
    history: list[tuple[Floats, Floats, float]] = []
    for _ in range(iterations):
        if float(np.abs(gradient).max()) <= tolerance:
            break
        direction = -_two_loops(gradient, history)
        slope = float(direction @ gradient)
        step = 1.0 if history else 1.0 / max(1.0, float(np.abs(gradient).sum()))
        while step > 1e-12:
            next_place = place + step * direction
            next_value, next_gradient = objective(next_place)
            if next_value <= value + _ENOUGH_DECREASE * step * slope:
                break
            step *= 0.5
        else:
            break
        moved, turned = next_place - place, next_gradient - gradient
        product = float(moved @ turned)
        if product > 1e-14:
            history = [*history[-(_MEMORY - 1) :], (moved, turned, 1.0 / product)]
        place, value, gradient = next_place, next_value, next_gradient
    return place


def _two_loops(gradient: Floats, history: list[tuple[Floats, Floats, float]]) -> Floats:
    """The inverse Hessian, as far as the last moves tell it, times the gradient."""
    result = gradient.copy()
    shares = []
    for moved, turned, inverse in reversed(history):
        share = inverse * float(moved @ result)
        result -= share * turned
        shares.append(share)
    if history:
        moved, turned, inverse = history[-1]
        result *= 1.0 / (inverse * float(turned @ turned))
    for (moved, turned, inverse), share in zip(history, reversed(shares), strict=True):
        result += (share - inverse * float(turned @ result)) * moved
    return result
