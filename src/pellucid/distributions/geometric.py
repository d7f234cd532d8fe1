"""The geometric distribution: failures before the first success."""

from __future__ import annotations

from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import (
    binary_cross_entropy,
    broadcast_all,
    exactly_one,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
    uniform,
)
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import zeros_like
from pellucid.tensor.functions import where
from pellucid.tensor.state import is_tracing
from pellucid.tensor.tensor import Tensor

__all__ = ["Geometric"]


class Geometric(Distribution):
    """(1 − p)^k p for k = 0, 1, …, p = ``probs`` = σ(``logits``)."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

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
        given = self.probs if probs is not None else self.logits
        super().__init__(given.shape, validate_args=validate_args)
        if self._validate_args and probs is not None and not is_tracing():
            if not self.probs.gt(0).array().all():
                raise ArgumentError(
                    f"Expected parameter probs ({type(self.probs).__name__} of shape "
                    f"{tuple(self.probs.shape)}) of distribution {self!r} to be positive but found "
                    f"invalid values:\n{self.probs}",
                    "a success that never comes has no distribution",
                )

    def expand(self, batch_shape: Size, _instance: Any = None) -> Geometric:
        """The distribution with its parameters expanded to ``batch_shape``."""
        return self._expanded(Geometric, batch_shape, _instance, ("probs", "logits"))

    @property
    def mean(self) -> Tensor:
        """1/p − 1."""
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Tensor:
        """0."""
        return zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        """(1/p − 1) / p."""
        return (1.0 / self.probs - 1.0) / self.probs

    @lazy_property
    def logits(self) -> Tensor:
        """ln(p / (1 − p))."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """σ(logits)."""
        return logits_to_probs(self.logits, is_binary=True)

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        with no_grad():
            u = uniform(self._extended_shape(sample_shape), self.probs)
            return ((-u).log1p() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        p = where(self.probs.eq(1).logical_and(value.eq(0)), 0.0, self.probs)
        return value * (-p).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        return binary_cross_entropy(self.logits, self.probs) / self.probs
