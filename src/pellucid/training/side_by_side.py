"""Jobs whose networks are trained together: the first one trains them all.

The other jobs find their networks trained, and only measure and write.  Each leaves what it leaves
when it runs by itself; where shapes differ, it does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.errors import PellucidError
from pellucid.training.averaging import (
    emit,
    emit_end,
    emit_start,
    epoch_event,
    train_model,
)
from pellucid.training.ensembles import groups_of, most_together, train_networks
from pellucid.training.history import Callback, EpochRecord
from pellucid.training.interrupts import Interrupts
from pellucid.training.job import RunResult
from pellucid.training.run import Job


class SideBySide:
    """Trains the networks of ``jobs``; :meth:`join` makes it the trainer of each."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._results: dict[int, RunResult] = {}

    def join(self, jobs: Sequence[Job]) -> None:
        """From now on these jobs have their networks trained here."""
        self.jobs = list(jobs)
        for number, job in enumerate(self.jobs):
            job.trainer = self._trainer(number)

    def is_trained(self, number: int) -> bool:
        """Whether the network of a job is trained already."""
        return number in self._results

    def _trainer(self, number: int) -> Callable[..., RunResult]:
        def train(
            prepared: Any,
            config: Any,
            callbacks: Sequence[Callback],
            interrupts: Interrupts,
            **options: Any,
        ) -> RunResult:
            if number in self._results:
                return self._told(number, callbacks)
            alone = options.get("profile", False)
            together = [number] if alone else self._together(number)
            if len(together) < 2:
                return train_model(prepared, config, callbacks, interrupts, **options)
            self._train(together, callbacks, interrupts)
            return self._results[number]

        return train

    def _together(self, number: int) -> list[int]:
        """The jobs from this one on whose networks have its network's shape."""
        loaded = [number]
        if self.jobs[number].config.ensemble > 1:  # whose networks are trained together
            return loaded
        if most_together(self.jobs[number].load(), self.jobs[number].config, apart=True) < 2:
            return loaded
        for other in range(number + 1, len(self.jobs)):
            with contextlib.suppress(PellucidError):  # which it raises again when it runs
                self.jobs[other].load()
                loaded.append(other)
        data = [self.jobs[n].load() for n in loaded]
        groups = groups_of(data, [self.jobs[n].config for n in loaded])
        return [loaded[place] for place in groups[0]]

    def _train(
        self, numbers: Sequence[int], callbacks: Sequence[Callback], interrupts: Interrupts
    ) -> None:
        """Trains these; the first one's epochs are told as they come."""
        data = [self.jobs[n].load() for n in numbers]
        configs = [self.jobs[n].config for n in numbers]
        stopped = False

        def watch(place: int, record: EpochRecord) -> bool:
            nonlocal stopped
            if not place:
                stopped |= emit(callbacks, epoch_event(record))
            return False

        def ended() -> str:
            if interrupts.requested:
                return "interrupted"
            return "stopped" if stopped else ""

        emit_start(callbacks, data[0], configs[0])
        found = train_networks(
            data, configs, watch=watch, ended=ended, train_losses=True, look=True
        )
        self._results.update(zip(numbers, found, strict=True))
        emit_end(callbacks, found[0])

    def _told(self, number: int, callbacks: Sequence[Callback]) -> RunResult:
        """The result of a network that is trained, with its epochs told."""
        result = self._results[number]
        for record in result.history:
            emit(callbacks, epoch_event(record))
        emit_end(callbacks, result)
        return result
