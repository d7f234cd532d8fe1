"""Methods that rearrange elements: shape, order of axes, joining, cutting, padding."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import int64
from pellucid.base.errors import (
    ArgumentError,
    ArgumentTypeError,
    AxisError,
    OutOfRangeError,
    ScalarError,
    ShapeError,
)
from pellucid.base.shapes import (
    broadcast_shapes,
    contiguous_strides,
    normalize_axes,
    normalize_axis,
)
from pellucid.ops import elementwise, indexing, structure
from pellucid.ops.registry import apply
from pellucid.ops.structure import RESHAPE
from pellucid.ops.views import DIAGONAL
from pellucid.tensor.arguments import Axes, Extents
from pellucid.tensor.core import TensorCore, check_size, lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import together
from pellucid.tensor.signatures import with_numpy_names
from pellucid.tensor.state import state


def _extents(args: tuple[Any, ...]) -> tuple[int, ...]:
    """Extents given either as several integers or as one sequence."""
    listed: Any = args
    if len(args) == 1 and not isinstance(args[0], (int, np.integer)):
        listed = args[0]
    try:
        return tuple(operator.index(e) for e in listed)
    except TypeError:
        raise ArgumentTypeError(
            f"{args!r} are no extents or axes of a tensor", "they are whole numbers"
        ) from None


def _repeated(repeats: Any, extent: int, output_size: int | None) -> Any:
    """Each position below ``extent`` as often as ``repeats`` says, in order."""
    if output_size is not None and state.trace is not None and repeats._cell.array is None:
        ends = structure.broadcast_to(repeats, (extent,)).cumsum(0)
        steps: Any = lift(np.zeros(output_size + 1, np.int64))
        return steps.index_add(0, ends, lift(np.ones(extent, np.int64))).cumsum(0)[:output_size]
    counts = np.broadcast_to(repeats.array(), (extent,))
    if counts.size and counts.min() < 0:
        raise ArgumentError(
            f"repeat_interleave got the count {int(counts.min())}", "counts are 0 or more"
        )
    if output_size not in (None, int(counts.sum())):
        raise ArgumentError(
            f"repeat_interleave got output_size={output_size} and counts that sum to "
            f"{int(counts.sum())}: allocated size does not match required size",
            "give their sum, or nothing",
        )
    return lift(np.repeat(np.arange(extent), counts))


def as_view(result: Any, base: TensorCore) -> Any:
    """The result of an operation on ``base``, which is never ``base`` itself but a view of it."""
    return apply(RESHAPE, base, shape=tuple(base.shape)) if result is base else result


def as_copy(result: Any, base: TensorCore) -> Any:
    """The result of an operation on ``base``, in memory of its own."""
    cell = result._cell
    while cell is not base._cell and cell.base is not None:
        cell = cell.base
    return elementwise.copy(result) if cell is base._cell else result


def several(views: Sequence[Any]) -> tuple[Any, ...]:
    """Views that one function returned; see :class:`~pellucid.tensor.core.View`."""
    for view in views:
        if view._view is not None and view._view.kind == "plain":
            view._view.kind = "several"
    return tuple(views)


class ShapingMethods(Tensor):
    """Views and rearrangements.

    As in PyTorch, those that only look at the elements in another way give views, which share the
    tensor's memory; ``flip``, ``roll``, ``repeat`` and the like give copies.  ``reshape`` gives
    a view where the elements' order in memory allows it, else a copy.
    """

    __slots__ = ()

    def reshape(self, *shape: Extents) -> Tensor:
        """The same elements in the same order under ``shape``; one extent may be −1."""
        return as_view(structure.reshape(self, _extents(shape)), self)

    view = reshape

    def view_as(self, other: TensorCore) -> Tensor:
        """The same elements in the same order under the shape of ``other``."""
        return as_view(structure.reshape(self, other.shape), self)

    reshape_as = view_as

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """Axes ``start_dim`` to ``end_dim`` merged into one."""
        rank = len(self.shape)
        if rank == 0:
            return structure.reshape(self, (1,))
        first, last = normalize_axis(start_dim, rank), normalize_axis(end_dim, rank)
        if first > last:
            raise ShapeError(
                f"flatten from axis {start_dim} to {end_dim}",
                "start_dim must not come after end_dim",
            )
        merged = math.prod(self.shape[first : last + 1])
        return structure.reshape(self, (*self.shape[:first], merged, *self.shape[last + 1 :]))

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Tensor:
        """Axis ``dim`` split into axes of extents ``sizes`` (one may be −1)."""
        axis = normalize_axis(dim, len(self.shape))
        known = math.prod(s for s in sizes if s != -1)
        extent, free = self.shape[axis], list(sizes).count(-1)
        if free > 1 or (extent % max(known, 1) if free else extent != known):
            fits = f"{extent} = {' · '.join(map(str, sizes))}".replace("-1", "n")
            raise ShapeError(
                f"cannot split axis {dim} of shape {tuple(self.shape)} into {tuple(sizes)}: its "
                f"extent is {extent}, their product {known}{' · n' * free}",
                f"choose sizes with {fits}, or let the layer before give {known} features",
            )
        filled = [extent // max(known, 1) if s == -1 else s for s in sizes]
        return structure.reshape(self, (*self.shape[:axis], *filled, *self.shape[axis + 1 :]))

    def permute(self, *dims: Extents) -> Tensor:
        """Axis i of the result is axis ``dims[i]``."""
        return as_view(structure.transpose(self, _extents(dims)), self)

    def transpose(self, dim0: int | Sequence[int], dim1: int | None = None) -> Tensor:
        """Axes ``dim0`` and ``dim1`` exchanged; or, as in NumPy, all axes in a given order."""
        if dim1 is None or not isinstance(dim0, int):
            return self.permute(dim0)
        rank = len(self.shape)
        order = list(range(rank))
        if rank:
            a, b = normalize_axis(dim0, rank), normalize_axis(dim1, rank)
            order[a], order[b] = order[b], order[a]
        return as_view(structure.transpose(self, order), self)

    swapaxes = transpose

    def t(self) -> Tensor:
        """The transposed matrix; vectors and scalars stay."""
        if len(self.shape) > 2:
            raise ShapeError(
                f"t() got shape {tuple(self.shape)}", "use .transpose(dim0, dim1) or .mT"
            )
        return self.transpose(0, 1) if len(self.shape) == 2 else as_view(self, self)

    @property
    def T(self) -> Tensor:  # noqa: N802  (PyTorch's name)
        """All axes in reverse order."""
        return as_view(structure.transpose(self, tuple(reversed(range(len(self.shape))))), self)

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """The last two axes exchanged."""
        return self.transpose(-2, -1)

    def movedim(self, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
        """Axes ``source`` moved to places ``destination``, the others in their order."""
        rank = len(self.shape)
        pairs = [
            [normalize_axis(a, rank) for a in ([axes] if isinstance(axes, int) else axes)]
            for axes in (source, destination)
        ]
        if len(pairs[0]) != len(pairs[1]):
            raise ArgumentError(
                f"movedim got {len(pairs[0])} axes and {len(pairs[1])} places", "give one for each"
            )
        for what, places in zip(("source", "destination"), pairs, strict=True):
            if len(set(places)) != len(places):
                raise ShapeError(
                    f"movedim: repeated dim in `{what}` ({places})", "name each axis once"
                )
        order = [i for i in range(rank) if i not in pairs[0]]
        for place, axis in sorted(zip(pairs[1], pairs[0], strict=True)):
            order.insert(place, axis)
        return as_view(structure.transpose(self, order), self)

    def squeeze(self, dim: int | Sequence[int] | None = None) -> Tensor:
        """Without axes of extent 1: all of them, or those of ``dim`` that have extent 1."""
        rank = len(self.shape)
        chosen = set(normalize_axes(dim, rank))
        shape = [n for i, n in enumerate(self.shape) if not (i in chosen and n == 1)]
        return as_view(structure.reshape(self, shape), self)

    def unsqueeze(self, dim: int) -> Tensor:
        """With a new axis of extent 1 at position ``dim`` of the result."""
        place = normalize_axis(dim, len(self.shape) + 1)
        return structure.reshape(self, (*self.shape[:place], 1, *self.shape[place:]))

    def expand(self, *sizes: Extents) -> Tensor:
        """Stretched to ``sizes``; −1 keeps an extent, new axes come in front."""
        wanted = _extents(sizes)
        lead = len(wanted) - len(self.shape)
        target = [
            self.shape[i - lead] if e == -1 and i >= lead else e for i, e in enumerate(wanted)
        ]
        if any(e < 0 for e in target):
            raise ShapeError(
                f"expand got the sizes {wanted} for a tensor of shape {tuple(self.shape)}",
                "extents are 0 or more; -1 keeps that of an axis that is there",
            )
        return as_view(structure.broadcast_to(self, target), self)

    def expand_as(self, other: TensorCore) -> Tensor:
        """Stretched to the shape of ``other``, without a copy."""
        return as_view(structure.broadcast_to(self, other.shape), self)

    def broadcast_to(self, shape: Sequence[int]) -> Tensor:
        """Stretched to ``shape`` by NumPy's rule, without a copy."""
        return as_view(structure.broadcast_to(self, tuple(shape)), self)

    def repeat(self, *repeats: Extents) -> Tensor:
        """Tiled ``repeats[i]`` times along axis i (new axes in front)."""
        counts = _extents(repeats)
        shape = (1,) * (len(counts) - len(self.shape)) + tuple(self.shape)
        if len(counts) < len(self.shape):
            raise ShapeError(
                f"repeat got {len(counts)} counts for a tensor with {len(self.shape)} axes",
                "give one for each",
            )
        if any(c < 0 for c in counts):
            raise ArgumentError(f"repeat got the counts {counts}", "they are 0 or more")
        check_size(tuple([c * n for c, n in zip(counts, shape, strict=True)]), self.dtype)
        split = [e for n in shape for e in (1, n)]
        wide = [e for c, n in zip(counts, shape, strict=True) for e in (c, n)]
        spread = structure.broadcast_to(structure.reshape(self, split), wide)
        tiled = structure.reshape(spread, [c * n for c, n in zip(counts, shape, strict=True)])
        return as_copy(tiled, self)

    def tile(self, *dims: Extents) -> Tensor:
        """:meth:`repeat` that fills up missing counts with ones in front."""
        counts = _extents(dims)
        return self.repeat((1,) * (len(self.shape) - len(counts)) + counts)

    def repeat_interleave(
        self, repeats: int | Tensor, dim: int | None = None, *, output_size: int | None = None
    ) -> Tensor:
        """Each element repeated ``repeats`` times in place along ``dim`` (flattened by default).

        ``repeats`` is a number, or a vector with one for each element.  ``output_size`` is the sum
        of them; compiled programs need it, where the vector's values are not known.
        """
        x = structure.reshape(self, (-1,)) if dim is None or not self.shape else self
        axis = normalize_axis(dim or 0, len(x.shape))
        if isinstance(repeats, TensorCore):
            return indexing.take(x, _repeated(repeats, x.shape[axis], output_size), axis)
        if repeats < 0:
            raise ArgumentError(f"repeat_interleave got the count {repeats}", "use 0 or more")
        wide = (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :])
        spread = structure.broadcast_to(x.unsqueeze(axis + 1), wide)
        longer = (*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :])
        return as_copy(structure.reshape(spread, longer), self)

    def flip(self, *axes: Extents, dims: Axes = None) -> Tensor:
        """Read backwards along each of ``dims``; the shape stays."""
        return as_copy(structure.flip(self, _extents(axes if dims is None else (dims,))), self)

    def roll(self, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
        """Shifted by ``shifts`` along ``dims``; what falls out comes in on the other side."""
        if isinstance(shifts, Tensor) and not shifts.shape:
            shifts = operator.index(shifts)
        if not isinstance(shifts, int):
            shifts = _extents((shifts,))
            if not len(shifts):
                raise ArgumentError(
                    "roll got no shifts: `shifts` required", "give one for each dim"
                )
            whole = dims is None and len(shifts) == 1
            axes = [None] if whole else [dims] if isinstance(dims, int) else list(dims or ())
            if len(axes) != len(shifts):
                raise ArgumentError(
                    f"roll got {len(shifts)} shifts and {len(axes)} dims: shifts and dimensions "
                    "must align",
                    "give one shift for each axis",
                )
            result: Tensor = self
            for shift, one in zip(shifts, axes, strict=True):
                result = result.roll(shift, one)
            return result
        if dims is not None and not isinstance(dims, int):
            (dims,) = dims
        if dims is None:
            return structure.reshape(structure.reshape(self, (-1,)).roll(shifts, 0), self.shape)
        axis = normalize_axis(dims, len(self.shape))
        extent = self.shape[axis]
        if extent == 0 or shifts % extent == 0:
            return elementwise.copy(self)
        cut = extent - shifts % extent
        parts = [self.narrow(axis, cut, extent - cut), self.narrow(axis, 0, cut)]
        return structure.concatenate(parts, axis)

    def narrow(self, dim: int, start: int | Tensor, length: int) -> Tensor:
        """``length`` elements from ``start`` along ``dim``.

        ``start`` may be an integer tensor of one element, in compiled programs of any value.
        """
        axis = normalize_axis(dim, len(self.shape))
        if not self.shape:
            raise AxisError(
                "narrow cannot be applied to a 0-dimensional tensor", "give it an axis: reshape(1)"
            )
        if isinstance(start, TensorCore):
            if start.shape or start.dtype.kind != "int":
                raise ShapeError(
                    f"narrow got a start of shape {tuple(start.shape)} and {start.dtype.name}: it "
                    "must be an 0-dim integral Tensor",
                    "give a whole number, or an integer tensor without axes",
                )
            if state.trace is not None and start._cell.array is None:
                return self._narrow_at(axis, start, length)
            start = int(start.array())
        length = operator.index(length)
        if length < 0:
            raise ArgumentError(
                f"narrow got length={length}: narrow(): length must be non-negative",
                "use 0 or more",
            )
        first = start + self.shape[axis] if start < 0 else start
        if not 0 <= first <= first + length <= self.shape[axis]:
            raise ArgumentError(
                f"narrow({dim}, {start}, {length}) leaves an axis of extent {self.shape[axis]}",
                "stay inside",
            )
        low = [first if i == axis else 0 for i in range(len(self.shape))]
        high = [first + length if i == axis else n for i, n in enumerate(self.shape)]
        return as_view(structure.slice_(self, low, high, [1] * len(self.shape)), self)

    def _narrow_at(self, axis: int, start: Any, length: int) -> Any:
        """:meth:`narrow` from a position that the program computes: a copy."""
        extent = self.shape[axis]
        if not 0 <= length <= extent:
            raise ArgumentError(
                f"narrow to {length} elements of an axis of extent {extent}", "stay inside"
            )
        first = elementwise.cast(start, int64)
        first = elementwise.where(first.lt(0), first + extent, first)
        return indexing.take(self, first + lift(np.arange(length, dtype=np.int64)), axis)

    def select(self, dim: int, index: int) -> Tensor:
        """The slice at ``index`` along ``dim``, without that axis."""
        axis = normalize_axis(dim, len(self.shape))
        extent = self.shape[axis]
        if isinstance(index, TensorCore):
            if state.trace is not None and not index.shape and index._cell.array is None:
                return self._narrow_at(axis, index, 1).squeeze(axis)
            index = operator.index(index)
        if not -extent <= index < extent:
            raise OutOfRangeError(
                f"select({dim}, {index}) on an axis of extent {extent}",
                f"use {-extent} to {extent - 1}" if extent else "the axis is empty",
            )
        return self.narrow(axis, index % extent, 1).squeeze(axis)

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
        """Pieces of ``split_size`` (the last may be smaller), or of the sizes in a list."""
        axis = normalize_axis(dim, len(self.shape))
        extent = self.shape[axis]
        if isinstance(split_size, int):
            if split_size <= 0:
                raise ArgumentError(f"split got split_size={split_size}", "use a positive size")
            sizes = [min(split_size, extent - i) for i in range(0, extent, split_size)] or [0]
        else:
            sizes = list(split_size)
            if sum(sizes) != extent:
                raise ArgumentError(
                    f"split sizes {sizes} do not add up to {extent}", "they must cover the axis"
                )
        starts = np.cumsum([0, *sizes])[:-1]
        return several([self.narrow(axis, int(s), n) for s, n in zip(starts, sizes, strict=True)])

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
        """At most ``chunks`` pieces of equal size (the last may be smaller)."""
        extent = self.shape[normalize_axis(dim, len(self.shape))]
        if chunks < 1:
            raise ArgumentError(f"chunk got chunks={chunks}", "use 1 or more")
        return self.split(max(1, -(-extent // chunks)), dim)

    def unbind(self, dim: int = 0) -> tuple[Tensor, ...]:
        """The slices along ``dim``, each without that axis."""
        extent = self.shape[normalize_axis(dim, len(self.shape))]
        return several([self.select(dim, i) for i in range(extent)])

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise ScalarError("a 0-dimensional tensor cannot be iterated over", "use .item()")
        return iter(self.unbind(0))

    def contiguous(self, memory_format: object = None) -> Tensor:
        """The tensor itself if its elements lie in C order in memory, else a copy in which they do.

        Within a compiled function that decides only about sharing memory: layouts are the
        compiler's business.
        """
        trace, cell = state.trace, self._cell
        if trace is None:
            lies_in_order = self.array().flags.c_contiguous
        else:
            lies_in_order = trace.strides_of(cell) == contiguous_strides(cell.shape)
        if lies_in_order:
            return self
        ordered = structure.reshape(structure.reshape(self, (-1,)), self.shape)
        ordered._view = None  # of a copy that nobody has
        return ordered

    def tril(self, diagonal: int = 0) -> Tensor:
        """Zeros above the ``diagonal``-th diagonal of the last two axes."""
        return self._triangle(lambda rows, columns: columns - rows <= diagonal)

    def triu(self, diagonal: int = 0) -> Tensor:
        """Zeros below the ``diagonal``-th diagonal of the last two axes."""
        return self._triangle(lambda rows, columns: columns - rows >= diagonal)

    def _triangle(self, inside: Any) -> Any:
        if len(self.shape) < 2:
            raise ShapeError(
                f"tril and triu need a matrix and got shape {tuple(self.shape)}", "add an axis"
            )
        rows, columns = np.indices(self.shape[-2:], sparse=True)
        zero = lift(self.dtype.array(0))
        return elementwise.where(lift(np.asarray(inside(rows, columns))), self, zero)

    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
        """Elements on a diagonal of axes ``dim1`` and ``dim2``, as a last axis."""
        rank = len(self.shape)
        axes = (normalize_axis(dim1, rank), normalize_axis(dim2, rank))
        if axes[0] == axes[1]:
            raise ShapeError(
                f"diagonal got the axis {dim1} twice (dim1={dim1}, dim2={dim2})",
                "name two different axes",
            )
        return apply(DIAGONAL, self, offset=offset, axes=axes)

    def diag(self, diagonal: int = 0) -> Tensor:
        """A matrix's diagonal, or a vector as the diagonal of a square matrix."""
        if len(self.shape) not in (1, 2):
            raise ShapeError(
                f"diag got shape {tuple(self.shape)}: matrix or vector expected (1D or 2D)",
                "use diagonal or diag_embed for more axes",
            )
        if len(self.shape) == 2:
            return as_copy(self.diagonal(diagonal), self)
        n = self.shape[0]
        size = n + abs(diagonal)
        spread = structure.pad(
            structure.reshape(self, (n, 1)),
            (0, 0),
            (0, size),
            fill=0 if self.dtype.kind == "int" else 0.0,
        )
        flat = structure.reshape(spread, (n * (size + 1),))  # (n, size + 1) -> one line
        lead = max(diagonal, 0) + max(-diagonal, 0) * size
        total = size * size
        flat = structure.pad(flat, (lead,), (max(total - lead - flat.shape[0], 0),))
        return structure.reshape(flat.narrow(0, 0, total), (size, size))  # (size²,) -> matrix

    def trace(self) -> Tensor:
        """Sum of a matrix's diagonal: Σ x_ii, a tensor without axes."""
        if len(self.shape) != 2:
            raise ShapeError(
                f"trace got shape {tuple(self.shape)}: expected a matrix",
                "sum x.diagonal(dim1=-2, dim2=-1) over its last axis for several",
            )
        return structure.sum(self.diagonal())


def _need_tensors(name: str, tensors: Any) -> None:
    """Raise unless ``tensors`` is a list or tuple of tensors."""
    if isinstance(tensors, TensorCore):
        raise ArgumentTypeError(
            f"{name} got one tensor of shape {tuple(tensors.shape)}", f"use {name}([a, b])"
        )
    for position, tensor in enumerate(tensors):
        if not isinstance(tensor, TensorCore):
            raise ArgumentTypeError(
                f"{name} got a {type(tensor).__name__} at position {position}",
                "make tensors of all of them: pellucid.tensor(data)",
            )


@with_numpy_names
@takes_out
def cat(
    tensors: Sequence[Tensor],
    dim: int = 0,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Tensors joined along ``dim``; all other extents must agree.

    Vectors without elements are left out, whatever the shape of the others, so that a result can
    be grown from ``tensor([])``; their dtype counts.
    """
    _need_tensors("cat", tensors)
    parts = together(*tensors) if len(tensors) else []
    for position, part in enumerate(parts):
        if not part.shape:
            raise ShapeError(
                f"cat got a number at position {position}: zero-dimensional tensors cannot be "
                "concatenated",
                "use stack, or give it an axis: x.reshape(1)",
            )
    filled = [part for part in parts if tuple(part.shape) != (0,)]
    joined = structure.concatenate(filled or parts, dim)
    return elementwise.copy(joined) if len(filled) == 1 else joined


@with_numpy_names
@takes_out
def stack(
    tensors: Sequence[Tensor],
    dim: int = 0,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Tensors of one shape joined along a new axis ``dim``."""
    _need_tensors("stack", tensors)
    shapes = {tuple(t.shape) for t in tensors}
    if len(shapes) > 1:
        raise ShapeError(f"stack got shapes {sorted(shapes)}", "all must be equal; use cat to join")
    return cat([t.unsqueeze(dim) for t in tensors], dim)


@clear
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors stretched to their common shape."""
    shape = broadcast_shapes(*(tuple(t.shape) for t in tensors))
    return tuple(structure.broadcast_to(t, shape) for t in tensors)


@clear
def meshgrid(*tensors: Tensor | Sequence[Tensor], indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinate grids of vectors, given one by one or as one list; numbers are vectors of one.

    ``indexing="xy"`` exchanges the first two axes.
    """
    if indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid got indexing={indexing!r}", 'use "ij" or "xy"')
    listed: Any = tensors
    if len(tensors) == 1 and not isinstance(tensors[0], TensorCore):
        listed = tensors[0]
    _need_tensors("meshgrid", listed)
    if not len(listed):
        raise ArgumentError("meshgrid got no tensors", "pass at least one vector")
    vectors: list[Any] = [t if t.shape else structure.reshape(t, (1,)) for t in listed]
    for vector in vectors:
        if len(vector.shape) > 1 or vector.dtype is not vectors[0].dtype:
            raise ShapeError(
                f"meshgrid got a tensor of shape {tuple(vector.shape)} and {vector.dtype.name}",
                "give vectors (or numbers) of one dtype",
            )
    shape = tuple(t.shape[0] for t in vectors)
    grids = []
    for place, vector in enumerate(vectors):
        line = structure.reshape(vector, [n if i == place else 1 for i, n in enumerate(shape)])
        grid = structure.broadcast_to(line, shape)
        grids.append(grid.transpose(0, 1) if indexing == "xy" and len(shape) > 1 else grid)
    return tuple(grids)
