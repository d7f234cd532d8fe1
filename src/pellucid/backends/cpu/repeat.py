"""Loops as native regions: a body's program, spliced in, whose table entries move on.

A step's kernels find their operands in table entries of their own.  When the loop begins, an
entry is set to the first row of a column or history (the last, in reverse); after each iteration it
moves on by one row.  Iterations of a loop without carries need nothing of each other: shares of
them are tasks, each with a workspace and a table of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pellucid.backends.cpu.machine import costs_of
from pellucid.backends.cpu.operands import Operand
from pellucid.backends.cpu.plan import (
    AnyPlan,
    ArrayPlan,
    HostPlan,
    LoopPlan,
    RegionPlan,
    StrandPlan,
    TaskPlan,
)
from pellucid.backends.cpu.slots import Slots
from pellucid.backends.cpu.target import Target
from pellucid.backends.cpu.writing import KernelUse
from pellucid.base.shapes import size_of
from pellucid.compiler.chains import Chain
from pellucid.compiler.clusters import Cluster, Fusion
from pellucid.compiler.repeat import (
    LoopLayout,
    bytes_of,
    layout_of,
    operand_view,
)
from pellucid.compiler.schedule import Schedule
from pellucid.compiler.views import View
from pellucid.graph.node import Graph, Node, Spec, placeholder, unshared
from pellucid.ops.elementwise import COPY
from pellucid.ops.registry import apply
from pellucid.ops.scan_body import Body, history_rows

Move = tuple[int, int, int, int]


@dataclass(frozen=True)
class ChainUse:
    """Kernels of a chain: block b of the first, of the second, …, for each of ``blocks``."""

    uses: tuple[KernelUse, ...]
    blocks: int
    local: tuple[Node, ...] = ()
    """Values that nothing else reads."""

    @staticmethod
    def of(chain: Chain, uses: Sequence[KernelUse], stored: set[Node]) -> ChainUse:
        """The kernels of a chain, its local values being those that live in memory."""
        return ChainUse(tuple(uses), chain.blocks, tuple(n for n in chain.local if n in stored))


def region_plan(uses: Sequence[KernelUse | ChainUse], slots: Slots) -> RegionPlan | HostPlan:
    """Kernels side by side, or a call of the host, as data."""
    first = uses[0] if len(uses) == 1 else None
    if isinstance(first, KernelUse) and first.cluster.kind == "host":
        return host_plan(first, slots)
    tasks = tuple(
        chain_plan(u, slots) if isinstance(u, ChainUse) else task_plan(u, slots) for u in uses
    )
    return RegionPlan(sum(t.cost for t in tasks) > slots.costs.serial_nanoseconds, tasks)


def chain_plan(chain: ChainUse, slots: Slots) -> StrandPlan:
    """A chain as data: a strand of one iteration."""
    tasks = tuple(task_plan(use, slots) for use in chain.uses)
    cluster = chain.uses[0].cluster
    local = tuple((slots.of(n, cluster), bytes_of(n.spec) // chain.blocks) for n in chain.local)
    cost = sum(t.cost for t in tasks)
    return StrandPlan(1, (), tasks, chain.blocks, cost, local=local)


def host_plan(use: KernelUse, slots: Slots) -> HostPlan:
    """A call of the host as data."""
    anchors, node = use.cluster.anchors, use.cluster.anchors[0]
    params = tuple(p for p in node.params if node.op.results is None or p[0] != "output")
    numbers = [0 if node.op.results is None else int(a.settings["output"]) for a in anchors]

    def array(n: Node) -> ArrayPlan:
        return ArrayPlan(slots.of(n, use.cluster), n.shape, n.dtype.name)

    results = tuple(zip(numbers, map(array, anchors), strict=True))
    return HostPlan(node.op.name, params, tuple(map(array, node.inputs)), results, use.kernel.cost)


def task_plan(use: KernelUse, slots: Slots) -> TaskPlan:
    """A kernel as data."""
    operands = tuple(slots.of(o, use.cluster) for o in use.kernel.operands)
    return TaskPlan(use.name, operands, use.kernel.chunks, use.kernel.cost)


class BodyAnalysis(Protocol):
    """What a loop needs to know of its body, which went through a pipeline of its own."""

    target: Target
    """The processor that it is compiled for."""
    blocks: int
    """Into how many blocks of rows it is cut, if threads need not meet."""
    packing: list[KernelUse]
    """What runs once, before the first iteration of a loop that is cut into blocks."""
    schedule: Schedule
    """When each of its clusters runs and where its values live."""
    fusion: Fusion
    """Which of its operations are computed together."""
    loops: dict[int, LoopUse]
    """Loops inside of it."""

    def turns(self) -> list[tuple[list[KernelUse], int]]:
        """The kernels of each region, and how often it runs."""

    def region_plans(self, slots: Slots) -> list[AnyPlan]:
        """The regions as data."""

    def inner_anchors(self) -> set[Node]:
        """Anchors of the bodies of loops inside of it."""

    def indexing(self) -> set[str]:
        """Operations that read or write where data say."""


@dataclass(frozen=True)
class LoopUse:
    """A loop of a program: its cluster, its layout, the analysis of its body, and the kernels
    that copy carries in (and, where a last carry is wanted beside its history, out)."""

    cluster: Cluster
    layout: LoopLayout
    inner: BodyAnalysis
    copies: dict[int, KernelUse]

    @property
    def length(self) -> int:
        """Number of steps."""
        found: int = self.layout.node.settings["length"]
        return found

    @functools.cached_property
    def shares(self) -> int:
        """Into how many tasks the iterations are cut where they do not need each other, else 0.

        Each has a workspace of its own, so that there are not too many.
        """
        uses = [u for found, _ in self.inner.turns() for u in found]
        plain = not self.inner.loops and not any(u.cluster.kind == "host" for u in uses)
        kinds = {o[0] for u in uses for o in u.kernel.operands if isinstance(o, tuple)}
        if self.layout.body.carries or self.inner.blocks or not plain or "scratch" in kinds:
            return 0
        costs = costs_of(self.inner.target).loops
        most = max(d for d in range(1, costs.most_shares + 1) if self.length % d == 0)
        return most if most >= costs.fewest_shares else 0

    @property
    def workspace(self) -> int:
        """Bytes that the loop needs while it runs."""
        return self.layout.workspace * max(1, self.shares)

    def turns(self) -> list[tuple[list[KernelUse], int]]:
        """The kernels of each region, and how often it runs."""
        inside = [(uses, self.length * count) for uses, count in self.inner.turns()]
        if self.inner.blocks:
            inside = [(self.inner.packing, 1), self.turns_of_strand()]
        elif self.shares:
            inside = [self.turns_of_strand()]
        after = [self.copies[k] for k in self.layout.copied_out if k in self.copies]
        before = list(self.copies.values())
        return [*([(before, 1)] if before else []), *inside, *([(after, 1)] if after else [])]

    def turns_of_strand(self) -> tuple[list[KernelUse], int]:
        """All kernels of an iteration, one after the other, and the number of iterations."""
        return [use for uses, _ in self.inner.turns() for use in uses], self.length


def copy_cluster(spec: Spec) -> tuple[Cluster, Fusion, Node]:
    """The copy of a value of so many elements, as a program of its own."""
    source = placeholder(Spec((size_of(spec.shape),), spec.dtype), 0)
    copied = unshared(apply(COPY, source))
    cluster = Cluster("rows", [copied], copied.size, 1, flexible=True)
    graph = Graph((source,), (copied,))
    fusion = Fusion(graph, [cluster], {copied}, {copied: cluster}, {copied: [source]})
    return cluster, fusion, copied


def loop_use(
    cluster: Cluster,
    analyse: Callable[[Body, frozenset[int]], BodyAnalysis],
    copy_kernel: Callable[[Spec], KernelUse],
) -> LoopUse:
    """What a loop's cluster becomes; ``analyse`` takes a body and the carries with a history."""
    node = cluster.anchors[0]
    body: Body = node.settings["body"]
    numbers = {a.settings["output"] for a in cluster.anchors}
    histories = frozenset(k for k in range(body.carries) if body.carries + k in numbers)
    inner = analyse(body, histories)
    layout = layout_of(cluster.anchors, inner.schedule.arena_bytes)
    carried = [(k, n.spec) for k, n in enumerate(body.inputs[: body.carries]) if n.size]
    return LoopUse(cluster, layout, inner, {k: copy_kernel(spec) for k, spec in carried})


class _LoopPlanner:
    """Table entries and regions of one loop."""

    def __init__(self, use: LoopUse, slots: Slots) -> None:
        self.use, self.outer, self.layout = use, slots, use.layout
        self.body = use.layout.body
        self.node = use.layout.node
        self.reverse: bool = self.node.settings["reverse"]
        self.moves: list[Move] = []
        self.workspace = slots.arena + slots.schedule.workspaces[id(use.cluster)]

    def regions(self) -> list[AnyPlan]:
        """Copies in, the loop, copies out."""
        body, n = self.body, self.body.carries
        before, after, _ = history_rows(self.reverse, self.use.length)
        inputs, outputs = [], []
        for k in range(n):
            inputs.append(self._carry(k, before))
            outputs.append(self._carry(k, after) if k in self.layout.histories else inputs[k])
        for i in range(n, len(body.inputs)):
            inputs.append(self._operand(i))
        for j in range(n, len(body.outputs)):
            anchor = self.layout.members.get(n + j)
            # An output that nobody wants is not there after tidying, unless that is switched off.
            outputs.append(self._scratch(j) if anchor is None else self._stacked(anchor, 0))
        slots = self.outer.inside(self.use.inner.schedule, inputs, outputs, self.workspace)
        found: list[AnyPlan] = [*self._copies_in()]
        if self.use.inner.blocks:
            regions = (self._packing(slots), self._strand(slots))
            found.append(LoopPlan(1, tuple(self.moves), regions))
        elif self.use.shares:
            found.append(LoopPlan(1, tuple(self.moves), (self._strand(slots),)))
        else:
            inner = self.use.inner.region_plans(slots)
            found.append(LoopPlan(self.use.length, tuple(self.moves), tuple(inner)))
        return found + self._copies_out()

    # ---- loops whose rows do not need each other -----------------------------------------------

    def _packing(self, slots: Slots) -> AnyPlan:
        """What runs once before the first iteration."""
        return region_plan(self.use.inner.packing, slots)

    def _strand(self, slots: Slots) -> RegionPlan:
        """The kernels of all iterations as tasks: all iterations for each block of rows or, where
        iterations need nothing of each other, some iterations."""
        uses, turns = self.use.turns_of_strand()
        tasks = tuple(task_plan(u, slots) for u in uses)
        steps = tuple((entry, step) for entry, _, _, step in self.moves if step)
        cost = turns * sum(t.cost for t in tasks)
        blocks = self.use.inner.blocks
        if blocks:
            strand = StrandPlan(turns, steps, tasks, blocks, cost)
        else:
            each = turns // self.use.shares
            own = self._in_workspace(tasks)
            shifts = (*((entry, step * each) for entry, step in steps), *own)
            strand = StrandPlan(each, steps, tasks, self.use.shares, cost, shifts, own)
        return RegionPlan(cost > slots.costs.serial_nanoseconds, (strand,))

    def _in_workspace(self, tasks: Sequence[TaskPlan]) -> tuple[tuple[int, int], ...]:
        """The table entries of tasks that point into the workspace of a share, and its bytes."""
        size = self.layout.workspace
        inside = range(self.workspace, self.workspace + size)
        entries = sorted({entry for task in tasks for entry in task.slots})
        return tuple((e, size) for e in entries if self.outer.table.arena_offset(e) in inside)

    # ---- table entries -------------------------------------------------------------------------

    def _moving(self, moves: list[Move], base: int, offset: int, step: int) -> int:
        """A table entry that starts somewhere in the buffer of another one."""
        entry = self.outer.table.fresh(("moving", 0))
        moves.append((entry, base, offset, step))
        return entry

    def _rows(self, base: int, offset: int, row_bytes: int, first: int) -> int:
        """An entry that visits rows from the first (in reverse: the last) step's on."""
        turns = self.use.length
        start = first + (turns - 1 if self.reverse else 0)
        step = -row_bytes if self.reverse else row_bytes
        return self._moving(self.moves, base, offset + start * row_bytes, step)

    def _stacked(self, anchor: Node, first: int) -> int:
        row_bytes = bytes_of(Spec(anchor.shape[1:], anchor.dtype))
        return self._rows(self.outer.of(anchor, self.use.cluster), 0, row_bytes, first)

    def _carry(self, k: int, first: int) -> int:
        """The entry of a carry: a row of its history, its last value, or a place of its own."""
        members, n = self.layout.members, self.body.carries
        if n + k in members:
            return self._stacked(members[n + k], first)
        if k in members:
            return self.outer.of(members[k], self.use.cluster)
        return self.outer.table.arena(self.workspace + self.layout.states[k])

    def _operand(self, position: int) -> int:
        view = operand_view(self.node, position)
        base, itemsize = self._base(view), view.base.dtype.itemsize
        if position < self.body.carries + self.body.columns:
            return self._rows(base, view.offset * itemsize, view.strides[0] * itemsize, 0)
        if not view.offset:
            return base
        return self._moving(self.moves, base, view.offset * itemsize, 0)

    def _base(self, view: View) -> int:
        return self.outer.of(view.base, self.use.cluster)

    def _scratch(self, j: int) -> int:
        size = max(bytes_of(self.body.outputs[j].spec), 1)
        return self.outer.table.fresh(("scratch", size))

    # ---- copies --------------------------------------------------------------------------------

    def _copy(self, use: KernelUse, source: int, target: int) -> TaskPlan:
        """A copy kernel from one entry to another."""

        def entry(operand: Operand) -> int:
            if not isinstance(operand, Node):
                return self.outer.of(operand, use.cluster)
            return target if operand.op is COPY else source

        slots = tuple(entry(o) for o in use.kernel.operands)
        return TaskPlan(use.name, slots, use.kernel.chunks, use.kernel.cost)

    def _copies_in(self) -> list[LoopPlan]:
        """The first carries, copied to where the first step reads them."""
        moves: list[Move] = []
        tasks = []
        for k, use in self.use.copies.items():
            view = operand_view(self.node, k)
            offset = view.offset * view.base.dtype.itemsize
            source = self._base(view)
            if offset:
                source = self._moving(moves, source, offset, 0)
            target = self._carry_start(k, moves)
            tasks.append(self._copy(use, source, target))
        return [LoopPlan(1, tuple(moves), (RegionPlan(False, tuple(tasks)),))] if tasks else []

    def _carry_start(self, k: int, moves: list[Move]) -> int:
        history = self.layout.members.get(self.body.carries + k)
        if history is None:
            return self._carry(k, 0)
        base = self.outer.of(history, self.use.cluster)
        first = self.use.length if self.reverse else 0
        return self._moving(moves, base, first * bytes_of(self.body.inputs[k].spec), 0)

    def _copies_out(self) -> list[AnyPlan]:
        """Last carries that are wanted beside their history."""
        moves: list[Move] = []
        tasks = []
        members, cluster = self.layout.members, self.use.cluster
        _, _, last = history_rows(self.reverse, self.use.length)
        for k in self.layout.copied_out:
            if k in self.use.copies:
                base = self.outer.of(members[self.body.carries + k], cluster)
                row = last * bytes_of(self.body.inputs[k].spec)
                source = self._moving(moves, base, row, 0)
                target = self.outer.of(members[k], cluster)
                tasks.append(self._copy(self.use.copies[k], source, target))
        return [LoopPlan(1, tuple(moves), (RegionPlan(False, tuple(tasks)),))] if tasks else []


def plan_loop(use: LoopUse, slots: Slots) -> list[AnyPlan]:
    """The regions of a loop, for a program whose table ``slots`` number."""
    return _LoopPlanner(use, slots).regions()
