"""Losses scaled up before ``backward()``, so that small gradients survive in float16.

Micikevicius et al., Mixed Precision Training, 2018: the loss is multiplied by a large factor, the
gradients are divided by it, steps with infinite gradients are left out, and the factor adapts.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, overload

import numpy as np

from pellucid.base.dtypes import float16, float64
from pellucid.base.errors import ArgumentError, ArgumentTypeError, PellucidError, UnsupportedError
from pellucid.optim.optimizer import Optimizer
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import tensor
from pellucid.tensor.functions import where
from pellucid.tensor.shaping import stack
from pellucid.tensor.state import concrete, is_tracing
from pellucid.tensor.tensor import Tensor


class ScalingOrderError(PellucidError, RuntimeError, AssertionError):
    """The calls of a step with scaled gradients came in an order that has no sense."""


class _Part:
    """What is known of one optimizer since the last update."""

    def __init__(self) -> None:
        self.found: Tensor | None = None
        """Whether any gradient is infinite or NaN; None before the gradients were unscaled."""
        self.has_stepped = False


class GradScaler:
    """The factor that a loss is multiplied by, and the steps that are left out because of it.

    ::

        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    ``init_scale`` is the factor at first.  After a step with infinite or NaN gradients, which
    changes no parameter, it is multiplied by ``backoff_factor``; after ``growth_interval`` steps
    in a row without, by ``growth_factor``.  The same works within :func:`pellucid.compile`: there
    the step is computed and kept or not, element by element.

    ``device`` other than "cpu" warns, and the scaler is switched off, for only the CPU exists
    here; with ``enabled=False`` too everything passes through unchanged.  Raises
    ``ArgumentError`` for a ``growth_factor`` up to 1 or a ``backoff_factor`` from 1 on.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = device
        if enabled and device != "cpu":
            warnings.warn(
                f"GradScaler is enabled for {device!r}, but only the CPU exists here: it is "
                'switched off. Use GradScaler("cpu")',
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        if enabled and not growth_factor > 1:
            raise ArgumentError(f"GradScaler got growth_factor={growth_factor}", "use more than 1")
        if enabled and not backoff_factor < 1:
            raise ArgumentError(f"GradScaler got backoff_factor={backoff_factor}", "use below 1")
        self._init_scale = float(init_scale)
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._init_tracker = 0
        self._scale: Tensor | None = None
        self._tracker: Tensor | None = None
        self._parts: dict[int, _Part] = {}

    def _start(self) -> Tensor:
        """The factor as a tensor, made at the first use."""
        if self._scale is None:
            with concrete():
                self._scale = tensor(np.float32(self._init_scale))
                self._tracker = tensor(np.int32(self._init_tracker))
        return self._scale

    def _factor(self, use: str) -> Tensor:
        if self._scale is None:
            raise ScalingOrderError(
                f"{use} was called before any loss was scaled",
                "call scaler.scale(loss).backward() first",
            )
        return self._scale

    @overload
    def scale(self, outputs: Tensor) -> Tensor: ...
    @overload
    def scale(self, outputs: Iterable[Tensor]) -> Iterable[Tensor]: ...
    def scale(self, outputs: Tensor | Iterable[Tensor]) -> Tensor | Iterable[Tensor]:
        """A loss, or a list of tensors, multiplied by the factor."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._start().to(outputs.dtype)
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(self.scale(one) for one in outputs)
        if isinstance(outputs, Iterable):
            return [self.scale(one) for one in outputs]
        raise ArgumentTypeError(f"scale got a {type(outputs).__name__}", "pass a tensor or tensors")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the factor, in place.

        For looking at them or clipping them before :meth:`step`.  Raises for a second call
        before :meth:`update`.
        """
        if not self._enabled:
            return
        factor = self._factor("unscale_()")
        part = self._parts.setdefault(id(optimizer), _Part())
        if part.has_stepped:
            raise ScalingOrderError("unscale_() is called after step()", "call it before")
        if part.found is not None:
            raise ScalingOrderError(
                "unscale_() has already been called on this optimizer since the last update()",
                "call it once a step",
            )
        part.found = _divide_gradients(optimizer, 1.0 / factor.to(float64))

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> object:
        """``optimizer.step(*args, **kwargs)``, unless a gradient is infinite or NaN.

        Divides the gradients first if :meth:`unscale_` has not.  Returns what the optimizer's
        step returns; None where it is left out, or in a compiled function.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise UnsupportedError(
                "step got a closure, which an enabled GradScaler does not support",
                "compute the loss and its gradients first, or use enabled=False",
            )
        self._factor("step()")
        part = self._parts.setdefault(id(optimizer), _Part())
        if part.has_stepped:
            raise ScalingOrderError(
                "step() has already been called since the last update()", "call update() after it"
            )
        if part.found is None:
            self.unscale_(optimizer)
        found = self._parts[id(optimizer)].found
        if found is None:
            raise ScalingOrderError("step() found no gradients", "call backward() first")
        result = None
        if is_tracing():
            optimizer.step_unless(found)
        elif not found.item():
            result = optimizer.step(*args, **kwargs)
        part.has_stepped = True
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adapt the factor to what the steps since the last call found, or set ``new_scale``."""
        if not self._enabled:
            return
        factor, tracker = self._factor("update()"), self._tracker
        if new_scale is not None:
            factor.copy_(new_scale)
        else:
            seen = [part.found for part in self._parts.values() if part.found is not None]
            if not seen or tracker is None:
                raise ScalingOrderError(
                    "update() was called before any step()", "call scaler.step(optimizer) first"
                )
            with no_grad():
                self._adapt(factor, tracker, stack(seen).any() if len(seen) > 1 else seen[0])
        self._parts = {}

    def _adapt(self, factor: Tensor, tracker: Tensor, found: Tensor) -> None:
        """Shrink the factor if something was found, else let it grow when its time has come."""
        count = tracker + 1
        grown = factor * self._growth_factor
        due = count.eq(self._growth_interval)
        growing = where(due & grown.isfinite(), grown, factor)
        shrunk = factor * self._backoff_factor
        new_count = where(found | due, 0, count)
        factor.copy_(where(found, shrunk, growing))
        tracker.copy_(new_count)

    def get_scale(self) -> float:
        """The factor, 1 if switched off."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale.item())

    def get_growth_factor(self) -> float:
        """What the factor is multiplied by after a while without infinite gradients."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set what the factor is multiplied by after a while without infinite gradients."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the factor is multiplied by after an infinite gradient."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set what the factor is multiplied by after an infinite gradient."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many steps in a row without infinite gradients the factor grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set after how many steps in a row without infinite gradients the factor grows."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether it scales at all."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The factor, its settings and the steps since it changed; empty if switched off."""
        if not self._enabled:
            return {}
        count = self._init_tracker if self._tracker is None else int(self._tracker.item())
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": count,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` gave; nothing happens if switched off."""
        if not self._enabled:
            return
        known = ("scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker")
        if not all(name in state_dict for name in known):
            raise ArgumentError(
                "the state of a GradScaler lacks entries, possibly because it was saved from a "
                "disabled instance of GradScaler",
                f"it needs {', '.join(known)}",
            )
        self._init_scale = float(state_dict["scale"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_tracker = int(state_dict["_growth_tracker"])
        if self._scale is not None and self._tracker is not None:
            self._scale.fill_(self._init_scale)
            self._tracker.fill_(self._init_tracker)


def _divide_gradients(optimizer: Optimizer, inverse: Tensor) -> Tensor:
    """Multiply all gradients by ``inverse`` in place; whether one was infinite or NaN."""
    bad = []
    with no_grad():
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                if gradient.dtype is float16:
                    raise ArgumentError(
                        "a gradient of float16 was to be unscaled",
                        "keep the parameters in float32 and compute in float16 under autocast",
                    )
                bad.append(gradient.isfinite().all().logical_not())
                gradient.mul_(inverse.to(gradient.dtype))
    if not bad:
        return tensor(False)
    return stack(bad).any()
