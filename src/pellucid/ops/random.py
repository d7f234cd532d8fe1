"""Random numbers from a counter: Philox 4×32-10 (Salmon et al., SC 2011).

Element i of a tensor depends only on (seed, number of the draw, i), so any thread can make any
element, a backward pass can make a dropout mask again instead of storing it, and eager and
compiled runs give the same bits.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import DType, float32, float64, int64
from pellucid.base.errors import ShapeError
from pellucid.base.philox import philox_numpy, philox_one
from pellucid.base.shapes import Shape, size_of
from pellucid.graph.node import Sample, Spec
from pellucid.ops.registry import Value, apply, define
from pellucid.ops.rows import Rows
from pellucid.ops.scan_body import row_by_row


def _infer(state: Spec, *, shape: Shape, dtype: DType, lane: int) -> Spec:
    if state.shape != (2,) or state.dtype is not int64:
        raise ShapeError(
            f"random_uniform needs a state int64[2] and got {state}", "pass a generator's state"
        )
    return Spec(shape, dtype)


BLOCK = 8192
"""Elements made at a time, so that the many passes of the rounds stay in cache."""


FEW = 24
"""Up to so many elements are made one by one, without the cost of calling NumPy some 100 times."""


def _evaluate(state: np.ndarray, *, shape: Shape, dtype: DType, lane: int) -> np.ndarray:
    count = size_of(shape)
    if count <= FEW:
        return _few(int(state[0]), int(state[1]), count, dtype, lane).reshape(shape)
    if count <= BLOCK:
        words = _words(int(state[0]), count, int(state[1]))
        return _unit_interval(words[2 * lane], words[2 * lane + 1], dtype).reshape(shape)
    result = np.empty(count, dtype.numpy)
    for start in range(0, result.size, BLOCK):
        stop = min(start + BLOCK, result.size)
        words = philox_numpy(int(state[0]), np.arange(start, stop, dtype=np.uint64), int(state[1]))
        result[start:stop] = _unit_interval(words[2 * lane], words[2 * lane + 1], dtype)
    return result.reshape(shape)  # (n,) -> shape


@functools.lru_cache(maxsize=1)
def _words(key: int, count: int, draw: int) -> tuple[np.ndarray, ...]:
    """The words of a draw's first elements, kept for its other lane."""
    return philox_numpy(key, np.arange(count, dtype=np.uint64), draw)


def _few(key: int, draw: int, count: int, dtype: DType, lane: int) -> np.ndarray:
    """The same bits as :func:`_unit_interval` of all words."""
    made = []
    for i in range(count):
        words = philox_one(key, i, draw)
        first, second = words[2 * lane], words[2 * lane + 1]
        if dtype is float32:
            made.append((first >> 8) * 2.0**-24)
        else:
            made.append((((first << 32) | second) >> 11) * 2.0**-53)
    return np.asarray(made, dtype.numpy)


def _unit_interval(first: np.ndarray, second: np.ndarray, dtype: DType) -> np.ndarray:
    """The top 24 bits of one word, or 53 of two, as a fraction."""
    if dtype is float32:
        return np.asarray((first >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24))
    wide = (first.astype(np.uint64) << np.uint64(32)) | second
    return np.asarray((wide >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def _batch(inputs: Sequence[Value], batched: Sequence[bool], rows: Rows, **params: Any) -> Value:
    """One draw for all rows: each has its own elements of it."""
    rows.check_random("random_uniform")
    if batched[0]:
        return row_by_row(UNIFORM, inputs, batched, rows, params)
    shape = (rows.count, *params["shape"])
    return apply(UNIFORM, inputs[0], **{**params, "shape": shape})


UNIFORM = define(
    "random_uniform",
    "random",
    "evenly distributed in [0, 1), from Philox with key seed and counter (element, draw)",
    infer=_infer,
    evaluate=_evaluate,
    gradient=None,
    samples=lambda: [
        Sample((np.asarray([7, 3]),), {"shape": (3, 5), "dtype": float32, "lane": 0}),
        Sample((np.asarray([7, 3]),), {"shape": (4,), "dtype": float64, "lane": 1}),
        Sample((np.asarray([-5, 1 << 40]),), {"shape": (), "dtype": float32, "lane": 1}),
    ],
    reason="integer multiplications of 32 by 32 to 64 bits, which tensors do not have",
    tangent="zero",
    batch=_batch,
)


def random_uniform(state: Value, shape: Shape, dtype: DType, lane: int = 0) -> Value:
    """Values in [0, 1) of ``shape``; ``state`` is int64[2]: seed and number of the draw.

    ``lane`` 0 or 1 gives two independent values for the same element (Box–Muller needs two).
    float32 has 24 random bits, float64 53.
    """
    params: dict[str, Any] = {"shape": tuple(shape), "dtype": dtype, "lane": lane}
    return apply(UNIFORM, state, **params)
