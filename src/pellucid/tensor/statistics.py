"""Statistics of tensors: quantiles, spread, running extremes, counts, distinct elements."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np

from pellucid.base.dtypes import DTypeLike, as_dtype, bool_, int32, int64
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError, UnsupportedError
from pellucid.base.shapes import normalize_axis
from pellucid.ops import complex, elementwise, indexing, log_sums, structure
from pellucid.tensor import late
from pellucid.tensor.arguments import Axes
from pellucid.tensor.core import lift
from pellucid.tensor.histograms import counts_of, edges_of
from pellucid.tensor.interface import Tensor
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_float, as_operand, together
from pellucid.tensor.reducing import ReducingMethods, need_elements, shared
from pellucid.tensor.results import Extremes, Histogram, ValuesIndices
from pellucid.tensor.state import state


def _is_hidden(x: Any) -> bool:
    """Whether only the running program knows a tensor's values."""
    return state.trace is not None and x._cell.array is None


def _single(x: Any, inverse: bool, counts: bool) -> Any:
    """What :meth:`unique` gives for one element, or none, whatever it is."""
    found = [x.reshape(-1).clone()]
    if inverse:
        found.append(lift(np.zeros(x.shape, np.int64)))
    if counts:
        found.append(lift(np.ones(found[0].shape, np.int64)))
    return found[0] if len(found) == 1 else tuple(found)


class StatisticsMethods(ReducingMethods):
    """What describes the elements of a tensor beyond sums and extremes."""

    __slots__ = ()

    def var_mean(
        self,
        dim: Axes = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = 1,
    ) -> tuple[Tensor, Tensor]:
        """(variance, mean) over ``dim``, as :meth:`var` and :meth:`mean` give them."""
        axes = None if isinstance(dim, bool) else dim
        spread = self.var(dim, unbiased, keepdim, correction=correction)
        return spread, self.mean(axes, keepdim)

    def std_mean(
        self,
        dim: Axes = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = 1,
    ) -> tuple[Tensor, Tensor]:
        """(standard deviation, mean) over ``dim``, as :meth:`std` and :meth:`mean` give them."""
        axes = None if isinstance(dim, bool) else dim
        spread = self.std(dim, unbiased, keepdim, correction=correction)
        return spread, self.mean(axes, keepdim)

    def nansum(
        self, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
    ) -> Tensor:
        """Sum over ``dim`` (all axes by default), NaN counted as 0."""
        x: Any = self if dtype is None else elementwise.cast(self, as_dtype(dtype))
        return x.masked_fill(x.isnan(), 0.0).sum(dim, keepdim) if _float(x) else x.sum(dim, keepdim)

    def nanmean(
        self, dim: Axes = None, keepdim: bool = False, *, dtype: DTypeLike | None = None
    ) -> Tensor:
        """Mean over ``dim`` of the elements that are numbers; NaN where there is none."""
        x: Any = as_float(self if dtype is None else elementwise.cast(self, as_dtype(dtype)))
        count = x.isnan().logical_not().sum(dim, keepdim)
        return x.nansum(dim, keepdim) / elementwise.cast(count, x.dtype)

    def aminmax(self, *, dim: int | None = None, keepdim: bool = False) -> Extremes:
        """(smallest, largest) over ``dim`` (all axes by default)."""
        need_elements("aminmax", self, range(len(self.shape)) if dim is None else [dim])
        return Extremes(self.amin(dim, keepdim), self.amax(dim, keepdim))

    def quantile(
        self,
        q: Tensor | float | Sequence[float],
        dim: int | None = None,
        keepdim: bool = False,
        *,
        interpolation: str = "linear",
    ) -> Tensor:
        """The q-quantiles (0 ≤ q ≤ 1) along ``dim``, by default of all elements.

        ``q`` is a number, or a vector whose axis comes first in the result.  Between two
        elements ``interpolation`` takes "linear", "lower", "higher", "nearest" or "midpoint".
        Where there is a NaN the result is NaN.
        """
        x: Any = as_float(self)
        if not x.shape and dim is not None:
            normalize_axis(dim, 0)
            dim = None
        if dim is None:
            shape = (1,) * len(x.shape)
            x, axis = structure.reshape(x, (-1,)), 0
        else:
            axis = normalize_axis(dim, len(x.shape))
            shape = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
        wanted = _shares("quantile", q)
        need_elements("quantile", x, range(len(x.shape)))
        low, weight = _between(wanted.reshape(-1) * (x.shape[axis] - 1), interpolation)
        values = x.sort(axis).values.movedim(axis, -1)  # (..., n)
        values = elementwise.where(
            x.isnan().any(axis).unsqueeze(-1), as_operand(math.nan, x.dtype), values
        )
        high = np.minimum(low + 1, x.shape[axis] - 1)
        below, above = (indexing.take(values, lift(i), len(values.shape) - 1) for i in (low, high))
        fraction = lift(weight.astype(x.dtype.numpy))
        mixed = elementwise.where(fraction.eq(0), below, below + (above - below) * fraction)
        mixed = mixed.movedim(-1, 0)  # (q, ...)
        if keepdim:
            mixed = structure.reshape(mixed, (len(low), *shape))
        return mixed if wanted.ndim else mixed.squeeze(0)

    @overload
    def nanmedian(self) -> Tensor: ...
    @overload
    def nanmedian(self, dim: int, keepdim: bool = False) -> ValuesIndices: ...
    def nanmedian(self, dim: int | None = None, keepdim: bool = False) -> Tensor | ValuesIndices:
        """:meth:`median` of the elements that are numbers; NaN where there is none."""
        x: Any = self
        if dim is None:
            flat = structure.reshape(x, (-1,))
            if not flat.shape[0]:
                return flat.median()
            return shared(flat, flat.nanmedian(0).values)
        if not x.shape:
            return ValuesIndices(x, lift(np.asarray(0, np.int64)))
        axis = normalize_axis(dim, len(x.shape))
        need_elements("nanmedian", x, [axis])
        values, order = x.sort(axis)  # NaN last
        count = x.isnan().logical_not().sum(axis, True)
        place = (count - 1).clamp(min=0).floor_divide(2)
        pair = [indexing.gather(t, place, axis) for t in (values, order)]
        return ValuesIndices(*(pair if keepdim else (t.squeeze(axis) for t in pair)))

    def nanquantile(
        self,
        q: Tensor | float | Sequence[float],
        dim: int | None = None,
        keepdim: bool = False,
        *,
        interpolation: str = "linear",
    ) -> Tensor:
        """:meth:`quantile` of the elements that are numbers; NaN where there is none."""
        x: Any = as_float(self)
        if not x.shape and dim is not None:
            normalize_axis(dim, 0)
            dim = None
        wanted = _shares("nanquantile", q)
        need_elements("nanquantile", x, range(len(x.shape)))
        flat = structure.reshape(x, (-1,)) if dim is None else x
        axis = 0 if dim is None else normalize_axis(dim, len(x.shape))
        shape = [1] * len(x.shape) if dim is None else list(x.shape)
        shape[axis : axis + 1] = [1] * bool(x.shape)
        values = flat.sort(axis).values.movedim(axis, -1)  # (…, n), NaN last
        count = elementwise.cast(values.isnan().logical_not().sum(-1, True), x.dtype)
        position = lift(wanted.reshape(-1).astype(x.dtype.numpy)) * (count - 1).clamp(min=0)
        low = position.floor()
        weight = _weights("nanquantile", position, low, interpolation)
        high = (low + 1).minimum((count - 1).clamp(min=0))
        last = len(values.shape) - 1
        below, above = (
            indexing.gather(values, elementwise.cast(i, int64), last) for i in (low, high)
        )
        mixed = elementwise.where(weight.eq(0), below, below + (above - below) * weight)
        mixed = mixed.movedim(-1, 0)  # (q, …)
        if keepdim:
            mixed = structure.reshape(mixed, (mixed.shape[0], *shape))
        return mixed if wanted.ndim else mixed.squeeze(0)

    def histogram(
        self,
        bins: int | Tensor,
        *,
        range: tuple[float, float] | None = None,
        weight: Tensor | None = None,
        density: bool = False,
    ) -> Histogram:
        """(counts, edges) of ``bins`` equal parts of ``range``, or of parts between given edges.

        ``range`` is (low, high), by default the data's.  ``weight``, shaped like the tensor, adds
        weights instead of ones; ``density`` scales so that the integral is 1.  Both results have
        the tensor's dtype.
        """
        if not self.dtype.is_floating_point:
            raise ArgumentError(f"histogram got {self.dtype.name}", "convert with .float()")
        flat = structure.reshape(self, (-1,))
        edges = edges_of("histogram", flat, bins, range)
        return Histogram(counts_of("histogram", [flat], [edges], weight, density), edges)

    def diff(
        self, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
    ) -> Tensor:
        """x[i + 1] − x[i] along ``dim``, ``n`` times; ``prepend``/``append`` are joined first."""
        axis = normalize_axis(dim, len(self.shape))
        if not self.shape:
            raise ShapeError(
                "diff expects input to be at least one-dimensional", "give it an axis: reshape(1)"
            )
        if n < 0:
            raise ArgumentError(
                f"diff got n={n}: order must be non-negative", "use 0 (a copy) or more"
            )
        if n == 0:
            return elementwise.copy(self)
        parts = [t for t in (prepend, self, append) if t is not None]
        x: Any = structure.concatenate(together(*parts), axis)
        for _ in range(n):
            extent = x.shape[axis]
            if extent == 0:
                break
            later, earlier = x.narrow(axis, 1, extent - 1), x.narrow(axis, 0, extent - 1)
            x = later.logical_xor(earlier) if x.dtype is bool_ else later - earlier
        return x

    def _running_extreme(self, dim: int, larger: bool) -> ValuesIndices:
        """Doubling (Hillis and Steele, 1986): after step s each place knows 2·s elements back."""
        x: Any = self
        if not x.shape:
            return ValuesIndices(x, lift(np.asarray(0, np.int64)))
        axis = normalize_axis(dim, len(x.shape))
        extent = x.shape[axis]
        line = np.arange(extent).reshape([extent if i == axis else 1 for i in range(len(x.shape))])
        place = structure.broadcast_to(lift(line), x.shape)
        best, step = x.detach(), 1
        while step < extent:
            rest = (axis, step, extent - step)
            earlier, later = best.narrow(axis, 0, extent - step), best.narrow(*rest)
            wins = earlier.gt(later) if larger else earlier.lt(later)
            wins = wins.logical_or(earlier.isnan().logical_and(later.isnan().logical_not()))
            place_before = place.narrow(axis, 0, extent - step)
            joined = elementwise.where(wins, earlier, later)
            place_joined = elementwise.where(wins, place_before, place.narrow(*rest))
            best = structure.concatenate([best.narrow(axis, 0, step), joined], axis)
            place = structure.concatenate([place.narrow(axis, 0, step), place_joined], axis)
            step *= 2
        return ValuesIndices(indexing.gather(x, place, axis), place)

    def cummax(self, dim: int) -> ValuesIndices:
        """(largest so far, its last position) along ``dim``."""
        return self._running_extreme(dim, True)

    def cummin(self, dim: int) -> ValuesIndices:
        """(smallest so far, its last position) along ``dim``."""
        return self._running_extreme(dim, False)

    def logcumsumexp(self, dim: int) -> Tensor:
        """ln Σ_{j≤i} e^{x_j} along ``dim``, without overflow or underflow anywhere on the way."""
        x: Any = as_float(self)
        return log_sums.logcumsumexp(x, dim)

    def renorm(self, p: float, dim: int, maxnorm: float) -> Tensor:
        """Slices along ``dim`` scaled down to a p-norm of at most ``maxnorm``."""
        if len(self.shape) < 2:
            raise ShapeError(
                f"renorm got shape {tuple(self.shape)}: it needs at least 2 dimensions",
                "a vector as a whole: x * (maxnorm / x.norm(p)).clamp(max=1)",
            )
        if p <= 0 or maxnorm < 0:
            raise ArgumentError(
                f"renorm got p={p} and maxnorm={maxnorm}", "p is positive, maxnorm at least 0"
            )
        axis = normalize_axis(dim, len(self.shape))
        others = [i for i in range(len(self.shape)) if i != axis]
        size = self.norm(p, others, keepdim=True)
        factor = elementwise.where(
            size.gt(maxnorm), maxnorm / (size + 1e-7), as_operand(1.0, size.dtype)
        )
        return self * factor

    def cov(
        self,
        *,
        correction: int = 1,
        fweights: Tensor | None = None,
        aweights: Tensor | None = None,
    ) -> Tensor:
        """Covariances of the rows (variables) over the columns (observations).

        (V, N) → (V, V); of one variable, (N,) or (1, N), its variance as a number, shape ().
        ``fweights`` (N,), integers, say how often each observation was made, ``aweights`` (N,) how
        much it counts.  With w their product, divided by Σw − correction · Σ(w · a) / Σw.
        """
        x: Any = as_float(self)
        if len(x.shape) > 2:
            raise ShapeError(f"cov got shape {tuple(x.shape)}", "pass (variables, observations)")
        rows = x if len(x.shape) == 2 else structure.reshape(x, (1, -1))
        weights = _weights_of(fweights, aweights, rows)
        if weights is None:
            centred = rows - rows.mean(1, keepdim=True)
            centred = centred - centred.mean(1, keepdim=True)  # what the mean was rounded by
            found = centred.matmul(centred.mH) / max(rows.shape[1] - correction, 0)
        else:
            total = weights.sum()
            centred = rows - (rows * weights).sum(1, keepdim=True) / total
            again = weights if aweights is None else weights * aweights
            lost = again.sum() / total if aweights is not None else 1.0
            freedom = as_float(total - correction * lost).clamp(min=0)
            found = centred.matmul((centred * weights).mH) / freedom
        return structure.reshape(found, ()) if rows.shape[0] == 1 else found

    def corrcoef(self) -> Tensor:
        """Pearson's correlation coefficients of the rows, or their parts, in [−1, 1]."""
        found = self.cov()
        if not found.shape:
            return found / found
        spread = found.diagonal().sqrt()
        share = found / spread.unsqueeze(1) / spread.unsqueeze(0)
        if share.dtype.is_complex:
            return complex.view_as_complex(complex.view_as_real(share).clamp(-1, 1))
        return share.clamp(-1, 1)

    def histc(self, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
        """Counts in ``bins`` equal parts of [min, max] (of the data's range when both are 0)."""
        if bins < 1:
            raise ArgumentError(f"histc got bins={bins}: bins must be > 0", "use 1 or more")
        x: Any = structure.reshape(self, (-1,)).detach()
        low: Any = float(min)
        high: Any = float(max)
        if low == high and x.shape[0]:
            low, high = x.amin(), x.amax()
            if x._cell.array is not None:
                low, high = float(low.item()), float(high.item())
        if isinstance(low, Tensor):
            same = low.eq(high)
            low, high = (elementwise.where(same, e + by, e) for e, by in ((low, -1), (high, 1)))
        elif not math.isfinite(high - low):
            raise ArgumentError(
                f"histc got the range [{low}, {high}]", "give min and max, both finite"
            )
        elif high < low:
            raise ArgumentError(f"histc got min={min} and max={max}", "max must not be smaller")
        elif low == high:
            low, high = low - 1, high + 1
        inside = x.ge(low).logical_and(x.le(high))
        place = elementwise.cast(((x - low) * bins / (high - low)).floor(), int64)
        place = place.clamp(0, bins - 1)
        zeros = structure.broadcast_to(as_operand(0, self.dtype), (bins,))
        return indexing.put(zeros, place, elementwise.cast(inside, self.dtype), 0, "add")

    def bincount(self, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
        """How often 0, 1, 2, … occur (or the sums of their ``weights``); values must be known."""
        x = self.array()
        if x.ndim != 1 or x.dtype.kind not in "iub" or (x.size and x.min() < 0):
            raise UnsupportedError(
                "bincount needs a vector of integers ≥ 0", "convert with .long()"
            )
        extra = None if weights is None else np.asarray(as_operand(weights).array())
        counts = np.bincount(x.astype(np.int64), extra, minlength)
        if extra is not None and extra.dtype == np.float32:
            counts = counts.astype(np.float32)
        return lift(counts)

    @overload
    def unique(
        self,
        sorted: bool = True,
        return_inverse: Literal[False] = False,
        return_counts: Literal[False] = False,
        dim: int | None = None,
    ) -> Tensor: ...
    @overload
    def unique(
        self,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: int | None = None,
    ) -> tuple[Tensor, ...]: ...
    def unique(
        self,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: int | None = None,
    ) -> Tensor | tuple[Tensor, ...]:
        """The distinct elements in order (or slices along ``dim``); values must be known.

        With ``return_inverse`` also the place of each element among them, with
        ``return_counts`` also how often each comes.
        """
        if dim is None and _is_hidden(self) and self.numel() <= 1:
            return _single(self, return_inverse, return_counts)
        kind = self.dtype
        values, inverse, counts = np.unique(
            kind.numbers(self.array()),
            return_inverse=True,
            return_counts=True,
            axis=dim,
            equal_nan=False,
        )
        shape = self.shape if dim is None else (self.shape[dim],)
        found = [lift(kind.array(values))]
        if return_inverse:
            found.append(lift(inverse.reshape(shape).astype(np.int64)))  # flat -> as the input
        if return_counts:
            found.append(lift(counts.astype(np.int64)))
        return found[0] if len(found) == 1 else tuple(found)

    @overload
    def unique_consecutive(
        self,
        return_inverse: Literal[False] = False,
        return_counts: Literal[False] = False,
        dim: int | None = None,
    ) -> Tensor: ...
    @overload
    def unique_consecutive(
        self, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
    ) -> tuple[Tensor, ...]: ...
    def unique_consecutive(
        self, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
    ) -> Tensor | tuple[Tensor, ...]:
        """The flattened elements (or slices along ``dim``) without repeated neighbours.

        Values must be known; the other results as in :meth:`unique`.
        """
        if dim is None and _is_hidden(self) and self.numel() <= 1:
            return _single(self, return_inverse, return_counts)
        array = self.dtype.numbers(self.array())
        flat = array.reshape(-1) if dim is None else np.moveaxis(array, dim, 0)
        fresh = np.ones(len(flat), bool)
        fresh[1:] = (flat[1:] != flat[:-1]).any(tuple(range(1, flat.ndim)))
        starts = np.nonzero(fresh)[0]
        kept = self.dtype.array(flat[fresh])
        found = [lift(kept if dim is None else np.ascontiguousarray(np.moveaxis(kept, 0, dim)))]
        if return_inverse:
            shape = self.shape if dim is None else (len(flat),)
            place = (np.cumsum(fresh) - 1).reshape(shape)  # one line -> as the input
            found.append(lift(place.astype(np.int64)))
        if return_counts:
            found.append(lift(np.diff(np.append(starts, len(flat))).astype(np.int64)))
        return found[0] if len(found) == 1 else tuple(found)

    def mode(self, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
        """(most frequent element, its last position) along ``dim``; of several the smallest."""
        x: Any = self
        if not x.shape:
            return ValuesIndices(x, lift(np.asarray(0, np.int64)))
        axis = normalize_axis(dim, len(x.shape))
        need_elements("mode", x, [axis])
        moved = x.movedim(axis, -1)
        first, second = moved.unsqueeze(-1), moved.unsqueeze(-2)
        same = first.eq(second).logical_or(first.isnan().logical_and(second.isnan()))
        counts = same.sum(-1)
        frequent = counts.eq(counts.amax(-1, True))
        ranks = moved.argsort(-1).argsort(-1)
        first = elementwise.where(frequent, ranks, as_operand(moved.shape[-1], int64)).argmin(-1)
        value = indexing.gather(moved, first.unsqueeze(-1), len(moved.shape) - 1)
        line = lift(np.arange(moved.shape[-1], dtype=np.int64))
        last = elementwise.where(moved.eq(value), line, as_operand(-1, int64)).amax(-1)
        # Of a NaN, which equals nothing, the first.
        last = elementwise.where(last.lt(0), structure.argmax(moved, -1), last)
        chosen = indexing.gather(moved, last.unsqueeze(-1), len(moved.shape) - 1)
        pair = (chosen.movedim(-1, axis), last.unsqueeze(-1).movedim(-1, axis))
        return ValuesIndices(*(pair if keepdim else (t.squeeze(axis) for t in pair)))

    def bucketize(
        self, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
    ) -> Tensor:
        """Number of the interval between ``boundaries`` (ascending) each element falls in.

        boundaries[i − 1] < x ≤ boundaries[i] gives i; with ``right``, the left end counts in.
        """
        if len(boundaries.shape) != 1:
            raise ShapeError(
                f"bucketize got boundaries of shape {tuple(boundaries.shape)}", "give a vector"
            )
        return searchsorted(boundaries, self, out_int32=out_int32, right=right)

    def argwhere(self) -> Tensor:
        """Positions of the nonzero elements: (count, axes); values must be known."""
        return self.nonzero()


def _weights_of(fweights: Any, aweights: Any, rows: Any) -> Any:
    """The weights of the observations, both kinds multiplied, checked; None where there are none.

    Raises ``ShapeError`` unless they are vectors with one entry for each observation,
    ``DTypeError`` for frequencies that are no integers.
    """
    found: Any = None
    for name, kind, given in (("fweights", "int", fweights), ("aweights", "float", aweights)):
        if given is None:
            continue
        if tuple(given.shape) != tuple(rows.shape[1:]):
            raise ShapeError(
                f"cov got {name} of shape {tuple(given.shape)} for {rows.shape[1]} observations",
                "give a vector with one weight for each observation",
            )
        if given.dtype.kind != kind:
            raise DTypeError(f"cov got {name} of {given.dtype.name}", f"they are of a {kind} dtype")
        late.check_values(functools.partial(_check_weights, name), given)
        found = given if found is None else found * given
    return found


def _check_weights(name: str, values: np.ndarray) -> None:
    if values.min() < 0:
        raise ArgumentError(f"{name} cannot be negative", "weights of observations are 0 or more")


def _float(tensor: Any) -> bool:
    return bool(tensor.dtype.is_floating_point)


def _shares(name: str, q: Any) -> np.ndarray:
    """The shares of a quantile: a number or a vector in [0, 1]."""
    wanted = np.asarray(q.array() if hasattr(q, "array") else q, np.float64)
    if wanted.ndim > 1 or ((wanted < 0) | (wanted > 1)).any():
        raise ArgumentError(f"{name} got q={q}", "q lies in [0, 1], a number or a vector")
    return wanted


def _weights(name: str, position: Any, below: Any, interpolation: str) -> Any:
    """How much of the way to go from the element ``below`` a position to the one above."""
    share = position - below
    rules = {
        "linear": lambda: share,
        "lower": lambda: share * 0,
        "higher": lambda: share * 0 + (share > 0),
        "nearest": lambda: position.round() - below,
        "midpoint": lambda: share * 0 + (share > 0) * 0.5,
    }
    if interpolation not in rules:
        raise ArgumentError(
            f"{name} got interpolation={interpolation!r}", f"use one of {', '.join(rules)}"
        )
    return rules[interpolation]()


def _between(position: np.ndarray, interpolation: str) -> tuple[np.ndarray, np.ndarray]:
    """Element before each position, and how much of the way to the next to go."""
    below = np.floor(position)
    return below.astype(np.int64), _weights("quantile", position, below, interpolation)


@takes_out
def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Where to insert ``input`` so that ``sorted_sequence`` stays sorted (int64).

    The sequence is a vector, or has the leading axes of ``input`` and its order along the last.
    ``right``, or ``side="right"``, puts equal elements after, not before, those that are there;
    ``out_int32`` gives int32.
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ArgumentError(
            f"searchsorted got side={side!r} and right={right}", 'use side="left" or side="right"'
        )
    found = _found(sorted_sequence, input, right or side == "right")
    return elementwise.cast(found, int32) if out_int32 else found


def _found(sorted_sequence: Any, input: Any, right: bool) -> Any:
    edges, x = together(sorted_sequence, input)
    if state.trace is None and len(edges.shape) == 1:
        side = "right" if right else "left"
        numbers = (t.dtype.numbers(t.array()) for t in (edges, x))
        line, values = numbers
        found = np.searchsorted(line, values, side)  # type: ignore[call-overload]
        if x.dtype.is_floating_point:  # behind every number, also behind other NaN
            found = np.where(np.isnan(values), edges.shape[0], found)
        return lift(np.asarray(found, np.int64))
    if len(edges.shape) > 1:
        edges = edges.unsqueeze(-2)  # (..., 1, N) against (..., M, 1)
    x = x.unsqueeze(-1)
    return (edges.le(x) if right else edges.lt(x)).logical_or(x.isnan()).sum(-1)
