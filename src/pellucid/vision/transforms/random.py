"""Random numbers of the transforms: from Pellucid's generator, so that ``manual_seed`` and the
seeds of a loader's workers decide them."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.tensor.creation import tensor
from pellucid.tensor.random import multinomial, rand, randint, randperm


def uniform(low: float, high: float) -> float:
    """A number between two."""
    return low + (high - low) * float(rand(1).item())


def whole(low: int, high: int) -> int:
    """A whole number from ``low`` up to and without ``high``."""
    return int(randint(low, high, (1,)).item())


def happens(p: float) -> bool:
    """True with probability ``p``."""
    return float(rand(1).item()) < p


def order(count: int) -> list[int]:
    """The numbers from 0 to count − 1 in random order."""
    return [int(number) for number in randperm(count).tolist()]


def chosen(count: int, weights: Sequence[float] | None = None) -> int:
    """One of ``count`` places, with the given chances."""
    if weights is None:
        return whole(0, count)
    return int(multinomial(tensor([float(w) for w in weights]), 1).item())
