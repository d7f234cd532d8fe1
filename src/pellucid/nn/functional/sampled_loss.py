"""Losses for very many classes: a few wrong ones are drawn instead of all being scored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.functional.activation import logsigmoid
from pellucid.tensor.creation import from_numpy
from pellucid.tensor.tensor import Tensor


def negative_sampling_loss(
    hidden: Tensor, weight: Tensor, targets: Tensor, negatives: Tensor, reduction: str = "mean"
) -> Tensor:
    """−log σ(h·w_t) − Σₖ log σ(−h·w_nₖ): is this the right class, and are those the wrong ones?

    ``hidden`` (N, D) float, ``weight`` (V, D) with a row for each class, ``targets`` (N,) and
    ``negatives`` (N, K) int64 class numbers.  A row costs K + 1 products of D numbers where
    cross-entropy costs V, and only the rows of ``weight`` that were drawn get a gradient; the
    scores are no probabilities.  ``reduction`` is "mean" over the N rows, "sum" or "none".
    (Mikolov and others, "Distributed Representations of Words and Phrases", 2013.)
    """
    rows, features = (*hidden.shape, 0, 0)[:2]
    fits = (
        len(hidden.shape) == 2
        and len(weight.shape) == 2
        and weight.shape[1] == features
        and tuple(targets.shape) == (rows,)
        and len(negatives.shape) == 2
        and negatives.shape[0] == rows
    )
    if not fits:
        raise ShapeError(
            f"negative_sampling_loss got hidden {tuple(hidden.shape)}, weight "
            f"{tuple(weight.shape)}, targets {tuple(targets.shape)}, negatives "
            f"{tuple(negatives.shape)}",
            "use (N, D), (V, D), (N,) and (N, K)",
        )
    right = (hidden * weight[targets]).sum(-1)  # (N,)
    wrong = (hidden.unsqueeze(1) * weight[negatives]).sum(-1)  # (N, K)
    losses = -logsigmoid(right) - logsigmoid(-wrong).sum(-1)
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise ArgumentError(f"reduction={reduction!r}", "use 'mean', 'sum' or 'none'")
    return losses.mean() if reduction == "mean" else losses.sum()


class NegativeSampler:
    """Draws classes with a chance proportional to their count, raised to ``power``.

    A power below 1 draws rare classes a little more often than they occur; 0.75 is Mikolov's
    choice.  A class may be drawn for a row whose target it is, as in the original program: with
    many classes this is rare.
    """

    def __init__(self, counts: npt.ArrayLike, power: float = 0.75) -> None:
        numbers = np.asarray(counts, np.float64)
        if numbers.ndim != 1 or not (numbers >= 0).all() or not numbers.sum() > 0:
            raise ArgumentError(
                f"NegativeSampler got counts of shape {numbers.shape}",
                "give how often each class occurs, (V,): at least 0, and not all 0",
            )
        # 0 to any power stays 0: a class that never occurs is never drawn.
        weights = np.where(numbers > 0, numbers, 1.0) ** power * (numbers > 0)
        self.chances: npt.NDArray[np.float64] = weights / weights.sum()
        self._ends = self.chances.cumsum()

    def draw(self, rows: int, count: int, random: np.random.Generator) -> Tensor:
        """Class numbers, int64 (rows, count)."""
        places = random.random((rows, count)) * self._ends[-1]
        return from_numpy(np.searchsorted(self._ends, places, side="right").astype(np.int64))
