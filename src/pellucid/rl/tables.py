"""Learning with tables, from every step: the error between two guesses of what a state is worth.

The temporal-difference error δ = r + γ V(s') − V(s) compares the value of a state with the reward
and the value of the state that was reached (Sutton, 1988).  ``steps`` = n takes n rewards before
the next value, r + γ r' + … + γⁿ V; ``trace`` = λ mixes all n, (1 − λ) Σ λⁿ⁻¹ Gⁿ, by giving each
error to the states that were visited before, less the longer ago (eligibility traces).

Sutton and Barto, "Reinforcement Learning: An Introduction" (2nd edition, 2018), chapters 6, 7, 12.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.rl.environments import Environment
from pellucid.rl.monte_carlo import checked_policy
from pellucid.rl.policies import epsilon_greedy, epsilon_greedy_probabilities, number_of

Array = npt.NDArray[np.float64]

Follows = Callable[[int, int, int], float]
"""(state, action taken next, greedy action there) → the value that follows."""


def td_values(
    environment: Environment,
    policy: npt.ArrayLike,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    rate: float = 0.01,
    steps: int = 1,
    trace: float = 0.0,
) -> Array:
    """The values (states,) of ``policy`` (states, actions), learned while it plays.

    TD(0): V(s) ← V(s) + α (r + γ V(s') − V(s)); with ``steps`` or ``trace`` n-step TD or TD(λ).
    """
    bounds = checked_policy(policy, environment).cumsum(1)
    bounds[:, -1] = 1.0
    values = np.zeros(environment.states)

    def choose(state: int) -> int:
        return int(np.searchsorted(bounds[state], random.random(), side="right"))

    def follows(state: int, action: int, _: int) -> float:
        return float(values[state])

    learner = _Learner(values, discount, rate, steps, trace)
    for _ in range(episodes):
        learner.episode(environment, choose, follows, lambda state, action: (state,))
    return values


def sarsa(
    environment: Environment,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    rate: float = 0.8,
    epsilon: float = 0.1,
    steps: int = 1,
    trace: float = 0.0,
    off_policy: bool = False,
) -> Array:
    """Values (states, actions) of the ε-greedy policy that is played (Rummery and Niranjan, 1994).

    Q(s, a) ← Q(s, a) + α (r + γ Q(s', a') − Q(s, a)) with the action a' that is taken next.
    ``steps`` and ``trace`` make it n-step SARSA and SARSA(λ).  With ``off_policy`` the values are
    those of the *greedy* policy: Q(s', a') counts with the ratio π(a'|s')/b(a'|s'), which is 0
    where a' is not greedy.
    """
    if off_policy and (steps > 1 or trace):
        raise ArgumentError(
            f"sarsa got off_policy with steps={steps}, trace={trace}", "use one step, no trace"
        )
    values = np.zeros((environment.states, environment.actions))

    def follows(state: int, action: int, best: int) -> float:
        if not off_policy:
            return float(values[state, action])
        chance = epsilon_greedy_probabilities(values[state], epsilon)[action]
        return float(values[state, action] / chance) if action == best else 0.0

    return _controlled(environment, episodes, random, values, follows, discount, rate, epsilon,
                       steps, trace)  # fmt: skip


def expected_sarsa(
    environment: Environment,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    rate: float = 0.8,
    epsilon: float = 0.1,
) -> Array:
    """Values (states, actions) of the ε-greedy policy, without the chance of its next action.

    Q(s, a) ← Q(s, a) + α (r + γ Σₐ' π(a'|s') Q(s', a') − Q(s, a))  (van Seijen and others, 2009).
    """
    values = np.zeros((environment.states, environment.actions))

    def follows(state: int, action: int, best: int) -> float:
        return float(values[state] @ epsilon_greedy_probabilities(values[state], epsilon))

    return _controlled(environment, episodes, random, values, follows, discount, rate, epsilon)


def q_learning(
    environment: Environment,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    rate: float = 0.8,
    epsilon: float = 0.1,
    trace: float = 0.0,
) -> Array:
    """Values (states, actions) of the best policy, learned by ε-greedy play (Watkins, 1989).

    Q(s, a) ← Q(s, a) + α (r + γ maxₐ' Q(s', a') − Q(s, a)).  States are those with one 1, such as
    ``GridWorld``'s.  ``trace`` is Watkins's Q(λ): traces end where the action was not the best one.
    """
    values = np.zeros((environment.states, environment.actions))

    def follows(state: int, action: int, best: int) -> float:
        return float(values[state, best])

    return _controlled(environment, episodes, random, values, follows, discount, rate, epsilon,
                       1, trace, cut=True)  # fmt: skip


def double_q_learning(
    environment: Environment,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    rate: float = 0.8,
    epsilon: float = 0.1,
) -> Array:
    """As ``q_learning`` with two tables: one says which action is best, the other what it is
    worth, so that chance is not taken for value (van Hasselt, 2010).  Returns their mean."""
    tables = np.zeros((2, environment.states, environment.actions))
    _check(discount, rate, 1, 0.0)
    for _ in range(episodes):
        state, done = number_of(environment.reset()), False
        while not done:
            action = epsilon_greedy(tables[:, state].sum(0), epsilon, random)
            answer = environment.step(action)
            after = number_of(answer.state)
            own = int(random.integers(2))
            best = int(tables[own, after].argmax())
            wanted = answer.reward
            if not answer.terminated:
                wanted += discount * tables[1 - own, after, best]
            tables[own, state, action] += rate * (wanted - tables[own, state, action])
            state, done = after, answer.done
    mean: Array = tables.mean(0)
    return mean


def _controlled(
    environment: Environment,
    episodes: int,
    random: np.random.Generator,
    values: Array,
    follows: Follows,
    discount: float,
    rate: float,
    epsilon: float,
    steps: int = 1,
    trace: float = 0.0,
    cut: bool = False,
) -> Array:
    """Plays ε-greedily by ``values`` and learns them; ``cut`` ends traces at actions that are not
    the best."""
    learner = _Learner(values, discount, rate, steps, trace, cut)

    def choose(state: int) -> int:
        return epsilon_greedy(values[state], epsilon, random)

    for _ in range(episodes):
        learner.episode(environment, choose, follows, lambda state, action: (state, action))
    return values


class _Learner:
    """Moves a table towards what follows after one step, after n, or after all mixed."""

    def __init__(
        self,
        values: Array,
        discount: float,
        rate: float,
        steps: int,
        trace: float,
        cut: bool = False,
    ) -> None:
        _check(discount, rate, steps, trace)
        self.values, self.discount, self.rate = values, discount, rate
        self.steps, self.trace, self.cut = steps, trace, cut

    def episode(
        self,
        environment: Environment,
        choose: Callable[[int], int],
        follows: Follows,
        place: Callable[[int, int], tuple[int, ...]],
    ) -> None:
        """Plays one episode and learns from it on the way."""
        state, done = number_of(environment.reset()), False
        action = choose(state)
        window: deque[tuple[tuple[int, ...], float]] = deque()
        traces = np.zeros_like(self.values)
        while not done:
            answer = environment.step(action)
            after = number_of(answer.state)
            next_action = choose(after)
            best = int(self.values[after].argmax()) if self.values.ndim == 2 else 0
            value = 0.0 if answer.terminated else follows(after, next_action, best)
            where, done = place(state, action), answer.done
            if self.trace:
                self._spread(traces, where, answer.reward + self.discount * value)
                if self.cut and next_action != best:
                    traces[:] = 0
            else:
                window.append((where, answer.reward))
                while len(window) == self.steps or (done and window):
                    self._move(window, value)
            state, action = after, next_action

    def _move(self, window: deque[tuple[tuple[int, ...], float]], value: float) -> None:
        """Learns the oldest step of the window from its rewards and the value behind them."""
        wanted = value
        for _, reward in reversed(window):
            wanted = reward + self.discount * wanted
        where, _ = window.popleft()
        self.values[where] += self.rate * (wanted - self.values[where])

    def _spread(self, traces: Array, where: tuple[int, ...], wanted: float) -> None:
        """Gives the error of a step to all that were visited before."""
        error = wanted - self.values[where]
        traces *= self.discount * self.trace
        traces[where] += 1
        self.values += self.rate * error * traces


def _check(discount: float, rate: float, steps: int, trace: float) -> None:
    if not 0 <= discount <= 1 or not 0 <= trace <= 1 or not rate > 0 or steps < 1:
        raise ArgumentError(
            f"discount={discount}, rate={rate}, steps={steps}, trace={trace}",
            "use discount and trace from 0 to 1, a rate above 0, at least 1 step",
        )
    if steps > 1 and trace:
        raise ArgumentError(f"steps={steps} with trace={trace}", "use one of both")
