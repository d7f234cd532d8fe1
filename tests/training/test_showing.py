"""Histories and programs in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

import pellucid
from pellucid import nn
from pellucid.training.history import EpochRecord, History


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
    read = Reader(history(epochs)._repr_html_())
    assert read.tags.count("polyline") == curves
    assert read.tags.count("tr") == (0 if not epochs else 1 + min(epochs, 6))


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
    read = Reader(found._repr_html_())
    assert "".join(read.texts) == str(found)
