"""What the quality of answers rests on, seen by shuffling columns of a data set."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import NonFiniteError, ShapeError
from pellucid.insight.explain.forward import plain

Predict = Callable[[Any], Any]
Floats = npt.NDArray[np.float64]


def permutation_importance(
    predict: Predict,
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    score: Callable[[Any, Any], float],
    repeats: int = 5,
    seed: int = 0,
) -> Floats:
    """How much worse the answers get when one column is shuffled, for each column.

    ``predict`` takes an array (rows, columns); ``score(targets, predictions)`` is higher for
    better answers.  Returns the score lost, (columns, repeats); near 0 means that the model does
    without the column (or has another one that says the same).  (Breiman, 2001.)
    """
    x, y = np.array(features), np.asarray(targets)
    if x.ndim != 2 or len(x) != len(y) or len(x) < 2:
        raise ShapeError(
            f"permutation_importance got features {x.shape} and targets {y.shape}",
            "Give (rows, columns) and one target for each of at least 2 rows.",
        )
    random = np.random.default_rng(seed)
    before = score(y, plain(predict(x)))
    if not math.isfinite(before):
        raise NonFiniteError(
            f"The score of the model is {before}", "Look at the predictions: np.isfinite(...)."
        )
    lost = np.empty((x.shape[1], repeats))
    for column, repeat in itertools.product(range(x.shape[1]), range(repeats)):
        shuffled = x.copy()
        shuffled[:, column] = random.permutation(x[:, column])
        lost[column, repeat] = before - score(y, plain(predict(shuffled)))
    return lost
