"""Programs as people write them for PyTorch: the same text, weights and data under both engines
give the same losses, also with the step compiled."""

from __future__ import annotations

import functools
import math
import warnings
from pathlib import Path

import pytest

from programs.engines import CASES, losses

TOLERANCE = 1e-4
"""Relative; losses near 0 are compared with the first one's size."""


@functools.cache
def expected(path: Path) -> list[float]:
    pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return losses(path, "torch")


def test_there_are_at_least_forty() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_program_trains_the_same_eagerly_and_compiled(path: Path) -> None:
    """Without PyTorch the compiled run is compared with the eager one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a program's own business
        eager = losses(path, "pellucid")
        compiled = losses(path, "pellucid", compile=True)
    assert len(eager) >= 3 and all(math.isfinite(value) for value in eager)
    close(compiled, eager, "compiled and eager")


@pytest.mark.parity
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_program_trains_as_under_pytorch(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = losses(path, "pellucid")
    close(found, expected(path), "Pellucid and PyTorch")


def close(found: list[float], wanted: list[float], what: str) -> None:
    assert len(found) == len(wanted)
    for number, (a, b) in enumerate(zip(found, wanted, strict=True)):
        bound = TOLERANCE * max(abs(b), 0.1 * abs(wanted[0]), 1e-3)
        assert abs(a - b) <= bound, f"{what}: value {number} is {a}, {b}; all: {found}, {wanted}"
