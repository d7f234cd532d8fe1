"""A small problem to train on."""

from __future__ import annotations

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import nn


def train_on_xor(net: nn.Module, steps: int, rate: float = 1.0) -> tuple[float, int]:
    """(loss, number of right answers) after full-batch gradient descent."""
    x = pellucid.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = pellucid.tensor([[0.0], [1], [1], [0]])
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(net(x), y)
        net.zero_grad()
        loss.backward()
        with pellucid.no_grad():
            for p in net.parameters():
                p -= rate * p.grad
    return loss.item(), int(((net(x) > 0) == (y > 0.5)).sum().item())
