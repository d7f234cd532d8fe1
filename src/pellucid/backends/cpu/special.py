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
    """1 / √x: two correctly rounded operations; ∞ at zero, NaN below.

    Error ≤ 1.5 ulp, 1.5 ulp.
    """
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
    """-1, 0 or 1; 0 for both zeros and for NaN; exact."""
    v = Lanes(f, x)
    return (v > 0.0).where(v.constant(1.0), (v < 0.0).where(v.constant(-1.0), 0.0)).value


def minimum(f: Function, x: Value, y: Value) -> Value:
    """The smaller of two; NaN if either is NaN.  For zeros of unlike sign, either zero."""
    a, b = Lanes(f, x), Lanes(f, y)
    # One vminps gives b when either is NaN; only a NaN in a is left to restore.
    return a.is_nan().where(a, (a < b).where(a, b)).value


def maximum(f: Function, x: Value, y: Value) -> Value:
    """The larger of two; NaN if either is NaN.  For zeros of unlike sign, either zero."""
    a, b = Lanes(f, x), Lanes(f, y)
    return a.is_nan().where(a, (a > b).where(a, b)).value


def _reduce_by(rest: Lanes, divisor: Lanes, steps: int) -> Lanes:
    """rest - m·divisor for an integer m, exactly, in (-divisor, divisor).

    Right for |rest / divisor| < 2^(52·steps): each quotient is good to 53 bits, and what the fused
    multiply-add leaves is exact.
    """
    for _ in range(steps):
        rest = fma((rest / divisor).truncate(), -divisor, rest)
    return rest


def _fmod_of_magnitudes(a: Lanes, b: Lanes, from_float: bool) -> Lanes:
    """a mod b for doubles a ≥ 0, b > 0; from floats the quotient is below 2²⁷⁷."""
    if from_float:
        rest = _reduce_by(a, b, 6)
    else:
        # Quotients reach 2^2098 and would overflow: reduce by b·2^1080, b·2^540 and b in turn
        # (or by b itself where that is large enough not to overflow).
        large = (b < 1.0).where(b * 2.0**1020, b)
        large = (large < 1.0).where(large * 2.0**60, large)
        medium = (b < 2.0**-1).where(b * 2.0**540, b)
        rest = _reduce_by(_reduce_by(_reduce_by(a, large, 20), medium, 11), b, 11)
    # A quotient rounded up leaves a rest between -b and 0.
    return (rest < 0.0).where(rest + b, rest)


def fmod(f: Function, x: Value, y: Value) -> Value:
    """Remainder of x / y with x's sign (C's ``fmod``); exact.  NaN for y = 0 or x = ±∞.

    Division steps of 52 bits each, enough for the largest quotient: 6 for float (in double
    arithmetic), 42 for double.  Branch-free code cannot stop early, so double costs some tens of
    nanoseconds an element.
    """
    a, b = Lanes(f, x), Lanes(f, y)
    magnitude, divisor = a.absolute(), b.absolute()
    rest = _fmod_of_magnitudes(magnitude.widen(), divisor.widen(), a.scalar == "float")
    rest = rest.narrow(a.scalar)
    rest = (magnitude < divisor).where(magnitude, rest)
    undefined = magnitude.equals(INFINITY) | divisor.equals(0.0)
    return undefined.where(NOT_A_NUMBER, rest).with_sign_of(a).value


def remainder(f: Function, x: Value, y: Value) -> Value:
    """Remainder of x / y with y's sign (Python's ``%``, ``numpy.remainder``).

    NaN as :func:`fmod`, from which it differs by one addition of y (rounded once).
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
