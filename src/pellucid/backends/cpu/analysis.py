"""From a graph to its plan: the pipeline of rewriting, fusion, schedule and kernels.

:data:`PIPELINE` lists its stages in their order; an :class:`Analysis` is what they leave behind.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence

from pellucid.backends.cpu.loops import needs_memory
from pellucid.backends.cpu.machine import costs_of, machine_of
from pellucid.backends.cpu.plan import AnyPlan, Plan
from pellucid.backends.cpu.repeat import (
    ChainUse,
    LoopUse,
    copy_cluster,
    loop_use,
    plan_loop,
    region_plan,
)
from pellucid.backends.cpu.slots import Slots, Table
from pellucid.backends.cpu.strands import blocks_of
from pellucid.backends.cpu.target import Target
from pellucid.backends.cpu.writing import KernelUse, emit_cluster, text_of
from pellucid.compiler import index
from pellucid.compiler.chains import Chain, find_chains
from pellucid.compiler.clusters import Cluster, Fusion, fuse
from pellucid.compiler.passes import prepare
from pellucid.compiler.repeat import body_graph
from pellucid.compiler.schedule import Schedule, schedule, stored_values
from pellucid.graph.node import Graph, Node, Spec, unshared
from pellucid.ops.elementwise import COPY
from pellucid.ops.registry import apply
from pellucid.ops.scan_body import Body


class Analysis:
    """Everything between a graph and its plan: rewritten graph, clusters, schedule, kernels."""

    graph: Graph
    """The graph after all rewrites."""
    fusion: Fusion
    """Which operations are computed together."""
    stored: set[Node]
    """Values that live in memory."""
    loops: dict[int, LoopUse]
    """Loops over time, by the id of their clusters."""
    chains: Sequence[Chain]
    """Passes over the same images that run as one task for each."""
    schedule: Schedule
    """When each cluster runs and where values live."""

    def __init__(
        self,
        graph: Graph,
        target: Target,
        varying: int | None = None,
        written: Callable[[str, str], None] = lambda name, text: None,
    ) -> None:
        """``varying`` is, of a loop's body, the number of inputs that differ from step to step;
        ``written`` is called with the name and text of each kernel, as soon as it is written."""
        self.source, self.target = graph, target
        self.varying, self.written = varying, written
        self.blocks = 0
        """Of a loop's body: into how many blocks of rows it is cut, if threads need not meet."""
        self.parts: list[list[KernelUse | ChainUse] | LoopUse] = []
        """Kernels that run side by side, and loops, in their order."""
        self.packing: list[KernelUse] = []
        """What runs once, before a loop that is cut into blocks."""
        for stage in PIPELINE:
            stage(self)
        index.forget()

    def kernels_of_step(self, step: Sequence[Cluster]) -> list[list[KernelUse | ChainUse]]:
        """Regions for the clusters of a step that are not loops: their first kernels and chains
        side by side, then their second kernels, …"""
        chain_of = {id(c): chain for chain in self.chains for c in chain.clusters}
        uses: list[list[KernelUse]] = []
        chained: dict[int, list[KernelUse]] = {}
        for cluster in step:
            if cluster.kind in ("loop", "host"):
                continue
            chain = chain_of.get(id(cluster))
            blocks = self.blocks if chain is None else chain.blocks
            found = emit_cluster(cluster, self.fusion, self.stored, self.target, blocks)
            for use in found:
                self.written(use.name, text_of(use))
            if chain is None:
                uses.append(found)
            else:
                chained.setdefault(id(chain), []).extend(found)
        if self.blocks:
            self.packing += [u for found in uses for u in found[:-1]]
            uses = [found[-1:] for found in uses]
        regions: list[list[KernelUse | ChainUse]] = [
            [u[turn] for u in uses if turn < len(u)]
            for turn in range(max((len(u) for u in uses), default=0))
        ]
        here = [c for c in self.chains if id(c) in chained]
        if here:
            chains = [ChainUse.of(c, chained[id(c)], self.stored) for c in here]
            regions[:1] = [[*chains, *(regions[0] if regions else [])]]
        return regions

    def turns(self) -> list[tuple[list[KernelUse], int]]:
        """The kernels of each region, those of loops among them, and how often it runs."""
        found: list[tuple[list[KernelUse], int]] = []
        for part in self.parts:
            if isinstance(part, LoopUse):
                found.extend(part.turns())
                continue
            flat = [u.uses if isinstance(u, ChainUse) else (u,) for u in part]
            found.append((list(itertools.chain.from_iterable(flat)), 1))
        return found

    @property
    def region_uses(self) -> list[list[KernelUse]]:
        """The kernels of each region, those of loops among them."""
        return [uses for uses, _ in self.turns()]

    def inner_anchors(self) -> set[Node]:
        """Anchors of the bodies of all loops."""
        found: set[Node] = set()
        for part in self.parts:
            if isinstance(part, LoopUse):
                found |= part.inner.fusion.anchors | part.inner.inner_anchors()
        return found

    def texts(self) -> dict[str, str]:
        """Kernel name → module text."""
        flat = [use for uses in self.region_uses for use in uses]
        return {use.name: text_of(use) for use in flat if use.kernel.text}

    @property
    def calls(self) -> list[Node]:
        """An operation of each call of the host, those of loops among them, in their order."""
        flat = [use for uses in self.region_uses for use in uses]
        return [use.cluster.anchors[0] for use in flat if use.cluster.kind == "host"]

    def region_plans(self, slots: Slots) -> list[AnyPlan]:
        """The regions as data, for a program whose table ``slots`` number."""
        regions: list[AnyPlan] = []
        for uses in self.parts:
            if isinstance(uses, LoopUse):
                regions += plan_loop(uses, slots)
                continue
            regions.append(region_plan(uses, slots))
        return regions

    def indexing(self) -> set[str]:
        """Operations that read or write where data say."""
        found = {n.op.name for n in self.graph.nodes() if n.op.family == "indexing"}
        return found.union(*(p.inner.indexing() for p in self.parts if isinstance(p, LoopUse)))

    def plan(self, keys: dict[str, bytes]) -> Plan:
        """The program as data; ``keys`` are those of its kernels in the code cache."""
        inputs, outputs = len(self.graph.inputs), len(self.graph.outputs)
        table = Table(inputs + outputs)
        costs = costs_of(self.target).loops
        slots = Slots(table, self.schedule, costs, range(inputs), range(inputs, inputs + outputs))
        regions = tuple(self.region_plans(slots))
        return Plan(
            inputs,
            outputs,
            self.schedule.arena_bytes,
            tuple(table.entries),
            tuple(table.constants),
            regions,
            keys,
            tuple(sorted(self.indexing())),
        )


@functools.lru_cache(maxsize=64)
def _analysis_of_body(target: Target, body: Body, histories: frozenset[int]) -> Analysis:
    """How the body of a loop runs; loops with equal bodies share it."""
    return Analysis(body_graph(body, histories), target, body.carries + body.columns)


@functools.lru_cache(maxsize=256)
def _copy_kernel(target: Target, spec: Spec) -> KernelUse:
    """The kernel that copies a value."""
    cluster, fusion, copied = copy_cluster(spec)
    return emit_cluster(cluster, fusion, {copied}, target)[0]


def _with_copies(graph: Graph) -> Graph:
    """Outputs that no kernel would write (inputs, constants, repetitions) become copies."""
    outputs, seen = [], set()
    for position, node in enumerate(graph.outputs):
        source = graph.aliases.get(position)
        stays = source is not None and node is graph.inputs[source]
        if not stays and (node in seen or not node.inputs):
            node = unshared(apply(COPY, node))
        seen.add(node)
        outputs.append(node)
    return Graph(graph.inputs, tuple(outputs), graph.aliases)


# ---- the stages ------------------------------------------------------------------------------


def rewriting(made: Analysis) -> None:
    """The passes of :mod:`pellucid.compiler.passes`; outputs that nobody computes are copies."""
    made.graph = _with_copies(prepare(made.source, machine_of(made.target)))


def fusing(made: Analysis) -> None:
    """Operations that are computed together become clusters."""
    made.fusion = fuse(made.graph, machine_of(made.target))


def cutting(made: Analysis) -> None:
    """The body of a loop whose rows do not need each other is cut into blocks of rows."""
    if made.varying is not None:
        made.blocks = blocks_of(made.fusion, made.varying, made.target)


def storing(made: Analysis) -> None:
    """Values that live in memory: what clusters read of each other, and rows too long for a
    kernel's own stack."""
    costs = costs_of(made.target).loops
    extra: set[Node] = set()
    for cluster in made.fusion.clusters:
        extra |= needs_memory(cluster, made.fusion, costs)
    made.stored = stored_values(made.fusion, extra)


def looping(made: Analysis) -> None:
    """The bodies of loops over time go through a pipeline of their own."""
    analyse = functools.partial(_analysis_of_body, made.target)
    copy_kernel = functools.partial(_copy_kernel, made.target)
    made.loops = {
        id(c): loop_use(c, analyse, copy_kernel) for c in made.fusion.clusters if c.kind == "loop"
    }


def chaining(made: Analysis) -> None:
    """Passes over the same images become one task for each image."""
    made.chains = find_chains(made.fusion) if made.varying is None else []


def scheduling(made: Analysis) -> None:
    """Steps of clusters that may run side by side, and places for values."""
    workspaces = {key: loop.workspace for key, loop in made.loops.items()}
    made.schedule = schedule(made.fusion, made.stored, workspaces, bool(made.blocks), made.chains)


def writing(made: Analysis) -> None:
    """The kernels of each step; calls of the host by themselves."""
    for step in made.schedule.steps:
        made.parts += made.kernels_of_step(step)
        hosts = [c for c in step if c.kind == "host"]
        made.parts += [
            [*emit_cluster(c, made.fusion, made.stored, made.target)]
            for c in hosts
            if any(a.size for a in c.anchors)
        ]
        made.parts += [made.loops[id(c)] for c in step if c.kind == "loop"]


PIPELINE: tuple[Callable[[Analysis], None], ...] = (
    rewriting,
    fusing,
    cutting,
    storing,
    looping,
    chaining,
    scheduling,
    writing,
)
"""From a graph to all that its plan is made of; :meth:`Analysis.plan` then says it as data."""
