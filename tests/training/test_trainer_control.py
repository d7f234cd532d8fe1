"""The Trainer as an object: schedules by steps, ends that callbacks ask for, copies, and names."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.nn import functional
from pellucid.optim import lr_scheduler
from pellucid.training.history import Event, History, StopTraining
from pellucid.training.trainer import LOSSES, Trainer
from pellucid.utils.data import DataLoader, TensorDataset


def data(rows: int = 80) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(7)
    x = generator.normal(size=(rows, 3)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int64)


def network() -> Any:
    pellucid.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))


def weights(model: Any) -> list[np.ndarray]:
    return [np.array(p.detach().numpy()) for p in model.parameters()]


def same(first: Any, second: Any) -> bool:
    return all((a == b).all() for a, b in zip(weights(first), weights(second), strict=True))


# ---- schedules ---------------------------------------------------------------------------------


def rates_by_step(trainer: Trainer, train: Any, epochs: int, **fit: Any) -> list[float]:
    """The learning rate after each step, seen by a callback."""
    rates: list[float] = []

    def look(event: Event) -> None:
        if event.kind == "steps":
            assert event.facts["count"] == 1
            rates.append(trainer.optimizer.param_groups[0]["lr"])

    trainer.callbacks.append(look)
    trainer.fit(train, epochs=epochs, **fit)
    return rates


STEPPED = {
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 15},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4},
}


@pytest.mark.parity
@pytest.mark.parametrize("name", STEPPED)
@pytest.mark.parametrize("compile", [True, False])
def test_schedules_of_steps_are_advanced_by_steps_as_pytorch_documents(
    name: str, compile: bool
) -> None:
    torch = pytest.importorskip("torch")
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = getattr(lr_scheduler, name)(optimizer, **STEPPED[name])
    trainer = Trainer(model, "cross_entropy", optimizer, schedule=schedule, compile=compile)
    rates = rates_by_step(trainer, data(80), 3, batch_size=16)
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.05, momentum=0.9)
    reference = getattr(torch.optim.lr_scheduler, name)(theirs, **STEPPED[name])
    expected = []
    for _ in range(15):
        theirs.step()
        reference.step()
        expected.append(theirs.param_groups[0]["lr"])
    np.testing.assert_allclose(rates, expected, rtol=1e-9)
    group, other = optimizer.param_groups[0], theirs.param_groups[0]
    assert group["momentum"] == pytest.approx(other["momentum"])


@pytest.mark.parametrize("loader", [True, False])
def test_warm_restarts_take_fractions_of_epochs(loader: bool) -> None:
    """η = ½ η₀ (1 + cos(π · t mod 2 / 2)), t the epochs done so far."""
    x, y = data(80)
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.4)
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    trainer = Trainer(model, "cross_entropy", optimizer, schedule=schedule, compile=False)
    train: Any = (x, y)
    if loader:
        train = DataLoader(TensorDataset(pellucid.tensor(x), pellucid.tensor(y)), batch_size=16)
    rates = rates_by_step(trainer, train, 3, batch_size=16)
    done = np.arange(1, 16) / 5
    np.testing.assert_allclose(rates, 0.2 * (1 + np.cos(np.pi * (done % 2) / 2)), rtol=1e-9)


def test_the_learning_rate_of_each_step_is_the_one_that_is_used() -> None:
    """One weight, gradient 1 in every step: it falls by the sum of the learning rates."""
    model = nn.Linear(1, 1, bias=False)
    with pellucid.no_grad():
        model.weight.fill_(0.0)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=12, cycle_momentum=False)
    used: list[float] = []
    trainer = Trainer(model, lambda scores, targets: scores.mean(), optimizer, schedule=schedule)

    def look(event: Event) -> None:
        if event.kind == "start":
            used.append(optimizer.param_groups[0]["lr"])
        elif event.kind == "steps":
            used.append(optimizer.param_groups[0]["lr"])

    trainer.callbacks.append(look)
    trainer.fit((np.ones((24, 1), np.float32), np.zeros(24, np.float32)), epochs=2, batch_size=4)
    assert model.weight.item() == pytest.approx(-sum(used[:12]), rel=1e-5)


def test_the_interval_is_asked_of_the_class_and_can_be_said() -> None:
    class Halving(lr_scheduler.LRScheduler):
        """A schedule of somebody's own."""

        interval = "step"

        def get_lr(self) -> list[float]:
            return [base * 0.5**self.last_epoch for base in self.base_lrs]

    def last_rate(interval: str | None) -> float:
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=1.0)
        schedule = Halving(optimizer)
        trainer = Trainer(
            model, "cross_entropy", optimizer, schedule=schedule, schedule_interval=interval,
            compile=False,
        )  # fmt: skip
        trainer.fit(data(80), epochs=2, batch_size=20)
        return float(optimizer.param_groups[0]["lr"])

    assert last_rate(None) == last_rate("step") == 0.5**8
    assert last_rate("epoch") == 0.5**2
    with pytest.raises(ArgumentError, match="schedule_interval='week'"):
        last_rate("week")


def test_a_schedule_that_ends_before_the_run_is_refused_at_the_start() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=9)
    trainer = Trainer(model, "cross_entropy", optimizer, schedule=schedule, compile=False)
    before = weights(model)
    with pytest.raises(ArgumentError, match=r"total_steps=9; this run has up to 10 steps"):
        trainer.fit(data(80), epochs=2, batch_size=16)
    assert all((a == b).all() for a, b in zip(before, weights(model), strict=True))


def test_schedules_of_two_kinds_in_one_are_refused() -> None:
    optimizer = optim.SGD(network().parameters(), lr=1.0, momentum=0.9)
    both = lr_scheduler.ChainedScheduler(
        [lr_scheduler.StepLR(optimizer, 2), lr_scheduler.CyclicLR(optimizer, 0.1, 1.0)]
    )
    with pytest.raises(ArgumentError, match=r"StepLR \(epoch\), CyclicLR \(step\)"):
        Trainer(network(), "cross_entropy", optimizer, schedule=both)
    Trainer(network(), "cross_entropy", optimizer, schedule=both, schedule_interval="step")


def test_a_plateau_by_another_name_still_watches_the_loss() -> None:
    class Patience(lr_scheduler.ReduceLROnPlateau):
        """A subclass with a name of its own."""

    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.0001)
    schedule = Patience(optimizer, patience=0, threshold=10.0, threshold_mode="abs")
    trainer = Trainer(model, "cross_entropy", optimizer, schedule=schedule, compile=False)
    trainer.fit(data(), data(), epochs=4)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4 * 0.1**3)


# ---- ending a run ------------------------------------------------------------------------------


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("kind", ["epoch", "steps", "forward", "best"])
def test_a_callback_ends_the_run_by_raising(kind: str, compile: bool) -> None:
    def stop(event: Event) -> None:
        if event.kind == kind and (event.epoch >= 2 or kind == "forward"):
            raise StopTraining

    trainer = Trainer(network(), "cross_entropy", callbacks=[stop], compile=compile)
    history = trainer.fit(data(), data(), epochs=500)
    assert history.status == "stopped" and len(history) <= 3
    if history.best_epoch:
        found = trainer.evaluate(data())["loss"]
        assert found == pytest.approx(min(history["validation_loss"]), rel=1e-6)


def test_stop_ends_the_run_from_another_thread_and_the_next_fit_runs_again() -> None:
    trainer = Trainer(network(), "cross_entropy")
    timer = threading.Timer(0.5, trainer.stop)
    timer.start()
    history = trainer.fit(data(), epochs=10_000_000)
    timer.join()
    assert history.status == "stopped" and history.steps > 0
    assert trainer.fit(data(), epochs=2).status == "finished"


def test_an_error_in_a_callback_costs_no_weights() -> None:
    """It is raised, and the model holds the best weights so far."""

    def broken(event: Event) -> None:
        if event.kind == "epoch" and event.epoch == 5:
            raise ZeroDivisionError("in the plot")

    model = network()
    optimizer = optim.SGD(model.parameters(), lr=3.0)
    trainer = Trainer(model, "cross_entropy", optimizer, callbacks=[broken], compile=False)
    with pytest.raises(ZeroDivisionError, match="in the plot"):
        trainer.fit(data(), data(), epochs=9)
    assert trainer.history.status == "failed" and len(trainer.history) == 5
    best = min(trainer.history["validation_loss"])
    assert trainer.evaluate(data())["loss"] == pytest.approx(best, rel=1e-6)


# ---- going on, copies, names -------------------------------------------------------------------


@pytest.mark.parametrize("compile", [True, False])
def test_two_epochs_twice_are_four(compile: bool) -> None:
    once = Trainer(network(), "cross_entropy", compile=compile, seed=5)
    once.fit(data(), epochs=4, batch_size=32)
    twice = Trainer(network(), "cross_entropy", compile=compile, seed=5)
    twice.fit(data(), epochs=2, batch_size=32)
    twice.fit(data(), epochs=2, batch_size=32)
    assert same(once.model, twice.model) and twice.epochs_trained == 4
    other = Trainer(network(), "cross_entropy", compile=compile, seed=6)
    other.fit(data(), epochs=4, batch_size=32)
    assert not same(once.model, other.model)


@pytest.mark.parametrize("how", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
@pytest.mark.parametrize("fitted", [True, False])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_trainer_can_be_copied_and_pickled(how: Any, fitted: bool, accumulate: int) -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = lr_scheduler.StepLR(optimizer, 2)
    trainer = Trainer(
        model, "cross_entropy", optimizer, schedule=schedule, accumulate=accumulate, ema_decay=0.5
    )
    if fitted:
        trainer.fit(data(), data(), epochs=2)
    other = how(trainer)
    assert other.model is not trainer.model and same(other.model, trainer.model)
    before = weights(trainer.model)
    other.fit(data(), epochs=2)
    assert all((a == b).all() for a, b in zip(before, weights(trainer.model), strict=True))
    trainer.fit(data(), epochs=2)
    assert same(other.model, trainer.model)  # it went on from the same place, in the same way
    assert other.optimizer.param_groups[0]["lr"] == trainer.optimizer.param_groups[0]["lr"]


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_history_can_be_copied_and_pickled(how: Any) -> None:
    history = Trainer(network(), "cross_entropy", compile=False).fit(data(), data(), epochs=3)
    other = how(history)
    assert other == history and other["loss"] == history["loss"] and isinstance(other, History)


@pytest.mark.parametrize("how", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_compiled_function_can_be_copied_and_pickled(how: Any) -> None:
    x = pellucid.ones(2, 3)
    compiled = pellucid.compile(nn.Linear(3, 2))
    expected = compiled(x).tolist()
    other = how(compiled)
    assert other(x).tolist() == expected
    with pellucid.no_grad():
        other.weight.zero_()
        other.bias.zero_()
    assert other(x).tolist() == [[0, 0], [0, 0]] and compiled(x).tolist() == expected


def test_short_texts_say_what_things_are() -> None:
    trainer = Trainer(network(), "cross_entropy", compile=False)
    assert repr(trainer) == (
        "Trainer(Sequential of 38 parameters, loss=cross_entropy, optimizer=AdamW(lr=0.001))"
    )
    history = trainer.fit(data(), data(), epochs=40)
    assert "40 epochs trained" in repr(trainer)
    text = repr(history)
    assert text.startswith("History(40 epochs, 80 steps, ") and "\n" not in text
    assert len(text) < 160 and f"best epoch {history.best_epoch}: loss " in text
    assert repr(pellucid.Generator().manual_seed(5)) == "Generator(seed=5, draws=0)"
    compiled = pellucid.compile(functional.relu)
    assert repr(compiled) == "CompiledFunction(relu, backend='cpu', 0 programs)"
    compiled(pellucid.ones(3))
    assert "1 program)" in repr(compiled)


@pytest.mark.parametrize("name", ["relu", "checks", "linear", "crossentropy", "", "__name__"])
def test_a_name_of_no_loss_fails_at_once_with_the_list(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"There is no loss '{name}'") as caught:
        Trainer(network(), name)
    assert all(loss in str(caught.value) for loss in LOSSES)


S, T = np.array([[0.25, 0.5], [0.75, 0.125], [0.5, 0.25]]), np.array([[1, 0], [0, 1], [1, 1.0]])
CLASSES, SIGNS, LABELS = np.array([0, 1, 1]), np.array([[1, -1], [-1, 1], [1, 1.0]]), [[1, -1]] * 3
RIGHT = S[[0, 1, 2], CLASSES]
SPLIT = T * np.logaddexp(0, -S) + (1 - T) * np.logaddexp(0, S)
BY_HAND: dict[str, tuple[Any, Any]] = {
    "cross_entropy": (CLASSES, (np.logaddexp(S[:, 0], S[:, 1]) - RIGHT).mean()),
    "nll_loss": (CLASSES, -RIGHT.mean()),
    "binary_cross_entropy": (T, -(T * np.log(S) + (1 - T) * np.log(1 - S)).mean()),
    "binary_cross_entropy_with_logits": (T, SPLIT.mean()),
    "mse_loss": (T, ((S - T) ** 2).mean()),
    "l1_loss": (T, np.abs(S - T).mean()),
    "smooth_l1_loss": (T, ((S - T) ** 2).mean() / 2),
    "huber_loss": (T, ((S - T) ** 2).mean() / 2),
    "poisson_nll_loss": (T, (np.exp(S) - T * S).mean()),
    "kl_div": (T, -(T * S).mean()),
    "soft_margin_loss": (SIGNS, np.logaddexp(0, -SIGNS * S).mean()),
    "hinge_embedding_loss": (SIGNS, np.where(SIGNS > 0, S, 1 - S).mean()),
    "multi_margin_loss": (CLASSES, (1 - RIGHT + S[[0, 1, 2], 1 - CLASSES]).mean() / 2),
    "multilabel_margin_loss": (np.array(LABELS), (1 - S[:, 1] + S[:, 0]).mean() / 2),
    "multilabel_soft_margin_loss": (T, SPLIT.mean()),
    "pinball_loss": (T, (np.abs(S - T) / 2).mean()),
    "focal_loss": (T, ((1 - np.exp(-SPLIT)) ** 2 * SPLIT).mean()),
}
"""Name of a loss → targets for the scores ``S``, and the loss by its formula."""


@pytest.mark.parametrize("name", LOSSES)
def test_every_listed_loss_takes_scores_and_targets(name: str) -> None:
    targets, expected = BY_HAND[name]
    dtype = pellucid.int64 if targets.dtype == np.int64 else pellucid.float32
    trainer = Trainer(network(), name)
    found = trainer.loss(pellucid.tensor(S).float(), pellucid.tensor(targets, dtype=dtype))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(ArgumentError, match="loss=3 is no function"):
        Trainer(network(), 3)  # type: ignore[arg-type]
