"""The order of training rows in an epoch, and many such orders at once.

NumPy's generators, because drawing the order must not take longer than a short epoch's steps.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

Orders = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint32]
_WORD, _LONG = (1 << 32) - 1, (1 << 128) - 1
_MANY_ROWS = 8192
"""From so many on an order is drawn beside the epoch before."""
_POOL = 4
"""Words of a seed's pool."""
_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
"""Of PCG64's steps (O'Neill, 2014)."""


def order_of(seed: int, epoch: int, rows: int) -> Orders:
    """The numbers 0 … ``rows`` − 1 in the order of an epoch.

    A generator for each epoch: any epoch's order can be had without those before it.
    """
    generator = np.random.Generator(np.random.PCG64([seed, epoch]))
    return generator.permutation(rows)


class Ahead:
    """The orders of epochs one after the other: the next one is drawn by a thread beside the steps
    of this one, where that takes longer than to start a thread."""

    def __init__(self, seed: int, rows: int) -> None:
        self.seed, self.rows = seed, rows
        self._made: dict[int, Orders] = {}
        self._thread: threading.Thread | None = None

    def order_of(self, epoch: int) -> Orders:
        """The order of an epoch, drawn already or now; that of the one after it is begun."""
        if self.rows < _MANY_ROWS:
            return order_of(self.seed, epoch, self.rows)
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        made = self._made.pop(epoch, None)
        self._made.clear()
        if made is None:
            made = order_of(self.seed, epoch, self.rows)
        with suppress(RuntimeError):  # no thread can be started: it is drawn when it is needed
            self._thread = threading.Thread(target=self._draw, args=(epoch + 1,), daemon=True)
            self._thread.start()
        return made

    def _draw(self, epoch: int) -> None:
        with suppress(MemoryError):
            self._made[epoch] = order_of(self.seed, epoch, self.rows)


def orders_of(seeds: Sequence[int], epochs: Sequence[int], rows: int) -> Orders:
    """``order_of`` for each seed and epoch: (seeds, epochs, rows).

    Generators' first states are computed for all of them at once: NumPy takes longer to seed a
    generator than to draw a short order.
    """
    found = np.empty((len(seeds), len(epochs), rows), np.int64)
    bits = np.random.PCG64(0)
    generator = np.random.Generator(bits)
    state: Any = dict(bits.state)
    numbers = [_words_of(seed, epoch) for seed in seeds for epoch in epochs]
    made = _generated(np.array(numbers, np.uint32).reshape(-1, _POOL)).tolist()
    lines = found.reshape(len(numbers), rows)
    for line, (first, second, third, fourth) in zip(lines, made, strict=True):
        step = ((((third << 64) | fourth) << 1) | 1) & _LONG
        begun = (step + ((first << 64) | second)) & _LONG
        state["state"] = {"state": (begun * _MULTIPLIER + step) & _LONG, "inc": step}
        bits.state = state
        line[:] = generator.permutation(rows)
    return found


def _words_of(seed: int, epoch: int) -> list[int]:
    """Seed and epoch in words of 32 bits, filled up to a pool (64 bits each at most)."""
    words: list[int] = []
    for number in (seed, epoch):
        words.append(number & _WORD)
        if number > _WORD:
            words.append(number >> 32)
    return [*words, *[0] * (_POOL - len(words))]


def _generated(words: _Words) -> npt.NDArray[np.uint64]:
    """What NumPy's ``SeedSequence`` generates from words (n, 4): four numbers of 64 bits each.

    (O'Neill, "Developing a seed_seq alternative", 2015.)
    """
    pool, factor = [], 0x43B0D7E5
    for column in words.T:
        value, factor = _hashed(column, factor, 0x931E8875)
        pool.append(value)
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                value, factor = _hashed(pool[source], factor, 0x931E8875)
                mixed = pool[target] * np.uint32(0xCA01F9DD) - value * np.uint32(0x4973F715)
                pool[target] = mixed ^ (mixed >> np.uint32(16))
    made, factor = [], 0x8B51F9DD
    for number in range(2 * _POOL):
        value, factor = _hashed(pool[number % _POOL], factor, 0x58F38DED)
        made.append(value.astype(np.uint64))
    pairs = [low | (high << np.uint64(32)) for low, high in zip(made[::2], made[1::2], strict=True)]
    return np.stack(pairs, axis=1)


def _hashed(value: _Words, factor: int, multiplier: int) -> tuple[_Words, int]:
    """The words hashed with a factor, and the next factor."""
    value = value ^ np.uint32(factor)
    factor = factor * multiplier & _WORD
    value = value * np.uint32(factor)
    return value ^ (value >> np.uint32(16)), factor
