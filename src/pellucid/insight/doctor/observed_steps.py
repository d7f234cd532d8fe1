"""A second program of a training step: its loss, its gradients, and the statistics of all layers
compiled into them, but no update.

It runs now and then beside the step, on the step's own batch, and what it changes (buffers, random
numbers, gradients) is put back: the step itself stays one and the same program, so that a training
has the same bits with and without a watch.  (Statistics in the step itself would let loops fuse in
another way, and values differ by rounding.)  The program is made once for each form of the
arguments, in two to three times the time that the step's own took; :class:`Statistics` sees to it
that there is time for that.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.insight.doctor.moments import undone
from pellucid.insight.doctor.observing import KINDS, STATISTICS
from pellucid.insight.doctor.schedule import Schedule
from pellucid.nn.observing import observe as attach
from pellucid.tensor.compile import CompiledFunction
from pellucid.tensor.core import TensorCore
from pellucid.tensor.observe import Observation
from pellucid.tensor.program import Program
from pellucid.tensor.trees import flatten
from pellucid.tensor.validity import changed

LOOKS_BEFORE = 6
"""So many looks come before a program of statistics is thought of."""
TIMES = 3.0
"""Making it is expected to take so many times as long as making the step's program."""
RUNS = 1.3
"""One of its runs is expected to take so many times as long as a step."""
KEPT = 4
"""Records that its rings hold."""


class NoUpdates:
    """Follows the tracing of a step and holds back what its optimizers would do."""

    holds_updates = True

    def entered(self, *_: Any) -> None:
        """A module is called."""

    def called(self, *_: Any) -> None:
        """The call is over."""

    def backward(self, *_: Any) -> None:
        """Gradients are asked for."""

    def differentiated(self) -> None:
        """They have been computed."""

    def updating(self, _: Any) -> None:
        """An optimizer would make a step."""

    def updated(self, _: Any) -> None:
        """It would have made it."""

    def ran(self, *_: Any) -> None:
        """A compiled function ran."""


class ObservedStep:
    """The program of statistics of one training step, ``function(*args, **kwargs)``.

    ``models`` are observed, all layers and parameters; ``optimizers`` are those that the step uses.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        models: Sequence[Any],
        optimizers: Sequence[Any],
        backend: str = "cpu",
    ) -> None:
        self._models, self._optimizers = list(models), list(optimizers)
        self._compiled = CompiledFunction(_without_results(function), backend, False)
        self._compiled.follower = NoUpdates()
        self._seen: list[tuple[Any, Observation]] = []
        self._parked: list[tuple[dict[int, Any], dict[int, Any]]] = []
        """Tables of hooks of modules, and the observation's own, out of them between runs."""
        self._hooks: list[tuple[Any, list[Any]]] = []
        """Parameters, and the observation's hooks on them."""
        self._program: Program | None = None

    def records(
        self, args: Any, kwargs: Any, may_make: bool = True
    ) -> list[tuple[Any, dict[str, Any]]] | None:
        """(model, its statistics) for a call with these arguments, with the weights of now.

        None where a program has to be made first and may not be; empty where the step cannot be
        run so.
        """
        try:
            with self._attached():
                if not may_make and not self._is_made(args, kwargs):
                    return None
                program, leaves = self._ready(args, kwargs)
                if program.writes_arguments or program.shares_memory(leaves):
                    return []
                gradients = [(tensor, tensor._grad) for tensor, _ in program.gradients]
                with _unchanged(program):
                    program.run(leaves)
                for tensor, gradient in gradients:
                    tensor._grad = gradient
        except PellucidError:
            return []
        return [(model, seen.latest()) for model, seen in self._seen if seen.records]

    def _is_made(self, args: Any, kwargs: Any) -> bool:
        """Whether the program that ran last serves these arguments as well."""
        leaves: list[TensorCore] = []
        flatten((args, kwargs), leaves)
        program = self._program
        return (
            program is not None
            and [(t._cell.shape, t._cell.dtype) for t in leaves] == program.argument_specs
            and program.difference() is None
        )

    def _ready(self, args: Any, kwargs: Any) -> tuple[Program, list[TensorCore]]:
        """The program, made if need be; what tracing changes in Python is taken back."""
        if self._is_made(args, kwargs):
            return self._compiled._program(args, kwargs)
        with undone(self._models, self._optimizers), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._program, leaves = self._compiled._program(args, kwargs)
        return self._program, leaves

    @contextmanager
    def _attached(self) -> Iterator[None]:
        """Inside, the observations' hooks are where they were when the program was made.

        Nobody is told that they come and go: programs of the user's are not looked for while they
        are there, so that nothing has to be compared with what it was.
        """
        if not self._seen:
            self._attach()
        for table, own in self._parked:
            table.update(own)
        for parameter, hooks in self._hooks:
            parameter._hooks = [*(parameter._hooks or ()), *hooks]
        known = {id(p): len(p._hooks or ()) for p in self._parameters()}
        mine = {id(p): len(hooks) for p, hooks in self._hooks}
        try:
            yield
        finally:
            for table, own in self._parked:
                for number in own:
                    table.pop(number, None)
            self._hooks = []
            for parameter in self._parameters():
                first = known[id(parameter)] - mine.get(id(parameter), 0)
                hooks = list((parameter._hooks or ())[first:])
                if hooks:
                    self._hooks.append((parameter, hooks))
                    parameter._hooks = parameter._hooks[:first] or None

    def _parameters(self) -> list[Any]:
        found = {id(p): p for model in self._models for p in model.parameters()}
        return list(found.values())

    def _attach(self) -> None:
        tables = [
            table
            for model in self._models
            for module in model.modules()
            for table in (module._forward_pre_hooks, module._forward_hooks)
        ]
        before = [set(table) for table in tables]
        for model in self._models:
            seen = Observation(KINDS, STATISTICS, 1, KEPT, 2)
            attach(model, "*", seen)
            self._seen.append((model, seen))
        for table, known in zip(tables, before, strict=True):
            own = {number: hook for number, hook in table.items() if number not in known}
            if own:
                self._parked.append((table, own))
                for number in own:
                    del table[number]


def _without_results(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same without its results, which nobody asks for."""

    @functools.wraps(function, updated=())
    def run(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)

    return run


@contextmanager
def _unchanged(program: Program) -> Iterator[None]:
    """What a run of the program changes is put back, and other programs look again at it."""
    before = [(cell, np.array(cell.array)) for cell in program.changed if cell.array is not None]
    try:
        yield
    finally:
        for cell, array in before:
            known = cell.array
            if known is not None:
                np.copyto(known, array)
        for subject in (*program.changed, *(tensor for tensor, _ in program.gradients)):
            changed(subject)


class Statistics:
    """Statistics of a step by a program of its own, made when there is time for it.

    Until then the looks at few rows go on, with half of what time allows; the other half is saved
    for making the program.
    """

    def __init__(self, step: ObservedStep) -> None:
        self._step = step
        self.seconds = 0.0
        """What making the program took; 0 as long as there is none."""
        self._failed = False

    def records(
        self, args: Any, kwargs: Any, schedule: Schedule, made_in: float
    ) -> list[tuple[Any, dict[str, Any]]]:
        """(model, its statistics) on the whole batch, or nothing: there is no time for a program
        of statistics yet, it serves other shapes, or the step cannot have one.

        ``made_in`` are the seconds in which the step's own program was made.
        """
        if self._failed:
            return []
        may_make = not self.seconds and _is_time(schedule, made_in)
        if not (self.seconds or may_make):
            return []
        began = time.perf_counter()
        found = self._step.records(args, kwargs, may_make)
        if may_make:
            self.seconds = time.perf_counter() - began
            schedule.made(self.seconds, RUNS)
        self._failed = found == []
        return found or []


def _is_time(schedule: Schedule, made_in: float) -> bool:
    if made_in <= 0.0 or schedule.looks < LOOKS_BEFORE:
        return False
    schedule.save()
    return schedule.left >= TIMES * made_in
