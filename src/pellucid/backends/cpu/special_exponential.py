"""Exponentials, logarithms, hyperbolic functions and powers as LLVM arithmetic.

Every function takes the function being written and a value of type ``float``, ``double`` or a
vector of either, appends straight-line instructions and returns a value of the same type.  The
stated errors bound the largest measured ones (float, then double; millions of random arguments over
all exponents), in units in the last place of the correctly rounded result; see
``tests/backends/test_special.py``.  NaN gives NaN; subnormal arguments and results are handled; no
flag, no library call, no table in memory.
"""

from __future__ import annotations

import math

from pellucid.backends.cpu.ir import Function, Value
from pellucid.backends.cpu.lanes import (
    INFINITY,
    NOT_A_NUMBER,
    Lanes,
    fma,
    polynomial,
    times_power_of_two,
    two_product,
    two_sum,
)
from pellucid.backends.cpu.special_coefficients import COEFFICIENTS

LOG2_E = math.log2(math.e)
LN2 = {
    "float": (0.693147182464599609375, -1.904654299957767878541823431924e-9),
    "double": (0.693147180559945286226764, 2.319046813846299615494855e-17),
}
"""ln 2 as a rounded number and the rest of it."""

EXPONENT_RANGE = {"float": (-104.0, 91.0), "double": (-746.0, 712.0)}
"""Arguments below the first give 0, above the second infinity, also for e^x / 2."""


def reduce_exponential(x: Lanes, rest: Lanes | float = 0.0) -> tuple[Lanes, Lanes]:
    """(r, t): x + rest = k·ln 2 + r, |r| ≤ ln 2 / 2, k an integer, t = k + ``Format.rounding``.

    Cody and Waite (1980), with fused multiply-adds; x must not exceed ``EXPONENT_RANGE`` much, and
    rest is a correction too small to change k.
    """
    high, low = LN2[x.scalar]
    rounded = fma(x, LOG2_E, x.format.rounding)
    n = rounded - x.format.rounding
    if isinstance(rest, Lanes):
        return fma(n, -high, x) + fma(n, -low, rest), rounded
    return fma(n, -low, fma(n, -high, x)), rounded


def exponential_parts(x: Lanes, rest: Lanes | float = 0.0) -> tuple[Lanes, Lanes]:
    """(p, t) with e^(x + rest) = p · 2ᵏ, p in [0.7, 1.42], t as in :func:`reduce_exponential`."""
    r, rounded = reduce_exponential(x, rest)
    return polynomial(r, (1.0, 1.0, *COEFFICIENTS["exponential"][x.scalar])), rounded


def clamp_exponent(x: Lanes) -> Lanes:
    """x kept where the reduction works; outside, the result is 0 or infinite anyway."""
    lowest, highest = EXPONENT_RANGE[x.scalar]
    return x.at_least(lowest).at_most(highest)


def exponential(x: Lanes, factor: float = 1.0) -> Lanes:
    """factor · eˣ for a factor that is a power of two."""
    p, rounded = exponential_parts(clamp_exponent(x))
    return times_power_of_two(p if factor == 1.0 else p * factor, rounded)


def exponential_of_negative(x: Lanes) -> Lanes:
    """eˣ for x ≤ 0: 0 where eˣ would be subnormal.  About two thirds of the work of exp."""
    lowest = -math.log(2.0) * (x.format.bias - 1)
    p, rounded = exponential_parts(x.at_least(lowest))
    power = ((rounded.bits() << x.format.mantissa) + x.format.one).real()
    return (x < lowest).where(0.0, p * power)


def exponential_minus_one(x: Lanes) -> Lanes:
    """eˣ - 1, accurate near zero: 2ᵏ·(eʳ - 1) + (2ᵏ - 1)."""
    form = x.format
    # Below about -37 (float: -17) the result is -1, above the other bound it is infinite; between
    # them k ≤ bias + 1.
    x_kept = x.at_least(-45.0).at_most({"float": 88.9, "double": 709.9}[x.scalar])
    r, rounded = reduce_exponential(x_kept)
    p = fma(r * r, polynomial(r, COEFFICIENTS["exponential"][x.scalar]), r)
    # For k = bias + 1 the factor 2^k does not exist though the result may: halve, then double.
    large = x > form.bias * math.log(2.0)
    shifted = large.where(rounded - 1.0, rounded)
    power = ((shifted.bits() << form.mantissa) + form.one).real()
    result = fma(p, power, power - large.where(x.constant(0.5), 1.0))
    return (large.where(result * 2.0, result)).with_sign_of(x)


def reduce_logarithm(x: Lanes) -> tuple[Lanes, Lanes]:
    """(f, n): x = 2ⁿ·(1 + f) for 0 < x < ∞ with 1 + f in [2/3, 4/3]; f is exact."""
    form = x.format
    tiny = x < form.smallest_normal
    scaled = tiny.where(x * 2.0**form.mantissa, x)
    bits = scaled.bits()
    return (
        (bits - exponent_field(bits, x)).real() - 1.0,
        exponent_number(bits, x) - tiny.where(x.constant(float(form.mantissa)), 0.0),
    )


def exponent_field(bits: Lanes, x: Lanes) -> Lanes:
    """n · 2^mantissa for n = ⌊log₂(1.5 · number)⌋, given the bits of a positive number."""
    form = x.format
    mask = -(1 << form.mantissa)
    return (bits - form.two_thirds) & mask


def exponent_number(bits: Lanes, x: Lanes) -> Lanes:
    """The same n as a floating-point number, without an integer conversion."""
    form = x.format
    biased = (bits + (form.one - form.two_thirds)) >> form.mantissa
    anchor = 2.0**form.mantissa
    return (biased | x.constant(anchor).bits()).real() - (anchor + form.bias)


def logarithm_of_one_plus(f: Lanes, n: Lanes | None = None) -> Lanes:
    """ln(1 + f) + n·ln 2 for |f| ≤ 1/3; float by a polynomial, double by artanh."""
    high, low = LN2[f.scalar]
    if f.scalar == "float":
        q = polynomial(f, COEFFICIENTS["logarithm"]["float"])
        result = fma(fma(q, f, -0.5), f * f, f)
        return result if n is None else fma(n, high, result)
    # s = f / (2 + f): ln(1 + f) = 2 artanh s = f - f²/2 + s·(f²/2 + R(s²))  (FreeBSD msun's form).
    s = f / (f + 2.0)
    z = s * s
    half_square = (f * 0.5) * f
    rest = z * polynomial(z, COEFFICIENTS["inverse_hyperbolic_tangent"]["double"])
    correction = s * (half_square + rest)
    if n is None:
        return f - (half_square - correction)
    return fma(n, high, f - (half_square - fma(n, low, correction)))


def logarithm_ends(x: Lanes, result: Lanes) -> Lanes:
    """A logarithm's values outside 0 < x < ∞: -∞ at 0, NaN below, ∞ at ∞, NaN for NaN."""
    result = (x < INFINITY).where(result, x)
    return x.equals(0.0).where(-INFINITY, (x < 0.0).where(NOT_A_NUMBER, result))


def logarithm(x: Lanes) -> Lanes:
    """ln x."""
    f, n = reduce_logarithm(x)
    return logarithm_ends(x, logarithm_of_one_plus(f, n))


def logarithm_one_plus(x: Lanes) -> Lanes:
    """ln(1 + x), accurate near zero."""
    u = x + 1.0
    bits = u.bits()
    field = exponent_field(bits, x)
    # 2^-k·(1 + x) - 1 = 2^-k·x + (2^-k - 1); 4·2^-k never leaves the normal range.
    four_over_power = (x.constant(4.0).bits() - field).real()
    f = (x.bits() - field).real() + fma(four_over_power, 0.25, -1.0)
    result = logarithm_of_one_plus(f, exponent_number(bits, x))
    return x.equals(0.0).where(x, logarithm_ends(u, result))


# ---- emitters ------------------------------------------------------------------------------------


def exp(f: Function, x: Value) -> Value:
    """eˣ.  Error ≤ 1 ulp, 1 ulp."""
    return exponential(Lanes(f, x)).value


def exp2(f: Function, x: Value) -> Value:
    """2ˣ.  Error ≤ 1 ulp, 1 ulp."""
    v = Lanes(f, x)
    lowest, highest = (bound * LOG2_E for bound in EXPONENT_RANGE[v.scalar])
    kept = v.at_least(math.floor(lowest)).at_most(math.ceil(highest))
    rounded = kept + v.format.rounding
    r = kept - (rounded - v.format.rounding)
    p = fma(r, polynomial(r, COEFFICIENTS["exponential_base_2"][v.scalar]), 1.0)
    return times_power_of_two(p, rounded).value


def expm1(f: Function, x: Value) -> Value:
    """eˣ - 1, accurate near zero.  Error ≤ 2 ulp, 2 ulp."""
    return exponential_minus_one(Lanes(f, x)).value


def log(f: Function, x: Value) -> Value:
    """ln x; -∞ at 0, NaN below.  Error ≤ 1 ulp, 1 ulp."""
    return logarithm(Lanes(f, x)).value


def _log_other_base(v: Lanes, per_e: float, per_two: tuple[float, float]) -> Lanes:
    """ln(1 + f)·per_e + n·(per_two[0] + per_two[1])."""
    fraction, n = reduce_logarithm(v)
    part = fma(n, per_two[1], logarithm_of_one_plus(fraction) * per_e)
    return logarithm_ends(v, fma(n, per_two[0], part))


def log2(f: Function, x: Value) -> Value:
    """log₂ x, exact at powers of two.  Error ≤ 2.5 ulp, 2.5 ulp."""
    return _log_other_base(Lanes(f, x), LOG2_E, (1.0, 0.0)).value


def log10(f: Function, x: Value) -> Value:
    """log₁₀ x.  Error ≤ 2.5 ulp, 2.5 ulp."""
    v = Lanes(f, x)
    high, low = {
        "float": (0.301029980182647705078125, 1.5481333313624e-8),
        "double": (0.301029995663981198016655, -2.8037281277851704e-18),
    }[v.scalar]
    return _log_other_base(v, math.log10(math.e), (high, low)).value


def log1p(f: Function, x: Value) -> Value:
    """ln(1 + x), accurate near zero.  Error ≤ 2 ulp, 2 ulp."""
    return logarithm_one_plus(Lanes(f, x)).value


def sigmoid(f: Function, x: Value) -> Value:
    """1 / (1 + e⁻ˣ) from e^-|x|: no overflow, both tails accurate.  Error ≤ 2 ulp, 2 ulp."""
    v = Lanes(f, x)
    p, rounded = exponential_parts((-v.absolute()).at_least(EXPONENT_RANGE[v.scalar][0]))
    e = times_power_of_two(p, rounded)
    # e / (1 + e) = e - e·u and 1 / (1 + e) = 1 - u with u = e / (1 + e): where u is small, its two
    # roundings hardly count.
    u = e / (e + 1.0)
    whole = (v < 0.0).where(e, 1.0)
    return fma(-whole, u, whole).value


def tanh(f: Function, x: Value) -> Value:
    """tanh x: x + x³P(x²) for |x| < 0.6, else 1 - 2 / (e^2|x| + 1).  Error ≤ 1.5 ulp, 1.5 ulp."""
    v = Lanes(f, x)
    a = v.absolute()
    z = v * v
    small = fma(z * polynomial(z, COEFFICIENTS["hyperbolic_tangent"][v.scalar]), a, a)
    # Beyond 9.02 (double: 19.1) the result is 1.
    p, rounded = exponential_parts((a + a).at_most({"float": 20.0, "double": 42.0}[v.scalar]))
    power = ((rounded.bits() << v.format.mantissa) + v.format.one).real()
    large = 1.0 - 2.0 / fma(p, power, 1.0)
    return (a < 0.6).where(small, large).with_sign_of(v).value


def sinh(f: Function, x: Value) -> Value:
    """sinh x: x + x³P(x²) for |x| < 1, else (e^|x| - e^-|x|) / 2.  Error ≤ 2 ulp, 2 ulp."""
    v = Lanes(f, x)
    a = v.absolute()
    z = v * v
    small = fma(z * polynomial(z, COEFFICIENTS["hyperbolic_sine"][v.scalar]), a, a)
    half = exponential(a, 0.5)
    return (a < 1.0).where(small, half - 0.25 / half).with_sign_of(v).value


def cosh(f: Function, x: Value) -> Value:
    """cosh x = (e^|x| + e^-|x|) / 2.  Error ≤ 2 ulp, 2 ulp."""
    half = exponential(Lanes(f, x).absolute(), 0.5)
    return (half + 0.25 / half).value


def asinh(f: Function, x: Value) -> Value:
    """arsinh x = ln(1 + |x| + x² / (1 + sqrt(1 + x²))) with x's sign.  Error ≤ 2 ulp, 2 ulp."""
    v = Lanes(f, x)
    a = v.absolute()
    huge = a > 2.0 ** (v.format.mantissa + 4)
    square = a * a
    argument = a + square / ((square + 1.0).sqrt() + 1.0)
    result = logarithm_one_plus(huge.where(a, argument))
    result = huge.where(result + LN2[v.scalar][0], result)
    return result.with_sign_of(v).value


def acosh(f: Function, x: Value) -> Value:
    """arcosh x = ln(1 + t + sqrt(2t + t²)), t = x - 1; NaN below 1.  Error ≤ 2.5 ulp, 2.5 ulp."""
    v = Lanes(f, x)
    t = v - 1.0
    huge = v > 2.0 ** (v.format.mantissa + 4)
    result = logarithm_one_plus(huge.where(v, t + fma(t, t, t + t).sqrt()))
    result = huge.where(result + LN2[v.scalar][0], result)
    return (v < 1.0).where(NOT_A_NUMBER, result).value


def atanh(f: Function, x: Value) -> Value:
    """artanh x = ln(1 + 2|x| / (1 - |x|)) / 2; ±∞ at ±1, NaN beyond.  Error ≤ 2.5 ulp, 2.5 ulp."""
    v = Lanes(f, x)
    a = v.absolute()
    return (logarithm_one_plus((a + a) / (1.0 - a)) * 0.5).with_sign_of(v).value


# ---- powers --------------------------------------------------------------------------------------


def logarithm_two_parts(a: Lanes) -> tuple[Lanes, Lanes]:
    """ln a as an unevaluated sum good to about 2⁻⁶⁴ of itself, for double 0 < a < ∞.

    2 artanh s with s = f / (2 + f) and the leading terms 2s + (2/3)s³ in two parts each (the scheme
    of Dekker, "A floating-point technique for extending the available precision", 1971).
    """
    f, n = reduce_logarithm(a)
    denominator, denominator_rest = two_sum(f.constant(2.0), f)
    s = f / denominator
    # What the division dropped: (f - s·denominator - s·rest) / denominator.
    s_rest = fma(s, -denominator_rest, fma(s, -denominator, f)) / denominator
    z, z_rest = two_product(s, s)
    z_rest = fma(s + s, s_rest, z_rest)
    tail = z * polynomial(z, COEFFICIENTS["inverse_hyperbolic_tangent_rest"]["double"])
    c, c_rest = two_sum(f.constant(2.0 / 3.0), tail)
    c_rest = c_rest + 3.700743415417188e-17
    m, m_rest = two_product(z, c)
    m_rest = fma(z, c_rest, fma(z_rest, c, m_rest))
    cubic, cubic_rest = two_product(m, s)
    cubic_rest = fma(m, s_rest, fma(m_rest, s, cubic_rest))
    high, low = LN2["double"]
    whole, whole_rest = two_product(n, n.constant(high))
    whole_rest = fma(n, low, whole_rest)
    # n = 0 or |n ln 2| > |2s| > |cubic|: each sum starts with its larger term.
    leading = n.equals(0.0).where(s + s, whole)
    smaller = n.equals(0.0).where(n, s + s)
    total, rest = two_sum(leading, smaller)
    total, rest_2 = two_sum(total, cubic)
    rest = (rest + rest_2) + (cubic_rest + fma(s_rest, 2.0, whole_rest))
    return two_sum(total, rest)


def _power_of_magnitude(a: Lanes, y: Lanes, scalar: str) -> Lanes:
    """aʸ for double a > 0; to float accuracy by a plain logarithm, else in two parts."""
    lowest, highest = EXPONENT_RANGE["double"]
    if scalar == "float":
        f, n = reduce_logarithm(a)
        s = f / (f + 2.0)
        z = s * s
        rest = polynomial(z, COEFFICIENTS["inverse_hyperbolic_tangent_short"]["double"])
        exponent = y * fma(n, LN2["double"][0], fma(z * rest, s, s + s))
        r, rounded = reduce_exponential(exponent.at_least(-120.0).at_most(120.0))
        # Polynomials of float degree: their errors vanish when the result is rounded to float.
        p = polynomial(r, (1.0, 1.0, *COEFFICIENTS["exponential"]["float"]))
        power = ((rounded.bits() << a.format.mantissa) + a.format.one).real()
        return p * power
    log_high, log_low = logarithm_two_parts(a)
    exponent = (y * log_high).at_least(lowest).at_most(highest)
    # Where the bound has cut, the difference is huge or not finite, and does not matter.
    rest = fma(y, log_low, fma(y, log_high, -exponent))
    rest = (rest.absolute() < 1.0).where(rest, 0.0)
    p, rounded = exponential_parts(exponent, rest)
    return times_power_of_two(p, rounded)


def pow(f: Function, x: Value, y: Value) -> Value:
    """xʸ with all special cases of IEEE 754 / C99 ``pow``.  Error ≤ 1 ulp, 2 ulp.

    x⁰ = 1ʸ = 1 even for NaN; a negative base needs an integer exponent (else NaN) and takes its
    sign from an odd one; zeros and infinities behave as limits.
    """
    base, power = Lanes(f, x), Lanes(f, y)
    a = base.absolute()
    magnitude = _power_of_magnitude(a.widen(), power.widen(), base.scalar).narrow(base.scalar)
    grows = (a > 1.0).where(power, -power) > 0.0
    limit = grows.where(power.constant(INFINITY), 0.0)
    extreme = a.equals(0.0) | a.equals(INFINITY) | power.absolute().equals(INFINITY)
    magnitude = extreme.where(limit, magnitude)
    # NaN must win over the bounds and limits above.
    either = base + power
    magnitude = (base.is_nan() | power.is_nan()).where(either, magnitude)
    half = power * 0.5
    is_integer = power.truncate().equals(power)
    is_odd = is_integer & half.truncate().differs(half)
    signed = is_odd.where(magnitude.times_sign(base), magnitude)
    undefined = (base < 0.0) & (base > -INFINITY) & is_integer.negate_mask()
    signed = undefined.where(NOT_A_NUMBER, signed)
    # (-1)^±∞ is 1.
    unit = base.equals(1.0) | power.equals(0.0)
    unit = unit | (a.equals(1.0) & power.absolute().equals(INFINITY))
    return unit.where(1.0, signed).value
