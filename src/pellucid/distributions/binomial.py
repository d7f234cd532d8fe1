"""The binomial distribution: successes of several trials."""

from __future__ import annotations

from typing import Any

from pellucid.base.errors import UnsupportedError
from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Shape, Size
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
from pellucid.tensor.creation import arange
from pellucid.tensor.functions import where
from pellucid.tensor.tensor import Tensor

__all__ = ["Binomial"]


class Binomial(Distribution):
    """C(n, k) p^k (1 − p)^(n−k), n = ``total_count``, p = ``probs`` = σ(``logits``)."""

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True

    def __init__(
        self,
        total_count: Tensor | int = 1,
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
        self._same_count = total_count if isinstance(total_count, int) else None
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs" if "probs" in self.__dict__ else "logits"]

    def expand(self, batch_shape: Size, _instance: Any = None) -> Binomial:
        """The distribution with its parameters expanded to ``batch_shape``."""
        names = ("total_count", "probs", "logits")
        new = self._expanded(Binomial, batch_shape, _instance, names)
        new._same_count = self._same_count
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """0 … total_count."""
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        """n p."""
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        found = ((self.total_count + 1) * self.probs).floor()
        return where(found.gt(self.total_count), self.total_count, found)

    @property
    def variance(self) -> Tensor:
        """n p (1 − p)."""
        return self.total_count * self.probs * (1 - self.probs)

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
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return sampling.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        n, logits, k = wide(self.total_count, self.logits, value)
        choices = (n + 1).lgamma() - (k + 1).lgamma() - (n - k + 1).lgamma()
        return narrow(choices + k * logits - n * softplus(logits), self._param, value)

    def _count(self) -> int:
        """The number of trials, where all of the batch have as many."""
        if self._same_count is not None:
            return self._same_count
        counts = self.total_count.array()
        if counts.size and counts.min() != counts.max():
            raise UnsupportedError(
                "Inhomogeneous total count not supported by `enumerate_support`.",
                "make a distribution for each count",
            )
        return int(counts.max())

    def entropy(self) -> Tensor:
        """By summing over all values; raises ``UnsupportedError`` unless all counts are equal."""
        self._count()
        chances = self.log_prob(self.enumerate_support(False))
        return -(chances.exp() * chances).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values along a new first axis; without ``expand`` the batch axes have extent 1."""
        values = arange(1 + self._count(), dtype=self._param.dtype)
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values
