"""The numbers that decide how a graph is cut up, by machine.

Rewrites, fusion and the schedule weigh memory against work.  The weights are facts of a processor
and its caches; a backend hands them in as one record, which is part of what a plan is known by, so
that a plan made with others is never taken for it.  The order of sums follows from some of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Tuned numbers of floor 4.

    The defaults are for a core with 32 KiB of first-level and 1 MiB of second-level cache, and were
    measured on one with AVX2 where that is said.
    """

    # ---- reductions ----------------------------------------------------------------------------

    long_reduction: int = 1 << 15
    """A reduction of so many elements into few results is cut into parts that run side by side."""
    most_parts: int = 256
    """Parts that a reduction to few results is cut into at most."""
    enough_rows: int = 64
    """So many results are shared out among threads as they are, each row in one piece and in
    cache."""
    longest_row: int = 1 << 16
    """Longer rows are cut all the same: sums of parts keep the rounding error of a long sum
    small."""
    most_row_parts: int = 64
    """Parts that a sum of rows is cut into at most: their sums are rows again."""
    part_elements: int = 1 << 14
    """Elements that a part of a sum of rows should have at least."""

    # ---- fusion --------------------------------------------------------------------------------

    most_column_sums: int = 9
    """Column sums that one pass over their operands computes at most: each needs a stream of its
    own, and the prefetcher follows about sixteen."""
    full_row_columns: int = 256
    """Widest product whose epilogue may reduce over rows: such a product is only cut into rows."""
    full_row_bytes: int = 1 << 16
    """Largest right factor of such a product: all of it is read for each block of rows, which
    must happen in cache (measured: 784 × 256 loses 60 µs of 300 where the pass of its own costs
    5)."""

    # ---- what is stored ------------------------------------------------------------------------

    large: int = 1 << 14
    """Values of so many elements count as traffic; smaller ones stay in the nearest caches."""
    most_passes: float = 1.5
    """How often slices of a value may read each of its elements before it is stored."""
    most_work: int = 10
    """Operations on an element that several readers do again: about what a load from beyond the
    second-level cache costs."""
    turned: int = 1 << 12
    turned_work: int = 4
    """From so many elements and operations on, a value is computed before it is transposed: work
    on neighbours in memory is done in vectors."""
    spread: int = 8
    """A value this many times smaller than the loop that reads it is computed before the loop."""

    # ---- schedule and memory -------------------------------------------------------------------

    postponed_bytes: int = 1 << 20
    """Values of so many bytes are not computed long before they are read: they would push what is
    needed sooner out of the second-level cache."""
    chained: int = 1 << 18
    """Only passes over values of so many elements are chained: smaller ones stay in the caches."""
    fewest_blocks: int = 16
    """Blocks of images that threads share at least, for an even load on eight of them."""
    most_blocks: int = 256
    """Blocks at most: each costs as much as handing out a chunk."""

    # ---- 3 × 3 convolutions by patches ---------------------------------------------------------

    direct_share: float = 0.9
    """Of the processor's peak that products over strided views reach (measured)."""
    transform: int = 16
    """Multiplications that take as long as transforming an element of a plane of pictures."""
    transform_of_weights: int = 30
    """The same for weights, which mostly come from farther away."""
    share_bytes: int = 1 << 20
    """Planes of so many bytes are made at once, of as many images as that gives: they stay in a
    core's second-level cache."""
    gradient_share_bytes: int = 5 << 19
    """The same for the gradient of weights, where each share writes a result of its own."""
    fewest_shares: int = 4
    """Fewer shares of images than this are not worth a loop."""


DEFAULT = Machine()
"""The record that is used where none is handed in."""
