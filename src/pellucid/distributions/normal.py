"""The normal distribution."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Size
from pellucid.distributions.exp_family import ExponentialFamily
from pellucid.distributions.utils import broadcast_all, standard_normal
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor

__all__ = ["Normal"]


class Normal(ExponentialFamily):
    """exp(−((x − loc) / scale)² / 2) / (scale √(2π)).

    ``loc`` is the mean, ``scale`` the standard deviation.

    >>> Normal(0.0, 1.0).log_prob(pellucid.tensor(0.0))
    tensor(-0.9189)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Normal:
        """The distribution with its parameters expanded to ``batch_shape``."""
        return self._expanded(Normal, batch_shape, _instance, ("loc", "scale"))

    @property
    def mean(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """``scale``."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """``scale``²."""
        return self.scale.square()

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        noise = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        return z * z * -0.5 - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        """Φ(z) = ½ erfc(−z / √2), z = (value − loc) / scale."""
        if self._validate_args:
            self._validate_sample(value)
        return ((self.loc - value) / (self.scale * math.sqrt(2))).erfc() * 0.5

    def icdf(self, value: Tensor) -> Tensor:
        """loc + scale √2 erf⁻¹(2 value − 1)."""
        return self.loc + self.scale * (2 * value - 1).erfinv() * math.sqrt(2)

    def entropy(self) -> Tensor:
        """½ ln(2π e scale²)."""
        return self.scale.log() + (0.5 + 0.5 * math.log(2 * math.pi))

    @property
    def _natural_params(self) -> tuple[Tensor, Tensor]:
        return self.loc / self.scale.square(), self.scale.square().reciprocal() * -0.5

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        return x * x / y * -0.25 + (-math.pi / y).log() * 0.5
