"""The multinomial distribution: counts of several classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base.errors import UnsupportedError
from pellucid.distributions import constraints
from pellucid.distributions.binomial import Binomial
from pellucid.distributions.categorical import Categorical
from pellucid.distributions.distribution import Distribution, Shape, Size
from pellucid.distributions.utils import narrow, wide
from pellucid.tensor import sampling
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import lift
from pellucid.tensor.functions import where
from pellucid.tensor.shaping import stack
from pellucid.tensor.tensor import Tensor

__all__ = ["Multinomial"]


class Multinomial(Distribution):
    """How often each of n classes comes in ``total_count`` draws: (…, n), summing to the count.

    N! Π pₖ^xₖ / xₖ!.  ``probs`` are weights, divided by their sum; or ``logits``.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    total_count: int

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise UnsupportedError(
                "inhomogeneous total_count is not supported", "give one whole number"
            )
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        self._binomial = Binomial(total_count=total_count, probs=self.probs, validate_args=False)
        batch, event = self._categorical.batch_shape, self._categorical.param_shape[-1:]
        super().__init__(batch, event, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Multinomial:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(Multinomial, _instance)
        new.total_count = self.total_count
        new._categorical = self._categorical.expand(batch_shape)
        new._binomial = self._binomial.expand((*batch_shape, *self._event_shape))
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> constraints.Constraint:
        """Counts up to the total."""
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        """N p."""
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        """N p (1 − p)."""
        return self.total_count * self.probs * (1 - self.probs)

    @property
    def logits(self) -> Tensor:
        """ln p."""
        return self._categorical.logits

    @property
    def probs(self) -> Tensor:
        """p, (…, n)."""
        return self._categorical.probs

    @property
    def param_shape(self) -> Shape:
        """The shape of the parameter, (…, n)."""
        return self._categorical.param_shape

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Counts, class by class: each is binomial among the draws that are left."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            probs = self.probs.double().expand(shape)
            after = probs.flip(-1).cumsum(-1).flip(-1)  # of this class and those behind it
            share = (probs / where(after.gt(0), after, 1.0)).clamp(max=1.0)
            left: Any = lift(np.full(shape[:-1], float(self.total_count)))
            counts = []
            for k in range(shape[-1] - 1):
                counts.append(sampling.binomial(left, share[..., k]))
                left = left - counts[-1]
            return stack([*counts, left], -1).to(self.probs.dtype)

    def entropy(self) -> Tensor:
        """N times that of one draw, minus ln N!, plus Σₖ E ln xₖ!."""
        (own,) = wide(self._categorical.entropy())
        values = self._binomial.enumerate_support(expand=False)[1:]
        chances = self._binomial.log_prob(values).exp().double()
        factorials = ((values.double() + 1).lgamma() * chances).sum(0).sum(-1)
        total = lift(np.asarray(self.total_count + 1.0)).lgamma()
        return narrow(self.total_count * own - total + factorials, self.probs)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        logits, x = wide(self.logits, value)
        powers = where(x.eq(0).logical_and(logits.isneginf()), 0.0, logits) * x
        found = (x.sum(-1) + 1).lgamma() - (x + 1).lgamma().sum(-1) + powers.sum(-1)
        return narrow(found, self.logits, value)
