"""Adam and its family: running means of the gradient and of its square.

m is the running mean of the gradient g (slot ``exp_avg``), v that of g² (``exp_avg_sq``).  Both
start at zero and are therefore too small at first: after t steps by the factors 1 − β₁^t and
1 − β₂^t, which the update divides out.  The factors are numbers of the step, not of the element:
they are folded into the step size, so that each element costs one root and one division.
"""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

from pellucid.base.errors import ArgumentError
from pellucid.optim.optimizer import (
    FRACTION,
    NOT_NEGATIVE,
    Execution,
    FurtherExecution,
    Numbers,
    Optimizer,
    ParameterGroup,
    Parameters,
    Slots,
    execution_settings,
    fading,
    fading_square,
    log_of,
    one_minus_power,
    rate_of,
)
from pellucid.tensor.functions import where
from pellucid.tensor.state import host_value
from pellucid.tensor.tensor import Tensor


def moments(grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup) -> tuple[Any, Any]:
    """m ← m + (1−β₁)(g − m);  v ← β₂·v + (1−β₂)·g². ``weight1`` is 1 − β₁. Returns (m, v)."""
    mean, square, beta2 = slots["exp_avg"], slots["exp_avg_sq"], group["betas"][1]
    mean = fading(mean + (grad - mean) * numbers["weight1"])
    return mean, fading_square(square * beta2 + grad * grad * (1 - beta2), group["eps"])


def adam_step(param: Tensor, numerator: Tensor, square: Tensor, eps: Tensor) -> Tensor:
    """θ ← θ − numerator / (√v + ε')."""
    return param - numerator / (square.sqrt() + eps)


class _Moments(Optimizer):
    """What the family shares: β₁, β₂, ε and the two running means."""

    ranges = {
        "lr": NOT_NEGATIVE,
        "betas": FRACTION,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    constants: ClassVar[tuple[str, ...]] = ("eps", "maximize", "decoupled_weight_decay")

    def _structure(self, group: ParameterGroup) -> tuple[Any, ...]:
        # Schedules cycle β₁; β₂ stays, and as a constant it keeps its full precision.
        return (*super()._structure(group), group["betas"][1])

    def _decays_directly(self, group: ParameterGroup) -> bool:
        return bool(group.get("decoupled_weight_decay"))

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def _bias1(self, group: ParameterGroup, step: Any) -> Any:
        """1 − β₁^t."""
        return one_minus_power(host_value(lambda: log_of(group["betas"][0])), step)

    def _weight1(self, group: ParameterGroup) -> Any:
        """1 − β₁, subtracted before it is rounded."""
        return host_value(lambda: 1 - group["betas"][0])


class Adam(_Moments):
    """m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  θ ← θ − η·m̂ / (√v̂ + ε).

    m̂ = m/(1−β₁^t) and v̂ = v/(1−β₂^t) undo the start at zero.  ``amsgrad`` divides by the largest
    v so far.

    ``lr`` η = 0.001, ``betas`` = (0.9, 0.999), ``eps`` ε = 1e-8, ``weight_decay`` = 0 and ``l1``
    = 0 (joined to the gradient, or with ``decoupled_weight_decay`` taken from the parameter as in
    :class:`AdamW`), ``amsgrad`` = False, ``maximize`` = False.

    The first choice when there is no regularization by weight decay; with it use AdamW.

    Kingma and Ba, *Adam: a method for stochastic optimization* (2015); Reddi, Kale and Kumar,
    *On the convergence of Adam and beyond* (2018) for amsgrad.
    """

    constants = ("eps", "amsgrad", "maximize", "decoupled_weight_decay")

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        l1: float = 0,
        **execution: Unpack[Execution],
    ) -> None:
        if isinstance(lr, Tensor) and execution.get("foreach") and not execution.get("capturable"):
            raise ArgumentError(
                f"{type(self).__name__} got a tensor as lr with foreach=True",
                "as in PyTorch, leave foreach out or add capturable=True",
            )
        settings = execution_settings(
            type(self).__name__, "foreach capturable differentiable fused", execution
        )
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": tuple(betas),
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
                **settings,
                "l1": l1,
            },
        )

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        largest = {"max_exp_avg_sq": 0.0} if group["amsgrad"] else {}
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0, **largest}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        step = shared["step"] + 1
        root = one_minus_power(log_of(group["betas"][1]), step).sqrt()
        # η·m̂/(√v̂ + ε) = (η·root/bias1)·m / (√v + ε·root)
        return {
            "rate": root / self._bias1(group, step) * rate_of(group),
            "eps": root * group["eps"],
            "weight1": self._weight1(group),
        }, {"step": step}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        mean, square = moments(grad, slots, numbers, group)
        new: Slots = {"exp_avg": mean, "exp_avg_sq": square}
        if group["amsgrad"]:
            square = new["max_exp_avg_sq"] = slots["max_exp_avg_sq"].maximum(square)
        return adam_step(param, mean * numbers["rate"], square, numbers["eps"]), new


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameter itself: θ ← (1 − ηλ)·θ − η·m̂ / (√v̂ + ε).

    In Adam the decay would be divided by √v̂ with the gradient, and parameters with large gradients
    would hardly decay.

    ``lr`` η = 0.001, ``betas`` = (0.9, 0.999), ``eps`` ε = 1e-8, ``weight_decay`` λ = 0.01,
    ``amsgrad`` = False, ``maximize`` = False, ``l1`` κ = 0 (also direct: ηκ closer to zero).

    The default choice for almost everything.

    Loshchilov and Hutter, *Decoupled weight decay regularization* (2019).
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        l1: float = 0,
        **execution: Unpack[Execution],
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
            l1=l1,
            **execution,
        )


class SparseAdam(_Moments):
    """Adam that leaves rows alone whose gradient is 0: neither they nor their means change.

    For rows (slices along the first axis) that took part: m ← β₁m + (1−β₁)g;
    v ← β₂v + (1−β₂)g²;  θ ← θ − η·√(1−β₂^t)/(1−β₁^t) · m / (√v + ε).

    ``lr`` η = 0.001, ``betas`` = (0.9, 0.999), ``eps`` ε = 1e-8, ``maximize`` = False.

    For large tables of vectors of which each batch uses a few.  PyTorch's takes sparse gradients,
    which list the rows that took part; gradients here are dense, so a row takes part if one of
    its entries is not 0.  t counts all steps.  The moments are those of Kingma and Ba (2015).
    """

    constants = ("eps", "maximize")

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": tuple(betas), "eps": eps, "maximize": maximize}
        )

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        step = shared["step"] + 1
        root = one_minus_power(log_of(group["betas"][1]), step).sqrt()
        return {
            "rate": root / self._bias1(group, step) * rate_of(group),
            "weight1": self._weight1(group),
        }, {"step": step}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        old_mean, old_square = slots["exp_avg"], slots["exp_avg_sq"]
        mean, square = moments(grad, slots, numbers, group)
        rest = tuple(range(1, len(param.shape)))
        used = grad.ne(0)
        used = used.any(rest, True) if rest else used
        new = adam_step(param, mean * numbers["rate"], square, group["eps"])
        return where(used, new, param), {
            "exp_avg": where(used, mean, old_mean),
            "exp_avg_sq": where(used, square, old_square),
        }


class Adamax(_Moments):
    """m ← β₁m + (1−β₁)g;  u ← max(β₂u, |g| + ε);  θ ← θ − η/(1−β₁^t) · m/u.

    Adam with the largest recent gradient in place of the root mean square.

    ``lr`` η = 0.002, ``betas`` = (0.9, 0.999), ``eps`` ε = 1e-8, ``weight_decay`` = 0 and ``l1``
    = 0 (joined to the gradient), ``maximize`` = False.

    Use it where gradients are mostly zero with rare large ones (embeddings).

    Kingma and Ba (2015), section 7.1.
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        l1: float = 0,
        **execution: Unpack[FurtherExecution],
    ) -> None:
        settings = execution_settings(
            "Adamax", "foreach differentiable capturable", {"foreach": foreach, **execution}
        )
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": tuple(betas),
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
                **settings,
                "l1": l1,
            },
        )

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_inf": 0.0}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        step = shared["step"] + 1
        rate = rate_of(group) / self._bias1(group, step)
        return {"rate": rate, "weight1": self._weight1(group)}, {"step": step}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        mean = slots["exp_avg"] + (grad - slots["exp_avg"]) * numbers["weight1"]
        largest = (slots["exp_inf"] * group["betas"][1]).maximum(grad.abs() + group["eps"])
        new = param - mean * numbers["rate"] / largest
        return new, {"exp_avg": mean, "exp_inf": largest}


class NAdam(_Moments):
    """Adam with Nesterov's look ahead.

    μ_t = β₁(1 − ½·0.96^{tψ}), Μ_t = μ₁·…·μ_t;
    m̂ = μ_{t+1}·m/(1 − Μ_{t+1}) + (1 − μ_t)·g/(1 − Μ_t);  θ ← θ − η·m̂ / (√v̂ + ε).

    ``lr`` η = 0.002, ``betas`` = (0.9, 0.999), ``eps`` ε = 1e-8, ``weight_decay`` = 0 and ``l1``
    = 0 (joined to the gradient, or direct with ``decoupled_weight_decay``), ``momentum_decay`` ψ =
    0.004, ``maximize`` = False.

    Often a little faster than Adam at the same settings.

    Dozat, *Incorporating Nesterov momentum into Adam* (2016).
    """

    ranges = {**_Moments.ranges, "momentum_decay": NOT_NEGATIVE}
    constants = ("eps", "maximize", "decoupled_weight_decay", "momentum_decay")

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        l1: float = 0,
        **execution: Unpack[Execution],
    ) -> None:
        settings = execution_settings("NAdam", "foreach capturable differentiable", execution)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": tuple(betas),
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
                **settings,
                "l1": l1,
            },
        )

    def _shared(self, group: ParameterGroup, state: Slots) -> dict[str, float]:
        return {"step": 0.0, "mu_product": 1.0}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        step = shared["step"] + 1
        time = step.double()
        beta1 = host_value(lambda: group["betas"][0])
        log_fade = group["momentum_decay"] * log_of(0.96)
        mu = (1 - (time * log_fade).exp() * 0.5) * beta1
        mu_next = (1 - ((time + 1) * log_fade).exp() * 0.5) * beta1
        product = shared["mu_product"].double() * mu
        root = one_minus_power(log_of(group["betas"][1]), step).sqrt()
        rate = root * rate_of(group)
        return {
            "grad_rate": rate * (1 - mu) / (1 - product),
            "mean_rate": rate * mu_next / (1 - product * mu_next),
            "eps": root * group["eps"],
            "weight1": self._weight1(group),
        }, {"step": step, "mu_product": product}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        mean, square = moments(grad, slots, numbers, group)
        numerator = grad * numbers["grad_rate"] + mean * numbers["mean_rate"]
        new = adam_step(param, numerator, square, numbers["eps"])
        return new, {"exp_avg": mean, "exp_avg_sq": square}


class RAdam(_Moments):
    """Adam that waits with the division until the variance of v is finite.

    ρ∞ = 2/(1−β₂) − 1, ρ_t = ρ∞ − 2tβ₂^t/(1−β₂^t).  While ρ_t ≤ 5: θ ← θ − η·m̂.  Afterwards
    θ ← θ − η·r·m̂·√(1−β₂^t) / (√v + ε) with r = √((ρ_t−4)(ρ_t−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρ_t)).

    ``lr`` η = 0.001, ``betas`` = (0.9, 0.999), ``eps`` ε = 1e-8, ``weight_decay`` = 0 and ``l1``
    = 0 (joined to the gradient, or direct with ``decoupled_weight_decay``), ``maximize`` = False.

    Use it when Adam needs a warm-up to start without harm: this is one built in.

    Liu et al., *On the variance of the adaptive learning rate and beyond* (2020).
    """

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        l1: float = 0,
        **execution: Unpack[Execution],
    ) -> None:
        settings = execution_settings("RAdam", "foreach capturable differentiable", execution)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": tuple(betas),
                "eps": eps,
                "weight_decay": weight_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
                **settings,
                "l1": l1,
            },
        )

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        step = shared["step"] + 1
        beta2 = group["betas"][1]
        final = 2 / (1 - beta2) - 1
        bias2 = one_minus_power(log_of(beta2), step)
        # A small difference of large numbers: it needs the float64 that bias2 comes in.
        length = final - step.double() * 2 * (1 - bias2) / bias2
        rectified = length.gt(5)
        safe = where(rectified, length, 6.0)
        ratio = (safe - 4) * (safe - 2) * final / (safe * ((final - 4) * (final - 2)))
        rate = rate_of(group) / self._bias1(group, step)
        # Both cases in one formula: rate·m / (use·√v + floor); unrectified use is 0 and floor 1.
        use = rectified.double()
        return {
            "rate": where(rectified, rate * (ratio * bias2).sqrt(), rate),
            "use": use,
            "floor": use * group["eps"] + (1 - use),
            "weight1": self._weight1(group),
        }, {"step": step}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        mean, square = moments(grad, slots, numbers, group)
        spread = square.sqrt() * numbers["use"] + numbers["floor"]
        new = param - mean * numbers["rate"] / spread
        return new, {"exp_avg": mean, "exp_avg_sq": square}
