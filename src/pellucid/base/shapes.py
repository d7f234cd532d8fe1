"""Shape algebra: broadcasting, axes, strides.  Shapes are tuples of ints."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex, overload

from pellucid.base.errors import ArgumentError, ArgumentTypeError, AxisError, ShapeError

Shape = tuple[int, ...]


class Size(tuple[int, ...]):
    """The extents of a tensor, ``x.shape`` and ``x.size()``: a tuple of whole numbers.

    Slices and sums of sizes are sizes; ``numel()`` is the number of elements.  In arithmetic of
    shapes, inside, they are plain tuples.
    """

    __slots__ = ()

    def __new__(cls, extents: Iterable[SupportsIndex] = ()) -> Size:
        """The size with these extents."""
        try:
            return tuple.__new__(cls, map(operator.index, extents))
        except TypeError:
            raise ArgumentTypeError(
                f"a size was to be made of {extents!r}", "extents are whole numbers: Size([2, 3])"
            ) from None

    def numel(self) -> int:
        """The product of the extents: 1 for the shape of a single number."""
        return math.prod(self)

    @overload
    def __getitem__(self, key: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> Size: ...
    def __getitem__(self, key: SupportsIndex | slice) -> int | Size:
        found = tuple.__getitem__(self, key)
        return as_size(found) if key.__class__ is slice else found  # type: ignore[arg-type,return-value]

    def __add__(self, other: tuple[Any, ...]) -> Size:
        joined = tuple.__add__(self, other)
        return joined if joined is NotImplemented else as_size(joined)

    def __radd__(self, other: tuple[Any, ...]) -> Size:
        return as_size(tuple.__add__(other, self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, times: SupportsIndex) -> Size:
        joined = tuple.__mul__(self, times)
        return joined if joined is NotImplemented else as_size(joined)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"pellucid.Size([{', '.join(map(repr, self))}])"

    __str__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        return Size, (tuple(self),)


_new_tuple = tuple.__new__


def as_size(shape: Shape) -> Size:
    """A shape as it is shown outside; the extents are not looked at."""
    return _new_tuple(Size, shape)


def size_of(shape: Iterable[int]) -> int:
    """Number of elements: the product of the extents (1 for a scalar)."""
    return math.prod(shape)


def broadcast_shapes(*shapes: Shape | int) -> Shape:
    """The shape that ``shapes`` broadcast to (NumPy's rule: align at the right, 1 stretches).

    A number is the shape of a vector.
    """
    if shapes and isinstance(shapes[0], tuple) and shapes.count(shapes[0]) == len(shapes):
        return shapes[0]
    known = [_as_shape(s) for s in shapes]
    rank = max((len(s) for s in known), default=0)
    result = []
    for axis in range(-rank, 0):
        extents = {s[axis] for s in known if -axis <= len(s)} - {1}
        if len(extents) > 1:
            listed = " and ".join(str(s) for s in dict.fromkeys(known))
            raise ShapeError(
                f"shapes {listed} do not broadcast: axis {axis} has extents "
                f"{' and '.join(str(e) for e in sorted(extents))}",
                "extents must be equal, or one of them 1; add an axis with unsqueeze, or transpose",
            )
        result.append(extents.pop() if extents else 1)
    return tuple(result)


def _as_shape(shape: object) -> Shape:
    if isinstance(shape, tuple):
        return shape
    if isinstance(shape, Sequence) and not isinstance(shape, str):
        return tuple(shape)
    return (whole_axis(shape),)


def whole_axis(axis: object) -> int:
    """An axis as an int; raises ``ArgumentTypeError`` for what is no whole number."""
    try:
        return operator.index(axis)  # type: ignore[arg-type]
    except TypeError:
        raise ArgumentTypeError(
            f"dim must be int, not {type(axis).__name__} (got {axis!r})",
            "name an axis by its number, from 0, or from -1 at the back",
        ) from None


def normalize_axis(axis: int, rank: int) -> int:
    """``axis`` counted from the front; negative axes count from the back."""
    if axis.__class__ is not int:
        axis = whole_axis(axis)
    limit = max(rank, 1)
    if not -limit <= axis < limit:
        raise AxisError(
            f"axis {axis} does not exist in a tensor with {rank} dimensions",
            f"use an axis from {-limit} to {limit - 1}",
        )
    return axis + limit if axis < 0 else axis


def normalize_axes(axes: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Sorted, distinct axes counted from the front; ``None`` means all of them."""
    if axes is None:
        return tuple(range(rank))
    listed = list(axes) if isinstance(axes, (list, tuple)) else _axes_given(axes)
    result = [normalize_axis(a, rank) for a in listed]
    if len(set(result)) != len(result):
        raise ShapeError(f"an axis is named twice in {tuple(listed)}", "name each axis once")
    return tuple(sorted(a for a in result if a < rank))


def _axes_given(axes: object) -> list[int]:
    """Axes given as one number, or as anything else that can be walked through."""
    if hasattr(axes, "__index__") or not isinstance(axes, Iterable):
        return [whole_axis(axes)]
    return [whole_axis(a) for a in axes]


def contiguous_strides(shape: Shape) -> Shape:
    """Strides in elements of a C-contiguous array."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def resolve_reshape(shape: Shape, wanted: Sequence[int]) -> Shape:
    """``wanted`` with its -1, if any, filled in so that the number of elements stays equal."""
    total = size_of(shape)
    if min(wanted, default=0) >= 0 and size_of(wanted) == total:
        return tuple(wanted)
    unknown = [i for i, e in enumerate(wanted) if e == -1]
    rest = size_of(e for e in wanted if e != -1)
    if len(unknown) > 1 or any(e < -1 for e in wanted):
        raise ArgumentError(
            f"cannot reshape to {tuple(wanted)}", "use at most one -1, and no other negative extent"
        )
    if unknown and rest and total % rest == 0:
        result = list(wanted)
        result[unknown[0]] = total // rest
        return tuple(result)
    if unknown or rest != total:
        raise ShapeError(
            f"cannot reshape {shape} ({total} elements) to {tuple(wanted)}"
            + (f" ({rest} elements)" if not unknown else ""),
            _reshape_hint(shape, wanted),
        )
    return tuple(wanted)


def _reshape_hint(shape: Shape, wanted: Sequence[int]) -> str:
    """The likely fix of a reshape that does not fit: mostly a flattened size written by hand."""
    hint = "the number of elements must stay the same"
    if len(shape) > 2 and len(wanted) == 2:
        sample = size_of(shape[1:])
        hint += (
            f": one of the {shape[0]} samples has {' · '.join(map(str, shape[1:]))} = {sample}; "
            f"use x.flatten(1), and {sample} features after it"
        )
    return hint
