"""Shares of the inputs in one answer that sum to it (Shapley, 1953)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, NonFiniteError, OutOfRangeError
from pellucid.insight.explain.forward import plain

Predict = Callable[[Any], Any]
Floats = npt.NDArray[np.float64]

MAX_SHAPLEY_INPUTS = 10


def shapley_values(
    predict: Predict,
    row: npt.ArrayLike,
    background: npt.ArrayLike,
    output: int | None = None,
) -> Floats:
    """The exact shares of the inputs in one answer.

    ``row`` (inputs,), ``background`` (rows, inputs): an input that is "absent" takes the values of
    the background, over which the answer is averaged.  ``predict`` takes (n, inputs) and gives
    (n,) or (n, outputs), of which ``output`` is explained.  Returns (inputs,); they sum to the
    answer minus the background's mean answer.
    Exact, so 2^inputs sets are tried: at most 10 inputs.  Raises ``ArgumentError`` for several
    outputs without a choice, ``NonFiniteError`` for answers that are NaN or infinite.
    (Shapley, 1953; Lundberg and Lee, 2017.)
    """
    x, others = np.asarray(row), np.asarray(background)
    count = x.shape[0]
    if count > MAX_SHAPLEY_INPUTS or others.ndim != 2 or others.shape[1] != count:
        raise ArgumentError(
            f"shapley_values got {count} inputs and a background {others.shape}",
            f"Use at most {MAX_SHAPLEY_INPUTS} inputs and background rows of as many.",
        )
    answers = {}
    for present in itertools.product((False, True), repeat=count):
        mixed = np.where(np.array(present), x, others)
        answers[present] = _mean_answer(plain(predict(mixed)), len(others), output)
    shares = np.zeros(count)
    for present, answer in answers.items():
        size = sum(present)
        for position in range(count):
            if not present[position]:
                weight = math.factorial(size) * math.factorial(count - size - 1)
                with_it = (*present[:position], True, *present[position + 1 :])
                shares[position] += weight / math.factorial(count) * (answers[with_it] - answer)
    return shares


def _mean_answer(answers: npt.NDArray[Any], rows: int, output: int | None) -> float:
    """The mean over the background of the answer that is explained."""
    table = answers.reshape(rows, -1)
    if output is None and table.shape[1] > 1:
        raise ArgumentError(
            f"shapley_values got a predict with {table.shape[1]} outputs",
            "Choose one of them: output=0, for the first class.",
        )
    column = 0 if output is None else output
    if not -table.shape[1] <= column < table.shape[1]:
        raise OutOfRangeError(
            f"shapley_values got output={output} for {table.shape[1]} outputs",
            f"Use 0 to {table.shape[1] - 1}.",
        )
    mean = float(table[:, column].mean())
    if not math.isfinite(mean):
        raise NonFiniteError(
            "predict gave NaN or infinity", "Look at the features and the weights of the model."
        )
    return mean
