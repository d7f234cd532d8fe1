"""``pellucid lessons`` and ``pellucid lesson``: list, read, begin, check, remember."""

from __future__ import annotations

import html.parser
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.test_language import english_words
from pellucid.course.lessons import lesson, lessons
from pellucid.course.progress import home, note_solved, solved
from pellucid.course.reading import mathml, page, terminal_text

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home of mine"
    monkeypatch.setenv("PELLUCID_HOME", str(place))
    return place


def solution(number: int) -> str:
    return "\n\n".join(task.solution for task in lesson(number).text("en").tasks)


def test_a_learner_begins_errs_solves_and_sees_it(command: Command, own_home: Path) -> None:
    begun = command("lesson", "start", 1)
    assert begun.code == 0 and "lesson_01.py" in begun.out
    file = Path("lesson_01.py")
    assert "# 1.2 The loss" in file.read_text() and "pellucid lesson check 1" in file.read_text()

    file.write_text("def fare(x, a, c):\n    print(x)\n    return a * x\n")
    again = command("lesson", "start", 1)
    assert again.code == 4 and "stays as it is" in again.err
    assert file.read_text().startswith("def fare")

    checked = command("lesson", "check", 1)
    assert checked.code == 8
    assert "✗ 1.1 The function" in checked.out and "Getting in costs something" in checked.out
    assert "fare(6.0, 2.5, 10.0) → 15.0" in checked.out and "6.0" in checked.out
    assert "does not define mean_squared_error" in checked.out
    assert "0 of 4 exercises" in checked.out
    assert solved() == set()

    file.write_text(solution(1))
    checked = command("lesson", "check", 1)
    assert checked.code == 0 and "All 4 exercises are solved" in checked.out
    assert solved() == {"1.1", "1.2", "1.3", "1.4"}
    assert "✓ 4/4" in command("lessons").out
    file.write_text("fare = 3\n")  # what was solved stays solved
    found = json.loads(command("lesson", "check", 1, "lesson_01.py", "--json").out)
    assert [entry["state"] for entry in found["exercises"]][1] == "missing"
    listed = json.loads(command("lessons", "--json").out)
    assert all(listed[0]["exercises"].values()) and not any(listed[1]["exercises"].values())
    assert {path.name for path in (own_home / "lessons").iterdir()} == {
        f"1.{n}.solved" for n in range(1, 5)
    }


def test_all_of_it_is_chinese_where_the_user_is(command: Command) -> None:
    assert command("--lang", "zh", "lesson", "start", 2).out.startswith("已写出：lesson_02.py")
    assert "# 2.1 用纸和笔" in Path("lesson_02.py").read_text()
    Path("lesson_02.py").write_text("z = 1.5\ny = 0\ndef neuron(x, w, b):\n    return q\n")
    checked = command("--lang", "zh", "lesson", "check", 2).out
    assert "偏置给加权和加上了什么" in checked and "运行出错，第 4 行：" in checked
    assert "4 道练习做对了 0 道" in checked
    listed = command("--lang", "zh", "lessons").out
    assert "从一个神经元开始" in listed and "一个神经元，每个数都看得见" in listed
    names = r"NameError.*|sigmoid|neuron|gradients|train|array|return"
    assert english_words(re.sub(names, "", checked)) == []
    titles = {each.titles["zh"] for each in lessons()}
    lines = [line for line in listed.splitlines() if not any(title in line for title in titles)]
    assert english_words("\n".join(lines)) == []


def test_mistakes_of_the_command_line_are_told(command: Command) -> None:
    assert command("lesson", "check", 99).code == 2
    assert "There is no lesson 99" in command("lesson", "check", 99).err
    missing = command("lesson", "check", 1)
    assert missing.code == 4 and "Begin with: pellucid lesson start 1" in missing.err
    Path("odd.py").write_bytes(b"\xff\xfe\x00 no text")
    assert "no text in UTF-8" in command("lesson", "check", 1, "odd.py").err


def test_progress_survives_what_is_in_its_way(own_home: Path) -> None:
    note_solved(["1.1"])
    first = (own_home / "lessons" / "1.1.solved").read_text()
    note_solved(["1.1", "1.2"])
    assert (own_home / "lessons" / "1.1.solved").read_text() == first
    (own_home / "lessons" / "notes.txt").write_text("not ours")
    assert solved() == {"1.1", "1.2"}
    assert home() == own_home


def test_a_check_is_told_even_if_progress_cannot_be_kept(
    command: Command, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_home.write_text("a file where the folder should be")
    Path("lesson_01.py").write_text(solution(1))
    checked = command("lesson", "check", 1)
    assert checked.code == 0 and "could not be noted" in checked.out


def test_a_lesson_is_read_in_the_terminal(command: Command, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    shown = command("lessons", "open", 2).out
    assert "One neuron, every number shown" in shown and "import numpy as np" in shown
    assert "z = w₁ x₁ + w₂ x₂ + b" in shown and "1/(1 + e⁻ᶻ)" in shown
    assert "Two inputs, softness 0.8" in shown
    assert "$" not in terminal_text(lesson(2).text("en"), 80).replace("$PATH", "")
    assert "Solution" not in shown
    assert "delta.sum()" in command("lessons", "open", 2, "--solutions").out
    chinese = command("lessons", "open", 2, "--lang", "zh").out
    assert "在水果摊前挑芒果" in chinese


class Reader(html.parser.HTMLParser):
    """The tags of a page, closed in order, and where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in ("img", "br", "hr") or self.open.pop() == tag


WRITTEN = [each for each in lessons() if each.is_there]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_hold_everything_themselves(language: str) -> None:
    for each in WRITTEN:
        shown = page(each, language)
        reader = Reader()
        reader.feed(shown)
        assert reader.open == []
        assert {"math", "details", "img", "pre"} <= reader.seen
        outside = [x for x in reader.links if not x.startswith(("data:image/", "https://", "#"))]
        assert [x for x in outside if not x.endswith(".md")] == [], each.name
        assert "script" not in reader.seen and "prefers-color-scheme:dark" in shown
        assert not re.search("[\ue000-\ue003]", shown)
        formulas = re.findall(r"<math.*?</math>", shown, re.S)
        left = [re.findall(r"\\\w+", formula) for formula in formulas]
        assert not any(left), (each.name, left)


def test_a_page_is_written_where_the_user_s_data_are(
    command: Command, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)) or True)
    done = command("lessons", "open", 3, "--browser")
    assert done.code == 0 and opened[0].startswith("file://")
    assert (own_home / "pages" / "03-perceptron.en.html").read_text().startswith("<!DOCTYPE html>")


def test_formulas_become_mathml() -> None:
    shown = mathml(r"\frac{1}{1 + e^{-z}}", block=True)
    assert "<mfrac>" in shown and "<msup>" in shown and 'display="block"' in shown
