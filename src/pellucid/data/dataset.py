"""Data sets: things with a length and rows, in PyTorch's language."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, overload

import numpy as np

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.tensor.arguments import Index
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import Generator, default_generator, shuffle_rows
from pellucid.tensor.tensor import Tensor

if TYPE_CHECKING:  # type variables have defaults from Python 3.13 on
    from typing_extensions import TypeVar

    Row = TypeVar("Row", default=Any)
else:
    from typing import TypeVar

    Row = TypeVar("Row")
GivenRow = TypeVar("GivenRow", covariant=True)


class RowsOf(Protocol[GivenRow]):
    """Anything that has a length and gives rows by position."""

    def __getitem__(self, index: int, /) -> GivenRow: ...

    def __len__(self) -> int: ...


class Dataset:
    """Rows that are fetched by position: define ``__getitem__`` and ``__len__``.

    A data set may also define ``__getitems__(positions)`` that returns a list of rows at once.
    """

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no __getitem__")

    def __add__(self, other: Dataset) -> ConcatDataset:
        parts: list[Any] = [self, other]
        return ConcatDataset(parts)


class TensorDataset(Dataset):
    """Rows of tensors of equal length: row i is ``(tensors[0][i], tensors[1][i], …)``.

    ``tensors``: tensors or arrays, each (rows, …).  Raises ``ShapeError`` where lengths differ.
    """

    def __init__(self, *tensors: Tensor | np.ndarray) -> None:
        self.tensors = tuple(as_tensor(tensor) for tensor in tensors)
        if not self.tensors:
            raise ArgumentError("TensorDataset got no tensors", "Pass at least one.")
        lengths = [tensor.shape[0] if tensor.shape else 0 for tensor in self.tensors]
        if len(set(lengths)) > 1:
            raise ShapeError(
                f"TensorDataset got tensors of {lengths} rows", "All need the same number of rows."
            )

    def __getitem__(self, index: Index) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])


class Subset(Dataset, Generic[Row]):
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
        return self.dataset[int(self.indices[index])]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset):
    """Several data sets one after the other."""

    def __init__(self, datasets: Sequence[RowsOf[Any]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset got no data sets", "Pass at least one.")
        self.cumulative_sizes = np.cumsum([len(d) for d in self.datasets]).tolist()

    def __getitem__(self, index: int) -> Any:
        length = len(self)
        if not -length <= index < length:
            raise IndexError(f"row {index} of {length}")
        index %= length
        which = bisect.bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - start]

    def __len__(self) -> int:
        return int(self.cumulative_sizes[-1])


class IterableDataset(Dataset):
    """Rows that come one after the other: define ``__iter__``."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} defines no __iter__")


def random_split(
    dataset: RowsOf[Row], lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset[Row]]:
    """Cuts a data set into disjoint parts at random.

    ``lengths`` are numbers of rows that sum to ``len(dataset)``, or shares that sum to 1; rows
    left over by rounding go to the first parts, one each, as in PyTorch.  ``generator`` is the
    default generator unless given.  Raises ``ArgumentError`` for lengths that do not fit.
    """
    rows = len(dataset)
    if all(isinstance(n, int | np.integer) for n in lengths) and sum(lengths) == rows:
        sizes = [int(n) for n in lengths]
    elif abs(sum(lengths) - 1) < 1e-6 and all(0 <= share <= 1 for share in lengths):
        sizes = [int(np.floor(rows * share)) for share in lengths]
        for i in range(rows - sum(sizes)):
            sizes[i % len(sizes)] += 1
    else:
        raise ArgumentError(
            f"random_split got lengths {list(lengths)} for {rows} rows",
            "Give numbers of rows that sum to the length, or shares that sum to 1.",
        )
    order = shuffle_rows(rows, generator or default_generator)
    pieces = np.split(order, np.cumsum(sizes)[:-1])
    return [Subset(dataset, piece.tolist()) for piece in pieces]


def is_tensor_rows(dataset: Any) -> bool:
    """Whether the rows of a data set can be taken with one index array: tensors all the way."""
    if isinstance(dataset, Subset):
        return is_tensor_rows(dataset.dataset)
    return isinstance(dataset, TensorDataset)


def tensors_of(dataset: Any) -> tuple[Tensor, ...]:
    """The tensors of a ``TensorDataset``, or of a ``Subset`` of one (copied)."""
    if isinstance(dataset, TensorDataset):
        return tuple(dataset.tensors)
    rows = np.asarray(dataset.indices, np.int64)
    return tuple(as_tensor(t.detach().numpy()[rows]) for t in tensors_of(dataset.dataset))
