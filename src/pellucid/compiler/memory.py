"""One arena for all intermediate values: who may use which bytes, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    offsets = [0] * len(lifetimes)
    placed: list[int] = []
    total = 0
    for i in sorted(
        range(len(lifetimes)), key=lambda i: (-lifetimes[i].size, lifetimes[i].first, i)
    ):
        own = lifetimes[i]
        taken = sorted(
            (offsets[j], offsets[j] + lifetimes[j].size)
            for j in placed
            if lifetimes[j].first <= own.last and own.first <= lifetimes[j].last
        )
        place = 0
        for begin, end in taken:
            if place + own.size <= begin:
                break
            place = max(place, -(-end // ALIGNMENT) * ALIGNMENT)
        offsets[i] = place
        placed.append(i)
        total = max(total, place + own.size)
    return offsets, -(-total // ALIGNMENT) * ALIGNMENT
