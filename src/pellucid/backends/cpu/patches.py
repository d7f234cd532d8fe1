"""Transforms of patches, L X Lᵀ, as generated kernels: what is around the products of Winograd's
convolutions (see :mod:`pellucid.compiler.winograd`).

A chunk is some patches, or some columns of few patches.  Vectors run along the columns; a patch's
vectors are loaded once, multiplied with L along both axes in registers, and stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pellucid.backends.cpu.contraction import KERNEL_ATTRIBUTES, KERNEL_PARAMETERS, operand
from pellucid.backends.cpu.contraction_tiles import load_lanes, multiply_add, store_lanes
from pellucid.backends.cpu.engine import PLAIN
from pellucid.backends.cpu.ir import Function, Value, module_text
from pellucid.backends.cpu.kernel import Kernel
from pellucid.backends.cpu.machine import costs_of
from pellucid.backends.cpu.target import Target
from pellucid.compiler.views import flat_base
from pellucid.graph.node import Node


def emit_patches(node: Node, target: Target) -> Kernel:
    """The kernel of a ``patch_transform``; operands: x, the result."""
    costs = costs_of(target).convolutions
    settings = node.settings
    matrix, columns = settings["matrix"], settings["columns"]
    lanes = target.lanes(node.dtype.name)
    count = math.prod(extent for extent, _, _ in settings["batch"])
    values = len(matrix[0]) ** 2
    block = min(columns, costs.patch_columns)
    blocks = -(-columns // block)
    together = max(1, min(count, costs.patch_values // (values * block)))
    parts = -(-count // together)
    f = Function("KERNEL", KERNEL_PARAMETERS, attributes=KERNEL_ATTRIBUTES)
    writer = _Patches(f, node, lanes)
    x, y = operand(f, 0), operand(f, 1)
    with f.loop(f.argument("begin"), f.argument("end"), hint="unit") as unit:
        part = f.binary("udiv", unit.index, f.i64(blocks))
        first = f.binary("mul nsw", f.binary("urem", unit.index, f.i64(blocks)), f.i64(block))
        stop = f.binary("add nsw", first, f.i64(block))
        stop = f.intrinsic("llvm.smin", "i64", stop, f.i64(columns))
        begin = f.binary("mul nsw", part, f.i64(together))
        end = f.binary("add nsw", begin, f.i64(together))
        end = f.intrinsic("llvm.smin", "i64", end, f.i64(count))
        with f.loop(begin, end, hint="patch") as patch:
            writer.patch(x, y, patch.index, first, stop)
    f.ret()
    moved = count * columns * (values + len(matrix) ** 2)
    text = PLAIN + module_text([f])
    cost = costs.patch_nanoseconds * moved
    return Kernel(text, (flat_base(node.inputs[0]), node), parts * blocks, cost)


class _Patches:
    """Writes the code of one patch."""

    def __init__(self, f: Function, node: Node, lanes: int) -> None:
        self.f, self.lanes = f, lanes
        self.scalar = "float" if node.dtype.itemsize == 4 else "double"
        self.size = node.dtype.itemsize
        self.settings = node.settings
        self.matrix: Sequence[Sequence[float]] = self.settings["matrix"]

    def patch(self, x: Value, y: Value, index: Value, first: Value, stop: Value) -> None:
        """Columns ``first`` to ``stop`` of a patch."""
        f, size = self.f, self.size
        x = f.gep(x, self.settings["offset"] * size)
        batch = self.settings["batch"]
        rest = index
        for place in range(len(batch) - 1, -1, -1):
            extent, step_in, step_out = batch[place]
            here = rest
            if place:
                here = f.binary("urem", rest, f.i64(extent))
                rest = f.binary("udiv", rest, f.i64(extent))
            x = f.gep(x, f.binary("mul nsw", here, f.i64(step_in * size)))
            y = f.gep(y, f.binary("mul nsw", here, f.i64(step_out * size)))
        tail = self.settings["columns"] % self.lanes
        whole = stop
        if tail:
            most = f.i64(self.settings["columns"] - tail)
            whole = f.intrinsic("llvm.smin", "i64", stop, most)
        with f.loop(first, whole, self.lanes, hint="column") as loop:
            self._vectors(x, y, loop.index, self.lanes)
        if tail:
            with f.loop(whole, stop, tail, hint="tail") as loop:
                self._vectors(x, y, loop.index, tail)

    def _vectors(self, x: Value, y: Value, column: Value, width: int) -> None:
        f, size = self.f, self.size
        at = f.binary("mul nsw", column, f.i64(size))
        x, y = f.gep(x, at), f.gep(y, at)
        of_row, of_column = self.settings["read"]
        terms = range(len(self.matrix[0]))
        self._fetch_below(x)
        made = []
        for k in terms:
            places = (f.gep(x, (j * of_row + k * of_column) * size) for j in terms)
            column_of_patch = [load_lanes(f, self.scalar, p, width, self.lanes) for p in places]
            made.append(self.multiplied(column_of_patch))
        to_row, to_column = self.settings["write"]
        for i in range(len(self.matrix)):
            for j, value in enumerate(self.multiplied([column[i] for column in made])):
                place = f.gep(y, (i * to_row + j * to_column) * size)
                store_lanes(f, value, place, width, self.lanes)

    def _fetch_below(self, x: Value) -> None:
        """Ask for what the patches below, one step of the last but one axis on, read first.

        Each line is read from far away once, by the uppermost patch that it belongs to; the
        processor does not see that coming.
        """
        f, batch = self.f, self.settings["batch"]
        if len(batch) < 2 or batch[-2][1] % self.settings["read"][0]:
            return
        (_, below, _), (_, beside, _) = batch[-2:]
        of_row, of_column = self.settings["read"]
        rows, columns = below // of_row, beside // of_column
        terms = len(self.matrix[0])
        kind = [Value(str(n), "i32") for n in (0, 2, 1)]  # to read, into the second level, data
        for j in range(terms - rows, terms):
            for k in range(columns):
                place = f.gep(x, (below + j * of_row + k * of_column) * self.size)
                f.intrinsic("llvm.prefetch", "void", place, *kind, overload="p0")

    def multiplied(self, values: Sequence[Value]) -> list[Value]:
        """L · values; rows that are e + o and e - o share their parts."""
        results: dict[int, Value] = {}
        for i, row in enumerate(self.matrix):
            if i in results:
                continue
            twin = self._twin(i)
            if twin is None:
                results[i] = self._sum(row, values)
                continue
            other = self.matrix[twin]
            even = self._sum(
                [a if a == b else 0.0 for a, b in zip(row, other, strict=True)], values
            )
            odd = self._sum([a if a != b else 0.0 for a, b in zip(row, other, strict=True)], values)
            results[i] = self.f.fadd(even, odd, flags="")
            results[twin] = self.f.fsub(even, odd, flags="")
        return [results[i] for i in range(len(self.matrix))]

    def _twin(self, i: int) -> int | None:
        """A later row with the same elements but for some signs."""
        row = self.matrix[i]
        for k in range(i + 1, len(self.matrix)):
            other = self.matrix[k]
            pairs = list(zip(row, other, strict=True))
            if all(abs(a) == abs(b) for a, b in pairs) and any(a != b for a, b in pairs):
                return k
        return None

    def _sum(self, factors: Sequence[float], values: Sequence[Value]) -> Value:
        """Σ factor · value."""
        f = self.f
        total: Value | None = None
        # Ones first: they begin the sum without a multiplication.
        order = sorted((k for k, c in enumerate(factors) if c), key=lambda k: factors[k] != 1)
        for k in order:
            factor, value = factors[k], values[k]
            if total is None and factor == 1:
                total = value
                continue
            scale = f.constant(value.type, factor)
            if total is None:
                total = f.fmul(value, scale, flags="")
            elif factor == 1:
                total = f.fadd(total, value, flags="")
            else:
                total = multiply_add(f, scale, value, total)
        if total is None:
            return f.constant(values[0].type, 0.0)
        return total
