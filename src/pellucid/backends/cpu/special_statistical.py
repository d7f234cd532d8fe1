"""Error function, its relatives, and the gamma function's, as LLVM arithmetic.

Conventions and error statements as in :mod:`pellucid.backends.cpu.special_exponential`.
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
)
from pellucid.backends.cpu.special_coefficients import COEFFICIENTS
from pellucid.backends.cpu.special_exponential import exponential_parts, logarithm
from pellucid.backends.cpu.special_trigonometric import sine_and_cosine


def complementary_error_of_positive(a: Lanes) -> Lanes:
    """erfc a for a ≥ 0: exp(-a²)·g(q) / (1 + 2a), q = (a - K) / (a + K).

    The form of Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x²) erfc x in
    0 ≤ x < ∞" (1981); a² is carried in two parts, since exp magnifies its rounding.
    """
    centre, end = {"float": (3.859375, 10.2), "double": (3.8125, 27.3)}[a.scalar]
    a = a.at_most(end)
    square = a * a
    square_rest = fma(a, a, -square)
    p, rounded = exponential_parts(-square, -square_rest)
    # Both quotients are improved by their own remainders, or errors would add up to 5 ulp.
    reciprocal = 1.0 / (a + centre)
    q = (a - centre) * reciprocal
    q = fma(reciprocal, fma(q, -a, fma(q + 1.0, -centre, a)), q)
    table = COEFFICIENTS["complementary_error_function"][a.scalar]
    g = fma(polynomial(q, table[1:]), q, table[0])
    denominator = fma(a, 2.0, 1.0)
    denominator_rest = 1.0 - (denominator - (a + a))
    reciprocal = 1.0 / denominator
    quotient = g * reciprocal
    missing = fma(quotient, -denominator_rest, fma(quotient, -denominator, g))
    quotient = fma(missing, reciprocal, quotient)
    return times_power_of_two(p * quotient, rounded)


def _error_function_of_small(a: Lanes, z: Lanes) -> Lanes:
    """erf a = a + a·P(z) for z = a², up to ``error_function``'s range."""
    return fma(a, polynomial(z, COEFFICIENTS["error_function"][a.scalar]), a)


def _error_function_of_large(a: Lanes) -> Lanes:
    """erf a for a > 0.7: float as 1 - 2^T(a), double as 1 - erfc a."""
    if a.scalar == "double":
        return 1.0 - complementary_error_of_positive(a)
    t = polynomial(a.at_most(4.0), COEFFICIENTS["error_function_tail"]["float"])
    rounded = t + a.format.rounding
    r = t - (rounded - a.format.rounding)
    p = fma(r, polynomial(r, COEFFICIENTS["exponential_base_2"]["float"]), 1.0)
    power = ((rounded.bits() << a.format.mantissa) + a.format.one).real()
    return fma(p, -power, 1.0)


def erf(f: Function, x: Value) -> Value:
    """2/√π ∫₀ˣ exp(-t²) dt: x + x·P(x²) near zero, else 1 - erfc |x|.  Error ≤ 1.5 ulp, 1 ulp."""
    v = Lanes(f, x)
    a = v.absolute()
    z = v * v
    bound = {"float": 0.7, "double": 1.0}[v.scalar]
    small = _error_function_of_small(a, z)
    return (a < bound).where(small, _error_function_of_large(a)).with_sign_of(v).value


def erfc(f: Function, x: Value) -> Value:
    """1 - erf x, accurate in the right tail down to subnormals.  Error ≤ 3 ulp, 3 ulp."""
    v = Lanes(f, x)
    a = v.absolute()
    positive = complementary_error_of_positive(a)
    positive = (a < 0.5).where(1.0 - _error_function_of_small(a, a * a), positive)
    return (v < 0.0).where(2.0 - positive, positive).value


def erfinv(f: Function, x: Value) -> Value:
    """y with erf y = x; ±∞ at ±1, NaN beyond.  Error ≤ 4 ulp, 4 ulp.

    x times a polynomial in w = -ln((1 - x)(1 + x)), or in sqrt(w) in the tails (the scheme of
    M. Giles, "Approximating the erfinv function", 2010, with coefficients of our own).
    """
    v = Lanes(f, x)
    a = v.absolute()
    w = -logarithm((1.0 - a) * (1.0 + a))
    root = w.sqrt()
    if v.scalar == "float":
        pieces = [("middle", 3.25, 5.0)]
        centre = 2.5
    else:
        pieces = [("middle", 3.25, 6.25), ("tail", 5.0, 16.0)]
        centre = 3.125
    factor = polynomial(w - centre, COEFFICIENTS["inverse_error_function_centre"][v.scalar])
    for name, shift, start in pieces:
        table = COEFFICIENTS[f"inverse_error_function_{name}"][v.scalar]
        factor = (w >= start).where(polynomial(root - shift, table), factor)
    result = a * factor
    result = a.equals(1.0).where(INFINITY, result)
    return (a > 1.0).where(NOT_A_NUMBER, result).with_sign_of(v).value


# ---- gamma function ------------------------------------------------------------------------------

BERNOULLI = (
    1 / 6,
    -1 / 30,
    1 / 42,
    -1 / 30,
    5 / 66,
    -691 / 2730,
    7 / 6,
    -3617 / 510,
    43867 / 798,
)
"""B₂, B₄, … of Stirling's series."""

DIGAMMA_ZERO = (1.4616321449683622, 9.549995429965697e-17)
"""The positive zero of ψ in two parts."""

SHIFT = 8
"""Arguments are moved up by the recurrence to at least this, where nine terms suffice."""


def _sine_and_cosine_of_pi(x: Lanes) -> tuple[Lanes, Lanes]:
    """±sin πx and ±cos πx with a common sign, reduced exactly; |x| any."""
    r = x - x.round_even()
    # |r| ≤ 1/2; the polynomials reach to 1/4, so fold: sin πr = cos π(1/2 - |r|).
    fold = r.absolute() > 0.25
    reduced = fold.where(0.5 - r.absolute(), r)
    sine, cosine = sine_and_cosine(reduced * math.pi)
    return fold.where(cosine.with_sign_of(r), sine), fold.where(sine, cosine)


def _rising(z: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """(y, product, slope) for z > 0: y = z + SHIFT and product = z(z+1)…(z+SHIFT-1), slope its
    derivative, where z < SHIFT; else z, 1, 0."""
    product, slope = z, z.constant(1.0)
    for step in range(1, SHIFT):
        factor = z + float(step)
        slope = fma(slope, factor, product)
        product = product * factor
    small = z < float(SHIFT)
    return (
        small.where(z + float(SHIFT), z),
        small.where(product, 1.0),
        small.where(slope, 0.0),
    )


def lgamma(f: Function, x: Value) -> Value:
    """ln |Γ(x)|; +∞ at 0, -1, -2, … and ±∞.

    Stirling's series after x(x+1)…(x+7) for x < 8, reflection for x < 1/2, a polynomial around the
    zeros 1 and 2.  For x > 0: error ≤ 1 ulp (float), ≤ 1e-13 relative (double); for x < 0 the same
    relative to max(|result|, 0.2), since zeros there are reached by a difference.  float is
    computed in double.
    """
    v = Lanes(f, x).widen()
    reflect = v < 0.5
    y, product, _ = _rising(reflect.where(1.0 - v, v))
    inverse = 1.0 / y
    square = inverse * inverse
    terms = [b / ((2 * i + 2) * (2 * i + 1)) for i, b in enumerate(BERNOULLI)]
    series = inverse * polynomial(square, terms)
    # (y - 1/2)(ln y - 1) does not overflow before the result does.
    constant = 0.5 * math.log(2 * math.pi) - 0.5
    stirling = fma(y - 0.5, logarithm(y) - 1.0, series + constant)
    sine, _ = _sine_and_cosine_of_pi(v)
    # Beside a pole the ratio would be subnormal, which may count as 0: it is scaled by 2⁶⁴ there.
    beside = reflect & (sine.absolute() < 2.0**-960)
    ratio = sine.absolute() * beside.where(2.0**64, v.constant(1.0)) / (product * math.pi)
    rest = logarithm(reflect.where(ratio, product))
    rest = rest - beside.where(64 * math.log(2.0), v.constant(0.0))
    result = reflect.where(-stirling, stirling) - rest
    # Around the zeros at 1 and 2 the difference cancels; a product does not.
    near = (v - 1.0) * (v - 2.0) * polynomial(v - 1.5625, COEFFICIENTS["log_gamma"]["double"])
    result = ((v > 0.9) & (v < 2.25)).where(near, result)
    result = v.absolute().equals(INFINITY).where(INFINITY, result)
    return result.narrow(Lanes(f, x).scalar).value


def digamma(f: Function, x: Value) -> Value:
    """ψ(x) = d/dx ln Γ(x); ∓∞ at ±0, NaN at -1, -2, … and -∞.

    Asymptotic series after the recurrence for x < 8, reflection for x < 0, a polynomial around the
    zero 1.4616….  For x > 0: error ≤ 1 ulp (float), ≤ 1e-13 relative (double); for x < 0 the same
    relative to max(|result|, 0.2) while |x| < 1e7.  float is computed in double.
    """
    v = Lanes(f, x).widen()
    reflect = v < 0.0
    y, product, slope = _rising(reflect.where(1.0 - v, v))
    inverse = 1.0 / y
    square = inverse * inverse
    terms = [b / (2 * i + 2) for i, b in enumerate(BERNOULLI)]
    series = fma(square, polynomial(square, terms), inverse * 0.5)
    result = (logarithm(y) - series) - slope / product
    distance = (v - DIGAMMA_ZERO[0]) - DIGAMMA_ZERO[1]
    near = distance * polynomial(v - 1.5, COEFFICIENTS["digamma"]["double"])
    result = ((v > 1.2) & (v < 1.8)).where(near, result)
    sine, cosine = _sine_and_cosine_of_pi(v)
    # The common sign of sine and cosine cancels in the cotangent.
    result = reflect.where(result - (cosine / sine) * math.pi, result)
    result = v.equals(INFINITY).where(INFINITY, result)
    pole = reflect & v.truncate().equals(v)
    result = pole.where(NOT_A_NUMBER, result)
    result = v.equals(0.0).where(v.constant(-INFINITY).times_sign(v), result)
    return result.narrow(Lanes(f, x).scalar).value
