"""Reductions: neutral values, one step of each, and what a loop carries of them."""

from __future__ import annotations

import math

from pellucid.backends.cpu.arithmetic import REGISTER, convert, is_unsigned
from pellucid.backends.cpu.ir import Function, Phi, Value, literal
from pellucid.base.dtypes import DType, bool_
from pellucid.graph.node import Node


class Accumulator:
    """The value that a reduction carries through its loop."""

    def __init__(self, f: Function, node: Node, setup_label: str) -> None:
        self.f, self.node = f, node
        self.source, self.dtype = node.inputs[0].dtype, node.dtype
        self.kind = node.op.name
        type_ = REGISTER[self.value_dtype().name]
        start = Value(neutral(self.kind, self.value_dtype()), type_)
        self.phi = f.phi(type_, "acc")
        self.phi.add(start, setup_label)
        self.position: Phi | None = None
        if self.kind.startswith("arg"):
            self.position = f.phi("i64", "at")
            self.position.add(f.i64(-1), setup_label)
        self.next: Value = start
        self.next_position: Value | None = None

    def value_dtype(self) -> DType:
        """Dtype that is carried: the operand's for extremes, the result's for sums."""
        return self.dtype if self.kind in ("sum", "prod") else self.source

    def add(self, value: Value, index: Value) -> None:
        """Take in one element."""
        f = self.f
        if self.position is not None:
            better = beats(f, self.kind, value, self.phi.value, self.source)
            first = f.compare("icmp slt", self.position.value, f.i64(0))
            chosen = f.binary("or", better, first)
            self.next = f.select(chosen, value, self.phi.value)
            self.next_position = f.select(chosen, index, self.position.value)
        else:
            element = convert(f, value, self.source, self.value_dtype())
            self.next = combine(f, self.kind, self.phi.value, element, self.value_dtype())

    def close(self, label: str) -> None:
        """Close the loop's edges."""
        self.phi.add(self.next, label)
        if self.position is not None and self.next_position is not None:
            self.position.add(self.next_position, label)

    def result(self) -> Value:
        """The reduction's result after the loop."""
        return self.phi.value if self.position is None else self.position.value


def neutral(kind: str, dtype: DType) -> str:
    """Text of the value that changes nothing: 0, 1, −∞ or +∞ (or the integers' limits)."""
    type_ = REGISTER[dtype.name]
    if kind in ("sum", "prod"):
        return literal(type_, 0 if kind == "sum" else 1)
    highest = kind in ("min", "argmin")
    if dtype is bool_:
        return "true" if highest else "false"
    if dtype.kind == "float":
        return literal(type_, math.inf if highest else -math.inf)
    bits = dtype.itemsize * 8
    low, high = (
        (0, 2**bits - 1) if is_unsigned(dtype) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )
    return str(high if highest else low)


def combine(f: Function, kind: str, a: Value, b: Value, dtype: DType) -> Value:
    """One step of a reduction; sums may be reordered so that they vectorize."""
    if dtype.kind == "float":
        if kind in ("sum", "prod"):
            return f.binary(f"{'fadd' if kind == 'sum' else 'fmul'} reassoc contract", a, b)
        # NaN wins as in NumPy; which of two zeros does is left open, which halves the work.
        return f.intrinsic(f"llvm.{kind}imum", a.type, a, b, flags="nsz")
    if kind in ("sum", "prod"):
        return f.binary("add" if kind == "sum" else "mul", a, b)
    if dtype is bool_:
        return f.binary("or" if kind == "max" else "and", a, b)
    sign = "u" if is_unsigned(dtype) else "s"
    return f.intrinsic(f"llvm.{sign}{kind}", a.type, a, b)


def beats(f: Function, kind: str, value: Value, best: Value, dtype: DType) -> Value:
    """Whether an element replaces the best so far; the first NaN beats everything and stays."""
    if dtype.kind != "float":
        sign = "u" if is_unsigned(dtype) else "s"
        return f.compare(f"icmp {sign}{'gt' if kind == 'argmax' else 'lt'}", value, best)
    larger = f.compare("fcmp ogt" if kind == "argmax" else "fcmp olt", value, best)
    nan = f.compare("fcmp uno", value, value)
    best_is_number = f.compare("fcmp ord", best, best)
    return f.binary("or", larger, f.binary("and", nan, best_is_number))
