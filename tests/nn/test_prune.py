"""Pruning against PyTorch's, and what it does to training, copies and states."""

from __future__ import annotations

import copy
import importlib
import pickle
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, ArgumentTypeError, ShapeError
from pellucid.nn.utils import prune


def _same_layers(layer: str = "Linear", *sizes: int) -> Any:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    theirs = getattr(torch.nn, layer)(*sizes)
    ours = getattr(nn, layer)(*sizes)
    ours.load_state_dict(theirs.state_dict())
    return importlib.import_module("torch.nn.utils.prune"), theirs, ours


SEQUENCES: list[list[tuple[str, dict[str, Any]]]] = [
    [("l1_unstructured", {"amount": 0.3})],
    [("l1_unstructured", {"amount": 5}), ("l1_unstructured", {"amount": 0.5})],
    [("ln_structured", {"amount": 2, "n": 2, "dim": 0})],
    [("ln_structured", {"amount": 0.5, "n": 1, "dim": -1}), ("l1_unstructured", {"amount": 3})],
    [("l1_unstructured", {"amount": 4}), ("ln_structured", {"amount": 1, "n": 2, "dim": 1})],
    [("ln_structured", {"amount": 1, "n": float("inf"), "dim": 0}), ("identity", {})],
    [("l1_unstructured", {"amount": 0}), ("l1_unstructured", {"amount": 1.0})],
]


@pytest.mark.parity
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_masks_are_pytorchs(sequence: list[tuple[str, dict[str, Any]]]) -> None:
    other, theirs, ours = _same_layers("Conv1d", 4, 5, 3)
    for name, settings in sequence:
        getattr(prune, name)(ours, "weight", **settings)
        getattr(other, name)(theirs, "weight", **settings)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        for (key, a), b in zip(
            ours.state_dict().items(), theirs.state_dict().values(), strict=True
        ):
            assert_close(a, b, 1e-6, 0, key)
        assert_close(ours.weight, theirs.weight, 1e-6)
    assert prune.is_pruned(ours)
    prune.remove(ours, "weight")
    other.remove(theirs, "weight")
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert_close(ours.weight, theirs.weight, 1e-6)
    assert not prune.is_pruned(ours)


@pytest.mark.parity
def test_several_tensors_as_one() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Linear(5, 2))
    ours = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2))
    ours.load_state_dict(theirs.state_dict())
    other = importlib.import_module("torch.nn.utils.prune")
    for model, library in ((ours, prune), (theirs, other)):
        pairs = [(model[0], "weight"), (model[1], "weight"), (model[1], "bias")]
        library.global_unstructured(pairs, library.L1Unstructured, amount=0.4)
        library.global_unstructured(pairs, library.L1Unstructured, amount=3)
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert_close(ours.state_dict()[key], value, 1e-6, 0, key)


def test_importance_scores_choose() -> None:
    layer = nn.Linear(3, 1)
    scores = pellucid.tensor([[3.0, 1.0, 2.0]])
    prune.l1_unstructured(layer, "weight", 1, importance_scores=scores)
    assert_close(layer.weight_mask, np.array([[1, 0, 1]], np.float32))
    with pytest.raises(ShapeError, match="one score for each"):
        prune.l1_unstructured(layer, "weight", 1, importance_scores=pellucid.ones(2))


@pytest.mark.parametrize("kind", ["random_unstructured", "random_structured"])
def test_random_pruning_takes_as_many_as_asked(kind: str) -> None:
    layer = nn.Linear(6, 4)
    more = {"dim": 1} if kind == "random_structured" else {}
    getattr(prune, kind)(layer, "weight", amount=2, **more)
    pruned = (layer.weight_mask == 0).numpy()
    assert pruned.sum() == (8 if more else 2)
    if more:
        assert sorted(set(pruned.sum(0))) == [0, 4]


def test_training_keeps_zeros_and_the_program_follows() -> None:
    layer = nn.Linear(4, 3)
    optimizer = pellucid.optim.SGD(layer.parameters(), lr=0.1)
    x = pellucid.arange(8.0).reshape(2, 4)

    @pellucid.compile
    def step() -> Any:
        optimizer.zero_grad()
        loss = (layer(x) - 1).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    prune.l1_unstructured(layer, "weight", 0.5)
    before = layer.weight_orig.detach().clone()
    optimizer = pellucid.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        step()
    mask = layer.weight_mask.numpy() == 0
    assert (layer.weight.detach().numpy()[mask] == 0).all()
    assert_close(layer.weight_orig.detach().numpy()[mask], before.numpy()[mask])
    assert not np.allclose(layer.weight_orig.detach().numpy()[~mask], before.numpy()[~mask])
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert_close(other.weight, layer.weight)
        prune.remove(other, "weight")
    fresh = prune.identity(nn.Linear(4, 3), "weight")
    fresh.load_state_dict(layer.state_dict())
    assert_close(fresh.weight, layer.weight)


def test_a_method_of_ones_own_and_pruning_of_a_bare_tensor() -> None:
    class EveryOther(prune.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t: Any, default_mask: Any) -> Any:
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    layer = nn.Linear(4, 1)
    EveryOther.apply(layer, "weight")
    assert_close(layer.weight_mask, np.array([[0, 1, 0, 1]], np.float32))
    left = prune.L1Unstructured(2).prune(pellucid.tensor([3.0, -1, 2, -4]))
    assert_close(left, np.array([3, 0, 0, -4], np.float32))


def test_refusals() -> None:
    layer = nn.Linear(3, 2)
    with pytest.raises(ArgumentTypeError, match="int or a float"):
        prune.l1_unstructured(layer, "weight", "a")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="a share from 0 to 1"):
        prune.l1_unstructured(layer, "weight", 1.5)
    with pytest.raises(ArgumentError, match="at most all"):
        prune.l1_unstructured(layer, "weight", 100)
    with pytest.raises(ArgumentError, match="has the parameters"):
        prune.l1_unstructured(layer, "wait", 1)
    with pytest.raises(ArgumentError, match="is not pruned"):
        prune.remove(layer, "bias")
    with pytest.raises(IndexError, match="2 axes"):
        prune.ln_structured(layer, "weight", 0.5, 2, 5)
    with pytest.raises(ShapeError, match="two axes"):
        prune.random_structured(layer, "bias", 1, 0)
    with pytest.raises(ShapeError, match="0 or 1 for each"):
        prune.custom_from_mask(layer, "weight", pellucid.ones(1))
    with pytest.raises(ArgumentTypeError, match="structured method"):
        prune.global_unstructured([(layer, "weight")], prune.LnStructured, amount=1, n=2)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
