"""Explanations of one answer: which score, of which row, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, NonFiniteError, OutOfRangeError, ShapeError
from pellucid.insight.explain import (
    grad_cam,
    permutation_importance,
    saliency,
    shapley_values,
)
from pellucid.insight.pictures import sample_function
from pellucid.models.seq2seq import Seq2Seq


def two_scores() -> nn.Linear:
    net = nn.Linear(3, 2)
    with pellucid.no_grad():
        net.weight.copy_(pellucid.tensor([[1.0, 2, 3], [10, 20, 30]]))
        net.bias.zero_()
    return net


ONES = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    "output", [np.array([0, 1]), [0, 1], pellucid.tensor([0, 1]), [(0,), (1,)], [0, -1]]
)
def test_saliency_takes_one_class_for_each_row(output: Any) -> None:
    assert saliency(two_scores(), ONES, output).tolist() == [[1, 2, 3], [10, 20, 30]]


def test_saliency_of_one_class_and_of_the_largest_score() -> None:
    assert saliency(two_scores(), ONES, 0).tolist() == [[1, 2, 3], [1, 2, 3]]
    assert saliency(two_scores(), ONES, np.int64(1)).tolist() == [[10, 20, 30]] * 2
    assert saliency(two_scores(), ONES).tolist() == [[10, 20, 30]] * 2


def test_scores_with_several_axes_are_chosen_by_a_position_on_each() -> None:
    class Grid(nn.Module):
        def forward(self, x: Any) -> Any:
            return pellucid.stack([x, x * 2], 1)  # (rows, 2, 3)

    assert saliency(Grid(), ONES, (1, 2)).tolist() == [[0, 0, 2], [0, 0, 2]]
    assert saliency(Grid(), ONES, [(0, 0), (1, 1)]).tolist() == [[1, 0, 0], [0, 2, 0]]
    with pytest.raises(ShapeError, match=r"no position among scores of shape \(2, 3\)"):
        saliency(Grid(), ONES, 4)


@pytest.mark.parametrize(
    ("output", "kind", "text"),
    [
        (2, OutOfRangeError, r"target=2 for scores of shape \(2,\)"),
        ([0, 5], OutOfRangeError, "positions from 0 to 1"),
        ([0, 1, 0], ShapeError, "3 positions for 2 rows"),
        (True, ShapeError, "target=True is no position"),
        ([0.5, 1.0], ShapeError, "target=0.5 is no position"),
    ],
)
def test_positions_that_do_not_fit_are_refused(output: Any, kind: Any, text: str) -> None:
    with pytest.raises(kind, match=text):
        saliency(two_scores(), ONES, output)


def test_grad_cam_takes_one_class_for_each_row() -> None:
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(3 * 16, 2))
    images = pellucid.randn(2, 1, 6, 6)
    both = grad_cam(model, model[0], images, [0, 1])
    assert_close(both[0], grad_cam(model, model[0], images, 0)[0], 1e-6, 1e-7)
    assert_close(both[1], grad_cam(model, model[0], images, 1)[1], 1e-6, 1e-7)
    assert np.abs(both[0] - grad_cam(model, model[0], images, 1)[0]).max() > 0.01


def test_shapley_values_of_several_outputs_need_a_choice() -> None:
    weights = np.array([[1.0, 10.0], [2.0, 20.0]])
    background = np.zeros((4, 2))

    def predict(x: Any) -> Any:
        return np.asarray(x) @ weights

    with pytest.raises(ArgumentError, match="a predict with 2 outputs\n.*output=0"):
        shapley_values(predict, np.ones(2), background)
    assert shapley_values(predict, np.ones(2), background, 0).tolist() == [1, 2]
    assert shapley_values(predict, np.ones(2), background, output=1).tolist() == [10, 20]
    with pytest.raises(OutOfRangeError, match="output=2 for 2 outputs"):
        shapley_values(predict, np.ones(2), background, 2)


def test_answers_that_are_not_finite_have_no_shares() -> None:
    def broken(x: Any) -> Any:
        return np.full(len(x), np.nan)

    with pytest.raises(NonFiniteError, match="predict gave NaN or infinity"):
        shapley_values(broken, np.ones(2), np.zeros((3, 2)))
    with pytest.raises(NonFiniteError, match="model gives NaN or infinity"):
        permutation_importance(
            broken, np.ones((4, 2)), np.ones(4), lambda wanted, given: float(given.mean())
        )


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.softmax(0),
        lambda x: x - x.mean(),
        lambda x: x.cumsum(0).flip(0),
        lambda x: nn.functional.dropout(x, 0.5),
    ],
    ids=["softmax", "centred", "sums", "dropout"],
)
def test_curves_are_drawn_of_functions_of_one_number_only(function: Any) -> None:
    with pytest.raises(ArgumentError, match="does not work element by element"):
        sample_function(function)


def test_curves_of_functions_of_one_number() -> None:
    curve = sample_function(lambda x: x.tanh(), -1, 1, 5)
    assert_close(curve.derivative, 1 - np.tanh(curve.x) ** 2, 1e-12, 1e-14)


@pytest.mark.parametrize("view", ["state", "peek"])
def test_a_network_without_attention_has_no_map_of_it(view: str) -> None:
    ids = pellucid.zeros(2, 5, dtype=pellucid.int64)
    with pytest.raises(ArgumentError, match=f"view='{view}', a network without attention"):
        Seq2Seq(10, 8, 16, view=view).attention(ids, ids)
    maps = Seq2Seq(10, 8, 16, view="attention").attention(ids, ids)
    assert_close(maps.sum(-1), np.ones((2, 5)), 1e-5, 1e-6)


def test_seq2seq_starts_from_the_weights_of_the_textbook() -> None:
    pellucid.manual_seed(1)
    model = Seq2Seq(tokens=13, features=16, hidden=128, view="peek")
    for name, parameter in model.named_parameters():
        value = parameter.detach()
        if value.dim() < 2:
            assert not value.any().item(), name
            continue
        wanted = 0.01 if "embedding" in name else 1 / np.sqrt(value.shape[1])
        assert value.std().item() == pytest.approx(wanted, rel=0.15), name
