"""Dropout: noise in training that keeps units from relying on each other.

These layers behave differently in training and evaluation: after ``model.eval()`` they return
their input unchanged, after ``model.train()`` they drop again.
"""

from __future__ import annotations

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.functional.channels import (
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)
from pellucid.nn.functional.common import alpha_dropout, dropout
from pellucid.nn.module import Module
from pellucid.tensor.creation import empty
from pellucid.tensor.tensor import Tensor


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

    def forward(self, input: Tensor) -> Tensor:
        """The input, in training with random elements dropped."""
        return dropout(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean 0 and variance 1 in networks of SELU units, in training only.

    Dropped elements become −1.7581, then the result is scaled and shifted.  Identity in
    evaluation.  Shape: (*) → (*).  (Klambauer et al., 2017.)
    """

    def forward(self, input: Tensor) -> Tensor:
        """The input, in training with random elements dropped."""
        return alpha_dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """Whole channels 0 with probability ``p``, in training only.  Shapes: (N, C, L) or (C, L).

    Neighbouring elements of a channel are alike, so dropping single ones would change little.
    (Tompson et al., 2015.)
    """

    def forward(self, input: Tensor) -> Tensor:
        """The input, in training with random channels dropped."""
        return dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """:class:`Dropout1d` for images: (N, C, H, W) → the same."""

    def forward(self, input: Tensor) -> Tensor:
        """The input, in training with random channels dropped."""
        return dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """:class:`Dropout1d` for volumes: (N, C, D, H, W) or (C, D, H, W) → the same."""

    def forward(self, input: Tensor) -> Tensor:
        """The input, in training with random channels dropped."""
        return dropout3d(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """:class:`AlphaDropout` of whole channels: (N, C, *) → the same, in training only."""

    def forward(self, input: Tensor) -> Tensor:
        """The input, in training with random channels dropped."""
        return feature_alpha_dropout(input, self.p, self.training, self.inplace)


class StochasticDepth(Module):
    """Zero instead of the input with probability ``p``, for each row of a batch (``mode`` "row") or
    for all of it ("batch"); what stays is divided by 1 − p.  Only while training.

    Before the sum with a shortcut it leaves out a whole branch of a residual network: torchvision's
    ``ops.StochasticDepth``, elsewhere called DropPath.  Shape: (N, *) → (N, *).

    Huang, Sun, Liu, Sedra and Weinberger, "Deep Networks with Stochastic Depth" (2016).
    """

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        if not 0 <= p <= 1 or mode not in ("row", "batch"):
            raise ArgumentError(
                f"StochasticDepth got p={p} and mode={mode!r}",
                'give a probability, and "row" or "batch"',
            )
        self.p, self.mode = p, mode

    def forward(self, input: Tensor) -> Tensor:
        """Any shape with rows first → the same."""
        if not self.training or self.p == 0:
            return input
        if self.mode == "row" and not input.shape:
            raise ShapeError("StochasticDepth got a number, ()", "give rows: (N, *)")
        rows = input.shape[0] if self.mode == "row" else 1
        shape = (rows, *[1] * (len(input.shape) - 1))
        keep = 1 - self.p
        noise = empty(shape, dtype=input.dtype).bernoulli_(keep)
        return input * (noise / keep if keep else noise)

    def extra_repr(self) -> str:
        """Probability and mode."""
        return f"p={self.p}, mode={self.mode}"
