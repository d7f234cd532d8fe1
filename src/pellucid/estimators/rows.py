"""Rows in an order that is theirs: equal rows become one, and none remembers where it stood.

What a network learns then depends on which rows there are, not on how they were listed: a row of
weight 2 is the same as the row listed twice, a row of weight 0 as none, and equal rows are never
in the training and in the validation part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_ODD = np.uint64(0x9E3779B97F4A7C15)


def distinct_rows(
    weights: npt.NDArray[np.float64], *parts: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """One position for each of the distinct rows of ``parts`` ((rows, …) each, side by side) whose
    weights sum to more than 0, and these sums; in the order of a hash of their values."""
    kept = np.flatnonzero(weights > 0)
    words = np.concatenate([_words(part[kept]) for part in parts], axis=1)
    keys = _hashes(words)
    order = np.argsort(keys, kind="stable")
    ordered, listed = words[order], keys[order]
    fresh = np.ones(len(order), np.bool_)
    same = np.flatnonzero(listed[1:] == listed[:-1]) + 1
    fresh[same] = (ordered[same] != ordered[same - 1]).any(axis=1)
    groups = np.cumsum(fresh) - 1
    sums = np.zeros(int(fresh.sum()))
    np.add.at(sums, groups, weights[kept[order]])
    return kept[order[fresh]], sums


def _words(part: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """The rows' values as bits: uint64 (rows, values)."""
    flat = part.reshape(len(part), -1)
    if flat.dtype.kind in "iub":
        return np.asarray(flat.astype(np.int64).view(np.uint64))
    numbers = flat.astype(np.float64) + 0.0  # one zero instead of two
    return np.asarray(np.ascontiguousarray(numbers).view(np.uint64))


def _hashes(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each row, by SplitMix64's mixing (Steele, Lea and Flood, 2014)."""
    keys = np.zeros(len(words), np.uint64)
    for column in range(words.shape[1]):
        keys = keys * _ODD + words[:, column] + _ODD
        keys ^= keys >> np.uint64(30)
        keys *= np.uint64(0xBF58476D1CE4E5B9)
        keys ^= keys >> np.uint64(27)
    return keys
