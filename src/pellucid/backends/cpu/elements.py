"""Single elements: the instructions that compute one element of an operation.

A kernel asks :class:`Elements` for the element of a node at an index; operations are followed
down to stored values, which are loaded.  Each instruction goes to the outermost loop level at
which all it needs is known, so that loop-invariant work is done once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.backends.cpu.arithmetic import (
    MEMORY,
    REGISTER,
    convert,
    emit_elementwise,
    is_unsigned,
)
from pellucid.backends.cpu.ir import Function, Value
from pellucid.backends.cpu.operands import TABLE, Operand, Operands
from pellucid.backends.cpu.random_bits import philox, uniform
from pellucid.backends.cpu.run_time_numbers import (
    DIVISIBLE,
    RunTimeNumbers,
)
from pellucid.base.dtypes import bool_, float32, int64
from pellucid.base.errors import CompilationError
from pellucid.compiler.index import (
    ZERO,
    Affine,
    Atom,
    Index,
    clamp,
    linear,
    operand_indices,
    read_indices,
)
from pellucid.graph.node import CONSTANT, INPUT, Node, constant_value

KERNEL, ROW, INNER = 0, 1, 2
"""Loop levels: once per call, once per row, once per element."""

ACCESS = ", !llvm.access.group !0"

PARALLEL = ", !llvm.loop !1"

CROWDED = ", !llvm.loop !3"
"""For loops with many accumulators: one vector of each, as two would not fit into registers."""

METADATA = """!0 = distinct !{}
!1 = distinct !{!1, !2}
!2 = !{!"llvm.loop.parallel_accesses", !0}
!3 = distinct !{!3, !2, !4}
!4 = !{!"llvm.loop.interleave.count", i32 1}
!5 = !{i64 1, i64 1099511627776}
"""
"""Says that iterations of an inner loop do not depend on each other through memory: each element is
computed from stored values that the loop does not change elsewhere.  Last, the range of
:data:`~pellucid.backends.cpu.run_time_numbers.POSITIVE`."""


class Elements:
    """Elements of nodes inside one kernel.

    ``stored`` are the nodes that are read from memory.  ``lines`` holds the open block of each
    loop level.  ``given`` remembers values by level and (node, offset), those that the kernel
    computed itself for its current row or element among them.  Numbers that depend on extents are
    handed over unless ``fixed`` wants them in the text.
    """

    def __init__(
        self,
        function: Function,
        operands: Operands,
        stored: set[Node],
        fixed: bool = True,
        piece: bool = False,
    ) -> None:
        self.f = function
        self.operands = operands
        self.stored = stored
        self.lines: dict[int, list[str]] = {KERNEL: function.lines}
        self.loops: dict[str, tuple[int, Value]] = {}
        self.given: dict[int, dict[tuple[Any, ...], Value]] = {KERNEL: {}, ROW: {}, INNER: {}}
        self.scratch: dict[Node, tuple[Value, Affine]] = {}
        self.home: dict[Node, int] = {}
        """Nodes this kernel computes itself → the level at which they are known now."""
        self._pointers: dict[Operand, Value] = {}
        self.numbers = RunTimeNumbers(
            function,
            operands.words,
            lambda: self.pointer(TABLE),
            lambda: self.lines[KERNEL],
            fixed,
            piece,
        )

    # ---- operands and levels ---------------------------------------------------------------

    def pointer(self, operand: Operand, type_: str = "ptr") -> Value:
        """``table[slots[position]]``, loaded once per call; a number when ``type_`` is i64."""
        known = self._pointers.get(operand)
        if known is None:
            position = self.operands.position(operand)
            f = self.f
            with f.into(self.lines[KERNEL]):
                slot = f.load("i32", f.gep(f.argument("slots"), position, "i32"))
                known = f.load(
                    type_, f.gep(f.argument("table"), f.cast("sext", slot, "i64"), "ptr"), 8
                )
            self._pointers[operand] = known
        return known

    def level_of(self, formula: Affine) -> int:
        """The loop level at which a position is known."""
        return max((self._level_of_atom(a) for a, _ in formula.terms), default=KERNEL)

    def _level_of_atom(self, atom: Atom) -> int:
        if atom.kind == "loop":
            return self.loops[atom.payload][0]
        if atom.kind == "data":
            node, where = atom.payload
            return self._level_of_index(node, where)
        return self.level_of(atom.payload[0])

    def _level_of_index(self, node: Node, index: Index) -> int:
        level = max((self.level_of(i) for i in index), default=KERNEL)
        return level if level == INNER else max(level, self._own_level(node))

    def position(self, formula: Affine) -> Value:
        """A position as an i64, computed at its loop level."""
        level = self.level_of(formula)
        key = ("position", formula)
        known = self.given[level].get(key)
        if known is None:
            with self.f.into(self.lines[level]):
                known = self._position(formula, level)
            self.given[level][key] = known
        return known

    def _position(self, formula: Affine, level: int) -> Value:
        f = self.f
        outer = Affine(
            tuple((a, c) for a, c in formula.terms if self._level_of_atom(a) < level),
            formula.constant,
        )
        total = self.position(outer) if outer.terms and level > KERNEL else None
        if total is None:
            total = self._number(formula.constant, level)
            parts = formula.terms if level == KERNEL or not outer.terms else ()
        else:
            parts = tuple((a, c) for a, c in formula.terms if self._level_of_atom(a) == level)
        for atom, coefficient in parts:
            term = self._atom(atom)
            if coefficient != 1:
                term = f.binary("mul nsw", term, self._number(coefficient, level))
            total = term if total.text == "0" else f.binary("add nsw", total, term)
        return total

    def _number(self, value: int, level: int) -> Value:
        """A number that takes part in a position; within the inner loop LLVM must know it."""
        return self.f.i64(value) if level == INNER else self.numbers.integer(value)

    def _atom(self, atom: Atom) -> Value:
        f = self.f
        if atom.kind == "loop":
            return self.loops[atom.payload][1]
        if atom.kind == "data":
            return self._data_position(atom)
        if atom.kind == "clamp":
            inner, low, high = atom.payload
            value = f.intrinsic("llvm.smax", "i64", self.position(inner), f.i64(low))
            most = self._number(high, self.level_of(inner))
            return f.intrinsic("llvm.smin", "i64", value, most)
        inner, divisor = atom.payload
        value = self.position(inner)
        low, high = inner.bounds()
        level = self.level_of(inner)
        if level < INNER and low >= 0 and high < DIVISIBLE:
            return self._quotient(inner, value, divisor, level)[atom.kind == "mod"]
        opcode = ("u" if low >= 0 else "s") + ("div" if atom.kind == "div" else "rem")
        return f.binary(opcode, value, f.i64(divisor))

    def _quotient(
        self, formula: Affine, value: Value, divisor: int, level: int
    ) -> tuple[Value, Value]:
        """Quotient and remainder of a position, whose value is known."""
        keys = [(kind, formula, divisor) for kind in ("quotient", "remainder")]
        given = self.given[level]
        if keys[0] not in given:
            with self.f.into(self.lines[level]):
                given[keys[0]] = self.numbers.quotient(value, divisor)
                given[keys[1]] = self.numbers.remainder(value, given[keys[0]], divisor)
        return given[keys[0]], given[keys[1]]

    def _data_position(self, atom: Atom) -> Value:
        """A position that is data: kept in range, and noted in the error flag when it was not."""
        f = self.f
        node, where = atom.payload
        raw = self.value(node, where)
        wide = (
            raw
            if raw.type == "i64"
            else f.cast("zext" if is_unsigned(node.dtype) else "sext", raw, "i64")
        )
        outside = f.compare("icmp uge", wide, f.i64(atom.extent))
        flag = self.pointer(("error", 0))
        before = f.load("i64", flag)
        f.store(f.select(outside, f.i64(1), before), flag)
        return f.select(outside, f.i64(0), wide)

    # ---- values ----------------------------------------------------------------------------

    def value(self, node: Node, index: Index, own: bool = False) -> Value:
        """The element of ``node`` at ``index``, in a register.

        ``own`` computes a node from its operands although it counts as stored: this kernel is
        the one that makes it.
        """
        offset = linear(index, node.shape)
        level = self.level_of(offset)
        key = (node, offset)
        if own:
            return self._make(node, index, level)
        for known_level in (level, *range(INNER, -1, -1)):
            known = self.given[known_level].get(key)
            if known is not None:
                return known
        if node.op is CONSTANT and node.size == 1:
            number = constant_value(node).reshape(-1)[:1]
            if node.dtype.is_narrow:
                number = number.view(np.int16)
            return self.numbers.real(REGISTER[node.dtype.name], number[0])
        if level < INNER:
            level = max(level, self._own_level(node))
        with self.f.into(self.lines[level]):
            found = self._compute(node, index, offset, level)
        self.given[level][key] = found
        return found

    def _make(self, node: Node, index: Index, level: int) -> Value:
        """Compute an anchor of this kernel at the current loop level."""
        level = max(level, self._own_level(node), INNER if INNER in self.lines else ROW)
        with self.f.into(self.lines[level]):
            return self._calculate(node, index)

    def _own_level(self, node: Node) -> int:
        """The level at which values of this kernel's own, below ``node``, become known."""
        if not self.home:
            return KERNEL
        level, stack, seen = KERNEL, [node], {node}
        while stack:
            current = stack.pop()
            if current in self.home:
                level = max(level, self.home[current])
                continue
            if current in self.stored:
                continue
            for operand in current.inputs:
                if operand not in seen:
                    seen.add(operand)
                    stack.append(operand)
        return level

    def _compute(self, node: Node, index: Index, offset: Affine, level: int) -> Value:
        if node in self.scratch:
            pointer, row_start = self.scratch[node]
            return self._load(node, pointer, offset + row_start * -1, level)
        if node in self.stored or node.op is CONSTANT or node.op is INPUT:
            return self._load(node, self.pointer(node), offset, level)
        return self._calculate(node, index)

    def _calculate(self, node: Node, index: Index) -> Value:
        """The element from those of the operands."""
        special = _SPECIAL.get(node.op.name)
        if special is not None:
            return special(self, node, index)
        if node.op.family == "elementwise":
            values = [
                self.value(n, i)
                for n, i in zip(node.inputs, operand_indices(node, index), strict=True)
            ]
            return emit_elementwise(self.f, node, values)
        if node.op.family in ("movement", "ordering"):
            return self.value(node.inputs[0], operand_indices(node, index)[0])
        raise CompilationError(
            f"{node!r} cannot be computed element by element",
            "it must be stored by a kernel of its own",
        )

    def _load(self, node: Node, pointer: Value, offset: Affine, level: int) -> Value:
        f = self.f
        type_ = MEMORY[node.dtype.name]
        place = self.position(offset)
        with f.into(self.lines[max(level, self.level_of(offset))]):
            address = pointer if place.text == "0" else f.gep(pointer, place, type_)
            loaded = f.load(type_, address, suffix=ACCESS if level == INNER else "")
            return (
                f.compare("icmp ne", loaded, f.constant("i8", 0)) if node.dtype is bool_ else loaded
            )

    def store(self, node: Node, value: Value, pointer: Value, offset: Affine, inner: bool) -> None:
        """Write an element of ``node`` at ``offset``."""
        f = self.f
        if node.dtype is bool_:
            value = f.cast("zext", value, "i8")
        place = self.position(offset)
        f.store(value, f.gep(pointer, place, value.type), suffix=ACCESS if inner else "")

    # ---- operations that are more than arithmetic on elements -------------------------------

    def _iota(self, node: Node, index: Index) -> Value:
        place = self.position(index[node.settings["axis"]])
        return convert(self.f, place, int64, node.dtype)

    def _take(self, node: Node, index: Index) -> Value:
        source = node.inputs[0]
        if source.shape[node.settings["axis"]] == 0:
            # No position is in range, and there is no element to read instead.
            self.f.store(self.f.i64(1), self.pointer(("error", 0)))
            return self.f.constant(REGISTER[node.dtype.name], 0)
        return self.value(source, operand_indices(node, index)[0])

    def _random_uniform(self, node: Node, index: Index) -> Value:
        f = self.f
        state, lane = node.inputs[0], node.settings["lane"]
        key = self.value(state, (ZERO,))
        draw = self.value(state, (Affine((), 1),))
        words = philox(f, key, self.position(linear(index, node.shape)), draw)
        if node.dtype is float32:
            return uniform(f, words[2 * lane], "float")
        high = f.binary("shl", f.cast("zext", words[2 * lane], "i64"), f.i64(32))
        return uniform(
            f, f.binary("or", high, f.cast("zext", words[2 * lane + 1], "i64")), "double"
        )

    def _pad(self, node: Node, index: Index) -> Value:
        f = self.f
        source, fill = node.inputs
        outside_value = self.value(fill, ())
        if not source.size:
            return outside_value
        settings = node.settings
        condition: Value | None = None
        for i, low, gap, extent in zip(
            index, settings["low"], settings["interior"], source.shape, strict=True
        ):
            shifted, last = i + (-low), (extent - 1) * (gap + 1)
            condition = self._both(condition, self._in_range(shifted, last + 1))
            if gap:
                from_zero = f.binary("urem", self.position(clamp(shifted, last)), f.i64(gap + 1))
                condition = self._both(condition, f.compare("icmp eq", from_zero, f.i64(0)))
        value = self.value(source, read_indices(node, index)[0])
        return value if condition is None else f.select(condition, value, outside_value)

    def _concatenate(self, node: Node, index: Index) -> Value:
        chosen = self._chosen_address(node, index)
        if chosen is not None:
            return chosen
        axis = node.settings["axis"]
        result: Value | None = None
        for operand, where, inside in zip(
            node.inputs, operand_indices(node, index), read_indices(node, index), strict=True
        ):
            if not operand.size:
                continue
            value = self.value(operand, inside)
            if result is None:
                result = value
                continue
            begun = self.f.compare("icmp sge", self.position(where[axis]), self.f.i64(0))
            result = self.f.select(begun, value, result)
        if result is None:
            raise CompilationError(
                "concatenate of nothing has no elements", "it should have been removed"
            )
        return result

    def _chosen_address(self, node: Node, index: Index) -> Value | None:
        """One load from the part that is meant, where that is known before the inner loop.

        All parts must lie in memory and be walked in the same steps; else None.
        """
        axis, places = node.settings["axis"], operand_indices(node, index)
        if node.dtype is bool_ or INNER not in self.lines or self.level_of(index[axis]) == INNER:
            return None
        if max(self.level_of(place) for place in index) == KERNEL:
            return None  # the address would be chosen after its use
        within: Affine | None = None
        parts: list[tuple[Node, Affine, Affine]] = []
        for operand, where, inside in zip(
            node.inputs, places, read_indices(node, index), strict=True
        ):
            if not operand.size:
                continue
            found = self._in_memory(operand, inside)
            if found is None:
                return None
            inner = Affine(
                tuple((a, c) for a, c in found[1].terms if self._level_of_atom(a) == INNER)
            )
            if within is not None and inner != within:
                return None
            within = inner
            parts.append((found[0], found[1] + inner * -1, where[axis]))
        if within is None:
            return None
        type_ = MEMORY[node.dtype.name]
        key = ("address", node, tuple(parts))
        address = self.given[ROW].get(key)
        if address is None:
            address = self._choose(parts, type_)
            self.given[ROW][key] = address
        place = self.position(within)
        return self.f.load(type_, self.f.gep(address, place, type_), suffix=ACCESS)

    def _choose(self, parts: list[tuple[Node, Affine, Affine]], type_: str) -> Value:
        """The address of the last part that has begun."""
        f = self.f
        address: Value | None = None
        for source, offset, place in parts:
            base, moved, begun = self.pointer(source), self.position(offset), self.position(place)
            with f.into(self.lines[ROW]):
                here = f.gep(base, moved, type_)
                if address is None:
                    address = here
                else:
                    known = f.compare("icmp sge", begun, f.i64(0))
                    address = f.select(known, here, address)
        if address is None:
            raise CompilationError("concatenate of nothing", "it should have been removed")
        return address

    def _in_memory(self, node: Node, index: Index) -> tuple[Node, Affine] | None:
        """The stored value behind a chain of moves, and the offset in it."""
        while node.op.name in ("reshape", "transpose", "broadcast_to", "slice"):
            if node in self.stored:
                break
            index = operand_indices(node, index)[0]
            node = node.inputs[0]
        if node in self.home or node in self.scratch:
            return None
        if node not in self.stored and node.op is not INPUT:
            return None
        return node, linear(index, node.shape)

    def _in_range(self, formula: Affine, extent: int) -> Value | None:
        """``0 ≤ formula < extent``, or None where that is certain."""
        low, high = formula.bounds()
        if low >= 0 and high < extent:
            return None
        bound = self._number(extent, self.level_of(formula))
        return self.f.compare("icmp ult", self.position(formula), bound)

    def _both(self, a: Value | None, b: Value | None) -> Value | None:
        if a is None or b is None:
            return a or b
        return self.f.binary("and", a, b)


_SPECIAL: dict[str, Callable[[Elements, Node, Index], Value]] = {
    "iota": Elements._iota,
    "take": Elements._take,
    "gather": Elements._take,
    "random_uniform": Elements._random_uniform,
    "pad": Elements._pad,
    "concatenate": Elements._concatenate,
}
"""Operations that are more than arithmetic on elements."""
