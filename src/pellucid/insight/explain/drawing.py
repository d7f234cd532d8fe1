"""Pictures of explanations: bars of values with their intervals, maps over pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.explain.verdicts import Explained, Z
from pellucid.insight.pictures.canvas import axes_for, finished, frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOR, AGAINST = "#c53030", "#2b6cb0"


def draw(explanation: Explained, ax: Axes | None, path: Any, row: int, count: int) -> Axes:
    """One row: a map where the values have two axes or channels in front of two, else bars."""
    values = np.asarray(explanation.values[0][row], np.float64)
    if len(explanation.values) == 1 and values.ndim == 3:
        values = values.sum(0)
    if len(explanation.values) == 1 and values.ndim == 2 and min(values.shape) > 1:
        return _map(explanation, values, ax, path, row)
    return _bars(explanation, ax, path, row, count)


def _bars(explanation: Explained, ax: Axes | None, path: Any, row: int, count: int) -> Axes:
    found = explanation.strongest(row, count)[::-1]
    ax = axes_for(ax, path, 6.0, 1.0 + 0.3 * len(found))
    sizes = [value for _, value, _ in found]
    errors = [0.0 if e is None else Z * e for _, _, e in found]
    colours = [FOR if value > 0 else AGAINST for value in sizes]
    ax.barh(
        range(len(found)), sizes, color=colours, xerr=errors if any(errors) else None, capsize=2
    )
    ax.set_yticks(range(len(found)), [name for name, _, _ in found])
    ax.axvline(0, color="#888888", linewidth=0.8)
    frame(ax, x="share in the score" if explanation.kind == "contribution" else "value")
    return finished(ax, path)


def _map(
    explanation: Explained, values: npt.NDArray[np.float64], ax: Any, path: Any, row: int
) -> Axes:
    ax = axes_for(ax, path, 4.5, 4.0)
    extent = (0.0, float(values.shape[1]), float(values.shape[0]), 0.0)
    inputs = explanation.inputs
    if inputs is not None and inputs[0][row].ndim in (2, 3) and inputs[0].dtype.kind == "f":
        picture = np.asarray(inputs[0][row], np.float64)
        picture = picture.mean(0) if picture.ndim == 3 else picture
        ax.imshow(picture, cmap="gray", extent=extent)
    largest = float(np.abs(values).max()) or 1.0
    shown = ax.imshow(
        values, cmap="RdBu_r", vmin=-largest, vmax=largest, extent=extent,
        alpha=0.15 + 0.75 * np.abs(values) / largest,
    )  # fmt: skip
    ax.figure.colorbar(shown, ax=ax)
    ax.set_axis_off()
    return finished(ax, path)
