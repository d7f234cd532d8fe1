"""Learning rates that adapt to each element's gradients: Adagrad, RMSprop, Adadelta."""

from __future__ import annotations

from typing import Any, Unpack

from pellucid.optim.optimizer import (
    NOT_NEGATIVE,
    PROPORTION,
    FurtherExecution,
    Numbers,
    Optimizer,
    ParameterGroup,
    Parameters,
    Slots,
    execution_settings,
    fading,
    fading_square,
    rate_of,
)
from pellucid.tensor.state import host_value
from pellucid.tensor.tensor import Tensor


def adagrad_step(param: Any, grad: Any, total: Any, rate: Any, eps: float) -> tuple[Any, Any]:
    """s ← s + g²;  θ ← θ − rate·g / (√s + ε). Returns (θ, s)."""
    new = total + grad * grad
    return param - grad * rate / (new.sqrt() + eps), new


def rmsprop_step(
    grad: Any, square: Any, mean: Any | None, alpha: float, eps: float
) -> tuple[Any, Any, Any | None]:
    """v ← α·v + (1−α)·g²;  the direction is g / (√v + ε).

    With ``mean`` (centered) m ← m + (1−α)(g − m) and v − m² stands under the root.
    Returns (direction, v, m).
    """
    new = fading_square(square * alpha + grad * grad * (1 - alpha), eps)
    if mean is None:
        return grad / (new.sqrt() + eps), new, None
    center = mean + (grad - mean) * (1 - alpha)
    return grad / ((new - center * center).sqrt() + eps), new, center


def adadelta_step(
    grad: Any, square: Any, moved: Any, rho: float, eps: float
) -> tuple[Any, Any, Any]:
    """v ← ρ·v + (1−ρ)·g²;  δ = √((u + ε)/(v + ε))·g;  u ← ρ·u + (1−ρ)·δ². Returns (δ, v, u)."""
    new = square * rho + grad * grad * (1 - rho)
    delta = ((moved + eps) / (new + eps)).sqrt() * grad
    return delta, new, moved * rho + delta * delta * (1 - rho)


class Adagrad(Optimizer):
    """s ← s + g²;  θ ← θ − η/(1 + (t−1)·lr_decay) · g / (√s + ε).

    ``lr`` η = 0.01, ``lr_decay`` = 0, ``weight_decay`` = 0 and ``l1`` = 0 (joined to the gradient),
    ``initial_accumulator_value`` = 0, ``eps`` ε = 1e-10, ``maximize`` = False.

    The learning rate of an element only ever falls, the faster the larger its gradients were.  Use
    it for sparse features (rare words, one-hot categories), not for long training of deep nets.

    Duchi, Hazan and Singer, *Adaptive subgradient methods* (2011).
    """

    ranges = {
        "lr": NOT_NEGATIVE,
        "lr_decay": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "initial_accumulator_value": NOT_NEGATIVE,
        "eps": NOT_NEGATIVE,
    }
    constants = ("eps", "lr_decay", "maximize")

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        l1: float = 0,
        **execution: Unpack[FurtherExecution],
    ) -> None:
        settings = execution_settings(
            "Adagrad", "foreach differentiable fused", {"foreach": foreach, **execution}
        )
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "eps": eps,
                "maximize": maximize,
                **settings,
                "l1": l1,
            },
        )

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        return {"sum": group["initial_accumulator_value"]}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        rate = rate_of(group)
        if group["lr_decay"] != 0:
            rate = rate / (shared["step"].double() * group["lr_decay"] + 1)
        return {"rate": rate}, {"step": shared["step"] + 1}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        new, total = adagrad_step(param, grad, slots["sum"], numbers["rate"], group["eps"])
        return new, {"sum": total}


class RMSprop(Optimizer):
    """v ← α·v + (1−α)·g²;  θ ← θ − η·g / (√v + ε).

    With ``momentum`` μ: b ← μ·b + g/(√v + ε), θ ← θ − η·b.  ``centered`` divides by the standard
    deviation √(v − m²) instead, m the running mean of g.

    ``lr`` η = 0.01, ``alpha`` α = 0.99, ``eps`` ε = 1e-8, ``weight_decay`` = 0 and ``l1`` = 0
    (joined to the gradient), ``momentum`` = 0, ``centered`` = False, ``maximize`` = False.

    Use it for recurrent networks and reinforcement learning, where the scale of the gradients
    drifts; elsewhere Adam contains it.

    Tieleman and Hinton, *Lecture 6.5, Neural networks for machine learning* (2012); Graves,
    *Generating sequences with recurrent neural networks* (2013) for the centered form.
    """

    ranges = {
        "lr": NOT_NEGATIVE,
        "alpha": PROPORTION,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "momentum": NOT_NEGATIVE,
    }
    switches = ("weight_decay", "l1", "momentum")
    constants = ("alpha", "eps", "centered", "maximize")

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        *,
        l1: float = 0,
    ) -> None:
        settings = execution_settings(
            "RMSprop",
            "foreach capturable differentiable",
            {"foreach": foreach, "capturable": capturable, "differentiable": differentiable},
        )
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
                **settings,
                "l1": l1,
            },
        )

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        names = ["square_avg"]
        names += ["momentum_buffer"] if group["momentum"] != 0 else []
        names += ["grad_avg"] if group["centered"] else []
        return dict.fromkeys(names, 0.0)

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        numbers: Numbers = {"lr": rate_of(group)}
        if group["momentum"] != 0:
            numbers["momentum"] = host_value(lambda: group["momentum"])
        return numbers, {"step": shared["step"] + 1}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        direction, square, mean = rmsprop_step(
            grad, slots["square_avg"], slots.get("grad_avg"), group["alpha"], group["eps"]
        )
        new: Slots = {"square_avg": square}
        if mean is not None:
            new["grad_avg"] = mean
        if "momentum_buffer" in slots:
            direction = fading(slots["momentum_buffer"] * numbers["momentum"] + direction)
            new["momentum_buffer"] = direction
        return param - direction * numbers["lr"], new


class Adadelta(Optimizer):
    """v ← ρ·v + (1−ρ)·g²;  δ = √((u + ε)/(v + ε))·g;  u ← ρ·u + (1−ρ)·δ²;  θ ← θ − η·δ.

    ``lr`` η = 1, ``rho`` ρ = 0.9, ``eps`` ε = 1e-6, ``weight_decay`` = 0 and ``l1`` = 0 (joined to
    the gradient), ``maximize`` = False.

    Steps have the units of the parameter, so that no learning rate needs to be found; it starts
    slowly.  Use it when nothing may be tuned.

    Zeiler, *ADADELTA: an adaptive learning rate method* (2012).
    """

    ranges = {
        "lr": NOT_NEGATIVE,
        "rho": PROPORTION,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    constants = ("rho", "eps", "maximize")

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        l1: float = 0,
        **execution: Unpack[FurtherExecution],
    ) -> None:
        settings = execution_settings(
            "Adadelta", "foreach capturable differentiable", {"foreach": foreach, **execution}
        )
        super().__init__(
            params,
            {
                "lr": lr,
                "rho": rho,
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
                **settings,
                "l1": l1,
            },
        )

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        return {"lr": rate_of(group)}, {"step": shared["step"] + 1}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        delta, square, moved = adadelta_step(
            grad, slots["square_avg"], slots["acc_delta"], group["rho"], group["eps"]
        )
        return param - delta * numbers["lr"], {"square_avg": square, "acc_delta": moved}
