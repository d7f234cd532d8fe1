"""What the validation rows say of a network when it is trained: how sure it may be of a class, and
how far off it may be.  It is kept with the network, and used wherever it predicts.

==========  ============================  =========================================================
task        probabilities                 what holds the truth of a new row in a share of cases
==========  ============================  =========================================================
binary      sigmoid(score / T)            a set of one or both classes
multiclass  softmax(scores / T)           a set of classes
multilabel  sigmoid(score / T) of each    for each label by itself a set of no, yes, or both
regression                                for each target by itself an interval, in its units
==========  ============================  =========================================================

T, the temperature, is one number for the network.  The rows that tell it have also told when to
stop, and, by their errors, tell how wide intervals are.  Strictly, the promise of conformal
prediction is for rows that decided nothing; two decisions among many rows cost it little, which the
tests measure.  The test rows decide nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.data.json_checks import json_error, json_list, json_number, json_object
from pellucid.data.tasks import Task
from pellucid.training.network import predictions_of
from pellucid.training.trust import (
    ConformalScores,
    Floats,
    checked_scores,
    fit_temperature,
    losses_by_temperature,
    mass_before,
    row_weights,
)

MOST_SCORES = 400
"""So many conformal scores of each output are kept, evenly spread: coverage to a quarter of a
percent, on the safe side."""
_MOST_NUMBERS = 100_000
_MOST_FITTED = 1_000_000


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is known from the validation rows; see the module.

    ``temperature`` divides the scores.  ``scores`` holds, for each target, each label, or all
    classes together, how far off the network was.
    """

    temperature: float
    scores: tuple[ConformalScores, ...]

    @property
    def widest(self) -> float:
        """The highest coverage that so few rows can promise."""
        rows = min(known.rows for known in self.scores)
        return rows / (rows + 1)

    def limits(self, coverage: float) -> Floats:
        """What a new row's score does not exceed in the share ``coverage`` of cases: (outputs,).

        ``ArgumentError`` for a coverage that is not between 0 and 1, or higher than the rows can
        promise.
        """
        if isinstance(coverage, bool) or not isinstance(coverage, int | float):
            raise ArgumentError(f"coverage={coverage!r}", "Give a number between 0 and 1.")
        if not 0 < coverage < 1:
            raise ArgumentError(f"coverage={coverage!r}", "Give a number between 0 and 1.")
        found = np.array([known.limit(coverage) for known in self.scores])
        if not np.isfinite(found).all():
            rows = min(known.rows for known in self.scores)
            highest = math.floor(self.widest * 1000) / 1000
            raise ArgumentError(
                f"{coverage:g} of new rows cannot be promised: only {rows:.0f} rows were held out "
                "when the network was trained",
                f"Give {highest:g} or less, or train on more rows.",
            )
        return found

    def intervals(self, predictions: Floats, coverage: float) -> tuple[Floats, Floats]:
        """(low, high) around ``predictions`` (rows, targets) of a regression, each like these."""
        radius = self.limits(coverage)
        return predictions - radius, predictions + radius

    def sets(self, task: Task, probabilities: Floats, coverage: float) -> npt.NDArray[np.bool_]:
        """Which classes hold the truth: bool (rows, classes); for several labels (rows, labels, 2),
        no and yes of each.  ``probabilities`` are calibrated ones, (rows, units)."""
        mass = mass_before(both_classes(task, probabilities))
        limits = self.limits(coverage)
        if task.kind == "multilabel":
            limits = limits[:, None]
        return np.asarray(mass <= limits + 1e-12)

    def to_json(self) -> dict[str, Any]:
        """The content of model.json."""
        return {
            "temperature": self.temperature,
            "scores": [
                {"values": s.values.tolist(), "shares": s.shares.tolist(), "rows": s.rows}
                for s in self.scores
            ],
        }

    @classmethod
    def from_json(cls, data: object) -> Calibration:
        """From ``to_json``'s values; ``RunFolderError`` for anything else."""
        fields = json_object(data, "calibration", ("temperature", "scores"))
        temperature = json_number(fields["temperature"], "temperature")
        if not temperature > 0:
            raise json_error("temperature", "a number above 0", temperature)
        listed = json_list(fields["scores"], "calibration scores")
        return cls(temperature, tuple(_scores_from_json(one) for one in listed))


def _scores_from_json(data: object) -> ConformalScores:
    where = "calibration scores"
    fields = json_object(data, where, ("values", "shares", "rows"))
    arrays = [
        np.array([json_number(v, where) for v in json_list(fields[name], where)])
        for name in ("values", "shares")
    ]
    rows = json_number(fields["rows"], where)
    ascending = all(bool((np.diff(a) >= 0).all()) for a in arrays)
    if not len(arrays[0]) or len(arrays[0]) != len(arrays[1]) or not ascending or rows < 1 - 1e-9:
        raise json_error(where, "ascending values with a share each, and rows", "others")
    return ConformalScores(arrays[0], arrays[1], rows)


def both_classes(task: Task, probabilities: Floats) -> Floats:
    """A probability for each class: (rows, classes), for several labels (rows, labels, 2)."""
    if task.kind == "binary":
        flat = probabilities.reshape(len(probabilities))
        return np.stack([1 - flat, flat], axis=1)
    if task.kind == "multilabel":
        return np.stack([1 - probabilities, probabilities], axis=-1)
    return probabilities


def calibrate(
    task: Task,
    scores: npt.NDArray[Any],
    targets: npt.NDArray[Any],
    scaler: Any = None,
    weights: npt.NDArray[np.float64] | None = None,
) -> Calibration | None:
    """What rows that the network was not trained on say of it; None for none, and for scores that
    are not finite.

    ``scores`` (rows, units) of the output layer, ``targets`` as ``Part.raw_targets``, ``scaler`` of
    a regression, ``weights`` (rows,).  The temperature is 1 unless another one lowers the loss of
    these rows beyond chance; a few right rows never ask for certainty (see ``fit_temperature``).
    """
    if not len(scores) or not np.isfinite(scores).all():
        return None
    w = row_weights(weights, len(scores))
    temperature = 1.0 if task.kind == "regression" else _temperature(task, scores, targets, w)
    found = predictions_of(task, scores, scaler, temperature)
    most = min(MOST_SCORES, max(20, _MOST_NUMBERS // max(1, task.output_units)))
    columns = _deviations(task, found, targets)
    return Calibration(temperature, tuple(ConformalScores.of(c, w, most) for c in columns))


def _temperature(task: Task, scores: npt.NDArray[Any], targets: Any, weights: Floats) -> float:
    """The temperature that lowers the loss of the rows; 1 where none does by more than one standard
    error of the gain (the rule of Breiman and others, "Classification and Regression Trees", 1984:
    the simpler model unless the other is better beyond chance)."""
    step = max(1, scores.size // _MOST_FITTED)
    s, wanted, w = (
        np.asarray(scores[::step], np.float64),
        np.asarray(targets)[::step],
        weights[::step],
    )
    if task.kind == "multilabel":
        wanted = (wanted.reshape(s.shape) > 0.5).reshape(-1)
        w = np.repeat(w, s.shape[1])
        s = s.reshape(-1)
    s, wanted = checked_scores(s, wanted)
    effective = float(w.sum() ** 2 / np.square(w).sum())
    found = fit_temperature(s, wanted, w, smoothing=2 / (effective + 2))
    losses = losses_by_temperature(s, wanted)
    gains, shares = losses(1.0) - losses(found), w / w.sum()
    gain = float(gains @ shares)
    error = math.sqrt(float(np.square(gains - gain) @ shares) / effective)
    return found if gain > error else 1.0


def _deviations(task: Task, predictions: Floats, targets: Any) -> list[Floats]:
    """The conformal scores of rows, by output."""
    if task.kind == "regression":
        wanted = np.asarray(targets, np.float64).reshape(predictions.shape)
        return list(np.abs(wanted - predictions).T)
    mass = mass_before(both_classes(task, predictions))
    numbers = np.asarray(targets).reshape(mass.shape[:-1])
    numbers = (numbers > 0.5 if task.kind == "multilabel" else numbers).astype(np.int64)
    own = np.take_along_axis(mass, numbers[..., None], axis=-1)[..., 0]
    return list(own.T) if task.kind == "multilabel" else [own]
