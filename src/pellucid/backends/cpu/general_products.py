"""Matrix products of every extent (see :mod:`.general`): of a weight with the images of a batch.

A tile of the result, ``tile_rows`` rows of :data:`ACROSS` vectors, stays in registers while the
depth is walked through.  What lies across the tile is packed before, one group of columns after the
other; the rows' elements are read through broadcasts where they lie (after Goto and van de Geijn,
2008, as :mod:`.contraction` does it for known shapes).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.backends.cpu.contraction import operand
from pellucid.backends.cpu.contraction_tiles import multiply_add
from pellucid.backends.cpu.general_words import Writer
from pellucid.backends.cpu.ir import Value

ACROSS = 3
"""Vectors of a tile's row."""


def _least(w: Writer, a: Value, b: Value) -> Value:
    return w.f.intrinsic("llvm.smin", "i64", a, b)


def _moved(w: Writer, pointer: Value, *factors: Value) -> Value:
    """``pointer`` plus the product of some numbers of elements."""
    step = factors[0]
    for factor in factors[1:]:
        step = w.f.binary("mul", step, factor)
    return w.f.gep(pointer, step, w.scalar)


def _mask(w: Writer, count: Value) -> Value:
    """Which lanes are below ``count``."""
    f = w.f
    places = ", ".join(f"i64 {i}" for i in range(w.lanes))
    iota = Value(f"<{places}>", f"<{w.lanes} x i64>")
    return f.compare("icmp slt", iota, f.splat(count, w.lanes))


def _masked_load(w: Writer, pointer: Value, mask: Value) -> Value:
    zero = w.f.constant(w.type, 0.0)
    name = f"v{w.lanes}{'f32' if w.scalar == 'float' else 'f64'}.p0"
    align = Value(str(4 if w.scalar == "float" else 8), "i32")
    return w.f.intrinsic("llvm.masked.load", w.type, pointer, align, mask, zero, overload=name)


def _masked_store(w: Writer, value: Value, pointer: Value, mask: Value) -> None:
    name = f"v{w.lanes}{'f32' if w.scalar == 'float' else 'f64'}.p0"
    align = Value(str(4 if w.scalar == "float" else 8), "i32")
    w.f.intrinsic("llvm.masked.store", "void", value, pointer, align, mask, overload=name)


def _tile(
    w: Writer, rows: Sequence[Value], panel: Value, images: Value, depth: Value, image_step: Value
) -> list[list[Value]]:
    """Σ over images and depth of the rows' elements times the panel's vectors."""
    f = w.f
    zeros = [f.constant(w.type, 0.0)] * (len(rows) * ACROSS)
    width = f.i64(ACROSS * w.lanes)
    with f.loop(0, images, carried=zeros, hint="image") as image:
        across = _moved(w, panel, f.binary("mul", image.index, depth), width)
        beside = f.binary("mul", image.index, image_step)
        starts = [f.gep(row, beside, w.scalar) for row in rows]
        with f.loop(0, depth, carried=[across, *image.values], hint="depth") as loop:
            pointer, *sums = loop.values
            vectors = [f.load(w.type, f.gep(pointer, k * w.lanes, w.scalar)) for k in range(ACROSS)]
            place = f.binary("mul", loop.index, w["row_depth"])
            loop.next = [f.gep(pointer, width, w.scalar)]
            for r, start in enumerate(starts):
                factor = f.splat(f.load(w.scalar, f.gep(start, place, w.scalar)), w.lanes)
                for k in range(ACROSS):
                    loop.next.append(multiply_add(f, factor, vectors[k], sums[r * ACROSS + k]))
        image.next = loop.results[1:]
    sums = image.results
    return [list(sums[r * ACROSS : (r + 1) * ACROSS]) for r in range(len(rows))]


def _tiles(
    w: Writer,
    left: Value,
    panel: Value,
    images: Value,
    depth: Value,
    image_step: Value,
    write: Callable[[Value, Value, Value], None],
) -> None:
    """All rows of the result for one panel; ``write(row, first, number)`` gets each row of a tile
    in memory, where its vectors lie, and which of the tile it is."""
    f = w.f
    last = f.binary("sub", w["rows"], f.i64(1))
    memory = f.stack_array(w.type, w.tile_rows * ACROSS)
    with f.loop(0, w["rows"], w.tile_rows, hint="tile") as tile:
        rows = [
            _moved(w, left, _least(w, f.binary("add", tile.index, f.i64(r)), last), w["row_step"])
            for r in range(w.tile_rows)
        ]
        made = _tile(w, rows, panel, images, depth, image_step)
        for r, vectors in enumerate(made):
            for k, value in enumerate(vectors):
                f.store(value, f.gep(memory, (r * ACROSS + k) * w.lanes, w.scalar))
        left_over = f.binary("sub", w["rows"], tile.index)
        with f.loop(0, _least(w, left_over, f.i64(w.tile_rows)), hint="row") as row:
            first = _moved(w, memory, row.index, f.i64(ACROSS * w.lanes))
            write(f.binary("add", tile.index, row.index), first, row.index)


def image_products(w: Writer) -> None:
    """out[n] = A · x[n] for each image; operands A, x (N, depth, length), out (N, rows, length).

    A chunk is some groups of columns; a vector of columns belongs to one image.
    """
    f = w.f
    left, x, out, memory = (operand(f, k) for k in range(1, 5))
    with w.chunks():
        panel = f.gep(memory, f.binary("mul", w.chunk, w["scratch"]), w.scalar)
        begin = f.binary("mul", w.chunk, w["together"])
        end = _least(w, f.binary("add", begin, w["together"]), w["groups"])
        with f.loop(begin, end, hint="group") as group:
            columns = []
            for k in range(ACROSS):
                number = f.binary("mul", group.index, f.i64(ACROSS))
                number = f.binary("add", number, f.i64(k))
                image = f.binary("udiv", number, w["vectors"])
                first = f.binary("sub", number, f.binary("mul", image, w["vectors"]))
                first = f.binary("mul", first, f.i64(w.lanes))
                inside = f.compare("icmp slt", image, w["images"])
                there = f.select(inside, f.binary("sub", w["length"], first), f.i64(0))
                image = f.select(inside, image, f.i64(0))
                columns.append((image, first, _mask(w, there)))
            starts = [
                f.gep(_moved(w, x, image, w["depth"], w["length"]), first, w.scalar)
                for image, first, _ in columns
            ]
            with f.loop(0, w["depth"], hint="pack") as line:
                to = _moved(w, panel, line.index, f.i64(ACROSS * w.lanes))
                for k, (start, (_, _, mask)) in enumerate(zip(starts, columns, strict=True)):
                    value = _masked_load(w, _moved(w, start, line.index, w["length"]), mask)
                    f.store(value, f.gep(to, k * w.lanes, w.scalar))
            targets = [
                f.gep(_moved(w, out, image, w["rows"], w["length"]), first, w.scalar)
                for image, first, _ in columns
            ]

            def write(row: Value, first: Value, number: Value) -> None:
                for k, (target, (_, _, mask)) in enumerate(zip(targets, columns, strict=True)):
                    value = f.load(w.type, f.gep(first, k * w.lanes, w.scalar))
                    _masked_store(w, value, _moved(w, target, row, w["length"]), mask)

            _tiles(w, left, panel, f.i64(1), w["depth"], f.i64(0), write)


def summed_products(w: Writer) -> None:
    """out[chunk] = Σ over the chunk's images of a[n] · b[n]ᵀ; operands a (N, rows, length),
    b (N, columns, length), out (chunks, rows, columns), zero before.

    Some images' elements of b are packed at a time, in columns.
    """
    f = w.f
    a, b, out, memory = (operand(f, k) for k in range(1, 5))
    width = f.i64(ACROSS * w.lanes)
    with w.chunks():
        panel = f.gep(memory, f.binary("mul", w.chunk, w["scratch"]), w.scalar)
        own = _moved(w, out, w.chunk, w["rows"], w["columns"])
        begin = f.binary("mul", w.chunk, w["together"])
        end = _least(w, f.binary("add", begin, w["together"]), w["images"])
        with f.loop(begin, end, w["block"], hint="block") as block:
            images = _least(w, f.binary("sub", end, block.index), w["block"])
            with f.loop(0, w["columns"], width, hint="group") as group:
                here = _least(w, f.binary("sub", w["columns"], group.index), width)
                _packed(w, b, panel, block.index, images, group.index, here)
                left = _moved(w, a, block.index, w["rows"], w["length"])
                target = f.gep(own, group.index, w.scalar)
                masks = [_mask(w, f.binary("sub", here, f.i64(k * w.lanes))) for k in range(ACROSS)]

                step = f.binary("mul", w["rows"], w["length"])
                _tiles(w, left, panel, images, w["length"], step, _adding(w, target, masks))


def patch_sums(w: Writer) -> None:
    """out[p] += Σ over blocks of a[block, p]ᵀ · b[block, p]; operands a (blocks, patches, length,
    rows), b (blocks, patches, length, columns), out (patches, rows, columns).

    A chunk is a share of the columns of one p; lines of b of some blocks are packed at a time.
    """
    f = w.f
    a, b, out, memory = (operand(f, k) for k in range(1, 5))
    width = f.i64(ACROSS * w.lanes)
    with w.chunks():
        panel = f.gep(memory, f.binary("mul", w.chunk, w["scratch"]), w.scalar)
        patch = f.binary("udiv", w.chunk, w["parts"])
        first = f.binary("mul", f.binary("urem", w.chunk, w["parts"]), w["together"])
        last = _least(w, f.binary("add", first, w["together"]), w["columns"])
        of_a, of_b = _moved(w, a, patch, w["a_patch"]), _moved(w, b, patch, w["b_patch"])
        own = _moved(w, out, patch, w["out_patch"])
        with f.loop(0, w["images"], w["block"], hint="block") as block:
            images = _least(w, f.binary("sub", w["images"], block.index), w["block"])
            left = _moved(w, of_a, block.index, w["a_image"])
            right = _moved(w, of_b, block.index, w["b_image"])
            with f.loop(first, last, width, hint="group") as group:
                here = f.binary("sub", last, group.index)
                masks = [_mask(w, f.binary("sub", here, f.i64(k * w.lanes))) for k in range(ACROSS)]
                _packed_lines(w, f.gep(right, group.index, w.scalar), panel, images, masks)
                write = _adding(w, f.gep(own, group.index, w.scalar), masks)
                _tiles(w, left, panel, images, w["length"], w["a_image"], write)


def _packed_lines(w: Writer, b: Value, panel: Value, images: Value, masks: Sequence[Value]) -> None:
    """Some columns of the lines of some images: panel[image, line, column]; the rest is zero."""
    f = w.f
    with f.loop(0, images, hint="image") as image:
        source = _moved(w, b, image.index, w["b_image"])
        to = _moved(w, panel, image.index, w["length"], f.i64(ACROSS * w.lanes))
        with f.loop(0, w["length"], hint="line") as line:
            start = _moved(w, source, line.index, w["columns"])
            place = _moved(w, to, line.index, f.i64(ACROSS * w.lanes))
            for k, mask in enumerate(masks):
                value = _masked_load(w, f.gep(start, k * w.lanes, w.scalar), mask)
                f.store(value, f.gep(place, k * w.lanes, w.scalar))


def _adding(
    w: Writer, target: Value, masks: Sequence[Value]
) -> Callable[[Value, Value, Value], None]:
    """What adds a row of a tile to that of a result with ``columns``."""
    f = w.f

    def write(row: Value, first: Value, number: Value) -> None:
        line = _moved(w, target, row, w["columns"])
        for k, mask in enumerate(masks):
            place = f.gep(line, k * w.lanes, w.scalar)
            value = f.load(w.type, f.gep(first, k * w.lanes, w.scalar))
            total = f.fadd(_masked_load(w, place, mask), value, flags="")
            _masked_store(w, total, place, mask)

    return write


def _packed(
    w: Writer, b: Value, panel: Value, first: Value, images: Value, column: Value, count: Value
) -> None:
    """Columns of some images side by side: panel[image, position, column]; the rest is zero."""
    f = w.f
    width = f.i64(ACROSS * w.lanes)
    with f.loop(0, images, hint="image") as image:
        to = _moved(w, panel, image.index, w["length"], width)
        n = f.binary("add", first, image.index)
        source = _moved(w, b, n, w["columns"], w["length"])
        with f.loop(0, width, hint="column") as j:
            known = f.binary("add", column, j.index)
            inside = f.compare("icmp slt", j.index, count)
            line = _moved(w, source, f.select(inside, known, column), w["length"])
            with f.loop(0, w["length"], hint="place") as place:
                value = f.load(w.scalar, f.gep(line, place.index, w.scalar))
                value = f.select(inside, value, f.constant(w.scalar, 0.0))
                at = f.binary("add", f.binary("mul", place.index, width), j.index)
                f.store(value, f.gep(to, at, w.scalar))
