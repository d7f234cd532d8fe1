"""Transforms of Pillow's images, by Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.base.extras import needs
from pellucid.vision.images import InterpolationMode, pillow, pillow_number

if TYPE_CHECKING:
    from PIL.Image import Image


def _module(name: str) -> Any:
    with needs("vision", "Pictures as Pillow's images"):
        from PIL import ImageEnhance, ImageOps
    return {"ImageEnhance": ImageEnhance, "ImageOps": ImageOps}[name]


def fill_of(image: Image, fill: Any) -> float | tuple[float, ...]:
    """A colour as Pillow wants it for the image: one number, or one for each channel."""
    bands = len(image.getbands())
    values = list(fill) if isinstance(fill, list | tuple) else [0 if fill is None else fill]
    whole = image.mode not in ("F",)
    values = [int(value) if whole else float(value) for value in values]
    if bands == 1:
        return values[0]
    return tuple(values * bands if len(values) == 1 else values)


def resize(image: Image, size: tuple[int, int], interpolation: InterpolationMode) -> Image:
    """The image with another height and width."""
    return image.resize((size[1], size[0]), pillow_number(interpolation))


def crop(image: Image, top: int, left: int, height: int, width: int) -> Image:
    """A part of the image; what lies outside is 0."""
    return image.crop((left, top, left + width, top + height))


def pad(image: Image, sides: tuple[int, int, int, int], fill: Any, mode: str) -> Image:
    """The image with a border; ``sides`` are left, top, right, bottom."""
    left, top, right, bottom = sides
    if mode == "constant":
        if image.mode == "P":
            padded = _module("ImageOps").expand(image, border=sides, fill=fill_of(image, fill))
            padded.putpalette(image.getpalette())
            return padded
        return _module("ImageOps").expand(image, border=sides, fill=fill_of(image, fill))
    widths = [(top, bottom), (left, right), (0, 0)][: np.asarray(image).ndim]
    name: Any = {"edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}[mode]
    if image.mode == "P":
        palette = image.getpalette()
        made = pillow().fromarray(np.pad(np.asarray(image), widths, mode=name))
        made.putpalette(palette)
        return made
    return pillow().fromarray(np.pad(np.asarray(image), widths, mode=name))


def flip(image: Image, horizontally: bool) -> Image:
    """The image mirrored, left to right or top to bottom."""
    way = pillow().Transpose
    return image.transpose(way.FLIP_LEFT_RIGHT if horizontally else way.FLIP_TOP_BOTTOM)


def rotate(
    image: Image,
    angle: float,
    interpolation: InterpolationMode,
    expand: bool,
    center: Sequence[float] | None,
    fill: Any,
) -> Image:
    """The image turned counter-clockwise."""
    middle = None if center is None else (float(center[0]), float(center[1]))
    number: Any = pillow_number(interpolation)
    return image.rotate(angle, number, expand, middle, fillcolor=fill_of(image, fill))


def affine(
    image: Image, matrix: Sequence[float], interpolation: InterpolationMode, fill: Any
) -> Image:
    """The image mapped by a matrix from places of the new image to those of the old."""
    way = pillow().Transform.AFFINE
    number, colour = pillow_number(interpolation), fill_of(image, fill)
    return image.transform(image.size, way, matrix, number, fillcolor=colour)


def perspective(
    image: Image, coefficients: Sequence[float], interpolation: InterpolationMode, fill: Any
) -> Image:
    """The image mapped by a projective map with eight coefficients."""
    way = pillow().Transform.PERSPECTIVE
    number, colour = pillow_number(interpolation), fill_of(image, fill)
    return image.transform(image.size, way, coefficients, number, fillcolor=colour)


def enhance(image: Image, name: str, factor: float) -> Image:
    """Brightness, contrast, colour or sharpness by a factor; 1 leaves the image as it is."""
    return getattr(_module("ImageEnhance"), name)(image).enhance(factor)


def adjust_hue(image: Image, factor: float) -> Image:
    """The hue turned by ``factor`` of the colour circle."""
    if image.mode in ("L", "1", "I", "F"):
        return image
    hue, saturation, value = image.convert("HSV").split()
    turned = (np.array(hue, np.int32) + int(factor * 255)) % 256
    hue = pillow().fromarray(turned.astype(np.uint8))
    return pillow().merge("HSV", (hue, saturation, value)).convert(image.mode)


def adjust_gamma(image: Image, gamma: float, gain: float) -> Image:
    """255 · gain · (value / 255) ^ gamma."""
    mode = image.mode
    table = [int(min(255.0, (255 + 1 - 1e-3) * gain * (v / 255.0) ** gamma)) for v in range(256)]
    made = image.convert("RGB")
    return made.point(table * 3).convert(mode)


def grey(image: Image, channels: int) -> Image:
    """Luma, in one channel or three equal ones."""
    plane = image.convert("L")
    return plane if channels == 1 else pillow().merge("RGB", (plane, plane, plane))


def invert(image: Image) -> Image:
    """White less the image."""
    return _module("ImageOps").invert(image)


def posterize(image: Image, bits: int) -> Image:
    """Only the upper ``bits`` of each value."""
    return _module("ImageOps").posterize(image, bits)


def solarize(image: Image, threshold: float) -> Image:
    """Values from ``threshold`` on inverted."""
    return _module("ImageOps").solarize(image, threshold)


def autocontrast(image: Image) -> Image:
    """Each channel stretched from black to white."""
    return _module("ImageOps").autocontrast(image)


def equalize(image: Image) -> Image:
    """Each channel with a histogram as flat as possible."""
    return _module("ImageOps").equalize(image)
