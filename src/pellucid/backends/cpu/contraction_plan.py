"""How a contraction is cut: register tile, blocks, packing, chunks.

Everything here follows from the shapes, the strides and the :class:`Target`, so that a kernel's
text and the order of its sums never depend on who runs it.  Choices are made by small cost models
in processor cycles, whose constants were measured on AVX2 machines.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pellucid.backends.cpu.contraction_elements import EMULATED, Elements
from pellucid.backends.cpu.target import Target
from pellucid.base.errors import ArgumentError

PackA = Literal["none", "lines", "rows"]
PackB = Literal["none", "copy", "transpose", "gather", "ready"]

_CHUNK_CYCLES = 60_000  # about 20 µs: below this, handing out a chunk costs more than it brings
_SMALL_CHUNK_CYCLES = 7_000  # a product of a few such chunks is still worth two to four threads
_DISPATCH_CYCLES = 1_000
_BYTES_A_CYCLE = 16  # that one core reads from the outer caches
_MOST_CHUNKS = 256
_DOT_ROWS = 12
_LONG_DOT_ROWS = 40
_LONG_DOT_DEPTH = 192
"""Of a long sum dot products beat tiles up to so many rows: each vector of B is read once and used
for all of them, and never rearranged (32 rows, 784 deep: 82 GFLOP/s on a core against 71)."""
_SCRATCH_BYTES = 248 << 10
_PANELS = 4
_PACKED_A_CHUNK = 1 << 13  # elements
_THIN_BLOCK = 8
_THIN_COLUMNS = 512
_OWN_ROWS = 128
"""Most rows for which it pays to cut a product by who updates the rows of B (see _own_rows); with
more of them, columns of a product would be too narrow for what follows on it."""
_OWN_BYTES = 1 << 18
"""Largest weights that are worth keeping in one core's cache."""
_OWN_DEPTH = 32
_STRIPED_FLOP = 1 << 22
_STRIPES = 1.15
"""What it costs to cut the gradient of a weight, made with at most so many FLOP, into stripes of
columns only: the update goes through it row by row, and reads half of it out of another core's
cache."""
_LEAST_LANES_OF_PAIRS = 4  # the shortest vectors that instructions for pairs know
_SHARED_BYTES = 1 << 21
_CYCLES_OF_A_MOVED_LINE = 40.0
"""That a core waits for a line of B which another core changes, and which it takes away from that
one; with more than ``_OWN_ROWS`` rows the multiplications hide it, and weights larger than
``_SHARED_BYTES`` come from memory anyway."""
# Weight of each number of threads when chunk sizes are compared.
_THREADS = ((1, 1.0), (2, 2.0), (4, 1.5), (8, 0.7), (16, 0.2))
_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128)
_SPLITS = (1, 2, 4, 8, 16, 32, 64)


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
class ContractionPlan:
    """How a contraction runs on a target.

    ``kernels`` run one after the other, each over its own chunks; all take the same operands: A,
    B, C, then a scratch buffer of ``scratch_bytes`` (only if that is not 0), then whatever the
    epilogue needs, from operand ``epilogue_operand`` on.  The other fields steer the generator.
    ``panel_columns`` columns of B are packed at a time; with ``pack_b`` "ready" B is the packed
    panels already (see :func:`plan_blocks`).  ``swapped`` says that ``work`` is the
    transposed problem Cᵀ = Bᵀ·Aᵀ (for a C of one column).  ``pairs`` names the instruction that
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


def plan_contraction(spec: Contraction, target: Target, full_rows: bool = False) -> ContractionPlan:
    """Decide how ``spec`` runs on ``target``.

    ``full_rows`` demands that every block of C spans all columns, so that an epilogue may work on
    whole rows.
    """
    return _plan(spec, target, full_rows)


@functools.lru_cache(maxsize=1024)
def _plan(spec: Contraction, target: Target, full_rows: bool) -> ContractionPlan:
    swapped = spec.columns == 1 and spec.rows > 1 and spec.c_strides[1] == 1
    work = spec.swapped() if swapped else spec
    lanes = target.lanes(spec.dtype)
    pairs = target.pair_product if work.narrow else ""
    each = 2 if pairs else 1
    dot = _wants_dot(work, lanes * each, target.l2_bytes // 8)
    if dot:
        height, width = _dot_shape(work, target.vector_registers)
        row_tails, column_tails = _plain_tails(work.rows, height), _plain_tails(work.columns, width)
        shape = _Shape(lanes, height, width, row_tails, column_tails)
        pack_a: PackA = "none"
        pack_b: PackB = "none"
        block = max(1, work.depth)
    else:
        registers = target.vector_registers
        if pairs == EMULATED:
            registers -= 3  # halves of pairs, taken apart
        least = _LEAST_LANES_OF_PAIRS if pairs else 1
        lanes, height, width = tile_shape(work, lanes, registers, least=least)
        column_tails = _plain_tails(work.columns, width)
        shape = _Shape(lanes, height, width, _row_tails(work.rows, height), column_tails)
        block = _depth_block(work, target, width, each)
        pack_a, pack_b = _packing(work, shape, block)
        if work.narrow:
            pack_a, pack_b = _narrow_packing(work, pairs)
    limit_rows = _row_limit(work, target, shape, -(-block // each), pack_a)
    wide = full_rows and not swapped
    rows, columns, splits = _partition(work, shape, limit_rows, wide, pack_a, pack_b)
    if dot:
        # Only the last part of a split sum may end inside a vector.
        split_depth = _round_up(math.ceil(work.depth / splits), 4 * lanes)
    else:
        split_depth = work.depth if splits == 1 else _round_up(math.ceil(work.depth / splits), 8)
        block = each * _even_block(-(-split_depth // each), -(-block // each))
    splits = max(1, math.ceil(work.depth / split_depth)) if work.depth else 1
    if not dot and rows.chunks == 1 and rows.extent:
        rows = _even_rows(rows.extent, rows.tile)
    plan = _finish(
        spec,
        work,
        swapped,
        full_rows,
        dot,
        lanes,
        rows,
        columns,
        splits,
        split_depth,
        block,
        pack_a,
        pack_b,
        pairs,
    )
    return replace(plan, opaque=target.triple.startswith("x86_64"))


def _finish(
    spec: Contraction,
    work: Contraction,
    swapped: bool,
    full_rows: bool,
    dot: bool,
    lanes: int,
    rows: Axis,
    columns: Axis,
    splits: int,
    split_depth: int,
    block: int,
    pack_a: PackA,
    pack_b: PackB,
    pairs: str,
) -> ContractionPlan:
    """Count chunks and kernels and put the plan together."""
    units = 0 if spec.empty else work.batch * splits * rows.chunks * columns.chunks
    limit = _chunk_limit(_cycles(work, lanes))
    group = max(1, math.ceil(units / limit))
    kernels = [Kernel("", math.ceil(units / group), spec.flop)]
    scratch = 0
    if splits > 1:
        scratch = work.batch * splits * work.rows * work.columns * work.itemsize
        chunks, _ = sum_chunks(spec, splits, lanes)
        kernels.append(Kernel("_sum", chunks, 0))
    each = 2 if pairs else 1
    panel_bytes = -(-block // each) * columns.tile * work.itemsize
    return ContractionPlan(
        spec,
        work,
        swapped,
        full_rows,
        "dot" if dot else "tiles",
        lanes,
        rows,
        columns,
        splits,
        split_depth,
        block,
        # Broadcasts of pairs on ARM take a register for each address: longer iterations spill.
        depth_unroll(-(-split_depth // each), 4 if pairs == "bfdot" else 6),
        pack_a,
        pack_b,
        _panel_columns(columns, pack_b, panel_bytes),
        group,
        tuple(kernels),
        scratch,
        pairs,
    )


def plan_blocks(spec: Contraction, target: Target) -> ContractionPlan:
    """A product whose chunks are its matrices, all columns each, with a B that is packed before.

    For loops: ``spec.batch`` counts blocks of rows, all of which read the same B, which does not
    change from iteration to iteration and is packed once, by what :func:`plan_packing` plans.
    """
    lanes = target.lanes(spec.dtype)
    # Few rows: tiles of 8 sums just wait for each other (164 GFLOP/s where those of 12 reach 178).
    lanes, height, width = tile_shape(spec, lanes, target.vector_registers, latency=4.4)
    rows = Axis(spec.rows, height, _row_tails(spec.rows, height), spec.rows, 1)
    tails = _plain_tails(spec.columns, width)
    columns = Axis(spec.columns, width, tails, spec.columns, 1)
    return ContractionPlan(
        spec,
        spec,
        False,
        True,
        "tiles",
        lanes,
        rows,
        columns,
        1,
        spec.depth,
        spec.depth,
        depth_unroll(spec.depth),
        "none",
        "ready",
        spec.columns,
        1,
        (Kernel("", spec.batch, spec.flop),),
        0,
    )


def plan_packing(plan: ContractionPlan) -> ContractionPlan:
    """How the B of a product planned by :func:`plan_blocks` is packed, some panels a chunk."""
    work, axis = plan.work, plan.columns
    _, b_depth, b_column = work.b_strides
    kind: PackB = "copy" if b_column == 1 else "transpose" if b_depth == 1 else "gather"
    panels = max(1, axis.whole // axis.tile)
    count = max(1, min(panels, 16, work.depth * work.columns // _PACKED_A_CHUNK))
    chunk = math.ceil(panels / count) * axis.tile
    chunks = max(1, math.ceil(axis.whole / chunk))
    columns = Axis(axis.extent, axis.tile, axis.tails, chunk, chunks)
    kernel = Kernel("_pack", chunks, 0)
    return replace(plan, pack_b=kind, columns=columns, kernels=(kernel,))


def packed_bytes(plan: ContractionPlan) -> int:
    """Bytes of a packed B: whole panels, the last one padded to whole vectors."""
    columns = plan.columns.whole + _round_up(sum(plan.columns.tails), plan.lanes)
    return columns * plan.depth_block * plan.work.itemsize


def sum_chunks(spec: Contraction, splits: int, lanes: int) -> tuple[int, int]:
    """(chunks, rows of C in each) of the kernel that adds the parts of a split sum."""
    cycles = splits * spec.rows * spec.columns // lanes
    wanted = max(1, min(spec.rows, cycles // _CHUNK_CYCLES))
    rows = math.ceil(spec.rows / wanted)
    return spec.batch * math.ceil(spec.rows / rows), rows


# ---- tiles -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shape:
    """A register tile and what is left over at the end of each axis."""

    lanes: int
    height: int
    width: int
    row_tails: tuple[int, ...]
    column_tails: tuple[int, ...]


def _wants_dot(work: Contraction, lanes: int, near_bytes: int) -> bool:
    """Whether dot products along depth beat tiles: few rows or columns, both sides contiguous.

    All of A is read for every few columns, so it has to be near: at most ``near_bytes``.
    """
    contiguous = work.a_strides[2] == 1 and work.b_strides[1] == 1
    few = work.rows <= _DOT_ROWS or work.columns <= max(1, lanes // 4)
    long = work.depth >= _LONG_DOT_DEPTH and not work.narrow
    if long and work.rows * work.depth * work.itemsize <= near_bytes:
        few = few or work.rows <= _LONG_DOT_ROWS
    # A column-contiguous B of one column is contiguous both ways and always suits dot products.
    return contiguous and few and work.depth >= 2 * lanes and not work.empty


def _dot_shape(work: Contraction, registers: int) -> tuple[int, int]:
    """Rows and columns of a dot tile whose sums and one side's vectors fit the registers."""
    room = min(registers, 32) - 4
    few, many = sorted((work.rows, work.columns))
    few = _balanced(few, 4)
    many = min(many, 8, room // few)
    return (few, many) if work.rows <= work.columns else (many, few)


def _balanced(extent: int, most: int) -> int:
    """Largest tile ≤ ``most`` when ``extent`` is cut into as few nearly equal tiles as possible."""
    return math.ceil(extent / math.ceil(extent / most)) if extent else 1


def _plain_tails(extent: int, tile: int) -> tuple[int, ...]:
    return (extent % tile,) if extent % tile else ()


def _row_tails(rows: int, height: int) -> tuple[int, ...]:
    """Tile heights that cover the rows after the whole tiles.

    A very low last tile has too few independent sums to keep the multipliers busy, so it shares
    its rows with the tile before it.
    """
    rest = rows % height
    if rest == 0:
        return ()
    if rest * 2 < height and rows > height:
        both = height + rest
        return (both - both // 2, both // 2)
    return (rest,)


def _even_rows(rows: int, height: int) -> Axis:
    """All rows in one chunk, in as few tiles of at most ``height``, none lower than need be.

    Tiles of 4 rows (8 sums of two vectors) wait for their sums, those of 5 hardly do.
    """
    tiles = math.ceil(rows / height)
    low, higher = divmod(rows, tiles)
    return Axis(rows, low + (higher > 0), (low,) * (tiles - higher) if higher else (), rows, 1)


def tile_shape(
    work: Contraction, lanes: int, registers: int, latency: float = 4.0, least: int = 1
) -> tuple[int, int, int]:
    """(lanes, rows, columns) of the register tile: the cheapest that needs no spilling.

    ``least`` is the smallest number of lanes.  The cost of one step along depth is bounded by
    multiply-adds (2 a cycle), loads (2 a cycle) and the 4 cycles until a sum can be added to again
    (``latency``).
    """
    while lanes > least and work.columns <= lanes // 2:
        lanes //= 2

    def step(height: int, vectors: int) -> float:
        return max(height * vectors / 2, (height + vectors) / 2, latency)

    def cost(shape: tuple[int, int]) -> float:
        height, vectors = shape
        panels, rest = divmod(work.columns, vectors * lanes)
        whole = (work.rows - sum(_row_tails(work.rows, height))) // height
        heights = [(height, whole), *((tail, 1) for tail in _row_tails(work.rows, height))]
        last = math.ceil(rest / lanes)
        return sum(
            count * (panels * step(high, vectors) + (step(high, last) if rest else 0.0))
            for high, count in heights
        )

    vectors_needed = max(1, math.ceil(work.columns / lanes))
    # Sums that fit next to one row of B and a broadcast.  With 32 registers 24 sums are plenty,
    # and more rows than 12 (8 on machines without displacements large enough for a row of A, which
    # are those with short vectors) make LLVM spill their addresses.
    sums = 24 if registers >= 32 else registers - 1
    tallest = 8 if registers >= 32 and lanes <= 4 else 12
    best = 3 if tallest == 8 else 2  # loads least for each multiply-add
    shapes = []
    for vectors in range(1, min(4, vectors_needed) + 1):
        most = min(sums, registers - 1 - vectors) // vectors
        shapes.append((max(1, min(most, tallest, work.rows)), vectors))
    height, vectors = min(
        shapes, key=lambda s: (round(cost(s) * 1.02 ** abs(s[1] - best)), abs(s[1] - best))
    )
    return lanes, height, vectors * lanes


def _depth_block(work: Contraction, target: Target, width: int, each: int) -> int:
    """Depth of a block of B, such that one panel fills half of the first-level cache.

    It may fill more where rows of A are contiguous, unless they are packed.  Where each element of
    B is used only once or twice, blocks are a few rows of B deep instead, so that B is read in long
    pieces, row by row, while C stays in the cache.
    """
    if work.rows <= 2 and work.b_strides[2] == 1 and work.columns >= 4 * width:
        return _THIN_BLOCK
    most = max(256, target.l1_bytes // 2 // (width * work.itemsize))
    if work.narrow:
        return each * _even_block(-(-work.depth // each), most)
    if work.a_strides[2] == 1:
        # Fewer, longer pieces of a row of A outweigh a panel that comes from the second-level cache
        # (94 % of the peak against 90 % at a depth of 1024).  Rows of B that are copied piece by
        # piece set the limit lower: their pieces get narrower as blocks get deeper.
        most *= 2 if work.b_strides[2] == 1 else 4
    return _even_block(work.depth, most)


def _even_block(depth: int, most: int) -> int:
    """Depth cut into as few nearly equal blocks ≤ ``most`` as possible, whole iterations each."""
    if depth <= most:
        return max(1, depth)
    turn = depth_unroll(depth)
    fewest = math.ceil(depth / most)
    # Blocks of one length make loops with fixed ends.
    for blocks in range(fewest, fewest + 2 + fewest // 4):
        if depth % (blocks * turn) == 0:
            return depth // blocks
    return _round_up(math.ceil(depth / fewest), turn)


def depth_unroll(depth: int, most: int = 6) -> int:
    """Steps along depth in one iteration of a tile's loop: about 4, without remainder if possible.

    Code for a remainder would double the text that LLVM has to work through.
    """
    return next((turn for turn in (4, 3, 5, 6) if depth % turn == 0 and turn <= most), 4)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


# ---- packing ---------------------------------------------------------------------------------


def _packing(work: Contraction, shape: _Shape, block: int) -> tuple[PackA, PackB]:
    """Which operands are copied into the order of the tiles."""
    (_, a_row, a_depth), (_, b_depth, b_column) = work.a_strides, work.b_strides
    pack_b: PackB
    if b_column == 1:
        small = work.depth * work.columns * work.itemsize <= 16 << 10
        pack_b = "none" if small or work.rows < 4 * shape.height else "copy"
    else:
        pack_b = "transpose" if b_depth == 1 else "gather"
    # Measured: at steps of 4 KiB every line falls into one set of the first-level cache (62 % of
    # the peak without packing, 87 % with it); at other steps reading A directly is as fast.
    far = a_depth * work.itemsize % 4096 == 0 and a_depth != 0
    panels = work.columns // shape.width
    pack_a: PackA = "lines" if a_row == 1 and far and panels >= 4 and work.rows > 1 else "none"
    return pack_a, pack_b


def _narrow_packing(work: Contraction, pairs: str) -> tuple[PackA, PackB]:
    """The same for operands that are brought into another form: each of them, and only once.

    Only a B that one or two rows read once is not: its tiles bring it into that form themselves.
    """
    (_, a_row, a_depth), (_, b_depth, b_column) = work.a_strides, work.b_strides
    pack_a: PackA = "lines" if a_row == 1 and a_depth != 1 and work.rows > 1 else "rows"
    if b_column != 1:
        return pack_a, "transpose" if b_depth == 1 else "gather"
    return pack_a, "none" if work.rows <= 2 and not (pairs and work.depth % 2) else "copy"


def _panel_columns(columns: Axis, pack_b: PackB, panel_bytes: int) -> int:
    """Columns of B packed at a time: one panel, or a few where rows of B are contiguous."""
    panels = max(1, min(_PANELS, (_SCRATCH_BYTES // 2) // panel_bytes)) if pack_b == "copy" else 1
    return min(panels, max(1, math.ceil(columns.longest / columns.tile))) * columns.tile


def _row_limit(work: Contraction, target: Target, shape: _Shape, block: int, pack_a: PackA) -> int:
    """Most rows of a chunk: its part of A stays in the second-level cache (or in scratch)."""
    if pack_a == "none":
        budget = target.l2_bytes // (1 if work.a_strides[2] == 1 else 2)
    else:
        budget = _SCRATCH_BYTES - _PANELS * block * shape.width * work.itemsize
        if work.narrow:
            budget -= 128 * block  # lines end in a cache line that separates them
            rows = budget // ((block + 32) * work.itemsize)
            return max(shape.height, rows // shape.height * shape.height)
    rows = budget // ((block + 16) * work.itemsize)
    return max(shape.height, rows // shape.height * shape.height)


# ---- chunks ----------------------------------------------------------------------------------


def _cycles(work: Contraction, lanes: int) -> float:
    """Cycles of the multiply-adds; of reading the matrix, where few rows use each element of it;
    of writing the result, where sums are short."""
    depth = max(1, work.depth)
    moved = work.columns * max(depth, work.rows) * work.itemsize / _BYTES_A_CYCLE
    return work.batch * max(work.rows * work.columns * depth / (2 * lanes), moved)


def _chunk_limit(cycles: float) -> int:
    """Most chunks that a product of so many cycles is worth."""
    small = min(4, int(cycles // _SMALL_CHUNK_CYCLES))
    return max(1, small, min(_MOST_CHUNKS, int(cycles // _CHUNK_CYCLES)))


def _partition(
    work: Contraction,
    shape: _Shape,
    row_limit: int,
    full_rows: bool,
    pack_a: PackA,
    pack_b: PackB,
) -> tuple[Axis, Axis, int]:
    """Cut C (and, if C is small and depth long, the sum) into chunks for 2 to 64 threads."""
    cycles = _cycles(work, shape.lanes)
    most = max(1, _chunk_limit(cycles) // max(1, work.batch))
    row_axes = _axes(work.rows, shape.height, shape.row_tails, most, row_limit)
    column_most = 1 if full_rows else most
    if work.rows <= 2 and work.b_strides[2] == 1:
        column_most = min(column_most, max(1, work.columns // _THIN_COLUMNS))
    column_axes = _axes(work.columns, shape.width, shape.column_tails, column_most, work.columns)
    splits = [s for s in _SPLITS if s <= most and work.depth >= s * max(256, 16 * shape.lanes)]
    if work.rows * work.columns * work.itemsize > 256 << 10:
        splits = [1]
    own = _own_rows(work)
    if own > 1:
        return row_axes[0], column_axes[0], own
    if full_rows:
        work = replace(work, updated=False)  # there are no other ways than rows
    best: tuple[float, Axis, Axis, int] | None = None
    for rows, columns, split in itertools.product(row_axes, column_axes, splits or [1]):
        parts = rows.chunks * columns.chunks
        if parts * split > max(most, row_axes[0].chunks):
            continue
        if split > 1 and parts > 1:
            continue  # parts of all of C, so that each part of A and B is read once
        score = _score(work, shape, rows, columns, split, pack_a, pack_b)
        in_stripes = work.a_strides[1] == 1 and rows.chunks == 1 and columns.chunks > 1
        if in_stripes and work.flop <= _STRIPED_FLOP:
            score *= _STRIPES
        if best is None or score < best[0]:
            best = (score, rows, columns, split)
    if best is None:
        return row_axes[0], column_axes[0], 1
    return best[1:]


def _own_rows(work: Contraction) -> int:
    """Into how many parts along depth the product with an updated B is cut; 1: it is not.

    Moving a line of B to the core that reads it, and back to the one that writes it, costs as much
    as multiplying it with some hundred rows of A.
    """
    whole_rows = work.a_strides[2] == 1 and work.b_strides[2] == 1
    weights = work.depth * work.columns * work.itemsize
    few = work.rows <= _OWN_ROWS and weights <= _OWN_BYTES
    if not (work.updated and whole_rows and few and work.batch == 1) or work.narrow:
        return 1
    fits = [
        parts
        for parts in (2, 4)
        if work.depth >= parts * _OWN_DEPTH and _cycles(work, 8) >= parts * _SMALL_CHUNK_CYCLES
    ]
    return max(fits, default=1)


def _axes(extent: int, tile: int, tails: tuple[int, ...], most: int, limit: int) -> list[Axis]:
    """Ways to cut an axis into at most ``most`` chunks of at most ``limit`` elements."""
    whole = extent - sum(tails)
    tiles = whole // tile
    found: dict[int, Axis] = {}
    fewest = max(1, math.ceil(tiles * tile / max(tile, limit)))
    for wanted in sorted({*_COUNTS, fewest, tiles}):
        if wanted < fewest or (wanted > max(1, tiles)) or (wanted > most and wanted != fewest):
            continue
        up = max(1, math.ceil(tiles / wanted)) * tile
        ways = [Axis(extent, tile, tails, up, max(1, math.ceil(whole / up)))]
        if tiles >= wanted:
            down = Axis(extent, tile, tails, tiles // wanted * tile, wanted)
            if down.longest <= max(tile, limit):
                ways.insert(0, down)
        best = min(ways, key=_unevenness)
        found.setdefault(best.chunks, best)
    return list(found.values())


def _unevenness(axis: Axis) -> float:
    """The longest chunk counts; ends that lie evenly help threads to keep to their part."""
    start, end = axis.range(axis.chunks - 1)
    lengths = end - start, axis.chunk if axis.chunks > 1 else end - start
    return max(lengths) + (max(lengths) - min(lengths)) / 4


def _score(
    work: Contraction,
    shape: _Shape,
    rows: Axis,
    columns: Axis,
    split: int,
    pack_a: PackA,
    pack_b: PackB,
) -> float:
    """Weighted time over several numbers of threads, relative to perfect division."""
    m, n, k = rows.longest, columns.longest, max(1, work.depth) / split
    vector = 8 / shape.lanes
    chunk = m * n * k / (2 * shape.lanes) + _DISPATCH_CYCLES
    # Cycles to pack one element, measured with 8 lanes.
    round_cost = 0.6 if work.narrow else 0.0
    cost_b = {"none": 0.06, "copy": 0.15, "transpose": 0.2, "gather": 1.0}[pack_b]
    chunk += (cost_b + round_cost) * n * k * vector
    weights = work.depth * work.columns * work.itemsize
    few = work.rows <= _OWN_ROWS and weights <= _SHARED_BYTES
    if work.updated and few and rows.chunks > 1:
        chunk += n * k * work.itemsize / 64 * _CYCLES_OF_A_MOVED_LINE
    cost_a = {"none": 0.02, "lines": 0.6, "rows": 0.15}[pack_a]
    chunk += (cost_a + round_cost) * m * k * vector
    count = work.batch * rows.chunks * columns.chunks * split
    extra = 0.0
    if split > 1:
        extra = 2 * _DISPATCH_CYCLES + work.batch * work.rows * work.columns * split / shape.lanes
    ideal = max(1.0, _cycles(work, shape.lanes))
    return sum(
        weight * (math.ceil(count / threads) * chunk + extra) * threads / ideal
        for threads, weight in _THREADS
    )
