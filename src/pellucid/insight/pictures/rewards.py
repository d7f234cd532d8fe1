"""What an agent knows and how it fares: worlds of squares, bandits, episodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.base.extras import needs
from pellucid.insight.pictures.canvas import (
    GREY,
    SERIES,
    Path_,
    axes_for,
    finished,
    frame,
    legend,
    numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
ARROWS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}


def draw_grid_world(
    values: npt.ArrayLike,
    path: Path_ = None,
    *,
    policy: npt.ArrayLike | None = None,
    actions: Sequence[str] = ("up", "down", "left", "right"),
    walls: Sequence[tuple[int, int]] = (),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The value of each square as colour (red below 0, green above) and number, and what a policy
    does there as arrows as long as their probability.

    ``values`` (height, width), line 0 at the top, NaN where nothing is known; ``policy`` (height,
    width) with the number of an action, −1 for none, or (height, width, actions) with
    probabilities; ``actions`` names them in their order; ``walls`` are squares (line, column).
    """
    heights = numbers(values)
    if heights.ndim != 2:
        raise ShapeError(f"draw_grid_world got values {heights.shape}", "Give (height, width).")
    chances = _chances(policy, heights.shape, actions)
    lines, columns = heights.shape
    ax = axes_for(ax, path, 0.6 + 0.8 * columns, 0.6 + 0.8 * lines)
    shown = heights.copy()
    for line, column in walls:
        shown[line, column] = np.nan
    largest = float(np.nanmax(np.abs(shown))) if np.isfinite(shown).any() else 1.0
    ax.imshow(shown, cmap="RdYlGn", vmin=-(largest or 1), vmax=largest or 1)
    for line, column in np.ndindex(lines, columns):
        if (line, column) in set(map(tuple, walls)):
            ax.add_patch(_square(line, column))
            continue
        if np.isfinite(heights[line, column]):
            ax.text(column - 0.45, line - 0.36, f"{heights[line, column]:.2f}", fontsize="x-small",
                    ha="left", va="center")  # fmt: skip
        if chances is not None:
            _arrows(ax, line, column, chances[line, column], actions)
    ax.set_xticks(np.arange(columns + 1) - 0.5, [])
    ax.set_yticks(np.arange(lines + 1) - 0.5, [])
    ax.grid(color="black", linewidth=0.5)
    ax.tick_params(length=0)
    if title:
        ax.set_title(title)
    return finished(ax, path)


def _square(line: int, column: int) -> Any:
    with needs("plot", "Drawing"):
        from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, line - 0.5), 1, 1, color=GREY)


def _arrows(ax: Axes, line: int, column: int, chances: Floats, actions: Sequence[str]) -> None:
    for action, chance in zip(actions, chances, strict=True):
        if chance > 0.01:
            right, down = (0.34 * chance * step for step in ARROWS[action])
            ax.arrow(column, line + 0.08, right, down, color="black", linewidth=0.8,
                     head_width=0.09, length_includes_head=True)  # fmt: skip


def _chances(policy: Any, shape: tuple[int, ...], actions: Sequence[str]) -> Floats | None:
    """Probabilities (height, width, actions) of a policy in any of its forms."""
    if policy is None:
        return None
    unknown = [name for name in actions if name not in ARROWS]
    if unknown:
        raise ArgumentError(
            f"There is no arrow for the action {unknown[0]!r}", f"Use names of {', '.join(ARROWS)}."
        )
    given = numbers(policy)
    if given.shape == shape:
        return np.asarray(given[..., None] == np.arange(len(actions)), np.float64)
    if given.shape != (*shape, len(actions)):
        raise ShapeError(
            f"The policy has shape {given.shape} for values {shape} and {len(actions)} actions",
            "Give an action's number for each square, or a probability for each of its actions.",
        )
    return given


def draw_state_values(
    value: Callable[[npt.NDArray[np.float32]], npt.ArrayLike],
    low: Sequence[float],
    high: Sequence[float],
    path: Path_ = None,
    *,
    rest: Sequence[float] = (),
    names: Sequence[str] = ("", ""),
    points: int = 60,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A number over the first two numbers of a state, from ``low`` to ``high``; the others stay at
    ``rest``.

    ``value`` maps states float32 (N, states) to (N,): what a critic expects of them, or the action
    that a policy takes.  Raises ``ShapeError`` where it gives another shape.
    """
    one, two = (np.linspace(low[i], high[i], points) for i in range(2))
    grid = np.stack(np.meshgrid(one, two), -1).reshape(-1, 2)
    states = np.concatenate([grid, np.tile(np.asarray(rest, float), (len(grid), 1))], 1)
    found = numbers(value(states.astype(np.float32)))
    if found.shape != (len(grid),):
        raise ShapeError(f"The values have shape {found.shape}", f"Give ({len(grid)},).")
    ax = axes_for(ax, path, 5.4, 4.2)
    picture = ax.pcolormesh(one, two, found.reshape(points, points), cmap="viridis")
    ax.figure.colorbar(picture, ax=ax)
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    if title:
        ax.set_title(title)
    return finished(ax, path)


def draw_rewards(
    returns: Mapping[str, npt.ArrayLike],
    path: Path_ = None,
    *,
    window: int = 1,
    goal: float | None = None,
    along: str = "episode",
    score: str = "return",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """How agents fare over episodes, or bandits over plays, by their names.

    Each is (episodes,), or (runs, episodes) of several runs: the mean as a line, the middle half
    of the runs as a band.  ``window``: a running mean over so many episodes; ``goal``: a line.
    """
    if not returns:
        raise ArgumentError("draw_rewards got no returns", "Give at least one run by its name.")
    ax = axes_for(ax, path, 6.4, 3.8)
    for number, (name, given) in enumerate(returns.items()):
        runs = np.atleast_2d(numbers(given))
        if runs.ndim != 2 or not 1 <= window <= runs.shape[1]:
            raise ShapeError(
                f"{name!r} has returns {runs.shape} for a window of {window}",
                "Give (episodes,) or (runs, episodes), and a window that fits.",
            )
        smooth = np.array([np.convolve(r, np.ones(window) / window, "valid") for r in runs])
        episodes = np.arange(window, runs.shape[1] + 1)
        colour = SERIES[number % len(SERIES)]
        ax.plot(episodes, smooth.mean(axis=0), color=colour, label=name, linewidth=1.2)
        if len(runs) > 1:
            low, high = np.quantile(smooth, [0.25, 0.75], axis=0)
            ax.fill_between(episodes, low, high, color=colour, alpha=0.15, linewidth=0)
    if goal is not None:
        ax.axhline(goal, color=GREY, linestyle=":")
    frame(ax, along, score, title)
    legend(ax)
    return finished(ax, path)
