"""Language models of recurrent layers: how likely each next word is, given all words before.

Mikolov and others, "Recurrent neural network based language model" (2010); Zaremba, Sutskever
and Vinyals, "Recurrent Neural Network Regularization" (2014), for the layers and the dropout;
Press and Wolf, "Using the Output Embedding to Improve Language Models" (2017), for tied weights.
"""

from __future__ import annotations

import math
from typing import Any

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import Generator, Tensor, nn
from pellucid.base.errors import ArgumentError
from pellucid.models.sampling import check_sampling, sampled
from pellucid.nn.modes import evaluation

State = Any
"""(h, c) of an LSTM, h of the others, each (layers, B, features)."""


class RecurrentLanguageModel(nn.Module):
    """Embedding, recurrent layers, scores; the embedding's matrix is the one of the scores, too.

    ``cell`` is LSTM, GRU or RNN.  Word ids (T, B), int64, and the state that the words before
    left ((h, c) for an LSTM, h else, each (layers, B, features)), or None at the start → scores
    (T, B, words) of the word after each, and the new state.  Weights start uniform in ±0.1, those
    of the layers in ±1/√features.

    >>> import pellucid
    >>> model = RecurrentLanguageModel(words=50, features=16, cell="GRU")
    >>> scores, h = model(pellucid.zeros(35, 20, dtype=pellucid.int64))
    >>> scores.shape, h.shape
    (pellucid.Size([35, 20, 50]), pellucid.Size([2, 20, 16]))
    """

    def __init__(
        self,
        words: int,
        features: int = 200,
        layers: int = 2,
        dropout: float = 0.0,
        cell: str = "LSTM",
    ) -> None:
        super().__init__()
        if cell not in ("LSTM", "GRU", "RNN"):
            raise ArgumentError(
                f"RecurrentLanguageModel got cell={cell!r}", "cells are LSTM, GRU and RNN"
            )
        self.dropout = nn.Dropout(dropout)
        self.embedding = nn.Embedding(words, features)
        between = dropout if layers > 1 else 0.0
        self.layers = getattr(nn, cell)(features, features, layers, dropout=between)
        self.scores = nn.Linear(features, words)
        self.scores.weight = self.embedding.weight
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.zeros_(self.scores.bias)

    def forward(self, ids: Tensor, state: State = None) -> tuple[Tensor, State]:
        """(T, B) → scores (T, B, words) and the state after the last word."""
        x = self.dropout(self.embedding(ids))
        x, state = self.layers(x, state)
        return self.scores(self.dropout(x)), state

    def loss(self, ids: Tensor, targets: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Mean cross-entropy, in nats a word, of ``targets`` (T, B), and the state without its
        history: the next part of the text goes on from it (truncated back-propagation)."""
        scores, state = self(ids, state)
        loss = F.cross_entropy(scores.flatten(0, 1), targets.flatten())
        if isinstance(state, tuple):
            return loss, tuple(part.detach() for part in state)
        return loss, state.detach()

    def log_probability(self, ids: Tensor) -> Tensor:
        """log P(second to last word | first), the sum over each text: (T, B) → (B,)."""
        scores, _ = self(ids[:-1])
        logs = scores.log_softmax(-1)
        return logs.gather(-1, ids[1:].unsqueeze(-1)).squeeze(-1).sum(0)

    def generate(
        self,
        start: Tensor,
        length: int,
        skip: tuple[int, ...] = (),
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Words (length, B) drawn one after the other from the model's own distribution.

        ``start`` (T, B) are the words before; ``skip`` are ids that must not come; the others are
        as for :meth:`GPT.generate`.
        """
        check_sampling(temperature, top_k, top_p)
        drawn = []
        with evaluation(self), pellucid.no_grad():
            scores, state = self(start)
            for _ in range(length):
                scores = scores[-1].clone()
                scores[:, list(skip)] = -math.inf
                token = sampled(scores, temperature, top_k, top_p, generator)
                drawn.append(token.squeeze(-1))
                scores, state = self(token.reshape(1, -1), state)
        return pellucid.stack(drawn) if drawn else start[:0]


class LSTMLanguageModel(RecurrentLanguageModel):
    """:class:`RecurrentLanguageModel` of LSTM layers.

    >>> import pellucid
    >>> model = LSTMLanguageModel(words=50, features=16)
    >>> scores, (h, c) = model(pellucid.zeros(35, 20, dtype=pellucid.int64))
    >>> scores.shape, h.shape
    (pellucid.Size([35, 20, 50]), pellucid.Size([2, 20, 16]))
    """

    def __init__(
        self, words: int, features: int = 200, layers: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__(words, features, layers, dropout, "LSTM")
