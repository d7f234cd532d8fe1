"""Small real training runs for the tests of models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid.data.idx import read_mnist_folder

Arrays = tuple[np.ndarray, np.ndarray]


def digits() -> tuple[Arrays, Arrays]:
    """1,500 and 297 of scikit-learn's digits: images (N, 1, 8, 8) from 0 to 1, labels (N,)."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x = (images[order] / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    y = labels[order].astype(np.int64)
    return (x[:1500], y[:1500]), (x[1500:], y[1500:])


def mnist(folder: Path, rows: int, held: int) -> tuple[Arrays, Arrays]:
    """``rows`` of MNIST's training images and ``held`` of its test images, as ``digits``."""
    if not (folder / "mnist").is_dir():
        pytest.skip(f"{folder / 'mnist'} does not exist")
    found = read_mnist_folder(folder / "mnist")
    return (
        _prepared(found.train_images, found.train_labels, rows),
        _prepared(found.test_images, found.test_labels, held),
    )


def _prepared(images: Any, labels: Any, count: int) -> Arrays:
    pixels = (images[:count].reshape(-1, 1, 28, 28) / 255).astype(np.float32)
    return pixels, labels[:count].astype(np.int64)


def fit(
    model: Any,
    loss: Callable[..., Any],
    optimizer: Any,
    arrays: tuple[np.ndarray, ...],
    epochs: int,
    batch: int,
) -> list[float]:
    """Trains with compiled steps, an epoch of whole batches in one native call; the mean loss of
    each epoch.  ``loss`` takes a batch of each array."""

    @pellucid.compile
    def step(*parts: Any) -> Any:
        optimizer.zero_grad()
        value = loss(*parts)
        value.backward()
        optimizer.step()
        return value.detach()

    drawn = np.random.default_rng(1)
    count = len(arrays[0]) // batch
    means = []
    for _ in range(epochs):
        rows = drawn.permutation(len(arrays[0]))[: count * batch].reshape(count, batch)
        losses = step.many(count, *(pellucid.tensor(a[rows]) for a in arrays))
        means.append(float(losses.mean()))
    return means


def fit_classes(model: Any, optimizer: Any, part: Arrays, epochs: int, batch: int) -> list[float]:
    """``fit`` with cross-entropy of ``model(images)`` and labels."""
    return fit(model, lambda x, y: F.cross_entropy(model(x), y), optimizer, part, epochs, batch)


def accuracy(model: Any, part: Arrays) -> float:
    """Share of images whose class is found, in evaluation mode."""
    model.eval()
    with pellucid.no_grad():
        scores = pellucid.compile(lambda x: model(x))(pellucid.tensor(part[0])).numpy()
    model.train()
    return float((scores.argmax(1) == part[1]).mean())
