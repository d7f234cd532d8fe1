"""Where a model errs more than elsewhere: groups of rows with bad figures, found automatically.

Rows are cut by every column (categories, quarters of numbers, missing values) and by pairs of
columns; a group is reported where its mean error is larger than that of all other rows beyond
chance.  The test is Welch's (1947), with the false discovery rate of all groups that were looked
at held at 5 % (Benjamini and Hochberg, 1995).  The idea of slicing is that of Chung, Kraska,
Polyzotis, Tae and Whang, "Slice Finder", 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.data.columns import Column, Table, number_text

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

DISCOVERY_RATE = 0.05
MIN_ROWS = 12
MOST_LEVELS = 12
"""A column with more categories is cut by its commonest ones."""
QUARTERS = 4
_PAIRS_OF = 12
"""Pairs are made of the groups of so many columns whose groups differ most."""


@dataclass(frozen=True)
class Segment:
    """A group of rows: ``conditions`` in words (``("sex = male", "age < 20")``), how many
    ``rows``, their mean ``error`` and that of all ``others``, the ``p`` value of the difference,
    and which rows (``mask``)."""

    conditions: tuple[str, ...]
    rows: int
    error: float
    others: float
    p: float
    mask: Mask

    def __str__(self) -> str:
        return f"{' and '.join(self.conditions)} ({self.rows} rows)"


def worst_segments(table: Table, errors: npt.ArrayLike, *, most: int = 8) -> list[Segment]:
    """The groups of rows in which a model errs most beyond chance, the worst first.

    ``errors`` (rows,) is a number for each row of ``table`` that grows with the error: 1 where the
    answer is wrong and 0 elsewhere, or the size of the error.  A group has at least 12 rows and
    leaves as many; one that says no more than a larger group that holds it is left out.  Raises
    ``ArgumentError`` where the number of errors is not that of the rows.

    >>> import numpy as np
    >>> from pellucid.data.columns import as_table
    >>> table = as_table({"kind": ["a", "b"] * 50, "size": np.arange(100.0)})
    >>> wrong = np.tile([1.0, 0.0], 50) * (np.arange(100) % 5 != 0)
    >>> [str(found) for found in worst_segments(table, wrong)]
    ['kind = a (50 rows)']
    """
    size = np.asarray(errors, np.float64)
    if size.shape != (len(table),):
        raise ArgumentError(
            f"worst_segments got {size.shape} errors for {len(table)} rows",
            "Give a number for each row of the table.",
        )
    if len(table) < 2 * MIN_ROWS or not np.isfinite(size).all() or np.ptp(size) == 0:
        return []
    single = [list(_groups(column)) for column in table.columns.values()]
    looked = [_segment(group, size) for groups in single for group in groups]
    looked += [_segment(group, size) for group in _pairs(single, size)]
    tested = [found for found in looked if found is not None]
    return _without_repeats(_discoveries(tested), size)[:most]


Group = tuple[tuple[str, ...], Mask]


def _groups(column: Column) -> Iterator[Group]:
    """The groups that a column makes."""
    missing = column.missing
    if MIN_ROWS <= int(missing.sum()) < len(column):
        yield (f"{column.name} is missing",), missing
    if column.kind == "text":
        counts = column.counts()
        for code in np.argsort(-counts, kind="stable")[:MOST_LEVELS].tolist():
            if counts[code]:
                mask = np.asarray(column.values == code)
                yield (f"{column.name} = {column.categories[code]}",), mask
        return
    present = column.values[~missing]
    levels = np.unique(present)
    if len(levels) <= 6:
        for level in levels.tolist():
            shown = _shown(column, level)
            yield (f"{column.name} = {shown}",), np.asarray(column.values == level)
        return
    cuts = np.unique(np.quantile(present, np.arange(1, QUARTERS) / QUARTERS, method="nearest"))
    ends = [-math.inf, *cuts.tolist(), math.inf]
    for low, high in zip(ends[:-1], ends[1:], strict=True):
        yield (
            (_range(column, low, high),),
            np.asarray((column.values >= low) & (column.values < high)),
        )


def _range(column: Column, low: float, high: float) -> str:
    if math.isinf(low):
        return f"{column.name} < {_shown(column, high)}"
    if math.isinf(high):
        return f"{column.name} ≥ {_shown(column, low)}"
    return f"{_shown(column, low)} ≤ {column.name} < {_shown(column, high)}"


def _shown(column: Column, value: float) -> str:
    if column.kind == "number":
        return number_text(float(f"{value:.6g}"))
    return str(Column(column.name, column.kind, np.array([value])).text(0))


def _pairs(single: list[list[Group]], errors: Floats) -> Iterator[Group]:
    """Groups of two conditions, of the columns whose groups differ most in their errors."""

    def differs(groups: list[Group]) -> float:
        means = [float(errors[mask].mean()) for _, mask in groups if mask.sum() >= MIN_ROWS]
        return max(means) - min(means) if len(means) > 1 else 0.0

    best = sorted(single, key=differs, reverse=True)[:_PAIRS_OF]
    for position, one in enumerate(best):
        for other in best[position + 1 :]:
            for conditions, mask in one:
                for further, second in other:
                    yield (*conditions, *further), mask & second


def _segment(group: Group, errors: Floats) -> Segment | None:
    """A group with its test; None where it, or what it leaves, is too small."""
    conditions, mask = group
    rows = int(mask.sum())
    if rows < MIN_ROWS or len(mask) - rows < MIN_ROWS:
        return None
    inside, outside = errors[mask], errors[~mask]
    error, others = float(inside.mean()), float(outside.mean())
    return Segment(conditions, rows, error, others, welch(inside, outside), mask)


def welch(first: Floats, second: Floats) -> float:
    """One-sided p value that the mean of ``first`` is not above that of ``second``; by the normal
    distribution, with half a row of the other kind added to each so that a group without a single
    error has a deviation too."""
    both = np.concatenate([first, second])
    prior = float(both.var())
    variance = sum(
        (float(part.var()) * len(part) + prior) / (len(part) + 1) / len(part)
        for part in (first, second)
    )
    if variance <= 0:
        return 1.0
    z = (float(first.mean()) - float(second.mean())) / math.sqrt(variance)
    return 0.5 * math.erfc(z / math.sqrt(2))


def _discoveries(tested: list[Segment]) -> list[Segment]:
    """Those beyond chance, by the procedure of Benjamini and Hochberg."""
    ordered = sorted(tested, key=lambda found: found.p)
    last = 0
    for place, found in enumerate(ordered, 1):
        if found.p <= DISCOVERY_RATE * place / len(ordered):
            last = place
    return ordered[:last]


def _without_repeats(found: list[Segment], errors: Floats) -> list[Segment]:
    """Largest total excess first; without groups of nearly the same rows, and without parts of a
    group that are no worse than it beyond chance."""
    kept: list[Segment] = []
    for one in sorted(found, key=lambda s: -(s.error - s.others) * math.sqrt(s.rows)):
        same = any(
            (one.mask & other.mask).sum() > 0.8 * (one.mask | other.mask).sum() for other in kept
        )
        explained = any(
            not (one.mask & ~other.mask).any()
            and welch(errors[one.mask], errors[other.mask & ~one.mask]) > DISCOVERY_RATE / 5
            for other in kept
            if other.rows > one.rows
        )
        if not same and not explained:
            kept.append(one)
    return kept
