"""A program as plain data: which kernels run on which buffers, in which order.

A plan holds no addresses and no nodes, so it can be kept: a graph that was compiled before, in
this process or an earlier one, skips every pass and goes from its description to its plan.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.backends.cpu import cache
from pellucid.backends.cpu.machine import costs_of, machine_of
from pellucid.backends.cpu.target import Target
from pellucid.base.caches import register_cache
from pellucid.base.dtypes import DType, as_dtype
from pellucid.base.errors import CompilationError, PellucidError
from pellucid.graph.node import INPUT, Graph, Node
from pellucid.ops.registry import PRIMITIVES
from pellucid.ops.scan_body import Body

MEMORY_LIMIT = 256
"""Plans kept in this process."""


@dataclass(frozen=True)
class TaskPlan:
    """One kernel of a region: its name, the table entries of its operands, its chunks.

    ``cost`` is the estimated time of all chunks, in nanoseconds.
    """

    kernel: str
    slots: tuple[int, ...]
    chunks: int
    cost: float


@dataclass(frozen=True)
class StrandPlan:
    """A loop of ``count`` iterations as one task of independent chunks: chunk c is, in every
    iteration, chunk c of each kernel.  ``steps`` are (table entry, bytes on after each
    iteration), ``local`` (table entry, bytes of a chunk) of what only this chunk reads.

    With ``shifts``, (table entry, bytes on for each chunk), a chunk is ``count`` iterations of
    whole kernels.
    """

    count: int
    steps: tuple[tuple[int, int], ...]
    tasks: tuple[TaskPlan, ...]
    chunks: int
    cost: float
    shifts: tuple[tuple[int, int], ...] | None = None
    local: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class RegionPlan:
    """Kernels that may run side by side; ``parallel`` says that several threads are worth it."""

    parallel: bool
    tasks: tuple[TaskPlan | StrandPlan, ...]


@dataclass(frozen=True)
class ArrayPlan:
    """An array that is handed over: its table entry, shape and dtype (by name)."""

    slot: int
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class HostPlan:
    """A call of the host: the NumPy meaning of the primitive with this name, on the calling thread.

    ``params`` are its settings but for ``output``, ``results`` the results that are wanted, by
    number (0 where it has one).
    """

    primitive: str
    params: tuple[tuple[str, Any], ...]
    operands: tuple[ArrayPlan, ...]
    results: tuple[tuple[int, ArrayPlan], ...]
    cost: float


@dataclass(frozen=True)
class LoopPlan:
    """Regions that run ``count`` times; ``moves`` are (table entry, entry it starts from, bytes
    after that, bytes on after each iteration)."""

    count: int
    moves: tuple[tuple[int, int, int, int], ...]
    regions: tuple[AnyPlan, ...]


AnyPlan = RegionPlan | HostPlan | LoopPlan
"""What a program does at a time."""


@dataclass(frozen=True)
class Plan:
    """A program without addresses.

    Table entries: the inputs, the outputs, then ``slots``: ("arena", offset), ("scratch",
    bytes), ("constant", number), ("size", value), ("error", 0), or ("moving", 0), which a loop
    sets.  ``kernels`` maps names to
    keys of the code cache.
    """

    inputs: int
    outputs: int
    arena_bytes: int
    slots: tuple[tuple[str, int], ...]
    constants: tuple[np.ndarray, ...]
    regions: tuple[AnyPlan, ...]
    kernels: dict[str, bytes]
    indexing: tuple[str, ...]
    """Operations that read or write where data say, for the message of an error."""


def describe_graph(graph: Graph) -> str:
    """What a graph computes, without the identities of its nodes."""
    number: dict[Node, int] = {node: i for i, node in enumerate(graph.inputs)}
    parts = [str(node.spec) for node in graph.inputs]
    for node in graph.nodes():
        if node.op is INPUT:
            continue
        number[node] = len(number)
        operands = [number[n] for n in node.inputs]
        settings = [(name, _describe(value)) for name, value in node.params]
        parts.append(f"{node.op.name}{settings}{operands}{node.dtype.name}")
    outputs = [number[n] for n in graph.outputs]
    return "\n".join([*parts, f"{outputs}{sorted(graph.aliases.items())}"])


def _describe(value: object) -> object:
    """A parameter as text that is the same in every process; the body of a loop as a graph."""
    if isinstance(value, Body):
        return f"{value.carries},{value.columns}:{describe_body(value)}"
    return value


@functools.lru_cache(maxsize=256)
def describe_body(body: Body) -> str:
    """What one step of a loop computes."""
    return describe_graph(Graph(body.inputs, body.outputs))


@functools.cache
def _compiler_version() -> str:
    """Changes whenever a source file of the compiler or of the backend does."""
    package = Path(__file__).resolve().parents[2]
    folders = (
        package / "compiler",
        package / "backends" / "cpu",
        package / "ops",
        package / "transforms",
    )
    files = sorted(f for folder in folders for f in folder.glob("*.py"))
    facts = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return repr(facts)


def plan_key(graph: Graph, target: Target) -> bytes:
    """The key of a graph's plan for a processor, as the compiler is tuned for it."""
    tuned = repr((machine_of(target), costs_of(target)))
    parts = ("plan", _compiler_version(), target.key(), tuned, describe_graph(graph))
    return hashlib.sha256("\0".join(parts).encode()).digest()


_known: dict[bytes, Plan] = {}
register_cache("plans of programs", _known.clear)


def find_plan(key: bytes) -> Plan | None:
    """The plan made for this key before, in this process or an earlier one."""
    found = _known.get(key)
    if found is None:
        stored = cache.read_object(key)
        found = None if stored is None else _from_bytes(stored)
        if found is not None:
            _remember(key, found)
    return found


def keep_plan(key: bytes, plan: Plan) -> None:
    """Keep a plan for this process and for later ones."""
    _remember(key, plan)
    cache.write_object(key, _to_bytes(plan))


def _remember(key: bytes, plan: Plan) -> None:
    _known[key] = plan
    while len(_known) > MEMORY_LIMIT:
        _known.pop(next(iter(_known)), None)


def _to_bytes(plan: Plan) -> bytes:
    constants = [
        [as_dtype(c.dtype).name, list(c.shape), base64.b64encode(c.tobytes()).decode()]
        for c in plan.constants
    ]
    regions = [_region_as_list(r) for r in plan.regions]
    content = {
        "inputs": plan.inputs,
        "outputs": plan.outputs,
        "arena_bytes": plan.arena_bytes,
        "slots": [list(s) for s in plan.slots],
        "constants": constants,
        "regions": regions,
        "kernels": {name: key.hex() for name, key in plan.kernels.items()},
        "indexing": list(plan.indexing),
    }
    return json.dumps(content).encode()


def _from_bytes(data: bytes) -> Plan | None:
    """A plan from the cache; None when it cannot be read, and is then made again."""
    try:
        content = json.loads(data)
        return Plan(
            content["inputs"],
            content["outputs"],
            content["arena_bytes"],
            tuple((str(kind), int(value)) for kind, value in content["slots"]),
            tuple(_constant(*c) for c in content["constants"]),
            tuple(_region_of_list(r) for r in content["regions"]),
            {name: bytes.fromhex(key) for name, key in content["kernels"].items()},
            tuple(content["indexing"]),
        )
    except (ValueError, KeyError, TypeError, PellucidError):
        return None


def _region_as_list(region: AnyPlan) -> list[Any]:
    if isinstance(region, LoopPlan):
        moves = [list(m) for m in region.moves]
        return ["loop", region.count, moves, [_region_as_list(r) for r in region.regions]]
    if isinstance(region, HostPlan):
        params = [[name, _setting_as_list(value)] for name, value in region.params]
        results = [[number, _array_as_list(array)] for number, array in region.results]
        operands = [_array_as_list(array) for array in region.operands]
        return ["host", region.primitive, params, operands, results, region.cost]
    return ["region", region.parallel, [_task_as_list(t) for t in region.tasks]]


def _array_as_list(array: ArrayPlan) -> list[Any]:
    return [array.slot, list(array.shape), array.dtype]


def _array_of_list(listed: Sequence[Any]) -> ArrayPlan:
    slot, shape, dtype = listed
    return ArrayPlan(int(slot), tuple(int(n) for n in shape), as_dtype(str(dtype)).name)


def _setting_as_list(value: object) -> Any:
    """A setting as JSON: numbers, texts and None as they are, the rest as [kind, content]."""
    if isinstance(value, tuple):
        return ["tuple", [_setting_as_list(v) for v in value]]
    if isinstance(value, DType):
        return ["dtype", value.name]
    if isinstance(value, complex):
        return ["complex", [value.real, value.imag]]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CompilationError(
        f"a setting of a host operation is a {type(value).__name__}",
        "use numbers, texts, dtypes and tuples of them: a plan is kept on disk",
    )


def _setting_of_list(listed: Any) -> Any:
    if not isinstance(listed, list):
        return listed
    kind, content = listed
    if kind == "tuple":
        return tuple(_setting_of_list(v) for v in content)
    return as_dtype(content) if kind == "dtype" else complex(*content)


def _task_as_list(task: TaskPlan | StrandPlan) -> list[Any]:
    if isinstance(task, StrandPlan):
        inner = [_task_as_list(t) for t in task.tasks]
        steps, local = ([list(pair) for pair in pairs] for pairs in (task.steps, task.local))
        shifts = None if task.shifts is None else [list(s) for s in task.shifts]
        return ["strand", task.count, steps, inner, task.chunks, task.cost, shifts, local]
    return ["task", task.kernel, list(task.slots), task.chunks, task.cost]


def _region_of_list(listed: Sequence[Any]) -> AnyPlan:
    if listed[0] == "loop":
        _, count, moves, inner = listed
        whole = [(int(e), int(b), int(o), int(s)) for e, b, o, s in moves]
        return LoopPlan(int(count), tuple(whole), tuple(_region_of_list(r) for r in inner))
    if listed[0] == "host":
        _, primitive, params, operands, results, cost = listed
        PRIMITIVES[primitive]  # one that is not known is a KeyError: the plan is made again
        return HostPlan(
            str(primitive),
            tuple((str(name), _setting_of_list(value)) for name, value in params),
            tuple(_array_of_list(array) for array in operands),
            tuple((int(number), _array_of_list(array)) for number, array in results),
            float(cost),
        )
    _, parallel, tasks = listed
    return RegionPlan(bool(parallel), tuple(_task_of_list(t) for t in tasks))


def _task_of_list(listed: Sequence[Any]) -> TaskPlan | StrandPlan:
    if listed[0] == "strand":
        _, count, steps, inner, chunks, cost, shifts, local = listed
        moves = tuple((int(e), int(b)) for e, b in steps)
        far = None if shifts is None else tuple((int(e), int(b)) for e, b in shifts)
        tasks = tuple(t for t in map(_task_of_list, inner) if isinstance(t, TaskPlan))
        sizes = tuple((int(e), int(b)) for e, b in local)
        return StrandPlan(int(count), moves, tasks, int(chunks), float(cost), far, sizes)
    _, kernel, slots, chunks, cost = listed
    return TaskPlan(str(kernel), tuple(slots), int(chunks), float(cost))


def _constant(dtype: str, shape: Sequence[int], data: Any) -> np.ndarray:
    array = np.frombuffer(base64.b64decode(data), as_dtype(dtype).numpy)
    return array.reshape(tuple(shape))  # (n,) -> shape
