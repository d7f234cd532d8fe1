"""Three more rules: Rprop (signs alone), ASGD (averaged SGD), Adafactor (little memory)."""

from __future__ import annotations

import math
from typing import Any, Unpack

from pellucid.base.errors import ArgumentError
from pellucid.optim.optimizer import (
    NOT_NEGATIVE,
    Execution,
    FurtherExecution,
    Numbers,
    Optimizer,
    ParameterGroup,
    Parameters,
    Slots,
    execution_settings,
    rate_of,
)
from pellucid.tensor.creation import full_like, zeros
from pellucid.tensor.functions import where
from pellucid.tensor.limits import finfo
from pellucid.tensor.state import concrete
from pellucid.tensor.tensor import Tensor


def rprop_step(
    grad: Any, previous: Any, size: Any, etas: tuple[float, float], bounds: tuple[float, float]
) -> tuple[Any, Any, Any]:
    """s ← clamp(s·η⁺) where the sign of the gradient stayed, s·η⁻ where it changed (there the
    gradient counts as 0); the step is −sign(g)·s. Returns (step, g, s)."""
    agreement = (grad * previous).sign()
    changed = agreement < 0
    other = where(changed, size * etas[0], size)
    size = where(agreement > 0, size * etas[1], other).clamp(bounds[0], bounds[1])
    kept = where(changed, grad * 0, grad)
    return -kept.sign() * size, kept, size


def adafactor_direction(
    grad: Any, variance: Any, row: Any, column: Any, share: Any, eps1: float
) -> tuple[Any, Slots]:
    """g / √v with v ← v + share·(g² − v); of matrices only the means of v over rows and columns
    are kept, and v is their product over the mean of all. Returns (direction, new slots)."""
    if variance is not None:
        new = variance + (grad * grad - variance) * share
        return new.clamp(min=eps1 * eps1).rsqrt() * grad, {"variance": new}
    squared = grad * grad
    row = row + (squared.mean(-1, keepdim=True) - row) * share  # (…, R, C) -> (…, R, 1)
    column = column + (squared.mean(-2, keepdim=True) - column) * share
    estimate = row * column / row.mean(-2, keepdim=True).clamp(min=eps1)
    direction = estimate.clamp(min=eps1 * eps1).rsqrt() * grad
    return direction, {"row_var": row, "col_var": column}


class Rprop(Optimizer):
    """Every element has its own step size, which grows by η⁺ while the sign of its gradient stays
    and shrinks by η⁻ when it changes; the size of the gradient does not matter.

    ``lr`` = 0.01 is the first step size, ``etas`` (η⁻, η⁺) = (0.5, 1.2), ``step_sizes`` = (1e-6,
    50) their bounds, ``maximize`` = False.  For whole-batch training: the signs of small batches
    are too noisy.

    Riedmiller and Braun, *A direct adaptive method for faster backpropagation learning* (1993).
    """

    ranges = {"lr": NOT_NEGATIVE}
    switches = ()
    constants = ("etas", "step_sizes", "maximize")

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        maximize: bool = False,
        **execution: Unpack[Execution],
    ) -> None:
        settings = execution_settings("Rprop", "foreach differentiable capturable", execution)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ArgumentError(f"Rprop got etas={etas}", "use 0 < etas[0] < 1 < etas[1]")
        defaults: dict[str, Any] = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "maximize": maximize,
        }
        defaults |= settings
        super().__init__(params, defaults)

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        return {"prev": 0.0, "step_size": group.rate()}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        return {}, {"step": shared["step"] + 1}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        move, kept, size = rprop_step(
            grad, slots["prev"], slots["step_size"], group["etas"], group["step_sizes"]
        )
        return param + move, {"prev": kept, "step_size": size}


class ASGD(Optimizer):
    """SGD whose average over the steps is kept beside it:
    θ ← (1 − λ·η_t)·θ − η_t·g;  ā ← ā + μ_t·(θ − ā);  η_t = η / (1 + λ·η·t)^α,
    μ_t = 1 / max(1, t − t₀).

    ``lr`` η = 0.01, ``lambd`` λ = 1e-4, ``alpha`` α = 0.75, ``t0`` t₀ = 1e6 (until then the average
    is θ itself), ``weight_decay`` = 0 and ``l1`` = 0 (joined to the gradient), ``maximize`` =
    False.  The average is ``state[parameter]["ax"]``.

    Polyak and Juditsky, *Acceleration of stochastic approximation by averaging* (1992).
    """

    ranges = {"lr": NOT_NEGATIVE, "weight_decay": NOT_NEGATIVE}
    constants = ("lambd", "alpha", "t0", "maximize")

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        *,
        l1: float = 0,
        **execution: Unpack[FurtherExecution],
    ) -> None:
        settings = execution_settings(
            "ASGD", "foreach differentiable capturable", {"foreach": foreach, **execution}
        )
        super().__init__(
            params,
            {
                "lr": lr,
                "lambd": lambd,
                "alpha": alpha,
                "t0": t0,
                "weight_decay": weight_decay,
                "maximize": maximize,
                **settings,
                "l1": l1,
            },
        )

    def _shared(self, group: ParameterGroup, state: Slots) -> dict[str, float]:
        return {"step": 0.0, "eta": group.rate(), "mu": 1.0}

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        return {"ax": 0.0}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        step = shared["step"] + 1
        rate = rate_of(group)
        eta = rate / (1 + step.double() * rate * group["lambd"]) ** group["alpha"]
        mu = 1 / (step - group["t0"]).clamp(min=1.0)
        advanced = {"step": step, "eta": eta.to(shared["eta"].dtype), "mu": mu}
        return {"eta": shared["eta"], "mu": shared["mu"]}, advanced

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        eta, mu = numbers["eta"], numbers["mu"]
        new = param * (1 - eta * group["lambd"]) - grad * eta
        average = where(mu == 1, new, slots["ax"] + (new - slots["ax"]) * mu)
        return new, {"ax": average}


class Adafactor(Optimizer):
    """Adam's scaling with the memory of a row and a column for each matrix.

    v as in :func:`adafactor_direction` with share t^``beta2_decay`` (−0.8);  u = g / √v;
    θ ← (1 − η·λ)·θ − max(ε₂, rms(θ))·min(η, 1/√t) · u / max(1, rms(u)/d).

    ``lr`` η = 0.01, ``eps`` (ε₁, ε₂) = (None, 1e-3) where None is the dtype's rounding unit, ``d``
    = 1 bounds the step, ``weight_decay`` λ = 0, ``maximize`` = False.

    Shazeer and Stern, *Adafactor: adaptive learning rates with sublinear memory cost* (2018).
    """

    ranges = {"lr": NOT_NEGATIVE, "weight_decay": NOT_NEGATIVE, "d": (1.0, math.inf, "[)")}
    switches = ("weight_decay",)
    constants = ("beta2_decay", "eps", "d", "maximize")
    takes_complex = False

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if beta2_decay > 0:
            raise ArgumentError(f"Adafactor got beta2_decay={beta2_decay}", "use 0 or less")
        if any(e is not None and e < 0 for e in eps):
            raise ArgumentError(f"Adafactor got eps={eps}", "use None or numbers from 0 up")
        super().__init__(
            params,
            {
                "lr": lr,
                "beta2_decay": beta2_decay,
                "eps": eps,
                "d": d,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
            },
        )

    def _decays_directly(self, group: ParameterGroup) -> bool:
        return True

    def _slot_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        reduced = {"row_var": (*shape[:-1], 1), "col_var": (*shape[:-2], 1, *shape[-1:])}
        return reduced.get(name, shape)

    def _slots_of(self, group: ParameterGroup, parameter: Any) -> Slots:
        state, shape = self.state[parameter], tuple(parameter.shape)
        names = ("row_var", "col_var") if len(shape) > 1 else ("variance",)
        for name in names:
            if name not in state:
                with concrete():
                    state[name] = zeros(self._slot_shape(name, shape), dtype=parameter.dtype)
        return {name: state[name] for name in names}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        step = shared["step"] + 1
        rate = rate_of(group)
        wide = step.double()
        bound = full_like(wide, 1.0) * rate
        slow = wide.rsqrt()
        return {
            "share": wide ** group["beta2_decay"],
            "rate": where(bound < slow, bound, slow),
        }, {"step": step}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        eps1, eps2 = group["eps"]
        eps1 = finfo(param.dtype).eps if eps1 is None else eps1
        direction, new_slots = adafactor_direction(
            grad,
            slots.get("variance"),
            slots.get("row_var"),
            slots.get("col_var"),
            numbers["share"],
            eps1,
        )
        # The size of the parameter is that before the decay.
        before = param.square().mean().sqrt() / numbers.get("keep", 1.0)
        scale = before.clamp(min=eps2) * numbers["rate"]
        bound = (direction.square().mean().sqrt() / group["d"]).clamp(min=1.0)
        return param - direction * (scale / bound), new_slots
