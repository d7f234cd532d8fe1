"""A finished kernel, and what all kernels of loops have in common."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.backends.cpu.operands import Operand

PARAMETERS = [
    ("ptr noalias readonly", "table"),
    ("ptr noalias readonly", "slots"),
    ("i64", "begin"),
    ("i64", "end"),
]

ATTRIBUTES = 'nounwind "no-builtins" "denormal-fp-math"="dynamic,dynamic"'
"""Subnormal numbers count as 0 or not as the driver was told: LLVM computes nothing beforehand
that depends on it."""


@dataclass(frozen=True)
class Kernel:
    """A finished kernel: its text with ``@KERNEL`` for a name, and what it works on."""

    text: str
    operands: tuple[Operand, ...]
    chunks: int
    cost: float
    """Estimated nanoseconds of all chunks on one thread."""
    flop: int = 0
    arithmetic: str = ""
    """How a product of bfloat16 operands is computed; empty for everything else."""
