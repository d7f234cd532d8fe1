"""The picture of a trial of learning rates.

>>> draw_learning_rates(trainer.find_lr((x, y)), "rates.svg")                  # doctest: +SKIP
"""

from __future__ import annotations

import os

from pellucid.insight.pictures import label, new_figure, save_figure
from pellucid.training.trials import LearningRates

_BLUE, _ORANGE, _GREY = "#2b6cb0", "#dd6b20", "#bbbbbb"


def draw_learning_rates(found: LearningRates, path: str | os.PathLike[str]) -> None:
    """The loss over the learning rate (logarithmic), its running mean, and the suggestion."""
    figure = new_figure(6.4, 4.0)
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, color=_GREY, lw=0.8, label=label("loss of each batch")[0])
    axes.plot(found.rates, found.smoothed, color=_BLUE, label=label("running mean")[0])
    if found.suggestion is not None:
        text = label(f"suggestion {found.suggestion:.2g}")[0]
        axes.axvline(found.suggestion, color=_ORANGE, ls="--", label=text)
    low, high = min(found.smoothed), max(found.smoothed[: max(1, len(found.smoothed) // 2)])
    axes.set_ylim(low - 0.1 * (high - low) - 1e-9, high + 0.5 * (high - low) + 1e-9)
    axes.set_xscale("log")
    text, font = label("learning rate")
    axes.set_xlabel(text, font)
    axes.set_ylabel(*label("loss"))
    # A list: a text alone would be read as a pattern, in which a hyphen is a mark.
    family = font.get("fontfamily", "sans-serif")
    families = [family] if isinstance(family, str) else family
    axes.legend(frameon=False, prop={"family": families})
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)
