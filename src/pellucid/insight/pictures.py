"""Pictures of functions with their derivatives, of the regions a classifier draws, and of what a
convolutional network looks for and finds.

Files are written by matplotlib, without a window: SVG or PNG by the name's ending.

>>> curve = draw_function(F.relu, "relu.svg", title="ReLU")                    # doctest: +SKIP
>>> draw_decision(trainer.predict, x, y, "regions.png")                        # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.dtypes import float64
from pellucid.base.errors import ArgumentError, FileError, ShapeError
from pellucid.base.extras import needs
from pellucid.base.language import translated
from pellucid.insight.features import feature_maps, filters
from pellucid.nn.module import Module
from pellucid.tensor.autograd import enable_grad, grad, no_grad
from pellucid.tensor.creation import as_tensor, linspace
from pellucid.tensor.tensor import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".png")
_BLUE, _ORANGE, _GREY = "#2b6cb0", "#dd6b20", "#888888"
_CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
)


@dataclass(frozen=True, eq=False)
class Curve:
    """A function at ``x``: its values and its derivative there, each float64 (points,)."""

    x: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]
    derivative: npt.NDArray[np.float64]


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
    path: str | os.PathLike[str],
    low: float = -10.0,
    high: float = 10.0,
    points: int = 100,
    title: str = "",
) -> Curve:
    """Draws a function of one number and its derivative beside each other into a file, and
    returns what was drawn (see ``sample_function``)."""
    curve = sample_function(function, low, high, points)
    figure = new_figure(8.0, 3.2)
    for place, (values, name, colour) in enumerate(
        ((curve.value, "value", _BLUE), (curve.derivative, "derivative", _ORANGE)), start=1
    ):
        axes = figure.add_subplot(1, 2, place)
        axes.axhline(0, color=_GREY, linewidth=0.6)
        axes.axvline(0, color=_GREY, linewidth=0.6)
        axes.plot(curve.x, values, color=colour)
        axes.set_title(f"{title}: {name}" if title else name)
        axes.set_xlabel("x")
    save_figure(figure, path)
    return curve


def draw_decision(
    predict: Callable[[Any], Any],
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    path: str | os.PathLike[str],
    resolution: int = 100,
) -> npt.NDArray[np.float64]:
    """Draws what a model answers all over the plane, with the data points upon it, into a file.

    ``features`` (rows, 2), ``targets`` (rows,) or (rows, 1).  ``predict`` takes a float32 tensor
    (n, 2) and gives scores (n, outputs): with one output its sign is the class (or, where targets
    are not whole numbers, its value the answer), with several the largest.  Returns the answers on
    the grid, (resolution, resolution), from the lower left; rows go up with the second feature.
    """
    points = np.asarray(features, np.float64)
    wanted = np.asarray(targets).reshape(len(points), -1)[:, 0]
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ShapeError(
            f"draw_decision got features {points.shape}", "Give points (rows, 2): it is a map."
        )
    margin = 0.05 * (np.ptp(points, axis=0) + 1e-9)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    grid = [np.linspace(low[axis], high[axis], resolution) for axis in (0, 1)]
    places = np.stack([m.ravel() for m in np.meshgrid(*grid)], axis=1).astype(np.float32)
    with no_grad():
        scores = predict(as_tensor(places))
    scores = np.asarray(scores.numpy() if hasattr(scores, "numpy") else scores, np.float64)
    answers = _answers(scores.reshape(len(places), -1), wanted).reshape(resolution, resolution)
    figure = new_figure(5.0, 5.0)
    axes = figure.add_subplot(1, 1, 1)
    bounds = (min(answers.min(), wanted.min()), max(answers.max(), wanted.max()))
    shared: dict[str, Any] = {"cmap": "RdYlBu", "vmin": bounds[0], "vmax": bounds[1]}
    axes.imshow(
        answers, origin="lower", extent=(low[0], high[0], low[1], high[1]), alpha=0.5, **shared
    )
    dots: dict[str, Any] = {"s": 12, "edgecolors": "black", "linewidths": 0.4}
    axes.scatter(points[:, 0], points[:, 1], c=wanted, **dots, **shared)
    axes.set_xlabel("x1")
    axes.set_ylabel("x2")
    axes.set_aspect("auto")
    save_figure(figure, path)
    return answers


def draw_filters(
    model: Module, path: str | os.PathLike[str], layer: str | None = None, most: int = 64
) -> npt.NDArray[np.float64]:
    """Draws the filters of a convolution (the model's first, or the one at ``layer``) into a file
    and returns them, (outputs, inputs, height, width).

    A filter with three inputs is drawn in colour, one with another number as the mean over its
    inputs: white counts for what it looks for, black against it.
    """
    found = filters(model, layer)
    largest = float(np.abs(found).max()) or 1.0
    shown = 0.5 + 0.5 * found[:most] / largest
    colour = found.shape[1] == 3
    pictures = [p.transpose(1, 2, 0) if colour else p.mean(axis=0) for p in shown]
    figure = new_figure(6.0, 0.3 + 0.75 * -(-len(pictures) // 8))
    _tiles(figure, pictures, 8, (0.0, 1.0))
    save_figure(figure, path)
    return found


def draw_feature_maps(
    model: Module, image: npt.ArrayLike | Tensor, path: str | os.PathLike[str], most: int = 8
) -> dict[str, npt.NDArray[np.float64]]:
    """Draws what each convolution makes of an image, one row a layer, into a file, and returns
    the maps by the layers' paths (see ``pellucid.insight.features.feature_maps``).

    ``image`` is one input without its batch axis.  A row shows the ``most`` channels that answer
    most; light is where a channel found what it looks for.
    """
    maps = feature_maps(model, image)
    figure = new_figure(6.0, 0.2 + 0.95 * len(maps))
    rows = figure.subfigures(len(maps), 1, squeeze=False)[:, 0]
    for part, (name, channels) in zip(rows, maps.items(), strict=True):
        strongest = np.argsort(-channels.clip(0).mean(axis=(1, 2)), kind="stable")[:most]
        pictures = [channels[i] for i in sorted(strongest.tolist())]
        part.suptitle(name, fontsize=8)
        _tiles(part, pictures, most, (0.0, float(channels.max()) or 1.0))
    save_figure(figure, path)
    return maps


def _tiles(figure: Any, pictures: list[Any], columns: int, limits: tuple[float, float]) -> None:
    """Pictures without axes, ``columns`` beside each other, on one scale of grey."""
    lines = -(-len(pictures) // columns)
    for place, picture in enumerate(pictures, start=1):
        axes = figure.add_subplot(lines, columns, place)
        axes.imshow(picture, cmap="gray", vmin=limits[0], vmax=limits[1])
        axes.set_axis_off()


def _answers(scores: npt.NDArray[np.float64], targets: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Class numbers from scores, or the scores of a regression."""
    if scores.shape[1] > 1:
        return np.asarray(scores.argmax(axis=1), np.float64)
    if np.all(targets == np.round(targets)):
        return (scores[:, 0] > 0).astype(np.float64)
    return np.asarray(scores[:, 0])


def new_figure(width: float, height: float) -> Figure:
    """A figure of matplotlib of this size in inches, without a window."""
    with needs("plot", "Drawing"):
        from matplotlib import figure

    return figure.Figure(figsize=(width, height), layout="constrained")


def label(text: str) -> tuple[str, dict[str, Any]]:
    """A text in the user's language, and its font; English where no font has the characters."""
    told = translated(text)
    if told.isascii():
        return text, {}
    with needs("plot", "Drawing"):
        from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    font = next((name for name in _CHINESE_FONTS if name in known), "")
    return (told, {"fontfamily": [font, "sans-serif"]}) if font else (text, {})


def save_figure(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a figure as SVG or PNG, by the name's ending.

    Raises ``ArgumentError`` for another ending, ``FileError`` where it cannot be written.
    """
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise ArgumentError(
            f"{file.name!r} does not end in one of {', '.join(SUFFIXES)}", "Name the file so."
        )
    try:
        figure.savefig(file, dpi=120, metadata={"Date": None} if file.suffix == ".svg" else None)
    except OSError as error:
        raise FileError(
            f"The picture cannot be written to {file}: {error.strerror or error}",
            "Choose a folder that exists and may be written to.",
        ) from None
