"""What a loss takes: scores, probabilities, their logarithms, or numbers to be near to.

Losses of the library are known by name; others are asked, by putting other outputs into the part
of the graph between output and loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor.ends import (
    axis_below,
    behind,
    log_softmax_axis,
    log_sum_axis,
    softmax_axis,
)
from pellucid.insight.doctor.recording import Computation
from pellucid.insight.doctor.task import Task
from pellucid.insight.heads import name_of
from pellucid.nn import functional
from pellucid.nn.ends import taken_by
from pellucid.nn.module import Module

Array = npt.NDArray[Any]

DISTANCES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "MSELoss", "L1Loss",
             "SmoothL1Loss", "HuberLoss", "pinball_loss")  # fmt: skip


@dataclass(frozen=True)
class Taking:
    """What a loss takes.

    ``kind``: ``scores`` (a softmax, or sigmoid, is inside), ``probabilities``,
    ``log-probabilities``, ``values`` (a distance to the targets) or "" where it is not known;
    ``form`` is ``softmax`` (one class of a row) or ``sigmoid`` (each output for itself); ``axis``
    is that of the softmax inside; ``name`` what the loss is called.
    """

    kind: str
    form: str = ""
    axis: int | None = None
    name: str = ""
    known: bool = False
    """Whether it is one of the library's."""


_FORMS = {
    "cross_entropy": "softmax",
    "CrossEntropyLoss": "softmax",
    "focal_loss": "softmax",
    "nll_loss": "softmax",
    "NLLLoss": "softmax",
    "kl_div": "softmax",
    "KLDivLoss": "softmax",
    "binary_cross_entropy": "sigmoid",
    "BCELoss": "sigmoid",
    "binary_cross_entropy_with_logits": "sigmoid",
    "BCEWithLogitsLoss": "sigmoid",
    "multilabel_soft_margin_loss": "sigmoid",
    "MultiLabelSoftMarginLoss": "sigmoid",
}


def taking_of(loss: Any, run: Computation | None, task: Task) -> Taking:
    """What a loss takes, from its name, else from what it computes."""
    name = name_of(loss) if loss is not None else ""
    is_own = not isinstance(loss, Module) or type(loss).__module__.startswith("pellucid.")
    known = getattr(functional, name, None) is loss or isinstance(loss, Module)
    kind = taken_by(loss) if loss is not None else ""
    if name == "focal_loss" and kind == "":
        kind = "scores"
    if kind and is_own:
        return Taking(kind, _FORMS.get(name, ""), name=name, known=True)
    if name in DISTANCES and (known or name == "pinball_loss"):
        return Taking("values", name=name, known=True)
    if run is None or run.loss is None or run.output is None:
        return Taking("", name=name)
    return _asked(run, task, name)


def _asked(run: Computation, task: Task, name: str) -> Taking:
    """By the graph first, then by trying."""
    found = _softmax_inside(run)
    if found is not None:
        return Taking("scores", "softmax", found, name)
    answer = run.answer
    if answer is None or answer.dtype.kind != "f":
        return Taking("", name=name)
    if _is_distance(run, answer):
        return Taking("values", name=name)
    return Taking(*_by_trial(run, answer, task), name=name)


def _softmax_inside(run: Computation) -> int | None:
    """The axis of a softmax that the loss applies to the output, if it does."""
    output = run.output
    if output is None:
        return None
    before = set(run.nodes_before_output())
    for node in run.nodes():
        if node in before:
            continue
        found = softmax_axis(node) or log_softmax_axis(node) or log_sum_axis(node)
        if found is not None and behind(found[1]) is behind(output):
            axis = axis_below(found[1], found[0], output)
            return found[0] if axis is None else axis
    return None


def _is_distance(run: Computation, answer: Array) -> bool:
    """Whether the loss is 0 where the outputs are the targets, and equally far on both sides."""
    if len(run.targets) != 1:
        return False
    target = run.values[run.targets[0]]
    if target.size != answer.size:
        return False
    right = target.astype(answer.dtype).reshape(answer.shape)
    at, above, below = run.losses([right, right + 0.25, right - 0.25])
    equal = abs(above - below) < 1e-3 * abs(above)
    return bool(np.isfinite([at, above, below]).all() and at < 0.5 * abs(above) and equal)


def _by_trial(run: Computation, answer: Array, task: Task) -> tuple[str, str]:
    """Whether numbers outside of 0 to 1 mean anything to the loss, and shifts of a row."""
    rng = np.random.default_rng(0)
    shape = answer.shape
    scores = rng.normal(size=shape)
    inside = rng.uniform(0.2, 0.8, shape)
    base, shifted, moved = run.losses([scores, scores + 3.0, scores + 3.0 * _first_column(shape)])
    if len(shape) > 1 and np.isfinite([base, shifted, moved]).all():
        same = abs(shifted - base) < 1e-3 * max(1.0, abs(base))
        if same and abs(moved - base) > 1e-2 * max(1.0, abs(base)):
            return "scores", "softmax"
    middle, low, lower = run.losses([inside, -0.5 - inside, -1.0 - inside])
    if not np.isfinite(middle):
        return "", ""
    form = "softmax" if _reads_right_ones(run, inside, task) else "sigmoid"
    if not np.isfinite(low) or abs(low - lower) < 1e-6 * max(1.0, abs(low)):
        return "probabilities", form
    doubled = run.losses([2 * scores])[0]
    if len(shape) > 1 and abs(doubled - 2 * base) < 1e-3 * max(1.0, abs(base)):
        return (
            ("log-probabilities", "softmax") if base * shifted < 0 or shifted < base else ("", "")
        )
    zero = run.losses([np.zeros(shape)])[0]
    if abs(zero - np.log(2)) < 1e-3 and np.isfinite(run.losses([50 * scores])[0]):
        return "scores", "sigmoid"
    return "", ""


def _reads_right_ones(run: Computation, inside: Array, task: Task) -> bool:
    """Whether a loss reads the probabilities of the right classes alone, as −Σ y·log p does."""
    if len(inside.shape) < 2 or inside.shape[1] < 2 or task.kind == "multi-hot":
        return False
    target = run.values[run.targets[0]] if len(run.targets) == 1 else None
    if target is None or target.shape != inside.shape:
        return True
    others = np.where(target < 0.5, 1 - inside, inside)
    before, after = run.losses([inside, others])
    return not np.isfinite([before, after]).all() or abs(after - before) < 1e-6 * abs(before)


def _first_column(shape: tuple[int, ...]) -> Array:
    mask = np.zeros(shape)
    if len(shape) > 1:
        mask[:, 0] = 1
    return mask
