"""Transforms that take a picture with what belongs to it, such as ``(picture, label)`` or a dict:
the pictures are changed, everything else comes back as it was.  Names are torchvision's (v2).

All Pillow images among the inputs are changed, each with the same random numbers; without any, the
first tensor is taken for the picture, as in torchvision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from pellucid.base.dtypes import DType, float32
from pellucid.base.errors import ArgumentError
from pellucid.nn.functional import one_hot
from pellucid.nn.module import Module
from pellucid.tensor.random import get_rng_state, set_rng_state
from pellucid.tensor.tensor import Tensor
from pellucid.vision.images import InterpolationMode, Picture, is_picture, is_pillow
from pellucid.vision.transforms import augment, classes, random
from pellucid.vision.transforms.v2 import functional

Inputs: TypeAlias = tuple[Any, ...]
Sample: TypeAlias = Any
"""A picture, or whatever holds pictures and other things; of the form that went in."""


def change_pictures(change: Callable[[Any], Any], inputs: Inputs) -> Sample:
    """``change`` applied to the pictures within ``inputs``, which may be nested."""
    sample = inputs if len(inputs) > 1 else inputs[0]
    leaves: list[Any] = []
    _gather(sample, leaves)
    images = [leaf for leaf in leaves if is_pillow(leaf) or isinstance(leaf, np.ndarray)]
    chosen = images or [leaf for leaf in leaves if is_picture(leaf)][:1]
    before = get_rng_state()
    made: dict[int, Any] = {}
    for leaf in chosen:
        set_rng_state(before)
        made[id(leaf)] = change(leaf)
    return _replaced(sample, made)


def _gather(value: Any, leaves: list[Any]) -> None:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            _gather(part, leaves)
    else:
        leaves.append(value)


def _replaced(value: Any, made: Mapping[int, Any]) -> Any:
    if id(value) in made:
        return made[id(value)]
    if isinstance(value, Mapping):
        return {key: _replaced(part, made) for key, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [_replaced(part, made) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


class _Together(classes.Transform):
    """Makes of a transform for one picture one for pictures among other things."""

    def forward(self, *inputs: Any) -> Sample:
        """The inputs with their pictures changed."""
        return change_pictures(super().forward, inputs)


class Resize(_Together, classes.Resize):
    """Another size: (height, width), or the length of the shorter side."""


class CenterCrop(_Together, classes.CenterCrop):
    """The middle part."""


class Pad(_Together, classes.Pad):
    """A border around the picture."""


class RandomCrop(_Together, classes.RandomCrop):
    """A part at a random place."""


class RandomResizedCrop(_Together, classes.RandomResizedCrop):
    """A part of random size and shape, resized."""


class FiveCrop(_Together, classes.FiveCrop):
    """The four corners and the middle."""


class TenCrop(_Together, classes.TenCrop):
    """The four corners and the middle, and those of the mirrored picture."""


class RandomHorizontalFlip(_Together, classes.RandomHorizontalFlip):
    """Mirrored left to right with probability ``p``."""


class RandomVerticalFlip(_Together, classes.RandomVerticalFlip):
    """Mirrored top to bottom with probability ``p``."""


class RandomGrayscale(_Together, classes.RandomGrayscale):
    """Grey with probability ``p``."""


class RandomInvert(_Together, classes.RandomInvert):
    """White less the picture, with probability ``p``."""


class RandomPosterize(_Together, classes.RandomPosterize):
    """Only the upper bits, with probability ``p``."""


class RandomSolarize(_Together, classes.RandomSolarize):
    """Bright values inverted, with probability ``p``."""


class RandomAdjustSharpness(_Together, classes.RandomAdjustSharpness):
    """Sharpness by a factor, with probability ``p``."""


class RandomAutocontrast(_Together, classes.RandomAutocontrast):
    """Channels stretched from black to white, with probability ``p``."""


class RandomEqualize(_Together, classes.RandomEqualize):
    """A flat histogram, with probability ``p``."""


class RandomRotation(_Together, classes.RandomRotation):
    """Turned by a random angle."""


class RandomAffine(_Together, classes.RandomAffine):
    """Turned, shifted, scaled and sheared at random."""


class RandomPerspective(_Together, classes.RandomPerspective):
    """Corners moved at random."""


class Grayscale(_Together, classes.Grayscale):
    """Luma, in one channel or three equal ones."""


class ColorJitter(_Together, classes.ColorJitter):
    """Brightness, contrast, saturation and hue changed at random."""


class GaussianBlur(_Together, classes.GaussianBlur):
    """Blurred, with a random width."""


class RandomErasing(_Together, classes.RandomErasing):
    """A rectangle replaced, with probability ``p``."""


class RandAugment(_Together, augment.RandAugment):
    """Random operations of one magnitude."""


class TrivialAugmentWide(_Together, augment.TrivialAugmentWide):
    """One random operation of a random magnitude."""


class Normalize(_Together, classes.Normalize):
    """(x − mean) / std for each channel."""


class ConvertImageDtype(_Together, classes.ConvertImageDtype):
    """Another dtype, with black and white where they were."""


class _Plain(classes.Transform):
    """A function of one picture."""

    def forward(self, *inputs: Any) -> Sample:
        """The inputs with their pictures changed."""
        return change_pictures(self.change, inputs)

    def change(self, picture: Picture) -> Picture:
        """The changed picture; every subclass says it."""
        raise NotImplementedError


class ToImage(_Plain):
    """A Pillow image or array (H, W, C) as a tensor (C, H, W) with its values."""

    def change(self, picture: Picture) -> Picture:
        """The tensor."""
        return functional.to_image(picture)


class PILToTensor(ToImage):
    """A Pillow image as a tensor (C, H, W) with its values."""


class ToTensor(_Plain):
    """A Pillow image or array (H, W, C) as a float32 tensor (C, H, W) from 0 to 1."""

    def change(self, picture: Picture) -> Picture:
        """The tensor."""
        return picture if isinstance(picture, Tensor) else functional.to_tensor(picture)


class ToPILImage(_Plain):
    """A tensor (C, H, W) or array (H, W, C) as a Pillow image."""

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def change(self, picture: Picture) -> Picture:
        """The image."""
        return picture if is_pillow(picture) else functional.to_pil_image(picture, self.mode)


class ToDtype(_Plain):
    """Another dtype; with ``scale`` black and white stay where they were: 255 of uint8 is 1.0."""

    def __init__(self, dtype: DType, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, DType):
            raise ArgumentError(f"ToDtype got {dtype!r}", "give a dtype, such as pellucid.float32")
        self.dtype, self.scale = dtype, scale

    def change(self, picture: Picture) -> Picture:
        """The picture in that dtype."""
        return functional.to_dtype(picture, self.dtype, self.scale)


class ToPureTensor(_Plain):
    """Pictures are plain tensors here: nothing to do."""

    def change(self, picture: Picture) -> Picture:
        """The picture."""
        return picture


class Identity(ToPureTensor):
    """Nothing."""


class Lambda(_Plain):
    """Any function as a transform of pictures."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        super().__init__()
        self.lambd = lambd

    def change(self, picture: Picture) -> Picture:
        """What the function makes of it."""
        return self.lambd(picture)


# ---- several ------------------------------------------------------------------------------------


class Compose(Module):
    """Transforms one after the other."""

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        if not transforms:
            raise ArgumentError("Compose got no transforms", "give a list of them")
        self.transforms = list(transforms)

    def forward(self, *inputs: Any) -> Sample:
        """The inputs, changed by all of them."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        for transform in self.transforms:
            sample = _called(transform, sample, len(inputs) > 1)
        return sample

    def __repr__(self) -> str:
        lines = "\n".join(f"    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}(\n{lines}\n)"


def _called(transform: Callable[..., Any], sample: Any, several: bool) -> Any:
    return transform(*sample) if several else transform(sample)


class RandomApply(Compose):
    """All transforms with probability ``p``, else none."""

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: float = 0.5) -> None:
        super().__init__(transforms)
        self.p = p

    def forward(self, *inputs: Any) -> Sample:
        """The inputs, changed or not."""
        if random.happens(self.p):
            return super().forward(*inputs)
        return inputs if len(inputs) > 1 else inputs[0]


class RandomChoice(Compose):
    """One of the transforms, with chances ``p``."""

    def __init__(
        self, transforms: Sequence[Callable[..., Any]], p: Sequence[float] | None = None
    ) -> None:
        super().__init__(transforms)
        self.p = p

    def forward(self, *inputs: Any) -> Sample:
        """The inputs, changed by one of them."""
        return self.transforms[random.chosen(len(self.transforms), self.p)](*inputs)


class RandomOrder(Compose):
    """All transforms in random order."""

    def forward(self, *inputs: Any) -> Sample:
        """The inputs, changed by all of them."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        for place in random.order(len(self.transforms)):
            sample = _called(self.transforms[place], sample, len(inputs) > 1)
        return sample


# ---- mixed batches ------------------------------------------------------------------------------


class _Mixed(Module):
    """Pairs of a batch mixed: ``(pictures, labels)`` with labels (N,) or probabilities (N, K)."""

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None) -> None:
        super().__init__()
        self.alpha, self.num_classes = float(alpha), num_classes

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The mixed pictures and labels (N, K)."""
        if labels.ndim == 1:
            if self.num_classes is None:
                raise ArgumentError(
                    f"{type(self).__name__} got class labels and no num_classes",
                    "give num_classes=",
                )
            labels = one_hot(labels, self.num_classes).to(float32)
        # A beta distribution's share; its numbers come from our generator.
        seed = random.whole(0, 2**31 - 1)
        share = float(np.random.default_rng(seed).beta(self.alpha, self.alpha))
        mixed, share = self.mix(pictures, pictures.roll(1, 0), share)
        return mixed, labels * share + labels.roll(1, 0) * (1 - share)

    def mix(self, pictures: Tensor, others: Tensor, share: float) -> tuple[Tensor, float]:
        """The mixed pictures, and how much of them is of the first; every subclass says it."""
        raise NotImplementedError


class MixUp(_Mixed):
    """Weighted means of pairs (Zhang and others, "mixup: beyond empirical risk minimization",
    2017)."""

    def mix(self, pictures: Tensor, others: Tensor, share: float) -> tuple[Tensor, float]:
        """share · pictures + (1 − share) · others."""
        return pictures * share + others * (1 - share), share


class CutMix(_Mixed):
    """A rectangle of one picture in another (Yun and others, "CutMix", 2019)."""

    def mix(self, pictures: Tensor, others: Tensor, share: float) -> tuple[Tensor, float]:
        """Pictures with a rectangle of the others, whose area is about 1 − share."""
        height, width = (int(n) for n in pictures.shape[-2:])
        row, column = random.whole(0, height), random.whole(0, width)
        half = 0.5 * (1 - share) ** 0.5
        top, bottom = max(0, int(row - half * height)), min(height, int(row + half * height))
        left, right = max(0, int(column - half * width)), min(width, int(column + half * width))
        mixed = pictures.clone()
        mixed[..., top:bottom, left:right] = others[..., top:bottom, left:right]
        return mixed, 1 - (bottom - top) * (right - left) / (height * width)


__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ConvertImageDtype",
    "CutMix",
    "FiveCrop",
    "GaussianBlur",
    "Grayscale",
    "Identity",
    "InterpolationMode",
    "Lambda",
    "MixUp",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandAugment",
    "RandomAdjustSharpness",
    "RandomAffine",
    "RandomApply",
    "RandomAutocontrast",
    "RandomChoice",
    "RandomCrop",
    "RandomEqualize",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomInvert",
    "RandomOrder",
    "RandomPerspective",
    "RandomPosterize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSolarize",
    "RandomVerticalFlip",
    "Resize",
    "TenCrop",
    "ToDtype",
    "ToImage",
    "ToPILImage",
    "ToPureTensor",
    "ToTensor",
    "TrivialAugmentWide",
    "functional",
]


def __dir__() -> list[str]:
    return sorted(__all__)
