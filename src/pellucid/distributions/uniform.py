"""The uniform distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import broadcast_all, uniform
from pellucid.tensor.tensor import Tensor

__all__ = ["Uniform"]


class Uniform(Distribution):
    """1 / (high − low) between ``low`` and ``high``."""

    has_rsample = True

    def __init__(
        self, low: Tensor | float, high: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self.low, self.high = broadcast_all(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Uniform:
        """The distribution with its parameters expanded to ``batch_shape``."""
        return self._expanded(Uniform, batch_shape, _instance, ("low", "high"))

    @property
    def arg_constraints(self) -> Mapping[str, constraints.Constraint]:
        """Each bound is on its side of the other."""
        return {
            "low": constraints.less_than(self.high),
            "high": constraints.greater_than(self.low),
        }

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """[low, high]."""
        return constraints.interval(self.low, self.high)

    @property
    def mean(self) -> Tensor:
        """(low + high) / 2."""
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        """NaN: all values are equally likely."""
        return self.high * math.nan

    @property
    def stddev(self) -> Tensor:
        """(high − low) / √12."""
        return (self.high - self.low) / math.sqrt(12)

    @property
    def variance(self) -> Tensor:
        """(high − low)² / 12."""
        return (self.high - self.low).square() / 12

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        u = uniform(self._extended_shape(sample_shape), self.low)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """−ln(high − low) for low ≤ x < high, else −∞."""
        if self._validate_args:
            self._validate_sample(value)
        inside = self.low.le(value).logical_and(self.high.gt(value))
        return inside.to(self.low.dtype).log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is ``value``."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        """ln(high − low)."""
        return (self.high - self.low).log()
