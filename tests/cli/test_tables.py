"""Tables at the command line: notes, options, and hints that name options."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.base.errors import DataError
from pellucid.base.phrases import Phrase, Setting, join, option_words, phrase, worded

Command = Callable[..., Any]
QUICK = ("--epochs", "2", "--eager", "-q", "--width", "8")


def write(folder: Path, name: str, rows: list[str]) -> Path:
    file = folder / name
    file.write_text("\n".join(rows) + "\n")
    return file


# --- One wording for Python, one for the command line --------------------------------------------


@pytest.mark.parametrize(
    ("setting", "python", "option"),
    [
        (Setting("ignore", "x"), "ignore='x'", "--ignore x"),
        (Setting("text_columns", "m n"), "text_columns='m n'", "--text-column 'm n'"),
        (Setting("encoding", "cp1252"), "encoding='cp1252'", "--encoding cp1252"),
        (Setting("keep_leaks"), "keep_leaks", "--keep-leaks"),
        (Setting("header", False), "header=False", "--no-header"),
        (Setting("in_order", True), "in_order=True", "--in-order"),
        (Setting("learning_rate", 0.1), "learning_rate=0.1", "--learning-rate 0.1"),
        (Setting("widths", (8, 4)), "widths=(8, 4)", "--width 8,4"),
        (
            Setting("date_formats", {"d": "%d/%m/%Y"}),
            "date_formats={'d': '%d/%m/%Y'}",
            "--date-format d=%d/%m/%Y",
        ),
        (Setting("keep_texts", "it's"), 'keep_texts="it\'s"', "--keep-text 'it'\"'\"'s'"),
    ],
)
def test_a_setting_has_two_wordings(setting: Setting, python: str, option: str) -> None:
    assert str(setting) == python and option_words(setting) == option


def test_phrases_keep_their_settings_when_joined() -> None:
    one = phrase("Use ", Setting("ignore", "x"), ".")
    text = "First. " + one + join(" ", [" Then", one])
    assert isinstance(text, Phrase)
    assert text == "First. Use ignore='x'. Then Use ignore='x'."
    assert worded(text, option_words) == "First. Use --ignore x. Then Use --ignore x."
    assert str(DataError("Bad", one)) == "Bad\n  Use ignore='x'."


@pytest.mark.parametrize(
    ("rows", "arguments", "code", "expected"),
    [
        (["m,y", *(f"{'error' if i == 7 else i * 0.5},{i % 2}" for i in range(60))], (), 0,
         "--text-column m"),
        (["a,y", *(f"{i % 7},{f'name {i}'}" for i in range(60))], (), 3, "--task regression"),
        (["a,y", *(f"{i % 7},{'ab'[i % 2]}" for i in range(60))], ("--task", "regression"), 3,
         "--task classification"),
        (["a,twin,y", *(f"{i * 7 % 5},{['no', 'yes'][i % 2]},{i % 2}" for i in range(60))], (), 0,
         "--keep-leaks"),
        (["5.1,3.5", *(f"{i}.5,{i % 2}" for i in range(60))], (), 3, "--no-header"),
    ],
)  # fmt: skip
def test_hints_name_options(
    command: Command, tmp_path: Path, rows: list[str], arguments: tuple[str, ...], code: int,
    expected: str,
) -> None:  # fmt: skip
    write(tmp_path, "t.csv", rows)
    found = command("train", "t.csv", "-t", "y", "-o", "run", *arguments, *QUICK)
    assert found.code == code, found.err
    text = " ".join((found.out + found.err).split())
    assert expected in text
    for python in ("text_columns", "task='", "keep_leaks", "header=", "ignore="):
        assert python not in text
    if code == 0:
        report = (tmp_path / "run" / "report.html").read_text()
        assert expected in report and "text_columns" not in report


def test_encoding_hint(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,y\nZürich,1\n".encode("cp1252"))
    assert "--encoding cp1252" in command("train", "t.csv", "-t", "y", "--encoding", "utf-8").err


# --- Options -------------------------------------------------------------------------------------


def test_options_of_files_reach_the_reader(command: Command, tmp_path: Path) -> None:
    rows = [f"0{i % 9 + 1}/02/2020;{i % 7}.200;{['NA', 'no', '-9'][i % 3]}" for i in range(90)]
    write(tmp_path, "t.csv", ["d;a;y", *rows])
    found = command(
        "train", "t.csv", "-t", "y", "-o", "run", *QUICK, "--date-format", "d=%d/%m/%Y",
        "--decimal", ",", "--keep-text", "NA", "--missing-value", "-9",
    )  # fmt: skip
    assert found.code == 0, found.err
    assert "2 distinct text values (NA, no)" in found.out
    assert "30 rows were left out" in found.out and "was read as month/day" not in found.out
    bad = command("train", "t.csv", "-t", "y", "--date-format", "d")
    assert bad.code == 2 and "COLUMN=FORMAT" in bad.err


def test_groups_and_order(command: Command, tmp_path: Path) -> None:
    rows = [f"{i // 5},{i * 0.37 % 3},{i % 2}" for i in range(100)]
    write(tmp_path, "t.csv", ["person,x,y", *rows])
    found = command("train", "t.csv", "-t", "y", "-o", "a", "--group", "person", *QUICK)
    assert found.code == 0 and "Rows of one 'person' stay in one part" in found.out
    found = command("train", "t.csv", "-t", "y", "-o", "b", "--in-order", *QUICK)
    assert found.code == 0 and "the last rows" in found.out
    found = command("train", "t.csv", "-t", "y", "--time", "x", "--group", "person")
    assert found.code == 2 and "--group person and --time x both say how to cut" in found.err


def test_predict_tells_its_guesses_and_carries_ids(command: Command, tmp_path: Path) -> None:
    rows = [f"{i * 0.37 % 5},{['north', 'south'][i % 2]},{i * 0.5}" for i in range(80)]
    write(tmp_path, "t.csv", ["x,region,y", *rows])
    assert command("train", "t.csv", "-t", "y", "-o", "run", *QUICK).code == 0
    new = ["key,x,region,y", "007,1,north,1", "008,1,NORTH,2", "009,1,west,3", "010,,south,4"]
    write(tmp_path, "new.csv", new)
    found = command("predict", "run", "new.csv", "--id", "key")
    assert found.code == 0
    lines = list(csv.reader(io.StringIO(found.out)))
    assert [line[:2] for line in lines] == [
        ["row", "key"], ["0", "007"], ["1", "008"], ["2", "009"], ["3", "010"],
    ]  # fmt: skip
    for text in ("'NORTH' (1), 'west' (1)", "Column 'x': 1 of 4 values is missing"):
        assert text in found.err and text in command("evaluate", "run", "new.csv").err


def test_eight_rows_say_that_they_are_few(command: Command, tmp_path: Path) -> None:
    for count in (8, 45):
        rows = [f"{i * 0.37 % 5},{'ab'[i % 2]}" for i in range(count)]
        write(tmp_path, "t.csv", ["x,y", *rows])
        found = command("train", "t.csv", "-t", "y", "-o", f"run{count}", *QUICK)
        assert found.code == 0, found.err
        assert "can be told on so few rows" in found.out


def test_damaged_parquet_at_the_command_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "b.parquet").write_bytes(b"PAR1" + b"\x15" * 60 + b"\x20\0\0\0PAR1")
    found = command("train", "b.parquet", "-t", "y")
    assert found.code == 3 and "is a damaged Parquet file" in found.err
    assert "panicked" not in found.err


def test_parts_and_folds(command: Command, tmp_path: Path) -> None:
    rows = [f"{i * 0.37 % 3},{i % 2},{['train', 'val', 'test'][i % 3]}" for i in range(90)]
    write(tmp_path, "t.csv", ["x,y,part", *rows])
    found = command("train", "t.csv", "-t", "y", "-o", "a", "--split", "part", *QUICK)
    assert found.code == 0 and "says the parts: training / validation / test 30 / 30 / 30" in (
        " ".join(found.out.split())
    )
    found = command("train", "t.csv", "-t", "y", "-o", "b", "--test", "t.csv", *QUICK)
    assert found.code == 0 and "test 83 / 7 / 90" in found.out
    found = command(
        "train", "t.csv", "-t", "y", "-o", "c", "--folds", 2, "--ignore", "part", *QUICK
    )
    assert found.code == 0 and "network 0." in found.out and "2 of 2" in found.out
    assert (tmp_path / "c" / "fold-2" / "report.html").exists()


def test_large_files_are_answered_in_pieces_row_by_row(command: Command, tmp_path: Path) -> None:
    rows = [f"k{i},{i * 0.37 % 3:.3f},{'abc'[i % 3]},{i % 2}" for i in range(90)]
    write(tmp_path, "t.csv", ["key,x,c,y", *rows])
    assert command("train", "t.csv", "-t", "y", "-o", "run", *QUICK).code == 0
    many = [f"{i:06},{i * 0.11 % 3:.4f},{'abcd'[i % 4]}," + "." * 30 for i in range(60_000)]
    write(tmp_path, "new.csv", ["key,x,c,more", *many])
    whole = command("predict", "run", "new.csv", "-o", "whole.csv", "--id", "key")
    pieces = command("predict", "run", "new.csv", "-o", "pieces.csv", "--id", "key", "--memory", 16)
    assert whole.code == pieces.code == 0, pieces.err
    assert (tmp_path / "pieces.csv").read_text() == (tmp_path / "whole.csv").read_text()
    assert "60,000 rows" in pieces.out and pieces.err.count("'d'") == 1
    lines = command("predict", "run", "new.csv", "--json", "--memory", 16).out.splitlines()
    assert len(lines) == 60_000 and json.loads(lines[-1])["row"] == 59_999
    refused = command("predict", "run", "new.csv", "-o", "p.parquet", "--memory", 16)
    assert refused.code == 2 and "--memory" in refused.err
