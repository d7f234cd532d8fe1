"""Transforms of pictures that are tensors (…, C, H, W): uint8 from 0 to 255, or floats from 0 to
1."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn import functional as F
from pellucid.tensor.creation import arange, full, linspace, tensor, zeros
from pellucid.tensor.functions import where
from pellucid.tensor.shaping import cat, stack
from pellucid.tensor.tensor import Tensor
from pellucid.vision.images import InterpolationMode

GREY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601)."""


def bound(picture: Tensor) -> float:
    """The value of white."""
    if picture.dtype.is_floating_point:
        return 1.0
    return 1.0 if picture.dtype.kind == "bool" else float(2 ** (_bits(picture)) - 1)


def _bits(picture: Tensor) -> int:
    return 8 * picture.dtype.itemsize - (picture.dtype.name != "uint8")


def in_floats(picture: Tensor, change: Callable[[Tensor], Tensor], *, least: int = 4) -> Tensor:
    """``change`` of the picture as float32 with ``least`` axes, rounded back to its dtype."""
    shape = tuple(picture.shape)
    lead = shape[: max(0, len(shape) - 3)]
    wide = picture if picture.dtype.is_floating_point else picture.float()
    flat = wide.reshape((-1, *shape[-3:])) if len(shape) > 2 else wide.reshape((1, 1, *shape))
    made = change(flat)
    made = made.reshape((*lead, *made.shape[1:])) if len(shape) > 2 else made[0, 0]
    if picture.dtype.is_floating_point:
        return made.to(picture.dtype)
    return made.round().clamp(0, bound(picture)).to(picture.dtype)


def resize(
    picture: Tensor, size: tuple[int, int], interpolation: InterpolationMode, antialias: bool
) -> Tensor:
    """The picture with another height and width."""
    mode = interpolation.value
    if mode not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ArgumentError(
            f"tensors cannot be resized by {interpolation.name}",
            "use NEAREST, NEAREST_EXACT, BILINEAR or BICUBIC",
        )
    if tuple(picture.shape[-2:]) == size:
        return picture
    smooth = mode in ("bilinear", "bicubic")
    options: dict[str, Any] = {"align_corners": False, "antialias": antialias} if smooth else {}
    return in_floats(picture, lambda x: F.interpolate(x, size=size, mode=mode, **options))


def crop(picture: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """A part of the picture; what lies outside is 0."""
    rows, columns = picture.shape[-2:]
    inside = picture[..., max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
    above, before = max(0, -top), max(0, -left)
    below = height - above - inside.shape[-2]
    behind = width - before - inside.shape[-1]
    if not (above or before or below or behind):
        return inside
    return F.pad(inside, [before, behind, above, below])


def pad(picture: Tensor, sides: tuple[int, int, int, int], fill: Any, mode: str) -> Tensor:
    """The picture with a border; ``sides`` are left, top, right, bottom."""
    left, top, right, bottom = sides
    if mode == "constant":
        values = fill if isinstance(fill, list | tuple) else [fill]
        if len(values) == 1:
            return F.pad(picture, [left, right, top, bottom], value=float(values[0]))
        planes = [
            F.pad(picture[..., i : i + 1, :, :], [left, right, top, bottom], value=float(value))
            for i, value in enumerate(values)
        ]
        return cat(planes, -3)
    rows = _border(picture.shape[-2], top, bottom, mode)
    columns = _border(picture.shape[-1], left, right, mode)
    return picture[..., rows, :][..., columns]


def _border(extent: int, before: int, behind: int, mode: str) -> Tensor:
    """For each place of an axis with its border, the place whose value it has."""
    place = arange(-before, extent + behind)
    if mode == "edge":
        return place.clamp(0, extent - 1)
    if mode == "symmetric":  # the border repeated: period 2n
        place = place.remainder(2 * extent)
        return where(place < extent, place, 2 * extent - 1 - place)
    if max(before, behind) >= extent:
        raise ShapeError(
            f"an axis of {extent} pixels cannot be mirrored by {max(before, behind)}",
            "reflect takes less than the picture's extent; use symmetric",
        )
    place = place.abs()
    return where(place < extent, place, 2 * (extent - 1) - place)


# ---- geometry -----------------------------------------------------------------------------------


def warp(
    picture: Tensor,
    places: Tensor,
    interpolation: InterpolationMode,
    fill: Sequence[float] | None,
) -> Tensor:
    """The picture's values at ``places`` (H', W', 2), in pixels from its middle, x first."""
    mode = interpolation.value
    if mode not in ("nearest", "bilinear"):
        raise ArgumentError(
            f"tensors cannot be turned with {interpolation.name}", "use NEAREST or BILINEAR"
        )
    height, width = picture.shape[-2:]

    def sampled(x: Tensor) -> Tensor:
        grid = (places / tensor([0.5 * width, 0.5 * height])).unsqueeze(0).to(x.dtype)
        grid = grid.expand(x.shape[0], *grid.shape[1:])
        if fill is None:
            return F.grid_sample(x, grid, mode, "zeros", align_corners=False)
        mask = x.new_ones((x.shape[0], 1, height, width))
        both = F.grid_sample(cat([x, mask], 1), grid, mode, "zeros", align_corners=False)
        made, inside = both[:, :-1], both[:, -1:]
        colour = tensor(list(fill), dtype=x.dtype).reshape(1, -1, 1, 1)
        if mode == "nearest":
            return where(inside < 0.5, colour.expand_as(made), made)
        return made * inside + (1 - inside) * colour

    return in_floats(picture, sampled)


def affine_places(matrix: Sequence[float], height: int, width: int) -> Tensor:
    """Where each pixel of a picture of that size comes from: ``matrix`` is (2, 3), row by row, from
    a place of the new picture to one of the old, both in pixels from the middle."""
    x = linspace(-0.5 * width + 0.5, 0.5 * width - 0.5, width).reshape(1, -1)
    y = linspace(-0.5 * height + 0.5, 0.5 * height - 0.5, height).reshape(-1, 1)
    a, b, c, d, e, f = (float(number) for number in matrix)
    return stack([a * x + b * y + c, d * x + e * y + f], -1)


def perspective_places(coefficients: Sequence[float], height: int, width: int) -> Tensor:
    """The same for a projective map with eight coefficients, which works on pixels' corners."""
    a, b, c, d, e, f, g, h = (float(number) for number in coefficients)
    x = linspace(0.5, width - 0.5, width).reshape(1, -1)
    y = linspace(0.5, height - 0.5, height).reshape(-1, 1)
    below = g * x + h * y + 1
    right, down = (a * x + b * y + c) / below, (d * x + e * y + f) / below
    return stack([right - 0.5 * width, down - 0.5 * height], -1)


# ---- colours ------------------------------------------------------------------------------------


def blend(picture: Tensor, other: Tensor, share: float) -> Tensor:
    """share · picture + (1 − share) · other, within black and white."""
    mixed = share * picture.float() + (1 - share) * other.float()
    return mixed.clamp(0, bound(picture)).to(picture.dtype)


def grey(picture: Tensor) -> Tensor:
    """Luma, with one channel; a picture with one channel stays as it is."""
    if picture.shape[-3] == 1:
        return picture.clone()
    if picture.shape[-3] != 3:
        raise ShapeError(
            f"a picture of shape {tuple(picture.shape)} has no red, green and blue",
            "colours need 3 channels",
        )
    red, green, blue = picture.float().unbind(-3)
    luma = (GREY[0] * red + GREY[1] * green + GREY[2] * blue).unsqueeze(-3)
    return luma.to(picture.dtype)


def adjust_brightness(picture: Tensor, factor: float) -> Tensor:
    """Values times ``factor``."""
    return blend(picture, zeros(()), factor)


def adjust_contrast(picture: Tensor, factor: float) -> Tensor:
    """Distances from the mean luma times ``factor``."""
    wide = grey(picture) if picture.shape[-3] == 3 else picture
    mean = wide.float().mean((-3, -2, -1), keepdim=True)
    return blend(picture, mean, factor)


def adjust_saturation(picture: Tensor, factor: float) -> Tensor:
    """Distances from grey times ``factor``."""
    return picture if picture.shape[-3] == 1 else blend(picture, grey(picture), factor)


def adjust_hue(picture: Tensor, factor: float) -> Tensor:
    """The hue turned by ``factor`` of the colour circle."""
    if picture.shape[-3] == 1:
        return picture
    white = bound(picture)
    red, green, blue = (picture.float() / white).unbind(-3)
    hue, saturation, value = _hsv(red, green, blue)
    made = _rgb((hue + factor).remainder(1.0), saturation, value)
    if picture.dtype.is_floating_point:
        return made.to(picture.dtype)
    return (made * (white + 1 - 1e-3)).to(picture.dtype)


def _hsv(red: Tensor, green: Tensor, blue: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue (0 to 1), saturation and value (A. R. Smith, "Color gamut transform pairs", 1978)."""
    high = red.maximum(green).maximum(blue)
    low = red.minimum(green).minimum(blue)
    range_ = high - low
    flat = range_ == 0
    over = where(flat, 1.0, range_)
    saturation = range_ / where(high == 0, 1.0, high)
    r, g, b = (high - red) / over, (high - green) / over, (high - blue) / over
    hue = where(high == red, b - g, where(high == green, 2 + r - b, 4 + g - r))
    return where(flat, 0.0, (hue / 6).remainder(1.0)), saturation, high


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    sector = (hue * 6).floor()
    part = hue * 6 - sector
    sector = sector.remainder(6)
    p = (value * (1 - saturation)).clamp(0, 1)
    q = (value * (1 - saturation * part)).clamp(0, 1)
    t = (value * (1 - saturation * (1 - part))).clamp(0, 1)
    choices = [(value, t, p), (q, value, p), (p, value, t), (p, q, value), (t, p, value)]
    red, green, blue = value, p, q
    for number, (r, g, b) in enumerate(choices):
        here = sector == number
        red, green, blue = where(here, r, red), where(here, g, green), where(here, b, blue)
    return stack([red, green, blue], -3)


def adjust_gamma(picture: Tensor, gamma: float, gain: float) -> Tensor:
    """white · gain · (value / white) ^ gamma."""
    white = bound(picture)
    made: Tensor = (gain * (picture.float() / white) ** gamma).clamp(0, 1)
    if picture.dtype.is_floating_point:
        return made.to(picture.dtype)
    return (made * (white + 1 - 1e-3)).clamp(0, white).to(picture.dtype)


def invert(picture: Tensor) -> Tensor:
    """White less the picture."""
    return (bound(picture) - picture).to(picture.dtype)


def posterize(picture: Tensor, bits: int) -> Tensor:
    """Only the upper ``bits`` of each uint8 value."""
    if picture.dtype.name != "uint8":
        raise ArgumentError(f"posterize got {picture.dtype.name}", "give uint8 values")
    kept: Tensor = picture & (256 - 2 ** (8 - bits))
    return kept


def solarize(picture: Tensor, threshold: float) -> Tensor:
    """Values from ``threshold`` on inverted."""
    return where(picture >= threshold, invert(picture), picture)


def autocontrast(picture: Tensor) -> Tensor:
    """Each channel stretched from black to white."""
    white = bound(picture)
    wide = picture.float()
    low, high = wide.amin((-2, -1), keepdim=True), wide.amax((-2, -1), keepdim=True)
    flat = low == high
    made = (wide - where(flat, 0.0, low)) * where(flat, 1.0, white / (high - low))
    return made.clamp(0, white).to(picture.dtype)


def gaussian_blur(picture: Tensor, sizes: tuple[int, int], sigmas: tuple[float, float]) -> Tensor:
    """A weighted mean of neighbours; ``sizes`` and ``sigmas`` are those of x and y."""

    def weights(size: int, sigma: float) -> Tensor:
        x = linspace(-(size - 1) / 2, (size - 1) / 2, size)
        values = (-0.5 * (x / sigma) ** 2).exp()
        return values / values.sum()

    kernel = weights(sizes[1], sigmas[1])[:, None] * weights(sizes[0], sigmas[0])[None, :]

    def blurred(x: Tensor) -> Tensor:
        channels = x.shape[1]
        right, down = sizes[0] // 2, sizes[1] // 2
        wide = F.pad(x, [right, right, down, down], mode="reflect")
        return F.conv2d(
            wide, kernel.to(x.dtype).expand(channels, 1, *kernel.shape), groups=channels
        )

    return in_floats(picture, blurred)


def adjust_sharpness(picture: Tensor, factor: float) -> Tensor:
    """Between a smoothed picture (factor 0), itself (1) and a sharpened one."""
    if min(picture.shape[-2:]) <= 2:
        return picture
    kernel = full((3, 3), 1 / 13)
    kernel[1, 1] = 5 / 13

    def smooth(x: Tensor) -> Tensor:
        channels = x.shape[1]
        inner = F.conv2d(x, kernel.to(x.dtype).expand(channels, 1, 3, 3), groups=channels)
        made = x.clone()
        made[:, :, 1:-1, 1:-1] = inner
        return made

    return blend(picture, in_floats(picture, smooth), factor)


def equalize(picture: Tensor) -> Tensor:
    """Each channel of a uint8 picture with a histogram as flat as possible."""
    if picture.dtype.name != "uint8":
        raise ArgumentError(f"equalize got {picture.dtype.name}", "give uint8 values")
    flat = picture.reshape(-1, *picture.shape[-2:])
    return stack([_equalized(plane) for plane in flat]).reshape(picture.shape)


def _equalized(plane: Tensor) -> Tensor:
    counts = plane.reshape(-1).long().bincount(minlength=256)
    present = counts[counts != 0]
    step = int(present[:-1].sum()) // 255
    if step == 0:
        return plane
    table = (counts.cumsum(0) + step // 2) // step
    table = F.pad(table, [1, 0])[:-1].clamp(0, 255)
    return table[plane.long()].to(plane.dtype)


def angle_matrix(
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
    center: Sequence[float] = (0.0, 0.0),
) -> list[float]:
    """The (2, 3) matrix, row by row, from a place of the new picture to one of the old.

    The forward map is T · C · R · S · C⁻¹: about ``center``, sheared by ``shear`` (x, y), scaled,
    turned by ``angle`` (all angles in degrees, clockwise for pictures, whose y points down), then
    shifted by ``translate``.
    """
    turn, right, down = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    a = math.cos(turn - down) / math.cos(down)
    b = -math.cos(turn - down) * math.tan(right) / math.cos(down) - math.sin(turn)
    c = math.sin(turn - down) / math.cos(down)
    d = -math.sin(turn - down) * math.tan(right) / math.cos(down) + math.cos(turn)
    # The determinant of (a b; c d) is 1, so that its inverse is (d −b; −c a).
    rows = [[d / scale, -b / scale], [-c / scale, a / scale]]
    made = []
    for row, middle in zip(rows, center, strict=True):
        away = [-(center[i] + translate[i]) for i in range(2)]
        made += [row[0], row[1], row[0] * away[0] + row[1] * away[1] + middle]
    return made
