"""Kernels whose iterations depend on each other: running sums, sorting, writes where data say."""

from __future__ import annotations

import math
from collections.abc import Callable

from pellucid.backends.cpu.arithmetic import MEMORY, is_unsigned
from pellucid.backends.cpu.contraction_tiles import when
from pellucid.backends.cpu.elements import (
    ACCESS,
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
from pellucid.backends.cpu.operands import Operand, Operands
from pellucid.backends.cpu.reducing import combine
from pellucid.backends.cpu.special_exponential import exp, log1p
from pellucid.base.dtypes import DType, int64
from pellucid.compiler.index import Index, loop, unravel
from pellucid.graph.node import Node


class _Writer:
    """A kernel being written: the function and its operands."""

    def __init__(self) -> None:
        self.f = Function("KERNEL", PARAMETERS, attributes=ATTRIBUTES)
        self.operands = Operands()

    def pointer(self, operand: Operand) -> Value:
        """Address of an operand."""
        f = self.f
        slot = f.load("i32", f.gep(f.argument("slots"), self.operands.position(operand), "i32"))
        return f.load("ptr", f.gep(f.argument("table"), f.cast("sext", slot, "i64"), "ptr"), 8)

    def at(self, pointer: Value, place: Value, dtype: DType) -> Value:
        """Address of element ``place``."""
        return self.f.gep(pointer, place, MEMORY[dtype.name])

    def position(
        self, pointer: Value, place: Value, dtype: DType, extent: int, flag: Value
    ) -> Value:
        """A position read from memory, kept in range; out of range sets the error flag."""
        f = self.f
        raw = f.load(MEMORY[dtype.name], self.at(pointer, place, dtype))
        wide = (
            raw
            if raw.type == "i64"
            else f.cast("zext" if is_unsigned(dtype) else "sext", raw, "i64")
        )
        outside = f.compare("icmp uge", wide, f.i64(extent))
        f.store(f.select(outside, f.i64(1), f.load("i64", flag)), flag)
        return f.select(outside, f.i64(0), wide)

    def finish(self, chunks: int, cost: float) -> Kernel:
        """The finished kernel."""
        self.f.ret()
        return Kernel(module_text([self.f], METADATA), tuple(self.operands.order), chunks, cost)


def _affine(f: Function, *terms: tuple[Value, int]) -> Value:
    """Σ value · factor."""
    total = f.i64(0)
    for value, factor in terms:
        part = value if factor == 1 else f.binary("mul nsw", value, f.i64(factor))
        total = part if total.text == "0" else f.binary("add nsw", total, part)
    return total


def _around(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """Elements before, along and after an axis."""
    if not shape:
        return 1, 1, 1
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def _copy(
    w: _Writer, source: Value, target: Value, first: Value, count: int | Value, dtype: DType
) -> None:
    """Copy ``count`` elements from ``first`` on."""
    f = w.f
    with f.loop(0, count, hint="j", metadata=PARALLEL) as inner:
        place = f.binary("add nsw", first, inner.index)
        value = f.load(MEMORY[dtype.name], w.at(source, place, dtype), suffix=ACCESS)
        f.store(value, w.at(target, place, dtype), suffix=ACCESS)


def _emit_cumulative(node: Node, costs: LoopCosts) -> Kernel:
    """Running sum, product or the like: chunk = what stands before the axis.

    The inner loop runs over what stands after it.
    """
    source = node.inputs[0]
    before, extent, after = _around(node.shape, node.settings["axis"])
    neutral, join = RUNNING[node.op.name]
    w = _Writer()
    f = w.f
    x, y = w.pointer(source), w.pointer(node)
    with (
        f.loop(f.argument("begin"), f.argument("end"), hint="a") as a,
        f.loop(0, extent, hint="n") as n,
    ):
        row = _affine(f, (a.index, extent * after), (n.index, after))
        is_first = f.compare("icmp eq", n.index, f.i64(0))
        with f.loop(0, after, hint="b", metadata=PARALLEL if after > 1 else "") as b:
            place = f.binary("add nsw", row, b.index)
            raw = f.load(MEMORY[source.dtype.name], w.at(x, place, source.dtype))
            value = _widen(f, raw, source.dtype, node.dtype)
            previous = f.select(is_first, place, f.binary("sub nsw", place, f.i64(after)))
            before_value = f.load(MEMORY[node.dtype.name], w.at(y, previous, node.dtype))
            known = f.select(is_first, f.constant(value.type, neutral), before_value)
            f.store(join(f, known, value, node.dtype), w.at(y, place, node.dtype))
    return w.finish(before, 1.0 * node.size)


def _log_sum(f: Function, a: Value, b: Value, dtype: DType) -> Value:
    """ln(e^a + e^b) = m + ln(1 + e^−|a − b|), m the larger; NaN stays."""
    first = f.compare("fcmp ogt", a, b)
    gap = f.select(first, f.binary("fsub", b, a), f.binary("fsub", a, b))
    equal = f.compare("fcmp oeq", a, b)  # infinities among them, whose difference is NaN
    gap = f.select(equal, f.constant(gap.type, 0), gap)
    return f.binary("fadd", f.select(first, a, b), log1p(f, exp(f, gap)))


RUNNING: dict[str, tuple[float, Callable[[Function, Value, Value, DType], Value]]] = {
    "cumsum": (0, lambda f, a, b, dtype: combine(f, "sum", a, b, dtype)),
    "cumprod": (1, lambda f, a, b, dtype: combine(f, "prod", a, b, dtype)),
    "logcumsumexp": (-math.inf, _log_sum),
}
"""Operation → what stands before the first element, and how an element joins those before."""


def _widen(f: Function, value: Value, source: DType, target: DType) -> Value:
    """An integer or bool from memory as the wider integer that sums use."""
    if source is target:
        return value
    return f.cast("zext" if is_unsigned(source) else "sext", value, MEMORY[target.name])


class _Put:
    """put: x copied, then slices added or written in order; chunks share out the columns.

    Where the result stands in x's own place nothing is copied.  What is put is read from memory,
    or computed element by element from what is ``stored``.
    """

    def __init__(self, node: Node, stored: set[Node], costs: LoopCosts) -> None:
        self.node, (self.x, self.index, self.values) = node, node.inputs
        self.before, self.extent, self.after = _around(self.x.shape, node.settings["axis"])
        blocks = max(1, math.ceil(self.after / costs.put_columns))
        self.columns = costs.put_columns if blocks > 1 else self.after
        self.blocks = blocks
        self.w = _Writer()
        self.elements = Elements(self.w.f, self.w.operands, stored, fixed=False)
        self.computed = self.values not in stored and bool(self.values.inputs)

    def emit(self) -> Kernel:
        """The finished kernel."""
        w, f = self.w, self.w.f
        given = [self.x, self.index, self.node, *(() if self.computed else (self.values,))]
        pointers = {n: w.pointer(n) for n in given}
        entry = f.lines
        f.start_block("chunks.setup")
        rest = self.after - (self.blocks - 1) * self.columns
        with f.loop(f.argument("begin"), f.argument("end"), hint="c") as chunk:
            a = f.binary("udiv", chunk.index, f.i64(self.blocks))
            number = f.binary("urem", chunk.index, f.i64(self.blocks))
            block = f.binary("mul nsw", number, f.i64(self.columns))
            if rest == self.columns:
                self._block(pointers, entry, a, block, rest)
            else:  # both widths are known to LLVM, whose loops then have no rest
                last = f.compare("icmp eq", number, f.i64(self.blocks - 1))
                when(f, last, lambda: self._block(pointers, entry, a, block, rest))
                other = f.compare("icmp ne", number, f.i64(self.blocks - 1))
                when(f, other, lambda: self._block(pointers, entry, a, block, self.columns))
        f.ret()
        entry.append("br label %chunks.setup")
        text = module_text([f], METADATA)
        cost = 0.2 * (self.node.size + self.values.size)
        return Kernel(text, w.operands.finished(), self.before * self.blocks, cost)

    def _block(
        self, pointers: dict[Node, Value], entry: list[str], a: Value, block: Value, width: int
    ) -> None:
        """``width`` columns of all slices."""
        w, f = self.w, self.w.f
        self._keep(pointers, a, block, width)
        flag = w.pointer(("error", 0))
        with f.loop(0, self.index.size, hint="i") as i:
            place = w.position(pointers[self.index], i.index, self.index.dtype, self.extent, flag)
            target = _affine(f, (a, self.extent * self.after), (place, self.after), (block, 1))
            write = w.at(pointers[self.node], target, self.x.dtype)
            self._slice(pointers, entry, (a, i.index, block), width, write)

    def _keep(self, pointers: dict[Node, Value], a: Value, block: Value, width: int) -> None:
        """x copied, unless the result stands in its place."""
        w, f, x, node = self.w, self.w.f, self.x, self.node

        def copy() -> None:
            with f.loop(0, self.extent, hint="n") as n:
                terms = (a, self.extent * self.after), (n.index, self.after), (block, 1)
                _copy(w, pointers[x], pointers[node], _affine(f, *terms), width, x.dtype)

        when(f, f.compare("icmp ne", pointers[x], pointers[node]), copy)

    def _slice(
        self,
        pointers: dict[Node, Value],
        entry: list[str],
        at: tuple[Value, Value, Value],
        width: int,
        write: Value,
    ) -> None:
        """Add or write the columns of one slice, ``at`` (before, position, first column)."""
        w, f, elements, dtype = self.w, self.w.f, self.elements, self.x.dtype
        a, i, block = at
        count = self.index.size
        source = _affine(f, (a, count * self.after), (i, self.after), (block, 1))
        setup, label = f.lines, f.label
        head, body, done = (f.fresh(f"j.{part}") for part in ("head", "body", "done"))
        f.start_block(head)
        j = f.phi("i64", "j")
        j.add(f.i64(0), label)
        f.branch_if(f.compare("icmp slt", j.value, f.i64(width)), body, done)
        f.start_block(body)
        if self.computed:
            elements.lines = {KERNEL: entry, ROW: setup, INNER: f.lines}
            elements.given = {KERNEL: elements.given[KERNEL], ROW: {}, INNER: {}}
            column = f.binary("add nsw", block, j.value)
            elements.loops = {"a": (ROW, a), "i": (ROW, i), "k": (INNER, column)}
            value = elements.value(self.values, self._place())
        else:
            read = w.at(pointers[self.values], f.binary("add nsw", source, j.value), dtype)
            value = f.load(MEMORY[dtype.name], read, suffix=ACCESS)
        address = w.at(write, j.value, dtype)
        if self.node.settings["mode"] == "add":
            value = combine(f, "sum", f.load(value.type, address, suffix=ACCESS), value, dtype)
        f.store(value, address, suffix=ACCESS)
        j.add(f.binary("add nsw", j.value, f.i64(1)), f.label)
        f.line(f"br label %{head}{PARALLEL}")
        f.start_block(done)
        setup.append(f"br label %{head}")

    def _place(self) -> Index:
        """Where the values are computed for the loops' variables."""
        count = self.index.size
        whole = loop("a", max(self.before, 1)) * (count * self.after)
        return unravel(
            whole + loop("i", max(count, 1)) * self.after + loop("k", self.after),
            self.values.shape,
        )


def _emit_scatter(node: Node, costs: LoopCosts) -> Kernel:
    """scatter: x copied (unless it stands there), then elements added or written in order."""
    x, index, values = node.inputs
    axis, mode = node.settings["axis"], node.settings["mode"]
    w = _Writer()
    f = w.f
    pointers = [w.pointer(n) for n in (x, index, values, node)]
    flag = w.pointer(("error", 0))

    def keep() -> None:
        _copy(w, pointers[0], pointers[3], f.i64(0), x.size, x.dtype)

    when(f, f.compare("icmp ne", pointers[0], pointers[3]), keep)
    with f.loop(0, index.size, hint="i") as i:
        where = w.position(pointers[1], i.index, index.dtype, x.shape[axis] if x.shape else 1, flag)
        target, rest, stride = f.i64(0), i.index, 1
        for d in range(len(x.shape) - 1, -1, -1):
            own = f.binary("urem", rest, f.i64(index.shape[d]))
            rest = f.binary("udiv", rest, f.i64(index.shape[d]))
            target = _affine(f, (target, 1), (where if d == axis else own, stride))
            stride *= x.shape[d]
        value = f.load(MEMORY[x.dtype.name], w.at(pointers[2], i.index, x.dtype))
        write = w.at(pointers[3], target, x.dtype)
        if mode == "add":
            value = combine(f, "sum", f.load(value.type, write), value, x.dtype)
        f.store(value, write)
    return w.finish(1, 0.2 * x.size + 2.0 * index.size)


def _emit_argsort(node: Node, costs: LoopCosts) -> Kernel:
    """argsort: bottom-up merge sort of positions, one line a chunk, two lines of scratch each."""
    x = node.inputs[0]
    before, extent, after = _around(x.shape, node.settings["axis"])
    w = _Writer()
    f = w.f
    source, result = w.pointer(x), w.pointer(node)
    scratch = w.pointer(("scratch", 16 * max(node.size, 1)))
    rounds = max(0, math.ceil(math.log2(extent))) if extent > 1 else 0
    with f.loop(f.argument("begin"), f.argument("end"), hint="c") as chunk:
        a, b = (
            f.binary("udiv", chunk.index, f.i64(after)),
            f.binary("urem", chunk.index, f.i64(after)),
        )
        base = _affine(f, (a, extent * after), (b, 1))
        halves = [
            f.gep(scratch, _affine(f, (chunk.index, 2 * extent)), "i64"),
            f.gep(
                scratch,
                f.binary("add nsw", _affine(f, (chunk.index, 2 * extent)), f.i64(extent)),
                "i64",
            ),
        ]
        with f.loop(0, extent, hint="n") as n:
            f.store(n.index, f.gep(halves[0], n.index, "i64"))
        for level in range(rounds):
            _merge_round(
                w,
                x.dtype,
                source,
                base,
                after,
                halves,
                extent,
                1 << level,
                node.settings["descending"],
            )
            halves.reverse()
        with f.loop(0, extent, hint="n") as n:
            place = f.load("i64", f.gep(halves[0], n.index, "i64"))
            f.store(place, w.at(result, _affine(f, (base, 1), (n.index, after)), int64))
    return w.finish(before * after, 4.0 * node.size * max(rounds, 1))


def _merge_round(
    w: _Writer,
    dtype: DType,
    source: Value,
    base: Value,
    stride: int,
    halves: list[Value],
    extent: int,
    width: int,
    descending: bool,
) -> None:
    """Merge neighbouring runs of ``width`` positions from one half of the scratch to the other."""
    f = w.f

    def element(place: Value) -> Value:
        address = w.at(source, _affine(f, (base, 1), (place, stride)), dtype)
        return f.load(MEMORY[dtype.name], address)

    with f.loop(0, extent, 2 * width, hint="run") as run:
        middle = f.intrinsic(
            "llvm.smin", "i64", f.binary("add nsw", run.index, f.i64(width)), f.i64(extent)
        )
        end = f.intrinsic(
            "llvm.smin", "i64", f.binary("add nsw", run.index, f.i64(2 * width)), f.i64(extent)
        )
        with f.loop(run.index, end, carried=[run.index, middle], hint="m") as out:
            left, right = out.values
            left_open = f.compare("icmp slt", left, middle)
            right_open = f.compare("icmp slt", right, end)
            # Reads stay inside the run even when one side is used up.
            at_left = f.load("i64", f.gep(halves[0], f.select(left_open, left, right), "i64"))
            at_right = f.load("i64", f.gep(halves[0], f.select(right_open, right, left), "i64"))
            earlier = before(f, element(at_right), element(at_left), dtype, descending)
            take_right = f.binary(
                "and",
                right_open,
                f.binary("or", f.binary("xor", left_open, f.constant("i1", True)), earlier),
            )
            f.store(f.select(take_right, at_right, at_left), f.gep(halves[1], out.index, "i64"))
            one, zero = f.i64(1), f.i64(0)
            out.next = [
                f.binary("add nsw", left, f.select(take_right, zero, one)),
                f.binary("add nsw", right, f.select(take_right, one, zero)),
            ]


def before(f: Function, a: Value, b: Value, dtype: DType, descending: bool) -> Value:
    """Whether ``a`` must stand before ``b``; NaN counts as the largest value."""
    if dtype.kind != "float":
        sign = "u" if is_unsigned(dtype) else "s"
        return f.compare(f"icmp {sign}{'gt' if descending else 'lt'}", a, b)
    less = f.compare("fcmp ogt" if descending else "fcmp olt", a, b)
    first, second = (a, b) if descending else (b, a)
    nan = f.binary(
        "and", f.compare("fcmp uno", first, first), f.compare("fcmp ord", second, second)
    )
    return f.binary("or", less, nan)


EMITTERS: dict[str, Callable[[Node, LoopCosts], Kernel]] = {
    "cumsum": _emit_cumulative,
    "cumprod": _emit_cumulative,
    "logcumsumexp": _emit_cumulative,
    "scatter": _emit_scatter,
    "argsort": _emit_argsort,
}
"""Operation → what writes its kernel from operands in memory."""


def emit_serial(node: Node, stored: set[Node], costs: LoopCosts) -> Kernel:
    """The kernel of an operation whose iterations depend on each other."""
    if node.op.name == "put":
        return _Put(node, stored, costs).emit()
    return EMITTERS[node.op.name](node, costs)
