"""word2vec trained on a text: vectors of words, their neighbours, analogies and a map.

>>> vectors = train_word2vec(words, features=100, epochs=5)             # doctest: +SKIP
>>> vectors.most_similar("king"), vectors.analogy("man", "king", "woman")   # doctest: +SKIP

Skip-gram and CBOW, negative sampling, hierarchical softmax, windows of random size, frequent words
left out at random, and a learning rate that falls to nothing are Mikolov and others' (2013).  What
differs is the order of the arithmetic: some hundred words form a step.  Their scores come from the
vectors before it, all changes are added up (words that occur several times collect theirs), and
the noise words of a centre are shared by its neighbours, so that a step is a handful of small
matrix products (Ji, Satish, Li and Dubey, "Parallelizing Word2Vec in Shared and Distributed
Memory", 2016).  Threads share the products and nobody writes where another one reads, so that the
same seed gives the same bits on any number of threads.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

import pellucid
from pellucid import Tensor
from pellucid.base.errors import ArgumentError, DataError
from pellucid.text.counts import analogy, most_similar
from pellucid.text.vocabulary import Vocabulary

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
MODELS = ("skipgram", "cbow")
_TABLE = 1 << 20
"""Entries of the table from which noise words are drawn."""
_STEPS = 64
"""Steps of one native call."""
_FEW_WORDS, _SMALL, _LARGE = 500, 32, 128
"""Words of a step, where there are few different ones, and else."""


@dataclass(eq=False)
class WordVectors:
    """Words with their vectors (words, features), float32; ``losses`` are the mean losses of the
    epochs, in nats for each word that was guessed."""

    vocabulary: Vocabulary
    vectors: Floats
    losses: list[float] = field(default_factory=list)
    words_seen: int = 0
    """Words that were learned from in all epochs, without those left out."""

    def __getitem__(self, word: str) -> Floats:
        (place,) = self.vocabulary.encode([word])
        found: Floats = self.vectors[place]
        return found

    def most_similar(self, word: str, count: int = 5) -> list[tuple[str, float]]:
        """The words whose vectors point most nearly the same way, with cosines."""
        return most_similar(word, self.vocabulary, self.vectors, count)

    def analogy(self, a: str, b: str, c: str, count: int = 5) -> list[tuple[str, float]]:
        """What is to ``c`` as ``b`` is to ``a``."""
        return analogy(a, b, c, self.vocabulary, self.vectors, count)


def train_word2vec(
    words: Sequence[str] | Iterable[Sequence[str]],
    *,
    model: str = "skipgram",
    features: int = 100,
    window: int = 5,
    negative: int = 5,
    sample: float = 1e-3,
    power: float = 0.75,
    min_count: int = 5,
    epochs: int = 5,
    learning_rate: float = 0.0,
    seed: int = 0,
    batch_size: int = 0,
    told: Callable[[int, float], None] | None = None,
) -> WordVectors:
    """Vectors of the words of a text, or of several texts (lists of words).

    ``model`` "skipgram" guesses the word in the middle from each neighbour by itself, "cbow" from
    the mean of all.  ``negative`` noise words are told apart from the right one, drawn by count^
    ``power``; 0 guesses along a Huffman tree (hierarchical softmax).  Neighbours stand up to
    ``window`` words away, a number drawn anew for each word.  A word of share f of the text is
    kept with probability √(``sample`` / f) + ``sample`` / f at most; 0 keeps all.  Words that occur
    fewer than ``min_count`` times are left out.  ``learning_rate`` (unless given 0.025 for
    skip-gram, 0.05 for CBOW) falls to a ten-thousandth, word by word.  ``batch_size`` is the words
    of a step.  ``told(epoch, loss)`` hears each epoch's mean loss.

    Raises ``ArgumentError`` for settings that are not allowed and ``DataError`` where no word
    occurs ``min_count`` times.
    """
    _check(model, features, window, negative, min_count, epochs, sample, learning_rate)
    texts = _texts(words)
    counts = Counter(word for text in texts for word in text)
    kept = sorted((w for w, c in counts.items() if c >= min_count), key=lambda w: (-counts[w], w))
    if len(kept) < 2:
        raise DataError(
            f"{len(kept)} words occur at least {min_count} times in the text",
            "Give a longer text, or a smaller min_count.",
        )
    vocabulary = Vocabulary(kept)
    ids, texts_of = _numbered(texts, vocabulary)
    frequencies = np.array([counts[word] for word in kept], np.float64)
    drawn = np.random.default_rng(seed)
    size = batch_size or (_SMALL if len(kept) < _FEW_WORDS else _LARGE)
    outputs = _Noise(frequencies, power, negative) if negative else _Tree(frequencies)
    trainer = _Steps(model, len(kept), outputs.rows, features, drawn)
    losses: list[float] = []
    rate = learning_rate or (0.025 if model == "skipgram" else 0.05)
    seen = 0
    for epoch in range(epochs):
        chosen = _subsampled(ids, frequencies, sample, drawn)
        text, owners = ids[chosen], texts_of[chosen]
        rates = rate * np.maximum(1e-4, 1 - (epoch + np.arange(len(text)) / len(text)) / epochs)
        around = _neighbours if model == "skipgram" else _bands
        batches = _batches(text, owners, rates, window, size, outputs, drawn, around)
        total, guessed = trainer.run(batches)
        seen += len(text)
        losses.append(total / max(guessed, 1.0))
        if told is not None:
            told(epoch + 1, losses[-1])
    return WordVectors(vocabulary, trainer.vectors, losses, seen)


def _check(
    model: str, features: int, window: int, negative: int, least: int, epochs: int,
    sample: float, rate: float,
) -> None:  # fmt: skip
    if model not in MODELS:
        raise ArgumentError(f"train_word2vec got model={model!r}", f"Use {' or '.join(MODELS)}.")
    if min(features, window, least, epochs) < 1 or min(negative, sample, rate) < 0:
        raise ArgumentError(
            f"train_word2vec got features={features}, window={window}, negative={negative}, "
            f"min_count={least}, epochs={epochs}, sample={sample:g}, learning_rate={rate:g}",
            "The first five are at least 1 (negative 0), the last two at least 0.",
        )


def _texts(words: Any) -> list[Sequence[str]]:
    """One text, or several."""
    listed = list(words)
    if listed and isinstance(listed[0], str):
        return [listed]
    return [list(text) for text in listed]


def _numbered(texts: list[Sequence[str]], vocabulary: Vocabulary) -> tuple[Ids, Ids]:
    """The known words of all texts as ids, and which text each is of."""
    known = vocabulary.ids
    parts = [[known[word] for word in text if word in known] for text in texts]
    lengths = [len(part) for part in parts]
    ids = np.array([number for part in parts for number in part], np.int64)
    return ids, np.repeat(np.arange(len(parts)), lengths)


def _subsampled(
    ids: Ids, frequencies: npt.NDArray[np.float64], sample: float, drawn: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which words stay: frequent ones are left out at random."""
    if sample == 0:
        return np.ones(len(ids), np.bool_)
    shares = frequencies / frequencies.sum()
    chances = np.minimum(1.0, np.sqrt(sample / shares) + sample / shares)
    found: npt.NDArray[np.bool_] = drawn.random(len(ids)) < chances[ids]
    return found


# ---- what is guessed ---------------------------------------------------------------------------


class _Noise:
    """The right word, and noise words that are not it."""

    def __init__(self, frequencies: npt.NDArray[np.float64], power: float, negative: int) -> None:
        weights = frequencies**power
        bounds = np.cumsum(weights) / weights.sum()
        places = (np.arange(_TABLE) + 0.5) / _TABLE
        self.table = np.searchsorted(bounds, places).clip(max=len(weights) - 1)
        self.rows, self.width = len(frequencies), 1 + negative
        self.labels = np.array([1.0] + [0.0] * negative, np.float32)
        self.visits = frequencies / frequencies.sum() + negative * weights / weights.sum()

    def of(self, targets: Ids, drawn: np.random.Generator) -> tuple[Ids, Floats, Floats]:
        """Ids, labels and marks (n, 1 + negative) of what is guessed; a noise word that is the
        right one does not count."""
        noise = self.table[drawn.integers(0, _TABLE, (len(targets), self.width - 1))]
        ids = np.concatenate([targets[:, None], noise], 1)
        counts = (ids != targets[:, None]).astype(np.float32)
        counts[:, 0] = 1.0
        return ids, np.broadcast_to(self.labels, ids.shape), counts


class _Tree:
    """The turns at the nodes of a Huffman tree on the way to the right word: frequent words have
    short ways (Morin and Bengio, 2005; Huffman, 1952)."""

    def __init__(self, frequencies: npt.NDArray[np.float64]) -> None:
        words = len(frequencies)
        heap = [(float(count), number) for number, count in enumerate(frequencies)]
        heapq.heapify(heap)
        above = np.zeros(2 * words - 1, np.int64)
        right = np.zeros(2 * words - 1, np.float32)
        for node in range(words, 2 * words - 1):
            (least, a), (more, b) = heapq.heappop(heap), heapq.heappop(heap)
            above[a], above[b], right[b] = node, node, 1.0
            heapq.heappush(heap, (least + more, node))
        ways = []
        for word in range(words):
            way, node = [], word
            while node != 2 * words - 2:
                way.append((int(above[node]) - words, float(1 - right[node])))
                node = int(above[node])
            ways.append(way[::-1])
        self.rows, self.width = max(1, words - 1), max(map(len, ways))
        self.nodes = np.zeros((words, self.width), np.int64)
        self.labels = np.zeros((words, self.width), np.float32)
        self.counts = np.zeros((words, self.width), np.float32)
        for word, way in enumerate(ways):
            self.nodes[word, : len(way)] = [node for node, _ in way]
            self.labels[word, : len(way)] = [label for _, label in way]
            self.counts[word, : len(way)] = 1.0
        shares = np.repeat(frequencies / frequencies.sum(), self.width)
        marked = self.counts.ravel() > 0
        self.visits = np.bincount(self.nodes.ravel()[marked], shares[marked], self.rows)

    def of(self, targets: Ids, drawn: np.random.Generator) -> tuple[Ids, Floats, Floats]:
        """Nodes, turns and marks (n, longest way) of what is guessed."""
        return self.nodes[targets], self.labels[targets], self.counts[targets]


Batch = tuple[npt.NDArray[Any], ...]
Around = Callable[[Ids, Ids, int, int, int, npt.NDArray[np.bool_]], tuple[Ids, Floats]]


def _batches(
    text: Ids,
    owners: Ids,
    rates: npt.NDArray[np.float64],
    window: int,
    size: int,
    outputs: _Noise | _Tree,
    drawn: np.random.Generator,
    around: Around,
) -> Iterator[Batch]:
    """Blocks of whole steps: what ``around`` gives, then what is guessed with labels, marks and
    shares of the change (steps, size, width), and rates (steps,)."""
    block, offsets = size * _STEPS, _offsets(window)
    whole = -(-len(text) // size) * size + window
    owner_of = np.full(whole + window, -1)
    owner_of[window : window + len(text)] = owners
    ids = np.zeros(whole + window, np.int64)
    ids[window : window + len(text)] = text
    for at in range(0, len(text), block):
        steps = min(_STEPS, -(-(len(text) - at) // size))
        places = np.arange(at, at + steps * size)
        reach = drawn.integers(1, window + 1, len(places))
        own = owner_of[places + window, None]
        near = owner_of[places[:, None] + offsets + window] == own
        near &= (np.abs(offsets) <= reach[:, None]) & (own >= 0)
        guessed, labels, counts = outputs.of(ids[places + window], drawn)
        rate = rates[places[::size]]
        # A row that a step changes n times with scores from before it goes no farther than the
        # curvature of n logistic losses allows.
        visits = outputs.visits[guessed] * size * (window + 1 if around is _neighbours else 1)
        shares = 1 / (1 + 0.25 * np.repeat(rate, size)[:, None] * visits)
        parts = (guessed, labels, counts, shares.astype(np.float32))
        shaped = (np.ascontiguousarray(part).reshape(steps, size, -1) for part in parts)
        yield (*around(ids, places, steps, size, window, near), *shaped, rate.astype(np.float32))


def _offsets(window: int) -> Ids:
    return np.array([k for k in range(-window, window + 1) if k])


def _neighbours(
    ids: Ids, places: Ids, steps: int, size: int, window: int, near: npt.NDArray[np.bool_]
) -> tuple[Ids, Floats]:
    """Ids and marks (steps, size, 2 · window) of the neighbours of each word."""
    found = np.where(near, ids[places[:, None] + _offsets(window) + window], 0)
    shape = (steps, size, 2 * window)
    return found.reshape(shape), near.astype(np.float32).reshape(shape)


def _bands(
    ids: Ids, places: Ids, steps: int, size: int, window: int, near: npt.NDArray[np.bool_]
) -> tuple[Ids, Floats]:
    """Ids (steps, size + 2 · window) of a piece of text, and which of them are near to each word
    in its middle, (steps, size, size + 2 · window): words next to each other share neighbours, so
    that each vector is fetched and changed once."""
    width = size + 2 * window
    rows = places[0] + np.arange(steps)[:, None] * size + np.arange(width)
    band = np.zeros((steps, size, width), np.float32)
    step, line, one = band.strides
    shape = (steps, size, 2 * window + 1)
    diagonal = np.lib.stride_tricks.as_strided(band, shape, (step, line + one, one))
    marks = near.reshape(steps, size, 2 * window)
    diagonal[..., :window], diagonal[..., window + 1 :] = marks[..., :window], marks[..., window:]
    return ids[rows], band


class _Steps:
    """Both tables of vectors, and the compiled step that changes them."""

    def __init__(
        self, model: str, words: int, rows: int, features: int, drawn: np.random.Generator
    ) -> None:
        start = (drawn.random((words, features), np.float32) - 0.5) / features
        self._seen = pellucid.tensor(start)
        self._guessed = pellucid.zeros(rows, features)
        self._step = pellucid.compile(self._skipgram if model == "skipgram" else self._cbow)

    @property
    def vectors(self) -> Floats:
        """The vectors of all words."""
        return np.array(self._seen.numpy())

    def run(self, batches: Iterator[Batch]) -> tuple[float, float]:
        """The sum of the losses of all batches, and the number of guesses."""
        total = guesses = 0.0
        with pellucid.no_grad():
            for batch in batches:
                given = [pellucid.as_tensor(part) for part in batch]
                found = self._step.many(len(given[0]), *given).numpy()
                total += float(found[:, 0].sum(dtype=np.float64))
                guesses += float(found[:, 1].sum(dtype=np.float64))
        return total, guesses

    def _skipgram(
        self, near: Tensor, marks: Tensor, ids: Tensor, labels: Tensor, counts: Tensor,
        shares: Tensor, rate: Tensor,
    ) -> Tensor:  # fmt: skip
        """Each neighbour guesses by itself: scores (size, neighbours, width)."""
        seen, guessed = self._seen[near], self._guessed[ids]
        scores = seen @ guessed.transpose(1, 2)
        there = marks.unsqueeze(2) * counts.unsqueeze(1)
        wrong = (labels.unsqueeze(1) - scores.sigmoid()) * there * rate
        self._change(self._seen, near, wrong @ guessed)
        self._change(self._guessed, ids, (wrong * shares.unsqueeze(1)).transpose(1, 2) @ seen)
        return _loss(scores, labels.unsqueeze(1), there, marks.sum())

    def _cbow(
        self, text: Tensor, band: Tensor, ids: Tensor, labels: Tensor, counts: Tensor,
        shares: Tensor, rate: Tensor,
    ) -> Tensor:  # fmt: skip
        """The mean of the neighbours guesses: scores (size, 1, width)."""
        number = band.sum(1)
        mean = (band @ self._seen[text]) / number.clamp(min=1).unsqueeze(1)  # (size, features)
        guessed, mean = self._guessed[ids], mean.unsqueeze(1)
        scores = mean @ guessed.transpose(1, 2)
        there = counts.unsqueeze(1) * (number > 0).float().reshape(-1, 1, 1)
        wrong = (labels.unsqueeze(1) - scores.sigmoid()) * there * rate
        # As in the original program each neighbour takes the whole change, not its share.
        self._change(self._seen, text, band.t() @ (wrong @ guessed).squeeze(1))
        self._change(self._guessed, ids, (wrong * shares.unsqueeze(1)).transpose(1, 2) @ mean)
        return _loss(scores, labels.unsqueeze(1), there, (number > 0).float().sum())

    def _change(self, table: Tensor, rows: Tensor, changes: Tensor) -> None:
        table.index_add_(0, rows.reshape(-1), changes.reshape(-1, table.shape[1]))


def _loss(scores: Tensor, labels: Tensor, there: Tensor, guesses: Tensor) -> Tensor:
    """(2,): the sum of −ln σ(±score), and the number of guesses."""
    losses = pellucid.nn.functional.softplus(scores) - labels * scores
    return pellucid.stack([(losses * there).sum((1, 2)).sum(), guesses])
