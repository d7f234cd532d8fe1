"""A contraction, and the plan of one, as data: what is multiplied, and how it is cut."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.backends.cpu.contraction_elements import Elements
from pellucid.base.errors import ArgumentError

PackA = Literal["none", "lines", "rows"]
PackB = Literal["none", "copy", "transpose", "gather", "ready"]


@dataclass(frozen=True)
class Contraction:
    """A batch of products C[b, m, n] (+)= Σₖ A[b, m, k] · B[b, k, n] with fixed shapes.

    ``dtype`` is ``"float32"`` or ``"float64"``.  ``batch``, ``rows``, ``columns`` and ``depth``
    are the extents of b, m, n and k; any may be 0 (``depth`` 0 gives zeros).  Strides are in
    elements: ``a_strides`` for (batch, row, depth), ``b_strides`` for (batch, depth, column),
    ``c_strides`` for (batch, row); 0 repeats the operand.  Columns of C are contiguous.  With
    ``accumulate`` the sum is added to what C holds.

    A batch that needs several strides (heads inside of images) has further axes in ``outer``, the
    outermost first: (extent, stride of A, of B, of C) each; ``batch`` counts all matrices, and
    the first strides above belong to the innermost axis.  ``offsets`` says where A, B and C begin
    in their operands.

    ``updated`` says that B is state which the program itself changes, row by row: a small product
    is then cut along depth, so that a core reads the rows that it has written and nobody else's.

    ``narrow`` are the types in memory of A and B (``float32`` or ``bfloat16``) of a product of
    bfloat16 operands with a float32 result: float32 numbers are rounded first.
    """

    dtype: str
    batch: int
    rows: int
    columns: int
    depth: int
    a_strides: tuple[int, int, int]
    b_strides: tuple[int, int, int]
    c_strides: tuple[int, int]
    accumulate: bool = False
    outer: tuple[tuple[int, int, int, int], ...] = ()
    offsets: tuple[int, int, int] = (0, 0, 0)
    narrow: tuple[str, str] | None = None
    updated: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "float64"):
            raise ArgumentError(
                f"A contraction is made for float32 or float64, not for {self.dtype!r}.",
                "Convert the operands first.",
            )
        if self.narrow and not (
            self.dtype == "float32" and {*self.narrow} <= {"float32", "bfloat16"}
        ):
            raise ArgumentError(
                f"A contraction of {self.dtype} is to read {' and '.join(self.narrow)} as narrow.",
                "Products of float32 or bfloat16 operands in bfloat16 give float32.",
            )
        extents = (self.batch, self.rows, self.columns, self.depth)
        if min(extents) < 0:
            raise ArgumentError(
                f"The extents (batch, rows, columns, depth) of a contraction are {extents}.",
                "None may be negative.",
            )

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(np.dtype(self.dtype).itemsize)

    def elements(self, operand: int, pairs: str) -> Elements:
        """How A (0) or B (1) lies in memory, and what is multiplied; ``pairs`` as the plan's."""
        if not self.narrow:
            return Elements("float" if self.dtype == "float32" else "double")
        stored = "bfloat" if self.narrow[operand] == "bfloat16" else "float"
        return Elements(stored, True, pairs)

    @property
    def flop(self) -> int:
        """Floating-point operations: a multiplication and an addition per term."""
        return 2 * self.batch * self.rows * self.columns * self.depth

    @property
    def empty(self) -> bool:
        """Whether C has no element."""
        return self.batch * self.rows * self.columns == 0

    def batch_axes(self, operand: int) -> list[tuple[int, int]]:
        """(extent, stride) of the batch axes of A (0), B (1) or C (2), the outermost first."""
        outer = [(axis[0], axis[1 + operand]) for axis in self.outer]
        inner = self.batch // max(1, math.prod(n for n, _ in outer))
        return [*outer, (inner, (self.a_strides, self.b_strides, self.c_strides)[operand][0])]

    def swapped(self) -> Contraction:
        """The same product written as Cᵀ = Bᵀ·Aᵀ, for a C whose rows can serve as columns."""
        (ab, ar, ad), (bb, bd, bc) = self.a_strides, self.b_strides
        return Contraction(
            self.dtype,
            self.batch,
            self.columns,
            self.rows,
            self.depth,
            (bb, bc, bd),
            (ab, ad, ar),
            (self.c_strides[0], 1),
            self.accumulate,
            tuple((n, b, a, c) for n, a, b, c in self.outer),
            (self.offsets[1], self.offsets[0], self.offsets[2]),
            self.narrow and (self.narrow[1], self.narrow[0]),
        )


@dataclass(frozen=True)
class Kernel:
    """One kernel of a plan: its name is the contraction's name followed by ``suffix``."""

    suffix: str
    chunks: int
    flop: int


@dataclass(frozen=True)
class Axis:
    """How one axis of C is cut: whole tiles of ``tile``, then ``tails``, in ``chunks`` chunks.

    Chunk i starts at ``i * chunk``; the last one takes everything that is left.
    """

    extent: int
    tile: int
    tails: tuple[int, ...]
    chunk: int
    chunks: int

    @property
    def whole(self) -> int:
        """Elements covered by whole tiles."""
        return self.extent - sum(self.tails)

    def range(self, index: int) -> tuple[int, int]:
        """First element and end of chunk ``index``."""
        start = index * self.chunk
        return start, self.extent if index == self.chunks - 1 else start + self.chunk

    @property
    def longest(self) -> int:
        """Elements in the longest chunk."""
        return max(self.range(i)[1] - self.range(i)[0] for i in {0, self.chunks - 1})


@dataclass(frozen=True)
class Tiling:
    """A register tile, and what is left over at the end of each axis."""

    lanes: int
    height: int
    width: int
    row_tails: tuple[int, ...]
    column_tails: tuple[int, ...]


@dataclass(frozen=True)
class Blocking:
    """How the sums of a contraction are computed, before C is cut into chunks.

    ``depth_block`` elements along depth belong to one block of B; ``pairs`` as the plan's.
    """

    kind: Literal["tiles", "dot"]
    tiling: Tiling
    depth_block: int
    pack_a: PackA
    pack_b: PackB
    pairs: str = ""

    @property
    def each(self) -> int:
        """Elements along depth in a step."""
        return 2 if self.pairs else 1

    @property
    def steps(self) -> int:
        """Steps along depth in a block."""
        return -(-self.depth_block // self.each)


@dataclass(frozen=True)
class Partition:
    """How C is cut into chunks, and its sums into ``splits`` parts along depth."""

    rows: Axis
    columns: Axis
    splits: int


@dataclass(frozen=True)
class ContractionPlan:
    """How a contraction runs on a target.

    ``kernels`` run one after the other, each over its own chunks; all take the same operands: A,
    B, C, then a scratch buffer of ``scratch_bytes`` (only if that is not 0), then whatever the
    epilogue needs, from operand ``epilogue_operand`` on.  The other fields steer the generator.
    ``panel_columns`` columns of B are packed at a time; with ``pack_b`` "ready" B is the packed
    panels already (see :func:`~.contraction_plan.plan_blocks`).  ``swapped`` says that ``work`` is
    the transposed problem Cᵀ = Bᵀ·Aᵀ (for a C of one column).  ``pairs`` names the instruction that
    multiplies pairs of bfloat16, empty where numbers are multiplied; ``unroll`` counts steps along
    depth, of one number or a pair, all other depths elements.  ``opaque`` as in a tile.
    """

    spec: Contraction
    work: Contraction
    swapped: bool
    full_rows: bool
    kind: Literal["tiles", "dot"]
    lanes: int
    rows: Axis
    columns: Axis
    splits: int
    split_depth: int
    depth_block: int
    unroll: int
    pack_a: PackA
    pack_b: PackB
    panel_columns: int
    group: int
    kernels: tuple[Kernel, ...]
    scratch_bytes: int
    pairs: str = ""
    opaque: bool = False

    @property
    def each(self) -> int:
        """Elements along depth in a step."""
        return 2 if self.pairs else 1

    @property
    def flop(self) -> int:
        """Floating-point operations of all kernels."""
        return self.spec.flop

    @property
    def epilogue_operand(self) -> int:
        """Index in ``slots`` of the first operand that belongs to the epilogue."""
        return 4 if self.scratch_bytes else 3

    @property
    def units(self) -> int:
        """Blocks of C, counted once for each part of a split sum."""
        return self.work.batch * self.splits * self.rows.chunks * self.columns.chunks

    def blocks(self, chunk: int) -> list[tuple[int, range, range]]:
        """The (batch, rows, columns) of C that a chunk of the first kernel works on."""
        result = []
        for unit in range(chunk * self.group, min((chunk + 1) * self.group, self.units)):
            rest, column = divmod(unit, self.columns.chunks)
            rest, row = divmod(rest, self.rows.chunks)
            parts = range(*self.rows.range(row)), range(*self.columns.range(column))
            first, second = parts[::-1] if self.swapped else parts
            result.append((rest // self.splits, first, second))
        return result
