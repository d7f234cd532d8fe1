"""Muon: momentum whose matrix is made orthogonal before the step."""

from __future__ import annotations

import math
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.optim.optimizer import (
    NOT_NEGATIVE,
    Numbers,
    Optimizer,
    ParameterGroup,
    Parameters,
    Slots,
    rate_of,
)
from pellucid.tensor.state import host_value
from pellucid.tensor.tensor import Tensor

COEFFICIENTS = (3.4445, -4.775, 2.0315)


def orthogonalize(
    matrix: Tensor,
    ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
    ns_steps: int = 5,
    eps: float = 1e-7,
) -> Tensor:
    """Approximately U·Vᵀ of ``matrix`` = U·S·Vᵀ, shape (A, B), by Newton–Schulz iteration.

    X ← matrix/‖matrix‖; then ``ns_steps`` times X ← aX + (bXXᵀ + c(XXᵀ)²)X.  The quintic is
    steepest at zero, so singular values end between about 0.7 and 1.2 rather than at 1.
    PyTorch iterates in bfloat16; here it is done in the dtype of the matrix.
    """
    a, b, c = ns_coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.transpose(0, 1) if tall else matrix  # (short, long)
    x = x / (x * x).sum().sqrt().clamp_min(eps)
    for _ in range(ns_steps):
        gram = x.matmul(x.transpose(0, 1))  # (short, short)
        x = x * a + (gram * b + gram.matmul(gram) * c).matmul(x)
    return x.transpose(0, 1) if tall else x


def shape_factor(adjust_lr_fn: str | None, shape: tuple[int, ...]) -> float:
    """What the learning rate is multiplied by for a matrix of ``shape`` (A, B).

    "original" (also None): √max(1, A/B); "match_rms_adamw": 0.2·√max(A, B), which makes the steps
    as large as AdamW's, so that its learning rates can be kept.
    """
    rows, columns = shape
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / columns))


class Muon(Optimizer):
    """b ← μb + (1−μ)g;  O = orthogonal part of b, or of (1−μ)g + μb;  θ ← (1 − ηλ)·θ − η·c·O.

    O by :func:`orthogonalize`, c by :func:`shape_factor`.  All directions of a weight matrix
    move equally far, also those with small gradients.

    ``lr`` η = 0.001, ``weight_decay`` λ = 0.1 (direct), ``momentum`` μ = 0.95, ``nesterov`` = True,
    ``ns_coefficients`` = (3.4445, −4.775, 2.0315), ``eps`` = 1e-7, ``ns_steps`` = 5,
    ``adjust_lr_fn`` = None, ``l1`` = 0 (direct).

    For the matrices of hidden layers only: train biases, normalizations, embeddings and the
    output layer with AdamW beside it.  Raises :class:`ArgumentError` for parameters that are not
    matrices.

    Jordan et al., *Muon: an optimizer for hidden layers in neural networks* (2024); Liu et al.,
    *Muon is scalable for LLM training* (2025) for "match_rms_adamw".
    """

    ranges = {
        "lr": NOT_NEGATIVE,
        "momentum": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "eps": NOT_NEGATIVE,
        "ns_steps": (0, 100, "[)"),
    }
    constants = ("nesterov", "ns_coefficients", "eps", "ns_steps", "adjust_lr_fn")
    takes_complex = False

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
        *,
        l1: float = 0,
    ) -> None:
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ArgumentError(
                f"Muon got adjust_lr_fn={adjust_lr_fn!r}",
                'use None, "original" or "match_rms_adamw"',
            )
        if len(ns_coefficients) != 3:
            raise ArgumentError(
                f"Muon got {len(ns_coefficients)} ns_coefficients", "pass the three numbers a, b, c"
            )
        super().__init__(
            params,
            {
                "lr": lr,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "nesterov": nesterov,
                "ns_coefficients": tuple(ns_coefficients),
                "eps": eps,
                "ns_steps": ns_steps,
                "adjust_lr_fn": adjust_lr_fn,
                "l1": l1,
            },
        )

    def _check_tensors(self, tensors: list[Any]) -> None:
        super()._check_tensors(tensors)
        for position, parameter in enumerate(tensors):
            if len(parameter.shape) != 2:
                raise ArgumentError(
                    f"Muon got parameter {position} of shape {tuple(parameter.shape)}, which is "
                    "not a matrix",
                    "give Muon the weights of hidden layers and the rest to AdamW",
                )

    def _decays_directly(self, group: ParameterGroup) -> bool:
        return True

    def _shared(self, group: ParameterGroup, state: Slots) -> dict[str, float]:
        return {}

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        return {"momentum_buffer": 0.0}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        return {
            "lr": rate_of(group),
            "momentum": host_value(lambda: group["momentum"]),
            "intake": host_value(lambda: 1 - group["momentum"]),
        }, {}

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        old = slots["momentum_buffer"]
        buffer = old + (grad - old) * numbers["intake"]
        direction = grad + (buffer - grad) * numbers["momentum"] if group["nesterov"] else buffer
        orthogonal = orthogonalize(
            direction, group["ns_coefficients"], group["ns_steps"], group["eps"]
        )
        factor = shape_factor(group["adjust_lr_fn"], tuple(param.shape))
        return param - orthogonal * (numbers["lr"] * factor), {"momentum_buffer": buffer}
