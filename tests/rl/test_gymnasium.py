"""Our environments are Gymnasium's, step by step; theirs of all kinds can be learned from; ours
pass its checks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.rl import (
    Acrobot,
    CartPole,
    GridWorld,
    Gymnasium,
    MountainCar,
    MountainCarContinuous,
    Pendulum,
    Several,
    Simulations,
    as_gymnasium,
    cliff_walking,
    greedy,
    iterate_values,
    make,
    monte_carlo_control,
    play,
    q_learning,
    vectorized,
)

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

OURS = {
    "CartPole-v1": CartPole,
    "MountainCar-v0": MountainCar,
    "MountainCarContinuous-v0": MountainCarContinuous,
    "Pendulum-v1": Pendulum,
    "Acrobot-v1": Acrobot,
}


def drawn(environment: Any, random: np.random.Generator) -> Any:
    """An action, also beyond the bounds a little."""
    if environment.bounds is None:
        return int(random.integers(environment.actions))
    return random.uniform(1.2 * environment.bounds[0][0], 1.2 * environment.bounds[1][0], 1)


@pytest.mark.parametrize("name", OURS)
def test_D25_an_environment_of_ours_is_gymnasiums_step_by_step(
    name: str, rng: np.random.Generator
) -> None:
    theirs, ours = Gymnasium(gymnasium.make(name).unwrapped), OURS[name](100_000)
    assert (theirs.states, theirs.actions, theirs.bounds) == (
        ours.states, ours.actions, ours.bounds)  # fmt: skip
    ended = 0
    for seed in range(6):
        theirs.reset(seed)
        ours.put(tuple(float(n) for n in theirs.environment.state))
        push = seed % 2
        for _ in range(400):
            action = drawn(ours, rng)
            if push and ours.bounds is None:  # with the motion, so that goals are reached
                state = ours.numbers
                speed = state[3] if name.startswith("Acrobot") else state[1]
                action = (ours.actions - 1) * int(speed > 0)
            mine, other = ours.step(action), theirs.step(action)
            np.testing.assert_allclose(mine.state, other.state, rtol=1e-4, atol=1e-5)
            assert mine.terminated == other.terminated
            assert mine.reward == pytest.approx(other.reward, rel=1e-5, abs=1e-6)
            if mine.terminated:
                ended += 1
                break
            if name[0] in "AP":  # errors of rounding (their torque is float32) would grow
                ours.put(tuple(float(n) for n in theirs.environment.state))
    assert ended > 0 or name in ("Pendulum-v1", "MountainCarContinuous-v0")


@pytest.mark.parametrize("name", OURS)
def test_limits_and_first_states_are_gymnasiums(name: str) -> None:
    ours = make(name)
    assert ours.limit == gymnasium.spec(name).max_episode_steps  # type: ignore[attr-defined]
    theirs = gymnasium.make(name)
    firsts = np.array([theirs.reset(seed=i)[0] for i in range(300)])
    own = np.array([ours.reset(seed=i) for i in range(300)])
    np.testing.assert_allclose(firsts.mean(0), own.mean(0), atol=0.2)
    assert abs(own.min(0) - firsts.min(0)).max() < 0.2
    assert abs(own.max(0) - firsts.max(0)).max() < 0.2
    assert gymnasium.spec("CartPole-v0").max_episode_steps == make("CartPole-v0").limit  # type: ignore[attr-defined]


def test_the_cliff_is_gymnasiums(rng: np.random.Generator) -> None:
    ours, theirs = cliff_walking(), Gymnasium("CliffWalking-v1")
    names = {0: 0, 1: 2, 2: 3, 3: 1}  # ours: up, down, left, right; theirs: up, right, down, left
    ours.reset()
    assert (theirs.reset(0) == ours._state()).all()
    falls = 0
    for _ in range(300):
        action = int(rng.integers(4))
        mine, other = ours.step(action), theirs.step(names[action])
        assert (mine.state == other.state).all()
        assert (mine.reward, mine.terminated) == (other.reward, other.terminated)
        falls += mine.reward == -100
    assert falls > 3
    mine = iterate_values(cliff_walking().mdp(0.99)).values
    np.testing.assert_allclose(mine, iterate_values(theirs.mdp(0.99)).values, atol=1e-9)
    assert mine[36] == pytest.approx(-sum(0.99**i for i in range(13)))


def test_D28_tables_learn_frozen_lake_and_blackjack(rng: np.random.Generator) -> None:
    """States that are whole numbers, and several of them."""
    lake = Gymnasium("FrozenLake-v1", is_slippery=False)
    assert (lake.states, lake.actions, lake.bounds) == (16, 4, None)
    best = iterate_values(lake.mdp(0.9), 1e-9)
    assert best.values[0] == pytest.approx(0.9**5)
    lake.reset(0)
    values = q_learning(lake, 1500, rng, epsilon=1.0)
    way = play(lake, lambda state: greedy(values[state.argmax()]))
    assert len(way) == 6 and way[-1].reward == 1

    table = Gymnasium("Blackjack-v1")
    assert (table.states, table.actions) == (32 * 11 * 2, 2)
    table.reset(0)
    learned = monte_carlo_control(table, 8000, rng, discount=1.0, rate=0.02)

    def number(total: int, dealer: int) -> int:
        return (total * 11 + dealer) * 2

    assert learned[number(20, 10)].argmax() == 0  # stick on twenty
    assert learned[number(12, 10)].argmax() == 1 or learned[number(8, 10)].argmax() == 1


class Wide(gymnasium.Env):  # type: ignore[misc, name-defined]
    """Spaces of every kind."""

    def __init__(self, states: Any, actions: Any) -> None:
        self.observation_space, self.action_space = states, actions

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        self.got = action
        return self.observation_space.sample(), 1.0, False, False, {}


def test_D25_spaces_of_every_kind_become_states_and_actions() -> None:
    spaces = gymnasium.spaces
    discrete = spaces.Discrete(5, start=2)
    several = spaces.MultiDiscrete([3, 4])
    for states, count in (
        (discrete, 5),
        (several, 12),
        (spaces.MultiBinary(3), 8),
        (spaces.MultiDiscrete([60, 50, 40]), 150),
        (spaces.Box(-1, 1, (2, 3)), 6),
        (spaces.Tuple((discrete, several)), 60),
        (spaces.Dict({"place": spaces.Box(-1, 1, (2,)), "kind": discrete}), 7),
        (spaces.Tuple((spaces.Box(-1, 1, (2,)), spaces.MultiBinary(2))), 6),
    ):
        wrapped = Gymnasium(Wide(states, several))
        assert wrapped.states == count and wrapped.actions == 12
        state = wrapped.reset(3)
        assert state.shape == (count,) and state.dtype == np.float32
        for action in range(12):
            wrapped.step(action)
            assert (wrapped.environment.got == np.divmod(action, 4)).all()
    shifted = Gymnasium(Wide(discrete, discrete))
    shifted.reset(0)
    shifted.step(0)
    assert shifted.environment.got == 2
    box = Gymnasium(Wide(discrete, spaces.Box(np.float32([[-1, -2]]), np.float32([[1, 2]]))))
    assert (box.actions, box.bounds) == (2, ((-1.0, -2.0), (1.0, 2.0)))
    box.reset(0)
    box.step([0.5, -1.5])
    assert box.environment.got.tolist() == [[0.5, -1.5]]
    for wrong in ([0.5], [math.nan, 0.0], "x"):
        with pytest.raises(
            (ArgumentError, ValueError), match=r"2 finite numbers|could not convert"
        ):
            box.step(wrong)
    with pytest.raises(ArgumentError, match="finite bounds"):
        Gymnasium(Wide(discrete, spaces.Box(-np.inf, np.inf, (2,))))
    with pytest.raises(ArgumentError, match="whole numbers, and tuples"):
        Gymnasium(Wide(spaces.Text(5), discrete))
    with pytest.raises(ArgumentError, match="cannot make 'Nothing-v7'"):
        make("Nothing-v7")
    with pytest.raises(ArgumentError, match="has no tables"):
        Gymnasium("CartPole-v1").mdp()


@pytest.mark.parametrize(
    "environment",
    [CartPole(), Pendulum(), MountainCar(), Acrobot(), GridWorld()],
    ids=lambda e: type(e).__name__,
)
def test_ours_pass_gymnasiums_checks(environment: Any) -> None:
    from gymnasium.utils.env_checker import check_env

    wrapped = as_gymnasium(environment)
    check_env(wrapped, skip_render_check=True)
    first, _ = wrapped.reset(seed=4)
    assert (first == environment.reset(4)).all()
    state, reward, terminated, truncated, info = wrapped.step(wrapped.action_space.sample())
    assert not terminated and not truncated and info == {} and state.shape == first.shape


def test_theirs_are_played_side_by_side() -> None:
    both = vectorized("gymnasium:CartPole-v1", 3)
    assert isinstance(both, Several) and isinstance(vectorized("CartPole-v1", 3), Simulations)
    single = [Gymnasium("CartPole-v1") for _ in range(3)]
    first = both.reset(5)
    states = [environment.reset(5 + i) for i, environment in enumerate(single)]
    assert (first == np.stack(states)).all()
    ends = 0
    for _ in range(40):
        answer = both.step([1, 1, 0])
        steps = [e.step(a) for e, a in zip(single, (1, 1, 0), strict=True)]
        assert (answer.reached == np.stack([s.state for s in steps])).all()
        assert answer.terminated.tolist() == [s.terminated for s in steps]
        for i, step in enumerate(steps):
            states[i] = single[i].reset() if step.done else step.state
            ends += step.done
        assert (answer.states == np.stack(states)).all()
    assert ends > 3
