"""Images and signals made larger or smaller, and sampled at given places."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import uint8
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError, UnsupportedError
from pellucid.nn.functional import pooling
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.convolution import Sizes
from pellucid.nn.functional.hints import AXES
from pellucid.nn.functional.positions import need_channels, numbers, select
from pellucid.tensor.core import lift
from pellucid.tensor.functions import where
from pellucid.tensor.promotion import rounded_once
from pellucid.tensor.tensor import Tensor

_AXES_OF_MODE = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "trilinear": (3,),
    "bicubic": (2,),
    "area": (1, 2, 3),
}


# ---- interpolate ----------------------------------------------------------------------------


@rounded_once
def interpolate(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resampled to ``size``, or to ⌊extent · ``scale_factor``⌋ of each axis after the channels'.

    ``mode``: ``"nearest"``, ``"nearest-exact"``, ``"linear"`` (N, C, L), ``"bilinear"`` and
    ``"bicubic"`` (N, C, H, W; cubic convolution with a = −0.75, Keys, 1981), ``"trilinear"``
    (N, C, D, H, W), ``"area"`` (means, as adaptive pooling).  ``align_corners`` makes the outer
    elements' centres agree, else the outer edges do (for the linear and cubic modes).
    ``recompute_scale_factor`` takes the factor from the sizes instead of ``scale_factor``.
    ``antialias`` (bilinear and bicubic) widens the filter by the factor by which an image shrinks,
    so that every element counts; bicubic then has a = −0.5, as PIL.
    Images of uint8 give uint8, rounded, in the modes nearest, nearest-exact, bilinear and bicubic.
    Raises ``ArgumentError`` for other combinations.
    """
    need_tensor("interpolate", input)
    count = input.dim() - 2
    _check_mode(input, mode, align_corners, antialias)
    need_channels("interpolate", input, count)
    target, factors = _sizes(input, count, size, scale_factor)
    if recompute_scale_factor:
        if factors is None:
            raise ArgumentError(
                "interpolate got recompute_scale_factor=True with size", "pass scale_factor"
            )
        factors = None
    if mode == "area":
        return getattr(pooling, f"adaptive_avg_pool{count}d")(input, target)
    result: Any = input
    whole = input.dtype.kind != "float" and not mode.startswith("nearest")
    if whole:
        result = input.float()
    for i in reversed(range(count)):
        factor = None if factors is None else factors[i]
        if antialias:
            result = _filtered(result, i + 2, target[i], factor, mode, bool(align_corners))
        else:
            result = _resample(result, i + 2, target[i], factor, mode, bool(align_corners))
    return (result + 0.5).floor().clamp(0, 255).to(input.dtype) if whole else result


def _check_mode(input: Any, mode: str, align_corners: bool | None, antialias: bool) -> None:
    if mode not in _AXES_OF_MODE:
        raise UnsupportedError(
            f"interpolate got mode={mode!r}", "use one of " + ", ".join(_AXES_OF_MODE)
        )
    if input.dim() - 2 not in _AXES_OF_MODE[mode]:
        raise ShapeError(
            f"interpolate with mode={mode!r} got an input of shape {tuple(input.shape)}",
            _mode_hint(input.dim(), mode),
        )
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ArgumentError(
            f"interpolate got antialias=True with mode={mode!r}",
            "it is for bilinear and bicubic; mode='area' takes all elements into account too",
        )
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise ArgumentError(
            f"interpolate got align_corners={align_corners} with mode={mode!r}",
            "it is for the linear and cubic modes: leave it out",
        )
    images = ("nearest", "nearest-exact", "bilinear", "bicubic")
    if not input.dtype.is_floating_point and not (input.dtype is uint8 and mode in images):
        raise DTypeError(
            f"interpolate got {input.dtype.name} with mode={mode!r}", "convert with .float()"
        )


def _mode_hint(axes: int, mode: str) -> str:
    """Which input the mode needs, or which mode the input."""
    wanted = _AXES_OF_MODE[mode]
    shapes = " or ".join(f"(N, C, {AXES[count]})" for count in wanted)
    if axes + 1 - 2 in wanted and len(wanted) == 1:
        return f"it needs {shapes}: add the batch with x.unsqueeze(0)"
    other = {3: "linear", 4: "bilinear", 5: "trilinear"}.get(axes)
    if other is not None:
        return f"it needs {shapes}; for this input use mode={other!r}"
    return f"it needs {shapes}"


def _sizes(
    input: Any, count: int, size: Any, scale_factor: Any
) -> tuple[list[int], list[float] | None]:
    """Extents of the result, and the factors if those were given."""
    if (size is None) == (scale_factor is None):
        raise ArgumentError(
            f"interpolate got size={size} and scale_factor={scale_factor}", "pass one of them"
        )
    if size is not None:
        return numbers("interpolate", "size", size, count, 1), None
    single = isinstance(scale_factor, (int, float))
    factors = [float(f) for f in ([scale_factor] * count if single else scale_factor)]
    if len(factors) != count or min(factors) <= 0:
        raise ArgumentError(
            f"interpolate got scale_factor={scale_factor}",
            f"give one positive factor, or {count} of them",
        )
    target = [math.floor(n * f) for n, f in zip(input.shape[2:], factors, strict=True)]
    if min(target) < 1:
        raise ShapeError(
            f"interpolate makes an input of shape {tuple(input.shape)} into {target}",
            "use a larger scale_factor",
        )
    return target, factors


def _resample(
    x: Any, axis: int, out: int, factor: float | None, mode: str, align_corners: bool
) -> Any:
    """One axis resampled to ``out`` elements."""
    extent = x.shape[axis]
    kind: Any = x.dtype.numpy.type if hasattr(x.dtype.numpy, "type") else x.dtype.numpy
    ratio = _ratio(extent, out, factor, align_corners, kind)
    places = np.arange(out)
    if mode.startswith("nearest"):
        # Positions are computed in float32 whatever the dtype, as PyTorch does.
        ratio = np.float32(1.0 / factor) if factor else np.float32(extent) / np.float32(out)
        shift = np.float32(0.5 if mode == "nearest-exact" else 0.0)
        chosen = np.floor((places.astype(np.float32) + shift) * ratio).astype(np.int64)
        return select(x, axis, chosen.clip(0, extent - 1))
    if align_corners:
        centre = places.astype(kind) * ratio
    else:
        centre = (places.astype(kind) + kind(0.5)) * ratio - kind(0.5)
    if mode == "bicubic":
        return _cubic(x, axis, centre)
    if out == extent and factor is None:
        return x
    centre = np.maximum(centre, kind(0))
    first = np.minimum(centre.astype(np.int64), extent - 1)
    share = np.clip(centre - first.astype(kind), 0, 1).astype(kind)
    shape = [-1 if i == axis else 1 for i in range(x.dim())]
    left = select(x, axis, first) * lift((1 - share).reshape(shape))
    right = select(x, axis, np.minimum(first + 1, extent - 1)) * lift(share.reshape(shape))
    return left + right


def _ratio(extent: int, out: int, factor: float | None, align_corners: bool, kind: Any) -> Any:
    """Distance of neighbouring results in elements of the input."""
    if align_corners:
        return kind(extent - 1) / kind(out - 1) if out > 1 else kind(0)
    return kind(1.0 / factor) if factor is not None else kind(extent) / kind(out)


def _filtered(
    x: Any, axis: int, out: int, factor: float | None, mode: str, align_corners: bool
) -> Any:
    """One axis resampled by a filter as wide as the results' distance, if that is over 1."""
    extent = x.shape[axis]
    kind: Any = x.dtype.numpy.type if hasattr(x.dtype.numpy, "type") else x.dtype.numpy
    ratio = _ratio(extent, out, factor, align_corners, kind)
    widening = max(ratio, kind(1))
    reach = kind(1 if mode == "bilinear" else 2) * widening
    centre = (np.arange(out).astype(kind) + kind(0.5)) * ratio
    half = kind(0.5)
    first = np.maximum((centre - reach + half).astype(np.int64), 0)
    last = np.minimum((centre + reach + half).astype(np.int64), extent)
    place = np.arange(extent)
    distance = np.abs((place - centre[:, None] + half) / widening)  # (out, extent)
    if mode == "bilinear":
        weights = np.maximum(1 - distance, 0)
    else:
        near, far = _cubic_weights(distance, -0.5)[1], _cubic_weights(distance - 1, -0.5)[0]
        weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    weights = np.where((place >= first[:, None]) & (place < last[:, None]), weights, 0)
    weights = lift((weights / weights.sum(1, keepdims=True)).astype(kind))
    if axis == x.dim() - 1:
        return x.matmul(weights.mT)  # (…, extent) -> (…, out)
    return weights.matmul(x)  # (…, extent, W) -> (…, out, W)


def _cubic_weights(t: Any, a: float = -0.75) -> list[Any]:
    """Weights of the elements at −1, 0, 1, 2 for a place t in [0, 1) between 0 and 1."""

    def near(d: Any) -> Any:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Any) -> Any:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _cubic(x: Any, axis: int, centre: np.ndarray) -> Any:
    first = np.floor(centre)
    shape = [-1 if i == axis else 1 for i in range(x.dim())]
    total = None
    for offset, weight in enumerate(_cubic_weights(centre - first), -1):
        chosen = (first.astype(np.int64) + offset).clip(0, x.shape[axis] - 1)
        part = select(x, axis, chosen) * lift(weight.astype(centre.dtype).reshape(shape))
        total = part if total is None else total + part
    return total


# ---- elements moved between channels and positions ------------------------------------------


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """r² channels become an image r times as high and wide: (…, C r², H, W) → (…, C, H r, W r).

    (Shi et al., 2016.)  Raises ``ShapeError`` if the channels are not a multiple of r².
    """
    r = upscale_factor
    need_tensor("pixel_shuffle", input)
    if input.dim() < 3 or r < 1 or input.shape[-3] % (r * r):
        raise ShapeError(
            f"pixel_shuffle got upscale_factor={r} for an input of shape {tuple(input.shape)}",
            f"it needs (…, C · {r * r}, H, W): channels on axis -3, a multiple of {r * r}",
        )
    *lead, c, h, w = input.shape
    split = input.reshape(math.prod(lead), c // (r * r), r, r, h, w)
    moved = split.permute(0, 1, 4, 2, 5, 3)  # (N, C, r, r, H, W) -> (N, C, H, r, W, r)
    return moved.reshape(*lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """The reverse of :func:`pixel_shuffle`: (…, C, H r, W r) → (…, C r², H, W)."""
    r = downscale_factor
    need_tensor("pixel_unshuffle", input)
    if input.dim() < 3 or r < 1 or input.shape[-2] % r or input.shape[-1] % r:
        raise ShapeError(
            f"pixel_unshuffle got downscale_factor={r} for an input of shape {tuple(input.shape)}",
            f"it needs (…, C, H, W) with height and width multiples of {r}",
        )
    *lead, c, h, w = input.shape
    split = input.reshape(math.prod(lead), c, h // r, r, w // r, r)
    moved = split.permute(0, 1, 3, 5, 2, 4)  # (N, C, H, r, W, r) -> (N, C, r, r, H, W)
    return moved.reshape(*lead, c * r * r, h // r, w // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels of g groups interleaved: channel i of group j comes to place i g + j.

    Shape: (N, C, *) → the same, C divisible by ``groups``.  (Zhang et al., 2018.)
    """
    need_tensor("channel_shuffle", input)
    if input.dim() < 3 or groups < 1 or input.shape[1] % groups:
        raise ShapeError(
            f"channel_shuffle got groups={groups} for an input of shape {tuple(input.shape)}",
            f"it needs (N, C, *) with C (axis 1) a multiple of {groups}",
        )
    n, c, *rest = input.shape
    return input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(n, c, *rest)


# ---- sampling at given places ---------------------------------------------------------------


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Places at which to sample an image so that it is mapped by affine matrices.

    Shapes: theta (N, 2, 3) with size (N, C, H, W) → (N, H, W, 2), or (N, 3, 4) with
    (N, C, D, H, W) → (N, D, H, W, 3).  Places run from −1 to 1 along each axis, x first.
    """
    extents = [int(n) for n in size][2:]
    axes = len(extents)
    if axes not in (2, 3) or tuple(theta.shape) != (int(size[0]), axes, axes + 1):
        raise ShapeError(
            f"affine_grid got theta of shape {tuple(theta.shape)} and size {tuple(size)}",
            "it needs (N, 2, 3) with (N, C, H, W), or (N, 3, 4) with (N, C, D, H, W)",
        )
    kind = theta.dtype.numpy
    lines = []
    for n in extents:
        line = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        lines.append((line if align_corners else line * ((n - 1) / n)).astype(kind))
    grids = np.meshgrid(*lines, indexing="ij")[::-1]  # x first
    base = np.stack([*(g.ravel() for g in grids), np.ones(math.prod(extents), kind)], -1)
    places = lift(np.ascontiguousarray(base)).matmul(theta.transpose(1, 2))  # (N, H·W, 2)
    return places.reshape(int(size[0]), *extents, axes)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """An image's values at the places of ``grid``, from −1 to 1 along each axis, x first.

    ``mode``: ``"bilinear"``, ``"nearest"`` or, for images, ``"bicubic"``; outside of the image
    ``padding_mode``: ``"zeros"``, ``"border"`` (the nearest element) or ``"reflection"``.
    With ``align_corners`` −1 and 1 are the centres of the outer elements, else their edges.
    Shapes: (N, C, H, W) and (N, H', W', 2) → (N, C, H', W'), or (N, C, D, H, W) and
    (N, D', H', W', 3).  (Jaderberg et al., 2015.)
    """
    need_tensor("grid_sample", input)
    axes = input.dim() - 2
    fits = axes in (2, 3) and grid.dim() == input.dim() and grid.shape[0] == input.shape[0]
    if not fits or grid.shape[-1] != axes:
        raise ShapeError(
            f"grid_sample got an input of shape {tuple(input.shape)} and a grid of shape "
            f"{tuple(grid.shape)}",
            "it needs (N, C, H, W) with (N, H', W', 2), or (N, C, D, H, W) with (N, D', H', W', 3)",
        )
    modes = ("bilinear", "nearest", "bicubic") if axes == 2 else ("bilinear", "nearest")
    if mode not in modes or padding_mode not in ("zeros", "border", "reflection"):
        raise ArgumentError(
            f"grid_sample got mode={mode!r}, padding_mode={padding_mode!r}",
            f"use one of {', '.join(modes)} and one of zeros, border, reflection",
        )
    corners = bool(align_corners)
    centres = []
    for i, extent in enumerate(input.shape[2:]):
        place = grid.select(-1, axes - 1 - i)  # (N, H', W')
        centre = (place + 1) / 2 * (extent - 1) if corners else ((place + 1) * extent - 1) / 2
        if mode != "bicubic":
            centre = _inside(centre, extent, padding_mode, corners)
        centres.append(centre)
    taps = [_taps(c, mode) for c in centres]
    total: Any = None
    for choice in itertools.product(*taps):
        part = _sampled(input, choice, padding_mode, corners, mode == "bicubic")
        total = part if total is None else total + part
    return total


def _inside(place: Any, extent: int, padding_mode: str, align_corners: bool) -> Any:
    """Places brought back into the image where the padding mode says so."""
    if padding_mode == "zeros":
        return place
    if padding_mode == "reflection":
        low, span = (0.0, extent - 1.0) if align_corners else (-0.5, float(extent))
        if span == 0:
            return place * 0
        away = (place - low).abs()
        turns = (away / span).floor().detach()
        rest = away - turns * span
        even = turns.remainder(2).eq(0)
        place = where(even, rest + low, span - rest + low)
    return place.clamp(0, extent - 1)


def _taps(centre: Any, mode: str) -> list[tuple[Any, Any]]:
    """(position, weight) of the elements that count along one axis."""
    if mode == "nearest":
        return [(centre.detach().round(), None)]
    first = centre.detach().floor()
    share = centre - first
    if mode == "bilinear":
        return [(first, 1 - share), (first + 1, share)]
    return [(first + k, w) for k, w in enumerate(_cubic_weights(share), -1)]


def _sampled(
    input: Any,
    choice: Sequence[tuple[Any, Any]],
    padding_mode: str,
    align_corners: bool,
    late: bool,
) -> Any:
    """Weighted elements of the image at one combination of positions, 0 outside of it."""
    n, channels, *extents = input.shape
    flat: Any = 0
    weight: Any = None
    valid: Any = None
    for (position, share), extent in zip(choice, extents, strict=True):
        if late:
            position = _inside(position, extent, padding_mode, align_corners)
        within = (position >= 0).logical_and(position <= extent - 1)
        valid = within if valid is None else valid.logical_and(within)
        flat = flat * extent + where(within, position, 0.0).long()
        if share is not None:
            weight = share if weight is None else weight * share
    outer = tuple(flat.shape[1:])
    index = flat.reshape(n, 1, -1).expand(n, channels, math.prod(outer))
    values = input.reshape(n, channels, -1).gather(2, index).reshape(n, channels, *outer)
    values = where(valid.unsqueeze(1), values, 0.0)
    return values if weight is None else values * weight.unsqueeze(1)


def upsample(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """:func:`interpolate` under its older name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """:func:`interpolate` with ``mode="nearest"``, under its older name."""
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """:func:`interpolate` with ``mode="bilinear"`` and aligned corners, under its older name."""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)
