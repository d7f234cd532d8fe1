"""Attention as generated kernels that never store the scores.

Forward, for a block of queries: for each block of keys the scores, their exponentials against a
running maximum, and the product with the values; earlier results are scaled down when the maximum
grows (Milakov and Gimelshein, 2018; Rabe and Staats, 2021; Dao et al., 2022).  The gradient
computes the scores again: e^(score − log of the row's sum) is the weight.  Blocks that a causal
mask hides are skipped.  Scores of a block lie on the stack and stay in the nearest caches; keys
(and in the gradient values) of a block are packed for the register tiles of the matrix products.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pellucid.backends.cpu.attention_plan import (
    Attention,
    AttentionPlan,
    TileShape,
    plan_attention,
)
from pellucid.backends.cpu.contraction import KERNEL_ATTRIBUTES, KERNEL_PARAMETERS, operand
from pellucid.backends.cpu.contraction_packing import pack_panel_transpose
from pellucid.backends.cpu.contraction_plan import depth_unroll
from pellucid.backends.cpu.contraction_tiles import Tile, load_lanes, store_lanes, when
from pellucid.backends.cpu.ir import Function, Value, mangle, vector
from pellucid.backends.cpu.lanes import INFINITY, Lanes
from pellucid.backends.cpu.special_exponential import exponential_of_negative, logarithm
from pellucid.backends.cpu.target import Target

FORWARD = ("q", "k", "v", "mask", "out", "log_sum")
BACKWARD = ("q", "k", "v", "mask", "out", "log_sum", "g", "dq", "dk", "dv", "delta")
"""Order of the operands, of which those that are not there are left out."""
ROWS_TOGETHER = 4
"""Rows of scores that are worked on side by side: one alone waits for each of its steps."""


@dataclass(frozen=True)
class _Span:
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


class _Writer:
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
        for extent in reversed(self.spec.batch[1:]):
            places.insert(0, f.binary("urem", matrix, f.i64(extent)))
            matrix = f.binary("udiv", matrix, f.i64(extent))
        places.insert(0, matrix)
        self.bases: dict[str, Value] = {}
        for name, pointer in self.pointers.items():
            rows = self.places[name]
            size = 1 if name == "mask" and self.spec.mask == "bool" else self.size
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

    def tiles(self, span: _Span, shape: TileShape, body: Callable[[Value, int], None]) -> None:
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
        self, a: Value, a_row: int, panels: Value, to: Value, rows: _Span, count: Value
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
        rows: _Span,
        depth: _Span,
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
                    b_row, c_row, True, unroll,
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

    def pack(self, name: str, keys: _Span, to: Value) -> None:
        """Rows of ``name`` of a block as panels of columns; the last panel filled with zeros."""
        f, shape, spec = self.f, self.plan.scores, self.spec
        source, step = self.row(name, keys.begin), self.step(name)
        wide, width = shape.columns, spec.width if name == "k" else spec.value_width
        region = max(1, width) * wide * self.size
        rest = spec.keys % wide
        panels = f.binary("udiv", keys.count, f.i64(wide))
        with f.loop(0, panels, hint="panel") as panel:
            pack_panel_transpose(
                f, self.scalar, shape.lanes, wide, self.moved(source, panel.index, wide * step),
                step, self.moved(to, panel.index, region), f.i64(width), max(1, width),
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

    def seen(self, query: Value, keys: _Span, count: Value) -> Value:
        """How many of the first ``count`` keys of a block the query may look at."""
        f = self.f
        if not self.spec.causal:
            return count
        limit = f.binary("sub nsw", f.binary("add nsw", query, f.i64(1)), keys.begin)
        return f.intrinsic(
            "llvm.smax", "i64", f.intrinsic("llvm.smin", "i64", limit, count), f.i64(0)
        )

    def each_row(self, rows: _Span, body: Callable[[list[Value]], None]) -> None:
        """``body`` for a few rows at a time, whose chains of operations then run side by side."""
        f = self.f
        if rows.whole is not None:
            groups = f.i64(rows.whole // ROWS_TOGETHER * ROWS_TOGETHER)
        else:
            groups = f.binary("and", rows.count, f.i64(-ROWS_TOGETHER))
        with f.loop(0, groups, ROWS_TOGETHER, hint="rows") as loop:
            body([f.binary("add nsw", loop.index, f.i64(i)) for i in range(ROWS_TOGETHER)])
        if rows.rests(ROWS_TOGETHER):
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
            loop.next = body(loop.index, everywhere, loop.values)
        if aligned or lanes == 1:
            return loop.results
        ordinal = "<" + ", ".join(f"i32 {i}" for i in range(lanes)) + ">"
        places = Value(ordinal, f"<{lanes} x i32>")
        with f.loop(whole, counts[-1], lanes, carried=loop.results, hint="part") as part:
            masks: list[Value | None] = []
            for count in counts:
                left = f.cast("trunc", f.binary("sub nsw", count, part.index), "i32")
                masks.append(f.compare("icmp slt", places, f.splat(left, lanes)))
            part.next = body(part.index, masks, part.values)
        return part.results

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

    def span(self, number: Value, extent: int) -> _Span:
        """Block ``number`` of ``extent`` positions."""
        f, block = self.f, self.plan.block
        if extent <= block:
            return _Span(f.i64(0), f.i64(extent), extent, block)
        begin = f.binary("mul nsw", number, f.i64(block))
        left = f.binary("sub nsw", f.i64(extent), begin)
        count = f.intrinsic("llvm.smin", "i64", left, f.i64(block))
        return _Span(begin, count, extent, block)

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


# ---- forward ---------------------------------------------------------------------------------


def emit_attention(spec: Attention, target: Target) -> tuple[Function, AttentionPlan]:
    """The kernel that writes ``out`` and, if it is there, ``log_sum``; operands as FORWARD."""
    plan = plan_attention(spec, target, False)
    return _Forward(spec, plan, FORWARD).emit(), plan


class _Forward(_Writer):
    """Writes the forward kernel: a unit is a block of queries of one matrix."""

    def emit(self) -> Function:
        """The whole kernel."""
        plan, spec = self.plan, self.spec
        block = plan.block
        self.scores = self.stack(block * block)
        self.panels = self.stack(block * max(1, spec.width))
        self.result = self.stack(block * max(1, spec.value_width))
        self.largest, self.sums = self.stack(block), self.stack(block)
        self.units(self._unit)
        return self.finish()

    def _unit(self, unit: Value) -> None:
        f, spec, plan = self.f, self.spec, self.plan
        blocks = -(-spec.queries // plan.block)
        self.enter(unit if blocks == 1 else f.binary("udiv", unit, f.i64(blocks)))
        number = f.i64(0) if blocks == 1 else f.binary("urem", unit, f.i64(blocks))
        rows = self.span(number, spec.queries)
        with f.loop(0, rows.count, hint="row") as row:
            at = f.binary("mul nsw", row.index, f.i64(self.size))
            f.store(f.constant(self.scalar, -INFINITY), f.gep(self.largest, at))
            f.store(f.constant(self.scalar, 0.0), f.gep(self.sums, at))
        stop = f.i64(spec.keys)
        if spec.causal:
            end = f.binary("add nsw", rows.begin, rows.count)
            stop = f.intrinsic("llvm.smin", "i64", stop, end)
        if self.spec.mask == "bool":
            self._clear_result(rows)
        with f.loop(0, stop, plan.block, hint="keys") as loop:
            begin = loop.index
            needed = self._any_seen(rows, begin) if self.spec.mask == "bool" else True
            when(f, needed, lambda: self._keys(rows, begin, stop))
        self._write(rows)

    def _clear_result(self, rows: _Span) -> None:
        """Zeros: the first block of keys may be one that nobody looks at."""
        f, width = self.f, self.spec.value_width
        with f.loop(0, rows.count, hint="row") as row:
            at = self.moved(self.result, row.index, width * self.size)
            for start in range(0, width, self.lanes):
                count = min(self.lanes, width - start)
                store_lanes(f, self.zero, f.gep(at, start * self.size), count, self.lanes)

    def _any_seen(self, rows: _Span, begin: Value) -> Value:
        """Whether the mask lets a query of the block look at one of the next keys."""
        f, plan = self.f, self.plan
        left = f.binary("sub nsw", f.i64(self.spec.keys), begin)
        count = f.intrinsic("llvm.smin", "i64", left, f.i64(plan.block))
        count = f.i64(1) if self.places["mask"].column == 0 else count
        queries = rows.count if self.places["mask"].row else f.i64(1)
        none = f.constant("i8", 0)
        with f.loop(0, queries, carried=[none], hint="query") as row:
            query = f.binary("add nsw", rows.begin, row.index)
            at = self.mask_row(query, begin) or self.bases["mask"]
            with f.loop(0, count, carried=row.values, hint="key") as key:
                seen = f.load("i8", self.moved(at, key.index, 1))
                key.next = [f.binary("or", key.values[0], seen)]
            row.next = key.results
        return f.compare("icmp ne", row.results[0], none)

    def _keys(self, rows: _Span, begin: Value, stop: Value) -> None:
        """One block of keys for one of queries."""
        f, spec, plan = self.f, self.spec, self.plan
        left = f.binary("sub nsw", f.i64(spec.keys), begin)
        full = f.intrinsic("llvm.smin", "i64", left, f.i64(plan.block))
        keys = _Span(begin, full, spec.keys, plan.block)
        count = full
        if spec.causal:
            count = f.intrinsic("llvm.smin", "i64", full, f.binary("sub nsw", stop, begin))
        self.pack("k", keys, self.panels)
        q = self.row("q", rows.begin)
        self.make_scores(q, self.step("q"), self.panels, self.scores, rows, self.panels_of(count))
        later: Value | bool = True
        if spec.mask != "bool":
            later = f.compare("icmp ne", begin, f.i64(0))
        self.each_row(rows, lambda group: self._weights(rows, group, keys, count, later))
        if "out" not in self.places:
            return
        width = spec.value_width
        self.add_product(
            self.scores, (self.pitch, self.size), "v", begin, self.result, width * self.size,
            rows, keys, (width, plan.values), later, count if spec.causal else None,
        )  # fmt: skip

    def _weights(
        self,
        rows: _Span,
        group: list[Value],
        keys: _Span,
        count: Value,
        later: Value | bool,
    ) -> None:
        """Rows of scores become weights against the running maxima, in place."""
        f = self.f
        scores = [self.moved(self.scores, row, self.pitch) for row in group]
        queries = [f.binary("add nsw", rows.begin, row) for row in group]
        seen = [self.seen(query, keys, count) for query in queries]
        masks = [self.mask_row(query, keys.begin) for query in queries]
        most = self._most(scores, seen, masks)
        before = [f.load(self.scalar, self.moved(self.largest, row, self.size)) for row in group]
        references = []
        for row, old, vector_most in zip(group, before, most, strict=True):
            largest = self.larger(old, self.total(vector_most, "max"))
            f.store(largest, self.moved(self.largest, row, self.size))
            hidden = f.compare("fcmp oeq", largest, f.constant(self.scalar, -INFINITY))
            references.append(f.select(hidden, f.constant(self.scalar, 0.0), largest))
        sums = self._grow(scores, seen, bool(self.spec.mask), references)
        self.clear(scores, seen[-1], count)
        totals = [self.total(value, "sum") for value in sums]
        places = [self.moved(self.sums, row, self.size) for row in group]

        def first() -> None:
            for total, place in zip(totals, places, strict=True):
                f.store(total, place)

        def again() -> None:
            for row, total, place, old, new in zip(
                group, totals, places, before, references, strict=True
            ):
                shrink = self.exp(f.fsub(old, new, ""))
                f.store(f.fadd(f.fmul(f.load(self.scalar, place), shrink, ""), total, ""), place)
                if "out" in self.places:
                    self._shrink(row, shrink)

        if isinstance(later, bool):
            again()
            return
        yes, no, after = (f.fresh(n) for n in ("again", "first", "done"))
        f.branch_if(later, yes, no)
        for label, body in ((yes, again), (no, first)):
            f.start_block(label)
            body()
            f.branch(after)
        f.start_block(after)

    def _most(
        self, scores: list[Value], seen: list[Value], masks: list[Value | None]
    ) -> list[Value]:
        """The largest of each lane; where there is a mask, scores are kept with it applied."""
        f = self.f

        def find(at: Value, lanes: list[Value | None], carried: list[Value]) -> list[Value]:
            result = []
            for row, part, mask, old in zip(scores, lanes, masks, carried, strict=True):
                value = self.masked_scores(row, at, part, mask)
                if mask is not None:
                    f.store(value, self.moved(row, at, self.size))
                result.append(self.larger(old, value))
            return result

        return self.each_vector(seen, [f.constant(self.vector, -INFINITY)] * len(seen), find)

    def _grow(
        self, scores: list[Value], seen: list[Value], kept: bool, references: list[Value]
    ) -> list[Value]:
        """e^(score − reference) in place of scores; the sums of each lane."""
        f = self.f
        wide = [f.splat(reference, self.lanes) for reference in references]

        def grow(at: Value, lanes: list[Value | None], carried: list[Value]) -> list[Value]:
            result = []
            for row, part, reference, old in zip(scores, lanes, wide, carried, strict=True):
                if kept:
                    value = f.load(self.vector, self.moved(row, at, self.size))
                else:
                    value = self.masked_scores(row, at, part, None)
                weight = self.exp(f.fsub(value, reference, ""))
                f.store(weight, self.moved(row, at, self.size))
                result.append(f.fadd(old, weight, ""))
            return result

        return self.each_vector(seen, [self.zero] * len(seen), grow)

    def _shrink(self, row: Value, factor: Value) -> None:
        """Scale a row of the result so far."""
        f, width = self.f, self.spec.value_width
        at, wide = self.moved(self.result, row, width * self.size), f.splat(factor, self.lanes)
        for start in range(0, width, self.lanes):
            count = min(self.lanes, width - start)
            place = f.gep(at, start * self.size)
            value = load_lanes(f, self.scalar, place, count, self.lanes)
            store_lanes(f, f.fmul(value, wide, ""), place, count, self.lanes)

    def _write(self, rows: _Span) -> None:
        """Divide by the sums and write the rows of the result."""
        f, width = self.f, self.spec.value_width
        with f.loop(0, rows.count, hint="row") as row:
            at = self.moved(self.result, row.index, width * self.size)
            query = f.binary("add nsw", rows.begin, row.index)
            total = f.load(self.scalar, self.moved(self.sums, row.index, self.size))
            none = f.compare("fcmp oeq", total, f.constant(self.scalar, 0.0))
            divisor = f.select(none, f.constant(self.scalar, 1.0), total)
            if "log_sum" in self.places:
                largest = f.load(self.scalar, self.moved(self.largest, row.index, self.size))
                log = f.fadd(largest, logarithm(Lanes(f, divisor)).value, "")
                log = f.select(none, f.constant(self.scalar, -INFINITY), log)
                f.store(log, self.row("log_sum", query))
            if "out" in self.places:
                self._write_row(at, self.row("out", query), divisor)

    def _write_row(self, source: Value, target: Value, divisor: Value) -> None:
        f, width = self.f, self.spec.value_width
        inverse = f.splat(f.fdiv(f.constant(self.scalar, 1.0), divisor), self.lanes)
        for start in range(0, width, self.lanes):
            count = min(self.lanes, width - start)
            value = self.zero
            if self.spec.keys:
                value = load_lanes(
                    f, self.scalar, f.gep(source, start * self.size), count, self.lanes
                )
                value = f.fmul(value, inverse, "")
            store_lanes(f, value, f.gep(target, start * self.size), count, self.lanes)


# ---- gradient --------------------------------------------------------------------------------


def emit_attention_gradient(spec: Attention, target: Target) -> tuple[Function, AttentionPlan]:
    """The kernel that writes those of ``dq``, ``dk``, ``dv`` that are there; see BACKWARD.

    ``delta`` is scratch of a number for each query.
    """
    plan = plan_attention(spec, target, True)
    return _Backward(spec, plan, BACKWARD).emit(), plan


class _Backward(_Writer):
    """Writes the gradient's kernel: a unit is a whole matrix, so that nobody shares a sum."""

    def emit(self) -> Function:
        """The whole kernel."""
        block, spec = self.plan.block, self.spec
        self.weights, self.to_scores = self.stack(block * block), self.stack(block * block)
        self.keys_packed = self.stack(block * max(1, spec.width))
        self.values_packed = self.stack(block * max(1, spec.value_width))
        self.units(self._unit)
        return self.finish()

    def _unit(self, unit: Value) -> None:
        f, spec, plan = self.f, self.spec, self.plan
        self.enter(unit)
        for name, extent in (("dq", spec.queries), ("dk", spec.keys), ("dv", spec.keys)):
            if name in self.places:
                self._zero(name, extent, spec.value_width if name == "dv" else spec.width)
        self._find_delta()
        count = -(-spec.keys // plan.block)
        with f.loop(0, count, hint="keys") as loop:
            keys = self.span(loop.index, spec.keys)
            self.pack("k", keys, self.keys_packed)
            if self._needs_scores():
                self.pack("v", keys, self.values_packed)
            first = loop.index if spec.causal else f.i64(0)
            with f.loop(first, -(-spec.queries // plan.block), hint="queries") as queries:
                self._pair(self.span(queries.index, spec.queries), keys)

    def _needs_scores(self) -> bool:
        """Whether the derivative of the scores is needed, and not of the values alone."""
        return "dq" in self.places or "dk" in self.places

    def _zero(self, name: str, extent: int, width: int) -> None:
        f = self.f
        with f.loop(0, extent, hint="row") as row:
            target = self.row(name, row.index)
            for start in range(0, width, self.lanes):
                count = min(self.lanes, width - start)
                store_lanes(f, self.zero, f.gep(target, start * self.size), count, self.lanes)

    def _find_delta(self) -> None:
        """For each query Σ g · out, which is the mean of the weights' derivative."""
        if not self._needs_scores():
            return
        f, width = self.f, self.spec.value_width
        with f.loop(0, self.spec.queries, hint="row") as row:
            left, right = self.row("g", row.index), self.row("out", row.index)
            total = self.zero
            for start in range(0, width, self.lanes):
                count = min(self.lanes, width - start)
                a, b = (
                    load_lanes(f, self.scalar, f.gep(p, start * self.size), count, self.lanes)
                    for p in (left, right)
                )
                total = f.fma(a, b, total)
            f.store(self.total(total, "sum"), self.row("delta", row.index))

    def _pair(self, rows: _Span, keys: _Span) -> None:
        """A block of queries against a block of keys."""
        spec, plan = self.spec, self.plan
        panels = self.panels_of(keys.count)
        q, g = self.row("q", rows.begin), self.row("g", rows.begin)
        self.make_scores(q, self.step("q"), self.keys_packed, self.weights, rows, panels)
        if self._needs_scores():
            self._make_products(g, rows, panels)
        self.each_row(rows, lambda group: self._derive(rows, group, keys))
        flat, turned = (self.pitch, self.size), (self.size, self.pitch)
        width, features = spec.width, (spec.width, plan.features)
        if "dv" in self.places:
            c = self.row("dv", keys.begin)
            self.add_product(
                self.weights, turned, "g", rows.begin, c, self.step("dv"), keys, rows,
                (spec.value_width, plan.values), True,
            )  # fmt: skip
        if "dq" in self.places and width:
            c = self.row("dq", rows.begin)
            self.add_product(
                self.to_scores, flat, "k", keys.begin, c, self.step("dq"), rows, keys,
                features, True,
            )  # fmt: skip
        if "dk" in self.places and width:
            c = self.row("dk", keys.begin)
            self.add_product(
                self.to_scores, turned, "q", rows.begin, c, self.step("dk"), keys, rows,
                features, True,
            )  # fmt: skip

    def _make_products(self, g: Value, rows: _Span, panels: Value) -> None:
        """to_scores[i, j] = g[i] · v[j]."""
        f, shape, width = self.f, self.plan.scores, self.spec.value_width
        region, step = max(1, width) * shape.columns * self.size, self.step("g")
        with f.loop(0, panels, hint="panel") as panel:
            b = self.moved(self.values_packed, panel.index, region)
            c = self.moved(self.to_scores, panel.index, shape.columns * self.size)

            def body(row: Value, height: int) -> None:
                tile = Tile(
                    self.scalar, shape.lanes, height, shape.columns, step, self.size,
                    shape.columns * self.size, self.pitch, False, depth_unroll(width),
                )  # fmt: skip
                at, target = self.moved(g, row, step), self.moved(c, row, self.pitch)
                tile.emit(f, at, b, target, width, 1, False)

            self.tiles(rows, shape, body)

    def _derive(self, rows: _Span, group: list[Value], keys: _Span) -> None:
        """Rows: scores → weights, products with the cotangent → derivative of the scores."""
        f, both = self.f, self._needs_scores()
        scores = [self.moved(self.weights, row, self.pitch) for row in group]
        products = [self.moved(self.to_scores, row, self.pitch) for row in group]
        queries = [f.binary("add nsw", rows.begin, row) for row in group]
        seen = [self.seen(query, keys, keys.count) for query in queries]
        masks = [self.mask_row(query, keys.begin) for query in queries]
        sums, deltas = [], []
        for query in queries:
            log_sum = f.load(self.scalar, self.row("log_sum", query))
            hidden = f.compare("fcmp oeq", log_sum, f.constant(self.scalar, -INFINITY))
            log_sum = f.select(hidden, f.constant(self.scalar, INFINITY), log_sum)
            sums.append(f.splat(log_sum, self.lanes))
            if both:
                delta = f.load(self.scalar, self.row("delta", query))
                deltas.append(f.splat(delta, self.lanes))
        scale = f.constant(self.vector, self.spec.scale)

        def body(at: Value, lanes: list[Value | None], carried: list[Value]) -> list[Value]:
            for i, part in enumerate(lanes):
                value = self.masked_scores(scores[i], at, part, masks[i])
                weight = self.exp(f.fsub(value, sums[i], ""))
                f.store(weight, self.moved(scores[i], at, self.size))
                if both:
                    place = self.moved(products[i], at, self.size)
                    change = f.fsub(f.load(self.vector, place), deltas[i], "")
                    change = f.fmul(f.fmul(weight, change, ""), scale, "")
                    f.store(change, place)
            return carried

        self.each_vector(seen, [], body)
        self.clear([*scores, *(products if both else [])], seen[-1], keys.count)
