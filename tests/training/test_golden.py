"""What earlier versions have written is read: run folders, killed runs and pickles stay of use.

Everything in ``golden/`` was written by the version that its name counts, on ``golden/fruit.csv``:

==========================  ======================================================================
run-1-size, run-1-price     finished runs (three classes; a number), and what ``predict`` said of
                            the same file, in tables of the same name
killed-1                    what a job left that was killed after its seventh epoch of twelve; its
                            records are under another name, which a folder of files can show
==========================  ======================================================================
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from pellucid.cli import use
from pellucid.insight.report import render_report
from pellucid.training.resuming import find_unfinished
from pellucid.training.run import Job
from pellucid.training.run_folder import UNFINISHED, load_run
from pellucid.training.run_list import facts_of
from pellucid.training.saved_model import SavedModel
from pellucid.training.stored_run import read_run, restore

GOLDEN = Path(__file__).parent / "golden"
FRUIT = GOLDEN / "fruit.csv"
RUNS = sorted(path.name for path in GOLDEN.glob("run-*") if path.is_dir())


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", RUNS)
def test_it_predicts_what_it_did(name: str, tmp_path: Path) -> None:
    target = tmp_path / "now.csv"
    use.predict(GOLDEN / name, str(FRUIT), target, False, "auto")
    now, then = table(target), table(GOLDEN / f"{name}.csv")
    assert len(now) == len(then) == 60
    for line, old in zip(now, then, strict=True):
        assert list(line) == list(old)
        for column, value in old.items():
            if column.startswith("predicted") and not name.endswith("price"):
                assert line[column] == value
            else:
                assert float(line[column]) == pytest.approx(float(value), abs=2e-6, rel=2e-5)


@pytest.mark.parametrize("name", RUNS)
def test_its_report_and_its_line_in_the_list_are_whole(name: str) -> None:
    run = read_run(GOLDEN / name)
    assert not run.notes and len(run.history) == 12
    assert run.history.epochs[-1].epoch == 12 and np.isfinite(run.history["loss"]).all()
    for language, word in (("en", "Predicted against true"), ("zh", "训练报告")):
        page = render_report(run, language=language)
        assert word in page or name != "run-1-price"
    assert facts_of(GOLDEN / name).saved.figures == run.saved.figures
    assert {"train", "validation", "test"} <= set(run.saved.figures)


@pytest.mark.parametrize("name", RUNS)
def test_written_again_it_is_the_same(name: str) -> None:
    saved, weights = load_run(GOLDEN / name)
    again = SavedModel.from_json(saved.to_json())
    assert again.to_json() == saved.to_json()
    _, network = restore(GOLDEN / name)
    assert {n: t.numpy().tobytes() for n, t in network.state_dict().items()} == {
        n: a.tobytes() for n, a in weights.items()
    }


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """To the figures of a run that was never killed."""
    left = tmp_path / ".runs.4194999-aaaaaa.partial"
    shutil.copytree(GOLDEN / "killed-1", left)
    (left / "records.partial").rename(left / UNFINISHED)
    assert find_unfinished(left).config.epochs == 12
    outcome = Job(FRUIT, resume=left).run()
    history = outcome.result.history
    assert outcome.complete and [r.epoch for r in history] == list(range(1, 13))
    old = read_run(GOLDEN / "run-1-size")
    np.testing.assert_allclose(history["loss"], old.history["loss"], rtol=1e-4)
    assert outcome.result.figures["test"].values["accuracy"] == old.metrics["test"]["accuracy"]
    assert read_run(outcome.folder).notes == ()
