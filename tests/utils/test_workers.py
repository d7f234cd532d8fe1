"""Loaders with worker processes give what loaders without give, and end as they should."""

from __future__ import annotations

import copy
import gc
import importlib
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_same
from pellucid.base.errors import ShapeError, WorkerError
from pellucid.base.shared_memory import AVAILABLE
from pellucid.utils.data import DataLoader, TensorDataset
from utils import loading
from utils.loading import Rows

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
METHODS = ("fork", "spawn", "forkserver")


def children() -> set[int]:
    """Processes that this one has started and that still live."""
    found = set()
    for path in Path("/proc/self/task").glob("*/children"):
        found |= {int(pid) for pid in path.read_text().split()}
    return found


@pytest.fixture
def no_process_is_left() -> Any:
    """After the test there are no more children than before it."""
    forkserver.ensure_running()  # helpers of multiprocessing itself, which stay
    resource_tracker.ensure_running()
    before = children()
    yield
    gc.collect()
    deadline = time.monotonic() + 10
    while children() - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not children() - before


def seeded(seed: int = 3) -> pellucid.Generator:
    return pellucid.Generator().manual_seed(seed)


@pytest.mark.parametrize("method", METHODS)
def test_batches_are_those_without_workers(method: str) -> None:
    data = Rows(11)
    expected = list(DataLoader(data, 3, shuffle=True, generator=seeded()))
    given = DataLoader(
        data, 3, shuffle=True, generator=seeded(), num_workers=2, multiprocessing_context=method
    )
    assert len(given) == 4
    found = list(given)
    assert [b[1].tolist() for b in found] == [b[1].tolist() for b in expected]
    assert [list(b[2]) for b in found] == [list(b[2]) for b in expected]
    for ours, wanted in zip(found, expected, strict=True):
        assert_same(ours[0], wanted[0])
    assert found[0][0].is_shared() is AVAILABLE
    found[0][0].add_(1)  # may be written
    assert_same(found[0][0], expected[0][0] + 1)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("persistent", [False, True])
def test_two_passes_are_the_same_for_any_number_of_workers(
    workers: int, persistent: bool, no_process_is_left: None
) -> None:
    def passes(**settings: Any) -> list[Any]:
        pellucid.manual_seed(8)
        loader = DataLoader(Rows(13, 2), 2, shuffle=True, drop_last=True, **settings)
        return [[batch[1].tolist() for batch in loader] for _ in range(2)]

    assert passes(num_workers=workers, persistent_workers=persistent) == passes()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "uint8", "bool"])
@pytest.mark.parametrize("rows", [3, 20_000])
def test_every_dtype_arrives(dtype: str, rows: int) -> None:
    values = pellucid.arange(rows).remainder(2).to(getattr(pellucid, dtype))
    (batch,) = DataLoader(TensorDataset(values), rows, num_workers=1)
    assert batch[0].dtype is values.dtype
    assert batch[0].float().tolist() == values.float().tolist()


def test_arrays_in_any_structure_may_be_written() -> None:
    loader = DataLoader(Rows(2, 2), 2, num_workers=1, collate_fn=loading.same)
    (rows,) = loader
    rows[0][0].fill_(7)
    assert rows[0][0].sum().item() == 28 and rows[1][0].sum().item() == 4


@pytest.mark.parametrize(
    "error",
    [ValueError("no such row"), KeyError("name"), ShapeError("do not fit", "reshape"), OSError(2)],
)
def test_an_error_keeps_its_class_and_shows_the_workers_traceback(
    error: Exception, no_process_is_left: None
) -> None:
    loader = iter(DataLoader(loading.Fails(error), 2, num_workers=2))
    found = [next(loader).tolist() for _ in range(2)]
    with pytest.raises(type(error)) as caught:
        next(loader)
    text = str(caught.value)
    assert f"Caught {type(error).__name__} in DataLoader worker process 0" in text
    assert "__getitem__" in text and "raise self.error" in text and "\n" in text
    assert found + [b.tolist() for b in loader] == [[0, 1], [2, 3], [6, 7], [8, 9], [10, 11]]


def test_errors_that_cannot_be_made_again_are_runtime_errors() -> None:
    class Local(LookupError):
        def __init__(self, first: int, second: int) -> None:
            super().__init__(first, second)

    with pytest.raises(LookupError, match="Caught Local in DataLoader"):
        list(DataLoader(loading.Fails(Local(1, 2)), 6, num_workers=1))
    with pytest.raises(RuntimeError, match="Caught UnicodeDecodeError"):
        wrong = UnicodeDecodeError("utf-8", b"x", 0, 1, "why")
        list(DataLoader(loading.Fails(wrong), 6, num_workers=1))
    with pytest.raises(RuntimeError, match="Caught StopIteration"):
        list(DataLoader(loading.Fails(StopIteration()), 6, num_workers=1))


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGKILL, "killed by signal: SIGKILL"), (0, "exited unexpectedly with exit code 3")],
)
@pytest.mark.parametrize("persistent", [False, True])
def test_a_worker_that_ends_is_noticed(
    number: int, said: str, persistent: bool, no_process_is_left: None
) -> None:
    loader = DataLoader(loading.Kills(number), 1, num_workers=3, persistent_workers=persistent)
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=rf"DataLoader worker \(pid \d+\) (is )?{said}"):
        list(loader)
    with pytest.raises(WorkerError):  # a new pass begins with new workers
        list(loader)
    assert time.monotonic() - began < 20


def test_a_worker_that_is_killed_while_nobody_waits() -> None:
    loader = DataLoader(loading.Process(40, 2), 1, num_workers=2)
    batches = iter(loader)
    os.kill(int(next(batches)[1].item()), signal.SIGKILL)
    with pytest.raises(RuntimeError, match="killed by signal: SIGKILL"):
        list(batches)
    with pytest.raises(RuntimeError, match="have ended"):
        next(batches)


def test_timeouts() -> None:
    loader = DataLoader(loading.Slow(4, 1.5), 1, num_workers=1, timeout=0.2)
    batches = iter(loader)
    with pytest.raises(RuntimeError, match="timed out after 0.2 seconds"):
        next(batches)
    loader = DataLoader(loading.Slow(4, 0.0), 1, num_workers=1, timeout=20)
    assert [b.item() for b in loader] == [0, 1, 2, 3]


@pytest.mark.parametrize("persistent", [False, True])
def test_leaving_early_leaves_no_processes(persistent: bool, no_process_is_left: None) -> None:
    loader = DataLoader(Rows(200, 200), 4, num_workers=2, persistent_workers=persistent)
    for batch in loader:
        assert batch[1].tolist() == [0, 1, 2, 3]
        break
    assert [b[1][0].item() for b, _ in zip(loader, range(3), strict=False)] == [0, 4, 8]
    del batch, loader


def test_persistent_workers_stay(no_process_is_left: None) -> None:
    loader = DataLoader(loading.Process(8, 2), 2, num_workers=2, persistent_workers=True)
    first = [batch[1].tolist() for batch in loader]
    next(iter(loader))  # left at once
    second = [batch[1].tolist() for batch in loader]
    assert first == second and len({pid for batch in first for pid in batch}) == 2
    assert first[0] != first[1]
    other = copy.deepcopy(loader)
    pids = {pid for batch in other for pid in batch[1].tolist()}
    assert len(pids) == 2 and not pids & {pid for batch in first for pid in batch}
    del loader, other


def test_rows_in_turn_are_divided_by_worker_info(no_process_is_left: None) -> None:
    loader = DataLoader(loading.Shards(11), 2, num_workers=3)
    found = [batch.tolist() for batch in loader]
    assert found == [[0, 3], [1, 4], [2, 5], [6, 9], [7, 10], [8]]
    full = DataLoader(loading.Shards(11), 2, num_workers=3, drop_last=True)
    assert [batch.tolist() for batch in full] == found[:-1]
    one_by_one = DataLoader(loading.Shards(5), batch_size=None, num_workers=2)
    assert list(one_by_one) == [0, 1, 2, 3, 4]
    kept = DataLoader(loading.Shards(5), 2, num_workers=2, persistent_workers=True)
    assert [[b.tolist() for b in kept] for _ in range(2)] == [[[0, 2], [1, 3], [4]]] * 2
    del kept


def test_more_rows_than_their_length_says_is_warned_of() -> None:
    data = loading.Shards(4, divided=False, length=4)
    with pytest.warns(UserWarning, match="get_worker_info"):
        assert len(list(DataLoader(data, 2, num_workers=2))) == 4


def test_workers_seed_all_generators_from_the_loaders_generator() -> None:
    def rows(seed: int, workers: int = 2) -> list[Any]:
        loader = DataLoader(
            loading.Draws(8), 2, num_workers=workers, generator=seeded(seed),
            collate_fn=loading.same,
        )  # fmt: skip
        return [row for batch in loader for row in batch]

    assert rows(1) == rows(1) and rows(1) != rows(2)
    for place in (1, 2, 3):  # Python's, NumPy's and ours
        assert len({row[place] for row in rows(1)}) == 8
    seeds = [row[4] for row in rows(1)]
    assert seeds[2] == seeds[0] + 1 and len(set(seeds)) == 2
    state = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    rows(1)
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index, union-attr]


def test_worker_init_fn_runs_in_every_worker() -> None:
    def rows() -> list[Any]:
        loader = DataLoader(
            loading.Draws(8), 2, num_workers=2, worker_init_fn=loading.seed_of_worker,
            generator=seeded(), collate_fn=loading.same,
        )  # fmt: skip
        return [row for batch in loader for row in batch]

    assert rows() == rows()
    assert rows()[0][1] == __import__("random").Random(rows()[0][4] % 2**32 + 7).random()
    with pytest.raises(ValueError, match="worker 0 will not begin"):
        list(DataLoader(Rows(), num_workers=2, worker_init_fn=loading.refuse))


@pytest.mark.parametrize("method", METHODS[:2])
def test_workers_compute_natively_after_this_process_did(
    method: str, no_process_is_left: None
) -> None:
    threads = pellucid.get_num_threads()
    pellucid.set_num_threads(3)
    try:
        expected = [loading.Heavy()[i].item() for i in range(4)]  # wakes the pool's threads
        loader = DataLoader(loading.Heavy(4), 1, num_workers=2, multiprocessing_context=method)
        assert [batch.item() for batch in loader] == pytest.approx(expected, rel=1e-5)
        assert [loading.Heavy()[i].item() for i in range(4)] == expected
    finally:
        pellucid.set_num_threads(threads)


def test_long_messages_in_both_directions_block_nobody(no_process_is_left: None) -> None:
    data = loading.Long(200)
    for workers in (1, 3):
        loader = DataLoader(data, 5, num_workers=workers, prefetch_factor=8)
        assert [batch[0][0] for batch in loader] == [chr(97 + i % 26) for i in range(0, 200, 5)]
    positions = [list(range(100_000))] * 6  # long lists of positions
    rows = TensorDataset(pellucid.arange(100_000))
    loader = DataLoader(rows, batch_sampler=positions, num_workers=1, prefetch_factor=6)
    assert [len(batch[0]) for batch in loader] == [100_000] * 6


def test_many_batches_may_be_kept(no_process_is_left: None) -> None:
    loader = DataLoader(Rows(1200, 100), 1, num_workers=2)  # more than a process may open files
    assert sum(int(batch[0][0, 0, 0].item()) for batch in list(loader)) == 1200 * 1199 // 2


def test_without_order_batches_come_when_they_are_ready(no_process_is_left: None) -> None:
    slow = loading.Slow(9, 0.5)
    loader = DataLoader(slow, 1, num_workers=2, in_order=False)
    found = [batch.item() for batch in loader]
    assert sorted(found) == list(range(9)) and found.index(0) > 3
    assert [b.item() for b in DataLoader(slow, 1, num_workers=2)] == list(range(9))


def test_what_cannot_be_sent_is_said() -> None:
    class Inside(Rows):
        pass

    with pytest.raises(RuntimeError, match="cannot be sent to a worker") as caught:
        list(DataLoader(Inside(3), num_workers=1, multiprocessing_context="spawn"))
    assert isinstance(caught.value, pickle.PicklingError)
    with pytest.raises(RuntimeError, match="cannot be sent to the process that asked"):
        list(DataLoader(loading.NotSendable(3), collate_fn=loading.same, num_workers=1))


def run(program: str, tmp_path: Path, **settings: Any) -> subprocess.Popen[str]:
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(program), encoding="utf-8")
    source = str(Path(pellucid.__file__).parents[1])
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([source, tests])}
    return subprocess.Popen(
        [sys.executable, str(path)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings,
    )  # fmt: skip


PROGRAM = """
import os, time
from pellucid.utils.data import DataLoader
from utils.loading import Process

if __name__ == "__main__":
    pids = set()
    try:
        for _, pid in DataLoader(Process(10**6, 2), 1, num_workers=2):
            pids.add(pid.item())
            if len(pids) == 2:
                print(*pids, flush=True)
                pids.add(0)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_is_ended_leaves_no_workers(tmp_path: Path, number: int) -> None:
    program = run(PROGRAM, tmp_path, start_new_session=True)
    assert program.stdout is not None
    workers = [int(pid) for pid in program.stdout.readline().split()]
    assert len(workers) == 2
    if number == signal.SIGINT:  # as the terminal does: all processes get it
        os.killpg(program.pid, number)
    else:
        os.kill(program.pid, number)
    said, complained = program.communicate(timeout=30)
    assert "Traceback" not in complained, complained
    assert ("interrupted" in said) == (number == signal.SIGINT)
    deadline = time.monotonic() + 15
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "a worker is left"
        time.sleep(0.02)


def test_workers_begin_while_other_threads_compute_and_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_process_is_left: None
) -> None:
    """A copied process does not inherit what other threads had locked."""
    for number in range(4):
        (tmp_path / f"slowly{number}.py").write_text("import time\ntime.sleep(0.05)\n")
    monkeypatch.syspath_prepend(tmp_path)
    over = threading.Event()

    def work() -> None:
        number = 0
        while not over.is_set():
            if number < 4:
                importlib.import_module(f"slowly{number}")
            number += 1
            compiled = pellucid.compile(lambda x: (x * float(number)).exp().sum())  # noqa: B023
            compiled(pellucid.ones(300, 300))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(6):
            data = loading.Imports([f"slowly{number}" for number in range(4)])
            loader = DataLoader(data, 1, num_workers=2, timeout=60, multiprocessing_context="fork")
            assert [batch.item() for batch in loader] == [0, 1, 2, 3]
    finally:
        over.set()
        thread.join()
