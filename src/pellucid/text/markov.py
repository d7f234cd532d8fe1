"""The simplest language model: the next token depends on the present one alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.text.measures import perplexity


class BigramModel:
    """P(next | present) as counted in a text: a Markov chain of first order (Markov, 1913).

    ``smoothing`` is added to every count, so that what was never seen is not impossible
    (Laplace's rule for 1); with 0 a token that never was followed by anything has no next one.

    >>> model = BigramModel([0, 1, 0, 2, 0, 1], tokens=3)
    >>> model.probabilities[0].tolist()
    [0.0, 0.6666666666666666, 0.3333333333333333]
    """

    def __init__(self, ids: Any, tokens: int, smoothing: float = 0.0) -> None:
        text = np.asarray(ids, np.int64)
        if text.ndim != 1 or text.size < 2 or text.min() < 0 or text.max() >= tokens:
            raise ArgumentError(
                f"BigramModel got ids of shape {text.shape} for {tokens} tokens",
                f"give one text of at least 2 ids from 0 to {tokens - 1}",
            )
        counts = np.full((tokens, tokens), float(smoothing))
        np.add.at(counts, (text[:-1], text[1:]), 1)
        total = counts.sum(1, keepdims=True)
        self.probabilities: npt.NDArray[np.float64] = np.divide(
            counts, total, np.zeros_like(counts), where=total > 0
        )
        """[i, j] = P(j comes after i), float64 (tokens, tokens); rows sum to 1."""

    def log_probability(self, ids: Any) -> float:
        """Σ log P(next | present) over a text, in nats; −∞ where something never happened."""
        text = np.asarray(ids, np.int64)
        steps = self.probabilities[text[:-1], text[1:]]
        with np.errstate(divide="ignore"):
            return float(np.log(steps).sum())

    def perplexity(self, ids: Any) -> float:
        """exp(−mean log P) over all tokens but the first; infinite for an impossible text."""
        mean = -self.log_probability(ids) / (len(ids) - 1)
        return perplexity(mean) if math.isfinite(mean) else math.inf

    def generate(self, start: int, length: int, seed: int = 0) -> npt.NDArray[np.int64]:
        """``length`` ids drawn one after the other, after ``start``; ends early at a dead end."""
        drawn = np.random.default_rng(seed)
        found: list[int] = []
        now = start
        while len(found) < length and self.probabilities[now].any():
            now = int(drawn.choice(len(self.probabilities), p=self.probabilities[now]))
            found.append(now)
        return np.array(found, np.int64)
