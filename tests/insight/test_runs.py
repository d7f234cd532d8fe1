"""The diagnosis of stored runs: what the command line and the report say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.insight.report import render_report
from pellucid.insight.runs import run_findings
from pellucid.training.config import TrainingConfig
from pellucid.training.run import Job
from pellucid.training.stored_run import read_run


def stored(folder: Path, kind: str, **settings: object) -> Path:
    """A run on 300 rows whose target is a line through two columns."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    score = x[:, 0] - 2 * x[:, 1]
    target = [f"{v:.3f}" for v in score] if kind == "number" else np.where(score > 0, "yes", "no")
    rows = [",".join([*(f"{v:.4f}" for v in r), t]) for r, t in zip(x, target, strict=True)]
    source = folder / f"{kind}.csv"
    source.write_text("\n".join(["a,b,c,target", *rows]))
    config = TrainingConfig(seed=0, **settings)  # type: ignore[arg-type]
    return Job(str(source), ["target"], config, output=folder / "run").run().folder


@pytest.mark.parametrize("kind", ["class", "number"])
def test_weights_that_start_at_zero_are_named_first(kind: str, tmp_path: Path) -> None:
    folder = stored(tmp_path, kind, epochs=4, widths=(8, 8), initialization="zeros")
    run = read_run(folder)
    before = pellucid.get_rng_state().tolist()
    found = run_findings(run)
    assert pellucid.get_rng_state().tolist() == before  # looking draws no numbers
    assert [(f.what, f.where) for f in found[:2]] == [("zero weights", "0"), ("zero weights", "2")]
    assert found[-1].what in ("underfitting", "worse than a simple model", "not finished")
    page = render_report(folder)
    assert "Units start equal" in page or "<b>Zero weights in layer 0:</b>" in page


def test_a_run_that_learns_gets_the_curves_only(tmp_path: Path) -> None:
    folder = stored(tmp_path, "class", epochs=40, widths=(16,), learning_rate=0.01)
    (found,) = run_findings(read_run(folder))
    assert found.where == "" and "a simple model" in found.evidence
    assert found.what in ("good fit", "not finished", "worse than a simple model")
