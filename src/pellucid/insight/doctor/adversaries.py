"""Networks against each other: what a generator makes beside what its critic is shown as real."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import PellucidError
from pellucid.insight.doctor.fitness import as_array
from pellucid.insight.doctor.steps import Call, Constant, RecordedStep, Result
from pellucid.insight.doctor.tracks import Track
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad

Array = npt.NDArray[Any]
ROWS = 64


def made_and_real(tracks: Sequence[Track]) -> tuple[Array, Array] | None:
    """Rows that a generator makes with its weights of now, and rows of the same shape that the
    network it feeds was given; None where no network feeds another.

    What a critic is given is real, or was made and cut from its history: of both, that with the
    larger spread is taken for real.
    """
    steps = [step for track in tracks for step in track.recorded]
    fed = next((found for step in reversed(steps) for found in _fed(step)), None)
    if fed is None:
        return None
    step, number, critic = fed
    made = _again(step, number)
    given = [rows for each in steps for rows in _given(each, critic)]
    if made is None or len(made) < 4:
        return None
    real = [rows for rows in given if rows.shape[1:] == made.shape[1:] and len(rows) >= 4]
    return (made, max(real, key=mean_distance)) if real else None


def _fed(step: RecordedStep) -> list[tuple[RecordedStep, int, Any]]:
    """(step, number of a call on values alone, module that its result goes into)."""
    found = []
    for call in step.steps:
        if not isinstance(call, Call) or not isinstance(call.function, Module):
            continue
        if not any(True for _ in call.function.parameters()):
            continue  # a loss
        for source in call.sources:
            if not isinstance(source, Result):
                continue
            before = step.steps[source.call]
            if not isinstance(before, Call) or before.function is call.function:
                continue
            if all(isinstance(s, Constant) for s in before.sources):
                found.append((step, source.call, call.function))
    return found


def _given(step: RecordedStep, critic: Any) -> list[Array]:
    """The values that a module was given in a step."""
    calls = [c for c in step.steps if isinstance(c, Call) and c.function is critic]
    return [s.value for c in calls for s in c.sources if isinstance(s, Constant)]


def _again(step: RecordedStep, number: int) -> Array | None:
    try:
        with no_grad():
            return as_array(step.result_of(number))
    except PellucidError:
        return None


def mean_distance(rows: Any, count: int = ROWS) -> float:
    """The mean Euclidean distance of two of up to 64 rows."""
    return float(_distances(rows, rows, count).sum() / max(1, _pairs(rows, count)))


def _pairs(rows: Any, count: int) -> int:
    number = min(count, len(rows))
    return number * (number - 1)


def _distances(a: Any, b: Any, count: int = ROWS) -> Array:
    first, second = (np.asarray(x, np.float64)[:count].reshape(min(count, len(x)), -1)
                     for x in (a, b))  # fmt: skip
    squares = np.square(first).sum(1)[:, None] + np.square(second).sum(1) - 2 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def covered(real: Array, made: Array) -> float:
    """The share of real rows near which something is made: nearer than three times what a real row
    is from the next one (recall, after Kynkäänniemi and others, 2019)."""
    apart = _distances(real, real)
    np.fill_diagonal(apart, np.inf)
    typical = float(np.median(apart.min(1)))
    return float((_distances(real, made).min(1) < 3 * typical).mean())
