"""Blocks of values: equal parts of all elements in their order, such as images or rows.

Work on blocks that read only themselves can be shared out, each block running through several
kernels by itself: rows of a recurrence (:mod:`.strands`), images of a network (:mod:`.chains`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pellucid.base.shapes import size_of
from pellucid.compiler.clusters import REDUCTIONS, Fusion, cone, reduction_axes, reduction_index
from pellucid.compiler.index import Affine, Index, linear, loop, operand_indices, unravel
from pellucid.graph.node import Node


def place_in_block(node: Node, blocks: int) -> Affine:
    """Element ``k`` of block ``b`` of a node."""
    width = node.size // blocks
    return loop("b", blocks) * width + loop("k", width)


def reads_own_block(node: Node, blocks: int, among: Collection[Node], fusion: Fusion) -> bool:
    """Whether block b of a node reads, of the nodes ``among`` all, block b only."""
    here = place_in_block(node, blocks)
    start: Iterable[tuple[Node, Index]]
    if node.op.name in REDUCTIONS:
        source = node.inputs[0]
        reduced = size_of(tuple(source.shape[a] for a in reduction_axes(node)))
        start = [(source, reduction_index(node, here, loop("j", reduced)))]
    else:
        start = zip(node.inputs, operand_indices(node, unravel(here, node.shape)), strict=True)
    return all(
        _is_own_block(read, index, blocks)
        for read, index in cone(start, fusion.anchors)
        if read in among
    )


def _is_own_block(node: Node, index: Index, blocks: int) -> bool:
    """Whether a position that block ``b`` reads lies in block b of a value.

    Where the first axis is the blocks, it is enough to look at that one: positions that lie outside
    along others (in ``pad``) are not read.
    """
    if node.shape and node.shape[0] == blocks and index[0] == loop("b", blocks):
        return True
    return lies_in_block(linear(index, node.shape), node.size // blocks, blocks)


def lies_in_block(offset: Affine, width: int, blocks: int) -> bool:
    """Whether an offset lies in block b of a value with blocks of ``width`` elements."""
    rest = offset + loop("b", blocks) * -width
    low, high = rest.bounds()
    return not rest.depends_on("b") and 0 <= low and high < width
