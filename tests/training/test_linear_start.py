"""Networks for tables begin at the linear model, so few rows reach it."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid.data.sources import PreparedData, load_source
from pellucid.training.config import TrainingConfig
from pellucid.training.job import measure, train_network
from pellucid.training.linear_models import (
    class_probabilities,
    logistic_regression,
    ridge,
    streamed_logistic_regression,
)
from pellucid.training.linear_start import linear_solution, start_at_linear, starts_linear
from pellucid.training.network import build_mlp


def linear_table(seed: int, noise: float) -> PreparedData:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 5))
    y = x @ rng.normal(size=5) + noise * rng.normal(size=300)
    table = {f"x{i}": x[:, i] for i in range(5)} | {"y": y}
    return load_source(table, "y", seed=seed, keep_leaks=True)


@pytest.mark.parametrize(
    "activation", ["relu", "leaky_relu", "gelu", "silu", "softplus", "identity"]
)
@pytest.mark.parametrize("widths", [(8,), (16, 8), (9, 8, 12)])
def test_the_first_weights_compute_the_linear_model(
    activation: str, widths: tuple[int, ...], rng: np.random.Generator
) -> None:
    weights, bias = rng.normal(size=(5, 3)), rng.normal(size=3)
    model = build_mlp(5, TrainingConfig(activation=activation, widths=widths), 3)
    start_at_linear(model, weights, bias, activation)
    x = rng.normal(size=(40, 5)).astype(np.float32)
    np.testing.assert_allclose(
        model(pellucid.tensor(x)).detach().numpy(), x @ weights + bias, atol=2e-5
    )


def test_the_solution_is_that_of_the_simple_model(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 2))
    kinds = np.array(["a", "b", "c"])[(x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)]
    table = {"u": x[:, 0], "v": x[:, 1]}
    three = load_source(table | {"y": kinds}, "y")
    weights, bias = linear_solution(three)
    expected = logistic_regression(three.train.features, three.train.targets, 3)
    np.testing.assert_allclose(weights, expected[0])
    np.testing.assert_allclose(bias, expected[1])
    two = load_source(table | {"y": kinds == "a"}, "y")
    weights, bias = linear_solution(two)
    both = logistic_regression(two.train.features, two.train.targets.astype(int), 2)
    np.testing.assert_allclose(weights[:, 0], both[0][:, 1])
    number = load_source(table | {"y": x.sum(axis=1) + rng.normal(size=200)}, "y")
    np.testing.assert_allclose(
        linear_solution(number)[0], ridge(number.train.features, number.train.targets)[0]
    )


@pytest.mark.parametrize("noise", [0.1, 0.01, 0.0])
def test_few_nearly_linear_rows_reach_the_linear_model(noise: float) -> None:
    for seed in range(3):
        result = train_network(linear_table(seed, noise), TrainingConfig(seed=seed))
        measure(result)
        assert result.baselines is not None and result.baselines.linear.test is not None
        own, other = result.figures["test"]["rmse"], result.baselines.linear.test["rmse"]
        assert own <= 1.1 * other, (seed, own, other)


def test_a_start_that_no_epoch_beats_is_kept() -> None:
    result = train_network(linear_table(0, 1.0), TrainingConfig(learning_rate=0.1, epochs=5))
    assert result.history.best_epoch == 0
    expected = linear_solution(result.prepared)
    features = result.prepared.test.features
    np.testing.assert_allclose(
        result.model(pellucid.tensor(features)).detach().numpy(),
        features @ expected[0] + expected[1],
        atol=1e-4,
    )


def test_who_starts_there() -> None:
    table = linear_table(0, 1.0)
    assert starts_linear(table, TrainingConfig())
    for settings in (
        {"start": "random"},
        {"widths": ()},
        {"activation": "tanh"},
        {"initialization": "zeros"},
        {"dropout": 0.2},
        {"widths": (64, 3)},
        {"loss": "l1_loss"},
    ):
        assert not starts_linear(table, TrainingConfig(**settings)), settings  # type: ignore[arg-type]
    assert starts_linear(table, TrainingConfig(start="linear", dropout=0.2))
    assert not starts_linear(load_source("digits"), TrainingConfig())


def test_few_rows_get_more_epochs_and_given_numbers_stay() -> None:
    assert (
        TrainingConfig().for_rows(50_000).epochs,
        TrainingConfig().for_rows(50_000).patience,
    ) == (
        100,
        10,
    )
    few = TrainingConfig().for_rows(200)  # four updates an epoch
    assert (few.epochs, few.patience) == (500, 150)
    # One cycle over few pictures: two updates an epoch, 600 in all; over many 4,000, as before.
    pictures = TrainingConfig.suited_to((28, 28))
    assert pictures.for_rows(130).epochs == 300 and pictures.for_rows(60_000).epochs == 9
    given = TrainingConfig(epochs=3, patience=0).for_rows(200)
    assert (given.epochs, given.patience) == (3, 0)
    old = TrainingConfig().to_json()
    del old["start"]
    assert TrainingConfig.from_json(old).start == "random"


def test_passes_over_the_rows_come_near_the_minimum(rng: np.random.Generator) -> None:
    """Against L-BFGS on the same objective: hardly more loss."""
    x = rng.normal(size=(6000, 10)).astype(np.float32)
    labels = (x[:, :3] + 0.5 * rng.normal(size=(6000, 3))).argmax(axis=1)
    losses = []
    for weights, bias in (
        logistic_regression(x, labels, 3),
        streamed_logistic_regression(x, labels, 3),
    ):
        chances = class_probabilities(x, weights, bias)
        losses.append(-np.log(chances[np.arange(6000), labels]).mean())
    assert losses[1] < losses[0] * 1.02
