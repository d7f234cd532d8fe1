"""Displays of effects and importances as scikit-learn has them: ``from_estimator``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from pellucid.base.errors import ArgumentError
from pellucid.base.language import translated
from pellucid.insight.effects.curves import (
    Effect,
    accumulated_local_effects,
    individual_conditional_expectation,
    partial_dependence,
)
from pellucid.insight.effects.drawing import draw_effect
from pellucid.insight.effects.importance import Importance, permutation_importance
from pellucid.insight.pictures.canvas import Path_, new_figure, save_figure

KINDS: dict[str, Any] = {
    "average": partial_dependence,
    "individual": individual_conditional_expectation,
    "ale": accumulated_local_effects,
}
"""Kind of an ``EffectDisplay`` → the function that computes it."""
_CURVES = 50


class EffectDisplay:
    """Effects of several columns beside each other.

    >>> EffectDisplay.from_estimator(model, X, ["age", "sex"], kind="ale")     # doctest: +SKIP

    ``effects`` are what is drawn; after ``plot`` the axes are in ``axes_`` and the figure in
    ``figure_``.
    """

    def __init__(self, effects: Sequence[Effect]) -> None:
        if not effects:
            raise ArgumentError("EffectDisplay got no effects", "Give at least one column.")
        self.effects = list(effects)
        self.axes_: list[Any] = []
        self.figure_: Any = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        features: Sequence[Any],
        *,
        kind: str = "average",
        path: Path_ = None,
        ax: Any = None,
        rows: int = _CURVES,
        **settings: Any,
    ) -> Self:
        """Computes and draws: ``kind`` is ``"average"`` (partial dependence with lines for single
        ``rows``), ``"individual"`` (these centred) or ``"ale"``; ``settings`` go to the function.
        ``features`` are columns, or pairs of them."""
        if kind not in KINDS:
            raise ArgumentError(f"kind={kind!r}", f"Use one of {', '.join(KINDS)}.")
        made = cls([KINDS[kind](estimator, X, feature, **settings) for feature in features])
        return made.plot(path, ax=ax, rows=rows)

    def plot(self, path: Path_ = None, *, ax: Any = None, rows: int = _CURVES) -> Self:
        """Draws into ``ax`` (one, or one for each effect), into a file, or into a new figure."""
        count = len(self.effects)
        if ax is None:
            columns = min(3, count)
            self.figure_ = new_figure(4.2 * columns, 3.4 * -(-count // columns))
            grid = self.figure_.subplots(-(-count // columns), columns, squeeze=False)
            places = list(grid.ravel())
            for empty in places[count:]:
                empty.set_visible(False)
        else:
            places = list(np.ravel(np.asarray(ax, object)))
            self.figure_ = places[0].figure
        if len(places) < count:
            raise ArgumentError(
                f"{len(places)} axes for {count} effects", "Give one for each, or none."
            )
        self.axes_ = [
            draw_effect(effect, ax=place, rows=rows)
            for effect, place in zip(self.effects, places, strict=False)
        ]
        if path is not None:
            save_figure(self.figure_, path)
        return self


class ImportanceDisplay:
    """The permutation importance of a model as bars with intervals; the axes are in ``ax_``, the
    figure in ``figure_``."""

    def __init__(self, importance: Importance) -> None:
        self.importance = importance
        self.ax_: Any = None
        self.figure_: Any = None

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, path: Path_ = None, ax: Any = None, **settings: Any
    ) -> Self:
        """Computes and draws; ``settings`` go to :func:`permutation_importance`."""
        return cls(permutation_importance(estimator, X, y, **settings)).plot(path, ax=ax)

    def plot(self, path: Path_ = None, *, ax: Any = None) -> Self:
        """Draws into ``ax``, into a file, or into a new figure."""
        self.ax_ = self.importance.draw(path, ax=ax)
        self.ax_.set_title(translated("what the model's quality rests on"))
        self.figure_ = self.ax_.figure
        return self
