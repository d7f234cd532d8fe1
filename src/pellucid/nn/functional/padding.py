"""Tensors framed by a number or by their own elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.positions import select
from pellucid.ops import structure

MODES = ("constant", "reflect", "replicate", "circular")


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """``input`` with elements added around its last axes; negative amounts take elements away.

    ``pad``: (before, after) of the last axis, then of the one before it, and so on.  ``mode``:
    ``"constant"`` (``value``, 0 by default), ``"reflect"`` (mirrored, the border not repeated),
    ``"replicate"`` (the border repeated), ``"circular"`` (from the other side).  All but
    ``"constant"`` are for the axes after the channels': (N, C, *) or (C, *), 1 to 3 axes.
    Shape: (…, n) → (…, before + n + after).  Raises ``ArgumentError`` for a bad list of amounts
    and ``ShapeError`` for amounts that the axis cannot give.
    """
    need_tensor("pad", input)
    amounts = [int(p) for p in pad]
    if mode not in MODES:
        raise ArgumentError(f"pad got mode={mode!r}", "use one of " + ", ".join(MODES))
    if len(amounts) % 2 or len(amounts) > 2 * input.dim():
        raise ArgumentError(
            f"pad got {amounts} for an input of shape {tuple(input.shape)}",
            "give two numbers for each padded axis, the last axis first",
        )
    sides = list(zip(amounts[::2], amounts[1::2], strict=True))
    if mode == "constant":
        return _constant(input, sides, 0.0 if value is None else value)
    if value is not None and value != 0:
        raise ArgumentError(f"pad got value={value} with mode={mode!r}", "leave value out")
    if input.dim() not in (len(sides) + 1, len(sides) + 2) or len(sides) > 3:
        raise ShapeError(
            f"pad got {len(sides)} padded axes for an input of shape {tuple(input.shape)}",
            f"mode={mode!r} pads all axes after (N, C) or (C,): 1 to 3 of them",
        )
    for back, (before, after) in enumerate(sides):
        axis = input.dim() - 1 - back
        if before or after:
            input = select(input, axis, _source(mode, input.shape, axis, before, after))
    return input


def _constant(input: Any, sides: list[tuple[int, int]], value: float) -> Any:
    lead = [0] * (input.dim() - len(sides))
    low = [*lead, *(before for before, _ in reversed(sides))]
    high = [*lead, *(after for _, after in reversed(sides))]
    for n, a, b in zip(input.shape, low, high, strict=True):
        if n + a + b < 0:
            raise ShapeError(
                f"pad takes {-(a + b)} of {n} elements away from an input of shape "
                f"{tuple(input.shape)}",
                "crop less",
            )
    return structure.pad(input, low, high, fill=value)


def _source(mode: str, shape: tuple[int, ...], axis: int, before: int, after: int) -> np.ndarray:
    """For each element of the result along ``axis`` the position it comes from."""
    extent = shape[axis]
    most = {"reflect": extent - 1, "replicate": np.inf if extent else 0, "circular": extent}[mode]
    if max(before, after) > most or extent + before + after < 1:
        raise ShapeError(
            f"pad got ({before}, {after}) for axis {axis} of an input of shape {tuple(shape)}",
            f"mode={mode!r} needs amounts of at most {most} here, and at least one element left",
        )
    if mode == "circular":  # what is taken away does not come back on the other side
        kept = np.arange(max(0, -before), extent + min(0, after))
        return kept[np.arange(-max(0, before), len(kept) + max(0, after)) % len(kept)]
    places = np.arange(-before, extent + after)
    if mode == "replicate":
        return places.clip(0, extent - 1)
    last = extent - 1
    return last - abs(last - abs(places))
