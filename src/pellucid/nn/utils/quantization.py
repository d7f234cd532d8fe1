"""Weights of linear layers as whole numbers of 8 bits: a quarter of the memory, in files too.

>>> import pellucid
>>> from pellucid import nn
>>> from pellucid.nn.utils import quantize_weights
>>> quantize_weights(nn.Sequential(nn.Linear(64, 10)))
Sequential(
  (0): QuantizedLinear(in_features=64, out_features=10, bias=True)
)
"""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Sequence

from pellucid.base.dtypes import int8
from pellucid.base.errors import ArgumentError
from pellucid.nn.attention import MultiheadAttention
from pellucid.nn.functional.common import linear
from pellucid.nn.linear import Linear
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import ones, zeros
from pellucid.tensor.tensor import Tensor

MOST = 127
"""The largest whole number in use: symmetric, so that 0 stays 0."""


class QuantizedLinear(Module):
    """y = x (scale · W)ᵀ + b, where W holds whole numbers from −127 to 127; for prediction.

    ``weight`` (out_features, in_features) int8 and ``scale`` (out_features, 1) are buffers, as is
    ``bias``: nothing is learned.  Each output has its own scale, its largest weight / 127, so that
    no weight is off by more than half of that.  Values between layers stay what they are; the
    product is one of floating-point numbers.  Shapes: (…, in_features) → (…, out_features).
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.register_buffer("weight", zeros(out_features, in_features, dtype=int8))
        self.register_buffer("scale", ones(out_features, 1))
        self.register_buffer("bias", zeros(out_features) if bias else None)

    @classmethod
    def of(cls, layer: Linear) -> QuantizedLinear:
        """The layer with its weights rounded."""
        made = cls(layer.in_features, layer.out_features, layer.bias is not None)
        with no_grad():
            largest = layer.weight.detach().abs().amax(dim=1, keepdim=True)
            scale = (largest / MOST).clamp(min=1e-30)
            made.weight = (layer.weight.detach() / scale).round().clamp(-MOST, MOST).to(int8)
            made.scale = scale
            if layer.bias is not None:
                made.bias = layer.bias.detach().clone()
        return made.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        """(…, in_features) → (…, out_features)."""
        return linear(input, self.weight.to(self.scale.dtype) * self.scale, self.bias)

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


def quantize_weights(
    model: Module, names: str | Sequence[str] = "*", inplace: bool = False
) -> Module:
    """The model for prediction, with its ``nn.Linear`` layers as ``QuantizedLinear``.

    ``names`` are patterns of the paths of layers (``["encoder.*"]``).  Layers inside of attention,
    which uses their weights itself, and layers whose weights are computed stay as they are.
    ``inplace=False`` leaves the model alone and gives a copy.  Raises ``ArgumentError`` where no
    layer fits.  (Jacob and others, "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", 2018, for the weights.)
    """
    made = model if inplace else copy.deepcopy(model)
    patterns = [names] if isinstance(names, str) else list(names)
    if type(made) is Linear:
        return QuantizedLinear.of(made)
    count = 0
    for path, parent in list(made.named_modules()):
        if isinstance(parent, MultiheadAttention):
            continue
        for name, child in list(parent.named_children()):
            whole = f"{path}.{name}" if path else name
            if type(child) is Linear and any(fnmatch.fnmatchcase(whole, p) for p in patterns):
                setattr(parent, name, QuantizedLinear.of(child))
                count += 1
    if not count:
        raise ArgumentError(
            f"quantize_weights found no nn.Linear for names={names!r}",
            "give a model with linear layers, and patterns of their paths",
        )
    return made
