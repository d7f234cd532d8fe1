"""Episodes played by a policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pellucid.rl.environments import Environment, State


class Transition(NamedTuple):
    """One step of an episode."""

    state: State
    action: int
    reward: float
    next_state: State
    terminated: bool


def play(
    environment: Environment, policy: Callable[[State], int], seed: int | None = None
) -> list[Transition]:
    """One episode, in which ``policy`` chooses an action for each state.

    >>> from pellucid.rl import CartPole
    >>> episode = play(CartPole(), lambda state: int(state[2] > 0), seed=0)
    >>> sum(step.reward for step in episode) == len(episode)
    True
    """
    state = environment.reset(seed)
    episode = []
    while True:
        action = policy(state)
        answer = environment.step(action)
        episode.append(Transition(state, action, answer.reward, answer.state, answer.terminated))
        if answer.done:
            return episode
        state = answer.state
