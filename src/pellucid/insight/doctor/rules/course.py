"""The course of a training: its rate, direction, optimizer, batch and length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid import optim
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.probes.steps import AGAIN, step_direction
from pellucid.insight.doctor.standing import (
    Standing,
    curve,
    quiet,
    standing_of,
    swing,
    trend,
)
from pellucid.insight.doctor.trying import batches_of
from pellucid.nn.module import Module

Found = Iterator[Suspicion]

FAST_UPDATE = 0.03
"""Steps that change weights by more than this share of them, in the median, are large."""
SLOW_UPDATE = 1e-4
STILL = 1e-12
LARGE_SWING = 0.3
"""Jumps of this share of what the loss fell are no noise."""
FEW_STEPS = 300
SMALL_BATCH = 4
FINISHED = 0.9
"""Who has learned so much of what there is needs no more epochs."""


def rate_of(case: Case) -> float:
    """The largest learning rate of the optimizer's groups; NaN where it has none."""
    groups = getattr(case.optimizer, "param_groups", None) or []
    rates = [float(g.rate()) for g in groups if hasattr(g, "rate") and "lr" in g]
    return max(rates, default=math.nan)


def place_of_rate(case: Case) -> Place:
    """Where the learning rate stands."""
    return Place(setting=f"lr={rate_of(case):g}", line=case.line)


# ---- the rate ------------------------------------------------------------------------------------


def update_ratio(case: Case) -> float | None:
    """The median over weights of |change by a step| / |weight|, from the records or by a step."""
    if "update_ratio" not in case.notes:
        case.notes["update_ratio"] = _recorded_ratio(case) or _tried_ratio(case)
    known: float | None = case.notes["update_ratio"]
    return known


def _recorded_ratio(case: Case) -> float | None:
    found = [
        entry["ratio"]
        for record in case.records[-5:]
        for entry in record.get("update", {}).values()
        if math.isfinite(entry.get("ratio", math.nan))
    ]
    return float(np.median(found)) if found else None


def _tried_ratio(case: Case) -> float | None:
    bench: Any = case.bench
    if getattr(bench, "model", None) is None:
        return None
    batch = batches_of(case)[-1]
    with bench.trial(), np.errstate(over="ignore", invalid="ignore"):
        named = {n: p for n, p in bench.model.named_parameters() if p.dim() > 1}
        before = {n: np.array(p.detach().array(), np.float64) for n, p in named.items()}
        bench.step(batch)
        ratios = [
            float(np.linalg.norm(p.detach().array() - before[n]) / np.linalg.norm(before[n]))
            for n, p in named.items()
            if np.linalg.norm(before[n]) > 0
        ]
    finite = [ratio for ratio in ratios if math.isfinite(ratio)]
    return float(np.median(finite)) if finite else None


def rate_too_high(case: Case) -> Found:
    """A loss that blew up, rose, or jumps; or nothing learned in large steps."""
    stands = standing_of(case)
    if stands is None:
        return
    evidence, strength = _signs_of_high(case, stands)
    if not evidence:
        return
    rate = rate_of(case)
    text = "Lower the learning rate (by 10; then by 3 more), or clip gradients (clip_norm=1)."
    patches = [remedies.learning_rate(text, rate, factor) for factor in (0.1, 0.01)]
    if not case.settings.get("clip_norm"):
        patches.append(remedies.setting("Clip gradients.", "clip_norm", 0.0, 1.0))
    yield Suspicion(
        "LR_HIGH", place_of_rate(case), tuple(evidence), strength, ("learning_rate",),
        tuple(patches),
    )  # fmt: skip


def _signs_of_high(case: Case, stands: Standing) -> tuple[list[Evidence], float]:
    points, ratio = curve(case), update_ratio(case)
    evidence: list[Evidence] = []
    strength = 0.0
    if stands.diverged:
        reference = stands.trivial if stands.trivial is not None else stands.start
        worst = max((x for x in case.losses if math.isfinite(x)), default=stands.end)
        told = Evidence("largest loss of the run", max(worst, stands.end), f"{reference:.4g}")
        evidence.append(told)
        strength = 0.5
    elif len(points) >= 4 and np.isfinite(points).all():
        fell = float(max(points[0], stands.trivial or points[0]) - points.min())
        jumps = swing(points[len(points) // 2 :]) if len(points) >= 8 else swing(points)
        if stands.poor and fell > 0 and jumps > LARGE_SWING * fell:
            evidence.append(
                Evidence("the loss jumps by", jumps, f"less than {fell:.3g}, all it fell")
            )
            strength = 0.4
    if stands.poor and not stands.diverged and ratio is not None and ratio > FAST_UPDATE:
        evidence.append(Evidence("a step changes weights by a share of", ratio, "about 0.001"))
        strength = max(strength, 0.35)
    if stands.stuck and not stands.diverged and not evidence and not stands.hopeless:
        # Weights that were thrown away once hardly move any more: only a fresh start tells.
        evidence += stands.evidence()[:1]
        strength = 0.25
    return evidence, strength


def rate_too_low(case: Case) -> Found:
    """Little learned, in steps that hardly change the weights."""
    stands = standing_of(case)
    if stands is None or stands.diverged or not stands.poor and stands.learned > 1 - 0.5:
        return
    if stands.hopeless:
        return
    ratio, line = update_ratio(case), trend(curve(case))
    evidence, strength = list(stands.evidence()[:1]), 0.0
    if ratio is not None and ratio < STILL:
        return  # no gradient arrives: no rate helps
    if ratio is not None and ratio < SLOW_UPDATE:
        evidence.append(Evidence("a step changes weights by a share of", ratio, "about 0.001"))
        strength = 0.5
    elif line is not None and line.falls:
        evidence.append(Evidence("the loss still falls, by each epoch", -line.slope, "0"))
        strength = 0.35
    elif stands.stuck and (ratio is None or ratio < FAST_UPDATE):
        strength = 0.2
    if not strength or not rate_of(case) > 0:
        return
    text = "Raise the learning rate (by 10; then by 3 more)."
    patches = [remedies.learning_rate(text, rate_of(case), factor) for factor in (10.0, 100.0)]
    yield Suspicion(
        "LR_LOW", place_of_rate(case), tuple(evidence), strength, ("learning_rate",),
        tuple(patches),
    )  # fmt: skip


def no_rate(case: Case) -> Found:
    """Weights that are where they began, at a rate that a schedule or a setting keeps at 0."""
    first = case.notes.get("first weights")
    if case.phase == "before" or not first or not isinstance(case.model, Module):
        return
    if case.step < 2 or not rate_of(case) == 0:
        return
    model: Any = case.model
    now = {n: np.asarray(p.detach().array()) for n, p in model.named_parameters()}
    known = [n for n in now if n in first]
    if not known or any(not np.array_equal(now[n], first[n]) for n in known):
        return
    evidence = (
        Evidence(f"change of every weight in {case.step} steps", 0.0, "more than 0"),
        Evidence("learning rate of the last step", 0.0, "above 0"),
    )
    has_schedule = case.settings.get("schedule") is not None
    text = "Let the schedule give a rate above 0." if has_schedule else "Use a rate above 0."
    place = Place(setting="lr, schedule" if has_schedule else "lr", line=case.line)
    yield Suspicion("LR_NEGATIVE", place, evidence, 0.98, (), (remedies.advice(text),))


# ---- the direction -------------------------------------------------------------------------------


def uphill(case: Case) -> Found:
    """Steps along the gradient instead of against it."""
    stands = standing_of(case)
    if stands is None or not (stands.diverged or stands.stuck) and case.phase != "before":
        return
    if getattr(case.bench, "model", None) is None:
        return
    groups = case.optimizer.param_groups if case.optimizer is not None else []
    if any(group.get("maximize") for group in groups):
        return  # asked for: whether the loss is one to raise is asked of its targets
    changes, cosine = step_direction(case)
    if cosine is None or cosine <= 0.05 or not changes or min(changes.values()) <= 0:
        return
    smallest = min(changes)
    text = "Go down the gradient: the step adds it, so the loss rises by every step."
    evidence = (
        Evidence(text),
        Evidence("cosine between a step and the gradient", cosine, "below 0"),
        Evidence(f"change of the batch's loss by {smallest:g} times a step",
                 changes[smallest], "below 0"),
    )  # fmt: skip
    patch = remedies.advice("Check the sign of the loss and of the update.")
    place = Place(setting="update", line=case.line)
    yield Suspicion(
        "GRAD_SIGN", place, (*evidence, Evidence(text)), 0.9, ("gradient_sign",), (patch,)
    )


def climbing(case: Case) -> Found:
    """Updates by hand that were seen to follow the gradient instead of going against it."""
    cosine = case.notes.get("step cosine")
    if cosine is None or cosine < 0.3:
        return
    evidence = Evidence("cosine between the updates that were made and the gradients", cosine,
                        "below 0")  # fmt: skip
    patch = remedies.advice("Subtract the gradient: p −= lr · p.grad.")
    yield Suspicion("GRAD_SIGN", Place(setting="update", line=case.line), (evidence,), 0.97, (),
                    (patch,))  # fmt: skip


def adding_up(case: Case) -> Found:
    """Gradients that are never set back, as far as a loop of the user's shows it."""
    place = Place(setting="zero_grad", line=case.line)
    patch = remedies.advice("Call optimizer.zero_grad() in every step, before backward().")
    if case.notes.get("gradients never reset"):
        evidence = Evidence("gradients were never set back between steps")
        yield Suspicion("GRAD_NOT_RESET", place, (evidence,), 0.98, (), (patch,))
        return
    # Where it was seen that gradients were kept over steps, their length tells whether they add up.
    kept = int(case.notes.get("gradients kept") or 0)
    if not kept or int(case.settings.get("accumulate") or 1) > 1:
        return
    evidence = Evidence("steps that began with gradients of the steps before", float(kept), "0")
    yield Suspicion("GRAD_NOT_RESET", place, (evidence,), 0.5, ("reset_gradients",), (patch,))


# ---- optimizer, batch, length --------------------------------------------------------------------

ADAPTIVE = (optim.Adam, optim.AdamW, optim.NAdam, optim.RAdam, optim.Adamax)


def unsuitable_optimizer(case: Case) -> Found:
    """Little learned by an optimizer that others beat by far from the same start."""
    stands = standing_of(case)
    if stands is None or not stands.poor or case.optimizer is None:
        return
    if isinstance(case.optimizer, ADAPTIVE) or case.phase == "before":
        return
    name = type(case.optimizer).__name__
    patch = remedies.optimizer(
        "Use Adam with learning rate 0.001.", case.optimizer, "Adam", lr=1e-3
    )
    yield Suspicion(
        "OPT_WRONG", Place(setting=f"optimizer={name}", line=case.line), stands.evidence(), 0.25,
        ("other_optimizer",), (patch,),
    )  # fmt: skip


def batch_size(case: Case) -> Found:
    """Batches so large that few steps are made, or so small that steps are mostly noise."""
    stands = standing_of(case)
    size = int(case.settings.get("batch_size") or 0)
    rows = 0 if case.train is None else case.train.number
    if stands is None or not size or not rows or case.phase != "after" or stands.diverged:
        return
    if stands.hopeless or not (stands.poor or stands.learned < 0.5):
        return
    steps = case.step or len(case.losses)
    place = Place(setting=f"batch_size={size}", line=case.line)
    if size >= 0.5 * rows and size > 8 and steps < FEW_STEPS:
        new = max(4, min(32, rows // 8))
        evidence = Evidence("steps of the whole training", float(steps), "several hundred")
        patch = remedies.setting("Use smaller batches.", "batch_size", size, new)
        found = (evidence, *stands.evidence())
        yield Suspicion("BATCH_SIZE", place, found, 0.35, ("larger_batch",), (patch,))
    elif size <= SMALL_BATCH and rows >= 50 * size:
        ratio = gradient_noise(case)
        if ratio is None or ratio < 3:
            return
        evidence = Evidence("noise of a batch's gradient against the gradient", ratio, "below 3")
        patch = remedies.setting("Use larger batches.", "batch_size", size, 32)
        yield Suspicion("BATCH_SIZE", place, (evidence,), 0.35, ("larger_batch",), (patch,))


def gradient_noise(case: Case) -> float | None:
    """The deviation of the gradients of single batches from their mean against that mean (the
    square root of the simple noise scale over the batch: McCandlish and others, 2018)."""
    found = [case.bench.gradients(batch) for batch in batches_of(case)[:6]]
    if len(found) < 3:
        return None
    names = [name for name in found[0] if all(name in gradient for gradient in found)]
    flat = np.stack([np.concatenate([g[n].ravel() for n in names]) for g in found]).astype(float)
    mean, count = flat.mean(0), len(found)
    spread = float(np.square(flat - mean).sum()) / (count - 1)
    signal = float(np.square(mean).sum()) - spread / count
    return math.sqrt(spread / signal) if signal > 0 else math.sqrt(spread) / 1e-12**0.5


def still_improving(case: Case) -> Found:
    """The loss was still falling when the training ended."""
    stands = standing_of(case)
    if stands is None or case.phase != "after" or stands.diverged or stands.learned > FINISHED:
        return
    if case.settings.get("patience") and case.notes.get("status") == "stopped early":
        return
    points = curve(case)
    tail = points[-max(5, len(points) // 2) :]
    line = trend(tail)
    if line is None or not np.isfinite(points).all() or _memorizes(case, stands):
        return
    # The fall that as many epochs again would bring if it went on as fast.
    expected = -line.slope * len(points)
    sure = line.falls and expected >= 0.1 * max(abs(stands.trivial or points[0]), 1e-12)
    sure = sure and expected >= AGAIN * float(points[0] - points[-1])
    steps = case.step or len(case.losses)
    if not sure and (steps >= FEW_STEPS or steps < 20 or line.rises):
        return  # of few steps, the noise may hide how fast it falls
    evidence: tuple[Evidence, ...] = (
        Evidence("the loss still falls, by each of the last epochs (or parts of the run)",
                 -line.slope, "0"),
        Evidence("noise of the loss around that", line.noise, ""),
    )  # fmt: skip
    if not sure:
        evidence = (Evidence("steps of the whole training", float(steps), "several hundred"),)
    epochs = case.settings.get("epochs") or len(case.history)
    patch = remedies.setting("Train for more epochs.", "epochs", epochs, 4 * (epochs or 1))
    place = Place(setting=f"epochs={epochs}" if epochs else "epochs", line=case.line)
    strength = 0.5 if sure else 0.3
    yield Suspicion("EPOCHS_FEW", place, evidence, strength, ("longer",), (patch,))


def _memorizes(case: Case, stands: Standing) -> bool:
    """Whether what is still learned of the training rows does not hold for others."""
    held = curve(case, "validation_loss")
    rising = trend(held[-max(4, len(held) // 3) :]) if len(held) >= 4 else None
    if rising is not None and rising.rises:
        return True
    if stands.held is None or stands.good is None:
        return False
    return stands.held < stands.good - 0.1


# ---- weights that do not move --------------------------------------------------------------------


def still_weights(case: Case) -> Found:
    """Weights that wait for an update that cannot come, and why: outside of the optimizer or frozen
    where little is learned; and, whatever is learned, those that the optimizer would move and that
    are used, but that no gradient reaches."""
    stands = standing_of(case)
    if stands is None or stands.diverged or not isinstance(case.model, Module):
        return
    if case.optimizer is None or getattr(case.bench, "model", None) is not case.model:
        return
    if case.train is None and case.notes.get("against another"):
        return  # of networks against each other, each has its own steps
    model: Any = case.model
    known = {id(p) for group in case.optimizer.param_groups for p in group["params"]}
    named = [(n, p) for n, p in model.named_parameters() if p.dim() > 1]
    reached = case.bench.gradients(batches_of(case)[-1])
    outside = [n for n, p in named if p.requires_grad and id(p) not in known]
    cut = [n for n, p in named if p.requires_grad and id(p) in known and n not in reached]
    frozen = [n for n, p in named if not p.requires_grad]
    used = {path for record in case.records[-1:] for path in record.get("output", {})}
    if not stands.poor:
        outside, frozen = [], []
        cut = [n for n in cut if n.rpartition(".")[0] in used]
    reasons = (
        (outside, 0.9, f"{_first(outside)} are not in the optimizer",
         "Give it model.parameters()."),
        (cut, 0.8, f"{_first(cut)} get no gradient: no path leads from the loss to them",
         "Look for detach(), no_grad(), numpy(), or a layer that forward does not use."),
        (frozen if len(frozen) == len(named) else [], 0.9, f"{_first(frozen)} are frozen",
         "Use requires_grad_()."),
    )  # fmt: skip
    for names, strength, text, advice in reasons:
        if names:
            evidence = Evidence(text, float(len(names)), "0")
            place = Place(layer=names[0].rpartition(".")[0], line=case.line)
            patch = remedies.advice(advice)
            yield Suspicion("WEIGHTS_STILL", place, (evidence,), strength, (), (patch,))


def cleared(case: Case) -> Found:
    """Gradients that are set back between the backward pass and the step."""
    steps = int(case.notes.get("gradients cleared") or 0)
    if not steps:
        return
    evidence = Evidence("steps whose gradients had been set back to 0 since backward()",
                        float(steps), "0")  # fmt: skip
    patch = remedies.advice("Call optimizer.zero_grad() before backward(), not between it and "
                            "optimizer.step().")  # fmt: skip
    place = Place(setting="zero_grad", line=case.line)
    yield Suspicion("WEIGHTS_STILL", place, (evidence,), 0.95, (), (patch,))


def _first(names: list[str]) -> str:
    """The first of these names, with a mark where there are more."""
    return f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''}"


# ---- NaN and infinity ----------------------------------------------------------------------------

GUARDLESS = ("log", "log1p", "log2", "div", "divide", "reciprocal", "sqrt", "rsqrt", "pow", "power",
             "exp", "expm1", "exp2", "acos", "asin", "lgamma")  # fmt: skip


def not_finite(case: Case) -> Found:
    """Where NaN or infinity began: by an operation without a guard, or by weights that grew."""
    failure = case.failure
    operation = getattr(failure, "operation", "")
    if failure is None or not hasattr(failure, "phase"):
        return
    place = Place(
        layer=getattr(failure, "layer", ""), line=getattr(failure, "line", "") or case.line
    )
    told = Evidence(f"{failure.value} first appeared in {failure.place}")
    text = getattr(failure, "advice", "") or "Guard the operation, or scale what goes into it."
    patch = remedies.advice(text)
    if failure.phase == "data":
        yield Suspicion("NUMERIC", place, (told,), 0.98, (), (patch,))
        return
    sizes = [max(abs(o.low), abs(o.high)) for o in getattr(failure, "operands", ())]
    losses = [x for x in case.losses if math.isfinite(x)]
    grew = bool(losses) and losses[-1] > 10 * abs(float(np.median(losses[:10]))) + 1e-12
    huge = any(size > 1e4 for size in sizes if math.isfinite(size))
    guardless = any(operation == name or operation.startswith(name) for name in GUARDLESS)
    if guardless and not huge and not grew:
        low = min((o.low for o in failure.operands), default=math.nan)
        evidence = (told, Evidence("smallest operand", low, "inside of the operation's range"))
        yield Suspicion("NUMERIC", place, evidence, 0.9, (), (patch,))
    elif grew or huge:
        clip = remedies.setting("Clip gradients.", "clip_norm", 0.0, 1.0)
        yield Suspicion("EXPLODING", place, (told,), 0.5, ("learning_rate",), (clip,))


RULES = quiet(
    not_finite,
    rate_too_high,
    rate_too_low,
    no_rate,
    uphill,
    climbing,
    adding_up,
    unsuitable_optimizer,
    batch_size,
    still_improving,
    still_weights,
    cleared,
)
