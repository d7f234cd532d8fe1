"""How good a language model is, and whether it only recites."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pellucid.base.errors import ArgumentError


def perplexity(loss: float) -> float:
    """exp(mean cross-entropy in nats): among how many equally likely tokens the model wavers.

    1 for one that is always sure and right; V for one that takes all V tokens for equally
    likely.  State over which tokens the mean was taken.

    >>> round(perplexity(math.log(10_000)))
    10000
    """
    return math.exp(loss)


def ngram_overlap(sample: Sequence[Any], training: Sequence[Any], n: int) -> float:
    """The share of runs of ``n`` tokens of ``sample`` that also occur in ``training``, 0 to 1.

    Near 1 for short runs, as every text is made of known words; near 1 for long ones too if a
    model has learned its training text by heart.

    >>> ngram_overlap("abcx", "zabcz", 2)
    0.6666666666666666
    """
    if n < 1 or len(sample) < n:
        raise ArgumentError(
            f"ngram_overlap got n={n} and a sample of {len(sample)} tokens",
            "use n from 1 to the length of the sample",
        )
    known = {tuple(training[i : i + n]) for i in range(len(training) - n + 1)}
    runs = [tuple(sample[i : i + n]) for i in range(len(sample) - n + 1)]
    return sum(run in known for run in runs) / len(runs)
