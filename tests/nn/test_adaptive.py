"""Adaptive softmax: PyTorch's values and gradients, eager and compiled; errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning")
@pytest.mark.parametrize("batch", [(9,), (1,), ()], ids=str)
@pytest.mark.parametrize("options", [{}, {"div_value": 2.0, "head_bias": True}], ids=str)
@pytest.mark.parametrize("cutoffs", [[3], [2, 5], [1, 4, 11]], ids=str)
def test_against_pytorch(cutoffs: list, options: dict, batch: tuple, rng) -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 12, cutoffs, **options)
    ours = nn.AdaptiveLogSoftmaxWithLoss(16, 12, cutoffs, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    x = rng.normal(size=(*batch, 16)).astype(np.float32)
    y = np.asarray(rng.integers(0, 12, batch))
    found = []
    for library, layer in ((pellucid, ours), (torch, theirs)):
        given = library.tensor(x, requires_grad=True)
        output, loss = layer(given, library.tensor(y))
        loss.backward()
        found.append([output, loss, given.grad, *(p.grad for p in layer.parameters())])
        if batch:
            found[-1] += [layer.log_prob(given), layer.predict(given)]
    for a, b in zip(*found, strict=True):
        if b is not None:
            assert_close(a, b, 1e-4, 1e-6)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_compiled(backend: str, rng) -> None:
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [2, 6])

    def run(x: Any, y: Any) -> Any:
        output, loss = layer(x, y)
        return output, loss, *pellucid.grad(loss, list(layer.parameters()))

    x = pellucid.tensor(rng.normal(size=(7, 8)).astype(np.float32))
    y = pellucid.tensor([0, 9, 1, 2, 5, 6, 0])
    for a, b in zip(pellucid.compile(run, backend=backend)(x, y), run(x, y), strict=True):
        assert_close(a, b, 1e-5, 1e-6)


def test_probabilities_sum_to_1(rng) -> None:
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [2, 6])
    x = pellucid.tensor(rng.normal(size=(7, 8)).astype(np.float32))
    assert_close(layer.log_prob(x).exp().sum(1), np.ones(7, np.float32), 1e-5)


def test_errors() -> None:
    for cutoffs in ([], [0, 3], [3, 3], [4, 2], [10], [2.5]):
        with pytest.raises(ArgumentError, match="cutoffs=.*for 10 classes"):
            nn.AdaptiveLogSoftmaxWithLoss(8, 10, cutoffs)
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [2, 6])
    with pytest.raises(ShapeError, match=r"\(3, 2, 8\)(.|\n)*flatten time and batch"):
        layer(pellucid.zeros(3, 2, 8), pellucid.zeros(3, 2).long())
    with pytest.raises(DTypeError, match="target of float32"):
        layer(pellucid.zeros(3, 8), pellucid.zeros(3))
    with pytest.raises(ArgumentError, match="targets from 0 to 10(.|\n)*0 to 9"):
        layer(pellucid.zeros(2, 8), pellucid.tensor([0, 10]))
