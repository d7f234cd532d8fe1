"""Reductions that keep the last axes, as the gradient of a bias does: sums of whole rows.

Blocks of columns have accumulators that stay in the nearest cache while the rows are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pellucid.backends.cpu.arithmetic import MEMORY, REGISTER, convert
from pellucid.backends.cpu.costs import CHEAP_COST, element_cost
from pellucid.backends.cpu.elements import (
    ACCESS,
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
from pellucid.backends.cpu.reducing import combine, neutral
from pellucid.backends.cpu.together import Read, compute_together, rows_together
from pellucid.base.dtypes import DType, bool_
from pellucid.compiler.clusters import (
    Cluster,
    Fusion,
    reduction_axes,
    reduction_index,
)
from pellucid.compiler.index import (
    Affine,
    Atom,
)
from pellucid.graph.node import Node


def emit_columns(
    cluster: Cluster, fusion: Fusion, stored: set[Node], costs: LoopCosts, chunks: int = 0
) -> Kernel:
    """The kernel of reductions that keep the last axes: sums of whole rows, block by block.

    Result index = (a, b), reduced index = r: for each a and each block of b, for all r, the inner
    loop adds a stretch of a row to accumulators that stay in the nearest cache.  ``chunks`` demands
    so many chunks, each of equally many a.
    """
    return _ColumnKernel(cluster, fusion, stored, costs, chunks).emit()


class _ColumnKernel:
    """Writes the kernel of one ``columns`` cluster."""

    def __init__(
        self, cluster: Cluster, fusion: Fusion, stored: set[Node], costs: LoopCosts, chunks: int = 0
    ) -> None:
        self.block = costs.column_block
        self.nodes, self.fusion, self.chunks = cluster.anchors, fusion, chunks
        node = cluster.anchors[0]
        source, axes = node.inputs[0].shape, reduction_axes(node)
        self.tail = math.prod(source[max(axes, default=-1) + 1 :])
        self.outer, self.depth = node.size // self.tail if self.tail else 0, cluster.inner
        blocks = math.ceil(self.tail / self.block)
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
            f.assign("ptr", f"alloca {MEMORY[d.name]}, i64 {self.block}, align 64", "sums")
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
