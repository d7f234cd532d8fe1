"""Which register tile computes a contraction, and how deep its blocks are."""

from __future__ import annotations

import functools
import math

from pellucid.backends.cpu.contraction_spec import Axis, Contraction, Tiling
from pellucid.backends.cpu.machine import ProductCosts
from pellucid.backends.cpu.target import Target

DEFAULT = ProductCosts()


# ---- dot products ----------------------------------------------------------------------------


def wants_dot(work: Contraction, lanes: int, near_bytes: int, costs: ProductCosts) -> bool:
    """Whether dot products along depth beat tiles: few rows or columns, both sides contiguous.

    All of A passes by for every few columns, so it has to be near: at most ``near_bytes``.
    """
    contiguous = work.a_strides[2] == 1 and work.b_strides[1] == 1
    few = work.rows <= costs.dot_rows or work.columns <= max(1, lanes // 4)
    long = work.depth >= costs.long_dot_depth and not work.narrow
    if long and work.rows * work.depth * work.itemsize <= near_bytes:
        few = few or work.rows <= costs.long_dot_rows
    # A column-contiguous B of one column is contiguous both ways and always suits dot products.
    return contiguous and few and work.depth >= 2 * lanes and not work.empty


def dot_tiling(work: Contraction, target: Target) -> Tiling:
    """A dot tile whose sums and one side's vectors fit the registers."""
    room = min(target.vector_registers, 32) - 4
    few, many = sorted((work.rows, work.columns))
    few = _balanced(few, 4)
    many = min(many, 8, room // few)
    height, width = (few, many) if work.rows <= work.columns else (many, few)
    lanes = target.lanes(work.dtype)
    return Tiling(
        lanes, height, width, plain_tails(work.rows, height), plain_tails(work.columns, width)
    )


def _balanced(extent: int, most: int) -> int:
    """Largest tile ≤ ``most`` when ``extent`` is cut into as few nearly equal tiles as possible."""
    return math.ceil(extent / math.ceil(extent / most)) if extent else 1


# ---- what is left over -----------------------------------------------------------------------


def plain_tails(extent: int, tile: int) -> tuple[int, ...]:
    """What is left over after whole tiles, as one tile."""
    return (extent % tile,) if extent % tile else ()


def row_tails(rows: int, height: int) -> tuple[int, ...]:
    """Tile heights that cover the rows after the whole tiles.

    A very low last tile has too few independent sums to keep the multipliers busy, so it shares
    its rows with the tile before it.
    """
    rest = rows % height
    if rest == 0:
        return ()
    if rest * 2 < height and rows > height:
        both = height + rest
        return (both - both // 2, both // 2)
    return (rest,)


def even_rows(rows: int, height: int) -> Axis:
    """All rows in one chunk, in as few tiles of at most ``height``, none lower than need be.

    Tiles of 4 rows (8 sums of two vectors) wait for their sums, those of 5 hardly do.
    """
    tiles = math.ceil(rows / height)
    low, higher = divmod(rows, tiles)
    return Axis(rows, low + (higher > 0), (low,) * (tiles - higher) if higher else (), rows, 1)


# ---- register tiles --------------------------------------------------------------------------


def tile_shape(
    work: Contraction,
    lanes: int,
    registers: int,
    latency: float = DEFAULT.latency,
    least: int = 1,
    costs: ProductCosts = DEFAULT,
) -> tuple[int, int, int]:
    """(lanes, rows, columns) of the register tile: the cheapest that needs no spilling.

    ``least`` is the smallest number of lanes.  The cost of one step along depth is bounded by
    multiply-adds (2 a cycle), loads (2 a cycle) and the cycles until a sum can be added to again
    (``latency``).
    """
    while lanes > least and work.columns <= lanes // 2:
        lanes //= 2
    vectors_needed = max(1, math.ceil(work.columns / lanes))
    # Sums that fit next to one row of B and a broadcast.
    sums = costs.most_sums if registers >= 32 else registers - 1
    short = registers >= 32 and lanes <= 4
    tallest = costs.tallest_tile_of_short_vectors if short else costs.tallest_tile
    best = 3 if short else 2  # vectors that load least for each multiply-add
    shapes = []
    for vectors in range(1, min(4, vectors_needed) + 1):
        most = min(sums, registers - 1 - vectors) // vectors
        shapes.append((max(1, min(most, tallest, work.rows)), vectors))
    cost = functools.partial(_tile_cost, work, lanes, latency)
    height, vectors = min(
        shapes, key=lambda s: (round(cost(*s) * 1.02 ** abs(s[1] - best)), abs(s[1] - best))
    )
    return lanes, height, vectors * lanes


def _tile_cost(work: Contraction, lanes: int, latency: float, height: int, vectors: int) -> float:
    """Cycles of a step along depth for all of C, in tiles of ``height`` rows and ``vectors``."""

    def step(high: int, wide: int) -> float:
        return max(high * wide / 2, (high + wide) / 2, latency)

    panels, rest = divmod(work.columns, vectors * lanes)
    tails = row_tails(work.rows, height)
    whole = (work.rows - sum(tails)) // height
    last = math.ceil(rest / lanes)
    return sum(
        count * (panels * step(high, vectors) + (step(high, last) if rest else 0.0))
        for high, count in [(height, whole), *((tail, 1) for tail in tails)]
    )


# ---- depth -----------------------------------------------------------------------------------


def depth_block(
    work: Contraction, target: Target, width: int, each: int, costs: ProductCosts
) -> int:
    """Depth of a block of B, such that one panel fills half of the first-level cache.

    It may fill more where rows of A are contiguous, unless they are packed.  Where each element of
    B is used only once or twice, blocks are a few rows of B deep instead, so that B is read in long
    pieces, row by row, while C stays in the cache.
    """
    if work.rows <= 2 and work.b_strides[2] == 1 and work.columns >= 4 * width:
        return costs.thin_block
    most = max(256, target.l1_bytes // 2 // (width * work.itemsize))
    if work.narrow:
        return each * even_block(-(-work.depth // each), most)
    if work.a_strides[2] == 1:
        # Fewer, longer pieces of a row of A outweigh a panel that comes from the second-level cache
        # (94 % of the peak against 90 % at a depth of 1024).  Rows of B that are copied piece by
        # piece set the limit lower: their pieces get narrower as blocks get deeper.
        most *= 2 if work.b_strides[2] == 1 else 4
    return even_block(work.depth, most)


def even_block(depth: int, most: int) -> int:
    """Depth cut into as few nearly equal blocks ≤ ``most`` as possible, whole turns each."""
    if depth <= most:
        return max(1, depth)
    turn = depth_unroll(depth)
    fewest = math.ceil(depth / most)
    # Blocks of one length make loops with fixed ends.
    for blocks in range(fewest, fewest + 2 + fewest // 4):
        if depth % (blocks * turn) == 0:
            return depth // blocks
    return round_up(math.ceil(depth / fewest), turn)


def depth_unroll(depth: int, most: int = 6) -> int:
    """Steps along depth in one turn of a tile's loop: about 4, and without remainder if possible.

    Code for a remainder would double the text that LLVM has to work through.
    """
    return next((turn for turn in (4, 3, 5, 6) if depth % turn == 0 and turn <= most), 4)


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of ``multiple`` that is at least ``value``."""
    return -(-value // multiple) * multiple
