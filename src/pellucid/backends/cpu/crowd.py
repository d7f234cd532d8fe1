"""Programs for many members at once: the same kernels, on memory of each member's own.

A member is a set of arrays that a program reads and writes: a network's weights, its optimizer's
averages, its batches.  A small program leaves processors idle, because its regions are over before
they are shared out; so each thread takes whole members instead, one after the other, and runs all
steps of a member before it turns to the next.  Nobody waits between regions, and a member's arrays
stay in the thread's own caches from step to step.  Kernels are those of the program alone, run
whole: a member's results are, bit by bit, what the program gives alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.backends.cpu.executable import CpuExecutable
from pellucid.backends.cpu.plan import Plan, RegionPlan, TaskPlan
from pellucid.backends.cpu.runtime import MOST_PLACES, NativeProgram, Region, Series, Strand, Task

LINE = 64


@dataclass(frozen=True)
class CrowdPart:
    """One program of a crowd: ``steps`` runs for each member.

    ``places`` says of each input and then each output its address for the first member's first
    step, and how many bytes further on those of the next member, of the next round and of the next
    step stand.  An output that aliases an input needs none.
    """

    executable: CpuExecutable
    steps: int
    places: Sequence[tuple[int, int, int, int]]


def can_be_crowd(executable: object) -> bool:
    """Whether the program consists of plain kernels alone: no loops, no calls of the host."""
    return isinstance(executable, CpuExecutable) and _tasks_of(executable.plan) is not None


def _tasks_of(plan: Plan) -> list[TaskPlan] | None:
    """All kernels of a program in an order in which one thread can run them."""
    found: list[TaskPlan] = []
    for region in plan.regions:
        if not isinstance(region, RegionPlan):
            return None
        for task in region.tasks:
            if not isinstance(task, TaskPlan):
                return None
            found.append(task)
    return found


class CrowdProgram:
    """Programs that run one after the other for each of ``members`` (≥ 1) members, and this in
    ``rounds`` (≥ 1).

    Threads share the members.  The caller keeps the arrays alive; a program whose kernels met a
    position out of range says so at the end, as ``CpuExecutable.run`` does.
    """

    def __init__(self, parts: Sequence[CrowdPart], members: int, rounds: int = 1) -> None:
        self._parts = list(parts)
        self._firsts: list[int] = []
        largest = max(part.executable.memory_bytes for part in self._parts)
        self._size = _whole_lines(largest)
        self._memory = np.empty(self._size * min(members, MOST_PLACES) + LINE, np.uint8)
        entries: list[int] = []
        strands = [self._strand(part, members, entries) for part in self._parts]
        self._series = Series(tuple(strands), rounds)
        self._program = NativeProgram(len(entries), [Region([self._series], parallel=True)])
        self._program.table[:] = entries
        self._record = self._program.record_of(self._series)

    def _strand(self, part: CrowdPart, members: int, entries: list[int]) -> Strand:
        """The program as a strand, its table entries appended to ``entries``."""
        executable, first = part.executable, len(entries)
        self._firsts.append(first)
        start = int(self._memory.ctypes.data) + -int(self._memory.ctypes.data) % LINE
        table, plan = executable.program.table, executable.plan
        shifts: dict[int, int] = {}
        steps: dict[int, int] = {}
        rounds: dict[int, int] = {}
        for entry, (address, by_member, by_round, by_step) in enumerate(part.places, first):
            entries.append(address)
            shifts[entry], rounds[entry], steps[entry] = by_member, by_round, by_step
        fixed = plan.inputs + plan.outputs
        entries += [int(address) for address in table[fixed:]]
        local = {}
        for number, offset in executable.moving:
            entries[first + number] = start + offset
            shifts[first + number] = local[first + number] = self._size
        tasks = [
            Task(executable.addresses[t.kernel], [first + s for s in t.slots], t.chunks, t.cost)
            for t in _tasks_of(plan) or ()
        ]
        cost = part.steps * members * sum(task.cost for task in tasks)
        return Strand(part.steps, tasks, steps, members, cost, shifts, local, rounds)

    def move(self, part: int, position: int, address: int) -> None:
        """From now on an input, or an output behind the inputs, starts at another address."""
        self._program.table[self._firsts[part] + position] = address

    def set_steps(self, part: int, steps: int) -> None:
        """From now on a part makes so many steps (≥ 1) for each member."""
        self._record.set_turns(part, steps)

    def set_rounds(self, rounds: int) -> None:
        """From now on all parts of a member run in so many rounds (≥ 1)."""
        self._record.set_rounds(rounds)

    def run(self) -> None:
        """All parts of all members."""
        self._program.run()
        for part in self._parts:
            part.executable.check_positions()


def _whole_lines(size: int) -> int:
    return -(-max(size, 1) // LINE) * LINE
