"""Grids of pictures, under torchvision's names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO

from pellucid.base.errors import ArgumentTypeError, ShapeError
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.shaping import cat, stack
from pellucid.tensor.tensor import Tensor
from pellucid.vision.images import image_of


def make_grid(
    tensor: Tensor | Sequence[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Pictures (N, C, H, W) side by side, ``nrow`` in a row, as one picture (3, H', W').

    ``padding`` pixels of ``pad_value`` lie between them.  ``normalize`` brings values from
    ``value_range`` (by default the lowest and highest, of all or, with ``scale_each``, of each
    picture) to 0 … 1.
    """
    if isinstance(tensor, list | tuple):
        tensor = stack(list(tensor), 0)
    if not isinstance(tensor, Tensor):
        raise ArgumentTypeError(f"make_grid got a {type(tensor).__name__}", "give tensors")
    if not 2 <= tensor.ndim <= 4:
        raise ShapeError(
            f"make_grid got a tensor of shape {tuple(tensor.shape)}", "pictures are (N, C, H, W)"
        )
    pictures = tensor.reshape((1,) * (4 - tensor.ndim) + tuple(tensor.shape))
    if pictures.shape[1] == 1:
        pictures = cat([pictures] * 3, 1)
    if normalize:
        parts = pictures.unbind(0) if scale_each else [pictures]
        scaled = [_scaled(part, value_range) for part in parts]
        pictures = stack(scaled, 0) if scale_each else scaled[0]
    count, channels, height, width = (int(n) for n in pictures.shape)
    if count == 1:
        return pictures[0]
    columns = min(nrow, count)
    rows = -(-count // columns)
    high, wide = height + padding, width + padding
    grid = pictures.new_full((channels, high * rows + padding, wide * columns + padding), pad_value)
    for number in range(count):
        top = number // columns * high + padding
        left = number % columns * wide + padding
        grid[:, top : top + height, left : left + width] = pictures[number]
    return grid


def _scaled(picture: Tensor, bounds: tuple[float, float] | None) -> Tensor:
    low, high = bounds or (float(picture.min()), float(picture.max()))
    return (picture.clamp(low, high) - low) / max(high - low, 1e-5)


def save_image(
    tensor: Tensor | Sequence[Tensor],
    fp: str | os.PathLike[str] | IO[bytes],
    format: str | None = None,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> None:
    """Write pictures with values from 0 to 1, as a grid where there are several, to a file whose
    ending says the format."""
    with no_grad():
        grid = make_grid(tensor, nrow, padding, normalize, value_range, scale_each, pad_value)
        whole = (grid.float() * 255 + 0.5).clamp(0, 255).byte()
    image_of(whole).save(fp, format=format)


__all__ = [
    "make_grid",
    "save_image",
]


def __dir__() -> list[str]:
    return sorted(__all__)
