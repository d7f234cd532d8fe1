"""Averages of weights over the course of training: the same network, a calmer answer.

Averages lie in the middle of the region that the steps wander through, where the loss is flatter;
they often generalize better than the last weights.  PyTorch's names:

>>> from pellucid import nn, optim
>>> from pellucid.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
>>> model = nn.Linear(4, 2)
>>> average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
>>> average.update_parameters(model)   # after each optimizer.step(), also in a compiled step
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pellucid.base.dtypes import int64
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.modes import training
from pellucid.nn.module import Module
from pellucid.nn.normalization import _BatchNorm
from pellucid.optim.optimizer import Optimizer
from pellucid.optim.schedule import LRScheduler, for_each_group, require, whole
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import tensor
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.functions import where
from pellucid.tensor.tensor import Tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Average = Callable[[Any, Any, Any], Any]
"""(average, current, number averaged so far) → new average."""
MultipleAverage = Callable[[Sequence[Any], Sequence[Any], Any], None]
"""The same for lists of tensors, the averages changed in place."""


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ArgumentError(f"the decay of an average is {decay}", "use a number from 0 to 1")


# The functions stand in the module, not in one another, so that what holds them can be pickled.


@no_grad
def _ema_multi(averages: Sequence[Any], currents: Sequence[Any], _: Any, *, decay: float) -> None:
    for average, current in zip(averages, currents, strict=True):
        if average.dtype.is_differentiable:
            average.copy_(average.lerp(current, 1 - decay))
        else:
            average.copy_(average * decay + current * (1 - decay))


@no_grad
def _swa_multi(averages: Sequence[Any], currents: Sequence[Any], count: Any) -> None:
    for average, current in zip(averages, currents, strict=True):
        average.copy_(average + (current - average) / (count + 1))


@no_grad
def _ema(average: Any, current: Any, _: Any, *, decay: float) -> Any:
    return decay * average + (1 - decay) * current


@no_grad
def _swa(average: Any, current: Any, count: Any) -> Any:
    return average + (current - average) / (count + 1)


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultipleAverage:
    """Exponential moving average (Polyak and Juditsky, 1992): a ← d·a + (1 − d)·p, in place.

    ``decay`` d = 0.999 averages over about the last 1 / (1 − d) = 1000 steps.
    """
    _check_decay(decay)
    return functools.partial(_ema_multi, decay=decay)


def get_swa_multi_avg_fn() -> MultipleAverage:
    """Stochastic weight averaging (Izmailov et al., 2018): the plain mean of all n + 1 weights,
    a ← a + (p − a) / (n + 1), in place."""
    return _swa_multi


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """As :func:`get_ema_multi_avg_fn`, for one tensor: returns d·a + (1 − d)·p."""
    _check_decay(decay)
    return functools.partial(_ema, decay=decay)


def get_swa_avg_fn() -> Average:
    """As :func:`get_swa_multi_avg_fn`, for one tensor: returns a + (p − a) / (n + 1)."""
    return _swa


class AveragedModel(Module):
    """A copy of ``model`` whose parameters are averages over the calls of
    :meth:`update_parameters`; called, it answers with these.

    The first call copies the parameters.  ``avg_fn(average, current, n)`` returns, or
    ``multi_avg_fn(averages, currents, n)`` writes, the new averages; without either it is the
    plain mean (SWA).  n, the number of calls so far, is a tensor: the buffer ``n_averaged``.
    Buffers (running statistics) are copied, with ``use_buffers`` averaged as well; after plain
    averaging call :func:`update_bn` for networks with batch normalization.  ``device`` is
    accepted as in PyTorch; there is one.

    State-dict keys: ``n_averaged`` and ``module.…``.
    """

    def __init__(
        self,
        model: Module,
        device: DeviceLike | None = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultipleAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        check_device(device)
        super().__init__()
        if not isinstance(model, Module):
            raise ArgumentError(
                f"AveragedModel got a {type(model).__name__}", "pass the nn.Module to average"
            )
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError(
                "AveragedModel got avg_fn and multi_avg_fn", "pass one of them, or none"
            )
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", tensor(0, dtype=int64))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged network gives."""
        return self.module(*args, **kwargs)

    @no_grad
    def update_parameters(self, model: Module) -> None:
        """Take the parameters of ``model``, as they are now, into the average."""
        averages: list[Tensor] = list(self.module.parameters())
        currents: list[Tensor] = list(model.parameters())
        own_buffers, buffers = list(self.module.buffers()), list(model.buffers())
        _check_alike([*averages, *own_buffers], [*currents, *buffers])
        if self.use_buffers:
            averages, currents = [*averages, *own_buffers], [*currents, *buffers]
        else:
            for own, buffer in zip(own_buffers, buffers, strict=True):
                own.copy_(buffer)
        self._average([a.detach() for a in averages], [c.detach() for c in currents])
        self.n_averaged.add_(1)

    def _average(self, averages: list[Any], currents: list[Any]) -> None:
        """New averages; the first time, when there is nothing to average with, a copy.

        Both are computed and one is chosen, so that a compiled step need not know which.
        """
        count = self.n_averaged
        first = count == 0
        if self.avg_fn is not None:
            made = [self.avg_fn(a, c, count) for a, c in zip(averages, currents, strict=True)]
        else:
            made = [a.clone() for a in averages]
            kinds = {a.dtype: None for a in averages}
            for kind in kinds:
                chosen = [i for i, a in enumerate(averages) if a.dtype is kind]
                (self.multi_avg_fn or get_swa_multi_avg_fn())(
                    [made[i] for i in chosen], [currents[i] for i in chosen], count
                )
        for average, current, new in zip(averages, currents, made, strict=True):
            average.copy_(where(first, current, new.to(average.dtype)))


def _check_alike(averages: Sequence[Any], currents: Sequence[Any]) -> None:
    """Raise unless both lists have equally many tensors of the same shapes."""
    if len(averages) != len(currents):
        raise ArgumentError(
            f"the average was made of {len(averages)} tensors and the model has {len(currents)}",
            "pass the model that the average was made from",
        )
    for position, (average, current) in enumerate(zip(averages, currents, strict=True)):
        if tuple(average.shape) != tuple(current.shape):
            raise ShapeError(
                f"tensor {position} of the average has shape {tuple(average.shape)}, the model's "
                f"{tuple(current.shape)}",
                "pass the model that the average was made from",
            )


@no_grad
def update_bn(loader: Iterable[Any], model: Module, device: DeviceLike | None = None) -> None:
    """Set the running statistics of all batch-normalization layers to means over ``loader``.

    Batches are tensors, or tuples whose first entry is the input.  An averaged network has
    weights that no batch has been through, so its statistics belong to others.
    """
    check_device(device)
    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    try:
        with training(model):
            for batch in loader:
                model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


class SWALR(LRScheduler):
    """From the present learning rate to ``swa_lr`` over ``anneal_epochs`` calls, then constant.

    η_t = α·swa_lr + (1 − α)·η₀ with α = (1 − cos(π t / T)) / 2 (``anneal_strategy="cos"``) or
    α = t / T (``"linear"``), T = ``anneal_epochs`` = 10, α = 1 from t = T on.  ``swa_lr`` is a
    number or a list with one for each group.  It starts from whatever the learning rate is when
    it is first stepped, so it can follow another schedule.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        require(
            anneal_strategy in ("cos", "linear"),
            self,
            f"anneal_strategy={anneal_strategy!r}",
            "use 'cos' or 'linear'",
        )
        whole(self, "anneal_epochs", anneal_epochs, 0)
        values = for_each_group(self, "swa_lr", swa_lr, optimizer)
        for value, group in zip(values, optimizer.param_groups, strict=True):
            group["swa_lr"] = value
        self.anneal_epochs = anneal_epochs
        self.anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """α after so many steps."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[float]:
        """As the class says."""
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, goal = group.rate(), group["swa_lr"]
            start = goal if before == 1 else (lr - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates


def __dir__() -> list[str]:
    return sorted(__all__)
