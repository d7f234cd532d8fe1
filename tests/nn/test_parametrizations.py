"""Weight norm and spectral norm against PyTorch; parametrizations of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError
from pellucid.nn import parametrizations


def test_a_parametrization_computes_the_parameter() -> None:
    class Symmetric(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.triu() + x.triu(1).t()

    layer = nn.Linear(3, 3)
    parametrizations.register_parametrization(layer, "weight", Symmetric())
    assert_close(layer.weight, layer.weight.t())
    assert sorted(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    layer(pellucid.ones(2, 3)).sum().backward()
    assert layer.parametrizations.weight.original.grad is not None
    value = layer.weight.detach().numpy().copy()
    parametrizations.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and not parametrizations.is_parametrized(layer)
    assert_close(layer.weight, value)
    with pytest.raises(ArgumentError, match="no parametrization of it"):
        parametrizations.remove_parametrizations(layer, "weight")
    with pytest.raises(ArgumentError, match="has the parameters"):
        parametrizations.register_parametrization(layer, "wait", Symmetric())


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
