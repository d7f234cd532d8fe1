"""Counts of elements, or of points, between edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import int64
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.ops import elementwise, indexing, structure
from pellucid.tensor.core import lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import as_operand


def edges_of(name: str, x: Any, bins: Any, between: Sequence[float] | None) -> Tensor:
    """The ends of the parts of an axis, in the dtype of ``x``.

    ``bins`` is a vector of them, or how many equal parts there are ``between`` two numbers, by
    default the least and the largest element (0 and 1 of nothing), half a unit around equal ones.
    """
    if isinstance(bins, Tensor):
        if len(bins.shape) != 1 or not bins.shape[0]:
            raise ShapeError(
                f"{name} got edges of shape {tuple(bins.shape)}", "give a vector of at least one"
            )
        if bins.dtype is not x.dtype:
            raise DTypeError(
                f"{name} got values of {x.dtype.name} and edges of {bins.dtype.name}: they should "
                "have the same dtype",
                "convert one of them",
            )
        return bins
    if int(bins) < 1:
        raise ArgumentError(f"{name} got bins={bins}: bins must be > 0", "use 1 or more")
    if between is None and x._cell.array is None and math.prod(x.shape):
        return _edges_of_unknown(x, int(bins))
    if between is None:
        known = x.dtype.numbers(x.array())
        between = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    low, high = float(between[0]), float(between[1])
    if not (low <= high and math.isfinite(high - low)):
        raise ArgumentError(f"{name} got the range [{low}, {high}]", "give two finite numbers")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return lift(x.dtype.array(np.linspace(low, high, int(bins) + 1)))


def _edges_of_unknown(x: Any, count: int) -> Tensor:
    low, high = x.detach().amin(), x.detach().amax()
    same = low.eq(high)
    low, high = (elementwise.where(same, end + by, end) for end, by in ((low, -0.5), (high, 0.5)))
    share = lift(x.dtype.array(np.arange(count + 1) / count))
    return elementwise.where(share.eq(1), high, low + (high - low) * share)


def counts_of(
    name: str, axes: Sequence[Any], edges: Sequence[Any], weight: Any, density: bool
) -> Tensor:
    """How many points, given by a vector for each of their axes, lie in each cell of a grid.

    Each part of an axis holds its lower end, the last both.  ``weight`` (points) counts in place
    of ones; with ``density`` the result is divided by its sum and the volume of each cell.
    """
    kind = axes[0].dtype
    shape = [edge.shape[0] - 1 for edge in edges]
    place, inside = as_operand(0, int64), as_operand(True)
    for x, edge, count in zip(axes, edges, shape, strict=True):
        x = x.detach()
        found = (x.bucketize(edge, right=True) - 1).clamp(0, max(count - 1, 0))
        place = place * count + found
        inside = inside.logical_and(x.ge(edge[0])).logical_and(x.le(edge[-1]))
    one = as_operand(1, kind) if weight is None else _weights(name, weight, axes[0])
    value = elementwise.where(inside, one, as_operand(0, kind))
    zeros = structure.broadcast_to(as_operand(0, kind), (math.prod(shape),))
    counts = indexing.put(zeros, place, value, 0, "add") if math.prod(shape) else zeros
    counts = structure.reshape(counts, shape)
    if density:
        counts = counts / counts.sum()
        for axis, edge in enumerate(edges):
            lines = [1] * axis + [-1] + [1] * (len(edges) - axis - 1)
            counts = counts / edge.diff().reshape(lines)
    return counts


def _weights(name: str, weight: Any, x: Any) -> Tensor:
    flat = structure.reshape(as_operand(weight).detach(), (-1,))
    if tuple(flat.shape) != tuple(x.shape):
        raise ShapeError(
            f"{name} got {flat.shape[0]} weights for {x.shape[0]} values", "give one for each"
        )
    if flat.dtype is not x.dtype:
        raise DTypeError(
            f"{name} got values of {x.dtype.name} and weights of {flat.dtype.name}: they should "
            "have the same dtype",
            "convert one of them",
        )
    return flat
