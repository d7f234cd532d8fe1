"""Drawing the next token from a model's scores."""

from __future__ import annotations

import math

import pellucid
from pellucid import Generator, Tensor
from pellucid.base.errors import ArgumentError


def check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """``ArgumentError`` for settings that mean nothing."""
    wrong = not 0 <= temperature < math.inf
    wrong |= top_k is not None and top_k < 1
    wrong |= top_p is not None and not 0 < top_p <= 1
    if wrong:
        raise ArgumentError(
            f"generate got temperature={temperature}, top_k={top_k}, top_p={top_p}",
            "temperature is at least 0, top_k at least 1 or None, top_p above 0 and at most 1 or "
            "None",
        )


def sampled(
    scores: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """One token for each row, drawn by softmax(scores / temperature): (N, V) → int64 (N, 1).

    ``temperature=0`` takes the likeliest.  ``top_k`` leaves all but the k likeliest out;
    ``top_p`` all but the fewest whose probabilities sum to at least p (nucleus sampling: Holtzman
    and others, 2020).
    """
    if temperature == 0:
        return scores.argmax(-1, keepdim=True)
    scores = scores / temperature
    if top_k is not None and top_k < scores.shape[-1]:
        least = scores.topk(top_k, -1)[0].amin(-1, keepdim=True)
        scores = pellucid.where(scores < least, -math.inf, scores)
    chances = scores.softmax(-1)
    if top_p is not None and top_p < 1:
        ordered = chances.sort(-1, descending=True)[0]
        before = ordered.cumsum(-1) - ordered  # what the likelier ones have together
        least = pellucid.where(before < top_p, ordered, math.inf).amin(-1, keepdim=True)
        chances = pellucid.where(chances < least, 0.0, chances)
    return pellucid.multinomial(chances, 1, generator=generator)
