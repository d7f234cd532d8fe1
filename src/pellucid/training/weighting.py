"""Rows that count more than others: targets that carry the weights of their rows, and losses that
read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.data.tasks import TaskKind
from pellucid.nn import functional


def with_weights(
    kind: TaskKind, targets: npt.NDArray[Any], weights: npt.NDArray[Any]
) -> npt.NDArray[np.float32]:
    """Targets (rows,) or (rows, units) with the weight of each row behind: float32 (rows, units +
    1).  The weights are divided by their mean, so that losses keep their size.

    Class numbers above 2²⁴ have no float32: ``ArgumentError``.
    """
    columns = np.asarray(targets, np.float64).reshape(len(targets), -1)
    if kind == "multiclass" and columns.size and columns.max() > 2**24:
        raise ArgumentError(
            f"Class number {int(columns.max())} with weights of rows", "Use at most 2²⁴ classes."
        )
    shares = np.asarray(weights, np.float64) / np.mean(weights, dtype=np.float64)
    return np.concatenate([columns, shares[:, None]], axis=1).astype(np.float32)


def weighted_loss(kind: TaskKind, name: str) -> Callable[[Any, Any], Any]:
    """The loss ``(scores, targets) → mean of weight · loss of the row`` by its name in
    ``pellucid.nn.functional``; targets are what :func:`with_weights` gives."""
    of_rows: Callable[..., Any] = getattr(functional, name)

    def loss(scores: Any, targets: Any) -> Any:
        wanted, weights = targets[:, :-1], targets[:, -1]
        if kind == "multiclass":
            wanted = wanted[:, 0].long()
        elif name == "soft_margin_loss":
            wanted = wanted * 2 - 1
        each = of_rows(scores, wanted, reduction="none")
        if each.dim() == 2:
            each = each.mean(1)  # (rows, units) -> (rows,)
        return (each * weights).mean()

    return loss
