"""Regression: a line found by gradient descent and by least squares, then a curve by a network.

python examples/regression.py
"""

import numpy as np

import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim


def line() -> tuple[float, float]:
    """Gradient descent on 100 points around y = 2x + 5 (plus noise of mean ½)."""
    random = np.random.RandomState(0)
    x = random.rand(100, 1)
    y = 5 + 2 * x + random.rand(100, 1)
    inputs, targets = pellucid.tensor(x), pellucid.tensor(y)

    weight = pellucid.zeros(1, 1, dtype=pellucid.float64, requires_grad=True)
    bias = pellucid.zeros(1, dtype=pellucid.float64, requires_grad=True)
    for _ in range(3000):
        loss = ((inputs @ weight + bias - targets) ** 2).mean()
        for parameter in (weight, bias):
            parameter.grad = None
        loss.backward()
        with pellucid.no_grad():
            for parameter in (weight, bias):
                parameter -= 0.1 * parameter.grad

    exact, *_ = np.linalg.lstsq(np.hstack([x, np.ones_like(x)]), y, rcond=None)
    print(f"gradient descent  y = {weight.item():.5f} x + {bias.item():.5f}")
    print(f"least squares     y = {exact[0, 0]:.5f} x + {exact[1, 0]:.5f}")
    return weight.item(), bias.item()


def curve() -> float:
    """A small network learns sin(2πx); returns the mean squared error against the curve itself."""
    pellucid.manual_seed(0)
    x = pellucid.rand(256, 1)
    clean = (2 * np.pi * x).sin()
    y = clean + 0.05 * pellucid.randn(256, 1)
    model = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @pellucid.compile
    def step():
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    for _ in range(1500):
        step()
    with pellucid.no_grad():
        error = F.mse_loss(model(x), clean).item()
    print(f"the network's mean squared error against sin(2πx) is {error:.5f}")
    return error


if __name__ == "__main__":
    line()
    curve()
