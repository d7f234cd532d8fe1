"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Any, Unpack

from pellucid.base.dtypes import float64
from pellucid.base.errors import ArgumentError
from pellucid.optim.optimizer import (
    NOT_NEGATIVE,
    Execution,
    Numbers,
    Optimizer,
    ParameterGroup,
    Parameters,
    Slots,
    execution_settings,
    fading,
    rate_of,
)
from pellucid.tensor.creation import ones_like
from pellucid.tensor.functions import where
from pellucid.tensor.state import host_value
from pellucid.tensor.tensor import Tensor


def momentum_step(
    grad: Any, buffer: Any, momentum: Any, intake: Any, nesterov: bool
) -> tuple[Any, Any]:
    """b ← μ·b + intake·g; the direction is b, or g + μ·b for Nesterov's look ahead.

    Returns (direction, b), both in the shape of ``grad``.
    """
    new = fading(buffer * momentum + (grad if intake is None else grad * intake))
    return (grad + new * momentum if nesterov else new), new


class SGD(Optimizer):
    """Gradient descent: θ ← θ − η·g, or θ ← θ − η·b with momentum.

    b ← g at a parameter's first step, then b ← μ·b + (1 − dampening)·g.  With Nesterov's momentum
    the direction is g + μ·b.

    ``lr`` η = 0.001 (as PyTorch; for plain gradient descent 0.01 is the usual first try),
    ``momentum`` μ = 0, ``dampening`` = 0, ``weight_decay`` λ = 0 adds λ·θ to the gradient,
    ``nesterov`` = False, ``maximize`` = False, ``l1`` κ = 0 adds κ·sign θ (ours, not PyTorch's).

    Use it with momentum 0.9 and a decaying learning rate when the last bit of generalization
    counts and there is time to tune; it needs no memory without momentum, one copy with it.

    Robbins and Monro, *A stochastic approximation method* (1951); Polyak (1964); Nesterov (1983);
    Sutskever et al., *On the importance of initialization and momentum in deep learning* (2013).
    """

    ranges = {
        "lr": NOT_NEGATIVE,
        "momentum": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    switches = ("weight_decay", "l1", "momentum", "dampening")
    constants = ("nesterov", "maximize")
    unsaved = ("step",)

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        l1: float = 0,
        **execution: Unpack[Execution],
    ) -> None:
        settings = execution_settings("SGD", "foreach differentiable fused", execution)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentError(
                f"SGD got nesterov=True with momentum={momentum} and dampening={dampening}",
                "Nesterov's momentum needs momentum > 0 and dampening = 0",
            )
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
                **settings,
                "l1": l1,
            },
        )

    def _shared(self, group: ParameterGroup, state: Slots) -> dict[str, float]:
        # Without dampening a buffer of zeros makes the first step b = g by itself; with it the
        # first step has to be told apart. A buffer that was loaded is past its first step.
        if group["momentum"] == 0 or group["dampening"] == 0:
            return {}
        return {"step": 1.0 if "momentum_buffer" in state else 0.0}

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        return {"momentum_buffer": 0.0} if group["momentum"] != 0 else {}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        numbers: Numbers = {"lr": rate_of(group)}
        if group["momentum"] != 0:
            numbers["momentum"] = host_value(lambda: group["momentum"])
        if not shared:
            return numbers, {}
        step = shared["step"]
        later = host_value(lambda: 1 - group["dampening"])
        one = ones_like(step, dtype=float64)
        numbers["intake"] = where(step.eq(0), one, one * later)
        return numbers, {"step": step + 1}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        if not slots:
            return param - grad * numbers["lr"], {}
        direction, buffer = momentum_step(
            grad,
            slots["momentum_buffer"],
            numbers["momentum"],
            numbers.get("intake"),
            group["nesterov"],
        )
        return param - direction * numbers["lr"], {"momentum_buffer": buffer}
