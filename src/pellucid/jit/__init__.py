"""TorchScript's names: functions and modules stay Python, and are returned as they are.

A program that scripts its model runs; :func:`pellucid.compile` makes it fast.  The first use says
so by a warning.
"""

from typing import Final

from pellucid.jit.scripting import (
    ScriptModule,
    annotate,
    export,
    fork,
    freeze,
    ignore,
    is_scripting,
    is_tracing,
    optimize_for_inference,
    script,
    script_if_tracing,
    script_method,
    trace,
    trace_module,
    unused,
    wait,
)
from pellucid.serialization import load, save

__all__ = [
    "Final",
    "ScriptModule",
    "annotate",
    "export",
    "fork",
    "freeze",
    "ignore",
    "is_scripting",
    "is_tracing",
    "load",
    "optimize_for_inference",
    "save",
    "script",
    "script_if_tracing",
    "script_method",
    "trace",
    "trace_module",
    "unused",
    "wait",
]


def __dir__() -> list[str]:
    return sorted(__all__)
