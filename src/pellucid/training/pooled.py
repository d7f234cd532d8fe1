"""Trials of a search that are trained together, and told in order.

A trial that was proposed by itself, whatever the others gave, need not wait for them.  A pool of
such trials is trained at once (networks of one shape as one program) and then told to Optuna in
their order, epoch by epoch, as if they had been trained one after the other: what is pruned, ranked
and proposed next is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Settings = dict[str, Any]

MOST = 64
"""Trials of a pool."""
FIRST = 8
"""Trials of the first pool where time is limited, from which is learned how long one takes."""


@dataclass(frozen=True)
class Curve:
    """What a training gave: validation loss and metric of each epoch, and loss, metric and number
    of the best one."""

    losses: tuple[float, ...]
    metrics: tuple[float | None, ...]
    loss: float
    metric: float | None
    epoch: int


Together = Callable[[Sequence[tuple[Settings, int]]], list[Curve]]
"""Pairs (settings, seed) → what each gave."""


class Pool:
    """Asks for trials, has them trained together, and tells the study what they gave.

    ``suggest(trial)`` gives a trial's settings and seed, ``tell(trial, curve)`` its value, or None
    for one that was pruned.  ``left()`` are the seconds that are left, None without an end.
    """

    def __init__(
        self,
        study: Any,
        states: Any,
        together: Together,
        suggest: Callable[[Any], tuple[Settings, int]],
        tell: Callable[[Any, Curve], float | None],
        left: Callable[[], float | None],
    ) -> None:
        self.study, self.states, self.together = study, states, together
        self.suggest, self.tell, self.left = suggest, tell, left
        self._each = 0.0

    def run(self, count: int, told: Callable[[], None]) -> int:
        """At most so many trials; how many were made.  No trial is begun when the time is over."""
        left = self.left()
        if left is not None:
            if left <= 0:
                return 0
            count = min(count, int(left / self._each) if self._each else FIRST)
        trials = [self.study.ask() for _ in range(max(1, min(count, MOST)))]
        waiting = list(trials)
        begun = time.monotonic()
        try:
            curves = self.together([self.suggest(trial) for trial in trials])
            self._each = (time.monotonic() - begun) / len(trials)
            for trial, curve in zip(trials, curves, strict=True):
                value = self.tell(trial, curve)
                waiting.remove(trial)
                if value is None:
                    self.study.tell(trial, state=self.states.PRUNED)
                else:
                    self.study.tell(trial, value)
                told()
        finally:
            for trial in waiting:  # an error or Ctrl-C: they count as not made
                self.study.tell(trial, state=self.states.FAIL)
        return len(trials)
