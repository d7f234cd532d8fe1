"""How good answers are, in one number that does not depend on the loss.

0 is what an answer reaches that does not look at the features, 1 is perfect; below 0 is worse than
not looking.  So a change of the loss, of the scale of the targets or of the last activation can be
judged, and a figure is never shown without the trivial predictor that it is measured against.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor

Array = npt.NDArray[Any]
FEW_VALUES = 2


def as_array(value: Any) -> Array | None:
    """A tensor or array as an array; None for anything else, such as several inputs."""
    if isinstance(value, Tensor):
        return np.asarray(value.detach().array())
    if isinstance(value, (np.ndarray, list)):
        return np.asarray(value)
    return None


def kind_of(targets: Array) -> str:
    """What targets ask for: ``classes`` (class numbers), ``binary`` (one column of two values),
    ``one-hot``, ``multi-hot`` (columns of 0 and 1), ``sequence`` (class numbers by position),
    ``numbers``, or "" where there is nothing to ask."""
    if not targets.size:
        return ""
    flat = targets.reshape(len(targets), -1)
    if targets.dtype.kind in "iub" and flat.shape[1] > 1 and targets.max() > 1:
        return "sequence"
    if flat.shape[1] == 1:
        values = np.unique(flat[:2000])
        if targets.dtype.kind in "iu" and (len(values) > FEW_VALUES or targets.ndim == 1):
            return "classes"
        return "binary" if len(values) <= FEW_VALUES and set(values) <= {-1, 0, 1} else "numbers"
    if not np.isin(flat, (0, 1)).all():
        return "numbers"
    return "one-hot" if (flat.sum(1) == 1).all() else "multi-hot"


def fitness(outputs: Any, targets: Any) -> float | None:
    """How good answers are: accuracy above that of the largest class as a share of what is above
    it; for one score of two classes 2·AUC − 1 (Gini's coefficient, which no rescaling of the score
    changes; Hanley and McNeil, 1982); for numbers R².  None where it is not known how to judge."""
    answers, wanted = as_array(outputs), as_array(targets)
    if answers is None or wanted is None or not wanted.size or answers.dtype.kind not in "fiu":
        return None
    if not np.isfinite(answers).all():
        return -math.inf
    kind = kind_of(wanted)
    answers, wanted = answers.astype(np.float64), np.asarray(wanted)
    if kind in ("classes", "one-hot"):
        return _of_classes(answers, wanted, kind)
    if kind == "sequence":
        return _of_sequences(answers, wanted)
    if kind == "binary" and answers.size == wanted.size:
        return _gini(answers.ravel(), wanted.ravel())
    if answers.size != wanted.size:
        return None
    flat, true = answers.reshape(len(wanted), -1), wanted.reshape(len(wanted), -1)
    if kind == "multi-hot":
        found = [_gini(flat[:, i], true[:, i]) for i in range(true.shape[1])]
        known = [value for value in found if value is not None]
        return float(np.mean(known)) if known else None
    spread = float(np.square(true - true.mean(0)).sum())
    return None if not spread else 1 - float(np.square(flat - true).sum()) / spread


def _of_classes(answers: Array, wanted: Array, kind: str) -> float | None:
    rows = len(wanted)
    labels = wanted.reshape(rows, -1).argmax(1) if kind == "one-hot" else wanted.reshape(rows)
    flat = answers.reshape(rows, -1) if answers.size % rows == 0 else answers
    if len(flat) != rows:
        return None
    if flat.shape[1] == 1:
        two = len(np.unique(labels)) == FEW_VALUES
        return _gini(flat.ravel(), labels) if two else _r2(flat.ravel(), labels)
    return _above(float((flat.argmax(1) == labels).mean()), labels)


def _of_sequences(answers: Array, wanted: Array) -> float | None:
    if answers.ndim != wanted.ndim + 1:
        return None
    if answers.shape[:-1] == wanted.shape:
        found = answers.argmax(-1)
    elif (answers.shape[0], *answers.shape[2:]) == wanted.shape:
        found = answers.argmax(1)
    else:
        return None
    return _above(float((found == wanted).mean()), wanted.ravel())


def _above(accuracy: float, labels: Array) -> float | None:
    """Accuracy above the largest class, as a share of what is above it."""
    share = float(np.unique(labels, return_counts=True)[1].max()) / len(labels)
    return None if share == 1 else (accuracy - share) / (1 - share)


def _r2(answers: Array, wanted: Array) -> float | None:
    spread = float(np.square(wanted - wanted.mean()).sum())
    return None if not spread else 1 - float(np.square(answers - wanted).sum()) / spread


def _gini(scores: Array, labels: Array) -> float | None:
    """2·AUC − 1, by ranks; equal scores share their rank."""
    positive = labels == labels.max()
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    total = float(ranks[place.reshape(-1)][positive].sum())
    return 2 * (total - ones * (ones + 1) / 2) / (ones * zeros) - 1


# ---- what does not look at the features ----------------------------------------------------------


def trivial_loss(loss: Any, outputs: Any, targets: Any) -> float | None:
    """The lowest loss of one answer for all rows that is known: the shares of the classes as
    probabilities, their logarithms or log-odds, the mean, and the median; None where none fits.

    ``outputs`` are the model's answers to the same rows, for their shape.
    """
    answers, wanted = as_array(outputs), as_array(targets)
    if answers is None or wanted is None or answers.dtype.kind != "f" or not answers.size:
        return None
    found = []
    for candidate in _candidates(answers, wanted, _takes_log_probabilities(loss)):
        filled = np.broadcast_to(candidate.astype(answers.dtype), answers.shape)
        try:
            with no_grad():
                given = as_tensor(np.ascontiguousarray(filled))
                value = float(loss(given, as_tensor(targets)).detach().item())
        except Exception:  # a loss of the user's may refuse a made-up answer in any way
            continue
        if math.isfinite(value):
            found.append(value)
    return min(found, default=None)


def _takes_log_probabilities(loss: Any) -> bool:
    name = getattr(loss, "__name__", type(loss).__name__).lower().replace("_", "")
    return "nll" in name and "poisson" not in name and "gaussian" not in name


def _candidates(answers: Array, wanted: Array, only_logs: bool) -> list[Array]:
    rows, kind = len(wanted), kind_of(wanted)
    if kind in ("classes", "sequence") and answers.ndim > 1:
        axis = 1 if kind == "classes" or answers.shape[0] == rows != answers.shape[-1] else -1
        if answers.shape[:-1] == wanted.shape:
            axis = answers.ndim - 1
        counts = np.bincount(wanted.ravel().astype(int).clip(0), minlength=answers.shape[axis])
        shares = counts[: answers.shape[axis]] / max(1, counts.sum())
        place = axis % answers.ndim
        form = tuple(n if at == place else 1 for at, n in enumerate(answers.shape))
        logs = np.log(np.maximum(shares, 0.5 / counts.sum())).reshape(form)
        if answers.shape[axis] > 1:
            return [logs] if only_logs else [logs, shares.reshape(form)]
    if wanted.size != answers.size:
        return []
    flat = wanted.reshape(rows, -1).astype(np.float64)
    shape = (1, *answers.shape[1:])
    mean, middle = flat.mean(0).reshape(shape), np.median(flat, 0).reshape(shape)
    listed = [mean, middle]
    if flat.min() >= 0 and flat.max() <= 1:
        share = np.clip(mean, 0.5 / rows, 1 - 0.5 / rows)
        listed += [share, np.log(share / (1 - share)), np.log(share)]
    return [listed[-1]] if only_logs and len(listed) > FEW_VALUES else listed


# ---- simple models -------------------------------------------------------------------------------

NEIGHBOURS = 5
LARGEST = 256
"""Columns of the features that simple models look at; more are mixed into so many."""


def flat_features(features: Any, rows: int) -> Array | None:
    """Up to ``rows`` rows of features (rows, columns), standardized; None where they are not
    numbers."""
    x = as_array(features)
    if x is None or x.dtype.kind not in "fiu" or not x.size or x.ndim < 1:
        return None
    flat: Array = x[:rows].reshape(min(rows, len(x)), -1).astype(np.float64)
    if not np.isfinite(flat).all():
        return None
    if flat.shape[1] > LARGEST:
        mixing = np.random.default_rng(0).standard_normal((flat.shape[1], LARGEST))
        flat = (flat - flat.mean(0)) @ mixing / math.sqrt(flat.shape[1])
    return np.asarray((flat - flat.mean(0)) / np.maximum(flat.std(0), 1e-12))


def coded_targets(targets: Any, rows: int) -> Array | None:
    """Targets as numbers (rows, columns): class numbers as one column for each class."""
    y = as_array(targets)
    if y is None or not y.size or y.dtype.kind not in "fiub" or kind_of(y) == "sequence":
        return None
    y = y[:rows]
    if kind_of(y) == "classes":
        labels = np.unique(y.reshape(-1), return_inverse=True)[1].reshape(-1)
        return np.eye(int(labels.max()) + 1)[labels]
    return y.reshape(len(y), -1).astype(np.float64)


def simple_fitness(features: Any, targets: Any, rows: int = 600) -> dict[str, float]:
    """The :func:`fitness` of a linear model (ridge) and of the 5 nearest neighbours, each on rows
    that it was not made from; empty where features are not numbers or rows are fewer than 20."""
    x, y = flat_features(features, rows), coded_targets(targets, rows)
    if x is None or y is None or len(x) < 20 or len(x) != len(y):
        return {}
    order = np.random.default_rng(0).permutation(len(x))
    half = len(x) // 2
    parts = (order[:half], order[half:])
    found: dict[str, list[float]] = {"linear": [], "neighbours": []}
    wanted = y.argmax(1) if y.shape[1] > 1 and kind_of(as_array(targets)[:rows]) == "classes" else y  # type: ignore[index]
    for made, held in (parts, parts[::-1]):
        for name, answer in (("linear", _ridge), ("neighbours", _nearest)):
            value = fitness(answer(x[made], y[made], x[held]), wanted[held])
            if value is not None:
                found[name].append(value)
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def _ridge(x: Array, y: Array, held: Array) -> Array:
    ones, others = np.ones((len(x), 1)), np.ones((len(held), 1))
    a = np.concatenate([x, ones], 1)
    weights = np.linalg.solve(a.T @ a + np.eye(a.shape[1]) * max(1.0, 0.1 * len(x)), a.T @ y)
    return np.asarray(np.concatenate([held, others], 1) @ weights)


def _nearest(x: Array, y: Array, held: Array) -> Array:
    distances = np.square(held).sum(1)[:, None] - 2 * held @ x.T + np.square(x).sum(1)
    near = np.argpartition(distances, min(NEIGHBOURS, len(x)) - 1, 1)[:, :NEIGHBOURS]
    return np.asarray(y[near].mean(1))
