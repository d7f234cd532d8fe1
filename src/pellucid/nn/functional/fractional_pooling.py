"""Max pooling by a factor between 1 and 2: windows at random distances.

(Graham, "Fractional max-pooling", 2014; the positions are PyTorch's, so that the same samples
give the same windows.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

from pellucid.base.dtypes import int64
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.convolution import Sizes
from pellucid.nn.functional.pooling import first_maximum, with_indices
from pellucid.nn.functional.positions import need_rank, numbers
from pellucid.tensor.creation import arange
from pellucid.tensor.functions import where
from pellucid.tensor.random import rand
from pellucid.tensor.tensor import Tensor

_SAMPLE_OF_AXIS = {2: (1, 0), 3: (0, 1, 2)}
"""Which of the random numbers belongs to which axis; in two dimensions PyTorch has width first."""


def check_ratios(name: str, ratios: Any, count: int) -> list[float]:
    """One factor in (0, 1) for each axis, from one number or a sequence."""
    listed = list(ratios) if isinstance(ratios, (tuple, list)) else [ratios] * count
    if len(listed) != count or not all(0 < ratio < 1 for ratio in listed):
        raise ArgumentError(
            f"{name} got output_ratio={ratios}",
            f"give one number between 0 and 1, or {count} of them",
        )
    return [float(ratio) for ratio in listed]


def check_choice(name: str, output_size: Any, output_ratio: Any) -> None:
    """Raise unless exactly one of size and ratio is given."""
    if (output_size is None) == (output_ratio is None):
        raise ArgumentError(
            f"{name} got output_size={output_size} and output_ratio={output_ratio}",
            "pass one of them",
        )


def _starts(sample: Any, extent: int, out: int, kernel: int) -> Any:
    """First positions of the windows along an axis: (N, C) → (N, C, out).

    ⌊(i + u) α⌋ − ⌊u α⌋ with α = (extent − kernel) / (out − 1), and the last window at the end.
    """
    if out == 1:
        return (sample * 0).to(int64).unsqueeze(-1) + (extent - kernel)
    place = arange(out)
    u = sample.unsqueeze(-1)
    alpha = (sample * 0).unsqueeze(-1) + (extent - kernel)
    alpha = alpha / (out - 1)  # rounded in the dtype of the samples, as PyTorch does
    moved = ((u + place.to(sample.dtype)) * alpha).trunc() - (u * alpha).trunc()
    return where(place < out - 1, moved.to(int64), extent - kernel)


def _fractional_max_pool(
    count: int,
    input: Any,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    return_indices: bool,
    samples: Any,
) -> Any:
    name = f"fractional_max_pool{count}d"
    need_tensor(name, input)
    need_rank(name, input, count)
    check_choice(name, output_size, output_ratio)
    x = input if input.dim() == count + 2 else input.unsqueeze(0)
    extents = x.shape[2:]
    if output_size is None:
        ratios = check_ratios(name, output_ratio, count)
        output_size = [int(n * ratio) for n, ratio in zip(extents, ratios, strict=True)]
    kernel = numbers(name, "kernel_size", kernel_size, count, 1)
    targets = numbers(name, "output_size", output_size, count, 1)
    for n, k, out in zip(extents, kernel, targets, strict=True):
        if out + k - 1 > n:
            raise ShapeError(
                f"{name} got an input of shape {tuple(input.shape)} with kernel_size={kernel} and "
                f"output_size={targets}",
                f"{out} windows of {k} elements at different places need an axis of "
                f"{out + k - 1}; use smaller windows or fewer of them",
            )
    wanted = (x.shape[1], count)
    if samples is None:
        dtype = x.dtype if x.dtype.is_floating_point else None
        samples = rand(*x.shape[:2], count, dtype=dtype)
    elif samples.dim() != 3 or samples.shape[0] < x.shape[0] or samples.shape[1:] != wanted:
        raise ShapeError(
            f"{name} got _random_samples of shape {tuple(samples.shape)}",
            f"they are (N, C, {count}), here {(x.shape[0], *wanted)}",
        )
    else:  # PyTorch takes those of a larger batch as well
        samples = samples.narrow(0, 0, x.shape[0])
    tag: Any = None
    result, scale = x, 1
    for i in reversed(range(count)):
        starts = _starts(
            samples.select(2, _SAMPLE_OF_AXIS[count][i]), extents[i], targets[i], kernel[i]
        )
        result, tag = _pooled_along(result, tag, i + 2, starts, kernel[i], scale)
        scale *= extents[i]
    if input.dim() == count + 1:
        result, tag = result.squeeze(0), tag.squeeze(0)
    return (result, tag) if return_indices else result


def _pooled_along(
    x: Any, tag: Any, axis: int, starts: Any, kernel: int, scale: int
) -> tuple[Any, Any]:
    """One axis pooled: maxima, and their positions in the flattened axes.

    ``starts`` (N, C, out) are the first positions of the windows, ``tag`` the positions so far.
    """
    shape = [starts.shape[2] if i == axis else n for i, n in enumerate(x.shape)]
    view = [n if i < 2 else starts.shape[2] if i == axis else 1 for i, n in enumerate(x.shape)]
    slices, tags = [], []
    for offset in range(kernel):
        place = (starts + offset).reshape(view).expand(*shape)
        slices.append(x.gather(axis, place))
        known = place * scale
        tags.append(known if tag is None else known + tag.gather(axis, place))
    return first_maximum(slices, tags, [None] * kernel)


@overload
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: Literal[False] = False,
    _random_samples: Tensor | None = None,
) -> Tensor: ...
@overload
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    *,
    return_indices: Literal[True],
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]: ...
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of each of ``output_size`` windows that stand at random distances.

    Instead of the size ``output_ratio`` in (0, 1) may be given: ⌊extent · ratio⌋ windows.
    Windows begin at ⌊(i + u) α⌋ − ⌊u α⌋, α = (extent − kernel) / (windows − 1), u one random
    number in [0, 1) for each channel and axis (``_random_samples`` (N, C, 2) gives them: width,
    height), the last at the end.  ``return_indices`` gives the positions of the maxima too, int64,
    in the flattened image.  Shapes: (N, C, H, W) or (C, H, W) → (…, H', W').
    Raises ``ArgumentError`` unless one of size and ratio is given, ``ShapeError`` where the
    windows do not fit.  (Graham, 2014.)
    """
    return _fractional_max_pool(
        2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )


@overload
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: Literal[False] = False,
    _random_samples: Tensor | None = None,
) -> Tensor: ...
@overload
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    *,
    return_indices: Literal[True],
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]: ...
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """:func:`fractional_max_pool2d` over volumes: (N, C, D, H, W) or (C, D, H, W).

    ``_random_samples`` are (N, C, 3): depth, height, width.
    """
    return _fractional_max_pool(
        3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )


fractional_max_pool2d_with_indices = with_indices(fractional_max_pool2d)
fractional_max_pool3d_with_indices = with_indices(fractional_max_pool3d)
