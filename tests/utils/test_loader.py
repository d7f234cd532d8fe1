"""Data sets and loaders behave as in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import pellucid
from helpers import assert_same
from pellucid.base.errors import ArgumentError, DataError, ShapeError
from pellucid.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)


class Squares(Dataset):
    """Rows (i, i²)."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.full(2, index, np.float32), index * index

    def __len__(self) -> int:
        return self.rows


def test_batches_in_order_with_a_short_last_one() -> None:
    loader = DataLoader(Squares(7), batch_size=3)
    sizes = [(x.shape, y.tolist()) for x, y in loader]
    assert sizes == [((3, 2), [0, 1, 4]), ((3, 2), [9, 16, 25]), ((1, 2), [36])]
    assert len(loader) == 3
    assert len(DataLoader(Squares(7), batch_size=3, drop_last=True)) == 2
    assert [len(y) for _, y in DataLoader(Squares(7), 3, drop_last=True)] == [3, 3]


def test_shuffling_covers_every_row_and_repeats_with_the_seed() -> None:
    def order(seed: int) -> list[list[int]]:
        generator = pellucid.Generator().manual_seed(seed)
        loader = DataLoader(Squares(50), 8, shuffle=True, generator=generator)
        passes = []
        for _ in range(2):
            passes.append([int(v) for x, _ in loader for v in x[:, 0].tolist()])
        return passes

    first, second = order(1)
    assert sorted(first) == list(range(50)) and sorted(second) == list(range(50))
    assert first != second
    assert order(1) == [first, second]
    assert order(2) != [first, second]


def test_tensor_rows_are_taken_at_once(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(10, 3)).astype(np.float32), np.arange(10)
    batches = list(DataLoader(Subset(TensorDataset(x, y), [7, 2, 5]), batch_size=2))
    assert_same(batches[0][0], x[[7, 2]])
    assert batches[1][1].tolist() == [5]


def test_random_split_is_disjoint_and_complete() -> None:
    data = TensorDataset(np.arange(11, dtype=np.float32))
    parts = random_split(data, [0.5, 0.3, 0.2], pellucid.Generator().manual_seed(4))
    assert [len(part) for part in parts] == [6, 3, 2]
    assert sorted(i for part in parts for i in part.indices) == list(range(11))
    assert [len(p) for p in random_split(data, [4, 7])] == [4, 7]
    with pytest.raises(ArgumentError, match="lengths"):
        random_split(data, [4, 4])


def test_rows_are_collated_by_kind() -> None:
    rows = [{"a": 1, "b": (2.0, "x")}, {"a": 3, "b": (4.0, "y")}]
    batch = default_collate(rows)
    assert batch["a"].dtype is pellucid.int64 and batch["a"].tolist() == [1, 3]
    assert batch["b"][0].dtype is pellucid.float32 and batch["b"][1] == ["x", "y"]
    with pytest.raises(DataError, match="different shapes"):
        default_collate([pellucid.zeros(2), pellucid.zeros(3)])
    with pytest.raises(DataError, match="cannot be put into a batch"):
        default_collate([object()])


def test_rows_that_come_one_after_the_other() -> None:
    class Counter(IterableDataset):
        def __iter__(self) -> Iterator[int]:
            return iter(range(5))

    assert [b.tolist() for b in DataLoader(Counter(), batch_size=2)] == [[0, 1], [2, 3], [4]]
    with pytest.raises(ArgumentError, match="cannot be shuffled"):
        DataLoader(Counter(), shuffle=True)


def test_data_sets_are_put_together_and_checked() -> None:
    both = Squares(3) + Squares(2)
    assert isinstance(both, ConcatDataset)
    assert [row[1] for row in (both[i] for i in range(len(both)))] == [0, 1, 4, 0, 1]
    assert both[-1][1] == 1
    with pytest.raises(ShapeError, match=r"\[3, 4\] rows"):
        TensorDataset(np.zeros(3), np.zeros(4))
    with pytest.raises(ArgumentError, match="batch_size=0"):
        DataLoader(Squares(3), batch_size=0)
    with pytest.raises(ArgumentError, match="shuffle and a sampler"):
        DataLoader(Squares(3), shuffle=True, sampler=[0, 1])
    assert [y.tolist() for _, y in DataLoader(Squares(3), 2, sampler=[2, 0])] == [[4, 0]]
