"""Reductions and normalizations of the elements that a mask lets through (``pellucid.masked``).

``mask`` is a bool tensor that broadcasts to the input; elements where it is False do not count:
they are replaced by what changes nothing (0 in a sum, −∞ in a maximum).  Without a mask all count.
``dim`` is an axis, several, or None for all.  All compile and have gradients.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import DType, DTypeLike, as_dtype, int64
from pellucid.base.errors import ArgumentTypeError, AxisError, DTypeError, ShapeError
from pellucid.base.shapes import normalize_axis
from pellucid.tensor.arguments import Axes
from pellucid.tensor.creation import ones_like
from pellucid.tensor.interface import Tensor


def _mask_of(name: str, input: Any, mask: Any) -> Any:
    """The mask in the input's shape, or None."""
    if mask is None:
        return None
    if not isinstance(mask, Tensor):
        raise ArgumentTypeError(f"{name} got a mask of {type(mask).__name__}", "pass a bool tensor")
    if len(mask.shape) > len(input.shape):
        raise AxisError(
            f"{name} got a mask of shape {tuple(mask.shape)} for {tuple(input.shape)}",
            "a mask has no more axes than the input",
        )
    pairs = zip(reversed(tuple(mask.shape)), reversed(tuple(input.shape)), strict=False)
    if any(m not in (1, n) for m, n in pairs):
        raise ShapeError(
            f"{name} got a mask of shape {tuple(mask.shape)} for {tuple(input.shape)}",
            "it must broadcast to the input",
        )
    return mask.bool().expand(*input.shape)


def _only(name: str, input: Any, mask: Any, identity: float) -> Any:
    """The input with ``identity`` where the mask is False."""
    chosen = _mask_of(name, input, mask)
    return input if chosen is None else input.masked_fill(chosen.logical_not(), identity)


def _in(input: Any, dtype: DTypeLike | None, whole: bool = False) -> Any:
    """The input in ``dtype``; with ``whole`` integers and bool become int64 by default."""
    if dtype is not None:
        return input.to(as_dtype(dtype))
    counts = not (input.dtype.is_floating_point or input.dtype.is_complex)
    return input.to(int64) if whole and counts else input


def _need_float(name: str, input: Any, or_complex: bool = False) -> Any:
    if not (input.dtype.is_floating_point or (or_complex and input.dtype.is_complex)):
        raise DTypeError(f"{name} got {input.dtype.name}", "pass dtype=…, or convert with .float()")
    return input


def _axes(input: Any, dim: Axes) -> list[int]:
    rank = len(input.shape)
    if dim is None or (not isinstance(dim, int) and not len(dim)):
        return list(range(rank))
    listed = [dim] if isinstance(dim, int) else list(dim)
    return [normalize_axis(d, rank) for d in listed]


def _lowest(dtype: DType, sign: int) -> Any:
    """−∞ or the least number (sign −1), ∞ or the largest."""
    if dtype.is_floating_point:
        return sign * math.inf
    if dtype.kind == "bool":
        return sign > 0
    limits: Any = np.iinfo(dtype.numpy.name)
    return limits.max if sign > 0 else limits.min


@clear
def sum(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Σ of the elements let through; 0 where none is.  Integers and bool are summed in int64."""
    x = _only("sum", _in(input, dtype, whole=True), mask, 0)
    return x.sum(_axes(x, dim), keepdim) if len(x.shape) else x


@clear
def prod(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Π of the elements let through; 1 where none is.  Integers and bool are int64."""
    x = _only("prod", _in(input, dtype, whole=True), mask, 1)
    for axis in sorted(_axes(x, dim), reverse=True):
        x = x.prod(axis, keepdim)
    return x


@clear
def cumsum(
    input: Tensor, dim: int, *, dtype: DTypeLike | None = None, mask: Tensor | None = None
) -> Tensor:
    """Running sums along an axis, elements kept back counting 0; shape as before."""
    x = _in(input, dtype)
    found = _only("cumsum", x, mask, 0).cumsum(dim)
    return found.to(x.dtype)


@clear
def cumprod(
    input: Tensor, dim: int, *, dtype: DTypeLike | None = None, mask: Tensor | None = None
) -> Tensor:
    """Running products along an axis, elements kept back counting 1; shape as before."""
    x = _in(input, dtype)
    found = _only("cumprod", x, mask, 1).cumprod(dim)
    return found.to(x.dtype)


@clear
def amax(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The largest element let through; −∞ (of integers the least number) where none is."""
    x = _in(input, dtype)
    x = _only("amax", x, mask, _lowest(x.dtype, -1))
    return x.amax(_axes(x, dim), keepdim) if len(x.shape) else x


@clear
def amin(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The smallest element let through; ∞ (of integers the largest number) where none is."""
    x = _in(input, dtype)
    x = _only("amin", x, mask, _lowest(x.dtype, 1))
    return x.amin(_axes(x, dim), keepdim) if len(x.shape) else x


@clear
def argmax(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The place of the largest element let through, in the input's dtype as PyTorch has it."""
    x = _in(input, dtype)
    kept = keepdim and len(x.shape) > 0
    found: Any = _only("argmax", x, mask, _lowest(x.dtype, -1)).argmax(dim, kept)
    return found.to(x.dtype)


@clear
def argmin(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The place of the smallest element let through, in the input's dtype as PyTorch has it."""
    x = _in(input, dtype)
    kept = keepdim and len(x.shape) > 0
    found: Any = _only("argmin", x, mask, _lowest(x.dtype, 1)).argmin(dim, kept)
    return found.to(x.dtype)


def _count(input: Any, axes: list[int], mask: Any, name: str) -> Any:
    """How many elements are let through, axes kept."""
    chosen = _mask_of(name, input, mask)
    ones: Any = ones_like(input.detach().real if input.dtype.is_complex else input.detach())
    ones = ones if chosen is None else ones.masked_fill(chosen.logical_not(), 0)
    return ones.sum(axes, keepdim=True) if axes else ones


def _dropped(value: Any, axes: list[int], keepdim: bool) -> Any:
    return value if keepdim or not axes else value.squeeze(tuple(axes))


@clear
def mean(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The mean of the elements let through; NaN where none is.

    Raises ``DTypeError`` for integers without ``dtype``.
    """
    x = _need_float("mean", _in(input, dtype), True)
    axes = _axes(x, dim)
    kept = _only("mean", x, mask, 0)
    total = kept.sum(axes, keepdim=True) if axes else kept
    made: Tensor = _dropped(total / _count(x, axes, mask, "mean"), axes, keepdim)
    return made


@clear
def median(
    input: Tensor,
    dim: int = -1,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The median along an axis of the elements let through, the lower of two; NaN where none is.

    Raises ``DTypeError`` for integers without ``dtype``.
    """
    x = _need_float("median", _in(input, dtype))
    if mask is None:
        return x.median(dim, keepdim).values
    return _only("median", x, mask, math.nan).nanmedian(dim, keepdim).values


@clear
def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """(Σ |x|^ord)^(1/ord) of the elements let through; ±∞: the largest, the smallest |x|."""
    x = _need_float("norm", _in(input, dtype), True)
    power = 2.0 if ord is None else float(ord)
    x = _only("norm", x, mask, math.inf if power == -math.inf else 0.0)
    return x.norm(power, _axes(x, dim), keepdim)


@clear
def normalize(
    input: Tensor,
    ord: float,
    dim: int,
    *,
    eps: float = 1e-12,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The elements let through by their norm along ``dim`` (at least ``eps``), 0 elsewhere."""
    x = _need_float("normalize", _in(input, dtype), True)
    size: Any = norm(x, ord, dim, keepdim=True, mask=mask)
    return _only("normalize", x, mask, 0.0) / size.clamp(min=eps)


@clear
def var(
    input: Tensor,
    dim: Axes = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Σ |x − mean|² / (count − correction) of the elements let through, in the input's dtype.

    ``correction`` is 1 by default; ``unbiased=False`` is 0.  NaN where there are too few.
    """
    x = _in(input, dtype)
    x = x if x.dtype.is_floating_point or x.dtype.is_complex else x.float()
    amount = (0.0 if unbiased is False else 1.0) if correction is None else float(correction)
    axes = _axes(x, dim)
    counts = _count(x, axes, mask, "var")
    kept = _only("var", x, mask, 0)
    center = (kept.sum(axes, keepdim=True) if axes else kept) / counts
    gaps = x - center
    squares = gaps * gaps.conj() if x.dtype.is_complex else gaps.square()
    squares = _only("var", squares, mask, 0)
    total = squares.sum(axes, keepdim=True) if axes else squares
    made: Tensor = _dropped(total / (counts - amount).clamp(min=0), axes, keepdim)
    return made


@clear
def std(
    input: Tensor,
    dim: Axes = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The square root of :func:`var`."""
    found: Any = var(
        input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask
    )
    return found.sqrt()


@clear
def softmax(
    input: Tensor, dim: int, *, dtype: DTypeLike | None = None, mask: Tensor | None = None
) -> Tensor:
    """e^x / Σ e^x along ``dim`` of the elements let through, 0 elsewhere; NaN where none is."""
    x = _need_float("softmax", _in(input, dtype))
    return _only("softmax", x, mask, -math.inf).softmax(dim)


@clear
def log_softmax(
    input: Tensor, dim: int, *, dtype: DTypeLike | None = None, mask: Tensor | None = None
) -> Tensor:
    """ln of :func:`softmax`, −∞ where the mask is False."""
    x = _need_float("log_softmax", _in(input, dtype))
    return _only("log_softmax", x, mask, -math.inf).log_softmax(dim)


@clear
def softmin(
    input: Tensor, dim: int, *, dtype: DTypeLike | None = None, mask: Tensor | None = None
) -> Tensor:
    """:func:`softmax` of −x: large where x is small."""
    x = _need_float("softmin", _in(input, dtype))
    return (-_only("softmin", x, mask, math.inf)).softmax(dim)


@clear
def logsumexp(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: DTypeLike | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """ln Σ e^x of the elements let through; −∞ where none is.

    In the dtype of the input, or ``dtype``: of integers the fraction is cut off.
    """
    given = _in(input, dtype)
    x = given if given.dtype.is_floating_point or given.dtype.is_complex else given.float()
    x = _only("logsumexp", x, mask, -math.inf)
    if len(x.shape):
        found = x.logsumexp(_axes(x, dim), keepdim)
    else:  # of one complex number it is that branch of the logarithm which log takes
        found = x.unsqueeze(0).logsumexp(0) if x.dtype.is_complex else x
    return found.to(given.dtype)


@clear
def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: DTypeLike | None = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """ln(e^x + e^y), element by element; an element kept back counts −∞."""
    x = _only("logaddexp", _in(input, dtype), input_mask, -math.inf)
    y = _only("logaddexp", _in(other, dtype), other_mask, -math.inf)
    return x.logaddexp(y)
