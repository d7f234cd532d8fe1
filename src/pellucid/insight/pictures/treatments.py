"""Pictures of treatments: patched and unpatched trainings side by side."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.insight.pictures.canvas import BLUE, GREY, axes_for, finished, frame, legend, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_treatment(
    treatment: Any, path: str | os.PathLike[str] | None = None, *, trial: int = 0, ax: Any = None
) -> Axes:
    """The curves of one ``trial`` of a :class:`pellucid.insight.doctor.treating.Treatment`: each
    seed as a thin line, the mean of the seeds as a thick one, without and with the patch; dashed
    the long training with all patches that short ones had kept, this one among them."""
    found = treatment.trials[trial]
    axes = axes_for(ax, path, 6.4, 4.0)
    for curves, colour, name in (
        (found.unpatched, GREY, "without"),
        (found.patched, BLUE, "with the patch"),
    ):
        for curve in curves:
            axes.plot(*zip(*curve, strict=True), color=colour, alpha=0.35, linewidth=0.8)
        whole = [curve for curve in curves if len(curve) == max(map(len, curves))]
        if whole:
            mean = np.mean(whole, axis=0)
            axes.plot(mean[:, 0], mean[:, 1], color=colour, linewidth=2.0, label=words(name))
    check = treatment.check
    if check is not None and found.patch in check.patches:
        for curve, colour in ((check.unpatched, GREY), (check.patched, BLUE)):
            axes.plot(*zip(*curve, strict=True), color=colour, linewidth=1.2, linestyle="--")
    frame(axes, "step", treatment.score, found.patch.text)
    legend(axes)
    return finished(axes, path)
