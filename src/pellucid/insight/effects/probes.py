"""What answers rest on while a network learns: explanations of the same rows after every epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, NamingError
from pellucid.insight.effects.drawing import draw_curves
from pellucid.insight.effects.subject import as_rows, row_count
from pellucid.insight.effects.tables import DRAWN, GRADIENTS, METHODS, chosen_method
from pellucid.insight.effects.uncertainty import Interval
from pellucid.insight.effects.verdict import Reasons
from pellucid.insight.explain.players import players_of
from pellucid.insight.explain.verdicts import Verdict, rank_correlation
from pellucid.training.callbacks import Callback
from pellucid.training.history import EpochRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]


class ExplainProbes(Callback):
    """Explains fixed rows after every epoch, and shows when a column takes over.

    >>> probes = ExplainProbes(x[:20], names=["age", "income", "leak"])        # doctest: +SKIP
    >>> Trainer(model, "cross_entropy", callbacks=[probes]).fit((x, y))        # doctest: +SKIP
    >>> probes.takeover("leak"), probes.draw("leak.png")                       # doctest: +SKIP

    ``rows`` are inputs of the model (an array, tensor, or several in a tuple); ``target`` the
    position of the explained score, one for each row, or None for the score that was largest at
    the first look.  ``method`` is one of ``METHODS`` (Shapley values by default: exact or by
    KernelSHAP), or of ``GRADIENTS`` in ``insight/effects/tables.py``.
    ``background`` rows stand for absent columns, by default the rows themselves.  ``groups`` and
    ``names`` are as for every method.  Every ``every``-th epoch is looked at.

    ``epochs`` (looks,) and ``shares`` (looks, rows, players) hold what was seen.
    """

    def __init__(
        self,
        rows: Any,
        target: Any = None,
        *,
        method: str = "auto",
        background: Any = None,
        groups: Any = None,
        names: Sequence[str] | None = None,
        every: int = 1,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        if every < 1:
            raise ArgumentError(f"every={every}", "Look every epoch, or every so many.")
        self.rows = as_rows(rows)
        self.target, self.method, self.groups = target, method, groups
        self.background = self.rows if background is None else as_rows(background)
        self.every, self.seed, self.settings = every, seed, settings
        arrays = [np.asarray(part) for part in _listed(self.rows)]
        inputs = tuple(f"input {k}" for k in range(len(arrays)))
        self.players = players_of(arrays, groups, inputs, names)
        self.names = self.players.names
        self.epochs: list[int] = []
        self.seen: list[Floats] = []

    @property
    def shares(self) -> Floats:
        """What each player of each row had after each epoch: (looks, rows, players)."""
        return np.stack(self.seen) if self.seen else np.zeros((0, row_count(self.rows), 0))

    def on_epoch_end(self, trainer: Any, record: EpochRecord) -> None:
        """Looks at the rows."""
        if record.epoch % self.every == 0:
            self.look(trainer.model, record.epoch)

    def look(self, model: Any, epoch: int) -> None:
        """Explains the rows with the model as it is now; for loops without a Trainer."""
        found = self._explained(model)
        if self.target is None:
            self.target = found.target
        shares = getattr(found, "shares", None)
        if shares is None:
            shares = self._summed(found)
        self.epochs.append(epoch)
        self.seen.append(np.asarray(shares, np.float64))

    def _explained(self, model: Any) -> Any:
        kind = chosen_method(self.method, len(self.names), row_count(self.background))
        if kind not in METHODS:
            return GRADIENTS[kind](model, self.rows, self.target, **self.settings)
        drawn = {"seed": self.seed} if kind in DRAWN else {}
        return METHODS[kind](
            model, self.rows, target=self.target, background=self.background, groups=self.groups,
            **{**drawn, **self.settings},
        )  # fmt: skip

    def _summed(self, found: Any) -> Floats:
        total = np.zeros((row_count(self.rows), len(self.names)))
        for part, values in zip(self.players.labels, found.values, strict=True):
            for row, line in enumerate(values):
                own = part[min(row, len(part) - 1)].ravel()
                total[row] += np.bincount(own, np.ravel(line), len(self.names))
        return total

    # ---- what was seen -----------------------------------------------------------------------

    def curve(self, name: str) -> Floats:
        """The part of all |shares| that a player has after each look, the mean over rows: 0 … 1."""
        return np.asarray(self._parts()[:, :, self._place(name)].mean(axis=1))

    def interval(self, name: str, level: float = 0.95) -> Interval:
        """Where the curve lies if the rows had been others."""
        return Interval.of_mean(self._parts()[:, :, self._place(name)], axis=1, level=level)

    def takeover(self, name: str, part: float = 0.5) -> int | None:
        """The first epoch from which on a player has at least this part of all |shares|, to the
        last look; None where it never does."""
        high = self.curve(name) >= part
        if not len(high) or not high[-1]:
            return None
        below = np.flatnonzero(~high)
        return self.epochs[int(below[-1]) + 1 if len(below) else 0]

    def _parts(self) -> Floats:
        sizes = np.abs(self.shares)
        total = sizes.sum(axis=2, keepdims=True)
        return np.asarray(np.divide(sizes, total, out=np.zeros_like(sizes), where=total > 0))

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise NamingError(f"There is no {name!r}", f"There are {', '.join(self.names)}.")
        return self.names.index(name)

    @property
    def verdict(self) -> Verdict:
        """Whether the picture has settled, and whether one player carries all."""
        reasons = Reasons()
        if len(self.seen) < 2:
            reasons.add("there was only one look")
            return reasons.verdict()
        last, before = (np.abs(s).mean(axis=0) for s in (self.seen[-1], self.seen[-2]))
        agreement = rank_correlation(last, before)
        text = f"the last two looks order the columns alike (correlation {agreement:.2f})"
        if agreement < 0.8 and len(self.names) > 2:
            reasons.add(f"what the answers rest on still changes (correlation {agreement:.2f})")
        else:
            reasons.support(text)
        return reasons.verdict()

    def draw(self, path: Any = None, *, most: int = 8, ax: Axes | None = None) -> Axes:
        """The curves of the players that had most at any time, with their intervals."""
        parts = self._parts().mean(axis=1)
        if not len(parts):
            return draw_curves([], {}, path, ax)
        order = np.argsort(-parts.max(axis=0), kind="stable")[:most]
        lines = {self.names[i]: (parts[:, i], self.interval(self.names[i])) for i in order}
        return draw_curves(self.epochs, lines, path, ax)

    # ---- checkpoints -------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What was seen so far, and the explained scores."""
        target = None if self.target is None else np.asarray(self.target, np.int64)
        return {"epochs": np.array(self.epochs, np.int64), "shares": self.shares, "target": target}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from there."""
        self.epochs = [int(epoch) for epoch in np.asarray(state["epochs"])]
        self.seen = list(np.asarray(state["shares"], np.float64))
        if state["target"] is not None:
            self.target = np.asarray(state["target"])


def _listed(rows: Any) -> list[Any]:
    if isinstance(rows, dict):
        return list(rows.values())
    return list(rows) if isinstance(rows, tuple) else [rows]
