"""The backend ``cpu``: graphs as native programs for this processor.

:mod:`.analysis` goes from a graph to its plan, :mod:`.writing` writes kernels, and
:mod:`.executable` runs the plan.
"""

from __future__ import annotations

from pellucid.backends.cpu.executable import CpuExecutable
from pellucid.backends.cpu.machine import machine_of
from pellucid.backends.cpu.target import host_target
from pellucid.compiler.passes import prepare
from pellucid.graph.node import Graph

__all__ = ["CpuExecutable", "load", "prepared"]


def load(graph: Graph) -> CpuExecutable:
    """The graph as a native program for this processor."""
    return CpuExecutable(graph)


def prepared(graph: Graph) -> Graph:
    """The graph after all passes; compiling it again changes nothing more."""
    return prepare(graph, machine_of(host_target()))
