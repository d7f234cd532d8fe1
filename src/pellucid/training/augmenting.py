"""Rows that are changed at random in each step of training, as the settings of a run say.

What is done is part of the compiled step: the random numbers are those of the run, so a run that
goes on after a kill has the same ones, and nobody waits for batches.  Validation, test and
prediction see rows as they are.  ``pellucid.data.augmentation`` has the same changes for batches
that are made outside of a step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from pellucid import Tensor
from pellucid.base.errors import ArgumentError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.input_layout import InputLayout
from pellucid.nn import functional
from pellucid.tensor.creation import arange, as_tensor, full
from pellucid.tensor.functions import where
from pellucid.tensor.random import rand, randn_like
from pellucid.tensor.sampling import dirichlet
from pellucid.tensor.shaping import cat, stack
from pellucid.training.config import TrainingConfig
from pellucid.training.network import RandomShift

IMAGE_CHANGES = ("shift", "flip", "rotate", "scale", "crop", "colour", "cutout", "cutmix")
"""Settings that only images have."""
CHANGES = (*IMAGE_CHANGES, "mixup", "noise")
"""Settings of :class:`Augmentation`, each of which changes nothing where it is as by default."""
ASPECT = (3 / 4, 4 / 3)


def augmentation_of(
    shape: Sequence[int], config: TrainingConfig, black: float | Sequence[float] = 0.0
) -> Augmentation | None:
    """What ``config`` does to rows of this shape in training; None where they stay as they are.

    ``shape`` is (features,), that of an image, or an ``InputLayout``; ``black`` is the value of a
    feature that is a black pixel, for each picture of a layout.  Raises ``ArgumentError`` for
    changes of images where the rows are none.
    """
    image = image_shape(shape)
    pictures = shape.pictures if isinstance(shape, InputLayout) else ()
    usual = TrainingConfig()
    asked = [name for name in CHANGES if getattr(config, name) != getattr(usual, name)]
    for name in asked:
        if pictures and name == "cutmix":
            raise ArgumentError(
                phrase(Setting(name, config.cutmix), " mixes images that have nothing beside them"),
                phrase("For these rows there is ", Setting("mixup"), "."),
            )
        if image is None and not pictures and name in IMAGE_CHANGES:
            raise ArgumentError(
                phrase(Setting(name, getattr(config, name)), " is for images, the rows are none"),
                phrase("For tables there are ", Setting("mixup"), " and ", Setting("noise"), "."),
            )
    if config.colour and image is not None and image[2] not in (1, 3):
        raise ArgumentError(
            phrase(Setting("colour", config.colour), f" needs 1 or 3 channels, not {image[2]}"),
            "Leave it out.",
        )
    if config.model == "cnn" and asked == ["shift"]:
        return None  # a layer of the network does that
    return Augmentation(shape, config, black) if asked else None


def image_shape(shape: Sequence[int]) -> tuple[int, int, int] | None:
    """(height, width, channels) of the image in a row of this shape, None where there is none."""
    if len(shape) not in (2, 3):
        return None
    return (shape[0], shape[1], shape[2] if len(shape) == 3 else 1)


class Augmentation:
    """Rows (N, entries) → the same rows, changed, and what they were mixed with.

    Images are mirrored (``flip``), then turned by up to ``rotate`` degrees, scaled by a factor in
    1 ± ``scale`` and cut to a part of at least the share ``crop`` of their area, which fills the
    image again: together one bilinear sampling, in which the edge is repeated outside.  Then
    ``colour``: factors in 1 ± colour of brightness, contrast (about the image's mean) and, with
    three channels, saturation (about a pixel's grey); ``noise``: normal, of this deviation, in
    units of the standardized features; and ``cutout``: a square of this share of the shorter side
    becomes 0, the mean of the training pixels (DeVries and Taylor, 2017).

    ``mixup`` and ``cutmix`` are the α of the Beta(α, α) from which the share λ comes that row i
    keeps of itself; the rest comes from row i − 1 of the batch: λ·a + (1 − λ)·b of all numbers
    (Zhang and others, "mixup", 2018), or a rectangle of the image (Yun and others, "CutMix",
    2019).  With both each row has one of them, by a coin.  Codes of categories and words come from
    either row, with these shares.  The loss of a mixed row is λ times that against its own target
    and 1 − λ times that against the other's.  Pictures beside other entries change as images do.
    """

    def __init__(
        self,
        shape: Sequence[int],
        config: TrainingConfig,
        black: float | Sequence[float] = 0.0,
    ) -> None:
        self.shape = shape
        self.config = config
        self.black = black
        self.image = image_shape(shape)
        moves = config.shift if config.model != "cnn" else 0
        self.shift = RandomShift(moves) if moves else None

    def __call__(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Rows (N, entries), and the share (N,) that each keeps of itself, None where none is
        mixed."""
        if self.image is None:
            return self._table(features)
        images = features.reshape(-1, *self.image).permute(0, 3, 1, 2)  # (N, C, H, W)
        mixed, share = self._mixed(self._changed(images, self._black(0)))
        return mixed.permute(0, 2, 3, 1).reshape(features.shape), share

    # ---- tables ----------------------------------------------------------------------------

    def _table(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Rows of a table: numbers with noise and mixed, codes from either of two rows."""
        count = self.shape.numbers if isinstance(self.shape, InputLayout) else features.shape[1]
        numbers, rest = features[:, :count], features[:, count:]
        seen: list[Tensor] = []
        if isinstance(self.shape, InputLayout):
            seen = [self._picture(features, place) for place in range(len(self.shape.pictures))]
            rest = features[:, count : features.shape[1] - sum(one.shape[1] for one in seen)]
        if self.config.noise:
            numbers = numbers + self.config.noise * randn_like(numbers)
        if not self.config.mixup:
            return cat([numbers, rest, *seen], 1), None
        share = _beta(self.config.mixup, len(features))
        kept = share.unsqueeze(1)
        numbers = kept * numbers + (1 - kept) * before(numbers)
        if isinstance(self.shape, InputLayout):
            parts = [numbers]
            for one in self.shape.lookups:
                own = features[:, one.start : one.start + one.slots]
                coin = (rand(len(features)) < share).unsqueeze(1)
                parts.append(where(coin, own, before(own)))
            parts += [kept * own + (1 - kept) * before(own) for own in seen]
            numbers = cat(parts, 1)
        return numbers, share

    def _picture(self, features: Tensor, place: int) -> Tensor:
        """The pixels (N, pixels) of one of the layout's pictures, changed."""
        picture = cast(InputLayout, self.shape).pictures[place]
        shape = (*picture.shape[:2], picture.channels)
        own = features[:, picture.start : picture.start + picture.pixels]
        images = own.reshape(-1, *shape).permute(0, 3, 1, 2)
        return self._changed(images, self._black(place)).permute(0, 2, 3, 1).reshape(own.shape)

    def _black(self, place: int) -> float:
        return self.black if isinstance(self.black, float | int) else self.black[place]

    # ---- images ----------------------------------------------------------------------------

    def _changed(self, images: Tensor, black: float) -> Tensor:
        """Images (N, C, H, W) before they are mixed."""
        images = self._moved(self._flipped(images))
        if self.shift is not None:
            images = self.shift(images)
        images = self._in_other_light(images, black)
        if self.config.noise:
            images = images + self.config.noise * randn_like(images)
        return self._cut(images) if self.config.cutout else images

    def _flipped(self, images: Tensor) -> Tensor:
        """Mirrored by a coin along each axis that ``flip`` names."""
        flip = self.config.flip
        for axis, names in ((3, ("horizontal", "both")), (2, ("vertical", "both"))):
            if flip in names:
                coin = _by_row(rand(len(images)) < 0.5)
                images = where(coin, images.flip(axis), images)
        return images

    def _moved(self, images: Tensor) -> Tensor:
        """Turned, scaled, and a part of it enlarged."""
        config, count = self.config, len(images)
        if not (config.rotate or config.scale or config.crop < 1):
            return images
        height, width = images.shape[2:]
        angle = _uniform(count, -config.rotate, config.rotate) * (math.pi / 180)
        factor = _uniform(count, 1 - config.scale, 1 + config.scale)
        tall, wide, down, right = self._window(count)
        # For each place of the new image, from -1 to 1, where it was in the old one.
        y = _by_row(down) + _by_row(tall) * _places(height).reshape(1, 1, -1, 1)
        x = _by_row(right) + _by_row(wide) * _places(width).reshape(1, 1, 1, -1)
        cosine, sine = _by_row(angle.cos() / factor), _by_row(angle.sin() / factor)
        ratio = height / width
        turned = [cosine * x + sine * ratio * y, cosine * y - sine / ratio * x]
        shape = (count, height, width)
        grid = stack([place.expand(count, 1, height, width).reshape(shape) for place in turned], -1)
        return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _window(self, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Height and width (as shares of the image) and middle (from -1 to 1) of the part that
        stays: area uniform from ``crop`` to 1, height to width between 3/4 and 4/3, as far as the
        image allows (Szegedy and others, "Going Deeper with Convolutions", 2015)."""
        if self.config.crop >= 1:
            whole = as_tensor(1.0).expand(count)
            return whole, whole, whole * 0, whole * 0
        area = _uniform(count, self.config.crop, 1.0)
        stretch = (_uniform(count, math.log(ASPECT[0]), math.log(ASPECT[1])) / 2).exp()
        tall = (area.sqrt() * stretch).clamp(max=1.0)
        wide = (area.sqrt() / stretch).clamp(max=1.0)
        return (
            tall,
            wide,
            _uniform(count, -1.0, 1.0) * (1 - tall),
            _uniform(count, -1.0, 1.0) * (1 - wide),
        )

    def _in_other_light(self, images: Tensor, black: float) -> Tensor:
        """Brighter or darker, with more or less contrast and colour."""
        most, count = self.config.colour, len(images)
        if not most:
            return images
        bright, contrast, vivid = (_by_row(_uniform(count, 1 - most, 1 + most)) for _ in range(3))
        images = black + (images - black) * bright
        mean = images.mean((1, 2, 3), keepdim=True)
        images = mean + (images - mean) * contrast
        if images.shape[1] == 3:
            grey = images.mean(1, keepdim=True)
            images = grey + (images - grey) * vivid
        return images

    def _cut(self, images: Tensor) -> Tensor:
        """A square is 0, its middle anywhere in the image."""
        height, width = images.shape[2:]
        half = max(1, round(self.config.cutout * min(height, width))) / 2
        hole = _rectangle(images, as_tensor(half), as_tensor(half))
        return where(hole, as_tensor(0.0), images)

    def _mixed(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mixed with the image before it, and the share that stays."""
        config, count = self.config, len(images)
        if not (config.mixup or config.cutmix):
            return images, None
        other = before(images)
        if config.mixup:
            share = _beta(config.mixup, count)
            blended = _by_row(share) * images + (1 - _by_row(share)) * other
            if not config.cutmix:
                return blended, share
        side = (1 - _beta(config.cutmix, count)).sqrt() / 2
        height, width = images.shape[2:]
        patch = _rectangle(images, _by_row(side * height), _by_row(side * width))
        pasted = where(patch, other, images)
        stays = 1 - patch.float().mean((1, 2, 3))
        if not config.mixup:
            return pasted, stays
        coin = rand(count) < 0.5
        return where(_by_row(coin), blended, pasted), where(coin, share, stays)


def before(rows: Tensor) -> Tensor:
    """For each row the one before it, for the first the last."""
    return cat([rows[-1:], rows[:-1]], 0) if len(rows) > 1 else rows


def _by_row(values: Tensor) -> Tensor:
    """(N,) → (N, 1, 1, 1)."""
    return values.reshape(-1, 1, 1, 1)


def _uniform(count: int, low: float, high: float) -> Tensor:
    return low + (high - low) * rand(count)


def _beta(alpha: float, count: int) -> Tensor:
    """Draws (count,) from Beta(α, α)."""
    return dirichlet(full((count, 2), float(alpha)))[:, 0].detach()


def _places(extent: int) -> Tensor:
    """The middles of ``extent`` pixels, from -1 to 1."""
    return (2 * arange(extent) + 1).float() / extent - 1


def _rectangle(images: Tensor, tall: Tensor, wide: Tensor) -> Tensor:
    """(N, 1, H, W): whether a pixel is no further than so many pixels from a random middle, down
    and across."""
    height, width = images.shape[2:]
    down = (arange(height) + 0.5).reshape(1, 1, -1, 1) - _by_row(rand(len(images)) * height)
    right = (arange(width) + 0.5).reshape(1, 1, 1, -1) - _by_row(rand(len(images)) * width)
    return (down.abs() <= tall) & (right.abs() <= wide)
