"""The functions of :mod:`pellucid.vision.transforms.functional`, and the names that v2 adds."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base.dtypes import DType, float32
from pellucid.base.errors import ArgumentTypeError
from pellucid.tensor.creation import from_numpy
from pellucid.tensor.tensor import Tensor
from pellucid.vision.images import is_pillow, tensor_of
from pellucid.vision.transforms.functional import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    adjust_sharpness,
    affine,
    autocontrast,
    center_crop,
    convert_image_dtype,
    crop,
    equalize,
    erase,
    five_crop,
    gaussian_blur,
    get_dimensions,
    hflip,
    invert,
    normalize,
    pad,
    perspective,
    pil_to_tensor,
    posterize,
    resize,
    resized_crop,
    rgb_to_grayscale,
    rotate,
    solarize,
    ten_crop,
    to_grayscale,
    to_pil_image,
    to_tensor,
    vflip,
)

horizontal_flip = hflip
vertical_flip = vflip


def to_image(inpt: Any) -> Tensor:
    """A Pillow image or an array (H, W, C) or (H, W) as a tensor (C, H, W) with its values."""
    if isinstance(inpt, Tensor):
        return inpt
    if is_pillow(inpt):
        return tensor_of(inpt)
    if isinstance(inpt, np.ndarray) and inpt.ndim in (2, 3):
        array = inpt[:, :, None] if inpt.ndim == 2 else inpt
        return from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    raise ArgumentTypeError(
        f"to_image got a {type(inpt).__name__}", "give a Pillow image, an array or a tensor"
    )


def to_dtype(inpt: Tensor, dtype: DType = float32, scale: bool = False) -> Tensor:
    """The picture in another dtype; ``scale`` keeps black and white where they were."""
    if not isinstance(inpt, Tensor):
        raise ArgumentTypeError(f"to_dtype got a {type(inpt).__name__}", "use ToImage first")
    return convert_image_dtype(inpt, dtype) if scale else inpt.to(dtype)


__all__ = [
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "affine",
    "autocontrast",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "equalize",
    "erase",
    "five_crop",
    "gaussian_blur",
    "get_dimensions",
    "hflip",
    "horizontal_flip",
    "invert",
    "normalize",
    "pad",
    "perspective",
    "pil_to_tensor",
    "posterize",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "solarize",
    "ten_crop",
    "to_dtype",
    "to_grayscale",
    "to_image",
    "to_pil_image",
    "to_tensor",
    "vertical_flip",
    "vflip",
]
