"""Methods that reduce over axes, accumulate or sort."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, overload

from pellucid.base.dtypes import DTypeLike, as_dtype, bool_, uint8
from pellucid.base.errors import ArgumentError, DTypeError, OutOfRangeError
from pellucid.base.shapes import normalize_axes, normalize_axis, size_of
from pellucid.ops import elementwise, indexing, structure
from pellucid.tensor.arguments import Axes
from pellucid.tensor.core import TensorCore
from pellucid.tensor.eager import rows, unit
from pellucid.tensor.interface import Tensor
from pellucid.tensor.norms import nuclear_norm
from pellucid.tensor.promotion import as_float
from pellucid.tensor.results import ValuesIndices


def _axes(tensor: TensorCore, dim: Axes) -> tuple[int, ...]:
    """``dim`` normalized; None and the empty sequence mean all axes, as in PyTorch."""
    whole = dim is None or (isinstance(dim, (list, tuple)) and not dim)
    return normalize_axes(None if whole else dim, len(tensor.shape))


def need_elements(name: str, tensor: Any, axes: Sequence[int]) -> None:
    """Raise where there is no element along some axis to choose from."""
    for axis in axes if tensor.shape else ():
        if tensor.shape[axis] == 0:
            raise OutOfRangeError(
                f"{name} over axis {axis} of shape {tuple(tensor.shape)}: there is no element to "
                "choose from",
                "reduce only axes with at least one element",
            )


def _cast(tensor: Any, dtype: Any) -> Any:
    """The tensor in the dtype in which to compute, if one is given."""
    return tensor if dtype is None else elementwise.cast(tensor, as_dtype(dtype))


def root(total: Any, exponent: float) -> Any:
    """total^exponent of sums that are not negative; the slope at 0 is 0, not infinite."""
    zero = total.eq(0)
    found = total.masked_fill(zero, 1.0).pow(exponent)
    return found.masked_fill(zero, 0.0 if exponent > 0 else math.inf)


def spread(x: Any, axes: tuple[int, ...], keepdim: bool, correction: float) -> Any:
    """The variance of floating-point numbers over ``axes``; 0/0 is NaN, more than that / 0 is ∞.

    (Σc² − (Σc)²/n) / (n − correction), c being the distances from the mean.  They are taken from
    the first element first: such differences of near numbers are exact, so that a large mean
    costs no digits and equal elements give exactly 0.  (Chan, Golub and LeVeque, 1983.)
    """
    count = size_of(x.shape[a] for a in axes)
    if not count:
        return structure.sum(x, axes, keepdim) + math.nan
    fixed = x.detach()
    stop = [1 if a in axes else n for a, n in enumerate(x.shape)]
    first = structure.slice_(fixed, [0] * len(stop), stop, [1] * len(stop))
    centred = (x - first) - (fixed - first).mean(axes, keepdim=True)
    left = structure.sum(centred, axes, keepdim)
    squares = structure.sum(centred * centred, axes, keepdim) - left * left * (1.0 / count)
    freedom = count - correction
    return squares * (1.0 / freedom) if freedom > 0 else squares / 0.0


def shared(x: Any, value: Any) -> Any:
    """``value``, one of the elements of a vector, with its gradient shared by equal elements."""
    if not x.dtype.is_floating_point or not x.shape[0]:
        return value
    fixed = value.detach()
    equal = x.eq(fixed).logical_or(x.isnan().logical_and(fixed.isnan()))
    return structure.max_(x.masked_fill(equal.logical_not(), -math.inf), 0)


class ReducingMethods(Tensor):
    """Sums, means, extremes, norms, running sums, sorting."""

    __slots__ = ()

    def sum(
        self, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
    ) -> Tensor:
        """Sum over ``dim`` (all axes by default). Integers and bool sum to int64."""
        x = _cast(self, dtype)
        return _cast(structure.sum(x, _axes(x, dim), keepdim), dtype)

    def prod(
        self, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
    ) -> Tensor:
        """Product over ``dim`` (all axes by default)."""
        return _cast(structure.prod(_cast(self, dtype), _axes(self, dim), keepdim), dtype)

    def mean(
        self, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
    ) -> Tensor:
        """Sum divided by the number of elements; NaN for none.

        Raises ``DTypeError`` for integers and bool where no ``dtype`` is given.
        """
        x = _cast(self, dtype)
        if not x.dtype.is_differentiable:
            raise DTypeError(
                f"mean(): could not infer output dtype. Input dtype must be either a floating "
                f"point or complex dtype. Got: {x.dtype.name}",
                "convert with .float(), or give dtype=pellucid.float32",
            )
        axes = _axes(x, dim)
        count = size_of(x.shape[a] for a in axes)
        return structure.sum(x, axes, keepdim) * (1.0 / count if count else math.nan)

    def var(
        self,
        dim: Axes = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = 1,
    ) -> Tensor:
        """Σ|x − mean|² / (n − correction) over ``dim``; ``correction=0`` is the population's."""
        x = as_float(self)
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        axes = _axes(x, dim)
        if unbiased is not None:
            correction = 1 if unbiased else 0
        correction = 1 if correction is None else correction
        if x.dtype.is_complex:
            return spread(x.real, axes, keepdim, correction) + spread(
                x.imag, axes, keepdim, correction
            )
        return spread(x, axes, keepdim, correction)

    def std(
        self,
        dim: Axes = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = 1,
    ) -> Tensor:
        """√var.  The gradient where all elements are equal is 0 (a subgradient)."""
        return root(self.var(dim, unbiased, keepdim, correction=correction), 0.5)

    def norm(self, p: float | str = 2, dim: Axes = None, keepdim: bool = False) -> Tensor:
        """(Σ|x|^p)^(1/p); p = inf, −inf: largest, smallest |x|; p = 0: number of nonzeros;
        "fro": p = 2; "nuc", over two axes: sum of the singular values.

        The gradient where the norm is 0, and for p < 1 that of elements that are 0, is 0 (a
        subgradient).
        """
        x = as_float(self)
        axes = _axes(x, dim)
        if p == "nuc":
            return nuclear_norm(x, axes, keepdim)
        x = x.abs() if x.dtype.is_complex else x
        if p in (2, "fro"):
            return root(structure.sum(x * x, axes, keepdim), 0.5)
        if isinstance(p, str):
            raise ArgumentError(
                f"there is no norm {p!r}", 'use a number, inf, -inf, "fro" or "nuc"'
            )
        if p == math.inf or p < 0:
            need_elements(f"norm with p={p}", x, axes)
        size = x.abs()
        if p == math.inf:
            return structure.max_(size, axes, keepdim)
        if p == -math.inf:
            return structure.min_(size, axes, keepdim)
        if p == 0:
            # Rounded down, 1 for what is not 0: a staircase, so that the gradient is 0, not none.
            counted = size.masked_fill(x.ne(0), 1.0).floor()
            return structure.sum(counted, axes, keepdim)
        if p == 1:
            return structure.sum(size, axes, keepdim)
        if p < 2:
            zero = x.eq(0)  # where |x|^(p − 1) has no derivative, or no value
            powers = size.masked_fill(zero, 1.0).pow(p)
            powers = powers.masked_fill(zero, 0.0 if p > 0 else math.inf)
        else:
            powers = size.pow(p)
        return root(structure.sum(powers, axes, keepdim), 1.0 / p)

    @unit(rows(1 << 14))
    def logsumexp(self, dim: Axes, keepdim: bool = False) -> Tensor:
        """ln Σ e^x without overflow: m + ln Σ e^(x − m) with m the largest element."""
        x = as_float(self)
        axes = _axes(x, dim)
        if any(x.shape[a] == 0 for a in axes):
            return structure.sum(x, axes, keepdim) - math.inf  # nothing: ln 0
        largest = structure.max_(x.real, axes, True).detach()
        largest = largest.masked_fill(largest.isfinite().logical_not(), 0.0)
        total = structure.sum((x - largest).exp(), axes, True).log() + largest
        return total if keepdim else structure.reshape(total, structure.sum(x, axes).shape)

    def amax(self, dim: Axes = None, keepdim: bool = False) -> Tensor:
        """Largest element over ``dim``; equal ones share the gradient evenly."""
        need_elements("amax", self, _axes(self, dim))
        return structure.max_(self, _axes(self, dim), keepdim)

    def amin(self, dim: Axes = None, keepdim: bool = False) -> Tensor:
        """Smallest element over ``dim``; equal ones share the gradient evenly."""
        need_elements("amin", self, _axes(self, dim))
        return structure.min_(self, _axes(self, dim), keepdim)

    def _extreme(self, positions: Any, axis: int, keepdim: bool) -> ValuesIndices:
        shape = tuple(1 if i == axis else n for i, n in enumerate(self.shape))
        where = structure.reshape(positions, shape if self.shape else ())
        values = indexing.gather(self, where, axis) if self.shape else self
        if keepdim:
            return ValuesIndices(values, where)
        return ValuesIndices(structure.reshape(values, positions.shape), positions)

    @overload
    def max(self) -> Tensor: ...
    @overload
    def max(self, dim: int, keepdim: bool = False) -> ValuesIndices: ...
    @overload
    def max(self, dim: Tensor) -> Tensor: ...
    def max(self, dim: int | Tensor | None = None, keepdim: bool = False) -> Tensor | ValuesIndices:
        """Without ``dim`` the largest element; with it (values, positions) along the axis.

        Another tensor as ``dim`` gives :meth:`maximum`.
        """
        if isinstance(dim, TensorCore):
            return self.maximum(dim)
        need_elements("max", self, _axes(self, dim))
        if dim is None:
            return self.amax()
        axis = normalize_axis(dim, len(self.shape))
        return self._extreme(structure.argmax(self, axis), axis, keepdim)

    @overload
    def min(self) -> Tensor: ...
    @overload
    def min(self, dim: int, keepdim: bool = False) -> ValuesIndices: ...
    @overload
    def min(self, dim: Tensor) -> Tensor: ...
    def min(self, dim: int | Tensor | None = None, keepdim: bool = False) -> Tensor | ValuesIndices:
        """Without ``dim`` the smallest element; with it (values, positions) along the axis."""
        if isinstance(dim, TensorCore):
            return self.minimum(dim)
        need_elements("min", self, _axes(self, dim))
        if dim is None:
            return self.amin()
        axis = normalize_axis(dim, len(self.shape))
        return self._extreme(structure.argmin(self, axis), axis, keepdim)

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Position of the first largest element, in the flattened tensor or along ``dim``."""
        need_elements("argmax", self, _axes(self, dim))
        if dim is None:
            return structure.argmax(structure.reshape(self, (-1,)), 0)
        axis = normalize_axis(dim, len(self.shape))
        found = structure.argmax(self, axis)
        return self._kept(found, axis, keepdim)

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Position of the first smallest element, in the flattened tensor or along ``dim``."""
        need_elements("argmin", self, _axes(self, dim))
        if dim is None:
            return structure.argmin(structure.reshape(self, (-1,)), 0)
        axis = normalize_axis(dim, len(self.shape))
        found = structure.argmin(self, axis)
        return self._kept(found, axis, keepdim)

    def _kept(self, found: Any, axis: int, keepdim: bool) -> Any:
        return found.unsqueeze(axis) if keepdim and self.shape else found

    def any(self, dim: Axes = None, keepdim: bool = False) -> Tensor:
        """Whether any element over ``dim`` is nonzero: bool, of uint8 as uint8."""
        return self._as_answer(self._count_true(dim, keepdim).gt(0))

    def all(self, dim: Axes = None, keepdim: bool = False) -> Tensor:
        """Whether every element over ``dim`` is nonzero (true for none); dtype as :meth:`any`."""
        count = size_of(self.shape[a] for a in _axes(self, dim))
        return self._as_answer(self._count_true(dim, keepdim).eq(count))

    def _as_answer(self, answer: Any) -> Any:
        return elementwise.cast(answer, uint8) if self.dtype is uint8 else answer

    def _count_true(self, dim: Axes, keepdim: bool) -> Any:
        return structure.sum(self if self.dtype is bool_ else self.ne(0), _axes(self, dim), keepdim)

    def count_nonzero(self, dim: Axes = None) -> Tensor:
        """Number of nonzero elements over ``dim`` (int64)."""
        return self._count_true(dim, False)

    def cumsum(self, dim: int, *, dtype: DTypeLike | None = None) -> Tensor:
        """Running sum along ``dim``: y_i = x_1 + … + x_i; the shape stays."""
        return _cast(structure.cumsum(_cast(self, dtype), dim), dtype)

    def cumprod(self, dim: int, *, dtype: DTypeLike | None = None) -> Tensor:
        """Running product along ``dim``: y_i = x_1 · … · x_i; the shape stays."""
        return _cast(structure.cumprod(_cast(self, dtype), dim), dtype)

    def argsort(self, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
        """Positions that sort along ``dim``; equal elements keep their order."""
        return structure.argsort(self, dim, descending)

    def sort(self, dim: int = -1, descending: bool = False, stable: bool = True) -> ValuesIndices:
        """(values, positions) sorted along ``dim``; NaN counts as largest."""
        order = structure.argsort(self, dim, descending)
        if not self.shape:
            return ValuesIndices(self, order)
        return ValuesIndices(indexing.gather(self, order, dim), order)

    def topk(
        self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
    ) -> ValuesIndices:
        """The ``k`` largest (or smallest) along ``dim``, in order: (values, positions)."""
        axis = normalize_axis(dim, len(self.shape))
        extent = self.shape[axis] if self.shape else 1
        if not 0 <= k <= extent:
            raise ArgumentError(
                f"topk got k={k} for an axis of extent {extent}", f"use 0 to {extent}"
            )
        values, order = self.sort(axis, descending=largest)
        if not self.shape:
            return ValuesIndices(values, order)
        return ValuesIndices(values.narrow(axis, 0, k), order.narrow(axis, 0, k))

    def kthvalue(self, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
        """The k-th smallest (k counts from 1) along ``dim``: (value, position)."""
        axis = normalize_axis(dim, len(self.shape))
        need_elements("kthvalue", self, [axis])
        extent = self.shape[axis] if self.shape else 1
        if not 1 <= k <= extent:
            raise OutOfRangeError(
                f"kthvalue got k={k} for an axis of extent {extent}", f"use 1 to {extent}"
            )
        values, order = self.sort(axis)
        if not self.shape:
            return ValuesIndices(values, order)
        picked = ValuesIndices(values.narrow(axis, k - 1, 1), order.narrow(axis, k - 1, 1))
        return (
            picked if keepdim else ValuesIndices(picked[0].squeeze(axis), picked[1].squeeze(axis))
        )

    @overload
    def median(self) -> Tensor: ...
    @overload
    def median(self, dim: int, keepdim: bool = False) -> ValuesIndices: ...
    def median(self, dim: int | None = None, keepdim: bool = False) -> Tensor | ValuesIndices:
        """The lower median: of all elements, or (values, positions) along ``dim``.

        NaN where there is one, and where there is no element (in whole numbers what NaN becomes);
        see :meth:`nanmedian`.
        """
        if dim is None:
            flat = structure.reshape(self, (-1,))
            if not flat.shape[0]:
                return elementwise.cast(structure.sum(as_float(flat)) + math.nan, self.dtype)
            return shared(flat, flat.median(0).values)
        if not self.shape:
            return self.kthvalue(1, dim, keepdim)
        axis = normalize_axis(dim, len(self.shape))
        need_elements("median", self, [axis])
        middle = self.kthvalue((self.shape[axis] + 1) // 2, axis, True)
        if not self.dtype.is_floating_point:
            return middle if keepdim else ValuesIndices(*(t.squeeze(axis) for t in middle))
        # The first NaN, which counts as the largest element, or the middle of the sorted ones.
        first = structure.argmax(self, axis).unsqueeze(axis)
        lacking = elementwise.ne(self, self).any(axis, True)
        place = elementwise.where(lacking, first, middle.indices)
        return self._extreme(place.squeeze(axis), axis, keepdim)

    @unit(rows(1 << 14))
    def softmax(self, dim: int, dtype: DTypeLike | None = None) -> Tensor:
        """e^x / Σ e^x along ``dim``, shifted by the largest element so that nothing overflows."""
        x = as_float(self) if dtype is None else elementwise.cast(self, as_dtype(dtype))
        if 0 in x.shape:
            normalize_axis(dim, len(x.shape))
            return x
        largest = structure.max_(x, dim, True).detach()
        grown = (x - largest).exp()
        return grown / structure.sum(grown, dim, True)

    @unit(rows(1 << 14))
    def log_softmax(self, dim: int, dtype: DTypeLike | None = None) -> Tensor:
        """x − ln Σ e^x along ``dim``, stable for any finite input."""
        x = as_float(self) if dtype is None else elementwise.cast(self, as_dtype(dtype))
        if 0 in x.shape:
            normalize_axis(dim, len(x.shape))
            return x
        shifted = x - structure.max_(x, dim, True).detach()
        return shifted - structure.sum(shifted.exp(), dim, True).log()
