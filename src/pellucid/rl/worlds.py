"""Where agents play: inside of a compiled program, or step by step in Python.

Our own environments are formulas, so that acting, moving and beginning anew are one program, and
thousands of steps one native call.  Others are asked step by step; only the agent is compiled.
Both answer with the same arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import pellucid
from pellucid import Generator, Tensor
from pellucid.rl.environments import Bounds, Simulated
from pellucid.rl.kinds import TENSORS
from pellucid.rl.vector import Simulations, VectorEnvironment, vectorized

Array = npt.NDArray[Any]

Choose = Callable[[Tensor], tuple[Tensor, ...]]
"""States (N, states) → actions, as the agent keeps them, and what else it wants to keep of them."""


class Played(NamedTuple):
    """T steps of N environments, as arrays (T, N, …)."""

    states: Array
    actions: Array
    rewards: Array
    terminated: Array
    """float32: nothing follows."""
    truncated: Array
    """float32: the episode was merely broken off."""
    reached: Array
    """The states that the actions led to; last states where an episode ended."""
    more: tuple[Array, ...]
    """What else the agent kept: logarithms of probabilities, values."""

    @property
    def done(self) -> Array:
        """float32 (T, N): the episode ended in either way."""
        done: Array = np.maximum(self.terminated, self.truncated)
        return done


def joined(parts: list[Played]) -> Played:
    """Steps that were played one after the other, as one."""
    more = tuple(np.concatenate(p) for p in zip(*(part.more for part in parts), strict=True))
    states, actions, rewards, ended, broken, reached = (
        np.concatenate([part[i] for part in parts]) for i in range(6)
    )
    return Played(states, actions, rewards, ended, broken, reached, more)


class World:
    """N copies of an environment and the states that they are in."""

    def __init__(self, environment: Any, copies: int, generator: Generator, seed: int) -> None:
        self.environments: VectorEnvironment = vectorized(environment, copies)
        self.count = self.environments.count
        self.states, self.actions = self.environments.states, self.environments.actions
        self.bounds: Bounds | None = self.environments.bounds
        self.generator = generator
        self.traced: _Traced | None = None
        self._now: Array = np.zeros((self.count, self.states), np.float32)
        if isinstance(self.environments, Simulations):
            self.traced = _Traced(self.environments.environment, self.count, generator)
            self.traced.begin()
        else:
            self._now = self.environments.reset(seed)

    def player(self, choose: Choose, scale: bool = False) -> Callable[[int], Played]:
        """What plays T steps with the actions that ``choose`` draws.  ``scale``: they are from −1
        to 1 and are stretched to the bounds; otherwise they are cut to them."""
        to_bounds = bounded(self.bounds, scale)
        if self.traced is not None:
            inside: Callable[[int], Played] = self.traced.player(choose, to_bounds)
            return inside

        def ask(states: Tensor) -> tuple[Tensor, ...]:
            with pellucid.no_grad():
                chosen = choose(states)
                return (to_bounds(chosen[0]), *chosen)

        compiled = pellucid.compile(ask)
        return lambda steps: self._step_by_step(steps, compiled)

    def _step_by_step(self, steps: int, ask: Any) -> Played:
        rows = []
        for _ in range(steps):
            given, *chosen = (part.numpy() for part in ask(pellucid.from_numpy(self._now)))
            answer = self.environments.step(given)
            ended = answer.terminated.astype(np.float32)
            broken = (answer.truncated & ~answer.terminated).astype(np.float32)
            rows.append((self._now, answer.rewards, ended, broken, answer.reached, *chosen))
            self._now = answer.states
        states, rewards, ended, broken, reached, actions, *more = map(
            np.stack, zip(*rows, strict=True)
        )
        return Played(states, actions, rewards, ended, broken, reached, tuple(more))

    def position(self) -> dict[str, Tensor]:
        """What must be kept to go on from here: the numbers and ages of our own environments.
        Others begin new episodes."""
        if self.traced is None:
            return {}
        return {"numbers": self.traced.numbers, "ages": self.traced.ages}


class _Traced:
    """Copies of one of our environments whose numbers are tensors that a program moves on."""

    def __init__(self, environment: Simulated, count: int, generator: Generator) -> None:
        self.environment, self.count, self.generator = environment, count, generator
        self.low = pellucid.tensor(environment.least, dtype=pellucid.float32)
        width = pellucid.tensor(environment.most, dtype=pellucid.float32) - self.low
        self.width = width
        self.numbers = pellucid.zeros(count, len(environment.least))
        self.ages = pellucid.zeros(count)

    def begin(self) -> None:
        """Begins an episode in each."""
        self.numbers.copy_(self._first())
        self.ages.zero_()

    def player(self, choose: Choose, to_bounds: Callable[[Tensor], Tensor]) -> Any:
        """A program of one step, run T times in a native call."""

        def step() -> tuple[Tensor, ...]:
            with pellucid.no_grad():
                states = self.environment.observe(TENSORS, self.numbers.unbind(1)).clone()
                chosen = choose(states)
                return (states, *self._moved(to_bounds(chosen[0])), *chosen)

        program = pellucid.compile(step)

        def played(steps: int) -> Played:
            states, rewards, ended, broken, reached, actions, *more = (
                part.numpy() for part in program.many(steps)
            )
            return Played(states, actions, rewards, ended, broken, reached, tuple(more))

        return played

    def _moved(self, actions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Reward, terminated, truncated and the state reached; numbers and ages go on."""
        numbers = self.numbers.clone().unbind(1)
        given = actions if self.environment.bounds is None else actions.unbind(1)
        after, rewards, over = self.environment.advance(TENSORS, numbers, given)
        reached = self.environment.observe(TENSORS, after)
        ages = self.ages + 1
        late = (ages >= self.environment.limit) & ~over
        done = over | late
        self.numbers.copy_(
            pellucid.where(done.unsqueeze(1), self._first(), pellucid.stack(list(after), 1))
        )
        self.ages.copy_(pellucid.where(done, pellucid.zeros(self.count), ages))
        ended, broken = over.to(pellucid.float32), late.to(pellucid.float32)
        return rewards.to(pellucid.float32), ended, broken, reached

    def _first(self) -> Tensor:
        shape = self.numbers.shape
        return self.low + self.width * pellucid.rand(*shape, generator=self.generator)


def bounded(bounds: Bounds | None, scale: bool) -> Callable[[Tensor], Tensor]:
    """Actions as the environment takes them: stretched from [−1, 1], or cut to the bounds."""
    if bounds is None:
        return lambda actions: actions
    low, high = (pellucid.tensor(side, dtype=pellucid.float32) for side in bounds)
    if scale:
        return lambda actions: low + (actions + 1) * ((high - low) / 2)
    return lambda actions: actions.maximum(low).minimum(high)


class Tally:
    """Sums of rewards and lengths of episodes, as they end."""

    def __init__(self, count: int) -> None:
        self.sums: list[float] = []
        self.lengths: list[int] = []
        self.broken_off = 0
        """How many of them were broken off."""
        self._open = np.zeros(count)
        self._ages = np.zeros(count, np.int64)

    def add(self, played: Played) -> None:
        """Takes note of T steps of N environments."""
        done = played.done
        if not done.any():
            self._open += played.rewards.sum(0)
            self._ages += len(done)
            return
        begun = np.zeros(len(self._open), np.int64)
        for step, i in zip(*np.nonzero(done), strict=True):
            rewards = played.rewards[begun[i] : step + 1, i]
            self.sums.append(float(self._open[i] + rewards.sum(dtype=np.float64)))
            self.lengths.append(int(self._ages[i] + len(rewards)))
            self.broken_off += int(played.truncated[step, i] > 0)
            self._open[i], self._ages[i], begun[i] = 0.0, 0, step + 1
        for i, start in enumerate(begun):
            self._open[i] += played.rewards[start:, i].sum()
            self._ages[i] += len(done) - start
