"""Discrete Fourier transforms (``pellucid.fft``), composed of three primitives.

X[k] = Σ_j x[j] e^(−2πijk/n).  ``norm`` says where 1/n goes: to the inverse ("backward", the
default), to the forward transform ("forward"), or as 1/√n to both ("ortho").  Real input of a
complex transform becomes complex, integers and bool become float32 first; results of float32 are
complex64, those of float64 complex128.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import DTypeLike, as_dtype, float32
from pellucid.base.errors import ArgumentError, AxisError, DTypeUnsupportedError, ShapeError
from pellucid.base.shapes import normalize_axes, normalize_axis
from pellucid.ops import complex as ops_complex
from pellucid.ops import elementwise, structure
from pellucid.ops import fourier as ops
from pellucid.tensor.arguments import Axes
from pellucid.tensor.core import lift
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.interface import Tensor
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_float

# ---- arguments ------------------------------------------------------------------------------


def _floating(input: Tensor) -> Any:
    x = as_float(input)
    if x.dtype.is_narrow:
        raise DTypeUnsupportedError(
            f"Unsupported dtype {x.dtype.name}: a Fourier transform needs float32 or float64",
            "convert first: x.float()",
        )
    return x


def _complex(input: Tensor) -> Any:
    x = _floating(input)
    return elementwise.cast(x, x.dtype.to_complex())


def _real(name: str, input: Tensor) -> Any:
    x = _floating(input)
    if x.dtype.is_complex:
        raise DTypeUnsupportedError(
            f"{name} expects a real input tensor, but got {x.dtype.name}",
            "use the transform of complex numbers, or x.real",
        )
    return x


def _scale(norm: str | None, inverse: bool, count: int) -> float:
    """What the sums of a transform of ``count`` elements are multiplied by."""
    if norm not in (None, "backward", "forward", "ortho"):
        raise ArgumentError(
            f'Invalid normalization mode: "{norm}"', 'use "backward", "forward" or "ortho"'
        )
    if norm == "ortho":
        return 1.0 / math.sqrt(count)
    return 1.0 / count if inverse == (norm != "forward") else 1.0


def _axis(x: Any, dim: int) -> int:
    if not x.shape:
        raise AxisError(
            f"Dimension specified as {dim} but tensor has no dimensions",
            "a single number has no transform along an axis",
        )
    return normalize_axis(dim, len(x.shape))


def _plan(x: Any, s: Sequence[int] | None, dim: Axes) -> tuple[tuple[int, ...], list[int | None]]:
    """The axes of a transform of several, and the extents asked for (None: as they are)."""
    rank = len(x.shape)
    sizes = None if s is None else [s] if isinstance(s, int) else list(s)
    if dim is None:
        if sizes is not None and len(sizes) > rank:
            raise ShapeError(
                f"Got shape with {len(sizes)} values but input tensor only has {rank} dimensions.",
                "give one extent for each axis that is transformed",
            )
        axes = tuple(range(0 if sizes is None else rank - len(sizes), rank))
    else:
        given = (dim,) if isinstance(dim, int) else tuple(dim)
        axes = tuple(normalize_axis(d, rank) for d in given)
        if len(set(axes)) != len(axes):
            raise ArgumentError(f"FFT dims must be unique, and got {given}", "name each axis once")
    if sizes is not None and len(sizes) != len(axes):
        raise ArgumentError(
            f"When given, dim and shape arguments must have the same length: {axes} and {sizes}",
            "give one extent for each axis",
        )
    extents = [None if n == -1 else n for n in sizes] if sizes else [None] * len(axes)
    return axes, list(extents)


def _resized(x: Any, axis: int, n: int | None) -> Any:
    """Cut to ``n`` elements along an axis, or continued by zeros."""
    extent = x.shape[axis]
    wanted = extent if n is None else n
    if wanted < 1:
        raise ArgumentError(
            f"Invalid number of data points ({wanted}) specified", "transform at least one"
        )
    if wanted < extent:
        return x.narrow(axis, 0, wanted)
    if wanted == extent:
        return x
    high = [wanted - extent if i == axis else 0 for i in range(len(x.shape))]
    return structure.pad(x, [0] * len(x.shape), high)


def _count(x: Any, axes: Sequence[int]) -> int:
    return math.prod(x.shape[a] for a in axes)


# ---- the four kinds of transforms over several axes -------------------------------------------


def _between(
    input: Tensor, s: Sequence[int] | None, dim: Axes, norm: str | None, inverse: bool
) -> Any:
    """Complex to complex."""
    x = _complex(input)
    axes, extents = _plan(x, s, dim)
    for axis, n in zip(axes, extents, strict=True):
        x = _resized(x, axis, n)
    return ops.fft(x, axes, inverse, _scale(norm, inverse, _count(x, axes)))


def _to_half(
    name: str, input: Tensor, s: Sequence[int] | None, dim: Axes, norm: str | None, inverse: bool
) -> Any:
    """Real to half of a spectrum; of the ``inverse`` transform, which is the conjugate's."""
    x = _real(name, input)
    axes, extents = _plan(x, s, dim)
    if not axes:
        raise ArgumentError(f"{name} must transform at least one axis", "give an axis")
    for axis, n in zip(axes, extents, strict=True):
        x = _resized(x, axis, n)
    half = ops.rfft(x, axes[-1], _scale(norm, inverse, _count(x, axes)))
    half = ops_complex.conj(half) if inverse else half
    return ops.fft(half, axes[:-1], inverse)


def _from_half(
    name: str, input: Tensor, s: Sequence[int] | None, dim: Axes, norm: str | None, inverse: bool
) -> Any:
    """Half of a spectrum to real; the forward transform is that of the conjugate."""
    x = _complex(input)
    axes, extents = _plan(x, s, dim)
    if not axes:
        raise ArgumentError(f"{name} must transform at least one axis", "give an axis")
    for axis, n in zip(axes[:-1], extents[:-1], strict=True):
        x = _resized(x, axis, n)
    last = axes[-1]
    n = 2 * (x.shape[last] - 1) if extents[-1] is None else extents[-1]
    if n < 1:
        raise ArgumentError(
            f"Invalid number of data points ({n}) specified", "transform at least one"
        )
    x = ops.fft(_resized(x, last, n // 2 + 1), axes[:-1], inverse)
    x = x if inverse else ops_complex.conj(x)
    return ops.irfft(x, last, n, _scale(norm, inverse, n * _count(x, axes[:-1])))


def _line(input: Tensor, n: int | None, dim: int) -> tuple[Any, Any]:
    """Extents and axes of a transform along one axis."""
    return None if n is None else [n], [_axis(input, dim)]


# ---- along one axis ---------------------------------------------------------------------------


@takes_out
def fft(
    input: Tensor,
    n: int | None = None,
    dim: int = -1,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The transform along ``dim``, of ``n`` elements (cut, or continued by zeros): complex."""
    return _between(input, *_line(input, n, dim), norm, False)


@takes_out
def ifft(
    input: Tensor,
    n: int | None = None,
    dim: int = -1,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The inverse of :func:`fft`: 1/n Σ_k X[k] e^(2πijk/n)."""
    return _between(input, *_line(input, n, dim), norm, True)


@takes_out
def rfft(
    input: Tensor,
    n: int | None = None,
    dim: int = -1,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The first n // 2 + 1 frequencies of a real signal; the others are their conjugates."""
    return _to_half("rfft", input, *_line(input, n, dim), norm, False)


@takes_out
def irfft(
    input: Tensor,
    n: int | None = None,
    dim: int = -1,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The inverse of :func:`rfft`, with ``n`` real samples: by default 2 · (frequencies − 1)."""
    return _from_half("irfft", input, *_line(input, n, dim), norm, True)


@takes_out
def hfft(
    input: Tensor,
    n: int | None = None,
    dim: int = -1,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The real transform of a signal whose second half is the conjugate of its first, given."""
    return _from_half("hfft", input, *_line(input, n, dim), norm, False)


@takes_out
def ihfft(
    input: Tensor,
    n: int | None = None,
    dim: int = -1,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The inverse of :func:`hfft`: half of the signal that has this real transform."""
    return _to_half("ihfft", input, *_line(input, n, dim), norm, True)


# ---- along several axes -----------------------------------------------------------------------

_PAIR = (-2, -1)


@takes_out
def fftn(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = None,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The transform along several axes: ``dim``, by default the last ``len(s)``, or all."""
    return _between(input, s, dim, norm, False)


@takes_out
def ifftn(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = None,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The inverse of :func:`fftn`."""
    return _between(input, s, dim, norm, True)


@takes_out
def rfftn(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = None,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`rfft` along the last of the axes, :func:`fft` along the others."""
    return _to_half("rfftn", input, s, dim, norm, False)


@takes_out
def irfftn(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = None,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The inverse of :func:`rfftn`."""
    return _from_half("irfftn", input, s, dim, norm, True)


@takes_out
def hfftn(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = None,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`hfft` along the last of the axes, :func:`fft` along the others."""
    return _from_half("hfftn", input, s, dim, norm, False)


@takes_out
def ihfftn(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = None,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The inverse of :func:`hfftn`."""
    return _to_half("ihfftn", input, s, dim, norm, True)


@takes_out
def fft2(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = _PAIR,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`fftn` along two axes, the last ones by default."""
    return fftn(input, s, dim, norm)


@takes_out
def ifft2(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = _PAIR,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`ifftn` along two axes, the last ones by default."""
    return ifftn(input, s, dim, norm)


@takes_out
def rfft2(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = _PAIR,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`rfftn` along two axes, the last ones by default."""
    return rfftn(input, s, dim, norm)


@takes_out
def irfft2(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = _PAIR,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`irfftn` along two axes, the last ones by default."""
    return irfftn(input, s, dim, norm)


@takes_out
def hfft2(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = _PAIR,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`hfftn` along two axes, the last ones by default."""
    return hfftn(input, s, dim, norm)


@takes_out
def ihfft2(
    input: Tensor,
    s: Sequence[int] | None = None,
    dim: Axes = _PAIR,
    norm: str | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:func:`ihfftn` along two axes, the last ones by default."""
    return ihfftn(input, s, dim, norm)


# ---- frequencies ------------------------------------------------------------------------------


@takes_out
def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    out: Tensor | None = None,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of :func:`fft`: 0, 1, …, −2, −1 divided by n · d, ``d`` being the spacing."""
    numbers = [*range((n + 1) // 2), *range(-(n // 2), 0)]
    return _frequencies(numbers, n, d, dtype, device).requires_grad_(requires_grad)


@takes_out
def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    out: Tensor | None = None,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of :func:`rfft`: 0, 1, …, n // 2 divided by n · d."""
    return _frequencies(list(range(n // 2 + 1)), n, d, dtype, device).requires_grad_(requires_grad)


def _frequencies(
    numbers: list[int], n: int, d: float, dtype: DTypeLike | None, device: DeviceLike | None
) -> Any:
    check_device(device)
    kind = as_dtype(dtype or float32)
    scale = 1.0 / (n * d) if n * d else math.inf
    return lift(kind.array(np.asarray(numbers, np.float64) * scale))


def _shifted(input: Tensor, dim: Axes, inverse: bool) -> Any:
    axes = normalize_axes(dim, len(input.shape))
    shifts = [(input.shape[a] + inverse) // 2 for a in axes]
    return input.roll(tuple(shifts), axes) if axes else input


@clear
def fftshift(input: Tensor, dim: Axes = None) -> Tensor:
    """Frequency 0 moved to the middle of the axes ``dim`` (all by default)."""
    return _shifted(input, dim, False)


@clear
def ifftshift(input: Tensor, dim: Axes = None) -> Tensor:
    """The inverse of :func:`fftshift`."""
    return _shifted(input, dim, True)


__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "hfft2",
    "hfftn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]
