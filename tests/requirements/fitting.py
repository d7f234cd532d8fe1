"""Training loops that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import pellucid
from pellucid.graph.node import Graph

XOR_ROWS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
XOR = np.array([[0], [1], [1], [0]], np.float32)


def train(
    model: Any, loss: Callable[[Any, Any], Any], x: Any, y: Any, optimizer: Any, steps: int
) -> list[float]:
    """Full-batch training in one native call; the loss before each step."""

    @pellucid.compile
    def step(features: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        value = loss(model(features), targets)
        value.backward()
        optimizer.step()
        return value

    features, targets = pellucid.as_tensor(x), pellucid.as_tensor(y)
    return [float(step(features, targets)) for _ in range(steps)]


def accuracy(model: Any, x: Any, y: np.ndarray) -> float:
    """Share of rows whose class (sign of one score, or the largest of several) is right."""
    with pellucid.no_grad():
        scores = model(pellucid.as_tensor(x)).numpy()
    guessed = scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(1)
    return float((guessed == np.asarray(y).reshape(-1)).mean())


def graph_of(function: Callable[..., Any], *arguments: Any) -> Graph:
    """The graph of a function on these tensors."""
    compiled = pellucid.compile(function)
    compiled(*arguments)
    return compiled.graph()
