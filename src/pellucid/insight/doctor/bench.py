"""What probes experiment with: the program's own step, from a snapshot, restored bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid import optim
from pellucid.base.errors import ArgumentError, PellucidError
from pellucid.insight.doctor.clock import worked
from pellucid.insight.doctor.restoring import Kept
from pellucid.nn import functional
from pellucid.nn.modes import evaluation
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import compile as compile_function
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import zeros_like
from pellucid.tensor.observe import KINDS
from pellucid.training.batches import applied, arrays_of, tensors
from pellucid.training.stepping import Learner

EAGER_SECONDS = 0.8
"""What steps of one kind may cost in Python before they are compiled, about what compiling costs:
small networks are looked at in less."""
MOST_KINDS = 8
"""Kinds of steps (other loss, optimizer …) whose programs are kept."""


Answers: TypeAlias = npt.NDArray[Any] | tuple[Any, ...] | dict[str, Any]
"""What a model gives, as arrays in its own structure."""


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

    def outputs(self, batch: Any, *, training: bool = False) -> Answers:
        """The model's answers (NumPy) to a batch."""

    def step(self, batch: Any, *, scale: float = 1.0) -> float:
        """One update by the program's optimizer with ``scale`` times its learning rates; returns
        the loss of the batch before it."""


_TAKEN_BACK = (
    "model", "optimizer", "loss_function", "augment", "clip_norm", "class_weights", "batches"
)  # fmt: skip


class _Kind:
    """A kind of step: the learner that makes it, its programs, and what it has cost in Python."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.programs: dict[str, Any] = {}
        self.uncompiled: set[str] = set()
        self.spent = 0.0


class ModelBench:
    """The bench of a model, a loss of (outputs, targets), an optimizer, and batches of it.

    ``loss`` is a function, a module, or a name in ``nn.functional``; ``optimizer`` is AdamW with
    learning rate 0.001 unless given; ``batches`` are ``(features, targets)`` or ``(features,
    targets, weights)``, of tensors or arrays.  ``augment``, ``clip_norm`` and ``class_weights`` are
    the Trainer's.  Steps run in Python until they have cost ``eager_seconds``, then compiled, where
    they can be and unless ``compile`` is False; programs are kept, rates are inputs of them.

    Every method but ``step`` leaves all as it was; ``step`` does inside of ``trial()``, outside of
    it raises ``ArgumentError``.

    >>> bench = ModelBench(model, "cross_entropy", optimizer, [(x, y)])         # doctest: +SKIP
    >>> with bench.trial():                                                     # doctest: +SKIP
    ...     losses = [bench.step(bench.batches[0], scale=0.1) for _ in range(20)]
    """

    def __init__(
        self,
        model: Any,
        loss: Any,
        optimizer: Any = None,
        batches: Sequence[Any] = (),
        *,
        augment: Callable[[Any], tuple[Any, Any]] | None = None,
        clip_norm: float = 0.0,
        class_weights: Any = None,
        compile: bool = True,
    ) -> None:
        self.model = model
        self.loss_function = getattr(functional, loss) if isinstance(loss, str) else loss
        self.optimizer = (
            optim.AdamW(model.parameters(), lr=1e-3) if optimizer is None else optimizer
        )
        self.batches: list[Any] = [tensors(batch) for batch in batches]
        self.augment = augment
        self.clip_norm = clip_norm
        self.class_weights = class_weights
        self.compile = compile
        self._modes = _training_modes(model)
        self._depth = 0
        self.eager_seconds = EAGER_SECONDS
        self._kinds: dict[tuple[Any, ...], _Kind] = {}
        self._slots: dict[int, tuple[Any, dict[Any, Any]]] = {}
        """id of an optimizer → it, and the slots of trials that began before its first step: the
        same objects in each of them, so that programs stay valid, with their first values."""

    # ---- what is tried -----------------------------------------------------------------------

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Whatever happens inside is undone at its end, bit for bit."""
        kept = Kept(self.model, self.optimizer)
        kept.silence()
        held = dict(vars(self))
        self._depth += 1
        try:
            yield
        finally:
            for name in _TAKEN_BACK:
                setattr(self, name, held[name])
            self._depth -= 1
            kept.restore()

    def _own_trial(self) -> AbstractContextManager[None]:
        """A trial of its own around a method that is called outside of one."""
        return self.trial()

    @contextmanager
    def training(self) -> Iterator[None]:
        """The modes that the program trains in, module by module."""
        before = [(module, module.training) for module in self.model.modules()]
        try:
            for module, _ in before:
                wanted = self._modes.get(id(module), True)
                if module.training is not wanted:
                    module.training = wanted
            yield
        finally:
            for module, was in before:
                if module.training is not was:
                    module.training = was

    def variant(
        self,
        *,
        model: Any = None,
        loss: Any = None,
        optimizer: Any = None,
        batches: Sequence[Any] | None = None,
        **settings: Any,
    ) -> ModelBench:
        """Another bench that differs in what is given; what is not given is shared."""
        return ModelBench(
            self.model if model is None else model,
            self.loss_function if loss is None else loss,
            self.optimizer if optimizer is None else optimizer,
            self.batches if batches is None else batches,
            augment=settings.get("augment", self.augment),
            clip_norm=settings.get("clip_norm", self.clip_norm),
            class_weights=settings.get("class_weights", self.class_weights),
            compile=settings.get("compile", self.compile),
        )

    def copy(self) -> ModelBench:
        """A bench on copies of model and optimizer, which may be changed at will."""
        memo: dict[int, Any] = {}
        with_copies = copy.deepcopy((self.model, self.optimizer, self.loss_function), memo)
        model, optimizer, loss = with_copies
        made = self.variant(model=model, optimizer=optimizer, loss=loss)
        kept = Kept(model, optimizer)
        kept.silence()
        pairs = zip(self.model.modules(), model.modules(), strict=True)
        made._modes = {id(new): self._modes.get(id(old), True) for old, new in pairs}
        return made

    # ---- what is measured --------------------------------------------------------------------

    def loss(self, batch: Any, *, training: bool = True) -> float:
        """The loss of a batch in training mode (augmented as there) or in evaluation mode."""

        with self._own_trial(), self._mode(training):
            kind = self._kind(self.augment if training else None)

            def measured(*parts: Any) -> Any:
                with no_grad():
                    value, _ = kind.learner._loss(*parts, *([None] * (3 - len(parts))))
                return value

            return self._run(kind, f"loss {training}", measured, tensors(batch))

    def outputs(self, batch: Any, *, training: bool = False) -> Answers:
        """The model's answers to the features of a batch, arrays in the model's structure."""
        with self._own_trial(), self._mode(training), no_grad():
            answers: Any = applied(self.model, tensors(batch)[0])
            found: Answers = arrays_of(answers)
            return found

    def gradients(self, batch: Any) -> dict[str, Any]:
        """Parameter name → gradient (NumPy, a copy) of the loss of a batch in training mode."""
        with self._own_trial(), self.training():
            named = list(self.model.named_parameters())
            for _, parameter in named:
                parameter.grad = None
            parts = tensors(batch)
            value, _ = self._kind(self.augment).learner._loss(*parts, *([None] * (3 - len(parts))))
            value.backward()
            return {
                name: np.array(p.grad.detach().array()) for name, p in named if p.grad is not None
            }

    def observed(self, batch: Any) -> dict[str, Any]:
        """The record of ``model.observe`` of a batch in training mode, forward and backward:
        outputs, gradients to them, parameters and their gradients, in the order of use."""
        with self._own_trial(), self.training():
            for parameter in self.model.parameters():
                parameter.grad = None
            parts = tensors(batch)
            with self.model.observe(of=KINDS) as seen:
                loss, _ = self._kind(self.augment).learner._loss(
                    *parts, *([None] * (3 - len(parts)))
                )
                loss.backward()
                found: dict[str, Any] = seen.latest()
        return found

    def step(self, batch: Any, *, scale: float = 1.0) -> float:
        """One update with ``scale`` times the optimizer's rates; the batch's loss before it."""
        if not self._depth:
            raise ArgumentError(
                "A step was asked for outside of a trial", "Use `with bench.trial():` around it."
            )
        groups = self.optimizer.param_groups
        rates = [group.rate() for group in groups]
        kind = self._kind(self.augment)
        self._begin_slots()
        try:
            if scale != 1.0:
                for group, rate in zip(groups, rates, strict=True):
                    group.set_rate(rate * scale)
            with self.training():
                return self._run(kind, "step", kind.learner.__call__, tensors(batch))
        finally:
            if scale != 1.0:
                for group, rate in zip(groups, rates, strict=True):
                    group.set_rate(rate)

    def _begin_slots(self) -> None:
        """Give parameters that have no slots yet those that trials begin with."""
        table, optimizer = self.optimizer.state, self.optimizer
        wanting = [p for g in optimizer.param_groups for p in g["params"] if p not in table]
        if not wanting or not isinstance(optimizer, optim.Optimizer):
            return
        known = self._slots.get(id(optimizer), (None, {}))[1]
        if any(p not in known for p in wanting):
            known = _first_slots(optimizer, wanting)
            self._slots[id(optimizer)] = optimizer, known
        for parameter in wanting:
            slots, values = known.get(parameter, (None, {}))
            if slots is not None:
                table[parameter] = slots
                for name, value in values.items():
                    np.copyto(slots[name].detach().array(), value)

    # ---- how it runs -------------------------------------------------------------------------

    def _mode(self, training: bool) -> AbstractContextManager[None]:
        return self.training() if training else evaluation(self.model)

    def _kind(self, augment: Any) -> _Kind:
        """The step as the bench is set up now."""
        loss, optimizer, weights = self.loss_function, self.optimizer, self.class_weights
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        parts = (self.model, loss, optimizer, augment, weights, *parameters)
        key = (*map(id, parts), self.clip_norm)
        found = self._kinds.pop(key, None)
        if found is None:
            found = _Kind(
                Learner(
                    self.model, loss, optimizer, self.clip_norm, _nobody,
                    class_weights=weights, augment=augment,
                )
            )  # fmt: skip
        self._kinds[key] = found
        while len(self._kinds) > MOST_KINDS:
            del self._kinds[next(iter(self._kinds))]
        return found

    def _run(
        self, kind: _Kind, name: str, function: Callable[..., Any], parts: Sequence[Any]
    ) -> float:
        """The number that a function gives, compiled once Python has become dear."""
        dear = self.compile and kind.spent >= self.eager_seconds
        if dear and name not in kind.uncompiled:
            program = kind.programs.get(name)
            try:
                if program is None:
                    program = kind.programs[name] = compile_function(function)
                return float(program(*parts).item())
            except PellucidError:
                kind.uncompiled.add(name)
        start = worked()
        value = function(*parts)
        kind.spent += worked() - start
        return float(value.detach().item())


def _first_slots(optimizer: Any, parameters: list[Any]) -> dict[Any, tuple[Any, dict[str, Any]]]:
    """What an optimizer makes for parameters at their first step, and its values; not kept."""
    before = [(p, p._grad) for group in optimizer.param_groups for p in group["params"]]
    wanted = {id(p) for p in parameters}
    try:
        for parameter, _ in before:
            mine = id(parameter) in wanted and parameter.requires_grad
            parameter.grad = zeros_like(parameter) if mine else None
        for group in optimizer.param_groups:
            for _, listed in optimizer._bunches(group):
                for parameter in listed:
                    optimizer._slots_of(group, parameter)
    finally:
        for parameter, gradient in before:
            parameter._grad = gradient
    found = {}
    for parameter in parameters:
        slots = optimizer.state.pop(parameter, None)
        if slots is not None:
            tensors_in: dict[str, Any] = {
                name: value for name, value in slots.items() if isinstance(value, TensorCore)
            }
            values = {name: np.array(v.detach().array()) for name, v in tensors_in.items()}
            found[parameter] = slots, values
    return found


def _nobody(kind: str, traced: bool) -> None:
    """Nobody is told of the parts of a step."""


def _training_modes(model: Any) -> dict[int, bool]:
    """The modes in which the model trains: those of now, if it is in training mode."""
    if not model.training:
        return {}
    return {id(module): module.training for module in model.modules()}
