"""Modules that only change the shape, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.module import Module
from pellucid.tensor.tensor import Tensor


class Identity(Module):
    """y = x.  Any arguments are accepted and ignored.  Shape: (*) → (*)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """The input itself."""
        return input


class Flatten(Module):
    """Axes ``start_dim`` to ``end_dim`` merged into one; by default all but the batch's.

    Shape: (N, d1, …, dk) → (N, d1 · … · dk).
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The input with the axes merged."""
        need_tensor("Flatten", input)
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Axis ``dim`` split into the extents ``unflattened_size`` (one may be -1).

    Shape: (…, d1 · … · dk, …) → (…, d1, …, dk, …).
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        """The input with the axis split."""
        need_tensor("Unflatten", input)
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """The axis and its extents."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
