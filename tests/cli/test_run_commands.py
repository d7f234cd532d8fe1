"""``pellucid report`` and ``recover``, options made from the settings, and exit codes."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.test_commands import write_table
from pellucid.training.config import TrainingConfig, setting_reason
from pellucid.training.run_folder import RECORDS, WEIGHTS, load_run

Command = Callable[..., Any]

TRAIN = ("train", "table.csv", "-t", "kind", "--eager", "-q")


@pytest.fixture
def trained(command: Command, tmp_path: Path) -> Path:
    """A run folder made by the command line."""
    write_table(tmp_path / "table.csv")
    outcome = command(
        "train", "table.csv", "-t", "kind", "-o", "run", "--epochs", 4, "--eager", "-q"
    )
    assert outcome.code == 0, outcome.err
    return tmp_path / "run"


def test_the_report_is_made_again_from_the_folder_alone(command: Command, trained: Path) -> None:
    before = (trained / "report.html").read_bytes()
    (trained / "report.html").unlink()
    (trained.parent / "table.csv").unlink()
    outcome = command("report", trained)
    assert outcome.code == 0, outcome.err
    assert (trained / "report.html").read_bytes() == before
    assert "Note" not in outcome.out and "report.html" in outcome.out
    assert command("report", trained, "-o", "other.html").code == 0
    assert (trained.parent / "other.html").read_bytes() == before


def test_the_report_of_a_folder_with_gaps_says_what_is_missing(
    command: Command, trained: Path
) -> None:
    (trained / RECORDS).unlink()
    outcome = command("report", trained)
    assert outcome.code == 0 and "The records could not be read" in outcome.out
    (trained / "model.json").unlink()
    outcome = command("report", trained)
    assert outcome.code == 5 and "holds no model.json" in outcome.err
    assert command("report", "nothing").code == 4


def test_what_a_killed_run_left_is_told_recovered_and_deleted(
    command: Command, trained: Path
) -> None:
    place = trained.parent
    assert "nothing that a killed run left" in command("recover").out
    hidden = place / ".run.4000000-a1b2c3.partial"
    os.rename(trained, hidden)
    os.rename(hidden / RECORDS, hidden / f".{RECORDS}.partial")
    (place / ".empty.4000000-a1b2c3.partial").mkdir()
    outcome = command(
        "train", "table.csv", "-t", "kind", "-o", "new", "--epochs", 1, "--eager", "-q"
    )
    assert outcome.code == 0 and "pellucid recover" in outcome.out
    assert "2 killed runs left unfinished folders in ., 1 with weights" in outcome.out
    outcome = command("recover")
    assert outcome.code == 0 and "Recovered   run" in outcome.out
    assert "killed before weights were saved; --discard deletes it" in outcome.out
    assert load_run(place / "run")[0].status == "interrupted"
    assert command("predict", "run", "table.csv").code == 0
    outcome = command("recover", place, "--discard")
    assert outcome.code == 0 and "Deleted" in outcome.out
    assert not list(place.glob(".*")) and (place / "run" / WEIGHTS).exists()
    assert command("recover", "table.csv").code == 4


def test_a_run_without_a_report_is_kept_and_ends_with_its_code(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Path) -> str:
        raise ZeroDivisionError("in a chart")

    monkeypatch.setattr("pellucid.cli.train.report_files", broken)
    write_table(tmp_path / "table.csv")
    outcome = command(*TRAIN, "-o", "run", "--epochs", 2)
    assert outcome.code == 70 and "Traceback" not in outcome.err
    assert "The report could not be written: ZeroDivisionError: in a chart" in outcome.err
    assert "accuracy" in outcome.out and command("summary", "run").code == 0
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert command("report", "run").code == 0 and (tmp_path / "run" / "report.html").exists()


def test_every_setting_is_an_option_with_its_reason(command: Command) -> None:
    text = re.sub(r"[│\s]+", " ", command("train", "--help").out)
    for item in dataclasses.fields(TrainingConfig):
        for flag in item.metadata["flags"] or ("--" + item.name.replace("_", "-"),):
            assert flag in text
        reason = re.sub(r"\s+", " ", setting_reason(item.name))
        assert reason[:40] in text, item.name


def test_settings_of_every_type_arrive(command: Command, tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    outcome = command(
        *TRAIN, "-o", "run", "--epochs", 2, "--layers", 3, "--width", "9", "--lr", "0.02",
        "--l2", "0.5", "--fractions", "0.5,0.25,0.25", "--patience", 0,
        "--optimizer", "sgd", "--batch", 16,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    config = load_run(tmp_path / "run")[0].config
    assert config == TrainingConfig(
        epochs=2, compile=False, widths=(9, 9, 9), learning_rate=0.02, l2=0.5,
        fractions=(0.5, 0.25, 0.25), patience=0, optimizer="sgd", batch_size=16,
    )  # fmt: skip
