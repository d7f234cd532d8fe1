"""Probes of layers and modes: normalization, activations, dropout, training against evaluation."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import pellucid
from pellucid import nn
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Suspicion
from pellucid.insight.doctor.fitness import as_array
from pellucid.insight.doctor.probes.asking import Answer, advantage, figures, helped, probe
from pellucid.insight.doctor.probes.ends import end_path, replace
from pellucid.insight.doctor.trying import (
    CLEAR,
    batches_of,
    course,
    drop_nothing,
    fixed_rows,
    span_of,
)

SLOW_ACTIVATIONS = (
    nn.Sigmoid, nn.Tanh, nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.LogSigmoid, nn.Hardsigmoid,
    nn.Hardtanh, nn.Softsign, nn.ReLU6, nn.Softplus, nn.ReLU,
)  # fmt: skip


# ---- modes ---------------------------------------------------------------------------------------


@probe("mode_gap", "Are the answers of training and of evaluation alike on the same rows?")
def mode_gap(case: Case, suspicion: Suspicion) -> Answer | None:
    """The loss of a batch in both modes: far higher in evaluation is a matter of running
    statistics, far higher in training one of dropout or penalties."""
    bench, batch = case.bench, batches_of(case)[-1]
    own, augment = [], bench.augment
    with bench.trial():
        bench.augment = None
        for training in (True, False):
            own.append(bench.loss(batch, training=training))
    bench.augment = augment
    gap = (own[1] - own[0]) / span_of(case)
    numbers = figures(training=own[0], evaluation=own[1], gap=gap)
    text = f"the loss of a batch is {own[0]:.4g} in training mode, {own[1]:.4g} in evaluation mode"
    if suspicion.cause in ("REG_EXCESS", "AUGMENT", "DROPOUT_MODE"):
        return Answer(numbers, gap < -CLEAR, text)
    return Answer(numbers, gap > CLEAR, text)


@probe("repeated_evaluation", "Do two evaluations of the same rows give the same answers?")
def repeated_evaluation(case: Case, suspicion: Suspicion) -> Answer | None:
    """Two passes in evaluation mode, with other random numbers."""
    moved = evaluation_moves(case.bench, fixed_rows(case))
    if moved is None:
        return None
    text = "two evaluations of the same rows agree"
    if moved:
        text = f"two evaluations of the same rows differ by {moved:.2g} of the answers' size"
    return Answer({"largest difference": moved}, moved > 1e-5, text)


def evaluation_moves(bench: ModelBench, rows: Any) -> float | None:
    """How far two evaluations of the same rows differ, as a share of the answers' size."""
    with bench.trial():
        first = as_array(bench.outputs(rows))
        pellucid.rand(1), np.random.random(), random.random()
        second = as_array(bench.outputs(rows))
    if first is None or second is None:
        return None
    return float(np.abs(first - second).max()) / max(float(np.abs(first).max()), 1e-12)


@probe("unregularized", "Does the loss fall further without dropout and penalties?")
def unregularized(case: Case, suspicion: Suspicion) -> Answer | None:
    """Going on with and without dropout, weight decay and L1, judged in evaluation mode, and both
    from a fresh start."""

    def change(bench: ModelBench) -> None:
        drop_nothing(bench.model)
        for group in bench.optimizer.param_groups:
            for name in ("weight_decay", "l1"):
                if group.get(name):
                    group[name] = 0.0

    numbers, gains, text = {}, [], ""
    for fresh in (False, True):
        plain = course(case, "as it is", fresh=fresh)
        changed = course(case, "unregularized", change, fresh=fresh)
        prefix = "fresh start, " if fresh else ""
        numbers[f"{prefix}as it is"] = plain.end
        numbers[f"{prefix}without"] = changed.end
        gains.append(advantage(case, plain, changed))
        if gains[-1] == max(gains):
            text = f"the loss ends at {changed.end:.4g} without them, at {plain.end:.4g} with them"
    return Answer(numbers, max(gains) > CLEAR, text)


# ---- layers --------------------------------------------------------------------------------------


@probe("normalized", "Does it learn faster with normalization between the layers?")
def normalized(case: Case, suspicion: Suspicion) -> Answer | None:
    """Fresh starts with the outputs of all hidden linear and convolutional layers brought to mean
    0 and deviation 1 over the batch (Ioffe and Szegedy, 2015, without scale and shift)."""
    paths = hidden_layers(case)
    if len(paths) < 2:
        return None
    plain = course(case, "as it is", fresh=True)
    changed = course(case, "normalized", lambda bench: _normalize(bench.model, paths), fresh=True)
    text = f"the loss is {changed.end:.4g} with normalization, {plain.end:.4g} without"
    numbers = figures(as_it_is=plain.end, normalized=changed.end)
    return Answer(numbers, helped(case, plain, changed), text)


def _normalize(model: Any, paths: list[str]) -> None:
    layers = dict(model.named_modules())
    for path in paths:
        layers[path].register_forward_hook(_standardized)


def _standardized(layer: Any, args: Any, output: Any) -> Any:
    axes = [0, *range(2, output.ndim)] if output.ndim in (2, 4, 5) else [0, 1]
    centred = output - output.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True) + 1e-5).sqrt()


def hidden_layers(case: Case) -> list[str]:
    """Paths of linear and convolutional layers but the last one used."""
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    used: list[str] = []
    model = case.bench.model
    handles = [
        module.register_forward_hook(lambda m, a, o, p=path: used.append(p))
        for path, module in model.named_modules()
        if isinstance(module, kinds)
    ]
    try:
        case.bench.outputs(fixed_rows(case))
    finally:
        for handle in handles:
            handle.remove()
    return list(dict.fromkeys(used))[:-1]


@probe("other_activation", "Does it learn faster with other hidden activations?")
def other_activation(case: Case, suspicion: Suspicion) -> Answer | None:
    """Fresh starts with ReLU (LeakyReLU in place of ReLU) in hidden layers, and He's weights that
    belong to it; of dead units, going on from the weights of now with LeakyReLU."""
    rows, model = fixed_rows(case), case.bench.model
    last = end_path(model, rows)
    paths = [
        (path, nn.LeakyReLU(0.1) if isinstance(module, nn.ReLU) else nn.ReLU())
        for path, module in model.named_modules()
        if isinstance(module, SLOW_ACTIVATIONS) and path and path != last
    ]
    died = suspicion.cause == "DEAD_RELU"
    if died:
        paths = [
            (path, nn.LeakyReLU(0.1)) for path, layer in paths if isinstance(layer, nn.LeakyReLU)
        ]
    if not paths:
        return None

    def change(bench: ModelBench) -> None:
        for path, layer in paths:
            replace(bench.model, path, layer)
        layers = dict(bench.model.named_modules())
        for path in () if died else hidden:
            nn.init.kaiming_normal_(layers[path].weight, nonlinearity="relu")

    hidden = hidden_layers(case)
    plain = course(case, "as it is", fresh=not died)
    changed = course(case, "other activations", change, fresh=not died)
    name = "LeakyReLU" if died else "ReLU"
    text = f"the loss is {changed.end:.4g} with {name} in hidden layers, {plain.end:.4g} as it is"
    numbers = figures(as_it_is=plain.end, changed=changed.end)
    better = helped(case, plain, changed)
    # Units that were pushed far below 0 need longer to come back than a probe lasts.
    return Answer(numbers, better or (None if died else False), text)
