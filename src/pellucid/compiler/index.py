"""Positions as formulas: which element of an operand an operation reads.

An :class:`Affine` is a sum of loop variables times constants.  What does not stay affine (the
quotient and remainder of a reshape that cuts across axes, a position that is itself data)
becomes an opaque :class:`Atom`.  Fusion asks these formulas whether two operations meet row by
row; the backend turns them into instructions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.base.errors import CompilationError
from pellucid.base.shapes import Shape, contiguous_strides
from pellucid.graph.node import Node


@dataclass(frozen=True)
class Atom:
    """A variable with values in [0, extent): a loop counter, or something computed from one.

    ``kind`` is ``loop`` (``payload`` its name), ``div``/``mod`` (payload: an Affine and a
    divisor), ``clamp`` (payload: an Affine and the bounds it is kept in) or ``data`` (payload: the
    index node and the position it is read at).
    """

    kind: str
    payload: Any
    extent: int

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.kind, self.payload, self.extent))

    def __hash__(self) -> int:
        return self._hash

    def depends_on(self, name: str) -> bool:
        """Whether the loop variable ``name`` takes part."""
        if self.kind == "loop":
            return bool(self.payload == name)
        parts = self.payload[1] if self.kind == "data" else (self.payload[0],)
        return any(p.depends_on(name) for p in parts)


@dataclass(frozen=True)
class Affine:
    """constant + Σ coefficient · atom."""

    terms: tuple[tuple[Atom, int], ...] = ()
    constant: int = 0

    @functools.cached_property
    def _hash(self) -> int:
        # Formulas are keys all over the fusion, and nested: their hash is computed once.
        return hash((self.terms, self.constant))

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine(self.terms, self.constant + other)
        merged: dict[Atom, int] = dict(self.terms)
        for atom, coefficient in other.terms:
            merged[atom] = merged.get(atom, 0) + coefficient
        kept = tuple((a, c) for a, c in merged.items() if c)
        return Affine(kept, self.constant + other.constant)

    def __mul__(self, factor: int) -> Affine:
        if factor == 0:
            return ZERO
        return Affine(tuple((a, c * factor) for a, c in self.terms), self.constant * factor)

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        low = high = self.constant
        for atom, coefficient in self.terms:
            reach = coefficient * (atom.extent - 1)
            low, high = low + min(reach, 0), high + max(reach, 0)
        return low, high

    def depends_on(self, name: str) -> bool:
        """Whether the loop variable ``name`` takes part."""
        return any(atom.depends_on(name) for atom, _ in self.terms)

    def coefficient(self, name: str) -> int:
        """Factor of the loop variable ``name`` itself (0 if it only hides in an atom)."""
        for atom, coefficient in self.terms:
            if atom.kind == "loop" and atom.payload == name:
                return coefficient
        return 0

    def without(self, name: str) -> Affine:
        """The formula less the term of the loop variable ``name``."""
        kept = tuple((a, c) for a, c in self.terms if not (a.kind == "loop" and a.payload == name))
        return Affine(kept, self.constant)


ZERO = Affine()
Index = tuple[Affine, ...]


def loop(name: str, extent: int) -> Affine:
    """The loop variable ``name`` in [0, extent); 0 when it can only be 0 or has no value."""
    return ZERO if extent <= 1 else Affine(((Atom("loop", name, extent), 1),))


def divide(value: Affine, divisor: int) -> tuple[Affine, Affine]:
    """Quotient and remainder; exact where the formula allows, else atoms.

    A divisor of 0 comes from an axis without elements, whose positions nobody reads.
    """
    if divisor <= 1:
        return value, ZERO
    low, high = value.bounds()
    if 0 <= low and high < divisor:
        return ZERO, value
    whole = Affine(
        tuple((a, c // divisor) for a, c in value.terms if c % divisor == 0),
        value.constant // divisor,
    )
    rest = Affine(tuple((a, c) for a, c in value.terms if c % divisor), value.constant % divisor)
    low, high = rest.bounds()
    if 0 <= low and high < divisor:
        return whole, rest
    common = math.gcd(divisor, *(c for _, c in rest.terms))
    if common > 1:
        # 4x + 3 divided by 32: x divided by 8, and four times what is left of that, plus 3.
        offset = rest.constant % common
        less = Affine(
            tuple((a, c // common) for a, c in rest.terms), (rest.constant - offset) // common
        )
        quotient, remainder = divide(less, divisor // common)
        return whole + quotient, remainder * common + offset
    if low < 0:
        whole, rest = ZERO, value
        high = value.bounds()[1]
    quotient = Affine(((Atom("div", (rest, divisor), high // divisor + 1), 1),))
    remainder = Affine(((Atom("mod", (rest, divisor), divisor), 1),))
    return whole + quotient, remainder


def linear(index: Sequence[Affine], shape: Shape) -> Affine:
    """Offset in a C-contiguous array of ``shape``."""
    return _linear(tuple(index), tuple(shape))


@functools.lru_cache(1 << 15)
def _linear(index: Index, shape: Shape) -> Affine:
    total = ZERO
    for position, stride in zip(index, contiguous_strides(shape), strict=True):
        total = total + position * stride
    return recombine(total)


def recombine(value: Affine) -> Affine:
    """c · (x div c) + x mod c → x, as often as it occurs."""
    changed = True
    while changed and len(value.terms) > 1:
        changed = False
        coefficients = dict(value.terms)
        for atom, coefficient in value.terms:
            if atom.kind != "mod":
                continue
            inner, divisor = atom.payload
            partner = Atom("div", (inner, divisor), inner.bounds()[1] // divisor + 1)
            if coefficients.get(partner) == coefficient * divisor:
                rest = tuple((a, c) for a, c in value.terms if a not in (atom, partner))
                value = Affine(rest, value.constant) + inner * coefficient
                changed = True
                break
    return value


@functools.lru_cache(1 << 15)
def unravel(offset: Affine, shape: Shape) -> Index:
    """The index whose offset this is."""
    result: list[Affine] = []
    for axis in range(len(shape) - 1, 0, -1):
        if shape[axis] <= 1:
            result.append(ZERO)
            continue
        offset, rest = divide(offset, shape[axis])
        result.append(rest)
    if shape:
        result.append(ZERO if shape[0] <= 1 else offset)
    return tuple(reversed(result))


def forget() -> None:
    """Drop what was worked out so far: formulas over data keep their nodes alive."""
    _linear.cache_clear()
    unravel.cache_clear()


def broadcast_index(index: Index, shape: Shape) -> Index:
    """Where an operand of ``shape`` is read when the result is computed at ``index``."""
    tail = index[len(index) - len(shape) :]
    return tuple(ZERO if extent == 1 else i for i, extent in zip(tail, shape, strict=True))


INLINE_FAMILIES = ("elementwise", "movement", "ordering", "random")
"""Families whose elements can be computed one at a time, wherever they are needed."""


def operand_indices(node: Node, index: Index) -> list[Index]:
    """Where each operand of an inline operation is read to compute the element at ``index``.

    For ``pad`` and ``concatenate`` the positions may lie outside of the operand; whoever reads
    must check.  For ``take`` and ``gather`` the first operand's index holds a data atom.
    """
    name, settings = node.op.name, node.settings
    if node.op.family == "elementwise":
        return [broadcast_index(index, n.shape) for n in node.inputs]
    if node.op.family == "random":
        return [(ZERO,)]
    if name == "after":  # no element of what is awaited is read; it only has to be there
        return [index, (ZERO,) * len(node.inputs[1].shape)]
    if not node.inputs:  # a constant, or positions along an axis
        return []
    source = node.inputs[0]
    if name == "reshape":
        return [unravel(linear(index, node.shape), source.shape)]
    if name == "transpose":
        places = settings["axes"]
        return [tuple(index[places.index(axis)] for axis in range(len(index)))]
    if name == "broadcast_to":
        return [broadcast_index(index, source.shape)]
    if name == "slice":
        return [
            tuple(
                i * c + a
                for i, a, c in zip(index, settings["start"], settings["step"], strict=True)
            )
        ]
    if name == "pad":
        shifted = [i + (-a) for i, a in zip(index, settings["low"], strict=True)]
        inner = [divide(s, b + 1)[0] for s, b in zip(shifted, settings["interior"], strict=True)]
        return [tuple(inner), ()]
    if name == "concatenate":
        axis, start, result = settings["axis"], 0, []
        for operand in node.inputs:
            result.append(tuple(p + (-start) if i == axis else p for i, p in enumerate(index)))
            start += operand.shape[axis]
        return result
    if name == "take":
        axis, places = settings["axis"], node.inputs[1]
        where = index[axis : axis + len(places.shape)]
        atom = Affine(((Atom("data", (places, where), max(source.shape[axis], 1)), 1),))
        return [(*index[:axis], atom, *index[axis + len(places.shape) :]), where]
    if name == "gather":
        axis, places = settings["axis"], node.inputs[1]
        atom = Affine(((Atom("data", (places, index), max(source.shape[axis], 1)), 1),))
        return [tuple(atom if i == axis else p for i, p in enumerate(index)), index]
    raise CompilationError(
        f"{name} has no rule for where it reads its operands", "add one beside the others"
    )


def read_indices(node: Node, index: Index) -> list[Index]:
    """Where a kernel reads each operand: as :func:`operand_indices`, but always inside of it.

    Where ``pad`` and ``concatenate`` have no element of an operand, the nearest one is read, and
    not used.
    """
    places = operand_indices(node, index)
    if node.op.name == "pad":
        shape, settings = node.inputs[0].shape, node.settings
        inside = []
        for place, low, gap, extent in zip(
            index, settings["low"], settings["interior"], shape, strict=True
        ):
            near = clamp(place + (-low), (extent - 1) * (gap + 1))
            whole = Affine(((Atom("div", (near, gap + 1), extent), 1),))
            inside.append(whole if gap else near)
        return [tuple(inside), ()]
    if node.op.name == "concatenate":
        axis = node.settings["axis"]
        return [
            tuple(clamp(p, n.shape[axis] - 1) if i == axis else p for i, p in enumerate(where))
            for n, where in zip(node.inputs, places, strict=True)
        ]
    return places


def clamp(formula: Affine, high: int) -> Affine:
    """The formula kept in [0, high]; itself where it cannot leave it."""
    low, most = formula.bounds()
    if low >= 0 and most <= high:
        return formula
    return Affine(((Atom("clamp", (formula, 0, high), high + 1), 1),))


def is_inline(node: Node) -> bool:
    """Whether elements of the node can be computed where they are needed."""
    return node.op.family in INLINE_FAMILIES or node.op.name in (
        "take",
        "gather",
        "constant",
        "iota",
    )
