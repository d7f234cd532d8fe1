"""The parts of the report, each from a ``StoredRun`` to HTML."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from math import prod

import numpy as np

from pellucid.base.language import Shown, translated
from pellucid.data.image_preprocessing import ImagePreprocessor
from pellucid.data.input_layout import InputLayout
from pellucid.insight.report.charts import histogram, legend, line_chart, stacked_bar
from pellucid.insight.report.markup import number, safe, said, seconds_text, table
from pellucid.training.config import ACTIVATIONS, TrainingConfig
from pellucid.training.metrics import LOWER_IS_BETTER, Metrics
from pellucid.training.network import image_sizes
from pellucid.training.observe import Distribution
from pellucid.training.saved_model import PARTS
from pellucid.training.stored_run import SimpleModel, StoredRun
from pellucid.training.trust import figure_intervals

_SHARES = frozenset(
    {"accuracy", "macro_f1", "micro_f1", "subset_accuracy", "roc_auc", "precision", "recall"}
)
_NAMES = {"rmse": "RMSE", "mae": "MAE", "r2": "R²", "roc_auc": "ROC AUC", "log_loss": "log loss"}


def metric_name(name: str) -> str:
    """A metric's name for people."""
    return _NAMES.get(name, name.replace("_", " "))


def metric_text(name: str, value: float) -> str:
    """A metric's value for people: shares in per cent."""
    return f"{value:.1%}" if name in _SHARES else number(value)


def measured_by(simple: SimpleModel) -> Metrics | None:
    """The metrics of a simple model on the test part, or on validation without one."""
    return simple.metrics.get("test") or simple.metrics.get("validation")


def figures_section(run: StoredRun) -> str:
    """Metrics of the three parts beside those of the simple models."""
    parts = [part for part in PARTS if part in run.metrics]
    if not parts:
        return ""
    names = list(run.metrics[parts[0]].values)
    heads = ["", *(f"{part} ({run.metrics[part].rows:,})" for part in parts)]
    simple = [b for b in run.baselines if measured_by(b) is not None]
    heads += [said(b.name) for b in simple]
    headline = run.metrics[parts[0]].headline
    intervals = metric_intervals(run)
    rows = []
    for name in names:
        label = metric_name(name) + (" ↓" if name in LOWER_IS_BETTER else "")
        cells = [f'<span class="{"strong" if name == headline else ""}">{label}</span>']
        for part in parts:
            value = run.metrics[part].values.get(name)
            shown = "–" if value is None else metric_text(name, value)
            if part == run.part and name in intervals:
                low, high = (metric_text(name, end) for end in intervals[name])
                shown += f"<br><small>{low} – {high}</small>"
            strong = "strong" if name == headline and part == parts[-1] else ""
            cells.append(f'<span class="{strong}">{shown}</span>')
        for model in simple:
            measured = measured_by(model)
            value = measured.values.get(name) if measured else None
            cells.append("–" if value is None else metric_text(name, value))
        rows.append(cells)
    return table(heads, rows)


def metric_intervals(run: StoredRun) -> Mapping[str, tuple[float, float]]:
    """Where the figures of the part that is shown lie on other rows; none where the run keeps only
    a share of its predictions."""
    kept = run.predictions
    if kept is None or kept.part not in run.metrics:
        return {}
    if len(kept.rows) != run.metrics[kept.part].rows or len(kept.rows) < 2:
        return {}
    return figure_intervals(run.saved.task, kept.true, kept.predicted)


def curves_section(run: StoredRun) -> str:
    """Loss on training and validation rows over the epochs."""
    history = run.history
    if not len(history):
        return ""
    epochs = [float(record.epoch) for record in history]
    lines = [("training loss", "a", epochs, history["loss"])]
    known = [(e, r.train_loss) for e, r in zip(epochs, history, strict=True) if r.train_loss]
    if len(known) == len(epochs):
        lines.append(("training loss, evaluated", "c", epochs, [loss for _, loss in known]))
    if history.epochs[0].validation_loss is not None:
        lines.append(("validation loss", "b", epochs, history["validation_loss"]))
    return line_chart(lines, "epoch", translated("loss"), float(history.best_epoch))


def metric_section(run: StoredRun) -> str:
    """The headline metric on validation rows, and the learning rate where it changed."""
    history = run.history
    if not len(history) or history.epochs[0].metric is None:
        return ""
    pairs = [(float(r.epoch), r.metric) for r in history if r.metric is not None]
    name = metric_name(history.metric_name)
    lines = [(f"validation {name}", "c", [p[0] for p in pairs], [p[1] for p in pairs])]
    picture = line_chart(lines, "epoch", name, float(history.best_epoch))
    rates = history["learning_rate"]
    if len(set(rates)) > 1:
        epochs = [float(record.epoch) for record in history]
        picture += line_chart([("learning rate", "a", epochs, rates)], "epoch", "learning rate")
    return picture


def network_section(run: StoredRun) -> str:
    """The network as a row of boxes, and a table of its layers."""
    config, task = run.saved.config, run.saved.task
    shape = run.saved.row_shape
    inputs = "×".join(f"{size:,}" for size in (shape if config.model == "cnn" else [prod(shape)]))
    boxes = [f'<div class="end"><b>{inputs}</b>inputs</div>']
    activation = safe(ACTIVATIONS[config.activation])
    if config.model == "cnn":
        places = image_sizes(shape, config)[1:]
        boxes += [
            f"<div><b>{channels:,}</b>of {high}×{wide}, {activation}</div>"
            for channels, (high, wide) in zip(config.channels, places, strict=True)
        ]
    boxes += [f"<div><b>{width:,}</b>{activation}</div>" for width in config.widths]
    boxes.append(f'<div class="end"><b>{task.output_units:,}</b>{safe(task.output_layer)}</div>')
    rows, total = [], 0
    # A 3×3 pattern is applied at every place of what comes in.
    images = [shape] if config.model == "cnn" else []
    if isinstance(shape, InputLayout):
        images = [picture.shape for picture in shape.pictures]
    sizes = [size for image in images for size in image_sizes(image, config)[:-1]]
    resolutions = itertools.cycle(sizes)  # the networks of an ensemble are one like the other
    for path, layer in run.model.named_modules() if run.model is not None else ():
        if not path or next(layer.children(), None) is not None:
            continue
        own = [(name, tuple(p.shape)) for name, p in layer.named_parameters(recurse=False)]
        count = sum(int(np.prod(shape)) for _, shape in own)
        total += count
        weight = next((shape for name, shape in own if name == "weight" and len(shape) > 1), None)
        if weight and len(weight) == 4:
            high, wide = next(resolutions)
            weight = (weight[0] * high * wide, prod(weight[1:]))
        shapes = ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, shape in own) or "–"
        flop = f"{2 * weight[0] * weight[1]:,}" if weight else "–"
        rows.append(
            [safe(path), safe(type(layer).__name__), shapes, f"{count:,}" if own else "–", flop]
        )
    if run.model is None:
        return f'<div class="net">{"<i>→</i>".join(boxes)}</div>'
    rows.append(
        ["", '<span class="strong">all</span>', "", f'<span class="strong">{total:,}</span>', ""]
    )
    heads = ["layer", "kind", "parameters' shapes", "parameters", "FLOP a row"]
    arrow = "<i>→</i>"
    return f'<div class="net">{arrow.join(boxes)}</div>' + table(heads, rows, numeric_from=3)


def weights_section(run: StoredRun) -> str:
    """Histograms of all weights and biases, before and after training."""
    if run.before is None or run.after is None:
        return ""
    parts = []
    for name, after in list(run.after.weights.items())[:24]:
        picture, text = _distribution(run.before.weights.get(name, after), after, name)
        parts.append(f"<div><h3>{safe(name)}</h3>{picture}<p>{text}</p></div>")
    keys = legend([("after training", "a"), ("before", "b")])
    return keys + f'<div class="small">{"".join(parts)}</div>'


def _distribution(before: Distribution, after: Distribution, name: str) -> tuple[str, str]:
    """The histogram after training with the one before as an outline, and a line of text.  A
    start at one value (biases at zero) has no shape to draw and is told in words."""
    outline = (before.counts, before.low, before.high) if before.high > before.low else None
    picture = histogram(after.counts, after.low, after.high, outline, name)
    if after.high > after.low:
        text = f"mean {number(after.mean, 3)}, deviation {number(after.deviation, 3)}"
    else:
        text = f"one value: {number(after.mean, 3)}"
    if after.zero > 0.001:
        text += f", {after.zero:.0%} exactly zero"
    if outline is None:
        text += f"; all {number(before.mean, 3)} before"
    return picture, text


def activations_section(run: StoredRun) -> str:
    """Histograms of every layer's output on validation rows."""
    if run.before is None or run.after is None:
        return ""
    layers = run.model.named_modules() if run.model is not None else ()
    kinds = {path: type(layer).__name__ for path, layer in layers}
    parts = []
    for path, after in list(run.after.outputs.items())[:24]:
        picture, text = _distribution(run.before.outputs.get(path, after), after, path)
        parts.append(
            f"<div><h3>{safe(path)} {safe(kinds.get(path, ''))}</h3>{picture}<p>{text}</p></div>"
        )
    keys = legend([("after training", "a"), ("before", "b")])
    return keys + f'<div class="small">{"".join(parts)}</div>'


def timings_section(run: StoredRun) -> str:
    """Where the time went."""
    order = ("data", "compilation", "training", "evaluation", "baselines")
    shown = [(n, run.seconds[n]) for n in order if n in run.seconds]
    bar = stacked_bar(
        [
            (Shown(f"{translated(n)} {translated(seconds_text(s))}"), s, css)
            for (n, s), css in zip(shown, "fbacd", strict=False)
        ]
    )
    history = run.history
    facts = [["steps", f"{history.steps:,}"], ["threads", str(run.training.threads)]]
    if len(history):
        speeds = sorted(history["rows_per_second"])
        facts.append(["rows per second (median of epochs)", number(speeds[len(speeds) // 2], 3)])
        spent = run.seconds.get("training", 0.0)
        facts.append(
            ["time a step, validation included", seconds_text(spent / max(history.steps, 1))]
        )
    return bar + table([], facts)


def profile_section(run: StoredRun) -> str:
    """Where the time of a training step went, layer by layer."""
    if run.profile is None:
        return ""
    heads, *lines = run.profile.cells()
    cells = [[safe(cell, 80) for cell in line] for line in lines]
    return table(heads, cells, numeric_from=2) + f"<p>{said(run.profile.summary(), 200)}</p>"


def data_section(run: StoredRun) -> str:
    """What the data were and what was noticed about them."""
    saved = run.saved
    rows = saved.rows
    dropped = f" ({rows['dropped']:,} left out)" if rows["dropped"] else ""
    features = saved.preprocessor.feature_names
    facts = [
        ["source", safe(saved.name)],
        ["rows", f"{rows['all']:,}{dropped}"],
        ["training / validation / test", " / ".join(f"{rows[part]:,}" for part in PARTS)],
        ["features", f"{len(features):,}"],
        ["target", safe(", ".join(saved.task.targets), 200)],
        ["fingerprint (SHA-256)", f"<code>{safe(saved.fingerprint, 80)}</code>"],
    ]
    notes = "".join(f"<li>{said(note, 400)}</li>" for note in run.data_notes)
    names = ", ".join(safe(name, 40) for name in features[:200])
    listed = f"<details><summary>features</summary><p class='note'>{names}</p></details>"
    images = isinstance(saved.preprocessor, ImagePreprocessor)
    return (
        table([], facts, numeric_from=9)
        + (f"<h3>Notes</h3><ul>{notes}</ul>" if notes else "")
        + ("" if images else listed)
    )


def gaps_section(run: StoredRun) -> str:
    """What the folder does not hold, and what went wrong beside the training."""
    listed = [said(note, 400) for note in run.notes]
    listed += [said(f"{message}. {hint}", 600) for message, hint in run.problems]
    return f"<ul>{''.join(f'<li>{text}</li>' for text in listed)}</ul>" if listed else ""


def settings_section(run: StoredRun) -> str:
    """Every setting with its reason; those that differ from the default stand out."""
    rows = []
    for item in dataclasses.fields(TrainingConfig):
        value = getattr(run.saved.config, item.name)
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        shown = "–" if value is None or value == () else safe(shown, 80)
        if value != item.default:
            shown = f'<span class="strong">{shown}</span>'
        rows.append(
            [
                safe(item.name),
                shown,
                f'<span class="dim">{said(item.metadata["reason"], 300)}</span>',
            ]
        )
    return table(["setting", "value", "why"], rows, numeric_from=9)
