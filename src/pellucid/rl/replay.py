"""A memory of steps, to learn from each more than once and in mixed order.

Lin, "Self-improving reactive agents based on reinforcement learning, planning and teaching"
(1992); Mnih and others (2015).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid import Tensor, from_numpy
from pellucid.base.errors import ArgumentError, ShapeError


class Batch(NamedTuple):
    """Steps drawn from a buffer, as tensors."""

    states: Tensor
    """float32 (N, states)."""
    actions: Tensor
    """int64 (N,)."""
    rewards: Tensor
    """float32 (N,)."""
    next_states: Tensor
    """float32 (N, states)."""
    terminated: Tensor
    """float32 (N,): 1 where nothing more can be earned from the next state."""


class ReplayBuffer:
    """Keeps the last ``size`` steps of an environment with ``states`` numbers a state.

    >>> buffer = ReplayBuffer(1000, states=4)
    >>> buffer.add(np.zeros(4), 1, 1.0, np.ones(4), False)
    >>> buffer.draw(32, np.random.default_rng(0)).actions.shape
    pellucid.Size([32])
    """

    def __init__(self, size: int, states: int) -> None:
        if size < 1 or states < 1:
            raise ArgumentError(
                f"ReplayBuffer got size={size}, states={states}", "use at least 1 of both"
            )
        self.size = size
        self._states = np.zeros((size, states), np.float32)
        self._actions = np.zeros(size, np.int64)
        self._rewards = np.zeros(size, np.float32)
        self._next_states = np.zeros((size, states), np.float32)
        self._terminated = np.zeros(size, np.float32)
        self._added = 0

    def __len__(self) -> int:
        """How many steps it holds."""
        return min(self._added, self.size)

    def add(
        self,
        state: npt.ArrayLike,
        action: int,
        reward: float,
        next_state: npt.ArrayLike,
        terminated: bool,
    ) -> None:
        """Puts a step in, for the oldest one when it is full."""
        place = self._added % self.size
        for row, given in ((self._states, state), (self._next_states, next_state)):
            array = np.asarray(given, np.float32)
            if array.shape != row.shape[1:]:
                raise ShapeError(
                    f"ReplayBuffer got a state of shape {array.shape}",
                    f"this one takes {row.shape[1:]}",
                )
            row[place] = array
        self._actions[place] = action
        self._rewards[place] = reward
        self._terminated[place] = terminated
        self._added += 1

    def draw(self, count: int, random: np.random.Generator) -> Batch:
        """``count`` steps, each any of those kept, so one may come twice."""
        if not len(self) or count < 1:
            raise ArgumentError(
                f"draw({count}) from a buffer of {len(self)} steps", "add steps before, draw from 1"
            )
        rows = random.integers(len(self), size=count)
        parts = (self._states, self._actions, self._rewards, self._next_states, self._terminated)
        return Batch(*(from_numpy(part[rows]) for part in parts))
