"""What the network's answers rest on: how much each column matters, and how answers follow it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.data.columns import number_text
from pellucid.insight.effects.curves import Effect, partial_dependence
from pellucid.insight.effects.importance import Importance, permutation_importance
from pellucid.insight.report.charts import Level, levels_chart
from pellucid.insight.report.markup import number, safe, said, table
from pellucid.training.stored_run import StoredRun

MOST_ROWS, MOST_COLUMNS, MOST_CURVES, POINTS = 1000, 20, 8, 9


class Effects(NamedTuple):
    """The columns' importance, and the effects of the most important ones on one ``output``."""

    importance: Importance
    curves: tuple[Effect, ...]
    output: int


@lru_cache(maxsize=1)  # the page and its numbers ask for the same
def run_effects(run: StoredRun) -> Effects | None:
    """The effects on the stored rows of a run (a thousand at most); None where it holds no rows or
    no weights, or answers are not finite."""
    if run.rows is None or run.predictions is None or run.model is None:
        return None
    count = len(run.rows.positions)
    kept = np.unique(np.linspace(0, count - 1, min(count, MOST_ROWS)).astype(np.int64))
    if len(kept) < 20:
        return None
    rows, true = run.rows.table.take(kept), run.predictions.true[run.rows.positions[kept]]
    try:
        importance = permutation_importance(run, rows, true)
        best = [i for i in importance.order if importance.means[i] > 0][:MOST_CURVES]
        curves = tuple(
            partial_dependence(run, rows, importance.features[i], grid_resolution=POINTS)
            for i in best
        )
    except PellucidError:
        return None
    return Effects(importance, curves, _output(run, true))


def _output(run: StoredRun, true: Any) -> int:
    """Of numbers the first target, of two classes the second, else the commonest class."""
    kind = run.saved.task.kind
    if kind == "binary":
        return 1
    return int(np.bincount(true.astype(np.int64)).argmax()) if kind == "multiclass" else 0


def importance_section(run: StoredRun) -> str:
    """How much worse the answers get without a column, with intervals."""
    found = run_effects(run)
    if found is None:
        return ""
    importance = found.importance
    largest = max(float(importance.interval.high.max()), 1e-12)
    rows = []
    for i in importance.order[:MOST_COLUMNS]:
        ends = (importance.means, importance.interval.low, importance.interval.high)
        mean, low, high = (float(values[i]) for values in ends)
        wide, left, right = (100 * max(0.0, min(1.0, v / largest)) for v in (mean, low, high))
        bar = (
            f'<span class="barcell long"><i style="width:{wide:.1f}%"></i>'
            f'<u style="left:{left:.1f}%;width:{right - left:.1f}%"></u></span>'
        )
        shown = f"{number(mean, 2)} <small>{number(low, 2)} – {number(high, 2)}</small>"
        rows.append([safe(importance.features[i], 40), bar, shown])
    lost = f"{importance.metric} that is lost"
    return table(["column", "", said(lost)], rows, numeric_from=2)


def effects_section(run: StoredRun) -> str:
    """How the mean answer follows each of the most important columns."""
    found = run_effects(run)
    if found is None or not found.curves:
        return ""
    regression = run.saved.task.kind == "regression"
    name = found.curves[0].outputs[found.output]
    title = f"predicted {name}" if regression else f"probability of {name}"
    cells = []
    for curve in found.curves:
        chart = levels_chart(_levels(curve, found.output), title)
        cells.append(f"<div><h3>{safe(curve.features[0], 40)}</h3>{chart}</div>")
    return f'<div class="small wide">{"".join(cells)}</div>'


def _levels(curve: Effect, output: int) -> list[Level]:
    """The points of a curve with their intervals; of many categories the first twelve."""
    levels = []
    for place, value in enumerate(curve.grid[0].tolist()[:12]):
        label = number_text(float(f"{value:.3g}")) if isinstance(value, float) else str(value)
        mean, low, high = (
            float(v[output, place])
            for v in (curve.average, curve.interval.low, curve.interval.high)
        )
        told = f"{safe(label, 40)}: {number(mean, 3)} ({number(low, 3)} – {number(high, 3)})"
        levels.append((safe(label, 9), mean, low, high, told))
    return levels


def effects_data(run: StoredRun) -> dict[str, Any]:
    """The same as values."""
    found = run_effects(run)
    if found is None:
        return {}
    importance = found.importance
    columns = [
        {
            "column": importance.features[i],
            "lost": importance.means[i],
            "interval": [importance.interval.low[i], importance.interval.high[i]],
        }
        for i in importance.order
    ]
    curves = [
        {
            "column": curve.features[0],
            "output": curve.outputs[found.output],
            "values": curve.grid[0].tolist(),
            "average": curve.average[found.output],
            "low": curve.interval.low[found.output],
            "high": curve.interval.high[found.output],
            "verdict": str(curve.verdict),
        }
        for curve in found.curves
    ]
    verdict = str(importance.verdict)
    importances = {"metric": importance.metric, "columns": columns, "verdict": verdict}
    return {"importance": importances, "effects": curves}
