"""Several rows of a sum in one pass over their elements.

Windows of neighbouring places overlap: the nine sums that are the gradient of a depthwise kernel
read each element nine times.  Added up some rows at a time, element after element, rows share what
they load, and a sum is fetched and stored once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pellucid.backends.cpu.elements import Elements
from pellucid.compiler.clusters import COSTLY, cone
from pellucid.compiler.index import Affine, Index, linear, operand_indices
from pellucid.graph.node import Node

MOST_TOGETHER = 4
"""Rows taken together at most: what they share must fit into registers."""
MOST_LOADS = 64
WORTH = 0.7
"""Rows are taken together if they load at most this share of what they load one by one.  Only
overlapping windows do: rows that share no more than a scale for each channel are read faster in the
order in which they lie in memory."""
PLAIN_MOVES = frozenset(("reshape", "transpose", "broadcast_to", "slice"))

Read = tuple[Node, Index]
"""An element: a value, and the position in it as a formula of the loop variables."""


def rows_together(
    reads_of_row: Callable[[int, int], Iterable[Read]], rows: int, stored: set[Node]
) -> int:
    """How many rows are taken together: 4, 2 or 1.

    ``reads_of_row(together, j)`` are the elements that row j of so many needs, as formulas of the
    loop variables ``k`` (the place in a row) and others; ``stored`` are the values in memory.
    """
    first = list(reads_of_row(1, 0))
    size = max(n.size for n, _ in first)
    alone = _loads(first, stored, size)
    if not alone:
        return 1
    together = MOST_TOGETHER
    while together > 1:
        if rows % together == 0:
            reads = [read for j in range(together) for read in reads_of_row(together, j)]
            loads = _loads(reads, stored, size)
            if loads and len(loads) <= min(MOST_LOADS, WORTH * together * len(alone)):
                return together
        together //= 2
    return 1


def _loads(start: list[Read], stored: set[Node], size: int) -> set[tuple[Node, Affine]]:
    """Different elements of something large that the inner loop loads.

    No elements, if it does more than plain arithmetic.
    """
    stack, seen = [n for n, _ in start], {n for n, _ in start}
    while stack:
        node = stack.pop()
        if node in stored or not node.inputs:
            continue
        arithmetic = node.op.family == "elementwise" and node.op.name not in COSTLY
        if not arithmetic and node.op.name not in PLAIN_MOVES:
            return set()
        for operand in node.inputs:
            if operand not in seen:
                seen.add(operand)
                stack.append(operand)
    found = set()
    for node, index in cone(start, stored):
        offset = linear(index, node.shape)
        if 2 * node.size > size and offset.depends_on("k"):
            found.add((node, offset))
    return found


def compute_together(elements: Elements, starts: Sequence[Read]) -> None:
    """Compute the same expression at several places, operation by operation.

    What two of them share is then needed by both at nearly the same time, and stays in a register
    in between.
    """
    stack: list[tuple[Node, tuple[Index, ...], bool]] = [
        (starts[0][0], tuple(index for _, index in starts), False)
    ]
    seen: set[tuple[Node, tuple[Index, ...]]] = set()
    while stack:
        node, places, ready = stack.pop()
        inner = (
            node not in elements.stored
            and bool(node.inputs)
            and (node.op.family == "elementwise" or node.op.name in PLAIN_MOVES)
        )
        if ready or not inner:
            for index in places:
                elements.value(node, index)
            continue
        if (node, places) in seen:
            continue
        seen.add((node, places))
        stack.append((node, places, True))
        of_operands = [operand_indices(node, index) for index in places]
        for number in range(len(node.inputs) - 1, -1, -1):
            wanted = tuple(operands[number] for operands in of_operands)
            stack.append((node.inputs[number], wanted, False))
