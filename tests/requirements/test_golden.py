"""Golden numbers of the books' small programs that no other folder reaches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid

SINE = (
    0.816518,
    0.249903,
    0.246099,
    0.237216,
    0.207932,
    0.123119,
    0.078882,
    0.076551,
    0.076378,
    0.076188,
)
"""Loss before iterations 0, 1000, …, 9000."""


def test_a_small_network_learns_a_sine() -> None:
    """DeZero's steps 43 and 44: 1-10-1 sigmoid on 100 noisy points, rate 0.2, 9,000 steps."""
    state = np.random.RandomState(0)
    x = state.rand(100, 1)
    y = np.sin(2 * np.pi * x) + state.rand(100, 1)
    first = state.randn(1, 10).astype(np.float32) * np.sqrt(1 / 1)
    second = state.randn(10, 1).astype(np.float32) * np.sqrt(1 / 10)
    # As there, parameters are float32, data and arithmetic float64.
    values = (first, np.zeros(10), second, np.zeros(1))
    parameters = [pellucid.tensor(np.asarray(v, np.float32)) for v in values]

    @pellucid.compile
    def step(inputs: Any, targets: Any) -> Any:
        wide = [p.double().requires_grad_() for p in parameters]
        w1, b1, w2, b2 = wide
        hidden = (inputs @ w1 + b1).sigmoid()
        loss = ((hidden @ w2 + b2 - targets) ** 2).sum() / len(inputs)
        slopes = pellucid.grad(loss, wide)
        with pellucid.no_grad():
            for parameter, value, slope in zip(parameters, wide, slopes, strict=True):
                parameter.copy_((value - 0.2 * slope).float())
        return loss.detach()

    features, targets = pellucid.tensor(x), pellucid.tensor(y)
    losses = [float(step(features, targets)) for _ in range(9001)]
    assert losses[::1000] == pytest.approx(SINE, abs=2e-6)


def test_second_derivative_inside_a_gradient() -> None:
    """Newton's method on x⁴ − 2x² from 2, to all printed digits (DeZero's steps 29 and 33)."""
    x, path = 2.0, []
    for _ in range(6):
        point = pellucid.tensor(np.array(x), requires_grad=True)
        (slope,) = pellucid.grad(point**4 - 2 * point**2, point, create_graph=True)
        (curvature,) = pellucid.grad(slope, point)
        x -= (slope / curvature).item()
        path.append(x)
    assert path[:4] == pytest.approx([1.4545, 1.1510, 1.0253, 1.0009], abs=5e-5)
    assert path[4:] == pytest.approx([1.0000012, 1.0], abs=5e-8)
