"""Functions on pictures: tensors (…, C, H, W), uint8 from 0 to 255 or floats from 0 to 1, and
Pillow's images.  Names, arguments and meaning are torchvision's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.base.dtypes import DType, float32
from pellucid.base.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from pellucid.tensor.creation import as_tensor, from_numpy, tensor
from pellucid.tensor.tensor import Tensor
from pellucid.vision.images import (
    InterpolationMode,
    Picture,
    channels_of,
    check_picture,
    image_of,
    interpolation_of,
    is_pillow,
    size_of,
    tensor_of,
)
from pellucid.vision.transforms import _pillow, _tensors

if TYPE_CHECKING:
    from PIL.Image import Image

# ---- from one kind to the other -----------------------------------------------------------------


def to_tensor(pic: Any) -> Tensor:
    """A Pillow image or an array (H, W, C) or (H, W) as a tensor (C, H, W).

    uint8 values are divided by 255 and become float32 from 0 to 1, others stay as they are.
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ShapeError(f"a picture has shape {pic.shape}", "one picture is (H, W, C)")
        array = pic[:, :, None] if pic.ndim == 2 else pic
        made = from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    elif is_pillow(pic):
        made = tensor_of(pic)
    else:
        raise ArgumentTypeError(
            f"to_tensor got a {type(pic).__name__}", "give an image of Pillow or an array"
        )
    return made.float() / 255 if made.dtype.name == "uint8" else made


def pil_to_tensor(pic: Any) -> Tensor:
    """A Pillow image as a tensor (C, H, W) with its values, unscaled."""
    if not is_pillow(pic):
        raise ArgumentTypeError(f"pil_to_tensor got a {type(pic).__name__}", "give a Pillow image")
    made = tensor_of(pic)
    return made.bool() if pic.mode == "1" else made


def to_pil_image(pic: Any, mode: str | None = None) -> Image:
    """A tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as a Pillow image; floats of
    tensors are multiplied by 255."""
    return image_of(pic, mode)


def convert_image_dtype(image: Tensor, dtype: DType = float32) -> Tensor:
    """The picture in another dtype, with black and white where they were: 255 of uint8 is 1.0."""
    if image.dtype is dtype:
        return image
    if image.dtype.is_floating_point:
        if dtype.is_floating_point:
            return image.to(dtype)
        white = _tensors.bound(image.new_zeros((), dtype=dtype))
        return (image * (white + 1 - 1e-3)).to(dtype)
    if dtype.is_floating_point:
        return image.to(dtype) / _tensors.bound(image)
    old, new = _tensors.bound(image), _tensors.bound(image.new_zeros((), dtype=dtype))
    if old > new:
        return (image // int((old + 1) // (new + 1))).to(dtype)
    return image.to(dtype) * int((new + 1) // (old + 1))


def normalize(
    tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False
) -> Tensor:
    """(x − mean) / std, with a mean and a deviation for each channel of (…, C, H, W)."""
    if not isinstance(tensor, Tensor):
        raise ArgumentTypeError(
            f"normalize got a {type(tensor).__name__}", "convert the picture with ToTensor first"
        )
    if not tensor.dtype.is_floating_point:
        raise DTypeError(
            f"normalize got {tensor.dtype.name}",
            "convert with ToTensor, or with convert_image_dtype(x, pellucid.float32)",
        )
    if tensor.ndim < 3:
        raise ShapeError(
            f"normalize got a tensor of shape {tuple(tensor.shape)}", "pictures are (…, C, H, W)"
        )
    middle, width = (as_tensor(v, dtype=tensor.dtype).reshape(-1, 1, 1) for v in (mean, std))
    if bool((width == 0).any()):
        raise ArgumentError(f"normalize got std {std}", "deviations are larger than 0")
    if inplace:
        return tensor.sub_(middle).div_(width)
    return (tensor - middle) / width


# ---- size and place -----------------------------------------------------------------------------


def get_dimensions(img: Picture) -> list[int]:
    """Channels, height and width."""
    check_picture(img, "get_dimensions")
    return [channels_of(img), *size_of(img)]


def get_image_size(img: Picture) -> list[int]:
    """Width and height."""
    check_picture(img, "get_image_size")
    height, width = size_of(img)
    return [width, height]


def get_image_num_channels(img: Picture) -> int:
    """Number of channels."""
    check_picture(img, "get_image_num_channels")
    return channels_of(img)


def pair(value: int | Sequence[int], name: str) -> tuple[int, int]:
    """A number as both of two, or two numbers."""
    if isinstance(value, int | float):
        return int(value), int(value)
    listed = [int(number) for number in value]
    if len(listed) not in (1, 2):
        raise ArgumentError(f"{name} is {value}", "give one number, or height and width")
    return listed[0], listed[-1]


def resize(
    img: Picture,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Picture:
    """The picture with another height and width.

    ``size`` is (height, width), or the length of the shorter side, whose proportions are kept; with
    ``max_size`` the longer side is no longer than that.  ``antialias`` widens the filter where a
    tensor shrinks, as Pillow always does.
    """
    check_picture(img, "resize")
    wanted = _wanted_size(size_of(img), size, max_size)
    mode = interpolation_of(interpolation)
    if is_pillow(img):
        return _pillow.resize(img, wanted, mode)
    return _tensors.resize(img, wanted, mode, bool(antialias))


def _wanted_size(
    now: tuple[int, int], size: int | Sequence[int], max_size: int | None
) -> tuple[int, int]:
    listed = [size] if isinstance(size, int) else [int(number) for number in size]
    if len(listed) not in (1, 2) or min(listed) < 1:
        raise ArgumentError(
            f"resize got size {size}", "give the shorter side, or height and width, from 1 on"
        )
    if len(listed) == 2:
        if max_size is not None:
            raise ArgumentError(
                "resize got max_size and both sides", "max_size belongs to a single number"
            )
        return listed[0], listed[1]
    short, long = min(now), max(now)
    shorter, longer = listed[0], int(listed[0] * long / short)
    if max_size is not None:
        if max_size <= listed[0]:
            raise ArgumentError(
                f"resize got max_size {max_size} for a shorter side of {listed[0]}",
                "max_size must be larger",
            )
        if longer > max_size:
            shorter, longer = int(max_size * shorter / longer), max_size
    return (shorter, longer) if now[0] <= now[1] else (longer, shorter)


def pad(
    img: Picture,
    padding: int | Sequence[int],
    fill: float | Sequence[float] = 0,
    padding_mode: str = "constant",
) -> Picture:
    """The picture with a border.

    ``padding``: one number, (left and right, top and bottom), or (left, top, right, bottom).
    ``padding_mode``: "constant" (``fill``), "edge", "reflect" (the border not repeated),
    "symmetric" (the border repeated).
    """
    check_picture(img, "pad")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ArgumentError(
            f"pad got padding_mode {padding_mode!r}", "use constant, edge, reflect or symmetric"
        )
    listed = [padding] if isinstance(padding, int) else [int(number) for number in padding]
    if len(listed) not in (1, 2, 4):
        raise ArgumentError(f"pad got padding {padding}", "give 1, 2 or 4 numbers")
    left, top, right, bottom = (listed * 4)[:4] if len(listed) < 4 else listed
    sides = (left, top, right, bottom)
    if min(sides) < 0:
        if padding_mode != "constant":
            raise ArgumentError(f"pad got padding {padding}", "numbers are from 0 on")
        height, width = size_of(img)
        return pad(
            crop(
                img,
                max(0, -top),
                max(0, -left),
                height + min(0, top) + min(0, bottom),
                width + min(0, left) + min(0, right),
            ),
            [max(0, side) for side in sides],
            fill,
        )
    if is_pillow(img):
        return _pillow.pad(img, sides, fill, padding_mode)
    return _tensors.pad(img, sides, fill, padding_mode)


def crop(img: Picture, top: int, left: int, height: int, width: int) -> Picture:
    """The part with these upper left corner and size; what lies outside is 0."""
    check_picture(img, "crop")
    kind = _pillow if is_pillow(img) else _tensors
    return kind.crop(img, int(top), int(left), int(height), int(width))


def center_crop(img: Picture, output_size: int | Sequence[int]) -> Picture:
    """The middle part of that size; a smaller picture gets a border of 0."""
    check_picture(img, "center_crop")
    height, width = pair(output_size, "output_size")
    high, wide = size_of(img)
    if width > wide or height > high:
        right, down = max(0, width - wide), max(0, height - high)
        img = pad(img, [right // 2, down // 2, (right + 1) // 2, (down + 1) // 2])
        high, wide = size_of(img)
        if (width, height) == (wide, high):
            return img
    return crop(img, round((high - height) / 2.0), round((wide - width) / 2.0), height, width)


def resized_crop(
    img: Picture,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Picture:
    """A part, resized."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def five_crop(img: Picture, size: int | Sequence[int]) -> tuple[Picture, ...]:
    """The four corners (upper left, upper right, lower left, lower right) and the middle."""
    check_picture(img, "five_crop")
    height, width = pair(size, "size")
    high, wide = size_of(img)
    if height > high or width > wide:
        raise ShapeError(
            f"a part of {height}×{width} does not fit into a picture of {high}×{wide}",
            "choose a smaller size",
        )
    corners = [(0, 0), (0, wide - width), (high - height, 0), (high - height, wide - width)]
    parts = [crop(img, top, left, height, width) for top, left in corners]
    return (*parts, center_crop(img, [height, width]))


def ten_crop(
    img: Picture, size: int | Sequence[int], vertical_flip: bool = False
) -> tuple[Picture, ...]:
    """The five parts of :func:`five_crop`, and those of the mirrored picture."""
    mirrored = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(mirrored, size)


def hflip(img: Picture) -> Picture:
    """The picture mirrored left to right."""
    check_picture(img, "hflip")
    return _pillow.flip(img, True) if is_pillow(img) else img.flip(-1)


def vflip(img: Picture) -> Picture:
    """The picture mirrored top to bottom."""
    check_picture(img, "vflip")
    return _pillow.flip(img, False) if is_pillow(img) else img.flip(-2)


def _filling(img: Tensor, fill: Any) -> list[float] | None:
    """One value for each channel; None for 0, which needs no filling."""
    if fill is None:
        return None
    values = [float(v) for v in fill] if isinstance(fill, list | tuple) else [float(fill)]
    count = channels_of(img)
    if len(values) not in (1, count):
        raise ArgumentError(
            f"fill has {len(values)} values for {count} channels", "give one, or one a channel"
        )
    return values * count if len(values) == 1 else values


def rotate(
    img: Picture,
    angle: float,
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: float | Sequence[float] | None = None,
) -> Picture:
    """The picture turned counter-clockwise by ``angle`` degrees.

    About ``center`` (x, y in pixels from the upper left corner; the middle by default); ``expand``
    makes the picture large enough for all of it, ``fill`` is the colour outside.
    """
    check_picture(img, "rotate")
    mode = interpolation_of(interpolation)
    if is_pillow(img):
        return _pillow.rotate(img, angle, mode, expand, center, fill)
    height, width = size_of(img)
    middle = (0.0, 0.0)
    if center is not None:
        middle = (center[0] - width * 0.5, center[1] - height * 0.5)
    matrix = _tensors.angle_matrix(-angle, (0.0, 0.0), 1.0, (0.0, 0.0), middle)
    high, wide = _expanded(matrix, height, width) if expand else (height, width)
    places = _tensors.affine_places(matrix, high, wide)
    return _tensors.warp(img, places, mode, _filling(img, fill))


def _expanded(matrix: Sequence[float], height: int, width: int) -> tuple[int, int]:
    """The size of a picture that holds all of a turned one."""
    a, b, c, d, e, f = matrix
    scale = a * e - b * d
    corners = [(x * 0.5 * width, y * 0.5 * height) for x in (-1, 1) for y in (-1, 1)]
    xs = [(e * (x - c) - b * (y - f)) / scale for x, y in corners]
    ys = [(a * (y - f) - d * (x - c)) / scale for x, y in corners]

    def extent(values: list[float], half: float) -> int:
        low, high = min(values) + half, max(values) + half
        return int(math.ceil(round(high, 4)) - math.floor(round(low, 4)))

    return extent(ys, height * 0.5), extent(xs, width * 0.5)


def affine(
    img: Picture,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    fill: float | Sequence[float] | None = None,
    center: Sequence[float] | None = None,
) -> Picture:
    """The picture turned clockwise by ``angle`` degrees, scaled, sheared (degrees) and then shifted
    by ``translate`` (pixels to the right, down), about ``center`` (the middle by default)."""
    check_picture(img, "affine")
    if scale <= 0:
        raise ArgumentError(f"affine got scale {scale}", "give a factor larger than 0")
    mode = interpolation_of(interpolation)
    sheared = [float(shear), 0.0] if isinstance(shear, int | float) else [shear[0], shear[-1]]
    height, width = size_of(img)
    if is_pillow(img):
        middle = (width * 0.5, height * 0.5) if center is None else tuple(center)
        matrix = _tensors.angle_matrix(angle, translate, scale, sheared, middle)
        return _pillow.affine(img, matrix, mode, fill)
    middle = (0.0, 0.0)
    if center is not None:
        middle = (center[0] - width * 0.5, center[1] - height * 0.5)
    matrix = _tensors.angle_matrix(angle, translate, scale, sheared, middle)
    places = _tensors.affine_places(matrix, height, width)
    return _tensors.warp(img, places, mode, _filling(img, fill))


def perspective(
    img: Picture,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    fill: float | Sequence[float] | None = None,
) -> Picture:
    """The picture mapped so that its four ``startpoints`` (x, y) come to lie at ``endpoints``."""
    check_picture(img, "perspective")
    rows, values = [], []
    for (x, y), (u, v) in zip(startpoints, endpoints, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -x * u, -x * v], [0, 0, 0, u, v, 1, -y * u, -y * v]]
        values += [x, y]
    solved = np.linalg.lstsq(np.array(rows, float), np.array(values, float), rcond=None)[0]
    coefficients = [float(number) for number in solved.astype(np.float32)]
    mode = interpolation_of(interpolation)
    if is_pillow(img):
        return _pillow.perspective(img, coefficients, mode, fill)
    places = _tensors.perspective_places(coefficients, *size_of(img))
    return _tensors.warp(img, places, mode, _filling(img, fill))


def erase(img: Picture, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Picture:
    """The picture with a part (upper left corner i, j; size h, w) replaced by ``v``."""
    check_picture(img, "erase")
    if is_pillow(img):
        return to_pil_image(erase(pil_to_tensor(img), i, j, h, w, v))
    made = img if inplace else img.clone()
    made[..., i : i + h, j : j + w] = v if isinstance(v, Tensor) else tensor(v).to(img.dtype)
    return made


# ---- colours ------------------------------------------------------------------------------------


def _factor(value: float, who: str) -> float:
    if value < 0:
        raise ArgumentError(f"{who} got the factor {value}", "factors are from 0 on")
    return float(value)


def adjust_brightness(img: Picture, brightness_factor: float) -> Picture:
    """0 gives black, 1 the picture, 2 twice the brightness."""
    check_picture(img, "adjust_brightness")
    factor = _factor(brightness_factor, "adjust_brightness")
    if is_pillow(img):
        return _pillow.enhance(img, "Brightness", factor)
    return _tensors.adjust_brightness(img, factor)


def adjust_contrast(img: Picture, contrast_factor: float) -> Picture:
    """0 gives plain grey, 1 the picture, 2 twice the contrast."""
    check_picture(img, "adjust_contrast")
    factor = _factor(contrast_factor, "adjust_contrast")
    if is_pillow(img):
        return _pillow.enhance(img, "Contrast", factor)
    return _tensors.adjust_contrast(img, factor)


def adjust_saturation(img: Picture, saturation_factor: float) -> Picture:
    """0 gives grey, 1 the picture, 2 twice the saturation."""
    check_picture(img, "adjust_saturation")
    factor = _factor(saturation_factor, "adjust_saturation")
    if is_pillow(img):
        return _pillow.enhance(img, "Color", factor)
    return _tensors.adjust_saturation(img, factor)


def adjust_sharpness(img: Picture, sharpness_factor: float) -> Picture:
    """0 gives a smoothed picture, 1 the picture, 2 a sharpened one."""
    check_picture(img, "adjust_sharpness")
    factor = _factor(sharpness_factor, "adjust_sharpness")
    if is_pillow(img):
        return _pillow.enhance(img, "Sharpness", factor)
    return _tensors.adjust_sharpness(img, factor)


def adjust_hue(img: Picture, hue_factor: float) -> Picture:
    """The hue turned by a share of the colour circle, from −0.5 to 0.5."""
    check_picture(img, "adjust_hue")
    if not -0.5 <= hue_factor <= 0.5:
        raise ArgumentError(f"adjust_hue got {hue_factor}", "give a share from -0.5 to 0.5")
    return (_pillow if is_pillow(img) else _tensors).adjust_hue(img, hue_factor)


def adjust_gamma(img: Picture, gamma: float, gain: float = 1) -> Picture:
    """white · gain · (value / white) ^ gamma."""
    check_picture(img, "adjust_gamma")
    return (_pillow if is_pillow(img) else _tensors).adjust_gamma(
        img, _factor(gamma, "adjust_gamma"), gain
    )


def rgb_to_grayscale(img: Picture, num_output_channels: int = 1) -> Picture:
    """Luma (0.2989 red + 0.587 green + 0.114 blue), in one channel or three equal ones; a tensor
    with one channel stays as it is."""
    check_picture(img, "rgb_to_grayscale")
    if num_output_channels not in (1, 3):
        raise ArgumentError(f"num_output_channels is {num_output_channels}", "give 1 or 3")
    if is_pillow(img):
        return _pillow.grey(img, num_output_channels)
    made = _tensors.grey(img)
    if num_output_channels == 1 or channels_of(img) == 1:
        return made
    return made.expand(*made.shape[:-3], 3, *made.shape[-2:])


to_grayscale = rgb_to_grayscale


def invert(img: Picture) -> Picture:
    """White less the picture."""
    check_picture(img, "invert")
    return (_pillow if is_pillow(img) else _tensors).invert(img)


def posterize(img: Picture, bits: int) -> Picture:
    """Only the upper ``bits`` (0 to 8) of each value."""
    check_picture(img, "posterize")
    if not 0 <= bits <= 8:
        raise ArgumentError(f"posterize got {bits} bits", "give 0 to 8")
    return (_pillow if is_pillow(img) else _tensors).posterize(img, bits)


def solarize(img: Picture, threshold: float) -> Picture:
    """Values from ``threshold`` on inverted."""
    check_picture(img, "solarize")
    return (_pillow if is_pillow(img) else _tensors).solarize(img, threshold)


def autocontrast(img: Picture) -> Picture:
    """Each channel stretched so that it reaches from black to white."""
    check_picture(img, "autocontrast")
    return (_pillow if is_pillow(img) else _tensors).autocontrast(img)


def equalize(img: Picture) -> Picture:
    """Each channel with a histogram as flat as possible; uint8 values."""
    check_picture(img, "equalize")
    return (_pillow if is_pillow(img) else _tensors).equalize(img)


def gaussian_blur(
    img: Picture, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None = None
) -> Picture:
    """Weighted means of neighbours: ``kernel_size`` (x, y) odd, ``sigma`` (x, y) in pixels, by
    default 0.15 · size + 0.35."""
    check_picture(img, "gaussian_blur")
    sizes = pair(kernel_size, "kernel_size")
    if min(sizes) < 1 or not all(size % 2 for size in sizes):
        raise ArgumentError(f"kernel_size is {kernel_size}", "give odd numbers from 1 on")
    listed = [0.15 * size + 0.35 for size in sizes]
    if sigma is not None:
        given = [float(sigma)] if isinstance(sigma, int | float) else [float(s) for s in sigma]
        listed = [given[0], given[-1]]
    if min(listed) <= 0:
        raise ArgumentError(f"sigma is {sigma}", "give widths larger than 0")
    if is_pillow(img):
        values = _tensors.gaussian_blur(pil_to_tensor(img), sizes, (listed[0], listed[1]))
        return to_pil_image(values, img.mode)
    return _tensors.gaussian_blur(img, sizes, (listed[0], listed[1]))
