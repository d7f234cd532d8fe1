"""Slot machines, of which nobody says how good they are: to try, or to use what is known?

A bandit has several machines (arms); each play of one gives a reward.  A *player* chooses machines
and learns from rewards:

- ``EpsilonGreedy``: the best machine so far, with probability ε any.
- ``UCB``: the machine whose value could be highest, Q(a) + c √(ln t / N(a)).
- ``GradientBandit``: preferences H(a), chosen by their softmax, moved towards what was better than
  the mean so far.
- ``ThompsonSampling``: draws a chance for each machine from what is believed of it, and plays the
  highest.

Sutton and Barto, "Reinforcement Learning: An Introduction" (2nd edition, 2018), chapter 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.rl.policies import check_epsilon

Array = npt.NDArray[np.float64]


class Bandit:
    """Slot machines: machine i pays 1 with probability ``chances[i]``, else 0.

    With ``drift`` above 0 every play moves all chances by normal numbers of that deviation.
    """

    def __init__(self, chances: npt.ArrayLike, drift: float = 0.0) -> None:
        self.chances = _one_each(chances, "Bandit", "chances")
        self.drift = drift

    @property
    def machines(self) -> int:
        """How many machines there are."""
        return len(self.chances)

    @property
    def means(self) -> Array:
        """What a play of each machine earns in the mean now: (machines,), from 0 to 1."""
        return np.clip(self.chances, 0.0, 1.0)

    def play(self, machine: int, random: np.random.Generator) -> float:
        """The reward of one play."""
        reward = float(random.random() < self.chances[machine])
        if self.drift:
            self.chances += random.normal(0.0, self.drift, len(self.chances))
        return reward


class GaussianBandit:
    """Slot machines whose rewards are normal numbers around ``means[i]``, of one ``deviation``.

    With ``drift`` above 0 every play moves all means by normal numbers of that deviation.
    """

    def __init__(self, means: npt.ArrayLike, deviation: float = 1.0, drift: float = 0.0) -> None:
        self.means = _one_each(means, "GaussianBandit", "means")
        self.deviation, self.drift = deviation, drift

    @property
    def machines(self) -> int:
        """How many machines there are."""
        return len(self.means)

    def play(self, machine: int, random: np.random.Generator) -> float:
        """The reward of one play."""
        reward = float(random.normal(self.means[machine], self.deviation))
        if self.drift:
            self.means += random.normal(0.0, self.drift, len(self.means))
        return reward


class BanditPlayer(Protocol):
    """Who chooses machines and learns from their rewards."""

    values: Array
    """What each machine seems worth, (machines,)."""

    def choose(self, random: np.random.Generator) -> int:
        """The machine to play next."""
        ...

    def learn(self, machine: int, reward: float) -> None:
        """Takes note of a reward."""
        ...


class EpsilonGreedy:
    """The machine with the highest value, with probability ``epsilon`` any one.

    Q ← Q + α (r − Q) with α = 1/n, when ``rate`` is None, is the mean of the machine's n rewards; a
    fixed ``rate`` forgets old ones, which is better where machines change.  Values begin at
    ``start``: a high one makes even ε = 0 try everything first.
    """

    def __init__(
        self, machines: int, epsilon: float = 0.1, rate: float | None = None, start: float = 0.0
    ) -> None:
        check_epsilon(epsilon)
        self.values = np.full(machines, float(start))
        self.counts = np.zeros(machines)
        self.epsilon, self.rate = epsilon, rate

    def choose(self, random: np.random.Generator) -> int:
        """The machine to play next."""
        if random.random() < self.epsilon:
            return int(random.integers(len(self.values)))
        return int(self.values.argmax())

    def learn(self, machine: int, reward: float) -> None:
        """Moves the machine's value towards the reward."""
        self.counts[machine] += 1
        step = 1 / self.counts[machine] if self.rate is None else self.rate
        self.values[machine] += step * (reward - self.values[machine])


class UCB(EpsilonGreedy):
    """The machine with the highest bound Q(a) + ``width`` · √(ln t / N(a)); each once at first.

    Few plays leave much room above a value, many little (Auer, Cesa-Bianchi and Fischer, 2002).
    """

    def __init__(self, machines: int, width: float = 2.0, rate: float | None = None) -> None:
        super().__init__(machines, 0.0, rate)
        self.width = width

    def choose(self, random: np.random.Generator) -> int:
        """The machine to play next."""
        new = np.flatnonzero(self.counts == 0)
        if len(new):
            return int(new[0])
        room = np.sqrt(np.log(self.counts.sum()) / self.counts)
        return int(np.argmax(self.values + self.width * room))


class GradientBandit:
    """Preferences H, chosen with probability π = softmax(H) and moved by the gradient of the mean
    reward: H(a) ← H(a) + α (r − r̄)(1[a was played] − π(a)).

    r̄ is the mean of all rewards so far, 0 without ``baseline``.  ``values`` are the preferences.
    """

    def __init__(self, machines: int, rate: float = 0.1, baseline: bool = True) -> None:
        self.values = np.zeros(machines)
        self.rate, self.baseline = rate, baseline
        self._mean, self._plays = 0.0, 0

    @property
    def chances(self) -> Array:
        """π, how likely each machine is played: (machines,)."""
        raised = np.exp(self.values - self.values.max())
        chances: Array = raised / raised.sum()
        return chances

    def choose(self, random: np.random.Generator) -> int:
        """The machine to play next."""
        return int(random.choice(len(self.values), p=self.chances))

    def learn(self, machine: int, reward: float) -> None:
        """Moves all preferences."""
        chances = self.chances
        self._plays += 1
        self._mean += (reward - self._mean) / self._plays
        better = reward - (self._mean if self.baseline else 0.0)
        chosen = np.arange(len(chances)) == machine
        self.values += self.rate * better * (chosen - chances)


class ThompsonSampling:
    """Plays the machine that is best in a draw from what is believed of all.

    The belief about a machine's chance is Beta(1 + wins, 1 + losses), so rewards are from 0 to 1.
    ``keep`` below 1 lets old plays count less with every new one, for machines that change.
    (Thompson, 1933.)
    """

    def __init__(self, machines: int, keep: float = 1.0) -> None:
        self.wins, self.losses = np.zeros(machines), np.zeros(machines)
        self.keep = keep

    @property
    def values(self) -> Array:
        """The mean of each belief, (machines,)."""
        means: Array = (1 + self.wins) / (2 + self.wins + self.losses)
        return means

    def choose(self, random: np.random.Generator) -> int:
        """The machine to play next."""
        return int(np.argmax(random.beta(1 + self.wins, 1 + self.losses)))

    def learn(self, machine: int, reward: float) -> None:
        """Counts a win or a loss, or a share of both."""
        if not 0 <= reward <= 1:
            raise ArgumentError(
                f"ThompsonSampling got the reward {reward}", "use rewards from 0 to 1"
            )
        self.wins *= self.keep
        self.losses *= self.keep
        self.wins[machine] += reward
        self.losses[machine] += 1 - reward


def play_bandit(
    bandit: Bandit | GaussianBandit,
    steps: int,
    random: np.random.Generator,
    epsilon: float = 0.1,
    rate: float | None = None,
    player: BanditPlayer | None = None,
) -> tuple[Array, Array]:
    """Plays ``steps`` times; returns the rewards (steps,) and the learned values (machines,).

    Without a ``player`` it is ``EpsilonGreedy`` with ``epsilon`` and ``rate``.

    >>> random = np.random.default_rng(0)
    >>> rewards, values = play_bandit(Bandit([0.2, 0.8]), 1000, random, player=UCB(2, 0.5))
    >>> bool(values.argmax() == 1 and rewards.mean() > 0.75)
    True
    """
    player = EpsilonGreedy(bandit.machines, epsilon, rate) if player is None else player
    rewards = np.zeros(steps)
    for step in range(steps):
        machine = player.choose(random)
        rewards[step] = bandit.play(machine, random)
        player.learn(machine, rewards[step])
    return rewards, player.values


def bandit_curve(
    bandit: Callable[[np.random.Generator], Bandit | GaussianBandit],
    player: Callable[[int], BanditPlayer],
    steps: int = 1000,
    runs: int = 200,
    seed: int = 0,
) -> tuple[Array, Array]:
    """The mean reward of each play and the share of plays of the best machine, both (steps,),
    over ``runs`` new bandits with a new player each.

    ``bandit`` makes one from a random generator, ``player`` one for so many machines.  Equal seeds
    give equal bandits, whoever plays.

    >>> machines = lambda random: Bandit(random.random(10))
    >>> rewards, best = bandit_curve(machines, EpsilonGreedy, steps=100, runs=20)
    >>> bool(rewards[-20:].mean() > rewards[:20].mean())
    True
    """
    if steps < 1 or runs < 1:
        raise ArgumentError(f"bandit_curve got steps={steps}, runs={runs}", "use at least 1")
    rewards, best = np.zeros(steps), np.zeros(steps)
    for run in range(runs):
        made = bandit(np.random.default_rng([seed, run]))
        random = np.random.default_rng([seed, run, 1])
        who = player(made.machines)
        for step in range(steps):
            machine = who.choose(random)
            best[step] += made.means[machine] == made.means.max()
            reward = made.play(machine, random)
            who.learn(machine, reward)
            rewards[step] += reward
    return rewards / runs, best / runs


def _one_each(numbers: npt.ArrayLike, who: str, what: str) -> Array:
    array = np.array(numbers, np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise ArgumentError(
            f"{who} got {what} of shape {array.shape}", "give one for each machine, all finite"
        )
    return array
