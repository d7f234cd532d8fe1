"""Elementary functions as straight-line LLVM arithmetic, by name.

:data:`SPECIAL` maps a name to its emitter.  An emitter takes the function being written and one or
two values of type ``float``, ``double`` or a vector of either, appends branch-free instructions and
returns a value of the same type: LLVM can vectorize a scalar loop around it, and a vector gives the
same bits as its lanes one by one.  No library is called and no table is read.  The target must have
a fused multiply-add (AVX2/FMA, AVX-512, NEON).

This module holds the exact functions; the others live in ``special_exponential``,
``special_trigonometric`` and ``special_statistical``.
"""

from __future__ import annotations

from collections.abc import Callable

from pellucid.backends.cpu import special_exponential as exponential
from pellucid.backends.cpu import special_statistical as statistical
from pellucid.backends.cpu import special_trigonometric as trigonometric
from pellucid.backends.cpu.ir import Function, Value
from pellucid.backends.cpu.lanes import INFINITY, NOT_A_NUMBER, Lanes, fma

Emitter = Callable[..., Value]
"""``emitter(f, x)`` or ``emitter(f, x, y)``; the operands have one type, that of the result."""


def sqrt(f: Function, x: Value) -> Value:
    """√x, correctly rounded; NaN below zero."""
    return Lanes(f, x).sqrt().value


def rsqrt(f: Function, x: Value) -> Value:
    """1 / √x: two correctly rounded operations, error ≤ 1 ulp; ∞ at zero, NaN below."""
    return (1.0 / Lanes(f, x).sqrt()).value


def floor(f: Function, x: Value) -> Value:
    """Largest integer ≤ x; exact."""
    return Lanes(f, x).floor().value


def ceil(f: Function, x: Value) -> Value:
    """Smallest integer ≥ x; exact."""
    return Lanes(f, x).ceil().value


def trunc(f: Function, x: Value) -> Value:
    """Nearest integer towards zero; exact."""
    return Lanes(f, x).truncate().value


def round(f: Function, x: Value) -> Value:
    """Nearest integer, ties to even (as NumPy and PyTorch round); exact."""
    return Lanes(f, x).round_even().value


def sign(f: Function, x: Value) -> Value:
    """-1, 0 or 1; 0 for both zeros, NaN for NaN; exact."""
    v = Lanes(f, x)
    result = (v > 0.0).where(v.constant(1.0), (v < 0.0).where(v.constant(-1.0), 0.0))
    return v.is_nan().where(v, result).value


def minimum(f: Function, x: Value, y: Value) -> Value:
    """The smaller of two; NaN if either is NaN.  For zeros of unlike sign, either zero."""
    a, b = Lanes(f, x), Lanes(f, y)
    # One vminps gives b when either is NaN; only a NaN in a is left to restore.
    return a.is_nan().where(a, (a < b).where(a, b)).value


def maximum(f: Function, x: Value, y: Value) -> Value:
    """The larger of two; NaN if either is NaN.  For zeros of unlike sign, either zero."""
    a, b = Lanes(f, x), Lanes(f, y)
    return a.is_nan().where(a, (a > b).where(a, b)).value


def _fmod_magnitude(x: Lanes, y: Lanes, steps: int) -> Lanes:
    """|x| mod |y| for doubles, exact while |x / y| < 2^(52·steps)."""
    a, b = x.absolute(), y.absolute()
    rest = a
    for _ in range(steps):
        # Each quotient is good to 53 bits and the rest after it is exact.
        quotient = (rest / b).truncate()
        rest = fma(quotient, -b, rest)
    # A quotient rounded up leaves a rest between -b and 0.
    rest = (rest < 0.0).where(rest + b, rest)
    # Too far away to be reduced: any number in range will do.
    rest = (rest.absolute() < b).where(rest, rest * 0.0)
    return (a < b).where(a, rest)


def fmod(f: Function, x: Value, y: Value) -> Value:
    """Remainder of x / y with x's sign (C's ``fmod``); NaN for y = 0 or x = ±∞.

    float: exact always (six division steps in double).  double: exact for |x / y| < 2¹⁵⁶;
    farther out the result is in range but meaningless (NaN where x / y overflows).
    """
    a, b = Lanes(f, x), Lanes(f, y)
    steps = 6 if a.scalar == "float" else 3
    rest = _fmod_magnitude(a.widen(), b.widen(), steps).narrow(a.scalar)
    rest = (a.absolute().equals(INFINITY) | b.equals(0.0)).where(NOT_A_NUMBER, rest)
    return rest.with_sign_of(a).value


def remainder(f: Function, x: Value, y: Value) -> Value:
    """Remainder of x / y with y's sign (Python's ``%``, ``numpy.remainder``).

    Range and NaN as :func:`fmod`, from which it differs by one addition of y (rounded once).
    """
    b = Lanes(f, y)
    rest = Lanes(f, fmod(f, x, y))
    opposite = (rest < 0.0) ^ (b < 0.0)
    moved = (rest.differs(0.0) & opposite).where(rest + b, rest)
    return rest.equals(0.0).where(rest.with_sign_of(b), moved).value


SPECIAL: dict[str, Emitter] = {
    "acos": trigonometric.acos,
    "acosh": exponential.acosh,
    "asin": trigonometric.asin,
    "asinh": exponential.asinh,
    "atan": trigonometric.atan,
    "atan2": trigonometric.atan2,
    "atanh": exponential.atanh,
    "ceil": ceil,
    "cos": trigonometric.cos,
    "cosh": exponential.cosh,
    "digamma": statistical.digamma,
    "erf": statistical.erf,
    "erfc": statistical.erfc,
    "erfinv": statistical.erfinv,
    "exp": exponential.exp,
    "exp2": exponential.exp2,
    "expm1": exponential.expm1,
    "floor": floor,
    "fmod": fmod,
    "lgamma": statistical.lgamma,
    "log": exponential.log,
    "log10": exponential.log10,
    "log1p": exponential.log1p,
    "log2": exponential.log2,
    "maximum": maximum,
    "minimum": minimum,
    "pow": exponential.pow,
    "remainder": remainder,
    "round": round,
    "rsqrt": rsqrt,
    "sigmoid": exponential.sigmoid,
    "sign": sign,
    "sin": trigonometric.sin,
    "sinh": exponential.sinh,
    "sqrt": sqrt,
    "tan": trigonometric.tan,
    "tanh": exponential.tanh,
    "trunc": trunc,
}
"""Every emitter by the name that NumPy or PyTorch gives the function."""
