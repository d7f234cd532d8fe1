"""word2vec trained on a text: vectors of words, their neighbours, analogies and a map.

>>> vectors = train_word2vec(words, features=100, epochs=5)             # doctest: +SKIP
>>> vectors.most_similar("king"), vectors.analogy("man", "king", "woman")   # doctest: +SKIP

Skip-gram and CBOW, negative sampling, hierarchical softmax, windows of random size, frequent words
left out at random, and a learning rate that falls to nothing are Mikolov and others' (2013).  What
differs is the order of the arithmetic: some hundred words form a step.  Their scores come from the
vectors before it, all changes are added up (words that occur several times collect theirs), and
the noise words of a centre are shared by its neighbours (in CBOW those of a step by all its
words), so that a step is a handful of small matrix products (Ji, Satish, Li and Dubey,
"Parallelizing Word2Vec in Shared and Distributed Memory", 2016).  Threads share the products and
nobody writes where another one reads, so that the same seed gives the same bits on any number of
threads.
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
from pellucid.nn.functional.activation import softplus
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
_POOL = 4
"""Words of a step for each noise word of its pool."""
_PIECE = 32
"""Words of a piece of a step, whose neighbours one product adds up."""
_LANES = 32
"""In CBOW vectors are as long as a multiple of this, zeros at their ends: no loop has a rest.
The larger products of skip-gram lose more by it than they win."""


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
    trainer = _Steps(model, len(kept), outputs, features, window, size, drawn)
    losses: list[float] = []
    rate = learning_rate or (0.025 if model == "skipgram" else 0.05)
    seen = 0
    for epoch in range(epochs):
        chosen = _subsampled(ids, frequencies, sample, drawn)
        text, owners = ids[chosen], texts_of[chosen]
        rates = rate * np.maximum(1e-4, 1 - (epoch + np.arange(len(text)) / len(text)) / epochs)
        batches = _batches(text, owners, rates, window, trainer.shape, outputs, drawn)
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
        self._table = np.searchsorted(bounds, places).clip(max=len(weights) - 1).astype(np.int32)
        self.rows, self.negative = len(frequencies), negative
        self.visits = frequencies / frequencies.sum() + negative * weights / weights.sum()
        """How often a word is meant for each that is guessed."""
        self.pooled = 0
        """Noise words that a whole step shares; 0: each centre has its own."""

    def of(self, targets: npt.NDArray[Any], drawn: np.random.Generator) -> list[npt.NDArray[Any]]:
        """Noise words for ``targets`` (steps, size), int32 (steps, size, negative) or (steps,
        pooled)."""
        steps, size = targets.shape
        shape = (steps, self.pooled) if self.pooled else (steps, size, self.negative)
        return [self._table[drawn.integers(0, _TABLE, shape, np.int32)]]


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
        self.rows, lengths = max(1, words - 1), np.array([len(way) for way in ways])
        nodes = np.array([node for way in ways for node, _ in way])
        signs = np.array([2 * label - 1 for way in ways for _, label in way], np.float32)
        walker = np.repeat(np.arange(words), lengths)
        visits = np.bincount(nodes, (frequencies / frequencies.sum())[walker], self.rows)
        order = np.argsort(-visits, kind="stable")
        self.visits = visits[order]
        """How often a node is met for each word that is guessed: those met most come first."""
        within = np.arange(len(nodes)) - np.repeat(lengths.cumsum() - lengths, lengths)
        # Behind a way's end stand nodes that everybody meets, each once: they are in cache.
        self.nodes = np.tile(np.arange(lengths.max(), dtype=np.int32) % self.rows, (words, 1))
        self.signs = np.zeros(self.nodes.shape, np.float32)
        self.nodes[walker, within] = np.argsort(order)[nodes]
        self.signs[walker, within] = signs

    def of(self, targets: npt.NDArray[Any], drawn: np.random.Generator) -> list[npt.NDArray[Any]]:
        """Nothing is drawn."""
        return []


Batch = tuple[npt.NDArray[Any], ...]


def _batches(
    text: Ids,
    owners: Ids,
    rates: npt.NDArray[np.float64],
    window: int,
    shape: tuple[int, int],
    outputs: _Noise | _Tree,
    drawn: np.random.Generator,
) -> Iterator[Batch]:
    """Blocks of whole steps of ``shape`` (pieces, words): ids and owners (steps, pieces, words +
    2 · window) of the pieces of text, how far each word sees (steps, pieces, words), rates (steps,)
    and what ``outputs`` needs besides."""
    pieces, words = shape
    size = pieces * words
    whole = -(-len(text) // size) * size + 2 * window
    known = np.zeros((2, whole), np.int32)
    known[1] = -1
    known[:, window : window + len(text)] = text, owners
    targets = known[0, window : whole - window].reshape(-1, size)
    shown = np.lib.stride_tricks.sliding_window_view(known, words + 2 * window, 1)[:, ::words]
    for at in range(0, len(text), size * _STEPS):
        steps = min(_STEPS, -(-(len(text) - at) // size))
        reach = drawn.integers(1, window + 1, (steps, pieces, words), np.int32)
        first, number = at // words, at // size
        around = shown[:, first : first + steps * pieces].reshape(2, steps, pieces, -1)
        rate = rates[at : at + steps * size : size].astype(np.float32)
        others = outputs.of(targets[number : number + steps], drawn)
        yield (around[0].copy(), around[1].copy(), reach, rate, *others)


class _Steps:
    """Both tables of vectors, and the compiled step that changes them."""

    def __init__(
        self, model: str, words: int, outputs: _Noise | _Tree, features: int, window: int,
        size: int, drawn: np.random.Generator,
    ) -> None:  # fmt: skip
        padded = -(-features // _LANES) * _LANES if model == "cbow" else features
        start = np.zeros((words, padded), np.float32)
        start[:, :features] = (drawn.random((words, features), np.float32) - 0.5) / features
        self._seen, self._features = pellucid.tensor(start), features
        self._guessed = pellucid.zeros(outputs.rows, padded)
        self._window, self._size = window, size
        piece = _PIECE if model == "cbow" and size % _PIECE == 0 else size
        self.shape = size // piece, piece
        """Pieces of a step, and words of a piece."""
        distances = np.arange(piece + 2 * window) - np.arange(piece)[:, None] - window
        self._distances = pellucid.tensor(np.abs(distances).astype(np.int32))
        self._visits = pellucid.tensor(outputs.visits.astype(np.float32) * size)
        if isinstance(outputs, _Tree):
            self._nodes = pellucid.tensor(outputs.nodes)
            self._signs = pellucid.tensor(outputs.signs)
        else:
            outputs.pooled = max(outputs.negative, size // _POOL) if model == "cbow" else 0
            self._negative = outputs.negative
        steps = self._skipgram if model == "skipgram" else self._cbow
        self._step = pellucid.compile(steps)

    @property
    def vectors(self) -> Floats:
        """The vectors of all words."""
        return np.array(self._seen.numpy()[:, : self._features])

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

    # ---- skip-gram -------------------------------------------------------------------------

    def _skipgram(
        self, text: Tensor, owners: Tensor, reach: Tensor, rate: Tensor,
        noise: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Each neighbour guesses by itself: scores (size, neighbours, width)."""
        near, marks = self._neighbours(text[0], owners[0], reach[0])
        ids, signs = self._turns(self._centres(text), noise)
        seen, guessed = self._seen[near], self._guessed[ids]
        scores = (seen @ guessed.transpose(1, 2)) * signs.unsqueeze(1)
        there = marks.unsqueeze(2) * signs.abs().unsqueeze(1)
        wrong = (-scores).sigmoid() * marks.unsqueeze(2) * signs.unsqueeze(1) * rate
        shares = self._shares(ids, rate, self._window + 1)
        self._change(self._seen, near, wrong @ guessed)
        self._change(self._guessed, ids, (wrong * shares.unsqueeze(1)).transpose(1, 2) @ seen)
        # The last axis is summed by itself: its rows are read as they lie in memory.
        losses = (softplus(-scores) * there).sum(2).sum()
        return pellucid.stack([losses, marks.sum()])

    def _neighbours(self, text: Tensor, owners: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
        """Ids and marks (size, 2 · window) of the neighbours of each word."""
        window = self._window
        offsets = np.array([k for k in range(-window, window + 1) if k])
        places = np.arange(self._size)[:, None] + offsets + window
        own = owners[window : window + self._size].unsqueeze(1)
        far = pellucid.tensor(np.abs(offsets).astype(np.int32))
        place = pellucid.tensor(places)
        near = (far <= reach.unsqueeze(1)) & (owners[place] == own) & (own >= 0)
        return text[place], near.float()

    def _turns(self, targets: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        """Ids and signs (size, width) of what is guessed: the nodes on the way to the target and
        the turns there, or the target, 1, and its noise, −1, in which the target counts 0."""
        if noise is None:
            return self._nodes[targets], self._signs[targets]
        right = targets.unsqueeze(1)
        noises = (noise != right).float()
        return pellucid.cat([right, noise], 1), pellucid.cat([noises[:, :1] * 0 + 1, -noises], 1)

    # ---- CBOW ------------------------------------------------------------------------------

    def _cbow(
        self, text: Tensor, owners: Tensor, reach: Tensor, rate: Tensor, *others: Tensor
    ) -> Tensor:
        """The mean of the neighbours guesses.

        Words next to each other share neighbours, so that each vector is fetched and changed once
        for a piece of text: means are products with a band matrix of zeros and ones.
        """
        window = self._window
        own = owners[:, window:-window].unsqueeze(2)
        far = self._distances
        near = (far <= reach.unsqueeze(2)) & (far > 0) & (owners.unsqueeze(1) == own) & (own >= 0)
        band = near.float()
        number = band.sum(2)
        means = (band @ self._seen[text]) / number.clamp(min=1).unsqueeze(2)
        mean, there = means.reshape(self._size, -1), (number > 0).float().reshape(-1)
        targets = self._centres(text)
        guess = self._tell_apart if others else self._climb
        losses, change = guess(mean, there, targets, rate, *others)
        # As in the original program each neighbour takes the whole change, not its share.
        self._change(self._seen, text, band.transpose(1, 2) @ change.reshape(means.shape))
        return pellucid.stack([losses, there.sum()])

    def _climb(
        self, mean: Tensor, there: Tensor, targets: Tensor, rate: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Losses, and the changes of the means, of guessing along the tree."""
        ids, signs = self._turns(targets, None)
        signs = signs * there.unsqueeze(1)
        scores = (mean.unsqueeze(1) * self._guessed[ids]).sum(2) * signs
        wrong = (-scores).sigmoid() * signs * rate
        change = (wrong.unsqueeze(2) * self._guessed[ids]).sum(1)
        shared = wrong * self._shares(ids, rate)
        self._change(self._guessed, ids, shared.unsqueeze(2) * mean.unsqueeze(1))
        return (softplus(-scores) * signs.abs()).sum(1).sum(), change

    def _tell_apart(
        self, mean: Tensor, there: Tensor, targets: Tensor, rate: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Losses, and the changes of the means, of telling the target from noise.

        All words of a step share a pool of noise words, each counted for less than one: the same
        mean over draws as with noise words of its own, with less variance, as a product.
        """
        pool = noise.shape[0]
        each = self._negative / pool
        right, wrong = self._guessed[targets], self._guessed[noise]
        score, others = (mean * right).sum(1), mean @ wrong.t()
        counted = (noise != targets.unsqueeze(1)).float() * (each * there).unsqueeze(1)
        up, down = (-score).sigmoid() * there * rate, -others.sigmoid() * counted * rate
        change = up.unsqueeze(1) * right + down @ wrong
        visits = self._visits[noise] + self._size * each
        shares = 1 / (1 + 0.25 * rate * visits)
        down = down * shares
        up = up * self._shares(targets, rate)
        changes = pellucid.cat([down.t() @ mean, up.unsqueeze(1) * mean])
        self._change(self._guessed, pellucid.cat([noise, targets.int()]), changes)
        losses = (softplus(others) * counted).sum(1).sum()
        return losses + (softplus(-score) * there).sum(), change

    # ---- both ------------------------------------------------------------------------------

    def _centres(self, text: Tensor) -> Tensor:
        """The words that are guessed, (size,)."""
        return text[:, self._window : -self._window].reshape(-1)

    def _shares(self, ids: Tensor, rate: Tensor, guesses: int = 1) -> Tensor:
        """Of a row's change: a row that a step changes n times with scores from before it goes no
        farther than the curvature of n logistic losses allows."""
        return 1 / (1 + 0.25 * guesses * rate * self._visits[ids])

    def _change(self, table: Tensor, rows: Tensor, changes: Tensor) -> None:
        table.index_add_(0, rows.reshape(-1), changes.reshape(-1, table.shape[1]))
