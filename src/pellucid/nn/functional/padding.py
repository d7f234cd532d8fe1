"""Tensors framed by a number or by their own elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pellucid.base.errors import ArgumentError, ShapeError, UnsupportedError
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.hints import rank_hint
from pellucid.nn.functional.positions import need_channels
from pellucid.ops import structure
from pellucid.tensor.tensor import Tensor

MODES = ("constant", "reflect", "replicate", "circular")


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
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
        raise UnsupportedError(f"pad got mode={mode!r}", "use one of " + ", ".join(MODES))
    if len(amounts) % 2 or len(amounts) > 2 * input.dim():
        raise ArgumentError(
            f"pad got {amounts} for an input of shape {tuple(input.shape)}",
            f"give two numbers for each padded axis, the last axis first; this input has "
            f"{input.dim()} axes",
        )
    sides = list(zip(amounts[::2], amounts[1::2], strict=True))
    if mode == "constant":
        return _constant(input, sides, 0.0 if value is None else value)
    if value is not None and value != 0:
        raise ArgumentError(f"pad got value={value} with mode={mode!r}", "leave value out")
    if input.dim() not in (len(sides) + 1, len(sides) + 2) or len(sides) > 3:
        raise ShapeError(
            f"pad got {len(sides)} padded axes for an input of shape {tuple(input.shape)}",
            f"mode={mode!r} pads all axes after the channels: "
            + (rank_hint(tuple(input.shape), len(sides)) if len(sides) <= 3 else "1 to 3"),
        )
    if mode != "circular" and sides:
        need_channels("pad", input, len(sides))
    shape = tuple(input.shape)
    for back, (before, after) in enumerate(sides):
        axis = input.dim() - 1 - back
        if before or after:
            input = _continued(input, axis, before, after, mode, shape)
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


def _stretch(x: Any, axis: int, first: int, last: int) -> Any:
    """x[…, first:last, …] along an axis."""
    start = [first if i == axis else 0 for i in range(len(x.shape))]
    stop = [last if i == axis else n for i, n in enumerate(x.shape)]
    return structure.slice_(x, start, stop, [1] * len(x.shape))


def _border(x: Any, axis: int, amount: int, mode: str, before: bool) -> Any:
    """What stands before or after the elements along an axis."""
    n = x.shape[axis]
    if mode == "circular":
        first = n - amount if before else 0
        return _stretch(x, axis, first, first + amount)
    if mode == "reflect":
        first = 1 if before else n - 1 - amount
        return structure.flip(_stretch(x, axis, first, first + amount), (axis,))
    edge = _stretch(x, axis, 0, 1) if before else _stretch(x, axis, n - 1, n)
    return structure.broadcast_to(
        edge, tuple(amount if i == axis else m for i, m in enumerate(x.shape))
    )


def _continued(
    x: Any, axis: int, before: int, after: int, mode: str, shape: tuple[int, ...]
) -> Any:
    """``x`` with so many elements more (or, if negative, fewer) at the ends of an axis.

    ``shape`` is the one it had before other axes were padded, for messages.
    """
    extent = x.shape[axis]
    most = {"reflect": extent - 1, "replicate": math.inf if extent else 0, "circular": extent}[mode]
    if max(before, after) > most or extent + before + after < 1:
        raise ShapeError(
            f"pad got ({before}, {after}) for axis {axis} of an input of shape {shape}",
            f"mode={mode!r} needs amounts of at most {most} here, and at least one element left"
            if extent
            else "the axis is empty: look at what made this input",
        )
    if mode == "circular":  # what is taken away does not come back on the other side
        x = _stretch(x, axis, max(0, -before), extent + min(0, after))
    pieces = [_border(x, axis, before, mode, True)] if before > 0 else []
    pieces.append(x)
    pieces += [_border(x, axis, after, mode, False)] if after > 0 else []
    whole = structure.concatenate(pieces, axis) if len(pieces) > 1 else x
    if mode == "circular":
        return whole
    return _stretch(whole, axis, max(0, -before), whole.shape[axis] + min(0, after))
