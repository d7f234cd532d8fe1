"""What the functions for text say about input they cannot use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, DataError, ShapeError
from pellucid.text import (
    BigramModel,
    Vocabulary,
    co_occurrence,
    ngram_overlap,
    ppmi,
    reduced,
    split_words,
    windows,
)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: co_occurrence([[0, 1]], 2), r"ids of shape \(1, 2\)"),
    (lambda: co_occurrence([0, 1], 2, 0), "window=0"),
    (lambda: co_occurrence([0, 2], 2), "ids from 0 to 2 for 2 words"),
    (lambda: reduced(np.eye(3), 4), "features=4"),
    (lambda: windows([0, 1], 1), r"window=1 and ids of shape \(2,\)"),
    (lambda: ngram_overlap("ab", "abc", 3), "n=3 and a sample of 2"),
    (lambda: BigramModel([1], 2), r"shape \(1,\)"),
    (lambda: BigramModel([1, 2], 2), "from 0 to 1"),
])  # fmt: skip
def test_arguments(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ArgumentError, ShapeError), match=message):
        call()


def test_unknown_words() -> None:
    with pytest.raises(DataError, match="'cow' is not in the vocabulary of 2"):
        Vocabulary(["a", "b"]).encode(["a", "cow"])


def test_edges() -> None:
    assert split_words("It's 3 o'clock!") == ["it", "'", "s", "3", "o", "'", "clock", "!"]
    assert split_words("今天 很好。") == ["今", "天", "很", "好", "。"]
    assert co_occurrence([], 2).tolist() == [[0, 0], [0, 0]]
    assert not ppmi(np.zeros((2, 2), np.int64)).any()
    words = Vocabulary("banana")
    assert words.decode(words.encode("nab")) == ["n", "a", "b"]
    dead_end = BigramModel([0, 1], 2)
    assert dead_end.generate(0, 5).tolist() == [1] and dead_end.perplexity([1, 0]) == np.inf
