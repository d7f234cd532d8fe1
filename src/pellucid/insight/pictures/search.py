"""Pictures of a search: what mattered, and which settings go together.

>>> draw_importances(found, "importance.png")                                  # doctest: +SKIP
>>> draw_parallel_coordinates(found, "settings.svg")                           # doctest: +SKIP
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.base.errors import ArgumentError
from pellucid.insight.pictures.canvas import BLUE, Path_, axes_for, finished, frame
from pellucid.training.search import SearchResult, Trial, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_importances(found: SearchResult, path: Path_ = None, *, ax: Axes | None = None) -> Axes:
    """Bars: the share of each setting in how good the trials were (``SearchResult.importances``).

    Raises ``ArgumentError`` where there are too few trials to say.
    """
    shares = found.importances()
    if not shares:
        raise ArgumentError(
            "There are too few trials to say what mattered",
            "Let at least four trials end, with more than one setting that varies.",
        )
    axes = axes_for(ax, path, 6.4, 0.9 + 0.4 * len(shares))
    names = list(shares)[::-1]
    bars = axes.barh(
        [n.replace("_", " ") for n in names], [shares[name] for name in names], color=BLUE
    )
    axes.bar_label(bars, [f"{shares[name]:.0%}" for name in names], padding=3)
    axes.set_xlim(0, max(shares.values()) * 1.15)
    frame(axes, "share in the differences between trials")
    return finished(axes, path)


def draw_parallel_coordinates(
    found: SearchResult, path: Path_ = None, *, ax: Axes | None = None
) -> Axes:
    """A line for each whole trial through its settings and its loss; the better, the darker.

    Raises ``ArgumentError`` where no trial has ended with a finite loss.
    """
    trials = [t for t in found.trials if not t.pruned and math.isfinite(t.loss)]
    if not trials:
        raise ArgumentError(
            "No trial has ended with a finite loss", "Try smaller learning rates, or more trials."
        )
    names = [*trials[0].settings, "loss"]
    axes_of = [_Axis(name, [_value(t, name) for t in trials]) for name in names]
    axes = axes_for(ax, path, 1.6 + 1.3 * len(names), 4.2)
    colours = _colours(len(trials))
    for rank in range(len(trials) - 1, -1, -1):  # the best is drawn last, on top
        heights = [axis.heights[rank] for axis in axes_of]
        best = rank == 0
        axes.plot(heights, color=colours[rank], lw=2.5 if best else 1, alpha=1 if best else 0.6)
    for place, axis in enumerate(axes_of):
        axes.axvline(place, color="#444444", lw=0.8)
        for height, text in axis.ticks:
            told = axes.text(place + 0.03, height, text, fontsize=8, va="center")
            told.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1})
    axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_yticks([])
    axes.set_xlim(-0.1, len(names) - 0.5)
    axes.spines[:].set_visible(False)
    return finished(axes, path)


def _value(trial: Trial, name: str) -> Any:
    return trial.loss if name == "loss" else trial.settings[name]


class _Axis:
    """Heights between 0 and 1 of the values of a setting, and what is written beside them."""

    def __init__(self, name: str, values: list[Any]) -> None:
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        if numbers and len(set(values)) > 4:
            scale = np.array(values, float)
            logarithmic = scale.min() > 0 and scale.max() > 10 * scale.min()
            if logarithmic:
                scale = np.log(scale)
            low, high = scale.min(), scale.max()
            self.heights = list((scale - low) / (high - low or 1.0))
            marks = np.linspace(low, high, 4)
            self.ticks = [
                ((m - low) / (high - low or 1.0), f"{math.exp(m) if logarithmic else m:.3g}")
                for m in marks
            ]
            return
        ordered = numbers or all(isinstance(v, tuple) for v in values)
        texts = [shown(v) for v in (sorted(set(values)) if ordered else dict.fromkeys(values))]
        places = {text: (i + 0.5) / len(texts) for i, text in enumerate(texts)}
        self.heights = [places[shown(v)] for v in values]
        self.ticks = [(height, text) for text, height in places.items()]


def _colours(count: int) -> list[tuple[float, float, float]]:
    """From dark blue, for the best, to light grey."""
    dark, light = np.array([0.08, 0.26, 0.50]), np.array([0.84, 0.86, 0.88])
    shares = np.linspace(0, 1, max(count, 2)) ** 0.5
    return [tuple(dark + (light - dark) * s) for s in shares[:count]]
