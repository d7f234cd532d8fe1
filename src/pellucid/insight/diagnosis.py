"""What is wrong with a network or a run, why one thinks so, and what to do about it.

>>> for finding in check_model(model): print(finding)                          # doctest: +SKIP
>>> loss.backward(); gradient_norms(model)                                     # doctest: +SKIP
>>> print(diagnose_curves(trainer.fit((x, y), (x_held, y_held))))              # doctest: +SKIP

The checks of a network before training are in :mod:`.checks`, those of learning curves in
:mod:`.curves`; here are units and gradients, and all of them by one name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, AutogradError
from pellucid.graph.node import current_layer
from pellucid.insight.checks import check_model
from pellucid.insight.curves import diagnose_curves
from pellucid.insight.finding import Finding
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import has_gradient, no_grad, stored_gradient
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.state import state
from pellucid.tensor.tensor import Tensor

__all__ = [
    "DeadUnits",
    "Finding",
    "check_gradients",
    "check_model",
    "dead_units",
    "diagnose_curves",
    "findings",
    "gradient_norms",
]

BLOCK = 1024
"""Rows that are run at once."""

SMALLEST_RATIO = 1e-3
"""Gradient norms of first and last layer further apart than this vanish (or explode)."""

DEAD_SHARE = 0.05
"""Fewer units than this share may be dead without harm."""


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
        """What to do about them, or None where there are none or only a few (below 5%)."""
        if self.share < DEAD_SHARE or not self.units:
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
    (rows, steps, units) outputs, and a channel of (rows, channels, height, width).  ``F.relu`` and
    ``x.relu()`` count too, by the path of the module that calls them ("block.relu (function)").
    The model runs in evaluation mode, whose outputs are those of prediction.
    """
    rows = np.asarray(data.detach().numpy() if isinstance(data, Tensor) else data)
    if not len(rows):
        raise ArgumentError("dead_units got no rows", "Give the rows of an epoch.")
    seen = _Units(model)
    layers = [(p, m) for p, m in model.named_modules() if m.silent_when_negative]
    handles = [layer.register_forward_hook(seen.of_layer(path)) for path, layer in layers]
    before, state.watcher = state.watcher, seen
    try:
        with evaluation(model), no_grad():
            for start in range(0, len(rows), BLOCK):
                seen.calls.clear()
                model(as_tensor(np.ascontiguousarray(rows[start : start + BLOCK])))
    finally:
        state.watcher = before
        for handle in handles:
            handle.remove()
    return [
        DeadUnits(path, tuple(int(u) for u in np.flatnonzero(~spoke)), len(spoke), len(rows))
        for path, spoke in seen.alive.items()
    ]


class _Units:
    """Which units have given anything but 0, by layer.

    As a watcher it is shown every operation, and knows ``x.relu()`` by what it computes: 0 where
    x ≤ 0, else x.
    """

    takes_units = False

    def __init__(self, model: Module) -> None:
        self.alive: dict[str, npt.NDArray[np.bool_]] = {}
        self.calls: dict[str, int] = {}
        self._layers = {path for path, m in model.named_modules() if m.silent_when_negative}
        self._name = type(model).__name__

    def of_layer(self, path: str) -> Callable[[Any, Any, Any], None]:
        """A hook for a layer."""
        return lambda layer, args, output: self._see(path or self._name, output)

    def operation(self, primitive: Any, inputs: Any, params: Any, result: Any) -> None:
        """An operation was done; a ReLU that is no layer is looked at."""
        if primitive.name != "where" or current_layer() in self._layers:
            return
        mask, chosen, x = (t.array() for t in inputs)
        if chosen.size != 1 or chosen.any() or mask.shape != x.shape or x.ndim < 2:
            return
        if not np.array_equal(mask, x <= 0):
            return
        owner = current_layer()
        name = "relu (function)"
        path = name if owner in ("", self._name) else f"{owner}.{name}"
        number = self.calls[path] = self.calls.get(path, 0) + 1
        self._see(path if number == 1 else f"{path} {number}", result)

    def assignment(self, cell: Any, value: Any) -> None:
        """A value was overwritten: nothing to see."""

    def _see(self, path: str, output: Any) -> None:
        values = output.detach().numpy() != 0
        units = 1 if values.ndim == 4 else values.ndim - 1
        spoke = values.any(axis=tuple(a for a in range(values.ndim) if a != units))
        self.alive[path] = self.alive[path] | spoke if path in self.alive else spoke


def gradient_norms(model: Module) -> dict[str, float]:
    """The Euclidean norm of the gradients of each layer's own parameters, by layer path.

    Call it after ``backward()``.  Layers stand in the order in which the last ``backward()`` of
    this thread found them used, those it did not reach at the end.  Raises ``AutogradError``
    where no parameter has a gradient.
    """
    norms: dict[str, float] = {}
    for path, layer in _in_order(model):
        found = [stored_gradient(p) for p in layer.parameters(recurse=False)]
        own = [gradient for gradient in found if gradient is not None]
        if own:
            squares = sum(float((np.abs(g.numpy()).astype(np.float64) ** 2).sum()) for g in own)
            norms[path] = math.sqrt(squares)
    if not norms:
        raise AutogradError(
            "No parameter of the model has a gradient", "Call loss.backward() before."
        )
    return norms


def _in_order(model: Module) -> list[tuple[str, Module]]:
    """Layers with parameters in the order of use: backward reaches the first ones last."""
    turn = {key: place for place, key in enumerate(reversed(state.gradient_order))}
    far = len(turn)

    def place(entry: tuple[str, Module]) -> int:
        own = [turn.get(id(p), far) for p in entry[1].parameters(recurse=False)]
        return min(own, default=far)

    return sorted(model.named_modules(), key=place)


def check_gradients(model: Module) -> list[Finding]:
    """Vanishing, exploding, missing and zero gradients, after ``backward()``.

    ``no gradient``: parameters that require gradients and got none, as behind ``detach()``;
    ``zero gradients``: all gradients are exactly 0; ``non-finite gradients``: NaN or infinity;
    ``vanishing gradients``: the norm of the layer used first is below a thousandth of that of the
    last one; ``exploding gradients``: above a thousand times.
    """
    norms = gradient_norms(model)
    found = _without_gradient(model)
    bad = [path for path, norm in norms.items() if not math.isfinite(norm)]
    if bad:
        text = f"the gradients of {', '.join(bad)} are NaN or infinite"
        advice = "Lower the learning rate, or set clip_norm."
        return [*found, Finding("non-finite gradients", bad[0], text, advice)]
    if not any(norms.values()):
        text = f"all gradients of {len(norms)} layers are exactly 0, so no weight will change"
        advice = (
            "Look for dead units (dead_units), a constant output (softmax over one unit), "
            "saturated activations, or a loss that does not depend on the answers."
        )
        return [*found, Finding("zero gradients", "", text, advice)]
    reached = {path: norm for path, norm in norms.items() if norm > 0}
    silent = [path for path in norms if path not in reached]
    # Before an output layer that starts at 0 there is no gradient yet, and that is right.
    if silent and not any(p.dim() > 1 and not p.any() for p in model.parameters()):
        text = f"the gradients of {', '.join(silent)} are exactly 0, those of others are not"
        advice = "Look for dead units behind it (dead_units), or for values cut off (clamp)."
        found.append(Finding("zero gradients", silent[0], text, advice))
    return found + _check_depth(list(reached.items()))


def _without_gradient(model: Module) -> list[Finding]:
    """Layers whose parameters wait for a gradient that did not come."""
    found = []
    for path, layer in model.named_modules():
        names = [n for n, p in layer.named_parameters(recurse=False) if p.requires_grad]
        own = dict(layer.named_parameters(recurse=False))
        missing = [n for n in names if not has_gradient(own[n])]
        if missing:
            text = f"{', '.join(missing)} got no gradient, though the loss gave others theirs"
            advice = (
                "The loss does not depend on it: look for detach(), numpy(), no_grad() or a layer "
                "that forward does not use; requires_grad_(False) freezes a layer on purpose."
            )
            found.append(Finding("no gradient", path or type(model).__name__, text, advice))
    return found


def _check_depth(norms: list[tuple[str, float]]) -> list[Finding]:
    """Whether the gradients shrink or grow by far on their way to the first layer."""
    (first, low), (last, high) = norms[0], norms[-1]
    text = f"the norm is {low:.3g} in {first} and {high:.3g} in {last}"
    if low < SMALLEST_RATIO * high:
        advice = "Use ReLU with He initialization, normalization layers, or residual connections."
        return [Finding("vanishing gradients", first, text, advice)]
    if low > high / SMALLEST_RATIO:
        advice = "Use smaller first weights (Xavier, He), normalization layers, or clip_norm."
        return [Finding("exploding gradients", first, text, advice)]
    return []


# ---- a whole run ---------------------------------------------------------------------------------


def findings(
    model: Module,
    loss: Any = None,
    history: Any = None,
    data: Any = None,
    baseline: float | None = None,
    reference: float | None = None,
) -> list[Finding]:
    """All that can be said of a run from what is at hand, in the order in which to mend it.

    The network and its end (:func:`check_model`), dead units where there are ``data`` (rows, …),
    and the curves (:func:`diagnose_curves`) of a ``history`` of at least two epochs with
    validation losses; ``baseline`` and ``reference`` as there.
    """
    found = check_model(model, data, loss)
    if data is not None:
        every = (layer.finding() for layer in dead_units(model, data))
        found += [finding for finding in every if finding is not None]
    if history is not None and len(history) > 1 and None not in history["validation_loss"]:
        found.append(diagnose_curves(history, baseline, reference))
    return found
