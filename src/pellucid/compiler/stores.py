"""Which values are stored although they could be computed again wherever they are needed.

Element-wise work is computed by its readers, which costs less than writing and reading it back,
until the readers have to read more for it than its result is large.  Then it is stored once.

before: each residual block's output recomputed from all blocks before it; after: stored.
"""

from __future__ import annotations

from pellucid.graph.node import CONSTANT, INPUT, Node

LARGE = 1 << 14
"""Values of so many elements count as traffic; smaller ones stay in the nearest caches."""
MOST_READS = 2
"""Large stored values from which something with several readers is computed again by each."""
MOST_WORK = 10
"""Operations on an element that several readers do again."""
SPREAD = 8
"""A value this many times smaller than the loop that reads it is computed before the loop."""


def worth_storing(
    nodes: list[Node], users: dict[Node, list[Node]], anchors: set[Node]
) -> set[Node]:
    """Element-wise values that should be stored, besides those that must be."""
    chosen: set[Node] = set()
    reads: dict[Node, frozenset[Node]] = {}
    work: dict[Node, int] = {}
    for node in nodes:
        stored = node in anchors or node.op is INPUT
        if not stored and node.op.family == "elementwise" and node.dtype.kind == "float":
            found = _reads_of(node, reads)
            steps = 1 + sum(work[n] for n in node.inputs)
            repeated = node.size >= LARGE and len(set(users[node])) > 1
            heavy = len(found) > MOST_READS or steps > MOST_WORK
            if (repeated and heavy) or _is_row_of_loop(node, users):
                chosen.add(node)
                stored = True
        if stored:
            reads[node] = frozenset((node,)) if node.size >= LARGE else frozenset()
            work[node] = 0
            continue
        reads[node] = _reads_of(node, reads)
        if node.op is CONSTANT:
            work[node] = 0
        else:
            own = 1 if node.op.family == "elementwise" else 0
            work[node] = min(own + sum(work[n] for n in node.inputs), 1000)
    return chosen


def _reads_of(node: Node, reads: dict[Node, frozenset[Node]]) -> frozenset[Node]:
    return frozenset().union(*(reads[n] for n in node.inputs))


def _is_row_of_loop(node: Node, users: dict[Node, list[Node]]) -> bool:
    """Whether a much larger value needs this one again in each of its rows."""
    if node.size < 2:
        return False
    stack = [node]
    while stack:
        current = stack.pop()
        for user in users[current]:
            if user.op.name in ("reshape", "transpose"):
                stack.append(user)
            elif user.op.family == "elementwise" or user.op.name == "broadcast_to":
                last = current.shape[-1] if current.shape else 1
                if user.size >= SPREAD * node.size and last > 1 and user.shape[-1] == last:
                    return True
    return False
