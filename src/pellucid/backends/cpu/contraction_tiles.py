"""Register tiles: the innermost part of a contraction.

A tile is a few rows times a few vectors of C that stay in registers while the sum over depth runs.
:class:`Tile` walks depth one element at a time (a broadcast of A times a vector of B), after Goto
and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008).  :class:`DotTile`
walks depth one vector at a time, for products with few rows or columns whose operands are both
contiguous along depth, where rearranging B would cost more than multiplying.

Steps along depth are single numbers, or pairs of bfloat16 in 32 bits (see
:mod:`.contraction_elements`).  Offsets are in bytes and known when the kernel is generated.
Nothing is read or written outside the rows, columns and depth that are asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from pellucid.backends.cpu.contraction_elements import Elements, filled, pair_dot
from pellucid.backends.cpu.ir import BITS, Function, Value, scalar_of, vector

_STRAIGHT_LINE = 96
"""Up to this many multiply-adds a tile is written without any loop."""


def load_lanes(f: Function, scalar: str, pointer: Value, width: int, lanes: int) -> Value:
    """``lanes`` values of which the first ``width`` come from memory and the others are zero."""
    return filled(f, f.load(vector(width, scalar), pointer), lanes)


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


def combine(f: Function, pairs: str, a: Value, b: Value, c: Value) -> Value:
    """a·b + c, of numbers or of pairs."""
    return pair_dot(f, pairs, a, b, c) if pairs else multiply_add(f, a, b, c)


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


def for_rows(f: Function, height: int, done: Value | None, body: Callable[[int], None]) -> None:
    """Emit ``body`` for the rows of a tile that were not ``done`` before: those from there on.

    Nearly all tiles are new, so that one branch asks for all rows.
    """
    if done is None or done.text == "0":
        for row in range(height):
            body(row)
        return
    fresh, partly, after = f.fresh("fresh"), f.fresh("partly"), f.fresh("stored")
    f.branch_if(f.compare("icmp eq", done, f.i64(0)), fresh, partly)
    f.start_block(fresh)
    for row in range(height):
        body(row)
    f.branch(after)
    f.start_block(partly)
    for row in range(1, height):
        when(f, f.compare("icmp sle", done, f.i64(row)), functools.partial(body, row))
    f.branch(after)
    f.start_block(after)


@dataclass(frozen=True)
class Tile:
    """``rows`` × ``columns`` of C, vectors of ``lanes`` along the columns.

    ``a_row`` and ``a_depth`` are the byte steps of A, ``b_depth`` and ``c_row`` those of B and C.
    ``exact`` says that B ends at the last column; otherwise it is padded to whole vectors.
    ``unroll`` is the number of steps along depth in one iteration of the loop.  ``pairs`` names the
    kind of :func:`pair_dot` for operands in pairs; ``source`` says how B is read where it is not
    packed and not in the form that is multiplied.
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
    pairs: str = ""
    source: Elements | None = None
    opaque: bool = False
    """Whether addresses in the loop are hidden from LLVM's loop passes (see StridedPlan)."""

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
        done: Value | None = None,
    ) -> None:
        """C tile = (C tile +) Σ over ``depth`` steps of A·B.

        ``multiple`` is a number that ``depth`` is known to be divisible by.  The first ``done``
        rows are not stored.
        """
        sums = self._sum(f, a, b, depth, multiple)
        if isinstance(accumulate, bool):
            self._store(f, sums, c, accumulate, done)
            return
        add, fresh, after = f.fresh("add"), f.fresh("set"), f.fresh("stored")
        f.branch_if(accumulate, add, fresh)
        for label, old in ((add, True), (fresh, False)):
            f.start_block(label)
            self._store(f, sums, c, old, done)
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
        at_a, at_b = (f.opaque(a), f.opaque(b)) if self.opaque else (a, b)
        for k in range(steps):
            sums = self._step(f, sums, at_a, at_b, k)
        return [*sums, f.gep(a, steps * self.a_depth), f.gep(b, steps * self.b_depth)]

    def _step(self, f: Function, sums: list[Value], a: Value, b: Value, k: int) -> list[Value]:
        element = "i32" if self.pairs else self.scalar
        source = self.source or Elements(element)
        row_of_b = [
            filled(
                f,
                source.across(
                    f,
                    f.gep(b, k * self.b_depth + index * self.lanes * source.size),
                    self.b_depth // 2,
                    width if self.exact else self.lanes,
                ),
                self.lanes,
            )
            for index, width in enumerate(self.widths)
        ]
        result = []
        for row in range(self.rows):
            one = f.load(element, f.gep(a, row * self.a_row + k * self.a_depth))
            factor = f.splat(one, self.lanes)
            for index, values in enumerate(row_of_b):
                old = sums[row * len(row_of_b) + index]
                result.append(combine(f, self.pairs, factor, values, old))
        return result

    def _store(
        self, f: Function, sums: list[Value], c: Value, accumulate: bool, done: Value | None
    ) -> None:
        size = BITS[self.scalar] // 8
        widths = self.widths

        def store_row(row: int) -> None:
            for index, width in enumerate(widths):
                where = f.gep(c, row * self.c_row + index * self.lanes * size)
                value = sums[row * len(widths) + index]
                if accumulate:
                    old = load_lanes(f, self.scalar, where, width, self.lanes)
                    value = f.fadd(old, value, flags="")
                store_lanes(f, value, where, width, self.lanes)

        for_rows(f, self.rows, done, store_row)


@dataclass(frozen=True)
class DotTile:
    """``rows`` × ``columns`` of C as dot products of vectors that lie along depth.

    A and B, read as ``a`` and ``b`` say, are contiguous along depth; ``a_row``, ``b_column``,
    ``c_row`` and ``c_column`` are the byte steps between rows and columns.
    """

    scalar: str
    lanes: int
    rows: int
    columns: int
    a_row: int
    b_column: int
    c_row: int
    c_column: int
    a: Elements
    b: Elements

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

        ``depth`` is a multiple of ``lanes`` steps, except that the ``last`` part of a sum is
        followed by ``rest`` more elements.
        """
        zero = f.constant(vector(self.lanes, self.scalar), 0.0)
        step = self.lanes * self.a.each
        with f.loop(
            0, depth, step, carried=[zero] * (self.rows * self.columns), hint="depth"
        ) as loop:
            at_a, at_b = self._places(f, a, b, loop.index)
            loop.next = self._step(f, loop.values, at_a, at_b, step)
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

    def _places(self, f: Function, a: Value, b: Value, index: Value) -> list[Value]:
        """Where element ``index`` along depth lies in both operands."""
        sizes = self.a.size, self.b.size
        return [
            f.gep(pointer, f.binary("mul nsw", index, f.i64(size)))
            for pointer, size in zip((a, b), sizes, strict=True)
        ]

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
        start = f.i64(depth) if isinstance(depth, int) else depth
        at_a, at_b = self._places(f, a, b, start)
        if isinstance(last, bool):
            return self._last_step(f, sums, at_a, at_b, rest)
        before, yes, after = f.label, f.fresh("rest"), f.fresh("summed")
        f.branch_if(last, yes, after)
        f.start_block(yes)
        more = self._last_step(f, sums, at_a, at_b, rest)
        f.branch(after)
        f.start_block(after)
        phis = [f.phi(value.type) for value in sums]
        for phi, old, new in zip(phis, sums, more, strict=True):
            phi.add(old, before)
            phi.add(new, yes)
        return [phi.value for phi in phis]

    def _last_step(
        self, f: Function, sums: list[Value], a: Value, b: Value, rest: int
    ) -> list[Value]:
        """``rest`` elements, fewer than a vector of steps; the last may be half a pair."""
        odd = rest % self.a.each
        if rest > odd:
            sums = self._step(f, sums, a, b, rest - odd)
        if odd:
            a, b = f.gep(a, (rest - odd) * self.a.size), f.gep(b, (rest - odd) * self.b.size)
            sums = self._step(f, sums, a, b, 1)
        return sums

    def _step(self, f: Function, sums: list[Value], a: Value, b: Value, width: int) -> list[Value]:
        """``width`` elements along depth."""

        def line(source: Elements, pointer: Value, step: int) -> Value:
            at = f.gep(pointer, step)
            if width < source.each:
                part = source.across(f, at, 0, 1, half=True)
            else:
                part = source.along(f, at, width // source.each)
            return filled(f, part, self.lanes)

        # The shorter side stays in registers; of the other one is needed at a time.
        few_rows = self.rows <= self.columns
        sides = [
            [(self.a, a, row * self.a_row) for row in range(self.rows)],
            [(self.b, b, column * self.b_column) for column in range(self.columns)],
        ]
        kept = [line(*place) for place in sides[0 if few_rows else 1]]
        result = list(sums)
        for i, place in enumerate(sides[1 if few_rows else 0]):
            one = line(*place)
            for j, other in enumerate(kept):
                row, column, x, y = (j, i, other, one) if few_rows else (i, j, one, other)
                at = row * self.columns + column
                result[at] = combine(f, self.a.pairs, x, y, sums[at])
        return result

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
