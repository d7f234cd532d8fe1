"""Kernels written by hand that serve every extent: what eager convolutions and batch norms run.

A kernel that is made for its shapes is fast, but a deep network has a hundred of them, and each
costs planning and compilation before its first step.  Here an operation is one text for each
dtype; extents, strides and offsets are words of its first operand, so that a shape never seen
before costs no more than writing down these words (:mod:`pellucid.tensor.general` does).

Convolutions work on *planes*, the spatial axes of one image and channel.  A plane is copied into a
buffer with its frame of zeros; in this buffer the element that tap t of the window reads for the
position q lies at q + offset[t], whatever the row, so that one loop over positions serves rows of
any length (positions between the rows' ends are computed in vain and dropped).

A chunk is a range of planes or channels that depends on the shapes alone, and its sums have a fixed
order: the bits are the same on any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pellucid.backends.cpu.contraction import KERNEL_ATTRIBUTES, KERNEL_PARAMETERS, operand
from pellucid.backends.cpu.contraction_tiles import multiply_add
from pellucid.backends.cpu.engine import PLAIN, KernelAddress, load_kernels
from pellucid.backends.cpu.general_normalization import batch_normalized, batch_pulled
from pellucid.backends.cpu.general_products import (
    ACROSS,
    image_products,
    patch_sums,
    summed_products,
)
from pellucid.backends.cpu.general_words import WORDS, Writer, vectors
from pellucid.backends.cpu.ir import Function, Value, module_text
from pellucid.backends.cpu.runtime import NativeProgram, Region, Task
from pellucid.backends.cpu.target import Target, host_target
from pellucid.base.caches import register_cache

__all__ = ["ACROSS", "OPERANDS", "GeneralProgram", "lanes_of"]

TOGETHER = 4
"""Vectors of positions that are computed side by side."""
LEAST_PARALLEL = 20_000.0
"""Work (nanoseconds on one thread) from which on several threads are worth it."""


# ---- planes ----------------------------------------------------------------------------------


def _filled(w: Writer, source: Value, plane: Value, buffer: Value, of: str) -> None:
    """Copy a plane into its buffer; rows and columns that padding cuts off stay away."""
    f = w.f
    first = f.gep(source, f.binary("mul", plane, w[f"{of}_size"]), w.scalar)
    first = f.gep(first, w[f"{of}_first"], w.scalar)
    target = f.gep(buffer, w[f"{of}_place"], w.scalar)
    with f.loop(0, w[f"{of}_rows"], hint="row") as row:
        a = f.gep(first, f.binary("mul", row.index, w[f"{of}_width"]), w.scalar)
        b = f.gep(target, f.binary("mul", row.index, w[f"{of}_pitch"]), w.scalar)
        _copied(w, a, None, b, w[f"{of}_step"], w[f"{of}_columns"])


def _copied(
    w: Writer, source: Value, by: Value | None, target: Value, step: Value | None, count: Value
) -> None:
    """``target[step · i] = source[by · i]``; steps of 1 (None, or the word says so) in vectors."""
    f = w.f
    stepped = step if by is None else by
    if stepped is not None:
        wide, slow, done = f.fresh("wide"), f.fresh("slow"), f.fresh("copied")
        f.branch_if(f.compare("icmp eq", stepped, f.i64(1)), wide, slow)
        f.start_block(slow)
        with f.loop(0, count, hint="one") as one:
            i = one.index if by is None else f.binary("mul", one.index, by)
            k = one.index if by is not None else f.binary("mul", one.index, stepped)
            f.store(f.load(w.scalar, f.gep(source, i, w.scalar)), f.gep(target, k, w.scalar))
        f.branch(done)
        f.start_block(wide)
    for type_, index in vectors(w, count):
        f.store(f.load(type_, f.gep(source, index, w.scalar)), f.gep(target, index, w.scalar))
    if stepped is not None:
        f.branch(done)
        f.start_block(done)


def _zeroed(w: Writer, buffer: Value, count: Value) -> None:
    """Zeros, whole vectors of them."""
    f = w.f
    with f.loop(0, count, w.lanes, hint="zero") as loop:
        f.store(f.constant(w.type, 0.0), f.gep(buffer, loop.index, w.scalar))


def _share(w: Writer, total: Value) -> tuple[Value, Value]:
    """Chunk → its range of planes, in the loop over chunks."""
    f = w.f
    begin = f.binary("mul", w.chunk, w["together"])
    end = f.binary("add", begin, w["together"])
    return begin, f.intrinsic("llvm.smin", "i64", end, total)


def _scratch(w: Writer, pointer: Value) -> Value:
    """This chunk's part of the memory that only it uses."""
    f = w.f
    return f.gep(pointer, f.binary("mul", w.chunk, w["scratch"]), w.scalar)


def _depthwise(w: Writer) -> None:
    """out[p] = Σ over taps of weight[channel, t] · plane[p] at the tap's place."""
    f = w.f
    source, weights, out, memory = (operand(f, k) for k in range(1, 5))
    taps, kernel = w.words_from("offsets"), w["taps"]
    with w.chunks():
        buffer = _scratch(w, memory)
        result = f.gep(buffer, w["buffer"], w.scalar)
        _zeroed(w, buffer, w["buffer"])
        with f.loop(*_share(w, w["planes"]), hint="plane") as plane:
            _filled(w, source, plane.index, buffer, "x")
            channel = f.binary("urem", plane.index, w["channels"])
            own = f.gep(weights, f.binary("mul", channel, kernel), w.scalar)
            with f.loop(0, w["positions"], TOGETHER * w.lanes, hint="place") as place:
                here = f.gep(buffer, place.index, w.scalar)
                zero = [f.constant(w.type, 0.0)] * TOGETHER
                with f.loop(0, kernel, carried=zero, hint="tap") as tap:
                    factor = f.load(w.scalar, f.gep(own, tap.index, w.scalar))
                    factor = f.splat(factor, w.lanes)
                    offset = f.load("i64", f.gep(taps, tap.index, "i64"))
                    read = f.gep(here, offset, w.scalar)
                    tap.next = [
                        multiply_add(
                            f, factor, f.load(w.type, f.gep(read, k * w.lanes, w.scalar)), before
                        )
                        for k, before in enumerate(tap.values)
                    ]
                written = f.gep(result, place.index, w.scalar)
                for k, value in enumerate(tap.results):
                    f.store(value, f.gep(written, k * w.lanes, w.scalar))
            target = f.gep(out, f.binary("mul", plane.index, w["out_size"]), w.scalar)
            with f.loop(0, w["out_rows"], hint="row") as row:
                a = f.gep(result, f.binary("mul", row.index, w["row_step"]), w.scalar)
                b = f.gep(target, f.binary("mul", row.index, w["out_columns"]), w.scalar)
                _copied(w, a, w["column_step"], b, None, w["out_columns"])


def _depthwise_weight(w: Writer) -> None:
    """weight[c, t] = Σ over images and positions of g · plane at the tap's place."""
    f = w.f
    source, cotangent, out, memory = (operand(f, k) for k in range(1, 5))
    taps, kernel = w.words_from("offsets"), w["taps"]
    with w.chunks():
        buffer = _scratch(w, memory)
        given = f.gep(buffer, w["buffer"], w.scalar)
        sums = f.gep(given, w["given"], w.scalar)
        _zeroed(w, buffer, f.binary("add", w["buffer"], w["given"]))
        with f.loop(*_share(w, w["channels"]), hint="channel") as channel:
            _zeroed(w, sums, f.binary("mul", kernel, f.i64(w.lanes)))
            with f.loop(0, w["images"], hint="image") as image:
                plane = f.binary("mul", image.index, w["channels"])
                plane = f.binary("add", plane, channel.index)
                _filled(w, source, plane, buffer, "x")
                _filled(w, cotangent, plane, given, "g")
                with f.loop(0, kernel, hint="tap") as tap:
                    offset = f.load("i64", f.gep(taps, tap.index, "i64"))
                    total = _dot(w, f.gep(buffer, offset, w.scalar), given, w["positions"])
                    at = f.gep(sums, f.binary("mul", tap.index, f.i64(w.lanes)), w.scalar)
                    f.store(f.fadd(f.load(w.type, at), total, flags=""), at)
            target = f.gep(out, f.binary("mul", channel.index, kernel), w.scalar)
            with f.loop(0, kernel, hint="tap") as tap:
                at = f.gep(sums, f.binary("mul", tap.index, f.i64(w.lanes)), w.scalar)
                total = w.sum_of(f.load(w.type, at))
                f.store(total, f.gep(target, tap.index, w.scalar))


def _dot(w: Writer, a: Value, b: Value, count: Value) -> Value:
    """Σ a · b, a vector of partial sums; ``count`` is rounded up to whole groups of vectors."""
    f = w.f
    zero = [f.constant(w.type, 0.0)] * TOGETHER
    with f.loop(0, count, TOGETHER * w.lanes, carried=zero, hint="place") as place:
        x, y = (f.gep(p, place.index, w.scalar) for p in (a, b))
        place.next = [
            multiply_add(
                f,
                f.load(w.type, f.gep(x, k * w.lanes, w.scalar)),
                f.load(w.type, f.gep(y, k * w.lanes, w.scalar)),
                before,
            )
            for k, before in enumerate(place.values)
        ]
    first, second, third, fourth = place.results
    pairs = f.fadd(first, second, flags=""), f.fadd(third, fourth, flags="")
    return f.fadd(*pairs, flags="")


def _unfold(w: Writer) -> None:
    """columns[p, t, position] = plane[p] at the tap's place."""
    f = w.f
    source, out, memory = (operand(f, k) for k in range(1, 4))
    taps, kernel = w.words_from("offsets"), w["taps"]
    with w.chunks():
        buffer = _scratch(w, memory)
        _zeroed(w, buffer, w["buffer"])
        with f.loop(*_share(w, w["planes"]), hint="plane") as plane:
            _filled(w, source, plane.index, buffer, "x")
            with f.loop(0, kernel, hint="tap") as tap:
                offset = f.load("i64", f.gep(taps, tap.index, "i64"))
                read = f.gep(buffer, offset, w.scalar)
                line = f.binary("add", f.binary("mul", plane.index, kernel), tap.index)
                target = f.gep(out, f.binary("mul", line, w["out_size"]), w.scalar)
                with f.loop(0, w["out_rows"], hint="row") as row:
                    a = f.gep(read, f.binary("mul", row.index, w["row_step"]), w.scalar)
                    b = f.gep(target, f.binary("mul", row.index, w["out_columns"]), w.scalar)
                    _copied(w, a, w["column_step"], b, None, w["out_columns"])


def _fold(w: Writer) -> None:
    """plane[p] at the tap's place += columns[p, t, position]: the transpose of :func:`_unfold`."""
    f = w.f
    columns, out, memory = (operand(f, k) for k in range(1, 4))
    taps, kernel = w.words_from("offsets"), w["taps"]
    with w.chunks():
        buffer = _scratch(w, memory)
        with f.loop(*_share(w, w["planes"]), hint="plane") as plane:
            _zeroed(w, buffer, w["buffer"])
            with f.loop(0, kernel, hint="tap") as tap:
                offset = f.load("i64", f.gep(taps, tap.index, "i64"))
                written = f.gep(buffer, offset, w.scalar)
                line = f.binary("add", f.binary("mul", plane.index, kernel), tap.index)
                read = f.gep(columns, f.binary("mul", line, w["out_size"]), w.scalar)
                with f.loop(0, w["out_rows"], hint="row") as row:
                    a = f.gep(read, f.binary("mul", row.index, w["out_columns"]), w.scalar)
                    b = f.gep(written, f.binary("mul", row.index, w["row_step"]), w.scalar)
                    _added(w, a, b)
            first = f.gep(out, f.binary("mul", plane.index, w["x_size"]), w.scalar)
            first = f.gep(first, w["x_first"], w.scalar)
            kept = f.gep(buffer, w["x_place"], w.scalar)
            with f.loop(0, w["x_rows"], hint="row") as row:
                a = f.gep(kept, f.binary("mul", row.index, w["x_pitch"]), w.scalar)
                b = f.gep(first, f.binary("mul", row.index, w["x_width"]), w.scalar)
                _copied(w, a, None, b, None, w["x_columns"])


def _added(w: Writer, source: Value, target: Value) -> None:
    """``target[step · i] += source[i]`` for a row of positions."""
    f = w.f
    count, step = w["out_columns"], w["column_step"]
    wide, slow, done = f.fresh("wide"), f.fresh("slow"), f.fresh("added")
    f.branch_if(f.compare("icmp eq", step, f.i64(1)), wide, slow)
    f.start_block(slow)
    with f.loop(0, count, hint="one") as one:
        place = f.gep(target, f.binary("mul", one.index, step), w.scalar)
        value = f.load(w.scalar, f.gep(source, one.index, w.scalar))
        f.store(f.fadd(f.load(w.scalar, place), value, flags=""), place)
    f.branch(done)
    f.start_block(wide)
    for type_, index in vectors(w, count):
        place = f.gep(target, index, w.scalar)
        value = f.load(type_, f.gep(source, index, w.scalar))
        f.store(f.fadd(f.load(type_, place), value, flags=""), place)
    f.branch(done)
    f.start_block(done)


# ---- programs --------------------------------------------------------------------------------

_WRITERS: dict[str, Callable[[Writer], None]] = {
    "depthwise": _depthwise,
    "depthwise_weight": _depthwise_weight,
    "unfold": _unfold,
    "fold": _fold,
    "image_products": image_products,
    "summed_products": summed_products,
    "patch_sums": patch_sums,
    "batch_normalized": batch_normalized,
    "batch_pulled": batch_pulled,
}
OPERANDS = {
    "depthwise": 3,
    "depthwise_weight": 3,
    "unfold": 2,
    "fold": 2,
    "image_products": 3,
    "summed_products": 3,
    "patch_sums": 3,
    "batch_normalized": 6,
    "batch_pulled": 6,
}
"""How many arrays each kernel works on, besides its words and its scratch memory."""


def _text(kind: str, name: str, dtype: str, target: Target) -> str:
    """The module of a kernel for ``float32`` or ``float64``."""
    f = Function(name, KERNEL_PARAMETERS, attributes=KERNEL_ATTRIBUTES)
    scalar = "float" if dtype == "float32" else "double"
    tile_rows = 8 if target.vector_registers >= 32 else 4
    writer = Writer(f, WORDS[kind], scalar, lanes_of(dtype, target), tile_rows)
    _WRITERS[kind](writer)
    f.ret()
    return PLAIN + module_text([f])


def lanes_of(dtype: str, target: Target | None = None) -> int:
    """Elements of a vector."""
    return max(2, (target or host_target()).lanes(dtype))


_known: dict[tuple[str, str, str], tuple[str, dict[str, KernelAddress]]] = {}
register_cache("general kernels", _known.clear)


def _addresses(kind: str, dtype: str) -> tuple[str, dict[str, KernelAddress]]:
    """A kernel's name, and its address by this name."""
    target = host_target()
    key = kind, dtype, target.key()
    found = _known.get(key)
    if found is None:
        name = f"general_{kind}_{dtype}"
        found = name, load_kernels({name: _text(kind, name, dtype, target)}, target)
        _known[key] = found
    return found


class GeneralProgram:
    """One of the kernels for given numbers, on several threads: a sharing executable.

    ``words`` are those of :data:`WORDS` by name, then, as ``offsets``, what follows them;
    ``scratch`` of them counts elements for each chunk.  ``cost`` is the estimated time in
    nanoseconds.
    """

    def __init__(
        self,
        kind: str,
        dtype: str,
        words: Mapping[str, int],
        chunks: int,
        cost: float,
        offsets: Sequence[int] = (),
    ) -> None:
        name, self._loaded = _addresses(kind, dtype)
        arrays = OPERANDS[kind]
        row = [words[word] for word in WORDS[kind]]
        self._words = np.array([*row, *offsets], dtype=np.int64)
        slots = [arrays, *range(arrays), arrays + 1]
        task = Task(self._loaded[name], slots, chunks, cost)
        region = Region([task], parallel=cost >= LEAST_PARALLEL)
        self._program = NativeProgram(arrays + 2, [region], tries_threads=True)
        self._program.table[arrays] = self._words.ctypes.data
        self._place = arrays + 1
        self.pointers: memoryview = memoryview(self._program.table.data)
        itemsize = 4 if dtype == "float32" else 8
        self.memory_bytes = words.get("scratch", 0) * chunks * itemsize
        self.placed = 0

    def place(self, address: int) -> None:
        """Use the memory at this address, a multiple of 64."""
        self.placed = address
        self._program.table[self._place] = address

    def run(self, steps: int = 1) -> None:
        """Run on the arrays whose addresses stand in ``pointers``."""
        self._program.run(steps)
