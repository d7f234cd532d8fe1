"""A Bernoulli number that became continuous, so that it has a gradient."""

from __future__ import annotations

from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Shape, Size
from pellucid.distributions.transformed_distribution import TransformedDistribution
from pellucid.distributions.transforms import SigmoidTransform
from pellucid.distributions.utils import (
    broadcast_all,
    clamp_probs,
    exactly_one,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
    softplus,
    uniform,
)
from pellucid.tensor.tensor import Tensor

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


class LogitRelaxedBernoulli(Distribution):
    """The logit of :class:`RelaxedBernoulli`: (logits + logistic noise) / temperature."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        exactly_one(probs, logits, names="`probs` or `logits`")
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        elif logits is not None:
            (self.logits,) = broadcast_all(logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs" if "probs" in self.__dict__ else "logits"]

    def expand(self, batch_shape: Size, _instance: Any = None) -> LogitRelaxedBernoulli:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._expanded(LogitRelaxedBernoulli, batch_shape, _instance, ("probs", "logits"))
        new.temperature = self.temperature
        return new

    @lazy_property
    def logits(self) -> Tensor:
        """ln(p / (1 − p))."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """σ(logits)."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> Shape:
        """The shape of the parameter."""
        return self._param.size()

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        u = clamp_probs(uniform(self._extended_shape(sample_shape), self._param))
        return (u.log() - (-u).log1p() + self.logits) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        gap = self.logits - value * self.temperature
        heat, _ = broadcast_all(self.temperature, gap)
        return heat.log() + gap - 2 * softplus(gap)


class RelaxedBernoulli(TransformedDistribution):
    """σ((logits + logistic noise) / temperature): near 0 and 1 at low temperature.

    (Maddison, Mnih and Teh, "The Concrete Distribution", 2017; Jang, Gu and Poole, "Categorical
    Reparameterization with Gumbel-Softmax", 2017.)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> RelaxedBernoulli:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(RelaxedBernoulli, _instance)
        super().expand(batch_shape, new)
        return new

    @property
    def temperature(self) -> Tensor:
        """How soft the numbers are."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Tensor:
        """ln(p / (1 − p))."""
        return self.base_dist.logits

    @property
    def probs(self) -> Tensor:
        """σ(logits)."""
        return self.base_dist.probs
