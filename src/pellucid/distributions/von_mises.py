"""The von Mises distribution of angles."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import broadcast_all, lazy_property, narrow, wide
from pellucid.tensor.autograd import enable_grad, grad, no_grad
from pellucid.tensor.functions import where
from pellucid.tensor.sampling import first_accepted, uniform_rounds
from pellucid.tensor.special import log_i0
from pellucid.tensor.tensor import Tensor

__all__ = ["VonMises"]

ROUNDS = 26
"""Best's and Fisher's proposals are accepted with probability 0.65 or more: none of so many with
probability 2 · 10⁻¹²."""


class VonMises(Distribution):
    """e^(κ cos(x − loc)) / (2π I₀(κ)) for angles x, κ = ``concentration``: normal on a circle."""

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False

    def __init__(
        self, loc: Tensor, concentration: Tensor, validate_args: bool | None = None
    ) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> VonMises:
        """The distribution with its parameters expanded to ``batch_shape``."""
        return self._expanded(VonMises, batch_shape, _instance, ("loc", "concentration"))

    @property
    def mean(self) -> Tensor:
        """The mean angle."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The value of the highest density."""
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:
        """The circular variance 1 − I₁(κ) / I₀(κ)."""
        (k,) = wide(self.concentration)
        with enable_grad():
            moving = k if k.requires_grad else k.detach().requires_grad_()
            (ratio,) = grad(log_i0(moving).sum(), [moving], create_graph=True)
        if not self.concentration.requires_grad:
            ratio = ratio.detach()
        return narrow(1 - ratio, self.concentration)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        k, loc, x = wide(self.concentration, self.loc, value)
        # κ (cos d − 1) = −2 κ sin²(d/2), so that large κ cost no digits
        half = ((x - loc) / 2).sin()
        found = -2 * k * half * half - (log_i0(k) - k) - math.log(2 * math.pi)
        return narrow(found, self.concentration, value)

    def sample(self, sample_shape: Size = ()) -> Tensor:
        """Angles in [−π, π), by wrapped Cauchy proposals.

        (Best and Fisher, "Efficient Simulation of the von Mises Distribution", 1979.)
        """
        shape = self._extended_shape(sample_shape)
        with no_grad():
            k, loc = (t.expand(shape) for t in wide(self.concentration, self.loc))
            angle = _angles(k, shape)
            found = (angle + math.pi + loc).remainder(2 * math.pi) - math.pi
            return found.to(self.loc.dtype)


def _angles(k: Any, shape: tuple[int, ...]) -> Any:
    """Angles around 0 of concentration k, float64."""
    tau = 1 + (1 + 4 * k * k).sqrt()
    rho = (tau - (2 * tau).sqrt()) / (2 * k)
    r = (1 + rho * rho) / (2 * rho)
    r = where(k.lt(1e-5), 1 / k + k, r)  # where the difference above has no digits left
    places, signs = uniform_rounds(None), uniform_rounds(None)

    def propose(n: int) -> tuple[Any, Any]:
        z = (places(n, shape, 0) * math.pi).cos()
        f = ((1 + r * z) / (r + z)).clamp(min=-1.0, max=1.0)
        c = k * (r - f)
        u = 1 - places(n, shape, 1)
        accepted = (c * (2 - c)).gt(u).logical_or((c / u).log().add(1).ge(c))
        return f, accepted

    f = first_accepted(propose, ROUNDS, 5)
    return where(signs(1, shape, 0)[0].lt(0.5), -1.0, 1.0) * f.acos()
