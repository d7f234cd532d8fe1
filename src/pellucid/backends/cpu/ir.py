"""A small writer of LLVM IR text.

LLVM reads its own assembly quickly, and text is far cheaper to produce than a tree of Python
objects, so kernels are written straight into strings.  A :class:`Function` holds basic blocks in
the order in which they were started; every method that makes an instruction returns a
:class:`Value`, a name with its LLVM type.

>>> f = Function("twice", [("float", "x")], returns="float")
>>> f.ret(f.fmul(f.argument("x"), f.constant("float", 2.0)))
>>> print(f.text().splitlines()[0])
define float @twice(float %x) {
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pellucid.base.errors import CompilationError

BITS = {"i1": 1, "i8": 8, "i16": 16, "i32": 32, "i64": 64, "float": 32, "double": 64, "half": 16}
"""Width in bits of the scalar LLVM types that kernels use."""


class Value(NamedTuple):
    """An LLVM value: its printed name (or literal) and its type."""

    text: str
    type: str

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


def vector(count: int, scalar: str) -> str:
    """Type of ``count`` lanes of ``scalar``; the scalar itself when ``count`` is 1."""
    return scalar if count == 1 else f"<{count} x {scalar}>"


def scalar_of(type_: str) -> str:
    """Element type of a vector type, or the type itself."""
    return type_.split(" x ")[1][:-1] if type_.startswith("<") else type_


def lanes_of(type_: str) -> int:
    """Number of lanes of a type; 1 for a scalar."""
    return int(type_[1:].split(" x ")[0]) if type_.startswith("<") else 1


def is_float(type_: str) -> bool:
    """Whether the (element) type is a floating-point type."""
    return scalar_of(type_) in ("float", "double", "half")


def literal(type_: str, value: float | int | bool) -> str:
    """Text of a scalar constant, exact to the last bit for every float (hexadecimal form)."""
    if type_ == "float":
        # LLVM writes a float constant as the bits of the double with the same value.
        bits = struct.unpack("<Q", struct.pack("<d", float(np.float32(value))))[0]
        return f"0x{bits:016X}"
    if type_ == "double":
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(value)))[0]:016X}"
    if type_ == "i1":
        return "true" if value else "false"
    return str(int(value))


class Function:
    """One LLVM function under construction.

    ``params`` are (type, name) pairs; a type may carry attributes (``"ptr noalias"``).
    ``linkage`` is written before the return type (``"internal"``), ``attributes`` after the
    parameter list (``"alwaysinline nounwind"``).
    """

    def __init__(
        self,
        name: str,
        params: Sequence[tuple[str, str]],
        returns: str = "void",
        linkage: str = "",
        attributes: str = "",
    ) -> None:
        self.name = name
        self.params = list(params)
        self.returns = returns
        self.linkage = linkage
        self.attributes = attributes
        self.declarations: dict[str, str] = {}
        self.metadata: list[str] = []
        self._count = 0
        self._blocks: list[tuple[str, list[str]]] = []
        self._current: list[str] = []
        self._label = ""
        self.start_block("entry")

    # ---- names, blocks, text -------------------------------------------------------------

    def argument(self, name: str) -> Value:
        """The parameter called ``name``."""
        for type_, known in self.params:
            if known == name:
                return Value(f"%{name}", type_.split(" ")[0] if type_[0] != "<" else type_)
        raise CompilationError(
            f"the kernel has no parameter {name!r}", "declare it in the function's parameters"
        )

    def fresh(self, hint: str = "v") -> str:
        """A name not used before in this function, without its ``%``."""
        self._count += 1
        return f"{hint}{self._count}"

    @property
    def label(self) -> str:
        """Name of the block that instructions go to now."""
        return self._label

    def start_block(self, label: str) -> None:
        """Open the block ``label``; following instructions go there."""
        self._current = []
        self._label = label
        self._blocks.append((label, self._current))

    @property
    def lines(self) -> list[str]:
        """Instructions of the current block so far; see :meth:`into`."""
        return self._current

    @contextlib.contextmanager
    def into(self, lines: list[str]) -> Iterator[None]:
        """Inside, instructions go to another block that is still open: loop-invariant values."""
        before, self._current = self._current, lines
        try:
            yield
        finally:
            self._current = before

    def line(self, text: str) -> None:
        """Append one raw line to the current block."""
        self._current.append(text)

    def text(self) -> str:
        """The whole ``define``, without declarations and metadata."""
        params = ", ".join(f"{t} %{n}" for t, n in self.params)
        head = f"define {self.linkage + ' ' if self.linkage else ''}{self.returns}"
        lines = [
            f"{head} @{self.name}({params}) {self.attributes + ' ' if self.attributes else ''}{{"
        ]
        for label, body in self._blocks:
            lines.append(f"{label}:")
            lines.extend(f"  {line}" for line in body)
        lines.append("}")
        return "\n".join(lines)

    # ---- constants -----------------------------------------------------------------------

    @staticmethod
    def constant(type_: str, value: float | int | bool) -> Value:
        """A constant; for a vector type, the same value in every lane."""
        if type_.startswith("<"):
            scalar = scalar_of(type_)
            one = f"{scalar} {literal(scalar, value)}"
            return Value("<" + ", ".join([one] * lanes_of(type_)) + ">", type_)
        return Value(literal(type_, value), type_)

    def i64(self, value: int) -> Value:
        """A 64-bit integer constant."""
        return Value(str(int(value)), "i64")

    # ---- instructions --------------------------------------------------------------------

    def assign(self, type_: str, instruction: str, hint: str = "v") -> Value:
        """Emit ``%fresh = instruction`` and return it as a value of ``type_``."""
        name = f"%{self.fresh(hint)}"
        self._current.append(f"{name} = {instruction}")
        return Value(name, type_)

    def binary(self, opcode: str, a: Value, b: Value) -> Value:
        """``opcode`` on two values of one type: ``add``, ``mul nsw``, ``fadd contract``, …"""
        return self.assign(a.type, f"{opcode} {a.type} {a.text}, {b.text}")

    def fadd(self, a: Value, b: Value, flags: str = "contract") -> Value:
        """a + b; ``contract`` lets LLVM form a fused multiply-add with a neighbour."""
        return self.binary(f"fadd {flags}".strip(), a, b)

    def fsub(self, a: Value, b: Value, flags: str = "contract") -> Value:
        """a − b."""
        return self.binary(f"fsub {flags}".strip(), a, b)

    def fmul(self, a: Value, b: Value, flags: str = "contract") -> Value:
        """a · b."""
        return self.binary(f"fmul {flags}".strip(), a, b)

    def fdiv(self, a: Value, b: Value) -> Value:
        """a / b, correctly rounded."""
        return self.binary("fdiv", a, b)

    def fneg(self, a: Value) -> Value:
        """−a (flips the sign bit, also of NaN and zero)."""
        return self.assign(a.type, f"fneg {a.type} {a.text}")

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a · b + c with one rounding."""
        return self.intrinsic("llvm.fma", a.type, a, b, c)

    def compare(self, opcode: str, a: Value, b: Value) -> Value:
        """``fcmp``/``icmp``: ``compare("fcmp olt", a, b)``."""
        return self.assign(vector(lanes_of(a.type), "i1"), f"{opcode} {a.type} {a.text}, {b.text}")

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        """``yes`` where the condition holds, else ``no``."""
        return self.assign(yes.type, f"select {condition}, {yes}, {no}")

    def cast(self, opcode: str, a: Value, type_: str) -> Value:
        """``sitofp``, ``fptosi``, ``zext``, ``trunc``, ``bitcast``, … to ``type_``."""
        return self.assign(type_, f"{opcode} {a} to {type_}")

    def bitcast(self, a: Value, type_: str) -> Value:
        """The same bits seen as another type of the same width."""
        return a if a.type == type_ else self.cast("bitcast", a, type_)

    def call(self, returns: str, name: str, *args: Value) -> Value:
        """Call ``@name``; a void call returns a value that must not be used."""
        inner = ", ".join(str(a) for a in args)
        if returns == "void":
            self._current.append(f"call void @{name}({inner})")
            return Value("", "void")
        return self.assign(returns, f"call {returns} @{name}({inner})")

    def intrinsic(
        self, name: str, returns: str, *args: Value, overload: str | None = None, flags: str = ""
    ) -> Value:
        """Call an LLVM intrinsic, declaring it with exactly these types.

        ``overload`` is the type suffix; by default that of ``returns`` (``llvm.fma.v8f32``);
        ``flags`` are fast-math flags of this call.
        """
        full = f"{name}.{overload or mangle(returns)}" if overload != "" else name
        types = ", ".join(a.type for a in args)
        self.declarations[full] = f"declare {returns} @{full}({types})"
        if not flags:
            return self.call(returns, full, *args)
        inner = ", ".join(str(a) for a in args)
        return self.assign(returns, f"call {flags} {returns} @{full}({inner})")

    def gep(
        self, pointer: Value, index: Value | int, element: str = "i8", hint: str = "p"
    ) -> Value:
        """Address of ``pointer[index]`` in units of ``element``."""
        i = self.i64(index) if isinstance(index, int) else index
        return self.assign("ptr", f"getelementptr inbounds {element}, {pointer}, {i}", hint)

    def load(self, type_: str, pointer: Value, align: int | None = None, suffix: str = "") -> Value:
        """Read ``type_``; alignment defaults to the element's size, safe for any address."""
        return self.assign(
            type_, f"load {type_}, {pointer}, align {align or natural_alignment(type_)}{suffix}"
        )

    def store(
        self, value: Value, pointer: Value, align: int | None = None, suffix: str = ""
    ) -> None:
        """Write ``value``."""
        self._current.append(
            f"store {value}, {pointer}, align {align or natural_alignment(value.type)}{suffix}"
        )

    def splat(self, value: Value, count: int) -> Value:
        """A vector with ``value`` in each of ``count`` lanes."""
        if count == 1:
            return value
        type_ = vector(count, value.type)
        first = self.assign(type_, f"insertelement {type_} poison, {value}, i32 0")
        zeros = f"<{count} x i32> zeroinitializer"
        return self.assign(type_, f"shufflevector {first}, {type_} poison, {zeros}")

    def opaque(self, value: Value) -> Value:
        """The same value (i64 or ptr), of which LLVM no longer knows where it comes from.

        It costs no instruction.  Addresses computed from it stay as they are written.
        """
        text = f'call {value.type} asm "", "=r,0"({value})'
        return self.assign(value.type, text)

    def stack_array(self, type_: str, count: int) -> Value:
        """Room for ``count`` elements on the stack, taken once per call."""
        name = f"%{self.fresh('array')}"
        self._blocks[0][1].insert(0, f"{name} = alloca {type_}, i64 {count}, align 64")
        return Value(name, "ptr")

    # ---- control flow --------------------------------------------------------------------

    def branch(self, label: str) -> None:
        """Jump to ``label``."""
        self._current.append(f"br label %{label}")

    def branch_if(self, condition: Value, yes: str, no: str) -> None:
        """Jump to ``yes`` or ``no``."""
        self._current.append(f"br {condition}, label %{yes}, label %{no}")

    def ret(self, value: Value | None = None) -> None:
        """Return from the function."""
        self._current.append("ret void" if value is None else f"ret {value}")

    def phi(self, type_: str, hint: str = "phi") -> Phi:
        """A phi node; add its incoming edges with :meth:`Phi.add`, at any later time."""
        name = f"%{self.fresh(hint)}"
        self._current.append("")
        return Phi(name, type_, self._current, len(self._current) - 1)

    @contextlib.contextmanager
    def loop(
        self,
        start: Value | int,
        stop: Value | int,
        step: Value | int = 1,
        carried: Sequence[Value] = (),
        hint: str = "i",
        metadata: str = "",
    ) -> Iterator[Loop]:
        """``for i in range(start, stop, step)`` with values carried from iteration to iteration.

        Inside, ``loop.index`` is the counter and ``loop.values`` the carried values; assign
        ``loop.next`` (same length) before the block ends.  Afterwards ``loop.results`` holds the
        final values.  ``metadata`` is attached to the back edge (``", !llvm.loop !3"``).
        """
        first = self.i64(start) if isinstance(start, int) else start
        last = self.i64(stop) if isinstance(stop, int) else stop
        by = self.i64(step) if isinstance(step, int) else step
        head, body, done = (self.fresh(f"{hint}.{part}") for part in ("head", "body", "done"))
        before = self._label
        self.branch(head)
        self.start_block(head)
        index = self.phi("i64", hint)
        phis = [self.phi(v.type) for v in carried]
        index.add(first, before)
        for phi, value in zip(phis, carried, strict=True):
            phi.add(value, before)
        self.branch_if(self.compare("icmp slt", index.value, last), body, done)
        self.start_block(body)
        state = Loop(index.value, [p.value for p in phis])
        yield state
        following = self.binary("add nsw", index.value, by)
        index.add(following, self._label)
        for phi, value in zip(phis, state.next, strict=True):
            phi.add(value, self._label)
        self._current.append(f"br label %{head}{metadata}")
        self.start_block(done)
        state.results = [p.value for p in phis]


class Phi:
    """A phi node whose text is rewritten as edges are added."""

    def __init__(self, name: str, type_: str, block: list[str], position: int) -> None:
        self.value = Value(name, type_)
        self._block = block
        self._position = position
        self._edges: list[str] = []

    def add(self, value: Value, label: str) -> None:
        """The phi takes ``value`` when control comes from ``label``."""
        self._edges.append(f"[ {value.text}, %{label} ]")
        self._block[self._position] = (
            f"{self.value.text} = phi {self.value.type} {', '.join(self._edges)}"
        )


class Loop:
    """State of a loop being written; see :meth:`Function.loop`."""

    def __init__(self, index: Value, values: list[Value]) -> None:
        self.index = index
        self.values = values
        self.next: list[Value] = []
        self.results: list[Value] = []


def mangle(type_: str) -> str:
    """Suffix that LLVM gives an overloaded intrinsic for this type: ``v8f32``, ``i64``, ``p0``."""
    scalar = {"float": "f32", "double": "f64", "half": "f16", "ptr": "p0"}.get(
        scalar_of(type_), scalar_of(type_)
    )
    return f"v{lanes_of(type_)}{scalar}" if type_.startswith("<") else scalar


def natural_alignment(type_: str) -> int:
    """Size in bytes of one element of the type."""
    return 8 if type_ == "ptr" else max(1, BITS[scalar_of(type_)] // 8)


def module_text(functions: Sequence[Function], extra: str = "") -> str:
    """Text of a module: the functions, what they declare, and ``extra`` (globals, metadata)."""
    defined = {f.name for f in functions}
    declarations: dict[str, str] = {}
    for function in functions:
        declarations.update(function.declarations)
    parts = [f.text() for f in functions]
    parts += [text for name, text in sorted(declarations.items()) if name not in defined]
    parts += [line for f in functions for line in f.metadata]
    if extra:
        parts.append(extra)
    return "\n\n".join(parts) + "\n"
