"""A lesson as it is read: its text prepared for a terminal, and as a page for a browser.

The page is one file with everything in it: formulas are MathML, pictures stand in it as data,
colours follow the reader's light or dark theme, and nothing is loaded from anywhere.
"""

from __future__ import annotations

import base64
import html
import io
import keyword
import re
import tokenize
from collections.abc import Callable
from pathlib import Path

from pellucid.base.extras import needs
from pellucid.base.language import columns_of
from pellucid.course.lessons import Lesson, Text

__all__ = ["page", "terminal_text"]

_FENCED = re.compile(r"^(`{3,})[^\n]*\n.*?^\1[ \t]*$", re.M | re.S)
_INLINE = re.compile(r"`[^`\n]+(?:\n[^`\n]+)?`")
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+(?:\n[^$\n]+)?)\$", re.S)
_WIDE = r"[\u2e80-\u9fff\uff00-\uffef\u3000-\u303f“”‘’…—]"


def _outside_of_code(source: str, change: Callable[[str], str]) -> str:
    """A text in which ``change`` was applied to what stands between pieces of code."""
    parts, at = [], 0
    for block in _FENCED.finditer(source):
        parts += [_between(source[at : block.start()], change), block[0]]
        at = block.end()
    return "".join([*parts, _between(source[at:], change)])


def _between(source: str, change: Callable[[str], str]) -> str:
    """The same for code within lines: it is put aside, so that formulas are seen whole."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\ue002{len(kept) - 1}\ue003"

    changed = change(_INLINE.sub(keep, source))
    return re.sub("\ue002(\\d+)\ue003", lambda m: kept[int(m[1])], changed)


def _without_breaks(source: str) -> str:
    """Chinese lines put together: Markdown would make a blank of the break."""
    source = re.sub(rf"(?<={_WIDE})\n(?={_WIDE})", "", source)
    return re.sub(r"(?<=[，。；：？！）”、》])\n(?=\S)(?![-*] |[#>|<]|\d+\. )", "", source)


# ---- the terminal --------------------------------------------------------------------------------


def terminal_text(text: Text, width: int, *, solutions: bool = False) -> str:
    """The Markdown of a lesson for a terminal of ``width`` columns: formulas in plain characters,
    pictures as their descriptions, solutions only where they are asked for."""
    source = text.source
    if not solutions:
        source = re.sub(r"^<details>.*?^</details>\n*", "", source, flags=re.M | re.S)
    source = re.sub(r"</?details>\s*|<summary>(.*?)</summary>", r"*\1*", source)
    source = source.replace("**\n", "\n")

    def change(part: str) -> str:
        part = re.sub(r"!\[([^\]]*)\]\(([^)]*)\)", _described(text), part)
        part = _FORMULA.sub(lambda m: _plain_formula(m[1] or m[2], block=bool(m[1])), part)
        return _without_breaks(part)

    source = re.sub(r"^```(\w+) [^\n]*$", r"```\1", source, flags=re.M)
    source = _outside_of_code(source, change)
    if text.language != "zh":
        return source
    pieces = re.split(r"(^`{3,}[^\n]*\n.*?^`{3,}[ \t]*$)", source, flags=re.M | re.S)
    return "".join(p if n % 2 else _broken(p, width - 4) for n, p in enumerate(pieces))


_UNIT = re.compile(
    rf"(?:`[^`]+`|\*+[^*]+\*+|{_WIDE}|[^\s*`\u2e80-\u9fff\uff00-\uffef\u3000-\u303f]+|\S)"
    r"[，。；：？！）”’、》…—]*\s*"
)
"""What stays on one line: a character with the marks behind it, a word, a piece of code."""


def _broken(source: str, width: int) -> str:
    """Lines of Chinese broken where they may be: between characters, not before a mark."""
    lines = []
    for line in source.split("\n"):
        if columns_of(line) <= width or line.startswith(("#", "|", "    ")):
            lines.append(line)
            continue
        found = re.match(r"(?:[-*] |\d+\. |> )?", line)
        lead = found[0] if found else ""
        rows = [lead]
        for unit in _UNIT.findall(line[len(lead) :]):
            if columns_of(rows[-1]) + columns_of(unit.rstrip()) > width:
                rows.append("> " if lead == "> " else " " * len(lead))
            rows[-1] += unit
        lines.append("  \n".join(row.rstrip() for row in rows))
    return "\n".join(lines)


def _described(text: Text) -> Callable[[re.Match[str]], str]:
    return lambda found: f"> ▣ {found[1]}  \n> {text.path.parent / found[2]}"


_SIGNS = {
    "cdot": "·",
    "times": "×",
    "sigma": "σ",
    "partial": "∂",
    "sum": "Σ",
    "prod": "Π",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "neq": "≠",
    "ne": "≠",
    "approx": "≈",
    "to": "→",
    "rightarrow": "→",
    "leftarrow": "←",
    "infty": "∞",
    "dots": "…",
    "ldots": "…",
    "cdots": "…",
    "sqrt": "√",
    "nabla": "∇",
    "in": "∈",
    "pm": "±",
    "odot": "⊙",
    "mid": "|",
    "top": "ᵀ",
    "sim": "∼",
    "quad": "  ",
    "qquad": "    ",
    "log": "log ",
    "exp": "exp ",
    "max": "max ",
    "min": "min ",
    "tanh": "tanh ",
}
_SUBSCRIPTS = str.maketrans("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_SUPERSCRIPTS = str.maketrans("0123456789+-=()nitz", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵗᶻ")


def _plain_formula(formula: str, *, block: bool) -> str:
    """A formula of LaTeX in plain characters, as near as a terminal comes."""
    text = " ".join(formula.split())
    text = re.sub(r"\\(?:text|mathrm|mathbf|operatorname|boldsymbol)\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\begin\{\w+\}|\\end\{\w+\}|\\(?:bigl|bigr|Bigl|Bigr|left|right)\b", " ", text)
    text = re.sub(r"\\\\", " ; ", text).replace("&", " ")
    text = re.sub(r"\\[,;:! ]", " ", text)
    text = re.sub(r"_\{([^{}]*)\}|_(\w)", lambda m: _small(m[1] or m[2], _SUBSCRIPTS, "_"), text)
    text = re.sub(
        r"\^\{([^{}]*)\}|\^(\w)", lambda m: _small(m[1] or m[2], _SUPERSCRIPTS, "^"), text
    )
    for _ in range(4):  # fractions in fractions
        text = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", _fraction, text)
        text = re.sub(r"\\(?:hat|bar|tilde|vec)\{?(\w)\}?", r"\1", text)
    text = re.sub(r"\\([A-Za-z]+)( ?)", _sign, text)
    text = re.sub(r"\\([{}%#_&$])", r"\1", text)
    text = re.sub(
        r"\^\{([^{}]*)\}|\^(\S)", lambda m: _small(m[1] or m[2], _SUPERSCRIPTS, "^"), text
    )
    text = re.sub(r"[{}]", "", re.sub(r" {2,}", "  ", text)).strip()
    return f"\n\n    {text}\n\n" if block else f"`{text}`"


def _fraction(found: re.Match[str]) -> str:
    up, down = (f"({x})" if re.search(r"[-+ ]", x.strip()) else x for x in found.groups())
    return f"{up}/{down}"


def _sign(found: re.Match[str]) -> str:
    name = found[1]
    if name in _SIGNS:
        return _SIGNS[name] + found[2]
    letter = html.unescape(f"&{name};")  # HTML calls Greek letters as LaTeX does
    return letter if len(letter) == 1 else f"{name} "


def _small(text: str, table: dict[int, int], mark: str) -> str:
    """An index or a power in small characters where there are such."""
    if all(ord(c) in table for c in text):
        return text.translate(table)
    return f"{mark}{text}" if len(text) == 1 else f"{mark}({text})"


# ---- the page ------------------------------------------------------------------------------------


def page(lesson: Lesson, language: str) -> str:
    """A lesson as a page of HTML that needs nothing but itself."""
    text = lesson.text(language)
    body = _rendered(text)
    tongue = "zh-CN" if language == "zh" else "en"
    style = Path(__file__).with_name("page.css").read_text("utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="{tongue}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(lesson.heading(language))}</title>\n<style>{style}</style>\n"
        f'</head>\n<body>\n<main>\n<p class="part">{html.escape(lesson.part[language])}</p>\n'
        f"{body}</main>\n</body>\n</html>\n"
    )


def _rendered(text: Text) -> str:
    """The text's Markdown as HTML."""
    with needs("course", "A lesson's page"):
        from markdown_it import MarkdownIt
    formulas: list[str] = []

    def put_aside(found: re.Match[str]) -> str:
        formulas.append(mathml(found[1] or found[2], block=bool(found[1])))
        return f"\ue000{len(formulas) - 1}\ue001"

    fold = {"en": "How the picture is drawn", "zh": "画图的代码"}[text.language]
    folded = re.sub(
        r"^```python\n(?:(?!```).)*?savefig\(.*?^```$",
        lambda m: f"<details><summary>{fold}</summary>\n\n{m[0]}\n\n</details>",
        text.source,
        flags=re.M | re.S,
    )
    source = _outside_of_code(folded, lambda part: _without_breaks(_FORMULA.sub(put_aside, part)))
    reader = MarkdownIt("commonmark", {"html": True, "highlight": _highlighted}).enable("table")
    shown = str(reader.render(source))
    shown = re.sub("\ue000(\\d+)\ue001", lambda m: formulas[int(m[1])], shown)
    shown = shown.replace("<table>", '<div class="wide"><table>')
    shown = shown.replace("</table>", "</table></div>")
    return re.sub(r'<img src="([^"]+)"', lambda m: f'<img src="{_embedded(text, m[1])}"', shown)


def mathml(formula: str, *, block: bool = False) -> str:
    """A formula of LaTeX as MathML."""
    with needs("course", "A lesson's page"):
        from latex2mathml.converter import convert

    made = convert(formula.strip(), display="block" if block else "inline")
    return _NAMES.sub(_SPACED, str(made))


_NAMES = re.compile(r"<mi>(ln|log|exp|sin|cos|tan|tanh|max|min|det|arg|sign)</mi>")
_SPACED = r'<mo lspace="0.17em" rspace="0.17em">\1</mo>'  # the converter sets "ln p" as "lnp"


def _embedded(text: Text, name: str) -> str:
    """A picture of the text as data within the page."""
    picture = text.path.parent / name
    if "://" in name or not picture.is_file():
        return name
    data = base64.b64encode(picture.read_bytes()).decode("ascii")
    return f"data:image/{picture.suffix[1:]};base64,{data}"


def _highlighted(code: str, language: str, attributes: str) -> str:
    """Python with its words in colours; anything else as it is."""
    if language != "python":
        return html.escape(code)
    lines = code.splitlines(keepends=True)
    made: list[str] = []
    row, column = 1, 0
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return html.escape(code)
    for token in tokens:
        kind = _kind(token)
        if not kind:
            continue
        made.append(html.escape(_piece(lines, (row, column), token.start)))
        made.append(f'<span class="{kind}">{html.escape(token.string)}</span>')
        row, column = token.end
    made.append(html.escape(_piece(lines, (row, column), (len(lines) + 1, 0))))
    return "".join(made)


_FSTRINGS = ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")


def _kind(token: tokenize.TokenInfo) -> str:
    """The class of a token that has a colour."""
    if token.type == tokenize.COMMENT:
        return "c"
    if token.type == tokenize.STRING:
        return "s"
    if tokenize.tok_name[token.type] in _FSTRINGS and "{" not in token.string:
        return "s"
    if token.type == tokenize.NUMBER:
        return "n"
    return "k" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else ""


def _piece(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The text between two places (row from 1, column from 0)."""
    if start[0] > len(lines):
        return ""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    last = lines[end[0] - 1][: end[1]] if end[0] <= len(lines) else ""
    return lines[start[0] - 1][start[1] :] + "".join(lines[start[0] : end[0] - 1]) + last
