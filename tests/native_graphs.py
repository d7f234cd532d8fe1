"""Helpers of the tests that hold native programs against the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from helpers import assert_close
from pellucid import backends
from pellucid.backends.cpu import executable as cpu
from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.graph.node import Graph
from pellucid.graph.show import format_graph

RELATIVE = {"float32": 2e-5, "float64": 1e-11}
"""Allowed difference per element, relative to the expected element."""
OF_LARGEST = {"float32": 3e-6, "float64": 1e-13}
"""Allowed difference relative to the largest finite element of the same result.

Sums are added in another order and products keep a longer mantissa inside (fused
multiply-add), so that what cancels may differ by roundings of the terms."""


def run(graph: Graph, arrays: Sequence[np.ndarray], backend: str = "cpu") -> list[np.ndarray]:
    """Outputs of ``graph``; those that alias an input come from the changed input."""
    return run_executable(backends.load(graph, backend), graph, arrays)


def run_executable(executable: Any, graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Bind fresh copies of ``arrays`` and fresh outputs, run once, return the outputs."""
    kept = [np.array(a, order="C") for a in arrays]
    outputs = []
    for position, array in enumerate(kept):
        executable.bind_input(position, array.ctypes.data)
    for position, node in enumerate(graph.outputs):
        source = graph.aliases.get(position)
        if source is None:
            out = np.empty(node.shape, node.dtype.numpy)
            out.view(np.uint8).fill(0xA5) if out.size and out.ndim else None
            executable.bind_output(position, out.ctypes.data)
        else:
            out = kept[source]
        outputs.append(out)
    executable.run()
    for position, (array, before) in enumerate(zip(kept, arrays, strict=True)):
        if position not in graph.aliases.values():
            np.testing.assert_array_equal(array, before, f"input {position} was changed")
    return outputs


def forget_plans(patch: pytest.MonkeyPatch) -> None:
    """Make every program anew: for tests that change how programs are made."""
    patch.setattr(cpu, "find_plan", lambda key: None)
    patch.setattr(cpu, "keep_plan", lambda key, plan: None)


def tolerances(expected: np.ndarray) -> tuple[float, float]:
    """Relative and absolute tolerance for a result."""
    name = {"complex64": "float32", "complex128": "float64"}.get(
        expected.dtype.name, expected.dtype.name
    )
    if name not in RELATIVE:
        return 0.0, 0.0
    finite = np.abs(expected[np.isfinite(expected)])
    tiny = float(np.finfo(expected.dtype).tiny)
    return RELATIVE[name], OF_LARGEST[name] * float(finite.max(initial=0.0)) + tiny


def assert_equal_outputs(
    found: Sequence[np.ndarray], expected: Sequence[np.ndarray], graph: Graph
) -> None:
    """Each output within its tolerance; a failure shows the graph."""
    for position, (left, right) in enumerate(zip(found, expected, strict=True)):
        rtol, atol = tolerances(right)
        assert left.dtype == right.dtype
        try:
            assert_close(left, right, rtol, atol, f"output {position}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{format_graph(graph)}") from None


def assert_native_is_reference(graph: Graph, arrays: Sequence[np.ndarray]) -> None:
    """The native program gives what NumPy gives."""
    expected = run(graph, arrays, "reference")
    assert_equal_outputs(run(graph, arrays, "cpu"), expected, graph)


def assert_same_bits_on_threads(
    graph: Graph, arrays: Sequence[np.ndarray], counts: Sequence[int] = (1, 2, 3)
) -> None:
    """The native program gives the same bits on so many threads each."""
    before, found = get_num_threads(), []
    try:
        for count in counts:
            set_num_threads(count)
            found.append(run(graph, arrays))
    finally:
        set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
