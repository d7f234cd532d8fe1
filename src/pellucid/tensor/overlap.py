"""Whether the memory that a compiled program writes is shown by another of its tensors.

A program treats its arguments and its state as separate values.  Where two of them share memory
and one is written, that is not so, and the call has to run eagerly.  Programs that write nothing
never ask; the others compare addresses, a few for each argument, before anything else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from pellucid.ops.views import is_stretched_view
from pellucid.tensor.core import TensorCore
from pellucid.tensor.state import Cell

EXACT_WORK = 10_000
"""So much work is put into telling interleaved arrays apart; more, and they count as shared."""


def bounds_of(cell: Cell, array: np.ndarray) -> tuple[int, int]:
    """First address of an array's memory, and the one behind its last."""
    start = cell._pointer or cell.pointer
    if start:
        return start, start + array.nbytes
    low = high = int(array.__array_interface__["data"][0])
    for count, stride in zip(array.shape, array.strides, strict=True):
        reach = (count - 1) * stride
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low, high + array.itemsize


def shares(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays have an element in common."""
    if not np.may_share_memory(a, b):
        return False
    try:
        return bool(np.shares_memory(a, b, EXACT_WORK))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


class _Ranges:
    """Arrays in the order of their addresses."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        known = [(cell, cell.array) for cell in cells]
        held = [(*bounds_of(c, a), c, a) for c, a in known if a is not None and a.size]
        held.sort(key=lambda entry: entry[0])
        self._held = held
        self.starts = [entry[0] for entry in held]
        self.reach: list[int] = []
        """The largest end of all arrays up to each one."""
        reach = 0
        for _, end, _, _ in held:
            reach = max(reach, end)
            self.reach.append(reach)

    def meets(self, start: int, end: int, array: np.ndarray, own: Cell | None = None) -> bool:
        """Whether one of the arrays has an element in common with this one at these addresses."""
        last = bisect_left(self.starts, end)
        if not last or self.reach[last - 1] <= start:
            return False
        return any(
            stop > start and cell is not own and shares(other, array)
            for _, stop, cell, other in self._held[:last]
        )


class Overlaps:
    """What a program writes and reads: ``cells`` of which ``changed`` are written, and the
    arguments, those at the positions ``written`` too."""

    def __init__(
        self, cells: Sequence[Cell], changed: Sequence[Cell], written: Sequence[int]
    ) -> None:
        self._arrays = [cell.array for cell in cells]
        self._written = written
        self._changed = _Ranges(changed)
        self._all = _Ranges(cells) if written or changed else self._changed
        self.starts, self.reach = self._changed.starts, self._changed.reach
        """Where state that is written begins, in order, and how far all up to there reaches."""
        self.is_torn = any(
            self._all.meets(*bounds_of(c, c.array), c.array, c)
            for c in changed
            if c.array is not None and c.array.size
        )
        """Whether state that is written is shown by other state."""

    def is_of(self, cells: Sequence[Cell]) -> bool:
        """Whether these cells still have the arrays that they had."""
        known = self._arrays
        return len(known) == len(cells) and all(
            cell.array is array for cell, array in zip(cells, known, strict=True)
        )

    def among(self, leaves: Sequence[TensorCore]) -> bool:
        """Whether a call with these arguments would write what something else shows."""
        places = []
        for position, tensor in enumerate(leaves):
            cell = tensor._cell
            array = tensor.array() if cell.array is None else cell.array
            start, end = bounds_of(cell, array)
            places.append((start, end, cell, array))
            ranges = self._all if position in self._written else self._changed
            if start < end and ranges.meets(start, end, array):
                return True
        for position in self._written:
            start, end, cell, array = places[position]
            if not array.flags.writeable or is_stretched_view(cell.base, array):
                return True  # eager mode knows what to do, or what to say
            for begin, stop, other, shown in places:
                if begin < end and start < stop and other is not cell and shares(shown, array):
                    return True
        return False
