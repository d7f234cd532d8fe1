"""Data to be examined, in one form: columns or pictures, targets, parts, and where each row stands.

Whatever the source is (a file, a folder, frames, arrays), it is read as ``pellucid train`` reads
it; nothing is split, scaled or left out.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Table, joined
from pellucid.data.cuts import part_named
from pellucid.data.encodings import AUTO
from pellucid.data.memory import from_memory
from pellucid.data.picture_sources import LABEL, Pictures, form_of, join_pictures, pictures_of
from pellucid.data.sources import only_label, table_like, table_of, with_text
from pellucid.data.tasks import Task, detect_task, distinct_values, encode_targets
from pellucid.tensor.tensor import Tensor

PARTS = ("training", "validation", "test")


@dataclass(eq=False)
class Material:
    """Data and what is known of them.

    ``table`` holds the feature columns and the targets (pictures: the label alone), ``pictures``
    (rows, height, width) or (rows, height, width, channels).  ``task`` is None without targets;
    ``truth`` is as ``encode_targets`` gives it and ``known`` says which rows have it.  ``part``
    (rows,) is 0 for training, 1 for validation, 2 for test and -1 where nothing says.  ``lines``
    (rows,) is how the user counts the rows, ``counted`` says it in words, ``files`` names those of
    pictures.  ``in_memory``: arrays or frames, which nobody prepares further.
    """

    name: str
    table: Table
    pictures: npt.NDArray[Any] | None
    task: Task | None
    truth: npt.NDArray[Any] | None
    known: npt.NDArray[np.bool_]
    part: npt.NDArray[np.int8]
    lines: npt.NDArray[np.int64]
    counted: str
    files: tuple[str, ...] = ()
    in_memory: bool = False
    prepared: bool = False
    constant: str = ""
    """The target all of whose values are equal, where there is one."""
    notes: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.part)

    @property
    def features(self) -> Table:
        """The columns to learn from."""
        targets = (self.constant,) if self.task is None else self.task.targets
        return self.table.without(targets)

    @property
    def is_classes(self) -> bool:
        """Whether every row has one class."""
        return self.task is not None and self.task.kind in ("binary", "multiclass")

    @property
    def answers(self) -> npt.NDArray[Any]:
        """The truth, asked for where there is a task."""
        return cast(npt.NDArray[Any], self.truth)

    @property
    def has_parts(self) -> bool:
        """Whether the data say which rows are for training and which are not."""
        return bool((self.part == 0).any() and (self.part > 0).any())

    @property
    def learned(self) -> npt.NDArray[np.int64]:
        """The rows that are learned from (all where nothing says) and have a target."""
        rows = (self.part == 0) if self.has_parts else np.ones(len(self), np.bool_)
        return np.flatnonzero(rows & self.known)

    def part_name(self, row: int) -> str:
        """The part of a row, empty where the rows of all parts are counted together."""
        number = int(self.part[row])
        own = self.notes.get("own_sources", False)
        return PARTS[number] if own and number >= 0 else ""


def material_of(
    data: object,
    targets: Sequence[str] | str = (),
    *,
    validation: object = None,
    test: object = None,
    split: str | None = None,
    task: str | None = None,
    ignore: Collection[str] | str = (),
    text_columns: Collection[str] | str = (),
    image_size: int | None = None,
    separator: str | None = None,
    encoding: str = AUTO,
    prepared: bool = False,
) -> Material:
    """Reads what is to be examined.

    Raises as ``load_source`` where it cannot be read, ``ArgumentError`` for arguments that do not
    go together.
    """
    names = _names(targets)
    given = {"text_columns": _names(text_columns), "separator": separator, "encoding": encoding}
    given["targets"] = () if task == "regression" else names
    source = _source(data)
    found = pictures_of(source, image_size)
    if found is not None:
        if split is not None:
            raise ArgumentError(
                phrase("Pictures have no columns, ", Setting("split", split), " was given"),
                "Give folders or arrays for the parts.",
            )
        return _pictures(found, validation, test, task, in_memory=not _is_path(data))
    table, name, _ = table_of(source, given)
    own = [len(table)]
    lines = [_lines(table, _is_path(data))]
    for other in (validation, test):
        own.append(0)
        if other is not None:
            more = table_like(table, _source(other), given, ())
            table = joined(table, more)
            lines.append(_lines(more, _is_path(other)))
            own[-1] = len(more)
    part = np.repeat(np.array([0, 1, 2], np.int8), own)
    table = with_text(table, _names(text_columns)).without(_names(ignore))
    if split is not None:
        part = _parts_of(table, split)
        table = table.without((split,))
    elif not any(own[1:]):
        part[:] = -1
    names = names or only_label(data, table, not _is_path(data))
    made = Material(
        name, table, None, None, None, np.ones(len(table), np.bool_), part,
        np.concatenate(lines), _counting(table, data), in_memory=not _is_path(data),
        prepared=prepared,
    )  # fmt: skip
    made.notes["own_sources"] = any(own[1:])
    return _with_task(made, names, task)


def _source(data: object) -> Any:
    return data if _is_path(data) else from_memory(_plain(data))


def _plain(data: object) -> object:
    """Lists beside each other as arrays: (rows, targets)."""
    if isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], Tensor):
        first, second = data
        if isinstance(first, list) and isinstance(second, list):
            return np.array(first), np.array(second)
        return first, np.asarray(second) if isinstance(second, list) else second
    return data


def _is_path(data: object) -> bool:
    return isinstance(data, str | os.PathLike)


def _names(names: Collection[str] | str) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _lines(table: Table, is_file: bool) -> npt.NDArray[np.int64]:
    if table.lines is not None:
        return np.asarray(table.lines, np.int64)
    return np.arange(len(table), dtype=np.int64) + (1 if is_file else 0)


def _counting(table: Table, data: object) -> str:
    if not _is_path(data):
        return "positions, from 0"
    text = Path(str(data)).suffix.lower() in (".xlsx", ".xls", ".ods", ".parquet", ".feather")
    return "rows, from 1" if text else "lines of the file, from 1"


def _parts_of(table: Table, split: str) -> npt.NDArray[np.int8]:
    column = table[split]
    texts = column.texts()
    part = np.array([-1 if t is None else part_named(t) for t in texts], np.int8)
    if not (part == 0).any():
        shown = ", ".join(sorted({str(t) for t in texts})[:5])
        raise DataError(
            f"Column {split!r} says of no row that it is for training: it holds {shown}",
            "Write train, validation and test.",
        )
    return part


def _with_task(made: Material, names: tuple[str, ...], task: str | None) -> Material:
    """The task that the targets ask for; a constant target is no task and is kept in mind."""
    if not names:
        return made
    for name in names:
        column = made.table[name]
        if not bool(column.missing.all()) and distinct_values(column)[0].size < 2:
            made.constant = name
            return made
    made.task = _task(made.table, names, task)
    made.truth, made.known = encode_targets(made.table, made.task)
    return made


def _task(table: Table, names: tuple[str, ...], task: str | None) -> Task:
    """The task; a class with a single row, which cannot be trained, can be examined."""
    try:
        return detect_task(table, names, task)
    except DataError as error:
        if len(names) > 1 or "has a single row" not in error.message:
            raise
        column = table[names[0]]
        distinct, codes = distinct_values(column)
        counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
        often = np.isin(codes, np.flatnonzero(counts > 1))
        return detect_task(table.take(often), names, task) if often.any() else _raise(error)


def _raise(error: DataError) -> Task:
    raise error


def _pictures(
    found: Pictures, validation: object, test: object, task: str | None, in_memory: bool
) -> Material:
    own = validation is not None or test is not None
    lines = [found.positions() if in_memory else np.arange(len(found))]
    for number, other in ((1, validation), (2, test)):
        if other is None:
            continue
        form = form_of(found.images.shape[1:])
        more = pictures_of(other, None, form) if _is_path(other) else _source(other)
        if not isinstance(more, Pictures):
            raise ArgumentError("A table was given beside images", "Give pictures for each part.")
        lines.append(np.arange(len(more)))
        found = join_pictures(found, more, number)
    part = found.part.copy()
    if own:
        part[part < 0] = 0
    elif (part == 2).any():
        part[part < 0] = 0
    label = {} if found.labels is None else {LABEL: replace(found.labels, name=LABEL)}
    made = Material(
        found.name, Table(found.name, label), found.images, None, None,
        np.ones(len(found), np.bool_), part, np.concatenate(lines).astype(np.int64),
        "positions, from 0", found.names, in_memory,
    )  # fmt: skip
    made.notes["own_sources"] = own
    return _with_task(made, tuple(label), cast(Any, task) or "classification" if label else None)
