"""Many networks as one program: each gets what it gets alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from pellucid.data.sources import PreparedData, load_source
from pellucid.training.config import TrainingConfig
from pellucid.training.ensembles import train_networks
from pellucid.training.job import RunResult, train_network

BASE = TrainingConfig(widths=(16, 8), epochs=8, patience=0, threads=1)


@pytest.fixture(scope="module")
def table() -> PreparedData:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6))
    kinds = np.array(["a", "b", "c"])[np.digitize(x[:, 0] * x[:, 1] + x[:, 2], [-0.5, 0.5])]
    return load_source({f"x{i}": x[:, i] for i in range(6)} | {"y": kinds}, "y")


def agree(together: RunResult, alone: RunResult) -> None:
    """The same epochs and, to rounding, the same losses and weights."""
    assert len(together.history) == len(alone.history)
    assert together.history.best_epoch == alone.history.best_epoch
    assert together.history.status == alone.history.status
    for name in ("loss", "validation_loss", "metric"):
        np.testing.assert_allclose(
            together.history[name], alone.history[name], rtol=2e-4, atol=1e-5, err_msg=name
        )
    for name, weights in alone.weights.items():
        np.testing.assert_allclose(together.weights[name], weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        [{"seed": s} for s in range(3)],
        [{"learning_rate": r, "start": "random"} for r in (1e-4, 1e-3, 1e-2)],
        [{"l2": d, "seed": 4, "start": "random"} for d in (0.0, 0.1, 10.0)],
        [{"dropout": p, "seed": s, "start": "random"} for s, p in enumerate((0.0, 0.1, 0.5))],
    ],
    ids=["seed", "rate", "decay", "dropout"],
)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_each_network_gets_what_it_gets_alone(
    settings: list[dict[str, Any]], optimizer: str, table: PreparedData
) -> None:
    base = dataclasses.replace(BASE, optimizer=optimizer, learning_rate=3e-3)
    configs = [dataclasses.replace(base, **changed) for changed in settings]
    found = train_networks(table, configs)
    for together, config in zip(found, configs, strict=True):
        agree(together, train_network(table, config, watch=False))


def test_early_stopping_is_each_networks_own(table: PreparedData) -> None:
    base = dataclasses.replace(BASE, epochs=60, patience=3, start="random")
    configs = [dataclasses.replace(base, learning_rate=rate) for rate in (3e-4, 3e-2)]
    found = train_networks(table, configs)
    lengths = [len(result.history) for result in found]
    assert lengths[1] < lengths[0]
    assert found[1].history.status == "stopped early"
    for together, config in zip(found, configs, strict=True):
        agree(together, train_network(table, config, watch=False))


def test_numbers_are_predicted_and_other_shapes_trained_apart() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 3))
    source = {f"x{i}": x[:, i] for i in range(3)} | {"y": x[:, 0] * x[:, 1] + 0.1 * x[:, 2]}
    prepared = load_source(source, "y")
    others = [{"widths": (8,)}, {"clip_norm": 1.0}, {"seed": 1}, {}]
    configs = [dataclasses.replace(BASE, **changed) for changed in others]
    found = train_networks(prepared, configs)
    assert [r.config.widths for r in found] == [(8,), (16, 8), (16, 8), (16, 8)]
    for together, config in zip(found, configs, strict=True):
        agree(together, train_network(prepared, config, watch=False))


def test_one_that_diverges_does_not_disturb_the_others(table: PreparedData) -> None:
    base = dataclasses.replace(BASE, optimizer="sgd", start="random")
    settings = ({"learning_rate": 1e-2, "l2": 0.0}, {"learning_rate": 1e3, "l2": 1e3})
    configs = [dataclasses.replace(base, **changed) for changed in settings]
    fine, broken = train_networks(table, configs)
    assert broken.failure is not None and broken.history.status == "not finite"
    agree(fine, train_network(table, configs[0], watch=False))
