"""From positions to a batch, in the process where the data set lives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.base.errors import OutOfRangeError
from pellucid.tensor.core import lift
from pellucid.tensor.state import concrete
from pellucid.utils.data._utils.collate import default_collate
from pellucid.utils.data.dataset import chosen_rows, is_tensor_rows, rows_at


@dataclass(frozen=True)
class Recipe:
    """What it takes to fetch batches: it travels to the workers."""

    dataset: Any
    iterable: bool
    """Whether rows come one after the other."""
    batched: bool
    """Whether positions come in lists, and rows are collated."""
    collate_fn: Callable[[Any], Any]
    drop_last: bool

    def fetcher(self) -> Callable[[Any], Any]:
        """A function from what the sampler gives to a batch, for one pass.

        It raises ``StopIteration`` where an iterable data set has no more rows.
        """
        if self.iterable:
            return _RowsInTurn(self)
        if self.batched and self.collate_fn is default_collate and is_tensor_rows(self.dataset):
            return _TensorRows(self.dataset)
        return self._fetch

    def _fetch(self, wanted: Any) -> Any:
        if self.batched:
            return self.collate_fn(rows_at(self.dataset, wanted))
        return self.collate_fn(self.dataset[wanted])


class _RowsInTurn:
    """Batches of rows that come one after the other."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.rows = iter(recipe.dataset)
        self.ended = False

    def __call__(self, wanted: Any) -> Any:
        if not self.recipe.batched:
            return self.recipe.collate_fn(next(self.rows))
        batch: list[Any] = []
        while not self.ended and len(batch) < len(wanted):
            try:
                batch.append(next(self.rows))
            except StopIteration:
                self.ended = True
        if not batch or (self.recipe.drop_last and len(batch) < len(wanted)):
            raise StopIteration
        return self.recipe.collate_fn(batch)


class _TensorRows:
    """Rows of tensors, taken by one index array: what collating them one by one would give."""

    def __init__(self, dataset: Any) -> None:
        tensors, self.chosen = chosen_rows(dataset)
        self.arrays = [tensor.array() for tensor in tensors]
        self.length = len(dataset)

    def __call__(self, wanted: Sequence[int]) -> Any:
        rows = np.asarray(wanted, np.int64)
        if rows.size and not -self.length <= rows.min() <= rows.max() < self.length:
            raise OutOfRangeError(
                f"A sampler gave the positions {rows.min()} to {rows.max()} for {self.length} rows",
                f"Positions are −{self.length} … {self.length - 1}.",
            )
        if self.chosen is not None:
            rows = self.chosen[rows]
        with concrete():
            return [lift(array[rows]) for array in self.arrays]
