"""The base of the learning-rate schedules."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.base.boundary import ClearlyMade
from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.optim.optimizer import Optimizer


def require(good: bool, owner: object, received: str, advice: str) -> None:
    """Raise :class:`ArgumentError` unless ``good``."""
    if not good:
        raise ArgumentError(f"{type(owner).__name__} got {received}", advice)


def whole(owner: object, name: str, value: Any, least: int = 1) -> None:
    """Raise :class:`ArgumentError` unless ``value`` is a whole number of at least ``least``."""
    good = isinstance(value, int) and not isinstance(value, bool) and value >= least
    require(good, owner, f"{name}={value!r}", f"use a whole number of at least {least}")


def for_each_group(owner: object, name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """A value for every parameter group: from a list, or the same for all."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    require(
        len(value) == count,
        owner,
        f"{len(value)} values of {name} for {count} parameter groups",
        "pass one value, or one for each group",
    )
    return list(value)


class LRScheduler(ClearlyMade):
    """Base of the schedules: counts the steps and sets what :meth:`get_lr` says.

    ``last_epoch`` = −1 starts anew; another value resumes after so many steps, with the groups'
    ``initial_lr`` as it was saved.
    """

    optimizer: Optimizer
    interval: str = "epoch"
    """How often a training loop advances it unless it was told otherwise: once an ``"epoch"``,
    after every ``"step"`` of the optimizer, or after every step with the number of epochs done so
    far, ``step(epoch + batch / batches)``: ``"fraction"``."""
    watches_metric: bool = False
    """Whether :meth:`step` takes the newest value of a metric."""
    _not_saved = frozenset({"optimizer"})

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ArgumentTypeError(
                f"{type(self).__name__} got a {type(optimizer).__name__} as optimizer",
                "pass an optimizer of pellucid.optim",
            )
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group.rate())
            require(
                "initial_lr" in group,
                self,
                f"last_epoch={last_epoch}, but group {number} has no initial_lr",
                "load the optimizer's saved state first, or start with last_epoch=-1",
            )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._begin()

    def _begin(self) -> None:
        """Set the first learning rate."""
        self._starting = True
        self._step_count = 0
        try:
            self.step()
        finally:
            self._starting = False

    def get_lr(self) -> list[float]:
        """The learning rates that belong to ``last_epoch``, from those of the step before."""
        raise NotImplementedError

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group that this schedule set last."""
        return list(self._last_lr)

    def step(self) -> None:
        """Set the next learning rate."""
        if self._step_count == 1 and not self.optimizer._stepped:
            warnings.warn(
                f"{type(self).__name__}.step() was called before optimizer.step(): the first "
                "learning rate is skipped. Call optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self.last_epoch += 1
        self._set(self.get_lr())

    def _undo(self) -> None:
        """Forget that the first learning rate was set."""
        self.last_epoch -= 1

    def _restart(self) -> None:
        """Set the learning rate of step 0, whatever it is now."""
        self.last_epoch = 0
        self._set(self._at_start())

    def _at_start(self) -> list[float]:
        return self.get_lr()

    def _current(self) -> list[float]:
        return [group.rate() for group in self.optimizer.param_groups]

    def _times(self, factor: float) -> list[float]:
        return [lr * factor for lr in self._current()]

    def _set(self, values: Sequence[float]) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            group.set_rate(value)
        self._last_lr = self._current()

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and functions, to be given to :meth:`load_state_dict`."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if name not in self._not_saved and not inspect.isroutine(value)
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue where the schedule stood whose state this is.

        The optimizer's learning rates are in the optimizer's own state.
        """
        self.__dict__.update(state_dict)
