"""The optimizer and the settings of the training."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid import nn
from pellucid.base.errors import PellucidError
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.facts import layer_name, trained
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.walks import affine_nodes, is_mask, weight_of

Found = Iterator[Suspicion]

LIKE_ADAM = (
    "Adam",
    "AdamW",
    "NAdam",
    "RAdam",
    "Adamax",
    "RMSprop",
    "Adagrad",
    "Lion",
    "SparseAdam",
)
"""Optimizers whose first step moves each weight by about the learning rate."""
SCHEDULED_STEPS = 30
"""After fewer steps nobody knows what a schedule will do."""
LIKE_SGD = ("SGD", "ASGD")


def kind_of(optimizer: Any) -> str:
    """The name of the optimizer's class."""
    return "" if optimizer is None else type(optimizer).__name__


def groups_of(case: Case) -> list[dict[str, Any]]:
    """The parameter groups of the optimizer."""
    return list(getattr(case.optimizer, "param_groups", ()) or ())


def rate_of(case: Case) -> float | None:
    """The largest learning rate; of a training that is over, the largest that it had, whatever a
    schedule has left of it."""
    rates = [_number(g.get("lr")) for g in groups_of(case)]
    rates += case.notes.get("rates") or ()
    known = [r for r in rates if r is not None and math.isfinite(r)]
    return max(known, key=abs) if known else None


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def sign(case: Case) -> Found:
    """A learning rate that is negative, zero or not finite."""
    for group in groups_of(case):
        rate = _number(group.get("lr"))
        if rate is None or math.isfinite(rate) and rate > 0:
            continue
        if rate == 0 and case.settings.get("schedule") is not None:
            continue
        if rate == 0 and (len(groups_of(case)) > 1 or any(case.notes.get("rates") or ())):
            continue
        evidence = (Evidence("learning rate", rate, "above 0"),)
        usual = 1e-3 if kind_of(case.optimizer) in LIKE_ADAM else 1e-2
        new = -rate if rate < 0 and math.isfinite(rate) else usual
        patch = remedies.optimizer_setting(f"Use lr={new:g}.", "lr", rate, new)
        yield Suspicion("LR_NEGATIVE", Place(setting="lr"), evidence, 1.0, remedies=(patch,))
        return


def uphill(case: Case) -> Found:
    """An optimizer that makes the loss large."""
    if not any(g.get("maximize") for g in groups_of(case)):
        return
    if any("GRAD_SIGN" == s for s in case.notes.get("raised by its targets", ())):
        return
    evidence = (Evidence("maximize=True: steps go where the loss rises"),)
    patch = remedies.optimizer_setting("Use maximize=False.", "maximize", True, False)
    yield Suspicion(
        "GRAD_SIGN", Place(setting="maximize"), evidence, 0.9, ("gradient_sign",), (patch,)
    )


def held(case: Case) -> Found:
    """An optimizer that holds other parameters than the model's."""
    if not isinstance(case.model, nn.Module) or not groups_of(case):
        return
    own = {id(p): n for n, p in case.model.named_parameters() if p.requires_grad}
    known = {id(p) for g in groups_of(case) for p in g["params"]}
    missing = [n for key, n in own.items() if key not in known]
    if not own or len(missing) < len(own):
        return
    evidence = (Evidence("parameters of the model that the optimizer holds", 0.0, str(len(own))),)
    text = "Make the optimizer from the parameters of this model: it holds those of another."
    yield Suspicion("OPT_WRONG", Place(setting="optimizer"), evidence, 0.97,
                    remedies=(remedies.advice(text),))  # fmt: skip


def update_ratio(case: Case) -> float | None:
    """By what share of itself the first step changes a weight (median over weights)."""
    run, rate = trained(case), rate_of(case)
    if run is None or rate is None or rate <= 0 or not run.gradients:
        return None
    kind = kind_of(case.optimizer)
    group = groups_of(case)[0]
    norm = math.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in run.gradients.values()))
    clip = float(case.settings.get("clip_norm") or 0)
    shorter = min(1.0, clip / norm) if clip > 0 and norm > 0 else 1.0
    parameters = set(run.parameters)
    ratios = []
    for node in affine_nodes(run, run.nodes_before_output()):
        weight = weight_of(node, parameters)
        gradient = None if weight is None else run.gradients.get(run.parameters[weight])
        if weight is None or gradient is None:
            continue
        size = float(np.sqrt(np.mean(np.square(run.values[weight], dtype=np.float64))))
        steep = float(np.sqrt(np.mean(np.square(gradient, dtype=np.float64))))
        if size <= 0 or steep <= 0:
            continue
        steep *= float(case.notes.get("rows of a batch by those of the sample", 1.0))
        if kind in LIKE_SGD:
            lasting = 1 / max(1 - float(group.get("momentum") or 0.0), 1e-3)
            ratios.append(rate * steep * shorter * lasting / size)
        elif kind in LIKE_ADAM:
            ratios.append(rate / size)
    return float(np.median(ratios)) if ratios else None


def _steps(case: Case) -> int:
    """Steps of the whole training, 0 if not known."""
    epochs, size = case.settings.get("epochs"), case.settings.get("batch_size")
    if not epochs or not size or case.train is None:
        return 0
    return int(epochs) * max(1, math.ceil(case.train.number / int(size)))


def rate(case: Case) -> Found:
    """Steps that change weights by far too much, or by next to nothing."""
    if case.phase != "before":
        return  # then there is more to go by
    ratio, lr = update_ratio(case), rate_of(case)
    if ratio is None or lr is None:
        return
    evidence: tuple[Evidence, ...] = (
        Evidence("learning rate", lr),
        Evidence(
            "change of a weight by the first step, as a share of it", ratio, "about 0.001 to 0.03"
        ),
    )
    if ratio > 0.1:
        strength = 0.93 if ratio > 10 else 0.82 if ratio > 1 else 0.58 if ratio > 0.4 else 0.4
        if ratio > 0.25 and kind_of(case.optimizer) in LIKE_SGD:
            strength = max(strength, 0.5)
        factor = max(1e-4, min(0.3, 0.01 / ratio))
        text = f"Lower the learning rate to about {lr * factor:.1g}, or warm it up."
        patch = remedies.learning_rate(text, lr, factor)
        yield Suspicion(
            "LR_HIGH", Place(setting="lr"), evidence, strength, ("learning_rate",), (patch,)
        )
    elif ratio < 1e-4 and case.settings.get("schedule") is None:
        strength = 0.9 if ratio < 1e-6 else 0.75 if ratio < 1e-5 else 0.4
        steps = _steps(case)
        if steps and ratio * steps < 0.03:
            strength = max(strength, 0.85)
            whole = Evidence(f"change of a weight in all {steps} steps, at most", ratio * steps)
            evidence = (*evidence, whole)
        factor = min(1e5, max(3.0, 3e-3 / ratio))
        text = f"Raise the learning rate to about {lr * factor:.1g}."
        patch = remedies.learning_rate(text, lr, factor)
        yield Suspicion(
            "LR_LOW", Place(setting="lr"), evidence, strength, ("learning_rate",), (patch,)
        )


def epsilon(case: Case) -> Found:
    """An epsilon that underflows, or that is larger than what it guards."""
    run = trained(case)
    for group in groups_of(case):
        eps = _number(group.get("eps"))
        if eps is None or kind_of(case.optimizer) in ("Adadelta", "Rprop", "LBFGS"):
            continue
        usual = 1e-10 if kind_of(case.optimizer) == "Adagrad" else 1e-8
        patch = remedies.optimizer_setting(f"Use eps={usual:g}.", "eps", eps, usual)
        place = Place(setting="eps")
        if eps <= 1e-15:
            evidence: tuple[Evidence, ...] = (
                Evidence("eps", eps, "1e-8: a gradient of 0 divides 0 by 0"),
            )
            strength = 0.9 if eps <= 0 else 0.75
            yield Suspicion("OPT_EPS", place, evidence, strength, ("other_optimizer",), (patch,))
            return
        if run is None or not run.gradients or eps < 1e-5:
            continue
        sizes = [
            float(np.sqrt(np.mean(np.square(g, dtype=np.float64)))) for g in run.gradients.values()
        ]
        typical = float(np.median(sizes))
        if eps < 0.3 * typical:
            continue
        evidence = (
            Evidence("eps", eps, "about 1e-8"),
            Evidence("typical size of a gradient, which it is added to", typical, "above eps"),
        )
        strength = 0.85 if eps > 5 * typical else 0.62
        yield Suspicion("OPT_EPS", place, evidence, strength, ("other_optimizer",), (patch,))
        return


def decay(case: Case) -> Found:
    """A weight decay that outweighs the data."""
    run = trained(case)
    for group in groups_of(case):
        weight_decay = _number(group.get("weight_decay")) or 0.0
        if weight_decay <= 0 or run is None or not run.gradients:
            continue
        values = {name: run.values[node] for node, name in run.parameters.items()}
        sizes = [(np.linalg.norm(values[n]), np.linalg.norm(g)) for n, g in run.gradients.items()
                 if n in values and values[n].ndim > 1]  # fmt: skip
        pull = weight_decay * math.sqrt(sum(float(w) ** 2 for w, _ in sizes))
        push = math.sqrt(sum(float(g) ** 2 for _, g in sizes))
        if kind_of(case.optimizer) == "AdamW":
            push = math.sqrt(sum(values[n].size for n in run.gradients if n in values))
        if push <= 0:
            continue
        ratio = pull / push
        if ratio < 0.4:
            continue
        evidence = (
            Evidence("weight_decay", weight_decay, "0 to 0.1"),
            Evidence("its pull on the weights by that of the data", ratio, "below 0.1"),
        )
        strength = 0.88 if ratio > 2 else 0.65
        new = 0.01 if kind_of(case.optimizer) == "AdamW" else 1e-4
        patch = remedies.optimizer_setting(
            f"Use weight_decay={new:g}.", "weight_decay", weight_decay, new
        )
        yield Suspicion("REG_EXCESS", Place(setting="weight_decay"), evidence, strength,
                        ("unregularized",), (patch,))  # fmt: skip
        return


def dropout(case: Case) -> Found:
    """Dropout that leaves next to nothing."""
    if not isinstance(case.model, nn.Module):
        return
    kinds = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
    found = [(m.p, p) for p, m in case.model.named_modules() if isinstance(m, kinds)]
    strong = [(p, path) for p, path in found if p >= 0.7]
    if not strong:
        yield from _masks(case)
        return
    p, path = max(strong)
    kept = math.prod(1 - q for q, _ in found)
    evidence = (
        Evidence("share of the values that dropout sets to 0", float(p), "0.1 to 0.5"),
        Evidence("share that passes all dropout layers", kept),
    )
    strength = 0.9 if p >= 0.85 else 0.75 if p >= 0.78 else 0.55
    text = f"Use dropout of 0.2 to 0.5 instead of {p:g}."
    paths = tuple(path for _, path in strong)
    patch = remedies.layers(text, paths, f"Dropout({p:g})", lambda: nn.Dropout(0.2))
    yield Suspicion("REG_EXCESS", Place(layer=path, setting="p"), evidence, strength,
                    ("unregularized",), (patch,))  # fmt: skip


def _masks(case: Case) -> Found:
    """The same of a function's dropout, as its masks show it."""
    run = trained(case)
    if run is None or run.output is None:
        return
    masks = [n for n in run.nodes_before_output() if is_mask(n) and n.size >= 64]
    if not masks:
        return
    shares = [float((run.values[n] == 0).mean()) for n in masks]
    share, node = max(zip(shares, masks, strict=True), key=lambda pair: pair[0])
    if share < 0.75:
        return
    evidence = (
        Evidence("share of the values that a random mask sets to 0", share, "0.1 to 0.5"),
        Evidence("share that passes all of them", math.prod(1 - s for s in shares)),
    )
    text = f"Let it set 20 to 50 % of the values to 0 instead of {share:.0%}."
    place = Place(layer=layer_name(case, node.origin.layer), setting="p", line=node.origin.line)
    yield Suspicion("REG_EXCESS", place, evidence, 0.9 if share > 0.85 else 0.7,
                    (), (remedies.advice(text),))  # fmt: skip


def steps(case: Case) -> Found:
    """So few steps that nothing can be learned."""
    epochs, size = case.settings.get("epochs"), case.settings.get("batch_size")
    if not epochs or case.train is None or case.phase != "before":
        return
    rows = case.train.number
    batch = int(size or 64) * int(case.settings.get("accumulate") or 1)
    per_epoch = max(1, math.ceil(rows / batch))
    total = int(epochs) * per_epoch
    if total >= 40 or rows < 30:
        return
    evidence: tuple[Evidence, ...] = (
        Evidence("steps of the whole training", float(total), "several hundred"),
    )
    if per_epoch <= 2 and rows >= 256 and batch >= 256:
        patch = remedies.setting("Use smaller batches, such as 32.", "batch_size", size, 32)
        evidence = (*evidence, Evidence("share of all rows in a batch", min(1.0, batch / rows)))
        yield Suspicion(
            "BATCH_SIZE", Place(setting="batch_size"), evidence, 0.7, ("larger_batch",), (patch,)
        )
    elif total < 30:
        patch = remedies.setting("Train for more epochs.", "epochs", epochs, int(epochs) * 20)
        yield Suspicion(
            "EPOCHS_FEW", Place(setting="epochs"), evidence, 0.65, ("longer",), (patch,)
        )


def path_of(case: Case) -> list[float]:
    """The learning rate in each epoch (or step) by the schedule; empty where there is none."""
    schedule, optimizer = case.settings.get("schedule"), case.optimizer
    epochs = int(case.settings.get("epochs") or 0)
    if schedule is None or optimizer is None or not epochs or case.phase != "before":
        return []
    if not hasattr(schedule, "last_epoch") or not hasattr(schedule, "state_dict"):
        return []
    steps = min(epochs, 200)
    if getattr(type(schedule), "interval", "epoch") != "epoch":
        return []
    groups = optimizer.param_groups
    kept, state = [dict(g) for g in groups], copy.deepcopy(schedule.state_dict())
    rates = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(steps):
                rates.append(max(float(g["lr"]) for g in groups))
                schedule.step()
    except (PellucidError, TypeError, ValueError):
        return []
    finally:
        schedule.load_state_dict(state)
        for group, before in zip(groups, kept, strict=True):
            for name, value in before.items():
                if group.get(name) is not value:
                    group[name] = value
    return rates


def scheduled(case: Case) -> Found:
    """A schedule that leaves no learning rate for most of the training."""
    rates = path_of(case)
    if not rates and len(case.notes.get("rates") or ()) >= SCHEDULED_STEPS:
        rates = [float(rate) for rate in case.notes["rates"]]
    if len(rates) < 3 or not np.isfinite(rates).all():
        return
    top = max(rates)
    place = Place(setting="lr schedule")
    if top <= 0 and not case.notes.get("rates"):
        evidence: tuple[Evidence, ...] = (
            Evidence("largest learning rate that the schedule gives", top, "above 0"),
        )
        text = "Start the schedule above 0, or leave it out."
        yield Suspicion("LR_NEGATIVE", place, evidence, 0.97, remedies=(remedies.advice(text),))
        return
    alive = float(np.mean([r > 0.003 * top for r in rates]))
    if alive > 0.34:
        return
    evidence = (
        Evidence(
            "share of the epochs (or steps) with more than 0.3 % of the largest learning rate",
            alive,
            "most",
        ),
        Evidence("learning rate in the middle of the training", rates[len(rates) // 2]),
    )
    text = "Let the schedule fall more slowly: to a tenth or a hundredth by the end."
    yield Suspicion("LR_LOW", place, evidence, 0.88, (), (remedies.advice(text),))


def slow_delta(case: Case) -> Found:
    """Adadelta with the learning rate of another optimizer: its steps are small by themselves."""
    lr = rate_of(case)
    if kind_of(case.optimizer) != "Adadelta" or lr is None or not 0 < lr < 0.02:
        return
    evidence = (Evidence("learning rate of Adadelta, which multiplies steps that are small already",
                         lr, "1.0"),)  # fmt: skip
    patch = remedies.optimizer_setting("Use lr=1.0.", "lr", lr, 1.0)
    yield Suspicion("LR_LOW", Place(setting="lr"), evidence, 0.75, ("learning_rate",), (patch,))


def single_rows(case: Case) -> Found:
    """Steps made from one row each."""
    size, ratio = case.settings.get("batch_size"), update_ratio(case)
    if size != 1 or case.train is None or case.train.number < 60 or ratio is None or ratio < 0.005:
        return
    evidence = (
        Evidence("rows of a batch", 1.0, "16 or more"),
        Evidence("change of a weight by the first step, as a share of it", ratio),
    )
    patch = remedies.setting("Use batches of 32 rows.", "batch_size", 1, 32)
    yield Suspicion(
        "BATCH_SIZE", Place(setting="batch_size"), evidence, 0.62, ("larger_batch",), (patch,)
    )


RULES = (
    scheduled,
    slow_delta,
    single_rows,
    sign,
    uphill,
    held,
    rate,
    epsilon,
    decay,
    dropout,
    steps,
)
