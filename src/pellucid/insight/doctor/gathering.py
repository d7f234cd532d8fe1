"""Rows for the doctor to look at, from whatever data a training is given."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor.case import Rows
from pellucid.tensor.tensor import Tensor
from pellucid.training.batches import Batch, joined, leaves, loader_batch, mapped, tensors
from pellucid.training.capture import (
    generator_state,
    generators_of,
    random_state,
    restore_generator,
    restore_random,
)
from pellucid.utils.data.dataset import Dataset, IterableDataset, is_tensor_rows, tensors_of

MOST_ROWS = 2048
"""Rows that are taken from data that are read batch by batch or row by row."""
SECONDS = 0.4
"""Time that reading them may take."""


def gather(data: Any) -> Rows | None:
    """Rows of the data; all of them where they are in memory, else the first batches (or rows at
    equal distances of a data set).

    ``data`` is a pair (features, targets) of arrays or tensors, also with weights as a third; a
    single array or tensor (features alone); a data set; or anything that gives batches each time
    it is iterated over.  None where looking would use the data up (an iterator), or where they
    cannot be read.
    """
    if data is None or isinstance(data, Rows):
        return data
    if is_tensor_rows(data):
        return _rows(tensors(tensors_of(data)))
    if isinstance(data, Tensor | np.ndarray):
        return _rows(tensors((data,)))
    if isinstance(data, tuple) and len(data) == 1:
        return gather(data[0])
    if isinstance(data, list | tuple) and len(data) in (2, 3) and not _is_batches(data):
        return _rows(tensors(data))
    if isinstance(data, Dataset) and not isinstance(data, IterableDataset):
        count = len(data) if hasattr(data, "__len__") else 0
        return _from_batches(([data[i]] for i in _spread(count)), count, single=True)
    if isinstance(data, Iterator):
        return None
    if callable(data) and not hasattr(data, "__iter__"):
        return _from_batches(([batch] for batch in data()), None)
    if hasattr(data, "__iter__"):
        return _from_loader(data)
    return None


def _is_batches(data: Any) -> bool:
    return isinstance(data, list) and isinstance(data[0], tuple)


def _rows(batch: Batch) -> Rows | None:
    first = next(leaves(batch[0]), None)
    if first is None or not tuple(first.shape):
        return None
    return Rows(batch[0], batch[1] if len(batch) > 1 else None, int(first.shape[0]))


def _spread(rows: int) -> list[int]:
    """Row numbers at equal distances."""
    count = min(rows, MOST_ROWS)
    return sorted({int(i) for i in np.linspace(0, rows - 1, count)}) if rows else []


def _from_loader(data: Any) -> Rows | None:
    random, states = random_state(), [(g, generator_state(g)) for g in generators_of(data)]
    try:
        number = len(data.dataset) if hasattr(data, "dataset") else None
    except TypeError:
        number = None
    try:
        return _from_batches(([batch] for batch in data), number)
    finally:
        restore_random(random)
        for generator, saved in states:
            restore_generator(generator, saved)


def _from_batches(
    groups: Iterable[list[Any]], number: int | None, single: bool = False
) -> Rows | None:
    """The rows of the first batches; ``single`` where each is one row without an axis for rows."""
    found: list[Batch] = []
    begun, rows = time.perf_counter(), 0
    for batch in itertools.chain.from_iterable(groups):
        made = _one_batch(batch, single)
        if made is None:
            return None
        first = next(leaves(made[0]), None)
        if first is None or not tuple(first.shape):
            return None
        if found and _form(found[0]) != _form(made):
            break  # sequences of other lengths cannot be put together
        found.append(made)
        rows += int(first.shape[0])
        if rows >= MOST_ROWS or time.perf_counter() - begun > SECONDS:
            break
    if not found:
        return None
    whole = _rows(joined(found))
    return None if whole is None else whole._replace(number=max(number or 0, whole.number))


def _one_batch(batch: Any, single: bool) -> Batch | None:
    if isinstance(batch, Tensor | np.ndarray):
        made: Batch = tensors((batch,))
    elif isinstance(batch, list | tuple) and len(batch) in (2, 3):
        made = loader_batch(batch)
    elif isinstance(batch, list | tuple) and len(batch) == 1:
        made = tensors(batch)
    else:
        return None
    return tuple(mapped(part, lambda t: t.unsqueeze(0)) for part in made) if single else made


def _form(batch: Batch) -> list[tuple[int, ...]]:
    return [tuple(t.shape[1:]) for t in leaves(batch)]


def some(rows: Rows, count: int) -> Rows:
    """At most ``count`` rows at equal distances."""
    if next(leaves(rows.features)).shape[0] <= count:
        return rows
    total = int(next(leaves(rows.features)).shape[0])
    chosen = np.unique(np.linspace(0, total - 1, count).astype(np.int64))
    return picked(rows, chosen)


def picked(rows: Rows, numbers: npt.NDArray[np.int64]) -> Rows:
    """These rows."""

    def pick(tensor: Tensor) -> Any:
        return tensors((tensor.detach().array()[numbers],))[0]

    targets = None if rows.targets is None else mapped(rows.targets, pick)
    return Rows(mapped(rows.features, pick), targets, rows.number)
