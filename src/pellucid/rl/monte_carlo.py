"""Values from whole episodes: the mean of what was earned after a state.

The return after step t is G = r + γ r' + γ² r'' + …; its mean over episodes that a policy plays is
the value V(s) of the state.  Episodes of *another* policy serve as well when each return counts by
how much likelier the policy itself had made it, ρ = Π π(a|s) / b(a|s) (importance sampling).

An episode that was merely broken off counts as it is: give environments a limit that is far away.

Sutton and Barto, "Reinforcement Learning: An Introduction" (2nd edition, 2018), chapter 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.rl.environments import Environment
from pellucid.rl.policies import epsilon_greedy, epsilon_greedy_probabilities, number_of

Array = npt.NDArray[np.float64]


def importance_sampling(
    values: npt.ArrayLike, ratios: npt.ArrayLike, weighted: bool = False
) -> tuple[float, float]:
    """The mean of ``values`` (N,) under another distribution than they were drawn from, and the
    variance of a single term.

    ``ratios`` (N,) are π(x)/b(x), x drawn from b.  The estimate is the mean of ρx, which is right
    in the mean; ``weighted`` divides by the sum of the ratios instead, which is not quite, but
    varies less.
    """
    array, ratio = np.asarray(values, np.float64), np.asarray(ratios, np.float64)
    if array.ndim != 1 or array.shape != ratio.shape or not len(array):
        raise ShapeError(
            f"importance_sampling got values {array.shape} and ratios {ratio.shape}",
            "give a ratio for each value, at least one",
        )
    terms = ratio * array
    scale = ratio.mean() if weighted else 1.0
    if scale == 0:
        raise ArgumentError("all ratios are 0", "draw from a distribution that covers the other")
    return float(terms.mean() / scale), float(terms.var() / scale**2)


def importance_moments(
    values: npt.ArrayLike, target: npt.ArrayLike, behavior: npt.ArrayLike
) -> tuple[float, float]:
    """The exact mean and variance of ρx for x from ``behavior``, ρ = target/behavior: what
    ``importance_sampling`` estimates.  All (N,), the last two probabilities.

    >>> mean, variance = importance_moments([1, 2, 3], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6])
    >>> round(mean, 12), round(variance, 12)
    (2.7, 2.56)
    """
    array = np.asarray(values, np.float64)
    wanted, drawn = (_distribution(p, array.shape) for p in (target, behavior))
    if (wanted[drawn == 0] > 0).any():
        raise ArgumentError(
            "the behavior never does what the target does", "give it a probability above 0 there"
        )
    ratio = np.divide(wanted, drawn, out=np.zeros_like(wanted), where=drawn > 0)
    mean = float((wanted * array).sum())
    return mean, float((drawn * (ratio * array) ** 2).sum() - mean**2)


def monte_carlo_values(
    environment: Environment,
    policy: npt.ArrayLike,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    rate: float | None = None,
    first_visit: bool = False,
) -> Array:
    """The values (states,) of ``policy`` (states, actions), from episodes that it plays.

    V(s) ← V(s) + α (G − V(s)) after each visit, α = 1/n when ``rate`` is None, which is the mean
    of the n returns; with ``first_visit`` after an episode's first visit of a state alone.
    """
    chances = checked_policy(policy, environment)
    values, counts = np.zeros(environment.states), np.zeros(environment.states)
    for _ in range(episodes):
        for state, _, earned, first in _returns(environment, _drawn(chances, random), discount):
            if first or not first_visit:
                counts[state] += 1
                step = 1 / counts[state] if rate is None else rate
                values[state] += step * (earned - values[state])
    return values


def monte_carlo_off_policy(
    environment: Environment,
    target: npt.ArrayLike,
    behavior: npt.ArrayLike,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    weighted: bool = True,
) -> Array:
    """The values (states,) of the policy ``target``, from episodes that ``behavior`` plays; both
    (states, actions), and the behavior does everything that the target does.

    A return counts with ρ = Π π(a|s)/b(a|s) over the steps that follow; the sum is divided by
    Σρ when ``weighted``, else by the number of returns.
    """
    wanted, played = (checked_policy(p, environment) for p in (target, behavior))
    if (wanted[played == 0] > 0).any():
        raise ArgumentError(
            "the behavior never does what the target does", "give it a probability above 0 there"
        )
    sums, scale = np.zeros(environment.states), np.zeros(environment.states)
    for _ in range(episodes):
        ratio = 1.0
        for state, action, earned, _ in _returns(environment, _drawn(played, random), discount):
            ratio *= wanted[state, action] / played[state, action]
            if ratio == 0 and weighted:
                break  # what came before counts nothing either
            sums[state] += ratio * earned
            scale[state] += ratio if weighted else 1.0
    return np.divide(sums, scale, out=np.zeros_like(sums), where=scale > 0)


def monte_carlo_control(
    environment: Environment,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    rate: float | None = 0.1,
    epsilon: float = 0.1,
) -> Array:
    """Action values (states, actions), from episodes that are played ε-greedily by them.

    Q(s, a) ← Q(s, a) + α (G − Q(s, a)); α = 1/n when ``rate`` is None.  Values of the ε-greedy
    policy: whoever explores near a trap pays for it.
    """
    values = np.zeros((environment.states, environment.actions))
    counts = np.zeros_like(values)
    for _ in range(episodes):
        greedy = _epsilon_greedily(values, epsilon, random)
        for state, action, earned, _ in list(_returns(environment, greedy, discount)):
            counts[state, action] += 1
            step = 1 / counts[state, action] if rate is None else rate
            values[state, action] += step * (earned - values[state, action])
    return values


def monte_carlo_off_policy_control(
    environment: Environment,
    episodes: int,
    random: np.random.Generator,
    *,
    discount: float = 0.9,
    epsilon: float = 0.1,
) -> Array:
    """Action values (states, actions) of the *greedy* policy, from episodes that are played
    ε-greedily: each return counts with its ratio, weighted importance sampling.

    Only the end of an episode in which every action was the greedy one teaches anything.
    """
    values = np.zeros((environment.states, environment.actions))
    scale = np.zeros_like(values)
    for _ in range(episodes):
        ratio = 1.0
        behavior = values.copy()  # what was played by; values change on the way back
        greedy = _epsilon_greedily(behavior, epsilon, random)
        for state, action, earned, _ in list(_returns(environment, greedy, discount)):
            scale[state, action] += ratio
            values[state, action] += ratio / scale[state, action] * (earned - values[state, action])
            if action != int(values[state].argmax()):
                break
            ratio /= epsilon_greedy_probabilities(behavior[state], epsilon)[action]
    return values


def checked_policy(policy: npt.ArrayLike, environment: Environment) -> Array:
    """``policy`` as an array (states, actions) of probabilities that sum to 1 in each row."""
    return _distribution(policy, (environment.states, environment.actions))


def _distribution(chances: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    array = np.asarray(chances, np.float64)
    if array.shape != shape:
        raise ShapeError(f"the probabilities have shape {array.shape}", f"this needs {shape}")
    if (array < 0).any() or not np.allclose(array.sum(-1), 1):
        raise ArgumentError(
            "the probabilities are no distribution", "they must be at least 0 and sum to 1"
        )
    return array


def _drawn(chances: Array, random: np.random.Generator) -> Callable[[int], int]:
    """A policy's choice for a state, by inverting the sums of its probabilities."""
    bounds = chances.cumsum(1)
    bounds[:, -1] = 1.0
    return lambda state: int(np.searchsorted(bounds[state], random.random(), side="right"))


def _epsilon_greedily(
    values: Array, epsilon: float, random: np.random.Generator
) -> Callable[[int], int]:
    return lambda state: epsilon_greedy(values[state], epsilon, random)


def _returns(
    environment: Environment, policy: Callable[[int], int], discount: float
) -> Iterator[tuple[int, int, float, bool]]:
    """State, action, return and whether this was the state's first visit, for each step of one
    episode, from the last one back."""
    state, done = number_of(environment.reset()), False
    steps = []
    while not done:
        action = policy(state)
        answer = environment.step(action)
        steps.append((state, action, answer.reward))
        state, done = number_of(answer.state), answer.done
    first: dict[int, int] = {}
    for place, (state, _, _) in enumerate(steps):
        first.setdefault(state, place)
    earned = 0.0
    for place in reversed(range(len(steps))):
        state, action, reward = steps[place]
        earned = reward + discount * earned
        yield state, action, earned, first[state] == place
