"""HTML from texts that may hold anything: every name and value passes through here."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

from pellucid.base.language import language, translated
from pellucid.insight.report.script import HASH, SCRIPT
from pellucid.insight.report.style import CSS

# Nothing is loaded and nothing but the page's own script runs, whatever a name may try.
_POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{HASH}'"
)
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")  # control, format (also bidirectional), unusable

# Around what is not translated any more, until the page is done; no text holds such characters.
_BEGIN, _END = "\ue000", "\ue001"


def safe(value: object, longest: int = 60) -> str:
    """``value`` as text for HTML and SVG: escaped, without invisible characters, shortened."""
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _HIDDEN else c
        for c in str(value)[: 10 * longest]
    )
    if len(shown) > longest:
        shown = shown[: longest - 1] + "…"
    text = html.escape(shown, quote=True)
    return text if language() == "en" else f"{_BEGIN}{text}{_END}"


def plain(text: str, longest: int = 60) -> str:
    """A text in the language of the page without invisible characters, not escaped."""
    return html.unescape(said(text, longest)).replace(_BEGIN, "").replace(_END, "")


def said(text: str, longest: int = 60) -> str:
    """A text of ours in the language of the page, safe for HTML and SVG."""
    return safe(translated(text), longest)


def sentences(*texts: str) -> str:
    """Sentences without their ends, which are HTML already, one after the other."""
    full = [text for text in texts if text]
    return ". ".join(full) if language() == "en" else "。".join(full)


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
    if "e" not in text:
        return text
    mantissa, power = f"{value:.{max(0, digits - 2)}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(power)}"


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
    title, body, last = _in_the_language(title), _in_the_language(body), _in_the_language(last)
    code = {"zh": "zh-CN"}.get(language(), language())
    return (
        f'<!DOCTYPE html><html lang="{code}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{CSS}</style></head><body><main>{body}{last}"
        f"</main><script>{SCRIPT}</script></body></html>\n"
    )


_TAG = re.compile(r"(<[^>]*>)")
_LABEL = re.compile(r'(?<= )(title|aria-label|alt)="([^"]*)"')


def _in_the_language(page: str) -> str:
    """HTML with the texts between its tags, and the labels in them, in the user's language."""
    if language() == "en":
        return page
    parts = _TAG.split(page)
    parts[::2] = map(_text, parts[::2])
    parts[1::2] = (
        _LABEL.sub(lambda label: f'{label[1]}="{_text(label[2])}"', tag) for tag in parts[1::2]
    )
    return "".join(parts).replace(_BEGIN, "").replace(_END, "")


def _text(text: str) -> str:
    if not text.strip() or text.count(_BEGIN) == 1 and text[0] == _BEGIN and text[-1] == _END:
        return text
    found = html.escape(translated(html.unescape(text)), quote=True)
    return re.sub(f"{_END}:( |$)", f"{_END}：", found)
