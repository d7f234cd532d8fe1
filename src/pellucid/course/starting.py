"""The file in which a learner answers the exercises of a lesson."""

from __future__ import annotations

import textwrap
import unicodedata

from pellucid.course.lessons import Lesson

__all__ = ["starting_file"]

_WIDTH = 88


def starting_file(lesson: Lesson, language: str) -> str:
    """The starters of a lesson's exercises as one program, with the tasks as comments."""
    check = f"pellucid lesson check {lesson.number}"
    says = {"en": f"Check your answers with: {check}", "zh": f"检查答案：{check}"}[language]
    parts = [f"# {lesson.heading(language)}\n# {says}\n"]
    for task in lesson.text(language).tasks:
        lines = [f"{task.number} {task.title}", *_wrapped(task.asked)]
        comment = "\n".join(f"# {line}".rstrip() for line in lines)
        parts.append(f"{comment}\n\n{task.starter}")
    return "\n\n".join(parts)


def _wrapped(text: str) -> list[str]:
    """A text of Markdown in lines that fit a comment; Chinese may break anywhere."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        if lines:
            lines.append("")
        whole = " ".join(paragraph.split("\n"))
        if not any(_is_wide(c) for c in whole):
            lines += textwrap.wrap(whole, _WIDTH)
            continue
        lines += paragraph.split("\n")
    return lines


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
