"""Language models of counts: the next token depends on the few before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.text.measures import perplexity

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class NGramModel:
    """P(next | the n − 1 tokens before), as counted in a text and smoothed (Kneser and Ney, 1995;
    interpolated, as by Chen and Goodman, 1998).

    P_n(w | h) = max(c(hw) − D, 0) / c(h) + D · N(h) / c(h) · P_{n−1}(w | h'), with N(h) the number
    of different tokens that follow h, and h' what is left of h without its first token.  The
    shorter ones count after how many different tokens a run occurs, not how often; under all of
    them lies 1 / ``tokens``.  The discount D is n₁ / (n₁ + 2 n₂) of the numbers of runs that
    occur once and twice (Ney, Essen and Kneser, 1994).

    ``ids`` is one text (n,) or several; runs do not cross from one into the next.

    >>> model = NGramModel([0, 1, 0, 2, 0, 1, 0, 1], tokens=3, order=2)
    >>> model.distribution([0]).round(3).tolist()
    [0.125, 0.688, 0.188]
    """

    def __init__(self, ids: Any, tokens: int, order: int = 3) -> None:
        texts = _texts(ids)
        if not 1 <= order <= 20 or tokens < 1:
            raise ArgumentError(
                f"NGramModel got order={order}, tokens={tokens}", "Use an order from 1 to 20."
            )
        for text in texts:
            if text.size and (text.min() < 0 or text.max() >= tokens):
                raise ArgumentError(
                    f"NGramModel got ids from {text.min()} to {text.max()} for {tokens} tokens",
                    f"Ids are 0 to {tokens - 1}.",
                )
        if sum(text.size for text in texts) < 2:
            raise ArgumentError("NGramModel got fewer than 2 tokens", "Give a longer text.")
        self.tokens, self.order = tokens, order
        self._levels: list[_Level] = []
        self._count(texts)

    def _count(self, texts: Sequence[Ids]) -> None:
        """The runs of each length, with what follows them."""
        ends = [np.zeros(text.size, np.int64) for text in texts]  # the empty run
        found = []
        for length in range(1, self.order + 1):
            # The number of the run that ends before a token, and the token, are the longer run.
            keys = [_joined(end, text, length, self.tokens) for end, text in zip(ends, texts)]  # noqa: B905
            runs, counts = np.unique(
                np.concatenate([key[key >= 0] for key in keys]), return_counts=True
            )
            found.append((runs, counts))
            ends = [_places(runs, key) for key in keys]
        for length in range(1, self.order + 1):
            runs, counts = found[length - 1]
            if length < self.order:
                longer = self._by_last(found, length + 1)
                counts = np.bincount(longer, minlength=len(runs))
            self._levels.append(_Level.of(runs, counts, self.tokens))

    def _by_last(self, found: list[tuple[Ids, Ids]], length: int) -> Ids:
        """For each different run of ``length`` tokens the number of the run without its first."""
        runs, places = found[length - 1][0], None
        columns = []
        for level in range(length, 0, -1):  # take the runs apart into their tokens
            keys = runs if places is None else found[level - 1][0][places]
            columns.append(keys % self.tokens)
            places = keys // self.tokens
        tokens = columns[::-1][1:]
        number = np.zeros(len(runs), np.int64)
        for level, column in enumerate(tokens, 1):
            number = _places(found[level - 1][0], number * self.tokens + column)
        return number[number >= 0]

    def log_probabilities(self, ids: Any) -> Floats:
        """ln P of each token of a text after those before it, (n,)."""
        text = np.asarray(ids, np.int64)
        chances = np.full(text.size, 1.0 / self.tokens)
        ends = np.zeros(text.size, np.int64)
        for length, level in enumerate(self._levels, 1):
            before = np.concatenate([[-1], ends[:-1]]) if length > 1 else ends
            keys = np.where(before >= 0, before * self.tokens + text, -1)
            chances = level.mixed(chances, before, keys)
            ends = _places(level.runs, keys)
        found: Floats = np.log(chances)
        return found

    def log_probability(self, ids: Any) -> float:
        """ln P of a text, the sum over its tokens, in nats."""
        return float(self.log_probabilities(ids).sum())

    def perplexity(self, ids: Any) -> float:
        """exp(−mean ln P) over all tokens of a text, or of several."""
        texts = _texts(ids)
        total = sum(self.log_probability(text) for text in texts)
        return perplexity(-total / max(1, sum(text.size for text in texts)))

    def distribution(self, before: Any) -> Floats:
        """P of each token (tokens,) after the tokens ``before``; sums to 1."""
        context = np.asarray(before, np.int64)
        chances = np.full(self.tokens, 1.0 / self.tokens)
        every = np.arange(self.tokens)
        for length, level in enumerate(self._levels, 1):
            if length - 1 > context.size:
                break
            run = self._number(context[context.size - (length - 1) :])
            if run < 0:
                break
            before_each = np.full(self.tokens, run)
            chances = level.mixed(chances, before_each, run * self.tokens + every)
        return chances

    def _number(self, context: Ids) -> int:
        """The number of a run of tokens, −1 where it never occurred."""
        run = np.zeros(1, np.int64)
        for level, token in zip(self._levels, context.tolist(), strict=False):
            run = _places(level.runs, run * self.tokens + token)
            if run[0] < 0:
                return -1
        return int(run[0])

    def generate(self, start: Any, length: int, seed: int = 0) -> Ids:
        """``length`` ids drawn one after the other, after those of ``start``."""
        drawn = np.random.default_rng(seed)
        text = [int(i) for i in np.asarray(start, np.int64).ravel()]
        begun = len(text)
        for _ in range(length):
            chances = self.distribution(text[max(0, len(text) - self.order + 1) :])
            text.append(int(drawn.choice(self.tokens, p=chances / chances.sum())))
        return np.array(text[begun:], np.int64)


class _Level:
    """Runs of one length: ``runs`` are (number of the run before the last token) · tokens + token,
    sorted; ``counts`` how often each counts; ``totals`` and ``kinds`` by the run before."""

    def __init__(self, runs: Ids, counts: Ids, totals: Ids, kinds: Ids, discount: float) -> None:
        self.runs, self.counts, self.totals, self.kinds = runs, counts, totals, kinds
        self.discount = discount

    @classmethod
    def of(cls, runs: Ids, counts: Ids, tokens: int) -> _Level:
        before = runs // tokens
        size = int(before.max()) + 1 if len(before) else 1
        totals = np.bincount(before, counts, size).astype(np.int64)
        kinds = np.bincount(before[counts > 0], minlength=size)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        discount = once / (once + 2 * twice) if once and twice else 0.5
        return cls(runs, counts, totals, kinds, discount)

    def mixed(self, shorter: Floats, before: Ids, keys: Ids) -> Floats:
        """This length's probabilities, from the shorter one's."""
        known = (before >= 0) & (before < len(self.totals))
        run = np.where(known, before, 0)
        totals = np.where(known, self.totals[run], 0)
        places = _places(self.runs, np.where(known, keys, -1))
        counts = np.where(places >= 0, self.counts[places], 0)
        divisor = np.maximum(totals, 1)
        own = np.maximum(counts - self.discount, 0.0) / divisor
        rest = self.discount * self.kinds[run] / divisor
        found: Floats = np.where(totals > 0, own + rest * shorter, shorter)
        return found


def _joined(ends: Ids, text: Ids, length: int, tokens: int) -> Ids:
    """The keys of the runs that end at each token; −1 where a text has not so many before."""
    before = ends if length == 1 else np.concatenate([[-1], ends[:-1]])
    return np.where(before >= 0, before * tokens + text, -1)


def _places(runs: Ids, keys: Ids) -> Ids:
    """Where the keys stand among the runs, −1 where they do not."""
    if not len(runs):
        return np.full(keys.shape, -1)
    at = np.minimum(np.searchsorted(runs, keys), len(runs) - 1)
    return np.where(runs[at] == keys, at, -1)


def _texts(ids: Any) -> list[Ids]:
    """One text, or several."""
    if len(ids) and np.ndim(ids[0]) == 1:
        return [np.asarray(text, np.int64) for text in ids]
    text = np.asarray(ids, np.int64)
    if text.ndim != 1:
        raise ArgumentError(
            f"NGramModel got ids of shape {text.shape}", "Give one text (n,), or a list of texts."
        )
    return [text]


def bits_per_character(nats: float, characters: int) -> float:
    """A text's −ln P in nats as bits for each of its characters, which can be compared between
    models that cut the text in different ways."""
    if characters < 1:
        raise ArgumentError(f"bits_per_character got characters={characters}", "Give at least 1.")
    return nats / math.log(2) / characters
