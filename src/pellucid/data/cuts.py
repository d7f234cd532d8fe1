"""How the rows of a table are cut into training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Column, Rows, Table
from pellucid.data.splits import (
    DEFAULT_FRACTIONS,
    check_fractions,
    group_folds,
    kfold,
    order_folds,
    split_groups,
    split_in_order,
    split_indices,
)
from pellucid.data.tasks import Task, distinct_values

# Where the data bring their own test rows, this share of the others is for validation.
VALIDATION_SHARE = 1 / 12
PART_NAMES = (
    ("train", "training", "tr", "fit", "训练", "训练集"),
    ("validation", "valid", "val", "dev", "development", "验证", "验证集"),
    ("test", "testing", "te", "holdout", "held-out", "eval", "evaluation", "测试", "测试集"),
)
"""Words for the three parts, in small letters."""
FREE, UNUSED = -1, 3
"""Of a row that no part is fixed for, and of one that is in no part."""

Fixed = npt.NDArray[np.int8]


def part_named(text: str) -> int:
    """The number of the part that a text names, -1 where it names none."""
    lower = text.strip().lower()
    return next((part for part, words in enumerate(PART_NAMES) if lower in words), FREE)


@dataclass(frozen=True)
class Cut:
    """How the rows are cut into parts.

    ``group``, ``time`` and ``in_order`` say which rows go together; ``split`` names a column that
    says the part of each row.  ``fold`` (i, k) makes the i-th of k parts (from 1) the test part.
    """

    group: str | None = None
    time: str | None = None
    in_order: bool = False
    fractions: Sequence[float] | None = None
    seed: int = 0
    split: str | None = None
    fold: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        asked = {
            "group": self.group,
            "time": self.time,
            "in_order": self.in_order or None,
            "split": self.split,
        }
        given = [Setting(name, value) for name, value in asked.items() if value is not None]
        if len(given) > 1:
            raise ArgumentError(
                phrase(given[0], " and ", given[1], " both say how to cut the rows"),
                "Choose one of them.",
            )
        if self.split and self.fold:
            raise ArgumentError(
                phrase(given[0], " says the test rows, and folds make all rows test rows in turn"),
                "Choose one of them.",
            )

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of the three parts."""
        asked = DEFAULT_FRACTIONS if self.fractions is None else self.fractions
        return tuple(check_fractions(asked).tolist())

    @property
    def at_random(self) -> bool:
        """Whether neither groups nor order say which rows go together."""
        return not (self.group or self.time or self.in_order or self.split)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are no features because the rows are cut by them."""
        return tuple(name for name in (self.group, self.split) if name)

    def refuse_for(self, name: str) -> None:
        """``ArgumentError`` for images, which have no columns."""
        if not self.at_random:
            raise ArgumentError(
                f"{name} holds images, which have no column to cut the rows by",
                phrase(
                    "Leave out ",
                    Setting("group"),
                    ", ",
                    Setting("time"),
                    ", ",
                    Setting("split"),
                    " and ",
                    Setting("in_order"),
                    ".",
                ),
            )

    def parts(
        self,
        table: Table,
        values: npt.NDArray[Any],
        task: Task,
        notes: list[str],
        fixed: Fixed | None = None,
    ) -> tuple[Rows, Rows, Rows]:
        """Rows of training, validation and test.

        ``fixed`` (rows,) holds the part of rows that the data say themselves, -1 for others and 3
        for rows of no part.  What is not fixed is dealt out; without a test part of the data's own
        by ``fractions``, else a share of the rows that are no test rows is for validation.
        """
        if fixed is None:
            fixed = np.full(len(table), FREE, np.int8)
        if self.split is not None:
            fixed = parts_of_column(table[self.split], table, notes)
        if self.fold is not None:
            fixed = self._fold(table, values, task, fixed, notes)
        own = [np.flatnonzero(fixed == part) for part in range(3)]
        shares = self.free_shares(own)
        free = np.flatnonzero((fixed == FREE) | (fixed == 0))
        if not free.size:
            raise DataError("No row is for training", "Let the rows name a training part.")
        dealt = self._deal(table.take(free), values[free], task, notes, shares)
        found = [free[rows] for rows in dealt]
        return found[0], own[1] if own[1].size else found[1], own[2] if own[2].size else found[2]

    def free_shares(self, own: list[Rows]) -> tuple[float, ...]:
        """The shares by which rows that are not fixed are dealt out."""
        train, validation, test = self.shares
        if own[1].size and own[2].size:
            return 1.0, 0.0, 0.0
        if own[2].size:
            share = validation / (train + validation)
            share = VALIDATION_SHARE if self.fractions is None else share
            return 1 - share, share, 0.0
        if own[1].size:
            return train / (train + test), 0.0, test / (train + test)
        return self.shares

    def _deal(
        self,
        table: Table,
        values: npt.NDArray[Any],
        task: Task,
        notes: list[str],
        shares: tuple[float, ...],
    ) -> tuple[Rows, Rows, Rows]:
        """The rows of a table in three parts of these shares."""
        if self.group is not None:
            codes = self._groups(table, notes)
            parts = split_groups(codes, shares, self.seed)
            counts = " / ".join(str(np.unique(codes[part]).size) for part in parts)
            notes.append(
                f"Rows of one {self.group!r} stay in one part: groups in training / validation / "
                f"test {counts}. The column is no feature."
            )
            return parts
        if self.time is not None or self.in_order:
            return split_in_order(self._order(table, notes), shares)
        stratify = values if task.kind in ("binary", "multiclass") else None
        return split_indices(len(table), shares, self.seed, stratify)

    def _groups(self, table: Table, notes: list[str]) -> npt.NDArray[np.int64]:
        column = table[self.group or ""]
        if empty := int(column.missing.sum()):
            notes.append(f"{empty:,} rows have no {self.group!r}: they are one group.")
        return distinct_values(column)[1]

    def _order(self, table: Table, notes: list[str]) -> npt.NDArray[np.float64]:
        """A number for each row by which the rows are ordered."""
        if self.time is None:
            notes.append("In the order of the file: validation and test are the last rows.")
            return np.arange(len(table), dtype=np.float64)
        notes.append(f"Ordered by {self.time!r}: validation and test are the last rows.")
        return self.times(table[self.time])

    def times(self, column: Column) -> npt.NDArray[np.float64]:
        """The entries of a column of times as numbers; ``DataError`` for text."""
        if column.kind == "text":
            raise DataError(
                f"Column {self.time!r} holds text, which has no order in time ({column.text(0)!r})",
                phrase(
                    "Choose a column of dates or numbers, or give its format with ",
                    Setting("date_formats", {self.time: "%d/%m/%Y"}),
                    ".",
                ),
            )
        return np.asarray(column.values, np.float64)

    def _fold(
        self,
        table: Table,
        values: npt.NDArray[Any],
        task: Task,
        fixed: Fixed,
        notes: list[str],
    ) -> Fixed:
        """The parts when the i-th of k parts of the rows is the test part.

        Rows in an order are cut into k + 1 blocks; the test block of a fold is the one after all
        that it trains on, and later rows are not used.
        """
        number, count = self.fold or (1, 1)
        if not 1 <= number <= count:
            raise ArgumentError(f"fold {number} of {count}", "Folds count from 1.")
        if bool((fixed != FREE).any()):
            raise ArgumentError(
                "The data say themselves which rows are for test", "Leave the folds out."
            )
        if self.group is not None:
            fold = group_folds(self._groups(table, []), count, self.seed)
        elif self.time is not None or self.in_order:
            fold = order_folds(self._order(table, []), count)
            late = np.where(fold > number, UNUSED, FREE)
            return np.where(fold == number, 2, late).astype(np.int8)
        else:
            stratify = values if task.kind in ("binary", "multiclass") else None
            tested = [part for _, part in kfold(len(table), count, self.seed, stratify)]
            fold = np.empty(len(table), np.int64)
            for place, rows in enumerate(tested):
                fold[rows] = place
        return np.where(fold == number - 1, 2, FREE).astype(np.int8)


def parts_of_column(column: Column, table: Table, notes: list[str]) -> Fixed:
    """The part that a column says of each row: in words; a truth value, or 0 and 1, is true for
    test rows (for training rows where the column's name says so)."""
    distinct, codes = distinct_values(column)
    if bool((codes < 0).any()):
        raise DataError(
            f"Column {column.name!r} is empty in {table.place(int(np.argmax(codes < 0)))}",
            "Say a part for every row: train, validation or test.",
        )
    if column.kind in ("boolean", "number"):
        by_name = part_named(column.name.lower().removeprefix("is_").removeprefix("is "))
        if not set(distinct.tolist()) <= {0.0, 1.0}:
            raise _no_part(column, 0)
        true, false = (0, 2) if by_name == 0 else (max(by_name, 1) if by_name > 0 else 2, 0)
        numbers = [true if value else false for value in distinct]
    else:
        numbers = [part_named(column.categories[int(code)]) for code in distinct]
        if FREE in numbers:
            raise _no_part(column, int(np.argmax(codes == numbers.index(FREE))))
    fixed = np.array(numbers, np.int8)[codes]
    counts = [int((fixed == part).sum()) for part in range(3)]
    shown = " / ".join(f"{count:,}" if count else "split off" for count in counts)
    notes.append(
        f"Column {column.name!r} says the parts: training / validation / test {shown}. It is no "
        "feature."
    )
    return fixed


def _no_part(column: Column, row: int) -> DataError:
    return DataError(
        f"Column {column.name!r} says {column.text(row)!r}, which is no part",
        "Write train, validation or test; or true and false, of which true is for test.",
    )
