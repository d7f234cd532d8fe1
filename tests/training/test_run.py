"""The training job as a thing of its own: events, the folder, and every way in which a part of it
can fail without costing what was learned."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, DataError, FileError
from pellucid.data import sources
from pellucid.insight.report import render_report, report_files
from pellucid.training import events, files, job, run_folder
from pellucid.training import run as run_module
from pellucid.training.config import TrainingConfig
from pellucid.training.interrupts import Interrupted
from pellucid.training.leftovers import leftovers, recover, remove
from pellucid.training.run import Job, Outcome, train
from pellucid.training.run_folder import (
    FILES,
    MODEL,
    RECORDS,
    REPORT,
    SETTINGS,
    WEIGHTS,
    RunWriter,
    load_run,
    read_records,
)
from pellucid.training.stored_run import read_run, restore


def table(rows: int = 80) -> dict[str, Any]:
    generator = np.random.default_rng(11)
    x = generator.normal(size=(rows, 2))
    return {"a": x[:, 0], "b": x[:, 1], "y": (x[:, 0] > x[:, 1]) * 1}


def small(place: Path, **given: Any) -> Outcome:
    settings = {"epochs": 3, "widths": (4,), "compile": False, "report": report_files, **given}
    return train(table(), "y", output=place, **settings)


def usable(folder: Path) -> bool:
    saved, network = restore(folder)
    return set(load_run(folder)[1]) == set(saved.shapes) and not network.training


# ---- what comes out ----------------------------------------------------------------------------


def test_events_come_in_order_and_the_folder_holds_everything(tmp_path: Path) -> None:
    seen: list[events.JobEvent] = []
    outcome = small(tmp_path / "run", listeners=[seen.append])
    kinds = [type(event).__name__ for event in seen if not isinstance(event, events.TrainerEvent)]
    assert kinds == ["DataLoaded", "Trained", "Examined", "Measured", "Written"]
    inside = [event.event.kind for event in seen if isinstance(event, events.TrainerEvent)]
    assert inside[0] == "start" and inside[-1] == "stop" and inside.count("epoch") == 3
    assert outcome.complete and outcome.folder == tmp_path / "run" and outcome.problems == ()
    assert sorted(p.name for p in outcome.folder.iterdir()) == sorted(set(FILES) - {SETTINGS})
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    stored = read_run(outcome.folder)
    assert stored.notes == () and stored.history.epochs == outcome.result.history.epochs
    assert stored.history.best_epoch == outcome.result.history.best_epoch
    for part, metrics in outcome.result.figures.items():
        assert stored.metrics[part] == metrics
    expected = outcome.result.predictions["test"]
    assert stored.predictions is not None
    np.testing.assert_array_equal(stored.predictions.predicted, expected)
    np.testing.assert_array_equal(stored.predictions.true, outcome.result.prepared.test.raw_targets)
    assert (outcome.folder / REPORT).read_text() == render_report(outcome.folder)


def test_settings_are_given_by_name_or_as_a_whole(tmp_path: Path) -> None:
    config = TrainingConfig(epochs=2, compile=False)
    one = train(table(), "y", config, output=tmp_path / "one", seed=3)
    assert one.result.config.epochs == 2 and one.result.config.seed == 3
    two = train(table(), "y", output=tmp_path / "two", epochs=2, compile=False, seed=3)
    for name, weights in one.result.weights.items():
        np.testing.assert_array_equal(weights, two.result.weights[name])
    assert not (one.folder / REPORT).exists() and one.complete  # nobody asked for a report
    with pytest.raises(ArgumentError, match="epochs=0"):
        train(table(), "y", epochs=0)
    with pytest.raises(DataError, match="no column named 'z'"):
        train(table(), "z", output=tmp_path / "three")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two"]


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{a},{b},{y}" for a, b, y in zip(*table().values(), strict=True)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "\n".join(lines) + "\n")
    reads: list[Any] = []
    whole = sources.read_table

    def counted(path: Any, **settings: Any) -> Any:
        reads.append(path)
        return whole(path, **settings)

    monkeypatch.setattr(sources, "read_table", counted)
    outcome = train(
        tmp_path / "t.csv", "y", output=tmp_path / "run", epochs=2, compile=False,
        report=render_report,
    )  # fmt: skip
    stored = read_run(outcome.folder)
    assert len(reads) == 1 and stored.shown is not None and stored.shown.columns == ("a", "b")


def test_a_listener_or_another_thread_stops_the_training(tmp_path: Path) -> None:
    made = Job(table(), "y", TrainingConfig(epochs=100_000, patience=0, compile=False),
               output=tmp_path / "run")  # fmt: skip

    def listen(event: events.JobEvent) -> None:
        if isinstance(event, events.TrainerEvent) and event.event.kind == "epoch":
            made.stop()

    made.listeners.append(listen)
    outcome = made.run()
    assert outcome.result.history.status == "stopped" and outcome.complete
    assert load_run(outcome.folder)[0].status == "stopped"


def test_very_long_runs_record_fewer_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "EPOCHS_RECORDED", 4)
    outcome = small(tmp_path / "run", epochs=40, patience=0)
    kept = [r["epoch"] for r in read_records(outcome.folder) if r["event"] == "epoch"]
    assert kept == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
    stored = read_run(outcome.folder)
    assert stored.training.epochs == 40 and "40 epochs" in render_report(outcome.folder)


# ---- parts that fail ---------------------------------------------------------------------------


def broken(*arguments: Any, **settings: Any) -> Any:
    raise ZeroDivisionError("by zero")


def full(path: Path) -> FileError:
    cause = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    error = files.explain(path, cause)
    error.__cause__ = cause
    return error


PARTS_THAT_FAIL: dict[str, tuple[Any, str, str]] = {
    "metrics": (run_module, "measure", "could not be measured: ZeroDivisionError: by zero"),
    "simple models": (job, "baselines", "could not be measured: ZeroDivisionError"),
    "first look": (job, "observe", "could not be looked at: ZeroDivisionError"),
    "records": (run_module, "metric_records", "records could not be written: ZeroDivisionError"),
}


@pytest.mark.parametrize("what", [*PARTS_THAT_FAIL, "report", "memory"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_part_that_fails_costs_that_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, overwrite: bool
) -> None:
    """Weights and model are kept; a finished run is not replaced by one that lacks something."""
    if overwrite:
        small(tmp_path / "run")
        before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    text, given = "The report could not be written: ZeroDivisionError: by zero", {}
    if what == "report":
        given = {"report": broken}
    elif what == "memory":

        def hungry(folder: Path) -> str:
            raise MemoryError

        given, text = {"report": hungry}, "there is not enough memory"
    else:
        module, name, text = PARTS_THAT_FAIL[what]
        monkeypatch.setattr(module, name, broken)
    seen: list[events.JobEvent] = []
    outcome = small(tmp_path / "run", overwrite=overwrite, listeners=[seen.append], **given)
    assert any(text in problem.message for problem in outcome.problems)
    told = [event.message for event in seen if isinstance(event, events.Problem)]
    assert any(text in message for message in told)
    assert usable(outcome.folder)
    render_report(outcome.folder)
    if what == "first look":
        assert outcome.folder == tmp_path / "run"
        return
    assert not outcome.complete
    if overwrite:
        assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before
        assert outcome.folder == tmp_path / "run-interrupted"
    else:
        assert outcome.folder == tmp_path / "run"


def test_a_listener_that_fails_is_left_out(tmp_path: Path) -> None:
    calls: list[str] = []

    def listen(event: events.JobEvent) -> None:
        calls.append(type(event).__name__)
        raise ZeroDivisionError("in the plot")

    outcome = small(tmp_path / "run", listeners=[listen])
    assert calls == ["DataLoaded"] and outcome.complete
    (problem,) = outcome.problems
    assert "failed and was left out: ZeroDivisionError: in the plot" in problem.message


def test_an_error_in_the_middle_of_the_training_keeps_what_was_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    whole = job.build_loss

    def build(name: str) -> Callable[[Any, Any], Any]:
        inner = whole(name)

        def loss(scores: Any, targets: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > 12:
                raise ZeroDivisionError("in the loss")
            return inner(scores, targets)

        return loss

    monkeypatch.setattr(job, "build_loss", build)
    outcome = small(tmp_path / "run", epochs=50)
    assert isinstance(outcome.result.failure, ZeroDivisionError) and not outcome.complete
    assert outcome.result.history.status == "failed" and len(outcome.result.history) > 0
    assert usable(outcome.folder) and load_run(outcome.folder)[0].status == "failed"
    assert "in the loss" in render_report(outcome.folder)
    calls = 12  # before the first step there is nothing to keep
    with pytest.raises(ZeroDivisionError):
        small(tmp_path / "other")
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


# ---- disks -------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(run_module.tempfile, "gettempdir", lambda: str(place))
    return place


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_disk_without_room_for_one_of_the_files(
    tmp_path: Path,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    overwrite: bool,
) -> None:
    """There is always a folder with a model that predicts, and its place is told."""
    runs = tmp_path / "runs"
    runs.mkdir()
    if overwrite:
        small(runs / "run")
        before = {p.name: p.read_bytes() for p in (runs / "run").iterdir()}
    whole, record = files.write_file, RunWriter.record

    def write(path: Path, content: bytes) -> None:
        if path.name == name and elsewhere not in path.parents:
            raise full(path)
        whole(path, content)

    def no_room(self: RunWriter, event: str, **fields: Any) -> None:
        if name == RECORDS and elsewhere not in self.folder.parents:
            raise full(self.folder / RECORDS)
        record(self, event, **fields)

    monkeypatch.setattr(run_folder, "write_file", write)
    monkeypatch.setattr(RunWriter, "record", no_room)
    outcome = small(runs / "run", overwrite=overwrite, settings_text="epochs = 3")
    assert usable(outcome.folder)
    assert any("no space left" in problem.message for problem in outcome.problems)
    rescued = name in (WEIGHTS, MODEL)
    assert (elsewhere in outcome.folder.parents) == rescued
    assert rescued == outcome.complete  # where there was room, all of it was written
    if overwrite:
        assert {p.name: p.read_bytes() for p in (runs / "run").iterdir()} == before
    assert all(not p.name.startswith(".") for p in runs.iterdir())
    if name != RECORDS:
        epochs = [r for r in read_records(outcome.folder) if r["event"] == "epoch"]
        assert len(epochs) == 3


def test_no_room_anywhere_is_an_error_and_leaves_nothing(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, content: bytes) -> None:
        raise full(path)

    monkeypatch.setattr(run_folder, "write_file", fail)
    with pytest.raises(FileError, match="no space left"):
        small(tmp_path / "run")
    assert [p.name for p in tmp_path.iterdir()] == ["temporary"] and not list(elsewhere.iterdir())


def test_weights_are_written_once_and_an_older_version_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With each best epoch saved, the disk has room for one copy of the weights only."""
    written: list[str] = []
    whole = files.write_file

    def write(path: Path, content: bytes) -> None:
        if path.name == WEIGHTS and path.exists():
            raise full(path)
        whole(path, content)
        written.append(path.name)

    monkeypatch.setattr(run_folder, "write_file", write)
    outcome = small(tmp_path / "run")
    assert written.count(WEIGHTS) == 1 and outcome.complete
    monkeypatch.setattr(run_module, "SAVE_SECONDS", 0.0)
    outcome = small(tmp_path / "other")
    assert outcome.complete and written.count(WEIGHTS) > 2
    assert outcome.folder == tmp_path / "other"
    saved = load_run(outcome.folder)[1]
    for name, weights in outcome.result.weights.items():
        np.testing.assert_array_equal(weights, saved[name])


def test_a_folder_that_cannot_be_renamed_stays_where_it_is_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Any, target: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        patched.setattr(run_folder.os, "rename", fail)
        outcome = small(tmp_path / "run")
    assert usable(outcome.folder) and outcome.folder.name.startswith(".run.")
    assert any(f"it is kept in {outcome.folder}" in p.message for p in outcome.problems)


def test_a_place_that_is_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    def take(event: events.JobEvent) -> None:
        if isinstance(event, events.Trained):
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / "mine.txt").write_text("mine")

    outcome = small(tmp_path / "run", listeners=[take])
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"
    assert outcome.folder == tmp_path / "run-interrupted" and usable(outcome.folder)


# ---- what killed runs leave --------------------------------------------------------------------


def left_behind(place: Path, name: str = "run", weights: bool = True) -> Path:
    """A folder as a killed process leaves it: finished files, a cut line of records."""
    made = small(place / "made", report=None)
    folder = place / f".{name}.4000000-a1b2c3.partial"
    os.rename(made.folder, folder)
    records = (folder / RECORDS).read_bytes()
    (folder / RECORDS).unlink()
    (folder / f".{RECORDS}.partial").write_bytes(records + b'{"event": "epo')
    (folder / f".{WEIGHTS}.00ff.partial").write_bytes(b"half")
    if not weights:
        (folder / WEIGHTS).unlink()
    return folder


def test_a_folder_left_behind_is_found_and_recovered(tmp_path: Path) -> None:
    folder = left_behind(tmp_path)
    weights = (folder / WEIGHTS).read_bytes()
    (found,) = leftovers(tmp_path)
    assert found.folder == folder and found.name == "run" and found.usable
    place = recover(found)
    assert place == tmp_path / "run" and usable(place)
    assert (place / WEIGHTS).read_bytes() == weights
    assert load_run(place)[0].status == "interrupted"
    assert sorted(p.name for p in place.iterdir()) == sorted({MODEL, RECORDS, WEIGHTS})
    assert [r["event"] for r in read_records(place)][-1] == "time"
    assert leftovers(tmp_path) == []
    again = recover(leftovers(left_behind(tmp_path).parent)[0])
    assert again == tmp_path / "run-recovered"


def test_folders_of_others_and_of_living_runs_are_none(tmp_path: Path) -> None:
    for name in (".run.partial", ".run.12-abc.partial", "run.12-a1b2c3.partial", ".git"):
        (tmp_path / name).mkdir()
    mine = tmp_path / ".run.4000000-a1b2c3.partial"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    (tmp_path / ".link.4000000-a1b2c3.partial").symlink_to(mine)
    (tmp_path / ".file.4000000-a1b2c3.partial").write_text("")
    with RunWriter(tmp_path / "alive") as writer:
        writer.record("start")
        assert leftovers(tmp_path) == []
    assert leftovers(tmp_path / "nothing") == []


def test_what_is_of_no_use_is_told_and_removed(tmp_path: Path) -> None:
    folder = left_behind(tmp_path, weights=False)
    (found,) = leftovers(tmp_path)
    assert not found.usable and "killed before weights were saved" in found.problem
    remove(found)
    assert not folder.exists()
    folder = left_behind(tmp_path)
    (folder / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(Exception, match="no safetensors file"):
        recover(leftovers(tmp_path)[0])
    assert folder.exists()


def test_a_job_tells_what_lies_beside_its_place(tmp_path: Path) -> None:
    left_behind(tmp_path)
    seen: list[events.JobEvent] = []
    small(tmp_path / "run", listeners=[seen.append])
    assert isinstance(seen[0], events.LeftBehind) and seen[0].found[0].usable
    assert len(leftovers(tmp_path)) == 1  # told, not touched


# ---- signals -----------------------------------------------------------------------------------


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell starts what runs in the background with Ctrl-C ignored, and a job respects that."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


@pytest.mark.usefixtures("ctrl_c_is_heard")
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["Trained", "Measured", "epoch"])
def test_a_signal_ends_what_runs_and_what_comes_after(
    tmp_path: Path, number: int, kind: str
) -> None:
    """In the training, while the weights are saved, after the metrics: the finished run stays."""
    small(tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

    def listen(event: events.JobEvent) -> None:
        inner = event.event.kind if isinstance(event, events.TrainerEvent) else ""
        if kind in (type(event).__name__, inner):
            made.listeners.clear()
            os.kill(os.getpid(), number)

    config = TrainingConfig(epochs=3, widths=(4,), compile=False)
    made = Job(table(), "y", config, output=tmp_path / "run", overwrite=True, report=render_report)
    made.listeners.append(listen)
    outcome = made.run()
    assert outcome.signal == number and not outcome.complete
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before
    assert outcome.folder == tmp_path / "run-interrupted" and usable(outcome.folder)
    assert load_run(outcome.folder)[0].status == "interrupted"
    stored = read_run(outcome.folder)
    assert bool(stored.metrics) == (kind != "Trained")
    assert (outcome.folder / REPORT).exists() == (kind == "epoch")
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_signal_before_anything_was_learned_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*arguments: Any, **settings: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal was not raised")

    with monkeypatch.context() as patched:
        patched.setattr(run_module, "load_source", kill)
        with pytest.raises(Interrupted) as caught:
            small(tmp_path / "run")
        assert caught.value.number == signal.SIGTERM
    monkeypatch.setattr(job, "build_network", kill)
    with pytest.raises(Interrupted):
        small(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
