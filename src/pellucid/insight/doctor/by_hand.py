"""Updates that a program makes without an optimizer: do they go down the gradient?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.tensor.core import TensorCore

KEPT = 50
"""Updates whose direction is kept."""


class UpdatesByHand:
    """The cosine between each looked-at update Δw and its gradient g, Σ Δw·g / (|Δw|·|g|): −1 for
    plain gradient descent, and above 0 where the program climbs."""

    def __init__(self) -> None:
        self.cosines: list[float] = []
        self._before: list[tuple[Any, np.ndarray, np.ndarray]] = []

    def begin(self, parameters: Sequence[Any]) -> None:
        """The gradients of these are there, and what is changed was not yet: keep both."""
        self._before = [
            (p, np.array(p.detach().array()), np.array(p._grad.array()))
            for p in parameters
            if isinstance(p._grad, TensorCore)
        ]

    def end(self) -> None:
        """The update has been made."""
        along = moved = slope = 0.0
        for parameter, before, gradient in self._before:
            change = (parameter.detach().array() - before).astype(np.float64).ravel()
            values = gradient.astype(np.float64).ravel()
            along += float(change @ values)
            moved += float(change @ change)
            slope += float(values @ values)
        self._before = []
        length = float(np.sqrt(moved * slope))
        if length > 0 and np.isfinite(length) and np.isfinite(along):
            self.cosines = [*self.cosines[-KEPT:], along / length]

    @property
    def cosine(self) -> float | None:
        """The median; None before two updates."""
        return float(np.median(self.cosines)) if len(self.cosines) >= 2 else None
