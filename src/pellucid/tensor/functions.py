"""Functions of the top-level namespace that are no methods."""

from __future__ import annotations

from typing import overload

from pellucid.base.dtypes import DType, DTypeLike, as_dtype, get_default_dtype, promote
from pellucid.ops import elementwise
from pellucid.tensor.arguments import Number, Operand
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.promotion import as_operand, common_dtype, together
from pellucid.tensor.tensor import Tensor


def scalar_tensor(
    value: Number, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """A tensor without axes, of the default dtype (float32) if none is given."""
    check_device(device)
    return as_operand(value, as_dtype(dtype or get_default_dtype()))


def polygamma(n: int, input: Operand) -> Tensor:
    """The n-th derivative of the digamma function; see :meth:`Tensor.polygamma`."""
    return as_operand(input).polygamma(n)


def result_type(tensor1: Operand, tensor2: Operand) -> DType:
    """The dtype in which two tensors or numbers combine."""
    return common_dtype([tensor1, tensor2])


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The integral of samples ``y`` along ``dim`` by the trapezoidal rule.

    ``x`` holds their places, otherwise they stand ``dx`` apart.
    """
    n = y.shape[dim]
    middle = (y.narrow(dim, 1, n - 1) + y.narrow(dim, 0, n - 1)) / 2
    if x is None:
        return (middle * dx).sum(dim)
    steps = x.diff(dim=dim if len(x.shape) > 1 else 0)
    if len(steps.shape) == 1 and len(y.shape) > 1:
        steps = steps.reshape([-1 if i == dim % len(y.shape) else 1 for i in range(len(y.shape))])
    return (middle * steps).sum(dim)


@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
@overload
def where(condition: Tensor, input: Operand, other: Operand) -> Tensor: ...
def where(
    condition: Tensor, input: Operand | None = None, other: Operand | None = None
) -> Tensor | tuple[Tensor, ...]:
    """``input`` where the condition holds, else ``other``; with one argument, where it is true."""
    if input is None and other is None:
        return as_operand(condition).nonzero(as_tuple=True)
    if isinstance(input, Tensor):
        return input.where(condition, as_operand(other))
    x, y = together(input, other)
    return elementwise.where(as_operand(condition).bool_(), x, y)


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements."""
    return tuple(input.shape) == tuple(other.shape) and bool(input.eq(other).array().all())


def is_tensor(value: object) -> bool:
    """Whether ``value`` is a tensor."""
    return isinstance(value, Tensor)


def promote_types(a: DTypeLike, b: DTypeLike) -> DType:
    """The dtype in which ``a`` and ``b`` combine."""
    return promote(as_dtype(a), as_dtype(b))


def numel(input: Tensor) -> int:
    """Number of elements."""
    return input.numel()
