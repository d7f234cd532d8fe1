"""The child process in which answers run: ``python -P -m pellucid.course.judging REQUEST RECORD``.

The request (JSON) holds answers to judge; what becomes of each exercise is a line of JSON in the
record as soon as it is known.  So an answer that never ends or ends the process costs itself
alone: the parent, :mod:`pellucid.course.checking`, knows what had begun, and starts the rest anew.
A watching thread tells in which line of the learner's an answer was when its time was over.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import linecache
import os
import random
import sys
import threading
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import pellucid
from pellucid.course.graders import exercises_of
from pellucid.course.grading import Answer, Exercise, Judge, Missed, is_open

_MOST_PRINTED = 4000
OUT_OF_TIME = 3


class _Printed(io.StringIO):
    """What an answer printed, the beginning of it."""

    def write(self, text: str, /) -> int:
        if self.tell() < _MOST_PRINTED:
            super().write(text[:_MOST_PRINTED])
        return len(text)


class _Record:
    """The file of what happened, a line of JSON for each event."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115

    def note(self, **event: Any) -> None:
        """Writes an event at once."""
        self._file.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._file.flush()


class _Task:
    """One learner's file: its code, what running it gave, and what failed meanwhile."""

    def __init__(self, number: int, file: str, source: str, record: _Record) -> None:
        self.number, self.file, self.source, self.record = number, file, source, record
        self.module = types.ModuleType(Path(file).stem)
        self.module.__file__ = file
        self.tree = ast.Module([], [])
        self.failures: list[dict[str, Any]] = []

    def load(self, seconds: float) -> dict[str, Any] | None:
        """Runs the file, statement by statement, so that one that fails leaves the others.

        Gives what makes the whole file useless: a syntax error.
        """
        lines = self.source.splitlines(keepends=True)
        linecache.cache[self.file] = (len(self.source), None, lines, self.file)
        try:
            self.tree = ast.parse(self.source, self.file)
        except SyntaxError as error:
            return {"state": "error", "error": f"SyntaxError: {error.msg}", "line": error.lineno}
        sys.modules[self.module.__name__] = self.module
        with self._watched("", seconds):
            for statement in self.tree.body:
                self._run(statement)
        return None

    def _run(self, statement: ast.stmt) -> None:
        # Statements keep what `from __future__` says to the whole file.
        future = [s for s in self.tree.body if _is_future(s) and s is not statement]
        part = ast.Module([*future, statement], [])
        try:
            code = compile(part, self.file, "exec", dont_inherit=True)
            exec(code, self.module.__dict__)
        except BaseException as error:  # what a learner's program raises is told, whatever it is
            self.failures.append({**self._failure(error), "names": _bound(statement)})

    @contextlib.contextmanager
    def _watched(self, exercise: str, seconds: float) -> Iterator[None]:
        """Inside, the time is limited: when it is over the process ends."""
        main = threading.get_ident()

        def expire() -> None:
            frame = sys._current_frames().get(main)
            line = None
            while frame is not None and line is None:
                line = frame.f_lineno if frame.f_code.co_filename == self.file else None
                frame = frame.f_back
            self.record.note(
                task=self.number, exercise=exercise, state="time", line=line, seconds=seconds
            )
            os._exit(OUT_OF_TIME)

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def judge(self, exercise: Exercise, patience: float) -> dict[str, Any]:
        """What becomes of one exercise."""
        names = self.module.__dict__
        missing = [name for name in exercise.asks if name not in names]
        if missing:
            blamed = [f for f in self.failures if not f["names"] or set(missing) & set(f["names"])]
            if blamed:
                return {"state": "error", **blamed[0]}
            return {"state": "missing", "names": missing}
        if any(is_open(name, self.tree, names) for name in exercise.asks):
            return {"state": "open"}
        answer = Answer(exercise.asks, names)
        _same_chance()
        with self._watched(exercise.number, exercise.seconds * patience):
            try:
                exercise.grade(answer, Judge())
            except Missed as missed:
                hint = {"en": missed.advice.en, "zh": missed.advice.zh}
                received = missed.received
                return {"state": "hint", "hint": hint, "received": received, "call": answer.last}
            except BaseException as error:
                return {"state": "error", **self._failure(error), "call": answer.last}
        return {"state": "passed"}

    def _failure(self, error: BaseException) -> dict[str, Any]:
        """An error, and where in the learner's file it was; no line where it was elsewhere."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == self.file]
        kind = type(error).__name__
        text = f"{kind}: {error}" if str(error) else kind
        return {"error": text, "line": lines[-1] if lines else None}


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a statement would have given a value."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return []  # what is missing then may fail anywhere
    nodes = list(ast.walk(statement))
    named = [n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    return named + [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _same_chance() -> None:
    """Every exercise begins with the same random numbers."""
    pellucid.manual_seed(0)
    np.random.seed(0)
    random.seed(0)


def _judge_task(number: int, task: dict[str, Any], record: _Record, patience: float) -> None:
    """Judges the exercises of one answer that are asked for."""
    work = _Task(number, task["file"], task["source"], record)
    record.note(task=number, exercise="", state="begun")
    printed = _Printed()
    with contextlib.redirect_stdout(printed):
        useless = work.load(30 * patience)
    known = exercises_of(task["lesson"])
    for name in task["exercises"]:
        record.note(task=number, exercise=name, state="begun")
        with contextlib.redirect_stdout(printed):
            found = useless or work.judge(known[name], patience)
        record.note(task=number, exercise=name, printed=printed.getvalue(), **found)
        printed = _Printed()


def main(request: str, record: str) -> None:
    """Judges what the file ``request`` asks for, and notes it in the file ``record``."""
    asked = json.loads(Path(request).read_text("utf-8"))
    notes = _Record(record)
    sys.path.append(asked["folder"])
    for number, task in enumerate(asked["tasks"]):
        if task["exercises"]:
            _judge_task(number, task, notes, asked["patience"])


if __name__ == "__main__":
    main(*sys.argv[1:])
