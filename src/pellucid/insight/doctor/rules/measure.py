"""What the loss and the metric measure: direction, size of the batch, penalties, guards."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import PellucidError
from pellucid.graph.node import Node
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.facts import (
    end_of,
    evaluated,
    sample_of,
    taken_of,
    targets_of,
    task_of,
    trained,
    units_of,
)
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.recording import Computation
from pellucid.insight.doctor.rules.optimizer import LIKE_SGD, groups_of, kind_of, update_ratio
from pellucid.insight.doctor.walks import depends_on
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import TensorCore
from pellucid.tensor.shaping import cat
from pellucid.training.batches import mapped

Array = npt.NDArray[Any]
Found = Iterator[Suspicion]


def right_answers(case: Case, run: Computation) -> Array | None:
    """Outputs that are right for the sample's targets, in the form that the loss takes."""
    answer, task, taken = run.answer, task_of(case), taken_of(case)
    if answer is None or len(run.targets) != 1 or answer.dtype.kind != "f":
        return None
    y = run.values[run.targets[0]]
    if task.kind in ("class index", "sequence of classes") and units_of(case) > 1:
        axis = taken.axis if taken.axis is not None else 1
        return _one_hot(y, answer.shape, axis, taken.kind)
    if y.size != answer.size:
        return None
    wanted = y.astype(np.float64).reshape(answer.shape)
    if taken.kind == "scores":
        return np.where(wanted > 0.5, 8.0, -8.0)
    if taken.kind == "log-probabilities":
        return np.log(np.clip(wanted, 1e-4, 1))
    if task.kind == "signed binary" and taken.kind == "":
        return 4 * wanted
    return wanted


def _one_hot(y: Array, shape: tuple[int, ...], axis: int, kind: str) -> Array | None:
    rest = tuple(n for a, n in enumerate(shape) if a != axis % len(shape))
    if y.size != int(np.prod(rest)) or axis >= len(shape):
        return None
    classes = np.clip(y.reshape(rest).astype(np.int64), 0, shape[axis] - 1)
    made = np.expand_dims(classes, axis) == np.arange(shape[axis]).reshape(
        [-1 if a == axis else 1 for a in range(len(shape))]
    )
    if kind == "scores":
        return np.asarray(np.where(made, 8.0, -8.0))
    if kind == "log-probabilities":
        likely = np.where(made, 1 - 1e-4, 1e-4 / max(shape[axis] - 1, 1))
        return np.asarray(np.log(likely))
    return np.asarray(made, np.float64)


def direction(case: Case) -> Found:
    """A loss that rises where the outputs come nearer to the targets."""
    run = trained(case)
    if run is None or run.loss is None or run.answer is None or run.loss_value is None:
        return
    right = right_answers(case, run)
    classes = task_of(case).asks_for_classes or task_of(case).kind == "bounded"
    if right is None or taken_of(case).kind not in ("values", "") and not classes:
        return
    answer = run.answer.astype(np.float64)
    nearer = [answer + share * (right - answer) for share in (0.1, 0.5, 0.9)]
    losses = [run.loss_value, *run.losses(nearer)]
    if not np.isfinite(losses).all():
        return
    rises = np.diff(losses)
    up = any(g.get("maximize") for g in groups_of(case))
    wrong = (rises < 0).all() if up else (rises > 0).all()
    size = max(abs(losses[0]), 1e-6)
    if up and not wrong:
        case.notes["raised by its targets"] = ("GRAD_SIGN",)
        return
    if not wrong or abs(losses[-1] - losses[0]) < 1e-3 * size:
        return
    evidence = (
        Evidence("loss of the outputs as they are", losses[0]),
        Evidence("loss of outputs nearly equal to the targets", losses[-1],
                 f"below {losses[0]:.3g}"),
    )  # fmt: skip
    text = "Change the sign of the loss: training makes it small, and it is smallest far off."

    def turned(outputs: Any, targets: Any) -> Any:
        return -case.loss(outputs, targets)

    patch = remedies.loss(text, "loss", "−loss", turned)
    yield Suspicion("GRAD_SIGN", Place(setting="loss", line=_line(run)), evidence, 0.97,
                    ("gradient_sign",), (patch,))  # fmt: skip


def _line(run: Computation) -> str:
    return "" if run.loss is None else run.loss.origin.line


def reduction(case: Case) -> Found:
    """A loss that doubles with the number of rows."""
    run, sample = trained(case), sample_of(case)
    if run is None or run.loss_value is None or sample is None or case.loss is None:
        return
    if not isinstance(run.outputs, TensorCore) or sample.targets is None:
        return
    value = run.loss_value
    try:
        with no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs = run.outputs.detach()  # type: ignore[attr-defined]
            twice = case.loss(
                cat([outputs, outputs]), mapped(sample.targets, lambda t: cat([t, t]))
            )
            doubled = float(twice.item())
    except (PellucidError, TypeError, ValueError):
        return
    if not np.isfinite([value, doubled]).all() or abs(value) < 1e-9:
        return
    ratio = doubled / value
    if not 1.9 < ratio < 2.1:
        return
    rows = int(outputs.shape[0])
    evidence: tuple[Evidence, ...] = (
        Evidence("loss of the rows twice by that of the rows once", ratio, "1"),
        Evidence("loss at the start", value, f"{value / max(rows, 1):.3g}, for each row"),
    )
    case.notes["rows of a batch by those of the sample"] = int(
        case.settings.get("batch_size") or rows
    ) / max(rows, 1)
    change = update_ratio(case)
    strength = 0.88 if kind_of(case.optimizer) in (*LIKE_SGD, "") else 0.62
    if change is not None and change < 0.15:
        strength = 0.45  # the learning rate was chosen for it
    elif change is not None:
        evidence = (
            *evidence,
            Evidence("change of a weight by the first step", change, "0.001 to 0.03"),
        )
    text = "Use reduction='mean' (or divide by the number of rows)."

    def averaged(outputs: Any, targets: Any) -> Any:
        return case.loss(outputs, targets) / outputs.shape[0]

    patch = remedies.loss(text, "sum", "mean", averaged)
    yield Suspicion("LOSS_REDUCTION", Place(setting="loss", line=_line(run)), evidence, strength,
                    ("learning_rate",), (patch,))  # fmt: skip


def penalty(case: Case) -> Found:
    """A penalty in the loss that outweighs the data."""
    run = trained(case)
    if run is None or run.loss is None or run.output is None or run.loss_value is None:
        return
    own = set(run.nodes_before_output())
    reached = depends_on(run.nodes(), set(run.parameters))
    direct = [n for n in run.nodes() if n not in own and n in reached and _reads(n, run)]
    if not direct:
        return
    data = _without(run)
    if data is None or not np.isfinite(data):
        return
    share = abs(run.loss_value - data) / max(abs(run.loss_value), 1e-12)
    if share < 0.6:
        return
    evidence = (
        Evidence("share of the loss that is a penalty on the weights", share, "below 0.1"),
        Evidence("loss of the data alone", data),
    )
    place = Place(setting="loss", line=direct[0].origin.line)
    text = "Lower the factor of the penalty, by 10 to 1000."
    strength = 0.88 if share > 0.85 else 0.66
    yield Suspicion("REG_EXCESS", place, evidence, strength, ("unregularized",),
                    (remedies.advice(text),))  # fmt: skip


def _reads(node: Node, run: Computation) -> bool:
    return any(n in run.parameters for n in node.inputs)


def _without(run: Computation) -> float | None:
    """The loss with all parameters that it reads by itself at 0."""
    if run.answer is None:
        return None
    return run.losses([run.answer], zeros=set(run.parameters))[0]


def guards(case: Case) -> Found:
    """A logarithm of probabilities that can become 0."""
    run, end = evaluated(case), end_of(case)
    if run is None or run.loss is None or run.answer is None or end is None:
        return
    if end.kind not in ("softmax", "sigmoid") or end.extent == 1 or taken_of(case).known:
        return
    right = right_answers(case, run)
    if right is None or task_of(case).kind == "reconstruction":
        return
    wrong = 1 - np.clip(right, 0, 1)
    value = run.losses([wrong])[0]
    if np.isfinite(value):
        return
    evidence = (Evidence("the loss of a certain and wrong answer (probability 0) is not finite"),)
    text = "Use cross_entropy on scores, or log(p.clamp(min=1e-7))."
    yield Suspicion("NUMERIC", Place(setting="loss", line=_line(run)), evidence, 0.5,
                    remedies=(remedies.advice(text),))  # fmt: skip


def metric(case: Case) -> Found:
    """A metric that right answers do not change."""
    run = evaluated(case)
    if case.metric is None or run is None or run.answer is None:
        return
    right = right_answers(case, run)
    y = targets_of(sample_of(case))
    if right is None or y is None or len(y) < 4 or not np.ptp(y.reshape(len(y), -1), axis=0).any():
        return
    right = right.astype(run.answer.dtype)
    wrong = right[::-1] if not np.array_equal(right[::-1], right) else np.roll(right, 1, axis=0)
    try:
        good, bad, now = (float(case.metric(a, y)) for a in (right, wrong, run.answer))
    except (PellucidError, TypeError, ValueError, IndexError):
        return
    if not np.isfinite([good, bad, now]).all():
        return
    if abs(good - bad) > 1e-6:
        yield from _contrary(case, y, [(right, good), (wrong, bad), (run.answer, now)])
        return
    evidence = (
        Evidence("metric of right answers", good),
        Evidence("metric of the same answers in another order of rows", bad, "another number"),
    )
    text = (
        "Use a metric for this task: accuracy for classes, r2 or mean absolute error for numbers."
    )
    yield Suspicion("METRIC_WRONG", Place(setting="metric"), evidence, 0.9,
                    remedies=(remedies.advice(text),))  # fmt: skip


def _contrary(case: Case, y: Array, measured: list[tuple[Array, float]]) -> Found:
    """A share of right answers that is lowest where all are right."""
    (_, good), *others = measured
    best = max(value for _, value in others)
    if task_of(case).kind != "class index" or units_of(case) < 2 or good > 0.5 * best or best > 1:
        return
    labels = y.reshape(-1)
    for answers, value in measured:
        if answers.ndim != 2 or len(answers) != len(labels):
            return
        errors = 1 - float((answers.argmax(axis=1) == labels).mean())
        if abs(value - errors) > 1e-6 and round(value * len(labels), 4) % 1 == 0:
            break
    else:
        return  # a share of errors, or a loss, which is right to be low
    evidence = (
        Evidence("metric of right answers", good, "the highest"),
        Evidence("metric of wrong or random answers", best),
    )
    text = "Take the most likely class: scores.argmax(1)."
    yield Suspicion("METRIC_WRONG", Place(setting="metric"), evidence, 0.8,
                    remedies=(remedies.advice(text),))  # fmt: skip


RULES = (direction, reduction, penalty, guards, metric)
