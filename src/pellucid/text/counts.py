"""Words by the company they keep: co-occurrences, their surprise, and similarity of directions.

The distributional hypothesis (Harris, 1954; Firth, 1957): words that occur in the same contexts
mean similar things.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.text.vocabulary import Vocabulary

Floats = npt.NDArray[np.float64]


def co_occurrence(ids: Any, words: int, window: int = 1) -> npt.NDArray[np.int64]:
    """C[i, j]: how often word j stands at most ``window`` places from word i in a text.

    ``ids`` int (n,) from 0 to ``words`` − 1 → int64 (words, words), symmetric.

    >>> co_occurrence([0, 1, 0], words=2)
    array([[0, 2],
           [2, 0]])
    """
    text = np.asarray(ids, np.int64)
    if text.ndim != 1:
        raise ShapeError(f"co_occurrence got ids of shape {text.shape}", "give one text: (n,)")
    if window < 1:
        raise ArgumentError(f"co_occurrence got window={window}", "look at least 1 word far")
    if text.size and (text.min() < 0 or text.max() >= words):
        raise ArgumentError(
            f"co_occurrence got ids from {text.min()} to {text.max()} for {words} words",
            f"ids are 0 to {words - 1}",
        )
    counts = np.zeros((words, words), np.int64)
    for distance in range(1, window + 1):
        np.add.at(counts, (text[:-distance], text[distance:]), 1)
        np.add.at(counts, (text[distance:], text[:-distance]), 1)
    return counts


def ppmi(counts: npt.NDArray[np.int64]) -> Floats:
    """Positive pointwise mutual information: max(0, log₂ (P(i, j) / (P(i) P(j)))), in bits.

    How much more often two words meet than their frequencies alone explain; 0 where they never
    do.  ``counts`` (V, V) of :func:`co_occurrence` → float64 (V, V).  (Church and Hanks, 1990.)
    """
    total, each = counts.sum(), counts.sum(0)
    expected = np.outer(each, each).astype(np.float64)
    ratio = np.divide(counts * float(total), expected, np.zeros(counts.shape), where=expected > 0)
    found: Floats = np.log2(np.maximum(ratio, 1.0))
    return found


def reduced(matrix: Floats, features: int) -> Floats:
    """Rows (V, n) as short, dense vectors (V, features): the leading left singular vectors.

    Truncated singular value decomposition, the closest matrix of that rank (Eckart and Young,
    1936); used for words as in latent semantic analysis (Deerwester and others, 1990).
    """
    if not 1 <= features <= min(matrix.shape):
        raise ArgumentError(
            f"reduced got features={features} for a matrix of shape {matrix.shape}",
            f"use 1 to {min(matrix.shape)}",
        )
    left, _, _ = np.linalg.svd(np.asarray(matrix, np.float64), full_matrices=False)
    found: Floats = left[:, :features]
    return found


def cosine(x: Any, y: Any) -> float:
    """x·y / (|x| |y|), from −1 to 1: how far two vectors point the same way; 0 if one is zero."""
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.clip(a @ b / size, -1, 1)) if size > 0 else 0.0


def most_similar(
    word: str, vocabulary: Vocabulary, vectors: Any, count: int = 5
) -> list[tuple[str, float]]:
    """The other words whose vectors (V, features) point most nearly the same way, with cosines."""
    (place,) = vocabulary.encode([word])
    return _nearest(np.asarray(vectors, np.float64)[place], vocabulary, vectors, {place}, count)


def analogy(
    a: str, b: str, c: str, vocabulary: Vocabulary, vectors: Any, count: int = 5
) -> list[tuple[str, float]]:
    """What is to ``c`` as ``b`` is to ``a``: the words nearest to b − a + c, without these three.

    Vectors (V, features) are first scaled to length 1.  (Mikolov, Yih and Zweig, 2013.)
    """
    unit = np.asarray(vectors, np.float64)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-300)
    first, second, third = vocabulary.encode([a, b, c])
    wanted = unit[second] - unit[first] + unit[third]
    return _nearest(wanted, vocabulary, unit, {first, second, third}, count)


def _nearest(
    wanted: Floats, vocabulary: Vocabulary, vectors: Any, without: set[Any], count: int
) -> list[tuple[str, float]]:
    scores = [
        (cosine(wanted, vector), token)
        for place, (token, vector) in enumerate(
            zip(vocabulary.tokens, np.asarray(vectors, np.float64), strict=True)
        )
        if place not in without
    ]
    scores.sort(key=lambda pair: -pair[0])
    return [(token, score) for score, token in scores[:count]]
