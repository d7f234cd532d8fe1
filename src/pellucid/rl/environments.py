"""Environments: they take an action and answer with the next state and a reward.

An environment has ``reset(seed)``, which begins an episode and returns its first state, and
``step(action)``, which returns a :class:`Step`.  States are float32 arrays; actions are numbers
from 0 to ``actions`` − 1, or, where there are ``bounds``, arrays of ``actions`` numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.rl.kinds import PLAIN, Number, Numbers

State = npt.NDArray[np.float32]
Bounds = tuple[tuple[float, ...], tuple[float, ...]]
"""The least and the greatest number of each part of an action."""


class Step(NamedTuple):
    """What an environment answers to an action."""

    state: State
    """The state that the action led to, float32 (states,)."""
    reward: float
    """The reward for the step."""
    terminated: bool
    """Whether the episode is over because of this state: nothing more can be earned from it."""
    truncated: bool
    """Whether it was merely broken off, as by a limit of steps: more could have been earned."""

    @property
    def done(self) -> bool:
        """Whether a new episode must begin."""
        return self.terminated or self.truncated


class Environment(Protocol):
    """What the learners need of an environment.  Where actions are not numbered but arrays, it
    has ``bounds``, the least and the greatest number of each part."""

    states: int
    """How many numbers a state has."""
    actions: int
    """How many actions there are, or how many numbers an action has."""

    def reset(self, seed: int | None = None) -> State:
        """Begins an episode; a seed makes this and the following ones repeatable."""
        ...

    def step(self, action: Any) -> Step:
        """Does one action."""
        ...


def bounds_of(environment: Any) -> Bounds | None:
    """The bounds of an environment's actions, None where they are numbered."""
    bounds: Bounds | None = getattr(environment, "bounds", None)
    return bounds


class Simulated:
    """An environment whose rules are formulas: it can be played alone, as many copies at once
    (``VectorEnvironment``), or inside of a compiled program, always by the same two methods.

    A subclass says where its ``numbers`` begin (each uniformly between ``least`` and ``most``),
    what a state shows of them (``observe``), and how an action changes them (``advance``).  An
    episode is truncated after ``limit`` steps.
    """

    states: int
    actions: int
    bounds: Bounds | None = None
    least: tuple[float, ...]
    most: tuple[float, ...]

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ArgumentError(f"{type(self).__name__} got limit={limit}", "use at least 1 step")
        self.limit = limit
        self._random = np.random.default_rng()
        self.numbers: tuple[Any, ...] = self.least
        self._steps, self._running = 0, False

    def observe(self, m: Numbers, numbers: Any) -> Number:
        """The state that shows these numbers."""
        raise NotImplementedError

    def advance(self, m: Numbers, numbers: Any, action: Any) -> tuple[Any, Number, Number]:
        """The numbers after an action, the reward for it, and whether the episode terminated."""
        raise NotImplementedError

    def reset(self, seed: int | None = None) -> State:
        """Begins an episode; a seed makes this and the following ones repeatable."""
        if seed is not None:
            self._random = np.random.default_rng(seed)
        self.put(tuple(self._random.uniform(self.least, self.most).tolist()))
        return self._state()

    def put(self, numbers: tuple[float, ...]) -> None:
        """Begins an episode with these numbers."""
        self.numbers = numbers
        self._steps, self._running = 0, True

    def step(self, action: Any) -> Step:
        """Does one action."""
        if not self._running:
            raise ArgumentError("step() was called but no episode runs", "call reset() first")
        chosen = (
            checked_action(action, self.actions)
            if self.bounds is None
            else tuple(checked_parts(action, self.actions).tolist())
        )
        self.numbers, reward, terminated = self.advance(PLAIN, self.numbers, chosen)
        self._steps += 1
        late = self._steps >= self.limit and not terminated
        self._running = not (terminated or late)
        return Step(self._state(), float(reward), bool(terminated), late)

    def _state(self) -> State:
        state: State = self.observe(PLAIN, self.numbers)
        return state


def checked_action(action: Any, actions: int) -> int:
    """An action as a number from 0 to ``actions`` − 1."""
    try:
        number = int(action)
    except (TypeError, ValueError):
        number = -1
    if number != action or not 0 <= number < actions:
        raise ArgumentError(f"the action is {action!r}", f"use a number from 0 to {actions - 1}")
    return number


def checked_parts(action: Any, parts: int) -> npt.NDArray[np.float64]:
    """An action as an array (parts,) of finite numbers."""
    array = np.asarray(action, np.float64).reshape(-1)
    if len(array) != parts or not np.isfinite(array).all():
        raise ArgumentError(f"the action is {action!r}", f"use an array of {parts} finite numbers")
    return array
