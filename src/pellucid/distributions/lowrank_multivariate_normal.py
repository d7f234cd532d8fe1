"""The normal distribution of vectors with a covariance of low rank."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.base.errors import ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import (
    lazy_property,
    log_diagonal,
    mahalanobis,
    solve_lower,
    standard_normal,
)
from pellucid.tensor.core import lift
from pellucid.tensor.linalg import cholesky
from pellucid.tensor.tensor import Tensor

__all__ = ["LowRankMultivariateNormal"]


def capacitance_factor(factor: Any, diagonal: Any) -> Tensor:
    """The Cholesky factor of 1 + Wᵀ D⁻¹ W, (…, m, m)."""
    inner = factor.mT @ (factor / diagonal.unsqueeze(-1))
    return cholesky(inner + lift(np.eye(inner.shape[-1], dtype=inner.dtype.numpy)))


def low_rank_log_det(diagonal: Any, capacitance: Any) -> Tensor:
    """ln det(W Wᵀ + D) = 2 Σ ln Lᵢᵢ + Σ ln D, L the capacitance's factor (Sylvester)."""
    return 2 * log_diagonal(capacitance) + diagonal.log().sum(-1)


def low_rank_distance(factor: Any, diagonal: Any, difference: Any, capacitance: Any) -> Tensor:
    """dᵀ (W Wᵀ + D)⁻¹ d by Woodbury's identity."""
    scaled = factor.mT / diagonal.unsqueeze(-2)  # Wᵀ D⁻¹
    inner = (scaled @ difference.unsqueeze(-1)).squeeze(-1)
    own = (difference.square() / diagonal).sum(-1)
    return own - mahalanobis(capacitance, inner)


class LowRankMultivariateNormal(Distribution):
    """Normal vectors (…, n) of covariance W Wᵀ + D.

    W = ``cov_factor`` (…, n, m) and D the diagonal matrix of ``cov_diag`` (…, n).  With m much
    smaller than n, everything costs some n m² operations instead of n³.  (Woodbury, 1950.)
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        cov_factor: Tensor,
        cov_diag: Tensor,
        validate_args: bool | None = None,
    ) -> None:
        _check_shapes(loc, cov_factor, cov_diag)
        event = tuple(loc.shape)[-1:]
        batch = broadcast_shapes(
            tuple(loc.shape)[:-1], tuple(cov_factor.shape)[:-2], tuple(cov_diag.shape)[:-1]
        )
        self.loc = loc.expand(batch + event)
        self.cov_diag = cov_diag.expand(batch + event)
        self.cov_factor = cov_factor.expand(batch + tuple(cov_factor.shape)[-2:])
        self._unbroadcasted_cov_factor = cov_factor
        self._unbroadcasted_cov_diag = cov_diag
        self._capacitance_tril = capacitance_factor(cov_factor, cov_diag)
        super().__init__(batch, event, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> LowRankMultivariateNormal:
        """The distribution with its parameters expanded to ``batch_shape``."""
        names = ("loc", "cov_diag", "cov_factor")
        new = self._expanded(LowRankMultivariateNormal, batch_shape, _instance, names)
        for name in "_unbroadcasted_cov_factor _unbroadcasted_cov_diag _capacitance_tril".split():
            setattr(new, name, getattr(self, name))
        return new

    def _shape(self) -> tuple[int, ...]:
        return self._batch_shape + self._event_shape + self._event_shape

    @property
    def mean(self) -> Tensor:
        """The mean, of the parameters' shape."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The value of the highest density."""
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:
        """The diagonal of the covariance."""
        found = self._unbroadcasted_cov_factor.square().sum(-1) + self._unbroadcasted_cov_diag
        return found.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """W Wᵀ + D."""
        factor = self._unbroadcasted_cov_factor
        whole = factor @ factor.mT + self._unbroadcasted_cov_diag.diag_embed()
        return whole.expand(self._shape())

    @lazy_property
    def scale_tril(self) -> Tensor:
        """L with W Wᵀ + D = L Lᵀ."""
        return cholesky(self.covariance_matrix)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        scaled = self._unbroadcasted_cov_factor.mT / self._unbroadcasted_cov_diag.unsqueeze(-2)
        inner = solve_lower(self._capacitance_tril, scaled)
        whole = self._unbroadcasted_cov_diag.reciprocal().diag_embed() - inner.mT @ inner
        return whole.expand(self._shape())

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        shape = self._extended_shape(sample_shape)
        narrow = (*shape[:-1], self.cov_factor.shape[-1], 1)
        common = self._unbroadcasted_cov_factor @ standard_normal(narrow, self.loc)
        own = self._unbroadcasted_cov_diag.sqrt() * standard_normal(shape, self.loc)
        return self.loc + common.squeeze(-1) + own

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        diagonal, inner = self._unbroadcasted_cov_diag, self._capacitance_tril
        factor = self._unbroadcasted_cov_factor
        distance = low_rank_distance(factor, diagonal, value - self.loc, inner)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        found = -0.5 * (constant + low_rank_log_det(diagonal, inner) + distance)
        return found

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        size = low_rank_log_det(self._unbroadcasted_cov_diag, self._capacitance_tril)
        found = 0.5 * (self._event_shape[0] * (1 + math.log(2 * math.pi)) + size)
        return found.expand(self._batch_shape)


def _check_shapes(loc: Tensor, factor: Tensor, diagonal: Tensor) -> None:
    if loc.dim() < 1:
        raise ShapeError("loc must be at least one-dimensional.", "give (…, n)")
    if factor.dim() < 2:
        raise ShapeError(
            "cov_factor must be at least two-dimensional, with optional leading batch dimensions",
            "give (…, n, m)",
        )
    event = tuple(loc.shape)[-1:]
    if tuple(factor.shape)[-2:-1] != event:
        raise ShapeError(
            f"cov_factor must be a batch of matrices with shape {event[0]} x m", "n x m"
        )
    if tuple(diagonal.shape)[-1:] != event:
        raise ShapeError(f"cov_diag must be a batch of vectors with shape {event}", "give (…, n)")
