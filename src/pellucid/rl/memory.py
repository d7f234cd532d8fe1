"""A memory of steps inside of compiled programs: kept, drawn evenly or by how surprising they were,
and put together over n steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import pellucid
from pellucid import Generator, Tensor
from pellucid.base.errors import ArgumentError
from pellucid.rl.worlds import Played

BLOCK = 128
"""Priorities are summed in blocks of so many, then within the drawn block."""


class Drawn(NamedTuple):
    """A batch of B steps."""

    states: Tensor
    """(B, states)."""
    actions: Tensor
    """int64 (B,), or (B, actions)."""
    rewards: Tensor
    """(B,): r + γ r' + … over up to n steps."""
    reached: Tensor
    """The states after these steps, (B, states)."""
    follow: Tensor
    """What the value of ``reached`` counts with: γⁿ, or 0 where the episode terminated, (B,)."""
    rows: Tensor
    """Where the steps are kept, int64 (B,)."""
    weights: Tensor
    """What each step counts with, (B,): 1 where all are drawn evenly."""


class Memory:
    """The last steps of N environments; what is oldest goes first.

    ``horizon`` n: rewards of n steps before the value that follows, cut where an episode ends.
    ``priority`` α above 0: a step is drawn with a probability that grows with its last error,
    (|δ| + ε)^α, and counts with (size · p)^−β / max, β growing from 0.4 to 1 (Schaul and others,
    2016).
    """

    def __init__(
        self,
        size: int,
        count: int,
        states: int,
        actions: int | None,
        generator: Generator,
        *,
        discount: float = 0.99,
        horizon: int = 1,
        priority: float = 0.0,
    ) -> None:
        self.slots = max(size // count, 1)
        if horizon < 1 or self.slots <= horizon or not 0 <= priority <= 1:
            raise ArgumentError(
                f"a memory of {size} steps of {count} environments, horizon={horizon}, "
                f"priority={priority}",
                "keep more steps of each environment than the horizon has, priority from 0 to 1",
            )
        self.count, self.generator = count, generator
        self.discount, self.horizon, self.priority = discount, horizon, priority
        rows = self.slots * count
        self.states = pellucid.zeros(rows, states)
        self.reached = pellucid.zeros(rows, states)
        self.actions = (
            pellucid.zeros(rows, dtype=pellucid.int64)
            if actions is None
            else pellucid.zeros(rows, actions)
        )
        self.rewards, self.terminated, self.done = (pellucid.zeros(rows) for _ in range(3))
        self.filled = pellucid.zeros(1)
        """How many slots hold something."""
        self.next = pellucid.zeros(1)
        """The slot that is written next."""
        self.beta = pellucid.full((1,), 0.4)
        blocks = -(-rows // BLOCK) if priority else 1
        self.weights = pellucid.zeros(blocks * BLOCK)
        self.highest = pellucid.ones(1)
        self._added = 0

    def __len__(self) -> int:
        """How many steps it holds."""
        return min(self._added, self.slots) * self.count

    def tensors(self) -> dict[str, Tensor]:
        """All that it holds."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def restored(self) -> None:
        """To be called after its tensors were overwritten."""
        filled, place = int(self.filled.item()), int(self.next.item())
        self._added = filled + (place if filled == self.slots else 0)

    def add(self, played: Played) -> None:
        """Puts T steps in."""
        steps = len(played.rewards)
        slots = (self._added + np.arange(steps)) % self.slots
        rows = (slots[:, None] * self.count + np.arange(self.count)).reshape(-1)
        for kept, given in (
            (self.states, played.states),
            (self.reached, played.reached),
            (self.actions, played.actions),
            (self.rewards, played.rewards),
            (self.terminated, played.terminated),
            (self.done, played.done),
        ):
            array: npt.NDArray[np.generic] = kept.numpy()
            array[rows] = given.reshape(-1, *array.shape[1:])
        if self.priority:
            self.weights.numpy()[rows] = self.highest.numpy()[0]
        self._added += steps
        self.filled.numpy()[0] = min(self._added, self.slots)
        self.next.numpy()[0] = self._added % self.slots

    def draw(self, batch: int) -> Drawn:
        """A batch; inside of a compiled program."""
        rows, weights = self._by_priority(batch) if self.priority else self._evenly(batch)
        rewards, follow = self.rewards[rows], self.discount * (1 - self.terminated[rows])
        last, going, factor = rows, 1 - self.done[rows], 1.0
        for _ in range(self.horizon - 1):
            later = (last + self.count) % (self.slots * self.count)
            going = going * self._newer(rows, later)
            last = pellucid.where(going > 0, later, last)
            factor *= self.discount
            rewards = rewards + going * factor * self.rewards[last]
            onwards = factor * self.discount * (1 - self.terminated[last])
            follow = pellucid.where(going > 0, onwards, follow)
            going = going * (1 - self.done[last])
        return Drawn(
            self.states[rows],
            self.actions[rows],
            rewards,
            self.reached[last],
            follow,
            rows,
            weights,
        )

    def learn(self, rows: Tensor, errors: Tensor) -> None:
        """Sets priorities by errors (B,); inside of a compiled program."""
        if not self.priority:
            return
        with pellucid.no_grad():
            weights = (errors.abs() + 1e-6) ** self.priority
            self.weights.index_copy_(0, rows, weights)
            self.highest.copy_(pellucid.maximum(self.highest, weights.max()))

    def _newer(self, first: Tensor, later: Tensor) -> Tensor:
        """1 where ``later`` was written after ``first``, by the order of their slots."""
        begin = self.next * (self.filled >= self.slots)  # the oldest slot
        age = ((first // self.count) - begin) % self.slots
        other = ((later // self.count) - begin) % self.slots
        return ((other > age) & (other < self.filled)).to(pellucid.float32)

    def _evenly(self, batch: int) -> tuple[Tensor, Tensor]:
        drawn = pellucid.rand(batch, generator=self.generator)
        rows = (drawn * (self.filled * self.count)).to(pellucid.int64)
        last = (self.filled * self.count - 1).to(pellucid.int64)
        return pellucid.minimum(rows, last), pellucid.ones(batch)

    def _by_priority(self, batch: int) -> tuple[Tensor, Tensor]:
        """Rows with a probability proportional to their weights: a block by the running sum of
        blocks, then a row by the running sum within it."""
        table = self.weights.reshape(-1, BLOCK)
        running = table.sum(1).cumsum(0)
        total = running[-1:]
        aim = pellucid.rand(batch, generator=self.generator) * total
        block = (running.unsqueeze(0) <= aim.unsqueeze(1)).sum(1).clamp(max=table.shape[0] - 1)
        before = running[block] - table.sum(1)[block]
        inside = table[block].cumsum(1)
        place = (inside <= (aim - before).unsqueeze(1)).sum(1).clamp(max=BLOCK - 1)
        last = (self.filled * self.count - 1).to(pellucid.int64)
        rows = pellucid.minimum(block * BLOCK + place, last)
        chance = (self.weights[rows] / total).clamp(min=1e-12)
        counts = (chance * (self.filled * self.count)) ** (-self.beta)
        return rows, counts / counts.max()
