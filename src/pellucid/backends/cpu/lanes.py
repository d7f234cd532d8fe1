"""Formulas over LLVM values: operators that append instructions.

:class:`Lanes` wraps a :class:`~pellucid.backends.cpu.ir.Value` (a scalar or a vector) together
with the function being written, so that a numerical formula reads as one:
``r = fma(n, -LN2_HIGH, x)``.

Nothing here carries a fast-math flag: fused multiply-adds are asked for by name, so scalar code,
vector code of any width and every target compute the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.backends.cpu.ir import Function, Value, is_float, lanes_of, scalar_of, vector
from pellucid.base.errors import DTypeError

INFINITY = math.inf
NOT_A_NUMBER = math.nan

LONGEST_CHAIN = 7
"""Most coefficients that a polynomial evaluates in one chain of multiply-adds."""


@dataclass(frozen=True)
class Format:
    """What the formulas need to know of a binary floating-point format."""

    integer: str
    """LLVM integer type of the same width."""
    mantissa: int
    """Stored fraction bits."""
    bias: int
    """Exponent bias."""
    one: int
    """Bits of 1.0."""
    two_thirds: int
    """Bits of 2/3 rounded."""

    @property
    def smallest_normal(self) -> float:
        """Smallest positive number with a full fraction."""
        return 2.0 ** (1 - self.bias)

    @property
    def rounding(self) -> float:
        """1.5 · 2ᵐ: adding it rounds to an integer, which then stands in the low bits."""
        return 1.5 * 2.0**self.mantissa


FORMATS = {
    "float": Format("i32", 23, 127, 0x3F800000, 0x3F2AAAAB),
    "double": Format("i64", 52, 1023, 0x3FF0000000000000, 0x3FE5555555555555),
}
"""The formats that special functions are written for."""


class Lanes:
    """A value under construction, with operators; see the module's text."""

    __slots__ = ("function", "value")

    def __init__(self, function: Function, value: Value) -> None:
        self.function = function
        self.value = value

    @property
    def scalar(self) -> str:
        """Element type."""
        return scalar_of(self.value.type)

    @property
    def format(self) -> Format:
        """Binary format of a floating-point value."""
        return FORMATS[self.scalar]

    def constant(self, number: float | int) -> Lanes:
        """A constant of this value's type, in every lane."""
        return Lanes(self.function, self.function.constant(self.value.type, number))

    def _other(self, other: Lanes | float | int) -> Value:
        return other.value if isinstance(other, Lanes) else self.constant(other).value

    def _binary(self, real: str, integer: str, other: Lanes | float | int) -> Lanes:
        opcode = real if is_float(self.value.type) else integer
        return Lanes(self.function, self.function.binary(opcode, self.value, self._other(other)))

    def _compare(self, condition: str, other: Lanes | float | int) -> Lanes:
        result = self.function.compare(f"fcmp {condition}", self.value, self._other(other))
        return Lanes(self.function, result)

    def __add__(self, other: Lanes | float | int) -> Lanes:
        return self._binary("fadd", "add", other)

    def __radd__(self, other: float | int) -> Lanes:
        return self + other

    def __sub__(self, other: Lanes | float | int) -> Lanes:
        return self._binary("fsub", "sub", other)

    def __rsub__(self, other: float | int) -> Lanes:
        return self.constant(other) - self

    def __mul__(self, other: Lanes | float | int) -> Lanes:
        return self._binary("fmul", "mul", other)

    def __rmul__(self, other: float | int) -> Lanes:
        return self * other

    def __truediv__(self, other: Lanes | float | int) -> Lanes:
        return self._binary("fdiv", "sdiv", other)

    def __rtruediv__(self, other: float | int) -> Lanes:
        return self.constant(other) / self

    def __neg__(self) -> Lanes:
        return Lanes(self.function, self.function.fneg(self.value))

    def __and__(self, other: Lanes | int) -> Lanes:
        return self._binary("and", "and", other)

    def __or__(self, other: Lanes | int) -> Lanes:
        return self._binary("or", "or", other)

    def __xor__(self, other: Lanes | int) -> Lanes:
        return self._binary("xor", "xor", other)

    def __lshift__(self, count: int) -> Lanes:
        return self._binary("shl", "shl", count)

    def __rshift__(self, count: int) -> Lanes:
        """Logical shift: AVX2 has no arithmetic one for 64-bit lanes."""
        return self._binary("lshr", "lshr", count)

    def __lt__(self, other: Lanes | float) -> Lanes:
        return self._compare("olt", other)

    def __le__(self, other: Lanes | float) -> Lanes:
        return self._compare("ole", other)

    def __gt__(self, other: Lanes | float) -> Lanes:
        return self._compare("ogt", other)

    def __ge__(self, other: Lanes | float) -> Lanes:
        return self._compare("oge", other)

    def equals(self, other: Lanes | float) -> Lanes:
        """Mask: equal and neither is NaN."""
        return self._compare("oeq", other)

    def differs(self, other: Lanes | float) -> Lanes:
        """Mask: not equal, or one is NaN."""
        return self._compare("une", other)

    def is_nan(self) -> Lanes:
        """Mask: NaN."""
        return self._compare("uno", self)

    def nonzero(self) -> Lanes:
        """Mask of an integer value: any bit set."""
        zero = self.constant(0).value
        return Lanes(self.function, self.function.compare("icmp ne", self.value, zero))

    def negate_mask(self) -> Lanes:
        """The opposite of a mask."""
        return self ^ self.constant(1)

    def where(self, yes: Lanes | float, no: Lanes | float) -> Lanes:
        """``yes`` where this mask holds, else ``no``; at most one of them is a plain number."""
        if isinstance(yes, Lanes):
            other = yes._other(no)
            return Lanes(self.function, self.function.select(self.value, yes.value, other))
        if isinstance(no, Lanes):
            other = no._other(yes)
            return Lanes(self.function, self.function.select(self.value, other, no.value))
        raise DTypeError(
            "where needs a value to take its type from, received two numbers",
            "make one of them a constant of the wanted type",
        )

    def bits(self) -> Lanes:
        """The bits of a floating-point value as integers."""
        type_ = vector(lanes_of(self.value.type), self.format.integer)
        return Lanes(self.function, self.function.bitcast(self.value, type_))

    def real(self) -> Lanes:
        """Integers seen as the floating-point values with these bits."""
        scalar = {"i32": "float", "i64": "double"}[self.scalar]
        type_ = vector(lanes_of(self.value.type), scalar)
        return Lanes(self.function, self.function.bitcast(self.value, type_))

    def _intrinsic(self, name: str, *others: Lanes) -> Lanes:
        arguments = [self.value, *(other.value for other in others)]
        return Lanes(self.function, self.function.intrinsic(name, self.value.type, *arguments))

    def absolute(self) -> Lanes:
        """|x|."""
        return self._intrinsic("llvm.fabs")

    def sqrt(self) -> Lanes:
        """Square root, correctly rounded."""
        return self._intrinsic("llvm.sqrt")

    def truncate(self) -> Lanes:
        """Nearest integer towards zero."""
        return self._intrinsic("llvm.trunc")

    def floor(self) -> Lanes:
        """Largest integer ≤ x."""
        return self._intrinsic("llvm.floor")

    def ceil(self) -> Lanes:
        """Smallest integer ≥ x."""
        return self._intrinsic("llvm.ceil")

    def round_even(self) -> Lanes:
        """Nearest integer, ties to even."""
        return self._intrinsic("llvm.roundeven")

    def with_sign_of(self, other: Lanes) -> Lanes:
        """|x| with the sign bit of ``other``."""
        return self._intrinsic("llvm.copysign", other)

    def times_sign(self, other: Lanes) -> Lanes:
        """x with its sign bit flipped where ``other`` has one."""
        sign = -(1 << (self.format.mantissa + self.format.bias.bit_length() + 1))
        return (self.bits() ^ (other.bits() & sign)).real()

    def at_least(self, bound: float) -> Lanes:
        """max(x, bound); NaN stays NaN.  This form is one instruction (``maxps``)."""
        return (self.constant(bound) > self).where(bound, self)

    def at_most(self, bound: float) -> Lanes:
        """min(x, bound); NaN stays NaN."""
        return (self.constant(bound) < self).where(bound, self)

    def widen(self) -> Lanes:
        """float as double; a double is itself."""
        return self._convert("fpext", "double")

    def narrow(self, scalar: str) -> Lanes:
        """Rounded to ``scalar``; itself when that is its type."""
        return self._convert("fptrunc", scalar)

    def _convert(self, opcode: str, scalar: str) -> Lanes:
        if self.scalar == scalar:
            return self
        type_ = vector(lanes_of(self.value.type), scalar)
        return Lanes(self.function, self.function.cast(opcode, self.value, type_))


def fma(a: Lanes, b: Lanes | float, c: Lanes | float) -> Lanes:
    """a · b + c with one rounding."""
    function = a.function
    return Lanes(function, function.fma(a.value, a._other(b), a._other(c)))


def polynomial(x: Lanes, coefficients: Sequence[float]) -> Lanes:
    """Σ coefficients[i] · xⁱ with fused multiply-adds.

    Horner's rule; but a long polynomial's higher terms are split into even and odd powers (and so
    on), whose chains run side by side: Horner alone would wait for each multiply-add in turn.  The
    two lowest steps, which decide the rounding error, stay as they are.
    """
    if len(coefficients) <= LONGEST_CHAIN:
        return _horner(x, coefficients[-1], coefficients[:-1])
    return _horner(x, _side_by_side(x, coefficients[2:]), coefficients[:2])


def _horner(x: Lanes, last: Lanes | float, coefficients: Sequence[float]) -> Lanes:
    """``coefficients`` below a highest one, ``last``."""
    result = last if isinstance(last, Lanes) else x.constant(last)
    for coefficient in reversed(coefficients):
        result = fma(result, x, coefficient)
    return result


def _side_by_side(x: Lanes, coefficients: Sequence[float]) -> Lanes:
    """The polynomial by even and odd powers, until the chains are short."""
    if len(coefficients) <= LONGEST_CHAIN:
        return _horner(x, coefficients[-1], coefficients[:-1])
    square = x * x
    odd = _side_by_side(square, coefficients[1::2])
    return fma(odd, x, _side_by_side(square, coefficients[0::2]))


def times_power_of_two(x: Lanes, rounded: Lanes) -> Lanes:
    """x · 2ᵏ with one rounding, also when the result is subnormal, zero or infinite.

    ``rounded`` is k + ``Format.rounding``; |k| may exceed the exponent range.  Two factors 2^⌊k/2⌋
    and 2^⌈k/2⌉: the first product is exact.
    """
    form = x.format
    rounding_bits = rounded.constant(form.rounding).bits()
    k = (rounded.bits() - rounding_bits) + 2 * form.bias
    half = k >> 1
    first = (half << form.mantissa).real()
    second = ((k - half) << form.mantissa).real()
    return (x * first) * second


def two_sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """a + b as rounded sum and exact rest, for |a| ≥ |b| (Dekker, 1971)."""
    total = a + b
    return total, b - (total - a)


def two_product(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """a · b as rounded product and exact rest."""
    product = a * b
    return product, fma(a, b, -product)
