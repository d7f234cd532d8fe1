"""Rows that are not independent of each other, which makes test metrics untrue for new rows.

Near-copies of one thing, several rows of one person, and rows in the order of time: cut at random,
each puts into the test part what training has already seen.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Table
from pellucid.data.image_preprocessing import Features
from pellucid.data.tasks import Task, distinct_values

_MOST_TEST_ROWS = 400
_MOST_TRAINING_ROWS = 20_000
_NEIGHBOURS = 20
_GAP = 6.0
_NEAR_SHARE = 0.4
_SERIES = 0.6
_GROUP_NAMES = re.compile(
    r"(.*[ _-])?(id|group|patient|subject|person|user|customer|client|session|household|family|"
    r"batch|site|animal|plot|device|speaker|author|student|school|患者|病人|用户|客户|编号|组)"
    r"([ _-]?(id|no|nr|number|name|code|号))?",
    re.IGNORECASE,
)
# Case tells PassengerId from humid.
_CAMEL_ID = re.compile(r".*[a-z0-9](Id|ID)")


def near_copies(train: Features, test: Features) -> str:
    """A note where most test rows have a few training rows far nearer than all others.

    For up to 400 test rows the distances to the nearest training rows are looked at.  Where rows
    are independent, distances grow evenly; a near-copy is told by a gap: its next neighbours are
    at least six times as far away.  Equal rows are counted elsewhere.
    """
    if len(test) < 10 or len(train) < 30 or train.shape[1] < 2:
        return ""
    tested = _spread(test, _MOST_TEST_ROWS).astype(np.float64)
    trained = _spread(train, _MOST_TRAINING_ROWS).astype(np.float64)
    count = min(_NEIGHBOURS, len(trained) // 3)
    squares = (trained**2).sum(axis=1)
    near = 0
    for start in range(0, len(tested), 50):
        block = tested[start : start + 50]
        distances = squares + (block**2).sum(axis=1)[:, None] - 2.0 * block @ trained.T
        nearest = np.sqrt(np.maximum(np.partition(distances, count, axis=1)[:, : count + 1], 0))
        nearest.sort(axis=1)
        # Rounding of the differences of squares, below which nothing is known.
        floor = 1e-6 * np.sqrt(squares.max() + 1.0)
        gaps = nearest[:, 1:] / np.maximum(nearest[:, :-1], floor)
        copies = (nearest[:, 0] > floor) & (gaps.max(axis=1) > _GAP)
        near += int(copies.sum())
    if near < max(10, _NEAR_SHARE * len(tested)):
        return ""
    return phrase(
        f"{near:,} of {len(tested):,} test rows are near-copies of training rows, as several rows "
        "about one thing are: test metrics are too good for new ones. Name the column that tells "
        "which rows belong together (",
        Setting("group"),
        ").",
    )


def _spread(rows: Features, most: int) -> Features:
    """At most so many rows, evenly taken."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def repeated_identifier(table: Table, targets: npt.NDArray[np.generic], task: Task) -> list[str]:
    """Notes about columns that name groups: by their name, or because all rows of each of their
    many values have one class."""
    notes: list[str] = []
    for column in table.columns.values():
        if column.kind not in ("text", "number") or len(column) < 20 or column.name in task.targets:
            continue
        if column.kind == "number" and not column.whole_numbers():
            continue
        distinct, codes = distinct_values(column)
        groups = int(distinct.size)
        if not (5 <= groups <= 0.5 * len(column)):
            continue
        named = is_group_name(column.name)
        if not named and not (column.kind == "text" and _one_class(codes, targets, groups, task)):
            continue
        notes.append(
            phrase(
                f"Column {column.name!r} has {groups:,} values in {len(column):,} training rows. "
                "If it names groups (several rows of one person or thing), a random split puts a "
                "group into training and test, and test metrics are too good; ",
                Setting("group", column.name),
                " keeps groups together.",
            )
        )
    return notes[:3]


def is_group_name(name: str) -> bool:
    """Whether a column is called as identifiers and groups are."""
    return _GROUP_NAMES.fullmatch(name) is not None or _CAMEL_ID.fullmatch(name) is not None


def _one_class(
    codes: npt.NDArray[np.int64], targets: npt.NDArray[np.generic], groups: int, task: Task
) -> bool:
    """Whether every value has rows of one class only, which for so many values is no accident."""
    if task.kind not in ("binary", "multiclass") or groups < 4 * len(task.classes):
        return False
    present = codes >= 0
    pairs = np.unique(np.stack([codes[present], targets[present].astype(np.int64)]), axis=1)
    return int(pairs.shape[1]) == groups


def ordered_series(table: Table, targets: npt.NDArray[np.generic], task: Task) -> str:
    """A note where neighbouring rows of the file have like targets, as a series over time has.

    Measured by the autocorrelation of the target at distance 1 in the order of the rows.  A file
    that is only sorted by its target is none.
    """
    if len(targets) < 40 or task.kind == "multilabel":
        return ""
    values = np.asarray(targets, np.float64).reshape(len(targets), -1)[:, 0]
    if task.kind == "multiclass":
        values = (values == np.bincount(values.astype(np.int64)).argmax()).astype(np.float64)
    steps = np.diff(values)
    if bool((steps >= 0).all() or (steps <= 0).all()) or np.count_nonzero(steps) < 10:
        return ""
    middle = values - values.mean()
    correlation = float((middle[:-1] * middle[1:]).sum() / (middle**2).sum())
    if correlation < max(_SERIES, 4 / np.sqrt(len(values))):
        return ""
    times = [name for name, column in table.columns.items() if column.kind == "time"]
    name = times[0] if times else None
    return phrase(
        f"Rows that follow each other have like targets (autocorrelation {correlation:.2f}). If "
        "the file is in order of time, a random split puts test rows between training rows, and "
        "test metrics are too good for the future: ",
        Setting("time", name) if name else Setting("in_order", True),
        " tests on the last rows.",
    )
