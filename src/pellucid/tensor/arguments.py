"""Kinds of arguments that tensor functions take, named for their annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import numpy as np

from pellucid.tensor.interface import Tensor

Number: TypeAlias = complex | np.number | np.bool_
"""A Python number (others are complex ones to a type checker) or a NumPy scalar."""

Operand: TypeAlias = Tensor | np.ndarray | Number
"""What can meet a tensor in arithmetic: a tensor, an array or a number."""

TensorClass = TypeVar("TensorClass", bound=Tensor)
"""A class derived from Tensor."""

Axes: TypeAlias = int | Sequence[int] | None
"""One axis, several, or (None) all of them."""

Extents: TypeAlias = int | Sequence[int]
"""An extent, or a whole shape: what ``zeros(2, 3)`` and ``zeros((2, 3))`` are called with."""

Index: TypeAlias = (
    int | slice | Tensor | np.ndarray | Sequence[int] | Sequence[bool] | None | tuple[object, ...]
)
"""What may stand between the brackets of ``x[...]``; ``...`` and several of them included."""
