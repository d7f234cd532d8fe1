"""The report as a page."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pellucid.base.language import in_language, language, translated
from pellucid.insight.report import classes, numbers, rows, sections
from pellucid.insight.report.effects import effects_section, importance_section
from pellucid.insight.report.features import features_section
from pellucid.insight.report.findings import findings_section
from pellucid.insight.report.markup import card, number, page, safe, said, seconds_text, sentences
from pellucid.insight.report.mistakes import mistakes_section
from pellucid.insight.report.trust import coverage_section, reliability_section
from pellucid.insight.runs import run_findings
from pellucid.training.stored_run import SimpleModel, StoredRun, read_run, shown_part

_STATUS = {
    "finished": "went through all its epochs",
    "stopped early": "stopped early",
    "interrupted": "was interrupted",
    "stopped": "was stopped",
    "out of time": "ended when its time was over",
    "not finite": "ended with NaN or infinity",
    "failed": "ended with an error",
}

_EXAMINED = (
    "What is wrong with this training, the most likely root cause first; what was tried was taken "
    "back."
)
_PROFILED = (
    "In one training step: each kernel was timed by itself; the time of one that computes parts of "
    "several layers is shared out by their arithmetic."
)


def render_report(
    folder: str | os.PathLike[str] | StoredRun, *, language: str | None = None
) -> str:
    """The report of a run folder as HTML text, complete in itself, in the ``language`` ``"en"`` or
    ``"zh"`` (``pellucid.base.language`` says which one without it).

    Everything in it comes from the folder (``read_run``).  What an older or interrupted run does
    not hold is left out, and said.  Raises as ``read_run``.
    """
    run = folder if isinstance(folder, StoredRun) else read_run(folder)
    with in_language(language):
        return _page(run)


def _page(run: StoredRun) -> str:
    title = f"{safe(run.saved.name)}: {safe(', '.join(run.saved.task.targets))}"
    body = _header(run, title) + _verdict(run) + _tiles(run)
    body += '<div class="cards">' + "".join(_cards(run)) + "</div>"
    versions = ", ".join(f"{safe(k)} {safe(v)}" for k, v in run.saved.versions.items())
    return page(title, body, f"{versions}, seed {run.saved.config.seed}")


def diagnosis_text(run: StoredRun) -> str:
    """What is noticed about network and curves, as HTML; empty where there is nothing to say."""
    texts = []
    for found in run_findings(run):
        what, place = translated(found.what), ""
        if found.where:
            place = translated(f"in layer {found.where}")
            place = f"（{place}）" if language() == "zh" else f" {place}"
        colon = "：" if language() == "zh" else ":"
        texts.append(
            f"<b>{safe(what[:1].upper() + what[1:] + place + colon)}</b> "
            + sentences(said(found.evidence, 400), said(found.remedy, 300))
        )
    return " ".join(texts)


def _header(run: StoredRun, title: str) -> str:
    task = run.saved.task
    kind = {"multiclass": "multi-class", "multilabel": "multi-label"}.get(task.kind, task.kind)
    return (
        f'<header><p class="eyebrow">Training report · {said(kind)}</p><h1>{title}</h1>'
        f'<p class="lead">{said(task.reason, 300)}. Loss: {safe(run.training.loss)}.</p>'
        "</header>"
    )


def _verdict(run: StoredRun) -> str:
    verdict, status = run.verdict, run.saved.status
    css = "good" if verdict is not None and verdict.better else "warn"
    text = verdict.text if verdict is not None else ""
    extra = ""
    if run.training.failure is not None:
        css = "bad"
        message, hint = run.training.failure
        message_html = sentences(said(message, 600), said(hint, 300))
        extra = f"<p>{message_html}</p>"
    elif status == "interrupted":
        extra = "<p>The run was interrupted; these are the best weights up to then.</p>"
    first = said(text or "The network was not compared with simple models.", 400)
    return f'<div class="verdict {css}"><p>{first}</p>{extra}</div>'


def _tiles(run: StoredRun) -> str:
    tiles, part, history = [], run.part or shown_part(run.metrics), run.history
    if part in run.metrics:
        metrics = run.metrics[part]
        name = metrics.headline
        value = sections.metric_text(name, metrics[name])
        tiles.append((value, f"{sections.metric_name(name)} on the {part} part"))
        best = _best(run.baselines)
        measured = best.metrics.get(part) if best is not None else None
        if best is not None and measured is not None and name in measured.values:
            tiles.append((sections.metric_text(name, measured[name]), said(best.name)))
    tiles.append((f"{run.parameters():,}", "parameters"))
    tiles.append((f"{run.training.epochs:,}", f"epochs, best {history.best_epoch}"))
    tiles.append((seconds_text(run.seconds.get("training", history.seconds)), "training"))
    features = len(run.saved.preprocessor.feature_names)
    tiles.append((number(run.saved.rows["all"]), f"rows, {features:,} features"))
    cells = "".join(
        f'<div class="tile"><b>{value}</b><span>{text}</span></div>' for value, text in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _best(simple: Sequence[SimpleModel]) -> SimpleModel | None:
    """The simple model with the better headline on the validation part; the last without one."""
    found = None
    for model in simple:
        measured = model.metrics.get("validation")
        other = found.metrics.get("validation") if found is not None else None
        if measured is None or other is None or not other.better_than(measured):
            found = model
    return found


def _cards(run: StoredRun) -> list[str]:
    history, part = run.history, run.part or shown_part(run.metrics)
    ended = f"The run {_STATUS[history.status]} ({run.training.epochs} epochs)"
    kept = f"; the weights of epoch {history.best_epoch} were kept." if history.best_epoch else "."
    cards = [
        card(
            "Metrics",
            sections.figures_section(run),
            "Only the test rows were never looked at while training and choosing the epoch. The "
            "simple models see the same features; their metrics are on the test rows. "
            "↓: lower is better. Small: where 95 % of the figure lies on samples of the same rows.",
            wide=True,
        ),
        card("Doctor", findings_section(run), _EXAMINED, wide=True),
        card("Loss", sections.curves_section(run), f"{ended}{kept} {_loss_note(run)}"),
        card("Validation metric", sections.metric_section(run), "After each epoch."),
    ]
    if part:
        cards += _prediction_cards(run, part)
    seen = features_section(run)
    if seen:
        note = (
            "A filter is the pattern that a channel answers to: white counts for it, black against "
            "it. A feature map is light where the channel found its pattern. Early layers find "
            "edges, later ones combine them. Shown are the channels that answer most."
        )
        cards.append(card("What the convolutions see", seen, note, wide=True))
    roots = "The height of a bar is the square root of its share, so that rare values can be seen."
    cards += [
        card("Network", sections.network_section(run), wide=True),
        card("Weights", sections.weights_section(run), roots, wide=True),
        card(
            "Outputs of each layer",
            sections.activations_section(run),
            "On up to 512 validation rows. " + roots,
            wide=True,
        ),
        card("Time", sections.timings_section(run)),
        card("Data", sections.data_section(run)),
        card("Time by layer", sections.profile_section(run), _PROFILED, wide=True),
        card("Settings", sections.settings_section(run), "Bold: not the default.", wide=True),
        card("What is missing", sections.gaps_section(run), wide=True),
    ]
    return cards


def _loss_note(run: StoredRun) -> str:
    """What the curves are, and what they tell."""
    said_of_units = ""
    if run.saved.task.kind == "regression" and run.saved.config.loss == "auto":
        said_of_units = "The loss is that of targets with a standard deviation of 1. "
    how = (
        "The training loss is the mean during an epoch, with everything that is on in training; "
        "the validation loss is measured after it. "
    )
    told = diagnosis_text(run) if run.examination is None else ""
    return f"{said_of_units}{how}{told}"


def _prediction_cards(run: StoredRun, part: str) -> list[str]:
    """What is seen from the predictions of the part that is shown."""
    regression = run.saved.task.kind == "regression"
    cards = _number_cards(run, part) if regression else _class_cards(run, part)
    note = (
        "Their size comes from the validation rows; how often they held the truth was counted "
        "on the test rows. Written for new rows by: pellucid predict --interval 0.9"
    )
    what = "Intervals" if regression else "Sets of classes"
    cards.append(card(what, coverage_section(run), note))
    note = (
        "Rows are cut by each column and by pairs of columns. Listed are groups whose error is "
        "larger than elsewhere; of all that are listed, one in twenty may be chance."
    )
    cards.append(card("Worst groups", rows.segments_section(run), note, wide=True))
    note = (
        "Each point is the mean over a category, or over a part of the range with equally many "
        "rows, named by its middle; the line is where 95 % of the mean lies. Those first over "
        "which the error differs most."
    )
    cards.append(card("Errors by column", rows.columns_section(run), note, wide=True))
    note = (
        "How much worse the answers get where a column is shuffled among the rows: what others "
        "say too is not missed. Small: where 95 % of it lies."
    )
    cards.append(card("What the answers rest on", importance_section(run), note, wide=True))
    note = (
        "The mean answer where a column has a value and all others stay as they are (partial "
        "dependence); the line is where 95 % of the mean lies. Values that do not occur together "
        "are combined, too."
    )
    cards.append(card("Effects of the columns", effects_section(run), note, wide=True))
    title = "Largest errors" if regression else "Most certain mistakes"
    note = f"On the {part} part; rows are counted from 0."
    cards.append(card(title, mistakes_section(run), note, wide=True))
    return cards


def _number_cards(run: StoredRun, part: str) -> list[str]:
    of = f"On the {part} part."
    return [
        card("Predicted against true", numbers.scatter_section(run), of),
        card("Errors", numbers.errors_section(run), of),
        card(
            "Errors over predicted values",
            numbers.residuals_section(run),
            "A slope, a bend or a fan is something that the network has not learned.",
        ),
        card(
            "Errors against a normal distribution",
            numbers.quantiles_section(run),
            "Points far from the line at its ends: more large errors than a normal distribution "
            "has.",
        ),
    ]


def _class_cards(run: StoredRun, part: str) -> list[str]:
    of = f"On the {part} part."
    curve = "The name of a curve stands with the area under it; guessing has 0.5."
    sure = "A curve below the line: the network is surer than it is right."
    return [
        card("Confusion matrix", classes.confusion_section(run, part), of),
        card("Each class", classes.classes_section(run, part), f"{of} Small: 95 % intervals."),
        card("ROC", classes.roc_section(run), curve),
        card(
            "Precision and recall",
            classes.precision_recall_section(run),
            "The name of a curve stands with the mean precision over the recall.",
        ),
        card("Threshold", classes.threshold_section(run), "For the second class."),
        card(
            "Gains",
            classes.gains_section(run),
            "How much of the second class is found among the rows with the highest scores.",
        ),
        card("Reliability", reliability_section(run), sure),
    ]
