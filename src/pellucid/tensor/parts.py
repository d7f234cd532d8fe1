"""Methods that split tensors, put parts of them in place, and answer small questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, DTypeUnsupportedError, ShapeError
from pellucid.base.shapes import normalize_axis
from pellucid.ops import elementwise, indexing, structure
from pellucid.tensor.arguments import Operand
from pellucid.tensor.core import lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import as_float, as_operand, together


class PartMethods(Tensor):
    """Mixed into :class:`pellucid.Tensor`."""

    __slots__ = ()

    # ---- splitting -------------------------------------------------------------------------

    def _split_along(self, name: str, dim: int, least: int, sections: Any) -> Any:
        if len(self.shape) < least:
            raise ShapeError(
                f"{name} got a tensor of shape {tuple(self.shape)}",
                f"it needs {least} axes or more",
            )
        if isinstance(sections, int) and (sections < 1 or self.shape[dim] % sections):
            raise ShapeError(
                f"{name} attempted to split along dimension {dim}, but the size of the dimension "
                f"{self.shape[dim]} is not divisible by the split_size {sections}",
                "use a divisor, or tensor_split for parts of unequal size",
            )
        return self.tensor_split(sections, dim)

    def hsplit(self, sections: int | Sequence[int]) -> tuple[Tensor, ...]:
        """Parts along axis 1 (along axis 0 of a vector): equal ones, or cut at these positions."""
        axis = 0 if len(self.shape) == 1 else 1
        return self._split_along("hsplit", axis, 1, sections)

    def vsplit(self, sections: int | Sequence[int]) -> tuple[Tensor, ...]:
        """Parts along axis 0: equal ones, or cut at these positions."""
        return self._split_along("vsplit", 0, 2, sections)

    def dsplit(self, sections: int | Sequence[int]) -> tuple[Tensor, ...]:
        """Parts along axis 2: equal ones, or cut at these positions."""
        return self._split_along("dsplit", 2, 3, sections)

    def split_with_sizes(self, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
        """Parts of these extents along ``dim``, which must add up to its extent."""
        return self.split(list(split_sizes), dim)

    def unsafe_chunk(self, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
        """As :meth:`chunk`, under the name that PyTorch also has."""
        return self.chunk(chunks, dim)

    def unsafe_split(self, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
        """As :meth:`split`, under the name that PyTorch also has."""
        return self.split(split_size, dim)

    def unsafe_split_with_sizes(
        self, split_sizes: Sequence[int], dim: int = 0
    ) -> tuple[Tensor, ...]:
        """As :meth:`split_with_sizes`, under the name that PyTorch also has."""
        return self.split_with_sizes(split_sizes, dim)

    def narrow_copy(self, dim: int, start: int, length: int) -> Tensor:
        """As :meth:`narrow`, in memory of its own."""
        return self.narrow(dim, start, length).clone()

    def msort(self) -> Tensor:
        """Sorted along the first axis, smallest first."""
        return self.sort(0)[0]

    # ---- a tensor with a part replaced -------------------------------------------------------

    def slice_scatter(
        self,
        src: Tensor,
        dim: int = 0,
        start: int | None = None,
        end: int | None = None,
        step: int = 1,
    ) -> Tensor:
        """A copy with ``src`` in place of ``self[start:end:step]`` along ``dim``."""
        axis = normalize_axis(dim, len(self.shape))
        first, last, stride = slice(start, end, step).indices(self.shape[axis])
        begin, stop, steps = [0] * len(self.shape), list(self.shape), [1] * len(self.shape)
        begin[axis], stop[axis], steps[axis] = first, max(first, last), stride
        wanted = list(self.shape)
        wanted[axis] = len(range(first, last, stride))
        if list(src.shape) != wanted:
            raise ShapeError(
                f"slice_scatter got a part of shape {tuple(src.shape)} for a slice of shape "
                f"{tuple(wanted)}",
                "give the part the shape of the slice that it replaces",
            )
        value = elementwise.cast(as_operand(src), self.dtype)
        return structure.put_slice(self, value, tuple(begin), tuple(stop), tuple(steps))

    def select_scatter(self, src: Tensor, dim: int, index: int) -> Tensor:
        """A copy with ``src`` in place of the entry ``index`` along ``dim``."""
        axis = normalize_axis(dim, len(self.shape))
        extent = self.shape[axis]
        if not -extent <= index < extent:
            raise ArgumentError(
                f"select_scatter got index={index} for an axis of {extent}",
                f"use {-extent} to {extent - 1}",
            )
        place = index % extent
        return self.slice_scatter(src.unsqueeze(axis), axis, place, place + 1)

    def diagonal_scatter(
        self, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
    ) -> Tensor:
        """A copy with ``src`` on the ``offset``-th diagonal of axes ``dim1`` and ``dim2``."""
        diagonal = self.diagonal(offset, dim1, dim2)
        if tuple(src.shape) != tuple(diagonal.shape):
            raise ShapeError(
                f"diagonal_scatter got values of shape {tuple(src.shape)} for a diagonal of shape "
                f"{tuple(diagonal.shape)}",
                "give one value for each place on the diagonal",
            )
        result = self.clone()
        result.diagonal(offset, dim1, dim2).copy_(src)
        return result

    # ---- arithmetic ----------------------------------------------------------------------------

    def bitwise_left_shift(self, other: Operand) -> Tensor:
        """self · 2^other, for integers; 0 where all bits leave.  ``self << other``."""
        x, places, bits = _shifted("bitwise_left_shift", self, other)
        inside = places.ge(0).logical_and(places.lt(bits))
        return x * _power_of_two(places, bits) * elementwise.cast(inside, x.dtype)

    def bitwise_right_shift(self, other: Operand) -> Tensor:
        """⌊self / 2^other⌋, for integers; 0 or −1 where all bits leave.  ``self >> other``."""
        x, places, bits = _shifted("bitwise_right_shift", self, other)
        places = places.masked_fill(places.lt(0), bits).clamp(max=bits)
        half = places.floor_divide(2)  # in two steps, as 2^63 has no place in int64
        x = elementwise.floor_divide(x, _power_of_two(half, bits))
        return elementwise.floor_divide(x, _power_of_two(places - half, bits))

    def __lshift__(self, other: Operand) -> Tensor:
        return self.bitwise_left_shift(other)

    def __rshift__(self, other: Operand) -> Tensor:
        return self.bitwise_right_shift(other)

    def __rlshift__(self, other: Operand) -> Tensor:
        return as_operand(other, self.dtype).bitwise_left_shift(self)

    def __rrshift__(self, other: Operand) -> Tensor:
        return as_operand(other, self.dtype).bitwise_right_shift(self)

    def prelu(self, weight: Tensor) -> Tensor:
        """x where positive, else weight · x; one weight, or one for each entry of axis 1."""
        if len(weight.shape) > 1:
            raise ShapeError(
                f"prelu got a weight of shape {tuple(weight.shape)}: expected `weight` to be a "
                "scalar or 1D tensor",
                "give one weight, or one for each channel",
            )
        if weight.shape and weight.shape[0] > 1 and len(self.shape) > 1:
            weight = weight.reshape(-1, *[1] * (len(self.shape) - 2))
        return self.clamp(min=0.0) + self.clamp(max=0.0) * weight

    def hardshrink(self, lambd: float = 0.5) -> Tensor:
        """x where |x| > λ, else 0, element by element."""
        return self.masked_fill(self.abs() <= lambd, 0.0)

    def mvlgamma(self, p: int) -> Tensor:
        """ln Γ_p(x) = p(p − 1)/4 · ln π + Σ_{j<p} ln Γ(x − j/2)."""
        if not 1 <= p <= 1 << 20:
            raise ArgumentError(f"mvlgamma got p={p}", "p is 1 or more, up to 2^20")
        x = as_float(self)
        total = x.lgamma()
        for j in range(1, p):
            total = total + (x - j / 2).lgamma()
        return total + p * (p - 1) / 4 * math.log(math.pi)

    # ---- questions -----------------------------------------------------------------------------

    def equal(self, other: Tensor) -> bool:
        """Whether both have the same shape and elements."""
        return tuple(self.shape) == tuple(other.shape) and bool((self == other).all().item())

    def is_same_size(self, other: Tensor) -> bool:
        """Whether both tensors have the same shape."""
        return tuple(self.shape) == tuple(other.shape)

    def is_nonzero(self) -> bool:
        """Whether the single element of the tensor is not zero."""
        return bool(self.item())

    def is_signed(self) -> bool:
        """Whether the dtype has negative numbers: all but uint8 and bool."""
        return self.dtype.name not in ("uint8", "bool")

    def is_inference(self) -> bool:
        """False: tensors made in inference mode can be used like any others."""
        return False

    def get_device(self) -> int:
        """-1: tensors live on the CPU."""
        return -1


def _shifted(name: str, tensor: Any, places: Any) -> tuple[Any, Any, int]:
    """The integers to shift and by how much, in one dtype, and the bits of that."""
    x, by = together(tensor, places)
    if x.dtype.kind != "int":
        raise DTypeUnsupportedError(
            f"{name} got {tensor.dtype.name} and {as_operand(places).dtype.name}",
            "both must be integers",
        )
    return x, by, 8 * x.dtype.itemsize


def _power_of_two(exponent: Any, bits: int) -> Any:
    """2^exponent in the exponent's dtype, from a table; 1 for exponents out of range."""
    table = np.left_shift(np.asarray(1, np.int64), np.arange(bits)).astype(exponent.dtype.numpy)
    inside = exponent.ge(0).logical_and(exponent.lt(bits))
    place = elementwise.where(inside, exponent, as_operand(0, exponent.dtype))
    return indexing.take(lift(table), place, 0)
