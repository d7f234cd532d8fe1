"""Explanations whose values belong to players: groups of elements that come and go together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.players import Players

Floats = npt.NDArray[np.float64]


@dataclass(eq=False, repr=False)
class GroupedExplanation(Explanation):
    """An explanation by players.

    ``shares`` float64 (rows, players) are the players' values, of which ``values`` gives each
    element of a player an equal part, so that they sum to the same.  ``share_errors`` are their
    standard errors, ``players`` says who they are.
    """

    shares: Any = None
    share_errors: Any = None
    players: Players | None = None
    cells: Any = None
    """Texts (rows, players) of what each player is in each row, where it is known."""

    @property
    def share_interval(self) -> tuple[Floats, Floats] | None:
        """(low, high) of the shares, 95 %; None where they rest on no sample."""
        if self.share_errors is None:
            return None
        radius = 1.959963984540054 * self.share_errors
        return self.shares - radius, self.shares + radius

    def strongest(self, row: int = 0, count: int = 10) -> list[tuple[str, float, float | None]]:
        """The players with the largest values of a row: (name, value, standard error or None)."""
        if self.players is None:
            return super().strongest(row, count)
        self._checked_row(row)
        values, errors = self.shares[row], self.share_errors
        order = np.argsort(-np.abs(values), kind="stable")[:count]
        return [
            (
                self._told(row, int(i)),
                float(values[i]),
                None if errors is None else float(errors[row, i]),
            )
            for i in order
        ]

    def _told(self, row: int, player: int) -> str:
        name = self.players.names[player] if self.players is not None else str(player)
        return name if self.cells is None else f"{name} = {self.cells[row][player]}"
