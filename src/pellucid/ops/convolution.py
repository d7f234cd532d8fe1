"""Convolution over any number of spatial axes: the one primitive under all convolution layers.

Its two gradients are convolutions again (Goodfellow, Bengio, Courville, "Deep Learning", 2016,
chapter 9), so that derivatives of every order exist.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.base.shapes import Shape
from pellucid.graph.node import Sample, Spec
from pellucid.ops.registry import Value, apply, define, ramp, require_float, same_dtype
from pellucid.ops.rows import Rows, all_batched, moved
from pellucid.ops.structure import flip, pad, reshape, transpose


def convolved_extent(
    extent: int, kernel: int, stride: int, low: int, high: int, dilation: int
) -> int:
    """Positions of a kernel along an axis: ⌊(n + low + high − d·(k − 1) − 1) / s⌋ + 1."""
    return (extent + low + high - dilation * (kernel - 1) - 1) // stride + 1


def _check(x: Spec, w: Spec, groups: int, **settings: Shape) -> None:
    """Ranks, groups and settings of a convolution."""
    rank = len(x.shape) - 2
    if rank < 1 or len(w.shape) != rank + 2:
        raise ShapeError(
            f"convolution got an input of shape {x.shape} and a weight of shape {w.shape}",
            "the input is (batch, channels, spatial…), the weight (out, channels / groups, "
            "kernel…) with as many spatial axes",
        )
    for name, values in settings.items():
        least = 1 if name in ("stride", "dilation") else None
        if len(values) != rank or (least is not None and min(values) < least):
            raise ArgumentError(
                f"convolution got {name}={values} for {rank} spatial axes",
                f"give {rank} whole numbers" + (" of at least 1" if least else ""),
            )
    if groups < 1 or w.shape[0] % groups:
        raise ArgumentError(
            f"convolution got groups={groups} and {w.shape[0]} output channels",
            "the number of output channels must be a multiple of groups",
        )
    if x.shape[1] != w.shape[1] * groups:
        raise ShapeError(
            f"convolution got an input of shape {x.shape} with {x.shape[1]} channels; a weight of "
            f"shape {w.shape} with groups={groups} takes {w.shape[1] * groups}",
            f"make axis 1 of the input {w.shape[1] * groups} long, or change in_channels",
        )
    if min(w.shape[2:]) < 1:
        raise ShapeError(
            f"convolution got a weight of shape {w.shape}: its kernel is empty",
            "every extent of the kernel must be at least 1",
        )


def _infer(
    x: Spec, w: Spec, *, stride: Shape, low: Shape, high: Shape, dilation: Shape, groups: int
) -> Spec:
    dtype = same_dtype("convolution", x, w)
    require_float("convolution", x)
    _check(x, w, groups, stride=stride, low=low, high=high, dilation=dilation)
    out = tuple(
        convolved_extent(*axis)
        for axis in zip(x.shape[2:], w.shape[2:], stride, low, high, dilation, strict=True)
    )
    if min(out) < 1:
        reach = tuple(d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilation, strict=True))
        framed = tuple(n + a + b for n, a, b in zip(x.shape[2:], low, high, strict=True))
        raise ShapeError(
            f"convolution: the kernel reaches over {reach} elements, the input of shape {x.shape} "
            f"has {framed} with its padding",
            "use a larger input, more padding, or a smaller kernel or dilation",
        )
    return Spec((x.shape[0], w.shape[0], *out), dtype)


def framed(x: np.ndarray, low: Sequence[int], high: Sequence[int]) -> np.ndarray:
    """The array with zeros around its spatial axes; negative amounts crop."""
    amounts = list(zip(x.shape[2:], low, high, strict=True))
    result = np.zeros((*x.shape[:2], *(n + a + b for n, a, b in amounts)), x.dtype)
    kept = [(max(0, -a), max(0, -a, min(n, n + b))) for n, a, b in amounts]
    source = tuple(slice(first, last) for first, last in kept)
    if all(first < n for (first, _), n in zip(kept, x.shape[2:], strict=True)):
        place = tuple(slice(f + a, t + a) for (f, t), a in zip(kept, low, strict=True))
        everything = (slice(None), slice(None))
        result[everything + place] = x[everything + source]
    return result


def _evaluate(
    x: np.ndarray,
    w: np.ndarray,
    *,
    stride: Shape,
    low: Shape,
    high: Shape,
    dilation: Shape,
    groups: int,
) -> np.ndarray:
    """All windows as one matrix, times the weights."""
    rank = x.ndim - 2
    kernel = w.shape[2:]
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    spatial = tuple(range(2, x.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(framed(x, low, high), reach, spatial)
    steps = (*(slice(None, None, s) for s in stride), *(slice(None, None, d) for d in dilation))
    windows = windows[(slice(None), slice(None), *steps)]  # (N, C, out…, kernel…)
    batch, out = x.shape[0], windows.shape[2 : 2 + rank]
    channels, filters = w.shape[1], w.shape[0] // groups
    parts = windows.reshape(batch, groups, channels, *out, *kernel)
    axes = (1, 0, *range(3, 3 + rank), 2, *range(3 + rank, 3 + 2 * rank))
    depth = channels * math.prod(kernel)
    columns = parts.transpose(axes).reshape(groups, batch * math.prod(out), depth)
    product = columns @ w.reshape(groups, filters, depth).transpose(0, 2, 1)
    result = product.reshape(groups, batch, *out, filters)
    back = (1, 0, rank + 2, *range(2, rank + 2))  # (N, groups, filters, out…)
    return np.ascontiguousarray(result.transpose(back)).reshape(batch, w.shape[0], *out)


def _regrouped(w: Value, groups: int) -> Value:
    """(G·O, C, kernel…) → (G·C, O, kernel…), the kernel turned around."""
    filters, channels, *kernel = w.shape
    if groups == 1:
        moved = transpose(w, (1, 0, *range(2, len(w.shape))))
        return flip(moved, tuple(range(2, len(w.shape))))
    parts = reshape(w, (groups, filters // groups, channels, *kernel))
    swapped = transpose(parts, (0, 2, 1, *range(3, len(parts.shape))))
    turned = reshape(swapped, (groups * channels, filters // groups, *kernel))
    return flip(turned, tuple(range(2, len(turned.shape))))


def _exchanged(x: Value, groups: int) -> Value:
    """(N, G·C, spatial…) → (C, G·N, spatial…): batch and channels in each other's place."""
    batch, channels, *spatial = x.shape
    if groups == 1:
        return transpose(x, (1, 0, *range(2, len(x.shape))))
    parts = reshape(x, (batch, groups, channels // groups, *spatial))
    swapped = transpose(parts, (2, 1, 0, *range(3, len(parts.shape))))
    return reshape(swapped, (channels // groups, groups * batch, *spatial))


def transposed_convolution(
    x: Value,
    w: Value,
    *,
    stride: Shape,
    low: Shape,
    extents: Shape,
    dilation: Shape,
    groups: int,
) -> Value:
    """The map whose matrix is the transpose of a convolution's: its gradient for the input.

    x (N, O, out…), w (O, C / groups, kernel…) → (N, C, extents…): each element of x adds the
    kernel, times itself, to the places that the convolution with ``low`` had read it from.
    """
    rank = len(x.shape) - 2
    none = (0,) * (rank + 2)
    spread = pad(x, none, none, (0, 0, *(s - 1 for s in stride)))
    before = tuple(d * (k - 1) - a for k, d, a in zip(w.shape[2:], dilation, low, strict=True))
    after = tuple(
        n + d * (k - 1) - m - a
        for n, k, d, m, a in zip(
            extents, w.shape[2:], dilation, spread.shape[2:], before, strict=True
        )
    )
    ones = (1,) * rank
    return convolution(
        spread,
        _regrouped(w, groups),
        stride=ones,
        low=before,
        high=after,
        dilation=dilation,
        groups=groups,
    )


def _weight_gradient(
    g: Value, x: Value, kernel: Shape, stride: Shape, low: Shape, dilation: Shape, groups: int
) -> Value:
    """Σ over images and positions, as a convolution: batch and channels exchanged."""
    after = tuple(
        d * (k - 1) + s * (m - 1) + 1 - n - a
        for k, d, s, m, n, a in zip(
            kernel, dilation, stride, g.shape[2:], x.shape[2:], low, strict=True
        )
    )
    order = (1, 0, *range(2, len(g.shape)))
    result = convolution(
        _exchanged(x, groups),
        transpose(g, order),
        stride=dilation,
        low=low,
        high=after,
        dilation=stride,
        groups=groups,
    )
    return transpose(result, order)  # (C, O, kernel…) -> (O, C, kernel…)


def _gradient(
    g: Value,
    y: Value,
    x: Value,
    w: Value,
    *,
    stride: Shape,
    low: Shape,
    high: Shape,
    dilation: Shape,
    groups: int,
) -> tuple[Value, Value]:
    to_input = transposed_convolution(
        g,
        w,
        stride=stride,
        low=low,
        extents=tuple(x.shape[2:]),
        dilation=dilation,
        groups=groups,
    )
    to_weight = _weight_gradient(g, x, tuple(w.shape[2:]), stride, low, dilation, groups)
    return to_input, to_weight


def _samples() -> Iterable[Sample]:
    def case(
        x: Shape,
        w: Shape,
        stride: Shape = (1,),
        low: Shape = (0,),
        high: Shape | None = None,
        dilation: Shape = (1,),
        groups: int = 1,
    ) -> Sample:
        rank = len(x) - 2
        amounts = [v * rank if len(v) == 1 else v for v in (stride, low, high or low, dilation)]
        names = ("stride", "low", "high", "dilation")
        return Sample(
            (ramp(*x), ramp(*w)), {**dict(zip(names, amounts, strict=True)), "groups": groups}
        )

    yield case((2, 3, 6), (4, 3, 3), low=(1,))
    yield case((2, 2, 5, 4), (3, 2, 3, 2), low=(1, 0), high=(0, 1))
    yield case((1, 4, 7, 6), (6, 2, 3, 3), stride=(2, 3), low=(1,), dilation=(2, 1), groups=2)
    yield case((2, 3, 5, 5), (3, 1, 3, 3), low=(1,), groups=3)
    yield case((1, 2, 5, 6), (2, 2, 1, 1), stride=(3, 2))
    yield case((1, 2, 7), (2, 2, 2), low=(-1,), high=(-2,))
    yield case((1, 1, 3, 4, 3), (2, 1, 2, 2, 2), low=(0, 1, 0), high=(1, 0, 0))
    yield case((0, 2, 4), (3, 2, 2))
    yield case((2, 0, 4), (3, 0, 2))


def _batch(
    inputs: Sequence[Value],
    batched: Sequence[bool],
    rows: Rows,
    *,
    groups: int,
    **params: Shape,
) -> Value:
    """Rows of inputs are more images; rows of kernels are more output channels of each group, or,
    where both differ, more groups."""
    x, w = inputs
    count = rows.count
    if not batched[1]:
        y = convolution(reshape(x, (count * x.shape[1], *x.shape[2:])), w, groups=groups, **params)
        return reshape(y, (count, x.shape[1], *y.shape[1:]))
    if not batched[0]:
        parts = reshape(w, (count, groups, w.shape[1] // groups, *w.shape[2:]))
        parts = moved(parts, 0, 1)
        y = convolution(
            x, reshape(parts, (count * w.shape[1], *w.shape[2:])), groups=groups, **params
        )
        y = reshape(y, (y.shape[0], groups, count, w.shape[1] // groups, *y.shape[2:]))
        y = moved(y, 2, 0)
        return reshape(y, (count, y.shape[1], w.shape[1], *y.shape[4:]))
    x, w = all_batched(inputs, batched, rows)
    images = moved(x, 0, 1)
    images = reshape(images, (x.shape[1], count * x.shape[2], *x.shape[3:]))
    kernels = reshape(w, (count * w.shape[1], *w.shape[2:]))
    y = convolution(images, kernels, groups=groups * count, **params)
    return moved(reshape(y, (y.shape[0], count, w.shape[1], *y.shape[2:])), 1, 0)


CONVOLUTION = define(
    "convolution",
    "contraction",
    "y[n, o, p] = sum over c and k of x[n, c, s * p + d * k - low] * w[o, c, k], x zero outside",
    infer=_infer,
    evaluate=_evaluate,
    gradient=_gradient,
    samples=_samples,
    reason="its speed depends on tiling that no composition of loops expresses",
    tangent="multilinear",
    batch=_batch,
)


def convolution(
    x: Value,
    w: Value,
    *,
    stride: Shape,
    low: Shape,
    high: Shape,
    dilation: Shape,
    groups: int,
) -> Value:
    """Cross-correlation of x with the kernels w, as all of deep learning calls "convolution".

    y[n, o, p] = Σ over c, k of x[n, c, s·p + d·k − low] · w[o, c, k], where x counts as 0 outside.

    Shapes: x (N, C, spatial…), w (O, C / groups, kernel…) → (N, O, out…) with
    out = ⌊(n + low + high − d·(k − 1) − 1) / s⌋ + 1.  Amounts of padding may be negative: they
    crop.  Output channels are cut into ``groups`` equal parts, each of which sees its own part
    of the input channels.
    """
    return apply(
        CONVOLUTION, x, w, stride=stride, low=low, high=high, dilation=dilation, groups=groups
    )
