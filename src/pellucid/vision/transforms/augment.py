"""Augmentation by operations chosen at random from a list, under torchvision's names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pellucid.base.errors import ArgumentError
from pellucid.vision.images import InterpolationMode, Picture, interpolation_of, size_of
from pellucid.vision.transforms import functional as F
from pellucid.vision.transforms import random
from pellucid.vision.transforms.classes import Fill, Transform

Range = tuple[float, float, bool]
"""The weakest and the strongest magnitude of an operation, and whether its sign is random."""


def _ranges(height: int, width: int, wide: bool) -> Mapping[str, Range]:
    """The operations and their magnitudes: those of RandAugment, or the wider ones of
    TrivialAugment."""
    turn, shear, strength = (135.0, 0.99, 0.99) if wide else (30.0, 0.3, 0.9)
    shift_x, shift_y = (32.0, 32.0) if wide else (150.0 / 331.0 * width, 150.0 / 331.0 * height)
    found = {
        "Identity": (0.0, 0.0, False),
        "ShearX": (0.0, shear, True),
        "ShearY": (0.0, shear, True),
        "TranslateX": (0.0, shift_x, True),
        "TranslateY": (0.0, shift_y, True),
        "Rotate": (0.0, turn, True),
    }
    for name in ("Brightness", "Color", "Contrast", "Sharpness"):
        found[name] = (0.0, strength, True)
    found["Posterize"] = (8.0, 2.0 if wide else 4.0, False)
    found["Solarize"] = (1.0, 0.0, False)  # the share of white from which on values are inverted
    found["AutoContrast"] = (0.0, 0.0, False)
    found["Equalize"] = (0.0, 0.0, False)
    return found


def _apply(
    name: str, img: Picture, magnitude: float, interpolation: InterpolationMode, fill: Fill
) -> Picture:
    """The picture after one operation."""
    if name in ("ShearX", "ShearY"):
        angle = math.degrees(math.atan(magnitude))
        sheared = [angle, 0.0] if name == "ShearX" else [0.0, angle]
        return F.affine(img, 0.0, [0, 0], 1.0, sheared, interpolation, fill, center=[0, 0])
    if name in ("TranslateX", "TranslateY"):
        shift = [int(magnitude), 0] if name == "TranslateX" else [0, int(magnitude)]
        return F.affine(img, 0.0, shift, 1.0, [0.0, 0.0], interpolation, fill)
    if name == "Rotate":
        return F.rotate(img, magnitude, interpolation, fill=fill)
    if name in ("Brightness", "Color", "Contrast", "Sharpness"):
        change = {
            "Brightness": F.adjust_brightness,
            "Color": F.adjust_saturation,
            "Contrast": F.adjust_contrast,
            "Sharpness": F.adjust_sharpness,
        }[name]
        return change(img, 1.0 + magnitude)
    if name == "Posterize":
        return F.posterize(img, int(magnitude))
    if name == "Solarize":
        floats = getattr(getattr(img, "dtype", None), "is_floating_point", False)
        return F.solarize(img, magnitude if floats else magnitude * 255)
    if name == "AutoContrast":
        return F.autocontrast(img)
    return F.equalize(img) if name == "Equalize" else img


class _Augment(Transform):
    """What both ways share: a magnitude between the bounds, a random sign, the operation."""

    def __init__(self, bins: int, interpolation: InterpolationMode, fill: Fill) -> None:
        super().__init__()
        self.num_magnitude_bins = bins
        self.interpolation, self.fill = interpolation_of(interpolation), fill

    def _one(self, img: Picture, ranges: Mapping[str, Range], bin_: int) -> Picture:
        names: Sequence[str] = list(ranges)
        name = names[random.chosen(len(names))]
        weakest, strongest, signed = ranges[name]
        magnitude = weakest + (strongest - weakest) * bin_ / (self.num_magnitude_bins - 1)
        if name == "Posterize":
            magnitude = round(magnitude)
        if signed and random.happens(0.5):
            magnitude = -magnitude
        return _apply(name, img, magnitude, self.interpolation, self.fill)


class RandAugment(_Augment):
    """``num_ops`` random operations of one magnitude (Cubuk and others, "RandAugment", 2019).

    For Pillow images and uint8 tensors.
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Fill = None,
    ) -> None:
        super().__init__(num_magnitude_bins, interpolation, fill)
        if not 0 <= magnitude < num_magnitude_bins:
            raise ArgumentError(
                f"magnitude is {magnitude}", f"give a number from 0 to {num_magnitude_bins - 1}"
            )
        self.num_ops, self.magnitude = num_ops, magnitude

    def forward(self, img: Picture) -> Picture:
        """The changed picture."""
        for _ in range(self.num_ops):
            img = self._one(img, _ranges(*size_of(img), wide=False), self.magnitude)
        return img


class TrivialAugmentWide(_Augment):
    """One random operation of a random magnitude (Müller, Hutter, "TrivialAugment", 2021).

    For Pillow images and uint8 tensors.
    """

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Fill = None,
    ) -> None:
        super().__init__(num_magnitude_bins, interpolation, fill)

    def forward(self, img: Picture) -> Picture:
        """The changed picture."""
        bin_ = random.whole(0, self.num_magnitude_bins)
        return self._one(img, _ranges(*size_of(img), wide=True), bin_)
