"""How the values inside a network are spread: by layer, and over the time of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.insight.pictures.canvas import (
    BLUE,
    SERIES,
    Path_,
    axes_for,
    finished,
    frame,
    numbers,
)
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import enable_grad, grad
from pellucid.tensor.creation import as_tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
KINDS = ("weight", "gradient", "activation")
_SHARES = (0.01, 0.25, 0.5, 0.75, 0.99)


def layer_values(
    model: Module,
    features: Any,
    kind: str = "activation",
    loss: Callable[[Any], Any] | None = None,
) -> dict[str, Floats]:
    """All values of one kind by their place in the model, each flat, float64.

    ``kind`` is ``"weight"`` (of every parameter), ``"activation"`` (the output of every layer that
    has no layers inside, on ``features``) or ``"gradient"`` (of ``loss(model(features))``, a
    scalar, to every parameter).  Runs in evaluation mode; the model's own gradients stay.
    """
    if kind not in KINDS:
        raise ArgumentError(f"layer_values got kind={kind!r}", f"Use one of {', '.join(KINDS)}.")
    parameters = dict(model.named_parameters())
    if kind == "weight":
        return {name: numbers(p).ravel().copy() for name, p in parameters.items()}
    if kind == "gradient" and loss is None:
        raise ArgumentError(
            "Gradients need a loss", "Give loss=lambda scores: F.cross_entropy(scores, targets)."
        )
    found: dict[str, Floats] = {}
    handles = [
        module.register_forward_hook(
            lambda m, args, out, path=path: found.update({path: numbers(out).ravel().copy()})
        )
        for path, module in model.named_modules()
        if kind == "activation" and next(module.children(), None) is None
    ]
    try:
        with evaluation(model), enable_grad():
            scores = model(as_tensor(features))
            if loss is not None and kind == "gradient":
                slopes = grad(loss(scores), list(parameters.values()), allow_unused=True)
                found = {
                    name: numbers(slope).ravel()
                    for name, slope in zip(parameters, slopes, strict=True)
                    if slope is not None
                }
    finally:
        for handle in handles:
            handle.remove()
    return found


def draw_values(
    values: Mapping[str, npt.ArrayLike],
    path: Path_ = None,
    *,
    kind: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Histograms above each other, one for each layer, the first at the top, on one scale.

    ``values`` by name, as :func:`layer_values` gives them.  Beside each: the standard deviation
    and, where there are any, the share of zeros.  The scale ends where 99.8 % of all values lie.
    """
    if not values:
        raise ArgumentError("draw_values got no values", "Give at least one array by its name.")
    ax = axes_for(ax, path, 6.5, 0.6 + 0.55 * len(values))
    flat = {name: numbers(v).ravel() for name, v in values.items()}
    whole = np.concatenate([v[np.isfinite(v)] for v in flat.values()])
    low, high = np.quantile(whole, [0.001, 0.999]) if len(whole) else (0.0, 1.0)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, 61)
    middles = (edges[1:] + edges[:-1]) / 2
    for line, (_name, array) in enumerate(flat.items()):
        counts = np.histogram(array[np.isfinite(array)], edges)[0]
        base = len(flat) - 1 - line
        height = 0.9 * counts / max(1, counts.max())
        colour = SERIES[line % len(SERIES)]
        ax.fill_between(middles, base, base + height, step="mid", color=colour, alpha=0.6)
        ax.text(high, base + 0.5, _remark(array), fontsize="x-small", ha="right", va="center")
    ax.set_yticks([len(flat) - 1 - line + 0.3 for line in range(len(flat))], list(flat))
    ax.tick_params(axis="y", length=0, labelsize="small")
    frame(ax, kind or "value", "", title)
    return finished(ax, path)


def _remark(array: Floats) -> str:
    finite = array[np.isfinite(array)]
    text = f"σ {finite.std():.3g}" if len(finite) else ""
    zeros = float((array == 0).mean()) if len(array) else 0.0
    if zeros > 0:
        text += f", 0: {zeros:.0%}"
    if len(finite) < len(array):
        text += f", NaN/∞: {1 - len(finite) / len(array):.1%}"
    return text


def draw_values_over_time(
    moments: Mapping[float, npt.ArrayLike],
    path: Path_ = None,
    *,
    time: str = "epoch",
    kind: str = "value",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """How the values of one layer spread over the time of a training: the median as a line, the
    middle half dark, 98 % of the values light.

    ``moments``: epoch (or step) → values of that moment.
    """
    if not moments:
        raise ArgumentError(
            "draw_values_over_time got no moments", "Give values by their epoch or step."
        )
    ax = axes_for(ax, path, 6.0, 3.6)
    times = sorted(moments)
    bands = np.array([np.nanquantile(numbers(moments[t]), _SHARES) for t in times]).T
    ax.fill_between(times, bands[0], bands[4], color=BLUE, alpha=0.15, linewidth=0)
    ax.fill_between(times, bands[1], bands[3], color=BLUE, alpha=0.35, linewidth=0)
    ax.plot(times, bands[2], color=BLUE)
    frame(ax, time, kind, title)
    return finished(ax, path)
