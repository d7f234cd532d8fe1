"""The compiler's tuned numbers for a processor.

They are the defaults of :class:`pellucid.compiler.machine.Machine` on every level of instructions:
none of them was seen to differ between AVX2 and AVX-512.  What follows from vector width, registers
and caches (tiles, blocks, packing) is decided from the :class:`~.target.Target` where kernels are
planned.  The record is part of a plan's key.
"""

from __future__ import annotations

from pellucid.backends.cpu.target import Target
from pellucid.compiler.machine import Machine

BY_TARGET: dict[str, Machine] = {}
"""Records for targets that want other numbers, by :meth:`Target.key`: for measurements, and for
processors whose caches are of another kind."""


def machine_of(target: Target) -> Machine:
    """The numbers that graphs are compiled with for a processor."""
    return BY_TARGET.get(target.key(), Machine())
