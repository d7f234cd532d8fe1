"""The pinball loss: its values, its minimum, and networks that learn quantiles."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.training import pinball_loss

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.93])
def test_values_are_scikit_learns(quantile: float) -> None:
    true, given = RANDOM.normal(size=(2, 50)).astype(np.float32)
    tensors = pellucid.tensor(given), pellucid.tensor(true)
    found = pinball_loss(*tensors, quantile=quantile)
    expected = mean_pinball_loss(true, given, alpha=quantile)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    compiled = pellucid.compile(lambda x, y: pinball_loss(x, y, quantile, "sum"))(*tensors)
    assert compiled.item() == pytest.approx(50 * expected, rel=1e-5)
    each = pinball_loss(*tensors, quantile=quantile, reduction="none")
    assert each.shape == (50,) and each.mean().item() == pytest.approx(expected, rel=1e-5)


def test_a_network_learns_several_quantiles_at_once() -> None:
    pellucid.manual_seed(0)
    x = RANDOM.uniform(-1, 1, (2000, 1)).astype(np.float32)
    y = 2 * x + (1.5 + x) * RANDOM.normal(size=(2000, 1)).astype(np.float32)  # wider to the right
    model = nn.Linear(1, 3)
    shares = (0.1, 0.5, 0.9)
    loss = functools.partial(pinball_loss, quantile=shares)
    trainer = Trainer(model, loss, optim.Adam(model.parameters(), lr=0.02))
    trainer.fit((x, y), epochs=25, batch_size=100, progress=False)
    found = trainer.predict(x).numpy()
    below = (y < found).mean(axis=0)
    assert below == pytest.approx(shares, abs=0.03)
    width = model.weight[2].item() - model.weight[0].item()
    assert width == pytest.approx(2 * 1.2816, abs=0.4)  # the deviation grows by 1 for each 1 of x
    weighted = Trainer(nn.Linear(1, 1), "pinball_loss")
    assert weighted.fit((x, y, np.ones(2000)), epochs=1, progress=False).status == "finished"


def test_what_does_not_fit_is_refused() -> None:
    x, y = pellucid.zeros(4, 1), pellucid.zeros(4, 1)
    for quantile in (0.0, 1.0, -1, (0.5, 2.0)):
        with pytest.raises(ArgumentError, match="quantile="):
            pinball_loss(x, y, quantile)
    with pytest.raises(ShapeError, match=r"\(4, 1\) and targets \(4,\)"):
        pinball_loss(x, y[:, 0])
    with pytest.raises(ShapeError, match="for 2 of quantile"):
        pinball_loss(x, y, (0.1, 0.9))
    with pytest.raises(ArgumentError, match="reduction"):
        pinball_loss(x, y, reduction="most")
