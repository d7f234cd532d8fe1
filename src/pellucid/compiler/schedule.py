"""When each cluster runs, and where each value lives.

Clusters that do not wait for each other form one *step*: their chunks are shared out together.
A new value of a parameter is written over the old one in the step after its last reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pellucid.base.errors import CompilationError
from pellucid.compiler.chains import Chain
from pellucid.compiler.clusters import Cluster, Fusion, reads_only_own_element, stored_reads
from pellucid.compiler.memory import Lifetime, plan_memory
from pellucid.graph.node import CONSTANT, INPUT, Node, unshared
from pellucid.ops.elementwise import COPY
from pellucid.ops.registry import apply


@dataclass(frozen=True)
class Place:
    """Where a stored value lives: ``kind`` is ``input``, ``output`` or ``arena``.

    ``number`` is the position of the input or output, or the offset in the arena.
    """

    kind: str
    number: int


@dataclass
class Schedule:
    """Steps of clusters, places of stored values, and copies that outputs need at the end."""

    steps: list[list[Cluster]]
    places: dict[Node, Place]
    copies: list[tuple[Node, Place]] = field(default_factory=list)
    """Values that the last step copies to where an output must stand."""
    arena_bytes: int = 0
    lifetimes: dict[Node, tuple[int, int]] = field(default_factory=dict)
    workspaces: dict[int, int] = field(default_factory=dict)
    """Loop, by the id of its cluster → offset in the arena of what its body needs."""


def stored_values(fusion: Fusion, extra: set[Node]) -> set[Node]:
    """Anchors that need memory: outputs, what other clusters read, and ``extra``."""
    stored = {n for n in fusion.graph.outputs if n in fusion.owner} | extra
    for anchor, reads in fusion.reads.items():
        home = fusion.owner[anchor]
        for read in reads:
            if read in fusion.owner and fusion.owner[read] is not home:
                stored.add(read)
    for cluster in fusion.clusters:
        if cluster.kind in ("columns", "loop", "host"):
            stored.update(cluster.anchors)
        elif cluster.kind != "rows":
            stored.add(cluster.anchors[0])
    return stored


def schedule(
    fusion: Fusion,
    stored: set[Node],
    workspaces: Mapping[int, int] | None = None,
    apart: bool = False,
    chains: Sequence[Chain] = (),
) -> Schedule:
    """Steps and places for the clusters of ``fusion``.

    ``workspaces`` says how many bytes a loop, by the id of its cluster, needs while it runs.  With
    ``apart`` no two intermediate values share memory, so that some rows may be at another step
    than others.  The clusters of each of the ``chains`` are in one step.
    """
    overwrites = _candidates(fusion)
    level, refused = _levels(fusion, overwrites, chains)
    _postpone(
        fusion, stored, {n: o for n, o in overwrites.items() if n not in refused}, level, chains
    )
    targets, copies = _targets(fusion, {n for n in overwrites if n not in refused})
    steps: list[list[Cluster]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for cluster in fusion.clusters:
        steps[level[id(cluster)]].append(cluster)
    places = {node: Place("input", i) for i, node in enumerate(fusion.graph.inputs)}
    places.update(targets)
    result = Schedule(steps, places, copies)
    _place_intermediates(fusion, stored, level, result, workspaces or {}, apart)
    _append_copies(fusion, stored, result)
    return result


def _append_copies(fusion: Fusion, stored: set[Node], result: Schedule) -> None:
    """A last step that copies values to outputs which could not be written directly."""
    last: list[Cluster] = []
    for node, place in result.copies:
        copied = unshared(apply(COPY, node))
        cluster = Cluster("rows", [copied], copied.size, 1, flexible=True)
        fusion.anchors.add(copied)
        fusion.owner[copied] = cluster
        fusion.reads[copied] = stored_reads(copied, fusion.anchors - {copied})
        stored.add(copied)
        result.places[copied] = place
        last.append(cluster)
    if last:
        fusion.clusters.extend(last)
        result.steps.append(last)


def _readers(fusion: Fusion) -> dict[Node, list[Cluster]]:
    """Stored value → clusters that read it."""
    readers: dict[Node, dict[int, Cluster]] = {}
    for anchor, reads in fusion.reads.items():
        home = fusion.owner[anchor]
        for read in reads:
            readers.setdefault(read, {})[id(home)] = home
    return {node: list(found.values()) for node, found in readers.items()}


def _candidates(fusion: Fusion) -> dict[Node, Node]:
    """Outputs that could be written over the input they replace → that input.

    The cluster that writes must read the old value element by element, or not at all.
    """
    graph, readers = fusion.graph, _readers(fusion)
    result: dict[Node, Node] = {}
    kept = set(graph.outputs)
    for position, source in graph.aliases.items():
        node, old = graph.outputs[position], graph.inputs[source]
        if (
            node not in fusion.owner
            or node in result
            or old in kept
            or graph.outputs.count(node) > 1
        ):
            continue
        home = fusion.owner[node]
        reads = home in readers.get(old, ()) and not _changes_in_place(node, old)
        if reads and not reads_only_own_element(home, old, fusion):
            continue
        result[node] = old
    return result


def _changes_in_place(node: Node, old: Node) -> bool:
    """Whether a node writes some elements of ``old`` and leaves all others as they are."""
    written = node.op.name in ("put", "scatter") and node.inputs[0] is old
    return written and old not in node.inputs[1:]


def _targets(
    fusion: Fusion, in_place: set[Node]
) -> tuple[dict[Node, Place], list[tuple[Node, Place]]]:
    """Where outputs are written directly, and what must be copied at the end."""
    graph = fusion.graph
    targets: dict[Node, Place] = {}
    copies: list[tuple[Node, Place]] = []
    for position, node in enumerate(graph.outputs):
        source = graph.aliases.get(position)
        place = Place("output", position) if source is None else Place("input", source)
        direct = (
            node in fusion.owner and node not in targets and (source is None or node in in_place)
        )
        if direct:
            targets[node] = place
        elif source is None or node is not graph.inputs[source]:
            copies.append((node, place))
    return targets, copies


def _levels(
    fusion: Fusion, overwrites: dict[Node, Node], chains: Sequence[Chain]
) -> tuple[dict[int, int], set[Node]]:
    """Step of each cluster, and the overwrites that had to be given up.

    A cluster waits for what it reads, and for the other readers of what it overwrites; a chain,
    which its first cluster stands for, for all that its clusters wait for.  Calls of the host may
    fail, so that all of them come before anything is overwritten: a step that fails has changed
    nothing.  Where that would go in a circle, an overwrite is given up: its value is copied at the
    end.
    """
    readers = _readers(fusion)
    head = {id(c): chain.clusters[0] for chain in chains for c in chain.clusters}
    waiting: dict[int, dict[int, Cluster]] = {}
    for cluster in fusion.clusters:
        first = head.get(id(cluster), cluster)
        needed = _needed(cluster, fusion, overwrites, readers, set(), head)
        waiting[id(first)] = waiting.get(id(first), {}) | needed
    units = [c for c in fusion.clusters if id(c) in waiting]
    followers: dict[int, list[Cluster]] = {id(c): [] for c in units}
    for cluster in units:
        for other in waiting[id(cluster)].values():
            followers[id(other)].append(cluster)
    level: dict[int, int] = {}
    refused: set[Node] = set()
    ready = [c for c in units if not waiting[id(c)]]
    earliest = {id(c): 0 for c in units}
    while len(level) < len(units):
        if not ready:
            _give_up_one(fusion, overwrites, readers, refused, waiting, level, ready, head)
            continue
        cluster = ready.pop()
        if id(cluster) in level:
            continue
        level[id(cluster)] = earliest[id(cluster)]
        for follower in followers[id(cluster)]:
            if waiting[id(follower)].pop(id(cluster), None) is not None:
                done = level[id(cluster)] + (cluster.kind != "assembly")
                earliest[id(follower)] = max(earliest[id(follower)], done)
                if not waiting[id(follower)]:
                    ready.append(follower)
    level.update({key: level[id(first)] for key, first in head.items()})
    return level, refused


def _postpone(
    fusion: Fusion,
    stored: set[Node],
    overwrites: dict[Node, Node],
    level: dict[int, int],
    chains: Sequence[Chain],
) -> None:
    """Move clusters that make much out of little to right before what reads them.

    The weights of a network could all be transformed in the first step, long before the layers
    that need them; nothing waits for that, but it would take up memory.
    """
    readers = _readers(fusion)
    chained = {id(c) for chain in chains for c in chain.clusters}
    following: dict[int, list[Cluster]] = {}
    for cluster in fusion.clusters:
        for other in _needed(cluster, fusion, overwrites, readers, set(), {}).values():
            following.setdefault(id(other), []).append(cluster)
    outputs = set(fusion.graph.outputs)
    for cluster in sorted(fusion.clusters, key=lambda c: -level[id(c)]):
        after = following.get(id(cluster), ())
        if cluster.kind == "assembly" or id(cluster) in chained or not after:
            continue
        if not outputs.isdisjoint(cluster.anchors):
            continue
        latest = min(level[id(c)] for c in after) - 1
        made = _bytes(a for a in cluster.anchors if a in stored)
        if latest > level[id(cluster)] and made >= fusion.machine.postponed_bytes:
            reads = {r for a in cluster.anchors for r in fusion.reads[a] if r in fusion.owner}
            held = (r for r in reads if _last_read(r, readers, level) < latest)
            if made > _bytes(held):
                level[id(cluster)] = latest


def _bytes(nodes: Iterable[Node]) -> int:
    return sum(node.size * node.dtype.itemsize for node in nodes)


def _last_read(node: Node, readers: dict[Node, list[Cluster]], level: dict[int, int]) -> int:
    return max(level[id(c)] for c in readers[node])


def _needed(
    cluster: Cluster,
    fusion: Fusion,
    overwrites: dict[Node, Node],
    readers: dict[Node, list[Cluster]],
    refused: set[Node],
    head: Mapping[int, Cluster],
) -> dict[int, Cluster]:
    """Clusters that must run before this one; ``head`` are those that stand for chains."""
    needed: list[Cluster] = []
    for anchor in cluster.anchors:
        needed += [fusion.owner[r] for r in fusion.reads[anchor] if r in fusion.owner]
        if anchor in overwrites and anchor not in refused:
            needed += readers.get(overwrites[anchor], ())
            needed += fusion.hosts
    found = {id(c): c for c in (head.get(id(c), c) for c in needed)}
    found.pop(id(head.get(id(cluster), cluster)), None)
    return found


def _give_up_one(
    fusion: Fusion,
    overwrites: dict[Node, Node],
    readers: dict[Node, list[Cluster]],
    refused: set[Node],
    waiting: dict[int, dict[int, Cluster]],
    level: dict[int, int],
    ready: list[Cluster],
    head: Mapping[int, Cluster],
) -> None:
    """Break a circle: refuse the overwrites of the first blocked cluster that has any."""
    for cluster in fusion.clusters:
        mine = [a for a in cluster.anchors if a in overwrites and a not in refused]
        if id(cluster) in level or not mine:
            continue
        refused.update(mine)
        needed = _needed(cluster, fusion, overwrites, readers, refused, head)
        waiting[id(cluster)] = {k: c for k, c in needed.items() if k not in level}
        if not waiting[id(cluster)]:
            ready.append(cluster)
        return
    raise CompilationError(
        "clusters wait for each other in a circle", "this is a defect of the fusion"
    )


def _place_intermediates(
    fusion: Fusion,
    stored: set[Node],
    level: dict[int, int],
    result: Schedule,
    workspaces: Mapping[int, int],
    apart: bool,
) -> None:
    """Places in the arena for stored values that no output holds, and for loops."""
    first = {n: level[id(fusion.owner[n])] for n in stored}
    last = dict(first)
    for anchor, reads in fusion.reads.items():
        for read in reads:
            if read in last:
                last[read] = max(last[read], level[id(fusion.owner[anchor])])
    end = len(result.steps)
    for node, _ in result.copies:
        for read in _stored_below(node, stored):
            last[read] = end
    for part, view in fusion.placed.items():
        first[view.base] = min(first[view.base], first[part])
        last[view.base] = max(last[view.base], last[part])
    shared = _overwritten(fusion, stored)
    inner = [
        n
        for n in fusion.anchors
        if n in stored and not (n in result.places or n in fusion.placed or n in shared)
    ]
    inner.sort(key=lambda n: (first[n], fusion.owner[n].position, fusion.owner[n].anchors.index(n)))
    lifetimes = [Lifetime(max(n.size, 1) * n.dtype.itemsize, first[n], last[n]) for n in inner]
    lifetimes += [Lifetime(size, level[c], level[c]) for c, size in workspaces.items()]
    if apart:
        lifetimes = [Lifetime(whole.size, 0, end) for whole in lifetimes]
    offsets, result.arena_bytes = plan_memory(lifetimes)
    result.workspaces = dict(zip(workspaces, offsets[len(inner) :], strict=True))
    for node, offset in zip(inner, offsets, strict=False):
        result.places[node] = Place("arena", offset)
    for part, view in fusion.placed.items():
        result.places[part] = result.places[view.base]
    for product, follower in shared.items():
        result.places[product] = result.places[follower]
    result.lifetimes = {n: (first[n], last[n]) for n in inner}


def _overwritten(fusion: Fusion, stored: set[Node]) -> dict[Node, Node]:
    """Products that only their epilogue reads → the value of the epilogue written over them.

    Element by element the epilogue reads the product before it writes, so that one array does for
    both and half of the traffic is saved.
    """
    found: dict[Node, Node] = {}
    kept = set(fusion.graph.outputs)
    for cluster in fusion.clusters:
        after = cluster.epilogue
        if after is None or after.full_rows:
            continue
        product = cluster.anchors[0]
        if product in kept or fusion.readers.get(product, []) != [cluster]:
            continue
        for anchor in after.anchors:
            same = anchor.size == product.size and anchor.dtype is product.dtype
            if same and anchor in stored and product in fusion.reads[anchor]:
                found[product] = anchor
                break
    return found


def _stored_below(node: Node, stored: set[Node]) -> list[Node]:
    """Stored values that computing ``node`` reads."""
    found, stack, seen = [], [node], {node}
    while stack:
        current = stack.pop()
        if current in stored:
            found.append(current)
            continue
        if current.op is INPUT or current.op is CONSTANT:
            continue
        for operand in current.inputs:
            if operand not in seen:
                seen.add(operand)
                stack.append(operand)
    return found
