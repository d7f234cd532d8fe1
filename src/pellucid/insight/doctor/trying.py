"""Short trainings on a case's bench: the same rows and random numbers, one thing changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.clock import Deadline, worked
from pellucid.insight.doctor.fitness import as_array, fitness, kind_of, trivial_loss
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import manual_seed
from pellucid.training.batches import Batch, leaves, mapped, rows_in, tensors

STEPS = 40
FEWEST_STEPS = 12
COURSE_SECONDS = 0.35
"""A course is cut short, for all variants alike, where its steps would take longer."""
PROBE_ROWS = 256
LOSS_SECONDS = 0.2
BATCHES = 8
CLEAR = 0.1
"""A change has helped if it lowers the loss by this share of the trivial predictor's loss."""


@dataclass(frozen=True)
class Course:
    """A short training: the ``losses`` of its steps, the loss of fixed rows before and after it,
    and how good the answers to them are at the end (:func:`fitness`), None where unknown."""

    losses: tuple[float, ...]
    start: float
    end: float
    fitness: float | None = None

    @property
    def gain(self) -> float:
        """By how much the loss fell."""
        return self.start - self.end


def bench_of(case: Case) -> ModelBench | None:
    """The case's bench where a model and a loss are known; made from the case where it has none."""
    if case.bench is None and None not in (case.model, case.loss, case.train):
        settings = case.settings
        case.bench = ModelBench(
            case.model, case.loss, case.optimizer, _cut(case),
            augment=settings.get("augment"), clip_norm=float(settings.get("clip_norm") or 0.0),
        )  # fmt: skip
    return case.bench if isinstance(case.bench, ModelBench) else None


def _cut(case: Case) -> list[Batch]:
    """Batches of the case's rows as the program makes them."""
    if case.train is None:
        return []
    features, targets = tensors((case.train.features, case.train.targets))
    rows = rows_in((features,))
    size = min(int(case.settings.get("batch_size") or 64), rows)
    order = np.random.default_rng(0).permutation(rows)
    starts = range(0, max(1, rows - size + 1), size)
    return [_rows((features, targets), order[at : at + size]) for at in list(starts)[:BATCHES]]


def _rows(batch: Batch, rows: Any) -> Batch:
    numbers = as_tensor(np.ascontiguousarray(np.asarray(rows, np.int64)))
    return mapped(batch, lambda part: part.index_select(0, numbers))


def batches_of(case: Case) -> list[Any]:
    """The batches that a short training goes through, again and again."""
    found = case.notes.get("doctor_batches")
    if found is None:
        bench = case.bench
        own = list(bench.batches) if bench is not None else []
        found = []
        if case.train is not None and (bench is None or isinstance(bench, ModelBench)):
            found = _cut(case)
        if bench is not None and found and not _runs(bench, found[0]):
            found = []
        found = case.notes["doctor_batches"] = found or own
    return list(found)


def _runs(bench: ModelBench, batch: Any) -> bool:
    """Whether a batch that was cut from the case's rows is what the program takes."""
    try:
        bench.loss(batch)
    except (PellucidError, TypeError, ValueError):
        return False
    return True


def fixed_rows(case: Case) -> Batch:
    """Rows on which levels are measured: up to 256 of those that are learned from."""
    found = case.notes.get("doctor_rows")
    if found is None:
        batches = batches_of(case)
        found = batches[-1]
        if case.train is not None and found is not None and isinstance(case.bench, ModelBench):
            pair = tensors((case.train.features, case.train.targets))
            rows = rows_in((pair[0],))
            order = np.random.default_rng(1).permutation(rows)[: _affordable(case, found)]
            given = _rows(pair, np.sort(order))
            found = given if _runs(case.bench, given) else found
        case.notes["doctor_rows"] = found
    kept: Batch = found
    return kept


def _affordable(case: Case, batch: Any) -> int:
    """How many rows are looked at: at least a batch, at most 256, and what a fifth of a second
    allows."""
    size = rows_in((batch[0],))
    start = worked()
    case.bench.loss(batch, training=False)
    seconds = worked() - start
    return max(size, min(PROBE_ROWS, int(size * LOSS_SECONDS / max(seconds, 1e-6))))


def out_of_time(case: Case) -> bool:
    """Whether the time that probes were given is over."""
    until: Deadline | None = case.notes.get("until")
    return until is not None and until.is_over


def redraw(model: Any) -> int:
    """Draws the weights of all layers that know how to anew; how many did."""
    count = 0
    for module in model.modules():
        reset = getattr(module, "reset_parameters", None)
        own = list(module.parameters(recurse=False))
        if callable(reset) and any(p.requires_grad for p in own):  # what is frozen was learned
            reset()
            count += 1
    return count


def steps_for(case: Case) -> int:
    """How many steps a course has: as many as fit into a third of a second, 12 to 40."""
    known = case.notes.get("doctor_steps")
    if known is None:
        bench, batch = case.bench, batches_of(case)[0]
        with bench.trial():
            bench.step(batch)
            start = worked()
            bench.step(batch)
            seconds = worked() - start
        known = int(min(STEPS, max(FEWEST_STEPS, COURSE_SECONDS / max(seconds, 1e-6))))
        case.notes["doctor_steps"] = known
    return int(known)


Change = Callable[[Any], Any]
"""Changes a bench inside of a trial; may give back what turns a batch into another one."""


def course(
    case: Case,
    key: str,
    change: Change | None = None,
    *,
    fresh: bool = False,
    scale: float = 1.0,
    steps: int = 0,
    batches: Sequence[Any] | None = None,
) -> Course:
    """A short training from the weights of now, or from ``fresh`` ones and without slots.

    ``key`` names the variant: a course is made once for each and each setting.  Rows, order and
    random numbers are the same in all of them.
    """
    known = case.notes.setdefault("doctor_courses", {})
    name = (key, fresh, scale, steps)
    if name not in known:
        known[name] = _made(case, change, fresh, scale, steps or steps_for(case), batches)
    found: Course = known[name]
    return found


def _made(
    case: Case, change: Change | None, fresh: bool, scale: float, steps: int, batches: Any
) -> Course:
    bench, rows = case.bench, fixed_rows(case)
    given = list(batches or batches_of(case))
    with bench.trial():
        if fresh and getattr(bench, "model", None) is not None:
            manual_seed(0)
            redraw(bench.model)
            bench.optimizer.state.clear()
        turned = change(bench) if change is not None else None
        if turned is not None:
            rows, given = turned(rows), [turned(batch) for batch in given]
        start, losses = _finite(bench.loss(rows)), []
        for step in range(steps):
            losses.append(_finite(bench.step(given[step % len(given)], scale=scale)))
            if losses[-1] == math.inf:
                break
        end = math.inf if losses and losses[-1] == math.inf else _finite(bench.loss(rows))
        good = _fitness(bench, rows) if isinstance(bench, ModelBench) else None
    return Course(tuple(losses), start, end, good)


def _fitness(bench: ModelBench, rows: Any) -> float | None:
    """In training mode: running statistics of a few steps say little."""
    return fitness(bench.outputs(rows, training=True), rows[1]) if len(rows) > 1 else None


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def trivial_of(case: Case) -> float | None:
    """The loss of the best known answer that does not look at the features, on the fixed rows."""
    if "trivial_loss" not in case.notes:
        bench, found = bench_of(case), None
        if bench is not None:
            rows = fixed_rows(case)
            found = trivial_loss(bench.loss_function, bench.outputs(rows), rows[1])
        case.notes["trivial_loss"] = found
    known: float | None = case.notes["trivial_loss"]
    return known


def span_of(case: Case) -> float:
    """What a loss is measured in: what there is to gain from answers that ignore the features (or,
    where that is not known, from those of a fresh start) down to zero."""
    trivial = trivial_of(case)
    if trivial is not None and trivial > 0:
        return trivial
    first = [loss for loss in case.losses[:5] if math.isfinite(loss)]
    if first:
        return max(abs(float(np.median(first))), 1e-12)
    return max(abs(course(case, "as it is").start), 1e-12)


def is_real(batch: Any) -> bool:
    """Whether the features of a batch are floating-point numbers."""
    if not isinstance(batch, (tuple, list)) or not batch:
        return False
    found = [as_array(part) for part in leaves(batch[0])]
    return bool(found) and all(x is not None and x.dtype.kind == "f" for x in found)


def drop_nothing(model: Any) -> int:
    """Turns all dropout of a model off; in how many layers."""
    count = 0
    for module in model.modules():
        for name in ("p", "dropout"):
            value = vars(module).get(name)
            if isinstance(value, float) and value > 0 and _drops(module, name):
                setattr(module, name, 0.0)
                count += 1
    return count


def _drops(module: Any, name: str) -> bool:
    return name == "dropout" or "Dropout" in type(module).__name__


def scaler(rows: Any, *, features: bool, targets: bool) -> Callable[[Any], Any]:
    """What turns a batch's real features, and targets that are numbers, to mean 0 and deviation 1
    by what ``rows`` have: every column of tables for itself, of pictures and series all values."""
    known = {id_: _moments(part) for id_, part in enumerate(leaves(rows[0])) if features}
    goal = _moments(rows[1]) if targets and _are_numbers(rows[1]) else None

    def turn(batch: Any) -> Any:
        places = iter(range(len(known)))
        inputs = (
            mapped(batch[0], lambda part: _scaled(part, known[next(places)])) if known else None
        )
        answers = batch[1] if goal is None else _scaled(batch[1], goal)
        return (batch[0] if inputs is None else inputs, answers, *batch[2:])

    return turn


def _are_numbers(targets: Any) -> bool:
    array = as_array(targets)
    return array is not None and array.dtype.kind == "f" and kind_of(array) == "numbers"


def _moments(part: Any) -> tuple[Any, Any] | None:
    array = as_array(part)
    if array is None or array.dtype.kind != "f" or not array.size:
        return None
    axes = 0 if array.ndim <= 2 else None
    mean, deviation = array.mean(axes, dtype=np.float64), array.std(axes, dtype=np.float64)
    return mean, np.where(deviation > 0, deviation, 1.0)


def _scaled(part: Any, moments: tuple[Any, Any] | None) -> Any:
    if moments is None:
        return part
    array = np.asarray(part.detach().array())
    return as_tensor(((array - moments[0]) / moments[1]).astype(array.dtype))
