"""Philox 4x32-10: known answers, and native code against the NumPy definition."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from backends.native_loop import NativeLoop
from pellucid.backends.cpu.random_bits import philox, uniform
from pellucid.base import philox as definition
from pellucid.base.philox import philox_numpy

SEED = 20240611
ONES = (1 << 64) - 1
KNOWN_ANSWERS = [
    # (key, low, high, words): the vectors distributed with Random123.
    (0, 0, 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (ONES, ONES, ONES, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        0x299F31D0A4093822,
        0x85A308D3243F6A88,
        0x0370734413198A2E,
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def native(lanes: int) -> NativeLoop:
    return NativeLoop(philox, ["i64"] * 3, ["i32"] * 4, lanes)


@pytest.mark.parametrize(("key", "low", "high", "words"), KNOWN_ANSWERS)
def test_definition_gives_the_known_answers(
    key: int, low: int, high: int, words: tuple[int, ...]
) -> None:
    got = philox_numpy(key, np.array([low], np.uint64), high)
    assert tuple(int(word[0]) for word in got) == words
    assert all(word.dtype == np.uint32 for word in got)


@pytest.mark.parametrize("lanes", [1, 4, 8])
def test_native_gives_the_known_answers(lanes: int) -> None:
    loop = native(lanes)
    for key, low, high, words in KNOWN_ANSWERS:
        got = loop(*(np.full(16, value, np.uint64) for value in (key, low, high)))
        for word, expected in zip(got, words, strict=True):
            np.testing.assert_array_equal(word, np.full(16, expected, np.uint32))


def test_native_equals_definition_on_random_counters() -> None:
    rng = np.random.default_rng(SEED)
    loop, wide = native(1), native(8)
    for _ in range(20):
        key, high = (int(v) for v in rng.integers(0, 1 << 64, 2, dtype=np.uint64))
        low = rng.integers(0, 1 << 64, 1000, dtype=np.uint64)
        arguments = (np.full_like(low, key), low, np.full_like(low, high))
        expected = philox_numpy(key, low, high)
        for got in (loop(*arguments), wide(*arguments)):
            for a, b in zip(got, expected, strict=True):
                np.testing.assert_array_equal(a, b)


def test_any_part_can_be_made_again() -> None:
    whole = philox_numpy(7, np.arange(1000), 3)
    part = philox_numpy(7, np.arange(400, 600).reshape(20, 10), 3)
    for a, b in zip(whole, part, strict=True):
        np.testing.assert_array_equal(a[400:600].reshape(20, 10), b)


def test_negative_key_counts_modulo_two_to_the_64() -> None:
    for a, b in zip(philox_numpy(-1, [5], -2), philox_numpy(ONES, [5], ONES - 1), strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_changed_bit_changes_half_of_the_bits() -> None:
    base = np.stack(philox_numpy(0, np.zeros(64, np.uint64), 0))
    changed = np.stack(philox_numpy(0, np.uint64(1) << np.arange(64, dtype=np.uint64), 0))
    flipped = np.bitwise_count(base ^ changed).sum(axis=0) / 128
    assert 0.3 < flipped.min() and flipped.max() < 0.7
    assert abs(flipped.mean() - 0.5) < 0.02


def test_generator_vectorizes() -> None:
    loop = native(1)
    assert "x i64>" in loop.optimized
    if "ymm" in loop.assembly:
        assert "vpmuludq" in loop.assembly


@pytest.mark.parametrize(("type_", "bits"), [("float", 24), ("double", 53)])
@pytest.mark.parametrize("lanes", [1, 4])
def test_uniform_is_the_top_bits_as_a_fraction(type_: str, bits: int, lanes: int) -> None:
    rng = np.random.default_rng(SEED)
    word, width = (np.uint32, 32) if type_ == "float" else (np.uint64, 64)
    ends = np.array([0, (1 << width) - 1, 1, 1 << (width - 1)], word)
    random = np.concatenate([ends, rng.integers(0, 1 << width, 4096, dtype=word)])
    loop = NativeLoop(lambda f, x: uniform(f, x, type_), [f"i{width}"], [type_], lanes)
    (got,) = loop(random)
    expected = (random >> word(width - bits)).astype(np.float64) * 2.0**-bits
    np.testing.assert_array_equal(got.astype(np.float64), expected)
    assert got.min() == 0.0 and got.max() < 1.0


def test_uniform_refuses_bits_of_another_width() -> None:
    with pytest.raises(TypeError, match="uniform double needs i64 bits, received i32"):
        NativeLoop(lambda f, x: uniform(f, x, "double"), ["i32"], ["double"])


def test_examples_run() -> None:
    assert doctest.testmod(definition).failed == 0
