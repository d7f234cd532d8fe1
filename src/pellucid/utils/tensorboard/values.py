"""Tensors as the arrays and numbers that event files take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentTypeError, ShapeError
from pellucid.tensor.core import TensorCore


def plain(value: Any) -> Any:
    """``value`` with arrays in place of its tensors; narrow floats become float32."""
    if isinstance(value, TensorCore):
        return value.dtype.numbers(value.array())
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(entry) for entry in value)
    return value


def number(method: str, name: str, value: Any) -> float:
    """A tensor, array or number of one element as a Python number."""
    array = np.asarray(plain(value))
    if array.size != 1:
        raise ShapeError(
            f"{method} got a value of shape {array.shape} for {name!r}",
            "Give one number, the mean say; add_histogram takes many.",
        )
    if array.dtype.kind not in "biufc":
        raise ArgumentTypeError(
            f"{method} got a {type(value).__name__} for {name!r}", "Give a number or a tensor."
        )
    return float(array.reshape(()).real)


def as_array(method: str, value: Any) -> np.ndarray:
    """A tensor, array, list or number as an array of numbers."""
    array = np.asarray(plain(value))
    if array.dtype.kind not in "biuf":
        raise ArgumentTypeError(
            f"{method} got a {type(value).__name__} that does not hold numbers",
            "Give a tensor or an array of numbers.",
        )
    return array


def picture(method: str, value: Any, dataformats: str) -> np.ndarray:
    """An image or several, checked against the letters that name its axes."""
    array = as_array(method, value)
    if array.ndim != len(dataformats):
        raise ShapeError(
            f"{method} got shape {array.shape} and dataformats={dataformats!r}",
            "Name every axis by one letter: N images, H rows, W columns, C channels.",
        )
    letters = dataformats.upper()
    if "C" in letters and array.shape[letters.index("C")] not in (1, 3, 4):
        raise ShapeError(
            f"{method} got shape {array.shape} and dataformats={dataformats!r}, so "
            f"{array.shape[letters.index('C')]} channels",
            "Give 1 (grey), 3 (red, green, blue) or 4 channels, and name the axes in order.",
        )
    return array
