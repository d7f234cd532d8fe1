"""Looking at a step of a compiled function: its Python once more, operation by operation, with
nothing of it remaining."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.insight.doctor.moments import undone
from pellucid.insight.doctor.steps import NotRepeatable, RecordedStep, StepRecorder, plain
from pellucid.nn.module import Module
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.state import eager_kernels, state
from pellucid.tensor.trees import flatten, map_tensors


@dataclass
class Given:
    """What a compiled function was called with, copied."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @classmethod
    def of(cls, function: Any, args: Any, kwargs: Any, step: int | None = None) -> Given:
        """Copies of the tensors among the arguments; of stacked ones, of one step."""

        def copied(tensor: TensorCore) -> Any:
            array = tensor.detach().array()  # type: ignore[attr-defined]
            return as_tensor(np.array(array if step is None else array[step]))

        args, kwargs = map_tensors((args, kwargs), copied)
        return cls(function, args, kwargs)

    @property
    def bytes(self) -> int:
        """Size of the tensors."""
        return sum(tensor.array().nbytes for tensor in self.tensors())

    def tensors(self) -> list[TensorCore]:
        """The tensors among the arguments."""
        found: list[TensorCore] = []
        flatten((self.args, self.kwargs), found)
        return found

    def first_rows(self, count: int) -> Given:
        """The same with so many rows, where all tensors with axes have equally many."""
        extents = {t.shape[0] for t in self.tensors() if t.shape}
        if len(extents) != 1 or extents.pop() <= count:
            return self

        def cut(tensor: TensorCore) -> Any:
            return as_tensor(tensor.array()[:count]) if tensor.shape else tensor

        args, kwargs = map_tensors((self.args, self.kwargs), cut)
        return Given(self.function, args, kwargs)


@dataclass
class Looker:
    """Follows one run: remembers what each optimizer would have made a step of."""

    recorder: StepRecorder = field(default_factory=StepRecorder)
    steps: list[tuple[Any, RecordedStep]] = field(default_factory=list)
    models: list[Any] = field(default_factory=list)
    losses: list[Any] = field(default_factory=list)
    """Cells of what gradients were asked of."""
    holds_updates: bool = True

    def entered(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is called."""
        is_new = not any(function is known for known in self.models)
        if is_new and isinstance(function, Module) and any(True for _ in function.parameters()):
            self.models.append(function)
        self.recorder.entered(args, kwargs)

    def called(self, function: Any, args: Any, kwargs: Any, result: Any) -> None:
        """The call is over."""
        self.recorder.called(function, args, kwargs, result)

    def backward(self, outputs: Sequence[Any], cotangents: Sequence[Any]) -> None:
        """Gradients are asked for."""
        self.losses += [output._cell for output in outputs]
        self.recorder.backward(outputs, cotangents)

    def differentiated(self) -> None:
        """Nothing to keep."""

    def updating(self, optimizer: Any) -> None:
        """Nothing: updates are held back."""

    def updated(self, optimizer: Any) -> None:
        """An optimizer would have made a step."""
        self.steps.append((optimizer, self.recorder.finished()))
        self.recorder.begin()

    def ran(self, *_: Any) -> None:
        """Compiled functions run as Python."""


def look(
    given: Given, models: Sequence[Any], optimizers: Sequence[Any], kernels: bool = True
) -> Looker | None:
    """Run a step's Python once and take everything back; None where it cannot be run so.

    With ``kernels`` False operations are their NumPy definitions, so that nothing is compiled.
    """
    seen = Looker()
    before = (state.follower, state.watcher, state.inline)
    state.follower, state.watcher, state.inline = seen, None, True
    try:
        with undone(models, optimizers), contextlib.redirect_stdout(io.StringIO()):
            seen.recorder.begin()
            with eager_kernels(kernels and state.eager_kernels):
                result = plain(given.function)(*given.args, **given.kwargs)
            if not seen.losses:  # its caller asks for the gradients
                _of_result(seen, result)
    except (PellucidError, NotRepeatable):
        return None
    finally:
        seen.recorder.end()
        state.follower, state.watcher, state.inline = before
    return seen


def _of_result(seen: Looker, result: Any) -> None:
    leaves: list[TensorCore] = []
    flatten(result, leaves)
    scalars = [t for t in leaves if t._requires_grad and t._cell.shape in ((), (1,))]
    if scalars:
        seen.backward(scalars[:1], [None])
