"""Where the kernels of a program find their operands: entries of one table of addresses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.backends.cpu.machine import LoopCosts
from pellucid.backends.cpu.operands import NumberTable, Operand
from pellucid.compiler.clusters import Cluster
from pellucid.compiler.schedule import Schedule
from pellucid.graph.node import Node, constant_value


class Table:
    """The table entries of a program behind those of its inputs and outputs."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.entries: list[tuple[str, int]] = []
        self.constants: list[np.ndarray] = []
        self._known: dict[object, int] = {}
        self._counted = 0

    def fresh(self, entry: tuple[str, int]) -> int:
        """A new entry."""
        self.entries.append(entry)
        return self.first + len(self.entries) - 1

    def entry(self, key: object, entry: tuple[str, int]) -> int:
        """The entry known by ``key``."""
        if key not in self._known:
            self._known[key] = self.fresh(entry)
        return self._known[key]

    def count(self) -> int:
        """1, 2, 3, … at each call."""
        self._counted += 1
        return self._counted

    def arena(self, offset: int) -> int:
        """The entry of a place in the arena."""
        return self.entry(("arena", offset), ("arena", offset))

    def arena_offset(self, entry: int) -> int:
        """Where in the arena an entry points; -1 if it points somewhere else."""
        kind, value = self.entries[entry - self.first] if entry >= self.first else ("", 0)
        return value if kind == "arena" else -1

    def numbers(self, operand: NumberTable) -> int:
        """The entry of numbers that a kernel receives."""
        if operand not in self._known:
            self.constants.append(np.array(operand.words, np.int64))
        return self.entry(operand, ("constant", len(self.constants) - 1))

    def constant(self, node: Node) -> int:
        """The entry of a constant."""
        if node not in self._known:
            self.constants.append(np.ascontiguousarray(constant_value(node)))
        return self.entry(node, ("constant", len(self.constants) - 1))


class Slots:
    """Finds the table entries that the operands of a program, or of a loop's body, need.

    ``inputs`` and ``outputs`` are the entries of its inputs and outputs, ``arena`` is where its
    own part of the arena begins, ``costs`` says when regions are worth several threads.
    """

    def __init__(
        self,
        table: Table,
        schedule: Schedule,
        costs: LoopCosts,
        inputs: Sequence[int],
        outputs: Sequence[int],
        arena: int = 0,
    ) -> None:
        self.costs = costs
        self.table, self.schedule, self.arena = table, schedule, arena
        self.inputs, self.outputs = inputs, outputs
        self.number = table.count()
        """Tells the users of equal bodies apart."""

    def inside(
        self, schedule: Schedule, inputs: Sequence[int], outputs: Sequence[int], arena: int
    ) -> Slots:
        """The same for the body of a loop."""
        return Slots(self.table, schedule, self.costs, inputs, outputs, arena)

    def of(self, operand: Operand, cluster: Cluster) -> int:
        """The table entry of an operand of a cluster's kernel."""
        if isinstance(operand, NumberTable):
            return self.table.numbers(operand)
        if isinstance(operand, tuple):
            # The kernels of a split product share their scratch; every product has its own.
            own = operand[0] == "scratch"
            return self.table.entry(
                (operand[0], id(cluster), id(self)) if own else operand, operand
            )
        place = self.schedule.places.get(operand)
        if place is None:
            return self.table.constant(operand)
        if place.kind == "arena":
            return self.table.arena(self.arena + place.number)
        return (self.outputs if place.kind == "output" else self.inputs)[place.number]
