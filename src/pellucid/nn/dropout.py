"""Dropout: noise in training that keeps units from relying on each other.

These layers behave differently in training and evaluation: after ``model.eval()`` they return
their input unchanged, after ``model.train()`` they drop again.
"""

from __future__ import annotations

from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.nn.functional.common import alpha_dropout, dropout
from pellucid.nn.module import Module


class _Dropout(Module):
    """Probability and place, shared by all dropout layers."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(
                f"nn.{type(self).__name__} got p={p}", "p is a probability: from 0 to 1"
            )
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Probability and place."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Each element 0 with probability ``p`` (0.5), else x / (1 − p), in training only.

    The expected value stays x, so evaluation needs no scaling: there it is the identity.
    Shape: (*) → (*).  (Srivastava et al., 2014; the scaled, "inverted" form.)
    """

    def forward(self, input: Any) -> Any:
        """The input, in training with random elements dropped."""
        return dropout(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean 0 and variance 1 in networks of SELU units, in training only.

    Dropped elements become −1.7581, then the result is scaled and shifted.  Identity in
    evaluation.  Shape: (*) → (*).  (Klambauer et al., 2017.)
    """

    def forward(self, input: Any) -> Any:
        """The input, in training with random elements dropped."""
        return alpha_dropout(input, self.p, self.training, self.inplace)
