"""One set of rules, computed in three ways: with Python's floats for one environment, with NumPy's
arrays for many, and with tensors, so that playing becomes part of a compiled program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

import pellucid

Number: TypeAlias = Any
"""A float, an array or a tensor: what the rules compute with."""


class Numbers(Protocol):
    """The functions beside Python's operators that environments are written with."""

    def sin(self, x: Number) -> Number:
        """The sine."""
        ...

    def cos(self, x: Number) -> Number:
        """The cosine."""
        ...

    def where(self, condition: Any, yes: Any, no: Any) -> Number:
        """``yes`` where the condition holds, else ``no``."""
        ...

    def clip(self, x: Number, low: float, high: float) -> Number:
        """The nearest number from ``low`` to ``high``."""
        ...

    def take(self, table: Any, place: Any) -> Number:
        """The entry of an array at a whole number."""
        ...

    def stack(self, parts: Sequence[Any]) -> Number:
        """Numbers as one state, float32, the parts along the last axis."""
        ...

    def one_hot(self, place: Any, count: int) -> Number:
        """A state with a 1 at ``place``, float32."""
        ...


class PlainNumbers:
    """Python's own numbers."""

    sin, cos = staticmethod(math.sin), staticmethod(math.cos)

    def where(self, condition: Any, yes: Any, no: Any) -> Number:
        """``yes`` if the condition holds, else ``no``."""
        return yes if condition else no

    def clip(self, x: Number, low: float, high: float) -> Number:
        """The nearest number from ``low`` to ``high``."""
        return min(max(x, low), high)

    def take(self, table: Any, place: Any) -> Number:
        """The entry of an array at a whole number."""
        return table[int(place)].item()

    def stack(self, parts: Sequence[Any]) -> Number:
        """(parts,) float32."""
        return np.array(parts, np.float32)

    def one_hot(self, place: Any, count: int) -> Number:
        """(count,) float32."""
        made = np.zeros(count, np.float32)
        made[int(place)] = 1.0
        return made


class ArrayNumbers:
    """NumPy's arrays, a row for each environment."""

    sin, cos = staticmethod(np.sin), staticmethod(np.cos)

    def where(self, condition: Any, yes: Any, no: Any) -> Number:
        """Elementwise choice."""
        return np.where(condition, yes, no)

    def clip(self, x: Number, low: float, high: float) -> Number:
        """The nearest numbers from ``low`` to ``high``."""
        return np.minimum(np.maximum(x, low), high)

    def take(self, table: Any, place: Any) -> Number:
        """Entries of an array at whole numbers."""
        return table[np.asarray(place, np.int64)]

    def stack(self, parts: Sequence[Any]) -> Number:
        """(N, parts) float32."""
        return np.stack(parts, -1).astype(np.float32)

    def one_hot(self, place: Any, count: int) -> Number:
        """(N, count) float32."""
        return np.eye(count, dtype=np.float32)[np.asarray(place, np.int64)]


class TensorNumbers:
    """Tensors, a row for each environment; with these a compiled program plays."""

    sin, cos = staticmethod(pellucid.sin), staticmethod(pellucid.cos)

    def where(self, condition: Any, yes: Any, no: Any) -> Number:
        """Elementwise choice."""
        return pellucid.where(condition, yes, no)

    def clip(self, x: Number, low: float, high: float) -> Number:
        """The nearest numbers from ``low`` to ``high``."""
        return pellucid.clamp(x, low, high)

    def take(self, table: Any, place: Any) -> Number:
        """Entries of an array at whole numbers."""
        return pellucid.tensor(table.astype(np.float32))[place.to(pellucid.int64)]

    def stack(self, parts: Sequence[Any]) -> Number:
        """(N, parts) float32."""
        return pellucid.stack(list(parts), -1)

    def one_hot(self, place: Any, count: int) -> Number:
        """(N, count) float32."""
        places = pellucid.arange(count, dtype=pellucid.float32)
        return (place.unsqueeze(-1) == places).to(pellucid.float32)


PLAIN, ARRAYS, TENSORS = PlainNumbers(), ArrayNumbers(), TensorNumbers()
