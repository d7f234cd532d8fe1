"""Sliding windows of images as columns, and back."""

from __future__ import annotations

import itertools
import math
from typing import Any

from pellucid.base.errors import ShapeError
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.convolution import Sizes
from pellucid.nn.functional.hints import rank_hint
from pellucid.nn.functional.positions import need_channels, numbers
from pellucid.ops import structure
from pellucid.tensor.shaping import stack
from pellucid.tensor.tensor import Tensor


def _grid(
    name: str, size: Any, kernel: list[int], dilation: list[int], padding: list[int], stride: Any
) -> list[int]:
    """Numbers of windows along the axes of an image of ``size``."""
    found = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(size, kernel, dilation, padding, stride, strict=True)
    ]
    if min(found) < 1:
        raise ShapeError(
            f"{name}: windows of {kernel} with dilation {dilation} do not fit in an image of "
            f"{list(size)} padded by {padding}",
            "use a smaller kernel_size or more padding",
        )
    return found


def unfold(
    input: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor:
    """Each window of an image as a column, channel by channel, row by row.

    Shapes: (N, C, H, W) → (N, C · k_h · k_w, windows), or both without N.  Zeros surround the
    image by ``padding``.  A convolution is a product of its weights with these columns.
    """
    need_tensor("unfold", input)
    if input.dim() not in (3, 4):
        raise ShapeError(
            f"unfold got an input of shape {tuple(input.shape)}",
            rank_hint(tuple(input.shape), 2),
        )
    need_channels("unfold", input, 2)
    kernel = numbers("unfold", "kernel_size", kernel_size, 2, 1)
    apart = numbers("unfold", "dilation", dilation, 2, 1)
    frame = numbers("unfold", "padding", padding, 2, 0)
    steps = numbers("unfold", "stride", stride, 2, 1)
    lead = tuple(input.shape[:-2])
    rows, columns = _grid("unfold", input.shape[-2:], kernel, apart, frame, steps)
    around = (*[0] * len(lead), *frame)
    x = structure.pad(input, around, around)
    none, one = [0] * len(lead), [1] * len(lead)
    parts = []
    for i, j in itertools.product(range(kernel[0]), range(kernel[1])):
        top, left = i * apart[0], j * apart[1]
        stop = [top + (rows - 1) * steps[0] + 1, left + (columns - 1) * steps[1] + 1]
        parts.append(structure.slice_(x, [*none, top, left], [*lead, *stop], [*one, *steps]))
    windows = stack(parts, len(lead))  # (N, C, k_h·k_w, rows, columns)
    return windows.reshape(*lead[:-1], lead[-1] * len(parts), rows * columns)


def fold(
    input: Tensor,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """Columns of :func:`unfold` added up where their windows lie: its transpose.

    Shapes: (N, C · k_h · k_w, windows) → (N, C, *output_size), or both without N.
    """
    need_tensor("fold", input)
    size = numbers("fold", "output_size", output_size, 2, 1)
    kernel = numbers("fold", "kernel_size", kernel_size, 2, 1)
    apart = numbers("fold", "dilation", dilation, 2, 1)
    frame = numbers("fold", "padding", padding, 2, 0)
    steps = numbers("fold", "stride", stride, 2, 1)
    rows, columns = _grid("fold", size, kernel, apart, frame, steps)
    area = math.prod(kernel)
    shape = tuple(input.shape)
    fits = len(shape) in (2, 3) and shape[-2] % area == 0 and shape[-1] == rows * columns
    if not fits or shape[-2] == 0:
        raise ShapeError(
            f"fold got an input of shape {shape}",
            f"it needs (N, C · {area}, {rows * columns}): {area} numbers a window and channel, "
            f"{rows} · {columns} windows in an image of {size[0]} × {size[1]}",
        )
    lead = (*input.shape[:-2], input.shape[-2] // area)
    windows = input.reshape(*lead, area, rows, columns)
    none = [0] * len(lead)
    total: Any = None
    for place, (i, j) in enumerate(itertools.product(range(kernel[0]), range(kernel[1]))):
        part = windows.select(len(lead), place)  # (N, C, rows, columns)
        low = [i * apart[0] - frame[0], j * apart[1] - frame[1]]
        reach = [(n - 1) * s + 1 for n, s in zip((rows, columns), steps, strict=True)]
        high = [n - a - r for n, a, r in zip(size, low, reach, strict=True)]
        between = [s - 1 for s in steps]
        part = structure.pad(part, [*none, *low], [*none, *high], [*none, *between])
        total = part if total is None else total + part
    return total
