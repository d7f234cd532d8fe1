"""What a picture is: a tensor (…, C, H, W) or an image of Pillow, which is loaded when needed."""

from __future__ import annotations

import enum
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pellucid.base.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from pellucid.base.extras import needs
from pellucid.tensor.creation import from_numpy
from pellucid.tensor.tensor import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

Picture: TypeAlias = Any
"""A tensor (…, C, H, W) or an image of Pillow; which one goes in comes out."""


class InterpolationMode(enum.Enum):
    """How values between pixels are found."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_PILLOW_NUMBERS = {
    "nearest": 0,
    "nearest-exact": 0,
    "lanczos": 1,
    "bilinear": 2,
    "bicubic": 3,
    "box": 4,
    "hamming": 5,
}


def interpolation_of(value: object) -> InterpolationMode:
    """An interpolation from the enumeration, its name, or Pillow's number."""
    if isinstance(value, InterpolationMode):
        return value
    for name, number in _PILLOW_NUMBERS.items():
        if value == name or (isinstance(value, int) and value == number):
            return InterpolationMode(name)
    known = ", ".join(mode.name for mode in InterpolationMode)
    raise ArgumentError(f"there is no interpolation {value!r}", f"use InterpolationMode: {known}")


def pillow_number(mode: InterpolationMode) -> int:
    """What Pillow calls an interpolation."""
    return _PILLOW_NUMBERS[mode.value]


def pillow() -> ModuleType:
    """Pillow's module of images."""
    with needs("vision", "Pictures as Pillow's images"):
        import PIL.Image
    return PIL.Image


def is_pillow(value: object) -> bool:
    """Whether ``value`` is an image of Pillow; without Pillow nothing is."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def is_picture(value: object) -> bool:
    """Whether ``value`` is an image of Pillow or a tensor with the axes of one."""
    return is_pillow(value) or (isinstance(value, Tensor) and value.ndim >= 2)


def check_picture(value: object, who: str) -> None:
    """Raise unless ``value`` is a picture."""
    if is_pillow(value):
        return
    if not isinstance(value, Tensor):
        raise ArgumentTypeError(
            f"{who} got a {type(value).__name__}",
            "give a tensor (C, H, W) or an image of Pillow; ToTensor and ToPILImage convert",
        )
    if value.ndim < 2:
        raise ShapeError(
            f"{who} got a tensor of shape {tuple(value.shape)}", "pictures are (…, C, H, W)"
        )


def size_of(picture: Picture) -> tuple[int, int]:
    """Height and width."""
    if is_pillow(picture):
        return int(picture.size[1]), int(picture.size[0])
    return int(picture.shape[-2]), int(picture.shape[-1])


def channels_of(picture: Picture) -> int:
    """Number of channels; 1 for a tensor (H, W)."""
    if is_pillow(picture):
        return len(picture.getbands())
    return int(picture.shape[-3]) if picture.ndim > 2 else 1


# ---- from one kind to the other -----------------------------------------------------------------

_WIDE_MODES = {"I": np.int32, "I;16": np.int16, "F": np.float32}


def tensor_of(picture: Any) -> Tensor:
    """An image of Pillow as a tensor (C, H, W) with its values: uint8, or what its mode holds."""
    array = np.array(picture, _WIDE_MODES.get(picture.mode), copy=True)
    if picture.mode == "1":
        array = array.astype(np.uint8) * np.uint8(255)
    array = array.reshape(picture.size[1], picture.size[0], len(picture.getbands()))
    return from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_MODES_OF_TYPES = {"int16": "I;16", "int32": "I", "float32": "F"}
_CHANNELS = {"L": 1, "I": 1, "I;16": 1, "F": 1, "1": 1, "P": 1}
_CHANNELS |= {"LA": 2, "RGB": 3, "YCbCr": 3, "HSV": 3, "LAB": 3, "RGBA": 4, "CMYK": 4, "RGBX": 4}


def image_of(picture: Any, mode: str | None = None) -> Image:
    """A tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as an image of Pillow.

    Floating-point tensors have values from 0 to 1 and are multiplied by 255; arrays are taken as
    they are.  Raises :class:`ArgumentError` for a ``mode`` that does not fit the channels.
    """
    array = _channels_last(picture)
    channels = array.shape[2]
    if array.dtype == np.uint8:
        usual = _MODES.get(channels)
    else:
        usual = _MODES_OF_TYPES.get(array.dtype.name) if channels == 1 else None
    chosen = mode or usual
    if chosen is None:
        raise DTypeError(
            f"an image of Pillow cannot hold {channels} channels of {array.dtype}",
            "convert to uint8, with 1 to 4 channels",
        )
    if _CHANNELS.get(chosen, channels) != channels:
        raise ArgumentError(
            f"the mode {chosen!r} does not fit a picture with {channels} channels",
            f"leave it out; {usual} is usual",
        )
    plain = np.ascontiguousarray(array[:, :, 0] if channels == 1 else array)
    made = pillow().fromarray(plain)
    if made.mode == chosen:
        return made
    reinterpreted = made.mode in ("RGB", "RGBA", "L") and _CHANNELS[chosen] == channels
    return (
        pillow().frombytes(chosen, made.size, made.tobytes())
        if reinterpreted
        else made.convert(chosen)
    )


def _channels_last(picture: Any) -> np.ndarray:
    if isinstance(picture, Tensor):
        if picture.ndim not in (2, 3):
            raise ShapeError(
                f"a picture has shape {tuple(picture.shape)}", "one picture is (C, H, W) or (H, W)"
            )
        values = picture.detach()
        if values.dtype.is_floating_point:
            values = values.float().mul(255).to("cpu").byte()
        array = np.asarray(values.numpy())
        return array[:, :, None] if array.ndim == 2 else array.transpose(1, 2, 0)
    if not isinstance(picture, np.ndarray):
        raise ArgumentTypeError(
            f"a picture is a {type(picture).__name__}", "give a tensor or an array"
        )
    if picture.ndim not in (2, 3):
        raise ShapeError(f"a picture has shape {picture.shape}", "one picture is (H, W, C)")
    return picture[:, :, None] if picture.ndim == 2 else picture
