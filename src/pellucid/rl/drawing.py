"""Pictures of environments, and episodes as moving ones (GIF); needs Pillow."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.base.extras import needs
from pellucid.rl.classic import Acrobot, CartPole, MountainCar, Pendulum
from pellucid.rl.environments import Environment
from pellucid.rl.grid_world import GridWorld
from pellucid.rl.outside import Gymnasium

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, HEIGHT = 360, 240
SKY, GROUND, BODY, MOVING = "#f7f9fb", "#98a6b3", "#2d3a4a", "#c8642d"
_KINDS = {"#": "#4a5562", "G": "#5aa469", "X": "#c0504d", "C": "#8a5a44", "S": "#d9e2ec"}


def frame(environment: Environment) -> Image:
    """What an environment looks like now: ours are drawn, Gymnasium's draw themselves (make them
    with ``render_mode="rgb_array"``)."""
    with needs("vision", "pictures of environments"):
        from PIL import Image, ImageDraw
    if isinstance(environment, Gymnasium):
        return _rendered(environment, Image)
    for kind, draw in _DRAWN.items():
        if isinstance(environment, kind):
            width, height = WIDTH, HEIGHT
            if isinstance(environment, GridWorld):
                side = max(16, min(48, 720 // environment.columns))
                width, height = side * environment.columns, side * environment.rows
            image = Image.new("RGB", (width, height), SKY)
            draw(ImageDraw.Draw(image), environment)
            return image
    raise ArgumentError(
        f"there is no picture of {type(environment).__name__}",
        "use one of the environments of pellucid.rl, or Gymnasium's with render_mode='rgb_array'",
    )


def film(
    policy: Callable[[npt.NDArray[np.float32]], Any],
    environment: Environment,
    seed: int | None = None,
    most: int = 1000,
) -> list[Image]:
    """The frames of one episode, ``most`` at the most."""
    state = environment.reset(seed)
    frames = [frame(environment)]
    while len(frames) < most:
        answer = environment.step(policy(state))
        frames.append(frame(environment))
        if answer.done:
            break
        state = answer.state
    return frames


def save_gif(frames: Sequence[Image], path: str | os.PathLike[str], seconds: float = 0.04) -> Path:
    """Writes frames as a GIF that repeats, each shown for ``seconds`` (hundredths at the least)."""
    place = Path(path)
    if place.suffix.lower() != ".gif":
        raise ArgumentError(f"save_gif got {place}", "give a name that ends in .gif")
    if not frames:
        raise ArgumentError("save_gif got no frames", "give at least one")
    small = [image.quantize(32) for image in frames]
    small[0].save(
        place,
        format="GIF",
        save_all=True,
        append_images=small[1:],
        duration=max(int(1000 * seconds), 20),
        loop=0,
    )
    return place


def _rendered(environment: Gymnasium, library: Any) -> Image:
    try:
        pixels = environment.environment.render()
    except Exception as error:  # whatever the library that draws is missing
        raise ArgumentError(
            f"the environment cannot be drawn: {error}", "install what it needs to draw"
        ) from error
    if not isinstance(pixels, np.ndarray):
        raise ArgumentError(
            "the environment gives no picture", "make it with render_mode='rgb_array'"
        )
    made: Image = library.fromarray(np.ascontiguousarray(pixels, np.uint8))
    return made


def _cart(draw: Any, environment: Any) -> None:
    place, _, angle, _ = environment.numbers
    x, y = WIDTH / 2 + place * WIDTH / (2.4 * environment.FARTHEST), HEIGHT * 0.72
    draw.line((0, y + 10, WIDTH, y + 10), fill=GROUND, width=2)
    draw.rectangle((x - 26, y - 10, x + 26, y + 8), fill=BODY)
    tip = (x + 110 * math.sin(angle), y - 8 - 110 * math.cos(angle))
    draw.line((x, y - 8, *tip), fill=MOVING, width=7)


def _valley(draw: Any, environment: Any) -> None:
    def point(place: float) -> tuple[float, float]:
        share = (place - environment.LEFT) / (environment.RIGHT - environment.LEFT)
        return share * WIDTH, HEIGHT * (0.86 - 0.36 * (math.sin(3 * place) + 1))

    places = np.linspace(environment.LEFT, environment.RIGHT, 80)
    draw.line([point(float(p)) for p in places], fill=GROUND, width=3)
    x, y = point(environment.GOAL)
    draw.line((x, y, x, y - 34), fill=BODY, width=2)
    draw.polygon((x, y - 34, x + 18, y - 27, x, y - 20), fill="#5aa469")
    x, y = point(environment.numbers[0])
    draw.ellipse((x - 11, y - 22, x + 11, y), fill=MOVING)


def _rod(draw: Any, environment: Any) -> None:
    angle = environment.numbers[0]
    x, y = WIDTH / 2, HEIGHT / 2
    tip = (x - 90 * math.sin(angle), y - 90 * math.cos(angle))
    draw.line((x, y, *tip), fill=MOVING, width=14)
    draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=BODY)


def _links(draw: Any, environment: Any) -> None:
    one, two = environment.numbers[:2]
    length = HEIGHT * 0.21
    x, y = WIDTH / 2, HEIGHT / 2
    draw.line((0, y - length, WIDTH, y - length), fill=GROUND, width=2)
    elbow = (x + length * math.sin(one), y + length * math.cos(one))
    tip = (elbow[0] + length * math.sin(one + two), elbow[1] + length * math.cos(one + two))
    draw.line((x, y, *elbow), fill=BODY, width=9)
    draw.line((*elbow, *tip), fill=MOVING, width=9)


def _fields(draw: Any, environment: Any) -> None:
    side = max(16, min(48, 720 // environment.columns))
    for field, kind in enumerate(environment.fields):
        row, column = divmod(field, environment.columns)
        box = (column * side, row * side, (column + 1) * side - 1, (row + 1) * side - 1)
        draw.rectangle(box, fill=_KINDS.get(kind, SKY), outline="#c9d3dc")
    row, column = divmod(int(environment.numbers[0]), environment.columns)
    edge = side // 5
    box = (column * side + edge, row * side + edge, (column + 1) * side - edge,
           (row + 1) * side - edge)  # fmt: skip
    draw.ellipse(box, fill=MOVING)


_DRAWN: dict[type, Callable[[Any, Any], None]] = {
    CartPole: _cart,
    MountainCar: _valley,
    Pendulum: _rod,
    Acrobot: _links,
    GridWorld: _fields,
}
