"""The F distribution of Fisher and Snedecor."""

from __future__ import annotations

import math
from typing import Any

from pellucid.distributions import constraints
from pellucid.distributions.distribution import Distribution, Size
from pellucid.distributions.gamma import Gamma
from pellucid.distributions.utils import broadcast_all, narrow, wide
from pellucid.tensor.functions import where
from pellucid.tensor.limits import finfo
from pellucid.tensor.tensor import Tensor

__all__ = ["FisherSnedecor"]


class FisherSnedecor(Distribution):
    """The ratio of two χ² numbers, each divided by its degrees of freedom ``df1`` and ``df2``."""

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(
        self, df1: Tensor | float, df2: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        self._gamma1 = Gamma(self.df1 * 0.5, self.df1, validate_args=False)
        self._gamma2 = Gamma(self.df2 * 0.5, self.df2, validate_args=False)
        super().__init__(self.df1.shape, validate_args=validate_args)

    def expand(self, batch_shape: Size, _instance: Any = None) -> FisherSnedecor:
        """The distribution with its parameters expanded to ``batch_shape``."""
        new = self._expanded(FisherSnedecor, batch_shape, _instance, ("df1", "df2"))
        new._gamma1 = self._gamma1.expand(batch_shape)
        new._gamma2 = self._gamma2.expand(batch_shape)
        return new

    @property
    def mean(self) -> Tensor:
        """df2 / (df2 − 2), NaN up to 2."""
        df2 = where(self.df2.gt(2), self.df2, math.nan)
        return df2 / (df2 - 2)

    @property
    def mode(self) -> Tensor:
        """(df1 − 2) / df1 · df2 / (df2 + 2), NaN for df1 up to 2."""
        found = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return where(self.df1.gt(2), found, math.nan)

    @property
    def variance(self) -> Tensor:
        """NaN for df2 up to 4."""
        df2 = where(self.df2.gt(4), self.df2, math.nan)
        top = 2 * df2.square() * (self.df1 + df2 - 2)
        return top / (self.df1 * (df2 - 2).square() * (df2 - 4))

    def rsample(self, sample_shape: Size = ()) -> Tensor:
        """Draws as :meth:`sample` gives them, with gradients for the parameters."""
        tiny = finfo(self.df1.dtype).tiny
        first = self._gamma1.rsample(sample_shape)
        ratio = first / self._gamma2.rsample(sample_shape).clamp(min=tiny)
        return ratio.clamp(min=tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at ``value``."""
        if self._validate_args:
            self._validate_sample(value)
        df1, df2, x = wide(self.df1, self.df2, value)
        a, b, ratio = df1 / 2, df2 / 2, df1 / df2
        constant = (a + b).lgamma() - a.lgamma() - b.lgamma()
        found = constant + a * ratio.log() + (a - 1).xlogy(x) - (a + b) * (ratio * x).log1p()
        return narrow(found, self.df1, value)
