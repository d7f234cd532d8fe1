"""Several runs on one page: what they reached, how they got there, and what differs."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.base.errors import ArgumentError
from pellucid.base.language import Shown, in_language
from pellucid.insight.report.charts import line_chart
from pellucid.insight.report.markup import card, page, safe, said, seconds_text, table
from pellucid.insight.report.sections import metric_name, metric_text
from pellucid.training.metrics import LOWER_IS_BETTER
from pellucid.training.run_list import RunFacts, differing_settings, setting_text
from pellucid.training.saved_model import PARTS
from pellucid.training.stored_run import StoredRun

MOST_RUNS = 12
"""More lines in one picture could not be told apart."""


def render_comparison(runs: Sequence[StoredRun], *, language: str | None = None) -> str:
    """A page that compares runs, as HTML text, complete in itself.

    Metrics by run, the validation losses over the epochs in one picture, and the settings that
    differ, in the ``language`` ``"en"`` or ``"zh"`` (``pellucid.base.language`` says which one
    without it).  Raises ``ArgumentError`` for fewer than two runs, or more than twelve.
    """
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ArgumentError(
            f"{len(runs)} runs cannot be compared on one page", f"Give 2 to {MOST_RUNS} runs."
        )
    with in_language(language):
        return _page(runs)


def _page(runs: Sequence[StoredRun]) -> str:
    names = _names(runs)
    cards = [
        card("Metrics", _metrics(runs, names), _note(runs), wide=True),
        card("Validation loss", _curves(runs, names, "validation_loss")),
        card("Training loss", _curves(runs, names, "loss")),
        card("What differs", _differences(runs, names), "Settings, data and versions.", wide=True),
        card("Verdicts", _verdicts(runs, names), "", wide=True),
    ]
    title = f"{len(runs)} runs compared"
    head = f'<header><p class="eyebrow">Comparison</p><h1>{title}</h1></header>'
    return page(title, head + '<div class="cards">' + "".join(cards) + "</div>")


def _names(runs: Sequence[StoredRun]) -> list[str]:
    """The folders' names, with their parents where two are equal."""
    short = [run.folder.resolve().name for run in runs]
    if len(set(short)) == len(short):
        return short
    return [str(run.folder) for run in runs]


def _note(runs: Sequence[StoredRun]) -> str:
    if len({run.saved.fingerprint for run in runs}) > 1:
        return "The runs were trained on different data: their metrics cannot be compared."
    if len({(run.saved.config.seed, run.saved.config.fractions) for run in runs}) > 1:
        return "The runs split the rows in different ways: small differences mean nothing."
    return "All runs have the same data and the same test rows. ↓: lower is better."


def _metrics(runs: Sequence[StoredRun], names: Sequence[str]) -> str:
    part = next((p for p in PARTS[::-1] if all(p in run.metrics for run in runs)), "")
    if not part:
        return ""
    listed = dict.fromkeys(name for run in runs for name in run.metrics[part].values)
    rows = []
    for name in listed:
        values = [run.metrics[part].values.get(name) for run in runs]
        known = [v for v in values if v is not None]
        best = (min if name in LOWER_IS_BETTER else max)(known) if known else None
        cells = [metric_name(name) + (" ↓" if name in LOWER_IS_BETTER else "")]
        for value in values:
            text = "–" if value is None else metric_text(name, value)
            cells.append(f'<span class="strong">{text}</span>' if value == best else text)
        rows.append(cells)
    rows.append(["epochs", *(f"{run.training.epochs:,}" for run in runs)])
    rows.append(["parameters", *(f"{run.parameters():,}" for run in runs)])
    spent = [run.seconds.get("training", run.history.seconds) for run in runs]
    rows.append(["training", *(seconds_text(seconds) for seconds in spent)])
    return table([f"on the {part} part", *map(safe, names)], rows)


def _curves(runs: Sequence[StoredRun], names: Sequence[str], field: str) -> str:
    lines = []
    for number, (run, name) in enumerate(zip(runs, names, strict=True)):
        pairs = [(float(r.epoch), getattr(r, field)) for r in run.history]
        known = [(x, y) for x, y in pairs if y is not None]
        if known:
            xs, ys = map(list, zip(*known, strict=True))
            lines.append((Shown(name), f"r{number}", xs, ys))
    return line_chart(lines, "epoch", "loss") if lines else ""


def _differences(runs: Sequence[StoredRun], names: Sequence[str]) -> str:
    found = differing_settings([RunFacts(run.folder, run.saved) for run in runs])
    if not found:
        return "<p>Nothing: settings, data and versions are equal.</p>"
    rows = [
        [_difference(name), *(safe(setting_text(v), 40) for v in vs)] for name, vs in found.items()
    ]
    return table(["setting", *map(safe, names)], rows)


def _difference(name: str) -> str:
    """Options keep their names; what else differs is told in words."""
    return said(name) if " " in name else safe(name)


def _verdicts(runs: Sequence[StoredRun], names: Sequence[str]) -> str:
    parts = []
    for run, name in zip(runs, names, strict=True):
        text = (
            run.verdict.text if run.verdict is not None else "was not compared with simple models"
        )
        parts.append(f"<p><b>{safe(name)}:</b> {said(text, 400)}</p>")
    return "".join(parts)
