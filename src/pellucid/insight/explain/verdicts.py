"""What is said of an explanation: tests, and a verdict made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ShapeError

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

Z = 1.959963984540054
"""The normal distribution's 97.5 % point: intervals are ± Z standard errors, 95 %."""


@dataclass(frozen=True)
class Check:
    """One test of an explanation: what was measured, from where on it is good, in words.

    ``passed`` is None for a figure that is told and decides nothing.  ``faithful`` marks tests of
    the values against the model itself, of which a verdict to trust needs at least one.
    """

    name: str
    passed: bool | None
    value: float
    limit: float
    text: str
    faithful: bool = False


class Verdict(str):
    """A sentence: trust or do not trust, and why.

    ``trusted`` says which; ``reasons`` are its parts.
    """

    trusted: bool
    reasons: tuple[str, ...]

    def __new__(cls, trusted: bool, reasons: Sequence[str]) -> Verdict:
        """The sentence made of the reasons."""
        said = super().__new__(
            cls, f"{'Trust' if trusted else 'Do not trust'}, because {'; '.join(reasons)}."
        )
        said.trusted, said.reasons = trusted, tuple(reasons)
        return said


class Explained(Protocol):
    """What tests and pictures need of an explanation."""

    values: tuple[Array, ...]
    inputs: tuple[Array, ...] | None
    baseline: Any
    kind: str
    forward: Any
    again: Any
    standard_error: tuple[Array, ...] | None
    varies: frozenset[str]
    seeds: tuple[int, ...]
    checks: dict[str, Check]

    def strongest(self, row: int = 0, count: int = 10) -> list[tuple[str, float, float | None]]:
        """The largest values of a row: (name, value, standard error or None), by size."""


def ranks(values: Array) -> Floats:
    """Ranks from 0 of a vector's elements, ties sharing the mean of theirs; float64."""
    flat = np.asarray(values, np.float64).reshape(-1)
    order = np.argsort(flat, kind="stable")
    found = np.empty(len(flat))
    found[order] = np.arange(len(flat))
    _, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, found)
    return np.asarray((sums / counts)[inverse])


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's correlation of two vectors; 0 where one of them is constant."""
    if np.size(a) != np.size(b):
        raise ShapeError(
            f"rank_correlation got {np.size(a)} and {np.size(b)} values", "give as many"
        )
    x, y = ranks(a), ranks(b)
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else 0.0
