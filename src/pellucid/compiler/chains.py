"""Passes over the same images, one after the other: each image goes through all of them at once.

Between two products a network passes over its values several times: framing, a depthwise
convolution, sums for a normalization.  Each pass reads what the one before has written, which has
left the caches by then.  Where a pass reads, of what the others of its *chain* write, only its own
image, the chain is one task for each block of images, and finds it in its core's cache.

before: frame all images, convolve all images, sum all images; after: for each image these three.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pellucid.base.shapes import size_of
from pellucid.compiler.blocks import reads_own_block
from pellucid.compiler.clusters import Cluster, Fusion, reduction_axes
from pellucid.compiler.machine import Machine
from pellucid.graph.node import Node


@dataclass(eq=False)
class Chain:
    """Clusters that run as one task for each of ``blocks`` equal parts of their first axis."""

    blocks: int
    clusters: list[Cluster] = field(default_factory=list)
    local: tuple[Node, ...] = ()
    """Large values that nothing else reads: a block of them is used up within its chain."""


def find_chains(fusion: Fusion) -> list[Chain]:
    """Chains of the clusters of ``fusion``, which stand in an order in which they can run."""
    finder = _Finder(fusion)
    for cluster in fusion.clusters:
        finder.place(cluster)
    chains = [chain for chain in finder.chains if len(chain.clusters) > 1]
    for chain in chains:
        chain.local = _read_inside(chain, fusion)
    return chains


def _read_inside(chain: Chain, fusion: Fusion) -> tuple[Node, ...]:
    """Large values of a chain that only its own clusters read."""
    made = {
        a for cluster in chain.clusters for a in cluster.anchors if a.size >= fusion.machine.chained
    }
    found = {a for a in made if a not in fusion.placed}.difference(fusion.graph.outputs)
    for anchor, reads in fusion.reads.items():
        if fusion.owner[anchor] not in chain.clusters:
            found.difference_update(reads)
    return tuple(a for cluster in chain.clusters for a in cluster.anchors if a in found)


class _Finder:
    """Gives each cluster to the chain of what it reads, where that is possible."""

    def __init__(self, fusion: Fusion) -> None:
        self.fusion = fusion
        self.chains: list[Chain] = []
        self.chain_of: dict[int, Chain] = {}
        self.kept = {fusion.graph.outputs[position] for position in fusion.graph.aliases}

    def place(self, cluster: Cluster) -> None:
        """Find the chain of a cluster; all those before it have theirs."""
        if not self._may_join(cluster):
            return
        for chain in self._chains_read(cluster):
            if self._fits(cluster, chain) and not self._waits(cluster, chain):
                chain.clusters.append(cluster)
                self.chain_of[id(cluster)] = chain
                return
        blocks = _blocks(cluster, self.fusion.machine)
        if blocks:
            chain = Chain(blocks, [cluster])
            self.chains.append(chain)
            self.chain_of[id(cluster)] = chain

    def _may_join(self, cluster: Cluster) -> bool:
        """Whether a cluster is a pass over something large that changes no state in place."""
        if cluster.kind not in ("rows", "columns") or not self.kept.isdisjoint(cluster.anchors):
            return False
        return cluster.size >= self.fusion.machine.chained

    def _chains_read(self, cluster: Cluster) -> list[Chain]:
        """Chains that make something large that the cluster reads, the latest first."""
        found: dict[int, Chain] = {}
        for anchor in cluster.anchors:
            for read in self.fusion.reads[anchor]:
                owner = self.fusion.owner.get(read)
                chain = None if owner is None else self.chain_of.get(id(owner))
                if chain is not None and read.size >= self.fusion.machine.chained:
                    found[id(chain)] = chain
        return sorted(found.values(), key=lambda c: -c.clusters[-1].position)

    def _fits(self, cluster: Cluster, chain: Chain) -> bool:
        """Whether a block of the cluster reads, of what the chain makes, its own block only."""
        blocks = chain.blocks
        if cluster.kind == "columns":
            first = cluster.anchors[0]
            tail = size_of(first.inputs[0].shape[max(reduction_axes(first)) + 1 :])
            if (first.size // tail) % blocks:
                return False
        elif not cluster.flexible and cluster.rows % blocks:
            return False
        made = {a for member in chain.clusters for a in member.anchors} | set(cluster.anchors)
        if any(a.size % blocks for a in made):
            return False
        return all(reads_own_block(a, blocks, made, self.fusion) for a in cluster.anchors)

    def _waits(self, cluster: Cluster, chain: Chain) -> bool:
        """Whether something else that the cluster reads needs the whole chain to be done."""
        seen: set[int] = {id(chain)}
        stack = self._sources([cluster], chain)
        while stack:
            current = stack.pop()
            own = self.chain_of.get(id(current))
            if own is chain:
                return True
            unit: Chain | Cluster = current if own is None else own
            if id(unit) in seen:
                continue
            seen.add(id(unit))
            stack += self._sources([current] if own is None else own.clusters, None)
        return False

    def _sources(self, clusters: list[Cluster], less: Chain | None) -> list[Cluster]:
        """Clusters that these read from, but for those of one chain and themselves."""
        found: dict[int, Cluster] = {}
        for cluster in clusters:
            for anchor in cluster.anchors:
                for read in self.fusion.reads[anchor]:
                    owner = self.fusion.owner.get(read)
                    if owner is not None and owner not in clusters:
                        found[id(owner)] = owner
        if less is None:
            return list(found.values())
        return [c for c in found.values() if self.chain_of.get(id(c)) is not less]


def _blocks(cluster: Cluster, machine: Machine) -> int:
    """Into how many blocks a chain that begins with this cluster is cut: one for each image."""
    shape = cluster.anchors[0].shape
    if cluster.kind != "rows" or len(shape) < 3:
        return 0
    if not machine.fewest_blocks <= shape[0] <= machine.most_blocks:
        return 0
    if any(a.size % shape[0] for a in cluster.anchors):
        return 0
    return shape[0] if cluster.flexible or cluster.rows % shape[0] == 0 else 0
