"""What values inside a network look like: weights and activations as numbers and histograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.data.json_checks import (
    json_error,
    json_integer,
    json_list,
    json_number,
    json_object,
)
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor

BINS = 40
SAMPLE_ROWS = 512
_OF = ("output", "parameter")
_STATISTICS = ("mean", "std", "min", "max", "zero_fraction", "nonfinite_fraction", "histogram")


@dataclass(frozen=True)
class Distribution:
    """Statistics of an array: ``counts`` (40,) of the values between ``low`` and ``high``, which
    are the extremes of the finite values; ``zero`` is the share of exact zeros and ``nonfinite``
    that of NaN and infinities."""

    mean: float
    deviation: float
    low: float
    high: float
    zero: float
    nonfinite: float
    counts: tuple[int, ...]

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> Distribution:
        """The statistics of an array of any shape."""
        values = np.asarray(array, np.float64).ravel()
        finite = values[np.isfinite(values)]
        if not len(finite):
            return cls(0.0, 0.0, 0.0, 0.0, 0.0, float(len(values) > 0), (0,) * BINS)
        low, high = float(finite.min()), float(finite.max())
        if high - low > 1e-12 * max(abs(low), abs(high)):
            counts = np.histogram(finite, BINS, (low, high))[0]
        else:
            counts = np.zeros(BINS, np.int64)
            counts[BINS // 2] = len(finite)
        return cls(
            mean=float(finite.mean()),
            deviation=float(finite.std()),
            low=low,
            high=high,
            zero=float((finite == 0).mean()),
            nonfinite=1 - len(finite) / len(values),
            counts=tuple(int(count) for count in counts),
        )

    @classmethod
    def from_record(cls, values: Mapping[str, Any]) -> Distribution:
        """From a record of ``model.observe`` with these statistics."""
        shape = values["histogram"]
        return cls(
            mean=float(values["mean"]),
            deviation=float(values["std"]),
            low=float(shape.low),
            high=float(shape.high),
            zero=float(values["zero_fraction"]),
            nonfinite=float(values["nonfinite_fraction"]),
            counts=tuple(int(count) for count in shape.counts),
        )

    @classmethod
    def from_json(cls, value: object) -> Distribution:
        """From ``to_json``'s values; ``RunFolderError`` for anything else."""
        names = tuple(item.name for item in fields(cls))
        given = json_object(value, "distribution", names)
        counts = json_list(given.pop("counts"), "counts", BINS)
        numbers = {name: json_number(number, name) for name, number in given.items()}
        return cls(**numbers, counts=tuple(json_integer(n, "counts", 0, 2**53) for n in counts))

    def to_json(self) -> dict[str, Any]:
        """The statistics as JSON values."""
        return {**asdict(self), "counts": list(self.counts)}


@dataclass(frozen=True)
class Observation:
    """Weights by parameter name and outputs by layer path, at one moment."""

    weights: Mapping[str, Distribution]
    outputs: Mapping[str, Distribution]

    @classmethod
    def from_json(cls, value: object) -> Observation:
        """From ``to_json``'s values; ``RunFolderError`` for anything else."""
        given = json_object(value, "distributions", ("weights", "outputs"))
        found = []
        for kind, listed in given.items():
            if not isinstance(listed, dict):
                raise json_error(kind, "an object", listed)
            found.append({n: Distribution.from_json(entry) for n, entry in listed.items()})
        return cls(**dict(zip(given, found, strict=True)))

    def to_json(self) -> dict[str, Any]:
        """The distributions as JSON values."""
        return {
            "weights": {name: d.to_json() for name, d in self.weights.items()},
            "outputs": {name: d.to_json() for name, d in self.outputs.items()},
        }


def observe(model: Module, features: npt.NDArray[Any]) -> Observation:
    """The distributions of all parameters, and of all layers' outputs on the first 512 rows of
    ``features`` in evaluation mode, read from the records of ``model.observe``."""
    with evaluation(model), no_grad():
        with model.observe(of=_OF, statistics=_STATISTICS, bins=BINS) as seen:
            model(as_tensor(np.ascontiguousarray(features[:SAMPLE_ROWS])))
        record = seen.latest()
    weights, outputs = (
        {name: Distribution.from_record(values) for name, values in record[kind].items()}
        for kind in ("parameter", "output")
    )
    return Observation(weights, outputs)
