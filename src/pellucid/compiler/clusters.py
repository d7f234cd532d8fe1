"""Fusion: which operations are computed together in one kernel.

*Anchors* are the nodes that must exist: outputs, reductions, matrix products and their
operands, costly values that several others use.  Everything between is computed where it is
needed.  Anchors that meet row by row are gathered into one *cluster*: a loop over rows, in each
row a few inner loops over its elements, with the row in cache.

before: exp, sum, div as three loops over memory; after: one loop over rows (softmax).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from pellucid.base.dtypes import float32, float64
from pellucid.compiler.index import (
    Affine,
    Index,
    is_inline,
    linear,
    loop,
    operand_indices,
    read_indices,
    unravel,
)
from pellucid.compiler.machine import DEFAULT, Machine
from pellucid.compiler.pieces import ends_of_pieces
from pellucid.compiler.placement import ASSEMBLY
from pellucid.compiler.repeat import is_loop, loop_calls_host, operand_view
from pellucid.compiler.stores import worth_storing
from pellucid.compiler.views import View, attention_views, awaited, flat_base, matrix_view
from pellucid.graph.node import CONSTANT, INPUT, Graph, Node, consumers

COSTLY = frozenset(
    "exp expm1 log log1p log2 log10 pow sin cos tan asin acos atan atan2 sinh cosh tanh "
    "asinh acosh atanh sigmoid erf erfc erfinv lgamma digamma random_uniform".split()
)
"""Operations that are stored rather than computed again when several kernels need them."""

PRODUCTS = frozenset(("matmul", "strided_product"))

MOST_SIDE_BY_SIDE = 16
"""Parts of a concatenation that one loop chooses from: each element asks each part whether it
lies there.  One of more parts is one of several concatenations, which are stored."""

REDUCTIONS = frozenset(("sum", "prod", "max", "min", "argmax", "argmin"))


@dataclass(eq=False)
class Cluster:
    """Anchors computed by one kernel.

    ``kind`` is ``rows``, ``columns``, ``product``, ``serial``, ``attention``, ``patches`` (a
    transform of patches), ``loop`` (all results of a loop; its body has clusters of its own),
    ``host`` (all results of an operation that is called back in Python) or ``assembly`` (nothing
    to do: the parts are written in place).  For ``rows`` the domain is ``rows`` × ``inner``; a
    cluster of element-wise anchors alone is ``flexible``: only the number of its elements is fixed.
    """

    kind: str
    anchors: list[Node]
    rows: int = 1
    inner: int = 1
    flexible: bool = False
    position: int = 0
    full_rows: bool = False
    """Of an epilogue: whether it needs whole rows at once, because it reduces over them."""
    epilogue: Cluster | None = None
    """Of a ``product``: row-wise work on its result, done block by block while it is in cache."""
    first: int = 0
    last: int = 0
    """Places of its first and last anchor among all nodes."""
    operations: int = 0
    """Of ``rows``: operations between what it reads and its anchors."""

    @property
    def size(self) -> int:
        """Number of elements of the domain."""
        return self.rows * self.inner


@dataclass
class Fusion:
    """The outcome: clusters in an order in which each comes after what it reads."""

    graph: Graph
    clusters: list[Cluster]
    anchors: set[Node]
    owner: dict[Node, Cluster]
    reads: dict[Node, list[Node]] = field(default_factory=dict)
    """Anchor → stored values (anchors and inputs) that computing it reads."""
    readers: dict[Node, list[Cluster]] = field(default_factory=dict)
    """Stored value → clusters that read it."""
    place: dict[Node, int] = field(default_factory=dict)
    """Anchor → its place among all anchors."""
    placed: dict[Node, View] = field(default_factory=dict)
    """Anchor that is written into an assembly → where."""
    ends: set[Node] = field(default_factory=set)
    """Anchors at which long chains were cut: what follows on them is another kernel."""
    machine: Machine = DEFAULT
    """What it was made for; chains and schedule go by it as well."""
    hosts: list[Cluster] = field(default_factory=list)
    """Clusters that call the host, themselves or in a loop's body, and so may fail."""


def reduction_axes(node: Node) -> tuple[int, ...]:
    """Axes that a reduction takes away."""
    settings = node.settings
    return tuple(settings["axes"]) if "axes" in settings else (settings["axis"],)


def reduction_index(node: Node, rows: Affine, inner: Affine) -> Index:
    """Where a reduction reads its operand for result ``rows`` and reduced position ``inner``."""
    source, axes = node.inputs[0].shape, reduction_axes(node)
    kept = [n for a, n in enumerate(source) if a not in axes]
    gone = [n for a, n in enumerate(source) if a in axes]
    outer, within = iter(unravel(rows, tuple(kept))), iter(unravel(inner, tuple(gone)))
    return tuple(next(within) if a in axes else next(outer) for a in range(len(source)))


def is_trailing(node: Node) -> bool:
    """Whether a reduction takes the last axes, so that each result reads one stretch of memory."""
    axes = reduction_axes(node)
    return axes == tuple(range(len(node.inputs[0].shape) - len(axes), len(node.inputs[0].shape)))


def choose_anchors(
    graph: Graph, users: dict[Node, list[Node]], machine: Machine = DEFAULT
) -> set[Node]:
    """The nodes that must exist."""
    anchors: set[Node] = set()
    for node in graph.outputs:
        anchors.add(node)
    for node, using in users.items():
        if node.op is INPUT or node.op is CONSTANT:
            continue
        if not is_inline(node):
            anchors.add(node)
            small = read_by_put(node, users) if node.op.name == "put" else None
            if small is not None:
                anchors.update((*node.inputs[:2], *small))
            elif node.op.name not in REDUCTIONS:
                anchors.update(operands_in_memory(node))
        elif node.op.name in COSTLY and len(using) > 1 and node.size > 1:
            anchors.add(node)
        elif node.op.name == "concatenate" and len(node.inputs) == MOST_SIDE_BY_SIDE:
            if any(user.op is node.op for user in using):
                anchors.add(node)
    anchors = {n for n in anchors if n.op is not INPUT and n.op is not CONSTANT}
    anchors |= _long_reads(users, anchors)
    return anchors | worth_storing(users, anchors, machine)


MOST_IN_PUT = 8
"""Operations between stored values and what is put, where that is computed while it is put."""


def read_by_put(node: Node, users: dict[Node, list[Node]]) -> list[Node] | None:
    """From what a put computes its values itself, or None where they are stored.

    It does where each is made of a few values that are together at most half as large, as in outer
    products (the changes of an embedding's rows).  Nothing of that may be what the put changes,
    which holds new values by then.
    """
    x, _, values = node.inputs
    if values.dtype not in (float32, float64) or users[values] != [node]:
        return None
    stack, seen, found = [values], {values}, dict[Node, None]()
    while stack:
        current = stack.pop()
        if current is x or len(seen) > MOST_IN_PUT:
            return None
        moves, computes = current.op.family == "movement", current.op.family == "elementwise"
        small = 2 * current.size <= values.size or current.op.name in COSTLY
        if current.op is CONSTANT and current.size == 1:
            continue
        if moves or (computes and not small):
            fresh = [n for n in current.inputs if n not in seen]
            seen.update(fresh)
            stack += fresh
        else:
            found[current] = None
    if values in found or 2 * sum(n.size for n in found) > values.size:
        return None
    return list(found)


LARGEST_CLUSTER = 512
"""Operations of a cluster; a longer chain becomes several kernels, so that the time to compile it
grows with its length and no faster.  Layers and optimizers of today have less than half of it."""


MOST_READS = 2
"""A shared value that is computed from more stored values of its size is stored itself."""
MOST_PLACES = 16
"""The same for stored values of any size: a kernel has a text for each place that it reads."""


def _long_reads(users: dict[Node, list[Node]], anchors: set[Node]) -> set[Node]:
    """Shared values that would be computed again and again from too many stored ones.

    The residual sum of a deep network reads the results of all layers before; without this every
    layer norm would add them all up.  One stored value read at two places counts twice: each step
    of ``x = x + shift(x)`` doubles the places, and ten of them would be a thousand.
    """
    found: set[Node] = set()
    reads: dict[Node, tuple[tuple[Node, int], ...]] = {}
    for number, (node, using) in enumerate(users.items()):
        if node in anchors or not node.inputs:
            reads[node] = ((node, 0),)
            continue
        below = dict.fromkeys(
            (stored, hash((way, number, position)) if _moves(node, operand) else way)
            for position, operand in enumerate(node.inputs)
            for stored, way in reads[operand]
        )
        large = [read for read in below if 2 * read[0].size >= node.size]
        reads[node] = (*large, *(read for read in below if read not in large))[: MOST_PLACES + 1]
        if len(using) > 1 and node.size > 1:
            if len(large) > MOST_READS or len(below) > MOST_PLACES:
                found.add(node)
                reads[node] = ((node, 0),)
    return found


def _moves(node: Node, operand: Node) -> bool:
    """Whether an element of ``node`` may be computed from one of ``operand`` at another index."""
    same = node.op.family == "elementwise" and node.shape == operand.shape
    return not same and operand.size > 1


def operands_in_memory(node: Node) -> list[Node]:
    """What a node's kernel starts reading from: stored views for products, else the operands."""
    if node.op.name == "matmul":
        return [matrix_view(node, 0).base, matrix_view(node, 1).base]
    if node.op.family == "attention":
        return [view.base for view in attention_views(node)]
    if node.op.name in ("strided_product", "patch_transform"):
        return [flat_base(n) for n in node.inputs]
    if is_loop(node):
        return [operand_view(node, i).base for i in range(len(node.inputs))]
    return list(node.inputs)


def stored_reads(node: Node, anchors: set[Node]) -> list[Node]:
    """Anchors and inputs that are read when ``node`` is computed from stored values."""
    return reads_and_operations(node, anchors)[0]


def reads_and_operations(node: Node, anchors: set[Node]) -> tuple[list[Node], int]:
    """What :func:`stored_reads` gives, and how many operations lie in between."""
    found: dict[Node, None] = {}
    stack = [*awaited(node), *reversed(operands_in_memory(node))]
    seen: set[Node] = set()
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        if current in anchors or current.op is INPUT:
            found[current] = None
        else:
            stack.extend(reversed(current.inputs))
    return list(found), len(seen) - len(found) + 1


def cluster_of(node: Node) -> Cluster:
    """The cluster of an anchor by itself."""
    if is_loop(node):
        return Cluster("loop", [node])
    if node.op.host:
        return Cluster("host", [node])
    if node.op.name in PRODUCTS:
        return Cluster("product", [node])
    if node.op is ASSEMBLY:
        return Cluster("assembly", [node])
    if node.op.family == "attention":
        return Cluster("attention", [node])
    if node.op.name == "patch_transform":
        return Cluster("patches", [node])
    if node.op.name in REDUCTIONS:
        rows = node.size
        inner = math.prod(node.inputs[0].shape[a] for a in reduction_axes(node))
        source = node.inputs[0].shape
        last_kept = bool(source) and len(source) - 1 not in reduction_axes(node)
        tail = _kept_tail(node)
        if last_kept and tail >= 4 and not node.op.name.startswith("arg"):
            return Cluster("columns", [node], rows, inner)
        return Cluster("rows", [node], rows, inner)
    if not is_inline(node):
        return Cluster("serial", [node])
    return Cluster("rows", [node], node.size, 1, flexible=True)


def _kept_tail(node: Node) -> int:
    """Elements in the axes after the last reduced one."""
    source, axes = node.inputs[0].shape, reduction_axes(node)
    return math.prod(source[max(axes, default=-1) + 1 :])


def fuse(graph: Graph, machine: Machine = DEFAULT, enabled: bool = True) -> Fusion:
    """Clusters for a graph; with ``enabled=False`` each anchor has its own."""
    nodes = graph.nodes()
    users = consumers(nodes)
    anchors = choose_anchors(graph, users, machine)
    ends = ends_of_pieces(users, anchors)
    anchors |= ends
    fusion = Fusion(graph, [], anchors, {}, ends=ends, machine=machine)
    groups: dict[Hashable, Cluster] = {}
    for node in nodes:
        if node not in anchors:
            continue
        fusion.reads[node], operations = reads_and_operations(node, anchors)
        if node.op is ASSEMBLY:
            for part, (offset, strides) in zip(node.inputs, node.settings["places"], strict=True):
                fusion.placed[part] = View(node, offset, strides)
        home = _join(node, operations, fusion) if enabled else None
        group = node.group
        if group is not None:
            home = groups.get(group)
            if home is not None:
                home.anchors.append(node)
        place = fusion.place[node] = len(fusion.place)
        if home is None:
            home = cluster_of(node)
            home.first = place
            home.operations = operations
            fusion.clusters.append(home)
            if group is not None:
                groups[group] = home
        home.last = place
        fusion.owner[node] = home
        for read in fusion.reads[node]:
            known = fusion.readers.setdefault(read, [])
            if home not in known:
                known.append(home)
    if enabled:
        _attach_epilogues(fusion)
    _order(fusion)
    fusion.hosts = [c for c in fusion.clusters if c.kind == "host" or loop_calls_host(c.anchors[0])]
    return fusion


def _attach_epilogues(fusion: Fusion) -> None:
    """Give each matrix product the work that follows on its result, element by element or row-wise.

    before: a product, then bias and activation as a pass of their own; after: both in one kernel.
    State is not updated there: one text of an optimizer's update serves all parameters, and its
    seven streams are faster end to end than tile by tile (measured: 0.48 against 0.56 ms for a
    step of 784-256-128-10 with Adam).
    """
    state = {fusion.graph.outputs[position] for position in fusion.graph.aliases}
    for product in [c for c in fusion.clusters if c.kind == "product"]:
        result = product.anchors[0]
        for follower in list(fusion.readers.get(result, ())):
            if state.isdisjoint(follower.anchors) and _follows(follower, result, fusion):
                reads = [r for a in follower.anchors for r in fusion.reads[a]]
                if not _reaches(product, follower, reads, fusion):
                    _attach(product, follower, fusion)
                    break


def _follows(follower: Cluster, result: Node, fusion: Fusion) -> bool:
    """Whether a cluster can work on the product ``result`` block by block."""
    columns = result.shape[-1]
    if follower.kind != "rows" or result.size == 0 or columns < 2:
        return False
    if any(anchor in fusion.placed for anchor in follower.anchors):
        return False  # an epilogue stores block by block, not through strides
    rows, machine = result.size // columns, fusion.machine
    if follower.flexible:
        if follower.size != result.size:
            return False
    elif (follower.rows, follower.inner) != (
        rows,
        columns,
    ) or columns > machine.full_row_columns:
        return False
    elif (
        result.op.name == "matmul"
        and result.inputs[0].shape[-1] * columns * result.dtype.itemsize
        > fusion.machine.full_row_bytes
    ):
        return False
    members = {*follower.anchors, result}
    return all(
        _reads_own_row(a, members, follower.rows, follower.inner, follower.flexible, fusion.anchors)
        for a in follower.anchors
    )


def _attach(product: Cluster, follower: Cluster, fusion: Fusion) -> None:
    result = product.anchors[0]
    columns = result.shape[-1]
    full_rows = not follower.flexible
    product.epilogue = Cluster("rows", follower.anchors, result.size // columns, columns)
    product.epilogue.full_rows = full_rows
    product.anchors = [*product.anchors, *follower.anchors]
    product.last = max(product.last, follower.last)
    for anchor in follower.anchors:
        fusion.owner[anchor] = product
        for read in fusion.reads[anchor]:
            users = fusion.readers[read]
            fusion.readers[read] = list(
                dict.fromkeys(product if c is follower else c for c in users)
            )
    fusion.clusters.remove(follower)


def _join(node: Node, operations: int, fusion: Fusion) -> Cluster | None:
    """The cluster that takes ``node`` in: one of those it reads, or one that reads the same.

    Other clusters that it reads, and that fit too, become one with it.
    """
    alone = cluster_of(node)
    if alone.kind == "attention":
        return _same_attention(node, alone, fusion)
    if alone.kind == "columns":
        return _join_columns(node, alone, fusion)
    if alone.kind != "rows" or (node.op.name in REDUCTIONS and not is_trailing(node)):
        return None
    if node.size == 0 or alone.size == 0:
        return None
    alone.first = alone.last = len(fusion.place)
    alone.operations = operations
    read_from = [
        fusion.owner[n] for n in fusion.reads[node] if n in fusion.owner and n not in fusion.ends
    ]
    home: Cluster | None = None
    for cluster in dict.fromkeys([*reversed(read_from), *_siblings(node, fusion)]):
        if cluster is home:
            continue
        target = alone if home is None else home
        if _merge(cluster, target, [node] if home is None else home.anchors, fusion):
            home = cluster if home is None else _absorb(home, cluster, fusion)
            if node not in home.anchors:
                home.anchors.append(node)
    return home


def _same_attention(node: Node, alone: Cluster, fusion: Fusion) -> Cluster | None:
    """The cluster of the same attention (or gradient) that gives another of its results."""

    def subject(of: Node) -> tuple[object, ...]:
        settings = {k: v for k, v in of.settings.items() if k != "wrt"}
        if of.op.name == "attention_gradient":
            return (True, of.inputs, tuple(settings.items()))
        # Dropout changes the result and not the sums of the weights.
        settings.pop("dropout", None)
        inputs = of.inputs if of.op.name != "attention" else (*of.inputs[:2], *of.inputs[3:])
        kept = tuple(x for x in inputs if x.dtype.kind in ("float", "bool"))
        return (False, kept, tuple(settings.items()))

    alone.first = alone.last = len(fusion.place)
    for cluster in fusion.clusters:
        results = {(a.op.name, a.settings.get("wrt")) for a in cluster.anchors}
        if (node.op.name, node.settings.get("wrt")) in results:
            continue  # the same queries and keys, but other values
        if cluster.kind == "attention" and subject(cluster.anchors[0]) == subject(node):
            own = [r for a in cluster.anchors for r in fusion.reads[a]]
            if not (
                _reaches(cluster, alone, fusion.reads[node], fusion)
                or _reaches(alone, cluster, own, fusion)
            ):
                cluster.anchors.append(node)
                return cluster
    return None


def _join_columns(node: Node, alone: Cluster, fusion: Fusion) -> Cluster | None:
    """A cluster that sums the same rows of something else which reads the same stored value."""
    source = node.inputs[0].shape
    for read in fusion.reads[node]:
        if read.size < math.prod(source):
            continue
        for cluster in fusion.readers.get(read, ()):
            first = cluster.anchors[0]
            if cluster.kind != "columns" or len(cluster.anchors) >= fusion.machine.most_column_sums:
                continue
            if (first.inputs[0].shape, first.params) != (source, node.params):
                continue
            owners = [fusion.owner.get(r) for r in fusion.reads[node]]
            if cluster not in owners and not _reaches(cluster, alone, fusion.reads[node], fusion):
                cluster.anchors.append(node)
                return cluster
    return None


def _siblings(node: Node, fusion: Fusion) -> list[Cluster]:
    """Clusters that reduce or change the same stored value in the same rows."""
    if node.op.name not in REDUCTIONS:
        return []
    found: list[Cluster] = []
    for read in fusion.reads[node]:
        if read.size == math.prod(node.inputs[0].shape):
            found.extend(fusion.readers.get(read, ()))
    return [c for c in dict.fromkeys(reversed(found)) if not c.flexible][:4]


def _merge(cluster: Cluster, other: Cluster, added: list[Node], fusion: Fusion) -> bool:
    """Whether ``cluster`` and the ``added`` anchors (of ``other``) fit in one kernel.

    If so the cluster's domain becomes one that holds both.
    """
    if cluster.kind != "rows" or other.kind != "rows":
        return False
    if cluster.operations + other.operations > LARGEST_CLUSTER:
        return False
    domain = common_domain(cluster, other)
    if domain is None or not _meets_by_rows(added, cluster, domain, fusion):
        return False
    reads = [r for a in added for r in fusion.reads[a]]
    own = [r for a in cluster.anchors for r in fusion.reads[a]]
    if _reaches(cluster, other, reads, fusion) or _reaches(other, cluster, own, fusion):
        return False
    cluster.rows, cluster.inner, cluster.flexible = domain
    cluster.operations += other.operations
    return True


def _absorb(home: Cluster, cluster: Cluster, fusion: Fusion) -> Cluster:
    """``cluster``, already given a fitting domain, becomes part of ``home``."""
    home.rows, home.inner, home.flexible = cluster.rows, cluster.inner, cluster.flexible
    home.anchors = sorted(
        {*home.anchors, *cluster.anchors}, key=lambda n: fusion.place.get(n, len(fusion.place))
    )
    home.first, home.last = min(home.first, cluster.first), max(home.last, cluster.last)
    for anchor in cluster.anchors:
        fusion.owner[anchor] = home
        for read in fusion.reads[anchor]:
            users = fusion.readers[read]
            fusion.readers[read] = list(dict.fromkeys(home if c is cluster else c for c in users))
    fusion.clusters.remove(cluster)
    return home


def common_domain(a: Cluster, b: Cluster) -> tuple[int, int, bool] | None:
    """Rows, inner extent and flexibility of a domain that holds both clusters."""
    if a.flexible and b.flexible:
        if a.size == b.size:
            return a.rows, a.inner, True
        small, large = sorted((a.size, b.size))
        return (small, large // small, False) if small > 1 and large % small == 0 else None
    if a.flexible or b.flexible:
        fixed, free = (b, a) if a.flexible else (a, b)
        return (fixed.rows, fixed.inner, False) if free.size in (fixed.size, fixed.rows) else None
    return (a.rows, a.inner, False) if (a.rows, a.inner) == (b.rows, b.inner) else None


def _meets_by_rows(
    added: list[Node], cluster: Cluster, domain: tuple[int, int, bool], fusion: Fusion
) -> bool:
    """Whether the anchors, old and added, read each other in their own row only."""
    rows, inner, flexible = domain
    members = {*cluster.anchors, *added}
    if not all(_fits(n, rows, inner) for n in members):
        return False
    checked = added if (cluster.rows, cluster.inner, cluster.flexible) == domain else members
    return all(_reads_own_row(n, members, rows, inner, flexible, fusion.anchors) for n in checked)


def _fits(node: Node, rows: int, inner: int) -> bool:
    """Whether an anchor is a row of elements or a number for each row."""
    if node.op.name in REDUCTIONS:
        width = math.prod(node.inputs[0].shape[a] for a in reduction_axes(node))
        return (node.size, width) == (rows, inner) and is_trailing(node)
    return node.size in (rows * inner, rows)


def anchor_index(node: Node, rows: int, inner: int) -> Index:
    """The index at which an anchor of the cluster stands for loop variables ``r`` and ``k``."""
    row, place = loop("r", rows), loop("k", inner)
    if node.size == rows * inner and node.op.name not in REDUCTIONS:
        return unravel(row * inner + place, node.shape)
    return unravel(row, node.shape)


def _reads_own_row(
    node: Node, members: set[Node], rows: int, inner: int, flexible: bool, anchors: set[Node]
) -> bool:
    """Whether every read of a member by ``node`` stays in the row (in the element, if flexible)."""
    row, place = loop("r", rows), loop("k", inner)
    if node.op.name in REDUCTIONS:
        start = [(node.inputs[0], reduction_index(node, row, place))]
    else:
        index = anchor_index(node, rows, inner)
        start = list(zip(node.inputs, read_indices(node, index), strict=True))
    for operand, index in cone(start, anchors, read_indices):
        if operand in members and not _same_row(operand, index, rows, inner, flexible):
            return False
    return True


def reads_only_own_element(cluster: Cluster, value: Node, fusion: Fusion) -> bool:
    """Whether each anchor reads ``value`` at its own element only: then it may be overwritten."""
    for anchor in cluster.anchors:
        if value not in fusion.reads[anchor]:
            continue
        if not cluster.flexible:
            return False
        index = anchor_index(anchor, cluster.rows, cluster.inner)
        start = zip(anchor.inputs, operand_indices(anchor, index), strict=True)
        for node, where in cone(start, fusion.anchors):
            if node is value and linear(where, node.shape) != linear(index, anchor.shape):
                return False
    return True


def cone(
    start: Iterable[tuple[Node, Index]],
    anchors: set[Node],
    places: Callable[[Node, Index], list[Index]] = operand_indices,
) -> list[tuple[Node, Index]]:
    """Every stored value read, with the index it is read at, starting from these reads."""
    reads: list[tuple[Node, Index]] = []
    stack = list(start)
    seen: set[tuple[Node, Index]] = set()
    while stack:
        node, index = stack.pop()
        if (node, index) in seen:
            continue
        seen.add((node, index))
        if node in anchors or node.op is INPUT or node.op is CONSTANT or not node.inputs:
            reads.append((node, index))
        else:
            stack.extend(zip(node.inputs, places(node, index), strict=True))
    return reads


def _same_row(node: Node, index: Index, rows: int, inner: int, flexible: bool) -> bool:
    offset = linear(index, node.shape)
    row = loop("r", rows)
    whole = node.size == rows * inner and node.op.name not in REDUCTIONS and inner > 1
    if not whole:
        return offset == row
    if flexible:
        return offset == row * inner + loop("k", inner)
    rest = offset + row * -inner
    low, high = rest.bounds()
    return (
        not any(a.depends_on("r") for a, _ in rest.terms if a.kind != "data")
        and 0 <= low
        and high < inner
    )


def _reaches(cluster: Cluster, other: Cluster, reads: list[Node], fusion: Fusion) -> bool:
    """Whether something that ``other`` reads (and is neither of the two) waits for ``cluster``."""
    both = (cluster, other)
    stack = [c for c in (fusion.owner.get(r) for r in reads) if c is not None and c not in both]
    seen: set[int] = set()
    while stack:
        current = stack.pop()
        if current is cluster:
            return True
        if id(current) in seen or current.last < cluster.first:
            continue
        seen.add(id(current))
        for anchor in current.anchors:
            for read in fusion.reads[anchor]:
                home = fusion.owner.get(read)
                if home is not None and home is not current:
                    stack.append(home)
    return False


def _order(fusion: Fusion) -> None:
    """Sort clusters so that each comes after those it reads."""
    order: list[Cluster] = []
    done: set[int] = set()
    for first in fusion.clusters:
        stack: list[tuple[Cluster, bool]] = [(first, False)]
        while stack:
            cluster, ready = stack.pop()
            if ready:
                cluster.position = len(order)
                order.append(cluster)
                continue
            if id(cluster) in done:
                continue
            done.add(id(cluster))
            stack.append((cluster, True))
            for anchor in cluster.anchors:
                for read in fusion.reads[anchor]:
                    home = fusion.owner.get(read)
                    if home is not None and home is not cluster and id(home) not in done:
                        stack.append((home, False))
    fusion.clusters = order
