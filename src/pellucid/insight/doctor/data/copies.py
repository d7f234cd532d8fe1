"""Copies of rows: equal ones, and those that differ by less than rows ever do by chance.

Equal rows are found by hashes.  In coarse tables (few values a column) rows are equal by chance;
how many are is read off the pairs that differ in one column only.  A nearly equal row is told by
its neighbours: around a row of its own the k nearest are spread as the dimension of the data says,
and one that is far nearer than that is a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.data.columns import Column, Table
from pellucid.insight.doctor.data.held_out import Codes, Floats, Numbers
from pellucid.insight.doctor.data.neighbours import dimension, nearest

NEIGHBOURS = 10
_CHANCE = 9e-4
"""At most so often a row without a copy is taken for one."""
_FALSE_SHARE = 0.02
_FEWEST = 3
_COLUMNS = 48


@dataclass(frozen=True, eq=False)
class Copies:
    """Pairs of rows: ``rows`` and the rows ``twins`` that they copy; ``exact`` says which are
    equal.  Of ``pairs`` equal pairs in all, coarse values explain ``chance``."""

    rows: Codes
    twins: Codes
    exact: npt.NDArray[np.bool_]
    pairs: float = 0.0
    chance: float = 0.0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_copying(self) -> bool:
        """Whether there are more than chance explains."""
        near = len(self.rows) > int(self.exact.sum())
        return near or self.pairs > 3 * self.chance + 3 * np.sqrt(self.chance)


NONE = Copies(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))


def row_hashes(table: Table) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A hash of every row (rows,), and what each column adds to it (columns, rows): equal cells add
    equal numbers, missing ones too."""
    random = np.random.default_rng(1)
    parts = np.empty((len(table.columns), len(table)), np.uint64)
    for number, column in enumerate(table.columns.values()):
        codes = _codes(column)
        keys = random.integers(1, 1 << 63, int(codes.max(initial=0)) + 1, np.uint64)
        parts[number] = keys[codes]
    return parts.sum(axis=0, dtype=np.uint64), parts


def _codes(column: Column) -> Codes:
    values = np.where(column.missing, np.inf, column.values) if column.kind != "text" else (
        column.values
    )  # fmt: skip
    return np.asarray(np.unique(values, return_inverse=True)[1].reshape(-1), np.int64)


def exact_copies(table: Table, part: npt.NDArray[np.int8]) -> Copies:
    """Rows that are equal in all columns: those of a later part with the first such row of an
    earlier one, or where nothing says parts, each with the first that it repeats."""
    hashes, parts = row_hashes(table)
    rows, twins = pairs_of(hashes, part)
    if not len(rows):
        return NONE
    counts = _pairs(hashes, part), _by_chance(table, hashes, parts, part)
    return Copies(rows, twins, np.ones(len(rows), np.bool_), *counts)


def _pairs(hashes: npt.NDArray[np.uint64], part: npt.NDArray[np.int8]) -> float:
    """How many pairs of rows have one hash: of different parts, where there are some."""
    codes = np.unique(hashes, return_inverse=True)[1].reshape(-1)
    total = np.bincount(codes).astype(np.float64)
    pairs = float((total * (total - 1)).sum()) / 2
    if not (part >= 0).any():
        return pairs
    for number in np.unique(part):
        own = np.bincount(codes[part == number]).astype(np.float64)
        pairs -= float((own * (own - 1)).sum()) / 2
    return pairs


def pairs_of(hashes: npt.NDArray[np.uint64], part: npt.NDArray[np.int8]) -> tuple[Codes, Codes]:
    """Rows with the hash of a row of an earlier part (of an earlier row, where all are -1), and
    that row."""
    order = np.lexsort((np.arange(len(hashes)), part, hashes))
    ordered = hashes[order]
    begins = np.append(True, ordered[1:] != ordered[:-1])
    first = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
    again = ~begins
    if (part >= 0).any():
        again &= part[order] != part[first]
    rows, twins = order[again], first[again]
    kept = np.argsort(rows, kind="stable")
    return rows[kept], twins[kept]


def _by_chance(
    table: Table,
    hashes: npt.NDArray[np.uint64],
    parts: npt.NDArray[np.uint64],
    part: npt.NDArray[np.int8],
) -> float:
    """How many equal pairs the coarseness of the values explains.

    Rows that are equal in all columns but one differ there by one step as often, to each side, as
    they differ by none, and share a lumped value as often as any two rows do; the column that
    explains most decides.
    """
    columns = list(table.columns.values())
    equal = _pairs(hashes, part)
    most = 0.0
    chosen = np.linspace(0, len(columns) - 1, min(len(columns), _COLUMNS)).astype(int)
    for number in np.unique(chosen):
        column = columns[number]
        rest = hashes - parts[number]
        share = float(np.square(np.bincount(_codes(column)) / max(len(column), 1)).sum())
        lumped = (_pairs(rest, part) - equal) * share / max(1 - share, 1e-6) if share < 1 else 0.0
        stepped = _one_step(column.values, rest, part) if column.kind == "number" else 0.0
        most = max(most, lumped, stepped)
    return most


def _one_step(values: Numbers, rest: npt.NDArray[np.uint64], part: npt.NDArray[np.int8]) -> float:
    """Half of the pairs that differ by one step of this column and in nothing else."""
    finite = np.isfinite(values)
    distinct = np.unique(values[finite])
    if len(distinct) < 2:
        return 0.0
    step = float(np.quantile(np.diff(distinct), 0.1))
    order = np.lexsort((values, rest))
    order = order[finite[order]]
    same = rest[order][1:] == rest[order][:-1]
    apart = values[order][1:] - values[order][:-1]
    near = same & (apart > 0) & (apart <= 1.5 * step)
    if (part >= 0).any():
        near &= part[order][1:] != part[order][:-1]
    return float(near.sum()) / 2


def near_copies(rows: Floats, part: npt.NDArray[np.int8]) -> Copies:
    """Rows (rows, columns) that are far nearer to one of an earlier part (to another row, where
    nothing says parts) than rows are by chance; equal ones are left out.

    Of k − 1 points in a ball of d dimensions the nearest is within the share r of the radius with
    a probability of about (k − 1)·r^d.
    """
    if len(rows) < 4 * NEIGHBOURS or rows.shape[1] < 2:
        return NONE
    found: list[tuple[Codes, Codes]] = []
    for asked, base in comparisons(part):
        own = asked is base
        if len(base) < 2 * NEIGHBOURS or not len(asked):
            continue
        distances, places = nearest(rows[asked], rows[base], NEIGHBOURS, own=own)
        found.append(_told(distances, places, asked, base, own))
    if not found:
        return NONE
    return Copies(
        np.concatenate([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found]),
        np.zeros(sum(len(pair[0]) for pair in found), np.bool_),
    )  # fmt: skip


def comparisons(part: npt.NDArray[np.int8]) -> list[tuple[Codes, Codes]]:
    """Which rows are looked for among which."""
    if not (part >= 0).any():
        every = np.arange(len(part))
        return [(every, every)]
    return [
        (np.flatnonzero(part == later), np.flatnonzero((part >= 0) & (part < later)))
        for later in (1, 2)
    ]


def _told(
    distances: Numbers, places: Codes, asked: Codes, base: Codes, own: bool
) -> tuple[Codes, Codes]:
    apart = distances > 1e-5 * max(float(np.median(distances[:, -1])), 1e-30)
    first = np.argmax(apart, axis=1)
    here = np.arange(len(distances))
    nearest_other = distances[here, first]
    clean = distances[apart[:, 0]]
    space = dimension(clean if len(clean) >= 20 else distances)
    ratios = np.where(apart.any(axis=1), nearest_other / np.maximum(distances[:, -1], 1e-30), 1.0)
    near = rare((distances.shape[1] - 1) * ratios**space)
    # One of two rows that are each other's copy is enough.
    rows, twins = asked[near], base[places[here, first][near]]
    if own:
        kept = (rows > twins) | ~np.isin(twins, rows)
        rows, twins = rows[kept], twins[kept]
    return (rows, twins) if len(rows) >= _FEWEST else (rows[:0], twins[:0])


def rare(chances: Numbers) -> npt.NDArray[np.bool_]:
    """Which probabilities are so small that at most one in fifty of those told is by chance
    (Benjamini and Hochberg, 1995)."""
    ordered = np.sort(chances)
    allowed = _FALSE_SHARE * np.arange(1, len(ordered) + 1) / len(ordered)
    below = np.flatnonzero(ordered <= allowed)
    limit = min(float(ordered[below[-1]]), _CHANCE) if len(below) else -1.0
    return np.asarray(chances <= limit)


def merged(*several: Copies) -> Copies:
    """All pairs, each row once, equal ones first."""
    rows = np.concatenate([c.rows for c in several])
    twins = np.concatenate([c.twins for c in several])
    exact = np.concatenate([c.exact for c in several])
    _, first = np.unique(rows, return_index=True)
    first.sort()
    pairs, chance = (max(getattr(c, n) for c in several) for n in ("pairs", "chance"))
    return Copies(rows[first], twins[first], exact[first], pairs, chance)
