"""The Cauchy distribution."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import broadcast_all, uniform
from pellucid.tensor.creation import full_like
from pellucid.tensor.tensor import Tensor

__all__ = ["Cauchy"]


class Cauchy(Distribution):
    """1 / (π s (1 + ((x − loc) / s)²)), s = ``scale``: the ratio of two normal numbers.

    It has no mean and no variance (NaN and ∞).
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(
        self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Cauchy:
        """The distribution with its parameters expanded to ``batch_shape``."""
        return self._expanded(Cauchy, batch_shape, _instance, ("loc", "scale"))

    @property
    def mean(self) -> Tensor:
        """NaN: the integral does not exist."""
        return full_like(self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        """The value of the highest density."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """∞."""
        return full_like(self.loc, math.inf)

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        turn = uniform(self._extended_shape(sample_shape), self.loc) - 0.5
        return self.loc + (turn * math.pi).tan() * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        return -(z * z).log1p() - self.scale.log() - math.log(math.pi)

    def cdf(self, value: Tensor) -> Tensor:
        """arctan(z) / π + ½."""
        if self._validate_args:
            self._validate_sample(value)
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        """loc + scale tan(π (value − ½))."""
        return ((value - 0.5) * math.pi).tan() * self.scale + self.loc

    def entropy(self) -> Tensor:
        """ln(4π scale)."""
        return self.scale.log() + math.log(4 * math.pi)
