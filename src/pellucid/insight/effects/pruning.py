"""Networks without the units that are not missed: switched off, measured, and taken out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import nn
from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.insight.effects.ablation import Measuring, Part, Switches, ablate
from pellucid.insight.effects.scores import Score
from pellucid.insight.effects.subject import Floats, as_rows, subject_of
from pellucid.insight.effects.uncertainty import Interval
from pellucid.insight.effects.verdict import Reasons
from pellucid.insight.explain.forward import plain
from pellucid.insight.explain.verdicts import Verdict
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor

Kept = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pruned:
    """A network without some of its units.

    ``model`` is a copy, in which ``removed`` units are gone where it is a ``Sequential`` whose
    layers can be cut (``is_smaller``), and 0 elsewhere.  ``before`` and ``after`` are its score,
    ``interval`` holds what was lost; ``parameters`` are their numbers before and after.
    """

    model: Module
    removed: tuple[Part, ...]
    before: float
    after: float
    interval: Interval
    metric: str
    parameters: tuple[int, int]
    is_smaller: bool
    verdict: Verdict


def prune(
    model: Module,
    data: Any,
    targets: Any,
    *,
    tolerance: float = 0.0,
    score: Score = None,
    layers: Sequence[str] | None = None,
    level: float = 0.95,
    seed: int = 0,
    compile: bool = True,
) -> Pruned:
    """As many units as can go together while the score falls by at most ``tolerance``.

    Units are ranked by what the score loses without each alone (``ablate(kind="units",
    fill="zero")``); the longest beginning of that order that can go together, by the upper end of
    the interval over the rows, is found by halving, and a layer keeps at least one unit.  The copy
    is then measured anew, so that ``after`` and ``interval`` are its own.  Measure on rows that
    took no part in training.  Arguments are as for :func:`ablate`.
    """
    if not isinstance(model, Module):
        raise ArgumentTypeError(
            f"prune takes a network and got {type(model).__name__}", "Give the Module itself."
        )
    if tolerance < 0:
        raise ArgumentError(f"tolerance={tolerance}", "Give what may be lost, from 0 up.")
    alone = ablate(
        model, data, targets, "units", score=score, layers=layers, fill="zero", level=level,
        seed=seed, compile=compile,
    )  # fmt: skip
    order = _removable([alone.parts[i] for i in alone.order[::-1]])
    rows, wanted = as_rows(data), plain(targets)
    switches = Switches(model, rows, "units", layers, "zero", compile)
    with switches.installed():
        whole = switches.answers(None)
        low, high = 0, len(order)
        while low < high:
            middle = (low + high + 1) // 2
            found = Measuring(subject_of(model), wanted, score, whole, level, seed)
            found.add(switches.answers(None, order[:middle]))
            upper = float(found.interval().high[0])
            low, high = (middle, high) if upper <= tolerance else (low, middle - 1)
    removed = order[:low]
    made, smaller = without_units(model, removed)
    measured = Measuring(subject_of(model), wanted, score, whole, level, seed)
    measured.add(np.asarray(subject_of(made).scores(rows)).reshape(whole.shape))
    spread, lost = measured.interval(), measured.lost[0]
    reasons = Reasons()
    upper = float(spread.high[0])
    text = f"without {low} units the {alone.metric} falls by {lost:.3g} (at most {upper:.3g})"
    (reasons.support if upper <= tolerance + 1e-6 else reasons.add)(text)
    sizes = tuple(sum(int(p.numel()) for p in m.parameters()) for m in (model, made))
    return Pruned(
        made, tuple(removed), alone.score, alone.score - lost, spread[0], alone.metric,
        (sizes[0], sizes[1]), smaller, reasons.verdict(),
    )  # fmt: skip


def _removable(order: list[Part]) -> list[Part]:
    """The order without the last unit of each layer, which stays."""
    last = {part.place: part for part in order}
    return [part for part in order if last[part.place] is not part]


def without_units(model: Module, removed: Sequence[Part]) -> tuple[Module, bool]:
    """A copy of a model whose ``removed`` units are gone, or 0, and whether it is smaller."""
    made = copy.deepcopy(model)
    by_layer: dict[str, list[int]] = {}
    for part in removed:
        by_layer.setdefault(part.place, []).append(part.index)
    known = dict(made.named_modules())
    chain = list(made) if isinstance(made, nn.Sequential) else []
    smaller = False
    for name, units in by_layer.items():
        layer: Any = known[name]
        place = next((i for i, one in enumerate(chain) if one is layer), -1)
        if place >= 0 and _cut(chain, place, sorted(units)):
            smaller = True
            continue
        with no_grad():
            index = as_tensor(np.array(units, np.int64))
            layer.weight[index] = 0
            if layer.bias is not None:
                layer.bias[index] = 0
    return made, smaller


_BETWEEN = (
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.ELU, nn.Identity, nn.Dropout,
    nn.MaxPool2d, nn.AvgPool2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.Flatten,
)  # fmt: skip
"""Layers that treat each unit alone, and so may stand between one that is cut and the next."""


def _cut(chain: list[Any], place: int, units: list[int]) -> bool:
    """Takes units out of a layer of a chain and of what follows; False, and nothing is changed,
    where that is not possible."""
    layer = chain[place]
    following = place + 1
    while following < len(chain) and isinstance(chain[following], _BETWEEN):
        following += 1
    if not isinstance(layer, nn.Linear | nn.Conv2d) or following >= len(chain):
        return False
    after, between = chain[following], chain[place + 1 : following]
    grouped = isinstance(layer, nn.Conv2d) and layer.groups > 1
    if grouped or not isinstance(after, nn.Linear | nn.Conv2d) or getattr(after, "groups", 1) > 1:
        return False
    count = int(layer.weight.shape[0])
    constant = _of_zero(between, count, isinstance(layer, nn.Conv2d))
    if constant is None:
        return False
    padded = isinstance(after, nn.Conv2d) and any(np.ravel(np.asarray(after.padding, object) != 0))
    width = int(after.weight.shape[1]) // count  # places of a unit after flattening
    if padded and np.abs(constant[units]).max() > 0:
        return False
    weight = plain(after.weight)
    blocks = weight.reshape(len(weight), count, width, *weight.shape[2:])
    missing = blocks[:, units].reshape(len(weight), len(units), -1).sum(axis=2) @ constant[units]
    if np.abs(missing).max(initial=0) > 0 and after.bias is None:
        return False
    kept = np.setdiff1d(np.arange(count), units)
    _keep(layer, kept, 0)
    for one in between:
        if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d):
            _keep_normalized(one, kept)
    _set(after, "weight", blocks[:, kept].reshape(len(weight), -1, *weight.shape[2:]))
    if after.bias is not None:
        _set(after, "bias", plain(after.bias) + missing.astype(np.float32))
    name = "in_features" if isinstance(after, nn.Linear) else "in_channels"
    setattr(after, name, len(kept) * width)
    return True


def _of_zero(between: list[Any], count: int, is_picture: bool) -> Floats | None:
    """What stands behind a unit that is 0, (units,); None where it is not one number."""
    value: Any = as_tensor(np.zeros((1, count, 8, 8) if is_picture else (1, count), np.float32))
    with no_grad():
        for one in between:
            if isinstance(one, nn.Flatten):
                break
            if isinstance(one, nn.MaxPool2d | nn.AvgPool2d):
                continue  # of equal numbers, the number; borders of zeros are met below
            with evaluation(one):
                value = one(value)
    found = plain(value).reshape(count, -1).astype(np.float64)
    pools = any(
        isinstance(one, nn.MaxPool2d | nn.AvgPool2d) and np.ravel(one.padding).any()
        for one in between
    )
    return None if pools and np.abs(found).max() > 0 else np.asarray(found[:, 0])


def _keep(layer: Any, kept: Kept, axis: int) -> None:
    _set(layer, "weight", np.take(plain(layer.weight), kept, axis))
    if layer.bias is not None:
        _set(layer, "bias", plain(layer.bias)[kept])
    setattr(layer, "out_features" if isinstance(layer, nn.Linear) else "out_channels", len(kept))


def _keep_normalized(layer: Any, kept: Kept) -> None:
    for name in ("weight", "bias"):
        if getattr(layer, name) is not None:
            _set(layer, name, plain(getattr(layer, name))[kept])
    for name in ("running_mean", "running_var"):
        if getattr(layer, name) is not None:
            setattr(layer, name, as_tensor(plain(getattr(layer, name))[kept].copy()))
    layer.num_features = len(kept)


def _set(layer: Any, name: str, values: Any) -> None:
    before = getattr(layer, name)
    made = nn.Parameter(as_tensor(np.ascontiguousarray(values, np.float32)))
    made.requires_grad_(before.requires_grad)
    setattr(layer, name, made)
