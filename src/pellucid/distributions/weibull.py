"""The Weibull distribution."""

from __future__ import annotations

from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Size
from pellucid.distributions.exponential import Exponential
from pellucid.distributions.transformed_distribution import TransformedDistribution
from pellucid.distributions.transforms import AffineTransform, PowerTransform
from pellucid.distributions.utils import broadcast_all, euler_constant, narrow, wide
from pellucid.tensor.creation import ones_like
from pellucid.tensor.tensor import Tensor

__all__ = ["Weibull"]


class Weibull(TransformedDistribution):
    """(k/s) (x/s)^(k−1) e^(−(x/s)ᵏ), s = ``scale``, k = ``concentration``."""

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive

    def __init__(
        self,
        scale: Tensor | float,
        concentration: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        self.concentration_reciprocal = self.concentration.reciprocal()
        base = Exponential(ones_like(self.scale), validate_args=validate_args)
        steps = [PowerTransform(self.concentration_reciprocal), AffineTransform(0, self.scale)]
        super().__init__(base, steps, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Weibull:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(Weibull, _instance)
        for name in ("scale", "concentration", "concentration_reciprocal"):
            setattr(new, name, getattr(self, name).expand(tuple(batch_shape)))
        super().expand(batch_shape, new)
        return new

    @property
    def mean(self) -> Tensor:
        """scale Γ(1 + 1/k)."""
        return self.scale * (1 + self.concentration_reciprocal).lgamma().exp()

    @property
    def mode(self) -> Tensor:
        """The value of the highest density."""
        k = self.concentration
        return self.scale * ((k - 1) / k).pow(self.concentration_reciprocal)

    @property
    def variance(self) -> Tensor:
        """s² (Γ(1 + 2/k) − Γ(1 + 1/k)²)."""
        (shape,) = wide(self.concentration_reciprocal)
        first = (1 + shape).lgamma()
        spread = (2 * first).exp() * ((1 + 2 * shape).lgamma() - 2 * first).expm1()
        return self.scale.square() * narrow(spread, self.scale)

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        shape = self.concentration_reciprocal
        return euler_constant * (1 - shape) + (self.scale * shape).log() + 1
