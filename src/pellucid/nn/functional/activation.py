"""Activation functions: element-wise non-linearities, and the softmax family.

All are finite in value and gradient for inputs as large as ±1000.  Where a function has a kink
the gradient is that of PyTorch: 0 for ReLU at 0, ReLU6 and hardtanh at their corners, the
negative side's slope for leaky ReLU.  Shapes stay unless stated; dtype is the input's.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.base.shapes import normalize_axis
from pellucid.nn.functional.checks import need_tensor
from pellucid.tensor.eager import elements, unit
from pellucid.tensor.functions import where
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import rounded_once
from pellucid.tensor.random import rand_like
from pellucid.tensor.signatures import present_as
from pellucid.tensor.tensor import Tensor


def _applied(input: Any, function: Callable[[Any], Any], inplace: bool) -> Any:
    """``function(input)``, written over ``input`` if asked."""
    need_tensor("the activation", input)
    return input._update(function(input._shadow())) if inplace else function(input)


def sigmoid(input: Tensor) -> Tensor:
    """σ(x) = 1 / (1 + e^−x), in (0, 1), σ(0) = ½; σ' = σ (1 − σ) ≤ ¼.

    The gradient vanishes for large |x| (σ'(10) = 4.5e-5), so prefer it in the output layer of
    a two-class or multi-label network, and ReLU or GELU in hidden layers.  (Verhulst, 1838.)
    """
    return input.sigmoid()


def tanh(input: Tensor) -> Tensor:
    """(e^x − e^−x) / (e^x + e^−x), in (−1, 1), odd, zero-centred; derivative 1 − tanh²(x)."""
    return input.tanh()


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x); derivative 1 for x > 0, 0 for x ≤ 0.  (Nair and Hinton, 2010.)"""
    return _applied(input, lambda x: x.relu(), inplace)


@unit(elements(1 << 14))
def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x cut to [min_val, max_val]; derivative 1 strictly inside, 0 outside and at the corners."""
    if min_val > max_val:
        raise ArgumentError(
            f"hardtanh got min_val={min_val}, max_val={max_val}: min_val cannot be greater than "
            "max_val",
            "exchange them",
        )
    need_tensor("hardtanh", input)
    if input.dtype.kind != "float":
        if input.dtype.kind == "bool":
            raise DTypeError("Bool inputs not supported for hardtanh", "convert with .float()")
        if input.dtype.name == "uint8" and min_val < 0:
            raise DTypeError(
                "cannot do hardtanh on an unsigned type with negative limits",
                "convert with .int(), or use a min_val of at least 0",
            )
        min_val, max_val = int(min_val), int(max_val)

    def cut(x: Any) -> Any:
        return where(x >= max_val, max_val, where(x <= min_val, min_val, x))

    return _applied(input, cut, inplace)


@unit(elements(1 << 14))
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6).  (Krizhevsky, 2010.)"""
    return hardtanh(input, 0.0, 6.0, inplace)


@rounded_once
@unit(elements(1 << 14))
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x for x > 0, else negative_slope · x: units with negative input still learn.

    Negative inputs give (small) negative activations.  (Maas, Hannun and Ng, 2013.)
    """
    return _applied(input, lambda x: where(x > 0, x, x * negative_slope), inplace)


@rounded_once
@unit(elements(1 << 14))
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x for x > 0, else a · x with learned a: one for all, or one per channel (axis 1).

    ``weight``: (1,) or (C,) for input (N, C, …).  (He et al., 2015.)
    """
    if weight.dim() > 1:
        raise ShapeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.dim()}",
            "give one slope, or one for each channel",
        )
    slope = weight.reshape(()) if weight.numel() == 1 else weight
    if weight.numel() > 1:
        axis = 1 if input.dim() > 1 else 0
        if input.shape[axis] != weight.numel():
            raise ShapeError(
                f"prelu got {weight.numel()} slopes for {input.shape[axis]} channels "
                f"(input shape {tuple(input.shape)})",
                f"use nn.PReLU({input.shape[axis]}), or nn.PReLU() with one slope for all",
            )
        slope = weight.reshape([-1 if i == axis else 1 for i in range(input.dim())])
    return where(input > 0, input, input * slope)


@rounded_once
def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Leaky ReLU with a random slope in [lower, upper] per element in training.

    Outside of training the slope is (lower + upper) / 2.  (Xu et al., 2015.)
    """
    if lower > upper:
        raise ArgumentError(
            f"rrelu got lower={lower} and upper={upper}: lower bound should be less than or equal "
            "to the upper bound",
            "exchange them",
        )
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slope = rand_like(input) * (upper - lower) + lower
    return _applied(input, lambda x: where(x > 0, x, x * slope), inplace)


@rounded_once
@unit(elements(1 << 14))
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, else α (e^x − 1).  (Clevert, Unterthiner and Hochreiter, 2016.)"""
    return _applied(input, lambda x: where(x > 0, x, x.clamp(max=0).expm1() * alpha), inplace)


_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@rounded_once
@unit(elements(1 << 14))
def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """λ · ELU(x, α) with λ = 1.0507…, α = 1.6733…, which keep mean 0 and variance 1.

    (Klambauer et al., 2017.)
    """
    return _applied(input, lambda x: elu(x, _SELU_ALPHA) * _SELU_SCALE, inplace)


@rounded_once
@unit(elements(1 << 14))
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, else α (e^(x/α) − 1), smooth for every α.  (Barron, 2017.)"""
    if alpha == 0:
        raise ArgumentError("celu got alpha=0", "use a nonzero alpha")

    def curve(x: Any) -> Any:
        bent = x.clamp(max=0) if alpha > 0 else x
        return where(x > 0, x, (bent / alpha).expm1() * alpha)

    return _applied(input, curve, inplace)


@takes_out
@rounded_once
@unit(elements(1 << 14))
def gelu(
    input: Tensor,
    approximate: str = "none",
    *,
    out: Tensor | None = None,
) -> Tensor:
    """x · Φ(x) with Φ the normal distribution function: ½ x (1 + erf(x / √2)).

    ``approximate="tanh"``: ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))).
    (Hendrycks and Gimpel, 2016.)
    """
    if approximate == "tanh":
        inner = (input + input * input * input * 0.044715) * math.sqrt(2 / math.pi)
        return input * 0.5 * (inner.tanh() + 1)
    if approximate != "none":
        raise ArgumentError(f"gelu got approximate={approximate!r}", 'use "none" or "tanh"')
    return input * 0.5 * ((input * math.sqrt(0.5)).erf() + 1)


@rounded_once
@unit(elements(1 << 14))
def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x · σ(x), also called swish.  (Elfwing, Uchibe and Doya, 2018.)"""
    return _applied(input, lambda x: x * x.sigmoid(), inplace)


@takes_out
@rounded_once
@unit(elements(1 << 14))
def softplus(
    input: Tensor,
    beta: float = 1.0,
    threshold: float = 20.0,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """ln(1 + e^(βx)) / β, a smooth ReLU; x itself where βx > threshold.  (Dugas et al., 2001.)"""
    scaled = input if beta == 1 else input * beta
    bent = scaled.clamp(max=threshold).exp().log1p()
    return where(scaled > threshold, input, bent if beta == 1 else bent / beta)


def log1p_exp(input: Tensor) -> Tensor:
    """ln(1 + e^x), exact to rounding in float32 and float64 for any x.

    Beyond 40 the difference to x is below e^−40 and lost in both.
    """
    return softplus(input, 1.0, 40.0)


@rounded_once
@unit(elements(1 << 14))
def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · tanh(softplus(x)).  (Misra, 2019.)"""
    return _applied(input, lambda x: x * softplus(x).tanh(), inplace)


@takes_out
@rounded_once
@unit(elements(1 << 14))
def logsigmoid(
    input: Tensor,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """ln σ(x) = −ln(1 + e^−x), without overflow."""
    return -log1p_exp(-input)


@rounded_once
@unit(elements(1 << 14))
def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|).  (Bergstra et al., 2009.)"""
    return input / (input.abs() + 1)


@rounded_once
@unit(elements(1 << 14))
def tanhshrink(input: Tensor) -> Tensor:
    """x − tanh(x)."""
    return input - input.tanh()


@takes_out
@rounded_once
@unit(elements(1 << 14))
def softshrink(
    input: Tensor,
    lambd: float = 0.5,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """x − λ for x > λ, x + λ for x < −λ, else 0."""
    if lambd < 0:
        raise ArgumentError(f"softshrink got lambd={lambd}", "use a value of at least 0")
    return where(input > lambd, input - lambd, where(input < -lambd, input + lambd, input * 0))


@takes_out
@rounded_once
@unit(elements(1 << 14))
def hardshrink(
    input: Tensor,
    lambd: float = 0.5,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """x where |x| > λ, else 0."""
    return where(input.abs() <= lambd, 0.0, input)


@rounded_once
@unit(elements(1 << 14))
def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x/6 + ½ cut to [0, 1]: 0 for x ≤ −3, 1 for x ≥ 3."""

    def line(x: Any) -> Any:
        return where(x >= 3, 1.0, where(x <= -3, 0.0, x / 6 + 0.5))

    return _applied(input, line, inplace)


@rounded_once
@unit(elements(1 << 14))
def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · hardsigmoid(x): 0 for x ≤ −3, x for x ≥ 3.  (Howard et al., 2019.)"""

    def curve(x: Any) -> Any:
        bent = where(x.abs() >= 3, 0.0, x)  # infinity has no slope there, not even NaN
        return where(x >= 3, x, where(x <= -3, x * 0, bent * (bent / 6 + 0.5)))

    return _applied(input, curve, inplace)


@unit(elements(1 << 14))
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else ``value``."""
    return _applied(input, lambda x: where(x <= threshold, value, x), inplace)


@rounded_once
@unit(elements(1 << 14))
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a · σ(b), a and b the halves of the input along ``dim``.

    Shape: (…, 2n, …) → (…, n, …).  (Dauphin et al., 2017.)
    """
    need_tensor("glu", input)
    extent = input.shape[normalize_axis(dim, input.dim())] if input.dim() else 1
    if extent % 2:
        raise ShapeError(
            f"glu got extent {extent} on axis {dim} (shape {tuple(input.shape)})",
            f"it halves the axis, so the layer before must give an even number, such as "
            f"{extent + 1}, of features",
        )
    half = extent // 2
    return input.narrow(dim, 0, half) * input.narrow(dim, half, half).sigmoid()


def _axis(name: str, input: Any, dim: Any) -> int:
    """The axis; without one PyTorch's choice, with a warning, for the choice is often wrong."""
    need_tensor(name, input)
    if dim is None:
        count = input.dim()
        axis = 0 if count in (0, 1, 3) else 1
        warnings.warn(
            f"Implicit dimension choice for {name} has been deprecated: an input of {count} axes "
            f"is normalized along axis {axis}. Say which: {name}(x, dim=-1) for the last axis",
            stacklevel=4,
        )
        return axis
    if isinstance(dim, bool) or not isinstance(dim, int):
        raise ArgumentError(f"{name} got dim={dim!r}", "dim is one axis, an integer such as -1")
    return dim


@rounded_once
def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None
) -> Tensor:
    """e^(x_i − m) / Σ_j e^(x_j − m) along ``dim``, m the largest: positive, sums to 1.

    Subtracting m changes nothing but prevents overflow.  Without ``dim`` it warns and takes
    PyTorch's choice: axis 0 of 0, 1 or 3 axes, otherwise axis 1.
    (Boltzmann, 1868; Bridle, 1990.)
    """
    axis = _axis("softmax", input, dim)
    return input.softmax(axis, dtype)


@rounded_once
def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None
) -> Tensor:
    """softmax(−x) along ``dim``; without it as :func:`softmax`."""
    axis = _axis("softmin", input, dim)
    return (-input).softmax(axis, dtype)


@rounded_once
def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DTypeLike | None = None
) -> Tensor:
    """ln softmax(x) along ``dim``, computed without forming tiny values; without it as
    :func:`softmax`."""
    axis = _axis("log_softmax", input, dim)
    return input.log_softmax(axis, dtype)


@rounded_once
def gumbel_softmax(
    logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """softmax((logits + g) / τ) with Gumbel noise g: a differentiable draw of a class.

    ``hard`` returns one-hot values with the gradient of the soft ones.  ``eps`` is accepted and,
    as in PyTorch, not used.  (Jang, Gu and Poole, 2017.)
    """
    uniform = 1 - rand_like(logits)  # (0, 1]
    noise = -(-uniform.log()).clamp(min=1e-37).log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    chosen = soft.ge(soft.amax(dim, keepdim=True)).to(soft.dtype)
    return (chosen - soft).detach() + soft


# ---- in place -------------------------------------------------------------------------------


def _overwriting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The form of an activation that overwrites its input and returns it."""
    signature = inspect.signature(function)
    kept = [p for p in signature.parameters.values() if p.name != "inplace"]

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs, inplace=True)

    call.__name__ = call.__qualname__ = f"{function.__name__}_"
    call.__module__ = __name__
    call.__doc__ = f":func:`{function.__name__}` in place: overwrites the input and returns it."
    present_as(call, function, signature.replace(parameters=kept))
    return call


relu_ = _overwriting(relu)
hardtanh_ = _overwriting(hardtanh)
leaky_relu_ = _overwriting(leaky_relu)
rrelu_ = _overwriting(rrelu)
elu_ = _overwriting(elu)
selu_ = _overwriting(selu)
celu_ = _overwriting(celu)
threshold_ = _overwriting(threshold)
