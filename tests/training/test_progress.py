"""Progress one can believe: the whole run, beside the baseline, silent where nobody looks."""

from __future__ import annotations

import io
import re
import sys
import types
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.training import Trainer
from pellucid.training.history import EpochRecord, Event
from pellucid.training.naive import baseline_loss
from pellucid.training.progress import Progress, bar

X = np.random.default_rng(1).normal(size=(160, 4)).astype(np.float32)
Y = np.random.default_rng(2).choice(3, 160, p=[0.6, 0.3, 0.1])


class Terminal(io.StringIO):
    """Standard error that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def fitted(**given: Any) -> Trainer:
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    made = Trainer(model, "cross_entropy", optim.AdamW(model.parameters()), compile=False)
    made.fit((X[:100], Y[:100]), (X[100:], Y[100:]), epochs=6, batch_size=20, **given)
    return made


def test_a_bar_is_drawn_on_a_terminal_and_nothing_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    for wanted, terminal, drawn in [
        (None, True, True), (True, True, True), (False, True, False), (None, False, False),
    ]:  # fmt: skip
        stream = Terminal() if terminal else io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        made = fitted(progress=wanted)
        text = stream.getvalue()
        assert bool(text) == drawn
        if drawn:
            last = text.split("\r")[-1]
            assert "epoch 6/6" in last and "baseline" in last and last.endswith("\n")
            assert last.count("━") in (8, 24)
        assert made.callbacks == []


def test_a_bar_is_drawn_in_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, html: str) -> None:
            shown.append(html)

    shell = type("ZMQInteractiveShell", (), {})()
    display = types.SimpleNamespace(
        HTML=lambda text: text, display=lambda html, display_id: Handle()
    )
    module = types.SimpleNamespace(get_ipython=lambda: shell, display=display)
    monkeypatch.setitem(sys.modules, "IPython", module)  # type: ignore[arg-type]
    fitted()
    assert "epoch 6/6" in shown[-1] and shown[-1].startswith("<pre")
    shown.clear()
    fitted(progress=False)
    assert shown == []


def test_training_loss_is_measured_like_the_validation_loss() -> None:
    """With dropout the running mean is not comparable; without, rows that were learned from are."""
    made = fitted(progress=False)
    for record in made.history:
        assert record.train_loss is not None and record.train_loss != record.loss
    made.history.best_epoch = 0
    last = made.history.best or made.history.epochs[-1]
    again = made.evaluate((X[:100], Y[:100]))["loss"]
    assert min(r.train_loss for r in made.history if r.train_loss) <= again * 1.05
    assert last.train_loss == pytest.approx(again, rel=0.2)
    without = Trainer(nn.Linear(4, 3), "cross_entropy", compile=False)
    assert without.fit((X, Y), epochs=1).epochs[0].train_loss is None


def test_the_baseline_stands_there_from_the_first_second_and_what_is_worse_is_told() -> None:
    now = 0.0
    progress = Progress("accuracy", clock=lambda: now)
    facts = {"epochs": 10, "rows": 100, "batches": 5, "baseline": 0.9}
    progress(Event("start", 0, 0, facts))
    assert "baseline 0.9" in progress.figures() and "yet" not in progress.figures()
    for epoch, loss, told in [(1, 1.2, True), (2, 0.8, False), (3, 1.5, False)]:
        record = EpochRecord(epoch, 0.5, loss, None, 0.001, 5 * epoch, 1e4, 1.0, 0.45)
        progress(Event("steps", 5 * epoch, epoch, {"count": 5, "loss": 0.5, "rows": 100}))
        progress(Event("epoch", 5 * epoch, epoch, {"record": record}))
        assert ("not better than the baseline yet" in progress.figures()) is told
        assert "loss 0.5 (0.45 eval)" in progress.figures()


def test_time_left_counts_validation_and_a_run_that_goes_on_begins_where_it_was() -> None:
    now = 0.0
    progress = Progress("accuracy", clock=lambda: now)
    progress(Event("start", 50, 5, {"epochs": 10, "rows": 100, "batches": 10}))
    assert progress.share == 0.5 and progress.figures().endswith("compiling")
    for epoch in (6, 7):  # ten steps a second, then ten seconds of validation
        for _ in range(10):
            now += 0.1
            progress(Event("steps", 0, epoch, {"count": 1, "loss": 1.0, "rows": 10}))
            progress.figures()
        if epoch == 6:
            now += 10.0
            record = EpochRecord(6, 1.0, 1.0, None, 0.1, 60, 1e3, 1.0)
            progress(Event("epoch", 60, 6, {"record": record}))
    found = re.search(r"([\d,]+) rows/s  at most (\d+) s left", progress.figures())
    assert found is not None and 90 <= int(found[1]) <= 120
    assert 30 <= int(found[2]) <= 35  # thirty steps, and three validations


def test_a_narrow_terminal_gets_fewer_numbers() -> None:
    progress = Progress("accuracy")
    progress(Event("start", 0, 0, {"epochs": 10, "rows": 100, "batches": 5, "baseline": 0.9}))
    progress(Event("steps", 5, 1, {"count": 5, "loss": 0.5, "rows": 100}))
    assert len(bar(progress, 60)) <= 60 and "epoch 1/10" in bar(progress, 60)
    assert "baseline" in bar(progress, 200)


def test_baselines_are_the_best_constant_answers() -> None:
    """Against every other constant answer, on the training targets themselves."""
    generator = np.random.default_rng(0)
    functional = nn.functional
    numbers = generator.exponential(size=(81, 1)).astype(np.float32)
    ones = (generator.random((81, 2)) < [0.2, 0.7]).astype(np.float32)
    classes = Y[:81]
    for loss, targets, units in [
        (functional.cross_entropy, classes, 3),
        (functional.binary_cross_entropy_with_logits, ones, 2),
        (functional.mse_loss, numbers, 1),
        (functional.l1_loss, numbers, 1),
        (nn.CrossEntropyLoss(), classes, 3),
    ]:
        y = pellucid.tensor(targets)
        found = baseline_loss(loss, y, y, units)
        assert found is not None
        for _ in range(100):
            constant = generator.normal(size=units, scale=2)
            scores = pellucid.tensor(np.tile(constant, (81, 1)).astype(np.float32))
            assert float(loss(scores, y).item()) >= found - 1e-6
    assert baseline_loss(lambda s, t: s.mean(), y, y, 1) is None
    assert (
        baseline_loss(functional.mse_loss, pellucid.tensor(numbers), pellucid.ones(4, 5), 1) is None
    )
