"""Observation: statistics of a value as operations of the same graph.

What is watched becomes further outputs of the program, made of ordinary operations, which the
compiler fuses with the loops that read the value anyway; a program without observation is not
touched.  The same functions work on tensors outside of a program.

A value is reduced in two stages: one number for each row (its trailing axes), in the value's own
dtype, then those numbers in float64.  Deviations are taken from the row's own mean and combined
with the means' spread (Chan, Golub and LeVeque, 1983), so a mean that is large against the
deviation costs no digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.base.dtypes import float64
from pellucid.base.errors import ArgumentError
from pellucid.ops import elementwise, structure
from pellucid.ops.registry import Value, scalar

STATISTICS = (
    "mean",
    "std",
    "min",
    "max",
    "norm",
    "zero_fraction",
    "saturated_fraction",
    "nonfinite_fraction",
    "histogram",
    "slice",
)
"""The statistics by name."""

DEFAULT_STATISTICS = STATISTICS[:8]
"""Those that cost one pass over the values."""
DEFAULT_BINS = 32
SLICE_LENGTH = 8
"""So many elements, the first in C order, are what ``slice`` shows."""
SATURATION_MARGIN = 0.01
"""A value this share of the range away from a bound counts as saturated."""
SHORTEST_ROW = 32
"""Rows are made of as many trailing axes as it takes to have this many elements."""


@dataclass(frozen=True)
class Histogram:
    """``counts`` (bins,) of the finite values in equal bins from ``low`` to ``high``, the
    extremes of the finite values; the highest value belongs to the last bin."""

    low: float
    high: float
    counts: npt.NDArray[np.int64]

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """The (bins + 1,) borders of the bins."""
        return np.linspace(self.low, self.high, len(self.counts) + 1)


def check_statistics(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repetitions; raises :class:`ArgumentError` for an unknown one."""
    for name in names:
        if name not in STATISTICS:
            raise ArgumentError(
                f"there is no statistic {name!r}", f"choose from {', '.join(STATISTICS)}"
            )
    return tuple(dict.fromkeys(names))


# ---- reductions in two stages ------------------------------------------------------------------


def row_axes(shape: Sequence[int]) -> tuple[int, ...]:
    """The trailing axes that form a row: at least :data:`SHORTEST_ROW` elements, or all axes."""
    count, first = 1, len(shape)
    while first > 0 and count < SHORTEST_ROW:
        first -= 1
        count *= shape[first]
    return tuple(range(first, len(shape))) if count >= SHORTEST_ROW else tuple(range(len(shape)))


class _Rows:
    """A value cut into rows, and its reductions: per row first, then over the rows."""

    def __init__(self, x: Value) -> None:
        self.x = x
        self.axes = row_axes(x.shape)
        self.length = math.prod(x.shape[a] for a in self.axes)
        self.size = math.prod(x.shape)

    def total(self, x: Value) -> Value:
        """Sum of a value of x's shape: float64[]."""
        return structure.sum(elementwise.cast(structure.sum(x, self.axes), float64))

    def count(self, condition: Value) -> Value:
        """Share of the elements for which a condition holds: float64[]."""
        ones = elementwise.where(condition, scalar(self.x, 1), scalar(self.x, 0))
        return elementwise.mul(self.total(ones), _number(self.x, 1 / self.size))

    def extreme(self, reduction: Callable[..., Value], x: Value) -> Value:
        """Largest or smallest element, NaN if there is one: the dtype of x, []."""
        return reduction(reduction(x, self.axes))

    def deviation(self) -> Value:
        """√(Σ(x − mean)² / n): float64[]."""
        sums = structure.sum(self.x, self.axes, keepdims=True)
        center = elementwise.mul(sums, scalar(self.x, 1 / self.length))
        offset = elementwise.sub(self.x, center)
        within = self.total(elementwise.mul(offset, offset))
        means = elementwise.mul(elementwise.cast(sums, float64), _number(self.x, 1 / self.length))
        rows = self.size // self.length
        mean = elementwise.mul(structure.sum(means), _number(self.x, 1 / rows))
        apart = elementwise.sub(means, mean)
        between = structure.sum(elementwise.mul(apart, apart))
        weighted = elementwise.mul(between, _number(self.x, self.length))
        variance = elementwise.mul(
            elementwise.add(within, weighted), _number(self.x, 1 / self.size)
        )
        return elementwise.sqrt(variance)


def _number(like: Value, number: float) -> Value:
    return scalar(like, number, float64)


def _is_finite(x: Value) -> Value:
    return elementwise.lt(elementwise.abs(x), scalar(x, math.inf))


# ---- the statistics ----------------------------------------------------------------------------


def measures(
    x: Value,
    statistics: Sequence[str],
    bounds: tuple[float, float] | None = None,
    bins: int = DEFAULT_BINS,
) -> dict[str, Value]:
    """What a program computes for the statistics of ``x``: name → float64 value.

    ``x`` is a float value of any shape with at least one element; ``bounds`` the range of the
    function that made it, without which ``saturated_fraction`` is left out.  Results are numbers
    (shape []), but for ``slice`` (up to 8,) and ``histogram``, which takes four of them
    (``histogram_…``).  :func:`statistics_from` makes the statistics of their values:

    - ``mean`` = Σx/n, ``std`` = √(Σ(x − mean)²/n), ``min``, ``max``, ``norm`` = √(Σx²): NaN and
      infinity in x show in all of them, as in NumPy
    - ``zero_fraction``: x = 0; ``nonfinite_fraction``: x is NaN or ±∞
    - ``saturated_fraction``: x lies within 1 % of the range of one of the bounds
    - ``histogram``: equal bins between the extremes of the finite values
    - ``slice``: the first elements in C order
    """
    rows = _Rows(x)
    result: dict[str, Value] = {}
    for name in check_statistics(statistics):
        if name == "saturated_fraction":
            if bounds is not None:
                result[name] = rows.count(_near(x, bounds))
        elif name == "histogram":
            result.update(_histogram(rows, bins))
        elif name == "slice":
            result[name] = _slice(x)
        else:
            result[name] = _SIMPLE[name](rows)
    return {name: elementwise.cast(value, float64) for name, value in result.items()}


_SIMPLE: dict[str, Callable[[_Rows], Value]] = {
    "mean": lambda r: elementwise.mul(r.total(r.x), _number(r.x, 1 / r.size)),
    "std": lambda r: r.deviation(),
    "min": lambda r: r.extreme(structure.min_, r.x),
    "max": lambda r: r.extreme(structure.max_, r.x),
    "norm": lambda r: elementwise.sqrt(r.total(elementwise.mul(r.x, r.x))),
    "zero_fraction": lambda r: r.count(elementwise.eq(r.x, scalar(r.x, 0))),
    "nonfinite_fraction": lambda r: r.count(elementwise.logical_not_(_is_finite(r.x))),
}


def _near(x: Value, bounds: tuple[float, float]) -> Value:
    low, high = bounds
    margin = SATURATION_MARGIN * (high - low)
    below = elementwise.le(x, scalar(x, low + margin))
    return elementwise.logical_or_(below, elementwise.ge(x, scalar(x, high - margin)))


def _slice(x: Value) -> Value:
    """The first elements; each stage cuts an axis, so that the whole is never laid out flat."""
    length = min(SLICE_LENGTH, math.prod(x.shape))
    stop, tail = list(x.shape), 1
    for axis in reversed(range(len(x.shape))):
        stop[axis] = min(x.shape[axis], -(-length // tail))
        tail *= x.shape[axis]
    part = structure.slice_(x, [0] * len(stop), stop, [1] * len(stop))
    flat = structure.reshape(part, (math.prod(stop),))
    return structure.slice_(flat, [0], [length], [1])


def _histogram(rows: _Rows, bins: int) -> dict[str, Value]:
    """Extremes and number of the finite values, and how many lie at or above each inner edge."""
    x = rows.x
    finite = _is_finite(x)
    low = rows.extreme(structure.min_, elementwise.where(finite, x, scalar(x, math.inf)))
    high = rows.extreme(structure.max_, elementwise.where(finite, x, scalar(x, -math.inf)))
    shares = x.lift((np.arange(1, bins) / bins).astype(x.dtype.numpy))
    edges = elementwise.add(low, elementwise.mul(elementwise.sub(high, low), shares))
    standing = structure.reshape(edges, (bins - 1, *(1,) * len(x.shape)))
    # What is not finite is counted as the lowest value, which lies below every inner edge.
    counted = elementwise.ge(elementwise.where(finite, x, low), standing)
    above = structure.sum(counted, tuple(range(1, len(x.shape) + 1)))
    return {
        "histogram_low": low,
        "histogram_high": high,
        "histogram_finite": elementwise.mul(rows.count(finite), _number(x, rows.size)),
        "histogram_above": above,
    }


def statistics_from(values: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, object]:
    """The statistics from the values of :func:`measures`: floats, an array for ``slice``
    (up to 8,), a :class:`Histogram`."""
    result: dict[str, object] = {}
    for name, value in values.items():
        if name == "histogram_low":
            result["histogram"] = _read_histogram(values)
        elif name == "slice":
            result[name] = np.array(value)
        elif not name.startswith("histogram_"):
            result[name] = float(value.item())
    return result


def _read_histogram(values: Mapping[str, npt.NDArray[np.float64]]) -> Histogram:
    low, high = float(values["histogram_low"].item()), float(values["histogram_high"].item())
    finite = round(values["histogram_finite"].item())
    above = np.rint(values["histogram_above"]).astype(np.int64).reshape(-1)
    if not finite:
        return Histogram(0.0, 0.0, np.zeros(len(above) + 1, np.int64))
    counts = -np.diff(np.concatenate([[finite], above, [0]]))
    if low == high:  # every edge is the one value: it belongs in the middle
        counts[:] = 0
        counts[len(counts) // 2] = finite
    return Histogram(low, high, counts.astype(np.int64))
