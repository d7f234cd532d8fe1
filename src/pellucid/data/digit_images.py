"""Handwritten digits as images, for networks that are built in Python."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError
from pellucid.data.picture_sources import pictures_of

Labelled = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Images (N, 1, height, width) with values from 0 to 1, and their classes (N,)."""

_HELD = 297


def digit_images(source: str | os.PathLike[str] = "digits") -> tuple[Labelled, Labelled]:
    """Grey images to learn from and to test on, each with their classes.

    ``source`` is ``"digits"``, the 8×8 digits that come with Pellucid (1,500 and 297 of them), or a
    folder of idx files, such as MNIST's (60,000 and 10,000 of 28×28).  Images are float32
    (N, 1, height, width) with values from 0 to 1, classes int64 (N,).  Raises ``DataError`` for a
    source without grey images, labels, or a test part; ``FileError`` where there is nothing.

    >>> (images, classes), (test_images, test_classes) = digit_images()
    >>> images.shape, test_classes.shape
    ((1500, 1, 8, 8), (297,))
    """
    pictures = pictures_of(source)
    if pictures is None or pictures.labels is None or pictures.images.ndim != 3:
        raise DataError(
            f"{source} holds no grey images with labels",
            'Name a folder of idx files, as MNIST has, or "digits".',
        )
    scale = np.float32(pictures.maximum)
    labels: Any = np.asarray(pictures.labels.values).astype(np.int64)
    held = pictures.part == 2
    order = np.arange(len(labels))
    if source == "digits":  # in an order of its own: neighbours are of one writer
        order = np.random.default_rng(0).permutation(len(labels))
        held = np.arange(len(labels)) >= len(labels) - _HELD
    if not held.any():
        raise DataError(f"{source} has no test images", "Put the files of the test part there.")

    def part(rows: npt.NDArray[np.int64]) -> Labelled:
        return pictures.images[rows, None].astype(np.float32) / scale, labels[rows]

    return part(order[~held]), part(order[held])
