"""Element-wise methods and operators of tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np

from pellucid.base.dtypes import bool_, float32
from pellucid.base.errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    DTypeUnsupportedError,
    ShapeError,
)
from pellucid.ops import elementwise
from pellucid.ops.registry import refuse_complex
from pellucid.tensor.arguments import Operand
from pellucid.tensor.core import TensorCore
from pellucid.tensor.eager import elements, unit
from pellucid.tensor.interface import Tensor
from pellucid.tensor.older import scaled_first
from pellucid.tensor.promotion import (
    NUMBERS,
    as_float,
    as_number,
    as_operand,
    common_dtype,
    together,
)
from pellucid.tensor.state import is_tracing


def _float_method(function: Callable[[Any], Any], formula: str) -> Callable[[Any], Tensor]:
    """A method that applies a float function to each element (integers become float32)."""

    def method(self: Tensor) -> Tensor:
        return function(as_float(self))

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = f"{formula}, element by element. Shape stays; integers become float32."
    return method


def _number_method(function: Callable[[Any], Any], formula: str) -> Callable[[Any], Tensor]:
    """A method that applies a function defined for integers too."""

    def method(self: Tensor) -> Tensor:
        return function(as_number(self))

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = f"{formula}, element by element. Shape and dtype stay."
    return method


_OF_BOOL = {"add": elementwise.logical_or_, "mul": elementwise.logical_and_}


def _binary(name: str, first: Any, second: Any) -> Any:
    """An arithmetic operation on operands brought to one dtype.

    Sum and product of two bool operands are or and and; elsewhere bool counts as integer.
    """
    a, b = together(first, second)
    if a.dtype is bool_:
        if name in _OF_BOOL:
            return _OF_BOOL[name](a, b)
        if name == "sub":
            raise DTypeError("sub got two bool tensors", "use ^ (exclusive or), or convert one")
        a, b = as_number(a), as_number(b)
    if name in _DIVISIONS and a.dtype.kind == "int" and not is_tracing() and not b.array().all():
        raise ArgumentError(
            f"{name} got integers to divide by 0 (ZeroDivisionError)",
            "convert with .float() for inf or nan",
        )
    return getattr(elementwise, name)(a, b)


_DIVISIONS = ("floor_divide", "remainder", "fmod")


_OPERANDS = (TensorCore, *NUMBERS)


def _number_or_tensor(value: object) -> TypeGuard[Operand]:
    return isinstance(value, _OPERANDS) or hasattr(value, "__array__")


class ArithmeticMethods(Tensor):
    """Arithmetic, special functions, comparisons and logic."""

    __slots__ = ()

    # ---- operators -------------------------------------------------------------------------

    def add(self, other: Operand, *older: Operand, alpha: float = 1) -> Tensor:
        """self + alpha · other, element by element; shapes broadcast, dtypes are promoted."""
        if older:
            other, alpha = scaled_first("add", "alpha", (other, *older), 1)
        return _binary("add", self, other if alpha == 1 else _binary("mul", other, alpha))

    def sub(self, other: Operand, *older: Operand, alpha: float = 1) -> Tensor:
        """self − alpha · other, element by element; shapes broadcast, dtypes are promoted."""
        if older:
            other, alpha = scaled_first("sub", "alpha", (other, *older), 1)
        return _binary("sub", self, other if alpha == 1 else _binary("mul", other, alpha))

    def mul(self, other: Operand) -> Tensor:
        """self · other, element by element; shapes broadcast."""
        return _binary("mul", self, other)

    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
        """self / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient.

        Without rounding the result is floating point also for integers.
        """
        if rounding_mode is not None and self.dtype.is_complex:
            refuse_complex(f"div with rounding_mode={rounding_mode!r}", self.dtype)
        if rounding_mode == "floor":
            return self.floor_divide(other)
        a, b = together(self, other)
        if rounding_mode == "trunc":
            if a.dtype.kind != "float":
                return _binary("floor_divide", as_number(a) - _binary("fmod", a, b), b)
            return elementwise.trunc(elementwise.div(a, b))
        if rounding_mode is not None:
            raise ArgumentError(
                f"there is no rounding_mode {rounding_mode!r}", 'use None, "floor" or "trunc"'
            )
        return elementwise.div(as_float(a), as_float(b))

    def floor_divide(self, other: Operand) -> Tensor:
        """floor(self / other), element by element; shapes broadcast."""
        return _binary("floor_divide", self, other)

    def remainder(self, other: Operand) -> Tensor:
        """self − floor(self / other) · other: the sign of the divisor, as Python's %."""
        return _binary("remainder", self, other)

    def fmod(self, other: Operand) -> Tensor:
        """self − trunc(self / other) · other: the sign of the dividend, as C's fmod."""
        return _binary("fmod", self, other)

    def pow(self, exponent: Operand) -> Tensor:
        """self ^ exponent; small whole exponents become products."""
        if isinstance(exponent, NUMBERS):
            return _power_of_number(as_number(self), exponent)
        a, b = together(self, exponent)
        if a.dtype.kind == "bool":
            raise DTypeUnsupportedError(
                "pow got two bool tensors: \"pow\" not implemented for 'Bool'",
                "convert one with .int()",
            )
        if a.dtype.kind == "int":
            return _integer_power(a, b)
        return elementwise.pow(as_float(a), as_float(b))

    def __add__(self, other: Operand) -> Tensor:
        return self.add(other) if _number_or_tensor(other) else NotImplemented

    def __radd__(self, other: Operand) -> Tensor:
        return self.add(other) if _number_or_tensor(other) else NotImplemented

    def __sub__(self, other: Operand) -> Tensor:
        return self.sub(other) if _number_or_tensor(other) else NotImplemented

    def __rsub__(self, other: Operand) -> Tensor:
        return _binary("sub", other, self) if _number_or_tensor(other) else NotImplemented

    def __mul__(self, other: Operand) -> Tensor:
        return self.mul(other) if _number_or_tensor(other) else NotImplemented

    def __rmul__(self, other: Operand) -> Tensor:
        return self.mul(other) if _number_or_tensor(other) else NotImplemented

    def __truediv__(self, other: Operand) -> Tensor:
        return self.div(other) if _number_or_tensor(other) else NotImplemented

    def __rtruediv__(self, other: Operand) -> Tensor:
        if not _number_or_tensor(other):
            return NotImplemented
        a, b = together(other, self)
        return elementwise.div(as_float(a), as_float(b))

    def __floordiv__(self, other: Operand) -> Tensor:
        return self.floor_divide(other)

    def __rfloordiv__(self, other: Operand) -> Tensor:
        return _binary("floor_divide", other, self)

    def __mod__(self, other: Operand) -> Tensor:
        return self.remainder(other)

    def __rmod__(self, other: Operand) -> Tensor:
        return _binary("remainder", other, self)

    def __pow__(self, other: Operand) -> Tensor:
        return self.pow(other)

    def __rpow__(self, other: Operand) -> Tensor:
        base = as_operand(other, common_dtype([self, other]))
        return base.pow(self)

    def __neg__(self) -> Tensor:
        return self.neg()

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return self.abs()

    def __invert__(self) -> Tensor:
        return elementwise.logical_not_(self)

    def __and__(self, other: Operand) -> Tensor:
        return elementwise.logical_and_(*together(self, other))

    def __or__(self, other: Operand) -> Tensor:
        return elementwise.logical_or_(*together(self, other))

    def __xor__(self, other: Operand) -> Tensor:
        return elementwise.logical_xor_(*together(self, other))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    # ---- comparison and logic --------------------------------------------------------------

    def eq(self, other: Operand) -> Tensor:
        """self = other, element by element, as a bool tensor; shapes broadcast."""
        return elementwise.eq(*together(self, other))

    def ne(self, other: Operand) -> Tensor:
        """self ≠ other, element by element, as a bool tensor; shapes broadcast."""
        return elementwise.ne(*together(self, other))

    def lt(self, other: Operand) -> Tensor:
        """self < other, element by element, as a bool tensor; shapes broadcast."""
        return elementwise.lt(*together(self, other))

    def le(self, other: Operand) -> Tensor:
        """self ≤ other, element by element, as a bool tensor; shapes broadcast."""
        return elementwise.le(*together(self, other))

    def gt(self, other: Operand) -> Tensor:
        """self > other, element by element, as a bool tensor; shapes broadcast."""
        return elementwise.gt(*together(self, other))

    def ge(self, other: Operand) -> Tensor:
        """self ≥ other, element by element, as a bool tensor; shapes broadcast."""
        return elementwise.ge(*together(self, other))

    __lt__, __le__, __gt__, __ge__ = lt, le, gt, ge

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return self.eq(other) if _number_or_tensor(other) else NotImplemented

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return self.ne(other) if _number_or_tensor(other) else NotImplemented

    def __hash__(self) -> int:
        return id(self)

    def logical_not(self) -> Tensor:
        """True where the element is zero, as a bool tensor."""
        return elementwise.logical_not_(self.bool_())

    def logical_and(self, other: Operand) -> Tensor:
        """True where both are nonzero, as a bool tensor; shapes broadcast."""
        return elementwise.logical_and_(self.bool_(), as_operand(other).bool_())

    def logical_or(self, other: Operand) -> Tensor:
        """True where at least one is nonzero, as a bool tensor; shapes broadcast."""
        return elementwise.logical_or_(self.bool_(), as_operand(other).bool_())

    def logical_xor(self, other: Operand) -> Tensor:
        """True where exactly one is nonzero, as a bool tensor; shapes broadcast."""
        return elementwise.logical_xor_(self.bool_(), as_operand(other).bool_())

    def bool_(self) -> Tensor:
        """As bool: True where the element is not zero; bool tensors stay."""
        return self if self.dtype is bool_ else self.ne(0)

    def isnan(self) -> Tensor:
        """True where the element is not a number, as a bool tensor."""
        return elementwise.ne(self, self)

    def isinf(self) -> Tensor:
        """True where the element is +∞ or −∞, or a part of it, as a bool tensor."""
        if self.dtype.is_differentiable:
            return self.abs().eq(math.inf)
        return elementwise.ne(self, self)

    def isfinite(self) -> Tensor:
        """True where the element is neither infinite nor NaN."""
        if self.dtype.is_complex:
            return self.real.isfinite().logical_and(self.imag.isfinite())
        if not self.dtype.is_floating_point:
            return elementwise.eq(self, self)
        return self.abs().lt(math.inf)

    def isclose(
        self, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> Tensor:
        """|self − other| ≤ atol + rtol · |other|, element by element, as a bool tensor."""
        if rtol < 0 or atol < 0:
            raise ArgumentError(
                f"isclose got rtol={rtol} and atol={atol}: rtol and atol must be greater than or "
                "equal to zero",
                "use distances of 0 or more",
            )
        a, b = together(self, other)
        distance = (as_number(a) - as_number(b)).abs()
        near = distance.le(as_number(b).abs() * rtol + atol).logical_and(distance.isfinite())
        near = near.logical_or(a.eq(b))
        return near.logical_or(a.isnan().logical_and(b.isnan())) if equal_nan else near

    def allclose(
        self, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> bool:
        """Whether every element :meth:`isclose` to the other's: a Python bool."""
        return bool(self.isclose(other, rtol, atol, equal_nan).array().all())

    # ---- functions of one argument ---------------------------------------------------------

    def neg(self) -> Tensor:
        """−x, element by element. Shape and dtype stay; raises ``DTypeError`` for bool."""
        if self.dtype is bool_:
            raise DTypeError(
                "Negation, the `-` operator, on a bool tensor is not supported",
                "use ~ (not), or convert with .int()",
            )
        return elementwise.neg(self)

    abs = _number_method(elementwise.abs, "|x|")
    absolute = abs

    def sign(self) -> Tensor:
        """sign(x): −1, 0 or 1, element by element. Shape and dtype stay."""
        return elementwise.copy(self) if self.dtype is bool_ else elementwise.sign(self)

    exp = _float_method(elementwise.exp, "e^x")
    expm1 = _float_method(elementwise.expm1, "e^x − 1, accurate near 0")
    log = _float_method(elementwise.log, "ln x")
    log1p = _float_method(elementwise.log1p, "ln(1 + x), accurate near 0")
    log2 = _float_method(elementwise.log2, "log₂ x")
    log10 = _float_method(elementwise.log10, "log₁₀ x")
    sqrt = _float_method(elementwise.sqrt, "√x")
    sin = _float_method(elementwise.sin, "sin x")
    cos = _float_method(elementwise.cos, "cos x")
    tan = _float_method(elementwise.tan, "tan x")
    asin = _float_method(elementwise.asin, "arcsin x")
    acos = _float_method(elementwise.acos, "arccos x")
    atan = _float_method(elementwise.atan, "arctan x")
    sinh = _float_method(elementwise.sinh, "sinh x")
    cosh = _float_method(elementwise.cosh, "cosh x")
    tanh = _float_method(elementwise.tanh, "tanh x")
    asinh = _float_method(elementwise.asinh, "arsinh x")
    acosh = _float_method(elementwise.acosh, "arcosh x")
    atanh = _float_method(elementwise.atanh, "artanh x")
    sigmoid = _float_method(elementwise.sigmoid, "1 / (1 + e^−x)")
    erf = _float_method(elementwise.erf, "the error function")
    erfc = _float_method(elementwise.erfc, "1 − erf(x), accurate for large x")
    erfinv = _float_method(elementwise.erfinv, "the inverse of erf")
    lgamma = _float_method(elementwise.lgamma, "ln |Γ(x)|")
    digamma = _float_method(elementwise.digamma, "the derivative of ln Γ(x)")

    def _rounded(self, function: Callable[[Any], Any]) -> Any:
        return function(self) if self.dtype.is_differentiable else self

    def floor(self) -> Tensor:
        """The largest integer ≤ x, element by element; shape and dtype stay."""
        return self._rounded(elementwise.floor)

    def ceil(self) -> Tensor:
        """The smallest integer ≥ x, element by element; shape and dtype stay."""
        return self._rounded(elementwise.ceil)

    def trunc(self) -> Tensor:
        """x without its fraction, rounded towards zero; shape and dtype stay."""
        return self._rounded(elementwise.trunc)

    def round(self, *, decimals: int = 0) -> Tensor:
        """x rounded to ``decimals`` places, ties to the even neighbour."""
        if not isinstance(decimals, int):
            raise ArgumentTypeError(f"round got decimals={decimals!r}", "give a whole number")
        if decimals == 0:
            return self._rounded(elementwise.round)
        return (self * 10.0**decimals).round() / 10.0**decimals

    def frac(self) -> Tensor:
        """The fraction with the sign of x: x − trunc(x)."""
        return self - self.trunc()

    def reciprocal(self) -> Tensor:
        """1 / x, element by element; integers become float32."""
        return 1.0 / self

    def rsqrt(self) -> Tensor:
        """1 / √x, element by element; integers become float32."""
        return 1.0 / self.sqrt()

    def square(self) -> Tensor:
        """x², element by element; shape and dtype stay, but bool becomes int64."""
        x = as_number(self)
        return x * x

    @unit(elements(1 << 14))
    def relu(self) -> Tensor:
        """max(0, x), NaN for NaN; the gradient at 0 is 0."""
        zero = as_operand(0, self.dtype)
        return elementwise.where(elementwise.le(self, zero), zero, self)

    def logit(self, eps: float | None = None) -> Tensor:
        """ln(x / (1 − x)), the inverse of the sigmoid; ``eps`` clamps x to [eps, 1 − eps]."""
        x = as_float(self)
        x = x if eps is None else x.clamp(eps, 1 - eps)
        return x.log() - (-x).log1p()  # of the quotient the slope at 0 and 1 would be ∞ · 0

    # ---- choosing --------------------------------------------------------------------------

    def maximum(self, other: Operand) -> Tensor:
        """The larger of each pair; NaN if one is. At ties each side gets half the gradient."""
        return elementwise.maximum(*together(self, other))

    def minimum(self, other: Operand) -> Tensor:
        """The smaller of each pair; NaN if one is. At ties each side gets half the gradient."""
        return elementwise.minimum(*together(self, other))

    def clamp(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """min(max(x, min), max), NaN where one of them is.

        The gradient is 1 inside and at the bounds, 0 outside.
        """
        if min is None and max is None:
            raise ArgumentError("clamp got neither min nor max", "pass at least one of them")
        x: Tensor = self
        if min is not None:
            x, low = together(x, min)
            x = elementwise.where(_or_nan(elementwise.lt(x, low), low, min), low, x)
        if max is not None:
            x, high = together(x, max)
            x = elementwise.where(_or_nan(elementwise.gt(x, high), high, max), high, x)
        return x

    clip = clamp

    def clamp_min(self, min: Operand) -> Tensor:
        """max(x, min), element by element; ``min`` broadcasts."""
        return self.clamp(min=min)

    def clamp_max(self, max: Operand) -> Tensor:
        """min(x, max), element by element; ``max`` broadcasts."""
        return self.clamp(max=max)

    def where(self, condition: Tensor, other: Operand) -> Tensor:
        """self where ``condition`` holds, else ``other``; all three broadcast."""
        x, y = together(self, other)
        return elementwise.where(as_operand(condition).bool_(), x, y)

    def masked_fill(self, mask: Tensor, value: Operand) -> Tensor:
        """``value`` where ``mask`` is true, else self."""
        number = as_operand(value, self.dtype)
        if number.shape:
            raise ShapeError(
                f"masked_fill got a value of shape {tuple(number.shape)}: it only supports a "
                "0-dimensional value tensor",
                "give a number; where() takes values of any shape",
            )
        return elementwise.where(as_operand(mask).bool_(), number.to(self.dtype), self)

    def lerp(self, end: Tensor, weight: Operand) -> Tensor:
        """self + weight · (end − self): from self (weight 0) to ``end`` (weight 1).

        From a weight of ½ on computed from the other end, which is reached exactly.
        """
        step = end - self
        if isinstance(weight, (int, float)):
            return self + step * weight if abs(weight) < 0.5 else end - step * (1 - weight)
        share: Any = as_operand(weight)
        return elementwise.where(share.abs().lt(0.5), self + step * share, end - step * (1 - share))

    def addcmul(self, tensor1: Tensor, tensor2: Tensor, *older: Tensor, value: float = 1) -> Tensor:
        """self + value · tensor1 · tensor2, element by element; shapes broadcast."""
        if older:
            given = (tensor1, tensor2, *older)
            tensor1, tensor2, value = scaled_first("addcmul", "value", given, 2)
        return self + tensor1 * tensor2 * value

    def addcdiv(self, tensor1: Tensor, tensor2: Tensor, *older: Tensor, value: float = 1) -> Tensor:
        """self + value · tensor1 / tensor2, element by element; shapes broadcast."""
        if older:
            given = (tensor1, tensor2, *older)
            tensor1, tensor2, value = scaled_first("addcdiv", "value", given, 2)
        return self + tensor1 / tensor2 * value

    def atan2(self, other: Operand) -> Tensor:
        """Angle of the point (x = other, y = self) in (−π, π]."""
        a, b = together(self, other)
        return elementwise.atan2(as_float(a), as_float(b))

    def hypot(self, other: Operand) -> Tensor:
        """√(self² + other²), without overflow in between."""
        a, b = (t.abs() for t in together(self, other))
        large, small = a.maximum(b), a.minimum(b)
        ratio = small / large.masked_fill(large.eq(0), 1.0)
        return large * (1 + ratio * ratio).sqrt()

    def xlogy(self, other: Operand) -> Tensor:
        """self · ln(other), element by element, with 0 · ln(0) = 0."""
        a, b = together(self, other)
        bad = b.le(0).logical_or(b.eq(math.inf))  # elsewhere 0 · ln b has the derivative ln b
        safe = b.masked_fill(a.eq(0).logical_and(bad), 1.0)
        return as_float(a) * as_float(safe).log()


def _power_of_number(x: Any, exponent: Any) -> Any:
    """x^n for a Python number: products for small whole n, roots for ±1/2, else the primitive."""
    if x.dtype.kind == "int" and isinstance(exponent, float):
        x = elementwise.cast(x, float32)
    if isinstance(exponent, (complex, np.complexfloating)):
        return elementwise.pow(*(as_float(t) for t in together(x, exponent)))
    if exponent == 0.5:
        return elementwise.sqrt(x)
    if exponent == -0.5:
        return x.rsqrt()
    whole = float(exponent).is_integer() and abs(exponent) <= 8
    if x.dtype.kind == "int":
        if exponent < 0:
            raise ArgumentError(
                f"integers to the negative power {exponent}", "convert with .float() first"
            )
        if exponent:
            return _product_power(x, int(exponent))
    if whole and exponent != 0:
        # (1/x)^n: of 1/x^n the slope at 0 would be ∞ · 0.
        return _product_power(x if exponent > 0 else 1.0 / x, int(abs(exponent)))
    if exponent == 0:
        return constant_like(x, 1)
    return elementwise.pow(x, as_operand(exponent, x.dtype))


def _integer_power(a: Any, b: Any) -> Any:
    """a^b of integers, wrapping around; 0 for what 1 / a^|b| would be between −1 and 1.

    By repeated squaring over the bits of the exponent: all of them where a program is traced, else
    those that the largest one has.
    """
    bits = 8 * b.dtype.itemsize - 1
    if b._cell.array is not None:
        bits = int(b.array().max(initial=0)).bit_length()
    one, zero = as_operand(1, a.dtype), as_operand(0, a.dtype)
    rest, base = b.clamp(min=0), a
    result = elementwise.where(b.eq(b), one, zero)
    two = as_operand(2, b.dtype)
    for bit in range(bits):
        odd = elementwise.remainder(rest, two).eq(1)
        result = elementwise.where(odd, result * base, result)
        rest = elementwise.floor_divide(rest, two)
        base = base * base if bit + 1 < bits else base
    result = elementwise.where(elementwise.eq(a, a).logical_and(b.ge(0)), result, zero)
    if a.dtype.name == "uint8":
        return result
    even = elementwise.remainder(b, two).eq(0)
    inverse = elementwise.where(a.eq(1).logical_or(a.eq(-1).logical_and(even)), one, zero)
    inverse = elementwise.where(a.eq(-1).logical_and(even.logical_not()), -one, inverse)
    return elementwise.where(b.lt(0), inverse, result)


def _or_nan(outside: Any, bound: Any, given: Any) -> Any:
    """Where an element is outside of a bound, or the bound is NaN, as a number rarely is."""
    if bound.dtype.kind != "float" or (isinstance(given, NUMBERS) and given == given):
        return outside
    return elementwise.logical_or_(outside, bound.isnan())


def constant_like(x: Any, number: float) -> Any:
    """``number`` in the shape of ``x``, whatever its elements, with gradients that are 0."""
    never = elementwise.logical_not_(elementwise.eq(x, x).logical_or(x.isnan()))
    return elementwise.where(never, x, as_operand(number, x.dtype))


def _product_power(x: Any, count: int) -> Any:
    """x · x · … (count times) by repeated squaring."""
    result, base = None, x
    while count:
        if count & 1:
            result = base if result is None else elementwise.mul(result, base)
        count >>= 1
        base = elementwise.mul(base, base) if count else base
    return result
