"""How far a figure may be off because it rests on a sample: quantiles of Student's t, intervals of
means and of curves."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError

Floats = npt.NDArray[np.float64]

_LARGE = 400
"""With more degrees of freedom an expansion around the normal quantile is exact to 1e-7."""


@functools.cache
def t_quantile(level: float, freedom: int) -> float:
    """The t for which Student's distribution with ``freedom`` degrees has ``level`` of its mass
    between -t and t; infinite for 0 degrees.

    The distribution function of whole degrees of freedom is a finite sum (Abramowitz and Stegun,
    1964, 26.7.3 and 26.7.4), which is inverted by halving.
    """
    checked_level(level)
    if freedom < 1:
        return math.inf
    if freedom > _LARGE:
        z = NormalDist().inv_cdf((1 + level) / 2)
        return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    low, high = 0.0, math.pi / 2  # the angle whose tangent is t / sqrt(freedom)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _mass_within(middle, freedom) < level else (low, middle)
    return math.tan((low + high) / 2) * math.sqrt(freedom)


def _mass_within(angle: float, freedom: int) -> float:
    """The mass of Student's distribution between -t and t, t = √freedom · tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2 == 1
    term, total = (cosine, cosine) if odd else (1.0, 1.0)
    if freedom == 1:
        return 2 * angle / math.pi
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= (k - 1) / k * cosine * cosine
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def checked_level(level: float) -> float:
    """The level, if it is one."""
    if not 0 < level < 1:
        raise ArgumentError(f"level={level!r}", "Use a level between 0 and 1, such as 0.95.")
    return level


def standard_error(samples: npt.ArrayLike, axis: int = 0) -> Floats:
    """The standard error of the mean of independent samples: s / √n with s² = Σ(x − x̄)² / (n − 1);
    infinite for a single sample."""
    x = np.asarray(samples, np.float64)
    count = x.shape[axis]
    if count < 2:
        return np.full(np.delete(x.shape, axis), np.inf)
    return np.asarray(x.std(axis=axis, ddof=1) / math.sqrt(count))


@dataclass(frozen=True, eq=False)
class Interval:
    """Ends between which a figure lies with a chance of ``level``; arrays of one shape."""

    low: Floats
    high: Floats
    level: float

    @classmethod
    def of_mean(cls, samples: npt.ArrayLike, axis: int = 0, level: float = 0.95) -> Interval:
        """The interval of the mean of independent samples, by Student's t; of one sample it is
        everything."""
        x = np.asarray(samples, np.float64)
        error = t_quantile(level, x.shape[axis] - 1) * standard_error(x, axis)
        mean = x.mean(axis=axis)
        return cls(np.asarray(mean - error), np.asarray(mean + error), level)

    @classmethod
    def around(cls, middle: Floats, error: Floats, level: float = 0.95) -> Interval:
        """The normal interval of figures with these standard errors."""
        radius = NormalDist().inv_cdf((1 + checked_level(level)) / 2) * error
        return cls(np.asarray(middle - radius), np.asarray(middle + radius), level)

    @classmethod
    def of_draws(cls, draws: npt.ArrayLike, axis: int = 0, level: float = 0.95) -> Interval:
        """The interval between quantiles of drawn figures (percentile bootstrap: Efron and
        Tibshirani, 1993, chapter 13)."""
        ends = [(1 - checked_level(level)) / 2, (1 + level) / 2]
        low, high = np.quantile(np.asarray(draws, np.float64), ends, axis=axis)
        return cls(np.asarray(low), np.asarray(high), level)

    @property
    def radius(self) -> Floats:
        """Half of the width."""
        return np.asarray((self.high - self.low) / 2)

    def __getitem__(self, place: Any) -> Interval:
        return Interval(np.asarray(self.low[place]), np.asarray(self.high[place]), self.level)


def resampled_weights(rows: int, draws: int, seed: int) -> Floats:
    """How often each row is in samples of as many rows, drawn with replacement: float64 (draws,
    rows)."""
    random = np.random.default_rng(seed)
    found = np.empty((draws, rows))
    together = max(1, (1 << 20) // rows)
    for start in range(0, draws, together):
        count = min(together, draws - start)
        chosen = random.integers(rows, size=(count, rows))
        chosen += np.arange(0, count * rows, rows)[:, None]
        counted = np.bincount(chosen.reshape(-1), minlength=count * rows)
        found[start : start + count] = counted.reshape(count, rows)
    return found
