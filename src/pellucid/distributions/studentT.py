"""Student's t distribution."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.chi2 import Chi2
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.utils import broadcast_all, narrow, standard_normal, wide
from pellucid.tensor.functions import where
from pellucid.tensor.tensor import Tensor

__all__ = ["StudentT"]


class StudentT(Distribution):
    """A normal number divided by √(χ² / df), scaled and moved. (Student, 1908.)"""

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        df: Tensor | float,
        loc: Tensor | float = 0.0,
        scale: Tensor | float = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df, validate_args=False)
        super().__init__(self.df.shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> StudentT:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._expanded(StudentT, batch_shape, _instance, ("df", "loc", "scale"))
        new._chi2 = self._chi2.expand(batch_shape)
        return new

    @property
    def mean(self) -> Tensor:
        """loc, NaN for df up to 1."""
        return where(self.df.gt(1), self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        """The value of the highest density."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """scale² df / (df − 2); ∞ for df up to 2, NaN up to 1."""
        finite = self.df.gt(2)
        df = where(finite, self.df, 3.0)
        found = where(finite, self.scale.square() * df / (df - 2), math.inf)
        return where(self.df.gt(1), found, math.nan)

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        noise = standard_normal(self._extended_shape(sample_shape), self.df)
        spread = self._chi2.rsample(sample_shape)
        return self.loc + self.scale * noise * (spread / self.df).rsqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        df, loc, scale, x = wide(self.df, self.loc, self.scale, value)
        z, half = (x - loc) / scale, (df + 1) / 2
        constant = scale.log() + (df * math.pi).log() / 2 + (df / 2).lgamma() - half.lgamma()
        return narrow(-half * (z * z / df).log1p() - constant, self.df, value)

    def entropy(self) -> Tensor:
        """−E ln p, in nats, of shape batch_shape."""
        df, scale = wide(self.df, self.scale)
        half = (df + 1) / 2
        found = half * (half.digamma() - (df / 2).digamma()) + (df * math.pi).log() / 2
        found = found + (df / 2).lgamma() - half.lgamma() + scale.log()
        return narrow(found, self.df)
