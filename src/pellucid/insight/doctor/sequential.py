"""A test that may be looked at after every pair, with its error kept under control."""

from __future__ import annotations

import math
from collections.abc import Sequence

PRIOR = 0.15
"""1/deviation of the effect sizes that the mixture expects: large effects are what is hoped for."""


def evidence_of(differences: Sequence[float], prior: float = PRIOR) -> float:
    """How strongly paired differences speak against a mean of 0, as a number that may be looked at
    after each of them.

    The scale-invariant mixture of t likelihoods (Lai, 1976), for S = Σd, V = Σd², n of them:

        M = √(c²/(n + c²)) · ((n + c²)·V / ((n + c²)·V − S²))^(n/2)

    Where differences are normal with mean 0, of any unknown variance, M is a non-negative
    martingale with mean 1, so the chance that it ever reaches 1/α, at whatever pair one stops, is
    at most α (Ville's inequality; Wang and Ramdas, *Anytime-valid t-tests and confidence sequences
    for Gaussian means with unknown variance*, 2023).  It is 1 for one pair, and for n equal
    differences ((n + c²)/c²)^((n − 1)/2).
    """
    n, c = len(differences), prior * prior
    total, squares = sum(differences), sum(d * d for d in differences)
    if n < 2 or squares <= 0 or not math.isfinite(squares):
        return 1.0
    rest = max((n + c) * squares - total * total, 1e-12 * squares)
    power = 0.5 * n * math.log((n + c) * squares / rest) + 0.5 * math.log(c / (n + c))
    return math.exp(min(power, 700.0))
