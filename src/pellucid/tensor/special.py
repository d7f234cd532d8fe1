"""Less common element-wise methods, composed of the common ones, and second names for these."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from pellucid.base.dtypes import bool_, float32, float64, promote
from pellucid.base.errors import ArgumentError, DTypeError, NumberRangeError
from pellucid.ops import complex, elementwise, host_functions
from pellucid.ops.registry import apply
from pellucid.tensor.arguments import Operand
from pellucid.tensor.arithmetic import ArithmeticMethods
from pellucid.tensor.interface import Tensor
from pellucid.tensor.promotion import as_float, as_number, as_operand, common_dtype, together
from pellucid.tensor.results import Fraction

MOST_DERIVATIVES = 10_000
"""The highest derivative that polygamma takes; n! is infinite in float64 from n = 171 on."""


class SpecialMethods(ArithmeticMethods):
    """Element-wise functions beyond the arithmetic everybody uses."""

    __slots__ = ()

    def exp2(self) -> Tensor:
        """2^x, element by element; integers become float32."""
        x = as_float(self)
        return elementwise.pow(as_operand(2.0, x.dtype), x)

    def sinc(self) -> Tensor:
        """sin(πx) / (πx), 1 at 0; integers become float32."""
        x = as_float(self)
        zero = x.eq(0)
        turned = x.masked_fill(zero, 1.0) * math.pi
        return (turned.sin() / turned).masked_fill(zero, 1.0)

    def deg2rad(self) -> Tensor:
        """Degrees as radians: x · π / 180, element by element."""
        return as_float(self) * (math.pi / 180)

    def rad2deg(self) -> Tensor:
        """Radians as degrees: x · 180 / π, element by element."""
        return as_float(self) * (180 / math.pi)

    def positive(self) -> Tensor:
        """The tensor itself: +x."""
        return self

    def signbit(self) -> Tensor:
        """True where the sign bit is set: x < 0 or x = −0."""
        if not self.dtype.is_floating_point:
            return self.lt(0) if self.dtype is not bool_ else elementwise.ne(self, self)
        return self.lt(0).logical_or(self.eq(0).logical_and(self.reciprocal().lt(0)))

    def copysign(self, other: Operand) -> Tensor:
        """|self| with the sign of ``other``; a zero's sign counts too."""
        a, b = (as_float(t) for t in together(self, other))
        size = a.abs()
        return elementwise.where(b.signbit(), -size, size)

    def isposinf(self) -> Tensor:
        """True where the element is +∞, as a bool tensor."""
        return self.eq(math.inf)

    def isneginf(self) -> Tensor:
        """True where the element is −∞, as a bool tensor."""
        return self.eq(-math.inf)

    def nan_to_num(
        self, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
    ) -> Tensor:
        """Finite numbers only: NaN → ``nan``, +∞ and −∞ → the largest and smallest by default."""
        if self.dtype.is_complex:
            pairs: Any = complex.view_as_real(self)
            return complex.view_as_complex(pairs.nan_to_num(nan, posinf, neginf))
        if not self.dtype.is_floating_point:
            return self
        limits = np.finfo(np.float32 if self.dtype is float32 else np.float64)
        high = float(limits.max) if posinf is None else posinf
        low = float(limits.min) if neginf is None else neginf
        x = self.masked_fill(self.isnan(), nan)
        return x.masked_fill(self.isposinf(), high).masked_fill(self.isneginf(), low)

    def fmax(self, other: Operand) -> Tensor:
        """The larger of each pair; a NaN loses against a number.  Ties give self the gradient."""
        a, b = together(self, other)
        return elementwise.where(a.ge(b).logical_or(b.isnan()), a, b)

    def fmin(self, other: Operand) -> Tensor:
        """The smaller of each pair; a NaN loses against a number.  Ties give self the gradient."""
        a, b = together(self, other)
        return elementwise.where(a.le(b).logical_or(b.isnan()), a, b)

    def logaddexp(self, other: Operand) -> Tensor:
        """ln(e^self + e^other), element by element, without overflow."""
        a, b = (as_float(t) for t in together(self, other))
        first = a.real.gt(b.real)  # no |a − b|, so that the second derivative at a = b is right
        gap = elementwise.where(first, b - a, a - b)
        gap = gap.masked_fill(a.eq(b).logical_and(a.isinf()), 0.0)  # ∞ − ∞ would be NaN
        return elementwise.where(first, a, b) + gap.exp().log1p()

    def logaddexp2(self, other: Operand) -> Tensor:
        """log₂(2^self + 2^other) without overflow."""
        a, b = (as_float(t) for t in together(self, other))
        return (a * math.log(2)).logaddexp(b * math.log(2)) / math.log(2)

    def float_power(self, exponent: Operand) -> Tensor:
        """self ^ exponent, computed in float64, or complex128, whatever came."""
        wide = promote(common_dtype([self, exponent]), float64)
        power = exponent if isinstance(exponent, (int, float)) else as_operand(exponent).to(wide)
        return elementwise.cast(self, wide).pow(power)

    def heaviside(self, values: Operand) -> Tensor:
        """0 where self < 0 or NaN, 1 where it is > 0, ``values`` at 0."""
        a, b = together(self, values)
        step = elementwise.cast(a.gt(0), a.dtype)
        return elementwise.where(a.eq(0), b, step)

    def ldexp(self, other: Operand) -> Tensor:
        """self · 2^other, element by element; shapes broadcast."""
        return as_float(self) * as_float(as_operand(other)).exp2()

    def rsub(self, other: Operand, *, alpha: float = 1) -> Tensor:
        """other − alpha · self, element by element; shapes broadcast."""
        return as_operand(other).sub(self, alpha=alpha)

    def dist(self, other: Operand, p: float = 2) -> Tensor:
        """The p-norm of self − other over all elements, one number."""
        return (self - other).norm(p)

    def sgn(self) -> Tensor:
        """sign(x): −1, 0 or 1, element by element; z / |z| of complex numbers, 0 for 0."""
        return complex.sgn(self) if self.dtype.is_complex else self.sign()

    def bitwise_and(self, other: Operand) -> Tensor:
        """Bits set in both, element by element; for integers and bool, shapes broadcast."""
        return self & other

    def bitwise_or(self, other: Operand) -> Tensor:
        """Bits set in at least one; integers and bool."""
        return self | other

    def bitwise_xor(self, other: Operand) -> Tensor:
        """Bits set in exactly one; integers and bool."""
        return self ^ other

    def bitwise_not(self) -> Tensor:
        """Every bit turned; for integers and bool, where it is logical not."""
        return ~self

    def isin(self, test_elements: Operand, *, invert: bool = False) -> Tensor:
        """True where the element occurs in ``test_elements`` (false there with ``invert``)."""
        x, wanted = together(self, test_elements)
        flat = wanted.reshape(-1)
        found = as_number(x).unsqueeze(-1).eq(as_number(flat)).any(-1)
        return found.logical_not() if invert else found

    # ---- whole numbers, and the parts of floating-point ones --------------------------------

    def gcd(self, other: Operand) -> Tensor:
        """The greatest common divisor of integers, 0 or more."""
        return apply(host_functions.GCD, *together(self, other))

    def lcm(self, other: Operand) -> Tensor:
        """The least common multiple of integers, 0 or more."""
        return apply(host_functions.LCM, *together(self, other))

    def frexp(self) -> Fraction:
        """(m, e) with x = m · 2^e and ½ ≤ |m| < 1, e int32; 0, ∞ and NaN have e = 0.

        The gradient of m is that of x / 2^e.
        """
        x = as_float(self)
        wide: Any = elementwise.cast(x, float32) if x.dtype.is_narrow else x
        mantissa, exponent = wide.apply_results(host_functions.FREXP, (wide,), {}, (0, 1))
        return Fraction(elementwise.cast(mantissa, x.dtype), exponent)

    def nextafter(self, other: Operand) -> Tensor:
        """The number next to self in the direction of ``other``.

        The gradient goes to self, whole: the next number moves as it does.
        """
        a, b = together(self, other)
        if not a.dtype.is_floating_point:
            raise DTypeError(f"nextafter got {a.dtype.name}", "convert with .float()")
        kind = a.dtype.name if a.dtype.is_narrow else ""
        wide = [elementwise.cast(t, float32) if kind else t for t in (a, b)]
        return elementwise.cast(apply(host_functions.NEXTAFTER, *wide, kind=kind), a.dtype)

    # ---- special functions ------------------------------------------------------------------

    def i0(self) -> Tensor:
        """I₀(x) = 1/π ∫₀^π e^(x cos t) dt, the modified Bessel function of order 0.

        Relative error up to 3e-14 in float64.  By Chebyshev series of e^−|x| I₀ in |x| up to 8
        and of √|x| e^−|x| I₀ in 1/|x| beyond (Clenshaw, 1962).
        """
        x = as_float(self)
        x = elementwise.where(x.lt(0), -x, x)  # |x| with a second derivative at 0
        return _scaled_i0(x) * x.exp()

    def polygamma(self, n: int) -> Tensor:
        """The n-th derivative of ψ(x) = d/dx ln Γ(x): (−1)^(n+1) n! Σ_{k≥0} (x + k)^−(n+1).

        At the poles −∞ for even n, ∞ for odd ones.  For n ≥ 2 by Euler's and Maclaurin's formula
        from the 32nd term on, for x < ½ by reflection, in float64.  (Abramowitz and Stegun,
        1964, 6.4.)
        """
        if n < 0:
            raise ArgumentError(f"polygamma got n={n}", "derivatives are counted from 0")
        if n > MOST_DERIVATIVES:
            raise NumberRangeError(f"polygamma got n={n}", f"use 0 to {MOST_DERIVATIVES}")
        x = as_float(self)
        if n < 2:
            return elementwise.digamma(x) if n == 0 else elementwise.trigamma(x)
        return _reflected(x, n)

    def igamma(self, other: Operand) -> Tensor:
        """P(a, x) = 1/Γ(a) ∫₀^x t^(a−1) e^−t dt for a = self, x = ``other``; from 0 to 1.

        The gradient goes to x alone.
        """
        return _incomplete(self, other, 0)

    def igammac(self, other: Operand) -> Tensor:
        """Q(a, x) = 1 − P(a, x), accurate where it is small; see :meth:`igamma`."""
        return _incomplete(self, other, 1)

    # ---- second names ----------------------------------------------------------------------

    multiply, subtract = ArithmeticMethods.mul, ArithmeticMethods.sub
    divide = true_divide = ArithmeticMethods.div
    __rdiv__ = ArithmeticMethods.__rtruediv__
    negative = ArithmeticMethods.neg
    greater, greater_equal = ArithmeticMethods.gt, ArithmeticMethods.ge
    less, less_equal = ArithmeticMethods.lt, ArithmeticMethods.le
    not_equal = ArithmeticMethods.ne
    arcsin, arccos, arctan = ArithmeticMethods.asin, ArithmeticMethods.acos, ArithmeticMethods.atan
    arcsinh, arccosh = ArithmeticMethods.asinh, ArithmeticMethods.acosh
    arctanh, arctan2 = ArithmeticMethods.atanh, ArithmeticMethods.atan2
    fix = ArithmeticMethods.trunc


def _nothing(x: Any) -> Any:
    """0 with the gradient of ``x``."""
    fixed = x.detach()
    return elementwise.where(fixed.isfinite(), x - fixed, as_operand(0, x.dtype))


def _incomplete(shape: Any, x: Any, which: int) -> Any:
    """P or Q, with x^(a−1) e^−x / Γ(a) or its negative as derivative."""
    a, x = (as_float(t) for t in together(shape, x))
    if a.requires_grad:
        raise ArgumentError(
            "an incomplete gamma function got a first argument that requires gradients",
            "it has a derivative in the second one only; detach the first",
        )
    wide = [elementwise.cast(t, float32) if t.dtype.is_narrow else t for t in (a, x)]
    given = (t.detach() for t in wide)
    value = apply(host_functions.INCOMPLETE_GAMMA, *given, upper=which == 1)
    value = elementwise.cast(value, x.dtype)
    middle = (x + x.detach()) / 2  # so that the second derivative is right, too
    density = (elementwise.sub(a, as_operand(1, a.dtype)).xlogy(middle) - middle - a.lgamma()).exp()
    density = elementwise.where(density.isfinite(), density, as_operand(0, x.dtype))
    return value + _nothing(x) * (density if which == 0 else -density)


def _scaled_i0(x: Any) -> Any:
    """e^−x I₀(x) for x ≥ 0."""
    near, far = (
        _chebyshev(coefficients, place)
        for coefficients, place in zip(
            _bessel_series(),
            (x.clamp(max=8.0) / 2 - 2, 32 / x.clamp(min=8.0) - 2),
            strict=True,
        )
    )
    return elementwise.where(x.le(8.0), near, far / x.clamp(min=8.0).sqrt())


def log_i0(x: Any) -> Tensor:
    """ln I₀(x) for x ≥ 0, also where I₀ is beyond the largest number."""
    return _scaled_i0(x).log() + x


def _chebyshev(coefficients: tuple[float, ...], place: Any) -> Any:
    """Σ' c_k T_k(place / 2) for a place in [−2, 2] by Clenshaw's recurrence."""
    after, last = as_operand(0.0, place.dtype), as_operand(0.0, place.dtype)
    for c in reversed(coefficients[1:]):
        after, last = place * after - last + c, after
    return place * after * 0.5 - last + coefficients[0]


@cache
def _bessel_series() -> tuple[tuple[float, ...], ...]:
    """Chebyshev coefficients for :meth:`SpecialMethods.i0`, from the integral.

    Its integrand is periodic, so that the mean of equally many values converges geometrically.
    """
    turn = (np.arange(2048) + 0.5) * (math.pi / 2048)

    def scaled(x: np.ndarray) -> np.ndarray:
        values = np.exp(np.multiply.outer(x, np.cos(turn) - 1))
        return np.asarray(values.mean(-1))

    def near(place: np.ndarray) -> np.ndarray:
        return scaled(4 * (place + 1))

    def far(place: np.ndarray) -> np.ndarray:
        x = 16 / (place + 1)
        return np.asarray(np.sqrt(x) * scaled(x))

    fit = np.polynomial.chebyshev.chebinterpolate
    return tuple(fit(near, 29)), tuple(fit(far, 24))


def _reflected(x: Any, n: int) -> Any:
    """ψ⁽ⁿ⁾(x), for x < ½ as (−1)ⁿ ψ⁽ⁿ⁾(1 − x) − π dⁿ/dxⁿ cot πx.

    The derivatives of the cotangent are polynomials in it: p₀ = c, p_{k+1} = −(1 + c²) p_k′.
    """
    sign = math.factorial(n) * (-1) ** (n + 1)
    wide = elementwise.cast(x, float64)
    below = wide.lt(0.5)
    mirrored = elementwise.where(below, 1 - wide, wide)
    right = _zeta(mirrored, n + 1) * sign
    polynomial = np.polynomial.Polynomial([0, 1])
    for _ in range(n):
        polynomial = -np.polynomial.Polynomial([1, 0, 1]) * polynomial.deriv()
    # The angle from the nearest whole number: sin πx for large x has no digits left.
    turn = elementwise.where(below, wide - wide.detach().round(), as_operand(0.25, float64))
    turn = turn * math.pi
    cotangent = turn.cos() / turn.sin()
    curve: Any = as_operand(0.0, float64)
    for c in reversed(polynomial.coef):
        curve = curve * cotangent + float(c)
    left = right * (-1) ** n - curve * math.pi ** (n + 1)
    pole = below.logical_and(turn.eq(0).logical_or(wide.isinf()))
    left = elementwise.where(pole, as_operand(math.copysign(math.inf, sign), float64), left)
    found = elementwise.where(below, left, right)
    return elementwise.cast(found, x.dtype)


def _zeta(x: Any, s: int) -> Any:
    """Hurwitz's ζ(s, x) = Σ_{k≥0} (x + k)^−s for x > 0."""
    total, z = as_operand(0.0, x.dtype), x
    for _ in range(32):
        total, z = total + z.pow(-s), z + 1
    tail = z.pow(1 - s) / (s - 1) + z.pow(-s) / 2
    factor = s / 2.0  # B₂/2! · s
    for k, bernoulli in enumerate((1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730), 1):
        tail = tail + z.pow(1 - s - 2 * k) * (bernoulli * factor)
        factor *= (s + 2 * k - 1) * (s + 2 * k) / ((2 * k + 1) * (2 * k + 2))
    return total + tail
