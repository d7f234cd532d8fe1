"""``pellucid runs``, reports of several runs, help, and JSON of every command."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from pellucid.cli.main import app
from pellucid.cli.options import PANELS
from pellucid.insight.report import render_comparison
from pellucid.training.config import TrainingConfig
from pellucid.training.run import train
from pellucid.training.run_list import differing_settings, facts_of, list_runs
from pellucid.training.stored_run import read_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and two runs, ``runs/a`` and ``runs/b``."""
    place = tmp_path_factory.mktemp("trained")
    x = np.random.default_rng(2).normal(size=(150, 2))
    rows = "".join(f"{a:.4f},{b:.4f},{'yes' if a > b else 'no'}\n" for a, b in x)
    (place / "t.csv").write_text("a,b,y\n" + rows)
    for name, width in (("a", 4), ("b", 7)):
        train(
            str(place / "t.csv"),
            "y",
            output=place / "runs" / name,
            epochs=3,
            widths=(width,),
            compile=False,
        )
    (place / "runs" / "broken").mkdir()
    (place / "runs" / "broken" / "model.json").write_text("{")
    (place / "runs" / "no-run").mkdir()
    return place


@pytest.fixture
def inside(
    trained: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    monkeypatch.chdir(trained)
    yield command


def test_runs_are_listed_with_their_figures(inside: Callable[..., Any]) -> None:
    outcome = inside("runs")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    saved = facts_of("runs/a")
    assert [line.split()[0] for line in lines[2:]] == ["a", "b"]
    assert f"{saved.figures['test']:.4g}" in lines[2] and "accuracy" in lines[2]
    assert "runs/broken cannot be read" in outcome.err
    found = json.loads(inside("runs", "--json").out)
    assert [run["name"] for run in found[:2]] == ["t", "t"] and "problem" in found[2]
    assert found[0]["figures"]["test"]["accuracy"] == saved.figures["test"]
    outcome = inside("runs", "--in", "nowhere")
    assert outcome.code == 4 and "nowhere is no folder" in outcome.err


def test_runs_are_compared_and_their_settings_differ(inside: Callable[..., Any]) -> None:
    different = differing_settings([facts_of("runs/a"), facts_of("runs/b")])
    assert different == {"widths": [[4], [7]]}
    assert inside("runs", "diff", "runs/a", "runs/b").out.splitlines()[2].split() == [
        "widths", "4", "7"
    ]  # fmt: skip
    assert json.loads(inside("runs", "diff", "runs/a", "runs/b", "--json").out) == different
    assert "are equal" in inside("runs", "diff", "runs/a", "runs/a").out
    outcome = inside("runs", "compare", "runs/a", "runs/b")
    head = outcome.out.splitlines()[1].split()
    by_test = sorted(("a", "b"), key=lambda n: -facts_of(f"runs/{n}").figures["test"])
    assert head == by_test and "On the test part" in outcome.out
    compared = json.loads(inside("runs", "compare", "runs/a", "runs/b", "--json").out)
    assert compared["differing"] == different
    assert inside("runs", "compare", "runs/a").code == 2
    outcome = inside("runs", "diff", "runs/a", "runs/broken")
    assert outcome.code == 5 and "runs/broken" in outcome.err


def test_only_runs_are_deleted(command: Callable[..., Any], tmp_path: Path, trained: Path) -> None:
    shutil.copytree(trained / "runs" / "a", tmp_path / "a")
    shutil.copytree(trained / "runs" / "a", tmp_path / "other")
    (tmp_path / "other" / "notes.txt").write_text("mine")
    (tmp_path / "plain").mkdir()
    outcome = command("runs", "delete", "other", "--yes")
    assert outcome.code == 5 and "also holds notes.txt; nothing was deleted" in outcome.err
    outcome = command("runs", "delete", "plain", "--yes")
    assert outcome.code == 5 and "is not a run folder" in outcome.err
    assert (tmp_path / "other" / "model.json").exists() and (tmp_path / "plain").exists()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert command("runs", "delete", "link", "-y").code == 5
    outcome = command("runs", "delete", "a", "-y")
    assert outcome.code == 0 and not (tmp_path / "a").exists()


def test_a_page_compares_runs(inside: Callable[..., Any], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    outcome = inside("report", "runs/a", "runs/b", "-o", page)
    assert outcome.code == 0 and f"{page}" in outcome.out.replace("\n", "")
    text = page.read_text()
    assert "2 runs compared" in text and 'class="curve r1"' in text
    assert '<th scope="row">widths</th>' in text and "same test rows" in text
    run = read_run("runs/a")
    best = max(read_run(f"runs/{n}").metrics["test"]["accuracy"] for n in "ab")
    assert f'<span class="strong">{best:.1%}</span>' in text
    assert "http" not in re.sub(r"<meta[^>]*>|<script>.*?</script>", "", text, flags=re.S)
    run.saved = dataclasses.replace(run.saved, fingerprint="0" * 64, name="<b>x")
    other = render_comparison([read_run("runs/a"), run])
    assert "cannot be compared" in other and "<b>x" not in other
    outcome = inside("report", *["runs/a"] * 13, "-o", page)
    assert outcome.code == 2 and "Give 2 to 12 runs" in outcome.err


def test_every_command_prints_json(inside: Callable[..., Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    asked = ("train", "t.csv", "-t", "y", "--epochs", 2, "--eager", "-o", run, "--json")
    trained = json.loads(inside(*asked).out)
    assert trained["folder"] == str(run) and trained["epochs"] == 2 and trained["complete"]
    assert set(trained["metrics"]) == {"train", "validation", "test"}
    measured = json.loads(inside("evaluate", run, "t.csv", "--json").out)
    assert measured["rows"] == 150 and measured["training_data"] is True
    assert [one["name"] for one in measured["classes"]] == ["no", "yes"]
    lines = inside("predict", run, "t.csv", "--json").out.splitlines()
    first = json.loads(lines[0])
    assert len(lines) == 150 and first["row"] == 0 and 0.5 <= first["probability"] <= 1
    written = json.loads(inside("predict", run, "t.csv", "-o", tmp_path / "p.csv", "--json").out)
    assert written == {"rows": 150, "written": str(tmp_path / "p.csv")}
    summary = json.loads(inside("summary", run, "--json").out)
    assert summary["parameters"]["0.weight"] == [128, 2] or summary["parameters"]
    assert json.loads(inside("report", run, "--json").out)["notes"] == []
    assert json.loads(inside("recover", tmp_path, "--json").out) == []
    asked = ("search", "t.csv", "-t", "y", "--epochs", 2, "--eager", "--trials", 2)
    found = json.loads(inside(*asked, "--processes", 1, "-o", tmp_path / "s", "--json").out)
    assert len(found["trials"]) == 2 and found["folder"] == str(tmp_path / "s")


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, found in group.commands.items():
        if hasattr(found, "commands"):
            yield from _commands(found, (*path, name))
        yield (*path, name), found


def test_help_teaches(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    text = re.sub(r"[│\s]+", " ", command("train", "--help").out)
    places = [text.index(name) for name in ("Data: how", "Network", "Goal", "Repeating and speed")]
    assert places == sorted(places)
    assert "relu, leaky_relu" in text and "[runs/NAME-TIME]" in text
    for path, found in _commands(typer.main.get_command(app)):
        if path[-1] in ("recover", "machine", "runs"):
            continue
        assert "Examples:" in (found.epilog or ""), path
        for line in found.epilog.splitlines()[2::2]:  # each example names a command that is there
            assert line.split()[:2] == ["pellucid", line.split()[1]]
            assert line.split()[1] in ("train", "search", *path)


def test_every_setting_stands_under_one_heading() -> None:
    listed = [name for names in PANELS.values() for name in names.split()]
    fields = {field.name for field in dataclasses.fields(TrainingConfig)} | {"layers"}
    assert set(listed) == fields and len(listed) == len(fields)


def test_completion_is_offered(command: Callable[..., Any]) -> None:
    assert "--install-completion" in command("--help").out


def test_runs_that_are_gone_while_they_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "model.json").mkdir()
    (found,) = list_runs(tmp_path)
    assert found.saved is None and found.problem
