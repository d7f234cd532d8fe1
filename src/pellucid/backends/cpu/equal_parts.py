"""Plans of programs that do the same with many arrays: an optimizer's step.

Such a graph falls apart into parts that share nothing but single numbers, and each works element by
element on arrays of one shape.  Parts that differ in nothing but this shape need one kernel, which
gets the number of elements as an operand.  So one of them is planned, with all the rest that is
not repeated, and its tasks are repeated for the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pellucid.backends.cpu.machine import costs_of
from pellucid.backends.cpu.plan import Plan, RegionPlan, TaskPlan
from pellucid.backends.cpu.target import Target
from pellucid.graph.node import INPUT, Graph, Node, topological

LEAST_SPARED = 8
"""So many parts at least have to be spared their planning."""


@dataclass(frozen=True)
class Part:
    """Arrays of one shape that the same is done with; ``form`` says what, but for the shape.

    ``inputs`` and ``outputs`` are positions in the graph, in the order of the form.
    """

    form: tuple[object, ...]
    size: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def parts_of(graph: Graph) -> list[Part] | None:
    """The parts of a graph; None if something is done otherwise than element by element."""
    positions = {node: i for i, node in enumerate(graph.inputs)}
    read: dict[int, list[int]] = {}  # output -> inputs
    for place, output in enumerate(graph.outputs):
        if output.shape == ():
            continue
        found = _arrays_of(output)
        if not found or any(node not in positions for node in found):
            return None
        read[place] = [positions[node] for node in found]
    parts = [_part(graph, outputs, positions) for outputs in _connected(read)]
    return None if any(part is None for part in parts) else [p for p in parts if p is not None]


def _arrays_of(output: Node) -> list[Node]:
    """The arrays that an output is computed from element by element; nothing if there is more."""
    found = []
    for node in topological([output]):
        if node.shape == ():
            if any(operand.shape != () for operand in node.inputs):
                return []
            continue
        if node.shape != output.shape:
            return []
        if node.op is INPUT:
            found.append(node)
        elif not (node.op.family == "elementwise" or _spreads_number(node)):
            return []
    return found


def _spreads_number(node: Node) -> bool:
    return node.op.name == "broadcast_to" and node.inputs[0].shape == ()


def _connected(read: dict[int, list[int]]) -> list[list[int]]:
    """Outputs that share an input, together."""
    owner: dict[int, int] = {}
    groups: dict[int, list[int]] = {}
    for output, inputs in read.items():
        known = sorted({owner[i] for i in inputs if i in owner})
        target = known[0] if known else output
        members = [*itertools.chain.from_iterable(groups.pop(k) for k in known), output]
        groups[target] = members
        for member in members:
            for i in read[member]:
                owner[i] = target
    return [sorted(group) for group in groups.values()]


def _part(graph: Graph, outputs: Sequence[int], positions: dict[Node, int]) -> Part | None:
    """The part that these outputs are; None if they are of several shapes."""
    nodes = [graph.outputs[i] for i in outputs]
    shape = nodes[0].shape
    if any(node.shape != shape for node in nodes):
        return None
    numbers: dict[Node, int] = {}
    inputs: list[int] = []
    form: list[object] = []
    for node in topological(nodes):
        if node.shape == ():
            continue
        numbers[node] = len(numbers)
        if node.op is INPUT:
            inputs.append(positions[node])
            form.append((INPUT, node.dtype))
            continue
        settings = tuple((n, "shape" if v == shape else v) for n, v in node.params)
        operands = tuple(numbers[n] if n in numbers else n for n in node.inputs)
        form.append((node.op, settings, operands, node.dtype))
    local = {position: i for i, position in enumerate(inputs)}
    if any(graph.aliases[i] not in local for i in outputs if i in graph.aliases):
        return None
    written = tuple(
        (numbers[graph.outputs[i]], local[graph.aliases[i]] if i in graph.aliases else None)
        for i in outputs
    )
    return Part((*form, written), nodes[0].size, tuple(inputs), tuple(outputs))


def plan_of_equal_parts(
    graph: Graph, target: Target, planned: Callable[[Graph], Plan]
) -> Plan | None:
    """The plan of a graph with many equal parts, of which few are ``planned``; None if it has not
    many, or their kernels serve one size only."""
    if len(graph.outputs) <= LEAST_SPARED:
        return None
    parts = parts_of(graph)
    if parts is None:
        return None
    forms: dict[tuple[object, ...], list[Part]] = {}
    for part in parts:
        forms.setdefault(part.form, []).append(part)
    if len(parts) - len(forms) < LEAST_SPARED:
        return None
    groups = [sorted(group, key=lambda p: -p.size) for group in forms.values()]
    spared = {i for group in groups for part in group[1:] for i in part.inputs}
    dropped = {i for group in groups for part in group[1:] for i in part.outputs}
    inputs = [i for i in range(len(graph.inputs)) if i not in spared]
    outputs = [i for i in range(len(graph.outputs)) if i not in dropped]
    aliases = {
        k: inputs.index(graph.aliases[i]) for k, i in enumerate(outputs) if i in graph.aliases
    }
    small = Graph(
        tuple(graph.inputs[i] for i in inputs), tuple(graph.outputs[i] for i in outputs), aliases
    )
    return _Repeated(graph, planned(small), inputs, outputs, groups, target).plan()


class _Repeated:
    """A plan whose tasks are repeated for the parts that it leaves out."""

    def __init__(
        self,
        graph: Graph,
        small: Plan,
        inputs: Sequence[int],
        outputs: Sequence[int],
        groups: Sequence[Sequence[Part]],
        target: Target,
    ) -> None:
        self._graph, self._small, self._groups = graph, small, groups
        self._costs = costs_of(target).loops
        fixed = len(graph.inputs) + len(graph.outputs)
        self._fixed = fixed
        self._entries = [
            *inputs,
            *(len(graph.inputs) + i for i in outputs),
            *range(fixed, fixed + len(small.slots)),
        ]
        """Entry of the small plan → entry of this one."""
        self._slots = list(small.slots)
        self._sizes: dict[int, int] = {}
        self._group_of = {
            entry: number for number, group in enumerate(groups) for entry in self._own(group[0])
        }

    def _own(self, part: Part) -> list[int]:
        """The entries of a part's arrays."""
        return [*part.inputs, *(len(self._graph.inputs) + i for i in part.outputs)]

    def _size(self, size: int) -> int:
        """The entry of a number of elements."""
        if size not in self._sizes:
            self._sizes[size] = self._fixed + len(self._slots)
            self._slots.append(("size", size))
        return self._sizes[size]

    def plan(self) -> Plan | None:
        """The whole plan, or None if a task is not of the kind that can be repeated."""
        regions = []
        for region in self._small.regions:
            if not isinstance(region, RegionPlan):
                return None
            tasks: list[TaskPlan] = []
            for task in region.tasks:
                made = self._repeated(task) if isinstance(task, TaskPlan) else None
                if made is None:
                    return None
                tasks += made
            parallel = sum(t.cost for t in tasks) > self._costs.serial_nanoseconds
            regions.append(RegionPlan(parallel, tuple(tasks)))
        return replace(
            self._small,
            inputs=len(self._graph.inputs),
            outputs=len(self._graph.outputs),
            slots=tuple(self._slots),
            regions=tuple(regions),
        )

    def _repeated(self, task: TaskPlan) -> list[TaskPlan] | None:
        slots = [self._entries[s] for s in task.slots]
        own = replace(task, slots=tuple(slots))
        touched = {self._group_of[s] for s in slots if s in self._group_of}
        if not touched:
            return [own]
        group = self._groups[min(touched)]
        if len(touched) == 1 and len(group) == 1:
            return [own]
        block = self._block(task, slots, group[0].size)
        if len(touched) > 1 or block is None:
            return None
        first = self._own(group[0])
        tasks = [own]
        for part in group[1:]:
            places = dict(zip(first, self._own(part), strict=True))
            places[slots[0]] = self._size(part.size)
            chunks = -(-part.size // block)
            cost = task.cost * part.size / group[0].size
            moved = tuple(places.get(s, s) for s in slots)
            tasks.append(replace(task, slots=moved, chunks=chunks, cost=cost))
        return tasks

    def _block(self, task: TaskPlan, slots: Sequence[int], size: int) -> int | None:
        """Elements of a chunk, of a kernel that gets the number of elements and these as operands;
        None of others, and of those that need memory of their own."""
        kinds = [self._slots[s - self._fixed] if s >= self._fixed else ("array", 0) for s in slots]
        if len(kinds) < 2 or kinds[0] != ("size", size) or kinds[1][0] != "size":
            return None
        block = kinds[1][1]
        if -(-size // block) != task.chunks or any(k == "size" for k, _ in kinds[2:]):
            return None
        private = {s for s, (k, _) in zip(slots, kinds, strict=True) if k not in _SHARED}
        return None if private - self._numbers() else block

    def _numbers(self) -> set[int]:
        """Entries of the arena that tasks without arrays work on: single numbers."""
        found: set[int] = set()
        for region in self._small.regions:
            for task in region.tasks if isinstance(region, RegionPlan) else ():
                if isinstance(task, TaskPlan):
                    slots = {self._entries[s] for s in task.slots}
                    if not slots & self._group_of.keys():
                        found |= slots
        return found


_SHARED = ("array", "size", "constant")
