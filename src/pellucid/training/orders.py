"""The order of training rows in an epoch, and many such orders at once.

NumPy's generators, long orders by native code (:mod:`pellucid.training.shuffling`), because drawing
the order must not take longer than a short epoch's steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.training.shuffling import MOST_ROWS, MULTIPLIER, shuffled

Orders = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint32]
_WORD, _SHORT, _LONG = (1 << 32) - 1, (1 << 64) - 1, (1 << 128) - 1
_MANY = 4096
"""Rows of all orders from which on native code draws them."""
_POOL = 4
"""Words of a seed's pool."""


def order_of(seed: int, epoch: int, rows: int) -> Orders:
    """The numbers 0 … ``rows`` − 1 in the order of an epoch.

    A generator for each epoch: any epoch's order can be had without those before it.
    """
    bits = np.random.PCG64([seed, epoch])
    if not _MANY <= rows < MOST_ROWS:
        return np.random.Generator(bits).permutation(rows)
    state: Any = bits.state["state"]
    found = np.empty(rows, np.int64)
    shuffled(np.array([_halves(state["state"], state["inc"])], np.uint64), found[None])
    return found


def orders_of(seeds: Sequence[int], epochs: Sequence[int], rows: int) -> Orders:
    """``order_of`` for each seed and epoch: (seeds, epochs, rows).

    Generators' first states are computed for all of them at once: NumPy takes longer to seed a
    generator than to draw a short order.
    """
    found = np.empty((len(seeds), len(epochs), rows), np.int64)
    if found.size < _MANY or rows >= MOST_ROWS:  # not worth loading native code
        for line, seed in zip(found, seeds, strict=True):
            for order, epoch in zip(line, epochs, strict=True):
                order[:] = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(rows)
        return found
    numbers = [_words_of(seed, epoch) for seed in seeds for epoch in epochs]
    made = _generated(np.array(numbers, np.uint32).reshape(-1, _POOL)).tolist()
    shuffled(np.array([_begun(*words) for words in made], np.uint64), found.reshape(-1, rows))
    return found


def _begun(first: int, second: int, third: int, fourth: int) -> tuple[int, int, int, int]:
    """State and increment of PCG64 that begins with these words of its seed."""
    step = ((((third << 64) | fourth) << 1) | 1) & _LONG
    begun = (step + ((first << 64) | second)) & _LONG
    state = (begun * MULTIPLIER + step) & _LONG
    return _halves(state, step)


def _halves(state: int, step: int) -> tuple[int, int, int, int]:
    """Both numbers of 128 bits in words of 64."""
    return state >> 64, state & _SHORT, step >> 64, step & _SHORT


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
