"""Reading tables: what a file means, and what each bad file is answered with."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path

import numpy as np
import pandas
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.base.errors import ArgumentError, DataError, FileError
from pellucid.data.columns import Table, as_table, nearest_names
from pellucid.data.tables import read_table


def write(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def contents(table: Table) -> dict[str, list[str | None]]:
    return {name: column.texts() for name, column in table.columns.items()}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_found(tmp_path: Path, separator: str) -> None:
    lines = ["a,b,c", "1,x,2.5", "2,y,-3"]
    table = read_table(write(tmp_path, "\n".join(lines).replace(",", separator)))
    assert contents(table) == {"a": ["1", "2"], "b": ["x", "y"], "c": ["2.5", "-3"]}


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_byte_order_mark_and_blank_lines(tmp_path: Path, ending: str) -> None:
    text = "\ufeffa,b\n1,é\n\n2,ü\n\n".replace("\n", ending)
    table = read_table(write(tmp_path, text))
    assert contents(table) == {"a": ["1", "2"], "b": ["é", "ü"]}
    assert table.lines is not None and table.lines.tolist() == [2, 4]


def test_quoted_cells_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, '"a ""q""",b\n"x, ""y""",1\n"u\nv",2\n"",3\n'))
    assert contents(table) == {'a "q"': ['x, "y"', "u\nv", None], "b": ["1", "2", "3"]}
    assert table.lines is not None and table.lines.tolist() == [2, 3, 5]


def test_gzip_is_recognized_by_content(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, gzip.compress(b"a,b\n1,2\n"), "any.name"))
    assert contents(table) == {"a": ["1"], "b": ["2"]}


def test_kinds_follow_from_all_values(tmp_path: Path) -> None:
    text = (
        "number,truth,day,moment,code,text,gap\n"
        "1,True,2020-02-28,2020-02-28 13:30:00,007,x,\n"
        "inf,false,2020-02-29,2020-02-29 00:00:00,120,NA,\n"
        "1e3,,,2021-01-01 06:00:00,013,z,\n"
    )
    table = read_table(write(tmp_path, text))
    kinds = {name: column.kind for name, column in table.columns.items()}
    assert kinds == {
        "number": "number",
        "truth": "boolean",
        "day": "time",
        "moment": "time",
        "code": "text",
        "text": "text",
        "gap": "number",
    }
    assert table["number"].values.tolist() == [1.0, np.inf, 1000.0]
    assert table["day"].texts() == ["2020-02-28", "2020-02-29", None]
    assert table["moment"].text(0) == "2020-02-28T13:30:00"
    assert table["code"].texts() == ["007", "120", "013"]
    assert table["text"].texts() == ["x", None, "z"]
    assert table["gap"].missing.all()


def test_decimal_comma_and_markers_of_missing_numbers(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a;b\n1,5;3\n-2;?\n"))
    assert table["a"].values.tolist() == [1.5, -2.0]
    assert table["b"].texts() == ["3", None]
    assert table.notes == ("Column 'b': '?' was read as a missing number (1 of 2 values).",)


def test_ambiguous_dates_are_said_and_a_known_format_decides(tmp_path: Path) -> None:
    file = write(tmp_path, "d\n01/02/2020\n03/04/2020\n")
    assert read_table(file)["d"].text(0) == "2020-01-02"
    assert "month/day/year" in read_table(file).notes[0]
    known = read_table(file, date_formats={"d": "%d/%m/%Y"})
    assert known["d"].text(0) == "2020-02-01" and not known.notes


def test_text_columns_stay_text(tmp_path: Path) -> None:
    file = write(tmp_path, "zip,x\n10115,1\n80331,2\n")
    assert read_table(file, text_columns=["zip"])["zip"].texts() == ["10115", "80331"]
    with pytest.raises(DataError, match="has no column named 'zp'\n.*Did you mean 'zip'"):
        read_table(file, text_columns=["zp"])


def test_fingerprint_is_the_sha256_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "a\n1\n")
    assert read_table(file).fingerprint == hashlib.sha256(b"a\n1\n").hexdigest()


def test_parquet_equals_csv(tmp_path: Path) -> None:
    frame = polars.DataFrame(
        {"n": [1.5, None, 3.0], "t": ["x", "y", None], "b": [True, None, False]}
    )
    frame.write_parquet(tmp_path / "data.parquet")
    frame.write_csv(tmp_path / "data.csv")
    from_parquet = read_table(tmp_path / "data.parquet")
    assert contents(from_parquet) == contents(read_table(tmp_path / "data.csv"))


# Python and polars differ on whether control characters are blanks, so only two take part.
letters = st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\n\t")
cells = st.text(letters, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=8), st.sampled_from(",;\t|"))
def test_any_text_survives_quoting(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], separator: str
) -> None:
    def quote(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    lines = [separator.join(map(quote, row)) for row in [("a", "b"), *rows]]
    file = write(tmp_path_factory.mktemp("quoted"), "\n".join(lines) + "\n")
    table = read_table(file, separator=separator, text_columns=["a", "b"])
    missing = {"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null"}
    for position, name in enumerate("ab"):
        expected = [row[position] for row in rows]
        received = table[name].texts()
        assert len(received) == len(expected)
        for want, have in zip(expected, received, strict=True):
            assert have is None if want.strip() in missing else (have or "").strip() == want.strip()


# --- Bad files ---------------------------------------------------------------------------------


BAD_FILES = {
    "empty": (b"", r"data\.csv is empty \(0 bytes\)\n.*a line of column names"),
    "blank": (b"\n \n", r"data\.csv is empty \(3 bytes\)"),
    "header only": (b"a,b\n", r"has a header \('a', 'b'\) and no rows\n.*one line below"),
    "too few cells": (
        b"a,b\n1,2\n3\n4\n",
        r"ragged rows: line 3 has 1 cells, the header has 2 \(2",
    ),
    "too many cells": (b"a,b\n1,2\n\n3,4,5\n", r"ragged rows: line 4 has 3 cells"),
    "ragged quoted": (b'a,b\n"x\ny",2\n"z",3,4\n', r"ragged rows: line 4 has 3 cells"),
    "open quote": (b'a,b\n1,2\n"x,3\n4,5\n', r"broken quotes after line 2"),
    "one name twice": (b"a,b,a\n1,2,3\n", r"two columns named 'a': columns 1 and 3\n.*of its own"),
    "no header": (b"5.1,3.5\n4.9,3\n", r"no column names: its first line holds only numbers"),
    "mark only": (b"\xef\xbb\xbf", r"data\.csv is empty \(3 bytes\)"),
    "utf-16 mark only": (b"\xff\xfe", r"data\.csv is empty \(2 bytes\)"),
    "zero byte": (b"a,b\n1,\0\n", r"not a text file: a zero byte at position 6"),
    "spreadsheet": (b"PK\x03\x04rest", r"is a zip archive, not a CSV file\n.*Unpack"),
    "truncated gzip": (
        gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-9],
        r"is a truncated gzip file: it ends after \d+ bytes.*\n.*again",
    ),
    "damaged gzip": (b"\x1f\x8b\x08\x00" + b"\xff" * 40, r"is a damaged gzip file"),
    "truncated parquet": (b"PAR1" + b"x" * 30, r"damaged Parquet file: its end marker is missing"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_is_met_by_a_clear_error(tmp_path: Path, case: str) -> None:
    content, message = BAD_FILES[case]
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(tmp_path, content))
    assert caught.value.exit_code == 3 and caught.value.hint


def test_damaged_parquet(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    polars.DataFrame({"a": list(range(100))}).write_parquet(buffer)
    data = bytearray(buffer.getvalue())
    data[len(data) - 60 : len(data) - 8] = b"\xff" * 52
    with pytest.raises(DataError, match="is a damaged Parquet file"):
        read_table(write(tmp_path, bytes(data)))


def test_empty_parquet(tmp_path: Path) -> None:
    polars.DataFrame({"a": []}).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(DataError, match="has 1 columns and 0 rows\n.*at least one row"):
        read_table(tmp_path / "e.parquet")


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "a\n1\n", "titanic.csv")
    with pytest.raises(FileError, match=r"There is no file .*titanik\.csv\n.*'titanic\.csv'"):
        read_table(tmp_path / "titanik.csv")
    with pytest.raises(FileError, match="There is no folder .* either"):
        read_table(tmp_path / "none" / "x.csv")


def test_folder_and_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileError, match="is a folder, a file was expected") as caught:
        read_table(tmp_path)
    assert caught.value.exit_code == 4

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(FileError, match=r"may not be read \(permission denied\)\n.*permissions"):
        read_table(tmp_path / "x.csv")


def test_path_with_a_zero_byte() -> None:
    with pytest.raises(FileError, match="cannot be read"):
        read_table("a\0b.csv")


def test_unknown_encoding_and_separator(tmp_path: Path) -> None:
    file = write(tmp_path, "a\n1\n")
    with pytest.raises(ArgumentError, match="no text encoding named 'utf-9'"):
        read_table(file, encoding="utf-9")
    with pytest.raises(ArgumentError, match="cannot separate cells"):
        read_table(file, separator="ab")
    latin = write(tmp_path, "name,x\ncafé,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"is not UTF-8: byte 0xe9 at position 10 \(line 2\)\n.*cp"):
        read_table(latin, encoding="utf-8")


def test_encoding_can_be_given(tmp_path: Path) -> None:
    file = write(tmp_path, "姓名,分\n张,1\n".encode("gb18030"))
    assert contents(read_table(file, encoding="gb18030")) == {"姓名": ["张"], "分": ["1"]}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_cause_anything_but_our_errors(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    try:
        table = read_table(write(tmp_path_factory.mktemp("bytes"), data))
    except (DataError, FileError):
        return
    assert table.rows >= 1


# --- Tables from memory ------------------------------------------------------------------------


def test_polars_pandas_and_dict_give_the_same_table() -> None:
    columns: dict[str, list[object]] = {
        "n": [1.0, None, 3.0],
        "i": [1, 2, 3],
        "t": ["x", None, "y"],
        "b": [True, False, True],
    }
    expected = contents(as_table(columns))
    assert expected == {
        "n": ["1", None, "3"],
        "i": ["1", "2", "3"],
        "t": ["x", None, "y"],
        "b": ["True", "False", "True"],
    }
    assert contents(as_table(polars.DataFrame(columns))) == expected
    assert contents(as_table(polars.LazyFrame(columns))) == expected
    assert contents(as_table(pandas.DataFrame(columns))) == expected
    assert (
        contents(as_table({k: np.array(v, dtype=object) for k, v in columns.items()})) == expected
    )


def test_dates_from_memory() -> None:
    days = np.array(["2020-01-01", "NaT"], dtype="datetime64[D]")
    for table in (
        as_table({"d": days}),
        as_table(pandas.DataFrame({"d": days.astype("datetime64[ns]")})),
        as_table(polars.DataFrame({"d": days})),
    ):
        assert table["d"].kind == "time"
        assert table["d"].texts() == ["2020-01-01", None]


def test_categories_of_data_frames() -> None:
    for frame in (
        pandas.DataFrame({"c": pandas.Categorical(["b", "a", None])}),
        polars.DataFrame({"c": polars.Series(["b", "a", None], dtype=polars.Categorical)}),
    ):
        assert as_table(frame)["c"].texts() == ["b", "a", None]


def test_bad_tables_from_memory() -> None:
    with pytest.raises(ArgumentError, match="A table was expected, int was received"):
        as_table(3)
    with pytest.raises(DataError, match="different lengths: 'a' 2, 'b' 1"):
        as_table({"a": [1, 2], "b": [1]})
    with pytest.raises(DataError, match=r"'a' has shape \(2, 2\)"):
        as_table({"a": np.zeros((2, 2))})
    with pytest.raises(DataError, match="'a' holds nested values of type list"):
        as_table({"a": [[1], [2]]})
    with pytest.raises(DataError, match="'a' holds values of type List"):
        as_table(polars.DataFrame({"a": [[1], [2]]}))
    with pytest.raises(DataError, match="two columns named 'a'"):
        as_table(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(DataError, match="complex128, which no network takes"):
        as_table({"a": np.array([1j])})


def test_absent_column_names_the_nearest() -> None:
    table = as_table({"age": [1], "fare": [2]}, "cats")
    with pytest.raises(DataError, match="cats has no column named 'Agee'\n  Did you mean 'age'"):
        table["Agee"]
    assert nearest_names("zzz", ["one", "two"]) == "There are 'one', 'two'."
    assert nearest_names("zzz", []) == "There are none."


def test_taking_rows_keeps_lines(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a\n5\n6\n7\n")).take(np.array([2, 0]))
    assert table["a"].values.tolist() == [7.0, 5.0]
    assert table.place(0) == "line 4" and len(table) == 2
