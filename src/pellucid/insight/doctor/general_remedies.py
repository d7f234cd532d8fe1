"""Remedies for a program that is sick of nobody knows what: whichever experiments say help."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from pellucid import nn
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Place, ProbeResult, Suspicion
from pellucid.insight.doctor.fitness import as_array
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.probes import PROBES
from pellucid.insight.doctor.probes.ends import end_path, loss_for, replace
from pellucid.insight.doctor.probes.layers import SLOW_ACTIVATIONS
from pellucid.insight.doctor.rules.flow import with_normalization, with_relu
from pellucid.insight.doctor.trying import drop_nothing, fixed_rows

Maker = Callable[[Case, ProbeResult], Patch | None]


def best_rate(result: ProbeResult) -> float:
    """The multiple of the learning rate whose loss was lowest."""
    losses: dict[float, float] = {}
    for name, loss in result.numbers.items():
        words = name.split()
        if words[-1] == "rate" and "loss" in words:
            scale = float(words[-3])
            losses[scale] = min(loss, losses.get(scale, math.inf))
    return min(losses, key=lambda scale: losses[scale], default=1.0)


def _rate(case: Case, result: ProbeResult) -> Patch | None:
    scale = best_rate(result)
    old = max(group.rate() for group in case.bench.optimizer.param_groups)
    text = "Lower the learning rate." if scale < 1 else "Raise the learning rate."
    return None if scale == 1 else remedies.learning_rate(text, old, scale)


def _optimizer(case: Case, result: ProbeResult) -> Patch:
    others = {name: loss for name, loss in result.numbers.items() if "(" in name}
    best = min(others, key=lambda name: others[name])
    name, _, rest = best.rstrip(")").partition("(")
    settings = {key: float(value) for key, _, value in (p.partition("=") for p in rest.split(", "))}
    return remedies.optimizer(f"Use {best}.", case.bench.optimizer, name, **settings)


def _activations(case: Case, result: ProbeResult) -> Patch | None:
    last = end_path(case.bench.model, fixed_rows(case))
    paths = [
        path
        for path, module in case.bench.model.named_modules()
        if isinstance(module, SLOW_ACTIVATIONS) and path and path != last
    ]
    return with_relu(case, paths) if paths else None


def _unregularized(case: Case, result: ProbeResult) -> Patch:
    def apply(trial: Case) -> None:
        drop_nothing(trial.model)
        for group in trial.optimizer.param_groups:
            group.update({name: 0.0 for name in ("weight_decay", "l1") if group.get(name)})

    return Patch("setting", "Leave dropout and penalties out.", "regularization", "given", "none",
                 apply)  # fmt: skip


def _end(case: Case, result: ProbeResult) -> Patch | None:
    rows = fixed_rows(case)
    path = end_path(case.bench.model, rows)
    outputs, wanted = as_array(case.bench.outputs(rows)), as_array(rows[1])
    better = None if outputs is None or wanted is None else loss_for(outputs, wanted)
    if better is None:
        return None

    def apply(trial: Case) -> None:
        if path is not None:
            replace(trial.model, path, nn.Identity())
        trial.loss = better

    text = "Use the loss of scores that fits the targets, without a last activation."
    return Patch("loss", text, "loss", "given", "of scores", apply)


MAKERS: dict[str, tuple[str, Maker]] = {
    "standardized_input": (
        "INPUT_UNSCALED",
        lambda case, result: remedies.standardized("Standardize the features.", "as they are"),
    ),
    "standardized_targets": (
        "TARGET_UNSCALED",
        lambda case, result: remedies.standardized_targets("Standardize the targets.", "as given"),
    ),
    "other_output": ("ACT_OUT", _end),
    "learning_rate": ("LR_HIGH", _rate),
    "other_activation": ("ACT_HID", _activations),
    "normalized": ("NORM_MISSING", lambda case, result: with_normalization(case)),
    "unregularized": ("REG_EXCESS", _unregularized),
    "other_optimizer": ("OPT_WRONG", _optimizer),
}
"""Probe → the cause that it stands for, and what makes a patch of its result."""


def general_remedies(case: Case) -> Iterator[tuple[str, Patch]]:
    """(cause, patch) of each experiment that says its change helps, in this order."""
    for name, (cause, make) in MAKERS.items():
        suspicions: list[Any] = [Suspicion(cause, Place(), (), 0.5)]
        if name == "learning_rate":
            suspicions.append(Suspicion("LR_LOW", Place(), (), 0.5))
        for suspicion in suspicions:
            result = PROBES[name](case, suspicion)
            patch = make(case, result) if result.confirms else None
            if patch is not None:
                yield suspicion.cause, patch
                break


def steps_made(case: Case) -> int:
    """The steps of all experiments on a case so far."""
    known = case.notes.get("doctor_courses", {})
    return sum(len(found.losses) for found in known.values())
