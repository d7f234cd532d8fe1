"""What prediction says about new tables, and rows that are not independent of each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.phrases import option_words, worded
from pellucid.data.preprocessing import preprocessor_from_json
from pellucid.data.sources import load_for_prediction, load_source
from pellucid.data.splits import split_groups, split_in_order


def train(folder: Path, text: str, target: str = "y"):  # type: ignore[no-untyped-def]
    (folder / "train.csv").write_text(text)
    made = load_source(folder / "train.csv", target).preprocessor
    return preprocessor_from_json(made.to_json())


def new(folder: Path, preprocessor, text: str, **settings: object):  # type: ignore[no-untyped-def]
    (folder / "new.csv").write_text(text)
    return load_for_prediction(preprocessor, folder / "new.csv", **settings)  # type: ignore[arg-type]


REGIONS = "x,region,y\n" + "".join(
    f"{i * 0.37 % 5:.2f},{['north', 'south'][i % 2]},{i * 1.5}\n" for i in range(100)
)


def test_every_guess_is_counted_and_no_row_is_lost(tmp_path: Path) -> None:
    found = new(
        tmp_path, train(tmp_path, REGIONS), "x,region\n1,north\n1,NORTH\n1,west\n,south\n1,\n"
    )
    assert len(found.features) == 5
    data = load_source(tmp_path / "train.csv", "y")
    x = np.array([i * 0.37 % 5 for i in range(100)]).round(2)
    median = np.median(x[data.train.indices])
    assert [str(note) for note in found.notes] == [
        "Column 'x': 1 of 5 values is missing, and none was in training: the median of "
        f"training, {median:.6g}, stands in for them.",
        "Column 'region': 2 of 5 values were not among the categories of training and are taken "
        "as none of its categories: 'NORTH' (1), 'west' (1). Training had 'north': write 'NORTH' "
        "like that if it is the same.",
        "Column 'region': 1 of 5 values is missing, and none was in training: taken as none of "
        "its categories.",
    ]


def test_other_columns_other_order_and_ids(tmp_path: Path) -> None:
    made = train(tmp_path, REGIONS)
    found = new(tmp_path, made, "name,region,x\nA 007,north,1\nNA,south,2\n", ids=["name"])
    assert found.ids == {"name": ["A 007", "NA"]}
    assert "another order" in found.notes[0] and len(found.notes) == 1
    extra = new(tmp_path, made, "x,region,colour\n1,north,red\n")
    assert extra.notes == ("1 column that training did not have is not used: 'colour'.",)
    with pytest.raises(DataError, match="has no column 'region', which the network"):
        new(tmp_path, made, "x\n1\n")
    with pytest.raises(DataError, match="has no column named 'nme'"):
        new(tmp_path, made, "x,region\n1,north\n", ids=["nme"])


def test_numbers_are_read_as_in_training_unless_the_file_shows_otherwise(tmp_path: Path) -> None:
    rows = "".join(
        f"{(i % 40 + 1) * 150:,}".replace(",", ".") + f";{i % 7},5;{i * 2}\n" for i in range(80)
    )
    made = train(tmp_path, "a;b;y\n" + rows)
    alone = new(tmp_path, made, "a;b\n1.200;1\n")
    assert alone.table is not None and alone.table["a"].values.tolist() == [1200]
    english = new(tmp_path, made, "a,b\n1200.5,1.5\n1.200,2.5\n")
    assert english.table is not None and english.table["a"].values.tolist() == [1200.5, 1.2]
    told = [note for note in english.notes if "decimal" in note]
    assert "with a decimal point here, in training with a decimal comma" in told[0]


def test_one_bad_cell_is_filled_in_and_all_bad_cells_are_an_error(tmp_path: Path) -> None:
    days = "d,y\n" + "".join(f"2020-{i % 12 + 1:02}-{i % 28 + 1:02},{i * 1.5}\n" for i in range(60))
    made = train(tmp_path, days)
    found = new(tmp_path, made, "d\n2020-02-01\n2020-02-30\n2020-03-01\n")
    assert len(found.features) == 3
    assert "1 of 3 values is no date ('2020-02-30' in line 3)" in found.notes[0]
    with pytest.raises(
        DataError, match=r"held dates .*'soon'.*\n.*such as 2020-01-31 \(%Y-%m-%d\)"
    ):
        new(tmp_path, made, "d\nsoon\nlater\n")


# --- Identifiers, groups, order ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["id", "PassengerId", "customer_id", "编号"])
def test_identifiers_with_gaps_in_any_order_are_left_out(name: str) -> None:
    rng = np.random.default_rng(0)
    numbers = np.cumsum(rng.integers(1, 9, 80))
    for order in (np.arange(80), rng.permutation(80)):
        columns = {name: numbers[order], "x": rng.normal(size=80), "y": rng.normal(size=80)}
        data = load_source(columns, "y")
        assert data.feature_names == ("x",)
        assert any(f"Column {name!r} is an identifier" in note for note in data.notes)


def test_words_that_only_end_like_identifiers_stay() -> None:
    rng = np.random.default_rng(0)
    columns = {"humid": np.arange(80) * 3, "x": rng.normal(size=80), "y": rng.normal(size=80)}
    assert load_source(columns, "y").feature_names == ("humid", "x")


def patients() -> dict[str, np.ndarray]:
    """Ten near-copies of each of 30 patients, whose class is drawn at random."""
    rng = np.random.default_rng(3)
    patient = np.repeat(np.arange(30), 10)
    x = rng.normal(size=(30, 4))[patient] + 0.01 * rng.normal(size=(300, 4))
    order = rng.permutation(300)
    columns = {f"x{i}": x[order, i] for i in range(4)}
    return columns | {
        "patient": patient[order],
        "y": rng.integers(0, 2, 30)[patient][order],
    }


def test_near_copies_and_groups_are_told() -> None:
    columns = patients()
    notes = load_source(columns, "y").notes
    assert any("near-copies of training rows" in note for note in notes)
    assert any("'patient' has 30 values" in note and "group='patient'" in note for note in notes)
    option = [worded(note, option_words) for note in notes]
    assert any("--group patient keeps groups together" in note for note in option)
    rng = np.random.default_rng(0)
    for width in (1, 2, 3, 8):
        independent = {f"x{i}": rng.normal(size=500) for i in range(width)}
        independent["c"] = rng.choice(["a", "b"], 500)
        independent["y"] = rng.normal(size=500)
        assert load_source(independent, "y").notes == ()


def test_a_group_stays_in_one_part() -> None:
    columns = patients()
    data = load_source(columns, "y", group="patient")
    parts = [set(columns["patient"][p.indices]) for p in (data.train, data.validation, data.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert [len(p) for p in (data.train, data.validation, data.test)] == [210, 50, 40]
    assert "patient" not in data.feature_names


def test_groups_are_dealt_by_rows() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), rng.integers(1, 12, 40))
    parts = split_groups(groups, (0.6, 0.2, 0.2), seed=5)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert abs(len(part) - share * len(groups)) <= 12
    assert all(
        np.array_equal(a, b)
        for a, b in zip(parts, split_groups(groups, (0.6, 0.2, 0.2), 5), strict=True)
    )
    with pytest.raises(DataError, match="2 groups cannot be cut into 3 parts"):
        split_groups([1, 1, 2])


def test_order_puts_the_last_rows_into_the_test_part() -> None:
    values = np.array([5.0, 1, 4, 2, 3, 3, 3, 9, 8, 7])
    train, validation, test = split_in_order(values, (0.5, 0.2, 0.3))
    assert sorted(values[train]) == [1, 2, 3, 3, 3]
    assert sorted(values[validation]) == [4, 5] and sorted(values[test]) == [7, 8, 9]
    with pytest.raises(DataError, match="1 different times in 4 rows"):
        split_in_order([1, 1, 1, 1])
    with pytest.raises(DataError, match="1 of 3 rows have no time"):
        split_in_order([1, np.nan, 2])


def test_a_series_is_told_and_cut_by_time() -> None:
    rng = np.random.default_rng(0)
    level = np.cumsum(rng.normal(size=200))
    days = np.datetime64("2020-01-01") + np.arange(200)
    columns = {"day": days, "x": rng.normal(size=200), "y": level}
    note = next(n for n in load_source(columns, "y").notes if "autocorrelation 0.9" in n)
    assert "time='day' tests on the last rows" in note
    data = load_source(columns, "y", time="day")
    assert data.test.indices.tolist() == list(range(170, 200))
    assert not any("autocorrelation" in note for note in data.notes)
    data = load_source(columns, "y", in_order=True)
    assert data.test.indices.tolist() == list(range(170, 200))
    with pytest.raises(ArgumentError, match="group='x' and time='day' both say how to cut"):
        load_source(columns, "y", group="x", time="day")
    # Sorted by the target, as many files of classes are: no series.
    sorted_classes = {"x": rng.normal(size=90), "y": np.repeat([0, 1, 2], 30)}
    assert load_source(sorted_classes, "y").notes == ()


def test_images_have_no_column_to_cut_by() -> None:
    with pytest.raises(ArgumentError, match="digits holds images, which have no column"):
        load_source("digits", group="x")
