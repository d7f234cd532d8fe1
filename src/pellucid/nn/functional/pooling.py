"""Pooling: windows of an image reduced to one number each.

A window of several axes is reduced axis by axis, each time as a chain over strided slices of the
whole tensor, so that k₁ + k₂ instead of k₁ · k₂ elements are visited for each result and
everything fuses.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec, overload

import numpy as np

from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.nn.functional.checks import check_values, need_tensor
from pellucid.nn.functional.convolution import Sizes
from pellucid.nn.functional.hints import window_hint
from pellucid.nn.functional.positions import need_channels, need_rank, numbers, select
from pellucid.ops import structure
from pellucid.ops.pooling import window_max
from pellucid.tensor.core import lift
from pellucid.tensor.eager import rows, unit
from pellucid.tensor.functions import where
from pellucid.tensor.out import takes_out
from pellucid.tensor.shaping import cat
from pellucid.tensor.signatures import present_as
from pellucid.tensor.tensor import Tensor

MOST_IN_TILE = 16
"""Windows of more elements are reduced axis by axis."""


class Windows:
    """Where the windows of a pooling lie on each of the pooled axes."""

    def __init__(
        self,
        name: str,
        input: Tensor,
        count: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
    ) -> None:
        need_tensor(name, input)
        need_rank(name, input, count)
        need_channels(name, input, count)
        self.kernel = numbers(name, "kernel_size", kernel_size, count, 1)
        given = stride is not None and (hasattr(stride, "__index__") or len(stride) > 0)
        self.stride = numbers(name, "stride", stride, count, 1) if given else list(self.kernel)
        self.padding = numbers(name, "padding", padding, count, 0)
        self.dilation = numbers(name, "dilation", dilation, count, 1)
        self.axes = list(range(input.dim() - count, input.dim()))
        self.extent = [input.shape[a] for a in self.axes]
        self.out = []
        for n, k, s, p, d in zip(
            self.extent, self.kernel, self.stride, self.padding, self.dilation, strict=True
        ):
            reach = d * (k - 1) + 1
            if p > reach // 2:
                raise ArgumentError(
                    f"{name} got padding={p} for windows that reach over {reach} elements",
                    "pad by at most half a window, or use pad() before",
                )
            size = (n + 2 * p - reach + (s - 1 if ceil_mode else 0)) // s + 1
            if ceil_mode and (size - 1) * s >= n + p:
                size -= 1  # the last window would lie in the padding alone
            if size < 1:
                raise ShapeError(
                    f"{name} got an input of shape {tuple(input.shape)}: a window of {reach} "
                    f"does not fit on an axis of {n} padded by {p}",
                    window_hint((n,), (reach,), (n + 2 * p,)),
                )
            self.out.append(size)

    def are_tiles(self) -> bool:
        """Whether small windows cover the axes, side by side and without padding."""
        return (
            self.kernel == self.stride
            and not any(self.padding)
            and all(d == 1 or k == 1 for d, k in zip(self.dilation, self.kernel, strict=True))
            and all(n % k == 0 for n, k in zip(self.extent, self.kernel, strict=True))
            and math.prod(self.kernel) <= MOST_IN_TILE
        )

    def as_tiles(self, x: Tensor) -> tuple[Any, tuple[int, ...]]:
        """``x`` with each pooled axis as (windows, place in the window), and the latter axes."""
        lead = x.shape[: self.axes[0]]
        pairs = [(n // k, k) for n, k in zip(self.extent, self.kernel, strict=True)]
        split = x.reshape(*lead, *(extent for pair in pairs for extent in pair))
        return split, tuple(len(lead) + 2 * i + 1 for i in range(len(pairs)))

    def places(self, i: int, offset: int) -> np.ndarray:
        """Unpadded positions along pooled axis ``i`` of the element ``offset`` of all windows."""
        return np.arange(self.out[i]) * self.stride[i] + offset * self.dilation[i] - self.padding[i]

    def framed(self, x: Tensor, i: int, fill: Any) -> Tensor:
        """``x`` with ``fill`` along pooled axis ``i`` wherever windows reach over its ends."""
        reach = int(self.places(i, self.kernel[i] - 1)[-1]) + 1
        low, high = [0] * x.dim(), [0] * x.dim()
        low[self.axes[i]] = self.padding[i]
        high[self.axes[i]] = max(0, reach - self.extent[i])
        return structure.pad(x, low, high, fill=fill)


# ---- maximum --------------------------------------------------------------------------------


def _lowest(x: Any) -> Any:
    return -math.inf if x.dtype.is_floating_point else int(np.iinfo(x.dtype.numpy).min)


def _along(shape_rank: int, axis: int, values: np.ndarray) -> Any:
    """A constant that varies along one axis only."""
    return lift(values.reshape([-1 if i == axis else 1 for i in range(shape_rank)]))


def first_maximum(
    slices: Sequence[Any], tags: Sequence[Any] | None, fresh: Sequence[Any]
) -> tuple[Any, Any]:
    """The largest of several tensors, element by element, and the tag of where it came from.

    A later one wins only if it is larger (or NaN), so value and gradient belong to the first
    maximum, PyTorch's rule; ``fresh`` masks elements before which there was only padding.
    """
    best, tag = slices[0], None if tags is None else tags[0]
    for k in range(1, len(slices)):
        wins = slices[k] > best
        if best.dtype.is_floating_point:
            wins = wins.logical_or(slices[k].ne(slices[k]))
        if fresh[k] is not None:
            wins = wins.logical_or(fresh[k])
        if tag is not None and tags is not None:
            tag = where(wins, tags[k], tag)
        best = where(wins, slices[k], best)
    return best, tag


def _max_along(x: Any, tags: _Tags, windows: Windows, i: int) -> Any:
    """One axis of max pooling."""
    axis, extent = windows.axes[i], windows.extent[i]
    framed = windows.framed(x, i, _lowest(x))
    places = [windows.places(i, k) for k in range(windows.kernel[i])]
    slices = [select(framed, axis, p + windows.padding[i]) for p in places]
    seen = np.zeros(windows.out[i], bool)
    fresh: list[Any] = []
    for p in places:
        inside = (p >= 0) & (p < extent)
        first = inside & ~seen
        fresh.append(_along(x.dim(), axis, first) if fresh and first.any() else None)
        seen |= inside
    result, tag = first_maximum(slices, tags.of(x, axis, places), fresh)
    tags.keep(tag, result.shape, extent)
    return result


class _Tags:
    """Positions, in the flattened pooled axes, of the elements that won so far."""

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self.index: Any = None
        self.scale = 1

    def of(self, x: Tensor, axis: int, places: Sequence[np.ndarray]) -> list[Any] | None:
        """The positions of the slices at ``places`` along an axis."""
        if not self.wanted:
            return None
        found = []
        for place in places:
            tag = _along(x.dim(), axis, place * self.scale)
            if self.index is not None:
                tag = tag + select(self.index, axis, place.clip(0, x.shape[axis] - 1))
            found.append(tag)
        return found

    def keep(self, tag: Any, shape: Sequence[int], extent: int) -> None:
        """The winners along an axis of ``extent`` are chosen; the next axis is the one before."""
        if self.wanted:
            self.index = tag.expand(*shape)
        self.scale *= extent


@unit(rows(1 << 14))
def _max_pool(
    count: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    name = f"max_pool{count}d"
    windows = Windows(name, input, count, kernel_size, stride, padding, dilation, ceil_mode)
    if not return_indices and windows.are_tiles() and input.dtype.is_floating_point:
        return window_max(*windows.as_tiles(input))
    if input.dtype.kind == "bool":
        raise DTypeError(f"max_pool{count}d got bool values", "convert them with .float()")
    tags, result = _Tags(return_indices), input
    for i in reversed(range(count)):
        result = _max_along(result, tags, windows, i)
    return (result, tags.index) if return_indices else result


@overload
def max_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def max_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def max_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of each window along the last axis.

    ``stride`` is ``kernel_size`` by default; ``padding`` adds −∞ on both sides; ``dilation`` is
    the distance of a window's elements; ``ceil_mode`` keeps a last window that is cut off.
    ``return_indices`` gives the positions of the maxima too, int64, counted in the flattened
    axes.  The gradient goes to the first of equal maxima.
    Shapes: (N, C, L) or (C, L) → L' = ⌊(L + 2 padding − dilation (k − 1) − 1) / stride⌋ + 1.
    Raises ``ShapeError`` where no window fits.
    """
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@overload
def max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """:func:`max_pool1d` over the last two axes: (N, C, H, W) or (C, H, W) → (…, H', W')."""
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@overload
def max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """:func:`max_pool1d` over the last three axes: (N, C, D, H, W) or (C, D, H, W)."""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _max_unpool(
    count: int,
    input: Any,
    indices: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    output_size: Any,
) -> Any:
    name = f"max_unpool{count}d"
    need_tensor(name, input)
    need_rank(name, input, count)
    need_tensor(f"{name}'s indices", indices)
    if indices.dtype.name != "int64":
        raise DTypeError(f"{name} got indices of {indices.dtype.name}", "they are int64")
    if tuple(indices.shape) != tuple(input.shape):
        raise ShapeError(
            f"{name} got an input of shape {tuple(input.shape)} and indices of shape "
            f"{tuple(indices.shape)}",
            f"both come from one nn.MaxPool{count}d(…, return_indices=True): "
            "values, indices = pool(x)",
        )
    kernel = numbers(name, "kernel_size", kernel_size, count, 1)
    steps = numbers(name, "stride", kernel if stride is None else stride, count, 1)
    frame = numbers(name, "padding", padding, count, 0)
    lead = tuple(input.shape[: input.dim() - count])
    usual = [
        (n - 1) * s - 2 * p + k
        for n, s, p, k in zip(input.shape[len(lead) :], steps, frame, kernel, strict=True)
    ]
    size = usual if output_size is None else [int(n) for n in output_size][-count:]
    if any(not u - s < n < u + s for n, u, s in zip(size, usual, steps, strict=True)):
        raise ShapeError(
            f"{name} got output_size={list(output_size)}",
            f"each extent must be within one stride of {usual}",
        )
    _check_places(name, indices, size)
    empty = input.new_zeros(*lead, math.prod(size))
    flat = empty.scatter(-1, indices.reshape(*lead, -1), input.reshape(*lead, -1))
    return flat.reshape(*lead, *size)


def _check_places(name: str, indices: Any, size: list[int]) -> None:

    def check(places: np.ndarray) -> None:
        low, high = int(places.min()), int(places.max())
        if low < 0 or high >= math.prod(size):
            raise ArgumentError(
                f"{name} got the index {low if low < 0 else high} for an output of {size}",
                f"indices are 0 to {math.prod(size) - 1}: pass output_size=x.shape, the shape "
                "before the pooling",
            )

    check_values(check, indices)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Tensor:
    """The maxima put back at the positions max pooling gave, 0 elsewhere.

    ``output_size`` resolves which of several input sizes it was; by default
    (L − 1) stride − 2 padding + kernel_size.  Shapes: (N, C, L) or (C, L), indices the same.
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Tensor:
    """:func:`max_unpool1d` for images: (N, C, H, W) or (C, H, W)."""
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Tensor:
    """:func:`max_unpool1d` for volumes: (N, C, D, H, W) or (C, D, H, W)."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)


# ---- averages -------------------------------------------------------------------------------


def _sum_along(x: Any, windows: Windows, i: int) -> Any:
    axis, frame = windows.axes[i], windows.padding[i]
    if windows.out[i] == 1 and frame == 0 and windows.kernel[i] == windows.extent[i]:
        return x.sum(axis, keepdim=True)
    framed = windows.framed(x, i, 0.0)
    total = None
    for k in range(windows.kernel[i]):
        part = select(framed, axis, windows.places(i, k) + frame)
        total = part if total is None else total + part
    return total


def _counts(windows: Windows, i: int, include: bool) -> np.ndarray:
    """Number of elements each window counts along pooled axis ``i``."""
    start = windows.places(i, 0)
    low = -windows.padding[i] if include else 0
    high = windows.extent[i] + (windows.padding[i] if include else 0)
    stop = start + windows.kernel[i]
    return np.minimum(stop, high) - np.maximum(start, low)


@unit(rows(1 << 14))
def _avg_pool(
    count: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    kind: str = "avg_pool",
) -> Any:
    name = f"{kind}{count}d"
    windows = Windows(name, input, count, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override == 0:
        raise ArgumentError(f"{name} got divisor_override=0", "divide by another number")
    total = input
    for i in reversed(range(count)):
        total = _sum_along(total, windows, i)
    if divisor_override is not None:
        return total / divisor_override
    parts = [_counts(windows, i, count_include_pad) for i in range(count)]
    if all((p == p[0]).all() for p in parts):
        return total / math.prod(int(p[0]) for p in parts)
    sizes = np.ones((), np.int64)
    for part in parts:
        sizes = np.multiply.outer(sizes, part)
    return total / lift(sizes.astype(input.dtype.numpy))


def avg_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window along the last axis; padding counts as 0 unless told otherwise.

    ``stride`` is ``kernel_size`` by default; ``count_include_pad=False`` divides by the number of
    real elements; ``ceil_mode`` keeps a last window that is cut off.
    Shapes: (N, C, L) or (C, L) → L' = ⌊(L + 2 padding − k) / stride⌋ + 1.
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@takes_out
def avg_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`avg_pool1d` over (H, W); ``divisor_override`` is divided by instead of the size."""
    return _avg_pool(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@takes_out
def avg_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`avg_pool2d` over (D, H, W)."""
    return _avg_pool(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@unit(rows(1 << 14))
def _lp_pool(
    count: int, input: Any, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Any:
    kernel = numbers(f"lp_pool{count}d", "kernel_size", kernel_size, count, 1)
    powers = input**norm_type
    mean = _avg_pool(count, powers, kernel, stride, 0, ceil_mode, True, None, "lp_pool")
    return (mean.sign() * mean.abs().relu() * math.prod(kernel)).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(Σ x^p)^(1/p) of each window along the last axis: (N, C, L) or (C, L)."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(Σ x^p)^(1/p) of each window of (H, W): (N, C, H, W) or (C, H, W)."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(Σ x^p)^(1/p) of each window of (D, H, W): (N, C, D, H, W) or (C, D, H, W)."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


# ---- a given number of windows --------------------------------------------------------------


def _targets(name: str, input: Any, count: int, output_size: Any) -> list[int]:
    """Extents of the result; None keeps the input's."""
    need_tensor(name, input)
    need_rank(name, input, count)
    single = output_size is None or hasattr(output_size, "__index__")
    listed = [output_size] * count if single else list(output_size)
    own = input.shape[input.dim() - count :]
    if len(listed) == count:
        listed = [n if o is None else o for n, o in zip(own, listed, strict=True)]
    found = numbers(name, "output_size", listed, count, 0)
    if 0 in own:
        raise ShapeError(
            f"{name} got an input of shape {tuple(input.shape)}",
            "the pooled axes must not be empty: look at what made this input",
        )
    return found


def _bins(extent: int, count: int) -> list[tuple[int, int]]:
    """[start, stop) of ``count`` windows that cover an axis, overlapping where needed."""
    return [(i * extent // count, -(-(i + 1) * extent // count)) for i in range(count)]


@unit(rows(1 << 14))
def _adaptive_avg(count: int, input: Any, output_size: Any) -> Any:
    targets = _targets(f"adaptive_avg_pool{count}d", input, count, output_size)
    x = input
    for axis, out in zip(range(x.dim() - 1, x.dim() - 1 - count, -1), targets[::-1], strict=True):
        extent = x.shape[axis]
        if out == extent:
            continue
        if out and extent % out == 0:
            split = x.reshape(*x.shape[:axis], out, extent // out, *x.shape[axis + 1 :])
            x = split.mean(axis + 1)
        else:
            means = [
                x.narrow(axis, a, b - a).mean(axis, keepdim=True) for a, b in _bins(extent, out)
            ]
            x = cat(means, axis) if means else x.narrow(axis, 0, 0)
    return x


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """Means of ``output_size`` windows that cover the last axis.

    Window i is [⌊i L / L'⌋, ⌈(i + 1) L / L'⌉).  Shapes: (N, C, L) or (C, L) → (…, L').
    """
    return _adaptive_avg(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """:func:`adaptive_avg_pool1d` over (H, W); None in ``output_size`` keeps an extent."""
    return _adaptive_avg(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Sizes) -> Tensor:
    """:func:`adaptive_avg_pool1d` over (D, H, W); None in ``output_size`` keeps an extent."""
    return _adaptive_avg(3, input, output_size)


@unit(rows(1 << 14))
def _adaptive_max(count: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    targets = _targets(f"adaptive_max_pool{count}d", input, count, output_size)
    tags, x = _Tags(return_indices), input
    for axis, out in zip(range(x.dim() - 1, x.dim() - 1 - count, -1), targets[::-1], strict=True):
        extent, bins = x.shape[axis], _bins(x.shape[axis], out)
        longest = max((b - a for a, b in bins), default=1)
        # A short window repeats its last element, which changes neither maximum nor place.
        places = [np.array([min(a + k, b - 1) for a, b in bins], np.int64) for k in range(longest)]
        slices = [select(x, axis, p) for p in places]
        x, tag = first_maximum(slices, tags.of(x, axis, places), [None] * longest)
        tags.keep(tag, x.shape, extent)
    return (x, tags.index) if return_indices else x


@overload
def adaptive_max_pool1d(
    input: Tensor, output_size: Sizes, return_indices: Literal[False] = False
) -> Tensor: ...
@overload
def adaptive_max_pool1d(
    input: Tensor, output_size: Sizes, *, return_indices: Literal[True]
) -> tuple[Tensor, Tensor]: ...
def adaptive_max_pool1d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Maxima of ``output_size`` windows that cover the last axis: (…, L) → (…, L').

    Window i is [⌊i L / L'⌋, ⌈(i + 1) L / L'⌉); ``return_indices`` as in :func:`max_pool1d`.
    """
    return _adaptive_max(1, input, output_size, return_indices)


@overload
def adaptive_max_pool2d(
    input: Tensor, output_size: Sizes, return_indices: Literal[False] = False
) -> Tensor: ...
@overload
def adaptive_max_pool2d(
    input: Tensor, output_size: Sizes, *, return_indices: Literal[True]
) -> tuple[Tensor, Tensor]: ...
def adaptive_max_pool2d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """:func:`adaptive_max_pool1d` over (H, W); None in ``output_size`` keeps an extent."""
    return _adaptive_max(2, input, output_size, return_indices)


@overload
def adaptive_max_pool3d(
    input: Tensor, output_size: Sizes, return_indices: Literal[False] = False
) -> Tensor: ...
@overload
def adaptive_max_pool3d(
    input: Tensor, output_size: Sizes, *, return_indices: Literal[True]
) -> tuple[Tensor, Tensor]: ...
def adaptive_max_pool3d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """:func:`adaptive_max_pool1d` over (D, H, W); None in ``output_size`` keeps an extent."""
    return _adaptive_max(3, input, output_size, return_indices)


PAIR = "tuple[Tensor, Tensor]"
Taken = ParamSpec("Taken")


def with_indices(pool: Callable[Taken, object]) -> Callable[Taken, tuple[Tensor, Tensor]]:
    """The pooling with ``return_indices=True``."""

    def function(*args: Taken.args, **kwargs: Taken.kwargs) -> Any:
        kwargs["return_indices"] = True
        return pool(*args, **kwargs)

    name = getattr(pool, "__name__", "")
    function.__name__ = function.__qualname__ = f"{name}_with_indices"
    function.__doc__ = f"``{name}`` with ``return_indices=True``: (values, positions)."
    present_as(function, pool, inspect.signature(pool).replace(return_annotation=PAIR))
    return function


max_pool1d_with_indices = with_indices(max_pool1d)
max_pool2d_with_indices = with_indices(max_pool2d)
max_pool3d_with_indices = with_indices(max_pool3d)
adaptive_max_pool1d_with_indices = with_indices(adaptive_max_pool1d)
adaptive_max_pool2d_with_indices = with_indices(adaptive_max_pool2d)
adaptive_max_pool3d_with_indices = with_indices(adaptive_max_pool3d)
