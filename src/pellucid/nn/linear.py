"""Affine layers: every neuron sees every input."""

from __future__ import annotations

import math
from typing import Any

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.nn import init
from pellucid.nn.functional.common import bilinear, linear
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.creation import empty
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor


def check_sizes(name: str, **sizes: Any) -> None:
    """Raise unless every size is a whole number of at least 0."""
    for what, size in sizes.items():
        whole = hasattr(size, "__index__") and not isinstance(size, bool)
        kind = ArgumentError if whole else ArgumentTypeError
        if not whole or size < 0:
            raise kind(f"{name} got {what}={size!r}", "use a whole number of at least 0")


class Linear(Module):
    """The fully connected layer y = x Wᵀ + b, an affine map ("linear" in the texts).

    The bias shifts each output like the intercept of a line.  Layers of this kind without an
    activation between them equal a single one: W₂(W₁x + b₁) + b₂ = (W₂W₁)x + (W₂b₁ + b₂), so a
    deep network needs non-linear activations to be more than a linear model.

    Shapes: input (…, in_features) → (…, out_features); ``weight`` (out_features, in_features),
    ``bias`` (out_features,) unless ``bias=False``: in · out + out numbers.
    By default both are uniform in ±1/√in_features (He's rule with a = √5, as PyTorch).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        check_sizes("nn.Linear", in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_features, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias again."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """(…, in_features) → (…, out_features)."""
        return linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Bilinear(Module):
    """y_o = x₁ᵀ W_o x₂ + b_o.

    Shapes: (…, in1_features), (…, in2_features) → (…, out_features); ``weight``
    (out, in1, in2), ``bias`` (out,).  By default uniform in ±1/√in1_features.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        check_sizes(
            "nn.Bilinear",
            in1_features=in1_features,
            in2_features=in2_features,
            out_features=out_features,
        )
        if in1_features == 0:
            raise ArgumentError("nn.Bilinear got in1_features=0", "use at least 1")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_features, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias again."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """(…, in1_features), (…, in2_features) → (…, out_features)."""
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
