"""What the batch rules of primitives are written with: operands for many rows at once.

A batch rule is ``rule(inputs, batched, rows, **params)``: ``inputs`` are the operands, those of
which ``batched`` says so with an axis of ``rows.count`` rows in front; the result has it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.ops.registry import PRIMITIVES, Value, apply


@dataclass(frozen=True)
class Rows:
    """How many rows there are, and what random numbers they get."""

    count: int
    randomness: str = "error"
    """``"error"``: there are none; ``"same"``: those of one row for all; ``"different"``."""

    def check_random(self, operation: str) -> None:
        """Raise where random numbers are drawn and nobody said which ones each row gets."""
        if self.randomness == "error":
            raise ArgumentError(
                f"vmap: called random operation {operation} while in randomness error mode",
                "say randomness='different' (each row its own numbers) or 'same' to vmap",
            )


def reshaped(x: Value, shape: Sequence[int]) -> Value:
    """``x`` under another shape, here by name: the file of the moves needs this one."""
    target = tuple(shape)
    return x if tuple(x.shape) == target else apply(PRIMITIVES["reshape"], x, shape=target)


def stretched(x: Value, shape: Sequence[int]) -> Value:
    """``x`` broadcast to a shape."""
    target = tuple(shape)
    return x if tuple(x.shape) == target else apply(PRIMITIVES["broadcast_to"], x, shape=target)


def moved(x: Value, axis: int, to: int) -> Value:
    """``x`` with one axis at another place."""
    order = [i for i in range(len(x.shape)) if i != axis]
    order.insert(to, axis)
    whole = tuple(order)
    if whole == tuple(range(len(whole))):
        return x
    return apply(PRIMITIVES["transpose"], x, axes=whole)


def aligned(inputs: Sequence[Value], batched: Sequence[bool]) -> list[Value]:
    """Operands that broadcast against each other row by row as they did within one."""
    ranks = [len(x.shape) - b for x, b in zip(inputs, batched, strict=True)]
    rank = max(ranks)
    found = []
    for x, own, is_batched in zip(inputs, ranks, batched, strict=True):
        if is_batched and own < rank:
            x = reshaped(x, (x.shape[0], *(1,) * (rank - own), *x.shape[1:]))
        found.append(x)
    return found


def all_batched(inputs: Sequence[Value], batched: Sequence[bool], rows: Rows) -> list[Value]:
    """Each operand with the axis of rows in front; the same in each row where it had none."""
    return [
        x if is_batched else stretched(x, (rows.count, *x.shape))
        for x, is_batched in zip(inputs, batched, strict=True)
    ]


def shifted(params: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """Settings of an operation once there is an axis of rows in front of all others."""
    ahead = {"low": 0, "high": 0, "interior": 0, "start": 0, "step": 1}
    ahead |= {"stop": rows.count, "shape": rows.count}
    found: dict[str, Any] = {}
    for name, value in params.items():
        if name == "axis":
            value = value + 1
        elif name == "axes":
            value = tuple(a + 1 for a in value)
        elif name in ahead:
            value = (ahead[name], *value)
        found[name] = value
    return found
