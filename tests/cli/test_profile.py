"""``pellucid train --profile``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pellucid.insight.report import render_report
from pellucid.training.stored_run import read_run


def test_the_profile_is_printed_kept_and_shown(command: Callable[..., Any], tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b,y\n" + "".join(f"{i % 7},{i % 5},{i % 3}.5\n" for i in range(120)))
    options = ["train", table, "-t", "y", "--epochs", 2, "-q", "--profile"]
    outcome = command(*options, "-o", "one")
    assert outcome.code == 0, outcome.err
    assert "time of all" in outcome.out and "outside of layers" in outcome.out
    found = json.loads(command(*options, "-o", "two", "--json").out)["profile"]
    assert [one["kind"] for one in found["layers"]][:2] == ["Linear", "ReLU"]
    run = read_run(tmp_path / "one")
    assert run.profile is not None and not run.notes
    assert "Time by layer" in render_report(run, language="en")
    assert "各层的时间" in render_report(run, language="zh")
    refused = command(*options, "-o", "three", "--eager")
    assert refused.code == 2 and "only programs know their layers" in refused.err
    assert not (tmp_path / "three").exists()
    assert command(*options, "-o", "four", "--folds", 2).code == 2
