"""Each notebook in examples/notebooks/ runs, reaches what its text says, and shows what it should.

The notebooks are run as Jupyter runs them: in a kernel, cell by cell, with what is displayed kept
as the page would show it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
BAR = "━"


class Book:
    """A notebook that ran in ``folder``: its cells, and ``facts``, values by expressions."""

    def __init__(self, book: Any, folder: Path, facts: dict[str, str]) -> None:
        asked = ", ".join(f"{name!r}: {expression}" for name, expression in facts.items())
        book.cells.append(nbformat.v4.new_code_cell(f"import json; print(json.dumps({{{asked}}}))"))
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(book, timeout=120, kernel_name="python3", resources=resources).execute()
        self.cells = [cell for cell in book.cells if cell.cell_type == "code"]
        self.facts = json.loads(self.cells[-1].outputs[0].text)

    def outputs(self, end: str) -> list[Any]:
        """What the cell whose last line is ``end`` displayed."""
        (cell,) = [c for c in self.cells if c.source.splitlines()[-1] == end]
        return list(cell.outputs)

    def html(self, end: str) -> str:
        """The rich form of the value of the cell whose last line is ``end``."""
        values = [o for o in self.outputs(end) if o.output_type == "execute_result"]
        return str(values[-1].data["text/html"])

    def bars(self, end: str) -> list[str]:
        """The progress bars that a cell left on the page."""
        shown = [o for o in self.outputs(end) if o.output_type == "display_data"]
        texts = [str(o.data.get("text/html", "")) for o in shown]
        return [text for text in texts if BAR in text]

    def warnings(self) -> str:
        """What went to standard error."""
        return "".join(
            o.text for c in self.cells for o in c.outputs if o.get("name", "") == "stderr"
        )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``run(name, **facts)`` runs a notebook in a folder of its own."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PELLUCID_LANG", "en")

    def made(name: str, **facts: str) -> Book:
        return run_book(nbformat.read(FOLDER / f"{name}.ipynb", as_version=4), **facts)

    def run_book(book: Any, **facts: str) -> Book:
        folder = tmp_path / "work"
        folder.mkdir()
        return Book(book, folder, facts)

    made.book = run_book  # type: ignore[attr-defined]
    return made


def test_every_notebook_is_tested() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    missing = [p.stem for p in FOLDER.glob("*.ipynb") if f'"{p.stem}"' not in tested]
    assert missing == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    for cell in book.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
            for number, line in enumerate(cell.source.splitlines(), 1):
                assert len(line) <= 100, (number, line)


def test_a_first_network(run: Any) -> None:
    book = run(
        "first-network",
        accuracy="result['metric']",
        falls="history['validation_loss'][0] / min(history['validation_loss'])",
        wrong="int(len(wrong))",
        zeros="seen.latest()['output']['2']['zero_fraction']",
    )
    assert book.facts["accuracy"] > 0.97
    assert book.facts["falls"] > 5
    assert book.facts["wrong"] == round((1 - book.facts["accuracy"]) * 269)
    assert 0.2 < book.facts["zeros"] < 0.8
    assert "<summary>" in book.html("model") and "Conv2d" in book.html("model")
    assert "2,730" in book.html("pellucid.summary(model, (1, 64))")
    assert "<svg" in book.html("history")
    (bar,) = book.bars("history")  # one, drawn over; not one for each time it was drawn
    assert "validation accuracy" in bar and "baseline 2.303" in bar
    assert book.warnings() == ""


def test_the_chinese_notebook_has_the_same_cells() -> None:
    cells = [
        nbformat.read(FOLDER / f"{name}.ipynb", 4).cells
        for name in ("first-network", "first-network.zh-CN")
    ]
    assert [c.cell_type for c in cells[0]] == [c.cell_type for c in cells[1]]
    for english, chinese in zip(*cells, strict=True):
        same = english.source == chinese.source
        assert same == (english.cell_type == "code")
        assert same or any(character > "\u3400" for character in chinese.source)


def test_a_table(run: Any) -> None:
    book = run(
        "table",
        better="outcome.result.verdict()[0]",
        auc="float(scores.mean())",
        calibration="found.error",
        covered="float(covered)",
        importances="{name: float(value) for name, value in importances.items()}",
        complete="outcome.complete",
    )
    facts = book.facts
    assert facts["better"] and facts["complete"]
    assert facts["auc"] > 0.9
    assert facts["calibration"] < 0.1
    assert 0.82 < facts["covered"] < 0.98  # 90 of 100, by 500 rows on 500 others
    importances = facts["importances"]
    assert importances.pop("plan") < 0.02 < 0.05 < min(importances.values())
    assert "The network is better than" in book.html("outcome")
    shown = book.html("pellucid.report(outcome)")
    assert (
        shown.startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
        and 'sandbox="allow-scripts"' in shown
    )
    assert "Confusion matrix" in shown
    assert "customers" in book.html('list_runs("runs")')


def test_a_loop_of_ones_own(run: Any) -> None:
    book = run(
        "your-own-loop",
        accuracy="accuracy",
        kernels="len(explained.kernels)",
        norms="norms",
        advice="advice",
    )
    assert book.facts["accuracy"] > 0.99
    assert book.facts["kernels"] >= 4
    assert set(book.facts["norms"]) == {"0.weight", "2.weight", "4.weight"}
    assert all(0 < norm < 1 for norm in book.facts["norms"].values())
    explained = book.html("explained")
    assert explained.startswith("<pre") and "AdamW" in explained
    assert "(In[2]:" in explained  # lines are told by their cell
    assert "at In[7]:3: wrong(x)" in book.facts["advice"]
    assert "use nn.Linear(64, 2) here" in book.facts["advice"]
    assert book.warnings() == ""


def test_learning_rates(run: Any) -> None:
    book = run(
        "learning-rate",
        suggestion="found.suggestion",
        learned="one_batch.learned",
        unchanged="len(dry.unchanged)",
        reached="[min([v for v in h['validation_loss'] if v == v], default=99.0) "
        "for h in histories.values()]",
        rates="history['learning_rate']",
        accuracy="max(history['metric'])",
        best="result.best.settings['lr']",
    )
    facts = book.facts
    assert 0.01 < facts["suggestion"] < 1.0
    assert facts["learned"] and facts["unchanged"] == 0
    small, right, large = facts["reached"]
    assert right < 0.2 < small and right < 0.2 < large
    assert facts["accuracy"] > 0.95
    peak = facts["rates"].index(max(facts["rates"]))
    assert 0 < peak < 8 and facts["rates"][-1] < 1e-3  # it rises, then falls
    assert 1e-3 < facts["best"] <= 1.0
    assert "<svg" in book.html("found") and "<svg" in book.html("one_batch")
    assert "parameters that did not change" in book.html("dry")
    ranked = book.html("result")
    assert ranked.count("<tr>") == 1 + 8 and "<th>rank</th>" in ranked
    assert book.bars("result") == []  # a search draws no bar for each of its trials


def test_a_bar_is_one_display_that_changes_and_can_be_switched_off(run: Any) -> None:
    book = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(text)
            for text in (
                "import time, pellucid\nfrom pellucid import nn, Trainer\n"
                "x, y = pellucid.rand(40, 3), pellucid.rand(40, 1)\n"
                "def slow(event):\n    time.sleep(0.4 if event.kind == 'epoch' else 0)\n"
                "trainer = Trainer(nn.Linear(3, 1), 'mse_loss', callbacks=[slow])\n"
                "trainer",
                "trainer.fit((x, y), epochs=3)",
                "trainer.fit((x, y), epochs=1, progress=False)",
            )
        ]
    )
    ran = run.book(book, lines="trainer.history.epochs[-1].epoch")
    (bar,) = ran.bars("trainer.fit((x, y), epochs=3)")
    assert "epoch 3/3" in bar and "loss" in bar
    assert ran.bars("trainer.fit((x, y), epochs=1, progress=False)") == []
    assert ran.warnings() == ""
