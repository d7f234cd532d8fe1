"""Window functions: weights that fade a piece of a signal in and out before it is transformed.

All are computed in float64 and rounded once.  A window is symmetric, or *periodic*: the first M
of M + 1 symmetric weights, which is what spectral analysis wants, because the next period begins
with the weight that is left out.  (Harris, "On the use of windows for harmonic analysis with the
discrete Fourier transform", 1978.)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import DType, DTypeLike, as_dtype, float32, float64, get_default_dtype
from pellucid.base.errors import ArgumentError, ArgumentTypeError, DTypeError
from pellucid.tensor.core import lift
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.interface import Tensor
from pellucid.tensor.layout import check_layout


def _length(name: str, given: object) -> int:
    """A window's number of weights."""
    try:
        count = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        raise ArgumentTypeError(f"{name} got the length {given!r}", "pass a whole number") from None
    if count < 0:
        raise ArgumentError(f"{name} got the length {count}", "it must not be negative")
    return count


def _window(
    length: int,
    periodic: bool,
    formula: Callable[[np.ndarray, int], np.ndarray],
    dtype: DType,
    requires_grad: bool,
    alone: float = 1.0,
) -> Tensor:
    """``formula(n, N − 1)`` at n = 0 … M − 1, where N is M or, if periodic, M + 1.

    A window of one weight is ``alone``.
    """
    if length == 1:
        values = np.full(1, alone)
    else:
        values = formula(np.arange(float(length)), length if periodic else length - 1)
    made: Tensor = lift(dtype.array(values))
    return made.requires_grad_(requires_grad)


def _checked(
    name: str,
    M: object,
    dtype: DTypeLike | None,
    device: DeviceLike | None,  # noqa: N803
    layout: Any,
) -> tuple[int, DType]:
    check_device(device)
    check_layout(layout)
    kind = get_default_dtype() if dtype is None else as_dtype(dtype)
    if kind not in (float32, float64):
        raise DTypeError(f"{name} got dtype {kind.name}", "use float32 or float64, then .to(...)")
    return _length(name, M), kind


def _cosines(coefficients: Sequence[float]) -> Callable[[np.ndarray, int], np.ndarray]:
    """Σ_k (−1)^k a_k cos(2πkn / (N − 1))."""

    def formula(n: np.ndarray, last: int) -> np.ndarray:
        total = np.zeros(n.shape)
        for k, a in enumerate(coefficients):
            total += (-1) ** k * a * np.cos(2 * math.pi * k * n / last)
        return total

    return formula


def _triangle(n: np.ndarray, last: int) -> np.ndarray:
    return np.asarray(1 - np.abs(2 * n / last - 1))


def _bessel(beta: float) -> Callable[[np.ndarray, int], np.ndarray]:
    def formula(n: np.ndarray, last: int) -> np.ndarray:
        height = np.sqrt(np.maximum(0.0, 1 - np.square(2 * n / last - 1)))
        return np.asarray(np.i0(beta * height) / np.i0(beta))

    return formula


# ---- pellucid.signal.windows ---------------------------------------------------------------------


@clear
def bartlett(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The triangle 1 − |2n / (N − 1) − 1|, M weights from 0 to 1 to 0 (Bartlett, 1950).

    N is M, or M + 1 without ``sym``.  ``dtype`` is float32 (the default) or float64.
    Raises ``ArgumentError`` for a negative M, ``DTypeError`` for other dtypes.
    """
    count, kind = _checked("bartlett", M, dtype, device, layout)
    return _window(count, not sym, _triangle, kind, requires_grad)


@clear
def blackman(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """0.42 − 0.5 cos(2πn / (N − 1)) + 0.08 cos(4πn / (N − 1)) (Blackman and Tukey, 1958).

    Shape (M,); N is M, or M + 1 without ``sym``; dtypes and errors as :func:`bartlett`.
    """
    count, kind = _checked("blackman", M, dtype, device, layout)
    return _window(count, not sym, _cosines((0.42, 0.5, 0.08)), kind, requires_grad)


@clear
def cosine(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Half a period of the sine, sin(π (n + ½) / N), N = M or, without ``sym``, M + 1.

    Shape (M,); dtypes and errors as :func:`bartlett`.
    """

    def formula(n: np.ndarray, last: int) -> np.ndarray:
        return np.asarray(np.sin(math.pi * (n + 0.5) / (last + 1)))

    count, kind = _checked("cosine", M, dtype, device, layout)
    return _window(count, not sym, formula, kind, requires_grad)


@clear
def exponential(
    M: int,  # noqa: N803
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """e^(−|n − center| / tau), by default around the middle (N − 1) / 2 (Poisson's window).

    Shape (M,); N is M, or M + 1 without ``sym``.  Raises ``ArgumentError`` for ``tau`` ≤ 0 and for
    a ``center`` of a symmetric window; else as :func:`bartlett`.
    """
    count, kind = _checked("exponential", M, dtype, device, layout)
    if tau <= 0:
        raise ArgumentError(f"exponential got tau={tau}", "it must be positive")
    if sym and center is not None:
        raise ArgumentError(
            f"exponential got center={center} and sym=True",
            "a symmetric window has its center in the middle: pass sym=False",
        )

    def formula(n: np.ndarray, last: int) -> np.ndarray:
        return np.asarray(np.exp(-np.abs(n - (last / 2 if center is None else center)) / tau))

    alone = math.exp(-abs(center or 0.0) / tau)
    return _window(count, not sym, formula, kind, requires_grad, alone)


@clear
def gaussian(
    M: int,  # noqa: N803
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """e^(−((n − (N − 1) / 2) / std)² / 2), shape (M,); N is M, or M + 1 without ``sym``.

    Raises ``ArgumentError`` for ``std`` ≤ 0; else as :func:`bartlett`.
    """
    count, kind = _checked("gaussian", M, dtype, device, layout)
    if std <= 0:
        raise ArgumentError(f"gaussian got std={std}", "it must be positive")

    def formula(n: np.ndarray, last: int) -> np.ndarray:
        return np.asarray(np.exp(-np.square((n - last / 2) / std) / 2))

    return _window(count, not sym, formula, kind, requires_grad)


@clear
def general_cosine(
    M: int,  # noqa: N803
    *,
    a: Sequence[float],
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Σ_k (−1)^k a_k cos(2πkn / (N − 1)), shape (M,); N is M, or M + 1 without ``sym``.

    Raises ``ArgumentTypeError`` if the coefficients ``a`` are no list or tuple, ``ArgumentError``
    if there are none; else as :func:`bartlett`.
    """
    count, kind = _checked("general_cosine", M, dtype, device, layout)
    if not isinstance(a, (list, tuple)):
        raise ArgumentTypeError(
            f"general_cosine got a={a!r}", "pass the coefficients in a list or tuple"
        )
    if not a:
        raise ArgumentError("general_cosine got no coefficients", "pass at least one in `a`")
    return _window(count, not sym, _cosines(a), kind, requires_grad)


@clear
def general_hamming(
    M: int,  # noqa: N803
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """α − (1 − α) cos(2πn / (N − 1)), shape (M,); N is M, or M + 1 without ``sym``.

    Dtypes and errors as :func:`bartlett`.
    """
    count, kind = _checked("general_hamming", M, dtype, device, layout)
    return _window(count, not sym, _cosines((alpha, 1 - alpha)), kind, requires_grad)


@clear
def hamming(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """0.54 − 0.46 cos(2πn / (N − 1)), shape (M,) (R. W. Hamming).

    N is M, or M + 1 without ``sym``; dtypes and errors as :func:`bartlett`.
    """
    count, kind = _checked("hamming", M, dtype, device, layout)
    return _window(count, not sym, _cosines((0.54, 0.46)), kind, requires_grad)


@clear
def hann(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """(1 − cos(2πn / (N − 1))) / 2, shape (M,) (J. von Hann).

    N is M, or M + 1 without ``sym``; dtypes and errors as :func:`bartlett`.
    """
    count, kind = _checked("hann", M, dtype, device, layout)
    return _window(count, not sym, _cosines((0.5, 0.5)), kind, requires_grad)


@clear
def kaiser(
    M: int,  # noqa: N803
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """I₀(β √(1 − (2n / (N − 1) − 1)²)) / I₀(β), shape (M,) (Kaiser, 1974).

    N is M, or M + 1 without ``sym``.  Raises ``ArgumentError`` for a negative ``beta``; else as
    :func:`bartlett`.
    """
    count, kind = _checked("kaiser", M, dtype, device, layout)
    if beta < 0:
        raise ArgumentError(f"kaiser got beta={beta}", "it must not be negative")
    return _window(count, not sym, _bessel(beta), kind, requires_grad)


@clear
def nuttall(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Four cosine terms, 0.3635819, 0.4891775, 0.1365995 and 0.0106411 (Nuttall, 1981).

    Shape (M,); N is M, or M + 1 without ``sym``; dtypes and errors as :func:`bartlett`.
    """
    count, kind = _checked("nuttall", M, dtype, device, layout)
    terms = (0.3635819, 0.4891775, 0.1365995, 0.0106411)
    return _window(count, not sym, _cosines(terms), kind, requires_grad)


# ---- the functions of the top-level namespace ----------------------------------------------------


def _classic(
    name: str,
    window_length: int,
    periodic: bool,
    formula: Callable[[np.ndarray, int], np.ndarray],
    settings: tuple[Any, ...],
) -> Tensor:
    """A window of any floating-point dtype; ``settings`` are dtype, device, requires_grad."""
    dtype, device, requires_grad = settings
    check_device(device)
    kind = get_default_dtype() if dtype is None else as_dtype(dtype)
    if not kind.is_floating_point:
        raise DTypeError(f"{name} got dtype {kind.name}", "use a floating-point dtype")
    count = _length(name, window_length)
    return _window(count, periodic, formula, kind, requires_grad)


@clear
def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The triangle 1 − |2n / (N − 1) − 1|, shape (window_length,).

    N is window_length + 1, or without ``periodic`` window_length.  Float32 by default; raises
    ``ArgumentError`` for a negative length, ``DTypeError`` for integers and bool.
    """
    settings = (dtype, device, requires_grad)
    return _classic("bartlett_window", window_length, periodic, _triangle, settings)


@clear
def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """0.42 − 0.5 cos(2πn / (N − 1)) + 0.08 cos(4πn / (N − 1)); see :func:`bartlett_window`."""
    settings = (dtype, device, requires_grad)
    terms = _cosines((0.42, 0.5, 0.08))
    return _classic("blackman_window", window_length, periodic, terms, settings)


@clear
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """α − β cos(2πn / (N − 1)); see :func:`bartlett_window`."""
    settings = (dtype, device, requires_grad)
    return _classic("hamming_window", window_length, periodic, _cosines((alpha, beta)), settings)


@clear
def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """(1 − cos(2πn / (N − 1))) / 2; see :func:`bartlett_window`."""
    settings = (dtype, device, requires_grad)
    return _classic("hann_window", window_length, periodic, _cosines((0.5, 0.5)), settings)


@clear
def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """I₀(β √(1 − (2n / (N − 1) − 1)²)) / I₀(β); see :func:`bartlett_window`."""
    settings = (dtype, device, requires_grad)
    return _classic("kaiser_window", window_length, periodic, _bessel(beta), settings)
