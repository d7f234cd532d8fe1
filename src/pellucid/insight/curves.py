"""What learning curves say: too much learned, too little, not finished, out of control.

The rules stand in one list and are asked in its order; the first that finds something is the
answer.  Their thresholds are rules of thumb for losses that are 0 at best.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.insight.finding import Finding

Floats = npt.NDArray[np.float64]

FALLEN = 0.5
"""A training loss still above this share of the start was not learned much of."""
BEGUN = 0.1
"""Less than this share of the start learned: hardly anything."""
GAP = 0.3
"""Validation loss above training loss by this share of what was learned, and falling no more."""
RISE = 0.05
"""Validation loss above its lowest value by this share of what was gained on it."""
RECENT = 0.1
"""A loss is still falling if the last quarter of the epochs brought this share of its fall."""
FEW_EPOCHS = 10
"""Fewer than these may be too few to say that a network cannot learn more."""
EQUAL = 0.02
"""Losses that differ by this share are taken for equal."""


class Curves:
    """Training and validation losses over the epochs, and what the rules ask of them."""

    def __init__(
        self, train: Floats, held: Floats, baseline: float | None, reference: float | None
    ) -> None:
        self.train, self.held = train, held
        self.baseline, self.reference = baseline, reference
        self.epochs = len(train)
        self.end, self.held_end = float(train[-1]), float(held[-1])
        self.start = float(train[0]) if baseline is None else float(baseline)
        self.lowest, self.best = float(held.min()), int(held.argmin())
        self.learned = self.start - self.end
        self.share = self.learned / abs(self.start) if self.start else 0.0

    @property
    def evidence(self) -> str:
        """The measurements, in words."""
        text = (
            f"in {self.epochs} epochs the training loss went from {self.train[0]:.4g} to "
            f"{self.end:.4g} and the validation loss from {self.held[0]:.4g} to "
            f"{self.held_end:.4g} (lowest {self.lowest:.4g} in epoch {self.best + 1})"
        )
        if self.baseline is not None:
            text += f"; a model that knows nothing has {self.baseline:.4g}"
        if self.reference is not None:
            text += f", a simple model {self.reference:.4g}"
        return text

    def still_falls(self, losses: Floats) -> bool:
        """Whether the last quarter of the epochs brought a good part of the whole fall."""
        recent = max(1, len(losses) // 4)
        whole = max(self.start, float(losses.max())) - float(losses[-1])
        steps = np.diff(losses[-recent - 1 :])
        brought = float(losses[-recent - 1] - losses[-1])
        if whole <= 0.25 * EQUAL * abs(self.start):
            return False  # nothing has fallen, so nothing still falls
        return brought > RECENT * whole and bool((steps < 0).mean() >= 0.75)

    def may_reach(self, loss: float) -> bool:
        """Whether both losses, falling on as in the last quarter, reach ``loss`` in as many
        epochs again."""
        recent = max(1, self.epochs // 4)
        falls = [(x[-recent - 1] - x[-1]) / recent for x in (self.train, self.held)]
        return bool(min(falls) > 0 and self.held_end - falls[1] * self.epochs <= loss)


def _noise(losses: Floats) -> float:
    """How far a loss jumps from epoch to epoch beside its trend."""
    return float(np.median(np.abs(np.diff(losses, 2)))) / 2 if len(losses) > 3 else 0.0


def _say(curves: Curves, what: str, remedy: str) -> Finding:
    return Finding(what, "", curves.evidence, remedy)


def _diverged(c: Curves) -> Finding | None:
    finite = np.isfinite(c.train).all() and np.isfinite(c.held).all()
    rose = c.end > c.start and c.end - c.train[0] > 0.5 * abs(c.train[0])
    # The weights were thrown so far in the first steps that what they knew is lost.
    useless = c.baseline is not None and c.end >= (1 - EQUAL) * c.baseline
    thrown = useless and float(c.train.max()) > 10 * abs(c.start)
    if finite and not rose and not thrown:
        return None
    return _say(c, "diverged", "Lower the learning rate, or set clip_norm.")


def _impossible(c: Curves) -> Finding | None:
    if c.baseline is None or c.baseline < 0 or min(c.end, c.held_end) >= 0:
        return None
    advice = (
        "The loss has no lowest value for these outputs: nll_loss needs log-probabilities "
        "(log_softmax before it), binary_cross_entropy probabilities and targets from 0 to 1."
    )
    return _say(c, "loss below zero", advice)


def _oscillating(c: Curves) -> Finding | None:
    steps = np.diff(c.train[-max(5, c.epochs // 2) :])
    if len(steps) < 3:
        return None
    turns = float((steps[1:] * steps[:-1] < 0).mean())
    span = float(max(c.start, c.train[0]) - c.train.min())
    if turns < 0.6 or float(np.median(np.abs(steps))) <= 0.3 * span:
        return None
    advice = "Lower the learning rate (by 3 to 10), use larger batches, or let a schedule lower it."
    return _say(c, "oscillating", advice)


_LESS_MEMORY = (
    "Get more data or augment it, stop early (patience), use dropout or weight decay, or a "
    "smaller network."
)


def _overfitting(c: Curves) -> Finding | None:
    gained = max(c.start - c.lowest, 0.0)
    least = max(RISE * gained, 0.5 * EQUAL * abs(c.start), 3 * _noise(c.held))
    rises = c.held_end - c.lowest > least and c.end < c.train[c.best]
    flat = not c.still_falls(c.held)
    apart = c.held_end - c.end > GAP * c.learned and flat and c.share > BEGUN
    return _say(c, "overfitting", _LESS_MEMORY) if rises or apart else None


def _worse_than_simple(c: Curves) -> Finding | None:
    if c.reference is None or c.lowest <= c.reference * (1 + EQUAL):
        return None
    if c.may_reach(c.reference) or c.still_falls(c.train):
        return None
    advice = (
        "The simple model is better on the same rows: use it, or look for the fault here "
        "(learning rate, scale of the inputs, initial weights) before enlarging the network."
    )
    return _say(c, "worse than a simple model", advice)


def _unfinished(c: Curves) -> Finding | None:
    early = c.epochs < FEW_EPOCHS or c.share > 1 - FALLEN
    behind = c.reference is not None and c.lowest > c.reference * (1 + EQUAL)
    if not (early and c.still_falls(c.train)) and not behind:
        return None
    advice = "Train for more epochs; if the loss falls slowly, raise the learning rate."
    return _say(c, "not finished", advice)


def _at_the_floor(c: Curves) -> Finding | None:
    close = c.held_end - c.end <= GAP * max(c.learned, 0.0) + EQUAL * abs(c.start)
    if c.share <= BEGUN or c.share >= 1 - FALLEN or not close or c.still_falls(c.train):
        return None
    if c.reference is not None and c.lowest <= c.reference * (1 + EQUAL):
        advice = "It is as good as the simple model; only better features or cleaner targets help."
    else:
        advice = (
            "Training and validation loss agree and fall no more. Try one larger network: if it "
            "ends at the same loss, what is left is noise that nobody can learn."
        )
    return _say(c, "at the noise floor", advice)


def _underfitting(c: Curves) -> Finding | None:
    useless = c.baseline is not None and c.held_end >= (1 - EQUAL) * c.baseline
    if not useless and c.share > 1 - FALLEN:
        return None
    advice = (
        "Use a larger network, better features, more epochs or another learning rate; "
        "regularization would make it worse."
    )
    if c.still_falls(c.train):
        advice = "The loss still falls: train longer, with a larger learning rate. " + advice
    return _say(c, "underfitting", advice)


def _good(c: Curves) -> Finding:
    advice = "Nothing in the curves speaks against it; judge it on rows it has never seen."
    return _say(c, "good fit", advice)


RULES: tuple[Callable[[Curves], Finding | None], ...] = (
    _diverged,
    _impossible,
    _oscillating,
    _overfitting,
    _worse_than_simple,
    _unfinished,
    _at_the_floor,
    _underfitting,
    _good,
)
"""Asked in this order."""


def diagnose_curves(
    history: Any, baseline: float | None = None, reference: float | None = None
) -> Finding:
    """What the learning curves of a run say.

    ``history`` is what ``Trainer.fit`` returned, or a pair (training losses, validation losses) of
    equal length.  ``baseline`` is the loss of a model that knows nothing (log k for k balanced
    classes, the variance for squared error); unless given, the first training loss stands for it.
    ``reference`` is the validation loss of a simple model, such as a linear one.  The answers, in
    the order in which they are looked for:

    - ``diverged``: NaN, infinity, or a training loss that ended above where it began;
    - ``loss below zero``: impossible for the loss that the baseline belongs to;
    - ``oscillating``: the training loss jumps up and down by a good part of what it fell;
    - ``overfitting``: the validation loss rose from its lowest value while the training loss fell,
      or stopped far above it;
    - ``worse than a simple model``: than ``reference``;
    - ``not finished``: the training loss was still falling;
    - ``at the noise floor``: both losses agree and fall no more, between much and nothing learned;
    - ``underfitting``: little was learned from the training rows themselves, or nothing that holds
      for others;
    - ``good fit``: none of these.

    Raises ``ArgumentError`` for fewer than two epochs or no validation losses.
    """
    train, held = _losses(history)
    curves = Curves(train, held, baseline, reference)
    return next(found for rule in RULES if (found := rule(curves)) is not None)


def _losses(history: Any) -> tuple[Floats, Floats]:
    pair = history if isinstance(history, tuple) else None
    train, held = pair or (history["loss"], history["validation_loss"])
    if len(train) < 2 or len(train) != len(held) or None in list(held):
        raise ArgumentError(
            f"diagnose_curves got {len(train)} training and {len(held)} validation losses",
            "Train for at least two epochs, with validation data.",
        )
    return np.array(train, np.float64), np.array(held, np.float64)
