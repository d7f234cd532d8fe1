"""Ctrl-C keeps what was learned; SIGKILL leaves no file half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pellucid.training.run_folder import MODEL, RECORDS, WEIGHTS, load_run, read_records

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

# Endless for a test: without early stopping, until it is interrupted.
ARGUMENTS = ("train", "table.csv", "-t", "y", "-o", "run", "--epochs", "10000000")
START = "import sys; from pellucid.cli import train; train.SAVE_SECONDS = 0.0; "
MAIN = START + "from pellucid.cli.main import main; main()"


def begin(folder: Path, *more: str) -> subprocess.Popen[str]:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(200, 3))
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{int(a > b)}" for a, b, c in x]
    (folder / "table.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n")
    command = [sys.executable, "-c", MAIN, *ARGUMENTS, *more]
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
    assert names - {WEIGHTS, MODEL} <= {n for n in names if n.endswith(".partial")}


def test_a_complete_run_survives_a_killed_replacement(tmp_path: Path) -> None:
    process = begin(tmp_path, "--patience", "0", "--eager")
    wait_for_epochs(tmp_path, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    process = begin(tmp_path, "--patience", "0", "--eager", "--overwrite")
    wait_for_epochs(tmp_path, process)
    process.kill()
    process.communicate(timeout=30)
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before
    assert json.loads(before[MODEL])["status"] == "interrupted"
