"""The reciprocal of a gamma number."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Size
from pellucid.distributions.gamma import Gamma
from pellucid.distributions.transformed_distribution import TransformedDistribution
from pellucid.distributions.transforms import PowerTransform
from pellucid.distributions.utils import narrow, wide
from pellucid.tensor.functions import where
from pellucid.tensor.tensor import Tensor

__all__ = ["InverseGamma"]


class InverseGamma(TransformedDistribution):
    """β^α x^(−α−1) e^(−β/x) / Γ(α), α = ``concentration``, β = ``rate``."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(
        self, concentration: Tensor | float, rate: Tensor | float, validate_args: bool | None = None
    ) -> None:
        base = Gamma(concentration, rate, validate_args=validate_args)
        super().__init__(base, PowerTransform(-1.0), validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> InverseGamma:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(InverseGamma, _instance)
        super().expand(batch_shape, new)
        return new

    @property
    def concentration(self) -> Tensor:
        """α."""
        return self.base_dist.concentration

    @property
    def rate(self) -> Tensor:
        """β."""
        return self.base_dist.rate

    @property
    def mean(self) -> Tensor:
        """β / (α − 1), ∞ for α up to 1."""
        found = self.rate / (self.concentration - 1)
        return where(self.concentration.gt(1), found, math.inf)

    @property
    def mode(self) -> Tensor:
        """β / (α + 1)."""
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        """β² / ((α − 1)² (α − 2)), ∞ for α up to 2."""
        a = self.concentration
        found = self.rate.square() / ((a - 1).square() * (a - 2))
        return where(a.gt(2), found, math.inf)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        a, b, x = wide(self.concentration, self.rate, value)
        found = a * b.log() - (a + 1) * x.log() - b / x - a.lgamma()
        return narrow(found, self.concentration, value)

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        a, b = wide(self.concentration, self.rate)
        found = a + b.log() + a.lgamma() - (1 + a) * a.digamma()
        return narrow(found, self.concentration)
