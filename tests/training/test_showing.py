"""What training tells, programs and reports in a notebook."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.base.errors import ArgumentError, FileError
from pellucid.data.tasks import Task
from pellucid.insight.report import render_comparison, render_report
from pellucid.training.folds import Folds
from pellucid.training.history import EpochRecord, History
from pellucid.training.metrics import metrics
from pellucid.training.run import Outcome, train
from pellucid.training.run_list import list_runs
from pellucid.training.search import SearchResult, Trial
from pellucid.training.stored_run import read_run
from pellucid.training.trials import DryRun, LearningRates, OneBatch


class Reader(HTMLParser):
    """Reads HTML; every element that is opened has to be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def history(epochs: int, metric: str = "accuracy") -> History:
    made = History(metric_name=metric, best_epoch=min(2, epochs))
    for epoch in range(1, epochs + 1):
        record = EpochRecord(epoch, 1 / epoch, 1.5 / epoch, 0.1 * epoch, 1e-3, epoch, 1.0, 1.0)
        made.epochs.append(record)
    return made


@pytest.mark.parametrize(("epochs", "curves"), [(0, 0), (1, 0), (9, 2)])
def test_a_history_shows_its_curves_and_last_epochs(epochs: int, curves: int) -> None:
    shown = Reader(history(epochs)._repr_html_())
    assert shown.tags.count("polyline") == curves
    assert shown.tags.count("tr") == (0 if not epochs else 1 + min(epochs, 6))


def test_names_are_escaped_and_colours_are_the_pages() -> None:
    shown = history(4, "<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in shown and "currentColor" in shown
    Reader(shown)


def test_values_that_are_not_finite_leave_gaps() -> None:
    broken = history(3)
    broken.epochs.append(EpochRecord(4, float("nan"), None, None, 1e-3, 4, 1.0, 1.0))
    shown = broken._repr_html_()
    assert Reader(shown).tags.count("polyline") == 2
    assert "nan" not in shown[shown.index("<svg") : shown.index("</svg>")]


def test_an_explanation_is_its_text() -> None:
    layer = nn.Linear(3, 2)
    step = pellucid.compile(lambda x: layer(x).sum())
    step(pellucid.ones(4, 3))
    found = step.explain(calls=0)
    assert "".join(read(found).texts) == str(found)


def read(value: object) -> Reader:
    return Reader(value._repr_html_())  # type: ignore[attr-defined]


def test_trials_show_their_losses_and_what_they_found() -> None:
    rates = tuple(10 ** (k / 10 - 5) for k in range(50))
    losses = tuple([2.0] * 20 + [1.0] * 20 + [1e6] * 10)
    shown = read(LearningRates(rates, losses, losses, 0.01))
    assert shown.tags.count("polyline") == 1 and shown.tags.count("line") == 1
    assert any("2 (top) to 1" in text for text in shown.texts)  # what explodes is left out
    nothing = read(LearningRates(rates, losses, losses, None))
    assert "line" not in nothing.tags and any("none suggested" in t for t in nothing.texts)
    assert read(OneBatch((2.0, 1.0, 0.1), True)).tags.count("polyline") == 1
    dry = read(DryRun(64, 0.5, 0.001, 2.0, None, None, ("0.<bias>",)))
    assert "0.<bias>" in dry.texts and "–" in dry.texts


def test_metrics_show_how_often_each_class_was_taken_for_which() -> None:
    task = Task("multiclass", ("kind",), ("a", "b", "<c>"), "")
    truth = np.arange(12) % 3
    found = metrics(task, truth, np.eye(3)[np.where(truth == 2, 0, truth)])
    shown = read(found)
    assert [t for t in shown.texts if t == "<c>"] == ["<c>", "<c>"]
    assert "12 rows" in shown.texts and "0.6667" in shown.texts


def test_a_summary_is_its_table() -> None:
    found = pellucid.summary(nn.Sequential(nn.Linear(3, 2)), (1, 3))
    shown = read(found)
    assert shown.texts[0] == "Sequential, input 1×3"
    assert shown.tags.count("tr") == 3 and "Linear" in shown.texts
    for text in shown.texts:
        assert text in str(found)


def test_a_search_is_its_leaderboard() -> None:
    trials = (Trial({"lr": 0.1}, 0.5, 0.9, 3, 0, False), Trial({"lr": 1.0}, 2.0, None, 1, 1, True))
    shown = read(SearchResult(trials))
    assert shown.texts[:6] == ["rank", "loss", "metric", "epoch", "lr", "1"]
    assert "ended early" in shown.texts


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    table = {"x": [i / 50 for i in range(100)], "y<b>": ["no", "yes"] * 50}
    folder = tmp_path_factory.mktemp("showing") / "run"
    return train(table, "y<b>", output=folder, epochs=2, widths=(4,))


def test_a_run_shows_verdict_metrics_curves_and_folder(outcome: Outcome) -> None:
    told = read(outcome)
    again = read(read_run(outcome.folder))
    for shown in (told, again):
        assert any("y<b>" in text for text in shown.texts)
        assert outcome.result.verdict()[1] in shown.texts
        assert {"train", "validation", "test", "accuracy"} <= set(shown.texts)
        assert shown.tags.count("polyline") == 2 and str(outcome.folder) in shown.texts


def test_runs_are_a_table(outcome: Outcome) -> None:
    (outcome.folder.parent / "broken").mkdir()
    (outcome.folder.parent / "broken" / "model.json").write_text("{")
    shown = read(list_runs(outcome.folder.parent))
    assert shown.tags.count("tr") == 3 and {"run", "broken", "y<b>"} <= set(shown.texts)
    assert list_runs(outcome.folder.parent)[0].folder == outcome.folder  # a list as before


def test_a_report_is_shown_in_a_frame_of_its_own(outcome: Outcome, tmp_path: Path) -> None:
    page = pellucid.report(outcome, language="en")
    assert page.html == render_report(outcome.folder, language="en")
    assert pellucid.report(str(outcome.folder), language="en").html == page.html
    assert pellucid.report(read_run(outcome.folder), language="en").html == page.html
    shown = page._repr_html_()
    assert shown.startswith("<iframe ") and shown.count("<") == 2  # the page is an attribute
    frame = re.search(r'srcdoc="([^"]*)" sandbox="allow-scripts"', shown)
    assert frame is not None and html.unescape(frame[1]) == page.html
    assert repr(page).startswith("Report('run', ")
    assert page.save(tmp_path / "page.html").read_text(encoding="utf-8") == page.html
    with pytest.raises(FileError, match="Give a file in a folder"):
        page.save(tmp_path / "nowhere" / "page.html")


def test_several_runs_are_compared(outcome: Outcome) -> None:
    (facts,) = [run for run in list_runs(outcome.folder.parent) if run.saved is not None]
    page = pellucid.report(outcome, facts, language="zh")
    stored = read_run(outcome.folder)
    assert page.html == render_comparison([stored, stored], language="zh")
    with pytest.raises(ArgumentError, match="report got int for a run"):
        pellucid.report(3)  # type: ignore[arg-type]


def test_folds_show_means_and_deviations() -> None:
    figures = {"network": {"log_loss": np.array([1.0, 2.0])}, "majority": {"rmse": np.array([3.0])}}
    shown = read(Folds((), figures))
    assert "log loss" in shown.texts and "1.5 ± 0.71" in shown.texts and "–" in shown.texts
