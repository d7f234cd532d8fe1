"""How long something took by itself, on a machine that others use as well."""

from __future__ import annotations

import sys
import time

__all__ = ["Begun", "begin", "passed"]

Begun = tuple[float, float, int]
"""The clock, this thread's own time, and how often it was interrupted."""


def begin() -> Begun:
    """Now."""
    return time.perf_counter(), time.thread_time(), _interruptions()


def passed(begun: Begun) -> float:
    """Seconds since: by the clock, waiting and sleeping included; where other programs have
    interrupted this thread meanwhile, what it worked itself."""
    if _interruptions() != begun[2]:
        return time.thread_time() - begun[1]
    return time.perf_counter() - begun[0]


def _interruptions() -> int:
    """How often this thread had to leave the processor to others; 0 where nobody counts it."""
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw
