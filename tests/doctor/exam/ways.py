"""Ways of training a program, each as people write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import pellucid
from doctor.exam.recipe import Setup
from pellucid import Tensor, Trainer


def by_trainer(setup: Setup, **more: Any) -> Trainer:
    """A Trainer with the program's settings; ``fit`` runs it by :func:`fit`."""
    recipe = setup.recipe
    schedule = None if recipe.schedule is None else recipe.schedule(setup.optimizer)
    return Trainer(setup.model, setup.loss, setup.optimizer, schedule=schedule,
                   compile=recipe.way != "eager", **(recipe.trainer | more))  # fmt: skip


def fit(trainer: Trainer, setup: Setup) -> Any:
    """The whole budget of a Trainer."""
    recipe = setup.recipe
    train = setup.train
    if recipe.loader is not None:
        train = recipe.loader(*train)
    return trainer.fit(train, setup.validation, epochs=recipe.epochs, batch_size=recipe.batch,
                       shuffle=recipe.shuffle, progress=False)  # fmt: skip


def batches(setup: Setup) -> Any:
    """Shuffled batches of all epochs, as tensors."""
    random = np.random.default_rng(setup.seed)
    x, y = (pellucid.tensor(part) for part in setup.train)
    rows, size = len(x), setup.recipe.batch
    for _ in range(setup.recipe.epochs):
        order = random.permutation(rows) if setup.recipe.shuffle else np.arange(rows)
        for start in range(0, rows, size):
            chosen = pellucid.tensor(order[start : start + size])
            yield x[chosen], y[chosen]


def plain_loop(setup: Setup, watch: Any) -> None:
    """The loop of the tutorials."""
    model, optimizer = setup.model, setup.optimizer
    schedule = None if setup.recipe.schedule is None else setup.recipe.schedule(optimizer)
    for x, y in batches(setup):
        with watch.step():
            optimizer.zero_grad()
            loss = setup.loss(model(x), y)
            loss.backward()
            optimizer.step()
        if schedule is not None:
            schedule.step()


def forgetful_loop(setup: Setup, watch: Any) -> None:
    """A loop that never sets gradients back."""
    for x, y in batches(setup):
        with watch.step():
            loss = setup.loss(setup.model(x), y)
            loss.backward()
            setup.optimizer.step()


def climbing_loop(setup: Setup, watch: Any) -> None:
    """Updates by hand, with the wrong sign."""
    parameters = list(setup.model.parameters())
    for x, y in batches(setup):
        with watch.step():
            for p in parameters:
                p.grad = None
            loss = setup.loss(setup.model(x), y)
            loss.backward()
            with pellucid.no_grad():
                for p in parameters:
                    if p.grad is not None:
                        p += setup.recipe.rate * p.grad


def negated_loop(setup: Setup, watch: Any) -> None:
    """A loop whose loss carries a minus sign, as for a likelihood."""
    for x, y in batches(setup):
        with watch.step():
            setup.optimizer.zero_grad()
            loss = -setup.loss(setup.model(x), y)
            loss.backward()
            setup.optimizer.step()


def evaluating_loop(setup: Setup, watch: Any) -> None:
    """A loop that validates once at first and never goes back to training mode."""
    setup.model.eval()
    plain_loop(setup, watch)


def penalized_loop(strength: float) -> Callable[[Setup, Any], None]:
    """A loop that adds ``strength`` times the sum of all absolute weights to the loss."""

    def loop(setup: Setup, watch: Any) -> None:
        for x, y in batches(setup):
            with watch.step():
                setup.optimizer.zero_grad()
                size: Any = sum(p.abs().sum() for p in setup.model.parameters())
                loss = setup.loss(setup.model(x), y) + strength * size
                loss.backward()
                setup.optimizer.step()

    return loop


def compiled_loop(setup: Setup, watch: Any) -> None:
    """A loop whose whole step is one native program."""
    model, optimizer = setup.model, setup.optimizer
    schedule = None if setup.recipe.schedule is None else setup.recipe.schedule(optimizer)

    @pellucid.compile
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = setup.loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches(setup):
        with watch.step():
            step(x, y)
        if schedule is not None:
            schedule.step()
