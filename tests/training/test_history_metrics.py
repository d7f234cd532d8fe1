"""Several metrics after each epoch, by name, on training and validation rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, NamingError
from pellucid.training import Trainer
from pellucid.training.callbacks import CSVLogger, JSONLogger
from pellucid.training.streaming import ROCAUC, Accuracy

X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
Y = (X[:, 0] + np.random.default_rng(1).normal(size=300) > 0).astype(np.int64)
TRAIN, HELD = (X[:200], Y[:200]), (X[200:], Y[200:])


def share_right(scores: Any, targets: Any) -> float:
    return float((scores.argmax(1) == targets).mean())


def trainer(**extra: Any) -> Trainer:
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    settings: dict[str, Any] = {"metrics": {"accuracy": Accuracy(), "right": share_right}, **extra}
    return Trainer(model, "cross_entropy", optimizer, **settings)


def test_the_last_epochs_figures_are_scikit_learns() -> None:
    seen: list[dict[str, float]] = []
    made = trainer()

    def look(event: Any) -> None:
        if event.kind == "epoch":
            scores = [np.asarray(made.predict(x).numpy()) for x in (TRAIN[0], HELD[0])]
            found = zip(("", "validation_"), scores, (TRAIN[1], HELD[1]), strict=True)
            seen.append({f"{n}accuracy": accuracy_score(y, s.argmax(1)) for n, s, y in found})

    made.callbacks.append(look)
    history = made.fit(TRAIN, HELD, epochs=3)
    for name in ("accuracy", "validation_accuracy"):
        assert history[name] == pytest.approx([one[name] for one in seen])
    assert history["right"] == pytest.approx(history["accuracy"])
    assert list(history.history) == [
        "epoch", "loss", "validation_loss", "learning_rate", "steps", "rows_per_second", "seconds",
        "train_loss", "accuracy", "right", "validation_accuracy", "validation_right",
    ]  # fmt: skip
    assert history.history["loss"] == history["loss"] and len(history.history["accuracy"]) == 3
    assert history.epochs[-1].metrics["accuracy"] == history["accuracy"][-1]
    assert made.evaluate(HELD)["accuracy"] == pytest.approx(
        accuracy_score(HELD[1], np.asarray(made.predict(HELD[0]).numpy()).argmax(1))
    )
    with pytest.raises(NamingError, match="holds no 'auc'"):
        history["auc"]


def test_they_change_nothing_and_come_back_with_the_state(tmp_path: Path) -> None:
    plain = trainer(metrics=None)
    plain.fit(TRAIN, HELD, epochs=4)
    one = trainer(checkpoint=tmp_path)
    one.callbacks.append(lambda event: one.stop() if event.kind == "epoch" else None)
    one.fit(TRAIN, HELD, epochs=4)
    other = trainer(checkpoint=tmp_path)
    assert other.resume()
    history = other.fit(TRAIN, HELD, epochs=4)
    assert history["loss"] == plain.history["loss"]
    assert len(history["validation_accuracy"]) == 4
    assert history["validation_accuracy"][0] == one.history["validation_accuracy"][0]
    assert set(plain.history.history) < set(history.history)


def test_a_probability_has_an_area_under_the_curve() -> None:
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    made = Trainer(model, "binary_cross_entropy_with_logits", metrics={"auc": ROCAUC()})
    y = Y.astype(np.float32)
    history = made.fit((X[:200], y[:200]), (X[200:], y[200:]), epochs=2)
    best = history.epochs[history.best_epoch - 1].metrics["validation_auc"]
    assert best == pytest.approx(roc_auc_score(Y[200:], made.predict(X[200:]).numpy()))


def test_logs_have_a_column_for_each(tmp_path: Path) -> None:
    made = trainer(callbacks=[CSVLogger(tmp_path / "a.csv"), JSONLogger(tmp_path / "a.jsonl")])
    history = made.fit(TRAIN, HELD, epochs=2)
    with (tmp_path / "a.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [float(line["validation_accuracy"]) for line in lines] == history["validation_accuracy"]
    first = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])
    assert first["accuracy"] == history["accuracy"][0] and "metrics" not in first


@pytest.mark.parametrize("name", ["loss", "validation_x", "", "seconds"])
def test_names_that_are_taken_are_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match="metrics="):
        trainer(metrics={name: Accuracy()})
    with pytest.raises(ArgumentError, match="metrics="):
        trainer(metrics={"accuracy": "accuracy"})
