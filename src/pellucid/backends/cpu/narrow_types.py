"""bfloat16 and float16 as 16 bits of memory: conversion to and from float32 in registers.

Plain integer and float arithmetic, so that LLVM vectorizes it for every processor, with half
precision instructions or without.  Rounding is to nearest, ties to even; NaN stays NaN.
"""

from __future__ import annotations

from pellucid.backends.cpu.ir import Function, Value
from pellucid.base.dtypes import DType, bfloat16

_HALF_BIAS = 112 << 23
"""Difference of the exponents' biases, 127 - 15, where float32 keeps its exponent."""


def widen(f: Function, bits: Value, source: DType) -> Value:
    """16 bits of a narrow type as a float, exactly."""
    wide = f.cast("zext", bits, "i32")
    if source is bfloat16:
        return f.cast("bitcast", f.binary("shl", wide, _word(f, 16)), "float")
    sign = f.binary("shl", f.binary("and", wide, _word(f, 0x8000)), _word(f, 16))
    rest = f.binary("shl", f.binary("and", wide, _word(f, 0x7FFF)), _word(f, 13))
    moved = f.binary("add", rest, _word(f, _HALF_BIAS))
    # Infinity and NaN get the largest exponent, subnormal numbers are normalized by a subtraction.
    special = f.binary("add", moved, _word(f, _HALF_BIAS))
    is_special = f.compare("icmp uge", rest, _word(f, 0x7C00 << 13))
    lifted = f.cast("bitcast", f.binary("add", moved, _word(f, 1 << 23)), "float")
    offset = f.cast("bitcast", _word(f, 113 << 23), "float")
    small = f.cast("bitcast", f.binary("fsub", lifted, offset), "i32")
    is_small = f.compare("icmp ult", rest, _word(f, 1 << 23))
    number = f.select(is_special, special, f.select(is_small, small, moved))
    return f.cast("bitcast", f.binary("or", number, sign), "float")


def narrow(f: Function, value: Value, target: DType) -> Value:
    """A float rounded to the 16 bits of a narrow type."""
    bits = f.cast("bitcast", value, "i32")
    if target is bfloat16:
        odd = f.binary("and", f.binary("lshr", bits, _word(f, 16)), _word(f, 1))
        rounded = f.binary("add", bits, f.binary("add", odd, _word(f, 0x7FFF)))
        quiet = f.binary("or", bits, _word(f, 0x400000))
        kept = f.select(f.compare("fcmp uno", value, value), quiet, rounded)
        return f.cast("trunc", f.binary("lshr", kept, _word(f, 16)), "i16")
    return _half(f, value, bits)


def _half(f: Function, value: Value, bits: Value) -> Value:
    """float16: three ranges, chosen from by the exponent."""
    sign = f.binary("and", f.binary("lshr", bits, _word(f, 16)), _word(f, 0x8000))
    size = f.binary("and", bits, _word(f, 0x7FFFFFFF))
    # Normal: rounding by addition to the bits; it may carry into the exponent, up to infinity.
    odd = f.binary("and", f.binary("lshr", size, _word(f, 13)), _word(f, 1))
    shifted = f.binary("add", size, _word(f, 0xFFF - _HALF_BIAS))
    normal = f.binary("lshr", f.binary("add", shifted, odd), _word(f, 13))
    # Subnormal: adding 0.5 lets the processor round at the right bit.
    magic = _word(f, 126 << 23)
    added = f.binary("fadd", f.cast("bitcast", size, "float"), f.cast("bitcast", magic, "float"))
    small = f.binary("sub", f.cast("bitcast", added, "i32"), magic)
    is_small = f.compare("icmp ult", size, _word(f, 113 << 23))
    is_large = f.compare("icmp uge", size, _word(f, 143 << 23))
    is_nan = f.compare("fcmp uno", value, value)
    special = f.select(is_nan, _word(f, 0x7E00), _word(f, 0x7C00))
    number = f.select(is_large, special, f.select(is_small, small, normal))
    return f.cast("trunc", f.binary("or", number, sign), "i16")


def _word(f: Function, value: int) -> Value:
    """A 32-bit constant."""
    return f.constant("i32", value - (1 << 32) if value >= 1 << 31 else value)
