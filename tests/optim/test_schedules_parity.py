"""Fifty steps of every schedule equal PyTorch's, alone and together, also after reloading."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import optim

torch = pytest.importorskip("torch", reason="compares with PyTorch")
pytestmark = pytest.mark.parity

Make = Callable[[Any, Any], Any]
"""(lr_scheduler module, optimizer) → schedule."""

CASES: dict[str, Make] = {
    "lambda": lambda s, o: s.LambdaLR(o, lambda t: 0.95**t),
    "lambdas": lambda s, o: s.LambdaLR(o, [lambda t: 0.95**t, lambda t: 1 / (1 + t)]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda t: 0.9 + 0.01 * (t % 3)),
    "step": lambda s, o: s.StepLR(o, 7, gamma=0.5),
    "milestones": lambda s, o: s.MultiStepLR(o, [30, 5, 5, 12], gamma=0.3),
    "constant": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=9),
    "constant by default": lambda s, o: s.ConstantLR(o),
    "linear": lambda s, o: s.LinearLR(o, 0.1, 0.7, total_iters=20),
    "linear by default": lambda s, o: s.LinearLR(o),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.93),
    "polynomial": lambda s, o: s.PolynomialLR(o, total_iters=40, power=1.7),
    "polynomial by default": lambda s, o: s.PolynomialLR(o),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 12, eta_min=0.01),
    "cosine of 1": lambda s, o: s.CosineAnnealingLR(o, 1),
    "cosine to the end": lambda s, o: s.CosineAnnealingLR(o, 50),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 7, eta_min=0.001),
    "longer restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, T_mult=2),
    "one cycle": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=50),
    "one cycle of lines": lambda s, o: s.OneCycleLR(
        o, [0.5, 0.2], epochs=5, steps_per_epoch=11, anneal_strategy="linear", pct_start=0.4
    ),
    "one cycle of three": lambda s, o: s.OneCycleLR(
        o, 0.5, total_steps=52, three_phase=True, base_momentum=0.7, max_momentum=0.99
    ),
    "one cycle, momentum kept": lambda s, o: s.OneCycleLR(
        o, 0.5, total_steps=52, cycle_momentum=False
    ),
    "triangles": lambda s, o: s.CyclicLR(o, 0.01, 0.3, step_size_up=8, step_size_down=5),
    "triangles 2": lambda s, o: s.CyclicLR(o, 0.01, 0.3, step_size_up=6, mode="triangular2"),
    "range": lambda s, o: s.CyclicLR(
        o, 0.01, [0.3, 0.4], step_size_up=6, mode="exp_range", gamma=0.98
    ),
    "scaled": lambda s, o: s.CyclicLR(
        o, 0.01, 0.3, step_size_up=6, scale_fn=lambda x: 1 / (1 + x), cycle_momentum=False
    ),
    "warm-up, then cosine": lambda s, o: s.SequentialLR(
        o,
        [s.LinearLR(o, 0.01, total_iters=10), s.CosineAnnealingLR(o, 40)],
        milestones=[10],
    ),
    "five in turn": lambda s, o: s.SequentialLR(
        o,
        [
            s.ConstantLR(o, 0.1, total_iters=3),
            s.StepLR(o, 4),
            s.ExponentialLR(o, 0.9),
            s.MultiStepLR(o, [2, 6]),
            s.PolynomialLR(o, 8),
        ],
        milestones=[5, 17, 25, 36],
    ),
    "restarts in turn": lambda s, o: s.SequentialLR(
        o,
        [s.CosineAnnealingWarmRestarts(o, 5), s.CosineAnnealingWarmRestarts(o, 3, T_mult=2)],
        milestones=[13],
    ),
    "chained": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.1, total_iters=10), s.ExponentialLR(o, 0.9), s.StepLR(o, 6)]
    ),
    "cosine and step": lambda s, o: s.ChainedScheduler(
        [s.CosineAnnealingLR(o, 20), s.StepLR(o, 15, 0.5)]
    ),
}


def _optimizer(library: Any, kind: str) -> Any:
    first, second = (library.tensor([1.0], requires_grad=True) for _ in range(2))
    groups = [{"params": [first]}, {"params": [second], "lr": 0.05}]
    if kind == "Adam":
        return library.optim.Adam(groups, lr=0.2)
    return library.optim.SGD(groups, lr=0.2, momentum=0.9)


def _record(optimizer: Any, schedule: Any, steps: int) -> list[list[float]]:
    rows = []
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        groups = optimizer.param_groups
        momenta = [g["betas"][0] if "betas" in g else g["momentum"] for g in groups]
        rows.append([*(g["lr"] for g in groups), *momenta, *schedule.get_last_lr()])
    return rows


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("make", CASES.values(), ids=CASES.keys())
def test_schedule_equals_torch(make: Make, kind: str) -> None:
    ours, theirs = _optimizer(pellucid, kind), _optimizer(torch, kind)
    ours_schedule = make(optim.lr_scheduler, ours)
    theirs_schedule = make(torch.optim.lr_scheduler, theirs)
    assert ours_schedule.get_last_lr() == pytest.approx(theirs_schedule.get_last_lr(), rel=1e-12)
    np.testing.assert_allclose(
        _record(ours, ours_schedule, 50),
        _record(theirs, theirs_schedule, 50),
        rtol=1e-10,
        atol=1e-15,
    )


@pytest.mark.parametrize("make", CASES.values(), ids=CASES.keys())
def test_reloaded_schedule_continues(make: Make) -> None:
    first = _optimizer(pellucid, "SGD")
    schedule = make(optim.lr_scheduler, first)
    _record(first, schedule, 17)
    # Through JSON, as a checkpoint does it.
    saved = json.loads(json.dumps(schedule.state_dict()))
    saved_optimizer = copy.deepcopy(first.state_dict()["param_groups"])
    rest = _record(first, schedule, 30)

    second = _optimizer(pellucid, "SGD")
    resumed = make(optim.lr_scheduler, second)
    second.load_state_dict({"state": {}, "param_groups": saved_optimizer})
    resumed.load_state_dict(saved)
    second._stepped = True
    assert _record(second, resumed, 30) == rest


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 2, "factor": 0.5, "cooldown": 3, "min_lr": [0.01, 0.02]},
        {"mode": "max", "patience": 1, "threshold": 0.05},
        {"mode": "max", "patience": 1, "threshold": 0.05, "threshold_mode": "abs"},
        {"patience": 0, "threshold_mode": "abs", "threshold": 0.01, "eps": 0.02},
    ],
    ids=str,
)
def test_plateau_equals_torch(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(11)
    metrics = np.exp(-np.arange(50) / 10) + rng.normal(size=50) * 0.1
    metrics[20] = np.nan
    rows = []
    for library in (pellucid, torch):
        optimizer = _optimizer(library, "SGD")
        schedule = library.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        row = []
        for metric in metrics:
            optimizer.step()
            schedule.step(float(metric))
            row.append(schedule.get_last_lr())
        rows.append(row)
    np.testing.assert_allclose(*rows, rtol=1e-12)


def test_restarts_take_fractions_of_epochs_as_torch() -> None:
    rows = []
    for library in (pellucid, torch):
        optimizer = _optimizer(library, "SGD")
        schedules = library.optim.lr_scheduler
        schedule = schedules.CosineAnnealingWarmRestarts(optimizer, 3, T_mult=2)
        row = []
        for quarter in range(60):
            optimizer.step()
            schedule.step(quarter / 4)
            row.append(schedule.get_last_lr())
        rows.append(row)
    np.testing.assert_allclose(*rows, rtol=1e-9, atol=1e-12)


def test_defaults_of_schedules_equal_torch() -> None:
    import inspect

    for name in torch.optim.lr_scheduler.__all__:
        ours = inspect.signature(getattr(optim.lr_scheduler, name).__init__).parameters
        theirs = inspect.signature(getattr(torch.optim.lr_scheduler, name).__init__).parameters
        assert list(ours) == list(theirs), name
        for argument, parameter in theirs.items():
            assert ours[argument].default == parameter.default, (name, argument)
