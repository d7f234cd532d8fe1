"""Budgets of time that mean the same on a busy machine: seconds of this thread on the processor."""

from __future__ import annotations

import time
from dataclasses import dataclass

PATIENCE = 3.0
"""So many times as long a budget may take by the clock on the wall."""

worked = time.thread_time
"""Seconds that this thread has worked, whatever else the machine did meanwhile."""


@dataclass(frozen=True)
class Deadline:
    """The end of a budget: by this thread's own time, and at the latest by the clock."""

    own: float
    wall: float

    @property
    def is_over(self) -> bool:
        """Whether the budget is used up."""
        return time.thread_time() > self.own or time.perf_counter() > self.wall


def within(seconds: float) -> Deadline:
    """A budget of ``seconds`` that begins now."""
    return Deadline(
        time.thread_time() + seconds, time.perf_counter() + PATIENCE * max(seconds, 0.0)
    )
