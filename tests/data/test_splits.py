"""Properties of the split: disjoint, complete, in proportion, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.cuts import Cut
from pellucid.data.sources import load_source
from pellucid.data.splits import group_folds, kfold, order_folds, split_indices

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


# --- Parts that the data say, and folds ----------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=5, max_size=30), seeds)
def test_folds_of_groups_keep_groups_and_balance_rows(sizes: list[int], seed: int) -> None:
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    fold = group_folds(groups, 3, seed)
    assert all(np.unique(fold[groups == group]).size == 1 for group in range(len(sizes)))
    counts = np.bincount(fold, minlength=3)
    assert counts.min() > 0 and counts.max() - counts.min() <= max(sizes)


def test_folds_in_order_are_tested_by_what_came_before() -> None:
    values = np.random.default_rng(0).permutation(100).astype(float)
    block = order_folds(values, 4)
    assert np.bincount(block).tolist() == [20] * 5
    for number in range(1, 5):
        assert values[block < number].max() < values[block == number].min()
    with pytest.raises(DataError, match="2 groups cannot be cut into 3 folds"):
        group_folds([1, 2, 2], 3)
    with pytest.raises(ArgumentError, match="k=1"):
        order_folds(values, 1)


def columns(rows: int = 90) -> dict[str, object]:
    rng = np.random.default_rng(5)
    return {
        "x": rng.normal(size=rows),
        "person": np.repeat(np.arange(rows // 3), 3),
        "day": np.datetime64("2020-01-01") + rng.permutation(rows),
        "y": rng.integers(0, 2, rows),
    }


@pytest.mark.parametrize("by", [{}, {"group": "person"}, {"time": "day"}, {"in_order": True}])
def test_every_row_is_tested_once_and_nothing_is_learned_from_it(by: dict[str, object]) -> None:
    data = columns()
    tested: list[int] = []
    for number in range(1, 4):
        found = load_source(data, "y", fold=(number, 3), **by)  # type: ignore[arg-type]
        parts = [set(p.indices.tolist()) for p in (found.train, found.validation, found.test)]
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
        tested += sorted(parts[2])
        if "group" in by:
            people = [{data["person"][row] for row in part} for part in parts]  # type: ignore[index]
            assert not (people[0] & people[2] or people[1] & people[2] or people[0] & people[1])
        elif not by:
            assert sum(map(len, parts)) == 90
        else:
            place = np.arange(90) if "in_order" in by else np.asarray(data["day"])
            seen = sorted(parts[0] | parts[1])
            assert place[seen].max() < place[sorted(parts[2])].min()
    assert len(tested) == len(set(tested))
    assert len(tested) == (90 if not by or "group" in by else 68)
    with pytest.raises(ArgumentError, match="fold 4 of 3"):
        load_source(data, "y", fold=(4, 3))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("part", ["train", "Validation", "TEST"]),
        ("set", ["训练", "验证", "测试"]),
        ("is_test", [False, False, True]),
        ("test", [0, 0, 1]),
        ("is_train", [True, True, False]),
    ],
)
def test_a_column_says_the_parts(name: str, words: list[object]) -> None:
    data = columns() | {name: [words[row % 3] for row in range(90)]}
    found = load_source(data, "y", split=name)
    assert found.test.indices.tolist() == list(range(2, 90, 3))
    if name in ("part", "set"):
        assert found.validation.indices.tolist() == list(range(1, 90, 3))
    else:
        assert len(found.validation) == 5 and not set(found.validation.indices % 3) & {2}
    assert name not in found.feature_names
    assert any(f"Column {name!r} says the parts" in note for note in found.notes)


def test_columns_that_say_no_parts() -> None:
    data = columns()
    with pytest.raises(DataError, match="Column 'z' says 'b', which is no part"):
        load_source(data | {"z": ["train", "b", "test"] * 30}, "y", split="z")
    with pytest.raises(DataError, match="'z' is empty in row 3"):
        load_source(data | {"z": ["train", "test", None] * 30}, "y", split="z")
    with pytest.raises(ArgumentError, match="group='person' and split='x' both say"):
        load_source(data, "y", split="x", group="person")
    with pytest.raises(ArgumentError, match="folds make all rows test rows"):
        Cut(split="x", fold=(1, 2))


def test_files_of_their_own_for_the_parts_are_read_as_the_first(tmp_path: Path) -> None:
    rows = [f"{i * 0.5},{['ja', 'nein'][i % 2]},{['a', 'b'][i % 2]}" for i in range(60)]
    (tmp_path / "train.csv").write_text("\n".join(["x,ok,y", *rows]) + "\n")
    # In this file alone the numbers would be text, and the truth values others.
    (tmp_path / "test.csv").write_text("y,x,more,ok\na,-1,z,ja\nb,7.5,z,ja\na,1e3,z,ja\n")
    data = load_source(tmp_path / "train.csv", "y", test=tmp_path / "test.csv")
    assert data.test.indices.tolist() == [60, 61, 62] and len(data.validation) == 5
    assert data.test.raw_targets.tolist() == [0, 1, 0]
    alone = load_source(tmp_path / "train.csv", "y", fractions=(11 / 12, 1 / 12, 0))
    assert alone.preprocessor == data.preprocessor
    both = load_source(
        tmp_path / "train.csv", "y", test=tmp_path / "test.csv", validation=tmp_path / "test.csv"
    )
    assert (len(both.train), len(both.validation), len(both.test)) == (60, 3, 3)
    (tmp_path / "bad.csv").write_text("y,x\na,1\n")
    with pytest.raises(DataError, match="no column named 'ok'"):
        load_source(tmp_path / "train.csv", "y", test=tmp_path / "bad.csv")
