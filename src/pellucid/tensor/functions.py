"""Functions of the top-level namespace that are no methods."""

from __future__ import annotations

import math
import warnings
from typing import overload

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import DType, DTypeLike, as_dtype, get_default_dtype, promote
from pellucid.base.errors import ArgumentError
from pellucid.base.shapes import normalize_axis
from pellucid.ops import elementwise
from pellucid.tensor.arguments import Number, Operand
from pellucid.tensor.creation import arange, as_tensor, full
from pellucid.tensor.device import DeviceLike
from pellucid.tensor.layout import Layout, check_layout
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_operand, common_dtype, together
from pellucid.tensor.tensor import Tensor


@clear
def scalar_tensor(
    value: Number,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """A tensor without axes, of the default dtype (float32) if none is given."""
    return full(
        (), value, dtype=dtype or get_default_dtype(), requires_grad=requires_grad, device=device
    )


@takes_out
def polygamma(
    n: int,
    input: Operand,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The n-th derivative of the digamma function; see :meth:`Tensor.polygamma`."""
    return as_operand(input).polygamma(n)


@clear
def result_type(tensor1: Operand, tensor2: Operand) -> DType:
    """The dtype in which two tensors or numbers combine."""
    return common_dtype([tensor1, tensor2])


@clear
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The integral of samples ``y`` along ``dim`` by the trapezoidal rule.

    ``x`` holds their places, otherwise they stand ``dx`` apart.
    """
    n = y.shape[normalize_axis(dim, len(y.shape))] if y.shape else 0
    if not n:
        return y.sum(dim) * 0.0 if y.shape else as_operand(0.0, y.dtype)
    if x is None:
        ends = y.select(dim, 0) + y.select(dim, n - 1)
        return (y.sum(dim) - ends * 0.5) * dx
    both = y.narrow(dim, 1, n - 1) + y.narrow(dim, 0, n - 1)
    steps = x.diff(dim=dim if len(x.shape) > 1 else 0)
    if len(steps.shape) == 1 and len(y.shape) > 1:
        steps = steps.reshape([-1 if i == dim % len(y.shape) else 1 for i in range(len(y.shape))])
    return (both * steps).sum(dim) / 2


@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
@overload
def where(
    condition: Tensor, input: Operand, other: Operand, *, out: Tensor | None = None
) -> Tensor: ...
@takes_out
def where(
    condition: Tensor,
    input: Operand | None = None,
    other: Operand | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """``input`` where the condition holds, else ``other``; with one argument, where it is true."""
    if input is None and other is None:
        return as_operand(condition).nonzero(as_tuple=True)
    if isinstance(input, Tensor):
        return input.where(condition, as_operand(other))
    x, y = together(input, other)
    return elementwise.where(as_operand(condition).bool_(), x, y)


@clear
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements."""
    return tuple(input.shape) == tuple(other.shape) and bool(input.eq(other).array().all())


def is_tensor(value: object) -> bool:
    """Whether ``value`` is a tensor."""
    return isinstance(value, Tensor)


@clear
def promote_types(type1: DTypeLike, type2: DTypeLike) -> DType:
    """The dtype in which two dtypes combine."""
    return promote(as_dtype(type1), as_dtype(type2))


def can_cast(from_: DTypeLike, to: DTypeLike) -> bool:
    """Whether values may be converted so without becoming of a lower kind (bool < int < float)."""
    kinds = ("bool", "int", "float", "complex")
    return kinds.index(as_dtype(from_).kind) <= kinds.index(as_dtype(to).kind)


def typename(obj: object, /) -> str:
    """The name of an object's type: of a tensor as ``x.type()``, else with its module."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    home = kind.__module__
    return (
        kind.__qualname__ if home in ("builtins", "__builtin__") else f"{home}.{kind.__qualname__}"
    )


def is_storage(obj: object, /) -> bool:
    """Whether an object is a storage, PyTorch's name for bare memory: no object here is."""
    return False


@clear
def get_device(input: Tensor) -> int:
    """The number of the accelerator that a tensor lives on: −1, for the CPU."""
    return input.get_device()


@clear
def range_(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike | None = None,
    layout: Layout | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, … up to and with ``end``, of the default dtype; deprecated.

    It warns, as PyTorch's does: :func:`arange`, which leaves ``end`` out, is meant for new code.
    """
    warnings.warn("range is deprecated: use arange, which stops before end", stacklevel=2)
    first, last = (0.0, start) if end is None else (start, end)
    check_layout(layout)
    if step == 0 or (last - first) / step < 0:
        raise ArgumentError(
            f"range from {first} to {last} never arrives with step {step}", "turn the step around"
        )
    count = math.floor((last - first) / step) + 1
    line = arange(count, device=device) * step + first
    return line.to(as_dtype(dtype or get_default_dtype())).requires_grad_(requires_grad)


def asarray(
    obj: object,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """``obj`` as a tensor: itself, or sharing its memory if it can, or a copy.

    ``copy=True`` always copies, ``copy=False`` raises ``ArgumentError`` where memory cannot be
    shared.  A tensor loses its history unless ``requires_grad``.
    """
    made = as_tensor(obj, dtype, device)
    shared = isinstance(obj, (Tensor, np.ndarray)) and made.data_ptr() == as_tensor(obj).data_ptr()
    if copy is False and not shared:
        raise ArgumentError("asarray got copy=False for what has to be copied", "leave it out")
    made = made.clone() if copy and shared else made
    if requires_grad:
        return made if made.requires_grad else made.detach().requires_grad_()
    return made.detach() if made.requires_grad else made


def numel(input: Tensor) -> int:
    """Number of elements."""
    return input.numel()
