"""Loops over time whose threads never wait for each other (see :mod:`pellucid.compiler.strands`).

The rows of the batch are cut into blocks, by shapes alone; a block runs through all iterations as
one task.  The weights are packed once, before the first iteration, into the panels that register
tiles read; a block's kernels find what they wrote in the iteration before in their own core's
cache.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pellucid.backends.cpu.contraction_spec import Contraction
from pellucid.backends.cpu.machine import costs_of
from pellucid.backends.cpu.target import Target
from pellucid.compiler.clusters import Fusion
from pellucid.compiler.strands import rows_apart
from pellucid.compiler.views import is_narrow_product


def blocks_of(fusion: Fusion, varying: int, target: Target) -> int:
    """Into how many blocks of rows a loop's body is cut; 0 where threads must meet."""
    costs = costs_of(target).strands
    rows = rows_apart(fusion, varying)
    products = [c.anchors[0] for c in fusion.clusters if c.kind == "product"]
    weights = sum(n.inputs[1].size * n.dtype.itemsize for n in products)
    if any(map(is_narrow_product, products)):
        return 0  # both of their operands are packed, anew for every iteration
    if rows < 2 * costs.fewest_rows or weights > costs.most_weights * target.l2_bytes:
        return 0
    work = sum(n.inputs[1].size / (2 * target.lanes(n.dtype.name)) for n in products)
    speed = costs.inner_bytes_a_cycle if weights <= target.l2_bytes else costs.outer_bytes_a_cycle
    best, least = 0, math.inf
    for count in range(1, min(rows // costs.fewest_rows, costs.most_blocks) + 1):
        if rows % count == 0:
            block = rows // count * work + weights / speed / 2
            ideal = rows * work
            score = sum(w * math.ceil(count / t) * block * t / ideal for t, w in costs.threads)
            if score < least:
                best, least = count, score
    return best if best > 1 else 0


def in_blocks(spec: Contraction, blocks: int) -> Contraction:
    """The product of a loop's body as one product for each block of rows."""
    height = spec.rows // blocks
    return replace(
        spec,
        batch=blocks,
        rows=height,
        a_strides=(height * spec.a_strides[1], *spec.a_strides[1:]),
        b_strides=(0, *spec.b_strides[1:]),
        c_strides=(height * spec.c_strides[1], spec.c_strides[1]),
    )
