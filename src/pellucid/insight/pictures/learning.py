"""How a training went, what a model confuses, what more data or a larger network would bring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

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
from pellucid.training.metrics import counted_pairs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.training.history import History
    from pellucid.training.trials import LearningRates

Floats = npt.NDArray[np.float64]


def draw_history(
    history: History,
    path: Path_ = None,
    *,
    baseline: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Training and validation loss over the epochs, the best epoch, and a baseline to beat.

    The training loss is the one measured in evaluation mode where there is one, since that alone
    may be compared with the validation loss; otherwise the mean over the epoch.
    """
    if not len(history):
        raise ArgumentError("The history has no epoch yet", "Train first: trainer.fit(...).")
    ax = axes_for(ax, path, 6.0, 3.8)
    epochs = history["epoch"]
    measured = all(v is not None for v in history["train_loss"])
    train = history["train_loss"] if measured else history["loss"]
    mark = "o" if len(epochs) == 1 else None
    ax.plot(epochs, train, color=BLUE, marker=mark, label=words("training"))
    validation = [np.nan if v is None else v for v in history["validation_loss"]]
    if not np.all(np.isnan(validation)):
        ax.plot(epochs, validation, color=ORANGE, marker=mark, label=words("validation"))
    if baseline is not None:
        ax.axhline(baseline, color=GREY, linestyle=":", label=words("baseline"))
    if history.best_epoch and not np.all(np.isnan(validation)):
        ax.axvline(history.best_epoch, color=GREY, linewidth=0.8, label=words("best epoch"))
    frame(ax, "epoch", "loss", title)
    legend(ax)
    return finished(ax, path)


def draw_learning_rates(
    found: LearningRates, path: Path_ = None, *, ax: Axes | None = None
) -> Axes:
    """The loss over the learning rate (logarithmic), its running mean, and the suggestion: what
    ``trainer.find_lr`` found.

    >>> draw_learning_rates(trainer.find_lr((x, y)), "rates.svg")              # doctest: +SKIP
    """
    ax = axes_for(ax, path, 6.4, 4.0)
    ax.plot(found.rates, found.losses, color="#bbbbbb", lw=0.8, label=words("loss of each batch"))
    ax.plot(found.rates, found.smoothed, color=BLUE, label=words("running mean"))
    if found.suggestion is not None:
        text = words(f"suggestion {found.suggestion:.2g}")
        ax.axvline(found.suggestion, color=ORANGE, ls="--", label=text)
    low, high = min(found.smoothed), max(found.smoothed[: max(1, len(found.smoothed) // 2)])
    ax.set_ylim(low - 0.1 * (high - low) - 1e-9, high + 0.5 * (high - low) + 1e-9)
    ax.set_xscale("log")
    frame(ax, "learning rate", "loss")
    legend(ax)
    return finished(ax, path)


# ---- classes -----------------------------------------------------------------------------------


def confusion_matrix(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, classes: int | None = None
) -> npt.NDArray[np.int64]:
    """Rows of each true class (line) by the class that was predicted (column), int64."""
    lines, columns = (np.asarray(numbers(v), np.int64).ravel() for v in (truth, predicted))
    if lines.shape != columns.shape or not len(lines):
        raise ShapeError(
            f"There are {len(lines)} true classes and {len(columns)} predicted ones",
            "Give one of each for every row.",
        )
    lowest = int(min(lines.min(), columns.min()))
    size = max(int(max(lines.max(), columns.max())) + 1, classes or 0)
    if lowest < 0:
        raise ArgumentError(f"Class {lowest} is below 0", "Number classes from 0.")
    return counted_pairs(lines, columns, size)


def draw_confusion(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    names: Sequence[str] = (),
    path: Path_ = None,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """What a model takes for what: true classes downwards, predicted ones across, counts inside.

    Colours are shares of each line, so that rare classes show as well as frequent ones.
    """
    counts = confusion_matrix(truth, predicted, len(names) or None)
    shown = [str(i) for i in range(len(counts))] if not names else list(map(str, names))
    if len(shown) != len(counts):
        raise ArgumentError(
            f"There are {len(counts)} classes and {len(shown)} names", "Give a name for each."
        )
    side = 1.6 + 0.45 * len(counts)
    ax = axes_for(ax, path, max(3.2, side), max(3.0, side))
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (line, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if share[line, column] > 0.55 else "black"
            ax.text(column, line, f"{count:,}", ha="center", va="center", color=colour,
                    fontsize="small")  # fmt: skip
    ax.set_xticks(range(len(shown)), shown, rotation=45 if max(map(len, shown)) > 3 else 0)
    ax.set_yticks(range(len(shown)), shown)
    frame(ax, "predicted", "true", title)
    return finished(ax, path)


# ---- learning curves ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Scores over something that was varied: ``along`` (points,); ``train`` and ``test``, each
    (points, repeats)."""

    along: Floats
    train: Floats
    test: Floats


def learning_curve(
    train_and_score: Callable[[Any, int], tuple[float, float]],
    along: Iterable[float],
    repeats: int = 3,
) -> LearningCurve:
    """Scores for each of ``along`` (rows of data, layers, units, …), ``repeats`` times each.

    ``train_and_score(value, seed)`` trains anew and returns (training score, test score).

    >>> curve = learning_curve(lambda n, seed: (1.0, 1 - 1 / n), [10, 100], repeats=2)
    >>> curve.test.mean(axis=1).tolist()
    [0.9, 0.99]
    """
    values = list(along)
    if not values or repeats < 1:
        raise ArgumentError(
            f"learning_curve got {len(values)} values and {repeats} repeats",
            "Give at least one of each.",
        )
    scores = np.array(
        [[train_and_score(value, seed) for seed in range(repeats)] for value in values], np.float64
    )
    return LearningCurve(np.array(values, np.float64), scores[..., 0], scores[..., 1])


def draw_learning_curve(
    curve: LearningCurve,
    path: Path_ = None,
    *,
    along: str = "rows of data",
    score: str = "accuracy",
    logarithmic: bool | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Training and test score over the size of the data, the depth or the width (see
    :func:`learning_curve`): means as lines, one standard deviation as bands.

    ``logarithmic``: the scale across; by default where the largest is at least 20 times the
    smallest.
    """
    ax = axes_for(ax, path, 5.6, 3.8)
    x = curve.along
    for scores, colour, name in ((curve.train, BLUE, "training"), (curve.test, ORANGE, "test")):
        mean, deviation = scores.mean(axis=1), scores.std(axis=1)
        ax.plot(x, mean, color=colour, marker="o", markersize=4, label=words(name))
        ax.fill_between(x, mean - deviation, mean + deviation, color=colour, alpha=0.15)
    if logarithmic or (logarithmic is None and x.min() > 0 and x.max() >= 20 * x.min()):
        ax.set_xscale("log")
    frame(ax, along, score, title)
    legend(ax)
    return finished(ax, path)
