"""The lessons that are there, for tests that look at each; the tool that runs their programs."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from pellucid.course.lessons import Lesson, lessons

ROOT = Path(__file__).resolve().parents[2]
SLOW = bool(os.environ.get("PELLUCID_TEST_SLOW"))
"""Whether there is time to run every program in both languages."""

LESSONS = [each for each in lessons() if each.is_there]
TEXTS = [each.text(language) for each in LESSONS for language in ("en", "zh")]


def lesson_id(each: Lesson) -> str:
    """The name of a lesson's tests."""
    return each.name


def text_id(text: Any) -> str:
    """The name of a text's tests."""
    return f"{text.path.stem}-{text.language}"


def tool() -> Any:
    """The module ``tools/lessons.py``."""
    if "lessons_tool" not in sys.modules:
        place = ROOT / "tools" / "lessons.py"
        spec = importlib.util.spec_from_file_location("lessons_tool", place)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["lessons_tool"] = module
        spec.loader.exec_module(module)
    return sys.modules["lessons_tool"]
