"""Functions of the top-level namespace that are no methods."""

from __future__ import annotations

from typing import overload

from pellucid.base.boundary import clear
from pellucid.base.dtypes import DType, DTypeLike, as_dtype, float32, promote
from pellucid.base.shapes import normalize_axis
from pellucid.ops import elementwise
from pellucid.tensor.arguments import Number, Operand
from pellucid.tensor.creation import full
from pellucid.tensor.device import DeviceLike
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
    """A tensor without axes, float32 by default."""
    return full((), value, dtype=dtype or float32, requires_grad=requires_grad, device=device)


@takes_out
def polygamma(
    n: int,
    input: Operand,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The n-th derivative of the digamma function; see :meth:`Tensor.polygamma`."""
    return as_operand(input).polygamma(n)


def get_default_dtype() -> DType:
    """The dtype of numbers with a point where none is given: float32."""
    return float32


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
def promote_types(a: DTypeLike, b: DTypeLike) -> DType:
    """The dtype in which ``a`` and ``b`` combine."""
    return promote(as_dtype(a), as_dtype(b))


def numel(input: Tensor) -> int:
    """Number of elements."""
    return input.numel()
