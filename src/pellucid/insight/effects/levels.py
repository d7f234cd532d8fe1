"""Which columns have an order, which are alike, and an order for the values of a category."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.effects.columns import Columns

Floats = npt.NDArray[np.float64]


def is_ordered(columns: Columns, name: str) -> bool:
    """Whether the values of a column are numbers, so that there is a between."""
    return columns.is_number(name) and columns.values(name).dtype.kind in "biuf"


def ranks(values: npt.NDArray[Any]) -> Floats:
    """Ranks (rows,) from 0, ties share the mean of theirs; missing values the mean of all."""
    numbers = np.asarray(values, np.float64)
    present = np.isfinite(numbers)
    _, inverse, counts = np.unique(numbers[present], return_inverse=True, return_counts=True)
    found = np.full(len(numbers), (present.sum() - 1) / 2)
    found[present] = (np.cumsum(counts) - (counts + 1) / 2)[inverse]
    return found


Ranked = dict[tuple[str, str], Floats]
"""What is known already: (column, "ranks") and (column, "unit"), those of length 1 around 0."""


def _ranks_of(columns: Columns, name: str, known: Ranked) -> Floats:
    if (name, "ranks") not in known:
        known[name, "ranks"] = ranks(columns.values(name))
    return known[name, "ranks"]


def _unit_of(columns: Columns, name: str, known: Ranked) -> Floats:
    """Ranks as a direction: their mean taken away, of length 1 (zeros where all are equal)."""
    if (name, "unit") not in known:
        found = _ranks_of(columns, name, known)
        found = found - found.mean()
        size = float(np.sqrt(found @ found))
        known[name, "unit"] = found / size if size > 0 else found
    return known[name, "unit"]


def likeness(columns: Columns, first: str, second: str, known: Ranked | None = None) -> float:
    """How much one column says of the other, 0 … 1: |rank correlation| of numbers, the correlation
    ratio (the root of the share of rank variance between the groups) with a category."""
    known = {} if known is None else known
    ordered = [is_ordered(columns, name) for name in (first, second)]
    if not all(ordered):
        if not any(ordered):
            return _cramer(columns.values(first), columns.values(second))
        group, number = (second, first) if ordered[0] else (first, second)
        return _ratio(columns.values(group), _ranks_of(columns, number, known))
    a, b = (_unit_of(columns, name, known) for name in (first, second))
    return min(1.0, abs(float(a @ b)))


def strongest_likeness(
    columns: Columns, name: str, left_out: Set[str], known: Ranked | None = None
) -> tuple[str, float]:
    """The other column that says most of this one, and how much."""
    others = [other for other in columns.names if other not in left_out]
    known = {} if known is None else known
    found = [(likeness(columns, name, other, known), other) for other in others]
    strength, other = max(found, default=(0.0, ""))
    return other, strength


def _ratio(groups: npt.NDArray[Any], numbers: Floats) -> float:
    codes, count = _coded(groups)
    whole = float(((numbers - numbers.mean()) ** 2).sum())
    if whole == 0 or count < 2 or count > len(numbers) / 3:
        return 0.0
    sizes = np.bincount(codes, minlength=count)
    means = np.bincount(codes, numbers, count) / np.maximum(sizes, 1)
    return float(np.sqrt((sizes * (means - numbers.mean()) ** 2).sum() / whole))


def _cramer(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Cramér's V of two categories."""
    a, m = _coded(first)
    b, n = _coded(second)
    if min(m, n) < 2 or max(m, n) > len(a) / 3:
        return 0.0
    table = np.bincount(a * n + b, minlength=m * n).reshape(m, n).astype(np.float64)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(a)
    squares = float(((table - expected) ** 2 / expected).sum())
    return float(np.sqrt(squares / (len(a) * (min(m, n) - 1))))


def _coded(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], int]:
    texts = [str(v) for v in values.tolist()]
    known = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    return np.array([known[t] for t in texts], np.int64), len(known)


def levels_by_likeness(columns: Columns, name: str) -> npt.NDArray[Any]:
    """The values of a category in an order in which the rows of neighbours are alike.

    The distance of two values is the sum over the other columns of the mean difference of the
    distribution functions over ranks (numbers; Apley and Zhu take the largest, which is 1 for all
    that do not overlap) or half the sum of the differences of shares (categories); the order is
    that of the first coordinate of classical scaling.  (Apley and Zhu, 2020, appendix E.)
    """
    values = columns.values(name)
    present = sorted({v for v in values.tolist() if v is not None}, key=str)
    levels = np.empty(len(present), object)
    levels[:] = present
    if len(levels) < 3:
        return levels
    members = [np.flatnonzero([v == level for v in values.tolist()]) for level in present]
    distances = np.zeros((len(levels), len(levels)))
    for other in columns.names:
        if other != name:
            distances += _distances(columns, other, members)
    inner = -0.5 * distances**2
    inner = inner - inner.mean(axis=0) - inner.mean(axis=1)[:, None] + inner.mean()
    line = np.linalg.eigh(inner)[1][:, -1]
    line = line * (1 if line[0] <= line[-1] else -1)
    return np.asarray(levels[np.argsort(line, kind="stable")])


def _distances(columns: Columns, other: str, members: list[npt.NDArray[np.int64]]) -> Floats:
    if is_ordered(columns, other):
        found = ranks(columns.values(other))
        cuts = np.unique(found)
        shares = np.stack([(found[m][:, None] <= cuts).mean(axis=0) for m in members])
        return np.asarray(np.abs(shares[:, None] - shares).mean(axis=-1))
    codes, count = _coded(columns.values(other))
    shares = np.stack([np.bincount(codes[m], minlength=count) / len(m) for m in members])
    return np.asarray(np.abs(shares[:, None] - shares).sum(axis=-1) / 2)
