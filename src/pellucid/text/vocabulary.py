"""Words and their ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError


def split_words(text: str) -> list[str]:
    """The words of a text in small letters; each punctuation mark is a word of its own.

    >>> split_words("You say goodbye and I say hello.")
    ['you', 'say', 'goodbye', 'and', 'i', 'say', 'hello', '.']
    """
    return re.findall(r"\w+|[^\w\s]", text.lower())


class Vocabulary:
    """The different tokens of a sequence (words, or the characters of a string), numbered in the
    order in which they first occur.

    >>> words = Vocabulary(split_words("the cat saw the dog"))
    >>> len(words), words.encode(["the", "dog"]).tolist()
    (4, [0, 3])
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = list(dict.fromkeys(tokens))
        """Id → token."""
        self.ids = {token: number for number, token in enumerate(self.tokens)}
        """Token → id."""

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> npt.NDArray[np.int64]:
        """Ids int64 (n,) of tokens; raises ``DataError`` for one that is not known."""
        listed = list(tokens)
        unknown = next((token for token in listed if token not in self.ids), None)
        if unknown is not None:
            raise DataError(
                f"the token {unknown!r} is not in the vocabulary of {len(self)} tokens",
                "make the vocabulary from all texts, or replace rare tokens by one for unknown",
            )
        return np.array([self.ids[token] for token in listed], np.int64)

    def decode(self, ids: Sequence[int] | npt.NDArray[np.int64]) -> list[str]:
        """The tokens of ids."""
        return [self.tokens[int(number)] for number in ids]
