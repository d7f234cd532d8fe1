"""What the targets ask for, read from their values, the outputs and the loss.

Everything that is said of the end of a network depends on it: only with the task known can a
last activation, a loss or a number of outputs be called wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

CLASSES = ("class index", "one-hot", "soft labels", "binary", "multi-hot", "sequence of classes")
"""Kinds that ask for classes; the others ask for numbers."""

PADDING = -100
"""Class number that the losses leave out unless told otherwise (``ignore_index``)."""

FEW_VALUES = 20
"""Numbers with at most so many different whole values may be class numbers."""


@dataclass(frozen=True)
class Task:
    """What the targets are.

    ``kind``: ``class index`` (n,), ``sequence of classes`` (n, length …), ``one-hot``,
    ``multi-hot`` and ``soft labels`` (n, classes), ``binary`` and ``signed binary`` (n,) or
    (n, 1), ``bounded`` (numbers from 0 to 1), ``signed`` (from −1 to 1), ``counts``, ``real``,
    ``reconstruction`` (targets are the features), ``none`` (no targets).  ``classes`` is their
    number where there are any, ``shape`` that of a row's target, ``low`` to ``high`` the range,
    ``mean`` and ``deviation``
    over all values; ``share`` is that of the most common class.
    """

    kind: str
    classes: int = 0
    shape: tuple[int, ...] = ()
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    deviation: float = 0.0
    share: float = 0.0
    whole: bool = False
    """Whether all values are whole numbers."""
    typed: bool = False
    """Whether the targets are of an integer or boolean type."""

    @property
    def asks_for_classes(self) -> bool:
        """Whether the answers are classes."""
        return self.kind in CLASSES or self.kind == "signed binary"

    def __str__(self) -> str:
        if self.kind in ("class index", "sequence of classes", "one-hot", "multi-hot"):
            return f"{self.kind}, {self.classes} classes"
        return self.kind if self.kind in ("none", "reconstruction") else (
            f"{self.kind}, {self.low:.4g} to {self.high:.4g}"
        )  # fmt: skip


def infer_task(
    targets: Array | None, features: Array | None = None, output: tuple[int, ...] | None = None
) -> Task:
    """The task of these targets (n, …); ``output`` is the shape of a row's output, if known."""
    if targets is None or not targets.size:
        return Task("none")
    y = targets.astype(np.float64) if targets.dtype.kind in "biuf" else None
    if y is None:
        return Task("real", shape=tuple(targets.shape[1:]))
    typed = targets.dtype.kind in "biu"
    if typed and targets.dtype.kind != "b":
        y = np.where(y == PADDING, np.nan, y)
    values = y[np.isfinite(y)]
    if not values.size:
        return Task("real", shape=tuple(y.shape[1:]), typed=typed)
    sample = values if values.size <= 200_000 else values[:: values.size // 100_000]
    distinct, counts = np.unique(sample, return_counts=True)
    facts = {
        "shape": tuple(int(n) for n in y.shape[1:]),
        "low": float(values.min()),
        "high": float(values.max()),
        "mean": float(values.mean()),
        "deviation": float(values.std()),
        "share": float(counts.max() / counts.sum()),
        "whole": bool((distinct == np.round(distinct)).all()),
        "typed": typed,
    }
    kind, classes = _kind(y, distinct, typed, features, output)
    return Task(kind, classes, **facts)  # type: ignore[arg-type]


def _kind(
    y: Array,
    distinct: Array,
    typed: bool,
    features: Array | None,
    output: tuple[int, ...] | None,
) -> tuple[str, int]:
    single = y.ndim == 1 or y.ndim == 2 and y.shape[1] == 1
    if features is not None and features.shape == y.shape and not single:
        if np.array_equal(features.astype(np.float64), y, equal_nan=True):
            return "reconstruction", 0
    whole = bool((distinct == np.round(distinct)).all())
    if not single and y.ndim >= 2 and (not typed or y.shape == (len(y), *(output or ()))):
        matrix = _matrix_kind(y, distinct, whole)
        if matrix is not None:
            return matrix
    if set(distinct.tolist()) <= {0.0, 1.0}:
        return _zero_one(y, typed, single, output)
    if set(distinct.tolist()) == {-1.0, 1.0}:
        return "signed binary", 2
    if typed and distinct[0] >= 0:
        many = len(distinct) > FEW_VALUES and distinct[-1] > 4 * len(distinct)
        wide = output is not None and int(np.prod(output)) > 1
        if many and not wide:
            return "counts", 0
        return ("class index" if single else "sequence of classes"), int(distinct[-1]) + 1
    if whole and single and distinct[0] >= 0 and len(distinct) <= FEW_VALUES:
        if distinct[-1] <= 2 * len(distinct) and len(distinct) > 2:
            return "class index", int(distinct[-1]) + 1
    return _number_kind(distinct, whole), 0


def _matrix_kind(y: Array, distinct: Array, whole: bool) -> tuple[str, int] | None:
    """One-hot, multi-hot or soft labels, with classes along the second axis."""
    if distinct[0] < 0 or distinct[-1] > 1 or y.shape[1] < 2:
        return None
    sums = y.sum(axis=1)
    if np.allclose(sums, 1, atol=1e-4):
        return ("one-hot" if whole else "soft labels"), int(y.shape[1])
    if whole and y.ndim == 2:
        return "multi-hot", int(y.shape[1])
    return None


def _zero_one(
    y: Array, typed: bool, single: bool, output: tuple[int, ...] | None
) -> tuple[str, int]:
    wide = output is not None and len(output) > 0 and output[0] > 1
    if single and typed and wide:
        return "class index", 2
    if single:
        return "binary", 2
    if typed:
        return "sequence of classes", 2
    return "bounded", 0


def _number_kind(distinct: Array, whole: bool) -> str:
    low, high = float(distinct[0]), float(distinct[-1])
    if whole and low >= 0 and len(distinct) > 2:
        return "counts"
    if low >= 0 and high <= 1:
        return "bounded"
    if low >= -1 and high <= 1:
        return "signed"
    return "real"
