"""Searching for settings looks at validation rows only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.data.sources import PreparedData, load_source
from pellucid.training.config import TrainingConfig
from pellucid.training.search import LogUniform, grid_search, random_search

BASE = TrainingConfig(epochs=4, widths=(8,), compile=False, patience=0)


@pytest.fixture
def prepared(rng: np.random.Generator) -> PreparedData:
    x = rng.normal(size=(200, 3))
    return load_source({"a": x[:, 0], "b": x[:, 1], "y": np.where(x[:, 0] > 0, "p", "n")}, "y")


def test_C21_a_grid_tries_every_combination_and_keeps_the_best(prepared: PreparedData) -> None:
    found = grid_search(
        prepared, {"learning_rate": [1e-5, 0.03], "widths": [(4,), (8, 8)]}, base=BASE
    )
    assert len(found.trials) == 4
    assert found.best.learning_rate == 0.03
    losses = [trial.validation_loss for trial in found.trials]
    assert losses == sorted(losses)


def test_C21_random_draws_are_even_in_the_logarithm_and_repeat(prepared: PreparedData) -> None:
    generator = np.random.default_rng(0)
    drawn = [LogUniform(1e-4, 1e-1).draw(generator) for _ in range(3000)]
    assert min(drawn) >= 1e-4 and max(drawn) <= 1e-1
    assert np.mean(np.log10(drawn) < -2.5) == pytest.approx(0.5, abs=0.03)
    choices = {"learning_rate": LogUniform(1e-4, 1e-1), "dropout": [0.0, 0.2]}
    first = random_search(prepared, choices, 3, base=BASE, seed=5)
    again = random_search(prepared, choices, 3, base=BASE, seed=5)
    assert [t.config for t in first.trials] == [t.config for t in again.trials]


def test_C22_the_test_part_is_refused_and_plays_no_part(prepared: PreparedData) -> None:
    with pytest.raises(ArgumentError, match="cannot be chosen by the test part"):
        grid_search(prepared, {"dropout": [0.0]}, base=BASE, judge="test")
    spoiled = replace(
        prepared, test=replace(prepared.test, features=prepared.test.features * np.nan)
    )
    choices = {"learning_rate": [1e-4, 0.03]}
    one, two = (grid_search(data, choices, base=BASE) for data in (prepared, spoiled))
    assert one.trials == two.trials


def test_senseless_searches_are_refused(prepared: PreparedData) -> None:
    with pytest.raises(ArgumentError, match="no setting 'lr'"):
        grid_search(prepared, {"lr": [1]}, base=BASE)
    with pytest.raises(ArgumentError, match="no settings to try"):
        grid_search(prepared, {"dropout": []}, base=BASE)
    with pytest.raises(ArgumentError, match="trials=0"):
        random_search(prepared, {}, 0)
    with pytest.raises(ArgumentError, match="low < high"):
        LogUniform(0, 1)
    with pytest.raises(ArgumentError, match="no validation rows"):
        empty = load_source("digits", fractions=(0.8, 0, 0.2))
        grid_search(empty, {"dropout": [0.0]}, base=BASE)
