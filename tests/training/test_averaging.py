"""Ensembles: networks trained side by side, whose predictions are averaged."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ArgumentError
from pellucid.data.sources import PreparedData, load_source
from pellucid.training.averaging import spread, train_model
from pellucid.training.config import TrainingConfig
from pellucid.training.ensembles import train_networks
from pellucid.training.history import Event
from pellucid.training.job import measure, train_network
from pellucid.training.network import Averaged, apply_head, build_network, parameter_shapes
from pellucid.training.run import train
from pellucid.training.saved_model import json_text_of
from pellucid.training.stored_run import restore

CONFIG = TrainingConfig(widths=(8,), epochs=12, patience=4, threads=1, ensemble=3)


@pytest.fixture(scope="module")
def table() -> PreparedData:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 4))
    kinds = np.array(["a", "b", "c"])[np.digitize(x[:, 0] * x[:, 1] + x[:, 2], [-0.5, 0.5])]
    return load_source({f"x{i}": x[:, i] for i in range(4)} | {"y": kinds}, "y")


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_probabilities_are_the_means_of_the_networks(kind: Any, compiled: bool) -> None:
    pellucid.manual_seed(0)
    outputs = 1 if kind == "binary" else 3
    model = build_network((4,), dataclasses.replace(CONFIG, ensemble=5), outputs, kind)
    assert isinstance(model, Averaged)
    # Scores of all sizes, also such whose exponentials overflow.
    x = pellucid.randn(30, 4) * pellucid.tensor(10.0) ** pellucid.linspace(-2, 4, 30)[:, None]
    heads = [apply_head(kind, n(x).detach().numpy()) for n in model.networks]
    run = pellucid.compile(model) if compiled else model
    found = apply_head(kind, run(x).detach().numpy())
    np.testing.assert_allclose(found, np.mean(heads, 0), rtol=2e-4, atol=1e-6)


def test_shapes_are_those_of_all_networks(table: PreparedData) -> None:
    built = build_network((4,), CONFIG, 3, "multiclass")
    shapes = {name: tuple(p.shape) for name, p in built.named_parameters()}
    assert parameter_shapes(4, CONFIG, 3) == shapes
    with pytest.raises(ArgumentError, match="needs to know the task"):
        build_network((4,), CONFIG, 3)


def test_each_network_is_the_one_that_its_seed_gives_alone(table: PreparedData) -> None:
    found = train_model(table, CONFIG, watch=False)
    lengths = []
    for number, network in enumerate(found.model.networks):
        config = dataclasses.replace(CONFIG, ensemble=1, seed=number)
        alone = train_network(table, config, watch=False)
        lengths.append(len(alone.history))
        for (_, one), (_, other) in zip(
            network.named_parameters(), alone.model.named_parameters(), strict=True
        ):
            np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-5)
    assert len(found.history) == max(lengths)
    with pytest.raises(ArgumentError, match="one network, and one has"):
        train_networks(table, [CONFIG])
    with pytest.raises(ArgumentError, match="Weights to begin with"):
        train_model(table, CONFIG, weights=found.weights)


def test_epochs_are_told_as_means(table: PreparedData) -> None:
    events: list[Event] = []
    found = train_model(table, CONFIG, [events.append], watch=False)
    told = [e.facts["record"] for e in events if e.kind == "epoch"]
    assert [r.epoch for r in told] == list(range(1, len(found.history) + 1))
    silent = train_model(table, CONFIG, watch=False)
    np.testing.assert_allclose([r.loss for r in told], silent.history["loss"], rtol=1e-6)
    np.testing.assert_allclose(
        found.history["validation_loss"], silent.history["validation_loss"], rtol=1e-6
    )
    assert (events[0].kind, events[-1].kind) == ("start", "stop")


def test_a_time_limit_holds_for_all_networks_together(table: PreparedData) -> None:
    config = dataclasses.replace(CONFIG, epochs=1_000_000, patience=0, max_minutes=0.01)
    found = train_model(table, config, watch=False)
    assert found.history.status == "out of time"
    assert found.history.seconds < 5
    assert len(found.history) > 1


def test_a_run_keeps_all_networks_in_one_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 3))
    rows = {f"x{i}": x[:, i] for i in range(3)} | {"y": x[:, 0] * x[:, 1]}
    outcome = train(rows, "y", CONFIG, output=tmp_path / "run")
    assert outcome.complete
    saved, network = restore(outcome.folder)
    test = outcome.result.prepared.test
    scores = network(pellucid.tensor(test.features)).detach().numpy()
    predictions = outcome.result.prepared.target_scaler.inverse(scores)  # type: ignore[union-attr]
    np.testing.assert_allclose(predictions, outcome.result.predictions["test"], rtol=1e-4)
    mean, deviation = outcome.result.single["test"]
    assert saved.figures["one network, test"] == {"rmse": mean, "deviation": deviation}
    assert saved.config.ensemble == 3 and "networks.2.0.weight" in json_text_of(saved.to_json())
    apart = spread(network, saved.task, test.features, saved.target_scaler)
    own = np.stack([n(pellucid.tensor(test.features)).detach().numpy() for n in network.networks])
    units = np.stack([saved.target_scaler.inverse(one) for one in own])  # type: ignore[union-attr]
    np.testing.assert_allclose(apart, units.std(0, ddof=1), rtol=1e-4)


def test_estimators_take_ensembles() -> None:
    pytest.importorskip("sklearn")
    from pellucid.estimators import NetClassifier

    rng = np.random.default_rng(2)
    x = rng.normal(size=(120, 3))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    many = NetClassifier(widths=(8,), epochs=10, ensemble=3, random_state=0).fit(x, y)
    assert isinstance(many._networks[0]._network(), Averaged)
    probabilities = many.predict_proba(x)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    with pytest.raises(ArgumentError, match="partial_fit with ensemble=3"):
        many.partial_fit(x, y)


def test_measured_one_by_one(table: PreparedData) -> None:
    found = train_model(table, CONFIG, watch=False)
    measure(found)
    alone = []
    for number in range(3):
        one = train_network(
            table, dataclasses.replace(CONFIG, ensemble=1, seed=number), watch=False
        )
        measure(one)
        alone.append(one.figures["test"].values["accuracy"])
    assert found.single["test"] == pytest.approx((np.mean(alone), np.std(alone, ddof=1)), rel=1e-6)
