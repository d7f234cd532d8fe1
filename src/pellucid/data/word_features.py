"""From texts to the numbers that a network takes: words and pairs of characters, weighted by how
rare they are.

Each text becomes a vector with an entry for every term of the vocabulary,
(1 + ln count) · (1 + ln((1 + texts) / (1 + texts with the term))), scaled to length 1 (Salton and
Buckley, "Term-weighting approaches in automatic text retrieval", 1988).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError
from pellucid.data.json_checks import (
    json_error,
    json_integer,
    json_list,
    json_names,
    json_number,
    json_object,
    json_text,
)

MAX_TERMS = 4_000
MIN_TEXTS = 2
_VERSION = 1
_WORDS = re.compile(r"\w+")
# Scripts without spaces between words: Chinese, Japanese, and the Thai family.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def terms_of(text: str) -> Iterator[str]:
    """The terms of a text, in lower case: its words and pairs of neighbouring words; in scripts
    without spaces its characters and pairs of neighbouring characters.

    >>> list(terms_of("Not bad. 好吃"))
    ['not', 'bad', 'not bad', '好', '吃', '好吃']
    """
    spaced: list[str] = []
    runs: list[str] = []
    for word in _WORDS.findall(text.lower()):
        (runs if _UNSPACED.search(word) else spaced).append(word)
    yield from spaced
    yield from (f"{a} {b}" for a, b in zip(spaced, spaced[1:], strict=False))
    for run in runs:
        yield from run
        yield from (run[at : at + 2] for at in range(len(run) - 1))


@dataclass(frozen=True)
class TextPreprocessor:
    """Turns texts into features; made by ``TextPreprocessor.fit``.

    ``terms`` is the vocabulary in the order of the features and ``weights`` the rarity of each.
    """

    terms: tuple[str, ...]
    weights: tuple[float, ...]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """(terms,)."""
        return (len(self.terms),)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The terms."""
        return self.terms

    @classmethod
    def fit(cls, texts: Sequence[str], *, max_terms: int = MAX_TERMS) -> TextPreprocessor:
        """Learns the vocabulary: the ``max_terms`` terms that most training texts have, of those
        that at least two have; ties in alphabetical order.

        Raises ``DataError`` where no term occurs in two texts.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(set(terms_of(text)))
        shared = [(count, term) for term, count in counts.items() if count >= MIN_TEXTS]
        if not shared:
            raise DataError(
                f"No word occurs in two of the {len(texts)} training texts",
                "Give more texts; names and identifiers tell a network nothing.",
            )
        shared.sort(key=lambda pair: (-pair[0], pair[1]))
        chosen = sorted((term, count) for count, term in shared[:max_terms])
        rarity = [1.0 + float(np.log((1 + len(texts)) / (1 + count))) for _, count in chosen]
        return cls(tuple(term for term, _ in chosen), tuple(rarity))

    def transform(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The features of texts: float32 (rows, terms); zeros for a text without known terms."""
        place = {term: position for position, term in enumerate(self.terms)}
        features = np.zeros((len(texts), len(self.terms)), np.float32)
        for row, text in enumerate(texts):
            counts = Counter(place[term] for term in terms_of(text) if term in place)
            for position, count in counts.items():
                features[row, position] = (1.0 + np.log(count)) * self.weights[position]
        lengths = np.sqrt(np.square(features).sum(axis=1, keepdims=True))
        np.divide(features, lengths, out=features, where=lengths > 0)
        # A typical entry is then of the size of a standardized number.
        features *= np.float32(np.sqrt(len(self.terms)) / 4)
        return features

    def to_json(self) -> dict[str, object]:
        """The preprocessor as JSON values; floats survive exactly."""
        return {
            "kind": "texts",
            "version": _VERSION,
            "terms": list(self.terms),
            "weights": list(self.weights),
        }

    @classmethod
    def from_json(cls, data: object) -> TextPreprocessor:
        """The preprocessor from ``to_json``'s values; ``RunFolderError`` for anything else."""
        fields = json_object(data, "preprocessing", ("kind", "version", "terms", "weights"))
        json_text(fields["kind"], "preprocessing kind", ("texts",))
        json_integer(fields["version"], "preprocessing version", _VERSION, _VERSION)
        terms = json_names(fields["terms"], "terms", 1_000_000)
        entries = json_list(fields["weights"], "weights of terms", 1_000_000)
        weights = tuple(json_number(value, "weight of a term") for value in entries)
        if not terms or len(terms) != len(weights):
            raise json_error("terms", "a weight for each term", len(weights))
        return cls(terms, weights)
