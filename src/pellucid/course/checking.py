"""Checks a learner's answers: runs them in a child process and tells what became of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pellucid
from pellucid.base.errors import ArgumentError, FileError
from pellucid.base.language import Shown, language, translated
from pellucid.course.graders import exercises_of
from pellucid.course.grading import Exercise, Hint

__all__ = ["Outcome", "check_file", "check_texts"]

_STARTING = 60.0  # seconds until a child on a busy machine has loaded everything
_LARGEST = 2**20


@dataclass(frozen=True)
class Outcome:
    """What became of an exercise.

    ``state`` is ``passed``; ``hint`` (it runs, and gives something else); ``open`` (still as the
    starter left it); ``missing`` (``names`` are not defined); ``error`` (its code failed, in
    ``line``); ``time`` (it did not end in ``seconds``); or ``crash`` (the process ended).
    ``call`` tells what was called and gave, ``received`` what was compared, ``printed`` what the
    code printed.
    """

    exercise: str
    state: str
    hint: Hint | None = None
    received: str = ""
    call: str = ""
    names: tuple[str, ...] = ()
    error: str = ""
    line: int | None = None
    source: str = ""
    seconds: float = 0.0
    printed: str = field(default="", repr=False)

    @property
    def passed(self) -> bool:
        """Whether it is solved."""
        return self.state == "passed"

    def advice(self) -> Shown:
        """The hint in the user's language; empty where there is none."""
        if self.hint is None:
            return Shown("")
        return Shown(self.hint.zh if language() == "zh" else self.hint.en)

    def lines(self) -> list[Shown]:
        """What the learner reads about it, in the user's language."""
        place = f"line {self.line}" if self.line else "outside of your file"
        told = {
            "passed": [],
            "hint": [self.advice(), *self._observed()],
            "open": ["Not begun: its ... is still there."],
            "missing": [f"The file does not define {', '.join(self.names)}."],
            "error": [f"It failed, {place}: {self.error}", *self._observed()],
            "time": [f"It did not end in {self.seconds:.0f} s; it was at {place}."],
            "crash": ["It ended the process of Python that ran it."],
        }[self.state]
        if self.line and self.source:
            told.append(Shown(f"    {self.line}: {self.source.strip()}"))
        return [Shown(translated(text)) for text in told]

    def _observed(self) -> list[str]:
        """What was called and what it gave."""
        shown: list[str] = []
        if self.received == "None" or self.call.endswith("→ None"):
            shown.append("The function returned None: is its return missing?")
        if self.call:
            shown.append(Shown(f"    {self.call}"))
        if self.received and self.received not in self.call:
            shown.append(Shown(f"    {self.received}"))
        return shown

    def record(self) -> dict[str, Any]:
        """As plain data for JSON."""
        hint = {"en": self.hint.en, "zh": self.hint.zh} if self.hint else None
        return {
            "exercise": self.exercise,
            "state": self.state,
            "passed": self.passed,
            "hint": hint,
            "received": self.received,
            "call": self.call,
            "names": list(self.names),
            "error": self.error,
            "line": self.line,
            "printed": self.printed,
        }


def check_file(lesson: int, file: str | os.PathLike[str]) -> list[Outcome]:
    """Checks the answers in a file to all exercises of a lesson, which may run for some seconds.

    Raises ``FileError`` where it cannot be read, ``ArgumentError`` for a lesson without graders.
    """
    path = Path(file).resolve()
    try:
        if path.stat().st_size > _LARGEST:
            raise FileError(f"{file} is too large for a program", "Give the file with your answers")
        source = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(f"{file} is no text in UTF-8", "Save it as UTF-8") from None
    except OSError as error:
        text = error.strerror or str(error)
        raise FileError(
            f"{file} cannot be read: {text}",
            f"Begin with: pellucid lesson start {lesson}",
        ) from None
    found = check_texts(lesson, [(source, None)], file=path)
    return found[0]


def check_texts(
    lesson: int,
    answers: Sequence[tuple[str, Sequence[str] | None]],
    *,
    file: str | os.PathLike[str] = "answer.py",
    patience: float = 1.0,
) -> list[list[Outcome]]:
    """Checks several answers to a lesson in one process: pairs of a program's text and the
    exercises to judge (None: all).  ``patience`` multiplies the time that they are given.

    Raises ``ArgumentError`` for a lesson without graders, or without one of the exercises.
    """
    known = exercises_of(lesson)
    if not known:
        raise ArgumentError(
            f"Lesson {lesson} has no exercises to check", "See the list: pellucid lessons"
        )
    path = Path(file).resolve()
    tasks: list[dict[str, Any]] = []
    for source, chosen in answers:
        names = list(known if chosen is None else chosen)
        if strange := [name for name in names if name not in known]:
            raise ArgumentError(
                f"Lesson {lesson} has no exercise {strange[0]}", f"It has {', '.join(known)}."
            )
        tasks.append({"lesson": lesson, "file": str(path), "source": source, "exercises": names})
    found = _judged(tasks, known, path.parent, patience)
    return [[found[i, name] for name in task["exercises"]] for i, task in enumerate(tasks)]


def _judged(
    tasks: list[dict[str, Any]], known: dict[str, Exercise], folder: Path, patience: float
) -> dict[tuple[int, str], Outcome]:
    """Runs children until every exercise has its outcome."""
    tasks = [{**task} for task in tasks]
    found: dict[tuple[int, str], Outcome] = {}
    while any(task["exercises"] for task in tasks):
        left = [{**task} for task in tasks]
        seconds = patience * (
            _STARTING
            + sum(known[name].seconds + 30 for task in tasks for name in task["exercises"])
        )
        before = len(found)
        for event in _events(left, folder, patience, seconds):
            _take(event, tasks, found)
        if len(found) == before:
            raise ArgumentError(
                "The process that runs the answers ended before it had begun",
                "Run the file with Python, and see what it says.",
            )
        for number, task in enumerate(tasks):
            task["exercises"] = [n for n in task["exercises"] if (number, n) not in found]
    return found


def _take(
    event: dict[str, Any], tasks: list[dict[str, Any]], found: dict[tuple[int, str], Outcome]
) -> None:
    """Adds what an event of a child's record says about an exercise."""
    number, name = event["task"], event["exercise"]
    # What happens while a file is read happens to all of its exercises.
    names = [name] if name else [n for n in tasks[number]["exercises"] if (number, n) not in found]
    lines = tasks[number]["source"].splitlines()
    line = event.get("line")
    for each in names:
        found[number, each] = Outcome(
            exercise=each,
            state=event["state"],
            hint=Hint(**event["hint"]) if event.get("hint") else None,
            received=event.get("received", ""),
            call=event.get("call", ""),
            names=tuple(event.get("names", ())),
            error=event.get("error", ""),
            line=line,
            source=lines[line - 1] if line and line <= len(lines) else "",
            seconds=event.get("seconds", 0.0),
            printed=event.get("printed", ""),
        )


def _search_path() -> str:
    """Where the child finds what this process has found, from whatever folder it starts in."""
    ours = str(Path(pellucid.__file__).parents[1])
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([ours, *(os.path.abspath(place) for place in given if place)])


def _events(
    tasks: list[dict[str, Any]], folder: Path, patience: float, seconds: float
) -> list[dict[str, Any]]:
    """What a child that judges ``tasks`` noted; where it was ended, that it crashed."""
    with tempfile.TemporaryDirectory() as place:
        request, record = Path(place) / "request.json", Path(place) / "record.jsonl"
        asked = {"tasks": tasks, "folder": str(folder), "patience": patience}
        request.write_text(json.dumps(asked), "utf-8")
        command = [sys.executable, "-P", "-m", "pellucid.course.judging"]
        command += [str(request), str(record)]
        try:
            ended = subprocess.run(
                command,
                cwd=folder if folder.is_dir() else None,
                env=os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": _search_path()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            ended = -1
        lines = record.read_text("utf-8").splitlines() if record.exists() else []
    events = [json.loads(line) for line in lines]
    told = [event for event in events if event["state"] != "begun"]
    if ended and events and events[-1]["state"] == "begun":
        told.append({**events[-1], "state": "crash"})
    return told
