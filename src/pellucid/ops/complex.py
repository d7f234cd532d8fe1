"""Complex numbers: conjugation, and the parts of a number as an axis of real numbers.

These three are all that complex arithmetic needs beside the operations of real numbers, which
take complex operands as they are.  The gradient of a real L is ∂L/∂Re z + i ∂L/∂Im z.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pellucid.base.errors import DTypeError, ShapeError
from pellucid.graph.node import Sample, Spec
from pellucid.ops.registry import PRIMITIVES, Value, apply, define, ramp, scalar

_LAYOUT = "another reading of the same memory, which no arithmetic expresses"


def _samples_complex() -> Iterable[Sample]:
    yield Sample((ramp(3, 5) + 1j * ramp(3, 5, low=-1.0),))
    yield Sample((np.asarray(0.3 - 0.7j),))
    yield Sample((ramp(2, 0) + 0j,))


def _infer_conj(x: Spec) -> Spec:
    _require_complex("conj", x)
    return x


def _require_complex(name: str, x: Spec) -> None:
    if not x.dtype.is_complex:
        raise DTypeError(
            f"{name} needs complex numbers and got {x.dtype.name}", "convert with .to(complex64)"
        )


CONJUGATE = define(
    "conj",
    "elementwise",
    "re - i im",
    infer=_infer_conj,
    evaluate=np.conjugate,
    gradient=lambda g, y, x: (conj(g),),
    samples=_samples_complex,
    reason="it is no function of complex arithmetic: it has no complex derivative",
    tangent="linear",
    batch="elementwise",
)


def _infer_view_as_real(x: Spec) -> Spec:
    _require_complex("view_as_real", x)
    return Spec((*x.shape, 2), x.dtype.to_real())


def _evaluate_view_as_real(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x)  # a number of NumPy's own has no memory to show
    part = x.real
    shown = np.lib.stride_tricks.as_strided(
        part, (*x.shape, 2), (*x.strides, part.itemsize), writeable=x.flags.writeable
    )
    return shown


VIEW_AS_REAL = define(
    "view_as_real",
    "movement",
    "real and imaginary part as a last axis of extent 2",
    infer=_infer_view_as_real,
    evaluate=_evaluate_view_as_real,
    gradient=lambda g, y, x: (view_as_complex(g),),
    samples=_samples_complex,
    reason=_LAYOUT,
    tangent="linear",
    batch="leading",
)


def _infer_view_as_complex(x: Spec) -> Spec:
    if x.dtype.name not in ("float32", "float64"):
        raise DTypeError(
            f"view_as_complex needs float32 or float64 and got {x.dtype.name}", "convert first"
        )
    if not x.shape or x.shape[-1] != 2:
        raise ShapeError(
            f"view_as_complex got shape {x.shape}: tensor must have a last dimension of size 2",
            "stack real and imaginary parts along a last axis: stack([re, im], -1)",
        )
    return Spec(x.shape[:-1], x.dtype.to_complex())


def are_pairs(x: np.ndarray) -> bool:
    """Whether the memory of an array (…, 2) of real numbers is one of complex numbers."""
    pair = 2 * x.itemsize
    return x.strides[-1] == x.itemsize and all(s % pair == 0 for s in x.strides[:-1])


def _evaluate_view_as_complex(x: np.ndarray) -> np.ndarray:
    pairs = x if x.size == 0 or are_pairs(x) else np.ascontiguousarray(x)
    kind = np.complex64 if x.dtype == np.float32 else np.complex128
    return pairs.view(kind)[..., 0]


VIEW_AS_COMPLEX = define(
    "view_as_complex",
    "movement",
    "a last axis of extent 2 as real and imaginary part",
    infer=_infer_view_as_complex,
    evaluate=_evaluate_view_as_complex,
    gradient=lambda g, y, x: (view_as_real(g),),
    samples=lambda: [Sample((ramp(3, 4, 2),)), Sample((ramp(2),)), Sample((ramp(0, 2),))],
    reason=_LAYOUT,
    tangent="linear",
    batch="leading",
)


def conj(x: Value) -> Value:
    """re − i im; a real value is its own conjugate."""
    return apply(CONJUGATE, x) if x.dtype.is_complex else x


def view_as_real(x: Value) -> Value:
    """The parts of complex numbers as a last axis: (…) → (…, 2)."""
    return apply(VIEW_AS_REAL, x)


def view_as_complex(x: Value) -> Value:
    """The inverse of :func:`view_as_real`: (…, 2) → (…)."""
    return apply(VIEW_AS_COMPLEX, x)


def _part(x: Value, number: int) -> Value:
    pairs = view_as_real(x)
    shape = tuple(x.shape)
    start, stop = (*(0 for _ in shape), number), (*shape, number + 1)
    line = apply(PRIMITIVES["slice"], pairs, start=start, stop=stop, step=(1,) * len(stop))
    return apply(PRIMITIVES["reshape"], line, shape=shape)


def real(x: Value) -> Value:
    """The real part; a real value is its own."""
    return _part(x, 0) if x.dtype.is_complex else x


def imag(x: Value) -> Value:
    """The imaginary part of complex numbers."""
    return _part(x, 1)


def from_parts(re: Value, im: Value) -> Value:
    """re + i im of two real values of one shape."""
    shape = (*re.shape, 1)
    parts = [apply(PRIMITIVES["reshape"], part, shape=shape) for part in (re, im)]
    return view_as_complex(apply(PRIMITIVES["concatenate"], *parts, axis=len(shape) - 1))


def sgn(x: Value) -> Value:
    """x / |x| of complex numbers; 0 for 0."""
    size = apply(PRIMITIVES["abs"], x)
    zero = apply(PRIMITIVES["eq"], size, scalar(size, 0.0))
    safe = apply(PRIMITIVES["where"], zero, scalar(size, 1.0), size)
    found = apply(PRIMITIVES["div"], x, apply(PRIMITIVES["cast"], safe, dtype=x.dtype))
    return apply(PRIMITIVES["where"], zero, scalar(x, 0.0), found)
