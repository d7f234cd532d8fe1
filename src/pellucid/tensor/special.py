"""Less common element-wise methods, composed of the common ones, and second names for these."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.base.dtypes import bool_, float32, float64
from pellucid.ops import elementwise
from pellucid.tensor.arithmetic import ArithmeticMethods
from pellucid.tensor.promotion import as_float, as_number, as_operand, together


class SpecialMethods(ArithmeticMethods):
    """Element-wise functions beyond the arithmetic everybody uses."""

    __slots__ = ()

    def exp2(self) -> Any:
        """2^x, element by element; integers become float32."""
        x = as_float(self)
        return elementwise.pow(as_operand(2.0, x.dtype), x)

    def sinc(self) -> Any:
        """sin(πx) / (πx), 1 at 0; integers become float32."""
        x = as_float(self)
        zero = x.eq(0)
        turned = x.masked_fill(zero, 1.0) * math.pi
        return (turned.sin() / turned).masked_fill(zero, 1.0)

    def deg2rad(self) -> Any:
        """Degrees as radians: x · π / 180."""
        return as_float(self) * (math.pi / 180)

    def rad2deg(self) -> Any:
        """Radians as degrees: x · 180 / π."""
        return as_float(self) * (180 / math.pi)

    def positive(self) -> Any:
        """The tensor itself: +x."""
        return self

    def signbit(self) -> Any:
        """True where the sign bit is set: x < 0 or x = −0."""
        if not self.dtype.is_floating_point:
            return self.lt(0) if self.dtype is not bool_ else elementwise.ne(self, self)
        return self.lt(0).logical_or(self.eq(0).logical_and(self.reciprocal().lt(0)))

    def copysign(self, other: Any) -> Any:
        """|self| with the sign of ``other``; a zero's sign counts too."""
        a, b = (as_float(t) for t in together(self, other))
        size = a.abs()
        return elementwise.where(b.signbit(), -size, size)

    def isposinf(self) -> Any:
        """True where the element is +∞."""
        return self.eq(math.inf)

    def isneginf(self) -> Any:
        """True where the element is −∞."""
        return self.eq(-math.inf)

    def nan_to_num(
        self, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
    ) -> Any:
        """Finite numbers only: NaN → ``nan``, +∞ and −∞ → the largest and smallest by default."""
        if not self.dtype.is_floating_point:
            return self
        limits = np.finfo(np.float32 if self.dtype is float32 else np.float64)
        high = float(limits.max) if posinf is None else posinf
        low = float(limits.min) if neginf is None else neginf
        x = self.masked_fill(self.isnan(), nan)
        return x.masked_fill(self.isposinf(), high).masked_fill(self.isneginf(), low)

    def fmax(self, other: Any) -> Any:
        """The larger of each pair; a NaN loses against a number."""
        a, b = together(self, other)
        return elementwise.where(
            a.isnan(), b, elementwise.where(b.isnan(), a, elementwise.maximum(a, b))
        )

    def fmin(self, other: Any) -> Any:
        """The smaller of each pair; a NaN loses against a number."""
        a, b = together(self, other)
        return elementwise.where(
            a.isnan(), b, elementwise.where(b.isnan(), a, elementwise.minimum(a, b))
        )

    def logaddexp(self, other: Any) -> Any:
        """ln(e^self + e^other) without overflow."""
        a, b = (as_float(t) for t in together(self, other))
        gap = (a - b).abs()
        gap = gap.masked_fill(a.eq(b), 0.0)  # ∞ − ∞ would be NaN
        return a.maximum(b) + (-gap).exp().log1p()

    def logaddexp2(self, other: Any) -> Any:
        """log₂(2^self + 2^other) without overflow."""
        a, b = (as_float(t) for t in together(self, other))
        return (a * math.log(2)).logaddexp(b * math.log(2)) / math.log(2)

    def float_power(self, exponent: Any) -> Any:
        """self ^ exponent, computed in float64 whatever came."""
        power = exponent if isinstance(exponent, (int, float)) else as_operand(exponent).double()
        return elementwise.cast(self, float64).pow(power)

    def heaviside(self, values: Any) -> Any:
        """0 where self < 0, 1 where it is > 0, ``values`` at 0."""
        a, b = together(self, values)
        step = elementwise.cast(a.gt(0), a.dtype)
        return elementwise.where(a.eq(0), b, elementwise.where(a.isnan(), a, step))

    def ldexp(self, other: Any) -> Any:
        """self · 2^other."""
        return as_float(self) * as_float(as_operand(other)).exp2()

    def rsub(self, other: Any, *, alpha: float = 1) -> Any:
        """other − alpha · self."""
        return as_operand(other).sub(self, alpha=alpha)

    def dist(self, other: Any, p: float = 2) -> Any:
        """The p-norm of self − other, one number."""
        return (self - other).norm(p)

    def sgn(self) -> Any:
        """sign(x)."""
        return self.sign()

    def bitwise_and(self, other: Any) -> Any:
        """Bits set in both; integers and bool."""
        return self & other

    def bitwise_or(self, other: Any) -> Any:
        """Bits set in at least one; integers and bool."""
        return self | other

    def bitwise_xor(self, other: Any) -> Any:
        """Bits set in exactly one; integers and bool."""
        return self ^ other

    def bitwise_not(self) -> Any:
        """Every bit turned; integers and bool."""
        return ~self

    def isin(self, test_elements: Any, *, invert: bool = False) -> Any:
        """True where the element occurs in ``test_elements`` (false there with ``invert``)."""
        x, wanted = together(self, test_elements)
        flat = wanted.reshape(-1)
        found = as_number(x).unsqueeze(-1).eq(as_number(flat)).any(-1)
        return found.logical_not() if invert else found

    # ---- second names ----------------------------------------------------------------------

    multiply, subtract = ArithmeticMethods.mul, ArithmeticMethods.sub
    divide = true_divide = ArithmeticMethods.div
    negative = ArithmeticMethods.neg
    greater, greater_equal = ArithmeticMethods.gt, ArithmeticMethods.ge
    less, less_equal = ArithmeticMethods.lt, ArithmeticMethods.le
    not_equal = ArithmeticMethods.ne
    arcsin, arccos, arctan = ArithmeticMethods.asin, ArithmeticMethods.acos, ArithmeticMethods.atan
    arcsinh, arccosh = ArithmeticMethods.asinh, ArithmeticMethods.acosh
    arctanh, arctan2 = ArithmeticMethods.atanh, ArithmeticMethods.atan2
    fix = ArithmeticMethods.trunc
