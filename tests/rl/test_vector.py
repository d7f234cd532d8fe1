"""Many copies at once are the same environments, as arrays and inside of compiled programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.rl import (
    Acrobot,
    CartPole,
    GridWorld,
    MountainCar,
    MountainCarContinuous,
    Pendulum,
    Several,
    Simulations,
    cliff_walking,
    vectorized,
)
from pellucid.rl.kinds import TENSORS

ALL = [CartPole, MountainCar, MountainCarContinuous, Pendulum, Acrobot, GridWorld, cliff_walking]


def drawn(environment: Any, random: np.random.Generator, count: int) -> np.ndarray:
    if environment.bounds is None:
        return random.integers(0, environment.actions, count)
    low, high = environment.bounds
    return random.uniform(low, high, (count, environment.actions))


@pytest.mark.parametrize("make", ALL)
def test_D25_many_copies_do_what_one_does(make: Any, rng: np.random.Generator) -> None:
    """Ends and limits included: one copy's episodes begin anew while others go on."""
    count = 5
    several = Simulations(make(limit=60), count)
    singles = [make(limit=60) for _ in range(count)]
    states = several.reset(seed=1)
    for i, single in enumerate(singles):
        single.put(tuple(float(n[i]) for n in several._numbers))
        assert (single._state() == states[i]).all()
    ended = truncated = 0
    for _ in range(150):
        actions = drawn(several, rng, count)
        answer = several.step(actions)
        for i, single in enumerate(singles):
            own = single.step(actions[i])
            np.testing.assert_allclose(answer.reached[i], own.state, rtol=1e-5, atol=1e-6)
            assert answer.rewards[i] == pytest.approx(own.reward, rel=1e-5)
            assert (answer.terminated[i], answer.truncated[i]) == (own.terminated, own.truncated)
            if own.done:
                single.put(tuple(float(n[i]) for n in several._numbers))
                ended, truncated = ended + 1, truncated + own.truncated
            np.testing.assert_allclose(answer.states[i], single._state(), rtol=1e-5, atol=1e-6)
            single.put(tuple(float(n[i]) for n in several._numbers))
            single._steps = int(several._steps[i])
    assert ended >= count and (truncated > 0 or make is CartPole)


@pytest.mark.parametrize("make", ALL)
def test_compiled_programs_play_by_the_same_rules(make: Any, rng: np.random.Generator) -> None:
    """A step as arrays of float64 and compiled on tensors of float32, from the same numbers."""
    environment = make()
    several = Simulations(environment, 64)
    several.reset(seed=2)
    for _ in range(7):
        several.step(drawn(several, rng, 64))
    actions = drawn(several, rng, 64)

    @pellucid.compile
    def step(numbers: pellucid.Tensor, action: pellucid.Tensor) -> Any:
        chosen = action if environment.bounds is None else action.unbind(1)
        after, reward, ended = environment.advance(TENSORS, numbers.unbind(1), chosen)
        return environment.observe(TENSORS, after), reward, ended

    numbers = np.stack(several._numbers, 1).astype(np.float32)
    given = actions if environment.bounds is None else actions.astype(np.float32)
    states, reward, ended = step(pellucid.tensor(numbers), pellucid.tensor(given))
    answer = several.step(actions)
    np.testing.assert_allclose(states.numpy(), answer.reached, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(reward.numpy(), answer.rewards, rtol=1e-4, atol=1e-5)
    assert (ended.numpy() == answer.terminated).all()


def test_copies_differ_and_seeds_repeat_them() -> None:
    carts = Simulations(CartPole(), 3)
    first = carts.reset(seed=4)
    assert len({tuple(row) for row in first}) == 3
    assert (first == carts.reset(seed=4)).all() and not (first == carts.reset()).any()
    made = vectorized(lambda: CartPole(50), 2)
    assert isinstance(made, Simulations) and made.environment.limit == 50
    assert vectorized(made) is made
    assert isinstance(vectorized([GridWorld(), GridWorld()]), Several)


def test_wrong_calls_are_refused() -> None:
    carts = vectorized("CartPole-v1", 2)
    with pytest.raises(ArgumentError, match="no episode runs"):
        carts.step([0, 1])
    carts.reset()
    with pytest.raises(ShapeError, match=r"shape \(3,\)[^\n]*\n.*\(2,\)"):
        carts.step([0, 1, 0])
    for wrong in ([0, 2], [-1, 0], [0.5, 1]):
        with pytest.raises(ArgumentError, match="numbers from 0 to 1"):
            carts.step(wrong)
    swing = vectorized("Pendulum-v1", 2)
    swing.reset()
    with pytest.raises(ArgumentError, match="not finite"):
        swing.step([[np.nan], [0]])
    with pytest.raises(ShapeError, match="copies of one environment"):
        vectorized([CartPole(), Pendulum()])
    with pytest.raises(ArgumentError, match="0 environments"):
        Several([])
    with pytest.raises(ArgumentError, match="count=0"):
        Simulations(CartPole(), 0)
    lone = Several([CartPole()])
    with pytest.raises(ArgumentError, match="no episode runs"):
        lone.step([0])
