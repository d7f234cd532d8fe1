"""What the kernels of attention share: operands, products of blocks, loops over rows of scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pellucid.backends.cpu.attention_plan import (
    Attention,
    AttentionPlan,
    TileShape,
)
from pellucid.backends.cpu.contraction import KERNEL_ATTRIBUTES, KERNEL_PARAMETERS, operand
from pellucid.backends.cpu.contraction_elements import Elements
from pellucid.backends.cpu.contraction_packing import pack_panel_transpose
from pellucid.backends.cpu.contraction_tiles import Tile, when
from pellucid.backends.cpu.ir import Function, Value, mangle, vector
from pellucid.backends.cpu.lanes import INFINITY, Lanes
from pellucid.backends.cpu.random_bits import philox, uniform
from pellucid.backends.cpu.special_exponential import exponential_of_negative
from pellucid.backends.cpu.tile_choice import depth_unroll

ROWS_TOGETHER = 4
"""Rows of scores that are worked on side by side: one alone waits for each of its steps."""


@dataclass(frozen=True)
class Span:
    """Positions cut into blocks: ``begin ≤ i < begin + count``, at most ``block`` of them."""

    begin: Value
    count: Value
    extent: int
    block: int

    def rests(self, height: int) -> set[int]:
        """What can be left of a block after whole tiles of ``height`` rows."""
        last = (self.extent - 1) % self.block + 1 if self.extent else 0
        full = {self.block} if self.extent > self.block else set()
        return {n % height for n in full | {last}} - {0}

    @property
    def whole(self) -> int | None:
        """The count, if it is known now."""
        return self.extent if self.extent <= self.block else None


class BlockWriter:
    """What both kernels share: operands, products of blocks, loops over rows of scores."""

    def __init__(self, spec: Attention, plan: AttentionPlan, names: tuple[str, ...]) -> None:
        self.f = Function("KERNEL", KERNEL_PARAMETERS, attributes=KERNEL_ATTRIBUTES)
        self.spec, self.plan = spec, plan
        self.size, self.lanes = spec.itemsize, plan.lanes
        self.scalar = "float" if spec.dtype == "float32" else "double"
        self.vector = vector(self.lanes, self.scalar)
        self.places = dict(spec.places)
        present = [n for n in names if n in self.places]
        self.pointers = {name: operand(self.f, i) for i, name in enumerate(present)}
        self.pitch = plan.block * self.size
        self.panel = max(1, spec.width) * plan.scores.columns * self.size
        self.zero = self.f.constant(self.vector, 0.0)

    # ---- addresses ---------------------------------------------------------------------------

    def moved(self, pointer: Value, index: Value, step: int) -> Value:
        """``pointer`` moved by ``index`` steps of ``step`` bytes."""
        f = self.f
        if step == 0 or index.text == "0":
            return pointer
        return f.gep(pointer, f.binary("mul nsw", index, f.i64(step)))

    def enter(self, matrix: Value) -> None:
        """Point to every operand's matrix number ``matrix``."""
        f = self.f
        places: list[Value] = []
        self.matrix = matrix
        for extent in reversed(self.spec.batch[1:]):
            places.insert(0, f.binary("urem", matrix, f.i64(extent)))
            matrix = f.binary("udiv", matrix, f.i64(extent))
        places.insert(0, matrix)
        self.bases: dict[str, Value] = {}
        for name, pointer in self.pointers.items():
            rows = self.places[name]
            size = 1 if name == "mask" and self.spec.mask == "bool" else self.size
            size = 8 if name == "state" else size
            at = f.gep(pointer, rows.offset * size) if rows.offset else pointer
            for place, stride in zip(places, rows.batch, strict=False):
                at = self.moved(at, place, stride * size)
            self.bases[name] = at

    def row(self, name: str, index: Value) -> Value:
        """Address of a row of the current matrix."""
        return self.moved(self.bases[name], index, self.step(name))

    def step(self, name: str) -> int:
        """Bytes from row to row."""
        size = 1 if name == "mask" and self.spec.mask == "bool" else self.size
        return self.places[name].row * size

    def stack(self, elements: int) -> Value:
        """Scratch on the stack."""
        return self.f.stack_array(self.scalar, max(1, elements))

    # ---- products ----------------------------------------------------------------------------

    def tiles(self, span: Span, shape: TileShape, body: Callable[[Value, int], None]) -> None:
        """``body(row, height)`` for whole tiles of a block's rows and for what is left."""
        f, height = self.f, shape.rows
        rests = span.rests(height)
        if span.whole is not None:
            rest = span.whole % height
            with f.loop(0, span.whole - rest, height, hint="tile") as loop:
                body(loop.index, height)
            if rest:
                body(f.i64(span.whole - rest), rest)
            return
        if not rests:
            with f.loop(0, span.count, height, hint="tile") as loop:
                body(loop.index, height)
            return
        rest_value = f.binary("urem", span.count, f.i64(height))
        end = f.binary("sub nsw", span.count, rest_value)
        with f.loop(0, end, height, hint="tile") as loop:
            body(loop.index, height)
        for rest in sorted(rests):
            here = f.compare("icmp eq", rest_value, f.i64(rest))
            when(f, here, lambda rest=rest: body(end, rest))  # type: ignore[misc]

    def make_scores(
        self, a: Value, a_row: int, panels: Value, to: Value, rows: Span, count: Value
    ) -> None:
        """to[i, j] = a[i] · (packed row j), for ``count`` panels of packed rows."""
        f, shape = self.f, self.plan.scores
        with f.loop(0, count, hint="panel") as panel:
            b = self.moved(panels, panel.index, self.panel)
            c = self.moved(to, panel.index, shape.columns * self.size)

            def body(row: Value, height: int) -> None:
                tile = Tile(
                    self.scalar, shape.lanes, height, shape.columns, a_row, self.size,
                    shape.columns * self.size, self.pitch, False, depth_unroll(self.spec.width),
                    opaque=self.plan.opaque,
                )  # fmt: skip
                at, target = self.moved(a, row, a_row), self.moved(c, row, self.pitch)
                tile.emit(f, at, b, target, self.spec.width, 1, False)

            self.tiles(rows, shape, body)

    def add_product(
        self,
        a: Value,
        a_steps: tuple[int, int],
        name: str,
        start: Value,
        c: Value,
        c_row: int,
        rows: Span,
        depth: Span,
        columns: tuple[int, TileShape],
        accumulate: Value | bool,
        depth_count: Value | None = None,
    ) -> None:
        """c (+)= a · rows ``start`` … of the operand ``name``, as wide as that is."""
        f, (width, shape) = self.f, columns
        b, b_row = self.row(name, start), self.step(name)
        known = depth.whole if depth_count is None else None
        count: Value | int = known if known is not None else (depth_count or depth.count)
        # What the count is a multiple of, as far as blocks and ends say so.
        unroll = 4
        ends = (depth.extent, depth.block, *((self.spec.queries,) if depth_count else ()))
        multiple = unroll if all(n % unroll == 0 for n in ends) else 1

        def panel(column: Value, wide: int) -> None:
            def body(row: Value, height: int) -> None:
                tile = Tile(
                    self.scalar, shape.lanes, height, wide, a_steps[0], a_steps[1],
                    b_row, c_row, True, unroll, opaque=self.plan.opaque,
                )  # fmt: skip
                at = self.moved(a, row, a_steps[0])
                target = self.moved(self.moved(c, row, c_row), column, self.size)
                source = self.moved(b, column, self.size)
                tile.emit(f, at, source, target, count, multiple, accumulate)

            self.tiles(rows, shape, body)

        whole = width // shape.columns * shape.columns
        if whole == shape.columns:
            panel(f.i64(0), shape.columns)
        elif whole:
            with f.loop(0, whole, shape.columns, hint="panel") as loop:
                panel(loop.index, shape.columns)
        if width - whole:
            panel(f.i64(whole), width - whole)

    def pack(self, name: str, keys: Span, to: Value) -> None:
        """Rows of ``name`` of a block as panels of columns; the last panel filled with zeros."""
        f, shape, spec = self.f, self.plan.scores, self.spec
        source, step = self.row(name, keys.begin), self.step(name)
        wide, width = shape.columns, spec.width if name == "k" else spec.value_width
        region = max(1, width) * wide * self.size
        rest = spec.keys % wide
        panels = f.binary("udiv", keys.count, f.i64(wide))
        with f.loop(0, panels, hint="panel") as panel:
            pack_panel_transpose(
                f, Elements(self.scalar), shape.lanes, wide,
                self.moved(source, panel.index, wide * step), step,
                self.moved(to, panel.index, region), f.i64(width), max(1, width),
            )  # fmt: skip
        if not rest:
            return
        begin = f.binary("mul nsw", panels, f.i64(wide))

        def fill() -> None:
            first, target = self.moved(source, begin, step), self.moved(to, panels, region)
            with f.loop(0, width, hint="gather") as loop:
                at = self.moved(first, loop.index, self.size)
                place = self.moved(target, loop.index, wide * self.size)
                for column in range(wide):
                    value = f.constant(self.scalar, 0.0)
                    if column < rest:
                        value = f.load(self.scalar, f.gep(at, column * step))
                    f.store(value, f.gep(place, column * self.size))

        when(f, f.compare("icmp slt", begin, keys.count), fill)

    def panels_of(self, count: Value) -> Value:
        """Panels that hold so many keys."""
        f, wide = self.f, self.plan.scores.columns
        return f.binary("udiv", f.binary("add nsw", count, f.i64(wide - 1)), f.i64(wide))

    # ---- rows of scores ----------------------------------------------------------------------

    def seen(self, query: Value, keys: Span, count: Value) -> Value:
        """How many of the first ``count`` keys of a block the query may look at."""
        f = self.f
        if not self.spec.causal:
            return count
        limit = f.binary("sub nsw", f.binary("add nsw", query, f.i64(1)), keys.begin)
        return f.intrinsic(
            "llvm.smax", "i64", f.intrinsic("llvm.smin", "i64", limit, count), f.i64(0)
        )

    def each_row(self, rows: Span, body: Callable[[list[Value]], None]) -> None:
        """``body`` for a few rows at a time, whose chains of operations then run side by side."""
        # Drawing numbers for dropout is work enough for one row, and long text for four.
        f, together = self.f, 1 if self.spec.dropout else ROWS_TOGETHER
        if rows.whole is not None:
            groups = f.i64(rows.whole // together * together)
        else:
            groups = f.binary("and", rows.count, f.i64(-together))
        with f.loop(0, groups, together, hint="rows") as loop:
            body([f.binary("add nsw", loop.index, f.i64(i)) for i in range(together)])
        if rows.rests(together):
            with f.loop(groups, rows.count, hint="row") as loop:
                body([loop.index])

    def each_vector(
        self,
        counts: list[Value],
        carried: list[Value],
        body: Callable[[Value, list[Value | None], list[Value]], list[Value]],
    ) -> list[Value]:
        """``body(place, masks, values)`` over vectors of rows with ``counts`` elements, ascending.

        ``place`` is the vector's first element; a mask says which lanes of a row count, None that
        all do.
        """
        f, lanes = self.f, self.lanes
        everywhere: list[Value | None] = [None] * len(counts)
        aligned = self.aligned()
        whole = counts[0] if aligned else f.binary("and", counts[0], f.i64(-lanes))
        with f.loop(0, whole, lanes, carried=carried, hint="v") as loop:
            loop.next = body(self.hidden(loop.index), everywhere, loop.values)
        if aligned or lanes == 1:
            return loop.results
        ordinal = "<" + ", ".join(f"i32 {i}" for i in range(lanes)) + ">"
        places = Value(ordinal, f"<{lanes} x i32>")
        with f.loop(whole, counts[-1], lanes, carried=loop.results, hint="part") as part:
            masks: list[Value | None] = []
            begin = self.hidden(part.index)
            for count in counts:
                left = f.cast("trunc", f.binary("sub nsw", count, begin), "i32")
                masks.append(f.compare("icmp slt", places, f.splat(left, lanes)))
            part.next = body(begin, masks, part.values)
        return part.results

    def hidden(self, index: Value) -> Value:
        """A position in a row, whose loop LLVM shall not rewrite (half of its time, no speed)."""
        return self.f.opaque(index) if self.plan.opaque else index

    def clear(self, pointers: list[Value], begin: Value, end: Value) -> None:
        """Zeros from element ``begin``, rounded up to whole vectors, to ``end``."""
        f, lanes = self.f, self.lanes
        if not self.spec.causal:
            return
        first = f.binary("and", f.binary("add nsw", begin, f.i64(lanes - 1)), f.i64(-lanes))
        with f.loop(first, end, lanes, hint="clear") as loop:
            for pointer in pointers:
                f.store(self.zero, self.moved(pointer, loop.index, self.size))

    def masked_scores(
        self, pointer: Value, at: Value, lanes: Value | None, mask_row: Value | None
    ) -> Value:
        """scale · scores + mask; −∞ in lanes that do not count."""
        f, spec = self.f, self.spec
        scores = f.load(self.vector, self.moved(pointer, at, self.size))
        if spec.scale != 1.0:
            scores = f.fmul(scores, f.constant(self.vector, spec.scale), "")
        hidden = f.constant(self.vector, -INFINITY)
        if mask_row is not None:
            given = self._mask_values(mask_row, at, lanes)
            if spec.mask == "bool":
                scores = f.select(given, scores, hidden)
            else:
                scores = f.fadd(scores, given, "")
        return scores if lanes is None else f.select(lanes, scores, hidden)

    def _mask_values(self, row: Value, at: Value, lanes: Value | None) -> Value:
        """Lanes of the mask from element ``at`` on: i1, or what to add."""
        f, boolean = self.f, self.spec.mask == "bool"
        scalar = "i8" if boolean else self.scalar
        if self.places["mask"].column == 0:
            values = f.splat(f.load(scalar, row), self.lanes)
        else:
            pointer = self.moved(row, at, 1 if boolean else self.size)
            type_ = vector(self.lanes, scalar)
            if lanes is None:
                values = f.load(type_, pointer)
            else:
                values = f.intrinsic(
                    "llvm.masked.load", type_, pointer, Value("1", "i32"), lanes,
                    f.constant(type_, 0), overload=f"{mangle(type_)}.p0",
                )  # fmt: skip
        return f.compare("icmp ne", values, f.constant(values.type, 0)) if boolean else values

    def total(self, value: Value, kind: str) -> Value:
        """Sum or largest of the lanes, halving the vector each time."""
        f, lanes = self.f, self.lanes
        while lanes > 1:
            lanes //= 2
            halves = []
            for first in (0, lanes):
                order = ", ".join(f"i32 {i + first}" for i in range(lanes))
                text = f"shufflevector {value}, {value.type} poison, <{lanes} x i32> <{order}>"
                if lanes == 1:
                    text = f"extractelement {value}, i32 {first}"
                halves.append(f.assign(vector(lanes, self.scalar), text))
            low, high = halves
            value = f.fadd(low, high, "") if kind == "sum" else self.larger(low, high)
        return value

    def larger(self, a: Value, b: Value) -> Value:
        """The larger of two; a NaN in b is passed over (the sum of the row will be NaN)."""
        return self.f.select(self.f.compare("fcmp ogt", b, a), b, a)

    def exp(self, x: Value) -> Value:
        """e^x for x ≤ 0."""
        return exponential_of_negative(Lanes(self.f, x)).value

    def first_number(self, query: Value, keys: Span) -> Value | None:
        """The number, among all scores, of a query's first score of a block; for dropout."""
        f, spec = self.f, self.spec
        if "state" not in self.bases:
            return None
        before = f.binary("mul nsw", self.matrix, f.i64(spec.queries))
        row = f.binary("mul nsw", f.binary("add nsw", before, query), f.i64(spec.keys))
        return f.binary("add nsw", row, keys.begin)

    def dropped(self, value: Value, first: Value | None, at: Value) -> Value:
        """A vector of weights, or of their derivatives, after dropout."""
        f, lanes, spec = self.f, self.lanes, self.spec
        if first is None:
            return value
        state = self.bases["state"]
        key, draw = (f.splat(f.load("i64", f.gep(state, 8 * i)), lanes) for i in (0, 1))
        ordinal = Value("0", "i64")
        if lanes > 1:
            numbers = ", ".join(f"i64 {i}" for i in range(lanes))
            ordinal = Value(f"<{numbers}>", vector(lanes, "i64"))
        place = f.binary("add", f.splat(f.binary("add nsw", first, at), lanes), ordinal)
        words = philox(f, key, place, draw)
        if self.scalar == "float":
            number = uniform(f, words[0], "float")
        else:
            wide = vector(lanes, "i64")
            high = f.binary("shl", f.cast("zext", words[0], wide), f.constant(wide, 32))
            number = uniform(f, f.binary("or", high, f.cast("zext", words[1], wide)), "double")
        factor = 0.0 if spec.dropout == 1 else 1 / (1 - spec.dropout)
        kept = f.compare("fcmp oge", number, f.constant(self.vector, spec.dropout))
        return f.select(kept, f.fmul(value, f.constant(self.vector, factor), ""), self.zero)

    def mask_row(self, query: Value, key: Value) -> Value | None:
        """Address of the mask for a query, from a key on."""
        if not self.spec.mask:
            return None
        size = 1 if self.spec.mask == "bool" else self.size
        return self.moved(self.row("mask", query), key, self.places["mask"].column * size)

    def finish(self) -> Function:
        """The function, ended."""
        self.f.ret()
        return self.f

    def span(self, number: Value, extent: int) -> Span:
        """Block ``number`` of ``extent`` positions."""
        f, block = self.f, self.plan.block
        if extent <= block:
            return Span(f.i64(0), f.i64(extent), extent, block)
        begin = f.binary("mul nsw", number, f.i64(block))
        left = f.binary("sub nsw", f.i64(extent), begin)
        count = f.intrinsic("llvm.smin", "i64", left, f.i64(block))
        return Span(begin, count, extent, block)

    def aligned(self) -> bool:
        """Whether every row of a block of scores is made of whole vectors."""
        spec = self.spec
        return not spec.causal and spec.keys % self.lanes == 0 and self.plan.block % self.lanes == 0

    def units(self, body: Callable[[Value], None]) -> None:
        """The loop over the units of the chunks that this call does."""
        f, plan = self.f, self.plan
        first = f.binary("mul nsw", f.argument("begin"), f.i64(plan.group))
        last = f.binary("mul nsw", f.argument("end"), f.i64(plan.group))
        last = f.intrinsic("llvm.smin", "i64", last, f.i64(plan.units))
        with f.loop(first, last, hint="unit") as unit:
            body(unit.index)
