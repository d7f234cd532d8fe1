"""Short trials before a training: which learning rate, is everything wired up, does it run at all.

None of them leaves a trace: weights, buffers, optimizer, schedule, gradients, and all random
numbers are afterwards what they were before, bit by bit.
"""

from __future__ import annotations

import contextlib
import html
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.language import translated
from pellucid.tensor.autograd import stored_gradient
from pellucid.training.batches import leaves, rows_in
from pellucid.training.capture import (
    capture,
    generator_state,
    generators_of,
    restore,
    restore_generator,
)
from pellucid.training.showing import curves_html, figure, table_html

_SMOOTHING = 0.9
_DIVERGED = 4.0
_LEARNED = 0.05


@dataclass(frozen=True)
class LearningRates:
    """The loss at learning rates that rose from step to step; see ``Trainer.find_lr``.

    ``smoothed`` is a running mean of ``losses``.  ``suggestion`` is the rate at which it fell
    fastest, None where it never fell.  ``insight.draw_learning_rates(found, "rates.svg")`` draws
    it.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float | None

    def __repr__(self) -> str:
        found = "none" if self.suggestion is None else f"{self.suggestion:.3g}"
        low, high = self.rates[0], self.rates[-1]
        steps = len(self.rates)
        return f"LearningRates(suggestion={found}; {steps} steps from {low:.3g} to {high:.3g})"

    def _repr_html_(self) -> str:
        """The loss over the logarithm of the rate in a notebook, with the suggestion."""
        places = [math.log10(rate) for rate in self.rates]
        smoothed = self.smoothed
        top = max(smoothed[: max(1, len(smoothed) // 2)])
        ceiling = top + 0.5 * (top - min(smoothed))  # what diverges at the end hides the rest
        shown = [value if value <= ceiling else math.nan for value in smoothed]
        mark = None if self.suggestion is None else math.log10(self.suggestion)
        note = f"rates from {self.rates[0]:.1g} to {self.rates[-1]:.1g}, logarithmic; line: "
        note += "none suggested" if self.suggestion is None else f"{self.suggestion:.2g}"
        head = f"<div>{html.escape(repr(self))}</div>"
        return head + curves_html("running mean of the loss", places, [shown], mark, note)


@dataclass(frozen=True)
class OneBatch:
    """Whether a network can learn one batch by heart; see ``Trainer.overfit_one_batch``."""

    losses: tuple[float, ...]
    learned: bool

    def __repr__(self) -> str:
        told = "learned by heart" if self.learned else "not learned: look for what is not wired up"
        first, last = self.losses[0], self.losses[-1]
        return f"OneBatch({told}; loss {first:.4g} to {last:.4g} in {len(self.losses)} steps)"

    def _repr_html_(self) -> str:
        """The loss over the steps in a notebook."""
        places = list(range(1, len(self.losses) + 1))
        head = f"<div>{html.escape(repr(self))}</div>"
        return head + curves_html("loss", places, [self.losses], None, "over the steps")


@dataclass(frozen=True)
class DryRun:
    """One step and one validation, for what they cost and give; see ``Trainer.dry_run``.

    ``rows`` of the batch, seconds of the ``compilation``, of another ``step`` and of the
    ``validation`` (None without), ``loss`` and ``validation_loss``, and ``parameters`` that the
    step did not change (``unchanged``), by name.
    """

    rows: int
    compilation: float
    step: float
    loss: float
    validation: float | None
    validation_loss: float | None
    unchanged: tuple[str, ...]

    def _repr_html_(self) -> str:
        """What it cost and gave, in a notebook."""
        unchanged = ", ".join(self.unchanged) or translated("none")
        rows = [
            [translated("compilation, s"), figure(self.compilation)],
            [translated("one step, s"), figure(self.step)],
            [translated("validation, s"), figure(self.validation)],
            [translated("loss"), figure(self.loss)],
            [translated("validation loss"), figure(self.validation_loss)],
            [translated("parameters that did not change"), unchanged],
        ]
        return table_html(["a batch of", f"{self.rows:,} rows"], rows)


@contextlib.contextmanager
def untouched(trainer: Any, data: Any) -> Iterator[None]:
    """Whatever the block does to a trainer, and to the generators of a loader, is taken back."""
    callbacks, trainer.callbacks = trainer.callbacks, []
    kept = {name: getattr(trainer, name) for name in ("history", "average", "scorer", "epoch")}
    parameters = [p for group in trainer.optimizer.param_groups for p in group["params"]]
    without = [p for p in parameters if stored_gradient(p) is None]
    generators = generators_of(data)
    states = [generator_state(generator) for generator in generators]
    state = capture(trainer)
    try:
        yield
    finally:
        restore(trainer, state)
        for generator, before in zip(generators, states, strict=True):
            restore_generator(generator, before)
        for parameter in without:
            parameter.grad = None
        for name, value in kept.items():
            setattr(trainer, name, value)
        trainer.callbacks = callbacks


def _silent(kind: str, traced: bool) -> None:
    """Nobody is told."""


def find_lr(
    trainer: Any, train: Any, *, low: float, high: float, steps: int, batch_size: int, shuffle: bool
) -> LearningRates:
    """See ``Trainer.find_lr``."""
    if not 0 < low < high < math.inf:
        raise ArgumentError(f"low={low!r}, high={high!r}", "Give two numbers with 0 < low < high.")
    if steps < 10:
        raise ArgumentError(f"steps={steps!r}", "Give at least 10 steps.")
    rates, losses, smoothed = [], [], []
    mean, best = 0.0, math.inf
    with untouched(trainer, train):
        source = trainer._source(train, batch_size, shuffle, None, report=_silent)
        trainer.model.train()
        groups = trainer.optimizer.param_groups
        shares = [group.rate() / max(groups[0].rate(), 1e-30) for group in groups]
        for step, unit in enumerate(_units(source, steps)):
            rate = low * (high / low) ** (step / (steps - 1))
            for group, share in zip(groups, shares, strict=True):
                group.set_rate(rate * share)
            loss = float(source.run(unit)[0])
            if not math.isfinite(loss):
                break
            mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
            rates.append(rate)
            losses.append(loss)
            smoothed.append(mean / (1 - _SMOOTHING ** (step + 1)))
            best = min(best, smoothed[-1])
            if smoothed[-1] > _DIVERGED * best and step >= 10:
                break
    if not rates:
        raise DataError("The loss is not finite at the smallest learning rate", "Check the data.")
    return LearningRates(tuple(rates), tuple(losses), tuple(smoothed), _steepest(rates, smoothed))


def _units(source: Any, steps: int) -> Iterator[Any]:
    """So many steps, over as many epochs as it takes."""
    done, epoch = 0, 0
    while done < steps:
        epoch, before = epoch + 1, done
        for unit, _ in source.units(epoch, True):
            yield unit
            done += 1
            if done == steps:
                return
        if done == before:
            raise DataError("There are no training rows", "Give at least one batch.")


def _steepest(rates: list[float], smoothed: list[float]) -> float | None:
    """The rate at which the loss falls fastest over the logarithm of the rate, before its minimum:
    the middle of the steepest straight line through a tenth of the steps."""
    lowest = int(np.argmin(smoothed))
    width = max(5, len(rates) // 10)
    if lowest < width or smoothed[lowest] > 0.99 * smoothed[0]:
        return None
    places, values = np.log(rates[: lowest + 1]), np.array(smoothed[: lowest + 1])
    slopes = [
        np.polyfit(places[at : at + width], values[at : at + width], 1)[0]
        for at in range(lowest + 2 - width)
    ]
    return float(rates[int(np.argmin(slopes)) + width // 2])


def overfit_one_batch(
    trainer: Any, train: Any, *, steps: int, batch_size: int, threshold: float | None
) -> OneBatch:
    """See ``Trainer.overfit_one_batch``."""
    losses: list[float] = []
    with untouched(trainer, train):
        source = trainer._source(train, batch_size, True, None, report=_silent)
        trainer.model.train()
        unit = next(_units(source, 1))
        learned = False
        for _ in range(steps):
            losses.append(float(source.run(unit)[0]))
            limit = _LEARNED * losses[0] if threshold is None else threshold
            learned = losses[-1] <= limit
            if learned or not math.isfinite(losses[-1]):
                break
    return OneBatch(tuple(losses), learned)


def dry_run(trainer: Any, train: Any, validation: Any, *, batch_size: int) -> DryRun:
    """See ``Trainer.dry_run``; ``validation`` is a batch or None."""
    with untouched(trainer, train):
        source = trainer._source(train, batch_size, True, None, report=_silent)
        trainer.model.train()
        unit = next(_units(source, 1))
        names = list(trainer.model.named_parameters())
        before = [np.array(p.detach().array()) for _, p in names]
        start = time.perf_counter()
        loss = float(source.run(unit)[0])
        compilation = time.perf_counter() - start
        unchanged = [
            name
            for (name, parameter), old in zip(names, before, strict=True)
            if parameter.requires_grad and np.array_equal(parameter.detach().array(), old)
        ]
        start = time.perf_counter()
        source.run(unit)
        step = time.perf_counter() - start
        seconds = value = None
        if validation is not None:
            start = time.perf_counter()
            value, _ = trainer.measure(*validation)
            seconds = time.perf_counter() - start
        rows = rows_in(source.tensors(next(iter(source.batches_of(unit)))))
    if not all(part.shape[0] for part in leaves((unit,)) if hasattr(part, "shape")):
        raise DataError("The first batch is empty", "Give at least one row.")
    return DryRun(rows, compilation, step, loss, seconds, value, tuple(unchanged))
