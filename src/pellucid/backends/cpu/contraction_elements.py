"""What register tiles multiply, and how it is made of what lies in memory.

A product of bfloat16 operands accumulates in float32.  Processors with an instruction for it take
*pairs*: two neighbours along depth in 32 bits, both multiplied and added in one go
(``vdpbf16ps`` of AVX512-BF16, ``bfdot`` of Armv8.6).  Operands are brought into pairs while blocks
of them are packed, whether they lie in memory as bfloat16 or as float32 that is to be rounded, so
that rounding costs no pass over memory of its own.  Without such an instruction the same packing
widens the rounded numbers to float32 again, and the tiles are those of float32.

:func:`pair_dot` is the one operation that differs between processors; :data:`EMULATED` stands for
plain arithmetic that computes the same anywhere, so that packing, edges and odd depths of pairs
can be run where the instruction is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.backends.cpu.ir import BITS, Function, Value, lanes_of, scalar_of, vector

EMULATED = "emulated"


def pair_dot(f: Function, kind: str, a: Value, b: Value, c: Value) -> Value:
    """c + a₁·b₁ + a₀·b₀ for each 32-bit lane of two bfloat16 numbers, in float32.

    ``kind`` is ``vdpbf16ps``, ``bfdot`` or :data:`EMULATED`; a and b are vectors of i32.  The upper
    products are added first, as ``vdpbf16ps`` does (Intel, "Instruction Set Extensions
    Programming Reference", 2020); that instruction takes subnormal numbers as zero.
    """
    lanes = lanes_of(a.type)
    if kind == EMULATED:
        upper = (_upper(f, a), _upper(f, b))
        lower = (_lower(f, a), _lower(f, b))
        first = f.intrinsic("llvm.fmuladd", c.type, *upper, c)
        return f.intrinsic("llvm.fmuladd", c.type, *lower, first)
    narrow = vector(2 * lanes, "bfloat")
    x, y = f.bitcast(a, narrow), f.bitcast(b, narrow)
    if kind == "bfdot":
        name, overload = "llvm.aarch64.neon.bfdot", f"v{lanes}f32.v{2 * lanes}bf16"
    else:
        name, overload = "llvm.x86.avx512bf16.dpbf16ps", str(32 * lanes)
    return f.intrinsic(name, c.type, c, x, y, overload=overload)


def _upper(f: Function, pairs: Value) -> Value:
    mask = f.constant(pairs.type, -0x10000)
    return f.bitcast(f.binary("and", pairs, mask), vector(lanes_of(pairs.type), "float"))


def _lower(f: Function, pairs: Value) -> Value:
    sixteen = f.constant(pairs.type, 16)
    return f.bitcast(f.binary("shl", pairs, sixteen), vector(lanes_of(pairs.type), "float"))


def filled(f: Function, part: Value, lanes: int) -> Value:
    """A vector of ``lanes`` lanes: those of ``part``, then zeros."""
    width = lanes_of(part.type)
    if width == lanes:
        return part
    type_ = vector(lanes, scalar_of(part.type))
    if width == 1:
        return f.assign(type_, f"insertelement {type_} zeroinitializer, {part}, i32 0")
    order = ", ".join(f"i32 {i if i < width else width}" for i in range(lanes))
    text = f"shufflevector {part}, {part.type} zeroinitializer, <{lanes} x i32> <{order}>"
    return f.assign(type_, text)


@dataclass(frozen=True)
class Elements:
    """An operand in memory, and what tiles shall find instead.

    ``stored`` is the type in memory: ``float``, ``double`` or ``bfloat`` (16 bits).  ``rounds``
    says that values are bfloat16, so that floats are rounded on the way.  ``pairs`` names the kind
    of :func:`pair_dot` that will multiply them; empty for single numbers.
    """

    stored: str
    rounds: bool = False
    pairs: str = ""

    @property
    def size(self) -> int:
        """Bytes of an element in memory."""
        return 2 if self.stored == "bfloat" else BITS[self.stored] // 8

    @property
    def packed(self) -> str:
        """Type of what tiles read: a number, or a pair of them in an i32."""
        if self.pairs:
            return "i32"
        return "float" if self.stored == "bfloat" else self.stored

    @property
    def each(self) -> int:
        """Elements along depth in one of what tiles read."""
        return 2 if self.pairs else 1

    def across(self, f: Function, at: Value, depth: int, width: int, half: bool = False) -> Value:
        """What tiles read at one step of ``width`` contiguous columns.

        ``depth`` is the byte step to the second element of a pair, which is zero if ``half``.
        """
        if not self.pairs:
            return self._numbers(f, at, width)
        low = self._upper_bits(f, at, width)
        low = f.binary("lshr", low, f.constant(low.type, 16))
        if half:
            return low
        return f.binary("or", low, self._upper_bits(f, f.gep(at, depth), width))

    def along(self, f: Function, at: Value, count: int) -> Value:
        """What tiles read in ``count`` steps of one column that is contiguous along depth."""
        if not self.pairs:
            return self._numbers(f, at, count)
        if self.stored == "bfloat":
            return f.load(vector(count, "i32"), at, align=2)
        if self.pairs == EMULATED:
            bits = self._upper_bits(f, at, 2 * count)
            upper = f.binary("lshr", bits, f.constant(bits.type, 16))
            short = f.cast("trunc", upper, vector(2 * count, "i16"))
        else:
            short = self._shortened(f, at, 2 * count)
        return f.bitcast(short, vector(count, "i32"))

    def _numbers(self, f: Function, at: Value, width: int) -> Value:
        if not self.rounds:
            return f.load(vector(width, self.stored), at)
        return f.bitcast(self._upper_bits(f, at, width), vector(width, "float"))

    def _shortened(self, f: Function, at: Value, width: int) -> Value:
        """Floats rounded by the processor's own instruction."""
        value = f.load(vector(width, "float"), at)
        return f.cast("fptrunc", value, vector(width, "bfloat"))

    def _upper_bits(self, f: Function, at: Value, width: int) -> Value:
        """bfloat16 numbers in the upper halves of i32; the lower halves are zero."""
        whole = vector(width, "i32")
        if self.stored != "bfloat" and self.pairs in ("", EMULATED):
            bits = rounded_bits(f, f.load(vector(width, "float"), at))
            return f.binary("and", bits, f.constant(whole, -0x10000))
        if self.stored == "bfloat":
            short = f.load(vector(width, "i16"), at)
        else:
            short = f.bitcast(self._shortened(f, at, width), vector(width, "i16"))
        return f.binary("shl", f.cast("zext", short, whole), f.constant(whole, 16))


def rounded_bits(f: Function, value: Value) -> Value:
    """Bits of floats whose upper halves are the nearest bfloat16, ties to even; NaN stays NaN."""
    bits = f.bitcast(value, vector(lanes_of(value.type), "i32"))
    one, sixteen = f.constant(bits.type, 1), f.constant(bits.type, 16)
    odd = f.binary("and", f.binary("lshr", bits, sixteen), one)
    rounded = f.binary("add", bits, f.binary("add", odd, f.constant(bits.type, 0x7FFF)))
    quiet = f.binary("or", bits, f.constant(bits.type, 0x400000))
    return f.select(f.compare("fcmp uno", value, value), quiet, rounded)
