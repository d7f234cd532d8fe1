"""The instructions of one element-wise operation, on elements in registers.

No state: an operation, its operands' values, and the function that is being written.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pellucid.backends.cpu.ir import Function, Value
from pellucid.backends.cpu.narrow_types import narrow, widen
from pellucid.backends.cpu.special import SPECIAL
from pellucid.base.dtypes import DType, bool_, float32, float64, uint8
from pellucid.base.errors import CompilationError
from pellucid.graph.node import Node

REGISTER = {"float32": "float", "float64": "double", "bool": "i1", "int8": "i8", "uint8": "i8"} | {
    f"int{bits}": f"i{bits}" for bits in (16, 32, 64)
}

REGISTER |= {"bfloat16": "i16", "float16": "i16"}  # bits, which only a cast makes a number

MEMORY = REGISTER | {"bool": "i8"}


def is_unsigned(dtype: DType) -> bool:
    """Whether integers of this dtype have no sign."""
    return dtype in (uint8, bool_)


# Sums and differences do not contract with a product into a fused multiply-add: a value that is
# computed in two loops must come out with the same bits in both, or x = max(x) holds nowhere and
# the gradient of a maximum is 0/0.  Products may, for the accumulators of reductions.
_FLOAT_BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul contract", "div": "fdiv"}

_INTEGER_BINARY = {"add": "add", "sub": "sub", "mul": "mul"}

_BITWISE = {"bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor"}

_COMPARE = {
    "eq": ("fcmp oeq", "icmp eq", "icmp eq"),
    "ne": ("fcmp une", "icmp ne", "icmp ne"),
    "lt": ("fcmp olt", "icmp slt", "icmp ult"),
    "le": ("fcmp ole", "icmp sle", "icmp ule"),
    "gt": ("fcmp ogt", "icmp sgt", "icmp ugt"),
    "ge": ("fcmp oge", "icmp sge", "icmp uge"),
}


def emit_elementwise(f: Function, node: Node, values: list[Value]) -> Value:
    """Instructions of one element-wise operation on elements."""
    name = node.op.name
    operand = node.inputs[0].dtype
    if name in ("copy", "detach"):
        return values[0]
    if name == "cast":
        return convert(f, values[0], operand, node.dtype)
    if name == "where":
        return f.select(*values)
    if name in _COMPARE:
        kinds = _COMPARE[name]
        opcode = kinds[0] if operand.kind == "float" else kinds[2 if is_unsigned(operand) else 1]
        return f.compare(opcode, *values)
    if name in _BITWISE:
        return f.binary(_BITWISE[name], *values)
    if name == "bitwise_not":
        return f.binary(
            "xor", values[0], f.constant(values[0].type, -1 if operand is not bool_ else 1)
        )
    if operand.kind == "float":
        return _emit_float(f, name, values)
    return _emit_integer(f, name, values, operand)


def _emit_float(f: Function, name: str, values: list[Value]) -> Value:
    if name in _FLOAT_BINARY:
        return f.binary(_FLOAT_BINARY[name], *values)
    if name == "neg":
        return f.fneg(values[0])
    if name == "abs":
        return f.intrinsic("llvm.fabs", values[0].type, values[0])
    if name == "floor_divide":
        return _float_floor_divide(f, *values)
    emitter: Callable[..., Value] | None = SPECIAL.get(name)
    if emitter is None:
        raise CompilationError(f"there are no instructions for {name}", "add an emitter to SPECIAL")
    return emitter(f, *values)


def _float_floor_divide(f: Function, x: Value, y: Value) -> Value:
    """⌊x / y⌋ exactly, from the remainder; at y = 0 and y = ±∞ what NumPy gives."""
    rest, plain = SPECIAL["remainder"](f, x, y), f.fdiv(x, y)
    whole = SPECIAL["round"](f, f.fdiv(f.fsub(x, rest, ""), y))
    # x / ±∞ is ±0; where the signs differ the remainder is not x, and the floor is -1.
    minus_one = f.constant(x.type, -1.0)
    of_infinite = f.select(f.compare("fcmp one", rest, x), minus_one, plain)
    infinity = f.constant(x.type, math.inf)
    infinite = f.compare("fcmp oeq", f.intrinsic("llvm.fabs", y.type, y), infinity)
    by_zero = f.compare("fcmp oeq", y, f.constant(y.type, 0.0))
    return f.select(by_zero, plain, f.select(infinite, of_infinite, whole))


def _emit_integer(f: Function, name: str, values: list[Value], dtype: DType) -> Value:
    unsigned = is_unsigned(dtype)
    type_ = values[0].type
    if name in _INTEGER_BINARY:
        return f.binary(_INTEGER_BINARY[name], *values)
    if name == "neg":
        return f.binary("sub", f.constant(type_, 0), values[0])
    if name in ("abs", "sign"):
        if unsigned:
            positive = f.compare("icmp ne", values[0], f.constant(type_, 0))
            return values[0] if name == "abs" else f.cast("zext", positive, type_)
        if name == "abs":
            return f.intrinsic(
                "llvm.abs", type_, values[0], f.constant("i1", False), overload=type_
            )
        low = f.intrinsic("llvm.smax", type_, values[0], f.constant(type_, -1))
        return f.intrinsic("llvm.smin", type_, low, f.constant(type_, 1))
    if name in ("maximum", "minimum"):
        if dtype is bool_:
            return f.binary("or" if name == "maximum" else "and", *values)
        kind = f"llvm.{'u' if unsigned else 's'}{'max' if name == 'maximum' else 'min'}"
        return f.intrinsic(kind, type_, *values)
    if name in ("floor_divide", "remainder", "fmod"):
        return _integer_division(f, name, values[0], values[1], unsigned)
    raise CompilationError(
        f"there are no instructions for {name} of integers", "convert to float first"
    )


def _integer_division(f: Function, name: str, x: Value, y: Value, unsigned: bool) -> Value:
    """Quotient or remainder; division by 0 gives 0 as in NumPy, and nothing traps."""
    type_ = x.type
    zero, one = f.constant(type_, 0), f.constant(type_, 1)
    by_zero = f.compare("icmp eq", y, zero)
    safe = f.select(by_zero, one, y)
    if unsigned:
        result = f.binary("udiv" if name == "floor_divide" else "urem", x, safe)
        return f.select(by_zero, zero, result)
    # The most negative number divided by -1 overflows: divide by 1 and negate instead.
    minus = f.compare("icmp eq", y, f.constant(type_, -1))
    safe = f.select(minus, one, safe)
    quotient, rest = f.binary("sdiv", x, safe), f.binary("srem", x, safe)
    if name == "fmod":
        return f.select(by_zero, zero, rest)
    signs = f.compare("icmp slt", f.binary("xor", rest, safe), zero)
    off = f.binary("and", signs, f.compare("icmp ne", rest, zero))
    if name == "remainder":
        return f.select(by_zero, zero, f.select(off, f.binary("add", rest, safe), rest))
    lowered = f.binary("sub", quotient, f.cast("zext", off, type_))
    lowered = f.select(minus, f.binary("sub", zero, x), lowered)
    return f.select(by_zero, zero, lowered)


def _to_integer(f: Function, value: Value, source: DType, target: DType) -> Value:
    """A floating-point number as an integer; see ``cast`` for what is out of range."""
    bits = max(8 * target.itemsize, 32)
    wide, most = f"i{bits}", 2 ** (bits - 1)
    # The intrinsic saturates, which is right below the range and wrong above it and for a NaN.
    saturated = f.intrinsic(
        "llvm.fptosi.sat", wide, value, overload=f"{wide}.f{8 * source.itemsize}"
    )
    below = f.compare("fcmp olt", value, f.constant(value.type, float(most)))
    found = f.select(below, saturated, f.constant(wide, -most))
    return found if target.itemsize >= 4 else f.cast("trunc", found, REGISTER[target.name])


def convert(f: Function, value: Value, source: DType, target: DType) -> Value:
    """A value as another dtype, as NumPy's ``astype`` does."""
    if source is target:
        return value
    if source.is_narrow:
        return convert(f, widen(f, value, source), float32, target)
    if target.is_narrow:
        return narrow(f, convert(f, value, source, float32), target)
    to = REGISTER[target.name]
    if target is bool_:
        if source.kind == "float":
            return f.compare("fcmp une", value, f.constant(value.type, 0.0))
        return f.compare("icmp ne", value, f.constant(value.type, 0))
    if source.kind == "float" and target.kind == "float":
        return f.cast("fpext" if target is float64 else "fptrunc", value, to)
    if target.kind == "float":
        return f.cast("uitofp" if is_unsigned(source) else "sitofp", value, to)
    if source.kind == "float":
        return _to_integer(f, value, source, target)
    if source is bool_:
        return f.cast("zext", value, to)
    if source.itemsize < target.itemsize:
        return f.cast("zext" if is_unsigned(source) else "sext", value, to)
    return f.cast("trunc", value, to) if source.itemsize > target.itemsize else value
