"""The beta distribution over [0, 1]."""

from __future__ import annotations

from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.dirichlet import Dirichlet
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.exp_family import ExponentialFamily
from pellucid.distributions.utils import broadcast_all, narrow, wide
from pellucid.tensor.shaping import stack
from pellucid.tensor.tensor import Tensor

__all__ = ["Beta"]


class Beta(ExponentialFamily):
    """x^(α−1) (1 − x)^(β−1) Γ(α + β) / (Γ(α) Γ(β)).

    α = ``concentration1``, β = ``concentration0``.
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
        pair = broadcast_all(concentration1, concentration0)
        self._dirichlet = Dirichlet(stack(pair, -1), validate_args=False)
        super().__init__(self._dirichlet._batch_shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Beta:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(Beta, _instance)
        new._dirichlet = self._dirichlet.expand(batch_shape)
        Distribution.__init__(new, batch_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def concentration1(self) -> Tensor:
        """α, the exponent of x plus 1."""
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Tensor:
        """β, the exponent of 1 − x plus 1."""
        return self._dirichlet.concentration[..., 1]

    @property
    def mean(self) -> Tensor:
        """α / (α + β)."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        """The value of the highest density."""
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        """α β / ((α + β)² (α + β + 1))."""
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.square() * (total + 1))

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        a, b, x = wide(self.concentration1, self.concentration0, value)
        found = (a - 1).xlogy(x) + (b - 1).xlogy(1 - x) + (a + b).lgamma() - a.lgamma() - b.lgamma()
        return narrow(found, self._dirichlet.concentration, value)

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        return self._dirichlet.entropy()

    @property
    def _natural_params(self) -> tuple[Tensor, Tensor]:
        return self.concentration1, self.concentration0

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        return x.lgamma() + y.lgamma() - (x + y).lgamma()
