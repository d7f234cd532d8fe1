"""Rows of features as columns that can be compared, whatever shape they have.

Equal waves with another phase, and equal shapes at another place, are far apart value by value:
series and pictures are therefore also looked at by what small random filters answer anywhere in
them, and texts by how often each word occurs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

FILTERS = 24
WORDS = 256
SIZES = {3: (3, 7), 4: (3,)}
"""Axes of the features → widths of the filters."""


def views(features: Array) -> Iterator[Array]:
    """The features as (rows, columns), first value by value, then by what occurs anywhere."""
    if features.dtype.kind == "f":
        yield features.reshape(len(features), -1)
        if features.ndim in SIZES:
            yield by_filters(features)
            if features.ndim == 3:
                yield np.abs(np.fft.rfft(features.astype(np.float64), axis=_time(features)))[
                    :, :64
                ].reshape(len(features), -1)
    elif features.dtype.kind in "iu" and features.ndim == 2 and 0 <= features.min():
        if features.max() < WORDS:
            yield word_counts(features)
            if features.shape[1] * (int(features.max()) + 1) <= WORDS:
                flat = features[..., None] == np.arange(int(features.max()) + 1)
                yield flat.reshape(len(features), -1).astype(np.float64)


def _time(features: Array) -> int:
    """The axis of the steps: the longer one."""
    return 1 if features.shape[1] >= features.shape[2] else 2


def word_counts(features: Array) -> Array:
    """How often each number occurs in a row."""
    return np.stack([(features == w).sum(1) for w in range(int(features.max()) + 1)], 1).astype(
        np.float64
    )


def by_filters(features: Array) -> Array:
    """Mean and largest answers of random filters over all places: columns that do not change when
    what is seen moves (Rahimi and Recht, 2008; Saxe and others, 2011, of random filters)."""
    x = features.astype(np.float64)
    if x.ndim == 3 and _time(features) == 1:
        x = np.swapaxes(x, 1, 2)
    spread = x.std() or 1.0
    x = (x - x.mean()) / spread
    random = np.random.default_rng(0)
    found = []
    for size in SIZES[features.ndim]:
        axes = tuple(range(2, x.ndim))
        if min(x.shape[a] for a in axes) < size:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(x, (size,) * len(axes), axis=axes)
        inner = tuple(range(windows.ndim - len(axes), windows.ndim))
        filters = random.normal(size=(FILTERS, x.shape[1], *(size,) * len(axes)))
        filters -= filters.mean(axis=tuple(range(1, filters.ndim)), keepdims=True)
        answers = np.tensordot(windows, filters, ((1, *inner), tuple(range(1, filters.ndim))))
        places = tuple(range(1, answers.ndim - 1))
        found += [np.maximum(answers, 0).mean(places), answers.max(places), answers.std(places)]
    return np.concatenate(found, 1) if found else x.reshape(len(x), -1)
