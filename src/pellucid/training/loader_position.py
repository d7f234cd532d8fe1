"""The place in a pass over a loader, so that another process can go on from there.

A loader is no list: its batches follow from random numbers that it, its samplers, its data set and
the steps in between draw from the same generators.  So the pass is begun once more from the states
of then; batches that were learned from are fetched and left out, and for each the default generator
moves on by the draws that its step made.
"""

from __future__ import annotations

from typing import Any

from pellucid.tensor.random import default_generator
from pellucid.training.capture import (
    generator_state,
    generators_of,
    random_state,
    restore_generator,
    restore_random,
)


class LoaderPosition:
    """Where a pass over ``loader`` stands."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._generators = generators_of(loader)
        self._start: dict[str, Any] = {}
        self._own: list[Any] = []
        """States of the loader's own generators when the pass began."""
        self._draws: list[list[int]] = []
        """[steps in a row, draws from the default generator in each]."""
        self._known: list[int] = []
        """Draws of each step that is fetched once more."""
        self.steps = 0
        """Steps whose draws are known."""

    def begin(self) -> None:
        """A pass begins."""
        self._start = random_state()
        self._own = [generator_state(generator) for generator in self._generators]
        self._draws, self.steps = [], 0

    def drew(self, draws: int) -> None:
        """A step is over, in which the default generator moved on by so many draws."""
        self.steps += 1
        if self._draws and self._draws[-1][1] == draws:
            self._draws[-1][0] += 1
        else:
            self._draws.append([1, draws])

    def rewind(self) -> None:
        """Back to where the pass began; its draws are known."""
        restore_random(self._start)
        for generator, state in zip(self._generators, self._own, strict=True):
            restore_generator(generator, state)
        self._known = [draws for count, draws in self._draws for _ in range(count)]
        self._draws, self.steps = [], 0

    def skip(self, number: int, now: dict[str, Any] | None = None) -> None:
        """The batches of a step (from 0) that is done already were fetched once more; after the
        last of these, random numbers go on as ``now``."""
        before = default_generator.get_offset()
        if now is None:
            default_generator.set_offset(before + self._known[number])
        else:
            restore_random(now)
        self.drew(default_generator.get_offset() - before)

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`load` takes."""
        now = [generator_state(generator) for generator in self._generators]
        return {"start": self._start, "own": self._own, "draws": self._draws, "now": now}

    def load(self, state: dict[str, Any]) -> None:
        """Stand where ``state`` stood."""
        self._start, self._own = state["start"], state["own"]
        self._draws = [list(entry) for entry in state["draws"]]
        for generator, now in zip(self._generators, state["now"], strict=True):
            restore_generator(generator, now)
