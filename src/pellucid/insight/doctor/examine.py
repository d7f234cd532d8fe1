"""The examination before the first step: from graph, settings and data alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.facts import evaluated, modules_of, task_of, trained
from pellucid.insight.doctor.findings import Suspicion
from pellucid.insight.doctor.gathering import gather, picked
from pellucid.insight.doctor.probes import PROBES
from pellucid.insight.doctor.ranking import rank
from pellucid.insight.doctor.report import Report
from pellucid.insight.doctor.rules import Rule, rules_of
from pellucid.insight.doctor.untouched import untouched
from pellucid.nn.module import Module
from pellucid.tensor.core import lift
from pellucid.training.batches import leaves
from pellucid.training.capture import named_tensors
from pellucid.training.trainer import Trainer

PROBING = 0.5
"""Seconds that probes may take before the first step."""
BENCH_BATCHES = 8

FAILED = "rules that failed"
"""Note of rules that raised: name → error."""

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
    case = case_of(model, data, loss, optimizer, validation, metric, given)
    case.bench = _bench_of(case)
    report = examined(case, PROBES, PROBING)
    report.seconds = time.perf_counter() - begun
    return report


def _bench_of(case: Case) -> ModelBench | None:
    """Batches of the training rows to try steps with."""
    rows = case.train
    if case.loss is None or case.optimizer is None or rows is None or rows.targets is None:
        return None
    total = int(next(leaves(rows.features)).shape[0])
    size = max(1, min(int(case.settings.get("batch_size") or 32), total, 128))
    order = np.random.default_rng(0).permutation(total)[: BENCH_BATCHES * size]
    batches = []
    for start in range(0, len(order) - size + 1, size):
        part = picked(rows, order[start : start + size])
        batches.append((part.features, part.targets))
    clip = float(case.settings.get("clip_norm") or 0.0)
    return ModelBench(case.model, case.loss, case.optimizer, batches, clip_norm=clip, compile=False)


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
    task, facts = "", {}
    try:
        task, facts = str(task_of(case)), _facts(case)
    except Exception as error:  # rows of a program may be anything
        facts = {FAILED: case.notes.setdefault(FAILED, {}) | {"facts": repr(error)[:200]}}
    return Report(found, task, case.phase, facts, time.perf_counter() - begun, case)


def _before(case: Case) -> list[Suspicion]:
    """What the rules before the first step say: of the first weights, where they are known
    (``case.notes["first weights"]``: name → array); else those that judge a start are left out."""
    first = case.notes.get("first weights")
    if case.phase == "before" or first is None:
        return _asked(rules_of("before", start=case.phase == "before"), case)
    early = replace(
        case, phase="before", step=0, records=[], losses=[], history=[],
        notes={"early": True, "rates": case.notes.get("rates")},
    )  # fmt: skip
    with untouched(*modules_of(case)):
        for name, tensor in named_tensors(case.model):
            if name in first:
                tensor.detach().assign(lift(np.asarray(first[name])))
        found = _asked(rules_of("before"), early)
    case.notes.setdefault(FAILED, {}).update(early.notes.get(FAILED, {}))
    return found


def _later(case: Case) -> list[Suspicion]:
    """What the rules of a phase after the first step say."""
    if case.phase == "before":
        return []
    return _asked(rules_of(case.phase), case)


def _asked(rules: list[Rule], case: Case) -> list[Suspicion]:
    """What rules say; one that cannot cope with a program stands in ``case.notes[FAILED]``, and
    the others are asked all the same."""
    found: list[Suspicion] = []
    for rule in rules:
        try:
            with np.errstate(all="ignore"):  # a sick training has numbers of every kind
                found += rule(case)
        except Exception as error:  # of whatever programs there are, the user's goes on
            name = f"{rule.__module__}.{rule.__name__}"
            case.notes.setdefault(FAILED, {})[name] = repr(error)[:200]
    return found


def _facts(case: Case) -> dict[str, Any]:
    """Figures worth printing beside the findings."""
    facts: dict[str, Any] = {}
    run = trained(case)
    if run is not None and run.loss_value is not None:
        facts["loss at the start" if case.phase == "before" else "loss now"] = run.loss_value
    task = task_of(case)
    if task.share and task.asks_for_classes:
        facts["share of the most common class"] = task.share
    elif task.deviation:
        facts["variance of the targets"] = task.deviation**2
    if case.notes.get(FAILED):
        facts[FAILED] = case.notes[FAILED]
    seen = evaluated(case)
    answer = None if seen is None else seen.answer
    if answer is not None and answer.dtype.kind == "f" and np.isfinite(answer).all():
        facts["deviation of the outputs"] = float(np.std(answer, dtype=np.float64))
    return facts
