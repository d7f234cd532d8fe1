"""Many copies of what compiled functions read and change, and their programs on all of them.

A compiled step changes tensors: parameters, averages of an optimizer, the random state.  A crowd
has its own values of these for each of its members, side by side in one block of memory, and runs
the programs on all members in one native call in which threads take whole members
(:mod:`pellucid.backends.cpu.crowd`).  The tensors themselves stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import backends
from pellucid.base.errors import ArgumentError
from pellucid.tensor.core import TensorCore
from pellucid.tensor.program import Program
from pellucid.tensor.state import Cell

LINE = 64
Array = npt.NDArray[Any]


def can_be_crowd(program: Program) -> bool:
    """Whether a program can run for the members of a crowd."""
    plain = not (program.bindings or program.writes_arguments)
    return plain and program.outer is None and backends.can_be_crowd(program.executable)


@dataclass(frozen=True)
class Argument:
    """An array that a part reads: the argument's shape behind axes of members, rounds and steps, as
    far as it differs by them: ``axes`` names these by their first letters, such as ``"mrs"``."""

    array: Array
    axes: str = ""


class Part:
    """A program and what it is called with, ``steps`` times in each of ``rounds`` for each member.

    ``results`` are the arrays (members, rounds, steps, …) of its results; ``hosts`` (members,
    rounds, steps, n) are the Python numbers that it reads, such as a learning rate, to be filled in
    by :meth:`read_hosts`.
    """

    def __init__(
        self,
        program: Program,
        members: int,
        rounds: int,
        steps: int,
        arguments: Sequence[Argument],
    ) -> None:
        self.program, self.steps, self.arguments = program, steps, list(arguments)
        extents = {"m": members, "r": rounds, "s": steps}
        for argument, (shape, dtype) in zip(self.arguments, program.argument_specs, strict=True):
            wanted = (*(extents[axis] for axis in argument.axes), *shape)
            if argument.array.shape != wanted or argument.array.dtype != dtype.numpy:
                raise ArgumentError(
                    f"A crowd got an argument of shape {argument.array.shape} for {wanted}",
                    "Give an entry for each member, round and step.",
                )
        self.results = [
            np.zeros((members, rounds, steps, *shape), dtype.numpy)
            for shape, dtype in program.result_specs
        ]
        self.hosts = np.zeros((members, rounds, steps, len(program.hosts)), np.float64)

    def read_hosts(self, *places: int | slice) -> None:
        """Take the Python numbers, as they are now, for a member, or its round, or one step."""
        if self.program.hosts:
            self.hosts[places] = [float(read()) for read in self.program.hosts]

    def move(self, source: int, target: int) -> None:
        """What a member's steps are given takes the place of another's."""
        self.hosts[target] = self.hosts[source]
        for argument in self.arguments:
            if "m" in argument.axes:
                argument.array[target] = argument.array[source]


class Crowd:
    """Values of their own, for each of ``members``, of all tensors that ``programs`` change.

    ``own`` are further tensors whose values differ.  Values start as those of the tensors.  Those
    of ``own`` come first, in their order, and without gaps but for alignment.
    """

    def __init__(
        self, members: int, programs: Sequence[Program], own: Sequence[TensorCore] = ()
    ) -> None:
        self.members = members
        changed = [cell for program in programs for cell in program.changed]
        cells = dict.fromkeys([*(tensor._cell for tensor in own), *changed])
        self._offsets: dict[Cell, int] = {}
        size = 0
        for cell in cells:
            self._offsets[cell] = size
            size += _lines(_value(cell).nbytes)
        # An odd number of lines, so that the same tensors of members do not share a cache's sets.
        self.stride = size + LINE * (1 - size // LINE % 2)
        raw = np.zeros(members * self.stride + LINE, np.uint8)
        start = -int(raw.ctypes.data) % LINE
        self.memory = raw[start : start + members * self.stride].reshape(members, self.stride)
        for cell in cells:
            self._array(cell)[:] = _value(cell)

    def values(self, tensor: TensorCore) -> Array:
        """A tensor's values (members, …), to be read and written."""
        return self._array(tensor._cell)

    def extent(self, tensors: Sequence[TensorCore]) -> int:
        """Bytes of a member's line of ``memory`` up to the end of these tensors."""
        ends = [self._offsets[t._cell] + _value(t._cell).nbytes for t in tensors]
        return max(ends, default=0)

    def _array(self, cell: Cell) -> Array:
        shape, dtype = cell.shape, cell.dtype.numpy
        offset = self._offsets[cell]
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        part = self.memory[:, offset : offset + size]
        strides = (self.stride, *np.empty(shape, dtype).strides)
        found: Array = np.ndarray((self.members, *shape), dtype, self.memory, offset, strides)
        return found if part.size else np.empty((self.members, *shape), dtype)

    def move(self, source: int, target: int) -> None:
        """A member's values to the place of another."""
        self.memory[target] = self.memory[source]

    def read(self, line: Array, tensors: Sequence[TensorCore]) -> list[Array]:
        """Copies of the tensors' values in a line of ``memory``, or in its beginning."""
        found = []
        for tensor in tensors:
            cell, offset = tensor._cell, self._offsets[tensor._cell]
            size = _value(cell).nbytes
            values = np.ascontiguousarray(line[offset : offset + size]).view(cell.dtype.numpy)
            found.append(values.reshape(cell.shape).copy())
        return found

    def begin(
        self, program: backends.CrowdExecutable, number: int, part: Part, at: int, steps: int
    ) -> None:
        """Let part ``number`` of a program begin at step ``at`` and make so many from there on."""
        for position, (address, _, _, by_step) in enumerate(self._places(part)):
            if by_step:
                program.move(number, position, address + at * by_step)
        program.set_steps(number, steps)

    def load(
        self, parts: Sequence[Part], members: int | None = None, rounds: int = 1
    ) -> backends.CrowdExecutable:
        """What runs the parts, one after the other, for each of the first ``members``."""
        found = [(part.program.executable, part.steps, self._places(part)) for part in parts]
        count = self.members if members is None else members
        return backends.load_crowd(found, count, rounds)

    def _places(self, part: Part) -> list[tuple[int, int, int, int]]:
        """Where each input and output of a part is."""
        program = part.program
        places = [_place(a.array, a.axes) for a in part.arguments]
        address, member, turn, step = _place(part.hosts, "mrs")
        places += [(address + 8 * i, member, turn, step) for i in range(len(program.hosts))]
        for cell in program.cells:
            offset = self._offsets.get(cell)
            if offset is None:
                places.append((_contiguous(cell), 0, 0, 0))
            else:
                places.append((int(self.memory.ctypes.data) + offset, self.stride, 0, 0))
        results = [_place(array, "mrs") for array in part.results]
        further = len(program.graph.outputs) - len(results)
        return [*places, *results, *[(0, 0, 0, 0)] * further]


def _value(cell: Cell) -> Array:
    array = cell.array
    return np.zeros(cell.shape, cell.dtype.numpy) if array is None else array


def _contiguous(cell: Cell) -> int:
    address = cell.pointer
    if not address:
        raise ArgumentError(
            "A crowd reads a tensor whose memory has gaps", "Pass x.contiguous() in its place."
        )
    return address


def _place(array: Array, axes: str) -> tuple[int, int, int, int]:
    """Address, and bytes to the next member, round and step."""
    strides = dict(zip(axes, array.strides, strict=False))
    by_member, by_round, by_step = (strides.get(axis, 0) for axis in "mrs")
    return int(array.ctypes.data), by_member, by_round, by_step


def _lines(size: int) -> int:
    return -(-size // LINE) * LINE
