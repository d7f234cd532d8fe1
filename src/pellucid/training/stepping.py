"""Training steps: one after the other in Python, or many in one native call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.tensor.autograd import no_grad, stored_gradient
from pellucid.tensor.compile import compile as compile_function
from pellucid.tensor.creation import as_tensor, zeros_like
from pellucid.tensor.program import Program
from pellucid.tensor.state import host_value, is_tracing, watch
from pellucid.tensor.validity import changed
from pellucid.training.augmenting import before
from pellucid.training.batches import Batch, applied, chosen, leaves, rows_in
from pellucid.training.weighting import class_numbers, row_loss

# A native call lasts about this long, so that the progress bar and Ctrl-C stay alive.
SLICE_SECONDS = 0.08


class Learner:
    """Forward, loss, backward, update: what one step does, whoever runs it.

    ``report(kind, traced)`` is told about the four parts in this order.  ``average`` is an
    :class:`AveragedModel` that takes in the weights after each update, or None.  Where rows have
    weights w, of their own or of their classes (``class_weights``), the loss is Σ w·l / Σ w.

    A step on several batches is a :meth:`collect` for each and one :meth:`update`: the same
    update as for all their rows together, with the memory of one batch.

    ``augment(features)`` gives the rows that are learned from, and what share of itself each row
    keeps where it was mixed with the one before it, or None; see ``training.augmenting``.
    """

    def __init__(
        self,
        model: Any,
        loss: Callable[[Any, Any], Any],
        optimizer: Any,
        clip_norm: float,
        report: Callable[[str, bool], None],
        average: Any = None,
        class_weights: Any = None,
        augment: Callable[[Any], tuple[Any, Any]] | None = None,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.clip_norm = clip_norm
        self.report = report
        self.average = average
        self.class_weights = class_weights
        self.augment = augment
        self._by_row = row_loss(loss)
        self.parameters = [p for g in optimizer.param_groups for p in g["params"]]
        self._rows = 0.0
        """Weight of the rows whose gradients have been collected since the last update."""
        self._share = 1.0

    def __call__(self, features: Any, targets: Any, weights: Any = None) -> Any:
        """One step on a batch; returns the batch's loss, a tensor of one number."""
        traced = is_tracing()
        loss, _ = self._loss(features, targets, weights)
        self.optimizer.zero_grad()
        loss.backward()
        self._update(traced)
        return loss.detach()

    def _loss(self, features: Any, targets: Any, weights: Any) -> tuple[Any, Any]:
        """The loss, and how much it counts beside that of other batches."""
        traced = is_tracing()
        kept = None
        if self.augment is not None:
            features, kept = self.augment(features)
        scores = applied(self.model, features)
        self.report("forward", traced)
        if self.class_weights is not None:
            own = self.class_weights.index_select(0, class_numbers(targets))
            weights = own if weights is None else own * weights.reshape(-1)
        if kept is not None:
            loss, share = self._mixed_loss(scores, targets, weights, kept)
        elif weights is None:
            loss, share = self.loss(scores, targets), rows_in((features,))
        else:
            weights = weights.reshape(-1)
            share = weights.sum()
            loss = (self._by_row(scores, targets) * weights).sum() / share.clamp(min=1e-12)
        self.report("loss", traced)
        return loss, share

    def _mixed_loss(self, scores: Any, targets: Any, weights: Any, kept: Any) -> tuple[Any, Any]:
        """The loss of rows that keep a share of themselves and have the rest from the row before:
        that against both targets, by these shares and by the weights of both rows."""
        own, rest = kept, 1 - kept
        if weights is not None:
            own, rest = own * weights.reshape(-1), rest * before(weights.reshape(-1))
        total = self._by_row(scores, targets) * own
        total = (total + self._by_row(scores, before(targets)) * rest).sum()
        if weights is None:
            return total / rows_in((scores,)), rows_in((scores,))
        share = (own + rest).sum()
        return total / share.clamp(min=1e-12), share

    def _update(self, traced: bool) -> None:
        if self.clip_norm:
            clip_gradients(self.parameters, self.clip_norm)
        self.report("backward", traced)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.report("update", traced)

    # ---- a step on several batches -------------------------------------------------------------

    def begin(self) -> None:
        """Gradients of zero, to be added to."""
        for parameter in self.parameters:
            if parameter.requires_grad and stored_gradient(parameter) is None:
                parameter.grad = zeros_like(parameter)
        self.optimizer.zero_grad(set_to_none=False)
        self._rows = 0.0

    def collect(self, features: Any, targets: Any, weights: Any = None) -> tuple[Any, Any]:
        """Add the gradients of a batch, each row by its weight; returns its loss, and the sum of
        the weights (None where each row counts the same)."""
        loss, share = self._loss(features, targets, weights)
        (loss * share).backward()
        weighted = weights is not None or self.class_weights is not None
        return loss.detach(), share if weighted else None

    def counted(self, share: float) -> None:
        """Rows of so much weight were collected; the update divides by the sum."""
        self._rows += share

    def update(self) -> None:
        """Update with the mean over all rows collected, and begin anew."""
        watch(self)
        share = host_value(lambda: self._share)
        with no_grad():
            for parameter in self.parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(share)
        self._update(is_tracing())
        self.optimizer.zero_grad(set_to_none=False)

    def ready(self) -> None:
        """Before :meth:`update`: fix what the gradients are divided by."""
        share = 1.0 / max(self._rows, 1e-12)
        if share != self._share:
            self._share = share
            changed(self)
        self._rows = 0.0


class Gathering:
    """A step on several batches: one program collects gradients, another updates."""

    def __init__(self, learner: Learner, compile: bool) -> None:
        self.learner = learner
        learner.begin()
        made: tuple[Any, Any] = (learner.collect, learner.update)
        if compile:
            made = (
                compile_function(learner.collect, keep_gradients=True),
                compile_function(learner.update, keep_gradients=True),
            )
        self._collect, self._update = made

    @property
    def programs(self) -> list[Any]:
        """The compiled functions of a step on one batch."""
        return [self._collect, self._update]

    def __call__(self, batches: list[Batch]) -> float:
        """One step on all rows of the batches; the mean loss of these rows."""
        total, sum_of_shares = 0.0, 0.0
        for batch in batches:
            loss, weight = self._collect(*batch)
            share = float(rows_in(batch)) if weight is None else float(weight.item())
            total += float(loss.item()) * share
            sum_of_shares += share
            self.learner.counted(share)
        self.learner.ready()
        self._update()
        return total / max(sum_of_shares, 1e-12)


def clip_gradients(parameters: list[Any], longest: float) -> None:
    """Scales all gradients by min(1, longest/norm), norm being that of all of them together
    (Pascanu and others, 2013)."""
    with no_grad():
        held = [p for p in parameters if p.grad is not None]
        total = sum((p.grad * p.grad.conj()).real.sum() for p in held)
        factor = (longest / (total.sqrt() + 1e-6)).clamp(max=1.0)
        for parameter in held:
            parameter.grad = parameter.grad * factor


def _programs(gathering: Gathering | None, step: Any) -> list[Any]:
    return gathering.programs if gathering is not None else [step]


class ArraySteps:
    """Steps on rows of arrays in memory: the native program picks the rows of each batch itself.

    ``arrays`` are features, targets and perhaps weights of all rows.  With ``part`` the rows of a
    step go through the model so many at a time.
    """

    def __init__(
        self,
        learner: Learner,
        arrays: Batch,
        compile: bool,
        part: int = 0,
        keep_gradients: bool = False,
    ) -> None:
        self._arrays = arrays
        self._part = part
        self._gathering = Gathering(learner, compile) if part else None

        def step(rows: Any) -> Any:
            return learner(*chosen(arrays, rows))

        self._step = step
        self._program = compile_function(step, keep_gradients=keep_gradients) if compile else None
        self._made: set[int] = set()
        self.compile_seconds = 0.0
        self.slice_seconds = SLICE_SECONDS
        self.single = False
        """Whether the next call does one step."""
        self._rate = 0.0
        self.rows = 0
        """Rows of the last step."""

    @property
    def programs(self) -> list[Any]:
        """The compiled functions of a step."""
        return _programs(self._gathering, self._program)

    def batch(self, rows: npt.NDArray[np.int64]) -> float:
        """One step on these rows; its loss."""
        return float(self.run(rows[None])[0])

    def run(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """A step for each line of ``rows`` (steps, batch size); the losses (steps,)."""
        self.rows = rows.shape[1]
        if self._gathering is not None:
            return np.array([self._in_parts(self._gathering, line) for line in rows])
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

    def program(self, rows: int) -> Program:
        """The native program of a step on so many rows, which is not run."""
        if self._program is None:
            raise ArgumentError("Steps that Python runs have no program", "Use compile=True.")
        return self._program.program_for(as_tensor(np.zeros(rows, np.int64)))

    def _in_parts(self, gathering: Gathering, line: npt.NDArray[np.int64]) -> float:
        """One step on the rows of ``line``, ``part`` of them at a time."""
        start = time.perf_counter()
        parts = [
            chosen(self._arrays, as_tensor(line[at : at + self._part]))
            for at in range(0, len(line), self._part)
        ]
        loss = gathering(parts)
        if len(line) not in self._made:
            self._made.add(len(line))
            self.compile_seconds += time.perf_counter() - start
        return loss

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
        if self._program is None or self._gathering is not None or self.single:
            return 1
        return max(1, min(100_000, int(self._rate * self.slice_seconds))) if self._rate else 16


class BatchSteps:
    """Steps on batches that come from outside, one at a time, or ``several`` in each step."""

    def __init__(
        self,
        learner: Learner,
        compile: bool,
        several: bool = False,
        keep_gradients: bool = False,
    ) -> None:
        self._gathering = Gathering(learner, compile) if several else None
        self._step: Any = learner
        if compile:
            self._step = compile_function(learner.__call__, keep_gradients=keep_gradients)
        self._made: set[Any] = set()
        self.compile_seconds = 0.0
        self.rows = 0
        """Rows of the last step."""

    @property
    def programs(self) -> list[Any]:
        """The compiled functions of a step."""
        return _programs(self._gathering, self._step)

    def batch(self, batches: list[Batch]) -> float:
        """One step on a list of batches, of one unless ``several``; its loss."""
        self.rows = sum(rows_in(batch) for batch in batches)
        key = tuple(tuple(part.shape) for batch in batches for part in leaves(batch))
        start = time.perf_counter()
        if self._gathering is not None:
            loss = self._gathering(batches)
        else:
            loss = float(self._step(*batches[0]).item())
        if key not in self._made:
            self._made.add(key)
            self.compile_seconds += time.perf_counter() - start
        return loss
