"""The normal distribution of vectors."""

from __future__ import annotations

import math
from typing import Any

from pellucid.base.errors import ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import (
    exactly_one,
    factor_of,
    inverse_of_factor,
    lazy_property,
    log_diagonal,
    mahalanobis,
    standard_normal,
)
from pellucid.tensor.tensor import Tensor

__all__ = ["MultivariateNormal"]


class MultivariateNormal(Distribution):
    """exp(−½ (x − μ)ᵀ Σ⁻¹ (x − μ)) / √((2π)ⁿ det Σ), μ = ``loc`` (…, n).

    Σ (…, n, n) is given as ``covariance_matrix``, as its inverse ``precision_matrix`` or, best, by
    its factor ``scale_tril``: lower-triangular L with Σ = L Lᵀ.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ShapeError("loc must be at least one-dimensional.", "give (…, n)")
        names = "covariance_matrix or precision_matrix or scale_tril"
        exactly_one(covariance_matrix, precision_matrix, scale_tril, names=names)
        given = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        name, matrix = next((k, m) for k, m in given.items() if m is not None)
        if matrix.dim() < 2:
            raise ShapeError(
                f"{name} must be at least two-dimensional, with optional leading batch dimensions",
                "give (…, n, n)",
            )
        batch = broadcast_shapes(tuple(matrix.shape)[:-2], tuple(loc.shape)[:-1])
        setattr(self, name, matrix.expand(batch + tuple(matrix.shape)[-2:]))
        self.loc = loc.expand(batch + tuple(loc.shape)[-1:])
        super().__init__(batch, tuple(loc.shape)[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = factor_of(name, matrix)

    def expand(self, batch_shape: Size, _instance: Any = None) -> MultivariateNormal:
        """The distribution with its parameters expanded to ``batch_shape``."""
        names = ("loc", "covariance_matrix", "precision_matrix", "scale_tril")
        new = self._expanded(MultivariateNormal, batch_shape, _instance, names)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return new

    def _shape(self) -> tuple[int, ...]:
        return self._batch_shape + self._event_shape + self._event_shape

    @lazy_property
    def scale_tril(self) -> Tensor:
        """L with Σ = L Lᵀ."""
        return self._unbroadcasted_scale_tril.expand(self._shape())

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """Σ."""
        factor = self._unbroadcasted_scale_tril
        return (factor @ factor.mT).expand(self._shape())

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """Σ⁻¹."""
        return inverse_of_factor(self._unbroadcasted_scale_tril).expand(self._shape())

    @property
    def mean(self) -> Tensor:
        """The mean, of the parameters' shape."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The value of the highest density."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The variance."""
        spread = self._unbroadcasted_scale_tril.square().sum(-1)
        return spread.expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        noise = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + (self._unbroadcasted_scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        distance = mahalanobis(self._unbroadcasted_scale_tril, value - self.loc)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + distance) - log_diagonal(self._unbroadcasted_scale_tril)

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        constant = 0.5 * self._event_shape[0] * (1 + math.log(2 * math.pi))
        found = log_diagonal(self._unbroadcasted_scale_tril) + constant
        return found.expand(self._batch_shape)
