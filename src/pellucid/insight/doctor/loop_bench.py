"""The bench of a program with a loop of its own: the steps that it made, made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor.moments import Moment
from pellucid.insight.doctor.steps import RecordedStep
from pellucid.nn.modes import evaluation, training
from pellucid.nn.module import Module
from pellucid.tensor.autograd import enable_grad, no_grad
from pellucid.tensor.core import TensorCore
from pellucid.training.batches import arrays_of


class LoopBench:
    """Repeats recorded steps with the parameters' values of now.

    Batches are :class:`RecordedStep`; ``models`` are all modules whose state a step may change,
    the first one that which ``optimizer`` trains.  ``clip_norm`` is what the program shortens
    gradients to, 0 where it does not.  Every method but ``step`` leaves all as it was.
    """

    def __init__(
        self,
        models: Sequence[Any],
        optimizer: Any,
        batches: Sequence[RecordedStep],
        names: dict[int, str],
        clip_norm: float = 0.0,
    ) -> None:
        self.models = list(models)
        self.model = self.models[0] if self.models else None
        self.optimizer = optimizer
        self.batches: list[RecordedStep] = list(batches)
        self.clip_norm = clip_norm
        self._names = names
        self._depth = 0

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Whatever happens inside is undone at its end, bit for bit."""
        moment = Moment(self.models, [] if self.optimizer is None else [self.optimizer])
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            moment.restore()

    def loss(self, batch: RecordedStep, *, training: bool = True) -> float:
        """The loss of a recorded step in training or evaluation mode."""
        with self.trial(), self._mode(training), no_grad():
            return float(batch.loss().item())

    def gradients(self, batch: RecordedStep) -> dict[str, Any]:
        """Parameter name → gradient (NumPy) of the loss of a recorded step, nothing added."""
        with self.trial(), enable_grad():
            parameters = self._parameters()
            for parameter in parameters:
                parameter.grad = None
            with self._mode(True):
                batch.loss().backward()
            return {
                self._names.get(id(p), f"parameter {number}"): np.array(p.grad.detach().array())
                for number, p in enumerate(parameters)
                if isinstance(p._grad, TensorCore)
            }

    def outputs(self, batch: RecordedStep, *, training: bool = False) -> object:
        """What the model answers in a recorded step, arrays in the model's structure."""
        call = batch.main_call(self.model)
        if call is None:
            raise ArgumentError("The step calls no model", "Watch a step that calls one.")
        with self.trial(), self._mode(training), no_grad():
            return arrays_of(batch.result_of(call))

    def step(self, batch: RecordedStep, *, scale: float = 1.0) -> float:
        """One update with ``scale`` times the optimizer's rates; the loss before it."""
        if not self._depth:
            raise ArgumentError(
                "A step was asked for outside of a trial", "Use `with bench.trial():` around it."
            )
        if self.optimizer is None:
            raise ArgumentError("The program has no optimizer", "Give watch() one.")
        groups = self.optimizer.param_groups
        rates = [group.rate() for group in groups]
        parameters = self._parameters()
        try:
            for group, rate in zip(groups, rates, strict=True):
                group.set_rate(rate * scale)
            with self._mode(True), enable_grad():
                for parameter in parameters:
                    parameter.grad = None
                loss = batch.loss()
                loss.backward()
                self._clip(parameters)
                self.optimizer.step()
        finally:
            for group, rate in zip(groups, rates, strict=True):
                group.set_rate(rate)
        return float(loss.item())

    def _clip(self, parameters: Sequence[Any]) -> None:
        if not self.clip_norm:
            return
        held = [p.grad for p in parameters if isinstance(p._grad, TensorCore)]
        norm = float(np.sqrt(sum(float((g.array() ** 2).sum()) for g in held)))
        with no_grad():
            for gradient in held:
                gradient.mul_(min(1.0, self.clip_norm / max(norm, 1e-12)))

    def _parameters(self) -> list[Any]:
        if self.optimizer is None:
            return [] if self.model is None else list(self.model.parameters())
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    @contextmanager
    def _mode(self, learning: bool) -> Iterator[None]:
        """Modes of all models; those that the program trains in evaluation mode stay so."""
        model = self.model
        if not isinstance(model, Module) or (learning and model.training):
            yield
        elif learning:
            with training(model):
                yield
        else:
            with evaluation(model):
                yield
