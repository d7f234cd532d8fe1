"""Programs as plain data, and the one native driver that runs all of them.

A program is a list of regions that run one after the other; a region is a list of tasks that may
run side by side; a task is one kernel, the table slots it works on, and how many chunks it has.
Nothing of this is generated code, so a program costs no compilation beyond its kernels::

    relu = load_kernels({"relu_3f2a": text}, host_target())["relu_3f2a"]
    program = NativeProgram(2, [Region([Task(relu, [0, 1], chunks=8)], parallel=True)])
    program.table[:] = x.ctypes.data, y.ctypes.data
    program.run()

Results do not depend on the number of threads as long as a chunk's result does not depend on who
runs it, which the kernels guarantee.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.backends.cpu import runtime_ir as ir
from pellucid.backends.cpu import threads
from pellucid.backends.cpu.engine import load_kernels
from pellucid.backends.cpu.host_calls import Failure, HostCall, callback_address
from pellucid.backends.cpu.plan import HostPlan
from pellucid.backends.cpu.records import (
    CALL,
    ENTRY,
    LOOP,
    MOVE,
    PROGRAM,
    REGION,
    SERIES,
    STRAND,
    STRAND_TASK,
    TASK,
)
from pellucid.backends.cpu.subnormals import flush_word
from pellucid.backends.cpu.target import host_target
from pellucid.backends.cpu.teams import LARGEST_COST, STEPS_A_CALL, TeamChoice
from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.base.errors import ArgumentError

__all__ = [
    "Loop",
    "Move",
    "NativeProgram",
    "Region",
    "Series",
    "Strand",
    "Task",
    "get_num_threads",
    "set_num_threads",
]

MOST_PLACES = 64
"""Threads that may be inside of one strand with local values: a bit for each."""
INTERRUPT_SECONDS = 0.05
"""A run of many steps comes back to Python about this often, so that Ctrl-C is heard."""


@dataclass(frozen=True)
class Task:
    """One kernel of a region.

    ``kernel_address`` is the native address of ``void k(ptr table, ptr slots, i64 begin, i64
    end)``; its k-th operand is ``table[slots[k]]``; it is called for chunks out of 0 … chunks−1.
    """

    kernel_address: int
    slots: Sequence[int]
    chunks: int
    cost: float = 1.0
    """Estimated time of all chunks, in any unit: what the threads' shares are balanced by."""


@dataclass(frozen=True)
class Strand:
    """A loop as one task, for iterations that need of each other only what the same chunk wrote.

    Chunk c of the strand is: for ``count`` iterations, chunk c of every task, in order.  All tasks
    have ``chunks`` chunks.  ``steps`` says by how many bytes table entries move on after each
    iteration; each chunk does that in a table of its own, so no thread waits for another between
    iterations. ``local`` are the entries of values that no other chunk and no other task reads, and
    the bytes of each chunk's part: they may be written where another chunk's part would stand, so
    that those of few chunks are used, again and again.

    ``rounds`` are the bytes by which entries start further on in each following round of a series.

    With ``shifts``, how many bytes further on the entries of each following chunk start, iterations
    need nothing of each other: chunk c is ``count`` iterations of whole tasks.
    """

    count: int
    tasks: Sequence[Task]
    steps: Mapping[int, int]
    chunks: int
    cost: float = 1.0
    shifts: Mapping[int, int] | None = None
    local: Mapping[int, int] = field(default_factory=dict)
    rounds: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Strands of equally many chunks as one task: for each chunk all of them, one after the other,
    and this in so many rounds.

    They need of each other only what the same chunk wrote.  Their local values share their places.
    """

    strands: tuple[Strand, ...]
    rounds: int = 1

    @property
    def chunks(self) -> int:
        """Chunks of each strand."""
        return self.strands[0].chunks

    @property
    def cost(self) -> float:
        """Estimated time of all strands."""
        return sum(strand.cost for strand in self.strands)


AnyTask = Task | Strand | Series
"""What threads share the chunks of."""


@dataclass(frozen=True)
class Region:
    """Tasks without an order among them.

    A parallel region's chunks, of all its tasks, are shared among the threads: each thread begins
    with the same part of every task (the first half of the rows, say), so that what it wrote in
    one region is what it reads in the next; then it helps the others.  A serial region runs on
    the calling thread, task after task, each in one call.  The next region starts when every
    task is done.
    """

    tasks: Sequence[AnyTask]
    parallel: bool = False

    def kernels(self) -> list[Task]:
        """The tasks, those of strands one by one."""
        return [inner for task in self.tasks for inner in _kernels_of(task)]


@dataclass(frozen=True)
class Move:
    """A table entry that a loop moves: it starts ``offset`` bytes after what the entry ``base``
    holds when the loop begins, and is moved on by ``step`` bytes after each iteration."""

    entry: int
    base: int
    offset: int
    step: int


@dataclass(frozen=True)
class Loop:
    """Regions (and inner loops) that run ``count`` times, one iteration after the other."""

    count: int
    moves: Sequence[Move]
    regions: Sequence[Item]


Item = Region | HostPlan | Loop
"""What a program does at a time; a call of the host is described by its plan."""


@dataclass(frozen=True)
class _Edge:
    """The begin or the end of a loop among the regions."""

    loop: Loop
    begins: bool


def in_order(regions: Sequence[Item]) -> list[Region | HostPlan | _Edge]:
    """Regions, calls of the host and edges of loops, one after the other."""
    order: list[Region | HostPlan | _Edge] = []
    for item in regions:
        if isinstance(item, Loop):
            order += [_Edge(item, True), *in_order(item.regions), _Edge(item, False)]
        else:
            order.append(item)
    return order


class NativeProgram:
    """Regions compiled to plain arrays that the native driver walks through.

    ``table_size`` is the number of buffers; ``strided`` lists (slot, bytes): after each step the
    pointer in that slot moves by that many bytes, which is how many steps over consecutive
    batches run in one native call.  Pointers stay moved after a run; set them again to rewind.

    ``table`` is the array of buffer addresses (uint64, ``table_size`` long), zero until the
    caller fills it in; the caller keeps the buffers alive.  With ``tries_threads`` a program whose
    tasks' costs (nanoseconds then) are low finds out whether more than one thread pays for it.

    One program must not run on two threads at the same time; different programs may (the second
    finds the pool taken and runs on its own thread, with the same bits).

    Raises :class:`~pellucid.base.errors.ArgumentError` for a slot outside the table, a null
    kernel address or a negative number of chunks.
    """

    def __init__(
        self,
        table_size: int,
        regions: Sequence[Item],
        strided: Sequence[tuple[int, int]] = (),
        tries_threads: bool = False,
    ) -> None:
        order = self._described = in_order(regions)
        plain = [item for item in order if isinstance(item, Region)]
        _check(table_size, plain, strided)
        self.table: npt.NDArray[np.uint64] = np.zeros(table_size, dtype=np.uint64)
        slots = [s for region in plain for task in region.tasks for s in _slots_of(task)]
        self._slots = np.array(slots, dtype=np.int32)
        self._strands: dict[int, _StrandRecord | SeriesRecord] = {
            id(task): _StrandRecord(task) if isinstance(task, Strand) else SeriesRecord(task)
            for region in plain
            for task in region.tasks
            if not isinstance(task, Task)
        }
        self._regions = np.zeros((len(order), len(REGION.fields)), dtype=np.int64)
        self._loops = self._loop_records(table_size)
        self._failure = Failure()
        self._calls = self._host_calls()
        self._strided = np.array(strided, dtype=np.int64).reshape(len(strided), 2)
        self._profile = np.zeros(len(order), dtype=np.int64)
        self._threads = 0
        self._share_out(get_num_threads())
        header = PROGRAM.row(
            table=self.table.ctypes.data,
            region_count=len(order),
            regions=self._regions.ctypes.data,
            strided_count=len(strided),
            strided=self._strided.ctypes.data,
            profile=0,
            flush=flush_word.ctypes.data,
        )
        self._header = np.array(header, dtype=np.int64)
        self.address = int(self._header.ctypes.data)
        self._pointer = ctypes.c_void_p(self.address)
        self._parallel = bool((self._regions[:, 0] == 1).any())
        tries = tries_threads and self._parallel and _cost(regions) <= LARGEST_COST
        self._choice = TeamChoice() if tries else None
        self._driver = _driver()

    def set_stride(self, position: int, byte_stride: int) -> None:
        """Change by how much the pointer of entry ``position`` of ``strided`` moves per step."""
        self._strided[position, 1] = byte_stride

    def _host_calls(self) -> dict[int, tuple[HostCall, npt.NDArray[np.int64]]]:
        """The calls of the host and what the driver reads of them, by their place in the order."""
        found: dict[int, tuple[HostCall, npt.NDArray[np.int64]]] = {}
        for place, item in enumerate(self._described):
            if isinstance(item, HostPlan):
                for array in (*item.operands, *(array for _, array in item.results)):
                    _check_slot(array.slot, len(self.table), "A call of the host")
                call = HostCall(item, self.table, len(found), self._failure)
                row = CALL.row(callback=callback_address(), number=call.number)
                found[place] = (call, np.array(row, dtype=np.int64))
        return found

    def _loop_records(self, table_size: int) -> dict[int, npt.NDArray[np.int64]]:
        """The record of each loop, by the loop's id."""
        records = {}
        for place, item in enumerate(self._described):
            if not isinstance(item, _Edge) or not item.begins:
                continue
            if item.loop.count < 1:
                raise ArgumentError(
                    f"A loop of {item.loop.count} turns.", "Leave out what never runs."
                )
            for move in item.loop.moves:
                _check_slot(move.entry, table_size, "A loop")
                _check_slot(move.base, table_size, "A loop")
            first = self._regions.ctypes.data + REGION.bytes * (place + 1)
            count, moves = item.loop.count, item.loop.moves
            rows = [
                LOOP.row(left=count, iterations=count, first_region=first, move_count=len(moves)),
                *(
                    MOVE.row(entry=m.entry, base=m.base, offset=m.offset, step=m.step)
                    for m in moves
                ),
            ]
            records[id(item.loop)] = np.array(rows, dtype=np.int64)
        return records

    def _share_out(self, threads: int) -> None:
        """Write the records of regions and tasks for so many threads."""
        records: list[tuple[int, ...]] = []
        heads: list[tuple[int, int, int, int]] = []
        ends: list[int] = []
        slot = int(self._slots.ctypes.data)
        for strand_record in self._strands.values():
            strand_record.share_out(threads)
        for place, region in enumerate(self._described):
            if isinstance(region, HostPlan):
                heads.append((4, int(self._calls[place][1].ctypes.data), 0, 0))
                ends.extend([0] * threads)
                continue
            if isinstance(region, _Edge):
                record = int(self._loops[id(region.loop)].ctypes.data)
                heads.append((2 if region.begins else 3, record, 0, 0))
                ends.extend([0] * threads)
                continue
            first, before = len(records), 0
            addresses = []
            for task in region.tasks:
                strand = self._strands.get(id(task))
                addresses.append(slot if strand is None else strand.address)
                slot += 4 * len(_slots_of(task))
            chunks = sum(task.chunks for task in region.tasks)
            # One chunk gains nothing from a second thread.
            shared = region.parallel and chunks > 1
            parts = shares(region.tasks, threads if shared else 1)
            for share in parts:
                for number, start, count in share:
                    task = region.tasks[number]
                    records.append(
                        TASK.row(
                            kernel=self._function_of(task),
                            slots=addresses[number],
                            chunks=count,
                            before=before,
                            first=start,
                        )
                    )
                    before += count
                ends.append(before)
            ends.extend([before] * (threads - len(parts)))
            heads.append((int(shared), first, len(records) - first, chunks))
        self._tasks = np.array(records, dtype=np.int64).reshape(len(records), len(TASK.fields))
        self._ends = np.array(ends, dtype=np.int64)
        for r, (kind, first, count, chunks) in enumerate(heads):
            tasks = self._tasks.ctypes.data + TASK.bytes * first
            self._regions[r] = REGION.row(
                kind=kind,
                first=first if kind > 1 else tasks,
                task_count=count,
                chunks=chunks,
                ends=self._ends.ctypes.data + 8 * r * threads,
            )
        self._threads = threads

    def _function_of(self, task: AnyTask) -> int:
        """The address of what runs chunks of a task."""
        if isinstance(task, Task):
            return task.kernel_address
        return self._strands[id(task)].driver

    def record_of(self, series: Series) -> SeriesRecord:
        """What the driver reads of a series, whose numbers may change between runs."""
        record = self._strands[id(series)]
        if not isinstance(record, SeriesRecord):
            raise ArgumentError("This is no series", "Pass a task of the program.")
        return record

    def run(self, steps: int = 1) -> None:
        """Run all regions, ``steps`` times over; returns when the last one is done.

        What a call of the host raises ends the run there, in the middle of a step, and is raised.
        A run of many steps that is interrupted (Ctrl-C) stops between two steps.
        """
        if steps != 1:
            self._run_many(steps)
        elif self._choice is None:
            self._run_steps(_ONE)
        else:
            self._choice.run(self._run_one, 1)

    def _run_one(self) -> None:
        self._run_steps(_ONE)

    @property
    def alone(self) -> bool:
        """Whether the next run stays on the calling thread."""
        return not self._parallel or (self._choice is not None and self._choice.alone)

    def settle(self) -> None:
        """Run until it is known whether more than one thread pays."""
        while self._choice is not None and self._choice.tries:
            self.run()

    def _run_steps(self, steps: ctypes.c_int64) -> None:
        """Run with the thread pool's help, if there is one and it pays."""
        pool = None if self.alone else threads.current_pool(self._driver.work)
        if pool is None:
            self._driver.run(self._pointer, None, steps)
        else:
            if pool.threads != self._threads:
                self._share_out(pool.threads)
            pool.active = True
            if pool.parked:
                pool.wake()
            self._driver.run(self._pointer, pool.pointer, steps)
            pool.active = False
        if self._failure.error is not None:
            raise self._failure.take()

    @property
    def failed_call(self) -> int:
        """Which call of the host, in their order, ended the last run with an error; −1 if none."""
        return self._failure.call

    def _run_many(self, steps: int) -> None:
        """Run in slices that grow until one takes about ``INTERRUPT_SECONDS``."""
        if steps < 0:
            raise ArgumentError(
                f"steps must be at least 0, got {steps}.", "Ask for 0 steps or more."
            )
        size, choice = 1, self._choice
        while steps > 0:
            size = min(size, steps)
            start = time.perf_counter()
            if choice is None:
                self._run_steps(ctypes.c_int64(size))
            else:
                size = min(size, STEPS_A_CALL) if choice.tries else size
                count = ctypes.c_int64(size)
                choice.run(lambda count=count: self._run_steps(count), size)  # type: ignore[misc]
            steps -= size
            if time.perf_counter() - start < INTERRUPT_SECONDS / 2:
                size *= 2

    def enable_profile(self, enabled: bool = True) -> None:
        """Measure the time of each region from the next run on, from zero; or stop to."""
        self._profile[:] = 0
        self._header[PROGRAM.place("profile")] = self._profile.ctypes.data if enabled else 0

    def profile(self) -> npt.NDArray[np.float64]:
        """Seconds spent in each region since :meth:`enable_profile`, summed over all steps.

        The begin and the end of a loop count as regions without time.
        """
        return self._profile / _ticks_per_second()


def _cost(regions: Sequence[Item]) -> float:
    """Estimated time of all regions on one thread, in the unit of the tasks' costs."""
    total = 0.0
    for item in regions:
        if isinstance(item, Loop):
            total += item.count * _cost(item.regions)
        elif isinstance(item, HostPlan):
            total += item.cost
        else:
            total += sum(task.cost for task in item.tasks)
    return total


def _slots_of(task: AnyTask) -> Sequence[int]:
    """Operands of a task; those of a strand stand in its record."""
    return task.slots if isinstance(task, Task) else ()


def _kernels_of(task: AnyTask) -> list[Task]:
    """The tasks inside of one."""
    if isinstance(task, Task):
        return [task]
    strands = (task,) if isinstance(task, Strand) else task.strands
    return [inner for strand in strands for inner in strand.tasks]


class _StrandRecord:
    """What the native driver reads of a strand (see :mod:`runtime_ir`)."""

    def __init__(self, strand: Strand) -> None:
        if strand.count < 1:
            raise ArgumentError(f"A strand of {strand.count} turns.", "Leave out what never runs.")
        whole = strand.shifts is not None
        if not whole and any(task.chunks != strand.chunks for task in strand.tasks):
            raise ArgumentError(
                f"A strand of {strand.chunks} chunks has tasks of "
                f"{[task.chunks for task in strand.tasks]} chunks.",
                "Every task needs a chunk for each of the strand's.",
            )
        entries = list(dict.fromkeys(s for task in strand.tasks for s in task.slots))
        place = {entry: i for i, entry in enumerate(entries)}
        own = [place[s] for task in strand.tasks for s in task.slots]
        self._slots = np.array(own, dtype=np.int32)
        self._most_threads = min(strand.chunks, MOST_PLACES) if strand.local else 0
        words = [
            *STRAND.row(
                iterations=strand.count,
                entry_count=len(entries),
                task_count=len(strand.tasks),
                whole=int(whole),
                threads=0,
                chunks=strand.chunks,
                used=0,
            )
        ]
        shifts = strand.shifts or {}
        for entry in entries:
            step, local = strand.steps.get(entry, 0), strand.local.get(entry, 0)
            shift, on = shifts.get(entry, 0), strand.rounds.get(entry, 0)
            words += ENTRY.row(entry=entry, step=step, shift=shift, local=local, round=on)
        slot = int(self._slots.ctypes.data)
        for task in strand.tasks:
            words += STRAND_TASK.row(kernel=task.kernel_address, slots=slot, chunks=task.chunks)
            slot += 4 * len(task.slots)
        self._words = np.array(words, dtype=np.int64)
        self.address = int(self._words.ctypes.data)
        self.driver = _driver().strand

    def share_out(self, threads: int) -> None:
        """Write for how many threads local values have places."""
        self._words[STRAND.place("threads")] = min(threads, self._most_threads)

    def set_turns(self, turns: int) -> None:
        """Iterations from now on."""
        self._words[STRAND.place("iterations")] = turns


class SeriesRecord:
    """What the native driver reads of a series, and the records of its strands."""

    def __init__(self, series: Series) -> None:
        if len({strand.chunks for strand in series.strands}) != 1:
            raise ArgumentError(
                f"A series has strands of {[strand.chunks for strand in series.strands]} chunks.",
                "Every strand needs a chunk for each of the others'.",
            )
        self._strands = [_StrandRecord(strand) for strand in series.strands]
        self._most_threads = min(series.chunks, MOST_PLACES)
        head = SERIES.row(
            count=len(self._strands), rounds=series.rounds, threads=1, chunks=series.chunks, used=0
        )
        words = [*head, *(strand.address for strand in self._strands)]
        self._words = np.array(words, dtype=np.int64)
        self.address = int(self._words.ctypes.data)
        self.driver = _driver().series

    def share_out(self, threads: int) -> None:
        """Write for how many threads local values have places."""
        self._words[SERIES.place("threads")] = min(threads, self._most_threads)

    def set_turns(self, number: int, turns: int) -> None:
        """Iterations (≥ 1) of one of the strands from now on."""
        self._strands[number].set_turns(turns)

    def set_rounds(self, rounds: int) -> None:
        """Rounds (≥ 1) from now on."""
        self._words[SERIES.place("rounds")] = rounds


def shares(tasks: Sequence[AnyTask], threads: int) -> list[list[tuple[int, int, int]]]:
    """What each thread begins with: (number of the task, first chunk, chunks) of its share.

    Every thread gets the same part of each task, in order; chunks left over go, the most
    expensive first, to those who have the least to do.
    """
    load = [0.0] * threads
    extra = [[0] * threads for _ in tasks]
    price = [task.cost / max(task.chunks, 1) for task in tasks]
    for number in sorted(range(len(tasks)), key=lambda n: -price[n]):
        whole, rest = divmod(tasks[number].chunks, threads)
        least = sorted(range(threads), key=lambda t: load[t])[:rest]
        for t in range(threads):
            extra[number][t] = int(t in least)
            load[t] += (whole + extra[number][t]) * price[number]
    parts: list[list[tuple[int, int, int]]] = [[] for _ in range(threads)]
    for number, task in enumerate(tasks):
        start = 0
        for t in range(threads):
            count = task.chunks // threads + extra[number][t]
            if count:
                parts[t].append((number, start, count))
            start += count
    return parts


class _Driver:
    """The native functions of :mod:`runtime_ir`, callable from Python."""

    def __init__(self, addresses: Mapping[str, int]) -> None:
        self._addresses = addresses  # keeps the code loaded
        word, pointer = ctypes.c_int64, ctypes.c_void_p
        # No result: making a Python integer of it would cost a third of the call.
        self.run: Callable[..., None] = _function(
            addresses[ir.RUN_NAME], None, pointer, pointer, word
        )
        self.work: Callable[[int, int], int] = _function(
            addresses[ir.WORK_NAME], word, pointer, word
        )
        self.strand = addresses[ir.STRAND_NAME]
        self.series = addresses[ir.SERIES_NAME]
        self.ticks: Callable[[], int] = _function(addresses[ir.TICKS_NAME], word)


def _function(address: int, result: Any, *arguments: Any) -> Any:
    return ctypes.CFUNCTYPE(result, *arguments)(address)


_ONE = ctypes.c_int64(1)
_loaded: _Driver | None = None
_tick_rate = 0.0


def _driver() -> _Driver:
    """The driver for this machine, loaded at its first use."""
    global _loaded
    if _loaded is None:
        target = host_target()
        _loaded = _Driver(load_kernels(ir.driver_kernels(target.triple.split("-")[0]), target))
    return _loaded


def _ticks_per_second() -> float:
    """Rate of the profile's clock, measured against the system's over 20 ms, once."""
    global _tick_rate
    if not _tick_rate:
        ticks = _driver().ticks
        start, ticks_before = time.perf_counter(), ticks()
        time.sleep(0.02)
        ticks_after, stop = ticks(), time.perf_counter()
        _tick_rate = max(1, ticks_after - ticks_before) / (stop - start)
    return _tick_rate


def _check(table_size: int, regions: Sequence[Region], strided: Sequence[tuple[int, int]]) -> None:
    """Refuse what would make native code read or write where it must not."""
    for r, region in enumerate(regions):
        for t, task in enumerate(region.kernels()):
            where = f"Task {t} of region {r}"
            if task.kernel_address <= 0:
                raise ArgumentError(
                    f"{where} has no kernel: address {task.kernel_address}.",
                    "Compile the kernel first and pass its address.",
                )
            if task.chunks < 0:
                raise ArgumentError(
                    f"{where} has {task.chunks} chunks; it needs 0 or more.",
                    "Use the number of chunks that the kernel was made for.",
                )
            for slot in task.slots:
                _check_slot(slot, table_size, where)
    for slot, _ in strided:
        _check_slot(slot, table_size, "A strided pointer")


def _check_slot(slot: int, table_size: int, where: str) -> None:
    if not 0 <= slot < table_size:
        raise ArgumentError(
            f"{where} uses slot {slot}, but the table has {table_size} entries.",
            f"Use a slot from 0 to {table_size - 1}, or make the table larger.",
        )
