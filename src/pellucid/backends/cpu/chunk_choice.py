"""Into which chunks the result of a contraction is cut, for 2 to 64 threads.

Ways to cut rows, columns and the sum are compared by a model in processor cycles; the shapes alone
decide, never the number of threads that there are.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import replace

from pellucid.backends.cpu.contraction_spec import Axis, Blocking, Contraction, Partition
from pellucid.backends.cpu.machine import ProductCosts

_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128)
"""Numbers of chunks of an axis that are tried."""
_SPLITS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of parts of a sum that are tried."""


def cycles_of(work: Contraction, lanes: int, costs: ProductCosts) -> float:
    """Cycles of the multiply-adds; of reading the matrix, where few rows use each element of it;
    of writing the result, where sums are short."""
    depth = max(1, work.depth)
    moved = work.columns * max(depth, work.rows) * work.itemsize / costs.bytes_a_cycle
    return work.batch * max(work.rows * work.columns * depth / (2 * lanes), moved)


def chunk_limit(cycles: float, costs: ProductCosts) -> int:
    """Most chunks that a product of so many cycles is worth."""
    small = min(4, int(cycles // costs.small_chunk_cycles))
    return max(1, small, min(costs.most_chunks, int(cycles // costs.chunk_cycles)))


def sum_chunks(spec: Contraction, splits: int, lanes: int, costs: ProductCosts) -> tuple[int, int]:
    """(chunks, rows of C in each) of the kernel that adds the parts of a split sum."""
    cycles = splits * spec.rows * spec.columns // lanes
    wanted = max(1, min(spec.rows, cycles // costs.chunk_cycles))
    rows = math.ceil(spec.rows / wanted)
    return spec.batch * math.ceil(spec.rows / rows), rows


def partition(
    work: Contraction, blocking: Blocking, limit: int, full_rows: bool, costs: ProductCosts
) -> Partition:
    """Cut C (and, if C is small and depth long, the sum) into chunks.

    A chunk has at most ``limit`` rows, and all columns with ``full_rows``.
    """
    tiling = blocking.tiling
    worth = chunk_limit(cycles_of(work, tiling.lanes, costs), costs)
    most = max(1, worth // max(1, work.batch))
    row_axes = _axes(work.rows, tiling.height, tiling.row_tails, most, limit)
    column_most = 1 if full_rows else most
    if work.rows <= 2 and work.b_strides[2] == 1:
        column_most = min(column_most, max(1, work.columns // costs.thin_columns))
    column_axes = _axes(work.columns, tiling.width, tiling.column_tails, column_most, work.columns)
    whole = row_axes[0], column_axes[0]
    own = _own_rows(work, costs)
    if own > 1:
        return Partition(*whole, own)
    if full_rows:
        work = replace(work, updated=False)  # there are no other ways than rows
    ways = [
        Partition(rows, columns, splits)
        for rows, columns, splits in itertools.product(
            row_axes, column_axes, _splits(work, tiling.lanes, most, costs)
        )
        # With a split sum parts of all of C, so that each part of A and B is read once.
        if splits * rows.chunks * columns.chunks <= max(most, row_axes[0].chunks)
        and (splits == 1 or rows.chunks * columns.chunks == 1)
    ]
    score = functools.partial(_score, work, blocking, costs)
    return min(ways, key=score, default=Partition(*whole, 1))


def _splits(work: Contraction, lanes: int, most: int, costs: ProductCosts) -> list[int]:
    """Into how many parts the sum may be cut: long parts, and a small C, which each part writes."""
    if work.rows * work.columns * work.itemsize > costs.split_bytes:
        return [1]
    long = max(costs.split_depth, 16 * lanes)
    return [s for s in _SPLITS if s <= most and work.depth >= s * long] or [1]


def _own_rows(work: Contraction, costs: ProductCosts) -> int:
    """Into how many parts along depth the product with an updated B is cut; 1: it is not.

    Moving a line of B to the core that reads it, and back to the one that writes it, costs as much
    as multiplying it with some hundred rows of A.
    """
    whole_rows = work.a_strides[2] == 1 and work.b_strides[2] == 1
    weights = work.depth * work.columns * work.itemsize
    few = work.rows <= costs.own_rows and weights <= costs.own_bytes
    if not (work.updated and whole_rows and few and work.batch == 1) or work.narrow:
        return 1
    cycles = cycles_of(work, 8, costs)
    fits = [
        parts
        for parts in (2, 4)
        if work.depth >= parts * costs.own_depth and cycles >= parts * costs.small_chunk_cycles
    ]
    return max(fits, default=1)


# ---- axes ------------------------------------------------------------------------------------


def _axes(extent: int, tile: int, tails: tuple[int, ...], most: int, limit: int) -> list[Axis]:
    """Ways to cut an axis into at most ``most`` chunks of at most ``limit`` elements."""
    whole = extent - sum(tails)
    tiles = whole // tile
    found: dict[int, Axis] = {}
    fewest = max(1, math.ceil(tiles * tile / max(tile, limit)))
    for wanted in sorted({*_COUNTS, fewest, tiles}):
        if wanted < fewest or (wanted > max(1, tiles)) or (wanted > most and wanted != fewest):
            continue
        up = max(1, math.ceil(tiles / wanted)) * tile
        ways = [Axis(extent, tile, tails, up, max(1, math.ceil(whole / up)))]
        if tiles >= wanted:
            down = Axis(extent, tile, tails, tiles // wanted * tile, wanted)
            if down.longest <= max(tile, limit):
                ways.insert(0, down)
        best = min(ways, key=_unevenness)
        found.setdefault(best.chunks, best)
    return list(found.values())


def _unevenness(axis: Axis) -> float:
    """The longest chunk counts; ends that lie evenly help threads to keep to their part."""
    start, end = axis.range(axis.chunks - 1)
    lengths = end - start, axis.chunk if axis.chunks > 1 else end - start
    return max(lengths) + (max(lengths) - min(lengths)) / 4


# ---- the model -------------------------------------------------------------------------------


def _score(work: Contraction, blocking: Blocking, costs: ProductCosts, way: Partition) -> float:
    """Weighted time over several numbers of threads, relative to perfect division."""
    lanes, chunk = blocking.tiling.lanes, _chunk_cycles(work, blocking, costs, way)
    count = work.batch * way.rows.chunks * way.columns.chunks * way.splits
    extra = 0.0
    if way.splits > 1:
        summed = work.batch * work.rows * work.columns * way.splits
        extra = 2 * costs.dispatch_cycles + summed / lanes
    ideal = max(1.0, cycles_of(work, lanes, costs))
    score = sum(
        weight * (math.ceil(count / threads) * chunk + extra) * threads / ideal
        for threads, weight in costs.threads
    )
    in_stripes = work.a_strides[1] == 1 and way.rows.chunks == 1 and way.columns.chunks > 1
    return score * costs.stripes if in_stripes and work.flop <= costs.striped_flop else score


def _chunk_cycles(
    work: Contraction, blocking: Blocking, costs: ProductCosts, way: Partition
) -> float:
    """Cycles of the longest chunk: to multiply, to pack, to fetch what others changed."""
    lanes = blocking.tiling.lanes
    m, n, k = way.rows.longest, way.columns.longest, max(1, work.depth) / way.splits
    vector = 8 / lanes  # costs of packing were measured with 8 lanes
    chunk = m * n * k / (2 * lanes) + costs.dispatch_cycles
    rounding = costs.round_cycles if work.narrow else 0.0
    chunk += (costs.pack_b_cycles(blocking.pack_b) + rounding) * n * k * vector
    weights = work.depth * work.columns * work.itemsize
    few = work.rows <= costs.own_rows and weights <= costs.shared_bytes
    if work.updated and few and way.rows.chunks > 1:
        chunk += n * k * work.itemsize / 64 * costs.moved_line_cycles
    return chunk + (costs.pack_a_cycles(blocking.pack_a) + rounding) * m * k * vector
