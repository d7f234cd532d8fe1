"""Checks an answer inside the program that holds it: a notebook, or Python's prompt."""

from __future__ import annotations

import ast
import inspect
import linecache
import traceback
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.course.checking import Outcome
from pellucid.course.graders import exercises_of
from pellucid.course.grading import Answer, Exercise, Judge, Missed, is_open

__all__ = ["check"]


def check(exercise: str, names: dict[str, Any] | None = None) -> bool:
    """Judges the answer to an exercise, ``check("2.1")``, prints what the learner should know, and
    says whether it is solved.

    The answer is looked for in ``names``; without it among the names where ``check`` is called.
    It runs in this process, without a limit of time.  Raises ``ArgumentError`` for an exercise
    that is not there.
    """
    lesson = exercise.partition(".")[0]
    known = exercises_of(int(lesson)) if lesson.isdigit() else {}
    if exercise not in known:
        raise ArgumentError(
            f"There is no exercise {exercise!r}", 'Name it as the lesson does: check("2.1").'
        )
    if names is None:
        frame = inspect.currentframe()
        caller = frame.f_back if frame else None
        names = {**caller.f_globals, **caller.f_locals} if caller else {}
    outcome = _judged(known[exercise], names)
    print(f"{'✓' if outcome.passed else '✗'} {exercise}")
    for line in outcome.lines():
        print(f"    {line}")
    return outcome.passed


def _judged(exercise: Exercise, names: dict[str, Any]) -> Outcome:
    number = exercise.number
    missing = tuple(name for name in exercise.asks if name not in names)
    if missing:
        return Outcome(number, "missing", names=missing)
    if any(is_open(name, _source(name, names), names) for name in exercise.asks):
        return Outcome(number, "open")
    answer = Answer(exercise.asks, names)
    try:
        exercise.grade(answer, Judge())
    except Missed as missed:
        return Outcome(
            number, "hint", hint=missed.advice, received=missed.received, call=answer.last
        )
    except Exception as error:
        kind = type(error).__name__
        files = {_file(names[name]) for name in exercise.asks}
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
        line = frames[-1].lineno if frames else None
        source = linecache.getline(frames[-1].filename, line or 0) if frames else ""
        text = f"{kind}: {error}" if str(error) else kind
        return Outcome(number, "error", error=text, line=line, source=source, call=answer.last)
    return Outcome(number, "passed")


def _file(value: Any) -> str:
    code = getattr(value, "__code__", None)
    return str(code.co_filename) if code is not None else ""


def _source(name: str, names: dict[str, Any]) -> ast.Module:
    """What defines ``name``, as far as it can be read."""
    try:
        return ast.parse(inspect.getsource(names[name]))
    except (OSError, TypeError, SyntaxError):
        return ast.Module([], [])
