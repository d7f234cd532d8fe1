"""Learning with tables: bandits, SARSA, Q-learning.  (Sutton and Barto, 1998.)"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.rl.environments import Environment
from pellucid.rl.policies import epsilon_greedy

Array = npt.NDArray[np.float64]


class Bandit:
    """Slot machines: machine i pays 1 with probability ``chances[i]``, else 0.

    With ``drift`` above 0 every play moves all chances by normal numbers of that deviation.
    """

    def __init__(self, chances: npt.ArrayLike, drift: float = 0.0) -> None:
        self.chances = np.array(chances, np.float64)
        if self.chances.ndim != 1 or not len(self.chances):
            raise ArgumentError(
                f"Bandit got chances of shape {self.chances.shape}", "give one for each machine"
            )
        self.drift = drift

    def play(self, machine: int, random: np.random.Generator) -> float:
        """The reward of one play."""
        reward = float(random.random() < self.chances[machine])
        if self.drift:
            self.chances += random.normal(0.0, self.drift, len(self.chances))
        return reward


def play_bandit(
    bandit: Bandit,
    steps: int,
    random: np.random.Generator,
    epsilon: float = 0.1,
    rate: float | None = None,
) -> tuple[Array, Array]:
    """ε-greedy play; returns the rewards (steps,) and the values that were learned (machines,).

    A value moves towards each reward by Q ← Q + α (r − Q): with α = 1/n, when ``rate`` is None,
    it is the mean of the machine's n rewards; a fixed rate forgets old ones, which is better when
    chances drift.
    """
    values, counts = np.zeros(len(bandit.chances)), np.zeros(len(bandit.chances))
    rewards = np.zeros(steps)
    for step in range(steps):
        machine = epsilon_greedy(values, epsilon, random)
        reward = bandit.play(machine, random)
        counts[machine] += 1
        values[machine] += (1 / counts[machine] if rate is None else rate) * (
            reward - values[machine]
        )
        rewards[step] = reward
    return rewards, values


def q_learning(
    environment: Environment,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    rate: float = 0.8,
    epsilon: float = 0.1,
) -> Array:
    """Values (states, actions) of the best policy, learned by ε-greedy play (Watkins, 1989).

    Q(s, a) ← Q(s, a) + α (r + γ maxₐ' Q(s', a') − Q(s, a)).  States are those with one 1, such as
    ``GridWorld``'s.
    """
    return _learn(environment, episodes, random, discount, rate, epsilon, best=True)


def sarsa(
    environment: Environment,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    rate: float = 0.8,
    epsilon: float = 0.1,
) -> Array:
    """Values (states, actions) of the ε-greedy policy that is played (Rummery and Niranjan, 1994).

    Q(s, a) ← Q(s, a) + α (r + γ Q(s', a') − Q(s, a)) with the action a' that is taken next.
    """
    return _learn(environment, episodes, random, discount, rate, epsilon, best=False)


def _learn(
    environment: Environment,
    episodes: int,
    random: np.random.Generator,
    discount: float,
    rate: float,
    epsilon: float,
    best: bool,
) -> Array:
    values = np.zeros((environment.states, environment.actions))
    for _ in range(episodes):
        state = _number(environment.reset())
        action = epsilon_greedy(values[state], epsilon, random)
        done = False
        while not done:
            answer = environment.step(action)
            after = _number(answer.state)
            next_action = epsilon_greedy(values[after], epsilon, random)
            follows = values[after].max() if best else values[after, next_action]
            wanted = answer.reward + discount * follows * (not answer.terminated)
            values[state, action] += rate * (wanted - values[state, action])
            state, action, done = after, next_action, answer.done
    return values


def _number(state: npt.NDArray[np.float32]) -> int:
    """The place of the one 1 in a state."""
    place = int(state.argmax())
    if state[place] != 1 or np.count_nonzero(state) != 1:
        raise ArgumentError(
            f"a table cannot hold the state {state!r}", "use states with one 1, or a network"
        )
    return place
