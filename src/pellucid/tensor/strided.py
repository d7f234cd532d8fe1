"""Tensors as lines of memory: strides, offsets, and other shapes of the same memory."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, AutogradError, ShapeError, TraceError
from pellucid.base.shapes import Shape, contiguous_strides, size_of
from pellucid.ops import elementwise, structure
from pellucid.ops.registry import apply
from pellucid.ops.views import AS_STRIDED, VIEWS
from pellucid.tensor.arguments import Extents
from pellucid.tensor.interface import Tensor
from pellucid.tensor.shaping import _extents
from pellucid.tensor.state import state


def strides_of(tensor: Any) -> Shape:
    """Elements of memory between neighbours along each axis."""
    cell = tensor._cell
    if state.trace is not None:
        found: Shape = state.trace.strides_of(cell)
        return found
    array = tensor.array()
    return tuple(s // array.itemsize for s in array.strides)


def line_of(tensor: Any) -> tuple[Any, int]:
    """The tensor whose memory this one shows, in the order of memory, and where this one starts."""
    chain, root = [], tensor
    while root._view is not None:
        chain.append(root._view)
        root = root._view.owner()
    shape, strides = tuple(root.shape), strides_of(root)
    places = np.arange(size_of(shape))
    if strides != contiguous_strides(shape):
        order = sorted(range(len(shape)), key=lambda i: -strides[i])
        line = root.permute(order)
        if strides_of(line) != contiguous_strides(tuple(line.shape)):
            return tensor.reshape(-1).clone(), 0  # memory of no order: stretched, or with gaps
        shown = places.reshape(line.shape).transpose(np.argsort(order))
    else:
        line, shown = root, places.reshape(shape)
    for view in reversed(chain):
        shown = view.op.evaluate(shown, **view.params)
    start = int(shown[(0,) * shown.ndim]) if shown.size else 0
    if chain and tensor._requires_grad and tensor._record is None:
        return tensor.reshape(-1), -start  # a leaf: gradients are collected here
    return line, start


def _numbers(name: str, given: Sequence[int]) -> tuple[int, ...]:
    listed = tuple(operator.index(n) for n in given)
    if any(n < 0 for n in listed):
        raise ArgumentError(f"as_strided got {name}={listed}", "use numbers from 0 up")
    return listed


def _placed(
    tensor: Any, size: Sequence[int], stride: Sequence[int], storage_offset: int | None
) -> tuple[Any, dict[str, Any]]:
    """The line and the settings of :data:`AS_STRIDED`, checked."""
    shape, strides = _numbers("size", size), _numbers("stride", stride)
    if len(shape) != len(strides):
        raise ShapeError(
            f"as_strided got {len(shape)} extents and {len(strides)} strides", "give one for each"
        )
    line, start = line_of(tensor)
    own = max(start, 0)
    offset = own if storage_offset is None else operator.index(storage_offset)
    offset += min(start, 0) if storage_offset is not None else 0
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if offset < 0 or (0 not in shape and last >= line.numel()):
        raise ShapeError(
            f"as_strided got size={shape}, stride={strides}, storage_offset={offset}, which is out "
            f"of bounds for storage of {line.numel()} elements",
            "the last element must lie inside",
        )
    return line, {"shape": shape, "strides": strides, "offset": offset}


def _need_freedom(tensor: Any, name: str) -> None:
    """Raise unless a tensor may get another shape in place."""
    if tensor.requires_grad:
        raise AutogradError(
            f"cannot resize variables that require grad: {name} was called on one",
            "make a tensor of the new shape instead, or use x.detach()",
        )
    if state.trace is not None and not state.trace.resize(tensor._cell):
        raise TraceError(
            f"{name} was called on a tensor of shape {tuple(tensor.shape)} from outside of a "
            f"compiled function{state.trace.where()}",
            "make it inside, or pass it as an argument",
        )


def _become(tensor: Any, value: Any) -> None:
    """Show what ``value`` shows, in another shape; inside of a trace, in another cell."""
    if state.trace is None:
        tensor._cell.replace(value.array())
    else:
        tensor._cell, tensor._record, tensor._view = value._cell, None, None


class StridedMethods(Tensor):
    """What is said in terms of memory instead of axes."""

    __slots__ = ()

    def storage_offset(self) -> int:
        """How many elements of the memory lie before the first element of this view."""
        return max(line_of(self)[1], 0)

    def as_strided(
        self, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
    ) -> Tensor:
        """A view in which neighbours along axis i are ``stride[i]`` elements of memory apart.

        ``storage_offset`` is where in the memory of the tensor (or of what it is a view of) it
        begins, by default where the tensor does.  Elements may be shown more than once; their
        gradients add up, and such a view cannot be written.  Raises ``ShapeError`` where it would
        leave the memory, ``ArgumentError`` for negative numbers.

        >>> import pellucid
        >>> pellucid.arange(6).as_strided((4, 3), (1, 1))
        tensor([[0, 1, 2],
                [1, 2, 3],
                [2, 3, 4],
                [3, 4, 5]])
        """
        line, settings = _placed(self, size, stride, storage_offset)
        return apply(AS_STRIDED, line, **settings)

    def as_strided_(
        self, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
    ) -> Tensor:
        """:meth:`as_strided` in place: the tensor itself shows its memory so; returns it.

        Raises ``AutogradError`` for tensors that require gradients, and ``TraceError`` inside of
        ``compile`` for tensors from outside that are no arguments.  A call that changes the shape
        of an argument runs eagerly.
        """
        _need_freedom(self, "as_strided_")
        _become(self, self.as_strided(size, stride, storage_offset))
        return self

    def as_strided_scatter(
        self,
        src: Tensor,
        size: Sequence[int],
        stride: Sequence[int],
        storage_offset: int | None = None,
    ) -> Tensor:
        """A copy with ``src`` in the places that :meth:`as_strided` shows; shape as before."""
        copied: Any = elementwise.copy(self)
        _, settings = _placed(copied, size, stride, storage_offset or 0)
        if tuple(src.shape) != settings["shape"]:
            raise ShapeError(
                f"as_strided_scatter got a src of shape {tuple(src.shape)} for {settings['shape']}",
                "they must be equal",
            )
        value = elementwise.cast(src, copied.dtype)
        found: Tensor = VIEWS["as_strided"].put_back(copied, value, **settings)
        return found

    def resize_(self, *sizes: Extents, memory_format: object = None) -> Tensor:
        """Another shape in place, of the same elements in their order; returns the tensor.

        What is new of a larger shape is 0.  Raises ``AutogradError`` for tensors that require
        gradients, and ``TraceError`` inside of ``compile`` for tensors from outside that are no
        arguments.  A call that changes the shape of an argument runs eagerly.
        """
        shape = _extents(sizes)
        if tuple(shape) == tuple(self.shape):
            return self
        _need_freedom(self, "resize_")
        if any(n < 0 for n in shape):
            raise ArgumentError(f"resize_ got the shape {tuple(shape)}", "use numbers from 0 up")
        line, count = self.reshape(-1), size_of(tuple(shape))
        if count > line.shape[0]:
            new: Any = self.new_zeros(count - line.shape[0])
            line = structure.concatenate([line, new], 0)
        _become(self, line[:count].reshape(shape))
        return self

    def resize_as_(self, other: Tensor, *, memory_format: object = None) -> Tensor:
        """The shape of ``other``, in place; see :meth:`resize_`."""
        return self.resize_(other.shape)

    def new_empty_strided(
        self, size: Sequence[int], stride: Sequence[int], *, dtype: Any = None, device: Any = None
    ) -> Tensor:
        """A tensor of this dtype whose neighbours are ``stride[i]`` elements of memory apart.

        Its values are not to be relied on.
        """
        shape, strides = _numbers("size", size), _numbers("stride", stride)
        count = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=False))
        line: Any = self.new_zeros(0 if 0 in shape else count)
        line = line if dtype is None else line.to(dtype)
        return line.as_strided(shape, strides)
