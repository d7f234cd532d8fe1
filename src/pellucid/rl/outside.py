"""Environments of the Gymnasium library here, and ours there."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.base.extras import needs
from pellucid.rl.environments import (
    Bounds,
    Environment,
    State,
    Step,
    bounds_of,
    checked_action,
    checked_parts,
)
from pellucid.rl.exact import MDP

MOST_JOINT = 10_000
"""So many combinations of whole numbers are one state of a table; more are side by side."""

Reader = Callable[[Any], State]

Foreign: TypeAlias = Any
"""A ``gymnasium.Env``, a class of a package that need not be there."""


class Gymnasium:
    """An environment of the Gymnasium library, such as ``Gymnasium("LunarLander-v3")``.

    Takes a name, with keywords of ``gymnasium.make``, or an environment that has been made.

    States: arrays (``Box``) are flattened.  A whole number (``Discrete``) becomes a 1 at its place,
    so that tables can hold it; several (``MultiDiscrete``, ``MultiBinary``, a ``Tuple``) together
    as well, up to 10,000 combinations, and side by side otherwise.  Other ``Tuple`` and ``Dict``
    spaces are put side by side.

    Actions: numbered (``Discrete``; several numbers become one that counts their combinations), or
    arrays with finite bounds (``Box``).  Needs the package ``gymnasium`` (``pellucid[rl]``).
    """

    def __init__(self, environment: Any, **keywords: Any) -> None:
        if isinstance(environment, str):
            with needs("rl", f"Gymnasium({environment!r})"):
                library = importlib.import_module("gymnasium")
            try:
                environment = library.make(environment, **keywords)
            except library.error.Error as error:
                raise ArgumentError(
                    f"Gymnasium cannot make {environment!r}: {error}",
                    "See gymnasium.envs.registry for the names, and what must be installed.",
                ) from error
        self.environment = environment
        found = _reader(getattr(environment, "observation_space", None))
        if found is None:
            raise ArgumentError(
                f"the environment has the states {getattr(environment, 'observation_space', None)}",
                "arrays (Box), whole numbers, and tuples and dictionaries of them are supported",
            )
        self.states, self._read = found
        self.bounds: Bounds | None
        self.actions, self.bounds, self._told = _actions(getattr(environment, "action_space", None))

    def reset(self, seed: int | None = None) -> State:
        """Begins an episode."""
        state, _ = self.environment.reset(seed=seed)
        return self._read(state)

    def step(self, action: Any) -> Step:
        """Does one action."""
        answer = self.environment.step(self._told(action))
        if len(answer) != 5:
            raise ArgumentError(
                f"the environment's step() gave {len(answer)} values",
                "Gymnasium's gives state, reward, terminated, truncated and more; environments for "
                "older libraries do not say whether an episode ended or was broken off",
            )
        state, reward, terminated, truncated, _ = answer
        return Step(self._read(state), float(reward), bool(terminated), bool(truncated))

    def mdp(self, discount: float = 0.9) -> MDP:
        """The tables of an environment that carries its own (``P``), such as FrozenLake,
        CliffWalking and Taxi, for exact solutions."""
        table = getattr(getattr(self.environment, "unwrapped", None), "P", None)
        if not isinstance(table, dict):
            raise ArgumentError(
                "the environment has no tables", "FrozenLake, CliffWalking and Taxi have them"
            )
        chance = np.zeros((self.states, self.actions, self.states))
        reward = np.zeros((self.states, self.actions))
        ends = np.zeros(self.states, bool)
        for state, actions in table.items():
            for action, outcomes in actions.items():
                for probability, after, earned, over in outcomes:
                    chance[state, action, after] += probability
                    reward[state, action] += probability * earned
                    ends[after] |= over
        return MDP(chance, reward, ends, discount)


def _reader(space: Any) -> tuple[int, Reader] | None:
    """How many numbers a state of ``space`` becomes and what makes them; None for other spaces."""
    sizes = _sizes(space)
    if sizes is not None:
        return _counted(*sizes)
    parts = getattr(space, "spaces", None)
    if parts is not None:
        names = list(parts) if isinstance(parts, dict) else list(range(len(parts)))
        found = [_reader(parts[name]) for name in names]
        readers = [entry for entry in found if entry is not None]
        if not readers or len(readers) < len(found):
            return None
        return sum(count for count, _ in readers), lambda state: np.concatenate(
            [read(state[name]) for name, (_, read) in zip(names, readers, strict=True)]
        )
    shape = getattr(space, "shape", None)
    if not shape:
        return None
    return int(math.prod(shape)), lambda state: np.asarray(state, np.float32).reshape(-1)


def _counted(sizes: list[int], starts: list[int]) -> tuple[int, Reader]:
    """A reader of whole numbers."""
    least = np.array(starts)
    joint = math.prod(sizes)
    if joint <= MOST_JOINT:

        def together(state: Any) -> State:
            numbers = _whole(state) - least
            place = int(np.ravel_multi_index(tuple(numbers), sizes))
            made = np.zeros(joint, np.float32)
            made[place] = 1.0
            return made

        return joint, together
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def beside(state: Any) -> State:
        made = np.zeros(sum(sizes), np.float32)
        made[begins + _whole(state) - least] = 1.0
        return made

    return sum(sizes), beside


def _whole(state: Any) -> npt.NDArray[np.int64]:
    """The whole numbers of a state, one after the other."""
    if isinstance(state, tuple):
        return np.concatenate([_whole(part) for part in state])
    return np.asarray(state, np.int64).reshape(-1)


def _sizes(space: Any) -> tuple[list[int], list[int]] | None:
    """Of a space of whole numbers: how many values each takes, and its least one."""
    kind = type(space).__name__
    parts = getattr(space, "spaces", None)
    if isinstance(parts, (tuple, list)):
        found = [_sizes(part) for part in parts]
        known = [entry for entry in found if entry is not None]
        if not known or len(known) < len(found):
            return None
        return [n for sizes, _ in known for n in sizes], [s for _, starts in known for s in starts]
    if hasattr(space, "nvec"):
        sizes = [int(n) for n in np.ravel(space.nvec)]
        return sizes, [int(n) for n in np.ravel(getattr(space, "start", np.zeros(len(sizes))))]
    if kind == "MultiBinary":
        count = int(np.prod(space.n))
        return [2] * count, [0] * count
    if getattr(space, "n", None) is not None:
        return [int(space.n)], [int(getattr(space, "start", 0))]
    return None


def _actions(space: Any) -> tuple[int, Bounds | None, Callable[[Any], Any]]:
    """How many actions there are or numbers an action has, its bounds, and the action as the
    environment takes it."""
    sizes = None if hasattr(space, "spaces") else _sizes(space)
    if sizes is not None and math.prod(sizes[0]) <= MOST_JOINT:
        counts, starts = sizes
        joint = math.prod(counts)
        if hasattr(space, "nvec") or type(space).__name__ == "MultiBinary":
            least = np.array(starts)
            shape = space.shape

            def several(action: Any) -> Any:
                places = np.unravel_index(checked_action(action, joint), counts)
                return (np.array(places) + least).reshape(shape).astype(space.dtype)

            return joint, None, several
        return joint, None, lambda action: checked_action(action, joint) + starts[0]
    low, high = getattr(space, "low", None), getattr(space, "high", None)
    if low is None or high is None or not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ArgumentError(
            f"the environment has the actions {space}",
            "numbered actions (up to 10,000) and arrays with finite bounds are supported",
        )
    bounds = (tuple(np.ravel(low).tolist()), tuple(np.ravel(high).tolist()))
    count = len(bounds[0])

    def array(action: Any) -> Any:
        return checked_parts(action, count).reshape(space.shape).astype(space.dtype)

    return count, bounds, array


def as_gymnasium(environment: Environment) -> Foreign:
    """An environment of ours as a ``gymnasium.Env``, for other libraries; actions and states are
    the same, seeds too.  Needs the package ``gymnasium`` (``pellucid[rl]``).

    >>> from pellucid.rl import CartPole
    >>> cart = as_gymnasium(CartPole())                                        # doctest: +SKIP
    >>> state, info = cart.reset(seed=0)                                       # doctest: +SKIP
    """
    with needs("rl", "as_gymnasium()"):
        library = importlib.import_module("gymnasium")
    bounds = bounds_of(environment)
    if bounds is None:
        actions = library.spaces.Discrete(environment.actions)
    else:
        low, high = (np.array(side, np.float32) for side in bounds)
        actions = library.spaces.Box(low, high, dtype=np.float32)
    members: dict[str, Any] = {
        "__doc__": f"{type(environment).__name__} for Gymnasium.",
        "metadata": {"render_modes": []},
        "render_mode": None,
        "action_space": actions,
        "observation_space": library.spaces.Box(-np.inf, np.inf, (environment.states,), np.float32),
        "reset": _reset_of(library, environment),
        "step": lambda self, action: _five(environment.step(action)),
        "render": lambda self: None,
    }
    return type(f"{type(environment).__name__}Env", (library.Env,), members)()


def _reset_of(
    library: Any, environment: Environment
) -> Callable[..., tuple[State, dict[str, Any]]]:
    def reset(
        self: Any, *, seed: int | None = None, options: Any = None
    ) -> tuple[State, dict[str, Any]]:
        library.Env.reset(self, seed=seed)
        return environment.reset(seed), {}

    return reset


def _five(step: Step) -> tuple[State, float, bool, bool, dict[str, Any]]:
    return step.state, step.reward, step.terminated, step.truncated, {}
