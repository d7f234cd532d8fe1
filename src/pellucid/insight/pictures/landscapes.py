"""Losses as landscapes: along one weight, over two, around a whole network; and the ways down.

>>> valley = lambda x, y: x**2 / 20 + y**2
>>> ways = {
...     "SGD": descend(valley, (-7, 2), lambda p: optim.SGD(p, lr=0.95), 30),
...     "Adam": descend(valley, (-7, 2), lambda p: optim.Adam(p, lr=0.3), 30),
... }
>>> draw_descent(valley, ways, "ways.svg", x=(-8, 8), y=(-4, 4))               # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.dtypes import float64
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.insight.pictures.canvas import (
    BLUE,
    ORANGE,
    SERIES,
    Path_,
    axes_for,
    finished,
    frame,
    legend,
    words,
)
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor, tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Loss = Callable[[Any, Any], Any]
Span = tuple[float, float]


def descend(
    function: Loss,
    start: Sequence[float],
    optimizer: Callable[[list[Any]], Any],
    steps: int = 30,
) -> Floats:
    """The places an optimizer visits on a function of two numbers, float64 (steps + 1, 2).

    ``function(x, y)`` of two float64 tensors () gives one; ``optimizer`` makes an optimizer of a
    list of parameters.

    >>> way = descend(lambda x, y: x**2 + y**2, (1.0, 0.0), lambda p: optim.SGD(p, lr=0.25), 2)
    >>> way.tolist()
    [[1.0, 0.0], [0.5, 0.0], [0.25, 0.0]]
    """
    place = [tensor(float(v), dtype=float64).requires_grad_() for v in start]
    if len(place) != 2:
        raise ShapeError(f"descend got a start of {len(place)} numbers", "Give two: (x, y).")
    rule = optimizer(place)
    visited = [[p.item() for p in place]]
    for _ in range(steps):
        rule.zero_grad()
        function(*place).backward()
        rule.step()
        visited.append([p.item() for p in place])
    return np.array(visited)


def draw_descent(
    function: Loss,
    ways: Mapping[str, npt.ArrayLike],
    path: Path_ = None,
    x: Span = (-10.0, 10.0),
    y: Span = (-10.0, 10.0),
    *,
    levels: int = 20,
    ax: Axes | None = None,
) -> Axes:
    """The ways of optimizers (:func:`descend`) by their names, over the contours of the function.

    ``ways``: places (steps, 2) each.  Contours are closer at the bottom, where the ways end: the
    levels are even in the square root of the height above the lowest place drawn.
    """
    ax = axes_for(ax, path, 6.0, 4.5)
    grid = _grid(function, x, y)
    low, high = float(np.nanmin(grid[2])), float(np.nanmax(grid[2]))
    heights = low + (high - low) * np.linspace(0, 1, levels + 1)[1:] ** 2
    ax.contour(*grid, levels=heights, cmap="Greys", linewidths=0.7, vmin=low - (high - low))
    for number, (name, way) in enumerate(ways.items()):
        places = np.asarray(way, np.float64)
        colour = SERIES[number % len(SERIES)]
        ax.plot(*places.T, color=colour, marker="o", markersize=3, linewidth=1.2, label=name)
        ax.plot(*places[0], color="black", marker="o", markersize=4)
    ax.set_xlim(*x)
    ax.set_ylim(*y)
    frame(ax, "x", "y")
    if ways:
        legend(ax)
    return finished(ax, path)


def draw_surface(
    function: Loss,
    path: Path_ = None,
    x: Span = (-10.0, 10.0),
    y: Span = (-10.0, 10.0),
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A function of two numbers as a surface in space; ``ax`` must be axes of projection "3d"."""
    axes: Any = axes_for(ax, path, 5.5, 4.5, projection="3d")
    axes.plot_surface(*_grid(function, x, y), cmap="viridis", linewidth=0, antialiased=True)
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    if title:
        axes.set_title(title)
    return finished(axes, path)


def _grid(function: Loss, x: Span, y: Span, points: int = 81) -> tuple[Floats, Floats, Floats]:
    """Coordinates and values of a function on a grid, each (points, points)."""
    if not (x[0] < x[1] and y[0] < y[1]):
        raise ArgumentError(
            f"The part of the plane from {x} by {y} is empty", "Give (low, high) for x and for y."
        )
    across, up = np.meshgrid(np.linspace(*x, points), np.linspace(*y, points))
    with no_grad():
        height = function(as_tensor(across), as_tensor(up))
    values = np.broadcast_to(np.asarray(getattr(height, "numpy", lambda: height)()), across.shape)
    return across, up, np.asarray(values, np.float64)


# ---- around a network --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LossSurface:
    """A network's loss around its weights θ: ``values[i, j]`` = L(θ + along[j]·d₁ + along[i]·d₂).

    ``along`` (points,) float64; ``values`` (points, points), or (points,) of one direction.
    """

    along: Floats
    values: Floats


def loss_surface(
    model: Module,
    loss: Callable[[Module], Any],
    span: float = 1.0,
    points: int = 21,
    directions: int = 2,
    seed: int = 0,
) -> LossSurface:
    """The loss of ``model`` on a line (``directions=1``) or a plane (2) through its weights.

    ``loss(model)`` gives a tensor or number.  Directions are random and as long as the weights,
    filter by filter: each row of a weight has the norm of that row of the model, biases and other
    vectors stay; so a step of 1 means the same for every layer, whatever its scale.  The model is
    evaluated in evaluation mode and has its own weights again afterwards, also after an error.
    (Li, Xu, Taylor, Studer and Goldstein, 2018.)
    """
    if directions not in (1, 2) or points < 2 or span <= 0:
        raise ArgumentError(
            f"loss_surface got directions={directions}, points={points}, span={span:g}",
            "Use 1 or 2 directions, at least 2 points and a span above 0.",
        )
    random = np.random.default_rng(seed)
    parameters = list(model.parameters())
    origin = [p.detach().numpy().copy() for p in parameters]
    ways = [[_direction(w, random) for w in origin] for _ in range(directions)]
    along = np.linspace(-span, span, points)
    values = np.zeros((points,) * directions)
    try:
        with evaluation(model), no_grad():
            for place in np.ndindex(*values.shape):
                steps = [along[i] for i in reversed(place)]
                for p, w, *parts in zip(parameters, origin, *ways, strict=True):
                    moved = w + sum(s * d for s, d in zip(steps, parts, strict=True))
                    p.copy_(as_tensor(moved.astype(w.dtype)))
                values[place] = float(loss(model))
    finally:
        with no_grad():
            for p, w in zip(parameters, origin, strict=True):
                p.copy_(as_tensor(w))
    return LossSurface(along, values)


def _direction(weight: npt.NDArray[Any], random: np.random.Generator) -> npt.NDArray[Any]:
    """Random, with the norm of the weight in each row; 0 for vectors."""
    if weight.ndim < 2:
        return np.zeros_like(weight)
    step = random.normal(size=weight.shape)
    rows = (len(weight), -1)
    norm = np.linalg.norm(weight.reshape(rows), axis=1) / np.linalg.norm(step.reshape(rows), axis=1)
    return np.asarray(step * norm.reshape(-1, *[1] * (weight.ndim - 1)), weight.dtype)


def draw_loss_surface(
    surface: LossSurface, path: Path_ = None, *, title: str = "", ax: Axes | None = None
) -> Axes:
    """What :func:`loss_surface` found: a curve of one direction, contours of two; the cross marks
    the network itself."""
    ax = axes_for(ax, path, 5.0, 4.2)
    if surface.values.ndim == 1:
        ax.plot(surface.along, surface.values, color=BLUE)
        ax.axvline(0, color=ORANGE, linewidth=0.8, linestyle="--")
        frame(ax, "distance along the direction", "loss", title)
        return finished(ax, path)
    lines = ax.contour(surface.along, surface.along, surface.values, levels=15, cmap="viridis")
    ax.clabel(lines, fontsize="x-small")
    ax.plot(0, 0, marker="x", color=ORANGE, markersize=8, markeredgewidth=2)
    frame(ax, "first direction", "second direction", title)
    return finished(ax, path)


def draw_loss_curve(
    loss: Callable[[Any], Any],
    path: Path_ = None,
    low: float = -5.0,
    high: float = 5.0,
    *,
    visited: Iterable[float] = (),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The loss over one weight, with the values ``visited`` on the way down as points upon it.

    ``loss`` maps a float64 tensor of weights to their losses, element by element.
    """
    ax = axes_for(ax, path, 5.0, 3.6)
    if not low < high:
        raise ArgumentError(f"The part from {low:g} to {high:g} is empty", "Use low < high.")
    weights, steps = np.linspace(low, high, 200), np.array(list(visited), np.float64)
    with no_grad():
        curve, heights = (np.asarray(loss(as_tensor(w)).numpy()) for w in (weights, steps))
    ax.plot(weights, curve, color=BLUE, label=words("loss"))
    if len(steps):
        ax.plot(steps, heights, color=ORANGE, marker="o", markersize=4, linewidth=0.8,
                label=words("steps of the descent"))  # fmt: skip
        legend(ax)
    frame(ax, "weight", "loss", title)
    return finished(ax, path)
