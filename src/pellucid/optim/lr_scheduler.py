"""Learning-rate schedules: PyTorch's names, arguments and values.

A schedule sets ``group["lr"]`` of every parameter group, once when it is made and once for each
``schedule.step()``, which is called after ``optimizer.step()``: once an epoch, or once a batch for
those whose lengths are counted in batches.  η₀ is the learning rate the optimizer was made with
(``group["initial_lr"]``), t the number of calls so far (``last_epoch``).

Most schedules multiply the learning rate they find, so that several can act together
(:class:`ChainedScheduler`); the formulas below say what comes out when one acts alone.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pellucid.optim.cycles import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from pellucid.optim.optimizer import Optimizer
from pellucid.optim.schedule import LRScheduler, for_each_group, require, whole
from pellucid.tensor.tensor import Tensor


class _FunctionSchedule(LRScheduler):
    """Schedules given by a function of t, or one for each group."""

    _not_saved = frozenset({"optimizer", "lr_lambdas"})

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = for_each_group(self, "lr_lambda", lr_lambda, optimizer)
        for function in self.lr_lambdas:
            require(
                callable(function), self, f"lr_lambda={function!r}", "pass a function of the step"
            )
        super().__init__(optimizer, last_epoch)


class LambdaLR(_FunctionSchedule):
    """η = η₀·f(t) with f = ``lr_lambda``, a function or a list of one for each group."""

    def get_lr(self) -> list[float]:
        """As the class says."""
        return [
            base * function(self.last_epoch)
            for base, function in zip(self.base_lrs, self.lr_lambdas, strict=True)
        ]


class MultiplicativeLR(_FunctionSchedule):
    """η ← η·f(t) with f = ``lr_lambda``, a function or a list of one for each group."""

    def get_lr(self) -> list[float]:
        """As the class says."""
        if self._starting:
            return self._current()
        return [
            lr * function(self.last_epoch)
            for lr, function in zip(self._current(), self.lr_lambdas, strict=True)
        ]


class StepLR(LRScheduler):
    """η = η₀·γ^⌊t/step_size⌋; ``gamma`` γ = 0.1."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        whole(self, "step_size", step_size)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """As the class says."""
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return self._times(self.gamma) if due else self._current()

    def _at_start(self) -> list[float]:
        return list(self.base_lrs)


class MultiStepLR(LRScheduler):
    """η = η₀·γ^k, k the number of ``milestones`` reached; ``gamma`` γ = 0.1."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """As the class says."""
        reached = self.milestones.count(self.last_epoch)
        return self._times(self.gamma**reached) if reached else self._current()

    def _at_start(self) -> list[float]:
        return [base * self.gamma ** bisect_right(self.milestones, 0) for base in self.base_lrs]


class ConstantLR(LRScheduler):
    """η = η₀·factor for t < total_iters, then η₀; ``factor`` = 1/3, ``total_iters`` = 5."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        require(0 < factor <= 1, self, f"factor={factor}", "use a factor in (0, 1]")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """As the class says."""
        if self.last_epoch == 0:
            return self._times(self.factor)
        ends = self.last_epoch == self.total_iters
        return self._times(1.0 / self.factor) if ends else self._current()

    def _at_start(self) -> list[float]:
        return [base * (self.factor if self.total_iters > 0 else 1.0) for base in self.base_lrs]


class LinearLR(LRScheduler):
    """η = η₀·(a + (b − a)·min(t, T)/T): a linear warm-up.

    ``start_factor`` a = 1/3, ``end_factor`` b = 1, ``total_iters`` T = 5.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        require(
            0 < start_factor <= 1, self, f"start_factor={start_factor}", "use a factor in (0, 1]"
        )
        require(0 <= end_factor <= 1, self, f"end_factor={end_factor}", "use a factor in [0, 1]")
        whole(self, "total_iters", total_iters)
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """As the class says."""
        if self.last_epoch == 0:
            return self._times(self.start_factor)
        if self._starting or self.last_epoch > self.total_iters:
            return self._current()
        slope = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * slope
        return self._times(1.0 + slope / before)

    def _at_start(self) -> list[float]:
        return [base * self.start_factor for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """η = η₀·γ^t."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """As the class says."""
        return self._current() if self._starting else self._times(self.gamma)

    def _at_start(self) -> list[float]:
        return list(self.base_lrs)


class PolynomialLR(LRScheduler):
    """η = η₀·(1 − min(t, T)/T)^power; ``total_iters`` T = 5, ``power`` = 1."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        whole(self, "total_iters", total_iters)
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """As the class says."""
        if self._starting or self.last_epoch > self.total_iters:
            return self._current()
        left = 1.0 - self.last_epoch / self.total_iters
        left_before = 1.0 - (self.last_epoch - 1) / self.total_iters
        return self._times((left / left_before) ** self.power)

    def _at_start(self) -> list[float]:
        return list(self.base_lrs)


class CosineAnnealingLR(LRScheduler):
    """η = η_min + ½(η₀ − η_min)(1 + cos(πt/T_max)); ``eta_min`` η_min = 0.

    From η₀ down to η_min at t = T_max, then up again.

    Loshchilov and Hutter, *SGDR: stochastic gradient descent with warm restarts* (2017).
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        whole(self, "T_max", T_max)
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """As the class says."""
        if self._starting and self.last_epoch == 0:
            return self._current()
        if self._starting:
            return self._alone()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # The factor before was 0: nothing to multiply, begin to rise.
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            pairs = zip(self._current(), self.base_lrs, strict=True)
            return [lr + (base - self.eta_min) * rise for lr, base in pairs]
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        before = 1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        return [height / before * (lr - self.eta_min) + self.eta_min for lr in self._current()]

    def _alone(self) -> list[float]:
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def _at_start(self) -> list[float]:
        return self._alone()


class _Composed(LRScheduler):
    """Schedules made of schedules of one optimizer."""

    _schedulers: list[LRScheduler]

    @property
    def interval(self) -> str:  # type: ignore[override]
        """That of its schedules; ``ArgumentError`` where they differ.  A schedule that alone takes
        fractions of epochs is advanced by whole ones."""
        found = {"epoch" if s.interval == "fraction" else s.interval for s in self._schedulers}
        require(
            len(found) == 1,
            self,
            "schedules of which some count epochs and others steps: "
            + ", ".join(f"{type(s).__name__} ({s.interval})" for s in self._schedulers),
            'combine schedules of one kind, or say which is meant: schedule_interval="step"',
        )
        return found.pop()

    def _check(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        require(len(schedulers) > 0, self, "no schedules", "pass at least one")
        for position, scheduler in enumerate(schedulers):
            require(
                isinstance(scheduler, LRScheduler) and not isinstance(scheduler, ReduceLROnPlateau),
                self,
                f"a {type(scheduler).__name__} at position {position}",
                "pass schedules whose step() needs no argument",
            )
            require(
                scheduler.optimizer is (optimizer or schedulers[0].optimizer),
                self,
                f"a schedule of another optimizer at position {position}",
                "all schedules must belong to one optimizer",
            )

    def _undo(self) -> None:
        for scheduler in self._schedulers:
            scheduler._undo()

    def state_dict(self) -> dict[str, Any]:
        """Own state, and that of each schedule in ``_schedulers``."""
        own = {k: v for k, v in super().state_dict().items() if k != "_schedulers"}
        return {**own, "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As the base, for each schedule."""
        saved = state_dict["_schedulers"]
        require(
            len(saved) == len(self._schedulers),
            self,
            f"the state of {len(saved)} schedules for {len(self._schedulers)}",
            "build it as the saved one was",
        )
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for scheduler, state in zip(self._schedulers, saved, strict=True):
            scheduler.load_state_dict(state)


class SequentialLR(_Composed):
    """One schedule after the other: the next begins at each of the ``milestones``.

    For example a linear warm-up and then a cosine: ``SequentialLR(optimizer, [LinearLR(optimizer,
    0.01, total_iters=5), CosineAnnealingLR(optimizer, 95)], milestones=[5])``.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        self._check(schedulers, optimizer)
        require(
            len(milestones) == len(schedulers) - 1,
            self,
            f"{len(schedulers)} schedules and {len(milestones)} milestones",
            "pass one milestone less than schedules",
        )
        self.optimizer = optimizer
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            group.set_rate(group["initial_lr"])
        self._undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._begin()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:
        """The next learning rate of the schedule whose turn it is."""
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[turn]
        if turn > 0 and self._milestones[turn - 1] == self.last_epoch:
            scheduler._restart()
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def _restart(self) -> None:
        self.last_epoch = 0
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._restart()
        self._last_lr = first.get_last_lr()


class ChainedScheduler(_Composed):
    """All ``schedulers`` at every step, each multiplying what the one before left."""

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        self._check(schedulers, optimizer)
        self.optimizer = optimizer or schedulers[0].optimizer
        self._schedulers = list(schedulers)
        self._last_lr = self._current()

    def step(self) -> None:
        """One step of every schedule."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._current()

    def _begin(self) -> None:
        for scheduler in self._schedulers:
            scheduler._begin()
        self._last_lr = self._current()

    def _restart(self) -> None:
        for scheduler in self._schedulers:
            scheduler._restart()
        self._last_lr = self._current()


class ReduceLROnPlateau(LRScheduler):
    """η ← max(η·factor, min_lr) when a metric has not improved for more than ``patience`` steps.

    ``step(metrics)`` with the validation loss (``mode`` "min") or score ("max").  It has improved
    if it beats the best by ``threshold`` = 1e-4, relatively (``threshold_mode`` "rel") or
    absolutely ("abs").  ``factor`` = 0.1, ``patience`` = 10, ``cooldown`` = 0 steps of rest after a
    reduction, ``min_lr`` = 0 (or one for each group), changes smaller than ``eps`` = 1e-8 are not
    made.  A metric that is not a number has not improved.
    """

    watches_metric = True

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        require(factor < 1, self, f"factor={factor}", "use a factor below 1")
        require(mode in ("min", "max"), self, f"mode={mode!r}", 'use "min" or "max"')
        require(
            threshold_mode in ("rel", "abs"),
            self,
            f"threshold_mode={threshold_mode!r}",
            'use "rel" or "abs"',
        )
        self.optimizer = optimizer
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.cooldown, self.eps = cooldown, eps
        self.min_lrs = for_each_group(self, "min_lr", min_lr, optimizer)
        self.last_epoch = 0
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        self._last_lr = self._current()

    def step(self, metrics: Tensor | float) -> None:  # type: ignore[override]
        """Take the newest value of the metric into account; a number or one-element tensor."""
        value = float(metrics)
        self.last_epoch += 1
        if self._improves(value):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._current()

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            rate = group.rate()
            reduced = max(rate * self.factor, least)
            if rate - reduced > self.eps:
                group.set_rate(reduced)

    @property
    def in_cooldown(self) -> bool:
        """Whether it rests after a reduction."""
        return self.cooldown_counter > 0

    def _improves(self, value: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            goal = self.best * (1 + sign * self.threshold)
        else:
            goal = self.best + sign * self.threshold
        return value < goal if self.mode == "min" else value > goal


_LRScheduler = LRScheduler  # the name of the base in older programs that derive their own

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


def __dir__() -> list[str]:
    return sorted(__all__)
