"""The title page's picture: a small network that learns two spirals, recorded step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

import pellucid
from pellucid import nn
from pellucid.nn import functional as F

HIDDEN = 6
FRAMES = 110
STEPS = 6
"""Steps of training between two frames."""


def two_spirals(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 2) of two arms that wind around each other, and their arm, 0 or 1."""
    random = np.random.default_rng(seed)
    arm = np.arange(count) % 2
    turn = np.sqrt(random.uniform(0.02, 1.0, count)) * 1.4 * 2 * np.pi
    angle = turn + arm * np.pi
    radius = turn / (1.4 * 2 * np.pi)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    points += random.normal(0, 0.015, points.shape)
    return points.astype(np.float32), arm.astype(np.int64)


def record() -> dict[str, Any]:
    """The points, and for every frame the weights, loss and accuracy of the training so far."""
    pellucid.manual_seed(3)
    points, arms = two_spirals(160, seed=1)
    x, y = pellucid.tensor(points), pellucid.tensor(arms.astype(np.float32))
    model = nn.Sequential(
        nn.Linear(2, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1)
    )
    optimizer = pellucid.optim.Adam(model.parameters(), lr=0.012)

    @pellucid.compile
    def step() -> pellucid.Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(x)[:, 0], y)
        loss.backward()
        optimizer.step()
        return loss

    frames = []
    for frame in range(FRAMES):
        scores = model(x)[:, 0].detach().numpy()
        loss = F.binary_cross_entropy_with_logits(model(x)[:, 0], y).item()
        frames.append(
            {
                "step": frame * STEPS,
                "loss": round(loss, 4),
                "right": round(float(((scores > 0) == arms).mean()), 4),
                "weights": [
                    np.round(p.detach().numpy().ravel(), 3).tolist() for p in model.parameters()
                ],
            }
        )
        for _ in range(STEPS):
            step()
    return {"points": np.round(points, 3).tolist(), "arms": arms.tolist(), "frames": frames}
