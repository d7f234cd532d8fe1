"""One function in several processes; an error in one of them ends the others."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import connection as mp_connection
from multiprocessing.connection import Connection
from typing import Any

from pellucid.base.errors import PellucidError

GRACE = 5.0
"""Seconds that processes have to end after SIGTERM."""


class ProcessException(PellucidError, RuntimeError):  # noqa: N818  (PyTorch's name)
    """One of several processes failed: ``error_index`` says which, ``error_pid`` its number."""

    def __init__(self, message: str, error_index: int, error_pid: int) -> None:
        super().__init__(message)
        self.error_index = error_index
        self.error_pid = error_pid
        self.pid = error_pid

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.error_index, self.error_pid)


class ProcessRaisedException(ProcessException):
    """The function raised an error in one of the processes; its traceback is in the text."""


class ProcessExitedException(ProcessException):
    """One of the processes ended by itself, by ``exit_code`` or the signal ``signal_name``."""

    def __init__(
        self,
        message: str,
        error_index: int,
        error_pid: int,
        exit_code: int,
        signal_name: str | None = None,
    ) -> None:
        super().__init__(message, error_index, error_pid)
        self.exit_code = exit_code  # type: ignore[misc]  # of that process, not of this one
        self.signal_name = signal_name

    def __reduce__(self) -> tuple[Any, ...]:
        facts = (self.message, self.error_index, self.error_pid, self.exit_code, self.signal_name)
        return type(self), facts


def _run(fn: Callable[..., object], index: int, args: Sequence[Any], told: Connection) -> None:
    """The life of one process."""
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass  # the process that started this one gets it too
    except Exception:
        told.send(traceback.format_exc())
        raise SystemExit(1) from None


class ProcessContext:
    """Processes that :func:`start_processes` has started, in ``processes``."""

    def __init__(self, processes: Sequence[Any], errors: Sequence[Connection]) -> None:
        self.processes = list(processes)
        self._errors = list(errors)
        self._running = dict(enumerate(self.processes))

    def pids(self) -> list[int]:
        """Numbers of the processes."""
        return [int(process.pid) for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait until a process ends, at most ``timeout`` seconds; True when all have ended.

        When one has failed, the others are told to end, and ended after ``grace_period`` seconds
        (5 unless given).  Raises ``ProcessRaisedException`` with its traceback, or
        ``ProcessExitedException`` where there is none.
        """
        signs = {process.sentinel: i for i, process in self._running.items()}
        ended = [signs[sign] for sign in mp_connection.wait(list(signs), timeout)] if signs else []
        for index in ended:
            self._running.pop(index).join()
        failed = next((i for i in ended if self.processes[i].exitcode != 0), None)
        if failed is None:
            return not self._running
        self._end_all(GRACE if grace_period is None else grace_period)
        raise self._failure(failed)

    def _end_all(self, patience: float) -> None:
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + patience
        for process in self._running.values():
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        self._running.clear()

    def _failure(self, index: int) -> ProcessException:
        process = self.processes[index]
        with contextlib.suppress(EOFError, OSError):
            if self._errors[index].poll():
                text = self._errors[index].recv()
                told = f"\n\n-- Process {index} terminated with the following error:\n{text}"
                return ProcessRaisedException(told, index, process.pid)
        code = process.exitcode
        if code < 0:
            known = {number.value: number.name for number in signal.Signals}
            name = known.get(-code, str(-code))
            told = f"process {index} terminated with signal {name}"
            return ProcessExitedException(told, index, process.pid, code, name)
        told = f"process {index} terminated with exit code {code}"
        return ProcessExitedException(told, index, process.pid, code)


SpawnContext = ProcessContext
"""PyTorch's other name of it."""


def start_processes(
    fn: Callable[..., object],
    args: Sequence[Any] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Call ``fn(i, *args)`` in ``nprocs`` processes, i = 0 … nprocs − 1.

    With ``join`` it returns None when all have ended, or raises the error of the first that
    fails, after ending the others; else it returns a :class:`ProcessContext` at once.  With the
    start methods "spawn" and "forkserver" ``fn`` is a function of a module, and arguments are
    pickled; the program that starts them is guarded by ``if __name__ == "__main__"``.
    """
    context: Any = multiprocessing.get_context(start_method)
    processes, errors = [], []
    for index in range(nprocs):
        hear, tell = context.Pipe(duplex=False)
        process = context.Process(target=_run, args=(fn, index, args, tell), daemon=daemon)
        process.start()
        tell.close()
        processes.append(process)
        errors.append(hear)
    made = ProcessContext(processes, errors)
    if not join:
        return made
    while not made.join():
        pass
    return None


def spawn(
    fn: Callable[..., object],
    args: Sequence[Any] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Call ``fn(i, *args)`` in ``nprocs`` new processes: :func:`start_processes`."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)
