"""Heavy operations of eager mode that need no kernel made for their shapes.

A deep network applies a few operations at many shapes.  Those here run on what serves every shape:
matrix products of NumPy's library, and the kernels of :mod:`pellucid.backends.cpu.general`, whose
extents are numbers that they are handed.  The first step of a network, and the first step with
another batch size, then plans and compiles nothing for them.

Each class has the value (``forward``) and the gradient (``backward``) of one operation at one
signature; both say what its composition says, up to rounding.  Which operations come here follows
from shapes, dtypes and settings, as everything that decides between kernels does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from pellucid.backends import GeneralExecutable, load_general
from pellucid.base.dtypes import as_dtype
from pellucid.base.shapes import Shape
from pellucid.tensor.core import no_memory
from pellucid.tensor.native import with_workspace

CHUNKS = 16
"""Into so many parts work is cut for the threads."""
NANOSECONDS = 0.1
"""Estimated time of an element that is multiplied or moved."""


class General(Protocol):
    """An operation at one signature, on NumPy arrays."""

    def forward(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The results; the first is the one that gradients flow through."""

    def backward(
        self, arrays: Sequence[np.ndarray], cotangent: np.ndarray, needs: Sequence[bool]
    ) -> list[np.ndarray | None]:
        """Cotangents of the inputs that need one."""

    def operands(self, needs: Sequence[bool]) -> list[int]:
        """Which inputs ``backward`` reads."""


class Program:
    """A general kernel at given numbers; several threads may call it at once."""

    __slots__ = ("_free", "_settings")

    def __init__(self, *settings: Any) -> None:
        self._settings = settings
        self._free = [self._made()]

    def _made(self) -> GeneralExecutable:
        return load_general(*self._settings)

    def __call__(self, *arrays: np.ndarray) -> None:
        """Run on contiguous arrays, inputs first, then results."""
        try:
            program = self._free.pop()
        except IndexError:
            program = self._made()
        pointers = program.pointers
        for i, array in enumerate(arrays):
            pointers[i] = array.__array_interface__["data"][0]
        if program.memory_bytes:
            with_workspace(program)
        else:
            program.run()
        self._free.append(program)


def new(shape: Shape, dtype: np.dtype[Any]) -> np.ndarray:
    """An array without values."""
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError):  # ValueError: more bytes than addresses
        raise no_memory(shape, as_dtype(dtype)) from None


def rounded_up(count: int, multiple: int) -> int:
    """The next multiple."""
    return -(-count // multiple) * multiple


def chunks_of(count: int, most: int = CHUNKS) -> tuple[int, int]:
    """How many planes or channels a chunk has, and how many chunks there are."""
    together = -(-count // most)
    return together, -(-count // together)
