"""From a source to arrays: nothing leaks, nothing is lost, and the notes say what was done."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.base.errors import ArgumentError, DataError, FileError
from pellucid.data.preprocessing import Preprocessor, preprocessor_from_json
from pellucid.data.sources import PreparedData, load_for_prediction, load_source

Find = Callable[[str], Path]


def write(folder: Path, text: str, name: str = "data.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def frame(seed: int = 0, rows: int = 200) -> dict[str, list[object]]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=rows)
    return {
        "x": x.tolist(),
        "colour": generator.choice(["red", "green"], rows).tolist(),
        "y": np.where(x + generator.normal(size=rows) > 0, "yes", "no").tolist(),
    }


def check_invariants(data: PreparedData) -> None:
    parts = (data.train, data.validation, data.test)
    for part in parts:
        assert part.features.dtype == np.float32 and part.features.flags.c_contiguous
        assert part.features.shape == (len(part.indices), len(data.feature_names))
        assert len(part.targets) == len(part.raw_targets) == len(part)
        assert np.isfinite(part.features).all()
    assert len(data.fingerprint) == 64


def rows_used(data: PreparedData) -> list[int]:
    parts = (data.train, data.validation, data.test)
    return sorted(np.concatenate([part.indices for part in parts]).tolist())


# --- Real data ---------------------------------------------------------------------------------


def test_A25_digits_in_three_parts() -> None:
    data = load_source("digits")
    check_invariants(data)
    assert rows_used(data) == list(range(1797))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1258, 270, 269]
    assert data.image_shape == (8, 8) and data.task.classes == tuple(range(10))
    assert data.train.targets.dtype == np.int64
    np.testing.assert_allclose(
        [data.train.features.mean(dtype=float), data.train.features.std(dtype=float)],
        [0, 1],
        atol=1e-6,
    )


def test_digits_equal_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    data = load_source("digits")
    digits = load_digits()
    np.testing.assert_array_equal(data.test.targets, digits.target[data.test.indices])
    pixels = digits.data[data.train.indices] / 16
    expected = (digits.data[data.test.indices] / 16 - pixels.mean()) / pixels.std()
    np.testing.assert_allclose(data.test.features, expected, atol=1e-5)


def test_titanic_to_arrays(real_data: Find) -> None:
    file = real_data("tabular/titanic.csv")
    data = load_source(file, "survived")
    check_invariants(data)
    assert rows_used(data) == list(range(891)) and data.name == "titanic"
    assert data.task.kind == "binary" and data.task.output_layer == "sigmoid"
    assert data.fingerprint == hashlib.sha256(file.read_bytes()).hexdigest()
    leak = "Column 'alive' is the target 'survived' under another name (False = 0, True = 1"
    assert any(leak in note for note in data.notes)
    assert "alive" not in str(data.feature_names)
    assert {"age", "age is missing", "sex = female", "deck is missing"} <= set(data.feature_names)
    for part in (data.train, data.validation, data.test):
        assert abs(part.targets.mean() - 342 / 891) < 0.01
    kept = load_source(file, "survived", keep_leaks=True)
    assert "alive" in kept.feature_names
    assert any("it is kept, as asked" in note for note in kept.notes)


def test_penguins_to_arrays(real_data: Find) -> None:
    data = load_source(str(real_data("tabular/penguins.csv")), "species", seed=3)
    check_invariants(data)
    assert data.task.classes == ("Adelie", "Chinstrap", "Gentoo")
    whole = np.bincount(np.concatenate([data.train.targets, data.test.targets])) / (
        len(data.train) + len(data.test)
    )
    np.testing.assert_allclose(np.bincount(data.test.targets) / len(data.test), whole, atol=0.02)
    by_sex = load_source(real_data("tabular/penguins.csv"), "sex")
    assert by_sex.rows_dropped == 11 and by_sex.rows == 344
    assert "11 rows were left out because a target is missing." in by_sex.notes


def test_mpg_to_arrays(real_data: Find) -> None:
    data = load_source(real_data("tabular/mpg.csv"), "mpg")
    check_invariants(data)
    assert data.task.kind == "regression" and data.task.output_layer == "identity"
    assert data.target_scaler is not None
    assert data.train.targets.shape == (len(data.train), 1)
    assert data.train.targets.dtype == np.float32
    np.testing.assert_allclose(data.train.targets.mean(), 0, atol=1e-6)
    for part in (data.train, data.test):
        np.testing.assert_allclose(
            data.target_scaler.inverse(part.targets), part.raw_targets, rtol=1e-5
        )
    assert any("'name' has" in note and "left out" in note for note in data.notes)


def test_mnist_keeps_its_own_test_part(real_data: Find) -> None:
    data = load_source(real_data("mnist"))
    check_invariants(data)
    assert [len(p) for p in (data.train, data.validation, data.test)] == [55_000, 5_000, 10_000]
    assert sorted([*data.train.indices, *data.validation.indices]) == list(range(60_000))
    assert data.test.targets[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.image_shape == (28, 28) and "data set's own" in data.notes[0]


def idx(folder: Path, name: str, array: np.ndarray) -> None:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    (folder / name).write_bytes(head + array.astype(np.uint8).tobytes())


def test_folder_of_images_with_and_without_test_files(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    idx(tmp_path, "train-images-idx3-ubyte", generator.integers(0, 256, (60, 3, 3)))
    idx(tmp_path, "train-labels-idx1-ubyte", np.arange(60) % 3)
    data = load_source(tmp_path, seed=4)
    check_invariants(data)
    assert rows_used(data) == list(range(60)) and len(data.test) == 9
    assert data.task.kind == "multiclass" and data.image_shape == (3, 3)
    idx(tmp_path, "t10k-images-idx3-ubyte", generator.integers(0, 256, (12, 3, 3)))
    idx(tmp_path, "t10k-labels-idx1-ubyte", np.arange(12) % 3)
    assert [len(load_source(tmp_path).validation), len(load_source(tmp_path).test)] == [5, 12]
    halves = load_source(tmp_path, fractions=(0.4, 0.4, 0.2))
    assert [len(halves.train), len(halves.validation), len(halves.test)] == [30, 30, 12]
    with pytest.raises(ArgumentError, match="not three shares"):
        load_source(tmp_path, fractions=(0.4, 0.4, 0.4))


# --- Properties --------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_A32_changing_test_rows_never_changes_what_was_learned(seed: int, change: int) -> None:
    columns = frame(seed)
    data = load_source(columns, "y", seed=seed)
    generator = np.random.default_rng(change)
    changed = {name: list(values) for name, values in columns.items()}
    for row in [*data.test.indices, *data.validation.indices]:
        changed["x"][row] = float(generator.normal(100, 50))
        changed["colour"][row] = str(generator.choice(["blue", "red", "odd"]))
    again = load_source(changed, "y", seed=seed)
    assert again.preprocessor == data.preprocessor
    np.testing.assert_array_equal(again.train.features, data.train.features)
    np.testing.assert_array_equal(again.train.indices, data.train.indices)


def test_all_sources_give_the_same_arrays(tmp_path: Path) -> None:
    columns = frame()
    polars.DataFrame(columns).write_csv(tmp_path / "d.csv")
    polars.DataFrame(columns).write_parquet(tmp_path / "d.parquet")
    expected = load_source(columns, "y")
    for source in (
        tmp_path / "d.csv",
        tmp_path / "d.parquet",
        polars.DataFrame(columns),
        pandas.DataFrame(columns),
    ):
        data = load_source(source, "y")
        np.testing.assert_array_equal(data.test.features, expected.test.features)
        np.testing.assert_array_equal(data.test.targets, expected.test.targets)


def test_multilabel_to_arrays() -> None:
    columns = frame() | {"z": [0, 1] * 100}
    data = load_source(columns, ["y", "z"])
    assert data.task.kind == "multilabel" and data.train.targets.shape[1] == 2
    assert data.train.targets.dtype == np.float32
    check_invariants(data)


def test_several_regression_targets() -> None:
    columns = frame() | {"a": np.arange(200) * 0.5, "b": np.arange(200)[::-1] * 2.0}
    data = load_source(columns, ["a", "b"], task="regression", ignore="y")
    assert data.target_scaler is not None
    wanted = np.column_stack([columns["a"], columns["b"]])
    rows = wanted[data.train.indices]
    for part in (data.train, data.validation, data.test):
        np.testing.assert_array_equal(part.raw_targets, wanted[part.indices])
        scaled = (part.raw_targets - rows.mean(0)) / rows.std(0)
        np.testing.assert_allclose(part.targets, scaled, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            data.target_scaler.inverse(part.targets), part.raw_targets, 1e-5, 1e-4
        )


def test_equal_test_and_training_rows_are_counted() -> None:
    columns = {"x": [1, 2, 3, 4] * 10, "y": ["a", "b", "a", "b"] * 10}
    data = load_source(columns, "y")
    assert f"{len(data.test)} of {len(data.test)} test rows are equal" in data.notes[-1]


def test_row_counters_are_left_out() -> None:
    columns = frame() | {"id": list(range(1, 201)), "unnamed 1": list(range(200))}
    data = load_source(columns, "y")
    assert set(data.feature_names) == {"x", "colour = green", "colour = red"}
    assert "Column 'id' only counts the rows; left out." in data.notes


def test_leaks_of_every_task() -> None:
    columns = frame() | {"t": np.linspace(0, 1, 200), "u": 3 - 2 * np.linspace(0, 1, 200)}
    data = load_source(columns, "t")
    assert any("'u' is the target 't' under another name (target = -0.5" in n for n in data.notes)
    assert "u" not in data.feature_names
    labels = frame() | {"z": [0, 1] * 100, "copy": ["n", "j"] * 100}
    assert any("'copy' is the target 'z'" in n for n in load_source(labels, ["y", "z"]).notes)
    celsius = np.linspace(-10, 40, 50)
    only = load_source({"celsius": celsius, "fahrenheit": 1.8 * celsius + 32}, "fahrenheit")
    assert only.feature_names == ("celsius",)
    assert any("it is kept, because no other column is left" in note for note in only.notes)


def test_a_good_predictor_is_no_leak() -> None:
    columns = frame()
    columns["noisy"] = [1 if y == "yes" else 0 for y in columns["y"]]
    for row in range(0, 200, 7):
        columns["noisy"][row] = 1 - int(columns["noisy"][row])  # type: ignore[call-overload]
    assert "noisy" in load_source(columns, "y").feature_names


# --- Bad input ---------------------------------------------------------------------------------


def test_bad_columns_are_met_by_clear_errors(tmp_path: Path) -> None:
    rows = "".join(f"{i},{'ab'[i % 2]},,{i % 5}\n" for i in range(40))
    gap = write(tmp_path, "x,y,gap,n\n" + rows)
    empty = load_source(gap, "y")
    assert "Column 'gap' has no values in the training rows: left out." in empty.notes
    assert empty.feature_names == ("x", "n")
    stray = write(tmp_path, "x,y,n\n" + "".join(f"{i},{'ab'[i % 2]},{i % 5}\n" for i in range(40)))
    text = stray.read_text().replace("\n17,b,2\n", "\n17,b,two\n")
    told = load_source(write(tmp_path, text), "y").notes[0]
    assert told == (
        "Column 'n': 1 of 40 values is no number ('two' in line 19): read as missing. "
        "To make the column categories, use text_columns='n'."
    )
    as_text = load_source(write(tmp_path, text), "y", text_columns="n")
    assert "n = 3" in as_text.feature_names
    infinite = text.replace("\n17,b,two\n", "\n17,b,inf\n")
    with pytest.raises(DataError, match="'n' of .* holds infinite values: 1 of 40, .* line 19"):
        load_source(write(tmp_path, infinite), "y")


def test_bad_requests(tmp_path: Path) -> None:
    columns = frame()
    with pytest.raises(ArgumentError, match="No target was named"):
        load_source(columns)
    with pytest.raises(DataError, match="no column named 'colr'\n.*Did you mean 'colour'"):
        load_source(columns, "y", ignore=["colr"])
    with pytest.raises(ArgumentError, match="'y' is named as a target and as one to leave out"):
        load_source(columns, "y", ignore="y")
    with pytest.raises(DataError, match="has no column besides the target"):
        load_source({"y": [1, 2] * 10}, "y")
    with pytest.raises(ArgumentError, match="there is no column to choose as a target"):
        load_source("digits", "shape")
    with pytest.raises(DataError, match="is no yes-or-no label"):
        load_source("digits", task="multilabel")
    with pytest.raises(FileError, match="There is no file"):
        load_source(tmp_path / "none.csv", "y")
    with pytest.raises(FileError, match="holds no file of train images"):
        load_source(tmp_path)


# --- New data ----------------------------------------------------------------------------------


def test_prediction_sees_what_training_saw(real_data: Find, tmp_path: Path) -> None:
    file = real_data("tabular/titanic.csv")
    data = load_source(file, "survived")
    restored = preprocessor_from_json(json.loads(json.dumps(data.preprocessor.to_json())))
    new = load_for_prediction(restored, file, data.task)
    np.testing.assert_array_equal(new.features[data.test.indices], data.test.features)
    assert new.targets is not None and new.present.all()
    np.testing.assert_array_equal(new.targets[data.test.indices], data.test.targets)
    unlabelled = polars.read_csv(file).drop("survived", "alive")
    unlabelled.write_csv(tmp_path / "new.csv")
    without = load_for_prediction(restored, tmp_path / "new.csv", data.task)
    assert without.targets is None and not without.present.any()
    np.testing.assert_array_equal(without.features, new.features)


def test_prediction_reads_codes_and_dates_as_training_did(tmp_path: Path) -> None:
    rows = [f"{i % 28 + 1:02}/{i % 12 + 1:02}/2020,{['1', '2A'][i % 2]},{i % 3}" for i in range(60)]
    data = load_source(write(tmp_path, "\n".join(["day,code,y", *rows])), "y")
    assert isinstance(data.preprocessor, Preprocessor)
    assert data.preprocessor.date_formats == {"day": "%d/%m/%Y"}
    # Alone, this date could be the second of January, and this code a number.
    new = load_for_prediction(data.preprocessor, write(tmp_path, "day,code\n01/02/2020,1\n"))
    assert new.table is not None and new.table["day"].text(0) == "2020-02-01"
    assert new.features[0, data.feature_names.index("code = 1")] == 1


def test_prediction_of_images(tmp_path: Path) -> None:
    data = load_source("digits")
    new = load_for_prediction(data.preprocessor, "digits", data.task)
    np.testing.assert_array_equal(new.features[data.test.indices], data.test.features)
    assert new.targets is not None
    head = b"\0\0\x08\x03" + struct.pack(">3I", 2, 8, 8)
    (tmp_path / "images").write_bytes(head + bytes(range(128)))
    assert load_for_prediction(data.preprocessor, tmp_path / "images").features.shape == (2, 64)
    assert load_for_prediction(data.preprocessor, np.zeros((3, 8, 8))).targets is None
    with pytest.raises(ArgumentError, match="A table was expected, int was received"):
        load_for_prediction(data.preprocessor, 3)
    table = load_source(frame(), "y")
    with pytest.raises(DataError, match="digits holds images, the network was trained on a table"):
        load_for_prediction(table.preprocessor, "digits")


cell = st.sampled_from(
    ["", "1", "2", "-3.5", "inf", "NA", "x", "y", "yes", "no", "true", "2020-01-02", "007", "1e400"]
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_table_causes_anything_but_our_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    width = data.draw(st.integers(1, 4))
    rows = data.draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=30))
    times = data.draw(st.sampled_from([1, 1, 7]))
    text = "\n".join([",".join("abcd"[:width]), *[",".join(row) for row in rows * times]])
    file = write(tmp_path_factory.mktemp("fuzz"), text)
    targets = data.draw(st.sampled_from(["a", ["a", "b"], "d"]))
    task = data.draw(st.sampled_from([None, "regression", "multiclass", "multilabel"]))
    try:
        prepared = load_source(file, targets, task=task)
    except (DataError, ArgumentError):
        return
    check_invariants(prepared)
    again = load_for_prediction(prepared.preprocessor, file, prepared.task)
    np.testing.assert_array_equal(again.features[prepared.test.indices], prepared.test.features)
