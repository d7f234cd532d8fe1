"""Updates of many tensors in place as one native program, outside of ``compile``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pellucid.backends import SharingExecutable, load_sharing
from pellucid.graph.node import Graph
from pellucid.ops.views import is_stretched_view
from pellucid.tensor.native import with_workspace
from pellucid.tensor.state import Cell, state
from pellucid.tensor.trace import Trace


class NativeUpdate:
    """A function that reads tensors and host values and changes tensors in place.

    It is traced once; ``cells`` are those it read.  What it returns is ignored.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        before, state.trace = state.trace, Trace()
        trace = state.trace
        try:
            function()
        finally:
            state.trace = before
        self.cells = list(trace.cells)
        changed = trace.changed_cells()
        place = {cell: i for i, cell in enumerate(self.cells)}
        hosts = [node for node, _ in trace.hosts]
        self._hosts = [read for _, read in trace.hosts]
        self.changed = [cell for cell, _ in changed]
        aliases = {k: len(hosts) + place[cell] for k, (cell, _) in enumerate(changed)}
        inputs = (*hosts, *(trace.cells[cell] for cell in self.cells))
        self._graph = Graph(inputs, tuple(node for _, node in changed), aliases)
        self._specs = [(cell.shape, cell.dtype) for cell in self.cells]
        self._writable: list[object] = []
        self._free = [self._loaded()]

    def _loaded(self) -> tuple[SharingExecutable, np.ndarray]:
        """An executable and the memory of its host values."""
        executable = load_sharing(self._graph)
        values = np.zeros(max(1, len(self._hosts)))
        for i in range(len(self._hosts)):
            executable.bind_input(i, values.ctypes.data + values.itemsize * i)
        return executable, values

    def run(self, cells: Sequence[Cell]) -> bool:
        """Run on ``cells``, which stand in for :attr:`cells` one by one; changed ones are the same.

        False, and nothing happens, if their memory does not allow it: a changed array that is
        not contiguous or may not be written, other shapes, or memory that a changed array shares.
        """
        addresses = self._addresses(cells)
        if addresses is None:
            return False
        try:
            executable, values = self._free.pop()
        except IndexError:
            executable, values = self._loaded()
        for i, read in enumerate(self._hosts):
            values[i] = read()
        pointers = executable.pointers
        for i, address in enumerate(addresses, len(self._hosts)):
            pointers[i] = address
        with_workspace(executable)
        self._free.append((executable, values))
        for cell in self.changed:
            cell.changes[0] += 1
        return True

    def _addresses(self, cells: Sequence[Cell]) -> list[int] | None:
        addresses = []
        for cell, (shape, dtype) in zip(cells, self._specs, strict=True):
            address = cell._pointer or cell.pointer
            if not address or cell.shape != shape or cell.dtype is not dtype:
                return None
            addresses.append(address)
        arrays: list[object] = [cell.array for cell in self.changed]
        if len(arrays) != len(self._writable) or any(
            a is not b for a, b in zip(arrays, self._writable, strict=True)
        ):
            for cell in self.changed:
                array = cell.array
                if array is None or not array.flags.writeable:
                    return None
                if is_stretched_view(cell.base, array):
                    return None
            self._writable = arrays
        if len(set(addresses)) != len(addresses):
            return None  # a gradient that is its parameter's memory, or a parameter given twice
        return addresses
