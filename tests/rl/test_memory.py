"""The memory of compiled programs against its definition."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid.rl.memory import Memory
from pellucid.rl.worlds import Played


def filled(
    size: int, count: int, steps: int, **options: float
) -> tuple[Memory, Played, np.ndarray]:
    """A memory of ``steps`` steps of ``count`` environments; step t of environment i has the state
    (t, i) and reaches (t + 1, i)."""
    random = np.random.default_rng(0)
    memory = Memory(size, count, 2, None, pellucid.Generator().manual_seed(0), **options)  # type: ignore[arg-type]
    time, who = np.meshgrid(np.arange(steps), np.arange(count), indexing="ij")
    states = np.stack([time, who], -1).astype(np.float32)
    reached = states + np.array([1, 0], np.float32)
    kind = random.random((steps, count))
    played = Played(
        states, random.integers(0, 3, (steps, count)),
        random.normal(size=(steps, count)).astype(np.float32),
        (kind < 0.1).astype(np.float32), (kind > 0.9).astype(np.float32), reached, (),
    )  # fmt: skip
    for start in range(0, steps, 3):
        memory.add(Played(*(a[start : start + 3] for a in played[:6]), ()))  # type: ignore[arg-type]
    return memory, played, kind


@pytest.mark.parametrize("steps", [20, 47])  # before and after it is full
@pytest.mark.parametrize("horizon", [1, 3])
def test_rewards_of_n_steps_stop_at_ends_and_at_the_newest(steps: int, horizon: int) -> None:
    count, slots = 2, 25
    memory, played, _ = filled(count * slots, count, steps, horizon=horizon, discount=0.9)
    draw = pellucid.compile(lambda: memory.draw(400))
    batch = draw()
    oldest = max(0, steps - slots)
    seen = set()
    for b in range(400):
        time, i = (int(x) for x in batch.states.numpy()[b])
        assert oldest <= time < steps
        seen.add(time)
        total, factor, t = 0.0, 1.0, time
        for n in range(horizon):
            total += factor * played.rewards[t, i]
            factor *= 0.9
            if played.done[t, i] or n == horizon - 1 or t + 1 == steps:
                break
            t += 1
        follow = 0.0 if played.terminated[t, i] else factor
        assert batch.rewards.numpy()[b] == pytest.approx(total, rel=1e-4, abs=1e-5)
        assert batch.follow.numpy()[b] == pytest.approx(follow, rel=1e-5)
        assert tuple(batch.reached.numpy()[b]) == (t + 1, i)
        assert batch.actions.numpy()[b] == played.actions[time, i]
    assert len(seen) > 0.9 * min(steps, slots) and len(memory) == count * min(steps, slots)


def test_surprising_steps_are_drawn_more_often_and_count_less() -> None:
    memory, _, _ = filled(600, 1, 300, priority=0.5)
    errors = np.linspace(0.01, 4, 300).astype(np.float32)
    step = pellucid.compile(memory.learn)
    step(pellucid.arange(300), pellucid.tensor(errors))
    draw = pellucid.compile(lambda: memory.draw(2000))
    counts, weights = np.zeros(300), np.zeros(300)
    for _ in range(30):
        batch = draw()
        rows = batch.rows.numpy()
        counts += np.bincount(rows, minlength=300)
        weights[:] = 0
        weights[rows] = batch.weights.numpy()
    expected = np.sqrt(errors + 1e-6)
    expected = expected / expected.sum() * 60_000
    error = (counts - expected) / np.sqrt(expected)
    assert abs(error).max() < 5 and error.std() < 1.3
    drawn = weights > 0
    ratio = weights[drawn] * (expected[drawn] / 60_000 * 300) ** 0.4
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)  # (size · p)^−β, over its largest
    assert float(memory.highest) == pytest.approx(2, rel=1e-3)


def test_new_steps_have_the_highest_priority() -> None:
    memory, played, _ = filled(50, 1, 10, priority=1.0)
    memory.learn(pellucid.arange(10), pellucid.full((10,), 5.0))
    memory.add(Played(*(a[:1] for a in played[:6]), ()))  # type: ignore[arg-type]
    assert memory.weights.numpy()[10] == memory.highest.numpy()[0] == pytest.approx(5)
    assert memory.weights.numpy()[11:].sum() == 0
