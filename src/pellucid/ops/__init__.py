"""Floor 2: the primitives of the graph language, a file a family, one definition each."""

from pellucid.ops import (
    attention,
    contraction,
    convolution,
    elementwise,
    factoring,
    indexing,
    log_sums,
    normalization,
    ordering,
    pooling,
    random,
    scan,
    structure,
)
from pellucid.ops.registry import PRIMITIVES

__all__ = [
    "PRIMITIVES",
    "attention",
    "contraction",
    "convolution",
    "elementwise",
    "factoring",
    "indexing",
    "log_sums",
    "normalization",
    "ordering",
    "pooling",
    "random",
    "scan",
    "structure",
]
