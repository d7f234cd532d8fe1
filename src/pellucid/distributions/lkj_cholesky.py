"""Random correlation matrices, as their Cholesky factors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError
from pellucid.distributions import constraints
from pellucid.distributions.beta import Beta
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import (
    broadcast_all,
    log_multigamma,
    narrow,
    standard_normal,
    wide,
)
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import lift
from pellucid.tensor.limits import finfo
from pellucid.tensor.tensor import Tensor

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Factors L (dim, dim) of correlation matrices M = L Lᵀ of density ∝ det(M)^(η − 1).

    η = ``concentration``: 1 makes all correlation matrices equally likely, more favours weak
    correlations.  Drawn by the onion method, a row at a time.  (Lewandowski, Kurowicka and Joe,
    "Generating Random Correlation Matrices Based on Vines and Extended Onion Method", 2009.)
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(
        self, dim: int, concentration: Tensor | float = 1.0, validate_args: bool | None = None
    ) -> None:
        if dim < 2:
            raise ArgumentError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.",
                "a correlation matrix has at least two rows",
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        # How long each row is below its diagonal: 0 for the first, which has nothing there.
        rows = lift(np.maximum(np.arange(dim) - 1, 0)).to(self.concentration.dtype)
        rest = (self.concentration + 0.5 * (dim - 2)).unsqueeze(-1)
        self._beta = Beta(0.5 * rows + 0.5, rest - 0.5 * rows, validate_args=False)
        batch = self.concentration.shape
        super().__init__(batch, (dim, dim), validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> LKJCholesky:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._expanded(LKJCholesky, batch_shape, _instance, ("concentration",))
        new.dim = self.dim
        new._beta = self._beta.expand((*batch_shape, self.dim))
        return new

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        with no_grad():
            length = self._beta.sample(sample_shape).unsqueeze(-1)
            noise = standard_normal(self._extended_shape(sample_shape), self.concentration)
            noise = noise.tril(-1)
            size = noise.square().sum(-1, True).sqrt()
            first = size.eq(0)  # the first row has nothing below the diagonal
            rows = length.sqrt() * noise / size.masked_fill(first, 1.0)
            rest = (1 - rows.square().sum(-1)).clamp(min=finfo(rows.dtype).tiny)
            return rows + rest.sqrt().diag_embed()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        eta, factor = wide(self.concentration, value)
        diagonal = factor.diagonal(dim1=-2, dim2=-1)[..., 1:]
        order = (2 * (eta - 1)).unsqueeze(-1) + lift(self.dim - np.arange(2.0, self.dim + 1))
        count = self.dim - 1
        alpha = eta + 0.5 * count
        constant = log_multigamma(alpha - 0.5, count) - alpha.lgamma() * count
        constant = constant + 0.5 * count * math.log(math.pi)
        found = (order * diagonal.log()).sum(-1) - constant
        return narrow(found, self.concentration, value)
