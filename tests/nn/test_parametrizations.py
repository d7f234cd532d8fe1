"""Weight norm and spectral norm against PyTorch; parametrizations of one's own."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.nn.utils import parametrizations, parametrize


def test_a_parametrization_computes_the_parameter() -> None:
    class Symmetric(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.triu() + x.triu(1).t()

    layer = nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert_close(layer.weight, layer.weight.t())
    assert sorted(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    layer(pellucid.ones(2, 3)).sum().backward()
    assert layer.parametrizations.weight.original.grad is not None
    value = layer.weight.detach().numpy().copy()
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and not parametrize.is_parametrized(layer)
    assert_close(layer.weight, value)
    with pytest.raises(ArgumentError, match="no parametrization of it"):
        parametrize.remove_parametrizations(layer, "weight")
    with pytest.raises(ArgumentError, match="has the parameters and buffers"):
        parametrize.register_parametrization(layer, "wait", Symmetric())


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize("dim", [0, 1, None])
def test_norms_of_weights(kind: str, dim: int | None, rng) -> None:
    """Names of states, outputs and gradients over two calls in training and one in evaluation."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    theirs = getattr(torch.nn.utils.parametrizations, kind)(torch.nn.Linear(4, 3), dim=dim)
    ours = getattr(parametrizations, kind)(nn.Linear(4, 3), dim=dim)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    compiled = pellucid.compile(lambda x: ours(x))
    x = rng.normal(size=(5, 4)).astype(np.float32)
    for train in (True, True, False):
        ours.train(train)
        theirs.train(train)
        result, expected = ours(pellucid.tensor(x)), theirs(torch.tensor(x))
        assert_close(result, expected, 1e-4, 1e-5)
        ours.zero_grad()
        theirs.zero_grad()
        result.square().sum().backward()
        expected.square().sum().backward()
        for (name, a), (_, b) in zip(
            sorted(ours.named_parameters()), sorted(theirs.named_parameters()), strict=True
        ):
            assert_close(a.grad, b.grad, 1e-3, 1e-5, name)
    assert_close(compiled(pellucid.tensor(x)), result, 1e-4, 1e-5)


class Scaled(nn.Module):
    """Twice the original, with a way back."""

    def forward(self, x: Any) -> Any:
        return 2 * x

    def right_inverse(self, x: Any) -> Any:
        return x / 2


class Counted(nn.Module):
    """The original, and how often it was asked for."""

    calls = 0

    def forward(self, x: Any) -> Any:
        Counted.calls += 1
        return x + 0


def test_assigning_goes_back_to_the_original() -> None:
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Scaled())
    assert_close(layer.weight, before)
    assert_close(layer.parametrizations.weight.original, before / 2)
    layer.weight = pellucid.full((2, 2), 6.0)
    assert_close(layer.parametrizations.weight.original, np.full((2, 2), 3.0))
    parametrize.register_parametrization(layer, "weight", Scaled())
    assert_close(layer.weight, np.full((2, 2), 6.0))
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert_close(layer.weight, np.full((2, 2), 1.5))


def test_buffers_are_parametrized_too() -> None:
    layer = nn.BatchNorm1d(2)
    parametrize.register_parametrization(layer, "running_var", Scaled())
    assert "running_var" not in dict(layer.named_buffers())
    assert_close(layer.running_var, np.ones(2))
    assert "parametrizations.running_var.original" in layer.state_dict()
    parametrize.remove_parametrizations(layer, "running_var")
    assert_close(dict(layer.named_buffers())["running_var"], np.ones(2))


def test_what_is_cached_is_computed_once() -> None:
    layer = nn.Linear(2, 2)
    parametrize.register_parametrization(layer, "weight", Counted())
    Counted.calls = 0
    for _ in range(3):
        layer.weight  # noqa: B018
    with parametrize.cached():
        first = layer.weight
        for _ in range(3):
            assert layer.weight is first
    assert Counted.calls == 4
    with pellucid.no_grad():
        layer.parametrizations.weight.original.add_(1)
    assert_close(layer.weight, first + 1)


def test_what_does_not_fit_is_refused() -> None:
    class Sum(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.sum()

    class Wide(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.double()

    layer = nn.Linear(2, 2)
    with pytest.raises(ShapeError, match="unsafe=True"):
        parametrize.register_parametrization(layer, "weight", Sum())
    with pytest.raises(DTypeError, match="float64"):
        parametrize.register_parametrization(layer, "weight", Wide())
    assert "weight" in dict(layer.named_parameters())
    parametrize.register_parametrization(layer, "weight", Sum(), unsafe=True)
    assert layer.weight.shape == ()
    with pytest.raises(ArgumentError, match="unsafe"):
        parametrize.register_parametrization(layer, "weight", Scaled())


def test_parametrizations_move_to_another_module() -> None:
    source = parametrizations.weight_norm(nn.Linear(3, 2))
    target = nn.Linear(3, 2)
    parametrize.transfer_parametrizations_and_params(source, target)
    assert_close(target.weight, source.weight)
    assert sorted(target.state_dict()) == sorted(source.state_dict())


@pytest.mark.parametrize("shape", [(3, 3), (3, 5), (5, 3)])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
def test_orthogonal_weights_stay_orthogonal(kind: str, shape: tuple[int, int]) -> None:
    rows, columns = shape
    layer = parametrizations.orthogonal(nn.Linear(columns, rows), orthogonal_map=kind)
    inputs = pellucid.arange(4.0 * columns).reshape(4, columns).sin()
    optimizer = pellucid.optim.SGD(layer.parameters(), lr=0.1)

    @pellucid.compile
    def step() -> Any:
        optimizer.zero_grad()
        loss = (layer(inputs) - 1).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    losses = [float(step()) for _ in range(5)]
    assert losses[-1] < losses[0]
    weight = layer.weight.detach()
    product = weight.mT @ weight if rows > columns else weight @ weight.mT
    assert_close(product, np.eye(min(shape)), 1e-5, 1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("trivial", [True, False])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
def test_orthogonal_weights_are_pytorchs(kind: str, trivial: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    torch.manual_seed(3)
    made = {"orthogonal_map": kind, "use_trivialization": trivial}
    theirs = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(5, 3), **made)
    with torch.no_grad():
        original = theirs.parametrizations.weight.original
        original += 0.1 * torch.randn_like(original)
    ours = parametrizations.orthogonal(nn.Linear(5, 3), **made)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    assert_close(ours.weight, theirs.weight, 1e-5, 3e-6)
    scale = np.arange(15.0, dtype=np.float32).reshape(3, 5) / 10
    (ours.weight * pellucid.tensor(scale)).sum().backward()
    (theirs.weight * torch.tensor(scale)).sum().backward()
    assert_close(ours.parametrizations.weight.original.grad, original.grad, 1e-4, 1e-5)


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm", "orthogonal"])
def test_parametrized_layers_are_copied_and_pickled(kind: str) -> None:
    layer = getattr(parametrizations, kind)(nn.Linear(4, 3)).eval()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert_close(other.weight, layer.weight)
        with pellucid.no_grad():
            for parameter in other.parameters():
                parameter.mul_(1.5)
        assert not np.allclose(other.bias.detach().numpy(), layer.bias.detach().numpy())
