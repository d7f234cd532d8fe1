"""Time travel: a step from a snapshot gives the bits that it gave; branches; a budget of memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor import Timeline, TrainerTimeline
from pellucid.nn import functional as F


def loop(native: bool) -> tuple[Any, Any, Any, Any]:
    """Model, optimizer, schedule and a step on the batch of a number."""
    pellucid.manual_seed(1)
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
    )
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    x, y = pellucid.randn(10, 16, 4), pellucid.randint(0, 3, (10, 16))

    def once(features: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(features), targets)
        loss.backward()
        optimizer.step()
        return loss

    run = pellucid.compile(once) if native else once

    def step(number: int) -> float:
        noise = pellucid.rand(1).item() * 1e-3  # random numbers outside of the model as well
        loss = run(x[number] + noise, y[number])
        schedule.step()
        return float(loss.item())

    return model, optimizer, schedule, step


def values(model: Any, optimizer: Any) -> list[Any]:
    found = [np.array(v.array()) for v in model.state_dict().values()]
    for slots in optimizer.state.values():
        found += [np.array(v.array()) for v in slots.values()]
    return [*found, np.array(optimizer.param_groups[0].rate())]


@pytest.mark.parametrize("native", [False, True])
def test_steps_are_replayed_bit_by_bit(native: bool) -> None:
    model, optimizer, schedule, step = loop(native)
    timeline = Timeline(model, optimizer, others=[schedule])
    losses = []
    for number in range(8):
        timeline.mark(number)
        losses.append(step(number))
    end = values(model, optimizer)
    for start in (3, 0):
        point = timeline.go_to(start)
        assert (point.step, point.position) == (start, start)
        assert timeline.replay(step, 8) == losses[start:]
        for mine, other in zip(values(model, optimizer), end, strict=True):
            np.testing.assert_array_equal(mine, other)
    assert timeline.back(2).step == 6
    assert step(6) == losses[6]


def test_branches_leave_and_are_come_back_to() -> None:
    model, optimizer, schedule, step = loop(False)
    timeline = Timeline(model, optimizer, others=[schedule])
    main = timeline.replay(step, 6)
    ends = values(model, optimizer)
    timeline.go_to(2)
    timeline.start("faster", lr=0.5, eps=1e-6)
    assert optimizer.param_groups[0].rate() == 0.5
    faster = timeline.replay(step, 5)
    assert faster[0] == main[2] and faster[1] != main[3]
    assert timeline.tree() == (
        "main: 5 steps\n  faster: 4 steps, from step 2 with lr=0.5, eps=1e-06"
    )
    assert timeline.go_to(1).branch.name == "main"  # on the way of both
    assert timeline.switch("main").step == 5
    assert optimizer.param_groups[0]["eps"] == 1e-8
    assert step(5) == main[5]
    for mine, other in zip(values(model, optimizer), ends, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert timeline.switch("faster").step == 4
    assert step(4) == faster[2]


def test_snapshots_thin_out() -> None:
    model, optimizer, _, step = loop(False)
    one = Timeline(model, optimizer).mark().bytes
    timeline = Timeline(model, optimizer, memory=6 * one * 3)
    for number in range(60):
        timeline.mark()
        step(number % 10)
    kept = [point.step for point in timeline.points]
    assert timeline.bytes <= 6 * one * 3
    assert kept[0] == 0 and kept[-1] == 59 and len(kept) >= 5
    gaps = np.diff(kept)
    assert gaps[0] >= gaps[-1]
    assert timeline.go_to(58).step <= 58
    with pytest.raises(ArgumentError, match="more"):
        Timeline(model, optimizer, memory=100).mark()


def test_what_cannot_be_done_is_said() -> None:
    model, optimizer, _, _ = loop(False)
    timeline = Timeline(model, optimizer)
    with pytest.raises(ArgumentError, match="no snapshot"):
        timeline.go_to(0)
    timeline.mark()
    with pytest.raises(ArgumentError, match="momentum"):
        timeline.start("other", momentum=0.9)
    timeline.start("other")
    with pytest.raises(ArgumentError, match="already"):
        timeline.start("other")
    with pytest.raises(ArgumentError, match="no branch"):
        timeline.switch("third")


def trainer() -> Trainer:
    pellucid.manual_seed(2)
    model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    return Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=1e-2))


@pytest.mark.parametrize("validated", [False, True])
def test_a_trainer_goes_back_to_the_same_bits(validated: bool) -> None:
    random = np.random.default_rng(1)
    x = random.standard_normal((100, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    held = (x[:30], y[:30]) if validated else None
    made = trainer()
    timeline = TrainerTimeline(made, every=3)
    whole = made.fit((x, y), held, epochs=4, batch_size=16, progress=False)
    end = [np.array(p.detach().array()) for p in made.model.parameters()]
    assert timeline.points[-1].step == 28
    point = timeline.go_to(10)
    assert 0 < point.step <= 10
    again = made.fit((x, y), held, epochs=4, batch_size=16, progress=False)
    assert again["loss"] == whole["loss"]
    for mine, other in zip(made.model.parameters(), end, strict=True):
        np.testing.assert_array_equal(mine.detach().array(), other)
    other = timeline.branch("slower", 14, lr=1e-3)
    assert other.optimizer.param_groups[0].rate() == 1e-3
    slower = other.fit((x, y), held, epochs=4, batch_size=16, progress=False)
    assert slower["loss"][:2] == whole["loss"][:2]
    assert slower["loss"][3] != whole["loss"][3]
    assert timeline.tree() == "main: 28 steps\n  slower: 28 steps, from step 14 with lr=0.001"
