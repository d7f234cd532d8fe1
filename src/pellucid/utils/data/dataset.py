"""Data sets: things with a length and rows, or rows that come one after the other."""

from __future__ import annotations

import bisect
import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, overload

import numpy as np

from pellucid.base.boundary import ClearlyMade
from pellucid.base.errors import (
    ArgumentError,
    OutOfRangeError,
    RowsError,
    UnsupportedError,
)
from pellucid.tensor.arguments import Index
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import Generator, default_generator, shuffle_rows
from pellucid.tensor.tensor import Tensor

if TYPE_CHECKING:  # type variables have defaults from Python 3.13 on
    from typing_extensions import TypeVar

    Row = TypeVar("Row", default=Any)
    RowOut = TypeVar("RowOut", covariant=True, default=Any)
else:
    from typing import TypeVar

    Row = TypeVar("Row")
    RowOut = TypeVar("RowOut", covariant=True)
GivenRow = TypeVar("GivenRow", covariant=True)

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]


class RowsOf(Protocol[GivenRow]):
    """Anything that has a length and gives rows by position."""

    def __getitem__(self, index: int, /) -> GivenRow: ...

    def __len__(self) -> int: ...


class Dataset(ClearlyMade, Generic[RowOut]):
    """Rows that are fetched by position: define ``__getitem__`` and ``__len__``.

    ``Dataset[T]`` says what a row is.  A data set may also define ``__getitems__(positions)``,
    which returns a list of rows at once: a loader then asks for the rows of a batch by one call.
    """

    def __getitem__(self, index: Any) -> RowOut:
        raise UnsupportedError(
            f"{type(self).__name__} defines no __getitem__", "define it, and __len__"
        )

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        parts: list[Any] = [self, other]
        return ConcatDataset(parts)


class IterableDataset(Dataset[RowOut], Iterable[RowOut]):
    """Rows that come one after the other: define ``__iter__``.

    In the worker processes of a loader every one has a copy of the data set, and all rows would
    come once from each: divide them in ``__iter__`` by what
    :func:`~pellucid.utils.data.get_worker_info` says.  ``__len__`` is optional.
    """

    def __iter__(self) -> Iterator[RowOut]:
        raise UnsupportedError(f"{type(self).__name__} defines no __iter__", "define it")

    def __add__(self, other: Dataset[Any]) -> ChainDataset[Any]:  # type: ignore[override]
        parts: list[Any] = [self, other]
        return ChainDataset(parts)


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Rows of tensors of equal length: row i is ``(tensors[0][i], tensors[1][i], …)``.

    ``tensors``: tensors or arrays, each (rows, …).  Raises ``RowsError`` (a ``ShapeError``)
    where lengths differ.
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor | np.ndarray) -> None:
        self.tensors = tuple(as_tensor(tensor) for tensor in tensors)
        if not self.tensors:
            raise ArgumentError("TensorDataset got no tensors", "Pass at least one.")
        lengths = [tensor.shape[0] if tensor.shape else 0 for tensor in self.tensors]
        if len(set(lengths)) > 1:
            raise RowsError(
                f"TensorDataset got tensors of {lengths} rows", "All need the same number of rows."
            )

    def __getitem__(self, index: Index) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])


class StackDataset(Dataset[Any]):
    """Data sets of equal length side by side: row i holds row i of each.

    ``StackDataset(a, b)`` has tuples as rows, ``StackDataset(image=a, text=b)`` dictionaries.
    Raises ``RowsError`` where lengths differ.
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: RowsOf[Any], **kwargs: RowsOf[Any]) -> None:
        if bool(args) == bool(kwargs):
            raise ArgumentError(
                f"StackDataset got {len(args)} data sets by place and {len(kwargs)} by name",
                "Give all of them by place (rows are tuples) or all by name (dictionaries).",
            )
        self.datasets = args or kwargs
        lengths = [len(part) for part in self._parts()]
        if len(set(lengths)) > 1:
            raise RowsError(
                f"StackDataset got data sets of {lengths} rows", "All need the same length."
            )
        self._length = lengths[0]

    def _parts(self) -> list[Any]:
        found = self.datasets
        return list(found.values() if isinstance(found, dict) else found)

    def _as_row(self, entries: Sequence[Any]) -> Any:
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, entries, strict=True))
        return tuple(entries)

    def __getitem__(self, index: int) -> Any:
        return self._as_row([part[index] for part in self._parts()])

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        columns = [rows_at(part, indices) for part in self._parts()]
        return [self._as_row(entries) for entries in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


class Subset(Dataset[Row]):
    """The rows ``indices`` of another data set, in that order."""

    def __init__(self, dataset: RowsOf[Row], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: list[int]) -> Any: ...
    def __getitem__(self, index: int | list[int]) -> Any:
        if isinstance(index, list):
            rows: Any = self.dataset
            return rows[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: Sequence[int]) -> list[Row]:
        return rows_at(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[Row]):
    """Several data sets one after the other."""

    datasets: list[Any]
    cumulative_sizes: list[int]
    """Number of rows up to the end of each data set."""

    def __init__(self, datasets: Iterable[RowsOf[Row]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise RowsError("ConcatDataset got no data sets", "Pass at least one.")
        if any(isinstance(part, IterableDataset) for part in self.datasets):
            raise RowsError(
                "ConcatDataset got an IterableDataset, whose rows have no positions",
                "Use ChainDataset.",
            )
        self.cumulative_sizes = list(itertools.accumulate(len(part) for part in self.datasets))

    def __getitem__(self, index: int) -> Row:
        length = len(self)
        if not -length <= index < length:
            raise OutOfRangeError(
                f"row {index} of {length} was asked for", f"Rows are −{length} … {length - 1}."
            )
        index %= length
        which = bisect.bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[which - 1] if which else 0
        row: Row = self.datasets[which][index - start]
        return row

    def __len__(self) -> int:
        return int(self.cumulative_sizes[-1])


class ChainDataset(IterableDataset[Row]):
    """Several data sets of rows that come one after the other, one after the other."""

    def __init__(self, datasets: Iterable[Dataset[Row]]) -> None:
        self.datasets = datasets

    def _parts(self) -> Iterator[Any]:
        for part in self.datasets:
            if not isinstance(part, IterableDataset):
                raise RowsError(
                    f"ChainDataset got a {type(part).__name__}",
                    "It chains IterableDatasets; use ConcatDataset for rows with positions.",
                )
            yield part

    def __iter__(self) -> Iterator[Row]:
        for part in self._parts():
            yield from part

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts())


def random_split(
    dataset: RowsOf[Row],
    lengths: Sequence[float],
    generator: Generator | None = default_generator,
) -> list[Subset[Row]]:
    """Cuts a data set into disjoint parts at random.

    ``lengths`` are numbers of rows that sum to ``len(dataset)``, or shares that sum to 1; rows
    left over by rounding go to the first parts, one each, as in PyTorch.  ``generator`` is the
    default generator unless given.  Raises ``ArgumentError`` for lengths that do not fit, and
    warns of parts without rows.
    """
    rows = len(dataset)
    if all(isinstance(n, int | np.integer) for n in lengths) and sum(lengths) == rows:
        sizes = [int(n) for n in lengths]
    elif abs(sum(lengths) - 1) < 1e-6 and all(0 <= share <= 1 for share in lengths):
        sizes = [int(np.floor(rows * share)) for share in lengths]
        for i in range(rows - sum(sizes)):
            sizes[i % len(sizes)] += 1
        for i, size in enumerate(sizes):
            if size == 0:
                warnings.warn(f"random_split: part {i} gets no rows of {rows}", stacklevel=2)
    else:
        raise ArgumentError(
            f"random_split got lengths {list(lengths)} for {rows} rows",
            "Give numbers of rows that sum to the length, or shares that sum to 1.",
        )
    order = shuffle_rows(rows, generator or default_generator).tolist()
    ends = list(itertools.accumulate(sizes))
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def rows_at(dataset: Any, positions: Sequence[Any]) -> list[Any]:
    """The rows at these positions, by one call where the data set offers that."""
    fetch = getattr(dataset, "__getitems__", None)
    if fetch is None:
        return [dataset[position] for position in positions]
    rows: list[Any] = fetch(positions)
    if len(rows) != len(positions):
        raise RowsError(
            f"{type(dataset).__name__}.__getitems__ gave {len(rows)} rows for "
            f"{len(positions)} positions",
            "Return one row for each position.",
        )
    return rows


def is_tensor_rows(dataset: Any) -> bool:
    """Whether the rows of a data set can be taken with one index array: tensors all the way.

    Subclasses that define how they are read are read that way.
    """
    kind = type(dataset)
    if isinstance(dataset, Subset):
        own = (kind.__getitem__, kind.__getitems__) == (Subset.__getitem__, Subset.__getitems__)
        return own and is_tensor_rows(dataset.dataset)
    return (
        isinstance(dataset, TensorDataset)
        and kind.__getitem__ is TensorDataset.__getitem__
        and not hasattr(kind, "__getitems__")
        and not any(tensor.requires_grad for tensor in dataset.tensors)
    )


def chosen_rows(dataset: Any) -> tuple[tuple[Tensor, ...], np.ndarray | None]:
    """The tensors below a data set for which :func:`is_tensor_rows` holds, and the positions of
    its rows in them (None: all, in order)."""
    chosen: np.ndarray | None = None
    while isinstance(dataset, Subset):
        positions = np.asarray(dataset.indices, np.int64)
        chosen = positions if chosen is None else positions[chosen]
        dataset = dataset.dataset
    return tuple(dataset.tensors), chosen


def tensors_of(dataset: Any) -> tuple[Tensor, ...]:
    """The tensors of a ``TensorDataset``, or of a ``Subset`` of one (copied)."""
    tensors, chosen = chosen_rows(dataset)
    if chosen is None:
        return tensors
    return tuple(as_tensor(tensor.detach().numpy()[chosen]) for tensor in tensors)
