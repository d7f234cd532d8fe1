"""One arena for all intermediate values: who may use which bytes, and when."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALIGNMENT = 64
"""Bytes; a cache line, and the widest vector."""

MOST_COMPARED = 4096
"""Up to so many buffers each is compared with each other one, which packs them more tightly; more
than that, the chains of an unrolled loop, are placed in the order in which they are needed."""


@dataclass(frozen=True)
class Lifetime:
    """A buffer: its size in bytes and the first and last step at which it is needed."""

    size: int
    first: int
    last: int


def plan_memory(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """Offsets of buffers in an arena, and its size."""
    place = _by_size if len(lifetimes) <= MOST_COMPARED else _by_time
    offsets = place(lifetimes)
    ends = (offset + own.size for offset, own in zip(offsets, lifetimes, strict=True))
    return offsets, _aligned(max(ends, default=0))


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _by_size(lifetimes: Sequence[Lifetime]) -> list[int]:
    """Largest buffer first, each at the lowest place where no buffer alive at the same time lies.

    The greedy-by-size strategy of Pisarchyk and Lee (2020); the square of their number in time.
    """
    order = sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].size, lifetimes[i].first, i))
    # Rows of what is placed already: first and last step, begin and end in the arena.
    placed = np.zeros((4, len(lifetimes)), np.int64)
    offsets = [0] * len(lifetimes)
    for count, i in enumerate(order):
        own = lifetimes[i]
        firsts, lasts, begins, ends = placed[:, :count]
        together = np.flatnonzero((firsts <= own.last) & (lasts >= own.first))
        place = 0
        for j in together[np.lexsort((ends[together], begins[together]))]:
            if place + own.size <= begins[j]:
                break
            place = max(place, _aligned(int(ends[j])))
        offsets[i] = place
        placed[:, count] = own.first, own.last, place, place + own.size
    return offsets


def _by_time(lifetimes: Sequence[Lifetime]) -> list[int]:
    """In the order of their first steps, each in the smallest free stretch that holds it."""
    offsets = [0] * len(lifetimes)
    stretches = _Stretches()
    ending = sorted(range(len(lifetimes)), key=lambda i: lifetimes[i].last, reverse=True)
    for i in sorted(range(len(lifetimes)), key=lambda i: (lifetimes[i].first, i)):
        own = lifetimes[i]
        while lifetimes[ending[-1]].last < own.first:
            over = ending.pop()
            stretches.give_back(offsets[over], _aligned(lifetimes[over].size))
        offsets[i] = stretches.take(_aligned(own.size))
    return offsets


class _Stretches:
    """What of an arena is free: stretches that do not touch each other, and all above ``top``."""

    def __init__(self) -> None:
        self.top = 0
        self._by_size: list[tuple[int, int]] = []
        self._end_of: dict[int, int] = {}
        self._begin_of: dict[int, int] = {}

    def take(self, size: int) -> int:
        """Where ``size`` bytes are free: in the smallest stretch, in the lowest one of equals."""
        if size == 0:
            return 0
        position = bisect_left(self._by_size, (size, 0))
        if position < len(self._by_size):
            begin = self._by_size[position][1]
            end = self._remove(begin)
        else:
            begin = self._begin_of.get(self.top, self.top)
            if begin < self.top:
                self._remove(begin)
            end = self.top = begin + size
        if begin + size < end:
            self._add(begin + size, end)
        return begin

    def give_back(self, begin: int, size: int) -> None:
        """Bytes that are free again, together with what is free on both sides."""
        if size == 0:
            return
        end = begin + size
        if begin in self._begin_of:
            begin = self._begin_of[begin]
            self._remove(begin)
        if end in self._end_of:
            end = self._remove(end)
        self._add(begin, end)

    def _add(self, begin: int, end: int) -> None:
        self._end_of[begin], self._begin_of[end] = end, begin
        insort(self._by_size, (end - begin, begin))

    def _remove(self, begin: int) -> int:
        end = self._end_of.pop(begin)
        del self._begin_of[end]
        del self._by_size[bisect_left(self._by_size, (end - begin, begin))]
        return end
