"""Similarity and distance of pairs of vectors."""

from __future__ import annotations

from pellucid.nn.functional.common import cosine_similarity, pairwise_distance
from pellucid.nn.module import Module
from pellucid.tensor.tensor import Tensor


class CosineSimilarity(Module):
    """x₁·x₂ / (max(‖x₁‖, ε) max(‖x₂‖, ε)) along ``dim`` (1), which disappears.

    Shapes: (*, D, *), (*, D, *) → (*, *).
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The cosine of the angle of each pair."""
        return cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """‖x₁ − x₂ + ε‖_p over the last axis.

    Shapes: (N, D), (N, D) → (N,), or (N, 1) with ``keepdim``.
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The distance of each pair."""
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
