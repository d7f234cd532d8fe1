"""Pictures of effects and importances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.insight.effects.uncertainty import Floats, Interval
from pellucid.insight.pictures.canvas import (
    BLUE,
    GREY,
    LIGHT,
    ORANGE,
    SERIES,
    Path_,
    axes_for,
    finished,
    frame,
    legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_effect(
    effect: Any, path: Path_ = None, *, output: int = 0, ax: Axes | None = None, rows: int = 0
) -> Axes:
    """The curve of one output with its interval as a band, thin lines for ``rows`` rows; bars for
    categories, and colours for two columns."""
    if not 0 <= output < len(effect.average):
        raise ArgumentError(
            f"output={output} of an effect on {len(effect.average)} outputs",
            f"Use 0 to {len(effect.average) - 1}.",
        )
    ax = axes_for(ax, path, 5.0, 3.6)
    title = effect.outputs[output]
    if len(effect.features) == 2:
        return _two(effect, output, ax, path)
    grid, middle = effect.grid[0], effect.average[output]
    low, high = effect.interval.low[output], effect.interval.high[output]
    if grid.dtype.kind in "biuf":
        if effect.individual is not None and rows:
            for curve in effect.individual[output][:: max(1, effect.rows // rows)]:
                ax.plot(grid, curve, color=LIGHT, linewidth=0.6)
        ax.fill_between(grid, low, high, color=BLUE, alpha=0.25, linewidth=0)
        ax.plot(grid, middle, color=BLUE, marker="." if len(grid) < 30 else "")
    else:
        places = np.arange(len(grid))
        ax.errorbar(places, middle, [middle - low, high - middle], fmt="o", color=BLUE, capsize=3)
        ax.set_xticks(places, [str(v) for v in grid], rotation=30 if len(grid) > 5 else 0)
    ax.set_xlabel(effect.features[0])
    frame(ax, "", effect.method, title)
    return finished(ax, path)


def _two(effect: Any, output: int, ax: Axes, path: Path_) -> Axes:
    first, second = effect.grid
    shown = ax.imshow(effect.average[output].T, origin="lower", aspect="auto", cmap="viridis")
    ax.figure.colorbar(shown, ax=ax, label=effect.outputs[output])
    for axis, grid in ((ax.xaxis, first), (ax.yaxis, second)):
        places = np.unique(np.linspace(0, len(grid) - 1, 5).astype(int))
        values = [f"{v:.3g}" if grid.dtype.kind == "f" else str(v) for v in grid[places]]
        axis.set_ticks(places, values)
    ax.set_xlabel(effect.features[0])
    ax.set_ylabel(effect.features[1])
    return finished(ax, path)


def draw_bars(
    names: Sequence[str],
    values: Floats,
    interval: Interval,
    axis: str,
    path: Path_ = None,
    most: int = 20,
    ax: Axes | None = None,
) -> Axes:
    """Values as bars with their intervals, the largest at the top."""
    order = np.argsort(-values, kind="stable")[:most][::-1]
    ax = axes_for(ax, path, 6.0, 1.0 + 0.3 * len(order))
    middle, places = values[order], np.arange(len(order))
    errors = [
        np.maximum(middle - interval.low[order], 0), np.maximum(interval.high[order] - middle, 0)
    ]  # fmt: skip
    ax.barh(places, middle, color=BLUE, xerr=errors, ecolor=GREY, capsize=2)
    ax.set_yticks(places, [names[i] for i in order])
    ax.axvline(0, color=GREY, linewidth=0.8)
    frame(ax, axis)
    return finished(ax, path)


def draw_shares(
    explanation: Any, path: Path_ = None, *, title: str = "", most: int = 15, ax: Axes | None = None
) -> Axes:
    """The shares of one row as bars, for to the right and against to the left, with intervals."""
    found = explanation.strongest(0, most)[::-1]
    ax = axes_for(ax, path, 6.5, 1.0 + 0.32 * len(found))
    sizes = np.array([value for _, value, _ in found])
    errors = np.array([0.0 if error is None else 1.96 * error for _, _, error in found])
    colours = [ORANGE if size > 0 else BLUE for size in sizes]
    spread = errors if errors.any() else None
    ax.barh(range(len(found)), sizes, color=colours, xerr=spread, ecolor=GREY, capsize=2)
    ax.set_yticks(range(len(found)), [name for name, _, _ in found])
    ax.axvline(0, color=GREY, linewidth=0.8)
    frame(ax, "share in the answer", "", title)
    return finished(ax, path)


def draw_map(
    picture: npt.NDArray[Any],
    labels: npt.NDArray[np.int64],
    shares: Floats,
    path: Path_ = None,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A picture (height, width, channels) with its regions coloured by their shares."""
    ax = axes_for(ax, path, 4.6, 4.2)
    grey = picture.mean(axis=-1)
    extent = (0.0, float(grey.shape[1]), float(grey.shape[0]), 0.0)
    ax.imshow(grey, cmap="gray", extent=extent)
    largest = float(np.abs(shares).max()) or 1.0
    values = shares[labels]
    shown = ax.imshow(
        values, cmap="RdBu_r", vmin=-largest, vmax=largest, extent=extent,
        alpha=0.1 + 0.7 * np.abs(values) / largest,
    )  # fmt: skip
    ax.figure.colorbar(shown, ax=ax)
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return finished(ax, path)


def draw_curves(
    times: Sequence[int],
    lines: dict[str, tuple[Floats, Interval]],
    path: Path_ = None,
    ax: Axes | None = None,
) -> Axes:
    """Curves over epochs with bands for their intervals."""
    ax = axes_for(ax, path, 6.5, 3.8)
    for place, (name, (middle, spread)) in enumerate(lines.items()):
        colour = SERIES[place % len(SERIES)]
        ax.plot(times, middle, color=colour, label=name, marker="." if len(times) < 30 else "")
        if len(times) and np.isfinite(spread.radius).all():
            ax.fill_between(times, spread.low, spread.high, color=colour, alpha=0.12, linewidth=0)
    ax.set_ylim(0, 1)
    frame(ax, "epoch", "part of what the answers rest on")
    if lines:
        legend(ax)
    return finished(ax, path)
