"""How far predicted numbers are off, and where."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from pellucid.insight.report.charts import bars, scatter
from pellucid.insight.report.markup import number, safe
from pellucid.training.observe import Distribution
from pellucid.training.stored_run import StoredRun

MOST_TARGETS = 6


def row_labels(run: StoredRun) -> list[str]:
    """The rows of the predictions by their numbers."""
    kept = run.predictions
    return [] if kept is None else [f"row {row}" for row in kept.rows.tolist()]


def _heading(run: StoredRun, target: int, text: str) -> str:
    """The target's name where there are several."""
    names = run.saved.task.targets
    return f"<h3>{safe(names[target])}{text}</h3>" if len(names) > 1 else ""


def scatter_section(run: StoredRun) -> str:
    """Predicted against true values, a picture for each target (six at most)."""
    if run.predictions is None:
        return ""
    predicted = run.predictions.predicted
    true = run.predictions.true.reshape(predicted.shape)
    names = run.saved.task.targets
    return "".join(
        _heading(run, i, "")
        + scatter(
            true[:, i],
            predicted[:, i],
            f"true {names[i]}",
            f"predicted {names[i]}",
            labels=row_labels(run),
            guide="diagonal",
            square=True,
        )
        for i in range(min(len(names), MOST_TARGETS))
    )


def errors_section(run: StoredRun) -> str:
    """How the errors (predicted - true) of each target are distributed."""
    if run.predictions is None:
        return ""
    predicted = run.predictions.predicted
    errors = predicted - run.predictions.true.reshape(predicted.shape)
    names = run.saved.task.targets
    parts = []
    for i in range(min(len(names), MOST_TARGETS)):
        shape = Distribution.of(errors[:, i])
        inside = float(np.mean(np.abs(errors[:, i] - shape.mean) <= shape.deviation))
        text = (
            f"mean {number(shape.mean, 3)} (0 would be no bias), deviation "
            f"{number(shape.deviation, 3)}; {inside:.0%} of the rows lie within one deviation "
            f"(68% for a normal distribution); half of all errors are below "
            f"{number(float(np.median(np.abs(errors[:, i]))), 3)} in size"
        )
        label = f"errors of {names[i]}"
        picture = bars(shape.counts, shape.low, shape.high, "predicted − true", "rows", label)
        parts.append(f'{_heading(run, i, ": predicted − true")}{picture}<p class="note">{text}</p>')
    return "".join(parts)


def residuals_section(run: StoredRun) -> str:
    """Errors over predicted values: without a pattern where nothing more can be learned."""
    if run.predictions is None:
        return ""
    predicted = run.predictions.predicted
    errors = predicted - run.predictions.true.reshape(predicted.shape)
    names = run.saved.task.targets
    return "".join(
        _heading(run, i, "")
        + scatter(
            predicted[:, i],
            errors[:, i],
            f"predicted {names[i]}",
            "predicted − true",
            labels=row_labels(run),
            guide="zero",
        )
        for i in range(min(len(names), MOST_TARGETS))
    )


def quantiles_section(run: StoredRun) -> str:
    """Errors in order against those of a normal distribution with their mean and deviation."""
    if run.predictions is None or len(run.predictions.rows) < 8:
        return ""
    predicted = run.predictions.predicted
    errors = predicted - run.predictions.true.reshape(predicted.shape)
    parts = []
    for i in range(min(errors.shape[1], MOST_TARGETS)):
        order = np.argsort(errors[:, i], kind="stable")
        found = errors[order, i]
        normal = NormalDist(float(found.mean()), float(found.std()) or 1.0)
        places = (np.arange(len(found)) + 0.5) / len(found)
        expected = np.array([normal.inv_cdf(float(place)) for place in places])
        labels = row_labels(run)
        picture = scatter(
            expected,
            found,
            "error of a normal distribution",
            "error",
            labels=[labels[int(place)] for place in order],
            guide="diagonal",
        )
        parts.append(_heading(run, i, "") + picture)
    return "".join(parts)
