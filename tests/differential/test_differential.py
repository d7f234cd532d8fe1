"""Random programs and circumstances: eager, compiled, reference and PyTorch agree.

A short run of each kind; ``python tools/differential.py --minutes 60`` searches longer.  The seed
is PELLUCID_TEST_SEED; hypothesis shrinks what fails and prints it as a program that can be run.
"""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings

import pellucid
import pellucid.nn
import pellucid.optim
from conftest import SEED
from differential import changes, circumstances
from differential.programs import Builder, Program, programs
from differential.running import Difference, Tally, check
from differential.vocabulary import VALUES, Row

try:
    import torch
except ImportError:  # compared with ours alone
    torch = None  # type: ignore[assignment]

LIBRARIES: list[ModuleType] = [pellucid] + ([torch] if torch is not None else [])
SHORT = settings(
    max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def checked(program: Program) -> None:
    """The program in every way; its text is part of the failure."""
    try:
        check(program, torch, Tally())
    except Difference as error:
        error.add_note(str(program))
        raise


@seed(SEED)
@SHORT
@given(programs(LIBRARIES))
def test_values_and_gradients_agree(program: Program) -> None:
    checked(program)


@seed(SEED + 1)
@SHORT
@given(programs(LIBRARIES, writes=True))
def test_views_and_changes_in_place_agree(program: Program) -> None:
    checked(program)


@seed(SEED + 2)
@SHORT
@given(programs(LIBRARIES, writes=True, overlap=True))
def test_arguments_that_share_memory_agree(program: Program) -> None:
    checked(program)


@seed(SEED + 3)
@settings(SHORT, max_examples=60)
@given(changes.histories())
def test_changed_python_state_is_followed(history: changes.History) -> None:
    changes.check(history, torch)


@seed(SEED + 4)
@SHORT
@given(changes.histories(training=True))
def test_changed_training_state_is_followed(history: changes.History) -> None:
    changes.check(history, torch)


@pytest.mark.parametrize("row", VALUES, ids=lambda row: row.text)
def test_every_operation_alone(row: Row) -> None:
    """Outside of ``compile``, against PyTorch: numbers of every kind, every shape that fits."""
    if torch is None:
        pytest.skip("PyTorch is not installed")
    for number in range(6):
        choices = random.Random(f"{SEED} {row.text} {number}")
        program = Builder(choices.randint, LIBRARIES).alone(row)
        if program is not None:
            try:
                check(
                    program, torch, Tally(), leave_out=("compiled", "reference", "again", "outside")
                )
            except Difference as error:
                error.add_note(str(program))
                raise


@pytest.mark.parametrize(
    ("circumstance", "count"),
    [
        (circumstances.threads, 4),
        (circumstances.what_ran_before, 12),
        (circumstances.namesakes, 8),
        (circumstances.long_chains, 4),
        (circumstances.precision, 12),
        (circumstances.refusals, 12),
        (circumstances.edges, 2),
        (circumstances.plain_sums, 4),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_must_not_matter(circumstance: Any, count: int) -> None:
    compared = circumstance in (circumstances.precision, circumstances.refusals)
    settings = {"torch": torch} if compared else {}
    for number in range(count):
        choices = random.Random(f"{SEED} {number}")
        try:
            circumstance(choices.randint, **settings)
        except Difference as error:
            error.add_note(f"choices of random.Random('{SEED} {number}')")
            raise
