"""Probes of the rows: whether answers depend on them, and what another scale would do."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Suspicion
from pellucid.insight.doctor.fitness import (
    NEIGHBOURS,
    as_array,
    coded_targets,
    fitness,
    flat_features,
    kind_of,
    simple_fitness,
)
from pellucid.insight.doctor.probes.asking import (
    Answer,
    advantage,
    answers_helped,
    better_answers,
    figures,
    helped,
    probe,
)
from pellucid.insight.doctor.trying import (
    CLEAR,
    course,
    fixed_rows,
    is_real,
    scaler,
    span_of,
)
from pellucid.tensor.creation import as_tensor
from pellucid.training.batches import leaves, mapped, tensors

LITTLE = 0.02
"""Answers that lose less than this share of what there is to learn ignore the features."""
LIKE_CHANCE = 0.1
ROWS = 600


def _with_features(batch: Any, change: Any) -> Any:
    return (mapped(batch[0], change), *batch[1:])


@probe("shuffled_input", "Are the answers worse where rows get the features of others?")
def shuffled_input(case: Case, suspicion: Suspicion) -> Answer | None:
    """The loss in evaluation mode with the features of the rows exchanged (an input-independent
    baseline: Karpathy, 2019)."""
    rows, bench = fixed_rows(case), case.bench
    number = int(next(leaves(rows[0])).shape[0])
    if number < 4:
        return None
    order = np.random.default_rng(0).permutation(number)
    turned = _with_features(rows, lambda part: part[as_tensor(order)])
    return _against(case, bench.loss(rows, training=False), bench.loss(turned, training=False),
                    "the features of other rows")  # fmt: skip


@probe("zero_input", "Are the answers worse where all features are 0?")
def zero_input(case: Case, suspicion: Suspicion) -> Answer | None:
    """The loss in evaluation mode with features of 0."""
    rows, bench = fixed_rows(case), case.bench
    turned = _with_features(rows, lambda part: part * 0)
    return _against(case, bench.loss(rows, training=False), bench.loss(turned, training=False),
                    "features of 0")  # fmt: skip


def _against(case: Case, real: float, other: float, what: str) -> Answer:
    lost = (other - real) / span_of(case)
    text = f"with {what} the loss is {other:.4g} instead of {real:.4g}"
    if lost < LITTLE:
        text += ": the network does not look at them"
    numbers = {"as it is": real, f"with {what}": other, "lost": lost}
    return Answer(numbers, lost < LITTLE, text)


@probe("standardized_input", "Does it learn faster from standardized features?")
def standardized_input(case: Case, suspicion: Suspicion) -> Answer | None:
    """Fresh starts on features as they are and with mean 0 and deviation 1."""
    rows = fixed_rows(case)
    if not is_real(rows):
        return None
    plain = course(case, "as it is", fresh=True)
    turn = scaler(rows, features=True, targets=False)
    changed = course(case, "standardized features", lambda bench: turn, fresh=True)
    text = f"the loss is {changed.end:.4g} with standardized features, {plain.end:.4g} without"
    numbers = figures(as_it_is=plain.end, standardized=changed.end)
    return Answer(numbers, helped(case, plain, changed), text)


@probe("standardized_targets", "Does it learn faster where the targets have unit scale?")
def standardized_targets(case: Case, suspicion: Suspicion) -> Answer | None:
    """Fresh starts on targets as they are and standardized, compared by R²."""
    rows = fixed_rows(case)
    wanted = as_array(rows[1])
    if wanted is None or kind_of(wanted) != "numbers":
        return None
    plain = course(case, "as it is", fresh=True)
    turn = scaler(rows, features=False, targets=True)
    changed = course(case, "standardized targets", lambda bench: turn, fresh=True)
    better = better_answers(plain, changed)
    if better is None:
        return None
    text = f"R² is {changed.fitness:.3g} with standardized targets, {plain.fitness:.3g} without"
    numbers = figures(as_it_is=plain.fitness, standardized=changed.fitness)
    return Answer(numbers, answers_helped(plain, changed), text)


@probe("unaugmented", "Does it learn faster without augmentation?")
def unaugmented(case: Case, suspicion: Suspicion) -> Answer | None:
    """Fresh starts with and without it, judged on rows that are not augmented."""
    if case.bench.augment is None:
        return None

    def change(bench: Any) -> None:
        bench.augment = None

    plain = course(case, "as it is", fresh=True)
    changed = course(case, "without augmentation", change, fresh=True)
    gain = advantage(case, plain, changed)
    numbers = figures(as_it_is=plain.end, without=changed.end, better_by=gain)
    text = f"the loss of rows as they are is {changed.end:.4g} without, {plain.end:.4g} with it"
    return Answer(numbers, helped(case, plain, changed), text)


@probe("row_mixing", "Does the answer to a row depend on other rows?")
def row_mixing(case: Case, suspicion: Suspicion) -> Answer | None:
    """Every second row is replaced by another one, in evaluation mode; the answers to those that
    stay must stay, too."""
    rows, bench = fixed_rows(case), case.bench
    number = int(next(leaves(rows[0])).shape[0])
    if number < 4:
        return None
    before = as_array(bench.outputs(rows))
    order = np.arange(number)
    order[1::2] = (
        0  # the same row again and again: an exchange of rows would leave sums as they are
    )
    after = as_array(bench.outputs(_with_features(rows, lambda part: part[as_tensor(order)])))
    if before is None or after is None or len(before) != number:
        text = f"{number} rows give answers of shape {getattr(before, 'shape', None)}"
        return Answer({"rows": number}, True if before is not None else None, text)
    moved = float(np.abs(before[::2] - after[::2]).max()) / max(float(np.abs(before).max()), 1e-12)
    text = f"answers to rows that stayed changed by {moved:.2g} of their size"
    return Answer({"largest change": moved}, moved > 1e-4, text)


# ---- labels --------------------------------------------------------------------------------------


@probe("unseen_rows", "Does what was learned hold for rows that it has not seen?")
def unseen_rows(case: Case, suspicion: Suspicion) -> Answer | None:
    """How good the answers are for validation rows, where something was learned of the others."""
    if case.phase == "before" or case.validation is None or case.validation.targets is None:
        return None
    given = tensors((case.validation.features, case.validation.targets))
    rows, held_rows = fixed_rows(case), mapped(given, lambda part: part[:ROWS])
    own, held = (fitness(case.bench.outputs(p), p[1]) for p in (rows, held_rows))
    if own is None or held is None:
        return None
    text = f"the answers reach {held:.3g} for validation rows, {own:.3g} for those learned from"
    return Answer(figures(learned=own, unseen=held), held < LIKE_CHANCE, text)


@probe("linear_probe", "Can a linear model learn the targets from the features?")
def linear_probe(case: Case, suspicion: Suspicion) -> Answer | None:
    """Ridge regression on standardized features, judged on rows that it has not seen."""
    found = simple_of(case)
    if "linear" not in found:
        return None
    own, linear = own_fitness(case), found["linear"]
    numbers = figures(linear=linear, network=own)
    text = f"a linear model reaches {linear:.3g} (0 is what ignoring the features gives)"
    if suspicion.cause in ("LABEL_MISALIGNED", "LABEL_NOISE"):
        return Answer(numbers, linear < LIKE_CHANCE, text)
    if own is None:
        return Answer(numbers, None, text)
    return Answer(numbers, linear > own + CLEAR, f"{text}, the network {own:.3g}")


@probe("neighbours", "Do rows with similar features have similar targets?")
def neighbours(case: Case, suspicion: Suspicion) -> Answer | None:
    """The share of the 5 nearest rows with the same label against that of any rows, or for numbers
    the R² of the neighbours' mean."""
    agreement = label_agreement(case)
    if agreement is None:
        return None
    share, chance = agreement
    above = (share - chance) / max(1 - chance, 1e-9)
    text = f"{share:.1%} of the nearest rows share the label, of any rows {chance:.1%}"
    numbers = {"agreement": share, "chance": chance}
    return Answer(numbers, above < LIKE_CHANCE, text)


def label_agreement(case: Case) -> tuple[float, float] | None:
    """How much the targets of a row's 5 nearest rows agree with its own, and how much those of any
    rows do; None where features are not numbers."""
    if case.train is None:
        return None
    x = flat_features(case.train.features, ROWS)
    y = coded_targets(case.train.targets, ROWS)
    if x is None or y is None or len(x) < 4 * NEIGHBOURS or len(x) != len(y):
        return None
    distances = np.square(x).sum(1)[:, None] - 2 * x @ x.T + np.square(x).sum(1)
    np.fill_diagonal(distances, np.inf)
    near = np.argpartition(distances, NEIGHBOURS - 1, 1)[:, :NEIGHBOURS]
    targets = as_array(case.train.targets)
    if targets is not None and kind_of(targets[:ROWS]) == "numbers":
        spread = float(np.square(y - y.mean(0)).sum())
        left = float(np.square(y[near].mean(1) - y).sum())
        return 1 - left / max(spread, 1e-12), 0.0
    _, labels = np.unique(y, axis=0, return_inverse=True)
    labels = labels.reshape(-1)
    chance = float(np.square(np.bincount(labels) / len(labels)).sum())
    return float((labels[near] == labels[:, None]).mean()), chance


def simple_of(case: Case) -> dict[str, float]:
    """The fitness of simple models on rows they have not seen, once for a case."""
    if "simple_fitness" not in case.notes:
        rows = case.train
        found = {} if rows is None else simple_fitness(rows.features, rows.targets, ROWS)
        case.notes["simple_fitness"] = found
    known: dict[str, float] = case.notes["simple_fitness"]
    return known


def own_fitness(case: Case) -> float | None:
    """The network's own fitness on the fixed rows, in evaluation mode."""
    rows = fixed_rows(case)
    return fitness(case.bench.outputs(rows), rows[1])
