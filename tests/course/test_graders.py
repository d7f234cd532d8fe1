"""Solutions pass their graders; wrong answers fail with the hint that is meant for them."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from course.lesson_files import LESSONS, lesson_id
from course.typography import faults
from pellucid.base.language import in_language
from pellucid.course.checking import check_file, check_texts
from pellucid.course.graders import exercises_of
from pellucid.course.lessons import Lesson

PATIENCE = 6.0  # of tests, on machines that do other things as well


def wrong_answers(lesson: Lesson) -> list[Any]:
    module = importlib.import_module(f"course.wrong_answers.lesson_{lesson.number:02}")
    return list(module.WRONG)


@pytest.mark.parametrize("lesson", LESSONS, ids=lesson_id)
def test_solutions_pass_and_wrong_answers_get_their_hints(lesson: Lesson, tmp_path: Path) -> None:
    graders = exercises_of(lesson.number)
    english, chinese = lesson.text("en").tasks, lesson.text("zh").tasks
    assert list(graders) == [task.number for task in english]
    wrong = wrong_answers(lesson)
    assert {each.exercise for each in wrong} == set(graders)
    answers: list[tuple[str, list[str] | None]] = []
    for tasks in (english, chinese):
        answers.append(("\n\n".join(task.solution for task in tasks), None))
    answers += [(task.solution, [task.number]) for task in english]  # each stands alone
    answers.append(("\n\n".join(task.starter for task in english), None))
    answers += [(each.code, [each.exercise]) for each in wrong]
    found = check_texts(lesson.number, answers, file=tmp_path / "answer.py", patience=PATIENCE)
    solved = [outcome for each in found[: 2 + len(english)] for outcome in each]
    assert [(o.exercise, o.lines()) for o in solved if not o.passed] == []
    untouched = found[2 + len(english)]
    assert [o.exercise for o in untouched if o.passed] == []
    for each, (outcome,) in zip(wrong, found[3 + len(english) :], strict=True):
        told = outcome.advice() if outcome.hint else "\n".join(outcome.lines())
        assert not outcome.passed, (each, "passes")
        assert each.said in told, (each, outcome)
        if outcome.hint:
            assert re.search(r"[\u3400-\u9fff]", outcome.hint.zh), outcome.hint
            assert faults(outcome.hint.zh) == []


# ---- the machinery, on lesson 1 ------------------------------------------------------------------

FIRST = {name: each.asks for name, each in exercises_of(1).items()}


def answer(code: str, tmp_path: Path, *, patience: float = PATIENCE) -> list[Any]:
    file = tmp_path / "lesson_01.py"
    file.write_text(code, encoding="utf-8")
    found = check_texts(1, [(code, None)], file=file, patience=patience)
    return found[0]


def test_an_error_is_told_with_the_learners_line(tmp_path: Path) -> None:
    solution = {task.number: task.solution for task in LESSONS[0].text("en").tasks}
    name = FIRST["1.1"][0]
    code = f"def {name}(*args):\n    nothing = []\n    return nothing[3]\n\n\n{solution['1.2']}"
    first, second, *_ = answer(code, tmp_path)
    assert (first.state, first.line) == ("error", 3)
    told = first.lines()
    assert told[0] == "It failed, line 3: IndexError: list index out of range"
    assert "return nothing[3]" in told[-1]
    with in_language("zh"):
        assert "第 3 行" in first.lines()[0]
    assert second.passed


def test_a_loop_without_end_costs_its_exercise_alone(tmp_path: Path) -> None:
    solution = {task.number: task.solution for task in LESSONS[0].text("en").tasks}
    name = FIRST["1.1"][0]
    code = (
        f"def {name}(*args):\n    while True:\n        try:\n            pass\n"
        f"        except BaseException:\n            pass\n\n\n{solution['1.2']}"
    )
    first, second, *_ = answer(code, tmp_path, patience=0.2)
    assert first.state == "time" and first.line in range(2, 7)
    assert second.passed


def test_what_is_missing_open_or_no_python_is_told(tmp_path: Path) -> None:
    name, other = FIRST["1.1"][0], FIRST["1.2"][0]
    open_, missing, *_ = answer(f"def {name}(*args):\n    ...\n", tmp_path)
    assert open_.state == "open" and missing.state == "missing"
    assert other in missing.lines()[0]
    for outcome in answer("def broken(:\n", tmp_path):
        assert (outcome.state, outcome.line) == ("error", 1) and "SyntaxError" in outcome.error
    ended, *_ = answer(f"import os\ndef {name}(*args):\n    os._exit(5)\n", tmp_path)
    assert ended.state == "crash"
    none, *_ = answer(f"def {name}(*args):\n    print('seen')\n", tmp_path)
    assert "None" in "\n".join(none.lines()) and "seen" in none.printed


def test_a_statement_that_fails_leaves_the_other_answers(tmp_path: Path) -> None:
    solution = {task.number: task.solution for task in LESSONS[0].text("en").tasks}
    name = FIRST["1.1"][0]
    first, second, *_ = answer(f"{name} = 1 / 0\n{solution['1.2']}", tmp_path)
    assert first.state == "error" and "ZeroDivisionError" in first.error and first.line == 1
    assert second.passed


def test_a_file_is_read_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours can be imported; none of them hides a module of Python or of ours."""
    monkeypatch.chdir(os.path.dirname(tmp_path))
    (tmp_path / "numpy.py").write_text("raise SystemExit('hidden')")
    (tmp_path / "neighbour.py").write_text("value = 3")
    file = tmp_path / "lesson_01.py"
    solutions = "\n\n".join(task.solution for task in LESSONS[0].text("en").tasks)
    file.write_text(f"import neighbour\n{solutions}", encoding="utf-8")
    assert all(outcome.passed for outcome in check_file(1, file))
