"""Batches from data sets, in PyTorch's language; everything happens in the calling thread.

Training on data in memory needs no loader: ``Trainer`` picks rows inside the native step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, overload

import numpy as np

from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.dataset import IterableDataset, RowsOf, is_tensor_rows, tensors_of
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import Generator, default_generator, shuffle_rows
from pellucid.tensor.shaping import stack
from pellucid.tensor.tensor import Tensor

Collate = Callable[[list[Any]], Any]
Numeric: TypeAlias = Tensor | np.ndarray | np.generic | float
"""What becomes a tensor when it is put into a batch."""
Batch = TypeVar("Batch")


def default_collate(rows: list[Any]) -> Any:
    """Rows into one batch: tensors and arrays are stacked on a new first axis, numbers become a
    tensor (float32 or int64), tuples and dicts are collated entry by entry, texts stay a list.

    Raises ``DataError`` for rows that do not fit together.
    """
    first = rows[0]
    if isinstance(first, TensorCore):
        shapes = {tuple(row.shape) for row in rows}
        if len(shapes) > 1:
            raise DataError(
                f"Rows of one batch have different shapes: {sorted(shapes)}",
                "Bring them to one shape in the data set, or pass collate_fn.",
            )
        return stack(rows)
    if isinstance(first, np.ndarray | np.generic):
        return default_collate([as_tensor(np.asarray(row)) for row in rows])
    if isinstance(first, bool):
        return as_tensor(np.array(rows, np.bool_))
    if isinstance(first, int):
        return as_tensor(np.array(rows, np.int64))
    if isinstance(first, float):
        return as_tensor(np.array(rows, np.float32))
    if isinstance(first, str | bytes):
        return rows
    if isinstance(first, Mapping):
        return {key: default_collate([row[key] for row in rows]) for key in first}
    if isinstance(first, tuple | list):
        if len({len(row) for row in rows}) > 1:
            raise DataError(
                "Rows of one batch have different numbers of entries", "Pass collate_fn."
            )
        columns = [default_collate(list(column)) for column in zip(*rows, strict=True)]
        return type(first)(*columns) if hasattr(first, "_fields") else type(first)(columns)
    raise DataError(
        f"Rows of type {type(first).__name__} cannot be put into a batch",
        "Return tensors, arrays or numbers, or pass collate_fn.",
    )


class DataLoader(Generic[Batch]):
    """Iterates over a data set in batches.

    ``dataset`` has ``__getitem__`` and ``__len__``, or only ``__iter__``.  ``shuffle`` draws a
    new order for each pass from ``generator`` (the default generator unless given), so equal
    seeds give equal batches.  ``drop_last`` leaves out a last batch that is not full.
    ``sampler`` gives positions in an order of its own, ``batch_sampler`` whole lists of them.
    ``collate_fn`` makes a batch of a list of rows.  ``num_workers`` and ``pin_memory`` are
    accepted for programs written for PyTorch and have no effect.
    """

    @overload
    def __init__(
        self: DataLoader[Sequence[Tensor]],
        dataset: RowsOf[tuple[Numeric, ...]],
        batch_size: int | None = 1,
        shuffle: bool = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: DataLoader[Tensor],
        dataset: RowsOf[Numeric],
        batch_size: int | None = 1,
        shuffle: bool = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: DataLoader[dict[str, Tensor]],
        dataset: RowsOf[Mapping[str, Numeric]],
        batch_size: int | None = 1,
        shuffle: bool = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        dataset: RowsOf[Any] | Iterable[Any],
        batch_size: int | None = 1,
        shuffle: bool = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        *,
        collate_fn: Callable[[list[Any]], Batch],
        pin_memory: bool = False,
        drop_last: bool = False,
        generator: Generator | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: DataLoader[Any],
        dataset: RowsOf[Any] | Iterable[Any],
        batch_size: int | None = 1,
        shuffle: bool = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Collate | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
    ) -> None: ...
    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Collate | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
    ) -> None:
        whole = isinstance(batch_size, int | np.integer) and not isinstance(batch_size, bool)
        if not whole or int(batch_size or 0) < 1:
            raise ArgumentError(f"batch_size={batch_size!r}", "Give a whole number from 1 up.")
        if shuffle and (sampler is not None or batch_sampler is not None):
            raise ArgumentError("DataLoader got shuffle and a sampler", "Choose one of the two.")
        self.iterable = isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__")
        if self.iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ArgumentError(
                "Rows that come one after the other cannot be shuffled or sampled",
                "Shuffle in the data set's __iter__.",
            )
        self.dataset = dataset
        self.batch_size = int(batch_size or 1)
        self.shuffle = shuffle
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.drop_last = drop_last
        self.collate_fn: Collate = collate_fn or default_collate
        self.generator = generator
        self.num_workers = num_workers

    def __len__(self) -> int:
        """Batches in one pass."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        rows = len(self.dataset if self.sampler is None else self.sampler)  # type: ignore[arg-type]
        full, rest = divmod(rows, self.batch_size)
        return full if self.drop_last or not rest else full + 1

    def __iter__(self) -> Iterator[Batch]:
        if self.iterable:
            return self._iterate_rows()
        if is_tensor_rows(self.dataset) and self.collate_fn is default_collate:
            return self._take_rows()
        return self._fetch_rows()

    def positions(self) -> Iterator[Sequence[int]]:
        """The positions of each batch of one pass; each call draws a new order."""
        if self.batch_sampler is not None:
            yield from self.batch_sampler
            return
        if self.shuffle:
            order: Any = shuffle_rows(len(self.dataset), self.generator or default_generator)
        else:
            order = range(len(self.dataset)) if self.sampler is None else list(self.sampler)
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def _take_rows(self) -> Iterator[Any]:
        arrays = [tensor.detach().numpy() for tensor in tensors_of(self.dataset)]
        for batch in self.positions():
            rows = np.asarray(batch, np.int64)
            yield [as_tensor(array[rows]) for array in arrays]

    def _fetch_rows(self) -> Iterator[Any]:
        fetch = getattr(self.dataset, "__getitems__", None)
        for batch in self.positions():
            rows = [int(row) for row in batch]
            yield self.collate_fn(fetch(rows) if fetch else [self.dataset[row] for row in rows])

    def _iterate_rows(self) -> Iterator[Any]:
        rows: list[Any] = []
        for row in self.dataset:
            rows.append(row)
            if len(rows) == self.batch_size:
                yield self.collate_fn(rows)
                rows = []
        if rows and not self.drop_last:
            yield self.collate_fn(rows)
