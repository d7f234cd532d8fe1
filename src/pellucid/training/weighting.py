"""Losses in which rows count differently: weights of rows and of classes, the focal loss and the
pinball loss, in which too low and too high count differently."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError, ShapeError
from pellucid.nn import functional
from pellucid.nn.functional.loss import reduced
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor

ClassWeight = str | Mapping[Any, float] | Sequence[float] | npt.NDArray[Any] | None
"""``"balanced"``, or a number for each class: by its number, or in their order."""


def focal_loss(
    scores: Tensor,
    targets: Tensor,
    gamma: float = 2.0,
    alpha: float | None = None,
    reduction: str = "mean",
) -> Tensor:
    """−(1 − p)^gamma · log p, p being the probability that the model gives to the truth: rows
    that are right already count less, so that many easy ones do not outvote a few hard ones.

    Class numbers int64 (rows,) with scores (rows, classes): p by softmax.  Targets 0 and 1 of the
    shape of the scores: p by sigmoid, and ``alpha``, where it is given, is the weight of ones,
    1 − alpha that of zeros.  gamma = 0 is the cross-entropy.  (Lin and others, "Focal loss for
    dense object detection", 2017.)
    """
    if targets.dtype.is_differentiable:
        each = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
        right = (-each).exp()
        if alpha is not None:
            each = each * (alpha * targets + (1 - alpha) * (1 - targets))
    else:
        each = functional.cross_entropy(scores, targets, reduction="none")
        right = (-each).exp()
    each = (1 - right) ** gamma * each
    if reduction == "none":
        return each
    if reduction not in ("mean", "sum"):
        raise ArgumentError(f"reduction={reduction!r}", "Give mean, sum or none.")
    return each.mean() if reduction == "mean" else each.sum()


def pinball_loss(
    input: Tensor,
    target: Tensor,
    quantile: float | Sequence[float] = 0.5,
    reduction: str = "mean",
) -> Tensor:
    """max(q·(y − x), (q − 1)·(y − x)), whose minimum is the q-quantile of y: too low a prediction
    costs q, too high a one 1 − q a unit.

    ``input`` x and ``target`` y have one shape; of several quantiles q, each belongs to an entry of
    the last axis of x, against which y, with one entry there, is held: (rows, quantiles) and
    (rows, 1).  ``reduction`` is "mean", "sum" or "none".  q = 0.5 is half the absolute error.
    (Koenker and Bassett, "Regression quantiles", 1978; scikit-learn's ``mean_pinball_loss``.)
    """
    shares = np.asarray(quantile, np.float32)
    if not ((shares > 0) & (shares < 1)).all() or shares.ndim > 1:
        raise ArgumentError(
            f"pinball_loss got quantile={quantile!r}", "Give a number between 0 and 1, or several."
        )
    wanted = (*target.shape[:-1], shares.size) if shares.ndim else tuple(target.shape)
    if tuple(input.shape) != wanted or (shares.ndim and target.shape[-1:] != (1,)):
        raise ShapeError(
            f"pinball_loss got predictions {tuple(input.shape)} and targets {tuple(target.shape)} "
            f"for {shares.size} of quantile",
            "Give one shape for one quantile; (rows, quantiles) and (rows, 1) for several.",
        )
    share = as_tensor(shares).to(input.dtype)
    missing = target - input
    return reduced((share * missing).maximum((share - 1) * missing), reduction)


def row_loss(loss: Any) -> Callable[[Any, Any], Any]:
    """The loss of each row (rows,) for a loss that gives the mean; ``ArgumentError`` where it
    cannot be told."""
    if hasattr(loss, "reduction") and not inspect.isroutine(loss):
        each = copy.copy(loss)
        each.reduction = "none"
    elif _takes_reduction(loss):
        each = functools.partial(loss, reduction="none")
    else:
        each = loss

    def by_row(scores: Any, targets: Any) -> Any:
        found = each(scores, targets)
        if not found.dim():
            raise ArgumentError(
                "Rows are weighted, and the loss gives one number for all of them",
                "Give a loss that takes reduction='none', or one that returns a loss for each row.",
            )
        return found.reshape(found.shape[0], -1).mean(1)

    return by_row


def _takes_reduction(loss: Any) -> bool:
    try:
        return "reduction" in inspect.signature(loss).parameters
    except (TypeError, ValueError):
        return False


def class_numbers(targets: Tensor) -> Tensor:
    """The class of each row (rows,) int64: of class numbers, or of 0 and 1 in one column."""
    flat = targets.reshape(-1)
    return (flat > 0.5).long() if targets.dtype.is_differentiable else flat.long()


def class_weights(given: ClassWeight, targets: Any) -> Tensor | None:
    """The weight of each class (classes,), float32.

    ``"balanced"``: rows / (classes · rows of the class), so that all classes count the same
    (King and Zeng, 2001, as in scikit-learn); it needs the targets of all rows.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return as_tensor(_balanced(given, targets))
    if isinstance(given, Mapping):
        numbers = [int(number) for number in given]
        values = np.ones(max(numbers, default=0) + 1, np.float32)
        for number, weight in given.items():
            values[int(number)] = weight
    else:
        values = np.asarray(given, np.float32)
    if values.ndim != 1 or not np.isfinite(values).all() or (values < 0).any():
        raise ArgumentError(
            f"class_weight={given!r}", "Give a number from 0 up for each class, or 'balanced'."
        )
    if targets is not None and len(values):
        most = int(class_numbers(targets).array().max(initial=0))
        if most >= len(values):
            values = np.concatenate([values, np.ones(most + 1 - len(values), np.float32)])
    return as_tensor(values)


def _balanced(given: str, targets: Any) -> npt.NDArray[np.float32]:
    if given != "balanced":
        raise ArgumentError(f"class_weight={given!r}", "Give 'balanced', or a number for a class.")
    if targets is None or (targets.dtype.is_differentiable and targets.numel() != len(targets)):
        raise ArgumentError(
            "class_weight='balanced' needs the classes of all rows",
            "Give arrays with one class a row, or the weights themselves.",
        )
    numbers = class_numbers(targets).array()
    if numbers.size and numbers.min() < 0:
        raise DataError("Class numbers below 0 have no weight", "Number the classes from 0.")
    counts = np.bincount(numbers)
    share = len(numbers) / ((counts > 0).sum() * np.maximum(counts, 1))
    return np.where(counts > 0, share, 1.0).astype(np.float32)
