"""More rows from the same rows: pictures turned, scaled, shifted, mirrored, cut, coloured, mixed;
rows of tables with noise, mixed.

A network that has seen each picture in many positions learns by heart less easily.  A *change*
leaves labels what they are, so choose those that keep them true: a mirrored 3 is no 3, a 6 turned
far is a 9.  A *mix* puts two rows and their labels together.

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
Labels = npt.NDArray[np.float32]
Change = Callable[[Images, np.random.Generator], Images]
Mix = Callable[[Images, Labels, np.random.Generator], tuple[Images, Labels]]


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
        _check_pictures(self, images)
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
    """Each picture mirrored with probability ``share``: left to right, or top to bottom where
    ``vertical``."""

    share: float = 0.5
    vertical: bool = False

    def __call__(self, images: Images, random: np.random.Generator) -> Images:
        """The pictures, some of them mirrored."""
        _check_pictures(self, images)
        chosen = random.uniform(size=len(images)) < self.share
        turned = chosen.reshape(-1, *(1,) * (images.ndim - 1))
        mirrored = images[..., ::-1, :] if self.vertical else images[..., ::-1]
        return np.where(turned, mirrored, images)


@dataclass(frozen=True)
class RandomCrop:
    """Each picture cut out of itself with a border of ``padding`` zeros on every side, at a random
    place: whole pixels, no interpolation (as He and others, "Deep Residual Learning", 2016)."""

    padding: int = 4

    def __post_init__(self) -> None:
        if self.padding < 1:
            raise ArgumentError(f"padding={self.padding}", "Give a whole number from 1 up.")

    def __call__(self, images: Images, random: np.random.Generator) -> Images:
        """The pictures, shifted by up to ``padding`` pixels each way."""
        _check_pictures(self, images)
        height, width, pad = images.shape[-2], images.shape[-1], self.padding
        border = [(0, 0)] * (images.ndim - 2) + [(pad, pad)] * 2
        padded = np.pad(images, border)
        places = random.integers(0, 2 * pad + 1, (len(images), 2))
        result = np.empty_like(images)
        for row, (down, right) in enumerate(places):
            result[row] = padded[row, ..., down : down + height, right : right + width]
        return result


@dataclass(frozen=True)
class RandomColour:
    """Each picture brighter or darker, with more or less contrast and colour.

    Factors are uniform in 1 ± ``brightness``, 1 ± ``contrast`` (about the picture's mean) and 1 ±
    ``saturation`` (about each pixel's grey, of pictures with three channels).
    """

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < 1:
                raise ArgumentError(f"{name}={value}", "Give a number from 0 to below 1.")

    def __call__(self, images: Images, random: np.random.Generator) -> Images:
        """The pictures in other light."""
        _check_pictures(self, images)
        shape = (len(images), *(1,) * (images.ndim - 1))
        bright, contrast, colour = (
            random.uniform(1 - width, 1 + width, shape).astype(np.float32)
            for width in (self.brightness, self.contrast, self.saturation)
        )
        result = images * bright
        axes = tuple(range(1, images.ndim))
        mean = result.mean(axis=axes, keepdims=True)
        result = mean + (result - mean) * contrast
        if images.ndim == 4 and images.shape[1] == 3:
            grey = result.mean(axis=1, keepdims=True)
            result = grey + (result - grey) * colour
        return np.asarray(result, np.float32)


@dataclass(frozen=True)
class Cutout:
    """A square of ``size`` (a share of the shorter side) in each picture is 0, at a random place
    that may lie partly outside (DeVries and Taylor, 2017)."""

    size: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.size <= 1:
            raise ArgumentError(f"size={self.size}", "Give a share above 0, up to 1.")

    def __call__(self, images: Images, random: np.random.Generator) -> Images:
        """The pictures with a hole each."""
        _check_pictures(self, images)
        height, width = images.shape[-2:]
        half = max(1, round(self.size * min(height, width))) / 2
        y = np.abs(np.arange(height) + 0.5 - random.uniform(0, height, len(images))[:, None])
        x = np.abs(np.arange(width) + 0.5 - random.uniform(0, width, len(images))[:, None])
        hole = (y <= half)[:, :, None] & (x <= half)[:, None, :]
        hole = hole.reshape(len(images), *(1,) * (images.ndim - 3), height, width)
        return np.where(hole, np.float32(0), images)


@dataclass(frozen=True)
class AddNoise:
    """Normal noise of standard deviation ``deviation`` on every number: of pictures, or of a
    table's standardized features."""

    deviation: float

    def __call__(self, images: Images, random: np.random.Generator) -> Images:
        """The rows with noise."""
        noise = random.standard_normal(images.shape, np.float32)
        return np.asarray(images + np.float32(self.deviation) * noise)


@dataclass(frozen=True)
class Mixup:
    """Each row together with another one: λ·a + (1 − λ)·b of features and labels alike, with λ
    from Beta(``alpha``, ``alpha``) (Zhang and others, "mixup", 2018).  For pictures and tables."""

    alpha: float = 0.2

    def __post_init__(self) -> None:
        _check_alpha(self.alpha)

    def __call__(
        self, rows: Images, labels: Labels, random: np.random.Generator
    ) -> tuple[Images, Labels]:
        """The rows and labels, mixed; float32."""
        share = random.beta(self.alpha, self.alpha, len(rows)).astype(np.float32)
        other = random.permutation(len(rows))
        mixed = []
        for values in (rows, labels):
            weight = share.reshape(-1, *(1,) * (values.ndim - 1))
            mixed.append(np.asarray(weight * values + (1 - weight) * values[other], np.float32))
        return mixed[0], mixed[1]


@dataclass(frozen=True)
class CutMix:
    """A rectangle of each picture comes from another one; labels are mixed by the areas (Yun and
    others, "CutMix", 2019).  The area that stays has the share λ from Beta(``alpha``, ``alpha``)
    where the rectangle does not reach over the border."""

    alpha: float = 1.0

    def __post_init__(self) -> None:
        _check_alpha(self.alpha)

    def __call__(
        self, images: Images, labels: Labels, random: np.random.Generator
    ) -> tuple[Images, Labels]:
        """The pictures and labels, mixed."""
        _check_pictures(self, images)
        height, width = images.shape[-2:]
        side = np.sqrt(1 - random.beta(self.alpha, self.alpha, len(images)))
        other = random.permutation(len(images))
        inside = []
        for extent in (height, width):
            middle = random.uniform(0, extent, len(images))[:, None]
            inside.append(np.abs(np.arange(extent) + 0.5 - middle) <= side[:, None] * extent / 2)
        patch = inside[0][:, :, None] & inside[1][:, None, :]
        share = 1 - patch.mean(axis=(1, 2))
        shape = (len(images), *(1,) * (images.ndim - 3), height, width)
        mixed = np.where(patch.reshape(shape), images[other], images)
        weight = share.reshape(-1, *(1,) * (labels.ndim - 1))
        return mixed, np.asarray(weight * labels + (1 - weight) * labels[other], np.float32)


def _check_pictures(change: object, images: Images) -> None:
    """``ShapeError`` for rows that are no pictures."""
    if images.ndim not in (3, 4):
        raise ShapeError(
            f"{type(change).__name__} got rows of shape {images.shape[1:]}, which are no pictures",
            "Give shape=(height, width) or (channels, height, width) for flat pictures.",
        )


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha <= 100:
        raise ArgumentError(f"alpha={alpha}", "Give a number above 0, such as 0.2 or 1.")


class AugmentedBatches:
    """Batches of changed rows, new ones in every pass; what ``Trainer.fit`` takes.

    ``images`` float32 (rows, height, width), (rows, channels, height, width), or flat (rows,
    pixels) with ``shape`` the picture's; rows of a table are (rows, features) with ``shape``
    (features,).  ``labels`` (rows, …) stay with their rows.  ``changes`` is one change or a
    sequence, applied in order: a function of (images, generator) that keeps the shape.  ``mix``
    is a function of (images, labels, generator) that is applied last; class numbers are then given
    to it, and yielded, as probabilities float32 (rows, classes), which ``cross_entropy`` takes,
    numbers of a regression as they are.  Order and changes follow from ``seed`` and the passes
    before.
    """

    def __init__(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        changes: Change | Sequence[Change],
        batch_size: int = 64,
        seed: int = 0,
        shape: tuple[int, ...] | None = None,
        mix: Mix | None = None,
    ) -> None:
        self.images = np.ascontiguousarray(images, np.float32)
        self.labels = np.ascontiguousarray(labels)
        self.changes = [changes] if callable(changes) else list(changes)
        self.batch_size, self.random = batch_size, np.random.default_rng(seed)
        self.shape = tuple(shape or self.images.shape[1:])
        if len(self.images) != len(self.labels) or not len(self.images):
            raise ShapeError(
                f"AugmentedBatches got {len(self.images)} pictures and {len(self.labels)} labels",
                "Give one label for each of at least one picture.",
            )
        self.mix = mix
        if mix is not None:
            self.labels = soft_labels(self.labels)
        if len(self.shape) not in (1, 2, 3) or math.prod(self.shape) * len(self.images) != (
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
        random = self.random  # kept as it stands: a Trainer can go on in the middle of a pass
        order = random.permutation(len(self.images))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            pictures = self.images[rows].reshape(len(rows), *self.shape)
            for change in self.changes:
                pictures = change(pictures, random)
            labels = self.labels[rows]
            if self.mix is not None:
                pictures, labels = self.mix(pictures, labels, random)
            flat = np.ascontiguousarray(pictures, np.float32).reshape(
                len(rows), *self.images.shape[1:]
            )
            yield as_tensor(flat), as_tensor(labels)


def soft_labels(labels: npt.NDArray[Any], classes: int | None = None) -> npt.NDArray[Any]:
    """Class numbers (rows,) as probabilities float32 (rows, classes); other labels as float32."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        return np.asarray(labels, np.float32)
    count = int(labels.max(initial=0)) + 1 if classes is None else classes
    return np.asarray(labels[:, None] == np.arange(count), np.float32)


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
