"""Loop kernels: clusters of element-wise operations and reductions as native loops.

``rows`` clusters become a loop over rows; in each row one inner loop per *stage*, where a stage
ends when a reduction's result is needed (softmax: maximum, then sum, then quotient).  Inner
loops are plain scalar loops that LLVM vectorizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from pellucid.backends.cpu.contraction import Block
from pellucid.backends.cpu.elements import (
    ACCESS,
    CROWDED,
    INNER,
    KERNEL,
    MEMORY,
    METADATA,
    PARALLEL,
    REGISTER,
    ROW,
    Elements,
    Operand,
    Operands,
    convert,
    is_unsigned,
)
from pellucid.backends.cpu.ir import Function, Phi, Value, literal, module_text
from pellucid.backends.cpu.run_time_numbers import LEAST_EXTENT
from pellucid.backends.cpu.together import Read, compute_together, rows_together
from pellucid.backends.cpu.visiting import Visit, plan_visit, unreshaped
from pellucid.base.dtypes import DType, bool_
from pellucid.compiler.clusters import (
    COSTLY,
    REDUCTIONS,
    Cluster,
    Fusion,
    anchor_index,
    cone,
    reduction_axes,
    reduction_index,
)
from pellucid.compiler.index import (
    Affine,
    Atom,
    Index,
    linear,
    loop,
    operand_indices,
    recombine,
    unravel,
)
from pellucid.graph.node import CONSTANT, INPUT, Node

PARAMETERS = [
    ("ptr noalias readonly", "table"),
    ("ptr noalias readonly", "slots"),
    ("i64", "begin"),
    ("i64", "end"),
]
ATTRIBUTES = 'nounwind "no-builtins" "denormal-fp-math"="dynamic,dynamic"'
"""Subnormal numbers count as 0 or not as the driver was told: LLVM computes nothing beforehand
that depends on it."""
CHUNK_COST = 3_000.0
"""Estimated nanoseconds of work in one chunk: ten times what handing it out costs, and small
enough that the update of a layer of some thousand parameters is shared by two threads."""
ELEMENT_COSTS = dict.fromkeys(COSTLY, 0.6) | {
    "erf": 1.0,
    "pow": 3.5,
    "digamma": 15.0,
    "lgamma": 15.0,
    "random_uniform": 2.3,
    "take": 1.0,
    "gather": 1.0,
    "pad": 0.1,
    "concatenate": 0.1,
    "div": 0.06,
    "sqrt": 0.15,
}
"""Nanoseconds for one float32 on one core, measured on 16,384 elements with vectors of 8."""
CHEAP_COST = 0.012
READ_COST = 0.05
LINE = 64
"""Chunks of a flat loop begin at multiples of so many elements."""
SCRATCH_BYTES = 16 << 10
"""Rows of values that only one kernel needs live on its stack up to this size."""
MANY_REDUCTIONS = 5
"""A loop with so many accumulators is not interleaved (measured with 16 vector registers: six
accumulators take 54 µs instead of 75 for 200,000 elements)."""
COLUMN_BLOCK = 256
"""Columns that a column reduction adds up at a time, in an accumulator that stays in cache."""


@dataclass(frozen=True)
class Kernel:
    """A finished kernel: its text with ``@KERNEL`` for a name, and what it works on."""

    text: str
    operands: tuple[Operand, ...]
    chunks: int
    cost: float
    """Estimated nanoseconds of all chunks on one thread."""
    flop: int = 0
    arithmetic: str = ""
    """How a product of bfloat16 operands is computed; empty for everything else."""


def element_cost(roots: list[Node], stored: set[Node], size: int) -> float:
    """Estimated nanoseconds for one of ``size`` elements of all from stored values to ``roots``.

    What has fewer elements (a number for each row, or for all) counts only in its share.
    """
    total, stack, seen = 0.0, list(roots), set(roots)
    while stack:
        node = stack.pop()
        name = node.op.name
        width = (
            max([node.size, *(n.size for n in node.inputs)]) if name in REDUCTIONS else node.size
        )
        share = _share(width, size)
        total += share * ELEMENT_COSTS.get(name, CHEAP_COST)
        for operand in node.inputs:
            if operand in seen:
                continue
            seen.add(operand)
            if operand in stored or operand.op is INPUT:
                total += READ_COST * _share(operand.size, size)
            else:
                stack.append(operand)
    return total


def _share(part: int, size: int) -> float:
    """How often something with ``part`` elements is computed per element; a single number never."""
    return 0.0 if part == 1 < size else min(1.0, part / max(size, 1))


class _RowKernel:
    """Writes the kernel of one ``rows`` cluster."""

    def __init__(
        self,
        cluster: Cluster,
        fusion: Fusion,
        stored: set[Node],
        function: Function | None = None,
        operands: Operands | None = None,
        blocks: int = 0,
    ) -> None:
        self.rows, self.inner = cluster.rows, cluster.inner
        self.blocks = blocks
        self.anchors = cluster.anchors
        self.members = set(cluster.anchors)
        self.stored = stored
        self.fusion = fusion
        self.flat = cluster.flexible and not blocks and self._is_flat()
        self.visit: Visit | None = None
        if self.flat:
            self.rows, self.inner = 1, cluster.size
        elif cluster.flexible:
            self.rows, self.inner = self._split(cluster)
            if blocks and self.rows % blocks:
                self.rows, self.inner = blocks, cluster.size // blocks
            if function is None and not blocks:
                self.visit = plan_visit(self.anchors, self.inner, self.fusion.anchors)
        if self.visit is not None:
            self.rows, self.inner = cluster.size // self.visit.inner, self.visit.inner
        self.f = function or Function("KERNEL", PARAMETERS, attributes=ATTRIBUTES)
        self.operands = operands or Operands()
        # Short rows leave no time to compute with numbers that LLVM does not know.
        fixed = function is not None or self.flat or self.inner < LEAST_EXTENT
        # The pieces of a long chain often differ in their constants alone.
        piece = function is None and not fusion.ends.isdisjoint(self.anchors)
        known = stored | self.fusion.anchors
        self.elements = Elements(self.f, self.operands, known, fixed, piece)
        self.columns: tuple[Value, Value]
        self.stage = {}  # type: dict[Node, int]
        self._find_stages()

    # ---- shape of the loops ----------------------------------------------------------------

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

    def _is_row_sized(self, node: Node) -> bool:
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
            start = list(zip(node.inputs, operand_indices(node, index), strict=True))
        return [(n, i) for n, i in cone(start, self.fusion.anchors) if n in self.members]

    def _find_stages(self) -> None:
        """Stage of each member: after every reduction, or row as a whole, that it needs."""
        here = linear(
            unravel(
                loop("r", self.rows) * self.inner + loop("k", self.inner), (self.rows, self.inner)
            ),
            (self.rows, self.inner),
        )
        self.reused: set[Node] = set()
        """Vectors that a later stage reads."""
        for node in self.anchors:
            stage = 0
            for read, index in self._reads(node):
                if read.op.name in REDUCTIONS:
                    stage = max(stage, self.stage[read] + 1)
                elif self._is_row_sized(read) or linear(index, read.shape) == here:
                    stage = max(stage, self.stage[read])
                else:
                    stage = max(stage, self.stage[read] + 1)
            self.stage[node] = stage
        for node in self.anchors:
            for read, _ in self._reads(node):
                if not self._is_row_sized(read) and self.stage[read] < self.stage[node]:
                    self.reused.add(read)

    # ---- writing ---------------------------------------------------------------------------

    def emit(self) -> Kernel:
        """The finished kernel."""
        size = self.rows * self.inner
        per_row = element_cost(self.anchors, self.fusion.anchors, size) * self.inner + 4
        if self.flat:
            chunks = self._emit_flat()
            cost = per_row
        else:
            per_chunk = min(max(1, round(CHUNK_COST / per_row)), max(self.rows, 1))
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
        usual = max(1024, 1 << round(math.log2(CHUNK_COST / per_element)))
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
        """The row that is visited at a turn of the loop."""
        if self.visit is None:
            return turn
        f, row, rest = self.f, self.f.i64(0), turn
        numbers = self.elements.numbers
        for number, (extent, step) in enumerate(reversed(self.visit.axes)):
            place = rest
            if number < len(self.visit.axes) - 1:
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
            if self._is_row_sized(node) and node.op.name not in REDUCTIONS:
                value = elements.value(node, anchor_index(node, self.rows, self.inner), own=True)
                self._keep_row_value(node, value)
        looped = [n for n in members if not (self._is_row_sized(n) and n.op.name not in REDUCTIONS)]
        if looped:
            self._inner_loop(stage, *self.columns, ROW)
        for node in members:
            if not self._is_row_sized(node):
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
        vectors = [n for n in members if not self._is_row_sized(n)]
        reductions = [n for n in members if n.op.name in REDUCTIONS]
        for node in vectors:
            if node in self.reused and node not in self.stored:
                self._make_scratch(node)
        setup = f.lines
        elements.lines[outer] = setup
        elements.given[INNER] = {}
        head, body, done = (f.fresh(f"k.{part}") for part in ("head", "body", "done"))
        setup_label = f.label
        f.start_block(head)
        index = f.phi("i64", "k")
        index.add(first, setup_label)
        accumulators = [_Accumulator(f, n, setup_label) for n in reductions]
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
        loop_kind = CROWDED if len(reductions) >= MANY_REDUCTIONS else PARALLEL
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


class _Accumulator:
    """The value that a reduction carries through its loop."""

    def __init__(self, f: Function, node: Node, setup_label: str) -> None:
        self.f, self.node = f, node
        self.source, self.dtype = node.inputs[0].dtype, node.dtype
        self.kind = node.op.name
        type_ = REGISTER[self.value_dtype().name]
        start = Value(neutral(self.kind, self.value_dtype()), type_)
        self.phi = f.phi(type_, "acc")
        self.phi.add(start, setup_label)
        self.position: Phi | None = None
        if self.kind.startswith("arg"):
            self.position = f.phi("i64", "at")
            self.position.add(f.i64(-1), setup_label)
        self.next: Value = start
        self.next_position: Value | None = None

    def value_dtype(self) -> DType:
        """Dtype that is carried: the operand's for extremes, the result's for sums."""
        return self.dtype if self.kind in ("sum", "prod") else self.source

    def add(self, value: Value, index: Value) -> None:
        """Take in one element."""
        f = self.f
        if self.position is not None:
            better = beats(f, self.kind, value, self.phi.value, self.source)
            first = f.compare("icmp slt", self.position.value, f.i64(0))
            chosen = f.binary("or", better, first)
            self.next = f.select(chosen, value, self.phi.value)
            self.next_position = f.select(chosen, index, self.position.value)
        else:
            element = convert(f, value, self.source, self.value_dtype())
            self.next = combine(f, self.kind, self.phi.value, element, self.value_dtype())

    def close(self, label: str) -> None:
        """Close the loop's edges."""
        self.phi.add(self.next, label)
        if self.position is not None and self.next_position is not None:
            self.position.add(self.next_position, label)

    def result(self) -> Value:
        """The reduction's result after the loop."""
        return self.phi.value if self.position is None else self.position.value


def neutral(kind: str, dtype: DType) -> str:
    """Text of the value that changes nothing: 0, 1, −∞ or +∞ (or the integers' limits)."""
    type_ = REGISTER[dtype.name]
    if kind in ("sum", "prod"):
        return literal(type_, 0 if kind == "sum" else 1)
    highest = kind in ("min", "argmin")
    if dtype is bool_:
        return "true" if highest else "false"
    if dtype.kind == "float":
        return literal(type_, math.inf if highest else -math.inf)
    bits = dtype.itemsize * 8
    low, high = (
        (0, 2**bits - 1) if is_unsigned(dtype) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )
    return str(high if highest else low)


def combine(f: Function, kind: str, a: Value, b: Value, dtype: DType) -> Value:
    """One step of a reduction; sums may be reordered so that they vectorize."""
    if dtype.kind == "float":
        if kind in ("sum", "prod"):
            return f.binary(f"{'fadd' if kind == 'sum' else 'fmul'} reassoc contract", a, b)
        # NaN wins as in NumPy; which of two zeros does is left open, which halves the work.
        return f.intrinsic(f"llvm.{kind}imum", a.type, a, b, flags="nsz")
    if kind in ("sum", "prod"):
        return f.binary("add" if kind == "sum" else "mul", a, b)
    if dtype is bool_:
        return f.binary("or" if kind == "max" else "and", a, b)
    sign = "u" if is_unsigned(dtype) else "s"
    return f.intrinsic(f"llvm.{sign}{kind}", a.type, a, b)


def beats(f: Function, kind: str, value: Value, best: Value, dtype: DType) -> Value:
    """Whether an element replaces the best so far; the first NaN beats everything and stays."""
    if dtype.kind != "float":
        sign = "u" if is_unsigned(dtype) else "s"
        return f.compare(f"icmp {sign}{'gt' if kind == 'argmax' else 'lt'}", value, best)
    larger = f.compare("fcmp ogt" if kind == "argmax" else "fcmp olt", value, best)
    nan = f.compare("fcmp uno", value, value)
    best_is_number = f.compare("fcmp ord", best, best)
    return f.binary("or", larger, f.binary("and", nan, best_is_number))


def emit_rows(cluster: Cluster, fusion: Fusion, stored: set[Node], blocks: int = 0) -> Kernel:
    """The kernel of a ``rows`` cluster; ``stored`` says which values live in memory.

    ``blocks`` demands so many chunks, of equally many rows each.
    """
    return _RowKernel(cluster, fusion, stored, blocks=blocks).emit()


def emit_epilogue(
    function: Function,
    block: Block,
    rows: int,
    cluster: Cluster,
    fusion: Fusion,
    stored: set[Node],
    operands: Operands,
) -> None:
    """A ``rows`` cluster as what follows a matrix product, on a block that is still in cache.

    ``rows`` is the number of rows of one product of the batch.
    """
    _RowKernel(cluster, fusion, stored, function, operands).emit_block(block, rows)


def needs_memory(cluster: Cluster, fusion: Fusion) -> set[Node]:
    """Members that later stages of the cluster read back and that are too long for the stack."""
    if cluster.kind != "rows":
        return set()
    probe = _RowKernel(cluster, fusion, set(cluster.anchors))
    return {n for n in probe.reused if probe.inner * n.dtype.itemsize > SCRATCH_BYTES}


def emit_columns(cluster: Cluster, fusion: Fusion, stored: set[Node], chunks: int = 0) -> Kernel:
    """The kernel of reductions that keep the last axes: sums of whole rows, block by block.

    Result index = (a, b), reduced index = r: for each a and each block of b, for all r, the inner
    loop adds a stretch of a row to accumulators that stay in the nearest cache.  ``chunks`` demands
    so many chunks, each of equally many a.
    """
    return _ColumnKernel(cluster, fusion, stored, chunks).emit()


class _ColumnKernel:
    """Writes the kernel of one ``columns`` cluster."""

    def __init__(
        self, cluster: Cluster, fusion: Fusion, stored: set[Node], chunks: int = 0
    ) -> None:
        self.nodes, self.fusion, self.chunks = cluster.anchors, fusion, chunks
        node = cluster.anchors[0]
        source, axes = node.inputs[0].shape, reduction_axes(node)
        self.tail = math.prod(source[max(axes, default=-1) + 1 :])
        self.outer, self.depth = node.size // self.tail if self.tail else 0, cluster.inner
        blocks = math.ceil(self.tail / COLUMN_BLOCK)
        self.width = -(-self.tail // max(blocks, 1))
        self.blocks = -(-self.tail // max(self.width, 1))
        self.f = Function("KERNEL", PARAMETERS, attributes=ATTRIBUTES)
        self.operands = Operands()
        self.elements = Elements(self.f, self.operands, stored | fusion.anchors, fixed=False)
        self.dtypes = [
            n.dtype if n.op.name in ("sum", "prod") else n.inputs[0].dtype for n in self.nodes
        ]

        self.together = rows_together(
            lambda together, number: [self._place(n, together, number) for n in self.nodes],
            self.depth,
            self.elements.stored,
        )

    def _place(self, node: Node, together: int, number: int) -> Read:
        """What a reduction reads in row ``number`` of so many that are added ``together``."""
        a, d, k = (
            Affine(((Atom("loop", name, max(extent, 1)), 1),))
            for name, extent in (("a", self.outer), ("d", self.depth // together), ("k", self.tail))
        )
        return node.inputs[0], reduction_index(node, a * self.tail + k, d * together + number)

    def emit(self) -> Kernel:
        """The finished kernel."""
        f = self.f
        sums = [
            f.assign("ptr", f"alloca {MEMORY[d.name]}, i64 {COLUMN_BLOCK}, align 64", "sums")
            for d in self.dtypes
        ]
        entry = f.lines
        f.start_block("chunks.setup")
        units = self.outer * self.blocks
        chunks = self.chunks or units
        first, last = f.argument("begin"), f.argument("end")
        if chunks != units:
            each = f.i64(units // chunks)
            first, last = (f.binary("mul nsw", bound, each) for bound in (first, last))
        with f.loop(first, last, hint="c") as unit:
            self._chunk(unit.index, sums, entry)
        f.ret()
        entry.append("br label %chunks.setup")
        size = self.outer * self.depth * self.tail
        roots = [n.inputs[0] for n in self.nodes]
        per_element = element_cost(roots, self.fusion.anchors, size) + CHEAP_COST * len(roots)
        text = module_text([f], METADATA)
        return Kernel(text, self.operands.finished(), chunks, per_element * size + 50)

    def _chunk(self, chunk: Value, sums: list[Value], entry: list[str]) -> None:
        """One block of columns of one ``a``: accumulators set, filled and written."""
        f, elements = self.f, self.elements
        a_value, block = chunk, f.i64(0)
        numbers = elements.numbers
        if self.blocks > 1:
            a_value = numbers.quotient(chunk, self.blocks)
            number = numbers.remainder(chunk, a_value, self.blocks)
            block = f.binary("mul nsw", number, numbers.integer(self.width))
        if self.tail % self.width:
            left = f.binary("sub nsw", numbers.integer(self.tail), block)
            count = f.intrinsic("llvm.smin", "i64", left, numbers.integer(self.width))
        else:
            count = numbers.extent(self.width)

        def clear(at: Value) -> None:
            for node, total, dtype in zip(self.nodes, sums, self.dtypes, strict=True):
                start = Value(neutral(node.op.name, dtype), REGISTER[dtype.name])
                _put(f, total, at, start, dtype)

        _over_block(f, count, clear)
        with f.loop(0, numbers.integer(self.depth // self.together), hint="d") as reduced:
            elements.lines = {KERNEL: entry, ROW: f.lines}
            elements.given = {KERNEL: elements.given[KERNEL], ROW: {}, INNER: {}}
            elements.loops = {"a": (ROW, a_value), "d": (ROW, reduced.index)}
            self._row(block, count, sums)
        pointers = [elements.pointer(n) for n in self.nodes]
        base = f.binary("mul nsw", a_value, numbers.integer(self.tail))

        def write(at: Value) -> None:
            place = f.binary("add nsw", base, f.binary("add nsw", block, at))
            for node, total, dtype, pointer in zip(
                self.nodes, sums, self.dtypes, pointers, strict=True
            ):
                value = _get(f, total, at, dtype)
                if node.dtype is bool_:
                    value = f.cast("zext", value, "i8")
                f.store(value, f.gep(pointer, place, MEMORY[node.dtype.name]), suffix=ACCESS)

        _over_block(f, count, write)

    def _row(self, block: Value, count: Value, sums: list[Value]) -> None:
        """Add one row's stretch to the accumulators."""
        f, elements = self.f, self.elements
        setup = f.lines
        head, body, done = (f.fresh(f"j.{part}") for part in ("head", "body", "done"))
        setup_label = f.label
        f.start_block(head)
        at = f.phi("i64", "j")
        at.add(f.i64(0), setup_label)
        f.branch_if(f.compare("icmp slt", at.value, count), body, done)
        f.start_block(body)
        elements.lines[INNER] = f.lines
        elements.loops["k"] = (INNER, f.binary("add nsw", block, at.value))
        for node, accumulator, dtype in zip(self.nodes, sums, self.dtypes, strict=True):
            places = [self._place(node, self.together, number) for number in range(self.together)]
            if self.together > 1:
                compute_together(elements, places)
            total = _get(f, accumulator, at.value, dtype)
            for source, index in places:
                element = convert(f, elements.value(source, index), source.dtype, dtype)
                total = combine(f, node.op.name, total, element, dtype)
            _put(f, accumulator, at.value, total, dtype)
        at.add(f.binary("add nsw", at.value, f.i64(1)), f.label)
        f.line(f"br label %{head}{CROWDED if self.together > 1 else PARALLEL}")
        f.start_block(done)
        setup.append(f"br label %{head}")
        del elements.lines[INNER]


def _over_block(f: Function, count: Value, body: Callable[[Value], None]) -> None:
    """A vectorizable loop over the positions of a block of columns."""
    with f.loop(0, count, hint="j", metadata=PARALLEL) as inner:
        body(inner.index)
        inner.next = []


def _put(f: Function, pointer: Value, at: Value, value: Value, dtype: DType) -> None:
    if dtype is bool_:
        value = (
            f.cast("zext", value, "i8")
            if value.text not in ("true", "false")
            else Value("1" if value.text == "true" else "0", "i8")
        )
    f.store(value, f.gep(pointer, at, MEMORY[dtype.name]), suffix=ACCESS)


def _get(f: Function, pointer: Value, at: Value, dtype: DType) -> Value:
    loaded = f.load(MEMORY[dtype.name], f.gep(pointer, at, MEMORY[dtype.name]), suffix=ACCESS)
    return f.compare("icmp ne", loaded, f.constant("i8", 0)) if dtype is bool_ else loaded
