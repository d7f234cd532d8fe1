"""Fixed positions along an axis: chosen as slices, which fuse, instead of looked up one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.functional.hints import rank_hint
from pellucid.ops import structure
from pellucid.tensor.core import lift
from pellucid.tensor.shaping import cat
from pellucid.tensor.tensor import Tensor

_MOST_SLICES = 32
"""With more slices than this one lookup is cheaper."""


def runs(positions: Sequence[int]) -> list[tuple[int, int, int]]:
    """(first, step, count) of arithmetic progressions that make up ``positions`` in order."""
    found: list[tuple[int, int, int]] = []
    values = [int(p) for p in positions]
    start = 0
    while start < len(values):
        step = values[start + 1] - values[start] if start + 1 < len(values) else 1
        count = 2
        while start + count < len(values) and (
            values[start + count] - values[start + count - 1] == step
        ):
            count += 1
        count = min(count, len(values) - start)
        found.append((values[start], step, count))
        start += count
    return found


def select(x: Tensor, axis: int, positions: Any) -> Tensor:
    """The slices of ``x`` at known ``positions`` along ``axis``, in their order.

    Shape: (A…, N, B…) → (A…, len(positions), B…).
    """
    places = np.asarray(positions, np.int64)
    parts = runs(places.tolist())
    if len(parts) > _MOST_SLICES:
        return x.index_select(axis, lift(places))
    if not parts:
        return x.narrow(axis, 0, 0)
    pieces = [_progression(x, axis, *part) for part in parts]
    return pieces[0] if len(pieces) == 1 else cat(pieces, axis)


def _progression(x: Any, axis: int, first: int, step: int, count: int) -> Any:
    if step == 0:
        shape = [count if i == axis else n for i, n in enumerate(x.shape)]
        return x.narrow(axis, first, 1).expand(*shape)
    if step < 0:
        return _progression(x, axis, first + (count - 1) * step, -step, count).flip(axis)
    last = first + (count - 1) * step + 1
    rank = len(x.shape)
    return structure.slice_(
        x,
        [first if i == axis else 0 for i in range(rank)],
        [last if i == axis else n for i, n in enumerate(x.shape)],
        [step if i == axis else 1 for i in range(rank)],
    )


def numbers(name: str, what: str, value: Any, count: int, least: int | None = None) -> list[int]:
    """One whole number for each of ``count`` axes, from one number or a sequence of them."""
    listed = [value] * count if hasattr(value, "__index__") else list(value)
    if len(listed) == 1:
        listed = listed * count
    whole = all(hasattr(v, "__index__") and not isinstance(v, bool) for v in listed)
    if len(listed) != count or not whole:
        raise ArgumentError(
            f"{name} got {what}={value!r}", f"give one whole number, or {count} of them"
        )
    if least is not None and min(listed, default=least) < least:
        raise ArgumentError(f"{name} got {what}={value!r}", f"use at least {least}")
    return [int(v) for v in listed]


def need_rank(name: str, input: Any, count: int, batch: int = 1) -> None:
    """Raise unless the input has ``count`` axes after those of channels and ``batch``."""
    shape = tuple(input.shape)
    if len(shape) not in (count + 1, count + 1 + batch):
        raise ShapeError(
            f"{name} got an input with {len(shape)} axes, shape {shape}", rank_hint(shape, count)
        )


def need_channels(name: str, input: Any, count: int) -> None:
    """Raise for an input (N, C, …) or (C, …) without channels; ``count`` axes come after C."""
    if input.shape[-count - 1] == 0:
        raise ShapeError(
            f"{name} got an input of shape {tuple(input.shape)}: it has no channels",
            "look at what made this input; only the batch may be empty",
        )
