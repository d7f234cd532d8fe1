"""Values learned from episodes: Monte Carlo, temporal differences, n steps, traces."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.rl import (
    GridWorld,
    Step,
    double_q_learning,
    expected_sarsa,
    importance_moments,
    importance_sampling,
    iterate_values,
    monte_carlo_control,
    monte_carlo_off_policy,
    monte_carlo_off_policy_control,
    monte_carlo_values,
    play,
    q_learning,
    sarsa,
    solve_policy,
    td_values,
)

CORRIDOR = "S...G"
TARGET, BEHAVIOR = [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]


def uniform(world: GridWorld) -> np.ndarray:
    return np.full((world.states, 4), 0.25)


def way(world: GridWorld, values: np.ndarray) -> list[int]:
    """The fields that greedy play visits."""
    steps = play(world, lambda state: int(values[state.argmax()].argmax()))
    return [int(step.state.argmax()) for step in steps]


def random_start(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_D27_importance_sampling_finds_the_mean_of_another_distribution(
    rng: np.random.Generator,
) -> None:
    """E = 2.7; one term varies by .41 when drawn from the target, by 2.56 from b=(.2,.2,.6) and by
    10.14 from the uniform one (the exact counterparts of the book's samples)."""
    assert importance_moments([1, 2, 3], TARGET, TARGET) == pytest.approx((2.7, 0.41))
    assert importance_moments([1, 2, 3], TARGET, BEHAVIOR) == pytest.approx((2.7, 2.56))
    assert importance_moments([1, 2, 3], TARGET, [1 / 3] * 3) == pytest.approx((2.7, 10.14))
    drawn = rng.choice(3, 40_000, p=BEHAVIOR)
    ratio = np.array(TARGET)[drawn] / np.array(BEHAVIOR)[drawn]
    mean, variance = importance_sampling(drawn + 1, ratio)
    assert mean == pytest.approx(2.7, abs=4 * np.sqrt(2.56 / 40_000))
    assert variance == pytest.approx(2.56, rel=0.05)
    assert importance_sampling(drawn + 1, ratio, weighted=True)[0] == pytest.approx(2.7, abs=0.02)


def test_D27_two_dice_show_seven_in_the_mean(rng: np.random.Generator) -> None:
    throws = rng.integers(1, 7, (20_000, 2)).sum(1)
    mean, variance = importance_sampling(throws, np.ones(len(throws)))
    assert mean == pytest.approx(7, abs=4 * np.sqrt(35 / 6 / 20_000))
    assert variance == pytest.approx(35 / 6, rel=0.05)


@pytest.mark.parametrize("first_visit", [False, True])
def test_D27_means_of_returns_are_the_values_of_a_policy(first_visit: bool) -> None:
    world = GridWorld(limit=10_000)
    exact = solve_policy(world.mdp(), uniform(world))
    found = monte_carlo_values(
        world, uniform(world), 1500, random_start(0), first_visit=first_visit
    )
    np.testing.assert_allclose(found, exact, atol=0.09)


@pytest.mark.parametrize("weighted", [False, True])
def test_D27_episodes_of_another_policy_tell_the_values_of_this_one(weighted: bool) -> None:
    """The best policy valued from random walks in a short corridor."""
    world = GridWorld("S..G", limit=10_000)
    best = iterate_values(world.mdp()).policy
    soft = 0.5 * best + 0.125
    exact = solve_policy(world.mdp(), soft)
    found = monte_carlo_off_policy(world, soft, uniform(world), 2500, random_start(1),
                                   weighted=weighted)  # fmt: skip
    np.testing.assert_allclose(found, exact, atol=0.12)
    plain = monte_carlo_values(world, uniform(world), 2000, random_start(1))
    assert abs(plain - exact).max() > 0.15  # these are the values of the walk


def test_D28_monte_carlo_control_finds_the_best_way() -> None:
    world = GridWorld()
    values = monte_carlo_control(world, 10_000, random_start(0))  # as in the book: ε .1, α .1
    assert way(world, values) == [8, 4, 0, 1, 2]
    best = iterate_values(world.mdp()).values
    off = monte_carlo_off_policy_control(world, 4000, random_start(0), epsilon=0.3)
    assert way(world, off) == [8, 4, 0, 1, 2]
    on_the_way = [8, 4, 0, 1, 2]
    np.testing.assert_allclose(off.max(1)[on_the_way], best[on_the_way], atol=1e-9)
    assert (values.max(1)[on_the_way] < best[on_the_way]).all()  # exploring costs something


@pytest.mark.parametrize(("steps", "trace"), [(1, 0.0), (3, 0.0), (1, 0.7)])
def test_D27_temporal_differences_find_the_values_of_a_policy(steps: int, trace: float) -> None:
    world = GridWorld(limit=10_000)
    exact = solve_policy(world.mdp(), uniform(world))
    found = td_values(world, uniform(world), 1500, random_start(2), rate=0.01, steps=steps,
                      trace=trace)  # fmt: skip
    np.testing.assert_allclose(found, exact, atol=0.09)


@pytest.mark.parametrize(
    ("steps", "trace", "expected"),
    [
        (1, 0.0, [0, 0, 0, 1]),
        (2, 0.0, [0, 0, 0.9, 1]),
        (9, 0.0, [0.729, 0.81, 0.9, 1]),
        (1, 0.5, [0.45**3, 0.45**2, 0.45, 1]),
        (1, 1.0, [0.729, 0.81, 0.9, 1]),
    ],
)
def test_D27_one_episode_teaches_as_many_states_as_it_reaches_back(
    steps: int, trace: float, expected: list[float]
) -> None:
    """Through a corridor to a reward of 1, α = 0.1: V = 0.1 γⁿ or 0.1 (γλ)ⁿ after one episode."""
    world = GridWorld(CORRIDOR)
    right = np.eye(4)[[3] * 5]
    found = td_values(world, right, 1, random_start(0), rate=0.1, steps=steps, trace=trace)
    np.testing.assert_allclose(found, 0.1 * np.array([*expected, 0]), atol=1e-12)


@pytest.mark.parametrize(
    "learn",
    [
        q_learning,
        double_q_learning,
        sarsa,
        expected_sarsa,
        lambda *a, **k: sarsa(*a, **k, steps=3),
        lambda *a, **k: sarsa(*a, **k, trace=0.8),
        lambda *a, **k: sarsa(*a, **k, off_policy=True),
        lambda *a, **k: q_learning(*a, **k, trace=0.8),
    ],
    ids="q double sarsa expected n-step lambda off-policy watkins".split(),
)
def test_D28_every_way_of_learning_finds_the_way(learn: object) -> None:
    world = GridWorld()
    values = learn(world, 3000, random_start(0), rate=0.1)  # type: ignore[operator]
    found = way(world, values)
    assert len(found) == 5 and 7 not in found


def test_D28_off_policy_values_are_the_best_ones_and_on_policy_values_are_lower() -> None:
    world = GridWorld()
    best = iterate_values(world.mdp()).values
    on_the_way = [8, 4, 0, 1, 2]
    options = {"rate": 0.1, "epsilon": 0.3}
    greedy = [
        learn(world, 2000, random_start(3), **options)
        for learn in (q_learning, double_q_learning, lambda *a, **k: q_learning(*a, **k, trace=0.5))
    ]
    for values in greedy:
        np.testing.assert_allclose(values.max(1)[on_the_way], best[on_the_way], atol=0.02)
    for learn in (sarsa, expected_sarsa):
        values = learn(world, 2000, random_start(3), **options)
        assert (values.max(1)[[8, 4, 0]] < best[[8, 4, 0]] - 0.05).all()


def test_expected_sarsa_is_sarsa_without_the_chance_of_its_next_action() -> None:
    """Both have one aim; the table that averages varies less around it."""
    spread = {}
    for learn in (sarsa, expected_sarsa):
        runs = [learn(GridWorld(CORRIDOR), 300, random_start(i), rate=0.5, epsilon=0.5)[2].max()
                for i in range(12)]  # fmt: skip
        spread[learn] = np.std(runs)
    assert spread[expected_sarsa] < 0.7 * spread[sarsa]


class Tempting:
    """From the first state left ends with 0, right leads to a second one, of which each of ten
    actions earns −0.1 ± 1 and ends.  (Sutton and Barto, example 6.7.)"""

    states, actions = 3, 10

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def reset(self, seed: int | None = None) -> np.ndarray:
        self.place = 0
        return np.eye(3, dtype=np.float32)[0]

    def step(self, action: int) -> Step:
        onwards = self.place == 0 and action % 2 == 1
        reward = self.random.normal(-0.1) if self.place else 0.0
        self.place = 1 if onwards else 2
        return Step(np.eye(3, dtype=np.float32)[self.place], reward, not onwards, False)


def test_double_q_learning_does_not_take_chance_for_value() -> None:
    """The second state is worth −0.1; the largest of ten uncertain guesses promises more."""
    found = {
        learn: np.mean([
            learn(Tempting(i), 150, random_start(i), discount=1.0, rate=0.1, epsilon=1.0)[0, 1]
            for i in range(20)
        ])
        for learn in (q_learning, double_q_learning)
    }  # fmt: skip
    assert found[q_learning] > 0.05 > found[double_q_learning]


def test_a_broken_off_episode_is_no_end() -> None:
    """What follows the last step counts where an episode was merely broken off."""
    world = GridWorld("S.", limit=1)
    right = np.eye(4)[[3, 3]]
    values = np.array([0.0, 0.0])
    for _ in range(3):
        values = td_values(world, right, 1, random_start(0), rate=1.0)
    assert values.tolist() == [0.0, 0.0]

    class Paid(GridWorld):
        def reward(self, field: int) -> float:
            return 1.0

    # One field, reward 1 for ever, cut after one step: V = 1 / (1 − γ), not 1.
    found = td_values(Paid("S", limit=1), np.eye(4)[[0]], 400, random_start(0), rate=0.5)
    assert found[0] == pytest.approx(10.0, abs=1e-3)
    assert monte_carlo_values(Paid("S", limit=1), np.eye(4)[[0]], 5, random_start(0))[0] == 1.0


def test_wrong_arguments_are_refused(rng: np.random.Generator) -> None:
    world = GridWorld()
    with pytest.raises(ShapeError, match=r"shape \(12,\)[^\n]*\n.*\(12, 4\)"):
        td_values(world, np.ones(12), 1, rng)
    with pytest.raises(ArgumentError, match="no distribution"):
        monte_carlo_values(world, np.ones((12, 4)), 1, rng)
    with pytest.raises(ArgumentError, match="never does what the target does"):
        monte_carlo_off_policy(world, uniform(world), np.eye(4)[[0] * 12], 1, rng)
    with pytest.raises(ArgumentError, match="use one of both"):
        sarsa(world, 1, rng, steps=2, trace=0.5)
    with pytest.raises(ArgumentError, match="use one step, no trace"):
        sarsa(world, 1, rng, steps=2, off_policy=True)
    for wrong in ({"rate": 0}, {"discount": 2}, {"trace": -1}):
        with pytest.raises(ArgumentError, match="use discount and trace from 0 to 1"):
            q_learning(world, 1, rng, **wrong)
    with pytest.raises(ShapeError, match="a ratio for each value"):
        importance_sampling([1, 2], [1])
    with pytest.raises(ArgumentError, match="all ratios are 0"):
        importance_sampling([1, 2], [0, 0], weighted=True)
    with pytest.raises(ArgumentError, match="behavior never does"):
        importance_moments([1, 2], [0.5, 0.5], [1, 0])
