"""From the target columns to the task: what the network predicts, with which output and loss.

=============  ==========  ====================  ==================================
task           classes     output layer          loss
=============  ==========  ====================  ==================================
binary         2           sigmoid, 1 unit       binary cross-entropy
multiclass     k ≥ 2       softmax, k units      cross-entropy
multilabel     per label   sigmoid, 1 per label  binary cross-entropy, mean of labels
regression     none        identity, 1 a target  mean squared error
=============  ==========  ====================  ==================================

The losses are negative log-likelihoods of a Bernoulli, categorical and normal distribution, and
each output layer is the inverse of that distribution's canonical link (Bishop, "Pattern
Recognition and Machine Learning", 2006, section 4.3.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Column, Table, number_text
from pellucid.data.json_checks import (
    json_error,
    json_list,
    json_names,
    json_number,
    json_object,
    json_text,
)
from pellucid.data.readings import TRUTHS

TaskKind: TypeAlias = Literal["binary", "multiclass", "multilabel", "regression"]
ClassLabel: TypeAlias = str | int | float | bool

TASK_KINDS: tuple[TaskKind, ...] = ("binary", "multiclass", "multilabel", "regression")
TASK_NAMES = (*TASK_KINDS, "classification")
MAX_INTEGER_CLASSES = 20
MAX_INTEGER_SHARE = 0.05
MAX_CLASSES = 10_000
_OUTPUT_LAYERS = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "multilabel": "sigmoid per label",
    "regression": "identity",
}
_LOSSES = {
    "binary": "binary_cross_entropy_with_logits",
    "multiclass": "cross_entropy",
    "multilabel": "binary_cross_entropy_with_logits",
    "regression": "mse_loss",
}
_ENDINGS = {
    "binary": "binary, so sigmoid and binary cross-entropy",
    "multiclass": "multi-class, so softmax and cross-entropy",
    "multilabel": "multi-label, so a sigmoid for each label and binary cross-entropy",
    "regression": "regression, so identity output and mean squared error",
}


@dataclass(frozen=True)
class Task:
    """What is predicted.

    ``targets`` are the target columns.  ``classes`` are the class labels in the order of their
    numbers (binary: class 1 is the positive one), the label names for multi-label, and empty for
    regression.  ``reason`` is a sentence for the user: what was found and what follows.
    """

    kind: TaskKind
    targets: tuple[str, ...]
    classes: tuple[ClassLabel, ...]
    reason: str

    @property
    def output_units(self) -> int:
        """Units of the output layer."""
        if self.kind == "binary":
            return 1
        return len(self.classes) if self.kind == "multiclass" else len(self.targets)

    @property
    def output_layer(self) -> str:
        """``sigmoid``, ``softmax``, ``sigmoid per label`` or ``identity``."""
        return _OUTPUT_LAYERS[self.kind]

    @property
    def loss(self) -> str:
        """The loss by its name in ``pellucid.nn.functional``; it takes the output before sigmoid
        or softmax."""
        return _LOSSES[self.kind]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes as text; for regression the targets."""
        return tuple(map(label_text, self.classes)) if self.classes else self.targets

    def to_json(self) -> dict[str, object]:
        """The task as JSON values."""
        return {
            "kind": self.kind,
            "targets": list(self.targets),
            "classes": list(self.classes),
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: object) -> Task:
        """The task from ``to_json``'s values; ``RunFolderError`` for anything else."""
        fields = json_object(data, "task", ("kind", "targets", "classes", "reason"))
        kind = cast(TaskKind, json_text(fields["kind"], "task kind", TASK_KINDS))
        targets = json_names(fields["targets"], "task targets")
        entries = json_list(fields["classes"], "task classes", MAX_CLASSES)
        classes = tuple(
            label if isinstance(label, bool | str) else _whole(json_number(label, "task classes"))
            for label in entries
        )
        texts = [json_text(label_text(label), "task classes") for label in classes]
        expected = {"binary": len(texts) == 2, "multiclass": len(texts) >= 2}
        expected |= {"multilabel": tuple(texts) == targets, "regression": not texts}
        single = kind in ("binary", "multiclass")
        if not targets or (single and len(targets) != 1) or not expected[kind]:
            raise json_error("task", f"targets and classes of a {kind} task", fields)
        if len(set(texts)) != len(texts):
            raise json_error("task classes", "distinct classes", texts)
        return cls(kind, targets, classes, json_text(fields["reason"], "task reason"))


def label_text(label: ClassLabel) -> str:
    """A class label as people write it."""
    if isinstance(label, bool | str):
        return str(label)
    return number_text(float(label))


def _whole(value: float) -> int | float:
    return int(value) if np.isfinite(value) and value == int(value) else value


def detect_task(table: Table, targets: Sequence[str] | str, task: str | None = None) -> Task:
    """Finds out what is to be predicted, from the rows in which every target has a value.

    One target: truth values, text, and whole numbers with at most 20 distinct values that make
    up at most 5 % of the rows are classes; other numbers are regression.  Several targets: each
    must be 0/1-like (0 and 1, true and false, yes and no) and the task is multi-label.  ``task``
    overrides this: ``binary``, ``multiclass``, ``multilabel``, ``regression`` (also with several
    targets), or ``classification`` for binary or multi-class by the number of classes.

    Raises ``ArgumentError`` for an unknown task or no target, and ``DataError`` when a target is
    not a column, has no values, is constant, is infinite, does not fit the task, or has a class
    with a single row.
    """
    names = (targets,) if isinstance(targets, str) else tuple(targets)
    _check_request(table, names, task)
    columns = [table[name] for name in names]
    for column in columns:
        _check_target(table, column)
    present = ~np.any([column.missing for column in columns], axis=0)
    if not present.any():
        raise DataError(
            f"No row of {table.name} has values for all targets {', '.join(map(repr, names))}",
            "Name fewer targets, or complete the rows.",
        )
    rows = table.take(present)
    columns = [rows[name] for name in names]
    for column in columns:
        if distinct_values(column)[0].size < 2:
            raise DataError(
                f"Target {column.name!r} is constant: all {len(column)} rows hold "
                f"{column.text(0)!r}, so there is nothing to learn",
                "Choose another target, or add rows with other values.",
            )
    kind = cast(TaskKind | None, None if task == "classification" else task)
    if len(names) > 1:
        if task in (None, "multilabel"):
            return _multilabel(columns)
        if task == "regression":
            return _regression(columns)
        raise ArgumentError(
            phrase(
                Setting("task", task),
                f" takes one target, {len(names)} were named: {', '.join(names)}",
            ),
            phrase(
                "Name one target, or use ",
                Setting("task", "multilabel"),
                " or ",
                Setting("task", "regression"),
                ".",
            ),
        )
    if kind == "multilabel":
        return _multilabel(columns)
    if kind == "regression" or (task is None and _is_quantity(columns[0])):
        return _regression(columns)
    return _classes(columns[0], kind)


def _check_request(table: Table, names: tuple[str, ...], task: str | None) -> None:
    if task is not None and task not in TASK_NAMES:
        raise ArgumentError(
            f"There is no task {task!r}", "The tasks are " + ", ".join(TASK_NAMES) + "."
        )
    if not names:
        raise ArgumentError(
            f"No target was named for {table.name}",
            "Name the column to predict, one of: " + ", ".join(list(table.columns)[:30]) + ".",
        )
    for position, name in enumerate(names):
        if name in names[:position]:
            raise ArgumentError(f"Target {name!r} is named twice", "Name each target once.")


def _check_target(table: Table, column: Column) -> None:
    if bool(column.missing.all()):
        raise DataError(
            f"Target {column.name!r} of {table.name} has no values: "
            f"all {len(column)} rows are missing",
            "Choose another target.",
        )
    if column.kind == "time":
        raise DataError(
            f"Target {column.name!r} holds dates, which cannot be predicted as they are",
            "Replace it by a number, such as the days until an event.",
        )
    if column.kind == "number":
        infinite = np.flatnonzero(np.isinf(column.values))
        if infinite.size:
            raise DataError(
                f"Target {column.name!r} holds infinite values: {infinite.size} of "
                f"{len(column)}, the first in {table.place(int(infinite[0]))}",
                "Correct these cells, or leave them empty; rows without a target are left out.",
            )


def distinct_values(column: Column) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """The distinct values of a column, sorted, and the position in them for every row (-1 where
    missing).  For text the values are codes."""
    values = column.values[~column.missing]
    distinct, inverse = np.unique(values, return_inverse=True)
    codes = np.full(len(column), -1, dtype=np.int64)
    codes[~column.missing] = inverse
    return distinct, codes


def _is_quantity(column: Column) -> bool:
    """True for numbers that measure or count something rather than naming a class."""
    if column.kind != "number":
        return False
    distinct = distinct_values(column)[0].size
    few = distinct <= MAX_INTEGER_CLASSES and distinct <= max(3, MAX_INTEGER_SHARE * len(column))
    return not (column.whole_numbers() and few)


def _labels(column: Column, distinct: npt.NDArray[Any]) -> tuple[ClassLabel, ...]:
    if column.kind == "text":
        return tuple(column.categories[int(code)] for code in distinct)
    if column.kind == "boolean":
        return tuple(bool(value) for value in distinct)
    return tuple(_whole(float(value)) for value in distinct)


def _classes(column: Column, kind: TaskKind | None) -> Task:
    distinct, codes = distinct_values(column)
    count = distinct.size
    if count > 20 and count > 0.5 * len(column):
        raise DataError(
            f"Target {column.name!r} has {count} distinct values in {len(column)} rows: "
            "it looks like a name or an identifier, not like classes",
            phrase(
                "Choose another target, or use ",
                Setting("task", "regression"),
                " for numbers.",
            ),
        )
    if count > MAX_CLASSES:
        raise DataError(
            f"Target {column.name!r} has {count} classes, at most {MAX_CLASSES} are supported",
            "Choose another target, or merge classes.",
        )
    labels = _labels(column, distinct)
    members = np.bincount(codes, minlength=count)
    if kind == "binary" and count != 2:
        raise DataError(
            phrase(
                Setting("task", "binary"),
                f" needs 2 classes, target {column.name!r} has {count}: "
                + ", ".join(map(label_text, labels[:8])),
            ),
            phrase("Use ", Setting("task", "multiclass"), ", or choose another target."),
        )
    alone = [label_text(labels[position]) for position in np.flatnonzero(members == 1)]
    if alone:
        more = f" (and {len(alone) - 1} more classes)" if len(alone) > 1 else ""
        raise DataError(
            f"Class {alone[0]!r} of target {column.name!r} has a single row{more}: "
            "it cannot be both learned and tested",
            phrase(
                "Remove the row, merge the class with another, or add rows of it",
                *(
                    (", or use ", Setting("task", "regression"), ".")
                    if column.kind == "number"
                    else (".",)
                ),
            ),
        )
    what = {"text": "text", "boolean": "truth", "number": "number"}[column.kind]
    if column.kind == "number" and column.whole_numbers():
        what = "whole-number"
    shown = ", ".join(map(label_text, labels[:4])) + (", …" if count > 4 else "")
    chosen: TaskKind = kind or ("binary" if count == 2 else "multiclass")
    reason = f"{count} distinct {what} values ({shown}): {_ENDINGS[chosen]}"
    return Task(chosen, (column.name,), labels, reason)


def _regression(columns: list[Column]) -> Task:
    for column in columns:
        if column.kind == "text":
            raise DataError(
                phrase(
                    Setting("task", "regression"),
                    f" needs numbers, target {column.name!r} holds text: "
                    f"{column.text(int(np.argmin(column.missing)))!r}",
                ),
                phrase("Use ", Setting("task", "classification"), ", or choose another target."),
            )
    names = tuple(column.name for column in columns)
    if len(columns) > 1:
        return Task("regression", names, (), f"{len(columns)} targets: {_ENDINGS['regression']}")
    what = "whole-number" if columns[0].whole_numbers() else "number"
    count = distinct_values(columns[0])[0].size
    reason = f"{count} distinct {what} values: {_ENDINGS['regression']}"
    return Task("regression", names, (), reason)


def _multilabel(columns: list[Column]) -> Task:
    for column in columns:
        if truth_values(column) is None:
            values = distinct_values(column)[0][:5]
            shown = ", ".join(label_text(label) for label in _labels(column, values))
            raise DataError(
                f"Target {column.name!r} is no yes-or-no label: it holds {shown}",
                phrase(
                    "Multi-label targets hold 0 and 1, true and false, or yes and no. For several "
                    "numbers use ",
                    Setting("task", "regression"),
                    "; for classes name one target.",
                ),
            )
    names = tuple(column.name for column in columns)
    count = f"{len(columns)} yes-or-no target{'s' if len(columns) > 1 else ''}"
    return Task("multilabel", names, names, f"{count}: {_ENDINGS['multilabel']}")


def truth_values(column: Column) -> npt.NDArray[np.float64] | None:
    """A 0/1-like column as 0, 1 and NaN (rows,), or None when it is not 0/1-like."""
    if column.kind == "boolean":
        return column.values.astype(np.float64)
    present = column.values[~column.missing]
    if column.kind == "number":
        return column.values if bool(np.isin(present, (0.0, 1.0)).all()) else None
    if column.kind != "text":
        return None
    used = np.unique(present)
    words = {column.categories[int(code)].lower() for code in used}
    pair = next((pair for pair in TRUTHS if words <= set(pair)), None)
    if pair is None:
        return None
    truth = np.array([float(c.lower() == pair[1]) for c in column.categories])
    return np.asarray(np.append(truth, np.nan)[column.values])


def encode_targets(table: Table, task: Task) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """The targets as arrays, and which rows have all of them.

    Returns ``(values, present)``: int64 class numbers (rows,) for binary and multi-class, -1
    where missing; float32 0/1 (rows, labels) for multi-label and float64 (rows, targets) for
    regression, NaN where missing; ``present`` bool (rows,).

    Raises ``DataError`` when a target column is absent, holds a class that the task does not
    know, or does not hold what the task needs.
    """
    columns = [table[name] for name in task.targets]
    present = ~np.any([column.missing for column in columns], axis=0)
    if task.kind in ("binary", "multiclass"):
        return _encode_classes(table, columns[0], task), present
    values = np.empty((len(table), len(columns)), dtype=np.float64)
    for position, column in enumerate(columns):
        if task.kind == "multilabel":
            truth = truth_values(column)
            if truth is None:
                raise DataError(
                    f"Target {column.name!r} is no yes-or-no label in {table.name}",
                    "It holds 0 and 1, true and false, or yes and no.",
                )
            values[:, position] = truth
        else:
            if column.kind == "text" or bool(np.isinf(column.values).any()):
                raise DataError(
                    f"Target {column.name!r} of {table.name} does not hold finite numbers",
                    "Correct the cells, or leave them empty.",
                )
            values[:, position] = column.values
    return (values.astype(np.float32) if task.kind == "multilabel" else values), present


def _encode_classes(table: Table, column: Column, task: Task) -> npt.NDArray[np.int64]:
    distinct, codes = distinct_values(column)
    number_of = {label_text(label): number for number, label in enumerate(task.classes)}
    numbers = np.full(distinct.size + 1, -1, dtype=np.int64)
    for position, label in enumerate(_labels(column, distinct)):
        text = label_text(label)
        if text not in number_of:
            row = int(np.argmax(codes == position))
            known = ", ".join(list(number_of)[:10])
            raise DataError(
                f"Target {column.name!r} holds {text!r} in {table.place(row)} of {table.name}, "
                "a class that training did not have",
                f"The classes are {known}. Correct the cell, or leave it empty.",
            )
        numbers[position] = number_of[text]
    return numbers[codes]
