"""Slot machines: who plays them well, and whether each player does what its formula says."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.rl import (
    UCB,
    Bandit,
    BanditPlayer,
    EpsilonGreedy,
    GaussianBandit,
    GradientBandit,
    ThompsonSampling,
    bandit_curve,
    play_bandit,
)


def ten(random: np.random.Generator) -> Bandit:
    return Bandit(random.random(10))


def test_D27_every_player_beats_greed_and_finds_the_best_machine() -> None:
    """Ten machines, 400 plays, means over the same 30 bandits."""
    players = {
        "greed": lambda n: EpsilonGreedy(n, 0.0),
        "epsilon": EpsilonGreedy,
        "hope": lambda n: EpsilonGreedy(n, 0.0, start=1.0),
        "ucb": lambda n: UCB(n, 0.5),
        "gradient": lambda n: GradientBandit(n, 0.4),
        "thompson": ThompsonSampling,
    }
    share, late = {}, {}
    for name, player in players.items():
        rewards, best = bandit_curve(ten, player, steps=400, runs=30)
        share[name], late[name] = best[-100:].mean(), rewards[-100:].mean()
    assert share.pop("greed") < 0.3 < 0.5 < min(share.values())
    assert share["ucb"] > share["epsilon"] and share["thompson"] > share["epsilon"]
    assert late.pop("greed") + 0.1 < min(late.values())


def test_D27_a_thousand_plays_of_ten_machines_earn_what_the_book_finds() -> None:
    """ε = 0.1, mean of 60 runs; a single run of the book earned 865."""
    rewards, _ = bandit_curve(ten, EpsilonGreedy, steps=1000, runs=60)
    assert 815 < rewards.sum() < 885
    single = [play_bandit(ten(np.random.default_rng(i)), 1000, np.random.default_rng(i))[0].sum()
              for i in range(30)]  # fmt: skip
    assert min(single) < 865 < max(single)


def test_a_bound_is_that_of_its_formula(rng: np.random.Generator) -> None:
    player = UCB(3, width=1.5)
    for machine, reward in ((0, 1.0), (1, 0.0), (2, 0.5), (0, 0.0)):
        assert len(set(player.counts)) > 1 or player.choose(rng) == 0
        player.learn(machine, reward)
    bounds = np.array([0.5, 0, 0.5]) + 1.5 * np.sqrt(np.log(4) / np.array([2, 1, 1]))
    assert player.choose(rng) == int(bounds.argmax()) == 2
    assert player.values.tolist() == [0.5, 0.0, 0.5]


@pytest.mark.parametrize("baseline", [True, False])
def test_preferences_follow_the_gradient_of_the_expected_reward(baseline: bool) -> None:
    """The mean of the updates, over actions with their probabilities, is α ∂E[r]/∂H."""
    means = np.array([0.2, 0.9, 0.4])
    start = np.array([0.3, -0.2, 0.1])

    def expected(preferences: np.ndarray) -> float:
        chances = np.exp(preferences) / np.exp(preferences).sum()
        return float(chances @ means)

    numeric = [(expected(start + 1e-6 * e) - expected(start - 1e-6 * e)) / 2e-6 for e in np.eye(3)]
    total = np.zeros(3)
    for machine in range(3):
        player = GradientBandit(3, rate=0.1, baseline=baseline)
        player.values[:] = start
        chance = player.chances[machine]
        # A baseline that does not depend on the action leaves the mean as it is.
        player._mean, player._plays = 0.7, 10**9
        player.learn(machine, float(means[machine]))
        total += chance * (player.values - start)
    np.testing.assert_allclose(total, 0.1 * np.array(numeric), rtol=1e-6)


def test_thompson_believes_in_counts_and_plays_as_often_as_it_believes(
    rng: np.random.Generator,
) -> None:
    player = ThompsonSampling(2)
    for machine, reward in ((0, 1), (0, 1), (0, 0), (1, 1)):
        player.learn(machine, reward)
    assert player.values.tolist() == [3 / 5, 2 / 3]
    chosen = np.mean([player.choose(rng) for _ in range(4000)])
    draws = rng.beta([3, 2], [2, 1], size=(100_000, 2)).argmax(1).mean()
    assert chosen == pytest.approx(draws, abs=0.03)
    with pytest.raises(ArgumentError, match=r"the reward 1\.5"):
        player.learn(0, 1.5)


def test_where_machines_drift_forgetting_wins() -> None:
    def drifting(random: np.random.Generator) -> GaussianBandit:
        return GaussianBandit(np.zeros(10), drift=0.1)

    def late(player: object) -> float:
        return float(bandit_curve(drifting, player, 1000, 20)[0][-400:].mean())  # type: ignore[arg-type]

    means, fixed = late(EpsilonGreedy), late(lambda n: EpsilonGreedy(n, rate=0.1))
    assert fixed > means + 0.2

    def swapping(player: BanditPlayer) -> float:
        """The better of two machines changes after 300 plays."""
        random, bandit = np.random.default_rng(4), Bandit([0.9, 0.1])
        play_bandit(bandit, 300, random, player=player)
        bandit.chances = bandit.chances[::-1].copy()
        return float(play_bandit(bandit, 300, random, player=player)[0].mean())

    assert swapping(ThompsonSampling(2, keep=0.95)) > swapping(ThompsonSampling(2)) + 0.2


def test_equal_seeds_give_equal_curves_and_nonsense_is_refused() -> None:
    one, two = (bandit_curve(ten, ThompsonSampling, 50, 5, seed=3) for _ in range(2))
    assert (one[0] == two[0]).all() and (one[1] == two[1]).all()
    with pytest.raises(ArgumentError, match="steps=0"):
        bandit_curve(ten, EpsilonGreedy, steps=0)
    for wrong in ([], [[1.0]], [np.nan]):
        with pytest.raises(ArgumentError, match="one for each machine"):
            GaussianBandit(wrong)
