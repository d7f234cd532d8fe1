"""The χ² distribution."""

from __future__ import annotations

from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Size
from pellucid.distributions.gamma import Gamma
from pellucid.tensor.tensor import Tensor

__all__ = ["Chi2"]


class Chi2(Gamma):
    """The sum of ``df`` squared normal numbers: Gamma(df / 2, ½)."""

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(df * 0.5, 0.5, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> Chi2:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._get_checked_instance(Chi2, _instance)
        super().expand(batch_shape, new)
        return new

    @property
    def df(self) -> Tensor:
        """Degrees of freedom."""
        return self.concentration * 2
