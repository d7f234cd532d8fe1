"""Fields in rows and columns, small enough to be known completely."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.rl.environments import Simulated
from pellucid.rl.exact import MDP
from pellucid.rl.kinds import Number, Numbers

REWARDS = {"G": 1.0, "X": -1.0}


class GridWorld(Simulated):
    """Fields in rows and columns; actions 0 … 3 go up, down, left, right; walls and borders stop.

    ``plan`` is a text, one line a row: ``.`` free, ``#`` a wall, ``S`` the start, ``G`` the goal
    (reward 1, ends the episode), ``X`` a trap (reward −1, does not end it), ``C`` a cliff, from
    which one falls back to the start.  ``rewards`` says what arriving at a kind of field earns, 0
    where it does not.  Who bumps into something stays and gets the reward of the field once more.
    A state is a 1 at the field's number, row by row, and 0 elsewhere.  After ``limit`` steps an
    episode is truncated.

    >>> world = GridWorld()
    >>> int(world.reset().argmax()), int(world.step(0).state.argmax())
    (8, 4)
    """

    actions = 4
    MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))

    def __init__(
        self,
        plan: str = "...G\n.#.X\nS...",
        limit: int = 1000,
        rewards: Mapping[str, float] = REWARDS,
    ) -> None:
        rows = plan.split()
        if not rows or len({len(row) for row in rows}) != 1 or set(plan) - set(".#SGXC\n "):
            raise ArgumentError(f"the plan {plan!r}", "use rows of equal length of . # S G X C")
        if plan.count("S") != 1 or limit < 1 or set(rewards) - set(".SGXC"):
            raise ArgumentError(
                f"the plan {plan!r} has {plan.count('S')} starts, limit={limit}, "
                f"rewards of {''.join(rewards)!r}",
                "use one S, at least 1 step, and rewards of . S G X C",
            )
        self.rows, self.columns = len(rows), len(rows[0])
        self.fields = "".join(rows)
        self.rewards = dict(rewards)
        self.states = len(self.fields)
        start = float(self.fields.index("S"))
        self.least = self.most = (start,)
        super().__init__(limit)
        self._after, self._earned, self._end = self._tables()

    def observe(self, m: Numbers, numbers: Any) -> Number:
        """A 1 at the field."""
        return m.one_hot(numbers[0], self.states)

    def advance(self, m: Numbers, numbers: Any, action: Any) -> tuple[Any, Number, Number]:
        """Goes to the next field, if it is free."""
        place = numbers[0] * 4 + action
        ended = m.take(self._end, place) > 0
        return (m.take(self._after, place),), m.take(self._earned, place), ended

    def next_field(self, field: int, action: int) -> int:
        """The number of the field that ``action`` leads to from ``field``."""
        reached = self._reached(field, action)
        return self.fields.index("S") if self.fields[reached] == "C" else reached

    def reward(self, field: int) -> float:
        """The reward for arriving at a field."""
        return self.rewards.get(self.fields[field], 0.0)

    def mdp(self, discount: float = 0.9) -> MDP:
        """The same world as tables of transitions and rewards, for exact solutions."""
        count = self.states
        chance = np.zeros((count, 4, count))
        reward = self._earned.reshape(count, 4).copy()
        for place, after in enumerate(self._after):
            chance[place // 4, place % 4, int(after)] = 1.0
        ends = np.array([kind in "G#" for kind in self.fields])
        return MDP(chance, reward, ends, discount)

    def _reached(self, field: int, action: int) -> int:
        row, column = divmod(field, self.columns)
        down, right = self.MOVES[action]
        row, column = row + down, column + right
        inside = 0 <= row < self.rows and 0 <= column < self.columns
        if not inside or self.fields[row * self.columns + column] == "#":
            return field
        return row * self.columns + column

    def _tables(self) -> tuple[npt.NDArray[np.float64], ...]:
        """The next field, the reward and whether it ends, by 4 · field + action."""
        pairs = [(field, action) for field in range(self.states) for action in range(4)]
        reached = [self._reached(*pair) for pair in pairs]
        after = np.array([self.next_field(*pair) for pair in pairs], np.float64)
        earned = np.array([self.reward(field) for field in reached], np.float64)
        return after, earned, np.array([self.fields[f] == "G" for f in reached], np.float64)


def cliff_walking(limit: int = 1000) -> GridWorld:
    """A way along a cliff: 4 rows of 12 fields; each step costs 1, a fall 100 and the way back.

    Gymnasium's CliffWalking has the same fields and other numbers of actions (up, right, down,
    left).  (Sutton and Barto, "Reinforcement Learning", example 6.6.)
    """
    plan = f"{'.' * 12}\n{'.' * 12}\n{'.' * 12}\nS{'C' * 10}G"
    return GridWorld(plan, limit, {".": -1.0, "S": -1.0, "G": -1.0, "C": -100.0})
