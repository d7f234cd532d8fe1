"""How the rows of a table are cut into training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Rows, Table
from pellucid.data.splits import (
    DEFAULT_FRACTIONS,
    split_groups,
    split_in_order,
    split_indices,
)
from pellucid.data.tasks import Task, distinct_values


@dataclass(frozen=True)
class Cut:
    """How the rows are cut into parts."""

    group: str | None
    time: str | None
    in_order: bool
    fractions: Sequence[float] = DEFAULT_FRACTIONS
    seed: int = 0

    def __post_init__(self) -> None:
        asked = {"group": self.group, "time": self.time, "in_order": self.in_order or None}
        given = [Setting(name, value) for name, value in asked.items() if value is not None]
        if len(given) > 1:
            raise ArgumentError(
                phrase(given[0], " and ", given[1], " both say how to cut the rows"),
                "Choose one of them.",
            )

    @property
    def at_random(self) -> bool:
        """Whether neither groups nor order say which rows go together."""
        return not (self.group or self.time or self.in_order)

    def refuse_for(self, name: str) -> None:
        """``ArgumentError`` for images, which have no columns."""
        if self.group or self.time or self.in_order:
            raise ArgumentError(
                f"{name} holds images, which have no column to cut the rows by",
                phrase(
                    "Leave out ",
                    Setting("group"),
                    ", ",
                    Setting("time"),
                    " and ",
                    Setting("in_order"),
                    ".",
                ),
            )

    def parts(
        self, table: Table, values: npt.NDArray[Any], task: Task, notes: list[str]
    ) -> tuple[Rows, Rows, Rows]:
        """Rows of training, validation and test."""
        if self.group is not None:
            column = table[self.group]
            if empty := int(column.missing.sum()):
                notes.append(f"{empty:,} rows have no {self.group!r}: they are one group.")
            codes = distinct_values(column)[1]
            parts = split_groups(codes, self.fractions, self.seed)
            counts = " / ".join(str(np.unique(codes[part]).size) for part in parts)
            notes.append(
                f"Rows of one {self.group!r} stay in one part: groups in training / validation / "
                f"test {counts}. The column is no feature."
            )
            return parts
        if self.time is not None:
            column = table[self.time]
            if column.kind == "text":
                raise DataError(
                    f"Column {self.time!r} holds text, which has no order in time "
                    f"({column.text(0)!r})",
                    phrase(
                        "Choose a column of dates or numbers, or give its format with ",
                        Setting("date_formats", {self.time: "%d/%m/%Y"}),
                        ".",
                    ),
                )
            notes.append(f"Ordered by {self.time!r}: validation and test are the last rows.")
            return split_in_order(column.values, self.fractions)
        if self.in_order:
            notes.append("In the order of the file: validation and test are the last rows.")
            return split_in_order(np.arange(len(table)), self.fractions)
        stratify = values if task.kind in ("binary", "multiclass") else None
        return split_indices(len(table), self.fractions, self.seed, stratify)
