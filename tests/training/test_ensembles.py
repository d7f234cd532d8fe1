"""Many networks as one program: each gets what it gets alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from pellucid.data.sources import PreparedData, load_source
from pellucid.training import ensembles, groups
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
    weighted = alone.prepared.train.weights is not None
    for name in ("loss", "validation_loss") if weighted else ("loss", "validation_loss", "metric"):
        np.testing.assert_allclose(
            together.history[name], alone.history[name], rtol=1e-6, atol=1e-7, err_msg=name
        )
    for name, weights in alone.weights.items():
        np.testing.assert_allclose(together.weights[name], weights, rtol=1e-5, atol=1e-7)


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


@pytest.fixture
def grouped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the groups that were trained together."""
    sizes: list[int] = []
    real = ensembles.Group

    def counted(template: Any, data: Any, configs: Any, *args: Any, **options: Any) -> Any:
        sizes.append(len(configs))
        return real(template, data, configs, *args, **options)

    monkeypatch.setattr(ensembles, "Group", counted)
    return sizes


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 1e-2},
        {"optimizer": "rmsprop", "momentum": 0.5},
        {"optimizer": "nadam"},
        {"class_weight": "balanced"},
        {"schedule": "cosine"},
        {"schedule": "plateau", "patience": 4},
        {"schedule": "one_cycle", "learning_rate": 1e-2},
        {"warmup": 2.5, "schedule": "linear"},
        {"ema_decay": 0.9},
        {"clip_norm": 0.5, "l1": 1e-3},
        {"loss": "focal_loss", "activation": "gelu", "dropout": 0.3},
    ],
    ids=lambda s: "-".join(map(str, s.values())),
)
def test_every_kind_of_training_gives_what_it_gives_alone(
    settings: dict[str, Any], table: PreparedData, grouped: list[int]
) -> None:
    base = dataclasses.replace(BASE, epochs=20, **settings)
    configs = [
        dataclasses.replace(base, seed=seed, learning_rate=base.learning_rate * factor)
        for seed, factor in ((1, 1.0), (2, 0.3), (3, 3.0))
    ]
    found = train_networks(table, configs)
    assert grouped == [3]
    for together, config in zip(found, configs, strict=True):
        alone = train_network(table, config, watch=False)
        agree(together, alone)
        np.testing.assert_allclose(
            together.history["learning_rate"], alone.history["learning_rate"], rtol=1e-6
        )


def test_rows_with_weights_and_several_labels(grouped: list[int]) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(260, 3)).astype(np.float32)
    labels = {f"y{i}": (x[:, i] + 0.3 * rng.normal(size=260) > 0).astype(int) for i in range(2)}
    prepared = load_source({f"x{i}": x[:, i] for i in range(3)} | labels, ("y0", "y1"))
    for part in (prepared.train, prepared.validation):
        object.__setattr__(part, "weights", rng.uniform(0.5, 2.0, len(part)))
    configs = [dataclasses.replace(BASE, seed=seed) for seed in range(3)]
    for together, config in zip(train_networks(prepared, configs), configs, strict=True):
        agree(together, train_network(prepared, config, watch=False))
    assert grouped == [3]


def test_networks_that_end_at_other_times_and_long_epochs_in_slices(
    table: PreparedData, grouped: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [
        dataclasses.replace(BASE, batch_size=8, epochs=epochs, seed=epochs, patience=patience)
        for epochs, patience in ((3, 0), (17, 2), (40, 3), (9, 0), (33, 0))
    ]
    alone = [train_network(table, config, watch=False) for config in configs]
    for seconds in (groups.SLICE_SECONDS, 1e-6):
        monkeypatch.setattr(groups, "SLICE_SECONDS", seconds)
        for together, one in zip(train_networks(table, configs), alone, strict=True):
            agree(together, one)
    assert grouped == [5, 5]


def test_networks_are_told_of_and_stopped_one_by_one(
    table: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[int, list[int]] = {0: [], 1: [], 2: []}

    def watch(number: int, record: Any) -> bool:
        told[number].append(record.epoch)
        return number == 1 and record.epoch == 4

    configs = [dataclasses.replace(BASE, seed=seed) for seed in range(3)]
    found = train_networks(table, configs, watch=watch)
    assert told == {0: [*range(1, 9)], 1: [1, 2, 3, 4], 2: [*range(1, 9)]}
    assert [r.history.status for r in found] == ["finished", "stopped", "finished"]
    agree(found[2], train_network(table, configs[2], watch=False))
    monkeypatch.setattr(groups, "MOST_ROUNDS", 2)
    calls = iter(range(100))
    ended = train_networks(table, configs, ended=lambda: "stopped" if next(calls) > 1 else "")
    assert {(r.history.status, len(r.history)) for r in ended} == {("stopped", 4)}


def test_images_learn_together(grouped: list[int]) -> None:
    rng = np.random.default_rng(4)
    images = rng.random((160, 8, 8)).astype(np.float32)
    kinds = (images[:, :4].mean((1, 2)) > images[:, 4:].mean((1, 2))).astype(int)
    prepared = load_source((images, kinds))
    settings: dict[str, Any] = {"model": "cnn", "channels": (4,), "widths": (), "patience": 0}
    base = TrainingConfig(epochs=3, normalization="batch", threads=1, **settings)
    configs = [dataclasses.replace(base, seed=seed) for seed in range(2)]
    for together, config in zip(train_networks(prepared, configs), configs, strict=True):
        agree(together, train_network(prepared, config, watch=False))
