"""Pictures of learning from rewards: episodes, bandits, values and ways of a grid, values over two
numbers of a state.

>>> draw_episodes(agent.tally.sums, "episodes.svg")                            # doctest: +SKIP
>>> draw_grid(world.fields, world.columns, values, "values.svg")               # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.insight.pictures import label, new_figure, save_figure

_BLUE, _ORANGE, _GREY = "#2b6cb0", "#dd6b20", "#888888"
_ARROWS = ((0, -0.3), (0, 0.3), (-0.3, 0), (0.3, 0))
"""Up, down, left, right, where rows are counted from above."""


def draw_episodes(
    sums: Sequence[float], path: str | os.PathLike[str], window: int | None = None
) -> None:
    """Draws the sum of rewards of every episode and their running mean over ``window`` episodes (a
    twentieth of all, at least 5)."""
    earned = np.asarray(sums, np.float64)
    if earned.ndim != 1 or not len(earned):
        raise ArgumentError("There are no episodes to draw", "Let at least one episode end.")
    width = max(len(earned) // 20, 5) if window is None else window
    width = min(max(width, 1), len(earned))
    figure = new_figure(7.0, 3.4)
    axes = figure.add_subplot()
    axes.plot(np.arange(1, len(earned) + 1), earned, ".", color=_GREY, markersize=2, alpha=0.5)
    mean = np.convolve(earned, np.ones(width) / width, "valid")
    axes.plot(np.arange(width, len(earned) + 1), mean, color=_BLUE, linewidth=1.8)
    axes.set_xlabel(*label("episode"))
    axes.set_ylabel(*label("sum of rewards"))
    save_figure(figure, path)


def draw_bandit(
    curves: Mapping[str, npt.ArrayLike], path: str | os.PathLike[str], window: int = 1
) -> None:
    """Draws curves over the plays of a bandit, one for each player's name: mean rewards, or shares
    of the best machine (``bandit_curve``)."""
    if not curves:
        raise ArgumentError("There are no curves to draw", "Give at least one.")
    figure = new_figure(7.0, 3.4)
    axes = figure.add_subplot()
    for name, curve in curves.items():
        values = np.asarray(curve, np.float64)
        smooth = np.convolve(values, np.ones(window) / window, "valid")
        axes.plot(np.arange(window, len(values) + 1), smooth, label=name, linewidth=1.4)
    axes.set_xlabel(*label("play"))
    axes.legend(frameon=False)
    save_figure(figure, path)


def draw_grid(
    fields: str,
    columns: int,
    values: npt.ArrayLike,
    path: str | os.PathLike[str],
) -> None:
    """Draws the values of a grid world's fields as colours and figures; of action values (fields,
    4), for up, down, left and right, the highest, with an arrow to every best action.

    ``fields`` and ``columns`` as ``GridWorld`` has them.
    """
    table = np.asarray(values, np.float64)
    if table.shape not in ((len(fields),), (len(fields), 4)):
        raise ShapeError(
            f"The values have shape {table.shape}", f"Give ({len(fields)},) or ({len(fields)}, 4)."
        )
    best = table if table.ndim == 1 else table.max(1)
    rows = len(fields) // columns
    walls = np.array([kind == "#" for kind in fields])
    figure = new_figure(0.9 * columns + 0.6, 0.9 * rows + 0.6)
    axes = figure.add_subplot()
    shown = np.where(walls, np.nan, best).reshape(rows, columns)
    most = float(np.nanmax(np.abs(shown))) or 1.0
    axes.imshow(shown, cmap="RdYlGn", vmin=-most, vmax=most)
    for field, kind in enumerate(fields):
        row, column = divmod(field, columns)
        if walls[field]:
            axes.fill_between((column - 0.5, column + 0.5), row - 0.5, row + 0.5, color="#4a5562")
            continue
        axes.text(column, row - 0.3, f"{best[field]:.2f}", ha="center", va="center", fontsize=8)
        if kind in "SGXC":
            axes.text(column - 0.36, row + 0.36, kind, ha="center", va="center", fontsize=7)
        if table.ndim == 2 and kind not in "GC":
            for action in np.flatnonzero(table[field] >= best[field] - 1e-9):
                right, down = _ARROWS[action]
                axes.annotate(
                    "",
                    (column + right, row + 0.1 + down),
                    (column, row + 0.1),
                    arrowprops={"arrowstyle": "->", "color": "#222222"},
                )
    axes.set_xticks([])
    axes.set_yticks([])
    save_figure(figure, path)


def draw_landscape(
    value: Callable[[npt.NDArray[np.float32]], npt.ArrayLike],
    low: Sequence[float],
    high: Sequence[float],
    path: str | os.PathLike[str],
    *,
    rest: Sequence[float] = (),
    names: Sequence[str] = ("", ""),
    points: int = 60,
) -> None:
    """Draws a number over the first two numbers of a state, from ``low`` to ``high``; the others
    stay at ``rest``.

    ``value`` maps states float32 (N, states) to (N,): what a critic expects of them, or the action
    that a policy takes.
    """
    one, two = (np.linspace(low[i], high[i], points) for i in range(2))
    grid = np.stack(np.meshgrid(one, two), -1).reshape(-1, 2)
    states = np.concatenate([grid, np.tile(rest, (len(grid), 1))], 1).astype(np.float32)
    found = np.asarray(value(states), np.float64)
    if found.shape != (len(grid),):
        raise ShapeError(f"The values have shape {found.shape}", f"Give ({len(grid)},).")
    figure = new_figure(5.0, 4.0)
    axes = figure.add_subplot()
    picture = axes.pcolormesh(one, two, found.reshape(points, points), cmap="viridis")
    figure.colorbar(picture, ax=axes)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    save_figure(figure, path)
