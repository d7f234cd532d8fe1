"""The settings: one object, checked, with messages that say what is allowed."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pellucid.base.errors import ArgumentError, RunFolderError
from pellucid.training.config import TrainingConfig, setting_reason


def test_C20_every_hyperparameter_is_set_from_one_object() -> None:
    """Iterations, L1 and L2, activation, nodes of each layer, number of layers, the way weights
    start, and the learning rate."""
    config = TrainingConfig(
        epochs=7,
        l1=0.001,
        l2=0.02,
        activation="tanh",
        widths=(32, 16, 8),
        initialization="xavier_uniform",
        learning_rate=0.05,
        loss="cross_entropy",
        optimizer="sgd",
        momentum=0.5,
        batch_size=10,
        dropout=0.1,
        patience=3,
        seed=5,
        threads=1,
        fractions=(0.6, 0.2, 0.2),
        schedule="cosine",
        clip_norm=1.0,
    )
    assert (config.widths, config.weight_decay, config.epochs) == ((32, 16, 8), 0.02, 7)


def test_D48_the_default_is_adamw_with_a_learning_rate_of_a_thousandth() -> None:
    config = TrainingConfig()
    assert (config.optimizer, config.learning_rate, config.weight_decay) == ("adamw", 0.001, 1.0)
    assert TrainingConfig(optimizer="sgd").weight_decay == 0.0


def test_every_setting_has_a_reason() -> None:
    for item in dataclasses.fields(TrainingConfig):
        assert len(setting_reason(item.name)) > 15


def test_settings_survive_json() -> None:
    config = TrainingConfig(widths=(), fractions=(0.8, 0.1, 0.1), l2=0.5, compile=False)
    assert TrainingConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"activation": "rleu"}, r"activation='rleu' is unknown\n  Did you mean relu"),
        ({"optimizer": "adm"}, "Did you mean adam"),
        ({"loss": "entropy"}, "Did you mean cross_entropy"),
        ({"schedule": "cosin"}, "Did you mean cosine"),
        ({"initialization": "he"}, "The choices are he_normal, he_uniform"),
        ({"epochs": 0}, r"epochs=0 is not allowed\n  Whole numbers from 1 to 10000000"),
        ({"epochs": 1.5}, "epochs=1.5 is not allowed"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"learning_rate": float("inf")}, "learning_rate=inf"),
        ({"learning_rate": -1}, "Numbers from 1e-12 to 1000 are allowed"),
        ({"dropout": 0.99}, "Numbers from 0 to 0.95"),
        ({"widths": (16, 0)}, "widths=0 is not allowed"),
        ({"widths": 16}, "no list of numbers"),
        ({"widths": (1,) * 1001}, "at most 1000 hidden layers"),
        ({"batch_size": True}, "batch_size=True"),
        ({"seed": 10**30}, "seed=1000000000"),
        ({"fractions": (0.5, 0.5, 0.5)}, "sum to 1.5"),
        ({"compile": "yes"}, "compile='yes'"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(given: dict[str, object], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        TrainingConfig(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("seed"),
        lambda d: d.update(extra=1),
        lambda d: d.update(widths="128"),
        lambda d: d.update(widths=[[1]]),
        lambda d: d.update(activation=["relu"]),
        lambda d: d.update(epochs=10**400),
        lambda d: d.update(activation="__class__"),
        lambda d: d.update(l1=None),
    ],
)
def test_settings_from_a_damaged_file_are_refused(damage: object) -> None:
    data = TrainingConfig().to_json()
    damage(data)  # type: ignore[operator]
    with pytest.raises(RunFolderError, match="config"):
        TrainingConfig.from_json(data)
    with pytest.raises(RunFolderError, match="config"):
        TrainingConfig.from_json([])


def test_B58_a_loss_that_does_not_fit_the_task_is_refused() -> None:
    assert TrainingConfig().loss_for("regression", "mse_loss") == "mse_loss"
    assert TrainingConfig(loss="huber_loss").loss_for("regression", "mse_loss") == "huber_loss"
    with pytest.raises(ArgumentError, match="does not fit a binary task"):
        TrainingConfig(loss="mse_loss").loss_for("binary", "binary_cross_entropy_with_logits")
