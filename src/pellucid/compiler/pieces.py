"""Long element-wise chains cut into pieces of bounded size.

An unrolled loop of ten thousand steps is one expression.  As one kernel it would take LLVM far
longer than its length, and whoever follows its operations down would need as many calls inside of
each other.  Cut into pieces it takes time in proportion to its length, and where the chain
repeats itself the cuts come at equal places, so that equal pieces share a kernel.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from pellucid.compiler.index import is_inline
from pellucid.graph.node import CONSTANT, Node

MOST_DEPTH = 64
"""So many operations may wait for each other in a piece: the writer of a kernel follows them down
to what is stored, four calls deeper for each."""
MOST_OPERATIONS = 256
"""Operations of a piece.  Layers, losses and optimizers of today need less than half of it for an
element, so that their plans know nothing of cuts."""
LEVELS = 5
"""Two places of a chain look alike if so many operations before them are the same."""


def ends_of_pieces(users: Mapping[Node, list[Node]], anchors: set[Node]) -> set[Node]:
    """Values at which chains are cut; ``users`` has all nodes in order, ``anchors`` are stored."""
    long = _long_chains(users, anchors)
    if not long:
        return set()
    looks = _looks(users)
    cutter = _Cutter()
    for node in users:
        if node in anchors or not node.inputs:
            cutter.begin(node)
        else:
            cutter.visit(node, looks[node], node in long)
    return cutter.found


def _long_chains(users: Mapping[Node, list[Node]], anchors: set[Node]) -> set[Node]:
    """Nodes on a way through more than :data:`MOST_DEPTH` operations, or in a larger expression."""
    depth: dict[Node, int] = {}
    size: dict[Node, int] = {}
    for node in users:
        if node in anchors or not node.inputs:
            depth[node] = size[node] = 0
            continue
        depth[node] = 1 + max(depth[n] for n in node.inputs)
        # Each way to a value counts: an upper bound, which only says where to look closer.
        size[node] = min(1 + sum(size[n] for n in node.inputs), MOST_OPERATIONS + 1)
    found: set[Node] = set()
    through = dict(depth)
    for node in reversed(list(users)):
        if node in anchors or not node.inputs:
            continue
        through[node] = max([depth[node], *(through[u] for u in users[node] if u not in anchors)])
        if through[node] > MOST_DEPTH or size[node] > MOST_OPERATIONS:
            found.add(node)
    return found


def _looks(nodes: Iterable[Node]) -> dict[Node, int]:
    """What a node and the operations before it look like, whatever their constants."""
    alike: dict[Node, int] = {}
    for node in nodes:
        settings: Hashable = () if node.op is CONSTANT else node.params
        alike[node] = hash((node.op.name, node.shape, settings))
    own = alike
    for _ in range(LEVELS):
        alike = {n: hash((own[n], *(alike[i] for i in n.inputs))) for n in alike}
    return alike


class _Cutter:
    """Walks through the nodes and chooses where pieces end."""

    def __init__(self) -> None:
        self.found: set[Node] = set()
        self.depth: dict[Node, int] = {}
        self.below: dict[Node, frozenset[Node]] = {}
        self.usual: int | None = None
        """How the place of the last cut looks."""
        self.period = 0
        """After how many operations such a place comes again; 0 as long as that is not known."""

    def begin(self, node: Node) -> None:
        """A stored value, or an input: chains begin here."""
        self.depth[node], self.below[node] = 0, frozenset()

    def visit(self, node: Node, look: int, long: bool) -> None:
        """A value that is computed where it is needed, unless a piece ends with it."""
        deep = 1 + max(self.depth[n] for n in node.inputs)
        operations = frozenset((node,)).union(*(self.below[n] for n in node.inputs))
        self.depth[node], self.below[node] = deep, operations
        if not long or not is_inline(node):
            return
        if look == self.usual and not self.period:
            self.period = deep
        regular = self.period and look == self.usual
        full = deep > MOST_DEPTH or len(operations) > MOST_OPERATIONS
        if full or (regular and deep == MOST_DEPTH // self.period * self.period):
            self.found.add(node)
            if not regular:
                self.usual, self.period = look, 0
            self.begin(node)
