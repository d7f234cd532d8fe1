"""Convolutions and transposed convolutions as functions, with PyTorch's names and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.base.dtypes import float32, float64
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.base.shapes import Shape
from pellucid.nn.functional import integer_convolution
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.hints import AXES, channels_hint, layer_of, rank_hint, window_hint
from pellucid.ops.convolution import convolution, transposed_convolution
from pellucid.tensor.eager import convolutions, unit
from pellucid.tensor.general import General
from pellucid.tensor.general_convolution import (
    general_convolution,
    general_transposed_convolution,
)
from pellucid.tensor.promotion import narrow_product
from pellucid.tensor.tensor import Tensor

Sizes = int | Sequence[int]


def per_axis(name: str, what: str, value: Any, rank: int, least: int = 0) -> tuple[int, ...]:
    """One whole number for each of ``rank`` axes; a single one serves all."""
    values = (value,) * rank if hasattr(value, "__index__") else value
    wrong = isinstance(values, str) or not isinstance(values, Sequence)
    if not wrong and len(values) == 1:
        values = tuple(values) * rank
    if (
        wrong
        or len(values) != rank
        or any(isinstance(v, bool) or not hasattr(v, "__index__") or v < least for v in values)
    ):
        raise ArgumentError(
            f"{name} got {what}={value!r}",
            f"use a whole number of at least {least}, or {rank} of them",
        )
    return tuple(int(v) for v in values)


def same_padding(
    kernel: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Amounts before and after each axis that keep its extent at stride 1; odd ones end behind."""
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)


def padding_amounts(
    name: str,
    padding: Any,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padding as PyTorch writes it ("same", "valid", number or numbers) as (before, after)."""
    rank = len(kernel)
    if padding == "valid":
        return (0,) * rank, (0,) * rank
    if padding == "same":
        if max(stride) > 1:
            raise ArgumentError(
                f"{name} got padding='same' with stride {tuple(stride)}",
                "'same' means stride 1; give the padding as a number",
            )
        return same_padding(kernel, dilation)
    if isinstance(padding, str):
        raise ArgumentError(f"{name} got padding={padding!r}", 'use "same", "valid" or numbers')
    amounts = per_axis(name, "padding", padding, rank)
    return amounts, amounts


def _batched(name: str, input: Any, weight: Any, rank: int, channels: int) -> Any:
    """The input with a batch axis."""
    need_tensor(name, input)
    if len(weight.shape) != rank + 2:
        raise ShapeError(
            f"{name} got a weight of shape {tuple(weight.shape)}",
            f"it needs {rank + 2} axes: two of channels, then the kernel's ({AXES[rank]})",
        )
    if len(input.shape) not in (rank + 1, rank + 2):
        raise ShapeError(
            f"{name} got an input of shape {tuple(input.shape)}",
            rank_hint(tuple(input.shape), rank, channels),
        )
    return input.unsqueeze(0) if len(input.shape) == rank + 1 else input


def _need_same_dtype(name: str, input: Any, weight: Any) -> None:
    if input.dtype is weight.dtype:
        return
    wanted = weight.dtype.name
    hint = (
        f"convert it with .to(pellucid.{wanted}), or the layer with .to(pellucid."
        f"{input.dtype.name})"
    )
    if input.dtype.kind != "float":
        hint = f"convert it with .to(pellucid.{wanted}); then divide pixels by 255"
    raise DTypeError(
        f"{name} has {wanted} weights and got an input of {input.dtype.name}, shape "
        f"{tuple(input.shape)}",
        hint,
    )


def _finished(result: Any, input: Any, bias: Any, rank: int) -> Any:
    """The bias added; without a batch axis where the input had none."""
    if bias is not None:
        if result.dtype.kind == "int" and bias.dtype is not result.dtype:
            raise DTypeError(
                f"a convolution of {result.dtype.name} got a bias of {bias.dtype.name}: input type "
                "and bias type should be the same",
                f"convert it: bias.to({result.dtype.name})",
            )
        result = result + bias.reshape(-1, *(1,) * rank)
    return result.squeeze(0) if len(input.shape) == rank + 1 else result


def _check_channels(
    name: str, input: Any, channels: int, outputs: int, kernel: Sequence[int], groups: int
) -> None:
    shape, rank = input.shape, len(kernel)
    axis = len(shape) - rank - 1
    got = shape[axis]
    if got != channels:
        size = kernel[0] if len(set(kernel)) == 1 else tuple(kernel)
        more = f", groups={groups}" if groups > 1 and got % groups == 0 else ""
        layer = f"{layer_of(name)}({got}, {outputs}, {size}{more})"
        raise ShapeError(
            f"{name} expects {channels} channels on axis {axis} and got an input of shape {shape}",
            channels_hint(shape, channels, rank, layer),
        )


def _check_kernel(
    name: str,
    input: Any,
    kernel: Sequence[int],
    low: Sequence[int],
    high: Sequence[int],
    spread: Sequence[int],
) -> None:
    extents = tuple(input.shape[-len(kernel) :])
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, spread, strict=True))
    padded = tuple(n + a + b for n, a, b in zip(extents, low, high, strict=True))
    if any(n < r for n, r in zip(padded, reach, strict=True)):
        raise ShapeError(
            f"{name}: the kernel reaches over {reach} elements, the input of shape "
            f"{tuple(input.shape)} has {padded} with its padding",
            window_hint(extents, reach, padded),
        )


def _images(rank: int, input: Any, weight: Any, bias: Any, channels: int) -> Shape | None:
    """The input's shape with a batch axis, where a convolution may run without a kernel made for
    it; ``channels`` is the axis of the weight that counts those of the result."""
    shape, kernel, dtype = tuple(input.shape), tuple(weight.shape[2:]), input.dtype
    tensors = [t for t in (input, weight, bias) if t is not None]
    if len(kernel) != rank or dtype not in (float32, float64):
        return None
    if any(t.dtype is not dtype for t in tensors) or len(shape) not in (rank + 1, rank + 2):
        return None
    if bias is not None and tuple(bias.shape) != (channels,):
        return None
    return shape if len(shape) == rank + 2 else (1, *shape)


def _general(
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> General | None:
    """How :func:`_convolve` runs without a kernel made for these shapes, if it does."""
    shape = _images(rank, input, weight, bias, weight.shape[0] if weight.shape else 0)
    if shape is None:
        return None
    name = f"conv{rank}d"
    steps = per_axis(name, "stride", stride, rank, 1)
    spread = per_axis(name, "dilation", dilation, rank, 1)
    low, high = padding_amounts(name, padding, weight.shape[2:], steps, spread)
    return general_convolution(
        shape,
        input.dtype.numpy,
        tuple(weight.shape),
        stride=steps,
        low=low,
        high=high,
        dilation=spread,
        groups=per_axis(name, "groups", groups, 1, 1)[0],
        batched=len(input.shape) == rank + 2,
    )


def _general_transposed(
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> General | None:
    """How :func:`_convolve_transposed` runs without a kernel made for these shapes, if it does."""
    name = f"conv_transpose{rank}d"
    (parts,) = per_axis(name, "groups", groups, 1, 1)
    channels = weight.shape[1] * parts if len(weight.shape) > 1 else 0
    shape = _images(rank, input, weight, bias, channels)
    steps = per_axis(name, "stride", stride, rank, 1)
    spread = per_axis(name, "dilation", dilation, rank, 1)
    low = per_axis(name, "padding", padding, rank)
    extra = per_axis(name, "output_padding", output_padding, rank)
    wide = any(e >= max(s, d) for e, s, d in zip(extra, steps, spread, strict=True))
    if shape is None or wide or weight.shape[0] % parts:
        return None
    extents = transposed_extents(shape[2:], weight.shape[2:], steps, low, spread, extra)
    if min(extents) < 1:
        return None
    return general_transposed_convolution(
        shape,
        input.dtype.numpy,
        tuple(weight.shape),
        stride=steps,
        low=low,
        extents=extents,
        dilation=spread,
        groups=parts,
        batched=len(input.shape) == rank + 2,
    )


def transposed_extents(
    extents: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    output_padding: Sequence[int],
) -> tuple[int, ...]:
    """Spatial extents of the result of a transposed convolution."""
    return tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, d, e in zip(
            extents, kernel, stride, padding, dilation, output_padding, strict=True
        )
    )


@unit(convolutions(1 << 18), _general)
def _convolve(
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Any:
    name = f"conv{rank}d"
    (parts,) = per_axis(name, "groups", groups, 1, 1)
    channels = weight.shape[1] * parts if len(weight.shape) > 1 else 0
    x = _batched(name, input, weight, rank, channels)
    steps = per_axis(name, "stride", stride, rank, 1)
    spread = per_axis(name, "dilation", dilation, rank, 1)
    low, high = padding_amounts(name, padding, weight.shape[2:], steps, spread)
    _check_channels(name, input, channels, weight.shape[0], weight.shape[2:], parts)
    _need_same_dtype(name, input, weight)
    if input.dtype.kind == "int":
        _check_kernel(name, input, weight.shape[2:], low, high, spread)
        whole = integer_convolution.convolve(x, weight, steps, low, high, spread, parts)
        return _finished(whole, input, bias, rank)
    settings: dict[str, Any] = {"stride": steps, "dilation": spread, "groups": parts}
    try:
        result = convolution(x, weight, low=low, high=high, **settings)
    except ShapeError:
        _check_kernel(name, input, weight.shape[2:], low, high, spread)  # says more
        raise
    return _finished(result, input, bias, rank)


@unit(convolutions(1 << 18), _general_transposed)
def _convolve_transposed(
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Any:
    name = f"conv_transpose{rank}d"
    x = _batched(name, input, weight, rank, weight.shape[0] if weight.shape else 0)
    steps = per_axis(name, "stride", stride, rank, 1)
    spread = per_axis(name, "dilation", dilation, rank, 1)
    low = per_axis(name, "padding", padding, rank)
    extra = per_axis(name, "output_padding", output_padding, rank)
    (parts,) = per_axis(name, "groups", groups, 1, 1)
    kernel = weight.shape[2:]
    _check_channels(name, input, weight.shape[0], weight.shape[1] * parts, kernel, parts)
    _need_same_dtype(name, input, weight)
    if weight.shape[0] % parts:
        raise ArgumentError(
            f"{name} got groups={parts} and {weight.shape[0]} input channels",
            "the number of input channels must be a multiple of groups",
        )
    for e, s, d in zip(extra, steps, spread, strict=True):
        if e >= max(s, d):
            raise ArgumentError(
                f"{name} got output_padding={extra} with stride {steps} and dilation {spread}",
                "output_padding must be smaller than stride or dilation",
            )
    extents = transposed_extents(x.shape[2:], kernel, steps, low, spread, extra)
    if min(extents) < 1 or 0 in x.shape[2:]:
        raise ShapeError(
            f"{name} of an input of shape {tuple(input.shape)} would have spatial extents "
            f"{extents}",
            "an axis is empty: look at what made this input"
            if 0 in x.shape[2:]
            else f"use a larger input, or less padding than {low}",
        )
    if input.dtype.kind == "int":
        whole = integer_convolution.convolve_transposed(
            x, weight, steps, low, extents, spread, parts
        )
        return _finished(whole, input, bias, rank)
    result = transposed_convolution(
        x, weight, stride=steps, low=low, extents=extents, dilation=spread, groups=parts
    )
    return _finished(result, input, bias, rank)


@narrow_product
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: str | Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """y[n, o, p] = b[o] + Σ over c, k of x[n, c, s·p + d·k − padding] · w[o, c, k].

    Shapes: input (N, C, L) or (C, L), weight (O, C / groups, k), bias (O,) → (N, O, L′) with
    L′ = ⌊(L + 2·padding − d·(k − 1) − 1) / s⌋ + 1.  ``padding`` may be "same" (L′ = L, stride 1)
    or "valid" (0).  Raises ShapeError where channels or extents do not fit.
    """
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


@narrow_product
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: str | Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """:func:`conv1d` over height and width.

    Shapes: input (N, C, H, W) or (C, H, W), weight (O, C / groups, kh, kw), bias (O,) →
    (N, O, H′, W′).  ``stride``, ``padding`` and ``dilation`` are a number or (for H, for W).
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


@narrow_product
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: str | Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """:func:`conv1d` over depth, height and width.

    Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (O, C / groups, kd, kh, kw), bias (O,)
    → (N, O, D′, H′, W′).
    """
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)


@narrow_product
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """y[n, c, s·p + d·k − padding] += x[n, i, p] · w[i, c, k]: the gradient map of a convolution.

    Shapes: input (N, I, L) or (I, L), weight (I, C / groups, k), bias (C,) → (N, C, L′) with
    L′ = (L − 1)·s − 2·padding + d·(k − 1) + output_padding + 1.
    """
    return _convolve_transposed(
        1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@narrow_product
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """:func:`conv_transpose1d` over height and width: (N, I, H, W) → (N, C, H′, W′)."""
    return _convolve_transposed(
        2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@narrow_product
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """:func:`conv_transpose1d` over depth, height and width: (N, I, D, H, W) → (N, C, …)."""
    return _convolve_transposed(
        3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """:func:`conv1d` of a signal with its axes in the order time, batch, channels.

    Shapes: input (T, N, C), weight (k, C, O), bias (O,) → (T + 2·pad − k + 1, N, O).
    """
    need_tensor("conv_tbc", input)
    if len(input.shape) != 3 or len(weight.shape) != 3 or input.shape[2] != weight.shape[1]:
        raise ShapeError(
            f"conv_tbc got an input of shape {tuple(input.shape)} and a weight of shape "
            f"{tuple(weight.shape)}",
            "give an input (T, N, C) and a weight (k, C, O)",
        )
    result = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return result.permute(2, 0, 1)
