"""The thread pool of compiled programs.

Workers are Python daemon threads that enter native code (ctypes lets go of the interpreter lock)
and look there for chunks to run.  A worker that found nothing for some hundred microseconds after
the last program comes back and parks on a lock; the start of the next program wakes it without
waiting for it.  How chunks are handed out, and why a late worker does no harm, is described in
:mod:`pellucid.backends.cpu.runtime_ir`.  With one thread there is no pool at all.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import ctypes
import math
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pellucid.backends.cpu import runtime_ir as ir
from pellucid.base.errors import ArgumentError
from pellucid.base.forking import wait_for_imports

IDLE_POLLS = 8000
"""Polls of 20 to 50 ns each that a worker makes after a program ended before it parks."""

STACK_BYTES = 4 * 2**20
"""Stack of a worker."""

MAX_THREADS = 1024
"""Largest number of threads that :func:`set_num_threads` accepts."""

_chosen: int | None = None
_pool: ThreadPool | None = None
_lock = threading.Lock()


def available_cpus() -> int:
    """Processors that this process may use: its affinity, limited by its control group's quota.

    At least 1.  A quota of 1.5 processors counts as 2.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = _quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    if quota is not None:
        count = min(count, math.ceil(quota))
    return max(1, count)


def get_num_threads() -> int:
    """Threads that compiled programs use, the calling one included.

    What :func:`set_num_threads` chose, else :func:`available_cpus`.
    """
    global _chosen
    if _chosen is None:
        _chosen = min(available_cpus(), MAX_THREADS)
    return _chosen


def set_num_threads(count: int) -> None:
    """Use ``count`` threads (≥ 1) for compiled programs from now on; results do not change.

    Programs that are running finish as they are.  Raises
    :class:`~pellucid.base.errors.ArgumentError` if ``count`` is not an integer in 1 … 1024.
    """
    global _chosen
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_THREADS:
        raise ArgumentError(
            f"The number of threads must be an integer from 1 to {MAX_THREADS}, got {count!r}.",
            "Use 1 to run everything on the calling thread.",
        )
    shut_down()
    _chosen = count


class ThreadPool:
    """Memory shared with native code, and the workers that poll it.

    ``address`` is what the program driver takes; ``parked`` holds one locked lock per worker
    that sleeps.
    """

    def __init__(self, threads: int, work: Callable[[int, int], int]) -> None:
        size = ir.POOL_COUNTERS + ir.POOL_COUNTER_STRIDE * threads
        memory = np.zeros(size // 8 + 16, dtype=np.int64)
        shift = -memory.ctypes.data % 128
        self._words = memory[shift // 8 : shift // 8 + size // 8]
        self.address = int(self._words.ctypes.data)
        self.pointer = ctypes.c_void_p(self.address)
        self.threads = threads
        self.parked: list[_thread.LockType] = []
        self.active = False
        """Whether a program runs or is about to; set before ``parked`` is looked at."""
        yield_address, sleep_address, nap = _system_calls()
        for offset, value in (
            (ir.POOL_THREADS, threads), (ir.POOL_YIELD, yield_address),
            (ir.POOL_SLEEP, sleep_address), (ir.POOL_SLEEP_TIME, nap),
            (ir.POOL_IDLE_POLLS, IDLE_POLLS),
        ):  # fmt: skip
            self._words[offset // 8] = value
        self._work = work
        self._workers = [
            threading.Thread(target=self._serve, args=(i,), name=f"pellucid-{i}", daemon=True)
            for i in range(1, threads)
        ]
        # Kernels may keep 256 KiB on the stack; some systems give threads hardly more than that.
        previous = threading.stack_size(STACK_BYTES)
        for worker in self._workers:
            worker.start()
        threading.stack_size(previous)

    def _serve(self, index: int) -> None:
        """Life of worker ``index``: native code, then parked, until the pool ends."""
        gate = _thread.allocate_lock()
        gate.acquire()
        while not self._work(self.address, index):
            # A program may have begun since: it either sees the gate, or is seen here.
            self.parked.append(gate)
            if self.active:
                with contextlib.suppress(ValueError):  # the program was faster and opened the gate
                    self.parked.remove(gate)
                    continue
            gate.acquire()

    def wake(self) -> None:
        """Let every parked worker go back to native code; does not wait for any."""
        while self.parked:
            with contextlib.suppress(IndexError):  # another thread was faster
                self.parked.pop().release()

    def close(self) -> None:
        """Make the workers leave and wait until they have; a running program goes on alone."""
        self._words[ir.POOL_EXIT // 8] = 1
        for worker in self._workers:
            while worker.is_alive():
                self.wake()
                worker.join(0.002)


def current_pool(work: Callable[[int, int], int]) -> ThreadPool | None:
    """The pool, started at its first use; None when there is one thread.

    ``work(pool address, worker)`` is the native loop of a worker.
    """
    global _pool
    if _pool is None and get_num_threads() > 1:
        with _lock:
            if _pool is None:
                _pool = ThreadPool(get_num_threads(), work)
    return _pool


def shut_down() -> None:
    """End the workers; the next parallel program starts new ones."""
    global _pool
    with _lock:
        pool, _pool = _pool, None
    if pool is not None:
        pool.close()


def _system_calls() -> tuple[int, int, int]:
    """Addresses of "let others run" and "sleep", and the argument for the shortest sleep."""
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "win32":
            kernel = ctypes.WinDLL("kernel32")
            names, nap = (kernel.SwitchToThread, kernel.Sleep), 1  # milliseconds
        else:
            process = ctypes.CDLL(None)
            names, nap = (process.sched_yield, process.usleep), 50  # microseconds
        first, second = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in names)
        return first, second, nap
    return 0, 0, 0


def _quota(membership: Path, root: Path) -> float | None:
    """Processors granted by control groups (version 1 or 2), or None without a limit.

    ``membership`` is the file with the process's groups, ``root`` where they are mounted.  A
    group is limited by its ancestors too, so the smallest quota on the way up counts.
    """
    try:
        lines = membership.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    quotas = []
    for line in lines:
        _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if controllers == "":
            mounts = [root, root / "unified"]
        elif "cpu" in controllers.split(","):
            mounts = [root / "cpu", root / controllers]
        else:
            continue
        for mount in mounts:
            group = mount / path.lstrip("/")
            # Inside a container the path may name a group of the host that is not visible.
            for folder in (group, *group.parents):
                quotas.append(_quota_of(folder))
                if folder == mount:
                    break
    known = [quota for quota in quotas if quota is not None]
    return min(known, default=None)


def _quota_of(folder: Path) -> float | None:
    """Quota written in one control group's folder, in processors."""
    with contextlib.suppress(OSError, ValueError):
        maximum, period = (folder / "cpu.max").read_text().split()
        return None if maximum == "max" else int(maximum) / int(period)
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        maximum = (folder / "cpu.cfs_quota_us").read_text()
        period = (folder / "cpu.cfs_period_us").read_text()
        return None if int(maximum) <= 0 else int(maximum) / int(period)
    return None


def _before_fork() -> None:
    """A process with threads is not safe to copy, and Python (3.12) warns of it."""
    shut_down()
    wait_for_imports()


def _after_fork_in_child() -> None:
    """A copied process has none of the workers; their memory and locks are left alone."""
    global _pool, _lock
    _pool = None
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
atexit.register(shut_down)
