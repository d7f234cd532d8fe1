"""Where the rows of a training step come from: arrays in memory, or a loader of batches."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.waiting import begin, passed
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import default_generator
from pellucid.tensor.tensor import Tensor
from pellucid.training.batches import Batch, chosen, joined, leaves, loader_batch, rows_in
from pellucid.training.capture import random_state, restore_random
from pellucid.training.loader_position import LoaderPosition
from pellucid.training.orders import order_of
from pellucid.training.stepping import SLICE_SECONDS, ArraySteps, BatchSteps

Rows = npt.NDArray[np.int64]


class Source(Protocol):
    """Rows for training steps.

    An epoch is a series of *units*: what one call of :meth:`run` takes, one step or several.  A
    unit can be repeated batch by batch, to find the step in which something went wrong.
    """

    rows: int
    """Rows of an epoch, 0 where it is not known."""
    batches: int
    """Steps of an epoch, 0 where it is not known."""

    @property
    def compile_seconds(self) -> float:
        """Time spent so far on making programs."""

    def units(self, epoch: int, one_by_one: bool, done: int = 0) -> Iterable[tuple[Any, int]]:
        """The units of an epoch (from 1) after the first ``done`` steps, each with the rows of one
        of its steps; ``one_by_one`` makes every unit one step."""

    def state(self) -> dict[str, Any]:
        """Where it stands in its data, for :meth:`go_on`."""

    def go_on(self, state: dict[str, Any]) -> None:
        """The next epoch begins in the middle, where it stood in ``state``."""

    def run(self, unit: Any) -> npt.NDArray[Any]:
        """The steps of a unit; their losses (steps,)."""

    def batches_of(self, unit: Any) -> Iterable[Any]:
        """The unit's steps one by one."""

    def repeat(self, batch: Any) -> float:
        """One step on a batch of :meth:`batches_of`; its loss."""

    def tensors(self, batch: Any) -> Batch:
        """Features, targets and perhaps weights of all rows of a batch."""

    def some_rows(self, count: int) -> Batch | None:
        """At most so many rows, the same each time, spread over all; None where rows come once."""

    def hurry(self, seconds: float) -> None:
        """A unit should not take longer than so many seconds, where it has several steps."""

    def one_by_one(self, single: bool) -> None:
        """Whether the next unit is one step, where it would have several."""

    def rows_of(self, batch: Any) -> Rows | None:
        """The batch's rows by their names in the data, None where they have none."""

    def bytes_of(self, unit: Any) -> int:
        """Memory that keeping the unit takes."""


class ArrayRows:
    """Rows of arrays in memory, in a new order each epoch; see :class:`Source`.

    ``names`` (rows,) are the row numbers to tell in messages, unless positions are to be told.
    """

    def __init__(
        self,
        arrays: Batch,
        steps: ArraySteps,
        size: int,
        shuffle: bool,
        seed: int,
        names: Rows | None = None,
    ) -> None:
        self.arrays = arrays
        self.steps = steps
        self.rows = rows_in(arrays)
        self.size = min(size, self.rows)
        self.batches = -(-self.rows // self.size) if self.rows else 0
        self.shuffle = shuffle
        self.names = names
        self._seed = seed
        self._mark = ""
        self._sample: Batch | None = None

    @property
    def compile_seconds(self) -> float:
        """Time spent so far on making programs."""
        return self.steps.compile_seconds

    def state(self) -> dict[str, Any]:
        """What tells these rows from others; their order follows from the epoch."""
        if not self._mark:
            self._mark = _mark(*leaves(self.arrays))
        return {"data": self._mark}

    def go_on(self, state: dict[str, Any]) -> None:
        """``ArgumentError`` for other rows than those of then."""
        if state != self.state():
            raise ArgumentError(
                "The run that was saved had other training data",
                "Go on with the data of then, or begin a new run in another folder.",
            )

    def units(self, epoch: int, one_by_one: bool, done: int = 0) -> Iterator[tuple[Rows, int]]:
        """(rows of some steps, batch size), full batches first."""
        if self.shuffle:
            order = order_of(self._seed, epoch, self.rows)
        else:
            order = np.arange(self.rows, dtype=np.int64)
        full = self.rows // self.size
        lines = order[: full * self.size].reshape(full, self.size)
        at = done
        while at < full:
            until = min(full, at + (1 if one_by_one else self.steps.slice_steps))
            yield lines[at:until], self.size
            at = until
        if done <= full and full * self.size < self.rows:
            yield order[None, full * self.size :], self.rows - full * self.size

    def run(self, unit: Rows) -> npt.NDArray[Any]:
        """A step for each line; their losses."""
        return self.steps.timed(unit)

    def batches_of(self, unit: Rows) -> Rows:
        """The lines."""
        return unit

    def repeat(self, batch: Rows) -> float:
        """One step on a line."""
        return self.steps.batch(batch)

    def tensors(self, batch: Rows) -> Batch:
        """The rows of a line."""
        rows = as_tensor(np.ascontiguousarray(batch))
        return chosen(self.arrays, rows)

    def some_rows(self, count: int) -> Batch | None:
        """Rows at even distances."""
        if self._sample is None:
            rows = np.unique(np.linspace(0, self.rows - 1, min(count, self.rows)).astype(np.int64))
            self._sample = chosen(self.arrays, as_tensor(rows))
        return self._sample

    def hurry(self, seconds: float) -> None:
        """Calls do no more steps than fit into so many seconds."""
        self.steps.slice_seconds = max(0.0, min(SLICE_SECONDS, seconds))

    def one_by_one(self, single: bool) -> None:
        """The next call does one step alone."""
        self.steps.single = single

    def rows_of(self, batch: Rows) -> Rows | None:
        """The names of a line's rows."""
        rows = np.asarray(batch)
        return rows if self.names is None else self.names[rows]

    def bytes_of(self, unit: Rows) -> int:
        """None: a unit is a view of the epoch's order."""
        return 0


class LoaderBatches:
    """Batches from a loader, ``several`` in each step; see :class:`Source`.

    ``loader`` is anything that gives batches each time it is iterated over, a function that
    returns such a thing (a generator function), or a series that can be walked once (a generator).
    ``steps_per_epoch``, where it is above 0, ends an epoch after so many steps; an endless or a
    single series needs it, and goes on in the next epoch where it was.
    """

    def __init__(
        self, loader: Any, steps: BatchSteps, several: int = 1, steps_per_epoch: int = 0
    ) -> None:
        self.loader = loader
        self.steps = steps
        self.several = several
        self.position = LoaderPosition(loader)
        self.once = hasattr(loader, "__next__")
        self.limit = steps_per_epoch * several or None
        self.waited = 0.0
        """Seconds spent waiting for batches."""
        self._fetched = self._before = self._missing = 0
        """Batches so far, those of earlier epochs, and those that another process has learned
        from, of a series that is walked once."""
        try:
            self.rows = len(loader) * int(getattr(loader, "batch_size", None) or 1)
            self.batches = -(-len(loader) // several)
        except TypeError:
            self.batches = self.rows = 0
        if steps_per_epoch:
            self.batches = min(steps_per_epoch, self.batches or steps_per_epoch)

    @property
    def compile_seconds(self) -> float:
        """Time spent so far on making programs."""
        return self.steps.compile_seconds

    def units(
        self, epoch: int, one_by_one: bool, done: int = 0
    ) -> Iterator[tuple[list[Batch], int]]:
        """(the batches of one step, their rows)."""
        position, now = self.position, random_state()
        if self.once:
            for _ in itertools.islice(self.loader, self._missing):
                pass
            self._fetched, self._missing = self._fetched + self._missing, 0
            self._before = self._fetched
            restore_random(now)
        if done:
            position.rewind()
        else:
            position.begin()
        for number, group in enumerate(self._groups()):
            if number < done:
                position.skip(number, now if number == done - 1 else None)
                continue
            before = default_generator.get_offset()
            yield group, _count(group)
            position.drew(default_generator.get_offset() - before)
        if done > position.steps:
            raise DataError(
                f"The loader gave {position.steps} of the {done} batches that were learned from",
                "Go on with the data of then.",
            )

    def _groups(self) -> Iterator[list[Batch]]:
        """The batches of each step."""
        group: list[Batch] = []
        for batch in self._batches():
            group.append(batch)
            if len(group) == self.several:
                yield group
                group = []
        if group:
            yield group

    def state(self) -> dict[str, Any]:
        """Random numbers at the beginning of the epoch, and how many were drawn since."""
        return {**self.position.state(), "before": self._before}

    def go_on(self, state: dict[str, Any]) -> None:
        """The batches that were learned from are asked for once more, and left out."""
        self.position.load(state)
        self._missing = int(state["before"])

    def _batches(self) -> Iterator[Batch]:
        """The batches of a pass; of a series that begins only once, the next so many."""
        asked = begin()
        for batch in itertools.islice(self._pass(), self.limit):
            self.waited += passed(asked)
            self._fetched += 1
            yield loader_batch(batch)
            asked = begin()

    def _pass(self) -> Iterable[Any]:
        loader = self.loader
        made: Iterable[Any] = loader if hasattr(loader, "__iter__") else loader()
        return made

    def run(self, unit: list[Batch]) -> npt.NDArray[Any]:
        """The one step; its loss."""
        return np.array([self.steps.batch(unit)])

    def batches_of(self, unit: list[Batch]) -> list[list[Batch]]:
        """The one step."""
        return [unit]

    def repeat(self, batch: list[Batch]) -> float:
        """The step again."""
        return self.steps.batch(batch)

    def tensors(self, batch: list[Batch]) -> Batch:
        """All rows of the step's batches."""
        return joined(batch)

    def some_rows(self, count: int) -> Batch | None:
        """None: a loader's rows may be others each time."""
        return None

    def hurry(self, seconds: float) -> None:
        """Nothing: every unit is one step."""

    def one_by_one(self, single: bool) -> None:
        """Nothing: every unit is one step."""

    def rows_of(self, batch: list[Batch]) -> Rows | None:
        """None: a loader's rows have no numbers."""
        return None

    def bytes_of(self, unit: list[Batch]) -> int:
        """Memory of the batches."""
        return sum(int(part.nbytes) for batch in unit for part in leaves(batch))


def _mark(*tensors: Tensor) -> str:
    """A check sum of shapes, dtypes and some hundred rows."""
    found = 0
    for tensor in tensors:
        array = tensor.array()
        found = zlib.crc32(f"{array.shape} {array.dtype}".encode(), found)
        some = array[:: max(1, len(array) // 256)]
        found = zlib.crc32(np.ascontiguousarray(some).tobytes(), found)
    return f"{found:08x}"


def _count(batches: list[Batch]) -> int:
    """Rows of all batches."""
    return sum(rows_in(batch) for batch in batches)
