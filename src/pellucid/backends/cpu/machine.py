"""The tuned numbers for a processor: of the compiler, and of what plans and writes kernels.

:class:`pellucid.compiler.machine.Machine` holds those of floor 4, :class:`Costs` those of this
backend.  Both have one default on every level of instructions: none of the numbers was seen to
differ between AVX2 and AVX-512.  What follows from vector width, registers and caches (tiles,
blocks, packing) is computed from the :class:`~.target.Target` where kernels are planned, with the
numbers of this record for what a target does not tell.  Both records are part of a plan's key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pellucid.backends.cpu.target import Target
from pellucid.compiler.machine import Machine


@dataclass(frozen=True)
class ProductCosts:
    """Of matrix products: cycles of a core, and where one way to compute becomes better.

    Measured on a core with AVX2 and 1 MiB of second-level cache, where that is said.
    """

    # ---- register tiles ------------------------------------------------------------------------

    latency: float = 4.0
    """Cycles until a sum can be added to again."""
    latency_of_few_rows: float = 4.4
    """The same where few rows run between two packings of B: tiles of 8 sums just wait for each
    other there (measured: 164 GFLOP/s where those of 12 reach 178)."""
    most_sums: int = 24
    """Sums of a tile where there are 32 registers: more bring nothing."""
    tallest_tile: int = 12
    """Rows of a tile: with more of them LLVM spills their addresses."""
    tallest_tile_of_short_vectors: int = 8
    """The same with 32 registers and at most 4 lanes: machines of that kind have no displacements
    large enough for a row of A."""

    # ---- dot products --------------------------------------------------------------------------

    dot_rows: int = 12
    """Up to so many rows dot products beat tiles."""
    long_dot_rows: int = 40
    """Of a long sum they do up to so many: each vector of B is read once and used for all of them,
    and never rearranged (32 rows, 784 deep: 82 GFLOP/s on a core against 71)."""
    long_dot_depth: int = 192
    """Terms of a long sum."""

    # ---- blocks and packing --------------------------------------------------------------------

    thin_block: int = 8
    """Rows of B in a block where one or two rows of A use each of its elements."""
    thin_columns: int = 512
    """Columns of a chunk of such a product, at least: B is read in long pieces."""
    scratch_bytes: int = 248 << 10
    """Packed operands of a chunk: within the second-level cache, and the stack of a thread."""
    panels: int = 4
    """Panels of a B with contiguous rows that are packed at once: longer pieces of each row."""
    unpacked_bytes: int = 16 << 10
    """A B of so many bytes stays in the first-level cache and is not copied."""
    packing_chunk: int = 1 << 13
    """Elements of B in a chunk of a kernel that only packs."""
    pack_a: tuple[tuple[str, float], ...] = (("none", 0.02), ("lines", 0.6), ("rows", 0.15))
    """Cycles to pack (or just to read) an element of A, measured with 8 lanes."""
    pack_b: tuple[tuple[str, float], ...] = (
        ("none", 0.06),
        ("copy", 0.15),
        ("transpose", 0.2),
        ("gather", 1.0),
    )
    """The same for an element of B."""
    round_cycles: float = 0.6
    """Cycles to round an element to bfloat16 while it is packed, with 8 lanes."""

    # ---- chunks --------------------------------------------------------------------------------

    chunk_cycles: int = 60_000
    """About 20 µs: below this, handing out a chunk costs more than it brings."""
    small_chunk_cycles: int = 7_000
    """A product of a few such chunks is still worth two to four threads."""
    dispatch_cycles: int = 1_000
    """To hand out a chunk."""
    most_chunks: int = 256
    """Chunks of a product: enough for an even load on many threads."""
    bytes_a_cycle: int = 16
    """That one core reads from the outer caches."""
    threads: tuple[tuple[int, float], ...] = ((1, 1.0), (2, 2.0), (4, 1.5), (8, 0.7), (16, 0.2))
    """Weight of each number of threads when ways to cut are compared."""
    split_depth: int = 256
    """Terms of a part of a split sum, at least (16 vectors, where those are longer)."""
    split_bytes: int = 256 << 10
    """Largest C whose sum is split: each part writes one."""

    # ---- weights that the program updates ------------------------------------------------------

    own_rows: int = 128
    """Most rows for which it pays to cut a product by who updates the rows of B; with more of them,
    columns of a product would be too narrow for what follows on it."""
    own_bytes: int = 1 << 18
    """Largest weights that are worth keeping in one core's cache."""
    own_depth: int = 32
    """Rows of B of each part, at least."""
    moved_line_cycles: float = 40.0
    """That a core waits for a line of B which another core changes, and which it takes away from
    that one; with more than ``own_rows`` rows the multiplications hide it."""
    shared_bytes: int = 1 << 21
    """Larger weights come from memory anyway."""
    striped_flop: int = 1 << 22
    """Gradients of weights made with more FLOP than this may be cut into stripes of columns."""
    stripes: float = 1.15
    """What it costs to cut a smaller one so: the update goes through it row by row, and reads half
    of it out of another core's cache."""

    # ---- estimates -----------------------------------------------------------------------------

    flop_per_nanosecond: int = 80
    """What one core is expected to do; only for estimates."""
    packing_nanoseconds: float = 0.1
    """To pack an element of a matrix; only for estimates."""

    def pack_a_cycles(self, kind: str) -> float:
        """Cycles for an element of A, packed in this way."""
        return dict(self.pack_a)[kind]

    def pack_b_cycles(self, kind: str) -> float:
        """Cycles for an element of B, packed in this way."""
        return dict(self.pack_b)[kind]


@dataclass(frozen=True)
class AttentionCosts:
    """Of attention."""

    block: int = 64
    """About so many queries, and keys, are in a block: its scores stay in the first-level cache."""
    long_block: int = 128
    """The same for long rows, where larger blocks scale earlier results less often (measured: 134
    GFLOP/s instead of 122 for 2048 keys; the gradient gains nothing)."""
    long_row: int = 512
    """Keys of a long row."""
    chunk_cycles: int = 40_000
    """Cycles of a chunk, about: below this, handing it out costs more than it brings."""
    most_chunks: int = 1024
    """Chunks at most."""
    flop_per_nanosecond: int = 60
    """What one core is expected to do; only for estimates."""


@dataclass(frozen=True)
class LoopCosts:
    """Of passes over elements: rows, sums of columns, writes at positions, programs of them."""

    chunk_nanoseconds: float = 3_000.0
    """Estimated work of a chunk: ten times what handing it out costs, and small enough that the
    update of a layer of some thousand parameters is shared by two threads."""
    scratch_bytes: int = 16 << 10
    """Rows of values that only one kernel needs live on its stack up to this size."""
    many_reductions: int = 5
    """A loop with so many accumulators is not interleaved (measured with 16 vector registers: six
    accumulators take 54 µs instead of 75 for 200,000 elements)."""
    column_block: int = 256
    """Columns that a column reduction adds up at a time, in an accumulator that stays in cache."""
    put_columns: int = 64
    """Columns that one chunk of a put handles."""
    serial_nanoseconds: float = 2_500.0
    """A region of less estimated work runs on the calling thread alone."""
    most_shares: int = 16
    fewest_shares: int = 4
    """Into so many tasks a loop is cut whose iterations do not need each other."""


@dataclass(frozen=True)
class StrandCosts:
    """Of loops whose rows do not need each other: into how many blocks of rows they are cut."""

    fewest_rows: int = 4
    """Rows of a block: fewer use each element of the weights too seldom."""
    most_blocks: int = 64
    threads: tuple[tuple[int, float], ...] = ((1, 1.0), (2, 2.0), (4, 1.5), (8, 0.3), (16, 0.1))
    """Weight of each number of threads when cuts are compared."""
    most_weights: int = 8
    """Weights of so many second-level caches are still read by every thread in every iteration."""
    inner_bytes_a_cycle: int = 32
    outer_bytes_a_cycle: int = 12
    """That one core reads from the second-level cache, and from the third; half of it hides behind
    the multiplications (measured: blocks of 16, 8 and 5 rows are equally fast, 4 rows lose a
    tenth)."""


@dataclass(frozen=True)
class ConvolutionCosts:
    """Of products over strided views, and of the patches of 3 × 3 convolutions."""

    block_depth: int = 768
    """Steps along depth in one block, at most where axes allow: the panel of B stays in cache."""
    block_lines: int = 192
    """The same where rows of A lie side by side: each step reads another cache line, of which the
    next tiles want the rest, so that all lines of a block should stay in the nearest cache."""
    panel_bytes: int = 192 << 10
    """Of a panel of B, which stays in the second-level cache."""
    chunk_flop: int = 8_000_000
    """Of a chunk of a large product."""
    small_chunk_flop: int = 500_000
    """Of a chunk of a product that has few."""
    least_chunks: int = 8
    """Smaller products are cut into so many chunks, if each is worth it: three for two threads
    would let one of them wait for a third of the time."""
    most_chunks: int = 64
    chunk_rows: int = 256
    """Rows that one packing of B should serve at least."""
    few_chunks: int = 32
    """Fewer chunks of rows than this are cut along columns too."""
    patch_values: int = 1 << 14
    """Values of the patches that a chunk reads, about."""
    patch_columns: int = 1024
    """Columns of a chunk of patches, at most."""
    patch_nanoseconds: float = 0.1
    """For a value of a patch that is read or written, on one core."""


@dataclass(frozen=True)
class Costs:
    """Tuned numbers of the kernels, by what is planned with them."""

    products: ProductCosts = field(default_factory=ProductCosts)
    attention: AttentionCosts = field(default_factory=AttentionCosts)
    loops: LoopCosts = field(default_factory=LoopCosts)
    strands: StrandCosts = field(default_factory=StrandCosts)
    convolutions: ConvolutionCosts = field(default_factory=ConvolutionCosts)


BY_TARGET: dict[str, Machine] = {}
"""The compiler's records for targets that want other numbers, by :meth:`Target.key`: for
measurements, and for processors whose caches are of another kind."""

COSTS_BY_TARGET: dict[str, Costs] = {}
"""The same for the costs of kernels."""

DEFAULT_COSTS = Costs()
"""The record of every other target."""


def machine_of(target: Target) -> Machine:
    """The numbers that graphs are compiled with for a processor."""
    return BY_TARGET.get(target.key(), Machine())


def costs_of(target: Target) -> Costs:
    """The numbers that kernels are planned with for a processor."""
    return COSTS_BY_TARGET.get(target.key(), DEFAULT_COSTS)
