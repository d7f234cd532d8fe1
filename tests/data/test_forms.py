"""Every form that data come in gives the same rows: encodings, separators, sheets, JSON, arrays."""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas
import polars
import pytest

import pellucid
from pellucid.base.errors import DataError
from pellucid.data.sources import load_for_prediction, load_source
from pellucid.data.tables import read_table
from pellucid.utils.data import DataLoader, Dataset, IterableDataset


def write(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def cells(file: Path, **settings: Any) -> dict[str, list[str | None]]:
    return {name: column.texts() for name, column in read_table(file, **settings).columns.items()}


# --- Encodings and separators --------------------------------------------------------------------

TEXTS = {
    "gb18030": "城市,人口,备注\n北京,2154,首都\n上海,2428,经济中心\n广州,1530,南方\n",
    "big5": "城市,人口,備註\n臺北,264,首都\n高雄,277,港口\n臺中,281,中部\n",
    "shift_jis": "都市,人口\n東京,1396\nおおさか,275\n名古屋,232\n",
    "euc_kr": "도시,인구\n서울,977\n부산,341\n인천,294\n",
    "cp1251": "город,население\nМосква,12\nКазань,1\nПермь,1\n",
    "cp1252": "nom,ville,prix €\nJosé,Orléans,3\nZoë,Besançon,4\nJürgen,Köln,9\n",
    "latin-1": "Straße,Größe\nMünchen,1\nKöln,2\n",
    "cp1250": "miasto,ludność\nŁódź,1\nKraków,2\nWrocław,3\n",
    "utf-16": "city,n\nKöln,1\nParis,2\n",
    "utf-16-le": "city,n\nKöln,1\nParis,2\n",
    "utf-16-be": "city,n\nKöln,1\nParis,2\n",
    "utf-32": "city,n\nKöln,1\nParis,2\n",
    "utf-8-sig": "city,n\nKöln,1\n北京,2\n",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_encodings_are_found_out_and_said(tmp_path: Path, encoding: str) -> None:
    text = TEXTS[encoding]
    expected = cells(write(tmp_path, text, "plain.csv"))
    file = write(tmp_path, text.encode(encoding))
    assert cells(file) == expected
    notes = " ".join(read_table(file).notes)
    assert ("data.csv is" in notes) == (encoding != "utf-8-sig"), notes
    assert cells(file, encoding=encoding) == expected


def test_one_damaged_byte_is_an_error_with_its_line_not_another_encoding(tmp_path: Path) -> None:
    good = "name,x\n" + "é北京,1\n" * 60
    data = good.encode() + b"\xff,2\n"
    with pytest.raises(DataError, match=r"UTF-8 with damaged characters: byte 0xff.*line 62"):
        read_table(write(tmp_path, data))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "^", "~", ":", "\x01", "||", "::", "¦"])
def test_any_separator(tmp_path: Path, separator: str) -> None:
    rows = [["name", "n", "x"], ["a b", "1", "2.5"], ["c", "2", "-1"], ["d e", "3", "0"]]
    file = write(tmp_path, "\n".join(separator.join(row) for row in rows) + "\n")
    expected = {"name": ["a b", "c", "d e"], "n": ["1", "2", "3"], "x": ["2.5", "-1", "0"]}
    assert cells(file) == expected == cells(file, separator=separator)


def test_blanks_of_any_number_and_names_of_rows(tmp_path: Path) -> None:
    file = write(tmp_path, '  x     y   name\n 1.5    2   "a b"\n -3   14      c\n 0  0   d\n')
    assert cells(file) == {
        "x": ["1.5", "-3", "0"],
        "y": ["2", "14", "0"],
        "name": ["a b", "c", "d"],
    }
    as_r_writes = '"mpg" "cyl"\n"Mazda RX4" 21 6\n"Datsun 710" 22.8 4\n"Valiant" 18.1 6\n'
    found = cells(write(tmp_path, as_r_writes))
    assert found["row name"] == ["Mazda RX4", "Datsun 710", "Valiant"]
    assert found["mpg"] == ["21", "22.8", "18.1"]
    assert cells(write(tmp_path, "a,b\nr,1,2\ns,3,4\n"))["b"] == ["2", "4"]


def test_quotes_of_other_makes(tmp_path: Path) -> None:
    single = write(tmp_path, "a,b\n'x, y',1\n'it''s',2\n\"q\",3\n")
    assert cells(single)["a"] == ["x, y", "it's", '"q"']
    escaped = write(tmp_path, 'a,b\n"say \\"hi, you\\"",1\n"n",2\n')
    assert cells(escaped)["a"] == ['say "hi, you"', "n"]
    assert cells(write(tmp_path, "a,b\nit's,1\nthat's,2\n"))["a"] == ["it's", "that's"]


# --- Spreadsheets --------------------------------------------------------------------------------


def workbook(*sheets: tuple[str, list[list[Any]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_excel_with_a_title_empty_rows_and_mixed_cells(tmp_path: Path) -> None:
    day = datetime.datetime(2020, 1, 31)
    rows: list[list[Any]] = [
        ["Sales of 2020"], [],
        ["n", "when", "ok", "price", None, "code", "clock"],
        [1, day, True, "1,234.50", None, "007", datetime.time(12, 30)],
        [2.5, day, False, "2,000.00", None, 8, datetime.time(0, 0, 1)],
        [None, None, None, None, None, None, None],
        [-1, None, True, "n/a", None, None, None],
    ]  # fmt: skip
    file = write(tmp_path, workbook(("empty", []), ("data", rows), ("more", rows)), "b.xlsx")
    table = read_table(file)
    assert {name: column.kind for name, column in table.columns.items()} == {
        "n": "number", "when": "time", "ok": "boolean", "price": "number", "code": "text",
        "clock": "number",
    }  # fmt: skip
    assert table["n"].texts() == ["1", "2.5", "-1"]
    assert table["when"].texts() == ["2020-01-31", "2020-01-31", None]
    assert table["price"].texts() == ["1234.5", "2000", None]
    assert table["code"].texts() == ["007", "8", None]
    assert table["clock"].texts() == ["45000", "1", None]
    notes = " ".join(map(str, table.notes))
    assert "'Sales of 2020'" in notes and "Sheet 'data' was read" in notes and "more" in notes
    assert len(read_table(file, sheet="more")) == 3
    with pytest.raises(DataError, match="no sheet named 'dat'.*\n.*'data'"):
        read_table(file, sheet="dat")


def test_damaged_spreadsheets(tmp_path: Path) -> None:
    data = workbook(("s", [["a", "b"], *[[i, f"t{i}"] for i in range(50)]]))
    for cut in (len(data) // 2, len(data) - 30):
        with pytest.raises(DataError):
            read_table(write(tmp_path, data[:cut], "c.xlsx"))
    with pytest.raises(DataError, match="no sheet with rows"):
        read_table(write(tmp_path, workbook(("s", [["a"]])), "d.xlsx"))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("notes.txt", "hello")
    with pytest.raises(DataError, match="is a zip archive"):
        read_table(write(tmp_path, archive.getvalue(), "e.zip"))


# --- Arrow, JSON, NumPy --------------------------------------------------------------------------


def frame() -> polars.DataFrame:
    return polars.DataFrame(
        {
            "n": [1.5, None, 3.0, 4.0],
            "id": [9007199254740993, 2, 3, 4],
            "t": ["x", "y", None, "x"],
            "d": [datetime.date(2020, 1, 1)] * 4,
            "b": [True, False, None, True],
        }
    )


def test_parquet_arrow_feather_and_json_lines_hold_the_same(tmp_path: Path) -> None:
    data = frame()
    data.write_parquet(tmp_path / "a.parquet")
    data.write_ipc(tmp_path / "b.arrow")
    data.write_ipc(tmp_path / "c.feather", compression="lz4")
    data.write_ipc_stream(tmp_path / "d.arrows")
    data.write_ndjson(tmp_path / "e.jsonl")
    data.write_json(tmp_path / "f.json")
    (tmp_path / "g.json").write_text(json.dumps(data.with_columns(
        polars.col("d").cast(polars.String)).to_dict(as_series=False)))  # fmt: skip
    found = [cells(file) for file in sorted(tmp_path.iterdir())]
    assert len(found) == 7
    assert all(one == found[0] for one in found[1:])
    assert found[0]["n"] == ["1.5", None, "3", "4"] and found[0]["t"] == ["x", "y", None, "x"]
    assert found[0]["d"] == ["2020-01-01"] * 4
    assert cells(tmp_path / "a.parquet", text_columns=["id"])["id"][0] == "9007199254740993"


def test_json_rows_may_differ_and_nest(tmp_path: Path) -> None:
    lines = '{"a": 1, "b": {"c": "x", "d": 2}}\n\n{"e": true, "a": null}\n{"b": {"c": "12%"}}\n'
    assert cells(write(tmp_path, lines, "a.jsonl")) == {
        "a": ["1", None, None], "b.c": ["x", None, "12%"], "b.d": ["2", None, None],
        "e": [None, "True", None],
    }  # fmt: skip
    gaps = write(tmp_path, '{"x": 1}\n{"x": 2, "\\ud800": "\\ud800a"}\n', "c.jsonl")
    assert cells(gaps) == {"x": ["1", "2"], "?": [None, "?a"]}
    wrapped = write(tmp_path, '{"count": 2, "rows": [{"x": 1}, {"x": 2}]}', "b.json")
    assert cells(wrapped) == {"x": ["1", "2"]}
    for text, message in (
        ('{"a": 1}\n{"a": \n', "no readable JSON in line 2"),
        ('{"a": [1, 2]}\n{"a": 1}\n', "'a' holds nested values"),
        ("[1, 2]", "Row 1 of .* is a int"),
        ("[]", "holds no rows"),
        ("[" * 100_000, "nested too deeply|no readable JSON"),
        ('{"a": 1}\n7\n', "Row 2 of .* is a int"),
    ):
        with pytest.raises(DataError, match=message):
            read_table(write(tmp_path, text, "bad.jsonl"))


def test_numpy_files_as_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 2)), rng.integers(0, 2, 50)
    np.save(tmp_path / "a.npy", np.asfortranarray(x))
    assert read_table(tmp_path / "a.npy")["column 2"].values.tolist() == x[:, 1].tolist()
    np.savez_compressed(tmp_path / "b.npz", x=x, y=y, kind=np.array(["u", "v"] * 25))
    table = read_table(tmp_path / "b.npz")
    assert list(table.columns) == ["x 1", "x 2", "y", "kind"] and table["kind"].kind == "text"
    named = np.zeros(3, dtype=[("p", "f4"), ("q", "U3")])
    np.save(tmp_path / "c.npy", named)
    assert list(read_table(tmp_path / "c.npy").columns) == ["p", "q"]


def test_numpy_files_that_lie_or_carry_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "executed",))

    np.save(tmp_path / "a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="holds Python objects, which are not read"):
        read_table(tmp_path / "a.npy")
    assert not (tmp_path / "executed").exists()
    np.save(tmp_path / "b.npy", np.zeros((4, 2)))
    data = (tmp_path / "b.npy").read_bytes()
    huge = data.replace(b"(4, 2)", b"(4, 9)")
    with pytest.raises(DataError, match="more than the file holds"):
        read_table(write(tmp_path, huge, "c.npy"))
    for damaged in (
        data.replace(b"'shape': (4, 2)", b"'shape': ((4, 2 "),
        data.replace(b"<f8", b"<f\xff"),
    ):
        with pytest.raises(DataError, match="cannot be read"):
            read_table(write(tmp_path, damaged, "e.npy"))
    for cut in (3, 8, 40, len(data) - 1):
        with pytest.raises(DataError):
            read_table(write(tmp_path, data[:cut], "d.npy"))


# --- Text ----------------------------------------------------------------------------------------


def test_texts_in_lines_files_and_folders(tmp_path: Path) -> None:
    lines = write(tmp_path, "good food, fast\nnever again\nlate; cold; sad\n", "new.txt")
    assert cells(lines) == {"text": ["good food, fast", "never again", "late; cold; sad"]}
    fast = write(tmp_path, "__label__a x y\n__label__b z\n" * 9, "train.txt")
    assert cells(fast)["label"] == ["a", "b"] * 9 and cells(fast)["text"][:2] == ["x y", "z"]
    assert load_source(fast).task.targets == ("label",)
    folder = tmp_path / "reviews"
    for kind in ("bad", "good"):
        (folder / kind).mkdir(parents=True)
        for number in range(10):
            (folder / kind / f"{number}.txt").write_text(f"a {kind} meal\nof day {number % 3}")
    data = load_source(folder)
    assert data.task.classes == ("bad", "good") and data.rows == 20
    files = tmp_path / "by file"
    files.mkdir()
    (files / "neg.txt").write_text("no\nnever\n" * 10)
    (files / "pos.txt").write_bytes("ja, köstlich\n".encode("cp1252") * 20)
    data = load_source(files)
    assert data.task.classes == ("neg", "pos") and data.rows == 40


# --- Memory --------------------------------------------------------------------------------------


class Rows(Dataset[Any]):
    """Pairs of two numbers and a class."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return pellucid.tensor(self.x[index]), int(self.y[index])

    def __len__(self) -> int:
        return len(self.x)


class Stream(IterableDataset[Any]):
    """The same one after the other."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return (self.rows[place] for place in range(len(self.rows)))


class Capsule:
    """A table of another library, known by Arrow's protocol alone."""

    def __init__(self, data: polars.DataFrame) -> None:
        self._data = data

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._data.__arrow_c_stream__(requested_schema)


def test_pairs_data_sets_loaders_and_generators_give_the_same_parts() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 2)).astype(np.float32), rng.integers(0, 3, 60)
    rows = Rows(x, y)
    names = {"x 1": x[:, 0], "x 2": x[:, 1], "label": y}
    sources: list[Any] = [
        (x, y), (pellucid.tensor(x), pellucid.tensor(y)), rows, Stream(rows),
        DataLoader(rows, batch_size=7), ((row, int(k)) for row, k in zip(x, y, strict=True)),
        pandas.DataFrame(names), polars.DataFrame(names), Capsule(polars.DataFrame(names)),
        [dict(zip(names, row, strict=True)) for row in zip(*names.values(), strict=True)],
        ({"x 1": a, "x 2": b, "label": c} for (a, b), c in zip(x, y, strict=True)),
    ]  # fmt: skip
    expected = load_source(names, "label")
    for source in sources:
        found = load_source(source, "label")
        np.testing.assert_array_equal(found.train.features, expected.train.features)
        np.testing.assert_array_equal(found.test.targets, expected.test.targets)
    new = load_for_prediction(expected.preprocessor, (({"x 1": 0.0, "x 2": 1.0}) for _ in range(2)))
    assert new.features.shape == (2, 2)
    with pytest.raises(DataError, match="give no rows"):
        load_source(iter(()), "y")
    with pytest.raises(DataError, match="different shapes"):
        load_source([(np.zeros(2), 0), (np.zeros(3), 1)])


def test_texts_in_frames_are_read_as_in_files(tmp_path: Path) -> None:
    columns = {
        "price": [f"{i},5 €" for i in range(40)],
        "day": [f"{i % 28 + 1:02}.03.2021" for i in range(40)],
        "smoker": ["ja", "nein"] * 20,
        "y": [i % 2 for i in range(40)],
    }
    data = load_source(columns, "y")
    from_file = polars.DataFrame(columns)
    from_file.write_csv(tmp_path / "t.csv", separator=";")
    other = load_source(tmp_path / "t.csv", "y")
    assert data.feature_names == other.feature_names
    np.testing.assert_array_equal(data.train.features, other.train.features)
    assert any("'ja' was read as True" in note for note in data.notes)


# --- New rows in another form than training ------------------------------------------------------


def test_new_rows_may_come_in_any_form(tmp_path: Path) -> None:
    """Trained on a file as people write it, asked with the same rows in every other form."""
    rng = np.random.default_rng(0)
    rows = 60
    days = [
        datetime.date(2020, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 900, rows)
    ]
    price, kind = rng.normal(1000, 500, rows).round(2), rng.choice(["a", "b", "c"], rows)
    smokes, y = rng.random(rows) < 0.5, rng.integers(0, 2, rows)
    lines = ["tag;preis;raucher;art;y"]
    for d, p, s, k, t in zip(days, price, smokes, kind, y, strict=True):
        number = f"{p:,.2f}".translate(str.maketrans(",.", ".,"))
        lines.append(f"{d:%d.%m.%Y};{number} €;{'ja' if s else 'nein'};{k};{t}")
    text = "\n".join(lines) + "\n"
    file = write(tmp_path, text.encode("cp1252"))
    data = load_source(file, "y")
    expected = load_for_prediction(data.preprocessor, file).features
    assert data.feature_names[-4:] == ("raucher", "art = a", "art = b", "art = c")
    plain = polars.DataFrame({"tag": days, "preis": price, "raucher": smokes, "art": kind})
    plain.write_parquet(tmp_path / "a.parquet")
    plain.write_ipc(tmp_path / "b.arrow")
    plain.write_ndjson(tmp_path / "c.jsonl")
    plain.write_csv(tmp_path / "d.csv")
    book = [list(plain.columns), *map(list, plain.rows())]
    write(tmp_path, workbook(("s", book)), "e.xlsx")
    sources: list[Any] = [tmp_path / name for name in ("a.parquet", "b.arrow", "c.jsonl", "d.csv")]
    sources += [tmp_path / "e.xlsx", plain, pandas.DataFrame(plain.to_dict(as_series=False))]
    sources += [plain.rows(named=True), plain.select("art", "raucher", "preis", "tag")]
    for source in sources:
        found = load_for_prediction(data.preprocessor, source)
        np.testing.assert_allclose(found.features, expected, rtol=1e-6, atol=1e-6)
    strays = plain.with_columns(raucher=polars.lit("ja")).with_columns(
        raucher=polars.when(polars.arange(0, rows) == 7).then(polars.lit("?!")).otherwise("raucher")
    )
    with pytest.raises(DataError, match="raucher"):
        load_for_prediction(data.preprocessor, plain.with_columns(raucher=polars.lit("vielleicht")))
    notes = " ".join(load_for_prediction(data.preprocessor, strays).notes)
    assert "1 of 60 values is no truth value ('?!' in row 8)" in notes
    assert "the more frequent value" in notes
