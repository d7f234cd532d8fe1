"""Bounds on weights, skipped branches, LeCun's initialization."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.utils import max_norm_


@pytest.mark.parametrize(("dim", "axis"), [(0, (1, 2)), (1, (0, 2)), (-1, (0, 1))])
def test_long_weights_are_shortened_and_short_ones_stay(dim: int, axis: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    norms = np.sqrt((values**2).sum(axis, keepdims=True))
    bound = float(np.median(norms))
    weight = pellucid.tensor(values)
    max_norm_(weight, bound, dim=dim)
    assert_close(weight, values * np.minimum(1, bound / norms), 1e-6, 1e-6)
    kept = np.broadcast_to(norms <= bound, values.shape)
    assert np.array_equal(weight.numpy()[kept], values[kept])


@pytest.mark.parametrize("compiled", [False, True])
def test_the_bound_holds_after_every_step(compiled: bool) -> None:
    pellucid.manual_seed(0)
    model = nn.Linear(4, 3)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    x, y = pellucid.randn(32, 4), 10 * pellucid.randn(32, 3)

    def step(x: pellucid.Tensor, y: pellucid.Tensor) -> None:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        max_norm_(model.weight, 0.5)

    run = pellucid.compile(step) if compiled else step
    for _ in range(4):
        run(x, y)
        assert model.weight.norm(dim=1).max() <= 0.5 + 1e-6


def test_other_norms_biases_and_bad_arguments() -> None:
    weight = pellucid.tensor([[3.0, -4.0], [0.1, 0.2]])
    max_norm_([weight], 1.0, norm_type=1)
    assert_close(weight, np.array([[3 / 7, -4 / 7], [0.1, 0.2]]), 1e-6, 1e-6)
    bias = pellucid.tensor([3.0, -0.5])
    max_norm_(bias, 1.0)
    assert bias.tolist() == [1.0, -0.5]
    with pytest.raises(ArgumentError, match="max_norm=0"):
        max_norm_(weight, 0)
    with pytest.raises(ShapeError, match=r"dim=1 for a tensor of shape \(2,\)"):
        max_norm_(bias, 1.0, dim=1)


@pytest.mark.parametrize("shape", [(400, 300), (60, 8, 5, 5)])
def test_lecun_keeps_the_size_of_signals(shape: tuple[int, ...]) -> None:
    fan = int(np.prod(shape[1:]))
    pellucid.manual_seed(0)
    weight = pellucid.empty(*shape)
    for fill in (nn.init.lecun_normal_, nn.init.lecun_uniform_):
        values = fill(weight).numpy().astype(np.float64)
        assert abs(values.mean()) < 5e-3 / fan**0.5 * 10
        assert values.std() == pytest.approx(fan**-0.5, rel=0.03)
    assert np.abs(values).max() <= (3 / fan) ** 0.5 + 1e-6
    again = [
        fill(pellucid.empty(3, 3), generator=pellucid.Generator().manual_seed(1)) for _ in "ab"
    ]
    assert pellucid.equal(*again)


@pytest.mark.parametrize("compiled", [False, True])
def test_branches_are_left_out_by_rows_or_together(compiled: bool) -> None:
    pellucid.manual_seed(0)
    x = pellucid.ones(4000, 3)
    for mode in ("row", "batch"):
        layer = nn.StochasticDepth(0.25, mode)
        call = pellucid.compile(lambda t, layer=layer: layer(t)) if compiled else layer
        found = np.stack([call(x).numpy() for _ in range(3 if mode == "row" else 40)])
        assert_close(np.unique(found), np.array([0.0, 1 / 0.75]), 1e-6, 1e-6)
        rows = found[:, :, 0]
        assert (found == rows[:, :, None]).all()
        share = (rows == 0).mean() if mode == "row" else (rows[:, 0] == 0).mean()
        assert share == pytest.approx(0.25, abs=0.02 if mode == "row" else 0.25)
        if mode == "batch":
            assert (rows == rows[:, :1]).all()
        assert layer.eval()(x) is x
    assert repr(nn.StochasticDepth(0.1)) == "StochasticDepth(p=0.1, mode=row)"
    with pytest.raises(ArgumentError, match="p=2"):
        nn.StochasticDepth(2.0)
