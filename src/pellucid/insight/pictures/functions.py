"""Functions of one number with their derivatives, and the regions a model draws in the plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.dtypes import float64
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.insight.pictures.canvas import (
    BLUE,
    GREY,
    ORANGE,
    Path_,
    axes_for,
    finished,
    frame,
    legend,
    numbers,
    words,
)
from pellucid.tensor.autograd import enable_grad, grad, no_grad
from pellucid.tensor.creation import as_tensor, linspace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Predict = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Curve:
    """A function at ``x``: its values and its derivative there, each float64 (points,)."""

    x: Floats
    value: Floats
    derivative: Floats


def sample_function(
    function: Callable[[Any], Any], low: float = -10.0, high: float = 10.0, points: int = 100
) -> Curve:
    """A function of one number at ``points`` evenly spaced places, with its derivative.

    ``function`` maps a float64 tensor (points,) to one of that shape, element by element; the
    derivative is autograd's, so at a kink it is the one that training uses.  Raises
    ``ShapeError`` for another shape and ``ArgumentError`` for values that depend on the other
    elements, as softmax's do: they have no curve.
    """
    if not low < high or points < 2:
        raise ArgumentError(
            f"A picture from {low:g} to {high:g} with {points} points has nothing to show",
            "Use low < high and at least 2 points.",
        )
    x = linspace(low, high, points, dtype=float64).requires_grad_()
    with enable_grad():
        value = function(x)
        if tuple(value.shape) != (points,):
            raise ShapeError(
                f"The function made {tuple(value.shape)} of ({points},)",
                "Give a function that works element by element.",
            )
        _check_elementwise(function, x.detach(), value.detach())
        slope = grad(value.sum(), x)[0] if value.requires_grad else x.detach() * 0
    return Curve(*(np.array(t.detach().numpy()) for t in (x, value, slope)))


def _check_elementwise(function: Callable[[Any], Any], x: Any, value: Any) -> None:
    """Raise unless each value depends on its own place alone: a part gives the same values."""
    with no_grad():
        part = function(x[: len(x) // 2])
    expected = np.asarray(value.numpy())[: len(x) // 2]
    found = np.asarray(part.detach().numpy())
    if found.shape != expected.shape or not np.allclose(
        found, expected, rtol=1e-9, atol=1e-12, equal_nan=True
    ):
        raise ArgumentError(
            "The function does not work element by element: half of the places give other values",
            "Draw functions of one number; softmax, normalization and dropout are none.",
        )


def draw_function(
    function: Callable[[Any], Any],
    path: Path_ = None,
    low: float = -10.0,
    high: float = 10.0,
    points: int = 100,
    title: str = "",
    *,
    ax: Axes | None = None,
) -> Axes:
    """A function of one number (blue) and its derivative (orange) over ``low`` … ``high``.

    The values are those of :func:`sample_function`, which raises for what is no such function.

    >>> draw_function(F.gelu, "gelu.svg", title="GELU")                        # doctest: +SKIP
    """
    ax = axes_for(ax, path, 5.0, 3.6)
    curve = sample_function(function, low, high, points)
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.axvline(0, color=GREY, linewidth=0.6)
    ax.plot(curve.x, curve.value, color=BLUE, label=words("value"))
    ax.plot(curve.x, curve.derivative, color=ORANGE, linestyle="--", label=words("derivative"))
    frame(ax, "x", "", title)
    legend(ax)
    return finished(ax, path)


# ---- regions -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Regions:
    """A model's answers on a grid over the plane.

    ``x`` and ``y`` are the grid's coordinates, (resolution,) each; ``answers`` (resolution,
    resolution) go up with the second feature: the class, or the value of a regression;
    ``confidence`` of the same shape: the probability of the class that is answered (softmax, or
    sigmoid for one score), None for a regression.
    """

    x: Floats
    y: Floats
    answers: Floats
    confidence: Floats | None


def decision_regions(
    predict: Predict, features: npt.ArrayLike, targets: npt.ArrayLike, resolution: int = 100
) -> Regions:
    """What a model answers all over the plane that ``features`` (rows, 2) lie in.

    ``targets`` (rows,) or (rows, 1).  ``predict`` takes a float32 tensor (n, 2) and gives scores
    (n, outputs): with one output its sign is the class (or, where targets are not whole numbers,
    its value the answer), with several the largest.  ``ShapeError`` for features without exactly
    two columns.
    """
    points, wanted = _plane(features, targets)
    margin = 0.05 * (np.ptp(points, axis=0) + 1e-9)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    x, y = (np.linspace(low[axis], high[axis], resolution) for axis in (0, 1))
    places = np.stack([m.ravel() for m in np.meshgrid(x, y)], axis=1).astype(np.float32)
    with no_grad():
        scores = numbers(predict(as_tensor(places))).reshape(len(places), -1)
    answers, confidence = _answers(scores, wanted)
    shape = (resolution, resolution)
    return Regions(
        x, y, answers.reshape(shape), None if confidence is None else confidence.reshape(shape)
    )


def _plane(features: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats]:
    points = np.asarray(features, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ShapeError(
            f"draw_decision got features {points.shape}", "Give points (rows, 2): it is a map."
        )
    return points, np.asarray(targets, np.float64).reshape(len(points), -1)[:, 0]


def _answers(scores: Floats, targets: Floats) -> tuple[Floats, Floats | None]:
    """Class numbers from scores with their probabilities, or the scores of a regression."""
    if scores.shape[1] > 1:
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores.argmax(axis=1).astype(np.float64), 1 / shifted.sum(axis=1)
    if np.all(targets == np.round(targets)):
        score = scores[:, 0]
        return (score > 0).astype(np.float64), 1 / (1 + np.exp(-np.abs(score)))
    return scores[:, 0], None


def draw_decision(
    predict: Predict,
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    path: Path_ = None,
    resolution: int = 100,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """What a model answers all over the plane, with the data points upon it.

    Colours tell the class; where the model is unsure they fade into white.  A regression is
    shown by its value, with a scale beside it.  Arguments are those of :func:`decision_regions`.
    """
    ax = axes_for(ax, path, 5.0, 5.0)
    regions = decision_regions(predict, features, targets, resolution)
    points, wanted = _plane(features, targets)
    low = min(regions.answers.min(), wanted.min())
    high = max(regions.answers.max(), wanted.max())
    shared: dict[str, Any] = {"cmap": "RdYlBu", "vmin": low, "vmax": high}
    certain: Any = 0.5
    if regions.confidence is not None:
        classes = max(2, len(np.unique(wanted)))
        certain = 0.08 + 0.52 * (regions.confidence - 1 / classes) / (1 - 1 / classes)
        certain = np.clip(certain, 0.08, 0.6)
    image = ax.imshow(
        regions.answers,
        origin="lower",
        extent=(regions.x[0], regions.x[-1], regions.y[0], regions.y[-1]),
        alpha=certain,
        aspect="auto",
        **shared,
    )
    dots: dict[str, Any] = {"s": 12, "edgecolors": "black", "linewidths": 0.4}
    ax.scatter(points[:, 0], points[:, 1], c=wanted, **dots, **shared)
    if regions.confidence is None and ax.figure is not None:
        ax.figure.colorbar(image, ax=ax)
    frame(ax, "x1", "x2", title)
    return finished(ax, path)


def draw_decisions(
    predictors: Mapping[str, Predict],
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    path: Path_ = None,
    resolution: int = 60,
    *,
    axes: Sequence[Axes] | None = None,
) -> list[Axes]:
    """The regions of several models, or of one model at several moments of its training, side by
    side under the names given.

    >>> seen = {}                                                              # doctest: +SKIP
    >>> for epoch in range(1, 101):                                            # doctest: +SKIP
    ...     train_one_epoch(model)
    ...     if epoch in (1, 10, 100):
    ...         seen[f"epoch {epoch}"] = copy.deepcopy(model)
    >>> draw_decisions(seen, x, y, "training.png")                             # doctest: +SKIP

    ``axes``: one for each, or None for a new figure.  Returns the axes.
    """
    if not predictors:
        raise ArgumentError("draw_decisions got no models", "Give at least one by its name.")
    panels = panels_for(axes, len(predictors), path, 3.2, 3.2)
    for panel, (name, predict) in zip(panels, predictors.items(), strict=True):
        draw_decision(predict, features, targets, None, resolution, title=name, ax=panel)
    finished(panels[0], path)
    return panels


def panels_for(
    axes: Sequence[Axes] | None, count: int, path: Path_, width: float, height: float
) -> list[Axes]:
    """``count`` axes: those given, or those of a new figure, at most four beside each other."""
    if axes is not None:
        given = list(np.ravel(np.asarray(axes, dtype=object)))
        if len(given) != count:
            raise ArgumentError(
                f"There are {count} pictures and {len(given)} axes", "Give one for each."
            )
        return given
    columns = min(count, 4)
    lines = -(-count // columns)
    first = axes_for(None, path, width * columns, height * lines)
    figure: Any = first.figure
    first.remove()
    return [figure.add_subplot(lines, columns, place + 1) for place in range(count)]
