"""Activation functions as modules; formulas and sources are in ``nn.functional``.

An activation is applied to z = W x + b, the output of a layer, not to the raw input; without
one, layers after each other are one affine map.  Usual choices: ReLU or GELU in hidden layers;
at the output nothing for regression, sigmoid for two classes or several labels, softmax for one
of several classes (the losses "with logits" and cross-entropy contain theirs).

Shape: (*) → (*) unless stated.
"""

from __future__ import annotations

import warnings

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn import functional as F  # noqa: N812  (the customary name)
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.hints import rank_hint
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.creation import full
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor


class _Activation(Module):
    """Shows its settings, in order, in its text."""

    shown: tuple[str, ...] = ()

    def extra_repr(self) -> str:
        """The settings; ``inplace`` only when set."""
        settings = [f"{name}={getattr(self, name)}" for name in self.shown]
        return ", ".join(settings + (["inplace=True"] if getattr(self, "inplace", False) else []))


class Sigmoid(_Activation):
    """1 / (1 + e^−x), in (0, 1)."""

    output_bounds = (0.0, 1.0)
    output_kind = "probabilities"

    def forward(self, input: Tensor) -> Tensor:
        """σ(x)."""
        return F.sigmoid(input)


class Tanh(_Activation):
    """tanh(x), in (−1, 1), zero-centred."""

    output_bounds = (-1.0, 1.0)

    def forward(self, input: Tensor) -> Tensor:
        """tanh(x)."""
        return F.tanh(input)


class _InPlace(_Activation):
    """An activation without settings but ``inplace``: write over the input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class ReLU(_InPlace):
    """max(0, x)."""

    silent_when_negative = True

    def forward(self, input: Tensor) -> Tensor:
        """max(0, x)."""
        return F.relu(input, self.inplace)


class ReLU6(_InPlace):
    """min(max(0, x), 6)."""

    output_bounds = (0.0, 6.0)
    silent_when_negative = True

    def forward(self, input: Tensor) -> Tensor:
        """min(max(0, x), 6)."""
        return F.relu6(input, self.inplace)


class SELU(_InPlace):
    """λ · ELU(x, α) with the self-normalizing constants."""

    def forward(self, input: Tensor) -> Tensor:
        """selu(x)."""
        return F.selu(input, self.inplace)


class SiLU(_InPlace):
    """x · σ(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """x · σ(x)."""
        return F.silu(input, self.inplace)


class Mish(_InPlace):
    """x · tanh(ln(1 + e^x))."""

    def forward(self, input: Tensor) -> Tensor:
        """mish(x)."""
        return F.mish(input, self.inplace)


class Hardsigmoid(_InPlace):
    """x/6 + ½ cut to [0, 1]."""

    output_bounds = (0.0, 1.0)
    output_kind = "probabilities"

    def forward(self, input: Tensor) -> Tensor:
        """hardsigmoid(x)."""
        return F.hardsigmoid(input, self.inplace)


class Hardswish(_InPlace):
    """x · hardsigmoid(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """hardswish(x)."""
        return F.hardswish(input, self.inplace)


class LeakyReLU(_Activation):
    """x for x > 0, else ``negative_slope`` (0.01) · x."""

    shown = ("negative_slope",)

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """leaky_relu(x)."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)


class PReLU(_Activation):
    """x for x > 0, else a · x with a learned: one a, or one for each of the channels (axis 1).

    ``weight`` (num_parameters,) starts at ``init`` (0.25).
    """

    shown = ("num_parameters",)

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(full((num_parameters,), float(init), dtype=dtype))

    def forward(self, input: Tensor) -> Tensor:
        """prelu(x)."""
        return F.prelu(input, self.weight)


class RReLU(_Activation):
    """Leaky ReLU with a random slope per element in training, the middle one in evaluation."""

    shown = ("lower", "upper")

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """rrelu(x)."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class ELU(_Activation):
    """x for x > 0, else α (e^x − 1)."""

    shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """elu(x)."""
        return F.elu(input, self.alpha, self.inplace)


class CELU(ELU):
    """x for x > 0, else α (e^(x/α) − 1)."""

    def forward(self, input: Tensor) -> Tensor:
        """celu(x)."""
        return F.celu(input, self.alpha, self.inplace)


class GELU(_Activation):
    """x · Φ(x); ``approximate`` "none" (with erf) or "tanh"."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ArgumentError(f"nn.GELU got approximate={approximate!r}", 'use "none" or "tanh"')
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """gelu(x)."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """The form."""
        return f"approximate={self.approximate!r}"


class Softplus(_Activation):
    """ln(1 + e^(βx)) / β; x itself where βx > threshold (20)."""

    shown = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        """softplus(x)."""
        return F.softplus(input, self.beta, self.threshold)


class Softsign(_Activation):
    """x / (1 + |x|)."""

    output_bounds = (-1.0, 1.0)

    def forward(self, input: Tensor) -> Tensor:
        """softsign(x)."""
        return F.softsign(input)


class Tanhshrink(_Activation):
    """x − tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """tanhshrink(x)."""
        return F.tanhshrink(input)


class LogSigmoid(_Activation):
    """ln σ(x)."""

    output_kind = "log-probabilities"

    def forward(self, input: Tensor) -> Tensor:
        """logsigmoid(x)."""
        return F.logsigmoid(input)


class Softshrink(_Activation):
    """x moved towards 0 by λ (0.5), 0 within ±λ."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """softshrink(x)."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """λ."""
        return str(self.lambd)


class Hardshrink(Softshrink):
    """x where |x| > λ (0.5), else 0."""

    def forward(self, input: Tensor) -> Tensor:
        """hardshrink(x)."""
        return F.hardshrink(input, self.lambd)


class Hardtanh(_Activation):
    """x cut to [min_val, max_val], by default [−1, 1]; ``min_value`` is an older name."""

    shown = ("min_val", "max_val")

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("min", min_value), ("max", max_value)):
            if value is not None:
                warnings.warn(
                    f"{name}_value is the older name of {name}_val", FutureWarning, stacklevel=2
                )
        min_val = min_val if min_value is None else min_value
        max_val = max_val if max_value is None else max_value
        if not min_val < max_val:
            raise ArgumentError(
                f"nn.Hardtanh got min_val={min_val}, max_val={max_val}", "min_val must be smaller"
            )
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace
        self.output_bounds = (float(min_val), float(max_val))

    def forward(self, input: Tensor) -> Tensor:
        """hardtanh(x)."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)


class Threshold(_Activation):
    """x where x > threshold, else ``value``."""

    silent_when_negative = True

    shown = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """threshold(x)."""
        return F.threshold(input, self.threshold, self.value, self.inplace)


class GLU(_Activation):
    """a · σ(b), a and b the halves of the input along ``dim``: (…, 2n, …) → (…, n, …)."""

    shown = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """glu(x)."""
        return F.glu(input, self.dim)


class _AlongAxis(_Activation):
    """An activation along one axis; without ``dim`` the call warns and takes PyTorch's choice."""

    shown = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        name = type(self).__name__
        if isinstance(dim, Tensor) or hasattr(dim, "__array__"):
            raise ArgumentError(
                f"nn.{name} got a tensor where it takes the axis",
                f"nn.{name} makes a layer: nn.{name}(dim=-1)(x); for the values at once use "
                f"F.{name.lower() if name != 'LogSoftmax' else 'log_softmax'}(x, dim=-1)",
            )
        if dim is not None and (isinstance(dim, bool) or not isinstance(dim, int)):
            raise ArgumentError(
                f"nn.{name} got dim={dim!r}",
                f"say over which axis the values sum to 1: nn.{name}(dim=-1) for the last axis",
            )
        self.dim = dim


class Softmax(_AlongAxis):
    """e^x / Σ e^x along ``dim``: positive values that sum to 1, the largest standing out.

    Without ``dim`` each call warns and takes PyTorch's choice; see :func:`functional.softmax`.
    Before :class:`CrossEntropyLoss` leave the layer out: that loss contains it.
    """

    output_bounds = (0.0, 1.0)
    output_kind = "probabilities"

    def forward(self, input: Tensor) -> Tensor:
        """softmax(x)."""
        return F.softmax(input, self.dim)


class Softmin(_AlongAxis):
    """softmax(−x) along ``dim``; without it as :class:`Softmax`."""

    output_bounds = (0.0, 1.0)
    output_kind = "probabilities"

    def forward(self, input: Tensor) -> Tensor:
        """softmin(x)."""
        return F.softmin(input, self.dim)


class LogSoftmax(_AlongAxis):
    """ln softmax(x) along ``dim``; without it as :class:`Softmax`."""

    output_kind = "log-probabilities"

    def forward(self, input: Tensor) -> Tensor:
        """log_softmax(x)."""
        return F.log_softmax(input, self.dim)


class Softmax2d(Module):
    """Softmax over the channels of images: (N, C, H, W) or (C, H, W)."""

    output_bounds = (0.0, 1.0)
    output_kind = "probabilities"

    def forward(self, input: Tensor) -> Tensor:
        """softmax(x) over the channels."""
        need_tensor("Softmax2d", input)
        if input.dim() not in (3, 4):
            raise ShapeError(
                f"Softmax2d got an input of shape {tuple(input.shape)}",
                rank_hint(tuple(input.shape), 2) + "; nn.Softmax(dim) is for any other",
            )
        return F.softmax(input, -3)
