"""HTML from texts that may hold anything: every name and value passes through here."""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Iterable, Sequence

from pellucid.insight.report.style import CSS

# Nothing is loaded and nothing runs, whatever a name in the data may try.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")  # control, format (also bidirectional), unusable


def safe(value: object, longest: int = 60) -> str:
    """``value`` as text for HTML and SVG: escaped, without invisible characters, shortened."""
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _HIDDEN else c
        for c in str(value)[: 10 * longest]
    )
    if len(shown) > longest:
        shown = shown[: longest - 1] + "…"
    return html.escape(shown, quote=True)


def number(value: float, digits: int = 4) -> str:
    """A number with so many significant digits, as people write it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return text if "e" not in text else f"{value:.{max(0, digits - 2)}e}"


def seconds_text(seconds: float) -> str:
    """A duration: ``3 ms``, ``1.2 s``, ``4 min 10 s``."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, numeric_from: int = 1, css: str = ""
) -> str:
    """A table of cells that are HTML already; columns from ``numeric_from`` on are numbers."""

    def cells(values: Sequence[str], tag: str) -> str:
        made = []
        for position, value in enumerate(values):
            kind = ' class="n"' if position >= numeric_from else ""
            name = "th" if tag == "th" or position == 0 else "td"
            scope = ' scope="col"' if tag == "th" else (' scope="row"' if name == "th" else "")
            made.append(f"<{name}{scope}{kind}>{value}</{name}>")
        return "<tr>" + "".join(made) + "</tr>"

    body = "".join(cells(row, "td") for row in rows)
    head = f"<thead>{cells(heads, 'th')}</thead>" if heads else ""
    return f'<div class="scroll"><table class="{css}">{head}<tbody>{body}</tbody></table></div>'


def card(title: str, body: str, note: str = "", *, wide: bool = False) -> str:
    """A titled block; ``title``, ``body`` and ``note`` are HTML."""
    if not body:
        return ""
    text = f'<p class="note">{note}</p>' if note else ""
    return f'<section class="card{" wide" if wide else ""}"><h2>{title}</h2>{text}{body}</section>'


def page(title: str, body: str, footer: str = "") -> str:
    """A whole page; ``title``, ``body`` and ``footer`` are HTML."""
    last = f"<footer>{footer}</footer>" if footer else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{CSS}</style></head><body><main>{body}{last}"
        "</main></body></html>\n"
    )
