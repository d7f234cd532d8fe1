"""Schedules against their closed formulas, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import optim
from pellucid.base.errors import ArgumentError
from pellucid.optim import lr_scheduler as schedules
from pellucid.tensor.validity import Validity


def sgd(lr: float = 1.0, **options: Any) -> optim.SGD:
    return optim.SGD([pellucid.ones(1, requires_grad=True)], lr=lr, **options)


def rates(optimizer: Any, schedule: Any, steps: int) -> list[float]:
    """The learning rate of each step, the first before any call of the schedule."""
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


CLOSED: dict[str, tuple[Callable[[Any], Any], Callable[[int], float]]] = {
    "step": (lambda o: schedules.StepLR(o, 4, 0.5), lambda t: 0.5 ** (t // 4)),
    "milestones": (
        lambda o: schedules.MultiStepLR(o, [3, 8]),
        lambda t: 0.1 ** ((t >= 3) + (t >= 8)),
    ),
    "exponential": (lambda o: schedules.ExponentialLR(o, 0.9), lambda t: 0.9**t),
    "cosine": (
        lambda o: schedules.CosineAnnealingLR(o, 10, 0.2),
        lambda t: 0.2 + 0.4 * (1 + math.cos(math.pi * t / 10)),
    ),
    "restarts": (
        lambda o: schedules.CosineAnnealingWarmRestarts(o, 5),
        lambda t: 0.5 * (1 + math.cos(math.pi * (t % 5) / 5)),
    ),
    "linear": (
        lambda o: schedules.LinearLR(o, 0.1, 1.0, 10),
        lambda t: 0.1 + 0.9 * min(t, 10) / 10,
    ),
    "constant": (lambda o: schedules.ConstantLR(o, 0.5, 6), lambda t: 0.5 if t < 6 else 1.0),
    "polynomial": (
        lambda o: schedules.PolynomialLR(o, 20, 2.0),
        lambda t: (1 - min(t, 20) / 20) ** 2,
    ),
    "lambda": (lambda o: schedules.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    "multiplicative": (
        lambda o: schedules.MultiplicativeLR(o, lambda t: 0.8),
        lambda t: 0.8**t,
    ),
}


@pytest.mark.parametrize(("make", "formula"), CLOSED.values(), ids=CLOSED.keys())
def test_schedule_equals_its_formula(
    make: Callable[[Any], Any], formula: Callable[[int], float]
) -> None:
    optimizer = sgd()
    found = rates(optimizer, make(optimizer), 40)
    np.testing.assert_allclose(found, [formula(t) for t in range(40)], rtol=1e-9, atol=1e-12)


def test_warm_up_then_cosine() -> None:
    optimizer = sgd(0.4)
    schedule = schedules.SequentialLR(
        optimizer,
        [
            schedules.LinearLR(optimizer, 0.25, total_iters=4),
            schedules.CosineAnnealingLR(optimizer, 16),
        ],
        milestones=[4],
    )
    found = rates(optimizer, schedule, 21)
    np.testing.assert_allclose(found[:4], 0.4 * np.array([0.25, 0.4375, 0.625, 0.8125]))
    cosine = 0.2 * (1 + np.cos(np.pi * np.arange(17) / 16))
    np.testing.assert_allclose(found[4:], cosine, atol=1e-12)


@pytest.mark.parametrize("momentum", [True, False])
def test_one_cycle_rises_falls_and_turns_momentum(momentum: bool) -> None:
    optimizer = sgd(momentum=0.9)
    schedule = schedules.OneCycleLR(optimizer, 0.5, total_steps=100, cycle_momentum=momentum)
    found, momenta = [], []
    for _ in range(100):
        found.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        schedule.step()
    assert found[0] == pytest.approx(0.02)
    assert int(np.argmax(found)) == 29 and found[29] == pytest.approx(0.5)
    assert found[99] == pytest.approx(2e-6)
    assert (np.diff(found[:30]) > 0).all() and (np.diff(found[29:]) < 0).all()
    if momentum:
        assert (momenta[0], momenta[29]) == pytest.approx((0.95, 0.85))
    else:
        assert set(momenta) == {0.9}
    with pytest.raises(ArgumentError, match="got step 101 of 100"):
        schedule.step()


def test_one_cycle_turns_beta1_of_adam() -> None:
    optimizer = optim.AdamW([pellucid.ones(1, requires_grad=True)])
    schedules.OneCycleLR(optimizer, 0.5, total_steps=10)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.999)


def test_plateau_waits_rests_and_stops_at_the_least() -> None:
    optimizer = sgd()
    schedule = schedules.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=1, cooldown=2, min_lr=0.2
    )
    found = []
    for metric in [1.0, 0.5, *[0.5] * 14]:
        schedule.step(pellucid.tensor(metric))
        found.append(schedule.get_last_lr()[0])
    # 2 bad steps are too many; then 2 of rest and 2 bad ones again.
    assert found == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, *[0.2] * 5]


def test_schedule_is_noticed_by_compiled_programs() -> None:
    optimizer = sgd()
    schedule = schedules.ExponentialLR(optimizer, 0.9)
    optimizer.step()
    watcher = Validity()
    watcher.watch(optimizer.param_groups)
    watcher.fresh = True
    schedule.step()
    assert not watcher.fresh


def test_schedule_before_the_optimizer_warns() -> None:
    schedule = schedules.ExponentialLR(sgd(), 0.9)
    with pytest.warns(UserWarning, match="called before optimizer.step()"):
        schedule.step()


def test_resuming_needs_the_first_learning_rate() -> None:
    with pytest.raises(ArgumentError, match="last_epoch=4, but group 0 has no initial_lr"):
        schedules.StepLR(sgd(), 5, last_epoch=4)
    optimizer = sgd()
    optimizer.param_groups[0]["initial_lr"] = 1.0
    optimizer.param_groups[0]["lr"] = 0.9**4
    schedule = schedules.ExponentialLR(optimizer, 0.9, last_epoch=4)
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr()[0] == pytest.approx(0.9**5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: schedules.StepLR(o, 0), r"StepLR got step_size=0\n.*at least 1"),
        (lambda o: schedules.StepLR("o", 3), "StepLR got a str as optimizer"),
        (lambda o: schedules.CosineAnnealingLR(o, 2.5), "T_max=2.5"),
        (lambda o: schedules.CosineAnnealingWarmRestarts(o, 0), "T_0=0"),
        (lambda o: schedules.CosineAnnealingWarmRestarts(o, 3).step(-1), "epoch=-1"),
        (lambda o: schedules.ConstantLR(o, 2.0), "factor=2.0"),
        (lambda o: schedules.LinearLR(o, 0.0), "start_factor=0.0"),
        (lambda o: schedules.LinearLR(o, 0.5, 1.5), "end_factor=1.5"),
        (lambda o: schedules.PolynomialLR(o, 0), "total_iters=0"),
        (lambda o: schedules.LambdaLR(o, 0.5), "lr_lambda=0.5"),
        (lambda o: schedules.LambdaLR(o, [math.sqrt] * 2), "2 values of lr_lambda for 1 param"),
        (lambda o: schedules.OneCycleLR(o, 0.1), "neither total_steps nor both epochs"),
        (lambda o: schedules.OneCycleLR(o, 0.1, 10, pct_start=2), "pct_start=2"),
        (lambda o: schedules.OneCycleLR(o, 0.1, 10, anneal_strategy="x"), "anneal_strategy='x'"),
        (lambda o: schedules.CyclicLR(o, 0.1, 0.2, mode="square"), "mode='square'"),
        (lambda o: schedules.CyclicLR(o, 0.1, 0.2, step_size_up=0), "a step size of 0"),
        (lambda o: schedules.SequentialLR(o, [], []), "no schedules"),
        (lambda o: schedules.SequentialLR(o, [schedules.StepLR(o, 1)], [1]), "1 schedules and 1"),
        (
            lambda o: schedules.ChainedScheduler([schedules.ReduceLROnPlateau(o)]),
            "a ReduceLROnPlateau at position 0",
        ),
        (
            lambda o: schedules.SequentialLR(o, [schedules.StepLR(sgd(), 1)], []),
            "a schedule of another optimizer",
        ),
        (lambda o: schedules.ReduceLROnPlateau(o, mode="low"), "mode='low'"),
        (lambda o: schedules.ReduceLROnPlateau(o, factor=1.0), "factor=1.0"),
        (lambda o: schedules.ReduceLROnPlateau(o, threshold_mode="x"), "threshold_mode='x'"),
        (
            lambda o: schedules.OneCycleLR(
                optim.Adagrad([pellucid.ones(1, requires_grad=True)]), 0.1, 10
            ),
            "cycle_momentum=True with Adagrad",
        ),
    ],
)
def test_bad_schedules_are_refused(make: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make(sgd(momentum=0.9))
