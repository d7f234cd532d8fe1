"""Copies of blocks of A and B in the order in which register tiles read them.

B is packed panel by panel: a panel is one tile wide and lies as ``depth`` × ``columns``, padded
with zeros to whole vectors.  A is read where it lies, unless its rows are contiguous and its steps
along depth so large that they waste address translations and cache sets; then lines of rows are
brought closer together.  Operands of pairs, or that are rounded on the way, are always packed
(see :mod:`.contraction_elements`): what is packed then are steps, of one element or two, and an
odd depth ends in half a pair.
"""

from __future__ import annotations

from collections.abc import Callable

from pellucid.backends.cpu.contraction_elements import Elements, filled
from pellucid.backends.cpu.ir import BITS, Function, Value, vector


def _at(f: Function, pointer: Value, index: Value, step: int) -> Value:
    """``pointer`` moved by ``index`` steps of ``step`` bytes."""
    return f.gep(pointer, f.binary("mul nsw", index, f.i64(step)))


def _widths(columns: int, lanes: int) -> list[int]:
    whole, rest = divmod(columns, lanes)
    return [lanes] * whole + ([rest] if rest else [])


def _each_step(
    f: Function, source: Elements, depth: Value, even: bool, body: Callable[[Value, bool], None]
) -> None:
    """``body(step, half)`` for every step along ``depth`` elements; half a pair ends an odd one."""
    whole = depth if source.each == 1 else f.binary("lshr", depth, f.i64(1))
    with f.loop(0, whole, 1, hint="pack") as loop:
        body(loop.index, False)
    if source.each == 1 or even:
        return
    steps = f.binary("sub nsw", depth, whole)
    with f.loop(whole, steps, 1, hint="half") as loop:
        body(loop.index, True)


def pack_panels_copy(
    f: Function,
    source: Elements,
    lanes: int,
    columns: int,
    b: Value,
    b_depth: int,
    to: Value,
    region: int,
    panels: Value,
    depth: Value,
    even: bool = False,
) -> None:
    """Pack ``panels`` panels of ``columns`` contiguous columns of B each.

    ``b_depth`` is the byte step of B along depth, ``region`` that from panel to panel in ``to``;
    ``even`` says that ``depth`` is.
    Depth is the outer loop: one panel's part of a row of B is often just a cache line, and rows
    that lie a power of two apart push each other out of the caches, so that each line is best
    read together with its neighbours.
    """
    size = BITS[source.packed] // 8
    widths = _widths(columns, lanes)
    pitch = len(widths) * lanes * size

    def line(step: Value, half: bool) -> None:
        row, place = _at(f, b, step, source.each * b_depth), _at(f, to, step, pitch)
        with f.loop(0, panels, 1, hint="panel") as panel:
            at = _at(f, row, panel.index, columns * source.size)
            target = _at(f, place, panel.index, region)
            for i, width in enumerate(widths):
                part = f.gep(at, i * lanes * source.size)
                value = filled(f, source.across(f, part, b_depth, width, half), lanes)
                f.store(value, f.gep(target, i * lanes * size))

    _each_step(f, source, depth, even, line)


def pack_panel_transpose(
    f: Function,
    source: Elements,
    lanes: int,
    columns: int,
    b: Value,
    b_column: int,
    to: Value,
    depth: Value,
    multiple: int,
) -> None:
    """Pack ``columns`` columns of a B that is contiguous along depth, ``b_column`` bytes apart.

    ``multiple`` is a number that ``depth`` is known to be divisible by.
    Blocks of 16 bytes along depth are turned around inside registers: each 128-bit lane of a
    vector takes its own four (float) columns, so only shuffles inside lanes are needed.
    """
    size = BITS[source.packed] // 8
    step = 16 // size
    widths = _widths(columns, lanes)
    pitch = len(widths) * lanes * size
    even = multiple % 2 == 0
    if lanes < step:
        gather = (f, source, lanes, columns, b, b_column, source.size, to, depth, even)
        pack_panel_gather(*gather)
        return
    elements = step * source.each
    whole = f.binary("and", depth, f.i64(-elements))
    with f.loop(0, whole, elements, hint="pack") as loop:
        at = _at(f, b, loop.index, source.size)
        target = _at(f, to, loop.index, pitch // source.each)
        for i, width in enumerate(widths):
            first = i * lanes
            gathered = [
                _column_group(
                    f,
                    source,
                    lanes,
                    at,
                    b_column,
                    [first + r + q for q in range(0, lanes, step)],
                    first + width,
                )
                for r in range(step)
            ]
            for k, value in enumerate(_transpose_in_lanes(f, gathered, step, lanes)):
                f.store(value, f.gep(target, k * pitch + first * size))
    if multiple % elements == 0:
        return
    rest = f.binary("sub nsw", depth, whole)
    pack_panel_gather(
        f,
        source,
        lanes,
        columns,
        _at(f, b, whole, source.size),
        b_column,
        source.size,
        _at(f, to, whole, pitch // source.each),
        rest,
        even,
    )


def _column_group(
    f: Function,
    source: Elements,
    lanes: int,
    at: Value,
    b_column: int,
    columns: list[int],
    end: int,
) -> Value:
    """16 bytes of each of ``columns``, one after another; columns from ``end`` on are zero."""
    step = lanes // len(columns)
    type_ = vector(step, source.packed)
    parts = [
        source.along(f, f.gep(at, column * b_column), step)
        if column < end
        else f.constant(type_, 0.0)
        for column in columns
    ]
    while len(parts) > 1:
        width = step * len(columns) // len(parts) * 2
        order = ", ".join(f"i32 {i}" for i in range(width))
        type_ = vector(width, source.packed)
        parts = [
            f.assign(type_, f"shufflevector {x}, {y}, <{width} x i32> <{order}>")
            for x, y in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def _transpose_in_lanes(f: Function, rows: list[Value], step: int, lanes: int) -> list[Value]:
    """Transpose the ``step`` × ``step`` square that each 128-bit lane of ``rows`` holds."""

    def mix(pair: tuple[Value, Value], pattern: list[int]) -> Value:
        x, y = pair
        # The pattern is for one 128-bit lane: indices from ``step`` on mean the second operand.
        order = ", ".join(
            f"i32 {lane + (p if p < step else p - step + lanes)}"
            for lane in range(0, lanes, step)
            for p in pattern
        )
        return f.assign(x.type, f"shufflevector {x}, {y}, <{lanes} x i32> <{order}>")

    if step == 2:
        return [mix((rows[0], rows[1]), [0, 2]), mix((rows[0], rows[1]), [1, 3])]
    low = mix((rows[0], rows[1]), [0, 4, 1, 5]), mix((rows[2], rows[3]), [0, 4, 1, 5])
    high = mix((rows[0], rows[1]), [2, 6, 3, 7]), mix((rows[2], rows[3]), [2, 6, 3, 7])
    return [
        mix(low, [0, 1, 4, 5]),
        mix(low, [2, 3, 6, 7]),
        mix(high, [0, 1, 4, 5]),
        mix(high, [2, 3, 6, 7]),
    ]


def pack_panel_gather(
    f: Function,
    source: Elements,
    lanes: int,
    columns: int,
    b: Value,
    b_column: int,
    b_depth: int,
    to: Value,
    depth: Value,
    even: bool = False,
) -> None:
    """Pack ``columns`` columns of a B with any byte strides, element by element."""
    size = BITS[source.packed] // 8
    vectors = len(_widths(columns, lanes))

    def line(step: Value, half: bool) -> None:
        at = _at(f, b, step, source.each * b_depth)
        target = _at(f, to, step, vectors * lanes * size)
        if columns % lanes:
            zero = f.constant(vector(lanes, source.packed), 0.0)
            f.store(zero, f.gep(target, (vectors - 1) * lanes * size))
        for column in range(columns):
            value = source.across(f, f.gep(at, column * b_column), b_depth, 1, half)
            f.store(value, f.gep(target, column * size))

    _each_step(f, source, depth, even, line)


def pack_lines(
    f: Function,
    source: Elements,
    lanes: int,
    a: Value,
    a_depth: int,
    to: Value,
    pitch: int,
    rows: Value,
    depth: Value,
    even: bool = False,
) -> None:
    """Copy ``depth`` lines of ``rows`` contiguous elements of A, ``pitch`` bytes apart."""
    size = BITS[source.packed] // 8
    whole = f.binary("and", rows, f.i64(-lanes))

    def line(step: Value, half: bool) -> None:
        at, target = _at(f, a, step, source.each * a_depth), _at(f, to, step, pitch)
        for first, last, width in ((f.i64(0), whole, lanes), (whole, rows, 1)):
            with f.loop(first, last, width, hint="copy") as loop:
                place = _at(f, at, loop.index, source.size)
                value = source.across(f, place, a_depth, width, half)
                f.store(value, _at(f, target, loop.index, size))

    _each_step(f, source, depth, even, line)


def pack_rows(
    f: Function,
    source: Elements,
    lanes: int,
    a: Value,
    a_row: int,
    a_depth: int,
    to: Value,
    pitch: int,
    rows: Value,
    depth: Value,
    even: bool = False,
) -> None:
    """Copy ``rows`` rows of A, ``depth`` elements each, ``pitch`` bytes apart in ``to``."""
    size = BITS[source.packed] // 8
    contiguous = a_depth == source.size
    with f.loop(0, rows, 1, hint="row") as row:
        at, target = _at(f, a, row.index, a_row), _at(f, to, row.index, pitch)
        done = f.i64(0)
        if contiguous:
            elements = lanes * source.each
            done = f.binary("and", depth, f.i64(-elements))
            with f.loop(0, done, elements, hint="copy") as loop:
                value = source.along(f, _at(f, at, loop.index, a_depth), lanes)
                f.store(value, f.gep(target, _packed_bytes(f, source, loop.index, size)))
            target = f.gep(target, _packed_bytes(f, source, done, size))
        left, at = f.binary("sub nsw", depth, done), _at(f, at, done, a_depth)

        def one(step: Value, half: bool, at: Value = at, target: Value = target) -> None:
            place = _at(f, at, step, source.each * a_depth)
            value = source.across(f, place, a_depth, 1, half)
            f.store(value, _at(f, target, step, size))

        _each_step(f, source, left, even, one)


def _packed_bytes(f: Function, source: Elements, elements: Value, size: int) -> Value:
    """Bytes that so many elements (whole steps) of an operand take when packed."""
    return f.binary("mul nsw", elements, f.i64(size // source.each))
