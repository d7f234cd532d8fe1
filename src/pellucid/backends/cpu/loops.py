"""Loop kernels: clusters of element-wise operations and reductions as native loops.

``rows`` clusters become a loop over rows; in each row one inner loop per *stage*, where a stage
ends when a reduction's result is needed (softmax: maximum, then sum, then quotient).  Inner
loops are plain scalar loops that LLVM vectorizes.
"""

from __future__ import annotations

import math

from pellucid.backends.cpu.arithmetic import MEMORY
from pellucid.backends.cpu.contraction import Block
from pellucid.backends.cpu.costs import element_cost
from pellucid.backends.cpu.elements import (
    CROWDED,
    INNER,
    KERNEL,
    METADATA,
    PARALLEL,
    ROW,
    Elements,
)
from pellucid.backends.cpu.ir import Function, Value, module_text
from pellucid.backends.cpu.kernel import ATTRIBUTES, PARAMETERS, Kernel
from pellucid.backends.cpu.machine import LoopCosts
from pellucid.backends.cpu.operands import Operands
from pellucid.backends.cpu.reducing import Accumulator
from pellucid.backends.cpu.run_time_numbers import LEAST_EXTENT
from pellucid.backends.cpu.visiting import Visit, plan_visit, unreshaped
from pellucid.compiler.clusters import (
    REDUCTIONS,
    Cluster,
    Fusion,
    anchor_index,
    cone,
    reduction_index,
)
from pellucid.compiler.index import (
    Affine,
    Index,
    linear,
    loop,
    operand_indices,
    read_indices,
    recombine,
    unravel,
)
from pellucid.graph.node import CONSTANT, INPUT, Node

LINE = 64
"""Chunks of a flat loop begin at multiples of so many elements."""


class RowLayout:
    """How the loops of a ``rows`` cluster run, before anything is written.

    ``flat`` is one loop over all elements, whose number is an operand; else there are ``rows`` of
    ``inner`` elements, in the order of ``visit`` if it has one, and ``stage`` says in which inner
    loop of a row each anchor is computed.  ``alone`` is a kernel of its own, not what follows on
    a product.
    """

    def __init__(
        self, cluster: Cluster, fusion: Fusion, alone: bool = True, blocks: int = 0
    ) -> None:
        self.rows, self.inner = cluster.rows, cluster.inner
        self.anchors = cluster.anchors
        self.members = set(cluster.anchors)
        self.fusion = fusion
        self.flat = cluster.flexible and not blocks and self._is_flat()
        self.visit: Visit | None = None
        if self.flat:
            self.rows, self.inner = 1, cluster.size
        elif cluster.flexible:
            self.rows, self.inner = self._split(cluster)
            if blocks and self.rows % blocks:
                self.rows, self.inner = blocks, cluster.size // blocks
            if alone and not blocks:
                self.visit = plan_visit(self.anchors, self.inner, self.fusion.anchors)
        if self.visit is not None:
            self.rows, self.inner = cluster.size // self.visit.inner, self.visit.inner
        self.stage: dict[Node, int] = {}
        """Stage of each member: after every reduction, or row as a whole, that it needs."""
        self.reused: set[Node] = set()
        """Vectors that a later stage reads."""
        self._find_stages()

    def _is_flat(self) -> bool:
        """Whether all that is read has the same order of elements, or is one number."""
        size = self.anchors[0].size
        if size < 2 or any(a in self.fusion.placed for a in self.anchors):
            return False
        place = loop("k", size)
        for anchor in self.anchors:
            index = unravel(place, anchor.shape)
            start = zip(anchor.inputs, operand_indices(anchor, index), strict=True)
            for node, where in cone(start, self.fusion.anchors):
                offset = linear(where, node.shape)
                if node.op is CONSTANT and node.size == 1:
                    continue
                if node.op is not INPUT and node not in self.fusion.anchors:
                    return False
                if offset != place and offset.terms:
                    return False
            if not self._only_flat(anchor):
                return False
        return True

    def _only_flat(self, anchor: Node) -> bool:
        """Whether nothing in the cone depends on the extent: one text then serves all sizes."""
        stack, seen = [anchor], {anchor}
        while stack:
            node = stack.pop()
            if node.op.name in ("take", "gather", "pad", "concatenate", "iota", "slice"):
                return False
            for operand in node.inputs:
                if operand not in seen and operand not in self.fusion.anchors:
                    seen.add(operand)
                    stack.append(operand)
        return True

    def _split(self, cluster: Cluster) -> tuple[int, int]:
        """Rows and inner extent for element-wise work that is not flat: the last axes inside."""
        shape = max((unreshaped(a).shape for a in cluster.anchors), key=len)
        inner = 1
        for extent in reversed(shape):
            inner *= extent
            if inner >= 8:
                break
        return cluster.size // max(inner, 1), max(inner, 1)

    def is_row_sized(self, node: Node) -> bool:
        """Whether an anchor is one number for each row."""
        return node.op.name in REDUCTIONS or (
            node.size == self.rows and self.inner > 1 and not self.flat
        )

    def _reads(self, node: Node) -> list[tuple[Node, Index]]:
        """Members that ``node`` reads, with the index, when computed from anchors."""
        row, place = loop("r", self.rows), loop("k", self.inner)
        if node.op.name in REDUCTIONS:
            start = [(node.inputs[0], reduction_index(node, row, place))]
        else:
            index = anchor_index(node, self.rows, self.inner)
            start = list(zip(node.inputs, read_indices(node, index), strict=True))
        found = cone(start, self.fusion.anchors, read_indices)
        return [(n, i) for n, i in found if n in self.members]

    def _find_stages(self) -> None:
        """Stage of each member: after every reduction, or row as a whole, that it needs."""
        here = linear(
            unravel(
                loop("r", self.rows) * self.inner + loop("k", self.inner), (self.rows, self.inner)
            ),
            (self.rows, self.inner),
        )
        for node in self.anchors:
            stage = 0
            for read, index in self._reads(node):
                if read.op.name in REDUCTIONS:
                    stage = max(stage, self.stage[read] + 1)
                elif self.is_row_sized(read) or linear(index, read.shape) == here:
                    stage = max(stage, self.stage[read])
                else:
                    stage = max(stage, self.stage[read] + 1)
            self.stage[node] = stage
        for node in self.anchors:
            for read, _ in self._reads(node):
                if not self.is_row_sized(read) and self.stage[read] < self.stage[node]:
                    self.reused.add(read)


class _RowKernel:
    """Writes the kernel of one ``rows`` cluster."""

    def __init__(
        self,
        cluster: Cluster,
        fusion: Fusion,
        stored: set[Node],
        costs: LoopCosts,
        function: Function | None = None,
        operands: Operands | None = None,
        blocks: int = 0,
    ) -> None:
        self.costs = costs
        layout = self.layout = RowLayout(cluster, fusion, function is None, blocks)
        self.rows, self.inner, self.stage = layout.rows, layout.inner, layout.stage
        self.blocks, self.stored, self.fusion = blocks, stored, fusion
        self.anchors = cluster.anchors
        self.f = function or Function("KERNEL", PARAMETERS, attributes=ATTRIBUTES)
        self.operands = operands or Operands()
        # Short rows leave no time to compute with numbers that LLVM does not know.
        fixed = function is not None or layout.flat or self.inner < LEAST_EXTENT
        # The pieces of a long chain often differ in their constants alone.
        piece = function is None and not fusion.ends.isdisjoint(self.anchors)
        known = stored | fusion.anchors
        self.elements = Elements(self.f, self.operands, known, fixed, piece)
        self.columns: tuple[Value, Value]

    # ---- writing ---------------------------------------------------------------------------

    def emit(self) -> Kernel:
        """The finished kernel."""
        size = self.rows * self.inner
        per_row = element_cost(self.anchors, self.fusion.anchors, size) * self.inner + 4
        if self.layout.flat:
            chunks = self._emit_flat()
            cost = per_row
        else:
            per_chunk = min(
                max(1, round(self.costs.chunk_nanoseconds / per_row)), max(self.rows, 1)
            )
            if self.blocks:
                per_chunk = self.rows // self.blocks
            chunks = math.ceil(self.rows / per_chunk)
            cost = per_row * self.rows
            self._emit_rows(per_chunk)
        text = module_text([self.f], METADATA)
        return Kernel(text, self.operands.finished(), chunks, cost)

    def _emit_flat(self) -> int:
        """One loop over all elements; their number is an operand, not part of the text."""
        per_element = element_cost(self.anchors, self.fusion.anchors, self.inner)
        usual = max(1024, 1 << round(math.log2(self.costs.chunk_nanoseconds / per_element)))
        chunks = math.ceil(self.inner / usual)
        length = 2 * usual  # never the size itself: two operands in every text
        if chunks > 1:
            # In fours and of one length: each thread's part is the one it has of a product's rows.
            chunks = -(-chunks // 4) * 4
            length = -(-self.inner // (chunks * LINE)) * LINE
        f, elements = self.f, self.elements
        size = elements.pointer(("size", self.inner), "i64")
        block = elements.pointer(("size", length), "i64")
        first = f.binary("mul nsw", f.argument("begin"), block)
        last = f.intrinsic("llvm.smin", "i64", f.binary("mul nsw", f.argument("end"), block), size)
        self._inner_loop(0, first, last, KERNEL)
        f.ret()
        return math.ceil(self.inner / length)

    def _emit_rows(self, per_chunk: int) -> None:
        f, elements = self.f, self.elements
        elements.lines[KERNEL] = f.lines
        before_rows = f.lines
        f.start_block("rows.setup")
        numbers = elements.numbers
        part, rows = numbers.integer(per_chunk), numbers.integer(self.rows)
        first = f.binary("mul nsw", f.argument("begin"), part)
        end = f.binary("mul nsw", f.argument("end"), part)
        last = f.intrinsic("llvm.smin", "i64", end, rows)
        self.columns = (f.i64(0), numbers.extent(self.inner))
        self._row_loop(first, last)
        f.ret()
        before_rows.append("br label %rows.setup")

    def _row_loop(self, first: Value, last: Value) -> None:
        """The loop over rows, each stage by stage."""
        with self.f.loop(first, last, hint="r") as rows:
            self.elements.loops["r"] = (ROW, self._visited(rows.index))
            for stage in range(max(self.stage.values(), default=0) + 1):
                self._emit_stage(stage)

    def _visited(self, turn: Value) -> Value:
        """The row that is visited at an iteration of the loop."""
        if self.layout.visit is None:
            return turn
        f, row, rest = self.f, self.f.i64(0), turn
        numbers = self.elements.numbers
        for number, (extent, step) in enumerate(reversed(self.layout.visit.axes)):
            place = rest
            if number < len(self.layout.visit.axes) - 1:
                rest = numbers.quotient(place, extent)
                place = numbers.remainder(place, rest, extent)
            moved = place if step == 1 else f.binary("mul nsw", place, numbers.integer(step))
            row = moved if row.text == "0" else f.binary("add nsw", row, moved)
        return row

    def emit_block(self, block: Block, rows: int) -> None:
        """The rows and columns of a finished block of a matrix product with so many ``rows``."""
        f, elements = self.f, self.elements
        label = f.fresh("epilogue")
        f.branch(label)
        f.start_block(label)
        elements.lines[KERNEL] = setup = f.lines
        start = f.fresh("epilogue.rows")
        f.start_block(start)
        before = f.binary("mul nsw", block.batch, f.i64(rows))
        first = f.binary("add nsw", before, block.row_begin)
        last = f.binary("add nsw", before, block.row_end)
        self.columns = (block.column_begin, block.column_end)
        self._row_loop(first, last)
        setup.append(f"br label %{start}")

    def _emit_stage(self, stage: int) -> None:
        """Row-sized values of the stage, then its inner loop."""
        f, elements = self.f, self.elements
        label = f.fresh("stage")
        f.branch(label)
        f.start_block(label)
        elements.lines[ROW] = f.lines
        members = [n for n in self.anchors if self.stage[n] == stage]
        for node in members:
            if self.layout.is_row_sized(node) and node.op.name not in REDUCTIONS:
                value = elements.value(node, anchor_index(node, self.rows, self.inner), own=True)
                self._keep_row_value(node, value)
        looped = [
            n for n in members if not (self.layout.is_row_sized(n) and n.op.name not in REDUCTIONS)
        ]
        if looped:
            self._inner_loop(stage, *self.columns, ROW)
        for node in members:
            if not self.layout.is_row_sized(node):
                elements.home[node] = ROW

    def _keep_row_value(self, node: Node, value: Value) -> None:
        """Remember, and store if others need it, a value of the row."""
        elements = self.elements
        index = unravel(loop("r", self.rows), node.shape)
        elements.given[ROW][(node, linear(index, node.shape))] = value
        elements.home[node] = ROW
        if node in self.stored:
            place = self._place(node, index)
            elements.store(node, value, elements.pointer(node), place, inner=False)

    def _place(self, node: Node, index: Index) -> Affine:
        """Where an anchor's element is stored: in its own memory, or in that of an assembly."""
        view = self.fusion.placed.get(node)
        if view is None:
            return linear(index, node.shape)
        total = Affine((), view.offset)
        for position, stride in zip(index, view.strides, strict=True):
            total = total + position * stride
        return recombine(total)

    def _inner_loop(self, stage: int, first: Value, last: Value, outer: int) -> None:
        """The loop over k that computes a stage's vectors and reductions."""
        f, elements = self.f, self.elements
        members = [n for n in self.anchors if self.stage[n] == stage]
        vectors = [n for n in members if not self.layout.is_row_sized(n)]
        reductions = [n for n in members if n.op.name in REDUCTIONS]
        for node in vectors:
            if node in self.layout.reused and node not in self.stored:
                self._make_scratch(node)
        setup = f.lines
        elements.lines[outer] = setup
        elements.given[INNER] = {}
        head, body, done = (f.fresh(f"k.{part}") for part in ("head", "body", "done"))
        setup_label = f.label
        f.start_block(head)
        index = f.phi("i64", "k")
        index.add(first, setup_label)
        accumulators = [Accumulator(f, n, setup_label) for n in reductions]
        f.branch_if(f.compare("icmp slt", index.value, last), body, done)
        f.start_block(body)
        elements.lines[INNER] = f.lines
        elements.loops["k"] = (INNER, index.value)
        row, place = loop("r", self.rows), loop("k", self.inner)
        computed = []
        for node in members:
            if node in vectors:
                computed.append((node, self._emit_vector(node)))
            elif node in reductions:
                operand = elements.value(node.inputs[0], reduction_index(node, row, place))
                accumulators[reductions.index(node)].add(operand, index.value)
        # Only now: a result may be written over a value that another one reads.
        for node, value in computed:
            self._store_vector(node, value)
        step = f.binary("add nsw", index.value, f.i64(1))
        index.add(step, f.label)
        for accumulator in accumulators:
            accumulator.close(f.label)
        loop_kind = CROWDED if len(reductions) >= self.costs.many_reductions else PARALLEL
        f.line(f"br label %{head}{loop_kind}")
        f.start_block(done)
        setup.append(f"br label %{head}")
        if outer == ROW:
            elements.lines[ROW] = f.lines
            elements.given[INNER] = {}
            del elements.lines[INNER]
            for node, accumulator in zip(reductions, accumulators, strict=True):
                self._keep_row_value(node, accumulator.result())

    def _emit_vector(self, node: Node) -> Value:
        """An element of a vector, known from here on."""
        elements = self.elements
        index = anchor_index(node, self.rows, self.inner)
        value = elements.value(node, index, own=True)
        elements.given[INNER][(node, linear(index, node.shape))] = value
        elements.home[node] = INNER
        return value

    def _store_vector(self, node: Node, value: Value) -> None:
        """Store an element in the vector's memory, or on the stack if only later stages read it."""
        elements = self.elements
        index = anchor_index(node, self.rows, self.inner)
        if node in self.stored:
            elements.store(
                node, value, elements.pointer(node), self._place(node, index), inner=True
            )
        elif node in elements.scratch:
            pointer, start = elements.scratch[node]
            offset = linear(index, node.shape)
            elements.store(node, value, pointer, offset + start * -1, inner=True)

    def _make_scratch(self, node: Node) -> None:
        """A row on the stack for a vector that only this kernel reads."""
        f = self.f
        type_ = MEMORY[node.dtype.name]
        pointer = f.stack_array(type_, self.inner)
        self.elements.scratch[node] = (pointer, loop("r", self.rows) * self.inner)


def emit_rows(
    cluster: Cluster, fusion: Fusion, stored: set[Node], costs: LoopCosts, blocks: int = 0
) -> Kernel:
    """The kernel of a ``rows`` cluster; ``stored`` says which values live in memory.

    ``blocks`` demands so many chunks, of equally many rows each.
    """
    return _RowKernel(cluster, fusion, stored, costs, blocks=blocks).emit()


def emit_epilogue(
    function: Function,
    block: Block,
    rows: int,
    cluster: Cluster,
    fusion: Fusion,
    stored: set[Node],
    operands: Operands,
    costs: LoopCosts,
) -> None:
    """A ``rows`` cluster as what follows a matrix product, on a block that is still in cache.

    ``rows`` is the number of rows of one product of the batch.
    """
    _RowKernel(cluster, fusion, stored, costs, function, operands).emit_block(block, rows)


def needs_memory(cluster: Cluster, fusion: Fusion, costs: LoopCosts) -> set[Node]:
    """Members that later stages of the cluster read back and that are too long for the stack."""
    if cluster.kind != "rows":
        return set()
    layout = RowLayout(cluster, fusion)
    return {n for n in layout.reused if layout.inner * n.dtype.itemsize > costs.scratch_bytes}
