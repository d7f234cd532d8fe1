"""NaN and infinity: the run stops, says where they came from, and keeps the last good weights."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import NonFiniteError
from pellucid.training.trainer import Trainer


class Logarithm(nn.Module):
    """log(z + 3): NaN where a value is below -3."""

    def forward(self, z: Any) -> Any:
        return (z + 3.0).log()


class Root(nn.Module):
    """√|z|, whose gradient at 0 is not finite."""

    def forward(self, z: Any) -> Any:
        return (z * z).sqrt()


def data(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(300, 5)).astype(np.float32), rng.integers(0, 3, 300)


def finite(model: Any) -> bool:
    return all(np.isfinite(p.detach().numpy()).all() for p in model.parameters())


def by_hand(model: Any, x: np.ndarray, y: np.ndarray, rate: float) -> tuple[int, list[np.ndarray]]:
    """Plain eager steps over the rows in order: at which the loss is not finite, and the weights
    before it."""
    step = 0
    while True:
        for start in range(0, 300, 32):
            rows = slice(start, start + 32)
            kept = [np.array(p.detach().numpy()) for p in model.parameters()]
            model.zero_grad()
            loss = nn.functional.cross_entropy(
                model(pellucid.as_tensor(x[rows])), pellucid.as_tensor(y[rows])
            )
            if not np.isfinite(loss.item()):
                return step, kept
            loss.backward()
            with pellucid.no_grad():
                for p in model.parameters():
                    p -= p.grad * rate
            step += 1


@pytest.mark.parametrize("compile", [False, True])
def test_the_step_layer_operation_and_row_are_named(
    compile: bool, rng: np.random.Generator
) -> None:
    x, y = data(rng)
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), Logarithm(), nn.Linear(8, 3))
    pellucid.manual_seed(0)
    twin = nn.Sequential(nn.Linear(5, 8), Logarithm(), nn.Linear(8, 3))
    step, weights = by_hand(twin, x, y, 0.5)
    trainer = Trainer(
        model, "cross_entropy", optim.SGD(model.parameters(), lr=0.5), compile=compile
    )
    with pytest.raises(NonFiniteError) as caught:
        names = np.arange(1000, 1300)
        trainer.fit((x, y), epochs=60, batch_size=32, shuffle=False, row_numbers=names)
    text = str(caught.value)
    assert f"NaN appeared in step {step + 1} " in text
    assert "the forward pass, layer '1', operation 'log': ln(x), at " in text
    assert "test_nonfinite.py:" in text and "computed from float32[32, 8]" in text
    first = 1000 + (step % 10) * 32
    named = re.search(r"; rows?: (\d+)", text)
    assert named is not None
    row = int(named[1])
    assert first <= row < first + 32
    assert trainer.history.status == "not finite" and trainer.history.steps == step
    for kept, good in zip(model.parameters(), weights, strict=True):
        np.testing.assert_allclose(kept.detach().numpy(), good, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("compile", [False, True])
def test_a_gradient_that_is_not_finite_is_found(compile: bool) -> None:
    """The loss is finite; the derivative of the square root at 0 is not."""
    x = np.ones((8, 2), np.float32)
    x[5] = 0
    model = nn.Sequential(nn.Linear(2, 3, bias=False), Root(), nn.Linear(3, 1))
    trainer = Trainer(model, "mse_loss", compile=compile)
    with pytest.raises(
        NonFiniteError,
        match=r"infinity .* step 1 \(epoch 1\), .*backward pass, layer '1', gradient of "
        r"operation 'sqrt'.*; row: 5",
    ):
        trainer.fit((x, np.ones((8, 1), np.float32)), epochs=3, batch_size=8)
    assert finite(model)


@pytest.mark.parametrize("compile", [False, True])
def test_exploding_updates_are_found(compile: bool, rng: np.random.Generator) -> None:
    x, y = data(rng)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
    sgd = optim.SGD(model.parameters(), lr=50.0)
    trainer = Trainer(model, "mse_loss", sgd, compile=compile)
    with pytest.raises(NonFiniteError, match="infinity appeared.*forward pass"):
        trainer.fit((x, y[:, None].astype(np.float32)), epochs=50, batch_size=32)
    assert finite(model)


def test_nan_in_the_data_is_told_with_its_row(rng: np.random.Generator) -> None:
    x, y = data(rng)
    x[17, 2] = np.nan
    trainer = Trainer(nn.Sequential(nn.Linear(5, 3)), "cross_entropy")
    with pytest.raises(NonFiniteError, match="first in the data \\(the features\\); row: 17"):
        trainer.fit((x, y), epochs=2, batch_size=32)


def test_validation_data_that_are_not_finite_end_the_run_too(rng: np.random.Generator) -> None:
    x, y = data(rng)
    bad = x[:20].copy()
    bad[3] = np.inf
    trainer = Trainer(nn.Sequential(nn.Linear(5, 3)), "cross_entropy")
    with pytest.raises(
        NonFiniteError,
        match=r"loss after step 5 .*first in the data \(the features\); validation rows 3\n",
    ):
        trainer.fit((x, y), (bad, y[:20]), epochs=2)
