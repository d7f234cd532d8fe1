"""Each program in examples/rewards runs and finds what its text says."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.programs import FOLDER, load


def test_every_program_is_run() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in FOLDER.glob("rewards/*.py")} <= tested


def test_bandits(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    share = load("rewards/bandits").main(tmp_path, steps=400, runs=20)
    assert share.pop("greed") < min(share.values())
    assert (tmp_path / "bandits.svg").stat().st_size > 5000


def test_grid_world(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    program = load("rewards/grid_world")
    apart = program.main(tmp_path, episodes=1500)
    assert apart["q_learning"] < 0.02 < apart["sarsa"]
    assert (tmp_path / "values.svg").stat().st_size > 5000
    careful, bold = program.cliff(1000)
    assert careful > bold + 5


def test_agents(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    program = load("rewards/agents")
    assert program.pole(tmp_path, steps=20_000).mean > 300
    assert (tmp_path / "pole.gif").stat().st_size > 5000
    assert program.pendulum(3000).mean > -1000
