"""Where among its rows a network errs: groups with bad figures, errors over each column."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid.data.columns import Column, number_text
from pellucid.insight.report.charts import Level, levels_chart
from pellucid.insight.report.markup import number, safe, said, table
from pellucid.insight.segments import MIN_ROWS, Segment, welch, worst_segments
from pellucid.insight.thresholds import wilson
from pellucid.training.mistakes import class_probabilities
from pellucid.training.stored_run import StoredRun

MOST_COLUMNS, MOST_LEVELS = 12, 8
_Z95 = 1.96

Floats = npt.NDArray[np.float64]


class RowErrors(NamedTuple):
    """The error of each row of ``run.rows``: 1 or 0 for classes, the error's size for numbers;
    ``signed`` are errors with their sign; ``name`` says what it is."""

    sizes: Floats
    signed: Floats
    name: str


def row_errors(run: StoredRun) -> RowErrors | None:
    """The errors of the rows whose columns are stored; None without them."""
    if run.predictions is None or run.rows is None:
        return None
    chosen, kind = run.rows.positions, run.saved.task.kind
    true, predicted = run.predictions.true[chosen], run.predictions.predicted[chosen]
    if kind == "regression":
        errors = predicted - true.reshape(predicted.shape)
        if errors.shape[1] > 1:
            spread = errors.std(axis=0)
            errors = errors / np.where(spread > 0, spread, 1.0)
            size = np.abs(errors).mean(axis=1)
            return RowErrors(size, size, "mean error in deviations")
        return RowErrors(np.abs(errors[:, 0]), errors[:, 0], "mean size of the error")
    if kind == "multilabel":
        wrong = ((predicted > 0.5) != (true.reshape(predicted.shape) > 0.5)).mean(axis=1)
    else:
        wrong = class_probabilities(predicted).argmax(axis=1) != true
    shares = np.asarray(wrong, np.float64)
    return RowErrors(shares, shares, "share that is wrong")


def segments(run: StoredRun) -> list[Segment]:
    """The groups of stored rows in which the network errs most beyond chance."""
    errors = row_errors(run)
    if errors is None or run.rows is None:
        return []
    return worst_segments(run.rows.table, errors.sizes)


def segments_section(run: StoredRun) -> str:
    """The groups with the worst figures as a table; a sentence where none stands out."""
    errors = row_errors(run)
    if errors is None or run.rows is None or len(run.rows.table) < 2 * MIN_ROWS:
        return ""
    found = segments(run)
    if not found:
        return (
            "<p>None stands out: in no group of at least 12 rows, by one column or two, is the "
            "error larger than elsewhere beyond chance.</p>"
        )
    shares = run.saved.task.kind != "regression"
    rows = []
    for one in found:
        conditions = f" {said('and')} ".join(safe(text, 80) for text in one.conditions)
        values = (f"{v:.0%}" if shares else number(v, 3) for v in (one.error, one.others))
        p = "below 0.0001" if one.p < 1e-4 else f"{one.p:.2g}"
        rows.append([conditions, f"{one.rows:,}", *values, p])
    return table(["rows for which", "rows", errors.name, "elsewhere", "p value"], rows)


def columns_section(run: StoredRun) -> str:
    """Errors over each column, those first over which they differ most."""
    errors = row_errors(run)
    if errors is None or run.rows is None:
        return ""
    regression = run.saved.task.kind == "regression" and len(run.saved.task.targets) == 1
    values = errors.signed if regression else errors.sizes
    found = []
    for column in run.rows.table.columns.values():
        groups = column_groups(column)
        if len(groups) > 1:
            found.append((_spread(groups, values), column.name, groups))
    found.sort(key=lambda entry: -entry[0])
    title = "mean error" if regression else errors.name
    reference = 0.0 if regression else float(values.mean())
    cells = []
    for _, name, groups in found[:MOST_COLUMNS]:
        levels = [_level(label, values[mask], not regression) for label, mask in groups]
        chart = levels_chart(levels, title, reference)
        cells.append(f"<div><h3>{safe(name)}</h3>{chart}</div>")
    return f'<div class="small wide">{"".join(cells)}</div>' if cells else ""


def column_groups(column: Column) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """The rows by a column: each of its commonest categories, or parts of its range with equally
    many rows; groups of at least five rows."""
    missing = column.missing
    groups: list[tuple[str, npt.NDArray[np.bool_]]] = []
    if column.kind == "text":
        order = np.argsort(-column.counts(), kind="stable")[:MOST_LEVELS]
        groups = [(column.categories[c], np.asarray(column.values == c)) for c in order.tolist()]
    else:
        present = column.values[~missing]
        levels = np.unique(present)
        if len(levels) <= MOST_LEVELS:
            groups = [(_text(column, v), np.asarray(column.values == v)) for v in levels.tolist()]
        else:
            shares = np.linspace(0, 1, MOST_LEVELS - 1)
            cuts = np.unique(np.quantile(present, shares, method="nearest"))
            for low, high in zip(cuts[:-1], cuts[1:], strict=True):
                inside = (column.values >= low) & (
                    (column.values < high) if high < cuts[-1] else (column.values <= high)
                )
                middle = float(np.median(column.values[inside]))
                groups.append((_text(column, middle), np.asarray(inside)))
    if missing.any():
        groups.append(("–", np.asarray(missing)))
    return [(label, mask) for label, mask in groups if mask.sum() >= 5]


def _text(column: Column, value: float) -> str:
    if column.kind == "number":
        return number_text(float(f"{value:.3g}"))
    return str(Column(column.name, column.kind, np.array([value])).text(0))


def _spread(groups: list[tuple[str, npt.NDArray[np.bool_]]], values: Floats) -> float:
    """How surely the groups differ: the least p value of one against the rest, as its logarithm."""
    least = 1.0
    for _, mask in groups:
        if not mask.all():
            p = welch(values[mask], values[~mask])
            least = min(least, p, 1 - p)
    return -math.log(max(least, 1e-300))


def _level(label: str, values: Floats, shares: bool) -> Level:
    """The mean of a group with where 95 % of it lies."""
    mean = float(values.mean())
    if shares and set(np.unique(values).tolist()) <= {0.0, 1.0}:
        low, high = wilson(float(values.sum()), len(values))
        told = f"{mean:.0%} ({low:.0%} – {high:.0%})"
    else:
        reach = _Z95 * float(values.std(ddof=1)) / math.sqrt(len(values))
        low, high = mean - reach, mean + reach
        told = f"{number(mean, 3)} ({number(low, 3)} – {number(high, 3)})"
    name = safe(label, 9)
    return name, mean, low, high, f"{safe(label, 40)}: {told}, {len(values):,}"
