"""Searching for settings looks at validation rows only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pellucid import nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.data.sources import load_source
from pellucid.training.search import Choice, LogUniform, Uniform, grid_search, search
from pellucid.training.trainer import Trainer


def build(settings: dict[str, Any]) -> Trainer:
    width = settings.get("width", 8)
    model = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 2))
    optimizer = optim.Adam(model.parameters(), lr=settings["lr"])
    return Trainer(model, "cross_entropy", optimizer, compile=False)


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Any, Any]:
    x = rng.normal(size=(200, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    return (x[:150], y[:150]), (x[150:], y[150:])


def test_C21_a_grid_tries_every_combination_and_keeps_the_best(rows: tuple[Any, Any]) -> None:
    found = grid_search(build, {"lr": [1e-5, 0.03], "width": [4, 8]}, *rows, epochs=4)
    tried = {(trial.settings["lr"], trial.settings["width"]) for trial in found.trials}
    assert tried == {(1e-5, 4), (1e-5, 8), (0.03, 4), (0.03, 8)}
    assert found.best.settings["lr"] == 0.03
    losses = [trial.loss for trial in found.trials]
    assert losses == sorted(losses)


def test_C21_draws_are_even_in_the_logarithm_and_repeat(rows: tuple[Any, Any]) -> None:
    generator = np.random.default_rng(0)
    drawn = [LogUniform(1e-4, 1e-1).draw(generator) for _ in range(3000)]
    assert min(drawn) >= 1e-4 and max(drawn) <= 1e-1
    assert np.mean(np.log10(drawn) < -2.5) == pytest.approx(0.5, abs=0.03)
    even = [Uniform(2, 4).draw(generator) for _ in range(3000)]
    assert np.mean(even) == pytest.approx(3, abs=0.05)
    space = {"lr": LogUniform(1e-4, 1e-1), "width": Choice(4, 8)}
    first = search(build, space, *rows, trials=3, seed=5, epochs=2)
    assert first == search(build, space, *rows, trials=3, seed=5, epochs=2)


def test_C22_the_test_part_is_refused(rows: tuple[Any, Any]) -> None:
    with pytest.raises(ArgumentError, match="search got a test set"):
        search(build, {"lr": [0.1]}, *rows, test=rows[1])
    with pytest.raises(ArgumentError, match="no validation rows"):
        search(build, {"lr": [0.1]}, rows[0])
    with pytest.raises(ArgumentError, match="training rows as validation rows"):
        grid_search(build, {"lr": [0.1]}, rows[0], rows[0])
    prepared = load_source({"a": np.arange(40.0), "y": ["p", "n"] * 20}, "y")
    with pytest.raises(ArgumentError, match="test rows of the prepared data"):
        search(build, {"lr": [0.1]}, prepared, prepared.test)


def test_a_trial_that_ends_in_nan_comes_last(rows: tuple[Any, Any]) -> None:
    def wild(settings: dict[str, Any]) -> Trainer:
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        sgd = optim.SGD(model.parameters(), lr=settings["lr"])
        return Trainer(model, "mse_loss", sgd, compile=False)

    pairs = [(x, y[:, None].astype(np.float32)) for x, y in rows]
    found = grid_search(wild, {"lr": [1e6, 0.01]}, *pairs, epochs=20)
    assert found.best.settings["lr"] == 0.01 and found.trials[-1].loss == math.inf


def test_senseless_searches_are_refused(rows: tuple[Any, Any]) -> None:
    with pytest.raises(ArgumentError, match="trials=0"):
        search(build, {"lr": [0.1]}, *rows, trials=0)
    with pytest.raises(ArgumentError, match="space to search is empty"):
        grid_search(build, {}, *rows)
    with pytest.raises(ArgumentError, match="low < high"):
        LogUniform(0, 1)
    with pytest.raises(ArgumentError, match="List the values"):
        grid_search(build, {"lr": LogUniform(0.1, 1)}, *rows)
    with pytest.raises(ArgumentError, match="Choice got no values"):
        Choice()
