"""Learning-rate schedules that rise again: warm restarts, cycles, one cycle."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.optim.optimizer import Optimizer
from pellucid.optim.schedule import LRScheduler, for_each_group, require, whole


class CosineAnnealingWarmRestarts(LRScheduler):
    """η = η_min + ½(η₀ − η_min)(1 + cos(π·T_cur/T_i)), from the top again every T_i steps.

    T_i = ``T_0`` at first and ``T_mult`` = 1 times longer at each restart; ``eta_min`` η_min = 0.

    Loshchilov and Hutter (2017).
    """

    interval = "fraction"

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        whole(self, "T_0", T_0)
        whole(self, "T_mult", T_mult)
        self.T_0 = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self._epoch: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """As the class says."""
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """The next learning rate, or that of ``epoch``, such as ``epoch + batch / batches``."""
        require(epoch is None or epoch >= 0, self, f"epoch={epoch}", "use a number ≥ 0")
        self._find(self._epoch + 1 if epoch is None else epoch)
        self.last_epoch = math.floor(self._epoch) - 1
        super().step()

    def _find(self, epoch: float) -> None:
        """Set T_cur and T_i for ``epoch``, which may have a fraction."""
        self._epoch = epoch
        self.T_i, self.T_cur = self.T_0, epoch
        while self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult
            if self.T_mult == 1:
                self.T_cur %= self.T_i

    def _at_start(self) -> list[float]:
        self._find(0)
        return self.get_lr()

    def _undo(self) -> None:
        super()._undo()
        self._epoch -= 1


class _Cycled(LRScheduler):
    """Schedules that also cycle the momentum, or β₁ of the Adam family; they count steps."""

    interval = "step"

    def _prepare_momentum(self, base: Any, largest: Any, last_epoch: int) -> None:
        optimizer = self.optimizer
        require(
            "momentum" in optimizer.defaults or "betas" in optimizer.defaults,
            self,
            f"cycle_momentum=True with {type(optimizer).__name__}, which has no momentum",
            "pass cycle_momentum=False",
        )
        self.use_beta1 = "betas" in optimizer.defaults
        self.base_momentums = for_each_group(self, "base_momentum", base, optimizer)
        self.max_momentums = for_each_group(self, "max_momentum", largest, optimizer)
        if last_epoch != -1:
            return
        for group, low, high in zip(
            optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
        ):
            self._set_momentum(group, high)
            group.update(base_momentum=low, max_momentum=high)

    def _set_momentum(self, group: dict[str, Any], value: float) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


class CyclicLR(_Cycled):
    """η rises from ``base_lr`` to ``max_lr`` in ``step_size_up`` steps, falls again, and so on.

    ``mode`` "triangular": always as high; "triangular2": half the height in each cycle;
    "exp_range": the height times ``gamma``^t.  ``scale_fn`` with ``scale_mode`` "cycle" or
    "iterations" gives the height's factor instead.  ``step_size_up`` = 2000, ``step_size_down`` =
    the same.  With ``cycle_momentum`` (default) momentum, or β₁, goes the other way between
    ``max_momentum`` = 0.9 and ``base_momentum`` = 0.8.

    Smith, *Cyclical learning rates for training neural networks* (2017).
    """

    _not_saved = frozenset({"optimizer", "_custom_scale"})

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        known = ("triangular", "triangular2", "exp_range")
        require(
            mode in known or scale_fn is not None,
            self,
            f"mode={mode!r}",
            "use triangular, triangular2, exp_range, or pass scale_fn",
        )
        down = step_size_up if step_size_down is None else step_size_down
        require(step_size_up > 0 and down > 0, self, "a step size of 0", "use sizes above 0")
        self.optimizer = optimizer
        lows = for_each_group(self, "base_lr", base_lr, optimizer)
        self.max_lrs = for_each_group(self, "max_lr", max_lr, optimizer)
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self._custom_scale = mode, gamma, scale_fn
        by_cycle = mode != "exp_range" if scale_fn is None else scale_mode == "cycle"
        self.scale_mode = "cycle" if by_cycle else "iterations"
        self.cycle_momentum = cycle_momentum
        if last_epoch == -1:
            for group, low in zip(optimizer.param_groups, lows, strict=True):
                group.set_rate(low)
        if cycle_momentum:
            self._prepare_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lows

    def scale_fn(self, x: float) -> float:
        """The factor of the height in cycle (or step) ``x``."""
        if self._custom_scale is not None:
            return float(self._custom_scale(x))
        if self.mode == "triangular2":
            return float(2.0 ** (1 - x))
        return float(self.gamma**x) if self.mode == "exp_range" else 1.0

    def get_lr(self) -> list[float]:
        """As the class says; sets the momentum too."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        place = 1.0 + self.last_epoch / self.total_size - cycle
        rising = place <= self.step_ratio
        height = place / self.step_ratio if rising else (place - 1) / (self.step_ratio - 1)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                self._set_momentum(group, high - (high - low) * height)
        pairs = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height for low, high in pairs]


def _cosine_between(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _line_between(start: float, end: float, share: float) -> float:
    return (end - start) * share + start


class OneCycleLR(_Cycled):
    """Up from max_lr/div_factor to ``max_lr``, then far down, while momentum goes the other way.

    The rise takes ``pct_start`` = 0.3 of ``total_steps`` (or of ``epochs`` · ``steps_per_epoch``),
    the fall the rest, along cosines (``anneal_strategy`` "cos") or lines ("linear").  The end is
    max_lr/(div_factor · final_div_factor); ``div_factor`` = 25, ``final_div_factor`` = 1e4.  With
    ``three_phase`` it comes down to the start first, as fast as it rose.  With ``cycle_momentum``
    (default) momentum, or β₁, moves between ``max_momentum`` = 0.95 and ``base_momentum`` = 0.85.
    Call :meth:`step` after every batch.

    Smith and Topin, *Super-convergence* (2019).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = optimizer
        self.total_steps = self._length(total_steps, epochs, steps_per_epoch)
        require(0 <= pct_start <= 1, self, f"pct_start={pct_start}", "use a share in [0, 1]")
        require(
            anneal_strategy in ("cos", "linear"),
            self,
            f"anneal_strategy={anneal_strategy!r}",
            'use "cos" or "linear"',
        )
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        rise = float(pct_start * self.total_steps) - 1
        # (last step, learning rate at both ends, momentum at both ends)
        self.phases = [(rise, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
        middle = "max_lr"
        if three_phase:
            fall = float(2 * pct_start * self.total_steps) - 2
            self.phases.append((fall, "max_lr", "initial_lr", "base_momentum", "max_momentum"))
            middle = "initial_lr"
        from_momentum = "max_momentum" if three_phase else "base_momentum"
        end = float(self.total_steps - 1)
        self.phases.append((end, middle, "min_lr", from_momentum, "max_momentum"))
        highest = for_each_group(self, "max_lr", max_lr, optimizer)
        if last_epoch == -1:
            for group, high in zip(optimizer.param_groups, highest, strict=True):
                first = high / div_factor
                group.update(initial_lr=first, max_lr=high, min_lr=first / final_div_factor)
        if cycle_momentum:
            self._prepare_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _length(self, total: int | None, epochs: int | None, steps: int | None) -> int:
        if total is not None:
            whole(self, "total_steps", total)
            return total
        require(
            epochs is not None and steps is not None,
            self,
            "neither total_steps nor both epochs and steps_per_epoch",
            "pass total_steps=epochs * batches",
        )
        whole(self, "epochs", epochs)
        whole(self, "steps_per_epoch", steps)
        return int(epochs or 0) * int(steps or 0)

    def get_lr(self) -> list[float]:
        """As the class says; sets the momentum too."""
        step = self.last_epoch
        require(
            step <= self.total_steps,
            self,
            f"step {step} of {self.total_steps}",
            "make total_steps the number of optimizer steps of the whole training",
        )
        between = _cosine_between if self.anneal_strategy == "cos" else _line_between
        start = 0.0
        for phase in self.phases:
            end, low, high, momentum_low, momentum_high = phase
            if step <= end or phase is self.phases[-1]:
                break
            start = end
        share = (step - start) / (end - start) if end != start else 1.0
        groups = self.optimizer.param_groups
        if self.cycle_momentum:
            for group in groups:
                value = between(group[momentum_low], group[momentum_high], share)
                self._set_momentum(group, value)
        return [between(group[low], group[high], share) for group in groups]
