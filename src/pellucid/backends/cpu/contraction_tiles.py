"""Register tiles: the innermost part of a contraction.

A tile is a few rows times a few vectors of C that stay in registers while the sum over depth runs.
:class:`Tile` walks depth one element at a time (a broadcast of A times a vector of B), after Goto
and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008).  :class:`DotTile`
walks depth one vector at a time, for products with few rows or columns whose operands are both
contiguous along depth, where rearranging B would cost more than multiplying.

Offsets are in bytes and known when the kernel is generated.  Nothing is read or written outside
the rows, columns and depth that are asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from pellucid.backends.cpu.ir import BITS, Function, Value, scalar_of, vector

_STRAIGHT_LINE = 96
"""Up to this many multiply-adds a tile is written without any loop."""


def load_lanes(f: Function, scalar: str, pointer: Value, width: int, lanes: int) -> Value:
    """``lanes`` values of which the first ``width`` come from memory and the others are zero."""
    if width == lanes:
        return f.load(vector(lanes, scalar), pointer)
    part = f.load(vector(width, scalar), pointer)
    if width == 1:
        type_ = vector(lanes, scalar)
        return f.assign(type_, f"insertelement {type_} zeroinitializer, {part}, i32 0")
    zero = f"{part.type} zeroinitializer"
    order = ", ".join(f"i32 {i if i < width else width}" for i in range(lanes))
    return f.assign(
        vector(lanes, scalar), f"shufflevector {part}, {zero}, <{lanes} x i32> <{order}>"
    )


def store_lanes(f: Function, value: Value, pointer: Value, width: int, lanes: int) -> None:
    """Write the first ``width`` of ``lanes`` values."""
    scalar = scalar_of(value.type)
    if width == lanes:
        f.store(value, pointer)
    elif width == 1:
        f.store(f.assign(scalar, f"extractelement {value}, i32 0"), pointer)
    else:
        order = ", ".join(f"i32 {i}" for i in range(width))
        text = f"shufflevector {value}, {value.type} poison, <{width} x i32> <{order}>"
        f.store(f.assign(vector(width, scalar), text), pointer)


def multiply_add(f: Function, a: Value, b: Value, c: Value) -> Value:
    """a·b + c, fused where the processor has that instruction (never a library call)."""
    return f.intrinsic("llvm.fmuladd", a.type, a, b, c)


def when(f: Function, condition: Value | bool, body: Callable[[], None]) -> None:
    """Emit ``body`` under a condition; a condition known now costs nothing."""
    if isinstance(condition, bool):
        if condition:
            body()
        return
    yes, after = f.fresh("then"), f.fresh("after")
    f.branch_if(condition, yes, after)
    f.start_block(yes)
    body()
    f.branch(after)
    f.start_block(after)


@dataclass(frozen=True)
class Tile:
    """``rows`` × ``columns`` of C, vectors of ``lanes`` along the columns.

    ``a_row`` and ``a_depth`` are the byte steps of A, ``b_depth`` and ``c_row`` those of B and C.
    ``exact`` says that B ends at the last column; otherwise it is padded to whole vectors.
    ``unroll`` is the number of steps along depth in one turn of the loop.
    """

    scalar: str
    lanes: int
    rows: int
    columns: int
    a_row: int
    a_depth: int
    b_depth: int
    c_row: int
    exact: bool
    unroll: int

    @property
    def widths(self) -> list[int]:
        """Columns in each vector of a row."""
        whole, rest = divmod(self.columns, self.lanes)
        return [self.lanes] * whole + ([rest] if rest else [])

    def emit(
        self,
        f: Function,
        a: Value,
        b: Value,
        c: Value,
        depth: Value | int,
        multiple: int,
        accumulate: Value | bool,
    ) -> None:
        """C tile = (C tile +) Σ over ``depth`` steps of A·B.

        ``multiple`` is a number that ``depth`` is known to be divisible by.
        """
        sums = self._sum(f, a, b, depth, multiple)
        if isinstance(accumulate, bool):
            self._store(f, sums, c, accumulate)
            return
        add, fresh, after = f.fresh("add"), f.fresh("set"), f.fresh("stored")
        f.branch_if(accumulate, add, fresh)
        for label, old in ((add, True), (fresh, False)):
            f.start_block(label)
            self._store(f, sums, c, old)
            f.branch(after)
        f.start_block(after)

    def _sum(
        self, f: Function, a: Value, b: Value, depth: Value | int, multiple: int
    ) -> list[Value]:
        count = self.rows * len(self.widths)
        sums = [f.constant(vector(self.lanes, self.scalar), 0.0)] * count
        if isinstance(depth, int) and depth * count <= _STRAIGHT_LINE:
            return functools.reduce(lambda s, k: self._step(f, s, a, b, k), range(depth), sums)
        if isinstance(depth, int):
            whole, multiple = Value(str(depth // self.unroll * self.unroll), "i64"), 1
        else:
            whole = depth
            if multiple % self.unroll:
                rest = f.binary("urem", depth, f.i64(self.unroll))
                whole = f.binary("sub nsw", depth, rest)
        state = [*sums, a, b]
        with f.loop(0, whole, self.unroll, carried=state, hint="depth") as loop:
            loop.next = self._advance(f, loop.values, self.unroll)
        state = loop.results
        if isinstance(depth, int):
            for _ in range(depth % self.unroll):
                state = self._advance(f, state, 1)
        elif multiple % self.unroll:
            with f.loop(whole, depth, 1, carried=state, hint="rest") as loop:
                loop.next = self._advance(f, loop.values, 1)
            state = loop.results
        return state[:-2]

    def _advance(self, f: Function, state: list[Value], steps: int) -> list[Value]:
        """``steps`` along depth: the sums and both pointers afterwards."""
        *sums, a, b = state
        for k in range(steps):
            sums = self._step(f, sums, a, b, k)
        return [*sums, f.gep(a, steps * self.a_depth), f.gep(b, steps * self.b_depth)]

    def _step(self, f: Function, sums: list[Value], a: Value, b: Value, k: int) -> list[Value]:
        size = BITS[self.scalar] // 8
        widths = self.widths
        row_of_b = [
            load_lanes(
                f,
                self.scalar,
                f.gep(b, k * self.b_depth + index * self.lanes * size),
                width if self.exact else self.lanes,
                self.lanes,
            )
            for index, width in enumerate(widths)
        ]
        result = []
        for row in range(self.rows):
            one = f.load(self.scalar, f.gep(a, row * self.a_row + k * self.a_depth))
            factor = f.splat(one, self.lanes)
            for index, values in enumerate(row_of_b):
                old = sums[row * len(widths) + index]
                result.append(multiply_add(f, factor, values, old))
        return result

    def _store(self, f: Function, sums: list[Value], c: Value, accumulate: bool) -> None:
        size = BITS[self.scalar] // 8
        widths = self.widths
        for row in range(self.rows):
            for index, width in enumerate(widths):
                where = f.gep(c, row * self.c_row + index * self.lanes * size)
                value = sums[row * len(widths) + index]
                if accumulate:
                    old = load_lanes(f, self.scalar, where, width, self.lanes)
                    value = f.fadd(old, value, flags="")
                store_lanes(f, value, where, width, self.lanes)


@dataclass(frozen=True)
class DotTile:
    """``rows`` × ``columns`` of C as dot products of vectors that lie along depth.

    A and B are contiguous along depth; ``a_row``, ``b_column``, ``c_row`` and ``c_column`` are the
    byte steps between rows and columns.
    """

    scalar: str
    lanes: int
    rows: int
    columns: int
    a_row: int
    b_column: int
    c_row: int
    c_column: int

    def emit(
        self,
        f: Function,
        a: Value,
        b: Value,
        c: Value,
        depth: Value | int,
        rest: int,
        last: Value | bool,
        accumulate: bool,
    ) -> None:
        """C tile = (C tile +) A·B over ``depth`` elements.

        ``depth`` is a multiple of ``lanes``, except that the ``last`` part of a sum is followed by
        ``rest`` more elements.
        """
        size = BITS[self.scalar] // 8
        zero = f.constant(vector(self.lanes, self.scalar), 0.0)
        with f.loop(
            0, depth, self.lanes, carried=[zero] * (self.rows * self.columns), hint="depth"
        ) as loop:
            offset = f.binary("mul nsw", loop.index, f.i64(size))
            loop.next = self._step(f, loop.values, f.gep(a, offset), f.gep(b, offset), self.lanes)
        sums = loop.results
        if rest and last is not False:
            sums = self._rest(f, sums, a, b, depth, rest, last)
        for row in range(self.rows):
            for column in range(self.columns):
                where = f.gep(c, row * self.c_row + column * self.c_column)
                value = self._total(f, sums[row * self.columns + column])
                if accumulate:
                    value = f.fadd(f.load(self.scalar, where), value, flags="")
                f.store(value, where)

    def _rest(
        self,
        f: Function,
        sums: list[Value],
        a: Value,
        b: Value,
        depth: Value | int,
        rest: int,
        last: Value | bool,
    ) -> list[Value]:
        size = BITS[self.scalar] // 8
        start = f.i64(depth) if isinstance(depth, int) else depth
        offset = f.binary("mul nsw", start, f.i64(size))
        if isinstance(last, bool):
            return self._step(f, sums, f.gep(a, offset), f.gep(b, offset), rest)
        before, yes, after = f.label, f.fresh("rest"), f.fresh("summed")
        f.branch_if(last, yes, after)
        f.start_block(yes)
        more = self._step(f, sums, f.gep(a, offset), f.gep(b, offset), rest)
        f.branch(after)
        f.start_block(after)
        phis = [f.phi(value.type) for value in sums]
        for phi, old, new in zip(phis, sums, more, strict=True):
            phi.add(old, before)
            phi.add(new, yes)
        return [phi.value for phi in phis]

    def _step(self, f: Function, sums: list[Value], a: Value, b: Value, width: int) -> list[Value]:
        def lines(pointer: Value, step: int, count: int) -> list[Value]:
            return [
                load_lanes(f, self.scalar, f.gep(pointer, i * step), width, self.lanes)
                for i in range(count)
            ]

        if self.rows <= self.columns:
            of_a = lines(a, self.a_row, self.rows)
            of_b = lines(b, self.b_column, self.columns)
        else:
            of_b = lines(b, self.b_column, self.columns)
            of_a = lines(a, self.a_row, self.rows)
        return [
            multiply_add(f, x, y, sums[i * self.columns + j])
            for i, x in enumerate(of_a)
            for j, y in enumerate(of_b)
        ]

    def _total(self, f: Function, value: Value) -> Value:
        """Sum of the lanes, halving the vector each time: (x₀+x₄)+(x₂+x₆)+…."""
        lanes = self.lanes
        while lanes > 1:
            lanes //= 2
            order = ", ".join(f"i32 {i}" for i in range(lanes))
            upper = ", ".join(f"i32 {i + lanes}" for i in range(lanes))
            type_ = f"<{lanes} x {self.scalar}>"
            halves = [
                f.assign(
                    type_, f"shufflevector {value}, {value.type} poison, <{lanes} x i32> <{half}>"
                )
                for half in (order, upper)
            ]
            value = f.fadd(halves[0], halves[1], flags="")
        if value.type.startswith("<"):
            return f.assign(self.scalar, f"extractelement {value}, i32 0")
        return value
