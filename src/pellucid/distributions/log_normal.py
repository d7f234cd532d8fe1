"""The log-normal distribution."""

from __future__ import annotations

from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Size
from pellucid.distributions.normal import Normal
from pellucid.distributions.transformed_distribution import TransformedDistribution
from pellucid.distributions.transforms import ExpTransform
from pellucid.tensor.tensor import Tensor

__all__ = ["LogNormal"]


class LogNormal(TransformedDistribution):
    """e^z with z normal; ``loc`` and ``scale`` are the mean and standard deviation of z."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(
        self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None
    ) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> LogNormal:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(LogNormal, _instance)
        super().expand(batch_shape, new)
        return new

    @property
    def loc(self) -> Tensor:
        """The mean of ln x."""
        return self.base_dist.loc

    @property
    def scale(self) -> Tensor:
        """The standard deviation of ln x."""
        return self.base_dist.scale

    @property
    def mean(self) -> Tensor:
        """e^(loc + scale²/2)."""
        return (self.loc + self.scale.square() / 2).exp()

    @property
    def mode(self) -> Tensor:
        """e^(loc − scale²)."""
        return (self.loc - self.scale.square()).exp()

    @property
    def variance(self) -> Tensor:
        """The variance."""
        spread = self.scale.square()
        return spread.expm1() * (2 * self.loc + spread).exp()

    def entropy(self) -> Tensor:
        """That of the normal number, plus loc."""
        return self.base_dist.entropy() + self.loc
