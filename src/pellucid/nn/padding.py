"""Layers that frame their input: by a number, or by its own elements.

The same in training and evaluation.  ``padding`` is one number for all sides, or (before, after)
of the last axis, then of the one before it, …; negative amounts take elements away.
Shapes: (N, C, *) or (C, *) → the same with longer last axes.
"""

from __future__ import annotations

from pellucid.nn.functional.convolution import Sizes
from pellucid.nn.functional.padding import pad
from pellucid.nn.functional.positions import numbers
from pellucid.nn.module import Module
from pellucid.tensor.tensor import Tensor


class _Padding(Module):
    count: int
    mode: str

    def __init__(self, padding: Sizes) -> None:
        super().__init__()
        self.padding = tuple(
            numbers(f"nn.{type(self).__name__}", "padding", padding, 2 * self.count)
        )

    def forward(self, input: Tensor) -> Tensor:
        """The framed input."""
        return pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """Amounts."""
        return f"{self.padding}"


class _ConstantPad(_Padding):
    mode = "constant"

    def __init__(self, padding: Sizes, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The framed input."""
        return pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Amounts and the number."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Sizes) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Amounts."""
        return f"{self.padding}"


class ConstantPad1d(_ConstantPad):
    """``value`` around the input: (…, L); one number or 2."""

    count = 1


class ConstantPad2d(_ConstantPad):
    """``value`` around the input: (…, H, W); one number or 4."""

    count = 2


class ConstantPad3d(_ConstantPad):
    """``value`` around the input: (…, D, H, W); one number or 6."""

    count = 3


class ZeroPad1d(_ZeroPad):
    """Zeros around the input: (…, L); one number or 2."""

    count = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the input: (…, H, W); one number or 4."""

    count = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around the input: (…, D, H, W); one number or 6."""

    count = 3


class ReflectionPad1d(_Padding):
    """The input mirrored at its borders, not repeated: (…, L); one number or 2."""

    count = 1
    mode = "reflect"


class ReflectionPad2d(_Padding):
    """The input mirrored at its borders, not repeated: (…, H, W); one number or 4."""

    count = 2
    mode = "reflect"


class ReflectionPad3d(_Padding):
    """The input mirrored at its borders, not repeated: (…, D, H, W); one number or 6."""

    count = 3
    mode = "reflect"


class ReplicationPad1d(_Padding):
    """The border elements repeated outwards: (…, L); one number or 2."""

    count = 1
    mode = "replicate"


class ReplicationPad2d(_Padding):
    """The border elements repeated outwards: (…, H, W); one number or 4."""

    count = 2
    mode = "replicate"


class ReplicationPad3d(_Padding):
    """The border elements repeated outwards: (…, D, H, W); one number or 6."""

    count = 3
    mode = "replicate"


class CircularPad1d(_Padding):
    """The input continued from its other side: (…, L); one number or 2."""

    count = 1
    mode = "circular"


class CircularPad2d(_Padding):
    """The input continued from its other side: (…, H, W); one number or 4."""

    count = 2
    mode = "circular"


class CircularPad3d(_Padding):
    """The input continued from its other side: (…, D, H, W); one number or 6."""

    count = 3
    mode = "circular"
