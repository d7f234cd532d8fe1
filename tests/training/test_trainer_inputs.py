"""What a Trainer takes: several features, weights, batches of every origin; and short trials."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, DataError
from pellucid.insight import draw_learning_rates
from pellucid.optim import lr_scheduler
from pellucid.training import (
    Callback,
    CSVLogger,
    EarlyStopping,
    JSONLogger,
    LambdaCallback,
    TensorBoardLogger,
    Trainer,
    focal_loss,
)
from pellucid.training.capture import random_state
from pellucid.training.history import EpochRecord, Event
from pellucid.utils.data import DataLoader, Dataset

X = np.random.default_rng(1).normal(size=(96, 4)).astype(np.float32)
Y = np.random.default_rng(2).integers(0, 3, 96)
W = np.random.default_rng(3).uniform(0.1, 2, 96).astype(np.float32)


def network(outputs: int = 3) -> Any:
    pellucid.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, outputs))


def trainer(loss: Any = "cross_entropy", outputs: int = 3, **extra: Any) -> Trainer:
    model = network(outputs)
    return Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1), **extra)


def weights(made: Trainer) -> list[np.ndarray]:
    return [np.array(p.detach().numpy()) for p in made.model.parameters()]


def close(one: Trainer, other: Trainer, rtol: float = 1e-4) -> None:
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)


# ---- weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_row_of_weight_two_is_a_row_that_stands_twice(compile: bool, accumulate: int) -> None:
    times = np.random.default_rng(0).integers(0, 3, 96)
    size = 96 // accumulate
    one = trainer(compile=compile, accumulate=accumulate)
    one.fit((X, Y), epochs=3, batch_size=size, shuffle=False, sample_weight=times)
    other = trainer(compile=compile, accumulate=1)
    again = np.repeat(np.arange(96), times)
    other.fit((X[again], Y[again]), epochs=3, batch_size=len(again), shuffle=False)
    close(one, other)
    third = trainer(compile=compile)
    third.fit((X, Y, times), epochs=3, batch_size=96)
    close(one, third)


@pytest.mark.parametrize("loss", ["mse_loss", nn.HuberLoss(), "binary_cross_entropy_with_logits"])
def test_every_loss_takes_weights_and_ones_change_nothing(loss: Any) -> None:
    targets = (Y[:, None] > 0).astype(np.float32)
    with_ones, without = trainer(loss, 1), trainer(loss, 1)
    with_ones.fit((X, targets, np.ones(96)), epochs=2, batch_size=40)
    without.fit((X, targets), epochs=2, batch_size=40)
    close(with_ones, without)
    found = with_ones.evaluate((X, targets, W))["loss"]
    scores, each = with_ones.predict(X), pellucid.tensor(targets)
    by_row = [float(with_ones.loss(scores[i : i + 1], each[i : i + 1]).item()) for i in range(96)]
    assert found == pytest.approx(np.average(by_row, weights=W), rel=1e-4)


def test_a_loss_of_one_number_is_told_that_it_cannot_be_weighted() -> None:
    made = trainer(lambda scores, targets: scores.square().mean(), compile=False)
    with pytest.raises(ArgumentError, match="gives one number for all"):
        made.fit((X, Y, W), epochs=1)
    with pytest.raises(DataError, match="one weight, for each row|same number of rows"):
        trainer().fit((X, Y, W[:5]), epochs=1)


def test_balanced_classes_have_scikit_learns_weights() -> None:
    sklearn = pytest.importorskip("sklearn.utils.class_weight")
    rare = np.where(np.arange(96) < 80, 0, Y)
    made = trainer(class_weight="balanced")
    made.fit((X, rare), epochs=2, batch_size=96, shuffle=False)
    expected = sklearn.compute_class_weight("balanced", classes=np.unique(rare), y=rare)
    assert made.class_weights is not None
    np.testing.assert_allclose(made.class_weights.numpy(), expected, rtol=1e-6)
    by_hand = trainer()
    by_hand.fit((X, rare, expected[rare]), epochs=2, batch_size=96, shuffle=False)
    close(made, by_hand)
    given = trainer(class_weight=dict(enumerate(expected)))
    batches = [(pellucid.tensor(X), pellucid.tensor(rare))]
    given.fit(batches, epochs=2)
    close(made, given)
    with pytest.raises(ArgumentError, match="needs the classes of all rows"):
        trainer(class_weight="balanced").fit(batches, epochs=1)


def test_the_focal_loss_is_its_formula_and_gamma_zero_the_cross_entropy() -> None:
    scores = pellucid.randn(7, 3)
    classes = pellucid.tensor([0, 1, 2, 0, 1, 2, 0])
    p = np.exp(scores.numpy())[np.arange(7), classes.numpy()] / np.exp(scores.numpy()).sum(1)
    expected = -((1 - p) ** 2) * np.log(p)
    np.testing.assert_allclose(
        focal_loss(scores, classes, reduction="none").numpy(), expected, rtol=1e-4
    )
    plain = nn.functional.cross_entropy(scores, classes).item()
    assert focal_loss(scores, classes, gamma=0.0).item() == pytest.approx(plain, rel=1e-6)
    s, t = pellucid.randn(5, 2), (pellucid.rand(5, 2) > 0.5).float()
    q = 1 / (1 + np.exp(-s.numpy()))
    right = np.where(t.numpy() > 0.5, q, 1 - q)
    share = np.where(t.numpy() > 0.5, 0.25, 0.75)
    found = focal_loss(s, t, gamma=1.5, alpha=0.25).item()
    assert found == pytest.approx((-share * (1 - right) ** 1.5 * np.log(right)).mean(), rel=1e-4)
    made = trainer("focal_loss", class_weight="balanced")
    history = made.fit((X, Y), epochs=3)
    assert history["loss"][-1] < history["loss"][0]


# ---- several features --------------------------------------------------------------------------


class Two(nn.Module):
    """Two inputs, one of them optional."""

    def __init__(self) -> None:
        super().__init__()
        pellucid.manual_seed(1)
        self.first, self.second = nn.Linear(4, 3), nn.Linear(2, 3)

    def forward(self, a: Any, b: Any) -> Any:
        return self.first(a) + self.second(b)


@pytest.mark.parametrize("compile", [True, False])
def test_features_in_a_tuple_and_by_name(compile: bool) -> None:
    b = X[:, :2] * 2
    outcomes = []
    for features in ((X, b), {"b": b, "a": X}):
        model = Two()
        made = Trainer(
            model, "cross_entropy", optim.SGD(model.parameters(), lr=0.1), compile=compile
        )
        history = made.fit((features, Y), (features, Y), epochs=3, batch_size=40)
        outcomes.append((made, history, made.predict(features)))
        assert made.predict_class(features).shape == (96,)
    assert outcomes[0][1]["validation_loss"] == outcomes[1][1]["validation_loss"]
    close(outcomes[0][0], outcomes[1][0], 0)
    np.testing.assert_array_equal(outcomes[0][2].numpy(), outcomes[1][2].numpy())

    class Rows(Dataset):
        def __len__(self) -> int:
            return 96

        def __getitem__(self, i: int) -> Any:
            return (X[i], b[i]), Y[i]

    model = Two()
    made = Trainer(model, "cross_entropy", optim.SGD(model.parameters(), lr=0.1), compile=compile)
    made.fit(DataLoader(Rows(), batch_size=96), epochs=2)
    whole = Trainer(Two(), "cross_entropy", compile=compile)
    whole.optimizer = optim.SGD(whole.model.parameters(), lr=0.1)
    whole.fit(((X, b), Y), epochs=2, batch_size=96, shuffle=False)
    close(made, whole)


def test_data_sets_generators_and_functions_give_batches(tmp_path: Path) -> None:
    class Rows(Dataset):
        def __len__(self) -> int:
            return 96

        def __getitem__(self, i: int) -> Any:
            return X[i], Y[i]

    def batches() -> Iterator[Any]:
        for at in range(0, 96, 32):
            yield X[at : at + 32], Y[at : at + 32]

    def forever() -> Iterator[Any]:
        while True:
            yield from batches()

    expected = trainer()
    expected.fit((X, Y), epochs=4, batch_size=32, shuffle=False)
    made = [trainer() for _ in range(4)]
    made[0].fit(Rows(), epochs=4, batch_size=32, shuffle=False)
    made[1].fit(batches, epochs=4)
    made[2].fit(forever(), epochs=4, steps_per_epoch=3)
    made[3].fit(forever, epochs=6, steps_per_epoch=2)
    for one in made[:3]:
        close(expected, one)
    assert made[3].history.steps == 12
    # An endless generator goes on where a killed process was.
    first = trainer(checkpoint=tmp_path)
    first.callbacks.append(
        LambdaCallback(on_steps_end=lambda t, count, loss, rows: t.stop() if rows > 32 else None)
    )
    first.fit(forever(), epochs=4, steps_per_epoch=3)
    assert first.history.steps == 2
    second = trainer(checkpoint=tmp_path)
    second.resume()
    second.fit(forever(), epochs=4, steps_per_epoch=3)
    close(expected, second)
    with pytest.raises(ArgumentError, match="type int cannot be used"):
        trainer().fit(3)


# ---- callbacks ---------------------------------------------------------------------------------


def test_the_turns_of_a_training_come_in_order() -> None:
    seen: list[Any] = []

    class All(Callback):
        def on_fit_start(self, trainer: Any, epochs: int, rows: int, batches: int) -> None:
            seen.append(("start", epochs, rows, batches))

        def on_steps_end(self, trainer: Any, count: int, loss: float, rows: int) -> None:
            seen.append(("steps", count, rows))

        def on_epoch_end(self, trainer: Any, record: EpochRecord) -> None:
            seen.append(("epoch", record.epoch, trainer.history.epochs[-1] is record))

        def on_best(self, trainer: Any, record: EpochRecord) -> None:
            seen.append(("best", record.epoch))

        def on_fit_end(self, trainer: Any, status: str) -> None:
            seen.append(("stop", status))

    made = trainer(callbacks=[All()], compile=False)
    made.fit((X, Y), (X, Y), epochs=1, batch_size=48)
    assert seen == [
        ("start", 1, 96, 2), ("steps", 1, 48), ("steps", 1, 96), ("epoch", 1, True), ("best", 1),
        ("stop", "finished"),
    ]  # fmt: skip
    LambdaCallback(on_epoch_end=lambda t, record: seen.append(record))(
        Event("epoch", 2, 1, {"record": made.history.epochs[0]}, made)
    )
    assert seen[-1] is made.history.epochs[0]


def test_early_stopping_watches_what_it_is_told() -> None:
    accuracies = iter([0.1, 0.5, 0.4, 0.5, 0.45, 0.9, 0.9])
    made = trainer(
        metric=lambda scores, targets: next(accuracies),
        callbacks=[EarlyStopping("metric", patience=3, mode="max")],
    )
    history = made.fit((X, Y), (X, Y), epochs=7)
    assert history.status == "stopped" and len(history) == 5
    with pytest.raises(ArgumentError, match="monitor='accuracy'"):
        EarlyStopping("accuracy")


def test_logs_as_lines_of_json_a_table_and_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    callbacks = [
        JSONLogger(tmp_path / "log.jsonl"),
        CSVLogger(tmp_path / "log.csv"),
        TensorBoardLogger(tmp_path / "board"),
    ]
    history = trainer(callbacks=callbacks).fit((X, Y), epochs=3)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines[:-1]] == history["loss"]
    assert lines[-1] == {"status": "finished"}
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == history["loss"]
    assert rows[0]["validation_loss"] == "" and [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert list((tmp_path / "board").iterdir())


@pytest.mark.parametrize("compile", [True, False])
def test_gradients_of_the_last_step_are_kept_when_asked(compile: bool) -> None:
    made = trainer(compile=compile, keep_gradients=True)
    before: list[np.ndarray] = []
    norms: list[float] = []

    def look(event: Event) -> None:
        if event.kind == "start":
            before.extend(weights(made))
        if event.kind == "steps":
            norms.append(float(made.model[0].weight.grad.norm().item()))
            change = before[0] - made.model[0].weight.detach().numpy()
            np.testing.assert_allclose(
                change, 0.1 * made.model[0].weight.grad.numpy(), rtol=1e-3, atol=1e-6
            )

    made.callbacks.append(look)
    made.fit((X, Y), epochs=1, batch_size=96)
    assert len(norms) == 1 and norms[0] > 0


# ---- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("compile", [True, False])
def test_a_time_budget_is_kept(compile: bool) -> None:
    made = trainer(compile=compile)
    made.fit((X, Y), epochs=1, batch_size=8)
    start = time.perf_counter()
    history = made.fit((X, Y), (X, Y), epochs=10**6, batch_size=8, max_minutes=0.5 / 60)
    assert history.status == "out of time" and history.steps > 0
    assert time.perf_counter() - start < 3  # a busy machine
    with pytest.raises(ArgumentError, match="max_minutes=-1"):
        made.fit((X, Y), max_minutes=-1)


# ---- trials ------------------------------------------------------------------------------------


def everything(made: Trainer) -> list[bytes]:
    """All that a trial must not change."""
    state = made.optimizer.state_dict()
    parts = [p.tobytes() for p in weights(made)]
    parts += [b.detach().numpy().tobytes() for b in made.model.buffers()]
    for slots in state["state"].values():
        parts += [s.numpy().tobytes() for s in slots.values() if hasattr(s, "numpy")]
    found = random_state()
    parts += [repr(state["param_groups"]).encode(), found["pellucid"].tobytes()]
    parts += [repr(found["python"]).encode(), found["numpy"][1].tobytes()]
    schedule = made.schedule.state_dict() if made.schedule is not None else {}
    parts += [repr(schedule).encode(), repr([m.training for m in made.model.modules()]).encode()]
    return [*parts, repr([p.grad is None for p in made.model.parameters()]).encode()]


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("fitted", [True, False])
def test_trials_leave_no_trace(compile: bool, fitted: bool) -> None:
    pellucid.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    schedule = lr_scheduler.StepLR(optimizer, 1, 0.5)
    seen: list[Event] = []
    made = Trainer(
        model, "cross_entropy", optimizer, schedule=schedule, ema_decay=0.9, compile=compile,
        callbacks=[seen.append],
    )  # fmt: skip
    if fitted:
        made.fit((X, Y), (X, Y), epochs=2)
        optimizer.zero_grad()
    seen.clear()
    generator = pellucid.Generator().manual_seed(4)
    rows = [(X[i], int(Y[i])) for i in range(96)]
    loader = DataLoader(rows, batch_size=16, shuffle=True, generator=generator)
    history, before = made.history, everything(made)
    for data in ((X, Y), loader):
        made.find_lr(data, steps=20, batch_size=16)
        made.overfit_one_batch(data, steps=5)
        found = made.dry_run(data, (X, Y))
        assert found.unchanged == () and found.validation_loss is not None
        assert everything(made) == before and made.history is history and seen == []
        assert generator.get_offset() == 0
    twin = Trainer(network(), "cross_entropy")
    made.fit((X, Y), epochs=1), twin.fit((X, Y), epochs=1)  # everything still works


def test_the_learning_rate_that_is_found_is_a_good_one(tmp_path: Path) -> None:
    """On a quadratic bowl the rate must lie below 2 / λ, where descent diverges, and not far."""
    pellucid.manual_seed(0)
    x = np.random.default_rng(0).normal(size=(512, 4)).astype(np.float32)
    y = (x @ np.array([1.0, -2, 3, 0.5], np.float32))[:, None]
    model = nn.Linear(4, 1, bias=False)
    made = Trainer(model, "mse_loss", optim.SGD(model.parameters(), lr=1.0))
    found = made.find_lr((x, y), batch_size=64, low=1e-5)
    largest = 2 / np.linalg.eigvalsh(2 * x.T @ x / 512).max()
    assert found.suggestion is not None
    assert largest / 100 < found.suggestion < largest
    assert found.rates[-1] < 10 and "suggestion=" in repr(found)  # it ended where it diverged
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e6) / 99, rtol=1e-6)
    draw_learning_rates(found, tmp_path / "rates.svg")
    text = (tmp_path / "rates.svg").read_text()
    assert "<svg" in text and "learning rate" in text
    flat = Trainer(network(), lambda s, t: s.sum() * 0 + 1.0).find_lr((X, Y))
    assert flat.suggestion is None
    with pytest.raises(ArgumentError, match="low=1.0, high=0.1"):
        made.find_lr((x, y), low=1.0, high=0.1)


def test_one_batch_is_learned_or_something_is_not_wired_up() -> None:
    model = network()
    good = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=0.05))
    assert good.overfit_one_batch((X, Y), steps=400).learned
    broken = Trainer(network(), "cross_entropy", optim.SGD(network().parameters(), lr=0.1))
    found = broken.overfit_one_batch((X, Y), steps=20)  # an optimizer of another network
    assert not found.learned and "not wired up" in repr(found)
    dry = Trainer(Two(), "cross_entropy", compile=False)
    dry.model.second.weight.requires_grad_(False)
    assert dry.dry_run(((X, X[:, :2] * 0), Y)).unchanged == ()
    assert broken.dry_run((X, Y)).unchanged == tuple(n for n, _ in broken.model.named_parameters())
