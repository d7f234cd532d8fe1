"""Known worlds solved exactly, policies by chance, and tables that are learned."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.rl import (
    MDP,
    Bandit,
    CartPole,
    GridWorld,
    epsilon_greedy,
    epsilon_greedy_probabilities,
    evaluate_policy,
    greedy,
    iterate_policy,
    iterate_values,
    play,
    play_bandit,
    q_learning,
    sarsa,
    solve_policy,
)
from pellucid.rl.exact import uniform_policy

BEST = [[0.81, 0.9, 1, 0], [0.729, 0, 0.9, 1], [0.6561, 0.729, 0.81, 0.729]]
UNIFORM = [
    [0.0303, 0.0978, 0.2072, 0],
    [-0.0269, 0, -0.496, -0.3713],
    [-0.0989, -0.2173, -0.4344, -0.7838],
]


def two_places(discount: float = 0.9) -> MDP:
    """Left and right: going right finds an apple, walls hurt."""
    to_left, to_right = [1.0, 0.0], [0.0, 1.0]
    return MDP(
        np.array([[to_left, to_right]] * 2),
        np.array([[-1.0, 1.0], [0.0, -1.0]]),
        np.array([False, False]),
        discount,
    )


def test_D28_the_best_policy_of_a_grid_world() -> None:
    world = GridWorld()
    mdp = world.mdp(0.9)
    found = iterate_values(mdp, 1e-3, in_place=True)
    np.testing.assert_allclose(found.values.reshape(3, 4), BEST, atol=1e-9)
    assert found.sweeps == 4
    rounds = iterate_policy(mdp)
    np.testing.assert_allclose(rounds.values, found.values, atol=1e-9)
    assert (rounds.policy == found.policy).all()
    np.testing.assert_allclose(solve_policy(mdp, found.policy), found.values, atol=1e-9)
    # Playing that policy reaches the goal by one of the shortest ways, and earns V of the start.
    episode = play(world, lambda state: int(found.policy[state.argmax()].argmax()))
    assert len(episode) == 5 and episode[-1].terminated
    earned = sum(0.9**i * step.reward for i, step in enumerate(episode))
    assert earned == pytest.approx(0.6561)


def test_D27_values_fulfil_the_bellman_equations() -> None:
    mdp = GridWorld().mdp(0.9)
    swept = evaluate_policy(mdp, uniform_policy(mdp), 1e-3, in_place=True)
    np.testing.assert_allclose(swept.values.reshape(3, 4), UNIFORM, atol=5e-5)
    assert swept.sweeps == 23
    exact = solve_policy(mdp, uniform_policy(mdp))
    np.testing.assert_allclose((mdp.action_values(exact) / 4).sum(1), exact, atol=1e-12)
    np.testing.assert_allclose(swept.values, exact, atol=0.01)


def test_D27_two_places_solved_by_sweeps_and_at_once() -> None:
    mdp = two_places()
    policy = uniform_policy(mdp)
    np.testing.assert_allclose(solve_policy(mdp, policy), [-2.25, -2.75], rtol=1e-12)
    apart = evaluate_policy(mdp, policy, 1e-4)
    assert apart.values.tolist() == pytest.approx([-2.249167525908671, -2.749167525908671])
    assert apart.sweeps == 76
    newest = evaluate_policy(mdp, policy, 1e-4, in_place=True)
    assert newest.values.tolist() == pytest.approx([-2.2493782177156936, -2.7494201578106514])
    assert newest.sweeps == 60


def test_D26_D27_epsilon_greedy_explores_as_often_as_it_says(rng: np.random.Generator) -> None:
    values = [0.3, 0.9, 0.1, 0.2, 0.4]
    assert greedy(values) == 1
    assert greedy([2, 2]) == 0
    chances = epsilon_greedy_probabilities(values, 0.25)
    np.testing.assert_allclose(chances, [0.05, 0.75 + 0.05, 0.05, 0.05, 0.05])
    drawn = [epsilon_greedy(values, 0.25, rng) for _ in range(20_000)]
    shares = np.bincount(drawn, minlength=5) / 20_000
    np.testing.assert_allclose(shares, chances, atol=4 * np.sqrt(0.25 / 20_000))
    assert {epsilon_greedy(values, 0.0, rng) for _ in range(50)} == {1}


def test_D27_a_little_exploration_beats_greed_at_slot_machines() -> None:
    """Ten machines, a thousand plays, mean of fifty runs."""
    earned = {}
    for epsilon in (0.0, 0.1):
        runs = []
        for run in range(50):
            random = np.random.default_rng(run)
            bandit = Bandit(random.random(10))
            runs.append(play_bandit(bandit, 1000, random, epsilon)[0].mean())
        earned[epsilon] = np.mean(runs)
    assert earned[0.1] > 0.78 > earned[0.0] + 0.1


def test_values_of_machines_are_means_of_their_rewards(rng: np.random.Generator) -> None:
    rewards, values = play_bandit(Bandit([0.5]), 400, rng)
    assert values[0] == pytest.approx(rewards.mean())


def test_a_fixed_rate_follows_machines_that_change() -> None:
    late = {}
    for rate in (None, 0.8):
        runs = []
        for run in range(60):
            random = np.random.default_rng(run)
            rewards, _ = play_bandit(Bandit(random.random(10), 0.1), 1000, random, 0.1, rate)
            runs.append(rewards[500:].mean())
        late[rate] = np.mean(runs)
    assert late[0.8] > late[None]


def test_D28_q_learning_finds_the_best_way_through_the_grid() -> None:
    world = GridWorld()
    values = q_learning(world, 3000, np.random.default_rng(0))
    way = play(world, lambda state: greedy(values[state.argmax()]))
    assert len(way) == 5 and way[-1].terminated
    for field in (8, 4, 0, 1, 2):  # the best way
        assert values[field].max() == pytest.approx(np.ravel(BEST)[field], abs=1e-3)


def test_sarsa_values_what_it_does_and_keeps_away_from_the_trap() -> None:
    """Beside the trap, chance makes the lower way worse for SARSA than for Q-learning."""
    learned = {}
    for learn in (q_learning, sarsa):
        learned[learn] = learn(GridWorld(), 4000, np.random.default_rng(1), rate=0.05)
    assert learned[sarsa][6].max() < learned[q_learning][6].max()
    way = play(GridWorld(), lambda state: greedy(learned[sarsa][state.argmax()]))
    assert len(way) == 5 and all(step.reward >= 0 for step in way)


def test_wrong_arguments_are_refused(rng: np.random.Generator) -> None:
    mdp = two_places()
    with pytest.raises(ArgumentError, match=r"discount=1[^\n]*\n.*\[0, 1\)"):
        two_places(1.0)
    with pytest.raises(ArgumentError, match="no distribution"):
        MDP(mdp.chance * 0.5, mdp.reward, mdp.ends)
    with pytest.raises(ShapeError, match=r"chance \(2, 2, 2\), reward \(2,\)"):
        MDP(mdp.chance, mdp.reward[0], mdp.ends)
    with pytest.raises(ArgumentError, match="tolerance=0"):
        iterate_values(mdp, 0)
    with pytest.raises(ArgumentError, match="epsilon=1.5"):
        epsilon_greedy([1, 2], 1.5, rng)
    for values in ([], [1.0, float("nan")], [[1.0]]):
        with pytest.raises(ArgumentError, match="values of the actions"):
            greedy(values)
    with pytest.raises(ArgumentError, match="table cannot hold"):
        q_learning(CartPole(), 1, rng)
    with pytest.raises(ArgumentError, match="give one for each machine"):
        Bandit([])
