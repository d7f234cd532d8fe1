"""The Poisson distribution."""

from __future__ import annotations

from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Size
from pellucid.distributions.exp_family import ExponentialFamily
from pellucid.distributions.utils import broadcast_all, narrow, wide
from pellucid.tensor import sampling
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor

__all__ = ["Poisson"]


class Poisson(ExponentialFamily):
    """λ^k e^−λ / k! for k = 0, 1, …, λ = ``rate``, the mean and the variance."""

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Tensor | float, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Poisson:
        """The distribution with its parameters expanded to ``batch_shape``."""
        return self._expanded(Poisson, batch_shape, _instance, ("rate",))

    @property
    def mean(self) -> Tensor:
        """λ."""
        return self.rate

    @property
    def mode(self) -> Tensor:
        """⌊λ⌋."""
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        """λ."""
        return self.rate

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        with no_grad():
            return sampling.poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        rate, k = wide(self.rate, value)
        return narrow(k.xlogy(rate) - rate - (k + 1).lgamma(), self.rate, value)

    @property
    def _natural_params(self) -> tuple[Tensor]:
        return (self.rate.log(),)

    def _log_normalizer(self, x: Any) -> Any:
        return x.exp()
