"""The benchmark of parts measures what the texts say costs time."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import parts  # noqa: E402


def test_A31_B36_B52_costs_that_the_texts_name_are_measured() -> None:
    """Activations, rows in a batch and in a loop, many classes: a line each, in milliseconds."""
    lines = parts.measure(repeats=1, size=16, rows=4, classes=50)
    assert [line[1] for line in lines] == [
        *parts.ACTIVATIONS,
        "one batch",
        "a loop over rows",
        "softmax over 50",
        "one class and five others",
    ]
    assert {"relu", "sigmoid", "tanh"} <= set(parts.ACTIVATIONS)
    assert all(float(line[2]) > 0 for line in lines)
    assert [line[3] for line in lines if line[1] in ("relu", "one batch")] == ["1.00"] * 2
