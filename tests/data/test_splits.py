"""Properties of the split: disjoint, complete, in proportion, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.splits import kfold, split_indices

seeds = st.integers(0, 2**31)
shares = st.tuples(st.integers(1, 20), st.integers(0, 20), st.integers(0, 20)).map(
    lambda parts: tuple(part / sum(parts) for part in parts)
)


@settings(max_examples=200, deadline=None)
@given(st.integers(3, 400), shares, seeds)
def test_A32_split_has_no_overlap(n: int, fractions: tuple[float, ...], seed: int) -> None:
    parts = split_indices(n, fractions, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    for part, share in zip(parts, fractions, strict=True):
        assert part.dtype == np.int64
        assert (len(part) == 0) == (share == 0)
        assert abs(len(part) - n * share) < 2


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(2, 60), min_size=1, max_size=6), seeds)
def test_A32_stratified_split_keeps_proportions(members: list[int], seed: int) -> None:
    labels = np.repeat(np.arange(len(members)), members)
    labels = np.random.default_rng(seed).permutation(labels)
    if len(labels) < 3:
        return
    fractions = (0.7, 0.15, 0.15)
    parts = split_indices(len(labels), fractions, seed, labels)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    for part, share in zip(parts, fractions, strict=True):
        counts = np.bincount(labels[part], minlength=len(members))
        # Within one row of the exact share; small sets may give one more to an empty part.
        assert np.all(np.abs(counts - np.array(members) * share) < 2)
        assert len(part) >= 1
    if min(members) >= 4:
        assert np.all(np.bincount(labels[parts[0]], minlength=len(members)) >= 1)


def test_A32_the_same_seed_gives_the_same_split() -> None:
    first, second = split_indices(100, seed=7), split_indices(100, seed=7)
    other = split_indices(100, seed=8)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert [len(part) for part in first] == [70, 15, 15]


def test_every_class_is_in_training() -> None:
    labels = np.array(["a"] * 2 + ["b"] * 50)
    for seed in range(20):
        train, _, _ = split_indices(52, (0.2, 0.4, 0.4), seed, labels)
        assert set(labels[train]) == {"a", "b"}


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 200), st.integers(2, 10), seeds)
def test_kfold_validates_every_row_once(n: int, k: int, seed: int) -> None:
    if k > n:
        return
    labels = np.random.default_rng(seed).integers(0, 3, n)
    folds = list(kfold(n, k, seed, labels))
    assert len(folds) == k
    assert sorted(np.concatenate([validation for _, validation in folds]).tolist()) == list(
        range(n)
    )
    per_class = []
    for train, validation in folds:
        assert sorted(np.concatenate([train, validation]).tolist()) == list(range(n))
        per_class.append(np.bincount(labels[validation], minlength=3))
    assert np.ptp([len(validation) for _, validation in folds]) <= 1
    assert np.all(np.ptp(per_class, axis=0) <= 1)


def test_senseless_arguments() -> None:
    with pytest.raises(ArgumentError, match=r"not three shares that sum to 1\n.*0\.7"):
        split_indices(10, (0.5, 0.2, 0.2))
    with pytest.raises(ArgumentError, match="not three shares"):
        split_indices(10, (0.5, 0.5))
    with pytest.raises(ArgumentError, match="not three shares"):
        split_indices(10, (float("nan"), 0.5, 0.5))
    with pytest.raises(ArgumentError, match="training share .* is 0"):
        split_indices(10, (0, 0.5, 0.5))
    with pytest.raises(ArgumentError, match="seed=-1 is no seed"):
        split_indices(10, seed=-1)
    with pytest.raises(ArgumentError, match=r"stratify has shape \(3,\), expected \(10,\)"):
        split_indices(10, stratify=[1, 2, 3])
    with pytest.raises(ArgumentError, match="n=0 rows"):
        split_indices(0)
    with pytest.raises(DataError, match="2 rows cannot be cut into 3 parts"):
        split_indices(2)
    with pytest.raises(ArgumentError, match="k=1 folds of 10 rows"):
        kfold(10, 1)
    with pytest.raises(ArgumentError, match="k=11 folds"):
        kfold(10, 11)
