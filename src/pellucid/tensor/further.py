"""Further functions of the top-level namespace: positions, histograms, segments, empty tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from pellucid.base.shapes import size_of
from pellucid.ops import elementwise, structure
from pellucid.tensor.arguments import Operand
from pellucid.tensor.creation import arange, empty, full, zeros
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.histograms import counts_of, edges_of
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.state import is_tracing


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Positions along each axis of a tensor of ``shape``, from positions in its flattened form.

    ``indices`` are integers of any shape; the results, one for each axis, have it too.  Raises
    ``ArgumentTypeError`` for other indices, ``ArgumentError`` for negative extents.
    """
    if not isinstance(indices, Tensor) or indices.dtype.kind != "int":
        got = indices.dtype.name if isinstance(indices, Tensor) else type(indices).__name__
        raise ArgumentTypeError(f"unravel_index got indices of {got}", "use a tensor of integers")
    extents = [shape] if isinstance(shape, int) else list(shape)
    if not all(isinstance(n, int) for n in extents):
        raise ArgumentTypeError(f"unravel_index got shape={shape!r}", "extents are whole numbers")
    if any(n < 0 for n in extents):
        raise ArgumentError(f"unravel_index got shape={tuple(extents)}", "use extents from 0 up")
    rest: Any = indices.long()
    found = []
    for extent in reversed(extents):
        found.append(rest.remainder(extent))
        rest = rest.div(extent, rounding_mode="floor")
    return tuple(reversed(found))


@clear
def fill(input: Tensor, value: Operand) -> Tensor:
    """A tensor like ``input`` with every element ``value``, a number or a 0-dimensional tensor."""
    number = as_operand(value)
    if len(number.shape):
        raise ShapeError(
            f"fill got a value of shape {tuple(number.shape)}", "give a number or one without axes"
        )
    kept = elementwise.cast(number, input.dtype)
    # It counts as made of the input, too, for which its gradient is 0.
    made: Tensor = elementwise.where(as_operand(True), kept, input)
    return made


class HistogramOfPoints(NamedTuple):
    """What :func:`histogramdd` gives."""

    hist: Tensor
    bin_edges: tuple[Tensor, ...]


@clear
def histogramdd(
    input: Tensor,
    bins: int | Sequence[Any],
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> HistogramOfPoints:
    """(counts, edges) of points (…, D) in a grid of D axes.

    ``bins`` is the number of parts of each axis, one for all or one for each, or the edges, a
    vector for each axis.  ``range`` is low and high of each axis in a row, by default the data's.
    ``weight`` (…) adds weights instead of ones; ``density`` scales so that the integral is 1.
    The results have the input's dtype.
    """
    if not input.dtype.is_floating_point:
        raise DTypeError(f"histogramdd got {input.dtype.name}", "convert with .float()")
    if len(input.shape) < 2:
        raise ShapeError(
            f"histogramdd got shape {tuple(input.shape)}", "it needs points: (…, D) of two axes"
        )
    count = int(input.shape[-1])
    listed = [bins] * count if isinstance(bins, int) else list(bins)
    if len(listed) != count:
        raise ArgumentError(f"histogramdd got {len(listed)} bins for {count} axes", "one for each")
    if range is not None and len(range) != 2 * count:
        raise ArgumentError(
            f"histogramdd got a range of {len(range)} numbers", f"it needs {2 * count}"
        )
    axes: Any = structure.reshape(input, (-1, count)).unbind(1)
    edges = [
        edges_of("histogramdd", axes[i], part, None if range is None else range[2 * i : 2 * i + 2])
        for i, part in enumerate(listed)
    ]
    hist = counts_of("histogramdd", axes, edges, weight, density)
    return HistogramOfPoints(hist, tuple(edges))


_IDENTITIES = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}
_SCATTERED = {"mean": "sum", "max": "amax", "min": "amin"}


@clear
def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """``data`` reduced piece by piece along an axis: (…, L, *) → (…, S, *).

    ``reduce`` is "sum", "mean", "prod", "max" or "min".  The S pieces, one behind the other, have
    ``lengths`` (…, S), or begin and end at ``offsets`` (…, S + 1); ``axis`` is their last axis.
    ``initial`` is where each reduction begins; without it empty pieces give 0, NaN, 1, −∞ and ∞.
    With ``unsafe`` the lengths are not checked.  Raises ``ArgumentError`` and ``ShapeError``.
    """
    reduce = {"amax": "max", "amin": "min"}.get(reduce, reduce)
    if reduce not in _IDENTITIES:
        raise ArgumentError(f"segment_reduce got {reduce!r}", f"use one of {list(_IDENTITIES)}")
    if indices is not None or (lengths is None) == (offsets is None):
        raise ArgumentError(
            "segment_reduce needs either lengths or offsets", "pass one of them and no indices"
        )
    counts: Any = offsets.diff() if offsets is not None else lengths
    rank = len(counts.shape)
    if axis % max(1, len(data.shape)) != rank - 1:
        raise ArgumentError(f"segment_reduce got axis={axis}", f"use {rank - 1}, the last of these")
    lead, extent = tuple(data.shape[: rank - 1]), int(data.shape[rank - 1])
    if tuple(counts.shape[:-1]) != lead:
        raise ShapeError(
            f"segment_reduce got lengths of shape {tuple(counts.shape)} for {tuple(data.shape)}",
            "all axes before the last must agree",
        )
    if not unsafe and not is_tracing():
        known = counts.array()
        if (known < 0).any() or (lengths is not None and (known.sum(-1) != extent).any()):
            raise ArgumentError(
                f"segment_reduce got lengths {known.tolist()} for {extent} elements",
                "lengths are 0 or more, and their sum is the extent",
            )
    rest = tuple(data.shape[rank:])
    flat = data.reshape(size_of(lead), extent, size_of(rest))
    lines = counts.reshape(size_of(lead), -1)
    made = _reduced(flat, lines, reduce, initial)
    return made.reshape(*lead, -1 if made.numel() else counts.shape[-1], *rest)


def _reduced(data: Any, counts: Any, reduce: str, initial: float | None) -> Any:
    """(B, L, R) with lengths (B, S) → (B, S, R)."""
    start = _IDENTITIES[reduce] if initial is None else float(initial)
    shape = (data.shape[0], counts.shape[1], data.shape[2])
    ends = counts.cumsum(1).unsqueeze(1)
    pieces = ends.le(arange(data.shape[1]).reshape(1, -1, 1)).sum(-1)  # of each element
    places = pieces.unsqueeze(-1).expand(*data.shape)
    base: Any = full(shape, start, dtype=data.dtype)
    found = base.scatter_reduce(1, places, data, _SCATTERED.get(reduce, reduce))
    if reduce != "mean":
        return found
    sizes = counts.unsqueeze(-1)
    mean = found / sizes.clamp(min=1).to(data.dtype)
    return mean.masked_fill(sizes.eq(0), np.nan if initial is None else start)


def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor whose neighbours along axis i are ``stride[i]`` elements of memory apart.

    Its values are not to be relied on.
    """
    check_device(device)
    made = empty(0, dtype=dtype).new_empty_strided(size, stride)
    return made.requires_grad_(requires_grad)


@clear
def empty_permuted(
    size: Sequence[int],
    physical_layout: Sequence[int],
    *,
    dtype: DTypeLike | None = None,
    layout: object = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor whose axes lie in memory in the order of ``physical_layout``, outermost first.

    Its values are not to be relied on.  Raises ``ArgumentError`` if the order is none.
    """
    check_device(device)
    order = [int(i) for i in physical_layout]
    if sorted(order) != list(range(len(size))):
        raise ArgumentError(
            f"empty_permuted got physical_layout={tuple(physical_layout)} for {len(size)} axes",
            "name each axis once",
        )
    made = zeros(*[size[i] for i in order], dtype=dtype)
    back = [order.index(i) for i in range(len(order))]
    return made.permute(back).requires_grad_(requires_grad)


@clear
def zero_(input: Tensor) -> Tensor:
    """``input`` with every element 0, in place; returns it."""
    return input.zero_()


@clear
def fill_(input: Tensor, value: Operand) -> Tensor:
    """``input`` with every element ``value``, in place; returns it."""
    return input.fill_(value)


@clear
def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: object = None) -> Tensor:
    """``input`` in the shape of another tensor, in place; see :meth:`Tensor.resize_`."""
    return input.resize_as_(the_template)
