"""Several copies of an environment, a step of all at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.rl.classic import (
    Acrobot,
    CartPole,
    MountainCar,
    MountainCarContinuous,
    Pendulum,
)
from pellucid.rl.environments import Bounds, Environment, Simulated, bounds_of
from pellucid.rl.grid_world import GridWorld, cliff_walking
from pellucid.rl.kinds import ARRAYS
from pellucid.rl.outside import Gymnasium

States = npt.NDArray[np.float32]

OWN: dict[str, Callable[[], Simulated]] = {
    "CartPole-v0": lambda: CartPole(200),
    "CartPole-v1": CartPole,
    "MountainCar-v0": MountainCar,
    "MountainCarContinuous-v0": MountainCarContinuous,
    "Pendulum-v1": Pendulum,
    "Acrobot-v1": Acrobot,
    "GridWorld": GridWorld,
    "CliffWalking": cliff_walking,
}
"""Environments that need no further package, by the names that they are known by."""


class VectorStep(NamedTuple):
    """What N environments answer; where an episode ended, the next one has begun."""

    states: States
    """The states to act on next, float32 (N, states): first states where an episode ended."""
    rewards: npt.NDArray[np.float32]
    """float32 (N,)."""
    terminated: npt.NDArray[np.bool_]
    """(N,): the episode is over, nothing more could have been earned."""
    truncated: npt.NDArray[np.bool_]
    """(N,): the episode was merely broken off."""
    reached: States
    """The states that the actions led to, float32 (N, states): last states where it ended."""

    @property
    def done(self) -> npt.NDArray[np.bool_]:
        """Where an episode ended in either way, (N,)."""
        return self.terminated | self.truncated


class VectorEnvironment(Protocol):
    """N copies of an environment."""

    count: int
    """How many there are, N."""
    states: int
    """How many numbers a state has."""
    actions: int
    """How many actions there are, or how many numbers an action has."""
    bounds: Bounds | None
    """The least and the greatest number of each part of an action; None for numbered ones."""

    def reset(self, seed: int | None = None) -> States:
        """Begins an episode in each; (N, states)."""
        ...

    def step(self, actions: npt.ArrayLike) -> VectorStep:
        """An action in each: (N,) numbers, or (N, actions)."""
        ...


class Simulations:
    """N copies of one of our environments, computed together as arrays.

    >>> carts = Simulations(CartPole(), 100)
    >>> carts.reset(seed=0).shape, carts.step(np.ones(100, int)).rewards.sum()
    ((100, 4), np.float32(100.0))
    """

    def __init__(self, environment: Simulated, count: int) -> None:
        if count < 1:
            raise ArgumentError(f"Simulations got count={count}", "use at least 1")
        self.environment, self.count = environment, count
        self.states, self.actions = environment.states, environment.actions
        self.bounds = environment.bounds
        self._random = np.random.default_rng()
        self._numbers: list[Any] = []
        self._steps = np.zeros(count, np.int64)

    def reset(self, seed: int | None = None) -> States:
        """Begins an episode in each."""
        if seed is not None:
            self._random = np.random.default_rng(seed)
        self._numbers = self._begun()
        self._steps[:] = 0
        states: States = self.environment.observe(ARRAYS, self._numbers)
        return states

    def step(self, actions: npt.ArrayLike) -> VectorStep:
        """An action in each."""
        if not self._numbers:
            raise ArgumentError("step() was called but no episode runs", "call reset() first")
        chosen = checked_actions(actions, self)
        given = chosen if self.bounds is None else tuple(chosen.T)
        after, rewards, terminated = self.environment.advance(ARRAYS, tuple(self._numbers), given)
        self._steps += 1
        truncated = (self._steps >= self.environment.limit) & ~terminated
        reached: States = self.environment.observe(ARRAYS, after)
        done, states = terminated | truncated, reached
        self._numbers = list(after)
        if done.any():
            first = self._begun()
            self._numbers = [np.where(done, a, b) for a, b in zip(first, after, strict=True)]
            self._steps[done] = 0
            states = self.environment.observe(ARRAYS, self._numbers)
        return VectorStep(states, rewards.astype(np.float32), terminated, truncated, reached)

    def _begun(self) -> list[Any]:
        low, high = self.environment.least, self.environment.most
        drawn = self._random.uniform(low, high, (self.count, len(low)))
        return list(drawn.T)


class Several:
    """N environments of any kind, played one after the other."""

    def __init__(self, environments: Sequence[Environment]) -> None:
        if not environments:
            raise ArgumentError("Several got 0 environments", "give at least one")
        first = environments[0]
        for other in environments:
            if (other.states, other.actions) != (first.states, first.actions):
                raise ShapeError(
                    f"Several got environments with {first.states} and {other.states} numbers a "
                    f"state, {first.actions} and {other.actions} actions",
                    "use copies of one environment",
                )
        self.environments = list(environments)
        self.count, self.states, self.actions = len(environments), first.states, first.actions
        self.bounds = bounds_of(first)
        self._began = False

    def reset(self, seed: int | None = None) -> States:
        """Begins an episode in each, with the seeds ``seed``, ``seed`` + 1, …"""
        self._began = True
        seeds = [None if seed is None else seed + i for i in range(self.count)]
        return np.stack([e.reset(s) for e, s in zip(self.environments, seeds, strict=True)])

    def step(self, actions: npt.ArrayLike) -> VectorStep:
        """An action in each."""
        if not self._began:
            raise ArgumentError("step() was called but no episode runs", "call reset() first")
        chosen = checked_actions(actions, self)
        answers = [e.step(a) for e, a in zip(self.environments, chosen, strict=True)]
        reached = np.stack([answer.state for answer in answers]).astype(np.float32, copy=False)
        states = reached
        if any(answer.done for answer in answers):
            states = reached.copy()
            for i, answer in enumerate(answers):
                if answer.done:
                    states[i] = self.environments[i].reset()
        return VectorStep(
            states,
            np.array([answer.reward for answer in answers], np.float32),
            np.array([answer.terminated for answer in answers]),
            np.array([answer.truncated for answer in answers]),
            reached,
        )


def make(environment: Any) -> Environment:
    """An environment by its name: one of ours (``CartPole-v1``, ``Pendulum-v1``, ``GridWorld``, …),
    else Gymnasium's (``gymnasium:CartPole-v1`` for theirs of an equal name).  One that has been
    made is returned, Gymnasium's wrapped."""
    if isinstance(environment, str):
        if environment in OWN:
            return OWN[environment]()
        return Gymnasium(environment.removeprefix("gymnasium:"))
    if hasattr(environment, "observation_space"):
        return Gymnasium(environment)
    found: Environment = environment
    return found


def vectorized(environment: Any, count: int = 1) -> VectorEnvironment:
    """``count`` copies of an environment: by its name, made by a function, or copied; a list is
    taken as the copies.  Ours are computed together, others one after the other."""
    if isinstance(getattr(environment, "count", None), int):
        given: VectorEnvironment = environment
        return given
    if isinstance(environment, (list, tuple)):
        return Several([make(entry) for entry in environment])
    if callable(environment):
        return vectorized(environment(), 1) if count == 1 else _copies(environment, count)
    made = make(environment)
    if isinstance(made, Simulated):
        return Simulations(made, count)
    if isinstance(environment, str):
        return Several([made, *(make(environment) for _ in range(count - 1))])
    return Several([made, *(copy.deepcopy(made) for _ in range(count - 1))])


def _copies(maker: Callable[[], Any], count: int) -> VectorEnvironment:
    made = [make(maker()) for _ in range(count)]
    if isinstance(made[0], Simulated):
        return Simulations(made[0], count)
    return Several(made)


def checked_actions(actions: npt.ArrayLike, environments: VectorEnvironment) -> npt.NDArray[Any]:
    """Actions of N environments as whole numbers (N,) or float64 (N, actions)."""
    array = np.asarray(actions)
    shape: tuple[int, ...] = (environments.count,)
    if environments.bounds is not None:
        shape = (environments.count, environments.actions)
        array = array.reshape(shape) if array.size == np.prod(shape) else array
    if array.shape != shape:
        raise ShapeError(f"the actions have shape {array.shape}", f"use {shape}")
    if environments.bounds is not None:
        if not np.isfinite(array).all():
            raise ArgumentError("an action is not finite", "see whether the network has NaN in it")
        return array.astype(np.float64)
    numbers = array.astype(np.int64)
    if (numbers != array).any() or (numbers < 0).any() or (numbers >= environments.actions).any():
        raise ArgumentError(
            f"the actions are {array!r}", f"use numbers from 0 to {environments.actions - 1}"
        )
    return numbers
