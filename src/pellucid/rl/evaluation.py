"""How good an agent is, and how sure that is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.rl.environments import Simulated
from pellucid.rl.vector import Several, Simulations, VectorEnvironment, make, vectorized


@dataclass(frozen=True)
class Evaluation:
    """Sums of rewards of whole episodes."""

    sums: tuple[float, ...]
    lengths: tuple[int, ...]
    truncated: int
    """How many were broken off by a limit."""

    @property
    def mean(self) -> float:
        """The mean sum of rewards."""
        return float(np.mean(self.sums))

    @property
    def deviation(self) -> float:
        """The deviation of the sums."""
        return float(np.std(self.sums))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Where the mean of all episodes lies, by drawing episodes again and again (bootstrap,
        2,000 times; Efron, 1979)."""
        if not 0 < confidence < 1:
            raise ArgumentError(f"confidence={confidence}", "use a number between 0 and 1")
        random = np.random.default_rng(0)
        sums = np.asarray(self.sums)
        means = sums[random.integers(len(sums), size=(2000, len(sums)))].mean(1)
        tail = (1 - confidence) / 2
        low, high = np.quantile(means, [tail, 1 - tail])
        return float(low), float(high)

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values."""
        low, high = self.interval()
        return {
            "mean": self.mean,
            "deviation": self.deviation,
            "low": low,
            "high": high,
            "episodes": len(self.sums),
            "truncated": self.truncated,
        }


def evaluate(
    policy: Callable[[npt.NDArray[np.float32]], npt.NDArray[Any]],
    environment: Any,
    episodes: int = 20,
    seed: int = 10_000,
) -> Evaluation:
    """Plays whole episodes by ``policy``, which maps states (N, states) to actions, and sums up
    their rewards.

    The environments are fresh ones, so that whoever learns on others is not disturbed.  Each copy
    plays as many episodes as any other: short ones do not count more.

    >>> from pellucid.rl import CartPole
    >>> found = evaluate(lambda states: (states[:, 2] > 0).astype(int), CartPole(), episodes=10)
    >>> len(found.sums), found.interval()[0] < found.mean < found.interval()[1]
    (10, True)
    """
    if episodes < 1:
        raise ArgumentError(f"evaluate got episodes={episodes}", "use at least 1")
    copies = fresh(environment, episodes)
    quota = np.full(copies.count, episodes // copies.count)
    quota[: episodes % copies.count] += 1
    states = copies.reset(seed)
    open_sums, ages = np.zeros(copies.count), np.zeros(copies.count, int)
    sums: list[float] = []
    lengths: list[int] = []
    broken = 0
    while quota.any():
        answer = copies.step(policy(states))
        open_sums += answer.rewards
        ages += 1
        for i in np.flatnonzero(answer.done):
            if quota[i]:
                sums.append(float(open_sums[i]))
                lengths.append(int(ages[i]))
                broken += int(answer.truncated[i] and not answer.terminated[i])
                quota[i] -= 1
            open_sums[i], ages[i] = 0.0, 0
        states = answer.states
    return Evaluation(tuple(sums), tuple(lengths), broken)


def fresh(environment: Any, episodes: int) -> VectorEnvironment:
    """Environments like this one that nobody else plays: a copy for each episode of our own, one
    of others."""
    if isinstance(environment, Simulations):
        environment = environment.environment
    elif isinstance(environment, Several):
        environment = environment.environments[0]
    elif isinstance(environment, (list, tuple)):
        environment = environment[0]
    elif callable(environment) and not isinstance(environment, str):
        environment = environment()
    made = make(environment)
    if isinstance(made, Simulated):
        return Simulations(made, episodes)
    return vectorized(environment if isinstance(environment, str) else copy.deepcopy(made), 1)
