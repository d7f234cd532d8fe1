"""The continuous Bernoulli distribution over [0, 1]."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Shape, Size
from pellucid.distributions.exp_family import ExponentialFamily
from pellucid.distributions.utils import (
    binary_cross_entropy,
    broadcast_all,
    clamp_probs,
    exactly_one,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
    uniform,
)
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.functions import where
from pellucid.tensor.tensor import Tensor

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(ExponentialFamily):
    """C(λ) λ^x (1 − λ)^(1−x) for x in [0, 1], λ = ``probs`` = σ(``logits``).

    C(λ) = 2 artanh(1 − 2λ) / (1 − 2λ).  For λ between ``lims``, near ½ where this is 0 / 0, the
    first terms of the series in λ − ½ stand for it.  (Loaiza-Ganem and Cunningham, "The Continuous
    Bernoulli: Fixing a Pervasive Error in Variational Autoencoders", 2019.)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        exactly_one(probs, logits, names="`probs` or `logits`")
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        elif logits is not None:
            (self.logits,) = broadcast_all(logits)
        self._lims = lims
        super().__init__(self._param.shape, validate_args=validate_args)
        if probs is not None:
            self.probs = clamp_probs(self.probs)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs" if "probs" in self.__dict__ else "logits"]

    def expand(self, batch_shape: Size, _instance: Any = None) -> ContinuousBernoulli:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._expanded(ContinuousBernoulli, batch_shape, _instance, ("probs", "logits"))
        new._lims = self._lims
        return new

    def _far(self) -> Tensor:
        """Whether λ is far enough from ½ for the closed forms."""
        return self.probs.le(self._lims[0]).logical_or(self.probs.gt(self._lims[1]))

    def _safe(self) -> Tensor:
        """λ, or a number that the closed forms can take where they are not used."""
        return where(self._far(), self.probs, self._lims[0])

    def _log_norm(self) -> Tensor:
        """ln C(λ)."""
        safe = self._safe()
        closed = ((-safe).log1p() - safe.log()).abs().log() - (1 - 2 * safe).abs().log()
        x = (self.probs - 0.5).square()
        return where(self._far(), closed, (4 / 3 + 104 / 45 * x) * x + math.log(2))

    @property
    def mean(self) -> Tensor:
        """The mean, of the parameters' shape."""
        safe, x = self._safe(), self.probs - 0.5
        closed = safe / (2 * safe - 1) + 1 / ((-safe).log1p() - safe.log())
        return where(self._far(), closed, (1 / 3 + 16 / 45 * x.square()) * x + 0.5)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        safe, x = self._safe(), (self.probs - 0.5).square()
        closed = safe * (safe - 1) / (1 - 2 * safe).square()
        closed = closed + 1 / ((-safe).log1p() - safe.log()).square()
        return where(self._far(), closed, 1 / 12 - (1 / 15 - 128 / 945 * x) * x)

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    @lazy_property
    def logits(self) -> Tensor:
        """ln(λ / (1 − λ))."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """σ(logits), kept inside (0, 1)."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    @property
    def param_shape(self) -> Shape:
        """The shape of the parameter."""
        return self._param.size()

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradients."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        return self.icdf(uniform(self._extended_shape(sample_shape), self.probs))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        return self._log_norm() - binary_cross_entropy(self.logits, value)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        safe = self._safe()
        closed = (safe.pow(value) * (1 - safe).pow(1 - value) + safe - 1) / (2 * safe - 1)
        inside = where(self._far(), closed, value)
        inside = where(value.le(0), 0.0, inside)
        return where(value.ge(1), 1.0, inside)

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is ``value``."""
        safe = self._safe()
        top = (value * (2 * safe - 1) - safe).log1p() - (-safe).log1p()
        return where(self._far(), top / (safe.log() - (-safe).log1p()), value)

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        rest, own = (-self.probs).log1p(), self.probs.log()
        return self.mean * (rest - own) - self._log_norm() - rest

    @property
    def _natural_params(self) -> tuple[Tensor]:
        return (self.logits,)

    def _log_normalizer(self, x: Any) -> Any:
        far = x.le(self._lims[0] - 0.5).logical_or(x.gt(self._lims[1] - 0.5))
        safe = where(far, x, 1.0)
        closed = (safe.expm1() / safe).abs().log()
        return where(far, closed, 0.5 * x + x.square() / 24 - x.pow(4) / 2880)
