"""The programs of the lessons run, print what the texts say, and draw their pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from course.lesson_files import LESSONS, SLOW, lesson_id, tool
from pellucid.course.lessons import Lesson, Text

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


# The English program is the Chinese one, as tests of the texts show; here one of them is enough.
CASES = [(each, language) for each in LESSONS for language in (("zh", "en") if SLOW else ("zh",))]


@pytest.mark.parametrize(
    ("lesson", "language"), CASES, ids=[f"{x.name}-{language}" for x, language in CASES]
)
def test_programs_print_and_draw_what_the_text_shows(lesson: Lesson, language: str) -> None:
    text = lesson.text(language)
    ran = tool().run(text)
    assert tool().compare(text, ran) == []
    for name in text.pictures:
        drawn = ran.files[Path(name).name]
        kept = (text.path.parent / name).read_bytes()
        if font_is_there(language):
            assert difference(drawn, kept) < 0.03, f"run tools/lessons.py {lesson.number} --write"


def font_is_there(language: str) -> bool:
    from pellucid.insight.pictures.canvas import chinese_font

    return language == "en" or chinese_font() == "WenQuanYi Micro Hei"


def difference(first: bytes, second: bytes) -> float:
    """How far two pictures are apart, between 0 and 1: the mean of small grey versions; drawings
    of lines and words (SVG) are the same or are not."""
    from PIL import Image

    if b"<svg" in first[:400]:
        return float(first.split() != second.split())
    small = []
    for content in (first, second):
        with Image.open(io.BytesIO(content)) as picture:
            grey = picture.convert("L").resize((96, 64), Image.Resampling.BOX)
        small.append(np.asarray(grey, np.float64) / 255)
    return float(np.abs(small[0] - small[1]).mean())


def _texts() -> list[Any]:
    return [each.text(language) for each in LESSONS for language in ("en", "zh")]


@pytest.mark.parametrize("lesson", LESSONS, ids=lesson_id)
def test_pictures_are_there_and_small(lesson: Lesson) -> None:
    from PIL import Image

    for language in ("en", "zh"):
        text: Text = lesson.text(language)
        assert 1 <= len(text.pictures) <= 6
        for name in text.pictures:
            path = text.path.parent / name
            assert name == f"images/{path.name}" and path.name.startswith(f"{lesson.number:02}-")
            assert path.stat().st_size <= 60 * 1024, f"{name}: {path.stat().st_size} bytes"
            if path.suffix == ".svg":
                continue  # as wide as the page lets it be
            with Image.open(path) as picture:
                assert 600 <= picture.width <= 1100, f"{name} is {picture.width} pixels wide"


@pytest.mark.parametrize(
    ("text", "printed", "tolerance", "same"),
    [
        ("loss 0.123", "loss 0.124", 0.0, True),
        ("loss 0.123", "loss 0.125", 0.0, False),
        ("loss 0.500", "loss 0.520", 0.05, True),
        ("loss 0.500", "loss 0.540", 0.05, False),
        ("step 3", "step 4", 0.0, False),
        ("a  1.0", "a 1.0", 0.0, True),
        ("loss 1.0", "cost 1.0", 0.0, False),
        ("one\ntwo", "one", 0.0, False),
        ("1.2e-05", "1.3e-05", 0.0, True),
        ("1.2e-05", "1.4e-05", 0.0, False),
        ("[-0.00 1.00]", "[ 0.00 1.00]", 0.0, True),
    ],
)
def test_outputs_are_compared_number_by_number(
    text: str, printed: str, tolerance: float, same: bool
) -> None:
    assert (tool().differs(text, printed, tolerance) == "") == same
