"""How far predictions can be trusted: reliability before and after calibration, and how often sets
and intervals held the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.insight.report.charts import line_chart
from pellucid.insight.report.markup import number, safe, said, table
from pellucid.training.calibration import Calibration
from pellucid.training.network import apply_head
from pellucid.training.stored_run import Predictions, StoredRun
from pellucid.training.trust import Floats, Reliability, reliability

_LEVELS = (0.8, 0.9, 0.95)
_MOST_TARGETS = 12


def reliability_section(run: StoredRun) -> str:
    """How often predictions are right over how sure they are, of several labels over all of them;
    where the probabilities were calibrated, also before that."""
    kept, kind = run.predictions, run.saved.task.kind
    if kept is None or kind == "regression":
        return ""
    known = run.saved.calibration
    found = _reliability(kept, kept.predicted)
    text = f"<p>expected calibration error {found.error:.1%}</p>"
    lines = [("answers of the network", "a", list(found.confidence), list(found.accuracy))]
    ends = [found.confidence[0], found.confidence[-1]]
    if known is not None and known.temperature != 1.0:
        raw = _reliability(kept, _uncalibrated(kind, kept.predicted, known.temperature))
        lines.append(("before calibration", "c", list(raw.confidence), list(raw.accuracy)))
        ends = [min(ends[0], raw.confidence[0]), max(ends[1], raw.confidence[-1])]
        sure = "too sure" if known.temperature > 1 else "not sure enough"
        text = (
            f"<p>expected calibration error {raw.error:.1%} before, {found.error:.1%} after</p>"
            f"<p>By the validation rows the network was {said(sure)}: its scores are divided by "
            f"{known.temperature:.3g} (the temperature).</p>"
        )
    elif known is not None:
        text += "<p>By the validation rows nothing was to be gained by calibration.</p>"
    lines.append(("as sure as right", "b", ends, ends))
    return (
        line_chart(lines, "how sure it is", "share that is right", whole=False, shares=True) + text
    )


def _reliability(kept: Predictions, predicted: Floats) -> Reliability:
    """Of class numbers, or of all labels together."""
    if kept.true.ndim == 2:
        return reliability(predicted.reshape(-1), kept.true.reshape(-1))
    return reliability(predicted, kept.true)


def _uncalibrated(kind: str, predicted: Floats, temperature: float) -> Floats:
    """The probabilities that the network gave by itself."""
    least = np.finfo(np.float64).tiny
    scores = np.log(np.maximum(predicted, least))
    if kind != "multiclass":
        scores = scores - np.log(np.maximum(1 - predicted, np.finfo(np.float64).eps / 2))
    return apply_head("multiclass" if kind == "multiclass" else "binary", scores * temperature)


def run_reliability(run: StoredRun) -> Reliability | None:
    """The reliability of the stored predictions; None for numbers and without predictions."""
    if run.predictions is None or run.saved.task.kind == "regression":
        return None
    return _reliability(run.predictions, run.predictions.predicted)


def coverage_section(run: StoredRun) -> str:
    """How wide intervals and how large sets are, and how often they held the truth."""
    found = coverage(run)
    if not found:
        return ""
    regression = run.saved.task.kind == "regression"
    several = len({one["target"] for one in found}) > 1
    size = "interval" if regression else "classes in the set, on average"
    heads = ["share that is promised", *(["target"] if several else []), size, "held the truth"]
    rows = []
    for one in found:
        text = f"± {number(one['size'])}" if regression else f"{one['size']:.2f}"
        name = [safe(one["target"])] if several else []
        rows.append([f"{one['level']:.0%}", *name, text, f"{one['held']:.1%}"])
    return table(heads, rows, numeric_from=2 if several else 1)


def coverage(run: StoredRun) -> list[dict[str, Any]]:
    """For each level that is promised and each output (twelve at most): ``size``, half of an
    interval or the mean number of classes in a set, and the share that ``held`` the truth."""
    kept, known = run.predictions, run.saved.calibration
    if kept is None or known is None or run.part != "test":
        return []
    levels = [level for level in _LEVELS if level <= known.widest]
    return [one for level in levels for one in _coverage(run, kept, known, level)]


def _coverage(
    run: StoredRun, kept: Predictions, known: Calibration, level: float
) -> list[dict[str, Any]]:
    """An entry for each output."""
    task = run.saved.task
    if task.kind == "regression":
        wanted = kept.true.reshape(kept.predicted.shape)
        low, high = known.intervals(kept.predicted, level)
        held = ((low <= wanted) & (wanted <= high)).mean(axis=0)
        sizes = known.limits(level)
    else:
        sets = known.sets(task, kept.predicted, level)
        wanted = kept.true.reshape(sets.shape[:-1]).astype(np.int64)
        held = np.atleast_1d(
            np.take_along_axis(sets, wanted[..., None], axis=-1)[..., 0].mean(axis=0)
        )
        sizes = np.atleast_1d(sets.sum(axis=-1).mean(axis=0))
    several = len(known.scores) > 1
    names = list(task.targets) if several else [task.targets[0]]
    return [
        {"level": level, "target": name, "size": float(size), "held": float(share)}
        for name, size, share in zip(names, sizes.tolist(), held.tolist(), strict=True)
    ][:_MOST_TARGETS]
