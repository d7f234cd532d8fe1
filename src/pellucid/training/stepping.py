"""Training steps: one after the other in Python, or many in one native call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import compile as compile_function
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.state import is_tracing

# A native call lasts about this long, so that the progress bar and Ctrl-C stay alive.
SLICE_SECONDS = 0.08


class Learner:
    """Forward, loss, backward, update: what one step does, whoever runs it.

    ``report(kind, traced)`` is told about the four parts in this order.
    """

    def __init__(
        self,
        model: Any,
        loss: Callable[[Any, Any], Any],
        optimizer: Any,
        clip_norm: float,
        report: Callable[[str, bool], None],
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.clip_norm = clip_norm
        self.report = report
        self.parameters = [p for g in optimizer.param_groups for p in g["params"]]

    def __call__(self, features: Any, targets: Any) -> Any:
        """One step on a batch; returns the batch's loss, a tensor of one number."""
        traced = is_tracing()
        scores = self.model(features)
        self.report("forward", traced)
        loss = self.loss(scores, targets)
        self.report("loss", traced)
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip_norm:
            clip_gradients(self.parameters, self.clip_norm)
        self.report("backward", traced)
        self.optimizer.step()
        self.report("update", traced)
        return loss.detach()


def clip_gradients(parameters: list[Any], longest: float) -> None:
    """Scales all gradients by min(1, longest/norm), norm being that of all of them together
    (Pascanu and others, 2013)."""
    with no_grad():
        held = [p for p in parameters if p.grad is not None]
        total = sum((p.grad * p.grad).sum() for p in held)
        factor = (longest / (total.sqrt() + 1e-6)).clamp(max=1.0)
        for parameter in held:
            parameter.grad = parameter.grad * factor


class ArraySteps:
    """Steps on rows of arrays in memory: the native program picks the rows of each batch itself.

    ``features`` (rows, …) and ``targets`` (rows, …) are tensors.
    """

    def __init__(self, learner: Learner, features: Any, targets: Any, compile: bool) -> None:
        def step(rows: Any) -> Any:
            return learner(features.index_select(0, rows), targets.index_select(0, rows))

        self._step = step
        self._program = compile_function(step) if compile else None
        self._made: set[int] = set()
        self.compile_seconds = 0.0
        self._rate = 0.0

    def batch(self, rows: npt.NDArray[np.int64]) -> float:
        """One step on these rows; its loss."""
        return float(self.run(rows[None])[0])

    def run(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """A step for each line of ``rows`` (steps, batch size); the losses (steps,)."""
        if self._program is None:
            return np.array([self._step(as_tensor(line)).item() for line in rows])
        if rows.shape[1] not in self._made:
            # The first step of a signature makes the program and is timed apart from the rest.
            start = time.perf_counter()
            first = self._program(as_tensor(rows[0])).item()
            self._made.add(rows.shape[1])
            self.compile_seconds += time.perf_counter() - start
            rest = self.run(rows[1:]) if len(rows) > 1 else np.empty(0)
            return np.concatenate([[first], rest])
        losses = self._program.many(len(rows), as_tensor(np.ascontiguousarray(rows)))
        return np.array(losses.detach().numpy()).reshape(len(rows))

    def timed(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """As ``run``, and learns how many steps fit into a slice."""
        fresh = self._program is not None and rows.shape[1] not in self._made
        start = time.perf_counter()
        losses = self.run(rows)
        if not fresh:
            self._rate = len(rows) / max(time.perf_counter() - start, 1e-7)
        return losses

    @property
    def slice_steps(self) -> int:
        """Steps that the next call should do."""
        if self._program is None:
            return 1
        return max(1, min(100_000, int(self._rate * SLICE_SECONDS))) if self._rate else 16


class BatchSteps:
    """Steps on batches that come from outside, one at a time."""

    def __init__(self, learner: Learner, compile: bool) -> None:
        self._step = compile_function(learner.__call__) if compile else learner
        self._made: set[Any] = set()
        self.compile_seconds = 0.0

    def batch(self, batch: tuple[Any, Any]) -> float:
        """One step on (features, targets); its loss."""
        key = tuple(tuple(part.shape) for part in batch)
        start = time.perf_counter()
        loss = float(self._step(*batch).item())
        if key not in self._made:
            self._made.add(key)
            self.compile_seconds += time.perf_counter() - start
        return loss
