"""Ctrl-C keeps what was learned; SIGKILL leaves no file half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.insight.report import render_report
from pellucid.training.leftovers import leftovers, recover
from pellucid.training.run import train
from pellucid.training.run_folder import (
    CHECKPOINTS,
    MODEL,
    RECORDS,
    WEIGHTS,
    load_run,
    read_records,
)
from pellucid.training.stored_run import restore

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

# Endless for a test: without early stopping, until it is interrupted.
ARGUMENTS = ("train", "table.csv", "-t", "y", "-o", "run", "--epochs", "10000000")
START = "import sys; from pellucid.training import run; run.SAVE_SECONDS = 0.0; "
MAIN = START + "from pellucid.cli.main import main; main()"


def begin(folder: Path, *more: str, main: str = MAIN) -> subprocess.Popen[str]:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(200, 3))
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{int(a > b)}" for a, b, c in x]
    (folder / "table.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n")
    command = [sys.executable, "-c", main, *ARGUMENTS, *more]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def partial(folder: Path) -> Path | None:
    return next(iter(folder.glob(".run.*.partial")), None)


def wait_for_epochs(folder: Path, process: subprocess.Popen[str], epochs: int = 5) -> Path:
    """The hidden folder, once some epochs are recorded and weights are on the disk."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        hidden = partial(folder)
        records = hidden / f".{RECORDS}.partial" if hidden else None
        if records is not None and records.exists() and (hidden / MODEL).exists():  # type: ignore[operator]
            if records.read_bytes().count(b'"epoch"') >= epochs:
                return hidden  # type: ignore[return-value]
        time.sleep(0.01)
    out, err = process.communicate(timeout=10)
    raise AssertionError(f"training did not get going:\n{out}\n{err}")


@pytest.mark.parametrize("how", [("--eager",), ()])
def test_ctrl_c_keeps_what_was_learned(tmp_path: Path, how: tuple[str, ...]) -> None:
    process = begin(tmp_path, "--patience", "0", *how)
    wait_for_epochs(tmp_path, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Interrupted: what was learned up to then is kept." in err and "Traceback" not in err
    model, weights = load_run(tmp_path / "run")
    assert model.status == "interrupted" and "test" in model.figures
    epochs = [r for r in read_records(tmp_path / "run") if r["event"] == "epoch"]
    losses = [record["validation_loss"] for record in epochs]
    assert f"kept epoch {int(np.argmin(losses)) + 1}" in out
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run", "table.csv"]


def test_killed_at_any_moment_no_file_is_half_written(tmp_path: Path) -> None:
    """Nothing appears under the run's name; what lies in the hidden folder is whole."""
    process = begin(tmp_path, "--patience", "0", "--eager")
    hidden = wait_for_epochs(tmp_path, process)
    process.kill()
    process.communicate(timeout=30)
    assert not (tmp_path / "run").exists()
    model, weights = load_run(hidden)  # checked in full: sizes, shapes, finite values
    assert model.status == "interrupted" and set(weights) == set(model.shapes)
    names = {p.name for p in hidden.iterdir()}
    assert names - {WEIGHTS, MODEL, CHECKPOINTS} <= {n for n in names if n.endswith(".partial")}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A finished run at the place where the tests' runs are written."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(60, 3))
    table = {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": (x[:, 0] > x[:, 1]) * 1}
    outcome = train(
        table, "y", output=tmp_path / "run", epochs=2, compile=False, report=render_report
    )
    assert outcome.complete and outcome.folder == tmp_path / "run"
    return outcome.folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_does_not_replace_a_finished_one(
    tmp_path: Path, finished: Path, number: int
) -> None:
    before = contents(finished)
    process = begin(tmp_path, "--patience", "0", "--eager", "--overwrite")
    wait_for_epochs(tmp_path, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert contents(finished) == before
    beside = tmp_path / "run-interrupted"
    assert load_run(beside)[0].status == "interrupted"
    assert "run-interrupted" in out and "was kept as it is" in err and "Traceback" not in err
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["run", "run-interrupted", "table.csv"]


def test_a_finished_run_survives_a_killed_replacement_and_the_rest_is_recovered(
    tmp_path: Path, finished: Path
) -> None:
    before = contents(finished)
    process = begin(tmp_path, "--patience", "0", "--eager", "--overwrite")
    hidden = wait_for_epochs(tmp_path, process)
    assert leftovers(tmp_path) == []  # it lives
    process.kill()
    process.communicate(timeout=30)
    assert contents(finished) == before
    (found,) = leftovers(tmp_path)
    assert found.folder == hidden and found.name == "run" and found.usable
    recovered = recover(found)
    assert recovered == tmp_path / "run-recovered" and not hidden.exists()
    assert contents(finished) == before
    saved, network = restore(recovered)
    assert saved.status == "interrupted"
    assert network(pellucid.ones(1, 3)).isfinite().all()
    assert "What is missing" in render_report(recovered)
    assert sorted(p.name for p in recovered.iterdir()) == [CHECKPOINTS, MODEL, RECORDS, WEIGHTS]


PAUSE = """
import time
def pause(*a, **k):
    open("here", "w").close()
    time.sleep(60)
"""
MOMENTS = {
    "metrics": "from pellucid.training import run; run.measure = pause; ",
    "report": "from pellucid.cli import train; train.report_files = pause; ",
    "data": "from pellucid.training import run; run.load_source = pause; ",
    "imports": "import builtins; old = builtins.__import__; "
               "builtins.__import__ = lambda name, *a, **k: "
               "pause() if name == 'pellucid.cli' and 'train' in a[2] else old(name, *a, **k); ",
}  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("metrics", signal.SIGINT),
        ("report", signal.SIGTERM),
        ("report", signal.SIGINT),
        ("data", signal.SIGTERM),
        ("imports", signal.SIGINT),
    ],
)
def test_no_traceback_and_nothing_lost_at_any_moment(
    tmp_path: Path, finished: Path, moment: str, number: int
) -> None:
    """Stopped in the metrics, the simple models or the report, the weights are kept."""
    before = contents(finished)
    main = f"exec({PAUSE!r}); {MOMENTS[moment]}from pellucid.cli.main import main; main()"
    if moment == "imports":
        main = f"from pellucid.cli.main import main; exec({PAUSE!r}); {MOMENTS[moment]}main()"
    more = ("--epochs", "2", "--eager", "-q", "--overwrite")
    process = begin(tmp_path, *more, main=main)
    until = time.monotonic() + 60
    while not (tmp_path / "here").exists() and time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err and "Interrupted" in err
    assert contents(finished) == before
    hidden = [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert hidden == []
    if moment in ("data", "imports"):
        assert not (tmp_path / "run-interrupted").exists() and "nothing was written" in err
    else:
        saved, weights = load_run(tmp_path / "run-interrupted")
        assert saved.status == "interrupted" and set(weights) == set(saved.shapes)


@pytest.mark.parametrize("start", [["-m", "pellucid"], ["-m", "pellucid.cli.main"], None])
def test_ctrl_c_while_the_command_starts(tmp_path: Path, start: list[str] | None) -> None:
    """A module that is imported early says that it is there, and waits."""
    (tmp_path / "numpy.py").write_text(PAUSE + "pause()\n")
    arguments = start or [str(tmp_path / "pellucid")]
    if start is None:  # what the installer writes
        text = "import sys\nfrom pellucid.cli.main import main\nsys.exit(main())\n"
        (tmp_path / "pellucid").write_text(text)
    paths = [str(tmp_path), str(Path(pellucid.__file__).parents[1])]
    process = subprocess.Popen(
        [sys.executable, *arguments, "machine"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while not (tmp_path / "here").exists() and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err, err
    assert err.strip() == "Interrupted; nothing was written."
