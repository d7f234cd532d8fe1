"""The score when only some players are present: one compiled program that mixes and asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, NonFiniteError, ShapeError
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, plain
from pellucid.insight.explain.grouped import GroupedExplanation
from pellucid.insight.explain.players import Groups, Players, players_of
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.functions import where

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]

ELEMENTS = 1 << 21
"""Elements of mixed input in one call of the program."""
MOST_MIXED = 4096
"""Mixed rows in one call."""


class Coalitions:
    """Mixtures of each explained row with what stands for absent players, and their scores.

    ``forward`` is the model with the explained rows, ``players`` the parts that come and go,
    ``background`` for each input an array (rows or 1, backgrounds, …): absent players take their
    elements from there.
    """

    def __init__(self, forward: Forward, players: Players, background: Sequence[Array]) -> None:
        self.forward, self.players = forward, players
        self.inputs = [plain(t) for t in forward.tensors]
        self.background = [np.asarray(b) for b in background]
        self.backgrounds = int(self.background[0].shape[1])
        self.asked = 0
        """How many mixed rows were asked for."""
        self._light = forward.light()

    @property
    def rows(self) -> int:
        """The explained rows."""
        return self.forward.rows

    def scores(self, row: int, masks: Masks, which: Any = None) -> Floats:
        """The scores of one row with the players of each mask: (masks, backgrounds), or with one
        background for each mask (``which``, int (masks,)) → (masks, 1)."""
        count, copies = len(masks), self.backgrounds if which is None else 1
        size = sum(int(np.prod(x.shape[1:], dtype=int)) for x in self.inputs)
        most = int(np.clip(ELEMENTS // max(1, size * copies), 1, max(1, MOST_MIXED // copies)))
        block = min(most, count)
        program = self.forward.kept(("coalitions", which is None), self._mixed)
        labels = [as_tensor(part.reshape(-1)) for part in self.players.of_row(row)]
        given = [as_tensor(x[row : row + 1]) for x in self.inputs]
        own = [b[min(row, len(b) - 1)] for b in self.background]
        everywhere = [as_tensor(np.ascontiguousarray(b[None])) for b in own]
        found = np.empty((count, copies))
        places, extra = self._besides(row, block * copies)
        with no_grad(), self.forward.looking():
            for start in range(0, count, block):
                lines = np.minimum(np.arange(start, start + block), count - 1)
                there = everywhere
                if which is not None:
                    there = [as_tensor(b[which[lines]][:, None]) for b in own]
                scores = program(given, there, labels, as_tensor(masks[lines]), places, extra)
                part = plain(scores).reshape(block, copies)
                found[start : start + block] = part[: min(block, count - start)]
        self.asked += count * copies
        _finite(found.reshape(1, -1), row)
        return found

    def scores_of_all(self, masks: Masks) -> Floats:
        """The scores of every row with the players of each mask: (rows, masks, backgrounds), of
        many small rows together in one call of a program."""
        count, copies = len(masks), self.backgrounds
        size = sum(int(np.prod(x.shape[1:], dtype=int)) for x in self.inputs)
        mixed = count * copies
        most = min(ELEMENTS // max(1, size * mixed), MOST_MIXED // mixed, self.rows)
        if most < 2 or any(len(labels) > 1 for labels in self.players.labels):
            return np.stack([self.scores(row, masks) for row in range(self.rows)])
        forward = self.forward
        program = forward.kept("coalitions of rows", self._mixed_rows)
        labels = [as_tensor(part.reshape(-1)) for part in self.players.of_row(0)]
        found = np.empty((self.rows, count, copies))
        with no_grad(), forward.looking():
            for start in range(0, self.rows, most):
                lines = np.minimum(np.arange(start, start + most), self.rows - 1)
                part = forward.of_rows(lines)
                places = None if part.places is None else np.repeat(part.places, mixed)
                scores = program(
                    list(part.tensors),
                    [as_tensor(b[lines] if len(b) > 1 else b) for b in self.background],
                    labels,
                    as_tensor(masks),
                    None if places is None else as_tensor(places),
                    [as_tensor(e) if moves else e for e, moves in part.repeated(mixed)],
                )
                rows = min(most, self.rows - start)
                found[start : start + rows] = plain(scores).reshape(most, count, copies)[:rows]
        self.asked += self.rows * mixed
        _finite(found.reshape(self.rows, -1))
        return found

    def _mixed_rows(self) -> Callable[..., Any]:
        light = self._light

        def mixed(
            inputs: Any, background: Any, labels: Any, masks: Any, places: Any, extra: Any
        ) -> Any:
            made = []
            for x, there, label in zip(inputs, background, labels, strict=True):
                shape = tuple(x.shape[1:])
                present = masks.index_select(1, label).reshape(1, masks.shape[0], 1, *shape)
                whole = where(present, x[:, None, None], there[:, None])
                made.append(whole.reshape(-1, *shape))
            return light.score(made, places, extra)

        return mixed

    def _besides(self, row: int, copies: int) -> tuple[Any, list[Any]]:
        """Positions of the score and further arguments, for copies of a row."""
        forward = self.forward
        places = forward.places
        spot = None if places is None else as_tensor(np.repeat(places[row : row + 1], copies))
        one = forward.of_rows(np.array([row]))
        extra = [as_tensor(e) if moves else e for e, moves in one.repeated(copies)]
        return spot, extra

    def _mixed(self) -> Callable[..., Any]:
        light = self._light

        def mixed(
            inputs: Any, background: Any, labels: Any, masks: Any, places: Any, extra: Any
        ) -> Any:
            made = []
            for x, there, label in zip(inputs, background, labels, strict=True):
                shape = tuple(x.shape[1:])
                present = masks.index_select(1, label).reshape(masks.shape[0], 1, *shape)
                whole = where(present, x[:, None], there)
                made.append(whole.reshape(-1, *shape))
            return light.score(made, places, extra)

        return mixed

    # ---- results -----------------------------------------------------------------------------

    def explanation(
        self,
        method: str,
        shares: Floats,
        errors: Floats | None,
        *,
        base: Floats | None = None,
        kind: str = "contribution",
        is_complete: bool = True,
        seeds: Sequence[int] = (),
        settings: dict[str, Any] | None = None,
        again: Callable[..., Explanation] | None = None,
    ) -> Explanation:
        """Shares (rows, players) with their standard errors as an explanation."""
        values = self.players.spread(shares, self.inputs)
        uncertain = None
        if errors is not None and np.isfinite(errors).all() and errors.any():
            uncertain = self.players.spread(errors, self.inputs)
        middle = [
            b.mean(axis=1).astype(b.dtype) if b.dtype.kind == "f" else b[:, 0]
            for b in self.background
        ]
        standing = tuple(
            np.ascontiguousarray(np.broadcast_to(m, x.shape))
            for m, x in zip(middle, self.inputs, strict=True)
        )
        alone = self.players.count == sum(int(np.prod(x.shape[1:])) for x in self.inputs)
        forward = self.forward
        return GroupedExplanation(
            method, values, forward.names, inputs=tuple(x.copy() for x in self.inputs),
            target="a function" if forward.places is None else forward.places,
            output=forward.output, kind=kind, is_complete=is_complete, baseline=standing,
            baseline_output=base, standard_error=uncertain, seeds=tuple(seeds),
            settings={**(settings or {}), "asked": self.asked},
            labels=self.players.names if alone and len(self.inputs) == 1 else None,
            forward=forward, again=again, shares=shares,
            share_errors=errors if uncertain is not None else None, players=self.players,
        )  # fmt: skip


def _finite(scores: Floats, first: int = 0) -> None:
    """Raise :class:`NonFiniteError` for a row, numbered from ``first``, with other scores."""
    wrong = ~np.isfinite(scores).all(axis=1)
    if wrong.any():
        row = first + int(np.argmax(wrong))
        raise NonFiniteError(
            f"The model gives NaN or infinity where parts of row {row} are replaced",
            "Look at the background (or baselines) and the weights of the model.",
        )


def coalitions_of(
    model: Any,
    inputs: Any,
    target: Any,
    *,
    background: Any = None,
    baselines: Any = None,
    groups: Groups = None,
    names: Sequence[str] | None = None,
    extra: Any = (),
    compile: bool = True,
) -> Coalitions:
    """The coalitions of a model's inputs; see :func:`exact_shapley` for the arguments."""
    forward = Forward(model, inputs, target, extra, compiled=compile)
    arrays = [plain(t) for t in forward.tensors]
    players = players_of(arrays, groups, forward.names, names)
    if background is not None and baselines is not None:
        raise ArgumentError(
            "background and baselines were both given",
            "Give rows to average over (background), or what stands for absence (baselines).",
        )
    if background is not None:
        absent = _backgrounds(arrays, background, forward.names)
    else:
        absent = [b[:, None] for b in _baselines(arrays, baselines, forward.names)]
    return Coalitions(forward, players, absent)


def again_of(function: Callable[..., Explanation], given: dict[str, Any]) -> Callable[..., Any]:
    """The same explanation with other arguments; ``given`` are those of the call."""
    taken = dict(given)

    def again(**changed: Any) -> Explanation:
        return function(**taken | {name: v for name, v in changed.items() if name in taken})

    return again


def _by_input(given: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(given, dict):
        return [given[name] for name in names]
    if len(names) > 1 and isinstance(given, tuple | list):
        return list(given)
    return [given[0] if isinstance(given, tuple) else given] * len(names)


def _backgrounds(arrays: list[Array], given: Any, names: Sequence[str]) -> list[Array]:
    """(1, backgrounds, …) for each input."""
    found = []
    for x, part in zip(arrays, _by_input(given, names), strict=True):
        b = plain(part)
        b = b[None] if b.shape == x.shape[1:] else b
        if b.shape[1:] != x.shape[1:] or not len(b):
            raise ShapeError(
                f"background of shape {b.shape} for inputs {x.shape}",
                "Give rows of the same shape, at least one.",
            )
        found.append(b.astype(x.dtype)[None])
    if len({b.shape[1] for b in found}) > 1:
        raise ShapeError(
            f"backgrounds of {', '.join(str(b.shape[1]) for b in found)} rows",
            "Give as many for each input.",
        )
    return found


def _baselines(arrays: list[Array], given: Any, names: Sequence[str]) -> list[Array]:
    """(rows or 1, …) for each input: None is 0, a number everywhere, an array as it fits,
    ``"mean"`` each row's own mean (of each channel of pictures)."""
    found = []
    for x, part in zip(arrays, _by_input(given, names), strict=True):
        if isinstance(part, str):
            if part not in ("mean", "zero"):
                raise ArgumentError(f"baselines={part!r}", 'Use "mean", "zero", or values.')
            axes = tuple(range(2 if x.ndim > 2 else 1, x.ndim))
            part = x.mean(axis=axes, keepdims=True) if part == "mean" else 0
        b = plain(0 if part is None else part).astype(x.dtype)
        b = b[None] if b.ndim < x.ndim else b
        try:
            whole = np.broadcast_to(b, (len(b) if b.ndim == x.ndim else 1, *x.shape[1:]))
        except ValueError:
            whole = b
        if whole.shape[1:] != x.shape[1:] or len(whole) not in (1, len(x)):
            raise ShapeError(
                f"baselines of shape {b.shape} for inputs {x.shape}",
                "Give a number, one row, or a row for each row.",
            )
        found.append(np.ascontiguousarray(whole))
    return found
