"""Probes of the loss and of the network's end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid import nn
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Suspicion
from pellucid.insight.doctor.fitness import as_array, kind_of
from pellucid.insight.doctor.probes.asking import (
    Answer,
    answers_helped,
    better_answers,
    figures,
    probe,
)
from pellucid.insight.doctor.trying import Course, course, fixed_rows, out_of_time
from pellucid.nn import functional
from pellucid.nn.ends import last_layer
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.shaping import cat
from pellucid.tensor.tensor import Tensor
from pellucid.training.batches import mapped

Loss = Callable[[Any, Any], Tensor]
SAME = 0.02
"""Answers that are better by less than this are as good."""
ACTIVATIONS = (
    nn.Sigmoid, nn.Softmax, nn.LogSoftmax, nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.ReLU6, nn.Softplus,
    nn.LogSigmoid, nn.Hardsigmoid, nn.Hardtanh, nn.Softmin, nn.ELU, nn.SELU, nn.GELU, nn.SiLU,
)  # fmt: skip


@probe("batch_doubled", "Is the loss of the same rows twice over the loss of them once?")
def batch_doubled(case: Case, suspicion: Suspicion) -> Answer | None:
    """The loss of n rows and of these rows twice, in evaluation mode; a mean does not change."""
    rows, bench = fixed_rows(case), case.bench
    twice = tuple(mapped(part, lambda t: cat([t, t])) for part in rows)
    once, double = bench.loss(rows, training=False), bench.loss(twice, training=False)
    if not once or not math.isfinite(once) or not math.isfinite(double):
        return None
    ratio = double / once
    text = f"the loss of the same rows twice is {ratio:.3g} times that of them once"
    return Answer({"once": once, "twice": double, "ratio": ratio}, ratio > 1.5, text)


@probe("perfect_prediction", "Is the loss of perfect answers the lowest there is?")
def perfect_prediction(case: Case, suspicion: Suspicion) -> Answer | None:
    """The loss of the targets themselves, in the shape of the network's answers, against that of
    answers in another order."""
    rows, bench = fixed_rows(case), case.bench
    shape = as_array(bench.outputs(rows))
    wanted = as_array(rows[1])
    if shape is None or wanted is None or shape.size != wanted.size or len(wanted) < 4:
        return None
    if kind_of(wanted) != "numbers":
        return None
    answers = wanted.reshape(shape.shape).astype(shape.dtype)
    order = np.random.default_rng(0).permutation(len(answers))
    exact = _loss_of(bench, answers, rows[1])
    mixed = _loss_of(bench, np.ascontiguousarray(answers[order]), rows[1])
    text = f"perfect answers have a loss of {exact:.4g}, the same in another order {mixed:.4g}"
    confirms = abs(exact) > 0.1 * abs(mixed)
    return Answer(figures(perfect=exact, mixed=mixed), confirms, text)


def _loss_of(bench: ModelBench, answers: Any, targets: Any) -> float:
    with bench.trial():
        return float(bench.loss_function(as_tensor(answers), targets).detach().item())


# ---- another end ---------------------------------------------------------------------------------


@probe("other_output", "Do the answers get better with another last activation?")
def other_output(case: Case, suspicion: Suspicion) -> Answer | None:
    """Fresh starts with the last activation left out, and with the loss that fits the targets."""
    return _ends(case, (False, True))


@probe("other_loss", "Do the answers get better with the loss that fits the targets?")
def other_loss(case: Case, suspicion: Suspicion) -> Answer | None:
    """Fresh starts with the loss for these targets, on scores and on the answers as they are."""
    return _ends(case, (True,))


_NAMES = {
    (False, True): "its own loss and no last activation",
    (True, True): "the fitting loss and no last activation",
    (True, False): "the fitting loss",
}


def _ends(case: Case, with_loss: tuple[bool, ...]) -> Answer | None:
    rows = fixed_rows(case)
    plain = course(case, "as it is", fresh=True)
    best: tuple[float, str, Course] | None = None
    numbers = figures(as_it_is=plain.fitness)
    for fitting in with_loss:
        for bare in (True, False):
            if out_of_time(case) or (not fitting and not bare):
                continue
            name = _NAMES[fitting, bare]
            change = _other_end(case, rows, bare, fitting)
            if change is None:
                continue
            made = course(case, name, change, fresh=True)
            better = better_answers(plain, made)
            if better is not None and made.fitness is not None:
                numbers[name] = made.fitness
                if best is None or better > best[0]:
                    best = better, name, made
    if best is None:
        return None
    text = (
        f"with {best[1]} the answers reach {best[2].fitness:.3g}, as they are {plain.fitness:.3g}"
    )
    if answers_helped(plain, best[2]):
        return Answer(numbers, True, text)
    return Answer(numbers, False if best[0] < SAME else None, text)


def _other_end(case: Case, rows: Any, bare: bool, fitting: bool) -> Any:
    """A change of a bench: without the last activation, with the loss for the targets."""
    bench = case.bench
    path = end_path(bench.model, rows)
    if bare and path is None:
        return None
    outputs, wanted = as_array(bench.outputs(rows)), as_array(rows[1])
    loss = None
    if fitting:
        if outputs is None or wanted is None:
            return None
        loss = loss_for(outputs, wanted)
        if loss is None:
            return None

    def change(made: ModelBench) -> None:
        if bare and path is not None:
            replace(made.model, path, nn.Identity())
        if loss is not None:
            made.loss_function = loss

    return change


def end_path(model: Any, rows: Any) -> str | None:
    """The path of the network's last layer, if that is an activation of its own."""
    first = mapped(rows[0], lambda part: part[:2])
    found = last_layer(model, None if isinstance(first, (tuple, dict)) else first)
    if not isinstance(found, ACTIVATIONS) or found is model:
        return None
    return next((path for path, module in model.named_modules() if module is found), None)


def replace(model: Any, path: str, layer: Any) -> None:
    """Puts a layer in the place of another."""
    parent, _, name = path.rpartition(".")
    owner = model.get_submodule(parent) if parent else model
    if name in owner._modules:
        setattr(owner, name, layer)


def loss_for(outputs: Any, targets: Any) -> Loss | None:
    """The loss, of scores, for targets of this kind and answers of this shape; None where none
    fits."""
    kind, rows = kind_of(targets), len(targets)
    units = outputs.size // max(rows, 1)
    if kind == "classes" and outputs.ndim == 2 and units > int(targets.max()):
        return lambda s, y: functional.cross_entropy(s, y.reshape(-1).long())
    if kind == "one-hot" and outputs.shape == targets.shape:
        return lambda s, y: functional.cross_entropy(s, y.argmax(1))
    two = kind in ("binary", "multi-hot") or (kind == "classes" and int(targets.max()) == 1)
    if two and outputs.size == targets.size and targets.min() >= 0:
        with_logits = functional.binary_cross_entropy_with_logits
        return lambda s, y: with_logits(s.reshape(-1), y.reshape(-1).float())
    if kind == "numbers" and outputs.size == targets.size:
        return lambda s, y: functional.mse_loss(s.reshape(-1), y.reshape(-1).float())
    return None
