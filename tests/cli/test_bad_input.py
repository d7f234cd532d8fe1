"""Bad input: a message of its own, an exit code, no traceback, and nothing written."""

from __future__ import annotations

import errno
import gzip
import inspect
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.base.phrases import Setting, option_words
from pellucid.cli.options import LOADING
from pellucid.data.sources import load_source

Command = Callable[..., Any]


def table(rows: int = 40, **columns: Callable[[int], object]) -> str:
    made = {
        "a": lambda i: i * 0.37 % 1,
        "b": lambda i: (i * 7) % 5,
        "y": lambda i: i % 2,
        **columns,
    }
    lines = [",".join(made)]
    lines += [",".join(str(f(i)) for f in made.values()) for i in range(rows)]
    return "\n".join(lines) + "\n"


def refused(command: Command, tmp_path: Path, code: int, text: str, *arguments: object) -> None:
    """The command fails as told and leaves the folder as it was."""
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    outcome = command(*arguments)
    assert outcome.code == code, (outcome.code, outcome.err)
    assert text in outcome.err, outcome.err
    assert "Traceback" not in outcome.err and "Traceback" not in outcome.out
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("content", "target", "code", "text"),
    [
        ("", "y", 3, "empty"),
        ("a,b,y\n", "y", 3, "no rows"),
        (table(), "z", 3, "has no column named 'z'"),
        (table(), "Y1", 3, "Did you mean 'y'"),
        (table(), "y,b", 3, "Name several columns one by one: 'y', 'b'"),
        (table(y=lambda i: 1), "y", 3, "Target 'y' is constant"),
        (table(y=lambda i: "rare" if i == 3 else "ab"[i % 2]), "y", 3, "has a single row"),
        (table(a=lambda i: "inf" if i == 5 else i), "y", 3, "infinite values"),
        (table().replace("\n", ",9\n", 3).replace(",9\n", "\n", 1), "y", 3, "line"),
        ("a,a,y\n1,2,0\n2,3,1\n", "y", 3, "two columns named 'a'"),
        (table(y=lambda i: ""), "y", 3, "has no values"),
    ],
)
def test_tables_that_cannot_be_used(
    command: Command, tmp_path: Path, content: str, target: str, code: int, text: str
) -> None:
    (tmp_path / "t.csv").write_text(content)
    refused(command, tmp_path, code, text, "train", "t.csv", "--target", target)


def test_files_that_cannot_be_read(command: Command, tmp_path: Path) -> None:
    (tmp_path / "titanic.csv").write_text(table())
    refused(command, tmp_path, 4, "titanic.csv", "train", "titanik.csv", "-t", "y")
    (tmp_path / "latin.csv").write_bytes(table(b=lambda i: "Zürich").encode("latin-1"))
    refused(
        command, tmp_path, 3, "encoding", "train", "latin.csv", "-t", "y", "--encoding", "utf-8"
    )
    refused(command, tmp_path, 2, "No target was named", "train", "titanic.csv")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(table().encode())[:-20])
    refused(command, tmp_path, 3, "t.csv.gz", "train", "t.csv.gz", "-t", "y")


def mnist(folder: Path, rows: int = 30, declared: int | None = None, cut: int = 0) -> None:
    folder.mkdir()
    images = struct.pack(">IIII", 0x803, declared or rows, 4, 4) + bytes(range(16)) * rows
    labels = struct.pack(">II", 0x801, rows) + bytes(i % 3 for i in range(rows))
    compressed = gzip.compress(images)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(compressed[: len(compressed) - cut])
    (folder / "train-labels-idx1-ubyte").write_bytes(labels)


def test_idx_files_that_lie_or_are_cut(command: Command, tmp_path: Path) -> None:
    mnist(tmp_path / "lie", declared=2**31 - 1)
    refused(command, tmp_path, 3, "train-images-idx3-ubyte.gz", "train", "lie")
    mnist(tmp_path / "cut", cut=12)
    refused(command, tmp_path, 3, "train-images-idx3-ubyte.gz", "train", "cut")
    (tmp_path / "none").mkdir()
    refused(command, tmp_path, 4, "no file of train images", "train", "none")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--optimizer", "adma"), "Did you mean adam"),
        (("--activation", "rleu"), "Did you mean relu"),
        (("--initialization", "he_norml"), "Did you mean he_normal"),
        (("--loss", "mse"), "mse_loss"),
        (("--loss", "mse_loss"), "does not fit a multiclass task"),
        (("--schedule", "cosin"), "Did you mean cosine"),
        (("--epochs", "0"), "Whole numbers from 1"),
        (("--epochs", "ten"), "valid integer"),
        (("--dropout", "2"), "Numbers from 0 to 0.95"),
        (("--width", "12,x"), "no list of numbers"),
        (("--layers", "3", "--width", "12,8"), "do not fit together"),
        (("--layers", "-1"), "--width 0 is not allowed"),
        (("--fractions", "0.5,0.1,0.1"), "sum to"),
        (("--task", "magic"), "There is no task 'magic'"),
        (("--epoch", "3"), "--epochs"),
        (("--target", "digit"), "no column to choose"),
    ],
)
def test_options_that_do_not_exist(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], text: str
) -> None:
    refused(command, tmp_path, 2, text, "train", "digits", *arguments)


def test_an_existing_folder_stays_as_it_is(command: Command, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    refused(command, tmp_path, 4, "exists already", "train", "digits", "-o", "out")
    refused(command, tmp_path, 4, "not a run folder", "train", "digits", "-o", "out", "--overwrite")


@pytest.mark.parametrize(
    ("number", "text"),
    [(errno.ENOSPC, "no space left"), (errno.EROFS, "cannot be written")],
)
@pytest.mark.filterwarnings("ignore:Compiled kernels are not kept")
def test_a_full_disk_or_read_only_folder_leaves_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, text: str
) -> None:
    (tmp_path / "t.csv").write_text(table())

    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pellucid.training.files.os.fsync", fail)
    arguments = ("train", "t.csv", "-t", "y", "--epochs", "1", "--eager", "-q")
    refused(command, tmp_path, 4, text, *arguments)
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_a_folder_below_a_file_cannot_be_made(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(table())
    refused(
        command, tmp_path, 4, "cannot be written", "train", "t.csv", "-t", "y", "-o", "t.csv/run"
    )


def test_run_folders_that_are_none(command: Command, tmp_path: Path) -> None:
    refused(command, tmp_path, 4, "does not exist", "summary", "nothing")
    (tmp_path / "run").mkdir()
    refused(command, tmp_path, 5, "holds no model.json", "summary", "run")
    (tmp_path / "run" / "model.json").write_text('{"format": "pellucid-run", "version": 99}')
    refused(command, tmp_path, 5, "format version 99", "predict", "run", "x.csv")


def test_names_cannot_write_to_the_terminal(command: Command, tmp_path: Path) -> None:
    """Escape sequences in names are shown as marks."""
    evil = "y\x1b[31m\u202e"
    (tmp_path / "t.csv").write_text(table(30).replace(",y\n", f",{evil}\n"))
    outcome = command("train", "t.csv", "-t", evil, "--epochs", "1", "--eager", "-q", "-o", "run")
    assert outcome.code == 0, outcome.err
    assert "\x1b" not in outcome.out and "\u202e" not in outcome.out
    assert "\N{REPLACEMENT CHARACTER}" in outcome.out
    report = (tmp_path / "run" / "report.html").read_text()
    assert "\x1b" not in report and "\u202e" not in report


def test_a_defect_is_told_without_a_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **settings: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("pellucid.training.run.load_source", broken)
    outcome = command("train", "digits")
    assert outcome.code == 70 and "defect of Pellucid" in outcome.err
    assert "Traceback" not in outcome.err
    monkeypatch.setenv("PELLUCID_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        command("train", "digits")


def test_every_argument_of_the_loader_is_an_option_by_the_name_that_hints_use() -> None:
    arguments = inspect.signature(load_source).parameters
    own = {
        "source",
        "targets",
        "seed",
        "fractions",
        "fold",
        "text",
    }  # named by the command or by the settings
    assert {option.name for option in LOADING} == set(arguments) - own
    for option in LOADING:
        assert option.flags[0].partition("/")[0] == option_words(Setting(option.name))
        plain = option.value(option.default)
        assert plain == arguments[option.name].default or not (
            plain or arguments[option.name].default
        )
