"""From columns to features: what is learned, from which rows, and what is refused."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.base.errors import ArgumentError, DataError, RunFolderError
from pellucid.data.columns import Table, as_table
from pellucid.data.image_preprocessing import ImagePreprocessor
from pellucid.data.input_layout import InputLayout, Lookup, plain_features, plain_width
from pellucid.data.preprocessing import Preprocessor, TargetScaler, preprocessor_from_json
from pellucid.data.prose import grams


def table(**columns: object) -> Table:
    return as_table(columns, "cats.csv")  # type: ignore[arg-type]


def mixed(seed: int, rows: int) -> Table:
    """A table of every kind of column, with gaps."""
    generator = np.random.default_rng(seed)
    number = generator.normal(5, 3, rows)
    number[generator.random(rows) < 0.2] = np.nan
    texts = np.array(["red", "green", "blue", "rare", None], dtype=object)
    days = np.datetime64("2020-01-01") + generator.integers(0, 900, rows)
    return table(
        number=number,
        whole=generator.integers(0, 9, rows),
        colour=generator.choice(texts, rows, p=[0.4, 0.3, 0.15, 0.05, 0.1]),
        truth=generator.random(rows) < 0.5,
        day=days,
    )


def test_numbers_are_standardized_and_gaps_become_the_median() -> None:
    data = table(x=[1.0, 2.0, np.nan, 9.0])
    fitted = Preprocessor.fit(data)
    features = fitted.transform(data)
    present = np.array([1.0, 2.0, 9.0])
    expected = (np.array([1, 2, np.median(present), 9]) - present.mean()) / present.std()
    assert fitted.feature_names == ("x", "x is missing")
    np.testing.assert_allclose(features[:, 0], expected, rtol=1e-6)
    assert features[:, 1].tolist() == [0, 0, 1, 0]
    assert features.dtype == np.float32 and features.flags.c_contiguous


def test_booleans_are_zero_and_one_with_the_frequent_value_for_gaps() -> None:
    data = table(b=[True, True, False, None])
    fitted = Preprocessor.fit(data)
    assert fitted.feature_names == ("b", "b is missing")
    assert fitted.transform(data).tolist() == [[1, 0], [1, 0], [0, 0], [1, 1]]


def test_categories_one_hot_with_a_place_for_rare_and_unseen() -> None:
    data = table(c=["b", "a", "a", "b", "once", None])
    fitted = Preprocessor.fit(data)
    assert fitted.feature_names == ("c = a", "c = b", "c is another", "c is missing")
    features = fitted.transform(table(c=["a", "new", None, "once"]))
    assert features.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    without = Preprocessor.fit(table(c=["a", "b"] * 3))
    assert without.transform(table(c=["new"])).tolist() == [[0, 0]]


def test_many_categories_are_codes_the_most_frequent_first() -> None:
    texts = [f"c{i % 100:02}" for i in range(300)] + ["c07"] * 5 + ["once"]
    fitted = Preprocessor.fit(table(x=range(306), c=texts), max_categories=10)
    assert fitted.feature_names == ("x", "c (code)")
    assert "101 categories: a network learns a vector of 21 numbers" in fitted.notes[0]
    assert "1 rare ones share one" in fitted.notes[0]
    new = table(c=["c07", "c99", "once", "never seen", None], x=[0] * 5)
    assert fitted.transform(new)[:, 1].tolist() == [1, 100, 0, 0, 0]
    shape = fitted.row_shape
    assert isinstance(shape, InputLayout) and (shape.numbers, shape.width) == (1, 22)
    assert shape.lookups == (Lookup(1, 1, 101, 21),)
    assert Preprocessor.fit(table(c=texts), max_categories=200).row_shape == (101,)
    with pytest.raises(ArgumentError, match="max_categories=1"):
        Preprocessor.fit(table(c=texts), max_categories=1)


def test_times_become_a_trend_and_cycles() -> None:
    moments = np.array(["2020-02-29T06:30", "1969-12-31T23:00", "2021-07-01T12:00"], dtype="M8[m]")
    data = table(t=moments)
    fitted = Preprocessor.fit(data)
    parts = {s.part: s for s in fitted.plans[0].scales}
    features = fitted.transform(data).astype(np.float64)
    raw = {
        part: features[:, position] * scale.std + scale.mean
        for position, (part, scale) in enumerate(parts.items())
    }
    days = moments.astype("M8[s]").astype(np.int64) / 86400
    np.testing.assert_allclose(raw.pop("days"), days, atol=2e-3)
    turns = {  # counted by hand
        "time of year": [59 + 6.5 / 24, 364 + 23 / 24, 181.5],
        "day of month": [28 / 29, 30 / 31, 0],
        "weekday": [5 / 7, 2 / 7, 3 / 7],  # Sat, Wed, Thu
        "hour": [6.5 / 24, 23 / 24, 0.5],
    }
    turns["time of year"] = [day / 365.2425 for day in turns["time of year"]]
    for name, turn in turns.items():
        angle = 2 * np.pi * np.array(turn)
        np.testing.assert_allclose(raw.pop(f"{name} sin"), np.sin(angle), atol=1e-6)
        np.testing.assert_allclose(raw.pop(f"{name} cos"), np.cos(angle), atol=1e-6)
    assert not raw


def test_ends_of_cycles_are_neighbours() -> None:
    days = np.arange("2019-01-01", "2022-01-01", dtype="M8[D]")
    fitted = Preprocessor.fit(table(t=days))
    ends = np.array(["2020-12-31", "2021-01-01", "2020-07-01"], dtype="M8[D]")
    names = [name for name in fitted.feature_names if "time of year" in name]
    places = [fitted.feature_names.index(name) for name in names]
    found = fitted.transform(table(t=ends))[:, places]
    assert np.abs(found[0] - found[1]).max() < 0.05 < 1 < np.abs(found[0] - found[2]).max()


def test_models_of_the_former_parts_of_times_give_what_they_gave() -> None:
    scales = [[part, 0.0, 0.0, 1.0] for part in ("days", "year", "month", "day", "weekday", "hour")]
    columns = number_column(column="t", kind="time", scales=scales)
    fitted = preprocessor_from_json(columns)
    assert isinstance(fitted, Preprocessor)
    found = fitted.transform(table(t=np.array(["2020-02-29T06:30"], dtype="M8[m]")))
    np.testing.assert_allclose(found, [[18321 + 6.5 / 24, 2020, 2, 29, 5, 6.5]], rtol=1e-6)


REVIEWS = [
    f"{start} {what} {end}"
    for start in ("the food was", "really the soup is", "我们的汤")
    for what in ("very good", "not good at all", "很好吃", "cold and late")
    for end in ("today", "again!", "for the third time", "送餐很快")
]


def test_prose_becomes_words_pairs_and_runs_of_characters() -> None:
    assert grams("The food, the BIG food!") == [
        "the", "food", "the", "big", "food", "!",
        "the food", "food the", "the big", "big food", "food !",
    ]  # fmt: skip
    assert grams("好吃极了 ok") == [
        "好", "吃", "极", "了", "ok", "好吃", "吃极", "极了", "好吃极", "吃极了",
    ]  # fmt: skip
    data = table(text=[*REVIEWS, None], x=range(len(REVIEWS) + 1))
    fitted = Preprocessor.fit(data)
    assert "'text' holds prose" in fitted.notes[0]
    shape = fitted.row_shape
    assert isinstance(shape, InputLayout) and shape.numbers == 1
    features = fitted.transform(data)
    (lookup,) = shape.lookups
    assert features.shape[1] == 1 + lookup.slots and (features[-1, 1:] == 0).all()
    codes = features[0, 1:][features[0, 1:] > 0]
    expected = {1 + zlib.crc32(g.encode()) % (lookup.rows - 1) for g in grams(REVIEWS[0])}
    assert set(codes.astype(int)) == expected
    # New words have codes as well, in any order of rows, and rows are what they are alone.
    new = fitted.transform(table(x=[0, 0], text=["unheard of words", REVIEWS[5]]))
    np.testing.assert_array_equal(new[1, 1:], features[5, 1:])
    assert (new[0, 1:] > 0).sum() == 5


@pytest.mark.parametrize(
    "texts",
    [
        [f"Ann Smith {i}" for i in range(60)],
        [f"A-{i:05}-{i * 7919 % 104729}" for i in range(60)],
        [f"张{chr(0x4E00 + i)}" for i in range(60)],
        [f"{i} {i * 3} {i * 5} {i * 7}" for i in range(60)],
    ],
)
def test_names_and_numbers_are_no_prose(texts: list[str]) -> None:
    fitted = Preprocessor.fit(table(name=texts, x=range(60)))
    assert fitted.feature_names == ("x",) and "like a name" in fitted.notes[0]


def test_codes_as_plain_numbers() -> None:
    layout = InputLayout(1, [Lookup(1, 1, 3, 2), Lookup(2, 3, 600, 4)])
    rows = np.array([[0.5, 2, 5, 517, 0], [1.5, 0, 0, 0, 0]], np.float32)
    found = plain_features(layout, rows)
    assert found.shape == (2, plain_width(layout)) == (2, 1 + 3 + 512)
    assert found[0, :4].tolist() == [0.5, 0, 0, 1] and found[1, :4].tolist() == [1.5, 1, 0, 0]
    np.testing.assert_allclose(found[0, 4 + 5], 2 / np.sqrt(2))  # 517 and 5 share a group
    assert (found[0, 4:] > 0).sum() == 1 and not found[1, 4:].any()
    assert plain_features((5,), rows) is rows


def test_useless_columns_are_left_out_and_said() -> None:
    data = table(
        same=[3, 3, 3, 3],
        word=["x"] * 4,
        name=["Ann", "Bob", "Cid", "Dee"],
        gone=[None] * 4,
        there=[None, 3.0, None, 3.0],
        x=[1, 2, 3, 4],
    )
    fitted = Preprocessor.fit(data)
    assert fitted.feature_names == ("there is missing", "x")
    notes = "\n".join(fitted.notes)
    assert "'same' holds '3' in every training row" in notes
    assert "'word' holds 'x' in every training row" in notes
    assert "'name' has 4 different texts in 4 training rows, like a name" in notes
    assert "'gone' has no values in the training rows" in notes
    assert "'there' holds '3' or nothing: only whether it is missing" in notes
    with pytest.raises(DataError, match="no usable feature column:\n.*'same' holds '3'"):
        Preprocessor.fit(table(same=[3, 3]))


def test_huge_numbers_do_not_overflow() -> None:
    data = table(x=[1e308, -1e308, 0.0], y=[1e-308, 2e-308, 3e-308])
    features = Preprocessor.fit(data).transform(data)
    np.testing.assert_allclose(features[:, 0], [1.224745, -1.224745, 0], rtol=1e-5)
    np.testing.assert_allclose(features[:, 1], [-1.224745, 0, 1.224745], atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_only_training_rows_are_learned_from(train_seed: int, other_seed: int) -> None:
    train = mixed(train_seed, 40)
    # The same training rows inside two tables whose other rows differ.
    whole = [_joined(train, mixed(other_seed, 20)), _joined(train, mixed(other_seed + 1, 20))]
    fitted = [Preprocessor.fit(w.take(np.arange(40))) for w in whole]
    assert fitted[0] == fitted[1] == Preprocessor.fit(train)
    np.testing.assert_array_equal(
        fitted[0].transform(whole[0])[:40], fitted[1].transform(whole[1])[:40]
    )


def _joined(first: Table, second: Table) -> Table:
    columns: dict[str, Any] = {}
    for name, column in first.columns.items():
        other = second.columns[name]
        if column.kind == "text":
            columns[name] = column.texts() + other.texts()
        else:
            columns[name] = np.concatenate([column.values, other.values])
            if column.kind == "boolean":
                columns[name] = columns[name].astype(bool)
            if column.kind == "time":
                columns[name] = columns[name].astype("M8[s]")
    return table(**columns)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(5, 60))
def test_json_round_trip_is_exact(seed: int, rows: int) -> None:
    data = mixed(seed, rows)
    fitted = Preprocessor.fit(data)
    again = preprocessor_from_json(json.loads(json.dumps(fitted.to_json())))
    assert again == fitted
    assert again.feature_names == fitted.feature_names
    assert isinstance(again, Preprocessor)
    np.testing.assert_array_equal(again.transform(data), fitted.transform(data))
    assert len(fitted.feature_columns) == len(fitted.feature_names)


# --- Bad columns -------------------------------------------------------------------------------


def test_infinite_values() -> None:
    with pytest.raises(DataError, match="'x' of cats.csv holds infinite values: 2 of 4, .* row 2"):
        Preprocessor.fit(table(x=[1, np.inf, 3, -np.inf]))
    fitted = Preprocessor.fit(table(x=[1, 2]))
    with pytest.raises(DataError, match="infinite values: 1 of 1"):
        fitted.transform(table(x=[np.inf]))


def test_text_where_numbers_were() -> None:
    texts = [str(i % 7) for i in range(40)]
    texts[11] = "abc"
    with pytest.raises(
        DataError,
        match=r"'x' of cats.csv holds text where numbers were expected: 'abc' in row 12 \(1 of 40",
    ):
        Preprocessor.fit(table(x=texts))
    assert Preprocessor.fit(table(x=texts), text_columns=["x"]).plans[0].kind == "category"
    fitted = Preprocessor.fit(table(x=[1.5, 2, 3]))
    with pytest.raises(DataError, match="'x' of cats.csv held numbers in training and holds 'abc'"):
        fitted.transform(table(x=["1", "abc"]))
    np.testing.assert_array_equal(
        fitted.transform(table(x=["1", None, "3"])), fitted.transform(table(x=[1, None, 3]))
    )


def test_all_missing_column_is_left_out_with_a_note() -> None:
    made = Preprocessor.fit(table(x=[None, None, None], y=[1, 2, 4]))
    assert made.feature_names == ("y",)
    assert made.notes == ("Column 'x' has no values in the training rows: left out.",)


def test_columns_of_another_kind_at_prediction() -> None:
    fitted = Preprocessor.fit(
        table(b=[True, False], d=np.array(["2020-01-01", "2021-03-04"], dtype="M8[D]"), x=[1, 2])
    )
    good = {"b": [True], "d": np.array(["2020-05-05"], dtype="M8[D]"), "x": [1]}
    with pytest.raises(
        DataError, match="'b' of cats.csv held true and false .* holds '3' in row 1"
    ):
        fitted.transform(table(**good | {"b": [3]}))
    with pytest.raises(DataError, match="'d' of cats.csv held dates in training and holds 'soon'"):
        fitted.transform(table(**good | {"d": ["soon"]}))
    with pytest.raises(DataError, match="has no column 'x', which the network was trained on"):
        fitted.transform(table(**{k: v for k, v in good.items() if k != "x"}))
    with pytest.raises(DataError, match="'x' of cats.csv holds .* too far from the training"):
        fitted.transform(table(**good | {"x": [1e300]}))
    # 0 is false, a truth is a number, and a missing date is the median of those of training.
    found = fitted.transform(table(**good | {"b": [0], "d": [None], "x": [True]}))
    same = table(b=[False], d=np.array([None], dtype="M8[D]"), x=[1])
    np.testing.assert_array_equal(found, fitted.transform(same))
    assert found[0, 0] == 0 and found[0, -1] == -1 and np.isfinite(found).all()


# --- Images and targets ------------------------------------------------------------------------


def test_images_are_scaled_by_two_numbers_of_the_training_part() -> None:
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (50, 4, 5)).astype(np.uint8)
    fitted = ImagePreprocessor.fit(images)
    scaled = images.reshape(50, 20) / 255
    np.testing.assert_allclose(
        fitted.transform(images), (scaled - scaled.mean()) / scaled.std(), atol=1e-5
    )
    assert preprocessor_from_json(json.loads(json.dumps(fitted.to_json()))) == fitted
    assert fitted.feature_names[7] == "pixel 1,2"
    with pytest.raises(DataError, match=r"shape \(2, 2\) were given, .* trained on \(4, 5\)"):
        fitted.transform(np.zeros((1, 2, 2)))
    with pytest.raises(DataError, match="All 20 pixels .* hold 7"):
        ImagePreprocessor.fit(np.full((1, 4, 5), 7))
    with pytest.raises(DataError, match="NaN or infinite"):
        ImagePreprocessor.fit(np.full((1, 4, 5), np.nan))


def test_target_scaler_has_an_inverse() -> None:
    targets = np.array([[1.0, 5.0], [3.0, 5.0], [8.0, 5.0]])
    scaler = TargetScaler.fit(targets)
    scaled = scaler.transform(targets)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled[:, 0].std(), 1, rtol=1e-6)
    np.testing.assert_allclose(scaler.inverse(scaled), targets, rtol=1e-6)
    assert TargetScaler.from_json(json.loads(json.dumps(scaler.to_json()))) == scaler
    for bad in ({"mean": [1], "std": [0]}, {"mean": [], "std": []}, {"mean": [1], "std": [1, 2]}):
        with pytest.raises(RunFolderError, match="a mean and a positive std for each target"):
            TargetScaler.from_json(bad)


# --- Hostile JSON ------------------------------------------------------------------------------


def number_column(**change: object) -> dict[str, object]:
    column: dict[str, object] = {
        "column": "x",
        "kind": "number",
        "scales": [["", 1.0, 2.0, 3.0]],
        "categories": [],
        "other": False,
        "indicator": False,
        "date_format": "",
    }
    return {"kind": "table", "version": 1, "columns": [column | change]}


HOSTILE = [
    (None, "expected an object"),
    ({}, "expected the keys kind, version, columns"),
    (number_column() | {"version": 2}, "version"),
    (number_column() | {"version": True}, "version"),
    (number_column() | {"columns": []}, "number of features"),
    (number_column() | {"columns": [None]}, "column: expected an object"),
    (number_column() | {"columns": number_column()["columns"] * 2}, "distinct names"),  # type: ignore[operator]
    (number_column(kind="pickle"), "one of number, boolean"),
    (number_column(scales=[["", 1.0, 2.0, 0.0]]), "a positive std"),
    (number_column(scales=[["", float("nan"), 2.0, 1.0]]), "a finite number"),
    (number_column(scales=[["", 1.0, float("inf"), 1.0]]), "a finite number"),
    (number_column(scales=[["", 1.0, 10**400, 1.0]]), "a finite number"),
    (number_column(scales=[["", True, 2.0, 1.0]]), "expected a number, received True"),
    (number_column(scales=[["", 1.0, 2.0]]), "part, fill, mean and std"),
    (number_column(scales=[["year", 1.0, 2.0, 3.0]]), "expected one of"),
    (number_column(scales=[]), "at least one feature"),
    (number_column(scales=[["", 1.0, 2.0, 3.0]] * 15), "at most 14 entries"),
    (number_column(categories=["a"]), "do not fit a column of kind number"),
    (number_column(kind="category"), "do not fit a column of kind category"),
    (number_column(kind="category", scales=[], categories=["a", "a"]), "distinct names"),
    (number_column(kind="category", scales=[], categories=["a"] * 20_000), "at most 10000"),
    (number_column(slots=1), "slots and buckets of a column of kind number"),
    (number_column(kind="embedding", scales=[], categories=["a"]), "slots and buckets"),
    (number_column(kind="embedding", scales=[], slots=1, other=True), "slots and buckets"),
    (number_column(kind="prose", scales=[], slots=4, buckets=1), "slots and buckets"),
    (number_column(kind="prose", scales=[], slots=4, buckets=2**20), "from 0 to 32768"),
    (number_column(kind="prose", scales=[], slots=10**6, buckets=2), "from 0 to 256"),
    (number_column(kind="prose", slots=4, buckets=9), "do not fit a column of kind prose"),
    (number_column(column="x" * 20_000), "expected a text"),
    (number_column(other=1), "true or false"),
    (number_column(date_format="%s"), "a date format such as"),
    (number_column() | {"readings": [["x", {}]]}, "reading of column 'x': expected the keys"),
    (number_column() | {"readings": [["x"]]}, "pairs of column name and reading"),
    (number_column() | {"unused": ["a", "a"]}, "distinct names"),
    ({"kind": "images"}, "expected the keys"),
    (
        {"kind": "images", "version": 1, "shape": [60000] * 3, "maximum": 1, "mean": 0, "std": 1},
        "at most 1000000 pixels",
    ),
    (
        {"kind": "images", "version": 1, "shape": [-1, 4], "maximum": 1, "mean": 0, "std": 1},
        "a whole number from 1",
    ),
    (
        {"kind": "images", "version": 1, "shape": [4, 4], "maximum": 1, "mean": 0, "std": 0},
        "positive numbers",
    ),
]


@pytest.mark.parametrize(("data", "message"), HOSTILE)
def test_hostile_json_is_refused(data: object, message: str) -> None:
    with pytest.raises(RunFolderError, match=message) as caught:
        preprocessor_from_json(data)
    assert caught.value.exit_code == 5 and len(str(caught.value)) < 1000


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=12,
    )
)
def test_any_json_is_refused_with_our_error(data: object) -> None:
    for candidate in (data, number_column() | {"columns": data}, number_column(scales=data)):
        with pytest.raises(RunFolderError):
            preprocessor_from_json(candidate)
