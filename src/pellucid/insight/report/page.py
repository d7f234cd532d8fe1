"""The report as a page."""

from __future__ import annotations

from pellucid.insight.diagnosis import diagnose_curves
from pellucid.insight.report import sections
from pellucid.insight.report.features import features_section
from pellucid.insight.report.markup import card, number, safe, seconds_text
from pellucid.insight.report.mistakes import RowTexts, mistakes_section
from pellucid.insight.report.style import CSS
from pellucid.training.job import RunResult
from pellucid.training.run_folder import software_versions

# Nothing is loaded and nothing runs, whatever a name in the data may try.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_STATUS = {
    "finished": "went through all its epochs",
    "stopped early": "stopped early",
    "interrupted": "was interrupted",
    "not finite": "ended with NaN or infinity",
}


def render_report(result: RunResult, row_texts: RowTexts | None = None) -> str:
    """The report of a run as HTML text, complete in itself.

    ``row_texts`` gives the cells of rows of the source, for the table of mistakes; without it the
    network's features are shown.
    """
    part = sections.report_part(result)
    title = f"{safe(result.prepared.name)}: {safe(', '.join(result.prepared.task.targets))}"
    body = _header(result, title) + _verdict(result) + _tiles(result, part)
    body += '<div class="cards">' + "".join(_cards(result, part, row_texts)) + "</div>"
    versions = ", ".join(f"{safe(k)} {safe(v)}" for k, v in software_versions().items())
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{CSS}</style></head><body><main>{body}"
        f"<footer>{versions}, seed {result.config.seed}</footer></main></body></html>\n"
    )


def diagnosis_text(result: RunResult) -> str:
    """What the curves say, as HTML; empty where there is nothing to say."""
    history = result.history
    kind = result.prepared.task.kind
    figures = result.baselines.constant.validation if result.baselines else None
    if result.config.loss != "auto" or figures is None or len(history) < 2:
        return ""  # other losses have another scale than the simple models' figures
    constant = 1.0 if kind == "regression" else figures.values["log_loss"]
    found = diagnose_curves(history, constant)
    title = found.what[:1].upper() + found.what[1:]
    return f"<b>{safe(title)}:</b> {safe(found.evidence, 400)}. {safe(found.remedy, 300)}"


def _header(result: RunResult, title: str) -> str:
    data = result.prepared
    kind = {"multiclass": "multi-class", "multilabel": "multi-label"}.get(
        data.task.kind, data.task.kind
    )
    return (
        f'<header><p class="eyebrow">Training report · {safe(kind)}</p><h1>{title}</h1>'
        f'<p class="lead">{safe(data.task.reason, 300)}. Loss: {safe(result.loss_name)}.</p>'
        "</header>"
    )


def _verdict(result: RunResult) -> str:
    better, text = result.verdict()
    status = result.history.status
    css = "good" if better else "warn"
    extra = ""
    if result.failure is not None:
        css = "bad"
        extra = f"<p>{safe(result.failure.message, 600)}. {safe(result.failure.hint, 300)}</p>"
    elif status == "interrupted":
        extra = "<p>The run was interrupted; these are the best weights up to then.</p>"
    return f'<div class="verdict {css}"><p>{safe(text, 400)}</p>{extra}</div>'


def _tiles(result: RunResult, part: str) -> str:
    tiles = []
    if part in result.figures:
        figures = result.figures[part]
        name = figures.headline
        value = sections.metric_text(name, figures[name])
        tiles.append((value, f"{sections.metric_name(name)} on the {part} part"))
        best = result.baselines.best() if result.baselines else None
        measured = getattr(best, part, None) if best and part != "train" else None
        if best is not None and measured is not None:
            tiles.append((sections.metric_text(name, measured[name]), safe(best.name)))
    history = result.history
    tiles.append((f"{result.parameters():,}", "parameters"))
    tiles.append((f"{len(history):,}", f"epochs, best {history.best_epoch}"))
    tiles.append((seconds_text(result.seconds.get("training", 0.0)), "training"))
    tiles.append(
        (number(result.prepared.rows), f"rows, {len(result.prepared.feature_names):,} features")
    )
    cells = "".join(
        f'<div class="tile"><b>{value}</b><span>{text}</span></div>' for value, text in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _cards(result: RunResult, part: str, row_texts: RowTexts | None) -> list[str]:
    history = result.history
    ended = f"The run {_STATUS[history.status]} ({len(history)} epochs)"
    kept = f"; the weights of epoch {history.best_epoch} were kept." if history.best_epoch else "."
    cards = [
        card(
            "Figures",
            sections.figures_section(result),
            "Only the test rows were never looked at while training and choosing the epoch. The "
            "simple models see the same features; their figures are on the test rows. "
            "↓: lower is better.",
            wide=True,
        ),
        card("Loss", sections.curves_section(result), f"{ended}{kept} {diagnosis_text(result)}"),
        card("Validation figure", sections.metric_section(result), "After each epoch."),
    ]
    if part:
        of = f"On the {part} part."
        if result.prepared.task.kind == "regression":
            cards.append(card("Predicted against true", sections.scatter_section(result, part), of))
            cards.append(card("Errors", sections.errors_section(result, part), of))
            title = "Largest errors"
        else:
            cards.append(card("Confusion matrix", sections.confusion_section(result, part), of))
            cards.append(card("Each class", sections.classes_section(result, part), of))
            title = "Most certain mistakes"
        note = f"On the {part} part; rows are counted from 0."
        body = mistakes_section(result, part, row_texts)
        cards.append(card(title, body, note, wide=True))
    seen = features_section(result, part)
    if seen:
        note = (
            "A filter is the pattern that a channel answers to: white counts for it, black against "
            "it. A feature map is light where the channel found its pattern. Early layers find "
            "edges, later ones combine them. Shown are the channels that answer most."
        )
        cards.append(card("What the convolutions see", seen, note, wide=True))
    rows = "The height of a bar is the square root of its share, so that rare values can be seen."
    cards += [
        card("Network", sections.network_section(result), wide=True),
        card("Weights", sections.weights_section(result), rows, wide=True),
        card(
            "Outputs of each layer",
            sections.activations_section(result),
            "On up to 512 validation rows. " + rows,
            wide=True,
        ),
        card("Time", sections.timings_section(result)),
        card("Data", sections.data_section(result)),
        card("Settings", sections.settings_section(result), "Bold: not the default.", wide=True),
    ]
    return cards
