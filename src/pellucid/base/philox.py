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

_MASK, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)

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
    counter = np.asarray(low).astype(np.uint64)
    # Both halves of a round in one array: few elements would cost more in calls than in work.
    even, odd, products = np.empty((3, 2, *counter.shape), np.uint64)
    even[0], odd[0] = counter & _MASK, counter >> _SHIFT
    even[1], odd[1] = high & 0xFFFFFFFF, (high >> 32) & 0xFFFFFFFF
    halves = (2,) + (1,) * counter.ndim
    factors = np.array(MULTIPLIERS, np.uint64).reshape(halves)
    steps = np.arange(ROUNDS, dtype=np.uint64)[:, None] * np.array(WEYL, np.uint64)
    first = np.array([key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF], np.uint64)
    keys = ((steps + first) & _MASK).reshape(ROUNDS, *halves)
    for own in keys:
        # 32 bits times 32 bits fit into 64: nothing wraps.
        np.multiply(even, factors, out=products)
        crossed = products[::-1]
        np.right_shift(crossed, _SHIFT, out=even)
        np.bitwise_xor(even, odd, out=even)
        np.bitwise_xor(even, own, out=even)
        np.bitwise_and(crossed, _MASK, out=odd)
    (a, c), (b, d) = even.astype(np.uint32), odd.astype(np.uint32)
    return np.asarray(a), np.asarray(b), np.asarray(c), np.asarray(d)


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
