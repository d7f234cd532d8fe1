"""The graders of the lessons' exercises, a module for each lesson: ``lesson_01``, …"""

from __future__ import annotations

import importlib
import importlib.util

from pellucid.course.grading import Exercise, by_number

__all__ = ["exercises_of"]


def exercises_of(lesson: int) -> dict[str, Exercise]:
    """The exercises of a lesson by their numbers, in order; none where it has no graders."""
    name = f"{__name__}.lesson_{lesson:02}"
    if importlib.util.find_spec(name) is None:
        return {}
    module = importlib.import_module(name)
    return by_number([each for each in vars(module).values() if isinstance(each, Exercise)])
