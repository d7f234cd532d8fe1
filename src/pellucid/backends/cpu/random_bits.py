"""Philox 4x32-10 as LLVM instructions; the same bits as :mod:`pellucid.base.philox`."""

from __future__ import annotations

from pellucid.backends.cpu.ir import Function, Value, lanes_of, scalar_of, vector
from pellucid.base.errors import DTypeError
from pellucid.base.philox import MULTIPLIERS, ROUNDS, WEYL

LOW_WORD = 0xFFFFFFFF


def philox(
    f: Function, key: Value, counter_low: Value, counter_high: Value
) -> tuple[Value, Value, Value, Value]:
    """Append the generator; four words of 32 random bits as ``i32`` (or vectors of it).

    ``key`` (seed), ``counter_low`` (element index) and ``counter_high`` (stream or step) are
    ``i64``, or vectors of it with one common lane count.  Ten rounds of straight-line integer
    arithmetic: 64-bit products of 32-bit halves (``vpmuludq`` on x86, ``umull`` on ARM), so that a
    scalar loop around it vectorizes.  With a uniform key LLVM hoists the key schedule out of the
    loop.  Exact: equal, bit for bit, to :func:`pellucid.base.philox.philox_numpy`.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
    """
    wide = counter_low.type
    narrow = vector(lanes_of(wide), "i32")
    mask, shift = f.constant(wide, LOW_WORD), f.constant(wide, 32)

    def halves(value: Value) -> list[Value]:
        return [value, f.binary("lshr", value, shift)]

    # A word is the low half of a 64-bit integer; what stands above it is never cleaned, since
    # only the products look at more than the low half, and vpmuludq masks its operands anyway.
    words = halves(counter_low) + halves(counter_high)
    keys = halves(key)
    for round_ in range(ROUNDS):
        first, second = (
            f.binary("mul", f.binary("and", words[2 * i], mask), f.constant(wide, MULTIPLIERS[i]))
            for i in range(2)
        )
        mixed = [
            f.binary("xor", f.binary("xor", word, part), f.binary("lshr", product, shift))
            for product, word, part in zip((second, first), words[1::2], keys, strict=True)
        ]
        words = [mixed[0], second, mixed[1], first]
        if round_ + 1 < ROUNDS:
            keys = [
                f.binary("add", part, f.constant(wide, step))
                for part, step in zip(keys, WEYL, strict=True)
            ]
    a, b, c, d = (f.cast("trunc", word, narrow) for word in words)
    return a, b, c, d


def uniform(f: Function, bits: Value, scalar: str) -> Value:
    """Uniform numbers in [0, 1) from random bits.

    ``bits`` is ``i32`` for ``scalar`` = ``"float"`` (its top 24 bits count) or ``i64`` for
    ``"double"`` (top 53 bits), or a vector; the result is a multiple of 2⁻²⁴ or 2⁻⁵³.  The bits
    become the fraction of a number in [1, 2), from which 1 is taken away, plus one last bit:
    integer-to-float conversion of 64-bit lanes, which AVX2 lacks, is not needed.
    """
    fraction, one, width = {
        "float": (23, 0x3F800000, 32),
        "double": (52, 0x3FF0000000000000, 64),
    }[scalar]
    type_ = bits.type
    if scalar_of(type_) != f"i{width}":
        raise DTypeError(
            f"uniform {scalar} needs i{width} bits, received {type_}", "convert them first"
        )
    real = vector(lanes_of(type_), scalar)
    top = f.binary("lshr", bits, f.constant(type_, width - fraction))
    coarse = f.bitcast(f.binary("or", top, f.constant(type_, one)), real)
    coarse = f.binary("fsub", coarse, f.constant(real, 1.0))
    # The bit below the fraction, worth 2^-(fraction + 1).
    last = f.binary("and", bits, f.constant(type_, 1 << (width - fraction - 1)))
    half = f.select(
        f.compare("icmp ne", last, f.constant(type_, 0)),
        f.constant(real, 2.0 ** -(fraction + 1)),
        f.constant(real, 0.0),
    )
    return f.binary("fadd", coarse, half)
