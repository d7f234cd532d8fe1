"""From values of actions to an action: exploit what is known, or explore."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError


def greedy(values: npt.ArrayLike) -> int:
    """The number of the action with the highest value, the first of equal ones.

    >>> greedy([0.1, 0.7, 0.2])
    1
    """
    return int(np.argmax(_checked(values)))


def epsilon_greedy(values: npt.ArrayLike, epsilon: float, random: np.random.Generator) -> int:
    """With probability ``epsilon`` any action, all equally likely; otherwise the greedy one."""
    array = _checked(values)
    check_epsilon(epsilon)
    if random.random() < epsilon:
        return int(random.integers(len(array)))
    return int(np.argmax(array))


def epsilon_greedy_probabilities(values: npt.ArrayLike, epsilon: float) -> npt.NDArray[np.float64]:
    """How likely ``epsilon_greedy`` takes each action: ε/n, and (1 − ε) + ε/n for the best."""
    array = _checked(values)
    check_epsilon(epsilon)
    chance = np.full(len(array), epsilon / len(array))
    chance[np.argmax(array)] += 1 - epsilon
    return chance


def number_of(state: npt.NDArray[np.float32]) -> int:
    """The number of a state that a table can hold: the place of the one 1 in it."""
    place = int(state.argmax())
    if state[place] != 1 or np.count_nonzero(state) != 1:
        raise ArgumentError(
            f"a table cannot hold the state {state!r}", "use states with one 1, or a network"
        )
    return place


def _checked(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not len(array) or np.isnan(array).any():
        raise ArgumentError(
            f"the values of the actions are {array!r}", "give one number for each action, no NaN"
        )
    return array


def check_epsilon(epsilon: float) -> None:
    """Refuses what is no probability."""
    if not 0 <= epsilon <= 1:
        raise ArgumentError(f"epsilon={epsilon}", "use a probability, from 0 to 1")
