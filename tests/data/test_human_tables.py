"""Tables as people write them: what each way of writing means is decided from the whole file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.columns import Table
from pellucid.data.number_text import decide_numbers
from pellucid.data.sources import load_for_prediction, load_source
from pellucid.data.tables import read_table
from pellucid.data.time_text import decide_times


def table(folder: Path, text: str | bytes, **settings: object) -> Table:
    file = folder / "t.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(file, **settings)  # type: ignore[arg-type]


# --- Numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("separator", "texts", "numbers"),
    [
        (",", ["1,234.50", "7"], [1234.5, 7]),
        (",", ["1,234", "900"], [1234, 900]),
        (",", ["1,234,567", "12"], [1234567, 12]),
        (";", ["1.234,56", "12"], [1234.56, 12]),
        (";", ["1,5", "2"], [1.5, 2]),
        (";", ["1,234", "900"], [1234, 900]),  # commas before three digits, smaller ones bare
        (";", ["1,234", "9000"], [1.234, 9000]),  # a larger one bare: no thousands
        (",", ["1.234", "0.5"], [1.234, 0.5]),
        (",", ["1'234.5", "12"], [1234.5, 12]),
        (",", ["1’234", "12"], [1234, 12]),
        (",", ["1 234 567", "12"], [1234567, 12]),
        (",", ["1\u00a0234,5", "12"], [1234.5, 12]),
        (",", ["1\u202f234", "12"], [1234, 12]),
        (",", ["1,23,456", "12"], [123456, 12]),  # India
        (",", ["$12", "$1,200.50", "-$3"], [12, 1200.5, -3]),
        (";", ["12 €", "13,50 €"], [12, 13.5]),
        (",", ["USD 12", "USD 13.5"], [12, 13.5]),
        (",", ["￥1,200", "¥３"], [1200, 3]),
        (",", ["5.0%", "3 %"], [5, 3]),
        (",", ["7 kg", "12.5kg"], [7, 12.5]),
        (",", ["+3", "-4", "\u22125"], [3, -4, -5]),
        (",", ["(1,234)", "(7.5)", "100"], [-1234, -7.5, 100]),
        (",", ["1e3", "2.5E-4"], [1000, 0.00025]),
        (",", [".5", "5."], [0.5, 5]),
        (",", [f"{i}.5k" for i in range(1, 10)] + ["2M", "800"],
         [i * 1000 + 500 for i in range(1, 10)] + [2e6, 800]),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(
    separator: str, texts: list[str], numbers: list[float]
) -> None:
    rule = decide_numbers(texts, [1] * len(texts), "", None, separator)
    assert rule is not None
    assert rule.read(texts) == pytest.approx(numbers, rel=1e-15)


@pytest.mark.parametrize(
    "texts",
    [
        ["007", "12"],
        ["1", "2A", "2B"],
        ["12 Main St", "14 Oak Av"],
        ["192.168.0.1", "10.0.0.1"],
        ["7 kg", "7 g"],
        ["$5", "€5"],
        ["12.05.20", "13.05.20"],
        ["1st", "2nd", "3rd"],
        ["north", "south"],
    ],
)
def test_what_is_no_number(texts: list[str]) -> None:
    assert decide_numbers(texts, [1] * len(texts), "", None, ",") is None


def test_the_other_columns_decide_what_one_leaves_open(tmp_path: Path) -> None:
    found = table(tmp_path, "umsatz;b\n1.200;0,5\n15.300;1,5\n900;2,5\n")
    assert found["umsatz"].values.tolist() == [1200, 15300, 900]
    assert found.notes == (
        "Column 'umsatz': '1.200' was read as 1200 (thousands separators; 2 of 3 values).",
    )
    plain = table(tmp_path, "a;b\n1.200;0.5\n15.300;1.5\n900;2.5\n")
    assert plain["a"].values.tolist() == [1.2, 15.3, 900] and plain.notes == ()


def test_a_guess_without_proof_is_told_with_the_setting_that_decides(tmp_path: Path) -> None:
    text = "a;b\n1.200;x\n900;y\n"
    guessed = table(tmp_path, text)
    assert guessed["a"].values.tolist() == [1.2, 900]
    assert "decimal=','" in guessed.notes[0]
    assert table(tmp_path, text, decimal=",")["a"].values.tolist() == [1200, 900]
    with pytest.raises(ArgumentError, match="decimal=';' is no decimal sign"):
        table(tmp_path, text, decimal=";")


def test_one_bad_value_is_missing_and_told(tmp_path: Path) -> None:
    rows = [f"{i}.5,2020-01-{i % 28 + 1:02}" for i in range(300)]
    rows[7], rows[9] = "error,2020-01-08", "9.5,2020-13-01"
    found = table(tmp_path, "\n".join(["m,d", *rows]))
    assert found["m"].kind == "number" and found["d"].kind == "time"
    assert found["m"].missing.sum() == 1 and found["d"].missing.sum() == 1
    assert [str(note) for note in found.notes] == [
        "Column 'm': 1 of 300 values is no number ('error' in line 9): read as missing. "
        "To make the column categories, use text_columns='m'.",
        "Column 'd': 1 of 300 values is no date ('2020-13-01' in line 11): read as missing. "
        "To make the column categories, use text_columns='d'.",
    ]


def test_a_text_among_few_numbers_of_a_target_is_a_class(tmp_path: Path) -> None:
    rows = "".join(f"{i * 0.37 % 5},{'other' if i % 25 == 0 else i % 3}\n" for i in range(100))
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    assert load_source(tmp_path / "t.csv", "y").task.classes == ("0", "1", "2", "other")


def test_a_target_with_separators_is_a_number(tmp_path: Path) -> None:
    rows = "".join(f'{i % 5},"{3000 + i * 22.5:,.2f}"\n' for i in range(100))
    (tmp_path / "t.csv").write_text("b,price\n" + rows)
    data = load_source(tmp_path / "t.csv", "price")
    assert data.task.kind == "regression" and data.train.raw_targets.min() >= 3000


# --- Dates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "date_format", "first"),
    [
        (["1/15/21", "2/3/22"], "%m/%d/%y", "2021-01-15"),
        (["12.05.20"], "%d.%m.%y", "2020-05-12"),
        (["12.05.69", "12.05.70"], "%d.%m.%y", "2069-05-12"),
        (["13:45", "3:00"], "%H:%M", "1970-01-01T13:45"),
        (["3:00 PM", "11:15 am"], "%I:%M %p", "1970-01-01T15:00"),
        (["2020-01-01T10:00:00+02:00"], "%Y-%m-%dT%H:%M:%S%.f%z", "2020-01-01T08:00"),
        (["2020-01-01 10:00:00.5 -0330"], "%Y-%m-%d %H:%M:%S%.f%z", "2020-01-01T13:30:00.5"),
        (["Jan 5 2020", "February 12 2020"], "%b %d %Y", "2020-01-05"),
        (["5 Jan 2020"], "%d %b %Y", "2020-01-05"),
        (["2020年1月5日"], "%Y年%m月%d日", "2020-01-05"),
        (["2020-03"], "%Y-%m", "2020-03-01"),
        (["2020/01/05 9:30 PM"], "%Y/%m/%d %I:%M %p", "2020-01-05T21:30"),
        (["20200131T101500"], "%Y%m%dT%H%M%S", "2020-01-31T10:15"),
    ],
)
def test_dates_as_people_write_them(texts: list[str], date_format: str, first: str) -> None:
    rule = decide_times(texts, [1] * len(texts))
    assert rule is not None and rule.date_format == date_format
    wanted = np.datetime64(first, "us").astype(np.int64) / 1e6
    assert rule.seconds[0] == wanted


def test_two_digit_years_are_told_and_mean_the_same_with_four(tmp_path: Path) -> None:
    days = [(1 + i % 12, 1 + i % 28, 2019 + i % 4) for i in range(120)]
    two = [f"{m}/{d}/{y % 100},{y + m / 12}" for m, d, y in days]
    (tmp_path / "two.csv").write_text("\n".join(["d,y", *two]))
    (tmp_path / "four.csv").write_text("\n".join(["d", *(f"{m}/{d}/{y}" for m, d, y in days)]))
    data = load_source(tmp_path / "two.csv", "y", task="regression")
    assert "two-digit years of 1970 to 2069" in data.notes[0]
    same = load_for_prediction(data.preprocessor, tmp_path / "two.csv")
    other = load_for_prediction(data.preprocessor, tmp_path / "four.csv")
    np.testing.assert_array_equal(same.features, other.features)
    assert not any("dates are written" in note for note in same.notes)
    assert other.notes[0] == (
        "Column 'd': dates are written as 01/31/2020 (%m/%d/%Y) here, in training as 01/31/20 "
        "(%m/%d/%y), which is expected: read as they are written here."
    )


def test_other_dates_decide_the_order_of_day_and_month(tmp_path: Path) -> None:
    found = table(tmp_path, "a,b\n01/02/2020,25/12/2019\n03/04/2020,01/02/2019\n")
    assert found["a"].text(0) == "2020-02-01"
    assert "day/month/year, as the file's other dates (2 values)" in found.notes[0]
    asked = table(tmp_path, "a\n01/02/2020\n", date_formats={"a": "%d/%m/%Y"})
    assert asked["a"].text(0) == "2020-02-01" and not asked.notes
    with pytest.raises(ArgumentError, match="'later' is no date format"):
        table(tmp_path, "a\n1\n", date_formats={"a": "later"})


# --- Missing values ----------------------------------------------------------------------------


def test_na_is_a_class_among_other_codes(tmp_path: Path) -> None:
    rows = "".join(f"{i % 7}.5,{['NA', 'DE', 'FR'][i % 3]}\n" for i in range(90))
    (tmp_path / "t.csv").write_text("a,country\n" + rows)
    data = load_source(tmp_path / "t.csv", "country")
    assert data.task.classes == ("DE", "FR", "NA") and data.rows_dropped == 0
    assert data.notes[0] == (
        "Column 'country': 'NA' (30 of 90 values) is taken as a value like the others (DE, FR, …)."
        " If it means a missing value, use missing_values='NA'."
    )
    new = load_for_prediction(data.preprocessor, tmp_path / "t.csv", data.task)
    assert new.targets is not None and new.targets.tolist() == [2, 0, 1] * 30
    lost = load_source(tmp_path / "t.csv", "country", missing_values="NA")
    assert lost.task.classes == ("DE", "FR") and lost.rows_dropped == 30


@pytest.mark.parametrize("text", ["NA", "null", "nan", "N/A"])
def test_other_texts_are_missing_and_can_be_kept(tmp_path: Path, text: str) -> None:
    content = "x\nlow\nhigh\nmiddle\n" + f"{text}\n" * 2
    found = table(tmp_path, content)
    assert found["x"].missing.sum() == 2
    assert found.notes == (
        f"Column 'x': '{text}' (2 of 5 values) was read as missing. "
        f"If it is a value, use keep_texts='{text}'.",
    )
    kept = table(tmp_path, content, keep_texts=[text])
    assert kept["x"].texts()[-1] == text and kept.notes == ()


def test_further_texts_can_mean_missing(tmp_path: Path) -> None:
    found = table(
        tmp_path, "x,c\n1,a\n-999,b\n3,none at all\n", missing_values=["-999", "none at all"]
    )
    assert found["x"].texts() == ["1", None, "3"] and found["c"].texts() == ["a", "b", None]


# --- The shape of files ------------------------------------------------------------------------


def test_empty_columns_and_trailing_separators_are_left_out(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i % 7},{i % 2},\n" for i in range(40))
    for header in ("a,b,y,", "a,b,y"):  # with and without the comma in the first line
        (tmp_path / "t.csv").write_text(f"{header}\n{rows}")
        data = load_source(tmp_path / "t.csv", "y")
        assert data.feature_names == ("a", "b"), header


def test_comments_above_the_names_are_skipped(tmp_path: Path) -> None:
    found = table(tmp_path, "# made by hand\n# in 2020, twice\na,b\n1,2\n3,4\n")
    assert list(found.columns) == ["a", "b"] and found.lines is not None
    assert found.lines.tolist() == [4, 5]
    assert found.notes == ("t.csv: 2 lines above the column names skipped as comments (#).",)
    numpy = table(tmp_path, "# a,b\n1,2\n3,4\n")
    assert list(numpy.columns) == ["a", "b"] and numpy["a"].values.tolist() == [1, 3]
    assert "line 1 ('a,b') names columns" in numpy.notes[0]
    assert list(table(tmp_path, "#id,b\nx,2\ny,4\n").columns)[-1] == "b"


def test_ragged_rows_name_the_line_that_is_taken_for_the_header(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"line 2 has 2 cells.*\n.*Line 1 \('Sales 2020'\) is taken"
    ):
        table(tmp_path, "Sales 2020\na,b\n1,2\n")


def test_a_header_of_years(tmp_path: Path) -> None:
    found = table(tmp_path, "2019,2020,2021\n1,2,3\n")
    assert list(found.columns) == ["2019", "2020", "2021"]
    assert "header=False" in found.notes[0]
    assert table(tmp_path, "2019,2020,2021\n1,2,3\n", header=False)["column 1"].texts() == [
        "2019",
        "1",
    ]
    with pytest.raises(DataError, match="no column names.*\n.*header=True.*header=False"):
        table(tmp_path, "5.1,3.5\n4.9,3\n")
    assert list(table(tmp_path, "5.1,3.5\n4.9,3\n", header=True).columns) == ["5.1", "3.5"]


def test_a_table_without_header_predicts_from_one_without(tmp_path: Path) -> None:
    values = np.arange(40) % 9 + 0.5
    rows = "".join(f"{value},{i % 2}\n" for i, value in enumerate(values))
    (tmp_path / "t.csv").write_text(rows)
    data = load_source(tmp_path / "t.csv", "column 2", header=False)
    (tmp_path / "new.csv").write_text("3.5\n4.5\n")
    found = load_for_prediction(data.preprocessor, tmp_path / "new.csv").features
    seen = values[data.train.indices]
    expected = (np.array([[3.5], [4.5]]) - seen.mean()) / seen.std()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_excel_and_utf16_files(tmp_path: Path) -> None:
    assert list(table(tmp_path, "sep=;\na;b\n1,5;2\n").columns) == ["a", "b"]
    utf16 = table(tmp_path, "a\tb\n1\té\n".encode("utf-16"))
    assert utf16["b"].texts() == ["é"] and "UTF-16" in utf16.notes[0]


def test_very_long_cells_and_quoted_line_ends(tmp_path: Path) -> None:
    long = "x" * 300_000
    found = table(tmp_path, f'a,b\n"{long}",1\n"u\nv",2\n')
    assert found["a"].texts() == [long, "u\nv"]
    assert found.lines is not None and found.lines.tolist() == [2, 3]


def test_other_formats_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is an SQLite database, not a CSV file"):
        table(tmp_path, b"SQLite format 3\0" + b"\0" * 40)
    with pytest.raises(DataError, match="is a damaged Arrow file"):
        table(tmp_path, b"ARROW1\0\0" + b"\0" * 40)
    with pytest.raises(DataError, match="Feather file of the first version"):
        table(tmp_path, b"FEA1" + b"\0" * 40)


def test_only_values_without_a_unit_are_said_to_lack_it(tmp_path: Path) -> None:
    """Thousands separators beside the unit do not hide it."""
    rows = [f'"{1000 + i:,} min",{i}' if i < 50 else f"{i} min,{i}" for i in range(100)]
    read = table(tmp_path, "\n".join(["t,y", *rows]))
    assert read.notes and not any("same unit" in str(note) for note in read.notes)
    read = table(tmp_path, "\n".join(["t,y", "77,3", *rows]))
    assert any("1 have no 'min': read as the same unit" in str(note) for note in read.notes)
