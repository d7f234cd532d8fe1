"""The generalized Pareto distribution."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import broadcast_all, uniform
from pellucid.tensor.functions import where
from pellucid.tensor.tensor import Tensor

__all__ = ["GeneralizedPareto"]

_ALMOST_ZERO = 1e-8


class GeneralizedPareto(Distribution):
    """(1 + k z)^(−1 − 1/k) / scale with z = (x − loc) / scale, k = ``concentration``.

    What lies beyond a high threshold; k = 0 is exponential, k < 0 has the end loc − scale / k.
    (Pickands, 1975.)
    """

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        concentration: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> GeneralizedPareto:
        """The distribution with its parameters expanded to ``batch_shape``."""
        names = ("loc", "scale", "concentration")
        return self._expanded(GeneralizedPareto, batch_shape, _instance, names)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """[loc, ∞), or [loc, loc − scale / k] for k < 0."""
        k = self.concentration
        end = self.loc - self.scale / where(k.lt(0), k, -1.0)
        return constraints.interval(self.loc, where(k.lt(0), end, math.inf))

    def _zero(self) -> tuple[Tensor, Tensor]:
        """Whether k is 0, and k with 1 in such places."""
        zero = self.concentration.abs().le(_ALMOST_ZERO)
        return zero, where(zero, 1.0, self.concentration)

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        return self.icdf(uniform(self._extended_shape(sample_shape), self.loc))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        z, (zero, k) = (value - self.loc) / self.scale, self._zero()
        far = -(1 + 1 / k) * (k * where(zero, 0.0, z)).log1p()
        return where(zero, -z, far) - self.scale.log()

    def log_survival_function(self, value: Tensor) -> Tensor:
        """ln of the probability of values above ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        z, (zero, k) = (value - self.loc) / self.scale, self._zero()
        return where(zero, -z, -(k * where(zero, 0.0, z)).log1p() / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        """ln of :meth:`cdf`."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to ``value``."""
        return -self.log_survival_function(value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is ``value``."""
        rest, (zero, k) = (-value).log1p(), self._zero()
        return self.loc + self.scale * where(zero, -rest, (-k * rest).expm1() / k)

    @property
    def mean(self) -> Tensor:
        """loc + scale / (1 − k), NaN from k = 1 on."""
        k = self.concentration
        good = k.lt(1)
        return where(good, self.loc + self.scale / (1 - where(good, k, 0.5)), math.nan)

    @property
    def mode(self) -> Tensor:
        """``loc``."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """scale² / ((1 − k)² (1 − 2k)), NaN from k = ½ on."""
        good = self.concentration.lt(0.5)
        k = where(good, self.concentration, 0.25)
        return where(good, self.scale.square() / ((1 - k).square() * (1 - 2 * k)), math.nan)

    def entropy(self) -> Tensor:
        """ln scale + k + 1."""
        return self.scale.log() + self.concentration + 1
