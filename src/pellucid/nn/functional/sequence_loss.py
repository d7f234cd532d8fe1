"""Connectionist temporal classification: the loss of a sequence whose alignment is unknown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.nn.functional.checks import check_values, has_values, need_tensor
from pellucid.nn.functional.loss import check_reduction, reduced
from pellucid.tensor.core import lift
from pellucid.tensor.creation import arange
from pellucid.tensor.functions import where
from pellucid.tensor.promotion import rounded_once
from pellucid.tensor.shaping import cat, stack
from pellucid.tensor.tensor import Tensor

_NEVER = -1e30
"""The logarithm of a probability of 0; finite, so that differences of two are no NaN."""


@rounded_once
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """−ln p(target | input), summed over all alignments with blanks and repetitions.

    Shapes: ``log_probs`` (T, N, C) log-probabilities, or (T, C) for one sequence; ``targets``
    (N, S) class ids, or the targets of all sequences joined in one (Σ S,); lengths (N,) as
    tensors or sequences of whole numbers → (), or (N,) with ``reduction="none"``.
    ``"mean"`` divides each loss by its target's length first.  A target too long for its input
    has the loss ∞, or with ``zero_infinity`` 0 and no gradient.

    The forward variables α run over time in log space; a Python loop, so a compiled program has
    T copies of one small step.  The gradient is that of the formula, for log-probabilities of
    any origin.  (Graves, Fernández, Gomez and Schmidhuber, 2006.)
    """
    need_tensor("ctc_loss", log_probs)
    check_reduction(reduction)
    single = log_probs.dim() == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
        targets = targets.reshape(1, -1)
    _check(log_probs, targets, blank)
    steps, batch = log_probs.shape[:2]
    before = _lengths("input_lengths", input_lengths, batch, steps)
    goal = _lengths("target_lengths", target_lengths, batch, None)
    _check_goal(targets, goal)
    labels = _rows(targets, goal, batch)  # (N, S)
    alpha = _forward_variables(log_probs, labels, before, blank)
    loss = -_ending(alpha, goal)
    possible = loss < -_NEVER / 2
    loss = where(possible, loss, 0.0 if zero_infinity else math.inf)
    if reduction == "mean":
        return (loss / goal.clamp(min=1).to(loss.dtype)).mean()
    return loss.squeeze(0) if single and reduction == "none" else reduced(loss, reduction)


def _check(log_probs: Any, targets: Any, blank: int) -> None:
    if log_probs.dim() != 3 or 0 in log_probs.shape:
        raise ShapeError(
            f"ctc_loss got log_probs of shape {tuple(log_probs.shape)}",
            "they are (T, N, C): time first, then the batch, then the classes",
        )
    batch, classes = log_probs.shape[1:]
    if targets.dtype.kind != "int":
        raise DTypeError(f"ctc_loss got targets of {targets.dtype.name}", "ids: use .long()")
    if targets.dim() not in (1, 2) or (targets.dim() == 2 and targets.shape[0] != batch):
        exchanged = log_probs.shape[0] == targets.shape[0] if targets.dim() == 2 else False
        raise ShapeError(
            f"ctc_loss got targets of shape {tuple(targets.shape)} for a batch of {batch}",
            "log_probs are (T, N, C), time first: use log_probs.transpose(0, 1)"
            if exchanged
            else f"they are ({batch}, S), or all joined in one vector",
        )
    if not 0 <= blank < classes:
        raise ArgumentError(f"ctc_loss got blank={blank}", f"it is a class: 0 to {classes - 1}")


def _lengths(what: str, value: Any, batch: int, most: int | None) -> Any:
    """Lengths as an int64 tensor (N,)."""
    given = value if isinstance(value, Tensor) else lift(np.atleast_1d(np.asarray(value, np.int64)))
    if given.dtype.kind != "int":
        raise DTypeError(f"ctc_loss got {what} of {given.dtype.name}", "lengths are whole numbers")
    if given.numel() != batch:
        raise ShapeError(
            f"ctc_loss got {what} of shape {tuple(given.shape)} for a batch of {batch}",
            f"give one for each sequence: ({batch},)",
        )
    lengths = given.reshape(-1).long()

    def check(found: np.ndarray) -> None:
        low, high = int(found.min()), int(found.max())
        if low < 0 or (most is not None and high > most):
            raise ArgumentError(
                f"ctc_loss got {what} from {low} to {high}",
                f"they are 0 to {most}" if most is not None else "they are at least 0",
            )

    check_values(check, lengths)
    return lengths


def _check_goal(targets: Any, goal: Any) -> None:
    """Targets must hold as many labels as the lengths say, where these are known."""
    shape = tuple(targets.shape)
    joined = len(shape) == 1

    def check(lengths: np.ndarray) -> None:
        longest, total = int(lengths.max()), int(lengths.sum())
        if (total != shape[0]) if joined else longest > shape[1]:
            raise ShapeError(
                f"ctc_loss got targets of shape {shape} and target_lengths with the "
                + (f"sum {total}" if joined else f"maximum {longest}"),
                f"joined targets have {total} ids"
                if joined
                else f"targets are (N, S), S ≥ {longest}",
            )

    check_values(check, goal)


def _rows(targets: Any, goal: Any, batch: int) -> Any:
    """Targets as (N, S), those of one vector cut into rows; what lies behind a target is unused."""
    if targets.dim() == 2:
        return targets.long()
    total = targets.shape[0]
    longest = int(goal.array().max()) if has_values(goal) else total
    if total == 0 or longest == 0:
        return lift(np.zeros((batch, 0), np.int64))
    start = (goal.cumsum(0) - goal).unsqueeze(-1)
    place = (start + arange(longest)).clamp(max=total - 1)  # (N, S)
    return targets.long().index_select(0, place.reshape(-1)).reshape(batch, longest)


def _forward_variables(log_probs: Any, labels: Any, before: Any, blank: int) -> Any:
    """ln α after the last step of each sequence, over blanks and labels in turn: (N, 2 S + 1)."""
    steps, batch, classes = log_probs.shape
    count = labels.shape[1]
    blanks = labels.new_full((batch, 1), blank)
    known = labels.clamp(0, classes - 1)  # what fills a short target may be any number
    pairs = stack([blanks.expand(batch, count), known], 2).reshape(batch, 2 * count)
    path = cat([pairs, blanks], 1)  # blank, label, blank, …, label, blank
    width = 2 * count + 1
    index = path.unsqueeze(0).expand(steps, batch, width)
    score = log_probs.gather(2, index).clamp(min=_NEVER)  # (T, N, 2 S + 1)
    start = _NEVER * (arange(width) > 1).to(log_probs.dtype)
    alpha = score.select(0, 0) + start
    skip: Any = None
    if count > 1:  # a label may follow another one without a blank if they differ
        differs = known.narrow(1, 1, count - 1).ne(known.narrow(1, 0, count - 1))
        no = lift(np.zeros((batch, 1), np.bool_))
        labels_jump = cat([no, differs], 1)
        jumps = stack([no.expand(batch, count), labels_jump], 2).reshape(batch, 2 * count)
        jumps = cat([jumps, no], 1)
        skip = where(jumps, 0.0, _NEVER).to(log_probs.dtype)
    # Products with a matrix of 0 and 1 move α one and two places to the right.  They are exact,
    # and their results lie in memory, so that a compiled step does not repeat the ones before it.
    shifts = lift(np.eye(width, k=1, dtype=alpha.dtype.numpy)), None
    if skip is not None:
        shifts = shifts[0], lift(np.eye(width, k=2, dtype=alpha.dtype.numpy))
    edge = arange(width)
    outside = [_NEVER * (edge < k).to(alpha.dtype) for k in (1, 2)]
    for step in range(1, steps):
        moved = alpha
        if width > 1:
            moved = _log_add(alpha, alpha.matmul(shifts[0]) + outside[0])
        if skip is not None:
            moved = _log_add(moved, alpha.matmul(shifts[1]) + outside[1] + skip)
        following = (moved + score.select(0, step)).clamp(min=_NEVER * 4)
        alpha = where((before > step).unsqueeze(-1), following, alpha)
    return where((before > 0).unsqueeze(-1), alpha, _NEVER * (arange(width) > 0).to(alpha.dtype))


def _log_add(a: Any, b: Any) -> Any:
    """ln(eᵃ + eᵇ) for finite a and b."""
    top = a.detach().maximum(b.detach())
    return top + ((a - top).exp() + (b - top).exp()).log()


def _ending(alpha: Any, goal: Any) -> Any:
    """ln p: alignments end with the last label or a blank behind it."""
    last = (goal * 2).unsqueeze(-1)
    at_blank = alpha.gather(1, last).squeeze(1)
    at_label = alpha.gather(1, (last - 1).clamp(min=0)).squeeze(1)
    return where(goal > 0, _log_add(at_blank, at_label), at_blank)
