"""The loss of the best answer that does not look at the features: what a network has to beat."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor

_KINDS = {
    "cross_entropy": "classes",
    "focal_loss": "classes_or_shares",
    "binary_cross_entropy_with_logits": "shares",
    "mse_loss": "mean",
    "huber_loss": "mean",
    "smooth_l1_loss": "mean",
    "l1_loss": "median",
}


def baseline_loss(loss: Any, targets: Any, held: Any, units: int) -> float | None:
    """The loss on ``held`` targets of one answer for all rows, taken from the training ``targets``:
    the shares of classes, the mean, or the median; ``units`` is the number of outputs of a row.
    None for losses and targets of which it is not known."""
    name = getattr(loss, "__name__", "") or _functional_name(type(loss).__name__)
    kind = _KINDS.get(name)
    if kind is None or not hasattr(held, "shape") or not hasattr(targets, "shape"):
        return None
    answer = _answer(kind, targets.detach().array(), units)
    if answer is None:
        return None
    rows = int(held.shape[0])
    scores = np.broadcast_to(answer.astype(np.float32), (rows, *answer.shape))
    if held.dtype.is_differentiable and scores.shape != tuple(held.shape):
        return None
    with no_grad():
        found = float(loss(as_tensor(np.ascontiguousarray(scores)), held).item())
    return found if math.isfinite(found) else None


def _answer(kind: str, y: Any, units: int) -> Any:
    if y.dtype.kind in "iu":
        if "classes" not in kind or y.ndim != 1 or not len(y) or y.min() < 0 or y.max() >= units:
            return None
        counts = np.bincount(y, minlength=units)
        return np.log(np.maximum(counts, 0.5) / len(y))
    if y.dtype.kind != "f" or not len(y):
        return None
    if "shares" in kind:
        share = np.clip(y.mean(0), 0.5 / len(y), 1 - 0.5 / len(y))
        return np.log(share / (1 - share))
    return np.median(y, 0) if kind == "median" else y.mean(0) if kind == "mean" else None


def _functional_name(name: str) -> str:
    """The function of a loss module, by its class."""
    return {
        "CrossEntropyLoss": "cross_entropy",
        "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
        "MSELoss": "mse_loss",
        "HuberLoss": "huber_loss",
        "SmoothL1Loss": "smooth_l1_loss",
        "L1Loss": "l1_loss",
    }.get(name, "")
