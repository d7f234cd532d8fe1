"""Data sets, samplers and loaders without workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_same
from pellucid.base.errors import ArgumentError, DataError, ShapeError
from pellucid.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)
from pellucid.utils.data._utils.collate import collate, default_collate_fn_map


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
    assert batch["b"][0].dtype is pellucid.float64 and batch["b"][1] == ("x", "y")
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


class TwoOfEach(TensorDataset):
    """Says itself how it is read."""

    def __getitem__(self, index: Any) -> Any:
        return tuple(2 * entry for entry in super().__getitem__(index))


def test_a_subclass_of_tensor_rows_is_asked_for_them() -> None:
    data = TwoOfEach(pellucid.arange(4))
    (batch,) = DataLoader(data, 4)
    assert batch[0].tolist() == [0, 2, 4, 6]
    (part,) = DataLoader(Subset(data, [3, 1]), 4)
    assert part[0].tolist() == [6, 2]


def test_gradients_flow_into_rows_that_require_them() -> None:
    x = pellucid.ones(3, 2, requires_grad=True)
    (batch,) = DataLoader(TensorDataset(x), 3)
    batch[0].sum().backward()
    assert x.grad is not None and x.grad.tolist() == [[1, 1]] * 3


def test_rows_are_asked_for_at_once_where_a_data_set_offers_that() -> None:
    asked: list[Any] = []

    class AtOnce(Squares):
        def __getitems__(self, positions: Any) -> list[Any]:
            asked.append(list(positions))
            return [p * 10 for p in positions]

    assert [b.tolist() for b in DataLoader(AtOnce(5), 2)] == [[0, 10], [20, 30], [40]]
    assert asked == [[0, 1], [2, 3], [4]]
    (both,) = DataLoader(Subset(AtOnce(5), [4, 2]), 2)
    assert both.tolist() == [40, 20]


def test_further_types_may_be_collated() -> None:
    class Span:
        def __init__(self, length: int) -> None:
            self.length = length

    def spans(batch: Any, *, collate_fn_map: Any = None) -> Any:
        return [row.length for row in batch]

    rows = [{"a": Span(1)}, {"a": Span(2)}]
    known = {**default_collate_fn_map, Span: spans}
    assert collate(rows, collate_fn_map=known) == {"a": [1, 2]}
    with pytest.raises(TypeError, match="Span"):
        default_collate(rows)


def test_random_samplers_draw_as_they_say(rng: np.random.Generator) -> None:
    seeded = lambda: pellucid.Generator().manual_seed(int(rng.integers(1 << 30)))  # noqa: E731
    several = list(RandomSampler(range(5), num_samples=12, generator=seeded()))
    assert sorted(several[:5]) == sorted(several[5:10]) == list(range(5)) and len(several) == 12
    drawn = list(RandomSampler(range(10), True, 20_000, seeded()))
    counts = np.bincount(drawn, minlength=10)
    assert ((counts - 2000) ** 2 / 2000).sum() < 35  # χ² with 9 degrees, p < 1e-4
    weights = np.array([0.0, 1.0, 3.0, 0.0, 6.0])
    drawn = list(WeightedRandomSampler(weights.tolist(), 20_000, generator=seeded()))
    counts = np.bincount(drawn, minlength=5)
    assert not counts[[0, 3]].any()
    expected = 20_000 * weights[[1, 2, 4]] / 10
    assert ((counts[[1, 2, 4]] - expected) ** 2 / expected).sum() < 20
    once = [tuple(WeightedRandomSampler(weights, 3, False, seeded())) for _ in range(20)]
    assert {tuple(sorted(places)) for places in once} == {(1, 2, 4)}
    first = [WeightedRandomSampler([1, 9], 1, False, seeded()) for _ in range(1000)]
    assert 850 < sum(next(iter(sampler)) for sampler in first) < 950


def test_without_a_generator_the_default_one_decides() -> None:
    def draws() -> Any:
        pellucid.manual_seed(5)
        return (
            list(RandomSampler(range(9))), list(SubsetRandomSampler(range(9))),
            list(WeightedRandomSampler([1.0] * 9, 9)),
            [int(b.item()) for b in DataLoader(range(9), shuffle=True)],
        )  # fmt: skip

    assert draws() == draws()
    pellucid.manual_seed(5)
    order = iter(RandomSampler(range(9)))
    first = next(order)
    pellucid.rand(100)  # drawing meanwhile changes nothing
    assert [first, *order] == draws()[0]


def test_shares_of_several_processes_cover_all_rows() -> None:
    shares = [DistributedSampler(range(11), 3, rank, seed=2) for rank in range(3)]
    for epoch in (0, 1):
        for share in shares:
            share.set_epoch(epoch)
        found = [list(share) for share in shares]
        assert [len(share) for share in found] == [4, 4, 4] == [len(share) for share in shares]
        assert set().union(*map(set, found)) == set(range(11))
    assert list(shares[0]) != list(DistributedSampler(range(11), 3, 0, seed=2))
