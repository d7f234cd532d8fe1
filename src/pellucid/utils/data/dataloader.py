"""Batches from data sets, made here or by worker processes.

Training on data in memory needs no loader: ``Trainer`` picks rows inside the native step.
"""

from __future__ import annotations

import itertools
import multiprocessing
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from multiprocessing.context import BaseContext
from typing import Any, Generic, TypeAlias, TypeVar, overload

import numpy as np

from pellucid.base.errors import ArgumentError, ArgumentTypeError, WorkerError
from pellucid.tensor.random import Generator
from pellucid.tensor.tensor import Tensor
from pellucid.utils.data._utils.collate import default_collate, default_convert
from pellucid.utils.data._utils.fetch import Recipe
from pellucid.utils.data._utils.pool import WorkerPool
from pellucid.utils.data._utils.worker import CaughtError, WorkerInfo, get_worker_info
from pellucid.utils.data.dataset import IterableDataset, RowsOf
from pellucid.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    draw_seed,
)

__all__ = [
    "DataLoader",
    "WorkerInfo",
    "default_collate",
    "default_convert",
    "get_worker_info",
]

Collate = Callable[[Any], Any]
Context: TypeAlias = BaseContext | str | None
Numeric: TypeAlias = Tensor | np.ndarray | np.generic | float
"""What becomes a tensor when it is put into a batch."""
Batch = TypeVar("Batch")
BatchOut = TypeVar("BatchOut", covariant=True)

_FIXED = frozenset("batch_size batch_sampler sampler drop_last dataset persistent_workers".split())
"""Attributes that cannot change once the loader is made."""


class _Forever(Sampler[None]):
    """The sampler of rows that come one after the other: it never ends."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class DataLoader(Generic[Batch]):
    """Iterates over a data set in batches.

    ``dataset`` has ``__getitem__`` and ``__len__``, or only ``__iter__``.

    **Order.**  ``shuffle`` reads all rows in a new random order for each pass; ``sampler`` gives
    positions in an order of its own, ``batch_sampler`` whole lists of them.  ``drop_last`` leaves
    out a last batch that is not full.  Random orders follow from ``generator`` (the default
    generator unless given): equal seeds give equal batches, with any number of workers.

    **Batches.**  ``collate_fn`` makes a batch of a list of ``batch_size`` rows, by default
    :func:`~pellucid.utils.data.default_collate`.  ``batch_size=None``: no batches, every row by
    itself through ``collate_fn``, by default :func:`~pellucid.utils.data.default_convert`.

    **Workers.**  ``num_workers`` processes fetch and collate, ``prefetch_factor`` batches each
    ahead (2 unless given); the order is that of ``num_workers=0``, or with ``in_order=False`` that
    in which batches are ready.  Each works on one thread and seeds Python's, NumPy's and
    Pellucid's generators by a seed of the pass plus its number; then ``worker_init_fn(number)``
    runs.  ``persistent_workers`` keeps the processes for the next pass.  ``timeout``: seconds to
    wait for a batch (0: forever).  ``multiprocessing_context``: "fork", "spawn" or "forkserver",
    or a context; the last two need a data set that can be pickled.  Large arrays come through
    shared memory.  A worker's error is raised here with its class and the worker's traceback; a
    worker that ends by itself, or a timeout, is a ``WorkerError`` (a ``RuntimeError``).

    ``pin_memory`` and ``pin_memory_device`` are for memory of other devices: accepted, without
    effect.  Raises ``ArgumentError`` for arguments that exclude each other.
    """

    @overload
    def __init__(
        self: DataLoader[Sequence[Tensor]],
        dataset: RowsOf[tuple[Numeric, ...]],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: Context = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self: DataLoader[Tensor],
        dataset: RowsOf[Numeric],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: Context = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self: DataLoader[dict[str, Tensor]],
        dataset: RowsOf[Mapping[str, Numeric]],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: Context = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self,
        dataset: RowsOf[Any] | Iterable[Any],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        *,
        collate_fn: Callable[[list[Any]], Batch],
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: Context = None,
        generator: Generator | None = None,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self: DataLoader[Any],
        dataset: RowsOf[Any] | Iterable[Any],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Collate | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: Context = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None: ...
    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Collate | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: Context = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        self.dataset = dataset
        self.iterable = isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__")
        self._choose_order(batch_size, shuffle, sampler, batch_sampler, drop_last, generator)
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.num_workers = int(num_workers)
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.generator = generator
        self.collate_fn: Collate = collate_fn or (
            default_convert if self.batch_sampler is None else default_collate
        )
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._iterator: _WorkerIterator[Batch] | None = None
        self._complete = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and self.__dict__.get("_complete"):
            raise ArgumentError(
                f"{name} of a {type(self).__name__} was set after it was made",
                "Make another loader: this attribute should not be set afterwards.",
            )
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        """Copies have workers of their own."""
        return {**self.__dict__, "_iterator": None}

    def _choose_order(
        self,
        batch_size: int | None,
        shuffle: bool | None,
        sampler: Iterable[Any] | None,
        batch_sampler: Iterable[Any] | None,
        drop_last: bool,
        generator: Generator | None,
    ) -> None:
        """Check what says the order of rows, and make the samplers."""
        if self.iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ArgumentError(
                "Rows that come one after the other cannot be shuffled or sampled",
                "Shuffle in the data set's __iter__.",
            )
        if shuffle and sampler is not None:
            raise ArgumentError("DataLoader got shuffle and a sampler", "Choose one of the two.")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ArgumentError(
                    "DataLoader got batch_sampler together with batch_size, shuffle and a "
                    "sampler, or drop_last",
                    "A batch sampler decides all of these: leave the others out.",
                )
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ArgumentError(
                "DataLoader got batch_size=None, so no batches, and drop_last",
                "Leave drop_last out, or give a batch_size.",
            )
        if sampler is None:
            if self.iterable:
                sampler = _Forever()
            elif shuffle:
                sampler = RandomSampler(self.dataset, generator=generator)
            else:
                sampler = SequentialSampler(self.dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size, self.drop_last = batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler

    @property
    def multiprocessing_context(self) -> BaseContext | None:
        """How workers are started; None: as ``multiprocessing`` does unless told otherwise."""
        return self._context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Context) -> None:
        if context is not None and not self.num_workers:
            raise ArgumentError(
                "multiprocessing_context was given for num_workers=0", "Give num_workers from 1 up."
            )
        if isinstance(context, str):
            methods = multiprocessing.get_all_start_methods()
            if context not in methods:
                raise ArgumentError(
                    f"multiprocessing_context={context!r} is no start method",
                    f"Use one of {methods}.",
                )
            context = multiprocessing.get_context(context)
        if context is not None and not isinstance(context, BaseContext):
            raise ArgumentTypeError(
                f"multiprocessing_context is a {type(context).__name__}",
                "Give the name of a start method, or a context of multiprocessing.get_context.",
            )
        self._context: BaseContext | None = context

    @property
    def order(self) -> Iterable[Any]:
        """What gives positions: the batch sampler, or the sampler where there are no batches."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __len__(self) -> int:
        """Batches in one pass; for rows that come one after the other if their set has a length.

        With workers such a set may give more short batches than that, one for each worker.
        """
        if not self.iterable:
            return len(self.order)  # type: ignore[arg-type]
        rows = len(self.dataset)
        if self.batch_size is None:
            return rows
        full, rest = divmod(rows, self.batch_size)
        return full if self.drop_last or not rest else full + 1

    def __iter__(self) -> Iterator[Batch]:
        if not self.num_workers:
            return _HereIterator(self)
        if not self.persistent_workers:
            return _WorkerIterator(self)
        if self._iterator is None or self._iterator.pool.closed:
            self._iterator = _WorkerIterator(self)
        else:
            self._iterator.begin()
        return self._iterator

    def recipe(self) -> Recipe:
        """What it takes to fetch batches."""
        batched = self.batch_sampler is not None
        return Recipe(self.dataset, self.iterable, batched, self.collate_fn, self.drop_last)


def _check_workers(
    num_workers: object, timeout: float, prefetch_factor: int | None, persistent: bool
) -> None:
    """Raise ``ArgumentError`` for settings of workers that make no sense."""
    whole = isinstance(num_workers, int | np.integer) and not isinstance(num_workers, bool)
    if not whole or num_workers < 0:  # type: ignore[operator]
        raise ArgumentError(
            f"num_workers={num_workers!r} should be a non-negative whole number",
            "Use num_workers=0 to load without worker processes.",
        )
    if timeout < 0:
        raise ArgumentError(
            f"timeout={timeout!r} should be non-negative", "Give seconds; 0 waits forever."
        )
    if not num_workers and prefetch_factor is not None:
        raise ArgumentError(
            "prefetch_factor was given for num_workers=0", "Give num_workers from 1 up."
        )
    if prefetch_factor is not None and prefetch_factor < 1:
        raise ArgumentError(
            f"prefetch_factor={prefetch_factor!r}",
            "Give the number of batches that each worker makes ahead, from 1 up.",
        )
    if persistent and not num_workers:
        raise ArgumentError(
            "persistent_workers was given for num_workers=0: it needs num_workers > 0",
            "Give num_workers from 1 up.",
        )


class _LoaderIterator(Generic[BatchOut]):
    """One pass over a loader: what passes with and without workers have in common."""

    def __init__(self, loader: DataLoader[BatchOut]) -> None:
        self._loader = loader
        self._start_pass()

    def _start_pass(self) -> None:
        # Drawn in every pass, needed or not: batches do not depend on the number of workers.
        self._base_seed = draw_seed(self._loader.generator)
        self._places = iter(self._loader.order)
        self._given = 0
        self._promised: int | None = None
        if self._loader.iterable and hasattr(self._loader.dataset, "__len__"):
            self._promised = len(self._loader)

    def __iter__(self) -> Iterator[BatchOut]:
        return self

    def __len__(self) -> int:
        return len(self._loader)

    def __next__(self) -> BatchOut:
        batch = self._next()
        self._given += 1
        if self._promised is not None and self._given == self._promised + 1:
            warnings.warn(
                f"{type(self._loader.dataset).__name__} gives more rows than its __len__ says: "
                f"batch {self._given} of {self._promised}. With workers, every worker must give "
                "other rows: see get_worker_info.",
                stacklevel=2,
            )
        return batch

    def _next(self) -> BatchOut:
        raise NotImplementedError


class _HereIterator(_LoaderIterator[BatchOut]):
    """A pass whose batches are made in the calling thread."""

    def _start_pass(self) -> None:
        super()._start_pass()
        self._fetch = self._loader.recipe().fetcher()

    def _next(self) -> BatchOut:
        batch: BatchOut = self._fetch(next(self._places))
        return batch


class _WorkerIterator(_LoaderIterator[BatchOut]):
    """A pass whose batches are made by worker processes, some of them ahead.

    Tasks are numbered; worker k gets every ``num_workers``-th.  Batches are given in the order of
    the tasks, or with ``in_order=False`` as they arrive.
    """

    def __init__(self, loader: DataLoader[BatchOut]) -> None:
        self._sent = 0
        self._workers = loader.num_workers
        self._ahead = (loader.prefetch_factor or 2) * self._workers
        super().__init__(loader)
        context = loader.multiprocessing_context or multiprocessing.get_context()
        self.pool = WorkerPool(
            context, loader.recipe(), self._workers, self._base_seed, loader.worker_init_fn
        )
        self._close = weakref.finalize(self, self.pool.shut_down)
        self._ask()

    def begin(self) -> None:
        """A new pass with the same workers."""
        self._start_pass()
        self.pool.begin()
        self._ask()

    def _start_pass(self) -> None:
        super()._start_pass()
        self._first = self._turn = self._sent
        self._owner: dict[int, int] = {}
        """Task → its worker, for tasks that are not answered."""
        self._arrived: dict[int, Any] = {}
        """Task → message, for batches whose turn has not come."""
        self._active = [True] * self._workers
        self._next_worker = 0
        self._exhausted = False

    def _ask(self) -> None:
        """Give tasks to workers until enough batches are on their way."""
        while len(self._owner) + len(self._arrived) < self._ahead and not self._exhausted:
            worker = self._choose_worker()
            if worker is None:
                return
            try:
                wanted = next(self._places)
            except StopIteration:
                self._exhausted = True
                return
            self._owner[self._sent] = worker
            self._sent += 1
            self.pool.ask(worker, self._sent - 1, wanted)

    def _choose_worker(self) -> int | None:
        """The next in turn, or with ``in_order=False`` the one with the fewest tasks."""
        turns = [(self._next_worker + i) % self._workers for i in range(self._workers)]
        turns = [worker for worker in turns if self._active[worker]]
        if not turns:
            return None
        if not self._loader.in_order:
            busy = list(self._owner.values())
            turns.sort(key=busy.count)
        self._next_worker = (turns[0] + 1) % self._workers
        return turns[0]

    def _next(self) -> BatchOut:
        while True:
            message = self._whose_turn()
            if message is not None:
                break
            if not self._owner:
                if not self._loader.persistent_workers:
                    self._close()
                raise StopIteration
            self._receive()
        self._ask()
        content = message.open()
        if isinstance(content, CaughtError) and message.kind == "error":
            raise content.again()
        batch: BatchOut = content
        return batch

    def _whose_turn(self) -> Any:
        """The message that is to be given next, if it is here."""
        if not self._loader.in_order:
            return self._arrived.pop(next(iter(self._arrived)), None) if self._arrived else None
        # Tasks whose worker had no more rows are neither on their way nor here.
        while self._turn < self._sent and self._turn not in self._owner:
            self._turn += 1
            if self._turn - 1 in self._arrived:
                return self._arrived.pop(self._turn - 1)
        return None

    def _receive(self) -> None:
        if self.pool.closed:
            raise WorkerError(
                "The workers of this DataLoader have ended", "Begin a new pass: iter(loader)."
            )
        message = self.pool.receive(self._loader.timeout)
        if message.number < self._first:
            return  # asked for in an earlier pass, which was left
        worker = self._owner.pop(message.number)
        if message.kind == "end":
            self._active[worker] = False
            self._ask()
        else:
            self._arrived[message.number] = message
