"""Pictures of learning from rewards show what they are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.insight.rewards import draw_bandit, draw_episodes, draw_grid, draw_landscape
from pellucid.rl import GridWorld, iterate_values

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def test_values_and_best_actions_of_a_grid_are_drawn(tmp_path: Path) -> None:
    world = GridWorld()
    mdp = world.mdp()
    values = iterate_values(mdp).values
    draw_grid(world.fields, world.columns, values, tmp_path / "v.svg")
    plain = (tmp_path / "v.svg").read_text()
    draw_grid(world.fields, world.columns, mdp.action_values(values), tmp_path / "q.svg")
    arrows = (tmp_path / "q.svg").read_text()
    assert arrows.count("<path") >= plain.count("<path") + 10  # an arrow for each free field
    with pytest.raises(ShapeError, match=r"\(12,\) or \(12, 4\)"):
        draw_grid(world.fields, world.columns, values[:5], tmp_path / "x.svg")


def test_episodes_bandits_and_landscapes_are_drawn(tmp_path: Path) -> None:
    draw_episodes(list(range(50)), tmp_path / "e.svg")
    draw_bandit({"UCB": np.arange(20.0), "greedy": np.ones(20)}, tmp_path / "b.svg", window=5)
    seen = []

    def value(states: np.ndarray) -> np.ndarray:
        seen.append(states)
        return states[:, 0] * states[:, 1]

    draw_landscape(value, (-1, -2), (1, 2), tmp_path / "l.png", rest=(7.0,), points=9)
    (states,) = seen
    assert states.shape == (81, 3) and (states[:, 2] == 7).all()
    assert states.min(0).tolist() == [-1, -2, 7] and states.max(0).tolist() == [1, 2, 7]
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("e.svg", "b.svg", "l.png"))
    for wrong in (lambda: draw_episodes([], "x.svg"), lambda: draw_bandit({}, "x.svg")):
        with pytest.raises(ArgumentError, match="There are no"):
            wrong()
