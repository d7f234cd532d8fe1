"""Data of the exam's programs: each function draws rows from a seed and says what is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Pair = tuple[Any, Any]


@dataclass
class Parts:
    """Features and targets to learn from, to validate on, and to be judged by."""

    train: Pair
    validation: Pair
    test: Pair

    def change(self, features: Callable[[Any], Any] | None = None,
               targets: Callable[[Any], Any] | None = None,
               parts: tuple[str, ...] = ("train", "validation", "test")) -> None:  # fmt: skip
        """Applies a function to the features or targets of some parts."""
        for part in parts:
            x, y = getattr(self, part)
            x = x if features is None else features(x)
            y = y if targets is None else targets(y)
            setattr(self, part, (x, y))


def split(x: Any, y: Any, random: np.random.Generator, shares: Any = (0.6, 0.2)) -> Parts:
    """Shuffled rows in three parts."""
    order = random.permutation(len(x))
    x, y = x[order], y[order]
    first, second = int(shares[0] * len(x)), int(sum(shares) * len(x))
    cut = [slice(first), slice(first, second), slice(second, None)]
    return Parts(*((x[part], y[part]) for part in cut))


def single(x: Any) -> np.ndarray:
    """As float32."""
    return np.asarray(x, np.float32)


def blobs(seed: int, rows: int = 600, classes: int = 3, columns: int = 4) -> Parts:
    """Round groups that overlap a little."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(classes, columns)) * 2.2
    y = random.integers(0, classes, rows)
    x = centers[y] + random.normal(size=(rows, columns))
    x = (x - x.mean(0)) / x.std(0)
    return split(single(x), y, random)


def moons(seed: int, rows: int = 600) -> Parts:
    """Two half circles that reach into each other; standardized."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, rows)
    angle = random.uniform(0, np.pi, rows)
    outer = np.stack([np.cos(angle), np.sin(angle)], 1)
    x = np.where(y[:, None] == 0, outer, [1.0, 0.5] - outer)
    x += 0.12 * random.normal(size=x.shape)
    return split(single((x - x.mean(0)) / x.std(0)), y, random)


def circles(seed: int, rows: int = 600) -> Parts:
    """A disc within a ring, which no line separates."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, rows)
    angle, radius = random.uniform(0, 2 * np.pi, rows), np.where(y == 1, 0.6, 1.6)
    radius = radius + 0.15 * random.normal(size=rows)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return split(single(x), y, random)


def digits(seed: int, rows: int = 900) -> Parts:
    """Handwritten digits of 8 × 8 pixels (UCI, in scikit-learn), 0 to 1."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(x))[:rows]
    return split(single(x[chosen] / 16.0), y[chosen].astype(np.int64), random)


def friedman(seed: int, rows: int = 700) -> Parts:
    """Friedman's first function (1991) of 5 of 8 columns; columns and targets standardized."""
    random = np.random.default_rng(seed)
    x = random.random((rows, 8))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    y = y + 10 * x[:, 3] + 5 * x[:, 4] + 0.5 * random.normal(size=rows)
    x = (x - 0.5) * np.sqrt(12.0)
    return split(single(x), single((y - y.mean()) / y.std())[:, None], random)


def wave_curve(seed: int, rows: int = 500) -> Parts:
    """sin(3x) with a little noise: the first regression that people try."""
    random = np.random.default_rng(seed)
    x = random.uniform(-2, 2, (rows, 1))
    return split(single(x), single(np.sin(3 * x) + 0.05 * random.normal(size=x.shape)), random)


def tags(seed: int, rows: int = 700) -> Parts:
    """Four labels that may hold together, each for one side of a curved border."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 6))
    scores = np.stack([x[:, 0] + x[:, 1], x[:, 2] * x[:, 3], x[:, 4] - x[:, 0],
                       x[:, 1] ** 2 + x[:, 5] ** 2 - 2.0], 1)  # fmt: skip
    return split(single(x), single(scores > 0), random)


def strokes(seed: int, rows: int = 500, size: int = 12) -> Parts:
    """Pictures of one lying, standing or slanting stroke, with noise."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, rows)
    x = 0.15 * random.random((rows, 1, size, size))
    for row in range(rows):
        a, b = random.integers(1, size - 5, 2)
        step = np.arange(5)
        lines = {0: (a + 0 * step, b + step), 1: (a + step, b + 0 * step), 2: (a + step, b + step)}
        x[row, 0][lines[int(y[row])]] += 0.8
    return split(single(x), y, random)


def spots(seed: int, rows: int = 500, size: int = 12) -> Parts:
    """Where a bright spot is in a picture: two numbers from -1 to 1."""
    random = np.random.default_rng(seed)
    where = random.uniform(1.5, size - 2.5, (rows, 2))
    grid = np.arange(size)
    falls = np.exp(-((grid[None, None] - where[..., None]) ** 2) / 2)
    x = falls[:, 0, :, None] * falls[:, 1, None, :] + 0.05 * random.random((rows, size, size))
    return split(single(x[:, None]), single(where / (size / 2 - 0.5) - 1), random)


def shapes(seed: int, rows: int = 600, size: int = 12) -> Parts:
    """Which of lying, standing and slanting strokes a picture shows: any of three labels."""
    random = np.random.default_rng(seed)
    y = random.random((rows, 3)) < 0.5
    x = 0.15 * random.random((rows, 1, size, size))
    step = np.arange(5)
    for row in range(rows):
        for kind in np.flatnonzero(y[row]):
            a, b = random.integers(1, size - 5, 2)
            down, right = (step, 0 * step, step)[kind], (0 * step, step, step)[kind]
            x[row, 0][a + down, b + right] = 0.9
    return split(single(x), single(y), random)


def series(seed: int, rows: int = 500, steps: int = 24) -> Parts:
    """Waves of three frequencies (rows, steps, 1), with noise and random phase."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, rows)
    time, phase = np.arange(steps)[None], random.uniform(0, 2 * np.pi, (rows, 1))
    x = np.sin(np.array([0.3, 0.7, 1.3])[y][:, None] * time + phase)
    x = x + 0.2 * random.normal(size=x.shape)
    return split(single(x[..., None]), y, random)


def running_mean(seed: int, rows: int = 500, steps: int = 16) -> Parts:
    """The sum of a series (rows, steps, 1) that counts late values more: one number."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, steps, 1))
    y = (x[..., 0] * 0.85 ** np.arange(steps)[::-1]).sum(1, keepdims=True)
    return split(single(x), single(y / y.std()), random)


def tones(seed: int, rows: int = 600, steps: int = 24) -> Parts:
    """Which of three frequencies sound in a series: any of three labels."""
    random = np.random.default_rng(seed)
    y = random.random((rows, 3)) < 0.5
    time, phase = np.arange(steps)[None, None], random.uniform(0, 2 * np.pi, (rows, 3, 1))
    waves = np.sin(np.array([0.3, 0.9, 1.9])[None, :, None] * time + phase)
    x = (waves * y[..., None]).sum(1) + 0.1 * random.normal(size=(rows, steps))
    return split(single(x[..., None]), single(y), random)


def first_sign(seed: int, rows: int = 500, steps: int = 60) -> Parts:
    """Whether the first value of a long series was positive: memory over many steps."""
    random = np.random.default_rng(seed)
    x = 0.3 * random.normal(size=(rows, steps, 1))
    y = random.integers(0, 2, rows)
    x[:, 0, 0] = np.where(y == 1, 1.0, -1.0)
    return split(single(x), y, random)


def majority(seed: int, rows: int = 600, length: int = 12) -> Parts:
    """Which of tokens 1 to 3 is the most frequent one in a text."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, rows)
    x = random.integers(1, 9, (rows, length))
    for row in range(rows):
        x[row, random.choice(length, 5, replace=False)] = y[row] + 1
    return split(x, y, random)


def tally(seed: int, rows: int = 600, length: int = 12) -> Parts:
    """The sum of the values of tokens: one standardized number."""
    random = np.random.default_rng(seed)
    worth = random.normal(size=10)
    x = random.integers(0, 10, (rows, length))
    y = worth[x].sum(1, keepdims=True)
    return split(x, single((y - y.mean()) / y.std()), random)


def present(seed: int, rows: int = 700, length: int = 8) -> Parts:
    """Which of tokens 1 to 4 occur in a text: any of four labels."""
    random = np.random.default_rng(seed)
    x = random.integers(1, 13, (rows, length))
    return split(x, single((x[:, :, None] == np.arange(1, 5)).any(1)), random)


def tagging(seed: int, rows: int = 400, length: int = 14) -> Parts:
    """A class for each token (its value modulo 3, from 1 to 3), padded to one length by 0; what
    stands at padded places of the targets is -100, which the loss leaves out."""
    random = np.random.default_rng(seed)
    x = random.integers(1, 13, (rows, length))
    padded = np.arange(length)[None] >= random.integers(2, 6, (rows, 1))
    y = np.where(padded, -100, 1 + x % 3)
    return split(np.where(padded, 0, x), y, random)
