"""A one-hot vector that became continuous, so that it has a gradient."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.categorical import Categorical
from pellucid.distributions.distribution import Distribution, Shape, Size
from pellucid.distributions.transformed_distribution import TransformedDistribution
from pellucid.distributions.transforms import ExpTransform
from pellucid.distributions.utils import broadcast_all, clamp_probs, uniform
from pellucid.tensor.tensor import Tensor

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


class ExpRelaxedCategorical(Distribution):
    """The logarithm of :class:`RelaxedOneHotCategorical`: log-softmax of the noisy logits."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector  # those whose exponentials sum to 1
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        batch, event = self._categorical.batch_shape, self._categorical.param_shape[-1:]
        super().__init__(batch, event, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> ExpRelaxedCategorical:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(ExpRelaxedCategorical, _instance)
        new.temperature = self.temperature
        new._categorical = self._categorical.expand(batch_shape)
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def param_shape(self) -> Shape:
        """The shape of the parameter, (…, n)."""
        return self._categorical.param_shape

    @property
    def logits(self) -> Tensor:
        """ln p, (…, n)."""
        return self._categorical.logits

    @property
    def probs(self) -> Tensor:
        """p, (…, n)."""
        return self._categorical.probs

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        u = clamp_probs(uniform(self._extended_shape(sample_shape), self.logits))
        return ((self.logits - (-u.log()).log()) / self.temperature).log_softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        n = self._categorical._num_events
        score = (self.logits - value * self.temperature).log_softmax(-1).sum(-1)
        heat, _ = broadcast_all(self.temperature, self._categorical._param)
        while heat.dim() > max(1, score.dim()):
            heat = heat[0]
        constant = math.lgamma(n) + (n - 1) * heat[..., 0].log()
        return score + constant


class RelaxedOneHotCategorical(TransformedDistribution):
    """softmax((logits + Gumbel noise) / temperature): nearly one-hot at low temperature.

    (Maddison, Mnih and Teh, 2017; Jang, Gu and Poole, 2017.)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> RelaxedOneHotCategorical:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(RelaxedOneHotCategorical, _instance)
        super().expand(batch_shape, new)
        return new

    @property
    def temperature(self) -> Tensor:
        """How soft the vectors are."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Tensor:
        """ln p, (…, n)."""
        return self.base_dist.logits

    @property
    def probs(self) -> Tensor:
        """p, (…, n)."""
        return self.base_dist.probs
