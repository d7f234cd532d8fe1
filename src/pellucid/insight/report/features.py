"""What a convolutional network looks for in images, and where it finds it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pellucid.insight.features import convolutions, feature_maps, filters
from pellucid.insight.report.charts import image_uri
from pellucid.insight.report.markup import safe, said
from pellucid.training.stored_run import StoredRun

MOST_FILTERS, MOST_MAPS = 32, 16


def features_section(run: StoredRun) -> str:
    """The first layer's filters, and each layer's feature maps of one image of the part that is
    shown; empty for networks without convolutions."""
    if run.model is None or not convolutions(run.model):
        return ""
    first = filters(run.model)
    body = f"<h3>Filters of the first layer ({min(len(first), MOST_FILTERS)} of {len(first)})</h3>"
    largest = float(np.abs(first).max()) or 1.0
    pictures = [0.5 + 0.5 * kernel.mean(axis=0) / largest for kernel in first[:MOST_FILTERS]]
    body += _gallery(pictures, "filter")
    shown, predictions = run.shown, run.predictions
    if shown is None or shown.first is None or predictions is None:
        return body
    pixels, shape = shown.first, run.saved.row_shape
    if pixels.shape != (math.prod(shape),):
        return body
    body += f"<h3>Image {int(predictions.rows[0])} of the {said(shown.part)} part</h3>"
    body += _gallery([_stretched(pixels.reshape(shape))], "image")
    for path, maps in feature_maps(run.model, pixels).items():
        strongest = np.argsort(-maps.clip(0).mean(axis=(1, 2)), kind="stable")[:MOST_MAPS]
        body += f"<h3>Layer {safe(path)}: {len(strongest)} of {len(maps)} feature maps</h3>"
        top = float(maps.max()) or 1.0
        body += _gallery([maps[i] / top for i in sorted(strongest.tolist())], f"layer {safe(path)}")
    return body


def _stretched(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    low, high = float(pixels.min()), float(pixels.max())
    return np.asarray((pixels - low) / (high - low or 1.0), np.float64)


def _gallery(pictures: list[npt.NDArray[np.float64]], name: str) -> str:
    figures = "".join(
        f'<figure><img alt="{name} {number}" src="{image_uri(picture)}"></figure>'
        for number, picture in enumerate(pictures)
    )
    return f'<div class="gallery tight">{figures}</div>'
