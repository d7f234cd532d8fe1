"""The page of a run that learned from texts: curves, figures beside the simple model's, samples."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pellucid.base.errors import RunFolderError
from pellucid.base.language import Shown, in_language, translated
from pellucid.insight.report.charts import line_chart
from pellucid.insight.report.markup import card, number, page, safe, said, sentences, table
from pellucid.training.run_folder import load_description, read_records
from pellucid.training.saved_model import PARTS
from pellucid.training.saved_system import SavedSystem

BITS = "bits per character"


def render_system_report(
    folder: str | os.PathLike[str], samples: Sequence[str] = (), *, language: str | None = None
) -> str:
    """The report of a language model's run, or of a network from sequence to sequence, as HTML
    text in the ``language`` ``"en"`` or ``"zh"``; ``samples`` are texts that it wrote.

    Everything else comes from the folder.  Raises ``FileError`` where there is none, and
    ``RunFolderError`` where it is damaged or of another kind.
    """
    saved = load_description(folder)
    if not isinstance(saved, SavedSystem):
        raise RunFolderError(f"{folder} is a network for rows of data", "Use render_report.")
    epochs = [one for one in read_records(folder) if one.get("event") == "epoch"]
    with in_language(language):
        return _page(Path(folder), saved, epochs, samples)


def _page(
    folder: Path, saved: SavedSystem, epochs: list[dict[str, Any]], samples: Sequence[str]
) -> str:
    title = f"{safe(saved.name)}: {said(saved.target)}"
    head = (
        f'<header><p class="eyebrow">Training report · {said(saved.kind)}</p><h1>{title}</h1>'
        f'<p class="lead">{said(saved.status)}, {safe(saved.created)}.</p></header>'
    )
    cards = [
        card("Metrics", _figures(saved), "Only the test part was never looked at.", wide=True),
        card("Loss", _curves(epochs), "After each epoch, in nats a token."),
        card("Learning rate", _rates(epochs)),
        card("Samples", _samples(samples), "What the network writes.", wide=True),
        card("Data", _data(saved)),
        card("Network", _tensors(saved), wide=True),
        card("Settings", _settings(saved), wide=True),
    ]
    versions = ", ".join(f"{safe(name)} {safe(text)}" for name, text in saved.versions.items())
    body = head + _verdict(saved) + '<div class="cards">' + "".join(cards) + "</div>"
    return page(title, body, versions)


def simple_model(saved: SavedSystem) -> str:
    """The name of the simple model whose figures stand beside the network's; empty without one."""
    found = (part.partition(", ") for part in saved.figures)
    return next((model for model, comma, _ in found if comma), "")


def compared(saved: SavedSystem) -> tuple[bool, str] | None:
    """Whether the network beats the simple model, and a sentence; None where there is none."""
    simple = simple_model(saved)
    for part in ("test", "validation"):
        own = saved.figures.get(part, {}).get(BITS)
        other = saved.figures.get(f"{simple}, {part}", {}).get(BITS)
        if own is not None and other is not None:
            if own < other:
                text = (
                    f"The network beats the {simple}: {own:.3g} bits per character to {other:.3g}"
                )
                return True, text
            return False, (
                f"The {simple} is better: {other:.3g} bits per character, the network needs "
                f"{own:.3g}. Train longer, or with more text, or a larger network"
            )
    return None


def _verdict(saved: SavedSystem) -> str:
    found = compared(saved)
    if found is None:
        return ""
    better, text = found
    css = "good" if better else "warn"
    return f'<div class="verdict {css}"><p>{sentences(said(text, 400))}</p></div>'


def _figures(saved: SavedSystem) -> str:
    parts = list(saved.figures)
    if not parts:
        return ""
    names = dict.fromkeys(name for values in saved.figures.values() for name in values)
    rows = [
        [said(name), *(_value(saved.figures[part].get(name), name) for part in parts)]
        for name in names
    ]
    return table(["", *map(_part, parts)], rows)


def _part(part: str) -> str:
    """A part, or "6-gram model, test"."""
    model, comma, name = part.partition(", ")
    return f"{said(model)}{comma}{said(name)}" if comma else said(part)


def _value(value: float | None, name: str) -> str:
    if value is None:
        return "–"
    return f"{value:.1%}" if name == "exact matches" else number(value)


def _numbers(epochs: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    """Epochs and the values of a field, where there are some."""
    pairs = [
        (float(place), float(value))
        for place, one in enumerate(epochs, 1)
        if isinstance(value := one.get(name), int | float) and math.isfinite(value)
    ]
    return [x for x, _ in pairs], [y for _, y in pairs]


def _curves(epochs: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for name, field, css in (
        ("training loss", "loss", "a"),
        ("validation loss", "validation_loss", "b"),
    ):
        xs, ys = _numbers(epochs, field)
        if xs:
            lines.append((name, css, xs, ys))
    return line_chart(lines, "epoch", translated("loss")) if lines else ""


def _rates(epochs: Sequence[Mapping[str, Any]]) -> str:
    xs, ys = _numbers(epochs, "learning_rate")
    return line_chart([("learning rate", "a", xs, ys)], "epoch", "learning rate") if xs else ""


def _samples(samples: Sequence[str]) -> str:
    """Texts line by line: nothing else of their form is kept."""
    return "".join(
        f"<pre>{'<br>'.join(safe(line, 300) for line in text.splitlines()[:60])}</pre>"
        for text in samples
        if text.strip()
    )


def _data(saved: SavedSystem) -> str:
    rows = [[said(part), f"{saved.rows[part]:,}"] for part in PARTS if part in saved.rows]
    rows.append(["fingerprint (SHA-256)", f"<code>{safe(saved.fingerprint[:16])}…</code>"])
    return table([], rows)


def _tensors(saved: SavedSystem) -> str:
    shapes = list(saved.shapes.items())
    rows = [
        [safe(name), safe("×".join(map(str, shape))), f"{math.prod(shape):,}"]
        for name, shape in shapes[:300]
    ]
    total = sum(math.prod(shape) for _, shape in shapes)
    rows.append(['<span class="strong">all</span>', "", f'<span class="strong">{total:,}</span>'])
    return table(["layer", "shape", "parameters"], rows, numeric_from=2)


def _settings(saved: SavedSystem) -> str:
    rows = [[safe(name), safe(Shown(value), 80)] for name, value in saved.settings.items()]
    return table(["setting", "value"], rows, numeric_from=9)
