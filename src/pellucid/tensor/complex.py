"""Complex tensors: their parts, conjugates and angles, and how they are put together.

Gradients follow PyTorch: that of a real L is ∂L/∂Re z + i ∂L/∂Im z, so that a step against it
decreases L; the gradient of a real operand is real.  A conjugate is computed at once.
"""

from __future__ import annotations

import math
from typing import Any

from pellucid.base.boundary import clear
from pellucid.base.dtypes import complex64, complex128
from pellucid.base.errors import (
    ArgumentTypeError,
    DTypeError,
    DTypeUnsupportedError,
    ShapeError,
)
from pellucid.base.shapes import broadcast_shapes
from pellucid.ops import complex as ops
from pellucid.ops import elementwise, structure
from pellucid.tensor.arguments import Operand
from pellucid.tensor.arithmetic import ArithmeticMethods
from pellucid.tensor.interface import Tensor
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_float, as_operand
from pellucid.tensor.state import state


class ComplexMethods(ArithmeticMethods):
    """Mixed into :class:`pellucid.Tensor`: what complex numbers add, defined for real ones too."""

    __slots__ = ()

    def is_complex(self) -> bool:
        """Whether the dtype is complex64 or complex128."""
        return self.dtype.is_complex

    def cfloat(self, memory_format: object = None) -> Tensor:
        """As complex64; the tensor itself if it is that already."""
        return elementwise.cast(self, complex64)

    def cdouble(self, memory_format: object = None) -> Tensor:
        """As complex128; the tensor itself if it is that already."""
        return elementwise.cast(self, complex128)

    def conj(self) -> Tensor:
        """The conjugate re − i im, in memory of its own; of a real tensor itself."""
        return ops.conj(self)

    conj_physical = conj

    def resolve_conj(self) -> Tensor:
        """The tensor itself: no conjugation is ever pending."""
        return self

    def resolve_neg(self) -> Tensor:
        """The tensor itself: no change of sign is ever pending."""
        return self

    def is_conj(self) -> bool:
        """Whether a conjugation is pending: no."""
        return False

    def is_neg(self) -> bool:
        """Whether a change of sign is pending: no."""
        return False

    def adjoint(self) -> Tensor:
        """The last two axes exchanged, and conjugated: Aᴴ of each matrix."""
        return self.mT.conj()

    mH = property(adjoint)  # noqa: N815  (PyTorch's name)

    @property
    def H(self) -> Tensor:  # noqa: N802  (PyTorch's name)
        """The matrix transposed and conjugated."""
        return self.t().conj()

    @property
    def real(self) -> Tensor:
        """The real part, a view of the same memory; of a real tensor itself."""
        return ops.real(self)

    @real.setter
    def real(self, value: Operand) -> None:
        ops.real(self).copy_(value)

    @property
    def imag(self) -> Tensor:
        """The imaginary part, a view of the same memory.

        Raises ``DTypeUnsupportedError`` (a ``RuntimeError``) for a real tensor.
        """
        if not self.dtype.is_complex:
            raise DTypeUnsupportedError(
                f"imag is not implemented for tensors with non-complex dtypes: {self.dtype.name}",
                "the imaginary part of real numbers is 0: zeros_like(x)",
            )
        return ops.imag(self)

    @imag.setter
    def imag(self, value: Operand) -> None:
        ComplexMethods.imag.__get__(self).copy_(value)

    def angle(self) -> Tensor:
        """The angle φ in (−π, π] of |z| e^iφ; of real numbers 0 or, if negative, π; NaN for NaN."""
        if self.dtype.is_complex:
            return elementwise.atan2(ops.imag(self), ops.real(self))
        x = as_float(self)
        turn = elementwise.where(x.lt(0), as_operand(math.pi, x.dtype), as_operand(0.0, x.dtype))
        return elementwise.where(x.isnan(), x, elementwise.cast(turn, x.dtype))

    def isreal(self) -> Tensor:
        """True where the imaginary part is 0: everywhere in a real tensor."""
        if self.dtype.is_complex:
            return ops.imag(self).eq(0)
        return self == self if not self.dtype.is_floating_point else (self == self) | self.isnan()


def _real_parts(name: str, first: Tensor, second: Tensor) -> list[Any]:
    """Two real tensors of one dtype, broadcast against each other."""
    for part in (first, second):
        if not isinstance(part, Tensor):
            raise ArgumentTypeError(
                f"{name}() got a {type(part).__name__}, not a tensor", "wrap it: pellucid.tensor(x)"
            )
    if first.dtype.name not in ("float32", "float64") or first.dtype is not second.dtype:
        raise DTypeError(
            f"{name} got {first.dtype.name} and {second.dtype.name}",
            "both must be float32, or both float64",
        )
    shape = broadcast_shapes(tuple(first.shape), tuple(second.shape))
    return [structure.broadcast_to(part, shape) for part in (first, second)]


@takes_out
def complex(real: Tensor, imag: Tensor, *, out: Tensor | None = None) -> Tensor:
    """real + i · imag of two float32 or two float64 tensors; shapes broadcast."""
    return ops.from_parts(*_real_parts("complex", real, imag))


@takes_out
def polar(abs: Tensor, angle: Tensor, *, out: Tensor | None = None) -> Tensor:
    """abs · (cos angle + i sin angle) of two float32 or float64 tensors; shapes broadcast."""
    size, turn = _real_parts("polar", abs, angle)
    return ops.from_parts(size * turn.cos(), size * turn.sin())


@clear
def view_as_real(input: Tensor) -> Tensor:
    """Complex numbers (…) as real and imaginary parts (…, 2), in the same memory."""
    return ops.view_as_real(input)


@clear
def view_as_complex(input: Tensor) -> Tensor:
    """Pairs of real and imaginary part (…, 2) as complex numbers (…), in the same memory.

    The pairs must lie next to each other in memory, which ``x.contiguous()`` sees to; raises
    ``ShapeError`` otherwise.
    """
    if state.trace is None and input.shape and input.shape[-1] == 2:
        array = input.array()
        if array.size and not ops.are_pairs(array):
            raise ShapeError(
                f"view_as_complex got strides of {array.strides} bytes: tensor must have a last "
                "dimension with stride 1, and the others divisible by 2",
                "copy it first: x.contiguous()",
            )
    return ops.view_as_complex(input)


def real(input: Tensor) -> Tensor:
    """The real part; see :attr:`Tensor.real`."""
    return as_operand(input).real


def imag(input: Tensor) -> Tensor:
    """The imaginary part; see :attr:`Tensor.imag`."""
    return as_operand(input).imag
