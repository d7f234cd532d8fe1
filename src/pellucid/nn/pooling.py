"""Pooling layers: windows of a signal, image or volume reduced to one number each.

The same in training and evaluation; formulas, gradients and errors in ``nn.functional``.
Shapes: (N, C, *) or (C, *) → the same with shorter last axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pellucid.nn import functional as F  # noqa: N812  (the customary name)
from pellucid.nn.functional.convolution import Sizes
from pellucid.nn.functional.fractional_pooling import check_choice, check_ratios
from pellucid.nn.module import Module
from pellucid.tensor.tensor import Tensor


def _tuple(value: Any, count: int) -> Any:
    return value if not hasattr(value, "__index__") else (value,) * count


class _Pool(Module):
    """What all poolings share: the function ``kind`` over ``count`` axes, and their printing."""

    count: int
    kind: str
    shown: tuple[str, ...]

    def _pooled(self, *arguments: Any) -> Tensor:
        pool: Callable[..., Tensor] = getattr(F, f"{self.kind}{self.count}d")
        return pool(*arguments)

    def extra_repr(self) -> str:
        """Sizes and settings."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.shown)


class _MaxPool(_Pool):
    kind = "max_pool"
    shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """The maxima, or (maxima, positions) with ``return_indices``."""
        return self._pooled(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool1d(_MaxPool):
    """The largest element of each window: (N, C, L) or (C, L) → (…, L').

    L' = ⌊(L + 2 padding − dilation (kernel_size − 1) − 1) / stride⌋ + 1, rounded up with
    ``ceil_mode``; ``stride`` is ``kernel_size`` by default, ``padding`` 0 (of −∞).  The gradient
    goes to the first of equal maxima.  ``return_indices`` gives positions for MaxUnpool1d.
    """

    count = 1


class MaxPool2d(_MaxPool):
    """:class:`MaxPool1d` for images: (N, C, H, W) or (C, H, W) → (…, H', W')."""

    count = 2


class MaxPool3d(_MaxPool):
    """:class:`MaxPool1d` for volumes: (N, C, D, H, W) or (C, D, H, W) → (…, D', H', W')."""

    count = 3


class _MaxUnpool(_Pool):
    kind = "max_unpool"
    shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        self.kernel_size = _tuple(kernel_size, self.count)
        self.stride = _tuple(kernel_size if stride is None else stride, self.count)
        self.padding = _tuple(padding, self.count)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sizes | None = None) -> Tensor:
        """The maxima at their positions, 0 elsewhere."""
        return self._pooled(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool1d(_MaxUnpool):
    """Puts the results of MaxPool1d back where they came from: (N, C, L') → (N, C, L).

    L = (L' − 1) stride − 2 padding + kernel_size, or ``output_size`` in the call.
    """

    count = 1


class MaxUnpool2d(_MaxUnpool):
    """:class:`MaxUnpool1d` for images: (N, C, H', W') → (N, C, H, W)."""

    count = 2


class MaxUnpool3d(_MaxUnpool):
    """:class:`MaxUnpool1d` for volumes: (N, C, D', H', W') → (N, C, D, H, W)."""

    count = 3


class AvgPool1d(_Pool):
    """The mean of each window: (N, C, L) or (C, L) → (…, L').

    L' = ⌊(L + 2 padding − kernel_size) / stride⌋ + 1, rounded up with ``ceil_mode``; ``stride``
    is ``kernel_size`` by default.  Padding counts as 0 unless ``count_include_pad=False``.
    """

    count = 1
    kind = "avg_pool"
    shown = ("kernel_size", "stride", "padding")

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _tuple(kernel_size, 1)
        self.stride = _tuple(kernel_size if stride is None else stride, 1)
        self.padding = _tuple(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return self._pooled(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )


class _AvgPool(_Pool):
    kind = "avg_pool"
    shown = ("kernel_size", "stride", "padding")

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return self._pooled(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool2d(_AvgPool):
    """:class:`AvgPool1d` for images; ``divisor_override`` is divided by instead of the size."""

    count = 2


class AvgPool3d(_AvgPool):
    """:class:`AvgPool1d` for volumes; ``divisor_override`` is divided by instead of the size."""

    count = 3


class _LPPool(_Pool):
    kind = "lp_pool"
    shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(
        self,
        norm_type: float,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """The norms."""
        return self._pooled(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool1d(_LPPool):
    """(Σ x^p)^(1/p) of each window, p = ``norm_type``: (N, C, L) or (C, L) → (…, L')."""

    count = 1


class LPPool2d(_LPPool):
    """:class:`LPPool1d` for images: (N, C, H, W) or (C, H, W) → (…, H', W')."""

    count = 2


class LPPool3d(_LPPool):
    """:class:`LPPool1d` for volumes: (N, C, D, H, W) or (C, D, H, W) → (…, D', H', W')."""

    count = 3


class _AdaptiveAvgPool(_Pool):
    kind = "adaptive_avg_pool"
    shown = ("output_size",)

    def __init__(self, output_size: Sizes) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return self._pooled(input, self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means of ``output_size`` windows that cover the axis: (…, L) → (…, output_size).

    Window i is [⌊i L / L'⌋, ⌈(i + 1) L / L'⌉), so any input size gives the same output size.
    """

    count = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """:class:`AdaptiveAvgPool1d` for images; ``output_size`` one or two numbers, None keeps."""

    count = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """:class:`AdaptiveAvgPool1d` for volumes; ``output_size`` one or three numbers, None keeps."""

    count = 3


class _AdaptiveMaxPool(_Pool):
    kind = "adaptive_max_pool"
    shown = ("output_size",)

    def __init__(self, output_size: Sizes, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor:
        """The maxima, or (maxima, positions) with ``return_indices``."""
        return self._pooled(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Maxima of ``output_size`` windows that cover the axis: (…, L) → (…, output_size)."""

    count = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """:class:`AdaptiveMaxPool1d` for images; ``output_size`` one or two numbers, None keeps."""

    count = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """:class:`AdaptiveMaxPool1d` for volumes; ``output_size`` one or three numbers, None keeps."""

    count = 3


class _FractionalMaxPool(_Pool):
    kind = "fractional_max_pool"
    shown = ("kernel_size", "output_size", "output_ratio")

    def __init__(
        self,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = f"nn.{type(self).__name__}"
        check_choice(name, output_size, output_ratio)
        self.kernel_size = _tuple(kernel_size, self.count)
        self.output_size = _tuple(output_size, self.count)
        self.output_ratio = (
            None if output_ratio is None else tuple(check_ratios(name, output_ratio, self.count))
        )
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Tensor:
        """The maxima, or (maxima, positions) with ``return_indices``."""
        return self._pooled(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest elements of ``output_size`` windows at random distances, drawn in every call.

    Shapes: (N, C, H, W) or (C, H, W) → (…, H', W'), with ``output_size`` one or two numbers, or
    ``output_ratio`` in (0, 1) of the input's extents.  ``_random_samples`` (N, C, 2) fixes the
    places.  Random in evaluation too, as in PyTorch.  (Graham, 2014.)
    """

    count = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """:class:`FractionalMaxPool2d` for volumes: (N, C, D, H, W) or (C, D, H, W)."""

    count = 3
