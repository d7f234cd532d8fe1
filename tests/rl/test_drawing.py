"""Frames show where things are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.rl import (
    Acrobot,
    CartPole,
    GridWorld,
    Gymnasium,
    MountainCar,
    Pendulum,
    film,
    frame,
    save_gif,
)

pytest.importorskip("PIL", reason="Pillow is not installed")
ORANGE = (200, 100, 45)


def centre(environment: Any) -> np.ndarray:
    """The mean place (x, y) of what moves, in a frame."""
    pixels = np.asarray(frame(environment))
    places = np.argwhere((pixels == ORANGE).all(-1))
    assert len(places) > 20
    return places.mean(0)[::-1]


@pytest.mark.parametrize(
    ("environment", "first", "second", "axis"),
    [
        (CartPole(), (0.0, 0, 0.0, 0), (1.0, 0, 0.0, 0), 0),
        (CartPole(), (0.0, 0, -0.2, 0), (0.0, 0, 0.2, 0), 0),
        (MountainCar(), (-1.0, 0), (0.4, 0), 0),
        (Pendulum(), (0.0, 0), (3.1, 0), 1),  # up, down
        (Acrobot(), (3.1, 0.0, 0, 0), (0.0, 0.0, 0, 0), 1),
        (GridWorld(), (0.0,), (2.0,), 0),
        (GridWorld(), (0.0,), (8.0,), 1),
    ],
)
def test_what_moves_is_drawn_where_it_is(
    environment: Any, first: tuple[float, ...], second: tuple[float, ...], axis: int
) -> None:
    places = []
    for numbers in (first, second):
        environment.put(numbers)
        places.append(centre(environment)[axis])
    assert places[1] > places[0] + 10


def test_an_episode_becomes_a_moving_picture(tmp_path: Path) -> None:
    from PIL import Image

    frames = film(lambda state: int(state[2] > 0), CartPole(limit=40), seed=0)
    assert 10 < len(frames) <= 41
    place = save_gif(frames, tmp_path / "a.gif", seconds=0.05)
    with Image.open(place) as picture:
        assert picture.size == frames[0].size and picture.info["duration"] % 50 == 0
    for wrong, text in (((frames, "a.png"), "ends in .gif"), (([], "a.gif"), "no frames")):
        with pytest.raises(ArgumentError, match=text):
            save_gif(*wrong)  # type: ignore[arg-type]


def test_what_cannot_be_drawn_is_said() -> None:
    class Other:
        states, actions = 1, 1

    with pytest.raises(ArgumentError, match="no picture of Other"):
        frame(Other())  # type: ignore[arg-type]
    pytest.importorskip("gymnasium", reason="gymnasium is not installed")
    with pytest.raises(ArgumentError, match="gives no picture|cannot be drawn"):
        frame(Gymnasium("Blackjack-v1"))
