"""The lessons: their order, their texts, and what is in a text: programs, outputs, exercises.

The texts are Markdown (``docs/lessons``; in an installed package ``pellucid/course/texts``).
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pellucid.base.errors import ArgumentError, FileError

__all__ = ["Block", "Lesson", "Task", "Text", "lesson", "lessons", "texts_folder"]

SECTIONS = {
    "en": (
        "The idea",
        "The formula, with numbers",
        "From scratch",
        "With the framework",
        "Common mistakes",
        "Exercises",
        "Summary",
        "Further reading",
    ),
    "zh": (
        "思路",
        "公式与数字",
        "从零实现",
        "用框架来写",
        "常见错误",
        "练习",
        "小结",
        "延伸阅读",
    ),
}
"""The headings of every lesson, in their order."""


def texts_folder() -> Path:
    """The folder of the lessons' texts.

    Raises ``FileError`` where the package was installed without them.
    """
    for folder in (Path(__file__).with_name("texts"), Path(__file__).parents[3] / "docs/lessons"):
        if (folder / "lessons.toml").is_file():
            return folder
    raise FileError("The texts of the lessons are not there", "Install the package anew.")


# ---- what is in a text ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A block of code of a text.

    ``language`` and ``info`` are what stands behind its first fence (``python``, ``starter``),
    ``line`` the number of its first line of code, ``end`` that of its last fence, from 1.
    """

    language: str
    info: str
    code: str
    line: int
    end: int


@dataclass(frozen=True)
class Task:
    """An exercise as the text gives it: what is asked (Markdown), where to start, a solution."""

    number: str
    title: str
    asked: str
    starter: str
    solution: str


@dataclass(frozen=True)
class Text:
    """A lesson's text in one language, taken apart."""

    path: Path
    language: str
    source: str

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks of code, in order."""
        return tuple(_blocks(self.source))

    @functools.cached_property
    def program(self) -> tuple[tuple[Block, Block | None], ...]:
        """The program: its blocks, each with the block of what it prints, if it has one."""
        lines = self.source.splitlines()
        found: list[tuple[Block, Block | None]] = []
        for place, block in enumerate(self.blocks):
            if block.language != "python" or block.info:
                continue
            after = self.blocks[place + 1] if place + 1 < len(self.blocks) else None
            if after is not None:
                between = lines[block.end : after.line - 2]
                if after.language != "text" or any(line.strip() for line in between):
                    after = None
            found.append((block, after))
        return tuple(found)

    @functools.cached_property
    def prose(self) -> str:
        """The text with empty lines in place of its blocks of code."""
        lines = self.source.splitlines()
        for block in self.blocks:
            for number in range(block.line - 2, block.end):
                lines[number] = ""
        return "\n".join(lines)

    @functools.cached_property
    def title(self) -> str:
        """The first heading."""
        return self.source.partition("\n")[0].removeprefix("# ").strip()

    @functools.cached_property
    def headings(self) -> tuple[str, ...]:
        """The headings of its sections."""
        return tuple(re.findall(r"^## (.+?)\s*$", self.prose, re.M))

    @functools.cached_property
    def pictures(self) -> tuple[str, ...]:
        """The names of its pictures, as its links give them."""
        return tuple(re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", self.prose))

    @functools.cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Its exercises.

        Raises ``FileError`` for one without a starter or a solution.
        """
        found = []
        for part in re.split(r"^### (?=\d+\.\d+ )", self._exercises(), flags=re.M)[1:]:
            number, _, title = part.partition("\n")[0].strip().partition(" ")
            blocks = {block.info: block for block in _blocks(part) if block.language == "python"}
            if not {"starter", "solution"} <= set(blocks):
                raise FileError(
                    f"{self.path.name}: exercise {number} has no starter or no solution",
                    "Write both, as blocks of Python.",
                )
            lines = part.splitlines()
            asked = "\n".join(lines[1 : blocks["starter"].line - 2]).strip()
            codes = (blocks[name].code for name in ("starter", "solution"))
            found.append(Task(number, title, asked, *codes))
        return tuple(found)

    def _exercises(self) -> str:
        """The section of the exercises."""
        heading = SECTIONS[self.language][5]
        parts = re.split(r"^## (.+?)\s*$", self.source, flags=re.M)
        return next((b for a, b in zip(parts[1::2], parts[2::2], strict=True) if a == heading), "")


_FENCE = re.compile(r"^(`{3,})(\w*)[ \t]*(.*?)[ \t]*$")


def _blocks(source: str) -> Iterator[Block]:
    """The fenced blocks of a text."""
    fence, start, found = "", 0, ("", "")
    code: list[str] = []
    for number, line in enumerate(source.splitlines(), 1):
        match = _FENCE.match(line)
        if not fence and match:
            fence, start, found, code = match[1], number + 1, (match[2], match[3]), []
        elif fence and line.strip() == fence:
            yield Block(*found, "".join(f"{each}\n" for each in code), start, number)
            fence = ""
        elif fence:
            code.append(line)


# ---- the list of lessons -------------------------------------------------------------------------


@dataclass(frozen=True)
class Lesson:
    """A lesson's place in the course: number (from 1), name of its files, titles and parts by
    language."""

    number: int
    slug: str
    titles: dict[str, str]
    part: dict[str, str]

    @property
    def name(self) -> str:
        """The name of its files: ``05-activations``."""
        return f"{self.number:02}-{self.slug}"

    def path(self, language: str) -> Path:
        """The file of its text in ``language`` (``en`` or ``zh``), whether it is there or not."""
        return texts_folder() / language / f"{self.name}.md"

    def heading(self, language: str) -> str:
        """The title with the number, as its text begins."""
        title = self.titles[language]
        return (
            f"第 {self.number} 课 {title}" if language == "zh" else f"Lesson {self.number}. {title}"
        )

    @property
    def is_there(self) -> bool:
        """Whether its texts are written."""
        return all(self.path(language).is_file() for language in self.titles)

    def text(self, language: str) -> Text:
        """Its text in ``language``.

        Raises ``FileError`` where there is none.
        """
        path = self.path(language)
        try:
            return Text(path, language, path.read_text("utf-8"))
        except OSError:
            raise FileError(
                f"The text of lesson {self.number} is not there", "See the list: pellucid lessons"
            ) from None


def lessons() -> tuple[Lesson, ...]:
    """All lessons, in order."""
    course = tomllib.loads((texts_folder() / "lessons.toml").read_text("utf-8"))
    found: list[Lesson] = []
    for part in course["part"]:
        names = {language: part[language] for language in SECTIONS}
        for entry in part["lesson"]:
            titles = {language: entry[language] for language in SECTIONS}
            found.append(Lesson(len(found) + 1, entry["slug"], titles, names))
    return tuple(found)


def lesson(number: int) -> Lesson:
    """The lesson with this number.

    Raises ``ArgumentError`` where there is none.
    """
    found = lessons()
    if not 1 <= number <= len(found):
        raise ArgumentError(f"There is no lesson {number}", f"The lessons are 1 to {len(found)}.")
    return found[number - 1]
