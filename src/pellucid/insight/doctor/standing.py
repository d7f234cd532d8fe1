"""How a training stands: what it has learned, against what there is to learn, and its course.

Nothing is compared with a fixed number where there is a reference: the answer that ignores the
features, simple models on the same rows, the first steps of the run itself, its own noise.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import PellucidError
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.clock import within
from pellucid.insight.doctor.facts import taken_of
from pellucid.insight.doctor.findings import Evidence, Suspicion
from pellucid.insight.doctor.fitness import as_array, fitness, kind_of
from pellucid.insight.doctor.probes.inputs import simple_of
from pellucid.insight.doctor.trying import batches_of, bench_of, fixed_rows, trivial_of
from pellucid.training.batches import leaves, mapped, tensors

Floats = npt.NDArray[np.float64]

NOTHING = 0.05
"""Who has learned less than this share of what there is has learned nothing."""
HALF = 0.5
BEHIND = 0.1
"""So far behind a simple model is more than chance."""


@dataclass(frozen=True)
class Standing:
    """Where a training stands.

    ``start`` is its first loss, ``end`` the loss of rows that it learned from, in evaluation mode,
    ``in_training`` in training mode; ``learned`` the share of ``trivial`` (the loss of answers that
    ignore the features; the first loss where that is not known) that is gone; ``good`` and
    ``held`` how good the answers are on training and validation rows (:mod:`.fitness`), ``simple``
    the better of a linear model and nearest neighbours.
    """

    start: float
    end: float
    in_training: float
    trivial: float | None
    learned: float
    good: float | None
    held: float | None
    simple: float | None
    is_finite: bool

    @property
    def diverged(self) -> bool:
        """Whether the loss became infinite, or ended far above where it could have stayed."""
        if not self.is_finite:
            return True
        reference = max(self.start, self.trivial or -math.inf)
        return math.isfinite(reference) and self.end > reference + HALF * abs(reference)

    @property
    def hopeless(self) -> bool:
        """Whether no simple model finds anything to learn either."""
        return self.simple is not None and self.simple < BEHIND

    @property
    def stuck(self) -> bool:
        """Whether nothing was learned."""
        if self.good is not None and math.isfinite(self.good):
            return self.good < NOTHING and self.learned < HALF
        return self.learned < NOTHING

    @property
    def poor(self) -> bool:
        """Whether less was learned than can be: nothing, though others find something; less than a
        simple model; or not even half where nobody knows how much there is."""
        if self.diverged:
            return True
        if self.hopeless:
            return False
        if self.stuck:
            return True
        if self.simple is not None and self.good is not None:
            return self.good < self.simple - BEHIND
        return self.learned < HALF and self.simple is None

    def evidence(self) -> tuple[Evidence, ...]:
        """What shows where it stands."""
        found = []
        if self.trivial is not None:
            text = "loss of the training rows; answers that ignore the features have"
            found.append(Evidence(text, self.end, f"below {self.trivial:.4g}"))
        elif math.isfinite(self.start):
            found.append(Evidence("loss at the end", self.end, f"below {self.start:.4g}"))
        if self.good is not None and self.simple is not None and self.good < self.simple:
            text = "share learned of the training rows; a simple model learns of rows it never saw"
            found.append(Evidence(text, self.good, f"{self.simple:.3g} or more"))
        return tuple(found)


def standing_of(case: Case) -> Standing | None:
    """The standing of a case that has a bench, measured once; None without."""
    if "standing" not in case.notes:
        case.notes["standing"] = _measured(case)
        found: Standing | None = case.notes["standing"]
        if found is not None and case.phase != "before" and found.poor:
            listed = found.evidence()
            # Where nobody knows what there is to reach, a loss may stay as it is, or rise: that of
            # two networks against each other, or of values that are learned from themselves.
            is_measured = found.trivial is not None or not found.is_finite
            if listed and is_measured and (found.diverged or found.stuck):
                case.notes.setdefault("sick", listed[0])
    known: Standing | None = case.notes["standing"]
    return known


def _measured(case: Case) -> Standing | None:
    bench: Any = bench_of(case) if case.bench is None else case.bench
    if bench is None or not bench.batches and not batches_of(case):
        return None
    groups = getattr(case.optimizer, "param_groups", None) or []
    if case.notes.get("against another") or any(group.get("maximize") for group in groups):
        return None  # networks against each other, and what is raised on purpose, have no such loss
    try:
        rows = fixed_rows(case)
        end, training = bench.loss(rows, training=False), bench.loss(rows)
    except PellucidError:
        return None
    trivial = trivial_of(case) if isinstance(bench, ModelBench) else None
    first = [loss for loss in case.losses[:3] if math.isfinite(loss)]
    start = float(np.mean(first)) if first else _first_of(case)
    reference = trivial if trivial is not None and trivial > 0 else start
    learned = 1.0
    if math.isfinite(reference) and reference > 0:
        learned = (reference - end) / reference if math.isfinite(end) else -math.inf
    good = held = None
    if isinstance(bench, ModelBench):
        good = _good(case, bench.outputs(rows), rows[1])
        held = _held(case, bench)
    simple = max(simple_of(case).values(), default=None) if case.train is not None else None
    targets = as_array(rows[1]) if isinstance(bench, ModelBench) else None
    if targets is not None and targets.size and (targets == targets.ravel()[0]).all():
        simple = 0.0  # all targets are equal: there is nothing to learn
    finite = math.isfinite(end) and case.failure is None and all(map(math.isfinite, case.losses))
    return Standing(start, end, training, trivial, learned, good, held, simple, finite)


def _first_of(case: Case) -> float:
    found = [entry.get("loss") for entry in case.history[:1]]
    return float(found[0]) if found and found[0] is not None else math.nan


def _held(case: Case, bench: ModelBench) -> float | None:
    if case.validation is None or case.validation.targets is None:
        return None
    given = tensors((case.validation.features, case.validation.targets))
    count = int(next(leaves(fixed_rows(case)[0])).shape[0])
    pair = mapped(given, lambda part: part[: 2 * count])
    return _good(case, bench.outputs(pair), pair[1])


def _good(case: Case, outputs: Any, targets: Any) -> float | None:
    """How good answers are; of numbers whose loss is no distance to them, as of the logarithm of
    a rate, by how well the order of the answers is that of the targets."""
    found = fitness(outputs, targets)
    answers, wanted = as_array(outputs), as_array(targets)
    if found is None or answers is None or wanted is None or answers.size != wanted.size:
        return found
    if kind_of(wanted) != "numbers" or taken_of(case).kind == "values":
        return found
    first, second = (_ranks(part) for part in (answers, wanted))
    return max(found, float(np.corrcoef(first, second)[0, 1]) ** 2) if wanted.size > 2 else found


def _ranks(values: npt.NDArray[Any]) -> Floats:
    return np.argsort(np.argsort(values.reshape(-1))).astype(np.float64)


# ---- the course ----------------------------------------------------------------------------------

POINTS = 20


def curve(case: Case, name: str = "loss") -> Floats:
    """The loss over the epochs, or, of fewer than 4 epochs, over parts of the steps."""
    found = [entry.get(name) for entry in case.history]
    if len(found) >= 4 and None not in found:
        return np.asarray(found, np.float64)
    if name != "loss" or len(case.losses) < 8:
        return np.asarray([value for value in found if value is not None], np.float64)
    parts = np.array_split(np.asarray(case.losses, np.float64), min(POINTS, len(case.losses) // 2))
    return np.asarray([part.mean() for part in parts])


@dataclass(frozen=True)
class Trend:
    """A straight line through points: ``slope`` per point, its standard ``error`` and the
    ``noise`` of the points around it."""

    slope: float
    error: float
    noise: float

    @property
    def falls(self) -> bool:
        """Whether it falls, with three standard errors."""
        return self.slope < -3 * self.error

    @property
    def rises(self) -> bool:
        """Whether it rises, with three standard errors."""
        return self.slope > 3 * self.error


def trend(points: Sequence[float] | Floats) -> Trend | None:
    """The least-squares line; None for fewer than 4 finite points."""
    y = np.asarray(points, np.float64)
    if len(y) < 4 or not np.isfinite(y).all():
        return None
    x = np.arange(len(y)) - (len(y) - 1) / 2
    slope = float((x * y).sum() / (x * x).sum())
    rest = y - y.mean() - slope * x
    noise = float(math.sqrt((rest * rest).sum() / (len(y) - 2)))
    return Trend(slope, noise / math.sqrt(float((x * x).sum())), noise)


def swing(points: Floats) -> float:
    """How far a curve jumps up and down: the median step that goes back on the one before."""
    steps = np.diff(points[np.isfinite(points)])
    if len(steps) < 4:
        return 0.0
    back = steps[1:] * steps[:-1] < 0
    return float(np.median(np.abs(steps[1:][back]))) if back.mean() > 0.5 else 0.0


Rule = Callable[[Case], Iterable[Suspicion]]


SECONDS = 2.0
"""No rule of these files begins later than this after the first of them began."""


def quiet(*rules: Rule) -> tuple[Rule, ...]:
    """Rules whose arithmetic overflows without a word, as numbers of a sick run may have any size;
    and which say nothing once the rules of a case have taken long."""
    return tuple(_quiet(rule) for rule in rules)


def _quiet(rule: Rule) -> Rule:
    @functools.wraps(rule)
    def asked(case: Case) -> list[Suspicion]:
        until = case.notes.setdefault(f"rules until, {case.phase}", within(SECONDS))
        if until.is_over:
            return []
        try:
            with np.errstate(all="ignore"):
                return list(rule(case))
        except Exception as error:  # a user's model may refuse what it is asked in any way
            case.notes.setdefault("refused", []).append((rule.__name__, error))
            return []

    return asked
