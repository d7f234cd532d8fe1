"""Where the rows of a training step come from: arrays in memory, or a loader of batches."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import default_generator
from pellucid.tensor.shaping import cat
from pellucid.tensor.tensor import Tensor
from pellucid.training.capture import random_state
from pellucid.training.loader_position import LoaderPosition
from pellucid.training.stepping import ArraySteps, BatchSteps

Rows = npt.NDArray[np.int64]
Pair = tuple[Tensor, Tensor]


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

    def tensors(self, batch: Any) -> Pair:
        """Features and targets of all rows of a batch."""

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
        arrays: Pair,
        steps: ArraySteps,
        size: int,
        shuffle: bool,
        seed: int,
        names: Rows | None = None,
    ) -> None:
        self.features, self.targets = arrays
        self.steps = steps
        self.rows = int(self.features.shape[0])
        self.size = min(size, self.rows)
        self.batches = -(-self.rows // self.size) if self.rows else 0
        self.shuffle = shuffle
        self.names = names
        self._seed = seed
        self._mark = ""

    @property
    def compile_seconds(self) -> float:
        """Time spent so far on making programs."""
        return self.steps.compile_seconds

    def state(self) -> dict[str, Any]:
        """What tells these rows from others; their order follows from the epoch."""
        if not self._mark:
            self._mark = _mark(self.features, self.targets)
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
            # A generator for each epoch: any epoch's order can be had without those before it.
            # NumPy's, because drawing the order must not take longer than a short epoch's steps.
            generator = np.random.Generator(np.random.PCG64([self._seed, epoch]))
            order = generator.permutation(self.rows)
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

    def tensors(self, batch: Rows) -> Pair:
        """The rows of a line."""
        rows = as_tensor(np.ascontiguousarray(batch))
        return self.features.index_select(0, rows), self.targets.index_select(0, rows)

    def rows_of(self, batch: Rows) -> Rows | None:
        """The names of a line's rows."""
        rows = np.asarray(batch)
        return rows if self.names is None else self.names[rows]

    def bytes_of(self, unit: Rows) -> int:
        """None: a unit is a view of the epoch's order."""
        return 0


class LoaderBatches:
    """Batches (features, targets) from a loader, ``several`` in each step; see :class:`Source`."""

    def __init__(self, loader: Any, steps: BatchSteps, several: int = 1) -> None:
        self.loader = loader
        self.steps = steps
        self.several = several
        self.position = LoaderPosition(loader)
        try:
            self.rows = len(loader) * int(getattr(loader, "batch_size", None) or 1)
            self.batches = -(-len(loader) // several)
        except TypeError:
            self.batches = self.rows = 0

    @property
    def compile_seconds(self) -> float:
        """Time spent so far on making programs."""
        return self.steps.compile_seconds

    def units(
        self, epoch: int, one_by_one: bool, done: int = 0
    ) -> Iterator[tuple[list[Pair], int]]:
        """(the batches of one step, their rows)."""
        position, now = self.position, random_state()
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

    def _groups(self) -> Iterator[list[Pair]]:
        """The batches of each step."""
        group: list[Pair] = []
        for pair in self._pairs():
            group.append(pair)
            if len(group) == self.several:
                yield group
                group = []
        if group:
            yield group

    def state(self) -> dict[str, Any]:
        """Random numbers at the beginning of the epoch, and how many were drawn since."""
        return self.position.state()

    def go_on(self, state: dict[str, Any]) -> None:
        """The batches that were learned from are asked for once more, and left out."""
        self.position.load(state)

    def _pairs(self) -> Iterator[Pair]:
        for batch in self.loader:
            if not isinstance(batch, list | tuple) or len(batch) != 2:
                raise DataError(
                    "A batch is not a pair (features, targets)",
                    "Let the data set return pairs, or the loader's collate_fn make them.",
                )
            yield as_tensor(batch[0]), as_tensor(batch[1])

    def run(self, unit: list[Pair]) -> npt.NDArray[Any]:
        """The one step; its loss."""
        return np.array([self.steps.batch(unit)])

    def batches_of(self, unit: list[Pair]) -> list[list[Pair]]:
        """The one step."""
        return [unit]

    def repeat(self, batch: list[Pair]) -> float:
        """The step again."""
        return self.steps.batch(batch)

    def tensors(self, batch: list[Pair]) -> Pair:
        """All rows of the step's batches."""
        if len(batch) == 1:
            return batch[0]
        return cat([pair[0] for pair in batch]), cat([pair[1] for pair in batch])

    def rows_of(self, batch: list[Pair]) -> Rows | None:
        """None: a loader's rows have no numbers."""
        return None

    def bytes_of(self, unit: list[Pair]) -> int:
        """Memory of the batches."""
        return sum(int(features.nbytes + targets.nbytes) for features, targets in unit)


def _mark(*tensors: Tensor) -> str:
    """A check sum of shapes, dtypes and some hundred rows."""
    found = 0
    for tensor in tensors:
        array = tensor.array()
        found = zlib.crc32(f"{array.shape} {array.dtype}".encode(), found)
        some = array[:: max(1, len(array) // 256)]
        found = zlib.crc32(np.ascontiguousarray(some).tobytes(), found)
    return f"{found:08x}"


def _count(batches: list[Pair]) -> int:
    """Rows of all batches."""
    return sum(int(features.shape[0]) for features, _ in batches)
