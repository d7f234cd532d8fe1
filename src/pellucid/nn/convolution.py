"""Convolution layers: the same small set of weights at every place of a signal or picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError
from pellucid.nn import init
from pellucid.nn.functional import convolution as functional
from pellucid.nn.functional.convolution import Sizes, padding_amounts, per_axis
from pellucid.nn.functional.padding import pad
from pellucid.nn.linear import check_sizes
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.creation import empty
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What all convolution layers share: settings, parameters, and how they are drawn."""

    rank = 0
    transposed = False

    def _prepare(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: str | Sizes,
        dilation: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
        dtype: Any,
        output_padding: Sizes = 0,
    ) -> None:
        name, rank = f"nn.{type(self).__name__}", self.rank
        check_sizes(name, in_channels=in_channels, out_channels=out_channels)
        (groups,) = per_axis(name, "groups", groups, 1, 1)
        for what, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ArgumentError(
                    f"{name} got {what}={channels} and groups={groups}",
                    f"{what} must be a multiple of groups",
                )
        if padding_mode not in PADDING_MODES or (self.transposed and padding_mode != "zeros"):
            known = ("zeros",) if self.transposed else PADDING_MODES
            raise ArgumentError(
                f"{name} got padding_mode={padding_mode!r}", f"use one of {', '.join(known)}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, rank, 1)
        self.stride = per_axis(name, "stride", stride, rank, 1)
        self.dilation = per_axis(name, "dilation", dilation, rank, 1)
        self.low, self.high = padding_amounts(
            name, padding, self.kernel_size, self.stride, self.dilation
        )
        self.padding = padding if isinstance(padding, str) else self.low
        self.output_padding = per_axis(name, "output_padding", output_padding, rank)
        self.groups = groups
        self.padding_mode = padding_mode
        first, second = (
            (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        )
        self.weight = Parameter(empty(first, second // groups, *self.kernel_size, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_channels, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias again: uniform in ±1/√(inputs of a neuron), as PyTorch."""
        fan_in = math.prod(self.weight.shape[1:])
        if fan_in and self.weight.numel():
            init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """Channels, and every setting that is not the default."""
        rank = self.rank
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        parts.append(f"stride={self.stride}")
        if self.padding != (0,) * rank:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * rank:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * rank:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Direct(_Convolution):
    """Conv1d, Conv2d and Conv3d differ in the number of axes alone."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: str | Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        self._prepare(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, spatial…) or (C, spatial…) → (N, O, out…) or (O, out…)."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            sides = reversed(list(zip(self.low, self.high, strict=True)))
            input = pad(input, [n for side in sides for n in side], self.padding_mode)
            padding = 0
        convolve: Callable[..., Tensor] = getattr(functional, f"conv{self.rank}d")
        return convolve(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


class Conv1d(_Direct):
    """y[n, o, p] = b[o] + Σ over c, k of x[n, c, s·p + d·k − padding] · w[o, c, k].

    Shapes: (N, C, L) or (C, L) → (N, O, L′), L′ = ⌊(L + 2·padding − d·(k − 1) − 1) / s⌋ + 1;
    ``weight`` (O, C / groups, k), ``bias`` (O,).  ``padding`` may be "same" or "valid";
    ``padding_mode`` says what stands there: zeros, reflect, replicate or circular.
    By default both parameters are uniform in ±1/√(C / groups · k).
    (LeCun et al., "Gradient-based learning applied to document recognition", 1998.)
    """

    rank = 1


class Conv2d(_Direct):
    """:class:`Conv1d` over pictures: the same kernel (kh, kw) at every place.

    Shapes: (N, C, H, W) or (C, H, W) → (N, O, H′, W′); ``weight`` (O, C / groups, kh, kw),
    ``bias`` (O,).  ``groups=in_channels`` is a depthwise convolution: a kernel for each channel.
    """

    rank = 2


class Conv3d(_Direct):
    """:class:`Conv1d` over volumes.

    Shapes: (N, C, D, H, W) or (C, D, H, W) → (N, O, D′, H′, W′); ``weight``
    (O, C / groups, kd, kh, kw), ``bias`` (O,).
    """

    rank = 3


class _Transposed(_Convolution):
    """ConvTranspose1d, 2d and 3d differ in the number of axes alone."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        self._prepare(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            dtype,
            output_padding,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """(N, C, spatial…) → (N, O, out…); ``output_size`` chooses among the possible extents."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._output_padding(input, tuple(output_size)[-self.rank :])
        convolve: Callable[..., Tensor] = getattr(functional, f"conv_transpose{self.rank}d")
        return convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )

    def _output_padding(self, input: Any, wanted: tuple[int, ...]) -> tuple[int, ...]:
        least = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                input.shape[-self.rank :],
                self.stride,
                self.low,
                self.dilation,
                self.kernel_size,
                strict=True,
            )
        )
        fits = len(wanted) == self.rank and all(
            m <= w < m + s for m, w, s in zip(least, wanted, self.stride, strict=True)
        )
        if not fits:
            most = tuple(m + s - 1 for m, s in zip(least, self.stride, strict=True))
            raise ArgumentError(
                f"nn.{type(self).__name__} got output_size={wanted} for an input of shape "
                f"{tuple(input.shape)}",
                f"ask for extents from {least} to {most}",
            )
        return tuple(w - m for w, m in zip(wanted, least, strict=True))


class ConvTranspose1d(_Transposed):
    """y[n, o, s·p + d·k − padding] += x[n, c, p] · w[c, o, k]: the transpose of a convolution.

    Shapes: (N, C, L) or (C, L) → (N, O, L′), L′ = (L − 1)·s − 2·padding + d·(k − 1) +
    output_padding + 1; ``weight`` (C, O / groups, k), ``bias`` (O,), by default uniform in
    ±1/√(O / groups · k).  (Zeiler et al., "Deconvolutional networks", 2010.)
    """

    rank = 1


class ConvTranspose2d(_Transposed):
    """:class:`ConvTranspose1d` over pictures: (N, C, H, W) → (N, O, H′, W′)."""

    rank = 2


class ConvTranspose3d(_Transposed):
    """:class:`ConvTranspose1d` over volumes: (N, C, D, H, W) → (N, O, D′, H′, W′)."""

    rank = 3
