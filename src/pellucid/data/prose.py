"""Columns of prose: which they are, and their words and pairs of words as codes.

Words, pairs of neighbouring words and, in scripts that are written without blanks, runs of one to
three characters fall into as many groups as a table has rows, by a hash of their letters, so that
no list of words is stored (Weinberger and others, "Feature Hashing for Large Scale Multitask
Learning", 2009; Joulin and others, "Bag of Tricks for Efficient Text Classification", 2016).
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.columns import Column

_DENSE = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_DENSE}]+|[^\W{_DENSE}]+|[!?]")
_IS_DENSE = re.compile(rf"[{_DENSE}]")
WIDTH, READER_WIDTH = 32, 64
TEXT_MODELS = ("bag", "transformer")
"""How prose becomes numbers: by the mean of vectors, or read in the order of its words."""
MAX_BUCKETS = 1 << 15
MAX_SLOTS = 256
_MOST_ENTRIES = 100_000_000
_SAMPLE = 2000
_WORDS, _CHARACTERS = 3.0, 5.0
_SHARED = 0.5


@dataclass(frozen=True)
class ProseRule:
    """How a text becomes codes: at most ``slots`` of them, from 1 to ``buckets`` - 1; ``ordered``
    ones are those of its words as they follow one another."""

    slots: int
    buckets: int
    ordered: bool = False

    def codes(self, text: str) -> list[int]:
        """The codes of a text, each once: of its words, then of pairs, then of longer runs, as
        far as there is place.  Where they are ordered, those of the words alone, also again."""
        terms = words_of(text) if self.ordered else grams(text)
        found = [1 + zlib.crc32(term.encode()) % (self.buckets - 1) for term in terms]
        return (found if self.ordered else list(dict.fromkeys(found)))[: self.slots]

    def fill(self, block: npt.NDArray[np.float32], column: Column) -> None:
        """Writes the codes of each row into ``block`` (rows, slots), which holds zeros."""
        table = np.zeros((len(column.categories) + 1, self.slots), np.float32)
        for place, text in enumerate(column.categories):
            codes = self.codes(text)
            table[place, : len(codes)] = codes
        block[:] = table[column.values]


def grams(text: str) -> list[str]:
    """The words of a text in small letters, then its pairs of words, then runs of three
    characters in scripts without blanks."""
    singles: list[str] = []
    pairs: list[str] = []
    triples: list[str] = []
    before = ""
    for token in _TOKEN.findall(text.lower()):
        if _IS_DENSE.match(token):
            singles += token
            pairs += [token[i : i + 2] for i in range(len(token) - 1)]
            triples += [token[i : i + 3] for i in range(len(token) - 2)]
            before = ""
            continue
        singles.append(token)
        if before:
            pairs.append(f"{before} {token}")
        before = token
    return singles + pairs + triples


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, in order; in scripts without blanks its characters."""
    found: list[str] = []
    for token in _TOKEN.findall(text.lower()):
        found += token if _IS_DENSE.match(token) else [token]
    return found


def is_prose(column: Column) -> bool:
    """Whether a column of texts holds sentences rather than names: on average at least three
    words that are no numbers (five characters where no blanks are written), half of which are
    those of other rows."""
    texts = column.categories[:: max(1, len(column.categories) // _SAMPLE)]
    if len(texts) < 20:
        return False
    listed = [_TOKEN.findall(text.lower()) for text in texts]
    dense = sum(bool(_IS_DENSE.search(text)) for text in texts) > 0.5 * len(texts)
    if dense:
        listed = [[c for word in words for c in word] for words in listed]
    listed = [[word for word in words if not word.isdecimal()] for words in listed]
    total = sum(map(len, listed))
    if total < (_CHARACTERS if dense else _WORDS) * len(texts):
        return False
    rows = Counter(word for words in listed for word in set(words))
    shared = sum(rows[word] > 1 for words in listed for word in words)
    return shared >= _SHARED * total


def prose_rule(column: Column, ordered: bool = False) -> ProseRule:
    """A rule for a column of prose: places for all codes of 95 in 100 rows, up to 256, and groups
    for the different words and runs, up to 32,768.  ``ordered`` leaves the words in their order."""
    texts = column.categories
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    listed = [words_of(text) if ordered else set(grams(text)) for text in sample]
    wanted = float(np.quantile([len(words) for words in listed], 0.95)) if listed else 1.0
    most = min(MAX_SLOTS, max(8, _MOST_ENTRIES // max(1, len(column))))
    slots = min(most, max(8, 8 * round(wanted / 8 + 0.5)))
    different = len(set().union(*listed)) * max(1, len(texts) // max(1, len(listed)))
    buckets = 1 << max(8, min(MAX_BUCKETS.bit_length() - 1, (2 * different).bit_length()))
    return ProseRule(slots, buckets, ordered)


def prose_note(name: str, rule: ProseRule, texts: Sequence[str]) -> str:
    """What becomes of a column of prose, for the user."""
    words = sample_words(texts)
    if rule.ordered:
        return (
            f"Column {name!r} holds prose: up to {rule.slots} of its words ({words}, …) are read "
            f"in their order by a transformer, from {rule.buckets:,} vectors of {READER_WIDTH} "
            "numbers that it learns."
        )
    return (
        f"Column {name!r} holds prose: up to {rule.slots} of its words and neighbours of "
        f"words ({words}, …) are looked up in {rule.buckets:,} vectors of "
        f"{WIDTH} numbers that a network learns, and averaged."
    )


def reads_in_order(text: str) -> bool:
    """Whether ``text``, one of ``TEXT_MODELS``, needs the words in their order; ``ArgumentError``
    for anything else."""
    if text not in TEXT_MODELS:
        raise ArgumentError(
            phrase(Setting("text", text), " is unknown"),
            f"The choices are {', '.join(TEXT_MODELS)}.",
        )
    return text == "transformer"


def sample_words(texts: Sequence[str], most: int = 3) -> str:
    """Some words of a column, for a note."""
    counts = Counter(word for text in texts[:_SAMPLE] for word in set(_TOKEN.findall(text.lower())))
    return ", ".join(repr(word[:12]) for word, _ in counts.most_common(most))
