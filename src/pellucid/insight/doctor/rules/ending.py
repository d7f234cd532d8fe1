"""The end of the network against targets and loss.

Nothing is said before the task is known; the last activation is judged by the values that it can
give, whether it is a layer, a function or written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pellucid import nn
from pellucid.base.errors import OutOfRangeError
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.ends import Ending
from pellucid.insight.doctor.facts import (
    end_of,
    evaluated,
    features_of,
    layer_name,
    place_of,
    taken_of,
    targets_of,
    task_of,
    trained,
    units_of,
)
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.neighbours import columns_of, misses_by
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.steps import NotRepeatable
from pellucid.insight.doctor.taking import Taking
from pellucid.insight.doctor.task import Task

FLOOR_OF_TWO = "the lowest loss that can be reached is log(1 + (C − 1)/e)"

DOUBTFUL = 0.35
AMOUNT_ROWS = 600
NUMBERS = ("real", "signed", "bounded", "counts", "reconstruction")

Found = Iterator[Suspicion]


def _place(case: Case, end: Ending) -> Place:
    return Place(layer=layer_name(case, end.layer), line=end.line)


# ---- softmax -------------------------------------------------------------------------------------


def single_unit(case: Case) -> Found:
    """A softmax over an axis of one unit is 1 whatever comes in."""
    run, end, taken = evaluated(case), end_of(case), taken_of(case)
    if run is None or run.output is None or end is None:
        return
    inside = taken.kind in ("scores", "log-probabilities") and taken.form == "softmax"
    inside = inside and task_of(case).asks_for_classes
    own = end.kind in ("softmax", "log-softmax") and end.extent == 1
    if not own and not (inside and units_of(case) == 1 and len(run.output.shape) > 1):
        return
    answer = run.answer
    spread = float(np.ptp(answer)) if own and answer is not None else None
    what = "softmax over 1 unit: the outputs of all rows differ by" if own else (
        f"{taken.name} applies a softmax over 1 output; number of outputs"
    )  # fmt: skip
    is_numbers = task_of(case).kind in NUMBERS
    text = "End with nn.Linear alone: the targets are numbers." if is_numbers else (
        "Use nn.Sigmoid() with binary_cross_entropy, or no activation with "
        "binary_cross_entropy_with_logits; or one output for each class."
    )  # fmt: skip
    first = (
        remedies.layer(text, place_of(case), case.model, _activation(is_numbers))
        if own and _is_leaf(case, place_of(case))
        else remedies.advice(text)
    )
    evidence = Evidence(
        what, 1.0 if spread is None else spread, "more than 0" if own else "2 or more"
    )
    place = _place(case, end) if own else Place(setting="loss")
    yield Suspicion("SOFTMAX_SINGLE_UNIT", place, (evidence,), 1.0, remedies=(first,))


def _activation(numbers: bool) -> nn.Module:
    return nn.Identity() if numbers else nn.Sigmoid()


def _is_leaf(case: Case, path: str) -> bool:
    found = dict(case.model.named_modules()).get(path)
    return bool(path) and found is not None and next(found.children(), None) is None


def wrong_axis(case: Case) -> Found:
    """A softmax whose axis is not that of the classes."""
    run, end = evaluated(case), end_of(case)
    if run is None or run.output is None or end is None or end.axis is None or end.extent == 1:
        return
    answer = run.answer
    if answer is None or len(run.output.shape) < 2:
        return
    right = _class_axis(case)
    axis = _outer_axis(run.output.shape, end)
    if axis is None or axis == right:
        return
    sums = np.exp(answer) if end.kind == "log-softmax" else answer
    deviation = float(np.abs(sums.sum(axis=right) - 1).max())
    place = _place(case, end)
    text = f"Use dim={right}: axis {axis} is {'the rows of the batch' if axis == 0 else 'another'}."
    evidence = (
        Evidence("softmax along axis", float(axis), f"axis {right}, that of the classes"),
        Evidence("largest deviation of a row's sum from 1", deviation, "0"),
    )
    yield Suspicion(
        "AXIS_WRONG", place, evidence, 0.98, remedies=(_softmax_on(case, place, right, text),)
    )


def wrong_axis_of_loss(case: Case) -> Found:
    """A softmax inside of the loss that runs over the rows of the batch."""
    run, taken = evaluated(case), taken_of(case)
    if run is None or run.output is None or run.loss is None or taken.known or taken.axis != 0:
        return
    if len(run.output.shape) < 2 or taken.form != "softmax":
        return
    evidence = (Evidence("the loss applies a softmax along axis", 0.0, "1, that of the classes"),)
    text = "Use dim=1 (or −1) in the loss: axis 0 is the rows of the batch."
    place = Place(setting="loss", line=run.loss.origin.line)
    patch = remedies.loss(text, taken.name, "cross_entropy")
    yield Suspicion("AXIS_WRONG", place, evidence, 0.97, remedies=(patch,))


def _softmax_on(case: Case, place: Place, axis: int, text: str) -> Patch:
    if not _is_leaf(case, place.layer):
        return remedies.advice(text)
    kind = type(dict(case.model.named_modules())[place.layer])
    made = nn.LogSoftmax(axis) if "Log" in kind.__name__ else nn.Softmax(axis)
    return remedies.layer(text, place.layer, case.model, made)


def _outer_axis(shape: tuple[int, ...], end: Ending) -> int | None:
    """The axis of a softmax in the output, where shapes in between leave no doubt."""
    if end.before is None or end.axis is None:
        return None
    if tuple(end.before.shape) == tuple(shape):
        return end.axis
    return 0 if end.axis == 0 and end.extent == shape[0] and end.extent > 1 else None


def _class_axis(case: Case) -> int:
    """The axis of the output along which classes lie."""
    run, task = evaluated(case), task_of(case)
    shape = run.output.shape if run is not None and run.output is not None else ()
    taken = taken_of(case)
    if taken.axis is not None:
        return taken.axis
    if len(shape) == 3 and task.kind == "sequence of classes":
        return 1 if taken.known else 2
    return 1


def probabilities_again(case: Case) -> Found:
    """Probabilities given to a loss that makes probabilities of scores."""
    end, taken, task = end_of(case), taken_of(case), task_of(case)
    if end is None or taken.kind != "scores" or end.extent == 1:
        return
    if end.kind in ("relu", "tanh") or end.kind == "bounded":
        yield from _cut_scores(case, end, taken)
        return
    if end.kind not in ("softmax", "sigmoid") or end.axis == 0:
        return
    classes = max(units_of(case), 2)
    if taken.form == "softmax":
        floor = float(np.log(1 + (classes - 1) / np.e))
        formula = f"log(1 + {classes - 1}/e)"
    else:
        floor, formula = float(np.log(1 + np.exp(-1.0))), "log(1 + 1/e)"
    text = f"Leave the {end.kind} out: {taken.name or 'the loss'} contains its own."
    evidence = (
        Evidence(f"{end.kind} before {taken.name or 'a loss'} that applies a {taken.form}"),
        Evidence(f"lowest loss that outputs from 0 to 1 can reach, {formula}", floor, "0"),
    )
    patch = remedies.without_end(text, case, place_of(case), end.kind)
    strength = 0.99 if task.asks_for_classes or task.kind in ("none", "bounded") else 0.8
    yield Suspicion("DOUBLE_SOFTMAX", _place(case, end), evidence, strength, remedies=(patch,))


def _cut_scores(case: Case, end: Ending, taken: Taking) -> Found:
    """Scores that an activation has cut off, so that the loss cannot get low."""
    if end.low == -np.inf:
        return
    kind = {"relu": "no negative numbers", "tanh": "numbers from −1 to 1 only"}.get(
        end.kind, f"numbers from {end.low:.3g} to {end.high:.3g} only"
    )
    if end.kind == "bounded" and max(-end.low, end.high) > 4 and end.low < -1:
        return
    text = f"Leave the last activation out: {taken.name or 'the loss'} takes any numbers."
    evidence = (Evidence(f"the outputs are scores, of which the last activation gives {kind}"),)
    patch = remedies.without_end(text, case, place_of(case), end.kind)
    strength = 0.95 if end.kind in ("relu", "tanh") else 0.7
    yield Suspicion("ACT_OUT", _place(case, end), evidence, strength, remedies=(patch,))


def scores_as_probabilities(case: Case) -> Found:
    """Scores given to a loss that takes probabilities or their logarithms."""
    run, end, taken = evaluated(case), end_of(case), taken_of(case)
    if run is None or end is None or taken.kind not in ("probabilities", "log-probabilities"):
        return
    if not task_of(case).asks_for_classes and task_of(case).kind not in ("none", "bounded"):
        return  # the loss itself is wrong
    fits = {
        "probabilities": end.low >= 0 and end.high <= 1,
        "log-probabilities": end.high <= 0,
    }[taken.kind]
    answer = run.answer
    if fits or answer is None or not answer.size:
        return
    if taken.kind == "log-probabilities":
        sums = np.exp(np.minimum(answer.astype(np.float64), 50)).sum(
            axis=1 if answer.ndim > 1 else 0
        )
        measured = Evidence("mean sum of exp(output) over the classes", float(sums.mean()), "1")
        text = "Use cross_entropy, which takes scores, or end with nn.LogSoftmax(dim=1)."
    else:
        outside = float(((answer < 0) | (answer > 1)).mean())
        measured = Evidence("share of outputs outside of 0 to 1", outside, "0")
        text = "Use binary_cross_entropy_with_logits, or end with nn.Sigmoid()."
        if taken.form == "softmax":
            text = "Use cross_entropy, which takes scores, or end with nn.Softmax(dim=1)."
    name = "cross_entropy" if taken.form == "softmax" else "binary_cross_entropy_with_logits"
    bounded = end.kind in ("relu", "tanh", "softmax", "sigmoid")
    cause = "ACT_OUT" if bounded and taken.kind == "probabilities" else "LOGITS_PROBS"
    fact = Evidence(f"{taken.name or 'the loss'} takes {taken.kind}, and the network gives "
                    f"{_given(end)}")  # fmt: skip
    patch = remedies.loss(text, taken.name, name) if end.kind == "linear" else remedies.advice(text)
    yield Suspicion(cause, _place(case, end), (fact, measured), 0.97, remedies=(patch,))


def probabilities_apart(case: Case) -> Found:
    """Probabilities of one class of all where each label is for itself, and the reverse of it."""
    end, taken, task = end_of(case), taken_of(case), task_of(case)
    if end is None or end.extent == 1 or units_of(case) < 2:
        return
    y = targets_of(case.train)
    evidence: tuple[Evidence, ...]
    if end.kind == "softmax" and task.kind == "multi-hot" and y is not None and y.ndim == 2:
        if taken.kind == "scores":
            return  # told as a softmax before a loss that has its own
        several = float((np.abs(y.sum(axis=1) - 1) > 0.5).mean())
        evidence = (
            Evidence("outputs of a row sum to", 1.0, "any number: each label is for itself"),
            Evidence("share of rows with no label or several", several, "0 for a softmax"),
        )
        text = "End with nn.Sigmoid(): a row may have several labels, or none."
        change = _exchanged(case, text, nn.Sigmoid())
    elif end.kind == "sigmoid" and (taken.kind, taken.form) == ("probabilities", "softmax"):
        if task.kind not in ("one-hot", "class index", "soft labels"):
            return
        evidence = (
            Evidence(f"{taken.name or 'the loss'} reads the right class's probability alone, and "
                     "nothing makes those of the others small: sum of a row",
                     _mean_sum(case), "1"),
        )  # fmt: skip
        text = "End with nn.Softmax(dim=-1), or give scores to cross_entropy."
        change = _exchanged(case, text, nn.Softmax(dim=-1))
    else:
        return
    yield Suspicion("ACT_OUT", _place(case, end), evidence, 0.95, remedies=(change,))


def _mean_sum(case: Case) -> float | None:
    run = evaluated(case)
    answer = None if run is None else run.answer
    return None if answer is None else float(answer.reshape(len(answer), -1).sum(axis=1).mean())


def _exchanged(case: Case, text: str, made: nn.Module) -> Patch:
    place = place_of(case)
    if not _is_leaf(case, place):
        return remedies.advice(text)
    return remedies.layer(text, place, case.model, made)


def _given(end: Ending) -> str:
    return {
        "linear": "any numbers (no activation at its end)",
        "softmax": "probabilities",
        "sigmoid": "numbers from 0 to 1",
        "log-softmax": "log-probabilities",
        "tanh": "numbers from −1 to 1",
        "relu": "numbers from 0 up",
    }.get(end.kind, f"numbers from {end.low:.3g} to {end.high:.3g}")


# ---- numbers -------------------------------------------------------------------------------------


def out_of_reach(case: Case) -> Found:
    """Targets that the last activation cannot give."""
    run, end, task, taken = evaluated(case), end_of(case), task_of(case), taken_of(case)
    y = targets_of(case.train)
    if run is None or end is None or y is None or y.dtype.kind not in "iuf":
        return
    if taken.kind not in ("values", "") and task.kind not in NUMBERS:
        return
    if taken.kind in ("scores", "log-probabilities", "probabilities"):
        return
    same = int(np.prod(y.shape[1:])) == int(np.prod(run.output.shape[1:])) if run.output else False
    if not same or (task.kind == "class index" and taken.kind != "values"):
        return
    margin = 1e-3 * max(1.0, end.high - end.low if np.isfinite(end.high - end.low) else 1.0)
    outside = (y < end.low - margin) | (y > end.high + margin)
    share = float(outside.mean())
    if share < 0.005 and end.kind != "softmax":
        return
    if end.kind == "softmax" and share < 0.005:
        sums = y.reshape(len(y), -1).astype(np.float64).sum(axis=1)
        if y.ndim < 2 or float(np.abs(sums - 1).mean()) < 0.05:
            return
    strength = 0.97 if share >= 0.02 or end.kind == "softmax" else 0.8
    evidence = (
        Evidence(f"targets go from {task.low:.4g} to {task.high:.4g}, outputs only from "
                 f"{end.low:.4g} to {end.high:.4g}; share of targets out of reach", share, "0"),
    )  # fmt: skip
    text = _better_end(task)
    patch = remedies.without_end(text, case, place_of(case), end.kind)
    yield Suspicion("ACT_OUT", _place(case, end), evidence, strength, remedies=(patch,))


def _better_end(task: Task) -> str:
    if task.kind == "signed":
        return "End with no activation, or with nn.Tanh() since the targets lie from −1 to 1."
    if task.kind == "bounded":
        return "End with nn.Sigmoid() since the targets lie from 0 to 1, or with no activation."
    return "End with no activation: the targets are any numbers (or scale them into its range)."


# ---- number of outputs ---------------------------------------------------------------------------


def number_of_outputs(case: Case) -> Found:
    """Fewer outputs than classes, far more, or other columns than the targets have."""
    run, task, taken = evaluated(case), task_of(case), taken_of(case)
    units = units_of(case)
    if run is None or not units or case.loss is None:
        return
    y = targets_of(case.train)
    if task.kind in ("class index", "sequence of classes") and taken.form == "softmax":
        if 1 < units < task.classes:
            yield _units(case, units, task.classes, 1.0)
        elif y is not None and units >= 2 * max(task.classes, 2) and y.size >= 50 * units:
            yield _units(case, units, task.classes, 0.75)
    elif task.kind in ("one-hot", "multi-hot", "soft labels") and len(run.output.shape) == 2:  # type: ignore[union-attr]
        if units != task.classes:
            yield _units(case, units, task.classes, 1.0)
    elif task.kind == "class index" and task.classes > 2 and units == 1:
        if taken.kind in ("probabilities", "scores") and taken.form == "sigmoid":
            yield _units(case, units, task.classes, 0.9)
    elif taken.kind in ("values", "") and task.shape and y is not None and y.ndim == 2:
        if (
            y.shape[1] > 1
            and (taken.kind or units == 1)
            and run.output is not None
            and len(run.output.shape) == 2
        ):
            if units != y.shape[1]:
                yield _units(case, units, y.shape[1], 0.95)


def _units(case: Case, units: int, wanted: int, strength: float) -> Suspicion:
    weighted = [n.origin.layer for n in evaluated(case).nodes_before_output()  # type: ignore[union-attr]
                if n.op.name in ("matmul", "convolution")]  # fmt: skip
    layer = layer_name(case, weighted[-1]) if weighted else place_of(case)
    text = f"Let the last layer have {wanted} outputs."
    evidence = Evidence("number of outputs", float(units), f"{wanted}, as the targets have")
    return Suspicion("OUT_UNITS", Place(layer=layer), (evidence,), strength,
                     remedies=(remedies.advice(text),))  # fmt: skip


# ---- the loss ------------------------------------------------------------------------------------


def loss_for_task(case: Case) -> Found:
    """A loss that measures something else than the targets ask for."""
    task, taken, end = task_of(case), taken_of(case), end_of(case)
    units = units_of(case)
    if case.loss is None or end is None or not taken.kind or task.kind == "none":
        return
    said = _misfit(task, taken, end, units)
    if said is None:
        return
    text, better, strength = said
    if strength == DOUBTFUL:
        strength = _as_amounts(case)
    fact = f"targets are {task}; the loss {text}"
    if taken.name:
        fact = f"targets are {task}; {taken.name} {text}"
    evidence = (
        Evidence(fact),
        Evidence("largest target", task.high, "1" if taken.form == "sigmoid" else "")
        if not task.asks_for_classes
        else Evidence("classes of the targets", float(task.classes)),
    )
    patch = remedies.loss(f"Use {better}.", taken.name, better.split(" ")[0])
    yield Suspicion("LOSS_WRONG", Place(setting="loss"), evidence, strength, remedies=(patch,))


def _as_amounts(case: Case) -> float:
    """How surely whole numbers are names of classes: neighbours of amounts that differ differ by
    little, those of names by anything."""
    parts, y = features_of(case.train), targets_of(case.train)
    columns = columns_of(parts[0][:AMOUNT_ROWS]) if len(parts) == 1 and y is not None else None
    if columns is None or y is None or len(columns) < 60:
        return DOUBTFUL
    ratio = misses_by(columns, y.reshape(-1)[:AMOUNT_ROWS].astype(np.float64))
    if ratio is None:
        return DOUBTFUL
    return 0.85 if ratio > 0.95 else DOUBTFUL if ratio > 0.83 else 0.05


def _misfit(task: Task, taken: Taking, end: Ending, units: int) -> tuple[str, str, float] | None:
    """What is wrong between task and loss: words, the better loss, how certain."""
    if taken.kind == "values":
        if task.kind == "class index" and task.classes > 2:
            if units > 1:
                return "measures the distance to their numbers", "cross_entropy", 0.97
            sure = 0.85 if task.typed else DOUBTFUL
            return (
                "measures the distance to class numbers, as if they were amounts",
                "cross_entropy",
                sure,
            )
        if task.kind == "class index" and units > 1:
            return "measures the distance to class numbers", "cross_entropy", 0.95
        return None
    if taken.form == "softmax" and taken.name != "kl_div":
        if task.kind == "multi-hot":
            return (
                "lets exactly one class of a row be right",
                "binary_cross_entropy_with_logits",
                0.95,
            )
        if task.kind in ("real", "counts", "signed") and not task.typed:
            return "is for classes", "mse_loss", 0.97
        if task.kind == "counts" and units == 1:
            return "is for classes", "mse_loss", 0.9
    if taken.form == "sigmoid":
        if task.kind in ("real", "counts") or task.kind == "signed" and task.low < -0.01:
            sure = taken.known or taken.kind == "scores"  # else a distance of logarithms, perhaps
            return "is for targets from 0 to 1", "mse_loss", 0.95 if sure else 0.5
        if task.kind == "class index" and task.classes > 2:
            return "is for targets from 0 to 1", "cross_entropy", 0.95
        if task.kind == "one-hot" and task.classes > 2 and end.kind == "softmax":
            return (
                "judges each class for itself, after a softmax over all",
                "nll_loss of the log",
                0.75,
            )
        if task.kind == "signed binary":
            return "is for targets 0 and 1", "soft_margin_loss", 0.9
    return None


def endless(case: Case) -> Found:
    """A loss of numbers that gets lower without end in one direction, whatever the targets are."""
    run, task = trained(case), task_of(case)
    if run is None or run.loss is None or run.answer is None or len(run.targets) != 1:
        return
    target = run.values[run.targets[0]]
    if task.kind not in NUMBERS or taken_of(case).known or target.size != run.answer.size:
        return
    right = target.astype(np.float64).reshape(run.answer.shape)
    size = max(float(right.std()), 1e-3 * float(np.abs(right).max()), 1e-6)
    losses = run.losses([right + size * by for by in (-50.0, -5.0, 0.0, 5.0, 50.0)])
    steps = np.diff(losses)
    if not np.isfinite(losses).all() or not ((steps > 0).all() or (steps < 0).all()):
        return
    evidence = (
        Evidence("loss of outputs that are the targets", losses[2], "the lowest"),
        Evidence("loss of outputs far from them", min(losses), f"above {losses[2]:.3g}"),
    )
    text = "Let the loss grow with the distance on both sides, as mse_loss or l1_loss do."
    patch = remedies.loss(text, taken_of(case).name, "mse_loss")
    yield Suspicion("LOSS_WRONG", Place(setting="loss", line=run.loss.origin.line), evidence, 0.95,
                    remedies=(patch,))  # fmt: skip


def half_a_loss(case: Case) -> Found:
    """A loss of two classes that does not look at the outputs for one of them."""
    run, task = trained(case), task_of(case)
    if run is None or run.loss is None or run.answer is None or len(run.targets) != 1:
        return
    target = run.values[run.targets[0]]
    if task.kind not in ("binary", "signed binary") or target.size != run.answer.size:
        return
    answer, positive = run.answer, target.reshape(run.answer.shape) > 0.5
    if positive.all() or not positive.any():
        return
    rng = np.random.default_rng(0)
    base, other = (rng.uniform(0.2, 0.8, answer.shape) for _ in range(2))
    trials = [base, np.where(positive, other, base), np.where(positive, base, other)]
    first, moved, still = run.losses(trials)
    if not np.isfinite([first, moved, still]).all():
        return
    small = 1e-6 * max(1.0, abs(first))
    if (abs(moved - first) < small) == (abs(still - first) < small):
        return
    label = "1" if abs(moved - first) < small else "0 (or −1)"
    evidence = (
        Evidence(f"change of the loss when all outputs for rows of class {label} change", 0.0,
                 "more than 0"),
    )  # fmt: skip
    text = "Use binary_cross_entropy_with_logits, whose two terms look at both classes."
    patch = remedies.loss(text, taken_of(case).name, "binary_cross_entropy_with_logits")
    yield Suspicion("LOSS_WRONG", Place(setting="loss", line=run.loss.origin.line), evidence, 0.93,
                    remedies=(patch,))  # fmt: skip


def refused(case: Case) -> Found:
    """What the model or the loss raised instead of computing."""
    run = trained(case)
    if run is None or run.error is None or isinstance(run.error, NotRepeatable):
        return
    if case.phase != "before" or case.notes.get("early"):
        return  # a program that runs is not refused: it is called in another way
    task, units = task_of(case), units_of(case)
    message = Evidence(f"the {run.phase or 'loss'} refused: {run.error.message}")
    if run.phase == "loss" and isinstance(run.error, OutOfRangeError) and 0 < units < task.classes:
        return  # told by number_of_outputs
    if run.phase == "model":
        text = "Bring the axes of the data into the order that the first layer expects."
        yield Suspicion(
            "DATA_SHAPE", Place(line=""), (message,), 0.9, remedies=(remedies.advice(text),)
        )
    elif run.phase == "loss" and case.loss is not None:
        text = run.error.hint or "Give outputs and targets the shapes that the loss expects."
        yield Suspicion("LOSS_WRONG", Place(setting="loss"), (message,), 0.6,
                        remedies=(remedies.advice(text),))  # fmt: skip


RULES = (
    single_unit,
    wrong_axis,
    wrong_axis_of_loss,
    probabilities_again,
    scores_as_probabilities,
    out_of_reach,
    number_of_outputs,
    probabilities_apart,
    loss_for_task,
    endless,
    half_a_loss,
    refused,
)
