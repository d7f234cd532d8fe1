"""What is said of the end of a network where loss and last activation are of different kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Tensor, nn
from pellucid.insight import doctor
from pellucid.nn import functional as F

X = np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)
LABELS = (X[:, :3] > 0).astype(np.float32)
CLASSES = X[:, :3].argmax(1)
ONE_HOT = np.eye(3, dtype=np.float32)[CLASSES]
NUMBERS = X @ np.ones((5, 1), np.float32)


def causes(end: list[nn.Module], targets: Any, loss: Callable[[Any, Any], Tensor], units: int = 3,
           ) -> list[str]:  # fmt: skip
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, units), *end)
    return [f.cause for f in doctor.examine(model, (X, targets), loss=loss)]


def categorical(p: Tensor, y: Tensor) -> Tensor:
    return -(y * (p + 1e-7).log()).sum(1).mean()


def by_hand(p: Tensor, y: Tensor) -> Tensor:
    return -(y * (p + 1e-7).log() + (1 - y) * (1 - p + 1e-7).log()).mean()


@pytest.mark.parametrize("loss", [F.binary_cross_entropy, by_hand, F.mse_loss])
def test_a_softmax_cannot_give_several_labels(loss: Any) -> None:
    assert causes([nn.Softmax(dim=1)], LABELS, loss) == ["ACT_OUT"]
    assert causes([nn.Sigmoid()], LABELS, loss) == []


def test_sigmoids_are_not_made_to_choose_by_a_categorical_loss() -> None:
    assert causes([nn.Sigmoid()], ONE_HOT, categorical) == ["ACT_OUT"]
    assert causes([nn.Softmax(dim=1)], ONE_HOT, categorical) == []
    assert causes([nn.Sigmoid()], ONE_HOT, by_hand) == [], "each class for itself is a way"


def test_a_loss_that_falls_without_end_is_wrong() -> None:
    assert causes([], NUMBERS, lambda a, y: (a - y).mean(), 1) == ["LOSS_WRONG"]
    assert causes([], NUMBERS, lambda a, y: (a - y).abs().mean(), 1) == []
    assert causes([], NUMBERS, lambda a, y: ((a - y) ** 4).mean(), 1) == []


def test_counts_may_have_a_loss_of_their_logarithms() -> None:
    rates = np.exp(0.5 + 0.8 * X[:, :1])
    counts = np.random.default_rng(1).poisson(rates).astype(np.float32)
    assert causes([], counts, lambda s, y: (s.exp() - y * s).mean(), 1) == []


def test_half_of_a_loss_of_two_classes_is_seen() -> None:
    y = LABELS[:, :1]
    assert causes([nn.Sigmoid()], y, lambda p, t: -(t * (p + 1e-7).log()).mean(), 1)[:1] == [
        "LOSS_WRONG"
    ]
    assert causes([], y, lambda s, t: (1 - t * s).clamp(min=0).mean(), 1)[:1] == ["LOSS_WRONG"]
    assert causes([], 2 * y - 1, lambda s, t: (1 - t * s).clamp(min=0).mean(), 1) == []
    assert causes([nn.Sigmoid()], y, by_hand, 1) == []


def test_one_output_beside_two_columns_is_too_few() -> None:
    two = np.concatenate([NUMBERS, -2 * NUMBERS], 1)
    assert causes([], two, lambda a, y: ((a - y) ** 2).mean(), 1)[:1] == ["OUT_UNITS"]
    assert causes([], two, lambda a, y: ((a - y) ** 2).mean(), 2) == []


def test_outputs_without_an_axis_are_judged() -> None:
    y = LABELS[:, 0]
    assert causes([nn.Flatten(0)], y, lambda a, t: (a - t).abs().mean(), 1) == []
