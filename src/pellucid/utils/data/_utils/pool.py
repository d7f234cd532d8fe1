"""The workers of a loader, seen from the process that asks them for batches."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import time
import weakref
from collections.abc import Callable
from multiprocessing import connection as mp_connection
from multiprocessing.connection import Connection
from typing import Any

from pellucid.base.errors import WorkerError
from pellucid.utils.data._utils.channel import Channel, Message
from pellucid.utils.data._utils.fetch import Recipe
from pellucid.utils.data._utils.worker import Assignment, worker_main

GRACE = 5.0
"""Seconds that workers have to finish the batch in hand when they are told to leave."""

_ends: weakref.WeakSet[Connection] = weakref.WeakSet()
"""Our ends of all pipes: a forked worker closes its copies, or it would keep them open."""


class _Worker:
    """A process, and the pipes to it and from it."""

    def __init__(self, context: Any, assignment: Assignment) -> None:
        get_tasks, self.tasks = context.Pipe(duplex=False)
        self.results, give_results = context.Pipe(duplex=True)
        _ends.update((self.tasks, self.results))
        forked = context.get_start_method() == "fork"
        others = list(_ends) if forked else []
        self.process = context.Process(
            target=worker_main,
            args=(assignment, get_tasks, give_results, others),
            daemon=True,
            name=f"DataLoader worker {assignment.number}",
        )
        try:
            self.process.start()
        except Exception as error:
            self.tasks.close()
            self.results.close()
            raise _not_started(error) from error
        finally:
            get_tasks.close()
            give_results.close()
        self.channel = Channel(self.results)
        self.number = assignment.number


class _NotSendableError(WorkerError, pickle.PicklingError):
    """A data set cannot be sent to a worker."""


def _not_started(error: Exception) -> WorkerError:
    if isinstance(error, pickle.PicklingError | AttributeError | TypeError):
        return _NotSendableError(
            f"The data set cannot be sent to a worker process: {error}",
            "With this start method data set, collate_fn and worker_init_fn are pickled: define "
            "them at the top level of a module, or use multiprocessing_context='fork'.",
        )
    return WorkerError(
        f"A worker process could not be started: {error}", "Use fewer workers, or num_workers=0."
    )


class WorkerPool:
    """``workers`` processes that all work by one recipe."""

    def __init__(
        self,
        context: Any,
        recipe: Recipe,
        workers: int,
        base_seed: int,
        init_fn: Callable[[int], object] | None,
    ) -> None:
        self._owner = os.getpid()
        self._workers: list[_Worker] = []
        self.closed = False
        try:
            for number in range(workers):
                told = Assignment(recipe, number, workers, base_seed, init_fn)
                self._workers.append(_Worker(context, told))
        except BaseException:
            self.shut_down()
            raise

    def pids(self) -> list[int]:
        """Process numbers of the workers."""
        return [worker.process.pid for worker in self._workers]

    def ask(self, worker: int, number: int, wanted: Any) -> None:
        """Let a worker fetch a batch, to be known by ``number``."""
        self._send(worker, "fetch", (number, wanted))

    def begin(self) -> None:
        """Let all workers begin a new pass, whatever they were asked for before."""
        for number in range(len(self._workers)):
            self._send(number, "begin", None)

    def _send(self, worker: int, kind: str, content: Any) -> None:
        try:
            self._workers[worker].tasks.send((kind, content))
        except OSError:
            raise self._lost(self._workers[worker]) from None

    def receive(self, timeout: float) -> Message:
        """The next message of any worker.

        Raises ``WorkerError`` (a ``RuntimeError``) when a worker has ended, and after
        ``timeout`` seconds (0: never).
        """
        by_sign: dict[Any, _Worker] = {w.process.sentinel: w for w in self._workers}
        by_sign |= {worker.results: worker for worker in self._workers}
        ready = mp_connection.wait(list(by_sign), timeout or None)
        if not ready:
            raise WorkerError(
                f"DataLoader timed out after {timeout} seconds",
                "A batch takes longer than that: look into the data set, or raise timeout.",
            )
        # A worker may have sent something and then ended.
        sign = next((s for s in ready if not isinstance(s, int)), ready[0])
        worker = by_sign[sign]
        if sign is worker.results:
            with contextlib.suppress(EOFError, OSError):
                return worker.channel.receive()
        raise self._lost(worker)

    def _lost(self, worker: _Worker) -> WorkerError:
        """The error for a worker that has ended by itself; all others are told to leave."""
        worker.process.join(1.0)
        code, pid = worker.process.exitcode, worker.process.pid
        self.shut_down()
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            how = f"is killed by signal: {name}"
            hint = "The system may be out of memory: use fewer workers or smaller batches."
        else:
            how = f"exited unexpectedly with exit code {code}"
            hint = (
                "Look at what it printed. Use num_workers=0 to see errors where they occur; where "
                "processes are spawned, the main program must be guarded by "
                'if __name__ == "__main__".'
            )
        return WorkerError(f"DataLoader worker (pid {pid}) {how}", hint)

    def shut_down(self) -> None:
        """Tell the workers to leave, and see to it that they do; in their parent alone."""
        if self.closed or os.getpid() != self._owner:
            return
        self.closed = True
        for worker in self._workers:
            with contextlib.suppress(OSError, ValueError):
                worker.tasks.send(("stop", None))
        deadline = time.monotonic() + GRACE
        waiting: dict[Any, _Worker] = {worker.results: worker for worker in self._workers}
        while waiting and (left := deadline - time.monotonic()) > 0:
            # What is still on its way is taken, so that nobody waits for room in a pipe.
            for sign in mp_connection.wait(list(waiting), left):
                try:
                    waiting[sign].channel.receive()
                except (EOFError, OSError):
                    del waiting[sign]
        for worker in self._workers:
            _end(worker.process, max(0.0, deadline - time.monotonic()))
            worker.tasks.close()
            worker.results.close()


def _end(process: Any, patience: float) -> None:
    """Wait for a process, and end it if it takes too long."""
    process.join(patience)
    for end in (process.terminate, process.kill):
        if process.is_alive():
            end()
            process.join(1.0)
    with contextlib.suppress(ValueError):
        process.close()
