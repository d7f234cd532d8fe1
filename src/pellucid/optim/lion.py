"""Lion: the sign of a momentum."""

from __future__ import annotations

from typing import Any, Unpack

from pellucid.optim.optimizer import (
    FRACTION,
    NOT_NEGATIVE,
    Execution,
    Numbers,
    Optimizer,
    ParameterGroup,
    Parameters,
    Slots,
    execution_settings,
    rate_of,
)
from pellucid.tensor.state import host_value
from pellucid.tensor.tensor import Tensor


def lion_step(
    param: Any, grad: Any, mean: Any, lr: Any, weight1: Any, weight2: float
) -> tuple[Any, Any]:
    """θ ← θ − η·sign(m + (1−β₁)(g − m));  m ← m + (1−β₂)(g − m). Returns (θ, m).

    ``weight1`` and ``weight2`` are 1 − β₁ and 1 − β₂.
    """
    change = grad - mean
    return param - (mean + change * weight1).sign() * lr, mean + change * weight2


class Lion(Optimizer):
    """c = β₁m + (1−β₁)g;  θ ← (1 − ηλ)·θ − η·sign c;  m ← β₂m + (1−β₂)g.

    ``lr`` η = 0.0001, ``betas`` = (0.9, 0.99), ``weight_decay`` λ = 0 and ``l1`` = 0 (direct, as in
    AdamW), ``maximize`` = False.

    Half of Adam's memory.  Every element moves by η, so take a learning rate 3 to 10 times
    smaller than AdamW's and a weight decay larger by as much; it likes large batches.

    Chen et al., *Symbolic discovery of optimization algorithms* (2023).  PyTorch has no Lion; the
    names and defaults are those of the paper's program.
    """

    ranges = {"lr": NOT_NEGATIVE, "betas": FRACTION, "weight_decay": NOT_NEGATIVE}
    constants = ("maximize",)

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        l1: float = 0,
        **execution: Unpack[Execution],
    ) -> None:
        execution_settings("Lion", "", execution)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": tuple(betas),
                "weight_decay": weight_decay,
                "maximize": maximize,
                "l1": l1,
            },
        )

    def _structure(self, group: ParameterGroup) -> tuple[Any, ...]:
        return (*super()._structure(group), group["betas"][1])

    def _decays_directly(self, group: ParameterGroup) -> bool:
        return True

    def _shared(self, group: ParameterGroup, state: Slots) -> dict[str, float]:
        return {}

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        return {"exp_avg": 0.0}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        return {
            "lr": rate_of(group),
            "weight1": host_value(lambda: 1 - group["betas"][0]),
        }, {}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        new, mean = lion_step(
            param,
            grad,
            slots["exp_avg"],
            numbers["lr"],
            numbers["weight1"],
            1 - group["betas"][1],
        )
        return new, {"exp_avg": mean}
