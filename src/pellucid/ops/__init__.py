"""Floor 2: the primitives of the graph language, a file a family, one definition each."""

from pellucid.ops import (
    attention,
    complex,
    contraction,
    convolution,
    elementwise,
    factoring,
    fourier,
    host_functions,
    indexing,
    log_sums,
    normalization,
    ordering,
    pairs,
    pooling,
    random,
    scan,
    structure,
)
from pellucid.ops.registry import PRIMITIVES

__all__ = [
    "PRIMITIVES",
    "attention",
    "complex",
    "contraction",
    "convolution",
    "elementwise",
    "factoring",
    "fourier",
    "host_functions",
    "indexing",
    "log_sums",
    "normalization",
    "ordering",
    "pairs",
    "pooling",
    "random",
    "scan",
    "structure",
]
