"""The absolute value of a Cauchy number."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.cauchy import Cauchy
from pellucid.distributions.distribution import Size
from pellucid.distributions.transformed_distribution import TransformedDistribution
from pellucid.distributions.transforms import AbsTransform
from pellucid.tensor.creation import full_like, zeros_like
from pellucid.tensor.functions import where
from pellucid.tensor.tensor import Tensor

__all__ = ["HalfCauchy"]


class HalfCauchy(TransformedDistribution):
    """2 / (π s (1 + (x / s)²)) for x ≥ 0, s = ``scale``."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, scale: Tensor | float, validate_args: bool | None = None) -> None:
        base = Cauchy(0, scale, validate_args=False)
        super().__init__(base, AbsTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> HalfCauchy:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(HalfCauchy, _instance)
        super().expand(batch_shape, new)
        return new

    @property
    def scale(self) -> Tensor:
        """The median."""
        return self.base_dist.scale

    @property
    def mean(self) -> Tensor:
        """∞."""
        return full_like(self.scale, math.inf)

    @property
    def mode(self) -> Tensor:
        """The value of the highest density."""
        return zeros_like(self.scale)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self.base_dist.variance

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        found = self.base_dist.log_prob(value) + math.log(2)
        return where(value.ge(0), found, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        return (value / self.scale).atan() * (2 / math.pi)

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is ``value``."""
        return (value * (math.pi / 2)).tan() * self.scale

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        return self.base_dist.entropy() - math.log(2)
