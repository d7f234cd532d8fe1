"""How a contraction is cut: register tile, blocks, packing, chunks.

Everything here follows from the shapes, the strides and the :class:`Target`, so that a kernel's
text and the order of its sums never depend on who runs it.  Tiles are chosen in
:mod:`~.tile_choice`, packing in :mod:`~.packing_choice`, chunks in :mod:`~.chunk_choice`, by small
cost models in processor cycles, whose numbers are in :mod:`~.machine`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace

from pellucid.backends.cpu.chunk_choice import chunk_limit, cycles_of, partition, sum_chunks
from pellucid.backends.cpu.contraction_elements import EMULATED
from pellucid.backends.cpu.contraction_spec import (
    Axis,
    Blocking,
    Contraction,
    ContractionPlan,
    Kernel,
    Partition,
    Tiling,
)
from pellucid.backends.cpu.machine import ProductCosts, costs_of
from pellucid.backends.cpu.packing_choice import (
    choose_packing,
    pack_of_b,
    panel_columns,
    row_limit,
)
from pellucid.backends.cpu.target import Target
from pellucid.backends.cpu.tile_choice import (
    depth_block,
    depth_unroll,
    dot_tiling,
    even_block,
    even_rows,
    plain_tails,
    round_up,
    row_tails,
    tile_shape,
    wants_dot,
)

_LEAST_LANES_OF_PAIRS = 4
"""The shortest vectors that instructions for pairs of bfloat16 know."""


def plan_contraction(spec: Contraction, target: Target, full_rows: bool = False) -> ContractionPlan:
    """Decide how ``spec`` runs on ``target``.

    ``full_rows`` demands that every block of C spans all columns, so that an epilogue may work on
    whole rows.
    """
    return _plan(spec, target, full_rows, costs_of(target).products)


@functools.lru_cache(maxsize=1024)
def _plan(
    spec: Contraction, target: Target, full_rows: bool, costs: ProductCosts
) -> ContractionPlan:
    swapped = spec.columns == 1 and spec.rows > 1 and spec.c_strides[1] == 1
    work = spec.swapped() if swapped else spec
    blocking = _blocking(work, target, costs)
    limit = row_limit(work, target, blocking, costs)
    cut = partition(work, blocking, limit, full_rows and not swapped, costs)
    split_depth = _split_depth(work, blocking, cut.splits)
    splits = max(1, math.ceil(work.depth / split_depth)) if work.depth else 1
    rows, each = cut.rows, blocking.each
    if blocking.kind == "tiles":
        block = each * even_block(-(-split_depth // each), blocking.steps)
        blocking = replace(blocking, depth_block=block)
        if rows.chunks == 1 and rows.extent:
            rows = even_rows(rows.extent, rows.tile)
    cut = Partition(rows, cut.columns, splits)
    group, kernels = _kernels(spec, work, blocking, cut, costs)
    # Broadcasts of pairs on ARM take a register for each address: longer turns spill.
    most_unroll = 4 if blocking.pairs == "bfdot" else 6
    parts = work.batch * splits if splits > 1 else 0
    return ContractionPlan(
        spec=spec,
        work=work,
        swapped=swapped,
        full_rows=full_rows,
        kind=blocking.kind,
        lanes=blocking.tiling.lanes,
        rows=cut.rows,
        columns=cut.columns,
        splits=splits,
        split_depth=split_depth,
        depth_block=blocking.depth_block,
        unroll=depth_unroll(-(-split_depth // each), most_unroll),
        pack_a=blocking.pack_a,
        pack_b=blocking.pack_b,
        panel_columns=panel_columns(work, blocking, cut.columns, costs),
        group=group,
        kernels=kernels,
        scratch_bytes=parts * work.rows * work.columns * work.itemsize,
        pairs=blocking.pairs,
        opaque=target.triple.startswith("x86_64"),
    )


def _blocking(work: Contraction, target: Target, costs: ProductCosts) -> Blocking:
    """Dot products or tiles, their shape, the depth of blocks, and what is packed."""
    lanes = target.lanes(work.dtype)
    pairs = target.pair_product if work.narrow else ""
    each = 2 if pairs else 1
    if wants_dot(work, lanes * each, target.l2_bytes // 8, costs):
        tiling = dot_tiling(work, target)
        return Blocking("dot", tiling, max(1, work.depth), "none", "none", pairs)
    registers = target.vector_registers
    if pairs == EMULATED:
        registers -= 3  # halves of pairs, taken apart
    least = _LEAST_LANES_OF_PAIRS if pairs else 1
    lanes, height, width = tile_shape(work, lanes, registers, costs.latency, least, costs)
    tails = plain_tails(work.columns, width)
    tiling = Tiling(lanes, height, width, row_tails(work.rows, height), tails)
    block = depth_block(work, target, width, each, costs)
    pack_a, pack_b = choose_packing(work, tiling, pairs, costs)
    return Blocking("tiles", tiling, block, pack_a, pack_b, pairs)


def _split_depth(work: Contraction, blocking: Blocking, splits: int) -> int:
    """Depth of a part of a sum that is cut into ``splits``."""
    part = math.ceil(work.depth / splits)
    if blocking.kind == "dot":
        # Only the last part of a split sum may end inside a vector.
        return round_up(part, 4 * blocking.tiling.lanes)
    return work.depth if splits == 1 else round_up(part, 8)


def _kernels(
    spec: Contraction, work: Contraction, blocking: Blocking, cut: Partition, costs: ProductCosts
) -> tuple[int, tuple[Kernel, ...]]:
    """How many blocks of C make a chunk, and the kernels: of the product, and of a split sum."""
    lanes = blocking.tiling.lanes
    units = 0 if spec.empty else work.batch * cut.splits * cut.rows.chunks * cut.columns.chunks
    limit = chunk_limit(cycles_of(work, lanes, costs), costs)
    group = max(1, math.ceil(units / limit))
    product = Kernel("", math.ceil(units / group), spec.flop)
    if cut.splits == 1:
        return group, (product,)
    chunks, _ = sum_chunks(spec, cut.splits, lanes, costs)
    return group, (product, Kernel("_sum", chunks, 0))


# ---- a B that is packed before ---------------------------------------------------------------


def plan_blocks(spec: Contraction, target: Target) -> ContractionPlan:
    """A product whose chunks are its matrices, all columns each, with a B that is packed before.

    For loops: ``spec.batch`` counts blocks of rows, all of which read the same B, which does not
    change from iteration to iteration and is packed once, by what :func:`plan_packing` plans.
    """
    costs = costs_of(target).products
    lanes, height, width = tile_shape(
        spec,
        target.lanes(spec.dtype),
        target.vector_registers,
        latency=costs.latency_of_few_rows,
        costs=costs,
    )
    tails = plain_tails(spec.columns, width)
    return ContractionPlan(
        spec=spec,
        work=spec,
        swapped=False,
        full_rows=True,
        kind="tiles",
        lanes=lanes,
        rows=Axis(spec.rows, height, row_tails(spec.rows, height), spec.rows, 1),
        columns=Axis(spec.columns, width, tails, spec.columns, 1),
        splits=1,
        split_depth=spec.depth,
        depth_block=spec.depth,
        unroll=depth_unroll(spec.depth),
        pack_a="none",
        pack_b="ready",
        panel_columns=spec.columns,
        group=1,
        kernels=(Kernel("", spec.batch, spec.flop),),
        scratch_bytes=0,
    )


def plan_packing(plan: ContractionPlan, costs: ProductCosts) -> ContractionPlan:
    """How the B of a product planned by :func:`plan_blocks` is packed, some panels a chunk."""
    work, axis = plan.work, plan.columns
    panels = max(1, axis.whole // axis.tile)
    count = max(1, min(panels, 16, work.depth * work.columns // costs.packing_chunk))
    chunk = math.ceil(panels / count) * axis.tile
    chunks = max(1, math.ceil(axis.whole / chunk))
    columns = Axis(axis.extent, axis.tile, axis.tails, chunk, chunks)
    kernel = Kernel("_pack", chunks, 0)
    return replace(plan, pack_b=pack_of_b(work), columns=columns, kernels=(kernel,))


def packed_bytes(plan: ContractionPlan) -> int:
    """Bytes of a packed B: whole panels, the last one padded to whole vectors."""
    columns = plan.columns.whole + round_up(sum(plan.columns.tails), plan.lanes)
    return columns * plan.depth_block * plan.work.itemsize
