"""A history in a notebook: the curves of its losses above its last epochs."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any, Protocol

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
    """Curves of training and validation loss, and a table of the last epochs and the best one.

    Lines and letters have the colour of the page's text, so that it is read on light and on dark
    pages; all text is escaped.
    """
    head = f"<div>{html.escape(repr(history))}</div>"
    if not history.epochs:
        return head
    return f"{head}{_curves(history)}{_table(history)}"


def _curves(history: Epochs) -> str:
    """The losses over the epochs; the validation loss is dashed, the best epoch marked."""
    losses = [r.loss for r in history.epochs]
    held = [r.validation_loss for r in history.epochs if r.validation_loss is not None]
    finite = [value for value in (*losses, *held) if math.isfinite(value)]
    if len(losses) < 2 or not finite:
        return ""
    low, high = min(finite), max(finite)

    def line(values: Sequence[float], dashes: str) -> str:
        step = WIDTH / max(len(losses) - 1, 1)
        points = " ".join(
            f"{i * step:.1f},{HEIGHT - (v - low) / ((high - low) or 1.0) * HEIGHT:.1f}"
            for i, v in enumerate(values)
            if math.isfinite(v)
        )
        return (
            f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"'
            f'{dashes} vector-effect="non-scaling-stroke"/>'
        )

    at = (history.best_epoch - 1) * WIDTH / max(len(losses) - 1, 1)
    mark = (
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HEIGHT}" stroke="currentColor" '
        'opacity="0.4"/>'
        if history.best_epoch
        else ""
    )
    dashed = ' stroke-dasharray="4 3"'
    label = f"loss from {high:.3g} (top) to {low:.3g}"
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="-4 -4 {WIDTH + 8} {HEIGHT + 8}" '
        f'role="img" aria-label="{html.escape(label)}">{line(losses, "")}'
        f"{line(held, dashed) if held else ''}{mark}</svg>"
        f"<div><small>{html.escape(label)}; dashed: validation; line: best epoch</small></div>"
    )


def _table(history: Epochs) -> str:
    """The last epochs, and the best."""
    shown = [r for r in history.epochs[-LAST:] if r.epoch != history.best_epoch]
    shown += [r for r in history.epochs if r.epoch == history.best_epoch]
    names = ["epoch", "loss", "validation loss", history.metric_name, "learning rate"]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    rows = []
    for record in sorted(shown, key=lambda r: int(r.epoch)):
        values = (record.loss, record.validation_loss, record.metric, record.learning_rate)
        cells = "".join(f"<td>{'–' if v is None else format(v, '.4g')}</td>" for v in values)
        name = f"<b>{record.epoch}</b>" if record.epoch == history.best_epoch else record.epoch
        rows.append(f"<tr><td>{name}</td>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
