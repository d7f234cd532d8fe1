"""Jobs that were killed or interrupted, gone on with: the folder in the end is that of a job that
was not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, FileError
from pellucid.training import checkpoints, events
from pellucid.training import run as run_module
from pellucid.training.leftovers import leftovers, recover
from pellucid.training.resuming import find_unfinished
from pellucid.training.run import Job, train
from pellucid.training.run_folder import CHECKPOINTS, FILES, load_run, read_records

SETTINGS: dict[str, Any] = {
    "epochs": 30, "patience": 0, "dropout": 0.1, "ema_decay": 0.9, "widths": (16,), "threads": 2,
}  # fmt: skip
KILLED = """
import os, signal, sys
from pellucid.training import checkpoints, events, run
run.SAVE_SECONDS, checkpoints.SHARE = 0.001, 1.0

def listen(event):
    if isinstance(event, events.TrainerEvent) and event.event.kind == "steps":
        if event.event.step >= int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

run.train(sys.argv[1], "y", output=sys.argv[2], listeners=[listen], **eval(sys.argv[4]))
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = np.random.default_rng(2)
    x = generator.normal(size=(400, 3))
    y = (x[:, 0] * x[:, 1] > 0) * 1
    path = tmp_path_factory.mktemp("data") / "t.csv"
    rows = [f"{a},{b},{c},{d}" for (a, b, c), d in zip(x, y, strict=True)]
    path.write_text("a,b,c,y\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def whole(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(table, "y", output=tmp_path_factory.mktemp("runs") / "whole", **SETTINGS).folder


def killed(table: Path, output: Path, step: int, **more: Any) -> None:
    settings = repr({**SETTINGS, **more})
    arguments = [sys.executable, "-c", KILLED, str(table), str(output), str(step), settings]
    assert subprocess.run(arguments).returncode == -signal.SIGKILL


def same(one: Path, other: Path) -> bool:
    mine, theirs = load_run(one)[1], load_run(other)[1]
    return all((mine[name] == theirs[name]).all() for name in {*mine, *theirs})


def epochs(folder: Path) -> list[tuple[int, float, float]]:
    records = [r for r in read_records(folder) if r["event"] == "epoch"]
    return [(r["epoch"], r["loss"], r["validation_loss"]) for r in records]


def test_a_killed_job_goes_on_at_the_command_line(
    table: Path, whole: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(table, tmp_path / "run", 77)
    (found,) = leftovers(tmp_path)
    assert found.resumable
    told = command("train", table, "-t", "y", "-o", tmp_path / "other", "--epochs", 1)
    assert "pellucid train --resume run" in told.out
    monkeypatch.chdir("/")
    outcome = command("train", "--resume", tmp_path / "run", "--threads", "1")
    assert outcome.code == 0 and "Resumed" in outcome.out and "steps" in outcome.out
    assert same(tmp_path / "run", whole)
    assert epochs(tmp_path / "run") == epochs(whole)
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names <= set(FILES) and leftovers(tmp_path) == []
    again = command("train", "--resume", tmp_path / "run")
    assert again.code == 2 and "nothing to go on with" in again.err


def test_a_job_killed_before_its_first_checkpoint_begins_anew(
    table: Path, whole: Path, tmp_path: Path
) -> None:
    killed(table, tmp_path / "run", 1)
    for states in tmp_path.glob(f".run.*/{CHECKPOINTS}/*"):
        states.unlink()
    outcome = train(resume=tmp_path / "run")
    assert outcome.complete and same(outcome.folder, whole)
    assert epochs(outcome.folder) == epochs(whole)


@pytest.mark.parametrize("step", [1, 33])
def test_a_killed_fine_tuning_goes_on_as_if_it_had_not_been_killed(
    table: Path, whole: Path, tmp_path: Path, command: Any, step: int
) -> None:
    base = tmp_path / "base"
    shutil.copytree(whole, base)
    own: dict[str, Any] = {"base": str(base), "freeze": "half", "taken_rate": 0.5, "epochs": 8}
    straight = train(table, "y", output=tmp_path / "straight", **{**SETTINGS, **own}).folder
    killed(table, tmp_path / "run", step, **own)
    base.rename(tmp_path / "elsewhere")  # it is needed, as the data are
    missing = command("train", "--resume", tmp_path / "run")
    assert missing.code == 4 and f"{base} does not exist" in missing.err
    (tmp_path / "elsewhere").rename(base)
    outcome = command("train", "--resume", tmp_path / "run", "--threads", "1")
    assert outcome.code == 0 and (step == 1 or "Resumed" in outcome.out), outcome.err
    assert same(tmp_path / "run", straight) and epochs(tmp_path / "run") == epochs(straight)
    config = load_run(tmp_path / "run")[0].config
    assert (config.base, config.freeze, config.taken_rate) == (str(base), "half", 0.5)


def test_an_interrupted_job_goes_on_in_its_place_and_is_interrupted_again(
    table: Path, whole: Path, tmp_path: Path
) -> None:
    def interrupting(step: int) -> Any:
        def listen(event: events.JobEvent) -> None:
            if isinstance(event, events.TrainerEvent) and event.event.kind == "steps":
                if event.event.step >= step:
                    signal.raise_signal(signal.SIGINT)

        return [listen]

    place = tmp_path / "run"
    first = train(table, "y", output=place, listeners=interrupting(40), **SETTINGS)
    assert not first.complete and (place / CHECKPOINTS).is_dir() and os.listdir(tmp_path) == ["run"]
    second = train(resume=place, listeners=interrupting(90))
    assert not second.complete and second.folder == place and os.listdir(tmp_path) == ["run"]
    events_seen = [r["event"] for r in read_records(place)]
    assert events_seen.count("start") == 1 and events_seen.count("resume") == 1
    third = train(resume=place)
    assert third.complete and same(place, whole) and epochs(place) == epochs(whole)
    assert set(os.listdir(place)) <= set(FILES)


def test_a_recovered_run_goes_on_too(table: Path, whole: Path, tmp_path: Path) -> None:
    killed(table, tmp_path / "run", 150)
    (found,) = leftovers(tmp_path)
    if found.usable:  # weights are saved now and then
        assert recover(found) == tmp_path / "run"
    assert same(train(resume=tmp_path / "run").folder, whole)


def test_what_does_not_belong_to_the_run_is_refused_and_the_run_stays(
    table: Path, whole: Path, tmp_path: Path
) -> None:
    killed(table, tmp_path / "run", 60)
    with pytest.raises(ArgumentError, match="learning_rate=0.5 differs from the run's"):
        train(resume=tmp_path / "run", learning_rate=0.5)
    (found,) = leftovers(tmp_path)
    assert find_unfinished(found.folder).target == tmp_path / "run"
    with pytest.raises(ArgumentError, match="leave this out"):
        train(resume=tmp_path / "run", output=tmp_path / "elsewhere")
    changed = table.with_name("changed.csv")
    changed.write_text(table.read_text().replace("-", ""))
    with pytest.raises(ArgumentError, match="other training data"):
        train(changed, resume=tmp_path / "run")
    with pytest.raises(FileError, match="does not exist"):
        train(resume=tmp_path / "nothing")
    assert find_unfinished(tmp_path / "run").target == tmp_path / "run"
    assert same(train(resume=tmp_path / "run").folder, whole)


def test_data_in_memory_are_given_again(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    data = {"a": generator.normal(size=90), "y": generator.normal(size=90)}
    job = Job(data, "y", run_module.TrainingConfig(epochs=3), output=tmp_path / "run")

    def listen(event: events.JobEvent) -> None:
        if isinstance(event, events.TrainerEvent) and event.event.kind == "epoch":
            signal.raise_signal(signal.SIGINT)

    job.listeners.append(listen)
    assert not job.run().complete
    with pytest.raises(ArgumentError, match="data that were in memory"):
        train(resume=tmp_path / "run")
    assert train(data, resume=tmp_path / "run").complete


def test_a_full_disk_costs_checkpoints_and_not_the_run(
    table: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "SAVE_SECONDS", 0.001)
    monkeypatch.setattr(checkpoints, "SHARE", 1.0)

    def full(*arguments: Any) -> None:
        raise FileError("There is no space left on the disk", "Free some.")

    monkeypatch.setattr("pellucid.training.run_state.write_file", full)
    outcome = train(table, "y", output=tmp_path / "run", **SETTINGS)
    assert outcome.complete and same(outcome.folder, whole)
    (problem,) = outcome.problems
    assert "checkpoint could not be written: There is no space left" in problem.message
