"""Words, and their ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.extras import needs

HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Characters of Chinese and Japanese, which are written without blanks between words."""
CHINESE = ("characters", "words")
_TOKEN = re.compile(rf"[{HAN}]+|[^\W{HAN}]+|[^\w\s]")
_IS_HAN = re.compile(rf"[{HAN}]")


def split_words(text: str, *, chinese: str = "characters", lower: bool = True) -> list[str]:
    """The words of a text in small letters; each punctuation mark is a word of its own.

    Chinese is written without blanks.  With ``chinese="characters"`` each of its characters is a
    word; ``"words"`` finds the words by a dictionary and a hidden Markov model (the package
    rjieba).  Texts may mix languages.  ``lower=False`` keeps capitals.

    >>> split_words("You say goodbye and I say hello.")
    ['you', 'say', 'goodbye', 'and', 'i', 'say', 'hello', '.']
    >>> split_words("我喜欢Python。")
    ['我', '喜', '欢', 'python', '。']
    """
    if chinese not in CHINESE:
        raise ArgumentError(
            f"split_words got chinese={chinese!r}", "Use " + " or ".join(map(repr, CHINESE)) + "."
        )
    found: list[str] = []
    for token in _TOKEN.findall(text.lower() if lower else text):
        if not _IS_HAN.match(token):
            found.append(token)
        elif chinese == "words":
            found += _segments(token)
        else:
            found += token
    return found


def _segments(text: str) -> list[str]:
    """The words of a run of Chinese characters."""
    with needs("text", "Finding the words of Chinese texts"):
        import rjieba
    return list(rjieba.cut(text))


class Vocabulary:
    """The different tokens of a sequence (words, or the characters of a string), numbered in the
    order in which they first occur.

    With ``min_count`` and ``most`` it holds only tokens that occur so often, and the most frequent
    so many (ties as they first occur).  ``unknown`` is a token, such as ``"<unk>"``, that stands
    for all others; it has id 0, and counts in ``most``.

    >>> words = Vocabulary(split_words("the cat saw the dog"))
    >>> len(words), words.encode(["the", "dog"]).tolist()
    (4, [0, 3])
    >>> Vocabulary("banana", unknown="<unk>", min_count=2).encode("nab").tolist()
    [2, 1, 0]
    """

    def __init__(
        self,
        tokens: Iterable[str],
        *,
        unknown: str | None = None,
        min_count: int = 1,
        most: int | None = None,
    ) -> None:
        counts = Counter(tokens)
        if min_count < 1 or (most is not None and most < 1):
            raise ArgumentError(
                f"Vocabulary got min_count={min_count}, most={most}", "Use numbers from 1 up."
            )
        kept = [token for token, count in counts.items() if count >= min_count and token != unknown]
        room = None if most is None else most - (unknown is not None)
        if room is not None and room < len(kept):
            best = set(sorted(kept, key=lambda token: -counts[token])[:room])
            kept = [token for token in kept if token in best]
        self.unknown = unknown
        """The token for all that is not known, or None."""
        self.tokens = kept if unknown is None else [unknown, *kept]
        """Id → token."""
        self.ids = {token: number for number, token in enumerate(self.tokens)}
        """Token → id."""

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> npt.NDArray[np.int64]:
        """Ids int64 (n,) of tokens.

        What is not known becomes ``unknown``; without it, raises ``DataError``.
        """
        listed = list(tokens)
        if self.unknown is not None:
            other = self.ids[self.unknown]
            return np.array([self.ids.get(token, other) for token in listed], np.int64)
        unknown = next((token for token in listed if token not in self.ids), None)
        if unknown is not None:
            raise DataError(
                f"the token {unknown!r} is not in the vocabulary of {len(self)} tokens",
                'make the vocabulary from all texts, or with unknown="<unk>"',
            )
        return np.array([self.ids[token] for token in listed], np.int64)

    def decode(self, ids: Sequence[int] | npt.NDArray[np.int64]) -> list[str]:
        """The tokens of ids."""
        return [self.tokens[int(number)] for number in ids]
