"""Products over strided views as generated kernels: what convolutions become.

C[b, m, n] = Σₖ A[b·sₐ + row(m) + depth(k)] · B[b·s_b + k·N + n], where ``row`` and ``depth`` are
sums of strides.  A tile of C, some rows times some vectors, stays in registers while the sum runs
over kernel positions and channels (a "batch-reduce" product, after Georganas et al., "Harnessing
deep learning via a single building block", 2020).  Each row of a tile has a pointer of its own,
found from its position once per tile, so that tiles need not care where a line of the picture
ends.  B is packed panel by panel for each block of depth.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from pellucid.backends.cpu.contraction import (
    KERNEL_ATTRIBUTES,
    KERNEL_PARAMETERS,
    Block,
    Epilogue,
    operand,
)
from pellucid.backends.cpu.contraction_elements import Elements
from pellucid.backends.cpu.contraction_packing import pack_panels_copy
from pellucid.backends.cpu.contraction_tiles import (
    for_rows,
    load_lanes,
    multiply_add,
    store_lanes,
    when,
)
from pellucid.backends.cpu.ir import Function, Value, vector
from pellucid.backends.cpu.machine import costs_of
from pellucid.backends.cpu.target import Target
from pellucid.compiler.convolution import Strided
from pellucid.graph.node import Node

_UNROLL = 4
_STRAIGHT = 10
"""A sum of so many steps, or fewer, is written without a loop."""


@dataclass(frozen=True)
class StridedProduct:
    """A product over a strided view, of known shape; steps are in elements.

    ``batch`` are (extent, step of A, step of B); ``rows`` and ``depth`` (extent, step of A).
    """

    dtype: str
    batch: tuple[tuple[int, int, int], ...]
    rows: Strided
    depth: Strided
    columns: int
    offset: int = 0
    """Where in A the product begins."""

    @classmethod
    def of(cls, node: Node) -> StridedProduct:
        """The product that a node stands for."""
        s = node.settings
        return cls(node.dtype.name, s["batch"], s["rows"], s["depth"], s["columns"], s["offset"])

    @property
    def height(self) -> int:
        """Rows of one product of the batch."""
        return math.prod(n for n, _ in self.rows)

    @property
    def length(self) -> int:
        """Terms of each sum."""
        return math.prod(n for n, _ in self.depth)

    @property
    def count(self) -> int:
        """Products in the batch."""
        return math.prod(n for n, _, _ in self.batch)

    @property
    def flop(self) -> int:
        """A multiplication and an addition per term."""
        return 2 * self.count * self.height * self.columns * self.length


@dataclass(frozen=True)
class StridedPlan:
    """How a product is cut; all of it follows from its shape and the target.

    Tiles are ``tile_rows`` × ``vectors`` · ``lanes``; a chunk is ``chunk_rows`` ×
    ``chunk_columns`` of one product.  Blocks of depth: the axes before ``level`` one step at a
    time, ``block`` steps of axis ``level``, everything below.
    """

    lanes: int
    tile_rows: int
    vectors: int
    chunk_rows: int
    row_chunks: int
    chunk_columns: int
    column_chunks: int
    level: int
    block: int
    chunks: int
    together: int
    """Panels of B that are packed at once: their lines lie side by side."""
    opaque: bool
    """Whether addresses in the innermost loop are hidden from LLVM's loop passes.  On x86 they
    are written as its instructions take them, base + index + constant, and looking for better ones
    took a third of the time to make the code (measured; the code is as fast)."""

    @property
    def panel(self) -> int:
        """Columns of a panel."""
        return self.lanes * self.vectors


def plan_strided(spec: StridedProduct, target: Target, full_rows: bool = False) -> StridedPlan:
    """Tile, chunks and blocks for ``spec`` on ``target``; ``full_rows`` keeps columns together."""
    costs = costs_of(target).convolutions
    lanes = target.lanes(spec.dtype)
    many = target.vector_registers >= 32
    vectors = min(3 if many else 2, -(-spec.columns // lanes))
    # Rows have pointers of their own: not more of them than there are address registers.
    tile_rows = 8 if many or vectors == 1 else 6
    least = min(costs.least_chunks, spec.flop // costs.small_chunk_flop)
    wanted = min(costs.most_chunks, max(1, least, spec.flop // costs.chunk_flop)) / spec.count
    by_rows = min(wanted, max(1, spec.height // costs.chunk_rows))
    tiles = -(-spec.height // tile_rows)
    chunk_rows = max(1, math.ceil(tiles / max(1.0, math.ceil(by_rows)))) * tile_rows
    row_chunks = -(-spec.height // chunk_rows)
    panel = lanes * vectors
    panels, cuts = -(-spec.columns // panel), 1
    if row_chunks * spec.count < costs.few_chunks and not full_rows:
        cuts = max(1, min(panels, int(wanted / row_chunks)))
    chunk_columns = -(-panels // cuts) * panel
    column_chunks = -(-spec.columns // chunk_columns)
    size = 8 if spec.dtype == "float64" else 4
    side_by_side = spec.rows[-1][1] == 1 and spec.rows[-1][0] >= tile_rows
    most = min(
        costs.block_lines if side_by_side else costs.block_depth,
        costs.panel_bytes // (panel * size),
    )
    level, below = len(spec.depth) - 1, 1
    while level > 0 and below * spec.depth[level][0] <= most:
        below *= spec.depth[level][0]
        level -= 1
    block = max(1, min(spec.depth[level][0], most // below))
    blocks = -(-spec.depth[level][0] // block)
    block = -(-spec.depth[level][0] // blocks)
    return StridedPlan(
        lanes,
        tile_rows,
        vectors,
        chunk_rows,
        row_chunks,
        chunk_columns,
        column_chunks,
        level,
        block,
        spec.count * row_chunks * column_chunks,
        max(1, min(chunk_columns // panel, costs.panel_bytes // (block * below * panel * size))),
        target.triple.startswith("x86_64"),
    )


def emit_strided(
    name: str, spec: StridedProduct, plan: StridedPlan, epilogue: Epilogue | None = None
) -> Function:
    """The kernel; operands: A, B, C, then the epilogue's."""
    return _Emitter(name, spec, plan, epilogue).emit()


class _Emitter:
    first: Value
    last: Value
    """The columns of the chunk."""

    def __init__(
        self, name: str, spec: StridedProduct, plan: StridedPlan, epilogue: Epilogue | None
    ) -> None:
        self.spec, self.plan, self.epilogue = spec, plan, epilogue
        self.f = Function(name, KERNEL_PARAMETERS, attributes=KERNEL_ATTRIBUTES)
        self.scalar = "float" if spec.dtype == "float32" else "double"
        self.size = 4 if spec.dtype == "float32" else 8
        axis = spec.depth[plan.level]
        self.outer = spec.depth[: plan.level]
        self.axis = axis
        self.inner = spec.depth[plan.level + 1 :]
        self.below = math.prod(n for n, _ in self.inner)
        self.one_block = not self.outer and plan.block >= axis[0]

    # ---- chunks and blocks ---------------------------------------------------------------

    def emit(self) -> Function:
        """The whole kernel."""
        f, spec, plan = self.f, self.spec, self.plan
        a, b, c = (operand(f, i) for i in range(3))
        if spec.offset:
            a = f.gep(a, spec.offset * self.size)
        elements = plan.block * self.below * plan.panel
        self.region = elements * self.size
        elements *= plan.together
        text = f"alloca [{elements} x {self.scalar}], align 64"
        self.panel = f.assign("ptr", text, "scratch")
        with f.loop(f.argument("begin"), f.argument("end"), hint="unit") as unit:
            # Columns first: threads side by side then read the same rows of A.
            rest, part = self._divide(unit.index, plan.column_chunks)
            batch, chunk = self._divide(rest, plan.row_chunks)
            self.first = self._times(part, plan.chunk_columns)
            self.last = f.i64(spec.columns)
            if plan.column_chunks > 1:
                stop = f.binary("add nsw", self.first, f.i64(plan.chunk_columns))
                self.last = f.intrinsic("llvm.smin", "i64", stop, self.last)
            begin = self._times(chunk, plan.chunk_rows)
            stop = f.binary("add nsw", begin, f.i64(plan.chunk_rows))
            end = f.intrinsic("llvm.smin", "i64", stop, f.i64(spec.height))
            steps_a, steps_b = [], []
            rest = batch
            for extent, of_a, of_b in reversed(spec.batch):
                rest, index = self._divide(rest, extent)
                steps_a.append(self._times(index, of_a * self.size))
                steps_b.append(self._times(index, of_b * self.size))
            own_a, own_b = self._moved(a, steps_a), self._moved(b, steps_b)
            own_c = self._moved(c, [self._times(batch, spec.height * spec.columns * self.size)])
            self._blocks(own_a, own_b, own_c, begin, end)
            if self.epilogue is not None:
                block = Block(
                    batch,
                    begin,
                    end,
                    self.first,
                    self.last,
                    f.argument("table"),
                    f.argument("slots"),
                    plan.column_chunks == 1,
                )
                self.epilogue(f, block)
        f.ret()
        return f

    def _divide(self, value: Value, count: int) -> tuple[Value, Value]:
        if count == 1:
            return value, self.f.i64(0)
        by = self.f.i64(count)
        return self.f.binary("udiv", value, by), self.f.binary("urem", value, by)

    def _times(self, value: Value, factor: int) -> Value:
        if value.text == "0" or factor == 0:
            return self.f.i64(0)
        return value if factor == 1 else self.f.binary("mul nsw", value, self.f.i64(factor))

    def _moved(self, pointer: Value, offsets: list[Value]) -> Value:
        for offset in offsets:
            if offset.text != "0":
                pointer = self.f.gep(pointer, offset)
        return pointer

    def _blocks(self, a: Value, b: Value, c: Value, begin: Value, end: Value) -> None:
        """All blocks of depth, one after the other, for the rows of a chunk."""
        f, plan, size = self.f, self.plan, self.size
        extent, step = self.axis
        if self.one_block:
            self._block(a, b, c, begin, end, f.i64(extent), False)
            return
        outer = math.prod(n for n, _ in self.outer)
        with f.loop(0, outer, hint="outer") as lead:
            rest, offsets = lead.index, []
            for count, distance in reversed(self.outer):
                rest, index = self._divide(rest, count)
                offsets.append(self._times(index, distance * size))
            lead_a = self._moved(a, offsets)
            row_of_b = extent * self.below * self.spec.columns * size
            lead_b = self._moved(b, [self._times(lead.index, row_of_b)])
            with f.loop(0, extent, plan.block, hint="block") as loop:
                left = f.binary("sub nsw", f.i64(extent), loop.index)
                count_here = f.intrinsic("llvm.smin", "i64", left, f.i64(plan.block))
                if extent % plan.block == 0:
                    count_here = f.i64(plan.block)
                here_a = self._moved(lead_a, [self._times(loop.index, step * size)])
                depth_b = self.below * self.spec.columns * size
                here_b = self._moved(lead_b, [self._times(loop.index, depth_b)])
                sum_of = f.binary("or", lead.index, loop.index)
                more = f.compare("icmp ne", sum_of, f.i64(0))
                self._block(here_a, here_b, c, begin, end, count_here, more)

    def _block(
        self,
        a: Value,
        b: Value,
        c: Value,
        begin: Value,
        end: Value,
        count: Value,
        accumulate: Value | bool,
    ) -> None:
        """One block of depth: panels of B packed, then each used by all tiles of rows."""
        f, plan, spec, size = self.f, self.plan, self.spec, self.size
        depth = self._times(count, self.below)

        def packed(column: Value, width: int, panels: Value) -> None:
            of_b = self._moved(b, [self._times(column, size)])
            pitch = spec.columns * size
            pack_panels_copy(
                f,
                Elements(self.scalar),
                plan.lanes,
                width,
                of_b,
                pitch,
                self.panel,
                self.region,
                panels,
                depth,
            )
            with f.loop(0, panels, hint="panel") as loop:
                of_c = self._moved(
                    c, [self._times(column, size), self._times(loop.index, width * size)]
                )
                own = self._moved(self.panel, [self._times(loop.index, self.region)])
                self._tiles(a, own, of_c, begin, end, width, count, accumulate)

        whole = spec.columns // plan.panel * plan.panel
        if whole:
            stop = f.i64(whole)
            if plan.column_chunks > 1:
                stop = f.intrinsic("llvm.smin", "i64", self.last, stop)
            together = plan.together * plan.panel
            with f.loop(self.first, stop, together, hint="panels") as loop:
                left = f.binary("sub nsw", stop, loop.index)
                here = f.intrinsic("llvm.smin", "i64", left, f.i64(together))
                packed(loop.index, plan.panel, f.binary("sdiv", here, f.i64(plan.panel)))
        if spec.columns > whole:
            last: Value | bool = True
            if plan.column_chunks > 1:
                last = f.compare("icmp eq", self.last, f.i64(spec.columns))
            when(f, last, lambda: packed(f.i64(whole), spec.columns - whole, f.i64(1)))

    def _tiles(
        self,
        a: Value,
        b: Value,
        c: Value,
        begin: Value,
        end: Value,
        width: int,
        count: Value,
        accumulate: Value | bool,
    ) -> None:
        f, plan, spec = self.f, self.plan, self.spec
        height = plan.tile_rows
        if spec.height <= height:
            self._tile(a, b, c, begin, f.i64(0), spec.height, width, count, accumulate)
            return
        with f.loop(begin, end, height, hint="tile") as loop:
            row, done = loop.index, f.i64(0)
            if spec.height % height:
                # The last tile begins earlier instead of being lower: code for another height
                # would double the text.  Rows that were done before are not stored again.
                row = f.intrinsic("llvm.smin", "i64", row, f.i64(spec.height - height))
                done = f.binary("sub nsw", loop.index, row)
            self._tile(a, b, c, row, done, height, width, count, accumulate)

    # ---- a tile --------------------------------------------------------------------------

    def _tile(
        self,
        a: Value,
        b: Value,
        c: Value,
        row: Value,
        done: Value,
        height: int,
        width: int,
        count: Value,
        accumulate: Value | bool,
    ) -> None:
        """A tile of C: pointers of its rows, the sum in registers, the result to memory.

        The first ``done`` rows are not stored.
        """
        f, lanes = self.f, self.plan.lanes
        rows = [self._row_of_a(a, row, i) for i in range(height)]
        full, rest = divmod(width, lanes)
        widths = [lanes] * full + ([rest] if rest else [])
        zero = f.constant(vector(lanes, self.scalar), 0.0)
        axes = [(count, self.axis[1]), *((f.i64(n), s) for n, s in self.inner)]
        sums = [zero] * (height * len(widths))
        sums, _ = self._nest(axes, sums, rows, f.i64(0), b, len(widths))
        where = self._moved(c, [self._times(row, self.spec.columns * self.size)])

        def store(old: bool) -> None:
            for_rows(f, height, done, functools.partial(store_row, old))

        def store_row(old: bool, i: int) -> None:
            for j, wide in enumerate(widths):
                place = f.gep(where, (i * self.spec.columns + j * lanes) * self.size)
                value = sums[i * len(widths) + j]
                if old:
                    before = load_lanes(f, self.scalar, place, wide, lanes)
                    value = f.fadd(before, value, flags="")
                store_lanes(f, value, place, wide, lanes)

        if isinstance(accumulate, bool):
            store(accumulate)
            return
        add, fresh, after = f.fresh("add"), f.fresh("set"), f.fresh("stored")
        f.branch_if(accumulate, add, fresh)
        for label, old in ((add, True), (fresh, False)):
            f.start_block(label)
            store(old)
            f.branch(after)
        f.start_block(after)

    def _row_of_a(self, a: Value, row: Value, number: int) -> Value:
        """Pointer to what row ``row + number`` starts from."""
        f = self.f
        rest = f.binary("add nsw", row, f.i64(number)) if number else row
        offsets = []
        for place in range(len(self.spec.rows) - 1, -1, -1):
            extent, step = self.spec.rows[place]
            if place:
                rest, index = self._divide(rest, extent)
            else:
                index = rest
            offsets.append(self._times(index, step * self.size))
        return self._moved(a, offsets)

    def _nest(
        self,
        axes: list[tuple[Value, int]],
        sums: list[Value],
        rows: list[Value],
        offset: Value,
        b: Value,
        vectors: int,
    ) -> tuple[list[Value], Value]:
        """The sum over the given axes: new sums, and the place in the panel behind them."""
        f = self.f
        static = [int(n.text) if n.text.isdigit() else None for n, _ in axes]
        known = [n for n in static if n is not None]
        if len(known) == len(axes) and math.prod(known) <= _STRAIGHT:
            return self._straight(known, axes, sums, rows, offset, b, vectors)
        extent, step = axes[0]
        if len(axes) == 1:
            return self._run(extent, static[0], step, sums, rows, offset, b, vectors)
        with f.loop(0, extent, carried=[*sums, b], hint="axis") as loop:
            *inside, place = loop.values
            moved = f.binary("add nsw", offset, self._times(loop.index, step * self.size))
            done, after = self._nest(axes[1:], inside, rows, moved, place, vectors)
            loop.next = [*done, after]
        *sums, b = loop.results
        return sums, b

    def _straight(
        self,
        extents: list[int],
        axes: list[tuple[Value, int]],
        sums: list[Value],
        rows: list[Value],
        offset: Value,
        b: Value,
        vectors: int,
    ) -> tuple[list[Value], Value]:
        """All steps of a short sum, one after the other."""
        offsets = [0]
        for extent, (_, step) in zip(extents, axes, strict=True):
            offsets = [o + i * step * self.size for o in offsets for i in range(extent)]
        at = self._places(rows, offset)
        for k, distance in enumerate(offsets):
            sums = self._step(sums, at, distance, b, k, vectors)
        return sums, self.f.gep(b, len(offsets) * self._b_step(vectors))

    def _run(
        self,
        extent: Value,
        static: int | None,
        step: int,
        sums: list[Value],
        rows: list[Value],
        offset: Value,
        b: Value,
        vectors: int,
    ) -> tuple[list[Value], Value]:
        """The innermost axis, unrolled."""
        f = self.f

        def advance(state: list[Value], steps: int) -> list[Value]:
            *values, where, place = state
            hidden, panel = where, place
            if self.plan.opaque:
                hidden, panel = f.opaque(where), f.opaque(place)
            at = self._places(rows, hidden)
            for k in range(steps):
                values = self._step(values, at, k * step * self.size, panel, k, vectors)
            moved = f.binary("add nsw", where, f.i64(steps * step * self.size))
            return [*values, moved, f.gep(place, steps * self._b_step(vectors))]

        state = [*sums, offset, b]
        if static is None:
            rest = f.binary("urem", extent, f.i64(_UNROLL))
            whole = f.binary("sub nsw", extent, rest)
        else:
            whole = f.i64(static // _UNROLL * _UNROLL)
        with f.loop(0, whole, _UNROLL, carried=state, hint="run") as loop:
            loop.next = advance(loop.values, _UNROLL)
        state = loop.results
        if static is None:
            with f.loop(whole, extent, carried=state, hint="rest") as loop:
                loop.next = advance(loop.values, 1)
            state = loop.results
        elif static % _UNROLL:
            state = advance(state, static % _UNROLL)
        return state[:-2], state[-1]

    def _b_step(self, vectors: int) -> int:
        return vectors * self.plan.lanes * self.size

    def _places(self, rows: list[Value], offset: Value) -> list[Value]:
        """Where the next steps of each row begin."""
        return [row if offset.text == "0" else self.f.gep(row, offset) for row in rows]

    def _step(
        self,
        sums: list[Value],
        places: list[Value],
        distance: int,
        b: Value,
        k: int,
        vectors: int,
    ) -> list[Value]:
        """One term of every sum of the tile."""
        f, lanes = self.f, self.plan.lanes
        type_ = vector(lanes, self.scalar)
        base = k * self._b_step(vectors)
        of_b = [f.load(type_, f.gep(b, base + j * lanes * self.size)) for j in range(vectors)]
        result = []
        for i, place in enumerate(places):
            factor = f.splat(f.load(self.scalar, f.gep(place, distance)), lanes)
            for j in range(vectors):
                result.append(multiply_add(f, factor, of_b[j], sums[i * vectors + j]))
        return result
