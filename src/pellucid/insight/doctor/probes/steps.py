"""Probes of the steps: rate, direction, optimizer, batch, and what is left to learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid import optim
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.facts import taken_of
from pellucid.insight.doctor.findings import Suspicion
from pellucid.insight.doctor.fitness import as_array, fitness, kind_of
from pellucid.insight.doctor.probes.asking import Answer, advantage, figures, helped, probe
from pellucid.insight.doctor.trying import (
    CLEAR,
    Course,
    batches_of,
    course,
    drop_nothing,
    fixed_rows,
    out_of_time,
    redraw,
    scaler,
    span_of,
    steps_for,
    trivial_of,
)
from pellucid.tensor.autograd import stored_gradient
from pellucid.tensor.creation import as_tensor
from pellucid.training.batches import chosen as taken_rows
from pellucid.training.batches import mapped, rows_in, tensors
from pellucid.training.capture import random_state, restore_random

FARTHEST = 1e5
RATES = (1.0, 0.1, 10.0, 100.0, 0.01, 0.3, 3.0)
"""Multiples of the program's rates, in the order in which they are tried while there is time."""
SLOW = 4.0
"""So many times as fast a fall at a higher rate is what shows that the rate is too low."""
ONE_BATCH_ROWS = 32
ONE_BATCH_STEPS = 200
LEARNED_BY_HEART = 0.9
"""Share of the trivial loss that a network must learn away on one batch."""


# ---- the learning rate ---------------------------------------------------------------------------


def rates_tried(case: Case, fresh: bool, scales: Sequence[float] = RATES) -> dict[float, Course]:
    """A short training at each multiple of the program's rates."""
    found: dict[float, Course] = {}
    for scale in scales:
        if out_of_time(case) and len(found) > 2:
            break
        found[scale] = course(case, "as it is", fresh=fresh, scale=scale)
    # A rate that is too low by far is so at its tenfold, too.
    while max(found) >= 100 and _still_slow(case, found) and max(found) < FARTHEST:
        far = 10 * max(found)
        found[far] = course(case, "as it is", fresh=fresh, scale=far)
    return dict(sorted(found.items()))


def _still_slow(case: Case, found: dict[float, Course]) -> bool:
    """Whether the highest rate is the best, and yet the loss has hardly fallen."""
    top = found[max(found)]
    best = top.end <= min(made.end for made in found.values())
    return best and 0 < top.gain < CLEAR * span_of(case) and not out_of_time(case)


@probe(
    "learning_rate",
    "Does the loss fall faster at a smaller or larger learning rate?",
    needs_model=False,
)
def learning_rate(case: Case, suspicion: Suspicion) -> Answer | None:
    """Multiples of the rate from the same snapshot; after training also from a fresh start, since
    weights that were thrown away do not come back at any rate."""
    begun = case.phase != "before" and getattr(case.bench, "model", None) is not None
    starts = (False, True) if begun else (False,)
    numbers: dict[str, float] = {}
    verdicts = []
    for fresh in starts:
        found = rates_tried(case, fresh)
        prefix = "fresh start, " if fresh else ""
        for scale, made in found.items():
            numbers[f"{prefix}loss at {scale:g} × rate"] = made.end
        verdicts.append(judged_rates(case, found))
    numbers |= _sharpness(case)
    wanted = {"LR_HIGH": "high", "LR_LOW": "low", "LR_NEGATIVE": "high"}.get(suspicion.cause)
    if wanted is None:
        wanted = "high"
    hit = next((v for v in verdicts if v[0] == wanted), None)
    if hit is not None:
        return Answer(numbers, True, hit[1])
    return Answer(numbers, False, verdicts[-1][1])


def judged_rates(case: Case, found: dict[float, Course]) -> tuple[str, str]:
    """What courses at several rates say: ``high``, ``low`` or ``fine``, and a sentence."""
    span, plain = span_of(case), found[1.0]
    lower = {s: c for s, c in found.items() if s < 1}
    higher = {s: c for s, c in found.items() if s > 1}
    at_low = min(lower, key=lambda s: lower[s].end, default=1.0)
    at_high = min(higher, key=lambda s: higher[s].end, default=1.0)
    low, high = found[at_low], found[at_high]
    steps = len(plain.losses)
    shown = f"after {steps} steps the loss is {plain.end:.4g} at the rate as it is"
    fell = plain.gain > 0.02 * span
    if (
        low.gain > CLEAR / 2 * span
        and advantage(case, plain, low) > CLEAR
        and not (fell and high.end < plain.end)
    ):
        return "high", f"{shown} and {low.end:.4g} at {at_low:g} times it"
    much = high.gain > CLEAR * span and high.gain > SLOW * max(plain.gain, 0.01 * span)
    if much and high.end < low.end:
        return "low", f"{shown} and {high.end:.4g} at {at_high:g} times it"
    best = min(found, key=lambda s: found[s].end)
    return "fine", f"{shown} and at best {found[best].end:.4g} at {best:g} times it"


def _sharpness(case: Case) -> dict[str, float]:
    """The largest curvature along the gradient's power iteration times the rate, for plain
    gradient descent, which is stable below 2 (Cohen and others, 2021)."""
    bench = case.bench
    if not isinstance(bench.optimizer, optim.SGD) or out_of_time(case):
        return {}
    rate = max(group.rate() for group in bench.optimizer.param_groups)
    found = sharpness(case)
    return {} if found is None else {"sharpness × rate": found * rate}


def sharpness(case: Case, rounds: int = 4) -> float | None:
    """The largest eigenvalue of the loss's second derivatives, by power iteration with
    differences of gradients."""
    bench, batch = case.bench, batches_of(case)[0]
    named = dict(bench.model.named_parameters())
    with bench.trial(), np.errstate(over="ignore", invalid="ignore"):
        first = bench.gradients(batch)
        size = math.sqrt(sum(float(np.square(named[n].detach().array()).sum()) for n in first))
        direction, value = first, None
        for _ in range(rounds):
            norm = math.sqrt(sum(float(np.square(d).sum()) for d in direction.values()))
            if not norm or not math.isfinite(norm):
                return None
            step = 1e-3 * max(size, 1e-3) / norm
            for name, part in direction.items():
                named[name].detach().array()[...] += step * part
            ahead = bench.gradients(batch)
            for name, part in direction.items():
                named[name].detach().array()[...] -= step * part
            direction = {n: (ahead[n] - first[n]) / step / norm for n in direction if n in ahead}
            value = math.sqrt(sum(float(np.square(d).sum()) for d in direction.values()))
    return value


# ---- the direction -------------------------------------------------------------------------------

SMALL_STEPS = (1.0, 0.1, 0.01, 0.001)


@probe(
    "gradient_sign",
    "Does a small step lower the loss of the batch that it was made from?",
    needs_model=False,
)
def gradient_sign(case: Case, suspicion: Suspicion) -> Answer | None:
    """One step at ever smaller rates, without what the optimizer remembers; and the cosine between
    the step and the gradient, which has to be negative."""
    changes, cosine = step_direction(case)
    if cosine is None:
        return None
    numbers = {f"change of the loss at {s:g} × rate": c for s, c in changes.items()}
    numbers["cosine of step and gradient"] = cosine
    rises = all(change > 0 for change in changes.values())
    falls = any(change < 0 for change in changes.values())
    confirms = True if rises and cosine > 0 else False if falls or cosine < 0 else None
    text = "the loss of the batch falls" if falls else "the loss of the batch stays"
    if rises:
        text = f"the loss of the batch rises even by {min(changes):g} times the step"
    return Answer(numbers, confirms, text)


def step_direction(case: Case) -> tuple[dict[float, float], float | None]:
    """Changes of a batch's loss by one step at small rates, and the step's cosine with the
    gradient (None where one of them is 0)."""
    bench, batch = case.bench, batches_of(case)[-1]
    changes: dict[float, float] = {}
    cosine = None
    gradients = bench.gradients(batch)
    for scale in SMALL_STEPS:
        with bench.trial():
            bench.optimizer.state.clear()
            numbers, before = random_state(), bench.loss(batch)
            named = dict(bench.model.named_parameters())
            old = {name: np.array(p.detach().array()) for name, p in named.items()}
            bench.step(batch, scale=scale)
            if cosine is None:
                moved = {n: p.detach().array() - old[n] for n, p in named.items() if n in gradients}
                cosine = _cosine(moved, gradients)
            restore_random(numbers)
            after = bench.loss(batch)
        if abs(after - before) > 1e-6 * max(abs(before), 1e-3):
            changes[scale] = after - before
    return changes, cosine


def _cosine(a: dict[str, Any], b: dict[str, Any]) -> float | None:
    product = sum(float((a[n] * b[n]).sum()) for n in a)
    sizes = [math.sqrt(sum(float(np.square(v[n]).sum()) for n in a)) for v in (a, b)]
    return product / (sizes[0] * sizes[1]) if all(sizes) and np.isfinite(sizes).all() else None


@probe(
    "reset_gradients",
    "Is the stored gradient that of one batch?",
    needs_model=False,
)
def reset_gradients(case: Case, suspicion: Suspicion) -> Answer | None:
    """The gradients that stand in ``.grad`` against the longest of single batches from zero."""
    bench = case.bench
    named = dict(bench.model.named_parameters())
    stored = {n: g for n, p in named.items() if (g := stored_gradient(p)) is not None}
    listed = [bench.gradients(batch) for batch in batches_of(case)[-6:]]
    both = [n for n in stored if all(n in fresh for fresh in listed)]
    if not both:
        return None
    held = math.sqrt(sum(float(np.square(stored[n].detach().array()).sum()) for n in both))
    own = max(math.sqrt(sum(float(np.square(g[n]).sum()) for n in both)) for g in listed)
    if not own:
        return None
    numbers = {"stored gradient / that of the batch": held / own}
    text = f"the stored gradient is {held / own:.3g} times as long as that of a batch"
    return Answer(numbers, held / own > 1.5, text)


# ---- optimizer, start, batch ---------------------------------------------------------------------


def _with_optimizer(name: str, **settings: Any) -> Any:
    def change(bench: ModelBench) -> None:
        bench.optimizer = getattr(optim, name)(bench.model.parameters(), **settings)

    return change


OTHERS = (("Adam", {"lr": 1e-3}), ("Adam", {"lr": 1e-2}), ("SGD", {"lr": 0.05, "momentum": 0.9}))


@probe("other_optimizer", "Does another optimizer learn faster from the same start?")
def other_optimizer(case: Case, suspicion: Suspicion) -> Answer | None:
    """Adam at two rates and momentum, from a fresh start, against the program's own optimizer at
    its best rate."""
    own = rates_tried(case, True)
    best_own = min(own.values(), key=lambda c: c.end)
    numbers = {f"own at {scale:g} × rate": made.end for scale, made in own.items()}
    best: tuple[str, Course] | None = None
    for name, settings in OTHERS:
        if out_of_time(case):
            break
        shown = f"{name}({', '.join(f'{k}={v:g}' for k, v in settings.items())})"
        made = course(case, shown, _with_optimizer(name, **settings), fresh=True)
        numbers[shown] = made.end
        if best is None or made.end < best[1].end:
            best = shown, made
    if best is None:
        return None
    ends = f"{best[1].end:.4g} with {best[0]}, at best at {best_own.end:.4g} with its own"
    return Answer(numbers, helped(case, best_own, best[1]), f"the loss ends at {ends}")


@probe("redrawn", "Does a newly drawn start learn faster?")
def redrawn(case: Case, suspicion: Suspicion) -> Answer | None:
    """The layers' own initialization against the weights as they are (or, after training, against
    the losses that the run had in its first steps)."""
    fresh = course(case, "as it is", fresh=True)
    steps = len(fresh.losses)
    numbers = {"fresh start": fresh.end}
    if case.phase == "before" or len(case.losses) < steps:
        plain = course(case, "as it is")
        numbers["as it is"] = plain.end
        confirms = helped(case, plain, fresh)
        old = plain.end
    else:
        first = [x for x in case.losses[max(0, steps - 5) : steps] if math.isfinite(x)]
        old = float(np.mean(first)) if first else math.inf
        last = float(np.mean(fresh.losses[-5:]))
        numbers["the run after as many steps"] = old
        confirms = (old - last) / span_of(case) > CLEAR
    text = f"after {steps} steps from a new start the loss is {fresh.end:.4g}, {old:.4g} without"
    return Answer(numbers, confirms, text)


@probe("larger_batch", "Does another size of the batch learn faster?")
def larger_batch(case: Case, suspicion: Suspicion) -> Answer | None:
    """Fresh starts on as many rows: larger batches with as many steps, smaller ones with more."""
    batches = batches_of(case)
    if case.train is None or len(batches[0]) < 2:
        return None
    pair = tensors((case.train.features, case.train.targets))
    rows, size = rows_in((pair[0],)), _rows_of(batches)
    if not rows:
        return None
    steps = steps_for(case)
    plain = course(case, "as it is", fresh=True)
    numbers, best, chosen = {f"{size} rows": plain.end}, size, plain
    for other in (size * 8, max(1, size // 8)):
        if other == size or other > rows or out_of_time(case):
            continue
        made = course(
            case, f"batches of {other}", fresh=True, batches=_batches(pair, rows, other),
            steps=min(4 * steps, max(steps, steps * size // other)),
        )  # fmt: skip
        numbers[f"{other} rows"] = made.end
        if made.end < chosen.end:
            best, chosen = other, made
    text = f"the loss is {chosen.end:.4g} with {best} rows a step, {plain.end:.4g} with {size}"
    clear = advantage(case, plain, chosen) > CLEAR and chosen.gain > 1.3 * plain.gain
    return Answer(numbers, clear, text)


def _rows_of(batches: list[Any]) -> int:
    found = as_array(batches[0][1])
    return 1 if found is None else len(found)


def _batches(pair: Any, rows: int, size: int) -> list[Any]:
    order = np.random.default_rng(0).permutation(rows)
    starts = range(0, max(1, rows - size + 1), size)
    chosen = [as_tensor(np.ascontiguousarray(order[at : at + size])) for at in list(starts)[:64]]
    return [taken_rows(pair, numbers) for numbers in chosen]


# ---- what can be learned -------------------------------------------------------------------------


@probe("one_batch", "Can the network learn one batch of 32 rows by heart?")
def one_batch(case: Case, suspicion: Suspicion) -> Answer | None:
    """A fresh start with Adam on 32 standardized rows, without dropout, penalties and
    augmentation, for up to 200 steps at two rates."""
    bench = case.bench
    rows = tensors(fixed_rows(case)[:2])
    wanted = as_array(rows[1])
    if wanted is not None and kind_of(wanted) == "numbers" and taken_of(case).kind != "values":
        return None  # the likelihood of noisy counts has a floor that nobody knows
    count = min(ONE_BATCH_ROWS, _rows_of([rows]))
    batch = mapped(rows, lambda part: part[:count])
    best, judged, used = math.inf, None, 0
    trivial = None
    for rate in (3e-3, 3e-2):
        with bench.trial():
            redraw(bench.model)
            bench.optimizer = optim.Adam(bench.model.parameters(), lr=rate)
            bench.augment = None
            drop_nothing(bench.model)
            turned = scaler(batch, features=True, targets=True)(batch)
            trivial = trivial_of(case)
            for _ in range(ONE_BATCH_STEPS):
                loss = bench.step(turned)
                used += 1
                best = min(best, loss if math.isfinite(loss) else math.inf)
                if (trivial and loss < (1 - LEARNED_BY_HEART) * trivial / 2) or out_of_time(case):
                    break
            good = fitness(bench.outputs(turned, training=True), turned[1])
            judged = good if judged is None else max(judged, good if good is not None else judged)
        if judged is not None and judged > LEARNED_BY_HEART:
            break
    learned = judged if judged is not None else 1 - best / max(trivial or best, 1e-12)
    numbers = figures(lowest_loss=best, share_learned=learned, steps=used)
    fails = learned < LEARNED_BY_HEART
    if fails and used < 2 * ONE_BATCH_STEPS and out_of_time(case):
        return None  # it had no time to: that says nothing about the network
    text = f"it can learn {count} rows by heart ({learned:.0%} learned)"
    if fails:
        text = f"it cannot learn {count} rows by heart ({learned:.0%} learned)"
    return Answer(numbers, fails, text)


TELLING_STEPS = 100
AGAIN = 0.35
"""As many steps again have to gain this share of what all steps before have: every training gains
a little by going on."""
LEAST_PART = 0.3
"""A few steps more have to gain as much as that part of the training would: less is noise."""


@probe("longer", "Does the loss fall further if training goes on?", needs_model=False)
def longer(case: Case, suspicion: Suspicion) -> Answer | None:
    """Steps from where the training ended, up to five times a course's."""
    steps = 5 * steps_for(case)
    done = len(case.losses) or case.step
    if done:  # of a very short training, so many that they tell
        steps = max(10, min(steps, max(done, TELLING_STEPS)))
    made = course(case, "as it is", steps=steps)
    share = made.gain / span_of(case)
    numbers = figures(before=made.start, after=made.end, steps=len(made.losses), share=share)
    text = f"{len(made.losses)} more steps take the loss from {made.start:.4g} to {made.end:.4g}"
    part = min(1.0, max(steps / done if done else 1.0, LEAST_PART))
    first = [loss for loss in case.losses[:3] if math.isfinite(loss)]
    learned = float(np.mean(first)) - made.start if first else 0.0
    if learned > 0:
        numbers["gain of as many steps again by that of all before"] = made.gain / part / learned
    confirms = share > CLEAR * part and made.gain / part > AGAIN * learned
    return Answer(numbers, confirms, text)
