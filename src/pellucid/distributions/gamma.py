"""The gamma distribution."""

from __future__ import annotations

from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Size
from pellucid.distributions.exp_family import ExponentialFamily
from pellucid.distributions.utils import broadcast_all, narrow, wide
from pellucid.tensor.limits import finfo
from pellucid.tensor.sampling import gamma_share, standard_gamma
from pellucid.tensor.tensor import Tensor

__all__ = ["Gamma"]


class Gamma(ExponentialFamily):
    """β^α x^(α−1) e^(−βx) / Γ(α), α = ``concentration`` (shape), β = ``rate`` (1 / scale)."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self, concentration: Tensor | float, rate: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Gamma:
        """The distribution with its parameters expanded to ``batch_shape``."""
        return self._expanded(Gamma, batch_shape, _instance, ("concentration", "rate"))

    @property
    def mean(self) -> Tensor:
        """α / β."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        """(α − 1) / β, at least 0."""
        return ((self.concentration - 1) / self.rate).clamp(min=0.0)

    @property
    def variance(self) -> Tensor:
        """α / β²."""
        return self.concentration / self.rate.square()

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws with gradients for both parameters, at least the dtype's smallest number."""
        shape = self._extended_shape(sample_shape)
        value = standard_gamma(self.concentration.expand(shape)) / self.rate
        least = value.detach().clamp(min=finfo(value.dtype).tiny) - value.detach()
        return value + least

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        a, b, x = wide(self.concentration, self.rate, value)
        found = a.xlogy(b) + (a - 1).xlogy(x) - b * x - a.lgamma()
        return narrow(found, self.concentration, value)

    def cdf(self, value: Tensor) -> Tensor:
        """P(α, β x), the incomplete gamma function."""
        if self._validate_args:
            self._validate_sample(value)
        return gamma_share(*broadcast_all(self.concentration, self.rate * value))

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        a, b = wide(self.concentration, self.rate)
        found = a - b.log() + a.lgamma() + (1 - a) * a.digamma()
        return narrow(found, self.concentration)

    @property
    def _natural_params(self) -> tuple[Tensor, Tensor]:
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        return (x + 1).lgamma() - (x + 1) * (-y).log()
