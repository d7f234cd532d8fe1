"""Text C (深度学习(三) 深层神经网络), the rows that no other folder shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from pellucid import nn, optim
from pellucid.models import mlp
from requirements.fitting import XOR, XOR_ROWS, accuracy, train

LOGISTIC = F.binary_cross_entropy_with_logits


def clouds(rng: np.random.Generator, rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping clouds in three dimensions, float64, and 0/1 (rows, 1)."""
    y = rng.integers(0, 2, (rows, 1)).astype(np.float64)
    return rng.normal(size=(rows, 3)) + 1.5 * (y - 0.5), y


def bits(model: nn.Module) -> list[bytes]:
    return [p.detach().numpy().tobytes() for p in model.parameters()]


def test_C1_C17_one_node_is_logistic_regression(rng: np.random.Generator) -> None:
    """Its gradient is X^T(a − y)/n, and each link of the chain da, dz, dw, db is autograd's."""
    x, y = clouds(rng)
    node = nn.Linear(3, 1).double()
    z = node(pellucid.tensor(x))
    a = z.sigmoid()
    targets = pellucid.tensor(y)
    z.retain_grad()
    a.retain_grad()
    loss = -(targets * a.log() + (1 - targets) * (1 - a).log()).mean()
    loss.backward()
    n, p = len(x), a.detach().numpy()
    da = (-y / p + (1 - y) / (1 - p)) / n
    dz = da * p * (1 - p)
    assert_close(a.grad, da, 1e-9)
    assert_close(z.grad, dz, 1e-9, 1e-15)
    assert_close(dz, (p - y) / n, 1e-9, 1e-15)
    assert_close(node.weight.grad, dz.T @ x, 1e-9, 1e-15)
    assert_close(node.weight.grad, (x.T @ (p - y) / n).T, 1e-9, 1e-15)
    assert_close(node.bias.grad, dz.sum(0), 1e-9, 1e-15)


def test_C2_C3_B9_every_unit_of_a_shallow_net_is_a_logistic_regression() -> None:
    """Hidden units and the output, one by one, equal σ(w·x + b) written out."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 1), nn.Sigmoid())
    x = pellucid.randn(5, 3)

    def unit(layer: nn.Linear, number: int, inputs: np.ndarray) -> np.ndarray:
        weight, bias = layer.weight.detach().numpy()[number], layer.bias.detach().numpy()[number]
        return 1 / (1 + np.exp(-(inputs @ weight + bias)))

    hidden = np.stack([unit(model[0], j, x.numpy()) for j in range(4)], axis=1)
    assert_close(model[:2](x), hidden, 1e-5)
    assert_close(model(x)[:, 0], unit(model[2], 0, hidden), 1e-5)


def test_C7_three_hidden_layers_train() -> None:
    model = mlp(2, (8, 8, 8), 1, activation="tanh", initialization="xavier_normal")
    losses = train(model, LOGISTIC, XOR_ROWS, XOR, optim.Adam(model.parameters(), lr=0.02), 300)
    assert losses[-1] < 0.01 < losses[0] and accuracy(model, XOR_ROWS, XOR) == 1


def test_C9_C10_C11_D39_forward_and_backward_are_two_operations() -> None:
    """Forward finds the prediction, backward only gradients; neither changes a parameter's bit."""
    model = mlp(4, (6,), 3)
    before = bits(model)
    loss = F.cross_entropy(model(pellucid.randn(5, 4)), pellucid.tensor([0, 1, 2, 0, 1]))
    assert bits(model) == before and all(p.grad is None for p in model.parameters())
    loss.backward()
    assert bits(model) == before and all(p.grad is not None for p in model.parameters())
    optim.SGD(model.parameters(), lr=0.1).step()
    assert bits(model) != before


def test_C12_the_cost_is_the_mean_of_the_losses_of_the_samples(rng: np.random.Generator) -> None:
    scores, classes = pellucid.randn(9, 4), pellucid.tensor(rng.integers(0, 4, 9))
    each = F.cross_entropy(scores, classes, reduction="none")
    assert each.shape == (9,)
    assert F.cross_entropy(scores, classes).item() == pytest.approx(each.numpy().mean(), rel=1e-6)
    targets = (scores > 0).float()
    each = LOGISTIC(scores, targets, reduction="none")
    assert LOGISTIC(scores, targets).item() == pytest.approx(each.numpy().mean(), rel=1e-6)


def test_C13_the_bowl_is_one_for_logistic_regression_only(rng: np.random.Generator) -> None:
    """J(middle) ≤ mean of the ends along any segment for one node; with a hidden layer two
    minima (units exchanged) have a hill between them."""
    x, y = (pellucid.tensor(part) for part in clouds(rng))

    def cost(point: np.ndarray) -> float:
        w = pellucid.tensor(point)
        return LOGISTIC(x @ w[:3].unsqueeze(1) + w[3], y).item()

    for _ in range(200):
        ends = rng.normal(scale=4, size=(2, 4))
        share = rng.uniform()
        middle = share * ends[0] + (1 - share) * ends[1]
        straight = share * cost(ends[0]) + (1 - share) * cost(ends[1])
        assert cost(middle) <= straight + 1e-12

    reached = {}
    for seed in (3, 0):
        pellucid.manual_seed(seed)
        net = mlp(2, (3,), 1, activation="tanh", initialization="xavier_normal")
        optimizer = optim.Adam(net.parameters(), lr=0.05)
        reached[seed] = train(net, LOGISTIC, XOR_ROWS, XOR, optimizer, 400)[-1]
    assert reached[0] < 0.01 < 0.3 < reached[3]  # another start ends in another valley
    first, turned = net.state_dict(), {}
    order = [1, 2, 0]
    for name, value in first.items():
        values = value.numpy().copy()
        turned[name] = values[order] if name.startswith("0") else values
    turned["2.weight"] = turned["2.weight"][:, order]

    def at(state: dict[str, Any]) -> float:
        other = mlp(2, (3,), 1, activation="tanh")
        other.load_state_dict({name: pellucid.tensor(np.array(v)) for name, v in state.items()})
        with pellucid.no_grad():
            return LOGISTIC(other(pellucid.tensor(XOR_ROWS)), pellucid.tensor(XOR)).item()

    start = {name: value.numpy().copy() for name, value in first.items()}
    halfway = {name: (start[name] + turned[name]) / 2 for name in start}
    assert at(start) < 0.01 and at(turned) == pytest.approx(at(start), rel=1e-4)
    assert at(halfway) > at(start) + 0.1
