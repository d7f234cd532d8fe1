"""The Dirichlet distribution over the simplex."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base.errors import ShapeError
from pellucid.distributions import constraints
from pellucid.distributions.distribution import Size
from pellucid.distributions.exp_family import ExponentialFamily
from pellucid.distributions.utils import narrow, wide
from pellucid.tensor.core import lift
from pellucid.tensor.functions import where
from pellucid.tensor.sampling import dirichlet
from pellucid.tensor.tensor import Tensor

__all__ = ["Dirichlet"]


class Dirichlet(ExponentialFamily):
    """Γ(Σ αₖ) / Π Γ(αₖ) · Π xₖ^(αₖ−1) over vectors with xₖ ≥ 0 and Σ xₖ = 1.

    ``concentration`` α is (…, n).
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ShapeError(
                "`concentration` parameter must be at least one-dimensional.", "give (…, n)"
            )
        self.concentration = concentration
        shape = tuple(concentration.shape)
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Dirichlet:
        """The distribution with its parameters expanded to ``batch_shape``."""
        return self._expanded(Dirichlet, batch_shape, _instance, ("concentration",))

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        return dirichlet(self.concentration.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        alpha, x = wide(self.concentration, value)
        found = (alpha - 1).xlogy(x).sum(-1) + alpha.sum(-1).lgamma() - alpha.lgamma().sum(-1)
        return narrow(found, self.concentration, value)

    @property
    def mean(self) -> Tensor:
        """α / Σ α."""
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        """The densest point; the first corner where all α are below 1."""
        alpha = self.concentration
        rest = (alpha - 1).clamp(min=0.0)
        total = rest.sum(-1, True)
        corner = lift(np.eye(1, alpha.shape[-1])[0]).to(alpha.dtype)
        low = alpha.lt(1).all(-1, True)
        return where(low, corner, rest / total.masked_fill(low, 1.0))

    @property
    def variance(self) -> Tensor:
        """The variance."""
        total = self.concentration.sum(-1, True)
        rest = total - self.concentration
        return self.concentration * rest / (total * total * (total + 1))

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        (alpha,) = wide(self.concentration)
        total, count = alpha.sum(-1), alpha.shape[-1]
        found = alpha.lgamma().sum(-1) - total.lgamma() - (count - total) * total.digamma()
        return narrow(found - ((alpha - 1) * alpha.digamma()).sum(-1), self.concentration)

    @property
    def _natural_params(self) -> tuple[Tensor]:
        return (self.concentration,)

    def _log_normalizer(self, x: Any) -> Any:
        return x.lgamma().sum(-1) - x.sum(-1).lgamma()
