"""What rules ask about a case, measured once and kept in its notes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor.case import Case, Rows
from pellucid.insight.doctor.clock import worked
from pellucid.insight.doctor.ends import Ending, ending_of
from pellucid.insight.doctor.gathering import some
from pellucid.insight.doctor.recording import Computation, record
from pellucid.insight.doctor.steps import RecordedLoss
from pellucid.insight.doctor.taking import Taking, taking_of
from pellucid.insight.doctor.task import Task, infer_task
from pellucid.insight.doctor.untouched import untouched
from pellucid.nn.module import Module
from pellucid.training.batches import arrays_of, leaves

Array = npt.NDArray[Any]

FIRST_ROWS = 8
RUN_ROWS = 64
"""Rows that are run, where the model is quick."""
RUN_SECONDS = 0.25
"""Time that one run may take."""


def features_of(rows: Rows | None) -> list[Array]:
    """The features as arrays (rows, …), one for each tensor that the model takes."""
    return [] if rows is None else [np.asarray(a) for a in leaves(arrays_of(rows.features))]


def targets_of(rows: Rows | None) -> Array | None:
    """The targets as an array; None without any, or where they are several."""
    if rows is None or rows.targets is None:
        return None
    found = [np.asarray(a) for a in leaves(arrays_of(rows.targets))]
    return found[0] if len(found) == 1 else None


def sample_of(case: Case) -> Rows | None:
    """The training rows that are run."""
    if case.train is None:
        return None
    if "sample" not in case.notes:
        size = int(case.settings.get("batch_size") or RUN_ROWS)
        case.notes["sample"] = some(case.train, size if takes_one_size(case) else RUN_ROWS)
    found: Rows = case.notes["sample"]
    return found


def evaluated(case: Case) -> Computation | None:
    """The model run in evaluation mode on the sample; fewer rows where it takes long."""
    return _run(case, "evaluated", False)


def trained(case: Case) -> Computation | None:
    """The model run in training mode on the sample, with the gradients of the loss."""
    return _run(case, "trained", True)


def _run(case: Case, name: str, training: bool) -> Computation | None:
    if not isinstance(case.model, Module) or case.train is None:
        return None
    if name not in case.notes:
        sample = sample_of(case) or case.train
        with untouched(*modules_of(case)):
            if "evaluated" not in case.notes:
                begun = worked()
                record(case.model, some(sample, FIRST_ROWS).features, training=False)
                seconds = worked() - begun
                rows = int(FIRST_ROWS * RUN_SECONDS / max(seconds, 1e-4))
                if not takes_one_size(case):
                    case.notes["sample"] = sample = some(sample, max(FIRST_ROWS, rows))
            case.notes[name] = record(
                case.model, sample.features, sample.targets, case.loss, training=training
            )
    found: Computation = case.notes[name]
    return found


def takes_one_size(case: Case) -> bool:
    """Whether the loss is one that a loop wrote down, which holds for batches of its size alone."""
    return isinstance(case.loss, RecordedLoss) and case.loss.form is None


def is_plain(case: Case) -> bool:
    """Whether the targets are those of one network: not where several networks judge each other,
    as generator and discriminator do."""
    return len(getattr(case.bench, "models", ())) <= 1


def modules_of(case: Case) -> list[Module]:
    """The networks that an examination may touch: the model, and a loss with state."""
    return [part for part in (case.model, case.loss) if isinstance(part, Module)]


def task_of(case: Case) -> Task:
    """What the targets ask for."""
    if "task" not in case.notes:
        features = features_of(case.train)
        run = evaluated(case)
        output = None if run is None or run.output is None else tuple(run.output.shape[1:])
        first = features[0] if len(features) == 1 else None
        case.notes["task"] = infer_task(targets_of(case.train), first, output)
    found: Task = case.notes["task"]
    return found


def end_of(case: Case) -> Ending | None:
    """The end of the network, as it is when it learns."""
    if "ending" not in case.notes:
        run = evaluated(case)
        case.notes["ending"] = None if run is None or run.output is None else ending_of(run.output)
    found: Ending | None = case.notes["ending"]
    return found


def taken_of(case: Case) -> Taking:
    """What the loss takes."""
    if "taking" not in case.notes:
        run = evaluated(case)
        case.notes["taking"] = taking_of(case.loss, run, task_of(case))
    found: Taking = case.notes["taking"]
    return found


def units_of(case: Case) -> int:
    """The number of outputs of a row (of a position, where there are several); 0 if unknown."""
    run = evaluated(case)
    if run is None or run.output is None or not run.output.shape:
        return 0
    shape = run.output.shape
    task = task_of(case)
    if len(shape) == 1:
        return 1
    if task.kind == "sequence of classes" and len(shape) == 3:
        length = task.shape[0] if task.shape else 0
        return int(shape[1] if shape[2] == length and shape[1] != length else shape[-1])
    return int(shape[1])


def place_of(case: Case) -> str:
    """The layer at the end of the network, by its path."""
    end = end_of(case)
    return "" if end is None else layer_name(case, end.layer)


def layer_name(case: Case, path: str) -> str:
    """A layer's path for people: the model itself by nothing."""
    return "" if path == type(case.model).__name__ else path
