"""More pictures from the same pictures: turned, scaled, shifted, mirrored, with noise.

A network that has seen each picture in many positions learns by heart less easily.  Labels stay
what they are, so choose changes that keep them true: a mirrored 3 is no 3, a 6 turned far is a 9.

>>> batches = AugmentedBatches(images, labels, RandomAffine(10, (0.9, 1.1), 0.1))  # doctest: +SKIP
>>> trainer.fit(batches, (x_held, y_held), epochs=20)                              # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor

Images = npt.NDArray[np.float32]
Change = Callable[[Images, np.random.Generator], Images]


@dataclass(frozen=True)
class RandomAffine:
    """Each picture turned, scaled and shifted by amounts of its own.

    ``degrees``: the angle (clockwise) is uniform in ±degrees.  ``scale``: the factor is uniform
    between the two.  ``shift``: the way along each axis is uniform in ± this share of the
    picture's extent.  Values between pixels are interpolated (bilinear), outside they are 0.
    Takes and gives float32 (rows, height, width) or (rows, channels, height, width).
    """

    degrees: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.scale
        if not (0 <= self.degrees <= 180 and 0 < low <= high and 0 <= self.shift < 1):
            raise ArgumentError(
                f"{self} is no range of changes",
                "Use degrees 0 … 180, scale (low, high) with 0 < low ≤ high, and shift 0 … 1.",
            )

    def __call__(self, images: Images, random: np.random.Generator) -> Images:
        """The pictures turned, scaled and shifted."""
        rows, height, width = images.shape[0], images.shape[-2], images.shape[-1]
        angle = np.radians(random.uniform(-self.degrees, self.degrees, rows))
        factor = random.uniform(*self.scale, rows)
        down, right = (random.uniform(-self.shift, self.shift, rows) for _ in range(2))
        # For each place of the new picture: where it was in the old one.
        y, x = np.mgrid[:height, :width].astype(np.float64)
        middle = ((height - 1) / 2, (width - 1) / 2)
        y = y[None] - middle[0] - (down * height)[:, None, None]
        x = x[None] - middle[1] - (right * width)[:, None, None]
        cosine = (np.cos(angle) / factor)[:, None, None]
        sine = (np.sin(angle) / factor)[:, None, None]
        return _sample(images, cosine * y - sine * x + middle[0], sine * y + cosine * x + middle[1])


@dataclass(frozen=True)
class RandomFlip:
    """Each picture mirrored left to right with probability ``share``."""

    share: float = 0.5

    def __call__(self, images: Images, random: np.random.Generator) -> Images:
        """The pictures, some of them mirrored."""
        chosen = random.uniform(size=len(images)) < self.share
        turned = chosen.reshape(-1, *(1,) * (images.ndim - 1))
        return np.where(turned, images[..., ::-1], images)


@dataclass(frozen=True)
class AddNoise:
    """Normal noise of standard deviation ``deviation`` on every pixel."""

    deviation: float

    def __call__(self, images: Images, random: np.random.Generator) -> Images:
        """The pictures with noise."""
        noise = random.standard_normal(images.shape, np.float32)
        return np.asarray(images + np.float32(self.deviation) * noise)


class AugmentedBatches:
    """Batches of changed pictures, new ones in every pass; what ``Trainer.fit`` takes.

    ``images`` float32 (rows, height, width), (rows, channels, height, width), or flat (rows,
    pixels) with ``shape`` the picture's; ``labels`` (rows, …) stay with their pictures.
    ``changes`` is one change or a sequence, applied in order: a function of (images, generator)
    that keeps the shape.  Order and changes follow from ``seed`` and the number of the pass.
    """

    def __init__(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        changes: Change | Sequence[Change],
        batch_size: int = 64,
        seed: int = 0,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self.images = np.ascontiguousarray(images, np.float32)
        self.labels = np.ascontiguousarray(labels)
        self.changes = [changes] if callable(changes) else list(changes)
        self.batch_size, self.seed, self.passes = batch_size, seed, 0
        self.shape = tuple(shape or self.images.shape[1:])
        if len(self.images) != len(self.labels) or not len(self.images):
            raise ShapeError(
                f"AugmentedBatches got {len(self.images)} pictures and {len(self.labels)} labels",
                "Give one label for each of at least one picture.",
            )
        if len(self.shape) not in (2, 3) or math.prod(self.shape) * len(self.images) != (
            self.images.size
        ):
            raise ShapeError(
                f"Pictures of shape {self.images.shape[1:]} are not {self.shape}",
                "Give shape=(height, width) or (channels, height, width) for flat pictures.",
            )
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ArgumentError(
                f"AugmentedBatches got batch_size={batch_size!r}", "Give a whole number from 1 up."
            )

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(pictures, labels) as tensors, pictures in the form in which they were given."""
        random = np.random.default_rng([self.seed, self.passes])
        self.passes += 1
        order = random.permutation(len(self.images))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            pictures = self.images[rows].reshape(len(rows), *self.shape)
            for change in self.changes:
                pictures = change(pictures, random)
            flat = np.ascontiguousarray(pictures, np.float32).reshape(self.images[rows].shape)
            yield as_tensor(flat), as_tensor(self.labels[rows])


def _sample(images: Images, y: npt.NDArray[Any], x: npt.NDArray[Any]) -> Images:
    """Pixels at fractional places (rows, height, width), each from its four neighbours."""
    stack = images if images.ndim == 4 else images[:, None]
    height, width = stack.shape[-2:]
    top, left = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    rows = np.arange(len(stack))[:, None, None]
    result = np.zeros(stack.shape, np.float64)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        i, j = top + row, left + column
        weight = (1 - np.abs(y - i)) * (1 - np.abs(x - j))
        weight *= (i >= 0) & (i < height) & (j >= 0) & (j < width)
        found = stack[rows, :, i.clip(0, height - 1), j.clip(0, width - 1)]  # (rows, h, w, c)
        result += weight[:, None] * np.moveaxis(found, -1, 1)
    return result.astype(np.float32).reshape(images.shape)
