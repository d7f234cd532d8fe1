"""Initializers: they overwrite a tensor in place and return it, without recording gradients.

Names, bounds and moments are PyTorch's (``torch.nn.init``).  Why it matters: equal weights
(:func:`zeros_`, :func:`ones_`, :func:`constant_`) keep the neurons of a hidden layer equal
forever, so they are for biases; random weights break the symmetry, and their scale decides
whether signals and gradients keep their size from layer to layer: Xavier for tanh and sigmoid,
Kaiming (He) for ReLU.

"fan in" and "fan out" are the numbers of inputs and outputs of a neuron: for a weight
(out, in, k1, …) in · k1 · … and out · k1 · ….
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import lift
from pellucid.tensor.random import Generator, default_generator, rand, randn
from pellucid.tensor.signatures import present_as
from pellucid.tensor.state import concrete
from pellucid.tensor.tensor import Tensor


def _filling(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run without recording, on the tensor's value even while a program is being traced."""

    @functools.wraps(function)
    def filled(*args: Any, **kwargs: Any) -> Any:
        with no_grad(), concrete():
            return function(*args, **kwargs)

    return clear(filled)


@clear
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which an activation's weights are widened to keep the variance.

    linear, convolutions, sigmoid: 1; tanh: 5/3; relu: √2; selu: 3/4;
    leaky_relu: √(2 / (1 + slope²)) with ``param`` the slope (0.01).
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ArgumentError(f"calculate_gain got the slope {param!r}", "use a number")
        return math.sqrt(2.0 / (1 + slope**2))
    gains = {"sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    plain = (
        "linear",
        *(f"conv{k}d" for k in (1, 2, 3)),
        *(f"conv_transpose{k}d" for k in (1, 2, 3)),
    )
    gains |= dict.fromkeys(plain, 1.0)
    if nonlinearity not in gains:
        raise ArgumentError(
            f"calculate_gain got the nonlinearity {nonlinearity!r}",
            "use one of: leaky_relu, " + ", ".join(gains),
        )
    return gains[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Any) -> tuple[int, int]:
    """(fan in, fan out) of a weight (out, in, k1, …)."""
    if tensor.dim() < 2:
        raise ShapeError(
            f"fan in and fan out are not defined for shape {tuple(tensor.shape)}",
            "it needs a weight with at least 2 axes; use zeros_ or uniform_ for a bias",
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fan(tensor: Any, mode: str) -> int:
    fans = dict(zip(("fan_in", "fan_out"), _calculate_fan_in_and_fan_out(tensor), strict=True))
    if mode not in fans:
        raise ArgumentError(f"there is no mode {mode!r}", 'use "fan_in" or "fan_out"')
    return fans[mode]


class _Later(threading.local):
    """Whether values are set later; see :func:`values_later`."""

    is_on = False


_later = _Later()


@contextlib.contextmanager
def values_later() -> Iterator[None]:
    """Inside, uniform fills leave a tensor as it is and only move the generator on, as if they had
    drawn: for layers whose first values are replaced at once, but whose draws count."""
    before, _later.is_on = _later.is_on, True
    try:
        yield
    finally:
        _later.is_on = before


@_filling
def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in [a, b), by default [0, 1): mean (a + b)/2, variance (b − a)²/12."""
    if _later.is_on:
        return _counted(tensor, generator)
    return tensor.uniform_(a, b, generator=generator)


def _counted(tensor: Tensor, generator: Generator | None) -> Tensor:
    (generator or default_generator).draw()
    return tensor


@_filling
def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal with this mean and standard deviation.

    For weights the deviation should be small (0.01, or 1/√fan_in), not of the size 1.
    """
    return tensor.normal_(mean, std, generator=generator)


@_filling
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal, but only values in [a, b]: the inverse distribution function of uniform numbers.

    ``a`` and ``b`` are bounds of the values themselves, not in units of ``std``.
    """
    if not a < b:
        raise ArgumentError(f"trunc_normal_ got a={a}, b={b}", "a must be smaller than b")
    low, high = (math.erf((bound - mean) / (std * math.sqrt(2))) for bound in (a, b))
    uniform = rand(*tensor.shape, generator=generator, dtype=tensor.dtype)
    edge = 1 - 2.0**-24 if tensor.dtype.itemsize == 4 else 1 - 2.0**-53
    level = (uniform * (high - low) + low).clamp(-edge, edge)
    return tensor.copy_((level.erfinv() * (std * math.sqrt(2)) + mean).clamp(a, b))


@_filling
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every element ``val``."""
    return tensor.fill_(val)


@_filling
def ones_(tensor: Tensor) -> Tensor:
    """Every element 1."""
    return tensor.fill_(1.0)


@_filling
def zeros_(tensor: Tensor) -> Tensor:
    """Every element 0; for biases. Weights of hidden layers would never become different."""
    return tensor.fill_(0.0)


@_filling
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix (ones on the diagonal), for a tensor with 2 axes."""
    if tensor.dim() != 2:
        raise ShapeError(f"eye_ got shape {tuple(tensor.shape)}", "it needs 2 axes")
    return tensor.copy_(lift(np.eye(*tensor.shape, dtype=tensor.dtype.numpy)))


@_filling
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution's weight (out, in, k…) that passes its input on: a 1 amid the kernel."""
    if tensor.dim() not in (3, 4, 5):
        raise ShapeError(f"dirac_ got shape {tuple(tensor.shape)}", "it needs 3, 4 or 5 axes")
    if tensor.shape[0] % groups:
        raise ArgumentError(
            f"dirac_ got groups={groups} for {tensor.shape[0]} outputs", "it must divide them"
        )
    values = np.zeros(tensor.shape, tensor.dtype.numpy)
    outputs = tensor.shape[0] // groups
    middle = tuple(extent // 2 for extent in tensor.shape[2:])
    for group in range(groups):
        for channel in range(min(outputs, tensor.shape[1])):
            values[(group * outputs + channel, channel, *middle)] = 1
    return tensor.copy_(lift(values))


@_filling
def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in ±gain·√(6 / (fan in + fan out)).  For tanh and sigmoid.

    (Glorot and Bengio, 2010.)
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    return tensor.uniform_(-bound, bound, generator=generator)


@_filling
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with std gain·√(2 / (fan in + fan out)).  (Glorot and Bengio, 2010.)"""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return tensor.normal_(0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator=generator)


@_filling
def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in ±gain·√(3 / fan); ``a`` is the slope of leaky ReLU (0: ReLU, gain √2).

    ``mode`` "fan_in" keeps the size of the signals, "fan_out" of the gradients.
    (He, Zhang, Ren and Sun, 2015.)
    """
    if _later.is_on:
        return _counted(tensor, generator)
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / max(_fan(tensor, mode), 1))
    return tensor.uniform_(-bound, bound, generator=generator)


@_filling
def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with std gain / √fan; see :func:`kaiming_uniform_`.  (He et al., 2015.)"""
    std = calculate_gain(nonlinearity, a) / math.sqrt(max(_fan(tensor, mode), 1))
    return tensor.normal_(0.0, std, generator=generator)


@_filling
def lecun_normal_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Normal with std √(1 / fan in): signals keep their size through linear layers, and through
    SELU, whose networks normalize themselves (Keras' ``lecun_normal``, not cut off here).

    (LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998; Klambauer et al., 2017, for SELU.)
    """
    std = math.sqrt(1.0 / max(_fan(tensor, "fan_in"), 1))
    return tensor.normal_(0.0, std, generator=generator)


@_filling
def lecun_uniform_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Uniform in ±√(3 / fan in), whose std is that of :func:`lecun_normal_`.  (LeCun et al.,
    1998.)"""
    bound = math.sqrt(3.0 / max(_fan(tensor, "fan_in"), 1))
    return tensor.uniform_(-bound, bound, generator=generator)


@_filling
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Rows (or columns, whichever are fewer) orthonormal, times ``gain``; later axes flattened.

    Q of a normal matrix, signs chosen so that Q is evenly distributed (Mezzadri, 2007).
    (Saxe, McClelland and Ganguli, 2014.)
    """
    if tensor.dim() < 2:
        raise ShapeError(f"orthogonal_ got shape {tuple(tensor.shape)}", "it needs at least 2 axes")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    start = randn(rows, columns, generator=generator, dtype=tensor.dtype).array()
    q, r = np.linalg.qr(start.T if rows < columns else start)
    q = q * np.sign(np.diag(r))
    square = (q.T if rows < columns else q) * gain
    return tensor.copy_(lift(np.ascontiguousarray(square.reshape(tensor.shape))))


@_filling
def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Normal with std ``std``, but the share ``sparsity`` of each column is 0.  (Martens, 2010.)"""
    if tensor.dim() != 2:
        raise ShapeError(f"sparse_ got shape {tuple(tensor.shape)}", "it needs 2 axes")
    if not 0 <= sparsity <= 1:
        raise ArgumentError(f"sparse_ got sparsity={sparsity}", "use a share from 0 to 1")
    zeros = math.ceil(sparsity * tensor.shape[0])
    rank = rand(*tensor.shape, generator=generator).argsort(0).argsort(0)
    values = randn(*tensor.shape, generator=generator, dtype=tensor.dtype) * std
    return tensor.copy_(values.masked_fill(rank < zeros, 0.0))


def _older(function: Callable[..., Any]) -> Callable[..., Any]:
    """The initializer under its name from before all of them got an underscore; it warns."""
    new = function.__name__
    old = new.removesuffix("_")

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(f"nn.init.{old} is deprecated: use nn.init.{new}", FutureWarning, 2)
        return function(*args, **kwargs)

    run.__name__ = run.__qualname__ = old
    run.__doc__ = f"The older name of :func:`{new}`; warns."
    present_as(run, function, inspect.signature(function))
    return run


uniform = _older(uniform_)
normal = _older(normal_)
constant = _older(constant_)
eye = _older(eye_)
dirac = _older(dirac_)
xavier_uniform = _older(xavier_uniform_)
xavier_normal = _older(xavier_normal_)
kaiming_uniform = _older(kaiming_uniform_)
kaiming_normal = _older(kaiming_normal_)
orthogonal = _older(orthogonal_)
sparse = _older(sparse_)

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "lecun_normal_",
    "lecun_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]


def __dir__() -> list[str]:
    return sorted(__all__)
