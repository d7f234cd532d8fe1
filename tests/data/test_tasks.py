"""Which task follows from the target columns, and which targets are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, DataError, RunFolderError
from pellucid.data.columns import Table, as_table
from pellucid.data.tables import read_table
from pellucid.data.tasks import Task, detect_task, encode_targets


def table(**columns: object) -> Table:
    return as_table(columns, "cats.csv")  # type: ignore[arg-type]


def cycle(values: list[object], n: int = 60) -> list[object]:
    return [values[i % len(values)] for i in range(n)]


HEADS = [
    ("two texts", cycle(["no", "yes"]), "binary", 1, "sigmoid", "binary_cross_entropy_with_logits"),
    ("truth", cycle([True, False]), "binary", 1, "sigmoid", "binary_cross_entropy_with_logits"),
    ("zero one", cycle([0, 1]), "binary", 1, "sigmoid", "binary_cross_entropy_with_logits"),
    ("four texts", cycle(list("abcd")), "multiclass", 4, "softmax", "cross_entropy"),
    ("whole", cycle([1, 2, 3]), "multiclass", 3, "softmax", "cross_entropy"),
    ("measure", np.linspace(0, 1, 60), "regression", 1, "identity", "mse_loss"),
    ("count", np.arange(60) * 3, "regression", 1, "identity", "mse_loss"),
    ("halves", cycle([0.5, 1.5, 2.5]), "regression", 1, "identity", "mse_loss"),
]


@pytest.mark.parametrize(("_", "values", "kind", "units", "layer", "loss"), HEADS)
def test_B58_head_follows_from_task(
    _: str, values: object, kind: str, units: int, layer: str, loss: str
) -> None:
    task = detect_task(table(y=values), "y")
    assert (task.kind, task.output_units, task.output_layer, task.loss) == (
        kind,
        units,
        layer,
        loss,
    )


def test_D41_four_heads() -> None:
    data = table(
        a=cycle([0, 1]), b=cycle(["yes", "no", "no"]), c=cycle(list("xyz")), d=np.linspace(0, 9, 60)
    )
    heads = {
        detect_task(data, names).kind: detect_task(data, names)
        for names in (["a"], ["c"], ["d"], ["a", "b"])
    }
    assert {kind: task.output_layer for kind, task in heads.items()} == {
        "binary": "sigmoid",
        "multiclass": "softmax",
        "regression": "identity",
        "multilabel": "sigmoid per label",
    }
    labels, present = encode_targets(data, heads["multilabel"])
    assert labels.dtype == np.float32 and labels[:3].tolist() == [[0, 1], [1, 0], [0, 0]]
    assert present.all() and heads["multilabel"].output_units == 2


def test_reason_says_what_was_found_and_what_follows() -> None:
    task = detect_task(table(y=cycle(list("abcd"))), "y")
    assert task.reason == (
        "4 distinct text values (a, b, c, d): multi-class, so softmax and cross-entropy"
    )


def test_task_can_be_overridden() -> None:
    data = table(y=cycle([1, 2, 3]), z=np.linspace(0, 1, 60))
    assert detect_task(data, "y", "regression").kind == "regression"
    assert detect_task(data, "y", "classification").kind == "multiclass"
    assert detect_task(data, ["y", "z"], "regression").output_units == 2
    two = table(y=cycle([0, 1]))
    assert detect_task(two, "y", "multiclass").output_units == 2
    assert detect_task(two, "y", "multilabel").output_units == 1


def test_many_whole_numbers_are_a_quantity_few_are_classes() -> None:
    assert detect_task(table(y=np.arange(2000) % 20), "y").kind == "multiclass"
    assert detect_task(table(y=np.arange(2000) % 21), "y").kind == "regression"
    assert detect_task(table(y=np.arange(100) % 8), "y").kind == "regression"


def test_classes_are_numbered_in_order_and_missing_is_minus_one() -> None:
    data = table(y=["b", None, "a", "b", "a"])
    task = detect_task(data, "y")
    values, present = encode_targets(data, task)
    assert task.classes == ("a", "b") and values.tolist() == [1, -1, 0, 1, 0]
    assert present.tolist() == [True, False, True, True, True]
    numbers = table(y=[10, 2, 10, 2])
    assert detect_task(numbers, "y").classes == (2, 10)


REFUSED = [
    ({"y": [1, 1, 1]}, "y", None, "'y' is constant: all 3 rows hold '1'.*\n.*another target"),
    ({"y": ["a", "a", None]}, "y", None, "'y' is constant: all 2 rows hold 'a'"),
    ({"y": [None, None]}, "y", None, "'y' of cats.csv has no values: all 2 rows are missing"),
    (
        {"y": ["a", "a", "b", "b", "rare"]},
        "y",
        None,
        "Class 'rare' of target 'y' has a single row: .*\n.*merge the class",
    ),
    ({"species": ["a"]}, "specis", None, "no column named 'specis'\n.*Did you mean 'species'"),
    ({"y": [1.0, np.inf, 2.0]}, "y", None, "'y' holds infinite values: 1 of 3, the first in row 2"),
    ({"y": [f"n{i}" for i in range(40)]}, "y", None, "40 distinct values in 40 rows: .*identifier"),
    ({"y": ["a", "b"] * 5}, "y", "regression", "needs numbers, target 'y' holds text: 'a'"),
    ({"y": ["a", "b", "c"] * 5}, "y", "binary", "needs 2 classes, target 'y' has 3: a, b, c"),
    (
        {"y": [0, 1] * 5, "z": [0, 1, 2, 3, 4] * 2},
        ["y", "z"],
        None,
        "'z' is no yes-or-no label: it holds 0, 1, 2, 3, 4\n.*task='regression'",
    ),
    ({"y": [0, 1], "z": [1, 1]}, ["y", "z"], None, "'z' is constant"),
    ({"y": [1, None], "z": [None, 1]}, ["y", "z"], None, "No row of cats.csv has values for all"),
    ({"y": np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]")}, "y", None, "holds dates"),
]


@pytest.mark.parametrize(("columns", "targets", "task", "message"), REFUSED)
def test_bad_target_is_met_by_a_clear_error(
    columns: dict[str, object], targets: object, task: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        detect_task(table(**columns), targets, task)  # type: ignore[arg-type]
    assert caught.value.hint


def test_bad_requests() -> None:
    data = table(y=[0, 1], z=[0, 1])
    with pytest.raises(ArgumentError, match="There is no task 'guess'\n.*binary, multiclass"):
        detect_task(data, "y", "guess")
    with pytest.raises(ArgumentError, match="No target was named for cats.csv\n.*y, z"):
        detect_task(data, [])
    with pytest.raises(ArgumentError, match="'y' is named twice"):
        detect_task(data, ["y", "y"])
    with pytest.raises(ArgumentError, match="task='multiclass' takes one target, 2 were named"):
        detect_task(data, ["y", "z"], "multiclass")


def test_a_class_that_training_did_not_have() -> None:
    task = detect_task(table(y=["a", "b"] * 3), "y")
    numbers = detect_task(table(y=[0, 1] * 30), "y")
    with pytest.raises(DataError, match="holds 'inf' in row 2"):
        encode_targets(table(y=[0, np.inf]), numbers)
    with pytest.raises(DataError, match="holds 'c' in row 2 of cats.csv.*\n.*classes are a, b"):
        encode_targets(table(y=["a", "c"]), task)


@pytest.mark.parametrize(
    ("targets", "columns"),
    [
        ("y", {"y": ["a", "b"] * 3}),
        ("y", {"y": [True, False] * 3}),
        ("y", {"y": cycle([1, 2, 5])}),
        ("y", {"y": np.linspace(0, 1, 9)}),
        (["y", "z"], {"y": [0, 1], "z": [1, 0]}),
    ],
)
def test_json_round_trip(targets: object, columns: dict[str, object]) -> None:
    task = detect_task(table(**columns), targets)  # type: ignore[arg-type]
    assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task


GOOD = {"kind": "binary", "targets": ["y"], "classes": ["a", "b"], "reason": ""}


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "magic"},
        {"kind": 3},
        {"targets": []},
        {"targets": ["y", "z"]},
        {"targets": "y"},
        {"classes": ["a"]},
        {"classes": ["a", "a"]},
        {"classes": ["a", float("nan")]},
        {"classes": ["a", None]},
        {"classes": ["a"] * 20_000},
        {"reason": "x" * 20_000},
        {"extra": 1},
    ],
)
def test_hostile_json_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RunFolderError, match="task.*expected .*, received"):
        Task.from_json(GOOD | change)
    with pytest.raises(RunFolderError, match="expected an object"):
        Task.from_json([GOOD])


def test_real_tables(real_data: Callable[[str], Path]) -> None:
    for name, target, kind in (
        ("titanic", "survived", "binary"),
        ("titanic", "class", "multiclass"),
        ("penguins", "species", "multiclass"),
        ("mpg", "mpg", "regression"),
    ):
        data = read_table(real_data(f"tabular/{name}.csv"))
        assert detect_task(data, target).kind == kind
