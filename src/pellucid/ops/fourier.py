"""Discrete Fourier transforms: three primitives, from which all others are composed.

They are linear, and each is, up to weights, the gradient of another: that of X = F x is F̄ᵀ g, the
transform in the other direction.  ``scale`` multiplies the sums, in both directions.  (Cooley and
Tukey, 1965; NumPy computes them by PocketFFT.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.base.errors import DTypeError, ShapeError
from pellucid.base.shapes import normalize_axes, normalize_axis
from pellucid.graph.node import Sample, Spec
from pellucid.ops import elementwise
from pellucid.ops.registry import Value, apply, define, ramp

_FAST = "a fast transform takes n log n steps, a composition of products n²"


def _no_empty_axis(name: str, x: Spec, axes: Sequence[int]) -> None:
    for axis in axes:
        if x.shape[axis] < 1:
            raise ShapeError(
                f"{name} got an axis of extent {x.shape[axis]}: a transform needs at least 1",
                "Invalid number of data points: pass at least one sample",
            )


# ---- complex to complex ---------------------------------------------------------------------


def _infer_fft(x: Spec, *, axes: tuple[int, ...], inverse: bool, scale: float) -> Spec:
    if not x.dtype.is_complex:
        raise DTypeError(f"fft needs complex numbers and got {x.dtype.name}", "convert first")
    _no_empty_axis("fft", x, axes)
    return x


def _evaluate_fft(
    x: np.ndarray, *, axes: tuple[int, ...], inverse: bool, scale: float
) -> np.ndarray:
    # NumPy divides by n in this direction; its other norm leaves that out.
    found = np.fft.ifftn(x, axes=axes, norm="forward") if inverse else np.fft.fftn(x, axes=axes)
    return _scaled(found, scale, x.dtype)


def _scaled(found: np.ndarray, scale: float, dtype: np.dtype) -> np.ndarray:
    """A new array times a number, in a dtype: NumPy 1 transforms in double precision."""
    if scale != 1:
        found *= scale
    return np.asarray(found, dtype)


FFT = define(
    "fft",
    "fourier",
    "X[k] = sum over j of x[j] * e^(-2 pi i j k / n) along each axis; + for the inverse",
    infer=_infer_fft,
    evaluate=_evaluate_fft,
    gradient=lambda g, y, x, *, axes, inverse, scale: (fft(g, axes, not inverse, scale),),
    samples=lambda: [
        Sample((_complex(3, 4),), {"axes": (1,), "inverse": False, "scale": 1.0}),
        Sample((_complex(5, 2),), {"axes": (0,), "inverse": True, "scale": 0.2}),
        Sample((_complex(2, 3, 4),), {"axes": (0, 2), "inverse": False, "scale": 1.0}),
    ],
    reason=_FAST,
    tangent="linear",
    batch="leading",
)


def _complex(*shape: int) -> np.ndarray:
    return ramp(*shape) + 1j * ramp(*shape, low=-1.0, high=1.5)


def fft(x: Value, axes: Sequence[int], inverse: bool = False, scale: float = 1.0) -> Value:
    """The transform of complex numbers along ``axes``, times ``scale``; the shape stays."""
    chosen = normalize_axes(tuple(axes), len(x.shape))
    return apply(FFT, x, axes=chosen, inverse=inverse, scale=float(scale)) if chosen else x


# ---- real to half of a spectrum, and back ---------------------------------------------------


def _infer_rfft(x: Spec, *, axis: int, scale: float) -> Spec:
    if x.dtype.name not in ("float32", "float64"):
        raise DTypeError(
            f"rfft needs float32 or float64 and got {x.dtype.name}", "convert first, or use fft"
        )
    _no_empty_axis("rfft", x, (axis,))
    shape = (*x.shape[:axis], x.shape[axis] // 2 + 1, *x.shape[axis + 1 :])
    return Spec(shape, x.dtype.to_complex())


def _evaluate_rfft(x: np.ndarray, *, axis: int, scale: float) -> np.ndarray:
    kind = np.complex64 if x.dtype == np.float32 else np.complex128
    return _scaled(np.fft.rfft(x, axis=axis), scale, np.dtype(kind))


def _rfft_gradient(g: Value, y: Value, x: Value, *, axis: int, scale: float) -> tuple[Value]:
    """Re Σ_k g_k e^(2πijk/n) over the half: irfft counts the frequencies between twice."""
    n = x.shape[axis]
    return (irfft(elementwise.mul(g, _weights(g, n, axis, 0.5)), axis, n, scale),)


RFFT = define(
    "rfft",
    "fourier",
    "the first n // 2 + 1 frequencies of a real signal along an axis",
    infer=_infer_rfft,
    evaluate=_evaluate_rfft,
    gradient=_rfft_gradient,
    samples=lambda: [
        Sample((ramp(3, 6),), {"axis": 1, "scale": 1.0}),
        Sample((ramp(5, 2),), {"axis": 0, "scale": 0.5}),
        Sample((ramp(1),), {"axis": 0, "scale": 0.5}),
    ],
    reason=_FAST,
    tangent="linear",
    batch="leading",
)


def rfft(x: Value, axis: int, scale: float = 1.0) -> Value:
    """Half of the spectrum of a real signal: n values along ``axis`` give n // 2 + 1."""
    return apply(RFFT, x, axis=normalize_axis(axis, len(x.shape)), scale=float(scale))


def _infer_irfft(x: Spec, *, axis: int, n: int, scale: float) -> Spec:
    if not x.dtype.is_complex:
        raise DTypeError(f"irfft needs complex numbers and got {x.dtype.name}", "convert first")
    if n < 1 or x.shape[axis] != n // 2 + 1:
        raise ShapeError(
            f"irfft got {x.shape[axis]} frequencies for {n} samples",
            "a real signal of n samples has n // 2 + 1",
        )
    return Spec((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype.to_real())


def _evaluate_irfft(x: np.ndarray, *, axis: int, n: int, scale: float) -> np.ndarray:
    return _scaled(np.fft.irfft(x, n, axis=axis, norm="forward"), scale, x.real.dtype)


def _irfft_gradient(
    g: Value, y: Value, x: Value, *, axis: int, n: int, scale: float
) -> tuple[Value]:
    spectrum = rfft(g, axis, scale)
    return (elementwise.mul(spectrum, _weights(spectrum, n, axis, 2.0)),)


IRFFT = define(
    "irfft",
    "fourier",
    "n real samples from n // 2 + 1 frequencies, the others being their conjugates",
    infer=_infer_irfft,
    evaluate=_evaluate_irfft,
    gradient=_irfft_gradient,
    samples=lambda: [
        Sample((_complex(3, 4),), {"axis": 1, "n": 6, "scale": 1.0}),
        Sample((_complex(3, 2),), {"axis": 0, "n": 5, "scale": 0.2}),
        Sample((_complex(1),), {"axis": 0, "n": 1, "scale": 1.0}),
    ],
    reason=_FAST,
    tangent="linear",
    batch="leading",
)


def irfft(x: Value, axis: int, n: int, scale: float = 1.0) -> Value:
    """The real signal of ``n`` samples with these n // 2 + 1 frequencies, times n · scale.

    The imaginary parts of frequency 0 and, for even n, of n / 2 count as 0.
    """
    place = normalize_axis(axis, len(x.shape))
    return apply(IRFFT, x, axis=place, n=int(n), scale=float(scale))


def _weights(like: Value, n: int, axis: int, between: float) -> Value:
    """1 for frequencies that are their own conjugates, ``between`` for the others."""
    line = np.full(n // 2 + 1, between)
    line[0] = 1.0
    if n % 2 == 0:
        line[-1] = 1.0
    shape = [-1 if i == axis else 1 for i in range(len(like.shape))]
    return like.lift(like.dtype.array(line.reshape(shape)))  # (n // 2 + 1,) -> (1, .., n', .., 1)
