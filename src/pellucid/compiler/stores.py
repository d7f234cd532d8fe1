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
MOST_PASSES = 1.5
"""How often slices of a value may read each of its elements before it is stored."""
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
        if not stored and node.dtype.kind == "float" and _is_chosen(node, users, reads, work):
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


def _is_chosen(
    node: Node,
    users: dict[Node, list[Node]],
    reads: dict[Node, frozenset[Node]],
    work: dict[Node, int],
) -> bool:
    if node.op.family not in ("elementwise", "movement") or node.size < 2:
        return False
    computed = node.op.family == "elementwise"
    if computed or _turns_last_axis(node):
        if _is_row_of_loop(node, users):
            return True
    if computed or node.op.name == "pad":
        sliced = sum(u.size for u in users[node] if u.op.name == "slice")
        if sliced > MOST_PASSES * node.size:
            return True
    if not computed or node.size < LARGE or len(set(users[node])) < 2:
        return False
    steps = 1 + sum(work[n] for n in node.inputs)
    return len(_reads_of(node, reads)) > MOST_READS or steps > MOST_WORK


def _turns_last_axis(node: Node) -> bool:
    """Whether a transpose leaves neighbours far apart in memory."""
    if node.op.name != "transpose":
        return False
    shape, axes = node.inputs[0].shape, node.settings["axes"]
    real = [a for a in range(len(shape)) if shape[a] != 1]
    last = [a for a in axes if shape[a] != 1]
    return bool(real) and last[-1] != real[-1]


def _reads_of(node: Node, reads: dict[Node, frozenset[Node]]) -> frozenset[Node]:
    return frozenset().union(*(reads[n] for n in node.inputs))


def _is_row_of_loop(node: Node, users: dict[Node, list[Node]]) -> bool:
    """Whether a much larger value needs this one again in each of its rows."""
    stack = [node]
    while stack:
        current = stack.pop()
        for user in users[current]:
            if user.op.name in ("reshape", "transpose", "slice"):
                stack.append(user)
            elif user.op.family == "elementwise" or user.op.name == "broadcast_to":
                last = current.shape[-1] if current.shape else 1
                if user.size >= SPREAD * node.size and last > 1 and user.shape[-1] == last:
                    return True
    return False
