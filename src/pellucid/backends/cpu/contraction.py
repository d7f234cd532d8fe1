"""Matrix products as generated kernels: C[b, m, n] (+)= Σₖ A[b, m, k] · B[b, k, n].

:func:`plan_contraction` decides how a product of known shape and strides is cut into chunks, and
:func:`emit_contraction` writes its kernels.  A chunk is a block of C.  For each block of depth the
kernel packs what needs packing into scratch on the stack, then runs register tiles over the block
(Goto and van de Geijn 2008, with A read through broadcasts instead of being packed wherever its
strides allow).  When the block is finished, and still in cache, the caller's epilogue works on it.
Sums that are long while C is small are split along depth: the parts go to a scratch operand, and a
second kernel adds them in a fixed order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

from pellucid.backends.cpu.chunk_choice import sum_chunks
from pellucid.backends.cpu.contraction_packing import (
    pack_lines,
    pack_panel_gather,
    pack_panel_transpose,
    pack_panels_copy,
    pack_rows,
)
from pellucid.backends.cpu.contraction_plan import plan_contraction
from pellucid.backends.cpu.contraction_spec import Axis, Contraction, ContractionPlan, Kernel
from pellucid.backends.cpu.contraction_tiles import DotTile, Tile, load_lanes, store_lanes, when
from pellucid.backends.cpu.ir import Function, Value, vector
from pellucid.backends.cpu.machine import ProductCosts, costs_of
from pellucid.backends.cpu.target import Target

__all__ = [
    "Block",
    "Contraction",
    "ContractionPlan",
    "Epilogue",
    "Kernel",
    "emit_contraction",
    "plan_contraction",
]

KERNEL_PARAMETERS = [
    ("ptr noalias readonly", "table"),
    ("ptr noalias readonly", "slots"),
    ("i64", "begin"),
    ("i64", "end"),
]
# Short loops of stores stay loops: a call of memset or memcpy costs more than they do.
KERNEL_ATTRIBUTES = 'nounwind "no-builtins" "denormal-fp-math"="dynamic,dynamic"'


@dataclass(frozen=True)
class Block:
    """A finished block of C, as LLVM values: ``row_begin ≤ m < row_end`` and so for columns.

    ``table`` and ``slots`` are the kernel's parameters, from which an epilogue loads its operands;
    ``full_rows`` says that the block spans all columns of C.
    """

    batch: Value
    row_begin: Value
    row_end: Value
    column_begin: Value
    column_end: Value
    table: Value
    slots: Value
    full_rows: bool


Epilogue = Callable[[Function, Block], None]
"""Emits code that works on a finished block of C."""


def emit_contraction(
    name: str,
    spec: Contraction,
    target: Target,
    epilogue: Epilogue | None = None,
    full_rows: bool = False,
) -> list[Function]:
    """The kernels of a contraction, as :func:`plan_contraction` with the same arguments plans them.

    The i-th function is called ``name + plan.kernels[i].suffix``.  Operands in ``slots``: A, B, C,
    scratch (only if ``plan.scratch_bytes``), then the epilogue's.
    """
    plan = plan_contraction(spec, target, full_rows)
    first = _Emitter(name + plan.kernels[0].suffix, plan, epilogue).emit()
    if len(plan.kernels) == 1:
        return [first]
    costs = costs_of(target).products
    return [first, _emit_sum(name + plan.kernels[1].suffix, plan, costs, epilogue)]


def emit_blocks(name: str, plan: ContractionPlan, epilogue: Epilogue | None = None) -> Function:
    """The kernel of a product that :func:`plan_blocks` planned.

    Operands in ``slots``: A, the packed B, C, then the epilogue's.
    """
    return _Emitter(name, plan, epilogue).emit()


def emit_packing(name: str, plan: ContractionPlan) -> Function:
    """The kernel that packs B as :func:`plan_packing` planned.  Operands: B, the packed B."""
    return _Emitter(name, plan, None).emit_packing()


def operand(f: Function, index: int) -> Value:
    """Pointer to the kernel's operand ``index``: ``table[slots[index]]``."""
    slot = f.load("i32", f.gep(f.argument("slots"), index, "i32"))
    return f.load("ptr", f.gep(f.argument("table"), f.cast("sext", slot, "i64"), "ptr"))


def _moved(f: Function, pointer: Value, index: Value, step: int) -> Value:
    """``pointer`` moved by ``index`` steps of ``step`` bytes."""
    if index.text == "0" or step == 0:
        return pointer
    return f.gep(pointer, f.binary("mul nsw", index, f.i64(step)))


def _smaller(f: Function, a: Value, b: Value) -> Value:
    return f.intrinsic("llvm.smin", "i64", a, b)


def _batch_places(f: Function, spec: Contraction, batch: Value) -> list[Value]:
    """The place of matrix ``batch`` on each batch axis."""
    places: list[Value] = []
    for extent, _ in reversed(spec.batch_axes(0)[1:]):
        by = f.i64(extent)
        places.insert(0, f.binary("urem", batch, by))
        batch = f.binary("udiv", batch, by)
    return [batch, *places]


def _matrix(f: Function, spec: Contraction, which: int, pointer: Value, at: list[Value]) -> Value:
    """Where the matrix of A (0), B (1) or C (2) at a place of the batch begins."""
    size = spec.itemsize if which == 2 else spec.elements(which, "").size
    if spec.offsets[which]:
        pointer = f.gep(pointer, spec.offsets[which] * size)
    for place, (_, stride) in zip(at, spec.batch_axes(which), strict=True):
        pointer = _moved(f, pointer, place, stride * size)
    return pointer


_MIN_ROWS_TO_RECOMPUTE_ONE = 200
"""A product of fewer rows has a lower last tile: computing some rows twice would be felt."""
_LONG_FLOP = 1 << 28
"""So has a product of so many FLOP: it gains the one or two percent in every step that its code for
the lower tile costs once to compile."""


class _Emitter:
    """Writes the first (and usually only) kernel of a plan."""

    def __init__(self, name: str, plan: ContractionPlan, epilogue: Epilogue | None) -> None:
        self.plan = plan
        self.work = plan.work
        self.epilogue = epilogue
        self.f = Function(name, KERNEL_PARAMETERS, attributes=KERNEL_ATTRIBUTES)
        self.size = plan.work.itemsize
        self.source_a, self.source_b = (plan.work.elements(i, plan.pairs) for i in (0, 1))
        self.scalar = "float" if plan.work.dtype == "float32" else "double"
        self.split = plan.splits > 1
        self.accumulate = plan.work.accumulate and not self.split
        self.region = self._steps(plan.depth_block) * self.size
        """Bytes of a packed column."""
        # What the extent along depth of every block is a multiple of.
        self.multiple = math.gcd(plan.work.depth, plan.split_depth, plan.depth_block)

    # ---- outer loops ---------------------------------------------------------------------

    def emit(self) -> Function:
        """The whole kernel."""
        f, plan = self.f, self.plan
        if plan.spec.empty:
            f.ret()
            return f
        a, b, c = (operand(f, i) for i in ((1, 0, 2) if plan.swapped else (0, 1, 2)))
        target = operand(f, 3) if self.split else c
        self._allocate()
        if plan.pack_b == "ready":
            self.panel = b
        first = f.binary("mul nsw", f.argument("begin"), f.i64(plan.group))
        last = f.binary("mul nsw", f.argument("end"), f.i64(plan.group))
        with f.loop(first, _smaller(f, last, f.i64(plan.units)), hint="unit") as unit:
            self._unit(unit.index, a, b, target)
        f.ret()
        return f

    def emit_packing(self) -> Function:
        """The kernel that packs all of B."""
        f, plan, work = self.f, self.plan, self.work
        b, packed = operand(f, 0), operand(f, 1)
        b = _matrix(f, work, 1, b, _batch_places(f, work, f.i64(0)))
        with f.loop(f.argument("begin"), f.argument("end"), hint="chunk") as chunk:
            columns = self._range(plan.columns, chunk.index)
            self.panel = _moved(f, packed, columns[0], self.region)
            self._pack_b(b, columns, f.i64(work.depth))
        f.ret()
        return f

    def _allocate(self) -> None:
        """Scratch on the stack for packed panels."""
        plan = self.plan
        steps = self._steps(plan.depth_block)
        if plan.pack_b not in ("none", "ready"):
            self.panel = self._stack(steps * plan.panel_columns)
        if plan.pack_a != "none":
            # A cache line more than the rows, so that lines do not fall into the same cache set.
            lines, long = steps, plan.rows.longest
            if plan.pack_a == "rows":
                lines, long = long, lines
            self.pitch = -(-long * self.size // 64) * 64 + 64
            self.block_of_a = self._stack(lines * self.pitch // self.size)

    def _steps(self, depth: int) -> int:
        """Steps of a tile along so many elements."""
        return -(-depth // self.plan.each)

    def _stack(self, elements: int) -> Value:
        return self.f.assign("ptr", f"alloca [{elements} x {self.scalar}], align 64", "scratch")

    def _unit(self, unit: Value, a: Value, b: Value, c: Value) -> None:
        f, plan, work, size = self.f, self.plan, self.work, self.size
        # Columns first: a thread's share of the chunks is then a stretch of C's memory, which
        # the same thread finds in its cache when it works on C element by element.
        rest, column_chunk = self._divide(unit, plan.columns.chunks)
        rest, row_chunk = self._divide(rest, plan.rows.chunks)
        batch, part = self._divide(rest, plan.splits)
        rows = self._range(plan.rows, row_chunk)
        columns = self._range(plan.columns, column_chunk)
        at = _batch_places(f, work, batch)
        a_row = work.a_strides[1] * self.source_a.size
        a = _moved(f, _matrix(f, work, 0, a, at), rows[0], a_row)
        b = _matrix(f, work, 1, b, at)
        if self.split:
            c = _moved(f, c, rest, work.rows * work.columns * size)
        else:
            c = _matrix(f, work, 2, c, at)
        if plan.kind == "dot":
            self._dots(a, b, c, rows, columns, part)
        else:
            self._blocks(a, b, c, rows, columns, part)
        if self.epilogue is not None and not self.split:
            first, second = (columns, rows) if plan.swapped else (rows, columns)
            self.epilogue(
                f,
                Block(
                    batch,
                    first[0],
                    first[1],
                    second[0],
                    second[1],
                    f.argument("table"),
                    f.argument("slots"),
                    plan.swapped or plan.columns.chunks == 1,
                ),
            )

    def _divide(self, value: Value, count: int) -> tuple[Value, Value]:
        """Quotient and remainder by a constant; nothing is emitted for 1."""
        if count == 1:
            return value, self.f.i64(0)
        by = self.f.i64(count)
        return self.f.binary("udiv", value, by), self.f.binary("urem", value, by)

    def _range(self, axis: Axis, chunk: Value) -> tuple[Value, Value]:
        f = self.f
        if axis.chunks == 1:
            return f.i64(0), f.i64(axis.extent)
        begin = f.binary("mul nsw", chunk, f.i64(axis.chunk))
        last = f.compare("icmp eq", chunk, f.i64(axis.chunks - 1))
        return begin, f.select(
            last, f.i64(axis.extent), f.binary("add nsw", begin, f.i64(axis.chunk))
        )

    def _tiles(
        self, axis: Axis, bounds: tuple[Value, Value], body: Callable[[Value, int], None]
    ) -> None:
        """Call ``body(start, extent)`` in a loop over whole tiles and once for each tail."""
        f = self.f
        everything = bounds[0].text == "0" and bounds[1].text == str(axis.extent)
        stop = bounds[1]
        if axis.tails:
            stop = f.i64(axis.whole) if everything else _smaller(f, stop, f.i64(axis.whole))
        if axis.whole == axis.tile and everything:
            body(f.i64(0), axis.tile)
        elif axis.whole:
            with f.loop(bounds[0], stop, axis.tile, hint="tile") as loop:
                body(loop.index, axis.tile)
        if not axis.tails:
            return

        def tails() -> None:
            start = axis.whole
            for extent, equal in itertools.groupby(axis.tails):
                end = start + sum(equal)
                if end - start == extent:
                    body(f.i64(start), extent)
                else:
                    with f.loop(f.i64(start), f.i64(end), extent, hint="tail") as loop:
                        body(loop.index, extent)
                start = end

        here = True if everything else f.compare("icmp eq", bounds[1], f.i64(axis.extent))
        when(f, here, tails)

    def _row_tiles(
        self,
        bounds: tuple[Value, Value],
        body: Callable[[Value, int, Value], None],
        repeatable: bool,
    ) -> None:
        """Call ``body(start, height, done)`` for tiles of rows.

        Among many tiles the last one begins earlier instead of being lower, since code for another
        height would double the text; its first ``done`` rows are computed before.  They are 0
        where rows may be stored twice (``repeatable``), as they may unless sums are added to them.
        """
        f, axis = self.f, self.plan.rows
        recomputed = -axis.extent % axis.tile * _MIN_ROWS_TO_RECOMPUTE_ONE
        is_long = self.plan.work.flop >= _LONG_FLOP
        if not axis.tails or axis.extent < axis.tile + recomputed or is_long:
            self._tiles(axis, bounds, lambda row, height: body(row, height, f.i64(0)))
            return
        with f.loop(bounds[0], bounds[1], axis.tile, hint="tile") as loop:
            row = _smaller(f, loop.index, f.i64(axis.extent - axis.tile))
            done = f.i64(0) if repeatable else f.binary("sub nsw", loop.index, row)
            body(row, axis.tile, done)

    # ---- register tiles -------------------------------------------------------------------

    def _blocks(
        self,
        a: Value,
        b: Value,
        c: Value,
        rows: tuple[Value, Value],
        columns: tuple[Value, Value],
        part: Value,
    ) -> None:
        """All blocks of depth of one block of C."""
        f, plan, work = self.f, self.plan, self.work
        one_block = plan.depth_block >= plan.split_depth
        if not self.split and one_block:
            self._depth_block(a, b, c, rows, columns, f.i64(0), work.depth, self.accumulate)
            return
        begin, end = f.i64(0), f.i64(work.depth)
        if self.split:
            begin = f.binary("mul nsw", part, f.i64(plan.split_depth))
            end = _smaller(f, f.binary("add nsw", begin, f.i64(plan.split_depth)), end)
        with f.loop(begin, end, plan.depth_block, hint="block") as loop:
            left = f.binary("sub nsw", end, loop.index)
            depth: Value | int = plan.depth_block
            if self.multiple != plan.depth_block:
                depth = _smaller(f, left, f.i64(plan.depth_block))
            accumulate: Value | bool = True
            if not self.accumulate:
                accumulate = False if one_block else f.compare("icmp ne", loop.index, begin)
            self._depth_block(a, b, c, rows, columns, loop.index, depth, accumulate)

    def _depth_block(
        self,
        a: Value,
        b: Value,
        c: Value,
        rows: tuple[Value, Value],
        columns: tuple[Value, Value],
        start: Value,
        depth: Value | int,
        accumulate: Value | bool,
    ) -> None:
        """Add the products of one block of depth to one block of C."""
        f, plan, work, size = self.f, self.plan, self.work, self.size
        a = _moved(f, a, start, work.a_strides[2] * self.source_a.size)
        b = _moved(f, b, start, work.b_strides[1] * self.source_b.size)
        count = f.i64(depth) if isinstance(depth, int) else depth
        steps, multiple = self._steps_of(depth)
        if plan.pack_a != "none":
            self._pack_a(a, rows, count)
        c_row = (work.columns if self.split else work.c_strides[1]) * size

        def panels(group: tuple[Value, Value]) -> None:
            if plan.pack_b not in ("none", "ready"):
                self._pack_b(b, group, count)

            def panel(column: Value, width: int) -> None:
                source, b_depth = self._b_of_panel(b, column, group[0], width)

                def tile(row: Value, height: int, done: Value) -> None:
                    of_a, a_row, a_depth = self._a_of_tile(a, row, rows[0], height)
                    where = _moved(f, _moved(f, c, row, c_row), column, size)
                    Tile(
                        self.scalar,
                        plan.lanes,
                        height,
                        width,
                        a_row,
                        a_depth,
                        b_depth,
                        c_row,
                        plan.pack_b == "none",
                        plan.unroll,
                        plan.pairs,
                        self.source_b if plan.pack_b == "none" else None,
                        plan.opaque,
                    ).emit(f, of_a, source, where, steps, multiple, accumulate, done)

                self._row_tiles(rows, tile, accumulate is False)

            self._tiles(plan.columns, group, panel)

        if plan.pack_b == "none" or plan.columns.longest <= plan.panel_columns:
            panels(columns)
            return
        with f.loop(columns[0], columns[1], plan.panel_columns, hint="group") as loop:
            end = f.binary("add nsw", loop.index, f.i64(plan.panel_columns))
            panels((loop.index, _smaller(f, end, columns[1])))

    def _steps_of(self, depth: Value | int) -> tuple[Value | int, int]:
        """Steps along a block of depth, and what their number is a multiple of."""
        f, each = self.f, self.plan.each
        if isinstance(depth, int):
            return self._steps(depth), 1
        if each == 1:
            return depth, self.multiple
        if self.multiple % each == 0:
            return f.binary("lshr", depth, f.i64(1)), self.multiple // each
        return f.binary("lshr", f.binary("add nsw", depth, f.i64(1)), f.i64(1)), 1

    def _b_of_panel(self, b: Value, column: Value, first: Value, width: int) -> tuple[Value, int]:
        """Pointer and depth step (bytes) of B for the panel that starts at ``column``."""
        f, plan, size = self.f, self.plan, self.size
        if plan.pack_b == "none":
            _, b_depth, b_column = (stride * self.source_b.size for stride in self.work.b_strides)
            return _moved(f, b, column, b_column), b_depth * plan.each
        offset = column if first.text == "0" else f.binary("sub nsw", column, first)
        padded = -(-width // plan.lanes) * plan.lanes
        return _moved(f, self.panel, offset, self.region), padded * size

    def _a_of_tile(self, a: Value, row: Value, first: Value, height: int) -> tuple[Value, int, int]:
        """Pointer, row step and depth step (bytes) of A for the tile that starts at ``row``."""
        f, plan, size = self.f, self.plan, self.size
        offset = row if first.text == "0" else f.binary("sub nsw", row, first)
        if plan.pack_a == "lines":
            return _moved(f, self.block_of_a, offset, size), size, self.pitch
        if plan.pack_a == "rows":
            return _moved(f, self.block_of_a, offset, self.pitch), self.pitch, size
        _, a_row, a_depth = (stride * size for stride in self.work.a_strides)
        return _moved(f, a, offset, a_row), a_row, a_depth

    def _pack_a(self, a: Value, rows: tuple[Value, Value], depth: Value) -> None:
        f, plan = self.f, self.plan
        count = f.binary("sub nsw", rows[1], rows[0])
        source, to, even = self.source_a, self.block_of_a, self.multiple % 2 == 0
        _, a_row, a_depth = (stride * source.size for stride in self.work.a_strides)
        common = (to, self.pitch, count, depth, even)
        if plan.pack_a == "rows":
            pack_rows(f, source, plan.lanes, a, a_row, a_depth, *common)
        else:
            pack_lines(f, source, plan.lanes, a, a_depth, *common)

    def _pack_b(self, b: Value, group: tuple[Value, Value], depth: Value) -> None:
        """Pack the panels of the columns in ``group``, one after the other."""
        f, plan = self.f, self.plan
        _, b_depth, b_column = (stride * self.source_b.size for stride in self.work.b_strides)
        region, even = self.region, self.multiple % 2 == 0

        def panels(column: Value, width: int, count: Value) -> None:
            source = _moved(f, b, column, b_column)
            offset = column if group[0].text == "0" else f.binary("sub nsw", column, group[0])
            to = _moved(f, self.panel, offset, region)
            common = (f, self.source_b, plan.lanes, width, source)
            if plan.pack_b == "copy":
                pack_panels_copy(*common, b_depth, to, width * region, count, depth, even)
            elif plan.pack_b == "transpose":
                pack_panel_transpose(*common, b_column, to, depth, self.multiple)
            else:
                pack_panel_gather(*common, b_column, b_depth, to, depth, even)

        if plan.pack_b != "copy":
            self._tiles(plan.columns, group, lambda column, width: panels(column, width, f.i64(1)))
            return
        axis = plan.columns
        if axis.whole:
            stop = _smaller(f, group[1], f.i64(axis.whole))
            count = f.binary("sdiv", f.binary("sub nsw", stop, group[0]), f.i64(axis.tile))
            panels(group[0], axis.tile, count)
        if axis.tails:
            here = f.compare("icmp eq", group[1], f.i64(axis.extent))
            when(f, here, lambda: panels(f.i64(axis.whole), axis.tails[0], f.i64(1)))

    # ---- dot products ---------------------------------------------------------------------

    def _dots(
        self,
        a: Value,
        b: Value,
        c: Value,
        rows: tuple[Value, Value],
        columns: tuple[Value, Value],
        part: Value,
    ) -> None:
        """One block of C as dot products along depth."""
        f, plan, work, size = self.f, self.plan, self.work, self.size
        of_a, of_b = self.source_a, self.source_b
        rest = work.depth % (plan.lanes * plan.each)
        depth: Value | int = work.depth - rest
        last: Value | bool = True
        if self.split:
            begin = f.binary("mul nsw", part, f.i64(plan.split_depth))
            a, b = _moved(f, a, begin, of_a.size), _moved(f, b, begin, of_b.size)
            left = f.binary("sub nsw", f.i64(work.depth - rest), begin)
            depth = _smaller(f, left, f.i64(plan.split_depth))
            last = f.compare("icmp eq", part, f.i64(plan.splits - 1))
        a_row, b_column = work.a_strides[1] * of_a.size, work.b_strides[2] * of_b.size
        c_row = (work.columns if self.split else work.c_strides[1]) * size

        def panel(column: Value, width: int) -> None:
            def tile(row: Value, height: int) -> None:
                offset = row if rows[0].text == "0" else f.binary("sub nsw", row, rows[0])
                shape = DotTile(
                    self.scalar,
                    plan.lanes,
                    height,
                    width,
                    a_row,
                    b_column,
                    c_row,
                    size,
                    of_a,
                    of_b,
                )
                shape.emit(
                    f,
                    _moved(f, a, offset, a_row),
                    _moved(f, b, column, b_column),
                    _moved(f, _moved(f, c, row, c_row), column, size),
                    depth,
                    rest,
                    last,
                    self.accumulate,
                )

            self._tiles(plan.rows, rows, tile)

        self._tiles(plan.columns, columns, panel)


# ---- adding the parts of a split sum ---------------------------------------------------------


def _emit_sum(
    name: str, plan: ContractionPlan, costs: ProductCosts, epilogue: Epilogue | None
) -> Function:
    """C (+)= Σ of the parts in scratch, in their order; then the epilogue, on whole rows."""
    spec, lanes = plan.spec, plan.lanes
    size, scalar = spec.itemsize, "float" if spec.dtype == "float32" else "double"
    chunks, height = sum_chunks(spec, plan.splits, lanes, costs)
    f = Function(name, KERNEL_PARAMETERS, attributes=KERNEL_ATTRIBUTES)
    c, parts = operand(f, 2), operand(f, 3)
    per_batch = chunks // spec.batch
    area = spec.rows * spec.columns
    with f.loop(f.argument("begin"), f.argument("end"), hint="chunk") as loop:
        batch, chunk = loop.index, f.i64(0)
        if per_batch > 1:
            batch = f.binary("udiv", loop.index, f.i64(per_batch))
            chunk = f.binary("urem", loop.index, f.i64(per_batch))
        begin = f.binary("mul nsw", chunk, f.i64(height))
        end = _smaller(f, f.binary("add nsw", begin, f.i64(height)), f.i64(spec.rows))
        source = _moved(f, parts, batch, plan.splits * area * size)
        result = _matrix(f, spec, 2, c, _batch_places(f, spec, batch))
        with f.loop(begin, end, hint="row") as row:
            from_ = _moved(f, source, row.index, spec.columns * size)
            to = _moved(f, result, row.index, spec.c_strides[1] * size)
            _sum_row(f, plan, scalar, size, from_, to, area * size)
        if epilogue is not None:
            epilogue(
                f,
                Block(
                    batch,
                    begin,
                    end,
                    f.i64(0),
                    f.i64(spec.columns),
                    f.argument("table"),
                    f.argument("slots"),
                    True,
                ),
            )
    f.ret()
    return f


def _sum_row(
    f: Function, plan: ContractionPlan, scalar: str, size: int, source: Value, to: Value, part: int
) -> None:
    """One row of C: vectors of columns, each summed over all parts."""
    lanes, columns = plan.lanes, plan.spec.columns

    def columns_from(column: Value, width: int) -> None:
        where, target = _moved(f, source, column, size), _moved(f, to, column, size)
        total = f.constant(vector(lanes, scalar), 0.0)
        if plan.spec.accumulate:
            total = load_lanes(f, scalar, target, width, lanes)
        with f.loop(0, plan.splits, carried=[total], hint="part") as loop:
            more = load_lanes(f, scalar, _moved(f, where, loop.index, part), width, lanes)
            loop.next = [f.fadd(loop.values[0], more, flags="")]
        store_lanes(f, loop.results[0], target, width, lanes)

    whole = columns // lanes * lanes
    if whole:
        with f.loop(0, whole, lanes, hint="column") as column:
            columns_from(column.index, lanes)
    if columns - whole:
        columns_from(f.i64(whole), columns - whole)
