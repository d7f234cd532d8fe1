"""Graphs as native functions of NumPy arrays, for operations that run outside of a program.

Many such functions exist side by side and only one runs at a time on a thread, so they share the
memory for intermediate values.  Nothing here holds a lock while native code runs: a thread that
finds a function's executable in use makes itself another one, which costs no compilation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid.backends import Sharing, load_sharing
from pellucid.base.caches import register_cache
from pellucid.base.dtypes import as_dtype
from pellucid.base.shapes import Shape
from pellucid.graph.node import Graph, Node, Spec, new_input
from pellucid.ops import structure
from pellucid.tensor.core import no_memory

KEPT_BYTES = 256 << 20
"""Workspaces up to this size are kept for the next call; larger ones are given back at once."""


class Layout(NamedTuple):
    """How an array that is not C-contiguous can be read without copying it.

    The array is ``stored.transpose(back)`` stretched along the axes ``stretched`` (extent 1 in
    ``stored``), where ``stored`` is C-contiguous.
    """

    order: tuple[int, ...]
    """The array's axes in the order in which they lie in memory, ``stretched`` ones included."""
    stretched: tuple[int, ...]


def layout_of(array: np.ndarray) -> Layout | None:
    """The layout of an array that is not C-contiguous; None if only a copy can be read."""
    strides = array.strides
    if not array.flags.aligned or not array.size:
        return None
    stretched = tuple(i for i, s in enumerate(strides) if s == 0 and array.shape[i] > 1)
    order = tuple(sorted(range(array.ndim), key=lambda axis: -strides[axis]))
    layout = Layout(order, stretched)
    return layout if stored_array(array, layout).flags.c_contiguous else None


def stored_array(array: np.ndarray, layout: Layout | None) -> np.ndarray:
    """The contiguous array behind ``array``, without a copy unless there is no layout."""
    if layout is None:
        return np.ascontiguousarray(array)
    if layout.stretched:
        array = array[tuple(_FIRST if i in layout.stretched else _ALL for i in range(array.ndim))]
    return array.transpose(layout.order)


_FIRST, _ALL = slice(0, 1), slice(None)


def stored_input(spec: Spec, layout: Layout | None) -> tuple[Node, Node]:
    """An input node for the stored array, and the node of the array that it stands for."""
    if layout is None:
        node = new_input(spec)
        return node, node
    extents = [1 if i in layout.stretched else n for i, n in enumerate(spec.shape)]
    stored = new_input(Spec(tuple(extents[i] for i in layout.order), spec.dtype))
    back = tuple(layout.order.index(i) for i in range(len(extents)))
    moved: Node = structure.transpose(stored, back)
    return stored, structure.broadcast_to(moved, spec.shape)


class NativeFunction:
    """A graph without aliases, compiled, as a function from arrays to new arrays.

    Raises :class:`~pellucid.base.errors.ArgumentError` where an index is out of range.
    """

    __slots__ = ("_free", "_graph", "_results")

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._results: list[tuple[Shape, np.dtype[Any]]] = [
            (node.shape, node.dtype.numpy) for node in graph.outputs
        ]
        self._free = [load_sharing(self._graph)]

    def __call__(self, addresses: Sequence[int]) -> list[np.ndarray]:
        """New arrays from the contiguous ones at these addresses, which the caller keeps alive."""
        results = []
        for shape, dtype in self._results:
            try:
                results.append(np.empty(shape, dtype))
            except (MemoryError, ValueError):  # ValueError: more bytes than addresses
                raise no_memory(shape, as_dtype(dtype)) from None
        self.write(addresses, [made.__array_interface__["data"][0] for made in results])
        return results

    def write(self, addresses: Sequence[int], results: Sequence[int]) -> None:
        """Compute contiguous arrays at the addresses ``results``."""
        try:
            executable = self._free.pop()
        except IndexError:
            executable = load_sharing(self._graph)
        pointers = executable.pointers
        position = 0
        for address in (*addresses, *results):
            pointers[position] = address
            position += 1
        if executable.memory_bytes:
            with_workspace(executable)
        else:
            executable.run()
        self._free.append(executable)


_workspaces: list[tuple[int, int, np.ndarray]] = []
"""Memory that no call uses now: (address, bytes, array), one for each thread that was active."""
register_cache("workspaces", _workspaces.clear)


def with_workspace(executable: Sharing) -> None:
    """Run with shared memory for intermediate values."""
    try:
        found = _workspaces.pop()
    except IndexError:
        found = (0, 0, _EMPTY)
    if found[1] < executable.memory_bytes:
        found = _workspace(executable.memory_bytes)
    if executable.placed != found[0]:
        executable.place(found[0])
    executable.run()
    if found[1] <= KEPT_BYTES:
        _workspaces.append(found)


_EMPTY = np.empty(0, np.uint8)


def _workspace(size: int) -> tuple[int, int, np.ndarray]:
    raw = np.empty(size + 64, np.uint8)
    start = int(raw.ctypes.data)
    return start + -start % 64, size, raw
