"""Copies of blocks of A and B in the order in which register tiles read them.

B is packed panel by panel: a panel is one tile wide and lies as ``depth`` × ``columns``, padded
with zeros to whole vectors.  A is read where it lies, unless its rows are contiguous and its steps
along depth so large that they waste address translations and cache sets; then lines of rows are
brought closer together.
"""

from __future__ import annotations

from pellucid.backends.cpu.contraction_tiles import load_lanes
from pellucid.backends.cpu.ir import BITS, Function, Value, vector


def _at(f: Function, pointer: Value, index: Value, step: int) -> Value:
    """``pointer`` moved by ``index`` steps of ``step`` bytes."""
    return f.gep(pointer, f.binary("mul nsw", index, f.i64(step)))


def _widths(columns: int, lanes: int) -> list[int]:
    whole, rest = divmod(columns, lanes)
    return [lanes] * whole + ([rest] if rest else [])


def pack_panels_copy(
    f: Function,
    scalar: str,
    lanes: int,
    columns: int,
    b: Value,
    b_depth: int,
    to: Value,
    region: int,
    panels: Value,
    depth: Value,
) -> None:
    """Pack ``panels`` panels of ``columns`` contiguous columns of B each.

    ``b_depth`` is the byte step of B along depth, ``region`` that from panel to panel in ``to``.
    Depth is the outer loop: one panel's part of a row of B is often just a cache line, and rows
    that lie a power of two apart push each other out of the caches, so that each line is best
    read together with its neighbours.
    """
    size = BITS[scalar] // 8
    widths = _widths(columns, lanes)
    pitch = len(widths) * lanes * size
    with f.loop(0, depth, 1, hint="pack") as loop:
        row, place = _at(f, b, loop.index, b_depth), _at(f, to, loop.index, pitch)
        with f.loop(0, panels, 1, hint="panel") as panel:
            source = _at(f, row, panel.index, columns * size)
            target = _at(f, place, panel.index, region)
            for i, width in enumerate(widths):
                value = load_lanes(f, scalar, f.gep(source, i * lanes * size), width, lanes)
                f.store(value, f.gep(target, i * lanes * size))


def pack_panel_transpose(
    f: Function,
    scalar: str,
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
    size = BITS[scalar] // 8
    step = 16 // size
    widths = _widths(columns, lanes)
    pitch = len(widths) * lanes * size
    if lanes < step:
        pack_panel_gather(f, scalar, lanes, columns, b, b_column, size, to, depth)
        return
    whole = f.binary("and", depth, f.i64(-step))
    with f.loop(0, whole, step, hint="pack") as loop:
        source, target = _at(f, b, loop.index, size), _at(f, to, loop.index, pitch)
        for i, width in enumerate(widths):
            first = i * lanes
            gathered = [
                _column_group(
                    f,
                    scalar,
                    lanes,
                    source,
                    b_column,
                    [first + r + q for q in range(0, lanes, step)],
                    first + width,
                )
                for r in range(step)
            ]
            for k, value in enumerate(_transpose_in_lanes(f, gathered, step, lanes)):
                f.store(value, f.gep(target, k * pitch + first * size))
    if multiple % step == 0:
        return
    rest = f.binary("sub nsw", depth, whole)
    pack_panel_gather(
        f,
        scalar,
        lanes,
        columns,
        _at(f, b, whole, size),
        b_column,
        size,
        _at(f, to, whole, pitch),
        rest,
    )


def _column_group(
    f: Function,
    scalar: str,
    lanes: int,
    source: Value,
    b_column: int,
    columns: list[int],
    end: int,
) -> Value:
    """16 bytes of each of ``columns``, one after another; columns from ``end`` on are zero."""
    step = lanes // len(columns)
    type_ = vector(step, scalar)
    parts = [
        f.load(type_, f.gep(source, column * b_column)) if column < end else f.constant(type_, 0.0)
        for column in columns
    ]
    while len(parts) > 1:
        width = step * len(columns) // len(parts) * 2
        order = ", ".join(f"i32 {i}" for i in range(width))
        parts = [
            f.assign(vector(width, scalar), f"shufflevector {x}, {y}, <{width} x i32> <{order}>")
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
    scalar: str,
    lanes: int,
    columns: int,
    b: Value,
    b_column: int,
    b_depth: int,
    to: Value,
    depth: Value,
) -> None:
    """Pack ``columns`` columns of a B with any byte strides, element by element."""
    size = BITS[scalar] // 8
    vectors = len(_widths(columns, lanes))
    with f.loop(0, depth, 1, hint="gather") as loop:
        source = _at(f, b, loop.index, b_depth)
        target = _at(f, to, loop.index, vectors * lanes * size)
        if columns % lanes:
            zero = f.constant(vector(lanes, scalar), 0.0)
            f.store(zero, f.gep(target, (vectors - 1) * lanes * size))
        for column in range(columns):
            f.store(f.load(scalar, f.gep(source, column * b_column)), f.gep(target, column * size))


def pack_lines(
    f: Function,
    scalar: str,
    lanes: int,
    a: Value,
    a_depth: int,
    to: Value,
    pitch: int,
    rows: Value,
    depth: Value,
) -> None:
    """Copy ``depth`` lines of ``rows`` contiguous elements of A, ``pitch`` bytes apart."""
    size = BITS[scalar] // 8
    whole = f.binary("and", rows, f.i64(-lanes))
    with f.loop(0, depth, 1, hint="line") as line:
        source, target = _at(f, a, line.index, a_depth), _at(f, to, line.index, pitch)
        for first, last, width in ((f.i64(0), whole, lanes), (whole, rows, 1)):
            with f.loop(first, last, width, hint="copy") as loop:
                value = f.load(vector(width, scalar), _at(f, source, loop.index, size))
                f.store(value, _at(f, target, loop.index, size))
