"""The predictions that were wrong although the network was sure of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.data.preprocessing import ImagePreprocessor
from pellucid.insight.report.charts import image_uri
from pellucid.insight.report.markup import number, safe, table
from pellucid.training.job import RunResult

MOST_IMAGES, MOST_ROWS, MOST_COLUMNS = 16, 10, 8

RowTexts = Callable[[npt.NDArray[np.int64]], tuple[Sequence[str], Sequence[Sequence[str | None]]]]
"""Row numbers of the source → names of columns, and the cells of each row as text."""


def certain_mistakes(result: RunResult, part: str, most: int) -> npt.NDArray[np.int64]:
    """Positions in ``part`` of the worst predictions, worst first.

    Classes: wrong ones by the probability given to the wrong class.  Labels: wrong ones by the
    distance from the truth.  Regression: the largest errors, in deviations of each target.
    """
    predicted = result.predictions[part]
    true = getattr(result.prepared, part).raw_targets
    kind = result.prepared.task.kind
    if kind == "regression":
        scaler = result.prepared.target_scaler
        spread = np.array(scaler.std) if scaler is not None else 1.0
        badness = (np.abs(predicted - true.reshape(predicted.shape)) / spread).max(axis=1)
        return np.argsort(-badness, kind="stable")[:most]
    if kind == "multilabel":
        distance = np.abs(predicted - true).max(axis=1)
        wrong = ((predicted > 0.5) != (true > 0.5)).any(axis=1)
        badness = np.where(wrong, distance, -1.0)
    else:
        both = _class_probabilities(predicted)
        guessed = both.argmax(axis=1)
        badness = np.where(guessed != true, both[np.arange(len(both)), guessed], -1.0)
    order = np.argsort(-badness, kind="stable")
    return order[badness[order] >= 0][:most]


def mistakes_section(result: RunResult, part: str, row_texts: RowTexts | None) -> str:
    """The worst predictions as pictures or rows; a sentence where there are none."""
    images = isinstance(result.prepared.preprocessor, ImagePreprocessor)
    worst = certain_mistakes(result, part, MOST_IMAGES if images else MOST_ROWS)
    if not len(worst):
        return '<p class="note">There are none: every prediction on this part is right.</p>'
    if images:
        return _gallery(result, part, worst)
    return _rows(result, part, worst, row_texts)


def _class_probabilities(predicted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probabilities of all classes, also for binary tasks, which have one column."""
    if predicted.shape[1] > 1:
        return predicted
    return np.concatenate([1 - predicted, predicted], axis=1)


def _gallery(result: RunResult, part: str, worst: npt.NDArray[np.int64]) -> str:
    data = getattr(result.prepared, part)
    shape = result.prepared.image_shape or (1, data.features.shape[1])
    probabilities = _class_probabilities(result.predictions[part])
    names = result.prepared.task.class_names
    figures = []
    for row in worst.tolist():
        pixels = data.features[row].reshape(shape)
        low, high = float(pixels.min()), float(pixels.max())
        picture = image_uri((pixels - low) / (high - low or 1.0))
        true, guessed = int(data.raw_targets[row]), int(probabilities[row].argmax())
        figures.append(
            f'<figure><img alt="image {int(data.indices[row])}" src="{picture}">'
            f"<b>{safe(names[guessed], 20)}</b> {probabilities[row, guessed]:.0%}"
            f'<br><span class="dim">true: {safe(names[true], 20)} '
            f"({probabilities[row, true]:.1%}), row {int(data.indices[row])}</span></figure>"
        )
    return '<div class="gallery">' + "".join(figures) + "</div>"


def _rows(
    result: RunResult, part: str, worst: npt.NDArray[np.int64], row_texts: RowTexts | None
) -> str:
    data = getattr(result.prepared, part)
    indices = data.indices[worst]
    names, cells = _cells(result, data, worst, row_texts)
    heads = ["row", "true", "predicted", *(safe(name, 24) for name in names)]
    lines = []
    for position, row in enumerate(worst.tolist()):
        true, guessed = _outcome(result, part, row)
        shown = ["–" if cell is None else safe(cell, 24) for cell in cells[position]]
        lines.append(
            [str(int(indices[position])), true, f'<span class="strong">{guessed}</span>', *shown]
        )
    return table(heads, lines, numeric_from=99)


def _cells(
    result: RunResult, data: Any, worst: npt.NDArray[np.int64], row_texts: RowTexts | None
) -> tuple[Sequence[str], Sequence[Sequence[str | None]]]:
    """The columns to show: those of the source, or the features where that is not at hand."""
    if row_texts is not None:
        names, cells = row_texts(data.indices[worst])
        used = [i for i, n in enumerate(names) if n not in result.prepared.task.targets]
        kept = used[:MOST_COLUMNS]
        return [names[i] for i in kept], [[line[i] for i in kept] for line in cells]
    names = result.prepared.feature_names[:MOST_COLUMNS]
    return names, [[number(float(v), 3) for v in data.features[row][: len(names)]] for row in worst]


def _outcome(result: RunResult, part: str, row: int) -> tuple[str, str]:
    """True and predicted value of a row as HTML."""
    task = result.prepared.task
    true = getattr(result.prepared, part).raw_targets[row]
    predicted = result.predictions[part][row]
    if task.kind == "regression":
        values = np.atleast_1d(true)
        return (
            ", ".join(number(float(v)) for v in values),
            ", ".join(number(float(v)) for v in predicted),
        )
    names = task.class_names
    if task.kind == "multilabel":
        off = np.flatnonzero((predicted > 0.5) != (true > 0.5))[:3]
        right = ", ".join(f"{safe(names[i], 20)} = {int(true[i])}" for i in off)
        return right, ", ".join(f"{safe(names[i], 20)} ({predicted[i]:.0%})" for i in off)
    both = _class_probabilities(predicted[None])[0]
    guessed = int(both.argmax())
    return safe(names[int(true)], 24), f"{safe(names[guessed], 24)} ({both[guessed]:.0%})"
