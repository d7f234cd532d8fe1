"""Random graphs: the native program computes what the reference computes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from helpers import assert_close
from native_graphs import forget_plans, run
from pellucid.backends.cpu import analysis, machine, writing
from pellucid.backends.cpu.machine import Costs, LoopCosts
from pellucid.compiler.machine import Machine
from pellucid.graph.show import format_graph
from random_graphs import Case, graphs

EXAMPLES = int(os.environ.get("PELLUCID_TEST_EXAMPLES", "80"))
"""Graphs to try; set PELLUCID_TEST_EXAMPLES for a longer search."""
OF_LARGEST = {"float32": 5e-2, "float64": 1e-9}
"""Allowed error relative to the largest element: many roundings, and cancellation, add up."""


def assert_same_values(case: Case, found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for position, (left, right) in enumerate(zip(found, expected, strict=True)):
        bound = OF_LARGEST.get(right.dtype.name, 0.0)
        largest = float(np.abs(right[np.isfinite(right)]).max(initial=0.0)) if bound else 0.0
        try:
            assert_close(left, right, bound, bound * (largest + 1e-3), f"output {position}")
        except AssertionError as error:
            text = f"aliases {dict(case.graph.aliases)}\n{format_graph(case.graph)}"
            raise AssertionError(f"{error}\n{text}") from None


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="PELLUCID_TEST_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(case=graphs())
def test_native_is_reference(case: Case) -> None:
    expected = run(case.graph, case.arrays, "reference")
    assert_same_values(case, run(case.graph, case.arrays, "cpu"), expected)


@pytest.fixture(scope="module")
def small_limits() -> Iterator[None]:
    """Limits so small that small graphs take the ways of large ones.

    Many chunks on two threads, rows too long for the stack, several blocks of columns, long
    reductions in parts.
    """
    with pytest.MonkeyPatch.context() as patch:
        forget_plans(patch)
        costs = Costs(
            loops=LoopCosts(
                chunk_nanoseconds=40.0,
                scratch_bytes=64,
                column_block=8,
                put_columns=8,
                serial_nanoseconds=0.0,
            )
        )
        patch.setattr(machine, "DEFAULT_COSTS", costs)
        patch.setattr(analysis, "machine_of", lambda target: Machine(long_reduction=512))
        patch.setattr(writing, "_written", {})
        yield


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="PELLUCID_TEST_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(case=graphs())
def test_native_is_reference_on_many_chunks(small_limits: None, case: Case) -> None:
    expected = run(case.graph, case.arrays, "reference")
    assert_same_values(case, run(case.graph, case.arrays, "cpu"), expected)
