"""The Pareto distribution."""

from __future__ import annotations

from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Size
from pellucid.distributions.exponential import Exponential
from pellucid.distributions.transformed_distribution import TransformedDistribution
from pellucid.distributions.transforms import AffineTransform, ExpTransform
from pellucid.distributions.utils import broadcast_all
from pellucid.tensor.tensor import Tensor

__all__ = ["Pareto"]


class Pareto(TransformedDistribution):
    """α sᵅ / x^(α+1) for x ≥ s, α = ``alpha``, s = ``scale``."""

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}

    def __init__(
        self, scale: Tensor | float, alpha: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        base = Exponential(self.alpha, validate_args=validate_args)
        steps = [ExpTransform(), AffineTransform(0, self.scale)]
        super().__init__(base, steps, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Pareto:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(Pareto, _instance)
        new.scale = self.scale.expand(tuple(batch_shape))
        new.alpha = self.alpha.expand(tuple(batch_shape))
        super().expand(batch_shape, new)
        return new

    @property
    def mean(self) -> Tensor:
        """α s / (α − 1), ∞ for α up to 1."""
        a = self.alpha.clamp(min=1.0)
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Tensor:
        """``scale``."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """α s² / ((α − 1)² (α − 2)), ∞ for α up to 2."""
        a = self.alpha.clamp(min=2.0)
        return self.scale.square() * a / ((a - 1).square() * (a - 2))

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """[s, ∞)."""
        return constraints.greater_than_eq(self.scale)

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())
