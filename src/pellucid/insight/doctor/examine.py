"""The examination before the first step: from graph, settings and data alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.facts import evaluated, modules_of, task_of, trained
from pellucid.insight.doctor.findings import Suspicion
from pellucid.insight.doctor.gathering import gather
from pellucid.insight.doctor.ranking import rank
from pellucid.insight.doctor.report import Report
from pellucid.insight.doctor.rules import rules_of
from pellucid.insight.doctor.untouched import untouched
from pellucid.nn.module import Module
from pellucid.tensor.core import lift
from pellucid.training.capture import named_tensors
from pellucid.training.trainer import Trainer

Losses = Callable[[Any, Any], Any] | str


def examine(
    model: Any,
    data: Any = None,
    *,
    loss: Losses | None = None,
    optimizer: Any = None,
    validation: Any = None,
    metric: Callable[[Any, Any], float] | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    shuffle: bool | None = None,
    clip_norm: float | None = None,
    accumulate: int | None = None,
    class_weight: Any = None,
    augment: Callable[[Any], Any] | None = None,
    schedule: Any = None,
    patience: int | None = None,
) -> Report:
    """What is wrong with a training that has not begun.

    ``model`` is a network or a ``Trainer``, whose loss, optimizer, metric and settings are then
    known.  ``data`` and ``validation`` are a pair (features, targets) of arrays or tensors, a data
    set, or a loader; features alone where there are no targets.  ``loss`` is a function of
    (outputs, targets), a module or a name.  The settings from ``batch_size`` on are what else was
    asked for, each as ``Trainer`` takes it; None where it is not known.

    A few rows are run once forwards and backwards, operation by operation; nothing in the network
    changes: weights, buffers, gradients, modes and random numbers are as before, bit for bit.  It
    takes about a second or two; a loader is asked for its first batches.

    Returns a :class:`.report.Report`, empty where nothing is wrong.  Raises ``ArgumentError`` for
    a model that is none.

    >>> report = examine(model, (x, y), loss="cross_entropy", optimizer=adam)  # doctest: +SKIP
    >>> print(report)                                                          # doctest: +SKIP
    """
    begun = time.perf_counter()
    settings = {
        "batch_size": batch_size,
        "epochs": epochs,
        "shuffle": shuffle,
        "clip_norm": clip_norm,
        "accumulate": accumulate,
        "class_weight": class_weight,
        "augment": augment,
        "schedule": schedule,
        "patience": patience,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    report = examined(case_of(model, data, loss, optimizer, validation, metric, given))
    report.seconds = time.perf_counter() - begun
    return report


def case_of(
    model: Any,
    data: Any = None,
    loss: Losses | None = None,
    optimizer: Any = None,
    validation: Any = None,
    metric: Any = None,
    settings: dict[str, Any] | None = None,
) -> Case:
    """A case from what :func:`examine` is given."""
    known = dict(settings or {})
    if not isinstance(model, Module) and isinstance(getattr(model, "model", None), Module):
        trainer, model = model, model.model
        loss = trainer.loss if loss is None else loss
        optimizer = trainer.optimizer if optimizer is None else optimizer
        metric = trainer.metric if metric is None else metric
        for name in ("clip_norm", "accumulate", "ema_decay", "class_weight", "augment", "schedule"):
            known.setdefault(name, getattr(trainer, name, None))
    if model is not None and not isinstance(model, Module):
        raise ArgumentError(
            f"examine got a {type(model).__name__} as model", "Give a Module or a Trainer."
        )
    if isinstance(loss, str):
        loss = _by_name(loss)
    if known.get("batch_size") is None and getattr(data, "batch_size", None):
        known["batch_size"] = data.batch_size
    return Case(
        model=model,
        loss=loss,
        optimizer=optimizer,
        train=gather(data),
        validation=gather(validation),
        metric=metric,
        settings=known,
    )


def _by_name(name: str) -> Any:
    return Trainer(Module(), name, _NoOptimizer()).loss  # type: ignore[arg-type]


class _NoOptimizer:
    """Stands where the optimizer of a loss's name would."""

    param_groups: tuple[Any, ...] = ()


def examined(case: Case, probes: Any = None, seconds: float = 1.0) -> Report:
    """The report on a case: all rules of its phase, ranked."""
    begun = time.perf_counter()
    # The numbers of a sick training may have any size: what overflows is looked at without a word.
    with untouched(*modules_of(case)), np.errstate(all="ignore"):
        suspicions = _before(case) + _later(case)
        found = rank(case, suspicions, probes, seconds=seconds, sick=case.notes.get("sick"))
    case.notes["suspicions"] = suspicions
    spent = time.perf_counter() - begun
    return Report(found, str(task_of(case)), case.phase, _facts(case), spent, case)


def _before(case: Case) -> list[Suspicion]:
    """What the rules before the first step say: of the first weights, where they are known
    (``case.notes["first weights"]``: name → array); else those that judge a start are left out."""
    first = case.notes.get("first weights")
    if case.phase == "before" or first is None:
        rules = rules_of("before", start=case.phase == "before")
        return [suspicion for rule in rules for suspicion in rule(case)]
    early = replace(case, phase="before", step=0, notes={}, records=[], losses=[], history=[])
    with untouched(*modules_of(case)):
        for name, tensor in named_tensors(case.model):
            if name in first:
                tensor.detach().assign(lift(np.asarray(first[name])))
        return [suspicion for rule in rules_of("before") for suspicion in rule(early)]


def _later(case: Case) -> list[Suspicion]:
    """What the rules of a phase after the first step say."""
    if case.phase == "before":
        return []
    return [suspicion for rule in rules_of(case.phase) for suspicion in rule(case)]


def _facts(case: Case) -> dict[str, Any]:
    """Figures worth printing beside the findings."""
    facts: dict[str, Any] = {}
    run = trained(case)
    if run is not None and run.loss_value is not None:
        facts["loss at the start"] = run.loss_value
    task = task_of(case)
    if task.share and task.asks_for_classes:
        facts["share of the most common class"] = task.share
    elif task.deviation:
        facts["variance of the targets"] = task.deviation**2
    seen = evaluated(case)
    answer = None if seen is None else seen.answer
    if answer is not None and answer.dtype.kind == "f" and np.isfinite(answer).all():
        facts["deviation of the outputs"] = float(np.std(answer, dtype=np.float64))
    return facts
