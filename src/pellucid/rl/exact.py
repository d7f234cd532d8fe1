"""Markov decision processes that are known completely, and their exact solutions.

The value of a state under a policy is the reward to expect from it on, later rewards counting
less: V(s) = Σₐ π(a|s) [r(s,a) + γ Σₛ' p(s'|s,a) V(s')] (Bellman, 1957).  A next state and reward
depend on the state and action alone, not on what was before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MDP:
    """A Markov decision process as tables.

    ``chance[s, a, t]`` is the probability of state t after action a in state s, ``reward[s, a]``
    the mean reward for it; in states that ``ends`` (S,) bool, an episode is over: their value
    is 0.  ``discount`` γ is from 0 up to, not including, 1.
    """

    chance: Array
    reward: Array
    ends: npt.NDArray[np.bool_]
    discount: float = 0.9

    def __post_init__(self) -> None:
        shape = self.chance.shape
        fits = self.chance.ndim == 3 and shape[0] == shape[2] and self.reward.shape == shape[:2]
        if not fits or self.ends.shape != shape[:1]:
            raise ShapeError(
                f"MDP got chance {shape}, reward {self.reward.shape}, ends {self.ends.shape}",
                "use (S, A, S), (S, A) and (S,)",
            )
        if not np.allclose(self.chance.sum(2), 1) or (self.chance < 0).any():
            raise ArgumentError(
                "the probabilities of the next state are no distribution",
                "chance[s, a] must be at least 0 and sum to 1 for each state and action",
            )
        if not 0 <= self.discount < 1:
            raise ArgumentError(f"MDP got discount={self.discount}", "use a number in [0, 1)")

    def action_values(self, values: Array) -> Array:
        """Q(s, a) = r(s, a) + γ Σ p(t|s, a) V(t), (S, A); 0 where an episode is over."""
        expected: Array = self.reward + self.discount * (self.chance @ values)
        return np.where(self.ends[:, None], 0.0, expected)


@dataclass(frozen=True, eq=False)
class Solution:
    """``values`` (S,) float64, the ``policy`` (S, A) that has them, and the sweeps it took."""

    values: Array
    policy: Array
    sweeps: int


def uniform_policy(mdp: MDP) -> Array:
    """Every action equally likely: (S, A)."""
    return np.full(mdp.reward.shape, 1 / mdp.reward.shape[1])


def greedy_policy(mdp: MDP, values: Array) -> Array:
    """The best action of each state with probability 1, the first of equal ones: (S, A)."""
    # Values that differ by rounding alone count as equal.
    best = np.round(mdp.action_values(values), 10).argmax(axis=1)
    chosen: Array = np.eye(mdp.reward.shape[1])[best]
    return chosen


def solve_policy(mdp: MDP, policy: Array) -> Array:
    """The values (S,) of ``policy`` (S, A) at once, from the linear equations they fulfil:
    (1 − γP) V = r."""
    running = ~mdp.ends
    moves = np.einsum("sa,sat->st", policy, mdp.chance) * running[:, None]
    reward = (policy * mdp.reward).sum(axis=1) * running
    return np.linalg.solve(np.eye(len(reward)) - mdp.discount * moves, reward)


def evaluate_policy(
    mdp: MDP, policy: Array, tolerance: float = 1e-3, in_place: bool = False
) -> Solution:
    """The values of ``policy`` by sweeps: each state takes the value that its equation gives,
    until none changes by ``tolerance`` or more.

    A sweep uses the values of the sweep before; with ``in_place`` the newest there are, state by
    state, which takes fewer sweeps.
    """

    def update(action_values: Array, state: int | slice) -> Array:
        mixed: Array = (policy[state] * action_values).sum(axis=-1)
        return mixed

    values, sweeps = _sweep(mdp, update, tolerance, in_place)
    return Solution(values, policy, sweeps)


def iterate_values(mdp: MDP, tolerance: float = 1e-3, in_place: bool = False) -> Solution:
    """The values of the best policy, and that policy: sweeps of V(s) ← maxₐ Q(s, a), as in
    ``evaluate_policy``."""

    def update(action_values: Array, state: int | slice) -> Array:
        best: Array = action_values.max(axis=-1)
        return best

    values, sweeps = _sweep(mdp, update, tolerance, in_place)
    return Solution(values, greedy_policy(mdp, values), sweeps)


def iterate_policy(mdp: MDP) -> Solution:
    """The best policy: solve the policy, make it greedy for its own values, until it stays
    (Howard, 1960); ``sweeps`` counts the rounds."""
    policy = uniform_policy(mdp)
    rounds = 0
    while True:
        rounds += 1
        values = solve_policy(mdp, policy)
        better = greedy_policy(mdp, values)
        if np.array_equal(better, policy):
            return Solution(values, policy, rounds)
        policy = better


def _sweep(
    mdp: MDP, update: Callable[[Array, int | slice], Array], tolerance: float, in_place: bool
) -> tuple[Array, int]:
    if not tolerance > 0:
        raise ArgumentError(f"tolerance={tolerance}", "use a number above 0")
    values = np.zeros(len(mdp.ends))
    sweeps = 0
    while True:
        sweeps += 1
        before = values.copy()
        if in_place:
            for state in np.flatnonzero(~mdp.ends):
                own = mdp.reward[state] + mdp.discount * (mdp.chance[state] @ values)
                values[state] = update(own, int(state))
        else:
            values = update(mdp.action_values(values), slice(None))
        if np.abs(values - before).max() < tolerance:
            return values, sweeps
