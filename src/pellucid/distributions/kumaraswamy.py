"""The Kumaraswamy distribution over [0, 1]."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Size
from pellucid.distributions.transformed_distribution import TransformedDistribution
from pellucid.distributions.transforms import AffineTransform, PowerTransform
from pellucid.distributions.uniform import Uniform
from pellucid.distributions.utils import broadcast_all, euler_constant, narrow, wide
from pellucid.tensor.creation import full_like
from pellucid.tensor.functions import where
from pellucid.tensor.tensor import Tensor

__all__ = ["Kumaraswamy"]


def _moment(a: Any, b: Any, n: int) -> Any:
    """E xⁿ = b B(1 + n/a, b)."""
    first = 1 + n / a
    return (b.log() + first.lgamma() + b.lgamma() - (first + b).lgamma()).exp()


class Kumaraswamy(TransformedDistribution):
    """a b x^(a−1) (1 − xᵃ)^(b−1), a = ``concentration1``, b = ``concentration0``: like a beta
    distribution, with a distribution function in closed form.  (Kumaraswamy, 1980.)
    """

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        concentration1: Tensor | float,
        concentration0: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        ends = (full_like(self.concentration0, 0), full_like(self.concentration0, 1))
        steps = [
            PowerTransform(self.concentration0.reciprocal()),
            AffineTransform(1.0, -1.0),
            PowerTransform(self.concentration1.reciprocal()),
        ]
        base = Uniform(*ends, validate_args=validate_args)
        super().__init__(base, steps, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Kumaraswamy:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(Kumaraswamy, _instance)
        new.concentration1 = self.concentration1.expand(tuple(batch_shape))
        new.concentration0 = self.concentration0.expand(tuple(batch_shape))
        super().expand(batch_shape, new)
        return new

    @property
    def mean(self) -> Tensor:
        """The mean, of the parameters' shape."""
        a, b = wide(self.concentration1, self.concentration0)
        return narrow(_moment(a, b, 1), self.concentration1)

    @property
    def mode(self) -> Tensor:
        """((a − 1) / (a b − 1))^(1/a), NaN where a or b is below 1."""
        a, b = self.concentration1, self.concentration0
        none = a.lt(1).logical_or(b.lt(1))
        a, b = where(none, 2.0, a), where(none, 2.0, b)
        return where(none, math.nan, (((a - 1) / (a * b - 1)).log() / a).exp())

    @property
    def variance(self) -> Tensor:
        """The variance."""
        a, b = wide(self.concentration1, self.concentration0)
        found = _moment(a, b, 2) - _moment(a, b, 1).square()
        return narrow(found, self.concentration1)

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        a, b = self.concentration1, self.concentration0
        harmonic = (b + 1).digamma() + euler_constant
        return (1 - 1 / b) + (1 - 1 / a) * harmonic - a.log() - b.log()
