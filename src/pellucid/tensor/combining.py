"""Values written to the same place and combined there: sums, means, products, extremes."""

from __future__ import annotations

import math
import operator
from typing import Any

from pellucid.base.dtypes import bool_
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.base.shapes import normalize_axis
from pellucid.ops import elementwise, host_functions, indexing, structure
from pellucid.ops.registry import apply
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import as_operand, as_source
from pellucid.tensor.selecting import SelectingMethods, cut_to

REDUCTIONS = ("sum", "mean", "prod", "amax", "amin")


class CombiningMethods(SelectingMethods):
    """Scattering with a rule for places that are hit more than once."""

    __slots__ = ()

    def scatter_reduce(
        self, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
    ) -> Tensor:
        """A copy with ``src`` combined at ``index`` along ``dim``.

        ``reduce``: "sum", "mean", "prod", "amax" or "amin", of them and (``include_self``) what
        was there.  Places that are not hit stay.  Of equal extremes each gets an equal share of
        the gradient.  Shapes: ``index`` and at least so much of ``src`` like self, ``dim`` aside.
        """
        if reduce not in REDUCTIONS:
            raise ArgumentError(
                f"scatter_reduce got reduce={reduce!r}", "use " + ", ".join(map(repr, REDUCTIONS))
            )
        places = as_operand(index)
        source = as_source(src, self.dtype)
        source = cut_to(source, places)
        if not self.shape:  # a number is a line of one element
            line: Any = structure.reshape(self, (1,))
            first, second = (structure.reshape(t, (-1,)) for t in (places, source))
            found = line.scatter_reduce(0, first, second, reduce, include_self=include_self)
            return structure.reshape(found, ())
        axis = normalize_axis(dim, len(self.shape))
        ones = structure.broadcast_to(as_operand(1, self.dtype), places.shape)
        zeros = structure.broadcast_to(as_operand(0, self.dtype), self.shape)
        hits = indexing.scatter(zeros, places, ones, axis, "add")
        if reduce == "prod":
            return _product(self, axis, places, source, hits.gt(0), include_self)
        if reduce in ("amax", "amin"):
            return _extreme(self, axis, places, source, hits.gt(0), include_self, reduce)
        start = self if include_self else elementwise.where(hits.gt(0), zeros, self)
        total = indexing.scatter(start, places, source, axis, "add")
        if reduce == "sum":
            return total
        count = (hits + (1 if include_self else 0)).clamp(min=1)
        if self.dtype.is_floating_point:
            return elementwise.cast(total / count, self.dtype)
        return elementwise.where(hits.gt(0), total.floor_divide(count), total)

    def index_reduce(
        self, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
    ) -> Tensor:
        """A copy with the slices of ``source`` combined at ``index`` along ``dim``.

        ``reduce``: "prod", "mean", "amax" or "amin"; see :meth:`scatter_reduce`.
        """
        if reduce not in REDUCTIONS[1:]:
            raise ArgumentError(
                f"index_reduce got reduce={reduce!r}",
                "use " + ", ".join(map(repr, REDUCTIONS[1:])) + "; index_add gives sums",
            )
        values = as_operand(source)
        axis = normalize_axis(dim, len(self.shape))
        places = as_operand(index)
        if not self.shape:
            line = structure.reshape(self, (1,))
            found = line.index_reduce(
                0, places, structure.reshape(values, (-1,)), reduce, include_self=include_self
            )
            return structure.reshape(found, ())
        if places.shape not in ((), values.shape[axis : axis + 1]):
            raise ShapeError(
                f"index_reduce got {places.shape} positions for a source of shape {values.shape}",
                f"give one position for each slice along axis {axis}",
            )
        lines = structure.reshape(places, [-1 if i == axis else 1 for i in range(len(self.shape))])
        wide = structure.broadcast_to(lines, values.shape)
        return self.scatter_reduce(axis, wide, values, reduce, include_self=include_self)

    def put(self, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
        """A copy with ``source`` written (or added) at positions of the flattened tensor.

        ``index`` and ``source`` have equally many elements; negative positions count from the
        back.
        """
        places, values = as_operand(index), as_source(source, self.dtype)
        if math.prod(places.shape) != math.prod(values.shape):
            raise ShapeError(
                f"put got {math.prod(places.shape)} positions and {math.prod(values.shape)} values",
                "give one value for each position",
            )
        flat = structure.reshape(self, (-1,))
        negative = places.lt(0)
        front = elementwise.where(negative, places + flat.shape[0], places)
        found = indexing.put(
            flat,
            structure.reshape(front, (-1,)),
            structure.reshape(elementwise.cast(values, self.dtype), (-1,)),
            0,
            "add" if accumulate else "set",
        )
        return structure.reshape(found, self.shape)

    def nonzero_static(self, *, size: int, fill_value: int = -1) -> Tensor:
        """The first ``size`` positions of nonzero elements: (size, axes), filled up if fewer."""
        if size < 0:
            raise ArgumentError(f"nonzero_static got size={size}", "use 0 or more")
        mask = self if self.dtype is bool_ else self.ne(0)
        settings = {"size": int(size), "fill": int(fill_value), "exact": False}
        return apply(host_functions.TRUE_POSITIONS, mask, **settings)


def _product(x: Any, axis: int, places: Any, source: Any, hit: Any, include_self: bool) -> Any:
    """Products at each place: a running product over the values sorted by their place.

    Doubling as in :meth:`cummax`; the last of the values of a place then has all of them, and of
    several writes the last one stays.
    """
    order = structure.argsort(places, axis, False)
    ids, running = (indexing.gather(t, order, axis) for t in (places, source))
    extent, step = places.shape[axis], 1
    while step < extent:
        rest = (axis, step, extent - step)
        earlier, later = running.narrow(axis, 0, extent - step), running.narrow(*rest)
        same = ids.narrow(axis, 0, extent - step).eq(ids.narrow(*rest))
        joined = elementwise.where(same, earlier * later, later)
        running = structure.concatenate([running.narrow(axis, 0, step), joined], axis)
        step *= 2
    one = as_operand(1, x.dtype)
    blank = structure.broadcast_to(one, x.shape)
    total = indexing.scatter(blank, ids, running, axis, "set")
    return x * total if include_self else elementwise.where(hit, total, x)


def _extreme(
    x: Any, axis: int, places: Any, source: Any, hit: Any, include_self: bool, reduce: str
) -> Any:
    """The largest or smallest values of each place, and their gradient in equal shares."""
    if reduce == "amin":
        turn = operator.neg if x.dtype.is_floating_point else operator.invert  # no overflow
        return turn(_extreme(turn(x), axis, places, turn(source), hit, include_self, "amax"))
    given = source.detach()
    order = structure.argsort(given, axis, False)  # NaN last, so it wins
    ids, ascending = (indexing.gather(t, order, axis) for t in (places, given))
    most = indexing.scatter(x.detach(), ids, ascending, axis, "set")
    best = elementwise.where(hit, x.detach().maximum(most), most) if include_self else most
    if not x.dtype.is_floating_point:
        return best
    # What is added is 0; it carries the gradient to the elements that are as large as the best.
    own = x.detach().eq(best)
    own = own if include_self else own.logical_and(hit.logical_not())
    winner = given.eq(indexing.gather(best, places, axis))
    share = elementwise.cast(own, x.dtype)
    count = indexing.scatter(share, places, elementwise.cast(winner, x.dtype), axis, "add")
    zero = as_operand(0, x.dtype)
    moved = elementwise.where(own, _change(x), zero)
    other = elementwise.where(winner, _change(source), zero)
    return best + indexing.scatter(moved, places, other, axis, "add") / count.clamp(min=1)


def _change(x: Any) -> Any:
    """x − x, with the gradient of x; 0 for infinite elements too."""
    fixed = x.detach()
    return elementwise.where(fixed.isfinite(), x - fixed, as_operand(0, x.dtype))
