"""Columns that give the answer away, or only count the rows.

A column from which the target can be read off makes every metric look perfect and the network
useless, because it is not known when a prediction is needed.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.data.columns import Column, Rows, Table
from pellucid.data.tasks import Task, distinct_values

MIN_ROWS = 10
_COUNTER_NAMES = re.compile(
    r"(unnamed.*|.*[ _-]id|id([ _-]?(no|nr|number))?|index|idx|key|row|no\.?|nr\.?|#|rownum|"
    r"row[ _-]?(id|number|names?)|序号|编号)",
    re.IGNORECASE,
)
# Case tells PassengerId from humid.
_CAMEL_NAMES = re.compile(r".*[a-z0-9](Id|ID|Nr|No)")


def find_leaks(table: Table, targets: npt.NDArray[Any], task: Task) -> dict[str, str]:
    """Columns of the training rows that are the target under another name.

    For classes: a one-to-one recoding of the class in every row where the column has a value.
    For regression: the target times one number plus another.  ``targets`` come from
    ``encode_targets``.  Returns a sentence for the user by column name.
    """
    found: dict[str, str] = {}
    for column in table.columns.values():
        present = ~column.missing
        if column.name in task.targets or present.sum() < max(MIN_ROWS, 0.5 * len(column)):
            continue
        for position, target in enumerate(task.targets):
            if task.kind == "regression":
                how = _affine(column, targets[:, position])
            elif task.kind == "multilabel":
                how = _recoding(column, targets[:, position].astype(np.int64), ("0", "1"))
            else:
                how = _recoding(column, targets, task.class_names)
            if how:
                rows = int(present.sum())
                found[column.name] = (
                    f"Column {column.name!r} is the target {target!r} under another name "
                    f"({how} in all {rows} training rows that have it)"
                )
                break
    return found


def _recoding(column: Column, classes: Rows, names: tuple[str, ...]) -> str:
    """How the column's values stand for the classes, or an empty text where they do not."""
    distinct, codes = distinct_values(column)
    if not 2 <= distinct.size <= len(names):
        return ""
    present = codes >= 0
    pairs = np.unique(np.stack([codes[present], classes[present]]), axis=1)
    if pairs.shape[1] != distinct.size or np.unique(pairs[1]).size != distinct.size:
        return ""
    if distinct.size < np.unique(classes).size:
        return ""
    first_rows = [int(np.argmax(codes == code)) for code in pairs[0][:3]]
    shown = [
        f"{column.text(row)} = {names[int(label)]}"
        for row, label in zip(first_rows, pairs[1][:3], strict=True)
    ]
    return ", ".join(shown) + (", …" if pairs.shape[1] > 3 else "")


def _affine(column: Column, target: npt.NDArray[np.float64]) -> str:
    """The formula that gives the target from the column, or an empty text."""
    if column.kind != "number":
        return ""
    present = ~column.missing
    x, y = column.values[present], target[present]
    if np.ptp(x) == 0 or np.ptp(y) == 0 or not np.isfinite(x).all():
        return ""
    middle, spread = x.mean(), x.std()
    z = (x - middle) / spread
    slope = float((z * (y - y.mean())).mean())
    error = np.abs(y - y.mean() - slope * z).max()
    if not error <= 1e-6 * y.std():
        return ""
    return f"target = {slope / spread:.6g} · column + {y.mean() - slope / spread * middle:.6g}"


def find_row_counters(table: Table, rows: Rows) -> dict[str, str]:
    """Columns with a name like ``id`` that count the rows of the file or name each of them.

    ``table`` holds the training rows, ``rows`` their positions in the whole table.  Numbers of a
    sequence may have gaps, and any order.  Returns a sentence for the user by column name.
    """
    found: dict[str, str] = {}
    for column in table.columns.values():
        if column.kind != "number" or len(column) < MIN_ROWS or bool(column.missing.any()):
            continue
        if not (_COUNTER_NAMES.fullmatch(column.name) or _CAMEL_NAMES.fullmatch(column.name)):
            continue
        offsets = column.values - rows
        if bool(np.all(offsets == offsets[0])):
            found[column.name] = f"Column {column.name!r} only counts the rows"
        elif column.whole_numbers() and np.unique(column.values).size == len(column):
            found[column.name] = (
                f"Column {column.name!r} is an identifier: a different whole number in each of "
                f"{len(column):,} training rows"
            )
    return found
