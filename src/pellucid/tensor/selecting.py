"""Indexing: ``x[...]``, ``x[...] = v``, gather, scatter."""

from __future__ import annotations

import math
import operator
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Literal, TypeGuard, overload

import numpy as np

from pellucid.base.dtypes import bool_, int64, uint8
from pellucid.base.errors import (
    ArgumentError,
    AxisError,
    DTypeError,
    IndexTypeError,
    OutOfRangeError,
    ShapeError,
    TraceError,
)
from pellucid.base.shapes import broadcast_shapes, normalize_axis
from pellucid.ops import elementwise, host_functions, indexing, structure
from pellucid.ops.registry import apply
from pellucid.ops.views import is_stretched, is_stretched_view, stretched
from pellucid.tensor.arguments import Index, Operand
from pellucid.tensor.core import TensorCore, lift
from pellucid.tensor.inplace import change, is_recorded
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import as_operand, as_source
from pellucid.tensor.shaping import as_view
from pellucid.tensor.state import state


def _entries(key: Any) -> list[Any]:
    """The parts of a key, each in its usual form.

    A short list that holds sequences, tensors or slices means the tuple of them, as it did in
    NumPy once and does in PyTorch.
    """
    if not isinstance(key, tuple):
        if not (isinstance(key, list) and _means_a_tuple(key)):
            return [_usual(key)]
    return [_usual(item) for item in key]


def _means_a_tuple(key: list[Any]) -> bool:
    kinds = (TensorCore, np.ndarray, list, tuple, range, slice, type(None), type(Ellipsis))
    return len(key) < 32 and any(isinstance(item, kinds) for item in key)


def _usual(item: Any) -> Any:
    """An entry of a key in its usual form: sequences as arrays, masks of uint8 as masks of bool."""
    kind = item.__class__
    if kind is int or kind is slice or item is None:
        return item
    if isinstance(item, (range, tuple, list)):
        array = np.asarray(_numbers(item))
        return array.astype(np.int64) if array.size == 0 else array
    if isinstance(item, (bool, np.bool_)):
        return np.asarray(item)
    if isinstance(item, TensorCore):
        if item._cell.dtype is uint8:
            _warn_of_bytes()
            try:
                return lift(item.array().astype(np.bool_))
            except TraceError:
                return item.bool_()  # type: ignore[attr-defined]
    elif isinstance(item, np.ndarray) and item.dtype == np.uint8:
        _warn_of_bytes()
        return item.astype(np.bool_)
    return item


def _numbers(item: Any) -> Any:
    """Nested sequences, tensors without axes among them, as lists of numbers."""
    if isinstance(item, (range, tuple, list)):
        return [_numbers(each) for each in item]
    return item.array() if isinstance(item, TensorCore) else item


def _warn_of_bytes() -> None:
    """uint8 was the type of masks before there was bool."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and "pellucid/tensor/" in frame.f_code.co_filename:
        level, frame = level + 1, frame.f_back
    warnings.warn(
        "indexing with dtype uint8 is deprecated: it is taken for a mask; use a bool mask, "
        "mask.bool(), or positions of int64",
        stacklevel=level,
    )


def _expand_ellipsis(items: list[Any], rank: int) -> list[Any]:
    """The entries as one for each axis (None entries add axes)."""
    used = 0
    for item in items:
        if item is None or item is Ellipsis:
            continue
        used += len(item.shape) if _is_boolean(item) else 1
    if used > rank:
        raise AxisError(f"too many indices: {used} for a tensor with {rank} axes", "use fewer")
    where = [i for i, item in enumerate(items) if item is Ellipsis]
    fill = [slice(None)] * (rank - used)
    if len(where) > 1:
        raise ArgumentError("an index holds more than one ...", "use at most one")
    return items[: where[0]] + fill + items[where[0] + 1 :] if where else items + fill


def _is_boolean(item: Any) -> bool:
    if isinstance(item, TensorCore):
        return item.dtype is bool_
    return isinstance(item, np.ndarray) and item.dtype == np.bool_


def _is_advanced(item: Any) -> bool:
    return isinstance(item, (TensorCore, np.ndarray))


def _whole(item: Any) -> int:
    """A position as an int; numbers with a fraction and texts are none."""
    try:
        return operator.index(item)
    except TypeError:
        raise IndexTypeError(
            f"{item!r} ({type(item).__name__}) was used as an index",
            "use integers, slices, ..., None, or tensors of integers or bools",
        ) from None


class _Plan:
    """A key taken apart: slices first, then new axes, then positions given by tensors."""

    def __init__(self, shape: tuple[int, ...], entries: list[Any]) -> None:
        self.start: list[int] = []
        self.stop: list[int] = []
        self.step: list[int] = []
        self.drop: list[int] = []
        self.advanced: dict[int, Any] = {}
        """Axis after slicing (before dropping and adding axes) → index tensor."""
        self.layout: list[int | None] = []
        """Axes after slicing in order of the result; None is a new axis."""
        self.empty: list[int] = []
        """Places in ``layout`` of new axes without entries: where a mask of no axes is False."""
        axis = 0
        for item in _expand_ellipsis(entries, len(shape)):
            if item is None:
                self.layout.append(None)
            elif _is_boolean(item):
                axis = self._mask(shape, axis, item)
            else:
                self._one(shape[axis], axis, item)
                axis += 1

    def _one(self, extent: int, axis: int, item: Any) -> None:
        if isinstance(item, slice):
            first, last, by = item.indices(extent)
            self._range(first, last, by)
            self.layout.append(axis)
        elif _is_advanced(item):
            self._range(0, extent, 1)
            tensor = item if isinstance(item, TensorCore) else lift(np.asarray(item))
            if tensor.dtype.kind != "int":
                if tensor.shape != (0,):
                    raise IndexTypeError(
                        f"an index of {tensor.dtype.name}", "use integers or a bool mask"
                    )
                tensor = lift(np.zeros(0, np.int64))
            self.advanced[axis] = _from_the_front(tensor, extent)
            self.layout.append(axis)
        else:
            place = _whole(item)
            if not -extent <= place < extent:
                raise OutOfRangeError(
                    f"index {place} is out of range for axis {axis} of extent {extent}",
                    f"use {-extent} to {extent - 1}",
                )
            place %= extent
            self._range(place, place + 1, 1)
            self.drop.append(axis)

    def _range(self, start: int, stop: int, step: int) -> None:
        self.start.append(start)
        self.stop.append(stop)
        self.step.append(step)

    def _mask(self, shape: tuple[int, ...], axis: int, item: Any) -> int:
        """A mask stands for the positions where it is true; its values must be known."""
        array = item.array() if isinstance(item, TensorCore) else item
        if array.ndim == 0:
            if not array:
                self.empty.append(len(self.layout))
            self.layout.append(None)
            return axis
        if array.shape != shape[axis : axis + array.ndim]:
            raise AxisError(
                f"a mask of shape {array.shape} on axes of shape {shape[axis : axis + array.ndim]}",
                "the mask needs the extents of the axes it covers",
            )
        for places in np.nonzero(array):
            self._one(shape[axis], axis, lift(places.astype(np.int64)))
            axis += 1
        return axis


def _is_mask_of(key: object, shape: tuple[int, ...]) -> TypeGuard[Tensor]:
    """Whether a key is one mask over the leading axes."""
    if not isinstance(key, TensorCore) or key.dtype is not bool_:
        return False
    return key.shape == shape[: len(key.shape)]


def _under_mask(x: Any, mask: Any, value: Any, mode: str) -> Any:
    """``x`` with ``value`` written or added where a mask that is not known is true."""
    lead = len(mask.shape)
    rest = tuple(x.shape[lead:])
    value = _squeeze_lead(value, len(rest) + 1)
    if len(value.shape) > len(rest) and value.shape[0] != 1:  # one for each place
        settings = {"size": value.shape[0], "fill": 0, "exact": True}
        places = apply(host_functions.TRUE_POSITIONS, structure.reshape(mask, (-1,)), **settings)
        rows = structure.reshape(x, (math.prod(mask.shape), *rest))
        spread = structure.broadcast_to(value, (value.shape[0], *rest))
        found = indexing.put(rows, structure.reshape(places, (-1,)), spread, 0, mode)
        return structure.reshape(found, x.shape)
    spread = structure.broadcast_to(_squeeze_lead(value, len(rest)), x.shape)
    wide = structure.reshape(mask, (*mask.shape, *[1] * len(rest)))
    if mode == "add":
        spread = x.logical_or(spread) if x.dtype is bool_ else x + spread
    return elementwise.where(wide, spread, x)


class SelectingMethods(Tensor):
    """``x[key]``, assignment to ``x[key]``, and the named forms of both."""

    __slots__ = ()

    def __getitem__(self, key: Index) -> Tensor:
        return self._selected(_entries(key))

    def _selected(self, entries: list[Any]) -> Any:
        """What a key in its usual form selects."""
        plan = _Plan(self._cell.shape, entries)
        x = structure.slice_(self, plan.start, plan.stop, plan.step)
        if plan.advanced:
            return _take_advanced(x, plan)
        shape = x._cell.shape
        kept = [1 if a is None else shape[a] for a in plan.layout]
        chosen = as_view(structure.reshape(x, kept), self)
        for place in plan.empty:
            chosen = chosen.narrow(place, 0, 0)
        return chosen

    def __setitem__(self, key: Index, value: Operand) -> None:
        tensor = elementwise.cast(as_operand(value, self.dtype), self.dtype)
        entries = _entries(key)
        if state.trace is None and not is_recorded(self, tensor) and self.array().flags.writeable:
            self._write(entries, tensor.array())
        elif (
            len(entries) == 1
            and _is_mask_of(entries[0], self.shape)
            and math.prod(tensor.shape) == 1
        ):
            # One number wherever the mask says: needs no positions, so the mask may be traced.
            mask = entries[0]
            wide = structure.reshape(mask, (*mask.shape, *[1] * (len(self.shape) - mask.ndim)))
            number = structure.reshape(tensor, ())
            change(self, elementwise.where(wide, number, self._shadow()))
        else:
            change(self, self._shadow()._with(entries, tensor))

    def _write(self, entries: list[Any], value: np.ndarray) -> None:
        """Write ``value`` to a key of the memory itself: only the elements named are touched."""
        plan = _Plan(self.shape, entries)
        for axis, index in plan.advanced.items():
            indexing_check(index, self.shape[axis])
        items = [item.array() if isinstance(item, TensorCore) else item for item in entries]
        array = self.array()
        if is_stretched_view(self._cell.base, array):
            shown = array[tuple(items)]
            if plan.advanced or is_stretched(shown.shape, shown.strides, array.itemsize):
                raise stretched(array.shape)
        try:
            array[tuple(items)] = value
        except ValueError as error:
            raise ShapeError(
                f"a value of shape {value.shape} does not fit what the index selects: {error}",
                "it must broadcast to the selected elements",
            ) from error
        self._cell.changes[0] += 1

    def _with(self, entries: list[Any], value: Any, mode: str = "set") -> Tensor:
        """A copy whose elements at a key are ``value``, through positions in flat order."""
        if len(entries) == 1 and _is_mask_of(entries[0], self.shape):
            if entries[0]._cell.array is None:
                return _under_mask(self, entries[0], value, mode)
        places = lift(np.arange(math.prod(self.shape), dtype=np.int64).reshape(self.shape))
        where = places._selected(entries)  # (N,) -> shape
        spread = structure.broadcast_to(_squeeze_lead(value, len(where.shape)), where.shape)
        flat = structure.reshape(self, (-1,))
        changed = indexing.put(
            flat, structure.reshape(where, (-1,)), structure.reshape(spread, (-1,)), 0, mode
        )
        return structure.reshape(changed, self.shape)

    def gather(self, dim: int, index: Tensor) -> Tensor:
        """y[i][j] = x[index[i][j]][j] for dim 0, and likewise for other axes.

        A number counts as a vector of one element, for the tensor and the index.
        """
        places = as_operand(index)
        if not self.shape or not places.shape or not math.prod(places.shape):
            return _gather_numbers(self, dim, places)
        return indexing.gather(self, places, dim)

    def take_along_dim(self, indices: Tensor, dim: int | None = None) -> Tensor:
        """:meth:`gather` whose other axes broadcast; without ``dim`` from the flattened tensor."""
        extent = math.prod(self.shape) if dim is None else self.shape[dim]
        places = _from_the_front(as_operand(indices), extent)
        if dim is None:
            return indexing.gather(structure.reshape(self, (-1,)), places.reshape(-1), 0)
        axis = normalize_axis(dim, len(self.shape))
        drop = [1 if i == axis else n for i, n in enumerate(self.shape)]
        other = [1 if i == axis else n for i, n in enumerate(places.shape)]
        shape = broadcast_shapes(tuple(drop), tuple(other))
        wide = [self.shape[axis] if i == axis else n for i, n in enumerate(shape)]
        narrow = [places.shape[axis] if i == axis else n for i, n in enumerate(shape)]
        source = structure.broadcast_to(self, wide)
        return indexing.gather(source, structure.broadcast_to(places, narrow), axis)

    def index_put(
        self, indices: Sequence[Tensor], values: Operand, accumulate: bool = False
    ) -> Tensor:
        """A copy with ``values`` written (or added) at ``self[indices]``."""
        value = as_source(values, self.dtype)
        return self._with(_entries(tuple(indices)), value, "add" if accumulate else "set")

    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        """A copy in which the elements where ``mask`` is true come, in order, from ``source``."""
        chosen = as_operand(mask)
        if chosen.dtype is not bool_:
            raise DTypeError(
                f"masked_scatter got a mask of {chosen.dtype.name}: masked_scatter_ only supports "
                "boolean masks",
                "compare, or convert: mask.bool()",
            )
        shape = broadcast_shapes(tuple(self.shape), tuple(chosen.shape))
        values = as_operand(source)
        if values.dtype is not self.dtype:
            raise DTypeError(
                f"masked_scatter got values of {values.dtype.name} for a tensor of "
                f"{self.dtype.name}: expected self and source to have same dtypes",
                f"convert them: source.to({self.dtype.name})",
            )
        chosen = structure.reshape(structure.broadcast_to(chosen, shape), (-1,))
        line = structure.reshape(values, (-1,))
        if chosen._cell.array is not None:
            count = int(np.count_nonzero(chosen.array()))
            if count > line.shape[0]:
                raise ShapeError(
                    f"masked_scatter got {line.shape[0]} values for {count} places: number of "
                    "elements of source < number of ones in mask",
                    "give at least as many values as the mask has places",
                )
        if not line.shape[0]:
            return elementwise.copy(structure.broadcast_to(self, shape))
        # The n-th place that is chosen gets the n-th value.
        order = structure.cumsum(chosen, 0) - 1
        found = indexing.take(line, order.clamp(0, line.shape[0] - 1), 0)
        spread = structure.reshape(structure.broadcast_to(self, shape), (-1,))
        return structure.reshape(elementwise.where(chosen, found, spread), shape)

    def scatter(
        self,
        dim: int,
        index: Tensor,
        src: Operand | None = None,
        *,
        reduce: str | None = None,
        value: float | None = None,
    ) -> Tensor:
        """A copy with ``src`` (or the number ``value``) written at ``index`` along ``dim``.

        ``reduce="add"`` adds it to what is there, ``"multiply"`` multiplies.
        """
        if reduce not in (None, "add", "multiply"):
            raise ArgumentError(f"scatter got reduce={reduce!r}", 'use "add" or "multiply"')
        places = as_operand(index)
        source = as_operand(value if src is None else src, self.dtype)
        if source.dtype is not self.dtype and isinstance(src, TensorCore):
            raise DTypeError(
                f"scatter got values of {source.dtype.name} for a tensor of {self.dtype.name}: "
                "expected self.dtype to be equal to src.dtype",
                f"convert them: src.to({self.dtype.name})",
            )
        if source.shape == ():
            source = structure.broadcast_to(elementwise.cast(source, self.dtype), places.shape)
        else:
            source = cut_to(source, places)
        if not self.shape or not places.shape or not math.prod(places.shape):
            return _scatter_numbers(self, dim, places, source, reduce)
        if reduce == "multiply":
            return self.scatter_reduce(dim, places, source, "prod")
        return indexing.scatter(self, places, source, dim, "add" if reduce == "add" else "set")

    def scatter_add(self, dim: int, index: Tensor, src: Tensor) -> Tensor:
        """A copy with ``src`` added at ``index`` along ``dim``."""
        return self.scatter(dim, index, src, reduce="add")

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """The slices of the tensor at ``index`` along ``dim``."""
        places = as_operand(index)
        if len(places.shape) > 1:
            raise AxisError(
                f"index_select got positions of shape {tuple(places.shape)}", "give a vector"
            )
        if not self.shape:
            if math.prod(places.shape) != 1:
                raise ShapeError(
                    f"index_select got {math.prod(places.shape)} positions in a number: index to "
                    "scalar can have only 1 value",
                    "give one position, or a tensor with an axis",
                )
            normalize_axis(dim, 0)
            line = structure.reshape(self, (1,))
            return structure.reshape(indexing.take(line, structure.reshape(places, (1,)), 0), ())
        return indexing.take(self, structure.reshape(places, (-1,)), dim)

    def index_add(self, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
        """A copy with ``alpha · source`` added to the slices at ``index`` along ``dim``."""
        values = as_operand(source)
        if values.dtype is not self.dtype:
            raise DTypeError(
                f"index_add got values of {values.dtype.name} for a tensor of {self.dtype.name}: "
                "self and source are expected to have the same dtype",
                f"convert them: source.to({self.dtype.name})",
            )
        if alpha != 1:
            wide = elementwise.cast(values, int64) if values.dtype.kind == "int" else values
            values = elementwise.cast(wide * alpha, self.dtype)
        return _put_slices("index_add", self, dim, index, values, "add")

    def index_copy(self, dim: int, index: Tensor, source: Tensor) -> Tensor:
        """A copy in which the slices at ``index`` along ``dim`` are ``source``."""
        values = as_operand(source)
        if values.dtype is not self.dtype:
            raise DTypeError(
                f"index_copy got values of {values.dtype.name} for a tensor of {self.dtype.name}: "
                "self and source are expected to have the same dtype",
                f"convert them: source.to({self.dtype.name})",
            )
        return _put_slices("index_copy", self, dim, index, values, "set")

    def index_fill(self, dim: int, index: Tensor, value: float) -> Tensor:
        """A copy in which the slices at ``index`` along ``dim`` are ``value``."""
        axis = normalize_axis(dim, len(self.shape))
        number = as_source(value, self.dtype)
        if number.shape:
            raise ShapeError(
                f"index_fill got a value of shape {tuple(number.shape)}: it only supports a "
                "0-dimensional value tensor",
                "give a number",
            )
        places = structure.reshape(as_operand(index), (-1,))
        places = _from_the_front(places, self.shape[axis] if self.shape else 1)
        shape = (*self.shape[:axis], *places.shape, *self.shape[axis + 1 :])
        spread = structure.broadcast_to(number, shape)
        return _put_slices("index_fill", self, axis, places, spread, "set")

    def take(self, index: Tensor) -> Tensor:
        """Elements at positions of the flattened tensor (negative: from the back)."""
        flat = structure.reshape(self, (-1,))
        return indexing.take(flat, _from_the_front(as_operand(index), flat.shape[0]), 0)

    def masked_select(self, mask: Tensor) -> Tensor:
        """The elements where ``mask`` is true, in a line; the mask's values must be known."""
        chosen = as_operand(mask)
        if chosen.dtype is not bool_:
            raise DTypeError(
                f"masked_select got a mask of {chosen.dtype.name}: expected BoolTensor for mask",
                "compare, or convert: mask.bool()",
            )
        shape = broadcast_shapes(tuple(self.shape), tuple(chosen.shape)) or (1,)
        return structure.broadcast_to(self, shape)[structure.broadcast_to(chosen, shape)]

    @overload
    def nonzero(self, as_tuple: Literal[False] = False) -> Tensor: ...
    @overload
    def nonzero(self, as_tuple: Literal[True]) -> tuple[Tensor, ...]: ...
    def nonzero(self, as_tuple: bool = False) -> Tensor | tuple[Tensor, ...]:
        """Positions of the nonzero elements: (count, axes), or a tuple of one vector per axis."""
        array = self.ne(0).array() if self.dtype is not bool_ else self.array()
        if not array.shape and not as_tuple:
            return lift(np.zeros((int(array), 0), np.int64))
        found = np.nonzero(array.reshape(1) if not array.shape else array)
        if as_tuple:
            return tuple(lift(f.astype(np.int64)) for f in found)
        return lift(np.stack(found, 1).astype(np.int64))

    def one_hot(self, num_classes: int) -> Tensor:
        """int64 with a 1 at each class id and 0 elsewhere, on a new last axis."""
        classes = lift(np.arange(num_classes, dtype=np.int64))
        return elementwise.cast(
            elementwise.eq(elementwise.cast(self, int64).unsqueeze(-1), classes),
            int64,
        )


def cut_to(source: Any, places: Any) -> Tensor:
    """The part of ``source`` that an index of this shape reads, from the front of each axis."""
    part: Tensor = source
    if source.shape == places.shape:
        return part
    fits = len(source.shape) == len(places.shape) and all(
        n <= m for n, m in zip(places.shape, source.shape, strict=True)
    )
    if not fits:
        if math.prod(source.shape) == math.prod(places.shape) <= 1:  # numbers, vectors of one
            part = structure.reshape(source, places.shape)
            return part
        raise ShapeError(
            f"an index of shape {tuple(places.shape)} and values of shape {tuple(source.shape)}",
            "there must be a value for each entry of the index",
        )
    part = structure.slice_(source, [0] * len(places.shape), places.shape, [1] * len(places.shape))
    return part


def _lines(x: Any, places: Any) -> tuple[Any, Any]:
    """A tensor and an index, numbers among them as vectors of one element."""
    line = x if x.shape else structure.reshape(x, (1,))
    return line, places if places.shape else structure.reshape(places, (1,))


def _gather_numbers(x: Any, dim: int, places: Any) -> Any:
    """:meth:`gather` where the tensor or the index is a number, or there is no index at all."""
    normalize_axis(dim, len(x.shape))
    if not math.prod(places.shape):
        return structure.reshape(structure.reshape(x, (-1,)).narrow(0, 0, 0), places.shape)
    found = indexing.gather(*_lines(x, places), dim)
    return structure.reshape(found, places.shape)


def _scatter_numbers(x: Any, dim: int, places: Any, source: Any, reduce: str | None) -> Any:
    """:meth:`scatter` where the tensor or the index is a number, or there is no index at all."""
    normalize_axis(dim, len(x.shape))
    if not math.prod(places.shape):
        return elementwise.copy(x)
    line, index = _lines(x, places)
    values = structure.reshape(source, index.shape)
    return structure.reshape(line.scatter(dim, index, values, reduce=reduce), x.shape)


def _put_slices(name: str, x: Any, dim: int, index: Any, values: Any, mode: str) -> Any:
    """Slices written to, or added at, positions along an axis; numbers are vectors of one."""
    axis = normalize_axis(dim, len(x.shape))
    places = as_operand(index)
    if len(places.shape) > 1:
        raise ShapeError(
            f"{name} got positions of shape {tuple(places.shape)}: index is supposed to be a "
            "vector",
            "give one position for each slice",
        )
    places = structure.reshape(places, (-1,))
    line = x if x.shape else structure.reshape(x, (1,))
    wanted = (*line.shape[:axis], places.shape[0], *line.shape[axis + 1 :])
    if not values.shape and math.prod(wanted) == 1:
        values = structure.reshape(values, wanted)
    if tuple(values.shape) != wanted:
        raise ShapeError(
            f"{name} got values of shape {tuple(values.shape)} for {places.shape[0]} slices of a "
            f"tensor of shape {tuple(x.shape)}",
            f"give values of shape {wanted}",
        )
    return structure.reshape(indexing.put(line, places, values, axis, mode), x.shape)


def _from_the_front(index: Any, extent: int) -> Any:
    """Positions with the negative ones, which count from the back, counted from the front."""
    if index.dtype.kind != "int":
        return index
    wide = elementwise.cast(index, int64)
    negative = elementwise.lt(wide, as_operand(0, int64))
    return elementwise.where(negative, elementwise.add(wide, as_operand(extent, int64)), wide)


def _squeeze_lead(value: Any, rank: int) -> Any:
    """Without leading axes of extent 1 beyond ``rank``, as assignment allows."""
    while len(value.shape) > rank and value.shape[0] == 1:
        value = structure.reshape(value, value.shape[1:])
    return value


def _take_advanced(x: Any, plan: _Plan) -> Any:
    """Positions given by tensors: merged into one index over the merged axes (NumPy's rule).

    If the indexed axes are neighbours the result's axes stand in their place, else in front.
    """
    axes = sorted(plan.advanced)
    shape = broadcast_shapes(*(tuple(plan.advanced[a].shape) for a in axes))
    others = [a for a in range(len(x.shape)) if a not in axes]
    merged = structure.transpose(x, (*axes, *others))
    lead = math.prod(x.shape[a] for a in axes)
    flat = structure.reshape(merged, (lead, *(x.shape[a] for a in others)))
    position = None
    for axis in axes:
        index = elementwise.cast(plan.advanced[axis], int64)
        extent = as_operand(x.shape[axis], int64)
        position = (
            index if position is None else elementwise.add(elementwise.mul(position, extent), index)
        )
        indexing_check(index, x.shape[axis])
    found = indexing.take(flat, structure.broadcast_to(position, shape), 0)  # (I..., others...)
    return _arrange(found, x, plan, axes, others, shape)


def indexing_check(index: Tensor, extent: int) -> None:
    """Check an axis's positions by themselves where they are known: merged they could hide."""
    if index._cell.array is not None:
        indexing.check_positions("indexing", index._cell.array, extent)


def _arrange(
    found: Any, x: Any, plan: _Plan, axes: list[int], others: list[int], shape: tuple[int, ...]
) -> Any:
    """Puts the axes of an advanced result in NumPy's order, drops and adds axes."""
    kept = [a for a in plan.layout if a is None or a not in axes]
    spots = [i for i, a in enumerate(plan.layout) if a is not None and a in axes]
    together = spots == list(range(spots[0], spots[0] + len(spots)))
    place = sum(1 for a in plan.layout[: spots[0]] if a is None or a not in axes) if together else 0
    # First (I..., kept others...), without dropped axes and with new ones …
    extents = [1 if a is None else x.shape[a] for a in kept]
    rest = structure.reshape(found, (*shape, *extents))
    # … then the index's axes moved to their place.
    count = len(shape)
    order = [*range(count, count + place), *range(count), *range(count + place, len(rest.shape))]
    return structure.transpose(rest, order)
