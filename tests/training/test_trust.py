"""Calibration, conformal sets and intervals, and intervals of figures hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import log_loss

from pellucid.base.errors import ArgumentError
from pellucid.data.tasks import Task
from pellucid.training.metrics import metrics
from pellucid.training.trust import (
    conformal_radius,
    conformal_sets,
    figure_intervals,
    fit_temperature,
    reliability,
)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def drawn(rng: np.random.Generator, rows: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and classes drawn by their softmax: calibrated by construction."""
    scores = rng.normal(size=(rows, classes)) * 2
    cuts = np.cumsum(softmax(scores), axis=1)
    return scores, (rng.random((rows, 1)) > cuts).sum(axis=1).clip(0, classes - 1)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_factor(factor: float, rng: np.random.Generator) -> None:
    scores, targets = drawn(rng, 20_000)
    assert fit_temperature(scores * factor, targets) == pytest.approx(factor, rel=0.05)
    assert fit_temperature(scores[:, :1] * factor, (rng.random(20_000) < 1 / (
        1 + np.exp(-scores[:, 0]))).astype(int)) == pytest.approx(factor, rel=0.06)  # fmt: skip


def test_it_is_the_temperature_with_the_least_log_loss(rng: np.random.Generator) -> None:
    scores, targets = drawn(rng, 500)
    found = fit_temperature(scores * 2.5, targets)
    losses = {t: log_loss(targets, softmax(scores * 2.5 / t)) for t in np.linspace(0.5, 6, 111)}
    assert log_loss(targets, softmax(scores * 2.5 / found)) <= min(losses.values()) + 1e-6


def test_a_calibrated_network_lies_on_the_diagonal(rng: np.random.Generator) -> None:
    scores, targets = drawn(rng, 50_000)
    fine, sure = (reliability(softmax(scores * f), targets) for f in (1.0, 3.0))
    assert fine.error < 0.015 < 0.1 < sure.error
    assert sum(fine.rows) == 50_000
    np.testing.assert_allclose(fine.confidence, fine.accuracy, atol=0.03)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_intervals_hold_the_truth_as_often_as_they_promise(
    level: float, rng: np.random.Generator
) -> None:
    """Few rows with heavy tails: the mean coverage is from level to level + 1/(n + 1)."""
    rows, hits = 40, []
    for _ in range(4000):
        errors = rng.standard_t(2, size=rows + 1)
        hits.append(abs(errors[-1]) <= conformal_radius(errors[:-1], level))
    margin = 4 * math.sqrt(level * (1 - level) / len(hits))
    assert level - margin <= np.mean(hits) <= level + 1 / (rows + 1) + margin
    assert conformal_radius(np.ones(5), 0.9) == math.inf


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_sets_hold_the_class_as_often_as_they_promise(
    factor: float, rng: np.random.Generator
) -> None:
    """Whether the probabilities are right or not."""
    hits, sizes = [], []
    for _ in range(400):
        scores, targets = drawn(rng, 130)
        p = softmax(scores * factor)
        sets = conformal_sets(p[100:], p[:100], targets[:100], 0.9)
        hits.append(sets[np.arange(30), targets[100:]].mean())
        sizes.append(sets.sum(axis=1).mean())
    assert np.mean(hits) >= 0.9 - 4 * np.std(hits) / math.sqrt(len(hits))
    assert 1 <= np.mean(sizes) < 4


def test_intervals_of_figures_hold_the_true_figure(rng: np.random.Generator) -> None:
    """Accuracy of a model that is right with a chance of 0.8, on 200 rows, 40 times."""
    task, held = Task("binary", ("y",), (0, 1), ""), 0
    for _ in range(40):
        targets = rng.integers(0, 2, 200)
        right = rng.random(200) < 0.8
        predictions = np.where(right, targets, 1 - targets) * 0.8 + 0.1
        low, high = figure_intervals(task, targets, predictions)["accuracy"]
        held += low <= 0.8 <= high
        assert low <= metrics(task, targets, predictions)["accuracy"] <= high
    assert held >= 34


def test_every_figure_has_one_and_equal_arguments_give_equal_ones(
    rng: np.random.Generator,
) -> None:
    task = Task("regression", ("y",), (), "")
    y = rng.normal(size=(80, 1))
    guess = y + rng.normal(size=(80, 1)) * 0.3
    found = figure_intervals(task, y, guess)
    assert set(found) == {"mae", "rmse", "r2"}
    assert found == figure_intervals(task, y, guess)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"class numbers from 0 to 1"):
        fit_temperature([[0.0, 1.0]], [2])
    with pytest.raises(ArgumentError, match="level=1.5"):
        conformal_radius([1.0], 1.5)
    with pytest.raises(ArgumentError, match="0 rows"):
        reliability(np.zeros((0, 2)), [])
