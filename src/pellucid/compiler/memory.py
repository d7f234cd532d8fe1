"""One arena for all intermediate values: who may use which bytes, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALIGNMENT = 64
"""Bytes; a cache line, and the widest vector."""


@dataclass(frozen=True)
class Lifetime:
    """A buffer: its size in bytes and the first and last step at which it is needed."""

    size: int
    first: int
    last: int


def plan_memory(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """Offsets of buffers in an arena, and its size.

    Largest buffer first, each at the lowest place where no buffer alive at the same time lies
    (the greedy-by-size strategy of Pisarchyk and Lee, 2020).
    """
    order = sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].size, lifetimes[i].first, i))
    # Rows of what is placed already: first and last step, begin and end in the arena.
    placed = np.zeros((4, len(lifetimes)), np.int64)
    offsets = [0] * len(lifetimes)
    total = 0
    for count, i in enumerate(order):
        own = lifetimes[i]
        firsts, lasts, begins, ends = placed[:, :count]
        together = np.flatnonzero((firsts <= own.last) & (lasts >= own.first))
        place = 0
        for j in together[np.lexsort((ends[together], begins[together]))]:
            if place + own.size <= begins[j]:
                break
            place = max(place, -(-int(ends[j]) // ALIGNMENT) * ALIGNMENT)
        offsets[i] = place
        placed[:, count] = own.first, own.last, place, place + own.size
        total = max(total, place + own.size)
    return offsets, -(-total // ALIGNMENT) * ALIGNMENT
