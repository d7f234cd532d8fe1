"""What a worker process of a loader does: fetch batches until it is told to leave."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import random
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection as mp_connection
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.random  # NumPy loads it late otherwise, in every worker

from pellucid.backends.cpu.threads import set_num_threads
from pellucid.base.errors import PellucidError, WorkerError
from pellucid.tensor.random import manual_seed
from pellucid.tensor.state import state
from pellucid.utils.data._utils.channel import Channel
from pellucid.utils.data._utils.fetch import Recipe

__all__ = ["WorkerInfo", "get_worker_info"]

LOOKS_FOR_PARENT = 2.0
"""Seconds between two looks whether the process that asks for batches still lives."""


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker this process is.

    ``id`` counts from 0 to ``num_workers`` − 1; ``seed`` is what this worker's generators were
    started from; ``dataset`` is this process's copy of the data set.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Which worker of a :class:`~pellucid.utils.data.DataLoader` this process is; None in all
    other processes.

    An iterable data set divides its rows by it: worker ``info.id`` of ``info.num_workers`` gives
    every ``num_workers``-th row, say.
    """
    return _info


class CaughtError:
    """An error of a worker, as it is raised again where the batch was asked for."""

    def __init__(self, error: BaseException, where: str) -> None:
        self.kind = _sendable_class(type(error))
        lines = "".join(traceback.format_exception(error))
        self.message = f"Caught {type(error).__name__} {where}.\nOriginal {lines}"

    def again(self) -> BaseException:
        """An error of the same class that holds the worker's traceback in its text.

        ``RuntimeError`` for classes that are not made from a text, and for ``StopIteration``,
        which would end the loop silently.
        """
        if issubclass(self.kind, PellucidError | KeyError):
            return _with_text(self.kind, self.message)
        if not issubclass(self.kind, StopIteration):
            with contextlib.suppress(Exception):
                return self.kind(self.message)
        return RuntimeError(self.message)


def _with_text(kind: type[BaseException], text: str) -> BaseException:
    """An error of ``kind`` whose text is shown as it is."""
    with contextlib.suppress(Exception):
        if issubclass(kind, PellucidError):
            return kind(text)
        return kind(_Shown(text))
    return RuntimeError(text)


class _Shown(str):
    """A text that ``KeyError`` shows with its line breaks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _sendable_class(kind: type[BaseException]) -> type[BaseException]:
    """The class itself, or its nearest base that the other process can find by name."""
    for candidate in kind.__mro__:
        with contextlib.suppress(Exception):
            pickle.dumps(candidate)
            return candidate
    return RuntimeError


@dataclass(frozen=True)
class Assignment:
    """What a worker is told when it begins."""

    recipe: Recipe
    number: int
    workers: int
    base_seed: int
    init_fn: Callable[[int], object] | None


class Inbox:
    """The tasks of a worker, received by a thread of its own.

    So the other process never waits when it sends, and a worker whose parent is gone ends even
    while it is busy.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tasks: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._receive, daemon=True, name="pellucid-inbox").start()

    def next(self) -> tuple[str, Any]:
        """The next message: a kind and its content."""
        return self._tasks.get()

    def _receive(self) -> None:
        family, parent = os.getppid(), parent_process()
        sentinel = [] if parent is None else [parent.sentinel]
        while True:
            try:
                ready = mp_connection.wait([self._connection, *sentinel], LOOKS_FOR_PARENT)
                gone = os.getppid() != family or not {self._connection}.issuperset(ready)
                if gone and self._connection not in ready:
                    os._exit(1)
                if ready:
                    self._take(*self._connection.recv())
            except (EOFError, OSError):
                os._exit(1)
            except Exception:  # a task that cannot be read
                traceback.print_exc()
                os._exit(1)

    def _take(self, kind: str, content: Any) -> None:
        if kind != "fetch":  # a new pass, or the end: what was asked for before is not wanted
            with contextlib.suppress(queue.Empty):
                while True:
                    self._tasks.get_nowait()
        self._tasks.put((kind, content))


def worker_main(
    assignment: Assignment, tasks: Connection, results: Connection, others: list[Connection]
) -> None:
    """The life of a worker; ``others`` are ends of pipes that a forked process has got as well."""
    for other in others:
        other.close()
    _settle(assignment)
    channel, inbox = Channel(results), Inbox(tasks)
    where = f"in DataLoader worker process {assignment.number}"
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        failure: CaughtError | None = None
        try:
            if assignment.init_fn is not None:
                assignment.init_fn(assignment.number)
        except Exception as error:
            failure = CaughtError(error, where)
        _serve(assignment.recipe, inbox, channel, where, failure)


def _serve(
    recipe: Recipe, inbox: Inbox, channel: Channel, where: str, failure: CaughtError | None
) -> None:
    """Answer every task: with a batch, an error, or that there are no more rows."""
    fetch: Callable[[Any], Any] | None = None
    ended = False
    while True:
        kind, content = inbox.next()
        if kind == "stop":
            return
        if kind == "begin":
            fetch, ended = None, False
            continue
        number, wanted = content
        try:
            if failure is None and not ended:
                fetch = fetch or recipe.fetcher()
                batch = fetch(wanted)
        except StopIteration as error:
            if recipe.iterable:
                ended = True
            else:
                channel.send(number, "error", CaughtError(error, where))
                continue
        except Exception as error:
            channel.send(number, "error", CaughtError(error, where))
            continue
        if failure is not None:
            channel.send(number, "error", failure)
        elif ended:
            channel.send(number, "end", None)
        else:
            _send_batch(channel, number, batch, where)
            del batch


def _send_batch(channel: Channel, number: int, batch: Any, where: str) -> None:
    try:
        channel.send(number, "batch", batch)
    except OSError:
        raise  # nobody listens any more
    except Exception as error:
        told = WorkerError(
            f"A batch cannot be sent to the process that asked for it: {error}",
            "Return tensors, arrays, numbers and other things that pickle can store.",
        )
        told.__cause__ = error
        channel.send(number, "error", CaughtError(told, where))


def _settle(assignment: Assignment) -> None:
    """Make this process a worker: one thread, quiet on Ctrl-C, with seeds of its own."""
    global _info
    with contextlib.suppress(ValueError):  # a thread that is not the main one
        # Ctrl-C is for the process that asks for batches, which then tells the workers to leave.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    set_num_threads(1)
    state.trace = state.watcher = None
    seed = assignment.base_seed + assignment.number
    random.seed(seed)
    manual_seed(seed)
    words = np.random.SeedSequence([assignment.base_seed, assignment.number]).generate_state(4)
    np.random.seed(words.tolist())
    _info = WorkerInfo(assignment.number, assignment.workers, seed, assignment.recipe.dataset)
