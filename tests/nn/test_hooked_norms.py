"""The older weight norm and spectral norm, against PyTorch's and against themselves compiled."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, NamingError
from pellucid.nn import utils


def _pair(kind: str, layer: str, sizes: tuple[int, ...], settings: dict[str, Any]) -> Any:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        theirs = getattr(torch.nn.utils, kind)(getattr(torch.nn, layer)(*sizes), **settings)
    ours = getattr(utils, kind)(getattr(nn, layer)(*sizes), **settings)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    return torch, theirs, ours


CASES: list[tuple[str, str, tuple[int, ...], dict[str, Any]]] = [
    ("weight_norm", "Linear", (4, 3), {}),
    ("weight_norm", "Linear", (4, 3), {"dim": None}),
    ("weight_norm", "Conv1d", (4, 3, 2), {"dim": 1}),
    ("spectral_norm", "Linear", (4, 3), {}),
    ("spectral_norm", "Conv1d", (4, 3, 2), {"n_power_iterations": 3}),
    ("spectral_norm", "ConvTranspose1d", (4, 3, 2), {}),
]


@pytest.mark.parity
@pytest.mark.parametrize(("kind", "layer", "sizes", "settings"), CASES)
@pytest.mark.parametrize("compiled", [False, True])
def test_training_follows_pytorch(
    kind: str, layer: str, sizes: tuple[int, ...], settings: dict[str, Any], compiled: bool, rng
) -> None:
    """Parameters and buffers over steps of training, then the output in evaluation."""
    torch, theirs, ours = _pair(kind, layer, sizes, settings)
    shape = (5, 4) if layer == "Linear" else (5, 4, 6)
    x = rng.normal(size=shape).astype(np.float32)
    mine = pellucid.optim.SGD(ours.parameters(), lr=0.1, momentum=0.9)
    other = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)

    def step(data: Any) -> Any:
        mine.zero_grad()
        loss = ours(data).sin().square().mean()
        loss.backward()
        mine.step()
        return loss

    run = pellucid.compile(step) if compiled else step
    for _ in range(4):
        found = run(pellucid.tensor(x))
        other.zero_grad()
        loss = theirs(torch.tensor(x)).sin().square().mean()
        loss.backward()
        other.step()
        assert_close(found, loss, 1e-4, 1e-6)
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert_close(a, b, 1e-4, 1e-5, name)
    assert_close(ours.eval()(pellucid.tensor(x)), theirs.eval()(torch.tensor(x)), 1e-4, 1e-5)


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
def test_removing_leaves_a_plain_layer(kind: str) -> None:
    layer = getattr(utils, kind)(nn.Linear(4, 3)).eval()
    x = pellucid.arange(8.0).reshape(2, 4)
    before, value = layer(x), layer.weight.detach().clone()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert_close(other(x), before)
    getattr(utils, f"remove_{kind}")(layer)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert_close(layer.weight, value)
    assert_close(layer(x), before)
    with pytest.raises(ArgumentError, match="was not applied"):
        getattr(utils, f"remove_{kind}")(layer)


def test_a_weight_norm_at_the_start_changes_nothing() -> None:
    layer = nn.Conv2d(2, 3, 2)
    before = layer.weight.detach().clone()
    utils.weight_norm(layer)
    assert layer.weight_g.shape == (3, 1, 1, 1)
    assert_close(layer.weight, before, 1e-6, 1e-7)
    layer.weight = before * 2
    assert_close(layer.weight, before * 2, 1e-6, 1e-7)


def test_refusals() -> None:
    with pytest.raises(NamingError, match="norm a parameter once"):
        utils.weight_norm(utils.weight_norm(nn.Linear(2, 2)))
    with pytest.raises(ArgumentError, match="wait"):
        utils.weight_norm(nn.Linear(2, 2), "wait")
    with pytest.raises(ArgumentError, match="at least 1"):
        utils.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)


def test_a_model_of_normed_layers_in_one_compiled_function() -> None:
    """The program follows when a layer is normed, and when the norm is removed."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))
    run = pellucid.compile(lambda x: model(x))
    x = pellucid.ones(2, 3)
    assert_close(run(x), model(x))
    utils.weight_norm(model[0])
    with pellucid.no_grad():
        model[0].weight_g.mul_(3)
    assert_close(run(x), model(x))
    utils.remove_weight_norm(model[0])
    with pellucid.no_grad():
        model[0].weight.zero_()
    assert_close(run(x), model(x))
