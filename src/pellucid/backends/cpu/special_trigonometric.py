"""Trigonometric functions and their inverses as LLVM arithmetic.

Conventions and error statements as in :mod:`pellucid.backends.cpu.special_exponential`.
Arguments are in radians.  ``sin``, ``cos`` and ``tan`` keep their stated error for
|x| ≤ 10⁵ (float) and |x| ≤ 10⁹ (double); farther out they stay in range but lose accuracy, and
beyond 4·10⁶ and 4·10¹⁵ they are meaningless.
"""

from __future__ import annotations

import math

from pellucid.backends.cpu.ir import Function, Value
from pellucid.backends.cpu.lanes import Lanes, fma, polynomial
from pellucid.backends.cpu.special_coefficients import COEFFICIENTS

HALF_PI = {
    "float": (
        1.57079637050628662109375,
        -4.371139000186241438857289400265e-8,
        -1.7151245100058e-15,
    ),
    "double": (1.57079632679489655799898, 6.12323399573676603586882e-17, -1.4973849048591833e-33),
}
"""π/2 as a sum of three numbers of the format."""


def reduce_angle(x: Lanes) -> tuple[Lanes, Lanes]:
    """(r, q): x = n·π/2 + r with |r| ≤ π/4 (bounded by 0.8), q an integer ≡ n mod 4.

    Cody and Waite's reduction with three parts of π/2 and fused multiply-adds: the first step is
    exact, the others round relative to what is left.
    """
    rounded = fma(x, 2.0 / math.pi, x.format.rounding)
    n = rounded - x.format.rounding
    r = x
    for part in HALF_PI[x.scalar]:
        r = fma(n, -part, r)
    return r.at_least(-0.8).at_most(0.8), rounded.bits()


def sine_and_cosine(r: Lanes) -> tuple[Lanes, Lanes]:
    """sin r and cos r for |r| ≤ 0.8."""
    z = r * r
    sine = fma(z * polynomial(z, COEFFICIENTS["sine"][r.scalar]), r, r)
    quarter = polynomial(z, COEFFICIENTS["cosine"][r.scalar])
    return sine, fma(z * z, quarter, fma(z, -0.5, 1.0))


def _by_quadrant(sine: Lanes, cosine: Lanes, quadrant: Lanes) -> Lanes:
    """sin(r + quadrant·π/2)."""
    chosen = (quadrant & 1).nonzero().where(cosine, sine)
    form = chosen.format
    sign_position = form.mantissa + form.bias.bit_length() + 1
    return (chosen.bits() ^ ((quadrant & 2) << (sign_position - 1))).real()


def arc_tangent_of_ratio(numerator: Lanes, denominator: Lanes) -> Lanes:
    """atan(numerator / denominator) in [0, π/2] for two numbers ≥ 0."""
    steep = numerator > denominator
    t = steep.where(denominator, numerator) / steep.where(numerator, denominator)
    # 0/0 (only both zero) counts as 0, ∞/∞ as 1, as atan2 asks.
    t = numerator.equals(denominator).where(numerator.equals(0.0).where(numerator, 1.0), t)
    z = t * t
    angle = fma(z * polynomial(z, COEFFICIENTS["arc_tangent"][t.scalar]), t, t)
    high, low, _ = HALF_PI[t.scalar]
    return steep.where(high - (angle - low), angle)


def _arc_sine_of_small(x: Lanes, z: Lanes) -> Lanes:
    """asin x for x ≤ 1/2 and z = x²."""
    return fma(z * polynomial(z, COEFFICIENTS["arc_sine"][x.scalar]), x, x)


# ---- emitters ------------------------------------------------------------------------------------


def sin(f: Function, x: Value) -> Value:
    """sin x; NaN at ±∞.  Error ≤ 2 ulp, 2 ulp (range: see the module)."""
    v = Lanes(f, x)
    r, quadrant = reduce_angle(v)
    result = _by_quadrant(*sine_and_cosine(r), quadrant)
    return v.equals(0.0).where(v, result).value


def cos(f: Function, x: Value) -> Value:
    """cos x; NaN at ±∞.  Error ≤ 2 ulp, 2 ulp (range: see the module)."""
    r, quadrant = reduce_angle(Lanes(f, x))
    return _by_quadrant(*sine_and_cosine(r), quadrant + 1).value


def tan(f: Function, x: Value) -> Value:
    """tan x = sin x / cos x; NaN at ±∞.  Error ≤ 4 ulp, 4 ulp (range: see the module)."""
    v = Lanes(f, x)
    r, quadrant = reduce_angle(v)
    sine, cosine = sine_and_cosine(r)
    odd = (quadrant & 1).nonzero()
    result = odd.where(-cosine, sine) / odd.where(sine, cosine)
    return v.equals(0.0).where(v, result).value


def asin(f: Function, x: Value) -> Value:
    """arcsin x; NaN outside [-1, 1].  Error ≤ 2.5 ulp, 2.5 ulp.

    x + x³P(x²) up to 1/2, beyond it π/2 - 2·arcsin sqrt((1 - |x|) / 2).
    """
    v = Lanes(f, x)
    a = v.absolute()
    large = a > 0.5
    z = large.where((1.0 - a) * 0.5, a * a)
    angle = _arc_sine_of_small(large.where(z.sqrt(), a), z)
    high, low, _ = HALF_PI[v.scalar]
    return large.where(high - ((angle + angle) - low), angle).with_sign_of(v).value


def acos(f: Function, x: Value) -> Value:
    """arccos x; NaN outside [-1, 1].  Error ≤ 1.5 ulp, 1.5 ulp."""
    v = Lanes(f, x)
    a = v.absolute()
    large = a > 0.5
    z = large.where((1.0 - a) * 0.5, a * a)
    angle = _arc_sine_of_small(large.where(z.sqrt(), a), z)
    high, low, _ = HALF_PI[v.scalar]
    double_angle = angle + angle
    from_end = (v < 0.0).where(2.0 * high - (double_angle - 2.0 * low), double_angle)
    return large.where(from_end, high - (angle.with_sign_of(v) - low)).value


def atan(f: Function, x: Value) -> Value:
    """arctan x.  Error ≤ 2.5 ulp, 2.5 ulp."""
    v = Lanes(f, x)
    a = v.absolute()
    return arc_tangent_of_ratio(a, a.constant(1.0)).with_sign_of(v).value


def atan2(f: Function, y: Value, x: Value) -> Value:
    """Angle of the point (x, y) in [-π, π], with C99's results for zeros and infinities.

    Error ≤ 2.5 ulp, 2.5 ulp.
    """
    vertical, horizontal = Lanes(f, y), Lanes(f, x)
    angle = arc_tangent_of_ratio(vertical.absolute(), horizontal.absolute())
    high, low, _ = HALF_PI[vertical.scalar]
    left = horizontal.constant(1.0).with_sign_of(horizontal) < 0.0
    angle = left.where(2.0 * high - (angle - 2.0 * low), angle)
    # A NaN paired with anything reaches the quotient, except beside an equal infinity or zero.
    undefined = vertical.is_nan() | horizontal.is_nan()
    angle = undefined.where(vertical + horizontal, angle)
    return angle.with_sign_of(vertical).value
