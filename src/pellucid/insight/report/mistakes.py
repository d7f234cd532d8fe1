"""The predictions that were wrong although the network was sure of them."""

from __future__ import annotations

import math

import numpy as np

from pellucid.data.image_preprocessing import ImagePreprocessor
from pellucid.insight.report.charts import image_uri
from pellucid.insight.report.markup import number, safe, table
from pellucid.training.mistakes import class_probabilities
from pellucid.training.stored_run import Predictions, Shown, StoredRun

MOST_IMAGES, MOST_ROWS, MOST_COLUMNS = 16, 10, 8


def mistakes_section(run: StoredRun) -> str:
    """The worst predictions as pictures or rows; a sentence where there are none."""
    if run.predictions is None or run.shown is None:
        return ""
    if not len(run.shown.positions):
        return '<p class="note">There are none: every prediction on this part is right.</p>'
    if isinstance(run.saved.preprocessor, ImagePreprocessor):
        return _gallery(run, run.predictions, run.shown)
    return _rows(run, run.predictions, run.shown)


def _gallery(run: StoredRun, predictions: Predictions, shown: Shown) -> str:
    shape = run.saved.row_shape
    if shown.features is None or shown.features.shape[1:] != (math.prod(shape),):
        return ""
    probabilities = class_probabilities(predictions.predicted)
    names = run.saved.task.class_names
    pictures = []
    chosen = zip(shown.positions.tolist()[:MOST_IMAGES], shown.features, strict=False)
    for position, features in chosen:
        pixels = features.reshape(shape)
        low, high = float(pixels.min()), float(pixels.max())
        picture = image_uri((pixels - low) / (high - low or 1.0))
        true, guessed = int(predictions.true[position]), int(probabilities[position].argmax())
        row = int(predictions.rows[position])
        pictures.append(
            f'<figure><img alt="image {row}" src="{picture}">'
            f"<b>{safe(names[guessed], 20)}</b> {probabilities[position, guessed]:.0%}"
            f'<br><span class="dim">true: {safe(names[true], 20)} '
            f"({probabilities[position, true]:.1%}), row {row}</span></figure>"
        )
    return '<div class="gallery">' + "".join(pictures) + "</div>"


def _rows(run: StoredRun, predictions: Predictions, shown: Shown) -> str:
    names = shown.columns[:MOST_COLUMNS]
    heads = ["row", "true", "predicted", *(safe(name, 24) for name in names)]
    lines = []
    for position, cells in zip(shown.positions.tolist()[:MOST_ROWS], shown.cells, strict=False):
        true, guessed = _outcome(run, predictions, position)
        texts = ["–" if cell is None else safe(cell, 24) for cell in cells[: len(names)]]
        row = str(int(predictions.rows[position]))
        lines.append([row, true, f'<span class="strong">{guessed}</span>', *texts])
    return table(heads, lines, numeric_from=99)


def _outcome(run: StoredRun, predictions: Predictions, position: int) -> tuple[str, str]:
    """True and predicted value of a row as HTML."""
    task = run.saved.task
    true, predicted = predictions.true[position], predictions.predicted[position]
    if task.kind == "regression":
        values = np.atleast_1d(true)
        return (
            ", ".join(number(float(v)) for v in values),
            ", ".join(number(float(v)) for v in predicted),
        )
    names = task.class_names
    if task.kind == "multilabel":
        right = np.atleast_1d(true)
        off = np.flatnonzero((predicted > 0.5) != (right > 0.5))[:3]
        text = ", ".join(f"{safe(names[i], 20)} = {int(right[i])}" for i in off)
        return text, ", ".join(f"{safe(names[i], 20)} ({predicted[i]:.0%})" for i in off)
    both = class_probabilities(predicted[None])[0]
    guessed = int(both.argmax())
    return safe(names[int(true)], 24), f"{safe(names[guessed], 24)} ({both[guessed]:.0%})"
