"""A graph as a native program that runs: its plan, its kernels' addresses, its memory."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from pellucid.backends.cpu.analysis import Analysis
from pellucid.backends.cpu.engine import (
    EarlyCompilation,
    KernelAddress,
    find_kernels,
    kernel_keys,
    load_kernels,
)
from pellucid.backends.cpu.equal_parts import plan_of_equal_parts
from pellucid.backends.cpu.explain import explain
from pellucid.backends.cpu.plan import (
    AnyPlan,
    HostPlan,
    LoopPlan,
    Plan,
    StrandPlan,
    TaskPlan,
    find_plan,
    keep_plan,
    plan_key,
)
from pellucid.backends.cpu.runtime import Item, Loop, Move, NativeProgram, Region, Strand, Task
from pellucid.backends.cpu.target import Target, host_target
from pellucid.backends.cpu.writing import KernelUse
from pellucid.base.errors import OutOfRangeError, PellucidError
from pellucid.compiler.clusters import Fusion
from pellucid.compiler.complex import real_graph
from pellucid.compiler.explain import Explanation
from pellucid.compiler.schedule import Schedule
from pellucid.graph.node import Graph


class CpuExecutable:
    """A graph compiled for a processor; see :class:`pellucid.backends.Executable`.

    Intermediate values live in memory of its own, or, with ``own_memory=False``, where
    :meth:`place` says, so that programs that never run at the same time can share it.
    """

    def __init__(self, graph: Graph, target: Target | None = None, own_memory: bool = True) -> None:
        self.target = target or host_target()
        self._source = graph = real_graph(graph)
        key = plan_key(graph, self.target)
        plan = find_plan(key)
        addresses = None if plan is None else find_kernels(plan.kernels, self.target)
        if plan is None or addresses is None:
            plan, addresses = self._planned_and_loaded(not own_memory)
            keep_plan(key, plan)
        self.plan = plan
        self._inputs = plan.inputs
        self._error = np.zeros(1, np.int64)
        self._build(addresses)
        self._memory: np.ndarray | None = None
        self.placed = 0
        """Where intermediate values are now."""
        if own_memory:
            self._memory = _aligned(self.memory_bytes)
            self.place(int(self._memory.ctypes.data))

    def _planned_and_loaded(self, repeats: bool) -> tuple[Plan, dict[str, KernelAddress]]:
        """A new plan and the addresses of its kernels; equal parts are planned once if it
        ``repeats``."""
        addresses: dict[str, KernelAddress] = {}

        def planned(graph: Graph) -> Plan:
            analysis, texts, found = self._compile(graph)
            addresses.update(found)
            if graph is self._source:
                self.analysis = analysis
            return analysis.plan(kernel_keys(texts, self.target))

        plan = plan_of_equal_parts(self._source, self.target, planned) if repeats else None
        if plan is None:
            addresses.clear()
            plan = planned(self._source)
        return plan, addresses

    def _compile(self, graph: Graph) -> tuple[Analysis, dict[str, str], dict[str, KernelAddress]]:
        """Texts and addresses of all kernels, written on this thread and compiled on others."""
        early = EarlyCompilation(self.target)
        try:
            analysis = Analysis(graph, self.target, written=early.add)
        finally:
            early.close()
        texts = analysis.texts()
        return analysis, texts, load_kernels(texts, self.target)

    @functools.cached_property
    def analysis(self) -> Analysis:
        """How the plan came about; made again when the plan itself came from the cache."""
        return Analysis(self._source, self.target)

    @property
    def graph(self) -> Graph:
        """The graph after all rewrites."""
        return self.analysis.graph

    @property
    def fusion(self) -> Fusion:
        """Which operations are computed together."""
        return self.analysis.fusion

    @property
    def schedule(self) -> Schedule:
        """When each cluster runs and where values live."""
        return self.analysis.schedule

    @property
    def region_uses(self) -> list[list[KernelUse]]:
        """The kernels of each region."""
        return self.analysis.region_uses

    # ---- building ----------------------------------------------------------------------------

    def _build(self, addresses: Mapping[str, int]) -> None:
        """The native program: regions of kernels, and the table of addresses."""
        plan = self.plan
        self.addresses = addresses
        """Where each kernel's code is."""
        self.regions = [_region(r, addresses) for r in plan.regions]
        fixed = plan.inputs + plan.outputs
        moving = [(i, 0) for i in range(fixed)]
        self.program = NativeProgram(
            fixed + len(plan.slots), self.regions, moving, tries_threads=True
        )
        self._table = self.program.table
        offset = _whole_lines(plan.arena_bytes)
        self.moving: list[tuple[int, int]] = []
        """Entries of the table that point into :meth:`place`'s memory, and where."""
        for number, (kind, value) in enumerate(plan.slots, fixed):
            if kind == "arena":
                self.moving.append((number, value))
            elif kind == "scratch":
                self.moving.append((number, offset))
                offset += _whole_lines(value)
            else:
                self._table[number] = self._address(kind, value)
        self.memory_bytes = offset
        """Bytes that intermediate values and scratch space need."""
        self.pointers: memoryview = memoryview(self._table.data)
        self._strides = [0] * fixed
        self._checks_positions = ("error", 0) in plan.slots

    def _address(self, kind: str, value: int) -> int:
        """What stands in a table entry that does not point into intermediate memory."""
        if kind in ("size", "moving"):
            return value
        array = self._error if kind == "error" else self.plan.constants[value]
        return int(array.ctypes.data)

    def place(self, address: int) -> None:
        """Put intermediate values into the ``memory_bytes`` bytes at an address.

        The address is a multiple of 64; the caller keeps the memory alive while the program runs.
        """
        self.placed = address
        for number, offset in self.moving:
            self._table[number] = address + offset

    # ---- running -----------------------------------------------------------------------------

    def bind_input(self, position: int, address: int, stride: int = 0) -> None:
        """Address of an input, and bytes to move on after each step."""
        self._table[position] = address
        if self._strides[position] != stride:
            self._strides[position] = stride
            self.program.set_stride(position, stride)

    def bind_output(self, position: int, address: int, stride: int = 0) -> None:
        """Address of an output, and bytes to move on after each step."""
        self.bind_input(self._inputs + position, address, stride)

    def run(self, steps: int = 1) -> None:
        """Run the program.

        Raises :class:`~pellucid.base.errors.OutOfRangeError` if an index operation met a position
        out of range, and what calls of the host raise, with the layer and line that asked for them.
        """
        try:
            self.program.run(steps)
        except PellucidError as error:
            failed = self.program.failed_call
            if failed < 0:
                raise
            raise error.located(self.analysis.calls[failed].origin.text) from error.__cause__
        if self._checks_positions:  # looked at here, since a call costs as much as all of this
            self.check_positions()

    def check_positions(self) -> None:
        """Raise ``OutOfRangeError`` if an index operation has met a position out of range."""
        if self._checks_positions and self._error[0]:
            self._error[0] = 0
            raise OutOfRangeError(
                f"a position is out of range in {' or '.join(self.plan.indexing)} "
                "of a compiled program",
                "check class ids and indices: they must lie in [0, extent)",
            )

    def explain(self, inputs: Sequence[np.ndarray] | None = None, calls: int = 20) -> Explanation:
        """What the program is made of; with ``inputs``, which it may overwrite, also its times."""
        return explain(self.analysis, self.program, self.regions, inputs, calls)

    def __repr__(self) -> str:
        kernels = sum(len(uses) for uses in self.region_uses)
        regions = len(self.region_uses)
        return f"<native program: {regions} regions, {kernels} kernels, {self.arena_bytes} bytes>"

    @property
    def arena_bytes(self) -> int:
        """Bytes of memory for intermediate values."""
        return self.plan.arena_bytes


def _region(plan: AnyPlan, addresses: Mapping[str, int]) -> Item:
    """A region or loop with the addresses of its kernels."""
    if isinstance(plan, HostPlan):
        return plan
    if isinstance(plan, LoopPlan):
        inner = [_region(r, addresses) for r in plan.regions]
        return Loop(plan.count, [Move(*m) for m in plan.moves], inner)
    return Region([_task(t, addresses) for t in plan.tasks], plan.parallel)


def _task(plan: TaskPlan | StrandPlan, addresses: Mapping[str, int]) -> Task | Strand:
    """A task with the addresses of its kernels."""
    if isinstance(plan, TaskPlan):
        return Task(addresses[plan.kernel], plan.slots, plan.chunks, plan.cost)
    tasks = [Task(addresses[t.kernel], t.slots, t.chunks, t.cost) for t in plan.tasks]
    shifts = None if plan.shifts is None else dict(plan.shifts)
    steps, local = dict(plan.steps), dict(plan.local)
    return Strand(plan.count, tasks, steps, plan.chunks, plan.cost, shifts, local)


def _whole_lines(size: int) -> int:
    """Bytes rounded up to whole cache lines."""
    return -(-size // 64) * 64


def _aligned(size: int) -> np.ndarray:
    """Bytes that start at a cache line."""
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + max(size, 1)]
