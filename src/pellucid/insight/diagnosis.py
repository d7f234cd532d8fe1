"""What is wrong with a network or a run, why one thinks so, and what to do about it.

>>> for finding in check_model(model): print(finding)                          # doctest: +SKIP
>>> loss.backward(); gradient_norms(model)                                     # doctest: +SKIP
>>> print(diagnose_curves(trainer.fit((x, y), (x_held, y_held))))              # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import nn
from pellucid.base.errors import ArgumentError, AutogradError
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad, stored_gradient
from pellucid.tensor.creation import as_tensor
from pellucid.training.history import History

SILENT_WHEN_NEGATIVE = (nn.ReLU, nn.ReLU6, nn.Threshold)
"""Layers whose slope is 0 for all negative inputs: units behind them can die."""

BLOCK = 1024
"""Rows that are run at once."""

SMALLEST_RATIO = 1e-3
"""Gradient norms of first and last layer further apart than this vanish (or explode)."""

FALLEN = 0.5
"""A training loss still above this share of where it began was not learned: under-fitting."""

GAP = 0.3
"""Validation loss above training loss by this share of what was learned: over-fitting."""

RISE = 0.15
"""Validation loss above its own lowest value by this share of what was learned: over-fitting."""


@dataclass(frozen=True)
class Finding:
    """Something that was noticed.

    ``what`` names it (``zero weights``, ``overfitting`` …), ``where`` is a layer's path or empty,
    ``evidence`` the figures it rests on, ``remedy`` what to do.
    """

    what: str
    where: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        place = f" in {self.where}" if self.where else ""
        return f"{self.what}{place}: {self.evidence}\n  {self.remedy}"


# ---- the network before training -----------------------------------------------------------------


def check_model(model: Module) -> list[Finding]:
    """What is suspicious about a network's weights and activations, before any training.

    Findings: ``zero weights`` and ``equal weights`` (units of a hidden layer that start equal stay
    equal, because their gradients are equal), ``non-finite weights``, and ``sigmoid in a hidden
    layer`` (its slope is at most 1/4; the output layer is its place).  Layers are taken in the
    order in which the model holds them.
    """
    leaves = [(p, m) for p, m in model.named_modules() if next(m.children(), None) is None]
    weighted = [path for path, layer in leaves if _matrix(layer) is not None]
    findings = []
    for path, layer in leaves:
        weight = _matrix(layer)
        if weight is not None:
            findings += _check_weight(path, weight, alone=len(weighted) == 1)
        if isinstance(layer, nn.Sigmoid) and _before(path, weighted, leaves):
            findings.append(_hidden_sigmoid(path))
    return findings


def _matrix(layer: Any) -> npt.NDArray[Any] | None:
    """The weight of a layer as (units, inputs), or None where it has no such weight."""
    weight = getattr(layer, "weight", None)
    if weight is None or len(weight.shape) < 2 or not weight.numel():
        return None
    return np.asarray(weight.detach().numpy()).reshape(weight.shape[0], -1)


def _before(path: str, weighted: Sequence[str], leaves: Sequence[tuple[str, Any]]) -> bool:
    """Whether a layer with weights comes after ``path``."""
    order = [name for name, _ in leaves]
    return any(order.index(name) > order.index(path) for name in weighted)


def _check_weight(path: str, weight: npt.NDArray[Any], alone: bool) -> list[Finding]:
    size = f"{weight.shape[0]} units of {weight.shape[1]} inputs"
    if not np.isfinite(weight).all():
        bad = int((~np.isfinite(weight)).sum())
        return [
            Finding(
                "non-finite weights",
                path,
                f"{bad} of {weight.size} weights are NaN or infinite",
                "Load good weights, or train again with a smaller learning rate or clip_norm.",
            )
        ]
    if alone:
        return []  # a single layer has no hidden units that could stay equal
    random = "Use nn.init.kaiming_normal_ (ReLU) or xavier_normal_ (tanh); zeros are for biases."
    if not weight.any():
        text = f"all weights are 0 ({size}): no gradient passes to the layers before it"
        return [Finding("zero weights", path, text, random)]
    if len(weight) > 1 and (weight == weight[0]).all():
        text = f"all units start with the same weights ({size}) and get the same gradients"
        return [Finding("equal weights", path, text, random)]
    return []


def _hidden_sigmoid(path: str) -> Finding:
    return Finding(
        "sigmoid in a hidden layer",
        path,
        "its slope is at most 1/4, so gradients shrink from layer to layer, and its outputs are "
        "not centred at 0",
        "Use ReLU, or tanh where the output must be bounded; keep sigmoid for the output layer "
        "of binary tasks.",
    )


# ---- units and gradients -------------------------------------------------------------------------


@dataclass(frozen=True)
class DeadUnits:
    """The dead units of one layer: ``units`` are their positions, ``total`` is how many units
    the layer has."""

    layer: str
    units: tuple[int, ...]
    total: int
    rows: int

    @property
    def share(self) -> float:
        """Dead units as a share of all, 0 … 1."""
        return len(self.units) / self.total

    def finding(self) -> Finding | None:
        """What to do about them, or None where there are none."""
        if not self.units:
            return None
        return Finding(
            "dead units",
            self.layer,
            f"{len(self.units)} of {self.total} units ({self.share:.0%}) give 0 for each of "
            f"{self.rows} rows, so no gradient reaches them",
            "Lower the learning rate, start biases at 0, or use LeakyReLU: its units recover.",
        )


def dead_units(model: Module, data: Any) -> list[DeadUnits]:
    """For each ReLU-like layer the units whose output is 0 for every row of ``data``.

    ``data`` is an array or tensor (rows, …): take a whole epoch, as a unit that is silent for one
    batch may speak in the next.  A unit is a position along the last axis of (rows, units) and
    (rows, steps, units) outputs, and a channel of (rows, channels, height, width).  The model runs
    in evaluation mode, whose outputs are those of prediction.
    """
    rows = np.asarray(data.detach().numpy() if hasattr(data, "detach") else data)
    if not len(rows):
        raise ArgumentError("dead_units got no rows", "Give the rows of an epoch.")
    alive: dict[str, npt.NDArray[np.bool_]] = {}

    def watch(path: str) -> Any:
        def look(layer: Any, args: Any, output: Any) -> None:
            values = output.detach().numpy() != 0
            units = 1 if values.ndim == 4 else values.ndim - 1
            spoke = values.any(axis=tuple(a for a in range(values.ndim) if a != units))
            alive[path] = alive[path] | spoke if path in alive else spoke

        return look

    layers = [(p, m) for p, m in model.named_modules() if isinstance(m, SILENT_WHEN_NEGATIVE)]
    handles = [layer.register_forward_hook(watch(path)) for path, layer in layers]
    training = model.training
    model.eval()
    try:
        with no_grad():
            for start in range(0, len(rows), BLOCK):
                model(as_tensor(np.ascontiguousarray(rows[start : start + BLOCK])))
    finally:
        for handle in handles:
            handle.remove()
        if training:
            model.train()
    return [
        DeadUnits(path, tuple(int(u) for u in np.flatnonzero(~spoke)), len(spoke), len(rows))
        for path, spoke in alive.items()
    ]


def gradient_norms(model: Module) -> dict[str, float]:
    """The Euclidean norm of the gradients of each layer's own parameters, by layer path.

    Call it after ``backward()``.  Raises ``AutogradError`` where no parameter has a gradient.
    """
    norms: dict[str, float] = {}
    for path, layer in model.named_modules():
        found = [stored_gradient(p) for p in layer.parameters(recurse=False)]
        own = [gradient for gradient in found if gradient is not None]
        if own:
            squares = sum(float((g.numpy().astype(np.float64) ** 2).sum()) for g in own)
            norms[path] = math.sqrt(squares)
    if not norms:
        raise AutogradError(
            "No parameter of the model has a gradient", "Call loss.backward() before."
        )
    return norms


def check_gradients(model: Module) -> list[Finding]:
    """Vanishing or exploding gradients, from the norms of the first and the last layer.

    ``vanishing gradients``: the first layer's norm is below a thousandth of the last one's;
    ``exploding gradients``: above a thousand times; ``non-finite gradients``: NaN or infinity.
    """
    norms = gradient_norms(model)
    bad = [path for path, norm in norms.items() if not math.isfinite(norm)]
    if bad:
        text = f"the gradients of {', '.join(bad)} are NaN or infinite"
        advice = "Lower the learning rate, or set clip_norm."
        return [Finding("non-finite gradients", bad[0], text, advice)]
    (first, low), (last, high) = list(norms.items())[0], list(norms.items())[-1]
    text = f"the norm is {low:.3g} in {first} and {high:.3g} in {last}"
    if low < SMALLEST_RATIO * high:
        advice = "Use ReLU with He initialization, normalization layers, or residual connections."
        return [Finding("vanishing gradients", first, text, advice)]
    if low > high / SMALLEST_RATIO:
        advice = "Use smaller first weights (Xavier, He), normalization layers, or clip_norm."
        return [Finding("exploding gradients", first, text, advice)]
    return []


# ---- learning curves -----------------------------------------------------------------------------


def diagnose_curves(history: History, baseline: float | None = None) -> Finding:
    """Whether a run fits well, over-fits or under-fits, from its learning curves.

    ``history`` is what ``Trainer.fit`` returned, or a pair (training losses, validation losses) of
    equal length.  ``baseline`` is the loss of a model that knows nothing (log k for k balanced
    classes, the variance for squared error); unless given, the higher of the two losses of the
    first epoch stands for it.  With start s (the baseline), training loss t and validation loss v
    at the end and v₀ its lowest value:

    - ``underfitting``: t > s/2, little was learned from the training rows themselves;
    - ``overfitting``: v − t > 0.3 (s − t) or v − v₀ > 0.15 (s − t);
    - ``good fit``: neither.

    The thresholds are rules of thumb for losses that are 0 at best.  Raises ``ArgumentError`` for
    fewer than two epochs or no validation losses.
    """
    train, validation = _curves(history)
    start = max(train[0], validation[0]) if baseline is None else float(baseline)
    end, held = train[-1], validation[-1]
    lowest, epoch = float(validation.min()), int(validation.argmin()) + 1
    learned = start - end
    figures = (
        f"the training loss went from {start:.4g} to {end:.4g}, the validation loss ended at "
        f"{held:.4g} (lowest {lowest:.4g} in epoch {epoch} of {len(train)})"
    )
    if not (np.isfinite(train).all() and np.isfinite(validation).all()):
        return Finding("diverged", "", figures, "Lower the learning rate, or set clip_norm.")
    if end > FALLEN * start:
        return Finding(
            "underfitting",
            "",
            figures,
            "Use a larger network, better features, more epochs or another learning rate; "
            "regularization would make it worse.",
        )
    if held - end > GAP * learned or held - lowest > RISE * learned:
        return Finding(
            "overfitting",
            "",
            figures,
            "Get more data or augment it, stop early (patience), use dropout or weight decay, or "
            "a smaller network.",
        )
    return Finding("good fit", "", figures, "Look at the test set once, and use the model.")


def _curves(history: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    pair = history if isinstance(history, tuple) else None
    train, validation = pair or (history["loss"], history["validation_loss"])
    if len(train) < 2 or len(train) != len(validation) or None in list(validation):
        raise ArgumentError(
            f"diagnose_curves got {len(train)} training and {len(validation)} validation losses",
            "Train for at least two epochs, with validation data.",
        )
    return np.array(train, np.float64), np.array(validation, np.float64)
