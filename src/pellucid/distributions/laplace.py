"""The Laplace distribution."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import broadcast_all, uniform
from pellucid.tensor.limits import finfo
from pellucid.tensor.tensor import Tensor

__all__ = ["Laplace"]


class Laplace(Distribution):
    """e^(−|x − loc| / scale) / (2 scale)."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(
        self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Laplace:
        """The distribution with its parameters expanded to ``batch_shape``."""
        return self._expanded(Laplace, batch_shape, _instance, ("loc", "scale"))

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
        """2 scale²."""
        return 2 * self.scale.square()

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.scale * math.sqrt(2)

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        limits = finfo(self.loc.dtype)
        place = 2 * uniform(self._extended_shape(sample_shape), self.loc) - 1
        rest = place.abs().clamp(max=1 - limits.eps / 2)
        return self.loc - self.scale * place.sign() * (-rest).log1p()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        tail = (-z.abs()).exp() * 0.5
        return tail.where(z.lt(0), 1 - tail)

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is ``value``."""
        place = value - 0.5
        return self.loc - self.scale * place.sign() * (place.abs() * -2).log1p()

    def entropy(self) -> Tensor:
        """1 + ln(2 scale)."""
        return 1 + (2 * self.scale).log()
