"""How an attention is cut: blocks of queries and keys, register tiles, where operands lie.

Everything follows from shapes, strides and the :class:`Target`, so that a kernel's text and the
order of its sums never depend on who runs it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pellucid.backends.cpu.contraction_spec import Contraction
from pellucid.backends.cpu.machine import costs_of
from pellucid.backends.cpu.target import Target
from pellucid.backends.cpu.tile_choice import tile_shape


@dataclass(frozen=True)
class Rows:
    """A matrix for each place of the batch: its strides in elements.

    ``batch`` has a stride for each (merged) batch axis, ``offset`` is where the first matrix
    begins.  ``column`` is 1, or 0 for a mask that is the same for all keys.
    """

    offset: int
    batch: tuple[int, ...]
    row: int
    column: int = 1


@dataclass(frozen=True)
class Attention:
    """An attention, or its gradient, of fixed shapes.

    ``batch`` are the extents of the batch axes, ``width`` the features of queries and keys,
    ``value_width`` those of values.  ``places`` says where each operand lies, by name: q, k, v,
    mask, out, log_sum, and for the gradient g, dq, dk, dv; what is not there is not computed.
    """

    dtype: str
    batch: tuple[int, ...]
    queries: int
    keys: int
    width: int
    value_width: int
    scale: float
    causal: bool
    places: tuple[tuple[str, Rows], ...]
    mask: str = ""
    """``bool``, ``float`` (added to the scores) or empty."""
    dropout: float = 0.0
    """Probability that a weight counts as 0, by numbers drawn from the operand ``state``."""

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(np.dtype(self.dtype).itemsize)

    @property
    def matrices(self) -> int:
        """Number of independent attentions."""
        return math.prod(self.batch)

    @property
    def pairs(self) -> int:
        """Scores that count, of all matrices."""
        seen = self.queries * self.keys
        if self.causal:
            seen = sum(min(i + 1, self.keys) for i in range(self.queries))
        return self.matrices * seen


@dataclass(frozen=True)
class TileShape:
    """A register tile: rows × columns of C in vectors of ``lanes``."""

    lanes: int
    rows: int
    columns: int


@dataclass(frozen=True)
class AttentionPlan:
    """Blocks and tiles; ``group`` units (see the emitter) make one of ``chunks`` chunks."""

    lanes: int
    block: int
    scores: TileShape
    """Of scores: queries × keys."""
    features: TileShape
    """Of products that end in queries' features."""
    values: TileShape
    """Of products that end in values' features."""
    units: int
    group: int
    chunks: int
    opaque: bool
    """As in a tile."""


def plan_attention(spec: Attention, target: Target, gradient: bool) -> AttentionPlan:
    """How ``spec`` runs on a processor."""

    costs = costs_of(target).attention

    def tile(columns: int, depth: int) -> TileShape:
        work = Contraction(
            spec.dtype, 1, costs.block, columns, depth, (0, depth, 1), (0, columns, 1), (0, columns)
        )
        return TileShape(*tile_shape(work, target.lanes(spec.dtype), target.vector_registers))

    scores = tile(costs.block, spec.width)
    both = math.lcm(scores.rows, scores.columns)
    # Whole tiles in both directions where that is possible without very large blocks.
    step = both if both <= 2 * costs.block else scores.columns
    long = spec.keys >= costs.long_row and not gradient
    wanted_block = costs.long_block if long else costs.block
    block = step * max(1, round(wanted_block / step))
    units = spec.matrices * (1 if gradient else math.ceil(spec.queries / block))
    cycles = spec.pairs * (spec.width + spec.value_width) / (2 * scores.lanes)
    cycles *= 5 if gradient else 2
    wanted = max(1, min(costs.most_chunks, int(cycles // costs.chunk_cycles)))
    group = max(1, math.ceil(units / wanted))
    return AttentionPlan(
        target.lanes(spec.dtype),
        block,
        scores,
        tile(max(1, spec.width), block),
        tile(max(1, spec.value_width), block),
        units,
        group,
        math.ceil(units / group),
        target.triple.startswith("x86_64"),
    )
