"""The Bernoulli distribution: one trial."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Shape, Size
from pellucid.distributions.exp_family import ExponentialFamily
from pellucid.distributions.utils import (
    binary_cross_entropy,
    broadcast_all,
    exactly_one,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
    softplus,
)
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import arange
from pellucid.tensor.random import rand
from pellucid.tensor.tensor import Tensor

__all__ = ["Bernoulli"]


class Bernoulli(ExponentialFamily):
    """1 with probability ``probs`` = σ(``logits``), else 0.  One of both is given.

    >>> Bernoulli(0.25).mean
    tensor(0.2500)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        exactly_one(probs, logits, names="`probs` or `logits`")
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        elif logits is not None:
            (self.logits,) = broadcast_all(logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs" if "probs" in self.__dict__ else "logits"]

    def expand(self, batch_shape: Size, _instance: Any = None) -> Bernoulli:
        """The distribution with its parameters expanded to ``batch_shape``."""
        return self._expanded(Bernoulli, batch_shape, _instance, ("probs", "logits"))

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

    @property
    def mean(self) -> Tensor:
        """p."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """The likelier value, NaN where both are equally likely."""
        likely = self.probs.ge(0.5).to(self.probs.dtype)
        return likely.masked_fill(self.probs.eq(0.5), math.nan)

    @property
    def variance(self) -> Tensor:
        """p (1 − p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return rand(shape, dtype=self._param.dtype).lt(self.probs).to(self._param.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        return -binary_cross_entropy(self.logits, value)

    def entropy(self) -> Tensor:
        """−p ln p − (1 − p) ln(1 − p)."""
        return binary_cross_entropy(self.logits, self.probs)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values along a new first axis; without ``expand`` the batch axes have extent 1."""
        values = arange(2, dtype=self._param.dtype)
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values

    @property
    def _natural_params(self) -> tuple[Tensor]:
        return (self.logits,)

    def _log_normalizer(self, x: Any) -> Any:
        return softplus(x)
