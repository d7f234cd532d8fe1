"""What training tells, in a notebook: histories, tables of figures, lists of runs, trials.

Lines and letters have the colour of the page's text, so that they are read on light and on dark
pages; all text is escaped.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from pellucid.base.language import translated

WIDTH, HEIGHT = 420, 120
LAST = 5
"""Epochs in the table, besides the best."""


class Epochs(Protocol):
    """A history, as it is shown."""

    best_epoch: int
    metric_name: str

    @property
    def epochs(self) -> Sequence[Any]:
        """The records of the epochs."""


def history_html(history: Epochs) -> str:
    """Curves of training and validation loss, and a table of the last epochs and the best one."""
    head = f"<div>{html.escape(repr(history))}</div>"
    if not history.epochs:
        return head
    return f"{head}{_curves(history)}{_table(history)}"


def _curves(history: Epochs) -> str:
    """The losses over the epochs; the validation loss is dashed, the best epoch marked."""
    losses = [r.loss for r in history.epochs]
    held = [r.validation_loss for r in history.epochs if r.validation_loss is not None]
    places = list(range(1, len(losses) + 1))
    mark = history.best_epoch if history.best_epoch else None
    note = "dashed: validation; line: best epoch"
    return curves_html("loss", places, [losses, held], mark, note)


def curves_html(
    name: str,
    places: Sequence[float],
    curves: Sequence[Sequence[float]],
    mark: float | None = None,
    note: str = "",
) -> str:
    """Curves of one quantity over ``places``, the first drawn through, the others dashed, with an
    upright line at ``mark``; empty for fewer than two places or no finite value."""
    finite = [value for curve in curves for value in curve if math.isfinite(value)]
    if len(places) < 2 or not finite:
        return ""
    low, high = min(finite), max(finite)
    left, wide, tall = places[0], (places[-1] - places[0]) or 1.0, (high - low) or 1.0
    drawn = []
    for number, curve in enumerate(curves):
        points = " ".join(
            f"{(x - left) / wide * WIDTH:.1f},{(high - v) / tall * HEIGHT:.1f}"
            for x, v in zip(places, curve, strict=False)
            if math.isfinite(v)
        )
        dashes = ' stroke-dasharray="4 3"' if number else ""
        if points:
            drawn.append(
                f'<polyline points="{points}" fill="none" stroke="currentColor" '
                f'stroke-width="1.5"{dashes} vector-effect="non-scaling-stroke"/>'
            )
    if mark is not None:
        at = (mark - left) / wide * WIDTH
        drawn.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HEIGHT}" stroke="currentColor" '
            'opacity="0.4"/>'
        )
    label = html.escape(translated(f"{translated(name)} from {high:.3g} (top) to {low:.3g}"))
    more = f" · {html.escape(translated(note))}" if note else ""
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="-4 -4 {WIDTH + 8} {HEIGHT + 8}" '
        f'role="img" aria-label="{label}">{"".join(drawn)}</svg>'
        f"<div><small>{label}{more}</small></div>"
    )


def _table(history: Epochs) -> str:
    """The last epochs, and the best."""
    shown = [r for r in history.epochs[-LAST:] if r.epoch != history.best_epoch]
    shown += [r for r in history.epochs if r.epoch == history.best_epoch]
    names = ["epoch", "loss", "validation loss", history.metric_name, "learning rate"]
    rows = []
    for record in sorted(shown, key=lambda r: int(r.epoch)):
        values = (record.loss, record.validation_loss, record.metric, record.learning_rate)
        star = " *" if record.epoch == history.best_epoch else ""
        rows.append([f"{record.epoch}{star}", *map(figure, values)])
    return table_html(names, rows)


def figure(value: float | None) -> str:
    """A number in a table, a dash where there is none."""
    return "–" if value is None else format(value, ".4g")


def table_html(heads: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """A table of texts under its heads; ``title`` stands above it.

    Heads and title are shown in the user's language; names that are the user's are ``Shown``.
    """
    head = "".join(f"<th>{html.escape(translated(name))}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    above = f"<div>{html.escape(translated(title))}</div>" if title else ""
    return f"{above}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def metric_name(name: str) -> str:
    """A metric in a table, in the user's language."""
    return translated(name.replace("_", " "))


def figures_html(columns: Mapping[str, Mapping[str, float]], title: str = "") -> str:
    """Metrics by name, a column for each of ``columns``."""
    names = dict.fromkeys(name for values in columns.values() for name in values)
    rows = [
        [metric_name(name), *(figure(values.get(name)) for values in columns.values())]
        for name in names
    ]
    return table_html(["", *columns], rows, title)


def run_html(
    title: str,
    verdict: str,
    figures: Mapping[str, Mapping[str, float]],
    history: Epochs,
    notes: Sequence[str] = (),
) -> str:
    """A run: its verdict, the metrics by part and simple model, its curves, and notes."""
    head = f"<div><b>{html.escape(title)}</b></div>"
    told = f"<div>{html.escape(translated(verdict))}</div>" if verdict else ""
    measured = figures_html(figures) if figures else ""
    return f"{head}{told}{measured}{history_html(history)}{notes_html(notes)}"


def notes_html(notes: Iterable[str]) -> str:
    """Small lines of text, one below the other."""
    return "".join(f"<div><small>{html.escape(translated(note))}</small></div>" for note in notes)
