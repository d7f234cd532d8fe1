"""The native program driver and its thread pool: every chunk once, in order, on any threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pellucid.backends.cpu import threads
from pellucid.backends.cpu.engine import load_kernels
from pellucid.backends.cpu.ir import Function, Value, module_text
from pellucid.backends.cpu.runtime import (
    Loop,
    Move,
    NativeProgram,
    Region,
    Strand,
    Task,
    get_num_threads,
    set_num_threads,
)
from pellucid.backends.cpu.runtime import shares as shares_of
from pellucid.backends.cpu.target import host_target
from pellucid.base.errors import ArgumentError

SEED = 20240607


@pytest.fixture(scope="module", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def restore_threads() -> Iterator[None]:
    yield
    set_num_threads(threads.available_cpus())


# ---- kernels ---------------------------------------------------------------------------------


def start_kernel(name: str, operands: int) -> tuple[Function, list[Value]]:
    parameters = [("ptr", "table"), ("ptr", "slots"), ("i64", "begin"), ("i64", "end")]
    f = Function(name, parameters)
    found = []
    for k in range(operands):
        slot = f.load("i32", f.gep(f.argument("slots"), k, "i32"))
        index = f.cast("sext", slot, "i64")
        found.append(f.load("ptr", f.gep(f.argument("table"), index, "ptr")))
    return f, found


def count_text() -> str:
    """x[c] += 1 for each chunk c."""
    f, (x,) = start_kernel("count", 1)
    with f.loop(f.argument("begin"), f.argument("end")) as loop:
        at = f.gep(x, loop.index, "i64")
        f.store(f.binary("add", f.load("i64", at), f.i64(1)), at)
    f.ret()
    return module_text([f])


def mix_text() -> str:
    """y[c] = 3·x[c] + x[(7c + 1) mod n] + 1; n is behind the third operand."""
    f, (x, y, size) = start_kernel("mix", 3)
    n = f.load("i64", size)
    with f.loop(f.argument("begin"), f.argument("end")) as loop:
        far = f.binary("add", f.binary("mul", loop.index, f.i64(7)), f.i64(1))
        far = f.binary("urem", far, n)
        own = f.binary("mul", f.load("i64", f.gep(x, loop.index, "i64")), f.i64(3))
        value = f.binary("add", own, f.load("i64", f.gep(x, far, "i64")))
        value = f.binary("add", value, f.i64(1))
        f.store(value, f.gep(y, loop.index, "i64"))
    f.ret()
    return module_text([f])


# Each chunk reports that it came and waits, for a while, until two have come.
MEET_TEXT = """
define void @meet(ptr %table, ptr %slots, i64 %begin, i64 %end) {
entry:
  %x = load ptr, ptr %table
  br label %chunk
chunk:
  %c = phi i64 [ %begin, %entry ], [ %c.next, %after ]
  %more = icmp slt i64 %c, %end
  br i1 %more, label %arrive, label %exit
arrive:
  %ignored = atomicrmw add ptr %x, i64 1 seq_cst
  br label %wait
wait:
  %turn = phi i64 [ 0, %arrive ], [ %turn.next, %again ]
  %here = load atomic i64, ptr %x seq_cst, align 8
  %met = icmp sge i64 %here, 2
  %c.next = add i64 %c, 1
  br i1 %met, label %after, label %again
again:
  %turn.next = add i64 %turn, 1
  %late = icmp sgt i64 %turn, 20000000
  br i1 %late, label %missed, label %wait
missed:
  %flag = getelementptr i64, ptr %x, i64 1
  store atomic i64 1, ptr %flag seq_cst, align 8
  br label %after
after:
  br label %chunk
exit:
  ret void
}
"""


@pytest.fixture(scope="module")
def kernels(cache_folder: None) -> dict[str, int]:
    texts = {"count": count_text(), "mix": mix_text(), "meet": MEET_TEXT}
    return load_kernels(texts, host_target())


def program_on(
    arrays: list[np.ndarray], regions: list[Region], strided: Sequence[tuple[int, int]] = ()
) -> NativeProgram:
    program = NativeProgram(len(arrays), regions, strided)
    program.table[:] = [a.ctypes.data for a in arrays]
    return program


def mixing_program(
    mix: int, seed: int, regions: int
) -> tuple[NativeProgram, list[np.ndarray], np.ndarray]:
    """Ping-pong between two buffers with random chunk counts, and the answer by NumPy.

    Every value depends on values that other chunks of the region before made, so a chunk that is
    lost, done twice, or done too early or too late, changes the answer.
    """
    rng = np.random.default_rng(seed)
    n = 97
    buffers = [rng.integers(0, 2**60, n, dtype=np.int64), np.zeros(n, np.int64)]
    buffers.append(np.array([n], dtype=np.int64))
    a, b = (buffer.view(np.uint64).copy() for buffer in buffers[:2])
    records, c = [], np.arange(n)
    for r in range(regions):
        chunks = int(rng.choice([0, 1, 2, 3, 5, 17, n]))
        slots = [0, 1, 2] if r % 2 == 0 else [1, 0, 2]
        records.append(Region([Task(mix, slots, chunks)], parallel=bool(rng.random() < 0.9)))
        values = a * np.uint64(3) + a[(7 * c + 1) % n] + np.uint64(1)
        b[:chunks] = values[:chunks]
        a, b = b, a
    expected = a if regions % 2 == 0 else b
    return program_on(buffers, records), buffers, expected.view(np.int64)


# ---- chunks, tasks, regions ------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("parallel", [False, True])
def test_every_chunk_of_every_task_once(
    kernels: dict[str, int], count: int, parallel: bool
) -> None:
    set_num_threads(count)
    sizes = [5, 0, 1, 1000, 3, 64, 0]
    arrays = [np.zeros(1000, np.int64) for _ in sizes]
    tasks = [Task(kernels["count"], [slot], size) for slot, size in enumerate(sizes)]
    program = program_on(arrays, [Region(tasks, parallel)])
    for _ in range(50):
        program.run()
    for array, size in zip(arrays, sizes, strict=True):
        np.testing.assert_array_equal(array[:size], 50)
        assert not array[size:].any()


def test_the_number_of_threads_may_change_between_runs(kernels: dict[str, int]) -> None:
    sizes = [5, 1, 1000, 3]
    arrays = [np.zeros(1000, np.int64) for _ in sizes]
    tasks = [Task(kernels["count"], [slot], size) for slot, size in enumerate(sizes)]
    program = program_on(arrays, [Region(tasks, True), Region(tasks), Region(tasks, True)])
    for count in (1, 3, 2, 8, 1, 2):
        set_num_threads(count)
        program.run(2)
    for array, size in zip(arrays, sizes, strict=True):
        np.testing.assert_array_equal(array[:size], 6 * 2 * 3)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_begin_with_the_same_part_of_every_task(threads: int) -> None:
    tasks = [Task(1, [], 8, 8.0), Task(1, [], 1, 5.0), Task(1, [], 13, 1.3), Task(1, [], 1, 0.5)]
    shares = shares_of(tasks, threads)
    assert len(shares) == threads
    for number, task in enumerate(tasks):
        parts = [(first, count) for s in shares for n, first, count in s if n == number]
        ends = [first + count for first, count in parts]
        assert [first for first, _ in parts] == [0, *ends[:-1]] and ends[-1] == task.chunks
        sizes = [c for _, c in parts] + [0] * (threads - len(parts))
        assert max(sizes) - min(sizes) <= 1
    cost = [sum(c * tasks[n].cost / tasks[n].chunks for n, _, c in share) for share in shares]
    largest = max(task.cost / task.chunks for task in tasks)
    assert max(cost) - min(cost) <= largest


def test_empty_programs_run(kernels: dict[str, int]) -> None:
    NativeProgram(0, []).run()
    NativeProgram(0, [Region([]), Region([], parallel=True)]).run(3)
    x = np.zeros(1, np.int64)
    program_on([x], [Region([Task(kernels["count"], [0], 0)], parallel=True)]).run(5)
    assert x[0] == 0


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_thousands_of_tiny_regions(kernels: dict[str, int], count: int) -> None:
    set_num_threads(count)
    program, buffers, expected = mixing_program(kernels["mix"], SEED + count, 4000)
    program.run()
    np.testing.assert_array_equal(buffers[0], expected)


def test_late_threads_claim_nothing_that_is_over(kernels: dict[str, int]) -> None:
    # Regions end and begin at the highest rate there is, while workers come and go.
    set_num_threads(4)
    x = np.zeros(8, np.int64)
    sizes = [2, 8, 3, 2, 5, 4]
    regions = [Region([Task(kernels["count"], [0], size)], parallel=True) for size in sizes]
    program = program_on([x], regions)
    for steps in (1, 10, 100, 1000, 1):
        program.run(steps)
        time.sleep(0.001)
    expected = [1112 * sum(size > c for size in sizes) for c in range(8)]
    assert x.tolist() == expected


def test_bits_do_not_depend_on_threads(kernels: dict[str, int]) -> None:
    found = []
    for count in (1, 2, 5):
        set_num_threads(count)
        program, buffers, _ = mixing_program(kernels["mix"], SEED, 301)
        program.run(20)
        found.append(b"".join(buffer.tobytes() for buffer in buffers))
    assert found[0] == found[1] == found[2]


def test_several_threads_work_at_once(kernels: dict[str, int]) -> None:
    set_num_threads(2)
    x = np.zeros(2, np.int64)
    program = program_on([x], [Region([Task(kernels["meet"], [0], 2)], parallel=True)])
    for _ in range(50):
        x[:] = 0
        program.run()
        if x.tolist() == [2, 0]:
            return
    pytest.fail("the two chunks never ran at the same time")


def test_strided_slots_move_after_each_step(kernels: dict[str, int]) -> None:
    x = np.zeros((10, 4), np.int64)
    y = np.zeros(4, np.int64)
    regions = [Region([Task(kernels["count"], [0], 3), Task(kernels["count"], [1], 2)])]
    program = program_on([x, y], regions, [(0, x.strides[0])])
    program.run(6)
    program.run()
    np.testing.assert_array_equal(x[:7], [[1, 1, 1, 0]] * 7)
    assert not x[7:].any()
    assert y.tolist() == [7, 7, 0, 0]
    assert program.table[0] == x.ctypes.data + 7 * x.strides[0]
    program.run(0)
    assert y.tolist() == [7, 7, 0, 0]


def test_profile_adds_up_per_region(kernels: dict[str, int]) -> None:
    x = np.zeros(200_000, np.int64)
    regions = [Region([Task(kernels["count"], [0], size)]) for size in (200_000, 1, 100_000)]
    program = program_on([x], regions)
    program.run()
    assert program.profile().tolist() == [0, 0, 0]
    program.enable_profile()
    start = time.perf_counter()
    program.run(50)
    taken = time.perf_counter() - start
    seconds = program.profile()
    assert (seconds >= 0).all() and seconds[0] > seconds[1] and seconds[2] > seconds[1]
    assert seconds.sum() <= 1.5 * taken, "the clock's rate is measured to a few percent"
    program.enable_profile(False)
    program.run()
    assert program.profile().tolist() == [0, 0, 0]


# ---- the pool --------------------------------------------------------------------------------


def test_workers_park_and_come_back(kernels: dict[str, int]) -> None:
    set_num_threads(3)
    x = np.zeros(64, np.int64)
    program = program_on([x], [Region([Task(kernels["count"], [0], 64)], parallel=True)])
    for done in range(1, 4):
        program.run()
        assert x.tolist() == [done] * 64
        pool = threads._pool
        assert pool is not None
        deadline = time.monotonic() + 10
        while len(pool.parked) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(pool.parked) == 2


def test_one_thread_starts_no_pool(kernels: dict[str, int]) -> None:
    set_num_threads(1)
    x = np.zeros(64, np.int64)
    program_on([x], [Region([Task(kernels["count"], [0], 64)], parallel=True)]).run()
    assert threads._pool is None
    assert x.tolist() == [1] * 64


def test_serial_programs_start_no_pool(kernels: dict[str, int]) -> None:
    set_num_threads(2)
    x = np.zeros(4, np.int64)
    regions = [
        Region([Task(kernels["count"], [0], 4)]),
        Region([Task(kernels["count"], [0], 1)], True),
    ]
    program_on([x], regions).run(2)
    assert threads._pool is None
    assert x.tolist() == [4, 2, 2, 2]


def test_number_of_threads_is_checked_and_kept() -> None:
    set_num_threads(3)
    assert get_num_threads() == 3
    for bad in (0, -1, 1025, 2.0, "2", True, None):
        with pytest.raises(ArgumentError, match="must be an integer from 1 to 1024, got"):
            set_num_threads(bad)  # type: ignore[arg-type]
    assert get_num_threads() == 3


def test_old_workers_leave_when_the_number_changes(kernels: dict[str, int]) -> None:
    x = np.zeros(64, np.int64)
    program = program_on([x], [Region([Task(kernels["count"], [0], 64)], parallel=True)])
    before = threading.active_count()
    for turn, count in enumerate((4, 2, 5, 1, 3), start=1):
        set_num_threads(count)
        program.run()
        assert threading.active_count() == before + count - 1
        assert x.tolist() == [turn] * 64
    set_num_threads(1)
    assert threading.active_count() == before


def test_two_python_threads_run_two_programs(kernels: dict[str, int]) -> None:
    set_num_threads(2)
    jobs = [mixing_program(kernels["mix"], SEED + i, 2000) for i in range(3)]
    barrier = threading.Barrier(len(jobs))

    def work(program: NativeProgram) -> None:
        barrier.wait()
        program.run()

    runners = [threading.Thread(target=work, args=(job[0],)) for job in jobs]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    for _, buffers, expected in jobs:
        np.testing.assert_array_equal(buffers[0], expected)


def test_threads_change_while_programs_run(kernels: dict[str, int]) -> None:
    set_num_threads(3)
    jobs = [mixing_program(kernels["mix"], SEED + i, 500) for i in range(2)]
    expected = [mixing_program(kernels["mix"], SEED + i, 500) for i in range(2)]

    def work(program: NativeProgram) -> None:
        for _ in range(40):
            program.run()

    runners = [threading.Thread(target=work, args=(job[0],)) for job in jobs]
    for runner in runners:
        runner.start()
    for count in (1, 2, 4, 3, 2):
        set_num_threads(count)
        time.sleep(0.002)
    for runner in runners:
        runner.join()
    for job, again in zip(jobs, expected, strict=True):
        set_num_threads(1)
        again[0].run(40)
        np.testing.assert_array_equal(job[1][0], again[1][0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_process_gets_its_own_workers(kernels: dict[str, int]) -> None:
    set_num_threads(2)
    program, buffers, expected = mixing_program(kernels["mix"], SEED, 1000)
    start = [buffer.copy() for buffer in buffers]
    program.run()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert threads._pool is None
            for buffer, values in zip(buffers, start, strict=True):
                buffer[:] = values
            program.run()
            same = np.array_equal(buffers[0], expected)
            workers = threads._pool is not None and threading.active_count() == 2
            set_num_threads(1)
            status = 0 if same and workers else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for buffer, values in zip(buffers, start, strict=True):
        buffer[:] = values
    program.run()
    np.testing.assert_array_equal(buffers[0], expected)


# ---- whole processes -------------------------------------------------------------------------

PREAMBLE = f"""
import os, signal, sys, threading, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_runtime as t
t.set_num_threads(3)
kernels = t.load_kernels({{"mix": t.mix_text(), "count": t.count_text()}}, t.host_target())
program, buffers, expected = t.mixing_program(kernels["mix"], 5, 500)
"""


def run_script(script: str) -> str:
    """Output of a fresh process, which must end in good order and without a word on stderr."""
    command = [sys.executable, "-W", "error", "-c", PREAMBLE + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_process_ends_while_workers_spin() -> None:
    script = "program.run()\nprint((buffers[0] == expected).all(), flush=True)\n"
    assert run_script(script) == "True"
    assert run_script(script + "time.sleep(0.1)\n") == "True"


def test_process_ends_while_another_thread_runs_programs() -> None:
    script = """
def work():
    while True:
        program.run()
threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
print("end")
"""
    assert run_script(script) == "end"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_long_run_can_be_interrupted() -> None:
    script = """
x = t.np.zeros(10_000, t.np.int64)
task = t.Task(kernels["count"], [0], 10_000)
long = t.program_on([x], [t.Region([task], True), t.Region([task])])
signal.setitimer(signal.ITIMER_REAL, 0.2)
def interrupt(number, frame):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
try:
    long.run(10**12)
except KeyboardInterrupt:
    print("stopped", (x == x[0]).all() and x[0] > 0 and x[0] % 2 == 0)
program.run()
print((buffers[0] == expected).all())
"""
    assert run_script(script) == "stopped True\nTrue"


# ---- arguments, processors -------------------------------------------------------------------


def test_programs_are_checked(kernels: dict[str, int]) -> None:
    count = kernels["count"]
    with pytest.raises(ArgumentError, match="Task 1 of region 0 uses slot 2, but the table has 2"):
        NativeProgram(2, [Region([Task(count, [0], 1), Task(count, [2], 1)])])
    with pytest.raises(ArgumentError, match="uses slot -1"):
        NativeProgram(2, [Region([Task(count, [-1], 1)])])
    with pytest.raises(ArgumentError, match="A strided pointer uses slot 5"):
        NativeProgram(2, [], [(5, 8)])
    with pytest.raises(ArgumentError, match="Task 0 of region 1 has no kernel: address 0"):
        NativeProgram(2, [Region([]), Region([Task(0, [0], 1)])])
    with pytest.raises(ArgumentError, match="has -1 chunks; it needs 0 or more"):
        NativeProgram(2, [Region([Task(count, [0], -1)])])
    with pytest.raises(ArgumentError, match="steps must be at least 0, got -2"):
        NativeProgram(2, []).run(-2)


def test_affinity_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    monkeypatch.setattr(threads, "_quota", lambda membership, root: None)
    assert threads.available_cpus() == 3
    monkeypatch.setattr(threads, "_quota", lambda membership, root: 1.5)
    assert threads.available_cpus() == 2
    monkeypatch.setattr(threads, "_quota", lambda membership, root: 0.25)
    assert threads.available_cpus() == 1


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_quota_of_control_groups_version_2(tmp_path: Path) -> None:
    membership, root = tmp_path / "cgroup", tmp_path / "fs"
    assert threads._quota(membership, root) is None
    write(membership, "0::/user.slice/job\n")
    assert threads._quota(membership, root) is None
    write(root / "user.slice" / "job" / "cpu.max", "max 100000\n")
    assert threads._quota(membership, root) is None
    write(root / "user.slice" / "cpu.max", "250000 100000\n")
    assert threads._quota(membership, root) == 2.5
    write(root / "user.slice" / "job" / "cpu.max", "150000 100000\n")
    assert threads._quota(membership, root) == 1.5
    write(root / "cpu.max", "nonsense")
    assert threads._quota(membership, root) == 1.5


def test_quota_of_control_groups_version_1(tmp_path: Path) -> None:
    membership, root = tmp_path / "cgroup", tmp_path / "fs"
    write(membership, "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n")
    write(root / "cpu,cpuacct" / "cpu.cfs_quota_us", "-1\n")
    write(root / "cpu,cpuacct" / "cpu.cfs_period_us", "100000\n")
    assert threads._quota(membership, root) is None
    # The group's own folder is not visible inside the container; the mount's root is.
    write(root / "cpu,cpuacct" / "cpu.cfs_quota_us", "400000\n")
    assert threads._quota(membership, root) == 4.0


# ---- loops -----------------------------------------------------------------------------------


def add_text() -> str:
    """y = a + b, one number."""
    f, (a, b, y) = start_kernel("add", 3)
    f.store(f.binary("add", f.load("i64", a), f.load("i64", b)), y)
    f.ret()
    return module_text([f])


@pytest.mark.parametrize("parallel", (False, True))
def test_a_loop_and_an_inner_loop_move_their_entries(parallel: bool) -> None:
    add = load_kernels({"add": add_text()}, host_target())["add"]
    x = np.arange(12, dtype=np.int64).reshape(3, 4)
    history = np.zeros(4, np.int64)
    sums = np.zeros((3, 5), np.int64)
    # Entries 0 to 2: x, sums, history; 3 to 7 move.
    inner = Loop(
        4,
        [Move(3, 5, 24, -8), Move(4, 6, 0, 8), Move(8, 6, 8, 8)],
        [Region([Task(add, [4, 3, 8], 1)], parallel)],
    )
    after = Region([Task(add, [7, 8, 9], 1)], parallel)
    moves = [Move(5, 0, 0, 32), Move(6, 1, 0, 40), Move(7, 2, 0, 8), Move(9, 2, 8, 8)]
    program = NativeProgram(10, [Loop(3, moves, [inner, after])])
    program.table[:3] = [a.ctypes.data for a in (x, sums, history)]
    for _ in range(2):
        program.run(2)
        backwards = np.cumsum(x[:, ::-1], axis=1)
        np.testing.assert_array_equal(sums[:, 1:], backwards)
        np.testing.assert_array_equal(history[1:], np.cumsum(backwards[:, -1]))


def add_chunks_text() -> str:
    """y[c] = a[c] + b[c] for the chunks c."""
    f, (a, b, y) = start_kernel("add_chunks", 3)
    with f.loop(f.argument("begin"), f.argument("end")) as chunk:
        left, right, to = (f.gep(p, chunk.index, "i64") for p in (a, b, y))
        f.store(f.binary("add", f.load("i64", left), f.load("i64", right)), to)
    f.ret()
    return module_text([f])


@pytest.mark.parametrize("threads", (1, 2, 3))
def test_a_strand_runs_all_turns_of_each_chunk(threads: int) -> None:
    add = load_kernels({"add_chunks": add_chunks_text()}, host_target())["add_chunks"]
    turns, chunks = 5, 7
    x = np.arange(turns * chunks, dtype=np.int64).reshape(turns, chunks)
    history = np.zeros((turns + 1, chunks), np.int64)
    doubled = np.zeros((turns, chunks), np.int64)
    row = 8 * chunks
    # Entries: x, history before and after a turn, the doubled history; all but x twice over.
    tasks = [Task(add, [1, 0, 2], chunks), Task(add, [2, 2, 3], chunks)]
    strand = Strand(turns, tasks, dict.fromkeys((0, 1, 2, 3), row), chunks)
    before = get_num_threads()
    try:
        set_num_threads(threads)
        program = NativeProgram(4, [Region([strand], parallel=True)])
        start = [x.ctypes.data, history.ctypes.data, history.ctypes.data + row, doubled.ctypes.data]
        program.table[:] = start
        for _ in range(3):
            history[1:], doubled[:] = 0, 0
            program.run()
            np.testing.assert_array_equal(history[1:], np.cumsum(x, axis=0))
            np.testing.assert_array_equal(doubled, 2 * history[1:])
        assert list(program.table) == start  # the strand moves entries of its own table only
    finally:
        set_num_threads(before)


@pytest.mark.parametrize("threads", (1, 2, 3))
def test_a_strand_of_whole_tasks_runs_some_turns_in_each_chunk(threads: int) -> None:
    add = load_kernels({"add_chunks": add_chunks_text()}, host_target())["add_chunks"]
    shares, each, width = 6, 4, 7
    x = np.arange(shares * each * width, dtype=np.int64).reshape(shares * each, width)
    y = np.zeros_like(x)
    work = np.zeros((shares, width), np.int64)
    row = 8 * width
    # Entries: x, y, a workspace for each share.
    tasks = [Task(add, [0, 0, 2], width), Task(add, [2, 0, 1], width)]
    shifts = {0: each * row, 1: each * row, 2: row}
    strand = Strand(each, tasks, {0: row, 1: row}, shares, shifts=shifts)
    before = get_num_threads()
    try:
        set_num_threads(threads)
        program = NativeProgram(3, [Region([strand], parallel=True)])
        program.table[:] = [x.ctypes.data, y.ctypes.data, work.ctypes.data]
        for _ in range(3):
            y[:], work[:] = 0, 0
            program.run()
            np.testing.assert_array_equal(y, 3 * x)
            np.testing.assert_array_equal(work, 2 * x[each - 1 :: each])
    finally:
        set_num_threads(before)


def test_strands_that_cannot_be() -> None:
    with pytest.raises(ArgumentError, match="A strand of 0 turns"):
        NativeProgram(1, [Region([Strand(0, [], {}, 1)])])
    with pytest.raises(ArgumentError, match=r"A strand of 2 chunks has tasks of \[3\] chunks"):
        NativeProgram(1, [Region([Strand(1, [Task(1, [0], 3)], {}, 2)])])
    with pytest.raises(ArgumentError, match="Task 0 of region 0 uses slot 4"):
        NativeProgram(1, [Region([Strand(1, [Task(1, [4], 2)], {}, 2)])])


def test_loops_that_cannot_be() -> None:
    with pytest.raises(ArgumentError, match="A loop of 0 turns"):
        NativeProgram(1, [Loop(0, [], [])])
    with pytest.raises(ArgumentError, match="A loop uses slot 3"):
        NativeProgram(1, [Loop(1, [Move(3, 0, 0, 0)], [])])
