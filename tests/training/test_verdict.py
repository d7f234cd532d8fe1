"""Three answers to whether one model is better than another on the same rows."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.data.sources import load_source
from pellucid.data.tasks import Task
from pellucid.training.config import TrainingConfig
from pellucid.training.job import measure, train_network
from pellucid.training.metrics import metrics
from pellucid.training.verdict import compare, describe, mcnemar

BINARY = Task("binary", ("y",), (0, 1), "")
NUMBER = Task("regression", ("y",), (), "")
LABELS = Task("multilabel", ("a", "b"), ("a", "b"), "")


def binary(rows: int, first_only: int, second_only: int):  # type: ignore[no-untyped-def]
    """Two models that are right together except on so many rows."""
    targets = np.ones(rows, np.int64)
    one, two = np.full(rows, 0.9), np.full(rows, 0.9)
    two[:first_only] = 0.1
    one[first_only : first_only + second_only] = 0.1
    return targets, one, two


@pytest.mark.parametrize(
    ("first", "second", "p"),
    # Two-sided exact binomial tests of one half, by hand: 2·(1 + …)/2^n.
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (8, 2, 0.109375), (5, 5, 1.0)],
)
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second) == pytest.approx(p, rel=1e-12)
    assert mcnemar(second, first) == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize(
    ("rows", "first", "second", "answer"),
    [
        (51, 1, 0, "no difference seen"),
        (51, 0, 0, "no difference seen"),
        (51, 5, 0, "no difference seen"),
        (51, 8, 0, "better"),
        (51, 0, 8, "worse"),
        (1000, 30, 28, "no difference seen"),
        (1000, 60, 20, "better"),
        (1, 1, 0, "no difference seen"),
        (8, 8, 0, "no difference seen"),
        (19, 19, 0, "no difference seen"),
    ],
)
def test_answers_on_accuracy(rows: int, first: int, second: int, answer: str) -> None:
    targets, one, two = binary(rows, first, second)
    found = compare(BINARY, targets, one, two)
    assert found.answer == answer and found.rows == rows
    assert found.difference == pytest.approx((first - second) / rows)
    assert found.low <= found.difference <= found.high
    assert (found.low <= 0 <= found.high) == (answer == "no difference seen") or rows < 20


def test_pairs_decide_where_single_intervals_would_not(rng: np.random.Generator) -> None:
    """Hard rows are hard for both: only the differences count."""
    wanted = rng.normal(size=(300, 1))
    hard = rng.normal(size=(300, 1)) * 5
    one, two = wanted + hard, wanted + hard * 1.02
    assert compare(NUMBER, wanted, one, two).answer == "better"
    assert compare(NUMBER, wanted, two, one).answer == "worse"
    noisy = wanted + hard + rng.normal(size=(300, 1)) * 0.01
    assert compare(NUMBER, wanted, one, noisy).answer == "no difference seen"


def test_the_interval_is_that_of_the_rmse(rng: np.random.Generator) -> None:
    """Against the normal approximation (delta method) of the difference of two RMSE."""
    wanted = np.zeros((4000, 1))
    one, two = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 1)) * 1.05
    found = compare(NUMBER, wanted, one, two)
    rmse = [metrics(NUMBER, wanted, p)["rmse"] for p in (one, two)]
    assert found.difference == pytest.approx(rmse[1] - rmse[0])
    change = two[:, 0] ** 2 / (2 * rmse[1]) - one[:, 0] ** 2 / (2 * rmse[0])
    half = 1.96 * change.std() / np.sqrt(4000)
    assert found.low == pytest.approx(found.difference - half, abs=0.15 * half)
    assert found.high == pytest.approx(found.difference + half, abs=0.15 * half)


def test_labels_are_compared_by_micro_f1(rng: np.random.Generator) -> None:
    truth = (rng.random((200, 2)) > 0.5).astype(np.float32)
    good = np.where(truth > 0.5, 0.9, 0.1)
    bad = np.where(rng.random((200, 2)) > 0.3, good, 1 - good)
    found = compare(LABELS, truth, good, bad)
    expected = metrics(LABELS, truth, good)["micro_f1"] - metrics(LABELS, truth, bad)["micro_f1"]
    assert found.difference == pytest.approx(expected) and found.answer == "better"


def test_few_rows_say_so_whatever_their_number() -> None:
    for rows in (1, 7, 19):
        targets, one, two = binary(rows, rows, 0)
        text = describe(compare(BINARY, targets, one, two), "the mean", 1.0, 0.0, "test")
        assert "can be told on so few rows" in text and "at least 20 are needed" in text


def test_the_verdict_of_a_run_names_the_answer(rng: np.random.Generator) -> None:
    x = rng.normal(size=(400, 2))
    nearly_linear = {"a": x[:, 0], "b": x[:, 1], "y": x[:, 0] - x[:, 1] + rng.normal(size=400)}
    curved = {"a": x[:, 0], "b": x[:, 1], "y": x[:, 0] * x[:, 1] + 0.05 * rng.normal(size=400)}
    answers = []
    for table in (nearly_linear, curved):
        result = train_network(load_source(table, "y"), TrainingConfig(widths=(32,)))
        measure(result)
        better, text = result.verdict()
        answers.append((better, text.partition(" (")[0].partition(":")[0]))
    assert answers[0] == (
        False,
        "No difference between the network and linear regression is seen",
    )
    assert answers[1] == (True, "The network is better than mean") or answers[1][0]


def test_rounding_is_no_difference() -> None:
    """The same model in float32 and in float64 gets no verdict, a slightly better one does."""
    targets = np.random.default_rng(0).normal(size=(200, 1))
    exact = targets * 0.9 + 0.05
    rounded = exact + 1e-8 * np.sign(exact - targets)
    assert compare(NUMBER, targets, exact, rounded).answer == "no difference seen"
    assert (
        compare(NUMBER, targets, exact, exact + 1e-3 * np.sign(exact - targets)).answer == "better"
    )
