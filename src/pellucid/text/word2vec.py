"""word2vec: vectors of words from guessing words by their neighbours.

Mikolov, Chen, Corrado and Dean, "Efficient Estimation of Word Representations in Vector Space"
(2013), and, for negative sampling, Mikolov and others, "Distributed Representations of Words and
Phrases and their Compositionality" (2013).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError
from pellucid.nn.functional.activation import logsigmoid
from pellucid.nn.functional.loss import cross_entropy

Ids = npt.NDArray[np.int64]


def windows(ids: Tensor, window: int = 1) -> tuple[Ids, Ids]:
    """(contexts, targets) of a text (n,): each word with ``window`` neighbours on either side.

    Contexts int64 (n − 2·window, 2·window), targets (n − 2·window,); words at the ends, which
    have fewer neighbours, are no targets.

    >>> contexts, targets = windows([0, 1, 2, 3])
    >>> contexts.tolist(), targets.tolist()
    ([[0, 2], [1, 3]], [1, 2])
    """
    text = np.asarray(ids, np.int64)
    if window < 1 or text.ndim != 1 or len(text) <= 2 * window:
        raise ArgumentError(
            f"windows got window={window} and ids of shape {text.shape}",
            "give one text (n,) longer than 2 · window, and a window of at least 1",
        )
    around = np.lib.stride_tricks.sliding_window_view(text, 2 * window + 1)
    neighbours = [place for place in range(2 * window + 1) if place != window]
    return around[:, neighbours].copy(), text[window:-window].copy()


class Noise:
    """Draws words that are not the answer: P(word) ∝ count^power.

    A power below 1 gives rare words a larger share than they have in the text (0.75 by default).
    """

    def __init__(self, ids: Tensor, words: int, power: float = 0.75) -> None:
        weights = np.bincount(np.asarray(ids, np.int64), minlength=words).astype(np.float64)
        weights = np.where(weights > 0, weights**power, 0.0)
        self.probabilities: npt.NDArray[np.float64] = weights / weights.sum()
        """Of each word, float64 (words,)."""

    def draw(self, rows: int, count: int, rng: np.random.Generator) -> Ids:
        """Ids int64 (rows, count)."""
        found: Ids = rng.choice(len(self.probabilities), (rows, count), p=self.probabilities)
        return found


class _Word2Vec(nn.Module):
    """Two tables of vectors: one for the words one sees, one for the words one guesses."""

    def __init__(self, words: int, features: int) -> None:
        super().__init__()
        self.seen = nn.Embedding(words, features)
        self.guessed = nn.Embedding(words, features)
        for table in (self.seen, self.guessed):
            nn.init.normal_(table.weight, 0.0, 0.1)

    def _loss(self, hidden: Any, targets: Tensor, noise: Any) -> Tensor:
        """Of guessing ``targets`` (N,) from ``hidden`` (N, D), among all words or among noise."""
        if noise is None:
            return cross_entropy(hidden.matmul(self.guessed.weight.t()), targets)
        right = (hidden * self.guessed(targets)).sum(-1)  # (N,)
        wrong = self.guessed(noise).matmul(hidden.unsqueeze(-1)).squeeze(-1)  # (N, K)
        return -(logsigmoid(right) + logsigmoid(-wrong).sum(-1)).mean()

    @property
    def vectors(self) -> npt.NDArray[np.float32]:
        """The vectors of all words, (words, features)."""
        found: npt.NDArray[np.float32] = self.seen.weight.detach().numpy()
        return found


class CBOW(_Word2Vec):
    """Continuous bag of words: a word is guessed from the mean vector of its neighbours."""

    def forward(self, contexts: Tensor) -> Tensor:
        """Mean vectors: ids (N, C) → (N, features)."""
        return self.seen(contexts).mean(1)

    def loss(self, contexts: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        """Mean loss, in nats, of guessing ``targets`` (N,) from ``contexts`` (N, C).

        With ``noise`` (N, K), ids of :class:`Noise`, negative sampling: −log σ(right score)
        − Σ log σ(−wrong score).  Without, cross-entropy among all words.
        """
        return self._loss(self(contexts), targets, noise)


class SkipGram(_Word2Vec):
    """Skip-gram: every neighbour is guessed from the word in the middle."""

    def forward(self, targets: Tensor) -> Tensor:
        """Vectors: ids (N,) → (N, features)."""
        return self.seen(targets)

    def loss(self, contexts: Tensor, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        """Mean loss, in nats, of guessing each of ``contexts`` (N, C) from ``targets`` (N,).

        With ``noise`` (N, C·K) ids negative sampling, K for each neighbour; see :class:`CBOW`.
        """
        rows, count = contexts.shape
        hidden = self(targets).unsqueeze(1).expand(-1, count, -1).reshape(rows * count, -1)
        if noise is not None:
            noise = noise.reshape(rows * count, -1)
        return self._loss(hidden, contexts.reshape(-1), noise)
