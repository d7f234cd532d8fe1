"""Environments: they take an action and answer with the next state and a reward.

An environment has ``reset(seed)``, which begins an episode and returns its first state, and
``step(action)``, which returns a :class:`Step`.  States are float32 arrays; actions are numbers
from 0 to ``actions`` − 1.
"""

from __future__ import annotations

import importlib
import math
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.base.extras import needs
from pellucid.rl.exact import MDP

State = npt.NDArray[np.float32]


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
    """What the learners need of an environment."""

    states: int
    """How many numbers a state has."""
    actions: int
    """How many actions there are."""

    def reset(self, seed: int | None = None) -> State:
        """Begins an episode; a seed makes this and the following ones repeatable."""
        ...

    def step(self, action: int) -> Step:
        """Does one action."""
        ...


def _checked(action: int, actions: int, running: bool) -> int:
    if not running:
        raise ArgumentError("step() was called but no episode runs", "call reset() first")
    number = int(action)
    if number != action or not 0 <= number < actions:
        raise ArgumentError(f"the action is {action!r}", f"use a number from 0 to {actions - 1}")
    return number


class CartPole:
    """A pole stands on a cart; push the cart left (0) or right (1) so that it does not fall.

    A state holds the cart's position (m) and speed (m/s), the pole's angle (radians) and its speed
    (radians/s); all begin between −0.05 and 0.05.  Each step takes 0.02 s and gives reward 1.  An
    episode terminates when the pole leans more than 12° or the cart is more than 2.4 m away, and
    is truncated after ``limit`` steps: 500 in Gymnasium's CartPole-v1, 200 in CartPole-v0.

    Barto, Sutton and Anderson, "Neuronlike adaptive elements that can solve difficult learning
    control problems" (1983): gravity 9.8 m/s², cart 1 kg, pole 0.1 kg and 1 m long, force 10 N,
    integrated by Euler's rule.

    >>> cart = CartPole()
    >>> cart.reset(seed=0).shape, cart.step(1).reward
    ((4,), 1.0)
    """

    states, actions = 4, 2
    GRAVITY, CART, POLE, HALF_LENGTH, FORCE, SECONDS = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
    FARTHEST, STEEPEST = 2.4, 12 * math.pi / 180

    def __init__(self, limit: int = 500) -> None:
        if limit < 1:
            raise ArgumentError(f"CartPole got limit={limit}", "use at least 1 step")
        self.limit = limit
        self._random = np.random.default_rng()
        self._numbers = [0.0] * 4
        self._steps = 0
        self._running = False

    def reset(self, seed: int | None = None) -> State:
        """Begins an episode near the upright position."""
        if seed is not None:
            self._random = np.random.default_rng(seed)
        self._numbers = [float(number) for number in self._random.uniform(-0.05, 0.05, 4)]
        self._steps, self._running = 0, True
        return np.array(self._numbers, np.float32)

    def step(self, action: int) -> Step:
        """Pushes for 0.02 s."""
        push = self.FORCE if _checked(action, 2, self._running) else -self.FORCE
        x, speed, angle, turning = self._numbers
        sine, cosine = math.sin(angle), math.cos(angle)
        mass, moment = self.CART + self.POLE, self.POLE * self.HALF_LENGTH
        pushed = (push + moment * turning**2 * sine) / mass
        inertia = self.HALF_LENGTH * (4 / 3 - self.POLE * cosine**2 / mass)
        turn = (self.GRAVITY * sine - cosine * pushed) / inertia  # radians/s²
        faster = pushed - moment * turn * cosine / mass  # m/s²
        x, angle = x + self.SECONDS * speed, angle + self.SECONDS * turning
        self._numbers = [x, speed + self.SECONDS * faster, angle, turning + self.SECONDS * turn]
        self._steps += 1
        fell = abs(x) > self.FARTHEST or abs(angle) > self.STEEPEST
        late = self._steps >= self.limit and not fell
        self._running = not (fell or late)
        return Step(np.array(self._numbers, np.float32), 1.0, fell, late)


class GridWorld:
    """Fields in rows and columns; actions 0 … 3 go up, down, left, right; walls and borders stop.

    ``plan`` is a text, one line a row: ``.`` free, ``#`` a wall, ``S`` the start, ``G`` the goal
    (reward 1, ends the episode), ``X`` a trap (reward −1, does not end it).  Who bumps into
    something stays and gets the reward of the field once more.  A state is a 1 at the field's
    number, row by row, and 0 elsewhere.  After ``limit`` steps an episode is truncated.

    >>> world = GridWorld()
    >>> int(world.reset().argmax()), int(world.step(0).state.argmax())
    (8, 4)
    """

    actions = 4
    MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))

    def __init__(self, plan: str = "...G\n.#.X\nS...", limit: int = 1000) -> None:
        rows = plan.split()
        if not rows or len({len(row) for row in rows}) != 1 or set(plan) - set(".#SGX\n "):
            raise ArgumentError(f"the plan {plan!r}", "use rows of equal length of . # S G X")
        if plan.count("S") != 1 or limit < 1:
            raise ArgumentError(
                f"the plan {plan!r} has {plan.count('S')} starts, limit={limit}",
                "use one S, and at least 1 step",
            )
        self.rows, self.columns, self.limit = len(rows), len(rows[0]), limit
        self.fields = "".join(rows)
        self.states = len(self.fields)
        self._place, self._steps, self._running = 0, 0, False

    def reset(self, seed: int | None = None) -> State:
        """Goes back to the start; there is no chance here, so a seed changes nothing."""
        self._place, self._steps, self._running = self.fields.index("S"), 0, True
        return self._state()

    def step(self, action: int) -> Step:
        """Goes to the next field, if it is free."""
        self._place = self.next_field(self._place, _checked(action, 4, self._running))
        self._steps += 1
        goal = self.fields[self._place] == "G"
        late = self._steps >= self.limit and not goal
        self._running = not (goal or late)
        return Step(self._state(), self.reward(self._place), goal, late)

    def next_field(self, field: int, action: int) -> int:
        """The number of the field that ``action`` leads to from ``field``."""
        row, column = divmod(field, self.columns)
        down, right = self.MOVES[action]
        row, column = row + down, column + right
        inside = 0 <= row < self.rows and 0 <= column < self.columns
        if not inside or self.fields[row * self.columns + column] == "#":
            return field
        return row * self.columns + column

    def reward(self, field: int) -> float:
        """The reward for arriving at a field."""
        return {"G": 1.0, "X": -1.0}.get(self.fields[field], 0.0)

    def mdp(self, discount: float = 0.9) -> MDP:
        """The same world as tables of transitions and rewards, for exact solutions."""
        count = self.states
        chance = np.zeros((count, 4, count))
        reward = np.zeros((count, 4))
        for field in range(count):
            for action in range(4):
                after = self.next_field(field, action)
                chance[field, action, after] = 1.0
                reward[field, action] = self.reward(after)
        ends = np.array([kind in "G#" for kind in self.fields])
        return MDP(chance, reward, ends, discount)

    def _state(self) -> State:
        state = np.zeros(self.states, np.float32)
        state[self._place] = 1.0
        return state


class Gymnasium:
    """An environment of the Gymnasium library, such as ``Gymnasium("CartPole-v1")``.

    Takes a name or an environment that has been made; its actions must be numbered and its states
    arrays, which are flattened.  Needs the package ``gymnasium`` (``pellucid[rl]``).
    """

    def __init__(self, environment: Any) -> None:
        if isinstance(environment, str):
            with needs("rl", f"Gymnasium({environment!r})"):
                library = importlib.import_module("gymnasium")
            environment = library.make(environment)
        count = getattr(environment.action_space, "n", None)
        shape = getattr(environment.observation_space, "shape", None)
        if count is None or not shape:
            raise ArgumentError(
                f"the environment has actions {environment.action_space} and states "
                f"{environment.observation_space}",
                "numbered actions (Discrete) and states that are arrays (Box) are supported",
            )
        self.environment = environment
        self.actions, self.states = int(count), int(math.prod(shape))

    def reset(self, seed: int | None = None) -> State:
        """Begins an episode."""
        state, _ = self.environment.reset(seed=seed)
        return np.asarray(state, np.float32).reshape(-1)

    def step(self, action: int) -> Step:
        """Does one action."""
        state, reward, terminated, truncated, _ = self.environment.step(int(action))
        flat = np.asarray(state, np.float32).reshape(-1)
        return Step(flat, float(reward), bool(terminated), bool(truncated))
