"""The language of what people read: the command line, its help, reports and pictures.

Texts are English where they are written, and put into the language of the user where they are
shown.  A catalogue (``catalogues/zh.toml``) has an entry for each: the English text with numbered
places for what is filled in, and the translation with the same places.  A place that is written
``{1!t}`` there holds a text of ours and is translated too; others hold names and values, which
stay as they are.  What programs read (JSON, names of columns, files) is English in every language.
"""

from __future__ import annotations

import functools
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pellucid.base.errors import ArgumentError

__all__ = [
    "LANGUAGES",
    "Shown",
    "columns_of",
    "in_language",
    "language",
    "padded",
    "translated",
    "use_language",
]

LANGUAGES = ("en", "zh")
_VARIABLES = ("PELLUCID_LANG", "LC_ALL", "LC_MESSAGES", "LANG")

_chosen: list[str] = [""]  # of the whole process: threads draw progress bars


class Shown(str):
    """A text that is shown as it is: a name, or a text that is in the user's language already."""

    __slots__ = ()


def language() -> str:
    """``en`` or ``zh``: the one that was chosen, otherwise that of the environment.

    The first of ``PELLUCID_LANG``, ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` that is set decides:
    what begins with ``zh`` is Chinese, everything else English.
    """
    if _chosen[0]:
        return _chosen[0]
    value = next((v for name in _VARIABLES if (v := os.environ.get(name))), "")
    return "zh" if value.lower().startswith("zh") else "en"


def use_language(name: str | None) -> None:
    """Chooses the language, ``en`` or ``zh``; None leaves it to the environment.

    Raises ``ArgumentError`` for another one.
    """
    _chosen[0] = _checked(name)


@contextmanager
def in_language(name: str | None) -> Iterator[None]:
    """Inside, ``name`` is the language; with None the one there is stays."""
    before = _chosen[0]
    _chosen[0] = _checked(name) or before
    try:
        yield
    finally:
        _chosen[0] = before


def _checked(name: str | None) -> str:
    if name and name not in LANGUAGES:
        raise ArgumentError(f"There is no language {name!r}", "The languages are en and zh.")
    return name or ""


def translated(text: str) -> str:
    """``text`` in the language of the user; what the catalogue does not know stays English."""
    if isinstance(text, Shown) or language() == "en":
        return text
    return Shown(_catalogue().translation(text))


def columns_of(text: str) -> int:
    """How many columns of a terminal ``text`` takes: Chinese characters take two."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text
    )


def padded(text: str, width: int, *, right: bool = False) -> str:
    """``text`` with blanks behind it (``right``: before it) up to ``width`` columns."""
    blanks = " " * (width - columns_of(text))
    return blanks + text if right else text + blanks


# ---- the catalogue -------------------------------------------------------------------------------


@functools.cache
def _catalogue() -> Catalogue:
    import tomllib

    file = Path(__file__).with_name("catalogues") / "zh.toml"
    tables = tomllib.loads(file.read_text("utf-8"))
    return Catalogue([pair for table in tables.values() for pair in table.items()])


# What separates parts of a text, from the coarsest to the finest, and what stands for it.
_SEPARATORS = ((". ", "。"), ("; ", "；"), (": ", "："), (", ", "，"), (" → ", " → "))
_MOST_PIECES, _MOST_SEEN = 16, 4096
_FEW_LETTERS, _LONG = 8, 60
_PROSE = re.compile(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}")
_ENDS = {".": "。", ":": "：", ",": "，", ";": "；"}
_WIDE = re.compile(r"[\u2e80-\u9fff\uff00-\uffef\u3000-\u303f“”]")
_IDEOGRAPH, _LATIN = re.compile(r"[\u4e00-\u9fff]"), re.compile(r"[A-Za-z0-9]")
_BESIDE = re.compile(
    r"(?<=[\u4e00-\u9fff）”])([.,:;]) (?=\S)|(?<=[\w）”\])%'\"])([.,:;]) (?=[\u4e00-\u9fff（“])"
)
_GOES_ON = re.compile(r"([\u4e00-\u9fff][^:;\n'\"=({\[]*?)([:;]) (?=\S)")
_STOPS = re.compile(r"[\u4e00-\u9fff].*[^.\s]\.$")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_PLACE = re.compile(r"\{(\d+)(!t)?\}")


@dataclass(frozen=True)
class _Template:
    """An entry with places: the fixed parts around them, and the translation."""

    fixed: tuple[str, ...]
    chinese: str
    letters: int

    def values(self, text: str) -> list[str] | None:
        """What stands in the places, or None where the text is another."""
        first, last = self.fixed[0], self.fixed[-1]
        if len(text) < len(first) + len(last) or not text.startswith(first):
            return None
        if not text.endswith(last):
            return None
        end, at = len(text) - len(last), len(first)
        found = []
        for part in self.fixed[1:-1]:
            place = text.find(part, at, end)
            if place < 0:
                return None
            found.append(text[at:place])
            at = place + len(part)
        return [*found, text[at:end]]


class Catalogue:
    """Entries English → translation."""

    def __init__(self, entries: Sequence[tuple[str, str]]) -> None:
        self.whole: dict[str, str] = {}
        # By what they begin with, or else end with, so that few are tried.
        self.by_start: dict[str, list[_Template]] = {}
        self.by_end: dict[str, list[_Template]] = {}
        self._seen: dict[str, tuple[str, int]] = {}
        for english, chinese in entries:
            fixed = tuple(_PLACE.split(english)[::3])
            if len(fixed) == 1:
                self.whole[english] = chinese
            else:
                letters = sum(map(_weight, fixed))
                index, key = self.by_start, fixed[0][:1]
                if not key:
                    index, key = self.by_end, fixed[-1][-1:]
                index.setdefault(key, []).append(_Template(fixed, chinese, letters))

    def translation(self, text: str) -> str:
        """The translation, line by line."""
        return "\n".join(_widened(line, self._part(line)[0]) for line in text.split("\n"))

    def _part(self, text: str, level: int = 0, words: bool = True) -> tuple[str, int]:
        """A translation and how much of the text it covers; 0 where none is known.

        ``level`` is the coarsest separator at which the text may be cut.  Without ``words`` single
        words stay: in a list they may be anybody's names.
        """
        core = text.strip()
        if not core or _QUOTED.fullmatch(core):
            return text, 0  # nothing, or a name in quotes
        lead, tail = text[: text.index(core)], text[text.index(core) + len(core) :]
        found, covered = self._core(core, level, words)
        lead = "" if lead == " " and found[:1] == "（" else lead
        return (lead + found + ("" if _wide_end(found) else tail) if covered else text), covered

    def _core(self, core: str, level: int, words: bool, ended: bool = True) -> tuple[str, int]:
        if core[0] in _ENDS and core[1:2] == " ":
            found, letters = self._core(core[2:], level, words) if core[2:] else (core, 0)
            return (_ENDS[core[0]] + found if letters else core), letters
        whole = self.whole.get(core)
        if whole is not None and (words or " " in core):
            return whole, _weight(core)
        best, covered = self._by_template(core)
        if core[0].isupper() and not covered and " " in core:
            lower = core[0].lower() + core[1:]
            if lower in self.whole:
                return self.whole[lower], _weight(core)
            best, covered = self._by_template(lower)
        if ended and core[-1] in _ENDS and len(core) > 1:
            found, letters = self._core(core[:-1], level, words, ended=False)
            if letters and letters >= covered:
                best, covered = found + ("" if _wide_end(found) else _ENDS[core[-1]]), letters
        for position in range(level, len(_SEPARATORS)):
            found, letters = self._in_pieces(core, position)
            if letters > covered:
                best, covered = found, letters
        for end, begin in ((")", " ("), ("]", " \\["), ("]", " [")):
            if core[-1] == end and core.find(begin) > 0:
                found, letters = self._before_bracket(core, begin)
                if letters > covered:
                    best, covered = found, letters
        return best, covered

    def _by_template(self, core: str) -> tuple[str, int]:
        """The filled-in template that covers most."""
        if core in self._seen:
            return self._seen[core]
        best, most, own = core, 0, 0
        for template in (
            *self.by_start.get(core[0], ()),
            *self.by_end.get(core[-1], ()),
            *self.by_end.get("", ()),
        ):
            if (
                template.letters + 10 * len(core) < most
                or (values := template.values(core)) is None
            ):
                continue
            found, covered = self._filled(template, values)
            if (covered, template.letters) > (most, own):
                best, most, own = found, covered, template.letters
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[core] = best, most
        return best, most

    def _filled(self, template: _Template, values: list[str]) -> tuple[str, int]:
        covered = template.letters
        few = covered < 10 * _FEW_LETTERS
        bare = few and not template.fixed[0] and "".join(template.fixed).replace(" ", "").isalpha()
        if bare and sum(map(len, values)) > _LONG:
            return "", 0  # "… over …" within a formula
        parts: list[str] = []
        at = 0
        for place in _PLACE.finditer(template.chinese):
            value = values[int(place[1]) - 1]
            if place[2]:
                value, letters = self._part(value)
                covered += letters
            elif few and _PROSE.search(value):
                return "", 0  # a text without an entry, not a name
            parts += [template.chinese[at : place.start()], value]
            at = place.end()
        return _joined([*parts, template.chinese[at:]]), covered

    def _in_pieces(self, core: str, level: int) -> tuple[str, int]:
        """The text cut where most of it is covered: pieces may hold separators themselves."""
        separator, wide = _SEPARATORS[level]
        pieces = _split(core, separator)
        if not 1 < len(pieces) <= _MOST_PIECES:
            return core, 0
        best: list[tuple[str, int]] = [("", 0)]  # of the first so many pieces
        for end in range(1, len(pieces) + 1):
            choices = []
            for start in range(end):
                if end - start == 1:
                    found = self._part(pieces[start], level + 1, words=False)
                elif end - start < len(pieces):
                    found = self._by_template(separator.join(pieces[start:end]))
                else:
                    continue
                before, covered = best[start]
                text = _together(before, found[0], separator, wide) if start else found[0]
                choices.append((text, covered + found[1]))
            best.append(max(choices, key=lambda choice: choice[1]))
        return best[-1]

    def _before_bracket(self, core: str, begin: str) -> tuple[str, int]:
        """A text with a remark in parentheses behind it, or with choices in brackets."""
        head, _, rest = core.partition(begin)
        before, first = self._part(head, words=False)
        if begin != " (":
            return before + begin + rest, first
        inside, second = self._part(rest[:-1], words=False)
        marked, third = self._part(f"({rest}")  # some have an entry with their parentheses
        if third > second:
            return f"{before}{marked}", first + third
        return f"{before}（{inside}）", first + second


def _widened(text: str, made: str) -> str:
    """A translated line with Chinese marks where a sentence goes on or ends behind what stayed as
    it is: a name, a number, a formula."""
    if made == text or not _IDEOGRAPH.search(made):
        return made
    made = _BESIDE.sub(lambda mark: _ENDS[mark[1] or mark[2]], made)
    made = _GOES_ON.sub(lambda mark: mark[1] + _ENDS[mark[2]], made)
    return made[:-1] + "。" if _STOPS.search(made) else made


def _split(text: str, separator: str) -> list[str]:
    """The pieces between separators that stand outside of brackets and quotes."""
    pieces, depth, quote, start = [], 0, "", 0
    for place, c in enumerate(text):
        if quote:
            if c == quote and not text[place + 1 : place + 2].isalnum():
                quote = ""
        elif c in "'\"" and not text[max(0, place - 1) : place].isalnum():
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth = max(0, depth - 1)
        elif not depth and text.startswith(separator, place) and place >= start:
            pieces.append(text[start:place])
            start = place + len(separator)
    return [*pieces, text[start:]]


def _weight(text: str) -> int:
    """How much of a text it is that is known: letters, and marks where letters are equal."""
    return sum(10 if c.isalpha() else not c.isspace() for c in text)


def _together(before: str, after: str, separator: str, wide: str) -> str:
    """Two pieces with what stands between them: a Chinese mark beside Chinese."""
    if not (_WIDE.search(before) or _WIDE.search(after)):
        return before + separator + after
    return before + ("" if _wide_end(before) else wide) + after


def _wide_end(text: str) -> bool:
    """Whether a text ends in a mark that needs no blank and no other mark behind it."""
    return text[-1:] in "。；：，"


def _joined(parts: list[str]) -> str:
    """Parts put together, without the blanks that are for Latin letters where Chinese stands."""
    text = ""
    for part in parts:
        if text.endswith(" ") and _WIDE.match(text[-2:-1]) and _WIDE.match(part):
            text = text[:-1]
        if part.startswith(" ") and _WIDE.match(text[-1:]) and _WIDE.match(part[1:2]):
            part = part[1:]
        if _IDEOGRAPH.match(text[-1:]) and _LATIN.match(part):
            text += " "
        elif _LATIN.match(text[-1:]) and _IDEOGRAPH.match(part):
            text += " "
        text += part
    return text
