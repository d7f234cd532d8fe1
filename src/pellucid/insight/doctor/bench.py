"""What probes experiment with: the program's own step, from a snapshot, restored bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Bench(Protocol):
    """Steps that can be tried without leaving a trace.

    A Trainer's bench calls its model and loss; that of a program with a loop of its own repeats
    the graph that its ``backward()`` was called on.  Everything between ``trial()``'s beginning and
    end is taken back: weights, buffers, modes, the optimizer's slots and settings, gradients,
    random numbers.
    """

    @property
    def batches(self) -> Sequence[Any]:
        """Batches that were seen, the newest last; at least one."""

    def trial(self) -> AbstractContextManager[None]:
        """Whatever happens inside is undone at its end."""

    def loss(self, batch: Any, *, training: bool = True) -> float:
        """The loss of a batch in training or evaluation mode."""

    def gradients(self, batch: Any) -> dict[str, Any]:
        """Parameter name → gradient (NumPy) of the loss of a batch, without anything added."""

    def outputs(self, batch: Any, *, training: bool = False) -> Any:
        """The model's answers (NumPy) to a batch."""

    def step(self, batch: Any, *, scale: float = 1.0) -> float:
        """One update by the program's optimizer with ``scale`` times its learning rates; returns
        the loss of the batch before it."""
