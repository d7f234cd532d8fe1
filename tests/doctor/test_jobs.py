"""What the doctor says of a training job: told, written into the run, and read from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.insight.doctor import fits
from pellucid.insight.doctor.findings import Evidence, Finding, Place
from pellucid.insight.doctor.report import Report
from pellucid.training import events
from pellucid.training.run import Job, train
from pellucid.training.stored_run import read_run


def table() -> dict[str, Any]:
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 120))
    return {"a": a, "b": b, "y": np.where(a > b, "yes", "no")}


def job(output: Path, **settings: Any) -> Any:
    seen: list[Any] = []
    made = Job(table(), "y", output=output, listeners=[seen.append], **settings)
    return made.run(), seen


SETTINGS = {"settings": {"epochs": 2, "compile": False}}


def test_findings_are_told_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = (Evidence("the loss rises", float("nan"), "0"),)
    finding = Finding("LR_HIGH", Place(setting="lr"), evidence, 0.9)
    monkeypatch.setattr(fits, "judged", lambda case, seconds: Report([finding], case=case))
    outcome, seen = job(tmp_path / "run", **SETTINGS)
    told = [event.report for event in seen if isinstance(event, events.Examined)]
    assert [report.findings for report in told] == [[finding]]
    stored = read_run(outcome.folder)
    assert stored.notes == ()
    assert stored.examination is not None
    assert stored.examination["findings"][0]["cause"] == "LR_HIGH"
    assert stored.examination["findings"][0]["place"]["setting"] == "lr"


def test_damaged_findings_cost_nothing_else(tmp_path: Path) -> None:
    outcome, _ = job(tmp_path / "run", **SETTINGS)
    records = outcome.folder / "records.jsonl"
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    for line in lines:
        if line["event"] == "findings":
            line["report"] = {"findings": [{"cause": 3}]}
    records.write_text("\n".join(map(json.dumps, lines)) + "\n")
    stored = read_run(outcome.folder)
    assert stored.examination is None
    assert any("doctor" in note for note in stored.notes)
    assert stored.metrics


def test_without_the_doctor_and_with_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, seen = job(tmp_path / "off", doctor=False, **SETTINGS)
    assert outcome.result.examination is None
    assert not [event for event in seen if isinstance(event, events.Examined)]

    def broken(case: Any, seconds: float) -> Report:
        raise KeyError("a rule")

    monkeypatch.setattr(fits, "judged", broken)
    failed = train(table(), "y", output=tmp_path / "failed", epochs=2, compile=False)
    assert failed.result.examination is None
    weights = [read_run(tmp_path / name).model for name in ("off", "failed")]
    for mine, other in zip(*(w.parameters() for w in weights if w is not None), strict=True):
        np.testing.assert_array_equal(mine.detach().array(), other.detach().array())
