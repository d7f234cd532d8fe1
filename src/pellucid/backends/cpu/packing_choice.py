"""Which operands of a contraction are copied into the order in which its tiles read them."""

from __future__ import annotations

import math

from pellucid.backends.cpu.contraction_spec import (
    Axis,
    Blocking,
    Contraction,
    PackA,
    PackB,
    Tiling,
)
from pellucid.backends.cpu.machine import ProductCosts
from pellucid.backends.cpu.target import Target


def choose_packing(
    work: Contraction, tiling: Tiling, pairs: str, costs: ProductCosts
) -> tuple[PackA, PackB]:
    """How A and B of a product in tiles are packed."""
    if work.narrow:
        return _narrow_packing(work, pairs)
    (_, a_row, a_depth), (_, _, b_column) = work.a_strides, work.b_strides
    pack_b = pack_of_b(work)
    if b_column == 1:
        small = work.depth * work.columns * work.itemsize <= costs.unpacked_bytes
        pack_b = "none" if small or work.rows < 4 * tiling.height else "copy"
    # At steps of 4 KiB every line falls into one set of the first-level cache (measured: 62 % of
    # the peak without packing, 87 % with it); at other steps reading A directly is as fast.
    far = a_depth * work.itemsize % 4096 == 0 and a_depth != 0
    panels = work.columns // tiling.width
    pack_a: PackA = "lines" if a_row == 1 and far and panels >= 4 and work.rows > 1 else "none"
    return pack_a, pack_b


def pack_of_b(work: Contraction) -> PackB:
    """How B becomes panels: by its strides."""
    _, b_depth, b_column = work.b_strides
    if b_column == 1:
        return "copy"
    return "transpose" if b_depth == 1 else "gather"


def _narrow_packing(work: Contraction, pairs: str) -> tuple[PackA, PackB]:
    """The same for operands that are brought into another form: each of them, and only once.

    Only a B that one or two rows read once is not: its tiles bring it into that form themselves.
    """
    _, a_row, a_depth = work.a_strides
    pack_a: PackA = "lines" if a_row == 1 and a_depth != 1 and work.rows > 1 else "rows"
    pack_b = pack_of_b(work)
    if pack_b == "copy" and work.rows <= 2 and not (pairs and work.depth % 2):
        pack_b = "none"
    return pack_a, pack_b


def panel_columns(work: Contraction, blocking: Blocking, columns: Axis, costs: ProductCosts) -> int:
    """Columns of B packed at a time: one panel, or a few where rows of B are contiguous."""
    panels = 1
    if blocking.pack_b == "copy":
        panel_bytes = blocking.steps * columns.tile * work.itemsize
        panels = max(1, min(costs.panels, (costs.scratch_bytes // 2) // panel_bytes))
    return min(panels, max(1, math.ceil(columns.longest / columns.tile))) * columns.tile


def row_limit(work: Contraction, target: Target, blocking: Blocking, costs: ProductCosts) -> int:
    """Most rows of a chunk: its part of A stays in the second-level cache (or in scratch)."""
    steps, tiling = blocking.steps, blocking.tiling
    apart = 16  # elements between lines, so that they do not fall into one set of a cache
    if blocking.pack_a == "none":
        budget = target.l2_bytes // (1 if work.a_strides[2] == 1 else 2)
    else:
        budget = costs.scratch_bytes - costs.panels * steps * tiling.width * work.itemsize
        if work.narrow:
            budget -= 128 * steps  # lines end in a cache line that separates them
            apart = 32
    rows = budget // ((steps + apart) * work.itemsize)
    return max(tiling.height, rows // tiling.height * tiling.height)
