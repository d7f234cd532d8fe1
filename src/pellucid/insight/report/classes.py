"""How a network tells classes apart: confusion, each class, and what a threshold decides."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pellucid.base.language import Shown, translated
from pellucid.insight.report.charts import Line, image_uri, line_chart
from pellucid.insight.report.markup import safe, said, table
from pellucid.insight.thresholds import (
    area,
    average_precision,
    f1_by_threshold,
    gain_curve,
    precision_recall_curve,
    roc_curve,
    wilson,
)
from pellucid.training.metrics import ClassFigures
from pellucid.training.mistakes import class_probabilities
from pellucid.training.stored_run import Predictions, StoredRun

MOST_CLASSES, MOST_CURVES, MOST_PAIRS = 30, 8, 12
_FEW = 5

Floats = npt.NDArray[np.float64]


# ---- confusion ---------------------------------------------------------------------------------


def confusion_section(run: StoredRun, part: str) -> str:
    """The confusion matrix as a heat map in counts and in shares of each class, for many classes
    only the pairs most often confused."""
    matrix = np.array(run.metrics[part].confusion if part in run.metrics else ())
    if not matrix.size:
        return ""
    names = run.saved.task.class_names
    if len(names) > MOST_CLASSES:
        return _pairs_table(matrix, names)
    both = "".join(
        f'<div class="{kind}">{_heat_map(matrix, names, shares=kind == "shares")}</div>'
        for kind in ("counts", "shares")
    )
    switch = (
        '<input type="radio" name="confusion" id="counts" checked>'
        f'<label for="counts">{said("rows")}</label>'
        '<input type="radio" name="confusion" id="shares">'
        f'<label for="shares">{said("shares")}</label>'
    )
    keys = (
        f'<div class="legend"><span><i class="key heat"></i>{said("right")}</span>'
        f'<span><i class="key miss"></i>{said("wrong")}</span>'
        "<span>the darker, the larger the share of the true class</span></div>"
    )
    return f'<div class="switch">{switch}{both}</div>{keys}{_examples(run, matrix)}'


def _heat_map(matrix: npt.NDArray[np.int64], names: tuple[str, ...], shares: bool) -> str:
    """The matrix with the sums of its rows and columns."""
    totals = matrix.sum(axis=1)
    heads = "".join(f"<th>{safe(name, 14)}</th>" for name in names)
    lines = []
    for true, counts in enumerate(matrix.tolist()):
        cells = []
        for guess, count in enumerate(counts):
            share = count / max(int(totals[true]), 1)
            colour = "heat" if true == guess else "miss"
            level = 0.12 + 0.7 * share if count else 0.0
            text = f"{share:.0%}" if shares else f"{count:,}"
            title = f"{count} of class {names[true]} predicted as {names[guess]}"
            css = "" if count else ' class="none"'
            cells.append(
                f'<td{css} style="background: rgba(var(--{colour}), {level:.2f})" '
                f'title="{said(title, 120)}">{text if count else "0"}</td>'
            )
        total = f'<td class="sum">{int(totals[true]):,}</td>'
        lines.append(
            f'<tr><th scope="row">{safe(names[true], 20)}</th>{"".join(cells)}{total}</tr>'
        )
    sums = "".join(f'<td class="sum">{count:,}</td>' for count in matrix.sum(axis=0).tolist())
    whole = f'<td class="sum">{int(matrix.sum()):,}</td>'
    lines.append(f'<tr><th scope="row">all</th>{sums}{whole}</tr>')
    few = " few" if len(names) < _FEW else ""
    return (
        f'<div class="scroll"><table class="confusion{few}">'
        "<thead><tr><th>true ↓ predicted →</th>"
        f"{heads}<th>all</th></tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _confused(matrix: npt.NDArray[np.int64], most: int) -> Iterator[tuple[int, int, int]]:
    """(true, predicted, rows) of the pairs most often confused."""
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    for place in np.argsort(-off, axis=None, kind="stable")[:most].tolist():
        true, guess = divmod(place, len(matrix))
        if off[true, guess]:
            yield true, guess, int(off[true, guess])


def _pairs_table(matrix: npt.NDArray[np.int64], names: tuple[str, ...]) -> str:
    rows = [
        [
            safe(names[true]),
            safe(names[guess]),
            str(count),
            f"{count / max(int(matrix[true].sum()), 1):.0%}",
        ]
        for true, guess, count in _confused(matrix, 20)
    ]
    return table(["true", "predicted as", "rows", "share of the class"], rows, numeric_from=2)


def _examples(run: StoredRun, matrix: npt.NDArray[np.int64]) -> str:
    """Rows or pictures of the pairs most often confused, behind a fold."""
    kept = run.predictions
    if kept is None:
        return ""
    guessed = class_probabilities(kept.predicted).argmax(axis=1)
    names, parts = run.saved.task.class_names, []
    for true, guess, count in _confused(matrix, MOST_PAIRS):
        where = np.flatnonzero((kept.true == true) & (guessed == guess))
        body = _pictures(run, where) or _table_rows(run, kept, where)
        if body:
            head = f"{safe(names[true], 20)} → {safe(names[guess], 20)} ({count:,})"
            parts.append(f"<h3>{head}</h3>{body}")
    if not parts:
        return ""
    summary = "<summary>examples: true class → what it was taken for</summary>"
    return f"<details>{summary}{''.join(parts)}</details>"


def _pictures(run: StoredRun, where: npt.NDArray[np.int64]) -> str:
    """Those of the kept pictures that lie at ``where`` in the predictions."""
    shape = run.saved.row_shape
    if run.confused is None or run.confused.features.shape[1] != math.prod(shape):
        return ""
    chosen = np.flatnonzero(np.isin(run.confused.positions, where))
    figures = []
    for features in run.confused.features[chosen]:
        low, high = float(features.min()), float(features.max())
        uri = image_uri((features.reshape(shape) - low) / (high - low or 1.0))
        figures.append(f'<figure><img alt="example" src="{uri}"></figure>')
    return f'<div class="gallery tight">{"".join(figures)}</div>' if figures else ""


def _table_rows(run: StoredRun, kept: Predictions, where: npt.NDArray[np.int64]) -> str:
    """The first rows of a table at ``where`` in the predictions."""
    if run.rows is None:
        return ""
    chosen = np.flatnonzero(np.isin(run.rows.positions, where))[:3]
    if not len(chosen):
        return ""
    names = list(run.rows.table.columns)[:8]
    lines = []
    for place in chosen.tolist():
        row = int(kept.rows[run.rows.positions[place]])
        cells = [run.rows.table[name].text(place) for name in names]
        lines.append([str(row), *("–" if cell is None else safe(cell, 24) for cell in cells)])
    return table(["row", *(safe(name, 24) for name in names)], lines, numeric_from=99)


# ---- each class --------------------------------------------------------------------------------


def classes_section(run: StoredRun, part: str) -> str:
    """Precision, recall and F1 of each class or label, with where 95 % of the first two lie."""
    measured = run.metrics.get(part)
    if measured is None or not measured.per_class:
        return ""
    figures = measured.per_class
    answered = _answered(figures, np.array(measured.confusion))
    shown = list(zip(figures, answered, strict=True))
    if len(shown) > 40:
        shown = sorted(shown, key=lambda pair: pair[0].f1)[:40]
    rows = [
        [
            safe(one.name, 30),
            _bar(one.precision, given),
            _bar(one.recall, one.support),
            f"{one.f1:.1%}",
            f"{one.support:,}",
        ]
        for one, given in shown
    ]
    kind = "label" if run.saved.task.kind == "multilabel" else "class"
    return table([kind, "precision", "recall", "F1", "rows"], rows)


def _answered(figures: tuple[ClassFigures, ...], confusion: npt.NDArray[np.int64]) -> list[float]:
    """How many rows were given each class; without a confusion matrix from hits and precision."""
    if confusion.size:
        return [float(count) for count in confusion.sum(axis=0)]
    return [one.recall * one.support / one.precision if one.precision else 0.0 for one in figures]


def _bar(share: float, rows: float) -> str:
    """A share with its bar, and its interval as a line in it."""
    low, high = wilson(share * rows, rows)
    return (
        f'{share:.1%}<span class="barcell"><i style="width:{100 * share:.0f}%"></i>'
        f'<u style="left:{100 * low:.0f}%;width:{100 * (high - low):.0f}%"></u></span>'
        f"<br><small>{low:.0%} – {high:.0%}</small>"
    )


# ---- thresholds --------------------------------------------------------------------------------


def one_against_rest(run: StoredRun) -> Iterator[tuple[str, Floats, Floats]]:
    """(class, true, score) of each class or label that has rows of both kinds; of binary tasks the
    second class alone."""
    kept, task = run.predictions, run.saved.task
    if kept is None or task.kind == "regression":
        return
    true, scores = kept.true, kept.predicted
    if task.kind == "binary":
        pairs = [(task.class_names[1], true == 1, scores[:, -1])]
    elif task.kind == "multilabel":
        wanted = true.reshape(scores.shape) > 0.5
        pairs = [(n, wanted[:, i], scores[:, i]) for i, n in enumerate(task.class_names)]
    else:
        pairs = [(n, true == i, scores[:, i]) for i, n in enumerate(task.class_names)]
    for name, wanted, own in pairs:
        if wanted.any() and not wanted.all():
            yield name, wanted.astype(np.float64), np.asarray(own, np.float64)


def roc_section(run: StoredRun) -> str:
    """ROC curves: of the second of two classes, or of each class against the others (the eight with
    the smallest area)."""
    found = []
    for name, true, scores in one_against_rest(run):
        x, y = roc_curve(true, scores)
        found.append((area(x, y), name, x, y))
    found.sort(key=lambda entry: entry[0])
    lines: list[Line] = [
        (Shown(f"{name}: {size:.3f}"), f"r{place}", x.tolist(), y.tolist())
        for place, (size, name, x, y) in enumerate(found[:MOST_CURVES])
    ]
    if not lines:
        return ""
    lines.append((translated(f"guessing: {0.5}"), "f", [0.0, 1.0], [0.0, 1.0]))
    return line_chart(
        lines,
        "share of the others that is taken for it",
        "share that is found",
        whole=False,
        shares=True,
    )


def precision_recall_section(run: StoredRun) -> str:
    """Precision over recall, as :func:`roc_section`, with the share that guessing reaches."""
    found = []
    for name, true, scores in one_against_rest(run):
        recall, precision, _ = precision_recall_curve(true, scores)
        size = average_precision(recall, precision)
        found.append((size, name, recall, precision, float(true.mean())))
    found.sort(key=lambda entry: entry[0])
    lines: list[Line] = [
        (Shown(f"{name}: {size:.3f}"), f"r{place}", recall.tolist(), precision.tolist())
        for place, (size, name, recall, precision, _) in enumerate(found[:MOST_CURVES])
    ]
    if not lines:
        return ""
    if len(found) == 1:
        base = found[0][-1]
        lines.append((translated(f"guessing: {base:.3f}"), "f", [0.0, 1.0], [base, base]))
    return line_chart(lines, "recall", "precision", whole=False, shares=True)


def gains_section(run: StoredRun) -> str:
    """How much of the second of two classes is found among the rows with the highest scores."""
    if run.saved.task.kind != "binary":
        return ""
    parts = []
    for name, true, scores in one_against_rest(run):
        looked, found = gain_curve(true, scores)
        base = float(true.mean())
        lines = [
            (Shown(name), "a", looked.tolist(), found.tolist()),
            ("any order", "f", [0.0, 1.0], [0.0, 1.0]),
            ("best order", "c", [0.0, base, 1.0], [0.0, 1.0, 1.0]),
        ]
        parts.append(
            line_chart(lines, "share of rows", "share that is found", whole=False, shares=True)
        )
        tenth = float(np.interp(0.1, looked, found))
        parts.append(
            f"<p>Among the tenth of the rows with the highest scores there are {tenth:.0%} of the "
            f"class: {tenth / 0.1:.2g} times what chance gives (the lift).</p>"
        )
    return "".join(parts)


def threshold_section(run: StoredRun) -> str:
    """Precision, recall and F1 of the second of two classes over the threshold."""
    if run.saved.task.kind != "binary":
        return ""
    parts = []
    for _, true, scores in one_against_rest(run):
        recall, precision, thresholds = precision_recall_curve(true, scores)
        _, f1 = f1_by_threshold(true, scores)
        xs = thresholds[::-1].tolist()
        lines = [
            ("precision", "a", xs, precision[::-1].tolist()),
            ("recall", "b", xs, recall[::-1].tolist()),
            ("F1", "c", xs, f1[::-1].tolist()),
        ]
        best = int(f1.argmax())
        at_half = float(f1[thresholds >= 0.5][-1]) if (thresholds >= 0.5).any() else 0.0
        parts.append(
            line_chart(
                lines, translated("threshold"), translated("share"), whole=False, shares=True
            )
        )
        parts.append(
            f"<p>F1 is highest at {thresholds[best]:.2f}: {f1[best]:.1%}, against {at_half:.1%} at "
            "0.5. A threshold is chosen on validation rows, or by what the two kinds of mistakes "
            "cost.</p>"
        )
    return "".join(parts)
