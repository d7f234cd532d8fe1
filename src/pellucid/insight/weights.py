"""What the tensors of a file look like, and which of them look wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pellucid.tensor.tensor import Tensor

_LARGE = 1e4
_BLOCK = 1 << 22


@dataclass(frozen=True)
class TensorFacts:
    """A tensor in figures.

    ``mean``, ``std`` (of the values given, not an estimate), ``low`` and ``high`` are those of the
    finite values (of complex ones, of their sizes), NaN where there are none; ``zeros`` is the
    share of values that are 0; ``suspicious`` says in words what looks wrong.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    count: int
    mean: float
    std: float
    low: float
    high: float
    zeros: float
    suspicious: tuple[str, ...]


def facts_of(name: str, tensor: Tensor) -> TensorFacts:
    """The figures of a tensor.  Elements that are one in memory, as in an expanded tensor, are
    looked at once; the work is in blocks, so that a mapped file need not fit into memory."""
    array = _seen_once(tensor.array())
    sums = _Sums()
    for block in _blocks(array):
        numbers = tensor.dtype.numbers(block)
        sums.add(np.asarray(np.abs(numbers) if tensor.dtype.is_complex else numbers, np.float64))
    count = tensor.numel()
    return TensorFacts(
        name,
        tuple(tensor.shape),
        tensor.dtype.name,
        count,
        sums.mean,
        sums.std,
        sums.low,
        sums.high,
        sums.zeros / sums.seen if sums.seen else math.nan,
        tuple(_suspicions(tensor, sums)),
    )


def _seen_once(array: np.ndarray) -> np.ndarray:
    index = tuple(slice(0, 1) if step == 0 else slice(None) for step in array.strides)
    return array[index]


def _blocks(array: np.ndarray) -> list[np.ndarray]:
    """The array in parts of a bounded size, cut along its first axes."""
    if array.size <= _BLOCK or array.ndim == 0:
        return [array]
    if array.shape[0] == 1:
        return _blocks(array[0])
    half = array.shape[0] // 2
    return _blocks(array[:half]) + _blocks(array[half:])


class _Sums:
    """Sums over the blocks of a tensor; the mean of squares is put together as Chan, Golub and
    LeVeque do (1979), which loses no digits where the mean is large."""

    def __init__(self) -> None:
        self.seen = self.finite = self.nans = self.infinities = self.zeros = 0
        self.mean = self._squares = 0.0
        self.low, self.high = math.inf, -math.inf

    def add(self, block: np.ndarray) -> None:
        """One more block."""
        finite = block[np.isfinite(block)]
        self.seen += block.size
        nans = int(np.isnan(block).sum())
        self.nans += nans
        self.infinities += block.size - finite.size - nans
        self.zeros += int((block == 0).sum())
        if not finite.size:
            return
        mean = float(finite.mean())
        squares = float(np.square(finite - mean).sum())
        total = self.finite + finite.size
        apart = mean - self.mean
        self._squares += squares + apart * apart * self.finite * finite.size / total
        self.mean += apart * finite.size / total
        self.finite = total
        self.low = min(self.low, float(finite.min()))
        self.high = max(self.high, float(finite.max()))

    @property
    def std(self) -> float:
        """The standard deviation of the finite values."""
        return math.sqrt(self._squares / self.finite) if self.finite else math.nan


def _suspicions(tensor: Tensor, sums: _Sums) -> list[str]:
    """What is unusual for weights, in words."""
    found = []
    if sums.nans:
        found.append(f"{sums.nans} NaN")
    if sums.infinities:
        found.append(f"{sums.infinities} infinite")
    if not tensor.dtype.is_floating_point or not sums.finite:
        return found
    largest = max(abs(sums.low), abs(sums.high))
    if tensor.ndim > 1 and sums.low == sums.high:
        found.append("all zero" if largest == 0 else "all equal")
    elif tensor.ndim == 2 and (idle := _zero_rows(tensor.array(), tensor)):
        found.append(f"{idle} of {tensor.shape[0]} rows are zero")
    if largest > _LARGE:
        found.append(f"values up to {largest:.1e}")
    return found


def _zero_rows(array: np.ndarray, tensor: Tensor) -> int:
    """Rows of a matrix without a value other than 0."""
    seen = _seen_once(array)
    idle = sum(
        int((np.asarray(tensor.dtype.numbers(part)) == 0).all(axis=1).sum())
        for part in _row_blocks(seen)
        if part.shape[1]
    )
    return idle * (int(array.shape[0]) // max(1, int(seen.shape[0])))


def _row_blocks(array: np.ndarray) -> list[np.ndarray]:
    rows = max(1, _BLOCK // max(1, array.shape[1]))
    return [array[i : i + rows] for i in range(0, array.shape[0], rows)]
