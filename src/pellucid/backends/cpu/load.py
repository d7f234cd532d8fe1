"""The backend ``cpu``: graphs as native programs for this processor.

:mod:`.analysis` goes from a graph to its plan, :mod:`.writing` writes kernels, and
:mod:`.executable` runs the plan.
"""

from __future__ import annotations

from pellucid.backends.cpu.executable import CpuExecutable
from pellucid.graph.node import Graph

__all__ = ["CpuExecutable", "load"]


def load(graph: Graph) -> CpuExecutable:
    """The graph as a native program for this processor."""
    return CpuExecutable(graph)
