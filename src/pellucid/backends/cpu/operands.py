"""What a kernel works on: stored values, single numbers, and a table of numbers of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from pellucid.graph.node import Node


@dataclass(frozen=True)
class NumberTable:
    """An operand: 64-bit words, integers or the bits of a floating-point number."""

    words: tuple[int, ...] = ()


TABLE = NumberTable()
"""Stands for a kernel's table while the kernel is being written."""

Operand = Node | tuple[str, int] | NumberTable
"""A stored value, a number handed over in its place (("size", n), ("error", 0)), or many."""


@dataclass
class Operands:
    """The kernel's operands in order of first use: position in ``slots`` by value."""

    order: dict[Operand, int] = field(default_factory=dict)
    next: int = 0
    words: list[int] = field(default_factory=list)
    """The content of the kernel's table of numbers so far."""

    def position(self, operand: Operand) -> int:
        """The operand's place, taken now if it is new."""
        if operand not in self.order:
            self.order[operand] = self.next
            self.next += 1
        return self.order[operand]

    def finished(self) -> tuple[Operand, ...]:
        """All operands, in their order."""
        table = NumberTable(tuple(self.words))
        return tuple(table if operand == TABLE else operand for operand in self.order)
