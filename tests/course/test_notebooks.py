"""Notebooks are made of the lessons' texts; they run as Jupyter runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from course.lesson_files import LESSONS, SLOW, TEXTS, text_id, tool
from pellucid.course import check
from pellucid.course.lessons import Text, lesson
from pellucid.course.notebooks import notebook

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")


def test_notebooks_are_those_of_the_texts() -> None:
    made = tool().notebooks()
    stale = [path.name for path, text in made.items() if not _is(path, text)]
    kept = {path for path in tool().ROOT.glob("docs/lessons/notebooks/*/*.ipynb")}
    assert stale == [] and kept == set(made), "run python tools/lessons.py --notebooks"


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("text", TEXTS, ids=text_id)
def test_a_notebook_holds_the_text_the_program_and_the_exercises(text: Text) -> None:
    (each,) = [x for x in LESSONS if text.path.name == f"{x.name}.md"]
    book = notebook(each, text.language)
    nbformat.validate(nbformat.from_dict(book))
    codes = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    program = [block.code.rstrip("\n") for block, _ in text.program]
    assert [code for code in codes if code in program] == program
    for task in text.tasks:
        place = codes.index(task.starter.rstrip("\n"))
        assert f'check("{task.number}")' in codes[place + 1]
    prose = "\n".join("".join(c["source"]) for c in book["cells"] if c["cell_type"] == "markdown")
    for heading in text.headings:
        assert f"## {heading}" in prose
    for line in prose.splitlines():
        if line.startswith("!["):
            address = line.rpartition("(")[2].rstrip(")")
            assert (text.path.parents[1] / "notebooks/zh" / address).resolve().is_file()


EXECUTED = TEXTS if SLOW else [t for t in TEXTS if t.path.name[:2] in ("02",)]


@pytest.mark.parametrize("text", EXECUTED, ids=text_id)
def test_a_notebook_runs(text: Text, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PELLUCID_LANG", text.language)
    (each,) = [x for x in LESSONS if text.path.name == f"{x.name}.md"]
    book = nbformat.reads(json.dumps(notebook(each, text.language)), 4)
    settings: Any = {"timeout": 300, "kernel_name": "python3"}
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, resources=resources, **settings).execute()
    codes = [cell for cell in book.cells if cell.cell_type == "code"]
    program = {block.code.rstrip("\n"): output for block, output in text.program}
    pictures = 0
    for cell in codes:
        printed = "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
        if "check(" in cell.source:
            assert printed.startswith("✗"), cell.source  # a starter is no answer
        elif program.get(cell.source) is not None:
            output = program[cell.source]
            tolerance = tool().tolerance_of(output.info)
            assert tool().differs(output.code, printed, tolerance) == ""
        pictures += any("image/png" in o.get("data", {}) for o in cell.outputs)
        assert not [o for o in cell.outputs if o.get("name") == "stderr"], cell.source
    assert pictures >= 1


def test_answers_are_checked_where_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    solutions = {task.number: task.solution for task in lesson(1).text("en").tasks}
    names: dict[str, Any] = {}
    exec(solutions["1.1"], names)
    assert check("1.1", names) and capsys.readouterr().out == "✓ 1.1\n"

    def fare(x: float, a: float, c: float) -> float:
        return a * x

    assert not check("1.1")  # finds the function above
    assert "Getting in costs something" in capsys.readouterr().out
    assert not check("1.2", {})
    assert "does not define mean_squared_error" in capsys.readouterr().out

    def best_start(x: Any, t: Any, a: float) -> Any:
        return [][3]

    assert not check("1.3") and fare(1, 1, 1) == 1
    assert "IndexError" in (told := capsys.readouterr().out) and "return [][3]" in told
    with pytest.raises(ValueError, match="There is no exercise '9.99'"):
        check("9.99")


def test_notebooks_have_no_outputs() -> None:
    for text in tool().notebooks().values():
        for cell in json.loads(text)["cells"]:
            assert cell.get("outputs", []) == []
