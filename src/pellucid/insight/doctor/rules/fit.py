"""Fit: over-fitting, regularization, capacity, augmentation, modes, metric, and waiting."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.adversaries import covered, mean_distance
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.fitness import as_array, kind_of
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.probes.layers import evaluation_moves
from pellucid.insight.doctor.standing import Standing, curve, quiet, standing_of, trend
from pellucid.insight.doctor.trying import batches_of, bench_of, fixed_rows, span_of, trivial_of

Found = Iterator[Suspicion]

RISE = 0.1
"""A validation loss that rises by this share of what it had fallen has risen."""
FOR_NUMBERS, FOR_CLASSES = 0.05, 0.25
"""The same as shares of the loss of answers that ignore the features."""
GAP = 0.25
CLEAR_GAP = 0.1
WAITING = 0.5
"""Share of the time that may be spent waiting for rows."""
ALIKE = 0.1
"""Outputs whose distances are below this share of those of the data are nearly one answer."""
NARROW, PART = 0.35, 0.6
"""Outputs that are so much nearer to each other than real rows, and near so few of these, are one
part of what there is."""
GENERATED_STEPS = 100
"""A generator that has just begun makes one answer."""


# ---- training against validation -----------------------------------------------------------------


def over_fitting(case: Case) -> Found:
    """The validation loss rises, beyond its noise and to the end, while the training loss falls;
    or the gap between them grows from the start, without any regularization."""
    held = curve(case, "validation_loss")
    train = curve(case, "train_loss")
    if len(train) != len(held):
        train = curve(case)
    if case.phase == "before" or len(held) < 4 or len(train) != len(held):
        return
    if not (np.isfinite(held).all() and np.isfinite(train).all()):
        return
    best = int(held.argmin())
    if case.settings.get("patience") and best < len(held) - 1:
        return  # it was stopped for that, with the best weights
    after = trend(held[best:])
    fell, rose = float(held[0] - held[best]), float(held[-1] - held[best])
    noise = _noise(held)
    learning = train[-1] < train[best]
    patches = _against_memory(case)
    place = Place(setting=f"epochs={len(held)}", line=case.line)
    if rose > max(RISE * fell, 3 * noise, 0.02 * abs(held[best]), _least_rise(case)) and learning:
        if after is not None and not after.rises:
            return
        evidence = (
            Evidence(f"validation loss at the end; its lowest, of epoch {best + 1}, is", held[-1],
                     f"{held[best]:.4g}"),
            Evidence("training loss from then to the end", train[-1], f"{train[best]:.4g}"),
        )  # fmt: skip
        strength = 0.85 if after is not None and rose > 2 * RISE * max(fell, 0.0) else 0.7
        yield Suspicion("OVERFIT", place, evidence, strength, (), patches)
    gap = float(held[-1] - train[-1])
    if gap > 2 * _least_rise(case) and not _is_regularized(case) and _gap_grows(train, held):
        apart = Evidence("gap between validation and training loss", gap, "steady")
        text = "Add weight decay or dropout: nothing keeps the network from memorizing."
        patch = remedies.optimizer_setting(text, "weight_decay", 0.0, 1e-2)
        yield Suspicion(
            "REG_MISSING", Place(setting="weight_decay=0"), (apart,), 0.65, (), (patch,)
        )


def _noise(points: Any) -> float:
    """The deviation of single points, from second differences, which a smooth course leaves out."""
    if len(points) < 4:
        return 0.0
    return float(np.median(np.abs(np.diff(points, 2)))) / 1.65


def _least_rise(case: Case) -> float:
    """The least rise of a validation loss that counts.  That of classes rises while the answers
    stay as good: few wrong ones become more certain, without bound (Guo and others, 2017)."""
    targets = None if case.train is None else as_array(case.train.targets)
    trivial = trivial_of(case) if bench_of(case) is not None else None
    if targets is None or trivial is None:
        return 0.0
    return (FOR_NUMBERS if kind_of(targets) == "numbers" else FOR_CLASSES) * abs(trivial)


def _gap_grows(train: Any, held: Any) -> bool:
    gap = held - train
    line = trend(gap)
    fell = float(train[0] - train[-1])
    if line is None or not line.rises or fell <= 0 or gap[-1] < GAP * fell:
        return False
    # The validation loss gains nothing from what the training loss still learns.
    late = trend(held[len(held) // 2 :])
    apart = held[-1] > train[-1] * 1.5 > 0  # a likelihood below 0 has no such ratio
    return late is not None and not late.falls and bool(apart)


def _is_regularized(case: Case) -> bool:
    groups = getattr(case.optimizer, "param_groups", [])
    if any(group.get("weight_decay") or group.get("l1") for group in groups):
        return True
    if case.settings.get("augment") is not None or case.model is None:
        return True
    return any("Dropout" in type(module).__name__ for module in case.model.modules())


def _against_memory(case: Case) -> tuple[Patch, ...]:
    old = case.settings.get("patience") or 0
    return (
        remedies.setting("Stop early: patience=5 keeps the best weights.", "patience", old, 5),
        remedies.optimizer_setting("Add weight decay.", "weight_decay", 0.0, 1e-2),
    )


def too_regularized(case: Case) -> Found:
    """Dropout or penalties that outweigh the data."""
    stands = standing_of(case)
    if stands is None or case.phase == "before" or not isinstance(case.bench, ModelBench):
        return
    if stands.diverged or not (stands.poor or stands.learned < 0.5) or stands.hopeless:
        return
    dropped, decay = _largest_dropout(case), penalty_ratio(case)
    gap = (stands.in_training - stands.end) / span_of(case)
    if dropped is not None and dropped[1] >= 0.5 and gap > CLEAR_GAP:
        evidence = (
            Evidence(f"probability of dropout in {dropped[0]}", dropped[1], "below 0.5"),
            Evidence("loss in training mode; in evaluation mode it is", stands.in_training,
                     f"{stands.end:.4g}"),
        )  # fmt: skip
        made = type(dict(case.model.named_modules())[dropped[0]])(0.1)
        patch = remedies.layer("Lower the dropout to 0.1.", dropped[0], case.model, made)
        yield Suspicion("REG_EXCESS", Place(layer=dropped[0]), evidence, 0.45,
                        ("unregularized", "mode_gap"), (patch,))  # fmt: skip
    if decay is not None and decay[1] > 0.5:
        name, ratio, value = decay[0], decay[1], decay[2]
        told = Evidence(f"pull of {name}={value:g} against that of the data", ratio, "below 0.1")
        patch = remedies.optimizer_setting("Lower the penalty.", name, value, value / 100)
        yield Suspicion("REG_EXCESS", Place(setting=f"{name}={value:g}", line=case.line), (told,),
                        0.5, ("unregularized",), (patch,))  # fmt: skip


def _largest_dropout(case: Case) -> tuple[str, float] | None:
    found = [
        (path, float(module.p))
        for path, module in case.model.named_modules()
        if "Dropout" in type(module).__name__ and isinstance(getattr(module, "p", None), float)
    ]
    return max(found, key=lambda pair: pair[1], default=None)


def penalty_ratio(case: Case) -> tuple[str, float, float] | None:
    """(name, ratio, value) of the penalty that pulls strongest: λ·|w| of weight decay, or λ·√n of
    L1, against the length of the data's gradient."""
    gradients = case.bench.gradients(batches_of(case)[-1])
    named = dict(case.bench.model.named_parameters())
    by_id = {id(p): name for name, p in named.items()}
    found: list[tuple[str, float, float]] = []
    for group in case.bench.optimizer.param_groups:
        names = [by_id[id(p)] for p in group["params"] if by_id.get(id(p)) in gradients]
        pull = math.sqrt(sum(float(np.square(gradients[n]).sum()) for n in names))
        size = math.sqrt(sum(float(np.square(named[n].detach().array()).sum()) for n in names))
        count = sum(named[n].numel() for n in names)
        for name, force in (("weight_decay", size), ("l1", math.sqrt(count))):
            value = float(group.get(name) or 0.0)
            if value and pull:
                found.append((name, value * force / pull, value))
    return max(found, key=lambda entry: entry[1], default=None)


# ---- what the network can ------------------------------------------------------------------------


def too_small(case: Case) -> Found:
    """Less learned of the training rows than simple models learn, though nothing moves any more."""
    stands = standing_of(case)
    if stands is None or case.phase != "after" or stands.diverged or not stands.poor:
        return
    if stands.stuck:
        return  # even a small network learns something
    points = curve(case)
    line = trend(points[-max(4, len(points) // 3) :]) if len(points) >= 4 else None
    if line is not None and line.falls and -line.slope * len(points) > 0.2 * span_of(case):
        return
    count = sum(p.numel() for p in case.model.parameters()) if case.model is not None else 0
    evidence = (*stands.evidence(), Evidence("parameters of the network", float(count)))
    patch = remedies.advice("Widen the hidden layers, or add one.")
    yield Suspicion("CAPACITY_LOW", Place(), evidence, 0.25, ("one_batch",), (patch,))


def harmful_augmentation(case: Case) -> Found:
    """Rows that are changed so far that what is learned from them does not hold for themselves."""
    bench = case.bench
    if not isinstance(bench, ModelBench) or bench.augment is None or case.phase == "before":
        return
    stands = standing_of(case)
    if stands is None or stands.hopeless or stands.diverged:
        return
    gap = (stands.in_training - stands.end) / span_of(case)
    if not stands.poor and gap < 3 * CLEAR_GAP and stands.learned > 0.5:
        return
    evidence = (
        Evidence("loss of augmented rows; of rows as they are it is", stands.in_training,
                 f"{stands.end:.4g}"),
    )  # fmt: skip
    patch = remedies.setting("Soften the augmentation, or leave it out.", "augment", "given", None)
    yield Suspicion("AUGMENT", Place(setting="augment", line=case.line), evidence, 0.4,
                    ("unaugmented",), (patch,))  # fmt: skip


# ---- modes ---------------------------------------------------------------------------------------


def modes(case: Case) -> Found:
    """Answers that differ between training and evaluation on the same rows, by batch
    normalization; evaluation that is not the same twice; layers that learn in evaluation mode."""
    bench = case.bench
    if not isinstance(bench, ModelBench) or case.model is None or case.phase == "before":
        return
    stands = standing_of(case)
    norms = [(p, m) for p, m in case.model.named_modules() if _has_running(m)]
    if stands is not None and norms and math.isfinite(stands.end):
        gap = (stands.end - stands.in_training) / span_of(case)
        if gap > GAP and stands.in_training < stands.end:
            yield _running(case, stands, norms)
    if stands is not None and _moves(bench, case):
        text = "two evaluations of the same rows differ: something drops or draws in evaluation"
        patch = remedies.advice("Call model.eval(), and give F.dropout training=self.training.")
        yield Suspicion("DROPOUT_MODE", Place(line=case.line), (Evidence(text),), 0.6,
                        ("repeated_evaluation",), (patch,))  # fmt: skip
    steps = int(case.notes.get("trained in evaluation mode") or 0)
    if steps:
        kind = "BN_MODE" if norms else "DROPOUT_MODE"
        layered = norms or [n for n in [_largest_dropout(case)] if n is not None]
        if layered:
            evidence = Evidence("steps that were made in evaluation mode", float(steps), "0")
            patch = remedies.advice("Call model.train() before the steps.")
            yield Suspicion(kind, Place(layer=str(layered[0][0]), line=case.line), (evidence,), 0.9,
                            (), (patch,))  # fmt: skip


def _has_running(module: Any) -> bool:
    return getattr(module, "running_mean", None) is not None


def _running(case: Case, stands: Standing, norms: list[tuple[str, Any]]) -> Suspicion:
    path, module = norms[0]
    evidence = [
        Evidence("loss in evaluation mode; in training mode it is", stands.end,
                 f"{stands.in_training:.4g}"),
    ]  # fmt: skip
    never = bool((np.asarray(module.running_mean.detach().array()) == 0).all())
    momentum, size = module.momentum, int(case.settings.get("batch_size") or 0)
    if never:
        evidence.append(Evidence(f"running means of {path} are all 0: they were never updated"))
    elif momentum is not None and momentum < 0.01:
        evidence.append(Evidence(f"momentum of {path}", float(momentum), "0.1"))
    elif 0 < size < 8:
        evidence.append(
            Evidence("rows of a batch that its statistics are made from", float(size), "8")
        )
    text = "Let batch normalization learn in training mode, with momentum 0.1 and 8 rows or more."
    told = len(evidence) > 1
    return Suspicion("BN_MODE", Place(layer=path), tuple(evidence), 0.6 if told else 0.4,
                     ("mode_gap",), (remedies.advice(text),))  # fmt: skip


def _moves(bench: ModelBench, case: Case) -> bool:
    try:
        return (evaluation_moves(bench, fixed_rows(case)) or 0.0) > 1e-4
    except PellucidError:
        return False


# ---- metric, waiting, collapse -------------------------------------------------------------------


def metric_beside_loss(case: Case) -> Found:
    """A metric that stays where it is, or gets worse, while the loss falls by far."""
    values, held = curve(case, "metric"), curve(case, "validation_loss")
    points = held if len(held) == len(values) else curve(case)
    if len(values) < 4 or len(points) != len(values) or not np.isfinite(points).all():
        return
    fell = float(points[0] - points.min())
    if not points[0] > 0 or fell < 0.3 * points[0]:
        return
    stands = standing_of(case)
    learned = stands is not None and stands.held is not None and stands.held > 0.5
    place = Place(setting="metric", line=case.line)
    patch = remedies.advice("Check what the metric compares: classes or scores, shapes, threshold.")
    if float(np.ptp(values)) == 0 and not values[0] == 1.0:
        evidence = (
            Evidence("the metric has the same value in every epoch", float(values[0])),
            Evidence("the loss fell meanwhile from", float(points[0]), f"{points.min():.4g}"),
        )
        yield Suspicion("METRIC_WRONG", place, evidence, 0.85 if learned else 0.65, (), (patch,))


def waiting(case: Case) -> Found:
    """Steps that wait for their rows."""
    share = case.notes.get("wait share")
    if share is None or not share > WAITING:
        return
    stage = str(case.notes.get("wait stage") or "the loader")
    evidence = (
        Evidence(f"share of the time spent waiting for {stage}", float(share), "below 0.2"),
    )
    text = "Prepare rows beforehand or in workers (num_workers, prefetch), or keep them in memory."
    yield Suspicion(
        "PIPELINE_SLOW", Place(setting=stage), evidence, 0.9, (), (remedies.advice(text),)
    )


def collapse(case: Case) -> Found:
    """A generator whose answers to different noise hardly differ, though real rows do; or that
    makes one part of what there is."""
    made, real = case.notes.get("made"), case.notes.get("real")
    if case.phase == "before" or made is None or real is None or case.step < GENERATED_STEPS:
        return
    wanted = mean_distance(real)
    if not wanted or not np.isfinite(made).all():
        return
    apart, share = mean_distance(made) / wanted, covered(real, made)
    if apart > ALIKE and not (apart < NARROW and share < PART):
        return
    evidence = (
        Evidence("mean distance of two generated rows against that of two real ones", apart,
                 "about 1"),
        Evidence("share of real rows near which something is generated", share, "nearly 1"),
    )  # fmt: skip
    patch = remedies.advice("Lower the learning rates, let the discriminator learn as fast as the "
                            "generator, or add noise to its rows.")  # fmt: skip
    strength = 0.85 if apart < ALIKE else 0.72
    yield Suspicion("MODE_COLLAPSE", Place(line=case.line), evidence, strength, (), (patch,))


RULES = quiet(
    over_fitting,
    too_regularized,
    too_small,
    harmful_augmentation,
    modes,
    metric_beside_loss,
    waiting,
    collapse,
)
