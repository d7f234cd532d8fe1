"""Philox 4x32-10: random bits as a function of a key and a counter.

The definition, in NumPy; native kernels must give the same bits.  A counter-based generator has
no state to carry: element ``i`` of stream ``s`` under key ``k`` is a pure function of (k, i, s),
so any part of an array can be made again, in any order and on any number of threads.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3",
SC 2011.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
"""Odd 32-bit multipliers of the two halves of a round."""

WEYL = (0x9E3779B9, 0xBB67AE85)
"""What is added to the two key words after each round: golden ratio and sqrt(3) - 1."""

ROUNDS = 10
"""Rounds of the standard variant (passes BigCrush; 7 are the fewest that do)."""

UInt32Array = npt.NDArray[np.uint32]


def philox_numpy(
    key: int, low: npt.ArrayLike, high: int
) -> tuple[UInt32Array, UInt32Array, UInt32Array, UInt32Array]:
    """Four words of 32 random bits for every element index in ``low``.

    ``key`` and ``high`` are 64-bit integers (seed; stream or step), ``low`` an integer array of any
    shape; negative numbers count modulo 2⁶⁴.  The counter's words are
    (low mod 2³², low >> 32, high mod 2³², high >> 32), the key's (key mod 2³², key >> 32).
    Returns four uint32 arrays with the shape of ``low``.

    >>> [hex(int(word)) for word in philox_numpy(0, 0, 0)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    mask = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    counter = np.asarray(low).astype(np.uint64)
    words = [
        np.asarray(counter & mask),
        np.asarray(counter >> shift),
        np.full_like(counter, high & 0xFFFFFFFF),
        np.full_like(counter, (high >> 32) & 0xFFFFFFFF),
    ]
    keys = [key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF]
    products = [np.empty_like(counter), np.empty_like(counter)]
    for _ in range(ROUNDS):
        # 32 bits times 32 bits fit into 64: nothing wraps.
        for i in range(2):
            np.multiply(words[2 * i], np.uint64(MULTIPLIERS[i]), out=products[i])
        for i in range(2):
            even, odd, product = words[2 * i], words[2 * i + 1], products[1 - i]
            np.right_shift(product, shift, out=even)
            np.bitwise_xor(even, odd, out=even)
            np.bitwise_xor(even, np.uint64(keys[i]), out=even)
            np.bitwise_and(product, mask, out=odd)
        keys = [(keys[i] + WEYL[i]) & 0xFFFFFFFF for i in range(2)]
    a, b, c, d = (word.astype(np.uint32) for word in words)
    return a, b, c, d


def philox_one(key: int, low: int, high: int) -> tuple[int, int, int, int]:
    """The four words of one element: for a few elements faster than :func:`philox_numpy`.

    >>> [hex(word) for word in philox_one(0, 0, 0)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    a, b = low & 0xFFFFFFFF, (low >> 32) & 0xFFFFFFFF
    c, d = high & 0xFFFFFFFF, (high >> 32) & 0xFFFFFFFF
    k, m = key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF
    for _ in range(ROUNDS):
        first, second = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b = (second >> 32) ^ b ^ k, second & 0xFFFFFFFF
        c, d = (first >> 32) ^ d ^ m, first & 0xFFFFFFFF
        k, m = (k + WEYL[0]) & 0xFFFFFFFF, (m + WEYL[1]) & 0xFFFFFFFF
    return a, b, c, d
