"""The negative binomial distribution: successes before several failures."""

from __future__ import annotations

from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Shape, Size
from pellucid.distributions.gamma import Gamma
from pellucid.distributions.utils import (
    broadcast_all,
    exactly_one,
    lazy_property,
    logits_to_probs,
    narrow,
    probs_to_logits,
    softplus,
    wide,
)
from pellucid.tensor import sampling
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.functions import where
from pellucid.tensor.tensor import Tensor

__all__ = ["NegativeBinomial"]


class NegativeBinomial(Distribution):
    """Γ(k + r) / (k! Γ(r)) (1 − p)^r p^k: k successes before the r-th failure.

    r = ``total_count`` (any number of at least 0), p = ``probs`` = σ(``logits``) of a success.
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self,
        total_count: Tensor | float,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        exactly_one(probs, logits, names="`probs` or `logits`")
        if probs is not None:
            self.total_count, self.probs = broadcast_all(total_count, probs)
        elif logits is not None:
            self.total_count, self.logits = broadcast_all(total_count, logits)
        self.total_count = self.total_count.to(self._param.dtype)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs" if "probs" in self.__dict__ else "logits"]

    def expand(self, batch_shape: Size, _instance: Any = None) -> NegativeBinomial:
        """The distribution with its parameters expanded to ``batch_shape``."""
        names = ("total_count", "probs", "logits")
        return self._expanded(NegativeBinomial, batch_shape, _instance, names)

    @property
    def mean(self) -> Tensor:
        """r p / (1 − p)."""
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Tensor:
        """r p / (1 − p)²."""
        return self.mean / (-self.logits).sigmoid()

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

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Poisson counts whose means are gamma draws."""
        with no_grad():
            scale = Gamma(self.total_count, (-self.logits).exp(), validate_args=False)
            return sampling.poisson(scale.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        r, logits, k = wide(self.total_count, self.logits, value)
        choices = (r + k).lgamma() - (k + 1).lgamma() - r.lgamma()
        choices = where(r.add(k).eq(0), 0.0, choices)
        found = choices - r * softplus(logits) - k * softplus(-logits)
        return narrow(found, self._param, value)
