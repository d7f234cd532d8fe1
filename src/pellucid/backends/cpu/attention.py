"""Attention as generated kernels that never store the scores.

Forward, for a block of queries: for each block of keys the scores, their exponentials against a
running maximum, and the product with the values; earlier results are scaled down when the maximum
grows (Milakov and Gimelshein, 2018; Rabe and Staats, 2021; Dao et al., 2022).  The gradient
computes the scores again: e^(score − log of the row's sum) is the weight.  Blocks that a causal
mask hides are skipped.  Scores of a block lie on the stack and stay in the nearest caches; keys
(and in the gradient values) of a block are packed for the register tiles of the matrix products.
"""

from __future__ import annotations

from pellucid.backends.cpu.attention_blocks import BlockWriter, Span
from pellucid.backends.cpu.attention_plan import (
    Attention,
    AttentionPlan,
    plan_attention,
)
from pellucid.backends.cpu.contraction_tiles import Tile, load_lanes, store_lanes, when
from pellucid.backends.cpu.ir import Function, Value
from pellucid.backends.cpu.lanes import INFINITY, Lanes
from pellucid.backends.cpu.special_exponential import logarithm
from pellucid.backends.cpu.target import Target
from pellucid.backends.cpu.tile_choice import depth_unroll

FORWARD = ("q", "k", "v", "mask", "state", "out", "log_sum")
BACKWARD = ("q", "k", "v", "mask", "state", "out", "log_sum", "g", "dq", "dk", "dv", "delta")
"""Order of the operands, of which those that are not there are left out."""

# ---- forward ---------------------------------------------------------------------------------


def emit_attention(spec: Attention, target: Target) -> tuple[Function, AttentionPlan]:
    """The kernel that writes ``out`` and, if it is there, ``log_sum``; operands as FORWARD."""
    plan = plan_attention(spec, target, False)
    return _Forward(spec, plan, FORWARD).emit(), plan


class _Forward(BlockWriter):
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

    def _clear_result(self, rows: Span) -> None:
        """Zeros: the first block of keys may be one that nobody looks at."""
        f, width = self.f, self.spec.value_width
        with f.loop(0, rows.count, hint="row") as row:
            at = self.moved(self.result, row.index, width * self.size)
            for start in range(0, width, self.lanes):
                count = min(self.lanes, width - start)
                store_lanes(f, self.zero, f.gep(at, start * self.size), count, self.lanes)

    def _any_seen(self, rows: Span, begin: Value) -> Value:
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

    def _keys(self, rows: Span, begin: Value, stop: Value) -> None:
        """One block of keys for one of queries."""
        f, spec, plan = self.f, self.spec, self.plan
        left = f.binary("sub nsw", f.i64(spec.keys), begin)
        full = f.intrinsic("llvm.smin", "i64", left, f.i64(plan.block))
        keys = Span(begin, full, spec.keys, plan.block)
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
        rows: Span,
        group: list[Value],
        keys: Span,
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
        numbers = [self.first_number(query, keys) for query in queries]
        sums = self._grow(scores, seen, numbers, references)
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
        self,
        scores: list[Value],
        seen: list[Value],
        numbers: list[Value | None],
        references: list[Value],
    ) -> list[Value]:
        """e^(score − reference) in place of scores; the sums of each lane, before dropout."""
        f, kept = self.f, bool(self.spec.mask)
        wide = [f.splat(reference, self.lanes) for reference in references]

        def grow(at: Value, lanes: list[Value | None], carried: list[Value]) -> list[Value]:
            result = []
            for row, part, reference, old, number in zip(
                scores, lanes, wide, carried, numbers, strict=True
            ):
                if kept:
                    value = f.load(self.vector, self.moved(row, at, self.size))
                else:
                    value = self.masked_scores(row, at, part, None)
                weight = self.exp(f.fsub(value, reference, ""))
                f.store(self.dropped(weight, number, at), self.moved(row, at, self.size))
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

    def _write(self, rows: Span) -> None:
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


class _Backward(BlockWriter):
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

    def _pair(self, rows: Span, keys: Span) -> None:
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

    def _make_products(self, g: Value, rows: Span, panels: Value) -> None:
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
                    opaque=self.plan.opaque,
                )  # fmt: skip
                at, target = self.moved(g, row, step), self.moved(c, row, self.pitch)
                tile.emit(f, at, b, target, width, 1, False)

            self.tiles(rows, shape, body)

    def _derive(self, rows: Span, group: list[Value], keys: Span) -> None:
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
        numbers = [self.first_number(query, keys) for query in queries]

        def body(at: Value, lanes: list[Value | None], carried: list[Value]) -> list[Value]:
            for i, part in enumerate(lanes):
                value = self.masked_scores(scores[i], at, part, masks[i])
                weight = self.exp(f.fsub(value, sums[i], ""))
                kept = self.dropped(weight, numbers[i], at)
                f.store(kept, self.moved(scores[i], at, self.size))
                if both:
                    place = self.moved(products[i], at, self.size)
                    along = self.dropped(f.load(self.vector, place), numbers[i], at)
                    change = f.fsub(along, deltas[i], "")
                    change = f.fmul(f.fmul(weight, change, ""), scale, "")
                    f.store(change, place)
            return carried

        self.each_vector(seen, [], body)
        self.clear([*scores, *(products if both else [])], seen[-1], keys.count)
