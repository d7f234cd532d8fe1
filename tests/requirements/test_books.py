"""Figures of the first book (深度学习入门 / Deep Learning from Scratch), earned again on MNIST.

The printed figures come from other random numbers; a test allows the difference that these make
and holds the order of what is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import nn, optim
from pellucid.data.idx import read_mnist_folder
from pellucid.models import mlp
from pellucid.training.trainer import Trainer
from requirements.fitting import accuracy

Pair = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def mnist(data_folder: Path) -> tuple[Pair, Pair]:
    """Training and test images float32 (rows, 784) in 0 … 1, with their digits."""
    folder = read_mnist_folder(data_folder / "mnist")

    def pixels(images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1).astype(np.float32) / 255

    return (
        (pixels(folder.train_images), folder.train_labels),
        (pixels(folder.test_images), folder.test_labels),
    )


def small_normal(model: nn.Module, deviation: float | None = None) -> nn.Module:
    """Weights from N(0, deviation²), by default 1/inputs as the variance; biases 0."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            width = layer.in_features**-0.5 if deviation is None else deviation
            nn.init.normal_(layer.weight, 0.0, width)
            nn.init.zeros_(layer.bias)
    return model


def run(model: Any, optimizer: Any, train: Pair, batches: np.ndarray) -> np.ndarray:
    """Native steps on the given row numbers (steps, batch); the loss of each."""

    @pellucid.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    losses = []
    for part in np.array_split(batches, max(1, len(batches) // 200)):
        x, y = (pellucid.as_tensor(values[part]) for values in train)
        losses.append(step.many(len(part), x, y).numpy())
    return np.concatenate(losses)


@pytest.mark.parametrize(
    ("activation", "printed"), [("sigmoid", 0.9465), ("relu", 0.969)], ids=["ch4", "ch5"]
)
def test_two_layer_net(mnist: tuple[Pair, Pair], activation: str, printed: float) -> None:
    """784-50-10, SGD 0.1, batch 100, 10,000 steps from weights of deviation 0.01."""
    train, test = mnist
    model = small_normal(mlp(784, (50,), 10, activation=activation), 0.01)
    batches = np.random.default_rng(4).integers(0, 60_000, (10_000, 100))
    run(model, optim.SGD(model.parameters(), lr=0.1), train, batches)
    assert accuracy(model, *test) == pytest.approx(printed, abs=0.006)


OPTIMIZERS: dict[str, tuple[Callable[..., Any], float]] = {
    "SGD": (lambda p: optim.SGD(p, lr=0.01), 0.150),
    "momentum": (lambda p: optim.SGD(p, lr=0.01, momentum=0.9), 0.050),
    "AdaGrad": (lambda p: optim.Adagrad(p, lr=0.01), 0.016),
    "Adam": (lambda p: optim.Adam(p, lr=0.001), 0.032),
}


def test_D48_B19_optimizers_compared(mnist: tuple[Pair, Pair]) -> None:
    """Chapter 6: 784-100×4-10, ReLU, He, batch 128, 2000 steps; SGD is the last of four."""
    batches = np.random.default_rng(6).integers(0, 60_000, (2000, 128))
    found = {}
    for name, (make, _) in OPTIMIZERS.items():
        pellucid.manual_seed(0)
        model = mlp(784, (100,) * 4, 10)
        found[name] = float(run(model, make(model.parameters()), mnist[0], batches)[-100:].mean())
    assert max(found, key=lambda name: found[name]) == "SGD"
    for name, (_, printed) in OPTIMIZERS.items():
        assert printed / 3 < found[name] < 3 * printed + 0.05, found


def test_B19_initializations_compared(mnist: tuple[Pair, Pair]) -> None:
    """The same net with SGD 0.01: from deviation 0.01 nothing is learned; 1/√n and He work."""
    batches = np.random.default_rng(6).integers(0, 60_000, (2000, 128))
    found = {}
    for name in ("0.01", "1/sqrt n", "He"):
        pellucid.manual_seed(0)
        model = mlp(784, (100,) * 4, 10)
        if name != "He":
            small_normal(model, 0.01 if name == "0.01" else None)
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        found[name] = float(run(model, optimizer, mnist[0], batches)[-100:].mean())
    assert found["0.01"] > 2.29 and found["He"] < found["1/sqrt n"] < 0.6, found
    assert found["He"] == pytest.approx(0.286, abs=0.1)


def test_batch_normalization_forgives_the_start(mnist: tuple[Pair, Pair]) -> None:
    """Chapter 6: 1000 images, 784-100×5-10, SGD 0.01, 20 epochs, deviation #8 of 16."""
    deviation = float(np.logspace(0, -4, 16)[7])
    few = tuple(part[:1000] for part in mnist[0])
    right = {}
    for normalized in (False, True):
        layers: list[nn.Module] = []
        for before in (784, 100, 100, 100, 100):
            layers.append(nn.Linear(before, 100))
            if normalized:
                layers.append(nn.BatchNorm1d(100))
            layers.append(nn.ReLU())
        model = small_normal(nn.Sequential(*layers, nn.Linear(100, 10)), deviation)
        trainer = Trainer(model, "cross_entropy", optim.SGD(model.parameters(), lr=0.01))
        trainer.fit(few, epochs=20, batch_size=100)
        model.train()  # the book measures with the statistics of the rows at hand
        right[normalized] = accuracy(model, *few)
    assert right[False] < 0.2 and right[True] > 0.95, right


def test_A24_A29_weight_decay_narrows_the_gap(mnist: tuple[Pair, Pair]) -> None:
    """Chapter 6: 300 images, 784-100×6-10, SGD 0.01, 201 epochs; decay 0.1 in the second run."""
    few, test = tuple(part[:300] for part in mnist[0]), mnist[1]
    right = {}
    for decay in (0.0, 0.1):
        pellucid.manual_seed(0)
        model = mlp(784, (100,) * 6, 10)
        nn.init.kaiming_normal_(model[-1].weight, nonlinearity="relu")  # as the other layers
        weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
        biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
        groups = [{"params": weights, "weight_decay": decay}, {"params": biases}]
        trainer = Trainer(model, "cross_entropy", optim.SGD(groups, lr=0.01))
        trainer.fit(few, epochs=201, batch_size=100)
        right[decay] = (accuracy(model, *few), accuracy(model, *test))
    plain, decayed = right[0.0], right[0.1]
    assert plain[0] == 1.0 and plain[0] - plain[1] > 0.18, right
    assert decayed == pytest.approx((0.927, 0.721), abs=0.06), right
    assert decayed[0] - decayed[1] < plain[0] - plain[1]


def test_E18_more_images_make_a_better_network(mnist: tuple[Pair, Pair]) -> None:
    """The same network and 600 steps, on 100, 1000, 10,000 and 60,000 images."""
    train, test = mnist
    right = []
    for rows in (100, 1000, 10_000, 60_000):
        pellucid.manual_seed(0)
        model = mlp(784, (64,), 10)
        batches = np.random.default_rng(1).integers(0, rows, (600, 100))
        run(model, optim.Adam(model.parameters(), lr=0.003), train, batches)
        right.append(accuracy(model, *test))
    assert right == sorted(right) and right[0] < 0.8 and right[-1] > 0.95, right
