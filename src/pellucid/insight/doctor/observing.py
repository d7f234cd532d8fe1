"""Statistics of the layers of a step that is looked at, taken by NumPy while it runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.nn.observing import observe as attach
from pellucid.tensor.core import TensorCore
from pellucid.tensor.observe import Column, Observation
from pellucid.tensor.state import state
from pellucid.transforms.observe import SATURATION_MARGIN

STATISTICS = (
    "mean",
    "std",
    "norm",
    "zero_fraction",
    "saturated_fraction",
    "nonfinite_fraction",
)
"""What is taken of outputs, gradients and parameters."""
PIECE = 1 << 13
"""Elements that are looked at together: few enough that a library of matrix products sums their
squares on this thread, without waiting for others."""
KINDS = ("output", "gradient", "parameter", "parameter_gradient")


class Glance(Observation):
    """An observation for few steps outside of programs: its statistics, the same as those of
    ``model.observe``, are computed at once on arrays, without an operation for each."""

    def see(
        self,
        kind: str,
        name: str,
        value: Any,
        training: bool,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        """Record the statistics of a tensor."""
        if state.trace is not None or self._open is None or not value.dtype.is_floating_point:
            return
        array = value._cell.array
        if array is None or not array.size:
            return
        name = self._unused(kind, name)
        for measure, number in numbers_of(array, bounds).items():
            self._open[Column(kind, name, measure, 1)] = np.array([number])


def numbers_of(array: np.ndarray, bounds: tuple[float, float] | None = None) -> dict[str, float]:
    """The statistics of an array of floats; ``saturated_fraction`` where its bounds are known."""
    flat, count = array.reshape(-1), array.size
    with np.errstate(all="ignore"):
        mean, square, apart = _moments(flat)
        is_finite = bool(np.isfinite(square))
        wrong = 0 if is_finite else count - np.count_nonzero(np.isfinite(flat))
        found = {
            "mean": mean,
            "std": float(np.sqrt(apart / count)),
            "norm": float(np.sqrt(square)),
            "zero_fraction": 1.0 - np.count_nonzero(flat) / count,
            "nonfinite_fraction": wrong / count,
        }
        if bounds is not None:
            low, high = bounds
            margin = SATURATION_MARGIN * (high - low)
            near = (flat <= low + margin) | (flat >= high - margin)
            found["saturated_fraction"] = np.count_nonzero(near) / count
    return found


def _moments(flat: np.ndarray) -> tuple[float, float, float]:
    """Mean, Σx² and Σ(x − mean)², in float64; piece by piece, so that each stays in the cache
    (Chan, Golub and LeVeque, 1983)."""
    mean = square = apart = 0.0
    done = 0
    for start in range(0, flat.size, PIECE):
        piece = flat[start : start + PIECE].astype(np.float64)
        count, own = piece.size, float(piece.sum()) / piece.size
        square += float(piece @ piece)
        piece -= own
        between = own - mean
        apart += float(piece @ piece) + between * between * done * count / (done + count)
        done += count
        mean += between * count / done
    return mean, square, apart


def norm_of(array: np.ndarray) -> float:
    """√(Σx²) in float64."""
    flat = array.reshape(-1)
    with np.errstate(all="ignore"):
        pieces = (flat[k : k + PIECE].astype(np.float64) for k in range(0, flat.size, PIECE))
        return float(np.sqrt(sum(float(piece @ piece) for piece in pieces)))


def glance(model: Any) -> Glance:
    """Observe all layers and parameters of a model until ``remove()``."""
    made = Glance(KINDS, STATISTICS, 1, 16, 2)
    attach(model, "*", made)
    return made


def newest_record(seen: Observation) -> dict[str, Any]:
    """The newest record that has gradients, or the newest at all; empty without any."""
    records = seen.records
    with_gradient = [record for record in records if record.get("parameter_gradient")]
    return dict((with_gradient or records or [{}])[-1])


def parameter_statistics(parameters: list[Any], names: dict[int, str]) -> dict[str, Any]:
    """A record of parameters and their gradients alone, for programs without modules."""
    record: dict[str, Any] = {"step": 0, "training": True, "parameter": {}}
    record["parameter_gradient"] = {}
    for number, parameter in enumerate(parameters):
        name = names.get(id(parameter), f"parameter {number}")
        record["parameter"][name] = numbers_of(parameter._cell.array)
        if isinstance(parameter._grad, TensorCore):
            record["parameter_gradient"][name] = numbers_of(parameter._grad.array())
    return record
